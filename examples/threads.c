/* SPDX-License-Identifier: ISC
 * threads.c - several threads send over one connection
 *
 * usage: threads N URL		cc -pthread threads.c -lwsquery
 * A connection belongs to one thread. That one waits in ws_recv. Each of the N others puts its
 * messages into a queue and calls ws_cancel, the only call that another thread may make. Then
 * ws_recv returns WS_ECANCELED, and the owner sends what the queue has. Each thread sends 100
 * messages; the owner counts the answers.
 *
 * Threads with a connection each share nothing and need none of this.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ws.h"

#define EACH 100

struct message {
	struct message *next;
	char text[64];
};

static struct ws_conn *ws;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct message *first, **last = &first; /* the queue, under lock */

static void put(struct message *m)
{
	m->next = NULL;
	pthread_mutex_lock(&lock);
	*last = m;
	last = &m->next;
	pthread_mutex_unlock(&lock);
	ws_cancel(ws); /* after the message is in the queue */
}

static struct message *take_all(void)
{
	struct message *all;

	pthread_mutex_lock(&lock);
	all = first;
	first = NULL;
	last = &first;
	pthread_mutex_unlock(&lock);
	return all;
}

static void *work(void *number)
{
	int i;

	for (i = 0; i < EACH; i++) {
		struct message *m = malloc(sizeof *m);

		if (!m)
			exit(1);
		snprintf(m->text, sizeof m->text, "thread %d, message %d", *(int *)number, i);
		put(m);
	}
	return NULL;
}

/* Sends until the queue is empty. 0; WS_AGAIN: receive first; or an error. */
static int send_queue(void)
{
	static struct message *taken; /* from the queue, and not sent yet */
	struct message *next;
	int r;

	for (;;) {
		if (!taken)
			taken = take_all();
		if (!taken)
			return 0;
		do /* a ws_cancel meanwhile is for a message after this one */
			r = ws_send_all(ws, WS_TEXT, taken->text, strlen(taken->text));
		while (r == WS_ECANCELED);
		if (r)
			return r;
		next = taken->next;
		free(taken);
		taken = next;
	}
}

/* The owner's work: until all messages were answered. */
static int own(int messages)
{
	struct ws_msg msg;
	int answers = 0, r;

	while (answers < messages) {
		r = ws_recv(ws, &msg);
		if (r == 0)
			answers++;
		else if (r != WS_ECANCELED && r != WS_AGAIN)
			break;
		r = send_queue();
		if (r && r != WS_AGAIN)
			break;
	}
	return answers;
}

int main(int argc, char **argv)
{
	int n = argc == 3 ? atoi(argv[1]) : 0, i, answers;
	struct ws_options opt = {0};
	pthread_t *threads = calloc(n > 0 ? (size_t)n : 1, sizeof *threads);
	int *numbers = calloc(n > 0 ? (size_t)n : 1, sizeof *numbers);

	if (!threads || !numbers || n < 1)
		return 64;
	opt.timeout_ms = 60000;
	ws = ws_new(argv[2], &opt);
	if (!ws)
		return 1;
	if (ws_open(ws) != 0) {
		fprintf(stderr, "%s\n", ws_errmsg(ws));
		return 1;
	}
	for (i = 0; i < n; i++) {
		numbers[i] = i;
		if (pthread_create(&threads[i], NULL, work, &numbers[i]) != 0)
			return 1;
	}
	answers = own(EACH * n);
	if (answers < EACH * n)
		fprintf(stderr, "%s\n", ws_errmsg(ws));
	for (i = 0; i < n; i++)
		pthread_join(threads[i], NULL); /* no thread may call ws_cancel after this */
	printf("%d threads, %d answers\n", n, answers);
	ws_close(ws, 1000, NULL);
	ws_free(ws);
	free(threads);
	free(numbers);
	return answers != EACH * n;
}
