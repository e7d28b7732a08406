/* SPDX-License-Identifier: ISC
 * ws.c - the connection: the one file that owns a struct ws; see ws.h for what it promises
 *
 * The files, arrows pointing down only:
 *
 *	main.c ...                     the program, on ws.h
 *	ws.c                           phases, buffers, deadlines, closing         this file
 *	net.c  tls.c                   names, sockets, clock; TLS on any transport ws_world.h
 *	url.c frame.c handshake.c proxy.c      text and bytes of the protocols     ws_bytes.h
 *	text.c sha1.c base64.c utf8.c ip.c     (and match.c, for the program)      ws_pure.h
 *
 * The life of a connection; every step can be left with WS_AGAIN and is gone on with by the same call:
 *
 *	ws_new --> START --> [TARGET] --> NET --> [PROXY] --> [TLS] --> REQUEST --> SEND --> HEAD --> open
 *	             ^   resolve for SOCKS4/5                                                 |
 *	             +------------------------------- 30x with a Location --------------------+--> BODY --> refused
 *
 *	open --ws_close--> closing --peer's close--> over        open --peer's close, end of file, violation--> over
 *
 * Receiving: one buffer, rbuf[rpos..rend). A message in one frame that fits in it is handed out in place; other
 * messages grow mbuf by what has arrived. Sending: one buffer, sbuf[spos..send), into which frames are masked; a
 * frame of the program that does not fit is under way (tx_left > 0) over several calls, and control frames wait for
 * its end.
 */
#include "ws_world.h"
#include <limits.h>
#include <stdarg.h>
#include <string.h>

#define RECV_BUFFER 16384
#define SEND_BUFFER 4096
#define BUFFER_MIN 256
#define MESSAGE_MAX (16 * 1024 * 1024)
#define TIMEOUT_MS 10000
#define REQUEST_MAX (1024 * 1024) /* of our own request */
#define WHY_MAX 1536              /* of a sentence: WS_MAX_ADDRESSES and their errors fit */
#define CHAIN_MAX 512             /* of a sentence's part on redirects */
#define TRACE_MAX 256             /* of a frame shown to trace */
#define ENTROPY_WAIT_US 20000     /* between two looks, while the system has none yet */
#define READS_PER_CALL 64         /* with .nonblock, so that a flood leaves the caller's other work some time */
#define TLS_READS_PER_CALL 250    /* below TLS: a flight of the handshake is some 20, a record 2 */
#define AHEAD_OF_LARGE 256        /* bytes read for a header where a large message is likely */
#define HEAD_PIECE 512
#define KEEPALIVE_MAX 32767 /* what Linux takes, in seconds */
#define SHOWN_URL_MAX 2048  /* of the report's URL */
#define NEVER INT64_MAX

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

struct block { /* allocated; its owner is who has this struct */
	char *p;
	size_t cap;
};

/* What only the opening needs; freed when it ends */
struct opening {
	enum open_step step;
	unsigned char same_origin, interim;
	struct block buf; /* the request, then the head of the response */
	size_t len, off;  /* of buf */
	struct block url; /* of this hop, with userinfo and a NUL */
	struct wsi_net *net;
	struct wsi_url u;
	struct wsi_head_scan scan;
	struct wsi_response response;
	struct wsi_body body;
	int64_t body_deadline;
	struct block first_url; /* of the first hop; the same block until there is a redirect */
	struct wsi_url first;
	struct wsi_net_options net_opt;
#ifndef WS_NO_PROXY
	struct wsi_proxy_url proxy_url;
	struct wsi_proxy proxy;
	const char *proxy_str; /* NULL: none applies to this hop */
	unsigned char addr[16];
	int addr_len;
#endif
	struct wsi_text chain; /* "A -> B" once there was a redirect */
	struct ws_options opt;
	char key[24];
	char chain_buf[CHAIN_MAX];
};

struct ws { /* what is used most comes first: small offsets make small code */
	struct opening *op;
	unsigned char *rbuf;
	size_t rpos, rend;
	unsigned char *sbuf;
	size_t spos, send;
	uint64_t rx_left; /* of the payload of the frame under way */
	int err;          /* the first that ended it */
	enum { OPENING, OPEN, CLOSING, OVER } state;
	unsigned char opened; /* 1: the upgrade succeeded */
	unsigned char nonblock, stream, no_utf8_check;
	unsigned char proxied;      /* 1: address is the proxy's */
	unsigned char own_io;       /* 1: the caller's transport */
	unsigned char linger;       /* 1: over by our close frame, the peer's end of file is still to come */
	unsigned char entropy_wait; /* 1: the system has no random bytes yet */
	unsigned char hungry;       /* 1: nothing more can be done with what is buffered */
	unsigned char rd, wr, want; /* WS_POLL_ that reading, writing, the opening waits for */
	unsigned char write_dead, close_sent, why_lost;
	unsigned char idle;     /* 1: open, between messages, and nothing that the short way in ws_recv would skip */
	unsigned char in_frame; /* 1: its header is used up, rx_left of its payload are not */
	unsigned char large;    /* 1: the last message did not fit in rbuf, so perhaps the next will not */
	unsigned char in_place; /* 1: the message is this frame, and is handed out in place */
	unsigned char pinged;   /* 1: pongs are asked for */
	unsigned char rx_type;  /* of the message under way; 0: none */
	unsigned char tx_type;  /* likewise, over all its fragments */
	unsigned char tx_active, tx_more, pool_left;
	unsigned char control, control_len; /* a pong or close frame that waits for room; 0: none does */
	unsigned char reads;                /* of this call */
	unsigned char tls_reads;            /* below TLS, of one call to it */
	size_t mlen;
	int64_t deadline;

	size_t rcap, mcap, scap;
	unsigned char *mbuf;
	struct ws_io raw, io; /* below TLS; the WebSocket's own */
	struct wsi_frame rx;
	uint32_t rx_utf8, tx_utf8;
	size_t rx_checked; /* bytes at rpos that UTF-8 was checked in already */
	size_t max_message;
	size_t tx_left;
	size_t dead_told; /* rpos + 1 when ws_send said that writing has failed; 0: it did not since ws_recv */
	uint64_t tx_off;
	unsigned char tx_key[4];
	unsigned change;
	int fd;

	struct wsi_mem mem;
	int64_t (*now_us)(void *user_data);
	int (*entropy)(void *user_data, void *buf, size_t len);
	void (*trace)(void *user_data, int sent, int type, const void *data, size_t len);
	void *user_data;
	int64_t start, connect_deadline, phase_start;
	unsigned char *pre; /* bytes of raw that the proxy's dialogue read too far */
	size_t pre_cap, pre_off;
#ifdef WS_WITH_MBEDTLS
	struct wsi_tls_config *tls_config;
	struct wsi_tls *tls;
#endif
	struct block why, url, subprotocol, head, body;
	size_t size; /* of the block: this struct, rbuf, sbuf */
	struct ws_report info;
	char address[120];
	char close_reason[WSI_CONTROL_MAX - 1];
	unsigned char control_data[WSI_CONTROL_MAX];
	unsigned char pool[64]; /* random bytes, used from the end */
};

/* Small things */

static void *grow(const struct ws *ws, void *p, size_t old_len, size_t new_len)
{
	return wsi_alloc(&ws->mem, p, old_len, new_len);
}

static void release(const struct ws *ws, struct block *b)
{
	if (b->p)
		wsi_alloc(&ws->mem, b->p, b->cap, 0);
	b->p = NULL;
	b->cap = 0;
}

/* A NUL-terminated copy in place of what was there; 0 or WS_EMEMORY */
static int keep(const struct ws *ws, struct block *b, const void *s, size_t len)
{
	release(ws, b);
	b->p = grow(ws, NULL, 0, len + 1);
	if (!b->p)
		return WS_EMEMORY;
	b->cap = len + 1;
	memcpy(b->p, s, len);
	b->p[len] = '\0';
	return 0;
}

static int64_t now_us(const struct ws *ws)
{
	return ws->now_us ? ws->now_us(ws->user_data) : wsi_clock_us();
}

static int64_t after_ms(int64_t now, int ms)
{
	return ms < 0 ? NEVER : now + (int64_t)ms * 1000;
}

static int64_t open_deadline(const struct ws *ws)
{
	return ws->deadline < ws->connect_deadline ? ws->deadline : ws->connect_deadline;
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

/* %s a string, %u an unsigned; of the connection: %P its peer, %A its address, %U its URL, %T how long it has been going
 * on */
static void put_format(const struct ws *ws, struct wsi_text *t, const char *fmt, va_list ap)
{
	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			wsi_put_c(t, *fmt);
			continue;
		}
		fmt++;
		if (*fmt == 'u')
			wsi_put_u(t, va_arg(ap, unsigned));
		else if (*fmt == 'T')
			wsi_put_ms(t, now_us(ws) - ws->start);
		else if (*fmt == 's')
			wsi_put(t, va_arg(ap, const char *));
		else if (*fmt == 'U' || (*fmt == 'P' && !ws->address[0]))
			wsi_put(t, ws->info.url);
		else {
			if (*fmt == 'P' && ws->proxied) {
				wsi_put(t, ws->info.url);
				wsi_put(t, " through ");
			}
			wsi_put(t, ws->address);
		}
	}
}

static void end_net(struct ws *ws)
{
	struct ws_pollset set;

	if (!ws->op->net)
		return;
	memset(&set, 0, sizeof set);
	wsi_net_wants(ws->op->net, ws->start, &set);
	ws->change += set.change + 1; /* beyond all that ws_wants has said of it */
	wsi_net_free(ws->op->net);
	ws->op->net = NULL;
}

static void free_opening(struct ws *ws)
{
	struct opening *op = ws->op;

	if (!op)
		return;
	end_net(ws);
	if (op->first_url.p != op->url.p)
		release(ws, &op->first_url);
	release(ws, &op->url);
	release(ws, &op->buf);
	wsi_alloc(&ws->mem, op, sizeof *op, 0);
	ws->op = NULL;
}

/* The first error that ends a connection stays; others give their sentence alone. Returns err. */
static int fail(struct ws *ws, int err, const char *fmt, ...)
{
	char buf[WHY_MAX];
	struct wsi_text t;
	va_list ap;

	if (ws->err)
		return ws->err;
	wsi_text_init(&t, buf, sizeof buf);
	va_start(ap, fmt);
	put_format(ws, &t, fmt, ap);
	va_end(ap);
	if (ws->op && ws->op->chain.len) {
		wsi_put(&t, " (redirected: ");
		wsi_put(&t, ws->op->chain.p);
		wsi_put(&t, ")");
	}
	ws->why_lost = err == WS_EMEMORY || keep(ws, &ws->why, buf, t.len) < 0;
	if (ws->why_lost)
		release(ws, &ws->why); /* ws_error has a sentence of its own for that */
	if (ws->opened && (err == WS_EUSAGE || err == WS_ETIMEOUT))
		return err;
	ws->err = ws->info.err = err;
	ws->state = OVER;
	ws->idle = 0;
	free_opening(ws);
	return err;
}

