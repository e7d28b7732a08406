/* SPDX-License-Identifier: ISC
 * utf8.c - checks UTF-8 (RFC 3629), stopping and going on at any byte, and decodes single
 * characters
 *
 * There are two ways through a text. The careful one takes a byte at a time and stops at the first
 * wrong one. Its state between two bytes is the bits of the character so far, plus UTF8_LACKS for
 * each byte that it still lacks. The fast one skips whole characters that are right, eight bytes at
 * a time, and leaves the rest to the careful one: the text's last bytes, and those that hold a wrong
 * byte.
 */
#include "ws_pure.h"
#include <string.h>

#define UTF8_WRONG 0xffffffff
#define UTF8_LACKS 0x1000000u

/* The first byte of a character. 0xc0 and 0xc1 would begin overlong forms, 0xf5 and above
 * characters over U+10FFFF. */
static uint32_t utf8_take_first(unsigned char c)
{
	if (c < 0x80)
		return c;
	if (c < 0xc2 || c > 0xf4)
		return UTF8_WRONG;
	if (c < 0xe0)
		return UTF8_LACKS + c % 32;
	if (c < 0xf0)
		return 2 * UTF8_LACKS + c % 16;
	return 3 * UTF8_LACKS + c % 8;
}

/* Takes the byte c and returns the next state. RFC 3629 section 4: the second byte shows whether a
 * form is overlong, a surrogate, or over U+10FFFF. */
static uint32_t utf8_take(uint32_t state, unsigned char c)
{
	uint32_t lacks = state / UTF8_LACKS, bits;

	if (lacks == 0)
		return utf8_take_first(c);
	if (c / 64 != 2)
		return UTF8_WRONG;
	bits = state % UTF8_LACKS * 64 + c % 64;
	if (lacks == 2 && (bits < 0x20 || bits / 32 == 0xd800 / 2048))
		return UTF8_WRONG;
	if (lacks == 3 && (bits < 0x10 || bits > 0x10f))
		return UTF8_WRONG;
	return (lacks - 1) * UTF8_LACKS + bits;
}

/* The fast way, for long texts: a state machine that takes every byte with two loads and a shift.
 * It has no branch that depends on the text, because a branch that the processor guesses wrong costs
 * as much as twenty bytes. It knows that there is a wrong byte, but not where.
 *
 * The number of a state is also the place of its field in a row of utf8_next, in bits. */
enum utf8_state {
	UTF8_BAD = 0,      /* there was a wrong byte */
	UTF8_BETWEEN = 6,  /* between two characters */
	UTF8_NEEDS_1 = 12, /* one more byte to come */
	UTF8_NEEDS_2 = 18,
	UTF8_NEEDS_3 = 24,
	UTF8_AFTER_E0 = 30, /* below A0, the second byte makes an overlong form */
	UTF8_AFTER_ED = 36, /* from A0 on, a surrogate */
	UTF8_AFTER_F0 = 42, /* below 90, an overlong form */
	UTF8_AFTER_F4 = 48  /* from 90 on, a character over U+10FFFF */
};
#define UTF8_FIELD 64 /* what a field of 6 bits can hold */

/* What a byte can be (RFC 3629 section 4) */
enum utf8_class {
	UTF8_ASCII,   /* 00-7F */
	UTF8_80,      /* 80-8F, a later byte as the next two */
	UTF8_90,      /* 90-9F */
	UTF8_A0,      /* A0-BF */
	UTF8_NEVER,   /* C0, C1, F5-FF */
	UTF8_FIRST_2, /* C2-DF, the first byte of two */
	UTF8_E0,
	UTF8_FIRST_3, /* E1-EC, EE, EF */
	UTF8_ED,
	UTF8_F0,
	UTF8_FIRST_4, /* F1-F3 */
	UTF8_F4
};

#define UTF8_4(class) class, class, class, class
#define UTF8_16(class) UTF8_4(class), UTF8_4(class), UTF8_4(class), UTF8_4(class)

