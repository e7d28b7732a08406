/* SPDX-License-Identifier: ISC
 * test_ws_buffer.c - Tests buffer.c: what a long message took is given back afterwards
 *
 * It uses the public interface of ws.h over the scripted transport of fake.h, which counts memory.
 */
#include "talk.h"
#include <stdbool.h>

#define SECOND ((int64_t)1000000)
#define LONG 1000000 /* bytes of a message that does not fit into the first buffer */

static unsigned char payload[LONG];

static void buffer_begin(struct talk *t, int nonblock)
{
	talk_begin(t, "", 0);
	t->o.timeout_ms = -1;
	t->o.nonblock = nonblock;
	talk_open(t);
}

/* Makes all scripted bytes arrive. */
static void arrived(struct talk *t)
{
	talk_more(t, "", 0);
	t->f.come = t->f.in_len;
	t->f.last_us = t->f.now;
}

static void expect_long(struct talk *t, int type)
{
	struct ws_msg msg;
	int r;

	REPEAT(r, &t->f, t->ws, t->o.nonblock, ws_recv(t->ws, &msg));
	CHECK_EQ_U(r, 0);
	CHECK_EQ_U(msg.type, type);
	CHECK_EQ_U(msg.len, LONG);
	if (r == 0)
		CHECK(memcmp(msg.data, payload, LONG) == 0);
}

static void expect_text(struct talk *t, const char *text)
{
	struct ws_msg msg;
	int r;

	REPEAT(r, &t->f, t->ws, t->o.nonblock, ws_recv(t->ws, &msg));
	CHECK_EQ_U(r, 0);
	CHECK_EQ_MEM(msg.data, msg.len, text, strlen(text));
}

static void test_given_back_at_the_next_call(void)
{
	struct talk t;
	struct ws_msg msg;
	const void *first;
	size_t before;
	int nonblock, after, r;

	for (nonblock = 0; nonblock < 2; nonblock++) {
		for (after = 0; after < 3; after++) {
			check_row("nonblock %d, after it %s", nonblock,
			          after == 0   ? "nothing"
			          : after == 1 ? "a message"
			                       : "a part of a message");
			buffer_begin(&t, nonblock);
			CHECK_EQ_U(ws_recv_within(t.ws, &msg, 0), WS_AGAIN);
			before = t.f.alive;
			script_put(&t.s, "\x81\x05short", 7);
			arrived(&t);
			CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
			first = msg.data;
			script_frame(&t.s, 0x82, payload, LONG);
			if (after == 1)
				script_put(&t.s, "\x81\x05short", 7);
			if (after == 2)
				script_put(&t.s, "\x81\x05sho", 5);
			arrived(&t);
			expect_long(&t, WS_BINARY);
			CHECK(t.f.alive > before + LONG);
			if (after == 1)
				expect_text(&t, "short");
			CHECK_EQ_U(ws_recv_within(t.ws, &msg, 0), WS_AGAIN);
			if (after == 2) {
				/* not in the middle of a message, but after it */
				talk_more(&t, "rt", 2);
				t.f.come = t.f.in_len;
				expect_text(&t, "short");
				CHECK_EQ_U(ws_recv_within(t.ws, &msg, 0), WS_AGAIN);
			}
			CHECK_EQ_U(t.f.alive, before);
			check_row("and again later");
			t.f.now += 10 * SECOND;
			script_frame(&t.s, 0x82, payload, LONG);
			arrived(&t);
			expect_long(&t, WS_BINARY);
			CHECK_EQ_U(ws_recv_within(t.ws, &msg, 0), WS_AGAIN);
			CHECK_EQ_U(t.f.alive, before);
			check_row(
			    "then the first buffer is used, which is a part of the connection");
			script_put(&t.s, "\x81\x05short", 7);
			arrived(&t);
			REPEAT(r, &t.f, t.ws, nonblock, ws_recv(t.ws, &msg));
			CHECK_EQ_U(r, 0);
			CHECK_EQ_MEM(msg.data, msg.len, "short", 5);
			CHECK(msg.data == first);
			talk_end(&t);
		}
	}
}

