/* SPDX-License-Identifier: ISC
 * test_memory.c - the arena against a shadow copy
 *
 * A sanitizer cannot see the blocks within an arena (main.c uses none then), so this test does its
 * work: it keeps a copy of every live block, and checks after each call that no blocks overlap,
 * that their bytes are still those of the copy, and that nothing before the arena was written. An
 * inaccessible page follows the arena.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "../../cli/wsquery.h"
#include "../check.h"
#include "../random.h"
#include "../guard.h"

#define SLOTS 24
#define UNITS 512    /* of max_align_t, in the largest arena */
#define LARGEST 3000 /* bytes of a block */
#define BEFORE 64    /* watched bytes before the arena; the guard page is after it */

static unsigned char *arena;

static struct block {
	unsigned char *p; /* NULL: none */
	size_t len;
	unsigned char copy[LARGEST];
} blocks[SLOTS];

static void fill(struct block *b, size_t from)
{
	for (; from < b->len; from++)
		b->p[from] = b->copy[from] = (unsigned char)below(256);
}

static int in_arena(const unsigned char *p, size_t units)
{
	return (uintptr_t)p >= (uintptr_t)arena
	       && (uintptr_t)p < (uintptr_t)(arena + units * sizeof(max_align_t));
}

/* Describes the first error found, or returns NULL */
static const char *wrong(size_t units)
{
	size_t i, k;

	for (i = 1; i <= BEFORE; i++)
		if (*(arena - i) != 0xee)
			return "a byte before the arena was written to";
	for (i = 0; i < SLOTS; i++) {
		const struct block *a = &blocks[i];

		if (!a->p)
			continue;
		if ((uintptr_t)a->p % _Alignof(max_align_t))
			return "a block is not aligned";
		if (in_arena(a->p, units) && !in_arena(a->p + a->len - 1, units))
			return "a block ends after the arena";
		for (k = 0; k < i; k++)
			if (blocks[k].p
			    && (uintptr_t)a->p < (uintptr_t)(blocks[k].p + blocks[k].len)
			    && (uintptr_t)blocks[k].p < (uintptr_t)(a->p + a->len))
				return "two blocks overlap";
		if (memcmp(a->p, a->copy, a->len) != 0)
			return "a block has other bytes";
	}
	return NULL;
}

static void begin(size_t units)
{
	arena = guard_room() + GUARD_ROOM - units * sizeof(max_align_t);
	memset(arena - BEFORE, 0xee, BEFORE + units * sizeof(max_align_t));
	memset(blocks, 0, sizeof blocks);
	wq_memory_init((max_align_t *)(void *)arena, units);
}

static void resize(struct block *b, size_t len)
{
	size_t old = b->len;

	b->p = wq_alloc(NULL, b->p, old, len);
	b->len = b->p ? len : 0;
	if (old < b->len)
		fill(b, old);
}

/* Blocks that come and go as a stack, as a queue, and in any order */
static void test_shadow(void)
{
	static const size_t units[] = {0, 1, 2, 7, 64, UNITS}, sizes[] = {20, 200, LARGEST};
	const size_t rounds = 4000 / (size_t)check_step(4);
	size_t u, s, n, i;

	for (u = 0; u < sizeof units / sizeof units[0]; u++) {
		for (s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
			const char *what = NULL;

			check_row("arena of %u units, blocks up to %u bytes", (unsigned)units[u],
			          (unsigned)sizes[s]);
			rng_state = RNG_SEED + u * 16 + s;
			begin(units[u]);
			for (n = 0; n < rounds && !what; n++) {
				i = below(SLOTS);
				if (n % 1000
				    > 900) /* the last one, so that the arena becomes empty */
					for (i = SLOTS - 1; i > 0 && !blocks[i].p; i--)
						;
				resize(&blocks[i], below(3) ? 1 + below(sizes[s]) : 0);
				what = wrong(units[u]);
			}
			CHECK_EQ_S(what ? what : "right", "right");
			for (i = SLOTS; i-- > 0;)
				resize(&blocks[i], 0);
		}
	}
}

/* After freeing in reverse order, the whole arena can be used again */
static void test_stack(void)
{
	int n;
	size_t i;

	begin(64);
	for (n = 0; n < 100; n++) {
		for (i = 0; i < 8; i++) {
			resize(&blocks[i],
			       7 * sizeof(max_align_t) + (size_t)n % sizeof(max_align_t) + 1);
			CHECK(in_arena(blocks[i].p, 64));
		}
		for (i = 8; i-- > 0;)
			resize(&blocks[i], 0);
	}
	CHECK_EQ_S(wrong(64) ? wrong(64) : "right", "right");
}

/* The last block grows and shrinks in place. One that no longer fits moves to malloc with its
 * bytes. */
static void test_last_block(void)
{
	unsigned char *first;

	begin(8);
	resize(&blocks[0], 1);
	first = blocks[0].p;
	CHECK(first == arena);
	resize(&blocks[0], 8 * sizeof(max_align_t));
	CHECK(blocks[0].p == first);
	resize(&blocks[0], 3);
	CHECK(blocks[0].p == first);
	resize(&blocks[1], 1);
	CHECK(blocks[1].p == first + sizeof(max_align_t));
	resize(&blocks[1], 8 * sizeof(max_align_t));
	CHECK(blocks[1].p && !in_arena(blocks[1].p, 8));
	resize(&blocks[2], 7 * sizeof(max_align_t)); /* uses the place of the block that moved */
	CHECK(blocks[2].p == first + sizeof(max_align_t));
	CHECK_EQ_S(wrong(8) ? wrong(8) : "right", "right");
	resize(&blocks[1], 0);
}

/* This test comes last, because malloc fails from now on. A block that cannot grow does not change.
 */
static void test_no_memory(void)
{
	static const size_t more[] = {100000, SIZE_MAX / 2, SIZE_MAX - 100, SIZE_MAX};
	unsigned char *last, *p;
	size_t i;

	wq_memory_use_reserve();
	p = wq_alloc(NULL, NULL, 0, 50);
	last = wq_alloc(NULL, NULL, 0, 50);
	if (!CHECK(p && last))
		return;
	memset(p, 1, 50);
	memset(last, 2, 50);
	for (i = 0; i < sizeof more / sizeof more[0]; i++) {
		check_row("%lu bytes", (unsigned long)more[i]);
		CHECK(!wq_alloc(NULL, NULL, 0, more[i]));
		CHECK(!wq_alloc(NULL, p, 50, more[i]));
		CHECK(!wq_alloc(NULL, last, 50, more[i]));
		CHECK(p[0] == 1 && p[49] == 1 && last[0] == 2 && last[49] == 2);
	}
	check_row_end();
	p = wq_alloc(NULL, NULL, 0, 50); /* the place of the last block is not reused */
	CHECK(p >= last + 50);
}

int main(void)
{
	TEST(test_shadow);
	TEST(test_stack);
	TEST(test_last_block);
	TEST(test_no_memory);
	return check_done();
}
