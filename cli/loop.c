/* SPDX-License-Identifier: ISC
 * loop.c - waits for what works want, and lets them go on
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/loop.h"

void wq_loop_one(struct wq_work *w)
{
	struct pollfd p[WQ_FDS_MAX + 1]; /* and one for wq_wait() */
	unsigned n;

	while (!w->step(w)) {
		int64_t until_us = w->wants(w, p, &n);

		wq_wait(p, n, until_us, true);
	}
}
