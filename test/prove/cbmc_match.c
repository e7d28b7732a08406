/* SPDX-License-Identifier: ISC
 * cbmc_match.c - for CBMC: a step of match.c with any program of two states, from any lists that
 * an earlier step can have left behind. test/prove/run starts it.
 */
#include "cbmc_any.h"

static inline bool wsi_pattern_has(uint32_t *set, uint32_t c);
#include "cli/match.c"

void check_has(void);
void check_match(void);

#define STATES 2
#define WORDS 6 /* of the brackets' set: one range */

/* Of exact size, so that one more is outside. */
static struct match_state code[STATES];
static uint32_t sets[WORDS];
static uint16_t now[STATES], then[STATES], start[STATES];

static bool is_list(const struct wsi_match *m, struct match_list l)
{
	size_t i;

	if (l.n > m->states)
		return false;
	for (i = 0; i < l.n; i++)
		if (l.s[i] >= m->states)
			return false;
	return true;
}

static bool is_set(const uint32_t *set)
{
	return set[MATCH_SET_END] % 2 == 0 && set[MATCH_SET_END] >= MATCH_SET_RANGES
	       && set[MATCH_SET_END] <= WORDS && set[MATCH_SET_NEGATED] < 2;
}

static bool is_state(const struct wsi_match *m, const struct match_state *state)
{
	uint32_t arg = MATCH_ARG(state->word);

	switch (MATCH_OP(state->word)) {
	case MATCH_CHAR:
		return arg <= 0x10ffff && state->next < m->states;
	case MATCH_FORK:
		return arg < m->states && state->next < m->states;
	case MATCH_SET:
		return arg == 0 && state->next < m->states;
	default:
		return MATCH_OP(state->word) <= MATCH_BEGIN && state->next < m->states;
	}
}

/* What holds between two calls */
static bool is_match(const struct wsi_match *m)
{
	size_t i;

	for (i = 0; i < m->states; i++)
		if (!is_state(m, m->code + i))
			return false;
	return is_set(m->sets) && is_list(m, m->now) && is_list(m, m->start);
}

/* The set of a bracket, which is left out of a copy of pattern.h */
void check_has(void)
{
	uint32_t c = any_u32();
	bool has;

	__CPROVER_havoc_object(sets);
	ASSUME(is_set(sets) && sets[MATCH_SET_LAST] != c);
	has = left_out_wsi_pattern_has(sets, c);
	MUST(is_set(sets) && sets[MATCH_SET_LAST] == c);
	MUST(left_out_wsi_pattern_has(sets, c) == has);
}

/* In place of the one above */
static inline bool wsi_pattern_has(uint32_t *set, uint32_t c)
{
	MUST(set == sets && c <= 0x10ffff);
	return any_bool();
}

void check_match(void)
{
	struct wsi_match m;
	uint32_t c = any_u32();
	unsigned char yes;
	bool idle;

	m.states = STATES;
	m.code = code;
	m.sets = sets;
	m.now.s = now;
	m.then = then;
	m.start.s = start;
	__CPROVER_havoc_object(code);
	__CPROVER_havoc_object(sets);
	__CPROVER_havoc_object(now);
	__CPROVER_havoc_object(start);
	ASSUME(is_match(&m));
	/* No state awaits the character. */
	idle = m.now.n == 0 && c <= 0x10ffff && !m.first[c < 0x80 ? c : 0x80];
	yes = m.yes;
	match_step(&m, c);
	MUST(!idle || (m.now.n == 0 && m.yes == yes));
	MUST(is_match(&m) && m.now.s == then && m.then == now);
}
