/* SPDX-License-Identifier: ISC
 * store.c - messages that wait for a later step or for the answer, first in, first out, in one
 * block of memory
 */
#include "cli/wsquery.h"
#include <string.h>

/* Before each message's bytes */
struct store_head {
	size_t len;
	int type;
};

int wq_store_next(const struct wq_store *s, size_t *at, struct ws_msg *msg)
{
	struct store_head h;

	if (*at == s->tail)
		return 0;
	memcpy(&h, s->p + *at, sizeof h);
	msg->type = h.type;
	msg->more = 0;
	msg->data = s->p + *at + sizeof h;
	msg->len = h.len;
	*at += sizeof h + h.len;
	return 1;
}

int wq_store_take(struct wq_store *s, struct ws_msg *msg)
{
	if (!wq_store_next(s, &s->head, msg))
		return 0;
	s->n--;
	s->bytes -= msg->len;
	return 1;
}

/* Makes room for need bytes after the tail, first by moving what waits to the block's beginning.
 * False: no memory */
static bool store_make_room(struct wq_store *s, size_t need)
{
	size_t cap;
	char *p;

	if (need <= s->cap - s->tail)
		return true;
	if (s->head > 0) {
		memmove(s->p, s->p + s->head, s->tail - s->head);
		s->tail -= s->head;
		s->head = 0;
	}
	if (need <= s->cap - s->tail)
		return true;
	cap = s->tail + need;
	if (cap < 2 * s->cap)
		cap = 2 * s->cap;
	p = wq_alloc(NULL, s->p, s->cap, cap);
	if (!p)
		return false;
	s->p = p;
	s->cap = cap;
	return true;
}

int wq_store_put(struct wq_store *s, const struct ws_msg *msg, size_t max)
{
	struct store_head h = {msg->len, msg->type};

	if (msg->len > max || s->bytes > max - msg->len || (s->n >= WQ_MAX_KEPT && s->n >= max))
		return WS_ETOOBIG;
	if (s->n == 0)
		s->head = s->tail = 0;
	if (!store_make_room(s, sizeof h + msg->len))
		return WS_EMEMORY;
	memcpy(s->p + s->tail, &h, sizeof h);
	if (msg->len)
		memcpy(s->p + s->tail + sizeof h, msg->data, msg->len);
	s->tail += sizeof h + msg->len;
	s->n++;
	s->bytes += msg->len;
	return 0;
}

void wq_store_clear(struct wq_store *s)
{
	s->head = s->tail = s->n = s->bytes = 0;
}

void wq_store_free(struct wq_store *s)
{
	if (s->p)
		wq_alloc(NULL, s->p, s->cap, 0);
	memset(s, 0, sizeof *s);
}
