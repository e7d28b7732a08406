/* SPDX-License-Identifier: ISC
 * utf8_grammar.h - the grammar of RFC 3629 section 4 as a machine that takes a byte at a time, for the
 * contracts of WP and for CBMC
 *
 * A place in the text says which bytes may follow there. Places have the numbers of enum utf8_state.
 */
#define BAD 0      /* there was a wrong byte */
#define BETWEEN 6  /* between two characters */
#define NEEDS_1 12 /* one more UTF8-tail */
#define NEEDS_2 18
#define NEEDS_3 24
#define AFTER_E0 30 /* %xE0 %xA0-BF UTF8-tail */
#define AFTER_ED 36 /* %xED %x80-9F UTF8-tail */
#define AFTER_F0 42 /* %xF0 %x90-BF 2( UTF8-tail ) */
#define AFTER_F4 48 /* %xF4 %x80-8F 2( UTF8-tail ) */

#define IN(c, first, last) ((first) <= (c) && (c) <= (last))
#define TAIL(c) IN(c, 0x80, 0xbf)

/* Where a character begins */
#define NEXT_FIRST(c)                                                                              \
	(IN(c, 0x00, 0x7f)   ? BETWEEN                                                             \
	 : IN(c, 0xc2, 0xdf) ? NEEDS_1                                                             \
	 : (c) == 0xe0       ? AFTER_E0                                                            \
	 : IN(c, 0xe1, 0xec) ? NEEDS_2                                                             \
	 : (c) == 0xed       ? AFTER_ED                                                            \
	 : IN(c, 0xee, 0xef) ? NEEDS_2                                                             \
	 : (c) == 0xf0       ? AFTER_F0                                                            \
	 : IN(c, 0xf1, 0xf3) ? NEEDS_3                                                             \
	 : (c) == 0xf4       ? AFTER_F4                                                            \
	                     : BAD)

/* Within a character */
#define NEXT_LATER(place, c)                                                                       \
	((place) == NEEDS_1 && TAIL(c)              ? BETWEEN                                      \
	 : (place) == NEEDS_2 && TAIL(c)            ? NEEDS_1                                      \
	 : (place) == NEEDS_3 && TAIL(c)            ? NEEDS_2                                      \
	 : (place) == AFTER_E0 && IN(c, 0xa0, 0xbf) ? NEEDS_1                                      \
	 : (place) == AFTER_ED && IN(c, 0x80, 0x9f) ? NEEDS_1                                      \
	 : (place) == AFTER_F0 && IN(c, 0x90, 0xbf) ? NEEDS_2                                      \
	 : (place) == AFTER_F4 && IN(c, 0x80, 0x8f) ? NEEDS_2                                      \
	                                            : BAD)

/* The place after the byte c */
#define NEXT(place, c) ((place) == BETWEEN ? NEXT_FIRST(c) : NEXT_LATER(place, c))

/* The place that the careful state of utf8.c means, with `lacks` and `bits` */
#define PLACE(lacks, bits)                                                                         \
	((lacks) == 0                    ? BETWEEN                                                 \
	 : (lacks) == 1                  ? NEEDS_1                                                 \
	 : (lacks) == 2 && (bits) == 0   ? AFTER_E0                                                \
	 : (lacks) == 2 && (bits) == 0xd ? AFTER_ED                                                \
	 : (lacks) == 2                  ? NEEDS_2                                                 \
	 : (lacks) == 3 && (bits) == 0   ? AFTER_F0                                                \
	 : (lacks) == 3 && (bits) == 4   ? AFTER_F4                                                \
	 : (lacks) == 3                  ? NEEDS_3                                                 \
	                                 : BAD)
