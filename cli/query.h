/* SPDX-License-Identifier: ISC
 * query.h - what the files of a query share
 *
 * query.c calls setup.c and dialogue.c, and all three call failure.c.
 */
#ifndef WSQUERY_QUERY_H
#define WSQUERY_QUERY_H
#include "cli/wsquery.h"

#define QUERY_SHOWN 100 /* bytes of a message, a pattern or a reason in a sentence */

/* How a state's function says to go on */
enum query_result {
	QUERY_GO_ON = -1, /* there is more to do at once */
	QUERY_WAIT = 0,   /* first wait for what wq_query_wants() names */
	QUERY_ENDED = 1   /* the answer is known, or the connection is closed */
};

/* setup.c: one function for each state before the open connection. They return enum query_result.
 */
int wq_query_open_inputs(struct wq_query *q);
int wq_query_read_inputs(struct wq_query *q);
int wq_query_make_ws(struct wq_query *q);
int wq_query_open_ws(struct wq_query *q);

/* dialogue.c: one function for each state on the open connection */
int wq_query_ping(struct wq_query *q);
int wq_query_pong(struct wq_query *q);
int wq_query_pings(struct wq_query *q);                  /* --every */
int64_t wq_query_next_ping_us(const struct wq_query *q); /* when it is due; WQ_NEVER: not by time */
int wq_query_next_step(struct wq_query *q);
int wq_query_send(struct wq_query *q);
int wq_query_expect(struct wq_query *q);  /* receives until a message matches */
int wq_query_collect(struct wq_query *q); /* receives --count messages */
int wq_query_flush(struct wq_query *q);
/* 1: the message matches; 0: it does not; WQ_EINTERRUPTED, WS_ETIMEOUT: that came first; WS_AGAIN:
 * let other queries go on, then make the same call again; WS_EMEMORY. The last two only with
 * several URLs. */
int wq_query_match(struct wq_query *q, const struct wq_pattern *pattern, const struct ws_msg *msg);
void wq_query_end_match(struct wq_query *q); /* frees the state of an unfinished match */
/* Holds a new message against each --fail-on. QUERY_ENDED: one matches; QUERY_WAIT: q gives way, and the
 * same call goes on. */
int wq_query_check_fail_on(struct wq_query *q, const struct ws_msg *msg);
void wq_query_drop_expanded(struct wq_query *q); /* what --data-expand made */

/* failure.c: parts of sentences */
struct wsi_text *wq_query_begin_sentence(struct wq_query *q); /* "receive from 127.0.0.1:80: " */
void wq_query_put_peer(struct wsi_text *t, const struct wq_query *q);
void wq_query_put_missing(struct wsi_text *t, const struct wq_query *q); /* what is still to come */
void wq_query_put_quoted(struct wsi_text *t, const char *p, size_t len);
void wq_query_put_number(struct wsi_text *t, const char *before, uint64_t n, const char *after);
void wq_query_put_pattern(struct wsi_text *t,
                          const struct wq_pattern *pattern);    /* --expect "^ok" */
void wq_query_put_lasted(struct wsi_text *t, int64_t since_us); /* " within 5 s" */

/* failure.c: each ends the query with an error and returns QUERY_ENDED */
int wq_query_fail(struct wq_query *q, int err); /* the sentence is in q->why */
int wq_query_no_memory(struct wq_query *q);
int wq_query_library_failed(struct wq_query *q, int err); /* with the library's sentence */
int wq_query_too_big(struct wq_query *q, const char *what);
int wq_query_lost(struct wq_query *q, int err); /* a call on the open connection failed */
int wq_query_interrupted(struct wq_query *q);   /* by a signal */

/* failure.c: where a query stands */
const struct wq_step *wq_query_current_step(const struct wq_query *q); /* NULL: all are done */
struct wsi_str wq_query_data_to_send(const struct wq_query *q); /* by the sending step under way */

/* Changes the state and notes when it began. */
static inline void wq_query_enter(struct wq_query *q, enum wq_state state)
{
	q->state = state;
	q->waiting_us = wq_now_us();
}

#endif
