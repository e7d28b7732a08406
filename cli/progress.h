/* SPDX-License-Identifier: ISC
 * progress.h - when to show how far a run that takes long has come
 */
#ifndef WQ_PROGRESS_H
#define WQ_PROGRESS_H
#include "ws_pure.h"
#include <stdbool.h>

struct wq_options;

struct wq_progress {
	int64_t next_us; /* when to show the line next; WQ_NEVER: it is not wanted */
};
/* Asks whether standard error is a terminal. */
void wq_progress_init(struct wq_progress *p, const struct wq_options *o);
/* True if it is time for wq_err_line(). */
bool wq_progress_is_due(struct wq_progress *p);

#endif
