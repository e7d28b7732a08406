/* SPDX-License-Identifier: ISC
 * failure.c - how a query fails: the sentence that says why, and what the answer then holds
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/optable.h"
#include "cli/query.h"
#include <signal.h>
#include <string.h>

#define SHOWN_URL 300

const struct wq_step *wq_query_current_step(const struct wq_query *q)
{
	return q->step < q->o->n_steps ? &q->o->steps[q->step] : NULL;
}

struct wsi_str wq_query_data_to_send(const struct wq_query *q)
{
	const struct wq_step *s = wq_query_current_step(q);
	struct wsi_str data = {NULL, 0};

	if (!s)
		return data;
	data.p = s->expand ? q->expanded : s->p;
	data.len = s->expand ? q->expanded_len : s->len;
	return data;
}

int64_t wq_query_open_deadline_us(const struct wq_query *q)
{
	int64_t connect_us = q->start_us + (int64_t)q->o->connect_timeout_ms * 1000;

	if (q->o->connect_timeout_ms && connect_us < q->deadline_us)
		return connect_us;
	return q->deadline_us;
}

/* Parts of sentences */

/* The word of details.phase for a query that ends in this state */
static const char *query_state_phase(const struct wq_query *q)
{
	switch (q->state) {
	case WQ_INPUT:
	case WQ_OPTION_INPUT:
	case WQ_DATA_INPUT:
		return "input";
	case WQ_OPEN:
		return q->connected ? "upgrade" : ws_phasename(q->info->phase);
	case WQ_PING:
	case WQ_PONG:
	case WQ_PINGS:
		return "ping";
	case WQ_STEP:
	case WQ_SEND:
	case WQ_FLUSH:
		return "send";
	case WQ_EXPECT:
	case WQ_COLLECT:
	case WQ_FOLLOW:
		return "receive";
	default:
		return "done";
	}
}

void wq_put_url(struct wsi_text *t, const struct wq_query *q)
{
	if (q->info && *q->info->url)
		wsi_put(t, q->info->url);
	else
		wsi_put_url(t, q->url, strlen(q->url));
}

void wq_query_put_peer(struct wsi_text *t, const struct wq_query *q)
{
	char buf[SHOWN_URL + 1];
	struct wsi_text url;

	if (q->info && *q->info->address) {
		wsi_put(t, q->info->address);
		return;
	}
	wsi_text_init(&url, buf, sizeof buf);
	wq_put_url(&url, q); /* This cuts the URL after its userinfo was removed. */
	wsi_put(t, buf);
	if (url.cut)
		wsi_put(t, "...");
}

/* "receive from 127.0.0.1:80: " */
struct wsi_text *wq_query_begin_sentence(struct wq_query *q)
{
	struct wsi_text *t;

	wq_why_free(&q->why);
	t = wq_why(&q->why);
	wsi_put(t, query_state_phase(q));
	if (q->state < WQ_PING)
		wsi_put(t, " for ");
	else if (q->state == WQ_EXPECT || q->state == WQ_COLLECT || q->state == WQ_FOLLOW)
		wsi_put(t, " from ");
	else
		wsi_put(t, " to ");
	wq_query_put_peer(t, q);
	wsi_put(t, ": ");
	return t;
}

void wq_query_put_quoted(struct wsi_text *t, const char *p, size_t len)
{
	wsi_put(t, "\"");
	wsi_put_safe(t, p, len < QUERY_SHOWN ? len : QUERY_SHOWN);
	wsi_put(t, len < QUERY_SHOWN ? "\"" : "...\"");
}

void wq_query_put_number(struct wsi_text *t, const char *before, uint64_t n, const char *after)
{
	wsi_put(t, before);
	wsi_put_u(t, n);
	wsi_put(t, after);
}

/* Names the option and its pattern: --expect "^ok". The pattern may be a URL that was meant to be
 * asked. */
void wq_query_put_pattern(struct wsi_text *t, const struct wq_pattern *pattern)
{
	wsi_put(t, "--");
	wsi_put(t, pattern->option);
	wsi_put(t, " ");
	wq_put_value(t, pattern->p);
}

/* How many messages came of those that a pattern was to match */
static void query_put_unmatched(struct wsi_text *t, const struct wq_query *q,
                                const struct wq_pattern *pattern)
{
	if (q->seen == 0)
		wsi_put(t, "no message came to match ");
	else if (q->seen == 1)
		wsi_put(t, "1 message came, but did not match ");
	else
		wq_query_put_number(t, "", q->seen, " messages came, but none matched ");
	wq_query_put_pattern(t, pattern);
}

