/* SPDX-License-Identifier: ISC
 * test_text.c - text.c: strings in fixed buffers, classes of characters, searching and reading
 */
#include "ws_pure.h"
#include "check.h"
#include "random.h"
#include <limits.h>
#include <stdlib.h>

static void put_all(struct wsi_text *t)
{
	wsi_put(t, "ab");
	wsi_put_n(t, "c\0d", 3);
	wsi_put_c(t, '-');
	wsi_put_u(t, 1234567890);
	wsi_put_safe(t, "\xe6\x97\xa5\x01\xc3\xa9", 6);
	wsi_put_ms(t, 1500000);
}

/* For every capacity, the text is a beginning of the whole, is terminated, and nothing is written
 * after it (the memory has exactly that size). The length is that of what was written; in nanomsg
 * it was that of the whole. */
static void test_cut(void)
{
	static const char whole[] = "abc\0d-1234567890\xe6\x97\xa5?\xc3\xa9"
	                            "1.5 s";
	const size_t len = sizeof whole - 1;
	struct wsi_text t;
	size_t cap;

	for (cap = 1; cap <= len + 2; cap++) {
		char *buf = malloc(cap);
		size_t want = cap - 1 < len ? cap - 1 : len;

		while (want > 0 && want < len
		       && ((unsigned char)whole[want] & 0xc0) == 0x80) /* no partial character */
			want--;
		wsi_text_init(&t, buf, cap);
		put_all(&t);
		CHECK_EQ_MEM(t.p, t.len, whole, want);
		CHECK_EQ_U(t.cut, cap < len + 1);
		CHECK(buf[t.len] == '\0');
		if (t.cut) { /* once a text is cut, even a short addition is left out */
			wsi_put(&t, "x");
			wsi_put_c(&t, 'x');
			wsi_put_safe(&t, "x", 1);
			CHECK_EQ_U(t.len, want);
		}
		free(buf);
	}

	{
		char buf[1];

		wsi_text_init(&t, buf, 1);
		wsi_put(&t, "");
		wsi_put_n(&t, buf, 0);
		CHECK(!t.cut && t.len == 0);
		wsi_put_c(&t, 'a');
		CHECK(t.cut && t.len == 0);
	}
}

static void test_numbers(void)
{
	static const struct {
		uint64_t v;
		const char *text;
	} u[] = {{0, "0"},
	         {9, "9"},
	         {10, "10"},
	         {4294967296, "4294967296"},
	         {UINT64_MAX, "18446744073709551615"}};
	static const struct {
		int64_t us;
		const char *text;
	} ms[] = {
	    {0, "0 ms"},          {1, "0.001 ms"},        {50, "0.05 ms"},
	    {300, "0.3 ms"},      {999, "0.999 ms"},      {1000, "1 ms"},
	    {1005, "1 ms"},       {1239, "1.23 ms"},      {9999, "9.99 ms"},
	    {10000, "10 ms"},     {12000, "12 ms"},       {12345, "12.3 ms"},
	    {12045, "12 ms"},     {99999, "99.9 ms"},     {100000, "100 ms"},
	    {250999, "250 ms"},   {999999, "999 ms"},     {1000000, "1 s"},
	    {1050000, "1.05 s"},  {1500000, "1.5 s"},     {1500999, "1.5 s"},
	    {10000000, "10 s"},   {59900000, "59.9 s"},   {90000000, "90 s"},
	    {123456789, "123 s"}, {3600000000, "3600 s"}, {INT64_MAX, "9223372036854 s"},
	    {-1, "0 ms"},         {INT64_MIN, "0 ms"},
	};
	struct wsi_text t;
	char buf[64];
	size_t i;

	for (i = 0; i < sizeof u / sizeof *u; i++) {
		check_row("%s", u[i].text);
		wsi_text_init(&t, buf, sizeof buf);
		wsi_put_u(&t, u[i].v);
		CHECK_EQ_S(buf, u[i].text);
	}
	check_row_end();
	wsi_text_init(&t, buf, sizeof buf);
	wsi_put_digits(&t, UINT64_MAX, 10, 20);
	CHECK_EQ_S(buf, "0.18446744073709551615");
	for (i = 0; i < sizeof ms / sizeof *ms; i++) {
		check_row("%s", ms[i].text);
		wsi_text_init(&t, buf, sizeof buf);
		wsi_put_ms(&t, ms[i].us);
		CHECK_EQ_S(buf, ms[i].text);
	}
}

