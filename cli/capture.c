/* SPDX-License-Identifier: ISC
 * capture.c - finds what the groups of a pattern match
 *
 * match.c says whether a text matches, which needs no more than a set of live states. A group's
 * place needs more. There can be several ways to match, and POSIX (XBD 9.1) says which one counts:
 * the whole match begins as early as possible, then is as long as possible; then each part of the
 * pattern, from left to right, is as long as possible, a part before the parts within it. Of
 * alternatives that match the same, the first counts.
 *
 * So the text is read backward, from its end. A thread is a state and a position: the rest of the
 * pattern, from that state on, matches the text from that position on, up to where some match ends.
 * How the rest is matched best does not depend on what comes before, so one thread for each state
 * is enough. It carries a label that says how its rest is matched:
 *
 *	ends      where each part ends next. A part that is not in the rest has 0. When a part's end is
 *	          passed, the parts within it are 0 again: what they have is of a later repetition.
 *	groups    what each group matches in its last repetition, which is the first one that is met
 *
 * All positions in labels are offsets plus 1. Of two threads that meet in a state, the better one
 * has the greater ends, compared part by part in the order of their numbers.
 *
 * For each character of the text, every thread takes one step, and then follows the states that
 * take no character. These form no cycle, so each round ends. Time is the text's length times a
 * factor that depends on the pattern alone, and memory is that factor; most patterns have few live
 * states.
 */
#include "cli/capture.h"
#include "cli/pattern.h"
#include <string.h>

#define CAPTURE_BAD_CHARACTER 0xfffd
#define CAPTURE_NONE SIZE_MAX /* in groups: not in the last repetition of the group around it */
#define CAPTURE_WORK 200000   /* numbers of labels that are touched in one call */

/* The threads at one position */
struct capture_round {
	size_t *labels; /* one for each state; only those of threads have a meaning */
	bool *live;     /* for each state: there is a thread */
	uint16_t *from; /* for each thread: the state that its label was made from */
	uint16_t *list; /* the states of the threads */
	size_t n;
};

struct wq_capture {
	size_t size; /* of this struct and of what lies after it, which is all but the text */
	struct match_state *code;
	uint32_t *sets;
	size_t states;
	unsigned parts, groups;
	size_t label_len; /* numbers in a label */

	/* The states that lead to state s without a character are from[first_from[s]] up to
	 * from[first_from[s + 1]]. */
	uint16_t *first_from, *from;

	struct capture_round now, next;
	uint16_t *queue;      /* states whose label is new, as a ring */
	size_t head, waiting; /* the first of them, and their number */
	bool *queued;         /* for each state: it is among them */
	size_t *trial;        /* a label that may be better */

	const char *text;
	size_t len;
	size_t at; /* the position of the threads */
	size_t work;
	size_t *best; /* the label of the best match so far */
	size_t best_at;
	bool found;
};

/* Memory */

/* Everything that a pattern needs lies after struct wq_capture, in this order. */
struct capture_sizes {
	size_t labels, label_len, states, code, sets, from, flags, lists;
};

static size_t capture_measure(struct capture_sizes *s, const struct wsi_pattern *b)
{
	unsigned groups = b->capture->groups;

	if (groups > WQ_CAPTURE_GROUPS)
		groups = WQ_CAPTURE_GROUPS;
	s->states = b->n_max;
	s->label_len = b->capture->parts + 2 * (groups + 1);
	s->labels = (2 * s->states + 2) * s->label_len * sizeof(size_t);
	s->code = s->states * sizeof(struct match_state);
	s->sets = b->sets_n * sizeof(uint32_t);
	s->lists = 5 * s->states * sizeof(uint16_t);
	s->from = (s->states + 1 + 2 * s->states) * sizeof(uint16_t);
	s->flags = 3 * s->states * sizeof(bool);
	return sizeof(struct wq_capture) + s->labels + s->code + s->sets + s->lists + s->from
	       + s->flags;
}

/* The first reading: 0, or the size of the memory */
static size_t capture_count(struct wsi_pattern *b, struct pattern_capture *p,
                            struct capture_sizes *s, const char *pattern, size_t len)
{
	memset(b, 0, sizeof *b);
	memset(p, 0, sizeof *p);
	b->p = pattern;
	b->len = len;
	b->capture = p;
	if (wsi_pattern_parse(b) < 0)
		return 0;
	return capture_measure(s, b);
}

