/* SPDX-License-Identifier: ISC
 * cbmc_parse.c - for CBMC: pattern.c parses a pattern of any length. The parser is a loop over its parts, so one
 * step is proved from any state in which the parser can be, and the same for the loops within a step. Each step is
 * done twice from the same state, as in the first reading and in the second, which has just the room that the first
 * one has counted.
 *
 * Each entry point proves one function. The functions that it calls and that another entry point proves are left
 * out, and those here do what has been proved of them: anything that keeps to it. Where the caller is a loop, they
 * stand for any number of steps. test/prove/run starts each entry point, and says what is left out.
 */
#include "cbmc_any.h"
#include "cli/pattern.h"
#include <stdlib.h>
#include <string.h>

/* Small, so that the limits are reached. */
#undef WSI_MATCH_DEPTH_MAX
#undef WSI_MATCH_STATES_MAX
#undef WSI_MATCH_REPEAT_MAX
#define WSI_MATCH_DEPTH_MAX 2
#define WSI_MATCH_STATES_MAX 7
#define WSI_MATCH_REPEAT_MAX 8

struct pattern_group;

#ifndef OUTER
#define OUTER 0 /* groups that are open before a part */
#endif

/* pattern.c copies only states. */
static void copy_states(struct match_state *to, const struct match_state *from, size_t size,
                        bool apart);
static void clear_group(struct pattern_group *g);
static int compare_bytes(const char *a, const char *b, size_t n);
#define memmove(to, from, size) copy_states(to, from, size, false)
#define memcpy(to, from, size) copy_states(to, from, size, true)
#define memset(to, byte, size) clear_group(to)
#define memcmp(a, b, n) compare_bytes(a, b, n)
#include "cli/pattern.c"
#undef memcmp
#undef memset
#undef memmove
#undef memcpy

void check_parse_part(void);
void check_parse_pattern(void);
void check_parse_range(void);
void check_parse_element(void);
void check_parse_class(void);
void check_parse_bracket(void);
void check_parse_braces(void);
void check_parse_repeat(void);
void check_parse_steps(void);

#define WORDS 16 /* of all sets, where they are written */
#define BEFORE 1 /* bytes before the place, and after it */
#define SEEN 23
#define LEN_MAX ((size_t)1 << 32) /* of a pattern: no number is as large as this by itself */

/* What braces can ask for */
static bool is_repetition(size_t min, size_t max)
{
	return min <= max && min <= WSI_MATCH_REPEAT_MAX
	       && (max <= WSI_MATCH_REPEAT_MAX || max == PATTERN_NO_END);
}

/* Of the second reading. What is used of it lies at its end, so that one more is outside. */
static struct match_state code[WSI_MATCH_STATES_MAX];
static uint32_t sets[WORDS];
static size_t sets_room;
static char bytes[BEFORE + SEEN];

static bool second; /* the second reading */

/* Writes any word to any one of these states: enough to see whether it matters that all of them may change. */
static void change_states(const struct wsi_pattern *b, size_t first, size_t end)
{
	size_t i = any_size();

	MUST(first <= end && end <= b->n_max);
	if (i >= first && i < end)
		b->code[i].word = any_u32();
}

static void copy_states(struct match_state *to, const struct match_state *from, size_t size,
                        bool apart)
{
	size_t n = size / sizeof *to, i = any_size();

	MUST(__CPROVER_r_ok(from, size) && __CPROVER_w_ok(to, size));
	MUST(!apart || to + n <= from || from + n <= to);
	if (i < n)
		to[i].word = any_u32();
}

static void clear_group(struct pattern_group *g)
{
	static const struct pattern_group zero;

	*g = zero;
}

/* Any answer */
static int compare_bytes(const char *a, const char *b, size_t n)
{
	MUST(__CPROVER_r_ok(a, n) && __CPROVER_r_ok(b, n));
	return any_int();
}

/* The bytes are not looked at: any character, or none. */
static struct decoded {
	size_t at, left;
	uint32_t c;
	int n;
} decoded[2];
static size_t decoded_n;

