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

/* The same for four bytes at once, the first of them the highest in w: the length of the character, not ASCII, that
 * they begin with, or 0 if that is not valid. Only here for speed: three times that of a byte at a time. */
static size_t utf8_whole(uint32_t w)
{
	if ((w & 0xe0c00000) == 0xc0800000)
		return w >= 0xc2000000 ? 2 : 0;
	if ((w & 0xf0c0c000) == 0xe0808000)
		return w >= 0xe0a00000 && (w < 0xeda00000 || w >= 0xee000000) ? 3 : 0;
	if ((w & 0xf8c0c0c0) == 0xf0808080)
		return w >= 0xf0900000 && w < 0xf4900000 ? 4 : 0;
	return 0;
}

/* *state: bytes that are still to follow, and from bit 8 and 16 on the bounds of the next */
size_t wsi_utf8_check(uint32_t *state, const void *p, size_t len)
{
	const unsigned char *s = p;
	int left = (int)(*state & 0xff);
	unsigned lo = *state >> 8 & 0xff, hi = *state >> 16;
	uint64_t word[2];
	size_t i = 0, n;

	while (i < len) {
		if (left > 0) {
			if (s[i] < lo || s[i] > hi)
				return i;
			left--;
			lo = 0x80;
			hi = 0xbf;
			i++;
			continue;
		}
		for (; i + 16 <= len; i += 16) {
			memcpy(word, s + i, 16);
			if ((word[0] | word[1]) & 0x8080808080808080)
				break;
		}
		while (i < len && s[i] < 0x80)
			i++;
		for (; i + 4 <= len && s[i] >= 0x80; i += n) {
			n = utf8_whole((uint32_t)s[i] << 24 | (uint32_t)s[i + 1] << 16 | (uint32_t)s[i + 2] << 8
			               | s[i + 3]);
			if (n == 0)
				break;
		}
		if (i >= len || s[i] < 0x80)
			continue;
		left = utf8_lead(s[i], &lo, &hi);
		if (left < 0)
			return i;
		i++;
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
