/* SPDX-License-Identifier: ISC
 * upload.c - how long sending 2 GiB from a pipe takes, with the default send buffer and with one
 * of 64 KiB
 *
 * usage: upload [ROUNDS [MEBIBYTES]] A forked process writes to the pipe, and another one accepts
 * the upgrade and discards what arrives. The two take turns; the best round of each counts. Lines: name, value,
 * unit.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "ws.h"
#include "ws_proto.h"
#include "bench.h"

#define PIECE 65536

static char piece[PIECE];

static void discard(int fd)
{
	char head[4096], *key;
	char answer[] =
	    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: ............................\r\n\r\n";
	size_t n = 0;
	ssize_t r;

	do {
		r = recv(fd, head + n, sizeof head - 1 - n, 0);
		if (r <= 0)
			_exit(1);
		n += (size_t)r;
		head[n] = 0;
	} while (!strstr(head, "\r\n\r\n"));
	key = strstr(head, "Sec-WebSocket-Key: ");
	if (!key)
		_exit(1);
	wsi_accept(strstr(answer, "Accept: ") + 8, key + 19);
	send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL);
	while (recv(fd, piece, sizeof piece, 0) > 0)
		;
	_exit(0);
}

/* A connected descriptor. A process at the other end discards what arrives. */
static int start_sink(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0), peer;

	if (listener < 0 || fd < 0 || bind(listener, (struct sockaddr *)&a, len) != 0
	    || listen(listener, 1) != 0 || getsockname(listener, (struct sockaddr *)&a, &len) != 0
	    || connect(fd, (struct sockaddr *)&a, len) != 0)
		die("connect");
	peer = accept(listener, NULL, NULL);
	close(listener);
	if (peer < 0)
		die("accept");
	if (fork() == 0) {
		close(fd);
		discard(peer);
	}
	close(peer);
	return fd;
}

/* The reading end of a pipe into which another process writes. */
static int start_source(size_t total)
{
	int pipe_fd[2];

	if (pipe(pipe_fd) != 0)
		die("pipe");
	if (fork() == 0) {
		close(pipe_fd[0]);
		while (total > 0) {
			ssize_t n = write(pipe_fd[1], piece, total < PIECE ? total : PIECE);

			if (n <= 0)
				_exit(1);
			total -= (size_t)n;
		}
		_exit(0);
	}
	close(pipe_fd[1]);
	return pipe_fd[0];
}

static double upload(size_t total, size_t send_buffer)
{
	struct ws_options opt = {.timeout_ms = -1, .send_buffer = send_buffer, .use_fd = 1};
	struct ws_conn *ws;
	double begin;
	ssize_t n;
	int in;

	opt.fd = start_sink();
	in = start_source(total);
	ws = ws_new("ws://127.0.0.1/", &opt);
	if (!ws || ws_open(ws) != 0)
		exit(1);
	begin = now_s();
	while ((n = read(in, piece, sizeof piece)) > 0) {
		if (ws_send_all(ws, WS_BINARY | WS_MORE, piece, (size_t)n) != 0) {
			fprintf(stderr, "%s\n", ws_errmsg(ws));
			exit(1);
		}
	}
	begin = now_s() - begin;
	ws_free(ws);
	close(in);
	while (wait(NULL) > 0)
		;
	return begin;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 3, k;
	size_t total = (size_t)(argc > 2 ? atoi(argv[2]) : 2048) << 20;
	double usual = 0, large = 0, t;

	for (k = 0; k < rounds; k++) {
		t = upload(total, 0);
		if (k == 0 || t < usual)
			usual = t;
		t = upload(total, PIECE);
		if (k == 0 || t < large)
			large = t;
	}
	printf("upload_default %.2f s\nupload_64k %.2f s\nupload_ratio %.3f\n", usual, large,
	       usual / large);
	return 0;
}
