/* SPDX-License-Identifier: ISC
 * query.c - one try, as a state machine over the library's non-blocking calls
 *
 *	INPUT --> OPTION_INPUT --> (ws_new) --> DATA_INPUT --> OPEN --> [PING --> PONG] --> STEP
 *	STEP --> SEND --> STEP      STEP --> EXPECT --> STEP      STEP --> COLLECT or FLUSH --> ANSWER
 *
 * Each state has one function, which says how to go on (enum query_result). Any of them can end in ANSWER by
 * query_fail(). Once the connection is open, every message is received by query_receive(), whatever the state.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/wsquery.h"
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define SMALL 512 /* bytes of a buffer */
#define SHOWN 100 /* bytes of a pattern or a reason in a sentence */
#define SHOWN_URL 300

/* What a state's function says to its caller */
enum query_result {
	QUERY_GO_ON = -1, /* there is more to do at once */
	QUERY_WAIT = 0,   /* first wait for what wq_query_wants() names */
	QUERY_ENDED = 1   /* the answer is known, or the connection is closed */
};

/* NULL: all are done */
static const struct wq_step *query_current_step(const struct wq_query *q)
{
	return q->step < q->o->n_steps ? &q->o->steps[q->step] : NULL;
}

/* Sentences */

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
		return "ping";
	case WQ_STEP:
	case WQ_SEND:
	case WQ_FLUSH:
		return "send";
	case WQ_EXPECT:
	case WQ_COLLECT:
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
		wsi_put_url(t, q->o->url, strlen(q->o->url));
}

static void query_put_peer(struct wsi_text *t, const struct wq_query *q)
{
	char buf[SHOWN_URL + 1];
	struct wsi_text url;

	if (q->info && *q->info->address) {
		wsi_put(t, q->info->address);
		return;
	}
	wsi_text_init(&url, buf, sizeof buf);
	wq_put_url(&url, q); /* cut here, and not before its userinfo is out */
	wsi_put(t, buf);
	if (url.cut)
		wsi_put(t, "...");
}

/* "receive from 127.0.0.1:80: " */
static struct wsi_text *query_begin_sentence(struct wq_query *q)
{
	struct wsi_text *t;

	wq_why_free(&q->why);
	t = wq_why(&q->why);
	wsi_put(t, query_state_phase(q));
	wsi_put(t, q->state < WQ_PING                                ? " for "
	           : q->state == WQ_EXPECT || q->state == WQ_COLLECT ? " from "
	                                                             : " to ");
	query_put_peer(t, q);
	wsi_put(t, ": ");
	return t;
}

static void query_put_quoted(struct wsi_text *t, const char *p, size_t len)
{
	wsi_put(t, "\"");
	wsi_put_safe(t, p, len < SHOWN ? len : SHOWN);
	wsi_put(t, len < SHOWN ? "\"" : "...\"");
}

static void query_put_number(struct wsi_text *t, const char *before, uint64_t n, const char *after)
{
	wsi_put(t, before);
	wsi_put_u(t, n);
	wsi_put(t, after);
}

/* Chooses what the answer of a failed query shows: with an array all messages that were collected, else the newest
 * one that no step used up. q->msg is set already where the failure is about one certain message. */
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
	if (q->state >= WQ_PING && q->state < WQ_ANSWER)
		query_choose_data(q);
	if (q->state == WQ_OPEN && !q->connected) {
		q->head = q->info->head;
		q->head_len = q->info->head_len;
	}
	q->state = WQ_ANSWER;
	q->total_us = wq_now_us() - q->start_us;
	return QUERY_ENDED;
}

static int query_fail(struct wq_query *q, int err)
{
	return query_fail_with(q, err, NULL);
}

static int query_no_memory(struct wq_query *q)
{
	static const char cause[] = "out of memory";
	struct wsi_text *t = query_begin_sentence(q);

	q->final = !q->ws;
	wsi_put(t, cause);
	return query_fail_with(q, WS_EMEMORY, t->cut ? cause : NULL);
}

/* The subprotocol that the server chose, if it can be typed on a command line as it stands */
static struct wsi_str query_chosen_subprotocol(const struct ws_report *r)
{
	const char *line = wsi_head_fields(r->head, r->head_len);
	struct wsi_str none = {"", 0};
	struct wsi_header h;

	while (r->head_len > 0 && (line = wsi_header_next(line, &h)) != NULL)
		if (wsi_among(h.name.p, h.name.len, "Sec-WebSocket-Protocol\0") == 0
		    && wsi_span(h.value.p, h.value.len, "+.09AZ__az") == h.value.len)
			return h.value;
	return none;
}

