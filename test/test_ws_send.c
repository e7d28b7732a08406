/* SPDX-License-Identifier: ISC
 * test_ws_send.c - Tests sending: whole messages, pieces, a peer that reads slowly, and the
 * deadline
 *
 * It uses the public interface of ws.h over the scripted transport of fake.h.
 */
#include "talk.h"

/* Collects a message's payloads from the frames sent, and checks its first and last frame */
static void collect_message(struct talk *t, unsigned type, struct script *out, size_t *frames)
{
	unsigned char *p;
	size_t n;
	unsigned b0;

	*frames = 0;
	do {
		b0 = talk_sent(t, &p, &n);
		if (!CHECK(b0 != 0 && (b0 & 0x0f) == (*frames ? 0 : type)))
			return;
		script_put(out, p, n);
		++*frames;
	} while (b0 && !(b0 & 0x80));
}

/* A transport that takes a few bytes at a time: everything arrives once and in order, and a frame
 * that is continued is still one frame. In curl, partial writes were miscounted. */
static void test_short_writes(void)
{
	static const size_t takes[] = {1, 3, 13, 100, 255, 256, 257, 4095, 4096, 5000};
	static const size_t lengths[] = {0,   1,   5,   125,  126,  200,  237,  238,   241,  242,
	                                 243, 256, 300, 4076, 4082, 4083, 4096, 10000, 70000};
	size_t i, k, sent, frames;
	unsigned char *data = malloc(70000);
	int mode;

	for (i = 0; i < 70000; i++)
		data[i] = (unsigned char)(i * 31 + i / 251);
	/* bits: 1: nonblock; 2: a small buffer; 4: every wait is interrupted */
	for (mode = 0; mode < 8; mode += check_step(3)) {
		for (i = 0; i < sizeof takes / sizeof takes[0]; i++) {
			for (k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
				struct talk t;
				struct script got = {NULL, 0, 0};
				size_t len = lengths[k];
				ptrdiff_t n;
				int r;

				if (takes[i] < 10 && len > 11000)
					continue;
				talk_begin(&t, "", 0);
				t.o.nonblock = mode & 1;
				t.o.send_buffer = mode & 2 ? 256 : 0;
				t.o.timeout_ms = -1;
				talk_open(&t);
				t.f.room = 0;
				t.f.drain = takes[i];
				t.f.drain_us = 10;
				t.f.wake_us = mode & 4 ? 4 : 0;
				for (sent = 0, n = 0; sent < len || n < 0 || len == 0;
				     sent += n > 0 ? (size_t)n : 0) {
					n = ws_send(t.ws, WS_BINARY, data + sent, len - sent);
					if (n < 0 && n != WS_AGAIN)
						break;
					if (!t.o.nonblock) {
						CHECK_EQ_U(
						    n, len); /* a blocking call takes all, as nobody
							   * need be read */
						if (n != (ptrdiff_t)len)
							break;
					}
					if (len == 0 && n == 0)
						break;
					if (t.o.nonblock) { /* as ws_wants says: while sending, ws_recv and ws_send */
						struct ws_msg msg;

						CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
						if (n < 0 || sent + (size_t)n < len)
							fake_poll(&t.f, t.ws);
					}
					if (t.f.hung)
						break;
				}
				CHECK(n >= 0);
				if (t.o.nonblock) { /* the rest is sent in later calls */
					struct ws_msg msg;

					do {
						CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
						if (t.f.room == 0)
							t.f.room = t.f.drain;
					} while (t.f.out_len < t.at + len
					                           + (len < 126     ? 6
					                              : len < 65536 ? 8
					                                            : 14)
					         && t.f.ios < 10000000);
				}
				collect_message(&t, 2, &got, &frames);
				CHECK_EQ_U(frames, 1);
				CHECK(got.len == len
				      && (len == 0 || memcmp(got.p, data, len) == 0));
				SENT_ALL(&t);
				/* the next message can be sent */
				t.f.room = t.f.drain = SIZE_MAX;
				r = (int)ws_send(t.ws, WS_TEXT, "next", 4);
				CHECK_EQ_U(r, 4);
				SENT(&t, 0x81, "next", 4);
				SENT_ALL(&t);
				talk_end(&t);
				script_free(&got);
			}
		}
	}
	free(data);
}

