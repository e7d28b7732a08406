/* SPDX-License-Identifier: ISC
 * dialogue.c - a query on the open connection: the ping, and the steps that send, expect and
 * collect
 *
 * A message takes one of four ways. A step uses it up; or it arrives before the step that may want
 * it and waits in the store (query_keep); or a step passes over it, and a copy of it is kept for
 * the answer until the next one comes (query_remember); or it matches --fail-on and ends the query.
 * Copies are needed because the bytes of a message from the library are gone with the next
 * ws_recv().
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/query.h"
#include <string.h>

/* A signal or the deadline ends whatever is under way: 0, or the error */
static int query_stopped(const struct wq_query *q)
{
	if (wq_signal())
		return WQ_EINTERRUPTED;
	if (wq_now_us() >= q->deadline_us)
		return WS_ETIMEOUT;
	return 0;
}

/* Ends the query with an error of query_stopped() or of a call on the open connection */
static int query_stop(struct wq_query *q, int err)
{
	return err == WQ_EINTERRUPTED ? wq_query_interrupted(q) : wq_query_lost(q, err);
}

/* Matching */

void wq_query_end_match(struct wq_query *q)
{
	if (q->own_match)
		wq_alloc(NULL, q->own_match, wsi_match_memory(q->own_match), 0);
	q->own_match = NULL;
	q->matched = 0;
}

/* Gives way to other queries. They have the same patterns, so what the matcher has come to is copied:
 * WS_AGAIN, or WS_EMEMORY */
static int query_match_later(struct wq_query *q, const struct wsi_match *m)
{
	void *mem;

	q->gives_way = true;
	if (q->own_match || q->matched == 0)
		return WS_AGAIN;
	mem = wq_alloc(NULL, NULL, 0, wsi_match_memory(m));
	if (!mem)
		return WS_EMEMORY;
	q->own_match = wsi_match_copy(mem, m);
	return WS_AGAIN;
}

/* The matcher is fed in slices because a costly pattern must neither outlast the deadline nor hold up
 * other queries. */
static int query_match_on(struct wq_query *q, struct wsi_match *m, const struct ws_msg *msg)
{
	const char *p = msg->data;
	size_t n;
	int err;

	for (; q->matched < msg->len; q->matched += n) {
		err = query_stopped(q);
		if (err)
			return err;
		if (wq_turn_is_over())
			return query_match_later(q, m);
		n = msg->len - q->matched < WQ_SLICE ? msg->len - q->matched : WQ_SLICE;
		if (wsi_match_feed(m, p + q->matched, n))
			return 1;
	}
	err = query_stopped(q);
	return err ? err : wsi_match_end(m);
}

int wq_query_match(struct wq_query *q, const struct wq_pattern *pattern, const struct ws_msg *msg)
{
	struct wsi_match *m = q->own_match;
	int r;

	if (!m) {
		m = pattern->match;
		wsi_match_start(m);
	}
	r = query_match_on(q, m, msg);
	if (r != WS_AGAIN)
		wq_query_end_match(q);
	return r;
}

/* Finds what --data-expand needs of the message: 1, or as wq_query_match() */
static int query_capture(struct wq_query *q)
{
	int err;

	for (;;) {
		err = query_stopped(q);
		if (err)
			return err;
		if (wq_turn_is_over()) {
			q->gives_way = true;
			err = wq_captured_let_go(&q->captured);
			return err ? err : WS_AGAIN;
		}
		if (wq_captured_find(&q->captured))
			return 1;
	}
}

/* Messages that are kept */

/* Keeps a message for a later step: 0, or QUERY_ENDED when that is not possible */
static int query_keep(struct wq_query *q, const struct ws_msg *msg)
{
	int r = wq_store_put(&q->store, msg, q->o->lib.max_message);

	if (r == 0)
		return 0;
	if (r == WS_EMEMORY)
		return wq_query_no_memory(q);
	if (q->store.n >= WQ_MAX_KEPT && q->store.n >= q->o->lib.max_message) {
		wq_query_put_number(wq_query_begin_sentence(q), "more than ", q->store.n,
		                    " messages would have to be kept");
		wq_query_fail(q, r);
	} else {
		wq_query_too_big(q, "the messages kept are over ");
	}
	ws_close(q->ws, 1009, "more messages than can be kept");
	return QUERY_ENDED;
}

