/* SPDX-License-Identifier: ISC
 * stream.c - the open connection of a URL that is followed: messages to standard output, lines of
 * standard input to the server
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
#include <string.h>

/* When so many bytes wait for the reader of standard output, nothing more is received. While more
 * comes, up to so many bytes share a write. They and a short message still fit into an empty pipe,
 * which mostly holds 64 KiB: a slightly larger write would wait for the reader. */
#define STREAM_BACKLOG 61440
/* How many times --close-timeout the rest of the stream may take, once all lines are sent */
#define STREAM_LAST_MOST 10
#define STREAM_TURN 256   /* messages between two looks at the clock and for signals */
#define STREAM_LINES 4096 /* the same for lines, so that many share a write */

/* The lines that were not written as a whole are sent again on the next connection. */
void wq_stream_take_back_lines(struct wq_follow *f)
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

/* Following has reached what was asked for. */
static enum wq_stream_result stream_succeed(struct wq_follow *f)
{
	f->q.err = 0;
	f->q.error = NULL;
	f->q.phase = "done";
	f->q.state = WQ_ANSWER;
	f->q.total_us = wq_now_us() - f->q.start_us;
	return WQ_STREAM_ENDED;
}

static enum wq_stream_result stream_interrupted(struct wq_follow *f)
{
	wq_query_interrupted(&f->q);
	return WQ_STREAM_ENDED;
}

/* True if -n or --until asked for more than came. */
static bool stream_lacks(const struct wq_follow *f)
{
	const struct wq_options *o = f->q.o;

	return o->until || (o->count > 0 && f->printed < (uint64_t)o->count);
}

/* Our close frame is sent, and the server does not answer it. */
static enum wq_stream_result stream_not_closed(struct wq_follow *f)
{
	struct wsi_text *t = wq_query_begin_sentence(&f->q);

	wsi_put(t, "standard input has ended; ");
	wq_query_put_missing(t, &f->q);
	wsi_put(t, " (the server has sent nothing more, and has not closed)");
	wq_query_fail(&f->q, WS_ETIMEOUT);
	return WQ_STREAM_ENDED;
}

/* A call of the library failed. */
static enum wq_stream_result stream_lost(struct wq_follow *f, int err)
{
	struct wq_query *q = &f->q;
	const bool late = err == WS_ETIMEOUT, closed = err == WS_ECLOSED;
	const bool last = f->state == WQ_FOLLOW_LAST;

	if (late && wq_now_us() >= f->end_us)
		return stream_succeed(f);
	if (err == WS_ECLOSED && q->info->close_code == WS_CLOSE_NORMAL && !stream_lacks(f))
		return stream_succeed(f);
	/* After our own close frame it does not matter with which code the server closes, or
	 * whether it sends a close frame. A reset does: it may have taken the last messages with
	 * it. */
	if (last && (late || closed) && !stream_lacks(f) && ws_unsent(q->ws) == 0)
		return stream_succeed(f);
	if (last && late)
		return stream_not_closed(f);
	if (late) /* the server has not answered the ping of ping_interval_ms */
		wq_query_library_failed(q, err);
	else
		wq_query_lost(q, err);
	return WQ_STREAM_ENDED;
}

/* Receiving and printing */

static bool stream_output_is_full(const struct wq_follow *f)
{
	return wq_out_waiting(&f->out) >= STREAM_BACKLOG;
}

static void stream_print(struct wq_follow *f, const struct ws_msg *msg)
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
static enum wq_stream_result stream_match(struct wq_follow *f, const struct ws_msg *msg)
{
	int r = wq_query_match(&f->q, f->q.o->until, msg);

	if (r == 0)
		return WQ_STREAM_GO_ON;
	if (r == WQ_EINTERRUPTED)
		return stream_interrupted(f);
	return stream_succeed(f); /* it matches, or --max-time has passed */
}

