/* SPDX-License-Identifier: ISC
 * values.c - reads numbers, sizes and durations from the command line
 */
#include "cli/values.h"
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define FRACTION_DIGITS 9 /* digits after a decimal point that are used; the others round up */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Reads the digits that s begins with and returns their count. A number that is too large becomes
 * INT64_MAX. */
static size_t read_digits(const char *s, int64_t *v)
{
	size_t n;

	*v = 0;
	for (n = 0; is_digit(s[n]); n++) {
		if (*v > (INT64_MAX - 9) / 10)
			*v = INT64_MAX;
		else
			*v = *v * 10 + (s[n] - '0');
	}
	return n;
}

int wq_parse_number(const char *s, int *n)
{
	int64_t v;
	size_t len = read_digits(s, &v);

	if (len == 0 || s[len] || v > INT_MAX)
		return -1;
	*n = (int)v;
	return 0;
}

/* By how many bits a unit shifts a number, or -1 for an unknown unit. */
static int size_shift(const char *unit)
{
	if (!*unit)
		return 0;
	if (unit[1])
		return -1;
	switch (*unit) {
	case 'k':
	case 'K':
		return 10;
	case 'm':
	case 'M':
		return 20;
	case 'g':
	case 'G':
		return 30;
	default:
		return -1;
	}
}

int wq_parse_size(const char *s, size_t *size)
{
	int64_t v;
	size_t len = read_digits(s, &v);
	int shift = size_shift(s + len);

	if (len == 0 || shift < 0 || v > INT64_MAX >> shift)
		return -1;
	v <<= shift;
	if (v < 1 || v > INT64_MAX / 2)
		return -1;
	/* A machine with 32 bits cannot hold more than half of its address space anyway. */
	if ((uint64_t)v > PTRDIFF_MAX / 2)
		v = PTRDIFF_MAX / 2;
	*size = (size_t)v;
	return 0;
}

/* The digits after a decimal point: numerator / denominator, and a little more if a digit was left
 * out that is not 0. */
struct fraction {
	int64_t numerator, denominator;
	bool more;
};

static size_t read_fraction(const char *s, struct fraction *f)
{
	size_t n;

	f->numerator = 0;
	f->denominator = 1;
	f->more = false;
	for (n = 0; is_digit(s[n]); n++) {
		if (n < FRACTION_DIGITS) {
			f->numerator = f->numerator * 10 + (s[n] - '0');
			f->denominator *= 10;
		} else if (s[n] != '0') {
			f->more = true;
		}
	}
	return n;
}

/* Milliseconds of a unit of time, or 0 for an unknown unit. */
static int unit_ms(const char *name)
{
	static const struct {
		const char *name;
		int ms;
	} units[] = {{"", 1000}, {"s", 1000}, {"ms", 1}, {"m", 60000}, {"h", 3600000}};
	size_t i;

	for (i = 0; i < sizeof units / sizeof *units; i++)
		if (strcmp(name, units[i].name) == 0)
			return units[i].ms;
	return 0;
}

/* Rounded up: a duration above 0 must not become 0, because 0 means no limit. */
static int64_t fraction_ms(const struct fraction *f, int unit)
{
	int64_t n = f->numerator * unit;

	if (f->more)
		n++;
	return (n + f->denominator - 1) / f->denominator;
}

int wq_parse_duration(const char *s, int *ms)
{
	struct fraction fraction = {0, 1, false};
	int64_t v;
	size_t digits = read_digits(s, &v);
	int unit;

	s += digits;
	if (*s == '.') {
		size_t n = read_fraction(s + 1, &fraction);

		s += 1 + n;
		digits += n;
	}
	unit = unit_ms(s);
	if (digits == 0 || unit == 0 || v > INT_MAX)
		return -1;
	v = v * unit + fraction_ms(&fraction, unit);
	if (v > INT_MAX)
		return -1;
	*ms = (int)v;
	return 0;
}

/* A bound of a range: the duration that s[0..len) is, or without that the one given as none */
static int parse_bound(const char *s, size_t len, int none, int *ms)
{
	char bound[40];

	*ms = none;
	if (len == 0)
		return 0;
	if (len >= sizeof bound)
		return -1;
	memcpy(bound, s, len);
	bound[len] = '\0';
	return wq_parse_duration(bound, ms);
}

int wq_parse_range(const char *s, struct wq_range *range)
{
	struct wq_range r = {true, *s == '@', 0, 0};
	size_t colon;

	if (r.inside)
		s++;
	colon = strcspn(s, ":");
	if (s[colon] == '\0') { /* the end alone */
		if (wq_parse_duration(s, &r.to_ms) < 0)
			return -1;
	} else {
		bool below = colon == 1 && *s == '~'; /* no time is below 0 */

		if (parse_bound(s, below ? 0 : colon, 0, &r.from_ms) < 0
		    || parse_bound(s + colon + 1, strlen(s + colon + 1), INT_MAX, &r.to_ms) < 0)
			return -1;
	}
	if (r.from_ms > r.to_ms)
		return -1;
	*range = r;
	return 0;
}
