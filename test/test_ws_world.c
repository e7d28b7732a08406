/* SPDX-License-Identifier: ISC
 * test_ws_world.c - Tests what the caller supplies: allocator, entropy, poll loop, transport and
 * trace
 *
 * It uses the public interface of ws.h over the scripted transport of fake.h.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "talk.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static int
    writes_refused; /* how many io_write return WS_IO_WRITE; -1: all return WS_IO_ERROR; -2: all
		     * return 0 */

static ptrdiff_t refusing_write(void *io, const void *buf, size_t len)
{
	if (writes_refused < 0)
		return writes_refused == -1 ? WS_IO_ERROR : 0;
	if (writes_refused > 0) {
		writes_refused--;
		return WS_IO_WRITE;
	}
	return fake_write(io, buf, len);
}

static void talk_open_refusing(struct talk *t, int nonblock, int refused)
{
	talk_begin(t, "", 0);
	t->o.nonblock = nonblock;
	t->io.io_write = refusing_write;
	writes_refused = 0;
	talk_open(t);
	writes_refused = refused;
}

static const char *expired(void *io)
{
	(void)io;
	return "it has expired";
}

static int failing_wait(void *io, int events, int timeout_ms)
{
	(void)io;
	(void)events;
	(void)timeout_ms;
	return -1;
}

/* No call waits for bytes that are already buffered, or that can never come */
static void test_no_needless_waits(void)
{
	static const char data[20000];
	struct ws_pollset set;
	struct ws_msg msg;
	struct talk t;
	ptrdiff_t n;
	int k, r;

	check_row("with a ws_send or a ws_ping that took nothing, once the peer reads again");
	for (k = 0; k < 2; k++) {
		talk_begin(&t, "", 0);
		t.o.send_buffer = 256;
		talk_open(&t);
		t.f.room = t.f.drain = 0;
		talk_more(&t, "\x89\x01p", 3);
		CHECK_EQ_U(ws_send(t.ws, WS_BINARY, data, 200), 200);
		talk_more(&t, "\x89\x01q", 3);
		CHECK_EQ_U(k ? ws_ping(t.ws, data, 100) : ws_send(t.ws, WS_BINARY, data, 200),
		           WS_AGAIN);
		t.f.room = t.f.drain = SIZE_MAX;
		CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
		CHECK(
		    strstr(ws_errmsg(t.ws), "the peer takes more now: call ws_send with the rest"));
		CHECK_EQ_U(t.f.now, 1000000);
		/* after giving up or after sending, a call waits again */
		t.f.gap_us = 500;
		talk_more(&t, "\x82\x01m", 3);
		CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
		CHECK_EQ_U(ws_send(t.ws, WS_BINARY, data, 200), 200);
		talk_more(&t, "\x82\x01m", 3);
		CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
		SENT(&t, 0x82, data, 200);
		SENT(&t, 0x8a, "p", 1);
		SENT(&t, 0x8a, "q", 1);
		SENT(&t, 0x82, data, 200);
		SENT_ALL(&t);
		talk_end(&t);
	}

	check_row("for the peer that has closed, once the echo is written");
	for (k = 0; k < 2; k++) {
		talk_open_refusing(&t, k, 2);
		talk_more(&t, "\x88\x02\x03\xe8", 4);
		REPEAT(r, &t.f, t.ws, k, ws_recv(t.ws, &msg));
		CHECK_EQ_U(r, WS_ECLOSED);
		REPEAT(r, &t.f, t.ws, k, ws_close(t.ws, 1000, NULL));
		CHECK_EQ_U(r, 0);
		CHECK_EQ_U(t.f.now, 1000000);
		SENT(&t, 0x88, "\x03\xe8", 2);
		SENT_ALL(&t);
		talk_end(&t);
	}

	check_row("a transport's error is not reported as a reset, nor is a write of nothing");
	for (k = 0; k < 4; k++) {
		talk_open_refusing(&t, k % 2, k < 2 ? -1 : -2);
		n = ws_send(t.ws, WS_BINARY, data, 1);
		if (n == WS_AGAIN)
			n = ws_recv(t.ws, &msg);
		CHECK_EQ_U(n, WS_EIO);
		CHECK(strstr(ws_errmsg(t.ws), "input/output error") != NULL);
		talk_end(&t);
	}

	check_row("a read of nothing is an error, too");
	talk_begin(&t, "", 0);
	talk_open(&t);
	t.f.io_fail_at = t.f.ios + 1;
	t.f.io_fail = 0;
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_EIO);
	talk_end(&t);

	check_row("a transport that says in words why it failed");
	for (k = 0; k < 2; k++) {
		talk_begin(&t, "", 0);
		t.io.io_error = expired;
		t.f.end = k ? WS_IO_CERT : WS_IO_ERROR;
		talk_open(&t);
		CHECK_EQ_U(ws_recv(t.ws, &msg), k ? WS_ECERT : WS_EIO);
		CHECK_EQ_S(ws_errmsg(t.ws), "receive from server.example.com:80: it has expired "
		                            "without a close frame (1006)");
		talk_end(&t);
		talk_begin(&t, "", 0);
		t.io.io_error = expired;
		t.io.io_wait = failing_wait;
		t.ws = ws_new(URL, &t.o);
		CHECK_EQ_U(ws_open(t.ws), WS_EIO);
		CHECK_EQ_S(ws_errmsg(t.ws), "waiting for server.example.com:80: it has expired");
		talk_end(&t);
	}

	check_row("with a frame unfinished, and no random bytes for a pong after it");
	talk_begin(&t, "", 0);
	talk_open(&t);
	for (k = 0; k < 11; k++)
		CHECK_EQ_U(ws_send(t.ws, WS_BINARY, "x", 1), 1);
	t.f.room = 1000;
	t.f.drain = SIZE_MAX;
	talk_more(&t, "\x89\x01p", 3);
	n = ws_send(t.ws, WS_BINARY, data, sizeof data);
	CHECK(n > 0 && n < (ptrdiff_t)sizeof data);
	t.f.entropy_calls_left = 0;
	t.f.room = 0;
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
	ws_send(t.ws, WS_BINARY, data, sizeof data - (size_t)n);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_EENTROPY);
	CHECK_EQ_U(t.f.now, 1000000);
	talk_end(&t);

	check_row("a new deadline counts from the moment the program sets it");
	talk_begin(&t, "", 0);
	talk_open(&t);
	t.f.now += FAKE_FOREVER;
	ws_timeout(t.ws, 500);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_ETIMEOUT);
	CHECK(strstr(ws_errmsg(t.ws), "after 500 ms") != NULL);
	talk_end(&t);

	check_row("there is nothing to poll before ws_open");
	t.ws = ws_new("ws://127.0.0.1:9/", NULL);
	set = wants(&t);
	CHECK(set.n == 0 && set.fd[0].fd == -1 && set.timeout_ms == 0);
	ws_free(t.ws);
}

