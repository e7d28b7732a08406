/* SPDX-License-Identifier: ISC
 * floor.c - the messages of a query without any checks: the least that any client must spend
 *
 * usage: floor PORT
 */
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	static const char request[] =
	    "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
	static const char hello[] =
	    "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"; /* RFC 6455 5.7: a masked "Hello" */
	static const char bye[] = "\x88\x82\x12\x34\x56\x78\x11\xdc"; /* a masked close, 1000 */
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	char buf[1024];
	size_t n = 0;
	ssize_t r;
	unsigned port = 0;
	int fd;

	if (argc != 2)
		return 64;
	while (*argv[1])
		port = port * 10 + (unsigned)(*argv[1]++ - '0');
	a.sin_port = htons((unsigned short)port);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&a, sizeof a) != 0
	    || write(fd, request, sizeof request - 1) < 0)
		return 1;
	while (n < 4 || memcmp(buf + n - 4, "\r\n\r\n", 4) != 0) {
		if (n == sizeof buf || (r = read(fd, buf + n, sizeof buf - n)) <= 0)
			return 1;
		n += (size_t)r;
	}
	if (write(fd, hello, sizeof hello - 1) < 0 || read(fd, buf, sizeof buf) <= 0)
		return 1;
	if (write(1, buf + 2, 5) != 5 || write(fd, bye, sizeof bye - 1) < 0
	    || read(fd, buf, sizeof buf) <= 0)
		return 1;
	return 0;
}
