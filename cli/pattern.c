/* SPDX-License-Identifier: ISC
 * pattern.c - parses a POSIX extended regular expression into a program of states
 *
 * The pattern is read twice by the same code: first to count the states, then to write them. There
 * is one state for each character, '.', bracket and anchor, one for each fork of a repetition, two
 * for each '|', and two for the begin and the match. A piece of program is entered at its first
 * state and left after its last, and its forks and jumps are distances within it. So it can be
 * moved and copied, and repetitions are written out.
 *
 * What POSIX.1-2024 XBD 9 leaves undefined is an error, except that
 *   - an empty alternative, pattern or pair of parentheses matches the empty string
 *   - a repetition can be repeated: a** is (a*)*
 *   - \ before ASCII characters other than letters and digits stands for that character (there is no \<)
 *   - ranges in brackets are ordered by code point.
 * A ')' without '(' stands for itself (9.4.3), and so does \ in brackets (9.3.5). '?' after a
 * repetition asks for the shortest match (9.4.6): this does not change whether there is a match, so
 * it is ignored.
 *
 * Where groups are to be captured, states that mark their ends are added: see capture.c. There a
 * repetition cannot be repeated.
 */
#include "cli/pattern.h"
#include <string.h>

#define PATTERN_SETS_MAX 0xffff /* words that all brackets together take */
#define PATTERN_NO_END (WSI_MATCH_REPEAT_MAX + 2)
#define PATTERN_NONE ((size_t)-1)
#define PATTERN_ESCAPE "\\ can only come before punctuation"
#define PATTERN_PARTS_MAX 255

/* Pairs of parentheses that are open; the outermost is the whole pattern. */
struct pattern_group {
	uint16_t first;  /* its first state */
	uint16_t branch; /* the first state of its current alternative */
	uint16_t jump; /* after its last JUMP; each JUMP's argument names the one before; 0: none */
	size_t where;

	/* Only where groups are captured */
	unsigned number; /* of the group, from 1 */
	/* Parts: a repetition of the group, the group, and the current alternative in it */
	unsigned repetition, part, alternative;
};

struct pattern_parser {
	struct wsi_pattern *b;
	struct pattern_group groups[1 + WSI_MATCH_DEPTH_MAX], *group;
	size_t atom;   /* the first state of what a repetition repeats, or PATTERN_NONE */
	bool repeated; /* the part before the current one was a repetition */
	/* Where groups are captured: the part that a repetition of the atom is, 0: none yet; and the
	 * part that the atom is, 0 for a single character */
	unsigned repetition, part;
};

/* ASCII, whatever the locale; pairs of ends */
static const struct {
	char name[7], ends[9];
} pattern_classes[] = {
    {"alnum", "09AZaz"},   {"alpha", "AZaz"},   {"blank", "\t\t  "}, {"cntrl", "\0\x1f\x7f\x7f"},
    {"digit", "09"},       {"graph", "!~"},     {"lower", "az"},     {"print", " ~"},
    {"punct", "!/:@[`{~"}, {"space", "\t\r  "}, {"upper", "AZ"},     {"xdigit", "09AFaf"},
};

static int pattern_fail(struct wsi_pattern *b, const char *why)
{
	b->why = why;
	return -1;
}

static int pattern_byte(const struct wsi_pattern *b, size_t at, char c)
{
	return at < b->len && b->p[at] == c;
}

static int pattern_char(struct wsi_pattern *b, uint32_t *c)
{
	int n = wsi_utf8_decode(c, b->p + b->at, b->len - b->at);

	if (n <= 0)
		return pattern_fail(b, "the pattern is not UTF-8");
	b->at += (size_t)n;
	return 0;
}

static int pattern_grow(struct wsi_pattern *b, size_t n)
{
	b->n = n;
	if (n > b->n_max)
		b->n_max = n;
	if (n > WSI_MATCH_STATES_MAX)
		return pattern_fail(
		    b, "the pattern is too large once its repetitions are written out");
	return 0;
}

static int pattern_emit(struct wsi_pattern *b, uint32_t word)
{
	if (pattern_grow(b, b->n + 1) < 0)
		return -1;
	if (b->code)
		b->code[b->n - 1].word = word;
	return 0;
}

/* Brackets */

static void pattern_range(struct wsi_pattern *b, uint32_t lo, uint32_t hi)
{
	if (b->sets) {
		b->sets[b->sets_n] = lo;
		b->sets[b->sets_n + 1] = hi;
	}
	b->sets_n += 2;
}

