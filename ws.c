/* SPDX-License-Identifier: ISC
 * ws.c - the connection: the one file that owns a struct ws; see ws.h for what it promises
 *
 * The files, arrows pointing down only:
 *
 *	main.c cli/                    the program, on ws.h
 *	ws.c                           phases, buffers, deadlines, closing         this file
 *	net.c  tls.c                   names, sockets, clock; TLS on any transport ws_world.h
 *	url.c frame.c handshake.c refusal.c proxy.c
 *	                               text and bytes of the protocols             ws_bytes.h
 *	text.c sha1.c base64.c utf8.c ip.c secret.c                                  ws_pure.h
 *
 * The life of a connection; every step can be left with WS_AGAIN and is gone on with by the same call:
 *
 *	ws_new --> START --> [TARGET] --> NET --> [PROXY] --> [TLS] --> REQUEST --> SEND --> HEAD --> open
 *	             ^   resolve for SOCKS4/5                                                 |
 *	             +------------------------------- 30x with a Location --------------------+--> BODY --> refused
 *
 *	open --ws_close--> closing --peer's close--> over        open --peer's close, end of file, violation--> over
 *
 * Receiving: one buffer, of which rbuf[rpos..rend) are unread. A message is handed out in place, to where the payloads of
 * its later fragments are moved up; for one that does not fit, the buffer grows by what has arrived. Sending: one
 * buffer, sbuf[0..send), into which frames are masked; a frame of the program that does not fit is under way
 * (tx_left > 0) over several calls, and control frames wait for its end.
 */
#include "ws_world.h"
#include <limits.h>
#include <string.h>

#define RECV_BUFFER 16384
#define SEND_BUFFER 4096
#define BUFFER_MIN 256
#define MESSAGE_MAX (16 * 1024 * 1024)
#define TIMEOUT_MS 10000
#define WHY_MAX 1536           /* of a sentence: WS_MAX_ADDRESSES and their errors fit */
#define CHAIN_MAX 512          /* of a sentence's part on redirects */
#define TRACE_MAX 256          /* of a frame shown to trace */
#define ENTROPY_WAIT_US 20000  /* between two looks, while the system has none yet */
#define READS_PER_CALL 64      /* with .nonblock, so that a flood leaves the caller's other work some time */
#define TLS_READS_PER_CALL 250 /* below TLS: a flight of the handshake is some 20, a record 2 */
#define HEAD_PIECE 512         /* by which the buffer for a head grows */
#define NONCE 16               /* bytes of the handshake's */
#define MASK_KEY 4             /* bytes of a frame's */
#define KEEPALIVE_MAX 32767    /* what Linux takes, in seconds */
#define WRONG_HEAD_MAX 600     /* of a sentence's part on what is wrong with a head */
#define SHOWN_VALUE_MAX 160    /* of a wrong option's value, and the like, in a sentence */
#define NEVER (INT64_MAX / 2)  /* a time from which any other can be taken */

enum open_step {
	OPEN_START,
	OPEN_TARGET,
	OPEN_NET,
	OPEN_PROXY,
	OPEN_TLS,
	OPEN_REQUEST,
	OPEN_SEND,
	OPEN_HEAD,
	OPEN_BODY
};

/* What is allocated: what the report shows (HEAD is before that what goes to a proxy, and the request), the URL of a
 * redirect, and the receive buffer once it had to grow */
enum { WHY, URL, SUBPROTOCOL, HEAD, BODY, HOP, MESSAGE, KEPT };

enum state { OPENING, OPEN, CLOSING, OVER };

/* The control frames that may have to wait for room: at most one of each */
enum { PONG, CLOSE, CONTROLS };

/* What only the opening needs; freed when it ends */
struct opening {
	struct wsi_text cause;
	size_t size;
	struct wsi_body body;
	struct wsi_text chain; /* "A -> B -> " once there was a redirect */
	struct wsi_response response;
	struct wsi_net net; /* with OPEN_TARGET and OPEN_NET */
	char cause_buf[WHY_MAX];
	struct wsi_url u; /* of this hop */
	char chain_buf[CHAIN_MAX];
	char key[24 + 1];
	struct wsi_sent sent; /* by the last request */
	struct ws_options opt;
#ifndef WS_NO_PROXY
	struct wsi_proxy proxy;
#endif
	struct wsi_url first; /* of the first hop */
	char first_url[];     /* the program's, with userinfo */
};

struct ws { /* what is used most comes first: small offsets make small code */
	size_t rpos, rend, rcap;
	unsigned char *rbuf;
	struct opening *op;
	size_t mlen;              /* of the message under way: rbuf[mpos..mpos + mlen), before rpos */
	int64_t connect_deadline; /* over once it is open */
	struct wsi_frame rx;      /* the frame under way, or head is 0; len: what is still to come of its payload */
	size_t send;              /* bytes that wait in sbuf */
	int err;                  /* the first that ended it */
	int refusal;              /* of a call for which it is not open: err, or WS_EUSAGE */
	unsigned short tx_type;   /* of the frame of ws_send last begun, with WS_MORE if its message goes on */
	unsigned char control_len[CONTROLS];
	unsigned char linger;  /* 1: over by our close frame, the peer's end of file is still to come */
	unsigned char state;   /* enum state */
	unsigned char opened;  /* 1: the upgrade succeeded */
	unsigned char proxied; /* 1: address is the proxy's */
	unsigned char interim; /* answers to this request */
	unsigned char own_io;  /* 1: the caller's transport */
	unsigned char given;   /* 1: that, or the caller's descriptor */
	unsigned change;
	unsigned char step;         /* enum open_step */
	unsigned char same_origin;  /* 1: this hop's is the first one's, and so was that of each hop before it */
	unsigned char peer_closed;  /* 1: by a close frame */
	unsigned char entropy_wait; /* 1: the system has no random bytes yet */
	unsigned char hungry;       /* 1: nothing more can be done with what is buffered */
	unsigned char rd, wr;       /* WS_POLL_ that reading (and all of the opening), writing waits for */
	unsigned char write_dead, close_sent;
	unsigned char idle;      /* 1: open, between messages, and nothing that the short way in ws_recv would skip */
	unsigned char text_type; /* what must be UTF-8: WS_TEXT, or 0 */
	unsigned char pinged;    /* 1: pongs are asked for */
	unsigned char rx_type;   /* of the message under way; 0: none */
	unsigned char tx_active; /* 1: a frame of ws_send is under way, tx_left of its payload are still to be taken */
	unsigned char pool_left;
	unsigned char control[CONTROLS]; /* first byte of the one that waits; 0: none does */
	unsigned char reads;             /* of this call */
	unsigned char dead_told;         /* 1: ws_send said that writing has failed, since ws_recv */
	unsigned char tls_reads;         /* below TLS, of one call to it */
	unsigned char
	    refused; /* 1: the last ws_send or ws_ping took nothing, and ws_recv has not said since that it may */

	char address[120];
	int nonblock, stream;
	struct wsi_mem mem;
	int64_t deadline;
	unsigned char *sbuf;
	size_t scap;
	struct ws_io raw, io; /* below TLS; the WebSocket's own */
	uint32_t rx_utf8, tx_utf8;
	size_t max_message, mpos;
	size_t tx_left;
	int fd;

	int64_t start, phase_start; /* when the deadline was set; when this phase began */
	const char *why;
#ifdef WS_WITH_MBEDTLS
	struct wsi_text pre; /* bytes of raw that the proxy's dialogue read too far */
	size_t pre_off;
	struct wsi_tls_config *tls_config;
	struct wsi_tls *tls;
#endif
	struct wsi_text kept[KEPT];
	size_t size; /* of the block: this struct, rbuf, sbuf */
	struct ws_report info;
	char close_reason[WSI_CONTROL_MAX - 1];
	unsigned char control_data[CONTROLS][WSI_CONTROL_MAX];
	unsigned char pool[64]; /* random bytes, used from the end: the last used are the key of the frame under way */
};

/* Small things */

static void *grow(const struct ws *ws, void *p, size_t old_len, size_t new_len)
{
	return wsi_alloc(&ws->mem, p, old_len, new_len);
}

static void release(const struct ws *ws, struct wsi_text *t)
{
	if (t->p)
		wsi_alloc(&ws->mem, t->p, t->cap, 0);
	memset(t, 0, sizeof *t);
}

/* t, with room for just len more bytes; NULL: no memory, it is as it was */
static struct wsi_text *resize(const struct ws *ws, struct wsi_text *t, size_t len)
{
	size_t cap = t->len + len + 1;
	char *p;

	if (cap != t->cap) {
		p = grow(ws, t->p, t->cap, cap);
		if (!p)
			return NULL;
		t->p = p;
		t->cap = cap;
	}
	t->p[t->len] = '\0';
	return t;
}

/* What is behind a string's NUL */
static const char *next_string(const char *s)
{
	return s + wsi_strlen(s) + 1;
}

static int64_t now_us(const struct ws *ws)
{
	return ws->mem.now_us ? ws->mem.now_us(ws->mem.user_data) : wsi_clock_us();
}

