/* SPDX-License-Identifier: ISC
 * buffer.c - the two buffers: they grow for a long message, and shrink again afterwards
 *
 * The first receive buffer is a part of the connection's block and has ws_options.recv_buffer
 * bytes. A message that does not fit moves to a block of its own, which doubles as its bytes
 * arrive. Once that message was handed out and consumed, the next ws_recv frees the block and
 * returns to the first buffer. So a connection that has received a long message needs no more
 * memory than before.
 *
 * Many long messages in a row would each need a new block. So the block is freed at most once in
 * KEEP_US. In between it is kept, and ws_wants wakes an idle connection to free it.
 *
 * The send buffer is small, since an idle connection needs little. While a long message goes out, a
 * larger one saves system calls. A program that chose a size for it keeps that size.
 */
#include "ws_conn.h"
#include <string.h>

#define KEEP_US 1000000
#define LONG_SEND 65536
#define LONG_REST 4096 /* from so many bytes on, the rest of a frame is read on its own */
#define SHORT_READ                                                                                 \
	131072 /* bytes read at once while frames are short: handling each of them takes time */

/* Moves the message under way to the start of rbuf, and the unread bytes after it. */
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

/* True if rbuf is a block of its own, no message or frame is under way, and the first buffer has
 * room for the unread bytes and at least one more. */
static bool can_shrink(const struct ws_conn *ws)
{
	return ws->grown && ws->message_type == 0 && ws->frame.head == 0
	       && ws->rend - ws->rpos < ws->first_rcap;
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
	wsi_grow(ws, ws->rbuf, ws->rcap, 0);
	ws->grown = false;
	ws->rbuf = first;
	ws->rcap = ws->first_rcap;
}

static unsigned char *first_sbuf(struct ws_conn *ws)
{
	return (unsigned char *)(ws + 1) + ws->first_rcap;
}

void wsi_grow_sbuf(struct ws_conn *ws)
{
	unsigned char *p;

	if (!ws->send_grows || ws->scap != ws->first_scap)
		return;
	p = wsi_grow(ws, NULL, 0, LONG_SEND);
	if (!p)
		return;
	memcpy(p, ws->sbuf, ws->send_len);
	ws->sbuf = p;
	ws->scap = LONG_SEND;
}

void wsi_shrink_sbuf(struct ws_conn *ws)
{
	if (ws->scap == ws->first_scap)
		return;
	wsi_grow(ws, ws->sbuf, ws->scap, 0);
	ws->sbuf = first_sbuf(ws);
	ws->scap = ws->first_scap;
}

void wsi_free_grown(struct ws_conn *ws)
{
	if (ws->grown)
		wsi_grow(ws, ws->rbuf, ws->rcap, 0);
	wsi_shrink_sbuf(ws);
}

bool wsi_grow_rbuf(struct ws_conn *ws)
{
	/* After the message there is room for a header and a control frame. */
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

size_t wsi_read_size(const struct ws_conn *ws)
{
	size_t room = ws->rcap - ws->rend;

	if (ws->frame.head == 0 || ws->frame.len < LONG_REST)
		return room < SHORT_READ ? room : SHORT_READ;
	if (ws->frame.len + WSI_FRAME_HEAD_MAX >= room)
		return room;
	return (size_t)ws->frame.len + WSI_FRAME_HEAD_MAX;
}

bool wsi_make_room(struct ws_conn *ws)
{
	shrink(ws);
	compact(ws);
	return ws->rend < ws->rcap || wsi_grow_rbuf(ws);
}