/* The upgrade failed, and the library names an option that may help */
static int query_upgrade_failed(struct wq_query *q, int err)
{
	const char *field = q->info->option, *name = wq_option_of(field);
	struct wsi_text *t = wq_why(&q->why);
	struct wsi_str value;

	if (!name)
		return query_fail_with(q, err, ws_error(q->ws));
	wsi_put(t, ws_error(q->ws));
	wsi_put(t, " (");
	if (strcmp(field, "subprotocols") == 0
	    && (value = query_chosen_subprotocol(q->info)).len > 0) {
		wsi_put(t, "-s ");
		wsi_put_n(t, value.p, value.len);
	} else {
		wq_put_option(t, name);
	}
	wsi_put(t, ")");
	return query_fail_with(
	    q, err, t->cut ? ws_error(q->ws) : NULL); /* a long URL leaves no room for it */
}

/* The library's own sentence says it */
static int query_library_failed(struct wq_query *q, int err)
{
	if (err == WS_EMEMORY)
		return query_no_memory(q);
	if ((err == WS_EHTTP || err == WS_EHANDSHAKE) && *q->info->option)
		return query_upgrade_failed(q, err);
	return query_fail_with(q, err, ws_error(q->ws));
}

static void query_put_signal(struct wsi_text *t, struct wq_query *q)
{
	q->signal = wq_signal();
	wsi_put(t, q->signal == SIGINT ? "interrupted by SIGINT" : "interrupted by SIGTERM");
}

static int query_interrupted(struct wq_query *q)
{
	query_put_signal(query_begin_sentence(q), q);
	return query_fail(q, WQ_EINTERRUPTED);
}

/* The error's sentence, to be gone on with */
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

/* Until when the WebSocket must be open */
static int64_t query_open_deadline_us(const struct wq_query *q)
{
	int64_t connect_us = q->start_us + (int64_t)q->o->connect_timeout_ms * 1000;

	return q->o->connect_timeout_ms && connect_us < q->deadline_us ? connect_us
	                                                               : q->deadline_us;
}

int wq_query_overdue(const struct wq_query *q, int64_t grace_us)
{
	int64_t until_us = query_open_deadline_us(q);

	if (q->info
	    && q->info->phase
	           != WS_TLS) /* no call of these takes long, and the report may be changing */
		return 0;
	return wq_signal() || (until_us != WQ_NEVER && wq_now_us() >= until_us + grace_us);
}

void wq_query_cut_short(struct wq_query *q)
{
	static struct ws_report report;
	struct wsi_text *t;

	if (q->info) { /* in the phase WS_TLS only what it says of TLS can be half written */
		report = *q->info;
		report.tls_version = report.tls_cipher = report.cert_subject = report.cert_issuer =
		    "";
		report.cert_not_after = 0;
		report.tls_verified = 0;
		report.head_len = 0;
		q->info = &report;
	}
	if (wq_signal()) {
		query_interrupted(q);
		return;
	}
	wq_why_free(&q->why);
	t = wq_why(&q->why);
	if (q->info) {
		wsi_put(t, "TLS handshake with ");
		query_put_peer(t, q);
		wsi_put(t, ": timed out after ");
	} else {
		wsi_put(t, "reading the files of the TLS options: timed out after ");
	}
	wsi_put_ms(t, wq_now_us() - q->start_us);
	wsi_put(t, q->info ? " while this machine was still computing what the server's "
	                     "certificates and keys ask for"
	                   : " while they were still being parsed");
	query_fail(q, WS_ETIMEOUT);
}

/* Names the option and its pattern: --expect "^ok" */
static void query_put_pattern(struct wsi_text *t, const struct wq_pattern *pattern)
{
	wsi_put(t, "--");
	wsi_put(t, pattern->option);
	wsi_put(t, " ");
	query_put_quoted(t, pattern->p, pattern->len);
}

