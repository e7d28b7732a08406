/* SPDX-License-Identifier: ISC
 * test_net.c - net.c through ws.h: addresses, the race of attempts, Unix sockets, options of a
 * socket
 */
#include "net.h"

static void test_addresses(void)
{
	struct client c;
	struct server s;
	char text[100], r1[60], r2[60];
	const char *resolve[40];
	int nonblock, port, fd, before;

	for (nonblock = 0; nonblock < 2; nonblock++) {
		/* an address where nobody listens */
		port = 0;
		fd = bound("127.0.0.1", &port); /* bound but not listening, so it refuses */
		before = atomic_load(&lookups);
		client_init(&c, "ws://127.0.0.1:%d/x", port);
		c.o.nonblock = nonblock;
		CHECK_EQ_U(client_open(&c), WS_EREFUSED);
		sprintf(text, "connect to 127.0.0.1:%d: Connection refused", port);
		CHECK(strncmp(ws_errmsg(c.ws), text, strlen(text)) == 0);
		CHECK_EQ_U(ws_report(c.ws)->phase, WS_PHASE_CONNECT);
		CHECK_EQ_S(ws_report(c.ws)->address, "");
		CHECK(ws_report(c.ws)->phase_us[WS_PHASE_RESOLVE] == -1
		      && ws_report(c.ws)->phase_us[WS_PHASE_CONNECT] == -1);
		client_free(&c);
		CHECK_EQ_U(atomic_load(&lookups), before);
		close(fd);

		/* an address with a server */
		server_start(&s, good, 1);
		client_init(&c, "ws://127.0.0.1:%d/x", s.port);
		c.o.nonblock = nonblock;
		CHECK_EQ_U(client_open(&c), 0);
		sprintf(text, "127.0.0.1:%d", s.port);
		CHECK_EQ_S(ws_report(c.ws)->address, text);
		CHECK(ws_report(c.ws)->phase_us[WS_PHASE_CONNECT] >= 0
		      && ws_report(c.ws)->phase_us[WS_PHASE_UPGRADE] >= 0);
		client_talk(&c);
		client_free(&c);
		server_end(&s);
		CHECK(strncmp(s.seen[0], "GET /x HTTP/1.1\r\nHost: 127.0.0.1:", 33) == 0);

		/* ws_options.resolve has an address that refuses and a good one; no lookup is
		 * made */
		{
			static const char *const two[] = {"127.0.0.3", "127.0.0.2"};
			int fds[2];

			if (!CHECK(bound_alike(fds, two, 2, &port)))
				return;
			server_on(&s, fds[1], good, 1);
			sprintf(r1, "a.test:%d:127.0.0.3", port);
			sprintf(r2, "A.test.:%d:127.0.0.2", port);
			resolve[0] = "b.test:1:127.0.0.9";
			resolve[1] = r1;
			resolve[2] = r2;
			resolve[3] = NULL;
			client_init(&c, "ws://a.test:%d/", port);
			c.o.nonblock = nonblock;
			c.o.resolve = resolve;
			CHECK_EQ_U(client_open(&c), 0);
			sprintf(text, "127.0.0.2:%d", port);
			CHECK_EQ_S(ws_report(c.ws)->address, text);
			client_talk(&c);
			client_free(&c);
			server_end(&s);
			/* both refuse: the error names both */
			client_init(&c, "ws://a.test:%d/", port);
			c.o.nonblock = nonblock;
			c.o.resolve = resolve;
			CHECK_EQ_U(client_open(&c), WS_EREFUSED);
			sprintf(text, "127.0.0.3:%d: Connection refused", port);
			HAS(&c, text);
			sprintf(text, "127.0.0.2:%d: Connection refused", port);
			HAS(&c, text);
			HAS(&c, "a.test");
			client_free(&c);
			close(fds[0]);
		}
		CHECK_EQ_U(atomic_load(&lookups), before);

		/* RFC 6761 6.3: localhost needs no lookup */
		server_start(&s, good, 2);
		client_init(&c, "ws://localhost:%d/", s.port);
		c.o.nonblock = nonblock;
		CHECK_EQ_U(client_open(&c), 0);
		CHECK(strncmp(ws_report(c.ws)->address, "127.0.0.1:", 10) == 0);
		client_talk(&c);
		client_free(&c);
		client_init(&c, "ws://a.LocalHost:%d/", s.port);
		c.o.nonblock = nonblock;
		CHECK_EQ_U(client_open(&c), 0);
		client_talk(&c);
		client_free(&c);
		server_end(&s);
		if (have_ipv6()) {
			s.port = 0;
			server_on(&s, bound("::1", &s.port), good, 3);
			client_init(&c, "ws://localhost:%d/", s.port);
			c.o.nonblock = nonblock;
			CHECK_EQ_U(client_open(&c), 0);
			sprintf(text, "[::1]:%d", s.port);
			CHECK_EQ_S(ws_report(c.ws)->address, text);
			client_talk(&c);
			client_free(&c);
			client_init(&c, "ws://[::1]:%d/", s.port);
			c.o.nonblock = nonblock;
			CHECK_EQ_U(client_open(&c), 0);
			CHECK_EQ_S(ws_report(c.ws)->address, text);
			client_talk(&c);
			client_free(&c);
			client_init(&c, "ws://localhost:%d/", s.port);
			c.o.nonblock = nonblock;
			c.o.family = 6;
			CHECK_EQ_U(client_open(&c), 0);
			client_talk(&c);
			client_free(&c);
			/* only one family */
			client_init(&c, "ws://localhost:%d/", s.port);
			c.o.nonblock = nonblock;
			c.o.family = 4;
			CHECK_EQ_U(client_open(&c), WS_EREFUSED);
			CHECK(!strstr(ws_errmsg(c.ws), "::1"));
			client_free(&c);
			server_end(&s);
		}
		CHECK_EQ_U(atomic_load(&lookups), before);
		client_init(&c, "ws://127.0.0.1:9/");
		c.o.nonblock = nonblock;
		c.o.family = 6;
		CHECK_EQ_U(client_open(&c), WS_ERESOLVE);
		HAS(&c, "no IPv6 address");
		client_free(&c);
		client_init(&c, "ws://[::1]:9/");
		c.o.nonblock = nonblock;
		c.o.family = 4;
		CHECK_EQ_U(client_open(&c), WS_ERESOLVE);
		HAS(&c, "no IPv4 address");
		client_free(&c);
		/* a zone that does not exist */
		client_init(&c, "ws://[fe80::1%%25nosuch0]:9/");
		c.o.nonblock = nonblock;
		CHECK(client_open(&c) < 0);
		CHECK_EQ_U(ws_report(c.ws)->phase, WS_PHASE_CONNECT);
		if (have_ipv6()) {
			CHECK_EQ_U(ws_report(c.ws)->err, WS_ERESOLVE);
			HAS(&c,
			    "[fe80::1]:9: no such zone: there is no network interface \"nosuch0\"");
		}
		client_free(&c);
	}
	check_row("addresses and hosts in brackets");
	for (nonblock = 0; nonblock < 2; nonblock++) {
		server_start(&s, good, 1);
		sprintf(r1, nonblock ? "[::5]:%d:127.0.0.1" : "[fe80::1]:%d:127.0.0.1", s.port);
		sprintf(r2, "a.test:%d:[::1]", s.port);
		resolve[0] = r1;
		resolve[1] = r2;
		resolve[2] = NULL;
		client_init(&c, "ws://a.test.:%d/", s.port);
		c.o.resolve = resolve;
		CHECK(client_open(&c) < 0);
		if (have_ipv6())
			HAS(&c, "[::1]:");
		client_free(&c);
		server_end(&s);
	}
	check_row("the error names all of the WS_MAX_ADDRESSES addresses that are tried");
	{
		static char lines[WS_MAX_ADDRESSES + 3][60];
		int k;

		port = 0;
		fd = bound("127.0.0.1", &port);
		for (k = 0; k < WS_MAX_ADDRESSES + 3; k++) {
			sprintf(lines[k], "a.test:%d:127.0.77.%d", port, 100 + k);
			resolve[k] = lines[k];
		}
		resolve[k] = NULL;
		client_init(&c, "ws://a.test:%d/", port);
		c.o.resolve = resolve;
		CHECK_EQ_U(client_open(&c), WS_EREFUSED);
		for (k = 0; k < WS_MAX_ADDRESSES; k++) {
			sprintf(text, "127.0.77.%d:%d: Connection refused", 100 + k, port);
			HAS(&c, text);
		}
		sprintf(text, "127.0.77.%d:", 100 + k);
		CHECK(!strstr(ws_errmsg(c.ws), text));
		client_free(&c);
		close(fd);
	}
}

