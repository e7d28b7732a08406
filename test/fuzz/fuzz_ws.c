/* SPDX-License-Identifier: ISC
 * fuzz_ws.c - what a server sends, as any bytes cut anywhere, against the whole client over a fake
 * transport
 *
 * With -DFUZZ_MAIN it runs the files named; without any, inputs that it makes itself.
 *
 * Each input is played several times: at once to a blocking client with default buffers, then in
 * small pieces to one that does not block and has small buffers. In between the program sends, pings,
 * cancels and shuts down. What is received must be the same, the error too; memory stays below a
 * limit, and no call waits past its deadline; what the client sends is well formed. Then the server
 * is slow, or an allocation or a call of the transport fails: never a crash, a leak or a message
 * that the server did not send.
 */
#include "test/fake.h"
#include <stdarg.h>
#include <stddef.h>

#define CONFIG 10 /* bytes of an input before what the server says */

struct result {
	char got[16384]; /* a digest for each message, in order */
	size_t got_len, messages;
	int open_err, err, close_code, status;
	size_t reason_len, body_len, head_len;
	unsigned reason, body, subprotocol;
	struct fake fake;
};

static const unsigned char *input;
static size_t input_len;

#define ASSERT(cond)                                                                               \
	do {                                                                                       \
		if (!(cond))                                                                       \
			broken(#cond, __LINE__);                                                   \
	} while (0)

static void broken(const char *what, int line)
{
	size_t i;

	fprintf(stderr, "fuzz_ws.c:%d: not so: %s\ninput of %lu bytes:", line, what,
	        (unsigned long)input_len);
	for (i = 0; i < input_len && i < 2000; i++)
		fprintf(stderr, " %02x", input[i]);
	fprintf(stderr, "\n");
	abort();
}

static unsigned digest(unsigned h, const void *p, size_t len)
{
	const unsigned char *s = p;

	while (len--)
		h = (h ^ *s++) * 16777619u;
	return h;
}

static void note(struct result *r, const char *fmt, ...)
{
	size_t room = sizeof r->got - r->got_len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(r->got + r->got_len, room, fmt, ap);
	va_end(ap);
	if ((size_t)n < room)
		r->got_len += (size_t)n;
}

/* Everything that the client sent after its request obeys RFC 6455 section 5 */
static void check_sent(struct fake *f)
{
	size_t at = fake_request_end(f), n;
	unsigned b0 = 0, under_way = 0;
	unsigned char *p, key[4];

	while (at && fake_frame(f, &at, &b0, &p, &n, key)) {
		ASSERT(!(b0 & 0x70));
		switch (b0 & 15) {
		case 0:
			ASSERT(under_way);
			under_way = !(b0 & 0x80);
			break;
		case 1:
		case 2:
			ASSERT(!under_way);
			under_way = !(b0 & 0x80);
			break;
		case 8:
			ASSERT(n != 1 && n <= 125 && (b0 & 0x80));
			ASSERT(at == f->out_len); /* nothing after it */
			break;
		default:
			ASSERT(((b0 & 15) == 9 || (b0 & 15) == 10) && n <= 125 && (b0 & 0x80));
		}
	}
}

struct how {
	int second; /* 1: in pieces */
	int slow;   /* 1: time passes between the pieces, and the server reads slowly */
	unsigned long alloc_fail_at, io_fail_at;
	int io_fail;
};

/* The client of one play, and the message that it is receiving */
struct client {
	struct ws_conn *ws;
	struct ws_options o;
	struct ws_io io;
	struct result *r;
	const unsigned char *config;
	unsigned mix;
	size_t size;
	size_t calls;  /* that may make a sentence, or a larger buffer */
	int shut;      /* ws_shutdown was called */
	int cancelled; /* ws_cancel was called, and no call has returned WS_ECANCELED for it */
	int failing;
};

/* Time passes only where the client waits: never past its deadline */
static void check_time(const struct client *c, int64_t begin, int timeout_ms)
{
	ASSERT(c->r->fake.now - begin <= ((int64_t)timeout_ms + 1) * 1000);
}

/* As ws_recv, or ws_recv_within if wait_ms is not -1 */
static int receive_within(struct client *c, int wait_ms)
{
	struct ws_msg msg;
	int64_t begin = c->r->fake.now;
	int r = wait_ms < 0 ? ws_recv(c->ws, &msg) : ws_recv_within(c->ws, &msg, wait_ms);

	if (wait_ms >= 0)
		check_time(c, begin, wait_ms);
	if (r == WS_ECANCELED) {
		ASSERT(c->cancelled);
		c->cancelled = 0;
		return WS_AGAIN;
	}
	if (r)
		return r;
	ASSERT(msg.data && (!msg.more || c->o.stream));
	if (msg.type == WS_PONG) {
		ASSERT(msg.len <= 125 && !msg.more);
		return 0;
	}
	ASSERT(msg.type == WS_TEXT || msg.type == WS_BINARY);
	ASSERT(c->o.stream || !c->o.max_message || msg.len <= c->o.max_message);
	c->mix = digest(c->mix, msg.data, msg.len);
	c->size += msg.len;
	if (!msg.more) {
		note(c->r, "%d:%lu:%x ", msg.type, (unsigned long)c->size, c->mix);
		c->r->messages++;
		c->mix = 2166136261u;
		c->size = 0;
	}
	return 0;
}

/* Handles the result r of a call. Returns 0: call again; 1: it is done, or failed with r. */
static int is_done(struct client *c, int *r)
{
	int got;

	if (*r == WS_ECANCELED) {
		ASSERT(c->cancelled);
		c->cancelled = 0;
		return 0;
	}
	if (*r != WS_AGAIN)
		return 1;
	got = receive_within(c, -1); /* the peer may read only when we do */
	if (got < 0 && got != WS_AGAIN) {
		*r = got;
		return 1;
	}
	if (got == WS_AGAIN && c->o.nonblock)
		fake_poll(&c->r->fake, c->ws);
	return 0;
}

/* Follows ws.h: bytes that were not taken wait until ws_recv was called */
static int send_pieces(struct client *c, int type, const char *data, size_t len)
{
	size_t sent = 0;
	ptrdiff_t s;
	int r;

	do {
		s = ws_send(c->ws, type, data + sent, len - sent);
		ASSERT(s <= (ptrdiff_t)(len - sent));
		sent += s > 0 ? (size_t)s : 0;
		r = WS_AGAIN;
		if (s < 0 || sent == len)
			r = s < 0 ? (int)s : 0;
	} while (!is_done(c, &r));
	return r;
}

static int send_message(struct client *c, int type, const char *data, size_t len)
{
	int r;

	if (c->o.nonblock)
		return send_pieces(c, type, data, len);
	do
		r = ws_send_all(c->ws, type, data, len);
	while (!is_done(c, &r));
	return r;
}

static int ping(struct client *c, size_t len)
{
	int r;

	do
		r = ws_ping(c->ws, "are you there", len);
	while (!is_done(c, &r));
	return r;
}

/* From now on nothing can be sent, but everything is received */
static int shut_down(struct client *c)
{
	int r;

	do
		r = ws_shutdown(c->ws, c->config[9] & 1 ? 1000 : 0, NULL);
	while (!is_done(c, &r));
	ASSERT(r != WS_EUSAGE);
	c->shut = 1;
	if (r == 0)
		ASSERT(ws_send(c->ws, WS_TEXT, "", 0) < 0 && ws_ping(c->ws, "", 0) < 0);
	c->calls += 4;
	return r;
}

/* What the program does between two messages. Returns 0, or the error that ends the connection. */
static int meanwhile(struct client *c, unsigned k)
{
	static char data[3000];
	unsigned what = (c->config[7] >> (k & 3) & 3) + (c->config[8] >> (k & 1) & 4);
	int more = k & 4 ? WS_MORE : 0;

	if (c->config[8] & 32 && !c->shut && k == c->config[9] % 8)
		return shut_down(c);
	c->calls++;
	if (what == 3) {
		ASSERT(ws_send(c->ws, WS_TEXT | 0x800, "", 0) < 0);
		return 0;
	}
	if (what == 4) {
		int r = receive_within(c, (int)(k * 37 % 300));

		return r == WS_AGAIN ? 0 : r;
	}
	if (what == 7) {
		ASSERT(ws_cancel(c->ws) == WS_EIO); /* nothing can wake a transport */
		c->cancelled = 1;
		return 0;
	}
	if (c->shut)
		return 0;
	switch (what) {
	case 1:
		return ping(c, k % 14);
	case 2:
		return send_pieces(c, WS_BINARY | more, data, k * 97 % sizeof data);
	case 5:
		return send_message(c, WS_BINARY | more, data, k * 97 % sizeof data);
	case 6: /* it is sent together with the next message */
		return send_pieces(c, WS_BINARY | more | WS_HOLD, data, k * 7 % 200);
	default:
		return 0;
	}
}

/* The transport's script, and the options */
static void set_up(struct client *c, const struct how *h, const void *in, size_t len)
{
	static const char *const protocols[] = {"chat", "superchat", NULL};
	const unsigned char *config = c->config;
	struct fake *f = &c->r->fake;

	fake_init(f, in, len);
	fake_options(f, &c->o, &c->io);
	c->o.subprotocols = config[0] & 1 ? protocols : NULL;
	c->o.no_utf8_check = config[0] >> 1 & 1;
	c->o.max_message = config[1] % 4 == 0 ? 0 : (size_t)config[1] * config[1];
	c->o.ping_interval_ms = config[8] & 1 ? 1 + config[9] * 20 : 0;
	f->end = config[2] % 3 == 0 ? WS_IO_EOF : config[2] % 3 == 1 ? WS_IO_RESET : 0;
	if (h->second) {
		c->o.nonblock = 1;
		c->o.stream = config[0] >> 2 & 1;
		c->o.recv_buffer = 256 + (size_t)config[3];
		c->o.send_buffer = 256 + (size_t)config[4];
		f->step = 1 + (config[5] & 31);
		if (len > 8192)
			f->step *= 199;
		f->split = config[5] & 128 ? (size_t)config[6] * 2 : 0;
		f->write_max = config[5] & 64 ? 7 : 0;
		f->read_max = config[8] & 2 && len <= 8192 ? 1 + config[9] % 16 : 0;
	}
	if (h->slow) {
		f->step = 1 + (size_t)config[5] * 4;
		f->gap_us = config[6] * 5000;
		f->room = f->drain = 1 + (size_t)config[9] * 8;
		f->drain_us = config[3] * 3000;
	}
	f->alloc_fail_at = h->alloc_fail_at;
	f->io_fail_at = h->io_fail_at;
	f->io_fail = h->io_fail;
	c->failing = h->alloc_fail_at || h->io_fail_at || h->slow;
	c->mix = 2166136261u;
}

/* Calls ws_open and checks its report. Returns 0 or the error. */
static int open_it(struct client *c)
{
	struct result *r = c->r;
	const struct ws_report *report;
	int err;

	while ((err = ws_open(c->ws)) == WS_AGAIN) {
		ASSERT(c->o.nonblock);
		fake_poll(&r->fake, c->ws);
	}
	report = ws_report(c->ws);
	r->open_err = err;
	r->status = report->http_status;
	r->head_len = report->head_len;
	r->body_len = report->body_len;
	r->body = digest(1, report->body, r->body_len);
	r->subprotocol = digest(1, report->subprotocol, strlen(report->subprotocol));
	ASSERT(strlen(report->body) <= r->body_len && r->body_len <= WS_MAX_BODY);
	ASSERT(r->head_len <= WS_MAX_HEAD);
	return err;
}

/* Receives until the connection ends, and closes it. Returns what ended it. */
static int use(struct client *c, int64_t begin)
{
	int64_t closing;
	unsigned k;
	int err = 0, r;

	for (k = 0; err == 0; k++) {
		err = meanwhile(c, k);
		if (err)
			break;
		do
			err = receive_within(c, -1);
		while (err == WS_AGAIN && (fake_poll(&c->r->fake, c->ws), 1));
	}
	ASSERT(err < 0 && err != WS_EUSAGE && err != WS_AGAIN && err != WS_ECANCELED);
	ASSERT(ws_errmsg(c->ws)[0] && (err == WS_ETIMEOUT || ws_report(c->ws)->err == err));
	check_time(c, begin, 10000);
	closing = c->r->fake.now;
	ws_timeout(c->ws, 500);
	while ((r = ws_close(c->ws, c->config[3] & 1 ? 1000 : 0, NULL)) == WS_AGAIN
	       || r == WS_ECANCELED) {
		ASSERT(r == WS_ECANCELED || c->o.nonblock);
		if (r == WS_AGAIN)
			fake_poll(&c->r->fake, c->ws);
	}
	check_time(c, closing, 500);
	ASSERT(r == 0 || r == err || r == WS_ETIMEOUT || err == WS_ETIMEOUT || c->failing);
	return err;
}

/* The final report is consistent, and everything was freed */
static void finish(struct client *c, size_t len)
{
	struct result *r = c->r;
	struct fake *f = &r->fake;
	const struct ws_report *report = ws_report(c->ws);
	const char *p = ws_errmsg(c->ws);

	r->close_code = report->close_code;
	r->reason_len = report->close_reason_len;
	r->reason = digest(1, report->close_reason, r->reason_len);
	ASSERT(report->close_reason[r->reason_len] == '\0' && r->reason_len <= 123);
	for (; *p; p++)
		ASSERT((unsigned char)*p >= 0x20 && *p != 0x7f);
	ws_free(c->ws);
	ASSERT(f->peak <= 120000 + 3 * len + c->o.recv_buffer);
	ASSERT(f->alive == 0 && f->blocks == 0 && f->closes == 1 && !f->wrong && !f->hung);
	ASSERT(f->allocs < 60 + 2 * c->calls + len / 64);
	check_sent(f);
}

static void play(const unsigned char *config, const void *in, size_t len, const struct how *h,
                 struct result *r)
{
	struct client c;
	int64_t begin;

	memset(r, 0, offsetof(struct result, fake));
	memset(&c, 0, sizeof c);
	c.config = config;
	c.r = r;
	set_up(&c, h, in, len);
	begin = r->fake.now;
	c.ws = ws_new("ws://server.example.com/chat", &c.o);
	if (!c.ws) {
		ASSERT(h->alloc_fail_at && r->fake.alive == 0);
		r->open_err = r->err = WS_EMEMORY;
		return;
	}
	r->err = open_it(&c);
	check_time(&c, begin, 10000);
	if (r->err == 0)
		r->err = use(&c, begin);
	finish(&c, len);
}

/* Makes what the server sends. Returns 1: frames after a successful upgrade; 0: any response. */
static int make_script(struct script *s, const unsigned char *data, size_t len)
{
	int frames = !(data[0] & 128), k;

	if (frames)
		script_str(s, FAKE_101);
	else if (data[0] & 64)
		script_str(s, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: "
		              "websocket\r\nSec-WebSocket-Accept: " FAKE_ACCEPT "\r\n");
	else if (data[0] & 32)
		script_str(s, "HTTP/1.1 4");
	for (k = 0; frames && data[8] >= 192 && k < 2; k++) /* long messages first */
		script_frame(s, 0x82, NULL, (size_t)data[9] * 300);
	script_put(s, data + CONFIG, len - CONFIG);
	return frames;
}

/* The same bytes in any pieces are the same messages, and the same end */
static void check_same(const struct result *a, const struct result *b, int streamed)
{
	ASSERT(a->open_err == b->open_err && a->status == b->status && a->head_len == b->head_len);
	ASSERT(a->subprotocol == b->subprotocol);
	ASSERT(a->body_len == b->body_len && a->body == b->body);
	if (a->err == WS_ETOOBIG && streamed) { /* then nothing is too big */
		ASSERT(strncmp(a->got, b->got, a->got_len) == 0);
		return;
	}
	ASSERT(a->messages == b->messages && strcmp(a->got, b->got) == 0);
	ASSERT(a->err == b->err);
	if (a->err != WS_ETIMEOUT) /* otherwise the close ends it */
		ASSERT(a->close_code == b->close_code && a->reason_len == b->reason_len
		       && a->reason == b->reason);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t len);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t len)
{
	static struct result a, b;
	struct script s = {NULL, 0, 0};
	struct how h;
	int frames;

	if (len < CONFIG)
		return 0;
	input = data;
	input_len = len;
	frames = make_script(&s, data, len);
	memset(&h, 0, sizeof h);
	play(data, s.p, s.len, &h, &a);
	h.second = 1;
	play(data, s.p, s.len, &h, &b);
	ASSERT(!frames || a.open_err == 0);
	check_same(&a, &b, data[0] & 4);
	fake_free(&a.fake);
	/* something fails, or is slow */
	h.second = data[4] & 1;
	h.slow = data[8] >> 1 & 1;
	h.alloc_fail_at = data[4] & 2 ? 1 + (data[4] >> 2) % 20 : 0;
	h.io_fail_at = data[4] & 2 || (h.slow && data[6] & 1) ? 0 : 1 + data[6] % 60;
	h.io_fail = -(int)(data[6] % 6);
	play(data, s.p, s.len, &h, &a);
	if (!h.second || !(data[0] & 4))
		ASSERT(a.got_len <= b.got_len ? strncmp(b.got, a.got, a.got_len) == 0
		                              : strncmp(b.got, a.got, b.got_len) == 0);
	fake_free(&a.fake);
	fake_free(&b.fake);
	script_free(&s);
	return 0;
}

