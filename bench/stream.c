/* SPDX-License-Identifier: ISC
 * stream.c - how fast a stream of messages can possibly go from a server to a pipe
 *
 * usage: stream PORT PATH
 * Opens a WebSocket on the loopback and copies what the server sends to standard output unchanged,
 * with nothing but recv and write. It ends with the connection.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "bench.h"

static void write_all(const char *p, size_t n)
{
	while (n > 0) {
		ssize_t r = write(1, p, n);

		if (r <= 0)
			die("write");
		p += r;
		n -= (size_t)r;
	}
}

int main(int argc, char **argv)
{
	static char buf[65536];
	struct sockaddr_in a = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0), len;
	size_t have = 0;
	char *end = NULL;
	ssize_t n;

	if (argc != 3)
		return 64;
	a.sin_port = htons((unsigned short)atoi(argv[1]));
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) < 0)
		die("connect");
	len = snprintf(buf, sizeof buf,
	               "GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
	               "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
	               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
	               argv[2]);
	if (send(fd, buf, (size_t)len, 0) != len)
		die("send");
	while (!end && have < sizeof buf) {
		n = recv(fd, buf + have, sizeof buf - have, 0);
		if (n <= 0)
			die("recv");
		have += (size_t)n;
		end = memmem(buf, have, "\r\n\r\n", 4);
	}
	if (!end)
		return 1;
	write_all(end + 4, have - (size_t)(end + 4 - buf));
	while ((n = recv(fd, buf, sizeof buf, 0)) > 0)
		write_all(buf, (size_t)n);
	return 0;
}
