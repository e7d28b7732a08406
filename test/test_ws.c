/* SPDX-License-Identifier: ISC
 * test_ws.c - ws.c through its public interface, over a fake transport
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "check.h"
#include "fake.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#define URL "ws://server.example.com/chat"
#define HEAD_LEN (sizeof FAKE_101 - 1)
#define TIMES_REPORTED 12 /* of one vector: the first failures say enough */

/* What happened in a run, as text: the messages, then how it ended and what was sent */
struct outcome {
	char got[3000], end[600], sent[400];
	size_t got_len, end_len, sent_len;
	int messages, opened, err, close_err;
	struct fake fake;
};

struct how {
	int nonblock, stream, no_utf8_check, pinged, traced;
	size_t recv_buffer, send_buffer, max_message;
	size_t split, step, read_max;
	int end;
};

static const char *doing = ""; /* the vector under test, for messages */

__attribute__((format(printf, 4, 5))) static void say(char *buf, size_t cap, size_t *len, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf + *len, cap - *len, fmt, ap);
	va_end(ap);
	*len += (size_t)n < cap - *len ? (size_t)n : cap - *len - 1;
}

static void say_bytes(char *buf, size_t cap, size_t *len, const void *data, size_t n)
{
	const unsigned char *p = data;
	size_t i;
	unsigned h = 2166136261u;

	if (n > 60) {
		for (i = 0; i < n; i++)
			h = (h ^ p[i]) * 16777619u;
		say(buf, cap, len, "[%lu#%08x]", (unsigned long)n, h);
		return;
	}
	say(buf, cap, len, "\"");
	for (i = 0; i < n; i++)
		say(buf, cap, len, p[i] >= 0x20 && p[i] < 0x7f ? "%c" : "\\x%02x", p[i]);
	say(buf, cap, len, "\"");
}

#define SAY(o, part, ...) say((o)->part, sizeof(o)->part, &(o)->part##_len, __VA_ARGS__)

/* The frames sent behind the request, "P" pong, "I" ping, "C" close and its code, "T" "B" "K" data */
static void say_sent(struct outcome *o)
{
	struct fake *f = &o->fake;
	size_t at = fake_request_end(f), n;
	unsigned b0;
	unsigned char *p, key[4];

	while (at && fake_frame(f, &at, &b0, &p, &n, key)) {
		static const char letters[] = "KTB?????CIP?????";

		SAY(o, sent, "%s%c", o->sent_len ? " " : "", letters[b0 & 15]);
		if (!(b0 & 0x80))
			SAY(o, sent, "+");
		if (b0 & 0x70)
			fake_wrong(f, "the client set RSV");
		if ((b0 & 15) != 8)
			say_bytes(o->sent, sizeof o->sent, &o->sent_len, p, n);
		else if (n >= 2)
			SAY(o, sent, "%u", p[0] * 256u + p[1]);
	}
	if (at && at != f->out_len)
		SAY(o, sent, " ...");
}

static void check_clean(struct fake *f)
{
	CHECK(f->alive == 0 && f->blocks == 0);
	CHECK(f->closes == 1);
	CHECK(!f->wrong);
	CHECK(!f->hung);
}

static void count_trace(void *user_data, int sent, int type, const void *data, size_t len)
{
	struct fake *f = user_data;
	const unsigned char *p = data;
	size_t i;

	(void)sent;
	if (type < WS_TRACE_HEAD || type > WS_TRACE_FRAME || len == 0)
		fake_wrong(f, "trace of what?");
	for (i = 0; i < len; i++)
		f->traces += p[i] != 0; /* every byte is there to be read */
}

static void set_options(struct fake *f, const struct how *h, struct ws_options *o, struct ws_io *io)
{
	fake_options(f, o, io);
	o->nonblock = h->nonblock;
	o->stream = h->stream;
	o->no_utf8_check = h->no_utf8_check;
	o->recv_buffer = h->recv_buffer;
	o->send_buffer = h->send_buffer;
	o->max_message = h->max_message;
	o->trace = h->traced ? count_trace : NULL;
	f->split = h->split;
	f->step = h->step;
	f->read_max = h->read_max;
	f->end = h->end;
}

