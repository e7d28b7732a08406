/* SPDX-License-Identifier: ISC
 * memory.c - the one allocator of program and library: blocks of a small arena, and malloc once
 * that is full
 *
 * A query has few blocks and frees most of them in the reverse order, so the arena is a stack. It
 * lies on the stack of main(): that needs no system call and touches few pages.
 */
#include "cli/wsquery.h"
#include <stdlib.h>
#include <string.h>

#define RESERVE 8192 /* bytes for the last answer: a sentence and the output's buffer */

static char *memory_arena, *memory_end; /* the arena */
static char *memory_free;               /* its first free byte */
static bool memory_arena_only;          /* malloc and free must not be called any more */

void wq_memory_init(max_align_t *arena, size_t n)
{
	memory_arena = memory_free = (char *)arena;
	memory_end = (char *)(arena + n);
}

void wq_memory_use_reserve(void)
{
	/* It takes no memory until it is written to. */
	static max_align_t reserve[RESERVE / sizeof(max_align_t)];

	wq_memory_init(reserve, sizeof reserve / sizeof reserve[0]);
	memory_arena_only = true;
}

static size_t aligned(size_t len)
{
	return (len + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
}

static bool is_in_arena(const char *p)
{
	return (uintptr_t)p - (uintptr_t)memory_arena < (uintptr_t)(memory_end - memory_arena);
}

/* Takes a block off the arena's end, or from malloc where the arena has no room. */
static void *take(size_t len)
{
	char *p = memory_free;
	size_t left = (size_t)(memory_end - p);

	/* aligned(len) may overflow, so len itself is compared first. */
	if (len <= left && aligned(len) <= left) {
		memory_free += aligned(len);
		return p;
	}
	return memory_arena_only ? NULL : malloc(len);
}

/* Resizes a block of malloc's; 0 frees it. */
static void *resize_malloced(void *p, size_t len)
{
	if (memory_arena_only)
		return NULL;
	if (len > 0)
		return realloc(p, len);
	free(p);
	return NULL;
}

/* Resizes a block of the arena; 0 frees it. Only the last block gives its room back. */
static void *resize_in_arena(char *block, size_t old_len, size_t new_len)
{
	char *old_free = memory_free;
	bool last = block + aligned(old_len) == memory_free;
	char *p;

	if (!last && new_len <= old_len)
		return new_len > 0 ? block : NULL;
	if (last)
		memory_free = block;
	if (new_len == 0)
		return NULL;
	p = take(new_len);
	if (!p)
		memory_free = old_free;
	else if (p != block)
		memcpy(p, block, old_len < new_len ? old_len : new_len);
	return p;
}

void *wq_alloc(void *user_data, void *ptr, size_t old_len, size_t new_len)
{
	(void)user_data;
	if (!ptr)
		return new_len > 0 ? take(new_len) : NULL;
	if (is_in_arena(ptr))
		return resize_in_arena(ptr, old_len, new_len);
	return resize_malloced(ptr, new_len);
}
