/* SPDX-License-Identifier: ISC
 * wp_frame.h - for Frama-C's WP: what masking and the check of a close code compute, by RFC 6455
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
