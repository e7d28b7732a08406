/* SPDX-License-Identifier: ISC
 * test_ws_query.c - Tests ws_query, the one-call query
 *
 * It uses the public interface of ws.h over the scripted transport of fake.h.
 */
#include "talk.h"

static void test_query_answers(void)
{
	static const struct {
		const char *what, *in;
		size_t len;
		int end, err, connected, type;
		const char *data;
		int64_t us;
	} cases[] = {
#define Q(what, in, end, err, connected, type, data, us)                                           \
	{what, in, sizeof in - 1, end, err, connected, type, data, us}
	    Q("text", FAKE_101 "\x81\x05Hello\x88\x02\x03\xe8", 0, 0, 1, WS_TEXT, "Hello", 0),
	    Q("binary", FAKE_101 "\x89\x00\x82\x02xy\x88\x02\x03\xe8", 0, 0, 1, WS_BINARY, "xy", 0),
	    Q("empty", FAKE_101 "\x81\x00", WS_IO_EOF, 0, 1, WS_TEXT, "", 0),
	    Q("fragments", FAKE_101 "\x01\x03Hel\x80\x02lo", WS_IO_EOF, 0, 1, WS_TEXT, "Hello", 0),
	    Q("a close that never comes", FAKE_101 "\x81\x05Hello", 0, 0, 1, WS_TEXT, "Hello",
	      1000000),
	    Q("silence", FAKE_101, 0, WS_ETIMEOUT, 1, 0, NULL, 10000000),
	    Q("closed", FAKE_101 "\x88\x02\x03\xe8", 0, WS_ECLOSED, 1, 0, NULL, 0),
	    Q("cut off", FAKE_101 "\x81\x05Hel", WS_IO_EOF, WS_ECLOSED, 1, 0, NULL, 0),
	    Q("reset", FAKE_101 "\x81\x05Hel", WS_IO_RESET, WS_ERESET, 1, 0, NULL, 0),
	    Q("a violation", FAKE_101 "\xc1\x05Hello", WS_IO_EOF, WS_EPROTOCOL, 1, 0, NULL, 0),
	    Q("a violation, then silence", FAKE_101 "\xc1\x05Hello", 0, WS_EPROTOCOL, 1, 0, NULL,
	      1000000),
	    Q("refused", "HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n", 0, WS_EHTTP, 0, 0, NULL, 0),
	    Q("no answer", "", 0, WS_ETIMEOUT, 0, 0, NULL, 10000000),
	};
	struct ws_answer a;
	struct talk t;
	size_t i;
	unsigned long n;
	int k;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s", cases[i].what);
		for (n = 0; n < 100; n++) { /* n: the number of the allocation that fails */
			talk_begin(&t, "", 0);
			t.f.in = (const unsigned char *)cases[i].in;
			t.f.in_len = cases[i].len;
			t.f.split = 0;
			t.f.end = cases[i].end;
			t.f.alloc_fail_at = n;
			/* ws_query blocks and receives whole messages even if these are set */
			t.o.nonblock = 1;
			t.o.stream = 1;
			memset(&a, 0xee, sizeof a);
			k = ws_query(URL, &t.o, WS_TEXT, "ask", 3, &a);
			if (n && t.f.failed_allocs == 0)
				n = 1000;
			if (!CHECK(k == a.err && (k == 0) == (a.error[0] == '\0') && !t.f.hung
			           && !t.f.wrong && (n == 1 || n == 2 || t.f.closes == 1)))
				fprintf(stderr,
				        "%s, allocation %lu: %d, %d \"%s\", closed %lu times\n",
				        cases[i].what, n, k, a.err, a.error, t.f.closes);
			if (k == 0)
				CHECK(a.data && a.data[a.len] == '\0');
			if (!CHECK(k == cases[i].err || (n && n < 1000 && k == WS_EMEMORY)))
				fprintf(stderr, "%s, allocation %lu: %d %s\n", cases[i].what, n, k,
				        a.error);
			if (n == 0) {
				CHECK_EQ_U(a.connected, cases[i].connected);
				CHECK_EQ_U(a.type, cases[i].type);
				CHECK(cases[i].data ? a.data && strcmp(a.data, cases[i].data) == 0
				                          && a.len == strlen(cases[i].data)
				                    : !a.data && a.len == 0);
				timed(cases[i].what, 0, 0, &t.f, cases[i].us);
			}
			if (k == 0 || (n == 0 && a.connected)) {
				t.at = fake_request_end(&t.f);
				SENT(&t, 0x81, "ask", 3);
			}
			ws_answer_free(&a, &t.o);
			CHECK(!a.data);
			ws_answer_free(&a, &t.o); /* freeing twice is allowed */
			CHECK(t.f.alive == 0 && t.f.blocks == 0);
			fake_free(&t.f);
			script_free(&t.s);
		}
	}
	check_row_end();
	/* no data: only receives; empty data: an empty message */
	for (k = 0; k < 2; k++) {
		talk_begin(&t, "\x81\x02hi", 4);
		t.f.end = WS_IO_EOF;
		CHECK_EQ_U(ws_query(URL, &t.o, WS_BINARY, k ? "" : NULL, 0, &a), 0);
		t.at = fake_request_end(&t.f);
		if (k)
			SENT(&t, 0x82, "", 0);
		SENT(&t, 0x88, "\x03\xe8", 2);
		SENT_ALL(&t);
		ws_answer_free(&a, &t.o);
		CHECK(t.f.alive == 0);
		fake_free(&t.f);
		script_free(&t.s);
	}
	/* errors have a sentence */
	talk_begin(&t, "", 0);
	CHECK_EQ_U(ws_query(URL, &t.o, 7, "x", 1, &a), WS_EUSAGE);
	CHECK(a.connected == 1 && a.error[0] && a.data == NULL);
	CHECK(t.f.alive == 0);
	fake_free(&t.f);
	script_free(&t.s);
	talk_begin(&t, "", 0);
	CHECK_EQ_U(ws_query(URL, &t.o, WS_TEXT, "\xff", 1, &a), WS_EUSAGE);
	CHECK(t.f.alive == 0);
	fake_free(&t.f);
	script_free(&t.s);