/* What was still asked for */
static void query_put_missing(struct wsi_text *t, const struct wq_query *q)
{
	const struct wq_step *s = query_current_step(q);

	if (q->unfinished) {
		wsi_put(t, "still matching a message with ");
		query_put_pattern(t, q->unfinished);
		return;
	}
	switch (q->state) {
	case WQ_PONG:
		wsi_put(t, "no answer to the ping");
		return;
	case WQ_SEND:
		query_put_number(t, "only ", q->sent, " of ");
		query_put_number(t, "", s->len, " bytes were taken");
		return;
	case WQ_EXPECT:
		if (q->seen == 0)
			wsi_put(t, "no message came to match ");
		else if (q->seen == 1)
			wsi_put(t, "1 message came, but did not match ");
		else
			query_put_number(t, "", q->seen, " messages came, but none matched ");
		query_put_pattern(t, &s->pattern);
		return;
	case WQ_COLLECT:
		if (q->array && q->store.n) {
			query_put_number(t, "only ", q->store.n, " of ");
			query_put_number(t, "", (uint64_t)q->o->count, " messages came");
		} else {
			wsi_put(t, "no message came");
		}
		return;
	default:
		wsi_put(t, "not all was sent");
	}
}

static void query_put_lasted(struct wsi_text *t, int64_t since_us)
{
	wsi_put(t, " within ");
	wsi_put_ms(t, wq_now_us() - since_us);
}

/* Time is over once the connection stands */
static int query_too_late(struct wq_query *q)
{
	int unmatched = q->state == WQ_EXPECT && q->seen > 0;
	int64_t limit_us = q->deadline_us - q->start_us,
	        timeout_us = (int64_t)q->o->timeout_ms * 1000;
	struct wsi_text *t = query_begin_sentence(q);

	query_put_missing(t, q);
	query_put_lasted(t, q->waiting_us);
	wsi_put(t, " (the limit was ");
	wsi_put_ms(t, limit_us);
	wsi_put(t, timeout_us && limit_us >= timeout_us ? ")" : ", what --wait left)");
	if (q->state == WQ_COLLECT && !q->store.n && !q->unfinished)
		wsi_put(t, "; --check tests the connection alone");
	if (q->state == WQ_SEND)
		wsi_put(t, ": the peer does not read, or not fast enough");
	return query_fail(q, unmatched ? WQ_EUNMATCHED : WS_ETIMEOUT);
}

static int query_closed(struct wq_query *q, int err)
{
	const struct ws_report *r = q->info;
	const char *name = wsi_close_name((unsigned)r->close_code);
	struct wsi_text *t = query_begin_sentence(q);

	if (err == WS_ERESET) {
		wsi_put(t, "the connection was reset (1006)");
	} else if (r->close_code == 1006) {
		wsi_put(t, "the connection ended without a close frame (1006)");
	} else {
		query_put_number(t, "closed by the server with ", (uint64_t)r->close_code, name);
		if (r->close_reason_len) {
			wsi_put(t, ": ");
			query_put_quoted(t, r->close_reason, r->close_reason_len);
		}
	}
	wsi_put(t, "; ");
	query_put_missing(t, q);
	return query_fail(q, err);
}

static int query_too_big(struct wq_query *q, const char *what)
{
	query_put_number(query_begin_sentence(q), what, q->lib.max_message,
	                 " bytes, which is --max-message");
	return query_fail(q, WS_ETOOBIG);
}

/* A call of the library failed on the open connection */
static int query_lost(struct wq_query *q, int err)
{
	switch (err) {
	case WS_ETIMEOUT:
		return query_too_late(q);
	case WS_ECLOSED:
	case WS_ERESET:
		return query_closed(q, err);
	case WS_ETOOBIG:
		return query_too_big(q, "a message over ");
	default:
		return query_library_failed(q, err);
	}
}

/* Before the connection: files, options */

static int query_input_late(struct wq_query *q, const struct wq_input *in)
{
	struct wsi_text *t = query_begin_sentence(q);

	wq_put_input(t, in);
	wsi_put(t, " has not ended");
	query_put_lasted(t, q->start_us);
	return query_fail(q, WS_ETIMEOUT);
}

static int query_usage(struct wq_query *q)
{
	q->usage = q->final = 1;
	return query_fail(q, WS_EUSAGE);
}

static int query_not_text(struct wq_query *q, const struct wq_input *in, size_t at)
{
	query_put_number(wq_input_wrong(in, &q->why), "byte ", at + 1,
	                 " is not UTF-8 text (use --binary for other bytes)");
	return query_usage(q);
}

/* Only a step's input is text; what options make of theirs the library checks */
static int query_use_input(struct wq_query *q, struct wq_input *in)
{
	uint32_t state = 0;
	size_t at, n, good;

	if (!in->step)
		return 0;
	in->step->p = in->p;
	in->step->len = in->len;
	if (q->o->binary)
		return 0;
	for (at = 0; at < in->len; at += n) {
		if (wq_now_us() >= query_open_deadline_us(q))
			return query_input_late(q, in);
		n = in->len - at < WQ_PIECE ? in->len - at : WQ_PIECE;
		good = wsi_utf8_check(&state, in->p + at, n);
		if (good < n)
			return query_not_text(q, in, at + good);
	}
	return state ? query_not_text(q, in, in->len) : 0;
}

