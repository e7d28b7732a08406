/* SPDX-License-Identifier: ISC
 * open.c - the way to the server: names, sockets, the proxy and TLS, one function for each step of
 * ws_open
 *
 * ws_conn.h shows the order of the steps. A step returns 0 when it is done or has got further,
 * WS_AGAIN when it has to wait, or an error. It sets ws->step to what comes next. The steps of the
 * upgrade are in upgrade.c.
 */
#include "ws_conn.h"
#include <string.h>

#define ADDRESS_MAX 120 /* bytes of a peer's address in the report: a Unix socket's path fits */

/* Where a hop begins */

/* True if this hop is encrypted by us. */
static bool wants_tls(const struct ws_conn *ws)
{
	return ws->op->url.secure && (!ws->own_io || ws->op->opt.io_is_plain);
}

/* Begins to connect to a host, or in the step TARGET only to resolve its name. */
static int begin_net(struct ws_conn *ws, const struct wsi_url *to, enum wsi_step step)
{
	struct wsi_opening *op = ws->op;

	wsi_net_init(&op->net, &op->opt, to);
#ifndef WS_NO_PROXY
	if (step == WSI_STEP_TARGET && op->proxy.kind == WSI_SOCKS4)
		op->net.lookup.family = 4;
#endif
	wsi_enter(ws, op->opt.unix_socket || to->ip ? WS_PHASE_CONNECT : WS_PHASE_RESOLVE);
	ws->step = step;
	return 0;
}

#ifndef WS_NO_PROXY
/* The proxy's URL for this hop, or NULL: none. */
static const char *proxy_for(const struct ws_conn *ws)
{
	const struct ws_options *o = &ws->op->opt;
	const struct wsi_url *to = &ws->op->url;
	const char *url = o->proxy;
	struct wsi_str bad;

	if (to->secure && o->proxy_wss)
		url = o->proxy_wss;
	if (o->unix_socket || !url || !*url || wsi_no_proxy(o->no_proxy, to, &bad) > 0)
		return NULL;
	return url;
}

static int begin_proxy(struct ws_conn *ws, const char *url)
{
	struct wsi_opening *op = ws->op;

	ws->proxied = true;
	wsi_proxy_parse(&op->proxy, url, strlen(url)); /* ws_new has checked it */
	op->proxy.target = &op->url;
	op->proxy.user_agent = op->opt.user_agent;
	if (wsi_proxy_resolves_here(op->proxy.kind))
		return begin_net(ws, &op->url, WSI_STEP_TARGET);
	return begin_net(ws, &op->proxy.url, WSI_STEP_NET);
}
#endif

/* Keeps the peer's address for the report. 0 or an error */
static int keep_address(struct ws_conn *ws, const struct wsi_text *address)
{
	struct wsi_text *t = wsi_blank(ws, &ws->address, address->len);

	if (!t)
		return ws->err;
	wsi_put_n(t, address->p, address->len);
	ws->info.address = t->p;
	return 0;
}

/* The program's transport or descriptor is connected already. */
static int begin_given(struct ws_conn *ws)
{
	char buf[ADDRESS_MAX];
	struct wsi_text t;

	wsi_text_init(&t, buf, sizeof buf);
	wsi_put_hostport(&t, &ws->op->url, 1);
	if (keep_address(ws, &t))
		return ws->err;
	wsi_enter(ws, WS_PHASE_CONNECT);
	ws->step = WSI_STEP_TLS;
	return 0;
}

static int step_start(struct ws_conn *ws)
{
	struct wsi_opening *op = ws->op;
#ifndef WS_NO_PROXY
	const char *proxy = proxy_for(ws);
#endif

#ifndef WS_WITH_MBEDTLS
	if (wants_tls(ws) && !op->opt.start_tls) {
		struct wsi_text *t = wsi_sentence(ws);

		wsi_put(t, "URL \"");
		wsi_put(t, ws->info.url);
		wsi_put(t, "\": this build has no TLS (build it with mbedTLS: make TLS=mbedtls)");
		return wsi_fail(ws, WS_EUNSUPPORTED);
	}
#endif
	/* Once a redirect has led to another origin, that origin may have chosen every later URL.
	 * So nothing secret is sent to any later hop, even if it is the first origin again. */
	if (!wsi_same_origin(&op->url, &op->first))
		ws->same_origin = false;
	if (ws->same_origin) /* a Location never has it */
		op->url.userinfo = op->first.userinfo;
	if (ws->given)
		return begin_given(ws);
#ifndef WS_NO_PROXY
	if (proxy)
		return begin_proxy(ws, proxy);
#endif
	return begin_net(ws, &op->url, WSI_STEP_NET);
}

/* Resolving and connecting */

