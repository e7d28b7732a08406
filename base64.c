/* SPDX-License-Identifier: ISC
 * base64.c - RFC 4648 section 4
 */
#include "ws_pure.h"

size_t wsi_base64_encode(char *out, const void *in, size_t len)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *s = in;
	size_t i, o = 0;

	for (i = 0; i < len; i += 3) {
		uint32_t v = (uint32_t)s[i] << 16;

		if (i + 1 < len)
			v |= (uint32_t)s[i + 1] << 8;
		if (i + 2 < len)
			v |= s[i + 2];
		out[o++] = alphabet[v >> 18];
		out[o++] = alphabet[v >> 12 & 63];
		out[o++] = i + 1 < len ? alphabet[v >> 6 & 63] : '=';
		out[o++] = i + 2 < len ? alphabet[v & 63] : '=';
	}
	return o;
}

static int base64_value(int c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

ptrdiff_t wsi_base64_decode(void *out, const char *in, size_t len)
{
	unsigned char *d = out;
	size_t i, k, o = 0, pad = 0;

	if (len % 4 != 0)
		return -1;
	if (len > 0 && in[len - 1] == '=')
		pad = in[len - 2] == '=' ? 2 : 1;
	for (i = 0; i + 4 <= len; i += 4) {
		size_t n = i + 4 < len ? 3 : 3 - pad; /* bytes in this group of four */
		uint32_t v = 0;

		for (k = 0; k < 4; k++) {
			int digit = k <= n ? base64_value(in[i + k]) : 0;

			if (digit < 0)
				return -1;
			v = v << 6 | (uint32_t)digit;
		}
		for (k = 0; k < n; k++, v <<= 8)
			d[o++] = (unsigned char)(v >> 16);
		if ((v & 0xffffff) != 0) /* RFC 4648 3.5: bits that nobody needs are zero */
			return -1;
	}
	return (ptrdiff_t)o;
}
