/* SPDX-License-Identifier: ISC
 * test_capture.c - what the groups of a pattern match: vectors by hand; generated patterns and
 * every short one against the rule of POSIX applied to the pattern's tree
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/capture.h"
#include "test/check.h"
#include "test/cli/every.h"
#include "test/guard.h"
#include <stdint.h>
#include <stdlib.h>

#define S(lit) lit, sizeof(lit) - 1
#define SHOWN 256

/* Compiles into memory of the exact size, so that a sanitizer notices an access beyond it */
static struct wq_capture *compile(const char *pattern, size_t len)
{
	const char *why = NULL;
	unsigned groups;
	size_t where = 0, size = wq_capture_size(pattern, len, &why, &where, &groups);
	void *mem;

	if (size == 0) {
		fprintf(stderr, "%.*s: %s at %lu\n", (int)len, pattern, why, (unsigned long)where);
		return NULL;
	}
	mem = malloc(size);
	if (!mem)
		abort();
	memset(mem, 0xa5, size);
	return wq_capture_init(mem, size, pattern, len);
}

static void run(struct wq_capture *c, const char *text, size_t len)
{
	wq_capture_start(c, text, len);
	while (!wq_capture_step(c))
		;
}

/* "0-4 1-2 -", one place for each group from 0 on, or "no match" */
static void show(const struct wq_capture *c, const char *text, unsigned groups, char out[SHOWN])
{
	struct wsi_str found = wq_capture_group(c, 0);
	size_t n = 0, from;
	unsigned g;

	if (!found.p) {
		strcpy(out, "no match");
		return;
	}
	out[0] = '\0';
	for (g = 0; g <= groups; g++) {
		found = wq_capture_group(c, g);
		from = found.p ? (size_t)(found.p - text) : 0;
		if (g > 0)
			out[n++] = ' ';
		if (!found.p)
			n += (size_t)snprintf(out + n, SHOWN - n, "-");
		else
			n += (size_t)snprintf(out + n, SHOWN - n, "%lu-%lu", (unsigned long)from,
			                      (unsigned long)(from + found.len));
	}
}

