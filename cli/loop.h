/* SPDX-License-Identifier: ISC
 * loop.h - waits for what works want, and lets them go on
 */
#ifndef WQ_LOOP_H
#define WQ_LOOP_H
#include "ws.h"
#include "cli/process.h"
#include <stdbool.h>

/* Descriptors that a work may wait for: those of its connection, standard input and output */
#define WQ_FDS_MAX (WS_FDS_MAX + 2)

/* Something that goes on without ever waiting itself: a query with its tries, for instance. It is
 * the first member of the struct that it belongs to. */
struct wq_work {
	/* Goes on as far as possible. True: it has ended, and the loop forgets it. It is called
	 * when something that it wants has come, and when a signal came. */
	bool (*step)(struct wq_work *w);
	/* Fills p[0..*n) for poll(). Returns until when to wait at most. */
	int64_t (*wants)(const struct wq_work *w, struct pollfd *p, unsigned *n);
};

/* Drives one work to its end. */
void wq_loop_one(struct wq_work *w);

#endif
