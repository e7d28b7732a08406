/* SPDX-License-Identifier: ISC
 * cbmc_capture.c - for CBMC: parts of capture.c with any program of a few states, from any threads that
 * earlier characters can have left behind. Functions of capture.c are left out, and others are in their place that
 * do what the proofs of these functions promise. test/prove/run starts each entry point.
 */
#include "cbmc_any.h"
#include "cli/capture.h"

struct wq_capture;
static void capture_move(struct wq_capture *c, uint32_t character);
static void capture_follow_one(struct wq_capture *c, size_t s, size_t before);
static void capture_follow(struct wq_capture *c);
#include "cli/capture.c"

void check_capture_link(void);
void check_capture_move(void);
void check_capture_character(void);
void check_capture_go_back(void);
void check_capture_ring(void);
void check_capture_follow_one(void);
void check_capture_follow(void);
void check_capture_start(void);
void check_capture_step(void);
void check_capture_group(void);

#define STATES 3
#define PARTS 2 /* of the pattern */
#define GROUPS 1
/* A label has a number for each part, and two for each group and the whole. */
#define LABEL (PARTS + 2 * (GROUPS + 1))
#define WAYS 2  /* back that check_capture_follow() follows */
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
static bool inside[GROUPS + 1][STATES]; /* the state is in this group */

