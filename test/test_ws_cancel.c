/* SPDX-License-Identifier: ISC
 * test_ws_cancel.c - Tests ws_cancel and ws_send_all
 *
 * What they return is tested over the scripted transport of fake.h; that a call wakes up, over real
 * sockets with a real thread and a real signal.
 */
#include "net.h"
#include "talk.h"

static const char data[20000];

/* Calls ws_cancel while the client waits for the transport. */
static struct talk *canceled_talk;
static int cancel_in; /* the number of the wait that calls it, counted down; 0: none does */

static int canceling_wait(void *io, int events, int timeout_ms)
{
	if (cancel_in > 0 && --cancel_in == 0) {
		CHECK_EQ_U(ws_cancel(canceled_talk->ws), WS_EIO); /* it cannot interrupt io_wait */
		return 0;
	}
	return fake_wait(io, events, timeout_ms);
}

/* The transport takes bytes again just after the client has found the peer silent. */
static ptrdiff_t late_write(void *io, const void *buf, size_t len)
{
	struct fake *f = io;

	if (canceled_talk->ws && strstr(ws_errmsg(canceled_talk->ws), "timed out"))
		f->room = SIZE_MAX;
	return fake_write(io, buf, len);
}

static void cancel_begin(struct talk *t, int nonblock)
{
	talk_begin(t, "", 0);
	t->o.nonblock = nonblock;
	t->io.io_wait = canceling_wait;
	canceled_talk = t;
	cancel_in = 0;
}

static void expect_canceled(struct talk *t, int r)
{
	CHECK_EQ_U(r, WS_ECANCELED);
	CHECK_EQ_S(ws_errname(r), "canceled");
	CHECK_EQ_S(ws_errmsg(t->ws), "the call was canceled (ws_cancel)");
	CHECK_EQ_U(ws_report(t->ws)->err, 0);
}

static void test_each_call(void)
{
	struct talk t;
	struct ws_msg msg;
	int r, before;

	for (before = 0; before < 2; before++) {
		check_row(before ? "before the call" : "while it waits");
		cancel_begin(&t, 0);
		t.f.room = 10;
		t.f.drain = 0;
		t.ws = ws_new(URL, &t.o);
		if (before)
			ws_cancel(t.ws);
		cancel_in = !before;
		expect_canceled(&t, ws_open(t.ws));
		t.f.room = t.f.drain = SIZE_MAX;
		CHECK_EQ_U(ws_open(t.ws), 0); /* it goes on */
		t.at = fake_request_end(&t.f);

		if (before)
			ws_cancel(t.ws);
		cancel_in = !before;
		expect_canceled(&t, ws_recv(t.ws, &msg));
		CHECK_EQ_U(ws_recv_within(t.ws, &msg, 100), WS_AGAIN); /* it counted once */

		t.f.room = t.f.drain = 0;
		if (before)
			ws_cancel(t.ws);
		cancel_in = !before;
		r = (int)ws_send(t.ws, WS_BINARY, data, sizeof data);
		CHECK(r > 0 && r < (int)sizeof data); /* so the next call returns the error */
		CHECK(strstr(ws_errmsg(t.ws), "canceled (ws_cancel), so not all was taken"));
		expect_canceled(&t,
		                (int)ws_send(t.ws, WS_BINARY, data + r, sizeof data - (size_t)r));
		t.f.room = t.f.drain = SIZE_MAX;
		CHECK_EQ_U(ws_send(t.ws, WS_BINARY, data + r, sizeof data - (size_t)r),
		           sizeof data - (size_t)r);
		SENT(&t, 0x82, data, sizeof data);

		if (before)
			ws_cancel(t.ws);
		cancel_in = !before;
		expect_canceled(&t, ws_close(t.ws, 1000, NULL));
		talk_more(&t, "\x88\x00", 2);
		CHECK_EQ_U(ws_close(t.ws, 1000, NULL), 0);
		SENT(&t, 0x88, "\x03\xe8", 2);
		SENT_ALL(&t);
		talk_end(&t);
	}
}

