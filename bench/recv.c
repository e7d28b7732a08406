/* SPDX-License-Identifier: ISC
 * recv.c - how fast messages are received, frames are masked and text is checked
 *
 * usage: recv [ROUNDS [MEBIBYTES]] Messages of 64 KiB and 125 bytes come from a forked sender over
 * loopback TCP: once to ws_recv, once to a loop that does nothing but recv into a buffer of the
 * same size and step over the frames' headers in place. By turns; the median of the rounds' ratios
 * counts. Sender and receiver are bound to different processors, because on a shared one
 * all times would differ.
 * Lines: name, value, unit.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
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

static void run_on(int processor)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	sched_setaffinity(0, sizeof set, &set); /* without it the times are only less stable */
}

/* The sender's side: answers the upgrade, then sends total bytes of frames of size bytes each */
static void send_all(int fd, const void *p, size_t n)
{
	const char *s = p;

	while (n > 0) {
		ssize_t r = send(fd, s, n, MSG_NOSIGNAL);

		if (r <= 0)
			_exit(1);
		s += r;
		n -= (size_t)r;
	}
}

static void sender(int fd, size_t size, size_t total)
{
	char head[4096], *key;
	size_t n = 0, frame, many, i;
	unsigned char h[WSI_FRAME_HEAD_MAX], *block;
	char answer[] =
	    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: ............................\r\n\r\n";

	do {
		ssize_t r = recv(fd, head + n, sizeof head - 1 - n, 0);

		if (r <= 0)
			_exit(1);
		n += (size_t)r;
		head[n] = 0;
	} while (strstr(head, "\r\n\r\n") == NULL);
	if ((key = strstr(head, "Sec-WebSocket-Key: ")) == NULL)
		_exit(1);
	wsi_accept(strstr(answer, "Accept: ") + 8, key + 19);
	frame = wsi_frame_encode(h, WSI_FIN | WSI_BINARY, size, NULL) + size;
	many = (1U << 20) / frame + 1;
	block = calloc(many, frame);
	for (i = 0; i < many; i++)
		memcpy(block + i * frame, h, frame - size);
	send_all(fd, answer, sizeof answer - 1);
	for (n = 0; n < total; n += many * frame)
		send_all(fd, block, many * frame);
	shutdown(fd, SHUT_WR);
	while (recv(fd, head, sizeof head, 0) > 0)
		;
	_exit(0);
}

static int start(pid_t *pid, size_t size, size_t total)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	int l = socket(AF_INET, SOCK_STREAM, 0), fd, peer;

	if (l < 0 || bind(l, (struct sockaddr *)&a, len) != 0 || listen(l, 1) != 0
	    || getsockname(l, (struct sockaddr *)&a, &len) != 0)
		die("listen");
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&a, len) != 0 || (peer = accept(l, NULL, NULL)) < 0)
		die("connect");
	close(l);
	if ((*pid = fork()) == 0) {
		close(fd);
		run_on(1);
		sender(peer, size, total);
	}
	close(peer);
	return fd;
}

/* Bytes per second of payload */
static double ours(size_t size, size_t total, size_t buffer, int stream)
{
	struct ws_options opt = {
	    .timeout_ms = -1, .use_fd = 1, .recv_buffer = buffer, .stream = stream};
	struct ws_msg m;
	struct ws_conn *ws;
	double begin, end;
	size_t bytes = 0;
	pid_t pid;

	opt.fd = start(&pid, size, total);
	if ((ws = ws_new("ws://127.0.0.1/", &opt)) == NULL || ws_open(ws) != 0) {
		fprintf(stderr, "%s\n", ws_errmsg(ws));
		exit(1);
	}
	begin = now_s();
	while (ws_recv(ws, &m) == 0)
		bytes += m.len;
	end = now_s();
	ws_free(ws);
	waitpid(pid, NULL, 0);
	if (bytes < total - total / 8)
		die("too little came");
	return (double)bytes / (end - begin);
}

static double bare(size_t size, size_t total, size_t buffer)
{
	static const char request[] =
	    "GET / HTTP/1.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
	unsigned char *buf = malloc(buffer);
	size_t have = 0, at, bytes = 0, left = 0;
	double begin = 0;
	pid_t pid;
	int fd = start(&pid, size, total);
	ssize_t r;

	send_all(fd, request, sizeof request - 1);
	while (have < 4
	       || memcmp(buf + have - 4, "\r\n\r\n", 4)
	              != 0) { /* byte by byte, so that no part of a frame is read */
		if (recv(fd, buf + have, 1, 0) != 1)
			die("recv");
		have++;
	}
	have = 0;
	begin = now_s();
	while ((r = recv(fd, buf + have, buffer - have, 0)) > 0) {
		have += (size_t)r;
		at = 0;
		for (;;) {
			size_t n, head = 2;

			if (left > have - at) {
				left -= have - at;
				at = have;
				break;
			}
			at += left;
			left = 0;
			if (at + 2 > have)
				break;
			n = buf[at + 1] & 0x7f;
			if (n >= 126) {
				size_t k, e = n == 126 ? 2 : 8;

				head += e;
				if (at + head > have)
					break;
				for (n = 0, k = 0; k < e; k++)
					n = n << 8 | buf[at + 2 + k];
			}
			at += head;
			bytes += n;
			left = n;
		}
		have -= at;
		memmove(buf, buf + at, have);
	}
	begin = now_s() - begin;
	close(fd);
	free(buf);
	waitpid(pid, NULL, 0);
	return (double)bytes / begin;
}

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof *v, by_value);
	return v[n / 2];
}