static const struct vector {
	const char *pattern;
	size_t pattern_len;
	const char *text;
	size_t text_len;
	unsigned groups;
	const char *want;
} vectors[] = {
    /* The whole match begins as early as possible, then is as long as possible. */
    {S("b"), S("abab"), 0, "1-2"},
    {S("a|ab"), S("xabab"), 0, "1-3"},
    {S("b*"), S("abb"), 0, "0-0"},
    {S("b+"), S("abb"), 0, "1-3"},
    {S(""), S("ab"), 0, "0-0"},
    {S("a$"), S("aba"), 0, "2-3"},
    {S("^b|a"), S("ba"), 0, "0-1"},
    {S("x"), S("ab"), 0, "no match"},
    {S("x"), S(""), 0, "no match"},
    {S("()"), S(""), 1, "0-0 0-0"},
    /* Then each part from left to right is as long as possible. */
    {S("(a|ab)(c|bcd)(d*)"), S("abcd"), 3, "0-4 0-2 2-3 3-4"},
    {S("((a|ab)(c|bcd))(d*)"), S("abcd"), 4, "0-4 0-4 0-1 1-4 4-4"},
    {S("(.*)(.*)"), S("ab"), 2, "0-2 0-2 2-2"},
    {S(".*([0-9]+)"), S("abc123"), 1, "0-6 5-6"},
    {S(".*([0-9]+)?"), S("abc123"), 1, "0-6 -"},
    {S("x*(x*)"), S("xx"), 1, "0-2 2-2"},
    {S("(a*)(ab)*(b*)"), S("abb"), 3, "0-3 0-1 - 1-3"},
    {S("(a|b)*(ab|c)?"), S("abab"), 2, "0-4 3-4 -"},
    {S("(wee|week)(knights|night)"), S("weeknights"), 2, "0-10 0-3 3-10"},
    /* Of alternatives that match the same, the first counts. */
    {S("(a)|(a)"), S("a"), 2, "0-1 0-1 -"},
    {S("a|(a)"), S("a"), 1, "0-1 -"},
    {S("(a|(a))"), S("a"), 2, "0-1 0-1 -"},
    /* A repeated group has its last repetition. */
    {S("(a|ab|b)*"), S("ab"), 1, "0-2 0-2"},
    {S("(a|b)*"), S("abb"), 1, "0-3 2-3"},
    {S("(a){2,3}"), S("aaaa"), 1, "0-3 2-3"},
    {S("(a){0}b"), S("ab"), 1, "1-2 -"},
    {S("((a)|b)*"), S("ab"), 2, "0-2 1-2 -"},
    {S("((a)|b)*"), S("ba"), 2, "0-2 1-2 1-2"},
    {S("(((a)|b)|c)*"), S("abc"), 3, "0-3 2-3 - -"},
    {S("(a|ab|c|bcd)*(d*)"), S("abcd"), 2, "0-4 1-4 4-4"},
    /* A repetition matches the empty text only if it can match nothing else. */
    {S("(a*)*"), S("b"), 1, "0-0 0-0"},
    {S("(a*)*"), S("aa"), 1, "0-2 0-2"},
    {S("(a*)+"), S("aa"), 1, "0-2 0-2"},
    {S("(a*){2}"), S("aa"), 1, "0-2 2-2"},
    {S("(a*){0,2}"), S("aa"), 1, "0-2 0-2"},
    {S("((a*)|b)*"), S("ab"), 2, "0-2 1-2 -"},
    {S("(|a)+"), S("aa"), 1, "0-2 1-2"},
    /* What it is for */
    {S("\"token\": *\"([^\"]*)\""), S("{\"a\": 1, \"token\": \"x7\", \"b\": \"y\"}"), 1,
     "9-22 19-21"},
    {S("^id=([0-9]+)(;|$)"), S("id=42;"), 2, "0-6 3-5 5-6"},
    {S("\\$([0-9]+)"), S("$7 $8"), 1, "0-2 1-2"},
    /* Anchors */
    {S("(^|b)a($|c)"), S("aba"), 2, "1-3 1-2 3-3"},
    {S("(^a)"), S("ba"), 1, "no match"},
    {S("(a$)"), S("aa"), 1, "1-2 1-2"},
    /* Characters are whole; a byte that belongs to none counts as one. */
    {S("(.)b"),
     S("a\xe2\x82\xac"
       "b"),
     1, "1-5 1-4"},
    {S("(\xc3\xa9+)"), S("x\xc3\xa9\xc3\xa9"), 1, "1-5 1-5"},
    {S("(.)$"), S("a\xe2\x82"), 1, "2-3 2-3"},
    {S("(.{3})$"), S("a\xff\xe2\x82"), 1, "1-4 1-4"},
    {S("a(.)b"), S("a\0b"), 1, "0-3 1-2"},
    {S("([^\xe2\x82\xac]+)"), S("a\xe2\x82\xac"), 1, "0-1 0-1"},
    /* Groups after the ninth affect the match, but are not captured. */
    {S("(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)"), S("abcdefghij"), 9,
     "0-10 0-1 1-2 2-3 3-4 4-5 5-6 6-7 7-8 8-9"},
};

static void test_vectors(void)
{
	size_t i;

	for (i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		const struct vector *v = &vectors[i];
		struct wq_capture *c = compile(v->pattern, v->pattern_len);
		char got[SHOWN];

		check_row("/%s/ on %s", v->pattern, v->text);
		if (!CHECK(c))
			continue;
		run(c, v->text, v->text_len);
		show(c, v->text, v->groups, got);
		CHECK_EQ_S(got, v->want);
		free(c);
	}
}

static const struct wrong {
	const char *pattern, *why;
	size_t where;
} wrongs[] = {
    {"\"(.*?)\"",
     "a repetition of a repetition, as in .*?, leaves open what a group matches: for the shortest "
     "match write [^x]* up to the x after it",
     4},
    {"a**",
     "a repetition of a repetition, as in .*?, leaves open what a group matches: for the shortest "
     "match write [^x]* up to the x after it",
     2},
    {"(a", "( without )", 0},
};