/* A link-local address with its zone, if this machine has one. */
static void test_zone(void)
{
	struct ifaddrs *list, *a;
	struct server s;
	struct client c;
	char addr[INET6_ADDRSTRLEN], text[200], number[20];
	int i;

	if (getifaddrs(&list) < 0)
		return;
	for (a = list; a; a = a->ifa_next) {
		struct sockaddr_in6 sin6;
		socklen_t len = sizeof sin6;
		int fd;

		if (!a->ifa_addr || a->ifa_addr->sa_family != AF_INET6)
			continue;
		memcpy(&sin6, a->ifa_addr, sizeof sin6);
		if (!IN6_IS_ADDR_LINKLOCAL(&sin6.sin6_addr))
			continue;
		fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0 || bind(fd, (struct sockaddr *)&sin6, len) < 0
		    || getsockname(fd, (struct sockaddr *)&sin6, &len) < 0) {
			close(fd);
			continue;
		}
		server_on(&s, fd, good, 2);
		inet_ntop(AF_INET6, &sin6.sin6_addr, addr, sizeof addr);
		sprintf(number, "%u", if_nametoindex(a->ifa_name));
		for (i = 0; i < 3; i++) {
			client_init(&c, i == 2 ? "ws://[%s%%%s]:%d/" : "ws://[%s%%25%s]:%d/", addr,
			            i == 1 ? number : a->ifa_name, ntohs(sin6.sin6_port));
			if (i < 2) {
				CHECK_EQ_U(client_open(&c), 0);
				sprintf(text, "[%s]:%d", addr, ntohs(sin6.sin6_port));
				CHECK_EQ_S(ws_report(c.ws)->address, text);
				client_talk(&c);
			} else { /* RFC 6874: '%' alone is not valid in a URL */
				CHECK_EQ_U(client_open(&c), WS_EURL);
			}
			client_free(&c);
		}
		server_end(&s);
		break;
	}
	freeifaddrs(list);
}

#ifdef __linux__
/* Names and numbers of zones, also where no interface has a link-local address */
static void test_zone_number(void)
{
	static const struct {
		const char *zone;
		unsigned number;
		int result;
	} cases[] = {
	    {"lo", 0, WS_EUNREACHABLE}, /* its number is looked up */
	    {"1", 1, WS_EUNREACHABLE},
	    {"7", 7, WS_EUNREACHABLE},
	    {"2147483647", 2147483647, WS_EUNREACHABLE},
	    {"0", 0, WS_ERESOLVE},
	    {"2147483648", 0, WS_ERESOLVE},
	    {"fifteen-letters", 0, WS_ERESOLVE}, /* the longest that an interface may have */
	    {"sixteen--letters", 0, WS_ERESOLVE},
	};
	struct client c;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s", cases[i].zone);
		client_init(&c, "ws://[fe80::1%%25%s]:9/", cases[i].zone);
		atomic_store(&connect_zone, 0);
		atomic_store(&connect_errno, EHOSTUNREACH);
		CHECK_EQ_U(client_open(&c), cases[i].result);
		atomic_store(&connect_errno, 0);
		CHECK_EQ_U(atomic_load(&connect_zone),
		           i == 0 ? if_nametoindex("lo") : cases[i].number);
		client_free(&c);
	}
	check_row_end();
}
#endif

