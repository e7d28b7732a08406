/* SPDX-License-Identifier: ISC
 * wp_base64.h - for Frama-C's WP: what the functions of base64.c compute, by RFC 4648 section 4
 *
 * Two proofs take it. That of the groups (WP_GROUPS) knows what four digits and three bytes have to
 * do with each other. That of the loops knows only that there are such relations, and so holds for
 * any.
 */
#include "ws_pure.h"

#ifdef WP_GROUPS
/*@
// The value of a digit in table 1, or 64
logic integer value(integer c) =
    'A' <= c <= 'Z' ? c - 'A' : 'a' <= c <= 'z' ? c - 'a' + 26 : '0' <= c <= '9' ? c - '0' + 52 :
    c == '+' ? 62 : c == '/' ? 63 : 64;

// t is the character at a place from 0 to 3 that the bytes a, b and c make. A missing byte is -1.
predicate char_is(integer t, integer a, integer b, integer c, integer place) =
    place == 0 ? value(t) == a / 4 :
    place == 1 ? value(t) == a % 4 * 16 + (b < 0 ? 0 : b / 16) :
    place == 2 ? (b < 0 ? t == '=' : value(t) == b % 16 * 4 + (c < 0 ? 0 : c / 64)) :
    c < 0 ? t == '=' : value(t) == c % 64;

// The number of bytes that four characters make, or 0 if they are wrong. Section 3.5: the bits that
// belong to no byte are zero.
logic integer size_of(char *group) =
    value(group[0]) == 64 || value(group[1]) == 64 ? 0 :
    group[2] == '=' && group[3] == '=' ? (value(group[1]) % 16 == 0 ? 1 : 0) :
    value(group[2]) == 64 ? 0 :
    group[3] == '=' ? (value(group[2]) % 4 == 0 ? 2 : 0) :
    value(group[3]) == 64 ? 0 : 3;

// The byte at a place from 0 to 2 that four digits make
logic integer byte_of(char *group, integer place) =
    place == 0 ? value(group[0]) * 4 + value(group[1]) / 16 :
    place == 1 ? value(group[1]) % 16 * 16 + value(group[2]) / 4 :
    value(group[2]) % 4 * 64 + value(group[3]);
*/
#else
/*@ axiomatic Any {
    logic integer value(integer c);
    predicate char_is(integer t, integer a, integer b, integer c, integer place);
    logic integer size_of(char *group) reads group[0 .. 3];
    logic integer byte_of(char *group, integer place) reads group[0 .. 3];
} */
#endif

/*@
// A byte of s, or -1 behind its end
logic integer byte_at(unsigned char *s, integer len, integer i) = i < len ? s[i] : -1;

// The first `count` characters of text are those that the bytes s make.
predicate is_base64(char *text, unsigned char *s, integer len, integer count) =
    \forall integer k; 0 <= k < count ==>
        char_is(text[k], byte_at(s, len, k / 4 * 3), byte_at(s, len, k / 4 * 3 + 1),
                byte_at(s, len, k / 4 * 3 + 2), k % 4);

// Up to `end` all groups of text are right, and full but for the last one of its len characters.
predicate is_right(char *text, integer len, integer end) =
    \forall integer k; 0 <= k < end && k % 4 == 0 ==>
        size_of(text + k) == 3 || (0 < size_of(text + k) < 3 && k + 4 == len);

// The first `count` bytes of out are those that the digits of text make.
predicate is_decoded(unsigned char *out, char *text, integer count) =
    \forall integer k; 0 <= k < count ==> out[k] == byte_of(text + k / 3 * 4, k % 3);
*/

/*@ assigns \nothing;
    ensures value(\result) == value % 64; */
static char base64_digit(unsigned value);

/*@ requires len > 0;
    requires \valid_read(s + (0 .. (len < 3 ? len - 1 : 2)));
    requires \valid(out + (0 .. 3));
    assigns out[0 .. 3];
    ensures char_is(out[0], s[0], byte_at(s, len, 1), byte_at(s, len, 2), 0);
    ensures char_is(out[1], s[0], byte_at(s, len, 1), byte_at(s, len, 2), 1);
    ensures char_is(out[2], s[0], byte_at(s, len, 1), byte_at(s, len, 2), 2);
    ensures char_is(out[3], s[0], byte_at(s, len, 1), byte_at(s, len, 2), 3); */
static void base64_put_group(char *out, const unsigned char *s, size_t len);

/*@ requires len <= 0x7fffffffffffffff;
    requires \valid_read((unsigned char *)in + (0 .. len - 1));
    requires \valid(out + (0 .. (len + 2) / 3 * 4 - 1));
    requires \separated((unsigned char *)in + (0 .. len - 1), out + (0 .. (len + 2) / 3 * 4 - 1));
    assigns out[0 .. (len + 2) / 3 * 4 - 1];
    ensures \result == (len + 2) / 3 * 4;
    ensures is_base64(out, (unsigned char *)in, len, \result); */
size_t wsi_base64_encode(char *out, const void *in, size_t len);

#ifdef WS_WITH_MBEDTLS
/*@ assigns \nothing;
    ensures \result == value(c); */
static unsigned base64_value(char c);

// The last clause: of what base64_put_group makes of any bytes, this makes the same bytes.
/*@ requires \valid_read(in + (0 .. 3));
    requires \valid(out + (0 .. 2));
    requires \separated(in + (0 .. 3), out + (0 .. 2));
    assigns out[0 .. 2];
    ensures 0 <= \result <= 3;
    ensures \result == size_of(in);
    ensures \result > 0 ==> out[0] == byte_of(in, 0);
    ensures \result > 1 ==> out[1] == byte_of(in, 1);
    ensures \result > 2 ==> out[2] == byte_of(in, 2);
    ensures \forall integer a, b, c;
        0 <= a < 256 && -1 <= b < 256 && -1 <= c < 256 && (b < 0 ==> c < 0)
        && char_is(in[0], a, b, c, 0) && char_is(in[1], a, b, c, 1)
        && char_is(in[2], a, b, c, 2) && char_is(in[3], a, b, c, 3)
        ==> \result == (b < 0 ? 1 : c < 0 ? 2 : 3) && out[0] == a
            && (b >= 0 ==> out[1] == b) && (c >= 0 ==> out[2] == c); */
static size_t base64_take_group(unsigned char *out, const char *in);

/*@ requires len <= 0x7fffffffffffffff;
    requires \valid_read(in + (0 .. len - 1));
    requires \valid((unsigned char *)out + (0 .. len / 4 * 3 - 1));
    requires \separated(in + (0 .. len - 1), (unsigned char *)out + (0 .. len / 4 * 3 - 1));
    assigns ((unsigned char *)out)[0 .. len / 4 * 3 - 1];
    ensures \result >= 0 ==> len % 4 == 0 && is_right(in, len, len);
    ensures \result < 0 ==> len % 4 != 0 || !is_right(in, len, len);
    ensures \result < 0 ==> \result == -1;
    ensures \result > 0 ==> \result == len / 4 * 3 - 3 + size_of(in + (len - 4));
    ensures \result == 0 ==> len == 0;
    ensures is_decoded((unsigned char *)out, in, \result); */
ptrdiff_t wsi_base64_decode(void *out, const char *in, size_t len);
#endif