/* Makes a call again until it does not say WS_AGAIN; a blocking one must never */
#define REPEAT(r, f, ws, nonblocking, call)                                                                            \
	do {                                                                                                           \
		(r) = (call);                                                                                          \
		if ((r) == WS_AGAIN) {                                                                                 \
			if (!(nonblocking)) {                                                                          \
				fake_wrong(f, "WS_AGAIN without nonblock: " #call);                                    \
				break;                                                                                 \
			}                                                                                              \
			fake_poll(f, ws);                                                                              \
		}                                                                                                      \
	} while ((r) == WS_AGAIN)

/* Opens, receives all there is, closes, frees */
static void run_prepared(const struct how *h, struct outcome *o, struct ws_options *opt)
{
	struct fake *f = &o->fake;
	struct ws_msg msg;
	struct script piece = {NULL, 0, 0};
	struct ws *ws;
	const struct ws_report *info;
	int r, type = 0;

	ws = ws_new(URL, opt);
	if (!ws) {
		o->err = WS_EMEMORY;
		SAY(o, end, "memory");
		return;
	}
	REPEAT(r, f, ws, h->nonblock, ws_open(ws));
	o->opened = r == 0;
	if (r == 0 && h->pinged)
		REPEAT(r, f, ws, h->nonblock, ws_ping(ws, "me", 2));
	while (r == 0) {
		memset(&msg, 0xee, sizeof msg);
		REPEAT(r, f, ws, h->nonblock, ws_recv(ws, &msg));
		if (r)
			break;
		if (!msg.data || (msg.more && !h->stream) || (msg.type == WS_PONG && msg.more))
			fake_wrong(f, "ws_recv filled msg badly");
		if (msg.type == WS_PONG) {
			SAY(o, got, "%sO", o->got_len ? " " : "");
			say_bytes(o->got, sizeof o->got, &o->got_len, msg.data, msg.len);
			continue;
		}
		if (type && msg.type != type)
			fake_wrong(f, "a message's type changed");
		if (msg.more && msg.len == 0)
			fake_wrong(f, "an empty piece that is not the last");
		type = msg.type;
		script_put(&piece, msg.data, msg.len);
		if (msg.more)
			continue;
		SAY(o, got, "%s%c", o->got_len ? " " : "", type == WS_TEXT ? 'T' : type == WS_BINARY ? 'B' : '?');
		say_bytes(o->got, sizeof o->got, &o->got_len, piece.p ? (void *)piece.p : "", piece.len);
		o->messages++;
		piece.len = 0;
		type = 0;
	}
	script_free(&piece);
	o->err = r;
	info = ws_info(ws);
	SAY(o, end, "%s", ws_errname(r));
	if (info->err != r)
		fake_wrong(f, "info->err is not what was returned");
	if (ws_error(ws)[0] == '\0')
		fake_wrong(f, "no sentence for a failure");
	if (info->close_code)
		SAY(o, end, " %d", info->close_code);
	if (info->close_reason_len != strlen(info->close_reason)
	    && !memchr(info->close_reason, 0, info->close_reason_len))
		fake_wrong(f, "close_reason_len");
	if (info->close_reason_len) {
		SAY(o, end, " ");
		say_bytes(o->end, sizeof o->end, &o->end_len, info->close_reason, info->close_reason_len);
	}
	if (o->opened) {
		if (ws_recv(ws, &msg) != o->err || ws_send(ws, WS_TEXT, "x", 1) != o->err
		    || ws_ping(ws, "x", 1) != o->err)
			fake_wrong(f, "the first error did not stay");
		REPEAT(o->close_err, f, ws, h->nonblock, ws_close(ws, 1000, NULL));
		if (o->close_err != (o->err == WS_ECLOSED && info->close_code && info->close_code != 1006 ? 0 : o->err))
			fake_wrong(f, "ws_close of what was over");
	}
	ws_free(ws);
	say_sent(o);
}

static void run(const struct how *h, const void *in, size_t in_len, struct outcome *o)
{
	struct ws_options opt;
	struct ws_io io;

	memset(o, 0, offsetof(struct outcome, fake));
	fake_init(&o->fake, in, in_len);
	set_options(&o->fake, h, &opt, &io);
	run_prepared(h, o, &opt);
	fake_free(&o->fake);
}

/* Vectors: what a server sends behind its 101 */

enum { ANY = 0, PINGED = 1, NO_UTF8 = 2, NO_STREAM = 4 };
struct vector {
	const char *name, *bytes;
	size_t len;
	const char *got, *end, *sent;
	unsigned at; /* the error shows when so many bytes have come, the others need not; 0: not said */
	unsigned flags;
	size_t max_message;
};

#define V(name, bytes, got, end, sent)                                                                                 \
	{                                                                                                              \
		name, bytes, sizeof bytes - 1, got, end, sent, 0, ANY, 0                                               \
	}
#define BAD(name, bytes, at, got, end, sent)                                                                           \
	{                                                                                                              \
		name, bytes, sizeof bytes - 1, got, end, sent, at, ANY, 0                                              \
	}
#define FL(name, bytes, at, got, end, sent, flags, max)                                                                \
	{                                                                                                              \
		name, bytes, sizeof bytes - 1, got, end, sent, at, flags, max                                          \
	}
#define CUT "closed 1006" /* the script's end, where no close frame was */
#define PROTO "protocol"
#define SIXTY "012345678901234567890123456789012345678901234567890123456789"

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
	  "B\"ab\"", CUT, NULL), /* how many are answered is not fixed: 5.5.3 */
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
	BAD("RSV1 binary behind a binary", "\x82\x01" "a" "\xc2\x01" "b", 5, "B\"a\"", PROTO, "C1002"),
	BAD("RSV2 binary behind a binary", "\x82\x01" "a" "\xa2\x01" "b", 5, "B\"a\"", PROTO, "C1002"),
	BAD("RSV3 binary behind a binary", "\x82\x01" "a" "\x92\x01" "b", 5, "B\"a\"", PROTO, "C1002"),
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
	BAD("opcode 3 behind a message", "\x82\x01" "a" "\x83\x01" "b", 4, "B\"a\"", PROTO, "C1002"),
	/* masks: 5.1 */
	BAD("masked text", "\x81\x81\x00\x00\x00\x00" "a", 2, "", PROTO, "C1002"),
	BAD("masked empty binary behind a binary", "\x82\x01" "a" "\x82\x80\x00\x00\x00\x00", 5, "B\"a\"", PROTO,
	    "C1002"),
	BAD("masked binary behind a binary", "\x82\x01" "a" "\x82\x81\x00\x00\x00\x00" "b", 5, "B\"a\"", PROTO,
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
	BAD("5 in 126 form behind a binary", "\x82\x01" "a" "\x82\x7e\x00\x05Hello", 7, "B\"a\"", PROTO, "C1002"),
	BAD("0 in 127 form", "\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x00", 8, "", PROTO, "C1002"),
	BAD("5 in 127 form behind a binary", "\x82\x00\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x05Hello", 10, "B\"\"",
	    PROTO, "C1002"),
	BAD("65535 in 127 form", "\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff", 8, "", PROTO, "C1002"),
	BAD("length with its top bit", "\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", 3, "", PROTO, "C1002"),
	BAD("length of all ones", "\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 3, "", PROTO, "C1002"),
	/* order: 5.4 */
	BAD("continuation of nothing", "\x80\x00", 2, "", PROTO, "C1002"),
	BAD("first continuation of nothing", "\x00\x01" "a", 2, "", PROTO, "C1002"),
	BAD("continuation behind a whole message", "\x82\x01" "a" "\x80\x01" "b", 5, "B\"a\"", PROTO, "C1002"),
	BAD("continuation behind fragments", "\x01\x01" "a" "\x80\x01" "b" "\x80\x01" "c", 8, "T\"ab\"", PROTO,
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
	BAD("wrong behind good messages", "\x81\x02\xc3\xa9\x82\x01\xff\x81\x01\xff", 10,
	    "T\"\\xc3\\xa9\" B\"\\xff\"", "utf8", "C1007"),
	BAD("state does not outlive a message", "\x81\x01" "a" "\x81\x01\xa9", 6, "T\"a\"", "utf8", "C1007"),
	FL("unchecked", "\x81\x01\xff\x01\x01\xc3\x80\x00", 0, "T\"\\xff\" T\"\\xc3\"", CUT, "", NO_UTF8, 0),
	/* close frames: 5.5.1, 7.4 */
	V("close 1000", "\x88\x02\x03\xe8", "", "closed 1000", "C1000"),
	V("close with a reason", "\x88\x05\x03\xe9" "bye", "", "closed 1001 \"bye\"", "C1001"),
	V("close without a code", "\x88\x00", "", "closed 1005", "C"),
	V("nothing counts behind a close", "\x88\x02\x0f\xa0\x81\x01" "a" "\x83\x00", "", "closed 4000", "C4000"),
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
	/* max_message: over all fragments, from the header on */
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
	         && (!v->sent || strcmp(o->sent, v->sent) == 0) && o->fake.alive == 0 && o->fake.blocks == 0
	         && o->fake.closes == 1 && !o->fake.wrong && !o->fake.hung;

	if (last != v->name)
		reported = 0;
	last = v->name;
	if (!ok && reported++ < TIMES_REPORTED)
		fprintf(stderr, "%s, %s %lu: got %s | %s | %s\n\twant %s | %s | %s%s\n", v->name, how, (unsigned long)k,
		        o->got, o->end, o->sent, v->got, v->end, v->sent ? v->sent : "*",
		        o->fake.wrong ? " (a rule was broken)" : "");
	return CHECK(ok);
}

static int starts(const char *s, const char *beginning)
{
	return strncmp(s, beginning, strlen(beginning)) == 0;
}

/* Cut off after k bytes: a beginning of the whole, and never a success */
static int cut_fits(const struct vector *v, const struct outcome *o, size_t k, int *seen)
{
	int whole = strcmp(o->end, v->end) == 0 && strcmp(v->end, CUT) != 0;
	int ok = starts(v->got, o->got) && (whole || strcmp(o->end, CUT) == 0) && (!v->sent || starts(v->sent, o->sent))
	         && o->fake.alive == 0 && o->fake.blocks == 0 && o->fake.closes == 1 && !o->fake.wrong && !o->fake.hung;

	if (*seen && !whole)
		ok = 0;
	if (v->at && whole != (k >= v->at))
		ok = 0;
	*seen |= whole;
	if (!ok)
		fprintf(stderr, "%s, cut after %lu: got %s | %s | %s\n", v->name, (unsigned long)k, o->got, o->end,
		        o->sent);
	return CHECK(ok);
}

static void run_vector(const struct vector *v, struct how h)
{
	struct script s = {NULL, 0, 0};
	static struct outcome o;
	size_t k;
	int seen = 0;

	doing = v->name;
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
	for (k = 0; k < v->len; k++) {
		h.split = HEAD_LEN + k;
		run(&h, s.p, s.len, &o);
		vector_fits(v, &o, "split at", k);
	}
	h.split = HEAD_LEN;
	for (k = 0; k < v->len; k++) {
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
		for (k = 0; k < 8; k++) {
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

static int code_ok(unsigned c) /* RFC 6455 7.4, and the registry's 1012-1014 */
{
	return (c >= 1000 && c <= 1014 && c != 1004 && c != 1005 && c != 1006) || (c >= 3000 && c <= 4999);
}

static void test_close_codes_in(void)
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

/* Payloads of every length that a header or a buffer makes special */
static void test_lengths(void)
{
	static const size_t lengths[] = {0,     1,     2,     5,     120,   124,   125,   126,   127,   128,
	                                 240,   241,   242,   243,   250,   251,   252,   253,   254,   255,
	                                 256,   257,   258,   500,   511,   512,   513,   4095,  4096,  16370,
	                                 16379, 16380, 16381, 16384, 16385, 32768, 65535, 65536, 65537, 200000};
	static const size_t buffers[] = {256, 257, 1000, 0};
	static struct outcome o;
	size_t i, b, k;

	for (i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		size_t n = lengths[i];
		struct script s = {NULL, 0, 0};
		char want[500] = "";
		size_t want_len = 0;

		/* whole, whole, in two, in three with an empty one; text and binary */
		script_str(&s, FAKE_101);
		for (k = 0; k < 6; k++) {
			size_t from;
			unsigned op = k & 1 ? 2 : 1;

			if (k < 4) {
				script_frame(&s, 0x80 | op, NULL, n);
				from = s.len - n;
				say(want, sizeof want, &want_len, "%s%c", want_len ? " " : "", k & 1 ? 'B' : 'T');
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
				say_bytes(want, sizeof want, &want_len, whole.p ? (void *)whole.p : "", n);
				script_free(&whole);
			}
		}
		script_frame(&s, 0x88, "\x03\xe8", 2);
		for (b = 0; b < sizeof buffers / sizeof buffers[0]; b++) {
			for (k = 0; k < 12; k++) {
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

/* RFC 6455 1.2 and 1.3, byte for byte */
static void test_rfc_handshake(void)
{
	static const char request[] = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n"
	                              "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	                              "Origin: http://example.com\r\nSec-WebSocket-Protocol: chat, superchat\r\n"
	                              "Sec-WebSocket-Version: 13\r\n\r\n";
	static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	                             "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
	                             "Sec-WebSocket-Protocol: chat\r\n\r\n";
	static const char *const protocols[] = {"chat", "superchat", NULL}, *const headers[] = {"User-Agent:", NULL};
	struct fake f;
	struct ws_options o;
	struct ws_io io;
	struct ws_msg msg;
	struct ws *ws;
	int k;

	for (k = 0; k < 2; k++) {
		fake_init(&f, answer, sizeof answer - 1);
		fake_options(&f, &o, &io);
		o.subprotocols = protocols;
		o.headers = k ? NULL : headers;
		o.origin = "http://example.com";
		ws = ws_new("ws://server.example.com/chat", &o);
		CHECK_EQ_S(ws_error(ws), "");
		CHECK_EQ_U(ws_info(ws)->phase, WS_URL);
		CHECK_EQ_U(f.ios, 0);
		CHECK_EQ_U(ws_open(ws), 0);
		if (k == 0) {
			CHECK_EQ_MEM(f.out, f.out_len, request, sizeof request - 1);
		} else { /* the same and a User-Agent */
			CHECK(f.out_len == sizeof request - 1 + strlen("User-Agent: wsquery/" WS_VERSION "\r\n"));
			CHECK(memcmp(f.out, request, sizeof request - 3) == 0);
		}
		CHECK_EQ_S(ws_info(ws)->subprotocol, "chat");
		CHECK_EQ_U(ws_info(ws)->http_status, 101);
		CHECK_EQ_MEM(ws_info(ws)->head, ws_info(ws)->head_len, answer, sizeof answer - 1);
		CHECK_EQ_U(ws_info(ws)->phase, WS_READY);
		CHECK_EQ_S(ws_info(ws)->url, "ws://server.example.com/chat");
		CHECK_EQ_S(ws_info(ws)->address, "server.example.com:80");
		CHECK(ws_info(ws)->phase_us[WS_UPGRADE] >= 0 && ws_info(ws)->phase_us[WS_RESOLVE] == -1);
		CHECK_EQ_U(ws_open(ws), 0); /* again: it is open */
		ws_timeout(ws, 5);
		CHECK_EQ_U(ws_recv(ws, &msg), WS_ETIMEOUT);
		CHECK_EQ_S(ws_info(ws)->head, "");
		CHECK_EQ_U(ws_info(ws)->head_len, 0);
		ws_free(ws);
		check_clean(&f);
		fake_free(&f);
	}
}

/* RFC 6455 5.7: the frames, the client's with the mask given there */
static void test_rfc_frames(void)
{
	static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	                             "Sec-WebSocket-Accept: 7Ubo2JRe6fIuZAdGHq7kDA4XEQ0=\r\n\r\n";
	static const char mask[] = "\x37\xfa\x21\x3d\x37\xfa\x21\x3d\x37\xfa\x21\x3d\x37\xfa\x21\x3d";
	static const char sent[] = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
	                           "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
	struct script s = {NULL, 0, 0};
	unsigned char *kib64;
	struct fake f;
	struct ws_options o;
	struct ws_io io;
	struct ws_msg msg;
	struct ws *ws;
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

/* The answer to the upgrade. Behind it comes one text message "hi" and the end of file. */

struct answer {
	const char *name, *head;
	int err, status;
	const char *what; /* in the sentence */
};
#define OK101 "HTTP/1.1 101 Switching Protocols\r\n"
#define UP "Upgrade: websocket\r\n"
#define CONN "Connection: Upgrade\r\n"
#define ACC "Sec-WebSocket-Accept: " FAKE_ACCEPT "\r\n"
#define E WS_EHANDSHAKE

/* clang-format off */
static const struct answer answers[] = {
	{"plain", OK101 UP CONN ACC "\r\n", 0, 101, ""},
	{"no reason phrase", "HTTP/1.1 101\r\n" UP CONN ACC "\r\n", 0, 101, ""},
	{"an empty reason phrase", "HTTP/1.1 101 \r\n" UP CONN ACC "\r\n", 0, 101, ""},
	{"any case of names and tokens", OK101 "UPGRADE: WebSocket\r\nconnection: uPGRADE\r\nsec-websocket-accept: "
	 FAKE_ACCEPT "\r\n\r\n", 0, 101, ""},
	{"lists of tokens", OK101 "Upgrade: h2c, websocket\r\nConnection: keep-alive, Upgrade\r\n" ACC "\r\n", 0, 101,
	 ""},
	{"lists over lines", OK101 "Connection: keep-alive\r\n" UP CONN ACC "\r\n", 0, 101, ""},
	{"spaces around values", OK101 "Upgrade:websocket\r\nConnection: \t Upgrade \t\r\nSec-WebSocket-Accept:   "
	 FAKE_ACCEPT "  \r\n\r\n", 0, 101, ""},
	{"others", OK101 "Server: x\r\nDate: \r\n" UP CONN ACC "Set-Cookie: a=b\r\nSet-Cookie: c=d\r\n\r\n", 0, 101,
	 ""},
	{"the subprotocol offered", OK101 UP CONN ACC "Sec-WebSocket-Protocol: chat\r\n\r\n", 0, 101, ""},
	{"no extension", OK101 UP CONN ACC "Sec-WebSocket-Extensions: \r\n\r\n", 0, 101, ""},
	{"an interim 100", "HTTP/1.1 100 Continue\r\n\r\n" OK101 UP CONN ACC "\r\n", 0, 101, ""},
	{"interim 102 and 103",
	 "HTTP/1.1 102 Processing\r\nA: b\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" OK101 UP CONN ACC
	 "\r\n", 0, 101, ""},
	{"eight interim ones",
	 "HTTP/1.1 100 a\r\n\r\nHTTP/1.1 100 b\r\n\r\nHTTP/1.1 100 c\r\n\r\nHTTP/1.1 100 d\r\n\r\nHTTP/1.1 100 e\r\n\r\n"
	 "HTTP/1.1 100 f\r\n\r\nHTTP/1.1 100 g\r\n\r\nHTTP/1.1 100 h\r\n\r\n" OK101 UP CONN ACC "\r\n", 0, 101, ""},
	{"nine interim ones",
	 "HTTP/1.1 100 a\r\n\r\nHTTP/1.1 100 b\r\n\r\nHTTP/1.1 100 c\r\n\r\nHTTP/1.1 100 d\r\n\r\nHTTP/1.1 100 e\r\n\r\n"
	 "HTTP/1.1 100 f\r\n\r\nHTTP/1.1 100 g\r\n\r\nHTTP/1.1 100 h\r\n\r\nHTTP/1.1 100 i\r\n\r\n" OK101 UP CONN ACC
	 "\r\n", E, 100, "interim"},
	{"no Upgrade", OK101 CONN ACC "\r\n", E, 101, "Upgrade"},
	{"another Upgrade", OK101 "Upgrade: h2c\r\n" CONN ACC "\r\n", E, 101, "Upgrade"},
	{"an Upgrade that only contains it", OK101 "Upgrade: websockets\r\n" CONN ACC "\r\n", E, 101, "Upgrade"},
	{"no Connection", OK101 UP ACC "\r\n", E, 101, "Connection"},
	{"another Connection", OK101 UP "Connection: close\r\n" ACC "\r\n", E, 101, "Connection"},
	{"no Accept", OK101 UP CONN "\r\n", E, 101, "Sec-WebSocket-Accept"},
	{"an empty Accept", OK101 UP CONN "Sec-WebSocket-Accept: \r\n\r\n", E, 101, "Sec-WebSocket-Accept"},
	{"a wrong Accept", OK101 UP CONN "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOp=\r\n\r\n", E, 101,
	 "Sec-WebSocket-Accept"},
	{"an Accept of another case", OK101 UP CONN "Sec-WebSocket-Accept: S3PPLMBITXAQ9KYGZZHZRBK+XOO=\r\n\r\n", E,
	 101, "Sec-WebSocket-Accept"},
	{"a longer Accept", OK101 UP CONN "Sec-WebSocket-Accept: " FAKE_ACCEPT "=\r\n\r\n", E, 101,
	 "Sec-WebSocket-Accept"},
	{"a shorter Accept", OK101 UP CONN "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo\r\n\r\n", E, 101,
	 "Sec-WebSocket-Accept"},
	{"our key as Accept", OK101 UP CONN "Sec-WebSocket-Accept: " FAKE_KEY "\r\n\r\n", E, 101,
	 "Sec-WebSocket-Accept"},
	{"Accept twice", OK101 UP CONN ACC ACC "\r\n", E, 101, "Sec-WebSocket-Accept"},
	{"an extension", OK101 UP CONN ACC "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", E, 101,
	 "extension"},
	{"a subprotocol not offered", OK101 UP CONN ACC "Sec-WebSocket-Protocol: mqtt\r\n\r\n", E, 101,
	 "subprotocol"},
	{"a subprotocol in another case", OK101 UP CONN ACC "Sec-WebSocket-Protocol: CHAT\r\n\r\n", E, 101,
	 "subprotocol"},
	{"two subprotocols", OK101 UP CONN ACC "Sec-WebSocket-Protocol: chat, superchat\r\n\r\n", E, 101,
	 "subprotocol"},
	{"two subprotocol lines", OK101 UP CONN ACC
	 "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat\r\n\r\n", E, 101, "subprotocol"},
	{"HTTP/1.0", "HTTP/1.0 101 Switching Protocols\r\n" UP CONN ACC "\r\n", E, 101, "HTTP/1.0"},
	{"HTTP/2", "HTTP/2 101 Switching Protocols\r\n" UP CONN ACC "\r\n", E, 0, ""},
	{"a body announced", OK101 UP CONN ACC "Content-Length: 4\r\n\r\n", E, 101, "body"},
	{"no HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n", E, 0, "not HTTP"},
	{"TLS", "\x15\x03\x01\x00\x02\x02\x28", E, 0, "TLS"},
	{"bare LF", "HTTP/1.1 101 Switching Protocols\n" UP CONN ACC "\r\n", E, 0, ""},
	{"obs-fold", OK101 UP "Connection:\r\n Upgrade\r\n" ACC "\r\n", E, 0, "header"},
	{"a space before the colon", OK101 "Upgrade : websocket\r\n" CONN ACC "\r\n", E, 0, "header"},
	{"no colon", OK101 UP CONN ACC "hello\r\n\r\n", E, 0, "header"},
	{"a control character", OK101 UP CONN ACC "A: \x01\r\n\r\n", E, 0, "control"},
	{"a bare CR", OK101 UP CONN ACC "A: b\rc\r\n\r\n", E, 0, "control"},
	{"status 99", "HTTP/1.1 099 x\r\n\r\n", E, 0, ""},
	{"status of two digits", "HTTP/1.1 10 x\r\n\r\n", E, 0, ""},
	{"status of four digits", "HTTP/1.1 1010 x\r\n\r\n", E, 0, ""},
	{"no space behind the version", "HTTP/1.1101\r\n\r\n", E, 0, ""},
	{"200", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", WS_EHTTP, 200, "HTTP 200 OK"},
	{"302, and nobody follows it", "HTTP/1.1 302 Found\r\nLocation: ws://u:p@other/\r\nContent-Length: 0\r\n\r\n",
	 WS_EHTTP, 302, "Location: ws://other/"},
	{"401", "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n",
	 WS_EHTTP, 401, "Basic realm"},
	{"426", "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 8\r\nContent-Length: 0\r\n\r\n", WS_EHTTP,
	 426, "version 8"},
	{"503", "HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n", WS_EHTTP, 503,
	 "Retry-After: 120"},
	{"404", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", WS_EHTTP, 404, "404 Not Found"},
	{"403", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", WS_EHTTP, 403, "403 Forbidden"},
	{"999", "HTTP/1.1 999 \x1b[31mred\xff\r\nContent-Length: 0\r\n\r\n", E, 0, "control"},
};
/* clang-format on */
#undef E

/* 0: fits */
static void run_answer(const struct answer *a, const void *in, size_t in_len, const struct how *h, const char *how,
                       size_t k, int cut)
{
	static const char *const protocols[] = {"chat", "superchat", NULL};
	static int reported;
	struct ws_options o;
	struct ws_io io;
	struct fake f;
	struct ws_msg msg;
	struct ws *ws;
	int r, ok;

	fake_init(&f, in, in_len);
	set_options(&f, h, &o, &io);
	o.subprotocols = protocols;
	o.max_redirects =
	    ws_features() & WS_HAS_REDIRECTS ? 5 : 0; /* over a transport handed in they are not followed */
	ws = ws_new(URL, &o);
	REPEAT(r, &f, ws, h->nonblock, ws_open(ws));
	if (cut && r == WS_ECLOSED) {
		ok = ws_info(ws)->err == WS_ECLOSED && ws_error(ws)[0];
	} else {
		ok = r == a->err && ws_info(ws)->http_status == a->status && strstr(ws_error(ws), a->what)
		     && ws_info(ws)->redirects == 0 && ws_info(ws)->err == r;
		if (r == 0 && cut == 0) {
			REPEAT(r, &f, ws, h->nonblock, ws_recv(ws, &msg));
			ok &= r == 0 && msg.len == 2 && memcmp(msg.data, "hi", 2) == 0;
			REPEAT(r, &f, ws, h->nonblock, ws_recv(ws, &msg));
			ok &= r == WS_ECLOSED && ws_info(ws)->close_code == 1006;
		} else if (r) {
			ok &= ws_open(ws) == r && ws_recv(ws, &msg) == r && ws_send(ws, WS_TEXT, "", 0) == r
			      && ws_ping(ws, "", 0) == r && ws_close(ws, 1000, NULL) == r;
		}
	}
	ok &= strstr(ws_error(ws), "u:p") == NULL;
	if (!ok && reported++ < 20)
		fprintf(stderr, "%s, %s %lu: %d, status %d: %s\n", a->name, how, (unsigned long)k, r,
		        ws_info(ws)->http_status, ws_error(ws));
	CHECK(ok);
	ws_free(ws);
	check_clean(&f);
	fake_free(&f);
}

static void test_answers(void)
{
	size_t i, k;
	int b;

	for (i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		const struct answer *a = &answers[i];
		struct script s = {NULL, 0, 0};
		size_t n = strlen(a->head);
		struct how h;

		script_str(&s, a->head);
		if (strncmp(a->name, "TLS", 3) == 0)
			script_str(&s, "....");
		else
			script_str(&s, "\x81\x02hi");
		for (b = 0; b < 4; b++) {
			memset(&h, 0, sizeof h);
			h.end = WS_IO_EOF;
			h.nonblock = b & 1;
			h.recv_buffer = b & 2 ? 256 : 0;
			run_answer(a, s.p, s.len, &h, "at once", 0, 0);
			h.step = 1;
			run_answer(a, s.p, s.len, &h, "byte by byte", 0, 0);
			h.step = 0;
			for (k = 1; k <= n; k++) {
				h.split = k;
				run_answer(a, s.p, s.len, &h, "split at", k, 0);
			}
			h.split = 0;
			for (k = 0; k < n; k++)
				run_answer(a, s.p, k, &h, "cut after", k, 1);
		}
		script_free(&s);
	}
	/* cut off, a good answer is never one */
	for (k = 0; k < HEAD_LEN; k++) {
		struct outcome o;
		struct how h;

		memset(&h, 0, sizeof h);
		h.end = WS_IO_EOF;
		run(&h, FAKE_101, k, &o);
		CHECK_EQ_U(o.opened, 0);
		CHECK_EQ_S(o.end, "closed");
		h.end = WS_IO_RESET;
		run(&h, FAKE_101, k, &o);
		CHECK_EQ_U(o.opened, 0);
		CHECK_EQ_S(o.end, "reset");
	}
}

/* Without an offer of ours any subprotocol is wrong */
static void test_answer_unasked(void)
{
	struct how h;
	struct outcome o;
	static const char in[] = OK101 UP CONN ACC "Sec-WebSocket-Protocol: chat\r\n\r\n";

	memset(&h, 0, sizeof h);
	run(&h, in, sizeof in - 1, &o);
	CHECK_EQ_S(o.end, "handshake");
	check_clean(&o.fake);
}

/* The limits of a head: 16 KiB, 100 lines; each interim answer has its own */
static void test_head_limits(void)
{
	int over, interim, lines, b;

	for (b = 0; b < 3; b++) {
		for (over = -1; over <= 1; over++) {
			for (interim = 0; interim < 2; interim++) {
				for (lines = 0; lines < 2; lines++) {
					struct script s = {NULL, 0, 0};
					struct outcome o;
					struct how h;
					int k;

					for (k = 0; k <= interim; k++) {
						size_t from = s.len,
						       want = (size_t)(WS_MAX_HEAD + (k == interim ? over : 0));

						script_str(&s, k < interim ? "HTTP/1.1 103 Early Hints\r\n"
						                           : OK101 UP CONN ACC);
						if (lines) {
							int n = WS_MAX_HEAD_LINES + (k == interim ? over : 0)
							        - (k < interim ? 1 : 4);

							while (n-- > 0)
								script_str(&s, "A: b\r\n");
						} else {
							script_str(&s, "A: ");
							while (s.len - from < want - 4)
								script_byte(&s, 'x');
							script_str(&s, "\r\n");
						}
						script_str(&s, "\r\n");
					}
					script_str(&s, "\x81\x02hi");
					memset(&h, 0, sizeof h);
					h.end = WS_IO_EOF;
					h.step = b ? 0 : 700;
					h.recv_buffer = b == 2 ? 256 : 0;
					run(&h, s.p, s.len, &o);
					CHECK_EQ_S(o.end, over > 0 ? "handshake" : CUT);
					CHECK_EQ_S(o.got, over > 0 ? "" : "T\"hi\"");
					CHECK(o.fake.peak < 90000);
					check_clean(&o.fake);
					script_free(&s);
				}
			}
		}
	}
	/* a head without end: refused at the limit, read no further, memory bounded */
	{
		struct script s = {NULL, 0, 0};
		struct outcome o;
		struct how h;

		script_str(&s, OK101 "A: ");
		while (s.len < 200000)
			script_byte(&s, 'x');
		memset(&h, 0, sizeof h);
		h.step = 1000;
		run(&h, s.p, s.len, &o);
		CHECK_EQ_S(o.end, "handshake");
		CHECK(o.fake.pos <= WS_MAX_HEAD + 2000);
		CHECK(o.fake.peak < 90000);
		check_clean(&o.fake);
		script_free(&s);
	}
}

/* A refused upgrade and its body */

struct refusal {
	const char *name, *bytes;
	const char *body;
	int needs_end; /* the body is whole only at the end of file */
};

/* clang-format off */
static const struct refusal refusals[] = {
	{"Content-Length", "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nnope!rest", "nope!", 0},
	{"Content-Length 0", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\nrest", "", 0},
	{"until the end", "HTTP/1.1 500 Oops\r\nConnection: close\r\n\r\nsome words", "some words", 1},
	{"until the end, none", "HTTP/1.1 500 Oops\r\n\r\n", "", 1},
	{"less than promised", "HTTP/1.1 403 No\r\nContent-Length: 50\r\n\r\nshort", "short", 1},
	{"chunked",
	 "HTTP/1.1 502 Bad\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n",
	 "abc0123456789", 0},
	{"chunked, a trailer",
	 "HTTP/1.1 502 Bad\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\nrest", "abc", 0},
	{"chunked, cut", "HTTP/1.1 502 Bad\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n8\r\nde", "abcde", 1},
	{"no chunk", "HTTP/1.1 502 Bad\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc", "", 0},
	{"204", "HTTP/1.1 204 None\r\n\r\n", "", 0},
	{"304", "HTTP/1.1 304 Same\r\nContent-Length: 9\r\n\r\n", "", 0},
	{"behind an interim answer", "HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 400 Bad\r\nContent-Length: 2\r\n\r\nno", "no",
	 0},
};
/* clang-format on */

static void run_refusal(const struct refusal *a, const void *in, size_t in_len, const struct how *h, int cut)
{
	struct ws_options o;
	struct ws_io io;
	struct fake f;
	struct ws *ws;
	const struct ws_report *info;
	int r, ok;

	fake_init(&f, in, in_len);
	set_options(&f, h, &o, &io);
	ws = ws_new(URL, &o);
	REPEAT(r, &f, ws, h->nonblock, ws_open(ws));
	info = ws_info(ws);
	ok = strlen(info->body) == info->body_len;
	if (r == WS_EHTTP) {
		ok &= info->head_len > 0 && strncmp(info->head, "HTTP/1.1 ", 9) == 0
		      && strcmp(info->head + info->head_len - 4, "\r\n\r\n") == 0 && info->phase == WS_UPGRADE
		      && info->http_status == atoi(info->head + 9);
		ok &= cut ? starts(a->body, info->body) : strcmp(info->body, a->body) == 0;
	} else {
		ok &= cut && r == WS_ECLOSED;
	}
	/* silence behind what is whole costs nothing, behind what is not a second */
	ok &= h->end ? f.now == 1000000 : f.now == 1000000 + (a->needs_end ? WS_MAX_BODY_WAIT_MS * 1000 : 0);
	if (!ok)
		fprintf(stderr, "%s: %d, body \"%s\", %ld us\n", a->name, r, info->body, (long)f.now - 1000000);
	CHECK(ok);
	ws_free(ws);
	check_clean(&f);
	fake_free(&f);
}

static void test_refused(void)
{
	size_t i, k;
	int b;

	for (i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		const struct refusal *a = &refusals[i];
		size_t n = strlen(a->bytes);

		for (b = 0; b < 8; b++) {
			struct how h;

			memset(&h, 0, sizeof h);
			h.end = b & 4 ? 0 : WS_IO_EOF;
			h.nonblock = b & 1;
			h.recv_buffer = b & 2 ? 256 : 0;
			run_refusal(a, a->bytes, n, &h, 0);
			h.step = 1;
			run_refusal(a, a->bytes, n, &h, 0);
			h.step = 0;
			for (k = 1; k < n; k++) {
				h.split = k;
				run_refusal(a, a->bytes, n, &h, 0);
			}
			h.split = 0;
			for (k = 0; k < n && h.end; k++)
				run_refusal(a, a->bytes, k, &h, 1);
		}
	}
	/* of a long body the first KiB, and no more of it is read than that needs */
	for (b = 0; b < 4; b++) {
		struct script s = {NULL, 0, 0};
		struct ws_options o;
		struct ws_io io;
		struct fake f;
		struct ws *ws;

		script_str(&s, b & 1 ? "HTTP/1.1 404 x\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n"
		                     : "HTTP/1.1 404 x\r\n\r\n");
		while (s.len < 100000)
			script_byte(&s, 'x');
		fake_init(&f, s.p, s.len);
		fake_options(&f, &o, &io);
		f.step = b & 2 ? 1000 : 0;
		ws = ws_new(URL, &o);
		CHECK_EQ_U(ws_open(ws), WS_EHTTP);
		CHECK_EQ_U(ws_info(ws)->body_len, WS_MAX_BODY);
		CHECK_EQ_U(strlen(ws_info(ws)->body), WS_MAX_BODY);
		CHECK(f.pos <= 17000);
		ws_free(ws);
		check_clean(&f);
		fake_free(&f);
		script_free(&s);
	}
	/* a body that dribbles is given up after a second, or at the deadline, and is still a refusal */
	for (b = 0; b < 3; b++) {
		struct ws_options o;
		struct ws_io io;
		struct fake f;
		struct ws *ws;
		static const char in[] = "HTTP/1.1 404 x\r\n\r\n0123456789012345678901234567890123456789";

		fake_init(&f, in, sizeof in - 1);
		fake_options(&f, &o, &io);
		f.split = strlen("HTTP/1.1 404 x\r\n\r\n");
		f.step = 1;
		f.gap_us = 100000;
		o.timeout_ms = b == 1 ? 500 : 0;
		o.connect_timeout_ms = b == 2 ? 300 : 0;
		ws = ws_new(URL, &o);
		CHECK_EQ_U(ws_open(ws), WS_EHTTP);
		CHECK_EQ_U(f.now - 1000000, b == 0 ? 1000000 : b == 1 ? 500000 : 300000);
		CHECK(ws_info(ws)->body_len
		          == (b == 0   ? 9u
		              : b == 1 ? 4u
		                       : 2u)
		      || ws_info(ws)->body_len
		             == (b == 0   ? 10u
		                 : b == 1 ? 5u
		                          : 3u));
		ws_free(ws);
		check_clean(&f);
		fake_free(&f);
	}
}

/* An open connection over a fake transport, whose peer has nothing more to say than rest */
struct talk {
	struct fake f;
	struct ws_options o;
	struct ws_io io;
	struct script s;
	struct ws *ws;
	size_t at; /* in f.out, behind what was looked at */
};

static void talk_begin(struct talk *t, const void *rest, size_t len)
{
	memset(t, 0, sizeof *t);
	script_str(&t->s, FAKE_101);
	script_put(&t->s, rest, len);
	fake_init(&t->f, t->s.p, t->s.len);
	fake_options(&t->f, &t->o, &t->io);
	t->f.split = HEAD_LEN;
}

static void talk_open(struct talk *t)
{
	int r;

	t->ws = ws_new(URL, &t->o);
	REPEAT(r, &t->f, t->ws, t->o.nonblock, ws_open(t->ws));
	CHECK_EQ_U(r, 0);
	t->at = fake_request_end(&t->f);
}

/* The next frame that the client sent: its first byte, 0 if there is none */
static unsigned talk_sent(struct talk *t, unsigned char **p, size_t *len)
{
	unsigned char key[4];
	unsigned b0;

	return fake_frame(&t->f, &t->at, &b0, p, len, key) ? b0 : 0;
}

static void talk_expect(struct talk *t, unsigned b0, const void *payload, size_t len, int line)
{
	unsigned char *p = NULL;
	size_t n = 0;
	unsigned got = talk_sent(t, &p, &n);

	if (got != b0)
		fprintf(stderr, "test_ws.c:%d: frame 0x%02x, not 0x%02x\n", line, got, b0);
	if (CHECK(got == b0) && got)
		CHECK_EQ_MEM(p, n, payload, len);
}
#define SENT(t, b0, payload, len) talk_expect(t, b0, payload, len, __LINE__)
#define SENT_ALL(t)                                                                                                    \
	do {                                                                                                           \
		unsigned char *p_;                                                                                     \
		size_t n_;                                                                                             \
		CHECK_EQ_U(talk_sent(t, &p_, &n_), 0);                                                                 \
		CHECK_EQ_U((t)->at, (t)->f.out_len);                                                                   \
	} while (0)

static void talk_end(struct talk *t)
{
	ws_free(t->ws);
	check_clean(&t->f);
	fake_free(&t->f);
	script_free(&t->s);
}

/* The server says more */
static void talk_more(struct talk *t, const void *p, size_t len)
{
	script_put(&t->s, p, len);
	t->f.in = t->s.p;
	t->f.in_len = t->s.len;
}

static void test_pings(void)
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
		/* before ws_ping pongs are dropped; after it they come */
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
		/* a ping of 125 bytes gets them back */
		script_frame(&t.s, 0x89, payload, 125);
		talk_more(&t, "\x82\x00", 2);
		REPEAT(r, &t.f, t.ws, nonblock, ws_recv(t.ws, &msg));
		CHECK_EQ_U(r, 0);
		SENT(&t, 0x8a, payload, 125);
		/* between the fragments of a message, not within one */
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

/* A peer that pings and never reads: what waits for it is bounded, and the last ping is answered (RFC 6455 5.5.3) */
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
		t.f.room = 300; /* the request, and no more */
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
			ws_timeout(t.ws, 5); /* what is taken goes out in later calls */
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

/* Bytes of every sent frame of a message, and what begins and ends it */
static void collect_message(struct talk *t, unsigned type, struct script *out, size_t *frames)
{
	unsigned char *p;
	size_t n;
	unsigned b0;

	*frames = 0;
	do {
		b0 = talk_sent(t, &p, &n);
		if (!CHECK(b0 != 0 && (b0 & 0x0f) == (*frames ? 0 : type)))
			return;
		script_put(out, p, n);
		++*frames;
	} while (b0 && !(b0 & 0x80));
}

/* A transport that takes a few bytes at a time: everything arrives, once, in order; a resumed frame is one frame */
static void test_short_writes(void)
{
	static const size_t takes[] = {1, 3, 13, 100, 255, 256, 257, 4095, 4096, 5000};
	static const size_t lengths[] = {0,   1,   5,   125,  126,  200,  237,  238,   241,  242,
	                                 243, 256, 300, 4076, 4082, 4083, 4096, 10000, 70000};
	size_t i, k, sent, frames;
	unsigned char *data = malloc(70000);
	int mode;

	for (i = 0; i < 70000; i++)
		data[i] = (unsigned char)(i * 31 + i / 251);
	for (mode = 0; mode < 8; mode++) { /* 1: not to wait; 2: a small buffer; 4: every wait is interrupted */
		for (i = 0; i < sizeof takes / sizeof takes[0]; i++) {
			for (k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
				struct talk t;
				struct script got = {NULL, 0, 0};
				size_t len = lengths[k];
				ptrdiff_t n;
				int r;

				if (takes[i] < 10 && len > 11000)
					continue;
				talk_begin(&t, "", 0);
				t.o.nonblock = mode & 1;
				t.o.send_buffer = mode & 2 ? 256 : 0;
				t.o.timeout_ms = -1;
				talk_open(&t);
				t.f.room = 0;
				t.f.drain = takes[i];
				t.f.drain_us = 10;
				t.f.wake_us = mode & 4 ? 4 : 0;
				for (sent = 0, n = 0; sent < len || n < 0 || len == 0; sent += n > 0 ? (size_t)n : 0) {
					n = ws_send(t.ws, WS_BINARY, data + sent, len - sent);
					if (n < 0 && n != WS_AGAIN)
						break;
					if (!t.o.nonblock) {
						CHECK_EQ_U(n, len); /* it may wait, and nobody needs to be read */
						if (n != (ptrdiff_t)len)
							break;
					}
					if (len == 0 && n == 0)
						break;
					if (t.o.nonblock) { /* as ws_wants says: while sending, ws_recv and ws_send */
						struct ws_msg msg;

						CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
						if (n < 0 || sent + (size_t)n < len)
							fake_poll(&t.f, t.ws);
					}
					if (t.f.hung)
						break;
				}
				CHECK(n >= 0);
				if (t.o.nonblock) { /* what is taken goes out in later calls */
					struct ws_msg msg;

					do {
						CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
						if (t.f.room == 0)
							t.f.room = t.f.drain;
					} while (t.f.out_len < t.at + len
					                           + (len < 126     ? 6
					                              : len < 65536 ? 8
					                                            : 14)
					         && t.f.ios < 10000000);
				}
				collect_message(&t, 2, &got, &frames);
				CHECK_EQ_U(frames, 1);
				CHECK(got.len == len && (len == 0 || memcmp(got.p, data, len) == 0));
				SENT_ALL(&t);
				/* the next message finds its place */
				t.f.room = t.f.drain = SIZE_MAX;
				r = (int)ws_send(t.ws, WS_TEXT, "next", 4);
				CHECK_EQ_U(r, 4);
				SENT(&t, 0x81, "next", 4);
				SENT_ALL(&t);
				talk_end(&t);
				script_free(&got);
			}
		}
	}
	free(data);
}

static void test_send(void)
{
	struct talk t;
	struct ws_msg msg;
	unsigned char *p, keys[1000][4];
	unsigned b0, i, k, same = 0;
	size_t n;

	/* fragments, also of no known length and empty; text split within a character */
	talk_begin(&t, "", 0);
	talk_open(&t);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT | WS_MORE, "a\xc3", 2), 2);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT | WS_MORE, "", 0), 0);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT | WS_MORE, NULL, 0), 0);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "\xa9", 1), 1);
	CHECK_EQ_U(ws_send(t.ws, WS_BINARY | WS_MORE, "\xff", 1), 1);
	CHECK_EQ_U(ws_send(t.ws, WS_BINARY, "\xc3", 1), 1); /* which no text goes on with */
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT, NULL, 0), 0);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "\xf0\x9f\x98\x80", 4), 4);
	SENT(&t, 0x01, "a\xc3", 2);
	SENT(&t, 0x00, "", 0);
	SENT(&t, 0x00, "", 0);
	SENT(&t, 0x80, "\xa9", 1);
	SENT(&t, 0x02, "\xff", 1);
	SENT(&t, 0x80, "\xc3", 1);
	SENT(&t, 0x81, "", 0);
	SENT(&t, 0x81, "\xf0\x9f\x98\x80", 4);
	SENT_ALL(&t);
	talk_end(&t);

	/* misuse is told, sends nothing and harms nothing */
	talk_begin(&t,
	           "\x81\x01"
	           "a",
	           3);
	t.o.nonblock = 1;
	talk_open(&t);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "\xff", 1), WS_EUSAGE);
	CHECK(strstr(ws_error(t.ws), "UTF-8") != NULL);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "\xc3", 1), WS_EUSAGE);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "\xed\xa0\x80", 3), WS_EUSAGE);
	CHECK_EQ_U(ws_send(t.ws, 0, "a", 1), WS_EUSAGE);
	CHECK_EQ_U(ws_send(t.ws, WS_MORE, "a", 1), WS_EUSAGE);
	CHECK_EQ_U(ws_send(t.ws, WS_PONG, "a", 1), WS_EUSAGE);
	CHECK_EQ_U(ws_send(t.ws, 8, "a", 1), WS_EUSAGE);
	CHECK_EQ_U(ws_send(t.ws, -1, "a", 1), WS_EUSAGE);
	CHECK_EQ_U(ws_send(t.ws, 0x201, "a", 1), WS_EUSAGE);
	CHECK_EQ_U(ws_send(t.ws, WS_BINARY, "a", (size_t)PTRDIFF_MAX + 1), WS_EUSAGE);
	CHECK_EQ_U(ws_info(t.ws)->err, 0);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT | WS_MORE, "b\xc3", 2), 2);
	CHECK_EQ_U(ws_send(t.ws, WS_BINARY, "a", 1), WS_EUSAGE);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "a", 1), WS_EUSAGE); /* not what the character goes on with */
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "", 0), WS_EUSAGE);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "\xa9", 1), 1);
	/* the rest of a frame is that rest and nothing else */
	t.f.room = 10;
	t.f.drain = 0;
	{
		static unsigned char big[9000];
		ptrdiff_t r = ws_send(t.ws, WS_BINARY, big, sizeof big);
		size_t rest;

		CHECK(r > 0 && r < 9000);
		rest = sizeof big - (size_t)r;
		CHECK_EQ_U(ws_send(t.ws, WS_BINARY, big, rest - 1), WS_EUSAGE);
		CHECK_EQ_U(ws_send(t.ws, WS_BINARY, big, rest + 1), WS_EUSAGE);
		CHECK_EQ_U(ws_send(t.ws, WS_BINARY | WS_MORE, big, rest), WS_EUSAGE);
		CHECK_EQ_U(ws_send(t.ws, WS_TEXT, big, rest), WS_EUSAGE);
		CHECK_EQ_U(ws_ping(t.ws, "", 0), WS_AGAIN);
		CHECK_EQ_U(ws_send(t.ws, WS_BINARY, big, rest), WS_AGAIN);
		t.f.room = t.f.drain = SIZE_MAX;
		CHECK_EQ_U(ws_send(t.ws, WS_BINARY, big, rest), rest);
		SENT(&t, 0x01, "b\xc3", 2);
		SENT(&t, 0x80, "\xa9", 1);
		SENT(&t, 0x82, big, sizeof big);
		SENT_ALL(&t);
	}
	CHECK_EQ_U(ws_ping(t.ws, "", 0), 0);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
	fake_poll(&t.f, t.ws);
	CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
	CHECK_EQ_MEM(msg.data, msg.len, "a", 1);
	talk_end(&t);

	/* unchecked text is sent as it is */
	talk_begin(&t, "", 0);
	t.o.no_utf8_check = 1;
	talk_open(&t);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "\xff", 1), 1);
	SENT(&t, 0x81, "\xff", 1);
	talk_end(&t);

	/* a new mask for every frame: RFC 6455 5.3 */
	talk_begin(&t, "", 0);
	t.f.nonce = NULL;
	t.ws = ws_new(URL, &t.o);
	CHECK_EQ_U(ws_open(t.ws), WS_EHANDSHAKE); /* FAKE_ACCEPT is for another key */
	talk_end(&t);
	talk_begin(&t, "", 0);
	talk_open(&t);
	t.f.nonce = NULL; /* pseudo-random from the next time on */
	for (i = 0; i < 1000; i++)
		CHECK_EQ_U(ws_send(t.ws, WS_BINARY, &i, i % 3), i % 3);
	for (i = 0; i < 1000; i++) {
		CHECK(fake_frame(&t.f, &t.at, &b0, &p, &n, keys[i]));
		for (k = 16; k < i; k++)
			same += memcmp(keys[k], keys[i], 4) == 0;
	}
	CHECK_EQ_U(same, 0);
	CHECK(t.f.entropy_calls > 10 && t.f.entropy_calls < 200); /* a pool: not one call for each frame */
	talk_end(&t);
}

