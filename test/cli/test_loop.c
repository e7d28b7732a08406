/* SPDX-License-Identifier: ISC
 * test_loop.c - works side by side: who is stepped, when, and how often
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/loop.h"
#include "cli/memory.h"
#include "test/check.h"
#include <string.h>
#include <unistd.h>

#define WORKS 100

static max_align_t arena[20];
static char ended[WORKS + 1]; /* the names of the works that have ended, in that order */
static size_t n_ended;

/* A work that ends after a number of steps, at a time, or when something arrives */
struct script {
	struct wq_work work;
	char name;
	int steps;        /* it ends after this many steps */
	bool computes;    /* uses up each turn */
	int fd;           /* ends when this can be read; -1: none */
	int64_t until_us; /* ends at this time */
	int made;         /* steps so far */
	int turns;        /* steps of the owner until it ended */
	const int *turn;  /* the owner's steps so far */
};

static bool script_step(struct wq_work *w)
{
	struct script *s = (struct script *)w;
	struct pollfd p = {s->fd, POLLIN, 0};

	s->made++;
	s->turns = *s->turn;
	if (s->fd >= 0 && poll(&p, 1, 0) == 1)
		return true;
	if (wq_now_us() >= s->until_us)
		return true;
	if (s->computes) {
		while (!wq_turn_is_over())
			;
		w->gives_way = s->made < s->steps;
	}
	return s->steps > 0 && s->made >= s->steps;
}

static int64_t script_wants(const struct wq_work *w, struct pollfd *p, unsigned *n)
{
	const struct script *s = (const struct script *)w;

	*n = 0;
	if (s->fd >= 0) {
		p[0].fd = s->fd;
		p[0].events = POLLIN;
		*n = 1;
	}
	return s->until_us;
}

static void script_ended(struct wq_work *w)
{
	ended[n_ended++] = ((struct script *)w)->name;
	ended[n_ended] = '\0';
}

/* The owner counts turns, and ends when all works have. */
struct owner {
	struct wq_work work;
	int turn, last;    /* ends in this turn at the latest */
	size_t works;      /* how many must end */
	int write_in_turn; /* 0: never */
	int fd;
	int wake_in_turn; /* the first work; 0: never */
};

static struct wq_loop loop;
static struct script scripts[WORKS];

static bool owner_step(struct wq_work *w)
{
	struct owner *o = (struct owner *)w;

	o->turn++;
	if (o->turn == o->write_in_turn)
		CHECK(write(o->fd, "x", 1) == 1);
	if (o->turn == o->wake_in_turn)
		wq_loop_wake(&loop, &scripts[0].work);
	return n_ended == o->works || o->turn == o->last;
}

static int64_t owner_wants(const struct wq_work *w, struct pollfd *p, unsigned *n)
{
	(void)w;
	(void)p;
	*n = 0;
	return WQ_NEVER;
}

static struct owner owner;

static void begin(void)
{
	wq_memory_init(arena, 1); /* malloc does the rest */
	memset(scripts, 0, sizeof scripts);
	memset(&owner, 0, sizeof owner);
	owner.work.step = owner_step;
	owner.work.wants = owner_wants;
	owner.last = 100000;
	n_ended = 0;
	ended[0] = '\0';
	wq_loop_init(&loop);
}

static struct script *add(size_t i, char name)
{
	struct script *s = &scripts[i];

	s->work.step = script_step;
	s->work.wants = script_wants;
	s->work.ended = script_ended;
	s->name = name;
	s->fd = -1;
	s->until_us = WQ_NEVER;
	s->turn = &owner.turn;
	CHECK(wq_loop_add(&loop, &s->work));
	owner.works++;
	return s;
}

static void run(void)
{
	wq_loop_run(&loop, &owner.work);
	wq_loop_end(&loop);
}

/* A work that is the only one never has to give way. */
static void test_alone(void)
{
	struct script s = {.work = {.step = script_step, .wants = script_wants},
	                   .fd = -1,
	                   .until_us = WQ_NEVER,
	                   .steps = 1,
	                   .turn = &owner.turn};

	CHECK(!wq_turn_is_over());
	wq_loop_one(&s.work);
	CHECK_EQ_U(s.made, 1);
}

