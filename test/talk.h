/* SPDX-License-Identifier: ISC
 * talk.h - two ways to test a connection over the fake transport: a whole run (run) and an open
 * connection (struct talk)
 */
#ifndef TALK_H
#define TALK_H
#include "check.h"
#include "fake.h"
#include <stdarg.h>
#include <stddef.h>

#define URL "ws://server.example.com/chat"
#define HEAD_LEN (sizeof FAKE_101 - 1)

/* The outcome of a run as text: the messages, how the run ended, and what the client sent */
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

__attribute__((format(printf, 4, 5))) static inline void say(char *buf, size_t cap, size_t *len,
                                                             const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf + *len, cap - *len, fmt, ap);
	va_end(ap);
	*len += (size_t)n < cap - *len ? (size_t)n : cap - *len - 1;
}

static inline void say_bytes(char *buf, size_t cap, size_t *len, const void *data, size_t n)
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

/* The frames sent after the request: "P" pong, "I" ping, "C" close and its code, "T" "B" "K" data
 */
static inline void say_sent(struct outcome *o)
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
		else if (n == 1)
			SAY(o, sent, "(half a code)");
	}
	if (at && at != f->out_len)
		SAY(o, sent, " ...");
}

static inline void check_clean(struct fake *f)
{
	CHECK(f->alive == 0 && f->blocks == 0);
	CHECK(f->closes == 1);
	CHECK(!f->wrong);
	CHECK(!f->hung);
}

static inline void count_trace(void *user_data, int sent, int type, const void *data, size_t len)
{
	struct fake *f = user_data;
	const unsigned char *p = data;
	size_t i;

	(void)sent;
	if (type < WS_TRACE_HEAD || type > WS_TRACE_TLS || len == 0)
		fake_wrong(f, "trace of what?");
	for (i = 0; i < len; i++)
		f->traces += p[i] != 0; /* every byte is there to be read */
}

static inline void set_options(struct fake *f, const struct how *h, struct ws_options *o,
                               struct ws_io *io)
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

/* Repeats a call while it returns WS_AGAIN, which a blocking call must never do */
#define REPEAT(r, f, ws, nonblocking, call)                                                        \
	do {                                                                                       \
		(r) = (call);                                                                      \
		if ((r) == WS_AGAIN) {                                                             \
			if (!(nonblocking)) {                                                      \
				fake_wrong(f, "WS_AGAIN without nonblock: " #call);                \
				break;                                                             \
			}                                                                          \
			fake_poll(f, ws);                                                          \
		}                                                                                  \
	} while ((r) == WS_AGAIN)

/* Opens, receives everything, closes, frees */
static inline void run_prepared(const struct how *h, struct outcome *o, struct ws_options *opt)
{
	struct fake *f = &o->fake;
	struct ws_msg msg;
	struct script piece = {NULL, 0, 0};
	struct ws_conn *ws;
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
		SAY(o, got, "%s%c", o->got_len ? " " : "",
		    type == WS_TEXT     ? 'T'
		    : type == WS_BINARY ? 'B'
		                        : '?');
		say_bytes(o->got, sizeof o->got, &o->got_len, piece.p ? (void *)piece.p : "",
		          piece.len);
		o->messages++;
		piece.len = 0;
		type = 0;
	}
	script_free(&piece);
	o->err = r;
	info = ws_report(ws);
	SAY(o, end, "%s", ws_errname(r));
	if (info->err != r)
		fake_wrong(f, "info->err is not what was returned");
	if (ws_errmsg(ws)[0] == '\0')
		fake_wrong(f, "no sentence for a failure");
	if (info->close_code)
		SAY(o, end, " %d", info->close_code);
	if (info->close_reason_len != strlen(info->close_reason)
	    && !memchr(info->close_reason, 0, info->close_reason_len))
		fake_wrong(f, "close_reason_len");
	if (info->close_reason_len) {
		SAY(o, end, " ");
		say_bytes(o->end, sizeof o->end, &o->end_len, info->close_reason,
		          info->close_reason_len);
	}
	if (o->opened) {
		if (ws_recv(ws, &msg) != o->err || ws_send(ws, WS_TEXT, "x", 1) != o->err
		    || ws_ping(ws, "x", 1) != o->err)
			fake_wrong(f, "the first error did not stay");
		REPEAT(o->close_err, f, ws, h->nonblock, ws_close(ws, 1000, NULL));
		if (o->close_err
		    != (o->err == WS_ECLOSED && info->close_code && info->close_code != 1006
		            ? 0
		            : o->err))
			fake_wrong(f, "ws_close of what was over");
	}
	ws_free(ws);
	say_sent(o);
}