int wsi_utf8_decode(uint32_t *c, const void *p, size_t len)
{
	struct decoded *d = &decoded[decoded_n++];

	MUST(decoded_n <= 2 && __CPROVER_r_ok(p, len < 4 ? len : 4));
	if (!second) {
		d->at = __CPROVER_POINTER_OFFSET(p);
		d->left = len;
		d->c = any_u32();
		d->n = any_int();
		ASSUME(d->n <= 4 && d->c <= 0x10ffff);
		ASSUME(d->n <= 0 || (size_t)d->n <= len);
	}
	MUST(d->at == __CPROVER_POINTER_OFFSET(p) && d->left == len);
	*c = d->c;
	return d->n;
}

/* What a function that is left out does to the pattern in the first reading, it does again in the second: this is
 * what an entry point proves of it. */
static struct answer {
	size_t from, at, n, n_max, sets_n, where;
	int result;
	unsigned kind; /* of an element */
	uint32_t c;
} answers[2];
static size_t answers_n;

static bool same_pattern(const struct wsi_pattern *a, const struct wsi_pattern *b)
{
	return a->p == b->p && a->len == b->len && a->at == b->at && a->n == b->n
	       && a->n_max == b->n_max && a->sets_n == b->sets_n && a->where == b->where;
}

/* Any place after this one, any larger program and sets, or a failure */
static int go_on(struct wsi_pattern *b)
{
	struct answer *a = &answers[answers_n++];

	MUST(answers_n <= 2);
	if (second) {
		MUST(a->from == b->at && a->result == 0);
	} else {
		a->from = b->at;
		a->at = any_size();
		a->n = any_size();
		a->n_max = any_size();
		a->sets_n = any_size();
		a->where = any_size();
		a->result = any_bool() ? -1 : 0;
		ASSUME(a->at >= b->at && a->at <= b->len && a->where <= b->len);
		ASSUME(a->n_max >= b->n_max && a->n_max >= a->n && a->sets_n >= b->sets_n);
		if (a->result == 0)
			ASSUME(a->n_max <= WSI_MATCH_STATES_MAX);
		else
			b->why = "wrong";
	}
	b->at = a->at;
	b->n = a->n;
	b->n_max = a->n_max;
	b->sets_n = a->sets_n;
	b->where = a->where;
	return a->result;
}

static const struct pattern_group *joined; /* the innermost group */

/* Any pattern, and any place in it */
static void any_pattern(struct wsi_pattern *b, struct pattern_capture *capture)
{
	struct wsi_pattern none = {0};

	*b = none;
	b->len = any_size();
	ASSUME(b->len <= LEN_MAX);
	b->p = malloc(b->len);
	b->at = any_size();
	b->n = any_size();
	b->n_max = any_size();
	b->sets_n = any_size();
	b->where = any_size();
	ASSUME(b->at <= b->len && b->where <= b->len);
	ASSUME(b->n <= b->n_max && b->n_max <= WSI_MATCH_STATES_MAX);
	ASSUME(b->sets_n <= PATTERN_SETS_MAX);
	if (capture && any_bool()) {
		capture->parts = any_unsigned();
		capture->groups = any_unsigned();
		b->capture = capture;
	}
}

/* Both readings begin from the same numbers of groups and parts. */
static void copy_capture(struct wsi_pattern *b, struct pattern_capture *copy)
{
	if (!b->capture)
		return;
	*copy = *b->capture;
	b->capture = copy;
}

/* The pattern has so many bytes from where it is read on; those that are not there must not be looked at. */
static void see_bytes(struct wsi_pattern *b)
{
	size_t left = b->len - b->at;

	__CPROVER_havoc_object(bytes);
	ASSUME(b->at == BEFORE);
	b->p = bytes + (left < SEEN ? SEEN - left : 0);
}