/* Copies a message that no step used up, in place of the one before it: 0, or QUERY_ENDED when
 * there is no memory */
static int query_remember(struct wq_query *q, const struct ws_msg *msg)
{
	wq_store_clear(&q->last);
	return wq_store_put(&q->last, msg, q->o->lib.max_message) ? wq_query_no_memory(q) : 0;
}

/* The same for a message that the answer will show, whatever else came */
static int query_show(struct wq_query *q, const struct ws_msg *msg)
{
	size_t at;

	if (query_remember(q, msg))
		return QUERY_ENDED;
	at = q->last.head;
	wq_store_next(&q->last, &at, &q->msg);
	return 0;
}

/* Receiving */

/* The deadline or a signal came while a message was still being matched */
static int query_match_stopped(struct wq_query *q, const struct wq_pattern *pattern,
                               const struct ws_msg *msg, int err)
{
	if (err == WS_EMEMORY)
		return wq_query_no_memory(q);
	if (query_show(q, msg))
		return QUERY_ENDED;
	q->unfinished = pattern;
	return query_stop(q, err);
}

/* True when a message may be quoted in a sentence: it is text, and does not repeat a password or
 * the like that we sent */
static bool query_can_quote(const struct wq_query *q, const struct ws_msg *msg)
{
	struct wsi_str text = {msg->data, msg->len < 4 * QUERY_SHOWN ? msg->len : 4 * QUERY_SHOWN};
	struct wsi_url url;

	if (msg->type != WS_TEXT || wsi_url_parse(&url, q->url, strlen(q->url)))
		return false;
	return !wsi_shows_secret(text, &q->o->lib, &url)
	       && !wq_captured_repeats(&q->captured, text);
}

/* The server sent a message that matches --fail-on. */
static int query_refused(struct wq_query *q, const struct wq_pattern *pattern,
                         const struct ws_msg *msg)
{
	struct wsi_text *t;

	if (query_show(q, msg))
		return QUERY_ENDED;
	t = wq_query_begin_sentence(q);
	if (query_can_quote(q, &q->msg)) {
		wsi_put(t, "the server sent ");
		wq_query_put_quoted(t, q->msg.data, q->msg.len);
	} else {
		wsi_put(t, "the server sent a ");
		wsi_put(t, q->msg.type == WS_TEXT ? "text" : "binary");
		wsi_put(t, " message of ");
		wq_query_put_number(t, "", q->msg.len, q->msg.len == 1 ? " byte" : " bytes");
	}
	wsi_put(t, ", which matches ");
	wq_query_put_pattern(t, pattern);
	wsi_put(t, ": correct what is sent or the login, or narrow that pattern if the message is "
	           "harmless");
	return wq_query_fail(q, WQ_EUNMATCHED);
}

int wq_query_check_fail_on(struct wq_query *q, const struct ws_msg *msg)
{
	for (; q->checked < q->o->n_fail_on; q->checked++) {
		const struct wq_pattern *pattern = &q->o->fail_on[q->checked];
		int r = wq_query_match(q, pattern, msg);

		if (r == WS_AGAIN) {
			q->checking = *msg;
			return QUERY_WAIT;
		}
		if (r < 0)
			return query_match_stopped(q, pattern, msg, r);
		if (r == 1)
			return query_refused(q, pattern, msg);
	}
	q->checked = 0;
	q->checking.data = NULL;
	return QUERY_GO_ON;
}

static int query_is_our_pong(const struct wq_query *q, const struct ws_msg *msg)
{
	return q->state == WQ_PONG && msg->len == sizeof q->ping_data
	       && memcmp(msg->data, q->ping_data, sizeof q->ping_data) == 0;
}

/* Receives a new message, or goes on with one that is held against --fail-on. QUERY_GO_ON: it is in *msg;
 * in the state PONG it can also be the answer to our ping, in the state PINGS any pong. Other pongs are
 * dropped. */