#ifndef WS_NO_NET
/* Both ends of a real socket pair send 8 MiB before they read */

#define BIG ((size_t)1 << 20) /* more than a socket's buffers hold */
struct far_end {
	int fd, echo, ok;
	size_t piece;
};

static int put_all(int fd, const void *p, size_t len)
{
	const char *s = p;

	while (len) {
		ssize_t n = send(fd, s, len, MSG_NOSIGNAL);

		if (n < 0)
			return -1;
		s += n;
		len -= (size_t)n;
	}
	return 0;
}

static int get_all(int fd, void *p, size_t len)
{
	char *s = p;

	while (len) {
		ssize_t n = recv(fd, s, len, 0);

		if (n <= 0)
			return -1;
		s += n;
		len -= (size_t)n;
	}
	return 0;
}

static unsigned char pattern(size_t i)
{
	return (unsigned char)(i * 131 + i / 977);
}

/* A server: answers the handshake; then sends a message of BIG bytes before it reads one, or echoes
 * one in small pieces as it comes, reading and writing by turns */
static void *far_end_run(void *arg)
{
	struct far_end *e = arg;
	unsigned char head[14], *data = malloc(BIG);
	char request[2000];
	size_t have = 0, i, n;

	while (have < 4 || memcmp(request + have - 4, "\r\n\r\n", 4) != 0)
		if (have == sizeof request || get_all(e->fd, request + have++, 1) < 0)
			goto out;
	put_all(e->fd, FAKE_101, HEAD_LEN);
	for (i = 0; i < BIG; i++)
		data[i] = pattern(i + 5);
	if (!e->echo
	    && (put_all(e->fd, "\x82\x7f\x00\x00\x00\x00\x00\x10\x00\x00", 10) < 0
	        || put_all(e->fd, data, BIG) < 0))
		goto out;
	if (get_all(e->fd, head, 14) < 0
	    || memcmp(head, "\x82\xff\x00\x00\x00\x00\x00\x10\x00\x00", 10) != 0)
		goto out;
	if (e->echo)
		put_all(e->fd, "\x82\x7f\x00\x00\x00\x00\x00\x10\x00\x00", 10);
	for (i = 0; i < BIG; i += n) {
		n = BIG - i < e->piece ? BIG - i : e->piece;
		if (get_all(e->fd, data + i, n) < 0)
			goto out;
		for (have = i; have < i + n; have++)
			data[have] ^= head[10 + have % 4];
		if (e->echo && put_all(e->fd, data + i, n) < 0)
			goto out;
	}
	for (i = 0; i < BIG && data[i] == pattern(i); i++)
		;
	e->ok = i == BIG;
	if (get_all(e->fd, head, 8) == 0) /* the close frame */
		put_all(e->fd, "\x88\x02\x03\xe8", 4);
out:
	free(data);
	close(e->fd);
	return NULL;
}

