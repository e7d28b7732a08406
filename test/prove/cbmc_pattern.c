/* SPDX-License-Identifier: ISC
 * cbmc_pattern.c - for CBMC: how pattern.c writes out a repetition, an alternative and the end of a
 * group, behind any short program, with the room that the first reading has counted.
 * test/prove/run starts it.
 */
#include "cbmc_any.h"
#include "cli/pattern.h"
#include <string.h>

/* Small, so that the limits are reached. */
#undef WSI_MATCH_STATES_MAX
#undef WSI_MATCH_REPEAT_MAX
#define WSI_MATCH_STATES_MAX 7
#define WSI_MATCH_REPEAT_MAX 2

/* pattern.c copies only states. */
static void move_states(struct match_state *to, const struct match_state *from, size_t size);
static void copy_states(struct match_state *to, const struct match_state *from, size_t size);
#define memmove(to, from, size) move_states(to, from, size)
#define memcpy(to, from, size) copy_states(to, from, size)
#include "cli/pattern.c"

void check_pattern(void);

#define STATES 3 /* of the program */

/* What is used of it lies at its end, so that one more is outside. */
static struct match_state code[WSI_MATCH_STATES_MAX];

static void move_states(struct match_state *to, const struct match_state *from, size_t size)
{
	struct match_state copy[STATES];
	size_t n = size / sizeof *to, i;

	MUST(n <= STATES);
	for (i = 0; i < n; i++)
		copy[i].word = from[i].word;
	for (i = 0; i < n; i++)
		to[i].word = copy[i].word;
}

static void copy_states(struct match_state *to, const struct match_state *from, size_t size)
{
	size_t n = size / sizeof *to;

	MUST(to + n <= from || from + n <= to);
	move_states(to, from, size);
}

/* The state at i leads, if it is a fork or a jump, to one of these or right after the last one. */
static bool leads_into(const struct wsi_pattern *b, size_t i, size_t first, size_t end)
{
	uint32_t word = b->code[i].word;
	uint16_t to = (uint16_t)(i + word);

	if (MATCH_OP(word) != MATCH_FORK && MATCH_OP(word) != MATCH_JUMP)
		return true;
	return to >= first && to <= end;
}

/* The states before at lead to each other or to at; those from at on to each other or to the end.
 * jump: NULL, or set to what a group with this program has there: the jumps before at are then
 * those after its alternatives. */
static bool is_program(const struct wsi_pattern *b, size_t at, uint16_t *jump)
{
	size_t i;

	for (i = 0; i < b->n; i++) {
		if (i < at && jump && MATCH_OP(b->code[i].word) == MATCH_JUMP) {
			if (MATCH_ARG(b->code[i].word) != *jump)
				return false;
			*jump = (uint16_t)(i + 1);
		} else if (i < at && !leads_into(b, i, 0, at)) {
			return false;
		} else if (i >= at && !leads_into(b, i, at, b->n)) {
			return false;
		}
	}
	return true;
}

static void check_repeat(struct wsi_pattern *count, struct wsi_pattern *b)
{
	size_t atom = any_size(), min = any_size(), max = any_size(), i = any_size();

	ASSUME(atom <= b->n && min <= max && min <= WSI_MATCH_REPEAT_MAX);
	ASSUME(max <= WSI_MATCH_REPEAT_MAX || max == PATTERN_NO_END);
	if (pattern_repeat(count, atom, min, max, 0) < 0)
		return;
	b->code = code + WSI_MATCH_STATES_MAX - count->n_max;
	ASSUME(is_program(b, atom, NULL));
	MUST(pattern_repeat(b, atom, min, max, 0) == 0);
	MUST(b->n == count->n && b->n_max == count->n_max);
	ASSUME(i < b->n);
	MUST(leads_into(b, i, 0, b->n));
}

static void check_alternative(struct wsi_pattern *count, struct wsi_pattern *b)
{
	struct pattern_group group = {0}, g;
	size_t i = any_size();

	group.branch = (uint16_t)any_size();
	ASSUME(group.branch <= b->n);
	g = group;
	if (pattern_alternative(count, &g) < 0 || pattern_join(count, &g) < 0)
		return;
	b->code = code + WSI_MATCH_STATES_MAX - count->n_max;
	ASSUME(is_program(b, group.branch, &group.jump));
	MUST(pattern_alternative(b, &group) == 0 && pattern_join(b, &group) == 0);
	MUST(b->n == count->n && b->n_max == count->n_max);
	ASSUME(i < b->n);
	MUST(leads_into(b, i, 0, b->n));
}

void check_pattern(void)
{
	struct wsi_pattern count = {0}, b;

	count.n = any_size();
	count.n_max = any_size();
	ASSUME(count.n <= STATES && count.n <= count.n_max && count.n_max <= WSI_MATCH_STATES_MAX);
	b = count;
	__CPROVER_havoc_object(code);
	if (any_bool())
		check_repeat(&count, &b);
	else
		check_alternative(&count, &b);
}