/* Before and after a connection is open */
static void test_states(void)
{
	struct talk t;
	struct ws_msg msg;
	int r;

	talk_begin(&t,
	           "\x81\x01"
	           "a\x88\x02\x03\xe8",
	           7);
	t.o.nonblock = 1;
	t.ws = ws_new(URL, &t.o);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_EUSAGE);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "a", 1), WS_EUSAGE);
	CHECK_EQ_U(ws_ping(t.ws, "a", 1), WS_EUSAGE);
	CHECK_EQ_U(t.f.ios, 0);
	REPEAT(r, &t.f, t.ws, 1, ws_open(t.ws));
	CHECK_EQ_U(r, 0);
	REPEAT(r, &t.f, t.ws, 1, ws_recv(t.ws, &msg));
	CHECK_EQ_U(r, 0);
	REPEAT(r, &t.f, t.ws, 1, ws_close(t.ws, 4000, "bye"));
	CHECK_EQ_U(r, 0);
	CHECK_EQ_U(ws_info(t.ws)->close_code, 1000);
	CHECK(ws_recv(t.ws, &msg) < 0);
	CHECK(ws_send(t.ws, WS_TEXT, "a", 1) < 0);
	CHECK(ws_ping(t.ws, "a", 1) < 0);
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL), 0); /* again */
	t.at = fake_request_end(&t.f);
	SENT(&t, 0x88,
	     "\x0f\xa0"
	     "bye",
	     5);
	SENT_ALL(&t);
	talk_end(&t);

	/* between ws_close and the peer's answer nothing is sent any more */
	talk_begin(&t, "", 0);
	t.o.nonblock = 1;
	talk_open(&t);
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL), WS_AGAIN);
	CHECK_EQ_U(ws_info(t.ws)->phase, WS_CLOSING);
	CHECK(ws_send(t.ws, WS_TEXT, "a", 1) < 0);
	CHECK(ws_ping(t.ws, "a", 1) < 0);
	talk_more(&t, "\x89\x01p\x01\x05Hello\x89\x00\x00\x03xyz\x88\x02\x03\xe9", 21);
	fake_poll(&t.f, t.ws);
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL), 0);
	CHECK_EQ_U(ws_info(t.ws)->close_code, 1001);
	CHECK_EQ_U(ws_info(t.ws)->phase, WS_DONE);
	SENT(&t, 0x88, "\x03\xe8", 2); /* 5.5.1: and nothing after it */
	SENT_ALL(&t);
	talk_end(&t);

	/* free at any time */
	for (r = 0; r < 4; r++) {
		talk_begin(&t, "\x01\x05He", 4);
		t.o.nonblock = 1;
		t.ws = ws_new(URL, &t.o);
		if (r > 0)
			CHECK_EQ_U(ws_open(t.ws), WS_AGAIN);
		if (r > 1) {
			fake_poll(&t.f, t.ws);
			CHECK_EQ_U(ws_open(t.ws), 0);
		}
		if (r > 2)
			CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
		talk_end(&t);
	}
	ws_free(NULL);
	/* a transport that the program closes itself */
	talk_begin(&t, "", 0);
	t.io.io_close = NULL;
	talk_open(&t);
	ws_free(t.ws);
	CHECK_EQ_U(t.f.closes, 0);
	fake_free(&t.f);
	script_free(&t.s);
}

