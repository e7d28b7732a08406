/* SPDX-License-Identifier: ISC
 * match.c - POSIX extended regular expressions by sets of states: each character of the text moves all states at once
 *
 * The pattern is parsed twice by the same code, first to count, then to write a program of states: one for each
 * character, '.', bracket and anchor, one where the way forks, two for '|', and two for the begin and the match. A
 * piece of program is entered at its first state, left behind its last, and leads only within itself, by distances: so
 * it can be moved and copied, and repetitions are written out.
 *
 * What POSIX.1-2024 XBD 9 leaves undefined is an error, but for
 *   - an empty alternative, pattern or pair of parentheses: matches the empty string
 *   - a repetition of a repetition: a** is (a*)*
 *   - \ before other ASCII than letters and digits: stands for that character (no \< and the like)
 *   - ranges in brackets: by code point.
 * A ')' without '(' stands for itself (9.4.3), and so does \ in brackets (9.3.5). '?' behind a repetition asks for the
 * shortest match (9.4.6): whether there is one does not depend on that.
 *
 * The text: where a character of UTF-8 begins, it is taken whole. Any other byte counts as one U+FFFD by itself, and
 * the next byte is looked at anew; so a character cut off after three bytes counts as three. Up to three bytes that may
 * yet become a character are held from one slice to the next.
 */
#include "cli/match.h"
#include <string.h>

enum {
	MATCH_CHAR,
	MATCH_ANY,
	MATCH_SET,
	MATCH_FORK,
	MATCH_JUMP,
	MATCH_START,
	MATCH_END,
	MATCH_YES,
	MATCH_BEGIN
};

#define MATCH_WORD(op, arg) ((uint32_t)(op) << 24 | (uint32_t)(arg))
#define MATCH_OP(word) ((word) >> 24)
#define MATCH_ARG(word) ((word)&0xffffff)
#define MATCH_BAD_BYTE 0xfffd
#define MATCH_SETS_MAX 0xffff /* words that all brackets together take */
#define MATCH_NO_END (WSI_MATCH_REPEAT_MAX + 2)
#define MATCH_NONE ((size_t)-1)

struct match_state {
	uint32_t word;  /* operation, and its character, set, or other way on */
	uint16_t next;  /* the state behind it */
	uint16_t round; /* that listed it last */
};

struct match_list {
	uint16_t *s;
	size_t n;
};

struct wsi_match {
	struct match_state *code;
	size_t states;
	uint32_t *sets; /* of brackets, see match_has */
	struct match_list
	    now; /* states that await a character or the end; those of start only at the text's start */
	uint16_t *then; /* room for the next */
	struct match_list
	    start;      /* states that a match beginning here awaits, but at the text's start */
	uint16_t round; /* a number for each list made; 0: none */
	unsigned char yes, at_start, at_end, held;
	unsigned char hold[4];    /* bytes of a character that may be cut in two */
	unsigned char first[256]; /* 0: no character that begins with this byte begins a match */
};

struct match_parse {
	const char *p;
	size_t len, at;
	struct match_state *code; /* NULL: only counted */
	uint32_t *sets;
	size_t n, n_max, sets_n;
	const char *why;
	size_t where; /* of the current part of the pattern */
};

struct match_group {
	uint16_t first, branch; /* where it begins, and its current alternative */
	uint16_t jump; /* behind the last jump to its end; each holds the one before; 0: none */
	size_t where;
};

/* ASCII, whatever the locale; pairs of ends */
static const struct {
	char name[7], ends[9];
} match_classes[] = {
    {"alnum", "09AZaz"},   {"alpha", "AZaz"},   {"blank", "\t\t  "}, {"cntrl", "\0\x1f\x7f\x7f"},
    {"digit", "09"},       {"graph", "!~"},     {"lower", "az"},     {"print", " ~"},
    {"punct", "!/:@[`{~"}, {"space", "\t\r  "}, {"upper", "AZ"},     {"xdigit", "09AFaf"},
};