#define S(lit) lit, sizeof(lit) - 1
static const struct {
	const char *in;
	size_t in_len;
	const char *out;
} safe[] = {
    {S(""), ""},
    {S("plain ~!"), "plain ~!"},
    {S("a\0b"), "a?b"},
    {S("\x1b[31mred\r\n\t\x7f"), "?[31mred????"},
    {S("caf\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x98\x80"), "caf\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x98\x80"},
    {S("\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0"), "???\xc2\xa0"}, /* C1 controls; then a no-break space */
    {S("\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xae\xe2\x80\xaf"),
     "\xe2\x80\xa7???\xe2\x80\xaf"},
    /* invisible characters and those that change direction, each with its visible neighbours, if
     * there are any */
    {S("a\xc2\xac\xc2\xad\xc2\xae"), "a\xc2\xac?\xc2\xae"},        /* soft hyphen */
    {S("\xcd\x8e\xcd\x8f\xcd\x90"), "\xcd\x8e?\xcd\x90"},          /* grapheme joiner */
    {S("\xd8\x9b\xd8\x9c\xd8\x9d"), "\xd8\x9b?\xd8\x9d"},          /* Arabic letter mark */
    {S("\xe1\x85\x9f\xe1\x85\xa0\xe1\x85\xa1"), "??\xe1\x85\xa1"}, /* Hangul fillers */
    {S("\xe1\xa0\x8a\xe1\xa0\x8b\xe1\xa0\x8e"), "\xe1\xa0\x8a??"}, /* Mongolian selectors */
    {S("\xe2\x80\x8a\xe2\x80\x8b\xe2\x80\x8d"), "\xe2\x80\x8a??"}, /* zero width */
    {S("\xe2\x80\x8e\xe2\x80\x8f\xe2\x80\x90"), "??\xe2\x80\x90"}, /* LRM, RLM */
    {S("\xe2\x81\x9f\xe2\x81\xa0\xe2\x81\xa5"), "\xe2\x81\x9f??"}, /* word joiner, ... */
    {S("\xe2\x81\xa6\xe2\x81\xa9\xe2\x81\xaa\xe2\x81\xaf\xe2\x81\xb0"),
     "????\xe2\x81\xb0"},                                          /* isolates */
    {S("\xe3\x85\xa4\xef\xbe\xa0"), "??"},                         /* more Hangul fillers */
    {S("\xef\xb8\x80\xef\xb8\x8f\xef\xb8\x90"), "??\xef\xb8\x90"}, /* variation selectors */
    {S("\xef\xbb\xbe\xef\xbb\xbf"), "\xef\xbb\xbe?"},              /* byte order mark */
    {S("\xef\xbf\xb0\xef\xbf\xb9\xef\xbf\xbb\xef\xbf\xbc"), "???\xef\xbf\xbc"}, /* annotations */
    {S("\xf0\x9d\x85\xb2\xf0\x9d\x85\xb3"), "\xf0\x9d\x85\xb2?"},   /* of musical symbols */
    {S("\xf3\xa0\x80\x80\xf3\xa0\x81\x81\xf3\xa0\x87\xaf"), "???"}, /* tags, selectors */
    {S("\xf3\xa0\xbf\xbf\xf3\xa1\x80\x80"), "?\xf3\xa1\x80\x80"},   /* the last of them */
    {S("\x80\xff\xc0\xaf."), "????."},
    {S("\xed\xa0\x80.\xf4\x90\x80\x80"), "???.????"},
    {"x\xe6\x97\xa5", 3, "x??"}, /* the character's last byte is not part of the text */
    {S("\xe6\x97"), "??"},       /* ends inside a character */
    {S("\xe6\x97x\xe6\x97\xa5"), "??x\xe6\x97\xa5"},
};

