/* SPDX-License-Identifier: ISC
 * conn.c - what every part of a connection needs: memory, time, sentences, random bytes
 */
#include "ws_conn.h"
#include <string.h>

/* Memory */

void *wsi_grow(const struct ws_conn *ws, void *p, size_t old_len, size_t new_len)
{
	return wsi_alloc(&ws->mem, p, old_len, new_len);
}

void wsi_release(const struct ws_conn *ws, struct wsi_text *t)
{
	if (t->p)
		wsi_alloc(&ws->mem, t->p, t->cap, 0);
	memset(t, 0, sizeof *t);
}

struct wsi_text *wsi_resize(const struct ws_conn *ws, struct wsi_text *t, size_t len)
{
	size_t cap = t->len + len + 1;
	char *p;

	if (!t->p || cap != t->cap) {
		p = wsi_grow(ws, t->p, t->cap, cap);
		if (!p)
			return NULL;
		t->p = p;
		t->cap = cap;
	}
	t->p[t->len] = '\0';
	return t;
}

struct wsi_text *wsi_room(struct ws_conn *ws, struct wsi_text *t, size_t len)
{
	t = wsi_resize(ws, t, len);
	if (!t)
		wsi_no_memory(ws);
	return t;
}

struct wsi_text *wsi_blank(struct ws_conn *ws, struct wsi_text *t, size_t len)
{
	t->len = 0;
	t->cut = 0;
	return wsi_room(ws, t, len);
}

/* Time */

int64_t wsi_now_us(const struct ws_conn *ws)
{
	if (ws->mem.now_us)
		return ws->mem.now_us(ws->mem.user_data);
	return wsi_clock_us();
}

int64_t wsi_after_ms(int64_t from_us, int ms)
{
	if (ms < 0)
		return WSI_NEVER;
	return from_us + (int64_t)ms * 1000;
}

#ifdef WS_WITH_MBEDTLS
int64_t wsi_files_until(const struct ws_conn *ws)
{
	int64_t until = wsi_earlier(ws->deadline, ws->connect_deadline);

	if (until == WSI_NEVER)
		return WSI_NEVER;
	return wsi_clock_us() + (until - wsi_now_us(ws));
}
#endif

bool wsi_late(const struct ws_conn *ws)
{
	int64_t now = wsi_now_us(ws);

	return now >= ws->deadline || now >= ws->connect_deadline;
}

void wsi_enter(struct ws_conn *ws, enum ws_phase phase)
{
	int64_t now, *spent;

	if (ws->info.phase == phase)
		return;
	now = wsi_now_us(ws);
	if (ws->info.phase < WS_PHASES_TIMED) {
		spent = &ws->info.phase_us[ws->info.phase];
		if (*spent < 0)
			*spent = 0;
		*spent += now - ws->phase_start; /* a redirect enters a phase again */
	}
	ws->phase_start = now;
	ws->info.phase = phase;
}

/* Sentences */

struct wsi_text *wsi_sentence(struct ws_conn *ws)
{
	struct wsi_text *t = &ws->sentence;

	wsi_text_init(&ws->nowhere, ws->nothing, sizeof ws->nothing);
	if (ws->err)
		return &ws->nowhere;
	wsi_release(ws, t);
	if (!wsi_resize(ws, t, 2 * WSI_SENTENCE_MAX + ws->url.len))
		return &ws->nowhere;
	return t;
}

static void put_redirects(struct wsi_text *t, const struct ws_conn *ws)
{
	if (!ws->op || ws->op->chain.len == 0)
		return;
	wsi_put(t, " (redirected: ");
	wsi_put(t, ws->op->chain.p);
	wsi_put(t, ws->info.url);
	wsi_put(t, ")");
}

void wsi_end_opening(struct ws_conn *ws)
{
	struct wsi_opening *op = ws->op;

	if (!op)
		return;
	wsi_net_end(&op->net);
	wsi_release(ws, &op->hop_url);
	wsi_release(ws, &op->chain);
	if (op->cause.p != op->cause_small)
		wsi_release(ws, &op->cause);
	wsi_grow(ws, op, op->size, 0);
	ws->op = NULL;
}

