/* SPDX-License-Identifier: ISC
 * test_ws_close.c - Tests closing a connection, and which calls each state allows
 *
 * It uses the public interface of ws.h over the scripted transport of fake.h.
 */
#include "talk.h"
#include <stdbool.h>

/* The calls before and after the connection is open */
static void test_calls_in_each_state(void)
{
	struct talk t;
	struct ws_msg msg;
	int r;

	talk_begin(&t,
	           "\x81\x01"
	           "a\x88\x02\x03\xe8",
	           7);
	t.o.nonblock = 1;
	t.ws = ws_new(URL, &t.o);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_EUSAGE);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "a", 1), WS_EUSAGE);
	CHECK_EQ_U(ws_ping(t.ws, "a", 1), WS_EUSAGE);
	CHECK_EQ_U(t.f.ios, 0);
	REPEAT(r, &t.f, t.ws, 1, ws_open(t.ws));
	CHECK_EQ_U(r, 0);
	REPEAT(r, &t.f, t.ws, 1, ws_recv(t.ws, &msg));
	CHECK_EQ_U(r, 0);
	REPEAT(r, &t.f, t.ws, 1, ws_close(t.ws, 4000, "bye"));
	CHECK_EQ_U(r, 0);
	CHECK_EQ_U(ws_report(t.ws)->close_code, 1000);
	CHECK(ws_recv(t.ws, &msg) < 0);
	CHECK(ws_send(t.ws, WS_TEXT, "a", 1) < 0);
	CHECK(ws_ping(t.ws, "a", 1) < 0);
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL), 0); /* a second time */
	t.at = fake_request_end(&t.f);
	SENT(&t, 0x88,
	     "\x0f\xa0"
	     "bye",
	     5);
	SENT_ALL(&t);
	talk_end(&t);

	check_row("nothing is sent between ws_close and the peer's answer");
	talk_begin(&t, "", 0);
	t.o.nonblock = 1;
	talk_open(&t);
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL), WS_AGAIN);
	CHECK_EQ_U(ws_report(t.ws)->phase, WS_PHASE_CLOSING);
	CHECK(ws_send(t.ws, WS_TEXT, "a", 1) < 0);
	CHECK(ws_ping(t.ws, "a", 1) < 0);
	talk_more(&t, "\x89\x01p\x01\x05Hello\x89\x00\x00\x03xyz\x88\x02\x03\xe9", 21);
	fake_poll(&t.f, t.ws);
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL), 0);
	CHECK_EQ_U(ws_report(t.ws)->close_code, 1001);
	CHECK_EQ_U(ws_report(t.ws)->phase, WS_PHASE_DONE);
	SENT(&t, 0x88, "\x03\xe8", 2); /* 5.5.1: nothing is sent after it */
	SENT_ALL(&t);
	talk_end(&t);

	check_row("ws_free at any time");
	for (r = 0; r < 4; r++) {
		talk_begin(&t, "\x01\x05He", 4);
		t.o.nonblock = 1;
		t.ws = ws_new(URL, &t.o);
		if (r > 0)
			CHECK_EQ_U(ws_open(t.ws), WS_AGAIN);
		if (r > 1) {
			fake_poll(&t.f, t.ws);
			CHECK_EQ_U(ws_open(t.ws), 0);
		}
		if (r > 2)
			CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
		talk_end(&t);
	}
	ws_free(NULL);
	check_row("a transport that the program closes itself");
	talk_begin(&t, "", 0);
	t.io.io_close = NULL;
	talk_open(&t);
	ws_free(t.ws);
	CHECK_EQ_U(t.f.closes, 0);
	fake_free(&t.f);
	script_free(&t.s);
}