static int connecting_failed(struct ws_conn *ws)
{
	struct wsi_text *cause = wsi_cause(ws), *t;
	int err = wsi_net_put_tried(&ws->op->net, cause);

	ws->info.no_descriptor = wsi_net_lacks_fd(&ws->op->net);
	t = wsi_sentence(ws);
	if (ws->proxied && ws->step == WSI_STEP_NET)
		wsi_put(t, "proxy: ");
	wsi_put(t, cause->p);
	return wsi_fail(ws, err);
}

/* Shows trace the attempts that failed, and the address that is connected. */
static void trace_connection(struct ws_conn *ws)
{
	const struct wsi_net *n = &ws->op->net;
	struct wsi_text *t;
	int err;

	if (!ws->mem.trace)
		return;
	t = wsi_cause(ws);
	err = wsi_net_put_tried(n, t);
	if (err < 0)
		wsi_trace(ws, 1, WS_TRACE_CONNECT, t->p, t->len);
	t = wsi_cause(ws);
	wsi_put(t, ws->proxied ? "connected to the proxy " : "connected to ");
	wsi_net_put_peer(n, t);
	wsi_trace(ws, 1, WS_TRACE_CONNECT, t->p, t->len);
}

static int step_net(struct ws_conn *ws)
{
	struct wsi_opening *op = ws->op;
	char buf[ADDRESS_MAX];
	struct wsi_text t;
	int r = wsi_net_step(&op->net, wsi_now_us(ws));

	ws->change++; /* the descriptors may have changed */
	if (r == WS_AGAIN)
		return r;
	if (r > 0 && ws->step == WSI_STEP_NET) { /* resolved */
		wsi_enter(ws, WS_PHASE_CONNECT);
		return 0;
	}
	if (r < 0)
		return connecting_failed(ws);
	if (ws->step == WSI_STEP_NET)
		trace_connection(ws);
	wsi_net_end(&op->net);
#ifndef WS_NO_PROXY
	if (ws->step == WSI_STEP_TARGET) {
		memcpy(op->proxy.addr, op->net.lookup.addr[0].bytes, sizeof op->proxy.addr);
		op->proxy.addr_len = op->net.lookup.addr[0].len;
		return begin_net(ws, &op->proxy.url, WSI_STEP_NET);
	}
#endif
	ws->fd = op->net.fd;
	wsi_text_init(&t, buf, sizeof buf);
	wsi_net_put_peer(&op->net, &t);
	if (keep_address(ws, &t))
		return ws->err;
	ws->step = WSI_STEP_TLS;
	if (ws->proxied) {
		wsi_enter(ws, WS_PHASE_PROXY);
		ws->step = WSI_STEP_PROXY;
	}
	return 0;
}

/* The proxy's dialogue */

#ifndef WS_NO_PROXY
static int proxy_failed(struct ws_conn *ws, const char *why)
{
	struct wsi_text *t = wsi_sentence(ws);

	wsi_put(t, "proxy ");
	wsi_put(t, ws->info.address);
	wsi_put(t, " for ");
	wsi_put(t, ws->info.url);
	wsi_put(t, ": ");
	wsi_put(t, why);
	return wsi_fail(ws, WS_EPROXY);
}

static int step_proxy(struct ws_conn *ws)
{
	struct wsi_opening *op = ws->op;
	unsigned char *in = ws->rbuf + ws->rpos;
	size_t have = ws->rend - ws->rpos;
	struct wsi_text *out, *why = wsi_cause(ws);
	int r = wsi_send_head(ws);

	if (r)
		return r;
	out = wsi_blank(ws, &ws->head, WSI_PROXY_OUT_MAX);
	if (!out)
		return ws->err;
	r = wsi_proxy_step(&op->proxy, in, have, out, why);
	if (op->proxy.kind == WSI_HTTP) {
		wsi_trace_head(ws, 0, in, op->proxy.used);
		wsi_trace_head(ws, 1, out->p, out->len);
	}
	ws->rpos += op->proxy.used;
	if (r < 0)
		return proxy_failed(ws, why->p);
	if (r > 0)
		ws->step = WSI_STEP_TLS;
	if (r > 0 || out->len > 0 || op->proxy.used > 0)
		return 0;
	if (have == ws->rcap) {
		wsi_put(why, "its response is longer than the receive buffer of ");
		wsi_put_u(why, ws->rcap);
		wsi_put(why, " bytes");
		return proxy_failed(ws, why->p);
	}
	return wsi_read_response(ws);
}
#endif

/* TLS. A build with neither sockets nor mbedTLS has none: the program's io does it. */

#if defined(WS_WITH_MBEDTLS) || !defined(WS_NO_NET)
#define OPEN_HAS_TLS
#endif

