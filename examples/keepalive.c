/* SPDX-License-Identifier: ISC
 * keepalive.c - a feed that is read for days, with a new connection when the server closes or is gone
 *
 * usage: keepalive URL SUBSCRIPTION [PING_MS]	cc keepalive.c -lwsquery
 * SIGINT and SIGTERM end it, also while it waits.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "ws.h"

static volatile sig_atomic_t stop;
static struct ws_conn *volatile current; /* what a signal must wake */

static void on_signal(int number)
{
	(void)number;
	stop = 1;
	if (current)
		ws_cancel(current);
}

/* Receives until the connection has failed or a signal came. */
static int receive(struct ws_conn *ws, long *messages)
{
	struct ws_msg msg;
	int r = 0;

	while (!stop && (r == 0 || r == WS_AGAIN)) { /* a call that finds a message returns it */
		r = ws_recv_within(ws, &msg, 5000);
		if (r == 0)
			printf("%ld: %.*s\n", ++*messages, (int)msg.len, (const char *)msg.data);
		else if (r == WS_AGAIN)
			fprintf(stderr, "no message for 5 s\n");
		fflush(stdout);
	}
	return r;
}

/* One connection. Returns the number of messages received. */
static long feed(const char *url, const char *subscription, const struct ws_options *opt)
{
	struct ws_conn *ws = ws_new(url, opt);
	long messages = 0;
	int r;

	if (!ws)
		return 0;
	current = ws;
	r = stop ? WS_ECANCELED : ws_open(ws);
	if (r == 0)
		r = ws_send_all(ws, WS_TEXT, subscription, strlen(subscription));
	if (r == 0)
		r = receive(ws, &messages);
	if (!stop)
		fprintf(stderr, "%s\n", ws_errmsg(ws)); /* a silent server is WS_ETIMEOUT */
	current = NULL;
	ws_timeout(ws, 1000);
	ws_close(ws, 1001, NULL);
	ws_free(ws);
	return messages;
}

int main(int argc, char **argv)
{
	struct ws_options opt = {0};
	long pause_ms = 100;

	if (argc < 3)
		return 64;
	opt.timeout_ms = -1; /* no deadline: it lives as long as the server answers pings */
	opt.connect_timeout_ms = 10000;
	opt.ping_interval_ms = argc > 3 ? atoi(argv[3]) : 20000;
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	while (!stop) {
		struct timespec pause = {0, 0};

		if (feed(argv[1], argv[2], &opt) > 0)
			pause_ms = 100;
		pause.tv_sec = pause_ms / 1000;
		pause.tv_nsec = pause_ms % 1000 * 1000000;
		if (!stop)
			nanosleep(&pause, NULL); /* a signal ends it */
		pause_ms = pause_ms < 30000 ? 2 * pause_ms : 60000;
	}
	return 0;
}
