/* SPDX-License-Identifier: ISC
 * test_ws_keepalive.c - Tests time on a connection that lives long: ws_recv_within,
 * ping_interval_ms, and what the report counts
 *
 * It uses the public interface of ws.h over the scripted transport of fake.h, whose clock moves
 * only when the client waits.
 */
#include "talk.h"

#define SECOND ((int64_t)1000000)
#define KEEPALIVE "ping_interval_ms" /* the payload of our pings */

/* A connection with this ping interval and no deadline. */
static void quiet_begin(struct talk *t, int interval_ms, int nonblock)
{
	talk_begin(t, "", 0);
	t->o.timeout_ms = -1;
	t->o.ping_interval_ms = interval_ms;
	t->o.nonblock = nonblock;
	talk_open(t);
}

static void test_recv_within(void)
{
	struct talk t;
	struct ws_msg msg;
	int64_t begun;
	unsigned long waits;
	int i;

	check_row("nothing arrives");
	quiet_begin(&t, 0, 0);
	begun = t.f.now;
	waits = t.f.waits;
	CHECK_EQ_U(ws_recv_within(t.ws, &msg, 0), WS_AGAIN);
	CHECK_EQ_U(t.f.now, begun);
	CHECK_EQ_U(t.f.waits, waits);
	CHECK_EQ_U(ws_recv_within(t.ws, &msg, 700), WS_AGAIN);
	CHECK_EQ_U(t.f.now, begun + 700000);

	check_row("a message that arrives in two parts");
	t.f.gap_us = 300000;
	t.f.step = 3;
	talk_more(&t, "\x81\x04word", 6);
	begun = t.f.now;
	t.f.last_us = begun;
	CHECK_EQ_U(ws_recv_within(t.ws, &msg, 400), WS_AGAIN);
	CHECK_EQ_U(t.f.now, begun + 400000);
	CHECK_EQ_U(ws_recv_within(t.ws, &msg, 0), WS_AGAIN);
	CHECK_EQ_U(ws_recv_within(t.ws, &msg, 400), 0);
	CHECK_EQ_U(t.f.now, begun + 600000);
	CHECK_EQ_MEM(msg.data, msg.len, "word", 4);

	check_row("a message that has arrived is returned without waiting, also a binary one");
	t.f.step = 0;
	talk_more(&t, "\x82\x01x\x82\x01y\x82\x01z", 9);
	t.f.come = t.f.in_len;
	begun = t.f.now;
	for (i = 0; i < 3; i++)
		CHECK_EQ_U(ws_recv_within(t.ws, &msg, i - 1), 0);
	CHECK_EQ_MEM(msg.data, msg.len, "z", 1);
	CHECK_EQ_U(t.f.now, begun);

	check_row("-1 waits until the deadline, and no call waits longer");
	ws_timeout(t.ws, 2000);
	CHECK_EQ_U(ws_recv_within(t.ws, &msg, 1000), WS_AGAIN);
	CHECK_EQ_U(ws_recv_within(t.ws, &msg, 5000), WS_ETIMEOUT);
	CHECK_EQ_U(t.f.now, begun + 2 * SECOND);
	ws_timeout(t.ws, 1000);
	CHECK_EQ_U(ws_recv_within(t.ws, &msg, -1), WS_ETIMEOUT);
	CHECK_EQ_U(t.f.now, begun + 3 * SECOND);
	check_row("wait_ms has no effect on later calls");
	ws_timeout(t.ws, 1000);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_ETIMEOUT);
	CHECK_EQ_U(t.f.now, begun + 4 * SECOND);
	talk_end(&t);

	check_row("endless pings do not prolong the call");
	quiet_begin(&t, 0, 0);
	for (i = 0; i < 10000; i++)
		script_put(&t.s, "\x89\x00", 2);
	talk_more(&t, "", 0);
	t.f.come = t.f.in_len;
	t.f.read_max = 20;
	t.f.discard = 1;
	CHECK_EQ_U(ws_recv_within(t.ws, &msg, 0), WS_AGAIN);
	CHECK(t.f.pos < t.f.in_len);
	talk_end(&t);

	check_row("with nonblock no call waits");
	quiet_begin(&t, 0, 1);
	waits = t.f.waits;
	CHECK_EQ_U(ws_recv_within(t.ws, &msg, 5000), WS_AGAIN);
	CHECK_EQ_U(t.f.waits, waits);
	talk_end(&t);
}

