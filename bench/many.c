/* SPDX-License-Identifier: ISC
 * many.c - many queries side by side, with the library alone
 *
 * usage: many serve TOGETHER    A server for any number of clients. It prints its port, and serves
 *                               until its standard input ends. It upgrades nobody until TOGETHER
 *                               clients are connected, answers each message with the same message, and
 *                               each close frame with one.
 *        many ask PORT N JOBS   Asks N queries of it in one poll loop, JOBS at a time.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "ws.h"
#include "ws_proto.h"

#define MAX_FDS 65536

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void raise_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

/* The server */

static struct client {
	bool here, upgraded;
	char key[25];
} clients[MAX_FDS];

static void upgrade(int fd)
{
	char answer[] =
	    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: ............................\r\n\r\n";

	wsi_accept(strstr(answer, "Accept: ") + 8, clients[fd].key);
	if (send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL) < 0)
		perror("send");
	clients[fd].upgraded = true;
}

/* Answers frames of at most 125 bytes, which come whole on the loopback. */
static void answer(int fd, unsigned char *p, size_t n)
{
	while (n >= 6) {
		size_t len = p[1] & 127u, i;
		unsigned char reply[127];

		reply[0] = p[0];
		reply[1] = (unsigned char)len;
		for (i = 0; i < len; i++)
			reply[2 + i] = (unsigned char)(p[6 + i] ^ p[2 + i % 4]);
		if (send(fd, reply, 2 + len, MSG_NOSIGNAL) < 0)
			return;
		p += 6 + len;
		n -= 6 + len;
	}
}

static void hear(int fd, int together)
{
	static int waiting;
	char buf[16384], *key;
	ssize_t n = recv(fd, buf, sizeof buf - 1, 0);
	int i;

	if (n <= 0) {
		memset(&clients[fd], 0, sizeof clients[fd]);
		close(fd);
		return;
	}
	if (clients[fd].upgraded) {
		answer(fd, (unsigned char *)buf, (size_t)n);
		return;
	}
	buf[n] = '\0';
	key = strstr(buf, "Sec-WebSocket-Key: ");
	if (!key)
		return;
	memcpy(clients[fd].key, key + 19, 24);
	clients[fd].here = true;
	if (++waiting < together)
		return;
	for (i = 0; i < MAX_FDS; i++)
		if (clients[i].here && !clients[i].upgraded)
			upgrade(i);
}

static int serve(int together)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), queue = epoll_create1(0);
	struct epoll_event e = {.events = EPOLLIN}, events[64];

	raise_limit();
	if (bind(listener, (struct sockaddr *)&a, len) < 0 || listen(listener, 4096) < 0)
		fail("listen");
	getsockname(listener, (struct sockaddr *)&a, &len);
	printf("%d\n", ntohs(a.sin_port));
	fflush(stdout);
	e.data.fd = listener;
	epoll_ctl(queue, EPOLL_CTL_ADD, listener, &e);
	e.data.fd = 0;
	epoll_ctl(queue, EPOLL_CTL_ADD, 0, &e);
	for (;;) {
		int i, n = epoll_wait(queue, events, 64, -1);

		for (i = 0; i < n; i++) {
			int fd = events[i].data.fd;

			if (fd == 0)
				return 0;
			if (fd != listener) {
				hear(fd, together);
				continue;
			}
			while ((fd = accept(listener, NULL, NULL)) >= 0 && fd < MAX_FDS) {
				e.data.fd = fd;
				epoll_ctl(queue, EPOLL_CTL_ADD, fd, &e);
			}
		}
	}
}

/* The library alone */

struct query {
	struct ws_conn *ws;
	enum { OPEN, SEND, RECEIVE, CLOSE } state;
	bool ready; /* must be stepped */
};

static void begin(struct query *q, const char *url)
{
	static const struct ws_options o = {.nonblock = 1, .recv_buffer = 512, .send_buffer = 512};

	q->ws = ws_new(url, &o);
	q->state = OPEN;
	q->ready = true;
	if (!q->ws)
		fail("ws_new");
}

/* True: it has ended. */
static bool step(struct query *q)
{
	struct ws_msg msg;
	int r = 0;

	while (r >= 0) {
		switch (q->state) {
		case OPEN:
			r = ws_open(q->ws);
			break;
		case SEND:
			r = (int)ws_send(q->ws, WS_TEXT, "Hello", 5);
			break;
		case RECEIVE:
			r = ws_recv(q->ws, &msg);
			break;
		case CLOSE:
			r = ws_close(q->ws, 1000, NULL);
			if (r == 0)
				return true;
			break;
		}
		if (r >= 0)
			q->state++;
	}
	if (r != WS_AGAIN) {
		fprintf(stderr, "%s\n", ws_errmsg(q->ws));
		exit(1);
	}
	return false;
}

/* One descriptor is all that a numeric address takes. */
static void want(struct query *q, struct pollfd *p)
{
	struct ws_pollset set;

	ws_wants(q->ws, &set);
	q->ready = set.timeout_ms == 0;
	p->fd = set.fd[0].fd;
	p->events = 0;
	if (set.fd[0].events & WS_POLL_READ)
		p->events |= POLLIN;
	if (set.fd[0].events & WS_POLL_WRITE)
		p->events |= POLLOUT;
}

static bool any_ready(const struct query *q, int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (q[i].ready)
			return true;
	return false;
}

static int ask(const char *port, int n, int jobs)
{
	struct query *q = calloc((size_t)jobs, sizeof *q);
	struct pollfd *p = calloc((size_t)jobs, sizeof *p);
	int begun = 0, under_way = 0, i;
	char url[64];

	if (!q || !p)
		fail("calloc");
	raise_limit();
	snprintf(url, sizeof url, "ws://127.0.0.1:%s/", port);
	do {
		for (; under_way < jobs && begun < n; begun++)
			begin(&q[under_way++], url);
		for (i = 0; i < under_way; i++) {
			if (!q[i].ready)
				continue;
			q[i].ready = false;
			if (step(&q[i])) {
				ws_free(q[i].ws);
				q[i] = q[--under_way];
				p[i] = p[under_way];
				i--;
				continue;
			}
			want(&q[i], &p[i]);
		}
		if (under_way == jobs || (begun == n && under_way > 0)) {
			poll(p, (nfds_t)under_way, any_ready(q, under_way) ? 0 : 1000);
			for (i = 0; i < under_way; i++)
				q[i].ready = q[i].ready || p[i].revents != 0;
		}
	} while (under_way > 0 || begun < n);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		return serve(atoi(argv[2]));
	if (argc == 5 && strcmp(argv[1], "ask") == 0)
		return ask(argv[2], atoi(argv[3]), atoi(argv[4]));
	fprintf(stderr, "usage: many serve TOGETHER | many ask PORT N JOBS\n");
	return 64;
}
