/* SPDX-License-Identifier: ISC
 * failing.h - calls of a test program and its libraries that fail when a test says so
 *
 * A program that includes this replaces malloc and its relatives, where glibc has a second name for
 * each and no sanitizer has an allocator of its own (MEMORY_FAILS), and openat on Linux, which can
 * look for absolute paths elsewhere, too.
 */
#ifndef FAILING_H
#define FAILING_H
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)          \
    && !defined(__clang__)
#define MEMORY_FAILS 1
static atomic_int malloc_fails;
/* So many calls of calloc succeed, and the next one fails; < 0: all succeed. */
static atomic_long callocs_left = -1;
/* Blocks that were allocated and not freed, in all of the program. */
static atomic_long blocks_in_use;
extern void *__libc_malloc(size_t len);
extern void *__libc_calloc(size_t n, size_t len);
extern void *__libc_realloc(void *p, size_t len);
extern void __libc_free(void *p);

void *malloc(size_t len)
{
	void *p = NULL;

	if (atomic_load(&malloc_fails))
		errno = ENOMEM;
	else
		p = __libc_malloc(len);
	if (p) {
		atomic_fetch_add(&blocks_in_use, 1);
		memset(p, 0xa5, len); /* nothing may rely on zeros */
	}
	return p;
}

void *calloc(size_t n, size_t len)
{
	if (atomic_load(&callocs_left) == 0) {
		errno = ENOMEM;
		return NULL;
	}
	if (atomic_load(&callocs_left) > 0)
		atomic_fetch_sub(&callocs_left, 1);
	atomic_fetch_add(&blocks_in_use, 1);
	return __libc_calloc(n, len);
}

void *realloc(void *p, size_t len)
{
	if (p == NULL)
		atomic_fetch_add(&blocks_in_use, 1);
	else if (len == 0)
		atomic_fetch_sub(&blocks_in_use, 1);
	return __libc_realloc(p, len);
}

void free(void *p)
{
	if (p != NULL)
		atomic_fetch_sub(&blocks_in_use, 1);
	__libc_free(p);
}
#endif

#ifdef __linux__
#include <fcntl.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>
/* openat fails with open_errno for paths that begin with this. NULL: it does not. */
static const char *open_fails_at;
static int open_errno;
/* Absolute paths are looked for below this directory. NULL: they are not. */
static const char *open_root;

int openat(int dir, const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;
	char below[600];

	if (open_fails_at && strncmp(path, open_fails_at, strlen(open_fails_at)) == 0) {
		errno = open_errno;
		return -1;
	}
	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = (mode_t)va_arg(ap, int);
	va_end(ap);
	if (open_root && *path == '/') {
		if (strlen(open_root) + strlen(path) >= sizeof below)
			abort();
		strcpy(below, open_root);
		strcat(below, path);
		path = below;
	}
	return (int)syscall(SYS_openat, dir, path, flags, mode);
}
#endif
#endif