static int64_t after_ms(int64_t from_us, int ms)
{
	return ms < 0 ? NEVER : from_us + (int64_t)ms * 1000;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* While it opens, both deadlines hold; connect_deadline is NEVER behind that */
static int late(const struct ws *ws)
{
	int64_t now = now_us(ws);

	return now >= ws->deadline || now >= ws->connect_deadline;
}

static void enter(struct ws *ws, enum ws_phase phase)
{
	int64_t now;

	if (ws->info.phase == phase)
		return;
	now = now_us(ws);
	if (ws->info.phase < WS_PHASES_TIMED) {
		int64_t *t = &ws->info.phase_us[ws->info.phase];

		*t = (*t < 0 ? 0 : *t) + now - ws->phase_start;
	}
	ws->phase_start = now;
	ws->info.phase = phase;
}

/* The text that goes into a sentence as %C: what a layer below has to say, or a value that is wrong */
static struct wsi_text *cause(struct ws *ws)
{
	wsi_text_init(&ws->op->cause, ws->op->cause_buf, sizeof ws->op->cause_buf);
	return &ws->op->cause;
}

/* %s and %t: a and b. Of the connection: %P its peer, %A its address, %U its URL, %w what it is doing, %H the HTTP
 * status, %D the close code, %R its reason, %T how long it is since the deadline was set */
static void put_format(const struct ws *ws, struct wsi_text *t, const char *fmt, const char *a, const char *b)
{
	for (; *fmt; fmt++) {
		const char *s = ws->address;

		if (*fmt != '%') {
			wsi_put_c(t, *fmt);
			continue;
		}
		switch (*++fmt) {
		case 's':
			s = a;
			break;
		case 't':
			s = b;
			break;
		case 'C':
			s = ws->op->cause.p;
			break;
		case 'w':
			s = wsi_nth("\0\0proxy for\0TLS handshake with\0upgrade at\0receive from\0\0close of\0\n",
			            ws->info.phase);
			break;
		case 'H':
		case 'D':
			wsi_put_u(t, (unsigned)(*fmt == 'H' ? ws->info.http_status : ws->info.close_code));
			s = "";
			break;
		case 'R':
			wsi_put_safe(t, ws->close_reason, ws->info.close_reason_len);
			s = "";
			break;
		case 'T':
			wsi_put_ms(t, now_us(ws) - ws->start);
			s = ws->deadline > ws->connect_deadline ? " (the connect timeout)" : "";
			break;
		case 'P':
			if (ws->proxied) {
				put_format(ws, t, "%U through ", NULL, NULL);
				break;
			}
			if (*s)
				break; /* else: */
			               /* fallthrough */
		case 'U':
			s = ws->info.url;
		}
		wsi_put(t, s);
	}
}

static void free_opening(struct ws *ws)
{
	struct opening *op = ws->op;

	if (!op)
		return;
	wsi_net_end(&op->net);
	release(ws, &ws->kept[HOP]);
	grow(ws, op, op->size, 0);
	ws->op = NULL;
}

/* The first error that ends a connection stays; others give their sentence alone. Returns err. */
static int fail_with(struct ws *ws, int err, const char *fmt, const char *a, const char *b)
{
	struct wsi_text *t = &ws->kept[WHY];

	if (ws->err)
		return ws->err;
	release(ws, t);
	ws->why = "out of memory"; /* by a peer, an option or a layer that has no more to say */
	if (err != WS_EMEMORY && resize(ws, t, 2 * WHY_MAX + ws->kept[URL].len)) {
		put_format(ws, t, fmt, a, b);
		if (ws->op && ws->op->chain.len)
			put_format(ws, t, " (redirected: %s%U)", ws->op->chain.p, NULL);
		resize(ws, t, 0);
		ws->why = t->p;
	}
	if (ws->opened && (err == WS_EUSAGE || err == WS_ETIMEOUT))
		return err;
	ws->err = ws->refusal = ws->info.err = err;
	ws->state = OVER;
	ws->idle = 0;
	ws->change++;
	free_opening(ws);
	return err;
}

static int fail(struct ws *ws, int err, const char *fmt)
{
	return fail_with(ws, err, fmt, NULL, NULL);
}

static int no_memory(struct ws *ws)
{
	return fail(ws, WS_EMEMORY, "");
}

/* As resize; NULL: then it has failed */
static struct wsi_text *room(struct ws *ws, struct wsi_text *t, size_t len)
{
	t = resize(ws, t, len);
	if (!t)
		no_memory(ws);
	return t;
}

/* Likewise, and empty */
static struct wsi_text *blank(struct ws *ws, struct wsi_text *t, size_t len)
{
	t->len = 0;
	t->cut = 0;
	return room(ws, t, len);
}

const char *ws_error(const struct ws *ws)
{
	return ws->why;
}

const struct ws_report *ws_info(const struct ws *ws)
{
	return &ws->info;
}

static int entropy(void *ctx, void *buf, size_t len)
{
	const struct ws *ws = ctx;

	return ws->mem.entropy ? ws->mem.entropy(ws->mem.user_data, buf, len) : wsi_entropy(buf, len);
}

/* Random bytes, from random_bytes on until the next are taken: 0, WS_AGAIN, WS_EENTROPY. What is left of them there is
 * no secret: it goes over the wire */
static int take_random(struct ws *ws, unsigned len)
{
	int r;

	if (ws->pool_left < len) {
		r = entropy(ws, ws->pool, sizeof ws->pool);
		ws->entropy_wait = r > 0;
		if (r > 0)
			return WS_AGAIN;
		if (r < 0)
			return fail(ws, WS_EENTROPY, "no random bytes are to be had for the key and the masks");
		ws->pool_left = sizeof ws->pool;
	}
	ws->pool_left = (unsigned char)(ws->pool_left - len);
	return 0;
}

static const unsigned char *random_bytes(const struct ws *ws)
{
	return ws->pool + ws->pool_left;
}

/* Waiting */

void ws_wants(const struct ws *ws, struct ws_pollset *set)
{
	const struct opening *op = ws->op;
	int64_t now = now_us(ws), until = earlier(ws->deadline, ws->connect_deadline), ms;

	memset(set, 0, sizeof *set);
	set->change = ws->change;
	set->fd[0].fd = ws->fd; /* -1 with own_io; it counts once n is 1 */
	if (op && (ws->step == OPEN_TARGET || ws->step == OPEN_NET)) {
		until = earlier(until, wsi_net_wants(&op->net, set));
	} else if (ws->entropy_wait) {
		until = earlier(until, now + ENTROPY_WAIT_US);
	} else if (ws->state != OVER || ws->linger || ws->send) {
		set->n = ws->step != OPEN_START; /* before that there is none yet */
		set->fd[0].events = ws->rd;
		if (ws->send || (ws->tx_active && ws->state == OPEN))
			set->fd[0].events |= ws->wr;
		if (!ws->hungry)
			until = now;
	}
	ms = until <= now ? 0 : (until - now + 999) / 1000;
	set->timeout_ms = ms <= INT_MAX ? (int)ms : -1;
}

/* Blocks until something may have changed: 0 or WS_EIO */
static int await_io(struct ws *ws)
{
	struct ws_pollset set;
	int r;

	ws_wants(ws, &set);
	if (ws->own_io)
		r = ws->raw.io_wait(ws->raw.io, set.fd[0].events, set.timeout_ms);
	else
		r = wsi_poll(&set);
	return r < 0 ? fail(ws, WS_EIO, "waiting for %P failed") : 0;
}

void ws_timeout(struct ws *ws, int timeout_ms)
{
	ws->start = now_us(ws);
	ws->deadline = after_ms(ws->start, timeout_ms);
}

/* Making one */

/* NULL, or the name of an option, a NUL, and what is wrong with it. Buffers are not 0 */
static const char *check_numbers(const struct ws_options *o)
{
	enum { SIZES = 4 };
	static const struct {
		int64_t max;
		short min, at;
	} range[] = {{INT_MAX, -1, offsetof(struct ws_options, timeout_ms)},
	             {INT_MAX, 0, offsetof(struct ws_options, connect_timeout_ms)},
	             {INT_MAX, 0, offsetof(struct ws_options, max_redirects)},
	             {KEEPALIVE_MAX, 0, offsetof(struct ws_options, keepalive_s)},
	             {PTRDIFF_MAX / 4, BUFFER_MIN, offsetof(struct ws_options, recv_buffer)}, /* from here on size_t */
	             {PTRDIFF_MAX / 4, BUFFER_MIN, offsetof(struct ws_options, send_buffer)},
	             {PTRDIFF_MAX / 2, 0, offsetof(struct ws_options, max_message)}};
	unsigned i;

	for (i = 0; i < sizeof range / sizeof *range; i++) {
		const char *field = (const char *)o + range[i].at;
		int64_t value;
		size_t size;
		int number;

		memcpy(&number, field, sizeof number);
		value = number;
		if (i >= SIZES) {
			memcpy(&size, field, sizeof size);
			value = (int64_t)size;
		}
		if (value < range[i].min || value > range[i].max)
			return wsi_nth("timeout_ms\0is negative\0"
			               "connect_timeout_ms\0is negative\0"
			               "max_redirects\0is negative\0"
			               "keepalive_s\0is not between 0 and 32767\0"
			               "recv_buffer\0is not between 256 bytes and a quarter of memory\0"
			               "send_buffer\0is not between 256 bytes and a quarter of memory\0"
			               "max_message\0is more than half of memory",
			               2 * i);
	}
#ifdef WS_NO_NET
	if (o->io && !o->now_us)
		return "now_us\0is needed: this build has no clock";
#endif
	if (o->family != 0 && o->family != 4 && o->family != 6)
		return "family\0is neither 4 nor 6";
	if (o->io && (!o->io->io_read || !o->io->io_write || (!o->nonblock && !o->io->io_wait)))
		return "io\0lacks a function (io_wait is needed without nonblock)";
	if (o->unix_socket && !*o->unix_socket)
		return "unix_socket\0is empty";
#ifdef WS_NO_PROXY
	if ((o->proxy && *o->proxy) || (o->proxy_wss && *o->proxy_wss))
		return "proxy\0not built in";
#endif
#ifdef WS_NO_REDIRECTS
	if (o->max_redirects)
		return "max_redirects\0not built in";
#endif
	return NULL;
}

#ifndef WS_NO_PROXY
/* To op->proxy, if there is one: NULL, or what is wrong */
static const char *take_proxy(struct opening *op, const char *url)
{
	return url && *url ? wsi_proxy_parse(&op->proxy, url, wsi_strlen(url)) : NULL;
}

/* Likewise, and what is wrong is said in full, in buf */
static const char *check_proxy(struct opening *op, const char *url, char buf[SHOWN_VALUE_MAX])
{
	const char *why = take_proxy(op, url);
	struct wsi_text t;

	if (!why)
		return NULL;
	wsi_text_init(&t, buf, SHOWN_VALUE_MAX);
	wsi_put_url_why(&t, &op->proxy.url, url, wsi_strlen(url), why);
	return buf;
}
#endif

/* 1: a field of tls is not 0 (there is no padding in it) */
static int uses_tls(const struct ws_options *o)
{
	return wsi_span((const char *)&o->tls, sizeof o->tls, "^\x01\x7f\x80\xff") < sizeof o->tls;
}

#ifdef WS_WITH_MBEDTLS
/* The deadline of this opening, by the system's clock: files of TLS know no other */
static int64_t files_until(const struct ws *ws)
{
	int64_t deadline = earlier(ws->deadline, ws->connect_deadline);

	return deadline == NEVER ? NEVER : wsi_clock_us() + (deadline - now_us(ws));
}

static int configure_tls(struct ws *ws)
{
	const char *option = "";
	int r = wsi_tls_config_new(&ws->tls_config, &ws->mem, &ws->op->opt.tls, files_until(ws), &option, cause(ws));

	if (r == 0)
		return 0;
	ws->info.option = option;
	return fail_with(ws, r, "%s: %C", *option ? option : "TLS settings", NULL);
}
#endif

/* What of a wrong option's value a sentence shows */
enum shown {
	SHOWN_NOT, /* nothing, for it is a secret */
	SHOWN_ALL,
	SHOWN_HOST,   /* what is behind the last '@': before it may be a password */
	SHOWN_URL,    /* a URL, without what is secret in it */
	SHOWN_PROXY,  /* likewise, a proxy's */
	SHOWN_HEADER, /* the name alone */
	SHOWN_ENTRY   /* of a list, the entry that is wrong */
};

/* An option that is not here is not shown */
static const struct {
	const char *name;
	enum shown shown;
} shown_options[] = {
    {"headers", SHOWN_HEADER}, {"subprotocols", SHOWN_ALL},    {"origin", SHOWN_URL},  {"host", SHOWN_HOST},
    {"user_agent", SHOWN_ALL}, {"cookie", SHOWN_NOT},          {"user", SHOWN_NOT},    {"bearer", SHOWN_NOT},
    {"resolve", SHOWN_HOST},   {"local_interface", SHOWN_ALL}, {"proxy", SHOWN_PROXY}, {"proxy_wss", SHOWN_PROXY},
    {"no_proxy", SHOWN_ENTRY},
};

static enum shown shown_of(const char *option)
{
	size_t i, len = wsi_strlen(option);

	for (i = 0; i < sizeof shown_options / sizeof shown_options[0]; i++)
		if (wsi_strlen(shown_options[i].name) == len && memcmp(shown_options[i].name, option, len) == 0)
			return shown_options[i].shown;
	return SHOWN_NOT;
}

/* Puts what may be shown of the value of that option, which is wrong */
static void put_value(struct wsi_text *t, const char *option, const char *value)
{
	size_t len = wsi_strlen(value), at;

	switch (shown_of(option)) {
	case SHOWN_NOT:
		return;
	case SHOWN_ALL:
		break;
	case SHOWN_HOST:
		for (at = len; at > 0 && value[at - 1] != '@';)
			at--;
		value += at;
		len -= at;
		break;
	case SHOWN_URL:
		wsi_put_location(t, value, len);
		return;
	case SHOWN_PROXY:
		wsi_put_proxy_url(t, value, len);
		return;
	case SHOWN_HEADER: /* without a colon, where a value would begin is anyone's guess */
		len = wsi_span(value, len, wsi_find(value, len, ':') < len ? "^::" : WSI_TCHAR);
		break;
	case SHOWN_ENTRY:
		len = wsi_span(value, len, "^\x01 ,,");
		wsi_put_url(t, value, len);
		return;
	}
	wsi_put_safe(t, value, len);
}

/* wrong: what check_numbers found */
static int check_options(struct ws *ws, struct opening *op, const char *wrong)
{
	const struct ws_options *o = &op->opt;
	const char *option = wrong, *value = NULL, *why;
	char why_buf[SHOWN_VALUE_MAX];
	struct wsi_text t;

	if (!option)
		option = wsi_net_check(o, &value);
	wsi_text_init(&t, why_buf, sizeof why_buf);
	why = option ? next_string(option) : wsi_request_check(o, &option, &value, &t);
#ifndef WS_NO_PROXY
	if (!why && (why = check_proxy(op, value = o->proxy, why_buf)) != NULL)
		option = "proxy";
	if (!why && (why = check_proxy(op, value = o->proxy_wss, why_buf)) != NULL)
		option = "proxy_wss";
	if (!why && o->no_proxy) {
		struct wsi_str bad;

		if (wsi_no_proxy(o->no_proxy, NULL, &bad) < 0) {
			value = bad.p;
			option = "no_proxy";
			why = "is no host, domain, address or CIDR block";
		}
	}
#endif
#ifndef WS_WITH_MBEDTLS
	if (!why && uses_tls(o)) {
		value = NULL;
		option = "tls";
		why = "not built in";
	}
#endif
	if (why) {
		ws->info.option = option;
		cause(ws)->cap = SHOWN_VALUE_MAX;
		if (value)
			put_value(&op->cause, option, value);
		return fail_with(ws, WS_EUSAGE, op->cause.len ? "%s: \"%C\": %t" : "%s: %t", option, why);
	}
#ifdef WS_WITH_MBEDTLS
	if (uses_tls(o))
		return configure_tls(ws);
#endif
	return 0;
}

/* Takes url[0..len), which lives as long as op, as this hop's */
static int take_url(struct ws *ws, const char *url, size_t len)
{
	struct wsi_url *u = &ws->op->u;
	struct wsi_text *shown = blank(ws, &ws->kept[URL], 2 * len); /* "***" is longer than some secrets */
	const char *why;

	if (!shown)
		return ws->err;
	wsi_put_url(shown, url, len);
	ws->info.url = shown->p;
	why = wsi_url_parse(u, url, len, -1);
	if (!why)
		return 0;
	enter(ws, WS_URL);
	wsi_put_url_why(cause(ws), u, url, len, why);
	return fail(ws, WS_EURL, "URL: %C: %U");
}

_Static_assert(offsetof(struct ws_options, user_data) - offsetof(struct ws_options, alloc)
                   == offsetof(struct wsi_mem, user_data),
               "the same fields in the same order");

/* As much of *opt as its program knew of, and its allocator */
static void copy_options(struct ws_options *o, const struct ws_options *opt, struct wsi_mem *mem)
{
	memset(o, 0, sizeof *o);
	if (opt)
		memcpy(o, opt, opt->size && opt->size < sizeof *o ? opt->size : sizeof *o);
	memcpy(mem, &o->alloc, sizeof *mem);
}

static const struct ws_io socket_io = {wsi_socket_read, wsi_socket_write, NULL, wsi_socket_close, NULL};

struct ws *ws_new(const char *url, const struct ws_options *opt)
{
	struct ws_options o;
	struct wsi_mem mem;
	struct ws *ws;
	struct opening *op;
	size_t size;
	const char *wrong;

	if (!url)
		url = "";
	copy_options(&o, opt, &mem);
	if (!o.recv_buffer)
		o.recv_buffer = RECV_BUFFER;
	if (!o.send_buffer)
		o.send_buffer = SEND_BUFFER;
	wrong = check_numbers(&o);
	if (wrong)
		o.recv_buffer = o.send_buffer = BUFFER_MIN;
	size = sizeof *ws + o.recv_buffer + o.send_buffer;
	ws = wsi_alloc(&mem, NULL, 0, size);
	if (!ws)
		return NULL;
	memset(ws, 0, sizeof *ws);
	ws->size = size;
	ws->mem = mem;
	ws->rbuf = (unsigned char *)(ws + 1);
	ws->rcap = o.recv_buffer;
	ws->sbuf = ws->rbuf + ws->rcap;
	ws->scap = o.send_buffer;
	ws->nonblock = o.nonblock;
	ws->stream = o.stream;
	ws->text_type = o.no_utf8_check ? 0 : WS_TEXT;
	ws->max_message = o.max_message ? o.max_message : MESSAGE_MAX;
	ws->refusal = WS_EUSAGE;
	ws->same_origin = 1;
	ws->rd = WS_POLL_READ;
	ws->wr = WS_POLL_WRITE;
	ws_timeout(ws, o.connect_timeout_ms ? o.connect_timeout_ms : -1);
	ws->connect_deadline = ws->deadline;
	ws_timeout(ws, o.timeout_ms ? o.timeout_ms : TIMEOUT_MS);
	ws->phase_start = ws->start;
	ws->info.phase = WS_URL;
	ws->why = ws->info.option = ws->info.url = ws->info.subprotocol = ws->info.head = ws->info.body = "";
	ws->info.tls_version = ws->info.tls_cipher = ws->info.cert_subject = ws->info.cert_issuer = "";
	ws->info.address = ws->address;
	ws->info.close_reason = ws->close_reason;
	memset(ws->info.phase_us, 0xff, sizeof ws->info.phase_us); /* each is -1 */
	ws->fd = -1;
	if (o.io) {
		ws->own_io = ws->given = 1;
		ws->raw = *o.io;
	} else {
		ws->raw = socket_io;
		ws->raw.io = &ws->fd;
		if (o.use_fd) {
			ws->given = 1;
			ws->fd = o.fd;
			if (wsi_socket_prepare(o.fd) < 0)
				wrong = "fd\0is no open descriptor";
		}
	}
	size = wsi_strlen(url);
	ws->op = op = grow(ws, NULL, 0, sizeof *op + size);
	if (!op) {
		no_memory(ws);
		return ws;
	}
	memset(op, 0, sizeof *op);
	op->size = sizeof *op + size;
	memcpy(op->first_url, url, size);
	op->opt = o;
	wsi_text_init(&op->chain, op->chain_buf, sizeof op->chain_buf);
	if (check_options(ws, op, wrong) == 0 && take_url(ws, op->first_url, size) == 0)
		op->first = op->u;
	return ws;
}

static void close_transport(struct ws *ws)
{
#ifdef WS_WITH_MBEDTLS
	wsi_tls_free(ws->tls);
	ws->tls = NULL;
	ws->info.tls_version = ws->info.tls_cipher = ws->info.cert_subject = ws->info.cert_issuer = "";
	ws->info.cert_not_after = 0;
	ws->info.tls_verified = 0;
	release(ws, &ws->pre);
#endif
	if (ws->raw.io_close)
		ws->raw.io_close(ws->raw.io);
	ws->address[0] = '\0';
	ws->proxied = 0;
	ws->change++;
	ws->rpos = ws->rend = 0;
}

void ws_free(struct ws *ws)
{
	int i;

	if (!ws)
		return;
	free_opening(ws);
	close_transport(ws);
#ifdef WS_WITH_MBEDTLS
	wsi_tls_config_free(ws->tls_config);
#endif
	for (i = 0; i < KEPT; i++)
		release(ws, &ws->kept[i]);
	grow(ws, ws, ws->size, 0);
}

/* Opening */

/* With .nonblock a flood must leave the caller's other work some time: 1 once this call has read enough */
static int read_enough(struct ws *ws)
{
	ws->hungry = 0;
	return ws->nonblock && ++ws->reads > READS_PER_CALL;
}

/* Notes what reading or writing waits for: WS_AGAIN, or 0 if n is no such word */
static int blocked(struct ws *ws, ptrdiff_t n, unsigned char *side)
{
	if (n != WS_IO_READ && n != WS_IO_WRITE)
		return 0;
	if (ws->op)
		side = &ws->rd;
	*side = n == WS_IO_READ ? WS_POLL_READ : WS_POLL_WRITE;
	if (side == &ws->rd) /* that a write is blocked says nothing of what was read */
		ws->hungry = 1;
#ifdef WS_WITH_MBEDTLS
	if (ws->tls_reads >= TLS_READS_PER_CALL || (ws->io.io_read == wsi_tls_read && wsi_tls_pending(ws->tls)))
		ws->hungry = 0; /* poll knows nothing of what TLS has read ahead, or would have */
#endif
	return WS_AGAIN;
}

/* n: the transport's word */
static int io_failed(struct ws *ws, ptrdiff_t n, const char *detail)
{
#ifdef WS_WITH_MBEDTLS
	if (n == WS_IO_ERROR && ws->tls) {
		char buf[SHOWN_VALUE_MAX];
		struct wsi_text t;
		int err;

		wsi_text_init(&t, buf, sizeof buf);
		err = wsi_tls_why(ws->tls, &t);
		return fail_with(ws, err, "%w %P: %s", buf, NULL);
	}
#endif
	if (n == WS_IO_EOF)
		return fail_with(ws, WS_ECLOSED, "%w %P: the connection was closed%s", detail, NULL);
	if (n == WS_IO_RESET)
		return fail_with(ws, WS_ERESET, "%w %P: connection reset%s", detail, NULL);
	return fail_with(ws, WS_EIO, "%w %P: input/output error%s", detail, NULL);
}

static ptrdiff_t read_io(struct ws *ws, void *buf, size_t len)
{
	ws->tls_reads = 0;
	return ws->io.io_read(ws->io.io, buf, len);
}

/* Writes p[0..*len) and leaves in it what could not go: 0 when all of it is gone, WS_AGAIN, or the transport's word */
static ptrdiff_t write_io(struct ws *ws, char *p, size_t *len)
{
	char *at = p;
	ptrdiff_t n;

	for (; *len; *len -= (size_t)n, at += n) {
		n = ws->io.io_write(ws->io.io, at, *len);
		if (n <= 0) {
			memmove(p, at, *len); /* once, however small the pieces are */
			return blocked(ws, n, &ws->wr) ? WS_AGAIN : n ? n : WS_IO_ERROR;
		}
	}
	return 0;
}

static void trace(const struct ws *ws, int sent, int type, const void *p, size_t len)
{
	if (ws->mem.trace && len)
		ws->mem.trace(ws->mem.user_data, sent, type, p, len);
}

static void trace_head(const struct ws *ws, int sent, const void *p, size_t len)
{
	trace(ws, sent, WS_TRACE_HEAD, p, len);
}

/* Sends what HEAD holds: 0 when it is empty */
static int open_write(struct ws *ws)
{
	struct wsi_text *t = &ws->kept[HEAD];
	ptrdiff_t n = write_io(ws, t->p, &t->len);

	return n == 0 || n == WS_AGAIN ? (int)n : io_failed(ws, n, "");
}

/* More bytes into rbuf: 0, WS_AGAIN or an error */
static int open_read(struct ws *ws)
{
	struct opening *op = ws->op;
	ptrdiff_t n;

	ws->rend -= ws->rpos;
	memmove(ws->rbuf, ws->rbuf + ws->rpos, ws->rend);
	ws->rpos = 0;
	if (read_enough(ws) || late(ws))
		return WS_AGAIN; /* a peer that always has one more byte must not keep us */
	n = read_io(ws, ws->rbuf + ws->rend, ws->rcap - ws->rend);
	if (blocked(ws, n, &ws->rd))
		return WS_AGAIN;
	if (n > 0) {
		ws->rend += (size_t)n;
		return 0;
	}
	if (ws->step == OPEN_BODY) { /* it has ended */
		op->body.state = 0;
		return 0;
	}
	return io_failed(ws, n,
	                 ws->kept[HEAD].len ? " within its answer"
	                 : op->u.secure || ws->step != OPEN_HEAD
	                     ? " without an answer"
	                     : " without an answer (if it speaks TLS here, try wss://)");
}

static int same_origin(const struct wsi_url *a, const struct wsi_url *b)
{
	return a->secure == b->secure && a->port == b->port && wsi_same_str(a->host, b->host)
	       && wsi_same_str(a->zone, b->zone);
}

/* 1: this hop is encrypted by us */
static int wants_tls(const struct ws *ws)
{
	return ws->op->u.secure && (!ws->own_io || ws->op->opt.io_is_plain);
}

/* On to resolving (OPEN_TARGET: no more than that) and connecting */
static int begin_net(struct ws *ws, const struct wsi_url *to, enum open_step step)
{
	struct opening *op = ws->op;

	wsi_net_init(&op->net, &op->opt, to);
#ifndef WS_NO_PROXY
	if (step == OPEN_TARGET && op->proxy.kind == WSI_SOCKS4)
		op->net.family = 4;
#endif
	enter(ws, op->opt.unix_socket || to->ip ? WS_CONNECT : WS_RESOLVE);
	ws->step = (unsigned char)step;
	return 0;
}

/* Where this hop begins */
static int step_start(struct ws *ws)
{
	struct opening *op = ws->op;
	const struct wsi_url *to = &op->u;
	enum open_step next = OPEN_NET;
	struct wsi_text t;

#ifndef WS_WITH_MBEDTLS
	if (wants_tls(ws))
		return fail(ws, WS_EUNSUPPORTED,
		            "URL \"%U\": this build has no TLS (build it with mbedTLS: make TLS=mbedtls)");
#endif
	ws->io = ws->raw;
	/* Once another origin was on the way it may have chosen the path: nothing secret goes any more, wherever it leads */
	if (!same_origin(&op->u, &op->first))
		ws->same_origin = 0;
	if (ws->same_origin) /* a Location cannot know it */
		op->u.userinfo = op->first.userinfo;
	if (ws->given) { /* it leads to one place */
		wsi_text_init(&t, ws->address, sizeof ws->address);
		wsi_put_hostport(&t, &op->u, 1);
		enter(ws, WS_CONNECT);
		ws->step = OPEN_TLS;
		return 0;
	}
#ifndef WS_NO_PROXY
	{
		const struct ws_options *o = &op->opt;
		const char *url = op->u.secure && o->proxy_wss ? o->proxy_wss : o->proxy;
		struct wsi_str bad;

		if (!o->unix_socket && url && *url && wsi_no_proxy(o->no_proxy, to, &bad) <= 0) {
			ws->proxied = 1;
			take_proxy(op, url); /* ws_new saw that it is right */
			op->proxy.target = to;
			if (wsi_proxy_resolves_here(op->proxy.kind))
				next = OPEN_TARGET;
			else
				to = &op->proxy.url;
		}
	}
#endif
	return begin_net(ws, to, next);
}

/* Both for OPEN_NET and OPEN_TARGET */
static int step_net(struct ws *ws)
{
	struct opening *op = ws->op;
	struct wsi_text t;
	int r = wsi_net_step(&op->net, now_us(ws));

	ws->change++; /* perhaps */
	if (r == WS_AGAIN)
		return r;
	if (r > 0 && ws->step == OPEN_NET) {
		enter(ws, WS_CONNECT);
		return 0;
	}
	if (r < 0) {
		r = wsi_net_put_tried(&op->net, cause(ws));
		return fail(ws, r, ws->proxied && ws->step == OPEN_NET ? "proxy: %C" : "%C");
	}
	wsi_net_end(&op->net);
#ifndef WS_NO_PROXY
	if (ws->step == OPEN_TARGET) {
		memcpy(op->proxy.addr, op->net.addr->b, 16);
		op->proxy.addr_len = op->net.addr->len;
		return begin_net(ws, &op->proxy.url, OPEN_NET);
	}
#endif
	ws->fd = op->net.winner->fd;
	wsi_text_init(&t, ws->address, sizeof ws->address);
	wsi_net_put_peer(&op->net, op->net.winner, &t);
	ws->step = OPEN_TLS;
#ifndef WS_NO_PROXY
	if (ws->proxied) {
		enter(ws, WS_PROXY);
		ws->step = OPEN_PROXY;
	}
#endif
	return 0;
}

#ifndef WS_NO_PROXY
static int step_proxy(struct ws *ws)
{
	struct opening *op = ws->op;
	unsigned char *in = ws->rbuf + ws->rpos;
	size_t have = ws->rend - ws->rpos;
	struct wsi_text *out;
	int r = open_write(ws);

	if (r)
		return r;
	out = blank(ws, &ws->kept[HEAD], WSI_PROXY_OUT_MAX);
	if (!out)
		return ws->err;
	r = wsi_proxy_step(&op->proxy, in, have, out, cause(ws));
	if (op->proxy.kind == WSI_HTTP) {
		trace_head(ws, 0, in, op->proxy.used);
		trace_head(ws, 1, out->p, out->len);
	}
	ws->rpos += op->proxy.used;
	if (r < 0)
		return fail(ws, WS_EPROXY, "proxy %A for %U: %C");
	if (r > 0)
		ws->step = OPEN_TLS;
	if (r > 0 || out->len || op->proxy.used)
		return 0;
	if (have == ws->rcap) {
		wsi_put_u(cause(ws), ws->rcap);
		return fail(ws, WS_EPROXY, "proxy %A for %U: its answer is longer than the receive buffer of %C bytes");
	}
	return open_read(ws);
}
#endif

#ifdef WS_WITH_MBEDTLS
/* The transport below TLS: first what the proxy's dialogue has read too far */
static ptrdiff_t pre_read(void *io, void *buf, size_t len)
{
	struct ws *ws = io;
	size_t n = ws->pre.cap - ws->pre_off;

	/* The library reads records that bring nothing on and on, without a clock: so this has one */
	if (ws->tls_reads >= TLS_READS_PER_CALL || late(ws))
		return WS_IO_READ;
	ws->tls_reads++;

	if (!ws->pre.p)
		return ws->raw.io_read(ws->raw.io, buf, len);
	if (n > len)
		n = len;
	memcpy(buf, ws->pre.p + ws->pre_off, n);
	ws->pre_off += n;
	if (ws->pre_off == ws->pre.cap)
		release(ws, &ws->pre);
	return (ptrdiff_t)n;
}

static ptrdiff_t pre_write(void *io, const void *buf, size_t len)
{
	struct ws *ws = io;

	return ws->raw.io_write(ws->raw.io, buf, len);
}

static int start_tls(struct ws *ws)
{
	struct opening *op = ws->op;
	struct ws_io lower = {pre_read, pre_write, NULL, NULL, NULL};
	int r;

	lower.io = ws;
	if (ws->rend > ws->rpos) {
		ws->pre_off = 0;
		ws->pre.cap = ws->rend - ws->rpos;
		ws->pre.p = grow(ws, NULL, 0, ws->pre.cap);
		if (!ws->pre.p)
			return no_memory(ws);
		memcpy(ws->pre.p, ws->rbuf + ws->rpos, ws->pre.cap);
		ws->rpos = ws->rend = 0;
	}
	if (!ws->tls_config && configure_tls(ws) < 0)
		return ws->err;
	r = wsi_tls_new(&ws->tls, ws->tls_config, &lower, op->u.host, op->u.ip, ws->same_origin, entropy, ws,
	                cause(ws));
	ws->entropy_wait = r == WS_AGAIN;
	return r == 0 || r == WS_AGAIN ? r : fail(ws, r, "TLS handshake with %P: %C");
}

static int handshake_tls(struct ws *ws)
{
	int r;

	if (ws->info.phase != WS_TLS) { /* the caller learns of it before there is much to compute: see ws_info */
		enter(ws, WS_TLS);
		return blocked(ws, WS_IO_WRITE, &ws->rd);
	}
	if (!ws->tls) {
		r = start_tls(ws);
		if (r)
			return r;
	}
	ws->tls_reads = 0;
	r = wsi_tls_handshake(ws->tls, files_until(ws), cause(ws));
	if (blocked(ws, r, &ws->rd))
		return WS_AGAIN;
	wsi_tls_report(ws->tls, &ws->info);
	if (r == WSI_TLS_LATE)
		r = WS_ETIMEOUT;
	if (r)
		return fail(ws, r, "TLS handshake with %P: %C");
	ws->io.io_read = wsi_tls_read;
	ws->io.io_write = wsi_tls_write;
	ws->io.io = ws->tls;
	return 0;
}
#endif

static int step_tls(struct ws *ws)
{
#ifdef WS_WITH_MBEDTLS
	int r = wants_tls(ws) ? handshake_tls(ws) : 0;

	if (r)
		return r;
#endif
	enter(ws, WS_UPGRADE);
	ws->step = OPEN_REQUEST;
	return 0;
}

static int step_request(struct ws *ws)
{
	struct opening *op = ws->op;
	struct wsi_request q;
	int r = take_random(ws, NONCE);

	if (r)
		return r;
	wsi_base64_encode(op->key, random_bytes(ws), NONCE);
	q.url = &op->u;
	q.key = op->key;
	q.opt = &op->opt;
	q.same_origin = ws->same_origin;
	do {
		q.out = blank(ws, &ws->kept[HEAD], 2 * ws->kept[HEAD].cap + HEAD_PIECE);
		if (!q.out)
			return ws->err;
		wsi_put_request(&q);
	} while (q.out->cut);
	trace_head(ws, 1, q.out->p, q.out->len);
	wsi_note_sent(&op->sent, q.out->p, q.out->len);
	ws->step = OPEN_SEND;
	return 0;
}

static int step_send(struct ws *ws)
{
	int r = open_write(ws);

	if (r)
		return r;
	release(ws, &ws->kept[HEAD]); /* of a large request */
	ws->step = OPEN_HEAD;
	ws->rd = WS_POLL_READ;
	ws->hungry = 1;
	return ws->rpos == ws->rend ? WS_AGAIN : 0; /* the answer takes a while: poll before the first read */
}

static void drop_head(struct ws *ws)
{
	release(ws, &ws->kept[HEAD]);
	ws->info.head = "";
	ws->info.head_len = 0;
}

/* wrong: what is wrong with its head, or NULL */
static int refused(struct ws *ws, const char *wrong)
{
	struct opening *op = ws->op;
	struct wsi_refusal f;

	f.response = &op->response;
	f.body.p = ws->info.body;
	f.body.len = ws->info.body_len;
	f.url = &op->u;
	f.opt = &op->opt;
	f.sent = op->sent;
	ws->info.option = wsi_put_refusal(cause(ws), &f);
	return fail_with(ws, WS_EHTTP,
	                 wrong ? "upgrade of %U refused by %P: HTTP %H%C; its answer is not valid: %s"
	                       : "upgrade of %U refused by %P: HTTP %H%C",
	                 wrong, NULL);
}

#ifndef WS_NO_REDIRECTS
/* This hop's URL in HOP, with room for a Location behind it; NULL: no memory */
static struct wsi_text *redirect_base(struct ws *ws)
{
	const struct opening *op = ws->op;
	const struct wsi_str *userinfo = &op->first.userinfo;
	struct wsi_text *url = room(ws, &ws->kept[HOP], WS_MAX_URL);
	const char *rest;

	if (!url || ws->info.redirects > 0)
		return url;
	/* The program's is the only one with userinfo, which a relative Location must not inherit */
	rest = userinfo->p + userinfo->len;
	rest += *rest == '@';
	wsi_put_n(url, op->first_url, (size_t)(userinfo->p - op->first_url));
	wsi_put_n(url, rest, (size_t)(op->first.path.p + op->first.path.len - rest));
	return url;
}

/* 0: on to the next hop, or an error */
static int redirect(struct ws *ws, const struct wsi_response *r)
{
	struct opening *op = ws->op;
	const struct wsi_seen *seen = &r->seen[WSI_LOCATION];
	struct wsi_str location = seen->value;
	struct wsi_text *url = redirect_base(ws), t;
	struct wsi_url u;
	const char *why = NULL;
	char url_why[SHOWN_VALUE_MAX];

	if (!url)
		return ws->err;
	if (ws->info.redirects >= op->opt.max_redirects) {
		wsi_text_init(&t, url_why, sizeof url_why);
		wsi_put(&t, "over the limit of redirects, which is ");
		wsi_put_u(&t, (unsigned)op->opt.max_redirects);
		why = url_why;
	} else if (seen->count == 0)
		why = "it has no Location header";
	else if (seen->count > 1)
		why = "it has several Location headers";
	else if (location.len == 0)
		why = "its Location header is empty";
	else if (!wsi_url_resolve(url, location.p, location.len))
		why = "its Location makes a URL of over 8192 bytes";
	else if ((why = wsi_url_parse(&u, url->p, url->len, -1)) != NULL) {
		wsi_text_init(&t, url_why, sizeof url_why);
		wsi_put_url_fault(&t, &u, url->p + url->len, why);
		why = url_why;
	} else if (u.userinfo.len)
		why = "its Location has a user name in it";
	else if (op->u.secure && !u.secure)
		why = "its Location leads from wss:// to unencrypted ws://";
	else if (op->opt.unix_socket && !same_origin(&u, &op->first))
		why = "its Location leads to another origin, which is not behind this Unix socket";
	if (why) {
		wsi_put_location(cause(ws), location.p ? location.p : "", location.len);
		return fail_with(ws, WS_EREDIRECT, "redirect from %U to \"%C\" (HTTP %H): %s", why, NULL);
	}
	put_format(ws, &op->chain, "%U -> ", NULL, NULL);
	ws->info.redirects++;
	ws->info.http_status = 0;
	drop_head(ws);
	close_transport(ws);
	ws->interim = 0;
	ws->step = OPEN_START;
	return take_url(ws, url->p, url->len);
}
#endif

static int invalid(struct ws *ws, const char *why)
{
	return fail_with(ws, WS_EHANDSHAKE, "upgrade of %U: the answer of %P is not valid: %s", why, NULL);
}

/* A head that is wrong. A status before that still counts: a refusal is one, whatever comes behind it */
static int judge_wrong_head(struct ws *ws, const char *why)
{
	const struct wsi_response *r = &ws->op->response;

	if (r->status < 200)
		return invalid(ws, why);
	ws->info.http_status = r->status;
	if (r->status >= 300 && r->status < 400) { /* its Location may be what is wrong */
		wsi_put(cause(ws), why);
		return fail(ws, WS_EHANDSHAKE, "upgrade of %U: the answer of %P, HTTP %H, is not valid: %C");
	}
	return refused(ws, why);
}

/* The head is whole */
static int judge_head(struct ws *ws)
{
	struct opening *op = ws->op;
	struct wsi_text *head = &ws->kept[HEAD], *chosen;
	struct wsi_response *r = &op->response;
	const char *subprotocol;
	char accept[28];

	ws->info.http_status = r->status;
	if (r->status < 200 && r->status != 101) {
		if (++ws->interim > WS_MAX_INTERIM) {
			wsi_put(cause(ws), "over ");
			wsi_put_u(&op->cause, WS_MAX_INTERIM);
			wsi_put(&op->cause, " interim answers came, the last of HTTP ");
			wsi_put_u(&op->cause, (unsigned)r->status);
			return invalid(ws, op->cause.p);
		}
		head->len = 0;
		return 0;
	}
	/* The report has the head from here on, whatever it means */
	head->p[head->len] = '\0';
	ws->info.head = head->p;
	ws->info.head_len = head->len;
#ifndef WS_NO_REDIRECTS
	if (op->opt.max_redirects && !ws->given
	    && ((r->status >= 301 && r->status <= 303) || r->status == 307 || r->status == 308))
		return redirect(ws, r);
#endif
	if (r->status != 101) {
		if (!room(ws, &ws->kept[BODY], WS_MAX_BODY))
			return ws->err;
		wsi_body_init(&op->body, r);
		ws->connect_deadline = earlier(ws->connect_deadline, after_ms(now_us(ws), WS_MAX_BODY_WAIT_MS));
		ws->step = OPEN_BODY;
		return 0;
	}
	wsi_accept(accept, op->key);
	if (wsi_response_check(r, accept, op->opt.subprotocols, &subprotocol, &ws->info.option, cause(ws)) < 0)
		return invalid(ws, op->cause.p);
	if (subprotocol) {
		chosen = room(ws, &ws->kept[SUBPROTOCOL], wsi_strlen(subprotocol));
		if (!chosen)
			return ws->err;
		wsi_put(chosen, subprotocol);
		ws->info.subprotocol = chosen->p;
	}
	enter(ws, WS_READY);
	ws->opened = 1;
	ws->state = OPEN;
	ws->connect_deadline = NEVER;
	ws->rd = WS_POLL_READ;
	free_opening(ws);
	return 0;
}

static int step_head(struct ws *ws)
{
	struct opening *op = ws->op;
	struct wsi_text *head = &ws->kept[HEAD], why;
	char why_buf[WRONG_HEAD_MAX];
	size_t n = ws->rend - ws->rpos;
	int r;

	if (n == 0)
		return open_read(ws);
	if (head->len == 0)
		memset(&op->response, 0, sizeof op->response);
	if (n > HEAD_PIECE) /* most of what lies behind the head is not copied */
		n = HEAD_PIECE;
	if (head->len + n >= head->cap && !room(ws, head, HEAD_PIECE))
		return ws->err;
	wsi_put_n(head, ws->rbuf + ws->rpos, n);
	ws->rpos += n;
	wsi_text_init(&why, why_buf, sizeof why_buf);
	r = wsi_response_read(&op->response, head->p, head->len, &why);
	if (r == 0)
		return 0;
	ws->rpos -= head->len - op->response.len; /* bytes behind the head belong to the first frame */
	head->len = op->response.len;
	trace_head(ws, 0, head->p, head->len);
	if (r > 0)
		return judge_head(ws);
	if (op->response.is_tls && !op->u.secure)
		wsi_put(&why, ": try wss://");
	return judge_wrong_head(ws, why.p);
}

static int step_body(struct ws *ws)
{
	struct opening *op = ws->op;
	struct wsi_text *body = &ws->kept[BODY];

	if (op->body.state && body->len < WS_MAX_BODY) {
		if (ws->rpos == ws->rend)
			return open_read(ws);
		wsi_body_feed(&op->body, body, (const char *)ws->rbuf + ws->rpos, ws->rend - ws->rpos);
		ws->rpos = ws->rend;
		return 0;
	}
	ws->info.body = body->p;
	ws->info.body_len = body->len;
	return refused(ws, NULL);
}

static int open_timed_out(struct ws *ws)
{
	struct opening *op = ws->op;
	const char *fmt = "%w %P: no answer after %T";

	if (ws->step == OPEN_BODY) {
		op->body.state = 0; /* what has come will do */
		return 0;
	}
	if (ws->step == OPEN_TARGET || ws->step == OPEN_NET) {
		wsi_net_put_tried(&op->net, cause(ws));
		fmt = "%C: timed out after %T";
	} else if (ws->kept[HEAD].len && ws->step == OPEN_HEAD) {
		fmt = "%w %P: answer still incomplete after %T";
	}
	return fail(ws, WS_ETIMEOUT, fmt);
}

/* WS_AGAIN: it has to wait. Else state tells how it goes on */
static int open_step(struct ws *ws)
{
	switch ((enum open_step)ws->step) {
	case OPEN_START:
		return step_start(ws);
	case OPEN_TARGET:
	case OPEN_NET:
		return step_net(ws);
	case OPEN_PROXY:
#ifndef WS_NO_PROXY
		return step_proxy(ws);
#endif
	case OPEN_TLS:
		return step_tls(ws);
	case OPEN_REQUEST:
		return step_request(ws);
	case OPEN_SEND:
		return step_send(ws);
	case OPEN_HEAD:
		return step_head(ws);
	case OPEN_BODY:
		return step_body(ws);
	}
	return 0;
}

int ws_open(struct ws *ws)
{
	ws->reads = 0;
	while (ws->state == OPENING) {
		if (open_step(ws) != WS_AGAIN)
			continue;
		if (late(ws))
			open_timed_out(ws);
		else if (ws->nonblock)
			return WS_AGAIN;
		else
			await_io(ws);
	}
	return ws->err;
}

/* Sending */

static ptrdiff_t begin_frame(struct ws *ws, unsigned b0, const void *p, size_t len);

/* Shows a frame of ours as it begins: its header as one without a mask has it, and of the payload what is at hand */
static void trace_sent(const struct ws *ws, const unsigned char *head, size_t n, const void *p, size_t len)
{
	unsigned char buf[TRACE_MAX];

	n -= MASK_KEY;
	memcpy(buf, head, n);
	buf[1] &= 0x7f;
	if (len > sizeof buf - n)
		len = sizeof buf - n;
	if (len)
		memcpy(buf + n, p, len);
	trace(ws, 1, WS_TRACE_FRAME, buf, n + len);
}

/* Writes what is in sbuf, then the control frames that wait: 0 when all of it is gone, WS_AGAIN, WS_EENTROPY where that
 * frame will never go, or WS_ERESET once writing has failed; what the peer sent before that, a close frame with its
 * reason above all, is still to be read, so that is not yet the end */
static int flush_out(struct ws *ws)
{
	int i;
	ptrdiff_t n;

	while (!ws->write_dead) {
		n = write_io(ws, (char *)ws->sbuf, &ws->send);
		if (n == WS_AGAIN)
			return WS_AGAIN;
		if (n < 0) {
			ws->write_dead = (unsigned char)-n;
			break;
		}
		i = ws->control[PONG] ? PONG : CLOSE;
		if (!ws->control[i] || ws->tx_active)
			return 0;
		n = begin_frame(ws, ws->control[i], ws->control_data[i], ws->control_len[i]);
		if (n != WS_AGAIN)
			ws->control[i] = 0;
		if (n < 0)
			return (int)n;
	}
	ws->send = 0;
	ws->tx_active = 0;
	return WS_ERESET;
}

/* As much of the payload as sbuf takes: bytes, always a multiple of the key's four until the last */
static size_t put_payload(struct ws *ws, const void *p)
{
	size_t n = (ws->scap - ws->send) & ~(size_t)3;

	if (n > ws->tx_left)
		n = ws->tx_left;
	wsi_mask(ws->sbuf + ws->send, p, n, random_bytes(ws));
	ws->send += n;
	ws->tx_left -= n;
	ws->tx_active = ws->tx_left > 0;
	return n;
}

/* The one place where frames are begun, none being under way: masked with a key of its own (RFC 6455 5.3). Bytes of the
 * payload that are in sbuf, of a control frame all; WS_AGAIN or WS_EENTROPY */
static ptrdiff_t begin_frame(struct ws *ws, unsigned b0, const void *p, size_t len)
{
	size_t n;
	int r;

	if (ws->scap - ws->send < WSI_FRAME_HEAD_MAX + (len < WSI_CONTROL_MAX ? len : WSI_CONTROL_MAX))
		return WS_AGAIN;
	r = take_random(ws, MASK_KEY);
	if (r)
		return r;
	n = wsi_frame_encode(ws->sbuf + ws->send, (unsigned char)b0, len, random_bytes(ws));
	if (ws->mem.trace)
		trace_sent(ws, ws->sbuf + ws->send, n, p, len);
	ws->send += n;
	ws->tx_left = len;
	return (ptrdiff_t)put_payload(ws, p);
}

/* The one close frame goes out when it can, behind a pong that waits */
static void send_close(struct ws *ws, unsigned code, const char *reason)
{
	size_t len = wsi_strlen(reason);

	if (!ws->close_sent) {
		ws->close_sent = 1;
		ws->control[CLOSE] = WSI_FIN | WSI_CLOSE;
		ws->control_len[CLOSE] = (unsigned char)(code ? 2 + len : 0);
		ws->control_data[CLOSE][0] = (unsigned char)(code >> 8);
		ws->control_data[CLOSE][1] = (unsigned char)code;
		memcpy(ws->control_data[CLOSE] + 2, reason, len);
	}
	flush_out(ws);
}

/* A call's argument was wrong, or it came at the wrong time: the connection goes on */
static int misuse(struct ws *ws, const char *what)
{
	return fail(ws, WS_EUSAGE, what);
}

/* 1: text from *utf8 on; without more to come it must end with a whole character */
static int is_text(uint32_t *utf8, const void *p, size_t len, int more)
{
	return wsi_utf8_check(utf8, p, len) == len && (more || !*utf8);
}

static int receive_failed(struct ws *ws, ptrdiff_t n)
{
	const char *detail = ws->rx.head || ws->rx_type || ws->rend > ws->rpos ? " in the middle of a message"
	                                                                       : " without a close frame (1006)";

	if (!ws->err)
		ws->info.close_code = 1006; /* RFC 6455 7.1.5 */
	return io_failed(ws, n, detail);
}

/* Writing has failed. ws_recv has what the peer said before that, a close frame perhaps, and then the error; only who
 * does not ask it is told here */
static int cannot_write(struct ws *ws)
{
	if (ws->dead_told)
		return receive_failed(ws, -ws->write_dead);
	ws->dead_told = 1;
	ws->idle = 0; /* its long way forgets that */
	return WS_AGAIN;
}

/* Where a call waits that cannot go on: what waits goes out, what comes is put behind what rbuf has. 0: look again; else
 * what the call returns. One that sends leaves to ws_recv whatever came: WS_AGAIN */
static int exchange(struct ws *ws, int sending)
{
	ptrdiff_t n;
	int r = WS_AGAIN;

	if (late(ws)) {
		fail(ws, WS_ETIMEOUT,
		     sending                      ? "send to %P: not taken after %T"
		     : ws->state == CLOSING       ? "close of %P: not answered after %T"
		     : ws->rx.head || ws->rx_type ? "receive from %P: message still incomplete after %T"
		                                  : "receive from %P: nothing came after %T");
		return WS_ETIMEOUT; /* also in ws_close, after another error */
	}
	if (!sending) {
		if (read_enough(ws))
			return WS_AGAIN;
		r = flush_out(ws);
		if (r == WS_EENTROPY)
			return r;
	} else if (ws->nonblock || ws->err || ws->rend == ws->rcap) {
		return WS_AGAIN;
	}
	ws->hungry = 0;
	n = read_io(ws, ws->rbuf + ws->rend, ws->rcap - ws->rend);
	if (n > 0)
		ws->rend += (size_t)n;
	if (n > 0 || !blocked(ws, n, &ws->rd))
		return sending ? WS_AGAIN : n > 0 ? 0 : receive_failed(ws, n);
	if (r == WS_ERESET) /* and what the peer said before is read */
		return receive_failed(ws, -ws->write_dead);
	if (r == 0 && ws->state == OVER && !ws->linger)
		return 0; /* to ws_close, which has nothing to wait for once all is written */
	if (ws->nonblock || (r == 0 && ws->state == OPEN && (ws->tx_active || ws->refused))) {
		ws->refused = 0;
		return WS_AGAIN;
	}
	r = await_io(ws);
	ws->hungry = 0;
	return r;
}

/* A frame, or the rest of the one under way: bytes taken, or what the call returns */
static ptrdiff_t send_frame(struct ws *ws, unsigned b0, const unsigned char *p, size_t len)
{
	int r;
	size_t taken = 0;
	ptrdiff_t n;

	ws->refused = 1;
	for (;;) {
		r = flush_out(ws); /* also puts a pong that waits before this frame */
		if (!ws->refused && !ws->tx_active
		    && (r == 0 || (b0 & 8))) /* when we may wait, all of a message's is written */
			return (ptrdiff_t)taken;
		if (r == WS_ERESET) /* what was taken is lost: nothing was */
			return cannot_write(ws);
		n = WS_AGAIN;
		if (ws->tx_active) {
			if (r == 0 && !late(ws))
				n = (ptrdiff_t)put_payload(ws, p + taken);
		} else if (ws->refused && !ws->control[PONG]) {
			n = begin_frame(ws, b0, p, len);
		}
		if (n >= 0) {
			ws->refused = 0; /* some of it is in sbuf, if but the header */
			taken += (size_t)n;
			continue;
		}
		if (n == WS_AGAIN)
			n = exchange(ws, 1);
		if (n)
			return ws->refused ? n : (ptrdiff_t)taken;
	}
}

ptrdiff_t ws_send(struct ws *ws, int type, const void *data, size_t len)
{
	int op = type & ~WS_MORE;
	uint32_t utf8 = ws->tx_utf8;
	ptrdiff_t n;

	if (ws->state != OPEN)
		return ws->refusal;
	if (ws->tx_active ? len != ws->tx_left || type != ws->tx_type
	                  : (op != WS_TEXT && op != WS_BINARY) || len > PTRDIFF_MAX
	                        || ((ws->tx_type & WS_MORE) && op != (ws->tx_type & ~WS_MORE)))
		return misuse(ws, "ws_send: a type or length that cannot be, or is not that of the message under way");
	/* once writing has failed this may be the rest of a frame, from the middle of a character on */
	if (!ws->tx_active && !ws->write_dead && op == ws->text_type && !is_text(&utf8, data, len, type != op))
		return misuse(ws, "ws_send: the text is not UTF-8");
	n = send_frame(ws, (unsigned)((ws->tx_type & WS_MORE ? WSI_CONT : op) | (type == op ? WSI_FIN : 0)), data, len);
	if (n >= 0) {
		ws->tx_type = (unsigned short)type;
		ws->tx_utf8 = utf8;
	}
	return n;
}

int ws_ping(struct ws *ws, const void *data, size_t len)
{
	int r;

	if (ws->state != OPEN)
		return ws->refusal;
	if (len > WSI_CONTROL_MAX)
		return misuse(ws, "ws_ping: over 125 bytes");
	if (ws->tx_active)
		return WS_AGAIN;
	r = (int)send_frame(ws, WSI_FIN | WSI_PING, data, len);
	if (r < 0)
		return r;
	ws->pinged = 1;
	return 0;
}

/* Receiving */

/* What a step of receiving comes to, beside 0: go on, and < 0: what the call returns */
enum { HANDED_OUT = 1 };

/* Our word that the peer broke the rules. The close frame goes out now or, what of it is not taken, in ws_close. There is
 * room in what. */
static int violate(struct ws *ws, int err, const char *what)
{
	const int told = ws->close_sent; /* with another code: there is but one close frame */
	const char *code_name = "1009";
	unsigned code = 1009;

	if (err == WS_EPROTOCOL) {
		code = 1002;
		code_name = "1002, protocol error";
	} else if (err == WS_EUTF8) {
		code = 1007;
		code_name = "1007";
	}
	send_close(ws, code, what);
	ws->linger = 1;
	return fail_with(ws, err, told ? "receive from %P: %s" : "receive from %P: %s (closed with %t)", what,
	                 code_name);
}

/* More into rbuf, behind the message under way and what is unread: 0: look again; else what the call returns */
static int fill(struct ws *ws)
{
	struct wsi_text *m = &ws->kept[MESSAGE];
	size_t used = ws->rpos - ws->mlen, cap;
	unsigned char *p;

	if (ws->mpos) /* the message is not at the start already, however long */
		memmove(ws->rbuf, ws->rbuf + ws->mpos, ws->mlen);
	ws->mpos = 0;
	ws->rpos = ws->mlen;
	ws->rend -= used;
	/* What is unread is less than a header and a control frame */
	memmove(ws->rbuf + ws->rpos, ws->rbuf + ws->rpos + used, ws->rend - ws->rpos);
	if (ws->rend == ws->rcap) {                 /* a message: memory for what came, not for what was promised */
		cap = ws->max_message + BUFFER_MIN; /* of which header and control frame behind it take less */
		if (cap > 2 * ws->rcap)
			cap = 2 * ws->rcap;
		p = grow(ws, m->p, m->cap, cap);
		if (!p)
			return violate(ws, WS_EMEMORY, "no memory for it");
		if (!m->p)
			memcpy(p, ws->rbuf, ws->rend);
		ws->rbuf = p;
		m->p = (char *)p;
		m->cap = ws->rcap = cap;
	}
	return exchange(ws, 0);
}

/* The header of a frame: whatever RFC 6455 says of it alone, or of it at this place */
static int begin_receiving(struct ws *ws)
{
	const unsigned char *p = ws->rbuf + ws->rpos;
	size_t have = ws->rend - ws->rpos;
	struct wsi_frame *f = &ws->rx;
	const char *why = wsi_frame_decode(f, p, have);
	int op = f->b0 & 0x0f;

	if (why)
		return violate(ws, WS_EPROTOCOL, why);
	if (f->head == 0)
		return fill(ws);
	if (f->b0 & WSI_RSV) { /* 5.2: no extension was agreed on; one would be asked here */
		why = "a reserved bit is set";
	} else if (op == WSI_CONT) { /* 5.4 */
		why = ws->rx_type ? NULL : "a continuation of no message";
	} else if (op < WSI_CLOSE) {
		why = ws->rx_type ? "a new message within a fragmented one" : NULL;
		ws->rx_type = (unsigned char)op;
	}
	if (why)
		return violate(ws, WS_EPROTOCOL, why);
	if (have > f->head + f->len)
		have = f->head + (size_t)f->len;
	trace(ws, 0, WS_TRACE_FRAME, p, have < TRACE_MAX ? have : TRACE_MAX);
	ws->rpos += f->head;
	return 0;
}

static int wrong_close_code(struct ws *ws, unsigned code)
{
	char buf[WSI_CONTROL_MAX - 2];
	struct wsi_text t;

	wsi_text_init(&t, buf, sizeof buf);
	wsi_put(&t, "the close code ");
	wsi_put_u(&t, code);
	wsi_put(&t, ", which must not be sent");
	return violate(ws, WS_EPROTOCOL, t.p);
}

static int on_close(struct ws *ws, const unsigned char *p, size_t len)
{
	unsigned code = 0;
	uint32_t utf8 = 0;

	if (len == 1)
		return violate(ws, WS_EPROTOCOL, "a close frame of one byte");
	if (len) {
		code = (unsigned)p[0] << 8 | p[1];
		if (!wsi_close_code_ok(code))
			return wrong_close_code(ws, code);
		len -= 2;
		if (!is_text(&utf8, p + 2, len, 0))
			return violate(ws, WS_EUTF8, "a close reason that is not UTF-8");
		memcpy(ws->close_reason, p + 2, len); /* a NUL is behind it: there is but one */
		ws->info.close_reason_len = len;
	}
	ws->info.close_code = code ? (int)code : 1005; /* 7.1.5 */
	ws->peer_closed = 1;
	send_close(ws, code, ""); /* 5.5.1: the code is echoed */
	return fail_with(ws, WS_ECLOSED, len ? "closed by %P with %D%s: %R" : "closed by %P with %D%s",
	                 wsi_close_name((unsigned)ws->info.close_code), NULL);
}

/* A control frame, once it is whole */
static int on_control(struct ws *ws, struct ws_msg *msg)
{
	const unsigned char *p = ws->rbuf + ws->rpos;
	size_t len = (size_t)ws->rx.len;

	if (ws->rend - ws->rpos < len)
		return fill(ws);
	ws->rpos += len;
	ws->rx.head = 0;
	switch (ws->rx.b0 & 0x0f) {
	case WSI_CLOSE:
		return on_close(ws, p, len);
	case WSI_PING: /* 5.5.3: of several that could not be answered yet, the last will do */
		if (ws->close_sent)
			return 0;
		memcpy(ws->control_data[PONG], p, len);
		ws->control_len[PONG] = (unsigned char)len;
		ws->control[PONG] = WSI_FIN | WSI_PONG;
		flush_out(ws);
		return ws->err; /* there may be no entropy for its mask */
	default:
		if (!ws->pinged)
			return 0;
		msg->type = WS_PONG;
		msg->more = 0;
		msg->data = p;
		msg->len = len;
		return HANDED_OUT;
	}
}

/* Payload of a data frame, which joins what there is of the message */
static int on_data(struct ws *ws, struct ws_msg *msg)
{
	unsigned char *p;
	size_t n = ws->rend - ws->rpos;

	if (!ws->stream && ws->rx.len > ws->max_message - ws->mlen)
		return violate(ws, WS_ETOOBIG, "a message over max_message");
	if (n == 0 && ws->rx.len)
		return fill(ws);
	if (n >= ws->rx.len) {
		n = (size_t)ws->rx.len;
		ws->rx.head = 0;
	}
	if (ws->mlen == 0)
		ws->mpos = ws->rpos;
	msg->data = ws->rbuf + ws->mpos;
	p = ws->rbuf + ws->mpos + ws->mlen;
	memmove(p, ws->rbuf + ws->rpos, n); /* from where it is, or from behind a header and control frames */
	ws->mlen += n;
	ws->rpos += n;
	ws->rx.len -= n;
	msg->len = ws->mlen;
	msg->type = ws->rx_type;
	msg->more = ws->rx.head || !(ws->rx.b0 & WSI_FIN);
	if (ws->rx_type == ws->text_type && !is_text(&ws->rx_utf8, p, n, msg->more))
		return violate(ws, WS_EUTF8, "text that is not UTF-8");
	if (!msg->more)
		ws->rx_type = 0;
	else if (!ws->stream || msg->len == 0)
		return 0;
	ws->mlen = 0;
	return HANDED_OUT;
}

/* The next message: HANDED_OUT, or < 0 */
static int receive(struct ws *ws, struct ws_msg *msg)
{
	int r;

	for (;;) {
		if (ws->mem.trace && late(ws)) /* the callback may block, once for each frame that lies in the buffer */
			return exchange(ws, 0); /* which fails for being late */
		r = !ws->rx.head ? begin_receiving(ws) : ws->rx.b0 & 8 ? on_control(ws, msg) : on_data(ws, msg);
		if (r)
			return r;
	}
}

int ws_recv(struct ws *ws, struct ws_msg *msg)
{
	const unsigned char *p = ws->rbuf + ws->rpos;
	size_t have = ws->rend - ws->rpos, len;
	int r;

	/* The short way for the common case: a whole, small, unfragmented binary message that lies in the buffer */
	if (ws->idle && have >= 2 && p[0] == (WSI_FIN | WSI_BINARY)) {
		len = p[1];
		if (len < 126 && len <= have - 2 && len <= ws->max_message) {
			msg->type = WS_BINARY;
			msg->more = 0;
			msg->data = p + 2;
			msg->len = len;
			ws->rpos += 2 + len;
			return 0;
		}
	}
	if (ws->state != OPEN)
		return ws->refusal;
	drop_head(ws);
	ws->reads = ws->dead_told = 0;
	r = receive(ws, msg);
	ws->idle = r > 0 && !ws->rx_type && !ws->mem.trace;
	return r < 0 ? r : 0;
}

/* Closing */

static int begin_close(struct ws *ws, int code, const char *reason)
{
	uint32_t utf8 = 0;
	size_t len;

	if (!reason)
		reason = "";
	len = wsi_strlen(reason);
	if ((code ? !wsi_close_code_ok((unsigned)code) || len > WSI_CONTROL_MAX - 2 : len != 0)
	    || !is_text(&utf8, reason, len, 0))
		return misuse(ws, "ws_close: a code that must not be sent, or a reason over 123 bytes or not UTF-8");
	if (ws->tx_active) /* no frame can begin within another: all that is left is to hang up */
		return fail(ws, WS_ECLOSED, "closed in the middle of a frame of ours");
	enter(ws, WS_CLOSING);
	ws->state = CLOSING;
	ws->idle = 0;
	/* Whatever comes before the peer's close frame goes to waste, piece by piece and unlooked at */
	ws->stream = 1;
	ws->text_type = 0;
	ws->mlen = 0;
	send_close(ws, (unsigned)code, reason);
	return 0;
}

int ws_close(struct ws *ws, int code, const char *reason)
{
	struct ws_msg waste;
	int n, over;

	if (!ws->opened)
		return ws->refusal;
	if (ws->state == OPEN) {
		n = begin_close(ws, code, reason);
		if (ws->state == OPEN)
			return n;
	}
	ws->reads = 0;
	do {
		over = ws->state == OVER;
		if (!over) {
			n = receive(ws, &waste);
		} else {
			/* What waits goes out, unless it ends within a frame; after a close frame that is our own doing it reads
			 * on, to no end but that the peer sees that frame */
			if (ws->tx_active || (flush_out(ws) != WS_AGAIN && !ws->linger))
				break;
			ws->rpos = ws->rend = 0;
			n = exchange(ws, 0);
		}
		if (n == WS_AGAIN || n == WS_ETIMEOUT)
			return n;
	} while (!over || n == 0);
#ifdef WS_WITH_MBEDTLS
	if (ws->tls)
		wsi_tls_goodbye(ws->tls);
#endif
	ws->linger = 0;
	ws->send = 0;
	ws->change++; /* there is none to poll any more */
	if (ws->err != WS_ECLOSED || !ws->peer_closed)
		return ws->err;
	enter(ws, WS_DONE);
	return 0;
}

/* Names */

const char *ws_errname(int err)
{
	const char *name = wsi_nth("ok\0again\0timeout\0\0\0\0\0\0\0\0"
	                           "usage\0url\0memory\0unsupported\0\0\0\0\0\0\0"
	                           "resolve\0refused\0unreachable\0proxy\0tls\0certificate\0\0\0\0\0"
	                           "http\0redirect\0handshake\0\0\0\0\0\0\0\0"
	                           "protocol\0utf8\0too_big\0closed\0reset\0\n",
	                           0u - (unsigned)err);

	return *name ? name : "io"; /* WS_EENTROPY and WS_EIO too */
}

const char *ws_phasename(enum ws_phase phase)
{
	return wsi_nth("resolve\0connect\0proxy\0tls\0upgrade\0ready\0url\0closing\0done\0\n", (unsigned)phase);
}

const char *ws_version(void)
{
#ifdef WS_WITH_MBEDTLS
	return wsi_tls_version();
#else
	return WS_VERSION;
#endif
}

unsigned ws_features(void)
{
	return 0u
#ifdef WS_WITH_MBEDTLS
	       | WS_HAS_TLS
#endif
#if !defined(WS_NO_RESOLVER) && !defined(WS_NO_NET)
	       | WS_HAS_RESOLVER
#ifndef WS_NO_THREADS
	       | WS_HAS_THREADS
#endif
#endif
#ifndef WS_NO_PROXY
	       | WS_HAS_PROXY
#endif
#ifndef WS_NO_REDIRECTS
	       | WS_HAS_REDIRECTS
#endif
	    ;
}

/* All in one call */

/* The first message is the answer, also if it comes before all of data is sent */
static int query_exchange(struct ws *ws, int type, const char *data, size_t len, struct ws_answer *answer)
{
	struct ws_msg msg;
	ptrdiff_t n;
	int r = ws_open(ws);

	while (r == 0 || r == WS_AGAIN) {
		if (data) {
			n = ws_send(ws, type, data, len);
			if (n < WS_AGAIN)
				return (int)n;
			if (n == (ptrdiff_t)len) {
				data = NULL;
			} else if (n > 0) {
				data += n;
				len -= (size_t)n;
			}
		}
		if (!data && answer->data)
			break;
		r = ws_recv(ws, &msg);
		if (r == 0 && !answer->data) {
			answer->data = grow(ws, NULL, 0, msg.len + 1);
			if (!answer->data)
				return no_memory(ws);
			memcpy(answer->data, msg.data, msg.len);
			answer->data[msg.len] = '\0';
			answer->len = msg.len;
			answer->type = msg.type;
		}
	}
	return answer->data ? 0 : r;
}

int ws_query(const char *url, const struct ws_options *opt, int type, const void *data, size_t len,
             struct ws_answer *answer)
{
	struct ws_options o;
	struct wsi_mem mem;
	struct wsi_text t;
	const char *why = "out of memory";
	struct ws *ws;

	memset(answer, 0, sizeof *answer);
	copy_options(&o, opt, &mem);
	o.nonblock = o.stream = 0;
	ws = ws_new(url, &o);
	answer->err = ws ? query_exchange(ws, type, data, len, answer) : WS_EMEMORY;
	if (ws)
		why = ws_error(ws);
	wsi_text_init(&t, answer->error, sizeof answer->error);
	if (answer->err)
		wsi_put_safe(&t, why, wsi_strlen(why));
	if (ws) {
		answer->connected = ws->opened;
		ws->deadline = earlier(ws->deadline, after_ms(now_us(ws), 1000));
		ws_close(ws, 1000, NULL);
		ws_free(ws);
	}
	return answer->err;
}

void ws_answer_free(struct ws_answer *answer, const struct ws_options *opt)
{
	struct ws_options o;
	struct wsi_mem mem;

	copy_options(&o, opt, &mem);
	if (answer->data)
		wsi_alloc(&mem, answer->data, answer->len + 1, 0);
	answer->data = NULL;
	answer->len = 0;
}