static int no_memory(struct ws *ws)
{
	return fail(ws, WS_EMEMORY, "%s", "");
}

const char *ws_error(const struct ws *ws)
{
	return ws->why.p ? ws->why.p : ws->why_lost ? "out of memory" : "";
}

const struct ws_report *ws_info(const struct ws *ws)
{
	return &ws->info;
}

/* doing ends with the name of the peer, or with a space, behind which it is put */
static int timed_out(struct ws *ws, const char *doing, const char *what)
{
	return fail(ws, WS_ETIMEOUT, doing[wsi_strlen(doing) - 1] == ' ' ? "%s%P: %s after %T%s" : "%s: %s after %T%s",
	            doing, what, !ws->opened && ws->deadline > ws->connect_deadline ? " (the connect timeout)" : "");
}

static int entropy(void *ctx, void *buf, size_t len)
{
	const struct ws *ws = ctx;

	return ws->entropy ? ws->entropy(ws->user_data, buf, len) : wsi_entropy(buf, len);
}

/* Random bytes: 0, WS_AGAIN, WS_EENTROPY */
static int take_random(struct ws *ws, void *out, unsigned len)
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
	memcpy(out, ws->pool + ws->pool_left, len);
	memset(ws->pool + ws->pool_left, 0, len);
	return 0;
}

/* Waiting */

/* inside: 0 bytes that wait inside do not count */
static void list_wants(const struct ws *ws, struct ws_pollset *set, int inside)
{
	int64_t now = now_us(ws), until = ws->deadline, left;

	memset(set, 0, sizeof *set);
	set->timeout_ms = -1;
	set->change = ws->change;
	if (ws->op && ws->op->net) {
		wsi_net_wants(ws->op->net, now, set);
		set->change += ws->change;
	} else if (!ws->entropy_wait && (ws->state != OVER || ws->linger || ws->send > ws->spos)) {
		set->n = 1;
		set->fd[0].fd = ws->own_io ? -1 : ws->fd;
		set->fd[0].events = ws->op ? ws->want : ws->rd;
		if (!ws->op && (ws->send > ws->spos || (ws->tx_active && ws->state == OPEN && !ws->write_dead)))
			set->fd[0].events |= ws->wr;
		if (inside && !ws->hungry)
			set->timeout_ms = 0;
	}
	if (ws->op) {
		if (open_deadline(ws) < until)
			until = ws->connect_deadline;
		if (ws->op->step == OPEN_BODY && ws->op->body_deadline < until)
			until = ws->op->body_deadline;
	}
	if (ws->entropy_wait && now + ENTROPY_WAIT_US < until)
		until = now + ENTROPY_WAIT_US;
	if (until == NEVER || set->timeout_ms == 0)
		return;
	left = until <= now ? 0 : (until - now + 999) / 1000;
	if (left > INT_MAX)
		left = INT_MAX;
	if (set->timeout_ms < 0 || left < set->timeout_ms)
		set->timeout_ms = (int)left;
}

void ws_wants(const struct ws *ws, struct ws_pollset *set)
{
	list_wants(ws, set, 1);
}

/* Blocks until something may have changed: 0 or WS_EIO. inside: as list_wants has it */
static int await_io(struct ws *ws, int inside)
{
	struct ws_pollset set;
	int r;

	list_wants(ws, &set, inside);
	if (ws->own_io)
		r = ws->raw.io_wait(ws->raw.io, set.n ? set.fd[0].events : 0, set.timeout_ms);
	else
		r = wsi_poll(&set);
	return r < 0 ? fail(ws, WS_EIO, "waiting for %P failed") : 0;
}

void ws_timeout(struct ws *ws, int timeout_ms)
{
	ws->deadline = after_ms(now_us(ws), timeout_ms);
}

/* Making one */

static int wrong_option(struct ws *ws, const char *option, const char *why)
{
	ws->info.option = option;
	return fail(ws, WS_EUSAGE, "%s: %s", option, why);
}

/* Shows the wrong value too, unless it may hold a secret; of a header its name */
static int wrong_value(struct ws *ws, const char *option, const char *value, const char *why)
{
	char buf[160];
	struct wsi_text t;
	size_t n = value ? wsi_strlen(value) : 0, i = 0;

	if (wsi_same("headers", 7, option)) {
		while (i < n && value[i] != ':')
			i++;
		if (i == n) /* no colon: where a value would begin is anyone's guess */
			for (i = 0; i < n && wsi_is_tchar((unsigned char)value[i]);)
				i++;
		n = i;
	}
	if (n == 0 || option[0] == 'c' || option[0] == 'u' || option[0] == 'b') /* cookie, user, bearer */
		return wrong_option(ws, option, why);
	ws->info.option = option;
	wsi_text_init(&t, buf, sizeof buf);
	wsi_put_safe(&t, value, n);
	return fail(ws, WS_EUSAGE, "%s: \"%s\" %s", option, buf, why);
}

#ifndef WS_NO_PROXY
static int check_proxy(struct ws *ws, const char *option, const char *s)
{
	char buf[160];
	struct wsi_proxy_url p;
	struct wsi_text t;
	const char *why;
	size_t where, i, at = 0;

	if (!s || !*s || wsi_proxy_parse(&p, s, wsi_strlen(s), &why, &where) == 0)
		return 0;
	ws->info.option = option;
	wsi_text_init(&t, buf, sizeof buf);
	for (i = 0; s[i]; i++) /* it is no URL, so what is before the last '@' may be a password all the same */
		at = s[i] == '@' ? i + 1 : at;
	wsi_put_url(&t, s + at, wsi_strlen(s + at));
	return fail(ws, WS_EUSAGE, "%s: \"%s\": %s", option, buf, why);
}
#endif

static void request_of(struct wsi_request *r, const struct ws_options *o)
{
	memset(r, 0, sizeof *r);
	r->headers = o->headers;
	r->subprotocols = o->subprotocols;
	r->origin = o->origin;
	r->host = o->host;
	r->user_agent = o->user_agent;
	r->cookie = o->cookie;
	r->user = o->user;
	r->bearer = o->bearer;
}

static int check_options(struct ws *ws, const struct ws_options *o)
{
	const char *const value_of[] = {o->origin, o->host, o->user_agent, o->cookie, o->user, o->bearer};
	struct wsi_request r;
	const char *option = "", *why = "", *value = NULL;
	size_t i, len = 0;

	if (o->timeout_ms < -1)
		return wrong_option(ws, "timeout_ms", "is negative");
	if (o->connect_timeout_ms < 0)
		return wrong_option(ws, "connect_timeout_ms", "is negative");
	if (o->max_redirects < 0)
		return wrong_option(ws, "max_redirects", "is negative");
	if (o->keepalive_s < 0 || o->keepalive_s > KEEPALIVE_MAX)
		return wrong_option(ws, "keepalive_s", "is not between 0 and 32767");
	if (o->recv_buffer > PTRDIFF_MAX / 4 || (o->recv_buffer && o->recv_buffer < BUFFER_MIN))
		return wrong_option(ws, "recv_buffer", "is not between 256 bytes and a quarter of memory");
	if (o->send_buffer > PTRDIFF_MAX / 4 || (o->send_buffer && o->send_buffer < BUFFER_MIN))
		return wrong_option(ws, "send_buffer", "is not between 256 bytes and a quarter of memory");
	if (o->max_message > PTRDIFF_MAX / 2)
		return wrong_option(ws, "max_message", "is more than half of memory");
	if (o->family != 0 && o->family != 4 && o->family != 6)
		return wrong_option(ws, "family", "is neither 4 nor 6");
	if (o->use_fd && (o->fd < 0 || wsi_socket_prepare(o->fd) < 0))
		return wrong_option(ws, "fd", "is no open descriptor");
	if (o->io && (!o->io->io_read || !o->io->io_write || (!o->nonblock && !o->io->io_wait)))
		return wrong_option(ws, "io", "lacks a function (io_wait is needed without nonblock)");
	if (o->unix_socket && !*o->unix_socket)
		return wrong_option(ws, "unix_socket", "is empty");
	request_of(&r, o);
	for (i = 0; o->headers && o->headers[i]; i++)
		len += wsi_strlen(o->headers[i]);
	for (i = 0; o->subprotocols && o->subprotocols[i]; i++)
		len += wsi_strlen(o->subprotocols[i]);
	for (i = 0; i < sizeof value_of / sizeof value_of[0]; i++)
		len += value_of[i] ? wsi_strlen(value_of[i]) : 0;
	if (len > REQUEST_MAX / 2)
		return wrong_option(ws, "headers", "are, with all that goes into the request, over 512 KiB");
	if (wsi_request_check(&r, &option, &why, &value) < 0
	    || wsi_net_check(o->resolve, o->local_interface, &option, &why, &value) < 0)
		return wrong_value(ws, option, value, why);
#ifdef WS_NO_PROXY
	if ((o->proxy && *o->proxy) || (o->proxy_wss && *o->proxy_wss))
		return wrong_option(ws, "proxy", "not built in");
#else
	{
		struct wsi_str bad;

		if (check_proxy(ws, "proxy", o->proxy) < 0 || check_proxy(ws, "proxy_wss", o->proxy_wss) < 0)
			return ws->err;
		if (o->no_proxy && wsi_no_proxy(o->no_proxy, NULL, &bad) < 0) {
			char buf[160];
			struct wsi_text t;

			wsi_text_init(&t, buf, sizeof buf);
			wsi_put_n(&t, bad.p, bad.len);
			return wrong_value(ws, "no_proxy", buf, "is no host, domain, address or CIDR block");
		}
	}
#endif
#ifdef WS_NO_REDIRECTS
	if (o->max_redirects)
		return wrong_option(ws, "max_redirects", "not built in");
#endif
#ifdef WS_WITH_MBEDTLS
	{
		const struct ws_tls *t = &o->tls;
		char buf[WHY_MAX / 2];
		struct wsi_text cause;
		int e;

		if (!t->ca_file && !t->ca_dir && !t->cert_file && !t->key_file && !t->server_name && !t->ciphers
		    && !t->pin_sha256 && !t->keylog_file && !t->min_version && !t->max_version && !t->config)
			return 0;
		wsi_text_init(&cause, buf, sizeof buf);
		e = wsi_tls_config_new(&ws->tls_config, &ws->mem, t, &option, &cause);
		if (e == WS_EUSAGE)
			return wrong_option(ws, option, buf);
		return e ? fail(ws, e, "TLS settings: %s", buf) : 0;
	}
#else
	if (o->tls.ca_file || o->tls.ca_dir || o->tls.cert_file || o->tls.key_file || o->tls.key_password
	    || o->tls.server_name || o->tls.ciphers || o->tls.pin_sha256 || o->tls.keylog_file || o->tls.min_version
	    || o->tls.max_version || o->tls.insecure_no_verify || o->tls.insecure_no_hostname || o->tls.config)
		return wrong_option(ws, "tls", "not built in");
	return 0;
#endif
}

