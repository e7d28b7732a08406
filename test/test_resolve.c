/* SPDX-License-Identifier: ISC
 * test_resolve.c - resolve.c through ws.h: names, the lookup thread, lost lookups
 */
#include "net.h"
#include "../ws_net.h"

static void test_resolver(void)
{
	struct client c;
	struct server s;
	char text[100];
	size_t i;
	int nonblock, port, fd;

	for (nonblock = 0; nonblock < 2; nonblock++) {
		sigset_t was, is;
		int sig;

		server_start(&s, good, 3);
		client_init(&c, "ws://slow.a127-0-0-1.test:%d/", s.port);
		c.o.nonblock = nonblock;
		pthread_sigmask(SIG_SETMASK, NULL, &was);
		CHECK_EQ_U(client_open(&c), 0);
		pthread_sigmask(SIG_SETMASK, NULL, &is);
		for (sig = 1; sig < 32 && sigismember(&was, sig) == sigismember(&is, sig); sig++)
			;
		CHECK_EQ_U(sig, 32);
		CHECK(ws_report(c.ws)->phase_us[WS_PHASE_RESOLVE] >= 90000);
		sprintf(text, "127.0.0.1:%d", s.port);
		CHECK_EQ_S(ws_report(c.ws)->address, text);
		if (nonblock)
			CHECK(c.changes >= 1);
		client_talk(&c);
		client_free(&c);
		/* the families alternate; addresses of other families are skipped */
		client_init(&c, "ws://odd.a127-0-0-8.a127-0-0-9.a6.a127-0-0-1.test:%d/", s.port);
		c.o.nonblock = nonblock;
		CHECK_EQ_U(client_open(&c), 0);
		client_talk(&c);
		client_free(&c);
		client_init(&c, "ws://a127-0-0-1.test:%d/", s.port);
		c.o.nonblock = nonblock;
		c.o.family = 6;
		CHECK_EQ_U(client_open(&c), WS_ERESOLVE);
		HAS(&c, "Name or service not known"); /* asked for that family only */
		client_free(&c);
		client_init(&c, "ws://a6.test:%d/", s.port);
		c.o.nonblock = nonblock;
		c.o.family = 4;
		CHECK_EQ_U(client_open(&c), WS_ERESOLVE);
		HAS(&c, "Name or service not known");
		client_free(&c);
		client_init(&c, "ws://a6.a127-0-0-1.test:%d/", s.port);
		c.o.nonblock = nonblock;
		c.o.family = 4;
		CHECK_EQ_U(client_open(&c), 0);
		client_talk(&c);
		client_free(&c);
		server_end(&s);

		for (i = 0; i < sizeof gai_failures / sizeof gai_failures[0]; i++) {
			client_init(&c, "ws://%stest/", gai_failures[i].name);
			c.o.nonblock = nonblock;
			CHECK_EQ_U(client_open(&c), gai_failures[i].result);
			HAS(&c, gai_failures[i].has);
			CHECK_EQ_U(ws_report(c.ws)->phase, WS_PHASE_RESOLVE);
			CHECK(!strpbrk(ws_errmsg(c.ws), "0123456789"));
			client_free(&c);
		}
		port = 0;
		fd = bound("127.0.0.1", &port);
		client_init(&c, "ws://many.test:%d/", port);
		c.o.nonblock = nonblock;
		CHECK_EQ_U(client_open(&c), WS_EREFUSED);
		HAS(&c, "many.test");
		sprintf(text, "127.77.77.%d:", WS_MAX_ADDRESSES);
		HAS(&c, text);
		sprintf(text, "127.77.77.%d:", WS_MAX_ADDRESSES + 1);
		CHECK(!strstr(ws_errmsg(c.ws), text));
		client_free(&c);
		close(fd);

		/* a name that is never answered: abandoned at the deadline, or by ws_free */
		resolver_holds();
		client_init(&c, "ws://x.hang.test/");
		c.o.nonblock = nonblock;
		c.o.timeout_ms = 100;
		CHECK_EQ_U(client_open(&c), WS_ETIMEOUT);
		CHECK(c.us >= 100000 && c.us < 5000000);
		HAS(&c, "resolve x.hang.test");
		CHECK_EQ_U(ws_report(c.ws)->phase, WS_PHASE_RESOLVE);
		client_free(&c);
		if (nonblock) {
			struct ws_pollset set;

			client_init(&c, "ws://y.hang.test/");
			c.o.nonblock = 1;
			c.ws = ws_new(c.url, &c.o);
			CHECK_EQ_U(ws_open(c.ws), WS_AGAIN);
			ws_wants(c.ws, &set);
			CHECK(set.n == 1 && set.fd[0].fd >= 0 && set.fd[0].events == WS_POLL_READ);
			CHECK(fcntl(set.fd[0].fd, F_GETFD) & FD_CLOEXEC);
			CHECK_EQ_U(ws_open(c.ws), WS_AGAIN);
			client_free(&c);
			CHECK(fcntl(set.fd[0].fd, F_GETFD) < 0);
		}
		resolver_lets_go();
	}
	CHECK_EQ_U(atomic_load(&signals_open), 0); /* the thread blocks all signals */
	CHECK_EQ_U(atomic_load(&odd_hints), 0);
	/* a name that is too long */
	{
		char name[WS_MAX_URL];

		strcpy(name, "ws://");
		for (i = 5; i < 5 + 300; i++)
			name[i] = i % 40 ? 'x' : '.';
		strcpy(name + i, "/");
		client_init(&c, "");
		c.ws = ws_new(name, &c.o);
		CHECK(ws_open(c.ws) == WS_ERESOLVE || ws_open(c.ws) == WS_EURL);
		client_free(&c);
	}
}