static void test_our_close_ends_the_connection(void)
{
	static const struct {
		const char *frame;
		size_t len;
		const char *says, *code;
	} wrong[] = {
	    {"\xc1\x00", 2, "protocol error", "1002"},
	    {"\x81\x01\xff", 3, "UTF-8", "1007"},
	    {"\x82\x03"
	     "abc",
	     5, "max_message", "1009"},
	    {"\x88\x02\x03\xed", 4, ": the close code 1005, which must not be sent", "1002"},
	    {"\x88\x01\x03", 3, ": a close frame of one byte", "1002"},
	    {"\x83\x00", 2, ": a frame with a reserved opcode", "1002"},
	    {"\x88\x05\x03\xe9"
	     "bye",
	     7, " with 1001 (going away): bye", "closed by"},
	    {"\x88\x03\x03\xe9!", 5, " with 1001 (going away): !", "closed by"},
	};
	static const char r123[] = SIXTY SIXTY "abc", r124[] = SIXTY SIXTY "abcd";
	struct talk t;
	int c;

	for (c = -2; c <= 5100;
	     c += c < 995 || (c > 1020 && c < 2990) || (c > 3005 && c < 4990) ? 5 : 1) {
		talk_begin(&t, "", 0);
		talk_open(&t);
		talk_more(&t, "\x88\x00", 2);
		CHECK_EQ_U(ws_close(t.ws, c, NULL),
		           c == 0 || (c > 0 && code_ok((unsigned)c)) ? 0 : WS_EUSAGE);
		if (c == 0 || (c > 0 && code_ok((unsigned)c))) {
			unsigned char want[2];

			want[0] = (unsigned char)(c >> 8);
			want[1] = (unsigned char)c;
			SENT(&t, 0x88, want, c ? 2 : 0);
			CHECK_EQ_U(ws_report(t.ws)->close_code, 1005);
		} else {
			CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "on", 2), 2); /* it is still open */
			SENT(&t, 0x81, "on", 2);
		}
		SENT_ALL(&t);
		talk_end(&t);
	}
	talk_begin(&t, "", 0);
	talk_open(&t);
	CHECK_EQ_U(ws_close(t.ws, 0, "why"), WS_EUSAGE);
	CHECK_EQ_U(ws_close(t.ws, 65536 + 1000, NULL), WS_EUSAGE);
	CHECK_EQ_U(ws_close(t.ws, INT_MAX, NULL), WS_EUSAGE);
	CHECK_EQ_U(ws_close(t.ws, INT_MIN, NULL), WS_EUSAGE);
	CHECK_EQ_U(ws_close(t.ws, 1000, "\xff"), WS_EUSAGE);
	CHECK_EQ_U(ws_close(t.ws, 1000, "\xc3"), WS_EUSAGE);
	CHECK_EQ_U(ws_close(t.ws, 1000, r124), WS_EUSAGE);
	talk_more(&t, "\x88\x02\x03\xe8", 4);
	CHECK_EQ_U(ws_close(t.ws, 1000, r123), 0);
	SENT(&t, 0x88, "\x03\xe8" SIXTY SIXTY "abc", 125);
	SENT_ALL(&t);
	talk_end(&t);

	check_row("a violation while our frame is half sent: nothing more is written, "
	          "and nothing waits for that");
	for (c = 0; c < 4; c++) {
		static char data[9000];
		struct ws_msg msg;
		unsigned long waits = 0;
		int r;

		talk_begin(&t, "", 0);
		t.o.nonblock = c & 1;
		talk_open(&t);
		t.f.room = 100;
		t.f.drain = 0;
		ws_timeout(t.ws, 10);
		CHECK(ws_send(t.ws, WS_BINARY, data, sizeof data) > 0);
		ws_timeout(t.ws, 5000);
		talk_more(&t, "\xc1\x00", 2);
		REPEAT(r, &t.f, t.ws, 1, ws_recv(t.ws, &msg));
		CHECK_EQ_U(r, WS_EPROTOCOL);
		t.f.room = t.f.drain = SIZE_MAX;
		t.f.deaf_after = c & 2 ? 1 : 0;
		t.f.waits = 0;
		while ((r = ws_close(t.ws, 1000, NULL)) == WS_AGAIN && ++waits < 1000)
			fake_poll(&t.f, t.ws);
		CHECK_EQ_U(r, WS_EPROTOCOL);
		CHECK(t.f.waits < 20);
		talk_end(&t);
	}

	check_row("the sentence for a violation has the peer and the code");
	for (c = 0; c < (int)(sizeof wrong / sizeof wrong[0]); c++) {
		struct ws_msg msg;

		talk_begin(&t, wrong[c].frame, wrong[c].len);
		t.o.max_message = 2;
		t.f.end = WS_IO_EOF;
		talk_open(&t);
		CHECK(ws_recv(t.ws, &msg) < 0);
		CHECK(strstr(ws_errmsg(t.ws), wrong[c].says) != NULL);
		CHECK(strstr(ws_errmsg(t.ws), wrong[c].code) != NULL);
		CHECK(strstr(ws_errmsg(t.ws), "server.example.com:80") != NULL);
		talk_end(&t);
	}

	check_row("in the middle of our message, or of the peer's");
	talk_begin(&t, "\x01\x02He\x00\x02ll\x80\x01o\x88\x00", 14);
	t.f.step = 3;
	talk_open(&t);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT | WS_MORE, "a", 1), 1);
	CHECK_EQ_U(ws_close(t.ws, 1001, ""), 0);
	SENT(&t, 0x01, "a", 1);
	SENT(&t, 0x88, "\x03\xe9", 2);
	SENT_ALL(&t);
	talk_end(&t);

	/* The peer breaks the rules, or hangs up, while we close. We wait for its end, as after any
	 * other violation: closing a socket with unread bytes resets the connection, and the peer
	 * could lose what it has not read yet. */
	for (c = 0; c < 3; c++) {
		talk_begin(&t, "", 0);
		talk_open(&t);
		if (c == 0)
			talk_more(&t, "\x81\x02ok\xc1\x00", 6);
		else if (c == 1)
			talk_more(&t, "\x88\x01\x03", 3); /* an invalid close frame */
		else
			talk_more(&t, "\x88\x03\x03\xe8\xff", 5);
		CHECK_EQ_U(ws_close(t.ws, 1000, NULL), WS_ETIMEOUT);
		CHECK_EQ_U(t.f.now, 11000000);
		ws_timeout(t.ws, 1000);
		talk_more(&t, "more", 4);
		t.f.end = WS_IO_EOF;
		CHECK_EQ_U(ws_close(t.ws, 1000, NULL), c == 2 ? WS_EUTF8 : WS_EPROTOCOL);
		CHECK_EQ_U(t.f.now, 11000000);
		SENT(&t, 0x88, "\x03\xe8", 2);
		SENT_ALL(&t); /* one close frame, not two */
		talk_end(&t);
	}
	talk_begin(&t, "", 0);
	talk_open(&t);
	t.f.end = WS_IO_EOF;
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL), WS_ECLOSED);
	CHECK_EQ_U(ws_report(t.ws)->close_code, 1006);
	talk_end(&t);
	talk_begin(&t, "", 0);
	talk_open(&t);
	t.f.end = WS_IO_RESET;
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL), WS_ERESET);
	CHECK_EQ_U(ws_report(t.ws)->close_code, 1006);
	talk_end(&t);
	check_row("messages over the limit are only discarded while we close");
	talk_begin(&t, "", 0);
	t.o.max_message = 2;
	talk_open(&t);
	talk_more(&t, "\x82\x05Hello\x81\x01\xff\x88\x02\x03\xe8", 14);
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL), 0);
	talk_end(&t);
	check_row("the peer never closes: until the deadline");
	talk_begin(&t, "", 0);
	talk_open(&t);
	ws_timeout(t.ws, 1000);
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL), WS_ETIMEOUT);
	CHECK_EQ_U(t.f.now, 2000000);
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL), WS_ETIMEOUT);
	ws_timeout(t.ws, 1000);
	talk_more(&t, "\x88\x00", 2);
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL), 0);
	SENT(&t, 0x88, "\x03\xe8", 2);
	SENT_ALL(&t);
	talk_end(&t);
	check_row("after a violation: until the peer's end of file, or the deadline");
	talk_begin(&t, "\xc1\x00", 2);
	talk_open(&t);
	{
		struct ws_msg msg;

		CHECK_EQ_U(ws_recv(t.ws, &msg), WS_EPROTOCOL);
		CHECK_EQ_U(ws_close(t.ws, 1000, NULL), WS_ETIMEOUT);
		CHECK_EQ_U(t.f.now, 11000000);
		ws_timeout(t.ws, 1000);
		t.f.end = WS_IO_EOF;
		CHECK_EQ_U(ws_close(t.ws, 1000, NULL), WS_EPROTOCOL);
		CHECK_EQ_U(t.f.now, 11000000);
		CHECK_EQ_S(ws_errmsg(t.ws), "receive from server.example.com:80: a reserved bit is "
		                            "set (closed with 1002, protocol error)");
		CHECK_EQ_U(ws_report(t.ws)->close_code, 0); /* the peer has sent none */
	}
	talk_end(&t);
}

