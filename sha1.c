/* SPDX-License-Identifier: ISC
 * sha1.c - RFC 3174, for Sec-WebSocket-Accept; nothing secret depends on it
 */
#include "ws_pure.h"
#include <string.h>

static uint32_t sha1_rol(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

/* The block w[0..16), behind which is room for what follows from it */
static void sha1_block(uint32_t h[5], uint32_t w[96])
{
	static const uint32_t k[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
	uint32_t v[5], f;
	unsigned t;

	memcpy(v, h, sizeof v);
	for (t = 0; t < 80; t++, w++) {
		unsigned round = t / 20;

		f = v[1] ^ v[2] ^ v[3];
		if (round == 0)
			f = v[3] ^ (v[1] & (v[2] ^ v[3]));
		if (round == 2)
			f = (v[1] & v[2]) | (v[3] & (v[1] | v[2]));
		f += sha1_rol(v[0], 5) + v[4] + w[0] + k[round];
		memmove(v + 1, v, 4 * sizeof *v);
		v[2] = sha1_rol(v[2], 30);
		v[0] = f;
		w[16] = sha1_rol(w[0] ^ w[2] ^ w[8] ^ w[13], 1);
	}
	for (t = 0; t < 5; t++)
		h[t] += v[t];
}

void wsi_sha1(unsigned char out[20], const void *p, unsigned len)
{
	static const uint32_t init[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476,
	                                 0xc3d2e1f0};
	const unsigned char *in = p;
	uint32_t h[5], w[16 + 80];
	unsigned i, k;

	memcpy(h, init, sizeof h);
	for (i = 0;
	     i < len + 9;) { /* behind the text are a byte 0x80 and eight of its length in bits */
		for (k = 0; k < 16; k++) {
			uint32_t word = 0;

			do
				word = word << 8 | (i < len ? in[i] : i == len ? 0x80 : 0);
			while (++i % 4 != 0);
			w[k] = word;
		}
		if (i >= len + 9)
			w[15] = len * 8;
		sha1_block(h, w);
	}
	for (i = 0; i < 20; i++) {
		h[i / 4] = sha1_rol(h[i / 4], 8);
		out[i] = (unsigned char)h[i / 4];
	}
}