/* The addresses that a lookup returns, in the order in which they are tried. */
static void test_order(void)
{
	static const struct {
		const char *host, *want;
		int family;
	} cases[] = {
	    {"a127-0-0-1.a127-0-0-2.a6.test", "127.0.0.1 ::1 127.0.0.2", 0},
	    {"a6.a6.a127-0-0-1.a127-0-0-2.test", "::1 127.0.0.1 ::1 127.0.0.2", 0},
	    {"a127-0-0-1.a6.a127-0-0-2.test", "127.0.0.1 127.0.0.2", 4},
	    {"odd.a127-0-0-1.a6.test", "127.0.0.1 ::1", 0},
	    {"a127-0-0-1.link7.a6.test", "127.0.0.1 fe80::1%7 ::1", 0},
	    {"localhost", "::1 127.0.0.1", 0},
	    {"localhost", "::1", 6},
	    {"a127-0-0-8.test", "127.0.0.8", 0},
	    {"given.test", "127.0.0.5 ::2 127.0.0.6", 0},
	    {"given.test", "::2", 6},
	};
	static const char *const given[] = {"given.test:80:127.0.0.5", "given.test:80:127.0.0.6",
	                                    "given.test:80:[::2]", "given.test:81:127.0.0.7", NULL};
	struct ws_options opt;
	struct wsi_url to;
	struct wsi_lookup l;
	struct wsi_text t;
	char url[100], text[200];
	size_t i;
	int k;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s, family %d", cases[i].host, cases[i].family);
		snprintf(url, sizeof url, "ws://%s/", cases[i].host);
		CHECK(!wsi_url_parse(&to, url, strlen(url)));
		memset(&opt, 0, sizeof opt);
		opt.family = cases[i].family;
		opt.resolve = given;
		wsi_resolve_init(&l, &opt, &to);
		while (wsi_resolve(&l, 0) == WS_AGAIN)
			sleep_ms(1);
		CHECK_EQ_U(l.err, 0);
		wsi_text_init(&t, text, sizeof text);
		for (k = 0; k < l.n; k++) {
			if (k > 0)
				wsi_put(&t, " ");
			wsi_put_ip(&t, l.addr[k].bytes, l.addr[k].len);
			if (l.addr[k].scope) {
				wsi_put(&t, "%");
				wsi_put_u(&t, l.addr[k].scope);
			}
		}
		CHECK_EQ_S(text, cases[i].want);
		wsi_resolve_end(&l);
	}
	check_row_end();
}