/* A call that times out says what it waited for, and what it had by then. */
static void test_timeouts_in_words(void)
{
	static const struct {
		const char *came;
		size_t len;
		bool closes;
		const char *says;
	} cases[] = {
	    {"", 0, false, "receive from server.example.com:80 timed out after 1 s: nothing came"},
	    {"\x89\x00", 2, false,
	     "receive from server.example.com:80 timed out after 1 s: no message came"},
	    {"\x81\x05xy", 4, false,
	     "receive from server.example.com:80 timed out after 1 s: the message is still "
	     "incomplete"},
	    {"\x01\x01x", 3, false,
	     "receive from server.example.com:80 timed out after 1 s: the message is still "
	     "incomplete"},
	    {"", 0, true,
	     "close of server.example.com:80 timed out after 1 s: no close frame came"},
	};
	struct talk t;
	struct ws_msg msg;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("case %lu: %s", (unsigned long)i, cases[i].says);
		talk_begin(&t, cases[i].came, cases[i].len);
		talk_open(&t);
		ws_timeout(t.ws, 1000);
		CHECK_EQ_U(cases[i].closes ? ws_close(t.ws, 1000, NULL) : ws_recv(t.ws, &msg),
		           WS_ETIMEOUT);
		CHECK_EQ_S(ws_errmsg(t.ws), cases[i].says);
		talk_end(&t);
	}
	check_row_end();
}

