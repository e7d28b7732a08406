/* SPDX-License-Identifier: ISC
 * follow.c - following a stream: prints each message as it comes, sends the lines of standard
 * input, and opens the connection again after a failure
 *
 *	TRY --> STREAM [--> LAST] --> CLOSE --> END
 *	TRY or STREAM --> CLOSE_TRY --> PAUSE --> TRY      after a failure, while tries are left
 *
 * Nothing here waits, and memory does not grow with the stream: where the reader of standard output
 * is slow, nothing is read from the connection, and where the server is slow, nothing is read from
 * standard input. The reader has all the time that it wants, until --max-time or a signal.
 *
 * A line was sent when all of its frame was written. If the connection breaks before, the line is
 * sent again on the next one, so none is lost and none is sent twice.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/follow.h"
#include "cli/query.h"
#include <errno.h>
#include <string.h>

/* Bytes that may wait for the reader of standard output before nothing more is received */
#define FOLLOW_BACKLOG 65536
/* How many times --close-timeout the rest of the stream may take, once all lines are sent */
#define FOLLOW_LAST_MOST 10
#define FOLLOW_TURN 256   /* messages between two looks at the clock and for signals */
#define FOLLOW_LINES 4096 /* the same for lines, so that many share a write */

enum follow_result {
	FOLLOW_GO_ON, /* there is more to do at once */
	FOLLOW_WAIT,  /* first wait for what follow_wants() names */
	FOLLOW_ENDED  /* the query is answered: a good end, or an error */
};

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

/* The lines that were not written as a whole are sent again on the next connection. */
static void follow_take_back_lines(struct wq_follow *f)
{
	struct wq_line line;
	size_t begun = 0;

	if (!f->q.ws)
		return;
	if (f->line_begun && wq_lines_look(&f->lines, &line) == 1)
		begun = wq_lines_frame_size(line.len) - (line.len - f->line_sent);
	wq_lines_go_back(&f->lines, begun, ws_unsent(f->q.ws));
	f->line_begun = f->send_blocked = false;
	f->line_sent = 0;
}

/* The end */

/* Standard output takes no more. That its reader has gone is told by the status alone. */
static void follow_end_output(struct wq_follow *f)
{
	int err = f->out.err;

	if (!err || f->output_over)
		return;
	f->output_over = true;
	if (err == ETIMEDOUT)
		wq_say("standard output", "its reader did not take all that came in time");
	else if (err != EPIPE)
		wq_say("standard output", strerror(err));
	if (f->status == WQ_OK)
		f->status = wq_signal() ? 128 + wq_signal() : WQ_NO_OUTPUT;
}

/* The query is answered: puts the last object behind what waits, and begins the close. */
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
	follow_take_back_lines(f);
	f->pause_until_us = wq_now_us() + pause_us;
	wq_tries_note(&f->tries, q);
	wq_query_close(q, f->pause_until_us);
	f->state = WQ_FOLLOW_CLOSE_TRY;
}

/* Following has reached what was asked for. */
static int follow_succeed(struct wq_follow *f)
{
	f->q.err = 0;
	f->q.error = NULL;
	f->q.phase = "done";
	f->q.state = WQ_ANSWER;
	f->q.total_us = wq_now_us() - f->q.start_us;
	return FOLLOW_ENDED;
}

static int follow_interrupted(struct wq_follow *f)
{
	wq_query_interrupted(&f->q);
	return FOLLOW_ENDED;
}

/* True if -n or --until asked for more than came. */
static bool follow_lacks(const struct wq_follow *f)
{
	const struct wq_options *o = f->q.o;

	return o->until || (o->count > 0 && f->printed < (uint64_t)o->count);
}

/* Our close frame is sent, and the server does not answer it. */
static int follow_not_closed(struct wq_follow *f)
{
	struct wsi_text *t = wq_query_begin_sentence(&f->q);

	wsi_put(t, "standard input has ended; ");
	wq_query_put_missing(t, &f->q);
	wsi_put(t, " (the server has sent nothing more, and has not closed)");
	wq_query_fail(&f->q, WS_ETIMEOUT);
	return FOLLOW_ENDED;
}

