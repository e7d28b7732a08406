/* SPDX-License-Identifier: ISC
 * pings.c - remembers which pings of --every are unanswered, and sums up how long the answers took
 *
 * Each payload is the query's own id and the ping's number, so a pong shows which ping it answers.
 * A server may answer late, in another order, or twice, and may send pongs that answer nothing.
 */
#include "cli/pings.h"
#include <string.h>

static const char hex[] = "0123456789abcdef";

bool wq_pings_begin(struct wq_pings *p, size_t n, const char id[WQ_PING_ID])
{
	memset(p, 0, sizeof *p);
	p->sent_us = wq_alloc(NULL, NULL, 0, 2 * n * sizeof *p->sent_us);
	if (!p->sent_us)
		return false;
	p->took_us = p->sent_us + n;
	p->n = n;
	memcpy(p->id, id, sizeof p->id);
	return true;
}

void wq_pings_free(struct wq_pings *p)
{
	if (p->sent_us)
		wq_alloc(NULL, p->sent_us, 2 * p->n * sizeof *p->sent_us, 0);
	memset(p, 0, sizeof *p);
}

void wq_pings_hex(char *to, size_t n, uint64_t v)
{
	for (; n > 0; n--) {
		to[n - 1] = hex[v & 15];
		v >>= 4;
	}
}

void wq_pings_payload(const struct wq_pings *p, size_t number, char payload[WQ_PING_LEN])
{
	memcpy(payload, p->id, WQ_PING_ID);
	wq_pings_hex(payload + WQ_PING_ID, WQ_PING_LEN - WQ_PING_ID, number);
}

void wq_pings_sent(struct wq_pings *p, int64_t now_us)
{
	p->sent_us[p->sent++] = now_us;
}

/* The number in a payload, or p->sent if no ping with this payload was sent */
static size_t number_in(const struct wq_pings *p, const char *payload)
{
	char right[WQ_PING_LEN];
	size_t number = 0, i;

	for (i = WQ_PING_ID; i < WQ_PING_LEN; i++) {
		const char *digit = memchr(hex, payload[i], sizeof hex - 1);

		if (!digit)
			return p->sent;
		number = number << 4 | (size_t)(digit - hex);
	}
	if (number >= p->sent)
		return p->sent;
	wq_pings_payload(p, number, right);
	return memcmp(payload, right, sizeof right) == 0 ? number : p->sent;
}

/* Keeps the round trips in order. */
static void add_round_trip(struct wq_pings *p, int64_t took_us)
{
	size_t at = p->answered;

	while (at > 0 && p->took_us[at - 1] > took_us)
		at--;
	memmove(p->took_us + at + 1, p->took_us + at, (p->answered - at) * sizeof *p->took_us);
	p->took_us[at] = took_us;
	p->answered++;
}

void wq_pings_take(struct wq_pings *p, const void *payload, size_t len, int64_t now_us)
{
	size_t number;

	if (len != WQ_PING_LEN)
		return;
	number = number_in(p, payload);
	if (number == p->sent || p->sent_us[number] == 0)
		return;
	add_round_trip(p, now_us - p->sent_us[number]);
	p->sent_us[number] = 0;
}

struct wq_round_trips wq_pings_round_trips(const struct wq_pings *p)
{
	struct wq_round_trips r = {-1, -1, -1};
	size_t n = p->answered;

	if (n == 0)
		return r;
	r.min_us = p->took_us[0];
	r.max_us = p->took_us[n - 1];
	/* Of an even number, the middle is between two. */
	r.median_us = (p->took_us[(n - 1) / 2] + p->took_us[n / 2]) / 2;
	return r;
}