static void test_what_is_sent_arrives(void)
{
	struct talk t;
	struct ws_msg msg;
	unsigned char *p, keys[1000][4];
	unsigned b0, i, k, same = 0;
	size_t n;

	check_row(
	    "fragments of known and unknown length, and empty ones; text split within a character");
	talk_begin(&t, "", 0);
	talk_open(&t);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT | WS_MORE, "a\xc3", 2), 2);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT | WS_MORE, "", 0), 0);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT | WS_MORE, NULL, 0), 0);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "\xa9", 1), 1);
	CHECK_EQ_U(ws_send(t.ws, WS_BINARY | WS_MORE, "\xff", 1), 1);
	CHECK_EQ_U(ws_send(t.ws, WS_BINARY, "\xc3", 1), 1); /* this would not continue a text */
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT, NULL, 0), 0);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "\xf0\x9f\x98\x80", 4), 4);
	SENT(&t, 0x01, "a\xc3", 2);
	SENT(&t, 0x00, "", 0);
	SENT(&t, 0x00, "", 0);
	SENT(&t, 0x80, "\xa9", 1);
	SENT(&t, 0x02, "\xff", 1);
	SENT(&t, 0x80, "\xc3", 1);
	SENT(&t, 0x81, "", 0);
	SENT(&t, 0x81, "\xf0\x9f\x98\x80", 4);
	SENT_ALL(&t);
	talk_end(&t);

	check_row("misuse is an error, sends nothing and does no harm");
	talk_begin(&t,
	           "\x81\x01"
	           "a",
	           3);
	t.o.nonblock = 1;
	talk_open(&t);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "\xff", 1), WS_EUSAGE);
	CHECK(strstr(ws_errmsg(t.ws), "UTF-8") != NULL);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "\xc3", 1), WS_EUSAGE);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "\xed\xa0\x80", 3), WS_EUSAGE);
	CHECK_EQ_U(ws_send(t.ws, 0, "a", 1), WS_EUSAGE);
	CHECK_EQ_U(ws_send(t.ws, WS_MORE, "a", 1), WS_EUSAGE);
	CHECK_EQ_U(ws_send(t.ws, WS_PONG, "a", 1), WS_EUSAGE);
	CHECK_EQ_U(ws_send(t.ws, 8, "a", 1), WS_EUSAGE);
	CHECK_EQ_U(ws_send(t.ws, -1, "a", 1), WS_EUSAGE);
	CHECK_EQ_U(ws_send(t.ws, 0x401, "a", 1), WS_EUSAGE);
	CHECK_EQ_U(ws_send(t.ws, WS_BINARY, "a", (size_t)PTRDIFF_MAX + 1), WS_EUSAGE);
	CHECK_EQ_U(ws_report(t.ws)->err, 0);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT | WS_MORE, "b\xc3", 2), 2);
	CHECK_EQ_U(ws_send(t.ws, WS_BINARY, "a", 1), WS_EUSAGE);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "a", 1),
	           WS_EUSAGE); /* not a continuation of the character */
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "", 0), WS_EUSAGE);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "\xa9", 1), 1);
	check_row("only the rest of a frame may follow its beginning");
	t.f.room = 10;
	t.f.drain = 0;
	{
		static unsigned char big[9000];
		ptrdiff_t r = ws_send(t.ws, WS_BINARY, big, sizeof big);
		size_t rest;

		CHECK(r > 0 && r < 9000);
		rest = sizeof big - (size_t)r;
		CHECK_EQ_U(ws_send(t.ws, WS_BINARY, big, rest - 1), WS_EUSAGE);
		CHECK_EQ_U(ws_send(t.ws, WS_BINARY, big, rest + 1), WS_EUSAGE);
		CHECK_EQ_U(ws_send(t.ws, WS_BINARY | WS_MORE, big, rest), WS_EUSAGE);
		CHECK_EQ_U(ws_send(t.ws, WS_TEXT, big, rest), WS_EUSAGE);
		CHECK_EQ_U(ws_ping(t.ws, "", 0), WS_AGAIN);
		CHECK_EQ_U(ws_send(t.ws, WS_BINARY, big, rest), WS_AGAIN);
		t.f.room = t.f.drain = SIZE_MAX;
		CHECK_EQ_U(ws_send(t.ws, WS_BINARY, big, rest), rest);
		SENT(&t, 0x01, "b\xc3", 2);
		SENT(&t, 0x80, "\xa9", 1);
		SENT(&t, 0x82, big, sizeof big);
		SENT_ALL(&t);
	}
	CHECK_EQ_U(ws_ping(t.ws, "", 0), 0);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
	fake_poll(&t.f, t.ws);
	CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
	CHECK_EQ_MEM(msg.data, msg.len, "a", 1);
	talk_end(&t);

	check_row("text that is not checked is sent unchanged");
	talk_begin(&t, "", 0);
	t.o.no_utf8_check = 1;
	talk_open(&t);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "\xff", 1), 1);
	SENT(&t, 0x81, "\xff", 1);
	talk_end(&t);

	check_row("a new mask for every frame: RFC 6455 5.3");
	talk_begin(&t, "", 0);
	t.f.nonce = NULL;
	t.ws = ws_new(URL, &t.o);
	CHECK_EQ_U(ws_open(t.ws), WS_EHANDSHAKE); /* FAKE_ACCEPT belongs to another key */
	talk_end(&t);
	talk_begin(&t, "", 0);
	talk_open(&t);
	t.f.nonce = NULL; /* pseudo-random from now on */
	for (i = 0; i < 1000; i++)
		CHECK_EQ_U(ws_send(t.ws, WS_BINARY, &i, i % 3), i % 3);
	for (i = 0; i < 1000; i++) {
		CHECK(fake_frame(&t.f, &t.at, &b0, &p, &n, keys[i]));
		for (k = 16; k < i; k++)
			same += memcmp(keys[k], keys[i], 4) == 0;
	}
	CHECK_EQ_U(same, 0);
	/* Random bytes come from a pool, so not every frame asks for them */
	CHECK(t.f.entropy_calls > 10 && t.f.entropy_calls < 200);
	talk_end(&t);
}

