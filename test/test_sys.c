/* SPDX-License-Identifier: ISC
 * test_sys.c - sys.c through ws.h: a connected socket, signals, random bytes, no descriptors left
 */
#include "net.h"
#include "../ws_net.h"

#ifdef __linux__
/* The file that replaces /dev/urandom, and the flags it was last opened with. */
static const char *urandom = "/dev/urandom";
static int urandom_flags;

int open(const char *path, int flags, ...)
{
	if (strcmp(path, "/dev/urandom") == 0) {
		path = urandom;
		urandom_flags = flags;
	}
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0);
}
#endif

/* ws_options.use_fd. */
static void test_use_fd(void)
{
	struct client c;
	struct ws_msg msg;
	int pair[2], r;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	send(pair[1], FAKE_101 "\x81\x02hi\x88\x02\x03\xe8", sizeof FAKE_101 - 1 + 8, 0);
	client_init(&c, "ws://a.test/");
	c.o.use_fd = 1;
	c.o.fd = pair[0];
	CHECK_EQ_U(client_open(&c), 0);
	CHECK(fcntl(pair[0], F_GETFL) & O_NONBLOCK);
	CHECK_EQ_S(ws_report(c.ws)->address, "a.test:80");
	client_talk(&c);
	client_free(&c);
	CHECK(fcntl(pair[0], F_GETFD) < 0);
	close(pair[1]);

	check_row("the library owns fd even if another option or the URL is wrong");
	for (r = 0; r < 2; r++) {
		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
		client_init(&c, r ? "ws://a.test/" : "ftp://a.test/");
		c.o.use_fd = 1;
		c.o.fd = pair[0];
		c.o.family = r ? 3 : 0;
		CHECK_EQ_U(client_open(&c), r ? WS_EUSAGE : WS_EURL);
		client_free(&c);
		CHECK(fcntl(pair[0], F_GETFD) < 0);
		close(pair[1]);
	}
	check_row("not a descriptor");
	for (r = 0; r < 2; r++) {
		client_init(&c, "ws://a.test/");
		c.o.use_fd = 1;
		c.o.fd = r ? -1 : 9999;
		CHECK_EQ_U(client_open(&c), WS_EUSAGE);
		CHECK_EQ_S(ws_report(c.ws)->option, "fd");
		client_free(&c);
	}
	check_row("sending to a closed peer raises no SIGPIPE");
	signal(SIGPIPE, SIG_DFL);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	send(pair[1], FAKE_101, sizeof FAKE_101 - 1, 0);
	client_init(&c, "ws://a.test/");
	c.o.use_fd = 1;
	c.o.fd = pair[0];
	CHECK_EQ_U(client_open(&c), 0);
	close(pair[1]);
	for (r = 0; r < 3; r++)
		ws_send(c.ws, WS_TEXT, "x", 1);
	ws_ping(c.ws, "x", 1);
	r = ws_recv(c.ws, &msg);
	CHECK(r == WS_ECLOSED || r == WS_ERESET);
	CHECK_EQ_U(ws_report(c.ws)->close_code, 1006);
	client_free(&c);
}

/* The ways in which a peer ends a connection. */
static void test_resets(void)
{
	static const struct visit script[] = {
	    {{{"\r\n\r\n", FAKE_101, 0}}, RESET},
	    {{{"\r\n\r\n", FAKE_101, 0}}, HANG_UP},
	    {{{"\r\n\r\n", FAKE_101 "\x81\x05He", sizeof FAKE_101 - 1 + 4}}, HANG_UP},
	    {{{"\r\n\r\n",
	       FAKE_101 "\x81\x02hi\x88\x05\x0f\xa0"
	                "bye",
	       sizeof FAKE_101 - 1 + 11}},
	     RESET},
	    {{{"\r\n\r\n", "HTTP/1.1 101 S", 0}}, HANG_UP},
	    {{{"\r\n\r\n", "", 0}}, HANG_UP},
	    {{{"", "", 0}}, RESET},
	};
	static const int want[] = {WS_ERESET,  WS_ECLOSED, WS_ECLOSED, 0,
	                           WS_ECLOSED, WS_ECLOSED, WS_ERESET};
	struct server s;
	struct client c;
	struct ws_msg msg;
	int i, r;

	server_start(&s, script, 7);
	for (i = 0; i < 7; i++) {
		client_init(&c, "ws://127.0.0.1:%d/", s.port);
		r = client_open(&c);
		if (i < 4) {
			CHECK_EQ_U(r, 0);
			r = ws_recv(c.ws, &msg);
			if (r < 0)
				CHECK_EQ_U(ws_report(c.ws)->close_code, 1006);
		}
		if (!CHECK(r == want[i] || (i == 6 && r == WS_ECLOSED)))
			fprintf(stderr, "%d: %d, %s\n", i, r, ws_errmsg(c.ws));
		if (i == 3) { /* data sent before the reset is not lost */
			sleep_ms(50);
			ws_send(c.ws, WS_TEXT, "x", 1);
			r = ws_recv(c.ws, &msg);
			CHECK((r == WS_ECLOSED && ws_report(c.ws)->close_code == 4000)
			      || r == WS_ERESET);
		}
		client_free(&c);
	}
	server_end(&s);
}

