/* SPDX-License-Identifier: ISC
 * buffer.c - the receive buffer: it grows with a message that does not fit, and is given back
 * afterwards
 *
 * The first buffer lies in the block of the connection and has ws_options.recv_buffer bytes. A
 * message that does not fit moves to a block of its own, which doubles as its bytes arrive. Once
 * that message was handed out and consumed, the next ws_recv frees the block and returns to the
 * first buffer. So a connection that has received one long message takes no more memory than
 * before it.
 *
 * A stream of long messages would allocate for each of them. So the block is freed at most once
 * in KEEP_US. In between it is kept, and ws_wants wakes an idle connection to free it.
 */
#include "ws_conn.h"
#include <string.h>

#define KEEP_US 1000000

static size_t first_cap(const struct ws_conn *ws)
{
	return ws->size - sizeof *ws - ws->scap;
}

/* Moves the message under way to the start of rbuf, and the unread bytes behind it. */
static void compact(struct ws_conn *ws)
{
	size_t unread = ws->rend - ws->rpos;

	if (ws->message_pos > 0) /* a long message at the start is not moved */
		memmove(ws->rbuf, ws->rbuf + ws->message_pos, ws->message_len);
	memmove(ws->rbuf + ws->message_len, ws->rbuf + ws->rpos, unread);
	ws->message_pos = 0;
	ws->rpos = ws->message_len;
	ws->rend = ws->rpos + unread;
}

/* rbuf is a block of its own, and what it holds fits into the first buffer: nothing but the
 * beginning of a frame. */
static bool can_shrink(const struct ws_conn *ws)
{
	return ws->grown && ws->message_type == 0 && ws->frame.head == 0
	       && ws->rend - ws->rpos <= first_cap(ws);
}

int64_t wsi_shrink_due(const struct ws_conn *ws)
{
	return ws->shrink_waits ? ws->keep_until : WSI_NEVER;
}

static void shrink(struct ws_conn *ws)
{
	unsigned char *first = (unsigned char *)(ws + 1);
	int64_t now;

	ws->shrink_waits = false;
	if (!can_shrink(ws))
		return;
	now = wsi_now_us(ws);
	if (now < ws->keep_until) {
		ws->shrink_waits = true;
		return;
	}
	ws->keep_until = now + KEEP_US;
	ws->rend -= ws->rpos;
	memcpy(first, ws->rbuf + ws->rpos, ws->rend);
	ws->rpos = 0;
	wsi_free_grown(ws);
	ws->rbuf = first;
	ws->rcap = first_cap(ws);
}

void wsi_free_grown(struct ws_conn *ws)
{
	if (ws->grown)
		wsi_grow(ws, ws->rbuf, ws->rcap, 0);
	ws->grown = false;
}

bool wsi_grow_rbuf(struct ws_conn *ws)
{
	/* Behind the message there is room for a header and a control frame. */
	size_t cap = ws->max_message + WSI_BUFFER_MIN;
	unsigned char *p;

	if (cap > 2 * ws->rcap)
		cap = 2 * ws->rcap;
	if (cap <= ws->rcap)
		return false;
	if (ws->grown)
		p = wsi_grow(ws, ws->rbuf, ws->rcap, cap);
	else
		p = wsi_grow(ws, NULL, 0, cap);
	if (!p)
		return false;
	if (!ws->grown)
		memcpy(p, ws->rbuf, ws->rend);
	ws->grown = true;
	ws->rbuf = p;
	ws->rcap = cap;
	return true;
}

bool wsi_make_room(struct ws_conn *ws)
{
	shrink(ws);
	compact(ws);
	return ws->rend < ws->rcap || wsi_grow_rbuf(ws);
}