/* Bytes from ws_recv can be sent from where they are, however much arrives meanwhile */
static void test_received_bytes_can_be_sent(void)
{
	static const size_t lengths[] = {1, 100, 3000, 16000, 16379, 16380, 16381, 50000};
	size_t i, k;
	int mode;

	for (mode = 0; mode < 8; mode += check_step(3)) {
		for (i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
			struct talk t;
			struct ws_msg msg;
			struct script whole = {NULL, 0, 0}, got = {NULL, 0, 0};
			unsigned char *p;
			size_t n;

			talk_begin(&t, "", 0);
			for (k = 0; k < 3; k++) {
				size_t from = t.s.len;

				script_frame(&t.s, 0x82, NULL, lengths[i]);
				for (from = t.s.len - lengths[i]; from < t.s.len; from++)
					t.s.p[from] ^= (unsigned char)(k * 85);
				script_put(&whole, t.s.p + t.s.len - lengths[i], lengths[i]);
			}
			script_frame(&t.s, 0x88, NULL, 0);
			talk_more(&t, "", 0);
			t.f.step =
			    mode & 1 ? 500 : (t.s.len - 2 - HEAD_LEN) / 3; /* a frame at a time */
			t.f.gap_us = 30;
			t.o.send_buffer = 256;
			t.o.stream = mode >> 1 & 1;
			talk_open(&t);
			t.f.room = 0;
			t.f.drain = 200;
			t.f.drain_us = mode & 4 ? 10 : 100;
			t.f.wake_us = 25;
			/* a program that stops when not all was taken: what was taken is right */
			while (ws_recv(t.ws, &msg) == 0
			       && ws_send(t.ws, WS_BINARY, msg.data, msg.len) == (ptrdiff_t)msg.len)
				;
			t.f.room = t.f.drain = SIZE_MAX;
			while (ws_recv(t.ws, &msg) == 0)
				;
			ws_close(t.ws, 1000, NULL);
			while (talk_sent(&t, &p, &n) == 0x82)
				script_put(&got, p, n);
			CHECK(got.len <= whole.len
			      && (got.len == 0 || memcmp(got.p, whole.p, got.len) == 0));
			/* and so is the part of a frame that was sent */
			if (t.f.out_len > t.at + 8 && t.f.out[t.at] == 0x82) {
				size_t head = (t.f.out[t.at + 1] & 127) < 126    ? 6
				              : (t.f.out[t.at + 1] & 127) == 126 ? 8
				                                                 : 14;

				for (k = t.at + head; k < t.f.out_len && got.len < whole.len; k++)
					script_byte(
					    &got,
					    t.f.out[k]
					        ^ t.f.out[t.at + head - 4 + (k - t.at - head) % 4]);
				if (t.f.out_len > t.at + head)
					CHECK(got.len <= whole.len
					      && memcmp(got.p, whole.p, got.len) == 0);
			}
			CHECK(got.len > 0);
			talk_end(&t);
			script_free(&whole);
			script_free(&got);
		}
	}
}