/* clang-format off */
static const unsigned char utf8_class[256] = {
	/* 00 */ UTF8_16(UTF8_ASCII), UTF8_16(UTF8_ASCII), UTF8_16(UTF8_ASCII), UTF8_16(UTF8_ASCII),
	/* 40 */ UTF8_16(UTF8_ASCII), UTF8_16(UTF8_ASCII), UTF8_16(UTF8_ASCII), UTF8_16(UTF8_ASCII),
	/* 80 */ UTF8_16(UTF8_80), UTF8_16(UTF8_90), UTF8_16(UTF8_A0), UTF8_16(UTF8_A0),
	/* C0 */ UTF8_NEVER, UTF8_NEVER, UTF8_FIRST_2, UTF8_FIRST_2,
	/* C4 */ UTF8_4(UTF8_FIRST_2), UTF8_4(UTF8_FIRST_2), UTF8_4(UTF8_FIRST_2),
	/* D0 */ UTF8_16(UTF8_FIRST_2),
	/* E0 */ UTF8_E0, UTF8_FIRST_3, UTF8_FIRST_3, UTF8_FIRST_3,
	/* E4 */ UTF8_4(UTF8_FIRST_3), UTF8_4(UTF8_FIRST_3),
	/* EC */ UTF8_FIRST_3, UTF8_ED, UTF8_FIRST_3, UTF8_FIRST_3,
	/* F0 */ UTF8_F0, UTF8_FIRST_4, UTF8_FIRST_4, UTF8_FIRST_4,
	/* F4 */ UTF8_F4, UTF8_NEVER, UTF8_NEVER, UTF8_NEVER,
	/* F8 */ UTF8_4(UTF8_NEVER), UTF8_4(UTF8_NEVER),
};
/* clang-format on */

/* For each class of bytes, the state that follows each state. What is not here is UTF8_BAD. */
#define UTF8_TO(from, to) ((uint64_t)(to) << (from))
#define UTF8_LATER                                                                                 \
	(UTF8_TO(UTF8_NEEDS_1, UTF8_BETWEEN) | UTF8_TO(UTF8_NEEDS_2, UTF8_NEEDS_1)                 \
	 | UTF8_TO(UTF8_NEEDS_3, UTF8_NEEDS_2))

static const uint64_t utf8_next[] = {
    [UTF8_ASCII] = UTF8_TO(UTF8_BETWEEN, UTF8_BETWEEN),
    [UTF8_80] =
        UTF8_LATER | UTF8_TO(UTF8_AFTER_ED, UTF8_NEEDS_1) | UTF8_TO(UTF8_AFTER_F4, UTF8_NEEDS_2),
    [UTF8_90] =
        UTF8_LATER | UTF8_TO(UTF8_AFTER_ED, UTF8_NEEDS_1) | UTF8_TO(UTF8_AFTER_F0, UTF8_NEEDS_2),
    [UTF8_A0] =
        UTF8_LATER | UTF8_TO(UTF8_AFTER_E0, UTF8_NEEDS_1) | UTF8_TO(UTF8_AFTER_F0, UTF8_NEEDS_2),
    [UTF8_NEVER] = 0,
    [UTF8_FIRST_2] = UTF8_TO(UTF8_BETWEEN, UTF8_NEEDS_1),
    [UTF8_E0] = UTF8_TO(UTF8_BETWEEN, UTF8_AFTER_E0),
    [UTF8_FIRST_3] = UTF8_TO(UTF8_BETWEEN, UTF8_NEEDS_2),
    [UTF8_ED] = UTF8_TO(UTF8_BETWEEN, UTF8_AFTER_ED),
    [UTF8_F0] = UTF8_TO(UTF8_BETWEEN, UTF8_AFTER_F0),
    [UTF8_FIRST_4] = UTF8_TO(UTF8_BETWEEN, UTF8_NEEDS_3),
    [UTF8_F4] = UTF8_TO(UTF8_BETWEEN, UTF8_AFTER_F4),
};

#define UTF8_BLOCK 8 /* bytes between two looks at the state */

static uint64_t utf8_step(uint64_t state, unsigned char c)
{
	return utf8_next[utf8_class[c]] >> state % UTF8_FIELD;
}

/* The state after a block that begins in the given one. */
static unsigned utf8_run(unsigned state, const unsigned char *s)
{
	uint64_t now = state;
	size_t k;

	/*@ loop invariant k % 4 == 0 && k <= UTF8_BLOCK;
	    loop invariant now % 64 == after(state, s, k) && is_place(now % 64);
	    loop assigns k, now;
	    loop variant UTF8_BLOCK - k; */
	for (k = 0; k < UTF8_BLOCK; k += 4) {
		now = utf8_step(now, s[k]);
		now = utf8_step(now, s[k + 1]);
		now = utf8_step(now, s[k + 2]);
		now = utf8_step(now, s[k + 3]);
	}
	return now % UTF8_FIELD;
}