static int query_receive(struct wq_query *q, struct ws_msg *msg)
{
	int err;

	if (q->checking.data) {
		*msg = q->checking;
		return wq_query_check_fail_on(q, msg);
	}
	do {
		err = query_stopped(q);
		if (!err)
			err = ws_recv(q->ws, msg);
		if (err == WS_AGAIN)
			return QUERY_WAIT;
		if (err)
			return query_stop(q, err);
		if (msg->type == WS_PONG && (q->state == WQ_PINGS || query_is_our_pong(q, msg)))
			return QUERY_GO_ON;
	} while (msg->type == WS_PONG);
	if (q->first_us < 0)
		q->first_us = wq_now_us() - q->since_us;
	return wq_query_check_fail_on(q, msg);
}

/* The next message for a step: the oldest that was kept, else a new one */
static int query_take(struct wq_query *q, struct ws_msg *msg)
{
	return wq_store_take(&q->store, msg) ? QUERY_GO_ON : query_receive(q, msg);
}

/* Keeps all messages that have arrived: QUERY_WAIT or QUERY_ENDED */
static int query_keep_all(struct wq_query *q)
{
	struct ws_msg msg;
	int r;

	for (;;) {
		r = query_receive(q, &msg);
		if (r != QUERY_GO_ON)
			return r;
		if (query_keep(q, &msg))
			return QUERY_ENDED;
	}
}

/* In a state that sends: a message came before, and is still held against --fail-on. */
static int query_end_check(struct wq_query *q)
{
	int r;

	if (!q->checking.data)
		return QUERY_GO_ON;
	r = query_keep_all(q);
	return r == QUERY_WAIT && !q->checking.data ? QUERY_GO_ON : r;
}

/* The states */

/* Each query has a payload of its own: a pong with another payload is not proof of life. */
static void query_make_ping_data(struct wq_query *q)
{
	wq_pings_hex(q->ping_data, sizeof q->ping_data,
	             (uint64_t)wq_now_us() * 0x9e3779b97f4a7c15u);
}

int wq_query_ping(struct wq_query *q)
{
	int r;

	r = query_end_check(q);
	if (r != QUERY_GO_ON)
		return r;
	if (!q->ping_data[0])
		query_make_ping_data(q);
	r = ws_ping(q->ws, q->ping_data, sizeof q->ping_data);
	if (r == WS_AGAIN)
		return query_keep_all(q);
	if (r)
		return wq_query_lost(q, r);
	q->state = WQ_PONG;
	return QUERY_GO_ON;
}

int wq_query_pong(struct wq_query *q)
{
	struct ws_msg msg;
	int r;

	for (;;) {
		r = query_receive(q, &msg);
		if (r != QUERY_GO_ON)
			return r;
		if (msg.type == WS_PONG) {
			q->ping_us = wq_now_us() - q->waiting_us;
			wq_query_enter(q, WQ_STEP);
			return QUERY_GO_ON;
		}
		if (query_keep(q, &msg))
			return QUERY_ENDED;
	}
}

/* --every: ping number i is due i intervals after the first one. */
int64_t wq_query_next_ping_us(const struct wq_query *q)
{
	const struct wq_pings *p = &q->pings;

	if (q->state != WQ_PINGS || p->blocked || p->sent == p->n)
		return WQ_NEVER;
	return q->waiting_us + (int64_t)p->sent * q->o->every_ms * 1000;
}

/* Sends the pings that are due: QUERY_GO_ON or QUERY_ENDED */
static int query_send_pings(struct wq_query *q)
{
	struct wq_pings *p = &q->pings;
	char payload[WQ_PING_LEN];
	int64_t now;
	int r;

	p->blocked = false;
	if (q->checking.data) /* the library may drop a message when it sends */
		return QUERY_GO_ON;
	for (;;) {
		now = wq_now_us();
		if (now < wq_query_next_ping_us(q))
			return QUERY_GO_ON;
		wq_pings_payload(p, p->sent, payload);
		r = ws_ping(q->ws, payload, sizeof payload);
		if (r == WS_AGAIN) {
			p->blocked = true;
			return QUERY_GO_ON;
		}
		if (r)
			return wq_query_lost(q, r);
		wq_pings_sent(p, now);
	}
}

