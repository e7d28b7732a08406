/* SPDX-License-Identifier: ISC
 * memory.c - the one allocator of program and library: blocks off a small arena, and malloc once that is full
 *
 * A query's blocks are few, and mostly freed in the reverse order: the arena is a stack. It lies on main's own, so that
 * it costs no call of the system and only the pages that are touched, some of them shared with what is there anyway.
 */
#include "wsquery.h"
#include <stdlib.h>
#include <string.h>

#define MEMORY_UNIT sizeof(max_align_t)

static struct {
	max_align_t *unit;
	size_t n, used; /* of units */
} memory_arena;

static size_t units(size_t len)
{
	return len / MEMORY_UNIT + (len % MEMORY_UNIT != 0);
}

void wq_memory_init(max_align_t *arena, size_t n)
{
	memory_arena.unit = arena;
	memory_arena.n = n;
	memory_arena.used = 0;
}

/* The block's first unit in the arena, or n if it is none of it */
static size_t arena_at(const void *ptr)
{
	uintptr_t from = (uintptr_t)memory_arena.unit, p = (uintptr_t)ptr;

	return p >= from && p < from + memory_arena.n * MEMORY_UNIT ? (p - from) / MEMORY_UNIT : memory_arena.n;
}

static void *arena_take(size_t len)
{
	size_t at = memory_arena.used;

	if (units(len) > memory_arena.n - at)
		return NULL;
	memory_arena.used += units(len);
	return memory_arena.unit + at;
}

/* As ws_options.alloc */
void *wq_alloc(void *user_data, void *ptr, size_t old_len, size_t new_len)
{
	size_t used = memory_arena.used, at = ptr ? arena_at(ptr) : used;
	int last = at + units(old_len) == used;
	void *p;

	(void)user_data;
	if (ptr && at == memory_arena.n) { /* malloc's */
		if (new_len)
			return realloc(ptr, new_len);
		free(ptr);
		return NULL;
	}
	if (!last && new_len <= old_len) /* it stays where it is */
		return new_len ? ptr : NULL;
	if (last)
		memory_arena.used = at;
	if (new_len == 0)
		return NULL;
	p = arena_take(new_len);
	if (!p)
		p = malloc(new_len);
	if (!p)
		memory_arena.used = used;
	else if (ptr && p != ptr)
		memcpy(p, ptr, old_len < new_len ? old_len : new_len);
	return p;
}