static void test_what_need_not_wait(void)
{
	struct talk t;
	struct ws_msg msg;
	int r, i;

	check_row("the error sentence from before stays");
	cancel_begin(&t, 1);
	talk_open(&t);
	t.f.room = t.f.drain = 0;
	talk_more(&t, "\xc1\x00", 2);
	t.f.come = t.f.in_len;
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_EPROTOCOL);
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL), WS_AGAIN);
	ws_cancel(t.ws);
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL), WS_ECANCELED);
	CHECK(strstr(ws_errmsg(t.ws), "canceled") == NULL);
	CHECK_EQ_U(ws_report(t.ws)->err, WS_EPROTOCOL);
	talk_end(&t);

	check_row("a message that has arrived is returned first");
	cancel_begin(&t, 0);
	talk_open(&t);
	talk_more(&t, "\x82\x01x\x82\x01y", 6);
	t.f.come = t.f.in_len;
	ws_cancel(t.ws);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "x", 1), 1);
	CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
	CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
	ws_cancel(t.ws); /* calling it twice is the same as once */
	expect_canceled(&t, ws_recv(t.ws, &msg));
	CHECK_EQ_U(ws_recv_within(t.ws, &msg, 0), WS_AGAIN);
	ws_cancel(t.ws);
	expect_canceled(&t, ws_recv_within(t.ws, &msg, 0));
	talk_end(&t);

	check_row("a flood of pings, under which a call never waits");
	for (r = 0; r < 2; r++) {
		cancel_begin(&t, 0);
		talk_open(&t);
		for (i = 0; i < 1000; i++)
			script_frame(&t.s, 0x89, "", 0);
		talk_more(&t, "", 0);
		t.f.come = t.f.in_len;
		t.f.loop = 10000;
		t.f.loop_from = HEAD_LEN;
		t.f.discard = 1;
		ws_cancel(t.ws);
		expect_canceled(&t, r == 0 ? ws_recv(t.ws, &msg) : ws_close(t.ws, 1000, NULL));
		CHECK(t.f.loop > 9000);
		talk_end(&t);
	}

	check_row("nonblock: instead of WS_AGAIN");
	cancel_begin(&t, 1);
	t.ws = ws_new(URL, &t.o);
	ws_cancel(t.ws);
	expect_canceled(&t, ws_open(t.ws));
	REPEAT(r, &t.f, t.ws, 1, ws_open(t.ws));
	CHECK_EQ_U(r, 0);
	ws_cancel(t.ws);
	expect_canceled(&t, ws_recv(t.ws, &msg));
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
	talk_end(&t);

	check_row("a connection that has ended has its own error");
	cancel_begin(&t, 0);
	talk_open(&t);
	talk_more(&t, "\x88\x00", 2);
	t.f.come = t.f.in_len;
	ws_cancel(t.ws);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_ECLOSED);
	ws_cancel(t.ws);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_ECLOSED);
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL), 0);
	talk_end(&t);
}