/* A silent peer: one ping, then WS_ETIMEOUT, and the same again each time. */
static void test_silent_peer(void)
{
	struct talk t;
	struct ws_msg msg;
	int64_t begun;
	int nonblock, k, r;

	for (nonblock = 0; nonblock < 2; nonblock++) {
		quiet_begin(&t, 3000, nonblock);
		begun = t.f.now;
		for (k = 0; k < 3; k++) {
			unsigned long waits = t.f.waits;

			REPEAT(r, &t.f, t.ws, nonblock, ws_recv(t.ws, &msg));
			CHECK_EQ_U(r, WS_ETIMEOUT);
			CHECK_EQ_U(t.f.now, begun + (k + 1) * 6 * SECOND);
			CHECK(t.f.waits - waits <= 4); /* it does not busy-wait */
			SENT(&t, 0x89, KEEPALIVE, sizeof KEEPALIVE - 1);
			SENT_ALL(&t);
		}
		CHECK(strstr(ws_errmsg(t.ws),
		             "receive from server.example.com:80 timed out: nothing "
		             "came for 18 s, not even an answer to a ping"));
		check_row("the connection is still usable");
		CHECK_EQ_U(ws_report(t.ws)->err, 0);
		talk_more(&t, "\x81\x01x", 3);
		REPEAT(r, &t.f, t.ws, nonblock, ws_recv(t.ws, &msg));
		CHECK_EQ_U(r, 0);
		talk_end(&t);
	}
	check_row("no random bytes for the ping");
	quiet_begin(&t, 3000, 0);
	begun = t.f.now;
	for (k = 0; k < 12; k++) /* this uses up the random bytes that are in stock */
		CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "x", 1), 1);
	t.f.entropy_calls_left = 0;
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_EENTROPY);
	CHECK_EQ_U(t.f.now, begun + 3 * SECOND);
	CHECK_EQ_U(ws_report(t.ws)->err, WS_EENTROPY);
	talk_end(&t);

	check_row("a peer that has not taken the last byte");
	quiet_begin(&t, 3000, 1);
	t.f.room = 6;
	t.f.drain = 0;
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "x", 1), 1);
	REPEAT(r, &t.f, t.ws, 1, ws_recv(t.ws, &msg));
	CHECK_EQ_U(r, WS_ETIMEOUT);
	CHECK(strstr(ws_errmsg(t.ws), ", and the peer does not read what is sent to it"));
	talk_end(&t);

	check_row("a deadline or the end of wait_ms may come first");
	quiet_begin(&t, 3000, 0);
	begun = t.f.now;
	ws_timeout(t.ws, 1000);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_ETIMEOUT);
	ws_timeout(t.ws, -1);
	CHECK_EQ_U(ws_recv_within(t.ws, &msg, 1000), WS_AGAIN);
	CHECK_EQ_U(t.f.now, begun + 2 * SECOND);
	SENT_ALL(&t);
	CHECK_EQ_U(ws_recv_within(t.ws, &msg, 1000), WS_AGAIN);
	SENT(&t, 0x89, KEEPALIVE, sizeof KEEPALIVE - 1);
	CHECK_EQ_U(ws_recv_within(t.ws, &msg, 60000), WS_ETIMEOUT);
	CHECK_EQ_U(t.f.now, begun + 6 * SECOND);
	check_row("a deadline after that does not count as a sign of life");
	ws_timeout(t.ws, 1000);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_ETIMEOUT);
	ws_timeout(t.ws, -1);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_ETIMEOUT);
	CHECK_EQ_U(t.f.now, begun + 12 * SECOND);
	talk_end(&t);
}

