/* SPDX-License-Identifier: ISC
 * echo_server.c - a small strict WebSocket echo server on the loopback, for the demo, the tests and
 * the bench
 *
 * usage: echo_server [-n CONNECTIONS] [-6] [PORT]
 *
 * Prints its URL, "ws://127.0.0.1:PORT/", as one line. Without PORT it listens on a free port and
 * serves until its standard input ends, or with -n until that many connections were served; with
 * PORT it serves until it is killed.
 * Frames are sent back unchanged, piece by piece, so a message of any size takes one buffer. The
 * path /flood/COUNT/SIZE sends COUNT text messages of SIZE bytes (COUNT 0: without end) as fast as
 * the client takes them, then closes. A client that breaks RFC 6455 gets a close frame with 1002,
 * and the fault is printed on stderr; the exit status is then 1.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include "ws_pure.h"

enum {
	MAX_CONNS = 256,
	BUF = 65536,
	ROOM = 256 /* a control frame and a header, always kept free in out */
};

struct conn {
	int fd;
	enum { HEAD, FRAME, PAYLOAD, CLOSING, DRAIN } state;
	size_t in_len, out_at, out_len;
	/* the client's current frame */
	unsigned char opcode, key[4], last_key[4], control[125];
	uint64_t left, at;
	int frames, in_message;
	/* the flood */
	int flood, endless;
	uint64_t count, size, size_left;
	unsigned char in[BUF], out[BUF];
};

static struct conn *conns[MAX_CONNS];
static int broken;

static void put(struct conn *c, const void *p, size_t n)
{
	memcpy(c->out + c->out_len, p, n);
	c->out_len += n;
}

static void put_head(struct conn *c, unsigned char b0, uint64_t len)
{
	unsigned char h[10] = {b0};
	size_t n, i;

	if (len < 126) {
		h[1] = (unsigned char)len;
		n = 2;
	} else if (len < 65536) {
		h[1] = 126;
		n = 4;
	} else {
		h[1] = 127;
		n = 10;
	}
	for (i = 2; i < n; i++)
		h[i] = (unsigned char)(len >> 8 * (n - 1 - i));
	put(c, h, n);
}

/* The client broke a rule */
static void refuse(struct conn *c, const char *why)
{
	fprintf(stderr, "echo_server: client error: %s\n", why);
	broken = 1;
	put_head(c, 0x88, 2);
	put(c, "\x03\xea", 2);
	c->state = CLOSING;
}

static const char *header(const char *head, const char *name, size_t *len)
{
	size_t n = strlen(name);
	const char *p = head, *end;

	while ((p = strstr(p, "\r\n")) != NULL) {
		p += 2;
		if (strncasecmp(p, name, n) != 0 || p[n] != ':')
			continue;
		p += n + 1;
		p += strspn(p, " \t");
		end = strstr(p, "\r\n");
		*len = (size_t)(end - p);
		return p;
	}
	*len = 0;
	return NULL;
}

static void upgrade(struct conn *c, const char *head)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t key_len, len;
	const char *key = header(head, "Sec-WebSocket-Key", &key_len), *p;
	unsigned char digest[20];
	char accept[28], text[24 + 36];

	p = header(head, "Upgrade", &len);
	if (strncmp(head, "GET /", 5) != 0 || !p || len != 9 || strncasecmp(p, "websocket", 9) != 0
	    || !key || key_len != 24 || strspn(key, digits) != 22 || !strchr("AQgw", key[21])
	    || memcmp(key + 22, "==", 2) != 0 /* 16 bytes in base64 */
	    || !(p = header(head, "Sec-WebSocket-Version", &len)) || len != 2
	    || memcmp(p, "13", 2) != 0 || !header(head, "Host", &len)) {
		static const char no[] =
		    "HTTP/1.1 400 Bad Request\r\nContent-Length: 34\r\nConnection: close\r\n\r\n"
		    "This server speaks WebSocket only\n";

		put(c, no, sizeof no - 1);
		c->state = CLOSING;
		return;
	}
	memcpy(text, key, 24);
	memcpy(text + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
	wsi_sha1(digest, text, sizeof text);
	wsi_base64_encode(accept, digest, 20);
	p = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
	    "Upgrade\r\nSec-WebSocket-Accept: ";
	put(c, p, strlen(p));
	put(c, accept, 28);
	put(c, "\r\n\r\n", 4);
	c->state = FRAME;
	if (strncmp(head + 4, "/flood/", 7) == 0) {
		char *end;

		c->flood = 1;
		c->count = strtoull(head + 11, &end, 10);
		c->endless = c->count == 0;
		c->size = strtoull(end + (*end == '/'), NULL, 10);
	}
}