/* Only the top bits of the eight bytes at s: 0 if all of them are ASCII. */
static uint64_t utf8_top_bits(const unsigned char *s)
{
	uint64_t word;

	memcpy(&word, s, 8);
	return word & 0x8080808080808080;
}

/* Skips ASCII, 16 bytes at a time. */
static size_t utf8_skip_ascii(const unsigned char *s, size_t i, size_t len)
{
	/*@ loop invariant \at(i, Pre) <= i <= len;
	    loop invariant is_ascii(s, \at(i, Pre), i);
	    loop invariant \forall integer begin; after(begin, s, \at(i, Pre)) == BETWEEN ==>
	        after(begin, s, i) == BETWEEN;
	    loop assigns i;
	    loop variant len - i; */
	while (i + 16 <= len && (utf8_top_bits(s + i) | utf8_top_bits(s + i + 8)) == 0)
		i += 16;
	return i;
}

/* From i, which lies between two characters, skips whole characters that are right. */
static size_t utf8_skip(const unsigned char *s, size_t i, size_t len)
{
	unsigned state = UTF8_BETWEEN, after;
	size_t from = i;

	/*@ loop invariant from <= i <= len && is_place(state) && state < UTF8_FIELD;
	    loop invariant \forall integer begin; after(begin, s, from) == BETWEEN ==>
	        after(begin, s, i) == state && state != BAD;
	    loop assigns i, state, after;
	    loop variant len - i; */
	for (;;) {
		if (state == UTF8_BETWEEN)
			i = utf8_skip_ascii(s, i, len);
		if (i + UTF8_BLOCK > len)
			break;
		after = utf8_run(state, s + i);
		/*@ assert block: \forall integer begin;
		        after(begin, s, i) == state ==> after(begin, s, i + 8) == after; */
		if (after == UTF8_BAD)
			break;
		state = after;
		i += UTF8_BLOCK;
	}
	/*@ loop invariant from <= i <= len;
	    loop invariant \forall integer begin; after(begin, s, from) == BETWEEN ==>
	        after(begin, s, i) != BAD && (after(begin, s, i) == BETWEEN <==> state == BETWEEN);
	    loop assigns i;
	    loop variant i; */
	while (state != UTF8_BETWEEN && i > from) { /* back to where this character begins */
		i--;
		if (s[i] / 64 != 2)
			break;
	}
	return i;
}

bool wsi_is_ascii(const void *p, size_t len)
{
	const unsigned char *s = p;
	size_t i = utf8_skip_ascii(s, 0, len);

	if (i + 8 <= len && utf8_top_bits(s + i) == 0)
		i += 8;
	/*@ loop invariant i <= len;
	    loop invariant is_ascii(s, 0, i);
	    loop assigns i;
	    loop variant len - i; */
	while (i < len && s[i] < 0x80)
		i++;
	return i == len;
}

size_t wsi_utf8_check(uint32_t *state, const void *p, size_t len)
{
	const unsigned char *s = p;
	uint32_t now = *state;
	size_t i = 0;

	/*@ loop invariant i <= len && is_state(now);
	    loop invariant after(place(\at(*state, Pre)), s, i) == place(now);
	    loop assigns i, now;
	    loop variant len - i; */
	for (;;) {
		if (now < UTF8_LACKS) { /* between two characters */
			now = 0;
			i = utf8_skip(s, i, len);
		}
		if (i >= len)
			break;
		now = utf8_take(now, s[i]);
		if (now == UTF8_WRONG)
			break;
		i++;
	}
	*state = now;
	return i;
}

int wsi_utf8_decode(uint32_t *cp, const void *p, size_t len)
{
	const unsigned char *s = p;
	size_t i;

	*cp = 0;
	/*@ loop invariant i <= 3 && i <= len && is_state(*cp);
	    loop invariant after(BETWEEN, s, i) == place(*cp);
	    loop invariant i == 0 ==> *cp == 0;
	    loop invariant i > 0 ==> 0 < lacks(*cp) == length(s[0]) - i && bits(*cp) == bits_of(s, i);
	    loop invariant \forall integer n; 0 < n <= i ==> !is_char(s, n);
	    loop assigns i, *cp;
	    loop variant len - i; */
	for (i = 0; i < len; i++) {
		*cp = utf8_take(*cp, s[i]);
		if (*cp == UTF8_WRONG)
			return -1;
		if (*cp < UTF8_LACKS)
			return (int)i + 1;
	}
	return 0;
}
