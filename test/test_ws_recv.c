/* SPDX-License-Identifier: ISC
 * test_ws_recv.c - Tests receiving: frames, messages, pings, violations, and the deadline
 *
 * It uses the public interface of ws.h over the scripted transport of fake.h.
 */
#include "talk.h"

#define TIMES_REPORTED 12 /* reports only the first failures of a vector */

/* Vectors: what a server sends after its 101 */

enum { ANY = 0, PINGED = 1, NO_UTF8 = 2, NO_STREAM = 4 };
struct vector {
	const char *name, *bytes;
	size_t len;
	const char *got, *end, *sent;
	unsigned
	    at; /* the error is found after this many bytes, even if no more arrive; 0: not checked
		 */
	unsigned flags;
	size_t max_message;
};

#define V(name, bytes, got, end, sent)                                                             \
	{                                                                                          \
		name, bytes, sizeof bytes - 1, got, end, sent, 0, ANY, 0                           \
	}
#define BAD(name, bytes, at, got, end, sent)                                                       \
	{                                                                                          \
		name, bytes, sizeof bytes - 1, got, end, sent, at, ANY, 0                          \
	}
#define FL(name, bytes, at, got, end, sent, flags, max)                                            \
	{                                                                                          \
		name, bytes, sizeof bytes - 1, got, end, sent, at, flags, max                      \
	}

#define PROTO "protocol"