size_t wq_capture_size(const char *pattern, size_t len, const char **why, size_t *where,
                       unsigned *groups)
{
	struct pattern_capture p;
	struct capture_sizes sizes = {0};
	struct wsi_pattern b;
	size_t size = capture_count(&b, &p, &sizes, pattern, len);

	if (size == 0) {
		*why = b.why;
		*where = b.where;
	}
	*groups = p.groups;
	return size;
}

/* The second reading: writes the program. */
static void capture_parse(struct wq_capture *c, const char *pattern, size_t len)
{
	struct pattern_capture p = {0, 0};
	struct wsi_pattern b;

	memset(&b, 0, sizeof b);
	b.p = pattern;
	b.len = len;
	b.capture = &p;
	b.code = c->code;
	b.sets = c->sets;
	wsi_pattern_parse(&b);
	c->states = b.n;
	c->parts = p.parts;
	c->groups = p.groups < WQ_CAPTURE_GROUPS ? p.groups : WQ_CAPTURE_GROUPS;
}

/* Which states a state leads to without a character: their number, at most 2 */
static int capture_targets(const struct wq_capture *c, size_t s, size_t target[2])
{
	uint32_t word = c->code[s].word;
	size_t other = (uint16_t)(s + MATCH_ARG(word));
	int n = 0;

	switch (MATCH_OP(word)) {
	case MATCH_CHAR:
	case MATCH_ANY:
	case MATCH_SET:
	case MATCH_YES:
		return 0;
	case MATCH_JUMP:
		target[n++] = other;
		return n;
	case MATCH_FORK:
		target[n++] = s + 1;
		target[n++] = other;
		return n;
	default:
		target[n++] = s + 1;
		return n;
	}
}

/* Lists, for each state, the states that lead to it. */
static void capture_link(struct wq_capture *c)
{
	size_t s, target[2];
	int i, n;

	for (s = 0; s < c->states; s++) {
		n = capture_targets(c, s, target);
		for (i = 0; i < n; i++)
			c->first_from[target[i] + 1]++;
	}
	for (s = 0; s < c->states; s++)
		c->first_from[s + 1] = (uint16_t)(c->first_from[s + 1] + c->first_from[s]);
	/* first_from[s] moves to the end of the list of s, which is where that of s + 1 begins. */
	for (s = 0; s < c->states; s++) {
		n = capture_targets(c, s, target);
		for (i = 0; i < n; i++)
			c->from[c->first_from[target[i]]++] = (uint16_t)s;
	}
	memmove(c->first_from + 1, c->first_from, c->states * sizeof *c->first_from);
	c->first_from[0] = 0;
}

struct wq_capture *wq_capture_init(void *mem, size_t mem_len, const char *pattern, size_t len)
{
	struct wq_capture *c = mem;
	struct pattern_capture p;
	struct capture_sizes sizes = {0};
	struct wsi_pattern b;
	size_t size = capture_count(&b, &p, &sizes, pattern, len), max = sizes.states;

	if (size == 0 || size > mem_len)
		return NULL;
	memset(c, 0, size);
	c->size = size;
	c->label_len = sizes.label_len;
	c->best = (void *)(c + 1);
	c->trial = c->best + c->label_len;
	c->now.labels = c->trial + c->label_len;
	c->next.labels = c->now.labels + max * c->label_len;
	c->code = (void *)(c->next.labels + max * c->label_len);
	c->sets = (void *)(c->code + max);
	c->now.list = (void *)(c->sets + b.sets_n);
	c->next.list = c->now.list + max;
	c->now.from = c->next.list + max;
	c->next.from = c->now.from + max;
	c->queue = c->next.from + max;
	c->first_from = c->queue + max;
	c->from = c->first_from + max + 1;
	c->now.live = (void *)(c->from + 2 * max);
	c->next.live = c->now.live + max;
	c->queued = c->next.live + max;
	capture_parse(c, pattern, len);
	capture_link(c);
	return c;
}

/* Labels */

static size_t *capture_label(const struct wq_capture *c, const struct capture_round *r, size_t s)
{
	return r->labels + s * c->label_len;
}

/* Where group g begins, and after that where it ends */
static size_t *capture_of_group(const struct wq_capture *c, size_t *label, unsigned g)
{
	return label + c->parts + (size_t)2 * g;
}

/* 1: a is better than b; -1: it is worse; 0: their ends are the same */
static int capture_compare(const struct wq_capture *c, const size_t *a, const size_t *b)
{
	unsigned i;

	for (i = 0; i < c->parts; i++)
		if (a[i] != b[i])
			return a[i] > b[i] ? 1 : -1;
	return 0;
}

