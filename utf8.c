/* SPDX-License-Identifier: ISC
 * utf8.c - RFC 3629: a validator that can be stopped and resumed at any byte, and a decoder
 */
#include "ws_pure.h"
#include <string.h>

#define UTF8_WRONG 0xffffffff
#define UTF8_LACKS 24 /* from that bit on */

/* Takes the byte c: the state is the bits of the character so far, and how many bytes it lacks. RFC 3629 section 4: the
 * second byte shows whether the form is overlong, a surrogate or over U+10FFFF */
static uint32_t utf8_take(uint32_t state, unsigned char c)
{
	uint32_t left = state >> UTF8_LACKS, cp;

	if (left == 0) {
		if (c < 0x80)
			return c;
		if (c < 0xc2 || c > 0xf4)
			return UTF8_WRONG;
		left = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
		return left << UTF8_LACKS | (c & (0x3fU >> left));
	}
	cp = (state & 0xffff) << 6 | (c & 0x3f);
	if (c >> 6 != 2 || (left == 2 && (cp < 0x20 || cp >> 5 == 0xd800 >> 11))
	    || (left == 3 && (cp < 0x10 || cp > 0x10f)))
		return UTF8_WRONG;
	return (left - 1) << UTF8_LACKS | cp;
}

size_t wsi_utf8_check(uint32_t *state, const void *p, size_t len)
{
	const unsigned char *s = p;
	uint32_t now = *state;
	uint64_t word[2];
	size_t i = 0;

	for (;; i++) {
		if (now >> UTF8_LACKS == 0) {
			now = 0;
			for (; i + 16 <= len; i += 16) {
				memcpy(word, s + i, 16);
				if ((word[0] | word[1]) & 0x8080808080808080)
					break;
			}
		}
		if (i >= len)
			break;
		now = utf8_take(now, s[i]);
		if (now == UTF8_WRONG)
			break;
	}
	*state = now;
	return i;
}

int wsi_utf8_decode(uint32_t *cp, const void *p, size_t len)
{
	const unsigned char *s = p;
	size_t i;

	*cp = 0;
	for (i = 0; i < len; i++) {
		*cp = utf8_take(*cp, s[i]);
		if (*cp == UTF8_WRONG)
			return -1;
		if (*cp >> UTF8_LACKS == 0)
			return (int)i + 1;
	}
	return 0;
}
