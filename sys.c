/* SPDX-License-Identifier: ISC
 * sys.c - what a connection needs from the operating system: memory, clock, random bytes, poll,
 * one connected socket
 *
 * With WS_NO_NET, net_none.c replaces this file, sys_words.c, resolve.c and net.c.
 */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* getrandom, ioctl */
#endif
#ifndef _DARWIN_C_SOURCE
#define _DARWIN_C_SOURCE
#endif
#include "ws_net.h"
#ifndef WS_NO_NET
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__) || defined(__APPLE__)
#include <sys/random.h>
#endif
#ifdef __linux__
#include <sys/eventfd.h>
#endif

#ifndef MSG_NOSIGNAL /* macOS: wsi_socket_prepare sets SO_NOSIGPIPE instead */
#define MSG_NOSIGNAL 0
#endif

/* Memory, clock, random bytes */

void *wsi_alloc(const struct wsi_mem *m, void *ptr, size_t old_len, size_t new_len)
{
	if (m->alloc)
		return m->alloc(m->user_data, ptr, old_len, new_len);
	if (new_len == 0) {
		free(ptr);
		return NULL;
	}
	return realloc(ptr, new_len);
}

int64_t wsi_clock_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + (uint32_t)ts.tv_nsec / 1000;
}

/* For systems and kernels without a system call for random bytes. */
static int read_urandom(void *buf, size_t len)
{
	int fd = open("/dev/urandom", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, buf, len);
	close(fd);
	return n == (ssize_t)len ? 0 : -1;
}

/* Requests of at most 256 bytes are answered in full or not at all, and no signal interrupts them
 * (getrandom(2), random(4)). */
int wsi_entropy(void *buf, size_t len)
{
#if defined(__linux__)
	if (getrandom(buf, len, GRND_NONBLOCK) == (ssize_t)len)
		return 0;
	if (errno == EAGAIN)
		return 1;
#elif defined(__APPLE__) || defined(__OpenBSD__) || defined(__FreeBSD__) || defined(__NetBSD__)
	if (getentropy(buf, len) == 0)
		return 0;
#endif
	return read_urandom(buf, len);
}

/* Waiting */

static short poll_events(int events)
{
	int r = 0;

	if (events & WS_POLL_READ)
		r |= POLLIN;
	if (events & WS_POLL_WRITE)
		r |= POLLOUT;
	return (short)r;
}

int wsi_poll(const struct ws_pollset *set, int wake_fd)
{
	struct pollfd p[WS_FDS_MAX + 1];
	char woken[64];
	int i;

	for (i = 0; i < set->n; i++) {
		p[i].fd = set->fd[i].fd;
		p[i].events = poll_events(set->fd[i].events);
	}
	p[i].fd = wake_fd; /* poll ignores -1 */
	p[i].events = POLLIN;
	if (poll(p, (nfds_t)i + 1, set->timeout_ms) < 0)
		return errno == EINTR ? 0 : -1;
	if (p[i].revents)
		while (read(wake_fd, woken, sizeof woken) == (ssize_t)sizeof woken)
			;
	return 0;
}

void wsi_wake_open(int fd[2])
{
#ifdef __linux__
	fd[0] = fd[1] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
#else
	int i;

	if (pipe(fd) < 0) {
		fd[0] = fd[1] = -1;
		return;
	}
	for (i = 0; i < 2; i++) {
		fcntl(fd[i], F_SETFD, FD_CLOEXEC);
		fcntl(fd[i], F_SETFL, O_NONBLOCK);
	}
#endif
}

void wsi_wake_close(const int fd[2])
{
	if (fd[0] < 0) /* then fd[1] is -1, too */
		return;
	close(fd[0]);
	if (fd[1] != fd[0])
		close(fd[1]);
}

void wsi_wake(int fd)
{
	const uint64_t one = 1; /* what eventfd(2) takes; any bytes for a pipe */
	int err = errno;

	/* If it is full, it is readable already. */
	if (write(fd, &one, sizeof one) < 0)
		errno = err;
}

/* One connected socket */

/* The result of a call that moved n bytes, or failed with errno. would_wait is the result if it
 * has to wait. */
static ptrdiff_t socket_result(ssize_t n, ptrdiff_t would_wait)
{
	int err = errno;

	if (n > 0)
		return n;
	if (n == 0)
		return WS_IO_EOF;
	if (err == EAGAIN || err == EWOULDBLOCK || err == EINTR)
		return would_wait;
	/* Everything but an error of this machine means that the peer or the network ended the
	 * connection. */
	if (wsi_errno_words(err)->err == WS_EIO)
		return WS_IO_ERROR;
	return WS_IO_RESET;
}

ptrdiff_t wsi_socket_read(void *io, void *buf, size_t len)
{
	return socket_result(read(*(int *)io, buf, len), WS_IO_READ);
}

ptrdiff_t wsi_socket_write(void *io, const void *buf, size_t len)
{
	return socket_result(send(*(int *)io, buf, len, MSG_NOSIGNAL), WS_IO_WRITE);
}

void wsi_socket_close(void *io)
{
	int *fd = io;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void wsi_close_fd(const struct ws_options *opt, int fd)
{
	if (opt->on_close)
		opt->on_close(opt->user_data, fd);
	close(fd);
}

int wsi_socket_prepare(int fd)
{
	int one = 1;

#ifdef SO_NOSIGPIPE
	setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &one, sizeof one);
#endif
	return ioctl(fd, FIONBIO, &one);
}
#endif