/* A call of the library failed. */
static int follow_lost(struct wq_follow *f, int err)
{
	struct wq_query *q = &f->q;
	const bool late = err == WS_ETIMEOUT, closed = err == WS_ECLOSED || err == WS_ERESET;
	const bool last = f->state == WQ_FOLLOW_LAST;

	if (late && wq_now_us() >= f->end_us)
		return follow_succeed(f);
	if (err == WS_ECLOSED && q->info->close_code == WS_CLOSE_NORMAL && !follow_lacks(f))
		return follow_succeed(f);
	/* Behind our own close frame it does not matter how the server ends the connection. */
	if (last && (late || closed) && !follow_lacks(f) && ws_unsent(q->ws) == 0)
		return follow_succeed(f);
	if (last && late)
		return follow_not_closed(f);
	if (late) /* the server has not answered the ping of ping_interval_ms */
		wq_query_library_failed(q, err);
	else
		wq_query_lost(q, err);
	return FOLLOW_ENDED;
}

/* Receiving and printing */

static bool follow_output_is_full(const struct wq_follow *f)
{
	return wq_out_waiting(&f->out) >= FOLLOW_BACKLOG;
}

static void follow_print(struct wq_follow *f, const struct ws_msg *msg)
{
	if (f->q.o->format == WQ_JSON)
		wq_json_message(&f->out, msg);
	else
		wq_put_raw_message(&f->out, msg);
	f->printed++;
	f->q.seen++;
	f->fruitful = true;
}

/* Holds the message against --until. */
static int follow_match(struct wq_follow *f, const struct ws_msg *msg)
{
	int r = wq_query_match(&f->q, f->q.o->until, msg);

	if (r == 0)
		return FOLLOW_GO_ON;
	if (r == WQ_EINTERRUPTED)
		return follow_interrupted(f);
	return follow_succeed(f); /* it matches, or --max-time has passed */
}

static int follow_message(struct wq_follow *f, const struct ws_msg *msg)
{
	const struct wq_options *o = f->q.o;

	if (msg->type == WS_PONG)
		return FOLLOW_GO_ON;
	if (o->n_fail_on > 0 && wq_query_check_fail_on(&f->q, msg) == QUERY_ENDED) {
		if (f->q.err == WS_ETIMEOUT) /* --max-time has passed while it was matched */
			return follow_succeed(f);
		return FOLLOW_ENDED;
	}
	follow_print(f, msg);
	if (f->out.err)
		return FOLLOW_ENDED;
	if (o->count > 0 && f->printed >= (uint64_t)o->count)
		return follow_succeed(f);
	return o->until ? follow_match(f, msg) : FOLLOW_GO_ON;
}

/* How long the rest of the stream is waited for behind our close frame */
static void follow_limit_last(struct wq_follow *f)
{
	int64_t now_us = wq_now_us();
	int64_t until_us = now_us + (int64_t)f->q.o->close_timeout_ms * 1000;

	if (until_us > f->last_until_us)
		until_us = f->last_until_us;
	ws_timeout(f->q.ws, wsi_ms_until(now_us, until_us));
}

/* Messages came. */
static void follow_note_messages(struct wq_follow *f)
{
	f->last_us = f->idle_since_us = wq_now_us();
	if (f->q.first_us < 0)
		f->q.first_us = f->last_us - f->q.since_us;
	if (f->state == WQ_FOLLOW_LAST)
		follow_limit_last(f);
}

/* Receives until nothing more is there, or enough waits to be printed. */
static int follow_receive(struct wq_follow *f)
{
	uint64_t before = f->printed;
	struct ws_msg msg;
	int i, r = FOLLOW_GO_ON;

	for (i = 0; i < FOLLOW_TURN && r == FOLLOW_GO_ON; i++) {
		int err = 0;

		if (follow_output_is_full(f))
			break;
		/* What came during the steps is first. */
		if (!wq_store_take(&f->q.store, &msg))
			err = ws_recv(f->q.ws, &msg);
		if (err == WS_AGAIN)
			r = FOLLOW_WAIT;
		else if (err)
			r = follow_lost(f, err);
		else
			r = follow_message(f, &msg);
	}
	if (f->printed > before)
		follow_note_messages(f);
	return r;
}

/* Sending lines */

static int follow_line_failed(struct wq_follow *f, const char *why)
{
	struct wq_query *q = &f->q;
	struct wsi_text *t;

	wq_why_free(&q->why);
	t = wq_why(&q->why);
	q->phase = "input";
	q->final = true;
	wq_query_put_number(t, "line ", f->lines.number, " of standard input: ");
	wsi_put(t, why);
	return FOLLOW_ENDED;
}

static int follow_line_too_long(struct wq_follow *f)
{
	follow_line_failed(f, "it is over ");
	wq_query_put_number(wq_why(&f->q.why), "", f->q.o->lib.max_message,
	                    " bytes, which is --max-message");
	wq_query_fail(&f->q, WS_ETOOBIG);
	return FOLLOW_ENDED;
}