/* RFC 8305: addresses that do not answer do not delay the others. */
static void test_race(void)
{
	static const char *const addrs[] = {"127.0.0.11", "127.0.0.12", "127.0.0.13", "127.0.0.14",
	                                    "127.0.0.15", "127.0.0.16", "127.0.0.17", "127.0.0.18",
	                                    "127.0.0.19", "127.0.0.20"};
	struct hole holes[9];
	struct client c;
	struct server s;
	char lines[10][60], refusing[60];
	const char *resolve[12];
	struct ws_pollset set;
	int fds[10], port, k, r, nonblock, full = 1;

	if (!CHECK(bound_alike(fds, addrs, 10, &port)))
		return;
	for (k = 0; k < 9; k++)
		full &= make_hole(&holes[k], fds[k], addrs[k], port);
	for (k = 0; k < 10; k++)
		sprintf(lines[k], "a.test:%d:%s", port, addrs[k]);
	if (!full) { /* this system refuses when the backlog is full */
		fprintf(stderr, "test_net.c: skipped the race: this system has no address that "
		                "does not answer\n");
		for (k = 0; k < 9; k++)
			free_hole(&holes[k]);
		close(fds[9]);
		return;
	}
	server_on(&s, fds[9], good, 4);
	for (nonblock = 0; nonblock < 2; nonblock++) {
		/* two addresses do not answer, the third does */
		resolve[0] = lines[0];
		resolve[1] = lines[1];
		resolve[2] = lines[9];
		resolve[3] = NULL;
		client_init(&c, "ws://a.test:%d/", port);
		c.o.nonblock = nonblock;
		c.o.resolve = resolve;
		CHECK_EQ_U(client_open(&c), 0);
		CHECK(c.us >= 490000 && c.us < 5000000);
		if (nonblock)
			CHECK(c.most == 2 && c.changes >= 2);
		client_talk(&c);
		client_free(&c);
		/* no address answers: the deadline passes, and the error names both */
		resolve[2] = NULL;
		client_init(&c, "ws://a.test:%d/", port);
		c.o.nonblock = nonblock;
		c.o.resolve = resolve;
		c.o.timeout_ms = 400;
		CHECK_EQ_U(client_open(&c), WS_ETIMEOUT);
		CHECK(c.us >= 400000 && c.us < 5000000);
		HAS(&c, "127.0.0.11:");
		HAS(&c, "127.0.0.12:");
		HAS(&c, "timed out");
		CHECK_EQ_U(ws_report(c.ws)->phase, WS_PHASE_CONNECT);
		client_free(&c);
		client_init(&c, "ws://127.0.0.11:%d/", port);
		c.o.nonblock = nonblock;
		c.o.connect_timeout_ms = 150;
		CHECK_EQ_U(client_open(&c), WS_ETIMEOUT);
		CHECK(c.us >= 150000 && c.us < 5000000);
		HAS(&c, "connect timeout");
		client_free(&c);
	}
	sprintf(refusing, "a.test:%d:127.0.0.99", port);
	check_row("an attempt begins every 250 ms, or at once when another one fails");
	{
		int64_t start;

		resolve[0] = lines[0];
		resolve[1] = lines[1];
		resolve[2] = refusing;
		resolve[3] = lines[9];
		resolve[4] = NULL;
		client_init(&c, "ws://a.test:%d/", port);
		c.o.nonblock = 1;
		c.o.resolve = resolve;
		c.o.now_us = fake_now;
		start = c.f.now;
		c.ws = ws_new(c.url, &c.o);
		CHECK_EQ_U(ws_open(c.ws), WS_AGAIN);
		ws_wants(c.ws, &set);
		CHECK(set.n == 1 && set.timeout_ms == 250 && set.fd[0].events == WS_POLL_WRITE);
		c.f.now = start + 249000;
		CHECK_EQ_U(ws_open(c.ws), WS_AGAIN);
		ws_wants(c.ws, &set);
		CHECK(set.n == 1 && set.timeout_ms == 1);
		c.f.now = start + 250000;
		CHECK_EQ_U(ws_open(c.ws), WS_AGAIN);
		ws_wants(c.ws, &set);
		CHECK(set.n == 2 && set.timeout_ms == 250);
		c.f.now = start + 500000;
		CHECK_EQ_U(ws_open(c.ws), WS_AGAIN);
		for (k = 0; k < 1000 && ws_report(c.ws)->phase == WS_PHASE_CONNECT;
		     k++) { /* the network does not use the test's clock */
			sleep_ms(1);
			CHECK_EQ_U(ws_open(c.ws), WS_AGAIN);
		}
		ws_wants(c.ws, &set);
		CHECK(set.n == 1 && ws_report(c.ws)->phase == WS_PHASE_UPGRADE);
		CHECK_EQ_U(ws_report(c.ws)->phase_us[WS_PHASE_CONNECT], 500000);
		r = WS_AGAIN;
		for (k = 0; k < 5000 && (r = ws_open(c.ws)) == WS_AGAIN; k++)
			sleep_ms(1);
		if (CHECK(r == 0))
			client_talk(&c);
		client_free(&c);
	}
	check_row("one that refuses, nine addresses that do not answer, more than are tried at a "
	          "time, then a good one");
	resolve[0] = refusing;
	for (k = 0; k < 10; k++)
		resolve[k + 1] = lines[k];
	resolve[11] = NULL;
	client_init(&c, "ws://a.test:%d/", port);
	c.o.nonblock = 1;
	c.o.resolve = resolve;
	c.o.now_us = fake_now;
	c.o.timeout_ms = -1;
	c.ws = ws_new(c.url, &c.o);
	while ((r = ws_open(c.ws)) == WS_AGAIN) {
		ws_wants(c.ws, &set);
		if (set.n > c.most)
			c.most = set.n;
		c.f.now += 250000;
		sleep_ms(1); /* the network does not use the test's clock */
	}
	CHECK_EQ_U(r, 0);
	CHECK_EQ_U(c.most, WS_FDS_MAX);
	client_talk(&c);
	client_free(&c);
	server_end(&s);
	for (k = 0; k < 9; k++)
		free_hole(&holes[k]);
}