/* Takes op->url as this hop's */
static int parse_url(struct ws *ws)
{
	struct opening *op = ws->op;
	struct wsi_text t;
	const char *why = "";
	size_t where = 0, len = op->url.cap - 1;
	int r = wsi_url_parse(&op->u, op->url.p, len, &why, &where);

	release(ws, &ws->url);
	ws->info.url = "";
	ws->url.p = grow(ws, NULL, 0, len < SHOWN_URL_MAX ? len + 1 : SHOWN_URL_MAX + 1);
	if (!ws->url.p)
		return no_memory(ws);
	ws->url.cap = len < SHOWN_URL_MAX ? len + 1 : SHOWN_URL_MAX + 1;
	wsi_text_init(&t, ws->url.p, ws->url.cap);
	wsi_put_url(&t, op->url.p, len);
	ws->info.url = ws->url.p;
	if (r == 0)
		return 0;
	enter(ws, WS_URL);
	return fail(ws, WS_EURL, "URL \"%s\": %s (byte %u)", len > 200 ? "..." : ws->url.p, why, (unsigned)where + 1);
}

/* As much of *opt as its program knew of, and its allocator */
static void copy_options(struct ws_options *o, const struct ws_options *opt, struct wsi_mem *mem)
{
	memset(o, 0, sizeof *o);
	if (opt)
		memcpy(o, opt, opt->size && opt->size < sizeof *o ? opt->size : sizeof *o);
	mem->alloc = o->alloc;
	mem->user_data = o->user_data;
}

struct ws *ws_new(const char *url, const struct ws_options *opt)
{
	struct ws_options o;
	struct wsi_mem mem;
	struct ws *ws;
	size_t rcap, scap, i, url_len = url ? wsi_strlen(url) : 0;

	copy_options(&o, opt, &mem);
	rcap = o.recv_buffer < BUFFER_MIN || o.recv_buffer > PTRDIFF_MAX / 4 ? RECV_BUFFER : o.recv_buffer;
	scap = o.send_buffer < BUFFER_MIN || o.send_buffer > PTRDIFF_MAX / 4 ? SEND_BUFFER : o.send_buffer;
	ws = wsi_alloc(&mem, NULL, 0, sizeof *ws + rcap + scap);
	if (!ws)
		return NULL;
	memset(ws, 0, sizeof *ws);
	ws->size = sizeof *ws + rcap + scap;
	ws->mem = mem;
	ws->op = wsi_alloc(&mem, NULL, 0, sizeof *ws->op);
	if (!ws->op) {
		wsi_alloc(&mem, ws, ws->size, 0);
		return NULL;
	}
	memset(ws->op, 0, sizeof *ws->op);
	ws->op->opt = o;
	wsi_text_init(&ws->op->chain, ws->op->chain_buf, sizeof ws->op->chain_buf);
	ws->rbuf = (unsigned char *)(ws + 1);
	ws->rcap = rcap;
	ws->sbuf = ws->rbuf + rcap;
	ws->scap = scap;
	ws->now_us = o.now_us;
	ws->entropy = o.entropy;
	ws->trace = o.trace;
	ws->user_data = o.user_data;
	ws->nonblock = o.nonblock != 0;
	ws->stream = o.stream != 0;
	ws->no_utf8_check = o.no_utf8_check != 0;
	ws->max_message = o.max_message ? o.max_message : MESSAGE_MAX;
	ws->own_io = o.io != NULL;
	ws->fd = o.use_fd && !o.io ? o.fd : -1;
	ws->rd = WS_POLL_READ;
	ws->wr = WS_POLL_WRITE;
	ws->start = ws->phase_start = now_us(ws);
	ws->deadline = after_ms(ws->start, o.timeout_ms ? o.timeout_ms : TIMEOUT_MS);
	ws->connect_deadline = after_ms(ws->start, o.connect_timeout_ms > 0 ? o.connect_timeout_ms : -1);
	ws->info.phase = WS_URL;
	ws->info.option = ws->info.url = ws->info.subprotocol = ws->info.head = ws->info.body = "";
	ws->info.tls_version = ws->info.tls_cipher = ws->info.cert_subject = ws->info.cert_issuer = "";
	ws->info.address = ws->address;
	ws->info.close_reason = ws->close_reason;
	for (i = 0; i < WS_PHASES_TIMED; i++)
		ws->info.phase_us[i] = -1;
	if (o.io) {
		ws->io = ws->raw = *o.io;
	} else {
		ws->io.io_read = wsi_socket_read;
		ws->io.io_write = wsi_socket_write;
		ws->io.io_close = wsi_socket_close;
		ws->io.io = &ws->fd;
		ws->raw = ws->io;
	}
	if (check_options(ws, &ws->op->opt) < 0)
		return ws;
	if (!url) {
		fail(ws, WS_EURL, "URL: it is NULL");
		return ws;
	}
	if (keep(ws, &ws->op->url, url, url_len) < 0) {
		no_memory(ws);
		return ws;
	}
	ws->op->first_url = ws->op->url;
	if (parse_url(ws) == 0)
		ws->op->first = ws->op->u;
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
#endif
	if (ws->raw.io_close)
		ws->raw.io_close(ws->raw.io);
	ws->address[0] = '\0';
	ws->io = ws->raw;
	ws->change++;
	ws->rpos = ws->rend = 0;
	if (ws->pre)
		wsi_alloc(&ws->mem, ws->pre, ws->pre_cap, 0);
	ws->pre = NULL;
}

void ws_free(struct ws *ws)
{
	if (!ws)
		return;
	free_opening(ws);
	close_transport(ws);
#ifdef WS_WITH_MBEDTLS
	wsi_tls_config_free(ws->tls_config);
#endif
	if (ws->mbuf)
		wsi_alloc(&ws->mem, ws->mbuf, ws->mcap, 0);
	release(ws, &ws->why);
	release(ws, &ws->url);
	release(ws, &ws->subprotocol);
	release(ws, &ws->head);
	release(ws, &ws->body);
	wsi_alloc(&ws->mem, ws, ws->size, 0);
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
	*side = n == WS_IO_READ ? WS_POLL_READ : WS_POLL_WRITE;
	ws->want = *side;
	if (ws->op || side == &ws->rd) /* that a write is blocked says nothing of what was read */
		ws->hungry = 1;
#ifdef WS_WITH_MBEDTLS
	if (ws->tls_reads >= TLS_READS_PER_CALL || (ws->io.io_read == wsi_tls_read && wsi_tls_pending(ws->tls)))
		ws->hungry = 0; /* poll knows nothing of what TLS has read ahead, or would have */
#endif
	return WS_AGAIN;
}

static int io_failed(struct ws *ws, const char *doing, ptrdiff_t n, const char *detail)
{
#ifdef WS_WITH_MBEDTLS
	if (n == WS_IO_ERROR && ws->tls) {
		char buf[160];
		struct wsi_text t;

		wsi_text_init(&t, buf, sizeof buf);
		wsi_tls_why(ws->tls, &t);
		return fail(ws, WS_ETLS, "%s %P: %s", doing, buf);
	}
#endif
	return fail(ws,
	            n == WS_IO_EOF     ? WS_ECLOSED
	            : n == WS_IO_RESET ? WS_ERESET
	                               : WS_EIO,
	            "%s %P: %s%s", doing,
	            n == WS_IO_EOF     ? "the connection was closed"
	            : n == WS_IO_RESET ? "connection reset"
	                               : "input/output error",
	            detail);
}

static ptrdiff_t read_io(struct ws *ws, void *buf, size_t len)
{
	ws->tls_reads = 0;
	return ws->io.io_read(ws->io.io, buf, len);
}

/* Writes p[*at..end): 0 when all of it is gone, WS_AGAIN, or the transport's word */
static ptrdiff_t write_io(struct ws *ws, const void *p, size_t *at, size_t end)
{
	ptrdiff_t n;

	for (; *at < end; *at += (size_t)n) {
		n = ws->io.io_write(ws->io.io, (const char *)p + *at, end - *at);
		if (n <= 0)
			return blocked(ws, n, &ws->wr) ? WS_AGAIN : n;
	}
	return 0;
}

/* Sends buf[off..len): 0 when all of it is gone */
static int open_write(struct ws *ws, const char *doing)
{
	struct opening *op = ws->op;

	ptrdiff_t n = write_io(ws, op->buf.p, &op->off, op->len);

	return n == 0 || n == WS_AGAIN ? (int)n : io_failed(ws, doing, n, "");
}

/* More bytes into rbuf, which holds at least one free: 0, WS_AGAIN, or the transport's word (*eof) */
static int open_read(struct ws *ws, ptrdiff_t *eof)
{
	ptrdiff_t n;

	*eof = 0;
	if (ws->rpos == ws->rend)
		ws->rpos = ws->rend = 0;
	if (read_enough(ws) || now_us(ws) >= open_deadline(ws))
		return WS_AGAIN; /* a peer that always has one more byte must not keep us */
	n = read_io(ws, ws->rbuf + ws->rend, ws->rcap - ws->rend);
	if (n > 0)
		ws->rend += (size_t)n;
	else if (blocked(ws, n, &ws->rd))
		return WS_AGAIN;
	else
		*eof = n;
	return 0;
}

/* Room for len more bytes in buf, up to max in all: 0, WS_ETOOBIG or WS_EMEMORY */
static int open_room(struct ws *ws, size_t len, size_t max)
{
	struct opening *op = ws->op;
	size_t cap = op->buf.cap ? op->buf.cap : 512;
	char *p;

	if (len > max - op->len)
		return WS_ETOOBIG;
	while (cap < op->len + len)
		cap *= 2;
	if (cap == op->buf.cap)
		return 0;
	p = grow(ws, op->buf.p, op->buf.cap, cap);
	if (!p)
		return WS_EMEMORY;
	op->buf.p = p;
	op->buf.cap = cap;
	return 0;
}

static void trace_head(struct ws *ws, int sent, const char *p, size_t len)
{
	if (ws->trace)
		ws->trace(ws->user_data, sent, WS_TRACE_HEAD, p, len);
}

