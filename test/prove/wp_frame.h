/* SPDX-License-Identifier: ISC
 * wp_frame.h - for Frama-C's WP: what the functions of frame.c compute, by RFC 6455
 */
#include "ws_proto.h"
#include <string.h>

/*@
// Section 5.3: d holds from `begin` to `end` what s held before, masked: "transformed-octet-i =
// original-octet-i XOR masking-key-octet-j", with "j = i MOD 4"
predicate is_transformed{Before, Now}(unsigned char *d, unsigned char *s, unsigned char *key,
                                      integer begin, integer end) =
    \forall integer i; begin <= i < end ==>
        \at(d[i], Now) == (\at(s[i], Before) ^ \at(key[i % 4], Now));

// s holds from `begin` to `end` what it held before.
predicate is_kept{Before, Now}(unsigned char *s, integer begin, integer end) =
    \forall integer i; begin <= i < end ==> \at(s[i], Now) == \at(s[i], Before);
*/

// WP takes char and unsigned char for separate memory, so the memcpy of libc is not seen to change
// bytes. This stands in for it. It is taken as it is, without a proof.
/*@ requires \valid_read(s + (0 .. n - 1));
    requires \valid(d + (0 .. n - 1));
    requires \separated(s + (0 .. n - 1), d + (0 .. n - 1));
    assigns d[0 .. n - 1];
    ensures \forall integer i; 0 <= i < n ==> d[i] == s[i]; */
void wp_copy(unsigned char *d, const unsigned char *s, size_t n);
#define memcpy(d, s, n) wp_copy((unsigned char *)(d), (const unsigned char *)(s), n)

// WP does not see bytes in words, so it takes this as it is. cbmc-mask proves it.
/*@ requires at % 16 == 0 && at <= 0x7fffffffffffffff;
    requires \valid_read(src + (at .. at + 15));
    requires \valid(dst + (at .. at + 15));
    requires dst == src || \separated(dst + (at .. at + 15), src + (at .. at + 15));
    requires \valid_read(key + (0 .. 7));
    requires \separated(dst + (at .. at + 15), key + (0 .. 7));
    requires \forall integer i; 0 <= i < 4 ==> key[i + 4] == key[i];
    assigns dst[at .. at + 15];
    ensures is_transformed{Pre, Post}(dst, src, key, at, at + 16); */
static void mask_block(unsigned char *dst, const unsigned char *src, size_t at,
                       const unsigned char key[8]);

/*@ requires len <= 0x7fffffffffffffff;
    requires \valid_read((unsigned char *)src + (0 .. len - 1));
    requires \valid((unsigned char *)dst + (0 .. len - 1));
    requires dst == src
        || \separated((unsigned char *)dst + (0 .. len - 1), (unsigned char *)src + (0 .. len - 1));
    requires \valid_read(key + (0 .. 3));
    requires \separated((unsigned char *)dst + (0 .. len - 1), key + (0 .. 3));
    assigns ((unsigned char *)dst)[0 .. len - 1];
    ensures is_transformed{Pre, Post}((unsigned char *)dst, (unsigned char *)src, key, 0, len); */
void wsi_mask(void *dst, const void *src, size_t len, const unsigned char key[4]);

// Section 7.4: of the codes up to 1015, IANA's registry leaves out or reserves 1004 to 1006 and 1015.
// 3000 to 4999 are for libraries, frameworks, applications and private use.
/*@ assigns \nothing;
    ensures \result <==>
        1000 <= code <= 1003 || 1007 <= code <= 1014 || 3000 <= code <= 4999; */
bool wsi_close_code_ok(unsigned code);