static void test_wrong_patterns(void)
{
	size_t i, where;
	unsigned groups;
	const char *why;

	for (i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
		const struct wrong *w = &wrongs[i];

		check_row("%s", w->pattern);
		why = NULL;
		where = 0;
		CHECK_EQ_U(wq_capture_size(w->pattern, strlen(w->pattern), &why, &where, &groups),
		           0);
		CHECK_EQ_S(why, w->why);
		CHECK_EQ_U(where, w->where);
	}
}

/* Patterns at the limits: as many parts, groups and states as possible, and one more */
static void test_limits(void)
{
	char pattern[4 * 4096], got[SHOWN];
	const char *why = NULL;
	struct wq_capture *c;
	unsigned groups;
	size_t where, i;

	/* The whole and its alternative are 2 parts, each group has 3. */
	pattern[0] = '\0';
	for (i = 0; i < 84; i++)
		strcat(pattern, "(a)");
	c = compile(pattern, strlen(pattern));
	if (CHECK(c)) {
		run(c, pattern, strlen(pattern));
		show(c, pattern, 1, got);
		CHECK_EQ_S(got, "no match");
	}
	free(c);
	strcat(pattern, "(a)");
	CHECK_EQ_U(wq_capture_size(pattern, strlen(pattern), &why, &where, &groups), 0);
	CHECK_EQ_U(groups, 85);
	CHECK_EQ_S(why, "too many groups, alternatives and repetitions to say what each group "
	                "matches");

	strcpy(pattern, "(a{255}){15}(.*)");
	c = compile(pattern, strlen(pattern));
	if (CHECK(c)) {
		char text[255 * 15 + 3];

		memset(text, 'a', sizeof text);
		run(c, text, sizeof text);
		show(c, text, 2, got);
		CHECK_EQ_S(got, "0-3828 3570-3825 3825-3828");
	}
	free(c);
}

/* One call works for a bounded time: a costly pattern on a long text takes many calls. */
static void test_slices(void)
{
	static char text[100000];
	struct wq_capture *c = compile(S("(a|b|ab)*(.{100})c"));
	unsigned long calls = 0;
	char got[SHOWN];

	if (!CHECK(c))
		return;
	memset(text, 'a', sizeof text);
	text[sizeof text - 1] = 'c';
	wq_capture_start(c, text, sizeof text);
	while (!wq_capture_step(c))
		calls++;
	CHECK(calls > 100);
	show(c, text, 2, got);
	CHECK_EQ_S(got, "0-100000 99898-99899 99899-99999");
	free(c);
}

/* Generated patterns. The reference works on the pattern's tree, and tries every way. */

#define NODES 40
#define REPEAT_NO_END 1000
#define TEXT_MAX 6

struct node {
	enum { CHAR, ANY, CONCAT, ALTERNATIVE, GROUP, REPEAT } kind;
	char c;
	int left, right; /* -1: none */
	int group, last_group;
	int min, max;
};
static struct node nodes[NODES];
static int n_nodes, n_groups;
static char pattern_text[4 * NODES * 4];
static const char *subject;
static int places[NODES][2];

static uint32_t seed = 12345;
static unsigned dice(unsigned n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 16) % n;
}

static int new_node(int kind)
{
	nodes[n_nodes].kind = (unsigned)kind;
	nodes[n_nodes].left = nodes[n_nodes].right = -1;
	return n_nodes++;
}

static int make_tree(int depth);

static int make_atom(int depth)
{
	int n;

	if (depth <= 0 || dice(5) < 2) {
		n = new_node(dice(6) == 0 ? ANY : CHAR);
		nodes[n].c = (char)('a' + dice(2));
		return n;
	}
	n = new_node(GROUP);
	nodes[n].group = ++n_groups;
	nodes[n].left = make_tree(depth - 1);
	nodes[n].last_group = n_groups;
	return n;
}

static int make_part(int depth)
{
	static const int bounds[][2] = {
	    {0, REPEAT_NO_END}, {1, REPEAT_NO_END}, {0, 1}, {2, 2}, {0, 2}, {1, 2}};
	int atom = make_atom(depth), n;
	size_t which;

	if (dice(5) < 3)
		return atom;
	n = new_node(REPEAT);
	which = dice(sizeof bounds / sizeof *bounds);
	nodes[n].left = atom;
	nodes[n].min = bounds[which][0];
	nodes[n].max = bounds[which][1];
	return n;
}

