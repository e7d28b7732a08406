/* SPDX-License-Identifier: ISC
 * send.c - frames on their way out (RFC 6455 section 5)
 *
 * A frame is masked into sbuf as far as it fits and written from there. The part of its payload
 * that does not fit (tx_left bytes) stays with the caller, who must pass it again. Until then no
 * other frame can begin, so a pong or our close frame waits.
 */
#include "ws_conn.h"
#include <string.h>

/* Shows trace a frame of ours as it begins: its header without the mask, and as much of its payload
 * as fits. */
static void trace_sent(const struct ws_conn *ws, const unsigned char *head, size_t head_len,
                       const void *p, size_t len)
{
	unsigned char buf[WSI_TRACE_MAX];

	head_len -= WSI_KEY_LEN;
	memcpy(buf, head, head_len);
	buf[1] &= 0x7f; /* no mask bit */
	if (len > sizeof buf - head_len)
		len = sizeof buf - head_len;
	if (len > 0)
		memcpy(buf + head_len, p, len);
	wsi_trace(ws, 1, WS_TRACE_FRAME, buf, head_len + len);
}

/* Masks as much of the payload as sbuf has room for. Returns the bytes taken: a multiple of the
 * key's length except at the end, so that each piece begins with the key's first byte. */
static size_t put_payload(struct ws_conn *ws, const void *p)
{
	size_t n = (ws->scap - ws->send_len) / WSI_KEY_LEN * WSI_KEY_LEN;

	if (n > ws->tx_left)
		n = ws->tx_left;
	wsi_mask(ws->sbuf + ws->send_len, p, n, ws->tx_key);
	ws->send_len += n;
	ws->unsent += n;
	ws->tx_left -= n;
	ws->tx_active = ws->tx_left > 0;
	return n;
}

/* The one place where frames begin; none may be under way. Each has a masking key of its own (RFC
 * 6455 5.3). Returns how many bytes of the payload are now in sbuf, which for a control frame is
 * all of them; WS_AGAIN: no room; or WS_EENTROPY. */
static ptrdiff_t begin_frame(struct ws_conn *ws, unsigned char first_byte, const void *p,
                             size_t len)
{
	size_t least = len < WSI_CONTROL_MAX ? len : WSI_CONTROL_MAX, n;
	int r;

	if (ws->scap - ws->send_len < WSI_FRAME_HEAD_MAX + least)
		return WS_AGAIN;
	r = wsi_random(ws, ws->tx_key, WSI_KEY_LEN);
	if (r)
		return r;
	n = wsi_frame_encode(ws->sbuf + ws->send_len, first_byte, len, ws->tx_key);
	if (ws->mem.trace)
		trace_sent(ws, ws->sbuf + ws->send_len, n, p, len);
	ws->send_len += n;
	ws->unsent += n;
	ws->tx_len = ws->tx_left = len;
	return (ptrdiff_t)put_payload(ws, p);
}

/* The control frame that goes out next. False: none waits. */
static bool next_control(const struct ws_conn *ws, struct wsi_control *c)
{
	size_t len;

	if (ws->pong_waits) { /* RFC 6455 5.5.2: the pong goes first */
		*c = ws->pong;
		return true;
	}
	if (ws->ping_waits && !ws->close_sent) {
		wsi_make_ping(c);
		return true;
	}
	if (!ws->close_waits)
		return false;
	c->opcode = WSI_CLOSE;
	c->len = 0;
	if (ws->close_code == 0)
		return true;
	c->data[0] = (unsigned char)(ws->close_code >> 8);
	c->data[1] = (unsigned char)ws->close_code;
	c->len = 2;
	if (ws->peer_closed)
		return true;
	len = strlen(ws->close_reason);
	memcpy(c->data + 2, ws->close_reason, len);
	c->len = (unsigned char)(2 + len);
	return true;
}