static enum wq_stream_result stream_message(struct wq_follow *f, const struct ws_msg *msg)
{
	const struct wq_options *o = f->q.o;

	if (msg->type == WS_PONG)
		return WQ_STREAM_GO_ON;
	if (o->n_fail_on > 0 && wq_query_check_fail_on(&f->q, msg) == QUERY_ENDED) {
		if (f->q.err == WS_ETIMEOUT) /* --max-time has passed while it was matched */
			return stream_succeed(f);
		return WQ_STREAM_ENDED;
	}
	stream_print(f, msg);
	if (f->out.err)
		return WQ_STREAM_ENDED;
	if (o->count > 0 && f->printed >= (uint64_t)o->count)
		return stream_succeed(f);
	return o->until ? stream_match(f, msg) : WQ_STREAM_GO_ON;
}

/* How long the rest of the stream is waited for after our close frame */
static void stream_limit_last(struct wq_follow *f)
{
	int64_t now_us = wq_now_us();
	int64_t until_us = now_us + (int64_t)f->q.o->close_timeout_ms * 1000;

	if (until_us > f->last_until_us)
		until_us = f->last_until_us;
	ws_timeout(f->q.ws, wsi_ms_until(now_us, until_us));
}

/* Messages came. */
static void stream_note_messages(struct wq_follow *f)
{
	f->last_us = f->idle_since_us = wq_now_us();
	if (f->q.first_us < 0)
		f->q.first_us = f->last_us - f->q.since_us;
	if (f->state == WQ_FOLLOW_LAST)
		stream_limit_last(f);
}

/* Receives until nothing more is there, or enough waits to be printed. */
static enum wq_stream_result stream_receive(struct wq_follow *f)
{
	uint64_t before = f->printed;
	struct ws_msg msg;
	enum wq_stream_result r = WQ_STREAM_GO_ON;
	int i;

	for (i = 0; i < STREAM_TURN && r == WQ_STREAM_GO_ON; i++) {
		int err = 0;

		if (stream_output_is_full(f))
			break;
		/* What came during the steps is first. */
		if (f->q.store.n == 0 || !wq_store_take(&f->q.store, &msg))
			err = ws_recv(f->q.ws, &msg);
		if (err == WS_AGAIN)
			r = WQ_STREAM_WAIT;
		else if (err)
			r = stream_lost(f, err);
		else
			r = stream_message(f, &msg);
	}
	if (f->printed > before)
		stream_note_messages(f);
	return r;
}

/* Sending lines */

/* Begins the sentence about the line that is next, which ends the query. */
static void stream_line_failed(struct wq_follow *f, const char *why)
{
	struct wq_query *q = &f->q;
	struct wsi_text *t;

	wq_why_free(&q->why);
	t = wq_why(&q->why);
	q->phase = "input";
	q->final = true;
	wq_query_put_number(t, "line ", f->lines.number, " of standard input: ");
	wsi_put(t, why);
}

static enum wq_stream_result stream_line_too_long(struct wq_follow *f)
{
	stream_line_failed(f, "it is over ");
	wq_query_put_number(wq_why(&f->q.why), "", f->q.o->lib.max_message,
	                    " bytes, which is --max-message");
	wq_query_fail(&f->q, WS_ETOOBIG);
	return WQ_STREAM_ENDED;
}

static enum wq_stream_result stream_line_is_not_text(struct wq_follow *f, size_t at)
{
	stream_line_failed(f, "");
	wq_query_put_number(wq_why(&f->q.why), "byte ", at + 1,
	                    " is not UTF-8 text (use --binary for other bytes)");
	wq_query_fail(&f->q, WS_EUTF8);
	return WQ_STREAM_ENDED;
}

static enum wq_stream_result stream_read_failed(struct wq_follow *f, int err)
{
	if (err == WS_EMEMORY) {
		f->q.final = true;
		wq_query_no_memory(&f->q);
		return WQ_STREAM_ENDED;
	}
	stream_line_failed(f, f->lines.cause);
	wq_query_fail(&f->q, WS_EIO);
	return WQ_STREAM_ENDED;
}

