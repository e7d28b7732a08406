/* SPDX-License-Identifier: ISC
 * values.h - numbers, sizes and durations on the command line
 */
#ifndef WQ_VALUES_H
#define WQ_VALUES_H
#include <stddef.h>

/* Each returns 0, or -1 if the text is not such a value; then the result is not changed. */

/* Milliseconds of "1.5", "500ms", "2s", "1m" or "1h", rounded up. */
int wq_parse_duration(const char *s, int *ms);
/* Bytes of "65536", "64k", "1M" or "1G", at least 1. */
int wq_parse_size(const char *s, size_t *size);
/* A whole number from 0 to INT_MAX. */
int wq_parse_number(const char *s, int *n);

#endif
