/* SPDX-License-Identifier: ISC
 * recv.c - frames on their way in (RFC 6455 section 5), and closing (section 7)
 *
 * rbuf holds, from left to right: bytes already handed out, the message under way, bytes of headers
 * and control frames already handled, unread bytes, free room:
 *
 *	0 ... message_pos [message] message_pos + message_len ... rpos [unread] rend ... rcap
 *
 * The functions below return GO_ON (0) when the next frame can be looked at, HANDED_OUT when *msg
 * is complete, or < 0, which the call returns.
 */
#include "ws_conn.h"
#include <string.h>

enum { GO_ON = 0, HANDED_OUT = 1 };

/* Sentences */

static int receive_timed_out(struct ws_conn *ws)
{
	struct wsi_text *t = wsi_sentence(ws);

	wsi_put(t, ws->state == WSI_CLOSING ? "close of " : "receive from ");
	wsi_put_peer(t, ws);
	wsi_put(t, " timed out after ");
	wsi_put_elapsed(t, ws);
	if (ws->state == WSI_CLOSING)
		wsi_put(t, ": no close frame came");
	else if (ws->frame.head || ws->message_type)
		wsi_put(t, ": the message is still incomplete");
	else if (ws->info.pings_received > 0)
		wsi_put(t, ": no message came");
	else
		wsi_put(t, ": nothing came");
	wsi_fail(ws, WS_ETIMEOUT);
	return WS_ETIMEOUT; /* in ws_close also after another error */
}

/* The close code for an error that is the peer's fault (RFC 6455 7.4.1). *shown: its form in the
 * sentence. */
static unsigned violation_code(int err, const char **shown)
{
	switch (err) {
	case WS_EPROTOCOL:
		*shown = "1002, protocol error";
		return 1002;
	case WS_EUTF8:
		*shown = "1007";
		return 1007;
	default:
		*shown = "1009";
		return 1009;
	}
}

/* Fails because the peer broke the rules, or sent more than we accept. what also becomes the reason
 * of our close frame, so it must fit there. That frame is sent now or, if that is impossible, in
 * ws_close. */
static int violate(struct ws_conn *ws, int err, const char *what)
{
	const bool told = ws->close_sent; /* then no second close frame is sent */
	const char *shown;
	unsigned code = violation_code(err, &shown);
	struct wsi_text *t;

	wsi_send_close(ws, code, what);
	ws->linger = true;
	t = wsi_sentence(ws);
	wsi_put(t, "receive from ");
	wsi_put_peer(t, ws);
	wsi_put(t, ": ");
	wsi_put(t, what);
	if (!told) {
		wsi_put(t, " (closed with ");
		wsi_put(t, shown);
		wsi_put(t, ")");
	}
	return wsi_fail(ws, err);
}

/* Waiting for bytes */

/* The one place where receiving and closing wait. Writes what is to be sent, and appends what comes
 * to rbuf. 0: look at rbuf again; else the result of the call. */
static int wait_for_input(struct ws_conn *ws)
{
	int flushed, r;

	if (wsi_late(ws))
		return receive_timed_out(ws);
	if (wsi_read_enough(ws))
		return WS_AGAIN;
	flushed = wsi_flush(ws);
	if (flushed == WS_EENTROPY)
		return flushed;
	r = wsi_read_more(ws);
	if (r == 0)
		return 0;
	if (r != WS_AGAIN)
		return wsi_receive_failed(ws, r);
	if (flushed == WS_ERESET) /* all that the peer said before is read */
		return wsi_receive_failed(ws, ws->write_error);
	if (flushed == 0 && ws->state == WSI_OVER && !ws->linger)
		return 0; /* ws_close waits no longer once all is written */
	r = wsi_keepalive(ws);
	if (r)
		return r;
	if (ws->ping_waits) {
		flushed = wsi_flush(ws);
		if (flushed == WS_EENTROPY)
			return flushed;
	}
	if (wsi_must_not_wait(ws))
		return WS_AGAIN;
	if (flushed == 0 && ws->state == WSI_OPEN && (ws->tx_active || ws->refused)) {
		ws->refused = false;
		ws->why = "receive: no message yet, and the peer takes more now: call ws_send "
		          "with the rest";
		return WS_AGAIN;
	}
	return wsi_await(ws);
}

static int need_more(struct ws_conn *ws)
{
	if (!wsi_make_room(ws))
		return violate(ws, WS_EMEMORY, "no memory for the message");
	return wait_for_input(ws);
}

/* Frames */