/* What the trace callback was passed while connecting, one line for each call */
static char connections[3000];

static void note_connection(void *user_data, int sent, int type, const void *data, size_t len)
{
	size_t n = strlen(connections);

	(void)user_data;
	if (type == WS_TRACE_CONNECT)
		snprintf(connections + n, sizeof connections - n, "%s%.*s\n", sent == 1 ? "" : "?",
		         (int)len, (const char *)data);
}

static void test_trace(void)
{
	static const char *const addrs[] = {"127.0.0.2", "127.0.0.3"};
	struct client c;
	struct server s;
	char refuses[60], accepts[60], want[300];
	const char *resolve[3] = {refuses, accepts, NULL};
	int fds[2], port, k;

	if (!CHECK(bound_alike(fds, addrs, 2, &port)))
		return;
	server_on(&s, fds[1], good, 2);
	sprintf(refuses, "a.test:%d:127.0.0.2", port);
	sprintf(accepts, "a.test:%d:127.0.0.3", port);
	for (k = 0; k < 2; k++) {
		check_row(k ? "the only address" : "the second address, after the first");
		client_init(&c, "ws://a.test:%d/", port);
		c.o.resolve = resolve + k;
		c.o.trace = note_connection;
		connections[0] = '\0';
		CHECK_EQ_U(client_open(&c), 0);
		want[0] = '\0';
		if (k == 0)
			sprintf(want,
			        "connect to a.test: 127.0.0.2:%d: Connection refused; "
			        "127.0.0.3:%d\n",
			        port, port);
		sprintf(want + strlen(want), "connected to 127.0.0.3:%d\n", port);
		CHECK_EQ_S(connections, want);
		client_talk(&c);
		client_free(&c);
	}
	check_row("an address that refuses, alone");
	resolve[1] = NULL;
	client_init(&c, "ws://a.test:%d/", port);
	c.o.resolve = resolve;
	CHECK_EQ_U(client_open(&c), WS_EREFUSED);
	sprintf(want, "connect to a.test: 127.0.0.2:%d: Connection refused", port);
	CHECK_EQ_S(ws_errmsg(c.ws), want);
	client_free(&c);
	check_row_end();
	server_end(&s);
	close(fds[0]);
}

#ifdef __linux__
/* The words about the attempts that failed may be cut. Those about the connection follow in full. */
static void test_long_trace(void)
{
	char lines[WS_MAX_ADDRESSES][60], want[100];
	const char *resolve[WS_MAX_ADDRESSES + 1] = {NULL};
	struct client c;
	struct server s;
	int i;

	server_start(&s, good, 1);
	for (i = 0; i < WS_MAX_ADDRESSES; i++) {
		sprintf(lines[i], "a.test:%d:127.100.100.%d", s.port, 100 + i);
		resolve[i] = lines[i];
	}
	sprintf(lines[WS_MAX_ADDRESSES - 1], "a.test:%d:127.0.0.1", s.port);
	client_init(&c, "ws://a.test:%d/", s.port);
	c.o.resolve = resolve;
	c.o.trace = note_connection;
	c.o.on_socket = fail_attempts;
	attempts = fails_from = 0;
	fails_to = WS_MAX_ADDRESSES - 1;
	connections[0] = '\0';
	CHECK_EQ_U(client_open(&c), 0);
	CHECK_EQ_U(attempts, WS_MAX_ADDRESSES);
	CHECK(strlen(connections) > 1500);
	sprintf(want, "\nconnected to 127.0.0.1:%d\n", s.port);
	CHECK(strstr(connections, want) != NULL);
	client_talk(&c);
	client_free(&c);
	server_end(&s);
}
#endif

static int last_closed;

static void note_close(void *user_data, int fd)
{
	(void)user_data;
	last_closed = fd;
}

/* The program has closed its standard input, so a socket gets descriptor 0, which must work like
 * any other. The server begins after the client has its socket, because accept(2) reserves a
 * descriptor while it waits. */
static void test_descriptor_0(void)
{
	struct ws_pollset set;
	struct server s = {0};
	struct client c;
	int kept = dup(0), listener = bound("127.0.0.1", &s.port), r;

	listen(listener, 1);
	close(0);
	client_init(&c, "ws://127.0.0.1:%d/", s.port);
	c.o.nonblock = 1; /* otherwise ws_new opens one for ws_cancel first */
	c.o.on_close = note_close;
	last_closed = -1;
	c.ws = ws_new(c.url, &c.o);
	r = ws_open(c.ws);
	server_on(&s, listener, good, 1);
	while (r == WS_AGAIN) {
		ws_wants(c.ws, &set);
		poll_set(&set);
		r = ws_open(c.ws);
	}
	CHECK_EQ_U(r, 0);
	CHECK_EQ_U(ws_fd(c.ws), 0);
	client_talk(&c);
	client_free(&c);
	CHECK(fcntl(0, F_GETFD) < 0);
	CHECK_EQ_U(last_closed, 0);
	dup2(kept, 0);
	close(kept);
	server_end(&s);
}

/* The same with attempts that stay under way: the first has descriptor 0, and so has the one for which
 * it is given up. */