/* A peer that shows that it is alive. */
static void test_living_peer(void)
{
	struct talk t;
	struct ws_msg msg;
	int64_t begun;
	int i;

	check_row("pongs: those for ws_ping are returned, ours are not");
	quiet_begin(&t, 3000, 0);
	begun = t.f.now;
	CHECK_EQ_U(ws_ping(t.ws, "me", 2), 0);
	SENT(&t, 0x89, "me", 2);
	t.f.last_us = t.f.now;
	t.f.gap_us = 5 * SECOND;
	t.f.step = 2 + sizeof KEEPALIVE - 1;
	for (i = 0; i < 3; i++)
		script_frame(&t.s, 0x8a, KEEPALIVE, sizeof KEEPALIVE - 1);
	script_frame(&t.s, 0x8a, "me", 2);
	talk_more(&t, "", 0);
	CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
	CHECK_EQ_U(msg.type, WS_PONG);
	CHECK_EQ_MEM(msg.data, msg.len, "me", 2);
	CHECK_EQ_U(t.f.now, begun + 20 * SECOND);
	CHECK_EQ_U(ws_report(t.ws)->pongs_received, 4);
	for (i = 0; i < 4; i++)
		SENT(&t, 0x89, KEEPALIVE, sizeof KEEPALIVE - 1);
	SENT_ALL(&t);
	talk_end(&t);

	check_row("pongs that only resemble ours, and one like ours when we send no pings");
	for (i = 0; i < 3; i++) {
		size_t len = sizeof KEEPALIVE - (i == 1 ? 2 : 1);

		quiet_begin(&t, i == 2 ? 0 : 3000, 0);
		CHECK_EQ_U(ws_ping(t.ws, "me", 2), 0);
		script_frame(&t.s, 0x8a, i == 0 ? "Ping_interval_ms" : KEEPALIVE, len);
		talk_more(&t, "", 0);
		CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
		CHECK_EQ_U(msg.type, WS_PONG);
		CHECK_EQ_U(msg.len, len);
		talk_end(&t);
	}

	check_row("a pong of ours with the shortest interval, then one that was asked for");
	quiet_begin(&t, 1, 0);
	CHECK_EQ_U(ws_ping(t.ws, "me", 2), 0);
	script_frame(&t.s, 0x8a, KEEPALIVE, sizeof KEEPALIVE - 1);
	script_frame(&t.s, 0x8a, "me", 2);
	talk_more(&t, "", 0);
	CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
	CHECK_EQ_MEM(msg.data, msg.len, "me", 2);
	talk_end(&t);

	check_row("a message that takes long: each byte counts, and no ping is needed");
	quiet_begin(&t, 3000, 0);
	begun = t.f.now;
	t.f.last_us = begun;
	t.f.gap_us = 2 * SECOND;
	t.f.step = 100;
	script_frame(&t.s, 0x82, NULL, 996);
	talk_more(&t, "", 0);
	CHECK_EQ_U(ws_recv_within(t.ws, &msg, 9000), WS_AGAIN);
	CHECK_EQ_U(ws_report(t.ws)->bytes_received, HEAD_LEN + 400);
	CHECK_EQ_U(ws_report(t.ws)->last_received_us, begun + 8 * SECOND);
	CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
	CHECK_EQ_U(t.f.now, begun + 20 * SECOND);
	SENT_ALL(&t);
	talk_end(&t);

	check_row("bytes that arrived while the program did something else");
	quiet_begin(&t, 3000, 0);
	CHECK_EQ_U(ws_recv_within(t.ws, &msg, 3001), WS_AGAIN);
	SENT(&t, 0x89, KEEPALIVE, sizeof KEEPALIVE - 1);
	talk_more(&t, "\x81\x01x", 3);
	t.f.come = t.f.in_len;
	t.f.now += 1000 * SECOND;
	CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
	CHECK_EQ_U(ws_recv_within(t.ws, &msg, 1000), WS_AGAIN);
	SENT_ALL(&t);
	talk_end(&t);

	check_row("no pings once the connection is closing");
	quiet_begin(&t, 3000, 0);
	ws_timeout(t.ws, 20000);
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL), WS_ETIMEOUT);
	SENT(&t, 0x88, "\x03\xe8", 2);
	SENT_ALL(&t);
	talk_end(&t);

	check_row("no pings without the option");
	quiet_begin(&t, 0, 0);
	CHECK_EQ_U(ws_recv_within(t.ws, &msg, 1000000), WS_AGAIN);
	SENT_ALL(&t);
	talk_end(&t);
}

