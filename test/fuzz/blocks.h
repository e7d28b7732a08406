/* SPDX-License-Identifier: ISC
 * blocks.h - the program's allocator for fuzz targets, instead of cli/memory.c
 *
 * A sanitizer watches the end of each block, and all of them can be freed at once, because the
 * memory of a command line lives as long as the program.
 */
#ifndef FUZZ_BLOCKS_H
#define FUZZ_BLOCKS_H
#include "cli/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(cond) must(!!(cond), __FILE__, __LINE__, #cond)
static inline void must(int ok, const char *file, int line, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}

struct block {
	struct block *next, **link;
	size_t len;
	size_t pad; /* keeps what follows aligned */
};
static struct block *blocks;
static size_t blocks_bytes, blocks_most;
static unsigned long blocks_made, blocks_fail_at; /* 0: no allocation fails */

static inline void block_link(struct block *b)
{
	b->next = blocks;
	b->link = &blocks;
	if (blocks)
		blocks->link = &b->next;
	blocks = b;
	blocks_bytes += b->len;
	if (blocks_bytes > blocks_most)
		blocks_most = blocks_bytes;
}

static inline void block_free(struct block *b)
{
	*b->link = b->next;
	if (b->next)
		b->next->link = b->link;
	blocks_bytes -= b->len;
	free(b);
}

static inline void blocks_begin(unsigned long fail_at)
{
	blocks_made = 0;
	blocks_most = 0;
	blocks_fail_at = fail_at;
}

static inline void blocks_free_all(void)
{
	while (blocks)
		block_free(blocks);
}

/* A block that grows or shrinks moves */
void *wq_alloc(void *user_data, void *ptr, size_t old_len, size_t new_len)
{
	struct block *old = ptr ? (struct block *)ptr - 1 : NULL, *b;

	(void)user_data;
	MUST(old ? old->len == old_len : old_len == 0);
	if (new_len == 0) {
		if (old)
			block_free(old);
		return NULL;
	}
	if (++blocks_made == blocks_fail_at)
		return NULL;
	b = malloc(sizeof *b + new_len);
	MUST(b);
	b->len = new_len;
	memset(b + 1, 0xa5, new_len);
	block_link(b);
	if (old) {
		memcpy(b + 1, old + 1, old_len < new_len ? old_len : new_len);
		block_free(old);
	}
	return b + 1;
}

#endif