/* The stream ends: the error says whether something was incomplete. */
static void test_where_the_stream_ends(void)
{
	static const struct {
		const char *name, *came;
		size_t len;
		bool within;
	} cases[] = {
	    {"nothing came", "", 0, false},
	    {"after a message", "\x81\x01x", 3, false},
	    {"within a header", "\x81", 1, true},
	    {"after a header", "\x81\x05", 2, true},
	    {"within a payload", "\x81\x05xy", 4, true},
	    {"between two fragments", "\x01\x01x", 3, true},
	    {"after the header of a ping", "\x89\x05", 2, true},
	};
	struct talk t;
	struct ws_msg msg;
	size_t i;
	int r;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s", cases[i].name);
		talk_begin(&t, cases[i].came, cases[i].len);
		t.f.end = WS_IO_EOF;
		talk_open(&t);
		do
			r = ws_recv(t.ws, &msg);
		while (r == 0);
		CHECK_EQ_U(r, WS_ECLOSED);
		CHECK_EQ_U(strstr(ws_errmsg(t.ws), " in the middle of a message") != NULL,
		           cases[i].within);
		CHECK_EQ_U(strstr(ws_errmsg(t.ws), " without a close frame (1006)") != NULL,
		           !cases[i].within);
		talk_end(&t);
	}
	check_row_end();
}

