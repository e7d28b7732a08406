/* SPDX-License-Identifier: ISC
 * progress.c - when to show how far a run that takes long has come
 *
 * The line is for a person who waits: only on a terminal, only after a second, a few times in each
 * second.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/progress.h"
#include "cli/options.h"
#include "cli/process.h"
#include <unistd.h>

#define FIRST_US 1000000
#define NEXT_US 200000

void wq_progress_init(struct wq_progress *p, const struct wq_options *o)
{
	p->next_us = WQ_NEVER;
	if (!o->no_progress && !o->quiet && !o->verbose && !wq_is_closed(2) && isatty(2))
		p->next_us = wq_now_us() + FIRST_US;
}

bool wq_progress_is_due(struct wq_progress *p)
{
	int64_t now_us;

	if (p->next_us == WQ_NEVER)
		return false;
	now_us = wq_now_us();
	if (now_us < p->next_us)
		return false;
	p->next_us = now_us + NEXT_US;
	return true;
}