static int same_origin(const struct wsi_url *a, const struct wsi_url *b)
{
	return a->secure == b->secure && a->port == b->port && wsi_same_str(a->host, b->host)
	       && wsi_same_str(a->zone, b->zone);
}

static int lacks_tls(struct ws *ws)
{
	if (!ws->op->u.secure || (ws->own_io && !ws->op->opt.io_is_plain))
		return 0;
#ifdef WS_WITH_MBEDTLS
	return 0;
#else
	return fail(ws, WS_EUNSUPPORTED, "URL \"%U\": this build has no TLS (build it with mbedTLS: make TLS=mbedtls)");
#endif
}

static void prepare_net(struct ws *ws, const struct wsi_url *to, int resolve_only)
{
	struct opening *op = ws->op;
	struct wsi_net_options *n = &op->net_opt;

	n->mem = ws->mem;
	n->unix_socket = op->opt.unix_socket;
	n->host = to->host;
	n->zone = to->zone;
	n->port = to->port;
	n->family = op->opt.family;
	n->keepalive_s = op->opt.keepalive_s;
	n->resolve = op->opt.resolve;
	n->local_interface = op->opt.local_interface;
	n->on_socket = op->opt.on_socket;
	n->user_data = ws->user_data;
	n->resolve_only = resolve_only;
}

/* Where this hop begins */
static int step_start(struct ws *ws)
{
	struct opening *op = ws->op;
	const struct ws_options *o = &op->opt;
	struct wsi_text t;
	int r = lacks_tls(ws);

	if (r)
		return r;
	ws->proxied = 0;
	op->same_origin = (unsigned char)same_origin(&op->u, &op->first);
	if (op->same_origin && !op->u.has_user) { /* back at the first origin, by a Location that cannot know them */
		op->u.has_user = op->first.has_user;
		op->u.userinfo = op->first.userinfo;
	}
	if (o->io || o->use_fd) {
		wsi_text_init(&t, ws->address, sizeof ws->address);
		wsi_put_hostport(&t, &op->u, 1);
		enter(ws, WS_CONNECT);
		op->step = OPEN_TLS;
		return 0;
	}
#ifndef WS_NO_PROXY
	op->addr_len = 0;
	op->proxy_str = op->u.secure && o->proxy_wss ? o->proxy_wss : o->proxy;
	if (o->unix_socket || !op->proxy_str || !*op->proxy_str)
		op->proxy_str = NULL;
	if (op->proxy_str && o->no_proxy) {
		struct wsi_str bad;

		if (wsi_no_proxy(o->no_proxy, &op->u, &bad) == 1)
			op->proxy_str = NULL;
	}
	if (op->proxy_str) {
		const char *why;
		size_t where;

		wsi_proxy_parse(&op->proxy_url, op->proxy_str, wsi_strlen(op->proxy_str), &why, &where);
		if (wsi_proxy_resolves_here(op->proxy_url.kind)) {
			prepare_net(ws, &op->u, 1);
			if (op->proxy_url.kind == WSI_SOCKS4)
				op->net_opt.family = 4;
			op->step = OPEN_TARGET;
			return 0;
		}
	}
	prepare_net(ws, op->proxy_str ? &op->proxy_url.url : &op->u, 0);
#else
	prepare_net(ws, &op->u, 0);
#endif
	op->step = OPEN_NET;
	return 0;
}

/* Both for OPEN_NET and OPEN_TARGET */
static int step_net(struct ws *ws)
{
	struct opening *op = ws->op;
	char buf[WHY_MAX];
	struct wsi_text why, t;
	enum ws_phase phase;
	int fd, r;

	if (!op->net) {
		unsigned char ip[16];

		op->net = wsi_net_new(&op->net_opt);
		if (!op->net)
			return no_memory(ws);
		enter(ws, op->net_opt.unix_socket || wsi_ip_parse(ip, op->net_opt.host.p, op->net_opt.host.len)
		              ? WS_CONNECT
		              : WS_RESOLVE);
	}
	wsi_text_init(&why, buf, sizeof buf);
	phase = ws->info.phase;
	r = wsi_net_step(op->net, now_us(ws), &fd, &phase, &why);
	if (r >= 0)
		enter(ws, phase);
	if (r == WS_AGAIN || r > 0)
		return r < 0 ? r : 0;
#ifndef WS_NO_PROXY
	if (r && op->proxy_str && op->step == OPEN_NET)
		return fail(ws, r, "proxy: %s", buf);
#endif
	if (r)
		return fail(ws, r, "%s", buf);
#ifndef WS_NO_PROXY
	if (op->step == OPEN_TARGET) {
		op->addr_len = wsi_net_addr(op->net, op->addr);
		prepare_net(ws, &op->proxy_url.url, 0);
		op->step = OPEN_NET;
	} else
#endif
	{
		ws->fd = fd;
		wsi_text_init(&t, ws->address, sizeof ws->address);
		wsi_net_put_address(op->net, &t);
		op->step = OPEN_TLS;
#ifndef WS_NO_PROXY
		if (op->proxy_str) {
			ws->proxied = 1;
			wsi_proxy_init(&op->proxy, &op->proxy_url, &op->u, op->addr, op->addr_len);
			op->len = op->off = 0;
			enter(ws, WS_PROXY);
			op->step = OPEN_PROXY;
		}
#endif
	}
	end_net(ws);
	return 0;
}

#ifndef WS_NO_PROXY
static int step_proxy(struct ws *ws)
{
	struct opening *op = ws->op;
	char buf[256];
	struct wsi_text why, out;
	ptrdiff_t eof;
	size_t used;
	int r;

	for (;;) {
		r = open_write(ws, "proxy");
		if (r)
			return r;
		if (op->len == 0 && open_room(ws, WSI_PROXY_OUT_MAX, WSI_PROXY_OUT_MAX) < 0)
			return no_memory(ws);
		wsi_text_init(&out, op->buf.p, op->buf.cap);
		wsi_text_init(&why, buf, sizeof buf);
		used = 0;
		r = wsi_proxy_step(&op->proxy, ws->rbuf + ws->rpos, ws->rend - ws->rpos, &used, &out, &why);
		if (used && op->proxy.kind == WSI_HTTP)
			trace_head(ws, 0, (const char *)ws->rbuf + ws->rpos, used);
		ws->rpos += used;
		if (r < 0)
			return fail(ws, WS_EPROXY, "proxy %A for %U: %s", buf);
		if (r > 0) {
			op->len = op->off = 0;
			op->step = OPEN_TLS;
			return 0;
		}
		op->len = out.len;
		op->off = 0;
		if (out.len) {
			if (op->proxy.kind == WSI_HTTP)
				trace_head(ws, 1, op->buf.p, out.len);
			continue;
		}
		if (used)
			continue;
		if (ws->rpos && ws->rend == ws->rcap) {
			memmove(ws->rbuf, ws->rbuf + ws->rpos, ws->rend - ws->rpos);
			ws->rend -= ws->rpos;
			ws->rpos = 0;
		}
		if (ws->rend == ws->rcap)
			return fail(ws, WS_EPROXY, "proxy %A for %U: its answer is longer than the receive buffer");
		op->len = 1; /* nothing to send, but no longer the first step */
		op->off = 1;
		r = open_read(ws, &eof);
		if (r)
			return r;
		if (eof)
			return io_failed(ws, "proxy", eof, " before it answered");
	}
}
#endif

#ifdef WS_WITH_MBEDTLS
/* The transport below TLS: first what the proxy's dialogue has read too far */
static ptrdiff_t pre_read(void *io, void *buf, size_t len)
{
	struct ws *ws = io;

	/* The library reads records that bring nothing on and on, without a clock: so this has one */
	if (ws->tls_reads >= TLS_READS_PER_CALL || now_us(ws) >= (ws->op ? open_deadline(ws) : ws->deadline))
		return WS_IO_READ;
	ws->tls_reads++;

	if (ws->pre) {
		size_t n = ws->pre_cap - ws->pre_off;

		if (n > len)
			n = len;
		memcpy(buf, ws->pre + ws->pre_off, n);
		ws->pre_off += n;
		if (ws->pre_off == ws->pre_cap) {
			wsi_alloc(&ws->mem, ws->pre, ws->pre_cap, 0);
			ws->pre = NULL;
		}
		return (ptrdiff_t)n;
	}
	return ws->raw.io_read(ws->raw.io, buf, len);
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
	struct wsi_text why;
	char buf[WHY_MAX / 2];
	const char *option = "";
	int r = 0;

	wsi_text_init(&why, buf, sizeof buf);
	lower.io = ws;
	if (ws->rend > ws->rpos) {
		ws->pre_cap = ws->rend - ws->rpos;
		ws->pre = grow(ws, NULL, 0, ws->pre_cap);
		if (!ws->pre)
			return no_memory(ws);
		memcpy(ws->pre, ws->rbuf + ws->rpos, ws->pre_cap);
		ws->pre_off = 0;
		ws->rpos = ws->rend = 0;
	}
	if (!ws->tls_config)
		r = wsi_tls_config_new(&ws->tls_config, &ws->mem, &op->opt.tls, &option, &why);
	if (r == 0)
		r = wsi_tls_new(&ws->tls, ws->tls_config, &lower, op->u.host, op->u.ip, op->same_origin, entropy, ws,
		                &why);
	ws->entropy_wait = r == WS_AGAIN;
	return r == 0 || r == WS_AGAIN ? r : fail(ws, r, "TLS handshake with %P: %s", buf);
}

static int step_tls(struct ws *ws)
{
	struct opening *op = ws->op;
	char buf[WHY_MAX / 2];
	struct wsi_text why;
	int r;

	if (op->u.secure && (!ws->own_io || op->opt.io_is_plain)) {
		if (!ws->tls) {
			enter(ws, WS_TLS);
			r = start_tls(ws);
			if (r)
				return r;
		}
		wsi_text_init(&why, buf, sizeof buf);
		ws->tls_reads = 0;
		r = wsi_tls_handshake(ws->tls, &why);
		if (blocked(ws, r, &ws->rd)) {
			ws->rd = WS_POLL_READ;
			return WS_AGAIN;
		}
		wsi_tls_report(ws->tls, &ws->info);
		if (r)
			return fail(ws, r, "TLS handshake with %P: %s", buf);
		ws->io.io_read = wsi_tls_read;
		ws->io.io_write = wsi_tls_write;
		ws->io.io = ws->tls;
	}
	enter(ws, WS_UPGRADE);
	op->step = OPEN_REQUEST;
	return 0;
}
#endif

