/* SPDX-License-Identifier: ISC
 * process.c - this process: descriptors 0 to 2, signals, clock, waiting, writing to a reader that may be slow or gone
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/wsquery.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* How long a reader may take nothing, where the time is over or a signal came. Never less for any: the contract's "not
 * before 100 ms" */
#define PATIENCE_US 100000
#define OUT_BUFFER 4096

static volatile sig_atomic_t process_signal;
static int process_mute;               /* errno: nobody reads stderr, and that is found out only once */
static int process_pipe[2] = {-1, -1}; /* written to by the handler, so that poll wakes; never read */

static void on_signal(int sig)
{
	int saved = errno;

	if (!process_signal) {
		process_signal = sig;
		if (write(process_pipe[1], "", 1) < 0)
			errno = saved;
	}
	errno = saved;
}

void wq_process_init(void)
{
	struct sigaction sa;

	/* Where descriptors 0 to 2 are not all open, a pipe gets one: a socket must not become standard output. "/" is
	 * there in any container, and neither read nor written */
	while (pipe(process_pipe) == 0 && process_pipe[0] < 3) {
		close(process_pipe[1]);
		close(process_pipe[0]);
		if (open("/", O_RDONLY) < 0)
			break;
	}
	memset(&sa, 0, sizeof sa);
	sa.sa_handler = on_signal;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sa.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &sa, NULL);
}

int wq_signal(void)
{
	return process_signal;
}

int64_t wq_now_us(void)
{
	struct timespec ts = {0, 0};

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int wq_wait(struct pollfd *p, unsigned n, int64_t until_us, int watch)
{
	int64_t ms = -1;

	if (until_us != WQ_NEVER) {
		ms = until_us - wq_now_us();
		ms = ms <= 0 ? 0 : (ms + 999) / 1000;
		if (ms > INT_MAX)
			ms = INT_MAX;
	}
	if (watch) {
		p[n].fd = process_pipe[0];
		p[n++].events = POLLIN;
	}
	return poll(p, n, (int)ms);
}

static void out_until(struct wq_out *o, int64_t until_us)
{
	int64_t least = wq_now_us() + PATIENCE_US;

	o->until_us = until_us < least ? least : until_us;
}

void wq_out_init(struct wq_out *o, int fd, int64_t until_us)
{
	o->fd = fd;
	o->err = fd == 2 ? process_mute : 0;
	o->len = 0;
	o->cap = sizeof o->small;
	o->buf = o->small;
	out_until(o, until_us);
}

/* What poll says can be written takes at least PIPE_BUF bytes without blocking */
static void out_flush(struct wq_out *o)
{
	size_t done = 0;

	while (done < o->len && !o->err) {
		struct pollfd p[2];
		size_t n = o->len - done;
		int watch = !wq_signal();
		ssize_t r;

		if (!watch && wq_now_us() + PATIENCE_US < o->until_us)
			o->until_us = wq_now_us() + PATIENCE_US;
		p[0].fd = o->fd;
		p[0].events = POLLOUT;
		p[0].revents = 0;
		r = wq_wait(p, 1, o->until_us, watch);
		if (r < 0 && errno != EINTR) {
			o->err = errno;
		} else if (r <= 0 || !p[0].revents) {
			if (wq_now_us() >= o->until_us)
				o->err = ETIMEDOUT;
		} else {
			r = write(o->fd, o->buf + done, n < PIPE_BUF ? n : PIPE_BUF);
			if (r < 0 && errno != EINTR && errno != EAGAIN)
				o->err = errno;
			if (r <= 0)
				continue;
			done += (size_t)r;
			out_until(o, o->until_us);
		}
	}
	o->len = 0;
	if (o->fd == 2)
		process_mute = o->err;
}

/* The buffer is full: a larger one in its place, or empties it */
static void out_room(struct wq_out *o)
{
	char *p = o->buf == o->small ? wq_alloc(NULL, NULL, 0, OUT_BUFFER) : NULL;

	if (!p) {
		out_flush(o);
		return;
	}
	memcpy(p, o->small, o->len);
	o->buf = p;
	o->cap = OUT_BUFFER;
}

void wq_out_n(struct wq_out *o, const void *p, size_t len)
{
	const char *s = p;

	while (len > 0 && !o->err) {
		size_t n = o->cap - o->len;

		if (n == 0) {
			out_room(o);
			continue;
		}
		if (n > len)
			n = len;
		memcpy(o->buf + o->len, s, n);
		o->len += n;
		s += n;
		len -= n;
	}
}

void wq_out(struct wq_out *o, const char *s)
{
	wq_out_n(o, s, strlen(s));
}

void wq_out_u(struct wq_out *o, uint64_t v)
{
	char buf[24];
	struct wsi_text t;

	wsi_text_init(&t, buf, sizeof buf);
	wsi_put_u(&t, v);
	wq_out_n(o, buf, t.len);
}

int wq_out_end(struct wq_out *o)
{
	out_flush(o);
	if (o->buf != o->small)
		wq_alloc(NULL, o->buf, o->cap, 0);
	o->buf = o->small;
	o->cap = sizeof o->small;
	return o->err;
}

void wq_say(const char *what, const char *why)
{
	struct wq_out o;

	wq_out_init(&o, 2, 0);
	wq_print(&o, what ? "wsquery: %s: %s\n" : "wsquery: %s%s\n", what ? what : "", why);
	wq_out_end(&o);
}
