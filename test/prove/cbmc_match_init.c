/* SPDX-License-Identifier: ISC
 * cbmc_match_init.c - for CBMC: a matcher for any program of a few states is made and copied. A step, which
 * cbmc-match proves, is left out of match.c, and one that gives any list is in its place. test/prove/run starts it.
 */
#include "cbmc_any.h"
#include "cli/pattern.h"
#include <string.h>

static void match_step(struct wsi_match *m, uint32_t c);
static void set_pattern(struct wsi_pattern *to, int byte, size_t n);
static void set_bytes(void *to, int byte, size_t n);
static void copy_list(uint16_t *to, const uint16_t *from, size_t n);
static void copy_match(struct wsi_match *to, const struct wsi_match *from, size_t n);
#define memset(to, byte, n)                                                                        \
	_Generic((to) + 0, struct wsi_pattern * : set_pattern, default : set_bytes)(to, byte, n)
#define memcpy(to, from, n)                                                                        \
	_Generic((to) + 0, uint16_t *                                                              \
	         : copy_list, struct wsi_match *                                                   \
	         : copy_match, default                                                             \
	         : memcpy)(to, from, n)
#include "cli/match.c"

void check_match_init(void);

#define STATES 3 /* of the program */
#define ROOM 4   /* states that the first reading counts */
#define WORDS 6  /* of the brackets' set: one range */

static void set_pattern(struct wsi_pattern *to, int byte, size_t n)
{
	const struct wsi_pattern zero = {0};

	MUST(byte == 0 && n == sizeof *to);
	*to = zero;
}

/* The memory is all 0 before, and it does not matter here which bytes can begin a match. */
static void set_bytes(void *to, int byte, size_t n)
{
	MUST(__CPROVER_w_ok(to, n));
}

static void copy_list(uint16_t *to, const uint16_t *from, size_t n)
{
	size_t i;

	for (i = 0; i < n / sizeof *to; i++)
		to[i] = from[i];
}

/* What lies behind the struct is not looked at in the copy. */
static void copy_match(struct wsi_match *to, const struct wsi_match *from, size_t n)
{
	MUST(__CPROVER_w_ok(to, n) && __CPROVER_r_ok(from, n));
	*to = *from;
}

/* A step makes any list, where the one before the last was. It only matters what is in the first one, which
 * is of full length; states may repeat in it. */
static void match_step(struct wsi_match *m, uint32_t c)
{
	uint16_t *was = m->now.s;
	size_t i;

	MUST(c <= 0x10ffff || c == MATCH_WORD(MATCH_BEGIN, 0) || c == MATCH_WORD(MATCH_END, 0));
	MUST(m->now.n <= m->states && m->start.n <= m->states);
	m->now.s = m->then;
	m->then = was;
	m->yes = any_bool();
	m->now.n = any_size();
	ASSUME(m->now.n <= m->states);
	if (c != MATCH_WORD(MATCH_BEGIN, 0))
		return;
	m->now.n = m->states;
	for (i = 0; i < m->states; i++) {
		m->now.s[i] = (uint16_t)any_size();
		ASSUME(m->now.s[i] < m->states);
	}
}

/* Any program of STATES states, where jumps lead forward, and any set. The first reading has counted more
 * states on the way. */

int wsi_pattern_parse(struct wsi_pattern *b)
{
	const size_t n = STATES;
	size_t i;
	uint32_t to;

	b->n = n;
	b->n_max = ROOM;
	b->sets_n = WORDS;
	if (!b->code)
		return 0;
	MUST(__CPROVER_w_ok(b->sets, WORDS * sizeof *b->sets));
	for (i = 0; i < n; i++) {
		b->code[i].word = any_u32();
		to = (uint16_t)(i + b->code[i].word);
		switch (MATCH_OP(b->code[i].word)) {
		case MATCH_JUMP:
			ASSUME(MATCH_ARG(b->code[i].word) > 0
			       && MATCH_ARG(b->code[i].word) < n - i);
			break;
		case MATCH_FORK:
			ASSUME(to < n);
			break;
		default:
			ASSUME(MATCH_OP(b->code[i].word) <= MATCH_BEGIN);
			break;
		}
	}
	ASSUME(b->code[0].word == MATCH_WORD(MATCH_BEGIN, 0));
	ASSUME(b->code[n - 1].word == MATCH_WORD(MATCH_YES, 0));
	return 0;
}

static bool lies_in(const void *p, size_t size, const void *mem, size_t mem_len)
{
	return __CPROVER_same_object(p, mem) && __CPROVER_POINTER_OFFSET(p) + size <= mem_len;
}

static bool apart(const uint16_t *a, const uint16_t *b, size_t n)
{
	return a + n <= b || b + n <= a;
}

/* The parts lie one after the other, within the memory. */
static void check_parts(const struct wsi_match *m, void *mem, size_t len)
{
	const uint16_t *lists = (void *)(m->sets + WORDS);

	MUST((void *)m == mem && m->size <= len && m->states == STATES);
	MUST((void *)m->code == (void *)(m + 1) && m->sets == (void *)(m->code + ROOM));
	MUST(lists <= m->now.s && lists <= m->then && lists <= m->start.s);
	MUST(lies_in(m->now.s, ROOM * sizeof *lists, mem, len));
	MUST(lies_in(m->then, ROOM * sizeof *lists, mem, len));
	MUST(lies_in(m->start.s, ROOM * sizeof *lists, mem, len));
	MUST(apart(m->now.s, m->then, ROOM) && apart(m->now.s, m->start.s, ROOM)
	     && apart(m->then, m->start.s, ROOM));
}

/* No jump is left where a state leads. */
static bool is_linked(const struct wsi_match *m, size_t i)
{
	const struct match_state *s = m->code + i;

	if (s->next >= m->states || MATCH_OP(m->code[s->next].word) == MATCH_JUMP)
		return false;
	return MATCH_OP(s->word) != MATCH_FORK
	       || (MATCH_ARG(s->word) < m->states
	           && MATCH_OP(m->code[MATCH_ARG(s->word)].word) != MATCH_JUMP);
}

/* All that a matcher needs: exactly what it asks for */
struct memory {
	struct wsi_match m;
	struct match_state code[ROOM];
	uint32_t sets[WORDS];
	uint16_t lists[3 * ROOM];
};

/* A matcher is made, and a copy of it. */
void check_match_init(void)
{
	static struct memory mem, copy_mem;
	const char *why;
	size_t size, where, i = any_size();
	struct wsi_match *m, *copy;

	size = wsi_match_size(NULL, 0, &why, &where);
	MUST(size == sizeof mem);
	m = wsi_match_init(&mem, size, NULL, 0);
	MUST(m && m->held == 0 && !m->at_end && m->at_start);
	check_parts(m, &mem, size);
	ASSUME(i < STATES);
	MUST(is_linked(m, i));
	copy = wsi_match_copy(&copy_mem, m);
	check_parts(copy, &copy_mem, size);
}