int wsi_flush(struct ws_conn *ws)
{
	struct wsi_control control;
	ptrdiff_t r;

	while (!ws->write_error) {
		r = wsi_write_out(ws, ws->sbuf, &ws->send_len);
		if (ws->unsent > ws->send_len)
			ws->unsent = ws->send_len;
		if (r == WS_AGAIN)
			return WS_AGAIN;
		if (r < 0) {
			ws->write_error = r;
			break;
		}
		if (ws->tx_active)
			return 0;
		wsi_shrink_sbuf(ws);
		if (!next_control(ws, &control))
			return 0;
		r = begin_frame(ws, WSI_FIN | control.opcode, control.data, control.len);
		if (r == WS_AGAIN)
			return WS_AGAIN;
		if (control.opcode == WSI_PONG)
			ws->pong_waits = false;
		else if (control.opcode == WSI_PING)
			wsi_ping_sent(ws);
		else
			ws->close_waits = false;
		ws->unsent = 0; /* not the program's frame */
		if (r < 0)
			return (int)r;
	}
	ws->send_len = 0;
	ws->tx_active = false;
	return WS_ERESET;
}

void wsi_send_close(struct ws_conn *ws, unsigned code, const char *reason)
{
	if (!ws->close_sent) {
		ws->close_sent = true;
		ws->close_waits = true;
		ws->close_code = code;
		if (!ws->peer_closed)
			memcpy(ws->close_reason, reason, strlen(reason) + 1);
	}
	wsi_flush(ws);
}

int wsi_misuse(struct ws_conn *ws, const char *what)
{
	return wsi_fail_text(ws, WS_EUSAGE, what);
}

bool wsi_is_text(uint32_t *utf8, const void *p, size_t len, bool more)
{
	return wsi_utf8_check(utf8, p, len) == len && (more || *utf8 == 0);
}

/* Writing failed. The first call returns WS_AGAIN to send the caller to ws_recv, where a close
 * frame may be waiting; the second returns the error. */
static int cannot_write(struct ws_conn *ws)
{
	if (ws->write_error_told)
		return wsi_receive_failed(ws, ws->write_error);
	ws->write_error_told = true;
	ws->quick = false; /* only the slow path of ws_recv clears write_error_told */
	return WS_AGAIN;
}

static int send_timed_out(struct ws_conn *ws)
{
	struct wsi_text *t = wsi_sentence(ws);

	wsi_put(t, "send to ");
	wsi_put_peer(t, ws);
	wsi_put(t, " timed out: the peer did not take the message within ");
	wsi_put_elapsed(t, ws);
	wsi_fail(ws, WS_ETIMEOUT);
	return WS_ETIMEOUT;
}

/* Sends the caller to ws_recv. Without nonblock, ws_errmsg says why. */
static int read_first(struct ws_conn *ws)
{
	if (!ws->nonblock && !ws->err)
		ws->why = "send: the peer has sent something that must be received first, so not "
		          "all was taken: call ws_recv, then ws_send with the rest, or use "
		          "ws_send_all";
	return WS_AGAIN;
}

/* Waits until the peer takes more. 0: try again; WS_AGAIN: this call must not wait, or ws_recv must
 * be called first; or an error. */
static int wait_to_send(struct ws_conn *ws)
{
	int r;

	if (wsi_late(ws))
		return send_timed_out(ws);
	if (ws->nonblock || ws->err || ws->rend == ws->rcap)
		return read_first(ws);
	r = wsi_read_more(ws);
	if (r != WS_AGAIN) { /* bytes, or the end, which ws_recv will report */
		ws->read_ended = r != 0;
		return read_first(ws);
	}
	r = wsi_keepalive(ws);
	if (r == 0) {
		/* data may be a message in rbuf, so rbuf cannot shrink now: do not wake up for that */
		ws->shrink_waits = false;
		r = wsi_await(ws);
	}
	ws->need_input = false; /* rbuf may hold what ws_recv has not seen */
	if (r == WS_ECANCELED && !ws->err)
		ws->why = "send: the call was canceled (ws_cancel), so not all was taken: call "
		          "ws_send with the rest";
	return r;
}

