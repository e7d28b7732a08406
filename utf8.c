/* SPDX-License-Identifier: ISC
 * utf8.c - checks UTF-8 (RFC 3629), stopping and going on at any byte, and decodes single
 * characters
 *
 * The state between two bytes holds the bits of the character so far and, from bit UTF8_LACKS on,
 * how many bytes it still lacks.
 */
#include "ws_pure.h"
#include <string.h>

#define UTF8_WRONG 0xffffffff
#define UTF8_LACKS 24

/* The first byte of a character. 0xc0 and 0xc1 would begin overlong forms, 0xf5 and above
 * characters over U+10FFFF. */
static uint32_t utf8_take_first(unsigned char c)
{
	uint32_t lacks = 3;

	if (c < 0x80)
		return c;
	if (c < 0xc2 || c > 0xf4)
		return UTF8_WRONG;
	if (c < 0xe0)
		lacks = 1;
	else if (c < 0xf0)
		lacks = 2;
	return lacks << UTF8_LACKS | (c & (0x3fU >> lacks));
}

/* Takes the byte c and returns the next state. RFC 3629 section 4: the second byte shows whether a
 * form is overlong, a surrogate, or over U+10FFFF. */
static uint32_t utf8_take(uint32_t state, unsigned char c)
{
	uint32_t lacks = state >> UTF8_LACKS, bits;

	if (lacks == 0)
		return utf8_take_first(c);
	if ((c & 0xc0) != 0x80)
		return UTF8_WRONG;
	bits = (state & 0xffff) << 6 | (c & 0x3f);
	if (lacks == 2 && (bits < 0x20 || bits >> 5 == 0xd800 >> 11))
		return UTF8_WRONG;
	if (lacks == 3 && (bits < 0x10 || bits > 0x10f))
		return UTF8_WRONG;
	return (lacks - 1) << UTF8_LACKS | bits;
}

/* Skips ASCII, 16 bytes at a time. */
static size_t utf8_skip_ascii(const unsigned char *s, size_t i, size_t len)
{
	uint64_t word[2];

	for (; i + 16 <= len; i += 16) {
		memcpy(word, s + i, 16);
		if ((word[0] | word[1]) & 0x8080808080808080)
			break;
	}
	return i;
}

size_t wsi_utf8_check(uint32_t *state, const void *p, size_t len)
{
	const unsigned char *s = p;
	uint32_t now = *state;
	size_t i = 0;

	for (;;) {
		if (now >> UTF8_LACKS == 0) { /* between two characters */
			now = 0;
			i = utf8_skip_ascii(s, i, len);
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
	for (i = 0; i < len; i++) {
		*cp = utf8_take(*cp, s[i]);
		if (*cp == UTF8_WRONG)
			return -1;
		if (*cp >> UTF8_LACKS == 0)
			return (int)i + 1;
	}
	return 0;
}