static int query_open_inputs(struct wq_query *q)
{
	size_t i;

	if (q->o->no_memory)
		return query_no_memory(q);
	for (i = 0; i < q->o->n_inputs; i++)
		if (wq_input_open(&q->o->inputs[i], &q->why) < 0)
			return query_usage(q);
	q->state = WQ_OPTION_INPUT;
	return QUERY_GO_ON;
}

/* Reads the inputs that are for options, or for steps. QUERY_GO_ON: all of them are there */
static int query_read_inputs(struct wq_query *q)
{
	for (; q->input < q->o->n_inputs; q->input++) {
		struct wq_input *in = &q->o->inputs[q->input];
		int r;

		if (!in->step != (q->state == WQ_OPTION_INPUT) || in->fd < 0)
			continue;
		while (in->fd >= 0) {
			if (wq_signal())
				return query_interrupted(q);
			if (wq_now_us() >= query_open_deadline_us(q))
				return query_input_late(q, in);
			r = wq_input_read(in, &q->why);
			if (r == WS_AGAIN)
				return QUERY_WAIT;
			if (r)
				return r == WS_EMEMORY ? query_no_memory(q) : query_usage(q);
		}
		if (query_use_input(q, in))
			return QUERY_ENDED;
	}
	q->input = 0;
	return QUERY_GO_ON;
}

static int query_ms_left(int64_t until_us)
{
	int ms = wsi_ms_until(wq_now_us(), until_us);

	return ms == 0 ? 1 : ms; /* 0 would be ws_new's default */
}

/* The environment is no command line: the query has failed */
static int query_env_failed(struct wq_query *q, int err)
{
	q->final = 1;
	q->phase = err == WS_EPROXY ? "proxy" : "tls";
	return query_fail(q, err);
}

/* The library's sentence on an option, with the option as its user knows it. Returns the variable it came from, or NULL */
static const char *query_put_wrong_option(struct wq_query *q)
{
	const char *field = q->info->option, *why = ws_error(q->ws), *name = wq_option_of(field);
	const char *from = wq_env_of(q->o, field, 0);
	struct wsi_text *t = wq_why(&q->why);
	size_t n = strlen(field);

	if (strncmp(why, field, n) == 0
	    && why[n] == ':') /* a field's name means nothing to a user */
		why += n + 1 + (why[n + 1] == ' ');
	if (from) {
		wsi_put(t, strncmp(field, "tls.", 4) == 0 ? "TLS by the environment, "
		                                          : "proxy by the environment, ");
		wsi_put(t, from);
	} else if (name) {
		wq_put_option(t, name);
	} else {
		wsi_put(t, field);
	}
	wsi_put(t, ": ");
	wsi_put(t, why);
	return from;
}

/* The library refused an option: whose was it? 1: answered; 0: the environment's, and it is done without */
static int query_wrong_option(struct wq_query *q)
{
	const char *field = q->info->option, *from = query_put_wrong_option(q);
	struct wsi_url u;
	int tls = strncmp(field, "tls.", 4) == 0;

	if (!from)
		return query_usage(q);
	if (!tls)
		return query_env_failed(q, WS_EPROXY);
	if (strcmp(field, "tls.keylog_file") != 0
	    && (wsi_url_parse(&u, q->o->url, strlen(q->o->url), -1) || u.secure))
		return query_env_failed(q, WS_ETLS);
	wq_say(wq_why(&q->why)->p, "ignored");
	wq_why_free(&q->why);
	wq_env_of(q->o, field, 1);
	return 0;
}

/* One short question and its answer: small buffers touch fewer pages, and what is large goes past them anyway */
static int query_is_small(const struct wq_options *o)
{
	size_t i;

	for (i = 0; i < o->n_steps; i++)
		if (o->steps[i].kind != WQ_STEP_SEND || o->steps[i].len > SMALL / 2)
			return 0;
	return o->count <= 1 && !o->n_inputs && !o->lib.proxy && !o->lib.proxy_wss;
}

/* ws_new reads and parses these, and a key's passphrase can take any time to be tried */
static int query_reads_tls_files(const struct ws_options *o)
{
	return o->tls.ca_file || o->tls.ca_dir || o->tls.cert_file || o->tls.key_file;
}