static int step_request(struct ws *ws)
{
	struct opening *op = ws->op;
	struct wsi_request q;
	struct wsi_text t;
	size_t need;
	unsigned char nonce[16];
	int r = take_random(ws, nonce, sizeof nonce);

	if (r)
		return r;
	wsi_base64_encode(op->key, nonce, sizeof nonce);
	request_of(&q, &op->opt);
	q.url = &op->u;
	q.key = op->key;
	q.same_origin = op->same_origin;
	op->len = 0;
	for (need = 1;; need = op->buf.cap + 1) {
		if (open_room(ws, need, REQUEST_MAX) < 0)
			return no_memory(ws); /* check_options saw to it that it is not the limit */
		wsi_text_init(&t, op->buf.p, op->buf.cap);
		wsi_put_request(&t, &q);
		if (!t.cut)
			break;
	}
	op->len = t.len;
	op->off = 0;
	trace_head(ws, 1, op->buf.p, op->len);
	op->step = OPEN_SEND;
	return 0;
}

static void drop_head(struct ws *ws)
{
	release(ws, &ws->head);
	ws->info.head = "";
	ws->info.head_len = 0;
}

static void put_header(struct wsi_text *t, const struct wsi_response *r, const char *name, const char *before)
{
	struct wsi_str v;

	if (!wsi_header_get(r, name, &v) || v.len == 0)
		return;
	wsi_put(t, before);
	wsi_put_safe(t, v.p, v.len < 200 ? v.len : 200);
}

/* The answer was no: says what helps for its status */
static int refused(struct ws *ws, const struct wsi_response *r)
{
	char buf[WHY_MAX / 2], phrase[128];
	struct wsi_text t, p;
	struct wsi_str location;

	wsi_text_init(&p, phrase, sizeof phrase);
	wsi_put_safe(&p, r->reason.p, r->reason.len);
	wsi_text_init(&t, buf, sizeof buf);
	if (r->status == 200)
		wsi_put(&t, ": no WebSocket endpoint at this path, or a proxy in between dropped the Upgrade header");
	else if (r->status == 400 || r->status == 426)
		put_header(&t, r, "sec-websocket-version", ": it speaks WebSocket version ");
	else if (r->status == 401)
		put_header(&t, r, "www-authenticate", ": it asks for a login, ");
	else if (r->status == 403)
		wsi_put(&t, ": the login, the Origin header or the address is not allowed");
	else if (r->status == 404)
		wsi_put(&t, ": check the path of the URL");
	else if (r->status == 429 || r->status == 503)
		put_header(&t, r, "retry-after", ": Retry-After: ");
	else if (r->status >= 300 && r->status < 400 && wsi_header_get(r, "location", &location)) {
		wsi_put(&t, ": Location: ");
		wsi_put_url(&t, location.p, location.len < 300 ? location.len : 300);
	}
	return fail(ws, WS_EHTTP, "upgrade of %U refused by %P: HTTP %u%s%s%s", (unsigned)r->status,
	            phrase[0] ? " " : "", phrase, buf);
}

#ifndef WS_NO_REDIRECTS
static int redirect_refused(struct ws *ws, const struct wsi_response *r, const char *why)
{
	char buf[300];
	struct wsi_text t;
	struct wsi_str location;

	wsi_text_init(&t, buf, sizeof buf);
	if (wsi_header_get(r, "location", &location)) {
		wsi_put(&t, " to ");
		wsi_put_url(&t, location.p, location.len);
	}
	return fail(ws, WS_EREDIRECT, "redirect from %U%s (HTTP %u): %s", buf, (unsigned)r->status, why);
}

/* 0: on to the next hop; 1: this 30x is the answer; or an error */
static int redirect(struct ws *ws, const struct wsi_response *r)
{
	struct opening *op = ws->op;
	struct wsi_str location;
	struct wsi_url next;
	const char *why;
	size_t where, len, at = 0, n = 0;
	struct wsi_str name, value;
	struct wsi_text base;
	char *url;
	int e;

	if (op->opt.max_redirects == 0 || op->opt.io || op->opt.use_fd)
		return 1;
	if (ws->info.redirects >= op->opt.max_redirects)
		return redirect_refused(ws, r, "over the limit of redirects");
	while (wsi_header_next(r, &at, &name, &value))
		n += (size_t)wsi_same(name.p, name.len, "location");
	if (n != 1 || !wsi_header_get(r, "location", &location) || location.len == 0)
		return redirect_refused(ws, r, n > 1 ? "several Location headers" : "no Location header");
	url = grow(ws, NULL, 0, 2 * (WS_MAX_URL + 1));
	if (!url)
		return no_memory(ws);
	wsi_text_init(&base, url + WS_MAX_URL + 1, WS_MAX_URL + 1);
	wsi_put_url(&base, op->url.p, op->url.cap - 1); /* a relative Location must not inherit the userinfo */
	len = wsi_url_resolve(url, WS_MAX_URL + 1, base.p, base.len, location.p, location.len, 1);
	if (len == 0)
		e = redirect_refused(ws, r, "its Location is too long");
	else if (wsi_url_parse(&next, url, len, &why, &where) < 0)
		e = redirect_refused(ws, r, why);
	else if (next.has_user)
		e = redirect_refused(ws, r, "its Location has a user name in it");
	else if (op->u.secure && !next.secure)
		e = redirect_refused(ws, r, "its Location leads from wss:// to unencrypted ws://");
	else if (op->opt.unix_socket && !same_origin(&next, &op->first))
		e = redirect_refused(ws, r,
		                     "its Location leads to another origin, which is not behind this Unix socket");
	else
		e = 0;
	if (e) {
		wsi_alloc(&ws->mem, url, 2 * (WS_MAX_URL + 1), 0);
		return e;
	}
	if (op->chain.len == 0)
		wsi_put(&op->chain, ws->info.url);
	wsi_put(&op->chain, " -> ");
	wsi_put_url(&op->chain, url, len);
	if (op->url.p != op->first_url.p)
		release(ws, &op->url);
	op->url.p = NULL;
	e = keep(ws, &op->url, url, len);
	wsi_alloc(&ws->mem, url, 2 * (WS_MAX_URL + 1), 0);
	if (e)
		return no_memory(ws);
	ws->info.redirects++;
	ws->info.http_status = 0;
	drop_head(ws);
	close_transport(ws);
	op->len = op->off = 0;
	op->interim = 0;
	op->step = OPEN_START;
	return parse_url(ws);
}
#endif

static const char no_http[] = "upgrade of %U: %P answered with no valid HTTP: %s";

/* The head is whole: buf[0..len) */
static int judge_head(struct ws *ws)
{
	struct opening *op = ws->op;
	struct wsi_response *r = &op->response;
	const char *why = "", *subprotocol = NULL;
	char accept[28];

	if (wsi_response_parse(r, op->buf.p, op->len, &why) < 0)
		return fail(ws, WS_EHANDSHAKE, no_http, why);
	trace_head(ws, 0, op->buf.p, op->len);
	ws->info.http_status = r->status;
	if (r->status < 200 && r->status != 101) {
		if (++op->interim > WS_MAX_INTERIM)
			return fail(ws, WS_EHANDSHAKE, no_http, "too many interim answers");
		op->len = 0;
		memset(&op->scan, 0, sizeof op->scan);
		return 0;
	}
	/* The report has the head from here on, whatever it means */
	if (keep(ws, &ws->head, op->buf.p, op->len) < 0)
		return no_memory(ws);
	ws->info.head = ws->head.p;
	ws->info.head_len = op->len;
#ifndef WS_NO_REDIRECTS
	if ((r->status >= 301 && r->status <= 303) || r->status == 307 || r->status == 308) {
		int e = redirect(ws, r);

		if (e <= 0)
			return e;
	}
#endif
	if (r->status != 101) {
		wsi_body_init(&op->body, r);
		op->body_deadline = after_ms(now_us(ws), WS_MAX_BODY_WAIT_MS);
		op->step = OPEN_BODY;
		return 0;
	}
	wsi_accept(accept, op->key);
	if (wsi_response_check(r, accept, op->opt.subprotocols, &subprotocol, &why) < 0)
		return fail(ws, WS_EHANDSHAKE, "upgrade of %U: the answer of %P is not valid: %s", why);
	if (subprotocol) {
		if (keep(ws, &ws->subprotocol, subprotocol, wsi_strlen(subprotocol)) < 0)
			return no_memory(ws);
		ws->info.subprotocol = ws->subprotocol.p;
	}
	enter(ws, WS_READY);
	ws->opened = 1;
	ws->state = OPEN;
	ws->rd = WS_POLL_READ;
	free_opening(ws);
	return 0;
}

static int step_head(struct ws *ws)
{
	struct opening *op = ws->op;
	const char *why = "";
	ptrdiff_t eof, end;
	size_t n;
	int r;

	if (ws->rpos == ws->rend) {
		r = open_read(ws, &eof);
		if (r)
			return r;
		if (eof)
			return io_failed(ws, "upgrade at", eof,
			                 op->len        ? " within its answer"
			                 : op->u.secure ? " without an answer"
			                                : " without an answer (if it speaks TLS here, try wss://)");
	}
	if (op->len == 0 && op->interim == 0 && (ws->rbuf[ws->rpos] == 0x15 || ws->rbuf[ws->rpos] == 0x16))
		return fail(ws, WS_EHANDSHAKE, "upgrade of %U: %P answered in TLS: try wss://");
	n = ws->rend - ws->rpos;
	if (n > HEAD_PIECE) /* most of what lies behind the head is not copied */
		n = HEAD_PIECE;
	if (n > WS_MAX_HEAD + 1 - op->len)
		n = WS_MAX_HEAD + 1 - op->len;
	if (open_room(ws, n, WS_MAX_HEAD + 1) < 0)
		return no_memory(ws);
	memcpy(op->buf.p + op->len, ws->rbuf + ws->rpos, n);
	op->len += n;
	ws->rpos += n;
	end = wsi_head_end(&op->scan, op->buf.p, op->len, &why);
	if (end < 0)
		return fail(ws, WS_EHANDSHAKE, no_http, why);
	if (end == 0)
		return 0;
	ws->rpos -= op->len - (size_t)end; /* bytes behind the head belong to the first frame */
	op->len = (size_t)end;
	return judge_head(ws);
}