#ifndef WS_NO_NET
	CHECK_EQ_U(ws_query("ws://", NULL, WS_TEXT, "x", 1, &a), WS_EURL);
	CHECK(a.connected == 0 && a.error[0]);
	ws_answer_free(&a, NULL);
	CHECK_EQ_U(ws_query(NULL, NULL, WS_TEXT, "x", 1, &a), WS_EURL);
	ws_answer_free(&a, NULL);
#endif
	/* The server answers, and closes before everything is sent: the query still has its answer. */
	{
		static const char data[100000];

		talk_begin(&t, "\x81\x02hi\x81\x01x\x81\x01y\x88\x02\x03\xe8", 14);
		t.f.step = 3;
		t.f.gap_us = 40;
		t.f.room = 5000;
		t.f.drain = 1000;
		t.f.drain_us = 100;
		CHECK_EQ_U(ws_query(URL, &t.o, WS_BINARY, data, sizeof data, &a), 0);
		CHECK(a.data && strcmp(a.data, "hi") == 0);
		ws_answer_free(&a, &t.o);
		CHECK(t.f.alive == 0);
		fake_free(&t.f);
		script_free(&t.s);
	}
	/* A greeting arrives before everything is sent. The rest is still sent, and if that fails,
	 * so does the query. */
	for (k = 0; k < 2; k++) {
		static char data[100000];

		for (i = 0; i < sizeof data; i++)
			data[i] = (char)(i % 251);
		talk_begin(&t, "\x81\x02hi\x81\x01x\x81\x01y\x81\x01z", 13);
		t.f.step = 3; /* more arrives than is sent, so some calls of ws_send take nothing */
		t.f.gap_us = 40;
		t.f.room = 5000;
		t.f.drain = k ? 0 : 1000;
		t.f.drain_us = 100;
		k = ws_query(URL, &t.o, WS_BINARY, data, sizeof data, &a) == 0 ? k : k + 10;
		CHECK_EQ_U(k, k % 10 ? 11 : 0);
		if (k == 0) {
			t.at = fake_request_end(&t.f);
			SENT(&t, 0x82, data, sizeof data);
			CHECK(a.data && strcmp(a.data, "hi") == 0);
		} else {
			CHECK_EQ_U(a.err, WS_ETIMEOUT);
			CHECK(a.error[0]);
		}
		ws_answer_free(&a, &t.o);
		CHECK(t.f.alive == 0);
		fake_free(&t.f);
		script_free(&t.s);
	}
}

int main(void)
{
	TEST(test_query_answers);
	return check_done();
}