/* clang-format off */
static const struct vector vectors[] = {
	/* RFC 6455 5.7 */
	V("5.7 hello", "\x81\x05Hello", "T\"Hello\"", CUT, ""),
	V("5.7 fragmented hello", "\x01\x03Hel\x80\x02lo", "T\"Hello\"", CUT, ""),
	V("5.7 ping", "\x89\x05Hello", "", CUT, "P\"Hello\""),
	V("5.7 masked pong is for servers", "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", "", PROTO, "C1002"),
	/* messages */
	V("nothing", "", "", CUT, ""),
	V("empty text", "\x81\x00", "T\"\"", CUT, ""),
	V("empty binary", "\x82\x00", "B\"\"", CUT, ""),
	V("empty binary twice", "\x82\x00\x82\x00", "B\"\" B\"\"", CUT, ""),
	V("binary", "\x82\x03\x00\xff\x80", "B\"\\x00\\xff\\x80\"", CUT, ""),
	V("U+0000 in text", "\x81\x03" "a\x00" "b", "T\"a\\x00b\"", CUT, ""),
	V("three binaries", "\x82\x01" "a" "\x82\x02" "bc" "\x82\x03" "def", "B\"a\" B\"bc\" B\"def\"", CUT, ""),
	V("binary and text by turns", "\x82\x01" "a" "\x81\x01" "b" "\x82\x01" "c" "\x81\x01" "d",
	  "B\"a\" T\"b\" B\"c\" T\"d\"", CUT, ""),
	V("empty fragments alone", "\x01\x00\x00\x00\x80\x00", "T\"\"", CUT, ""),
	V("empty fragments alone, binary", "\x02\x00\x80\x00\x82\x01z", "B\"\" B\"z\"", CUT, ""),
	V("empty fragments among others", "\x01\x00\x00\x01" "a" "\x00\x00\x00\x01" "b" "\x80\x00", "T\"ab\"", CUT,
	  ""),
	V("fragments, then a whole one", "\x02\x01" "a" "\x80\x01" "b" "\x82\x02" "cd" "\x02\x01" "e" "\x80\x00",
	  "B\"ab\" B\"cd\" B\"e\"", CUT, ""),
	V("text, first of it invalid alone", "\x02\x01\xff\x80\x01\xfe", "B\"\\xff\\xfe\"", CUT, ""),
	V("126 bytes in 126 form", "\x82\x7e\x00\x7e" SIXTY SIXTY "abcdef", "B[126#b4b82a9a]", CUT, ""),
	/* control frames among fragments */
	V("ping between fragments", "\x01\x01" "a" "\x89\x01p\x80\x01" "b", "T\"ab\"", CUT, "P\"p\""),
	V("pings everywhere", "\x89\x00\x02\x01" "a" "\x89\x01p\x89\x01q\x00\x00\x89\x01r\x80\x01" "b" "\x89\x01s",
	  "B\"ab\"", CUT, NULL), /* how many of them are answered is up to the client: 5.5.3 */
	V("pong between fragments", "\x01\x01" "a" "\x8a\x01p\x80\x01" "b", "T\"ab\"", CUT, ""),
	V("close between fragments", "\x01\x01" "a" "\x88\x02\x03\xe8", "", "closed 1000", "C1000"),
	V("unsolicited pongs", "\x8a\x00\x8a\x01x\x82\x01" "a" "\x8a\x01y", "B\"a\"", CUT, ""),
	FL("pongs asked for", "\x8a\x02me\x81\x01" "a" "\x8a\x00", 0, "O\"me\" T\"a\" O\"\"", CUT, "I\"me\"", PINGED,
	   0),
	FL("pong within a message", "\x01\x01" "a" "\x8a\x02me\x80\x01" "b", 0, "O\"me\" T\"ab\"", CUT, "I\"me\"",
	   PINGED, 0),
	FL("pong among binaries", "\x82\x01" "a" "\x8a\x02me\x82\x01" "b", 0, "B\"a\" O\"me\" B\"b\"", CUT, "I\"me\"",
	   PINGED, 0),
	/* RSV: 5.2 */
	BAD("RSV1 text", "\xc1\x01" "a", 2, "", PROTO, "C1002"),
	BAD("RSV2 text", "\xa1\x01" "a", 2, "", PROTO, "C1002"),
	BAD("RSV3 text", "\x91\x01" "a", 2, "", PROTO, "C1002"),
	BAD("RSV1 binary after a binary", "\x82\x01" "a" "\xc2\x01" "b", 5, "B\"a\"", PROTO, "C1002"),
	BAD("RSV2 binary after a binary", "\x82\x01" "a" "\xa2\x01" "b", 5, "B\"a\"", PROTO, "C1002"),
	BAD("RSV3 binary after a binary", "\x82\x01" "a" "\x92\x01" "b", 5, "B\"a\"", PROTO, "C1002"),
	BAD("RSV1 ping", "\xc9\x00", 2, "", PROTO, "C1002"),
	BAD("RSV1 pong", "\xca\x00", 2, "", PROTO, "C1002"),
	BAD("RSV1 close", "\xc8\x00", 2, "", PROTO, "C1002"),
	BAD("RSV1 continuation", "\x01\x00\xc0\x00", 4, "", PROTO, "C1002"),
	/* opcodes: 5.2 */
	BAD("opcode 3", "\x83\x00", 1, "", PROTO, "C1002"),
	BAD("opcode 4", "\x84\x00", 1, "", PROTO, "C1002"),
	BAD("opcode 5", "\x85\x00", 1, "", PROTO, "C1002"),
	BAD("opcode 6", "\x86\x00", 1, "", PROTO, "C1002"),
	BAD("opcode 7", "\x87\x00", 1, "", PROTO, "C1002"),
	BAD("opcode 11", "\x8b\x00", 1, "", PROTO, "C1002"),
	BAD("opcode 12", "\x8c\x00", 1, "", PROTO, "C1002"),
	BAD("opcode 13", "\x8d\x00", 1, "", PROTO, "C1002"),
	BAD("opcode 14", "\x8e\x00", 1, "", PROTO, "C1002"),
	BAD("opcode 15", "\x8f\x00", 1, "", PROTO, "C1002"),
	BAD("opcode 3 after a message", "\x82\x01" "a" "\x83\x01" "b", 4, "B\"a\"", PROTO, "C1002"),
	/* masks: 5.1 */
	BAD("masked text", "\x81\x81\x00\x00\x00\x00" "a", 2, "", PROTO, "C1002"),
	BAD("masked empty binary after a binary", "\x82\x01" "a" "\x82\x80\x00\x00\x00\x00", 5, "B\"a\"", PROTO,
	    "C1002"),
	BAD("masked binary after a binary", "\x82\x01" "a" "\x82\x81\x00\x00\x00\x00" "b", 5, "B\"a\"", PROTO,
	    "C1002"),
	BAD("masked ping", "\x89\x81\x01\x02\x03\x04" "a", 2, "", PROTO, "C1002"),
	BAD("masked close", "\x88\x82\x00\x00\x00\x00\x03\xe8", 2, "", PROTO, "C1002"),
	BAD("masked continuation", "\x01\x00\x80\x81\x00\x00\x00\x00" "a", 4, "", PROTO, "C1002"),
	/* control frames: 5.5 */
	BAD("fragmented ping", "\x09\x00\x80\x00", 1, "", PROTO, "C1002"),
	BAD("fragmented pong", "\x0a\x00", 1, "", PROTO, "C1002"),
	BAD("fragmented close", "\x08\x02\x03\xe8", 1, "", PROTO, "C1002"),
	BAD("ping of 126 bytes", "\x89\x7e\x00\x7e" SIXTY SIXTY "abcdef", 2, "", PROTO, "C1002"),
	BAD("close of 126 bytes", "\x88\x7e\x00\x7e\x03\xe8" SIXTY SIXTY "abcd", 2, "", PROTO, "C1002"),
	BAD("ping with a 64-bit length", "\x89\x7f\x00\x00\x00\x00\x00\x00\x00\x05Hello", 2, "", PROTO, "C1002"),
	/* lengths: 5.2 */
	BAD("0 in 126 form", "\x82\x7e\x00\x00", 4, "", PROTO, "C1002"),
	BAD("125 in 126 form", "\x81\x7e\x00\x7d" SIXTY SIXTY "abcde", 4, "", PROTO, "C1002"),
	BAD("5 in 126 form after a binary", "\x82\x01" "a" "\x82\x7e\x00\x05Hello", 7, "B\"a\"", PROTO, "C1002"),
	BAD("0 in 127 form", "\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x00", 8, "", PROTO, "C1002"),
	BAD("5 in 127 form after a binary", "\x82\x00\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x05Hello", 10, "B\"\"",
	    PROTO, "C1002"),
	BAD("65535 in 127 form", "\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff", 8, "", PROTO, "C1002"),
	BAD("length with its top bit", "\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", 3, "", PROTO, "C1002"),
	BAD("length of all ones", "\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 3, "", PROTO, "C1002"),
	/* order: 5.4 */
	BAD("continuation of nothing", "\x80\x00", 2, "", PROTO, "C1002"),
	BAD("first continuation of nothing", "\x00\x01" "a", 2, "", PROTO, "C1002"),
	BAD("continuation after a whole message", "\x82\x01" "a" "\x80\x01" "b", 5, "B\"a\"", PROTO, "C1002"),
	BAD("continuation after fragments", "\x01\x01" "a" "\x80\x01" "b" "\x80\x01" "c", 8, "T\"ab\"", PROTO,
	    "C1002"),
	BAD("text within a text", "\x01\x01" "a" "\x81\x01" "b", 5, "", PROTO, "C1002"),
	BAD("binary within a binary", "\x02\x01" "a" "\x82\x01" "b", 5, "", PROTO, "C1002"),
	BAD("fragment within a binary", "\x02\x00\x02\x00", 4, "", PROTO, "C1002"),
	BAD("text within a binary, ping between", "\x02\x00\x89\x00\x01\x00", 6, "", PROTO, "P\"\" C1002"),
	/* UTF-8: 8.1, at the first wrong byte */
	V("UTF-8", "\x81\x0b\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5",
	  "T\"\\xce\\xba\\xe1\\xbd\\xb9\\xcf\\x83\\xce\\xbc\\xce\\xb5\"", CUT, ""),
	V("the last character", "\x81\x04\xf4\x8f\xbf\xbf", "T\"\\xf4\\x8f\\xbf\\xbf\"", CUT, ""),
	V("a character over two fragments", "\x01\x01\xc3\x80\x01\xa9", "T\"\\xc3\\xa9\"", CUT, ""),
	V("a character over four fragments, and pings",
	  "\x01\x01\xf0\x89\x00\x00\x01\x9f\x00\x00\x00\x01\x98\x80\x01\x80", "T\"\\xf0\\x9f\\x98\\x80\"", CUT,
	  "P\"\""),
	BAD("0xff", "\x81\x03" "a\xff" "b", 4, "", "utf8", "C1007"),
	BAD("0xff, a long way before the end", "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00" "abc\xff", 14, "", "utf8",
	    "C1007"),
	BAD("0xff, 256 bytes announced", "\x81\x7e\x01\x00" "ab\xff", 7, "", "utf8", "C1007"),
	BAD("0xff, 240 bytes announced", "\x81\x7e\x00\xf0" "ab\xff", 7, "", "utf8", "C1007"),
	BAD("overlong", "\x81\x03\xc0\xaf" "a", 3, "", "utf8", "C1007"),
	BAD("overlong of three", "\x81\x03\xe0\x80\xaf", 4, "", "utf8", "C1007"),
	BAD("a surrogate", "\x81\x03\xed\xa0\x80", 4, "", "utf8", "C1007"),
	BAD("over U+10FFFF", "\x81\x04\xf4\x90\x80\x80", 4, "", "utf8", "C1007"),
	BAD("a lone continuation byte", "\x81\x02" "a\x80", 4, "", "utf8", "C1007"),
	BAD("no continuation byte", "\x81\x02\xc3(", 4, "", "utf8", "C1007"),
	BAD("ends within a character", "\x81\x01\xc3", 3, "", "utf8", "C1007"),
	BAD("ends within a character, fragments", "\x01\x01\xe1\x80\x01\xbd", 6, "", "utf8", "C1007"),
	BAD("ends within a character, then an empty fragment", "\x01\x01\xe1\x00\x01\xbd\x80\x00", 8, "", "utf8",
	    "C1007"),
	BAD("wrong in a later fragment", "\x01\x02\xce\xba\x00\x01\xe1\x00\x01\xff\x80\x01\x80", 10, "", "utf8",
	    "C1007"),
	BAD("wrong after good messages", "\x81\x02\xc3\xa9\x82\x01\xff\x81\x01\xff", 10,
	    "T\"\\xc3\\xa9\" B\"\\xff\"", "utf8", "C1007"),
	BAD("state does not outlive a message", "\x81\x01" "a" "\x81\x01\xa9", 6, "T\"a\"", "utf8", "C1007"),
	FL("unchecked", "\x81\x01\xff\x01\x01\xc3\x80\x00", 0, "T\"\\xff\" T\"\\xc3\"", CUT, "", NO_UTF8, 0),
	/* close frames: 5.5.1, 7.4 */
	V("close 1000", "\x88\x02\x03\xe8", "", "closed 1000", "C1000"),
	V("close with a reason", "\x88\x05\x03\xe9" "bye", "", "closed 1001 \"bye\"", "C1001"),
	V("close without a code", "\x88\x00", "", "closed 1005", "C"),
	V("nothing counts after a close", "\x88\x02\x0f\xa0\x81\x01" "a" "\x83\x00", "", "closed 4000", "C4000"),
	V("messages before a close", "\x81\x01" "a" "\x82\x01" "b" "\x88\x02\x0b\xb8", "T\"a\" B\"b\"", "closed 3000",
	  "C3000"),
	V("a reason with U+0000", "\x88\x05\x03\xe8" "a\x00" "b", "", "closed 1000 \"a\\x00b\"", "C1000"),
	V("a reason of 123 bytes", "\x88\x7d\x03\xe8" SIXTY SIXTY "abc", "", "closed 1000 [123#6774015b]", "C1000"),
	V("a reason in UTF-8", "\x88\x04\x03\xe8\xc3\xa9", "", "closed 1000 \"\\xc3\\xa9\"", "C1000"),
	BAD("close of one byte", "\x88\x01\x03", 3, "", PROTO, "C1002"),
	BAD("close 0", "\x88\x02\x00\x00", 4, "", PROTO, "C1002"),
	BAD("close 999", "\x88\x02\x03\xe7", 4, "", PROTO, "C1002"),
	BAD("close 1004", "\x88\x02\x03\xec", 4, "", PROTO, "C1002"),
	BAD("close 1005", "\x88\x02\x03\xed", 4, "", PROTO, "C1002"),
	BAD("close 1006", "\x88\x02\x03\xee", 4, "", PROTO, "C1002"),
	BAD("close 1015", "\x88\x02\x03\xf7", 4, "", PROTO, "C1002"),
	BAD("close 2999", "\x88\x02\x0b\xb7", 4, "", PROTO, "C1002"),
	BAD("close 5000", "\x88\x02\x13\x88", 4, "", PROTO, "C1002"),
	BAD("a wrong code, a reason", "\x88\x05\x03\xee" "bye", 7, "", PROTO, "C1002"),
	BAD("a reason that is not UTF-8", "\x88\x04\x03\xe8" "a\xff", 6, "", "utf8", "C1007"),
	BAD("a reason that ends within a character", "\x88\x03\x03\xe8\xc3", 5, "", "utf8", "C1007"),
	/* max_message: over all fragments, checked at the header */
	FL("at the limit", "\x81\x05Hello", 0, "T\"Hello\"", CUT, "", NO_STREAM, 5),
	FL("over the limit", "\x81\x05Hello", 2, "", "too_big", "C1009", NO_STREAM, 4),
	FL("binaries at the limit", "\x82\x05Hello\x82\x05hello", 0, "B\"Hello\" B\"hello\"", CUT, "", NO_STREAM, 5),
	FL("second binary over the limit", "\x82\x01" "a" "\x82\x05Hello", 5, "B\"a\"", "too_big", "C1009", NO_STREAM,
	   4),
	FL("fragments at the limit", "\x01\x03Hel\x80\x02lo", 0, "T\"Hello\"", CUT, "", NO_STREAM, 5),
	FL("fragments over the limit", "\x01\x03Hel\x80\x02lo", 7, "", "too_big", "C1009", NO_STREAM, 4),
	FL("a limit is for each message", "\x01\x03Hel\x80\x02lo\x81\x05hello\x02\x01" "a" "\x80\x04" "bcde", 0,
	   "T\"Hello\" T\"hello\" B\"abcde\"", CUT, "", NO_STREAM, 5),
	FL("an empty fragment at the limit", "\x01\x05Hello\x00\x00\x80\x00", 0, "T\"Hello\"", CUT, "", NO_STREAM, 5),
	FL("an empty message at the least limit", "\x81\x00\x82\x01" "a", 0, "T\"\" B\"a\"", CUT, "", NO_STREAM, 1),
	FL("2^63-1 bytes announced", "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff" "abc", 10, "", "too_big", "C1009",
	   NO_STREAM, 0),
	FL("2^63-1 bytes in a continuation", "\x02\x01" "a" "\x80\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 13, "",
	   "too_big", "C1009", NO_STREAM, 0),
	FL("16 MiB and a byte announced", "\x82\x7f\x00\x00\x00\x00\x01\x00\x00\x01" "abc", 10, "", "too_big",
	   "C1009", NO_STREAM, 0),
	FL("16 MiB announced", "\x82\x7f\x00\x00\x00\x00\x01\x00\x00\x00" "abc", 0, "", CUT, "", NO_STREAM, 0),
};
/* clang-format on */

static int vector_fits(const struct vector *v, const struct outcome *o, const char *how, size_t k)
{
	static const char *last;
	static int reported;
	int ok = strcmp(o->got, v->got) == 0 && strcmp(o->end, v->end) == 0
	         && (!v->sent || strcmp(o->sent, v->sent) == 0) && o->fake.alive == 0
	         && o->fake.blocks == 0 && o->fake.closes == 1 && !o->fake.wrong && !o->fake.hung;

	if (last != v->name)
		reported = 0;
	last = v->name;
	if (!ok && reported++ < TIMES_REPORTED)
		fprintf(stderr, "%s, %s %lu: got %s | %s | %s\n\twant %s | %s | %s%s\n", v->name,
		        how, (unsigned long)k, o->got, o->end, o->sent, v->got, v->end,
		        v->sent ? v->sent : "*", o->fake.wrong ? " (a rule was broken)" : "");
	return CHECK(ok);
}

/* A script that is cut off after k bytes brings a beginning of the outcome, and never success */
static int cut_fits(const struct vector *v, const struct outcome *o, size_t k, int *seen)
{
	int whole = strcmp(o->end, v->end) == 0 && strcmp(v->end, CUT) != 0;
	int ok = starts(v->got, o->got) && (whole || strcmp(o->end, CUT) == 0)
	         && (!v->sent || starts(v->sent, o->sent)) && o->fake.alive == 0
	         && o->fake.blocks == 0 && o->fake.closes == 1 && !o->fake.wrong && !o->fake.hung;

	if (*seen && !whole)
		ok = 0;
	if (v->at && whole != (k >= v->at))
		ok = 0;
	*seen |= whole;
	if (!ok)
		fprintf(stderr, "%s, cut after %lu: got %s | %s | %s\n", v->name, (unsigned long)k,
		        o->got, o->end, o->sent);
	return CHECK(ok);
}

static void run_vector(const struct vector *v, struct how h)
{
	struct script s = {NULL, 0, 0};
	static struct outcome o;
	const size_t step = (size_t)check_step(5);
	size_t k;
	int seen = 0;

	h.no_utf8_check = (v->flags & NO_UTF8) != 0;
	h.pinged = (v->flags & PINGED) != 0;
	h.max_message = v->max_message;
	h.end = WS_IO_EOF;
	script_str(&s, FAKE_101);
	script_put(&s, v->bytes, v->len);
	run(&h, s.p, s.len, &o);
	vector_fits(v, &o, "at once", 0);
	h.traced = 1;
	run(&h, s.p, s.len, &o);
	vector_fits(v, &o, "at once, traced", 0);
	h.traced = 0;
	h.split = HEAD_LEN;
	h.step = 1;
	run(&h, s.p, s.len, &o);
	vector_fits(v, &o, "byte by byte", 0);
	h.split = h.step = 0;
	h.read_max = 1;
	run(&h, s.p, s.len, &o);
	vector_fits(v, &o, "a byte at a read", 0);
	h.read_max = 0;
	for (k = 0; k < v->len; k += step) {
		h.split = HEAD_LEN + k;
		run(&h, s.p, s.len, &o);
		vector_fits(v, &o, "split at", k);
	}
	h.split = HEAD_LEN;
	for (k = 0; k < v->len; k += step) {
		run(&h, s.p, HEAD_LEN + k, &o);
		cut_fits(v, &o, k, &seen);
	}
	script_free(&s);
}

static void test_vectors(void)
{
	size_t i;
	int k;

	for (i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
		check_row("%s", vectors[i].name);
		for (k = 0; k < 8; k += check_step(3)) {
			struct how h;

			memset(&h, 0, sizeof h);
			h.nonblock = k & 1;
			h.stream = k >> 1 & 1;
			h.recv_buffer = k & 4 ? 256 : 0;
			h.send_buffer = k & 4 ? 256 : 0;
			if (h.stream && (vectors[i].flags & NO_STREAM))
				continue;
			run_vector(&vectors[i], h);
		}
	}
}

/* Short messages after another one, with a character or a wrong byte at every place */
static void test_short_texts(void)
{
	static const struct {
		const char *put, *end;
	} t[] = {{"x", CUT},
	         {"\xc3\xa9", CUT},
	         {"\xf0\x9f\x98\x80", CUT},
	         {"\xff", "utf8"},
	         {"\xe2\x82", "utf8"}};
	static struct outcome o;
	struct how h;
	size_t len, at, i;

	memset(&h, 0, sizeof h);
	h.end = WS_IO_EOF;
	for (len = 4; len <= 125; len += len < 40 ? 1 : 17) {
		for (at = 0; at + 4 <= len; at += (size_t)check_step(7)) {
			for (i = 0; i < sizeof t / sizeof t[0]; i++) {
				struct script s = {NULL, 0, 0};
				char text[125];
				const int good = strcmp(t[i].end, CUT) == 0;

				memset(text, 'x', sizeof text);
				memcpy(text + at, t[i].put, strlen(t[i].put));
				script_str(&s, FAKE_101);
				script_str(&s, "\x81\x01"
				               "a");
				script_frame(&s, 0x81, text, len);
				script_str(&s, "\x81\x01"
				               "b");
				run(&h, s.p, s.len, &o);
				check_row("row %zu at %zu of %zu", i, at, len);
				CHECK_EQ_S(o.end, t[i].end);
				CHECK_EQ_U(o.messages, good ? 3 : 1);
				check_clean(&o.fake);
				script_free(&s);
			}
		}
	}
	check_row_end();
}

static void test_received_close_codes(void)
{
	static struct outcome o;
	struct how h;
	unsigned c;

	memset(&h, 0, sizeof h);
	h.end = WS_IO_EOF;
	for (c = 0; c <= 65535; c += c < 5100 || c >= 65530 ? 1 : 97) {
		struct script s = {NULL, 0, 0};
		char want[40];

		script_str(&s, FAKE_101);
		script_byte(&s, 0x88);
		script_byte(&s, 2);
		script_byte(&s, c >> 8);
		script_byte(&s, c & 255);
		run(&h, s.p, s.len, &o);
		if (code_ok(c))
			sprintf(want, "closed %u", c);
		CHECK_EQ_S(o.end, code_ok(c) ? want : "protocol");
		sprintf(want, "C%u", code_ok(c) ? c : 1002);
		CHECK_EQ_S(o.sent, want);
		check_clean(&o.fake);
		script_free(&s);
	}
}

/* Payloads of every length at a boundary of headers or buffers, including those where header and
 * payload together overflow a buffer (as in gorilla, libre) */
static void test_lengths(void)
{
	static const size_t lengths[] = {0,     1,     2,     5,     120,   124,   125,   126,
	                                 127,   128,   240,   241,   242,   243,   250,   251,
	                                 252,   253,   254,   255,   256,   257,   258,   500,
	                                 511,   512,   513,   4095,  4096,  16370, 16379, 16380,
	                                 16381, 16384, 16385, 32768, 65535, 65536, 65537, 100000};
	static const size_t buffers[] = {256, 257, 1000, 0};
	static struct outcome o;
	size_t i, b, k;

	for (i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		size_t n = lengths[i];
		struct script s = {NULL, 0, 0};
		char want[500] = "";
		size_t want_len = 0;

		check_row("%lu bytes", (unsigned long)lengths[i]);
		/* twice whole, in two fragments, in three with an empty one; text and binary */
		script_str(&s, FAKE_101);
		for (k = 0; k < 6; k++) {
			size_t from;
			unsigned op = k & 1 ? 2 : 1;

			if (k < 4) {
				script_frame(&s, 0x80 | op, NULL, n);
				from = s.len - n;
				say(want, sizeof want, &want_len, "%s%c", want_len ? " " : "",
				    k & 1 ? 'B' : 'T');
				say_bytes(want, sizeof want, &want_len, s.p + from, n);
			} else {
				struct script whole = {NULL, 0, 0};
				size_t half = n / 3;

				script_frame(&s, op, NULL, half);
				script_put(&whole, s.p + s.len - half, half);
				script_frame(&s, 0x89, "ping", 4);
				script_frame(&s, 0, NULL, 0);
				script_frame(&s, 0x80, NULL, n - half);
				script_put(&whole, s.p + s.len - (n - half), n - half);
				say(want, sizeof want, &want_len, " %c", k & 1 ? 'B' : 'T');
				say_bytes(want, sizeof want, &want_len,
				          whole.p ? (void *)whole.p : "", n);
				script_free(&whole);
			}
		}
		script_frame(&s, 0x88, "\x03\xe8", 2);
		for (b = 0; b < sizeof buffers / sizeof buffers[0]; b++) {
			for (k = 0; k < 12; k += (size_t)check_step(5)) {
				static const size_t steps[] = {0, 7, 1448};
				struct how h;

				memset(&h, 0, sizeof h);
				h.nonblock = k & 1;
				h.stream = k >> 1 & 1;
				h.recv_buffer = buffers[b];
				h.step = steps[k / 4];
				if (h.step == 7 && n > 20000)
					continue;
				run(&h, s.p, s.len, &o);
				CHECK_EQ_S(o.got, want);
				CHECK_EQ_S(o.end, "closed 1000");
				CHECK_EQ_S(o.sent, "P\"ping\" P\"ping\" C1000");
				check_clean(&o.fake);
			}
		}
		script_free(&s);
	}
}

/* RFC 6455 5.7: its frames, with its mask for those of the client */
static void test_rfc_frames(void)
{
	static const char answer[] =
	    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: 7Ubo2JRe6fIuZAdGHq7kDA4XEQ0=\r\n\r\n";
	static const char mask[] =
	    "\x37\xfa\x21\x3d\x37\xfa\x21\x3d\x37\xfa\x21\x3d\x37\xfa\x21\x3d";
	static const char sent[] = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
	                           "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
	struct script s = {NULL, 0, 0};
	unsigned char *kib64;
	struct fake f;
	struct ws_options o;
	struct ws_io io;
	struct ws_msg msg;
	struct ws_conn *ws;
	size_t end, i;

	script_str(&s, answer);
	script_put(&s, "\x81\x05\x48\x65\x6c\x6c\x6f", 7);
	script_put(&s, "\x01\x03\x48\x65\x6c\x80\x02\x6c\x6f", 9);
	script_put(&s, "\x89\x05\x48\x65\x6c\x6c\x6f", 7);
	script_put(&s, "\x82\x7e\x01\x00", 4);
	for (i = 0; i < 256; i++)
		script_byte(&s, (unsigned)i);
	script_put(&s, "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10);
	for (i = 0; i < 65536; i++)
		script_byte(&s, i >> 8 & 255);
	fake_init(&f, s.p, s.len);
	fake_options(&f, &o, &io);
	f.nonce = mask;
	ws = ws_new(URL, &o);
	CHECK_EQ_U(ws_open(ws), 0);
	CHECK_EQ_U(ws_send(ws, WS_TEXT, "Hello", 5), 5);
	for (i = 0; i < 2; i++) {
		CHECK_EQ_U(ws_recv(ws, &msg), 0);
		CHECK_EQ_U(msg.type, WS_TEXT);
		CHECK_EQ_MEM(msg.data, msg.len, "Hello", 5);
	}
	CHECK_EQ_U(ws_recv(ws, &msg), 0);
	CHECK_EQ_U(msg.type, WS_BINARY);
	CHECK_EQ_U(msg.len, 256);
	for (i = 0; i < 256 && ((const unsigned char *)msg.data)[i] == i; i++)
		;
	CHECK_EQ_U(i, 256);
	CHECK_EQ_U(ws_recv(ws, &msg), 0);
	kib64 = s.p + s.len - 65536;
	CHECK_EQ_MEM(msg.data, msg.len, kib64, 65536);
	end = fake_request_end(&f);
	CHECK_EQ_MEM(f.out + end, f.out_len - end, sent, sizeof sent - 1);
	ws_free(ws);
	check_clean(&f);
	fake_free(&f);
	script_free(&s);
}

static void test_pings_are_answered(void)
{
	struct talk t;
	struct ws_msg msg;
	int nonblock;

	for (nonblock = 0; nonblock < 2; nonblock++) {
		unsigned char payload[126];
		int r;

		memset(payload, 'p', sizeof payload);
		talk_begin(&t, "", 0);
		t.o.nonblock = nonblock;
		talk_open(&t);
		/* pongs are dropped before ws_ping, and returned after it */
		CHECK_EQ_U(ws_ping(t.ws, payload, 126), WS_EUSAGE);
		talk_more(&t,
		          "\x8a\x01x\x81\x01"
		          "a",
		          6);
		REPEAT(r, &t.f, t.ws, nonblock, ws_recv(t.ws, &msg));
		CHECK(r == 0 && msg.type == WS_TEXT);
		CHECK_EQ_U(ws_ping(t.ws, payload, 125), 0);
		CHECK_EQ_U(ws_ping(t.ws, NULL, 0), 0);
		SENT(&t, 0x89, payload, 125);
		SENT(&t, 0x89, "", 0);
		talk_more(&t, "\x8a\x02xy\x8a\x00", 6);
		REPEAT(r, &t.f, t.ws, nonblock, ws_recv(t.ws, &msg));
		CHECK(r == 0 && msg.type == WS_PONG && !msg.more);
		CHECK_EQ_MEM(msg.data, msg.len, "xy", 2);
		REPEAT(r, &t.f, t.ws, nonblock, ws_recv(t.ws, &msg));
		CHECK(r == 0 && msg.type == WS_PONG && msg.len == 0 && msg.data);
		/* a ping of 125 bytes gets the same 125 bytes back */
		script_frame(&t.s, 0x89, payload, 125);
		talk_more(&t, "\x82\x00", 2);
		REPEAT(r, &t.f, t.ws, nonblock, ws_recv(t.ws, &msg));
		CHECK_EQ_U(r, 0);
		SENT(&t, 0x8a, payload, 125);
		/* one without payload too, before the message after it is handed out */
		talk_more(&t, "\x89\x00\x82\x00", 4);
		REPEAT(r, &t.f, t.ws, nonblock, ws_recv(t.ws, &msg));
		CHECK_EQ_U(r, 0);
		SENT(&t, 0x8a, "", 0);
		/* a ping fits between the fragments of a message, not within a fragment */
		CHECK_EQ_U(ws_send(t.ws, WS_TEXT | WS_MORE, "a", 1), 1);
		CHECK_EQ_U(ws_ping(t.ws, "i", 1), 0);
		talk_more(&t, "\x89\x01o\x82\x00", 5);
		REPEAT(r, &t.f, t.ws, nonblock, ws_recv(t.ws, &msg));
		CHECK_EQ_U(r, 0);
		CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "b", 1), 1);
		SENT(&t, 0x01, "a", 1);
		SENT(&t, 0x89, "i", 1);
		SENT(&t, 0x8a, "o", 1);
		SENT(&t, 0x80, "b", 1);
		SENT_ALL(&t);
		talk_end(&t);
	}
}

