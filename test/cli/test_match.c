/* SPDX-License-Identifier: ISC
 * test_match.c - the pattern matcher: vectors by hand; generated patterns against sets of positions
 * computed from the pattern's tree, and against regexec; every short pattern against a second parser
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/match.h"
#include "test/check.h"
#include "test/cli/every.h"
#include "test/guard.h"
#include <ctype.h>
#include <locale.h>
#include <regex.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define S(lit) lit, sizeof(lit) - 1
#define BAD 0xfffd

/* Compiles into memory of the exact size, so that a sanitizer notices an access beyond it */
static struct wsi_match *compile(const char *pattern, size_t len)
{
	const char *why = NULL;
	size_t where = 0, size = wsi_match_size(pattern, len, &why, &where);
	struct wsi_match *m;
	char *copy;
	void *mem;

	if (size == 0) {
		fprintf(stderr, "%.*s: %s at %lu\n", (int)len, pattern, why, (unsigned long)where);
		return NULL;
	}
	mem = malloc(size);
	copy = malloc(len ? len : 1);
	if (!mem || !copy)
		abort();
	memset(mem, 0xa5, size);
	memcpy(copy, pattern, len);
	m = wsi_match_init(mem, size, copy, len);
	free(copy);
	return m;
}

/* In slices of step bytes; 0: at once */
static int run(struct wsi_match *m, const char *text, size_t len, size_t step)
{
	size_t i, n;

	wsi_match_start(m);
	if (step == 0)
		step = len;
	for (i = 0; i < len; i += n) {
		n = i + step <= len ? step : len - i;
		if (wsi_match_feed(m, text + i, n))
			return 1;
	}
	return wsi_match_end(m);
}

/* Matches at once, cut at every byte, and in pieces of one, two and three bytes. Returns the common
 * result, or -1. */
static int run_all(struct wsi_match *m, const char *text, size_t len)
{
	int want = run(m, text, len, 0);
	size_t i;

	for (i = 1; i <= 3; i++) {
		if (run(m, text, len, i) != want)
			return -1;
	}
	for (i = 0; i <= len; i++) {
		wsi_match_start(m);
		if ((wsi_match_feed(m, text, i) || wsi_match_feed(m, text + i, len - i)
		     || wsi_match_end(m))
		    != want)
			return -1;
	}
	return want;
}

