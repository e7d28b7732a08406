/* SPDX-License-Identifier: ISC
 * conn.c - what every part of a connection needs: memory, time, sentences, random bytes, waiting,
 * moving bytes
 */
#include "ws_conn.h"
#include <limits.h>
#include <string.h>

#define ENTROPY_WAIT_US 20000 /* between two looks while the system has no random bytes yet */
#define READS_PER_CALL                                                                             \
	64 /* in a call that must not wait: a flood must leave the program's other work some time */

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

	if (cap != t->cap) {
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

int64_t wsi_earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
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

/* What stands in place of a sentence that memory has no room for. */
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

/* Waiting */

void ws_wants(const struct ws_conn *ws, struct ws_pollset *set)
{
	int64_t now = wsi_now_us(ws), until = wsi_earlier(ws->deadline, ws->connect_deadline);

	memset(set, 0, sizeof *set);
	set->change = ws->change;
	set->fd[0].fd = ws->fd; /* it counts once n is 1; -1 with a transport of the program's */
	if (ws->op && (ws->step == WSI_STEP_TARGET || ws->step == WSI_STEP_NET)) {
		until = wsi_earlier(until, wsi_net_wants(&ws->op->net, set));
	} else if (ws->entropy_waits) {
		until = wsi_earlier(until, now + ENTROPY_WAIT_US);
	} else if (ws->state != WSI_OVER || ws->linger || ws->send_len) {
		set->n = ws->step != WSI_STEP_START; /* before that there is no descriptor */
		set->fd[0].events = ws->read_waits;
		if (ws->send_len || (ws->tx_active && ws->state == WSI_OPEN))
			set->fd[0].events |= ws->write_waits;
		if (!ws->need_input)
			until = now;
		until = wsi_earlier(until, wsi_keepalive_due(ws));
		if (ws->state == WSI_OPEN)
			until = wsi_earlier(until, wsi_shrink_due(ws));
	}
	until = wsi_earlier(until, ws->wait_until);
	set->timeout_ms = wsi_ms_until(now, until);
}

/* What a transport says of its failure, else these words. */
static void put_io_words(struct wsi_text *t, const struct ws_io *io, const char *words)
{
	const char *own = io->io_error ? io->io_error(io->io) : NULL;

	if (own && *own)
		wsi_put_safe(t, own, strlen(own));
	else
		wsi_put(t, words);
}

int wsi_await(struct ws_conn *ws)
{
	struct ws_pollset set;
	struct wsi_text *t;
	int r;

	ws_wants(ws, &set);
	if (ws->own_io)
		r = ws->raw.io_wait(ws->raw.io, set.fd[0].events, set.timeout_ms);
	else
		r = wsi_poll(&set);
	if (r >= 0)
		return 0;
	t = wsi_sentence(ws);
	wsi_put(t, "waiting for ");
	wsi_put_peer(t, ws);
	wsi_put(t, ": ");
	put_io_words(t, &ws->raw, "it failed");
	return wsi_fail(ws, WS_EIO);
}

/* Moving bytes */

bool wsi_must_not_wait(const struct ws_conn *ws)
{
	if (ws->nonblock)
		return true;
	return ws->wait_until != WSI_NEVER && wsi_now_us(ws) >= ws->wait_until;
}

bool wsi_read_enough(struct ws_conn *ws)
{
	ws->need_input = false;
	return wsi_must_not_wait(ws) && ++ws->reads > READS_PER_CALL;
}

#ifdef WS_WITH_MBEDTLS
/* TLS holds bytes that poll knows nothing of, or may hold them: it has stopped at its limit of
 * reads. */
static bool tls_has_input(const struct ws_conn *ws)
{
	if (ws->tls_reads >= WSI_TLS_READS)
		return true;
	return ws->io->io_read == wsi_tls_read && wsi_tls_pending(ws->tls) > 0;
}
#endif

bool wsi_blocked(struct ws_conn *ws, ptrdiff_t word, int *waits)
{
	if (word != WS_IO_READ && word != WS_IO_WRITE)
		return false;
	if (ws->op) /* opening does one thing at a time */
		waits = &ws->read_waits;
	*waits = word == WS_IO_READ ? WS_POLL_READ : WS_POLL_WRITE;
	if (waits == &ws->read_waits) /* a write that is blocked says nothing about what was read */
		ws->need_input = true;
#ifdef WS_WITH_MBEDTLS
	if (tls_has_input(ws))
		ws->need_input = false;
#endif
	return true;
}

int wsi_read_more(struct ws_conn *ws)
{
	ptrdiff_t n;

	ws->need_input = false;
#ifdef WS_WITH_MBEDTLS
	ws->tls_reads = 0;
#endif
	n = ws->io->io_read(ws->io->io, ws->rbuf + ws->rend, ws->rcap - ws->rend);
	if (n > 0) {
		ws->rend += (size_t)n;
		ws->info.bytes_received += (size_t)n;
		wsi_heard(ws);
		ws->info.last_received_us = ws->quiet_since;
		return 0;
	}
	if (wsi_blocked(ws, n, &ws->read_waits))
		return WS_AGAIN;
	return n == 0 ? WS_IO_ERROR : (int)n;
}

int wsi_write_out(struct ws_conn *ws, void *p, size_t *len)
{
	unsigned char *at = p;
	ptrdiff_t n;

	while (*len > 0) {
		n = ws->io->io_write(ws->io->io, at, *len);
		if (n <= 0) {
			memmove(p, at, *len); /* once, however small the pieces are */
			ws->write_blocked = true;
			if (wsi_blocked(ws, n, &ws->write_waits))
				return WS_AGAIN;
			return n == 0 ? WS_IO_ERROR : (int)n;
		}
		at += n;
		*len -= (size_t)n;
		ws->info.bytes_sent += (size_t)n;
		if (ws->write_blocked) /* so the peer has taken some of what was full */
			wsi_heard(ws);
		ws->write_blocked = false;
	}
	return 0;
}

/* Tells why the transport failed. Returns the error of ws.h. */
static int put_io_failure(struct wsi_text *t, const struct ws_io *io, ptrdiff_t word)
{
	switch (word) {
	case WS_IO_EOF:
		wsi_put(t, "the connection was closed");
		return WS_ECLOSED;
	case WS_IO_RESET:
		put_io_words(t, io, "connection reset");
		return WS_ERESET;
	case WS_IO_TLS:
		put_io_words(t, io, "TLS failed");
		return WS_ETLS;
	case WS_IO_CERT:
		put_io_words(t, io, "the server's certificate was rejected");
		return WS_ECERT;
	default:
		put_io_words(t, io, "input/output error");
		return WS_EIO;
	}
}

int wsi_io_failed(struct ws_conn *ws, ptrdiff_t word, const char *detail)
{
	struct wsi_text *t = wsi_sentence(ws);
	int err;

	wsi_put_doing(t, ws);
	wsi_put(t, ": ");
#ifdef WS_WITH_MBEDTLS
	if (word == WS_IO_ERROR && ws->tls)
		return wsi_fail(ws, wsi_tls_why(ws->tls, t));
#endif
	err = put_io_failure(t, ws->io, word);
	wsi_put(t, detail);
	return wsi_fail(ws, err);
}

int wsi_receive_failed(struct ws_conn *ws, ptrdiff_t word)
{
	bool within = ws->frame.head || ws->message_type || ws->rend > ws->rpos;

	if (!ws->err)
		ws->info.close_code = 1006; /* RFC 6455 7.1.5 */
	return wsi_io_failed(
	    ws, word, within ? " in the middle of a message" : " without a close frame (1006)");
}

void wsi_close_transport(struct ws_conn *ws)
{
#ifdef WS_WITH_MBEDTLS
	wsi_tls_free(ws->tls);
	ws->tls = NULL;
	ws->info.tls_version = ws->info.tls_cipher = ws->info.cert_subject = ws->info.cert_issuer =
	    "";
	ws->info.cert_not_after = 0;
	ws->info.tls_verified = 0;
	wsi_release(ws, &ws->tls_early);
#endif
	if (ws->own_tls && ws->io->io_close)
		ws->io->io_close(ws->io->io);
	ws->own_tls = false;
	if (ws->io != &ws->raw)
		wsi_grow(ws, ws->io, sizeof *ws->io, 0);
	ws->io = &ws->raw;
	if (ws->fd >= 0 && ws->on_close)
		ws->on_close(ws->mem.user_data, ws->fd);
	if (ws->raw.io_close)
		ws->raw.io_close(ws->raw.io);
	wsi_release(ws, &ws->address);
	ws->info.address = "";
	ws->proxied = false;
	ws->change++;
	ws->rpos = ws->rend = 0;
}

void wsi_trace(const struct ws_conn *ws, int sent, int type, const void *p, size_t len)
{
	if (ws->mem.trace && len > 0)
		ws->mem.trace(ws->mem.user_data, sent, type, p, len);
}