static void test_close_out(void)
{
	static const char r123[] = SIXTY SIXTY "abc", r124[] = SIXTY SIXTY "abcd";
	struct talk t;
	int c;

	for (c = -2; c <= 5100; c += c < 995 || (c > 1020 && c < 2990) || (c > 3005 && c < 4990) ? 5 : 1) {
		talk_begin(&t, "", 0);
		talk_open(&t);
		talk_more(&t, "\x88\x00", 2);
		CHECK_EQ_U(ws_close(t.ws, c, NULL), c == 0 || (c > 0 && code_ok((unsigned)c)) ? 0 : WS_EUSAGE);
		if (c == 0 || (c > 0 && code_ok((unsigned)c))) {
			unsigned char want[2];

			want[0] = (unsigned char)(c >> 8);
			want[1] = (unsigned char)c;
			SENT(&t, 0x88, want, c ? 2 : 0);
			CHECK_EQ_U(ws_info(t.ws)->close_code, 1005);
		} else {
			CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "on", 2), 2); /* it is open still */
			SENT(&t, 0x81, "on", 2);
		}
		SENT_ALL(&t);
		talk_end(&t);
	}
	talk_begin(&t, "", 0);
	talk_open(&t);
	CHECK_EQ_U(ws_close(t.ws, 0, "why"), WS_EUSAGE);
	CHECK_EQ_U(ws_close(t.ws, 65536 + 1000, NULL), WS_EUSAGE);
	CHECK_EQ_U(ws_close(t.ws, INT_MAX, NULL), WS_EUSAGE);
	CHECK_EQ_U(ws_close(t.ws, INT_MIN, NULL), WS_EUSAGE);
	CHECK_EQ_U(ws_close(t.ws, 1000, "\xff"), WS_EUSAGE);
	CHECK_EQ_U(ws_close(t.ws, 1000, "\xc3"), WS_EUSAGE);
	CHECK_EQ_U(ws_close(t.ws, 1000, r124), WS_EUSAGE);
	talk_more(&t, "\x88\x02\x03\xe8", 4);
	CHECK_EQ_U(ws_close(t.ws, 1000, r123), 0);
	SENT(&t, 0x88, "\x03\xe8" SIXTY SIXTY "abc", 125);
	SENT_ALL(&t);
	talk_end(&t);

	/* a violation while a frame of ours is under way: nothing is written any more, and nothing waits for that */
	for (c = 0; c < 4; c++) {
		static char data[9000];
		struct ws_msg msg;
		unsigned long waits = 0;
		int r;

		talk_begin(&t, "", 0);
		t.o.nonblock = c & 1;
		talk_open(&t);
		t.f.room = 100;
		t.f.drain = 0;
		ws_timeout(t.ws, 10);
		CHECK(ws_send(t.ws, WS_BINARY, data, sizeof data) > 0);
		ws_timeout(t.ws, 5000);
		talk_more(&t, "\xc1\x00", 2);
		REPEAT(r, &t.f, t.ws, 1, ws_recv(t.ws, &msg));
		CHECK_EQ_U(r, WS_EPROTOCOL);
		t.f.room = t.f.drain = SIZE_MAX;
		t.f.deaf_after = c & 2 ? 1 : 0;
		t.f.waits = 0;
		while ((r = ws_close(t.ws, 1000, NULL)) == WS_AGAIN && ++waits < 1000)
			fake_poll(&t.f, t.ws);
		CHECK(r == WS_ETIMEOUT || r == WS_EPROTOCOL);
		CHECK(t.f.waits < 20);
		talk_end(&t);
	}

	/* a violation is told in words, with the peer and the code */
	for (c = 0; c < 3; c++) {
		struct ws_msg msg;

		talk_begin(&t,
		           c == 0   ? "\xc1\x00"
		           : c == 1 ? "\x81\x01\xff"
		                    : "\x82\x03"
		                      "abc",
		           c == 0   ? 2
		           : c == 1 ? 3
		                    : 5);
		t.o.max_message = 2;
		t.f.end = WS_IO_EOF;
		talk_open(&t);
		CHECK(ws_recv(t.ws, &msg) < 0);
		CHECK(strstr(ws_error(t.ws), c == 0 ? "protocol error" : c == 1 ? "UTF-8" : "max_message") != NULL);
		CHECK(strstr(ws_error(t.ws), c == 0 ? "1002" : c == 1 ? "1007" : "1009") != NULL);
		CHECK(strstr(ws_error(t.ws), "server.example.com:80") != NULL);
		talk_end(&t);
	}

	/* in the middle of a message of ours, of the peer's */
	talk_begin(&t, "\x01\x02He\x00\x02ll\x80\x01o\x88\x00", 14);
	t.f.step = 3;
	talk_open(&t);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT | WS_MORE, "a", 1), 1);
	CHECK_EQ_U(ws_close(t.ws, 1001, ""), 0);
	SENT(&t, 0x01, "a", 1);
	SENT(&t, 0x88, "\x03\xe9", 2);
	SENT_ALL(&t);
	talk_end(&t);

	/* the peer breaks the rules, or hangs up, while we close */
	talk_begin(&t, "", 0);
	talk_open(&t);
	talk_more(&t, "\x81\x02ok\xc1\x00", 6);
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL), WS_EPROTOCOL);
	SENT(&t, 0x88, "\x03\xe8", 2);
	SENT_ALL(&t); /* one close frame, not two */
	talk_end(&t);
	talk_begin(&t, "", 0);
	talk_open(&t);
	t.f.end = WS_IO_EOF;
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL), WS_ECLOSED);
	CHECK_EQ_U(ws_info(t.ws)->close_code, 1006);
	talk_end(&t);
	talk_begin(&t, "", 0);
	talk_open(&t);
	t.f.end = WS_IO_RESET;
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL), WS_ERESET);
	CHECK_EQ_U(ws_info(t.ws)->close_code, 1006);
	talk_end(&t);
	/* messages over the limit are only discarded while we close */
	talk_begin(&t, "", 0);
	t.o.max_message = 2;
	talk_open(&t);
	talk_more(&t, "\x82\x05Hello\x81\x01\xff\x88\x02\x03\xe8", 14);
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL), 0);
	talk_end(&t);
	/* never a close: until the deadline */
	talk_begin(&t, "", 0);
	talk_open(&t);
	ws_timeout(t.ws, 1000);
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL), WS_ETIMEOUT);
	CHECK_EQ_U(t.f.now, 2000000);
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL), WS_ETIMEOUT);
	ws_timeout(t.ws, 1000);
	talk_more(&t, "\x88\x00", 2);
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL), 0);
	SENT(&t, 0x88, "\x03\xe8", 2);
	SENT_ALL(&t);
	talk_end(&t);
	/* after a violation: until the peer's end of file, or the deadline */
	talk_begin(&t, "\xc1\x00", 2);
	talk_open(&t);
	{
		struct ws_msg msg;

		CHECK_EQ_U(ws_recv(t.ws, &msg), WS_EPROTOCOL);
		CHECK_EQ_U(ws_close(t.ws, 1000, NULL), WS_ETIMEOUT);
		CHECK_EQ_U(t.f.now, 11000000);
		ws_timeout(t.ws, 1000);
		t.f.end = WS_IO_EOF;
		CHECK_EQ_U(ws_close(t.ws, 1000, NULL), WS_EPROTOCOL);
		CHECK_EQ_U(t.f.now, 11000000);
	}
	talk_end(&t);
}

/* A full send buffer, a peer that wants to be read first: blocking calls get through */
static void test_close_when_full(void)
{
	struct talk t;
	static char data[4080];
	struct ws_msg msg;
	ptrdiff_t n;
	int k, r;

	for (k = 0; k < 3; k++) {
		talk_begin(&t, "", 0);
		talk_open(&t);
		t.f.room = 0; /* it reads only once all of its own is read */
		t.f.drain = SIZE_MAX;
		t.f.drain_us = 10000;
		talk_more(&t,
		          "\x82\x03"
		          "abc\x82\x03"
		          "def\x88\x02\x03\xe8",
		          k == 1 ? 10 : 14);
		t.f.gap_us = 100;
		t.f.step = 1;
		n = ws_send(t.ws, WS_BINARY, data, sizeof data);
		CHECK_EQ_U(n, sizeof data);
		if (k == 0) {
			CHECK_EQ_U(ws_close(t.ws, 1000, NULL), 0);
		} else if (k == 1) {
			while ((r = ws_ping(t.ws, "p", 1)) == WS_AGAIN) /* the peer wants to be read first */
				CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
			CHECK_EQ_U(r, 0);
		} else {
			for (r = 0; r < 2; r++)
				CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
			CHECK_EQ_U(ws_recv(t.ws, &msg), WS_ECLOSED); /* whose echo must find its place */
			CHECK_EQ_U(ws_close(t.ws, 1000, NULL), 0);
		}
		SENT(&t, 0x82, data, sizeof data);
		if (k == 1)
			SENT(&t, 0x89, "p", 1);
		else
			SENT(&t, 0x88, "\x03\xe8", 2);
		SENT_ALL(&t);
		talk_end(&t);
	}

	/* RFC 6455 5.5.2: a ping that could not be answered yet is, before we close */
	for (k = 0; k < 4; k++) {
		talk_begin(&t, "", 0);
		t.o.nonblock = k & 1;
		talk_open(&t);
		t.f.room = 0;
		t.f.drain = 0;
		if (k & 2)
			CHECK_EQ_U(ws_send(t.ws, WS_BINARY, data, sizeof data), sizeof data);
		ws_timeout(t.ws, 5000);
		talk_more(&t,
		          "\x89\x01"
		          "1"
		          "\x89\x01"
		          "2"
		          "\x89\x04"
		          "last"
		          "\x82\x01"
		          "m",
		          15);
		REPEAT(r, &t.f, t.ws, 1, ws_recv(t.ws, &msg));
		CHECK_EQ_U(r, 0);
		ws_timeout(t.ws, 5000);
		CHECK_EQ_U(ws_close(t.ws, 1000, "enough"), t.o.nonblock ? WS_AGAIN : WS_ETIMEOUT);
		t.f.room = t.f.drain = SIZE_MAX;
		ws_timeout(t.ws, 5000);
		talk_more(&t, "\x88\x02\x03\xe8", 4);
		REPEAT(r, &t.f, t.ws, 1, ws_close(t.ws, 1000, NULL));
		CHECK_EQ_U(r, 0);
		if (k & 2)
			SENT(&t, 0x82, data, sizeof data);
		else
			SENT(&t, 0x8a, "1", 1);
		SENT(&t, 0x8a, "last", 4);
		SENT(&t, 0x88,
		     "\x03\xe8"
		     "enough",
		     8);
		SENT_ALL(&t);
		talk_end(&t);
	}
}

static struct ws_pollset wants(const struct talk *t)
{
	struct ws_pollset set;

	memset(&set, 0xee, sizeof set);
	ws_wants(t->ws, &set);
	return set;
}

/* Nobody waits for what is there already, or will never come */
static int writes_refused; /* so many io_write say WS_IO_WRITE, whatever there is room for; < 0: all say WS_IO_ERROR */

static ptrdiff_t refusing_write(void *io, const void *buf, size_t len)
{
	if (writes_refused < 0)
		return WS_IO_ERROR;
	if (writes_refused > 0) {
		writes_refused--;
		return WS_IO_WRITE;
	}
	return fake_write(io, buf, len);
}

static void talk_open_refusing(struct talk *t, int nonblock, int refused)
{
	talk_begin(t, "", 0);
	t->o.nonblock = nonblock;
	t->io.io_write = refusing_write;
	writes_refused = 0;
	talk_open(t);
	writes_refused = refused;
}

static void test_needless_waits(void)
{
	static const char data[20000];
	struct ws_pollset set;
	struct ws_msg msg;
	struct talk t;
	ptrdiff_t n;
	int k, r;

	/* with a ws_send or a ws_ping that was refused, once the peer reads on */
	for (k = 0; k < 2; k++) {
		talk_begin(&t, "", 0);
		t.o.send_buffer = 256;
		talk_open(&t);
		t.f.room = t.f.drain = 0;
		talk_more(&t, "\x89\x01p", 3);
		CHECK_EQ_U(ws_send(t.ws, WS_BINARY, data, 200), 200);
		talk_more(&t, "\x89\x01q", 3);
		CHECK_EQ_U(k ? ws_ping(t.ws, data, 100) : ws_send(t.ws, WS_BINARY, data, 200), WS_AGAIN);
		t.f.room = t.f.drain = SIZE_MAX;
		CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
		CHECK_EQ_U(t.f.now, 1000000);
		/* who gives it up waits then; who has sent it, too */
		t.f.gap_us = 500;
		talk_more(&t, "\x82\x01m", 3);
		CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
		CHECK_EQ_U(ws_send(t.ws, WS_BINARY, data, 200), 200);
		talk_more(&t, "\x82\x01m", 3);
		CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
		SENT(&t, 0x82, data, 200);
		SENT(&t, 0x8a, "p", 1);
		SENT(&t, 0x8a, "q", 1);
		SENT(&t, 0x82, data, 200);
		SENT_ALL(&t);
		talk_end(&t);
	}

	/* for the peer that has closed, once the echo is written */
	for (k = 0; k < 2; k++) {
		talk_open_refusing(&t, k, 2);
		talk_more(&t, "\x88\x02\x03\xe8", 4);
		REPEAT(r, &t.f, t.ws, k, ws_recv(t.ws, &msg));
		CHECK_EQ_U(r, WS_ECLOSED);
		REPEAT(r, &t.f, t.ws, k, ws_close(t.ws, 1000, NULL));
		CHECK_EQ_U(r, 0);
		CHECK_EQ_U(t.f.now, 1000000);
		SENT(&t, 0x88, "\x03\xe8", 2);
		SENT_ALL(&t);
		talk_end(&t);
	}

	/* a transport's error is no reset */
	for (k = 0; k < 2; k++) {
		talk_open_refusing(&t, k, -1);
		n = ws_send(t.ws, WS_BINARY, data, 1);
		if (n == WS_AGAIN)
			n = ws_recv(t.ws, &msg);
		CHECK_EQ_U(n, WS_EIO);
		CHECK(strstr(ws_error(t.ws), "input/output error") != NULL);
		talk_end(&t);
	}

	/* with a frame unfinished, and no random bytes for a pong behind it */
	talk_begin(&t, "", 0);
	talk_open(&t);
	for (k = 0; k < 11; k++)
		CHECK_EQ_U(ws_send(t.ws, WS_BINARY, "x", 1), 1);
	t.f.room = 1000;
	t.f.drain = SIZE_MAX;
	talk_more(&t, "\x89\x01p", 3);
	n = ws_send(t.ws, WS_BINARY, data, sizeof data);
	CHECK(n > 0 && n < (ptrdiff_t)sizeof data);
	t.f.entropy_calls_left = 0;
	t.f.room = 0;
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
	ws_send(t.ws, WS_BINARY, data, sizeof data - (size_t)n);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_EENTROPY);
	CHECK_EQ_U(t.f.now, 1000000);
	talk_end(&t);

	/* a deadline that the program set anew is told from then on */
	talk_begin(&t, "", 0);
	talk_open(&t);
	t.f.now += FAKE_FOREVER;
	ws_timeout(t.ws, 500);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_ETIMEOUT);
	CHECK(strstr(ws_error(t.ws), "after 500 ms") != NULL);
	talk_end(&t);

	/* there is nothing to poll before ws_open */
	t.ws = ws_new("ws://127.0.0.1:9/", NULL);
	set = wants(&t);
	CHECK(set.n == 0 && set.fd[0].fd == -1 && set.timeout_ms == 0);
	ws_free(t.ws);
}

#ifndef WS_NO_NET
/* Both ends of a real socket pair send 8 MiB before they read */

#define BIG ((size_t)8 << 20)
struct far_end {
	int fd, echo, ok;
	size_t piece;
};

static int put_all(int fd, const void *p, size_t len)
{
	const char *s = p;

	while (len) {
		ssize_t n = send(fd, s, len, MSG_NOSIGNAL);

		if (n < 0)
			return -1;
		s += n;
		len -= (size_t)n;
	}
	return 0;
}

static int get_all(int fd, void *p, size_t len)
{
	char *s = p;

	while (len) {
		ssize_t n = recv(fd, s, len, 0);

		if (n <= 0)
			return -1;
		s += n;
		len -= (size_t)n;
	}
	return 0;
}

static unsigned char pattern(size_t i)
{
	return (unsigned char)(i * 131 + i / 977);
}

/* A server: answers the handshake; then sends a message of BIG bytes before it reads one, or echoes one in small pieces
 * as it comes, reading and writing by turns */