/* Works that end at a time, while the time of another is far away */
static void test_times(void)
{
	int64_t now_us = wq_now_us();

	begin();
	add(0, 'c')->until_us = now_us + (int64_t)3600 * 1000000;
	add(1, 'a')->until_us = now_us - 1;
	add(2, 'b')->until_us = now_us + 15000;
	owner.works = 2;
	run();
	CHECK_EQ_S(ended, "ab");
	CHECK(scripts[0].made <= 3 && scripts[2].made <= 3); /* none of them busy-waits */
}

/* A work that waits for nothing else continues when it is woken, and no other does. */
static void test_waking(void)
{
	int64_t now_us = wq_now_us();

	begin();
	add(0, 'a')->steps = 2;
	add(1, 'b')->until_us = now_us + 30000;
	owner.wake_in_turn = 1;
	run();
	CHECK_EQ_S(ended, "ab");
	CHECK_EQ_U(scripts[0].turns, 1);
	CHECK(scripts[1].made <= 3);
}

/* A work is stepped when its descriptor is ready, and the others are left alone. */
static void test_descriptors(void)
{
	int first[2], second[2];

	begin();
	CHECK(pipe(first) == 0 && pipe(second) == 0);
	add(0, 'a')->fd = first[0];
	add(1, 'b')->fd = second[0];
	owner.fd = second[1];
	owner.write_in_turn = 1;
	owner.works = 1;
	run();
	CHECK_EQ_S(ended, "b");
	CHECK_EQ_U(scripts[0].made, 1);
	CHECK_EQ_U(scripts[1].made, 2);
	close(first[0]);
	close(first[1]);
	close(second[0]);
	close(second[1]);
}

/* While many works compute, another one is stepped in the turn after something arrives for it. */
static void test_others_go_on(void)
{
	int ends[2];
	size_t i;

	begin();
	CHECK(pipe(ends) == 0);
	for (i = 1; i < WORKS; i++) {
		add(i, 'x')->computes = true;
		scripts[i].steps = 1000;
	}
	add(0, 'a')->fd = ends[0];
	owner.fd = ends[1];
	owner.write_in_turn = 3;
	owner.works = 1;
	run();
	CHECK_EQ_S(ended, "a");
	CHECK_EQ_U(scripts[0].turns, 4 - 1); /* the owner is stepped after the works */
	CHECK_EQ_U(owner.turn, 4);
	close(ends[0]);
	close(ends[1]);
}

/* Computing works take turns: none is stepped a second time before all others were stepped. */
static void test_circle(void)
{
	int least = 1000, most = 0;
	size_t i;

	begin();
	for (i = 0; i < 5; i++) {
		add(i, 'x')->computes = true;
		scripts[i].steps = 1000;
	}
	owner.last = 12;
	run();
	for (i = 0; i < 5; i++) {
		if (scripts[i].made < least)
			least = scripts[i].made;
		if (scripts[i].made > most)
			most = scripts[i].made;
	}
	CHECK(least >= 3);
	CHECK(most - least <= 1);
}

/* All computing works end, wherever the ends of others have moved them in the loop. */
static void test_all_end(void)
{
	size_t i;

	begin();
	for (i = 0; i < 20; i++) {
		add(i, (char)('a' + i))->computes = i % 2 == 0;
		scripts[i].steps = i % 2 == 0 ? 2 + (int)i % 3 : 1;
	}
	run();
	CHECK_EQ_U(n_ended, 20);
	for (i = 0; i < 20; i++) {
		CHECK(strchr(ended, (char)('a' + i)) != NULL);
		CHECK_EQ_U(scripts[i].made, scripts[i].steps);
	}
}

int main(void)
{
	TEST(test_alone);
	TEST(test_times);
	TEST(test_waking);
	TEST(test_descriptors);
	TEST(test_others_go_on);
	TEST(test_circle);
	TEST(test_all_end);
	return check_done();
}
