/* SPDX-License-Identifier: ISC
 * match.c - runs a pattern's program over a text: each character moves all live states at once, so
 * time is linear
 *
 * A character of UTF-8 is taken whole. Any byte that begins none counts as one U+FFFD by itself,
 * and the next byte is looked at again; so a character cut off after three bytes counts as three.
 * Up to three bytes that may yet become a character are held from one slice of the text to the
 * next.
 */
#include "cli/pattern.h"
#include <string.h>

#define MATCH_BAD_BYTE 0xfffd

struct match_list {
	uint16_t *s;
	size_t n;
};

struct wsi_match {
	/* Bytes of this struct and of what lies after it, which is all that it points to. */
	size_t size;
	struct match_state *code;
	size_t states;
	/* The brackets' sets, see enum match_set. */
	uint32_t *sets;
	/* States that await a character or the end. Those of start only at the text's start. */
	struct match_list now;
	/* Room for the next list. */
	uint16_t *then;
	/* States that a match beginning here awaits, except at the text's start. */
	struct match_list start;
	/* Each list that is made has a number. 0: none. */
	uint16_t round;
	unsigned char yes, at_start, at_end;
	/* Bytes of a character that may be cut in two, and their number. */
	unsigned char hold[4];
	unsigned char held;
	/* 0: no character that begins with this byte begins a match. */
	unsigned char first[256];
};

/* The memory for what b has counted; 0: the pattern is wrong */
static size_t match_count(struct wsi_pattern *b, const char *pattern, size_t len)
{
	memset(b, 0, sizeof *b);
	b->p = pattern;
	b->len = len;
	if (wsi_pattern_parse(b) < 0)
		return 0;
	return sizeof(struct wsi_match)
	       + b->n_max * (sizeof(struct match_state) + 3 * sizeof(uint16_t))
	       + b->sets_n * sizeof(uint32_t);
}

size_t wsi_match_size(const char *pattern, size_t len, const char **why, size_t *where)
{
	struct wsi_pattern b;
	size_t size = match_count(&b, pattern, len);

	if (size == 0) {
		*why = b.why;
		*where = b.where;
	}
	return size;
}

/* Lists, from out on, the states that s leads to without taking a character. Returns the list's new
 * end. The room for the list ends at top and has a place for every state. Two things share it: the
 * list, which grows up from out, and a stack of states that forks lead to and that are still to be
 * followed, which grows down from top. They cannot meet: each state adds to one of them, and once. */
static uint16_t *match_follow(struct wsi_match *m, unsigned s, uint16_t *out, uint16_t *const top)
{
	const unsigned round = m->round;
	struct match_state *state;
	uint16_t *todo = top;
	unsigned op;

	for (;;) {
		state = m->code + s;
		if (state->round != round) {
			state->round = (uint16_t)round;
			op = MATCH_OP(state->word);
			if (op >= MATCH_FORK) {
				m->yes |= op == MATCH_YES;
				if (op == MATCH_FORK
				    && m->code[(uint16_t)state->word].round != round)
					*--todo = (uint16_t)state->word;
				if (op == MATCH_FORK || (op == MATCH_START && m->at_start)
				    || (op == MATCH_END && m->at_end)) {
					s = state->next;
					continue;
				}
			}
			*out++ = (uint16_t)s;
		}
		if (todo == top)
			return out;
		s = *todo++;
	}
}

/* True if a state with this word takes c, a character or the word of states that await the text's
 * start or end. */
static bool match_takes(const struct wsi_match *m, uint32_t word, uint32_t c)
{
	if (word == c)
		return true;
	if (c > 0x10ffff)
		return false;
	if (MATCH_OP(word) == MATCH_ANY)
		return true;
	return MATCH_OP(word) == MATCH_SET && wsi_pattern_has(m->sets + MATCH_ARG(word), c);
}

/* Lists, from out on, what the states of from lead to by c: the list's new end */
static uint16_t *match_advance(struct wsi_match *m, struct match_list from, uint32_t c,
                               uint16_t *out, uint16_t *const top)
{
	const struct match_state *state;
	size_t i;

	for (i = 0; i < from.n; i++) {
		state = m->code + from.s[i];
		if (match_takes(m, state->word, c))
			out = match_follow(m, state->next, out, top);
	}
	return out;
}

static void match_next_round(struct wsi_match *m)
{
	size_t i;

	m->round++;
	if (m->round != 0)
		return;
	for (i = 0; i < m->states; i++)
		m->code[i].round = 0;
	m->round = 1;
}

/* Moves all states at once over c, see match_takes(). A match can also begin at a character. */
static void match_step(struct wsi_match *m, uint32_t c)
{
	uint16_t *out = m->then, *top = out + m->states;

	match_next_round(m);
	out = match_advance(m, m->now, c, out, top);
	if (c > 0x10ffff || m->first[c < 0x80 ? c : 0x80])
		out = match_advance(m, m->start, c, out, top);
	m->now.n = (size_t)(out - m->then);
	top = m->now.s;
	m->now.s = m->then;
	m->then = top;
}

/* Steps over what p begins with: bytes taken, or 0: it ends within a character */
static size_t match_one(struct wsi_match *m, const unsigned char *p, size_t len)
{
	uint32_t c = p[0];
	int n = 1;

	if (c >= 0x80)
		n = wsi_utf8_decode(&c, p, len);
	if (n < 0) {
		c = MATCH_BAD_BYTE;
		n = 1;
	}
	if (n > 0)
		match_step(m, c);
	return (size_t)n;
}