static const struct vector {
	const char *pattern;
	size_t pattern_len;
	const char *text;
	size_t text_len;
	int want;
} vectors[] = {
    /* Characters, and '.', which takes any */
    {S("abc"), S("xxabcxx"), 1},
    {S("abc"), S("ababxc"), 0},
    {S("aab"), S("aaaab"), 1},
    {S("a"), S("A"), 0},
    {S("a.c"), S("abc"), 1},
    {S("a.c"), S("ac"), 0},
    {S("a.c"), S("a\nc"), 1},
    {S("a.c"), S("a\0c"), 1},
    {S("^.$"), S("\xe2\x82\xac"), 1},
    {S("^..$"), S("\xe2\x82\xac"), 0},
    {S("^.$"), S("\xf0\x9f\x98\x80"), 1},
    {S("a\0b"), S("xa\0b"), 1},
    {S("a\0b"), S("ab"), 0},
    {S("\0"), S("a"), 0},
    {S("\0"), S("\0"), 1},
    {S("\n"), S("a\nb"), 1},
    {S("\xc3\xa9+x"), S("\xc3\xa9\xc3\xa9x"), 1},
    {S("\xc3\xa9{2}"), S("\xc3\xa9\xa9"), 0},
    {S("]"), S("]"), 1},
    {S("}"), S("a}"), 1},
    {S("a]"), S("a]"), 1},
    {S("a)"), S("a)"), 1},
    {S(")"), S("("), 0},
    {S("(a))"), S("a)"), 1},
    /* The empty pattern, alternatives and parentheses */
    {S(""), S(""), 1},
    {S(""), S("a"), 1},
    {S("()"), S(""), 1},
    {S("a()b"), S("ab"), 1},
    {S("^(a|)$"), S(""), 1},
    {S("^(a|)$"), S("a"), 1},
    {S("^(a|)$"), S("b"), 0},
    {S("^(|a)$"), S("a"), 1},
    {S("^(|a)$"), S("aa"), 0},
    {S("^(a||b)$"), S(""), 1},
    {S("^(a||b)c$"), S("bc"), 1},
    {S("x|"), S("y"), 1},
    {S("|x"), S("y"), 1},
    {S("|"), S(""), 1},
    {S("^(||)*$"), S("a"), 0},
    {S("^()*$"), S(""), 1},
    {S("^(){3}a(){2,}(){0,5}$"), S("a"), 1},
    /* Alternatives */
    {S("a|b"), S("b"), 1},
    {S("a|b"), S("c"), 0},
    {S("ab|cd"), S("acd"), 1},
    {S("ab|cd"), S("abd"), 1},
    {S("^(ab|cd)$"), S("abd"), 0},
    {S("^(ab|cd|ef)$"), S("ef"), 1},
    {S("^(a|b|c|d)+$"), S("abcdcba"), 1},
    {S("^(a|b|c|d)+$"), S("abxcd"), 0},
    {S("^a|b$"), S("ax"), 1},
    {S("^a|b$"), S("xb"), 1},
    {S("^a|b$"), S("xax"), 0},
    {S("^(a|(b|(c|d)e)f)g$"), S("defg"), 1},
    {S("^(a|(b|(c|d)e)f)g$"), S("bfg"), 1},
    {S("^(a|(b|(c|d)e)f)g$"), S("deg"), 0},
    /* Repetitions */
    {S("^a*$"), S(""), 1},
    {S("^a*$"), S("aaa"), 1},
    {S("^a*$"), S("aab"), 0},
    {S("^a+$"), S(""), 0},
    {S("^a+$"), S("a"), 1},
    {S("^a+$"), S("aaa"), 1},
    {S("^a?$"), S(""), 1},
    {S("^a?$"), S("a"), 1},
    {S("^a?$"), S("aa"), 0},
    {S("^a{0}$"), S(""), 1},
    {S("^a{0}$"), S("a"), 0},
    {S("^(ab|c*){0}d$"), S("d"), 1},
    {S("^a{1}$"), S("a"), 1},
    {S("^a{3}$"), S("aa"), 0},
    {S("^a{3}$"), S("aaa"), 1},
    {S("^a{3}$"), S("aaaa"), 0},
    {S("^a{2,}$"), S("a"), 0},
    {S("^a{2,}$"), S("aa"), 1},
    {S("^a{2,}$"), S("aaaaaa"), 1},
    {S("^a{0,}$"), S(""), 1},
    {S("^a{1,}$"), S(""), 0},
    {S("^a{1,3}$"), S(""), 0},
    {S("^a{1,3}$"), S("a"), 1},
    {S("^a{1,3}$"), S("aaa"), 1},
    {S("^a{1,3}$"), S("aaaa"), 0},
    {S("^a{0,2}$"), S(""), 1},
    {S("^a{0,2}$"), S("aa"), 1},
    {S("^a{0,2}$"), S("aaa"), 0},
    {S("^a{00002,03}$"), S("aaa"), 1},
    {S("^(ab){2,3}$"), S("ababab"), 1},
    {S("^(ab){2,3}$"), S("abab"), 1},
    {S("^(ab){2,3}$"), S("ab"), 0},
    {S("^(ab){2,3}$"), S("ababa"), 0},
    {S("^(a|bc){2}$"), S("bca"), 1},
    {S("^(a|bc){2}$"), S("bcab"), 0},
    {S("^((a|b){2}c){2}$"), S("abcbac"), 1},
    {S("^((a|b){2}c){2}$"), S("abcbc"), 0},
    {S("^(a{2}){3}$"), S("aaaaaa"), 1},
    {S("^(a{2}){3}$"), S("aaaaa"), 0},
    {S("^(a*)*$"), S("aaaa"), 1},
    {S("^(a*)+b$"), S("aab"), 1},
    {S("^(a*|b)*c$"), S("abbac"), 1},
    {S("^([ab]{2}|c)*$"), S("abcba"), 1},
    {S("^([ab]{2}|c)*$"), S("abcb"), 0},
    {S("^.{3}$"), S("\xc3\xa9\xe2\x82\xac!"), 1},
    {S("a{2}b"), S("aaab"), 1},
    {S("(^|,)b(,|$)"), S("a,b,c"), 1},
    {S("(^|,)b(,|$)"), S("b"), 1},
    {S("(^|,)b(,|$)"), S("ab,"), 0},
    /* A repetition of a repetition, and '?' as its modifier */
    {S("^a**$"), S("aaa"), 1},
    {S("^a{2}{3}$"), S("aaaaaa"), 1},
    {S("^a{2}{3}$"), S("aaaaa"), 0},
    {S("^a+*$"), S(""), 1},
    {S("^a+?$"), S(""), 0},
    {S("^a+?$"), S("aa"), 1},
    {S("^a*?b$"), S("aab"), 1},
    {S("^a{2}?$"), S(""), 0},
    {S("^a{2}?$"), S("aa"), 1},
    {S("^(a+)?$"), S(""), 1},
    {S("^a??$"), S("a"), 1},
    {S("^a+b?$"), S("a"), 1},
    {S("^(a+)?b?$"), S("b"), 1},
    /* Anchors */
    {S("^"), S(""), 1},
    {S("$"), S(""), 1},
    {S("^$"), S(""), 1},
    {S("$^"), S(""), 1},
    {S("^$"), S("a"), 0},
    {S("$^"), S("a"), 0},
    {S("$"), S("a"), 1},
    {S("^^a$$"), S("a"), 1},
    {S("^a"), S("ba"), 0},
    {S("^a"), S("b\na"), 0},
    {S("a$"), S("a\n"), 0},
    {S("a$"), S("ab"), 0},
    {S("a$"), S("aba"), 1},
    {S("a^b"), S("ab"), 0},
    {S("a^b"), S("a^b"), 0},
    {S("a$b"), S("a$b"), 0},
    {S("a*^b"), S("b"), 1},
    {S("a*^b"), S("ab"), 0},
    {S("a$b*"), S("a"), 1},
    {S("(^a)b"), S("ab"), 1},
    {S("(^a)b"), S("aab"), 0},
    {S("(^a)*b"), S("aab"), 1},
    {S("x(^a)*b"), S("xb"), 1},
    {S("x(^a)+b"), S("xab"), 0},
    {S("(a$)+"), S("ba"), 1},
    {S("(^)*a"), S("ba"), 1},
    {S("(^){2}a"), S("a"), 1},
    {S("(^){2}a"), S("ba"), 0},
    {S("(^|b)a"), S("ba"), 1},
    {S("(^|b)a"), S("ca"), 0},
    {S("(a|$)c"), S("a"), 0},
    {S("(a|$)$"), S("b"), 1},
    /* Escapes */
    {S("\\."), S("a"), 0},
    {S("\\."), S("."), 1},
    {S("\\^\\.\\[\\]\\$\\(\\)\\|\\*\\+\\?\\{\\}\\\\"), S("^.[]$()|*+?{}\\"), 1},
    {S("\\!\\\"\\#\\%\\&\\'\\,\\-\\/\\:\\;\\<\\=\\>\\@\\_\\`\\~\\ "), S("!\"#%&',-/:;<=>@_`~ "), 1},
    {S("^\\<a\\>$"), S("a"), 0},
    {S("^\\.+$"), S("..."), 1},
    {S("\\{\"a\": ?1\\}"), S("{\"a\":1}"), 1},
    /* Brackets */
    {S("^[abc]+$"), S("cab"), 1},
    {S("^[abc]+$"), S("cadb"), 0},
    {S("[^abc]"), S("abc"), 0},
    {S("[^abc]"), S("abcd"), 1},
    {S("^[^a]$"), S("\n"), 1},
    {S("^[^a]$"), S("\0"), 1},
    {S("^[^a]$"), S("\xc3\xa9"), 1},
    {S("^[a-c]$"), S("b"), 1},
    {S("^[a-c]$"), S("d"), 0},
    {S("^[a-c]$"), S("`"), 0},
    {S("^[a-a]$"), S("a"), 1},
    {S("^[^a-c]$"), S("b"), 0},
    {S("^[a-cx-z]$"), S("y"), 1},
    {S("^[]]$"), S("]"), 1},
    {S("^[]a]+$"), S("a]"), 1},
    {S("^[^]a]$"), S("]"), 0},
    {S("^[^]a]$"), S("b"), 1},
    {S("^[]-a]+$"), S("]^_`a"), 1},
    {S("^[a^]+$"), S("a^"), 1},
    {S("^[-a]+$"), S("a-"), 1},
    {S("^[a-]+$"), S("a-"), 1},
    {S("^[^-a]$"), S("-"), 0},
    {S("^[a-c-]+$"), S("b-"), 1},
    {S("^[-]$"), S("-"), 1},
    {S("^[--/]+$"), S("-./"), 1},
    {S("^[--/]$"), S("0"), 0},
    {S("^[%--]+$"), S("%&-"), 1},
    {S("^[%--]$"), S("."), 0},
    {S("^[][.-.]-0]+$"), S("]-./0"), 1},
    {S("^[][.-.]-0]$"), S("["), 0},
    {S("^[.*+?{}()|$^\\]+$"), S(".*+?{}()|$^\\"), 1},
    {S("^[\\n]$"), S("n"), 1},
    {S("^[\\n]$"), S("\\"), 1},
    {S("^[\\n]$"), S("\n"), 0},
    {S("^[[a]$"), S("["), 1},
    {S("^[a[]$"), S("["), 1},
    {S("^[+-[]+$"), S("0["), 1},
    {S("^[[.a.]b]+$"), S("ab"), 1},
    {S("^[[=a=]b]+$"), S("ab"), 1},
    {S("^[[.].]]$"), S("]"), 1},
    {S("^[[=]=]x]+$"), S("]x"), 1},
    {S("^[[.[.][.-.]]+$"), S("-["), 1},
    {S("^[[...]]$"), S("."), 1},
    {S("^[[===]]$"), S("="), 1},
    {S("^[[.a.]-[.c.]]+$"), S("abc"), 1},
    {S("^[[.a.]-c]$"), S("d"), 0},
    {S("^[[=a=]-]+$"), S("a-"), 1},
    {S("^[\xc3\xa9\xe2\x82\xac]+$"), S("\xe2\x82\xac\xc3\xa9"), 1},
    {S("^[\xc3\xa9\xe2\x82\xac]$"), S("\xe2"), 0},
    {S("^[a-\xf4\x8f\xbf\xbf]+$"), S("z\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf"), 1},
    {S("^[\xce\xb1-\xcf\x89]+$"), S("\xce\xb1\xce\xb2\xcf\x89"), 1},
    {S("^[\xce\xb1-\xcf\x89]$"), S("\xcf\x8a"), 0},
    {S("^[[.\xe2\x82\xac.]]$"), S("\xe2\x82\xac"), 1},
    {S("^[a\0b]+$"), S("\0ab"), 1},
    {S("^[\0-\x1f]$"), S("\t"), 1},
    {S("^[:a]+$"), S("a:"), 1},
    {S("^[a:]+$"), S("a:"), 1},
    {S("^[::]$"), S(":"), 1},
    {S("[a-z]*[0-9]{2}"), S("ab1x22"), 1},
    {S("^([a-c]{2}){2}$"), S("abca"), 1},
    {S("^([a-c]{2}){2}$"), S("abcd"), 0},
    /* Invalid UTF-8: U+FFFD for each byte that does not begin a character */
    {S("^.$"), S("\xff"), 1},
    {S("^.$"), S("\x80"), 1},
    {S("^.{2}$"), S("\xc3("), 1},
    {S("^\xef\xbf\xbd$"), S("\xff"), 1},
    {S("^[^a]$"), S("\xfe"), 1},
    {S("^[\xef\xbf\xbd]\\($"), S("\xc3("), 1},
    {S("^\xef\xbf\xbd{2}\\($"), S("\xe2\x82("), 1},
    {S("^\xef\xbf\xbd{3}\\($"), S("\xf0\x9f\x98("), 1},
    {S("^\xef\xbf\xbd{3}$"), S("\xf0\x9f\x98"), 1},
    {S("^\xef\xbf\xbd{2}$"), S("\xe2\x82"), 1},
    {S("^\xef\xbf\xbd$"), S("\xc3"), 1},
    {S("^\xef\xbf\xbd{2}$"), S("\xc0\x80"), 1},
    {S("^\xef\xbf\xbd{3}$"), S("\xe0\x80\x80"), 1},
    {S("^\xef\xbf\xbd{3}$"), S("\xed\xa0\x80"), 1},
    {S("^\xef\xbf\xbd{4}$"), S("\xf4\x90\x80\x80"), 1},
    {S("^\xef\xbf\xbd{4}$"), S("\xf8\x88\x80\x80"), 1},
    {S("^\xef\xbf\xbd{2}\xc3\xa9$"), S("\xe2\x82\xc3\xa9"), 1},
    {S("^\xef\xbf\xbd{3}\xe2\x82\xac$"), S("\xf0\x9f\x98\xe2\x82\xac"), 1},
    {S("^\xef\xbf\xbd\xe2\x82\xac\xef\xbf\xbd$"), S("\xe2\xe2\x82\xac\x82"), 1},
    {S("^\xef\xbf\xbd{3}ab$"),
     S("\xf0\x90\x80"
       "ab"),
     1},
    {S("\xc3\xa9"), S("\xc3"), 0},
    {S("\xc3\xa9"), S("\xc3\xc3\xa9"), 1},
    {S("a\xef\xbf\xbd"), S("a\xe2\x82"), 1},
    /* A search that begins in the middle of what is skipped */
    {S("bc"),
     S("\xc3\xa9\xc3"
       "b\xff"
       "bc"),
     1},
    {S("\xa9"), S(""), -1},
    {S("\xc2\x80"), S("a\xc2\x80"), 1},
    {S("b$"), S("aaaab\xe2\x82"), 0},
    {S("b.{2}$"), S("aaaab\xe2\x82"), 1},
    {S("b\xe2\x82\xac$"), S("aaaab\xe2\x82\xac"), 1},
};

