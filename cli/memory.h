/* SPDX-License-Identifier: ISC
 * memory.h - the allocator of the program and the library, and error sentences that live in it
 */
#ifndef WQ_MEMORY_H
#define WQ_MEMORY_H
#include "ws_pure.h"

/* Blocks come from arena, which has n elements, and from malloc once that is full. */
void wq_memory_init(max_align_t *arena, size_t n);
/* As ws_options.alloc */
void *wq_alloc(void *user_data, void *ptr, size_t old_len, size_t new_len);
/* From now on nothing is freed, and blocks come from a small reserve alone. The watchdog needs
 * this, because it interrupts calls that may be inside malloc. */
void wq_memory_use_reserve(void);

/* An error sentence under construction. It takes memory only when there is an error. */
struct wq_why {
	struct wsi_text t; /* .p is NULL until the sentence is begun */
	char small[128];   /* used in place of a block when memory is short */
};
/* Begins the sentence, or continues it. */
struct wsi_text *wq_why(struct wq_why *w);
/* Drops the sentence, so that another one can be begun. */
void wq_why_free(struct wq_why *w);

#endif