static enum wq_stream_result stream_read(struct wq_follow *f)
{
	int err = wq_lines_read(&f->lines);

	if (err == WS_AGAIN)
		return WQ_STREAM_WAIT;
	return err ? stream_read_failed(f, err) : WQ_STREAM_GO_ON;
}

/* All lines are sent. Without -n the connection is closed. A server may need a while to answer all
 * that it was sent, so what still comes is waited for until there is silence for --close-timeout. */
static enum wq_stream_result stream_end_input(struct wq_follow *f)
{
	const struct wq_options *o = f->q.o;
	int r;

	if (o->count > 0)
		return WQ_STREAM_WAIT;
	r = ws_shutdown(f->q.ws, WS_CLOSE_NORMAL, NULL);
	if (r)
		return stream_lost(f, r);
	f->state = WQ_FOLLOW_LAST;
	f->last_until_us = wq_now_us() + STREAM_LAST_MOST * (int64_t)o->close_timeout_ms * 1000;
	if (f->last_until_us > f->end_us)
		f->last_until_us = f->end_us;
	stream_limit_last(f);
	return WQ_STREAM_GO_ON;
}

/* Sends the line, or the rest of it. WQ_STREAM_GO_ON: all of it is taken. */
static enum wq_stream_result stream_send_line(struct wq_follow *f, const struct wq_line *line)
{
	const int type = f->q.o->binary ? WS_BINARY : WS_TEXT;
	const int hold = line->last ? 0 : WS_HOLD;
	uint32_t utf8 = 0;
	ptrdiff_t n;

	if (!f->line_begun && type == WS_TEXT) {
		size_t good = wsi_utf8_check(&utf8, line->p, line->len);

		if (good < line->len || utf8)
			return stream_line_is_not_text(f, good);
	}
	n = ws_send(f->q.ws, type | hold, line->p + f->line_sent, line->len - f->line_sent);
	f->send_blocked = n == WS_AGAIN;
	if (n == WS_AGAIN)
		return WQ_STREAM_WAIT;
	if (n < 0)
		return stream_lost(f, (int)n);
	f->line_begun = true;
	f->line_sent += (size_t)n;
	f->send_blocked = f->line_sent < line->len;
	if (f->send_blocked)
		return WQ_STREAM_WAIT;
	f->line_begun = false;
	f->line_sent = 0;
	wq_lines_take(&f->lines, line);
	return WQ_STREAM_GO_ON;
}

/* Reads and sends lines, as far as standard input and the server allow. */
static enum wq_stream_result stream_send(struct wq_follow *f)
{
	struct wq_line line;
	enum wq_stream_result r = WQ_STREAM_GO_ON;
	int i;

	for (i = 0; i < STREAM_LINES && r == WQ_STREAM_GO_ON; i++) {
		int found = wq_lines_look(&f->lines, &line);

		if (found == WS_ETOOBIG)
			return stream_line_too_long(f);
		if (found == 1) {
			r = stream_send_line(f, &line);
		} else if (f->lines.over) {
			return stream_end_input(f);
		} else if (!wq_lines_have_room(&f->lines)) {
			return WQ_STREAM_WAIT;
		} else {
			r = stream_read(f);
		}
	}
	return r;
}

/* The stream */

/* True if a line waits that could be sent now. If not, the poll for standard input or for writing
 * shows when one can. */
static bool stream_can_send(struct wq_follow *f)
{
	struct wq_line line;

	if (f->state != WQ_FOLLOW_STREAM || !f->q.o->lines || ws_unsent(f->q.ws) > 0)
		return false;
	wq_lines_forget(&f->lines); /* all that were taken are written */
	return wq_lines_look(&f->lines, &line) != 0;
}