/* What RFC 6455 forbids of this frame at this place, or NULL. */
static const char *check_order(const struct ws_conn *ws, const struct wsi_frame *f)
{
	int opcode = f->b0 & WSI_OPCODE;

	if (f->b0 & WSI_RSV) /* 5.2: no extension was agreed on */
		return "a reserved bit is set";
	if (opcode & WSI_CONTROL_BIT)
		return NULL;
	/* 5.4 */
	if (opcode == WSI_CONT && !ws->message_type)
		return "a continuation of no message";
	if (opcode != WSI_CONT && ws->message_type)
		return "a new message within a fragmented one";
	return NULL;
}

static int on_header(struct ws_conn *ws)
{
	const unsigned char *p = ws->rbuf + ws->rpos;
	size_t have = ws->rend - ws->rpos, shown;
	struct wsi_frame *f = &ws->frame;
	const char *why = wsi_frame_decode(f, p, have);
	int opcode;

	if (!why && f->head == 0)
		return need_more(ws);
	if (!why)
		why = check_order(ws, f);
	if (why)
		return violate(ws, WS_EPROTOCOL, why);
	opcode = f->b0 & WSI_OPCODE;
	if (opcode == WSI_TEXT || opcode == WSI_BINARY)
		ws->message_type = opcode;
	shown = have < WSI_TRACE_MAX ? have : WSI_TRACE_MAX;
	if (shown > f->head && shown - f->head > f->len)
		shown = f->head + (size_t)f->len;
	wsi_trace(ws, 0, WS_TRACE_FRAME, p, shown);
	ws->rpos += f->head;
	return GO_ON;
}

static int wrong_close_code(struct ws_conn *ws, unsigned code)
{
	char buf[WSI_CONTROL_MAX - 2];
	struct wsi_text t;

	wsi_text_init(&t, buf, sizeof buf);
	wsi_put(&t, "the close code ");
	wsi_put_u(&t, code);
	wsi_put(&t, ", which must not be sent");
	return violate(ws, WS_EPROTOCOL, t.p);
}

static int on_close(struct ws_conn *ws, const unsigned char *p, size_t len)
{
	struct wsi_text *t;
	unsigned code = 0;
	uint32_t utf8 = 0;

	if (len == 1)
		return violate(ws, WS_EPROTOCOL, "a close frame of one byte");
	if (len > 0) {
		code = (unsigned)p[0] << 8 | p[1];
		p += 2;
		len -= 2;
		if (!wsi_close_code_ok(code))
			return wrong_close_code(ws, code);
		if (!wsi_is_text(&utf8, p, len, false))
			return violate(ws, WS_EUTF8, "a close reason that is not UTF-8");
		memcpy(ws->close_reason, p, len);
		ws->close_reason[len] = '\0';
		ws->info.close_reason = ws->close_reason;
		ws->info.close_reason_len = len;
	}
	ws->info.close_code = code ? (int)code : 1005; /* RFC 6455 7.1.5 */
	ws->peer_closed = true;
	wsi_send_close(ws, code, ""); /* 5.5.1: the code is echoed */

	t = wsi_sentence(ws);
	wsi_put(t, "closed by ");
	wsi_put_peer(t, ws);
	wsi_put(t, " with ");
	wsi_put_close_code(t, (unsigned)ws->info.close_code);
	if (len > 0) {
		wsi_put(t, ": ");
		wsi_put_safe(t, (const char *)p, len);
	}
	return wsi_fail(ws, WS_ECLOSED);
}

/* The pong is sent as soon as possible. If several pings wait for theirs, only the last one is
 * answered (RFC 6455 5.5.3).
 *
 * A pong costs a write, and one read can bring thousands of pings. So each ping is also a place to
 * stop. */
static int on_ping(struct ws_conn *ws, const unsigned char *p, size_t len)
{
	struct wsi_control *pong = &ws->pong;

	ws->info.pings_received++;
	if (ws->close_sent)
		return GO_ON;
	memcpy(pong->data, p, len);
	pong->len = (unsigned char)len;
	pong->opcode = WSI_PONG;
	ws->pong_waits = true;
	wsi_flush(ws);
	if (ws->err) /* the random bytes for its mask may have failed */
		return ws->err;
	if (wsi_late(ws))
		return receive_timed_out(ws);
	return wsi_read_enough(ws) ? WS_AGAIN : GO_ON;
}

