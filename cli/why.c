/* SPDX-License-Identifier: ISC
 * why.c - an error's sentence, which takes memory only when there is an error
 */
#include "cli/memory.h"

#define WHY 1024 /* bytes of a sentence */

struct wsi_text *wq_why(struct wq_why *w)
{
	char *p;

	if (w->t.p)
		return &w->t;
	p = wq_alloc(NULL, NULL, 0, WHY);
	if (p)
		wsi_text_init(&w->t, p, WHY);
	else
		wsi_text_init(&w->t, w->small, sizeof w->small);
	return &w->t;
}

void wq_why_free(struct wq_why *w)
{
	if (w->t.p && w->t.p != w->small)
		wq_alloc(NULL, w->t.p, WHY, 0);
	w->t.p = NULL;
	w->t.len = 0;
}
