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
	MATCH_BEGIN  /* where the program begins */
};
#define MATCH_WORD(op, arg) ((uint32_t)(op) << 24 | (uint32_t)(arg))
#define MATCH_OP(word) ((word) >> 24)
#define MATCH_ARG(word) ((word)&0xffffff)

struct match_state {
	uint32_t word;
	/* The state behind it, set by match.c. */
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

/* A pattern being parsed. code and sets are NULL in the first reading, which only counts. */
struct wsi_pattern {
	const char *p;
	size_t len, at; /* at: the next byte to read */
	struct match_state *code;
	uint32_t *sets;
	size_t n, n_max; /* states now, and at most on the way */
	size_t sets_n;   /* words of all sets */
	const char *why; /* what is wrong */
	size_t where;    /* the byte at which the current part begins */
};
/* p and len, and for the second reading code and sets, are set by the caller; the rest is 0.
 * Returns 0, or -1: see .why and .where. The argument of each FORK and JUMP is a distance. */
WSI int wsi_pattern_parse(struct wsi_pattern *b);

#endif