/* What a stream brought on this connection */
static void query_put_followed(struct wsi_text *t, const struct wq_query *q)
{
	if (q->o->until)
		query_put_unmatched(t, q, q->o->until);
	else if (q->o->count > 0)
		wq_query_put_number(t, "not all messages came that -n asks for: ", q->seen,
		                    " on this connection");
	else if (q->seen == 0)
		wsi_put(t, "no message came");
	else
		wq_query_put_number(t, "after ", q->seen, q->seen == 1 ? " message" : " messages");
}

/* How many of the pings that --every asks for were answered */
static void query_put_pings(struct wsi_text *t, const struct wq_pings *p)
{
	if (p->answered == 0)
		wsi_put(t, "no answer to any of ");
	else
		wq_query_put_number(t, "only ", p->answered, " of ");
	wq_query_put_number(t, "", p->n, p->n == 1 ? " ping" : " pings");
	if (p->answered > 0)
		wsi_put(t, " were answered");
	if (p->sent < p->n)
		wq_query_put_number(t, " (", p->sent, p->sent == 1 ? " was sent)" : " were sent)");
}

/* Names what was still missing. */
void wq_query_put_missing(struct wsi_text *t, const struct wq_query *q)
{
	const struct wq_step *s = wq_query_current_step(q);

	if (q->unfinished) {
		wsi_put(t, "still matching a message with ");
		wq_query_put_pattern(t, q->unfinished);
		return;
	}
	switch (q->state) {
	case WQ_PONG:
		wsi_put(t, "no answer to the ping");
		return;
	case WQ_PINGS:
		query_put_pings(t, &q->pings);
		return;
	case WQ_SEND:
		wq_query_put_number(t, "only ", q->sent, " of ");
		wq_query_put_number(t, "", wq_query_data_to_send(q).len, " bytes were taken");
		return;
	case WQ_EXPECT:
		query_put_unmatched(t, q, &s->pattern);
		return;
	case WQ_COLLECT:
		if (q->array && q->store.n) {
			wq_query_put_number(t, "only ", q->store.n, " of ");
			wq_query_put_number(t, "", (uint64_t)q->o->count, " messages came");
		} else {
			wsi_put(t, "no message came");
		}
		return;
	case WQ_FOLLOW:
		query_put_followed(t, q);
		return;
	default:
		wsi_put(t, "not all was sent");
	}
}

void wq_query_put_lasted(struct wsi_text *t, int64_t since_us)
{
	wsi_put(t, " within ");
	wsi_put_ms(t, wq_now_us() - since_us);
}

/* The end of a query */

/* Chooses what the answer of a failed query shows: with an array all messages that were collected,
 * else the newest one that no step used up. q->msg is set already where the failure is about one
 * certain message. */
static void query_choose_data(struct wq_query *q)
{
	size_t at;

	if (q->array && q->state != WQ_EXPECT) {
		q->n = q->store.n;
		return;
	}
	if (q->msg.data)
		return;
	if (q->store.n > 0) {
		at = q->store.head;
		while (wq_store_next(&q->store, &at, &q->msg))
			;
	} else if (q->last.n > 0) {
		at = q->last.head;
		wq_store_next(&q->last, &at, &q->msg);
	}
}

/* Ends the query with an error. The sentence is error, or q->why where that is NULL. */
static int query_fail_with(struct wq_query *q, int err, const char *error)
{
	q->err = err;
	q->error = error ? error : wq_why(&q->why)->p;
	if (!q->phase)
		q->phase = query_state_phase(q);
	if (q->state >= WQ_PING && q->state < WQ_FOLLOW)
		query_choose_data(q);
	if (q->state == WQ_OPEN && !q->connected) {
		q->head = q->info->head;
		q->head_len = q->info->head_len;
	}
	q->state = WQ_ANSWER;
	q->total_us = wq_now_us() - q->start_us;
	return QUERY_ENDED;
}

int wq_query_fail(struct wq_query *q, int err)
{
	return query_fail_with(q, err, NULL);
}

int wq_query_no_memory(struct wq_query *q)
{
	static const char cause[] = "out of memory";
	struct wsi_text *t = wq_query_begin_sentence(q);

	q->final = !q->ws;
	wsi_put(t, cause);
	return query_fail_with(q, WS_EMEMORY, t->cut ? cause : NULL);
}

