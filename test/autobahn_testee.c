/* SPDX-License-Identifier: ISC
 * autobahn_testee.c - the client that an Autobahn test suite's fuzzing server tests
 *
 * usage: autobahn_testee [-s] URL AGENT Runs every case of the fuzzing server at URL
 * ("ws://127.0.0.1:9001"), echoing each message with its type until the server closes, then has the
 * reports written. -s: messages are received and sent on in pieces.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ws.h"

enum { TIMEOUT_MS = 120000 };

/* A message that arrived while another one was being sent */
struct item {
	struct item *next;
	size_t len;
	int type, more;
	unsigned char data[1];
};
static struct item *first, **last = &first;

static int keep(const struct ws_msg *m)
{
	struct item *i = malloc(sizeof *i + m->len);

	if (!i)
		return -1;
	i->next = NULL;
	i->type = m->type;
	i->more = m->more;
	i->len = m->len;
	memcpy(i->data, m->data, m->len);
	*last = i;
	last = &i->next;
	return 0;
}

static int send_all(struct ws_conn *ws, const struct item *i)
{
	size_t sent = 0;
	ptrdiff_t n;
	struct ws_msg m;
	int r;

	for (;;) {
		n = ws_send(ws, i->type | (i->more ? WS_MORE : 0), i->data + sent, i->len - sent);
		if (n < 0 && n != WS_AGAIN)
			return (int)n;
		sent += n > 0 ? (size_t)n : 0;
		if (sent == i->len && n >= 0)
			return 0;
		r = ws_recv(ws, &m); /* it arrived before this message, so it is answered first */
		if (r == 0 && keep(&m) != 0)
			return WS_EMEMORY;
		if (r < 0 && r != WS_AGAIN)
			return r;
	}
}

static void run_case(const char *url, int stream)
{
	struct ws_options opt = {
	    .timeout_ms = TIMEOUT_MS, .stream = stream, .max_message = 64U << 20};
	struct ws_conn *ws = ws_new(url, &opt);
	struct ws_msg m;
	struct item *i;
	int r;

	r = ws_open(ws);
	while (r == 0 && (r = ws_recv(ws, &m)) == 0) {
		if (keep(&m) != 0)
			break;
		while (r == 0 && (i = first) != NULL) {
			r = send_all(ws, i);
			if ((first = i->next) == NULL)
				last = &first;
			free(i);
		}
	}
	if (r == WS_ETIMEOUT)
		fprintf(stderr, "%s: %s\n", url, ws_errmsg(ws));
	ws_close(ws, 1000, NULL);
	ws_free(ws);
	while ((i = first) != NULL) {
		first = i->next;
		free(i);
	}
	last = &first;
}

static long case_count(const char *url)
{
	struct ws_conn *ws = ws_new(url, NULL);
	struct ws_msg m;
	long n = -1;

	if (ws_open(ws) == 0 && ws_recv(ws, &m) == 0 && m.len < 20) {
		char digits[20];

		memcpy(digits, m.data, m.len);
		digits[m.len] = 0;
		n = atol(digits);
		ws_close(ws, 1000, NULL);
	} else {
		fprintf(stderr, "%s: %s\n", url, ws_errmsg(ws));
	}
	ws_free(ws);
	return n;
}

int main(int argc, char **argv)
{
	char url[1024];
	int stream = argc > 1 && strcmp(argv[1], "-s") == 0;
	long n, k;
	struct ws_conn *ws;

	if (argc - stream != 3) {
		fprintf(stderr, "usage: autobahn_testee [-s] URL AGENT\n");
		return 64;
	}
	argv += stream;
	snprintf(url, sizeof url, "%s/getCaseCount", argv[1]);
	if ((n = case_count(url)) < 0)
		return 1;
	for (k = 1; k <= n; k++) {
		snprintf(url, sizeof url, "%s/runCase?case=%ld&agent=%s", argv[1], k, argv[2]);
		run_case(url, stream);
	}
	snprintf(url, sizeof url, "%s/updateReports?agent=%s", argv[1], argv[2]);
	ws = ws_new(url, NULL);
	if (ws_open(ws) == 0)
		ws_close(ws, 1000, NULL);
	ws_free(ws);
	printf("%ld cases run\n", n);
	return 0;
}