static int step_body(struct ws *ws)
{
	struct opening *op = ws->op;
	ptrdiff_t eof = 0;
	int r = 0;

	if (!ws->body.p) {
		ws->body.p = grow(ws, NULL, 0, WS_MAX_BODY + 1);
		if (!ws->body.p)
			return no_memory(ws);
		ws->body.cap = WS_MAX_BODY + 1;
		ws->info.body = ws->body.p;
	}
	while (!op->body.done && ws->info.body_len < WS_MAX_BODY && !eof) {
		if (ws->rpos == ws->rend) {
			if (now_us(ws) >= op->body_deadline || now_us(ws) >= open_deadline(ws))
				break;
			r = open_read(ws, &eof);
			if (r)
				return r;
		}
		wsi_body_feed(&op->body, (const char *)ws->rbuf + ws->rpos, ws->rend - ws->rpos, ws->body.p,
		              WS_MAX_BODY, &ws->info.body_len);
		ws->rpos = ws->rend;
	}
	ws->body.p[ws->info.body_len] = '\0';
	return refused(ws, &op->response);
}

static int open_timed_out(struct ws *ws)
{
	struct opening *op = ws->op;
	char buf[WHY_MAX / 2];
	struct wsi_text t;

	if (op->net) {
		wsi_text_init(&t, buf, sizeof buf);
		wsi_net_timeout(op->net, &t);
		return timed_out(ws, buf, "timed out");
	}
	switch (op->step) {
	case OPEN_BODY:
		return step_body(ws);
	case OPEN_PROXY:
		return timed_out(ws, "proxy ", "timed out");
	case OPEN_TLS:
		return timed_out(ws, "TLS handshake with ", "timed out");
	default:
		return timed_out(ws, "upgrade at ",
		                 op->len && op->step == OPEN_HEAD ? "answer still incomplete" : "no answer");
	}
}

static int open_step(struct ws *ws)
{
	int r;

	switch (ws->op->step) {
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
#ifdef WS_WITH_MBEDTLS
		return step_tls(ws);
#else
		enter(ws, WS_UPGRADE);
		ws->op->step = OPEN_REQUEST;
		return 0;
#endif
	case OPEN_REQUEST:
		return step_request(ws);
	case OPEN_SEND:
		r = open_write(ws, "upgrade at");
		if (r == 0) {
			ws->op->len = 0;
			memset(&ws->op->scan, 0, sizeof ws->op->scan);
			ws->op->step = OPEN_HEAD;
			ws->want = WS_POLL_READ;
			ws->hungry = 1;
			r = ws->rpos == ws->rend ? WS_AGAIN
			                         : 0; /* the answer takes a while: poll before the first read */
		}
		return r;
	case OPEN_HEAD:
		return step_head(ws);
	case OPEN_BODY:
		return step_body(ws);
	}
	return WS_EUSAGE;
}

int ws_open(struct ws *ws)
{
	int r;

	ws->reads = 0;
	while (ws->state == OPENING) {
		r = open_step(ws);
		if (ws->state != OPENING || r == 0)
			continue;
		if (r != WS_AGAIN)
			return r;
		if (now_us(ws) >= open_deadline(ws))
			return open_timed_out(ws);
		if (ws->nonblock)
			return WS_AGAIN;
		r = await_io(ws, 1);
		if (r)
			return r;
	}
	return ws->err;
}

/* Sending */

static int queue_control(struct ws *ws, unsigned char op, const void *p, size_t len);

/* Shows a frame as it begins: its header as one without a mask has it, and of the payload what is at hand */
static void trace_frame(struct ws *ws, int sent, unsigned char b0, uint64_t frame_len, const void *p, size_t have)
{
	unsigned char buf[TRACE_MAX];
	size_t n;

	if (!ws->trace)
		return;
	n = wsi_frame_encode(buf, b0, frame_len, NULL);
	if (have > sizeof buf - n)
		have = sizeof buf - n;
	if (have > frame_len)
		have = (size_t)frame_len;
	if (have)
		memcpy(buf + n, p, have);
	ws->trace(ws->user_data, sent, WS_TRACE_FRAME, buf, n + have);
}

/* Writes what is in sbuf, then a control frame that waits: 0 when all of it is gone, WS_AGAIN, or WS_ERESET once
 * writing has failed; what the peer sent before that, a close frame with its reason above all, is still to be read, so
 * that is not yet the end */
static int flush_out(struct ws *ws)
{
	int r;

	for (;;) {
		ptrdiff_t n = ws->write_dead ? 0 : write_io(ws, ws->sbuf, &ws->spos, ws->send);

		if (n == WS_AGAIN)
			return WS_AGAIN;
		ws->write_dead |= n < 0;
		ws->spos = ws->send = 0;
		if (ws->write_dead)
			return WS_ERESET;
		if (!ws->control || ws->tx_active)
			return 0;
		r = queue_control(ws, ws->control, ws->control_data, ws->control_len);
		if (r == WS_AGAIN)
			return r;
		if (r) { /* without a mask it will never go */
			ws->control = 0;
			return 0;
		}
		ws->close_sent = ws->control == WSI_CLOSE;
		ws->control = 0;
	}
}

/* Room for len bytes at sbuf[send]: 0 or WS_AGAIN */
static int reserve(struct ws *ws, size_t len)
{
	if (ws->scap - ws->send < len && ws->spos) {
		memmove(ws->sbuf, ws->sbuf + ws->spos, ws->send - ws->spos);
		ws->send -= ws->spos;
		ws->spos = 0;
	}
	return ws->scap - ws->send < len ? WS_AGAIN : 0;
}

/* The one place where frames are begun: masked with a key of its own (RFC 6455 5.3) */
static int begin_frame(struct ws *ws, unsigned char b0, uint64_t len, const void *p, size_t have)
{
	int r = take_random(ws, ws->tx_key, sizeof ws->tx_key);

	if (r)
		return r;
	trace_frame(ws, 1, b0, len, p, have);
	ws->send += wsi_frame_encode(ws->sbuf + ws->send, b0, len, ws->tx_key);
	ws->tx_off = 0;
	return 0;
}

static void put_payload(struct ws *ws, const void *p, size_t len)
{
	wsi_mask(ws->sbuf + ws->send, p, len, ws->tx_key, ws->tx_off);
	ws->send += len;
	ws->tx_off += len;
}

/* A whole control frame into sbuf, between the frames of messages: 0, WS_AGAIN or WS_EENTROPY */
static int queue_control(struct ws *ws, unsigned char op, const void *p, size_t len)
{
	int r;

	if (ws->tx_active || reserve(ws, WSI_FRAME_HEAD_MAX + len))
		return WS_AGAIN;
	r = begin_frame(ws, WSI_FIN | op, len, p, len);
	if (r)
		return r;
	put_payload(ws, p, len);
	return 0;
}

/* The one close frame goes out when it can; it takes the place of a pong that waits */
static void send_close(struct ws *ws, unsigned code, const void *reason, size_t len)
{
	if (!ws->close_sent && ws->control != WSI_CLOSE) {
		ws->control = WSI_CLOSE;
		ws->control_len = (unsigned char)(code ? 2 + len : 0);
		ws->control_data[0] = (unsigned char)(code >> 8);
		ws->control_data[1] = (unsigned char)code;
		if (len)
			memcpy(ws->control_data + 2, reason, len);
	}
	flush_out(ws);
}

/* A call's argument was wrong, or it came at the wrong time: the connection goes on */
static int misuse(struct ws *ws, const char *what)
{
	return fail(ws, WS_EUSAGE, "%s", what);
}

static int not_open(struct ws *ws)
{
	return ws->err ? ws->err : WS_EUSAGE;
}

static int receive_failed(struct ws *ws, ptrdiff_t n)
{
	const char *detail = ws->in_frame || ws->rx_type || ws->rend > ws->rpos ? " in the middle of a message" : "";

	ws->info.close_code = 1006; /* RFC 6455 7.1.5 */
	return io_failed(ws, "receive from", n, n == WS_IO_EOF && !*detail ? " without a close frame (1006)" : detail);
}

/* Writing has failed. ws_recv has what the peer said before that, a close frame perhaps, and then the error; only who
 * does not ask it is told here */
static int cannot_write(struct ws *ws)
{
	if (ws->dead_told == ws->rpos + 1)
		return receive_failed(ws, WS_IO_RESET);
	ws->dead_told = ws->rpos + 1;
	return WS_AGAIN;
}

/* The peer has not taken all of sbuf: 0 once it has taken some; WS_AGAIN: we may not wait, or it wants to be read first
 */
static int await_write(struct ws *ws)
{
	size_t waiting = ws->send - ws->spos;
	ptrdiff_t n;
	int r;

	for (;;) {
		if (now_us(ws) >= ws->deadline)
			return timed_out(ws, "send to ", "not taken");
		if (ws->nonblock || ws->write_dead)
			return WS_AGAIN;
		r = await_io(ws, 0);
		if (r)
			return r;
		if (flush_out(ws) == 0 || ws->send - ws->spos < waiting)
			return 0;
		/* Something to read, or an interruption: a look tells. What was handed out, perhaps to be echoed, stays */
		if (ws->rend == ws->rcap)
			return WS_AGAIN;
		n = read_io(ws, ws->rbuf + ws->rend, ws->rcap - ws->rend);
		if (n > 0)
			ws->rend += (size_t)n;
		if (!blocked(ws, n, &ws->rd)) {
			ws->hungry = 0;
			return WS_AGAIN;
		}
	}
}

ptrdiff_t ws_send(struct ws *ws, int type, const void *data, size_t len)
{
	const unsigned char *p = data;
	int op = type & ~WS_MORE, more = (type & WS_MORE) != 0, begun = ws->tx_active, r;
	size_t taken = 0, n;

	if (ws->state != OPEN)
		return not_open(ws);
	if ((op != WS_TEXT && op != WS_BINARY) || (ws->tx_type && op != ws->tx_type))
		return misuse(ws, "ws_send: wrong type, or not that of the message under way");
	if (len > PTRDIFF_MAX)
		return misuse(ws, "ws_send: more bytes than can be");
	if (begun && (len != ws->tx_left || more != ws->tx_more))
		return misuse(ws, "ws_send: this is not the rest of the frame under way");
	if (!begun && op == WS_TEXT && !ws->no_utf8_check) {
		uint32_t utf8 = ws->tx_utf8;

		if (wsi_utf8_check(&utf8, p, len) < len || (utf8 && !more))
			return misuse(ws, "ws_send: the text is not UTF-8");
	}
	for (;;) {
		if (!begun) {
			flush_out(ws); /* also puts a pong that waits before this frame */
			r = ws->control || reserve(ws, WSI_FRAME_HEAD_MAX + 1)
			        ? WS_AGAIN
			        : begin_frame(ws, (unsigned char)((ws->tx_type ? WSI_CONT : op) | (more ? 0 : WSI_FIN)),
			                      len, p, len);
			if (r == WS_EENTROPY)
				return r;
			if (r == 0) {
				begun = ws->tx_active = 1;
				ws->tx_more = (unsigned char)more;
				ws->tx_type = (unsigned char)op;
				ws->tx_left = len;
				if (op == WS_TEXT && !ws->no_utf8_check)
					wsi_utf8_check(&ws->tx_utf8, p, len);
			}
		}
		if (ws->write_dead)
			return taken ? (ptrdiff_t)taken : cannot_write(ws);
		if (begun) {
			n = ws->scap - ws->send;
			if (n > ws->tx_left)
				n = ws->tx_left;
			if (n)
				put_payload(ws, p + taken, n);
			taken += n;
			ws->tx_left -= n;
			if (ws->tx_left == 0) {
				ws->tx_active = 0;
				if (!ws->tx_more)
					ws->tx_type = 0;
			}
		}
		r = flush_out(ws);
		n = begun && !ws->tx_active; /* all is taken; when we may wait, all is written too */
		if (r == WS_ERESET) {        /* what was taken is lost: nothing was */
			ws->tx_active = (unsigned char)begun;
			ws->tx_left = len;
			ws->tx_type = (unsigned char)op;
			return cannot_write(ws);
		}
		if (n && (r == 0 || ws->nonblock))
			return (ptrdiff_t)taken;
		if (r == 0 && begun && now_us(ws) < ws->deadline)
			continue;
		r = await_write(ws);
		if (r)
			return n || taken ? (ptrdiff_t)taken : r;
	}
}

