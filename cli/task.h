/* SPDX-License-Identifier: ISC
 * task.h - one URL: its tries, the pauses between them, its answer and its close
 */
#ifndef WQ_TASK_H
#define WQ_TASK_H
#include "cli/wsquery.h"

struct wq_task;
typedef int (*wq_task_answer_fn)(
    struct wq_task *t); /* prints the answer of t->q: the exit status */

struct wq_task {
	struct wq_work work; /* for the loop */
	enum wq_task_state {
		WQ_TASK_TRY,
		WQ_TASK_CLOSE_TRY, /* after a try that failed, before another one */
		WQ_TASK_PAUSE,
		WQ_TASK_SHORT, /* the try waits for a descriptor, and begins again then */
		WQ_TASK_CLOSE, /* after the answer */
		WQ_TASK_END
	} state;
	struct wq_query q; /* the try under way, or the last one */
	struct wq_tries tries;
	int64_t pause_until_us;
	int64_t short_us; /* how long the try waits for a descriptor the next time */
	wq_task_answer_fn answer;
	int status;                  /* once it is answered */
	struct wq_progress progress; /* of data that takes long to send, if it is the only task */
};
void wq_task_begin(struct wq_task *t, struct wq_options *o, const char *url,
                   wq_task_answer_fn answer);
/* Frees what the task holds. It need not have ended. */
void wq_task_end(struct wq_task *t);

#endif
