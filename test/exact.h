/* SPDX-License-Identifier: ISC
 * exact.h - bytes in a block of just their size, so that a sanitizer sees a byte read beyond them
 */
#ifndef TEST_EXACT_H
#define TEST_EXACT_H
#include <stdlib.h>
#include <string.h>

/* A copy of the bytes, to be freed by the caller. It has a block of its own even if len is 0. */
static inline char *exact(const void *p, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);

	if (copy == NULL)
		abort();
	memcpy(copy, p, len);
	return copy;
}
#endif