/* While a long message is being sent, a ping cannot be sent. */
static void test_peer_that_must_read_first(void)
{
	static const char data[20000];
	struct talk t;
	struct ws_msg msg;
	int64_t begun;
	ptrdiff_t n;
	int nonblock, r;

	check_row("the peer takes some bytes every 4 s");
	quiet_begin(&t, 3000, 0);
	begun = t.f.now;
	t.f.room = 0;
	t.f.drain = 2000;
	t.f.drain_us = 4 * SECOND;
	CHECK_EQ_U(ws_send(t.ws, WS_BINARY, data, sizeof data), sizeof data);
	CHECK(t.f.now >= begun + 40 * SECOND);
	SENT(&t, 0x82, data, sizeof data);
	talk_end(&t);

	check_row("the peer takes nothing: first ws_send returns a part, then the error, again and "
	          "again");
	quiet_begin(&t, 3000, 0);
	begun = t.f.now;
	t.f.room = t.f.drain = 0;
	n = ws_send(t.ws, WS_BINARY, data, sizeof data);
	CHECK(n > 0 && n < (ptrdiff_t)sizeof data);
	CHECK_EQ_U(t.f.now, begun + 6 * SECOND);
	CHECK_EQ_U(ws_send(t.ws, WS_BINARY, data + n, sizeof data - (size_t)n), WS_ETIMEOUT);
	CHECK_EQ_U(t.f.now, begun + 6 * SECOND);
	CHECK(strstr(ws_errmsg(t.ws),
	             "nothing came for 6 s, and the peer does not read what is sent "
	             "to it"));
	CHECK_EQ_U(ws_send(t.ws, WS_BINARY, data + n, sizeof data - (size_t)n), WS_ETIMEOUT);
	CHECK_EQ_U(t.f.now, begun + 12 * SECOND);
	talk_end(&t);

	check_row("the program itself leaves its frame unfinished");
	quiet_begin(&t, 3000, 1);
	t.f.room = 100;
	t.f.drain = 0;
	n = ws_send(t.ws, WS_BINARY, data, sizeof data);
	CHECK(n > 0);
	t.f.room = SIZE_MAX;
	for (r = 0; r < 5; r++) {
		CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
		t.f.now += 3 * SECOND;
	}
	CHECK_EQ_U(ws_send(t.ws, WS_BINARY, data + n, sizeof data - (size_t)n),
	           sizeof data - (size_t)n);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
	SENT(&t, 0x82, data, sizeof data);
	SENT(&t, 0x89, KEEPALIVE, sizeof KEEPALIVE - 1);
	SENT_ALL(&t);
	talk_end(&t);

	check_row("the peer is silent after it had to read first");
	quiet_begin(&t, 3000, 0);
	t.f.room = 0;
	t.f.drain_us = SECOND;
	CHECK_EQ_U(ws_send(t.ws, WS_BINARY, data, 100), 100);
	begun = t.f.now;
	ws_timeout(t.ws, 60000);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_ETIMEOUT);
	CHECK_EQ_U(t.f.now, begun + 6 * SECOND);
	talk_end(&t);

	for (nonblock = 0; nonblock < 2; nonblock++) {
		check_row("a ping for which there is no room");
		quiet_begin(&t, 3000, nonblock);
		begun = t.f.now;
		t.f.room = t.f.drain = 0;
		REPEAT(r, &t.f, t.ws, nonblock, ws_recv(t.ws, &msg));
		CHECK_EQ_U(r, WS_ETIMEOUT);
		CHECK_EQ_U(t.f.now, begun + 6 * SECOND);
		talk_end(&t);
	}
}

