/* SPDX-License-Identifier: ISC
 * values.h - numbers, sizes and durations on the command line
 */
#ifndef WQ_VALUES_H
#define WQ_VALUES_H
#include <stdbool.h>
#include <stddef.h>

/* A range of the Monitoring Plugins guidelines, in milliseconds. An alert is due outside of it, or with
 * .inside in it, ends included. */
struct wq_range {
	bool given, inside;
	int from_ms, to_ms; /* to_ms INT_MAX: no end */
};

/* Each returns 0, or -1 if the text is not such a value; then the result is not changed. */

/* Milliseconds of "1.5", "500ms", "2s", "1m" or "1h", rounded up. */
int wq_parse_duration(const char *s, int *ms);
/* "2" (0 to 2), "1:2", "1:" (no end), "~:2" (also below 0), "@1:2" (alert inside); the numbers are
 * durations. */
int wq_parse_range(const char *s, struct wq_range *range);
/* Bytes of "65536", "64k", "1M" or "1G", at least 1. */
int wq_parse_size(const char *s, size_t *size);
/* A whole number from 0 to INT_MAX. */
int wq_parse_number(const char *s, int *n);

#endif