static int on_control(struct ws_conn *ws, struct ws_msg *msg)
{
	const unsigned char *p = ws->rbuf + ws->rpos;
	size_t len = (size_t)ws->frame.len;

	if (ws->rend - ws->rpos < len)
		return need_more(ws);
	ws->rpos += len;
	ws->frame.head = 0;
	switch (ws->frame.b0 & WSI_OPCODE) {
	case WSI_CLOSE:
		return on_close(ws, p, len);
	case WSI_PING:
		return on_ping(ws, p, len);
	}
	ws->info.pongs_received++;
	/* 5.5.3: a pong nobody asked for is ignored */
	if (!ws->pinged || wsi_answers_keepalive(ws, p, len))
		return GO_ON;
	msg->type = WS_PONG;
	msg->more = 0;
	msg->data = p;
	msg->len = len;
	return HANDED_OUT;
}

/* Moves n unread bytes of payload to the end of the message under way. Returns where they lie now.
 */
static const unsigned char *join(struct ws_conn *ws, size_t n)
{
	unsigned char *end;

	if (ws->message_len == 0)
		ws->message_pos = ws->rpos;
	end = ws->rbuf + ws->message_pos + ws->message_len;
	if (end != ws->rbuf + ws->rpos) /* over a header and control frames */
		memmove(end, ws->rbuf + ws->rpos, n);
	ws->message_len += n;
	ws->rpos += n;
	ws->frame.len -= n;
	if (ws->frame.len == 0)
		ws->frame.head = 0;
	return end;
}

static int on_data(struct ws_conn *ws, struct ws_msg *msg)
{
	size_t n = ws->rend - ws->rpos;
	const unsigned char *piece;
	bool ends;

	if (!ws->stream && ws->frame.len > ws->max_message - ws->message_len)
		return violate(ws, WS_ETOOBIG, "a message over max_message");
	if (n == 0 && ws->frame.len > 0)
		return need_more(ws);
	if (n > ws->frame.len)
		n = (size_t)ws->frame.len;
	piece = join(ws, n);
	ends = ws->frame.head == 0 && (ws->frame.b0 & WSI_FIN);
	if (ws->check_utf8 && ws->message_type == WS_TEXT
	    && !wsi_is_text(&ws->rx_utf8, piece, n, !ends))
		return violate(ws, WS_EUTF8, "text that is not UTF-8");
	if (!ends && (!ws->stream || ws->message_len == 0))
		return GO_ON;
	msg->type = ws->message_type;
	msg->more = !ends;
	msg->data = ws->rbuf + ws->message_pos;
	msg->len = ws->message_len;
	ws->message_len = 0;
	if (ends)
		ws->message_type = 0;
	return HANDED_OUT;
}

int wsi_receive(struct ws_conn *ws, struct ws_msg *msg)
{
	int r;

	do {
		if (ws->mem.trace
		    && wsi_late(
		        ws)) /* the callback may block, once for each frame that lies in rbuf */
			return receive_timed_out(ws);
		if (ws->frame.head == 0)
			r = on_header(ws);
		else if (ws->frame.b0 & WSI_CONTROL_BIT)
			r = on_control(ws, msg);
		else
			r = on_data(ws, msg);
	} while (r == GO_ON);
	return r;
}

static bool is_short_text(const void *p, size_t len)
{
	uint32_t utf8 = 0;

	return wsi_is_ascii(p, len) || wsi_is_text(&utf8, p, len, false);
}

/* The fast path for the common case: a whole unfragmented message of under 126 bytes that lies in
 * the buffer. Text that is not UTF-8 is left to wsi_receive, which reports it. */
static bool receive_quickly(struct ws_conn *ws, struct ws_msg *msg)
{
	const unsigned char *p = ws->rbuf + ws->rpos;
	size_t len;

	if (!ws->quick || ws->rpos + 2 > ws->rend)
		return false;
	if (p[0] != (WSI_FIN | WSI_BINARY) && p[0] != (WSI_FIN | WSI_TEXT))
		return false;
	len = p[1]; /* 126 and more: another form of header, or a mask */
	if (len >= 126 || ws->rpos + 2 + len > ws->rend || len > ws->max_message)
		return false;
	msg->type = p[0] & WSI_OPCODE;
	msg->more = 0;
	msg->data = p + 2;
	msg->len = len;
	if (msg->type == WS_TEXT && ws->check_utf8 && !is_short_text(msg->data, len))
		return false;
	ws->rpos += 2 + len;
	return true;
}