/* Moves payload into sbuf: of the frame under way, else of a new one. Bytes taken; WS_AGAIN: none
 * now; or an error. */
static ptrdiff_t take_payload(struct ws_conn *ws, unsigned char first_byte, const void *p,
                              size_t len, int flushed)
{
	if (ws->tx_active) {
		if (flushed != 0 || wsi_late(ws))
			return WS_AGAIN;
		return (ptrdiff_t)put_payload(ws, p);
	}
	if (ws->pong_waits) /* it goes before a new frame */
		return WS_AGAIN;
	if (len > ws->scap - WSI_FRAME_HEAD_MAX)
		wsi_grow_sbuf(ws);
	return begin_frame(ws, first_byte, p, len);
}

/* Puts a whole frame after those that wait in sbuf, without writing. Bytes taken; WS_AGAIN: it does
 * not fit, or something else must go out before it; or an error. */
static ptrdiff_t hold_frame(struct ws_conn *ws, unsigned char first_byte, const void *data,
                            size_t len)
{
	if (ws->tx_active || ws->pong_waits || ws->write_error)
		return WS_AGAIN;
	if (len > ws->scap || ws->scap - ws->send_len < WSI_FRAME_HEAD_MAX + len)
		return WS_AGAIN;
	ws->refused = false;
	return begin_frame(ws, first_byte, data, len);
}

ptrdiff_t wsi_send_frame(struct ws_conn *ws, unsigned char first_byte, const void *data, size_t len)
{
	const unsigned char *p = data;
	bool is_control = first_byte & WSI_CONTROL_BIT;
	bool begun = false; /* this call has put something into sbuf, if only the header */
	bool all_taken;
	size_t taken = 0;
	ptrdiff_t n = WS_AGAIN;
	int flushed;

	ws->refused = true;
	if (ws->unsent > 0) { /* frames that were held share the write */
		n = hold_frame(ws, first_byte, p, len);
		if (n < 0 && n != WS_AGAIN)
			return n;
	}
	if (n >= 0) {
		begun = true;
		taken = (size_t)n;
	}
	for (;;) {
		flushed = wsi_flush(ws);
		all_taken = begun && !ws->tx_active;
		if (all_taken && (flushed == 0 || is_control))
			return (ptrdiff_t)taken;
		if (flushed == WS_ERESET) /* what was taken is lost */
			return cannot_write(ws);
		n = WS_AGAIN;
		if (!all_taken)
			n = take_payload(ws, first_byte, p, len, flushed);
		if (n >= 0) {
			begun = true;
			ws->refused = false;
			if (n > 0) { /* p may be NULL when there is nothing to take */
				p += n;
				taken += (size_t)n;
			}
			continue;
		}
		/* The rest waits for the peer. So does a data frame that is all taken, to be
		 * written before we return. */
		if (n == WS_AGAIN)
			n = wait_to_send(ws);
		if (n != 0 && begun)
			return (ptrdiff_t)taken;
		if (n != 0)
			return wsi_told(ws, (int)n);
	}
}

/* What is wrong with the arguments of ws_send, or NULL. */
static const char *check_send(const struct ws_conn *ws, int type, size_t len)
{
	int opcode = type & ~WS_MORE;

	if (ws->close_sent)
		return "ws_send: nothing can be sent after ws_shutdown";
	if (ws->tx_active) {
		if (len != ws->tx_left || type != ws->tx_type)
			return "ws_send: type and length must be those of the rest of the message "
			       "under way";
		return NULL;
	}
	if (opcode != WS_TEXT && opcode != WS_BINARY)
		return "ws_send: invalid type";
	if (len > PTRDIFF_MAX)
		return "ws_send: invalid length";
	if ((ws->tx_type & WS_MORE) && opcode != (ws->tx_type & ~WS_MORE))
		return "ws_send: the type differs from that of the message under way";
	return NULL;
}