static const struct {
	const char *in;
	size_t in_len, max;
	const char *out;
} quoted[] = {
    {S(""), 100, "\"\""},
    {S("SSH-2.0-x\r\nmore"), 100, "\"SSH-2.0-x\""},
    {S("one\ntwo"), 100, "\"one\""},
    {S("\r\nHTTP"), 100, "\"\\x0d\\x0aHTTP\""}, /* an empty first line: all is shown */
    {S("AMQP\0\x09\x7f"), 100, "\"AMQP\\x00\\x09\\x7f\""},
    {S("\xc3\xa9\xe2\x80\xae\xff"), 100, "\"\xc3\xa9\\xe2\\x80\\xae\\xff\""},
    {S("a\"b\\"), 100, "\"a\"b\\\""},
    {S("abcdef"), 6, "\"abcdef\""},
    {S("abcdefg"), 6, "\"abcdef...\""},
    {S("abc\xe6\x97\xa5x"), 5, "\"abc...\""}, /* no partial character */
    {"ab\xc3\xa9", 3, 100, "\"ab\\xc3\""}, /* the character's last byte is not part of the text */
    {S("abc\x01"), 6, "\"abc...\""},
    {S("abc\x01"), 7, "\"abc\\x01\""},
};

static void test_quoted(void)
{
	struct wsi_text t;
	size_t i, cap;

	for (i = 0; i < sizeof quoted / sizeof *quoted; i++) {
		char buf[64];

		check_row("%s", quoted[i].out);
		wsi_text_init(&t, buf, sizeof buf);
		wsi_put_quoted(&t, quoted[i].in, quoted[i].in_len, quoted[i].max);
		CHECK_EQ_S(buf, quoted[i].out);
		for (cap = 1; cap <= strlen(quoted[i].out); cap++) {
			wsi_text_init(&t, buf, cap);
			wsi_put_quoted(&t, quoted[i].in, quoted[i].in_len, quoted[i].max);
			CHECK(t.cut && strlen(buf) == t.len
			      && memcmp(buf, quoted[i].out, t.len) == 0);
		}
	}
}

static void test_safe(void)
{
	struct wsi_text t;
	size_t i, cap, round;

	for (i = 0; i < sizeof safe / sizeof *safe; i++) {
		char buf[64];

		check_row("%s", safe[i].out);
		wsi_text_init(&t, buf, sizeof buf);
		wsi_put_safe(&t, safe[i].in, safe[i].in_len);
		CHECK_EQ_S(buf, safe[i].out);
		for (cap = 1; cap <= strlen(safe[i].out); cap++) {
			uint32_t state = 0;

			wsi_text_init(&t, buf, cap);
			wsi_put_safe(&t, safe[i].in, safe[i].in_len);
			CHECK(t.cut && strlen(buf) == t.len
			      && memcmp(buf, safe[i].out, t.len) == 0);
			CHECK(t.len + 4 >= cap); /* it is not cut earlier than a character needs */
			CHECK(wsi_utf8_check(&state, buf, t.len) == t.len && state == 0);
		}
	}
	check_row_end();

	/* Whatever the input is, the output is UTF-8 without control characters */
	for (round = 0; round < 20000; round++) {
		unsigned char in[24], out[sizeof in + 1];
		uint32_t state = 0;
		int bad = 0;

		for (i = 0; i < sizeof in; i++) {
			in[i] = (unsigned char)below(256);
			if (i > 0 && below(4) != 0) /* more valid characters than by chance */
				in[i] = (in[i] & 0x3f) | 0x80;
			if (i % 4 == 0 && below(2))
				in[i] = 0xe2;
		}
		wsi_text_init(&t, (char *)out, sizeof out);
		wsi_put_safe(&t, in, sizeof in);
		for (i = 0; i < t.len; i++)
			bad |= out[i] < 0x20 || out[i] == 0x7f
			       || (i > 0 && out[i - 1] == 0xc2 && out[i] < 0xa0);
		if (bad || t.cut || wsi_utf8_check(&state, out, t.len) != t.len || state != 0)
			break;
	}
	CHECK_EQ_U(round, 20000);
}

