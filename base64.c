/* SPDX-License-Identifier: ISC
 * base64.c - base64 as in RFC 4648 section 4
 */
#include "ws_pure.h"

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t wsi_base64_encode(char *out, const void *in, size_t len)
{
	const unsigned char *s = in;
	size_t i, o = 0;

	/* Three bytes make four digits. At the end missing bytes count as zero, and their digits
	 * become '='. */
	for (i = 0; i < len; i += 3) {
		uint32_t v = (uint32_t)s[i] << 16;

		if (i + 1 < len)
			v |= (uint32_t)s[i + 1] << 8;
		if (i + 2 < len)
			v |= s[i + 2];
		out[o] = base64_digits[v >> 18];
		out[o + 1] = base64_digits[v >> 12 & 63];
		out[o + 2] = '=';
		out[o + 3] = '=';
		if (i + 1 < len)
			out[o + 2] = base64_digits[v >> 6 & 63];
		if (i + 2 < len)
			out[o + 3] = base64_digits[v & 63];
		o += 4;
	}
	return o;
}

#ifdef WS_WITH_MBEDTLS
/* 0 to 63, or 64 for a character that is not a digit. */
static uint32_t base64_value(char c)
{
	uint32_t value = 0;

	while (value < 64 && base64_digits[value] != c)
		value++;
	return value;
}

/* The length of the text without the '=' at its end, of which there are at most two. */
static size_t base64_count_digits(const char *in, size_t len)
{
	size_t digits = len;

	while (digits > 0 && digits + 2 > len && in[digits - 1] == '=')
		digits--;
	return digits;
}

ptrdiff_t wsi_base64_decode(void *out, const char *in, size_t len)
{
	unsigned char *d = out;
	const size_t digits = base64_count_digits(in, len);
	size_t i, o = 0;
	uint32_t v = 0;
	unsigned bits = 0; /* how many of the low bits of v are not written yet */

	if (len % 4 != 0)
		return -1;
	for (i = 0; i < digits; i++) {
		uint32_t value = base64_value(in[i]);

		if (value == 64)
			return -1;
		v = v << 6 | value;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			d[o++] = (unsigned char)(v >> bits);
		}
	}
	/* RFC 4648 3.5: the bits that belong to no byte must be zero. */
	if ((v & ((1U << bits) - 1)) != 0)
		return -1;
	return (ptrdiff_t)o;
}
#endif
