/* SPDX-License-Identifier: ISC
 * memory.c - the one allocator of program and library: blocks off a small arena, and malloc once that is full
 *
 * A query's blocks are few, and mostly freed in the reverse order: the arena is a stack. It lies on main's own, so that
 * it costs no call of the system and only the pages that are touched, some of them shared with what is there anyway.
 */
#include "cli/wsquery.h"
#include <stdlib.h>
#include <string.h>

#define WHY 1024     /* bytes of a sentence */
#define RESERVE 8192 /* bytes for the last answer: a sentence and the output's buffer */

static char *memory_arena, *memory_end, *memory_free; /* what is taken lies before memory_free */
static int memory_arena_only; /* malloc and free are not to be called any more */

void wq_memory_init(max_align_t *arena, size_t n)
{
	memory_arena = memory_free = (char *)arena;
	memory_end = (char *)(arena + n);
}

void wq_memory_use_reserve(void)
{
	static max_align_t
	    reserve[RESERVE / sizeof(max_align_t)]; /* costs nothing until it is written to */

	wq_memory_init(reserve, sizeof reserve / sizeof reserve[0]);
	memory_arena_only = 1;
}

static size_t aligned(size_t len)
{
	return (len + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
}

/* As ws_options.alloc */
void *wq_alloc(void *user_data, void *ptr, size_t old_len, size_t new_len)
{
	char *old_free = memory_free, *p = ptr;
	int last;

	(void)user_data;
	if (!p) {
		p = memory_free;
	} else if ((uintptr_t)p - (uintptr_t)memory_arena
	           >= (uintptr_t)(memory_end - memory_arena)) { /* malloc's */
		if (memory_arena_only)
			return NULL;
		if (new_len)
			return realloc(ptr, new_len);
		free(ptr);
		return NULL;
	}
	last = p + aligned(old_len) == memory_free;
	if (!last && new_len <= old_len) /* it stays where it is */
		return new_len ? ptr : NULL;
	if (last)
		memory_free = p;
	if (new_len == 0)
		return NULL;
	p = memory_free;
	if (new_len <= (size_t)(memory_end - p) && aligned(new_len) <= (size_t)(memory_end - p))
		memory_free += aligned(new_len);
	else
		p = memory_arena_only ? NULL : malloc(new_len);
	if (!p)
		memory_free = old_free;
	else if (ptr && p != ptr)
		memcpy(p, ptr, old_len < new_len ? old_len : new_len);
	return p;
}

struct wsi_text *wq_why(struct wq_why *w)
{
	char *p;

	if (w->t.p)
		return &w->t;
	p = wq_alloc(NULL, NULL, 0, WHY);
	wsi_text_init(&w->t, p ? p : w->small, p ? WHY : sizeof w->small);
	return &w->t;
}

void wq_why_free(struct wq_why *w)
{
	if (w->t.p && w->t.p != w->small)
		wq_alloc(NULL, w->t.p, WHY, 0);
	w->t.p = NULL;
	w->t.len = 0;
}
