/* SPDX-License-Identifier: ISC
 * ws.c - the calls of ws.h, except those that send, receive or close, and the life of a connection
 *
 * The library's files. Each uses only files below it:
 *
 *	ws.c copy.c check.c open.c upgrade.c keepalive.c buffer.c cancel.c transport.c send.c recv.c
 *	conn.c
 *	                                                   a connection: struct ws_conn    ws_conn.h
 *	net.c resolve.c sys.c sys_words.c (or net_none.c)  network and operating system    ws_net.h
 *	tls.c tls_wire.c tls_verdict.c tls_config.c tls_trust.c tls_words.c tls_port.c trust.c chain.c der.c
 *	                                                   TLS                             ws_tls.h
 *	url.c url_show.c frame.c header.c request.c response.c
 *	refusal.c proxy.c no_proxy.c                       texts and bytes, no I/O         ws_proto.h
 *	text.c sha1.c base64.c utf8.c ip.c secret.c        functions of bytes alone        ws_pure.h
 *
 * ws_send and ws_ping are in send.c, ws_recv and ws_close in recv.c, ws_wants in transport.c.
 */
#include "ws_conn.h"
#include <string.h>

#define RECV_BUFFER 16384
#define SEND_BUFFER 4096
#define MESSAGE_MAX (16 * 1024 * 1024)
#define TIMEOUT_MS 10000
#define QUERY_CLOSE_MS 1000 /* how long ws_query awaits the peer's close frame */

/* Making and freeing */

/* Copies the fields of *opt, which has size bytes, that this library knows. False: a field that it
 * does not know is set. */