static void test_send_and_recv_at_once(void)
{
	unsigned char *data = malloc(BIG);
	size_t i;
	int mode;

	for (i = 0; i < BIG; i++)
		data[i] = pattern(i);
	for (mode = 0; mode < 8; mode += check_step(3)) {
		struct far_end e;
		struct fake f; /* for its entropy */
		struct ws_options o;
		struct ws_msg msg;
		struct ws_conn *ws;
		pthread_t thread;
		size_t sent = 0, got = 0, bad = 0;
		int pair[2], r, nonblock = mode & 1, stream = mode >> 2, done = 0;

		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
		memset(&e, 0, sizeof e);
		e.fd = pair[1];
		e.echo = mode >> 1 & 1;
		e.piece = e.echo ? 1000 : BIG;
		CHECK(pthread_create(&thread, NULL, far_end_run, &e) == 0);
		fake_init(&f, "", 0);
		memset(&o, 0, sizeof o);
		o.use_fd = 1;
		o.fd = pair[0];
		o.entropy = fake_entropy;
		o.user_data = &f;
		o.nonblock = nonblock;
		o.stream = stream;
		o.timeout_ms = 120000;
		ws = ws_new(URL, &o);
		for (r = 0; !done;) {
			struct ws_pollset set;
			struct pollfd p;

			if (r == WS_AGAIN && nonblock) {
				ws_wants(ws, &set);
				CHECK(set.n == 1 && set.fd[0].fd == pair[0]);
				p.fd = set.fd[0].fd;
				p.events =
				    (short)((set.fd[0].events & WS_POLL_READ ? POLLIN : 0)
				            | (set.fd[0].events & WS_POLL_WRITE ? POLLOUT : 0));
				poll(&p, 1, set.timeout_ms);
			}
			if (ws_report(ws)->phase < WS_PHASE_READY
			    || ws_report(ws)->phase == WS_PHASE_URL) {
				r = ws_open(ws);
			} else if (sent == BIG && got == BIG) {
				r = ws_close(ws, 1000, NULL);
				done = r == 0;
			} else {
				if (sent < BIG) {
					ptrdiff_t n =
					    ws_send(ws, WS_BINARY, data + sent, BIG - sent);

					if (n >= 0)
						sent += (size_t)n;
					else if (n != WS_AGAIN)
						break;
				}
				r = got == BIG && sent == BIG ? 0 : ws_recv(ws, &msg);
				if (r == 0 && got < BIG) {
					const unsigned char *p8 = msg.data;

					for (i = 0; i < msg.len && got + i < BIG; i++)
						bad += p8[i] != pattern(got + i + (e.echo ? 0 : 5));
					got += msg.len;
				}
			}
			if (r < 0 && r != WS_AGAIN)
				break;
		}
		if (!CHECK(done && r == 0))
			fprintf(stderr, "mode %d: %d after %lu sent, %lu got: %s\n", mode, r,
			        (unsigned long)sent, (unsigned long)got, ws_errmsg(ws));
		CHECK(sent == BIG && got == BIG && bad == 0);
		ws_free(ws);
		pthread_join(thread, NULL);
		CHECK(e.ok);
		CHECK(fcntl(pair[0], F_GETFD) < 0); /* ws_free has closed it */
		fake_free(&f);
	}
	free(data);
}

#endif

/* Random bytes arrive late, or never. Nothing replaces them, because masks must not come from
 * another source (curl used one mask for all frames). */