#ifdef FUZZ_MAIN
#include "../random.h"

static void some_bytes(struct script *s, size_t n, int kind)
{
	static const char *const chars[] = {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
	                                    "z", "\xc2\x80"};

	while (n--) {
		if (kind == 0)
			script_byte(s, below(256));
		else if (kind == 1)
			script_byte(s, 'a' + below(26));
		else
			script_str(s, chars[below(6)]);
	}
}

/* Something like a server's bytes, mostly right */
static void make_input(struct script *s)
{
	static const char *const lines[] = {"Connection: Upgrade\r\n",
	                                    "Upgrade: websocket\r\n",
	                                    "Sec-WebSocket-Protocol: chat\r\n",
	                                    "Content-Length: 5\r\n",
	                                    "Transfer-Encoding: chunked\r\n",
	                                    "A: b\r\n",
	                                    "\r\n",
	                                    "HTTP/1.1 100 x\r\n",
	                                    "HTTP/1.1 200 OK\r\n",
	                                    "5\r\nhello\r\n",
	                                    "0\r\n",
	                                    "Sec-WebSocket-Extensions: \r\n",
	                                    ": x\r\n",
	                                    "x"};
	size_t at, n;
	unsigned i, count = below(8) + 1;
	int open = 0;

	s->len = 0;
	for (i = 0; i < CONFIG; i++)
		script_byte(s, below(256));
	if (below(4))
		s->p[0] &= 127;
	if (below(3))
		s->p[1] = 0;
	if (s->p[0] & 128) {
		for (i = 0; i < count; i++)
			script_str(s, lines[below(sizeof lines / sizeof lines[0])]);
		if (below(2))
			script_str(s, "\r\n");
		some_bytes(s, below(40), 0);
	} else {
		struct script payload = {NULL, 0, 0};

		for (i = 0; i < count; i++) {
			unsigned op = below(10), b0;

			payload.len = 0;
			if (op == 0) {
				b0 = 0x89 + below(2);
				some_bytes(&payload, below(126), 0);
			} else if (op == 1 && i + 1 == count) {
				b0 = 0x88;
				if (below(3)) {
					script_byte(&payload, 3 + below(12) * (below(3) == 0));
					script_byte(&payload, 0xe8 + below(16));
					some_bytes(&payload, below(30), 1 + (int)below(2));
				}
			} else {
				int text = (int)below(2);

				n = below(4) ? below(200) : below(4) ? below(2000) : below(70000);
				b0 = (open ? 0u : text ? 1u : 2u) | (below(3) ? 0x80u : 0);
				open = !(b0 & 0x80);
				some_bytes(&payload, n, text ? 2 : 1);
			}
			script_frame(s, b0, payload.p ? (void *)payload.p : "", payload.len);
		}
		script_free(&payload);
	}
	for (i = below(3) ? 0 : below(4); i > 0; i--) {
		at = CONFIG + (s->len > CONFIG ? below((unsigned)(s->len - CONFIG)) : 0);
		if (at < s->len)
			s->p[at] = (unsigned char)below(256);
	}
	if (below(5) == 0 && s->len > CONFIG)
		s->len = CONFIG + below((unsigned)(s->len - CONFIG));
}

static void run_random(void)
{
	struct script s = {NULL, 0, 0};
	long i, count = 20000;

	for (i = 0; i < count; i++) {
		make_input(&s);
		LLVMFuzzerTestOneInput(s.p, s.len);
	}
	script_free(&s);
	printf("%ld inputs\n", count);
}

#define FUZZ_MADE_UP run_random
#endif
#include "replay.h"
