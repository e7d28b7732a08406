/* SPDX-License-Identifier: ISC
 * test_json.c - checks what json.c, out.c and result.c write; strings are read back by a strict
 * reader of RFC 8259
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/wsquery.h"
#include "test/check.h"
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static FILE *file;
static char written[200000];

static void begin(struct wq_out *o)
{
	rewind(file);
	CHECK(ftruncate(fileno(file), 0) == 0);
	wq_out_init(o, fileno(file), WQ_NEVER, 0);
}

/* Ends the output, leaves it in got with a NUL, and returns its length */
static size_t end(struct wq_out *o)
{
	ssize_t n;

	CHECK_EQ_U(wq_out_end(o), 0);
	n = pread(fileno(file), written, sizeof written - 1, 0);
	written[n < 0 ? 0 : n] = '\0';
	return n < 0 ? 0 : (size_t)n;
}

static size_t written_string(const void *p, size_t len)
{
	struct wq_json j;
	struct wq_out o;

	begin(&o);
	wq_json_begin(&j, &o);
	wq_json_string(&j, p, len);
	return end(&o);
}

/* Reads exactly one JSON string, strictly. Returns the number of its characters, or -1. */
static long read_string(const char *s, size_t len, uint32_t *out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	size_t i = 1, n = 0;

	if (len < 2 || s[0] != '"' || s[len - 1] != '"')
		return -1;
	while (i < len - 1) {
		unsigned char c = (unsigned char)s[i];
		char hex[5] = "";
		uint32_t cp;
		int k;

		if (c < 0x20 || c == '"')
			return -1;
		if (c == '\\' && s[i + 1] == 'u') {
			char *stop;

			memcpy(hex, s + i + 2, 4);
			cp = (uint32_t)strtoul(hex, &stop, 16);
			if (stop != hex + 4 || (cp >= 0xd800 && cp <= 0xdfff))
				return -1;
			i += 6;
		} else if (c == '\\') {
			const char *p = strchr(from, s[i + 1]);

			if (!p || !*p)
				return -1;
			cp = (unsigned char)to[p - from];
			i += 2;
		} else {
			k = wsi_utf8_decode(&cp, s + i, len - 1 - i);
			if (k <= 0)
				return -1;
			i += (size_t)k;
		}
		out[n++] = cp;
	}
	return (long)n;
}

/* Unicode 3.9, table 3-7 and "maximal subparts", written down another way than in the program */
static size_t decode_lossy(const unsigned char *p, size_t len, uint32_t *out)
{
	size_t i = 0, n = 0;

	while (i < len) {
		unsigned c = p[i], low = 0x80, high = 0xbf, more;
		uint32_t cp;

		i++;
		if (c < 0x80) {
			out[n++] = c;
			continue;
		}
		more = c >= 0xc2 && c <= 0xdf   ? 1
		       : c >= 0xe0 && c <= 0xef ? 2
		       : c >= 0xf0 && c <= 0xf4 ? 3
		                                : 0;
		low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : low;
		high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : high;
		cp = more == 1 ? c & 0x1f : more == 2 ? c & 0x0f : c & 0x07;
		for (; more && i < len && p[i] >= low && p[i] <= high; more--, i++) {
			cp = cp << 6 | (p[i] & 0x3fu);
			low = 0x80;
			high = 0xbf;
		}
		out[n++] = more || c < 0xc2 || c > 0xf4 ? 0xfffd : cp;
	}
	return n;
}

static int same_as_reference(const unsigned char *p, size_t len)
{
	static uint32_t got[1000], want[1000];
	size_t n = written_string(p, len);
	long r = read_string(written, n, got);
	size_t w = decode_lossy(p, len, want);

	return r == (long)w && memcmp(got, want, w * sizeof want[0]) == 0;
}