static void test_send_keeps_its_deadline(void)
{
	static char data[100000];
	struct talk t;
	struct ws_msg msg;
	size_t sent;
	ptrdiff_t n;
	int r;

	check_row("a peer that never reads and says nothing: short at the deadline, then "
	          "WS_ETIMEOUT; later it can go on");
	talk_begin(&t, "", 0);
	talk_open(&t);
	t.f.room = 20000;
	t.f.drain = 0;
	n = ws_send(t.ws, WS_BINARY, data, sizeof data);
	CHECK(n > 19000 && n < 25000);
	timed("send", 0, 0, &t.f, 10000000);
	CHECK_EQ_U(ws_send(t.ws, WS_BINARY, data + n, sizeof data - (size_t)n), WS_ETIMEOUT);
	timed("send again", 0, 0, &t.f, 10000000);
	CHECK_EQ_S(ws_errmsg(t.ws),
	           "send to server.example.com:80 timed out: the peer did not take "
	           "the message within 10 s");
	CHECK_EQ_U(ws_report(t.ws)->err, 0);
	t.f.room = t.f.drain = SIZE_MAX;
	ws_timeout(t.ws, 1000);
	CHECK_EQ_U(ws_send(t.ws, WS_BINARY, data + n, sizeof data - (size_t)n),
	           sizeof data - (size_t)n);
	SENT(&t, 0x82, data, sizeof data);
	SENT_ALL(&t);
	talk_end(&t);

	check_row("a peer that takes a byte a second");
	talk_begin(&t, "", 0);
	talk_open(&t);
	t.f.room = 0;
	t.f.drain = 1;
	t.f.drain_us = 1000000;
	n = ws_send(t.ws, WS_BINARY, data, sizeof data);
	CHECK(n > 0 && n < 5000);
	timed("send to a slow peer", 0, 0, &t.f, 10000000);
	check_row("closing in the middle of our frame ends the connection");
	CHECK_EQ_U(ws_close(t.ws, 1000, NULL) == 0, 0);
	CHECK_EQ_U(ws_report(t.ws)->err, WS_ECLOSED);
	talk_end(&t);

	check_row("with a ws_send unfinished, ws_recv does not wait for a message where the peer "
	          "would take more");
	talk_begin(&t, "", 0);
	talk_open(&t);
	t.f.room = 20000;
	t.f.drain = 0;
	ws_timeout(t.ws, 1000);
	n = ws_send(t.ws, WS_BINARY, data, sizeof data);
	CHECK(n > 0);
	ws_timeout(t.ws, 10000);
	t.f.drain = 4096;
	t.f.drain_us = 5000;
	r = ws_recv(t.ws, &msg);
	CHECK_EQ_U(r, WS_AGAIN);
	CHECK(t.f.now < 3000000);
	talk_end(&t);

	check_row("control frames find room after a frame that is partly written");
	talk_begin(&t, "", 0);
	t.o.nonblock = 1;
	t.o.send_buffer = 256;
	talk_open(&t);
	t.f.room = 100;
	t.f.drain = 0;
	CHECK_EQ_U(ws_send(t.ws, WS_BINARY, data, 240), 240);
	CHECK_EQ_U(ws_ping(t.ws, data, 90), 0);
	CHECK_EQ_U(ws_ping(t.ws, data, 90), WS_AGAIN);
	CHECK_EQ_S(ws_errmsg(t.ws), ""); /* with nonblock that is no news */
	CHECK_EQ_U(ws_send(t.ws, WS_BINARY, data, 3), WS_AGAIN);
	t.f.room = SIZE_MAX;
	CHECK_EQ_U(ws_ping(t.ws, data, 91), 0);
	SENT(&t, 0x82, data, 240);
	SENT(&t, 0x89, data, 90);
	SENT(&t, 0x89, data, 91);
	SENT_ALL(&t);
	talk_end(&t);

	check_row("the transport cannot wait, and the sentence says so");
	for (r = 0; r < 3; r++) {
		talk_begin(&t, r == 2 ? "\xc1\x00" : "", r == 2 ? 2 : 0);
		talk_open(&t);
		if (r == 2)
			CHECK_EQ_U(ws_recv(t.ws, &msg), WS_EPROTOCOL);
		t.f.room = 0;
		t.f.drain = 0;
		t.f.io_fail = WS_IO_ERROR;
		t.f.io_fail_at =
		    t.f.ios + (r == 0 ? 3 : 2); /* after one write and a look, or one read */
		if (r == 0)
			CHECK(ws_send(t.ws, WS_BINARY, data, 10000) < 10000
			      && ws_report(t.ws)->err == WS_EIO);
		else if (r == 1)
			CHECK_EQ_U(ws_recv(t.ws, &msg), WS_EIO);
		else
			CHECK_EQ_U(ws_close(t.ws, 1000, NULL), WS_EPROTOCOL);
		talk_end(&t);
	}

	/* a peer that is gone, which a ping or a pong finds out; what it sent before is still
	 * received */
	for (r = 0; r < 4; r++) {
		talk_begin(&t, "\x89\x01p\x81\x02hi\x88\x02\x0f\xa0", r & 2 ? 11 : 3);
		t.o.nonblock = r & 1;
		t.f.split = 0;
		talk_open(&t);
		t.f.deaf_after = 1;
		CHECK_EQ_U(ws_ping(t.ws, "p", 1),
		           0); /* taken, because the end of the peer is not known yet */
		CHECK_EQ_U(ws_ping(t.ws, "p", 1), WS_AGAIN);
		if (r & 2) {
			CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
			CHECK_EQ_MEM(msg.data, msg.len, "hi", 2);
			CHECK_EQ_U(ws_recv(t.ws, &msg), WS_ECLOSED);
			CHECK_EQ_U(ws_report(t.ws)->close_code, 4000);
		} else {
			CHECK_EQ_U(ws_recv(t.ws, &msg), WS_ERESET);
			CHECK_EQ_U(ws_report(t.ws)->close_code, 1006);
		}
		talk_end(&t);
	}

	check_row("the same, met by a program that sends and receives by turns: it gets all that "
	          "was said before");
	for (r = 0; r < 2; r++) {
		int k;

		talk_begin(&t,
		           "\x82\x01"
		           "0\x82\x01"
		           "1\x82\x01"
		           "2\x82\x01"
		           "3\x82\x01"
		           "4\x88\x02\x0f\xa0",
		           19);
		t.o.nonblock = r;
		t.f.split = 0;
		talk_open(&t);
		t.f.deaf_after = 1;
		for (k = 0; k < 5; k++) {
			CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "x", 1), WS_AGAIN);
			CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
			CHECK(msg.len == 1 && ((const char *)msg.data)[0] == '0' + k);
		}
		CHECK(ws_send(t.ws, WS_TEXT, "x", 1) == WS_AGAIN);
		CHECK_EQ_U(ws_recv(t.ws, &msg), WS_ECLOSED);
		CHECK_EQ_U(ws_report(t.ws)->close_code, 4000);
		talk_end(&t);
	}

	check_row("a dead peer: a program that only sends gets an error by the deadline");
	for (r = 0; r < 2; r++) {
		int k;

		talk_begin(&t, "", 0);
		t.o.nonblock = r;
		talk_open(&t);
		t.f.deaf_after = 1;
		for (k = 0, sent = 0; k < 1000; k++) {
			n = ws_send(t.ws, WS_BINARY, data, sizeof data - sent);
			if (n < 0 && n != WS_AGAIN)
				break;
			sent += n > 0 ? (size_t)n : 0;
			t.f.now += 20000; /* the time that looking costs a program */
		}
		CHECK_EQ_U(n, WS_ERESET);
		CHECK_EQ_U(ws_recv(t.ws, &msg), WS_ERESET);
		talk_end(&t);
	}

	check_row("the same in the middle of a character: losing the rest of a frame does not make "
	          "the text invalid");
	for (r = 0; r < 4; r++) {
		static char text[3000];
		size_t k;

		for (k = 0; k < sizeof text; k += 3)
			memcpy(text + k, "\xe2\x82\xac", 3);
		talk_begin(&t, "\x82\x01x", r & 2 ? 3 : 0);
		t.o.nonblock = r & 1;
		t.o.send_buffer = 256;
		talk_open(&t);
		t.f.room = 100;
		t.f.drain = 0;
		ws_timeout(t.ws, 1000);
		n = ws_send(t.ws, WS_TEXT, text, sizeof text);
		CHECK(n > 0 && n % 3 != 0 && n < 1000);
		sent = (size_t)n;
		ws_timeout(t.ws, 1000);
		t.f.deaf_after = t.f.out_len;
		t.f.room = t.f.drain = SIZE_MAX;
		if (r & 2)
			REPEAT(n, &t.f, t.ws, 1, ws_recv(t.ws, &msg));
		for (k = 0; k < 3; k++) {
			n = ws_send(t.ws, WS_TEXT, text + sent, sizeof text - sent);
			if (n != WS_AGAIN)
				break;
		}
		CHECK_EQ_U(n, WS_ERESET);
		talk_end(&t);
	}

	check_row("no ping can begin within our frame: the error comes at once, also from a call "
	          "that may wait");
	talk_begin(&t, "", 0);
	talk_open(&t);
	t.f.room = 20000;
	t.f.drain = 0;
	ws_timeout(t.ws, 1000);
	n = ws_send(t.ws, WS_BINARY, data, sizeof data);
	CHECK(n > 0 && t.f.now == 2000000);
	ws_timeout(t.ws, 10000);
	CHECK_EQ_U(ws_ping(t.ws, "p", 1), WS_AGAIN);
	CHECK_EQ_U(t.f.now, 2000000);
	talk_end(&t);

	check_row("ws_ping and ws_close keep the deadline, too");
	for (r = 0; r < 2; r++) {
		talk_begin(&t, "", 0);
		talk_open(&t);
		t.f.room = 0;
		t.f.drain = 0;
		n = ws_send(t.ws, WS_BINARY, data, 4080);
		timed("send", 0, 0, &t.f, 10000000);
		CHECK_EQ_U(n, 4080);
		ws_timeout(t.ws, 500);
		CHECK_EQ_U(r ? ws_ping(t.ws, "a", 1) : ws_close(t.ws, 1000, NULL), WS_ETIMEOUT);
		timed("ping or close", 0, 0, &t.f, 10500000);
		talk_end(&t);
	}
}