static void *far_end_run(void *arg)
{
	struct far_end *e = arg;
	unsigned char head[14], *data = malloc(BIG);
	char request[2000];
	size_t have = 0, i, n;

	while (have < 4 || memcmp(request + have - 4, "\r\n\r\n", 4) != 0)
		if (have == sizeof request || get_all(e->fd, request + have++, 1) < 0)
			goto out;
	put_all(e->fd, FAKE_101, HEAD_LEN);
	for (i = 0; i < BIG; i++)
		data[i] = pattern(i + 5);
	if (!e->echo
	    && (put_all(e->fd, "\x82\x7f\x00\x00\x00\x00\x00\x80\x00\x00", 10) < 0 || put_all(e->fd, data, BIG) < 0))
		goto out;
	if (get_all(e->fd, head, 14) < 0 || memcmp(head, "\x82\xff\x00\x00\x00\x00\x00\x80\x00\x00", 10) != 0)
		goto out;
	if (e->echo)
		put_all(e->fd, "\x82\x7f\x00\x00\x00\x00\x00\x80\x00\x00", 10);
	for (i = 0; i < BIG; i += n) {
		n = BIG - i < e->piece ? BIG - i : e->piece;
		if (get_all(e->fd, data + i, n) < 0)
			goto out;
		for (have = i; have < i + n; have++)
			data[have] ^= head[10 + have % 4];
		if (e->echo && put_all(e->fd, data + i, n) < 0)
			goto out;
	}
	for (i = 0; i < BIG && data[i] == pattern(i); i++)
		;
	e->ok = i == BIG;
	if (get_all(e->fd, head, 8) == 0) /* the close frame */
		put_all(e->fd, "\x88\x02\x03\xe8", 4);
out:
	free(data);
	close(e->fd);
	return NULL;
}

static void test_both_ways(void)
{
	unsigned char *data = malloc(BIG);
	size_t i;
	int mode;

	for (i = 0; i < BIG; i++)
		data[i] = pattern(i);
	for (mode = 0; mode < 8; mode++) {
		struct far_end e;
		struct fake f; /* for its entropy */
		struct ws_options o;
		struct ws_msg msg;
		struct ws *ws;
		pthread_t thread;
		size_t sent = 0, got = 0, bad = 0;
		int pair[2], r, nonblock = mode & 1, stream = mode >> 2, done = 0;

		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
		memset(&e, 0, sizeof e);
		e.fd = pair[1];
		e.echo = mode >> 1 & 1;
		e.piece = e.echo ? 1000 : BIG;
		CHECK(pthread_create(&thread, NULL, far_end_run, &e) == 0);
		fake_init(&f, "", 0);
		memset(&o, 0, sizeof o);
		o.use_fd = 1;
		o.fd = pair[0];
		o.entropy = fake_entropy;
		o.user_data = &f;
		o.nonblock = nonblock;
		o.stream = stream;
		o.timeout_ms = 120000;
		ws = ws_new(URL, &o);
		for (r = 0; !done;) {
			struct ws_pollset set;
			struct pollfd p;

			if (r == WS_AGAIN && nonblock) {
				ws_wants(ws, &set);
				CHECK(set.n == 1 && set.fd[0].fd == pair[0]);
				p.fd = set.fd[0].fd;
				p.events = (short)((set.fd[0].events & WS_POLL_READ ? POLLIN : 0)
				                   | (set.fd[0].events & WS_POLL_WRITE ? POLLOUT : 0));
				poll(&p, 1, set.timeout_ms);
			}
			if (ws_info(ws)->phase < WS_READY || ws_info(ws)->phase == WS_URL) {
				r = ws_open(ws);
			} else if (sent == BIG && got == BIG) {
				r = ws_close(ws, 1000, NULL);
				done = r == 0;
			} else {
				if (sent < BIG) {
					ptrdiff_t n = ws_send(ws, WS_BINARY, data + sent, BIG - sent);

					if (n >= 0)
						sent += (size_t)n;
					else if (n != WS_AGAIN)
						break;
				}
				r = got == BIG && sent == BIG ? 0 : ws_recv(ws, &msg);
				if (r == 0 && got < BIG) {
					const unsigned char *p8 = msg.data;

					for (i = 0; i < msg.len && got + i < BIG; i++)
						bad += p8[i] != pattern(got + i + (e.echo ? 0 : 5));
					got += msg.len;
				}
			}
			if (r < 0 && r != WS_AGAIN)
				break;
		}
		if (!CHECK(done && r == 0))
			fprintf(stderr, "mode %d: %d after %lu sent, %lu got: %s\n", mode, r, (unsigned long)sent,
			        (unsigned long)got, ws_error(ws));
		CHECK(sent == BIG && got == BIG && bad == 0);
		ws_free(ws);
		pthread_join(thread, NULL);
		CHECK(e.ok);
		CHECK(fcntl(pair[0], F_GETFD) < 0); /* it was ours */
		fake_free(&f);
	}
	free(data);
}

#endif

/* What ws_recv gave may be sent as it is, however long that takes and whatever comes meanwhile */
static void test_echo(void)
{
	static const size_t lengths[] = {1, 100, 3000, 16000, 16379, 16380, 16381, 50000};
	size_t i, k;
	int mode;

	for (mode = 0; mode < 8; mode++) {
		for (i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
			struct talk t;
			struct ws_msg msg;
			struct script whole = {NULL, 0, 0}, got = {NULL, 0, 0};
			unsigned char *p;
			size_t n;

			talk_begin(&t, "", 0);
			for (k = 0; k < 3; k++) {
				size_t from = t.s.len;

				script_frame(&t.s, 0x82, NULL, lengths[i]);
				for (from = t.s.len - lengths[i]; from < t.s.len; from++)
					t.s.p[from] ^= (unsigned char)(k * 85);
				script_put(&whole, t.s.p + t.s.len - lengths[i], lengths[i]);
			}
			script_frame(&t.s, 0x88, NULL, 0);
			talk_more(&t, "", 0);
			t.f.step = mode & 1 ? 500 : (t.s.len - 2 - HEAD_LEN) / 3; /* a frame at a time */
			t.f.gap_us = 30;
			t.o.send_buffer = 256;
			t.o.stream = mode >> 1 & 1;
			talk_open(&t);
			t.f.room = 0;
			t.f.drain = 200;
			t.f.drain_us = mode & 4 ? 10 : 100;
			t.f.wake_us = 25;
			/* a program that stops where it would have to keep the bytes itself: what was taken is right */
			while (ws_recv(t.ws, &msg) == 0
			       && ws_send(t.ws, WS_BINARY, msg.data, msg.len) == (ptrdiff_t)msg.len)
				;
			t.f.room = t.f.drain = SIZE_MAX;
			while (ws_recv(t.ws, &msg) == 0)
				;
			ws_close(t.ws, 1000, NULL);
			while (talk_sent(&t, &p, &n) == 0x82)
				script_put(&got, p, n);
			CHECK(got.len <= whole.len && (got.len == 0 || memcmp(got.p, whole.p, got.len) == 0));
			/* what of a frame was sent, too */
			if (t.f.out_len > t.at + 8 && t.f.out[t.at] == 0x82) {
				size_t head = (t.f.out[t.at + 1] & 127) < 126    ? 6
				              : (t.f.out[t.at + 1] & 127) == 126 ? 8
				                                                 : 14;

				for (k = t.at + head; k < t.f.out_len && got.len < whole.len; k++)
					script_byte(&got,
					            t.f.out[k] ^ t.f.out[t.at + head - 4 + (k - t.at - head) % 4]);
				if (t.f.out_len > t.at + head)
					CHECK(got.len <= whole.len && memcmp(got.p, whole.p, got.len) == 0);
			}
			CHECK(got.len > 0);
			talk_end(&t);
			script_free(&whole);
			script_free(&got);
		}
	}
}

/* Time: one deadline, which nothing re-arms */

static void timed(const char *what, int r, int want, const struct fake *f, int64_t us)
{
	if (!CHECK(r == want && f->now - 1000000 >= us && f->now - 1000000 <= us + 1100))
		fprintf(stderr, "%s: %d after %ld us, want %d after %ld\n", what, r, (long)f->now - 1000000, want,
		        (long)us);
}

static void test_deadline_open(void)
{
	static const struct {
		const char *what, *in;
		int timeout, connect_timeout;
		size_t split, step;
		int64_t gap_us, wake_us, tick_us;
		int64_t want_us;
	} cases[] = {
	    {"silent", "", 0, 0, 0, 0, 0, 0, 0, 10000000},
	    {"silent, and signals", "", 0, 0, 0, 0, 0, 1700, 0, 10000000},
	    {"timeout_ms", "", 1500, 0, 0, 0, 0, 0, 0, 1500000},
	    {"connect_timeout_ms", "", 1500, 700, 0, 0, 0, 0, 0, 700000},
	    {"connect_timeout_ms that is more", "", 1500, 2000, 0, 0, 0, 0, 0, 1500000},
	    {"no limit but connect_timeout_ms", "", -1, 700, 0, 0, 0, 0, 0, 700000},
	    {"a byte a second", FAKE_101, 0, 0, 1, 1, 1000000, 0, 0, 10000000},
	    {"a byte a second, and signals", FAKE_101, 0, 0, 1, 1, 1000000, 333333, 0, 10000000},
	    {"all but a byte", FAKE_101, 3000, 0, HEAD_LEN - 1, 1, 4000000, 0, 0, 3000000},
	    {"interim answers", "HTTP/1.1 100 a\r\n\r\nHTTP/1.1 100 b\r\n\r\nHTTP/1.1 100 c\r\n\r\n", 3000, 0, 18, 18,
	     1000000, 0, 0, 3000000},
	    {"a clock that moves by itself", FAKE_101, 1, 0, 1, 1, 0, 0, 10, 1000},
	};
	size_t i;
	int nonblock;

	for (nonblock = 0; nonblock < 2; nonblock++) {
		for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
			struct fake f;
			struct ws_options o;
			struct ws_io io;
			struct ws *ws;
			int r;

			fake_init(&f, cases[i].in, strlen(cases[i].in));
			fake_options(&f, &o, &io);
			f.split = cases[i].split;
			f.step = cases[i].step;
			f.gap_us = cases[i].gap_us;
			f.wake_us = cases[i].wake_us;
			f.tick_us = cases[i].tick_us;
			o.timeout_ms = cases[i].timeout;
			o.connect_timeout_ms = cases[i].connect_timeout;
			o.nonblock = nonblock;
			ws = ws_new(URL, &o);
			REPEAT(r, &f, ws, nonblock, ws_open(ws));
			timed(cases[i].what, r, WS_ETIMEOUT, &f, cases[i].want_us);
			CHECK_EQ_U(ws_info(ws)->phase, WS_UPGRADE);
			CHECK_EQ_U(ws_open(ws), WS_ETIMEOUT); /* it is over */
			CHECK(strstr(ws_error(ws), "server.example.com") != NULL);
			CHECK((strstr(ws_error(ws), "connect timeout") != NULL)
			      == (cases[i].connect_timeout && cases[i].connect_timeout * 1000 == cases[i].want_us));
			ws_free(ws);
			check_clean(&f);
			fake_free(&f);
		}
	}
	/* the request is not taken */
	for (nonblock = 0; nonblock < 2; nonblock++) {
		struct talk t;
		int r;

		talk_begin(&t, "", 0);
		t.f.room = 10;
		t.f.drain = 0;
		t.o.nonblock = nonblock;
		t.ws = ws_new(URL, &t.o);
		REPEAT(r, &t.f, t.ws, nonblock, ws_open(t.ws));
		timed("request not taken", r, WS_ETIMEOUT, &t.f, 10000000);
		talk_end(&t);
	}
}

/* What a peer may do while a call waits */
static void test_deadline_recv(void)
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
	     "\x89\x00\x89\x00\x89\x00\x89\x00\x89\x00\x89\x00\x89\x00\x89\x00\x89\x00\x89\x00\x89\x00\x89\x00", 24, 2,
	     2, 1000000, 0, 0, 0},
	    {"a pong a second",
	     "\x8a\x00\x8a\x00\x8a\x00\x8a\x00\x8a\x00\x8a\x00\x8a\x00\x8a\x00\x8a\x00\x8a\x00\x8a\x00\x8a\x00", 24, 2,
	     2, 1000000, 0, 0, 0},
	    {"a flood of pings", "\x89\x01p\x89\x01q", 6, 0, 0, 0, 0, 100, SIZE_MAX},
	    {"a flood of pongs", "\x8a\x01p\x8a\x01q", 6, 0, 0, 0, 0, 100, SIZE_MAX},
	    {"a flood of empty fragments", "\x00\x00\x00\x00\x00\x00", 6, 0, 0, 0, 0, 100, SIZE_MAX},
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
			int r, stream = mode & 2, fragments = strstr(cases[i].what, "fragments") != NULL;
			size_t before;

			if (stream
			    && (strstr(cases[i].what, "flood of fragments") || strstr(cases[i].what, "half a ")
			        || strstr(cases[i].what, "byte")))
				continue; /* these hand out pieces */
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
			timed(cases[i].what, r, WS_ETIMEOUT, &t.f,
			      10000000 + (cases[i].read_us > 1000 ? 90000 : 0) * 0);
			CHECK(t.f.peak <= before + 70000);
			/* it is usable still: the deadline can be moved */
			CHECK_EQ_U(ws_info(t.ws)->err, 0);
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
			ws_timeout(t.ws, 0); /* passed: at once */
			t.f.waits = 0;
			r = ws_recv(t.ws, &msg);
			CHECK(r == WS_ETIMEOUT && t.f.waits == 0);
			talk_end(&t);
		}
	}
}