static void test_vectors(void)
{
	size_t i;

	for (i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		const struct vector *v = &vectors[i];
		struct wsi_match *m;
		const char *why;
		size_t where;

		check_row("/%s/ on %s", vectors[i].pattern, vectors[i].text);
		if (v->want < 0) {
			CHECK_EQ_U(wsi_match_size(v->pattern, v->pattern_len, &why, &where), 0);
			continue;
		}
		m = compile(v->pattern, v->pattern_len);
		if (!CHECK(m && run_all(m, v->text, v->text_len) == v->want))
			fprintf(stderr, "\tvector %lu: %s on %s\n", (unsigned long)i, v->pattern,
			        v->text);
		free(m);
	}
}

/* Each class is compared with C's own definition, character by character, alone, in a longer set,
 * and negated */
static void test_classes(void)
{
	static const struct {
		const char *name, *members;
	} classes[] = {
	    {"alnum", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"},
	    {"alpha", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"},
	    {"blank", " \t"},
	    {"cntrl", NULL},
	    {"digit", "0123456789"},
	    {"graph", NULL},
	    {"lower", "abcdefghijklmnopqrstuvwxyz"},
	    {"print", NULL},
	    {"punct", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"},
	    {"space", " \t\n\v\f\r"},
	    {"upper", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
	    {"xdigit", "0123456789ABCDEFabcdef"},
	};
	static const char beyond[] = "\xc3\xa9"; /* a letter, but none of ASCII */
	char pattern[64];
	size_t i;
	int c, in;

	for (i = 0; i < sizeof classes / sizeof *classes; i++) {
		struct wsi_match *yes, *no, *list;

		check_row("%s", classes[i].name);
		snprintf(pattern, sizeof pattern, "^[[:%s:]]$", classes[i].name);
		yes = compile(pattern, strlen(pattern));
		snprintf(pattern, sizeof pattern, "^[^[:%s:]]$", classes[i].name);
		no = compile(pattern, strlen(pattern));
		snprintf(pattern, sizeof pattern, "^[\xc3\xa9[:%s:]-]$", classes[i].name);
		list = compile(pattern, strlen(pattern));
		if (!CHECK(yes && no && list))
			return;
		for (c = 0; c < 128; c++) {
			char text = (char)c;

			if (classes[i].members)
				in = c != 0 && strchr(classes[i].members, c) != NULL;
			else if (classes[i].name[0] == 'c')
				in = c < 0x20 || c == 0x7f;
			else
				in = c >= (classes[i].name[0] == 'g' ? 0x21 : 0x20) && c < 0x7f;
			CHECK(run(yes, &text, 1, 0) == in);
			CHECK(run(no, &text, 1, 0) == !in);
			CHECK(run(list, &text, 1, 0) == (in || c == '-'));
		}
		CHECK(!run(yes, beyond, 2, 0) && run(no, beyond, 2, 0) && run(list, beyond, 2, 0));
		free(yes);
		free(no);
		free(list);
	}
}

#define WHY_REPEAT "nothing to repeat: for the character itself write \\ before it"
#define WHY_BRACE "{ begins a repetition, like {2} or {2,5}: for the character write \\{"
#define WHY_HYPHEN "- in brackets must be first, last, or between the two ends of a range"
#define WHY_RANGE "a range in brackets that ends before it begins, or in a class"
#define WHY_COLLATING "[. .] and [= =] hold one character"
#define WHY_ESCAPE "\\ can only come before punctuation"
#define WHY_UTF8 "the pattern is not UTF-8"
#define WHY_OPEN "[ without ]"
#define WHY_CLASS "no such character class"
#define WHY_CLASS_ALONE "a character class is written [[:alpha:]]"
#define WHY_TIMES "more than 255 repetitions"
#define WHY_ORDER "{ } whose second number is less than its first"
#define WHY_LARGE "the pattern is too large once its repetitions are written out"

static const struct wrong {
	const char *pattern;
	size_t len;
	const char *why;
	size_t where;
} wrongs[] = {
    {S("*a"), WHY_REPEAT, 0},
    {S("+a"), WHY_REPEAT, 0},
    {S("?a"), WHY_REPEAT, 0},
    {S("{\"a\":1}"), WHY_REPEAT, 0},
    {S("a|*b"), WHY_REPEAT, 2},
    {S("a(*b)"), WHY_REPEAT, 2},
    {S("a^*"), WHY_REPEAT, 2},
    {S("a$+"), WHY_REPEAT, 2},
    {S("(a|?b)"), WHY_REPEAT, 3},
    {S("^{2}"), WHY_REPEAT, 1},
    {S("a{"), WHY_BRACE, 1},
    {S("a{x"), WHY_BRACE, 1},
    {S("a{}"), WHY_BRACE, 1},
    {S("a{,3}"), WHY_BRACE, 1},
    {S("a{2"), WHY_BRACE, 1},
    {S("a{2,"), WHY_BRACE, 1},
    {S("a{2,3"), WHY_BRACE, 1},
    {S("a{2 }"), WHY_BRACE, 1},
    {S("a{2,3,4}"), WHY_BRACE, 1},
    {S("a{-1}"), WHY_BRACE, 1},
    {S("a{256}"), WHY_TIMES, 1},
    {S("a{1,256}"), WHY_TIMES, 1},
    {S("a{256,}"), WHY_TIMES, 1},
    {S("bba{99999999999999999999999999999999}"), WHY_TIMES, 3},
    {S("a{3,2}"), WHY_ORDER, 1},
    {S("a{1,0}"), WHY_ORDER, 1},
    {S("(a"), "( without )", 0},
    {S("a(b(c)"), "( without )", 1},
    {S("a(b(c"), "( without )", 3},
    {S("(a|"), "( without )", 0},
    {S("["), WHY_OPEN, 0},
    {S("a[b"), WHY_OPEN, 1},
    {S("a[]"), WHY_OPEN, 1},
    {S("a[^]"), WHY_OPEN, 1},
    {S("a[^"), WHY_OPEN, 1},
    {S("a[b-"), WHY_OPEN, 1},
    {S("a[b-c"), WHY_OPEN, 1},
    {S("a[["), WHY_OPEN, 1},
    {S("a[[."), WHY_OPEN, 2},
    {S("a[[.b.]"), WHY_OPEN, 1},
    {S("a[[:alpha:]"), WHY_OPEN, 1},
    {S("a[[.b"), WHY_COLLATING, 2},
    {S("a[[.b."), WHY_COLLATING, 2},
    {S("a[[.hyphen.]]"), WHY_COLLATING, 2},
    {S("a[[=bc=]]"), WHY_COLLATING, 2},
    {S("a[[..]]"), WHY_COLLATING, 2},
    {S("a[b[=c.]]"), WHY_COLLATING, 3},
    {S("[[:"), WHY_CLASS, 1},
    {S("[[:alpha"), WHY_CLASS, 1},
    {S("[[:alpha:"), WHY_CLASS, 1},
    {S("[[:word:]]"), WHY_CLASS, 1},
    {S("[[:alphas:]]"), WHY_CLASS, 1},
    {S("[[:alph:]]"), WHY_CLASS, 1},
    {S("[[:ALPHA:]]"), WHY_CLASS, 1},
    {S("[[:xdigi:]]"), WHY_CLASS, 1},
    {S("a[b[::]]"), WHY_CLASS, 3},
    {S("x[:digit:]+"), WHY_CLASS_ALONE, 1},
    {S("x[:digit:"), WHY_OPEN, 1},
    {S("x[z-a]"), WHY_RANGE, 2},
    {S("x[bz-a]"), WHY_RANGE, 3},
    {S("[a--]"), WHY_RANGE, 1},
    {S("[a-[:digit:]]"), WHY_RANGE, 1},
    {S("[a-[=b=]]"), WHY_RANGE, 1},
    {S("[\xe2\x82\xac-\xc3\xa9]"), WHY_RANGE, 1},
    {S("[a-c-e]"), WHY_HYPHEN, 4},
    {S("[[:digit:]-z]"), WHY_HYPHEN, 10},
    {S("[[=a=]-z]"), WHY_HYPHEN, 6},
    {S("a\\"), "\\ at the end", 1},
    {S("(a\\"), "\\ at the end", 2},
    {S("a\\n"), WHY_ESCAPE, 1},
    {S("a\\d+"), WHY_ESCAPE ": write [0-9] in place of \\d", 1},
    {S("\\w"), WHY_ESCAPE ": write [[:alnum:]_] in place of \\w", 0},
    {S("\\s"), WHY_ESCAPE ": write [[:space:]] in place of \\s", 0},
    {S("\\d+"), WHY_ESCAPE ": write [0-9] in place of \\d", 0},
    {S("(a)\\1"), WHY_ESCAPE, 3},
    {S("\\0"), WHY_ESCAPE, 0},
    {S("\\9"), WHY_ESCAPE, 0},
    {S("\\a"), WHY_ESCAPE, 0},
    {S("\\z"), WHY_ESCAPE, 0},
    {S("\\A"), WHY_ESCAPE, 0},
    {S("\\Z"), WHY_ESCAPE, 0},
    {S("\\\xc3\xa9"), WHY_ESCAPE, 0},
    {S("\xff"), WHY_UTF8, 0},
    {S("ab\x80"), WHY_UTF8, 2},
    {S("ab\xe2\x82"), WHY_UTF8, 2},
    {S("a[b\xc0]"), WHY_UTF8, 3},
    {S("a[b-\xc0]"), WHY_UTF8, 4},
    {S("a\\\xc3"), WHY_UTF8, 1},
    {S("\xed\xa0\x80"), WHY_UTF8, 0},
    {S("a[[.\xff.]]"), WHY_UTF8, 2},
    {S("(a{255}){17}"), WHY_LARGE, 8},
    {S("((a{255}){255}){255}"), WHY_LARGE, 9},
    {S("((a{255}){17}){0}"), WHY_LARGE, 9},
};

static void test_wrongs(void)
{
	static uint64_t mem[1024];
	size_t i, where, n;
	const char *why;

	for (i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
		char *copy = malloc(wrongs[i].len);

		check_row("%s", wrongs[i].pattern);
		if (!copy)
			abort();
		memcpy(copy, wrongs[i].pattern, wrongs[i].len);
		why = "none";
		where = 12345;
		CHECK_EQ_U(wsi_match_size(copy, wrongs[i].len, &why, &where), 0);
		CHECK_EQ_S(why, wrongs[i].why);
		CHECK_EQ_U(where, wrongs[i].where);
		CHECK(wsi_match_init(mem, sizeof mem, copy, wrongs[i].len) == NULL);
		free(copy);
	}
	check_row_end();
	n = wsi_match_size(S("abc"), &why, &where);
	CHECK(n > 0 && n <= sizeof mem);
	CHECK(wsi_match_init(mem, n - 1, S("abc")) == NULL);
	CHECK(wsi_match_init(mem, n, S("abc")) != NULL);
}

static void repeat(char *to, const char *s, size_t times)
{
	for (*to = '\0'; times > 0; times--)
		to = strcpy(to, s) + strlen(s);
}

static void test_limits(void)
{
	static char pattern[70000], text[70000];
	struct wsi_match *m;
	const char *why = "";
	size_t where = 0, i;

	check_row("255 repetitions");
	m = compile(S("^a{255}$"));
	repeat(text, "a", 256);
	CHECK(m && run(m, text, 254, 0) == 0 && run(m, text, 255, 0) == 1
	      && run(m, text, 256, 0) == 0);
	free(m);
	m = compile(S("^a{255,}$"));
	CHECK(m && run(m, text, 254, 0) == 0 && run(m, text, 255, 0) == 1
	      && run(m, text, 256, 0) == 1);
	free(m);
	m = compile(S("^a{0,255}$"));
	CHECK(m && run(m, text, 0, 0) == 1 && run(m, text, 255, 0) == 1
	      && run(m, text, 256, 0) == 0);
	free(m);
	m = compile(S("^a{254,255}$"));
	CHECK(m && run(m, text, 253, 0) == 0 && run(m, text, 254, 0) == 1
	      && run(m, text, 256, 0) == 0);
	free(m);

	check_row("4096 states: one a character, and two for the begin and the match itself");
	repeat(pattern, "a", 4096);
	repeat(text, "a", 4096);
	m = compile(pattern, 4094);
	CHECK(m && run(m, text, 4094, 0) == 1 && run(m, text, 4093, 0) == 0
	      && run(m, text, 4094, 1) == 1);
	free(m);
	CHECK_EQ_U(wsi_match_size(pattern, 4095, &why, &where), 0);
	CHECK_EQ_S(why, WHY_LARGE);
	CHECK_EQ_U(where, 4095);
	CHECK_EQ_U(wsi_match_size(pattern, 4096, &why, &where), 0);
	CHECK_EQ_S(why, WHY_LARGE);
	CHECK_EQ_U(where, 4095);
	strcpy(pattern + 4093, "|");
	CHECK_EQ_U(wsi_match_size(pattern, 4094, &why, &where), 0);
	CHECK_EQ_S(why, WHY_LARGE);
	CHECK_EQ_U(where, 4094);
	strcpy(pattern + 4094, "|");
	CHECK_EQ_U(wsi_match_size(pattern, 4095, &why, &where), 0);
	CHECK_EQ_U(where, 4094);
	repeat(pattern, "^", 4096);
	CHECK(wsi_match_size(pattern, 4094, &why, &where) > 0);
	CHECK_EQ_U(wsi_match_size(pattern, 4096, &why, &where), 0);
	CHECK_EQ_U(where, 4095);
	repeat(pattern, "(a|b)", 1024); /* 4 each */
	CHECK(wsi_match_size(pattern, 5 * 1023, &why, &where) > 0);
	CHECK(wsi_match_size(pattern, 5 * 1024, &why, &where) == 0);
	m = compile(S("^((a{255}){8}){2}a{12}$"));
	CHECK(m && run(m, text, 4092, 0) == 1 && run(m, text, 4091, 0) == 0
	      && run(m, text, 4093, 0) == 0);
	free(m);
	CHECK(wsi_match_size(S("^((a{255}){8}){2}a{13}$"), &why, &where) == 0);
	m = compile(S("(((a{255}){16}){0}b){2}")); /* larger while it is compiled */
	CHECK(m && run(m, S("xbb"), 0) == 1 && run(m, S("xb"), 0) == 0);
	free(m);

	check_row("Parentheses 100 deep");
	repeat(pattern, "(", 101);
	strcat(pattern, "a");
	repeat(pattern + 102, ")", 101);
	CHECK_EQ_U(wsi_match_size(pattern, strlen(pattern), &why, &where), 0);
	CHECK_EQ_S(why, "parentheses nested more than 100 deep");
	CHECK_EQ_U(where, 100);
	m = compile(pattern + 1, 201);
	CHECK(m && run(m, S("xa"), 0) == 1 && run(m, S("xb"), 0) == 0);
	free(m);
	repeat(pattern, "(b|", 100);
	strcat(pattern, "a");
	repeat(pattern + 301, ")*", 100);
	m = compile(pattern, strlen(pattern));
	CHECK(m && run(m, S("xa"), 0) == 1);
	free(m);
	repeat(pattern, "(a)", 1000); /* many groups side by side are not deep */
	m = compile(pattern, strlen(pattern));
	CHECK(m && run(m, text, 1000, 0) == 1 && run(m, text, 999, 0) == 0);
	free(m);

	check_row("Brackets: all together 64 Ki words");
	for (i = 0; i < 32700; i++)
		pattern[1 + i] = (char)('a' + i % 26);
	pattern[0] = '[';
	pattern[1 + i] = ']';
	m = compile(pattern, i + 2);
	CHECK(m && run(m, S("2z"), 0) == 1 && run(m, S("2Z"), 0) == 0);
	free(m);
	repeat(pattern, "[]", 1);
	for (i = 0; i < 65000; i++)
		pattern[1 + i] = 'a';
	pattern[1 + i] = ']';
	CHECK_EQ_U(wsi_match_size(pattern, i + 2, &why, &where), 0);
	CHECK_EQ_S(why, "the brackets hold too much");
	CHECK_EQ_U(where, 0);

	check_row("a long pattern that needs no states");
	repeat(pattern, "(a*){0}", 9000);
	m = compile(pattern, strlen(pattern));
	CHECK(m && run(m, S(""), 0) == 1);
	free(m);
	memset(pattern, '*', sizeof pattern);
	pattern[0] = 'a';
	CHECK(wsi_match_size(pattern, sizeof pattern, &why, &where) == 0);
	CHECK_EQ_S(why, WHY_LARGE);

	check_row("Memory of ordinary patterns");
	CHECK(wsi_match_size(S("\"type\": *\"ready\""), &why, &where) < 1024);
	CHECK(wsi_match_size(S("^[[:alnum:]_]+@([a-z0-9-]+\\.)+[a-z]{2,6}$"), &why, &where) < 1536);
}

/* feed returns 1 at the byte that makes the match certain, and from then on */
static void test_early(void)
{
	static const struct {
		const char *pattern, *text;
		int at; /* bytes after which it is certain; -1: only the end tells */
	} early[] = {
	    {"", "abc", 0},           {"a*", "bbb", 0},      {"^", "b", 0},
	    {"^|a", "b", 0},          {"abc", "xabcx", 4},   {"a+", "xaaa", 2},
	    {"a{3}", "aaaa", 3},      {"a|bc", "xbca", 3},   {"\xc3\xa9", "x\xc3\xa9x", 3},
	    {".", "\xe2\x82\xac", 3}, {".", "\xe2\x82z", 3}, {"\xef\xbf\xbd", "\xff\xff", 1},
	    {"a$", "aa", -1},         {"$", "aa", -1},       {"\xef\xbf\xbd", "a\xe2\x82", -1},
	};
	size_t i;
	int k, len;

	for (i = 0; i < sizeof early / sizeof *early; i++) {
		struct wsi_match *m = compile(early[i].pattern, strlen(early[i].pattern));

		check_row("/%s/ on %s", early[i].pattern, early[i].text);
		if (!CHECK(m != NULL))
			continue;
		len = (int)strlen(early[i].text);
		if (early[i].at != 0)
			CHECK(wsi_match_feed(m, NULL, 0) == 0);
		for (k = 0; k <= len; k++)
			CHECK(wsi_match_feed(m, early[i].text + k, k < len)
			      == (early[i].at >= 0 && k + (k < len) >= early[i].at));
		CHECK(wsi_match_end(m) == 1);
		if (early[i].at >= 0) {
			CHECK(wsi_match_feed(m, "z", 1) == 1);
			CHECK(wsi_match_end(m) == 1);
		}
		wsi_match_start(m);
		CHECK(wsi_match_feed(m, early[i].text, (size_t)len) == (early[i].at >= 0));
		/* the same matcher can search another text */
		wsi_match_start(m);
		CHECK(wsi_match_feed(m, NULL, 0) == (early[i].at == 0));
		free(m);
	}
}

/* A new text is independent of the one before, wherever that one stopped */
static void test_restart(void)
{
	struct wsi_match *m = compile(S("^a$"));
	size_t i;

	if (!CHECK(m != NULL))
		return;
	for (i = 0; i < 4; i++) {
		wsi_match_start(m);
		CHECK(wsi_match_feed(m, &"a\xf0\x9f\x98"[i], 4 - i) == 0);
		wsi_match_start(m);
		CHECK(wsi_match_feed(m, "a", 1) == 0 && wsi_match_end(m) == 1);
	}
	free(m);
}

/* A copy continues independently of the original. */
static void test_copy(void)
{
	static const struct {
		const char *pattern, *text;
		int matches;
	} t[] = {
	    {"^(a|b)*c$", "ababc", 1},
	    {"^(a|b)*c$", "ababd", 0},
	    {"[x-z]{3}$", "axyz", 1},
	    {"[x-z]{3}$", "axyza", 0},
	    {"\xc3\xa9|\xe2\x82\xac", "x\xe2\x82\xac", 1},
	    {"^a.c", "abc", 1},
	    {"(a?){9}b", "aaaaaab", 1},
	    {"^[^\xc3\xa9]$", "\xc3\xa9", 0},
	};
	size_t i, k, len;

	for (i = 0; i < sizeof t / sizeof *t; i++) {
		len = strlen(t[i].text);
		for (k = 0; k <= len; k++) {
			struct wsi_match *m = compile(t[i].pattern, strlen(t[i].pattern)), *copy;
			void *mem;

			check_row("/%s/ on %s, copied after %lu bytes", t[i].pattern, t[i].text,
			          (unsigned long)k);
			if (!CHECK(m != NULL))
				continue;
			wsi_match_start(m);
			wsi_match_feed(m, t[i].text, k);
			mem = malloc(wsi_match_memory(m));
			if (!mem)
				abort();
			copy = wsi_match_copy(mem, m);
			memset((void *)m, 0xa5, wsi_match_memory(copy));
			free(m);
			CHECK_EQ_U(wsi_match_feed(copy, t[i].text + k, len - k)
			               || wsi_match_end(copy),
			           t[i].matches);
			free(mem);
		}
	}
	check_row_end();
}

/* So many steps that the 16-bit number of the round wraps around */
static void test_rounds(void)
{
	static char text[200000];
	struct wsi_match *m = compile(S("^(ab)*c$")), *again = compile(S("^.*xy$"));
	size_t i;

	for (i = 0; i < sizeof text; i++)
		text[i] = i % 2 ? 'b' : 'a';
	text[199998] = 'c';
	CHECK(m && run(m, text, 199999, 0) == 1 && run(m, text, 199998, 0) == 0);
	memset(text, 'a', sizeof text);
	for (i = 65530; again && i < 65540; i++) {
		text[0] = text[i] = 'x';
		text[i + 1] = 'y';
		CHECK(run(again, text, i + 2, 0) == 1 && run(again, text, i + 1, 0) == 0);
		text[i] = 'a';
	}
	free(m);
	free(again);
}

/* ---- generated patterns ---- */

static uint64_t random_state = 0x9e3779b97f4a7c15;

static unsigned below(unsigned n) /* xorshift64* */
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (unsigned)((random_state * 0x2545f4914f6cdd1d) >> 33) % n;
}

enum kind { EMPTY, CHAR, ANY, SET, START, END, CAT, ALT, REPEAT };
struct node {
	enum kind kind;
	uint32_t c;
	struct {
		uint32_t lo, hi;
	} range[12];
	int ranges, negated;
	int a, b;     /* nodes below */
	int min, max; /* max -1: no end */
};

static struct {
	struct node node[1000];
	int nodes;
	char pattern[16384];
	size_t len;
	int ascii;     /* no other characters */
	int portable;  /* only what POSIX defines, and glibc and musl agree on */
	int collating; /* with [=a=] and [.a.] */
	int simple;    /* no { } and no anchors */
	int repeated;  /* within a repetition */
} gen;

static int new_node(enum kind kind)
{
	memset(&gen.node[gen.nodes], 0, sizeof gen.node[0]);
	gen.node[gen.nodes].kind = kind;
	return gen.nodes++;
}

static size_t encode(char *out, uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 63));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 63));
		out[2] = (char)(0x80 | (c & 63));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 63));
	out[2] = (char)(0x80 | (c >> 6 & 63));
	out[3] = (char)(0x80 | (c & 63));
	return 4;
}