/* What does not fit into the send buffer is left to the next call, even a single byte. */
static void test_rest_of_a_message(void)
{
	enum { BUFFER = 256, HEAD = 8, FITS = BUFFER - HEAD };
	static const char data[] = SIXTY SIXTY SIXTY SIXTY SIXTY;
	struct talk t;
	struct ws_msg msg;
	size_t rest;

	for (rest = 0; rest < 6; rest++) {
		check_row("%lu bytes", (unsigned long)rest);
		talk_begin(&t, "", 0);
		t.o.nonblock = 1;
		t.o.send_buffer = BUFFER;
		talk_open(&t);
		t.f.room = 0;
		CHECK_EQ_U(ws_send(t.ws, WS_BINARY, data, FITS + rest), FITS);
		CHECK_EQ_U(ws_send(t.ws, WS_BINARY, data + FITS, rest), WS_AGAIN);
		t.f.room = SIZE_MAX;
		if (rest > 0)
			CHECK_EQ_U(ws_send(t.ws, WS_BINARY, data + FITS, rest), rest);
		CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
		SENT(&t, 0x82, data, FITS + rest);
		SENT_ALL(&t);
		talk_end(&t);
	}
	check_row_end();
}

/* A transport that takes little at a time must not make us move the whole rest each time: that
 * would be quadratic */