/* Both sides of both ends of each range: Unicode 15, Cf, Cc, Zl, Zp and
 * Default_Ignorable_Code_Point */
static const struct {
	uint32_t cp;
	int is;
} unseen[] = {
    {0x0000, 1},  {0x001f, 1},  {0x0020, 0},  {0x007e, 0},  {0x007f, 1},  {0x009f, 1},
    {0x00a0, 0},  {0x00ac, 0},  {0x00ad, 1},  {0x00ae, 0},  {0x034e, 0},  {0x034f, 1},
    {0x0350, 0},  {0x05ff, 0},  {0x0600, 1},  {0x0605, 1},  {0x0606, 0},  {0x061b, 0},
    {0x061c, 1},  {0x061d, 0},  {0x06dc, 0},  {0x06dd, 1},  {0x06de, 0},  {0x070e, 0},
    {0x070f, 1},  {0x0710, 0},  {0x088f, 0},  {0x0890, 1},  {0x0891, 1},  {0x0892, 0},
    {0x08e1, 0},  {0x08e2, 1},  {0x08e3, 0},  {0x115e, 0},  {0x115f, 1},  {0x1160, 1},
    {0x1161, 0},  {0x17b3, 0},  {0x17b4, 1},  {0x17b5, 1},  {0x17b6, 0},  {0x180a, 0},
    {0x180b, 1},  {0x180f, 1},  {0x1810, 0},  {0x200a, 0},  {0x200b, 1},  {0x200f, 1},
    {0x2010, 0},  {0x2027, 0},  {0x2028, 1},  {0x202e, 1},  {0x202f, 0},  {0x205f, 0},
    {0x2060, 1},  {0x206f, 1},  {0x2070, 0},  {0x3163, 0},  {0x3164, 1},  {0x3165, 0},
    {0xfdff, 0},  {0xfe00, 1},  {0xfe0f, 1},  {0xfe10, 0},  {0xfefe, 0},  {0xfeff, 1},
    {0xff00, 0},  {0xff9f, 0},  {0xffa0, 1},  {0xffa1, 0},  {0xffef, 0},  {0xfff0, 1},
    {0xfffb, 1},  {0xfffc, 0},  {0x110bc, 0}, {0x110bd, 1}, {0x110be, 0}, {0x110cc, 0},
    {0x110cd, 1}, {0x110ce, 0}, {0x1342f, 0}, {0x13430, 1}, {0x1343f, 1}, {0x13440, 0},
    {0x1bc9f, 0}, {0x1bca0, 1}, {0x1bca3, 1}, {0x1bca4, 0}, {0x1d172, 0}, {0x1d173, 1},
    {0x1d17a, 1}, {0x1d17b, 0}, {0xdffff, 0}, {0xe0000, 1}, {0xe0fff, 1}, {0xe1000, 0},
};

static void test_unseen(void)
{
	size_t i;

	for (i = 0; i < sizeof unseen / sizeof *unseen; i++) {
		check_row("U+%04lX", (unsigned long)unseen[i].cp);
		CHECK_EQ_U(wsi_is_unseen(unseen[i].cp), unseen[i].is);
	}
}

static int same(const char *p, size_t len, const char *lit)
{
	struct wsi_str a = {p, len}, b = {lit, strlen(lit)};

	return wsi_same_str(a, b);
}