/* Errors of the library */

/* A character that a shell takes as it is */
static bool query_needs_no_quotes(int c)
{
	return wsi_is_letter_or_digit(c) || wsi_is_one_of(c, "+._");
}

/* The subprotocol that the server chose, if it can be typed on a command line as it stands */
static struct wsi_str query_chosen_subprotocol(const struct ws_report *r)
{
	const char *line = wsi_head_fields(r->head, r->head_len);
	struct wsi_str none = {"", 0};
	struct wsi_header h;

	if (r->head_len == 0)
		return none;
	while ((line = wsi_header_next(line, &h)) != NULL)
		if (wsi_is(h.name, "Sec-WebSocket-Protocol")
		    && wsi_span_if(h.value.p, h.value.len, query_needs_no_quotes) == h.value.len)
			return h.value;
	return none;
}

/* The upgrade failed, and the library names an option that may help */
static int query_upgrade_failed(struct wq_query *q, int err)
{
	const char *field = q->info->option, *name = wq_option_of(field);
	struct wsi_text *t = wq_why(&q->why);
	struct wsi_str value = {"", 0};

	if (!name)
		return query_fail_with(q, err, ws_errmsg(q->ws));
	wsi_put(t, ws_errmsg(q->ws));
	wsi_put(t, " (");
	if (strcmp(field, "subprotocols") == 0)
		value = query_chosen_subprotocol(q->info);
	if (value.len > 0) {
		wsi_put(t, "-s ");
		wsi_put_n(t, value.p, value.len);
	} else {
		wq_put_option(t, name);
	}
	wsi_put(t, ")");
	/* A long URL may leave no room for the hint. */
	return query_fail_with(q, err, t->cut ? ws_errmsg(q->ws) : NULL);
}

/* The server's certificate is not trusted. */
static int query_untrusted(struct wq_query *q, int err)
{
	struct wsi_text *t = wq_why(&q->why);

	wsi_put(t, ws_errmsg(q->ws));
	wsi_put(t, " (--cacert FILE trusts the certificates in FILE; -k checks nothing)");
	return query_fail_with(q, err, t->cut ? ws_errmsg(q->ws) : NULL);
}

/* Ends the query with the library's own sentence. */
int wq_query_library_failed(struct wq_query *q, int err)
{
	if (err == WS_EMEMORY)
		return wq_query_no_memory(q);
	if ((err == WS_EHTTP || err == WS_EHANDSHAKE) && *q->info->option)
		return query_upgrade_failed(q, err);
	if (err == WS_ECERT && strcmp(q->info->option, "tls.ca_file") == 0)
		return query_untrusted(q, err);
	return query_fail_with(q, err, ws_errmsg(q->ws));
}

/* " within 1 s", or where the waiting was only a part of that: " within 400 ms (the limit was 1 s)" */
static void query_put_limit(struct wsi_text *t, const struct wq_query *q, int64_t limit_us,
                            bool by_timeout)
{
	bool whole = wq_now_us() - q->waiting_us >= limit_us / 10 * 9;

	if (whole) {
		wsi_put(t, " within ");
	} else {
		wq_query_put_lasted(t, q->waiting_us);
		wsi_put(t, " (the limit was ");
	}
	wsi_put_ms(t, limit_us);
	if (!by_timeout) {
		wsi_put(t, whole ? " (what --wait" : ", what --wait");
		wsi_put(t, q->o->follow ? " or --max-time left" : " left");
	}
	if (!whole || !by_timeout)
		wsi_put(t, ")");
}

/* The deadline passed on the open connection. */
static int query_too_late(struct wq_query *q)
{
	bool unmatched = q->state == WQ_EXPECT && q->seen > 0;
	int64_t limit_us = q->deadline_us - q->start_us;
	int64_t timeout_us = (int64_t)q->o->timeout_ms * 1000;
	struct wsi_text *t = wq_query_begin_sentence(q);

	wq_query_put_missing(t, q);
	query_put_limit(t, q, limit_us, timeout_us && limit_us >= timeout_us);
	if (q->state == WQ_COLLECT && !q->store.n && !q->unfinished)
		wsi_put(t, "; --check tests the connection alone");
	if (q->state == WQ_SEND)
		wsi_put(t, ": the peer does not read, or not fast enough");
	return wq_query_fail(q, unmatched ? WQ_EUNMATCHED : WS_ETIMEOUT);
}