struct piecemeal {
	struct fake f; /* comes first, because io points to it */
	const char *next;
	unsigned long moved;
};

static ptrdiff_t piecemeal_write(void *io, const void *buf, size_t len)
{
	struct piecemeal *p = io;
	ptrdiff_t n = fake_write(io, buf, len);

	p->moved += buf != p->next;
	p->next = (const char *)buf + (n > 0 ? n : 0);
	return n;
}

static void test_message_in_pieces(void)
{
	static struct piecemeal p;
	static char data[60000];
	struct ws_options o;
	struct ws_io io;
	struct ws_conn *ws;

	fake_init(&p.f, FAKE_101, HEAD_LEN);
	fake_options(&p.f, &o, &io);
	io.io_write = piecemeal_write;
	o.send_buffer = 65536;
	p.f.write_max = 16;
	ws = ws_new(URL, &o);
	CHECK_EQ_U(ws_open(ws), 0);
	CHECK_EQ_U(p.moved, 1);
	CHECK_EQ_U(ws_send(ws, WS_BINARY, data, sizeof data), sizeof data);
	CHECK_EQ_U(p.moved, 2);
	ws_free(ws);
	check_clean(&p.f);
	fake_free(&p.f);
}

/* A connection that has refused a message, since the peer takes nothing, and has since received two. Now the
 * peer takes all. */