static void test_strings(void)
{
	static const char hex_digits[] = "0123456789abcdef0123456789ABCDEF";
	static const char tchars[] =
	    "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const struct {
		const char *list;
		int has;
	} upgrade[] = {
	    {"", 0},
	    {"upgrade", 1},
	    {"UPGRADE", 1},
	    {"keep-alive, Upgrade", 1},
	    {"keep-alive,Upgrade", 1},
	    {"Upgrade,keep-alive", 1},
	    {" \t,, ,Upgrade\t , x", 1},
	    {"keep-alive", 0},
	    {"upgrad", 0},
	    {"upgrades", 0},
	    {"x-upgrade", 0},
	    {"upgrade x", 0},
	    {"x upgrade", 0},
	    {"upgrade;q=1", 0},
	    {"\"upgrade\"", 0},
	    {",", 0},
	    {" ", 0},
	};
	size_t i, n, good = 0;
	int c;

	for (c = 0; c < 256; c++)
		good += wsi_lower(c) == (c >= 'A' && c <= 'Z' ? c + 32 : c);
	CHECK_EQ_U(good, 256);

	for (good = 0, c = -128; c < 256; c++) {
		const char *digit = c > 0 ? strchr(hex_digits, c) : NULL;

		good += wsi_hex(c) == (digit != NULL ? (int)(digit - hex_digits) % 16 : -1);
	}
	CHECK_EQ_U(good, 384);

	for (good = 0, c = -128; c < 256; c++) {
		char byte = (char)c;

		good += wsi_is_tchar(byte) == (byte > 0 && strchr(tchars, byte) != NULL);
	}
	CHECK_EQ_U(good, 384);

	CHECK(same("Host", 4, "hOST"));
	CHECK(same("", 0, ""));
	CHECK(!same("", 0, "a"));
	CHECK(!same("Host", 3, "host"));
	CHECK(!same("Hosts", 5, "host"));
	CHECK(!same("host\0", 5, "host"));
	CHECK(!same("[", 1, "{")); /* these differ by 0x20, but are not letters */
	CHECK(!same("@", 1, "`"));
	CHECK(!same("\xc1", 1, "\xe1"));

	for (i = 0; i < sizeof upgrade / sizeof *upgrade; i++) {
		struct wsi_str list;
		char *exact; /* without a NUL, so that the sanitizer notices a read too far */

		check_row("\"%s\"", upgrade[i].list);
		n = strlen(upgrade[i].list);
		exact = malloc(n);
		if (n > 0)
			memcpy(exact, upgrade[i].list, n);
		list.p = exact;
		list.len = n;
		CHECK_EQ_U(wsi_has_token(list, "Upgrade"), upgrade[i].has);
		free(exact);
	}
	check_row_end();
	CHECK(
	    wsi_has_token((struct wsi_str){"upgradex", 7}, "upgrade")); /* by length, not by NUL */
	CHECK(wsi_is((struct wsi_str){"hOSTx", 4}, "Host") && wsi_is((struct wsi_str){"", 0}, ""));
	CHECK(!wsi_is((struct wsi_str){"host", 4}, "hos")
	      && !wsi_is((struct wsi_str){"hos", 3}, "host"));
}

static bool is_upper_case(int c)
{
	return c >= 'A' && c <= 'Z';
}

static void test_classes(void)
{
	int c;

	for (c = 0; c < 256; c++) {
		char byte = (char)c;
		bool digit = c >= '0' && c <= '9';
		bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

		CHECK_EQ_U(wsi_is_digit(c), digit);
		CHECK_EQ_U(wsi_is_letter(c), letter);
		CHECK_EQ_U(wsi_is_letter_or_digit(c), letter || digit);
		CHECK_EQ_U(wsi_is_hex_digit(c), wsi_hex(c) >= 0);
		CHECK_EQ_U(wsi_is_blank(c), c == ' ' || c == '\t');
		CHECK_EQ_U(wsi_is_one_of(c, "a\xff"), c == 'a' || c == 0xff);
		CHECK_EQ_U(wsi_span_if(&byte, 1, is_upper_case), is_upper_case(c));
		CHECK_EQ_U(wsi_find_any(&byte, 1, "a\xff"), c != 'a' && c != 0xff);
	}
	CHECK_EQ_U(wsi_span_if("AB1C", 4, is_upper_case), 2);
	CHECK_EQ_U(wsi_span_if("AB", 2, is_upper_case), 2);
	CHECK_EQ_U(wsi_span_if("", 0, is_upper_case), 0);
	CHECK_EQ_U(wsi_find_any("a/b?c", 5, "?/"), 1);
	CHECK_EQ_U(wsi_find_any("abc", 3, "?/"), 3);
	CHECK_EQ_U(wsi_find_any("", 0, "?/"), 0);
}