/* The second reading has the room that the first one has counted. */
static void begin_second(struct wsi_pattern *b, const struct wsi_pattern *count)
{
	__CPROVER_havoc_object(code);
	__CPROVER_havoc_object(sets);
	second = true;
	decoded_n = answers_n = 0;
	b->code = code + WSI_MATCH_STATES_MAX - count->n_max;
	b->sets = sets + WORDS - (count->sets_n <= WORDS ? count->sets_n : WORDS);
	sets_room = count->sets_n;
}

static bool has_failed(const struct wsi_pattern *b)
{
	return b->why && b->where <= b->len;
}

static bool same_capture(const struct wsi_pattern *a, const struct wsi_pattern *b)
{
	return !a->capture
	       || (a->capture->parts == b->capture->parts
	           && a->capture->groups == b->capture->groups);
}

/* What is never less after a step, and what is true after it */
static bool has_gone_on(const struct wsi_pattern *b, const struct wsi_pattern *from)
{
	return b->at >= from->at && b->at <= b->len && b->where <= b->len && b->n <= b->n_max
	       && b->n_max >= from->n_max && b->n_max <= WSI_MATCH_STATES_MAX
	       && b->sets_n >= from->sets_n;
}

#ifdef WITHOUT_pattern_bracket
/* From the first word of its set on, any word changes. */
static int pattern_bracket(struct wsi_pattern *b)
{
	size_t n = b->n, set = b->sets_n, open = b->where;

	if (go_on(b) < 0)
		return -1;
	ASSUME(b->at > open + 1 && b->n == n + 1 && b->where == open);
	ASSUME(b->sets_n >= set + MATCH_SET_RANGES && b->sets_n <= PATTERN_SETS_MAX);
	if (b->code)
		b->code[n].word = MATCH_WORD(MATCH_SET, set);
	MUST(!b->sets || b->sets_n <= sets_room);
	return 0;
}
#endif

#ifdef WITHOUT_pattern_braces
static int pattern_braces(struct wsi_pattern *b, size_t *min, size_t *max)
{
	static size_t from, to;
	size_t n = b->n, n_max = b->n_max, sets_n = b->sets_n, where = b->where;

	if (go_on(b) < 0)
		return -1;
	ASSUME(b->n == n && b->n_max == n_max && b->sets_n == sets_n && b->where == where);
	if (!second) {
		from = any_size();
		to = any_size();
	}
	*min = from;
	*max = to;
	ASSUME(is_repetition(*min, *max));
	return 0;
}
#endif

#ifdef WITHOUT_pattern_repeat
static int pattern_repeat(struct wsi_pattern *b, size_t atom, size_t min, size_t max, unsigned part)
{
	size_t at = b->at, sets_n = b->sets_n, where = b->where;

	MUST(atom <= b->n && is_repetition(min, max) && part <= PATTERN_PARTS_MAX);
	if (go_on(b) < 0)
		return -1;
	ASSUME(b->at == at && b->sets_n == sets_n && b->where == where && b->n >= atom);
	if (b->code)
		change_states(b, atom, b->n_max);
	return 0;
}
#endif

#ifdef WITHOUT_pattern_land
/* All jumps of the group, from the last one on */
static size_t pattern_land(struct wsi_pattern *b, size_t jump)
{
	MUST(jump > joined->first && jump <= joined->branch && jump <= b->n);
	change_states(b, joined->first, jump);
	return 0;
}
#endif

/* The state of the parser between two parts of a pattern */

/* outer: the group that this one lies in, NULL for the whole pattern */
static bool is_group(const struct pattern_group *g, const struct pattern_group *outer,
                     const struct wsi_pattern *b)
{
	const struct pattern_capture *c = b->capture;

	if (g->first < 1 || g->first > g->branch || g->branch > b->n || g->where > b->len)
		return false;
	if (g->jump != 0 && (g->jump != g->branch || g->jump < g->first + 2))
		return false;
	if (outer && outer->branch > g->first)
		return false;
	if (!c)
		return g->repetition == 0 && g->part == 0 && g->alternative == 0;
	if (outer && (g->number == 0 || (g->number <= PATTERN_GROUPS_MAX && g->first == g->branch)))
		return false;
	return g->number <= c->groups && g->repetition < c->parts && g->part < c->parts
	       && g->alternative < c->parts;
}