static void talk_refused(struct talk *t, const char big[4096])
{
	struct ws_msg msg;

	talk_begin(t, "", 0);
	talk_open(t);
	t->f.room = t->f.drain = 0;
	t->f.step = 3;
	talk_more(t, "\x82\x01x\x82\x01y", 6);
	CHECK_EQ_U(ws_send(t->ws, WS_BINARY, big, 4096 - 16), 4096 - 16);
	CHECK_EQ_U(ws_send(t->ws, WS_BINARY, "a", 1), WS_AGAIN);
	CHECK_EQ_U(ws_recv(t->ws, &msg), 0);
	CHECK_EQ_U(ws_recv(t->ws, &msg), 0);
	t->f.room = SIZE_MAX;
}

/* With WS_HOLD small messages share one write, none is lost, and a call that must write does so */
static void test_held_messages(void)
{
	struct talk t;
	struct ws_msg msg;
	unsigned long before;
	char big[5000];
	int i;

	memset(big, 'x', sizeof big);
	check_row("nothing is written until the message without the flag");
	talk_begin(&t, "", 0);
	talk_open(&t);
	before = t.f.writes;
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT | WS_HOLD, "a", 1), 1);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT | WS_HOLD, "", 0), 0);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT | WS_HOLD | WS_MORE, "b", 1), 1);
	CHECK_EQ_U(t.f.writes, before);
	CHECK_EQ_U(ws_unsent(t.ws), 3 * 6 + 2);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "c", 1), 1);
	CHECK_EQ_U(t.f.writes, before + 1);
	CHECK_EQ_U(ws_unsent(t.ws), 0);
	SENT(&t, 0x81, "a", 1);
	SENT(&t, 0x81, "", 0);
	SENT(&t, 0x01, "b", 1);
	SENT(&t, 0x80, "c", 1);
	SENT_ALL(&t);
	talk_end(&t);

	check_row("a ping, a close, and a ws_recv that waits write what is held");
	for (i = 0; i < 3; i++) {
		talk_begin(&t, "", 0);
		talk_open(&t);
		CHECK_EQ_U(ws_send(t.ws, WS_BINARY | WS_HOLD, "a", 1), 1);
		if (i == 0) {
			CHECK_EQ_U(ws_ping(t.ws, "p", 1), 0);
		} else if (i == 1) {
			talk_more(&t, "\x88\x00", 2);
			CHECK_EQ_U(ws_close(t.ws, 1000, NULL), 0);
		} else {
			talk_more(&t, "\x82\x00", 2);
			CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
		}
		SENT(&t, 0x82, "a", 1);
		if (i == 0)
			SENT(&t, 0x89, "p", 1);
		if (i == 1)
			SENT(&t, 0x88, "\x03\xe8", 2);
		SENT_ALL(&t);
		talk_end(&t);
	}

	check_row("messages that fill the buffer, whose longest header has 14 bytes, and one more");
	talk_begin(&t, "", 0);
	talk_open(&t);
	before = t.f.writes;
	CHECK_EQ_U(ws_send(t.ws, WS_BINARY | WS_HOLD, big, 4096 - 8 - 14 - 5), 4096 - 8 - 14 - 5);
	CHECK_EQ_U(ws_send(t.ws, WS_BINARY | WS_HOLD, "12345", 5), 5);
	CHECK_EQ_U(t.f.writes, before);
	CHECK_EQ_U(ws_send(t.ws, WS_BINARY | WS_HOLD, "", 0), 0);
	CHECK_EQ_U(t.f.writes, before + 1);
	talk_end(&t);

	check_row(
	    "a message that is held ends the refusal of the one before, so ws_recv waits again");
	talk_refused(&t, big);
	CHECK_EQ_U(ws_send(t.ws, WS_BINARY | WS_HOLD, "b", 1), 1);
	talk_more(&t, "\x82\x01z", 3);
	CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
	CHECK_EQ_MEM(msg.data, msg.len, "z", 1);
	SENT(&t, 0x82, big, 4096 - 16);
	SENT(&t, 0x82, "b", 1);
	SENT_ALL(&t);
	talk_end(&t);

	check_row("after a refusal ws_recv returns once, and then waits");
	talk_refused(&t, big);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
	CHECK(strstr(ws_errmsg(t.ws), "the peer takes more now: call ws_send") != NULL);
	talk_more(&t, "\x82\x01z", 3);
	CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
	talk_end(&t);

	check_row("a message that does not fit is sent in the usual way, after the held ones");
	talk_begin(&t, "", 0);
	talk_open(&t);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT | WS_HOLD, "a", 1), 1);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT | WS_HOLD, big, sizeof big), sizeof big);
	CHECK_EQ_U(ws_unsent(t.ws), 0);
	for (i = 0; i < 1000; i++)
		CHECK_EQ_U(ws_send(t.ws, WS_TEXT | WS_HOLD, "12345678", 8), 8);
	CHECK(t.f.writes < 10);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "z", 1), 1);
	SENT(&t, 0x81, "a", 1);
	SENT(&t, 0x81, big, sizeof big);
	for (i = 0; i < 1000; i++)
		SENT(&t, 0x81, "12345678", 8);
	SENT(&t, 0x81, "z", 1);
	SENT_ALL(&t);
	talk_end(&t);
}

