/* SPDX-License-Identifier: ISC
 * main.c - tries and pauses, the answer as soon as it is known, the exit status
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/help.h"
#include "cli/wsquery.h"
#include <errno.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define WATCHED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define WATCHED 1
#endif
#endif
#ifdef WATCHED
#define ARENA 0 /* a sanitizer sees more with blocks of malloc */
#else
#define ARENA 24576
#endif
#define LEAST_US 10000 /* the shortest useful try */
#define EARLIER 256    /* bytes of an earlier try's sentence that are shown */

/* Ends output to standard output: 0, or an errno, of which the user is told. */
static int print_end(struct wq_out *out)
{
	int err = wq_out_end(out);

	if (err == ETIMEDOUT)
		wq_say("standard output", "its reader did not take the answer in time");
	else if (err)
		wq_say("standard output", strerror(err));
	return err;
}

static int print_help(enum wq_help help)
{
	struct wq_out out;

	wq_out_init(&out, 1, WQ_NEVER, 0);
	if (help == WQ_SHOW_HELP)
		wq_put_help(&out);
	else
		wq_put_version(&out);
	if (print_end(&out))
		return WQ_NO_OUTPUT;
	return WQ_OK;
}

/* The command line is wrong. Returns the exit status. */
static int wrong_usage(const struct wq_options *o, const char *why)
{
	struct wq_out out;
	int status = WQ_USAGE;

	wq_err_init(&out);
	wq_out(&out, "wsquery: ");
	wq_out(&out, why);
	wq_out(&out, "\nTry 'wsquery --help' for more.\n");
	wq_out_end(&out);
#ifndef WSQUERY_NO_FORMATS
	if (o->format == WQ_NAGIOS) {
		wq_out_init(&out, 1, 0, 0);
		status = wq_nagios_usage(&out, why);
		if (!o->quiet)
			wq_out_end(&out);
	}
#else
	(void)o;
#endif
	return status;
}

static void put_raw(struct wq_out *out, const struct wq_query *q)
{
	struct wq_walk walk = {0, 0};
	struct ws_msg m;

	while (wq_query_data(q, &walk, &m)) {
		wq_out_n(out, m.data, m.len);
		if (m.type == WS_TEXT)
			wq_out(out, "\n");
	}
}

/* Prints the answer: the exit status */
static int answer(const struct wq_query *q)
{
	const struct wq_options *o = q->o;
	int status = wq_query_status(q), err;
	struct wq_out out;

	if (q->usage)
		return wrong_usage(o, q->error);
#ifndef WSQUERY_NO_FORMATS
	if (o->format == WQ_NAGIOS)
		status = wq_nagios_status(q);
#endif
	if (o->quiet)
		return status;
	wq_out_init(&out, 1, q->deadline_us, q->store.bytes + q->msg.len);
	switch (o->format) {
	case WQ_JSON:
		wq_json_answer(&out, q);
		break;
	case WQ_RAW:
		put_raw(&out, q);
		if (q->error)
			wq_say(NULL, q->error);
		break;
#ifndef WSQUERY_NO_FORMATS
	case WQ_NAGIOS:
		wq_nagios_answer(&out, q);
		break;
	case WQ_PROMETHEUS:
		wq_prometheus_answer(&out, q);
		break;
#else
	case WQ_NAGIOS:
	case WQ_PROMETHEUS:
		break;
#endif
	}
	err = print_end(&out);
	if (!err || status != WQ_OK)
		return status;
	return wq_signal() ? 128 + wq_signal() : WQ_NO_OUTPUT;
}

/* Steps q until it is answered, or closed. A signal ends the waiting for a close */
static void run(struct wq_query *q)
{
	struct pollfd p[WS_FDS_MAX + 1];
	unsigned n;

	while (!wq_query_step(q)) {
		int64_t until = wq_query_wants(q, p, &n);

		if (q->state == WQ_CLOSE && wq_signal())
			break;
		wq_wait(p, n, until, 1);
	}
}

/* What is known across the tries of one run */
struct tries {
	int64_t end_us;          /* the deadline of --wait, or WQ_NEVER */
	int64_t timeout_us;      /* --timeout, or WQ_NEVER */
	struct wsi_text earlier; /* the error of the try before */
	char earlier_buf[EARLIER];
};