/* The group begins here, so this is all of its last repetition. Groups within it that were not met
 * have no part in that. */
static void capture_group_begins(const struct wq_capture *c, size_t *label, uint32_t range)
{
	unsigned group = range & 255, last = range >> 8, g;
	size_t *place = capture_of_group(c, label, group);

	if (place[0] != 0)
		return;
	place[0] = c->at + 1;
	for (g = group + 1; g <= last; g++) {
		place = capture_of_group(c, label, g);
		if (place[1] == 0)
			place[0] = place[1] = CAPTURE_NONE;
	}
}

/* Changes the label of a thread that goes back over a state with this word, which takes no character.
 * False: it cannot. */
static bool capture_go_back(const struct wq_capture *c, size_t *label, uint32_t word)
{
	uint32_t range = MATCH_ARG(word), low = range & 255, high = range >> 8;
	size_t *place;

	switch (MATCH_OP(word)) {
	case MATCH_START:
		return c->at == 0;
	case MATCH_END:
		return c->at == c->len;
	case MATCH_PART_END:
		label[low] = c->at + 1;
		memset(label + low + 1, 0, (high - low) * sizeof *label);
		return true;
	case MATCH_GROUP_BEGIN:
		capture_group_begins(c, label, range);
		return true;
	case MATCH_GROUP_END:
		place = capture_of_group(c, label, low);
		if (place[1] == 0)
			place[1] = c->at + 1;
		return true;
	default:
		return true;
	}
}

/* Threads */

/* Puts a thread with this label into state s, unless a better one is there already. The label was made
 * from that of another state, and replaces what was made from an older label of that state. True: the
 * label of s is new */
static bool capture_put(struct wq_capture *c, struct capture_round *r, size_t s,
                        const size_t *label, size_t from)
{
	size_t *old = capture_label(c, r, s);
	int better;

	c->work += c->label_len;
	if (r->live[s]) {
		better = capture_compare(c, label, old);
		if (better < 0 || (better == 0 && r->from[s] != from))
			return false;
	} else {
		r->live[s] = true;
		r->list[r->n++] = (uint16_t)s;
	}
	r->from[s] = (uint16_t)from;
	memcpy(old, label, c->label_len * sizeof *label);
	return true;
}

/* A match may end here. */
static void capture_seed(struct wq_capture *c)
{
	memset(c->trial, 0, c->label_len * sizeof *c->trial);
	c->trial[0] = c->at + 1;
	capture_put(c, &c->now, c->states - 1, c->trial, c->states - 1);
}

/* True if the step from s back to the state before it would put an empty repetition after another
 * one. Such a repetition is never needed, and without it there is no cycle. */
static bool capture_repeats_nothing(const struct wq_capture *c, size_t s, size_t before)
{
	uint32_t word = c->code[before].word, part = MATCH_ARG(word) >> 16;
	bool to_next = s == before + 1, leads_back = (word & 0x8000) != 0;

	if (MATCH_OP(word) != MATCH_FORK || part == 0 || to_next == leads_back)
		return false;
	return c->trial[part] == c->at + 1;
}

/* States whose label is new wait in a ring, each at most once. */
static void capture_enqueue(struct wq_capture *c, size_t s)
{
	size_t end = c->head + c->waiting;

	if (c->queued[s])
		return;
	if (end >= c->states)
		end -= c->states;
	c->queue[end] = (uint16_t)s;
	c->queued[s] = true;
	c->waiting++;
}

static size_t capture_dequeue(struct wq_capture *c)
{
	size_t s = c->queue[c->head];

	c->head = c->head + 1 < c->states ? c->head + 1 : 0;
	c->waiting--;
	c->queued[s] = false;
	return s;
}

/* Goes back from the thread in s to a state before it that takes no character. */
static void capture_follow_one(struct wq_capture *c, size_t s, size_t before)
{
	memcpy(c->trial, capture_label(c, &c->now, s), c->label_len * sizeof *c->trial);
	if (capture_repeats_nothing(c, s, before)
	    || !capture_go_back(c, c->trial, c->code[before].word)
	    || !capture_put(c, &c->now, before, c->trial, s))
		return;
	capture_enqueue(c, before);
}

/* Follows the states that take no character, from all threads that are here. */
static void capture_follow(struct wq_capture *c)
{
	size_t i, s;

	for (i = 0; i < c->now.n; i++)
		capture_enqueue(c, c->now.list[i]);
	while (c->waiting > 0) {
		s = capture_dequeue(c);
		for (i = c->first_from[s]; i < c->first_from[s + 1]; i++)
			capture_follow_one(c, s, c->from[i]);
	}
}

