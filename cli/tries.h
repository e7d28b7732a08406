/* SPDX-License-Identifier: ISC
 * tries.h - whether a query is tried again, when, and how long a try may take
 */
#ifndef WQ_TRIES_H
#define WQ_TRIES_H
#include "ws_pure.h"
#include <stdbool.h>

struct wq_options;
struct wq_query;

/* What is known across the tries of one query. Times are WQ_NEVER where there is no limit. */
struct wq_tries {
	int64_t end_us;     /* the deadline of --wait */
	int64_t timeout_us; /* --timeout */
	int64_t this_us;    /* what the try under way may take */
	int made;           /* tries in a row, with the one under way */
	char *earlier;      /* the error of the try before, or NULL */
};
void wq_tries_init(struct wq_tries *t, const struct wq_options *o);
void wq_tries_end(struct wq_tries *t);
/* A message came at that time: --retry and --wait count from there on. */
void wq_tries_restart(struct wq_tries *t, const struct wq_options *o, int64_t since_us);
/* Begins a try. It gets --timeout, or what --wait leaves if that is less. */
int64_t wq_tries_timeout_us(struct wq_tries *t);
/* The pause before the next try, or WQ_NEVER if there is none */
int64_t wq_tries_pause_us(const struct wq_tries *t, const struct wq_query *q);
/* Remembers the error of a try after which there is another one. */
void wq_tries_note(struct wq_tries *t, const struct wq_query *q);
/* Adds that error to the sentence of a last try that --wait cut short, because the error of such a
 * try explains little. */
void wq_tries_add_earlier(const struct wq_tries *t, struct wq_query *q);

#endif