/* Long messages, one after another, do not allocate each time. Afterwards the buffer is given back
 * within a second. */
static void test_stream_of_long_messages(void)
{
	enum { MESSAGES = 100, DOUBLINGS = 7 };
	struct talk t;
	struct ws_msg msg;
	unsigned long allocs, waits;
	size_t before;
	int nonblock, i, r;

	for (nonblock = 0; nonblock < 2; nonblock++) {
		buffer_begin(&t, nonblock);
		CHECK_EQ_U(ws_recv_within(t.ws, &msg, 0), WS_AGAIN);
		before = t.f.alive;
		allocs = t.f.allocs;
		for (i = 0; i < MESSAGES; i++) {
			script_frame(&t.s, 0x82, payload, LONG);
			arrived(&t);
			expect_long(&t, WS_BINARY);
			CHECK_EQ_U(ws_recv_within(t.ws, &msg, 0), WS_AGAIN);
			t.f.pos = t.f.come = t.f.in_len = t.s.len = 0;
			if (i < MESSAGES - 1)
				t.f.now += SECOND / MESSAGES * 2; /* all of it takes 2 s */
		}
		CHECK(t.f.allocs - allocs <= 4 * DOUBLINGS);
		CHECK(t.f.alive > before + LONG);
		check_row("idle afterwards");
		waits = t.f.waits;
		if (nonblock) {
			CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
			CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "x", 1), 1); /* changes nothing */
			CHECK(wants(&t).timeout_ms > 0 && wants(&t).timeout_ms <= 1000);
			fake_poll(&t.f, t.ws);
			CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
			CHECK_EQ_U(wants(&t).timeout_ms, -1);
		} else {
			CHECK_EQ_U(ws_recv_within(t.ws, &msg, 60000), WS_AGAIN);
			CHECK(t.f.waits - waits <= 3);
		}
		CHECK_EQ_U(t.f.alive, before);
		r = ws_recv_within(t.ws, &msg, 0);
		CHECK_EQ_U(r, WS_AGAIN);
		talk_end(&t);
	}
}

/* A large buffer must not make one read take many short frames, because each of them costs time. */
static void test_short_reads(void)
{
	static char pongs[1000000];
	struct talk t;
	struct ws_msg msg;
	unsigned long reads;
	size_t i;

	for (i = 0; i < sizeof pongs; i += 2)
		pongs[i] = (char)0x8a;
	buffer_begin(&t, 0);
	for (i = 0; i < 2; i++) { /* the second time the buffer is kept */
		script_frame(&t.s, 0x82, payload, LONG);
		arrived(&t);
		expect_long(&t, WS_BINARY);
	}
	reads = t.f.reads;
	script_put(&t.s, pongs, sizeof pongs);
	script_put(&t.s,
	           "\x81\x03"
	           "end",
	           5);
	arrived(&t);
	expect_text(&t, "end");
	CHECK(t.f.reads - reads >= sizeof pongs / 131072);
	CHECK_EQ_U(ws_recv_within(t.ws, &msg, 0), WS_AGAIN);
	talk_end(&t);
}