static void test_deadline_send(void)
{
	static char data[100000];
	struct talk t;
	struct ws_msg msg;
	size_t sent;
	ptrdiff_t n;
	int r;

	/* a peer that never reads and says nothing: short at the deadline, then WS_ETIMEOUT; later it can go on */
	talk_begin(&t, "", 0);
	talk_open(&t);
	t.f.room = 20000;
	t.f.drain = 0;
	n = ws_send(t.ws, WS_BINARY, data, sizeof data);
	CHECK(n > 19000 && n < 25000);
	timed("send", 0, 0, &t.f, 10000000);
	CHECK_EQ_U(ws_send(t.ws, WS_BINARY, data + n, sizeof data - (size_t)n), WS_ETIMEOUT);
	timed("send again", 0, 0, &t.f, 10000000);
	CHECK_EQ_U(ws_info(t.ws)->err, 0);
	t.f.room = t.f.drain = SIZE_MAX;
	ws_timeout(t.ws, 1000);
	CHECK_EQ_U(ws_send(t.ws, WS_BINARY, data + n, sizeof data - (size_t)n), sizeof data - (size_t)n);
	SENT(&t, 0x82, data, sizeof data);
	SENT_ALL(&t);
	talk_end(&t);

	/* one that takes a byte a second */
	talk_begin(&t, "", 0);
	talk_open(&t);
	t.f.room = 0;
	t.f.drain = 1;
	t.f.drain_us = 1000000;
	n = ws_send(t.ws, WS_BINARY, data, sizeof data);
	CHECK(n > 0 && n < 5000);
	timed("send to a slow peer", 0, 0, &t.f, 10000000);
	/* closing in the middle of a frame of ours is hanging up */
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL) == 0, 0);
	CHECK(ws_info(t.ws)->err == WS_ECLOSED || ws_info(t.ws)->err == WS_ETIMEOUT);
	talk_end(&t);

	/* with a ws_send unfinished, ws_recv does not wait for a message where the peer would take more */
	talk_begin(&t, "", 0);
	talk_open(&t);
	t.f.room = 20000;
	t.f.drain = 0;
	ws_timeout(t.ws, 1000);
	n = ws_send(t.ws, WS_BINARY, data, sizeof data);
	CHECK(n > 0);
	ws_timeout(t.ws, 10000);
	t.f.drain = 4096;
	t.f.drain_us = 5000;
	r = ws_recv(t.ws, &msg);
	CHECK_EQ_U(r, WS_AGAIN);
	CHECK(t.f.now < 3000000);
	talk_end(&t);

	/* control frames find room behind a frame that is partly written */
	talk_begin(&t, "", 0);
	t.o.nonblock = 1;
	t.o.send_buffer = 256;
	talk_open(&t);
	t.f.room = 100;
	t.f.drain = 0;
	CHECK_EQ_U(ws_send(t.ws, WS_BINARY, data, 240), 240);
	CHECK_EQ_U(ws_ping(t.ws, data, 90), 0);
	CHECK_EQ_U(ws_ping(t.ws, data, 90), WS_AGAIN);
	CHECK_EQ_U(ws_send(t.ws, WS_BINARY, data, 3), WS_AGAIN);
	t.f.room = SIZE_MAX;
	CHECK_EQ_U(ws_ping(t.ws, data, 91), 0);
	SENT(&t, 0x82, data, 240);
	SENT(&t, 0x89, data, 90);
	SENT(&t, 0x89, data, 91);
	SENT_ALL(&t);
	talk_end(&t);

	/* the transport cannot wait: that is told */
	for (r = 0; r < 3; r++) {
		talk_begin(&t, r == 2 ? "\xc1\x00" : "", r == 2 ? 2 : 0);
		talk_open(&t);
		if (r == 2)
			CHECK_EQ_U(ws_recv(t.ws, &msg), WS_EPROTOCOL);
		t.f.room = 0;
		t.f.drain = 0;
		t.f.io_fail = WS_IO_ERROR;
		t.f.io_fail_at = t.f.ios + (r == 0 ? 3 : 2); /* after one write and a look, or one read */
		if (r == 0)
			CHECK(ws_send(t.ws, WS_BINARY, data, 10000) < 10000 && ws_info(t.ws)->err == WS_EIO);
		else if (r == 1)
			CHECK_EQ_U(ws_recv(t.ws, &msg), WS_EIO);
		else
			CHECK_EQ_U(ws_close(t.ws, 1000, NULL), WS_EPROTOCOL);
		talk_end(&t);
	}

	/* a peer that is gone, as a ping finds it, or a pong that was to be sent; what it said before is received still
	 */
	for (r = 0; r < 4; r++) {
		talk_begin(&t, "\x89\x01p\x81\x02hi\x88\x02\x0f\xa0", r & 2 ? 11 : 3);
		t.o.nonblock = r & 1;
		t.f.split = 0;
		talk_open(&t);
		t.f.deaf_after = 1;
		CHECK_EQ_U(ws_ping(t.ws, "p", 1), 0); /* taken, as the peer's end is not known yet */
		CHECK_EQ_U(ws_ping(t.ws, "p", 1), WS_AGAIN);
		if (r & 2) {
			CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
			CHECK_EQ_MEM(msg.data, msg.len, "hi", 2);
			CHECK_EQ_U(ws_recv(t.ws, &msg), WS_ECLOSED);
			CHECK_EQ_U(ws_info(t.ws)->close_code, 4000);
		} else {
			CHECK_EQ_U(ws_recv(t.ws, &msg), WS_ERESET);
			CHECK_EQ_U(ws_info(t.ws)->close_code, 1006);
		}
		talk_end(&t);
	}

	/* the same, met by a program that sends and receives by turns: it gets all that was said before */
	for (r = 0; r < 2; r++) {
		int k;

		talk_begin(&t,
		           "\x82\x01"
		           "0\x82\x01"
		           "1\x82\x01"
		           "2\x82\x01"
		           "3\x82\x01"
		           "4\x88\x02\x0f\xa0",
		           19);
		t.o.nonblock = r;
		t.f.split = 0;
		talk_open(&t);
		t.f.deaf_after = 1;
		for (k = 0; k < 5; k++) {
			n = ws_send(t.ws, WS_TEXT, "x", 1);
			CHECK(n == 1 || n == WS_AGAIN);
			CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
			CHECK(msg.len == 1 && ((const char *)msg.data)[0] == '0' + k);
		}
		CHECK(ws_send(t.ws, WS_TEXT, "x", 1) == WS_AGAIN);
		CHECK_EQ_U(ws_recv(t.ws, &msg), WS_ECLOSED);
		CHECK_EQ_U(ws_info(t.ws)->close_code, 4000);
		talk_end(&t);
	}

	/* a dead peer: who only sends is told so, by the deadline at the latest */
	for (r = 0; r < 2; r++) {
		int k;

		talk_begin(&t, "", 0);
		t.o.nonblock = r;
		talk_open(&t);
		t.f.deaf_after = 1;
		for (k = 0, sent = 0; k < 1000; k++) {
			n = ws_send(t.ws, WS_BINARY, data, sizeof data - sent);
			if (n < 0 && n != WS_AGAIN)
				break;
			sent += n > 0 ? (size_t)n : 0;
			t.f.now += 20000; /* what it costs a program to look */
		}
		CHECK(n == WS_ERESET || n == WS_ETIMEOUT);
		CHECK_EQ_U(ws_recv(t.ws, &msg), n == WS_ERESET ? n : ws_recv(t.ws, &msg));
		talk_end(&t);
	}

	/* the same in the middle of a text's character: the rest of a frame that is lost is no text that is wrong */
	for (r = 0; r < 4; r++) {
		static char text[3000];
		size_t k;

		for (k = 0; k < sizeof text; k += 3)
			memcpy(text + k, "\xe2\x82\xac", 3);
		talk_begin(&t, "\x82\x01x", r & 2 ? 3 : 0);
		t.o.nonblock = r & 1;
		t.o.send_buffer = 256;
		talk_open(&t);
		t.f.room = 100;
		t.f.drain = 0;
		ws_timeout(t.ws, 1000);
		n = ws_send(t.ws, WS_TEXT, text, sizeof text);
		CHECK(n > 0 && n % 3 != 0 && n < 1000);
		sent = (size_t)n;
		ws_timeout(t.ws, 1000);
		t.f.deaf_after = t.f.out_len;
		t.f.room = t.f.drain = SIZE_MAX;
		if (r & 2)
			REPEAT(n, &t.f, t.ws, 1, ws_recv(t.ws, &msg));
		for (k = 0; k < 3; k++) {
			n = ws_send(t.ws, WS_TEXT, text + sent, sizeof text - sent);
			if (n != WS_AGAIN)
				break;
		}
		CHECK_EQ_U(n, WS_ERESET);
		talk_end(&t);
	}

	/* within a frame of ours no ping can begin: that is said at once, also by a call that may wait */
	talk_begin(&t, "", 0);
	talk_open(&t);
	t.f.room = 20000;
	t.f.drain = 0;
	ws_timeout(t.ws, 1000);
	n = ws_send(t.ws, WS_BINARY, data, sizeof data);
	CHECK(n > 0 && t.f.now == 2000000);
	ws_timeout(t.ws, 10000);
	CHECK_EQ_U(ws_ping(t.ws, "p", 1), WS_AGAIN);
	CHECK_EQ_U(t.f.now, 2000000);
	talk_end(&t);

	/* ws_ping and ws_close keep the deadline as well */
	for (r = 0; r < 2; r++) {
		talk_begin(&t, "", 0);
		talk_open(&t);
		t.f.room = 0;
		t.f.drain = 0;
		n = ws_send(t.ws, WS_BINARY, data, 4080);
		timed("send", 0, 0, &t.f, 10000000);
		CHECK_EQ_U(n, 4080);
		ws_timeout(t.ws, 500);
		CHECK_EQ_U(r ? ws_ping(t.ws, "a", 1) : ws_close(t.ws, 1000, NULL), WS_ETIMEOUT);
		timed("ping or close", 0, 0, &t.f, 10500000);
		talk_end(&t);
	}
}

/* With nonblock no call lasts: under a flood each returns after a bounded number of reads and no wait */
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
	size_t i, k;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct talk t;
		struct ws_msg msg;
		unsigned long reads, worst = 0;
		int r = 0, fragments = strstr(cases[i].what, "fragments") != NULL;

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
		t.f.loop = 100000; /* if it is read to its end, that is far too much */
		t.f.loop_from = t.s.len - 1000 * cases[i].len;
		for (k = 0; k < 20; k++) {
			reads = t.f.reads;
			t.f.waits = 0;
			r = cases[i].then == 0 || (cases[i].then == 2 && k == 0) ? ws_recv(t.ws, &msg)
			                                                         : ws_close(t.ws, 1000, NULL);
			CHECK_EQ_U(t.f.waits, 0);
			if (t.f.reads - reads > worst)
				worst = t.f.reads - reads;
			if (cases[i].then == 2 && k == 0)
				CHECK_EQ_U(r, WS_EPROTOCOL);
			else if (!CHECK(r == WS_AGAIN))
				break;
			if (r == WS_AGAIN) { /* there is more: at once */
				struct ws_pollset set;

				ws_wants(t.ws, &set);
				CHECK_EQ_U(set.timeout_ms, 0);
			}
		}
		if (!CHECK(worst <= 200))
			fprintf(stderr, "%s: %lu reads in a call\n", cases[i].what, worst);
		talk_end(&t);
	}
	/* the body of a refused upgrade, whose chunk never begins */
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

/* Random bytes that are late, or never come */
static void test_entropy(void)
{
	struct talk t;
	struct ws_msg msg;
	int r, nonblock;

	for (nonblock = 0; nonblock < 2; nonblock++) {
		talk_begin(&t, "", 0);
		t.o.nonblock = nonblock;
		t.f.entropy_late = 5;
		talk_open(&t); /* waits for them */
		CHECK(t.f.now - 1000000 >= 10000 && t.f.now - 1000000 <= 500000);
		CHECK_EQ_U(t.f.entropy_calls, 6);
		talk_end(&t);

		talk_begin(&t, "", 0);
		t.o.nonblock = nonblock;
		t.o.timeout_ms = 3000;
		t.f.entropy_late = INT_MAX;
		t.ws = ws_new(URL, &t.o);
		REPEAT(r, &t.f, t.ws, nonblock, ws_open(t.ws));
		timed("no entropy yet", r, WS_ETIMEOUT, &t.f, 3000000);
		CHECK_EQ_U(t.f.out_len, 0);
		talk_end(&t);

		talk_begin(&t, "", 0);
		t.o.nonblock = nonblock;
		t.f.entropy_calls_left = 0;
		t.ws = ws_new(URL, &t.o);
		REPEAT(r, &t.f, t.ws, nonblock, ws_open(t.ws));
		CHECK_EQ_U(r, WS_EENTROPY);
		CHECK_EQ_U(t.f.out_len, 0);
		talk_end(&t);

		/* late for a frame: it waits, and what comes meanwhile is not lost */
		talk_begin(&t,
		           "\x81\x01"
		           "a",
		           3);
		t.o.nonblock = nonblock;
		talk_open(&t);
		for (r = 0; r < 12; r++)
			CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "x", 1), 1);
		t.f.entropy_late = 3;
		REPEAT(r, &t.f, t.ws, nonblock, (int)ws_send(t.ws, WS_TEXT, "x", 1));
		CHECK_EQ_U(r, 1);
		REPEAT(r, &t.f, t.ws, nonblock, ws_recv(t.ws, &msg));
		CHECK_EQ_U(r, 0);
		for (r = 0; r < 13; r++)
			SENT(&t, 0x81, "x", 1);
		talk_end(&t);

		/* late for a pong, which goes out later */
		talk_begin(&t, "", 0);
		t.o.nonblock = nonblock;
		talk_open(&t);
		for (r = 0; r < 12; r++)
			CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "x", 1), 1);
		t.f.entropy_late = 3;
		talk_more(&t, "\x89\x01p", 3);
		ws_timeout(t.ws, 1000);
		REPEAT(r, &t.f, t.ws, nonblock, ws_recv(t.ws, &msg));
		CHECK_EQ_U(r, WS_ETIMEOUT);
		for (r = 0; r < 12; r++)
			SENT(&t, 0x81, "x", 1);
		SENT(&t, 0x8a, "p", 1);
		SENT_ALL(&t);
		talk_end(&t);

		/* none for a frame, for a pong: that ends the connection, at once */
		for (r = 0; r < 2; r++) {
			int k;

			talk_begin(&t, "", 0);
			t.o.nonblock = nonblock;
			talk_open(&t);
			for (k = 0; k < 12; k++)
				CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "x", 1), 1);
			t.f.entropy_calls_left = 0;
			if (r) {
				talk_more(&t, "\x89\x01p", 3);
				REPEAT(k, &t.f, t.ws, nonblock, ws_recv(t.ws, &msg));
			} else {
				k = (int)ws_send(t.ws, WS_TEXT, "x", 1);
			}
			CHECK_EQ_U(k, WS_EENTROPY);
			CHECK_EQ_U(ws_info(t.ws)->err, WS_EENTROPY);
			CHECK_EQ_U(t.f.now, 1000000);
			CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "x", 1), WS_EENTROPY);
			talk_end(&t);
		}
	}
}

/* Whatever finds no memory, that is the sentence */
static void test_no_memory(void)
{
	struct talk t;
	unsigned long k;
	int r = WS_EMEMORY;

	for (k = 2; r == WS_EMEMORY && k < 100; k++) {
		talk_begin(&t, "", 0);
		t.f.end = WS_IO_EOF;
		t.o.io_is_plain = 1;
		t.f.alloc_fail_at = k;
		t.ws = ws_new("wss://server.example.com/", &t.o);
		r = ws_open(t.ws);
		CHECK(r < 0);
		if (r == WS_EMEMORY)
			CHECK_EQ_S(ws_error(t.ws), "out of memory");
		talk_end(&t);
	}
	CHECK_EQ_U(r, ws_features() & WS_HAS_TLS ? WS_ETLS : WS_EUNSUPPORTED);
	CHECK_EQ_U(k > 5, (ws_features() & WS_HAS_TLS) != 0);
}

/* A transport that takes little at once does not cost a move of all the rest each time: it would be quadratic */
struct piecemeal {
	struct fake f; /* first: io is this */
	const char *next;
	unsigned long moved;
};

static ptrdiff_t piecemeal_write(void *io, const void *buf, size_t len)
{
	struct piecemeal *p = io;
	ptrdiff_t n = fake_write(io, buf, len);

	p->moved += buf != p->next;
	p->next = (const char *)buf + (n > 0 ? n : 0);
	return n;
}

static void test_pieces(void)
{
	static struct piecemeal p;
	static char data[60000];
	struct ws_options o;
	struct ws_io io;
	struct ws *ws;

	fake_init(&p.f, FAKE_101, HEAD_LEN);
	fake_options(&p.f, &o, &io);
	io.io_write = piecemeal_write;
	o.send_buffer = 65536;
	p.f.write_max = 16;
	ws = ws_new(URL, &o);
	CHECK_EQ_U(ws_open(ws), 0);
	CHECK_EQ_U(p.moved, 1);
	CHECK_EQ_U(ws_send(ws, WS_BINARY, data, sizeof data), sizeof data);
	CHECK_EQ_U(p.moved, 2);
	ws_free(ws);
	check_clean(&p.f);
	fake_free(&p.f);
}

/* Once open, no frame costs an allocation; memory does not grow with time */
static void test_allocations(void)
{
	struct talk t;
	struct ws_msg msg;
	unsigned long allocs;
	size_t alive;
	int i, r, stream;
	static char data[40000];

	for (stream = 0; stream < 2; stream++) {
		talk_begin(&t, "", 0);
		t.o.stream = stream;
		t.o.recv_buffer = 1000;
		for (i = 0; i < 100; i++) {
			script_frame(&t.s, 0x81, NULL, 5);
			script_frame(&t.s, 0x82, NULL, 125);
			script_frame(&t.s, 0x89, NULL, 20);
			script_frame(&t.s, 0x82, NULL, 700);
			script_frame(&t.s, 0x8a, NULL, 20);
		}
		t.f.in = t.s.p;
		t.f.in_len = t.s.len;
		talk_open(&t);
		CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
		allocs = t.f.allocs;
		alive = t.f.alive;
		for (i = 0; i < 299;) {
			CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
			i += !msg.more;
			CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "hello", 5), 5);
			CHECK_EQ_U(ws_send(t.ws, WS_BINARY, data, 5000), 5000);
			CHECK_EQ_U(ws_ping(t.ws, "", 0), 0);
		}
		CHECK_EQ_U(t.f.allocs, allocs);
		CHECK_EQ_U(t.f.alive, alive);
		/* a message that must be put together takes memory once */
		for (i = 0; i < 3; i++) {
			script_frame(&t.s, 0x01, NULL, 30000);
			script_frame(&t.s, 0x80, NULL, 10000);
		}
		talk_more(&t, "", 0);
		for (i = 0; i < 3; i++) {
			do {
				r = ws_recv(t.ws, &msg);
				CHECK_EQ_U(r, 0);
			} while (r == 0 && msg.more);
			if (i == 0)
				allocs = t.f.allocs;
		}
		CHECK_EQ_U(t.f.allocs, allocs);
		if (stream)
			CHECK_EQ_U(t.f.alive, alive);
		else
			CHECK(t.f.alive <= alive + 80000);
		talk_end(&t);
	}
	/* promised bytes cost nothing: 16 MiB announced, 100 sent */
	talk_begin(&t, "\x82\x7f\x00\x00\x00\x00\x01\x00\x00\x00", 10);
	script_frame(&t.s, 0x80, NULL, 100); /* as payload */
	talk_more(&t, "", 0);
	t.f.end = WS_IO_EOF;
	talk_open(&t);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_ECLOSED);
	CHECK_EQ_U(ws_info(t.ws)->close_code, 1006);
	CHECK(t.f.peak < 70000);
	talk_end(&t);
	/* a message of max_message takes little more than that */
	talk_begin(&t, "", 0);
	t.o.max_message = 1000000;
	for (i = 0; i < 25; i++)
		script_frame(&t.s, i == 0 ? 0x02 : i == 24 ? 0x80 : 0, data, 40000);
	script_frame(&t.s, 0x88, NULL, 0);
	talk_more(&t, "", 0);
	talk_open(&t);
	CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
	CHECK_EQ_U(msg.len, 1000000);
	CHECK(t.f.alive < 1030000);
	talk_end(&t);
	/* the sizes that are asked for are those that are taken: an idle connection with small buffers */
	talk_begin(&t, "", 0);
	t.o.recv_buffer = t.o.send_buffer = 256;
	talk_open(&t);
	ws_timeout(t.ws, 0);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_ETIMEOUT);
	CHECK(t.f.alive <= 2048);
	talk_end(&t);
}

/* Whole scenarios, with something failing at the n-th call for every n */

static const struct scenario {
	const char *name, *bytes; /* behind nothing: the head too */
	size_t len;
	int pinged;
} scenarios[] = {
#define SC(name, bytes, pinged)                                                                                        \
	{                                                                                                              \
		name, bytes, sizeof bytes - 1, pinged                                                                  \
	}
    SC("messages",
       FAKE_101 "\x81\x05Hello\x82\x03xyz\x89\x01p\x01\x02He\x89\x01q\x80\x03llo\x88\x05\x03\xe8"
                "bye",
       0),
    SC("pongs", FAKE_101 "\x8a\x02me\x81\x01x\x88\x02\x03\xe9", 1),
    SC("a violation", FAKE_101 "\x81\x05Hello\xc1\x00", 0),
    SC("not UTF-8", FAKE_101 "\x81\x05Hell\xff", 0),
    SC("end of file", FAKE_101 "\x81\x05Hello", 0),
    SC("refused", "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nHello\r\n0\r\n\r\n", 0),
    SC("no handshake", "HTTP/1.1 101 x\r\n" UP CONN "\r\n", 0),
    SC("no HTTP", "hello\r\n", 0),
    SC("a redirect not followed", "HTTP/1.1 301 x\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", 0),
};

static void run_failing(const struct scenario *s, int mode, unsigned long alloc_at, int alloc_on, unsigned long io_at,
                        int io_fail, struct outcome *o)
{
	static char large[60000];
	struct how h;
	struct ws_options opt;
	struct ws_io io;
	struct script in = {NULL, 0, 0};
	size_t i;

	memset(&h, 0, sizeof h);
	h.nonblock = mode & 1;
	h.stream = mode >> 1 & 1;
	h.recv_buffer = mode & 4 ? 256 : 0;
	h.pinged = s->pinged;
	h.end = WS_IO_EOF;
	h.step = mode & 8 ? 50 : 0;
	script_put(&in, s->bytes, s->len);
	if (strcmp(s->name, "messages") == 0) { /* and one that must grow, before the close frame */
		in.len -= 7;
		for (i = 0; i < sizeof large; i++)
			large[i] = (char)('a' + i % 26);
		script_frame(&in, 0x81, large, h.step ? 2000 : sizeof large);
		script_put(&in,
		           "\x88\x05\x03\xe8"
		           "bye",
		           7);
	}
	memset(o, 0, offsetof(struct outcome, fake));
	fake_init(&o->fake, in.p, in.len);
	o->fake.alloc_fail_at = alloc_at;
	o->fake.alloc_fail_on = alloc_on;
	o->fake.io_fail_at = io_at;
	o->fake.io_fail = io_fail;
	set_options(&o->fake, &h, &opt, &io);
	run_prepared(&h, o, &opt);
	fake_free(&o->fake);
	script_free(&in);
}