static void test_entropy(void)
{
	struct talk t;
	struct ws_msg msg;
	int r, nonblock;

	for (nonblock = 0; nonblock < 2; nonblock++) {
		talk_begin(&t, "", 0);
		t.o.nonblock = nonblock;
		t.f.entropy_late = 5;
		talk_open(&t); /* waits for them */
		CHECK(t.f.now - 1000000 >= 10000 && t.f.now - 1000000 <= 500000);
		CHECK_EQ_U(t.f.entropy_calls, 6);
		talk_end(&t);

		talk_begin(&t, "", 0);
		t.o.nonblock = nonblock;
		t.o.timeout_ms = 3000;
		t.f.entropy_late = INT_MAX;
		t.ws = ws_new(URL, &t.o);
		REPEAT(r, &t.f, t.ws, nonblock, ws_open(t.ws));
		timed("no entropy yet", r, WS_ETIMEOUT, &t.f, 3000000);
		CHECK_EQ_U(t.f.out_len, 0);
		talk_end(&t);

		talk_begin(&t, "", 0);
		t.o.nonblock = nonblock;
		t.f.entropy_calls_left = 0;
		t.ws = ws_new(URL, &t.o);
		REPEAT(r, &t.f, t.ws, nonblock, ws_open(t.ws));
		CHECK_EQ_U(r, WS_EENTROPY);
		CHECK_EQ_U(t.f.out_len, 0);
		talk_end(&t);

		/* late for a frame: it waits, and what arrives meanwhile is not lost */
		talk_begin(&t,
		           "\x81\x01"
		           "a",
		           3);
		t.o.nonblock = nonblock;
		talk_open(&t);
		for (r = 0; r < 12; r++)
			CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "x", 1), 1);
		t.f.entropy_late = 3;
		REPEAT(r, &t.f, t.ws, nonblock, (int)ws_send(t.ws, WS_TEXT, "x", 1));
		CHECK_EQ_U(r, 1);
		REPEAT(r, &t.f, t.ws, nonblock, ws_recv(t.ws, &msg));
		CHECK_EQ_U(r, 0);
		for (r = 0; r < 13; r++)
			SENT(&t, 0x81, "x", 1);
		talk_end(&t);

		/* late for a pong, which is sent later */
		talk_begin(&t, "", 0);
		t.o.nonblock = nonblock;
		talk_open(&t);
		for (r = 0; r < 12; r++)
			CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "x", 1), 1);
		t.f.entropy_late = 3;
		talk_more(&t, "\x89\x01p", 3);
		ws_timeout(t.ws, 1000);
		REPEAT(r, &t.f, t.ws, nonblock, ws_recv(t.ws, &msg));
		CHECK_EQ_U(r, WS_ETIMEOUT);
		for (r = 0; r < 12; r++)
			SENT(&t, 0x81, "x", 1);
		SENT(&t, 0x8a, "p", 1);
		SENT_ALL(&t);
		talk_end(&t);

		/* late for a pong, so our next frame is late, too, and is sent after it */
		talk_begin(&t, "", 0);
		t.o.nonblock = nonblock;
		talk_open(&t);
		for (r = 0; r < 12; r++)
			CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "x", 1), 1);
		t.f.entropy_late = 3;
		talk_more(&t, "\x89\x01p", 3);
		t.f.come = t.f.in_len;
		CHECK_EQ_U(ws_recv_within(t.ws, &msg, 0), WS_AGAIN);
		REPEAT(r, &t.f, t.ws, nonblock, (int)ws_send(t.ws, WS_TEXT, "y", 1));
		CHECK_EQ_U(r, 1);
		for (r = 0; r < 12; r++)
			SENT(&t, 0x81, "x", 1);
		SENT(&t, 0x8a, "p", 1);
		SENT(&t, 0x81, "y", 1);
		SENT_ALL(&t);
		talk_end(&t);

		/* none for a pong that waited for the peer to read, and none for a frame after one
		 * that is held */
		for (r = 0; r < 2; r++) {
			int k;

			talk_begin(&t, "", 0);
			t.o.nonblock = 1;
			talk_open(&t);
			for (k = 0; k < 11; k++)
				CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "x", 1), 1);
			if (r == 0)
				t.f.room = t.f.drain = 0;
			CHECK_EQ_U(ws_send(t.ws, WS_TEXT | (r ? WS_HOLD : 0), "x", 1), 1);
			t.f.entropy_calls_left = 0;
			if (r == 0) {
				talk_more(&t, "\x89\x01p", 3);
				t.f.come = t.f.in_len;
				CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
				t.f.room = SIZE_MAX;
				CHECK_EQ_U(ws_recv(t.ws, &msg), WS_EENTROPY);
			} else {
				CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "x", 1), WS_EENTROPY);
			}
			CHECK_EQ_U(ws_report(t.ws)->err, WS_EENTROPY);
			talk_end(&t);
		}

		/* none for a frame or a pong: that ends the connection at once */
		for (r = 0; r < 2; r++) {
			int k;

			talk_begin(&t, "", 0);
			t.o.nonblock = nonblock;
			talk_open(&t);
			for (k = 0; k < 12; k++)
				CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "x", 1), 1);
			t.f.entropy_calls_left = 0;
			if (r) { /* the message after the ping is not returned */
				talk_more(&t, "\x89\x01p\x82\x00", 5);
				REPEAT(k, &t.f, t.ws, nonblock, ws_recv(t.ws, &msg));
			} else {
				k = (int)ws_send(t.ws, WS_TEXT, "x", 1);
			}
			CHECK_EQ_U(k, WS_EENTROPY);
			CHECK_EQ_U(ws_report(t.ws)->err, WS_EENTROPY);
			CHECK_EQ_U(t.f.now, 1000000);
			CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "x", 1), WS_EENTROPY);
			talk_end(&t);
		}
	}
}

