/* SPDX-License-Identifier: ISC
 * watchdog.c - ends the program in the middle of a library call that computes on past the deadline,
 * or past a signal
 *
 * A TLS library verifies a chain of certificates in one call, and the server decides how much that
 * computes. While such a call runs, the ticks of process.c look at the clock. Once the query is
 * overdue, the signal handler prints the answer and exits.
 *
 * The call may have been interrupted anywhere, also within malloc. From then on memory comes from a
 * reserve (wq_memory_use_reserve), nothing is freed, only what such a call does not change is read
 * (wq_query_cut_short), and only async-signal-safe functions of the system are called. The query
 * cannot go on, so this try is the last one.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/wsquery.h"
#include <unistd.h>

/* How long after the deadline the library has the chance to notice it itself */
#define GRACE_US 40000

static struct wq_query *volatile watched; /* the query in a library call, or NULL */
static wq_answer_fn watchdog_answer;

static void look_at_the_clock(void)
{
	struct wq_query *q = watched;

	if (q && wq_query_overdue(q, GRACE_US)) {
		watched = NULL;
		wq_memory_use_reserve();
		wq_query_cut_short(q);
		_exit(watchdog_answer(q));
	}
}

void wq_watchdog_init(wq_answer_fn answer)
{
	watchdog_answer = answer;
	wq_tick_look(look_at_the_clock);
}

void wq_watchdog_start(struct wq_query *q)
{
	if (!watchdog_answer)
		return;
	watched = q;
	wq_tick_start();
}

void wq_watchdog_stop(void)
{
	if (!watched)
		return;
	watched = NULL;
	wq_tick_stop();
}
