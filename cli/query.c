/* SPDX-License-Identifier: ISC
 * query.c - one try, as a state machine over the library's non-blocking calls
 *
 *	INPUT --> OPTION_INPUT --> (ws_new) --> DATA_INPUT --> OPEN --> [PING --> PONG] --> STEP
 *	                                                       OPEN --> [PINGS] --> STEP
 *	STEP --> SEND --> STEP      STEP --> EXPECT --> STEP      STEP --> COLLECT or FLUSH --> ANSWER
 *
 * Each state has one function, which says how to go on (enum query_result). Any of them can end in
 * ANSWER by wq_query_fail(). The functions are in setup.c (up to OPEN) and dialogue.c (the
 * others).
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/query.h"
#include <string.h>
#include <sys/socket.h>
#include <time.h>

int64_t wq_cert_left(const struct ws_report *r)
{
	struct timespec ts = {0, 0};

	clock_gettime(CLOCK_REALTIME, &ts);
	return r->cert_not_after - (int64_t)ts.tv_sec;
}

/* Everything succeeded. With --cert-expiry the certificate must also be valid long enough. */
static int query_done(struct wq_query *q)
{
	int days = q->o->cert_expiry_days;
	struct wsi_text *t;

	q->phase = "done";
	q->total_us = wq_now_us() - q->start_us;
	if (days < 0 || !q->info->cert_not_after || wq_cert_left(q->info) > (int64_t)days * 86400)
		return 1;
	q->phase = "tls";
	t = wq_why(&q->why);
	wsi_put(t, "TLS with ");
	wq_query_put_peer(t, q);
	wsi_put(t, ": the certificate ends on ");
	wq_put_date(t, q->info->cert_not_after);
	wq_query_put_number(t, ", within ", (uint64_t)days, " days (--cert-expiry)");
	return wq_query_fail(q, WS_ECERT);
}

static int query_run_state(struct wq_query *q)
{
	int r;

	switch (q->state) {
	case WQ_INPUT:
		return wq_query_open_inputs(q);
	case WQ_OPTION_INPUT:
		r = wq_query_read_inputs(q);
		if (r != QUERY_GO_ON)
			return r;
		return wq_query_make_ws(q);
	case WQ_DATA_INPUT:
		r = wq_query_read_inputs(q);
		if (r == QUERY_GO_ON)
			q->state = WQ_OPEN;
		return r;
	case WQ_OPEN:
		return wq_query_open_ws(q);
	case WQ_PING:
		return wq_query_ping(q);
	case WQ_PONG:
		return wq_query_pong(q);
	case WQ_PINGS:
		return wq_query_pings(q);
	case WQ_STEP:
		return wq_query_next_step(q);
	case WQ_SEND:
		return wq_query_send(q);
	case WQ_EXPECT:
		return wq_query_expect(q);
	case WQ_COLLECT:
		return wq_query_collect(q);
	case WQ_FLUSH:
		return wq_query_flush(q);
	case WQ_CLOSE:
		r = ws_close(q->ws, 1000, NULL);
		if (r == WS_AGAIN)
			return QUERY_WAIT;
		q->state = WQ_END;
		return QUERY_ENDED;
	case WQ_FOLLOW: /* follow.c does it */
	case WQ_ANSWER:
	case WQ_END:
		return QUERY_ENDED;
	}
	return QUERY_ENDED;
}

/* The calls of the program */

void wq_query_begin(struct wq_query *q, struct wq_options *o, const char *url, int attempts,
                    int64_t timeout_us)
{
	memset(q, 0, sizeof *q);
	q->o = o;
	q->url = url;
	q->attempts = attempts;
	q->array = o->count > 1 && !o->follow;
	q->ping_us = q->first_us = -1;
	q->start_us = wq_now_us();
	q->deadline_us = timeout_us == WQ_NEVER ? WQ_NEVER : q->start_us + timeout_us;
	wq_err_until(o->several ? WQ_NEVER : q->deadline_us);
}