static int query_closed(struct wq_query *q, int err)
{
	const struct ws_report *r = q->info;
	struct wsi_text *t = wq_query_begin_sentence(q);

	if (err == WS_ERESET) {
		wsi_put(t, "the connection was reset (1006)");
	} else if (r->close_code == 1006) {
		wsi_put(t, "the connection ended without a close frame (1006)");
	} else {
		wsi_put(t, "closed by the server with ");
		wsi_put_close_code(t, (unsigned)r->close_code);
		if (r->close_reason_len) {
			wsi_put(t, ": ");
			wq_query_put_quoted(t, r->close_reason, r->close_reason_len);
		}
	}
	wsi_put(t, "; ");
	wq_query_put_missing(t, q);
	return wq_query_fail(q, err);
}

int wq_query_too_big(struct wq_query *q, const char *what)
{
	wq_query_put_number(wq_query_begin_sentence(q), what, q->o->lib.max_message,
	                    " bytes, which is --max-message: raise it if that much is wanted");
	return wq_query_fail(q, WS_ETOOBIG);
}

/* A library call failed on the open connection. */
int wq_query_lost(struct wq_query *q, int err)
{
	switch (err) {
	case WS_ETIMEOUT:
		return query_too_late(q);
	case WS_ECLOSED:
	case WS_ERESET:
		return query_closed(q, err);
	case WS_ETOOBIG:
		return wq_query_too_big(q, "a message over ");
	default:
		return wq_query_library_failed(q, err);
	}
}

/* Signals, and calls that are cut short */

static void query_put_signal(struct wsi_text *t, struct wq_query *q)
{
	q->signal = wq_signal();
	wsi_put(t, q->signal == SIGINT ? "interrupted by SIGINT" : "interrupted by SIGTERM");
}

int wq_query_interrupted(struct wq_query *q)
{
	query_put_signal(wq_query_begin_sentence(q), q);
	return wq_query_fail(q, WQ_EINTERRUPTED);
}

/* The error's sentence, for more to be added */
static struct wsi_text *query_continue_sentence(struct wq_query *q)
{
	struct wsi_text *t = wq_why(&q->why);

	if (q->error != t->p)
		wsi_put(t, q->error);
	q->error = t->p;
	return t;
}

void wq_query_add(struct wq_query *q, const char *what, const char *more)
{
	struct wsi_text *t = query_continue_sentence(q);

	wsi_put(t, what);
	wsi_put(t, more);
}

void wq_query_interrupt(struct wq_query *q)
{
	struct wsi_text *t = query_continue_sentence(q);

	wsi_put(t, "; ");
	query_put_signal(t, q);
	wsi_put(t, " before another try");
	q->err = WQ_EINTERRUPTED;
}

int wq_query_overdue(const struct wq_query *q, int64_t grace_us)
{
	int64_t until_us = wq_query_open_deadline_us(q);

	/* No call of another phase computes for long, and the report may be changing. */
	if (q->info && q->info->phase != WS_PHASE_TLS)
		return 0;
	return wq_signal() || (until_us != WQ_NEVER && wq_now_us() >= until_us + grace_us);
}

void wq_query_cut_short(struct wq_query *q)
{
	static struct ws_report report;
	struct wsi_text *t;

	if (q->info) {
		/* In the phase WS_PHASE_TLS only the members about TLS can be half written. */
		report = *q->info;
		report.tls_version = report.tls_cipher = report.cert_subject = report.cert_issuer =
		    "";
		report.cert_not_after = 0;
		report.tls_verified = 0;
		report.head_len = 0;
		q->info = &report;
	}
	if (wq_signal()) {
		wq_query_interrupted(q);
		return;
	}
	wq_why_free(&q->why);
	t = wq_why(&q->why);
	if (q->info) {
		wsi_put(t, "TLS handshake with ");
		wq_query_put_peer(t, q);
	} else {
		wsi_put(t, "reading the files of the TLS options");
	}
	wsi_put(t, ": timed out after ");
	wsi_put_ms(t, wq_now_us() - q->start_us);
	if (q->info)
		wsi_put(t, " while this machine was still computing what the server's certificates "
		           "and keys ask for");
	else
		wsi_put(t, " while they were still being parsed");
	wq_query_fail(q, WS_ETIMEOUT);
}