static int match_fail(struct match_parse *b, const char *why)
{
	b->why = why;
	return -1;
}

static int match_byte(const struct match_parse *b, size_t at, char c)
{
	return at < b->len && b->p[at] == c;
}

static int match_char(struct match_parse *b, uint32_t *c)
{
	int n = wsi_utf8_decode(c, b->p + b->at, b->len - b->at);

	if (n <= 0)
		return match_fail(b, "the pattern is not UTF-8");
	b->at += (size_t)n;
	return 0;
}

static int match_grow(struct match_parse *b, size_t n)
{
	b->n = n;
	if (n > b->n_max)
		b->n_max = n;
	return n <= WSI_MATCH_STATES_MAX
	           ? 0
	           : match_fail(b, "the pattern is too large, its repetitions written out");
}

static int match_emit(struct match_parse *b, uint32_t word)
{
	if (match_grow(b, b->n + 1) < 0)
		return -1;
	if (b->code)
		b->code[b->n - 1].word = word;
	return 0;
}

static void match_range(struct match_parse *b, uint32_t lo, uint32_t hi)
{
	if (b->sets) {
		b->sets[b->sets_n] = lo;
		b->sets[b->sets_n + 1] = hi;
	}
	b->sets_n += 2;
}

/* "[:alpha:]" */
static int match_class(struct match_parse *b)
{
	const char *p = b->p + b->at + 2, *ends;
	size_t left = b->len - b->at - 2, i, n;

	for (i = 0; i < sizeof match_classes / sizeof *match_classes; i++) {
		n = match_classes[i].name[5] ? 6 : 5;
		if (n + 2 > left || memcmp(p, match_classes[i].name, n) != 0 || p[n] != ':'
		    || p[n + 1] != ']')
			continue;
		b->at += n + 4;
		ends = match_classes[i].ends;
		for (n = 0; n < 8 && ends[n + 1]; n += 2)
			match_range(b, (unsigned char)ends[n], (unsigned char)ends[n + 1]);
		return 2;
	}
	return match_fail(b, "no such character class");
}

/* What may stand in brackets: 0: *c, also as an end of a range; 1: *c alone; 2: a class, added to the set; -1: wrong */
static int match_element(struct match_parse *b, uint32_t *c)
{
	char kind;

	b->where = b->at;
	if (b->at + 2 > b->len || b->p[b->at] != '[')
		return match_char(b, c);
	kind = b->p[b->at + 1];
	if (kind == ':')
		return match_class(b);
	if (kind != '.' && kind != '=')
		return match_char(b, c);
	b->at += 2;
	if (b->at == b->len)
		return match_fail(b, "[ without ]");
	if (match_char(b, c) < 0)
		return -1;
	if (!match_byte(b, b->at, kind) || !match_byte(b, b->at + 1, ']'))
		return match_fail(b, "[. .] and [= =] hold one character");
	b->at += 2;
	return kind == '=';
}

/* b->at is behind "[" */
static int match_bracket(struct match_parse *b)
{
	size_t set = b->sets_n, open = b->where, first, at;
	int negated = match_byte(b, b->at, '^'), kind;
	uint32_t lo = 0, hi;

	b->at += (size_t)negated;
	b->sets_n += 2;
	for (first = b->at; b->at == first || !match_byte(b, b->at, ']');) {
		at = b->at;
		if (at >= b->len) {
			b->where = open;
			return match_fail(b, "[ without ]");
		}
		kind = match_element(b, &lo);
		if (kind < 0)
			return -1;
		if (b->p[at] == '-' && at > first && b->at < b->len && b->p[b->at] != ']')
			return match_fail(
			    b,
			    "- in brackets stands first, last, or between the two ends of a range");
		hi = lo;
		if (kind == 0 && match_byte(b, b->at, '-') && b->at + 1 < b->len
		    && b->p[b->at + 1] != ']') {
			b->at++;
			kind = match_element(b, &hi);
			if (kind < 0)
				return -1;
			if (kind > 0 || lo > hi) {
				b->where = at;
				return match_fail(b, "a range in brackets that ends before it "
				                     "begins, or in a class");
			}
		}
		if (kind < 2)
			match_range(b, lo, hi);
	}
	b->where = open;
	if (b->at >= first + 3 && b->p[first] == ':' && b->p[b->at - 1] == ':')
		return match_fail(b, "a character class is written [[:alpha:]]");
	b->at++;
	if (b->sets_n > MATCH_SETS_MAX)
		return match_fail(b, "too much in brackets");
	if (b->sets) {
		b->sets[set] = UINT32_MAX;
		b->sets[set + 1] = (uint32_t)(b->sets_n - set) << 1 | (uint32_t)negated;
	}
	return match_emit(b, MATCH_WORD(MATCH_SET, set));
}

