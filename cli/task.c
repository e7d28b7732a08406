/* SPDX-License-Identifier: ISC
 * task.c - one URL: its tries, the pauses between them, its answer and its close
 *
 *	TRY --> answered --> CLOSE --> END
 *	TRY --> CLOSE_TRY --> PAUSE --> TRY         while it may be tried again
 *	                      PAUSE --> END         when a signal comes
 *	TRY --> SHORT --> TRY                       the same try, while descriptors are short
 *
 * The answer is printed as soon as it is known, before the close is waited for.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/task.h"

#define MUCH 65536 /* bytes; less is gone at once */
/* How long a try waits for a descriptor: at first, and at most */
#define SHORT_US 10000
#define SHORT_MOST_US 320000

static struct wq_task *task_of(struct wq_work *w)
{
	return (struct wq_task *)w;
}

static void task_begin_try(struct wq_task *t, int attempts)
{
	wq_query_begin(&t->q, t->q.o, t->q.url, attempts, wq_tries_timeout_us(&t->tries));
	t->short_us = SHORT_US;
	t->state = WQ_TASK_TRY;
}

/* True if the try failed only because no descriptor was free, and there is time to wait for one. A
 * query that is alone fails at once, since it would wait for other programs. */
static bool task_lacks_fd(const struct wq_task *t)
{
	const struct wq_query *q = &t->q;

	return q->o->several && wq_query_lacks_fd(q) && !q->signal && !wq_signal()
	       && wq_now_us() < wq_query_open_deadline_us(q);
}

static void task_wait_for_fd(struct wq_task *t)
{
	int64_t until_us = wq_query_open_deadline_us(&t->q);

	t->pause_until_us = wq_now_us() + t->short_us;
	if (t->pause_until_us > until_us)
		t->pause_until_us = until_us;
	t->short_us *= 2;
	if (t->short_us > SHORT_MOST_US)
		t->short_us = SHORT_MOST_US;
	t->state = WQ_TASK_SHORT;
}

/* The same try begins again, with what is left of its time. */
static void task_go_on(struct wq_task *t)
{
	int64_t start_us = t->q.start_us, deadline_us = t->q.deadline_us;
	int attempts = t->q.attempts;

	wq_query_end(&t->q);
	wq_query_begin(&t->q, t->q.o, t->q.url, attempts, WQ_NEVER);
	t->q.start_us = start_us;
	t->q.deadline_us = deadline_us;
	t->state = WQ_TASK_TRY;
}

/* The try is over: begins its close, or answers if it was the last one. */
static void task_end_try(struct wq_task *t)
{
	struct wq_query *q = &t->q;
	int64_t pause_us;

	if (task_lacks_fd(t)) {
		task_wait_for_fd(t);
		return;
	}
	pause_us = wq_tries_pause_us(&t->tries, q);
	if (pause_us == WQ_NEVER) {
		wq_tries_add_earlier(&t->tries, q);
		t->status = t->answer(t);
		wq_query_close(q, WQ_NEVER);
		t->state = WQ_TASK_CLOSE;
		return;
	}
	t->pause_until_us = wq_now_us() + pause_us;
	wq_tries_note(&t->tries, q);
	/* Under --wait the closing must end within the pause. */
	wq_query_close(q, t->tries.end_us == WQ_NEVER ? WQ_NEVER : t->pause_until_us);
	t->state = WQ_TASK_CLOSE_TRY;
}

/* True: the connection is closed, or a signal ends the waiting for that. */
static bool task_is_closed(struct wq_task *t)
{
	return wq_query_step(&t->q) || (t->q.state == WQ_CLOSE && wq_signal());
}

/* True: the pause is over. */
static bool task_pause(struct wq_task *t)
{
	if (wq_signal()) {
		wq_query_interrupt(&t->q);
		t->status = t->answer(t);
		t->state = WQ_TASK_END;
		return true;
	}
	if (wq_now_us() < t->pause_until_us)
		return false;
	if (t->state == WQ_TASK_SHORT) {
		task_go_on(t);
		return true;
	}
	wq_query_end(&t->q);
	task_begin_try(t, t->q.attempts + 1);
	return true;
}

/* Shows how much of a message is sent. */
static void task_show_progress(struct wq_task *t)
{
	const struct wq_query *q = &t->q;
	char line[WQ_ERR_LINE + 1];
	struct wsi_text text;
	size_t len;

	if (q->state != WQ_SEND || !wq_progress_is_due(&t->progress))
		return;
	len = q->expanded ? q->expanded_len : q->o->steps[q->step].len;
	wsi_text_init(&text, line, sizeof line);
	wsi_put(&text, "wsquery: ");
	wsi_put_u(&text, q->sent / 1024);
	wsi_put(&text, " of ");
	wsi_put_u(&text, len / 1024);
	wsi_put(&text, " KiB are sent");
	wq_err_line(line);
}

/* The try goes on. True: it is answered. */
static bool task_try(struct wq_task *t)
{
	bool was_sending = t->q.state == WQ_SEND;

	if (wq_query_step(&t->q))
		return true;
	t->work.gives_way = t->q.gives_way;
	if (t->q.state == WQ_SEND)
		task_show_progress(t);
	else if (was_sending)
		wq_err_line("");
	return false;
}

static bool task_step(struct wq_work *w)
{
	struct wq_task *t = task_of(w);

	while (t->state != WQ_TASK_END) {
		switch (t->state) {
		case WQ_TASK_TRY:
			if (!task_try(t))
				return false;
			task_end_try(t);
			break;
		case WQ_TASK_CLOSE_TRY:
			if (!task_is_closed(t))
				return false;
			wq_query_hang_up(&t->q);
			t->state = WQ_TASK_PAUSE;
			break;
		case WQ_TASK_PAUSE:
		case WQ_TASK_SHORT:
			if (!task_pause(t))
				return false;
			break;
		case WQ_TASK_CLOSE:
			if (!task_is_closed(t))
				return false;
			t->state = WQ_TASK_END;
			break;
		case WQ_TASK_END:
			break;
		}
	}
	return true;
}

static int64_t task_wants(const struct wq_work *w, struct pollfd *p, unsigned *n)
{
	const struct wq_task *t = (const struct wq_task *)w;
	int64_t until_us;

	if (t->state == WQ_TASK_PAUSE || t->state == WQ_TASK_SHORT) {
		*n = 0;
		return t->pause_until_us;
	}
	until_us = wq_query_wants(&t->q, p, n);
	if (t->q.state == WQ_SEND && t->progress.next_us < until_us)
		return t->progress.next_us;
	return until_us;
}

/* True for data that can take a second to send. Standard input and files are not read yet. */
static bool sends_much(const struct wq_options *o)
{
	size_t i;

	for (i = 0; i < o->n_steps; i++)
		if (o->steps[i].kind == WQ_STEP_SEND && (!o->steps[i].p || o->steps[i].len > MUCH))
			return true;
	return false;
}

void wq_task_begin(struct wq_task *t, struct wq_options *o, const char *url,
                   wq_task_answer_fn answer)
{
	t->work.step = task_step;
	t->work.wants = task_wants;
	t->answer = answer;
	t->status = WQ_OK;
	t->progress.next_us = WQ_NEVER;
	if (!o->several && sends_much(o))
		wq_progress_init(&t->progress, o);
	t->q.o = o;
	t->q.url = url;
	wq_tries_init(&t->tries, o);
	task_begin_try(t, 1);
}

void wq_task_end(struct wq_task *t)
{
	wq_query_end(&t->q);
	wq_tries_end(&t->tries);
}
