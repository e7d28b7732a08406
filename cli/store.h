/* SPDX-License-Identifier: ISC
 * store.h - messages that wait for a later step: first in, first out
 */
#ifndef WQ_STORE_H
#define WQ_STORE_H
#include "ws.h"

/* Messages that are kept, unless --max-message allows more */
#define WQ_MAX_KEPT 131072

struct wq_store {
	char *p;
	size_t cap, head, tail, n;
	size_t bytes; /* of the messages alone */
};
/* Goes through the messages, without taking them. *at is .head at first. 1: *msg is the next one;
 * 0: there are no more. */
int wq_store_next(const struct wq_store *s, size_t *at, struct ws_msg *msg);
int wq_store_take(
    struct wq_store *s,
    struct ws_msg *msg); /* 1, or 0: none; its bytes stay until the next wq_store_put */
int wq_store_put(struct wq_store *s, const struct ws_msg *msg,
                 size_t max);            /* 0, WS_ETOOBIG, WS_EMEMORY */
void wq_store_clear(struct wq_store *s); /* drops all messages, keeps the memory */
void wq_store_free(struct wq_store *s);

#endif
