/* SPDX-License-Identifier: ISC
 * tries.c - whether a query is tried again, when, and how long a try may take
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/wsquery.h"

#define LEAST_US 10000 /* the shortest useful try */
#define EARLIER 256    /* bytes of an earlier try's sentence that are shown */

void wq_tries_restart(struct wq_tries *t, const struct wq_options *o, int64_t since_us)
{
	t->made = 1; /* the one that brought the message */
	t->end_us = WQ_NEVER;
	if (o->wait_ms > 0)
		t->end_us = since_us + (int64_t)o->wait_ms * 1000;
}

void wq_tries_init(struct wq_tries *t, const struct wq_options *o)
{
	t->timeout_us = t->this_us = WQ_NEVER;
	if (o->timeout_ms > 0)
		t->timeout_us = (int64_t)o->timeout_ms * 1000;
	wq_tries_restart(t, o, wq_now_us());
	t->made = 0;
	t->earlier = NULL;
}

void wq_tries_end(struct wq_tries *t)
{
	if (t->earlier)
		wq_alloc(NULL, t->earlier, EARLIER, 0);
	t->earlier = NULL;
}

int64_t wq_tries_timeout_us(struct wq_tries *t)
{
	int64_t left_us;

	if (t->made < INT_MAX)
		t->made++;
	t->this_us = t->timeout_us;
	if (t->end_us == WQ_NEVER)
		return t->this_us;
	left_us = t->end_us - wq_now_us();
	if (left_us < t->this_us)
		t->this_us = left_us;
	return t->this_us;
}

static bool may_try_again(const struct wq_tries *t, const struct wq_query *q)
{
	const struct wq_options *o = q->o;

	if (!q->error || q->final || q->signal || wq_signal())
		return false;
	if (q->err == WS_EURL || q->err == WS_EUNSUPPORTED)
		return false;
	if (o->retry >= 0)
		return t->made <= o->retry;
	return o->wait_ms >= 0;
}

/* Under --wait, tries go on until its end: a pause takes at most three quarters of what is left, so
 * the last ones get shorter. */
int64_t wq_tries_pause_us(const struct wq_tries *t, const struct wq_query *q)
{
	int64_t pause = (int64_t)q->o->retry_delay_ms * 1000, left_us;

	if (!may_try_again(t, q))
		return WQ_NEVER;
	if (t->end_us == WQ_NEVER)
		return pause;
	left_us = t->end_us - wq_now_us();
	if (left_us <= LEAST_US)
		return WQ_NEVER;
	if (pause > left_us / 4 * 3)
		pause = left_us / 4 * 3;
	return pause;
}

void wq_tries_note(struct wq_tries *t, const struct wq_query *q)
{
	struct wsi_text text;

	if (!t->earlier)
		t->earlier = wq_alloc(NULL, NULL, 0, EARLIER);
	if (!t->earlier)
		return;
	wsi_text_init(&text, t->earlier, EARLIER);
	wsi_put(&text, q->error);
}

void wq_tries_add_earlier(const struct wq_tries *t, struct wq_query *q)
{
	if (q->err == WS_ETIMEOUT && t->this_us != t->timeout_us && t->earlier)
		wq_query_add(q, "; the try before it failed with: ", t->earlier);
}