/* -1 is the empty pattern */
static int make_tree(int depth)
{
	int n = -1, more;
	unsigned parts = dice(4);

	for (; parts > 0 && n_nodes < NODES - 12; parts--) {
		int left = n, right = make_part(depth);

		n = right;
		if (left >= 0) {
			n = new_node(CONCAT);
			nodes[n].left = left;
			nodes[n].right = right;
		}
	}
	if (dice(4) == 0 && n_nodes < NODES - 12) {
		more = new_node(ALTERNATIVE);
		nodes[more].left = n;
		n = make_tree(depth);
		nodes[more].right = n;
		return more;
	}
	return n;
}

static void write_tree(int n)
{
	char *end = pattern_text + strlen(pattern_text);
	const struct node *p = n < 0 ? NULL : &nodes[n];

	if (n < 0)
		return;
	switch (p->kind) {
	case CHAR:
		sprintf(end, "%c", p->c);
		return;
	case ANY:
		sprintf(end, ".");
		return;
	case CONCAT:
		write_tree(p->left);
		write_tree(p->right);
		return;
	case ALTERNATIVE:
		write_tree(p->left);
		strcat(pattern_text, "|");
		write_tree(p->right);
		return;
	case GROUP:
		strcat(pattern_text, "(");
		write_tree(p->left);
		strcat(pattern_text, ")");
		return;
	case REPEAT:
		write_tree(p->left);
		end = pattern_text + strlen(pattern_text);
		if (p->max == REPEAT_NO_END)
			sprintf(end, "%s", p->min == 0 ? "*" : "+");
		else
			sprintf(end, "{%d,%d}", p->min, p->max);
		return;
	}
}

static bool matches(int n, int i, int j);

/* The repetition p matches from i to j with at least min and at most max rounds. */
static bool repeats(const struct node *p, int i, int j, int min, int max)
{
	int e;

	if (i == j && (min <= 0 || (max > 0 && matches(p->left, i, i))))
		return true;
	for (e = i + 1; max > 0 && e <= j; e++)
		if (matches(p->left, i, e) && repeats(p, e, j, min - 1, max - 1))
			return true;
	return false;
}

/* The part of the pattern matches exactly what is from i to j. */
static bool matches(int n, int i, int j)
{
	const struct node *p = n < 0 ? NULL : &nodes[n];
	int e;

	if (n < 0)
		return i == j;
	switch (p->kind) {
	case CHAR:
		return j == i + 1 && subject[i] == p->c;
	case ANY:
		return j == i + 1;
	case CONCAT:
		for (e = i; e <= j; e++)
			if (matches(p->left, i, e) && matches(p->right, e, j))
				return true;
		return false;
	case ALTERNATIVE:
		return matches(p->left, i, j) || matches(p->right, i, j);
	case GROUP:
		return matches(p->left, i, j);
	case REPEAT:
		return repeats(p, i, j, p->min, p->max);
	}
	return false;
}

static void choose(int n, int i, int j);

/* Each round is as long as possible. An empty one is made only if it must be, or is the only one. */
static void choose_rounds(const struct node *p, int i, int j)
{
	int round, e, min = p->min, max = p->max;

	for (round = 0;; round++, min--, max--) {
		if (i == j) {
			if (max > 0 && (min > 0 || round == 0) && matches(p->left, i, i))
				choose(p->left, i, i);
			if (min <= 1)
				return;
			continue;
		}
		for (e = j; e > i; e--)
			if (matches(p->left, i, e) && repeats(p, e, j, min - 1, max - 1))
				break;
		choose(p->left, i, e);
		i = e;
	}
}

/* The operands of a concatenation, from left to right, each as long as possible. The tree leans to
 * the left: ((a b) c), so the leftmost ones are found first. */
