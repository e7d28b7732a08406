/* SPDX-License-Identifier: ISC
 * test_utf8.c - utf8.c against the set of all characters, and against the boundary cases of Markus
 * Kuhn's test
 */
#include "ws_pure.h"
#include "check.h"
#include "random.h"
#include <stdlib.h>

/* The reference: whether one, two and three bytes are a character, or begin one. The tables are
 * filled by writing each of the 1112064 characters, and share no rule with utf8.c. */
enum { NOTHING, BEGINS, WHOLE };
static unsigned char one[1 << 8], two[1 << 16],
    three[1 << 21]; /* without the three highest bits of the first byte, which are all set */

static size_t encode(unsigned char *out, uint32_t cp)
{
	size_t n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4, i;

	for (i = n; i-- > 1; cp /= 64)
		out[i] = (unsigned char)(0x80 + cp % 64);
	out[0] = (unsigned char)(n == 1 ? cp : 0x100 - (0x100U >> n) + cp);
	return n;
}

static void fill_reference(void)
{
	unsigned char s[4];
	uint32_t cp;

	for (cp = 0; cp <= 0x10ffff; cp++) {
		size_t n;

		if (cp >= 0xd800 && cp <= 0xdfff)
			continue;
		n = encode(s, cp);
		one[s[0]] = n == 1 ? WHOLE : BEGINS;
		if (n >= 2)
			two[s[0] << 8 | s[1]] = n == 2 ? WHOLE : BEGINS;
		if (n >= 3)
			three[(s[0] << 16 | s[1] << 8 | s[2]) & 0x1fffff] = n == 3 ? WHOLE : BEGINS;
	}
}

/* Does the same as wsi_utf8_check. *whole is 1 if the text ends at the end of a character. */
static size_t reference(const unsigned char *s, size_t len, int *whole)
{
	size_t i, n = 0;
	unsigned key = 0;

	for (i = 0; i < len; i++) {
		int is;

		key = key << 8 | s[i];
		n++;
		is = n == 1   ? one[key]
		     : n == 2 ? two[key]
		     : n == 3 ? three[key & 0x1fffff]
		              : (s[i] >= 0x80 && s[i] < 0xc0 ? WHOLE : NOTHING);
		if (is == NOTHING)
			return i;
		if (is == WHOLE)
			key = 0, n = 0;
	}
	*whole = n == 0;
	return len;
}

static int agree(const unsigned char *s, size_t len)
{
	uint32_t state = 0;
	int whole = 0;
	size_t want = reference(s, len, &whole), got = wsi_utf8_check(&state, s, len);

	return got == want && (want < len || (state == 0) == whole);
}

/* All strings of one to three bytes, alone and with ASCII after them (where they take another path
 * through the code) */
static void test_all_short(void)
{
	unsigned char s[12] = "xxxxxxxxxxx";
	unsigned long bad = 0, len, v;
	const unsigned long step = (unsigned long)check_step(61);

	for (len = 1; len <= 3; len++) {
		for (v = 0; v < 1UL << 8 * len; v += len < 3 ? 1 : step) {
			unsigned char t[3] = {(unsigned char)v, (unsigned char)(v >> 8),
			                      (unsigned char)(v >> 16)};

			bad += !agree(t, len);
			if (t[0] < 0xc0 && len == 3)
				continue;
			memcpy(s, t, len);
			bad += !agree(s, len + 8);
			memset(s, 'x', len);
		}
	}
	CHECK_EQ_U(bad, 0);
}

/* Four bytes: every first byte, and for the others the values on both sides of each boundary */
static void test_four(void)
{
	static const unsigned char edges[] = {0x00, 0x41, 0x7f, 0x80, 0x81, 0x8f, 0x90, 0x91, 0x9f,
	                                      0xa0, 0xa1, 0xbe, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0,
	                                      0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5,
	                                      0xf7, 0xf8, 0xfb, 0xfc, 0xfd, 0xfe, 0xff};
	enum { N = sizeof edges };
	unsigned char s[10] = "....xxxxx";
	unsigned long bad = 0, a, b, c, d;
	const unsigned long step = (unsigned long)check_step(13);

	for (a = 0; a < 256; a++) {
		for (b = 0; b < N; b++) {
			for (c = 0; c < N; c++) {
				for (d = (a + b + c) % step; d < N; d += step) {
					s[0] = (unsigned char)a;
					s[1] = edges[b];
					s[2] = edges[c];
					s[3] = edges[d];
					bad += !agree(s, 4);
					bad += !agree(s, sizeof s - 1);
				}
			}
		}
	}
	CHECK_EQ_U(bad, 0);
}