int ws_ping(struct ws *ws, const void *data, size_t len)
{
	int r;

	if (ws->state != OPEN)
		return not_open(ws);
	if (len > WSI_CONTROL_MAX)
		return misuse(ws, "ws_ping: over 125 bytes");
	flush_out(ws);
	if (ws->write_dead)
		return cannot_write(ws);
	while ((r = queue_control(ws, WSI_PING, data, len)) == WS_AGAIN) {
		if (ws->tx_active)
			return WS_AGAIN;
		r = await_write(ws);
		if (r)
			return r;
	}
	if (r == 0) {
		ws->pinged = 1;
		flush_out(ws);
	}
	return r;
}

/* Receiving */

/* Our word that the peer broke the rules; the close frame goes out now or, what of it is not taken, in ws_close */
static int violate(struct ws *ws, int err, unsigned code, const char *what)
{
	send_close(ws, code, what, wsi_strlen(what) < 100 ? wsi_strlen(what) : 0);
	ws->linger = ws->state == OPEN && !ws->tx_active; /* within a frame of ours no close frame can go */
	return fail(ws, err, "receive from %P: %s%s (closed with %u)", err == WS_EPROTOCOL ? "protocol error: " : "",
	            what, code);
}

/* > 0: bytes read into buf; 0: look again, something was waited for; else what the call returns */
static ptrdiff_t read_some(struct ws *ws, void *buf, size_t len)
{
	ptrdiff_t n = 0;

	if (read_enough(ws))
		return WS_AGAIN;
	if (now_us(ws) < ws->deadline) {
		if (ws->send > ws->spos || ws->control)
			flush_out(ws); /* also while bytes keep coming */
		if (ws->err)
			return ws->err;
		n = read_io(ws, buf, len);
		if (n > 0)
			return n;
		if (!blocked(ws, n, &ws->rd))
			return receive_failed(ws, n);
		if (ws->write_dead)
			return receive_failed(ws, WS_IO_RESET);
		if (flush_out(ws) == WS_ERESET)
			return 0; /* once more, for what the peer said before */
		if (ws->nonblock || (ws->tx_active && ws->send < ws->scap))
			return now_us(ws) < ws->deadline ? WS_AGAIN : 0;
		return await_io(ws, 1);
	}
	return timed_out(ws, ws->state == CLOSING ? "close of " : "receive from ",
	                 ws->in_frame || ws->rx_type ? "message still incomplete" : "nothing came");
}

/* More into rbuf, so that need bytes at rpos can lie in it: 0, or what the call returns */
static int fill(struct ws *ws, size_t need)
{
	ptrdiff_t n;
	size_t room;

	if (ws->rpos == ws->rend)
		ws->rpos = ws->rend = 0;
	if (ws->rpos && (ws->rcap - ws->rpos < need || ws->rcap - ws->rend < ws->rcap / 2)) {
		memmove(ws->rbuf, ws->rbuf + ws->rpos, ws->rend - ws->rpos);
		ws->rend -= ws->rpos;
		ws->rpos = 0;
	}
	room = ws->rcap - ws->rend;
	if (ws->large && !ws->in_frame && room > AHEAD_OF_LARGE)
		room = AHEAD_OF_LARGE; /* the rest then goes into mbuf without a copy */
	n = read_some(ws, ws->rbuf + ws->rend, room);
	if (n < 0)
		return (int)n;
	ws->rend += (size_t)n;
	return 0;
}

/* The header of a frame is there: whatever RFC 6455 says of it alone, or of it at this place */
static int begin_receiving(struct ws *ws, size_t header)
{
	const struct wsi_frame *f = &ws->rx;
	int op = f->b0 & 0x0f;

	if (f->b0 & WSI_RSV) /* 5.2: no extension was agreed on; one would be asked here */
		return violate(ws, WS_EPROTOCOL, 1002, "a reserved bit is set");
	if (f->masked) /* 5.1 */
		return violate(ws, WS_EPROTOCOL, 1002, "a frame of the server is masked");
	ws->rx_left = f->len;
	if (op < 8) {
		uint64_t before = op == WSI_CONT ? ws->mlen : 0;

		if (op == WSI_CONT && !ws->rx_type) /* 5.4 */
			return violate(ws, WS_EPROTOCOL, 1002, "a continuation of no message");
		if (op != WSI_CONT && ws->rx_type)
			return violate(ws, WS_EPROTOCOL, 1002, "a new message within a fragmented one");
		if (!ws->stream && ws->state == OPEN && (before > ws->max_message || f->len > ws->max_message - before))
			return violate(ws, WS_ETOOBIG, 1009, "a message over max_message");
		if (op != WSI_CONT) {
			ws->rx_type = (unsigned char)op;
			ws->rx_utf8 = 0;
			ws->mlen = 0;
		}
		ws->in_place = op != WSI_CONT && (f->b0 & WSI_FIN) && f->len <= ws->rcap - header;
		ws->large = f->len > ws->rcap;
		ws->rx_checked = 0;
	}
	ws->in_frame = 1;
	return 0;
}

static int check_text(struct ws *ws, const void *p, size_t len)
{
	if (ws->rx_type != WS_TEXT || ws->no_utf8_check || wsi_utf8_check(&ws->rx_utf8, p, len) == len)
		return 0;
	return violate(ws, WS_EUTF8, 1007, "text that is not UTF-8");
}

static int hand_out(struct ws *ws, struct ws_msg *msg, const void *p, size_t len, int last)
{
	if (last && ws->rx_type == WS_TEXT && ws->rx_utf8 && !ws->no_utf8_check)
		return violate(ws, WS_EUTF8, 1007, "text that ends inside a UTF-8 character");
	msg->type = ws->rx_type;
	msg->more = !last;
	msg->data = p;
	msg->len = len;
	if (last)
		ws->rx_type = 0;
	ws->idle = last && !ws->trace;
	return 0;
}

static int on_close(struct ws *ws, const unsigned char *p, size_t len)
{
	char shown[3 * WSI_CONTROL_MAX];
	struct wsi_text t;
	unsigned code = 1005; /* 7.1.5 */
	uint32_t utf8 = 0;
	const char *name;

	if (len == 1)
		return violate(ws, WS_EPROTOCOL, 1002, "a close frame of one byte");
	if (len) {
		code = (unsigned)p[0] << 8 | p[1];
		if (!wsi_close_code_ok(code))
			return violate(ws, WS_EPROTOCOL, 1002, "a close code that must not be sent");
		if (wsi_utf8_check(&utf8, p + 2, len - 2) < len - 2 || utf8)
			return violate(ws, WS_EUTF8, 1007, "a close reason that is not UTF-8");
		memcpy(ws->close_reason, p + 2, len - 2);
		ws->info.close_reason_len = len - 2;
	}
	ws->close_reason[ws->info.close_reason_len] = '\0';
	ws->info.close_code = (int)code;
	send_close(ws, len ? code : 0, NULL, 0); /* 5.5.1: the code is echoed */
	wsi_text_init(&t, shown, sizeof shown);
	name = wsi_close_name(code);
	if (*name) {
		wsi_put(&t, " (");
		wsi_put(&t, name);
		wsi_put(&t, ")");
	}
	if (ws->info.close_reason_len) {
		wsi_put(&t, ": ");
		wsi_put_safe(&t, ws->close_reason, ws->info.close_reason_len);
	}
	return fail(ws, WS_ECLOSED, "closed by %P with %u%s", code, shown);
}

/* A whole control frame: 0: go on; 1: *msg is a pong; or the end */
static int on_control(struct ws *ws, const unsigned char *p, size_t len, struct ws_msg *msg)
{
	switch (ws->rx.b0 & 0x0f) {
	case WSI_CLOSE:
		return on_close(ws, p, len);
	case WSI_PING: /* 5.5.3: of several that could not be answered yet, the last will do */
		if (ws->close_sent || ws->control == WSI_CLOSE)
			return 0;
		memcpy(ws->control_data, p, len);
		ws->control_len = (unsigned char)len;
		ws->control = WSI_PONG;
		flush_out(ws);
		return ws->err; /* there may be no entropy for its mask */
	default:
		if (!ws->pinged || !msg)
			return 0;
		msg->type = WS_PONG;
		msg->more = 0;
		msg->data = p;
		msg->len = len;
		return 1;
	}
}

/* Room in mbuf for a byte more at least, grown by what came and not by what was promised: 0 or the end */
static int grow_message(struct ws *ws, size_t len)
{
	size_t cap = ws->mcap ? ws->mcap : 2 * ws->rcap;
	unsigned char *p;

	while (cap < ws->mlen + len)
		cap = cap > SIZE_MAX / 2 ? SIZE_MAX : 2 * cap;
	if (cap > ws->max_message)
		cap = ws->max_message;
	if (cap < ws->mlen + len)
		cap = ws->mlen + len;
	if (cap <= ws->mcap)
		return 0;
	p = grow(ws, ws->mbuf, ws->mcap, cap);
	if (!p) {
		violate(ws, WS_EMEMORY, 1009, "no memory for it");
		return ws->err;
	}
	ws->mbuf = p;
	ws->mcap = cap;
	return 0;
}