/* How much one read takes in the middle of a frame. */
static void test_read_sizes(void)
{
	enum { BUFFER = 16384, HEAD = 14, COME = 100, AFTER = 20000 };
	static const struct {
		const char *name;
		size_t rest; /* missing bytes of the payload when COME bytes have arrived */
		size_t want; /* what the next read takes */
	} cases[] = {
	    {"a short rest, and what is after it", 50, BUFFER - COME},
	    {"the longest short rest", 4095, BUFFER - COME},
	    {"a long rest, and a header", 4096, 4096 + HEAD},
	    {"a longer one", 10000, 10000 + HEAD},
	    {"the longest rest for which there is room", BUFFER - COME - HEAD - 1,
	     BUFFER - COME - 1},
	    {"a rest that is longer than the room", 20000, BUFFER - COME},
	};
	struct talk t;
	struct ws_msg msg;
	size_t i, begun;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s", cases[i].name);
		buffer_begin(&t, 1);
		script_frame(&t.s, 0x82, NULL, COME + cases[i].rest);
		script_frame(&t.s, 0x82, NULL, AFTER);
		begun = t.f.pos;
		talk_more(&t, "", 0);
		t.f.come = begun + COME + (COME + cases[i].rest < 126 ? 2 : 4);
		CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
		CHECK_EQ_U(t.f.pos, t.f.come);
		begun = t.f.pos;
		t.f.come = t.f.in_len;
		t.f.io_fail_at = t.f.ios + 2; /* stop after one read */
		t.f.io_fail = WS_IO_READ;
		ws_recv(t.ws, &msg);
		CHECK_EQ_U(t.f.pos - begun, cases[i].want);
		talk_end(&t);
	}
	check_row_end();
}

/* The receive buffer doubles, up to what max_message needs. */
static void test_growth(void)
{
	static const struct {
		size_t recv_buffer, max_message, len, want; /* want: bytes of the grown buffer */
	} cases[] = {
	    {1024, 0, 1100, 2048},
	    {1024, 0, 2048, 2048}, /* a frame that ends where the buffer ends */
	    {1024, 0, 2100, 4096},
	    {1024, 0, 5000, 8192},
	    {1024, 2500, 1100, 2048},
	    {1024, 2500, 2400, 2500 + 256},
	    {1024, 1100, 1100, 1100 + 256},
	};
	struct talk t;
	struct ws_msg msg;
	size_t i, before;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%lu bytes of at most %lu", (unsigned long)cases[i].len,
		          (unsigned long)cases[i].max_message);
		talk_begin(&t, "", 0);
		t.o.recv_buffer = cases[i].recv_buffer;
		t.o.max_message = cases[i].max_message;
		talk_open(&t);
		CHECK_EQ_U(ws_recv_within(t.ws, &msg, 0), WS_AGAIN);
		before = t.f.alive;
		script_frame(&t.s, 0x82, NULL, cases[i].len);
		arrived(&t);
		CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
		CHECK_EQ_MEM(msg.data, msg.len, t.s.p + t.s.len - cases[i].len, cases[i].len);
		CHECK_EQ_U(t.f.alive - before, cases[i].want);
		CHECK_EQ_U(ws_recv_within(t.ws, &msg, 0), WS_AGAIN);
		talk_end(&t);
	}
	check_row_end();
}

/* Messages that wait while ws_send_all sends: the first buffer takes them over if it then still has
 * room. */
static void test_unread_messages_shrink(void)
{
	enum { FIRST = 256, GROWN = 1024, LONGEST = 513 };
	static const struct {
		const char *name;
		size_t unread;
		bool given_back;
	} cases[] = {
	    {"room for one byte more", FIRST - 1, true},
	    {"no room", FIRST, false},
	};
	static const char data[20000];
	struct talk t;
	struct ws_msg msg;
	unsigned long allocs;
	size_t i, before;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s", cases[i].name);
		talk_begin(&t, "", 0);
		t.o.recv_buffer = FIRST;
		talk_open(&t);
		CHECK_EQ_U(ws_recv_within(t.ws, &msg, 0), WS_AGAIN);
		before = t.f.alive;
		/* the last message ends where the buffer does, which has doubled twice */
		script_frame(&t.s, 0x82, NULL, LONGEST);
		script_frame(&t.s, 0x82, NULL, GROWN - LONGEST - 4 - cases[i].unread);
		script_frame(&t.s, 0x82, NULL, cases[i].unread - 4);
		arrived(&t);
		CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
		CHECK_EQ_U(msg.len, LONGEST);
		CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
		CHECK_EQ_U(t.f.pos, t.f.in_len);
		allocs = t.f.allocs;
		t.f.room = 0;
		t.f.drain = 1000;
		CHECK_EQ_U(ws_send_all(t.ws, WS_BINARY, data, sizeof data), 0);
		CHECK_EQ_U(t.f.allocs, allocs);
		CHECK_EQ_U(t.f.alive, before + (cases[i].given_back ? 0 : GROWN));
		CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
		CHECK_EQ_U(msg.len, cases[i].unread - 4);
		talk_end(&t);
	}
	check_row_end();
}

