/* SPDX-License-Identifier: ISC
 * pattern.h - internal: the program of states that pattern.c makes of a pattern and match.c runs
 */
#ifndef WSQUERY_PATTERN_H
#define WSQUERY_PATTERN_H
#include "cli/match.h"

/* A state is one word: the operation in the highest byte, its argument in the other three. */
enum match_op {
	MATCH_CHAR,  /* takes this character; 0, so that the word is the character */
	MATCH_ANY,   /* takes any character */
	MATCH_SET,   /* takes a character of the set at this place in the sets */
	MATCH_FORK,  /* goes on at the next state and at another one */
	MATCH_JUMP,  /* goes on at another state */
	MATCH_START, /* goes on at the text's start */
	MATCH_END,   /* goes on at the text's end */
	MATCH_YES,   /* the text matches */
	MATCH_BEGIN, /* where the program begins */

	/* Only in the programs of capture.c. The lowest byte of the argument is a number, the next one
	 * the last number within it. */
	MATCH_PART_END,    /* a part of the pattern ends */
	MATCH_GROUP_BEGIN, /* a group that is captured begins */
	MATCH_GROUP_END    /* and ends */
};
#define MATCH_WORD(op, arg) ((uint32_t)(op) << 24 | (uint32_t)(arg))
#define MATCH_OP(word) ((word) >> 24)
#define MATCH_ARG(word) ((word)&0xffffff)

struct match_state {
	uint32_t word;
	/* The state after it, set by match.c. */
	uint16_t next;
	/* The number of the list of match.c that it was put into last. */
	uint16_t round;
};

/* The words of a bracket's set: a header, then the first and last character of each range. */
enum match_set {
	MATCH_SET_LAST,    /* the character that was looked up last */
	MATCH_SET_ANSWER,  /* 1: it is in the set */
	MATCH_SET_END,     /* words of the set */
	MATCH_SET_NEGATED, /* 1: the set has what is in none of the ranges */
	MATCH_SET_RANGES   /* where they begin */
};

/* Groups that can be captured: ${1} to ${9} */
#define PATTERN_GROUPS_MAX 9

/* What a pattern needs so that its groups can be captured. The whole pattern, its alternatives,
 * groups and repetitions are its parts. They have numbers in the order in which they begin, so a
 * part's number is less than those of the parts within it. */
struct pattern_capture {
	unsigned parts;
	unsigned groups; /* all, also those that are not captured */
};

/* A pattern being parsed. code and sets are NULL in the first reading, which only counts. */
struct wsi_pattern {
	const char *p;
	size_t len, at; /* at: the next byte to read */
	struct match_state *code;
	uint32_t *sets;
	size_t n, n_max;                 /* states now, and the most so far */
	size_t sets_n;                   /* words of all sets */
	const char *why;                 /* what is wrong */
	size_t where;                    /* the byte at which the current part begins */
	struct pattern_capture *capture; /* NULL: no groups are captured */
};
/* p, len and capture, and for the second reading code and sets, are set by the caller; the rest is
 * 0. Returns 0, or -1: see .why and .where. The argument of each FORK and JUMP is a distance. */
WSI int wsi_pattern_parse(struct wsi_pattern *b);

/* True if the set has the character. All copies of a bracket share one set, which remembers its last
 * answer: so a character is looked up once, however many repetitions are live. */
static inline bool wsi_pattern_has(uint32_t *set, uint32_t c)
{
	bool in = set[MATCH_SET_NEGATED];
	uint32_t i;

	if (set[MATCH_SET_LAST] == c)
		return set[MATCH_SET_ANSWER];
	for (i = MATCH_SET_RANGES; i < set[MATCH_SET_END]; i += 2) {
		if (c >= set[i] && c <= set[i + 1]) {
			in = !in;
			break;
		}
	}
	set[MATCH_SET_LAST] = c;
	set[MATCH_SET_ANSWER] = in;
	return in;
}

#endif