/* The library's object, which checks what the command line could not */
static int query_make_ws(struct wq_query *q)
{
	int r = q->attempts == 1 ? wq_options_use_inputs(q->o) : 0;

	if (r == 0 && q->attempts == 1) {
		r = wq_env_apply(q->o, &q->why);
		if (r == WS_EPROXY)
			return query_env_failed(q, r);
	}
	if (r == WS_EUSAGE) {
		wsi_put(wq_why(&q->why), wq_why(&q->o->why)->p);
		return query_usage(q);
	}
	if (r)
		return query_no_memory(q);
	for (;;) {
		q->lib = q->o->lib;
		q->lib.timeout_ms = query_ms_left(q->deadline_us);
		q->lib.connect_timeout_ms = q->o->connect_timeout_ms;
		q->lib.alloc = wq_alloc;
		if (query_is_small(q->o))
			q->lib.recv_buffer = q->lib.send_buffer = SMALL;
		if (query_reads_tls_files(&q->lib))
			wq_watchdog_start(q);
		q->ws = ws_new(q->o->url, &q->lib);
		wq_watchdog_stop();
		if (!q->ws)
			return query_no_memory(q);
		q->info = ws_info(q->ws);
		if (!*ws_error(q->ws)) {
			q->state = WQ_DATA_INPUT;
			return 0;
		}
		r = ws_open(q->ws);
		if (r == WS_ETIMEOUT) { /* a file of an option was not read to its end */
			query_put_wrong_option(q);
			return query_fail(q, r);
		}
		if (r != WS_EUSAGE) {
			q->state = WQ_OPEN;
			return query_library_failed(q, r);
		}
		if (query_wrong_option(q))
			return 1;
		ws_free(q->ws);
		q->ws = NULL;
		q->info = NULL;
	}
}

static void query_enter(struct wq_query *q, enum wq_state state)
{
	q->state = state;
	q->waiting_us = wq_now_us();
}

static int query_open_ws(struct wq_query *q)
{
	int r;

	if (q->info->phase == WS_TLS) /* the library enters it before it computes: see ws_info */
		wq_watchdog_start(q);
	r = ws_open(q->ws);
	wq_watchdog_stop();
	if (r == WS_AGAIN)
		return QUERY_WAIT;
	if (r)
		return query_library_failed(q, r);
	q->head = q->info->head;
	q->head_len = q->info->head_len;
	q->connected = 1;
	if (q->o->details && q->head_len) { /* the library drops it at the first ws_recv */
		q->head_copy = wq_alloc(NULL, NULL, 0, q->head_len);
		if (!q->head_copy)
			return query_no_memory(q);
		memcpy(q->head_copy, q->head, q->head_len);
	}
	q->head = q->head_copy;
	query_enter(q, q->o->ping ? WQ_PING : WQ_STEP);
	q->since_us = q->waiting_us;
	return QUERY_GO_ON;
}

/* The open connection
 *
 * A message takes one of four ways. A step uses it up; or it arrives before the step that may want it and waits in the
 * store (query_keep); or a step passes over it, and a copy of it is kept for the answer until the next one comes
 * (query_remember); or it matches --fail-on and ends the query. Copies are needed because the bytes of a message from
 * the library are gone with the next ws_recv(). */

/* A signal or the deadline ends whatever is under way: 0, or the error */
static int query_stopped(const struct wq_query *q)
{
	if (wq_signal())
		return WQ_EINTERRUPTED;
	return wq_now_us() >= q->deadline_us ? WS_ETIMEOUT : 0;
}

/* Ends the query with an error of query_stopped() or of a call on the open connection */
static int query_stop(struct wq_query *q, int err)
{
	return err == WQ_EINTERRUPTED ? query_interrupted(q) : query_lost(q, err);
}

/* 1: the message matches, 0: it does not, or an error of query_stopped(). The matcher is fed in slices because a costly
 * pattern must not outlast the deadline. */
static int query_match(const struct wq_query *q, const struct wq_pattern *pattern,
                       const struct ws_msg *msg)
{
	const char *p = msg->data;
	size_t at, n;
	int err;

	wsi_match_start(pattern->match);
	for (at = 0;; at += n) {
		err = query_stopped(q);
		if (err)
			return err;
		if (at == msg->len)
			return wsi_match_end(pattern->match);
		n = msg->len - at < WQ_SLICE ? msg->len - at : WQ_SLICE;
		if (wsi_match_feed(pattern->match, p + at, n))
			return 1;
	}
}