/*@
// Section 5.2: a number of several bytes, "in network byte order"
logic integer number2(unsigned char *p) = p[0] * 0x100 + p[1];
logic integer number6(unsigned char *p) =
    number2(p) * 0x100000000 + number2(p + 2) * 0x10000 + number2(p + 4);
logic integer number8(unsigned char *p) = number6(p) * 0x10000 + number2(p + 6);

// Section 5.2, the figure: FIN, the opcode, the mask bit, and the length up to 127
predicate has_fin(unsigned char *p) = (p[0] & 0x80) != 0;
logic integer opcode(unsigned char *p) = p[0] & 0x0F;
predicate is_masked(unsigned char *p) = (p[1] & 0x80) != 0;
logic integer length7(unsigned char *p) = p[1]; // if it is not masked
logic integer head_len(unsigned char *p) = length7(p) == 126 ? 4 : length7(p) == 127 ? 10 : 2;
logic integer payload_len(unsigned char *p) = length7(p) == 126 ? number2(p + 2) :
    length7(p) == 127 ? number8(p + 2) : length7(p);

// Section 5.2: "%x3-7 are reserved for further non-control frames", "%xB-F are reserved for further
// control frames"
predicate is_reserved(integer opcode) = 3 <= opcode <= 7 || 0xB <= opcode <= 0xF;
// Section 5.5: "opcodes where the most significant bit of the opcode is 1"
predicate is_control(unsigned char *p) = (p[0] & 0x08) != 0;

// Section 5.2: "the most significant bit MUST be 0", "the minimal number of bytes MUST be used to
// encode the length"; as soon as n bytes are enough to know it
predicate is_wrong_length(unsigned char *p, integer n) =
    (length7(p) == 126 && n >= 4 && number2(p + 2) < 126)
    || (length7(p) == 127 && n >= 3 && (p[2] >> 7) != 0)
    || (length7(p) == 127 && n >= 8 && number6(p + 2) == 0);

// What n bytes, of a header or of its beginning, say that a server must not send
predicate is_refused(unsigned char *p, integer n) =
    (n >= 1 && is_reserved(opcode(p)))               // 5.2
    || (n >= 1 && is_control(p) && !has_fin(p))      // 5.5: "MUST NOT be fragmented"
    || (n >= 2 && is_masked(p))                      // 5.1: "A server MUST NOT mask any frames"
    || (n >= 2 && is_control(p) && length7(p) > 125) // 5.5: "a payload length of 125 bytes or less"
    || (n >= 2 && is_wrong_length(p, n));

// The number of the first i of up to 8 bytes
logic integer number(unsigned char *p, integer i) =
    i == 0 ? 0 : i == 1 ? p[0] : i == 2 ? number2(p) : i == 3 ? number2(p) * 0x100 + p[2] :
    i == 4 ? number2(p) * 0x10000 + number2(p + 2) :
    i == 5 ? number2(p) * 0x1000000 + number2(p + 2) * 0x100 + p[4] :
    i == 6 ? number6(p) : i == 7 ? number6(p) * 0x100 + p[6] : number8(p);
logic integer power(integer i) =
    i == 0 ? 1 : i == 1 ? 0x100 : i == 2 ? 0x10000 : i == 3 ? 0x1000000 : i == 4 ? 0x100000000 :
    i == 5 ? 0x10000000000 : i == 6 ? 0x1000000000000 : i == 7 ? 0x100000000000000 :
    0x10000000000000000;

// The bytes of out from i up to `end`, and before them the number `rest`, make up len.
predicate is_split(unsigned char *out, integer i, integer end, integer rest, integer len) =
    (i == end ==> len == rest)
    && (i == end - 1 ==> len == rest * 0x100 + out[end - 1])
    && (i == end - 2 ==> len == rest * 0x10000 + number2(out + end - 2))
    && (i == end - 3 ==> len == rest * 0x1000000 + out[end - 3] * 0x10000 + number2(out + end - 2))
    && (i == end - 4 ==> len == rest * 0x100000000 + number2(out + end - 4) * 0x10000
        + number2(out + end - 2))
    && (i == end - 5 ==> len == rest * 0x10000000000 + out[end - 5] * 0x100000000
        + number2(out + end - 4) * 0x10000 + number2(out + end - 2))
    && (i == end - 6 ==> len == rest * 0x1000000000000 + number6(out + end - 6))
    && (i == end - 7 ==> len == rest * 0x100000000000000 + out[end - 7] * 0x1000000000000
        + number6(out + end - 6))
    && (i == end - 8 ==> len == rest * 0x10000000000000000 + number8(out + end - 8));
*/

/*@ requires opcode < 16;
    assigns \nothing;
    ensures \result <==> is_reserved(opcode); */
static bool frame_is_reserved(unsigned opcode);

/*@ requires bytes == 2 || bytes == 6 || bytes == 8;
    requires \valid_read(p + (0 .. bytes - 1));
    assigns \nothing;
    ensures bytes == 2 ==> \result == number2(p);
    ensures bytes == 6 ==> \result == number6(p);
    ensures bytes == 8 ==> \result == number8(p); */
static uint64_t frame_number(const unsigned char *p, unsigned bytes);

/*@ requires n >= 2 && length7(p) == (head == 4 ? 126 : 127);
    requires head == 4 || head == 10;
    requires \valid_read(p + (0 .. n - 1));
    assigns \nothing;
    ensures \result <==> is_wrong_length(p, n); */
static bool frame_length_is_wrong(const unsigned char *p, size_t n, unsigned head);

/*@ requires \valid(f);
    requires \valid_read(p + (0 .. n - 1));
    requires \separated(f, p + (0 .. n - 1));
    assigns *f;
    ensures \result != \null <==> is_refused(p, n);
    ensures f->head == (\result == \null && n >= 2 && n >= head_len(p) ? head_len(p) : 0);
    ensures f->head > 0 ==> f->b0 == p[0] && f->len == payload_len(p); */
const char *wsi_frame_decode(struct wsi_frame *f, const unsigned char *p, size_t n);

/*@ requires \valid(out + (0 .. 13));
    requires key == \null || \valid_read(key + (0 .. 3));
    requires \separated(out + (0 .. 13), key + (0 .. 3));
    assigns out[0 .. 13];
    behavior all:
        ensures out[0] == b0;
        ensures key != \null ==> \forall integer i; 0 <= i < 4 ==> out[\result - 4 + i] == key[i];
    behavior one_byte:
        assumes len <= 125;
        ensures out[1] == (key == \null ? len : len | 0x80);
        ensures \result == (key == \null ? 2 : 6);
    behavior two_more:
        assumes 126 <= len <= 0xFFFF;
        ensures out[1] == (key == \null ? 126 : 126 | 0x80);
        ensures number2(out + 2) == len;
        ensures \result == (key == \null ? 4 : 8);
    behavior eight_more:
        assumes len > 0xFFFF;
        ensures out[1] == (key == \null ? 127 : 127 | 0x80);
        ensures number8(out + 2) == len;
        ensures \result == (key == \null ? 10 : 14); */
size_t wsi_frame_encode(unsigned char out[WSI_FRAME_HEAD_MAX], unsigned char b0, uint64_t len,
                        const unsigned char *key);