/* Both peers write before they read. */
static void test_send_all(void)
{
	static char big[300000], want[300000];
	struct talk t;
	struct ws_msg msg;
	size_t i, held;
	ptrdiff_t n;
	int k, r;

	memset(big, 'b', sizeof big);
	check_row("ws_send alone takes a part, and the sentence says what to do");
	cancel_begin(&t, 0);
	talk_open(&t);
	t.f.room = 0;
	t.f.drain = 10000;
	script_frame(&t.s, 0x82, NULL, 5);
	talk_more(&t, "", 0);
	n = ws_send(t.ws, WS_BINARY, big, sizeof big);
	CHECK(n > 0 && n < (ptrdiff_t)sizeof big);
	CHECK(strstr(ws_errmsg(t.ws),
	             "call ws_recv, then ws_send with the rest, or use ws_send_all"));
	check_row("ws_send_all goes on with the rest");
	CHECK_EQ_U(ws_send_all(t.ws, WS_BINARY, big + n, sizeof big - (size_t)n), 0);
	SENT(&t, 0x82, big, sizeof big);
	talk_end(&t);

	check_row("messages that arrive meanwhile are kept");
	cancel_begin(&t, 0);
	talk_open(&t);
	t.f.room = 0;
	t.f.drain = 10000;
	t.f.drain_us = t.f.gap_us = 1000;
	t.f.step = 7000;
	for (i = 0; i < 4; i++)
		script_frame(&t.s, 0x82, NULL, 20000 + i);
	talk_more(&t, "\x88\x00", 2);
	CHECK_EQ_U(ws_send_all(t.ws, WS_BINARY | WS_MORE, big, sizeof big), 0);
	CHECK_EQ_S(ws_errmsg(t.ws), "");
	CHECK_EQ_U(ws_send_all(t.ws, WS_BINARY, NULL, 0), 0);
	SENT(&t, 0x02, big, sizeof big);
	SENT(&t, 0x80, "", 0);
	for (i = 0; i < 4; i++) {
		CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
		CHECK_EQ_U(msg.len, 20000 + i);
	}
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_ECLOSED);
	talk_end(&t);

	check_row("up to max_message; then the same call goes on after ws_recv");
	cancel_begin(&t, 0);
	t.o.max_message = 50000;
	talk_open(&t);
	t.f.room = t.f.drain = 0;
	for (i = 0; i < 4; i++)
		script_frame(&t.s, 0x82, NULL, 20000 + i);
	talk_more(&t, "", 0);
	CHECK_EQ_U(ws_send_all(t.ws, WS_BINARY, big, sizeof big), WS_AGAIN);
	held = t.f.alive;
	CHECK(held < 50000 + 30000);
	t.f.drain = 10000;
	for (i = 0, r = WS_AGAIN; r == WS_AGAIN && i < 5; i++) {
		CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
		CHECK_EQ_U(msg.len, 20000 + i);
		r = ws_send_all(t.ws, WS_BINARY, big, sizeof big);
	}
	CHECK_EQ_U(r, 0);
	for (; i < 4; i++)
		CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
	SENT(&t, 0x82, big, sizeof big);
	SENT_ALL(&t);
	talk_end(&t);

	check_row("the deadline, then a cancel; the same call goes on each time");
	cancel_begin(&t, 0);
	talk_open(&t);
	t.f.room = 5000;
	t.f.drain = 0;
	CHECK_EQ_U(ws_send_all(t.ws, WS_BINARY, big, sizeof big), WS_ETIMEOUT);
	CHECK_EQ_U(ws_send_all(t.ws, WS_BINARY, big, sizeof big), WS_ETIMEOUT);
	ws_timeout(t.ws, 10000);
	cancel_in = 2;
	t.f.drain = 5000;
	expect_canceled(&t, ws_send_all(t.ws, WS_BINARY, big, sizeof big));
	CHECK_EQ_U(ws_send_all(t.ws, WS_TEXT, big, sizeof big), WS_EUSAGE); /* other arguments */
	CHECK_EQ_U(ws_send_all(t.ws, WS_BINARY, big, sizeof big - 1), WS_EUSAGE);
	CHECK_EQ_U(ws_send_all(t.ws, WS_BINARY, big, sizeof big), 0);
	SENT(&t, 0x82, big, sizeof big);
	SENT_ALL(&t);
	talk_end(&t);

	check_row("a message is sent back from the receive buffer, which moves");
	for (k = 0; k < 2; k++) {
		/* the first begins where the buffer does, the second after its header */
		const size_t len = k == 0 ? sizeof big : 12000;

		cancel_begin(&t, 0);
		talk_open(&t);
		script_frame(&t.s, 0x82, NULL, len);
		talk_more(&t, "", 0);
		CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
		memcpy(want, msg.data, len);
		for (i = 0; i < 100; i++)
			script_frame(&t.s, 0x82, NULL, 8000);
		talk_more(&t, "", 0);
		t.f.room = 0;
		t.f.drain = 5000;
		t.f.drain_us = t.f.gap_us = 1000;
		t.f.step = 20000;
		CHECK_EQ_U(ws_send_all(t.ws, WS_BINARY, msg.data, msg.len), 0);
		for (i = 0; i < 100; i++) {
			CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
			CHECK_EQ_U(msg.len, 8000);
		}
		t.f.room = SIZE_MAX;
		CHECK_EQ_U(ws_recv_within(t.ws, &msg, 0), WS_AGAIN); /* writes what is left */
		SENT(&t, 0x82, want, len);
		talk_end(&t);
	}

	check_row("the peer closes and is gone: ws_recv has its reason");
	cancel_begin(&t, 0);
	talk_open(&t);
	t.f.room = t.f.drain = 0;
	talk_more(&t, "\x88\x04\x03\xf0no", 6);
	t.f.end = WS_IO_EOF;
	CHECK_EQ_U(ws_send_all(t.ws, WS_BINARY, big, sizeof big), WS_AGAIN);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_ECLOSED);
	CHECK_EQ_U(ws_report(t.ws)->close_code, 1008);
	CHECK_EQ_U(ws_send_all(t.ws, WS_BINARY, big, sizeof big), WS_ECLOSED);
	talk_end(&t);

	check_row("an earlier sentence is not shown again");
	cancel_begin(&t, 0);
	t.o.ping_interval_ms = 1000;
	t.o.timeout_ms = -1;
	t.io.io_write = late_write;
	talk_open(&t);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "\xff", 1), WS_EUSAGE);
	t.f.room = t.f.drain = 0;
	CHECK_EQ_U(ws_send_all(t.ws, WS_BINARY, big, sizeof big), 0);
	CHECK_EQ_S(ws_errmsg(t.ws), "");
	talk_end(&t);

	check_row("not with nonblock");
	cancel_begin(&t, 1);
	talk_open(&t);
	CHECK_EQ_U(ws_send_all(t.ws, WS_BINARY, big, 5), WS_EUSAGE);
	CHECK(strstr(ws_errmsg(t.ws), "nonblock"));
	talk_end(&t);
}