/* The innermost group has the number depth. k: any group, which stands for all */
static bool is_parser(const struct pattern_parser *ps, size_t depth, size_t k)
{
	const struct wsi_pattern *b = ps->b;

	if (ps->group != ps->groups + depth)
		return false;
	if (ps->atom != PATTERN_NONE && (ps->atom < ps->groups[depth].branch || ps->atom > b->n))
		return false;
	if (ps->repetition > PATTERN_PARTS_MAX || ps->part > PATTERN_PARTS_MAX)
		return false;
	if (b->capture
	    && (b->capture->parts < 2 || b->capture->parts > PATTERN_PARTS_MAX + 2 + 3 * depth
	        || b->capture->groups > b->capture->parts))
		return false;
	return k > depth || is_group(ps->groups + k, k == 0 ? NULL : ps->groups + k - 1, b);
}

static bool same_group(const struct pattern_group *a, const struct pattern_group *b)
{
	return a->first == b->first && a->branch == b->branch && a->jump == b->jump
	       && a->where == b->where && a->number == b->number && a->repetition == b->repetition
	       && a->part == b->part && a->alternative == b->alternative;
}

static bool same_parser(const struct pattern_parser *a, const struct pattern_parser *b)
{
	return same_pattern(a->b, b->b) && same_capture(a->b, b->b) && a->atom == b->atom
	       && a->repeated == b->repeated && a->repetition == b->repetition && a->part == b->part
	       && a->group - a->groups == b->group - b->groups;
}

/* Each kind of part has a run of its own. Only the functions for this kind are there. */
#ifdef WITHOUT_parse_open
static int parse_open(struct pattern_parser *ps)
{
	ASSUME(ps == NULL);
	return -1;
}
#endif

#ifdef WITHOUT_parse_close
static int parse_close(struct pattern_parser *ps)
{
	ASSUME(ps == NULL);
	return -1;
}
#endif

#ifdef WITHOUT_pattern_alternative
static int pattern_alternative(struct wsi_pattern *b, struct pattern_group *g)
{
	ASSUME(b == NULL && g == NULL);
	return -1;
}
#endif

#ifdef WITHOUT_parse_repetition
static int parse_repetition(struct pattern_parser *ps, uint32_t c, bool again)
{
	ASSUME(ps == NULL && c == 0 && !again);
	return -1;
}
#endif

#ifdef WITHOUT_parse_single
static int parse_single(struct pattern_parser *ps, uint32_t word)
{
	ASSUME(ps == NULL && word == 0);
	return -1;
}
#endif

#ifdef WITHOUT_parse_anchor
static int parse_anchor(struct pattern_parser *ps, enum match_op op)
{
	ASSUME(ps == NULL && op == MATCH_CHAR);
	return -1;
}
#endif

#ifdef WITHOUT_parse_escaped
static int parse_escaped(struct pattern_parser *ps)
{
	ASSUME(ps == NULL);
	return -1;
}
#endif