/* Keeps a message for a later step: 0, or QUERY_ENDED when that is not possible */
static int query_keep(struct wq_query *q, const struct ws_msg *msg)
{
	int r = wq_store_put(&q->store, msg, q->lib.max_message);

	if (r == 0)
		return 0;
	if (r == WS_EMEMORY)
		return query_no_memory(q);
	if (q->store.n >= WQ_MAX_KEPT && q->store.n >= q->lib.max_message) {
		query_put_number(query_begin_sentence(q), "more than ", q->store.n,
		                 " messages were to be kept");
		query_fail(q, r);
	} else {
		query_too_big(q, "the messages kept are over ");
	}
	ws_close(q->ws, 1009, "more messages than can be kept");
	return QUERY_ENDED;
}

/* Copies a message that no step used up, in place of the one before it: 0, or QUERY_ENDED when there is no memory */
static int query_remember(struct wq_query *q, const struct ws_msg *msg)
{
	wq_store_clear(&q->last);
	return wq_store_put(&q->last, msg, q->lib.max_message) ? query_no_memory(q) : 0;
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

/* The deadline or a signal came while a message was still being matched */
static int query_match_stopped(struct wq_query *q, const struct wq_pattern *pattern,
                               const struct ws_msg *msg, int err)
{
	if (query_show(q, msg))
		return QUERY_ENDED;
	q->unfinished = pattern;
	return query_stop(q, err);
}

/* True when a message may be quoted in a sentence: it is text, and does not repeat a password or the like that we sent */
static int query_can_quote(const struct wq_query *q, const struct ws_msg *msg)
{
	struct wsi_str text = {msg->data, msg->len < 4 * SHOWN ? msg->len : 4 * SHOWN};
	struct wsi_url url;

	if (msg->type != WS_TEXT || wsi_url_parse(&url, q->o->url, strlen(q->o->url), -1))
		return 0;
	return !wsi_shows_secret(text, &q->lib, &url);
}

/* The server sent what --fail-on names */
static int query_refused(struct wq_query *q, const struct wq_pattern *pattern,
                         const struct ws_msg *msg)
{
	struct wsi_text *t;

	if (query_show(q, msg))
		return QUERY_ENDED;
	t = query_begin_sentence(q);
	if (query_can_quote(q, &q->msg)) {
		wsi_put(t, "the server sent ");
		query_put_quoted(t, q->msg.data, q->msg.len);
	} else {
		wsi_put(t, q->msg.type == WS_TEXT ? "the server sent a text message of "
		                                  : "the server sent a binary message of ");
		query_put_number(t, "", q->msg.len, q->msg.len == 1 ? " byte" : " bytes");
	}
	wsi_put(t, ", which matches ");
	query_put_pattern(t, pattern);
	wsi_put(t, ": correct what is sent or the login, or narrow that pattern if the message is "
	           "harmless");
	return query_fail(q, WQ_EUNMATCHED);
}

/* Holds a new message against each --fail-on */
static int query_check_fail_on(struct wq_query *q, const struct ws_msg *msg)
{
	size_t i;

	for (i = 0; i < q->o->n_fail_on; i++) {
		const struct wq_pattern *pattern = &q->o->fail_on[i];
		int r = query_match(q, pattern, msg);

		if (r < 0)
			return query_match_stopped(q, pattern, msg, r);
		if (r == 1)
			return query_refused(q, pattern, msg);
	}
	return QUERY_GO_ON;
}

static int query_is_our_pong(const struct wq_query *q, const struct ws_msg *msg)
{
	return q->state == WQ_PONG && msg->type == WS_PONG && msg->len == sizeof q->ping_data
	       && memcmp(msg->data, q->ping_data, sizeof q->ping_data) == 0;
}

/* Receives a new message. QUERY_GO_ON: it is in *msg; in the state PONG it can also be the answer to our ping. Other
 * pongs are dropped. */
static int query_receive(struct wq_query *q, struct ws_msg *msg)
{
	int err;

	do {
		err = query_stopped(q);
		if (!err)
			err = ws_recv(q->ws, msg);
		if (err == WS_AGAIN)
			return QUERY_WAIT;
		if (err)
			return query_stop(q, err);
		if (query_is_our_pong(q, msg))
			return QUERY_GO_ON;
	} while (msg->type == WS_PONG);
	if (q->first_us < 0)
		q->first_us = wq_now_us() - q->since_us;
	return query_check_fail_on(q, msg);
}

/* The next message for a step: the oldest that was kept, else a new one */
static int query_take(struct wq_query *q, struct ws_msg *msg)
{
	return wq_store_take(&q->store, msg) ? QUERY_GO_ON : query_receive(q, msg);
}

/* Keeps all that has come by now: QUERY_WAIT or QUERY_ENDED */
static int query_keep_all(struct wq_query *q)
{
	struct ws_msg msg;
	int r;

	while ((r = query_receive(q, &msg)) == QUERY_GO_ON)
		if (query_keep(q, &msg))
			return QUERY_ENDED;
	return r;
}

/* A payload of its own for each: what answers another ping is no proof of life */
static int query_ping(struct wq_query *q)
{
	static const char hex[] = "0123456789abcdef";
	uint64_t v = (uint64_t)wq_now_us() * 0x9e3779b97f4a7c15u;
	size_t i;
	int r;

	if (!q->ping_data[0])
		for (i = 0; i < sizeof q->ping_data; i++)
			q->ping_data[i] = hex[v >> 4 * i & 15];
	r = ws_ping(q->ws, q->ping_data, sizeof q->ping_data);
	if (r == WS_AGAIN)
		return query_keep_all(q);
	if (r)
		return query_lost(q, r);
	q->state = WQ_PONG;
	return QUERY_GO_ON;
}

static int query_pong(struct wq_query *q)
{
	struct ws_msg msg;
	int r;

	while ((r = query_receive(q, &msg)) == QUERY_GO_ON) {
		if (msg.type == WS_PONG) {
			q->ping_us = wq_now_us() - q->waiting_us;
			query_enter(q, WQ_STEP);
			return QUERY_GO_ON;
		}
		if (query_keep(q, &msg))
			return QUERY_ENDED;
	}
	return r;
}

static int query_next_step(struct wq_query *q)
{
	const struct wq_step *s = query_current_step(q);

	q->seen = q->sent = 0;
	if (s) {
		query_enter(q, s->kind == WQ_STEP_SEND ? WQ_SEND : WQ_EXPECT);
	} else if (q->o->count > 0) {
		query_enter(q, WQ_COLLECT);
	} else if (q->step > 0 && q->o->steps[q->step - 1].kind == WQ_STEP_SEND) {
		query_enter(q, WQ_FLUSH);
	} else {
		q->state = WQ_ANSWER;
		return QUERY_ENDED;
	}
	return QUERY_GO_ON;
}

static int query_send(struct wq_query *q)
{
	const struct wq_step *s = query_current_step(q);
	int64_t begun_us = wq_now_us(); /* the answer may be there before ws_send is back */
	ptrdiff_t n =
	    ws_send(q->ws, q->o->binary ? WS_BINARY : WS_TEXT, s->p + q->sent, s->len - q->sent);

	if (n < 0 && n != WS_AGAIN)
		return query_lost(q, (int)n);
	if (n > 0)
		q->sent += (size_t)n;
	if (n < 0 || q->sent < s->len) /* the peer may not read before we do */
		return query_keep_all(q);
	if (q->first_us < 0)
		q->since_us = begun_us;
	q->step++;
	q->state = WQ_STEP;
	return QUERY_GO_ON;
}

/* Receives until a message matches */
static int query_expect(struct wq_query *q)
{
	const struct wq_pattern *pattern = &query_current_step(q)->pattern;
	struct ws_msg msg;
	int r;

	for (;;) {
		r = query_take(q, &msg);
		if (r != QUERY_GO_ON)
			return r;
		r = query_match(q, pattern, &msg);
		if (r < 0)
			return query_match_stopped(q, pattern, &msg, r);
		if (r == 1)
			break;
		q->seen++;
		if (query_remember(q, &msg))
			return QUERY_ENDED;
	}
	wq_store_clear(&q->last); /* this step has used up what it passed over, too */
	q->step++;
	if (query_current_step(q)) {
		q->state = WQ_STEP;
		return QUERY_GO_ON;
	}
	q->msg = msg;
	q->state = WQ_ANSWER;
	return QUERY_ENDED;
}

/* Receives --count messages */
static int query_collect(struct wq_query *q)
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

/* No message is asked for, but all of the last step must be written. What arrives meanwhile is of use only if this
 * fails. */
static int query_flush(struct wq_query *q)
{
	struct ws_pollset set;
	struct ws_msg msg;
	int i, r, busy = 0;

	ws_wants(q->ws, &set);
	for (i = 0; i < set.n; i++)
		busy |= set.fd[i].events & WS_POLL_WRITE;
	if (!busy) {
		q->state = WQ_ANSWER;
		return QUERY_ENDED;
	}
	while ((r = query_receive(q, &msg)) == QUERY_GO_ON)
		if (query_remember(q, &msg))
			return QUERY_ENDED;
	return r;
}

int64_t wq_cert_left(const struct ws_report *r)
{
	struct timespec ts = {0, 0};

	clock_gettime(CLOCK_REALTIME, &ts);
	return r->cert_not_after - (int64_t)ts.tv_sec;
}

/* All went well; but the certificate may not for long */
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
	query_put_peer(t, q);
	wsi_put(t, ": the certificate ends on ");
	wq_put_date(t, q->info->cert_not_after);
	query_put_number(t, ", within ", (uint64_t)days, " days (--cert-expiry)");
	return query_fail(q, WS_ECERT);
}