static void init_tries(struct tries *t, const struct wq_options *o)
{
	t->end_us = t->timeout_us = WQ_NEVER;
	if (o->wait_ms > 0)
		t->end_us = wq_now_us() + (int64_t)o->wait_ms * 1000;
	if (o->timeout_ms > 0)
		t->timeout_us = (int64_t)o->timeout_ms * 1000;
	wsi_text_init(&t->earlier, t->earlier_buf, sizeof t->earlier_buf);
}

/* A try gets --timeout, or what --wait leaves if that is less. */
static int64_t timeout_of_try_us(const struct tries *t)
{
	int64_t left_us;

	if (t->end_us == WQ_NEVER)
		return t->timeout_us;
	left_us = t->end_us - wq_now_us();
	return left_us < t->timeout_us ? left_us : t->timeout_us;
}

static bool may_try_again(const struct wq_query *q)
{
	const struct wq_options *o = q->o;

	if (!q->error || q->final || q->signal || wq_signal())
		return false;
	if (q->err == WS_EURL || q->err == WS_EUNSUPPORTED)
		return false;
	if (o->retry >= 0)
		return q->attempts <= o->retry;
	return o->wait_ms >= 0;
}

/* The pause before the next try, or WQ_NEVER if there is none. Under --wait, tries go on until its
 * end: a pause takes at most three quarters of what is left, so the last ones get shorter. */
static int64_t pause_us(const struct wq_query *q, const struct tries *t)
{
	int64_t pause = (int64_t)q->o->retry_delay_ms * 1000, left_us;

	if (!may_try_again(q))
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

/* Answers with the result of the last try. Returns the exit status. */
static int end_last_try(struct wq_query *q, const struct tries *t, bool cut_short)
{
	int status;

	/* A last try that --wait cut short tells little. */
	if (q->err == WS_ETIMEOUT && cut_short && t->earlier.len > 0)
		wq_query_add(q, "; the try before it failed with: ", t->earlier.p);
	status = answer(q);
	wq_query_close(q, WQ_NEVER);
	run(q);
	return status;
}

/* Closes a try that failed, and waits for the time of the next one. Under --wait the closing must
 * end within the pause. False: a signal came. */
static bool pause_after_try(struct wq_query *q, struct tries *t, int64_t pause)
{
	int64_t until_us = wq_now_us() + pause;
	struct pollfd p[1];

	wsi_text_init(&t->earlier, t->earlier_buf, sizeof t->earlier_buf);
	wsi_put(&t->earlier, q->error);
	wq_query_close(q, t->end_us == WQ_NEVER ? WQ_NEVER : until_us);
	run(q);
	wq_query_hang_up(q);
	while (wq_now_us() < until_us && !wq_signal())
		wq_wait(p, 0, until_us, 1);
	return wq_signal() == 0;
}

/* Tries until the query succeeds or may not be tried again. Returns the exit status. */
static int query(struct wq_options *o)
{
	static struct wq_query q;
	struct tries t;
	int attempts;

	init_tries(&t, o);
	for (attempts = 1;; attempts++) {
		int64_t timeout_us = timeout_of_try_us(&t), pause;

		wq_query_begin(&q, o, attempts, timeout_us);
		run(&q);
		pause = pause_us(&q, &t);
		if (pause == WQ_NEVER)
			return end_last_try(&q, &t, timeout_us != t.timeout_us);
		if (!pause_after_try(&q, &t, pause)) {
			wq_query_interrupt(&q);
			return answer(&q);
		}
		wq_query_end(&q);
	}
}

int main(int argc, char **argv)
{
	max_align_t arena[ARENA / sizeof(max_align_t) + 1];
	static struct wq_options o;
	int status;

	wq_process_init();
	wq_memory_init(arena, ARENA / sizeof arena[0]);
	wq_watchdog_init(answer);
	status = wq_options_parse(&o, argc, argv);
	if (o.help != WQ_NO_HELP)
		return print_help(o.help);
	if (status != WQ_OK)
		return wrong_usage(&o, wq_why(&o.why)->p);
	if (o.verbose)
		o.lib.trace = wq_trace;
	return query(&o); /* the system frees all memory */
}
