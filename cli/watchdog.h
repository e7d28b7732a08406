/* SPDX-License-Identifier: ISC
 * watchdog.h - ends the program in a library call that computes past the deadline
 */
#ifndef WQ_WATCHDOG_H
#define WQ_WATCHDOG_H

struct wq_query;
typedef int (*wq_answer_fn)(const struct wq_query *q); /* prints the answer: the exit status */
void wq_watchdog_init(wq_answer_fn answer);
void wq_watchdog_start(struct wq_query *q); /* before a library call that can compute for long */
void wq_watchdog_stop(void);                /* after it */

#endif