/* Once open, no frame needs an allocation, and memory does not grow with time */
static void test_no_allocation_once_open(void)
{
	struct talk t;
	struct ws_msg msg;
	unsigned long allocs;
	size_t alive;
	int i, r, stream;
	static char data[40000];

	for (stream = 0; stream < 2; stream++) {
		talk_begin(&t, "", 0);
		t.o.stream = stream;
		t.o.recv_buffer = 1000;
		for (i = 0; i < 100; i++) {
			script_frame(&t.s, 0x81, NULL, 5);
			script_frame(&t.s, 0x82, NULL, 125);
			script_frame(&t.s, 0x89, NULL, 20);
			script_frame(&t.s, 0x82, NULL, 700);
			script_frame(&t.s, 0x8a, NULL, 20);
		}
		t.f.in = t.s.p;
		t.f.in_len = t.s.len;
		talk_open(&t);
		CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
		allocs = t.f.allocs;
		alive = t.f.alive;
		for (i = 0; i < 299;) {
			CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
			i += !msg.more;
			CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "hello", 5), 5);
			CHECK_EQ_U(ws_send(t.ws, WS_BINARY, data, 5000), 5000);
			CHECK_EQ_U(ws_ping(t.ws, "", 0), 0);
		}
		CHECK_EQ_U(t.f.allocs, allocs);
		CHECK_EQ_U(t.f.alive, alive);
		/* a message in fragments takes memory once */
		for (i = 0; i < 3; i++) {
			script_frame(&t.s, 0x01, NULL, 30000);
			script_frame(&t.s, 0x80, NULL, 10000);
		}
		talk_more(&t, "", 0);
		for (i = 0; i < 3; i++) {
			do {
				r = ws_recv(t.ws, &msg);
				CHECK_EQ_U(r, 0);
			} while (r == 0 && msg.more);
			if (i == 0)
				allocs = t.f.allocs;
		}
		CHECK_EQ_U(t.f.allocs, allocs);
		if (stream)
			CHECK_EQ_U(t.f.alive, alive);
		else
			CHECK(t.f.alive <= alive + 80000);
		talk_end(&t);
	}
	check_row("announced bytes cost no memory: 16 MiB announced, 100 sent");
	talk_begin(&t, "\x82\x7f\x00\x00\x00\x00\x01\x00\x00\x00", 10);
	script_frame(&t.s, 0x80, NULL, 100); /* as payload */
	talk_more(&t, "", 0);
	t.f.end = WS_IO_EOF;
	talk_open(&t);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_ECLOSED);
	CHECK_EQ_U(ws_report(t.ws)->close_code, 1006);
	CHECK(t.f.peak < 70000);
	talk_end(&t);
	check_row("a message of max_message takes little more than that");
	talk_begin(&t, "", 0);
	t.o.max_message = 1000000;
	for (i = 0; i < 25; i++)
		script_frame(&t.s, i == 0 ? 0x02 : i == 24 ? 0x80 : 0, data, 40000);
	script_frame(&t.s, 0x88, NULL, 0);
	talk_more(&t, "", 0);
	talk_open(&t);
	CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
	CHECK_EQ_U(msg.len, 1000000);
	CHECK(t.f.alive < 1030000);
	talk_end(&t);
	check_row("the buffers have the sizes that were asked for: an idle connection with "
	          "small buffers");
	talk_begin(&t, "", 0);
	t.o.recv_buffer = t.o.send_buffer = 256;
	talk_open(&t);
	ws_timeout(t.ws, 0);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_ETIMEOUT);
	CHECK(t.f.alive <= 2048);
	talk_end(&t);
}