static void test_wants(void)
{
	static char data[9000];
	struct talk t;
	struct ws_msg msg;

	quiet_begin(&t, 3000, 1);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
	CHECK_EQ_U(wants(&t).timeout_ms, 3000);
	t.f.now += 2 * SECOND;
	CHECK_EQ_U(wants(&t).timeout_ms, 1000);
	t.f.now += SECOND;
	CHECK_EQ_U(wants(&t).timeout_ms, 0);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
	CHECK_EQ_U(wants(&t).timeout_ms, 3000);
	ws_timeout(t.ws, 1000);
	CHECK_EQ_U(wants(&t).timeout_ms, 1000);
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL), WS_AGAIN);
	ws_timeout(t.ws, -1);
	CHECK_EQ_U(wants(&t).timeout_ms, -1);
	talk_end(&t);

	check_row("a silence that no call has returned, and then a message");
	quiet_begin(&t, 1000, 0);
	t.f.room = 20;
	t.f.drain = 0;
	CHECK(ws_send(t.ws, WS_BINARY, data, sizeof data) > 0);
	talk_more(&t,
	          "\x81\x01"
	          "a",
	          3);
	t.f.come = t.f.in_len;
	CHECK_EQ_U(ws_recv_within(t.ws, &msg, 0), 0);
	t.f.now += SECOND / 4;
	CHECK_EQ_U(ws_recv_within(t.ws, &msg, 0), WS_AGAIN);
	CHECK_EQ_U(wants(&t).timeout_ms, 750); /* counted from the message */
	talk_end(&t);

	talk_begin(&t, "", 0);
	t.o.ping_interval_ms = -1;
	t.ws = ws_new(URL, &t.o);
	CHECK_EQ_U(ws_open(t.ws), WS_EUSAGE);
	CHECK_EQ_S(ws_report(t.ws)->option, "ping_interval_ms");
	talk_end(&t);
}

static void test_counters(void)
{
	struct talk t;
	struct ws_msg msg;
	const struct ws_report *r;
	int i;

	talk_begin(&t, "\x89\x01p\x81\x02hi\x8a\x00\x89\x00\x81\x00", 13);
	t.f.gap_us = SECOND;
	t.ws = ws_new(URL, &t.o);
	r = ws_report(t.ws);
	CHECK(r->bytes_received == 0 && r->bytes_sent == 0 && r->last_received_us == 0);
	CHECK_EQ_U(ws_open(t.ws), 0);
	CHECK_EQ_U(r->bytes_received, HEAD_LEN);
	CHECK_EQ_U(r->bytes_sent, t.f.out_len);
	CHECK(r->bytes_sent == fake_request_end(&t.f));
	CHECK_EQ_U(r->last_received_us, t.f.last_us);
	t.f.now += 5 * SECOND;
	for (i = 0; i < 2; i++)
		CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
	CHECK_EQ_U(r->bytes_received, t.f.in_len);
	CHECK_EQ_U(r->last_received_us, t.f.last_us);
	CHECK_EQ_U(r->pings_received, 2);
	CHECK_EQ_U(r->pongs_received, 1);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "hello", 5), 5);
	CHECK_EQ_U(r->bytes_sent, t.f.out_len);
	t.f.room = t.f.drain = 0;
	CHECK_EQ_U(ws_ping(t.ws, "hello", 5), 0);
	CHECK_EQ_U(r->bytes_sent, t.f.out_len);
	/* the time until the close is none of these */
	t.f.room = SIZE_MAX;
	t.f.now += SECOND;
	talk_more(&t, "\x88\x00", 2);
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL), 0);
	CHECK_EQ_U(r->bytes_received, t.f.in_len);
	CHECK_EQ_U(r->bytes_sent, t.f.out_len);
	talk_end(&t);
}

int main(void)
{
	TEST(test_recv_within);
	TEST(test_silent_peer);
	TEST(test_living_peer);
	TEST(test_peer_that_must_read_first);
	TEST(test_wants);
	TEST(test_counters);
	return check_done();
}