static int tidy(const struct outcome *o)
{
	return o->fake.alive == 0 && o->fake.blocks == 0 && !o->fake.wrong && !o->fake.hung;
}

static void test_failing(void)
{
	static struct outcome good, o;
	static const int words[] = {WS_IO_READ, WS_IO_WRITE, WS_IO_EOF, WS_IO_RESET, WS_IO_ERROR, 0, -77};
	size_t i, w;
	unsigned long n;
	int mode, on;

	for (i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
		const struct scenario *s = &scenarios[i];

		for (mode = 0; mode < 16; mode++) {
			run_failing(s, mode, 0, 0, 0, 0, &good);
			CHECK(tidy(&good) && good.fake.closes == 1);
			for (on = 0; on < 2; on++) {
				for (n = 1; n < 1000; n++) {
					int same;

					run_failing(s, mode, n, on, 0, 0, &o);
					if (o.fake.failed_allocs == 0)
						break;
					same = strcmp(o.got, good.got) == 0 && strcmp(o.end, good.end) == 0
					       && strcmp(o.sent, good.sent) == 0;
					if (!CHECK(tidy(&o)
					           && (same || (o.err == WS_EMEMORY && starts(good.got, o.got)))))
						fprintf(stderr, "%s, mode %d, allocation %lu%s: %s | %s | %s\n",
						        s->name, mode, n, on ? " and on" : "", o.got, o.end, o.sent);
				}
				CHECK(n > 3 && n < 50); /* a handful of allocations */
			}
			for (w = 0; w < sizeof words / sizeof words[0]; w++) {
				for (n = 1; n < 100000; n++) {
					int same, fits;

					run_failing(s, mode, 0, 0, n, words[w], &o);
					if (o.fake.ios < n)
						break;
					same = strcmp(o.got, good.got) == 0 && strcmp(o.end, good.end) == 0
					       && strcmp(o.sent, good.sent) == 0;
					/* "nothing now" changes nothing; else the messages are a beginning, and no
					 * success */
					fits = w < 2 ? same
					             : same
					                   || (starts(good.got, o.got) && o.err < 0
					                       && (o.err == WS_EIO || o.err == WS_ERESET
					                           || o.err == WS_ECLOSED || o.err == good.err)
					                       && (o.err != WS_ECLOSED || strcmp(o.end, "closed") == 0
					                           || strcmp(o.end, CUT) == 0
					                           || strcmp(o.end, good.end) == 0));
					if (!CHECK(tidy(&o) && o.fake.closes == 1 && fits))
						fprintf(stderr, "%s, mode %d, call %lu says %d: %s | %s | %s\n",
						        s->name, mode, n, words[w], o.got, o.end, o.sent);
				}
				CHECK(n > 2);
			}
		}
	}
}

static void test_wants(void)
{
	struct talk t;
	struct ws_msg msg;
	struct ws_pollset set;
	static char data[9000];
	unsigned change;
	int r;

	talk_begin(&t, "", 0);
	t.o.nonblock = 1;
	t.o.timeout_ms = 5000;
	t.o.connect_timeout_ms = 2000;
	t.f.room = 10;
	t.f.drain = 0;
	t.ws = ws_new(URL, &t.o);
	CHECK_EQ_U(ws_open(t.ws), WS_AGAIN);
	set = wants(&t);
	change = set.change;
	CHECK(set.n == 1 && set.fd[0].fd == -1 && set.fd[0].events == WS_POLL_WRITE);
	CHECK_EQ_U(set.timeout_ms, 2000);
	t.f.now += 1;
	CHECK_EQ_U(wants(&t).timeout_ms, 2000); /* rounded up: not a moment too early, and no busy wait */
	t.f.now += 999;
	CHECK_EQ_U(wants(&t).timeout_ms, 1999);
	t.f.room = SIZE_MAX;
	CHECK_EQ_U(ws_open(t.ws), WS_AGAIN);
	set = wants(&t);
	CHECK(set.n == 1 && set.fd[0].fd == -1 && set.fd[0].events == WS_POLL_READ);
	fake_poll(&t.f, t.ws);
	CHECK_EQ_U(ws_open(t.ws), 0);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
	set = wants(&t);
	CHECK(set.n == 1 && set.fd[0].fd == -1 && set.fd[0].events == WS_POLL_READ);
	CHECK_EQ_U(set.timeout_ms, 4999); /* the connect timeout is over */
	CHECK_EQ_U(set.change, change);
	ws_timeout(t.ws, 1);
	CHECK_EQ_U(wants(&t).timeout_ms, 1);
	t.f.now += 500;
	CHECK_EQ_U(wants(&t).timeout_ms, 1);
	t.f.now += 500;
	CHECK_EQ_U(wants(&t).timeout_ms, 0);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_ETIMEOUT);
	ws_timeout(t.ws, -1);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
	CHECK_EQ_U(wants(&t).timeout_ms, -1);
	ws_timeout(t.ws, INT_MAX);
	CHECK_EQ_U(wants(&t).timeout_ms, INT_MAX);
	/* sending */
	t.f.room = 20;
	CHECK(ws_send(t.ws, WS_BINARY, data, sizeof data) > 0);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
	set = wants(&t);
	CHECK(set.n == 1 && set.fd[0].events == (WS_POLL_READ | WS_POLL_WRITE));
	CHECK(set.timeout_ms == INT_MAX);
	t.f.room = SIZE_MAX;
	CHECK_EQ_U(ws_recv(t.ws, &msg),
	           WS_AGAIN); /* all in the buffer is gone, the frame's rest is the program's to give */
	set = wants(&t);
	CHECK(set.n == 1 && set.fd[0].events == (WS_POLL_READ | WS_POLL_WRITE));
	/* bytes that wait inside */
	talk_end(&t);
	talk_begin(&t,
	           "\x81\x01"
	           "a\x81\x01"
	           "b",
	           6);
	t.o.nonblock = 1;
	t.f.split = 0;
	talk_open(&t);
	CHECK_EQ_U(wants(&t).timeout_ms, 0);
	CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
	CHECK_EQ_U(wants(&t).timeout_ms, 0);
	CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
	CHECK_EQ_U(wants(&t).timeout_ms, 10000);
	/* a transport that must write in order to read, and read in order to write: TLS */
	t.f.io_fail_at = t.f.ios + 1;
	t.f.io_fail = WS_IO_WRITE;
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
	CHECK_EQ_U(wants(&t).fd[0].events, WS_POLL_WRITE);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
	CHECK_EQ_U(wants(&t).fd[0].events, WS_POLL_READ);
	t.f.io_fail_at = t.f.ios + 1;
	t.f.io_fail = WS_IO_READ;
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "a", 1), 1);
	CHECK_EQ_U(wants(&t).fd[0].events, WS_POLL_READ);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
	SENT(&t, 0x81, "a", 1);
	t.f.spurious = 0;
	/* closing, closed */
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL), WS_AGAIN);
	set = wants(&t);
	CHECK(set.n == 1 && set.fd[0].events == WS_POLL_READ && set.timeout_ms == 10000);
	talk_more(&t, "\x88\x00", 2);
	fake_poll(&t.f, t.ws);
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL), 0);
	CHECK_EQ_U(wants(&t).n, 0);
	talk_end(&t);

	/* over, but what waits is still to go, or the peer's end to come: until ws_close says so there is one to poll */
	for (r = 0; r < 2; r++) {
		talk_begin(&t, r ? "\x88\x00" : "\xc1\x00", 2);
		t.o.nonblock = 1;
		t.f.split = 0;
		talk_open(&t);
		t.f.room = r ? 3 : SIZE_MAX;
		CHECK_EQ_U(ws_recv(t.ws, &msg), r ? WS_ECLOSED : WS_EPROTOCOL);
		set = wants(&t);
		CHECK_EQ_U(set.n, 1);
		t.f.room = SIZE_MAX;
		t.f.end = WS_IO_EOF;
		CHECK_EQ_U(ws_close(t.ws, 1000, NULL), r ? 0 : WS_EPROTOCOL);
		CHECK_EQ_U(wants(&t).n, 0);
		CHECK(wants(&t).change != set.change);
		talk_end(&t);
	}

	/* a refused upgrade's body: a second at most */
	talk_begin(&t, "", 0);
	t.s.len = 0;
	talk_more(&t, "HTTP/1.1 404 x\r\n\r\nhello", 23);
	t.f.split = 0;
	t.o.nonblock = 1;
	t.ws = ws_new(URL, &t.o);
	CHECK_EQ_U(ws_open(t.ws), WS_AGAIN);
	fake_poll(&t.f, t.ws);
	CHECK_EQ_U(ws_open(t.ws), WS_AGAIN);
	CHECK_EQ_U(wants(&t).timeout_ms, 1000);
	fake_poll(&t.f, t.ws);
	CHECK_EQ_U(ws_open(t.ws), WS_EHTTP);
	CHECK_EQ_S(ws_info(t.ws)->body, "hello");
	talk_end(&t);
}

static int sent_has(const struct talk *t, const char *text)
{
	size_t i, n = strlen(text);

	for (i = 0; i + n <= t->f.out_len; i++)
		if (memcmp(t->f.out + i, text, n) == 0)
			return 1;
	return 0;
}

/* Options: each wrong one fails at open, by name, before anything is done */
static void test_options(void)
{
	static const char *const bad_headers[][2] = {{"A: b\r\nC: d", NULL},
	                                             {"no colon", NULL},
	                                             {": x", NULL},
	                                             {"A : b", NULL},
	                                             {"Upgrade: x", NULL},
	                                             {"upgrade:", NULL},
	                                             {"Sec-WebSocket-Key: x", NULL},
	                                             {"sec-websocket-version: 8", NULL},
	                                             {"Connection: close", NULL},
	                                             {"Connection:", NULL},
	                                             {"A: \x7f", NULL},
	                                             {" A: b", NULL},
	                                             {"", NULL}},
	                         *const good_headers[] = {"A: b", "C:", "Connection: keep-alive, Upgrade", NULL};
	static const char *const bad_protocols[][3] = {
	    {"a b", NULL, NULL}, {"", NULL, NULL}, {"a", "a", NULL}, {"a,b", NULL, NULL}};
	static const char *const bad_resolve[][2] = {{"a", NULL},
	                                             {"a:80", NULL},
	                                             {"a:80:", NULL},
	                                             {"a:0:127.0.0.1", NULL},
	                                             {"a:65536:127.0.0.1", NULL},
	                                             {":80:127.0.0.1", NULL},
	                                             {"a:80:name", NULL},
	                                             {"a:80:1.2.3", NULL},
	                                             {"a:80:[::1", NULL},
	                                             {"a:[80]:127.0.0.1", NULL},
	                                             {"[a:80:127.0.0.1", NULL},
	                                             {"", NULL}};
	struct talk t;
	size_t i;

#define WRONG(field, set)                                                                                              \
	do {                                                                                                           \
		int before;                                                                                            \
		talk_begin(&t, "", 0);                                                                                 \
		set;                                                                                                   \
		t.ws = ws_new("ws://127.0.0.1:1/", &t.o);                                                              \
		before = ws_error(t.ws)[0] != '\0';                                                                    \
		if (!CHECK(ws_open(t.ws) == WS_EUSAGE && before && t.f.ios == 0                                        \
		           && strcmp(ws_info(t.ws)->option, field) == 0 && strstr(ws_error(t.ws), field)               \
		           && ws_info(t.ws)->err == WS_EUSAGE && !strchr(ws_error(t.ws), '\n')))                       \
			fprintf(stderr, "test_ws.c:%d: option %s, not %s: %s\n", __LINE__, ws_info(t.ws)->option,      \
			        field, ws_error(t.ws));                                                                \
		talk_end(&t);                                                                                          \
	} while (0)

	WRONG("timeout_ms", t.o.timeout_ms = -2);
	WRONG("timeout_ms", t.o.timeout_ms = INT_MIN);
	WRONG("connect_timeout_ms", t.o.connect_timeout_ms = -1);
	WRONG("max_redirects", t.o.max_redirects = -1);
	WRONG("keepalive_s", t.o.keepalive_s = -1);
	WRONG("keepalive_s", t.o.keepalive_s = INT_MAX);
	WRONG("recv_buffer", t.o.recv_buffer = 255);
	WRONG("recv_buffer", t.o.recv_buffer = 1);
	WRONG("recv_buffer", t.o.recv_buffer = SIZE_MAX);
	WRONG("send_buffer", t.o.send_buffer = 255);
	WRONG("send_buffer", t.o.send_buffer = SIZE_MAX);
	WRONG("max_message", t.o.max_message = SIZE_MAX);
	WRONG("family", t.o.family = 5);
	WRONG("family", t.o.family = -4);
	WRONG("origin", t.o.origin = "http://a\r\nb");
	WRONG("host", t.o.host = "a b");
	WRONG("host", t.o.host = "");
	WRONG("host", t.o.host = "a\r\nB: c");
	WRONG("user_agent", t.o.user_agent = "a\nb");
	WRONG("cookie", t.o.cookie = "a\rb");
	WRONG("user", t.o.user = "name");
	WRONG("user", t.o.user = "name:pass\n");
	WRONG("bearer", t.o.bearer = "a b");
	WRONG("bearer", t.o.bearer = "");
	WRONG("bearer", (t.o.bearer = "abc", t.o.user = "a:b"));
	WRONG("io", t.io.io_read = NULL);
	WRONG("io", t.io.io_write = NULL);
	WRONG("io", t.io.io_wait = NULL);
	WRONG("unix_socket", t.o.unix_socket = "");
	if (!(ws_features() & WS_HAS_REDIRECTS))
		WRONG("max_redirects", t.o.max_redirects = 1);
	WRONG("proxy", t.o.proxy = "ftp://a/");
	WRONG("proxy", t.o.proxy = "http://");
	WRONG("proxy", t.o.proxy = "http://a:0/");
	if (ws_features() & WS_HAS_PROXY) {
		WRONG("proxy_wss", t.o.proxy_wss = "http://a:99999/");
		WRONG("no_proxy", t.o.no_proxy = "a,10.0.0.0/33");
	}
	WRONG("local_interface", t.o.local_interface = "");
	WRONG("local_interface", t.o.local_interface = "sixteen-letters.");
	WRONG("local_interface", t.o.local_interface = "a-name-that-is-longer-than-that-of-any-device");
	for (i = 0; i < sizeof bad_headers / sizeof bad_headers[0]; i++)
		WRONG("headers", t.o.headers = bad_headers[i]);
	for (i = 0; i < sizeof bad_protocols / sizeof bad_protocols[0]; i++)
		WRONG("subprotocols", t.o.subprotocols = bad_protocols[i]);
	for (i = 0; i < sizeof bad_resolve / sizeof bad_resolve[0]; i++)
		WRONG("resolve", t.o.resolve = bad_resolve[i]);
	if (!(ws_features() & WS_HAS_TLS)) {
		WRONG("tls", t.o.tls.ca_file = "x");
		WRONG("tls", t.o.tls.ca_dir = "x");
		WRONG("tls", t.o.tls.cert_file = "x");
		WRONG("tls", t.o.tls.key_file = "x");
		WRONG("tls", t.o.tls.key_password = "x");
		WRONG("tls", t.o.tls.server_name = "x");
		WRONG("tls", t.o.tls.ciphers = "x");
		WRONG("tls", t.o.tls.pin_sha256 = "x");
		WRONG("tls", t.o.tls.keylog_file = "x");
		WRONG("tls", t.o.tls.min_version = 12);
		WRONG("tls", t.o.tls.max_version = 13);
		WRONG("tls", t.o.tls.insecure_no_verify = 1);
		WRONG("tls", t.o.tls.insecure_no_hostname = 1);
		WRONG("tls", t.o.tls.config = &t);
	}
	talk_begin(&t, "", 0);
	t.o.headers = good_headers;
	talk_open(&t);
	CHECK(sent_has(&t, "\r\nA: b\r\n") && sent_has(&t, "\r\nConnection: keep-alive, Upgrade\r\n"));
	talk_end(&t);
	/* a sentence shows what was wrong, but no secret */
	for (i = 0; i < 8; i++) {
		static const char *const lines[][2] = {
		    {"Authorization: s3cret\n", NULL}, {"seen", NULL}, {"seen it", NULL}};

		talk_begin(&t, "", 0);
		t.o.user = i == 0 ? "name:s3cret\n" : NULL;
		t.o.bearer = i == 1 ? "s3cret s3cret" : NULL;
		t.o.cookie = i == 2 ? "a=s3cret\n" : NULL;
		t.o.headers = i == 3 ? lines[0] : NULL;
		t.o.resolve = i == 4 ? lines[1] : NULL;
		t.o.subprotocols = i == 5 ? lines[2] : NULL;
		t.o.origin = i == 6 ? "seen\n" : NULL;
		t.o.host = i == 7 ? "/seen" : NULL;
		t.ws = ws_new("ws://127.0.0.1:1/", &t.o);
		CHECK_EQ_U(ws_open(t.ws), WS_EUSAGE);
		CHECK(!strstr(ws_error(t.ws), "s3cret"));
		CHECK(i < 4 || strstr(ws_error(t.ws), "seen") || strstr(ws_error(t.ws), "not built in"));
		CHECK(i != 3 || strstr(ws_error(t.ws), "Authorization"));
		talk_end(&t);
	}
	for (i = 0; i < 3; i++) { /* the second and third have a path with an '@' in it, and no user */
		static const char *const urls[] = {"http://me:s3cret@ho st/", "http://me:1/s3cret@seen:3128",
		                                   "socks5://me?s3cret@seen"};

		talk_begin(&t, "", 0);
		t.o.proxy = urls[i];
		t.ws = ws_new("ws://127.0.0.1:1/", &t.o);
		CHECK(!strstr(ws_error(t.ws), "s3cret"));
		CHECK(i == 0 || strstr(ws_error(t.ws), "seen") || strstr(ws_error(t.ws), "not built in"));
		CHECK_EQ_S(ws_info(t.ws)->option, "proxy");
		talk_end(&t);
	}
	if (ws_features() & WS_HAS_PROXY) { /* of a list the one that is wrong */
		talk_begin(&t, "", 0);
		t.o.no_proxy = "a.test seen$ b.test\tc.test";
		t.ws = ws_new("ws://127.0.0.1:1/", &t.o);
		CHECK(strstr(ws_error(t.ws), "\"seen$\""));
		talk_end(&t);
	}

	/* io_wait may lack with nonblock; the least and the largest values pass */
	talk_begin(&t, "", 0);
	t.io.io_wait = NULL;
	t.o.nonblock = 1;
	t.o.recv_buffer = t.o.send_buffer = 256;
	t.o.max_message = PTRDIFF_MAX / 2;
	t.o.timeout_ms = INT_MAX;
	t.o.connect_timeout_ms = INT_MAX;
	t.o.family = 6;
	t.o.keepalive_s = 1;
#ifndef WS_NO_NET
	t.o.local_interface = "fifteen-letters";
#endif
	t.o.proxy = t.o.proxy_wss = "";
	talk_open(&t);
	talk_end(&t);

	/* URLs */
	{
		static const char *const urls[] = {NULL,
		                                   "",
		                                   "x",
		                                   "ftp://a/",
		                                   "ws://",
		                                   "ws:///",
		                                   "ws://a:0/",
		                                   "ws://a:65536/",
		                                   "ws://a b/",
		                                   "ws://a/#f",
		                                   "ws://a/#",
		                                   "ws://[::1/",
		                                   "ws://a/\r\nX: y",
		                                   "ws://u:s3cret@a b/",
		                                   "ws://u:s3cret@a/#x"};

		for (i = 0; i < sizeof urls / sizeof urls[0]; i++) {
			talk_begin(&t, "", 0);
			t.ws = ws_new(urls[i], &t.o);
			CHECK(ws_error(t.ws)[0] != '\0');
			CHECK_EQ_U(ws_open(t.ws), WS_EURL);
			CHECK_EQ_U(ws_info(t.ws)->phase, WS_URL);
			CHECK(!strstr(ws_error(t.ws), "s3cret") && !strstr(ws_info(t.ws)->url, "s3cret"));
			CHECK(!strpbrk(ws_error(t.ws), "\r\n"));
			CHECK_EQ_U(t.f.ios, 0);
			talk_end(&t);
		}
	}
	{
		struct script s = {NULL, 0, 0};
		int over;

		for (over = 0; over < 2; over++) {
			s.len = 0;
			script_str(&s, "ws://a/");
			while (s.len < WS_MAX_URL + (size_t)over)
				script_byte(&s, 'x');
			script_byte(&s, 0);
			talk_begin(&t, "", 0);
			t.ws = ws_new((char *)s.p, &t.o);
			CHECK_EQ_U(ws_open(t.ws), over ? WS_EURL : 0);
			talk_end(&t);
		}
		script_free(&s);
	}
	/* wss:// over a transport of the program's own is its TLS; io_is_plain wants ours */
	talk_begin(&t, "", 0);
	t.ws = ws_new("wss://a/", &t.o);
	CHECK_EQ_U(ws_open(t.ws), 0);
	CHECK_EQ_S(ws_info(t.ws)->address, "a:443");
	talk_end(&t);
	if (!(ws_features() & WS_HAS_TLS)) {
		talk_begin(&t, "", 0);
		t.o.io_is_plain = 1;
		t.ws = ws_new("wss://a/", &t.o);
		CHECK_EQ_U(ws_open(t.ws), WS_EUNSUPPORTED);
		CHECK(strstr(ws_error(t.ws), "TLS") != NULL);
		CHECK_EQ_U(t.f.ios, 0);
		talk_end(&t);
	}
	/* headers too long for any request */
	{
		const char *headers[] = {NULL, NULL};
		char *h = malloc(1100000);

		memset(h, 'x', 1100000);
		memcpy(h, "A: ", 3);
		h[1099999] = '\0';
		headers[0] = h;
		talk_begin(&t, "", 0);
		t.o.headers = headers;
		t.ws = ws_new(URL, &t.o);
		CHECK_EQ_U(ws_open(t.ws), WS_EUSAGE);
		CHECK_EQ_S(ws_info(t.ws)->option, "headers");
		CHECK_EQ_U(t.f.out_len, 0);
		talk_end(&t);
		h[300000] = '\0';
		talk_begin(&t, "", 0);
		t.o.headers = headers;
		talk_open(&t);
		CHECK(t.f.out_len > 300000 && t.f.alive < 50000); /* and what it took is given back */
		talk_end(&t);
		free(h);
	}
}

