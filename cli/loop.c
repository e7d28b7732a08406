/* SPDX-License-Identifier: ISC
 * loop.c - waits for what works want, and lets them go on
 *
 * A work is asked what it wants only after each of its steps; until the next one, the answer stays
 * in its slot.
 *
 * Some works have to compute for long, and then give way to the others. In each turn, those for which
 * something has come are stepped first, and then those that gave way, in a circle, as many as the time
 * allows and at least one. So however many compute, the others go on within a few hundredths of a
 * second.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/loop.h"
#include "cli/memory.h"
#include <string.h>

#define FIRST_SLOTS 16
#define TURN_US 10000 /* how long works may compute in a turn, and again those that gave way */

/* When works should give way. WQ_NEVER: while one is alone */
static int64_t turn_until_us = WQ_NEVER;

struct loop_slot {
	struct wq_work *work;
	int64_t until_us; /* steps it at this time, if nothing comes before */
	bool due;         /* steps it in this turn */
	unsigned n;       /* descriptors in p */
	struct pollfd p[WQ_FDS_MAX];
};

bool wq_turn_is_over(void)
{
	return turn_until_us != WQ_NEVER && wq_now_us() >= turn_until_us;
}

void wq_loop_one(struct wq_work *w)
{
	struct pollfd p[WQ_FDS_MAX + 1]; /* and one for wq_wait() */
	unsigned n;

	while (!w->step(w)) {
		int64_t until_us = w->wants(w, p, &n);

		wq_wait(p, n, until_us, true);
	}
}

void wq_loop_init(struct wq_loop *l)
{
	memset(l, 0, sizeof *l);
}

void wq_loop_end(struct wq_loop *l)
{
	if (l->slots)
		wq_alloc(NULL, l->slots, l->cap * sizeof *l->slots, 0);
	if (l->fds)
		wq_alloc(NULL, l->fds, l->fds_cap * sizeof *l->fds, 0);
	memset(l, 0, sizeof *l);
}

/* Grows an array to at least need elements, or to twice its size. False: no memory */
static bool loop_grow(void **array, size_t *cap, size_t need, size_t element_size)
{
	size_t new_cap = *cap > 0 ? 2 * *cap : FIRST_SLOTS;
	void *p;

	if (need <= *cap)
		return true;
	if (new_cap < need)
		new_cap = need;
	p = wq_alloc(NULL, *array, *cap * element_size, new_cap * element_size);
	if (!p)
		return false;
	*array = p;
	*cap = new_cap;
	return true;
}

bool wq_loop_add(struct wq_loop *l, struct wq_work *w)
{
	void *slots = l->slots;

	if (!loop_grow(&slots, &l->cap, l->n + 1, sizeof *l->slots))
		return false;
	l->slots = slots;
	l->slots[l->n].work = w;
	l->slots[l->n].until_us = 0;
	l->slots[l->n].due = true;
	l->slots[l->n].n = 0;
	l->n++;
	w->gives_way = false;
	return true;
}

void wq_loop_wake(struct wq_loop *l, const struct wq_work *w)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (l->slots[i].work == w)
			l->slots[i].until_us = 0;
}

/* Steps the work in a slot. True: it has ended, and the last one has its slot. */
static bool loop_step_slot(struct wq_loop *l, struct loop_slot *s)
{
	struct wq_work *w = s->work;

	w->gives_way = false;
	if (w->step(w)) {
		*s = l->slots[--l->n];
		w->ended(w);
		return true;
	}
	s->due = false;
	s->until_us = w->wants(w, s->p, &s->n);
	return false;
}

/* Steps every work that is due. */
static void loop_step_due(struct wq_loop *l)
{
	size_t i = 0;

	turn_until_us = wq_now_us() + TURN_US;
	while (i < l->n)
		if (!l->slots[i].due || !loop_step_slot(l, &l->slots[i]))
			i++;
}

static bool loop_gives_way(const struct wq_loop *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (l->slots[i].work->gives_way)
			return true;
	return false;
}

/* Steps works that gave way, each at most once. */
static void loop_step_others(struct wq_loop *l)
{
	size_t left = l->n;

	turn_until_us = wq_now_us() + TURN_US;
	for (; left > 0 && !wq_turn_is_over(); left--) {
		if (l->next_way >= l->n)
			l->next_way = 0;
		if (l->n == 0)
			return;
		if (!l->slots[l->next_way].work->gives_way
		    || !loop_step_slot(l, &l->slots[l->next_way]))
			l->next_way++;
	}
}

static void loop_step(struct wq_loop *l)
{
	loop_step_due(l);
	if (loop_gives_way(l))
		loop_step_others(l);
}

/* Lists what the works want, and sets *until_us to the earliest of their times. Returns how many
 * descriptors that are. */
static size_t loop_gather(struct wq_loop *l, int64_t *until_us)
{
	size_t i, n = 0;

	for (i = 0; i < l->n; i++) {
		const struct loop_slot *s = &l->slots[i];

		if (s->until_us < *until_us)
			*until_us = s->until_us;
		memcpy(l->fds + n, s->p, s->n * sizeof *s->p);
		n += s->n;
	}
	return n;
}

/* Finds the works for which something has come, or whose time has. */
static void loop_mark_due(struct wq_loop *l, int64_t now_us)
{
	const struct pollfd *p = l->fds;
	bool all = !l->signalled && wq_signal();
	size_t i;
	unsigned k;

	if (all)
		l->signalled = true;
	for (i = 0; i < l->n; i++) {
		struct loop_slot *s = &l->slots[i];

		s->due = all || now_us >= s->until_us;
		for (k = 0; k < s->n; k++)
			if (p[k].revents)
				s->due = true;
		p += s->n;
	}
}

static size_t loop_count_fds(const struct wq_loop *l)
{
	size_t i, n = 0;

	for (i = 0; i < l->n; i++)
		n += l->slots[i].n;
	return n;
}

/* Waits until a work is due, or the owner is. */
static void loop_wait(struct wq_loop *l, const struct wq_work *owner)
{
	struct pollfd own[WQ_FDS_MAX];
	unsigned n_own, n;
	int64_t until_us = owner->wants(owner, own, &n_own);
	void *fds = l->fds;

	if (loop_gives_way(l))
		until_us = 0;

	/* Room for the descriptors of all works, the owner and wq_wait() */
	if (!loop_grow(&fds, &l->fds_cap, loop_count_fds(l) + WQ_FDS_MAX + 1, sizeof *l->fds)) {
		wq_wait(own, 0, wq_now_us() + 10000,
		        false); /* some memory may be freed meanwhile */
		return;
	}
	l->fds = fds;
	n = (unsigned)loop_gather(l, &until_us);
	memcpy(l->fds + n, own, n_own * sizeof *own);
	/* After a signal the pipe stays readable, so it is not watched any more. */
	if (wq_wait(l->fds, n + n_own, until_us, !l->signalled) < 0)
		memset(l->fds, 0, n * sizeof *l->fds);
	loop_mark_due(l, wq_now_us());
}

void wq_loop_run(struct wq_loop *l, struct wq_work *owner)
{
	for (;;) {
		loop_step(l);
		if (owner->step(owner))
			return;
		loop_wait(l, owner);
	}
}
