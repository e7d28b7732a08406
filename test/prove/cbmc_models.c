/* SPDX-License-Identifier: ISC
 * cbmc_models.c - for CBMC: what stands in for text.c in the proofs of sentences
 *
 * What is put must be readable, and the text must have its room; then it holds anything. A comparison has
 * any result. cbmc-text, eva-put and eva-search prove that the real functions do no more than this. The
 * searches are the real ones: eva_search.c.
 */
#include "cbmc_any.h"

#define ROOM 8 /* A larger one is made smaller: a text that is full sooner takes the same ways. */

static void must_read(const void *p, size_t len)
{
	MUST(p != NULL && __CPROVER_r_ok(p, len));
}

static size_t must_end(const char *s)
{
	size_t len = 0;

	while (s[len] != '\0')
		len++;
	return len;
}

static void put_any(struct wsi_text *t)
{
	MUST(t->len < t->cap && __CPROVER_w_ok(t->p, t->cap));
	t->p[0] =
	    any_char(); /* the other bytes are any bytes, since the room was not initialised */
	t->len = any_size();
	ASSUME(t->len < t->cap);
	t->cut = any_bool();
	t->p[t->len] = '\0';
}

void wsi_text_init(struct wsi_text *t, char *buf, size_t cap)
{
	MUST(cap > 0 && __CPROVER_w_ok(buf, cap));
	t->p = buf;
	t->cap = cap < ROOM ? cap : ROOM;
	t->len = 0;
	t->cut = false;
	buf[0] = '\0';
}

void wsi_put_n(struct wsi_text *t, const void *p, size_t len)
{
	must_read(p, len);
	put_any(t);
}

void wsi_put(struct wsi_text *t, const char *s)
{
	must_end(s);
	put_any(t);
}

void wsi_put_c(struct wsi_text *t, char c)
{
	(void)c;
	put_any(t);
}

void wsi_put_u(struct wsi_text *t, uint64_t v)
{
	(void)v;
	put_any(t);
}

void wsi_put_safe(struct wsi_text *t, const void *p, size_t len)
{
	must_read(p, len);
	put_any(t);
}

void wsi_put_quoted(struct wsi_text *t, const char *p, size_t len, size_t max)
{
	(void)max;
	must_read(p, len);
	put_any(t);
}

bool wsi_is(struct wsi_str s, const char *name)
{
	must_end(name);
	must_read(s.p, s.len);
	return any_bool();
}