static enum wq_stream_result stream_idle(struct wq_follow *f)
{
	struct wsi_text *t = wq_query_begin_sentence(&f->q);

	wsi_put(t, "no message came within ");
	wsi_put_ms(t, (int64_t)f->q.o->idle_timeout_ms * 1000);
	wsi_put(t, " (--idle-timeout)");
	wq_query_fail(&f->q, WS_ETIMEOUT);
	return WQ_STREAM_ENDED;
}

static int64_t stream_idle_until(const struct wq_follow *f)
{
	if (f->q.o->idle_timeout_ms <= 0 || f->state != WQ_FOLLOW_STREAM)
		return WQ_NEVER;
	return f->idle_since_us + (int64_t)f->q.o->idle_timeout_ms * 1000;
}

static int64_t stream_next_ping_us(const struct wq_follow *f, int64_t now_us)
{
	if (f->q.o->ping_interval_ms <= 0)
		return WQ_NEVER;
	return now_us + (int64_t)f->q.o->ping_interval_ms * 1000;
}

/* Nothing is received while much waits for the reader of the output, so the library does not see
 * that the time for a ping has come. The server must still see that we are there. */
static void stream_not_listening(struct wq_follow *f, int64_t now_us)
{
	f->idle_since_us = now_us;
	if (now_us < f->ping_us || f->state != WQ_FOLLOW_STREAM)
		return;
	ws_ping(f->q.ws, NULL, 0); /* if that fails, receiving will say why */
	f->ping_us = stream_next_ping_us(f, now_us);
}

enum wq_stream_result wq_stream_turn(struct wq_follow *f)
{
	enum wq_stream_result r = WQ_STREAM_WAIT, sent = WQ_STREAM_WAIT;
	int64_t now_us = wq_now_us();

	if (wq_signal())
		return stream_interrupted(f);
	if (now_us >= f->end_us)
		return stream_succeed(f);
	if (f->state == WQ_FOLLOW_STREAM && f->q.o->lines)
		sent = stream_send(f);
	if (sent == WQ_STREAM_ENDED)
		return sent;
	if (stream_output_is_full(f)) {
		stream_not_listening(f, now_us);
		r = WQ_STREAM_GO_ON; /* once its reader has taken enough */
	} else {
		f->ping_us = stream_next_ping_us(f, now_us);
		r = stream_receive(f);
	}
	if (r == WQ_STREAM_ENDED)
		return r;
	if (r == WQ_STREAM_GO_ON && !stream_output_is_full(f))
		return WQ_STREAM_GO_ON; /* what is there already goes out in one write */
	if (wq_out_try(&f->out))
		return WQ_STREAM_ENDED;
	if (r == WQ_STREAM_GO_ON && !stream_output_is_full(f))
		return WQ_STREAM_GO_ON;
	if (sent == WQ_STREAM_GO_ON || stream_can_send(f))
		return WQ_STREAM_GO_ON;
	if (wq_now_us() >= stream_idle_until(f))
		return stream_idle(f);
	return WQ_STREAM_WAIT;
}

/* The steps are done: the deadline of the try is over, and following begins. */
void wq_stream_start(struct wq_follow *f)
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

/* What the connection waits for. Where the output is full it is not read, so that only a line that
 * is being sent counts. */
int64_t wq_stream_wants(const struct wq_follow *f, struct pollfd *p, unsigned *n)
{
	int64_t until_us;

	if (f->hung_up)
		return WQ_NEVER;
	until_us = wq_query_wants(&f->q, p, n);
	if (f->state != WQ_FOLLOW_STREAM && f->state != WQ_FOLLOW_LAST)
		return until_us;
	if (!stream_output_is_full(f))
		return wsi_earlier(until_us, stream_idle_until(f));
	if (*n > 0 && f->send_blocked && (p[0].events & POLLOUT))
		p[0].events = POLLOUT;
	else
		*n = 0;
	return wsi_earlier(f->end_us, f->ping_us);
}
