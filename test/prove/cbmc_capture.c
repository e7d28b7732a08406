/* SPDX-License-Identifier: ISC
 * cbmc_capture.c - for CBMC: parts of capture.c with any program of a few states, from any threads that
 * earlier characters can have left behind. test/prove/run starts each entry point.
 */
#include "cli/capture.c"

void check_capture_link(void);
void check_capture_move(void);
void check_capture_go_back(void);

size_t any_size(void);
bool any_bool(void);
uint32_t any_u32(void);

#define ASSUME(cond) __CPROVER_assume(cond)
#define MUST(cond) __CPROVER_assert(cond, #cond)

#define STATES 3
#define PARTS 2 /* of the pattern */
#define GROUPS 1
/* A label has a number for each part, and two for each group and the whole. */
#define LABEL (PARTS + 2 * (GROUPS + 1))
#define WORDS 6 /* of the brackets' set: one range */

/* Of exact size, so that one more is outside */
static struct match_state code[STATES];
static uint32_t sets[WORDS];
static uint16_t first_from[STATES + 1], from[2 * STATES];
static size_t now_labels[STATES * LABEL], next_labels[STATES * LABEL], trial[LABEL], best[LABEL];
static bool now_live[STATES], next_live[STATES], queued[STATES];
static uint16_t now_from[STATES], next_from[STATES], now_list[STATES], next_list[STATES];
static uint16_t queue[STATES];
static char text[3];

static void any_capture(struct wq_capture *c)
{
	c->code = code;
	c->sets = sets;
	c->states = STATES;
	c->parts = PARTS;
	c->groups = GROUPS;
	c->label_len = LABEL;
	c->first_from = first_from;
	c->from = from;
	c->now.labels = now_labels;
	c->now.live = now_live;
	c->now.from = now_from;
	c->now.list = now_list;
	c->next.labels = next_labels;
	c->next.live = next_live;
	c->next.from = next_from;
	c->next.list = next_list;
	c->queue = queue;
	c->queued = queued;
	c->trial = trial;
	c->best = best;
	c->text = text;
	c->len = sizeof text;
	ASSUME(c->at <= c->len);
	__CPROVER_havoc_object(text);
	__CPROVER_havoc_object(code);
	__CPROVER_havoc_object(sets);
	__CPROVER_havoc_object(now_labels);
	__CPROVER_havoc_object(now_list);
	ASSUME(sets[MATCH_SET_END] % 2 == 0 && sets[MATCH_SET_END] >= MATCH_SET_RANGES);
	ASSUME(sets[MATCH_SET_END] <= WORDS && sets[MATCH_SET_NEGATED] < 2);
}

/* As pattern.c writes it */
static bool is_state(size_t s)
{
	uint32_t arg = MATCH_ARG(code[s].word), low = arg & 255, high = arg >> 8;

	switch (MATCH_OP(code[s].word)) {
	case MATCH_CHAR:
		return arg <= 0x10ffff;
	case MATCH_SET:
		return arg == 0;
	case MATCH_FORK:
	case MATCH_JUMP:
		return (uint16_t)(s + arg) < STATES && arg >> 16 < PARTS;
	case MATCH_YES:
		return false;
	case MATCH_PART_END:
		return low <= high && high < PARTS;
	case MATCH_GROUP_BEGIN:
	case MATCH_GROUP_END:
		return low >= 1 && low <= GROUPS && high <= GROUPS;
	default:
		return MATCH_OP(code[s].word) <= MATCH_GROUP_END;
	}
}

static bool is_program(void)
{
	size_t s;

	for (s = 0; s + 1 < STATES; s++)
		if (!is_state(s))
			return false;
	return code[STATES - 1].word == MATCH_WORD(MATCH_YES, 0);
}

static bool is_linked(void)
{
	size_t i;

	for (i = 0; i < STATES; i++)
		if (first_from[i] > first_from[i + 1])
			return false;
	for (i = 0; i < first_from[STATES]; i++)
		if (from[i] >= STATES)
			return false;
	return first_from[STATES] <= 2 * STATES;
}

/* Any program: which states lead to which */
void check_capture_link(void)
{
	struct wq_capture c;

	any_capture(&c);
	ASSUME(is_program());
	capture_link(&c);
	MUST(first_from[0] == 0 && is_linked());
}

/* The list has the states of the threads, and each once. */
static bool is_round(const struct capture_round *r)
{
	size_t i, k, live = 0;

	if (r->n > STATES)
		return false;
	for (i = 0; i < STATES; i++)
		live += r->live[i];
	for (i = 0; i < r->n; i++) {
		if (r->list[i] >= STATES || !r->live[r->list[i]])
			return false;
		for (k = 0; k < i; k++)
			if (r->list[k] == r->list[i])
				return false;
	}
	return live == r->n;
}

static void any_threads(struct wq_capture *c)
{
	size_t i;

	for (i = 0; i < STATES; i++)
		now_live[i] = any_bool();
	ASSUME(is_round(&c->now));
}

/* All threads go back over any character; one more begins */
void check_capture_move(void)
{
	struct wq_capture c;
	uint32_t character;
	size_t i = any_size(), at;

	any_capture(&c);
	ASSUME(is_program());
	any_threads(&c);
	at = c.at;
	if (at == 0)
		return;
	c.at -= capture_character(&c, &character);
	MUST(c.at < at);
	capture_move(&c, character);
	capture_seed(&c);
	MUST(is_round(&c.now));
	ASSUME(i < STATES);
	MUST(!c.next.live[i]);
	capture_note_match(&c);
}

/* A thread with any label goes back over any state. */
void check_capture_go_back(void)
{
	struct wq_capture c;
	size_t s = any_size();

	any_capture(&c);
	__CPROVER_havoc_object(trial);
	ASSUME(is_program() && s < STATES);
	capture_go_back(&c, trial, code[s].word);
}

int wsi_utf8_decode(uint32_t *c, const void *p, size_t len)
{
	size_t n = any_size();

	MUST(len > 0 && __CPROVER_r_ok(p, len));
	ASSUME(n <= len && n <= 4);
	*c = any_u32();
	ASSUME(*c <= 0x10ffff);
	return any_bool() ? -1 : (int)n;
}