ptrdiff_t ws_send(struct ws_conn *ws, int type, const void *data, size_t len)
{
	const bool hold = type & WS_HOLD, more = type & WS_MORE;
	const int opcode = type & ~(WS_MORE | WS_HOLD);
	unsigned char first_byte;
	uint32_t utf8 = ws->tx_utf8;
	const char *wrong;
	ptrdiff_t n;

	if (ws->state != WSI_OPEN)
		return ws->refusal;
	type &= ~WS_HOLD;
	wrong = check_send(ws, type, len);
	if (wrong)
		return wsi_misuse(ws, wrong);
	/* Not when writing has failed: this may be the rest of a frame, and begin in the middle of
	 * a character. */
	if (ws->check_utf8 && opcode == WS_TEXT && !ws->tx_active && !ws->write_error
	    && !wsi_is_text(&utf8, data, len, more))
		return wsi_misuse(ws, "ws_send: the text is not UTF-8");

	first_byte = (unsigned char)opcode;
	if (ws->tx_type & WS_MORE) /* RFC 6455 5.4: a later fragment */
		first_byte = WSI_CONT;
	if (!more)
		first_byte |= WSI_FIN;
	n = WS_AGAIN;
	if (hold)
		n = hold_frame(ws, first_byte, data, len);
	if (hold && n == WS_AGAIN) { /* make room by writing the frames that wait already */
		wsi_flush(ws);
		n = hold_frame(ws, first_byte, data, len);
	}
	if (n == WS_AGAIN)
		n = wsi_send_frame(ws, first_byte, data, len);
	if (n >= 0) {
		ws->tx_type = type;
		ws->tx_utf8 = utf8;
	}
	return n;
}

/* ws_send has not taken all, because something has come in. Keeps that in rbuf, unread, to go on
 * sending. False: ws_recv must be called first. */
static bool keep_input(struct ws_conn *ws, bool data_in_rbuf)
{
	if (ws->write_error || ws->read_ended)
		return false;
	if (ws->rend < ws->rcap)
		return true;
	/* A message that is sent back must not be overwritten, but may move as a whole. */
	return data_in_rbuf ? wsi_grow_rbuf(ws) : wsi_make_room(ws);
}

int ws_send_all(struct ws_conn *ws, int type, const void *data, size_t len)
{
	const unsigned char *p = data;
	uintptr_t at = (uintptr_t)p - (uintptr_t)ws->rbuf;
	const bool in_rbuf = len > 0 && at < ws->rcap;
	size_t taken = 0;
	ptrdiff_t n;

	if (ws->state != WSI_OPEN)
		return ws->refusal;
	if (ws->nonblock)
		return wsi_misuse(ws, "ws_send_all: it waits, so it needs a connection without "
		                      "nonblock");
	if (ws->tx_active && len == ws->tx_len) /* the same call, made again */
		taken = len - ws->tx_left;
	for (;;) {
		n = ws_send(ws, type, len > 0 ? p + taken : p, len - taken);
		if (n >= 0)
			taken += (size_t)n;
		if (n >= 0 && !ws->tx_active)
			break;
		if (n < 0 && n != WS_AGAIN)
			return (int)n;
		if (!keep_input(ws, in_rbuf))
			return WS_AGAIN;
		if (in_rbuf)
			p = ws->rbuf + at;
	}
	ws->why = ""; /* ws_send may have said why it took only a part */
	return 0;
}

size_t ws_unsent(const struct ws_conn *ws)
{
	return ws->unsent;
}

int ws_ping(struct ws_conn *ws, const void *data, size_t len)
{
	ptrdiff_t n;

	if (ws->state != WSI_OPEN)
		return ws->refusal;
	if (len > WSI_CONTROL_MAX)
		return wsi_misuse(ws, "ws_ping: over 125 bytes");
	if (ws->close_sent)
		return wsi_misuse(ws, "ws_ping: nothing can be sent after ws_shutdown");
	if (ws->tx_active)
		return WS_AGAIN;
	n = wsi_send_frame(ws, WSI_FIN | WSI_PING, data, len);
	if (n < 0)
		return (int)n;
	ws->pinged = true;
	return 0;
}