static void test_poll_wants(void)
{
	struct talk t;
	struct ws_msg msg;
	struct ws_pollset set;
	static char data[9000];
	ptrdiff_t taken;
	unsigned change;
	int r;

	talk_begin(&t, "", 0);
	t.o.nonblock = 1;
	t.o.timeout_ms = 5000;
	t.o.connect_timeout_ms = 2000;
	t.f.room = 10;
	t.f.drain = 0;
	t.ws = ws_new(URL, &t.o);
	CHECK_EQ_U(ws_open(t.ws), WS_AGAIN);
	set = wants(&t);
	change = set.change;
	CHECK(set.n == 1 && set.fd[0].fd == -1 && set.fd[0].events == WS_POLL_WRITE);
	CHECK_EQ_U(set.timeout_ms, 2000);
	t.f.now += 1;
	CHECK_EQ_U(wants(&t).timeout_ms, 2000); /* rounded up: neither too early nor a busy wait */
	t.f.now += 999;
	CHECK_EQ_U(wants(&t).timeout_ms, 1999);
	t.f.room = SIZE_MAX;
	CHECK_EQ_U(ws_open(t.ws), WS_AGAIN);
	set = wants(&t);
	CHECK(set.n == 1 && set.fd[0].fd == -1 && set.fd[0].events == WS_POLL_READ);
	fake_poll(&t.f, t.ws);
	CHECK_EQ_U(ws_open(t.ws), 0);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
	set = wants(&t);
	CHECK(set.n == 1 && set.fd[0].fd == -1 && set.fd[0].events == WS_POLL_READ);
	CHECK_EQ_U(set.timeout_ms, 4999); /* the connect timeout no longer counts */
	CHECK_EQ_U(set.change, change);
	ws_timeout(t.ws, 1);
	CHECK_EQ_U(wants(&t).timeout_ms, 1);
	t.f.now += 500;
	CHECK_EQ_U(wants(&t).timeout_ms, 1);
	t.f.now += 500;
	CHECK_EQ_U(wants(&t).timeout_ms, 0);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_ETIMEOUT);
	ws_timeout(t.ws, -1);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
	CHECK_EQ_U(wants(&t).timeout_ms, -1);
	ws_timeout(t.ws, INT_MAX);
	CHECK_EQ_U(wants(&t).timeout_ms, INT_MAX);
	check_row("sending");
	t.f.room = 20;
	CHECK(ws_send(t.ws, WS_BINARY, data, sizeof data) > 0);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
	set = wants(&t);
	CHECK(set.n == 1 && set.fd[0].events == (WS_POLL_READ | WS_POLL_WRITE));
	CHECK(set.timeout_ms == INT_MAX);
	t.f.room = SIZE_MAX;
	CHECK_EQ_U(
	    ws_recv(t.ws, &msg),
	    WS_AGAIN); /* the buffer is empty, and the program must supply the rest of the frame */
	set = wants(&t);
	CHECK(set.n == 1 && set.fd[0].events == (WS_POLL_READ | WS_POLL_WRITE));
	check_row("bytes that wait inside");
	talk_end(&t);
	talk_begin(&t,
	           "\x81\x01"
	           "a\x81\x01"
	           "b",
	           6);
	t.o.nonblock = 1;
	t.f.split = 0;
	talk_open(&t);
	CHECK_EQ_U(wants(&t).timeout_ms, 0);
	CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
	CHECK_EQ_U(wants(&t).timeout_ms, 0);
	CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
	CHECK_EQ_U(wants(&t).timeout_ms, 10000);
	check_row("a transport that must write in order to read, and read in order to write: TLS");
	t.f.io_fail_at = t.f.ios + 1;
	t.f.io_fail = WS_IO_WRITE;
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
	CHECK_EQ_U(wants(&t).fd[0].events, WS_POLL_WRITE);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
	CHECK_EQ_U(wants(&t).fd[0].events, WS_POLL_READ);
	t.f.io_fail_at = t.f.ios + 1;
	t.f.io_fail = WS_IO_READ;
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "a", 1), 1);
	CHECK_EQ_U(wants(&t).fd[0].events, WS_POLL_READ);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
	SENT(&t, 0x81, "a", 1);
	t.f.spurious = 0;
	check_row("closing, closed");
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL), WS_AGAIN);
	set = wants(&t);
	CHECK(set.n == 1 && set.fd[0].events == WS_POLL_READ && set.timeout_ms == 10000);
	talk_more(&t, "\x88\x00", 2);
	fake_poll(&t.f, t.ws);
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL), 0);
	CHECK_EQ_U(wants(&t).n, 0);
	talk_end(&t);

	check_row("bytes that ws_send has read");
	talk_begin(&t, "", 0);
	t.o.ping_interval_ms = 1000;
	t.o.recv_buffer = 4096;
	talk_open(&t);
	CHECK_EQ_U(ws_recv_within(t.ws, &msg, 0), WS_AGAIN);
	CHECK_EQ_U(wants(&t).timeout_ms, 1000);
	for (r = 0; r < 100; r++)
		talk_more(&t, "\x89\x00", 2);
	t.f.come = t.f.in_len;
	t.f.room = 20;
	t.f.drain = 0;
	taken = ws_send(t.ws, WS_BINARY, data, sizeof data);
	CHECK(taken > 0);
	CHECK_EQ_U(wants(&t).timeout_ms, 0);
	CHECK_EQ_U(ws_send(t.ws, WS_BINARY, data, sizeof data - (size_t)taken),
	           WS_ETIMEOUT); /* nothing more comes */
	CHECK_EQ_U(wants(&t).timeout_ms, 0);
	CHECK_EQ_U(ws_recv_within(t.ws, &msg, 0), WS_AGAIN);
	CHECK_EQ_U(wants(&t).timeout_ms, 0); /* some of the pings are left for another call */
	CHECK_EQ_U(ws_recv_within(t.ws, &msg, 0), WS_AGAIN);
	CHECK_EQ_U(wants(&t).timeout_ms, 1000);
	talk_end(&t);

	check_row(
	    "ended, but waiting bytes must be sent, or the peer's end must arrive: until ws_close "
	    "says so there is one "
	    "to poll");
	for (r = 0; r < 2; r++) {
		talk_begin(&t, r ? "\x88\x00" : "\xc1\x00", 2);
		t.o.nonblock = 1;
		t.f.split = 0;
		talk_open(&t);
		t.f.room = r ? 3 : SIZE_MAX;
		change = wants(&t).change;
		CHECK_EQ_U(ws_recv(t.ws, &msg), r ? WS_ECLOSED : WS_EPROTOCOL);
		set = wants(&t);
		CHECK_EQ_U(set.n, 1);
		CHECK(set.change != change);
		t.f.room = SIZE_MAX;
		t.f.end = WS_IO_EOF;
		CHECK_EQ_U(ws_close(t.ws, 1000, NULL), r ? 0 : WS_EPROTOCOL);
		CHECK_EQ_U(wants(&t).n, 0);
		CHECK(wants(&t).change != set.change);
		talk_end(&t);
	}

	check_row("a refused upgrade's body: a second at most");
	talk_begin(&t, "", 0);
	t.s.len = 0;
	talk_more(&t, "HTTP/1.1 404 x\r\n\r\nhello", 23);
	t.f.split = 0;
	t.o.nonblock = 1;
	t.ws = ws_new(URL, &t.o);
	CHECK_EQ_U(ws_open(t.ws), WS_AGAIN);
	fake_poll(&t.f, t.ws);
	CHECK_EQ_U(ws_open(t.ws), WS_AGAIN);
	CHECK_EQ_U(wants(&t).timeout_ms, 1000);
	fake_poll(&t.f, t.ws);
	CHECK_EQ_U(ws_open(t.ws), WS_EHTTP);
	CHECK_EQ_S(ws_report(t.ws)->body, "hello");
	talk_end(&t);
}

