/* SPDX-License-Identifier: ISC
 * pieces.h - makes inputs of pieces that the format knows, since random bytes alone would seldom get
 * past a first check
 */
#ifndef FUZZ_PIECES_H
#define FUZZ_PIECES_H
#include "../random.h"
#include <string.h>

struct piece {
	const char *p;
	size_t len;
};

/* Appends pieces, and random bytes between them, until the input has about this many bytes: its new
 * length, at most size. */
static inline size_t add_pieces(unsigned char *buf, size_t size, size_t len, size_t most,
                                const struct piece *pieces, size_t n)
{
	while (len < most) {
		size_t k = below(2 * n);

		if (k >= n) {
			buf[len++] = (unsigned char)below(256);
		} else if (len + pieces[k].len <= size) {
			memcpy(buf + len, pieces[k].p, pieces[k].len);
			len += pieces[k].len;
		} else {
			break;
		}
	}
	return len;
}
#endif
