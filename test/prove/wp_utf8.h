/* SPDX-License-Identifier: ISC
 * wp_utf8.h - for Frama-C's WP: what the functions of utf8.c compute, by RFC 3629 section 4
 *
 * WP takes two contracts for granted: those of utf8_step and utf8_top_bits, which CBMC proves for
 * all their inputs (check_utf8_parts).
 *
 * There are several proofs, since lemmas that one needs distract the provers in another: of the lemmas
 * about the grammar (WP_LEMMAS), of the block that goes on from where the text before it has led
 * (WP_BLOCK), of the functions that know the grammar (WP_GRAMMAR), and of the loops, which hold for any
 * grammar for which the lemmas hold: those that skip (WP_SKIP), and that of wsi_utf8_check.
 */
#include "test/prove/utf8_grammar.h"
#include "ws_pure.h"

/*@
// Bytes of s are ASCII.
predicate is_ascii(unsigned char *s, integer from, integer to) =
    \forall integer k; from <= k < to ==> s[k] < 0x80;
predicate eight_ascii(unsigned char *s) =
    s[0] < 0x80 && s[1] < 0x80 && s[2] < 0x80 && s[3] < 0x80
    && s[4] < 0x80 && s[5] < 0x80 && s[6] < 0x80 && s[7] < 0x80;

// The state of the careful way: the bits of the character so far, and how many bytes it lacks
logic integer lacks(integer state) = state / 0x1000000;
logic integer bits(integer state) = state % 0x1000000;
predicate is_state(integer state) =
    0 <= bits(state) && (lacks(state) == 0 || (lacks(state) == 1 && bits(state) <= 0x43ff)
    || (lacks(state) == 2 && bits(state) <= 0x10f) || (lacks(state) == 3 && bits(state) <= 4));
#if defined WP_GRAMMAR || defined WP_LEMMAS
predicate is_place(integer place) = 0 <= place <= 48 && place % 6 == 0;
logic integer next(integer place, integer c) = NEXT(place, c);
logic integer place(integer state) = PLACE(lacks(state), bits(state));
#else // the loops hold for any grammar
axiomatic Any {
    predicate is_place(integer place);
    logic integer next(integer place, integer c);
    logic integer place(integer state);
}
#endif

// The place after the first n bytes of s, which begin at the given place
axiomatic After {
    logic integer after(integer place, unsigned char *s, integer n) reads s[0 .. n - 1];
    axiom none: \forall integer place, unsigned char *s; after(place, s, 0) == place;
    axiom one_more: \forall integer place, unsigned char *s, integer n;
        n >= 0 ==> after(place, s, n + 1) == next(after(place, s, n), s[n]);
}

#if !defined WP_GRAMMAR && !defined WP_BLOCK
lemma ascii_there: \forall unsigned char *s, integer i; eight_ascii(s + i) ==> is_ascii(s, i, i + 8);
lemma whole: \forall integer state; is_state(state) ==>
    place(state) != BAD && (place(state) == BETWEEN <==> lacks(state) == 0);
#endif

#if defined WP_SKIP || defined WP_LEMMAS
lemma between: is_place(BETWEEN) && \forall integer c; 0 <= c < 0x80 ==> next(BETWEEN, c) == BETWEEN;
// A byte that leads into a character begins it, or else is a later byte of it.
lemma back: \forall integer place, c; 0 <= c < 256 && next(place, c) != BAD && next(place, c) != BETWEEN ==>
    place != BAD && (place == BETWEEN <==> c / 64 != 2);

// ASCII leads from one character to the next. Each lemma uses the one before it.
#ifdef WP_LEMMAS
lemma two_ascii: \forall integer place, unsigned char *s, integer i; i >= 0 && is_ascii(s, i, i + 2) ==>
    after(place, s, i) == BETWEEN ==> after(place, s, i + 2) == BETWEEN;
lemma four_ascii: \forall integer place, unsigned char *s, integer i; i >= 0 && is_ascii(s, i, i + 4) ==>
    after(place, s, i) == BETWEEN ==> after(place, s, i + 4) == BETWEEN;
lemma up_to_eight_ascii: \forall integer place, unsigned char *s, integer i; i >= 0 && is_ascii(s, i, i + 8) ==>
    after(place, s, i) == BETWEEN ==> after(place, s, i + 8) == BETWEEN;
#endif
lemma sixteen_ascii: \forall integer place, unsigned char *s, integer i;
    i >= 0 && eight_ascii(s + i) && eight_ascii(s + (i + 8)) ==>
    after(place, s, i) == BETWEEN ==> after(place, s, i + 16) == BETWEEN;
#endif

#ifdef WP_BLOCK
// After the first i bytes of s, the next k lead where they lead if s + i begins at the place reached.
predicate goes_on(integer place, unsigned char *s, integer i, integer k) =
    after(after(place, s, i), s + i, k) == after(place, s, i + k);
lemma goes_on_none: \forall integer place, unsigned char *s, integer i; i >= 0 ==> goes_on(place, s, i, 0);
lemma goes_on_more: \forall integer place, unsigned char *s, integer i, k; i >= 0 && k >= 0 ==>
    goes_on(place, s, i, k) ==> goes_on(place, s, i, k + 1);
lemma goes_on_since: \forall integer place, unsigned char *s, integer i, k; i >= 0 && k > 0 ==>
    goes_on(place, s, i, k - 1) ==> goes_on(place, s, i, k);
lemma goes_on_eight: \forall integer place, unsigned char *s, integer i; i >= 0 ==> goes_on(place, s, i, 8);
lemma block: \forall integer place, begin, unsigned char *s, integer i; i >= 0 ==>
    after(begin, s, i) == place ==> after(begin, s, i + 8) == after(place, s + i, 8);
#endif

// What a first byte says: the length of its character, and the bits that it has of it
logic integer length(integer c) = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
logic integer first_bits(integer c) = c < 0x80 ? c : c < 0xe0 ? c % 32 : c < 0xf0 ? c % 16 : c % 8;

// The UTF8-char of n bytes
predicate is_char(unsigned char *s, integer n) =
    (n == 1 && s[0] <= 0x7f)
    || (n == 2 && IN(s[0], 0xc2, 0xdf) && TAIL(s[1]))
    || (n == 3 && TAIL(s[2])
        && ((s[0] == 0xe0 && IN(s[1], 0xa0, 0xbf)) || (IN(s[0], 0xe1, 0xec) && TAIL(s[1]))
            || (s[0] == 0xed && IN(s[1], 0x80, 0x9f)) || (IN(s[0], 0xee, 0xef) && TAIL(s[1]))))
    || (n == 4 && TAIL(s[2]) && TAIL(s[3])
        && ((s[0] == 0xf0 && IN(s[1], 0x90, 0xbf)) || (IN(s[0], 0xf1, 0xf3) && TAIL(s[1]))
            || (s[0] == 0xf4 && IN(s[1], 0x80, 0x8f))));

// The bits of the first n bytes of a character, together
logic integer bits_of(unsigned char *s, integer n) =
    n == 1 ? first_bits(s[0]) :
    n == 2 ? first_bits(s[0]) * 64 + s[1] % 64 :
    n == 3 ? (first_bits(s[0]) * 64 + s[1] % 64) * 64 + s[2] % 64 :
    ((first_bits(s[0]) * 64 + s[1] % 64) * 64 + s[2] % 64) * 64 + s[3] % 64;
*/

