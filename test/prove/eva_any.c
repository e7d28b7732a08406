/* SPDX-License-Identifier: ISC
 * eva_any.c - for Frama-C's Eva: any slices and strings; and what stands in for header.c, and for what
 * secret.c says of a header: a line has any name and value. That the real functions stay within a head is
 * proved by eva-response.
 */
#include "eva.h"
#include "eva_any.h"

#define LINES 2 /* of a head */

static char string[N + 1];
static char name[32];

void any_input(void)
{
	ANY_BYTES();
	Frama_C_make_unknown(string, N);
	Frama_C_make_unknown(name, sizeof name);
}

size_t any_len(size_t max)
{
	size_t n;

	//@ loop unroll N + 1;
	for (n = 0; n < max; n++)
		if (any_bool())
			break;
	return n;
}

struct wsi_str any_str(void)
{
	struct wsi_str s;

	s.len = any_len(N);
	s.p = LAST(s.len);
	return s;
}

const char *any_string(void)
{
	return any_bool() ? string : NULL;
}

bool wsi_is_header_text(int c)
{
	return any_bool();
}

const char *wsi_head_fields(const char *head, size_t len)
{
	return head;
}

const char *wsi_header_split(const char *line, struct wsi_header *h)
{
	h->name.p = name;
	h->name.len = Frama_C_size_t_interval(0, sizeof name);
#ifndef ONLY_HEADERS
	if (any_bool())
		return NULL;
#endif
	h->value = any_str();
	return line;
}

const char *wsi_header_next(const char *line, struct wsi_header *h)
{
	static int lines;

	if (lines == LINES)
		return NULL;
	lines++;
	return wsi_header_split(line, h);
}

const char *const *wsi_find_string(const char *const *list, struct wsi_str s)
{
	return any_bool() ? list : NULL;
}

bool wsi_is_secret_header(const char *name, size_t len)
{
	return any_bool();
}