static void test_escapes(void)
{
	static const struct {
		const char *in, *out;
	} t[] = {
	    {"", "\"\""},
	    {"plain / text", "\"plain / text\""},
	    {"\"\\\b\f\n\r\t", "\"\\\"\\\\\\b\\f\\n\\r\\t\""},
	    {"\x01\x1f\x7f", "\"\\u0001\\u001f\\u007f\""},
	    {"\xc2\x80\xc2\x9f\xc2\xa0", "\"\\u0080\\u009f\xc2\xa0\""},
	    {"\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xa9", "\"\xe2\x80\xa7\\u2028\\u2029\""},
	    {"\xe2\x80\xae\xe2\x81\xa9", "\"\\u202e\\u2069\""},
	    {"\xe2\x80\x8b\xef\xbb\xbf", "\"\\u200b\\ufeff\""},
	    {"\xf3\xa0\x80\x80\xf3\xa0\xbf\xbf", "\"\\udb40\\udc00\\udb43\\udfff\""},
	    {"\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\""},
	    {"\xef\xbf\xbd\xef\xbf\xbf", "\"\xef\xbf\xbd\xef\xbf\xbf\""},
	    {"a\xff"
	     "b",
	     "\"a\xef\xbf\xbd"
	     "b\""},
	    {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
	    {"\xe2\x82", "\"\xef\xbf\xbd\""},
	    {"\xf0\x9f\x98z", "\"\xef\xbf\xbdz\""},
	};
	size_t i, n;

	for (i = 0; i < sizeof t / sizeof t[0]; i++) {
		check_row("in \"%s\"", t[i].in);
		n = written_string(t[i].in, strlen(t[i].in));
		CHECK_EQ_MEM(written, n, t[i].out, strlen(t[i].out));
	}
	check_row_end();
	n = written_string("a\0b", 3);
	CHECK_EQ_MEM(written, n, "\"a\\u0000b\"", 10);
}

static void test_all_short_sequences(void)
{
	static const unsigned char edge[] = {0x00, 'a',  0x7f, 0x80, 0x8f, 0x90, 0x9f,
	                                     0xa0, 0xbf, 0xc0, 0xc2, 0xdf, 0xe0, 0xe1,
	                                     0xed, 0xef, 0xf0, 0xf1, 0xf4, 0xf5};
	enum { E = sizeof edge };
	unsigned char b[4];
	unsigned i, bad = 0;

	for (i = 0; i < 256; i++) {
		b[0] = (unsigned char)i;
		bad += !same_as_reference(b, 1);
	}
	for (i = 0; i < 256 * E; i++) {
		b[0] = (unsigned char)(i % 256);
		b[1] = edge[i / 256];
		bad += !same_as_reference(b, 2);
	}
	for (i = 0; i < E * E * E; i++) {
		b[0] = edge[i % E];
		b[1] = edge[i / E % E];
		b[2] = edge[i / E / E];
		b[3] = edge[i % 7];
		bad += !same_as_reference(b, 3);
		bad += !same_as_reference(b, 4);
	}
	CHECK_EQ_U(bad, 0);
}

/* Each byte at each place of a text: bytes that need no escape are handled eight at a time. */
static void test_every_byte_at_every_place(void)
{
	char text[40], want[60];
	size_t len, at, i, n;
	unsigned c;

	for (c = 0; c < 256; c += (unsigned)check_step(17)) {
		char byte = (char)c, one[12];

		written_string(&byte, 1);
		snprintf(one, sizeof one, "%.*s", (int)strlen(written) - 2, written + 1);
		CHECK((strlen(one) == 1) == (c >= 0x20 && c < 0x7f && c != '"' && c != '\\'));
		for (len = 1; len < sizeof text; len += len < 20 ? 1 : 5) {
			for (at = 0; at < len; at++) {
				for (i = 0; i < len; i++)
					text[i] = "az ~!#[]"[i % 8];
				text[at] = byte;
				n = (size_t)snprintf(want, sizeof want, "\"%.*s%s%.*s\"", (int)at,
				                     text, one, (int)(len - at - 1), text + at + 1);
				check_row("0x%02x at %zu of %zu", c, at, len);
				i = written_string(text, len);
				CHECK_EQ_MEM(written, i, want, n);
			}
		}
	}
	check_row_end();
}

/* The buffers of the output are 256 and 4096 bytes: any text over their ends comes out the same */
static void test_split_points(void)
{
	static const char text[] = "\xe2\x82\xac\n\xff\xf0\x9f\x98\x80\"";
	static const char want[] = "\"\xe2\x82\xac\\n\xef\xbf\xbd\xf0\x9f\x98\x80\\\"\"";
	static char before[9000], all[9100];
	size_t n, i;

	memset(before, 'x', sizeof before);
	for (i = 0; i < sizeof before; i += i == 300 ? 3700 : i == 4500 ? 3600 : 1) {
		struct wq_json j;
		struct wq_out o;

		begin(&o);
		if (i % 2)
			wq_out_init_kept(&o, fileno(file));
		wq_out_n(&o, before, i);
		wq_json_begin(&j, &o);
		wq_json_string(&j, text, sizeof text - 1);
		n = end(&o);
		memcpy(all, before, i);
		memcpy(all + i, want, sizeof want - 1);
		CHECK(n == i + sizeof want - 1 && memcmp(written, all, n) == 0);
	}
}

static void test_base64(void)
{
	static unsigned char in[1000];
	static char want[WSI_BASE64_LEN(1000) + 2];
	size_t i, n;

	for (i = 0; i < sizeof in; i++)
		in[i] = (unsigned char)(i * 37 + i / 256);
	for (i = 0; i <= sizeof in; i++) {
		struct wq_json j;
		struct wq_out o;

		begin(&o);
		wq_json_begin(&j, &o);
		wq_json_base64(&j, in, i);
		n = end(&o);
		want[0] = want[WSI_BASE64_LEN(i) + 1] = '"';
		CHECK_EQ_U(wsi_base64_encode(want + 1, in, i), WSI_BASE64_LEN(i));
		CHECK(n == WSI_BASE64_LEN(i) + 2 && memcmp(written, want, n) == 0);
	}
}

static void test_numbers(void)
{
	static const struct {
		int64_t us;
		const char *text;
	} t[] = {{-1, "null"},      {0, "0.000"},
	         {1, "0.001"},      {999, "0.999"},
	         {1000, "1.000"},   {1234567, "1234.567"},
	         {10010, "10.010"}, {INT64_MAX, "9223372036854775.807"}};
	size_t i;

	for (i = 0; i < sizeof t / sizeof t[0]; i++) {
		struct wq_json j;
		struct wq_out o;

		check_row("%s", t[i].text);
		begin(&o);
		wq_json_begin(&j, &o);
		wq_json_milliseconds(&j, t[i].us);
		end(&o);
		CHECK_EQ_S(written, t[i].text);
	}
}

static void test_dates(void)
{
	static const struct {
		int64_t t;
		const char *text;
	} t[] = {{0, "1970-01-01T00:00:00Z"},          {-1, "1969-12-31T23:59:59Z"},
	         {951782400, "2000-02-29T00:00:00Z"},  {2147483648, "2038-01-19T03:14:08Z"},
	         {4107542400, "2100-03-01T00:00:00Z"}, {253402300799, "9999-12-31T23:59:59Z"},
	         {INT64_MAX, "9999-12-31T23:59:59Z"},  {INT64_MIN, "0000-03-01T00:00:00Z"}};
	char got[WQ_DATE_LEN + 1], want[40];
	struct wsi_text text;
	size_t i;

	for (i = 0; i < sizeof t / sizeof t[0]; i++) {
		check_row("%s", t[i].text);
		wsi_text_init(&text, got, sizeof got);
		wq_put_date(&text, t[i].t);
		CHECK_EQ_S(got, t[i].text);
	}
	check_row_end();
	for (i = 0; i < 3000; i++) {
		time_t now = (time_t)(i * 700001);
		struct tm tm;

		wsi_text_init(&text, got, sizeof got);
		wq_put_date(&text, now);
		strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
		CHECK_EQ_S(got, want);
	}
}

/* Commas, and every kind of value */
static void test_emitter(void)
{
	struct wq_json j;
	struct wq_out o;

	begin(&o);
	wq_json_begin(&j, &o);
	wq_json_open(&j, '{');
	wq_json_key(&j, "a");
	wq_json_open(&j, '[');
	wq_json_close(&j, ']');
	wq_json_lower_key(&j, "X-Y", 3);
	wq_json_open(&j, '[');
	wq_json_integer(&j, -5);
	wq_json_integer(&j, INT64_MIN);
	wq_json_boolean(&j, true);
	wq_json_null(&j);
	wq_json_open(&j, '{');
	wq_json_close(&j, '}');
	wq_json_milliseconds(&j, 1500);
	wq_json_close(&j, ']');
	wq_json_key(&j, "c");
	wq_json_text(&j, "");
	wq_json_close(&j, '}');
	end(&o);
	CHECK_EQ_S(written,
	           "{\"a\": [], \"x-y\": [-5, -9223372036854775808, true, null, {}, 1.500], "
	           "\"c\": null}");
}

static const char *answer(struct wq_query *q)
{
	struct wq_out o;

	begin(&o);
	wq_json_answer(&o, q);
	end(&o);
	return written;
}

/* A message of a stream is written by other code than an answer, and must look the same. */
static void test_message(void)
{
	static const struct {
		int type;
		const char *data;
	} t[] = {{WS_TEXT, ""},
	         {WS_TEXT, "hi"},
	         {WS_TEXT, "{\"price\": 1.5, \"name\": \"\xc3\xa9\"}"},
	         {WS_TEXT, "a line\n"},
	         {WS_BINARY, ""},
	         {WS_BINARY, "\xff\x01"}};
	static char want[300];
	struct wq_options o;
	struct wq_query q;
	struct wq_out out;
	size_t i;

	for (i = 0; i < sizeof t / sizeof t[0]; i++) {
		check_row("%s", t[i].data);
		memset(&o, 0, sizeof o);
		memset(&q, 0, sizeof q);
		q.url = "ws://h/";
		q.o = &o;
		q.connected = 1;
		q.msg.type = t[i].type;
		q.msg.data = t[i].data;
		q.msg.len = strlen(t[i].data);
		snprintf(want, sizeof want, "%s", answer(&q));
		begin(&out);
		wq_json_message(&out, &q.msg);
		end(&out);
		CHECK_EQ_S(written, want);
	}
	check_row_end();
}

static void test_answer(void)
{
	struct wq_options o;
	struct wq_query q;

	memset(&o, 0, sizeof o);
	memset(&q, 0, sizeof q);
	q.url = "ws://joe:secret@h/";
	q.o = &o;
	q.error = "no \"way\"";
	CHECK_EQ_S(answer(&q),
	           "{\"connection\": false, \"data\": null, \"error\": \"no \\\"way\\\"\"}\n");
	q.array = 1;
	CHECK_EQ_S(answer(&q),
	           "{\"connection\": false, \"data\": [], \"error\": \"no \\\"way\\\"\"}\n");
	q.array = 0;
	q.error = NULL;
	q.connected = 1;
	q.msg.type = WS_TEXT;
	q.msg.data = "hi";
	q.msg.len = 2;
	CHECK_EQ_S(answer(&q), "{\"connection\": true, \"data\": \"hi\"}\n");
	q.msg.type = WS_BINARY;
	CHECK_EQ_S(answer(&q),
	           "{\"connection\": true, \"data\": \"aGk=\", \"encoding\": \"base64\"}\n");
	/* without a report, as when memory is short, the details are still complete */
	q.connected = 0;
	q.msg.data = NULL;
	q.error = "out of memory";
	q.err = WS_EMEMORY;
	q.phase = "input";
	q.attempts = 1;
	q.ping_us = q.first_us = -1;
	o.details = 1;
	CHECK_EQ_S(answer(&q), "{\"connection\": false, \"data\": null, \"error\": \"out of "
	                       "memory\", \"details\": {\"url\": \"ws://h/\", "
	                       "\"address\": null, \"status\": null, \"headers\": null, \"body\": "
	                       "null, \"subprotocol\": null, "
	                       "\"extensions\": null, \"tls\": null, \"close\": null, \"phase\": "
	                       "\"input\", \"reason\": \"memory\", "
	                       "\"attempts\": 1, \"timings_ms\": {\"resolve\": null, \"connect\": "
	                       "null, \"tls\": null, \"upgrade\": null, "
	                       "\"ping\": null, \"first_message\": null, \"total\": 0.000}}}\n");
}

int main(void)
{
	static max_align_t arena[1]; /* so small that malloc, which sanitizers watch, is used */

	wq_memory_init(arena, 0);
	file = tmpfile();
	if (!CHECK(file != NULL))
		return check_done();
	TEST(test_escapes);
	TEST(test_all_short_sequences);
	TEST(test_every_byte_at_every_place);
	TEST(test_split_points);
	TEST(test_base64);
	TEST(test_numbers);
	TEST(test_dates);
	TEST(test_emitter);
	TEST(test_message);
	TEST(test_answer);
	fclose(file);
	return check_done();
}