/* buffer 0: the default, which grows to 128 KiB with messages of 64 KiB */
static void compare(const char *name, size_t size, size_t total, size_t buffer, int rounds)
{
	const size_t bare_buffer = buffer ? buffer : 131072;
	double whole[64], loop[64], ratio[64], stream[64];
	int k;

	for (k = 0; k < rounds && k < 64; k++) {
		whole[k] = ours(size, total, buffer, 0);
		loop[k] = bare(size, total, bare_buffer);
		ratio[k] = whole[k] / loop[k];
		stream[k] = ours(size, total, bare_buffer, 1) / loop[k];
	}
	printf("recv_%s_ours %.0f MB/s\nrecv_%s_bare %.0f MB/s\nrecv_%s_ratio "
	       "%.3f\nrecv_%s_stream_ratio %.3f\n",
	       name, median(whole, k) / 1e6, name, median(loop, k) / 1e6, name, median(ratio, k),
	       name, median(stream, k));
	fflush(stdout);
}

/* Words with accents, CJK and emoji in an order that no processor can predict */
static void fill_mixed(unsigned char *buf, size_t len)
{
	static const char *const words[] = {
	    "na\xc3\xafve ", /* accents */
	    "Gr\xc3\xbc\xc3\x9f"
	    "e ",
	    "d\xc3\xa9j\xc3\xa0 ",
	    "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", /* CJK */
	    "\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xb8\x96\xe7\x95\x8c",
	    "\xed\x95\x9c\xea\xb5\xad\xec\x96\xb4",
	    "\xf0\x9f\x91\x8d", /* emoji */
	    "\xf0\x9f\x98\x80 ",
	    "hello ",
	};
	uint32_t seed = 1;
	size_t i = 0, n;

	memset(buf, 'a', len);
	for (;;) {
		const char *word;

		seed = seed * 1664525 + 1013904223;
		word = words[(seed >> 16) % (sizeof words / sizeof *words)];
		n = strlen(word);
		if (i + n > len)
			return;
		memcpy(buf + i, word, n);
		i += n;
	}
}

/* The speed of the text check, in bytes per second: the best of many short runs, which other
 * programs rarely interrupt */
static double utf8_speed(const unsigned char *buf, size_t len)
{
	double best = 0, begin, v;
	int run, i;

	for (run = 0; run < 50; run++) {
		uint32_t state = 0;

		begin = now_s();
		for (i = 0; i < 16; i++) {
			if (wsi_utf8_check(&state, buf, len) != len)
				exit(1);
		}
		v = 16.0 * (double)len / (now_s() - begin);
		best = v > best ? v : best;
	}
	return best;
}

static void bytes_per_second(int rounds)
{
	static unsigned char buf[65536];
	static const unsigned char key[4] = {0x37, 0xfa, 0x21, 0x3d};
	double mask = 0, ascii = 0, mixed = 0, begin, v;
	int k, i;

	for (k = 0; k < rounds * 4; k++) {
		begin = now_s();
		for (i = 0; i < 2000; i++)
			wsi_mask(buf, buf, sizeof buf, key);
		v = 2000.0 * sizeof buf / (now_s() - begin);
		mask = v > mask ? v : mask;
		memset(buf, 'a', sizeof buf);
		v = utf8_speed(buf, sizeof buf);
		ascii = v > ascii ? v : ascii;
		fill_mixed(buf, sizeof buf);
		v = utf8_speed(buf, sizeof buf);
		mixed = v > mixed ? v : mixed;
	}
	printf("mask %.1f GB/s\nutf8_ascii %.1f GB/s\nutf8_mixed %.2f GB/s\n", mask / 1e9,
	       ascii / 1e9, mixed / 1e9);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 7;
	size_t total = (size_t)(argc > 2 ? atoi(argv[2]) : 512) << 20;

	bytes_per_second(rounds);
	run_on(0);
	compare("64k", 65536, total, 0, rounds);
	compare("125", 125, total, 65536, rounds);
	return 0;
}