/* trace: whole heads, frames as they begin */
struct traced {
	struct fake f; /* first: user_data is this */
	char text[4000];
	size_t text_len;
};

static void note_trace(void *user_data, int sent, int type, const void *data, size_t len)
{
	struct traced *t = user_data;

	CHECK(sent == 0 || sent == 1);
	say(t->text, sizeof t->text, &t->text_len, "%s%c", t->text_len ? " " : "",
	    sent ? '>' : '<');
	if (type == WS_TRACE_HEAD)
		say(t->text, sizeof t->text, &t->text_len, "HEAD%lu", (unsigned long)len);
	else
		say_bytes(t->text, sizeof t->text, &t->text_len, data, len);
}

static void note_trace_len(void *user_data, int sent, int type, const void *data, size_t len)
{
	struct traced *t = user_data;

	(void)type;
	(void)data;
	say(t->text, sizeof t->text, &t->text_len, "%c%lu ", sent ? '>' : '<', (unsigned long)len);
}

static void test_trace_shows_frames(void)
{
	static struct traced t;
	struct ws_options o;
	struct ws_io io;
	struct ws_msg msg;
	struct script s = {NULL, 0, 0};
	struct ws_conn *ws;
	char want[400];
	static char big[5000];

	script_str(&s, FAKE_101);
	script_put(&s, "\x81\x02hi\x81\x02ho\x89\x01p\x02\x01x\x80\x01y", 17);
	script_frame(&s, 0x82, NULL, 1000);
	script_put(&s, "\x88\x02\x03\xe8", 4);
	fake_init(&t.f, s.p, s.len);
	fake_options(&t.f, &o, &io);
	o.trace = note_trace;
	ws = ws_new(URL, &o);
	CHECK_EQ_U(ws_open(ws), 0);
	sprintf(want, ">HEAD%lu <HEAD%lu", (unsigned long)fake_request_end(&t.f),
	        (unsigned long)HEAD_LEN);
	CHECK_EQ_S(t.text, want);
	t.text_len = 0;
	CHECK_EQ_U(ws_send(ws, WS_TEXT, "yo", 2), 2);
	CHECK_EQ_U(ws_send(ws, WS_TEXT, NULL, 0), 0);
	CHECK_EQ_U(ws_ping(ws, NULL, 0), 0);
	CHECK_EQ_S(t.text, ">\"\\x81\\x02yo\" >\"\\x81\\x00\" >\"\\x89\\x00\"");
	t.text_len = 0;
	CHECK_EQ_U(ws_send(ws, WS_TEXT | WS_HOLD, "a", 1), 1);
	CHECK_EQ_U(ws_send(ws, WS_TEXT, "b", 1), 1);
	CHECK_EQ_S(t.text, ">\"\\x81\\x01a\" >\"\\x81\\x01b\"");
	t.text_len = 0;
	CHECK_EQ_U(ws_recv(ws, &msg), 0);
	CHECK_EQ_U(ws_recv(ws, &msg), 0);
	CHECK_EQ_U(ws_recv(ws, &msg), 0);
	CHECK_EQ_S(t.text, "<\"\\x81\\x02hi\" <\"\\x81\\x02ho\" <\"\\x89\\x01p\" >\"\\x8a\\x01p\" "
	                   "<\"\\x02\\x01x\" "
	                   "<\"\\x80\\x01y\"");
	t.text_len = 0;
	CHECK_EQ_U(ws_recv(ws, &msg), 0);
	CHECK_EQ_U(ws_send(ws, WS_BINARY, big, sizeof big), sizeof big);
	CHECK(strncmp(t.text, "<[256#", 6) == 0 && strstr(t.text, " >[256#"));
	t.text_len = 0;
	CHECK_EQ_U(ws_close(ws, 1000, "bye"), 0);
	CHECK_EQ_S(t.text, ">\"\\x88\\x05\\x03\\xe8bye\" <\"\\x88\\x02\\x03\\xe8\"");
	ws_free(ws);
	check_clean(&t.f);
	fake_free(&t.f);
	script_free(&s);
}

/* A trace callback that blocks must not keep buffered messages coming after the deadline */
static void slow_trace(void *user_data, int sent, int type, const void *data, size_t len)
{
	struct fake *f = user_data;

	(void)sent;
	(void)data;
	(void)len;
	if (type == WS_TRACE_FRAME)
		f->now += 50000;
}

static void test_slow_trace_keeps_the_deadline(void)
{
	struct talk t;
	struct ws_msg msg;
	int64_t begun;
	int i;

	talk_begin(&t, "\x01\x00", 2);
	for (i = 0; i < 1000; i++)
		script_put(&t.s, "\x00\x00", 2);
	t.f.in = t.s.p;
	t.f.in_len = t.s.len;
	t.o.trace = slow_trace;
	t.o.timeout_ms = 1000;
	t.ws = ws_new(URL, &t.o);
	begun = t.f.now;
	CHECK_EQ_U(ws_open(t.ws), 0);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_ETIMEOUT);
	CHECK(t.f.now - begun <= 1000000 + 50000);
	talk_end(&t);
}