/* Blocking calls get through a full send buffer and a peer that must be read before it reads */
static void test_close_gets_through_a_full_buffer(void)
{
	struct talk t;
	static char data[4080];
	struct ws_msg msg;
	ptrdiff_t n;
	int k, r;

	for (k = 0; k < 3; k++) {
		talk_begin(&t, "", 0);
		talk_open(&t);
		t.f.room = 0; /* the peer reads only after we have read all that it sent */
		t.f.drain = SIZE_MAX;
		t.f.drain_us = 10000;
		talk_more(&t,
		          "\x82\x03"
		          "abc\x82\x03"
		          "def\x88\x02\x03\xe8",
		          k == 1 ? 10 : 14);
		t.f.gap_us = 100;
		t.f.step = 1;
		n = ws_send(t.ws, WS_BINARY, data, sizeof data);
		CHECK_EQ_U(n, sizeof data);
		if (k == 0) {
			CHECK_EQ_U(ws_close(t.ws, 1000, NULL), 0);
		} else if (k == 1) {
			while ((r = ws_ping(t.ws, "p", 1))
			       == WS_AGAIN) /* the peer wants to be read first */
				CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
			CHECK_EQ_U(r, 0);
		} else {
			for (r = 0; r < 2; r++)
				CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
			CHECK_EQ_U(ws_recv(t.ws, &msg),
			           WS_ECLOSED); /* its echo does not get lost */
			CHECK_EQ_U(ws_close(t.ws, 1000, NULL), 0);
		}
		SENT(&t, 0x82, data, sizeof data);
		if (k == 1)
			SENT(&t, 0x89, "p", 1);
		else
			SENT(&t, 0x88, "\x03\xe8", 2);
		SENT_ALL(&t);
		talk_end(&t);
	}

	/* RFC 6455 5.5.2: a ping that could not be answered yet is answered before we close */
	for (k = 0; k < 4; k++) {
		talk_begin(&t, "", 0);
		t.o.nonblock = k & 1;
		talk_open(&t);
		t.f.room = 0;
		t.f.drain = 0;
		if (k & 2)
			CHECK_EQ_U(ws_send(t.ws, WS_BINARY, data, sizeof data), sizeof data);
		ws_timeout(t.ws, 5000);
		talk_more(&t,
		          "\x89\x01"
		          "1"
		          "\x89\x01"
		          "2"
		          "\x89\x04"
		          "last"
		          "\x82\x01"
		          "m",
		          15);
		REPEAT(r, &t.f, t.ws, 1, ws_recv(t.ws, &msg));
		CHECK_EQ_U(r, 0);
		ws_timeout(t.ws, 5000);
		CHECK_EQ_U(ws_close(t.ws, 1000, "enough"), t.o.nonblock ? WS_AGAIN : WS_ETIMEOUT);
		t.f.room = t.f.drain = SIZE_MAX;
		ws_timeout(t.ws, 5000);
		talk_more(&t, "\x88\x02\x03\xe8", 4);
		REPEAT(r, &t.f, t.ws, 1, ws_close(t.ws, 1000, NULL));
		CHECK_EQ_U(r, 0);
		if (k & 2)
			SENT(&t, 0x82, data, sizeof data);
		else
			SENT(&t, 0x8a, "1", 1);
		SENT(&t, 0x8a, "last", 4);
		SENT(&t, 0x88,
		     "\x03\xe8"
		     "enough",
		     8);
		SENT_ALL(&t);
		talk_end(&t);
	}
}