/* A message may be sent back from the receive buffer, however long that takes. */
static void test_sent_back_slowly(void)
{
	struct talk t;
	struct ws_msg msg;
	unsigned char *sent = NULL;
	unsigned long waits;
	size_t len = 0;
	int i;

	buffer_begin(&t, 0);
	for (i = 0; i < 2; i++) { /* the second time the large buffer is still there */
		script_frame(&t.s, 0x82, payload, LONG);
		arrived(&t);
		CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
		t.f.room = 0;
		t.f.drain = LONG / 10;
		t.f.drain_us = SECOND;
		waits = t.f.waits;
		CHECK_EQ_U(ws_send(t.ws, WS_BINARY, msg.data, msg.len), LONG);
		CHECK_EQ_S(ws_errmsg(t.ws), ""); /* only waiting is not worth a sentence */
		CHECK(t.f.waits - waits <= 20);
		CHECK_EQ_U(talk_sent(&t, &sent, &len), 0x82);
		CHECK_EQ_MEM(sent, len, t.s.p + t.s.len - LONG, LONG);
		t.f.room = SIZE_MAX;
		CHECK_EQ_U(ws_recv_within(t.ws, &msg, 0), WS_AGAIN);
	}
	check_row("a large buffer that waits to be given back does not wake the call");
	script_frame(&t.s, 0x82, payload, LONG);
	arrived(&t);
	CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
	CHECK_EQ_U(ws_recv_within(t.ws, &msg, 0), WS_AGAIN);
	t.f.room = 0;
	waits = t.f.waits;
	CHECK_EQ_U(ws_send(t.ws, WS_BINARY, payload, LONG), LONG);
	CHECK(t.f.waits - waits <= 20);
	check_row_end();
	talk_end(&t);
}

/* Bytes that wait in the send buffer when it grows are sent before the long message. */
static void test_growth_with_unsent_bytes(void)
{
	/* The first is the shortest length that makes the buffer grow. */
	static const size_t lengths[] = {4096 - 14 + 1, 20000};
	static const char data[20000];
	struct talk t;
	struct ws_msg msg;
	size_t i;

	for (i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		check_row("%lu bytes", (unsigned long)lengths[i]);
		talk_begin(&t, "", 0);
		t.o.send_buffer = 0;
		t.o.nonblock = 1;
		talk_open(&t);
		t.f.room = 0;
		CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "first", 5), 5);
		/* the larger buffer has room for all of it */
		CHECK_EQ_U(ws_send(t.ws, WS_BINARY, data, lengths[i]), lengths[i]);
		t.f.room = SIZE_MAX;
		CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
		check_row("%lu bytes, then the first buffer again", (unsigned long)lengths[i]);
		script_frame(&t.s, 0x82, NULL, 16384); /* as much as the receive buffer holds */
		arrived(&t);
		CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
		t.f.room = 0;
		CHECK_EQ_U(ws_send(t.ws, WS_BINARY, data, 4000), 4000);
		CHECK_EQ_MEM(msg.data, msg.len, t.s.p + t.s.len - 16384, 16384);
		t.f.room = SIZE_MAX;
		CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
		SENT(&t, 0x81, "first", 5);
		SENT(&t, 0x82, data, lengths[i]);
		SENT(&t, 0x82, data, 4000);
		SENT_ALL(&t);
		check_row("%lu bytes, and ws_free while they wait", (unsigned long)lengths[i]);
		t.f.room = 0;
		CHECK_EQ_U(ws_send(t.ws, WS_BINARY, data, lengths[i]), lengths[i]);
		talk_end(&t);
	}
	check_row_end();
}