static bool copy_options(struct ws_options *o, const struct ws_options *opt, size_t size)
{
	const unsigned char *bytes = (const unsigned char *)opt;
	size_t i;

	memset(o, 0, sizeof *o);
	if (!opt)
		return true;
	memcpy(o, opt, size < sizeof *o ? size : sizeof *o);
	for (i = sizeof *o; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

static struct wsi_mem world_of(const struct ws_options *o)
{
	struct wsi_mem mem = {o->alloc, o->now_us, o->entropy, o->trace, o->user_data, o->give_up};

	return mem;
}

static void init_report(struct ws_conn *ws)
{
	struct ws_report *r = &ws->info;
	int i;

	r->phase = WS_PHASE_URL;
	r->option = r->url = r->subprotocol = r->head = r->body = "";
	r->address = r->close_reason = "";
	r->tls_version = r->tls_cipher = r->cert_subject = r->cert_issuer = "";
	for (i = 0; i < WS_PHASES_TIMED; i++)
		r->phase_us[i] = -1;
	ws->why = "";
}

static void init_time(struct ws_conn *ws, const struct ws_options *o)
{
	ws_timeout(ws, o->timeout_ms ? o->timeout_ms : TIMEOUT_MS);
	ws->connect_deadline = ws->wait_until = WSI_NEVER;
	ws->ping_interval_ms = o->ping_interval_ms;
	if (o->connect_timeout_ms)
		ws->connect_deadline = wsi_after_ms(ws->start, o->connect_timeout_ms);
}

/* The program's transport or descriptor, or a socket of our own that is still to come. */
static void init_transport(struct ws_conn *ws, const struct ws_options *o,
                           struct wsi_complaint *wrong)
{
	static const struct ws_io socket_io = {
	    wsi_socket_read, wsi_socket_write, NULL, wsi_socket_close, NULL, NULL};

	ws->fd = -1;
	ws->io = &ws->raw;
	ws->on_close = o->on_close;
	ws->read_waits = WS_POLL_READ;
	ws->write_waits = WS_POLL_WRITE;
	if (o->io) {
		int fd = o->use_fd ? o->fd : -1;

		wsi_socket_close(&fd); /* both are wrong, but the descriptor is ours to close */
		ws->own_io = ws->given = true;
		ws->raw = *o->io;
		return;
	}
	ws->raw = socket_io;
	ws->raw.io = &ws->fd;
	if (!o->use_fd)
		return;
	ws->given = true;
	ws->fd = o->fd;
	if (wsi_socket_prepare(o->fd) < 0) {
		wrong->option = "fd";
		wrong->why = "is not an open descriptor";
	}
}

/* One block for the connection and its two buffers. NULL: no memory. */
static struct ws_conn *make(const struct ws_options *o)
{
	struct wsi_mem mem = world_of(o);
	size_t size = sizeof(struct ws_conn) + o->recv_buffer + o->send_buffer;
	struct ws_conn *ws = wsi_alloc(&mem, NULL, 0, size);

	if (!ws)
		return NULL;
	memset(ws, 0, sizeof *ws);
	ws->first_rcap = o->recv_buffer;
	ws->first_scap = o->send_buffer;
	ws->mem = mem;
	ws->rbuf = (unsigned char *)(ws + 1);
	ws->rcap = o->recv_buffer;
	ws->sbuf = ws->rbuf + ws->rcap;
	ws->scap = o->send_buffer;
	ws->nonblock = o->nonblock;
	ws->stream = o->stream;
	ws->check_utf8 = !o->no_utf8_check;
	ws->max_message = o->max_message ? o->max_message : MESSAGE_MAX;
	ws->refusal = WS_EUSAGE;
	ws->same_origin = true;
	return ws;
}

/* One block for what only opening needs, and for a copy of the URL and of all that the options point
 * to. NULL: no memory. */
static struct wsi_opening *make_opening(struct ws_conn *ws, const struct ws_options *o,
                                        const char *url, size_t len)
{
	struct ws_options opt = *o;
	size_t opt_len = wsi_copy_options(&opt, NULL);
	size_t size = sizeof(struct wsi_opening) + opt_len + len;
	struct wsi_opening *op = wsi_grow(ws, NULL, 0, size);

	if (!op)
		return NULL;
	memset(op, 0, sizeof *op);
	op->size = size;
	op->opt = opt;
	wsi_copy_options(&op->opt, (char *)(op + 1));
	op->first_url = (char *)(op + 1) + opt_len;
	memcpy(op->first_url, url, len);
	return op;
}

/* known: false if the program has set an option that is not in *opt. */
static struct ws_conn *new_conn(const char *url, const struct ws_options *opt, bool known)
{
	struct wsi_complaint wrong = {NULL, NULL, NULL};
	struct ws_options o = *opt;
	struct ws_conn *ws;
	bool send_grows;
	size_t len;

	if (!url)
		url = "";
	len = strlen(url);
	if (!o.recv_buffer)
		o.recv_buffer = RECV_BUFFER;
	send_grows = !o.send_buffer;
	if (send_grows)
		o.send_buffer = SEND_BUFFER;
	wsi_check_first(&o, known, &wrong);
	if (wrong.why) /* the connection object is still needed, to report it */
		o.recv_buffer = o.send_buffer = WSI_BUFFER_MIN;
	ws = make(&o);
	if (!ws)
		return NULL;
	ws->send_grows = send_grows;
	init_report(ws);
	init_time(ws, &o);
	init_transport(ws, &o, &wrong);
	wsi_cancel_init(ws);
	ws->op = make_opening(ws, &o, url, len);
	if (!ws->op) {
		wsi_no_memory(ws);
		return ws;
	}
	if (wsi_check_options(ws, &wrong) == 0 && wsi_take_url(ws, ws->op->first_url, len) == 0)
		ws->op->first = ws->op->url;
	return ws;
}

struct ws_conn *ws_new_sized(const char *url, const struct ws_options *opt, size_t opt_size)
{
	struct ws_options o;
	bool known = copy_options(&o, opt, opt_size);

	return new_conn(url, &o, known);
}

void ws_free(struct ws_conn *ws)
{
	if (!ws)
		return;
	wsi_end_opening(ws);
	wsi_close_transport(ws);
	wsi_wake_close(ws->wake);
#ifdef WS_WITH_MBEDTLS
	wsi_tls_config_free(ws->tls_config);
#endif
	wsi_release(ws, &ws->sentence);
	wsi_release(ws, &ws->url);
	wsi_release(ws, &ws->subprotocol);
	wsi_release(ws, &ws->head);
	wsi_release(ws, &ws->headers);
	wsi_release(ws, &ws->body);
	wsi_free_grown(ws);
	wsi_grow(ws, ws, sizeof *ws + ws->first_rcap + ws->first_scap, 0);
}

/* Opening */

int ws_open(struct ws_conn *ws)
{
	int r;

	ws->reads = 0;
	while (ws->state == WSI_OPENING) {
		if (wsi_open_step(ws) != WS_AGAIN)
			continue;
		if (wsi_late(ws)) {
			wsi_open_timed_out(ws);
			continue;
		}
		r = WS_AGAIN;
		if (!ws->nonblock)
			r = wsi_await(ws);
		if (r == WS_AGAIN || r == WS_ECANCELED)
			return wsi_told(ws, r);
	}
	return ws->err;
}

/* Asking */

void ws_timeout(struct ws_conn *ws, int timeout_ms)
{
	ws->start = wsi_now_us(ws);
	ws->deadline = wsi_after_ms(ws->start, timeout_ms);
}

const char *ws_errmsg(const struct ws_conn *ws)
{
	return ws->why;
}

const struct ws_report *ws_report(const struct ws_conn *ws)
{
	return &ws->info;
}

const char *ws_header(const struct ws_conn *ws, const char *name)
{
	struct wsi_str wanted = {name, strlen(name)};

	if (!ws->headers.p)
		return NULL;
	return wsi_find_header(ws->headers.p, ws->headers.len, wanted);
}

int ws_fd(const struct ws_conn *ws)
{
	return ws->fd;
}

const char *ws_errname(int err)
{
	if (err >= 0) /* also the result of a ws_send */
		return "ok";
	switch (err) {
	case WS_AGAIN:
		return "again";
	case WS_ETIMEOUT:
		return "timeout";
	case WS_ECANCELED:
		return "canceled";
	case WS_EUSAGE:
		return "usage";
	case WS_EURL:
		return "url";
	case WS_EMEMORY:
		return "memory";
	case WS_EUNSUPPORTED:
		return "unsupported";
	case WS_EENTROPY:
		return "entropy";
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
	default:
		return "unknown";
	}
}

const char *ws_phasename(enum ws_phase phase)
{
	static const char *const names[] = {
	    [WS_PHASE_RESOLVE] = "resolve", [WS_PHASE_CONNECT] = "connect",
	    [WS_PHASE_PROXY] = "proxy",     [WS_PHASE_TLS] = "tls",
	    [WS_PHASE_UPGRADE] = "upgrade", [WS_PHASE_READY] = "ready",
	    [WS_PHASE_URL] = "url",         [WS_PHASE_CLOSING] = "closing",
	    [WS_PHASE_DONE] = "done",
	};

	return (unsigned)phase < sizeof names / sizeof *names ? names[phase] : "";
}

const char *ws_closename(int code)
{
	return wsi_close_name((unsigned)code);
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

static int keep_answer(struct ws_conn *ws, struct ws_answer *answer, const struct ws_msg *msg)
{
	answer->data = wsi_grow(ws, NULL, 0, msg->len + 1);
	if (!answer->data)
		return wsi_no_memory(ws);
	memcpy(answer->data, msg->data, msg->len);
	answer->data[msg->len] = '\0';
	answer->len = msg->len;
	answer->type = msg->type;
	return 0;
}

/* The first message is the answer, also if it comes before all of data is sent. */
static int query_exchange(struct ws_conn *ws, int type, const char *data, size_t len,
                          struct ws_answer *answer)
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
			return 0;
		r = ws_recv(ws, &msg);
		if (r == 0 && !answer->data)
			r = keep_answer(ws, answer, &msg);
	}
	return answer->data ? 0 : r;
}

int ws_query_sized(const char *url, const struct ws_options *opt, size_t opt_size, int type,
                   const void *data, size_t len, struct ws_answer *answer)
{
	const char *why = "out of memory";
	struct ws_options o;
	struct wsi_text t;
	struct ws_conn *ws;
	bool known;

	memset(answer, 0, sizeof *answer);
	known = copy_options(&o, opt, opt_size);
	o.nonblock = o.stream = 0;
	ws = new_conn(url, &o, known);
	answer->err = ws ? query_exchange(ws, type, data, len, answer) : WS_EMEMORY;
	if (ws)
		why = ws_errmsg(ws);
	wsi_text_init(&t, answer->error, sizeof answer->error);
	if (answer->err)
		wsi_put_safe(&t, why, strlen(why));
	if (ws) {
		answer->connected = ws->opened;
		ws->deadline =
		    wsi_earlier(ws->deadline, wsi_after_ms(wsi_now_us(ws), QUERY_CLOSE_MS));
		ws_close(ws, 1000, NULL);
		ws_free(ws);
	}
	return answer->err;
}

void ws_answer_free_sized(struct ws_answer *answer, const struct ws_options *opt, size_t opt_size)
{
	struct ws_options o;
	struct wsi_mem mem;

	copy_options(&o, opt, opt_size);
	mem = world_of(&o);
	if (answer->data)
		wsi_alloc(&mem, answer->data, answer->len + 1, 0);
	answer->data = NULL;
	answer->len = 0;
}

/* Trust that connections share */

#ifndef WS_WITH_MBEDTLS
struct ws_trust {
	struct wsi_mem mem;
};
#endif

#ifdef WS_WITH_MBEDTLS
static struct ws_trust *new_trust(const struct ws_options *o)
{
	struct wsi_mem mem = world_of(o);
	int64_t now = wsi_clock_us();
	int64_t until = wsi_after_ms(now, o->timeout_ms ? o->timeout_ms : TIMEOUT_MS);

	if (o->connect_timeout_ms)
		until = wsi_earlier(until, wsi_after_ms(now, o->connect_timeout_ms));
	return wsi_tls_trust_new(&mem, &o->tls, until);
}
#else
static struct ws_trust *new_trust(const struct ws_options *o)
{
	struct wsi_mem mem = world_of(o);
	struct ws_trust *trust = wsi_alloc(&mem, NULL, 0, sizeof *trust);

	if (trust)
		trust->mem = mem;
	return trust;
}
#endif

struct ws_trust *ws_trust_new_sized(const struct ws_options *opt, size_t opt_size)
{
	struct ws_options o;

	copy_options(&o, opt, opt_size);
	return new_trust(&o);
}

void ws_trust_free(struct ws_trust *trust)
{
#ifdef WS_WITH_MBEDTLS
	wsi_tls_trust_drop(trust);
#else
	struct wsi_mem mem;

	if (!trust)
		return;
	mem = trust->mem;
	wsi_alloc(&mem, trust, sizeof *trust, 0);
#endif
}

const char *ws_trust_errmsg(const struct ws_trust *trust)
{
#ifdef WS_WITH_MBEDTLS
	return wsi_tls_trust_why(trust);
#else
	(void)trust;
	return "tls: not built in";
#endif
}