/* Entries of ws_options.resolve. */
static void test_entries(void)
{
	static const struct {
		const char *entry;
		int valid;
	} cases[] = {
	    {"a:80:127.0.0.1", 1},
	    {"a:80:::1", 1},
	    {"a:80:[::1]", 1},
	    {"[::1]:80:[::2]", 1},
	    {"[a]:80:127.0.0.1", 1},
	    {"a:1:127.0.0.1", 1},
	    {"a:65535:127.0.0.1", 1},
	    {"a:0:127.0.0.1", 0},
	    {"a:65536:127.0.0.1", 0},
	    {"a::127.0.0.1", 0},
	    {":80:127.0.0.1", 0},
	    {"[]:80:127.0.0.1", 0},
	    {"", 0},
	    {"a", 0},
	    {"a:80", 0},
	    {"a:80:", 0},
	    {"a:80:b", 0},
	    {"a:80:127.0.0.1 ", 0},
	    {"a:80 :127.0.0.1", 0},
	    {"[a:80:127.0.0.1", 0},
	    {"[a]b:80:127.0.0.1", 0},
	    {"a:80:[::1]:", 0},
	    {"a:80:[::1\0]", 0}, /* nothing is read after the end */
	};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s", cases[i].entry);
		CHECK_EQ_U(wsi_is_override(cases[i].entry), cases[i].valid);
	}
	check_row_end();
}

/* Lost lookups are limited in number and hold no descriptors. */
static void test_lost_lookups(void)
{
	struct ws_pollset set;
	struct client c, later;
	int r, nonblock, begun, fds = count_fds();

	resolver_holds();
	begun = atomic_load(&lookups) + WS_MAX_LOST_LOOKUPS;
	while (atomic_load(&lookups) < begun) { /* lost lookups of earlier tests may still end */
		lose_lookup();
		sleep_ms(1);
	}
	CHECK(count_fds() <= fds);
	for (nonblock = 0; nonblock < 2; nonblock++) {
		client_init(&c, "ws://again.test/");
		c.o.nonblock = nonblock;
		c.o.timeout_ms = 60;
		CHECK_EQ_U(client_open(&c), WS_ETIMEOUT);
		CHECK(c.us >= 60000);
		CHECK_EQ_U(ws_report(c.ws)->phase, WS_PHASE_RESOLVE);
		HAS(&c, "resolve again.test: waiting for earlier lookups, too many of which are "
		        "still unanswered: timed "
		        "out after ");
		client_free(&c);
		/* a host that needs no lookup does not wait */
		client_init(&c, "ws://localhost:1/");
		c.o.nonblock = nonblock;
		CHECK_EQ_U(client_open(&c), WS_EREFUSED);
		client_free(&c);
	}
#if !defined(__SANITIZE_THREAD__)
	{ /* a child of fork has no lost lookups */
		int status = -1;
		pid_t child = fork();

		if (child == 0) {
			client_init(&c, "ws://again.test/");
			_exit(client_open(&c) == WS_ERESOLVE ? 0 : 1);
		}
		CHECK(child > 0 && waitpid(child, &status, 0) == child);
		CHECK_EQ_U(status, 0);
	}
#endif
	/* a lookup that waits starts as soon as other lookups end */
	client_init(&c, "ws://again.test/");
	c.o.nonblock = 1;
	c.ws = ws_new(c.url, &c.o);
	CHECK_EQ_U(ws_open(c.ws), WS_AGAIN);
	ws_wants(c.ws, &set);
	CHECK(set.n == 0 && set.timeout_ms > 0 && set.timeout_ms <= 1000);
	CHECK_EQ_U(atomic_load(&lookups), begun);
	client_init(&later, "ws://late.hang.test/");
	later.o.nonblock = 1;
	later.ws = ws_new(later.url, &later.o);
	CHECK_EQ_U(ws_open(later.ws), WS_AGAIN);
	resolver_lets_go();
	while ((r = ws_open(c.ws)) == WS_AGAIN) {
		ws_wants(c.ws, &set);
		poll_set(&set);
	}
	CHECK_EQ_U(r, WS_ERESOLVE);
	HAS(&c, "resolve again.test: Temporary failure in name resolution: ");
	client_free(&c);
	/* once it has started, the sentence no longer says that it waits */
	resolver_holds();
	do {
		CHECK_EQ_U(ws_open(later.ws), WS_AGAIN);
		ws_wants(later.ws, &set);
	} while (set.n == 0);
	ws_timeout(later.ws, 0);
	CHECK_EQ_U(ws_open(later.ws), WS_ETIMEOUT);
	HAS(&later, "resolve late.hang.test: timed out after ");
	client_free(&later);
	resolver_lets_go();
}