static void put_char(uint32_t c)
{
	gen.len += encode(gen.pattern + gen.len, c);
}

static void put(const char *s)
{
	memcpy(gen.pattern + gen.len, s, strlen(s));
	gen.len += strlen(s);
}

static uint32_t some_char(void)
{
	static const uint32_t wide[] = {0xe9, 0xea, 0x20ac, 0x1f600};
	static const char odd[] =
	    "d-.]A0 \\*\n"; /* glibc takes '$' in front of \n for the end in some patterns */

	switch (below(10)) {
	case 0:
		return gen.ascii ? 'a' : wide[below(4)];
	case 1:
		return (unsigned char)odd[below(sizeof odd - 1 - (unsigned)gen.portable)];
	case 2:
		return gen.portable ? 'b' : below(2) ? 0 : BAD;
	default:
		return (uint32_t)('a' + below(3));
	}
}

static int gen_bracket(void)
{
	static const struct {
		const char *name;
		uint32_t range[9];
	} classes[] = {
	    {"[:digit:]", {'0', '9'}},
	    {"[:alpha:]", {'a', 'z', 'A', 'Z'}},
	    {"[:space:]", {9, 13, ' ', ' '}},
	    {"[:upper:]", {'A', 'Z'}},
	    {"[.b.]", {'b', 'b'}},
	    {"[=c=]", {'c', 'c'}},
	};
	int n = new_node(SET), i, k, items = 1 + (int)below(3), hyphen = below(8) == 0;
	struct node *s = &gen.node[n];

	put("[");
	s->negated = below(3) == 0;
	if (s->negated)
		put("^");
	if (below(8) == 0) {
		put("]");
		s->range[s->ranges].lo = s->range[s->ranges].hi = ']';
		s->ranges++;
	}
	for (i = 0; i < items; i++) {
		uint32_t c = some_char(), d;

		if (i > 0 && below(6) == 0) {
			/* A locale has its own members beyond ASCII; musl has no collating elements
			 */
			const unsigned which = !gen.ascii && gen.portable
			                           ? 4 + below(2)
			                           : below(gen.collating ? 6 : 4);

			if (which >= 4 && !gen.collating)
				continue;
			put(classes[which].name);
			for (k = 0; classes[which].range[k]; k += 2) {
				s->range[s->ranges].lo = classes[which].range[k];
				s->range[s->ranges].hi = classes[which].range[k + 1];
				s->ranges++;
			}
			continue;
		}
		if (c == ']' || c == '-')
			c = 'a';
		d = c;
		put_char(c);
		if ((c < 0x80 || !gen.portable)
		    && below(3) == 0) { /* glibc refuses some ranges beyond ASCII */
			d = c + below(3);
			if (d == ']' || d == '[')
				d = c;
			put("-");
			put_char(d);
		}
		s->range[s->ranges].lo = c;
		s->range[s->ranges].hi = d;
		s->ranges++;
	}
	if (hyphen) {
		put("-");
		s->range[s->ranges].lo = s->range[s->ranges].hi = '-';
		s->ranges++;
	}
	put("]");
	return n;
}