static void any_capture(struct wq_capture *c)
{
	size_t i;
	unsigned g;

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
	ASSUME(c->len <= sizeof text && c->at <= c->len);
	__CPROVER_havoc_object(text);
	__CPROVER_havoc_object(code);
	__CPROVER_havoc_object(sets);
	__CPROVER_havoc_object(now_labels);
	__CPROVER_havoc_object(now_list);
	for (i = 0; i < STATES; i++)
		for (g = 1; g <= GROUPS; g++)
			inside[g][i] = any_bool();
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

/* True if state s leads to state next, by a character or without one. */
static bool leads(const struct wq_capture *c, size_t s, size_t next)
{
	size_t target[2];
	int n = capture_targets(c, s, target);

	if (MATCH_OP(code[s].word) <= MATCH_SET)
		return next == s + 1;
	return (n > 0 && target[0] == next) || (n > 1 && target[1] == next);
}

/* A group is entered over the state where it begins, and left over the one where it ends. */
static bool is_nested(size_t s, size_t next, unsigned g)
{
	uint32_t word = code[s].word, first = word & 255, last = MATCH_ARG(word) >> 8;

	if (word == MATCH_WORD(MATCH_GROUP_BEGIN, first | last << 8) && first == g)
		return !inside[g][s] && inside[g][next];
	if (word == MATCH_WORD(MATCH_GROUP_END, first | last << 8) && first == g)
		return inside[g][s] && !inside[g][next];
	if (MATCH_OP(word) == MATCH_GROUP_BEGIN && g > first && g <= last && inside[g][s])
		return false;
	return inside[g][s] == inside[g][next];
}

static bool is_program(const struct wq_capture *c)
{
	size_t s, next;
	unsigned g;

	for (s = 0; s + 1 < STATES; s++)
		if (!is_state(s))
			return false;
	if (code[STATES - 1].word != MATCH_WORD(MATCH_YES, 0))
		return false;
	for (g = 1; g <= GROUPS; g++) {
		if (inside[g][0] || inside[g][STATES - 1])
			return false;
		for (s = 0; s + 1 < STATES; s++)
			for (next = 0; next < STATES; next++)
				if (leads(c, s, next) && !is_nested(s, next, g))
					return false;
	}
	return true;
}

/* The lists of from lie one after the other. */
static bool are_lists(void)
{
	size_t i;

	for (i = 0; i < STATES; i++)
		if (first_from[i] > first_from[i + 1])
			return false;
	for (i = 0; i < (size_t)2 * STATES; i++)
		if (i < first_from[STATES] && from[i] >= STATES)
			return false;
	return first_from[0] == 0 && first_from[STATES] <= 2 * STATES;
}

static bool is_in_list(size_t s, size_t before)
{
	size_t i;

	for (i = 0; i < (size_t)2 * STATES; i++)
		if (i >= first_from[s] && i < first_from[s + 1] && from[i] == before)
			return true;
	return false;
}

/* Any program: which states lead to which */
void check_capture_link(void)
{
	struct wq_capture c;
	size_t s = any_size(), before = any_size();

	any_capture(&c);
	ASSUME(is_program(&c));
	capture_link(&c);
	MUST(are_lists());
	ASSUME(s < STATES && before < STATES);
	MUST(is_in_list(s, before)
	     == (leads(&c, before, s) && MATCH_OP(code[before].word) > MATCH_SET));
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

/* A position from at on, plus 1 */
static bool is_position(const struct wq_capture *c, size_t at, size_t position)
{
	return position > at && position <= c->len + 1;
}

/* The label of a thread in state s at a position: where the match ends, and what each group matches. A group
 * in which the state is has an end already, and perhaps a later repetition of it has all. */
static bool is_label(const struct wq_capture *c, const size_t *label, size_t s, size_t at)
{
	size_t begin, end;
	unsigned g;

	if (!is_position(c, at, label[0]))
		return false;
	for (g = 1; g <= GROUPS; g++) {
		begin = label[PARTS + 2 * g];
		end = label[PARTS + 2 * g + 1];
		if (begin == CAPTURE_NONE && end == CAPTURE_NONE)
			continue;
		if (end == 0 ? begin != 0 || inside[g][s] : !is_position(c, at, end))
			return false;
		if (begin == 0 ? end != 0 && !inside[g][s]
		               : !is_position(c, at, begin) || begin > end)
			return false;
	}
	return true;
}

static bool are_labels(const struct wq_capture *c, size_t at)
{
	size_t s;

	for (s = 0; s < STATES; s++)
		if (c->now.live[s] && !is_label(c, c->now.labels + s * LABEL, s, at))
			return false;
	return true;
}

static void any_threads(struct wq_capture *c)
{
	size_t i;

	for (i = 0; i < STATES; i++)
		now_live[i] = any_bool();
	ASSUME(is_round(&c->now) && are_labels(c, c->at));
}

/* All threads go back over any character. */
void check_capture_move(void)
{
	struct wq_capture c;
	size_t i = any_size(), at;

	any_capture(&c);
	ASSUME(is_program(&c));
	any_threads(&c);
	at = any_size();
	ASSUME(at < c.at && i < STATES);
	c.at = at;
	left_out_capture_move(&c, any_u32());
	MUST(is_round(&c.now) && !c.next.live[i]);
	MUST(!c.now.live[i] || is_label(&c, c.now.labels + i * LABEL, i, c.at));
}

/* The character before any place in the text lies in the text. */
void check_capture_character(void)
{
	struct wq_capture c;
	uint32_t character;
	size_t n;

	any_capture(&c);
	ASSUME(c.at > 0);
	n = capture_character(&c, &character);
	MUST(n >= 1 && n <= c.at && character <= 0x10ffff);
}

/* The ring has each state that is marked, and no other. */
static bool is_ring(const struct wq_capture *c)
{
	size_t i, k, at, marked = 0;
	bool seen[STATES] = {false};

	if (c->head >= STATES || c->waiting > STATES)
		return false;
	for (i = 0; i < STATES; i++)
		marked += queued[i];
	for (i = 0; i < c->waiting; i++) {
		at = c->head + i < STATES ? c->head + i : c->head + i - STATES;
		k = queue[at];
		if (k >= STATES || !queued[k] || seen[k])
			return false;
		seen[k] = true;
	}
	return marked == c->waiting;
}

static void any_ring(struct wq_capture *c)
{
	size_t i;

	__CPROVER_havoc_object(queue);
	for (i = 0; i < STATES; i++)
		queued[i] = any_bool();
	c->head = any_size();
	c->waiting = any_size();
	ASSUME(is_ring(c));
}

/* Any ring: another state waits in it, or the first one leaves it. */
void check_capture_ring(void)
{
	struct wq_capture c;
	size_t s = any_size(), waiting, other = any_size();
	bool was, other_was;

	any_capture(&c);
	any_ring(&c);
	ASSUME(s < STATES && other < STATES && other != s);
	was = queued[s];
	other_was = queued[other];
	waiting = c.waiting;
	if (any_bool()) {
		capture_enqueue(&c, s);
		MUST(queued[s] && c.waiting == waiting + !was);
		MUST(was || queue[(c.head + waiting) % STATES] == s);
	} else if (waiting > 0) {
		ASSUME(queue[c.head] == s);
		MUST(capture_dequeue(&c) == s && !queued[s] && c.waiting == waiting - 1);
	}
	MUST(is_ring(&c) && queued[other] == other_was);
}

/* A thread with any label goes back over any state. */
void check_capture_go_back(void)
{
	struct wq_capture c;
	size_t s = any_size(), before = any_size();

	any_capture(&c);
	__CPROVER_havoc_object(trial);
	ASSUME(is_program(&c) && s < STATES && before < STATES && leads(&c, before, s));
	ASSUME(is_label(&c, trial, s, c.at));
	if (capture_go_back(&c, trial, code[before].word))
		MUST(is_label(&c, trial, before, c.at));
}

/* From any threads and any ring, one more way back is followed. */
void check_capture_follow_one(void)
{
	struct wq_capture c;
	size_t s = any_size(), before = any_size();

	any_capture(&c);
	ASSUME(is_program(&c));
	any_threads(&c);
	any_ring(&c);
	ASSUME(s < STATES && before < STATES && now_live[s] && leads(&c, before, s));
	left_out_capture_follow_one(&c, s, before);
	MUST(is_round(&c.now) && are_labels(&c, c.at) && is_ring(&c));
}

/* What capture_follow() relies on, for each way back that it follows. Here one of them changes a label. */
static void capture_follow_one(struct wq_capture *c, size_t s, size_t before)
{
	static bool changed;

	MUST(s < STATES && before < STATES && c->now.live[s] && is_in_list(s, before));
	if (changed || any_bool())
		return;
	changed = true;
	if (!c->now.live[before]) {
		c->now.live[before] = true;
		c->now.list[c->now.n++] = (uint16_t)before;
	}
	capture_enqueue(c, before);
}

/* All threads are followed, and none is left in the ring. */
void check_capture_follow(void)
{
	struct wq_capture c;
	size_t i;

	any_capture(&c);
	__CPROVER_havoc_object(first_from);
	__CPROVER_havoc_object(from);
	ASSUME(are_lists() && first_from[STATES] <= WAYS);
	for (i = 0; i < STATES; i++) {
		now_live[i] = any_bool();
		queued[i] = false;
	}
	c.waiting = 0;
	ASSUME(c.head < STATES && is_round(&c.now));
	left_out_capture_follow(&c);
	MUST(is_round(&c.now) && is_ring(&c) && c.waiting == 0);
}

/* What holds between two characters */
static bool is_between(const struct wq_capture *c)
{
	size_t i;

	for (i = 0; i < STATES; i++)
		if (c->next.live[i])
			return false;
	if (c->found && (c->best_at > c->len || !is_label(c, best, 0, c->best_at)))
		return false;
	return c->at <= c->len && is_round(&c->now) && is_ring(c) && c->waiting == 0
	       && are_labels(c, c->at);
}

/* Threads with any labels, as the proofs of the functions in whose place this is leave them. */
static void change_threads(struct wq_capture *c)
{
	size_t i;

	for (i = 0; i < STATES; i++)
		c->now.live[i] = any_bool();
	__CPROVER_havoc_object(now_list);
	__CPROVER_havoc_object(now_labels);
	c->now.n = any_size();
	c->work += any_bool() ? CAPTURE_WORK : 0;
	ASSUME(is_round(&c->now) && are_labels(c, c->at));
}

static void capture_follow(struct wq_capture *c)
{
	MUST(is_between(c));
	change_threads(c);
}

static void capture_move(struct wq_capture *c, uint32_t character)
{
	size_t i;

	for (i = 0; i < STATES; i++)
		MUST(!c->next.live[i]);
	MUST(is_round(&c->now) && c->at < c->len);
	change_threads(c);
}

/* A search begins, whatever an earlier one has left. */
void check_capture_start(void)
{
	struct wq_capture c;
	size_t len = any_size(), i;

	any_capture(&c);
	any_ring(&c);
	for (i = 0; i < STATES; i++) {
		now_live[i] = any_bool();
		next_live[i] = any_bool();
	}
	ASSUME(is_program(&c) && c.waiting == 0 && len <= sizeof text);
	wq_capture_start(&c, text, len);
	MUST(is_between(&c) && c.at == len && c.len == len && c.text == text);
}

/* It goes on to the text's start, or until the work of one call is done. */
void check_capture_step(void)
{
	struct wq_capture c;
	int done;

	any_capture(&c);
	any_ring(&c);
	any_threads(&c);
	__CPROVER_havoc_object(best);
	ASSUME(is_program(&c) && is_between(&c) && c.len <= 2);
	done = wq_capture_step(&c);
	MUST(is_between(&c));
	MUST(done ? c.at == 0 : c.at > 0 && c.work >= CAPTURE_WORK);
}

/* What a group has matched lies in the text. */
void check_capture_group(void)
{
	struct wq_capture c;
	struct wsi_str s;
	unsigned group = (unsigned)any_size();

	any_capture(&c);
	any_ring(&c);
	__CPROVER_havoc_object(best);
	ASSUME(is_program(&c) && is_between(&c));
	s = wq_capture_group(&c, group);
	MUST(s.p ? c.found && group <= GROUPS : s.len == 0);
	if (s.p)
		MUST(s.p >= text && s.len <= c.len && s.p + s.len <= text + c.len);
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