/* A match begins here if a thread has come to the program's first state. The text is read backward,
 * so this one begins earlier than all that were found before. */
static void capture_note_match(struct wq_capture *c)
{
	if (!c->now.live[0])
		return;
	c->found = true;
	c->best_at = c->at;
	memcpy(c->best, capture_label(c, &c->now, 0), c->label_len * sizeof *c->best);
}

static bool capture_takes(const struct wq_capture *c, uint32_t word, uint32_t character)
{
	switch (MATCH_OP(word)) {
	case MATCH_CHAR:
		return word == character;
	case MATCH_ANY:
		return true;
	case MATCH_SET:
		return wsi_pattern_has(c->sets + MATCH_ARG(word), character);
	default:
		return false;
	}
}

/* Moves all threads back over a character. */
static void capture_move(struct wq_capture *c, uint32_t character)
{
	struct capture_round was = c->now;
	size_t i, s;

	c->now = c->next;
	c->next = was;
	c->now.n = 0;
	for (i = 0; i < was.n; i++) {
		s = was.list[i];
		was.live[s] = false;
		if (s > 0 && capture_takes(c, c->code[s - 1].word, character))
			capture_put(c, &c->now, s - 1, capture_label(c, &was, s), s);
	}
}

/* The character that ends at the position: its length. As in match.c, a byte that belongs to no
 * character counts as one. */
static size_t capture_character(const struct wq_capture *c, uint32_t *character)
{
	size_t n;

	for (n = 1; n <= 4 && n <= c->at; n++)
		if (wsi_utf8_decode(character, c->text + c->at - n, n) == (int)n)
			return n;
	*character = CAPTURE_BAD_CHARACTER;
	return 1;
}

/* The calls */

void wq_capture_start(struct wq_capture *c, const char *text, size_t len)
{
	memset(c->now.live, 0, c->states * sizeof *c->now.live);
	memset(c->next.live, 0, c->states * sizeof *c->next.live);
	c->now.n = 0;
	c->text = text;
	c->len = c->at = len;
	c->found = false;
	capture_seed(c);
	capture_follow(c);
	capture_note_match(c);
}

int wq_capture_step(struct wq_capture *c)
{
	uint32_t character;

	c->work = 0;
	while (c->at > 0) {
		size_t n;

		if (c->work >= CAPTURE_WORK)
			return 0;
		n = capture_character(c, &character);
		c->at -= n;
		capture_move(c, character);
		capture_seed(c);
		capture_follow(c);
		capture_note_match(c);
	}
	return 1;
}

struct wsi_str wq_capture_group(const struct wq_capture *c, unsigned group)
{
	struct wsi_str none = {NULL, 0}, found = {NULL, 0};
	const size_t *place;

	if (!c->found || group > c->groups)
		return none;
	if (group == 0) {
		found.p = c->text + c->best_at;
		found.len = c->best[0] - 1 - c->best_at;
		return found;
	}
	place = capture_of_group(c, c->best, group);
	if (place[0] == 0 || place[0] == CAPTURE_NONE)
		return none;
	found.p = c->text + place[0] - 1;
	found.len = place[1] - place[0];
	return found;
}

size_t wq_capture_memory(const struct wq_capture *c)
{
	return c->size;
}

/* Where a part of c lies in its copy */
static void *capture_part(void *copy, const struct wq_capture *c, const void *part)
{
	return (char *)copy + ((const char *)part - (const char *)c);
}

static void capture_move_round(void *copy, const struct wq_capture *c, struct capture_round *r)
{
	r->labels = capture_part(copy, c, r->labels);
	r->live = capture_part(copy, c, r->live);
	r->from = capture_part(copy, c, r->from);
	r->list = capture_part(copy, c, r->list);
}

struct wq_capture *wq_capture_copy(void *mem, const struct wq_capture *c)
{
	struct wq_capture *copy = mem;

	memcpy(copy, c, c->size);
	copy->code = capture_part(copy, c, c->code);
	copy->sets = capture_part(copy, c, c->sets);
	copy->first_from = capture_part(copy, c, c->first_from);
	copy->from = capture_part(copy, c, c->from);
	capture_move_round(copy, c, &copy->now);
	capture_move_round(copy, c, &copy->next);
	copy->queue = capture_part(copy, c, c->queue);
	copy->queued = capture_part(copy, c, c->queued);
	copy->trial = capture_part(copy, c, c->trial);
	copy->best = capture_part(copy, c, c->best);
	return copy;
}
