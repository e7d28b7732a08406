/* SPDX-License-Identifier: ISC
 * transport.c - waits for the transport of a connection, moves bytes over it, and explains its
 * failures
 */
#include "ws_conn.h"
#include <string.h>

#define ENTROPY_WAIT_US 20000 /* between two attempts while the system has no random bytes yet */
#define READS_PER_CALL                                                                             \
	64 /* in a call that must not wait: a flood must leave time for the program's other work */

/* Waiting */

void ws_wants(const struct ws_conn *ws, struct ws_pollset *set)
{
	int64_t now = wsi_now_us(ws), until = wsi_earlier(ws->deadline, ws->connect_deadline);

	memset(set, 0, sizeof *set);
	set->change = ws->change;
	set->fd[0].fd = ws->fd; /* polled only if n is 1; -1: the program's own transport */
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

/* Puts what the transport says about its failure, or these words if it says nothing. */
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

	if (wsi_canceled(ws))
		return WS_ECANCELED;
	ws_wants(ws, &set);
	if (ws->own_io)
		r = ws->raw.io_wait(ws->raw.io, set.fd[0].events, set.timeout_ms);
	else
		r = wsi_poll(&set, ws->wake[0]);
	if (r >= 0)
		return wsi_canceled(ws) ? WS_ECANCELED : 0;
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
	if (!wsi_must_not_wait(ws) && !wsi_canceled(ws))
		return false;
	return ++ws->reads > READS_PER_CALL;
}

#ifdef WS_WITH_MBEDTLS
/* True if TLS holds bytes that poll cannot know of, or may hold them because it stopped at its
 * limit of reads. */
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
	n = ws->io->io_read(ws->io->io, ws->rbuf + ws->rend, wsi_read_size(ws));
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
		if (ws->write_blocked) /* it was full, so the peer has read something */
			wsi_heard(ws);
		ws->write_blocked = false;
	}
	return 0;
}

/* Puts why the transport failed. Returns the enum ws_err. */
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
	/* The peer ended the stream without reading all that we sent: to the user this is a
	 * reset. */
	if (word == WS_IO_EOF && ws->write_error)
		word = WS_IO_RESET;
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