/* Where state s leads: jumps are followed here once, not in the text */
static uint16_t match_target(const struct wsi_match *m, size_t s)
{
	while (MATCH_OP(m->code[s].word) == MATCH_JUMP)
		s += MATCH_ARG(m->code[s].word);
	return (uint16_t)s;
}

/* Makes states of the distances that the parser wrote. */
static void match_link(struct wsi_match *m)
{
	struct match_state *state;
	size_t i;

	for (i = 0; i < m->states; i++) {
		state = m->code + i;
		if (i + 1 < m->states)
			state->next = match_target(m, i + 1);
		if (MATCH_OP(state->word) == MATCH_FORK)
			state->word =
			    MATCH_WORD(MATCH_FORK, match_target(m, (uint16_t)(i + state->word)));
	}
}

/* Finds the states that await the first character, and the bytes with which a match can begin. */
static void match_find_first(struct wsi_match *m)
{
	uint32_t c, word;
	size_t i;

	m->now.n = 1; /* state 0 */
	match_step(m, MATCH_WORD(MATCH_BEGIN, 0));
	m->start.n = m->now.n;
	memcpy(m->start.s, m->now.s, m->now.n * sizeof *m->now.s);
	memset(m->first, 1, 0x80);
	for (c = 0; c < 0x80; c++) {
		m->now.n = 0;
		match_step(m, c);
		m->first[c] = m->now.n > 0;
	}
	for (i = 0; i < m->start.n; i++) {
		/* '.' and brackets count as beginning with any byte that is not ASCII. */
		word = m->code[m->start.s[i]].word;
		if (MATCH_OP(word) <= MATCH_SET && word >= 0x80)
			memset(m->first + 0x80, 1, 0x80);
	}
}

struct wsi_match *wsi_match_init(void *mem, size_t mem_len, const char *pattern, size_t len)
{
	struct wsi_match *m = mem;
	struct wsi_pattern b;
	size_t size = match_count(&b, pattern, len), max = b.n_max;

	if (size == 0 || size > mem_len)
		return NULL;
	memset(m, 0, size);
	m->size = size;
	m->code = (void *)(m + 1);
	m->sets = (void *)(m->code + max);
	m->now.s = (void *)(m->sets + b.sets_n);
	m->then = m->now.s + max;
	m->start.s = m->then + max;

	memset(&b, 0, sizeof b);
	b.p = pattern;
	b.len = len;
	b.code = m->code;
	b.sets = m->sets;
	wsi_pattern_parse(&b);
	m->states = b.n;
	match_link(m);
	match_find_first(m);
	wsi_match_start(m);
	return m;
}

void wsi_match_start(struct wsi_match *m)
{
	m->yes = 0;
	m->at_start = 1;
	m->at_end = 0;
	m->held = 0;
	m->now.s[0] = 0;
	m->now.n = 1;
	match_step(m, MATCH_WORD(MATCH_BEGIN, 0));
}

/* Adds a byte to the character that the last slice cut in two, and takes what is complete now. */
static void match_feed_held(struct wsi_match *m, unsigned char byte)
{
	size_t n;

	m->hold[m->held++] = byte;
	while (m->held > 0) {
		n = match_one(m, m->hold, m->held);
		if (n == 0)
			return;
		m->held = (unsigned char)(m->held - n);
		memmove(m->hold, m->hold + n, m->held);
	}
}

/* How many bytes from p on cannot begin a match. */
static size_t match_skip(const struct wsi_match *m, const unsigned char *p, size_t len)
{
	size_t n = 0;

	while (n < len && !m->first[p[n]])
		n++;
	return n;
}

int wsi_match_feed(struct wsi_match *m, const void *text, size_t len)
{
	const unsigned char *p = text;
	size_t i = 0, n;

	if (len > 0)
		m->at_start = 0;
	while (i < len && !m->yes) {
		if (m->held > 0) {
			match_feed_held(m, p[i++]);
			continue;
		}
		if (m->now.n == 0) {
			i += match_skip(m, p + i, len - i);
			if (i == len)
				break;
		}
		n = match_one(m, p + i, len - i);
		if (n == 0) { /* the slice ends within a character */
			m->held = (unsigned char)(len - i);
			memcpy(m->hold, p + i, m->held);
			break;
		}
		i += n;
	}
	return m->yes;
}

int wsi_match_end(struct wsi_match *m)
{
	for (; m->held > 0; m->held--)
		match_step(m, MATCH_BAD_BYTE);
	m->at_end = 1;
	match_step(m, MATCH_WORD(MATCH_END, 0));
	return m->yes;
}

size_t wsi_match_memory(const struct wsi_match *m)
{
	return m->size;
}

/* Where a part of m lies in its copy. */
static void *match_part(void *copy, const struct wsi_match *m, const void *part)
{
	return (char *)copy + ((const char *)part - (const char *)m);
}

struct wsi_match *wsi_match_copy(void *mem, const struct wsi_match *m)
{
	struct wsi_match *copy = mem;

	memcpy(copy, m, m->size);
	copy->code = match_part(copy, m, m->code);
	copy->sets = match_part(copy, m, m->sets);
	copy->now.s = match_part(copy, m, m->now.s);
	copy->then = match_part(copy, m, m->then);
	copy->start.s = match_part(copy, m, m->start.s);
	return copy;
}