/* What brackets hold */
enum pattern_element {
	ELEMENT_WRONG,
	ELEMENT_CHAR,       /* a character, which can be the end of a range */
	ELEMENT_EQUIVALENT, /* "[=a=]", a character that cannot */
	ELEMENT_CLASS       /* "[:alpha:]", whose ranges are now in the set */
};

/* "[:alpha:]" */
static enum pattern_element pattern_class(struct wsi_pattern *b)
{
	const char *p = b->p + b->at + 2, *ends;
	size_t left = b->len - b->at - 2, i, n;

	for (i = 0; i < sizeof pattern_classes / sizeof *pattern_classes; i++) {
		n = pattern_classes[i].name[5] ? 6 : 5;
		if (n + 2 > left || memcmp(p, pattern_classes[i].name, n) != 0 || p[n] != ':'
		    || p[n + 1] != ']')
			continue;
		b->at += n + 4;
		ends = pattern_classes[i].ends;
		for (n = 0; n < 8 && ends[n + 1]; n += 2)
			pattern_range(b, (unsigned char)ends[n], (unsigned char)ends[n + 1]);
		return ELEMENT_CLASS;
	}
	pattern_fail(b, "no such character class");
	return ELEMENT_WRONG;
}
/* "[.a.]" and "[=a=]"; b->at is after "[." */
static enum pattern_element pattern_delimited(struct wsi_pattern *b, char kind, uint32_t *c)
{
	if (b->at == b->len) {
		pattern_fail(b, "[ without ]");
		return ELEMENT_WRONG;
	}
	if (pattern_char(b, c) < 0)
		return ELEMENT_WRONG;
	if (!pattern_byte(b, b->at, kind) || !pattern_byte(b, b->at + 1, ']')) {
		pattern_fail(b, "[. .] and [= =] hold one character");
		return ELEMENT_WRONG;
	}
	b->at += 2;
	return kind == '=' ? ELEMENT_EQUIVALENT : ELEMENT_CHAR;
}

static enum pattern_element pattern_element(struct wsi_pattern *b, uint32_t *c)
{
	char kind = '\0';

	b->where = b->at;
	if (b->at + 2 <= b->len && b->p[b->at] == '[')
		kind = b->p[b->at + 1];
	if (kind == ':')
		return pattern_class(b);
	if (kind == '.' || kind == '=') {
		b->at += 2;
		return pattern_delimited(b, kind, c);
	}
	return pattern_char(b, c) < 0 ? ELEMENT_WRONG : ELEMENT_CHAR;
}

/* A character, a range or a class; first: where the bracket's first element is */
static int pattern_range_or_element(struct wsi_pattern *b, size_t first)
{
	enum pattern_element kind;
	size_t at = b->at;
	uint32_t lo = 0, hi;

	kind = pattern_element(b, &lo);
	if (kind == ELEMENT_WRONG)
		return -1;
	if (b->p[at] == '-' && at > first && b->at < b->len && b->p[b->at] != ']')
		return pattern_fail(
		    b, "- in brackets must be first, last, or between the two ends of a range");
	if (kind == ELEMENT_CLASS)
		return 0;
	hi = lo;
	if (kind == ELEMENT_CHAR && pattern_byte(b, b->at, '-') && b->at + 1 < b->len
	    && b->p[b->at + 1] != ']') {
		b->at++;
		kind = pattern_element(b, &hi);
		if (kind == ELEMENT_WRONG)
			return -1;
		if (kind != ELEMENT_CHAR || lo > hi) {
			b->where = at;
			return pattern_fail(
			    b, "a range in brackets that ends before it begins, or in a class");
		}
	}
	pattern_range(b, lo, hi);
	return 0;
}

/* b->at is after "[" */
static int pattern_bracket(struct wsi_pattern *b)
{
	size_t set = b->sets_n, open = b->where, first;
	bool negated = pattern_byte(b, b->at, '^');

	if (negated)
		b->at++;
	b->sets_n += MATCH_SET_RANGES;
	first = b->at; /* a ']' that comes first stands for itself */
	while (b->at == first || !pattern_byte(b, b->at, ']')) {
		if (b->at >= b->len) {
			b->where = open;
			return pattern_fail(b, "[ without ]");
		}
		if (pattern_range_or_element(b, first) < 0)
			return -1;
	}
	b->where = open;
	if (b->at >= first + 3 && b->p[first] == ':' && b->p[b->at - 1] == ':')
		return pattern_fail(b, "a character class is written [[:alpha:]]");
	b->at++;
	if (b->sets_n > PATTERN_SETS_MAX)
		return pattern_fail(b, "the brackets hold too much");
	if (b->sets) {
		b->sets[set + MATCH_SET_LAST] = UINT32_MAX; /* no character */
		b->sets[set + MATCH_SET_ANSWER] = 0;
		b->sets[set + MATCH_SET_END] = (uint32_t)(b->sets_n - set);
		b->sets[set + MATCH_SET_NEGATED] = negated;
	}
	return pattern_emit(b, MATCH_WORD(MATCH_SET, set));
}

