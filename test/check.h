/* SPDX-License-Identifier: ISC
 * check.h - what the unit tests share: counted checks that go on after a failure
 */
#ifndef CHECK_H
#define CHECK_H
#include <stdio.h>
#include <string.h>

static unsigned long check_passed, check_failed;

static inline int check_that(int ok, const char *file, int line, const char *what)
{
	if (ok) {
		check_passed++;
	} else {
		check_failed++;
		fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
	}
	return ok;
}

static inline void check_u(unsigned long long a, unsigned long long b, const char *file, int line, const char *what)
{
	if (!check_that(a == b, file, line, what))
		fprintf(stderr, "\tgot %llu (0x%llx), want %llu (0x%llx)\n", a, a, b, b);
}

static inline void check_mem(const void *a, size_t a_len, const void *b, size_t b_len, const char *file, int line,
                             const char *what)
{
	size_t i, n;
	int k;

	if (check_that(a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0), file, line, what))
		return;
	for (k = 0; k < 2; k++) {
		const unsigned char *p = k ? b : a;

		n = k ? b_len : a_len;
		fprintf(stderr, "\t%s %lu bytes: ", k ? "want" : "got", (unsigned long)n);
		for (i = 0; i < n && i < 400; i++)
			fprintf(stderr, p[i] >= 0x20 && p[i] < 0x7f && p[i] != '\\' ? "%c" : "\\x%02x", p[i]);
		fprintf(stderr, "\n");
	}
}

static inline void check_str(const char *a, const char *b, const char *file, int line, const char *what)
{
	check_mem(a ? a : "(null)", strlen(a ? a : "(null)"), b, strlen(b), file, line, what);
}

#define CHECK(cond) check_that(!!(cond), __FILE__, __LINE__, #cond)
#define CHECK_EQ_U(a, b) check_u((unsigned long long)(a), (unsigned long long)(b), __FILE__, __LINE__, #a " == " #b)
#define CHECK_EQ_S(a, b) check_str(a, b, __FILE__, __LINE__, #a " == " #b)
#define CHECK_EQ_MEM(a, a_len, b, b_len) check_mem(a, a_len, b, b_len, __FILE__, __LINE__, #a " == " #b)

static inline int check_done(void)
{
	printf("%lu passed, %lu failed\n", check_passed, check_failed);
	return check_failed != 0;
}
#endif
