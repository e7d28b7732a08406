/* SPDX-License-Identifier: ISC
 * device.c - a device's program, whose size test-cortex-m.sh measures: a question and its answer
 * over its own transport, clock, random bytes and heap
 */
#include <stdlib.h>
#include <string.h>
#include "ws.h"

int main(void);

static ptrdiff_t device_read(void *io, void *buf, size_t len)
{
	(void)io;
	(void)buf;
	(void)len;
	return WS_IO_EOF;
}

static ptrdiff_t device_write(void *io, const void *buf, size_t len)
{
	(void)io;
	(void)buf;
	return (ptrdiff_t)len;
}

static int64_t device_clock(void *user_data)
{
	int64_t *now = user_data;

	return ++*now;
}

static int device_random(void *user_data, void *buf, size_t len)
{
	(void)user_data;
	memset(buf, 4, len);
	return 0;
}

static void *device_alloc(void *user_data, void *ptr, size_t old_len, size_t new_len)
{
	static unsigned char heap[8192];
	static size_t used;
	void *p;

	(void)user_data;
	if (new_len == 0 || used + new_len > sizeof heap)
		return NULL;
	p = heap + used;
	used += (new_len + 7) / 8 * 8;
	if (ptr)
		memcpy(p, ptr, old_len < new_len ? old_len : new_len);
	return p;
}

int main(void)
{
	static int64_t now;
	struct ws_io io = {.io_read = device_read, .io_write = device_write};
	struct ws_options opt = {
	    .nonblock = 1,
	    .recv_buffer = 256,
	    .send_buffer = 256,
	    .io = &io,
	    .alloc = device_alloc,
	    .now_us = device_clock,
	    .entropy = device_random,
	    .user_data = &now,
	};
	struct ws_conn *ws = ws_new("ws://server.example/", &opt);
	struct ws_msg msg;
	int r;

	if (!ws)
		return 1;
	r = ws_open(ws);
	if (r == 0)
		r = ws_send(ws, WS_TEXT, "hello", 5) == 5 ? 0 : 1;
	if (r == 0)
		r = ws_recv(ws, &msg);
	ws_close(ws, 1000, NULL);
	ws_free(ws);
	return r;
}
