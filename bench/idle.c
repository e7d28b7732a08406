/* SPDX-License-Identifier: ISC
 * idle.c - what an open connection costs while nothing happens
 *
 * usage: idle [CONNECTIONS] A forked server upgrades and keeps them; this process opens them
 * all in one thread from one poll loop, with its own allocator to count, once with the smallest
 * buffers and once with the default ones; resident is what the system counts for this process
 * alone.
 * Lines: name, value, unit.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "ws.h"
#include "ws_proto.h"
#include "bench.h"

enum { AT_ONCE = 100 };

static size_t held, blocks;

static void *count(void *user_data, void *ptr, size_t old_len, size_t new_len)
{
	void *p;

	(void)user_data;
	if (new_len == 0) {
		free(ptr);
		held -= old_len;
		blocks -= ptr != NULL;
		return NULL;
	}
	if ((p = realloc(ptr, new_len)) == NULL)
		return NULL;
	held += new_len - old_len;
	blocks += ptr == NULL;
	return p;
}

/* Upgrades each connection whose request comes, and keeps it until its standard input, the pipe,
 * ends */
static void serve(int listener, int end)
{
	char head[4096],
	    answer[] =
	        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	        "Sec-WebSocket-Accept: ............................\r\n\r\n";
	struct pollfd p[2] = {{.fd = listener, .events = POLLIN}, {.fd = end, .events = POLLIN}};
	char *key;
	ssize_t n;
	int fd;

	while (poll(p, 2, -1) >= 0 && !p[1].revents) {
		if ((fd = accept(listener, NULL, NULL)) < 0)
			continue;
		n = recv(fd, head, sizeof head - 1, 0); /* the request arrives in one segment */
		head[n > 0 ? n : 0] = 0;
		if ((key = strstr(head, "Sec-WebSocket-Key: ")) == NULL)
			_exit(1);
		wsi_accept(strstr(answer, "Accept: ") + 8, key + 19);
		if (send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL) < 0)
			_exit(1);
	}
	_exit(0);
}

/* Bytes of pages that only this process has written; 0 if the system does not say */
static double resident(void)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "r");
	unsigned long kib = 0;
	char line[128];

	while (f && fgets(line, sizeof line, f) && sscanf(line, "Private_Dirty: %lu", &kib) != 1)
		;
	if (f)
		fclose(f);
	return (double)kib * 1024;
}

static void measure(const char *name, const char *url, int n, size_t recv_buffer,
                    size_t send_buffer)
{
	struct ws_options opt = {.nonblock = 1, .timeout_ms = -1, .alloc = count};
	struct ws_conn **ws = calloc((size_t)n, sizeof *ws);
	struct pollfd *p = calloc((size_t)n, sizeof *p);
	int *at = calloc((size_t)n, sizeof *at);
	int open = 0, begun = 0, i, r;
	double begin = now_s(), pages = resident();
	size_t zero = held;

	opt.recv_buffer = recv_buffer;
	opt.send_buffer = send_buffer;
	while (open < n) {
		nfds_t m = 0;

		while (begun < n && begun - open < AT_ONCE) {
			if ((ws[begun] = ws_new(url, &opt)) == NULL)
				exit(1);
			at[begun++] = 1;
		}
		for (i = 0; i < begun; i++) {
			struct ws_pollset w;

			if (!at[i])
				continue;
			r = ws_open(ws[i]);
			if (r == 0) {
				at[i] = 0;
				open++;
				continue;
			}
			if (r != WS_AGAIN) {
				fprintf(stderr, "connection %d: %s\n", i, ws_errmsg(ws[i]));
				exit(1);
			}
			ws_wants(ws[i], &w);
			p[m].fd = w.fd[0].fd;
			p[m++].events = (short)((w.fd[0].events & WS_POLL_READ ? POLLIN : 0)
			                        | (w.fd[0].events & WS_POLL_WRITE ? POLLOUT : 0));
		}
		if (m > 0)
			poll(p, m, 1000);
	}
	for (i = 0; i < n; i++) {
		struct ws_msg msg;

		if ((r = ws_recv(ws[i], &msg))
		    != WS_AGAIN) { /* now it is idle, and its buffers exist */
			fprintf(stderr, "connection %d: %d %s\n", i, r, ws_errmsg(ws[i]));
			exit(1);
		}
	}
	printf("idle_%s_open %.1f us\n", name, (now_s() - begin) * 1e6 / n);
	printf("idle_%s %.0f bytes\nidle_%s_blocks %.1f\n", name, (double)(held - zero) / n, name,
	       (double)blocks / n);
	printf("idle_%s_resident %.0f bytes\n", name, (resident() - pages) / n);
	fflush(stdout);
	for (i = 0; i < n; i++)
		ws_free(ws[i]);
	free(ws);
	free(p);
	free(at);
	if (held != zero || blocks != 0)
		exit(1);
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	int n = argc > 1 ? atoi(argv[1]) : 10000, l, end[2], pass;
	struct rlimit limit;
	char url[64];

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur != RLIM_INFINITY && (rlim_t)n + 50 > limit.rlim_cur)
		n = (int)limit.rlim_cur - 50;
	printf("idle_connections %d\n", n);
	for (pass = 0; pass < 2; pass++) {
		pid_t pid;

		l = socket(AF_INET, SOCK_STREAM, 0);
		a.sin_port = 0;
		if (l < 0 || bind(l, (struct sockaddr *)&a, len) != 0 || listen(l, 4096) != 0
		    || getsockname(l, (struct sockaddr *)&a, &len) != 0 || pipe(end) != 0)
			return 1;
		if ((pid = fork()) == 0) {
			close(end[1]);
			serve(l, end[0]);
		}
		close(end[0]);
		close(l);
		snprintf(url, sizeof url, "ws://127.0.0.1:%d/", ntohs(a.sin_port));
		measure(pass ? "default" : "small", url, n, pass ? 0 : 256, pass ? 0 : 256);
		close(end[1]);
		waitpid(pid, NULL, 0);
	}
	return 0;
}
