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
	/* The work has ended, and may be freed. Only for works in a struct wq_loop. */
	void (*ended)(struct wq_work *w);
	/* Set by step: it has more to do at once, and returned because the turn was over. */
	bool gives_way;
};

/* True when a work that computes should let the others go on: it sets .gives_way and returns, and goes
 * on in a later turn. Always false for a work that runs alone. */
bool wq_turn_is_over(void);

/* Drives one work to its end. Needs no memory. */
void wq_loop_one(struct wq_work *w);

/* Any number of works side by side */
struct wq_loop {
	struct loop_slot *slots; /* one for each work */
	size_t n, cap;
	struct pollfd *fds; /* what all works want */
	size_t fds_cap;
	bool signalled;  /* a signal came, and all works were stepped because of it */
	size_t next_way; /* the slot where the search for the next work that gave way begins */
};
void wq_loop_init(struct wq_loop *l);
/* Adds a work, to be stepped soon. False: no memory. */
bool wq_loop_add(struct wq_loop *l, struct wq_work *w);
/* Steps a work in the next turn, whatever it waits for. */
void wq_loop_wake(struct wq_loop *l, const struct wq_work *w);
/* Drives all works until the owner ends. The owner is stepped in each turn, after the others, and
 * may add works then. */
void wq_loop_run(struct wq_loop *l, struct wq_work *owner);
/* Frees the loop's memory. It calls no function of the works that have not ended. */
void wq_loop_end(struct wq_loop *l);

#endif
