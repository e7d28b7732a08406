/* SPDX-License-Identifier: ISC
 * every.h - every string of a few bytes, up to a length
 */
#ifndef TEST_EVERY_H
#define TEST_EVERY_H
#include "test/check.h"
#include <string.h>

#define EVERY_MAX 8 /* bytes of a string */

/* Calls check with each of them, and with TEST_QUICK with a sample. A NUL follows the string. */
static inline void every_string(const char *bytes, size_t most,
                                void (*check)(const char *s, size_t len))
{
	size_t kinds = strlen(bytes), len, k;
	unsigned long index, strings = 1, rest;
	char s[EVERY_MAX + 1];

	check_row("%s, up to %lu bytes", bytes, (unsigned long)most);
	for (len = 0; len <= most; len++, strings *= kinds) {
		for (index = 0; index < strings; index += (unsigned long)check_step(31)) {
			rest = index;
			for (k = 0; k < len; k++, rest /= kinds)
				s[k] = bytes[rest % kinds];
			s[len] = '\0';
			check(s, len);
		}
	}
	check_row_end();
}
#endif