static int follow_line_is_not_text(struct wq_follow *f, size_t at)
{
	follow_line_failed(f, "");
	wq_query_put_number(wq_why(&f->q.why), "byte ", at + 1,
	                    " is not UTF-8 text (use --binary for other bytes)");
	wq_query_fail(&f->q, WS_EUTF8);
	return FOLLOW_ENDED;
}

static int follow_read_failed(struct wq_follow *f, int err)
{
	if (err == WS_EMEMORY) {
		f->q.final = true;
		wq_query_no_memory(&f->q);
		return FOLLOW_ENDED;
	}
	follow_line_failed(f, f->lines.cause);
	wq_query_fail(&f->q, WS_EIO);
	return FOLLOW_ENDED;
}

static int follow_read(struct wq_follow *f)
{
	int err = wq_lines_read(&f->lines);

	if (err == WS_AGAIN)
		return FOLLOW_WAIT;
	return err ? follow_read_failed(f, err) : FOLLOW_GO_ON;
}

/* All lines are sent. Without -n the connection is closed. A server may need a while to answer all
 * that it was sent, so what still comes is waited for until there is silence for --close-timeout. */
static int follow_end_input(struct wq_follow *f)
{
	const struct wq_options *o = f->q.o;
	int r;

	if (o->count > 0)
		return FOLLOW_WAIT;
	r = ws_shutdown(f->q.ws, WS_CLOSE_NORMAL, NULL);
	if (r)
		return follow_lost(f, r);
	f->state = WQ_FOLLOW_LAST;
	f->last_until_us = wq_now_us() + FOLLOW_LAST_MOST * (int64_t)o->close_timeout_ms * 1000;
	if (f->last_until_us > f->end_us)
		f->last_until_us = f->end_us;
	follow_limit_last(f);
	return FOLLOW_GO_ON;
}

/* Sends the line, or the rest of it. FOLLOW_GO_ON: all of it is taken. */
static int follow_send_line(struct wq_follow *f, const struct wq_line *line)
{
	const int type = f->q.o->binary ? WS_BINARY : WS_TEXT;
	const int hold = line->last ? 0 : WS_HOLD;
	uint32_t utf8 = 0;
	ptrdiff_t n;

	if (!f->line_begun && type == WS_TEXT) {
		size_t good = wsi_utf8_check(&utf8, line->p, line->len);

		if (good < line->len || utf8)
			return follow_line_is_not_text(f, good);
	}
	n = ws_send(f->q.ws, type | hold, line->p + f->line_sent, line->len - f->line_sent);
	f->send_blocked = n == WS_AGAIN;
	if (n == WS_AGAIN)
		return FOLLOW_WAIT;
	if (n < 0)
		return follow_lost(f, (int)n);
	f->line_begun = true;
	f->line_sent += (size_t)n;
	f->send_blocked = f->line_sent < line->len;
	if (f->send_blocked)
		return FOLLOW_WAIT;
	f->line_begun = false;
	f->line_sent = 0;
	wq_lines_take(&f->lines, line);
	return FOLLOW_GO_ON;
}

/* Reads and sends lines, as far as standard input and the server allow. */
static int follow_send(struct wq_follow *f)
{
	struct wq_line line;
	int i, r = FOLLOW_GO_ON;

	for (i = 0; i < FOLLOW_LINES && r == FOLLOW_GO_ON; i++) {
		int found = wq_lines_look(&f->lines, &line);

		if (found == WS_ETOOBIG)
			return follow_line_too_long(f);
		if (found == 1) {
			r = follow_send_line(f, &line);
		} else if (f->lines.over) {
			return follow_end_input(f);
		} else if (!wq_lines_have_room(&f->lines)) {
			return FOLLOW_WAIT;
		} else {
			r = follow_read(f);
		}
	}
	return r;
}

/* The stream */

/* True if a line waits that could be sent now. Otherwise the poll for standard input or for writing
 * tells when there is. */
static bool follow_can_send(struct wq_follow *f)
{
	struct wq_line line;

	if (f->state != WQ_FOLLOW_STREAM || !f->q.o->lines || ws_unsent(f->q.ws) > 0)
		return false;
	wq_lines_forget(&f->lines); /* all that were taken are written */
	return wq_lines_look(&f->lines, &line) != 0;
}

static int follow_idle(struct wq_follow *f)
{
	struct wsi_text *t = wq_query_begin_sentence(&f->q);

	wsi_put(t, "no message came within ");
	wsi_put_ms(t, (int64_t)f->q.o->idle_timeout_ms * 1000);
	wsi_put(t, " (--idle-timeout)");
	wq_query_fail(&f->q, WS_ETIMEOUT);
	return FOLLOW_ENDED;
}