#ifdef OPEN_HAS_TLS
static int tls_failed(struct ws_conn *ws, int err, const char *why)
{
	struct wsi_text *t = wsi_sentence(ws);

	wsi_put(t, "TLS handshake with ");
	wsi_put_peer(t, ws);
	wsi_put(t, ": ");
	wsi_put(t, why);
	return wsi_fail(ws, err);
}

/* Puts an empty transport between raw and the WebSocket, for TLS to fill. 0 or WS_EMEMORY. */
static int insert_tls_io(struct ws_conn *ws)
{
	struct ws_io *io = wsi_grow(ws, NULL, 0, sizeof *io);

	if (!io)
		return wsi_no_memory(ws);
	memset(io, 0, sizeof *io);
	ws->io = io;
	return 0;
}

#ifdef WS_WITH_MBEDTLS
/* The transport below TLS: first what was read together with the proxy's answer. */
static ptrdiff_t read_below_tls(void *io, void *buf, size_t len)
{
	struct ws_conn *ws = io;
	struct wsi_text *early = &ws->tls_early;
	size_t n = early->cap - early->len;

	/* mbedTLS reads on for as long as records bring nothing, and has no clock. So the clock is
	 * checked here. */
	if (ws->tls_reads >= WSI_TLS_READS || wsi_late(ws))
		return WS_IO_READ;
	ws->tls_reads++;

	if (!early->p)
		return ws->raw.io_read(ws->raw.io, buf, len);
	if (n > len)
		n = len;
	memcpy(buf, early->p + early->len, n);
	early->len += n;
	if (early->len == early->cap)
		wsi_release(ws, early);
	return (ptrdiff_t)n;
}

static ptrdiff_t write_below_tls(void *io, const void *buf, size_t len)
{
	struct ws_conn *ws = io;

	return ws->raw.io_write(ws->raw.io, buf, len);
}

static const char *error_below_tls(void *io)
{
	struct ws_conn *ws = io;

	return ws->raw.io_error ? ws->raw.io_error(ws->raw.io) : NULL;
}

/* Moves what rbuf has to where TLS reads it. */
static int keep_tls_early(struct ws_conn *ws)
{
	struct wsi_text *early = &ws->tls_early;
	size_t len = ws->rend - ws->rpos;

	if (len == 0)
		return 0;
	early->p = wsi_grow(ws, NULL, 0, len);
	if (!early->p)
		return wsi_no_memory(ws);
	early->cap = len;
	memcpy(early->p, ws->rbuf + ws->rpos, len);
	ws->rpos = ws->rend = 0;
	return 0;
}

static int begin_session(struct ws_conn *ws)
{
	struct wsi_opening *op = ws->op;
	struct ws_io below = {read_below_tls, write_below_tls, NULL, NULL, error_below_tls, NULL};
	struct wsi_text *why;
	int r = keep_tls_early(ws);

	if (r)
		return r;
	if (!ws->tls_config) {
		r = wsi_configure_tls(ws);
		if (r)
			return r;
	}
	below.io = ws;
	why = wsi_cause(ws);
	r = wsi_tls_new(&ws->tls, ws->tls_config, &below, op->url.host, op->url.ip, ws->same_origin,
	                wsi_entropy_of, ws, why);
	ws->entropy_waits = r == WS_AGAIN;
	if (r == 0 || r == WS_AGAIN)
		return r;
	return tls_failed(ws, r, why->p);
}

static int handshake_tls(struct ws_conn *ws)
{
	struct wsi_text *why;
	int r;

	if (!ws->tls) {
		r = begin_session(ws);
		if (r)
			return r;
	}
	ws->tls_reads = 0;
	why = wsi_cause(ws);
	r = wsi_tls_handshake(ws->tls, wsi_files_until(ws), why);
	if (wsi_blocked(ws, r, &ws->read_waits))
		return WS_AGAIN;
	wsi_tls_report(ws->tls, &ws->info);
	if (r == WSI_TLS_LATE)
		r = WS_ETIMEOUT;
	if (r)
		return tls_failed(ws, r, why->p);
	r = insert_tls_io(ws);
	if (r)
		return r;
	wsi_trace(ws, 1, WS_TRACE_TLS, ws->info.tls_version, strlen(ws->info.tls_version));
	ws->io->io_read = wsi_tls_read;
	ws->io->io_write = wsi_tls_write;
	ws->io->io = ws->tls;
	return 0;
}
#endif

#ifndef WS_NO_NET
/* The name of the server for SNI and verification. */
static void put_server_name(struct wsi_text *t, const struct ws_conn *ws)
{
	struct wsi_str name = ws->op->url.host;
	const char *other = ws->op->opt.tls.server_name;

	if (other && ws->same_origin) {
		name.p = other;
		name.len = strlen(other);
	}
	name = wsi_drop_dots(name);
	wsi_put_n(t, name.p, name.len);
}