/* ws_shutdown sends the close frame, and what the peer still sends is received */
static void test_shutdown(void)
{
	struct talk t;
	struct ws_msg msg;

	talk_begin(&t, "", 0);
	talk_open(&t);
	CHECK_EQ_U(ws_shutdown(t.ws, 1005, NULL), WS_EUSAGE);
	CHECK_EQ_U(ws_shutdown(t.ws, 0, "no code"), WS_EUSAGE);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT | WS_HOLD, "last", 4), 4);
	CHECK_EQ_U(ws_shutdown(t.ws, 1001, "done"), 0);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "x", 1), WS_EUSAGE);
	CHECK(strstr(ws_errmsg(t.ws), "ws_shutdown") != NULL);
	CHECK_EQ_U(ws_ping(t.ws, "x", 1), WS_EUSAGE);
	CHECK_EQ_U(ws_shutdown(t.ws, 1000, NULL), 0); /* there is only one close frame */
	talk_more(&t,
	          "\x81\x01"
	          "a\x89\x01p\x82\x01"
	          "b\x88\x04\x03\xe9ok",
	          15);
	CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
	CHECK(msg.len == 1 && memcmp(msg.data, "a", 1) == 0);
	CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
	CHECK(msg.len == 1 && memcmp(msg.data, "b", 1) == 0);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_ECLOSED);
	CHECK_EQ_U(ws_report(t.ws)->close_code, 1001);
	CHECK_EQ_S(ws_errmsg(t.ws), "closed by server.example.com:80 with 1001 (going away): ok");
	CHECK_EQ_S(ws_report(t.ws)->close_reason, "ok"); /* shorter than ours */
	CHECK_EQ_U(ws_shutdown(t.ws, 1000, NULL), WS_ECLOSED);
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL), 0);
	SENT(&t, 0x81, "last", 4);
	SENT(&t, 0x88,
	     "\x03\xe9"
	     "done",
	     6);
	SENT_ALL(&t);
	talk_end(&t);

	check_row("ws_close waits for the end after it; violations are still found");
	talk_begin(&t, "", 0);
	talk_open(&t);
	CHECK_EQ_U(ws_shutdown(t.ws, 1000, NULL), 0);
	talk_more(&t,
	          "\x81\x01"
	          "a\x88\x00",
	          5);
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL), 0);
	SENT(&t, 0x88, "\x03\xe8", 2);
	SENT_ALL(&t);
	talk_end(&t);
	talk_begin(&t, "\x81\x01\xff", 3);
	talk_open(&t);
	CHECK_EQ_U(ws_shutdown(t.ws, 1000, NULL), 0);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_EUTF8);
	CHECK_EQ_S(ws_errmsg(t.ws), /* there is no close frame for it any more */
	           "receive from server.example.com:80: text that is not UTF-8");
	talk_end(&t);

	check_row("a close frame without a reason");
	talk_begin(&t, "\x88\x02\x03\xe9", 4);
	talk_open(&t);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_ECLOSED);
	CHECK_EQ_S(ws_errmsg(t.ws), "closed by server.example.com:80 with 1001 (going away)");
	talk_end(&t);

	check_row("not within a message, nor before the connection is open");
	talk_begin(&t, "", 0);
	t.o.nonblock = 1;
	talk_open(&t);
	t.f.room = 10;
	t.f.drain = 0;
	CHECK(ws_send(t.ws, WS_TEXT, NULL, 0) == 0);
	{
		static const char big[9000];

		CHECK(ws_send(t.ws, WS_BINARY, big, sizeof big) < (ptrdiff_t)sizeof big);
	}
	CHECK_EQ_U(ws_shutdown(t.ws, 1000, NULL), WS_EUSAGE);
	talk_end(&t);
}

/* Our close frame waits for room. Its reason differs from the peer's. */
static void test_reasons_of_both_sides(void)
{
	static const char data[200];
	struct talk t;
	int both, r;

	for (both = 0; both < 2; both++) {
		talk_begin(&t, "", 0);
		t.o.nonblock = 1;
		t.o.send_buffer = 256;
		talk_open(&t);
		t.f.room = t.f.drain = 0;
		CHECK_EQ_U(ws_send(t.ws, WS_BINARY, data, sizeof data), sizeof data);
		CHECK_EQ_U(ws_close(t.ws, 1000, SIXTY), WS_AGAIN);
		CHECK_EQ_S(ws_report(t.ws)->close_reason, "");
		if (both) { /* the peer closes before ours has gone out */
			talk_more(&t, "\x88\x07\x03\xe9their", 9);
			fake_poll(&t.f, t.ws);
			CHECK_EQ_U(ws_close(t.ws, 1000, SIXTY), WS_AGAIN);
			CHECK_EQ_S(ws_report(t.ws)->close_reason, "their");
		}
		t.f.room = t.f.drain = SIZE_MAX;
		if (!both) {
			CHECK_EQ_U(ws_close(t.ws, 1000, SIXTY), WS_AGAIN);
			talk_more(&t, "\x88\x00", 2);
		}
		REPEAT(r, &t.f, t.ws, 1, ws_close(t.ws, 1000, SIXTY));
		CHECK_EQ_U(r, 0);
		CHECK_EQ_S(ws_report(t.ws)->close_reason, both ? "their" : "");
		CHECK_EQ_U(ws_report(t.ws)->close_code, both ? 1001 : 1005);
		SENT(&t, 0x82, data, sizeof data);
		if (both)
			SENT(&t, 0x88, "\x03\xe8", 2);
		else
			SENT(&t, 0x88, "\x03\xe8" SIXTY, 62);
		SENT_ALL(&t);
		talk_end(&t);
	}
}

int main(void)
{
	TEST(test_shutdown);
	TEST(test_calls_in_each_state);
	TEST(test_our_close_ends_the_connection);
	TEST(test_timeouts_in_words);
	TEST(test_where_the_stream_ends);
	TEST(test_close_gets_through_a_full_buffer);
	TEST(test_reasons_of_both_sides);
	return check_done();
}