static void choose_concat(int n, int i, int j)
{
	int parts[NODES], count = 0, k, e;

	for (; n >= 0 && nodes[n].kind == CONCAT; n = nodes[n].left)
		parts[count++] = nodes[n].right;
	parts[count++] = n;
	for (k = count - 1; k >= 0; k--) {
		bool fits[TEXT_MAX + 1];
		int rest, from, to;

		/* fits[e]: the parts after this one match from e to j. */
		for (e = 0; e <= j; e++)
			fits[e] = e == j;
		for (rest = 0; rest < k; rest++) {
			bool before[TEXT_MAX + 1] = {false};

			for (from = 0; from <= j; from++)
				for (to = from; to <= j; to++)
					if (fits[to] && matches(parts[rest], from, to))
						before[from] = true;
			memcpy(fits, before, sizeof fits);
		}
		for (e = j; e > i; e--)
			if (fits[e] && matches(parts[k], i, e))
				break;
		choose(parts[k], i, e);
		i = e;
	}
}

/* Notes the places of the groups in this part, which matches from i to j. */
static void choose(int n, int i, int j)
{
	const struct node *p = n < 0 ? NULL : &nodes[n];
	int g;

	if (n < 0)
		return;
	switch (p->kind) {
	case CHAR:
	case ANY:
		return;
	case CONCAT:
		choose_concat(n, i, j);
		return;
	case ALTERNATIVE:
		choose(matches(p->left, i, j) ? p->left : p->right, i, j);
		return;
	case GROUP:
		for (g = p->group + 1; g <= p->last_group; g++)
			places[g][0] = -1;
		places[p->group][0] = i;
		places[p->group][1] = j;
		choose(p->left, i, j);
		return;
	case REPEAT:
		choose_rounds(p, i, j);
		return;
	}
}

static void reference(int tree, int len, unsigned groups, char out[SHOWN])
{
	int i, j;
	unsigned g;
	size_t n;

	for (i = 0; i <= len; i++)
		for (j = len; j >= i; j--)
			if (matches(tree, i, j))
				goto found;
	strcpy(out, "no match");
	return;
found:
	for (g = 1; g <= groups; g++)
		places[g][0] = -1;
	choose(tree, i, j);
	n = (size_t)snprintf(out, SHOWN, "%d-%d", i, j);
	for (g = 1; g <= groups; g++) {
		if (places[g][0] < 0)
			n += (size_t)snprintf(out + n, SHOWN - n, " -");
		else
			n += (size_t)snprintf(out + n, SHOWN - n, " %d-%d", places[g][0],
			                      places[g][1]);
	}
}

static void test_generated(void)
{
	const int rounds = 20000 / check_step(40);
	unsigned long tried = 0, wrong = 0;
	int round;

	for (round = 0; round < rounds; round++) {
		struct wq_capture *c;
		unsigned groups, k;
		int tree;

		n_nodes = n_groups = 0;
		pattern_text[0] = '\0';
		tree = make_tree(3);
		write_tree(tree);
		c = compile(pattern_text, strlen(pattern_text));
		if (!CHECK(c))
			continue;
		groups = n_groups < 9 ? (unsigned)n_groups : 9;
		for (k = 0; k < 10; k++) {
			char text[TEXT_MAX + 1], want[SHOWN], got[SHOWN];
			size_t len = dice(TEXT_MAX + 1), i;

			for (i = 0; i < len; i++)
				text[i] = (char)('a' + dice(2));
			text[len] = '\0';
			subject = text;
			reference(tree, (int)len, groups, want);
			run(c, text, len);
			show(c, text, groups, got);
			tried++;
			if (strcmp(want, got) == 0)
				continue;
			wrong++;
			if (wrong < 20)
				fprintf(stderr, "/%s/ on \"%s\": got %s, want %s\n", pattern_text,
				        text, got, want);
		}
		free(c);
	}
	CHECK(tried > 5UL * (unsigned long)rounds);
	CHECK_EQ_U(wrong, 0);
}

/* Every short pattern. A second parser, by recursive descent, makes the tree for the reference. */

#define WRONG (-2) /* in place of a node: the pattern is wrong; -1 is the empty pattern */
static const char *unread;

static int read_tree(int depth);

static int read_atom(int depth)
{
	char c = *unread++;
	int n;

	if (strchr("*+?", c))
		return WRONG; /* nothing to repeat */
	if (c != '(') {
		n = new_node(c == '.' ? ANY : CHAR);
		nodes[n].c = c;
		return n;
	}
	n = new_node(GROUP);
	nodes[n].group = ++n_groups;
	nodes[n].left = read_tree(depth + 1);
	nodes[n].last_group = n_groups;
	if (nodes[n].left == WRONG || *unread != ')')
		return WRONG;
	unread++;
	return n;
}