/* The sentence if there is no memory for the full one. */
static const char *fail_shortly(int err)
{
	switch (err) {
	case WS_EMEMORY:
		return "out of memory";
	case WS_ETIMEOUT:
		return "timed out";
	case WS_EUSAGE:
		return "a wrong option, a wrong argument, or a call at the wrong time";
	case WS_EURL:
		return "the URL is invalid";
	case WS_EUNSUPPORTED:
		return "the URL needs a part that was not built in, such as TLS";
	case WS_EENTROPY:
		return "no random bytes available";
	case WS_ERESOLVE:
		return "the host has no address";
	case WS_EREFUSED:
		return "connection refused";
	case WS_EUNREACHABLE:
		return "the host cannot be reached";
	case WS_EPROXY:
		return "the proxy refused";
	case WS_ETLS:
		return "TLS failed";
	case WS_ECERT:
		return "the server's certificate was rejected";
	case WS_EHTTP:
		return "the server refused the upgrade";
	case WS_EREDIRECT:
		return "a redirect that cannot be followed";
	case WS_EHANDSHAKE:
		return "the response to the upgrade is not valid";
	case WS_EPROTOCOL:
		return "the peer violated the protocol";
	case WS_EUTF8:
		return "text that is not UTF-8";
	case WS_ETOOBIG:
		return "a message over max_message";
	case WS_ECLOSED:
		return "the connection was closed";
	case WS_ERESET:
		return "connection reset";
	default:
		return "input/output error";
	}
}

int wsi_fail(struct ws_conn *ws, int err)
{
	struct wsi_text *t = &ws->sentence;

	if (ws->err)
		return ws->err;
	ws->why = fail_shortly(err);
	if (t->p && err != WS_EMEMORY) {
		put_redirects(t, ws);
		wsi_resize(ws, t, 0);
		ws->why = t->p;
	}
	if (ws->opened && (err == WS_EUSAGE || err == WS_ETIMEOUT))
		return err; /* the connection goes on */
	ws->err = ws->refusal = ws->info.err = err;
	ws->state = WSI_OVER;
	ws->quick = false;
	ws->change++;
	wsi_end_opening(ws);
	return err;
}

int wsi_fail_text(struct ws_conn *ws, int err, const char *text)
{
	wsi_put(wsi_sentence(ws), text);
	return wsi_fail(ws, err);
}

int wsi_no_memory(struct ws_conn *ws)
{
	return wsi_fail(ws, WS_EMEMORY);
}

struct wsi_text *wsi_cause(struct ws_conn *ws)
{
	struct wsi_opening *op = ws->op;

	if (op->cause.p == op->cause_small)
		memset(&op->cause, 0, sizeof op->cause);
	op->cause.len = 0;
	op->cause.cut = 0;
	if (!wsi_resize(ws, &op->cause, WSI_SENTENCE_MAX))
		wsi_text_init(&op->cause, op->cause_small, sizeof op->cause_small);
	return &op->cause;
}

void wsi_put_peer(struct wsi_text *t, const struct ws_conn *ws)
{
	if (ws->proxied) {
		wsi_put(t, ws->info.url);
		wsi_put(t, " through ");
	}
	wsi_put(t, *ws->info.address ? ws->info.address : ws->info.url);
}

void wsi_put_doing(struct wsi_text *t, const struct ws_conn *ws)
{
	static const char *const doing[] = {
	    [WS_PHASE_PROXY] = "proxy for ",    [WS_PHASE_TLS] = "TLS handshake with ",
	    [WS_PHASE_UPGRADE] = "upgrade at ", [WS_PHASE_READY] = "receive from ",
	    [WS_PHASE_CLOSING] = "close of ",
	};
	unsigned phase = ws->info.phase;

	if (phase < sizeof doing / sizeof *doing && doing[phase])
		wsi_put(t, doing[phase]);
	wsi_put_peer(t, ws);
}

void wsi_put_elapsed(struct wsi_text *t, const struct ws_conn *ws)
{
	wsi_put_ms(t, wsi_now_us(ws) - ws->start);
	if (ws->deadline > ws->connect_deadline)
		wsi_put(t, " (the connect timeout)");
}

/* Random bytes */

int wsi_entropy_of(void *ctx, void *buf, size_t len)
{
	const struct ws_conn *ws = ctx;

	if (ws->mem.entropy)
		return ws->mem.entropy(ws->mem.user_data, buf, len);
	return wsi_entropy(buf, len);
}

int wsi_random(struct ws_conn *ws, unsigned char *out, unsigned len)
{
	if (ws->pool_left < len) {
		int r = wsi_entropy_of(ws, ws->pool, sizeof ws->pool);

		ws->entropy_waits = r > 0;
		if (r > 0)
			return WS_AGAIN;
		if (r < 0)
			return wsi_fail_text(ws, WS_EENTROPY,
			                     "no random bytes available for the key and the masks");
		ws->pool_left = sizeof ws->pool;
	}
	ws->pool_left -= len;
	memcpy(out, ws->pool + ws->pool_left, len);
	return 0;
}

/* Tracing */

void wsi_trace(const struct ws_conn *ws, int sent, int type, const void *p, size_t len)
{
	if (ws->mem.trace && len > 0)
		ws->mem.trace(ws->mem.user_data, sent, type, p, len);
}