static void test_decode(void)
{
	unsigned char s[4];
	uint32_t cp, got;
	const unsigned long step = (unsigned long)check_step(61);
	unsigned long bad = 0, v;
	size_t n, k;

	for (cp = 0; cp <= 0x10ffff; cp += (uint32_t)check_step(7)) {
		if (cp >= 0xd800 && cp <= 0xdfff)
			continue;
		n = encode(s, cp);
		got = 0xffffffff;
		bad += wsi_utf8_decode(&got, s, n) != (int)n || got != cp;
		for (k = 0; k < n; k++)
			bad += wsi_utf8_decode(&got, s, k) != 0;
	}
	CHECK_EQ_U(bad, 0);
	for (v = 0; v < 1UL << 24; v += v < 0xc00000 ? 0x100 : step) {
		int whole = 0, d, want;

		s[0] = (unsigned char)(v >> 16);
		s[1] = (unsigned char)(v >> 8);
		s[2] = (unsigned char)v;
		want = one[s[0]] == WHOLE            ? 1
		       : reference(s, 2, &whole) < 2 ? -1
		       : whole                       ? 2
		       : reference(s, 3, &whole) < 3 ? -1
		       : whole                       ? 3
		                                     : 0;
		d = wsi_utf8_decode(&got, s, 3);
		bad += d != want;
	}
	CHECK_EQ_U(bad, 0);
	CHECK_EQ_U(wsi_utf8_decode(&got, "\xf4\x8f\xbf\xc0", 4), -1);
}

/* Every length up to 40, with each kind of byte at every place, in memory of exactly that size */
static void test_ascii(void)
{
	static const unsigned char t[] = {0, 'x', 0x7f, 0x80, 0xc3, 0xff};
	size_t len, at, i;

	for (len = 0; len <= 40; len++) {
		unsigned char *s = malloc(len ? len : 1);

		if (!CHECK(s != NULL))
			return;
		memset(s, 'x', len);
		CHECK(wsi_is_ascii(s, len));
		for (at = 0; at < len; at++) {
			for (i = 0; i < sizeof t; i++) {
				s[at] = t[i];
				check_row("0x%02x at %zu of %zu", t[i], at, len);
				CHECK_EQ_U(wsi_is_ascii(s, len), t[i] < 0x80);
			}
			s[at] = 'x';
		}
		check_row_end();
		free(s);
	}
}

#define S(lit) lit, sizeof(lit) - 1
static const struct {
	const char *s;
	size_t len, good; /* good: bytes before the first wrong one */
	int whole;        /* 1: a valid text that ends at the end of a character */
} cases[] = {
    {S(""), 0, 1},
    {S("Hello"), 5, 1},
    {S("\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"), 11, 1},
    /* Kuhn 2.1, 2.2: first and last of each length */
    {S("\0"), 1, 1},
    {S("\xc2\x80"), 2, 1},
    {S("\xe0\xa0\x80"), 3, 1},
    {S("\xf0\x90\x80\x80"), 4, 1},
    {S("\xf8\x88\x80\x80\x80"), 0, 0},
    {S("\xfc\x84\x80\x80\x80\x80"), 0, 0},
    {S("\x7f"), 1, 1},
    {S("\xdf\xbf"), 2, 1},
    {S("\xef\xbf\xbf"), 3, 1},
    {S("\xf7\xbf\xbf\xbf"), 0, 0},
    /* 2.3 */
    {S("\xed\x9f\xbf"), 3, 1},
    {S("\xee\x80\x80"), 3, 1},
    {S("\xef\xbf\xbd"), 3, 1},
    {S("\xf4\x8f\xbf\xbf"), 4, 1},
    {S("\xf4\x90\x80\x80"), 1, 0},
    /* 3.1: continuation bytes without a lead */
    {S("\x80"), 0, 0},
    {S("\xbf"), 0, 0},
    {S("a\x80"), 1, 0},
    {S("\xc3\xa9\x80"), 2, 0},
    {S("\xe6\x97\xa5\xbf"), 3, 0},
    {S("\xf0\x9f\x98\x80\x80"), 4, 0},
    /* 3.2: leads without a continuation */
    {S("\xc3 "), 1, 0},
    {S("\xe6 "), 1, 0},
    {S("\xf0 "), 1, 0},
    {S("\xc3\xc3\xa9"), 1, 0},
    /* 3.3: characters that are cut short, by the text's end and by another one */
    {S("\xc3"), 1, 0},
    {S("\xe0\xa0"), 2, 0},
    {S("\xf0\x90\x80"), 3, 0},
    {S("\xe6\x97x"), 2, 0},
    {S("\xf0\x9f\x98x"), 3, 0},
    {S("\xf0\x9f\x98\xf0"), 3, 0},
    /* 3.5 */
    {S("\xfe"), 0, 0},
    {S("\xff"), 0, 0},
    {S("\xff"
       "aaaaaa\xff"),
     0, 0}, /* the first and the last byte between two checks of the state */
    /* 4: longer than necessary */
    {S("\xc0\xaf"), 0, 0},
    {S("\xc1\xbf"), 0, 0},
    {S("\xc0\x80"), 0, 0},
    {S("\xe0\x80\xaf"), 1, 0},
    {S("\xe0\x9f\xbf"), 1, 0},
    {S("\xf0\x80\x80\xaf"), 1, 0},
    {S("\xf0\x8f\xbf\xbf"), 1, 0},
    /* 5: surrogates, alone and paired */
    {S("\xed\xa0\x80"), 1, 0},
    {S("\xed\xbf\xbf"), 1, 0},
    {S("\xed\xa0\x80\xed\xb0\x80"), 1, 0},
    /* 5.3: noncharacters are characters here (RFC 3629) */
    {S("\xef\xbf\xbe"), 3, 1},
    {S("\xf0\x9f\xbf\xbe"), 4, 1},
    /* over U+10FFFF */
    {S("\xf4\xbf\xbf\xbf"), 1, 0},
    {S("\xf5\x80\x80\x80"), 0, 0},
    /* the example of RFC 6455's test suites: good, then a surrogate, then ASCII */
    {S("\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80"
       "edited"),
     12, 0},
};

