/* SPDX-License-Identifier: ISC
 * soak.c - one process that queries, streams and reconnects against misbehaving servers for a long
 * time, and checks that nothing accumulates: descriptors, memory, threads
 *
 * usage: soak PORT SECONDS
 *
 * server.py listens at PORT. Every case below must end as its row says. After a warm-up, and then
 * once a minute and at the end, the process is measured. Linux: it reads /proc/self.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "ws.h"

#define WARM_UP 2000                  /* rounds */
#define MAX_MESSAGE ((size_t)1 << 20) /* the server sends more for /flood */
#define GROWTH_KIB 512                /* resident memory may vary by this much */

static const struct soak_case {
	const char *path;
	int timeout_ms;
	int messages; /* to receive after sending one; 0: ask with ws_query */
	int want;     /* how it ends */
} cases[] = {
    {"/echo", 10000, 0, 0},
    {"/echo", 10000, 1, 0},
    {"/stream", 10000, 1000, 0},
    {"/redirect", 10000, 0, 0},
    {"/dribble", 10000, 0, 0},
    {"/refuse", 10000, 0, WS_EHTTP},
    {"/garbage", 10000, 0, WS_EHANDSHAKE},
    {"/silent", 20, 0, WS_ETIMEOUT},
    {"/drop", 10000, 0, WS_ECLOSED},
    {"/flood", 10000, 0, WS_ETOOBIG},
    {"/violation", 10000, 0, WS_EPROTOCOL},
    {"/utf8", 10000, 0, WS_EUTF8},
    {"/reset", 10000, 0, WS_ERESET},
    {"/close", 10000, 2, WS_ECLOSED},
};
#define CASES (sizeof cases / sizeof cases[0])

struct state {
	long resident_kib, descriptors, threads;
};

static long entries(const char *directory)
{
	DIR *d = opendir(directory);
	long n = 0;

	if (!d)
		return -1;
	while (readdir(d))
		n++;
	closedir(d);
	return n - 3; /* ".", "..", and for descriptors this one */
}

static struct state measure(void)
{
	struct state s = {0, entries("/proc/self/fd"), entries("/proc/self/task") + 1};
	FILE *f = fopen("/proc/self/status", "r");
	char line[200];

	while (f && fgets(line, sizeof line, f))
		if (strncmp(line, "VmRSS:", 6) == 0)
			s.resident_kib = strtol(line + 6, NULL, 10);
	if (f)
		fclose(f);
	return s;
}

static void print(const char *when, unsigned long rounds, struct state s)
{
	printf("%s: %lu queries, %ld KiB resident, %ld descriptors, %ld threads\n", when, rounds,
	       s.resident_kib, s.descriptors, s.threads);
	fflush(stdout);
}

/* Opens, sends one message, receives `messages`, closes. */
static int converse(const char *url, const struct ws_options *options, int messages)
{
	struct ws_conn *ws = ws_new(url, options);
	struct ws_msg msg;
	int err;

	if (!ws)
		return WS_EMEMORY;
	err = ws_open(ws);
	if (err == 0 && ws_send(ws, WS_TEXT, "hello", 5) < 0)
		err = ws_report(ws)->err;
	while (err == 0 && messages-- > 0)
		err = ws_recv(ws, &msg);
	ws_close(ws, WS_CLOSE_NORMAL, NULL);
	ws_free(ws);
	return err;
}

static int run(const struct soak_case *c, const char *port)
{
	struct ws_options options = {
	    .timeout_ms = c->timeout_ms, .max_message = MAX_MESSAGE, .max_redirects = 3};
	struct ws_answer answer;
	char url[100];
	int err;

	snprintf(url, sizeof url, "ws://127.0.0.1:%s%s", port, c->path);
	if (c->messages > 0)
		return converse(url, &options, c->messages);
	err = ws_query(url, &options, WS_TEXT, "hello", 5, &answer);
	ws_answer_free(&answer, &options);
	return err;
}

int main(int argc, char **argv)
{
	struct state first = {0, 0, 0}, last;
	unsigned long rounds = 0, wrong = 0;
	time_t end, next;

	if (argc != 3)
		return 64;
	end = time(NULL) + strtol(argv[2], NULL, 10);
	next = time(NULL) + 60;
	while (time(NULL) < end || rounds < WARM_UP + CASES) {
		const struct soak_case *c = &cases[rounds % CASES];
		int err = run(c, argv[1]);

		if (err != c->want) {
			printf("%s ended with %s, not %s\n", c->path, ws_errname(err),
			       ws_errname(c->want));
			wrong++;
		}
		rounds++;
		if (rounds == WARM_UP) {
			first = measure();
			print("warm", rounds, first);
		} else if (rounds > WARM_UP && time(NULL) >= next) {
			print("under way", rounds, measure());
			next = time(NULL) + 60;
		}
	}
	last = measure();
	print("end", rounds, last);
	if (last.descriptors != first.descriptors || last.threads != first.threads
	    || last.resident_kib > first.resident_kib + GROWTH_KIB)
		wrong++;
	printf("%d passed, %d failed\n", wrong == 0, wrong != 0);
	return wrong != 0;
}