/* The program's own TLS, over our descriptor. */
static int handshake_own_tls(struct ws_conn *ws)
{
	struct wsi_opening *op = ws->op;
	char name[WSI_SERVER_NAME_MAX + 1];
	struct wsi_text t;
	int r;

	if (ws->rend > ws->rpos) /* only a proxy can have sent them */
		return tls_failed(ws, WS_ETLS, "the peer sent bytes before it began");
	r = ws->own_tls ? 0 : insert_tls_io(ws);
	if (r)
		return r;
	ws->own_tls = true;
	wsi_text_init(&t, name, sizeof name);
	put_server_name(&t, ws);
	r = op->opt.start_tls(ws->mem.user_data, ws->fd, name, ws->io);
	if (wsi_blocked(ws, r, &ws->read_waits))
		return WS_AGAIN;
	if (r)
		return wsi_io_failed(ws, r, "");
	if (!ws->io->io_read || !ws->io->io_write) {
		ws->info.option = "start_tls";
		return tls_failed(ws, WS_EUSAGE, "start_tls did not set io_read and io_write");
	}
	return 0;
}
#endif

static int handshake(struct ws_conn *ws)
{
	/* The caller learns of this phase before there is much to compute: see enum ws_phase. */
	if (ws->info.phase != WS_PHASE_TLS) {
		wsi_enter(ws, WS_PHASE_TLS);
		wsi_blocked(ws, WS_IO_WRITE, &ws->read_waits);
		return WS_AGAIN;
	}
#ifndef WS_NO_NET
	if (ws->op->opt.start_tls)
		return handshake_own_tls(ws);
#endif
#ifdef WS_WITH_MBEDTLS
	return handshake_tls(ws);
#else
	return WS_EUNSUPPORTED; /* step_start has said so */
#endif
}
#endif

static int step_tls(struct ws_conn *ws)
{
#ifdef OPEN_HAS_TLS
	int r = wants_tls(ws) ? handshake(ws) : 0;

	if (r)
		return r;
#endif
	wsi_enter(ws, WS_PHASE_UPGRADE);
	ws->step = WSI_STEP_REQUEST;
	return 0;
}

/* All steps */

/* Puts what has not come in time. */
static void put_missing(struct wsi_text *t, const struct ws_conn *ws)
{
	if (wsi_has_begun(ws)) {
		wsi_put(t, ": the response is still incomplete; it begins with ");
		wsi_put_begun(t, ws);
		return;
	}
	switch (ws->step) {
#ifndef WS_NO_PROXY
	case WSI_STEP_PROXY:
		wsi_put(t, ": no response");
		wsi_put(t, wsi_proxy_doubt(&ws->op->proxy));
		break;
#endif
#ifdef WS_WITH_MBEDTLS
	case WSI_STEP_TLS:
		if (ws->tls && wsi_tls_answered(ws->tls))
			wsi_put(t, ": the server answered, but the handshake is still incomplete");
		else if (ws->tls)
			wsi_put(t, ": the server never answered; " WSI_TLS_DOUBT);
		break;
#endif
	case WSI_STEP_HEAD:
		wsi_put(t, ": no response to the upgrade");
		wsi_put_try_tls(t, ws);
		break;
	default:
		break;
	}
}

void wsi_open_timed_out(struct ws_conn *ws)
{
	struct wsi_opening *op = ws->op;
	struct wsi_text *t;

	if (ws->step == WSI_STEP_BODY) {
		op->body.state = 0; /* report what has come of the body */
		return;
	}
	t = wsi_sentence(ws);
	if (ws->step == WSI_STEP_TARGET || ws->step == WSI_STEP_NET) {
		wsi_net_put_tried(&op->net, t);
		wsi_put(t, ":");
	} else {
		wsi_put_doing(t, ws);
	}
	wsi_put(t, " timed out after ");
	wsi_put_elapsed(t, ws);
	put_missing(t, ws);
	wsi_fail(ws, WS_ETIMEOUT);
}

int wsi_open_step(struct ws_conn *ws)
{
	switch (ws->step) {
	case WSI_STEP_START:
		return step_start(ws);
	case WSI_STEP_TARGET:
	case WSI_STEP_NET:
		return step_net(ws);
	case WSI_STEP_PROXY:
#ifndef WS_NO_PROXY
		return step_proxy(ws);
#endif
	case WSI_STEP_TLS:
		return step_tls(ws);
	case WSI_STEP_REQUEST:
		return wsi_step_request(ws);
	case WSI_STEP_SEND:
		return wsi_step_send(ws);
	case WSI_STEP_HEAD:
		return wsi_step_head(ws);
	case WSI_STEP_BODY:
		break;
	}
	return wsi_step_body(ws);
}