/* One part of a pattern, within so many groups */
static void check_part_within(const size_t outer)
{
	static struct pattern_capture capture, copy;
	static struct pattern_parser counts, ps;
	struct wsi_pattern from, count, b;
	size_t depth, k, i = any_size(), jump, low;
	uint32_t word;

	any_pattern(&count, &capture);
	ASSUME(count.at < count.len);
	__CPROVER_havoc_object(&counts);
	counts.b = &count;
	counts.group = counts.groups + outer;
	counts.repeated = any_bool();
	for (k = 0; k <= outer; k++)
		ASSUME(is_parser(&counts, outer, k));
	from = b = count;
	ps = counts;
	ps.b = &b;
	ps.group = ps.groups + outer;
	joined = ps.group;
	jump = joined->jump;
	copy_capture(&b, &copy);
	if (parse_part(&counts) < 0) {
		MUST(has_failed(&count));
		return;
	}
	MUST(has_gone_on(&count, &from) && count.at > from.at);
	MUST(count.sets_n <= PATTERN_SETS_MAX);
	depth = (size_t)(counts.group - counts.groups);
	MUST(depth <= WSI_MATCH_DEPTH_MAX && depth <= outer + 1 && depth + 1 >= outer);
	for (k = 0; k <= WSI_MATCH_DEPTH_MAX; k++)
		MUST(is_parser(&counts, depth, k));

	begin_second(&b, &count);
	low = depth < outer ? joined->first : joined->branch;
	ASSUME(i < low);
	word = b.code[i].word;
	MUST(parse_part(&ps) == 0);
	MUST(same_parser(&counts, &ps));
	for (k = 0; k <= WSI_MATCH_DEPTH_MAX; k++)
		MUST(k > depth || same_group(counts.groups + k, ps.groups + k));
	MUST(b.code[i].word == word);
	if (depth == outer && joined->jump != jump) {
		MUST(jump < joined->jump);
		MUST(b.code[joined->jump - 1].word == MATCH_WORD(MATCH_JUMP, jump));
	}
}

void check_parse_part(void)
{
	check_part_within(OUTER);
}

#ifdef WITHOUT_parse_part
/* All parts up to the pattern's end, or to one that is wrong */
static int parse_part(struct pattern_parser *ps)
{
	static struct pattern_parser kept;
	static struct pattern_capture numbers;
	struct wsi_pattern *b = ps->b;
	static size_t depth;

	MUST(is_parser(ps, 0, 0) && b->n == 1);
	if (go_on(b) < 0)
		return -1;
	ASSUME(b->at == b->len && b->n > 0 && b->sets_n <= PATTERN_SETS_MAX);
	if (!second) {
		__CPROVER_havoc_object(&kept);
		depth = any_bool() ? 1 : 0;
		numbers.parts = any_unsigned();
		numbers.groups = any_unsigned();
	}
	*ps = kept;
	ps->b = b;
	ps->group = ps->groups + depth;
	if (b->capture)
		*b->capture = numbers;
	ASSUME(is_parser(ps, depth, 0) && is_parser(ps, depth, 1));
	joined = ps->groups;
	if (b->code)
		change_states(b, 1, b->n_max);
	return 0;
}
#endif

/* A whole pattern */
void check_parse_pattern(void)
{
	static struct pattern_capture capture, copy;
	struct wsi_pattern count = {0}, b;

	count.len = any_size();
	ASSUME(count.len <= LEN_MAX);
	count.p = malloc(count.len);
	if (any_bool())
		count.capture = &capture;
	b = count;
	copy_capture(&b, &copy);
	if (wsi_pattern_parse(&count) < 0) {
		MUST(has_failed(&count));
		return;
	}
	MUST(count.at == count.len && count.n <= count.n_max);
	MUST(count.n_max <= WSI_MATCH_STATES_MAX && count.sets_n <= PATTERN_SETS_MAX);
	begin_second(&b, &count);
	MUST(wsi_pattern_parse(&b) == 0);
	MUST(same_pattern(&count, &b) && same_capture(&count, &b));
	MUST(b.code[0].word == MATCH_WORD(MATCH_BEGIN, 0));
	MUST(b.code[b.n - 1].word == MATCH_WORD(MATCH_YES, 0));
}

/* Brackets */

/* What one element, or any number of them, adds to the words of the set: at most two for each byte */
static bool has_added(const struct wsi_pattern *b, const struct wsi_pattern *from)
{
	size_t words = b->sets_n - from->sets_n;

	return b->at > from->at && words % 2 == 0 && words <= 2 * (b->at - from->at)
	       && b->n == from->n && b->n_max == from->n_max;
}

#ifdef WITHOUT_pattern_class
static enum pattern_element pattern_class(struct wsi_pattern *b)
{
	struct wsi_pattern from = *b;

	MUST(b->at + 2 <= b->len);
	if (go_on(b) < 0)
		return ELEMENT_WRONG;
	ASSUME(has_added(b, &from) && b->where == from.where && b->at <= from.at + 10);
	MUST(!second || b->sets_n <= sets_room);
	return ELEMENT_CLASS;
}
#endif