static int gen_alternatives(int depth);

static int gen_atom(int depth)
{
	int n;

	switch (below(depth > 0 && gen.nodes < 300 ? 10 : 7)) {
	case 0:
		put(".");
		return new_node(ANY);
	case 1:
	case 2:
		return gen_bracket();
	case 7:
	case 8:
	case 9:
		put("(");
		n = gen_alternatives(depth - 1);
		put(")");
		return n;
	default:
		n = new_node(CHAR);
		gen.node[n].c = some_char();
		if (gen.node[n].c < 0x80 && gen.node[n].c > 0
		    && strchr(".*\\]-", (int)gen.node[n].c)) {
			if (gen.node[n].c == '-' || (gen.node[n].c == ']' && below(2)))
				;
			else
				put("\\");
		}
		put_char(gen.node[n].c);
		return n;
	}
}

static int gen_repeat(int atom, int again)
{
	int n = new_node(REPEAT);
	struct node *r = &gen.node[n];
	unsigned kind;
	char buf[32];

	r->a = atom;
	r->max = -1;
	kind = below(again ? 5 : 6); /* a second '?' would be a modifier */
	if (gen.simple && kind < 5)
		kind %= 2;
	switch (kind) {
	case 0:
		put("*");
		break;
	case 1:
		put("+");
		r->min = 1;
		break;
	case 2:
		r->min = r->max = (int)below(4);
		snprintf(buf, sizeof buf, "{%d}", r->min);
		put(buf);
		break;
	case 3:
		r->min = (int)below(3);
		snprintf(buf, sizeof buf, "{%d,}", r->min);
		put(buf);
		break;
	case 4:
		r->min = (int)below(3);
		r->max = r->min + (int)below(3);
		snprintf(buf, sizeof buf, "{%d,%d}", r->min, r->max);
		put(buf);
		break;
	default:
		put("?");
		r->max = 1;
		break;
	}
	if (!gen.portable && below(8) == 0)
		put("?");
	return n;
}