static void test_waiting_descriptor_0(void)
{
	const char *resolve[WS_FDS_MAX + 2] = {NULL};
	char line[60];
	struct ws_pollset set;
	struct hole hole;
	struct client c;
	int kept = dup(0), port = 0, fd = bound("127.0.0.1", &port), k;

	if (make_hole(&hole, fd, "127.0.0.1", port)) {
		sprintf(line, "a.test:%d:127.0.0.1", port);
		for (k = 0; k <= WS_FDS_MAX; k++)
			resolve[k] = line;
		client_init(&c, "ws://a.test:%d/", port);
		c.o.nonblock = 1;
		c.o.resolve = resolve;
		c.o.now_us = fake_now;
		c.ws = ws_new(c.url, &c.o);
		close(0);
		CHECK_EQ_U(ws_open(c.ws), WS_AGAIN);
		ws_wants(c.ws, &set);
		CHECK(set.n == 1 && set.fd[0].fd == 0);
		CHECK_EQ_U(ws_open(c.ws), WS_AGAIN);
		for (k = 0; k < WS_FDS_MAX; k++) {
			c.f.now += 250000;
			CHECK_EQ_U(ws_open(c.ws), WS_AGAIN);
		}
		ws_wants(c.ws, &set);
		CHECK_EQ_U(set.n, WS_FDS_MAX);
		CHECK(set.fd[0].fd != 0);
		CHECK_EQ_U(set.fd[WS_FDS_MAX - 1].fd, 0);
		CHECK_EQ_U(set.timeout_ms, 18000); /* there is nothing to begin any more */
		c.f.now += 18000000;
		CHECK_EQ_U(ws_open(c.ws), WS_ETIMEOUT);
		CHECK(fcntl(0, F_GETFD) < 0); /* all are given up at once, not by ws_free */
		ws_wants(c.ws, &set);
		CHECK_EQ_U(set.n, 0);
		client_free(&c);
		CHECK(fcntl(0, F_GETFD) < 0);
		dup2(kept, 0);
	}
	close(kept);
	free_hole(&hole);
}

static void test_unix(void)
{
	struct client c;
	struct server s;
	struct sockaddr_un sun;
	char dir[] = "/tmp/test_net.XXXXXX", path[200], text[400], name[200], path_max[100];
	int fd, nonblock, i, fillers[200], filled;

	if (!CHECK(mkdtemp(dir) != NULL))
		return;
	sprintf(path, "%s/s", dir);
	sprintf(path_max, ": File name too long: in bytes, the limit for a Unix socket is %d",
	        (int)sizeof sun.sun_path - 1);
	memset(&sun, 0, sizeof sun);
	sun.sun_family = AF_UNIX;
	strcpy(sun.sun_path, path);
	for (nonblock = 0; nonblock < 2; nonblock++) {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		CHECK(bind(fd, (struct sockaddr *)&sun, sizeof sun) == 0);
		/* bound but not listening */
		client_init(&c, "ws://a.test/");
		c.o.unix_socket = path;
		c.o.nonblock = nonblock;
		CHECK_EQ_U(client_open(&c), WS_EREFUSED);
		sprintf(text, "connect to unix:%s: Connection refused", path);
		CHECK_EQ_S(ws_errmsg(c.ws), text);
		client_free(&c);
		/* a server listens; no name is resolved */
		server_on(&s, fd, good, 1);
		client_init(&c, "ws://a.test/x");
		c.o.unix_socket = path;
		c.o.nonblock = nonblock;
		c.o.local_interface = "127.0.0.1";
		c.o.keepalive_s = 5;
		CHECK_EQ_U(client_open(&c), 0);
		sprintf(text, "unix:%s", path);
		CHECK_EQ_S(ws_report(c.ws)->address, text);
		CHECK(ws_report(c.ws)->phase_us[WS_PHASE_RESOLVE] == -1);
		client_talk(&c);
		client_free(&c);
		server_end(&s);
		CHECK(strncmp(s.seen[0], "GET /x HTTP/1.1\r\nHost: a.test\r\n", 31) == 0);
		unlink(path);
		/* the path does not exist */
		client_init(&c, "ws://a.test/");
		c.o.unix_socket = path;
		c.o.nonblock = nonblock;
		CHECK_EQ_U(client_open(&c), WS_EUNREACHABLE);
		HAS(&c, "No such file");
		client_free(&c);
		/* paths around the longest that fits */
		memset(name, 'x', sizeof name);
		name[0] = '/';
		for (i = 106; i <= 110; i++) {
			name[i] = '\0';
			client_init(&c, "ws://a.test/");
			c.o.unix_socket = name;
			c.o.nonblock = nonblock;
			CHECK_EQ_U(client_open(&c),
			           i < (int)sizeof sun.sun_path ? WS_EUNREACHABLE : WS_EIO);
			HAS(&c, i < (int)sizeof sun.sun_path ? ": No such file or directory"
			                                     : path_max);
			client_free(&c);
			name[i] = 'x';
		}
		/* a full backlog: the attempt is repeated until the deadline */
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		CHECK(bind(fd, (struct sockaddr *)&sun, sizeof sun) == 0);
		listen(fd, 0);
		for (filled = 0; filled < 200; filled++) {
			fillers[filled] =
			    socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
			if (connect(fillers[filled], (struct sockaddr *)&sun, sizeof sun) < 0)
				break;
		}
		client_init(&c, "ws://a.test/");
		c.o.unix_socket = path;
		c.o.nonblock = nonblock;
		c.o.timeout_ms = 150;
		CHECK_EQ_U(client_open(&c), WS_ETIMEOUT);
		CHECK(c.us >= 150000 && c.us < 5000000);
		sprintf(text,
		        "connect to unix:%s: Resource temporarily unavailable: too many "
		        "connections wait to be "
		        "accepted: timed out after ",
		        path);
		HAS(&c, text);
		client_free(&c);
		/* or until the backlog has room */
		client_init(&c, "ws://a.test/");
		c.o.unix_socket = path;
		c.o.nonblock = 1;
		c.ws = ws_new(c.url, &c.o);
		CHECK_EQ_U(ws_open(c.ws), WS_AGAIN);
		{
			struct ws_pollset set;
			int k, r = WS_AGAIN;

			ws_wants(c.ws, &set);
			CHECK(set.n == 0 && set.timeout_ms > 0 && set.timeout_ms <= 1000);
			for (i = 0; i <= filled; i++) {
				int a = i < filled ? accept(fd, NULL, NULL) : -1;

				if (a >= 0)
					close(a);
				close(fillers[i]);
			}
			for (k = 0; k < 200 && r == WS_AGAIN; k++) {
				r = ws_open(c.ws);
				ws_wants(c.ws, &set);
				if (set.n)
					break;
				poll_set(&set);
			}
			CHECK(r == WS_AGAIN && set.n == 1);
		}
		client_free(&c);
		close(fd);
		unlink(path);
	}
	rmdir(dir);
}