/* --every: receives the pongs, and sends pings meanwhile. A ping may be answered until the deadline. No
 * step follows, so a message is kept for the answer alone. */
int wq_query_pings(struct wq_query *q)
{
	struct wq_pings *p = &q->pings;
	struct ws_msg msg;
	int r;

	if (p->n == 0) {
		query_make_ping_data(q);
		if (!wq_pings_begin(p, (size_t)q->o->pings, q->ping_data))
			return wq_query_no_memory(q);
	}
	while (p->answered < p->n) {
		if (wq_turn_is_over()) {
			q->gives_way = true;
			return QUERY_WAIT;
		}
		r = query_send_pings(q);
		if (r == QUERY_GO_ON)
			r = query_receive(q, &msg);
		if (r != QUERY_GO_ON)
			return r;
		if (msg.type == WS_PONG)
			wq_pings_take(p, msg.data, msg.len, wq_now_us());
		else if (query_remember(q, &msg))
			return QUERY_ENDED;
	}
	q->ping_us = wq_now_us() - q->waiting_us;
	wq_query_enter(q, WQ_STEP);
	return QUERY_GO_ON;
}

/* What a --data-expand made is not UTF-8. */
static int query_expanded_no_text(struct wq_query *q, size_t at)
{
	wq_query_put_number(wq_query_begin_sentence(q), "byte ", at + 1,
	                    " of the data that --data-expand made is not UTF-8 text (use --binary "
	                    "for other bytes)");
	return wq_query_fail(q, WS_EUTF8);
}

static int query_check_expanded(struct wq_query *q)
{
	uint32_t state = 0;
	size_t at, n, good;
	int err;

	if (q->o->binary)
		return QUERY_GO_ON;
	for (at = 0; at < q->expanded_len; at += n) {
		err = query_stopped(q);
		if (err)
			return query_stop(q, err);
		n = q->expanded_len - at < WQ_PIECE ? q->expanded_len - at : WQ_PIECE;
		good = wsi_utf8_check(&state, q->expanded + at, n);
		if (good < n)
			return query_expanded_no_text(q, at + good);
	}
	return state ? query_expanded_no_text(q, q->expanded_len - 1) : QUERY_GO_ON;
}

/* Makes the data of a --data-expand. */
static int query_expand(struct wq_query *q, const struct wq_step *s)
{
	int r;

	wq_query_drop_expanded(q);
	r = wq_expand(s, &q->captured, q->o->lib.max_message, &q->expanded, &q->expanded_len);
	if (r == WS_ETOOBIG)
		return wq_query_too_big(q, "the data that --data-expand makes is over ");
	if (r)
		return wq_query_no_memory(q);
	return query_check_expanded(q);
}

void wq_query_drop_expanded(struct wq_query *q)
{
	if (q->expanded)
		wq_alloc(NULL, q->expanded, q->expanded_len, 0);
	q->expanded = NULL;
	q->expanded_len = 0;
}

int wq_query_next_step(struct wq_query *q)
{
	const struct wq_step *s = wq_query_current_step(q);

	q->seen = q->sent = 0;
	if (s && s->expand && query_expand(q, s) != QUERY_GO_ON)
		return QUERY_ENDED;
	if (s) {
		wq_query_enter(q, s->kind == WQ_STEP_SEND ? WQ_SEND : WQ_EXPECT);
	} else if (q->o->follow) {
		q->state = WQ_ANSWER; /* what is not written yet will be, while follow.c receives */
		return QUERY_ENDED;
	} else if (q->o->count > 0) {
		wq_query_enter(q, WQ_COLLECT);
	} else if (q->step > 0 && q->o->steps[q->step - 1].kind == WQ_STEP_SEND) {
		wq_query_enter(q, WQ_FLUSH);
	} else {
		q->state = WQ_ANSWER;
		return QUERY_ENDED;
	}
	return QUERY_GO_ON;
}

