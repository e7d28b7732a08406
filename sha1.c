/* SPDX-License-Identifier: ISC
 * sha1.c - RFC 3174, for Sec-WebSocket-Accept; nothing secret depends on it
 */
#include "ws_pure.h"
#include <string.h>

static uint32_t sha1_rol(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

static void sha1_block(struct wsi_sha1 *s)
{
	uint32_t w[80], v[5];
	unsigned t;

	for (t = 0; t < 16; t++) {
		const unsigned char *p = s->block + t * 4;

		w[t] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	}
	for (; t < 80; t++)
		w[t] = sha1_rol(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
	memcpy(v, s->h, sizeof v);
	for (t = 0; t < 80; t++) {
		uint32_t b = v[1], c = v[2], d = v[3], f;

		if (t < 20)
			f = ((b & c) | (~b & d)) + 0x5a827999;
		else if (t < 40)
			f = (b ^ c ^ d) + 0x6ed9eba1;
		else if (t < 60)
			f = ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
		else
			f = (b ^ c ^ d) + 0xca62c1d6;
		f += sha1_rol(v[0], 5) + v[4] + w[t];
		v[4] = d;
		v[3] = c;
		v[2] = sha1_rol(b, 30);
		v[1] = v[0];
		v[0] = f;
	}
	for (t = 0; t < 5; t++)
		s->h[t] += v[t];
}

void wsi_sha1_init(struct wsi_sha1 *s)
{
	static const uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};

	memcpy(s->h, h, sizeof h);
	memset(s->block, 0, sizeof s->block);
	s->len = 0;
}

void wsi_sha1_update(struct wsi_sha1 *s, const void *p, size_t len)
{
	const unsigned char *in = p;
	size_t i;

	for (i = 0; i < len; i++) {
		s->block[s->len++ % 64] = in[i];
		if (s->len % 64 == 0)
			sha1_block(s);
	}
}

void wsi_sha1_final(struct wsi_sha1 *s, unsigned char out[20])
{
	static const unsigned char one = 0x80, zero = 0;
	uint64_t bits = s->len * 8;
	unsigned i;

	wsi_sha1_update(s, &one, 1);
	while (s->len % 64 != 56)
		wsi_sha1_update(s, &zero, 1);
	for (i = 0; i < 8; i++)
		s->block[56 + i] = (unsigned char)(bits >> (56 - 8 * i));
	sha1_block(s);
	for (i = 0; i < 20; i++)
		out[i] = (unsigned char)(s->h[i / 4] >> (24 - i % 4 * 8));
}
