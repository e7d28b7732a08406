/* SPDX-License-Identifier: ISC
 * follow.c - following a stream: the tries, the connection that is opened again after a failure, and
 * the end
 *
 *	TRY --> STREAM [--> LAST] --> CLOSE --> END
 *	TRY or STREAM --> CLOSE_TRY --> PAUSE --> TRY      after a failure, while tries are left
 *
 * stream.c does the states STREAM and LAST. In each state what waits for the reader of standard
 * output is written as it is taken, and it is noticed when that reader has gone.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/follow.h"
#include "cli/query.h"
#include <errno.h>
#include <string.h>

static struct wq_follow *follow_of(struct wq_work *w)
{
	return (struct wq_follow *)w;
}

/* Tries */

static void follow_begin_try(struct wq_follow *f, int attempts)
{
	wq_query_begin(&f->q, f->q.o, f->q.url, attempts, wq_tries_timeout_us(&f->tries));
	f->fruitful = false;
	f->state = WQ_FOLLOW_TRY;
}

/* --wait, or what --max-time leaves if that is less */
static void follow_limit_tries(struct wq_follow *f)
{
	if (f->tries.end_us > f->end_us)
		f->tries.end_us = f->end_us;
}

/* The end */

/* Reports that standard output has failed. If its reader has gone, only the exit status says so. */
static void follow_end_output(struct wq_follow *f)
{
	int err = f->out.err;

	if (!err || f->output_over)
		return;
	f->output_over = true;
	if (err == ETIMEDOUT)
		wq_say("standard output", "its reader did not read everything in time");
	else if (err != EPIPE)
		wq_say("standard output", strerror(err));
	if (f->status == WQ_OK)
		f->status = wq_signal() ? 128 + wq_signal() : WQ_NO_OUTPUT;
}

/* The query is answered: puts the last object after what waits, and begins the close. */
static void follow_end(struct wq_follow *f)
{
	const struct wq_options *o = f->q.o;
	const bool waited = f->state == WQ_FOLLOW_LAST;
	struct wq_query *q = &f->q;

	f->state = WQ_FOLLOW_CLOSE;
	f->status = wq_query_status(q);
	if (q->usage) {
		wq_print_usage(o, q->error);
		f->state = WQ_FOLLOW_END;
		return;
	}
	if (o->format == WQ_JSON && (q->error || o->details))
		wq_json_answer(&f->out, q);
	else if (o->format == WQ_RAW && q->error)
		wq_put_answer(&f->out, q);
	if (o->format == WQ_RAW && q->error)
		wq_say(NULL, q->error);
	follow_end_output(f);
	wq_out_set_limit(&f->out, f->end_us);
	wq_query_close(q, waited ? wq_now_us() : WQ_NEVER);
}

/* Nobody reads standard output any more. A try that was under way, or failed, does not count. */
static void follow_end_unread(struct wq_follow *f)
{
	f->q.err = 0;
	f->q.error = NULL;
	follow_end(f);
}

/* The try failed, or following came to its end. */
static void follow_end_try(struct wq_follow *f)
{
	struct wq_query *q = &f->q;
	int64_t pause_us;

	if (f->fruitful)
		wq_tries_restart(&f->tries, q->o, f->last_us);
	follow_limit_tries(f);
	pause_us = wq_tries_pause_us(&f->tries, q);
	if (pause_us == WQ_NEVER || f->out.err) {
		wq_tries_add_earlier(&f->tries, q);
		follow_end(f);
		return;
	}
	wq_stream_take_back_lines(f);
	f->pause_until_us = wq_now_us() + pause_us;
	wq_tries_note(&f->tries, q);
	wq_query_close(q, f->pause_until_us);
	f->state = WQ_FOLLOW_CLOSE_TRY;
}

/* True if the reader of standard output has gone, even if nothing is written. */
static bool follow_reader_is_gone(struct wq_follow *f)
{
	struct pollfd p = {1, 0, 0};

	if (wq_is_closed(1) || poll(&p, 1, 0) <= 0)
		return false;
	if (p.revents & (POLLERR | POLLHUP))
		f->out.err = EPIPE;
	return f->out.err != 0;
}

/* Writes what waits, while the connection does something else. True: nobody reads it. */
static bool follow_output_fails(struct wq_follow *f)
{
	return wq_out_try(&f->out) != 0 || follow_reader_is_gone(f);
}

/* Steps of the states: true: the state has changed, or there is more to do at once */

static bool follow_step_try(struct wq_follow *f)
{
	bool answered = wq_query_step(&f->q);

	if (!answered && follow_output_fails(f)) {
		follow_end_unread(f);
		return true;
	}
	if (!answered)
		return false;
	if (f->q.error)
		follow_end_try(f);
	else
		wq_stream_start(f);
	return true;
}