/* Repetitions */

/* Puts a digit behind those of v, if there is one. A value over the limit counts as the limit and
 * one. */
static bool pattern_digit(struct wsi_pattern *b, size_t *v)
{
	if (b->at >= b->len || b->p[b->at] < '0' || b->p[b->at] > '9')
		return false;
	*v = *v * 10 + (size_t)(b->p[b->at] - '0');
	if (*v > WSI_MATCH_REPEAT_MAX)
		*v = WSI_MATCH_REPEAT_MAX + 1;
	b->at++;
	return true;
}

/* PATTERN_NO_END: there are no digits */
static size_t pattern_number(struct wsi_pattern *b)
{
	size_t v = 0, start = b->at;

	while (pattern_digit(b, &v))
		;
	return b->at > start ? v : PATTERN_NO_END;
}

/* b->at is after "{" */
static int pattern_braces(struct wsi_pattern *b, size_t *min, size_t *max)
{
	*min = *max = pattern_number(b);
	if (*min != PATTERN_NO_END && pattern_byte(b, b->at, ',')) {
		b->at++;
		*max = pattern_number(b);
	}
	if (*min == PATTERN_NO_END || !pattern_byte(b, b->at, '}'))
		return pattern_fail(
		    b, "{ begins a repetition, like {2} or {2,5}: for the character write \\{");
	b->at++;
	if (*min > WSI_MATCH_REPEAT_MAX || *max == WSI_MATCH_REPEAT_MAX + 1)
		return pattern_fail(b, "more than 255 repetitions");
	if (*min > *max)
		return pattern_fail(b, "{ } whose second number is less than its first");
	return 0;
}

/* The copies of an atom, of len states each. The other numbers are places in the program. */
struct pattern_copies {
	size_t first, len;
	size_t optional; /* from here on, a fork to the end comes before each copy */
	size_t last;     /* the last copy, which is in its place: the others are made from it */
	size_t end;      /* of the whole repetition */
	unsigned part;   /* that the atom is */
};

/* Writes the copy that begins at this place, and returns where the next one begins. A fork after an
 * atom, to another one, has the part that the atom is in its highest byte: see capture.c. */
static size_t pattern_copy(struct wsi_pattern *b, const struct pattern_copies *c, size_t at)
{
	if (at >= c->optional) {
		b->code[at].word = MATCH_WORD(MATCH_FORK, c->end - at);
		if (at > c->first)
			b->code[at].word |= c->part << 16;
		at++;
	}
	if (at < c->last)
		memcpy(b->code + at, b->code + c->last, c->len * sizeof *b->code);
	return at + c->len;
}

/* Writes out the repetition of the atom x, the program from atom on:
 *
 *	x{2,4}	x x FORK(to the end) x FORK(to the end) x
 *	x{2,}	x x FORK(back to the last x)
 *	x*	FORK(to the end) x FORK(back to x)
 *	x{0}	nothing
 */
static int pattern_repeat(struct wsi_pattern *b, size_t atom, size_t min, size_t max, unsigned part)
{
	struct pattern_copies c = {.first = atom, .len = b->n - atom, .part = part};
	size_t copies = max, loop = 0, at = atom;

	if (c.len == 0)
		return 0;
	if (max == PATTERN_NO_END) {
		copies = min > 0 ? min : 1;
		loop = 1; /* the state that leads back */
	}
	c.end = atom + copies * c.len + (copies - min) + loop;
	if (pattern_grow(b, c.end) < 0)
		return -1;
	if (!b->code || copies == 0)
		return 0;
	/* The atom becomes the last copy, from which the others are made. */
	c.optional = atom + min * c.len;
	c.last = c.end - loop - c.len;
	memmove(b->code + c.last, b->code + atom, c.len * sizeof *b->code);
	while (at < c.end - loop)
		at = pattern_copy(b, &c, at);
	if (loop)
		b->code[at].word = MATCH_WORD(MATCH_FORK, (uint16_t)(c.last - at) | part << 16);
	return 0;
}

/* Where groups are captured: the number of a part that begins here, else 0 */
static unsigned pattern_part(struct wsi_pattern *b)
{
	return b->capture ? b->capture->parts++ : 0;
}