#ifndef WS_NO_NET
/* Real sockets: a server that accepts the upgrade, or nothing at all, and then says nothing. */

static const struct visit silent[2] = {{{{"\r\n\r\n", FAKE_101, 0}}, LINGER},
                                       {{{"never", "", 0}}, LINGER}};

static struct ws_conn *signaled;
static void on_signal(int number)
{
	int err = errno;

	(void)number;
	errno = 4711;
	ws_cancel(signaled);
	if (errno != 4711)
		abort();
	errno = err;
}

enum how_to_cancel { BY_THREAD, BY_SIGNAL };
struct canceler {
	struct ws_conn *ws;
	pthread_t waiting, self;
	enum how_to_cancel how;
	int after_us;
	int result; /* of ws_cancel */
};

static void *cancel_run(void *arg)
{
	struct canceler *c = arg;
	struct timespec ts = {0, (long)c->after_us * 1000};

	nanosleep(&ts, NULL);
	if (c->how == BY_SIGNAL)
		pthread_kill(c->waiting, SIGUSR1);
	else
		c->result = ws_cancel(c->ws);
	return NULL;
}

static void cancel_later(struct canceler *c, struct ws_conn *ws, enum how_to_cancel how,
                         int after_us)
{
	signaled = c->ws = ws;
	c->waiting = pthread_self();
	c->how = how;
	c->after_us = after_us;
	c->result = 0;
	if (pthread_create(&c->self, NULL, cancel_run, c) != 0)
		abort();
}

