/* SPDX-License-Identifier: ISC
 * base64.c - RFC 4648 section 4
 */
#include "ws_pure.h"

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t wsi_base64_encode(char *out, const void *in, size_t len)
{
	const unsigned char *s = in;
	size_t i, o;

	/* the digit o has the first of its bits in the byte i, and perhaps others in the one behind it */
	for (o = 0; i = o * 3 / 4, i < len || o % 4 != 0; o++) {
		unsigned v = 0;

		out[o] = '=';
		if (i < len) {
			v = (unsigned)s[i] << 8 | (i + 1 < len ? s[i + 1] : 0);
			out[o] = base64_digits[v >> (10 - o * 6 % 8) & 63];
		}
	}
	return o;
}

#ifdef WS_WITH_MBEDTLS
ptrdiff_t wsi_base64_decode(void *out, const char *in, size_t len)
{
	unsigned char *d = out;
	size_t i, o = 0, digits = len;
	uint32_t v = 0;
	unsigned bits = 0; /* of v that no byte has yet */

	while (digits > 0 && len < digits + 2 && in[digits - 1] == '=')
		digits--;
	if (len % 4 != 0)
		return -1;
	for (i = 0; i < digits; i++) {
		unsigned digit = 0;

		while (digit < 64 && base64_digits[digit] != in[i])
			digit++;
		if (digit == 64)
			return -1;
		v = v << 6 | digit;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			d[o++] = (unsigned char)(v >> bits);
		}
	}
	/* RFC 4648 3.5: bits that nobody needs are zero */
	return (v & ((1U << bits) - 1)) == 0 ? (ptrdiff_t)o : -1;
}
#endif