/* The machine */

static int query_run_state(struct wq_query *q)
{
	int r;

	switch (q->state) {
	case WQ_INPUT:
		return query_open_inputs(q);
	case WQ_OPTION_INPUT:
		r = query_read_inputs(q);
		if (r != QUERY_GO_ON)
			return r;
		return query_make_ws(q) ? QUERY_ENDED : QUERY_GO_ON;
	case WQ_DATA_INPUT:
		r = query_read_inputs(q);
		if (r == QUERY_GO_ON)
			q->state = WQ_OPEN;
		return r;
	case WQ_OPEN:
		return query_open_ws(q);
	case WQ_PING:
		return query_ping(q);
	case WQ_PONG:
		return query_pong(q);
	case WQ_STEP:
		return query_next_step(q);
	case WQ_SEND:
		return query_send(q);
	case WQ_EXPECT:
		return query_expect(q);
	case WQ_COLLECT:
		return query_collect(q);
	case WQ_FLUSH:
		return query_flush(q);
	case WQ_CLOSE:
		r = ws_close(q->ws, 1000, NULL);
		if (r == WS_AGAIN)
			return QUERY_WAIT;
		q->state = WQ_END;
		return QUERY_ENDED;
	case WQ_ANSWER:
	case WQ_END:
		return QUERY_ENDED;
	}
	return QUERY_ENDED;
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

int wq_query_step(struct wq_query *q)
{
	int r;

	if (wq_signal() && q->state < WQ_ANSWER)
		return query_interrupted(q);
	do
		r = query_run_state(q);
	while (r == QUERY_GO_ON);
	if (q->state == WQ_ANSWER && !q->error)
		r = query_done(q);
	return r;
}

void wq_query_begin(struct wq_query *q, struct wq_options *o, int attempts, int64_t timeout_us)
{
	memset(q, 0, sizeof *q);
	q->o = o;
	q->attempts = attempts;
	q->array = o->count > 1;
	q->state = attempts == 1 ? WQ_INPUT : WQ_OPTION_INPUT;
	q->ping_us = q->first_us = -1;
	q->start_us = wq_now_us();
	q->deadline_us = timeout_us == WQ_NEVER ? WQ_NEVER : q->start_us + timeout_us;
	wq_err_until(q->deadline_us);
}

int64_t wq_query_wants(const struct wq_query *q, struct pollfd p[WS_FDS_MAX], unsigned *n)
{
	struct ws_pollset set;
	int64_t now = wq_now_us();
	int i;

	if (q->state < WQ_OPEN) {
		p[0].fd = q->input < q->o->n_inputs ? q->o->inputs[q->input].fd : -1;
		p[0].events = POLLIN;
		*n = 1;
		return query_open_deadline_us(q);
	}
	ws_wants(q->ws, &set);
	for (i = 0; i < set.n; i++) {
		p[i].fd = set.fd[i].fd;
		p[i].events = (short)((set.fd[i].events & WS_POLL_READ ? POLLIN : 0)
		                      | (set.fd[i].events & WS_POLL_WRITE ? POLLOUT : 0));
	}
	*n = (unsigned)set.n;
	return set.timeout_ms < 0 ? WQ_NEVER : now + (int64_t)set.timeout_ms * 1000;
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
	wq_store_free(&q->last);
	wq_store_free(&q->store);
	if (q->head_copy)
		wq_alloc(NULL, q->head_copy, q->head_len, 0);
}

int wq_query_status(const struct wq_query *q)
{
	if (q->usage)
		return WQ_USAGE;
	if (q->signal)
		return 128 + q->signal;
	return !q->error ? WQ_OK : q->connected ? WQ_UNMET : WQ_FAILED;
}

const char *wq_reason(int err)
{
	return err == WQ_EUNMATCHED     ? "unmatched"
	       : err == WQ_EINTERRUPTED ? "interrupted"
	                                : ws_errname(err);
}