static void test_real_waits(void)
{
	struct sigaction action;
	struct canceler c;
	struct client client;
	struct server s;
	struct ws_msg msg;
	int how, i;

	memset(&action, 0, sizeof action);
	action.sa_handler = on_signal;
	action.sa_flags = SA_RESTART;
	sigaction(SIGUSR1, &action, NULL);
	for (how = BY_THREAD; how <= BY_SIGNAL; how++) {
		server_start(&s, silent, 2);
		check_row("ws_recv, %s", how == BY_THREAD ? "from a thread" : "by a signal");
		client_init(&client, "ws://127.0.0.1:%d/", s.port);
		CHECK_EQ_U(client_open(&client), 0);
		for (i = 0; i < 50; i++) { /* before and while it waits */
			cancel_later(&c, client.ws, (enum how_to_cancel)how, i * 20);
			CHECK_EQ_U(ws_recv(client.ws, &msg), WS_ECANCELED);
			pthread_join(c.self, NULL);
			CHECK_EQ_U(c.result, 0);
			CHECK_EQ_U(ws_recv_within(client.ws, &msg, 0), WS_AGAIN);
		}
		/* many calls count as one */
		for (i = 0; i < 100000; i++)
			CHECK(ws_cancel(client.ws) == 0);
		CHECK_EQ_U(ws_recv(client.ws, &msg), WS_ECANCELED);
		CHECK_EQ_U(ws_recv_within(client.ws, &msg, 1), WS_AGAIN);
		client_free(&client);

		check_row("ws_open, while the server is silent");
		client_init(&client, "ws://127.0.0.1:%d/", s.port);
		client.ws = ws_new(client.url, &client.o);
		cancel_later(&c, client.ws, (enum how_to_cancel)how, 3000);
		CHECK_EQ_U(ws_open(client.ws), WS_ECANCELED);
		pthread_join(c.self, NULL);
		CHECK_EQ_U(c.result, 0);
		ws_timeout(client.ws, 0);
		CHECK_EQ_U(ws_open(client.ws), WS_ETIMEOUT);
		client_free(&client);
		server_end(&s);
	}
#if !defined(WS_NO_THREADS) && !defined(WS_NO_RESOLVER)
	check_row("ws_open, while a name is looked up; then it goes on");
	resolver_holds();
	server_start(&s, good, 1);
	client_init(&client, "ws://a127-0-0-1.hang.test:%d/", s.port);
	client.ws = ws_new(client.url, &client.o);
	cancel_later(&c, client.ws, BY_THREAD, 3000);
	CHECK_EQ_U(ws_open(client.ws), WS_ECANCELED);
	pthread_join(c.self, NULL);
	CHECK_EQ_U(c.result, 0);
	resolver_lets_go();
	CHECK_EQ_U(ws_open(client.ws), 0);
	client_talk(&client);
	client_free(&client);
	server_end(&s);
#endif
}
#endif

#ifndef WS_NO_NET
/* The program has closed its standard input, so ws_new gets descriptor 0, which must work like any
 * other. */
static void test_descriptor_0(void)
{
	struct client client;
	int kept = dup(0);

	close(0);
	client_init(&client, "ws://127.0.0.1:1/");
	client.ws = ws_new(client.url, &client.o);
	CHECK(fcntl(0, F_GETFD) >= 0); /* ws_new uses it to wake the connection */
	CHECK_EQ_U(ws_cancel(client.ws), 0);
	client_free(&client);
	CHECK(fcntl(0, F_GETFD) < 0);
	dup2(kept, 0);
	close(kept);
}
#endif

int main(void)
{
	int before = count_fds();

	TEST(test_each_call);
	TEST(test_what_need_not_wait);
	TEST(test_send_all);
#ifndef WS_NO_NET
	TEST(test_real_waits);
	TEST(test_descriptor_0);
#endif
	return net_done(before);
}