/* An older program's struct, and one of a newer header */
static void test_size(void)
{
	struct talk t;
	struct ws_options *o;
	struct {
		struct ws_options o;
		char more[64];
	} newer;
	size_t n = offsetof(struct ws_options, max_redirects), full = sizeof(struct ws_options);
	struct ws_answer a;
	struct ws *ws;

#ifndef WS_NO_NET
	/* behind its end there is nothing to be looked at */
	o = malloc(full);
	memset(o, 0xff, full);
	memset(o, 0, n);
	o->size = n;
	o->recv_buffer = 100;
	ws = ws_new("ws://127.0.0.1:1/", o);
	CHECK_EQ_U(ws_open(ws), WS_EUSAGE);
	CHECK_EQ_S(ws_info(ws)->option, "recv_buffer");
	ws_free(ws);
	o->recv_buffer = 0;
	o->timeout_ms = 2000;
	CHECK(ws_query("ws://127.0.0.1:1/", o, WS_TEXT, "x", 1, &a) < 0);
	ws_answer_free(&a, o);
	free(o);
#else
	(void)o;
	(void)ws;
	(void)a;
	(void)n;
#endif

	talk_begin(&t, "", 0);
	t.o.size = full;
	talk_open(&t);
	talk_end(&t);
	talk_begin(&t, "", 0);
	memset(&newer, 0xff, sizeof newer);
	newer.o = t.o;
	newer.o.size = sizeof newer;
	t.ws = ws_new(URL, &newer.o);
	CHECK_EQ_U(ws_open(t.ws), 0);
	talk_end(&t);
}

/* The one call */
static void test_query(void)
{
	static const struct {
		const char *what, *in;
		size_t len;
		int end, err, connected, type;
		const char *data;
		int64_t us;
	} cases[] = {
#define Q(what, in, end, err, connected, type, data, us) {what, in, sizeof in - 1, end, err, connected, type, data, us}
	    Q("text", FAKE_101 "\x81\x05Hello\x88\x02\x03\xe8", 0, 0, 1, WS_TEXT, "Hello", 0),
	    Q("binary", FAKE_101 "\x89\x00\x82\x02xy\x88\x02\x03\xe8", 0, 0, 1, WS_BINARY, "xy", 0),
	    Q("empty", FAKE_101 "\x81\x00", WS_IO_EOF, 0, 1, WS_TEXT, "", 0),
	    Q("fragments", FAKE_101 "\x01\x03Hel\x80\x02lo", WS_IO_EOF, 0, 1, WS_TEXT, "Hello", 0),
	    Q("a close that never comes", FAKE_101 "\x81\x05Hello", 0, 0, 1, WS_TEXT, "Hello", 1000000),
	    Q("silence", FAKE_101, 0, WS_ETIMEOUT, 1, 0, NULL, 10000000),
	    Q("closed", FAKE_101 "\x88\x02\x03\xe8", 0, WS_ECLOSED, 1, 0, NULL, 0),
	    Q("cut off", FAKE_101 "\x81\x05Hel", WS_IO_EOF, WS_ECLOSED, 1, 0, NULL, 0),
	    Q("reset", FAKE_101 "\x81\x05Hel", WS_IO_RESET, WS_ERESET, 1, 0, NULL, 0),
	    Q("a violation", FAKE_101 "\xc1\x05Hello", WS_IO_EOF, WS_EPROTOCOL, 1, 0, NULL, 0),
	    Q("a violation, then silence", FAKE_101 "\xc1\x05Hello", 0, WS_EPROTOCOL, 1, 0, NULL, 1000000),
	    Q("refused", "HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n", 0, WS_EHTTP, 0, 0, NULL, 0),
	    Q("no answer", "", 0, WS_ETIMEOUT, 0, 0, NULL, 10000000),
	};
	struct ws_answer a;
	struct talk t;
	size_t i;
	unsigned long n;
	int k;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		for (n = 0; n < 100; n++) { /* n: that allocation fails */
			talk_begin(&t, "", 0);
			t.f.in = (const unsigned char *)cases[i].in;
			t.f.in_len = cases[i].len;
			t.f.split = 0;
			t.f.end = cases[i].end;
			t.f.alloc_fail_at = n;
			t.o.nonblock = t.o.stream = 1; /* it waits, and takes whole messages, whatever these say */
			memset(&a, 0xee, sizeof a);
			k = ws_query(URL, &t.o, WS_TEXT, "ask", 3, &a);
			if (n && t.f.failed_allocs == 0)
				n = 1000;
			if (!CHECK(k == a.err && (k == 0) == (a.error[0] == '\0') && !t.f.hung && !t.f.wrong
			           && (n == 1 || n == 2 || t.f.closes == 1)))
				fprintf(stderr, "%s, allocation %lu: %d, %d \"%s\", closed %lu times\n", cases[i].what,
				        n, k, a.err, a.error, t.f.closes);
			CHECK(k == 0 ? a.data && a.data[a.len] == '\0' : 1);
			if (!CHECK(k == cases[i].err || (n && n < 1000 && k == WS_EMEMORY)))
				fprintf(stderr, "%s, allocation %lu: %d %s\n", cases[i].what, n, k, a.error);
			if (n == 0) {
				CHECK_EQ_U(a.connected, cases[i].connected);
				CHECK_EQ_U(a.type, cases[i].type);
				CHECK(cases[i].data ? a.data && strcmp(a.data, cases[i].data) == 0
				                          && a.len == strlen(cases[i].data)
				                    : !a.data && a.len == 0);
				timed(cases[i].what, 0, 0, &t.f, cases[i].us);
			}
			if (k == 0 || (n == 0 && a.connected)) {
				t.at = fake_request_end(&t.f);
				SENT(&t, 0x81, "ask", 3);
			}
			ws_answer_free(&a, &t.o);
			CHECK(!a.data);
			ws_answer_free(&a, &t.o); /* twice is fine */
			CHECK(t.f.alive == 0 && t.f.blocks == 0);
			fake_free(&t.f);
			script_free(&t.s);
		}
	}
	/* no data: only receives; empty data: an empty message */
	for (k = 0; k < 2; k++) {
		talk_begin(&t, "\x81\x02hi", 4);
		t.f.end = WS_IO_EOF;
		CHECK_EQ_U(ws_query(URL, &t.o, WS_BINARY, k ? "" : NULL, 0, &a), 0);
		t.at = fake_request_end(&t.f);
		if (k)
			SENT(&t, 0x82, "", 0);
		SENT(&t, 0x88, "\x03\xe8", 2);
		SENT_ALL(&t);
		ws_answer_free(&a, &t.o);
		CHECK(t.f.alive == 0);
		fake_free(&t.f);
		script_free(&t.s);
	}
	/* what is wrong is told */
	talk_begin(&t, "", 0);
	CHECK_EQ_U(ws_query(URL, &t.o, 7, "x", 1, &a), WS_EUSAGE);
	CHECK(a.connected == 1 && a.error[0] && a.data == NULL);
	CHECK(t.f.alive == 0);
	fake_free(&t.f);
	script_free(&t.s);
	talk_begin(&t, "", 0);
	CHECK_EQ_U(ws_query(URL, &t.o, WS_TEXT, "\xff", 1, &a), WS_EUSAGE);
	CHECK(t.f.alive == 0);
	fake_free(&t.f);
	script_free(&t.s);
#ifndef WS_NO_NET
	CHECK_EQ_U(ws_query("ws://", NULL, WS_TEXT, "x", 1, &a), WS_EURL);
	CHECK(a.connected == 0 && a.error[0]);
	ws_answer_free(&a, NULL);
	CHECK_EQ_U(ws_query(NULL, NULL, WS_TEXT, "x", 1, &a), WS_EURL);
	ws_answer_free(&a, NULL);
#endif
	/* a greeting that comes before all is sent: all is sent still, and if it cannot be, that is no success */
	for (k = 0; k < 2; k++) {
		static char data[100000];

		talk_begin(&t, "\x81\x02hi", 4);
		t.f.room = 5000;
		t.f.drain = k ? 0 : 1000;
		t.f.drain_us = 100;
		k = ws_query(URL, &t.o, WS_BINARY, data, sizeof data, &a) == 0 ? k : k + 10;
		CHECK_EQ_U(k, k % 10 ? 11 : 0);
		if (k == 0) {
			t.at = fake_request_end(&t.f);
			SENT(&t, 0x82, data, sizeof data);
			CHECK(a.data && strcmp(a.data, "hi") == 0);
		} else {
			CHECK_EQ_U(a.err, WS_ETIMEOUT);
			CHECK(a.error[0]);
		}
		ws_answer_free(&a, &t.o);
		CHECK(t.f.alive == 0);
		fake_free(&t.f);
		script_free(&t.s);
	}
}

static void test_names(void)
{
	static const struct {
		int err;
		const char *name;
	} names[] = {{0, "ok"},
	             {WS_AGAIN, "again"},
	             {WS_ETIMEOUT, "timeout"},
	             {WS_EUSAGE, "usage"},
	             {WS_EURL, "url"},
	             {WS_EMEMORY, "memory"},
	             {WS_EUNSUPPORTED, "unsupported"},
	             {WS_EENTROPY, "io"},
	             {WS_EIO, "io"},
	             {WS_ERESOLVE, "resolve"},
	             {WS_EREFUSED, "refused"},
	             {WS_EUNREACHABLE, "unreachable"},
	             {WS_EPROXY, "proxy"},
	             {WS_ETLS, "tls"},
	             {WS_ECERT, "certificate"},
	             {WS_EHTTP, "http"},
	             {WS_EREDIRECT, "redirect"},
	             {WS_EHANDSHAKE, "handshake"},
	             {WS_EPROTOCOL, "protocol"},
	             {WS_EUTF8, "utf8"},
	             {WS_ETOOBIG, "too_big"},
	             {WS_ECLOSED, "closed"},
	             {WS_ERESET, "reset"}};
	static const char *const phases[] = {"resolve", "connect", "proxy",   "tls", "upgrade",
	                                     "ready",   "url",     "closing", "done"};
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		CHECK_EQ_S(ws_errname(names[i].err), names[i].name);
	for (i = 0; i < 100; i++) /* also for what is none, which a newer library may know */
		CHECK(ws_errname(-(int)i)[0] >= 'a' && ws_errname(-(int)i)[0] <= 'z');
	CHECK_EQ_S(ws_errname(-12345), "io");
	CHECK_EQ_S(ws_errname(77), "io");
	for (i = 0; i < sizeof phases / sizeof phases[0]; i++)
		CHECK_EQ_S(ws_phasename((enum ws_phase)i), phases[i]);
	for (; i < 99; i++)
		CHECK_EQ_S(ws_phasename((enum ws_phase)i), "");
	CHECK(strncmp(ws_version(), WS_VERSION, strlen(WS_VERSION)) == 0);
}

/* trace: whole heads, frames as they begin */
struct traced {
	struct fake f; /* first: user_data is this */
	char text[4000];
	size_t text_len;
};

static void note_trace(void *user_data, int sent, int type, const void *data, size_t len)
{
	struct traced *t = user_data;

	say(t->text, sizeof t->text, &t->text_len, "%s%c", t->text_len ? " " : "", sent ? '>' : '<');
	if (type == WS_TRACE_HEAD)
		say(t->text, sizeof t->text, &t->text_len, "HEAD%lu", (unsigned long)len);
	else
		say_bytes(t->text, sizeof t->text, &t->text_len, data, len);
}

static void test_trace(void)
{
	static struct traced t;
	struct ws_options o;
	struct ws_io io;
	struct ws_msg msg;
	struct script s = {NULL, 0, 0};
	struct ws *ws;
	char want[400];
	static char big[5000];

	script_str(&s, FAKE_101);
	script_put(&s, "\x81\x02hi\x89\x01p\x02\x01x\x80\x01y", 13);
	script_frame(&s, 0x82, NULL, 1000);
	script_put(&s, "\x88\x02\x03\xe8", 4);
	fake_init(&t.f, s.p, s.len);
	fake_options(&t.f, &o, &io);
	o.trace = note_trace;
	ws = ws_new(URL, &o);
	CHECK_EQ_U(ws_open(ws), 0);
	sprintf(want, ">HEAD%lu <HEAD%lu", (unsigned long)fake_request_end(&t.f), (unsigned long)HEAD_LEN);
	CHECK_EQ_S(t.text, want);
	t.text_len = 0;
	CHECK_EQ_U(ws_send(ws, WS_TEXT, "yo", 2), 2);
	CHECK_EQ_U(ws_send(ws, WS_TEXT, NULL, 0), 0);
	CHECK_EQ_U(ws_ping(ws, NULL, 0), 0);
	CHECK_EQ_S(t.text, ">\"\\x81\\x02yo\" >\"\\x81\\x00\" >\"\\x89\\x00\"");
	t.text_len = 0;
	CHECK_EQ_U(ws_recv(ws, &msg), 0);
	CHECK_EQ_U(ws_recv(ws, &msg), 0);
	CHECK_EQ_S(t.text, "<\"\\x81\\x02hi\" <\"\\x89\\x01p\" >\"\\x8a\\x01p\" <\"\\x02\\x01x\" <\"\\x80\\x01y\"");
	t.text_len = 0;
	CHECK_EQ_U(ws_recv(ws, &msg), 0);
	CHECK_EQ_U(ws_send(ws, WS_BINARY, big, sizeof big), sizeof big);
	CHECK(strncmp(t.text, "<[256#", 6) == 0 && strstr(t.text, " >[256#"));
	t.text_len = 0;
	CHECK_EQ_U(ws_close(ws, 1000, "bye"), 0);
	CHECK_EQ_S(t.text, ">\"\\x88\\x05\\x03\\xe8bye\" <\"\\x88\\x02\\x03\\xe8\"");
	ws_free(ws);
	check_clean(&t.f);
	fake_free(&t.f);
	script_free(&s);
}

int main(void)
{
	test_vectors();
	test_close_codes_in();
	test_lengths();
	test_rfc_handshake();
	test_rfc_frames();
	test_answers();
	test_answer_unasked();
	test_head_limits();
	test_refused();
	test_pings();
	test_ping_flood();
	test_short_writes();
	test_send();
	test_states();
	test_close_out();
	test_close_when_full();
	test_needless_waits();
#ifndef WS_NO_NET /* no sockets, and no allocator of its own */
	test_both_ways();
#endif
	test_echo();
	test_deadline_open();
	test_deadline_recv();
	test_deadline_send();
	test_flood();
	test_entropy();
	test_no_memory();
	test_pieces();
	test_allocations();
	test_failing();
	test_wants();
	test_options();
	test_size();
	test_query();
	test_names();
	test_trace();
	return check_done();
}
