/* SPDX-License-Identifier: ISC
 * base64.c - base64 as in RFC 4648 section 4
 */
#include "ws_pure.h"

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The digit of the last six bits */
static char base64_digit(unsigned value)
{
	return base64_digits[value % 64];
}

/* Up to three bytes make four digits. Missing bytes count as zero, and their digits become '='. */
static void base64_put_group(char *out, const unsigned char *s, size_t len)
{
	unsigned a = s[0], b = 0, c = 0;

	if (len > 1)
		b = s[1];
	if (len > 2)
		c = s[2];
	out[0] = base64_digit(a / 4);
	out[1] = base64_digit(a % 4 * 16 + b / 16);
	out[2] = '=';
	out[3] = '=';
	if (len > 1)
		out[2] = base64_digit(b % 16 * 4 + c / 64);
	if (len > 2)
		out[3] = base64_digit(c);
}

size_t wsi_base64_encode(char *out, const void *in, size_t len)
{
	const unsigned char *s = in;
	size_t i, o = 0;

	/*@ loop invariant o % 4 == 0 && i == o / 4 * 3 && i <= len + 2;
	    loop invariant is_base64(out, s, len, o);
	    loop assigns i, o, out[0 .. (len + 2) / 3 * 4 - 1];
	    loop variant len - i; */
	for (i = 0; i < len; i += 3) {
		base64_put_group(out + o, s + i, len - i);
		o += 4;
	}
	return o;
}

#ifdef WS_WITH_MBEDTLS
/* 0 to 63, or 64 for a character that is not a digit. */
static unsigned base64_value(char c)
{
	unsigned value = 0;

	/*@ loop invariant value <= 64;
	    loop invariant \forall integer k; 0 <= k < value ==> base64_digits[k] != c;
	    loop assigns value;
	    loop variant 64 - value; */
	while (value < 64 && base64_digits[value] != c)
		value++;
	return value;
}

/* Makes up to three bytes of four digits and returns their number, or 0 if a digit is wrong. */
static size_t base64_take_group(unsigned char *out, const char *in)
{
	unsigned a = base64_value(in[0]), b = base64_value(in[1]), c = 0, d = 0;
	size_t bytes = 3;

	if (in[3] == '=')
		bytes = 2;
	if (in[3] == '=' && in[2] == '=')
		bytes = 1;
	if (bytes > 1)
		c = base64_value(in[2]);
	if (bytes > 2)
		d = base64_value(in[3]);
	if (a > 63 || b > 63 || c > 63 || d > 63)
		return 0;
	/* RFC 4648 3.5: the bits that belong to no byte must be zero. */
	if ((bytes == 1 && b % 16 != 0) || (bytes == 2 && c % 4 != 0))
		return 0;
	out[0] = (unsigned char)(a * 4 + b / 16);
	if (bytes > 1)
		out[1] = (unsigned char)(b % 16 * 16 + c / 4);
	if (bytes > 2)
		out[2] = (unsigned char)(c % 4 * 64 + d);
	return bytes;
}

ptrdiff_t wsi_base64_decode(void *out, const char *in, size_t len)
{
	unsigned char *d = out;
	size_t i, bytes, o = 0;

	if (len % 4 != 0)
		return -1;
	/*@ loop invariant i % 4 == 0 && i <= len && (i == 0 ==> o == 0);
	    loop invariant i < len ==> o == i / 4 * 3;
	    loop invariant 0 < i == len ==> o == i / 4 * 3 - 3 + size_of(in + (i - 4));
	    loop invariant 0 < i ==> i / 4 * 3 - 3 < o <= i / 4 * 3;
	    loop invariant is_right(in, len, i);
	    loop invariant is_decoded(d, in, o);
	    loop assigns i, bytes, o, d[0 .. len / 4 * 3 - 1];
	    loop variant len - i; */
	for (i = 0; i < len; i += 4) {
		bytes = base64_take_group(d + o, in + i);
		/* Only the last group may have less than three. */
		if (bytes == 0 || (bytes < 3 && i + 4 < len))
			return -1;
		o += bytes;
	}
	return (ptrdiff_t)o;
}
#endif
