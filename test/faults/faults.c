/* SPDX-License-Identifier: ISC
 * faults.c - makes one system call or allocation fail, for ../cli/ci_faults.py
 *
 * It is linked into a program with the linker's --wrap for each function below. FAULT_KIND says how
 * a call fails: "error", "short", "eintr" or "eagain". Every call that can fail in this way is
 * counted, and FAULT_AT is the number of the one that fails, from 1 on. At the end the process writes
 * the name of the function that failed to the file FAULT_LOG, or "-" if there were fewer calls.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *fault_name; /* the function that failed, or NULL */

enum fault_kind { FAULT_ERROR = 1, FAULT_SHORT = 2, FAULT_EINTR = 4, FAULT_EAGAIN = 8 };

static unsigned fault_kind(void)
{
	static const char *const names[] = {"error", "short", "eintr", "eagain"};
	const char *kind = getenv("FAULT_KIND");
	unsigned i;

	for (i = 0; kind && i < 4; i++)
		if (strcmp(kind, names[i]) == 0)
			return 1U << i;
	return 0;
}

__attribute__((destructor)) static void fault_log(void)
{
	const char *path = getenv("FAULT_LOG");
	FILE *f = path ? fopen(path, "w") : NULL;

	if (!f)
		return;
	fprintf(f, "%s\n", fault_name ? fault_name : "-");
	fclose(f);
}

/* Counts a call. True: it must fail. kinds: how this function can fail. */
static bool fault_is_here(const char *name, unsigned kinds)
{
	static unsigned long calls;
	const char *at = getenv("FAULT_AT");

	if (!at || !(fault_kind() & kinds))
		return false;
	if (strtoul(at, NULL, 10) != __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST))
		return false;
	fault_name = name;
	return true;
}

static int fault_errno(int error)
{
	switch (fault_kind()) {
	case FAULT_EINTR:
		return EINTR;
	case FAULT_EAGAIN:
		return EAGAIN;
	default:
		return error;
	}
}

/* A function that returns -1 and sets errno */
#define FAULT(type, name, parameters, arguments, kinds, error)                                     \
	type __real_##name parameters;                                                             \
	type __wrap_##name parameters;                                                             \
	type __wrap_##name parameters                                                              \
	{                                                                                          \
		if (!fault_is_here(#name, kinds))                                                  \
			return __real_##name arguments;                                            \
		errno = fault_errno(error);                                                        \
		return -1;                                                                         \
	}

FAULT(int, socket, (int domain, int type, int protocol), (domain, type, protocol), FAULT_ERROR,
      EMFILE)
FAULT(int, socketpair, (int domain, int type, int protocol, int pair[2]),
      (domain, type, protocol, pair), FAULT_ERROR, EMFILE)
FAULT(int, pipe, (int pair[2]), (pair), FAULT_ERROR, EMFILE)
FAULT(int, eventfd, (unsigned value, int flags), (value, flags), FAULT_ERROR, ENOSYS)
FAULT(int, bind, (int fd, const struct sockaddr *address, socklen_t len), (fd, address, len),
      FAULT_ERROR, EADDRINUSE)
FAULT(int, connect, (int fd, const struct sockaddr *address, socklen_t len), (fd, address, len),
      FAULT_ERROR, ENETUNREACH)
FAULT(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t len),
      (fd, level, name, value, len), FAULT_ERROR, ENOPROTOOPT)
FAULT(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *len),
      (fd, level, name, value, len), FAULT_ERROR, ENOBUFS)
FAULT(int, shutdown, (int fd, int how), (fd, how), FAULT_ERROR, ENOTCONN)
FAULT(int, poll, (struct pollfd * p, nfds_t n, int ms), (p, n, ms), FAULT_ERROR | FAULT_EINTR,
      ENOMEM)
FAULT(int, fstat, (int fd, struct stat *st), (fd, st), FAULT_ERROR, EIO)
FAULT(int, stat, (const char *path, struct stat *st), (path, st), FAULT_ERROR, EACCES)
FAULT(off_t, lseek, (int fd, off_t offset, int whence), (fd, offset, whence), FAULT_ERROR, ESPIPE)
FAULT(int, nanosleep, (const struct timespec *time, struct timespec *left), (time, left),
      FAULT_EINTR, EINTR)
FAULT(ssize_t, getrandom, (void *buf, size_t len, unsigned flags), (buf, len, flags),
      FAULT_ERROR | FAULT_EINTR | FAULT_EAGAIN, ENOSYS)

/* Functions that move bytes: a short one moves a single byte. */
#define FAULT_MOVE(name, parameters, arguments, arguments_of_one, error)                           \
	ssize_t __real_##name parameters;                                                          \
	ssize_t __wrap_##name parameters;                                                          \
	ssize_t __wrap_##name parameters                                                           \
	{                                                                                          \
		if (!fault_is_here(#name, FAULT_ERROR | FAULT_SHORT | FAULT_EINTR | FAULT_EAGAIN)) \
			return __real_##name arguments;                                            \
		if (fault_kind() == FAULT_SHORT)                                                   \
			return __real_##name arguments_of_one;                                     \
		errno = fault_errno(error);                                                        \
		return -1;                                                                         \
	}

FAULT_MOVE(read, (int fd, void *buf, size_t len), (fd, buf, len), (fd, buf, len > 0), EIO)
FAULT_MOVE(write, (int fd, const void *buf, size_t len), (fd, buf, len), (fd, buf, len > 0), EIO)
/* Functions with another way to fail */

/* After an error of send the connection is dead, as a real one is. */
ssize_t __real_send(int fd, const void *buf, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *buf, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *buf, size_t len, int flags)
{
	if (!fault_is_here("send", FAULT_ERROR | FAULT_SHORT | FAULT_EINTR | FAULT_EAGAIN))
		return __real_send(fd, buf, len, flags);
	if (fault_kind() == FAULT_SHORT)
		return __real_send(fd, buf, len > 0, flags);
	if (fault_kind() == FAULT_ERROR)
		__real_shutdown(fd, SHUT_RDWR);
	errno = fault_errno(EPIPE);
	return -1;
}

void *__real_malloc(size_t len);
void *__wrap_malloc(size_t len);
void *__wrap_malloc(size_t len)
{
	return fault_is_here("malloc", FAULT_ERROR) ? NULL : __real_malloc(len);
}

void *__real_realloc(void *p, size_t len);
void *__wrap_realloc(void *p, size_t len);
void *__wrap_realloc(void *p, size_t len)
{
	return fault_is_here("realloc", FAULT_ERROR) ? NULL : __real_realloc(p, len);
}

int __real_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **result);
int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **result);
int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **result)
{
	if (fault_is_here("getaddrinfo", FAULT_ERROR))
		return EAI_MEMORY;
	return __real_getaddrinfo(node, service, hints, result);
}

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument)
{
	if (fault_is_here("pthread_create", FAULT_ERROR))
		return EAGAIN;
	return __real_pthread_create(thread, attributes, run, argument);
}

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
	va_list arguments;
	long argument;

	va_start(arguments, command);
	argument = va_arg(arguments, long);
	va_end(arguments);
	if (!fault_is_here("fcntl", FAULT_ERROR))
		return __real_fcntl(fd, command, argument);
	errno = EINVAL;
	return -1;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	if (!fault_is_here("open", FAULT_ERROR | FAULT_EINTR))
		return __real_open(path, flags, 0600);
	errno = fault_errno(EMFILE);
	return -1;
}