#ifdef WITHOUT_pattern_element
static enum pattern_element pattern_element(struct wsi_pattern *b, uint32_t *c)
{
	struct answer *a = &answers[answers_n];
	struct wsi_pattern from = *b;

	MUST(b->at < b->len);
	if (go_on(b) < 0)
		return ELEMENT_WRONG;
	if (!second) {
		a->kind = any_unsigned();
		a->c = any_u32();
	}
	ASSUME(has_added(b, &from) && b->at <= from.at + 10);
	ASSUME(a->kind == ELEMENT_CHAR || a->kind == ELEMENT_EQUIVALENT
	       || a->kind == ELEMENT_CLASS);
	ASSUME(a->kind == ELEMENT_CLASS || b->sets_n == from.sets_n);
	MUST(!second || b->sets_n <= sets_room);
	*c = a->c;
	return (enum pattern_element)a->kind;
}
#endif

#ifdef WITHOUT_pattern_range_or_element
/* All elements up to the one that is wrong, to the end of the bracket or to that of the pattern */
static int pattern_range_or_element(struct wsi_pattern *b, size_t first)
{
	struct wsi_pattern from = *b;
	size_t i = any_size();

	MUST(first <= b->at && b->at < b->len);
	if (go_on(b) < 0)
		return -1;
	ASSUME(has_added(b, &from));
	ASSUME(b->at == b->len || b->p[b->at] == ']');
	MUST(!second || b->sets_n <= sets_room);
	if (b->sets && i >= from.sets_n && i < b->sets_n)
		b->sets[i] = any_u32();
	return 0;
}
#endif

static void check_bracket(struct wsi_pattern *count, struct wsi_pattern *b)
{
	const struct wsi_pattern from = *count;
	size_t i = any_size();
	uint32_t *set, word;

	ASSUME(from.where < from.at);
	if (pattern_bracket(count) < 0) {
		MUST(has_failed(count));
		return;
	}
	MUST(has_gone_on(count, &from) && count->at > from.at && count->n == from.n + 1);
	MUST(count->where == from.where && count->sets_n <= PATTERN_SETS_MAX);
	MUST(count->sets_n >= from.sets_n + MATCH_SET_RANGES);
	ASSUME(count->sets_n <= WORDS);
	begin_second(b, count);
	ASSUME(i < from.sets_n);
	word = b->sets[i];
	MUST(pattern_bracket(b) == 0);
	MUST(same_pattern(count, b) && b->sets[i] == word);
	MUST(b->code[b->n - 1].word == MATCH_WORD(MATCH_SET, from.sets_n));
	set = b->sets + from.sets_n;
	MUST(set[MATCH_SET_END] == b->sets_n - from.sets_n);
	MUST(set[MATCH_SET_END] % 2 == 0 && set[MATCH_SET_NEGATED] < 2);
}

/* One element of a bracket */
void check_parse_element(void)
{
	struct wsi_pattern from, count, b;
	enum pattern_element kind;
	uint32_t c = 0, again = 0;

	any_pattern(&count, NULL);
	ASSUME(count.at < count.len);
	see_bytes(&count);
	from = b = count;
	kind = pattern_element(&count, &c);
	if (kind == ELEMENT_WRONG) {
		MUST(has_failed(&count));
		return;
	}
	MUST(has_gone_on(&count, &from) && has_added(&count, &from) && count.at <= from.at + 10);
	MUST(kind == ELEMENT_CHAR || kind == ELEMENT_EQUIVALENT || kind == ELEMENT_CLASS);
	MUST(kind == ELEMENT_CLASS || count.sets_n == from.sets_n);
	begin_second(&b, &count);
	MUST(pattern_element(&b, &again) == kind && again == c && same_pattern(&count, &b));
}