static void test_trim(void)
{
	static const struct {
		const char *in, *out;
	} trims[] = {{"", ""},      {" ", ""},         {"\t \t", ""},     {"a", "a"},
	             {" a\t", "a"}, {"\ta b ", "a b"}, {"\na\n", "\na\n"}};
	static const char dots[] = "..a.b..";
	static const struct { /* parts of it; the dots before a part do not belong to it */
		size_t from, to, len;
	} names[] = {{2, 2, 0}, {1, 2, 0}, {2, 3, 1}, {2, 4, 1}, {2, 5, 3}, {2, 6, 3}, {2, 7, 3}};
	struct wsi_str name;
	size_t k;

	for (k = 0; k < sizeof names / sizeof *names; k++) {
		check_row("row %lu", (unsigned long)k);
		name.p = dots + names[k].from;
		name.len = names[k].to - names[k].from;
		name = wsi_drop_dots(name);
		CHECK_EQ_U(name.len, names[k].len);
		CHECK(name.p == dots + names[k].from);
	}
	for (k = 0; k < sizeof trims / sizeof *trims; k++) {
		struct wsi_str t = wsi_trim(trims[k].in, strlen(trims[k].in));

		check_row("\"%s\"", trims[k].in);
		CHECK_EQ_MEM(t.p, t.len, trims[k].out, strlen(trims[k].out));
	}
	check_row_end();
	CHECK(wsi_digits("fFfF", 4, 0xffff, 16) == 0xffff
	      && wsi_digits("10000", 5, 0xffff, 16) == -1);
	CHECK(wsi_digits("g", 1, 99, 16) == -1 && wsi_digits("a", 1, 99, 10) == -1
	      && wsi_digits("", 0, 99, 16) == -1);
	CHECK(wsi_number("2147483647", 10, 2147483647) == 2147483647
	      && wsi_number("2147483648", 10, 2147483647) == -1
	      && wsi_number("99999999999", 11, 2147483647) == -1);
}

static void test_ms_until(void)
{
	static const struct {
		int64_t now_us, then_us;
		int ms;
	} cases[] = {
	    {0, 0, 0},
	    {5, 4, 0},
	    {5000, 0, 0},
	    {0, 1, 1},
	    {0, 1000, 1},
	    {0, 1001, 2},
	    {7000, 9999, 3},
	    {-1000, 1000, 2},
	    {0, WSI_NEVER, -1},
	    {1000000, WSI_NEVER, -1},
	    {0, WSI_NEVER - 1, INT_MAX},
	    {0, (int64_t)INT_MAX * 1000, INT_MAX},
	    {0, (int64_t)INT_MAX * 1000 - 1000, INT_MAX - 1},
	    {0, (int64_t)INT_MAX * 1000 + 1, INT_MAX},
	};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++)
		CHECK_EQ_U(wsi_ms_until(cases[i].now_us, cases[i].then_us), cases[i].ms);
}

int main(void)
{
	TEST(test_cut);
	TEST(test_classes);
	TEST(test_trim);
	TEST(test_numbers);
	TEST(test_safe);
	TEST(test_unseen);
	TEST(test_quoted);
	TEST(test_ms_until);
	TEST(test_strings);
	return check_done();
}
