/* SPDX-License-Identifier: ISC
 * test_ws_watch.c - on_close: an event loop never watches a descriptor that is closed
 *
 * The test acts like a loop that keeps registrations, as epoll and libuv do. on_close must be called
 * once for each descriptor that on_socket or ws_wants has shown, while it is still open.
 */
#include "net.h"

#define WATCHED_MAX 32

struct watch {
	struct client c;
	int fd[WATCHED_MAX], n;
	int closed, missed, closed_before;
};

static int is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void watch_fd(struct watch *w, int fd)
{
	int i;

	for (i = 0; i < w->n; i++)
		if (w->fd[i] == fd)
			return;
	if (CHECK(w->n < WATCHED_MAX))
		w->fd[w->n++] = fd;
}

/* user_data is the struct fake of net.h, the first member of struct client. */
static int see_socket(void *user_data, int fd)
{
	watch_fd(user_data, fd);
	return 0;
}

static void see_close(void *user_data, int fd)
{
	struct watch *w = user_data;
	int i;

	w->closed++;
	w->closed_before += !is_open(fd);
	for (i = 0; i < w->n && w->fd[i] != fd; i++)
		;
	if (i == w->n) {
		w->missed++;
		return;
	}
	w->fd[i] = w->fd[--w->n];
}

static void see_set(struct watch *w)
{
	struct ws_pollset set;
	int i;

	ws_wants(w->c.ws, &set);
	for (i = 0; i < set.n; i++)
		watch_fd(w, set.fd[i].fd);
	for (i = 0; i < w->n; i++)
		CHECK(is_open(w->fd[i]));
	poll_set(&set);
}

static void watch_init(struct watch *w, const char *url)
{
	memset(w, 0, sizeof *w);
	client_init(&w->c, "%s", url);
	w->c.o.nonblock = 1;
	w->c.o.on_socket = see_socket;
	w->c.o.on_close = see_close;
}

static int watch_open(struct watch *w)
{
	int r;

	w->c.ws = ws_new(w->c.url, &w->c.o);
	while ((r = ws_open(w->c.ws)) == WS_AGAIN)
		see_set(w);
	return r;
}

/* closed: how many descriptors were passed to on_close in all. */
static void watch_end(struct watch *w, int closed)
{
	client_free(&w->c);
	CHECK_EQ_U(w->n, 0);
	CHECK_EQ_U(w->missed, 0);
	CHECK_EQ_U(w->closed_before, 0);
	CHECK_EQ_U(w->closed, closed);
}

static void test_one_server(void)
{
	struct watch w;
	struct server s;
	char url[100];
	int k;

	server_start(&s, good, 2);
	sprintf(url, "ws://127.0.0.1:%d/", s.port);
	for (k = 0; k < 2; k++) {
		check_row(k ? "ws_close, ws_free" : "ws_free alone");
		watch_init(&w, url);
		CHECK_EQ_U(watch_open(&w), 0);
		CHECK_EQ_U(w.closed, 0);
		if (k)
			client_talk(&w.c);
		CHECK_EQ_U(w.closed, 0);
		watch_end(&w, 1);
	}
	server_end(&s);
	check_row("a refused connection");
	watch_init(&w, url);
	CHECK_EQ_U(watch_open(&w), WS_EREFUSED);
	watch_end(&w, 1);
}

#if !defined(WS_NO_THREADS) && !defined(WS_NO_RESOLVER)
/* A name is looked up, and has two addresses that refuse and one that accepts. */
static void test_lookup_and_race(void)
{
	struct watch w;
	struct server s;
	char url[100];

	check_row("the lookup's descriptor, two addresses that refuse, and the server");
	server_start(&s, good, 1);
	sprintf(url, "ws://slow.a127-0-0-98.a127-0-0-99.a127-0-0-1.test:%d/", s.port);
	watch_init(&w, url);
	CHECK_EQ_U(watch_open(&w), 0);
	CHECK(w.closed >= 2);
	client_talk(&w.c);
	watch_end(&w, 4);
	server_end(&s);

	check_row("a lookup that is abandoned");
	resolver_holds();
	watch_init(&w, "ws://a.hang.test/");
	w.c.ws = ws_new(w.c.url, &w.c.o);
	CHECK_EQ_U(ws_open(w.c.ws), WS_AGAIN);
	w.c.o.timeout_ms = 0;
	ws_timeout(w.c.ws, 0);
	see_set(&w);
	CHECK_EQ_U(w.n, 1);
	CHECK_EQ_U(ws_open(w.c.ws), WS_ETIMEOUT);
	CHECK_EQ_U(w.n, 0);
	watch_end(&w, 1);
	resolver_lets_go();

	check_row("the loser of a race");
	{
		static const char *const addrs[] = {"127.0.0.1", "127.0.0.2"};
		const char *resolve[3] = {NULL, NULL, NULL};
		char line[2][60];
		struct hole hole;
		int fds[2] = {-1, -1}, port, full;

		if (!CHECK(bound_alike(fds, addrs, 2, &port)))
			return;
		full = make_hole(&hole, fds[0], addrs[0], port);
		server_on(&s, fds[1], good, 1);
		sprintf(line[0], "a.test:%d:127.0.0.1", port);
		sprintf(line[1], "a.test:%d:127.0.0.2", port);
		resolve[0] = line[0];
		resolve[1] = line[1];
		sprintf(url, "ws://a.test:%d/", port);
		watch_init(&w, url);
		w.c.o.resolve = resolve;
		CHECK_EQ_U(watch_open(&w), 0);
		if (full)
			CHECK_EQ_U(w.closed, 1);
		client_talk(&w.c);
		watch_end(&w, full ? 2 : 1);
		server_end(&s);
		free_hole(&hole);
	}
}
#endif

#ifndef WS_NO_REDIRECTS
static void test_redirect(void)
{
	struct visit visits[2];
	struct watch w;
	struct server s;
	char url[100];

	memset(visits, 0, sizeof visits);
	visits[0].acts[0].until = "\r\n\r\n";
	visits[0].acts[0].say = "HTTP/1.1 302 x\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n";
	visits[1] = good[0];
	server_start(&s, visits, 2);
	sprintf(url, "ws://127.0.0.1:%d/", s.port);
	watch_init(&w, url);
	w.c.o.max_redirects = 1;
	CHECK_EQ_U(watch_open(&w), 0);
	CHECK_EQ_U(w.closed, 1);
	client_talk(&w.c);
	watch_end(&w, 2);
	server_end(&s);
}
#endif

static void test_given_descriptor(void)
{
	struct sockaddr_storage ss;
	struct watch w;
	struct server s;
	socklen_t len;

	server_start(&s, good, 1);
	watch_init(&w, "ws://a.test/");
	len = make_sockaddr(&ss, "127.0.0.1", s.port);
	w.c.o.use_fd = 1;
	w.c.o.fd = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(w.c.o.fd, (struct sockaddr *)&ss, len) == 0);
	CHECK_EQ_U(watch_open(&w), 0);
	client_talk(&w.c);
	watch_end(&w, 1);
	server_end(&s);
}

int main(void)
{
	int before = count_fds();

	TEST(test_one_server);
#if !defined(WS_NO_THREADS) && !defined(WS_NO_RESOLVER)
	TEST(test_lookup_and_race);
#endif
#ifndef WS_NO_REDIRECTS
	TEST(test_redirect);
#endif
	TEST(test_given_descriptor);
	return net_done(before);
}
