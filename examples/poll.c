/* SPDX-License-Identifier: ISC
 * poll.c - many connections in one thread, with poll(2)
 *
 * usage: poll TEXT URL...		cc poll.c -lwsquery
 * Asks all targets the same question and prints each answer when it arrives. The exit status is the
 * number of targets that did not answer.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ws.h"

struct job {
	struct ws_conn *ws; /* NULL: this target is done */
	const char *url, *text;
	size_t len, sent;
	enum { OPENING, ASKING, CLOSING } state;
	int answered;
};

/* Goes on until it would have to wait. WS_AGAIN: wait first; 0: done; or the error. */
static int step(struct job *j)
{
	struct ws_msg msg;
	ptrdiff_t n;
	int r;

	if (j->state == OPENING) {
		r = ws_open(j->ws);
		if (r)
			return r;
		j->state = ASKING;
	}
	if (j->state == ASKING) {
		if (j->sent < j->len) {
			n = ws_send(j->ws, WS_TEXT, j->text + j->sent, j->len - j->sent);
			if (n < 0 && n != WS_AGAIN)
				return (int)n;
			j->sent += n < 0 ? 0 : (size_t)n;
		}
		/* Also while the question is not all sent: the peer may have to be read first. */
		r = ws_recv(j->ws, &msg);
		if (r)
			return r;
		printf("%s: %.*s\n", j->url, (int)msg.len, (const char *)msg.data);
		j->answered = 1;
		j->state = CLOSING;
	}
	return ws_close(j->ws, 1000, NULL);
}

int main(int argc, char **argv)
{
	struct ws_options opt = {0};
	size_t n = argc > 2 ? (size_t)argc - 2 : 0, left = n, failed = 0, i;
	struct job *jobs = calloc(n + 1, sizeof *jobs);
	struct pollfd *p = calloc(n + 1, WS_FDS_MAX * sizeof *p);

	if (!jobs || !p || n == 0)
		return 64;
	opt.nonblock = 1;
	opt.timeout_ms = 5000;
	for (i = 0; i < n; i++) {
		jobs[i].url = argv[i + 2];
		jobs[i].text = argv[1];
		jobs[i].len = strlen(argv[1]);
		jobs[i].ws = ws_new(jobs[i].url, &opt);
		if (!jobs[i].ws)
			return 1;
	}
	while (left > 0) {
		int timeout = -1, k, r;
		nfds_t fds = 0;

		for (i = 0; i < n; i++) {
			struct ws_pollset set;

			if (!jobs[i].ws)
				continue;
			r = step(&jobs[i]);
			if (r != WS_AGAIN) {
				if (!jobs[i].answered)
					fprintf(stderr, "%s\n", ws_errmsg(jobs[i].ws));
				failed += !jobs[i].answered;
				ws_free(jobs[i].ws);
				jobs[i].ws = NULL;
				left--;
				continue;
			}
			ws_wants(jobs[i].ws, &set);
			if (set.timeout_ms >= 0 && (timeout < 0 || set.timeout_ms < timeout))
				timeout = set.timeout_ms;
			for (k = 0; k < set.n; k++, fds++) {
				p[fds].fd = set.fd[k].fd;
				p[fds].events =
				    (short)((set.fd[k].events & WS_POLL_READ ? POLLIN : 0)
				            | (set.fd[k].events & WS_POLL_WRITE ? POLLOUT : 0));
			}
		}
		if (left > 0)
			poll(p, fds, timeout);
	}
	free(p);
	free(jobs);
	return failed > 255 ? 255 : (int)failed;
}