#if defined(__linux__)
/* Every errno of connect becomes words without a number. */
static void test_words(void)
{
	static const struct {
		int err, result;
		const char *has;
	} cases[] = {
	    {ECONNREFUSED, WS_EREFUSED, "Connection refused"},
	    {ETIMEDOUT, WS_EUNREACHABLE, "Connection timed out"},
	    {ENETUNREACH, WS_EUNREACHABLE, "Network is unreachable"},
	    {EHOSTUNREACH, WS_EUNREACHABLE, "No route to host"},
	    {ENETDOWN, WS_EUNREACHABLE, "Network is down"},
	    {EADDRNOTAVAIL, WS_EUNREACHABLE, "no local address or port is free"},
	    {ECONNRESET, WS_ERESET, "Connection reset by peer"},
	    {EACCES, WS_EIO, "Permission denied"},
	    {EPERM, WS_EIO, "a firewall or a sandbox on this machine forbids it"},
	    {EMFILE, WS_EIO, "Too many open files: this process has reached its limit"},
	    {ENFILE, WS_EIO, "Too many open files in system"},
	    {ENOBUFS, WS_EIO, "No buffer space available"},
	    {ENOMEM, WS_EIO, "Cannot allocate memory"},
	    {EINVAL, WS_EIO, "Invalid argument: the system does not accept this address"},
	    {EAGAIN, WS_EIO, "Resource temporarily unavailable"},
	    {199, WS_EIO, "unexpected system error"},
	};
	struct client c;
	const char *words;
	size_t i;
	int err;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		atomic_store(&connect_errno, cases[i].err);
		client_init(&c, "ws://127.0.0.1:9/");
		CHECK_EQ_U(client_open(&c), cases[i].result);
		HAS(&c, "connect to 127.0.0.1:9: ");
		HAS(&c, cases[i].has);
		client_free(&c);
	}
	for (err = 1; err < 200; err++) {
		if (err == EINPROGRESS || err == EINTR) /* the attempt is then under way */
			continue;
		atomic_store(&connect_errno, err);
		client_init(&c, "ws://127.0.0.1:9/");
		CHECK(client_open(&c) < 0);
		CHECK_EQ_U(ws_report(c.ws)->no_descriptor, err == EMFILE || err == ENFILE);
		words = strstr(ws_errmsg(c.ws), "127.0.0.1:9: ");
		if (!CHECK(words && words[13] && !strpbrk(words + 13, "0123456789")))
			fprintf(stderr, "errno %d: %s\n", err, ws_errmsg(c.ws));
		client_free(&c);
	}
	/* The attempt is under way. It then turns out to have no error, but no peer either. */
	for (i = 0; i < 4; i++) {
		check_row("under way, case %lu", (unsigned long)i);
		atomic_store(&connect_errno, i % 2 ? EINTR : EINPROGRESS);
		client_init(&c, "ws://127.0.0.1:9/");
		c.o.unix_socket = i < 2 ? NULL : "/none";
		CHECK(client_open(&c) < 0);
		CHECK_EQ_U(ws_report(c.ws)->phase, WS_PHASE_UPGRADE);
		client_free(&c);
	}
	check_row_end();
	atomic_store(&connect_errno, 0);
	if (have_ipv6()) {
		client_init(&c, "ws://[fe80::1]:9/");
		CHECK_EQ_U(client_open(&c), WS_EUNREACHABLE);
		HAS(&c, "[fe80::1]:9: a link-local address needs its zone, as in [fe80::1%25eth0]");
		client_free(&c);
	}
}

/* IPv6 addresses on a machine that may have none: connect never asks the system. */
static void test_ipv6_without_any(void)
{
	static const struct {
		const char *host, *local;
		int connect_err, bind_err, result;
		const char *has;
	} cases[] = {
	    {"fe80::1", NULL, EINVAL, 0, WS_EUNREACHABLE, ": a link-local address needs its zone"},
	    {"fe80::1", NULL, EHOSTUNREACH, 0, WS_EUNREACHABLE, " needs its zone"},
	    {"fe80::1", NULL, ENETUNREACH, 0, WS_EUNREACHABLE, " needs its zone"},
	    {"fe80::1", NULL, ECONNREFUSED, 0, WS_EREFUSED, ": Connection refused"},
	    {"febf::1", NULL, EINVAL, 0, WS_EUNREACHABLE, " needs its zone"},
	    {"fec0::1", NULL, EINVAL, 0, WS_EIO, ": Invalid argument"},
	    {"fd80::1", NULL, EINVAL, 0, WS_EIO, ": Invalid argument"},
	    {"fe80::1%25lo", NULL, ECONNREFUSED, 0, WS_EREFUSED, ": Connection refused"},
	    {"fe80::1%25lo", NULL, EINVAL, 0, WS_EIO, ": Invalid argument"},
	    {"fe80::1%251", NULL, ECONNREFUSED, 0, WS_EREFUSED, ": Connection refused"},
	    {"fe80::1%25nosuchdev0", NULL, ECONNREFUSED, 0, WS_ERESOLVE, "nosuchdev0"},
	    {"fe80::1%25a-name-longer-than-any", NULL, ECONNREFUSED, 0, WS_ERESOLVE, "than-any"},
	    {"fe80::1%25just-too-long-16", NULL, ECONNREFUSED, 0, WS_ERESOLVE, "long-16\""},
	    {"fe80::1%250", NULL, ECONNREFUSED, 0, WS_ERESOLVE, "\"0\""},
	    {"::1", "fe80::1", ECONNREFUSED, EINVAL, WS_EUNREACHABLE, " needs its zone"},
	    {"::1", "fe80::1", ECONNREFUSED, EACCES, WS_EIO, ": Permission denied"},
	    {"::1", "2001:db8::1", ECONNREFUSED, EINVAL, WS_EIO, ": Invalid argument"},
	    {"::1", "2001:db8::1", ECONNREFUSED, EADDRNOTAVAIL, WS_EUNREACHABLE,
	     ": Cannot assign requested address: this machine does not have that address"},
	};
	struct client c;
	size_t i;
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	close(fd);
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s, errno %d, %d", cases[i].host, cases[i].connect_err,
		          cases[i].bind_err);
		client_init(&c, "ws://[%s]:9/", cases[i].host);
		c.o.local_interface = cases[i].local;
		atomic_store(&connect_errno, cases[i].connect_err);
		atomic_store(&bind_errno, cases[i].bind_err);
		CHECK_EQ_U(client_open(&c), cases[i].result);
		atomic_store(&connect_errno, 0);
		atomic_store(&bind_errno, 0);
		HAS(&c, cases[i].has);
		client_free(&c);
	}
	check_row_end();
}