/* A lookup that an earlier test left behind may have the descriptor for a moment. */
static bool is_free_soon(int fd)
{
	int i;

	for (i = 0; i < 5000 && fcntl(fd, F_GETFD) >= 0; i++)
		poll(NULL, 0, 1);
	return fcntl(fd, F_GETFD) < 0;
}

/* The program has closed its standard input, and the lookup that failed looks whether it could have had
 * descriptors. */
static void test_descriptor_0(void)
{
	struct ws_pollset set;
	struct client c;
	int kept = dup(0), r;

	resolver_holds();
	client_init(&c, "ws://x.hang.test/");
	c.o.nonblock = 1;
	c.ws = ws_new(c.url, &c.o);
	CHECK_EQ_U(ws_open(c.ws), WS_AGAIN);
	close(0);
	resolver_lets_go();
	while ((r = ws_open(c.ws)) == WS_AGAIN) {
		ws_wants(c.ws, &set);
		poll_set(&set);
	}
	CHECK_EQ_U(r, WS_ERESOLVE);
	CHECK_EQ_S(ws_errmsg(c.ws), "resolve x.hang.test: Name or service not known");
	CHECK_EQ_U(ws_report(c.ws)->no_descriptor, 0);
	CHECK(is_free_soon(0));
	client_free(&c);
	dup2(kept, 0);
	close(kept);
}

#if !defined(__SANITIZE_THREAD__)
/* The end of a lookup is seen at once, although a child of fork has a copy of the thread's descriptor. */
static void test_copied_descriptor(void)
{
	struct ws_pollset set;
	struct client c;
	pid_t child;

	resolver_holds();
	client_init(&c, "ws://x.hang.test/");
	c.o.nonblock = 1;
	c.ws = ws_new(c.url, &c.o);
	CHECK_EQ_U(ws_open(c.ws), WS_AGAIN);
	child = fork();
	if (child == 0) {
		alarm(60); /* in case that this test is ended before */
		pause();
		_exit(0);
	}
	resolver_lets_go();
	ws_wants(c.ws, &set);
	CHECK(set.n == 1 && poll_set(&set) == 1);
	CHECK_EQ_U(ws_open(c.ws), WS_ERESOLVE);
	kill(child, SIGKILL);
	CHECK(waitpid(child, NULL, 0) == child);
	client_free(&c);
}
#endif

/* Many connections in many threads. Some of their names are never answered. */
#define THREADS 12
#define ROUNDS 6 /* a third of the lookups hang, in total fewer than WS_MAX_LOST_LOOKUPS */

struct crowd {
	int port, good, timeouts, others, wrong;
};

static void *crowd_run(void *arg)
{
	struct crowd *w = arg;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		struct client c;
		struct ws_answer a;
		char url[100];
		int r, hang = i % 3 == 1;

		client_init(&c, " ");
		sprintf(url,
		        hang    ? "ws://z.hang.test:%d/"
		        : i % 3 ? "ws://a127-0-0-1.test:%d/"
		                : "ws://localhost:%d/",
		        w->port);
		c.o.timeout_ms = hang ? 20 : 60000;
		r = ws_query(url, &c.o, WS_TEXT, "x", 1, &a);
		w->good += r == 0;
		w->timeouts += r == WS_ETIMEOUT;
		w->others += r != 0 && r != WS_ETIMEOUT;
		if (r != 0 && r != WS_ETIMEOUT)
			fprintf(stderr, "%s: %s\n", url, a.error);
		ws_answer_free(&a, &c.o);
		w->wrong += c.f.wrong || c.f.alive;
	}
	return NULL;
}

static void *serve_crowd(void *arg)
{
	int fd = *(int *)arg;

	for (;;) {
		static const char say[] = FAKE_101 "\x81\x02hi\x88\x02\x03\xe8";
		char buf[1000];
		ssize_t n;
		size_t have = 0;
		int c = accept(fd, NULL, NULL);

		if (c < 0)
			return NULL;
		while (have < sizeof buf && (n = recv(c, buf + have, sizeof buf - have, 0)) > 0) {
			have += (size_t)n;
			if (have >= 4 && memcmp(buf + have - 4, "\r\n\r\n", 4) == 0) {
				send(c, say, sizeof say - 1, MSG_NOSIGNAL);
				break;
			}
		}
		while (recv(c, buf, sizeof buf, 0) > 0)
			;
		close(c);
	}
}

