/* SPDX-License-Identifier: ISC
 * test_process.c - reads and writes that would block, and readers that are slow
 */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700
#endif
#include "cli/wsquery.h"
#include "test/check.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void make_pipe(int p[2])
{
	if (pipe(p) < 0) {
		perror("pipe");
		_exit(1);
	}
}

/* Writes until not one more byte is taken */
static void fill(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	while (write(fd, "x", 1) == 1)
		;
	fcntl(fd, F_SETFL, flags);
}

static void test_nothing_blocks(void)
{
	int p[2];
	char c;

	make_pipe(p);
	CHECK(wq_read(p[0], &c, 1) == -1 && errno == EINTR);
	CHECK(wq_write(p[1], "ab", 2) == 2);
	CHECK(wq_read(p[0], &c, 1) == 1 && c == 'a');
	fill(p[1]);
	CHECK(wq_write(p[1], "x", 1) == -1 && errno == EINTR);
	close(p[0]);
	close(p[1]);
}

/* A reader that has gone, whatever kind of pipe it has, and however late it is */
static void test_a_reader_that_is_gone(void)
{
	struct wq_out o;
	int p[2], nonblock;

	for (nonblock = 0; nonblock <= 1; nonblock++) {
		make_pipe(p);
		if (nonblock)
			fcntl(p[1], F_SETFL, O_NONBLOCK);
		wq_out_init(&o, p[1], 0, 0);
		wq_out(&o, "late, but there is room");
		CHECK_EQ_U(wq_out_end(&o), 0);
		fill(p[1]);
		if (nonblock)
			fcntl(p[1], F_SETFL, O_NONBLOCK);
		wq_out_init(&o, p[1], 0, SIZE_MAX);
		wq_out(&o, "x");
		CHECK_EQ_U(wq_out_end(&o), ETIMEDOUT);
		close(p[0]);
		close(p[1]);
	}
}

/* Writes 200,000 bytes after the deadline to a reader that takes 4 KiB every 5 ms. Returns the
 * result. */
static int write_to_a_slow_reader(size_t size)
{
	static char data[200000], taken[4096];
	const struct timespec pause = {0, 5000000};
	struct wq_out o;
	int p[2], err;
	pid_t child;

	make_pipe(p);
	child = fork();
	if (child == 0) {
		close(p[1]);
		while (read(p[0], taken, sizeof taken) > 0)
			nanosleep(&pause, NULL);
		_exit(0);
	}
	close(p[0]);
	wq_out_init(&o, p[1], 0, size);
	wq_out_n(&o, data, sizeof data);
	err = wq_out_end(&o);
	close(p[1]);
	waitpid(child, NULL, 0);
	return err;
}

static void test_a_slow_reader(void)
{
	int i, err = -1;

	check_row("100 ms are too few for that, and that it goes on reading makes them no more");
	CHECK_EQ_U(write_to_a_slow_reader(0), ETIMEDOUT);
	check_row("where it may take its time it has that, unless a busy machine lets it sleep for "
	          "100 ms");
	for (i = 0; i < 20 && err; i++)
		err = write_to_a_slow_reader(1000000000);
	CHECK_EQ_U(err, 0);
}

/* poll refuses more descriptors than the process may open: a loop around it must not busy-wait */
static void test_poll_fails(void)
{
	struct rlimit old, none;
	struct pollfd p[2] = {{0, POLLIN, 0}, {0, 0, 0}};
	int64_t begun = wq_now_us();
	int i;

	getrlimit(RLIMIT_NOFILE, &old);
	none = old;
	none.rlim_cur = 0;
	if (setrlimit(RLIMIT_NOFILE, &none) < 0)
		return;
	for (i = 0; i < 5; i++)
		wq_wait(p, 1, wq_now_us() + 2000, 0);
	setrlimit(RLIMIT_NOFILE, &old);
	CHECK(wq_now_us() - begun >= 5000);
}

int main(void)
{
	wq_process_init();
	TEST(test_nothing_blocks);
	TEST(test_a_reader_that_is_gone);
	TEST(test_a_slow_reader);
	TEST(test_poll_fails);
	return check_done();
}