/* Digits at b->at: their value, or one over the limit if it is over; MATCH_NO_END: there are none */
static size_t match_number(struct match_parse *b)
{
	size_t v = 0, start = b->at;

	for (; b->at < b->len && b->p[b->at] >= '0' && b->p[b->at] <= '9'; b->at++) {
		v = v * 10 + (size_t)(b->p[b->at] - '0');
		if (v > WSI_MATCH_REPEAT_MAX)
			v = WSI_MATCH_REPEAT_MAX + 1;
	}
	return b->at > start ? v : MATCH_NO_END;
}

/* b->at is behind "{" */
static int match_braces(struct match_parse *b, size_t *min, size_t *max)
{
	*min = *max = match_number(b);
	if (*min != MATCH_NO_END && match_byte(b, b->at, ',')) {
		b->at++;
		*max = match_number(b);
	}
	if (*min == MATCH_NO_END || !match_byte(b, b->at, '}'))
		return match_fail(
		    b, "{ begins a repetition, like {2} or {2,5}: for the character write \\{");
	b->at++;
	if (*min > WSI_MATCH_REPEAT_MAX || *max == WSI_MATCH_REPEAT_MAX + 1)
		return match_fail(b, "more than 255 repetitions");
	return *min <= *max ? 0 : match_fail(b, "{ } whose second number is less than its first");
}

/* Writes out the repetition of the program from atom on: copies; before each that may be left out a fork to the end;
 * without an upper end behind the last a fork back to it */
static int match_repeat(struct match_parse *b, size_t atom, size_t min, size_t max)
{
	size_t len = b->n - atom, loop = max == MATCH_NO_END, i, at, end, last;

	if (len == 0)
		return 0;
	if (loop)
		max = min ? min : 1;
	end = atom + max * len + (max - min) + loop;
	if (match_grow(b, end) < 0)
		return -1;
	if (!b->code || max == 0)
		return 0;
	last = end - loop - len;
	memmove(b->code + last, b->code + atom, len * sizeof *b->code);
	for (i = 0, at = atom; i < max; i++, at += len) {
		if (i >= min) {
			b->code[at].word = MATCH_WORD(MATCH_FORK, end - at);
			at++;
		}
		if (at < last)
			memcpy(b->code + at, b->code + last, len * sizeof *b->code);
	}
	if (loop)
		b->code[at].word = MATCH_WORD(MATCH_FORK, (uint16_t)(last - at));
	return 0;
}

/* "|": the alternative before it gets a fork to the next in front, and a jump to the group's end behind */
static int match_alternative(struct match_parse *b, struct match_group *g)
{
	size_t n = b->n, branch = g->branch;

	if (match_grow(b, n + 2) < 0)
		return -1;
	if (b->code) {
		memmove(b->code + branch + 1, b->code + branch, (n - branch) * sizeof *b->code);
		b->code[branch].word = MATCH_WORD(MATCH_FORK, n + 2 - branch);
		b->code[n + 1].word = MATCH_WORD(MATCH_JUMP, g->jump);
	}
	g->branch = g->jump = (uint16_t)(n + 2);
	return 0;
}

