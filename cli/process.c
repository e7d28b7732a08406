/* SPDX-License-Identifier: ISC
 * process.c - this process: descriptors 0 to 2, signals, clock, waiting, and reads and writes that
 * cannot block for long
 *
 * Other processes may share standard input, output and error. So their flags are left alone:
 * O_NONBLOCK would hold for all of these processes. What poll() reports is no promise, either:
 * another process may take the bytes or fill the pipe before we do, and a terminal may take less
 * than we write. Any read or write can therefore block, and a timer interrupts it: meanwhile
 * SIGALRM comes every TICK_US. The handler need not do anything. The call ends with EINTR, or with
 * what it has done so far, and the caller looks at the clock before the next one. A tick that comes
 * just before the call is lost, but the next one is not. This works for terminals, pipes and
 * sockets, and needs neither threads nor /proc (opening /proc/self/fd/1 with O_NONBLOCK would be
 * another way).
 */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* for setitimer */
#endif
#include "cli/wsquery.h"
#include "ws_net.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define TICK_US 10000
#define WAIT_UNWOKEN_MS 100 /* between two looks for a signal where there is no pipe for it */

/* Signals */
static volatile sig_atomic_t process_signal; /* the first that came, or 0 */
/* The handler writes to it, so that poll() returns; it is never read. -1: there is no pipe */
static int process_pipe[2] = {-1, -1};

/* Descriptors 0 to 2 that were closed at the start. Whatever has such a number now is not ours to
 * read or write. */
static bool process_closed[3];

/* The timer that interrupts reads and writes */
static volatile sig_atomic_t tick_depth; /* how many calls of wq_tick_start() are not stopped yet */
static void (*volatile tick_look)(void); /* called at each tick; may be NULL */
static bool tick_ready;                  /* the handler is installed */
static struct sigaction tick_action;     /* what SIGALRM did before */
static struct itimerval tick_before;     /* an alarm set before us, since alarm(2) survives exec */
static int64_t tick_since_us;            /* since when our timer has replaced that alarm */

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

static void make_pipe(void)
{
	if (pipe(process_pipe) == 0 && process_pipe[0] > 2 && process_pipe[1] > 2)
		return;
	if (process_pipe[0] >= 0) {
		close(process_pipe[0]);
		close(process_pipe[1]);
	}
	process_pipe[0] = process_pipe[1] = -1;
}

/* Where some of the descriptors 0 to 2 are closed, a socket that leads nowhere takes their place:
 * the connection must not become standard output. Where even that fails, process_closed still keeps
 * us from writing to it. */
static void guard_closed(void)
{
	int fd;

	for (fd = 0; fd < 3; fd++)
		process_closed[fd] = fcntl(fd, F_GETFD) < 0;
	do
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
	while (fd >= 0 && fd < 3);
	if (fd >= 0)
		close(fd);
}

void wq_process_init(void)
{
	struct sigaction sa;

	/* The lowest free numbers are given out first: where the pipe's are above 2, all of 0 to 2
	 * are open */
	make_pipe();
	if (process_pipe[0] < 0) {
		guard_closed();
		make_pipe();
	}
	memset(&sa, 0, sizeof sa);
	sa.sa_handler = on_signal;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sa.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &sa, NULL);
	sigaction(SIGXFSZ, &sa, NULL); /* write() then returns EFBIG */
}

int wq_signal(void)
{
	return process_signal;
}

int64_t wq_now_us(void)
{
	return wsi_clock_us();
}

int wq_wait(struct pollfd *p, unsigned n, int64_t until_us, bool watch)
{
	const struct timespec pause = {0, TICK_US * 1000};
	int ms = wsi_ms_until(wq_now_us(), until_us), r;

	if (watch && process_pipe[0] >= 0) {
		p[n].fd = process_pipe[0];
		p[n++].events = POLLIN;
	} else if (watch && (ms < 0 || ms > WAIT_UNWOKEN_MS)) {
		ms = WAIT_UNWOKEN_MS;
	}
	r = poll(p, n, ms);
	/* EINVAL: more descriptors than may be open. The pause keeps the caller's loop from
	 * spinning. */
	if (r < 0 && errno != EINTR)
		nanosleep(&pause, NULL);
	return r;
}

/* The time left until the alarm that was set before us. <= 0: it is due; WQ_NEVER: there is no such
 * alarm */
static int64_t alarm_left_us(void)
{
	int64_t set_us =
	    (int64_t)tick_before.it_value.tv_sec * 1000000 + tick_before.it_value.tv_usec;

	return set_us == 0 ? WQ_NEVER : set_us - (wq_now_us() - tick_since_us);
}

static void on_tick(int sig)
{
	int saved = errno;

	if ((!tick_depth || alarm_left_us() <= 0) && tick_action.sa_handler == SIG_DFL) {
		sigaction(sig, &tick_action, NULL);
		raise(sig); /* the other alarm is due, and its default is to end the process */
	}
	if (tick_look)
		tick_look();
	errno = saved;
}

static void tick_prepare(void)
{
	struct sigaction sa;

	memset(&sa, 0, sizeof sa);
	sa.sa_handler = on_tick;
	/* tick_look may write, and ticks must interrupt that, too. SA_RESTART would defeat the
	 * purpose. */
	sa.sa_flags = SA_NODEFER;
	sigaction(SIGALRM, &sa, &tick_action);
	sigemptyset(&sa.sa_mask);
	sigaddset(&sa.sa_mask, SIGALRM);
	/* A blocked signal stays blocked across exec. */
	sigprocmask(SIG_UNBLOCK, &sa.sa_mask, NULL);
	tick_ready = true;
}

void wq_tick_look(void (*look)(void))
{
	tick_look = look;
}

void wq_tick_start(void)
{
	static const struct itimerval ticks = {{0, TICK_US}, {0, TICK_US}};

	if (!tick_ready)
		tick_prepare();
	if (tick_depth++)
		return;
	tick_since_us = wq_now_us();
	setitimer(ITIMER_REAL, &ticks, &tick_before);
}

void wq_tick_stop(void)
{
	static const struct itimerval none = {{0, 0}, {0, 0}};
	int64_t left_us = alarm_left_us();

	if (tick_depth > 1) {
		tick_depth--;
		return;
	}
	setitimer(ITIMER_REAL, &none, NULL);
	/* Only now: before, on_tick() would take one of our ticks for the other alarm. */
	tick_depth = 0;
	if (left_us == WQ_NEVER)
		return;
	if (left_us < 1)
		left_us = 1;
	tick_before.it_value.tv_sec = (time_t)(left_us / 1000000);
	tick_before.it_value.tv_usec = (suseconds_t)(left_us % 1000000);
	setitimer(ITIMER_REAL, &tick_before, NULL);
}

void wq_process_opened(int fd)
{
	process_closed[fd] = false;
}

bool wq_is_closed(int fd)
{
	return fd >= 0 && fd < 3 && process_closed[fd];
}

ptrdiff_t wq_read(int fd, void *buf, size_t len)
{
	ssize_t n;
	int err;

	wq_tick_start();
	n = read(fd, buf, len);
	err = errno;
	wq_tick_stop();
	errno = err;
	return n;
}

ptrdiff_t wq_write(int fd, const void *buf, size_t len)
{
	ssize_t n;
	int err;

	if (wq_is_closed(fd)) {
		errno = EBADF;
		return -1;
	}
	wq_tick_start();
	n = write(fd, buf, len);
	err = errno;
	wq_tick_stop();
	errno = err;
	return n;
}
