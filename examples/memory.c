/* SPDX-License-Identifier: ISC
 * memory.c - no operating system: the program provides transport, clock, random bytes and memory
 *
 * usage: memory		cc memory.c -lwsquery
 * On a device, compile it together with the library's files and -DWS_NO_NET.
 *
 * The connection runs over two queues of bytes in memory. A server at their other end echoes
 * messages of up to 125 bytes. All memory comes from a fixed arena, and time is a counter that the
 * main loop advances. There are two runs: in the first the server answers; in the second it is
 * silent, and the deadline passes.
 */
#include <stdint.h>
#include <string.h>
#include "ws.h"

/* The arena allocates the first free units that fit. */
#define ARENA 10240
#define UNIT 16 /* bytes: the unit of allocation and alignment */

struct arena {
	_Alignas(16) unsigned char bytes[ARENA];
	unsigned char used[ARENA / UNIT];
	size_t now, peak; /* units */
};

/* One direction of the transport: bytes that were written and not read yet. */
struct queue {
	unsigned char bytes[1024];
	size_t len;
};

struct device {
	struct arena arena;
	struct queue up, down;
	int64_t now_us;
	int silent, upgraded;
};

static void arena_mark(struct arena *a, size_t at, size_t n, unsigned char used)
{
	memset(a->used + at, used, n);
	a->now += used ? n : 0 - n;
	if (a->now > a->peak)
		a->peak = a->now;
}

static void *arena_alloc(void *user_data, void *ptr, size_t old_len, size_t new_len)
{
	struct device *d = user_data;
	struct arena *a = &d->arena;
	size_t n = (new_len + UNIT - 1) / UNIT, at = 0, run = 0;

	for (; n > 0 && at < ARENA / UNIT && run < n; at++)
		run = a->used[at] ? 0 : run + 1;
	if (run < n)
		return NULL;
	if (n > 0) {
		at -= n;
		arena_mark(a, at, n, 1);
		if (ptr)
			memcpy(a->bytes + at * UNIT, ptr, old_len < new_len ? old_len : new_len);
	}
	if (ptr)
		arena_mark(a, (size_t)((unsigned char *)ptr - a->bytes) / UNIT,
		           (old_len + UNIT - 1) / UNIT, 0);
	return n > 0 ? a->bytes + at * UNIT : NULL;
}

static int64_t clock_us(void *user_data)
{
	return ((struct device *)user_data)->now_us;
}

/* A device uses its random number generator here. These bytes are fixed, those of RFC 6455 1.3, so
 * that the server's answer below can be fixed too. */
static int random_bytes(void *user_data, void *buf, size_t len)
{
	unsigned char *p = buf;
	size_t i;

	(void)user_data;
	for (i = 0; i < len; i++)
		p[i] = (unsigned char)"the sample nonce"[i % 16];
	return 0;
}

static size_t put(struct queue *q, const void *p, size_t len)
{
	if (len > sizeof q->bytes - q->len)
		len = sizeof q->bytes - q->len;
	memcpy(q->bytes + q->len, p, len);
	q->len += len;
	return len;
}

static size_t take(struct queue *q, void *p, size_t len)
{
	if (len > q->len)
		len = q->len;
	if (p)
		memcpy(p, q->bytes, len);
	q->len -= len;
	memmove(q->bytes, q->bytes + len, q->len);
	return len;
}

static ptrdiff_t io_read(void *io, void *buf, size_t len)
{
	size_t n = take(&((struct device *)io)->down, buf, len);

	return n ? (ptrdiff_t)n : WS_IO_READ;
}

static ptrdiff_t io_write(void *io, const void *buf, size_t len)
{
	size_t n = put(&((struct device *)io)->up, buf, len);

	return n ? (ptrdiff_t)n : WS_IO_WRITE;
}

