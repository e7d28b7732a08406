/* SPDX-License-Identifier: ISC
 * suggest.c - which option was meant by an unknown name
 */
#include "cli/optable.h"
#include <string.h>

#define SUGGEST_NAME 24 /* bytes of a name that can be a mistyped option */

/* How many characters must be inserted, deleted, replaced or swapped with the next one to turn a
 * into b */
static size_t suggest_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	/* The last three rows of the table, one for each character of a */
	size_t rows[3][SUGGEST_NAME + 1], i, j;

	for (j = 0; j <= b_len; j++)
		rows[0][j] = j;
	for (i = 1; i <= a_len; i++) {
		size_t *row = rows[i % 3], *above = rows[(i - 1) % 3], *swap = rows[(i + 1) % 3];

		row[0] = i;
		for (j = 1; j <= b_len; j++) {
			row[j] = above[j - 1] + (a[i - 1] != b[j - 1]);
			if (row[j] > above[j] + 1)
				row[j] = above[j] + 1;
			if (row[j] > row[j - 1] + 1)
				row[j] = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]
			    && row[j] > swap[j - 2] + 1)
				row[j] = swap[j - 2] + 1;
		}
	}
	return rows[a_len % 3][b_len];
}

const char *wq_suggest_option(const char *name, size_t len)
{
	const char *best = NULL, *begun = NULL;
	size_t least = 3, i, n, distance;

	if (len < 2 || len > SUGGEST_NAME)
		return NULL;
	for (i = 0; i < wq_n_options; i++) {
		const char *option = wq_option_table[i].name;

		n = strlen(option);
		if (n > SUGGEST_NAME)
			continue;
		if (!begun && len >= 3 && n > len && memcmp(option, name, len) == 0)
			begun = option; /* a name that was cut short */
		distance = suggest_distance(name, len, option, n);
		if (distance < least && distance * 3 <= len) {
			least = distance;
			best = option;
		}
	}
	return best ? best : begun;
}
