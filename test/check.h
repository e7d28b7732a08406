/* SPDX-License-Identifier: ISC
 * check.h - counts tests and names the ones that fail
 *
 * A test is a function. main runs each with TEST(function). A function that works through a table,
 * or through several cases, begins each with check_row("%s", name); then every one of them is a
 * test too, and what the function checks outside of them is one more. A test passes when it made
 * checks and none of them failed; after a failed check it goes on, unless TEST_STOP is set. To add a
 * case, add a row to the nearest table, or a function and its TEST line in main.
 */
#ifndef CHECK_H
#define CHECK_H
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct check {
	const char *name; /* the function that runs, NULL between two */
	unsigned long rows;
	unsigned long made, failed; /* checks of the function itself, outside of its rows */
	char row[120];              /* the row that runs, "" if none */
	unsigned long row_made, row_failed;
	unsigned long tests_passed, tests_failed;
};
static struct check check_now;

static inline int check_that(int ok, const char *file, int line, const char *what)
{
	struct check *c = &check_now;

	if (c->row[0] != '\0') {
		c->row_made++;
		c->row_failed += !ok;
	} else {
		c->made++;
		c->failed += !ok;
	}
	if (!ok)
		fprintf(stderr, "%s:%d: %s%s%s: failed: %s\n", file, line,
		        c->name ? c->name : "main", c->row[0] != '\0' ? ": " : "", c->row, what);
	if (!ok && getenv("TEST_STOP"))
		_Exit(1);
	return ok;
}

/* The step of a loop over very many cases: 1, or n where TEST_QUICK is set. It is set where the same
 * tests run again in a way that makes them slow, as on an emulated machine. */
static inline int check_step(int n)
{
	const char *quick = getenv("TEST_QUICK");

	return quick && *quick ? n : 1;
}

/* A test of this name is over */
static inline void check_count(unsigned long made, unsigned long failed, const char *row)
{
	struct check *c = &check_now;

	if (made > 0 && failed == 0) {
		c->tests_passed++;
		return;
	}
	c->tests_failed++;
	fprintf(stderr, "FAILED %s%s%s%s\n", c->name ? c->name : "main", row[0] != '\0' ? ": " : "",
	        row, made == 0 ? " (made no check)" : "");
}

/* The checks that follow are of the function again, not of a row */
static inline void check_row_end(void)
{
	struct check *c = &check_now;

	if (c->row[0] == '\0')
		return;
	check_count(c->row_made, c->row_failed, c->row);
	c->row[0] = '\0';
	c->row_made = c->row_failed = 0;
}

/* The checks that follow are of the row with this name */
__attribute__((format(printf, 1, 2))) static inline void check_row(const char *fmt, ...)
{
	struct check *c = &check_now;
	va_list ap;
	char *p;

	check_row_end();
	va_start(ap, fmt);
	vsnprintf(c->row, sizeof c->row, fmt, ap);
	va_end(ap);
	for (p = c->row; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f)
			*p = '?';
	if (c->row[0] == '\0')
		strcpy(c->row, "(empty)");
	c->rows++;
}

static inline void check_function(const char *name, void (*test)(void))
{
	struct check *c = &check_now;
	unsigned long made = c->made, failed = c->failed; /* by main */

	c->name = name;
	c->rows = c->made = c->failed = 0;
	test();
	check_row_end();
	if (c->made > 0 || c->rows == 0)
		check_count(c->made, c->failed, "");
	c->name = NULL;
	c->made = made;
	c->failed = failed;
}

static inline void check_u(unsigned long long a, unsigned long long b, const char *file, int line,
                           const char *what)
{
	if (!check_that(a == b, file, line, what))
		fprintf(stderr, "\tgot %llu (0x%llx), want %llu (0x%llx)\n", a, a, b, b);
}

static inline void check_mem(const void *a, size_t a_len, const void *b, size_t b_len,
                             const char *file, int line, const char *what)
{
	size_t i, n;
	int k;

	if (check_that(a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0), file, line,
	               what))
		return;
	for (k = 0; k < 2; k++) {
		const unsigned char *p = k ? b : a;

		n = k ? b_len : a_len;
		fprintf(stderr, "\t%s %lu bytes: ", k ? "want" : "got", (unsigned long)n);
		for (i = 0; i < n && i < 400; i++)
			fprintf(stderr,
			        p[i] >= 0x20 && p[i] < 0x7f && p[i] != '\\' ? "%c" : "\\x%02x",
			        p[i]);
		fprintf(stderr, "\n");
	}
}

static inline void check_str(const char *a, const char *b, const char *file, int line,
                             const char *what)
{
	check_mem(a ? a : "(null)", strlen(a ? a : "(null)"), b, strlen(b), file, line, what);
}

#define CHECK(cond) check_that(!!(cond), __FILE__, __LINE__, #cond)
#define CHECK_EQ_U(a, b)                                                                           \
	check_u((unsigned long long)(a), (unsigned long long)(b), __FILE__, __LINE__, #a " == " #b)
#define CHECK_EQ_S(a, b) check_str(a, b, __FILE__, __LINE__, #a " == " #b)
#define CHECK_EQ_MEM(a, a_len, b, b_len)                                                           \
	check_mem(a, a_len, b, b_len, __FILE__, __LINE__, #a " == " #b)
#define TEST(function) check_function(#function, function)

/* What main returns. Checks that it made itself, before and after the tests, are one test. */
static inline int check_done(void)
{
	struct check *c = &check_now;

	check_row_end();
	if (c->made > 0)
		check_count(c->made, c->failed, "");
	printf("%lu passed, %lu failed\n", c->tests_passed, c->tests_failed);
	return c->tests_failed != 0;
}
#endif