/* The trace shows the received part of an incomplete frame, at most 256 bytes of it */
static void test_trace_of_incomplete_frames(void)
{
	static const struct {
		size_t payload, at_hand, shown; /* at_hand and shown include the header */
	} came[] = {{10, 2, 2},      {10, 5, 5},      {10, 12, 12},    {10, 13, 12},
	            {300, 4, 4},     {300, 255, 255}, {300, 256, 256}, {300, 257, 256},
	            {251, 255, 255}, {252, 256, 256}, {253, 257, 256}, {253, 4, 4}};
	static const size_t sent[][2] = {{0, 2},     {1, 3},     {125, 127}, {126, 130},
	                                 {252, 256}, {253, 256}, {5000, 256}};
	static struct traced t;
	static char big[5000];
	size_t i;

	for (i = 0; i < sizeof came / sizeof came[0] + sizeof sent / sizeof sent[0]; i++) {
		const size_t k = i - sizeof came / sizeof came[0];
		const int is_came = i < sizeof came / sizeof came[0];
		struct script s = {NULL, 0, 0};
		struct ws_options o;
		struct ws_io io;
		struct ws_msg msg;
		struct ws_conn *ws;

		check_row("%s %lu", is_came ? "came" : "sent", (unsigned long)(is_came ? i : k));
		script_str(&s, FAKE_101);
		if (is_came)
			script_frame(&s, 0x82, NULL, came[i].payload);
		script_put(&s, "\x88\x02\x03\xe8", 4);
		memset(&t, 0, sizeof t);
		fake_init(&t.f, s.p, s.len);
		fake_options(&t.f, &o, &io);
		t.f.split = HEAD_LEN + (is_came ? came[i].at_hand : 0);
		t.f.gap_us = 1000;
		o.trace = note_trace_len;
		ws = ws_new(URL, &o);
		CHECK_EQ_U(ws_open(ws), 0);
		t.text_len = 0;
		if (is_came) {
			CHECK_EQ_U(ws_recv(ws, &msg), 0);
			CHECK_EQ_U(msg.len, came[i].payload);
		} else {
			CHECK_EQ_U(ws_send(ws, WS_BINARY, big, sent[k][0]), sent[k][0]);
		}
		CHECK(t.text_len > 0);
		CHECK_EQ_U(atoi(t.text + 1), is_came ? came[i].shown : sent[k][1]);
		CHECK_EQ_U(t.text[0], is_came ? '<' : '>');
		ws_free(ws);
		check_clean(&t.f);
		fake_free(&t.f);
		script_free(&s);
	}
}

/* ws_recv has a short cut for an idle connection. An error, a close and a failed write each end it.
 */
static void test_idle_short_cut_ends(void)
{
	static const char two[] = "\x82\x01"
	                          "a\x82\x01"
	                          "b";
	struct talk t;
	struct ws_msg msg;
	int k, r = 0;

	check_row("b is in the buffer when an error while sending ends the connection");
	talk_begin(&t, two, 6);
	talk_open(&t);
	CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
	t.f.entropy_calls_left = 0;
	for (k = 0; k < 100 && r >= 0; k++)
		r = (int)ws_send(t.ws, WS_BINARY, "x", 1);
	CHECK_EQ_U(r, WS_EENTROPY);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_EENTROPY);
	talk_end(&t);

	check_row("the same when we close");
	talk_begin(&t, two, 6);
	t.o.nonblock = 1;
	talk_open(&t);
	REPEAT(r, &t.f, t.ws, 1, ws_recv(t.ws, &msg));
	CHECK_EQ_U(r, 0);
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL), WS_AGAIN);
	CHECK(ws_recv(t.ws, &msg) < 0);
	talk_end(&t);

	check_row("a write fails: what the peer sent before is returned, and ws_send leaves "
	          "it to ws_recv each time");
	talk_begin(&t, two, 6);
	t.o.nonblock = 1;
	talk_open(&t);
	REPEAT(r, &t.f, t.ws, 1, ws_recv(t.ws, &msg));
	CHECK_EQ_U(r, 0);
	t.f.deaf_after = 1;
	for (k = 0; k < 3 && ws_send(t.ws, WS_BINARY, "x", 1) != WS_AGAIN; k++)
		;
	CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
	CHECK_EQ_MEM(msg.data, msg.len, "b", 1);
	CHECK_EQ_U(ws_send(t.ws, WS_BINARY, "x", 1), WS_AGAIN);
	CHECK_EQ_U(ws_send(t.ws, WS_BINARY, "x", 1), WS_ERESET);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_ERESET);
	talk_end(&t);
}

int main(void)
{
	TEST(test_no_needless_waits);
#ifndef WS_NO_NET /* no sockets, and no allocator of its own */
	TEST(test_send_and_recv_at_once);
#endif
	TEST(test_entropy);
	TEST(test_no_allocation_once_open);
	TEST(test_poll_wants);
	TEST(test_trace_shows_frames);
	TEST(test_slow_trace_keeps_the_deadline);
	TEST(test_trace_of_incomplete_frames);
	TEST(test_idle_short_cut_ends);
	return check_done();
}