static bool follow_step_stream(struct wq_follow *f)
{
	enum wq_stream_result r = WQ_STREAM_GO_ON;

	wq_tick_start(); /* once for many reads and writes, not once for each */
	while (r == WQ_STREAM_GO_ON)
		r = wq_stream_turn(f);
	wq_tick_stop();
	if (r == WQ_STREAM_WAIT && follow_reader_is_gone(f))
		r = WQ_STREAM_ENDED;
	if (r == WQ_STREAM_WAIT)
		return false;
	follow_end_try(f);
	return true;
}

static bool follow_step_pause(struct wq_follow *f)
{
	if (wq_signal()) {
		wq_query_interrupt(&f->q);
		follow_end(f);
		return true;
	}
	if (follow_output_fails(f)) {
		follow_end_unread(f);
		return true;
	}
	if (wq_now_us() < f->pause_until_us)
		return false;
	wq_query_end(&f->q);
	follow_begin_try(f, f->q.attempts + 1);
	return true;
}

/* A signal ends the waiting for the close. */
static bool follow_is_closed(struct wq_follow *f)
{
	return wq_query_step(&f->q) || (f->q.state == WQ_CLOSE && wq_signal());
}

/* True: all is written, or given up. */
static bool follow_is_written(struct wq_follow *f)
{
	if (!follow_output_fails(f) && wq_out_waiting(&f->out) > 0) {
		/* From then on the reader has only a short time left, so blocking until then does
		 * no harm. */
		if (!wq_signal() && wq_now_us() < f->end_us)
			return false;
		wq_out_end(&f->out);
	}
	follow_end_output(f);
	return true;
}

static bool follow_step_close(struct wq_follow *f)
{
	bool closed = follow_is_closed(f);

	if (closed && !f->hung_up) { /* the server need not wait for the reader of our output */
		wq_query_hang_up(&f->q);
		f->hung_up = true;
	}
	if (!follow_is_written(f) || !closed)
		return false;
	f->state = WQ_FOLLOW_END;
	return true;
}

static bool follow_step(struct wq_work *w)
{
	struct wq_follow *f = follow_of(w);
	bool more = true;

	while (more && f->state != WQ_FOLLOW_END) {
		switch (f->state) {
		case WQ_FOLLOW_TRY:
			more = follow_step_try(f);
			break;
		case WQ_FOLLOW_STREAM:
		case WQ_FOLLOW_LAST:
			more = follow_step_stream(f);
			break;
		case WQ_FOLLOW_CLOSE_TRY:
			more = follow_is_closed(f);
			if (more) {
				wq_query_hang_up(&f->q);
				f->state = WQ_FOLLOW_PAUSE;
			}
			break;
		case WQ_FOLLOW_PAUSE:
			more = follow_step_pause(f);
			break;
		case WQ_FOLLOW_CLOSE:
			more = follow_step_close(f);
			break;
		case WQ_FOLLOW_END:
			break;
		}
	}
	return f->state == WQ_FOLLOW_END;
}

static void follow_add_fd(struct pollfd *p, unsigned *n, int fd, short events)
{
	p[*n].fd = fd;
	p[*n].events = events;
	++*n;
}

static int64_t follow_wants(const struct wq_work *w, struct pollfd *p, unsigned *n)
{
	const struct wq_follow *f = (const struct wq_follow *)w;
	int64_t until_us;

	*n = 0;
	if (f->state == WQ_FOLLOW_PAUSE)
		until_us = f->pause_until_us;
	else
		until_us = wq_stream_wants(f, p, n);
	if (f->state == WQ_FOLLOW_STREAM && f->q.o->lines && wq_lines_have_room(&f->lines))
		follow_add_fd(p, n, 0, POLLIN);
	if (f->out.err || wq_is_closed(1))
		return until_us;
	if (wq_out_waiting(&f->out) > 0) {
		follow_add_fd(p, n, 1, POLLOUT);
		if (f->state == WQ_FOLLOW_CLOSE && f->end_us < until_us)
			until_us = f->end_us; /* the reader's time ends there */
		return until_us;
	}
	follow_add_fd(p, n, 1, 0);
	return until_us;
}

void wq_follow_begin(struct wq_follow *f, struct wq_options *o, const char *url)
{
	memset(f, 0, sizeof *f);
	f->work.step = follow_step;
	f->work.wants = follow_wants;
	f->q.o = o;
	f->q.url = url;
	f->end_us = WQ_NEVER;
	f->last_us = wq_now_us();
	if (o->max_time_ms > 0)
		f->end_us = f->last_us + (int64_t)o->max_time_ms * 1000;
	wq_out_init_kept(&f->out, 1);
	wq_lines_init(&f->lines, o->lib.max_message, o->binary);
	wq_tries_init(&f->tries, o);
	follow_limit_tries(f);
	follow_begin_try(f, 1);
}