/* When an attempt is refused later, the next one begins at once, whatever the time is. */
static void test_refused_late(void)
{
	struct client c;
	struct server s;
	char line[2][60];
	const char *resolve[] = {line[0], line[1], NULL};
	int k, r = WS_AGAIN;

	server_start(&s, good, 1);
	sprintf(line[0], "a.test:%d:127.0.0.98", s.port);
	sprintf(line[1], "a.test:%d:127.0.0.1", s.port);
	client_init(&c, "ws://a.test:%d/", s.port);
	c.o.resolve = resolve;
	c.o.nonblock = 1;
	c.o.now_us = fake_now; /* a clock that does not move */
	c.ws = ws_new(c.url, &c.o);
	for (k = 0; k < 5000 && (r = ws_open(c.ws)) == WS_AGAIN; k++)
		sleep_ms(1);
	CHECK_EQ_U(r, 0);
	if (r == 0)
		client_talk(&c);
	client_free(&c);
	server_end(&s);
}
#endif

/* The options of a new socket; on_socket may refuse it. */
static int sockets_seen, refuse_from, bad_socket, keepalive_want;

static int look_at_socket(void *user_data, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;
	int v = 0;

	((struct fake *)user_data)->traces++;
	sockets_seen++;
	bad_socket |= !(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	bad_socket |= !(fcntl(fd, F_GETFL) & O_NONBLOCK) ? 2 : 0;
	if (getsockname(fd, (struct sockaddr *)&ss, &len) == 0 && ss.ss_family != AF_UNIX) {
		len = sizeof v;
		getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &v, &len);
		bad_socket |= v != 1 ? 4 : 0;
		v = 0;
		len = sizeof v;
		getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &v, &len);
		bad_socket |= (v != 0) != (keepalive_want != 0) ? 8 : 0;
#ifdef TCP_KEEPIDLE
		if (keepalive_want) {
			len = sizeof v;
			getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &v, &len);
			bad_socket |= v != keepalive_want ? 16 : 0;
			len = sizeof v;
			getsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &v, &len);
			bad_socket |= v != keepalive_want ? 32 : 0;
		}
#endif
	}
	len = sizeof ss;
	bad_socket |= getpeername(fd, (struct sockaddr *)&ss, &len) == 0
	                  ? 64
	                  : 0; /* on_socket runs before connect */
	return sockets_seen > refuse_from;
}