/* Reads the header at p[0..n). Returns its length, or 0: more bytes are needed, or a broken rule
 * was reported */
static size_t frame(struct conn *c, const unsigned char *p, size_t n)
{
	size_t ext = 0, i;

	if (n < 2)
		return 0;
	c->opcode = p[0];
	if (!(p[1] & 0x80))
		return refuse(c, "frame is not masked"), (size_t)0;
	c->left = p[1] & 0x7f;
	if (c->left >= 126)
		ext = c->left == 126 ? 2 : 8;
	if (n < 2 + ext + 4)
		return 0;
	if (ext) {
		c->left = 0;
		for (i = 0; i < ext; i++)
			c->left = c->left << 8 | p[2 + i];
		if (c->left < (ext == 2 ? 126U : 65536U) || c->left >> 63)
			return refuse(c, "frame's length is not minimal"), (size_t)0;
	}
	memcpy(c->key, p + 2 + ext, 4);
	if (c->frames++ > 0 && memcmp(c->key, c->last_key, 4) == 0)
		return refuse(c, "two frames have one mask"), (size_t)0;
	memcpy(c->last_key, c->key, 4);
	c->at = 0;
	if (p[0] & 0x70)
		return refuse(c, "reserved bit"), (size_t)0;
	switch (p[0] & 0x0f) {
	case 0:
		if (!c->in_message)
			return refuse(c, "continuation of nothing"), (size_t)0;
		c->in_message = !(p[0] & 0x80);
		break;
	case 1:
	case 2:
		if (c->in_message)
			return refuse(c, "message within a message"), (size_t)0;
		c->in_message = !(p[0] & 0x80);
		break;
	case 8:
	case 9:
	case 10:
		if (c->left > 125 || !(p[0] & 0x80))
			return refuse(c, "control frame fragmented or too long"), (size_t)0;
		break;
	default:
		return refuse(c, "reserved opcode"), (size_t)0;
	}
	if ((p[0] & 0x0f) < 8)
		put_head(c, p[0], c->left);
	c->state = PAYLOAD;
	return 2 + ext + 4;
}

static size_t payload(struct conn *c, const unsigned char *p, size_t n)
{
	int control = (c->opcode & 8) != 0;
	unsigned char *to = control ? c->control + c->at : c->out + c->out_len;
	size_t i;

	if (n > c->left)
		n = (size_t)c->left;
	if (!control && n > BUF - ROOM - c->out_len)
		n = BUF - ROOM - c->out_len;
	for (i = 0; i < n; i++)
		to[i] = p[i] ^ c->key[(c->at + i) % 4];
	if (!control)
		c->out_len += n;
	c->at += n;
	c->left -= n;
	if (c->left > 0)
		return n;
	c->state = FRAME;
	if ((c->opcode & 15) == 9) {
		put_head(c, 0x8a, c->at);
		put(c, c->control, (size_t)c->at);
	} else if ((c->opcode & 15) == 8) {
		if (c->at == 1) {
			refuse(c, "close frame of one byte");
			return n;
		}
		put_head(c, 0x88, c->at);
		put(c, c->control, (size_t)c->at);
		c->state = CLOSING;
	}
	return n;
}

/* Continues the flood, also in the middle of one of its frames */
static void flood(struct conn *c)
{
	while (c->out_len + ROOM < BUF) {
		size_t n = BUF - ROOM - c->out_len;

		if (c->size_left == 0) {
			if (!c->endless && c->count == 0) {
				c->flood = 0;
				put_head(c, 0x88, 2);
				put(c, "\x03\xe8", 2);
				c->state = CLOSING;
			}
			if (!c->flood
			    || c->in_len > 0) /* the client's frames are answered between ours */
				return;
			c->count -= !c->endless;
			put_head(c, 0x81, c->size);
			c->size_left = c->size;
		}
		if (n > c->size_left)
			n = (size_t)c->size_left;
		memset(c->out + c->out_len, 'x', n);
		c->out_len += n;
		c->size_left -= n;
	}
}