/* An element that stands for itself, or a range */
void check_parse_range(void)
{
	struct wsi_pattern from, count, b;
	size_t first = any_size(), i = any_size();
	uint32_t word;

	any_pattern(&count, NULL);
	ASSUME(count.at < count.len && first <= count.at);
	see_bytes(&count);
	from = b = count;
	if (pattern_range_or_element(&count, first) < 0) {
		MUST(has_failed(&count));
		return;
	}
	MUST(has_gone_on(&count, &from) && has_added(&count, &from));
	ASSUME(count.sets_n <= WORDS);
	begin_second(&b, &count);
	ASSUME(i < from.sets_n);
	word = b.sets[i];
	MUST(pattern_range_or_element(&b, first) == 0);
	MUST(same_pattern(&count, &b) && b.sets[i] == word);
}

/* "[:alpha:]", or what begins like it. The name can be any of those that fit, and which one it is does not hang on
 * whether the words are only counted. */
void check_parse_class(void)
{
	struct wsi_pattern from, b;
	size_t i = any_size();
	uint32_t word;

	any_pattern(&b, NULL);
	ASSUME(b.at + 2 <= b.len && b.sets_n <= WORDS / 2 && i < WORDS);
	see_bytes(&b);
	if (any_bool())
		b.sets = sets;
	from = b;
	word = sets[i];
	if (pattern_class(&b) == ELEMENT_WRONG) {
		MUST(has_failed(&b) && sets[i] == word);
		return;
	}
	MUST(has_gone_on(&b, &from) && has_added(&b, &from) && b.where == from.where);
	MUST(b.at <= from.at + 10);
	MUST((i >= from.sets_n && i < b.sets_n) || sets[i] == word);
}

/* Repetitions */

static bool is_digit(const struct wsi_pattern *b, size_t at)
{
	return at < b->len && b->p[at] >= '0' && b->p[at] <= '9';
}

#ifdef WITHOUT_pattern_digit
/* All digits that are there */
static bool pattern_digit(struct wsi_pattern *b, size_t *v)
{
	size_t end = any_size();

	if (!is_digit(b, b->at))
		return false;
	ASSUME(end > b->at && end <= b->len && !is_digit(b, end));
	b->at = end;
	*v = any_size();
	ASSUME(*v <= WSI_MATCH_REPEAT_MAX + 1);
	return true;
}
#endif

static void check_braces(struct wsi_pattern *b)
{
	const struct wsi_pattern from = *b;
	size_t min, max;

	if (pattern_braces(b, &min, &max) < 0) {
		MUST(has_failed(b));
		return;
	}
	MUST(is_repetition(min, max) && b->at > from.at && b->at <= b->len);
	MUST(b->n == from.n && b->n_max == from.n_max && b->sets_n == from.sets_n);
	MUST(b->where == from.where);
}

static void check_digit(struct wsi_pattern *b)
{
	const struct wsi_pattern from = *b;
	size_t v = any_size();
	bool is = is_digit(b, b->at);

	ASSUME(v <= WSI_MATCH_REPEAT_MAX + 1);
	MUST(pattern_digit(b, &v) == is);
	MUST(b->at == from.at + (is ? 1 : 0) && v <= WSI_MATCH_REPEAT_MAX + 1);
}

/* So many copies are left from here on: mandatory ones, then optional ones */
static bool is_copies(const struct wsi_pattern *b, const struct pattern_copies *c, size_t at,
                      size_t mandatory, size_t optional)
{
	if (mandatory > 0 && at + mandatory * c->len != c->optional)
		return false;
	if (mandatory == 0 && at < c->optional)
		return false;
	if ((mandatory > 0 ? c->optional : at) + optional * (c->len + 1) != c->last + c->len)
		return false;
	return c->len > 0 && c->first <= at && c->last + c->len <= c->end && c->end <= b->n_max;
}

static size_t repeat_min, repeat_max; /* as they were asked for */