/* A peer that pings and never reads: the memory for pongs is limited (in undici it was not), and
 * the last ping is answered (RFC 6455 5.5.3) */
static void test_ping_flood(void)
{
	struct talk t;
	struct ws_msg msg;
	struct script pings = {NULL, 0, 0};
	unsigned char *p = NULL, last[126];
	unsigned b0;
	size_t n, k, before, frames = 0;
	int b;
	char text[126];

	for (b = 0; b < 4; b++) {
		size_t payload = b & 1 ? 125 : 4;

		for (k = 0; k < 20000; k++) {
			sprintf(text, "%0*lu", (int)payload, (unsigned long)k);
			script_frame(&pings, 0x89, text, payload);
		}
		script_frame(&pings, 0x82, "m", 1);
		talk_begin(&t, pings.p, pings.len);
		t.f.room = 300; /* room for the request, and no more */
		t.f.drain = 0;
		t.o.timeout_ms = -1;
		t.o.send_buffer = b & 2 ? 256 : 0;
		t.o.nonblock = b & 1;
		talk_open(&t);
		before = t.f.alive;
		t.f.peak = before;
		do {
			int r;

			REPEAT(r, &t.f, t.ws, t.o.nonblock, ws_recv(t.ws, &msg));
			CHECK_EQ_U(r, 0);
		} while (msg.type != WS_BINARY);
		CHECK(t.f.peak <= before);
		/* now it reads */
		t.f.room = t.f.drain = SIZE_MAX;
		t.f.end = 0;
		talk_more(&t, "\x82\x01n", 3);
		{
			int r;

			REPEAT(r, &t.f, t.ws, t.o.nonblock, ws_recv(t.ws, &msg));
			CHECK_EQ_U(r, 0);
			ws_timeout(t.ws, 5); /* the bytes that were taken are sent in later calls */
			CHECK_EQ_U(ws_recv(t.ws, &msg), t.o.nonblock ? WS_AGAIN : WS_ETIMEOUT);
		}
		for (n = 0; (b0 = talk_sent(&t, &p, &n)) != 0; frames++) {
			CHECK(b0 == 0x8a && n == payload);
			memcpy(last, p, n);
		}
		CHECK(t.at == t.f.out_len);
		CHECK_EQ_MEM(last, payload, text, payload);
		CHECK(t.f.out_len <= 600 + (t.o.send_buffer ? t.o.send_buffer : 4096) + 300);
		talk_end(&t);
		script_free(&pings);
	}
}