static void test_sockets(void)
{
	struct client c;
	struct server s;
	char line[2][60];
	const char *resolve[] = {line[0], line[1], NULL};
	int port, fd, keepalive;

	for (keepalive = 0; keepalive < 3; keepalive++) {
		static const int seconds[] = {0, 1, 17};

		server_start(&s, good, 1);
		client_init(&c, "ws://127.0.0.1:%d/", s.port);
		keepalive_want = c.o.keepalive_s = seconds[keepalive];
		c.o.on_socket = look_at_socket;
		sockets_seen = 0;
		refuse_from = 10;
		CHECK_EQ_U(client_open(&c), 0);
		CHECK_EQ_U(sockets_seen, 1);
		CHECK_EQ_U(c.f.traces, 1);
		CHECK_EQ_U(bad_socket, 0);
		client_talk(&c);
		client_free(&c);
		server_end(&s);
	}
	keepalive_want = 0;
	check_row("on_socket refuses one address, and the next is tried");
	port = 0;
	fd = bound("127.0.0.1", &port);
	sprintf(line[0], "a.test:%d:127.0.0.1", port);
	sprintf(line[1], "a.test:%d:127.0.0.2", port);
	client_init(&c, "ws://a.test:%d/", port);
	c.o.resolve = resolve;
	c.o.on_socket = look_at_socket;
	sockets_seen = 0;
	refuse_from = 0;
	CHECK_EQ_U(client_open(&c), WS_EIO);
	CHECK_EQ_U(sockets_seen, 2);
	HAS(&c, "127.0.0.2");
	HAS(&c, "on_socket");
	client_free(&c);
	check_row("on_socket refuses one address and the peer the other: the error is WS_EREFUSED");
	client_init(&c, "ws://a.test:%d/", port);
	c.o.resolve = resolve;
	c.o.on_socket = look_at_socket;
	sockets_seen = 0;
	refuse_from = 1;
	CHECK_EQ_U(client_open(&c), WS_EREFUSED);
	client_free(&c);
	close(fd);

	check_row("local_interface");
	server_start(&s, good, 1);
	client_init(&c, "ws://127.0.0.1:%d/", s.port);
	c.o.local_interface = "127.0.0.5";
	CHECK_EQ_U(client_open(&c), 0);
	client_talk(&c);
	client_free(&c);
	server_end(&s);
	CHECK(((struct sockaddr_in *)(void *)&s.from[0])->sin_addr.s_addr == htonl(0x7f000005));
	server_start(&s, good, 1);
	client_init(&c, "ws://127.0.0.1:%d/", s.port);
	c.o.local_interface = "192.0.2.77"; /* not an address of this machine */
	CHECK_EQ_U(client_open(&c), WS_EUNREACHABLE);
	HAS(&c, "connect from 192.0.2.77 to 127.0.0.1:");
	HAS(&c, ": Cannot assign requested address: this machine does not have that address");
	client_free(&c);
	client_init(&c, "ws://127.0.0.1:%d/", s.port);
	c.o.local_interface = "::1"; /* the other family */
	CHECK_EQ_U(client_open(&c), WS_EUNREACHABLE);
	HAS(&c, ": Address family not supported: one end is IPv4, the other IPv6");
	client_free(&c);
	client_init(&c, "ws://127.0.0.1:%d/", s.port);
	c.o.local_interface = "nosuchdev0";
	CHECK_EQ_U(client_open(&c), WS_EIO);
#ifdef __linux__
	HAS(&c, ": No such device: there is no network interface of this name");
#endif
	client_free(&c);
	for (fd = 0; fd < 4; fd++) { /* the longest name that a device may have, and none */
		static const char *const names[] = {"x", "fifteen-letters", "sixteen--letters", ""};

		client_init(&c, "ws://127.0.0.1:%d/", s.port);
		c.o.local_interface = names[fd];
		CHECK_EQ_U(client_open(&c), fd < 2 ? WS_EIO : WS_EUSAGE);
		client_free(&c);
	}
	if (have_ipv6()) {
		client_init(&c, "ws://[::1]:9/");
		c.o.local_interface = "fe80::1";
		CHECK_EQ_U(client_open(&c), WS_EUNREACHABLE);
		HAS(&c, ": a link-local address needs its zone, as in [fe80::1%25eth0]");
		client_free(&c);
	}
#ifdef __linux__
	client_init(&c, "ws://127.0.0.1:%d/", s.port);
	c.o.local_interface = "lo";
	fd = client_open(&c);
	CHECK(fd == 0 || fd == WS_EIO); /* an older kernel requires a privilege */
	client_free(&c);
#endif
	server_end(&s);
#ifdef __linux__
	server_start(&s, good, 1);
	client_init(&c, "ws://127.0.0.1:%d/", s.port);
	c.o.local_interface = "lo";
	atomic_store(&bound_to_lo, 0);
	CHECK_EQ_U(client_open(&c), 0);
	CHECK_EQ_U(atomic_exchange(&bound_to_lo, -1), 1);
	client_talk(&c);
	client_free(&c);
	server_end(&s);
	check_row("a TCP connection that is there at once");
	server_start(&s, good, 1);
	client_init(&c, "ws://127.0.0.1:%d/", s.port);
	atomic_store(&connects_at_once, 1);
	CHECK_EQ_U(client_open(&c), 0);
	atomic_store(&connects_at_once, 0);
	client_talk(&c);
	client_free(&c);
	server_end(&s);
#endif
}

#ifdef __linux__
/* The system refuses an attempt before it connects. */
static void test_refusing_system(void)
{
	static const struct {
		const char *local;
		int option, option_err, bind_err, result;
		const char *has;
	} rows[] = {
	    {NULL, TCP_NODELAY, EINVAL, 0, WS_EIO, ": Invalid argument"},
	    {NULL, SO_KEEPALIVE, EACCES, 0, WS_EIO, ": Permission denied"},
	    {NULL, TCP_KEEPIDLE, EACCES, 0, WS_EIO, ": Permission denied"},
	    {NULL, TCP_KEEPINTVL, EACCES, 0, WS_EIO, ": Permission denied"},
	    {"lo", SO_BINDTODEVICE, EPERM, 0, WS_EIO,
	     ": Operation not permitted: only a privileged process may bind to a device"},
	    {"lo", SO_BINDTODEVICE, EINVAL, 0, WS_EIO, ": Invalid argument"},
	    {"127.0.0.1", 0, 0, EACCES, WS_EIO, ": Permission denied"},
	    {"127.0.0.1", 0, 0, EINVAL, WS_EIO, ": Invalid argument"},
	};
	struct server s;
	struct client c;
	size_t i;

	server_start(&s, good, 1);
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		check_row("row %lu", (unsigned long)i);
		client_init(&c, "ws://127.0.0.1:%d/", s.port);
		c.o.keepalive_s = 17;
		c.o.local_interface = rows[i].local;
		atomic_store(&option_that_fails, rows[i].option);
		atomic_store(&option_errno, rows[i].option_err);
		atomic_store(&bind_errno, rows[i].bind_err);
		CHECK_EQ_U(client_open(&c), rows[i].result);
		atomic_store(&option_errno, 0);
		atomic_store(&bind_errno, 0);
		HAS(&c, rows[i].has);
		client_free(&c);
	}
	check_row_end();
	client_init(&c, "ws://127.0.0.1:%d/", s.port);
	CHECK_EQ_U(client_open(&c), 0);
	client_talk(&c);
	client_free(&c);
	server_end(&s);
}
#endif

int main(void)
{
	int before = count_fds();

	TEST(test_addresses);
	TEST(test_zone);
	TEST(test_race);
	TEST(test_trace);
	TEST(test_descriptor_0);
	TEST(test_waiting_descriptor_0);
	TEST(test_unix);
#if defined(__linux__)
	TEST(test_words);
	TEST(test_ipv6_without_any);
	TEST(test_refused_late);
	TEST(test_refusing_system);
	TEST(test_long_trace);
	if (have_ipv6())
		TEST(test_zone_number);
#endif
	TEST(test_sockets);
	return net_done(before);
}