static inline void run(const struct how *h, const void *in, size_t in_len, struct outcome *o)
{
	struct ws_options opt;
	struct ws_io io;

	memset(o, 0, offsetof(struct outcome, fake));
	fake_init(&o->fake, in, in_len);
	set_options(&o->fake, h, &opt, &io);
	run_prepared(h, o, &opt);
	fake_free(&o->fake);
}

/* A response to the upgrade, line by line */
#define OK101 "HTTP/1.1 101 Switching Protocols\r\n"
#define UP "Upgrade: websocket\r\n"
#define CONN "Connection: Upgrade\r\n"
#define ACC "Sec-WebSocket-Accept: " FAKE_ACCEPT "\r\n"

/* An open connection over a fake transport, whose peer sends `rest` and nothing more */
struct talk {
	struct fake f;
	struct ws_options o;
	struct ws_io io;
	struct script s;
	struct ws_conn *ws;
	size_t at; /* in f.out, after the frames already examined */
};

static inline void talk_begin(struct talk *t, const void *rest, size_t len)
{
	memset(t, 0, sizeof *t);
	script_str(&t->s, FAKE_101);
	script_put(&t->s, rest, len);
	fake_init(&t->f, t->s.p, t->s.len);
	fake_options(&t->f, &t->o, &t->io);
	t->f.split = HEAD_LEN;
}

static inline void talk_open(struct talk *t)
{
	int r;

	t->ws = ws_new(URL, &t->o);
	REPEAT(r, &t->f, t->ws, t->o.nonblock, ws_open(t->ws));
	CHECK_EQ_U(r, 0);
	CHECK_EQ_U(ws_fd(t->ws), -1); /* the transport is the program's */
	t->at = fake_request_end(&t->f);
}

/* The first byte of the next frame that the client sent, or 0 if there is no other frame */
static inline unsigned talk_sent(struct talk *t, unsigned char **p, size_t *len)
{
	unsigned char key[4];
	unsigned b0;

	return fake_frame(&t->f, &t->at, &b0, p, len, key) ? b0 : 0;
}

static inline void talk_expect(struct talk *t, unsigned b0, const void *payload, size_t len,
                               const char *file, int line)
{
	unsigned char *p = NULL;
	size_t n = 0;
	unsigned got = talk_sent(t, &p, &n);

	if (got != b0)
		fprintf(stderr, "%s:%d: frame 0x%02x, not 0x%02x\n", file, line, got, b0);
	if (CHECK(got == b0) && got)
		CHECK_EQ_MEM(p, n, payload, len);
}
#define SENT(t, b0, payload, len) talk_expect(t, b0, payload, len, __FILE__, __LINE__)
#define SENT_ALL(t)                                                                                \
	do {                                                                                       \
		unsigned char *p_;                                                                 \
		size_t n_;                                                                         \
		CHECK_EQ_U(talk_sent(t, &p_, &n_), 0);                                             \
		CHECK_EQ_U((t)->at, (t)->f.out_len);                                               \
	} while (0)

/* True if the client has sent that text. */
static inline int talk_sent_has(const struct talk *t, const char *text)
{
	size_t i, n = strlen(text);

	for (i = 0; i + n <= t->f.out_len; i++)
		if (memcmp(t->f.out + i, text, n) == 0)
			return 1;
	return 0;
}

static inline void talk_end(struct talk *t)
{
	ws_free(t->ws);
	check_clean(&t->f);
	fake_free(&t->f);
	script_free(&t->s);
}

/* Lets the server send more */
static inline void talk_more(struct talk *t, const void *p, size_t len)
{
	script_put(&t->s, p, len);
	t->f.in = t->s.p;
	t->f.in_len = t->s.len;
}

static inline struct ws_pollset wants(const struct talk *t)
{
	struct ws_pollset set;

	memset(&set, 0xee, sizeof set);
	ws_wants(t->ws, &set);
	return set;
}

#define CUT "closed 1006" /* how a script without a close frame ends */
#define SIXTY "012345678901234567890123456789012345678901234567890123456789"

static inline int starts(const char *s, const char *beginning)
{
	return strncmp(s, beginning, strlen(beginning)) == 0;
}

static inline int code_ok(unsigned c) /* RFC 6455 7.4, and the registry's 1012-1014 */
{
	return (c >= 1000 && c <= 1014 && c != 1004 && c != 1005 && c != 1006)
	       || (c >= 3000 && c <= 4999);
}

/* Checks that r is `want` and that the clock shows `us`, or a little more */
static inline void timed(const char *what, int r, int want, const struct fake *f, int64_t us)
{
	if (!CHECK(r == want && f->now - 1000000 >= us && f->now - 1000000 <= us + 1100))
		fprintf(stderr, "%s: %d after %ld us, want %d after %ld\n", what, r,
		        (long)f->now - 1000000, want, (long)us);
}
#endif