/* Where groups are captured: the part ends here. */
static int pattern_part_end(struct wsi_pattern *b, unsigned part)
{
	unsigned last;

	if (!b->capture)
		return 0;
	last = b->capture->parts - 1;
	if (last > PATTERN_PARTS_MAX)
		return pattern_fail(b, "too many groups, alternatives and repetitions to say what "
		                       "each group matches");
	return pattern_emit(b, MATCH_WORD(MATCH_PART_END, part | last << 8));
}

/* c is one of "*+?{" */
static int parse_repetition(struct pattern_parser *ps, uint32_t c, bool again)
{
	struct wsi_pattern *b = ps->b;
	size_t min = 0, max = PATTERN_NO_END;

	if (ps->atom == PATTERN_NONE)
		return pattern_fail(
		    b, "nothing to repeat: for the character itself write \\ before it");
	if (again && b->capture)
		return pattern_fail(b,
		                    "a repetition of a repetition, as in .*?, leaves open what a "
		                    "group matches: for the shortest match write [^x]* up to the x "
		                    "after it");
	ps->repeated = true;
	if (c == '?' && again) /* the shortest match */
		return 0;
	if (c == '+')
		min = 1;
	if (c == '?')
		max = 1;
	if (c == '{' && pattern_braces(b, &min, &max) < 0)
		return -1;
	if (ps->repetition == 0)
		ps->repetition = pattern_part(b);
	if (pattern_repeat(b, ps->atom, min, max, ps->part) < 0)
		return -1;
	return pattern_part_end(b, ps->repetition);
}

/* Groups and alternatives */

/* "|": in front of the alternative that ends here comes a fork to the next one, after it a jump to
 * the group's end. */
static int pattern_alternative(struct wsi_pattern *b, struct pattern_group *g)
{
	size_t n, branch = g->branch;

	if (pattern_part_end(b, g->alternative) < 0)
		return -1;
	g->alternative = pattern_part(b);
	n = b->n;
	if (pattern_grow(b, n + 2) < 0)
		return -1;
	if (b->code) {
		memmove(b->code + branch + 1, b->code + branch, (n - branch) * sizeof *b->code);
		b->code[branch].word = MATCH_WORD(MATCH_FORK, n + 2 - branch);
		b->code[n + 1].word = MATCH_WORD(MATCH_JUMP, g->jump);
	}
	g->branch = g->jump = (uint16_t)(n + 2);
	return 0;
}

/* Lets a JUMP after an alternative lead to the end of its group, which is here. Returns the place
 * after the JUMP before it, 0: none. */
static size_t pattern_land(struct wsi_pattern *b, size_t jump)
{
	uint32_t *word = &b->code[jump - 1].word;
	size_t before = MATCH_ARG(*word);

	*word = MATCH_WORD(MATCH_JUMP, b->n - (jump - 1));
	return before;
}

/* The group ends here: this is where its jumps lead. */
static int pattern_join(struct wsi_pattern *b, const struct pattern_group *g)
{
	size_t jump = g->jump;

	if (jump > 0 && pattern_part_end(b, g->alternative) < 0)
		return -1;
	while (b->code && jump > 0)
		jump = pattern_land(b, jump);
	return 0;
}

/* Where groups are captured: numbers the group that begins here, and its parts. */
static int pattern_group_begin(struct wsi_pattern *b, struct pattern_group *g)
{
	if (!b->capture)
		return 0;
	g->number = ++b->capture->groups;
	g->repetition = pattern_part(b);
	g->part = pattern_part(b);
	g->alternative = pattern_part(b);
	if (g->number > PATTERN_GROUPS_MAX)
		return 0;
	return pattern_emit(b, MATCH_WORD(MATCH_GROUP_BEGIN, g->number));
}

/* Where groups are captured: the group ends here. Its first state learns which groups it holds. */
static int pattern_group_end(struct wsi_pattern *b, const struct pattern_group *g)
{
	uint32_t range;

	if (!b->capture)
		return 0;
	if (g->number <= PATTERN_GROUPS_MAX) {
		range = b->capture->groups;
		if (range > PATTERN_GROUPS_MAX)
			range = PATTERN_GROUPS_MAX;
		range = g->number | range << 8;
		if (b->code)
			b->code[g->first].word = MATCH_WORD(MATCH_GROUP_BEGIN, range);
		if (pattern_emit(b, MATCH_WORD(MATCH_GROUP_END, range)) < 0)
			return -1;
	}
	return pattern_part_end(b, g->part);
}

