/* SPDX-License-Identifier: ISC
 * sha1.c - SHA-1 (RFC 3174), for Sec-WebSocket-Accept alone: nothing secret depends on it
 *
 * The names A to E, H, K, W, f and t are those of RFC 3174.
 */
#include "ws_pure.h"
#include <string.h>

/* Section 3: the circular left shift S^n(x) */
static uint32_t sha1_rotate(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

/* Section 5: f(t; b, c, d) */
static uint32_t sha1_f(unsigned t, uint32_t b, uint32_t c, uint32_t d)
{
	if (t < 20)
		return (b & c) | (~b & d);
	if (t >= 40 && t < 60)
		return (b & c) | (b & d) | (c & d);
	return b ^ c ^ d;
}

/* Section 6.1: one block. The caller has set w[0..16). */
static void sha1_block(uint32_t h[5], uint32_t w[80])
{
	static const uint32_t k[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
	uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], temp;
	unsigned t;

	for (t = 16; t < 80; t++)
		w[t] = sha1_rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
	for (t = 0; t < 80; t++) {
		temp = sha1_rotate(a, 5) + sha1_f(t, b, c, d) + e + w[t] + k[t / 20];
		e = d;
		d = c;
		c = sha1_rotate(b, 30);
		b = a;
		a = temp;
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
}

/* Section 4: four bytes of the padded message from `at` on. The message is followed by a byte 0x80
 * and zeros. */
static uint32_t sha1_word(const unsigned char *p, unsigned len, unsigned at)
{
	uint32_t word = 0;
	unsigned i;

	for (i = at; i < at + 4; i++) {
		word <<= 8;
		if (i < len)
			word |= p[i];
		else if (i == len)
			word |= 0x80;
	}
	return word;
}

void wsi_sha1(unsigned char out[20], const void *p, unsigned len)
{
	uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
	uint32_t w[80];
	unsigned at, t, i;

	/* Section 4: the padding takes at least nine bytes. The last eight of them hold the length
	 * in bits, whose upper half is 0 here. */
	for (at = 0; at < len + 9; at += 64) {
		for (t = 0; t < 16; t++)
			w[t] = sha1_word(p, len, at + 4 * t);
		if (at + 64 >= len + 9)
			w[15] = len * 8;
		sha1_block(h, w);
	}
	for (i = 0; i < 20; i++)
		out[i] = (unsigned char)(h[i / 4] >> (24 - i % 4 * 8));
}