int wq_query_step(struct wq_query *q)
{
	int r;

	q->gives_way = false;
	/* A message that is being matched becomes part of the answer: see wq_query_match(). */
	if (wq_signal() && q->state < WQ_ANSWER && !q->checking.data && !q->expecting.data)
		return wq_query_interrupted(q);
	do
		r = query_run_state(q);
	while (r == QUERY_GO_ON);
	if (q->state == WQ_ANSWER && !q->error)
		r = query_done(q);
	return r;
}

int64_t wq_query_wants(const struct wq_query *q, struct pollfd p[WS_FDS_MAX], unsigned *n)
{
	int64_t now = wq_now_us(), until = wq_query_next_ping_us(q);
	struct ws_pollset set;
	int i;

	if (q->state < WQ_OPEN) {
		p[0].fd = q->input < q->o->n_inputs ? q->o->inputs[q->input].fd : -1;
		p[0].events = POLLIN;
		*n = 1;
		return wq_query_open_deadline_us(q);
	}
	if (q->gives_way) {
		*n = 0;
		return q->deadline_us;
	}
	ws_wants(q->ws, &set);
	for (i = 0; i < set.n; i++) {
		p[i].fd = set.fd[i].fd;
		p[i].events = 0;
		if (set.fd[i].events & WS_POLL_READ)
			p[i].events |= POLLIN;
		if (set.fd[i].events & WS_POLL_WRITE)
			p[i].events |= POLLOUT;
	}
	*n = (unsigned)set.n;
	if (set.timeout_ms >= 0 && until > now + (int64_t)set.timeout_ms * 1000)
		until = now + (int64_t)set.timeout_ms * 1000;
	return until;
}

void wq_query_close(struct wq_query *q, int64_t until_us)
{
	int64_t now = wq_now_us(), left = (int64_t)q->o->close_timeout_ms * 1000;

	if (left > q->deadline_us - now)
		left = q->deadline_us - now;
	if (left > until_us - now)
		left = until_us - now;
	q->state = WQ_END;
	if (!q->connected)
		return;
	q->state = WQ_CLOSE;
	ws_timeout(q->ws, q->signal ? 0 : wsi_ms_until(0, left));
}

void wq_query_hang_up(const struct wq_query *q)
{
	struct ws_pollset set;

	if (!q->ws)
		return;
	ws_wants(q->ws, &set);
	shutdown(set.fd[0].fd, SHUT_RDWR);
}

void wq_query_end(struct wq_query *q)
{
	ws_free(q->ws);
	wq_why_free(&q->why);
	wq_query_end_match(q);
	wq_pings_free(&q->pings);
	wq_store_free(&q->last);
	wq_captured_free(&q->captured);
	wq_query_drop_expanded(q);
	wq_store_free(&q->store);
	if (q->head_copy)
		wq_alloc(NULL, q->head_copy, q->head_len, 0);
}

/* Reading the answer */

int wq_query_status(const struct wq_query *q)
{
	if (q->usage)
		return WQ_USAGE;
	if (q->signal)
		return 128 + q->signal;
	if (!q->error)
		return WQ_OK;
	return q->connected ? WQ_UNMET : WQ_FAILED;
}

bool wq_query_lacks_fd(const struct wq_query *q)
{
	return q->error && !q->connected && (q->no_fd || (q->info && q->info->no_descriptor));
}

const char *wq_reason(int err)
{
	if (err == WQ_EUNMATCHED)
		return "unmatched";
	if (err == WQ_EINTERRUPTED)
		return "interrupted";
	if (err == WS_EENTROPY) /* details.reason has no word of its own for it */
		return "io";
	return ws_errname(err);
}

int wq_query_data(const struct wq_query *q, struct wq_walk *walk, struct ws_msg *msg)
{
	size_t i = walk->i++;

	if (i == 0)
		walk->at = q->store.head;
	if (i < q->n)
		return wq_store_next(&q->store, &walk->at, msg);
	if (i > q->n || !q->msg.data)
		return 0;
	*msg = q->msg;
	return 1;
}