/* What fits into the first send buffer needs no memory. */
static void test_short_messages_out(void)
{
	static const char data[4096];
	struct talk t;
	struct ws_msg msg;
	unsigned long allocs;

	talk_begin(&t, "", 0);
	t.o.send_buffer = 0;
	talk_open(&t);
	CHECK_EQ_U(ws_recv_within(t.ws, &msg, 0), WS_AGAIN);
	allocs = t.f.allocs;
	CHECK_EQ_U(ws_send(t.ws, WS_BINARY, data, 5), 5);
	CHECK_EQ_U(ws_send(t.ws, WS_BINARY, data, 4096 - 14), 4096 - 14); /* the longest */
	CHECK_EQ_U(t.f.allocs, allocs);
	CHECK_EQ_U(ws_send(t.ws, WS_BINARY, data, 4096 - 14 + 1), 4096 - 14 + 1);
	CHECK_EQ_U(t.f.allocs, allocs + 1);
	talk_end(&t);
}

/* With a send buffer of the default size, a long message goes out in few writes. */
static void test_long_messages_out(void)
{
	static const char data[300000];
	struct talk t;
	struct ws_msg msg;
	size_t before;
	ptrdiff_t n;
	int kind, r;

	for (kind = 0; kind < 4; kind++) {
		const int chosen = kind == 1, nonblock = kind == 2, no_memory = kind == 3;
		unsigned long writes;

		check_row("%s", chosen      ? "the program has chosen a size"
		                : nonblock  ? "the peer takes it slowly"
		                : no_memory ? "without memory"
		                            : "default");
		talk_begin(&t, "", 0);
		t.o.send_buffer = chosen ? 4096 : 0;
		t.o.nonblock = nonblock;
		talk_open(&t);
		r = ws_recv_within(t.ws, &msg, 0);
		CHECK_EQ_U(r, WS_AGAIN);
		before = t.f.alive;
		writes = t.f.writes;
		if (no_memory)
			t.f.alloc_limit = 1;
		t.f.room = nonblock ? 100000 : SIZE_MAX;
		n = ws_send(t.ws, WS_BINARY, data, sizeof data);
		if (nonblock) {
			CHECK(n > 0 && n < (ptrdiff_t)sizeof data);
			CHECK(t.f.alive > before);
			t.f.room = sizeof data - (size_t)n - 70000 + 65536;
			n += ws_send(t.ws, WS_BINARY, data + n, sizeof data - (size_t)n);
			t.f.room = SIZE_MAX;
			if (n < (ptrdiff_t)sizeof data)
				n += ws_send(t.ws, WS_BINARY, data + n, sizeof data - (size_t)n);
			CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN); /* writes what is left */
		}
		CHECK_EQ_U(n, sizeof data);
		CHECK_EQ_U(t.f.alive, before);
		if (kind == 0)
			CHECK(t.f.writes - writes <= 6);
		SENT(&t, 0x82, data, sizeof data);
		SENT_ALL(&t);
		talk_end(&t);
	}
}

int main(void)
{
	size_t i;

	for (i = 0; i < LONG; i++)
		payload[i] = (unsigned char)(i * 7 + i / 256);
	TEST(test_given_back_at_the_next_call);
	TEST(test_stream_of_long_messages);
	TEST(test_short_reads);
	TEST(test_read_sizes);
	TEST(test_growth);
	TEST(test_unread_messages_shrink);
	TEST(test_sent_back_slowly);
	TEST(test_growth_with_unsent_bytes);
	TEST(test_short_messages_out);
	TEST(test_long_messages_out);
	return check_done();
}
