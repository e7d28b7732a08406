/* SPDX-License-Identifier: ISC
 * threads.c - one thread for each connection; nothing is shared, so nothing is locked
 *
 * usage: threads N URL		cc -pthread threads.c -lwsquery
 * Each of N threads asks the server 100 questions.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ws.h"

struct worker {
	pthread_t thread;
	int number, answers;
	const char *url;
	char error[256];
};

static void *work(void *arg)
{
	struct worker *w = arg;
	struct ws_conn *ws = ws_new(w->url, NULL);
	struct ws_msg msg;
	char text[64];
	int i;

	if (ws && ws_open(ws) == 0) {
		for (i = 0; i < 100; i++) {
			size_t len = (size_t)snprintf(text, sizeof text, "thread %d, question %d",
			                              w->number, i);

			if (ws_send(ws, WS_TEXT, text, len) != (ptrdiff_t)len
			    || ws_recv(ws, &msg) != 0 || msg.len != len
			    || memcmp(msg.data, text, len) != 0)
				break;
			w->answers++;
		}
		if (i == 100)
			ws_close(ws, 1000, NULL);
	}
	snprintf(w->error, sizeof w->error, "%s", ws ? ws_errmsg(ws) : "out of memory");
	ws_free(ws);
	return NULL;
}

int main(int argc, char **argv)
{
	int n = argc == 3 ? atoi(argv[1]) : 0, i, answers = 0;
	struct worker *w = calloc(n > 0 ? (size_t)n : 1, sizeof *w);

	if (!w || n < 1)
		return 64;
	for (i = 0; i < n; i++) {
		w[i].number = i;
		w[i].url = argv[2];
		if (pthread_create(&w[i].thread, NULL, work, &w[i]) != 0)
			return 1;
	}
	for (i = 0; i < n; i++) {
		pthread_join(w[i].thread, NULL);
		answers += w[i].answers;
		if (w[i].answers < 100)
			fprintf(stderr, "thread %d: %s\n", i, w[i].error);
	}
	printf("%d threads, %d answers\n", n, answers);
	free(w);
	return answers != 100 * n;
}
