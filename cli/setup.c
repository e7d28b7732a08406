/* SPDX-License-Identifier: ISC
 * setup.c - a query before the WebSocket is open: reads the inputs, makes the library's options,
 * opens the connection
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/query.h"
#include <string.h>

/* Bytes of buffers */
#define SMALL 512
#define LEAST 256        /* for one of several queries */
#define STREAM_IN 131072 /* for a stream, so that a read brings many messages */
#define STREAM_OUT 65536 /* so that a write takes many lines */

/* Inputs */

static int query_input_late(struct wq_query *q, const struct wq_input *in)
{
	struct wsi_text *t = wq_query_begin_sentence(q);

	wq_put_input(t, in);
	wsi_put(t, " has not ended");
	wq_query_put_lasted(t, q->start_us);
	return wq_query_fail(q, WS_ETIMEOUT);
}

static int query_usage(struct wq_query *q)
{
	q->usage = q->final = true;
	return wq_query_fail(q, WS_EUSAGE);
}

/* A file could not be opened or read. Of several queries, one that found no descriptor waits for it. */
static int query_input_failed(struct wq_query *q, const struct wq_input *in, int err)
{
	wsi_put(wq_input_wrong(in, &q->why), in->cause);
	if (err != WS_EIO || !q->o->several)
		return query_usage(q);
	q->no_fd = true;
	return wq_query_fail(q, err);
}

static int query_not_text(struct wq_query *q, const struct wq_input *in, size_t at)
{
	wq_query_put_number(wq_input_wrong(in, &q->why), "byte ", at + 1,
	                    " is not UTF-8 text (use --binary for other bytes)");
	return query_usage(q);
}

/* Gives a step its input, which must be text without --binary. The library checks the values of
 * options. */
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
		if (wq_now_us() >= wq_query_open_deadline_us(q))
			return query_input_late(q, in);
		n = in->len - at < WQ_PIECE ? in->len - at : WQ_PIECE;
		good = wsi_utf8_check(&state, in->p + at, n);
		if (good < n)
			return query_not_text(q, in, at + good);
	}
	return state ? query_not_text(q, in, in->len) : 0;
}

int wq_query_open_inputs(struct wq_query *q)
{
	size_t i;

	if (q->o->no_memory)
		return wq_query_no_memory(q);
	for (i = 0; i < q->o->n_inputs && !q->o->inputs_opened; i++) {
		int r = wq_input_open(&q->o->inputs[i]);

		if (r)
			return query_input_failed(q, &q->o->inputs[i], r);
	}
	q->o->inputs_opened = true;
	q->state = WQ_OPTION_INPUT;
	return QUERY_GO_ON;
}

/* In the state OPTION_INPUT reads the inputs of options, else those of steps. QUERY_GO_ON: all are
 * complete. */
int wq_query_read_inputs(struct wq_query *q)
{
	for (; q->input < q->o->n_inputs; q->input++) {
		struct wq_input *in = &q->o->inputs[q->input];
		int r;
		bool for_option = !in->step;

		if (for_option != (q->state == WQ_OPTION_INPUT) || in->fd < 0)
			continue;
		while (in->fd >= 0) {
			if (wq_signal())
				return wq_query_interrupted(q);
			if (wq_now_us() >= wq_query_open_deadline_us(q))
				return query_input_late(q, in);
			r = wq_input_read(in);
			if (r == WS_AGAIN)
				return QUERY_WAIT;
			if (r == WS_EMEMORY)
				return wq_query_no_memory(q);
			if (r)
				return query_input_failed(q, in, r);
		}
		if (query_use_input(q, in))
			return QUERY_ENDED;
	}
	q->input = 0;
	return QUERY_GO_ON;
}

/* The library's options */

static int query_ms_left(int64_t until_us)
{
	int ms = wsi_ms_until(wq_now_us(), until_us);

	return ms == 0 ? 1 : ms; /* 0 would be ws_new's default */
}

/* A wrong variable of the environment is not a wrong command line: the query fails. */
static int query_env_failed(struct wq_query *q, int err)
{
	q->final = 1;
	q->phase = err == WS_EPROXY ? "proxy" : "tls";
	return wq_query_fail(q, err);
}

static bool is_tls_field(const char *field)
{
	return strncmp(field, "tls.", 4) == 0;
}