/* Checks a case in memory of its exact size: at once, in every two parts, in every three, and byte
 * by byte */
static int runs(const unsigned char *s, size_t len, size_t good, int whole)
{
	size_t a, b, got;
	uint32_t state = 0;
	int ok = 1;

	for (a = 0; a <= len; a++) {
		for (b = a; b <= len; b++) {
			state = 0;
			got = wsi_utf8_check(&state, s, a);
			if (got == a)
				got += wsi_utf8_check(&state, s + a, b - a);
			if (got == b)
				got += wsi_utf8_check(&state, s + b, len - b);
			ok &= got == good && (good < len || (state == 0) == whole);
		}
	}
	state = 0;
	for (a = 0; a < len && wsi_utf8_check(&state, s + a, 1) == 1; a++)
		;
	return ok && a == good && (good < len || (state == 0) == whole);
}

static void test_cases(void)
{
	size_t i, before, after;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t bad = 0;

		check_row("%lu: %s", (unsigned long)i, cases[i].s);
		/* ASCII around it moves it to every place in the words that the validator skips */
		for (before = 0; before <= 34; before += (size_t)check_step(3)) {
			for (after = 0; after <= 18; after += after < 6 ? 1 : 3) {
				size_t len = before + cases[i].len + after,
				       good = before + cases[i].good;
				int whole = cases[i].whole;
				unsigned char *s = malloc(len);

				if (cases[i].good == cases[i].len) {
					if (!whole && after > 0) { /* then the ASCII is wrong */
						free(s);
						continue;
					}
					good = len;
				}
				if (len > 0) {
					memset(s, 'a', len);
					memcpy(s + before, cases[i].s, cases[i].len);
				}
				bad += !runs(s, len, good, whole);
				free(s);
			}
		}
		CHECK_EQ_U(bad, 0);
	}
}

/* Long texts with characters of all lengths, and with one byte changed */
static void test_random(void)
{
	unsigned char s[300];
	uint32_t state;
	const unsigned long rounds = 20000 / (unsigned long)check_step(10);
	unsigned long round, bad = 0, wrong = 0;

	for (round = 0; round < rounds; round++) {
		size_t len = 0, cut, got, want;
		int whole = 0;

		while (len + 4 <= sizeof s) {
			uint32_t bits = below(1 << 24);

			len += encode(s + len, bits % 5 < 2    ? bits % 0x80
			                       : bits % 5 == 2 ? bits % 0x800
			                                       : bits % 0xd800);
			if (below(7) == 0)
				len += len + 4 <= sizeof s
				           ? encode(s + len, 0x10000 + bits % 0x100000)
				           : 0;
		}
		if (round % 4 != 0)
			s[below(len)] = (unsigned char)below(256);
		want = reference(s, len, &whole);
		wrong += want < len;
		bad += !agree(s, len);
		cut = below(len + 1);
		state = 0;
		got = wsi_utf8_check(&state, s, cut);
		if (got == cut)
			got += wsi_utf8_check(&state, s + cut, len - cut);
		bad += got != want || (want == len && (state == 0) != whole);
	}
	CHECK_EQ_U(bad, 0);
	CHECK(wrong > rounds / 4 && wrong < rounds / 4 * 3); /* both occurred */
}

int main(void)
{
	fill_reference();
	TEST(test_cases);
	TEST(test_all_short);
	TEST(test_four);
	TEST(test_decode);
	TEST(test_ascii);
	TEST(test_random);
	return check_done();
}
