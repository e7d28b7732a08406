/* SPDX-License-Identifier: ISC
 * libuv.c - connections in the event loop of libuv (Debian: libuv1-dev)
 *
 * usage: libuv TEXT URL...		cc libuv.c -lwsquery -luv
 * Asks all targets the same question, as poll.c does. libuv does not allow a descriptor to be
 * closed while it is watched, and several may be watched while addresses race. So on_close stops
 * watching a descriptor just before the library closes it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>
#include "ws.h"

/* A watched descriptor. libuv needs it until forget_watch. */
struct watch {
	uv_poll_t poll;
	struct target *target;
	int fd;
};

struct target {
	struct ws_conn *ws;
	struct watch *watch[WS_FDS_MAX];
	uv_timer_t timer;
	int opened, answered;
	const char *url, *text;
	size_t len, sent;
};

static int failed;

static void drive(struct target *t);

static void forget_watch(uv_handle_t *poll)
{
	free(poll->data);
}

static void on_close(void *user_data, int fd)
{
	struct target *t = user_data;
	int i;

	for (i = 0; i < WS_FDS_MAX; i++) {
		if (t->watch[i] && t->watch[i]->fd == fd) {
			uv_close((uv_handle_t *)&t->watch[i]->poll, forget_watch);
			t->watch[i] = NULL;
		}
	}
}

static void on_event(uv_poll_t *poll, int status, int events)
{
	(void)status; /* the library finds out itself what is ready, or wrong */
	(void)events;
	drive(((struct watch *)poll->data)->target);
}

static void on_timer(uv_timer_t *timer)
{
	drive(timer->data);
}

/* The watch of fd, a new one if there is none. NULL: libuv cannot watch it. */
static struct watch *watch_of(struct target *t, int fd)
{
	struct watch **vacant = NULL, *w;
	int i;

	for (i = 0; i < WS_FDS_MAX; i++) {
		if (t->watch[i] && t->watch[i]->fd == fd)
			return t->watch[i];
		if (!t->watch[i])
			vacant = &t->watch[i];
	}
	w = vacant ? calloc(1, sizeof *w) : NULL;
	if (!w || uv_poll_init(t->timer.loop, &w->poll, fd) != 0) {
		free(w);
		return NULL;
	}
	w->poll.data = w;
	w->target = t;
	w->fd = fd;
	*vacant = w;
	return w;
}

/* Watches what the library waits for, and nothing else. 0: done. */
static int watch_all(struct target *t)
{
	struct ws_pollset set;
	int i;

	for (i = 0; i < WS_FDS_MAX; i++)
		if (t->watch[i])
			uv_poll_stop(&t->watch[i]->poll);
	ws_wants(t->ws, &set);
	for (i = 0; i < set.n; i++) {
		struct watch *w = watch_of(t, set.fd[i].fd);
		int events = (set.fd[i].events & WS_POLL_READ ? UV_READABLE : 0)
		             | (set.fd[i].events & WS_POLL_WRITE ? UV_WRITABLE : 0);

		if (!w || uv_poll_start(&w->poll, events, on_event) != 0)
			return -1;
	}
	uv_timer_stop(&t->timer);
	if (set.timeout_ms >= 0)
		uv_timer_start(&t->timer, on_timer, (uint64_t)set.timeout_ms, 0);
	return 0;
}

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

static void drive(struct target *t)
{
	if (step(t) == WS_AGAIN && watch_all(t) == 0)
		return;
	if (!t->answered)
		fprintf(stderr, "%s\n", ws_errmsg(t->ws));
	failed += !t->answered;
	ws_free(t->ws); /* on_close ends the watch of its descriptor */
	uv_close((uv_handle_t *)&t->timer, NULL);
}

int main(int argc, char **argv)
{
	struct ws_options opt = {0};
	size_t n = argc > 2 ? (size_t)argc - 2 : 0, i;
	struct target *targets = calloc(n + 1, sizeof *targets);
	uv_loop_t *loop = uv_default_loop();

	if (!targets || !loop || n == 0)
		return 64;
	opt.nonblock = 1;
	opt.timeout_ms = 5000;
	opt.on_close = on_close;
	for (i = 0; i < n; i++) {
		struct target *t = &targets[i];

		t->url = argv[i + 2];
		t->text = argv[1];
		t->len = strlen(argv[1]);
		uv_timer_init(loop, &t->timer);
		t->timer.data = t;
		opt.user_data = t;
		t->ws = ws_new(t->url, &opt);
		if (!t->ws)
			return 1;
		drive(t);
	}
	uv_run(loop, UV_RUN_DEFAULT); /* ends when no target waits for anything */
	uv_loop_close(loop);
	free(targets);
	return failed > 255 ? 255 : failed;
}
