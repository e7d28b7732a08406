/* SPDX-License-Identifier: ISC
 * cbmc_capture_init.c - for CBMC: capture.c lays out its memory for a pattern with any numbers of parts, groups
 * and ranges, and copies it. What is then written there is left out of capture.c: cbmc-capture_link proves
 * the one part of it, and cbmc-pattern the other. test/prove/run starts it.
 */
#include "cbmc_any.h"
#include "cli/capture.h"
#include "cli/pattern.h"
#include <string.h>

static void capture_parse(struct wq_capture *c, const char *pattern, size_t len);
static void capture_link(struct wq_capture *c);
static void set_bytes(void *to, int byte, size_t n);
static void copy_capture(void *to, const void *from, size_t n);
#define memset(to, byte, n) set_bytes(to, byte, n)
#define memcpy(to, from, n) copy_capture(to, from, n)
#include "cli/capture.c"

void check_capture_init(void);

#define STATES 3
#define PARTS 16     /* at most */
#define SET_WORDS 15 /* at most */

/* The struct at the begin of the memory. What lies behind it is never looked at here, only where it lies. */
static struct wq_capture mem, copy_mem;
static const size_t states = STATES;
static size_t sets_n;
static unsigned parts, groups;

/* What is cleared is the struct and all behind it, or one of those that the parser is called with. */
static void set_bytes(void *to, int byte, size_t n)
{
	static const struct wq_capture zero;
	static const struct wsi_pattern no_pattern;

	MUST(byte == 0);
	if (to == &mem)
		mem = zero;
	else if (n == sizeof no_pattern)
		*(struct wsi_pattern *)to = no_pattern;
}

static void copy_capture(void *to, const void *from, size_t n)
{
	MUST(to == &copy_mem && from == &mem && n == mem.size);
	copy_mem = mem;
}

int wsi_pattern_parse(struct wsi_pattern *b)
{
	b->n_max = states;
	b->sets_n = sets_n;
	b->capture->parts = parts;
	b->capture->groups = groups;
	return 0;
}

static void capture_parse(struct wq_capture *c, const char *pattern, size_t len)
{
}

static void capture_link(struct wq_capture *c)
{
}

static size_t end; /* of the parts that have been looked at */

/* A part begins where the one before ends, and is aligned. */
static void check_part(const struct wq_capture *c, const void *part, size_t n, size_t size)
{
	MUST(__CPROVER_same_object(part, c));
	MUST(__CPROVER_POINTER_OFFSET(part) == end && end % size == 0);
	end += n * size;
}

static void check_parts(const struct wq_capture *c)
{
	const size_t label = c->label_len;

	end = sizeof *c;
	check_part(c, c->best, label, sizeof(size_t));
	check_part(c, c->trial, label, sizeof(size_t));
	check_part(c, c->now.labels, states * label, sizeof(size_t));
	check_part(c, c->next.labels, states * label, sizeof(size_t));
	MUST(__CPROVER_POINTER_OFFSET(c->code) == end && end % _Alignof(struct match_state) == 0);
	end += states * sizeof(struct match_state);
	check_part(c, c->sets, sets_n, sizeof(uint32_t));
	check_part(c, c->now.list, states, sizeof(uint16_t));
	check_part(c, c->next.list, states, sizeof(uint16_t));
	check_part(c, c->now.from, states, sizeof(uint16_t));
	check_part(c, c->next.from, states, sizeof(uint16_t));
	check_part(c, c->queue, states, sizeof(uint16_t));
	check_part(c, c->first_from, states + 1, sizeof(uint16_t));
	check_part(c, c->from, 2 * states, sizeof(uint16_t));
	check_part(c, c->now.live, states, sizeof(bool));
	check_part(c, c->next.live, states, sizeof(bool));
	check_part(c, c->queued, states, sizeof(bool));
	MUST(end == c->size);
}

void check_capture_init(void)
{
	struct wq_capture *c, *copy;
	const char *why;
	size_t size, where;
	unsigned found;

	sets_n = any_size();
	parts = (unsigned)any_size();
	groups = (unsigned)any_size();
	ASSUME(sets_n <= SET_WORDS && parts <= PARTS);
	size = wq_capture_size(NULL, 0, &why, &where, &found);
	c = wq_capture_init(&mem, size, NULL, 0);
	MUST(c == &mem && c->size == size && wq_capture_memory(c) == size && found == groups);
	MUST(c->label_len
	     == parts + 2 * ((groups < WQ_CAPTURE_GROUPS ? groups : WQ_CAPTURE_GROUPS) + 1));
	check_parts(c);
	copy = wq_capture_copy(&copy_mem, c);
	MUST(copy == &copy_mem && copy->label_len == c->label_len && copy->size == size);
	check_parts(copy);
}