static void match_join(struct match_parse *b, const struct match_group *g)
{
	size_t jump = g->jump, at;

	while (b->code && jump > 0) {
		at = jump - 1;
		jump = MATCH_ARG(b->code[at].word);
		b->code[at].word = MATCH_WORD(MATCH_JUMP, b->n - at);
	}
}

static int match_parse(struct match_parse *b)
{
	struct match_group groups[1 + WSI_MATCH_DEPTH_MAX], *g = groups;
	size_t atom = MATCH_NONE, min, max;
	int repeated = 0, again, op;
	uint32_t c;

	match_emit(b, MATCH_WORD(MATCH_BEGIN, 0)); /* the first has room */
	memset(g, 0, sizeof *g);
	g->first = g->branch = 1;
	while (b->at < b->len) {
		b->where = b->at;
		again = repeated;
		repeated = 0;
		if (match_char(b, &c) < 0)
			return -1;
		op = MATCH_CHAR;
		switch (c) {
		case '(':
			if (g == groups + WSI_MATCH_DEPTH_MAX)
				return match_fail(b, "parentheses more than 100 deep");
			g++;
			g->first = g->branch = (uint16_t)b->n;
			g->jump = 0;
			g->where = b->where;
			atom = MATCH_NONE;
			continue;
		case ')':
			if (g == groups)
				break;
			match_join(b, g);
			atom = g->first;
			g--;
			continue;
		case '|':
			if (match_alternative(b, g) < 0)
				return -1;
			atom = MATCH_NONE;
			continue;
		case '*':
		case '+':
		case '?':
		case '{':
			if (atom == MATCH_NONE)
				return match_fail(b, "nothing to repeat: for the character itself "
				                     "write \\ before it");
			repeated = 1;
			if (c == '?' && again)
				continue;
			min = c == '+';
			max = c == '?' ? 1 : MATCH_NO_END;
			if (c == '{' && match_braces(b, &min, &max) < 0)
				return -1;
			if (match_repeat(b, atom, min, max) < 0)
				return -1;
			continue;
		case '^':
		case '$':
			/* XBD 9.4.3: a repetition behind an anchor is undefined */
			if (match_emit(b, MATCH_WORD(c == '^' ? MATCH_START : MATCH_END, 0)) < 0)
				return -1;
			atom = MATCH_NONE;
			continue;
		case '[':
			atom = b->n;
			if (match_bracket(b) < 0)
				return -1;
			continue;
		case '.':
			op = MATCH_ANY;
			break;
		case '\\':
			if (b->at == b->len)
				return match_fail(b, "\\ at the end");
			if (match_char(b, &c) < 0)
				return -1;
			if (c >= 0x80 || (c >= '0' && c <= '9')
			    || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
				return match_fail(b, "\\ stands before punctuation only");
			break;
		default:
			break;
		}
		atom = b->n;
		if (match_emit(b, MATCH_WORD(op, c)) < 0)
			return -1;
	}
	b->where = g->where;
	if (g > groups)
		return match_fail(b, "( without )");
	match_join(b, g);
	b->where = b->len;
	return match_emit(b, MATCH_WORD(MATCH_YES, 0));
}

/* The memory for what b has counted; 0: the pattern is wrong */
static size_t match_count(struct match_parse *b, const char *pattern, size_t len)
{
	memset(b, 0, sizeof *b);
	b->p = pattern;
	b->len = len;
	if (match_parse(b) < 0)
		return 0;
	return sizeof(struct wsi_match)
	       + b->n_max * (sizeof(struct match_state) + 3 * sizeof(uint16_t))
	       + b->sets_n * sizeof(uint32_t);
}

size_t wsi_match_size(const char *pattern, size_t len, const char **why, size_t *where)
{
	struct match_parse b;
	size_t size = match_count(&b, pattern, len);

	if (size == 0) {
		*why = b.why;
		*where = b.where;
	}
	return size;
}

/* The set: the last character asked for and whether it is in it; words << 1 | negated; pairs of ends. All copies of a
 * bracket share one, so that a character is looked up once, however many repetitions are live. */
static int match_has(uint32_t *set, uint32_t c)
{
	uint32_t in, i;

	if (set[0] >> 1 != c) {
		in = set[1] & 1;
		for (i = 2; i < set[1] >> 1; i += 2) {
			if (c >= set[i] && c <= set[i + 1]) {
				in ^= 1;
				break;
			}
		}
		set[0] = c << 1 | in;
	}
	return set[0] & 1;
}

/* Lists, from out on, what s leads to without taking a character: the list's new end. Forks whose other way is still to
 * be followed wait below top, the end of the list's room, which has a place for every state; none is both there and
 * listed. */
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

/* Moves all states at once over c: a character, or the word of the states that await the text's start or end */
static void match_step(struct wsi_match *m, uint32_t c)
{
	struct match_list from = m->now;
	const struct match_state *state;
	uint16_t *out = m->then, *top = out + m->states;
	size_t i;
	int last = c <= 0x10ffff && !m->first[c < 0x80 ? c : 0x80];

	m->round++;
	if (m->round == 0) {
		for (i = 0; i < m->states; i++)
			m->code[i].round = 0;
		m->round = 1;
	}
	for (;; last = 1) {
		for (i = 0; i < from.n; i++) {
			state = m->code + from.s[i];
			if (state->word == c /* MATCH_CHAR is 0 */
			    || (c <= 0x10ffff
			        && (MATCH_OP(state->word) == MATCH_ANY
			            || (MATCH_OP(state->word) == MATCH_SET
			                && match_has(m->sets + MATCH_ARG(state->word), c)))))
				out = match_follow(m, state->next, out, top);
		}
		if (last)
			break;
		from = m->start;
	}
	from.s = m->then;
	m->then = m->now.s;
	m->now.s = from.s;
	m->now.n = (size_t)(out - from.s);
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

struct wsi_match *wsi_match_init(void *mem, size_t mem_len, const char *pattern, size_t len)
{
	struct wsi_match *m = mem;
	struct match_state *state;
	struct match_parse b;
	size_t size = match_count(&b, pattern, len), max = b.n_max, i;
	uint32_t c;

	if (size == 0 || size > mem_len)
		return NULL;
	memset(m, 0, size);
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
	match_parse(&b);
	m->states = b.n;
	for (i = 0; i < b.n; i++) {
		state = m->code + i;
		if (i + 1 < b.n)
			state->next = match_target(m, i + 1);
		if (MATCH_OP(state->word) == MATCH_FORK)
			state->word =
			    MATCH_WORD(MATCH_FORK, match_target(m, (uint16_t)(i + state->word)));
	}

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
		/* Brackets may hold what is not ASCII: that they do is not worth finding out */
		c = m->code[m->start.s[i]].word;
		if (MATCH_OP(c) <= MATCH_SET && c >= 0x80)
			memset(m->first + 0x80, 1, 0x80);
	}
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

int wsi_match_feed(struct wsi_match *m, const void *text, size_t len)
{
	const unsigned char *p = text;
	size_t i = 0, n;

	if (len > 0)
		m->at_start = 0;
	while (i < len && !m->yes) {
		if (m->held > 0) {
			m->hold[m->held++] = p[i++];
			while (m->held > 0 && (n = match_one(m, m->hold, m->held)) > 0) {
				m->held = (unsigned char)(m->held - n);
				memmove(m->hold, m->hold + n, m->held);
			}
			continue;
		}
		if (m->now.n == 0) {
			while (i < len && !m->first[p[i]])
				i++;
			if (i == len)
				break;
		}
		n = match_one(m, p + i, len - i);
		if (n == 0) {
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