/* What a peer may send while ws_recv waits, without moving the deadline */
static void test_recv_keeps_its_deadline(void)
{
	static const struct {
		const char *what, *in;
		size_t len, split, step;
		int64_t gap_us, wake_us, read_us;
		size_t loop;
	} cases[] = {
	    {"silence", "", 0, 0, 0, 0, 0, 0, 0},
	    {"silence, and signals", "", 0, 0, 0, 0, 1700, 0, 0},
	    {"half a header", "\x81", 1, 0, 0, 0, 0, 0, 0},
	    {"half a message", "\x81\x05He", 4, 0, 0, 0, 0, 0, 0},
	    {"half a large message",
	     "\x81\x7f\x00\x00\x00\x00\x00\x02\x00\x00"
	     "abc",
	     13, 0, 0, 0, 0, 0, 0},
	    {"half a fragmented message", "\x01\x05Hello", 7, 0, 0, 0, 0, 0, 0},
	    {"half a ping", "\x89\x05He", 4, 0, 0, 0, 0, 0, 0},
	    {"a byte a second",
	     "\x81\x14"
	     "0123456789",
	     12, 1, 1, 1000000, 0, 0, 0},
	    {"a ping a second",
	     "\x89\x00\x89\x00\x89\x00\x89\x00\x89\x00\x89\x00\x89\x00\x89\x00\x89\x00\x89\x00\x89"
	     "\x00\x89\x00",
	     24, 2, 2, 1000000, 0, 0, 0},
	    {"a pong a second",
	     "\x8a\x00\x8a\x00\x8a\x00\x8a\x00\x8a\x00\x8a\x00\x8a\x00\x8a\x00\x8a\x00\x8a\x00\x8a"
	     "\x00\x8a\x00",
	     24, 2, 2, 1000000, 0, 0, 0},
	    {"a flood of pings", "\x89\x01p\x89\x01q", 6, 0, 0, 0, 0, 1000, SIZE_MAX},
	    {"a flood of pongs", "\x8a\x01p\x8a\x01q", 6, 0, 0, 0, 0, 1000, SIZE_MAX},
	    {"a flood of empty fragments", "\x00\x00\x00\x00\x00\x00", 6, 0, 0, 0, 0, 1000,
	     SIZE_MAX},
	    {"a flood of fragments",
	     "\x00\x01"
	     "a",
	     3, 0, 0, 0, 0, 100000, SIZE_MAX},
	};
	size_t i;
	int mode;

	for (mode = 0; mode < 6; mode++) {
		for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
			struct talk t;
			struct ws_msg msg;
			int r, stream = mode & 2,
			       fragments = strstr(cases[i].what, "fragments") != NULL;
			size_t before;

			if (stream
			    && (strstr(cases[i].what, "flood of fragments")
			        || strstr(cases[i].what, "half a ")
			        || strstr(cases[i].what, "byte")))
				continue; /* in these cases pieces are returned */
			check_row("%s, mode %d", cases[i].what, mode);
			talk_begin(&t, fragments ? "\x01\x00" : "", fragments ? 2 : 0);
			script_put(&t.s, cases[i].in, cases[i].len);
			t.f.in = t.s.p;
			t.f.in_len = t.s.len;
			t.f.split = HEAD_LEN;
			t.f.step = cases[i].step;
			t.f.gap_us = 0;
			t.o.nonblock = mode & 1;
			t.o.stream = stream;
			t.o.recv_buffer = mode & 4 ? 256 : 0;
			t.f.wake_us = cases[i].wake_us;
			talk_open(&t);
			t.f.gap_us = cases[i].gap_us;
			t.f.read_us = cases[i].read_us;
			t.f.loop = cases[i].loop;
			t.f.loop_from = t.s.len - cases[i].len;
			t.f.discard = cases[i].loop != 0;
			before = t.f.alive;
			REPEAT(r, &t.f, t.ws, mode & 1, ws_recv(t.ws, &msg));
			timed(cases[i].what, r, WS_ETIMEOUT, &t.f, 10000000);
			CHECK(t.f.peak <= before + 70000);
			/* the connection is still usable, with a new deadline */
			CHECK_EQ_U(ws_report(t.ws)->err, 0);
			t.f.loop = 0;
			t.f.step = 0;
			t.f.gap_us = 0;
			ws_timeout(t.ws, 2000);
			if (strncmp(cases[i].what, "silence", 7) == 0) {
				CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "a", 1), 1);
				talk_more(&t,
				          "\x81\x01"
				          "a",
				          3);
				REPEAT(r, &t.f, t.ws, mode & 1, ws_recv(t.ws, &msg));
				CHECK_EQ_U(r, 0);
			}
			ws_timeout(t.ws, 0); /* it has passed, so ws_recv returns at once */
			t.f.waits = 0;
			r = ws_recv(t.ws, &msg);
			CHECK(r == WS_ETIMEOUT && t.f.waits == 0);
			talk_end(&t);
		}
	}
}

