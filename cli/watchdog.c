/* SPDX-License-Identifier: ISC
 * watchdog.c - ends the program in the middle of a library call that computes on past the deadline, or past a signal
 *
 * A TLS library verifies a chain of certificates in one call, and the server chooses what there is to compute. So while
 * such a call runs, a timer looks at the clock. Once the query is overdue its handler prints the answer and exits.
 *
 * The interrupted call may have stopped anywhere, in malloc too. So nothing is allocated from then on but out of a
 * reserve (wq_memory_use_reserve), nothing is freed, only what such a call does not change is read
 * (wq_query_cut_short), and only async-signal-safe functions of the system are called. There is no way back into the
 * query, so a try that ends here is the last one.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/wsquery.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define TICK_US 20000  /* between two looks at the clock */
#define GRACE_US 20000 /* past the deadline: until then the library has a chance to find out itself */

static struct wq_query *volatile watched; /* in a library call now, or NULL */
static wq_answer_fn watchdog_answer;
static enum { WATCHDOG_NEW, WATCHDOG_READY, WATCHDOG_OFF } watchdog_state;

static void on_tick(int sig)
{
	struct wq_query *q = watched;
	int saved = errno;

	(void)sig;
	if (q && wq_query_overdue(q, GRACE_US)) {
		watched = NULL;
		wq_memory_use_reserve();
		wq_query_cut_short(q);
		_exit(watchdog_answer(q));
	}
	errno = saved;
}

/* Whoever started us may have set an alarm that is to end this process (alarm, then exec): that one is left alone */
static void watchdog_prepare(void)
{
	struct itimerval other;
	struct sigaction sa;

	watchdog_state = WATCHDOG_OFF;
	if (!watchdog_answer || getitimer(ITIMER_REAL, &other) < 0 || other.it_value.tv_sec || other.it_value.tv_usec)
		return;
	memset(&sa, 0, sizeof sa);
	sa.sa_handler = on_tick;
	sa.sa_flags = SA_RESTART;
	if (sigaction(SIGALRM, &sa, NULL) < 0)
		return;
	sigemptyset(&sa.sa_mask);
	sigaddset(&sa.sa_mask, SIGALRM);
	sigprocmask(SIG_UNBLOCK, &sa.sa_mask, NULL); /* a blocked signal stays blocked across exec */
	watchdog_state = WATCHDOG_READY;
}

void wq_watchdog_init(wq_answer_fn answer)
{
	watchdog_answer = answer;
}

void wq_watchdog_start(struct wq_query *q)
{
	static const struct itimerval tick = {{0, TICK_US}, {0, TICK_US}};

	if (watchdog_state == WATCHDOG_NEW)
		watchdog_prepare();
	if (watchdog_state != WATCHDOG_READY)
		return;
	watched = q;
	setitimer(ITIMER_REAL, &tick, NULL);
}

void wq_watchdog_stop(void)
{
	static const struct itimerval never;

	if (!watched)
		return;
	watched = NULL;
	setitimer(ITIMER_REAL, &never, NULL);
}
