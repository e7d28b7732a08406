/* SPDX-License-Identifier: ISC
 * fuzz_ws.c - what a server sends, as any bytes cut anywhere, against the whole client over a fake
 * transport
 *
 * With libFuzzer: clang -fsanitize=fuzzer,address,undefined -I. test/fuzz/fuzz_ws.c LIBRARY By
 * itself:            cc -DFUZZ_MAIN -I. test/fuzz/fuzz_ws.c LIBRARY; ./a.out [FILE...], or ./a.out
 * -n COUNT [SEED]
 *
 * Each input is played several times: at once to a blocking client with default buffers, then in
 * small pieces to one that does not block and has small buffers. What is received must be the same,
 * the error too; memory stays below a limit; what the client sends is well formed. Then an
 * allocation or a call of the transport fails: never a crash, a leak or a message that the server
 * did not send.
 */
#include "test/fake.h"
#include <stdarg.h>
#include <stddef.h>

#define CONFIG 8 /* bytes of an input before what the server says */

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

/* Everything that the client sent behind its request keeps RFC 6455 section 5 */
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
			ASSERT(at == f->out_len); /* nothing behind it */
			break;
		default:
			ASSERT(((b0 & 15) == 9 || (b0 & 15) == 10) && n <= 125 && (b0 & 0x80));
		}
	}
}

struct how {
	int second; /* 1: in pieces */
	unsigned long alloc_fail_at, io_fail_at;
	int io_fail;
};

/* The client of one play, and the message that it is receiving */
struct client {
	struct ws_conn *ws;
	struct ws_options o;
	struct result *r;
	unsigned mix;
	size_t size;
};