static int gen_branch(int depth)
{
	int n = new_node(EMPTY), pieces = (int)below(4) + (below(8) != 0), piece, cat;

	while (pieces-- > 0) {
		if (below(12) == 0 && !gen.simple
		    && !(gen.portable && gen.repeated)) { /* glibc matches (a$){2} with "aa" */
			int start = below(2) == 0;

			put(start ? "^" : "$");
			piece = new_node(start ? START : END);
		} else if (below(5) < 3) {
			piece = gen_atom(depth);
		} else {
			gen.repeated++;
			piece = gen_repeat(gen_atom(depth), 0);
			if (!gen.portable && below(8) == 0)
				piece = gen_repeat(piece, 1);
			gen.repeated--;
		}
		cat = new_node(CAT);
		gen.node[cat].a = n;
		gen.node[cat].b = piece;
		n = cat;
	}
	return n;
}

static int gen_alternatives(int depth)
{
	int n = gen_branch(depth), more = below(3) == 0 ? 1 + (int)below(2) : 0, alt;

	while (more-- > 0) {
		put("|");
		alt = new_node(ALT);
		gen.node[alt].a = n;
		n = gen_branch(depth);
		gen.node[alt].b = n;
		n = alt;
	}
	return n;
}

/* The positions (as bits) where a match of the node that begins at a position in `from` may end */
static uint64_t ends(int n, uint64_t from, const uint32_t *text, unsigned len)
{
	const struct node *t = &gen.node[n];
	uint64_t to = 0, all;
	unsigned i;
	int k;

	switch (t->kind) {
	case EMPTY:
		return from;
	case START:
		return from & 1;
	case END:
		return from & (uint64_t)1 << len;
	case CAT:
		return ends(t->b, ends(t->a, from, text, len), text, len);
	case ALT:
		return ends(t->a, from, text, len) | ends(t->b, from, text, len);
	case REPEAT:
		for (k = 0; k < t->min; k++)
			from = ends(t->a, from, text, len);
		for (all = from; t->max < 0 || k < t->max; k++) {
			from = ends(t->a, from, text, len);
			if ((from & ~all) == 0)
				break;
			all |= from;
		}
		return all;
	case CHAR:
	case ANY:
	case SET:
		break;
	}
	for (i = 0; i < len; i++) {
		int in = t->kind == ANY || (t->kind == CHAR && t->c == text[i]);

		if (t->kind == SET) {
			for (k = 0; k < t->ranges; k++)
				in |= text[i] >= t->range[k].lo && text[i] <= t->range[k].hi;
			in ^= t->negated;
		}
		if (in && (from & (uint64_t)1 << i))
			to |= (uint64_t)1 << (i + 1);
	}
	return to;
}

