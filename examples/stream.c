/* SPDX-License-Identifier: ISC
 * stream.c - sends and receives messages larger than memory, piece by piece
 *
 * usage: stream URL <IN >OUT		cc stream.c -lwsquery
 * Sends standard input as one binary message. Its length is not known before its end, so each
 * read() becomes a fragment; empty input sends nothing. Receives one message, also while it sends,
 * and writes it as it arrives. Standard error gets the number of bytes received and the most memory
 * that the connection held.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "ws.h"

/* Bytes sent at once. With small pieces the system calls cost more than all the rest. */
#define PIECE 65536

struct memory {
	size_t now, peak;
};

/* One function allocates (ptr NULL), resizes and frees (new_len 0). */
static void *count(void *user_data, void *ptr, size_t old_len, size_t new_len)
{
	struct memory *m = user_data;
	void *p = NULL;

	if (new_len == 0) {
		free(ptr);
	} else {
		p = realloc(ptr, new_len);
		if (!p)
			return NULL;
	}
	m->now += new_len - old_len;
	if (m->now > m->peak)
		m->peak = m->now;
	return p;
}

/* Receives one piece. 1: the message continues; 0: this was its end; < 0: an error. */
static int receive(struct ws_conn *ws, uint64_t *total)
{
	struct ws_msg msg;
	int r = ws_recv(ws, &msg);

	if (r)
		return r;
	*total += msg.len;
	fwrite(msg.data, 1, msg.len, stdout);
	return msg.more;
}

/* Sends all of p, and receives if the server must be read before it takes more. 0; < 0: an error.
 * Sets *done to 1 once a whole message was received. */
static int send_all(struct ws_conn *ws, int type, const char *p, size_t len, uint64_t *total,
                    int *done)
{
	size_t sent = 0;
	ptrdiff_t n;
	int r;

	for (;;) {
		n = ws_send(ws, type, p + sent, len - sent);
		if (n < 0 && n != WS_AGAIN)
			return (int)n;
		sent += n < 0 ? 0 : (size_t)n;
		if (n >= 0 && sent == len)
			return 0;
		r = receive(ws, total);
		if (r < 0 && r != WS_AGAIN)
			return r;
		if (r == 0)
			*done = 1;
	}
}

static int run(struct ws_conn *ws, uint64_t *total)
{
	static char buf[PIECE];
	int done = 0, begun = 0, r;
	ssize_t n;

	r = ws_open(ws);
	while (r == 0 && (n = read(0, buf, sizeof buf)) > 0) {
		r = send_all(ws, WS_BINARY | WS_MORE, buf, (size_t)n, total, &done);
		begun = 1;
	}
	if (r == 0 && begun) /* the last fragment is empty: the end is known only now */
		r = send_all(ws, WS_BINARY, "", 0, total, &done);
	while (r == 0 && !done) {
		r = receive(ws, total);
		done = r == 0;
		if (r > 0)
			r = 0;
	}
	return r;
}

int main(int argc, char **argv)
{
	struct memory memory = {0, 0};
	struct ws_options opt = {0};
	uint64_t total = 0;
	struct ws_conn *ws;
	int r;

	if (argc != 2)
		return 64;
	opt.stream = 1;
	opt.timeout_ms = -1; /* no limit */
	opt.connect_timeout_ms = 10000;
	opt.recv_buffer = PIECE;
	opt.send_buffer = PIECE + 16; /* a piece and its header go out in one write */
	opt.alloc = count;
	opt.user_data = &memory;
	ws = ws_new(argv[1], &opt);
	if (!ws)
		return 1;
	r = run(ws, &total);
	if (r)
		fprintf(stderr, "%s\n", ws_errmsg(ws));
	ws_timeout(ws, 2000);
	ws_close(ws, 1000, NULL);
	ws_free(ws);
	fprintf(stderr, "%llu bytes received, %lu bytes of memory held at most\n",
	        (unsigned long long)total, (unsigned long)memory.peak);
	return r != 0 || fflush(stdout) != 0;
}