/* ws_unsent counts only the program's frames, even after the connection has broken */
static void test_unsent(void)
{
	struct talk t;
	struct ws_msg msg;

	check_row("the peer takes 10 bytes of two messages of 6 and 9 bytes, then goes");
	talk_begin(&t, "", 0);
	t.o.nonblock = 1;
	talk_open(&t);
	t.f.room = 10;
	t.f.drain = 0;
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT | WS_HOLD, "", 0), 0);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT, "abc", 3), 3);
	CHECK_EQ_U(ws_unsent(t.ws), 5);
	t.f.end = WS_IO_EOF;
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_ECLOSED);
	CHECK_EQ_U(ws_unsent(t.ws), 5);
	talk_end(&t);

	check_row("a pong that waits to be written does not count");
	talk_begin(&t, "\x89\x01p", 3);
	t.o.nonblock = 1;
	talk_open(&t);
	t.f.room = 2;
	t.f.drain = 0;
	fake_poll(&t.f, t.ws);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
	CHECK_EQ_U(t.f.room, 0);
	CHECK_EQ_U(ws_unsent(t.ws), 0);
	CHECK_EQ_U(ws_send(t.ws, WS_TEXT | WS_HOLD, "abc", 3), 3);
	CHECK_EQ_U(ws_unsent(t.ws), 9);
	t.f.room = SIZE_MAX;
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_AGAIN);
	CHECK_EQ_U(ws_unsent(t.ws), 0);
	SENT(&t, 0x8a, "p", 1);
	SENT(&t, 0x81, "abc", 3);
	SENT_ALL(&t);
	talk_end(&t);
}

/* The peer's end of file is a reset if it has not taken what we sent. What it sent before still
 * arrives. */
static void test_end_of_file_after_a_failed_write(void)
{
	struct talk t;
	struct ws_msg msg;

	talk_begin(&t, "\x81\x01x", 3);
	t.f.end = WS_IO_EOF;
	t.f.split = 0;
	talk_open(&t);
	t.f.deaf_after = t.f.out_len;
	ws_send(t.ws, WS_TEXT, "Hello", 5);
	CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
	CHECK_EQ_U(ws_recv(t.ws, &msg), WS_ERESET);
	CHECK_EQ_U(ws_report(t.ws)->close_code, 1006);
	CHECK_EQ_U(wants(&t).n, 0); /* nothing waits to be written */
	talk_end(&t);
}

int main(void)
{
	TEST(test_end_of_file_after_a_failed_write);
	TEST(test_held_messages);
	TEST(test_unsent);
	TEST(test_short_writes);
	TEST(test_what_is_sent_arrives);
	TEST(test_received_bytes_can_be_sent);
	TEST(test_send_keeps_its_deadline);
	TEST(test_rest_of_a_message);
	TEST(test_message_in_pieces);
	return check_done();
}