int wq_query_send(struct wq_query *q)
{
	struct wsi_str data = wq_query_data_to_send(q);
	int64_t begun_us = wq_now_us(); /* the answer may arrive before ws_send() returns */
	const char *rest = data.len > 0 ? data.p + q->sent : "";
	ptrdiff_t n;
	int r = query_end_check(q);

	if (r != QUERY_GO_ON)
		return r;
	n = ws_send(q->ws, q->o->binary ? WS_BINARY : WS_TEXT, rest, data.len - q->sent);
	if (n < 0 && n != WS_AGAIN)
		return wq_query_lost(q, (int)n);
	if (n > 0)
		q->sent += (size_t)n;
	if (n < 0 || q->sent < data.len) /* the peer may not read before we do */
		return query_keep_all(q);
	if (q->first_us < 0)
		q->since_us = begun_us;
	q->step++;
	q->state = WQ_STEP;
	return QUERY_GO_ON;
}

/* Holds a message against the step under way, and takes what later steps need of it: as
 * wq_query_match() */
static int query_match_step(struct wq_query *q, const struct wq_step *s, const struct ws_msg *msg)
{
	int r;

	if (q->captured.capture) /* it matches, and gave way after that */
		return query_capture(q);
	r = wq_query_match(q, &s->pattern, msg);
	if (r != 1 || !s->keep)
		return r;
	r = wq_captured_take(&q->captured, s, msg);
	return r ? r : query_capture(q);
}

/* Receives until a message matches */
int wq_query_expect(struct wq_query *q)
{
	const struct wq_step *s = wq_query_current_step(q);
	struct ws_msg msg = q->expecting;
	int r;

	for (;; msg.data = NULL) {
		if (!msg.data) {
			r = query_take(q, &msg);
			if (r != QUERY_GO_ON)
				return r;
		}
		r = query_match_step(q, s, &msg);
		if (r == WS_AGAIN) {
			q->expecting = msg;
			return QUERY_WAIT;
		}
		q->expecting.data = NULL;
		if (r < 0)
			return query_match_stopped(q, &s->pattern, &msg, r);
		if (r == 1)
			break;
		q->seen++;
		if (query_remember(q, &msg))
			return QUERY_ENDED;
	}
	wq_store_clear(&q->last); /* this step has used up what it passed over, too */
	q->step++;
	if (wq_query_current_step(q)) {
		q->state = WQ_STEP;
		return QUERY_GO_ON;
	}
	q->msg = msg;
	q->state = WQ_ANSWER;
	return QUERY_ENDED;
}

/* Receives --count messages */
int wq_query_collect(struct wq_query *q)
{
	size_t want = (size_t)q->o->count;
	struct ws_msg msg;
	int r;

	while (q->array && q->store.n < want) {
		r = query_receive(q, &msg);
		if (r != QUERY_GO_ON)
			return r;
		if (query_keep(q, &msg))
			return QUERY_ENDED;
	}
	if (q->array) {
		q->n = want;
	} else { /* one message: the answer is printed before the next ws_recv(), so it needs no copy */
		r = query_take(q, &msg);
		if (r != QUERY_GO_ON)
			return r;
		q->msg = msg;
	}
	q->state = WQ_ANSWER;
	return QUERY_ENDED;
}

static bool query_has_unsent(const struct wq_query *q)
{
	struct ws_pollset set;
	int i;

	ws_wants(q->ws, &set);
	for (i = 0; i < set.n; i++)
		if (set.fd[i].events & WS_POLL_WRITE)
			return true;
	return false;
}

/* No message is asked for, but the last step's data must be written. What arrives meanwhile is only
 * needed for the answer of a query that fails. */
int wq_query_flush(struct wq_query *q)
{
	struct ws_msg msg;
	int r;

	if (!q->checking.data && !query_has_unsent(q)) {
		q->state = WQ_ANSWER;
		return QUERY_ENDED;
	}
	for (;;) {
		r = query_receive(q, &msg);
		if (r != QUERY_GO_ON)
			return r;
		if (query_remember(q, &msg))
			return QUERY_ENDED;
	}
}
