/* SPDX-License-Identifier: ISC
 * cbmc_capture.c - for CBMC: how capture.c links any program of a few states. test/prove/run starts it.
 */
#include "cli/capture.c"

void check_capture_link(void);

#define ASSUME(cond) __CPROVER_assume(cond)
#define MUST(cond) __CPROVER_assert(cond, #cond)

#define STATES 3

/* Of exact size, so that one more is outside */
static struct match_state code[STATES];
static uint16_t first_from[STATES + 1], from[2 * STATES];

/* Forks and jumps stay in the program, as cbmc-pattern proves, and only its last state is the match. */
static bool is_program(void)
{
	size_t s;
	uint32_t op;

	for (s = 0; s + 1 < STATES; s++) {
		op = MATCH_OP(code[s].word);
		if (op == MATCH_YES)
			return false;
		if ((op == MATCH_FORK || op == MATCH_JUMP)
		    && (uint16_t)(s + code[s].word) >= STATES)
			return false;
	}
	return code[STATES - 1].word == MATCH_WORD(MATCH_YES, 0);
}

/* The lists follow one another, and hold states. */
static bool is_linked(void)
{
	size_t i;

	for (i = 0; i < STATES; i++)
		if (first_from[i] > first_from[i + 1])
			return false;
	for (i = 0; i < first_from[STATES]; i++)
		if (from[i] >= STATES)
			return false;
	return first_from[0] == 0 && first_from[STATES] <= 2 * STATES;
}

void check_capture_link(void)
{
	struct wq_capture c;

	c.code = code;
	c.states = STATES;
	c.first_from = first_from;
	c.from = from;
	__CPROVER_havoc_object(code);
	ASSUME(is_program());
	capture_link(&c);
	MUST(is_linked());
}