int ws_recv(struct ws_conn *ws, struct ws_msg *msg)
{
	int r;

	if (receive_quickly(ws, msg))
		return 0;
	if (ws->state != WSI_OPEN)
		return ws->refusal;
	wsi_drop_head(ws);
	ws->reads = 0;
	ws->write_error_told = false;
	r = wsi_receive(ws, msg);
	ws->quick = r == HANDED_OUT && ws->message_type == 0 && !ws->mem.trace;
	return r == HANDED_OUT ? 0 : wsi_told(ws, r);
}

int ws_recv_within(struct ws_conn *ws, struct ws_msg *msg, int wait_ms)
{
	int r;

	if (receive_quickly(ws, msg))
		return 0;
	ws->wait_until = wsi_after_ms(wsi_now_us(ws), wait_ms);
	r = ws_recv(ws, msg);
	ws->wait_until = WSI_NEVER;
	return r;
}

/* Closing */

static const char *check_close(int code, const char *reason)
{
	size_t len = strlen(reason);
	uint32_t utf8 = 0;

	if (code == 0)
		return len > 0 ? "close: a reason needs a code" : NULL;
	if (!wsi_close_code_ok((unsigned)code))
		return "close: a code that must not be sent";
	if (len > WSI_CONTROL_MAX - 2)
		return "close: the reason is over 123 bytes";
	if (!wsi_is_text(&utf8, reason, len, false))
		return "close: the reason is not UTF-8";
	return NULL;
}

static int begin_close(struct ws_conn *ws, int code, const char *reason)
{
	const char *wrong = check_close(code, reason);

	if (wrong)
		return wsi_misuse(ws, wrong);
	if (ws->tx_active) /* a close frame cannot begin within another frame: just end here */
		return wsi_fail_text(ws, WS_ECLOSED, "closed in the middle of a frame of ours");
	wsi_enter(ws, WS_PHASE_CLOSING);
	ws->state = WSI_CLOSING;
	ws->quick = false;
	/* What comes before the peer's close frame is discarded in pieces, as it arrives. */
	ws->stream = true;
	ws->check_utf8 = false;
	ws->message_len = 0;
	wsi_send_close(ws, (unsigned)code, reason);
	return 0;
}

int ws_shutdown(struct ws_conn *ws, int code, const char *reason)
{
	const char *wrong;

	if (ws->state != WSI_OPEN)
		return ws->refusal;
	if (!reason)
		reason = "";
	wrong = check_close(code, reason);
	if (!wrong && ws->tx_active)
		wrong = "ws_shutdown: a message of ours is unfinished; send the rest of it first";
	if (wrong)
		return wsi_misuse(ws, wrong);
	wsi_send_close(ws, (unsigned)code, reason);
	return 0;
}

/* True if ws_close has not finished, and may be called again. */
static bool can_be_repeated(int r)
{
	return r == WS_AGAIN || r == WS_ETIMEOUT || r == WS_ECANCELED;
}

/* Once the connection is over, what waits is still written, unless a frame was left unfinished.
 * After a violation we also read until the peer ends the stream: closing a socket with unread bytes
 * could reset the connection before the peer has seen our close frame. */
static int finish_closing(struct ws_conn *ws)
{
	int flushed, r;

	while (!ws->tx_active) {
		flushed = wsi_flush(ws);
		if (flushed != WS_AGAIN && !ws->linger)
			break;
		ws->rpos = ws->rend = 0; /* what comes is discarded */
		r = wait_for_input(ws);
		if (can_be_repeated(r))
			return r;
		if (r != 0)
			break;
	}
#ifdef WS_WITH_MBEDTLS
	if (ws->tls)
		wsi_tls_goodbye(ws->tls);
#endif
	ws->linger = false;
	ws->send_len = 0;
	ws->change++; /* there is nothing to poll any more */
	return 0;
}

int ws_close(struct ws_conn *ws, int code, const char *reason)
{
	struct ws_msg waste;
	int r;

	if (!ws->opened)
		return ws->refusal;
	if (ws->state == WSI_OPEN) {
		r = begin_close(ws, code, reason ? reason : "");
		if (ws->state == WSI_OPEN)
			return r;
	}
	ws->reads = 0;
	while (ws->state != WSI_OVER) {
		r = wsi_receive(ws, &waste);
		if (can_be_repeated(r))
			return wsi_told(ws, r);
	}
	r = finish_closing(ws);
	if (r)
		return wsi_told(ws, r);
	if (ws->err != WS_ECLOSED || !ws->peer_closed)
		return ws->err;
	wsi_enter(ws, WS_PHASE_DONE);
	return 0;
}