/* Generates a text as characters and as bytes; broken: with invalid UTF-8 */
static unsigned gen_text(uint32_t *text, char *bytes, size_t *bytes_len, int broken)
{
	static const char *const wrong[] = {"\xff", "\x80", "\xc0", "\xbf", "\xf8"};
	unsigned n = 0, max = below(below(4) ? 8 : 30);

	*bytes_len = 0;
	while (n < max) {
		if (broken && below(8) == 0) {
			const char *w = wrong[below(5)];

			bytes[(*bytes_len)++] = w[0];
			text[n++] = BAD;
		} else if (broken && below(16) == 0) {
			unsigned cut = 1 + below(3);

			/* An incomplete character, before one that does not continue it */
			memcpy(bytes + *bytes_len, "\xf0\x9f\x98", cut);
			*bytes_len += cut;
			while (cut-- > 0)
				text[n++] = BAD;
			text[n++] = 'a';
			bytes[(*bytes_len)++] = 'a';
		} else {
			text[n] = some_char();
			*bytes_len += encode(bytes + *bytes_len, text[n]);
			n++;
		}
	}
	return n;
}

static void complain(const char *what, int got, int want, const char *text, size_t len)
{
	size_t i;

	fprintf(stderr, "\t%s: got %d, want %d\n\tpattern: ", what, got, want);
	for (i = 0; i < gen.len; i++)
		fprintf(stderr, (unsigned char)gen.pattern[i] < 0x20 ? "\\x%02x" : "%c",
		        gen.pattern[i]);
	fprintf(stderr, "\n\ttext: ");
	for (i = 0; i < len; i++)
		fprintf(stderr, (unsigned char)text[i] < 0x20 ? "\\x%02x" : "%c", text[i]);
	fprintf(stderr, "\n");
}

