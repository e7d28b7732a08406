/* SPDX-License-Identifier: ISC
 * main.c - tries and pauses, the answer as soon as it is known, the exit status
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
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
#define HELP_COLUMN 28
#define LEAST_US 10000 /* the shortest useful try */
#define EARLIER 256    /* bytes of an earlier try's sentence that are shown */

static int print_end(struct wq_out *out)
{
	int err = wq_out_end(out);

	if (err)
		wq_say("standard output", err == ETIMEDOUT
		                              ? "its reader did not take the answer in time"
		                              : strerror(err));
	return err;
}

static void put_help(struct wq_out *out)
{
	const char *s;
	int column = 0;

	for (s = wq_help(); *s; s++) {
		do
			wq_out_n(out, *s == '\t' ? " " : s, 1);
		while (++column < HELP_COLUMN && *s == '\t');
		if (*s == '\n')
			column = 0;
	}
}

static int print_help(const struct wq_options *o)
{
	static const char features[][10] = {"tls", "resolver", "threads", "proxies",
	                                    "redirects"}; /* of ws_feature */
	struct wq_out out;
	size_t i;

	wq_out_init(&out, 1, WQ_NEVER, 0);
	if (o->help == 'h') {
		put_help(&out);
	} else {
		wq_out(&out, "wsquery ");
		wq_out(&out, ws_version());
		wq_out(&out, "\nbuilt in:");
		for (i = 0; i < sizeof features / sizeof features[0]; i++) {
			if (ws_features() >> i & 1) {
				wq_out(&out, " ");
				wq_out(&out, features[i]);
			}
		}
#ifndef WSQUERY_NO_FORMATS
		wq_out(&out, " nagios prometheus");
#endif
		wq_out(&out, "\n");
	}
	return print_end(&out) ? WQ_NO_OUTPUT : WQ_OK;
}

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

/* How long to wait before the next try; WQ_NEVER: there is none. Under --wait there are tries until its end: a pause takes
 * at most three quarters of what is left, so the last ones get shorter. */
static int64_t pause_us(const struct wq_query *q, int64_t end_us)
{
	const struct wq_options *o = q->o;
	int64_t pause = (int64_t)o->retry_delay_ms * 1000, left = end_us - wq_now_us();

	if (!q->error || q->final || q->signal || wq_signal() || q->err == WS_EURL
	    || q->err == WS_EUNSUPPORTED)
		return WQ_NEVER;
	if (o->retry >= 0 ? q->attempts > o->retry : o->wait_ms < 0)
		return WQ_NEVER;
	if (end_us == WQ_NEVER)
		return pause;
	if (left <= LEAST_US)
		return WQ_NEVER;
	return pause < left / 4 * 3 ? pause : left / 4 * 3;
}

int main(int argc, char **argv)
{
	max_align_t arena[ARENA / sizeof(max_align_t) + 1];
	static struct wq_options o; /* static: beside what lies in that page anyway */
	static struct wq_query q;
	char earlier_buf[EARLIER];
	struct wsi_text earlier;
	struct pollfd p[1];
	int64_t end_us = WQ_NEVER, full_us, timeout_us, pause, until;
	int status, attempts = 0;

	wq_process_init();
	wq_memory_init(arena, ARENA / sizeof arena[0]);
	wq_watchdog_init(answer);
	status = wq_options_parse(&o, argc, argv);
	if (o.help)
		status = print_help(&o);
	else if (status)
		status = wrong_usage(&o, wq_why(&o.why)->p);
	if (o.help || status)
		return status;
	if (o.verbose)
		o.lib.trace = wq_trace;
	wsi_text_init(&earlier, earlier_buf, sizeof earlier_buf);
	if (o.wait_ms > 0)
		end_us = wq_now_us() + (int64_t)o.wait_ms * 1000;
	full_us = o.timeout_ms ? (int64_t)o.timeout_ms * 1000 : WQ_NEVER;
	for (;;) {
		timeout_us = full_us;
		if (end_us != WQ_NEVER && end_us - wq_now_us() < timeout_us)
			timeout_us = end_us - wq_now_us();
		wq_query_begin(&q, &o, ++attempts, timeout_us);
		run(&q);
		pause = pause_us(&q, end_us);
		until = pause == WQ_NEVER ? WQ_NEVER : wq_now_us() + pause;
		if (pause == WQ_NEVER) {
			/* A last try that --wait cut short tells little */
			if (q.err == WS_ETIMEOUT && timeout_us != full_us && earlier.len)
				wq_query_add(&q, "; the try before it failed with: ", earlier.p);
			status = answer(&q);
		} else {
			wsi_text_init(&earlier, earlier_buf, sizeof earlier_buf);
			wsi_put(&earlier, q.error);
		}
		wq_query_close(&q, end_us == WQ_NEVER ? WQ_NEVER
		                                      : until); /* under --wait within the pause */
		run(&q);
		if (pause == WQ_NEVER)
			break;
		wq_query_hang_up(&q);
		while (wq_now_us() < until && !wq_signal())
			wq_wait(p, 0, until, 1);
		if (wq_signal()) {
			wq_query_interrupt(&q);
			status = answer(&q);
			break;
		}
		wq_query_end(&q);
	}
	return status; /* and the system frees all */
}