/* Signals do not extend the deadline. */
static atomic_int alarms;

static void on_alarm(int sig)
{
	(void)sig;
	atomic_fetch_add(&alarms, 1);
}

static void test_signals(void)
{
	static const struct visit silent[] = {{{{"\r\n\r\n", FAKE_101, 0}}, LINGER},
	                                      {{{"never", "", 0}}, LINGER}};
	struct itimerval every = {{0, 7000}, {0, 7000}}, off = {{0, 0}, {0, 0}};
	struct sigaction sa;
	struct server s;
	struct client c;
	struct ws_msg msg;
	sigset_t set;
	int64_t start;
	int r;

	memset(&sa, 0, sizeof sa);
	sa.sa_handler = on_alarm; /* no SA_RESTART */
	sigaction(SIGALRM, &sa, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	server_start(&s, silent, 2);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
	client_init(&c, "ws://127.0.0.1:%d/", s.port);
	CHECK_EQ_U(client_open(&c), 0);
	start = clock_us();
	ws_timeout(c.ws, 200);
	r = ws_recv(c.ws, &msg);
	CHECK_EQ_U(r, WS_ETIMEOUT);
	CHECK(clock_us() - start >= 200000 && clock_us() - start < 5000000);
	client_free(&c);
	client_init(&c, "ws://127.0.0.1:%d/", s.port);
	c.o.timeout_ms = 200;
	CHECK_EQ_U(client_open(&c), WS_ETIMEOUT);
	CHECK(c.us >= 200000 && c.us < 5000000);
	client_free(&c);
	setitimer(ITIMER_REAL, &off, NULL);
	CHECK(atomic_load(&alarms) > 0); /* on a slow machine one call may see only one */
	server_end(&s);
}

/* Descriptors below 64 that are open */
static int count_open(void)
{
	int fd, n = 0;

	for (fd = 0; fd < 64; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* The thread of a lookup that has ended closes its descriptor a moment later. */
static void wait_for_open(int n)
{
	struct timespec ms = {.tv_nsec = 1000000};
	int i;

	for (i = 0; i < 10000 && count_open() != n; i++)
		nanosleep(&ms, NULL);
	CHECK_EQ_U(count_open(), n);
}

/* The process has no free descriptors. */
static void test_no_descriptors(void)
{
	struct rlimit old, none;
	struct client c;
	int fds[64], n = 0, k, others = count_open();
	char text[16];

	(void)text;
	getrlimit(RLIMIT_NOFILE, &old);
	none = old;
	none.rlim_cur = 64;
	setrlimit(RLIMIT_NOFILE, &none);
	while (n < 64 && (fds[n] = dup(0)) >= 0)
		n++;
	client_init(&c, "ws://127.0.0.1:1/");
	CHECK_EQ_U(client_open(&c), WS_EIO);
	HAS(&c, "Too many open files");
	CHECK_EQ_U(ws_report(c.ws)->no_descriptor, 1);
	client_free(&c);
	if (ws_features() & WS_HAS_THREADS) {
		client_init(&c, "ws://none.test/");
		CHECK_EQ_U(client_open(&c), WS_EIO);
		HAS(&c, "resolve none.test: the lookup cannot be started: Too many open files");
		CHECK_EQ_U(ws_report(c.ws)->no_descriptor, 1);
		client_free(&c);
		wait_for_open(others + n);
		/* the lookup can be started, but getaddrinfo itself finds too few descriptors */
		for (k = 0; k < 3 && n; k++)
			close(fds[--n]);
		client_init(&c, "ws://none.test/");
		CHECK_EQ_U(client_open(&c), WS_EIO);
		HAS(&c, "resolve none.test: Name or service not known: Too many open files");
		CHECK_EQ_U(ws_report(c.ws)->no_descriptor, 1);
		client_free(&c);
		wait_for_open(others + n);
		/* it found an answer all the same, which has no address */
		client_init(&c, "ws://odd.test/");
		CHECK_EQ_U(client_open(&c), WS_ERESOLVE);
		CHECK_EQ_S(ws_errmsg(c.ws), "resolve odd.test: no address for this name");
		CHECK_EQ_U(ws_report(c.ws)->no_descriptor, 0);
		client_free(&c);
		wait_for_open(others + n);
		/* one for ws_cancel, two for the thread, three for getaddrinfo */
		for (k = 0; k < 3 && n; k++)
			close(fds[--n]);
		client_init(&c, "ws://none.test/");
		CHECK_EQ_U(client_open(&c), WS_ERESOLVE);
		CHECK_EQ_U(ws_report(c.ws)->no_descriptor, 0);
		client_free(&c);
		wait_for_open(others + n);
		while (n < 64 && (fds[n] = dup(0)) >= 0)
			n++;
		/* a lost lookup may release one, so a new lookup waits for it until the deadline */
		for (k = 0; k < 2 && n; k++)
			close(fds[--n]);
		resolver_holds();
		lose_lookup();
		while (n < 64 && (fds[n] = dup(0)) >= 0)
			n++;
		client_init(&c, "ws://none.test/");
		c.o.timeout_ms = 60;
		CHECK_EQ_U(client_open(&c), WS_ETIMEOUT);
		HAS(&c, "resolve none.test: waiting for earlier lookups, which are still "
		        "unanswered: Too many open files");
		client_free(&c);
		resolver_lets_go();
	}
#if defined(__linux__)
	/* /dev/urandom needs a descriptor */
	atomic_store(&random_lacks, 1);
	CHECK_EQ_U(wsi_entropy(text, sizeof text), -1);
	client_init(&c, "ws://a/");
	c.o.entropy = NULL;
	c.o.use_fd = 1;
	c.o.fd = n ? fds[--n] : -1;
	k = dup2(c.o.fd, c.o.fd);
	CHECK_EQ_U(client_open(&c), WS_EENTROPY);
	fds[n] = dup(0); /* take the descriptor that ws_free closed */
	n += fds[n] >= 0;
	client_free(&c);
	atomic_store(&random_lacks, 0);
	(void)k;
#endif
	for (k = 0; k < n; k++)
		close(fds[k]);
	setrlimit(RLIMIT_NOFILE, &old);
}

#if defined(__linux__)
/* Random bytes: getrandom is interrupted, not ready yet after booting, or missing in an old
 * kernel. */
static void test_random(void)
{
	static const struct visit refuse[] = {
	    {{{"\r\n\r\n", "HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n", 0}}, LINGER},
	    {{{"\r\n\r\n", "HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n", 0}}, LINGER},
	    {{{"\r\n\r\n", "HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n", 0}}, LINGER},
	    {{{"\r\n\r\n", "HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n", 0}}, LINGER}};
	struct server s;
	struct client c;
	char *keys[4];
	int i, k;

	server_start(&s, refuse, 4);
	for (i = 0; i < 4; i++) {
		client_init(&c, "ws://127.0.0.1:%d/", s.port);
		c.o.entropy = NULL;
		atomic_store(&random_interrupted, i == 1 ? 3 : 0);
		atomic_store(&random_late, i == 2 ? 3 : 0);
		atomic_store(&random_lacks, i == 3);
		CHECK_EQ_U(client_open(&c), WS_EHTTP);
		if (i == 2)
			CHECK(c.us >= 20000);
		client_free(&c);
	}
	atomic_store(&random_lacks, 0);
	server_end(&s);
	for (i = 0; i < 4; i++) {
		keys[i] = strstr(s.seen[i], "Sec-WebSocket-Key: ");
		if (!CHECK(keys[i] != NULL))
			return;
		CHECK(keys[i][19 + 24] == '\r' && keys[i][19 + 23] == '=');
		for (k = 0; k < i; k++)
			CHECK(memcmp(keys[i], keys[k], 19 + 24) != 0);
	}
	/* not ready before the deadline */
	client_init(&c, "ws://127.0.0.1:%d/", s.port);
	{
		int pair[2];

		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
		c.o.use_fd = 1;
		c.o.fd = pair[0];
		c.o.entropy = NULL;
		c.o.timeout_ms = 100;
		atomic_store(&random_late, 1000000);
		CHECK_EQ_U(client_open(&c), WS_ETIMEOUT);
		CHECK(c.us >= 100000 && c.us < 5000000);
		atomic_store(&random_late, 0);
		client_free(&c);
		close(pair[1]);
	}
}
#endif

/* Polling ends only for the events that were asked for. */
static void test_poll_events(void)
{
	static const struct {
		const char *name;
		bool readable, writable;
		int events;
		bool waits;
	} cases[] = {
	    {"to read, and there is room to write", false, true, WS_POLL_READ, true},
	    {"to write, and there is something to read", true, false, WS_POLL_WRITE, true},
	    {"to read what is there", true, false, WS_POLL_READ, false},
	    {"to write where there is room", false, true, WS_POLL_WRITE, false},
	};
	static char block[4096];
	struct ws_pollset set;
	int64_t begun, took;
	int pair[2];
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s", cases[i].name);
		CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
		if (cases[i].readable)
			CHECK(send(pair[1], "x", 1, 0) == 1);
		while (!cases[i].writable && send(pair[0], block, sizeof block, 0) > 0)
			;
		memset(&set, 0, sizeof set);
		set.n = 1;
		set.fd[0].fd = pair[0];
		set.fd[0].events = cases[i].events;
		set.timeout_ms = cases[i].waits ? 30 : 20000;
		begun = clock_us();
		CHECK_EQ_U(wsi_poll(&set, -1), 0);
		took = clock_us() - begun;
		CHECK(cases[i].waits ? took >= 30000 : took < 20000000);
		close(pair[0]);
		close(pair[1]);
	}
	check_row_end();
}

/* poll(2) refuses more descriptors than the process may have open. */
static void test_poll_failing(void)
{
#ifdef __linux__
	struct rlimit old, few;
	struct ws_pollset set;

	getrlimit(RLIMIT_NOFILE, &old);
	few = old;
	few.rlim_cur = WS_FDS_MAX;
	memset(&set, 0, sizeof set);
	for (set.n = 0; set.n < WS_FDS_MAX; set.n++)
		set.fd[set.n].fd = -1;
	setrlimit(RLIMIT_NOFILE, &few);
	CHECK_EQ_U(wsi_poll(&set, -1), -1);
	set.n--; /* one place fewer, because wsi_wake needs one */
	CHECK_EQ_U(wsi_poll(&set, -1), 0);
	setrlimit(RLIMIT_NOFILE, &old);
#endif
}

/* A signal ends the wait, as the end of the time does. */
static void test_poll_interrupted(void)
{
	const struct itimerval soon = {.it_value = {.tv_usec = 20000}};
	struct ws_pollset none;

	memset(&none, 0, sizeof none);
	none.timeout_ms = 20000;
	setitimer(ITIMER_REAL, &soon, NULL); /* on_alarm */
	CHECK_EQ_U(wsi_poll(&none, -1), 0);
}

/* Memory of the program's, or of the system's. */
static void test_memory(void)
{
	struct fake f;
	struct wsi_mem given = {.alloc = fake_alloc, .user_data = &f}, none = {.user_data = &f};
	char *p;
#ifdef MEMORY_FAILS
	long blocks;
#endif

	fake_init(&f, "", 0);
	p = wsi_alloc(&given, NULL, 0, 10);
	CHECK_EQ_U(f.alive, 10);
	wsi_alloc(&given, p, 10, 0);
	CHECK_EQ_U(f.alive, 0);
	p = wsi_alloc(&none, NULL, 0, 10);
	memcpy(p, "123456789", 10);
	p = wsi_alloc(&none, p, 10, 100000);
	CHECK_EQ_S(p, "123456789");
#ifdef MEMORY_FAILS
	blocks = atomic_load(&blocks_in_use);
#endif
	CHECK(wsi_alloc(&none, p, 100000, 0) == NULL);
#ifdef MEMORY_FAILS
	CHECK_EQ_U(atomic_load(&blocks_in_use), blocks - 1);
#endif
	CHECK(wsi_alloc(&none, NULL, 0, 0) == NULL);
	CHECK_EQ_U(f.allocs, 1);
}

/* The program has closed its standard input, so a file gets descriptor 0, which must work like any
 * other. */
static void test_descriptor_0(void)
{
	unsigned char bytes[16] = {0}, none[16] = {0};
	int kept = dup(0), pair[2], fd;

	close(0);
#ifdef __linux__
	atomic_store(&random_lacks, 1); /* so that a file is opened */
	CHECK_EQ_U(wsi_entropy(bytes, sizeof bytes), 0);
	CHECK(memcmp(bytes, none, sizeof bytes) != 0);
	CHECK_EQ_U(urandom_flags, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	urandom = "/dev/null"; /* which gives no bytes */
	CHECK_EQ_U(wsi_entropy(bytes, sizeof bytes), -1);
	urandom = "/dev/urandom";
	atomic_store(&random_lacks, 0);
#endif
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && pair[0] == 0);
	fd = pair[0];
	wsi_socket_close(&fd);
	CHECK(fcntl(0, F_GETFD) < 0);
	CHECK_EQ_U(fd, -1);
	errno = 0;
	wsi_socket_close(&fd);
	CHECK_EQ_U(errno, 0); /* a socket is closed once */
	close(pair[1]);
	CHECK(pipe(pair) == 0 && pair[0] == 0);
	wsi_wake_close(pair);
	CHECK(fcntl(pair[0], F_GETFD) < 0 && fcntl(pair[1], F_GETFD) < 0);
	dup2(kept, 0);
	close(kept);
	(void)bytes;
	(void)none;
}

/* What reading and writing a socket returns. */
static void test_socket(void)
{
	char byte = 'x';
	int pair[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	CHECK_EQ_U(wsi_socket_prepare(pair[0]), 0);
	CHECK_EQ_U(wsi_socket_read(&pair[0], &byte, 1), WS_IO_READ);
	CHECK_EQ_U(wsi_socket_write(&pair[1], &byte, 1), 1);
	CHECK_EQ_U(wsi_socket_read(&pair[0], &byte, 1), 1);
#ifdef __linux__
	atomic_store(&send_errno, EINTR);
	CHECK_EQ_U(wsi_socket_write(&pair[1], &byte, 1), WS_IO_WRITE);
#endif
	close(pair[1]);
	CHECK_EQ_U(wsi_socket_read(&pair[0], &byte, 1), WS_IO_EOF);
	close(pair[0]);
}

/* wsi_wake of a full counter, which must not change errno; and a descriptor that is not open */
static void test_calls(void)
{
	int fd[2], closed = 9999;
	int64_t begun;
	char byte = 0;
#ifdef __linux__
	uint64_t full = UINT64_MAX - 1;
	struct ws_pollset none;

	wsi_wake_open(fd);
	CHECK(write(fd[1], &full, sizeof full) == (ssize_t)sizeof full);
	errno = ERANGE;
	wsi_wake(fd[1]);
	CHECK_EQ_U(errno, ERANGE);
	memset(&none, 0, sizeof none);
	none.timeout_ms = -1;
	CHECK_EQ_U(wsi_poll(&none, fd[0]), 0); /* this empties the counter */
	none.timeout_ms = 0;
	CHECK(read(fd[0], &full, sizeof full) < 0 && errno == EAGAIN);
	errno = 0;
	wsi_wake_close(fd);
	CHECK_EQ_U(errno, 0); /* an eventfd is one descriptor, which is closed once */
	CHECK(fcntl(fd[0], F_GETFD) < 0);
#endif
	begun = clock_us();
	CHECK(begun <= wsi_clock_us() && wsi_clock_us() <= clock_us());
	fd[0] = fd[1] = -1;
	errno = 0;
	wsi_wake_close(fd);
	CHECK_EQ_U(errno, 0); /* nothing is closed */
	test_poll_failing();
	test_poll_events();
	test_poll_interrupted();
	test_descriptor_0();
	test_socket();
	CHECK_EQ_U(wsi_socket_read(&closed, &byte, 1), WS_IO_ERROR);
	CHECK_EQ_U(wsi_socket_write(&closed, &byte, 1), WS_IO_ERROR);
}

int main(void)
{
	int before = count_fds();

	TEST(test_use_fd);
	TEST(test_resets);
	TEST(test_signals);
#if defined(__linux__)
	TEST(test_random);
#endif
	TEST(test_no_descriptors);
	TEST(test_calls);
	TEST(test_memory);
	return net_done(before);
}