/*@ assigns \nothing;
    ensures \result == 0xffffffff <==> next(BETWEEN, c) == BAD;
    ensures \result != 0xffffffff ==> is_state(\result) && place(\result) == next(BETWEEN, c);
    ensures \result != 0xffffffff ==>
        lacks(\result) == length(c) - 1 && bits(\result) == first_bits(c); */
static uint32_t utf8_take_first(unsigned char c);

/*@ requires is_state(state);
    assigns \nothing;
    ensures \result == 0xffffffff <==> next(place(state), c) == BAD;
    ensures \result != 0xffffffff ==> is_state(\result) && place(\result) == next(place(state), c);
    ensures \result != 0xffffffff && lacks(state) == 0 ==>
        lacks(\result) == length(c) - 1 && bits(\result) == first_bits(c);
    ensures \result != 0xffffffff && lacks(state) > 0 ==>
        lacks(\result) == lacks(state) - 1 && bits(\result) == bits(state) * 64 + c % 64; */
static uint32_t utf8_take(uint32_t state, unsigned char c);

/*@ requires is_place(state % 64);
    assigns \nothing;
    ensures \result % 64 == next(state % 64, c) && is_place(\result % 64); */
static uint64_t utf8_step(uint64_t state, unsigned char c);

/*@ requires \valid_read(s + (0 .. 7));
    assigns \nothing;
    ensures \result == 0 <==> eight_ascii(s); */
