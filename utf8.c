/* SPDX-License-Identifier: ISC
 * utf8.c - RFC 3629: a validator that can be stopped and resumed at any byte, and a decoder
 */
#include "ws_pure.h"
#include <string.h>

/* How many bytes follow the lead byte c, and in *lo and *hi what the first of them may be: there the overlong forms,
 * the surrogates and what is over U+10FFFF end (RFC 3629 section 4). -1: c begins no character. */
static int utf8_lead(unsigned c, unsigned *lo, unsigned *hi)
{
	*lo = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	*hi = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	if (c < 0x80)
		return 0;
	if (c < 0xc2 || c > 0xf4)
		return -1;
	return c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
}

/* *state: bytes that are still to follow, and from bit 8 and 16 on the bounds of the next */
size_t wsi_utf8_check(uint32_t *state, const void *p, size_t len)
{
	const unsigned char *s = p;
	int left = (int)(*state & 0xff);
	unsigned lo = *state >> 8 & 0xff, hi = *state >> 16;
	size_t i = 0;

	while (i < len) {
		unsigned c = s[i++];

		if (left > 0) {
			if (c < lo || c > hi)
				return i - 1;
			left--;
			lo = 0x80;
			hi = 0xbf;
		} else if (c >= 0x80) {
			left = utf8_lead(c, &lo, &hi);
			if (left < 0)
				return i - 1;
		} else {
			for (; i + 16 <= len; i += 16) {
				uint64_t w[2];

				memcpy(w, s + i, sizeof w);
				if ((w[0] | w[1]) & 0x8080808080808080)
					break;
			}
		}
	}
	*state = left > 0 ? (uint32_t)left | lo << 8 | hi << 16 : 0;
	return len;
}

int wsi_utf8_decode(uint32_t *cp, const void *p, size_t len)
{
	const unsigned char *s = p;
	unsigned lo, hi;
	int i, n;

	if (len == 0)
		return 0;
	n = utf8_lead(s[0], &lo, &hi);
	if (n < 0)
		return -1;
	*cp = n > 0 ? s[0] & (0x3fU >> n) : s[0];
	for (i = 1; i <= n; i++) {
		if ((size_t)i >= len)
			return 0;
		if (s[i] < lo || s[i] > hi)
			return -1;
		*cp = *cp << 6 | (s[i] & 0x3f);
		lo = 0x80;
		hi = 0xbf;
	}
	return n + 1;
}