static int receive(struct client *c)
{
	struct ws_msg msg;
	int r = ws_recv(c->ws, &msg);

	if (r)
		return r;
	ASSERT(msg.data && (!msg.more || c->o.stream));
	if (msg.type == WS_PONG) {
		ASSERT(msg.len <= 125 && !msg.more);
		return 0;
	}
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

/* As ws.h says: what is not taken waits until ws_recv was called */
static int send_all(struct client *c, int type, const char *data, size_t len)
{
	size_t sent = 0;
	ptrdiff_t s;
	int r;

	for (;;) {
		s = ws_send(c->ws, type, data, len - sent);
		ASSERT(s <= (ptrdiff_t)(len - sent));
		if (s < 0 && s != WS_AGAIN)
			return (int)s;
		sent += s > 0 ? (size_t)s : 0;
		if (s >= 0 && sent == len)
			return 0;
		r = receive(c);
		if (r < 0 && r != WS_AGAIN)
			return r;
		if (r == WS_AGAIN && c->o.nonblock)
			fake_poll(&c->r->fake, c->ws);
	}
}

static void play(const unsigned char *config, const void *in, size_t len, const struct how *h,
                 struct result *r)
{
	static const char *const protocols[] = {"chat", "superchat", NULL};
	static char data[3000];
	struct client c;
	struct ws_options o;
	struct ws_io io;
	struct fake *f = &r->fake;
	struct ws_conn *ws;
	size_t limit, wrong = 0;
	int again = 0, k, failing = h->alloc_fail_at || h->io_fail_at;

	memset(r, 0, offsetof(struct result, fake));
	fake_init(f, in, len);
	fake_options(f, &o, &io);
	o.subprotocols = config[0] & 1 ? protocols : NULL;
	o.no_utf8_check = config[0] >> 1 & 1;
	o.max_message = config[1] % 4 == 0 ? 0 : (size_t)config[1] * config[1];
	f->end = config[2] % 3 == 0 ? WS_IO_EOF : config[2] % 3 == 1 ? WS_IO_RESET : 0;
	if (h->second) {
		o.nonblock = 1;
		o.stream = config[0] >> 2 & 1;
		o.recv_buffer = 256 + (size_t)config[3];
		o.send_buffer = 256 + (size_t)config[4];
		f->step = 1 + (config[5] & 31);
		f->split = config[5] & 128 ? (size_t)config[6] * 2 : 0;
		f->write_max = config[5] & 64 ? 7 : 0;
	}
	f->alloc_fail_at = h->alloc_fail_at;
	f->io_fail_at = h->io_fail_at;
	f->io_fail = h->io_fail;
	ws = ws_new("ws://server.example.com/chat", &o);
	if (!ws) {
		ASSERT(h->alloc_fail_at && f->alive == 0);
		r->open_err = r->err = WS_EMEMORY;
		return;
	}
#define AGAIN(call)                                                                                \
	while ((again = (int)(call)) == WS_AGAIN) {                                                \
		ASSERT(o.nonblock);                                                                \
		fake_poll(f, ws);                                                                  \
	}
	AGAIN(ws_open(ws));
	r->open_err = r->err = again;
	r->status = ws_report(ws)->http_status;
	r->head_len = ws_report(ws)->head_len;
	r->body_len = ws_report(ws)->body_len;
	r->body = digest(1, ws_report(ws)->body, r->body_len);
	r->subprotocol = digest(1, ws_report(ws)->subprotocol, strlen(ws_report(ws)->subprotocol));
	ASSERT(strlen(ws_report(ws)->body) <= r->body_len && r->body_len <= WS_MAX_BODY
	       && r->head_len <= WS_MAX_HEAD);
	memset(&c, 0, sizeof c);
	c.ws = ws;
	c.o = o;
	c.r = r;
	c.mix = 2166136261u;
	for (k = 0; again == 0; k++) {
		switch (config[7] >> (k & 3) & 3) { /* what the program does meanwhile */
		case 1:
			while ((again = ws_ping(ws, "are you there", (size_t)k % 14))
			       == WS_AGAIN) { /* read first */
				again = receive(&c);
				if (again < 0 && again != WS_AGAIN)
					break;
				if (again == WS_AGAIN && o.nonblock)
					fake_poll(f, ws);
			}
			break;
		case 2:
			again = send_all(&c, WS_BINARY | (k & 4 ? WS_MORE : 0), data,
			                 (size_t)k * 97 % sizeof data);
			if (again)
				continue;
			break;
		case 3:
			wrong += ws_send(ws, WS_TEXT | 0x800, "", 0) == WS_EUSAGE;
		}
		AGAIN(receive(&c));
	}
	if (r->open_err == 0) {
		r->err = again;
		ASSERT(again < 0 && again != WS_EUSAGE && again != WS_AGAIN);
		ASSERT(ws_errmsg(ws)[0] && (again == WS_ETIMEOUT || ws_report(ws)->err == again));
		ws_timeout(ws, 500);
		AGAIN(ws_close(ws, config[3] & 1 ? 1000 : 0, NULL));
		ASSERT(again == 0 || again == r->err || again == WS_ETIMEOUT
		       || r->err == WS_ETIMEOUT || failing);
	}
	r->close_code = ws_report(ws)->close_code;
	r->reason_len = ws_report(ws)->close_reason_len;
	r->reason = digest(1, ws_report(ws)->close_reason, r->reason_len);
	ASSERT(ws_report(ws)->close_reason[r->reason_len] == '\0' && r->reason_len <= 123);
	for (k = 0; ws_errmsg(ws)[k]; k++)
		ASSERT((unsigned char)ws_errmsg(ws)[k] >= 0x20 && ws_errmsg(ws)[k] != 0x7f);
	ws_free(ws);
	limit = 120000 + 3 * len + o.recv_buffer;
	ASSERT(f->peak <= limit);
	ASSERT(f->alive == 0 && f->blocks == 0 && f->closes == 1 && !f->wrong && !f->hung);
	ASSERT(f->allocs < 40 + 2 * wrong); /* each sentence is two */
	check_sent(f);
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
	frames = !(data[0] & 128);
	if (frames)
		script_str(&s, FAKE_101);
	else if (data[0] & 64)
		script_str(&s, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: "
		               "websocket\r\nSec-WebSocket-Accept: " FAKE_ACCEPT "\r\n");
	else if (data[0] & 32)
		script_str(&s, "HTTP/1.1 4");
	script_put(&s, data + CONFIG, len - CONFIG);
	memset(&h, 0, sizeof h);
	play(data, s.p, s.len, &h, &a);
	h.second = 1;
	play(data, s.p, s.len, &h, &b);
	ASSERT(!frames || a.open_err == 0);
	ASSERT(a.open_err == b.open_err && a.status == b.status && a.head_len == b.head_len
	       && a.subprotocol == b.subprotocol);
	ASSERT(a.body_len == b.body_len && a.body == b.body);
	if (a.err != WS_ETOOBIG || !(data[0] & 4)) { /* streamed, nothing is too big */
		ASSERT(a.messages == b.messages && strcmp(a.got, b.got) == 0);
		ASSERT(a.err == b.err);
		if (a.err != WS_ETIMEOUT) /* then the close is what ends it */
			ASSERT(a.close_code == b.close_code && a.reason_len == b.reason_len
			       && a.reason == b.reason);
	} else {
		ASSERT(strncmp(a.got, b.got, a.got_len) == 0);
	}
	fake_free(&a.fake);
	/* something fails */
	h.second = data[4] & 1;
	h.alloc_fail_at = data[4] & 2 ? 1 + (data[4] >> 2) % 20 : 0;
	h.io_fail_at = data[4] & 2 ? 0 : 1 + data[6] % 60;
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
static uint64_t seed = 88172645463325252u;

static unsigned pick(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 20) % n;
}

static void some_bytes(struct script *s, size_t n, int kind)
{
	static const char *const chars[] = {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
	                                    "z", "\xc2\x80"};

	while (n--) {
		if (kind == 0)
			script_byte(s, pick(256));
		else if (kind == 1)
			script_byte(s, 'a' + pick(26));
		else
			script_str(s, chars[pick(6)]);
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
	unsigned i, count = pick(8) + 1;
	int open = 0;

	s->len = 0;
	for (i = 0; i < CONFIG; i++)
		script_byte(s, pick(256));
	if (pick(4))
		s->p[0] &= 127;
	if (pick(3))
		s->p[1] = 0;
	if (s->p[0] & 128) {
		for (i = 0; i < count; i++)
			script_str(s, lines[pick(sizeof lines / sizeof lines[0])]);
		if (pick(2))
			script_str(s, "\r\n");
		some_bytes(s, pick(40), 0);
	} else {
		struct script payload = {NULL, 0, 0};

		for (i = 0; i < count; i++) {
			unsigned op = pick(10), b0;

			payload.len = 0;
			if (op == 0) {
				b0 = 0x89 + pick(2);
				some_bytes(&payload, pick(126), 0);
			} else if (op == 1 && i + 1 == count) {
				b0 = 0x88;
				if (pick(3)) {
					script_byte(&payload, 3 + pick(12) * (pick(3) == 0));
					script_byte(&payload, 0xe8 + pick(16));
					some_bytes(&payload, pick(30), 1 + (int)pick(2));
				}
			} else {
				int text = (int)pick(2);

				n = pick(4) ? pick(200) : pick(4) ? pick(2000) : pick(70000);
				b0 = (open ? 0u : text ? 1u : 2u) | (pick(3) ? 0x80u : 0);
				open = !(b0 & 0x80);
				some_bytes(&payload, n, text ? 2 : 1);
			}
			script_frame(s, b0, payload.p ? (void *)payload.p : "", payload.len);
		}
		script_free(&payload);
	}
	for (i = pick(3) ? 0 : pick(4); i > 0; i--) {
		at = CONFIG + (s->len > CONFIG ? pick((unsigned)(s->len - CONFIG)) : 0);
		if (at < s->len)
			s->p[at] = (unsigned char)pick(256);
	}
	if (pick(5) == 0 && s->len > CONFIG)
		s->len = CONFIG + pick((unsigned)(s->len - CONFIG));
}

int main(int argc, char **argv)
{
	struct script s = {NULL, 0, 0};
	long i, count = 20000;

	if (argc > 1 && strcmp(argv[1], "-n") != 0) {
		for (i = 1; i < argc; i++) {
			FILE *f = fopen(argv[i], "rb");
			int c;

			if (!f) {
				perror(argv[i]);
				return 1;
			}
			s.len = 0;
			while ((c = getc(f)) != EOF)
				script_byte(&s, (unsigned)c);
			fclose(f);
			LLVMFuzzerTestOneInput(s.p, s.len);
		}
		script_free(&s);
		return 0;
	}
	if (argc > 2)
		count = atol(argv[2]);
	if (argc > 3)
		seed ^= (uint64_t)atol(argv[3]) * 0x9e3779b97f4a7c15u;
	for (i = 0; i < count; i++) {
		make_input(&s);
		LLVMFuzzerTestOneInput(s.p, s.len);
	}
	script_free(&s);
	printf("%ld inputs, all well\n", count);
	return 0;
}
#endif