#ifdef WITHOUT_pattern_copy
/* All copies */
static size_t pattern_copy(struct wsi_pattern *b, const struct pattern_copies *c, size_t at)
{
	size_t copies = repeat_max;

	if (repeat_max == PATTERN_NO_END)
		copies = repeat_min > 0 ? repeat_min : 1;
	MUST(at == c->first && is_copies(b, c, at, repeat_min, copies - repeat_min));
	change_states(b, at, c->last + c->len);
	return c->last + c->len;
}
#endif

void check_parse_repeat(void)
{
	struct wsi_pattern from, count, b;
	size_t atom = any_size(), min = any_size(), max = any_size(), i = any_size();
	unsigned part = any_unsigned();
	uint32_t word;

	any_pattern(&count, NULL);
	from = b = count;
	repeat_min = min;
	repeat_max = max;
	ASSUME(atom <= from.n && is_repetition(min, max) && part <= PATTERN_PARTS_MAX);
	if (pattern_repeat(&count, atom, min, max, part) < 0) {
		MUST(has_failed(&count));
		return;
	}
	MUST(has_gone_on(&count, &from) && count.n >= atom);
	MUST(count.at == from.at && count.sets_n == from.sets_n && count.where == from.where);
	begin_second(&b, &count);
	ASSUME(i < atom);
	word = b.code[i].word;
	MUST(pattern_repeat(&b, atom, min, max, part) == 0);
	MUST(same_pattern(&count, &b) && b.code[i].word == word);
}

static void check_copy(struct wsi_pattern *b)
{
	struct pattern_copies c;
	size_t at = any_size(), mandatory = any_size(), optional = any_size(), next;
	size_t i = any_size();
	uint32_t word;

	c.first = any_size();
	c.len = any_size();
	c.optional = any_size();
	c.last = any_size();
	c.end = any_size();
	c.part = any_unsigned();
	begin_second(b, b);
	ASSUME(c.first <= b->n_max && c.len <= b->n_max && c.end <= b->n_max);
	ASSUME(c.optional <= c.end && c.last <= c.end && at <= b->n_max);
	ASSUME(mandatory <= WSI_MATCH_REPEAT_MAX && optional <= WSI_MATCH_REPEAT_MAX);
	ASSUME(is_copies(b, &c, at, mandatory, optional) && mandatory + optional > 0);
	ASSUME(c.part <= PATTERN_PARTS_MAX && i < c.first);
	word = b->code[i].word;
	next = pattern_copy(b, &c, at);
	MUST(next > at && b->code[i].word == word);
	if (mandatory > 0)
		mandatory--;
	else
		optional--;
	MUST(is_copies(b, &c, next, mandatory, optional));
}

/* Any jump of a group, where the one before it lies in the group, too */
static void check_land(struct wsi_pattern *b)
{
	size_t first = any_size(), jump = any_size(), before = any_size(), i = any_size();
	uint32_t word;

	begin_second(b, b);
	ASSUME(first > 0 && first < jump && jump <= b->n);
	ASSUME(before == 0 || (first < before && before < jump));
	b->code[jump - 1].word = MATCH_WORD(MATCH_JUMP, before);
	ASSUME(i < b->n && i != jump - 1);
	word = b->code[i].word;
	MUST(pattern_land(b, jump) == before);
	MUST(b->code[i].word == word);
	MUST(b->code[jump - 1].word == MATCH_WORD(MATCH_JUMP, b->n - (jump - 1)));
}

/* One step of the loops within a part, but for those of brackets */
void check_parse_steps(void)
{
	struct wsi_pattern b;

	any_pattern(&b, NULL);
	see_bytes(&b);
	if (any_bool())
		check_digit(&b);
	else if (any_bool())
		check_copy(&b);
	else
		check_land(&b);
}

void check_parse_braces(void)
{
	struct wsi_pattern b;

	any_pattern(&b, NULL);
	see_bytes(&b);
	ASSUME(b.len <= BEFORE + SEEN);
	check_braces(&b);
}

void check_parse_bracket(void)
{
	struct wsi_pattern count, b;

	any_pattern(&count, NULL);
	see_bytes(&count);
	ASSUME(count.len <= BEFORE + 8);
	b = count;
	check_bracket(&count, &b);
}