/* Payload of a data frame: 0: *msg is a message or, streaming, a piece; 1: go on; or what the call returns */
static int on_data(struct ws *ws, struct ws_msg *msg)
{
	unsigned char *p = ws->rbuf + ws->rpos;
	size_t n = ws->rend - ws->rpos;
	int r, last, streaming = ws->stream || !msg;

	if (n > ws->rx_left)
		n = (size_t)ws->rx_left;
	if (n == 0 && ws->rx_left && (streaming || ws->in_place || ws->rx_left < ws->rcap / 2)) {
		r = fill(ws, ws->in_place ? (size_t)ws->rx_left : 1);
		return r ? r : 1;
	}
	if (!streaming && ws->in_place) {
		r = check_text(ws, p + ws->rx_checked, n - ws->rx_checked);
		if (r)
			return r;
		ws->rx_checked = n;
		if (n < ws->rx_left) {
			r = fill(ws, (size_t)ws->rx_left);
			return r ? r : 1;
		}
	} else if (!streaming) {
		size_t direct = 0;

		r = grow_message(ws, n ? n : 1);
		if (r)
			return r;
		if (n) {
			memcpy(ws->mbuf + ws->mlen, p, n);
		} else if (ws->rx_left) { /* past rbuf: one copy less */
			ptrdiff_t got;

			direct = ws->mcap - ws->mlen;
			if (direct > ws->rx_left)
				direct = (size_t)ws->rx_left;
			got = read_some(ws, ws->mbuf + ws->mlen, direct);
			if (got <= 0)
				return got < 0 ? (int)got : 1;
			direct = (size_t)got;
		}
		r = check_text(ws, ws->mbuf + ws->mlen, n + direct);
		if (r)
			return r;
		ws->mlen += n + direct;
		ws->rx_left -= direct;
	} else if (msg) {
		r = check_text(ws, p, n);
		if (r)
			return r;
	}
	ws->rpos += n;
	ws->rx_left -= n;
	if (ws->rx_left == 0)
		ws->in_frame = 0;
	last = !ws->in_frame && (ws->rx.b0 & WSI_FIN);
	if (!msg) {
		if (last)
			ws->rx_type = 0;
		return 1;
	}
	if (streaming)
		return n || last ? hand_out(ws, msg, p, n, last) : 1;
	if (!last)
		return 1;
	return ws->in_place ? hand_out(ws, msg, p, n, 1) : hand_out(ws, msg, ws->mbuf, ws->mlen, 1);
}

/* The next message, or with msg NULL what is before the peer's close frame goes to waste */
static int receive(struct ws *ws, struct ws_msg *msg)
{
	const char *why = "";
	int n, r;

	ws->idle = 0;
	ws->dead_told = 0;
	ws->reads = 0;
	for (;;) {
		const unsigned char *p = ws->rbuf + ws->rpos;
		size_t have = ws->rend - ws->rpos;

		if (!ws->in_frame) {
			n = wsi_frame_decode(&ws->rx, p, have, &why);
			if (n < 0)
				return violate(ws, WS_EPROTOCOL, 1002, why);
			r = n ? begin_receiving(ws, (size_t)n) : fill(ws, WSI_FRAME_HEAD_MAX);
			if (r)
				return r;
			if (n)
				trace_frame(ws, 0, ws->rx.b0, ws->rx.len, p + n, have - (size_t)n);
			ws->rpos += (size_t)n;
		} else if (ws->rx.b0 & 8) {
			if (have < ws->rx_left) {
				r = fill(ws, (size_t)ws->rx_left);
				if (r)
					return r;
				continue;
			}
			ws->rpos += (size_t)ws->rx_left;
			ws->in_frame = 0;
			r = on_control(ws, p, (size_t)ws->rx_left, msg);
			if (r)
				return r < 0 ? r : 0;
		} else {
			r = on_data(ws, msg);
			if (r <= 0)
				return r;
		}
	}
}

int ws_recv(struct ws *ws, struct ws_msg *msg)
{
	const unsigned char *p = ws->rbuf + ws->rpos;
	size_t have = ws->rend - ws->rpos, head = 2, len;

	/* The short way for the common case: a whole, unfragmented binary message that lies in the buffer */
	if (ws->idle && have >= 4 && p[0] == (WSI_FIN | WSI_BINARY)) {
		len = p[1];
		if (len == 126) {
			head = 4;
			len = (size_t)p[2] * 256 + p[3];
			if (len < 126) /* not minimal: an error, found below */
				len = SIZE_MAX / 2;
		} else if (len > 126) {
			len = SIZE_MAX / 2;
		}
		if (len <= have - head && len <= ws->max_message) {
			msg->type = WS_BINARY;
			msg->more = 0;
			msg->data = p + head;
			msg->len = len;
			ws->rpos += head + len;
			return 0;
		}
	}
	if (ws->state != OPEN)
		return not_open(ws);
	if (ws->head.p)
		drop_head(ws);
	return receive(ws, msg);
}

/* Closing */

/* Over: what waits goes out, and after our own close frame it reads on, to no end but that the peer sees that frame. 0:
 * done */
static int drain(struct ws *ws)
{
	ptrdiff_t n;

	ws->reads = 0;
	for (;;) {
		if (flush_out(ws) != WS_AGAIN && !ws->linger)
			return 0;
		if (now_us(ws) >= ws->deadline)
			return WS_ETIMEOUT;
		if (read_enough(ws))
			return WS_AGAIN;
		n = read_io(ws, ws->rbuf, ws->rcap);
		if (n > 0)
			continue;
		if (!blocked(ws, n, &ws->rd)) {
			ws->linger = 0;
			ws->spos = ws->send = 0;
			return 0;
		}
		if (ws->nonblock)
			return WS_AGAIN;
		if (await_io(ws, 1) < 0)
			return WS_EIO;
	}
}

static int begin_close(struct ws *ws, int code, const char *reason)
{
	size_t len = reason ? wsi_strlen(reason) : 0;
	uint32_t utf8 = 0;

	if (code ? code < 0 || !wsi_close_code_ok((unsigned)code) || len > WSI_CONTROL_MAX - 2 : len != 0)
		return misuse(ws, "ws_close: a code that must not be sent, or a reason over 123 bytes");
	if (wsi_utf8_check(&utf8, reason, len) < len || utf8)
		return misuse(ws, "ws_close: the reason is not UTF-8");
	if (ws->tx_active && !ws->write_dead) /* no frame can begin within another: all that is left is to hang up */
		return fail(ws, WS_ECLOSED, "closed in the middle of a frame of ours");
	enter(ws, WS_CLOSING);
	ws->state = CLOSING;
	ws->idle = 0;
	send_close(ws, (unsigned)code, reason, len);
	return 0;
}

int ws_close(struct ws *ws, int code, const char *reason)
{
	int r = 0;

	if (!ws->opened)
		return ws->err ? ws->err : WS_EUSAGE;
	if (ws->state == OPEN)
		r = begin_close(ws, code, reason);
	if (ws->state == OPEN)
		return r;
	if (ws->state == CLOSING)
		r = receive(ws, NULL);
	if (ws->state == OVER)
		r = drain(ws);
	if (r == WS_AGAIN || r == WS_ETIMEOUT)
		return r;
#ifdef WS_WITH_MBEDTLS
	if (ws->tls)
		wsi_tls_goodbye(ws->tls);
#endif
	ws->linger = 0;
	if (ws->err != WS_ECLOSED || ws->info.close_code == 0 || ws->info.close_code == 1006)
		return ws->err;
	enter(ws, WS_DONE);
	return 0;
}

/* Names */

const char *ws_errname(int err)
{
	switch ((enum ws_err)err) {
	case WS_OK:
		return "ok";
	case WS_AGAIN:
		return "again";
	case WS_ETIMEOUT:
		return "timeout";
	case WS_EUSAGE:
		return "usage";
	case WS_EURL:
		return "url";
	case WS_EMEMORY:
		return "memory";
	case WS_EUNSUPPORTED:
		return "unsupported";
	case WS_EENTROPY:
	case WS_EIO:
		return "io";
	case WS_ERESOLVE:
		return "resolve";
	case WS_EREFUSED:
		return "refused";
	case WS_EUNREACHABLE:
		return "unreachable";
	case WS_EPROXY:
		return "proxy";
	case WS_ETLS:
		return "tls";
	case WS_ECERT:
		return "certificate";
	case WS_EHTTP:
		return "http";
	case WS_EREDIRECT:
		return "redirect";
	case WS_EHANDSHAKE:
		return "handshake";
	case WS_EPROTOCOL:
		return "protocol";
	case WS_EUTF8:
		return "utf8";
	case WS_ETOOBIG:
		return "too_big";
	case WS_ECLOSED:
		return "closed";
	case WS_ERESET:
		return "reset";
	}
	return "io";
}

const char *ws_phasename(enum ws_phase phase)
{
	switch (phase) {
	case WS_RESOLVE:
		return "resolve";
	case WS_CONNECT:
		return "connect";
	case WS_PROXY:
		return "proxy";
	case WS_TLS:
		return "tls";
	case WS_UPGRADE:
		return "upgrade";
	case WS_READY:
		return "ready";
	case WS_URL:
		return "url";
	case WS_CLOSING:
		return "closing";
	case WS_DONE:
		return "done";
	}
	return "";
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
	size_t sent = 0;
	struct ws_msg msg;
	ptrdiff_t n;
	int r = ws_open(ws);

	while (r == 0 && (data || !answer->data)) {
		if (data) {
			n = ws_send(ws, type, data + sent, len - sent);
			if (n < 0 && n != WS_AGAIN)
				return (int)n;
			sent += n > 0 ? (size_t)n : 0;
			if (n >= 0 && sent == len) {
				data = NULL;
				continue;
			}
		}
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
		r = r == WS_AGAIN ? 0 : r;
	}
	return answer->data ? 0 : r;
}

int ws_query(const char *url, const struct ws_options *opt, int type, const void *data, size_t len,
             struct ws_answer *answer)
{
	struct ws_options o;
	struct wsi_mem mem;
	struct wsi_text t;
	struct ws *ws;

	memset(answer, 0, sizeof *answer);
	copy_options(&o, opt, &mem);
	o.nonblock = o.stream = 0;
	wsi_text_init(&t, answer->error, sizeof answer->error);
	ws = ws_new(url, &o);
	if (!ws) {
		wsi_put(&t, "out of memory");
		return answer->err = WS_EMEMORY;
	}
	answer->err = query_exchange(ws, type, data, len, answer);
	answer->connected = ws->opened;
	if (answer->err)
		wsi_put_safe(&t, ws_error(ws), wsi_strlen(ws_error(ws)));
	if (ws->opened) {
		int64_t left = (ws->deadline - now_us(ws)) / 1000;

		ws_timeout(ws, left < 0 ? 0 : left < 1000 ? (int)left : 1000);
		ws_close(ws, 1000, NULL);
	}
	ws_free(ws);
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