static void test_threads(void)
{
	struct crowd w[THREADS];
	pthread_t t[THREADS], server[2];
	int i, fd, port = 0;

	fd = bound("127.0.0.1", &port);
	listen(fd, 100);
	resolver_holds();
	memset(w, 0, sizeof w);
	for (i = 0; i < 2; i++)
		CHECK(pthread_create(&server[i], NULL, serve_crowd, &fd) == 0);
	for (i = 0; i < THREADS; i++) {
		w[i].port = port;
		CHECK(pthread_create(&t[i], NULL, crowd_run, &w[i]) == 0);
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(t[i], NULL);
		CHECK_EQ_U(w[i].good, ROUNDS - ROUNDS / 3);
		CHECK_EQ_U(w[i].timeouts, ROUNDS / 3);
		CHECK_EQ_U(w[i].others, 0);
		CHECK_EQ_U(w[i].wrong, 0);
	}
	resolver_lets_go();
	shutdown(fd, SHUT_RDWR);
	for (i = 0; i < 2; i++)
		pthread_join(server[i], NULL);
	close(fd);
}

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static int count_mappings(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	int c, n = 0;

	while (f && (c = getc(f)) != EOF)
		n += c == '\n';
	if (f)
		fclose(f);
	return n;
}

/* The stack of a lookup's thread is given back when it ends, or used for the next thread. */
static void test_stacks(void)
{
	enum { LOOKUPS = 100, KEPT = 20 };
	struct client c;
	int i, before = count_mappings();

	for (i = 0; i < LOOKUPS; i++) {
		client_init(&c, "ws://none.test/");
		CHECK_EQ_U(client_open(&c), WS_ERESOLVE);
		client_free(&c);
	}
	for (i = 0; i < 10000 && count_mappings() > before + KEPT; i++)
		sleep_ms(1);
	CHECK(count_mappings() <= before + KEPT);
}
#endif

#ifdef __GLIBC__
/* _GNU_SOURCE would declare these, but with it connect has an argument that is not ISO C. */
int pthread_getattr_default_np(pthread_attr_t *attr);
int pthread_setattr_default_np(const pthread_attr_t *attr);

/* A thread cannot be started when there is no memory for its stack. */
static void test_no_thread(void)
{
	pthread_attr_t was, large;
	struct client c;
	int before = count_fds();

	pthread_getattr_default_np(&was);
	pthread_attr_init(&large);
	CHECK_EQ_U(pthread_attr_setstacksize(&large, SIZE_MAX / 8 * 7), 0);
	CHECK_EQ_U(pthread_setattr_default_np(&large), 0);
	client_init(&c, "ws://none.test/");
	CHECK_EQ_U(client_open(&c), WS_EIO);
	HAS(&c, "resolve none.test: the lookup cannot be started: ");
	CHECK_EQ_U(pthread_setattr_default_np(&was), 0);
	client_free(&c);
	CHECK(count_fds() <= before); /* the lookup of an earlier test may end meanwhile */
}
#endif

#ifdef MEMORY_FAILS
/* A lookup uses malloc. Everything else in a connection uses realloc. */
static void test_no_memory_for_lookup(void)
{
	struct client c;

	client_init(&c, "ws://none.test/");
	c.o.alloc = NULL;
	c.ws = ws_new(c.url, &c.o);
	atomic_store(&malloc_fails, 1);
	CHECK_EQ_U(ws_open(c.ws), WS_EMEMORY);
	atomic_store(&malloc_fails, 0);
	client_free(&c);
}
#endif

int main(void)
{
	int before = count_fds();

	TEST(test_entries);
	if (ws_features() & WS_HAS_THREADS) {
		TEST(test_resolver);
		TEST(test_order);
		TEST(test_lost_lookups);
		TEST(test_descriptor_0);
#if !defined(__SANITIZE_THREAD__)
		TEST(test_copied_descriptor);
#endif
		TEST(test_threads);
#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
		TEST(test_stacks);
#endif
#ifdef __GLIBC__
		TEST(test_no_thread);
#endif
	}
#ifdef MEMORY_FAILS
	if (ws_features() & WS_HAS_RESOLVER)
		TEST(test_no_memory_for_lookup);
#endif
	return net_done(before);
}