static int64_t follow_idle_until(const struct wq_follow *f)
{
	if (f->q.o->idle_timeout_ms <= 0 || f->state != WQ_FOLLOW_STREAM)
		return WQ_NEVER;
	return f->idle_since_us + (int64_t)f->q.o->idle_timeout_ms * 1000;
}

/* One turn of sending, receiving and printing */
static int follow_turn(struct wq_follow *f)
{
	int r = FOLLOW_WAIT, sent = FOLLOW_WAIT;

	if (wq_signal())
		return follow_interrupted(f);
	if (wq_now_us() >= f->end_us)
		return follow_succeed(f);
	if (f->state == WQ_FOLLOW_STREAM && f->q.o->lines)
		sent = follow_send(f);
	if (sent == FOLLOW_ENDED)
		return sent;
	if (follow_output_is_full(f))
		f->idle_since_us = wq_now_us(); /* we do not listen */
	else
		r = follow_receive(f);
	if (r == FOLLOW_ENDED)
		return r;
	if (r == FOLLOW_GO_ON && !follow_output_is_full(f))
		return FOLLOW_GO_ON; /* what is there already goes out in one write */
	if (wq_out_try(&f->out))
		return FOLLOW_ENDED;
	if (r == FOLLOW_GO_ON && !follow_output_is_full(f))
		return FOLLOW_GO_ON;
	if (sent == FOLLOW_GO_ON || follow_can_send(f))
		return FOLLOW_GO_ON;
	if (wq_now_us() >= follow_idle_until(f))
		return follow_idle(f);
	return FOLLOW_WAIT;
}

/* The steps are done: the deadline of the try is over, and following begins. */
static void follow_start(struct wq_follow *f)
{
	struct wq_query *q = &f->q;
	int64_t now_us = wq_now_us();

	q->deadline_us = f->end_us;
	wq_query_enter(q, WQ_FOLLOW);
	q->phase = NULL;
	q->seen = 0;
	memset(&q->msg, 0, sizeof q->msg);
	wq_store_clear(&q->last);
	ws_timeout(q->ws, wsi_ms_until(now_us, f->end_us));
	wq_err_until(f->end_us);
	f->idle_since_us = now_us;
	f->state = WQ_FOLLOW_STREAM;
}

/* True if the reader of standard output has gone. It is noticed although nothing is written. */
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
		follow_start(f);
	return true;
}

static bool follow_step_stream(struct wq_follow *f)
{
	int r = follow_turn(f);

	if (r == FOLLOW_WAIT && follow_reader_is_gone(f))
		r = FOLLOW_ENDED;
	if (r == FOLLOW_ENDED)
		follow_end_try(f);
	return r != FOLLOW_WAIT;
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
		/* Once the reader has no more time than this, waiting for it does no harm. */
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

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* What the connection waits for. Where the output is full it is not read, so that only a line that
 * is being sent counts. */
static int64_t follow_connection_wants(const struct wq_follow *f, struct pollfd *p, unsigned *n)
{
	int64_t until_us;

	if (f->hung_up)
		return WQ_NEVER;
	until_us = wq_query_wants(&f->q, p, n);
	if (f->state != WQ_FOLLOW_STREAM && f->state != WQ_FOLLOW_LAST)
		return until_us;
	if (!follow_output_is_full(f))
		return earlier(until_us, follow_idle_until(f));
	if (*n > 0 && f->send_blocked && (p[0].events & POLLOUT))
		p[0].events = POLLOUT;
	else
		*n = 0;
	return f->end_us;
}

static int64_t follow_wants(const struct wq_work *w, struct pollfd *p, unsigned *n)
{
	const struct wq_follow *f = (const struct wq_follow *)w;
	int64_t until_us;

	*n = 0;
	if (f->state == WQ_FOLLOW_PAUSE)
		until_us = f->pause_until_us;
	else
		until_us = follow_connection_wants(f, p, n);
	if (f->state == WQ_FOLLOW_STREAM && f->q.o->lines && wq_lines_have_room(&f->lines))
		follow_add_fd(p, n, 0, POLLIN);
	if (f->out.err || wq_is_closed(1))
		return until_us;
	if (wq_out_waiting(&f->out) > 0) {
		follow_add_fd(p, n, 1, POLLOUT);
		return f->state == WQ_FOLLOW_CLOSE ? earlier(until_us, f->end_us) : until_us;
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
