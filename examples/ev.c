/* SPDX-License-Identifier: ISC
 * ev.c - a connection in an event loop, here that of libev (Debian: libev-dev)
 *
 * usage: ev TEXT URL...		cc ev.c -lwsquery -lev
 * Asks all targets the same question, as poll.c does. An event loop keeps registrations, so it must
 * know when the set of descriptors changes, as it does while addresses race: ws_pollset.change
 * differs then. Drop all registrations and add the current ones, because the number of a closed
 * descriptor may be in use again. libevent, epoll and kqueue need the same; for libuv see libuv.c.
 */
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ws.h"

struct target {
	struct ws_conn *ws;
	ev_io io[WS_FDS_MAX];
	ev_timer timer;
	int n_io, opened, answered;
	unsigned change;
	const char *url, *text;
	size_t len, sent;
};

static int failed;

/* Goes on until it would have to wait. WS_AGAIN: wait first; 0: done; or the error. */
static int step(struct target *t)
{
	struct ws_msg msg;
	ptrdiff_t n;
	int r;

	if (!t->opened) {
		r = ws_open(t->ws);
		if (r)
			return r;
		t->opened = 1;
	}
	if (!t->answered) {
		if (t->sent < t->len) {
			n = ws_send(t->ws, WS_TEXT, t->text + t->sent, t->len - t->sent);
			if (n < 0 && n != WS_AGAIN)
				return (int)n;
			t->sent += n < 0 ? 0 : (size_t)n;
		}
		r = ws_recv(t->ws, &msg);
		if (r)
			return r;
		printf("%s: %.*s\n", t->url, (int)msg.len, (const char *)msg.data);
		t->answered = 1;
	}
	return ws_close(t->ws, 1000, NULL);
}

static void on_io(struct ev_loop *loop, ev_io *w, int events);

static void stop(struct ev_loop *loop, struct target *t)
{
	while (t->n_io > 0)
		ev_io_stop(loop, &t->io[--t->n_io]);
	ev_timer_stop(loop, &t->timer);
}

static void drive(struct ev_loop *loop, struct target *t)
{
	struct ws_pollset set;
	int r = step(t), i;

	if (r != WS_AGAIN) {
		stop(loop, t);
		if (!t->answered)
			fprintf(stderr, "%s\n", ws_errmsg(t->ws));
		failed += !t->answered;
		ws_free(t->ws);
		t->ws = NULL;
		return;
	}
	ws_wants(t->ws, &set);
	if (set.change != t->change)
		stop(loop, t);
	t->change = set.change;
	for (i = 0; i < set.n; i++) {
		int events = (set.fd[i].events & WS_POLL_READ ? EV_READ : 0)
		             | (set.fd[i].events & WS_POLL_WRITE ? EV_WRITE : 0);

		if (i < t->n_io) {
			if ((t->io[i].events & (EV_READ | EV_WRITE)) == events)
				continue;
			ev_io_stop(loop, &t->io[i]);
		}
		ev_io_init(&t->io[i], on_io, set.fd[i].fd, events);
		t->io[i].data = t;
		ev_io_start(loop, &t->io[i]);
	}
	t->n_io = set.n;
	ev_timer_stop(loop, &t->timer);
	if (set.timeout_ms >= 0) {
		ev_timer_set(&t->timer, set.timeout_ms / 1000.0, 0);
		ev_timer_start(loop, &t->timer);
	}
}

static void on_io(struct ev_loop *loop, ev_io *w, int events)
{
	(void)events; /* the library finds out itself which descriptor is ready */
	drive(loop, w->data);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)events;
	drive(loop, w->data);
}

int main(int argc, char **argv)
{
	struct ev_loop *loop = EV_DEFAULT;
	struct ws_options opt = {0};
	size_t n = argc > 2 ? (size_t)argc - 2 : 0, i;
	struct target *targets = calloc(n + 1, sizeof *targets);

	if (!targets || n == 0)
		return 64;
	opt.nonblock = 1;
	opt.timeout_ms = 5000;
	for (i = 0; i < n; i++) {
		struct target *t = &targets[i];

		t->url = argv[i + 2];
		t->text = argv[1];
		t->len = strlen(argv[1]);
		ev_init(&t->timer, on_timer);
		t->timer.data = t;
		t->ws = ws_new(t->url, &opt);
		if (!t->ws)
			return 1;
		drive(loop, t);
	}
	ev_run(loop, 0); /* ends when no target waits for anything */
	free(targets);
	return failed > 255 ? 255 : failed;
}