/* The server: it accepts the upgrade, then sends back whole frames of up to 125 bytes, unmasked. */
static void serve(struct device *d)
{
	static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\n"
	                             "Upgrade: websocket\r\nConnection: Upgrade\r\n"
	                             "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
	const unsigned char *p = d->up.bytes;
	unsigned char frame[2 + 125];
	size_t len, i;

	if (!d->upgraded) {
		if (d->up.len < 4 || memcmp(p + d->up.len - 4, "\r\n\r\n", 4) != 0)
			return;
		take(&d->up, NULL, d->up.len);
		put(&d->down, answer, sizeof answer - 1);
		d->upgraded = 1;
	}
	while (d->up.len >= 6 && d->up.len >= 6 + (size_t)(p[1] & 0x7f)) {
		len = p[1] & 0x7f;
		frame[0] = p[0];
		frame[1] = (unsigned char)len;
		for (i = 0; i < len; i++)
			frame[2 + i] = p[6 + i] ^ p[2 + i % 4];
		take(&d->up, NULL, 6 + len);
		if (!d->silent || (frame[0] & 0x0f) == 8)
			put(&d->down, frame, 2 + len);
	}
}

/* The program's part. */
struct program {
	enum { OPENING, ASKING, RECEIVING, CLOSING } state;
	char answer[64];
};

/* Goes on until it would have to wait. WS_AGAIN: wait first; 0: done; or the error. */
static int step(struct program *p, struct ws_conn *ws)
{
	static const char text[] = "from memory";
	struct ws_msg msg;
	ptrdiff_t n;
	int r;

	switch (p->state) {
	case OPENING:
		r = ws_open(ws);
		if (r)
			return r;
		p->state = ASKING;
		/* fall through */
	case ASKING: /* a text far smaller than send_buffer is taken whole or not at all */
		n = ws_send(ws, WS_TEXT, text, sizeof text - 1);
		if (n < 0)
			return (int)n;
		p->state = RECEIVING;
		/* fall through */
	case RECEIVING:
		r = ws_recv(ws, &msg);
		if (r)
			return r;
		if (msg.len < sizeof p->answer)
			memcpy(p->answer, msg.data, msg.len);
		p->state = CLOSING;
		/* fall through */
	case CLOSING:
		break;
	}
	return ws_close(ws, 1000, NULL);
}

int memory_run(struct device *d, struct program *p, char error[256]);

/* The main loop of a device. Returns 0 or an enum ws_err; error gets the sentence. */
int memory_run(struct device *d, struct program *p, char error[256])
{
	struct ws_options opt = {0};
	struct ws_io io = {0};
	struct ws_conn *ws;
	size_t i;
	int r;

	io.io_read = io_read;
	io.io_write = io_write;
	io.io = d;
	opt.io = &io;
	opt.nonblock = 1;
	opt.timeout_ms = 5000;
	opt.recv_buffer = 512;
	opt.send_buffer = 256;
	opt.max_message = 1024;
	opt.alloc = arena_alloc;
	opt.now_us = clock_us;
	opt.entropy = random_bytes;
	opt.user_data = d;
	ws = ws_new("ws://device.example/", &opt);
	if (!ws)
		return WS_EMEMORY;
	while ((r = step(p, ws)) == WS_AGAIN) {
		struct ws_pollset set;

		serve(d);
		ws_wants(ws, &set);
		if (d->down.len == 0 && set.timeout_ms > 0)
			/* A device sleeps here until the time is over or its radio has bytes. */
			d->now_us += (int64_t)set.timeout_ms * 1000;
	}
	for (i = 0; i < 255 && ws_errmsg(ws)[i]; i++)
		error[i] = ws_errmsg(ws)[i];
	error[i] = '\0';
	ws_free(ws);
	return r;
}

#ifndef MEMORY_NO_MAIN
#include <stdio.h>

int main(void)
{
	static struct device d[2];
	struct program p[2];
	char error[256];
	int r;

	memset(p, 0, sizeof p);
	r = memory_run(&d[0], &p[0], error);
	printf("%s: %s\n", ws_errname(r), r ? error : p[0].answer);
	d[1].silent = 1;
	r = memory_run(&d[1], &p[1], error);
	printf("%s: %s\n", ws_errname(r), r ? error : p[1].answer);
	printf(
	    "%lu bytes of the arena used at most, %lu left used, %ld s by its own clock\n",
	    (unsigned long)(d[0].arena.peak > d[1].arena.peak ? d[0].arena.peak : d[1].arena.peak)
	        * UNIT,
	    (unsigned long)(d[0].arena.now + d[1].arena.now) * UNIT, (long)(d[1].now_us / 1000000));
	return 0;
}
#endif