/* Writes the library's sentence about an option, with the option's name on the command line or the
 * variable's name. Returns the variable that its value came from, or NULL. */
static const char *query_put_wrong_option(struct wq_query *q, const struct wq_env *env)
{
	const char *field = q->info->option, *why = ws_errmsg(q->ws), *name = wq_option_of(field);
	const char *from = wq_env_of(env, field);
	struct wsi_text *t = wq_why(&q->why);
	size_t n = strlen(field);

	/* The library's sentence begins with the field's name, which means nothing to a user. */
	if (strncmp(why, field, n) == 0 && why[n] == ':') {
		why += n + 1;
		if (*why == ' ')
			why++;
	}
	if (from) {
		if (is_tls_field(field))
			wsi_put(t, "TLS by the environment, ");
		else
			wsi_put(t, "proxy by the environment, ");
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

/* Only wss:// uses TLS. unknown: the result for a URL that cannot be parsed. */
static bool uses_tls(const struct wq_query *q, bool unknown)
{
	struct wsi_url url;

	if (wsi_url_parse(&url, q->url, strlen(q->url)))
		return unknown;
	return url.secure;
}

/* The library refused an option. 0: its value came from the environment and is ignored from now on;
 * else QUERY_ENDED */
static int query_wrong_option(struct wq_query *q, struct wq_env *env)
{
	const char *field = q->info->option, *from = query_put_wrong_option(q, env);

	if (!from)
		return query_usage(q);
	if (!is_tls_field(field))
		return query_env_failed(q, WS_EPROXY);
	/* The error of a URL that cannot be parsed comes later. */
	if (strcmp(field, "tls.keylog_file") != 0 && uses_tls(q, true))
		return query_env_failed(q, WS_ETLS);
	wq_env_warn(from, wq_why(&q->why)->p, "ignored");
	wq_why_free(&q->why);
	wq_env_drop(env, field);
	return 0;
}

static bool query_sends_much(const struct wq_options *o)
{
	size_t i;

	for (i = 0; i < o->n_steps; i++)
		if (o->steps[i].kind == WQ_STEP_SEND && o->steps[i].len > SMALL / 2)
			return true;
	return o->n_inputs > 0;
}

static bool query_expects(const struct wq_options *o)
{
	size_t i;

	for (i = 0; i < o->n_steps; i++)
		if (o->steps[i].kind == WQ_STEP_EXPECT)
			return true;
	return o->count > 1;
}

/* Small buffers touch fewer pages, and there may be thousands of queries. A long message gets a
 * buffer of its own, but long data is slow through a small one. An answer of a proxy must fit. */
static void query_set_buffers(const struct wq_options *o, struct ws_options *lib)
{
	bool much = query_sends_much(o);

	if (o->follow) {
		lib->recv_buffer = STREAM_IN;
		lib->send_buffer = STREAM_OUT;
		lib->ping_interval_ms = o->ping_interval_ms;
	} else if (lib->proxy || lib->proxy_wss) {
		return;
	} else if (o->several) {
		lib->recv_buffer = LEAST;
		lib->send_buffer = much ? 0 : LEAST;
	} else if (!much && !query_expects(o)) {
		lib->recv_buffer = lib->send_buffer = SMALL;
	}
}

/* ws_new() reads and parses these files, and checking a key's passphrase can take any time. */
static bool query_reads_tls_files(const struct ws_options *o)
{
	return o->tls.ca_file || o->tls.ca_dir || o->tls.cert_file || o->tls.key_file;
}

/* Adds what the files of options say to the options that all queries share. 0, or QUERY_ENDED */
static int query_complete_options(struct wq_query *q)
{
	int r;

	if (q->o->inputs_used)
		return 0;
	r = wq_options_use_inputs(q->o);
	if (r == WS_EUSAGE) {
		wsi_put(wq_why(&q->why), wq_why(&q->o->why)->p);
		return query_usage(q);
	}
	if (r)
		return wq_query_no_memory(q);
	q->o->inputs_used = true;
	if (!q->o->several)
		q->url = q->o->urls[0]; /* it may have been in a file */
	return 0;
}

/* Sets what is left of the time. */
static void query_set_timeouts(const struct wq_query *q, struct ws_options *lib)
{
	lib->timeout_ms = query_ms_left(q->deadline_us);
	if (q->o->connect_timeout_ms)
		lib->connect_timeout_ms = query_ms_left(wq_query_open_deadline_us(q));
}

/* Calls ws_new(), which checks what the command line's parser could not. False: no memory */
static bool query_new_ws(struct wq_query *q, struct ws_options *lib)
{
	query_set_timeouts(q, lib);
	if (query_reads_tls_files(lib))
		wq_watchdog_start(q);
	wq_share_trust(q->o, lib, uses_tls(q, false));
	query_set_timeouts(q, lib); /* it may have taken some of the time */
	q->ws = ws_new(q->url, lib);
	wq_watchdog_stop();
	if (!q->ws)
		return false;
	q->info = ws_report(q->ws);
	return true;
}

/* For ws_new(), while it waits for a pipe */
static int query_gives_up(void *user_data)
{
	(void)user_data;
	return wq_signal() != 0;
}

/* Calls ws_new() with the options of this try. */
static int query_make_ws_with(struct wq_query *q, struct wq_env *env)
{
	struct ws_options *lib = env->lib;
	int r;

	lib->alloc = wq_alloc;
	lib->give_up = query_gives_up;
	if (!lib->user_agent)
		lib->user_agent = "wsquery/" WS_VERSION;
	if (q->o->verbose)
		lib->user_data = q; /* for wq_trace() */
	query_set_buffers(q->o, lib);
	/* Each turn drops one value of the environment that the library refuses. */
	for (;;) {
		if (!query_new_ws(q, lib))
			return wq_query_no_memory(q);
		if (!*ws_errmsg(q->ws)) {
			q->state = WQ_DATA_INPUT;
			return QUERY_GO_ON;
		}
		r = ws_open(q->ws); /* returns the error that ws_new() found */
		if (strncmp(q->info->option, "tls.ca_", 7) == 0)
			wq_share_no_trust(q->o);
		lib->tls.trust = NULL;
		if (r == WS_ETIMEOUT && wq_signal())
			return wq_query_interrupted(q);
		/* A file of an option did not end in time, or found no descriptor. */
		if (r == WS_ETIMEOUT || (r == WS_EIO && *q->info->option)) {
			query_put_wrong_option(q, env);
			return wq_query_fail(q, r);
		}
		if (r != WS_EUSAGE) {
			q->state = WQ_OPEN;
			return wq_query_library_failed(q, r);
		}
		if (query_wrong_option(q, env))
			return QUERY_ENDED;
		ws_free(q->ws);
		q->ws = NULL;
		q->info = NULL;
	}
}

int wq_query_make_ws(struct wq_query *q)
{
	struct ws_options lib;
	struct wq_env env;
	int r = query_complete_options(q);

	if (r)
		return r;
	lib = q->o->lib;
	r = wq_env_apply(&env, &lib, q->url, &q->why);
	if (r == WS_EPROXY)
		r = query_env_failed(q, r);
	else if (r)
		r = wq_query_no_memory(q);
	else
		r = query_make_ws_with(q, &env);
	wq_env_end(&env); /* ws_new() has copied what it needs */
	return r;
}

/* The connection */

/* What comes first on the open connection */
static enum wq_state query_first_state(const struct wq_options *o)
{
	if (o->pings > 0)
		return WQ_PINGS;
	return o->ping ? WQ_PING : WQ_STEP;
}

int wq_query_open_ws(struct wq_query *q)
{
	int r;

	if (q->info->phase
	    == WS_PHASE_TLS) /* the calls in this phase compute: see ws_report() in ws.h */
		wq_watchdog_start(q);
	r = ws_open(q->ws);
	wq_watchdog_stop();
	if (r == WS_AGAIN)
		return QUERY_WAIT;
	if (r)
		return wq_query_library_failed(q, r);
	q->head = q->info->head;
	q->head_len = q->info->head_len;
	q->connected = true;
	if (q->o->details && q->head_len) { /* the library drops the head at the first ws_recv() */
		q->head_copy = wq_alloc(NULL, NULL, 0, q->head_len);
		if (!q->head_copy)
			return wq_query_no_memory(q);
		memcpy(q->head_copy, q->head, q->head_len);
	}
	q->head = q->head_copy;
	wq_query_enter(q, query_first_state(q->o));
	q->since_us = q->waiting_us;
	return QUERY_GO_ON;
}