/* One read brings thousands of pings, and each pong costs time. */
static void test_costly_pongs(void)
{
	struct script pings = {NULL, 0, 0};
	struct talk t;
	struct ws_msg msg;
	int i;

	for (i = 0; i < 8000; i++)
		script_frame(&pings, 0x89, "", 0);
	talk_begin(&t, pings.p, pings.len);
	t.o.timeout_ms = 100;
	talk_open(&t);
	t.f.write_us = 1000;
	timed("pings", ws_recv(t.ws, &msg), WS_ETIMEOUT, &t.f, 100000);
	talk_end(&t);
	script_free(&pings);
}

/* With nonblock every call is short: in a flood, of empty fragments too (as in undici, ws), each
 * returns after a limited number of reads and without waiting */
static void test_flood(void)
{
	static const struct {
		const char *what, *in;
		size_t len;
		int then; /* 0: ws_recv, 1: ws_close while open, 2: ws_close after a violation */
	} cases[] = {
	    {"pings", "\x89\x01p\x89\x01q", 6, 0},
	    {"pongs", "\x8a\x01p", 3, 0},
	    {"fragments",
	     "\x00\x01"
	     "a",
	     3, 0},
	    {"empty fragments", "\x00\x00", 2, 0},
	    {"pings while we close", "\x89\x01p\x89\x01q", 6, 1},
	    {"messages while we close",
	     "\x82\x03"
	     "abc",
	     5, 1},
	    {"messages after a violation",
	     "\x82\x03"
	     "abc",
	     5, 2},
	};
	const size_t calls = 20 / (size_t)check_step(4);
	size_t i, k;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct talk t;
		struct ws_msg msg;
		unsigned long reads, writes, worst = 0;
		int r = 0, fragments = strstr(cases[i].what, "fragments") != NULL;

		check_row("%s", cases[i].what);
		talk_begin(&t,
		           fragments            ? "\x01\x00"
		           : cases[i].then == 2 ? "\xc1\x00"
		                                : "",
		           fragments || cases[i].then == 2 ? 2 : 0);
		for (k = 0; k < 1000; k++)
			script_put(&t.s, cases[i].in, cases[i].len);
		t.f.in = t.s.p;
		t.f.in_len = t.s.len;
		t.o.nonblock = 1;
		t.o.timeout_ms = -1;
		t.o.max_message = PTRDIFF_MAX / 2;
		t.f.split = 0;
		talk_open(&t);
		t.f.discard = 1;
		t.f.loop = 100000; /* reading it to its end would be far too much */
		t.f.loop_from = t.s.len - 1000 * cases[i].len;
		for (k = 0; k < calls; k++) {
			reads = t.f.reads;
			writes = t.f.writes;
			t.f.waits = 0;
			r = cases[i].then == 0 || (cases[i].then == 2 && k == 0)
			        ? ws_recv(t.ws, &msg)
			        : ws_close(t.ws, 1000, NULL);
			CHECK_EQ_U(t.f.waits, 0);
			if (t.f.reads - reads > worst)
				worst = t.f.reads - reads;
			if (t.f.writes - writes > worst) /* a pong costs one write */
				worst = t.f.writes - writes;
			if (cases[i].then == 2 && k == 0)
				CHECK_EQ_U(r, WS_EPROTOCOL);
			else if (!CHECK(r == WS_AGAIN))
				break;
			if (r == WS_AGAIN) { /* more is waiting, so call again at once */
				struct ws_pollset set;

				ws_wants(t.ws, &set);
				CHECK_EQ_U(set.timeout_ms, 0);
			}
		}
		if (!CHECK(worst <= 200))
			fprintf(stderr, "%s: %lu reads or writes in a call\n", cases[i].what,
			        worst);
		talk_end(&t);
	}
	check_row_end();
	/* the body of a refused upgrade, with a chunk that never begins */
	{
		struct talk t;
		unsigned long reads, worst = 0;
		int r = WS_AGAIN;

		talk_begin(&t, "", 0);
		t.s.len = 0;
		script_str(&t.s, "HTTP/1.1 404 x\r\nTransfer-Encoding: chunked\r\n\r\n1;");
		for (k = 0; k < 1000; k++)
			script_str(&t.s, "x");
		t.f.in = t.s.p;
		t.f.in_len = t.s.len;
		t.f.split = 0;
		t.f.loop = 100000;
		t.f.loop_from = t.s.len - 1000;
		t.o.nonblock = 1;
		t.ws = ws_new(URL, &t.o);
		for (k = 0; k < 50 && r == WS_AGAIN; k++) {
			reads = t.f.reads;
			r = ws_open(t.ws);
			if (t.f.reads - reads > worst)
				worst = t.f.reads - reads;
			t.f.now += 30000;
			if (t.f.reads == 0)
				fake_poll(&t.f, t.ws);
		}
		CHECK_EQ_U(r, WS_EHTTP);
		if (!CHECK(worst <= 200))
			fprintf(stderr, "a body: %lu reads in a call\n", worst);
		talk_end(&t);
	}
}

/* What has arrived is handed out even if the deadline has passed: nothing waits for it. */
static void test_message_at_hand(void)
{
	struct talk t;
	struct ws_msg msg;

	talk_begin(&t, "\x82\x01x\x02\x01y\x80\x01z", 9);
	talk_open(&t);
	CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
	ws_timeout(t.ws, 0);
	CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
	CHECK_EQ_MEM(msg.data, msg.len, "yz", 2);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_ETIMEOUT);
	talk_end(&t);
}

int main(void)
{
	TEST(test_vectors);
	TEST(test_short_texts);
	TEST(test_received_close_codes);
	TEST(test_lengths);
	TEST(test_rfc_frames);
	TEST(test_pings_are_answered);
	TEST(test_ping_flood);
	TEST(test_recv_keeps_its_deadline);
	TEST(test_costly_pongs);
	TEST(test_message_at_hand);
	TEST(test_flood);
	return check_done();
}
