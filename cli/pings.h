/* SPDX-License-Identifier: ISC
 * pings.h - the pings of --every, and the round trip of each that was answered
 */
#ifndef WQ_PINGS_H
#define WQ_PINGS_H
#include "cli/memory.h"
#include <stdbool.h>
#include <stdint.h>

#define WQ_MAX_PINGS 10000 /* the memory that a query takes for each is that of two numbers */

#define WQ_PING_ID 16 /* bytes of a payload that are the same for all pings of a query */
#define WQ_PING_LEN (WQ_PING_ID + 8) /* and the ping's number, in hexadecimal */

struct wq_pings {
	size_t n; /* so many are to be sent; 0: not begun */
	size_t sent, answered;
	int64_t *sent_us; /* when each was sent; 0: it was answered */
	int64_t *took_us; /* the round trips, shortest first */
	char id[WQ_PING_ID];
	bool blocked; /* the next one is due, and the peer does not read */
};
/* False: no memory. n is at most WQ_MAX_PINGS. */
bool wq_pings_begin(struct wq_pings *p, size_t n, const char id[WQ_PING_ID]);
void wq_pings_free(struct wq_pings *p);
/* Writes the last n hexadecimal digits of v, the highest first. */
void wq_pings_hex(char *to, size_t n, uint64_t v);
/* The payload of the ping of this number, the first is 0 */
void wq_pings_payload(const struct wq_pings *p, size_t number, char payload[WQ_PING_LEN]);
void wq_pings_sent(struct wq_pings *p, int64_t now_us); /* the next one was sent */
/* A pong came. It counts if it answers a ping that was sent and is not answered yet. */
void wq_pings_take(struct wq_pings *p, const void *payload, size_t len, int64_t now_us);

/* In microseconds. -1: no ping was answered. */
struct wq_round_trips {
	int64_t min_us, median_us, max_us;
};
struct wq_round_trips wq_pings_round_trips(const struct wq_pings *p);

#endif