/* Does everything that the bytes in `in` and the room in `out` allow */
static void step(struct conn *c)
{
	size_t used = 0, n;
	char *head = (char *)c->in, *end;

	if (c->state == HEAD) {
		c->in[c->in_len] = 0;
		if ((end = strstr(head, "\r\n\r\n")) == NULL) {
			if (c->in_len > 8192)
				refuse(c, "request is too long");
			return;
		}
		used = (size_t)(end + 4 - head);
		end[2] = 0;
		upgrade(c, head);
	}
	/* an answer must not fall into the middle of a frame of the flood */
	while ((c->state == FRAME || c->state == PAYLOAD) && c->size_left == 0
	       && c->out_len + ROOM < BUF) {
		if (c->state == FRAME)
			n = frame(c, c->in + used, c->in_len - used);
		else
			n = payload(c, c->in + used, c->in_len - used);
		used += n;
		if (n == 0 && (c->state == FRAME || c->left > 0))
			break;
	}
	if (c->state == CLOSING || c->state == DRAIN)
		used = c->in_len;
	memmove(c->in, c->in + used, c->in_len - used);
	c->in_len -= used;
	if (c->flood && (c->state == FRAME || c->state == PAYLOAD))
		flood(c);
}

/* Returns 0 when the connection has ended */
static int serve(struct conn *c, int revents)
{
	ssize_t n;

	if (revents & (POLLIN | POLLHUP | POLLERR) && c->in_len < BUF - 1) {
		n = recv(c->fd, c->in + c->in_len, BUF - 1 - c->in_len, 0);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return 0;
		if (n > 0)
			c->in_len += (size_t)n;
	}
	for (;;) {
		step(c);
		if (c->out_at == c->out_len)
			return 1;
		n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		c->out_at += (size_t)n;
		if (c->out_at < c->out_len)
			return 1;
		c->out_at = c->out_len = 0;
		if (c->state == CLOSING) {
			/* RFC 6455 7.1.1: the server ends the stream first; what still comes is
			 * read, or it would be reset */
			shutdown(c->fd, SHUT_WR);
			c->state = DRAIN;
		}
		if (c->flood)
			return 1;
	}
}

static int wants(const struct conn *c)
{
	return (c->in_len < BUF - 1 ? POLLIN : 0) | (c->out_len > 0 || c->flood ? POLLOUT : 0);
}

int main(int argc, char **argv)
{
	static struct pollfd p[MAX_CONNS + 2];
	static int index[MAX_CONNS + 2];
	struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	socklen_t len;
	int opt, six = 0, one = 1, port = 0, fd, i;
	long limit = -1, served = 0;
	nfds_t n;

	while ((opt = getopt(argc, argv, "6n:")) != -1)
		switch (opt) {
		case '6':
			six = 1;
			break;
		case 'n':
			limit = atol(optarg);
			break;
		default:
			return 64;
		}
	if (optind < argc)
		port = (int)strtol(argv[optind], NULL, 10);
	if (port < 0 || port > 65535 || optind + 1 < argc)
		return 64;
	a4.sin_port = a6.sin6_port = htons((uint16_t)port);
	signal(SIGPIPE, SIG_IGN);
	fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	len = six ? sizeof a6 : sizeof a4;
	if (fd < 0 || bind(fd, six ? (struct sockaddr *)&a6 : (struct sockaddr *)&a4, len) != 0
	    || listen(fd, 128) != 0
	    || getsockname(fd, six ? (struct sockaddr *)&a6 : (struct sockaddr *)&a4, &len) != 0) {
		perror("echo_server");
		return 1;
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	printf("ws://%s:%d/\n", six ? "[::1]" : "127.0.0.1",
	       ntohs(six ? a6.sin6_port : a4.sin_port));
	fflush(stdout);

	while (limit < 0 || served < limit) {
		p[0].fd = fd;
		p[0].events = POLLIN;
		p[1].fd = limit < 0 && port == 0 ? 0 : -1;
		p[1].events = POLLIN;
		n = 2;
		for (i = 0; i < MAX_CONNS; i++)
			if (conns[i]) {
				index[n] = i;
				p[n].fd = conns[i]->fd;
				p[n++].events = (short)wants(conns[i]);
			}
		if (poll(p, n, -1) < 0)
			continue;
		if (p[1].revents) {
			char c[64];

			if (read(0, c, sizeof c) <= 0)
				break;
		}
		while (n-- > 2) {
			i = index[n];
			if (p[n].revents && !serve(conns[i], p[n].revents)) {
				close(conns[i]->fd);
				free(conns[i]);
				conns[i] = NULL;
				served++;
			}
		}
		if (p[0].revents) {
			for (i = 0; i < MAX_CONNS && conns[i]; i++)
				;
			if (i == MAX_CONNS)
				continue;
			opt = accept(fd, NULL, NULL);
			if (opt < 0 || (conns[i] = calloc(1, sizeof(struct conn))) == NULL)
				continue;
			fcntl(opt, F_SETFL, O_NONBLOCK);
			setsockopt(opt, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
			conns[i]->fd = opt;
		}
	}
	return broken;
}