static int parse_open(struct pattern_parser *ps)
{
	if (ps->group == ps->groups + WSI_MATCH_DEPTH_MAX)
		return pattern_fail(ps->b, "parentheses nested more than 100 deep");
	ps->group++;
	memset(ps->group, 0, sizeof *ps->group);
	ps->group->first = (uint16_t)ps->b->n;
	ps->group->where = ps->b->where;
	ps->atom = PATTERN_NONE;
	if (pattern_group_begin(ps->b, ps->group) < 0)
		return -1;
	ps->group->branch = (uint16_t)ps->b->n;
	return 0;
}

static int parse_close(struct pattern_parser *ps)
{
	if (pattern_join(ps->b, ps->group) < 0 || pattern_group_end(ps->b, ps->group) < 0)
		return -1;
	ps->atom = ps->group->first;
	ps->repetition = ps->group->repetition;
	ps->part = ps->group->part;
	ps->group--;
	return 0;
}

/* Characters */

static int parse_single(struct pattern_parser *ps, uint32_t word)
{
	ps->atom = ps->b->n;
	ps->repetition = ps->part = 0;
	return pattern_emit(ps->b, word);
}

/* XBD 9.4.3: a repetition after an anchor is undefined. */
static int parse_anchor(struct pattern_parser *ps, enum match_op op)
{
	ps->atom = PATTERN_NONE;
	return pattern_emit(ps->b, MATCH_WORD(op, 0));
}

static bool is_letter_or_digit(uint32_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* After "\" */
static int parse_escaped(struct pattern_parser *ps)
{
	struct wsi_pattern *b = ps->b;
	uint32_t c;

	if (b->at == b->len)
		return pattern_fail(b, "\\ at the end");
	if (pattern_char(b, &c) < 0)
		return -1;
	if (c == 'd')
		return pattern_fail(b, PATTERN_ESCAPE ": write [0-9] in place of \\d");
	if (c == 'w')
		return pattern_fail(b, PATTERN_ESCAPE ": write [[:alnum:]_] in place of \\w");
	if (c == 's')
		return pattern_fail(b, PATTERN_ESCAPE ": write [[:space:]] in place of \\s");
	if (c == 'b')
		return pattern_fail(
		    b, PATTERN_ESCAPE
		    ": write (^|[^[:alnum:]_]) or ([^[:alnum:]_]|$) in place of \\b");
	if (c >= 0x80 || is_letter_or_digit(c))
		return pattern_fail(b, PATTERN_ESCAPE);
	return parse_single(ps, MATCH_WORD(MATCH_CHAR, c));
}

static int parse_part(struct pattern_parser *ps)
{
	struct wsi_pattern *b = ps->b;
	bool again = ps->repeated;
	uint32_t c;

	b->where = b->at;
	ps->repeated = false;
	if (pattern_char(b, &c) < 0)
		return -1;
	switch (c) {
	case '(':
		return parse_open(ps);
	case ')':
		if (ps->group > ps->groups)
			return parse_close(ps);
		return parse_single(ps, MATCH_WORD(MATCH_CHAR, c));
	case '|':
		ps->atom = PATTERN_NONE;
		return pattern_alternative(b, ps->group);
	case '*':
	case '+':
	case '?':
	case '{':
		return parse_repetition(ps, c, again);
	case '^':
		return parse_anchor(ps, MATCH_START);
	case '$':
		return parse_anchor(ps, MATCH_END);
	case '[':
		ps->atom = b->n;
		ps->repetition = ps->part = 0;
		return pattern_bracket(b);
	case '.':
		return parse_single(ps, MATCH_WORD(MATCH_ANY, 0));
	case '\\':
		return parse_escaped(ps);
	default:
		return parse_single(ps, MATCH_WORD(MATCH_CHAR, c));
	}
}

int wsi_pattern_parse(struct wsi_pattern *b)
{
	struct pattern_parser ps;

	ps.b = b;
	ps.group = ps.groups;
	ps.atom = PATTERN_NONE;
	ps.repeated = false;
	ps.repetition = ps.part = 0;
	memset(ps.group, 0, sizeof *ps.group);
	ps.group->first = ps.group->branch = 1;
	ps.group->part = pattern_part(b);
	ps.group->alternative = pattern_part(b);
	pattern_emit(b, MATCH_WORD(MATCH_BEGIN, 0)); /* cannot fail: it is the first */
	while (b->at < b->len)
		if (parse_part(&ps) < 0)
			return -1;
	if (ps.group > ps.groups) {
		b->where = ps.group->where;
		return pattern_fail(b, "( without )");
	}
	b->where = b->len;
	if (pattern_join(b, ps.group) < 0)
		return -1;
	return pattern_emit(b, MATCH_WORD(MATCH_YES, 0));
}