static uint64_t utf8_top_bits(const unsigned char *s);

/*@ requires \valid_read(s + (0 .. 7));
    requires is_place(state) && state < 64;
    assigns \nothing;
    ensures \result == after(state, s, 8) && is_place(\result) && \result < 64; */
static unsigned utf8_run(unsigned state, const unsigned char *s);

/*@ requires i <= len <= 0x7fffffffffffffff;
    requires \valid_read(s + (0 .. len - 1));
    assigns \nothing;
    ensures i <= \result <= len;
    ensures is_ascii(s, i, \result);
    ensures \forall integer begin; after(begin, s, i) == BETWEEN ==> after(begin, s, \result) == BETWEEN; */
static size_t utf8_skip_ascii(const unsigned char *s, size_t i, size_t len);

// Wherever s begins: what was between two characters is so again.
/*@ requires i <= len <= 0x7fffffffffffffff;
    requires \valid_read(s + (0 .. len - 1));
    assigns \nothing;
    ensures i <= \result <= len;
    ensures \forall integer begin; after(begin, s, i) == BETWEEN ==> after(begin, s, \result) == BETWEEN; */
static size_t utf8_skip(const unsigned char *s, size_t i, size_t len);

/*@ requires len <= 0x7fffffffffffffff;
    requires \valid_read((unsigned char *)p + (0 .. len - 1));
    assigns \nothing;
    ensures \result <==> is_ascii((unsigned char *)p, 0, len); */
bool wsi_is_ascii(const void *p, size_t len);

// All bytes before the result are right, and the one after it is wrong.
/*@ requires len <= 0x7fffffffffffffff;
    requires \valid(state) && is_state(*state);
    requires \valid_read((unsigned char *)p + (0 .. len - 1));
    requires \separated(state, (unsigned char *)p + (0 .. len - 1));
    assigns *state;
    ensures \result <= len;
    ensures after(place(\old(*state)), (unsigned char *)p, \result) != BAD;
    ensures \result < len ==> after(place(\old(*state)), (unsigned char *)p, \result + 1) == BAD;
    ensures \result == len ==> is_state(*state)
        && place(*state) == after(place(\old(*state)), (unsigned char *)p, len);
    ensures \result == len ==>
        (*state == 0 <==> after(place(\old(*state)), (unsigned char *)p, len) == BETWEEN); */
size_t wsi_utf8_check(uint32_t *state, const void *p, size_t len);

/*@ requires \valid(cp);
    requires \valid_read((unsigned char *)p + (0 .. (len < 4 ? len - 1 : 3)));
    requires \separated(cp, (unsigned char *)p + (0 .. (len < 4 ? len - 1 : 3)));
    assigns *cp;
    ensures -1 <= \result <= 4 && \result <= len;
    ensures \result > 0 ==> is_char((unsigned char *)p, \result)
        && *cp == bits_of((unsigned char *)p, \result);
    ensures \result == 0 ==> len < 4 && after(BETWEEN, (unsigned char *)p, len) != BAD;
    ensures \result < 0 ==>
        \exists integer n; 0 < n <= len && n <= 4 && after(BETWEEN, (unsigned char *)p, n) == BAD;
    ensures \forall integer n; 0 < n <= len && is_char((unsigned char *)p, n) ==> \result == n; */
int wsi_utf8_decode(uint32_t *cp, const void *p, size_t len);