static int libc_says(const char *pattern, const char *text)
{
	regex_t re;
	int yes;

	if (regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		return -1;
	yes = regexec(&re, text, 0, NULL, 0) == 0;
	regfree(&re);
	return yes;
}

static void check_generated(unsigned patterns, int portable, int ascii)
{
	unsigned i, k, len, matched = 0;
	uint32_t text[64];
	char bytes[256];
	size_t bytes_len;
	int root, got, want;
	regex_t re;

	gen.ascii = ascii;
	gen.portable = portable;
	/* musl has no collating elements, and is wrong where { } and groups nest, and where anchors
	 * meet what may be empty */
	gen.collating = !portable || libc_says("[[=a=][.b.]]", "b") == 1;
	gen.simple = portable && libc_says("((0b{2,3}a)*ac+){2,4}", "aaabacbbbbaacbcccababa") != 0;
	for (i = 0; i < patterns; i++) {
		struct wsi_match *m;

		gen.nodes = 0;
		gen.len = 0;
		root = gen_alternatives(3);
		gen.pattern[gen.len] = '\0';
		m = compile(gen.pattern, gen.len);
		if (!CHECK(m != NULL))
			continue;
		if (portable && !CHECK(regcomp(&re, gen.pattern, REG_EXTENDED | REG_NOSUB) == 0)) {
			complain("regcomp", 0, 1, "", 0);
			free(m);
			continue;
		}
		for (k = 0; k < 12; k++) {
			len = gen_text(text, bytes, &bytes_len, !portable);
			bytes[bytes_len] = '\0';
			want = (ends(root, ((uint64_t)2 << len) - 1, text, len)) != 0;
			got = run_all(m, bytes, bytes_len);
			matched += want != 0;
			if (!CHECK(got == want))
				complain("the tree", got, want, bytes, bytes_len);
			if (portable) {
				want = regexec(&re, bytes, 0, NULL, 0) == 0;
				if (!CHECK(got == want))
					complain("regexec", got, want, bytes, bytes_len);
			}
		}
		if (portable)
			regfree(&re);
		free(m);
	}
	/* the comparison would prove little if all or none matched */
	CHECK(matched > patterns && matched < patterns * 11);
}

/* ---- every short pattern ---- */

/* A second parser, by recursive descent. It makes the tree of a pattern of a few bytes, which are too
 * few for "[:alpha:]", "[.a.]" and "[=a=]". Its only character beyond ASCII is U+00E9. */
static struct {
	const char *p;
	size_t len, at;
} in;
#define WRONG (-1) /* in place of a node: the pattern is wrong */
#define NO_CHARACTER UINT32_MAX

static int read_alternatives(int depth);

static bool next_is(char c)
{
	return in.at < in.len && in.p[in.at] == c;
}

static uint32_t read_character(void)
{
	unsigned char c = (unsigned char)in.p[in.at++];

	if (c < 0x80)
		return c;
	if (c != 0xc3 || !next_is('\xa9'))
		return NO_CHARACTER;
	in.at++;
	return 0xe9;
}

/* An element of brackets: a character */
static uint32_t read_element(void)
{
	if (next_is('[') && in.at + 1 < in.len && strchr(":.=", in.p[in.at + 1]))
		return NO_CHARACTER;
	return read_character();
}

static int read_bracket(void)
{
	int n = new_node(SET);
	struct node *s = &gen.node[n];
	size_t first, at;

	s->negated = next_is('^');
	first = in.at += (size_t)s->negated;
	while (in.at == first || !next_is(']')) {
		uint32_t lo, hi;

		at = in.at;
		if (at + 1 >= in.len) /* a ] must follow */
			return WRONG;
		lo = hi = read_element();
		if (lo == '-' && at > first && !next_is(']'))
			return WRONG;
		if (next_is('-') && in.at + 1 < in.len && in.p[in.at + 1] != ']') {
			in.at++;
			hi = read_element();
		}
		if (lo == NO_CHARACTER || hi == NO_CHARACTER || lo > hi)
			return WRONG;
		s->range[s->ranges].lo = lo;
		s->range[s->ranges].hi = hi;
		s->ranges++;
	}
	if (in.at >= first + 3 && in.p[first] == ':' && in.p[in.at - 1] == ':')
		return WRONG; /* [:alpha:] in place of [[:alpha:]] */
	in.at++;
	return n;
}

static int read_atom(int depth)
{
	uint32_t c = read_character();
	int n;

	if (c == NO_CHARACTER)
		return WRONG;
	if (c == '[')
		return read_bracket();
	if (c == '.')
		return new_node(ANY);
	if (c == '(') {
		n = read_alternatives(depth + 1);
		if (n == WRONG || !next_is(')'))
			return WRONG;
		in.at++;
		return n;
	}
	if (c == '\\') {
		if (in.at == in.len)
			return WRONG;
		c = read_character();
		if (c >= 0x80 || isalnum((int)c))
			return WRONG;
	}
	n = new_node(CHAR);
	gen.node[n].c = c;
	return n;
}

/* -1: there is none */
static int read_number(void)
{
	int v = -1;

	for (; in.at < in.len && isdigit((unsigned char)in.p[in.at]); in.at++)
		v = (v < 0 ? 0 : v * 10) + (in.p[in.at] - '0');
	return v;
}

static int read_repeat(int atom)
{
	char c = in.p[in.at++];
	int n = new_node(REPEAT);
	struct node *r = &gen.node[n];

	r->a = atom;
	r->min = c == '+';
	r->max = c == '?' ? 1 : -1;
	if (c != '{')
		return n;
	r->min = r->max = read_number();
	if (next_is(',')) {
		in.at++;
		r->max = read_number();
	}
	if (r->min < 0 || !next_is('}') || r->min > 255 || r->max > 255)
		return WRONG;
	in.at++;
	return r->max >= 0 && r->min > r->max ? WRONG : n;
}

static int read_branch(int depth)
{
	int n = new_node(EMPTY), piece = WRONG, cat;
	bool repeated = false;

	while (in.at < in.len && !next_is('|') && !(depth > 0 && next_is(')'))) {
		if (strchr("*+?{", in.p[in.at])) {
			if (piece == WRONG)
				return WRONG; /* nothing to repeat */
			if (next_is('?') && repeated) {
				in.at++; /* the shortest match */
				continue;
			}
			piece = gen.node[n].b = read_repeat(piece);
			repeated = true;
		} else if (next_is('^') || next_is('$')) {
			cat = new_node(CAT);
			gen.node[cat].a = n;
			gen.node[cat].b = new_node(next_is('^') ? START : END);
			n = cat;
			in.at++;
			piece = WRONG;
			continue;
		} else {
			cat = new_node(CAT);
			gen.node[cat].a = n;
			piece = gen.node[cat].b = read_atom(depth);
			n = cat;
			repeated = false;
		}
		if (piece == WRONG)
			return WRONG;
	}
	return n;
}

static int read_alternatives(int depth)
{
	int n = read_branch(depth), left = n;

	while (left != WRONG && n != WRONG && next_is('|')) {
		in.at++;
		left = n;
		n = new_node(ALT);
		gen.node[n].a = left;
		left = gen.node[n].b = read_branch(depth);
	}
	return left == WRONG ? WRONG : n;
}

static int read_pattern(const char *pattern, size_t len)
{
	gen.nodes = 0;
	in.p = pattern;
	in.len = len;
	in.at = 0;
	return read_alternatives(0);
}

/* The pattern ends at a page that must not be touched; a sanitizer sees what is beyond the states. */
static void check_short_pattern(const char *bytes, size_t len)
{
	static const struct {
		const char *bytes;
		uint32_t text[4];
		unsigned len;
	} texts[] = {
	    {"", {0}, 0},
	    {"a", {'a'}, 1},
	    {"b", {'b'}, 1},
	    {"aa", {'a', 'a'}, 2},
	    {"ba", {'b', 'a'}, 2},
	    {"aba", {'a', 'b', 'a'}, 3},
	    {"\xc3\xa9", {0xe9}, 1},
	    {"a)-", {'a', ')', '-'}, 3},
	};
	const char *pattern = guard_after(bytes, len), *why = NULL;
	int root = read_pattern(pattern, len), got, want;
	size_t where = len + 1, size = wsi_match_size(pattern, len, &why, &where), i;
	struct wsi_match *m;

	gen.len = len; /* for complain() */
	memcpy(gen.pattern, bytes, len);
	if (!CHECK((size > 0) == (root != WRONG)))
		complain("accepted", size > 0, root != WRONG, "", 0);
	CHECK(size > 0 || (why && where <= len));
	if (size == 0 || root == WRONG)
		return;
	m = compile(pattern, len);
	for (i = 0; i < sizeof texts / sizeof *texts; i++) {
		want =
		    ends(root, ((uint64_t)2 << texts[i].len) - 1, texts[i].text, texts[i].len) != 0;
		got = run(m, texts[i].bytes, strlen(texts[i].bytes), i % 2);
		if (!CHECK(got == want))
			complain("the tree", got, want, texts[i].bytes, strlen(texts[i].bytes));
	}
	free(m);
}

/* Every pattern of some bytes up to a length */
static void test_short_patterns(void)
{
	every_string("ab()|*+?{},012[]^-:.=$\\\xc3\xa9", 4, check_short_pattern);
	every_string("ab()|*^$", 6, check_short_pattern);
	every_string("ab[]^-\\:", 6, check_short_pattern);
	every_string("a(){},12", 6, check_short_pattern);
}

/* 1 MiB that a backtracking matcher, or one that starts anew at each byte, does not finish before
 * the alarm */
static void test_linear(void)
{
	static const char *const patterns[] = {
	    "a+b",        "(a|a)*b",           "(a*)*b",          "((a*)*)*b", "(a|aa)+b",
	    "a.{0,200}z", "(.*)(.*)(.*)(.*)b", "^(a?){50}a{50}b", "(a+$|b)c",
	};
	size_t len = ((size_t)1 << 20) / (size_t)check_step(16), i;
	char *text = malloc(len);

	if (!text)
		abort();
	memset(text, 'a', len);
	for (i = 0; i < sizeof patterns / sizeof *patterns; i++) {
		struct wsi_match *m = compile(patterns[i], strlen(patterns[i]));

		check_row("%s", patterns[i]);
		CHECK(m && run(m, text, len, i % 2 ? 4096 : 0) == 0);
		free(m);
	}
	check_row_end();
	free(text);
}

static void test_generated(void)
{
	check_generated(3000U / (unsigned)check_step(5), 0, 0);
}

/* Compares with regexec, too, with characters beyond ASCII if libc has a locale for them */
static void test_generated_portable(void)
{
	int ascii =
	    (!setlocale(LC_CTYPE, "C.UTF-8") && !setlocale(LC_CTYPE, "C.utf8")) || MB_CUR_MAX < 2;

	check_generated(3000U / (unsigned)check_step(5), 1, ascii);
}

static void test_generated_ascii(void)
{
	check_generated(1000U / (unsigned)check_step(5), 1, 1);
}

int main(void)
{
	alarm(300); /* generous: a matcher that is not linear takes hours */
	TEST(test_vectors);
	TEST(test_classes);
	TEST(test_wrongs);
	TEST(test_limits);
	TEST(test_early);
	TEST(test_restart);
	TEST(test_copy);
	TEST(test_rounds);
	TEST(test_linear);
	TEST(test_generated);
	TEST(test_generated_portable);
	TEST(test_generated_ascii);
	TEST(test_short_patterns);
	return check_done();
}