static int read_part(int depth)
{
	int atom = read_atom(depth), n;

	if (atom == WRONG || *unread == '\0' || !strchr("*+?", *unread))
		return atom;
	n = new_node(REPEAT);
	nodes[n].left = atom;
	nodes[n].min = *unread == '+';
	nodes[n].max = *unread == '?' ? 1 : REPEAT_NO_END;
	unread++;
	if (*unread != '\0' && strchr("*+?", *unread))
		return WRONG; /* a repetition of a repetition */
	return n;
}

static int read_tree(int depth)
{
	int n = -1, left, right;

	while (*unread != '\0' && *unread != '|' && !(*unread == ')' && depth > 0)) {
		left = n;
		n = right = read_part(depth);
		if (right == WRONG)
			return WRONG;
		if (left >= 0) {
			n = new_node(CONCAT);
			nodes[n].left = left;
			nodes[n].right = right;
		}
	}
	if (*unread != '|')
		return n;
	left = n;
	unread++;
	n = new_node(ALTERNATIVE);
	right = read_tree(depth);
	nodes[n].left = left;
	nodes[n].right = right;
	return right == WRONG ? WRONG : n;
}

static void check_short_pattern(const char *pattern, size_t len)
{
	static const char *const texts[] = {"", "b", "aa", "aba", "(bab)"};
	char want[SHOWN], got[SHOWN];
	struct wq_capture *c;
	const char *why = NULL, *guarded = guard_after(pattern, len);
	size_t where = len + 1, size, i;
	unsigned groups;
	int tree;

	n_nodes = n_groups = 0;
	unread = pattern;
	tree = read_tree(0);
	size = wq_capture_size(guarded, len, &why, &where, &groups);
	if (!CHECK((size > 0) == (tree != WRONG)))
		fprintf(stderr, "\t/%s/\n", pattern);
	CHECK(size > 0 || (why && where <= len));
	if (size == 0 || tree == WRONG)
		return;
	c = compile(guarded, len);
	for (i = 0; i < sizeof texts / sizeof *texts; i++) {
		subject = texts[i];
		reference(tree, (int)strlen(texts[i]), groups, want);
		run(c, texts[i], strlen(texts[i]));
		show(c, texts[i], groups, got);
		if (!CHECK(strcmp(got, want) == 0))
			fprintf(stderr, "\t/%s/ on \"%s\": got %s, want %s\n", pattern, texts[i],
			        got, want);
	}
	free(c);
}

/* Every pattern of some bytes up to a length */
static void test_short_patterns(void)
{
	every_string("ab.()|*+?", 5, check_short_pattern);
	every_string("ab()|*?", 6, check_short_pattern);
	every_string("a()|*", 8, check_short_pattern);
}

/* A copy goes on where the search was, whatever becomes of that. The text is long enough for several
 * calls. */
static void test_copy(void)
{
	static char text[20000];
	struct wq_capture *c = compile(S("^(a*)((b|bb)*)c"));
	unsigned steps = 0;
	char got[SHOWN];

	if (!CHECK(c))
		return;
	memset(text, 'a', sizeof text);
	memset(text + 10000, 'b', 9000);
	text[19000] = 'c';
	wq_capture_start(c, text, sizeof text);
	while (!wq_capture_step(c)) {
		struct wq_capture *was = c;
		void *mem = malloc(wq_capture_memory(c));

		if (!mem)
			abort();
		c = wq_capture_copy(mem, was);
		memset((void *)was, 0xa5, wq_capture_memory(c));
		free(was);
		steps++;
	}
	CHECK(steps > 2);
	show(c, text, 3, got);
	CHECK_EQ_S(got, "0-19001 0-10000 10000-19000 18998-19000");
	free(c);
}

int main(void)
{
	TEST(test_vectors);
	TEST(test_wrong_patterns);
	TEST(test_limits);
	TEST(test_slices);
	TEST(test_generated);
	TEST(test_short_patterns);
	TEST(test_copy);
	return check_done();
}
