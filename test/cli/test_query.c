/* SPDX-License-Identifier: ISC
 * test_query.c - what a query answers, by the state in which it ends
 *
 * A row is a command line and what the server sends. The peer is a script (fake.h), so states that
 * a real peer reaches only by chance are reached every time. Every row runs twice: all
 * bytes at once, and byte by byte.
 */
#include "../fake.h"
#include "../../cli/wsquery.h"
#include "../check.h"

static struct wq_options o;
static max_align_t arena[4000];
static char big[200000]; /* more than any buffer of ours */

/* The options, separated by single spaces */
static int parse(const char *line)
{
	static char buf[1000], name[] = "wsquery", url[] = "ws://h/";
	char *argv[100] = {name, NULL}, *p;
	int argc = 1;

	wq_memory_init(arena, sizeof arena / sizeof arena[0]);
	snprintf(buf, sizeof buf, "%s", line);
	for (p = strtok(buf, " "); p && argc < 98; p = strtok(NULL, " "))
		argv[argc++] = p;
	argv[argc++] = url;
	argv[argc] = NULL;
	return wq_options_parse(&o, argc, argv);
}

/* Messages separated by '|'; one that begins with '#' is binary, with '~' comes in two fragments;
 * "" is none */
static void script_says(struct script *s, const char *says)
{
	while (*says) {
		size_t len = strcspn(says, "|");

		if (*says == '#') {
			script_frame(s, 0x82, says + 1, len - 1);
		} else if (*says == '~') {
			script_frame(s, 0x01, says + 1, 1);
			script_frame(s, 0x80, says + 2, len - 2);
		} else {
			script_frame(s, 0x81, says, len);
		}
		says += len + (says[len] == '|');
	}
}

/* "null", "one message", "[two|messages]" */
static void data_of(const struct wq_query *q, char *out, size_t size)
{
	struct wq_walk walk = {0, 0};
	struct wsi_text t;
	struct ws_msg m;
	size_t n = 0;

	wsi_text_init(&t, out, size);
	if (q->array)
		wsi_put(&t, "[");
	for (; wq_query_data(q, &walk, &m); n++) {
		if (n > 0)
			wsi_put(&t, "|");
		if (m.type == WS_BINARY)
			wsi_put(&t, "#");
		wsi_put_n(&t, m.data, m.len);
	}
	if (q->array)
		wsi_put(&t, "]");
	else if (n == 0)
		wsi_put(&t, "null");
}

enum peer {
	READS,    /* and stays silent after its messages */
	DEAF,     /* reads nothing after the upgrade */
	ENDS,     /* its messages, then the end of the stream */
	DEAF_ENDS /* both */
};

static const struct row {
	const char *name, *line, *says;
	enum peer peer;
	int send_big; /* 1: the first step sends more than any buffer holds */
	const char *phase, *reason, *data;
} rows[] = {
    /* --fail-on, in every state that receives messages */
    {"fail-on, ping", "-p --fail-on bad", "x|bad", READS, 0, "ping", "unmatched", "bad"},
    {"fail-on, ping, array", "-p -n 3 --fail-on bad", "x|bad", READS, 0, "ping", "unmatched",
     "[x|bad]"},
    {"fail-on, send", "-d x --fail-on bad", "x|bad", DEAF, 1, "send", "unmatched", "bad"},
    {"fail-on, send, array", "-d x -n 2 --fail-on bad", "x|bad", DEAF, 1, "send", "unmatched",
     "[x|bad]"},
    {"fail-on, first expect", "-e a -e b --fail-on bad", "x|bad|a|b", READS, 0, "receive",
     "unmatched", "bad"},
    {"fail-on, second expect", "-e a -e b --fail-on bad", "x|a|bad|b", READS, 0, "receive",
     "unmatched", "bad"},
    {"fail-on, expect after a send", "-d q -e b --fail-on bad", "x|bad|b", READS, 0, "receive",
     "unmatched", "bad"},
    {"fail-on, expect before an array", "-e a -d q -n 3 --fail-on bad", "x|bad", READS, 0,
     "receive", "unmatched", "[bad]"},
    {"fail-on, kept by a send", "-d x -e a --fail-on bad", "x|y|bad|a", DEAF, 1, "send",
     "unmatched", "bad"},
    {"fail-on, collect one", "--fail-on bad", "bad|x", READS, 0, "receive", "unmatched", "bad"},
    {"fail-on, collect three", "-n 3 --fail-on bad", "x|bad|y", READS, 0, "receive", "unmatched",
     "[x|bad]"},
    {"fail-on, flush", "-d x -n 0 --fail-on bad", "x|bad", DEAF, 0, "send", "unmatched", "bad"},
    {"fail-on, flush after an expect", "-e a -d x -n 0 --fail-on bad", "a|bad", DEAF, 0, "send",
     "unmatched", "bad"},
    {"fail-on before -e for the same message", "-e bad --fail-on bad", "bad", READS, 0, "receive",
     "unmatched", "bad"},
    {"fail-on, the first of two", "--fail-on bad --fail-on worse -e z", "x|bad", READS, 0,
     "receive", "unmatched", "bad"},
    {"fail-on, the second of two", "--fail-on bad --fail-on worse -e z", "x|worse", READS, 0,
     "receive", "unmatched", "worse"},
    {"fail-on, binary", "--fail-on ^bad$ -e z", "#xbad|#bad", READS, 0, "receive", "unmatched",
     "#bad"},
    {"fail-on, fragments", "--fail-on ^bad$ -e z", "~xy|~bad", READS, 0, "receive", "unmatched",
     "bad"},
    {"fail-on, not matched", "--fail-on bad -e z", "x|z|bad", READS, 0, "done", "ok", "z"},
    {"fail-on, collected before", "--fail-on bad -n 2", "x|y|bad", READS, 0, "done", "ok", "[x|y]"},
    /* an unmatched -e, in any place */
    {"expect, the only one", "-e z", "x|y", ENDS, 0, "receive", "closed", "y"},
    {"expect, nothing came", "-e z", "", ENDS, 0, "receive", "closed", "null"},
    {"expect, the first", "-e z -d q", "x|y", ENDS, 0, "receive", "closed", "y"},
    {"expect, the second", "-e a -d q -e z -d r", "x|a|y", ENDS, 0, "receive", "closed", "y"},
    {"expect, nothing since the last match", "-e a -d q -e z", "x|a", ENDS, 0, "receive", "closed",
     "null"},
    {"expect, binary", "-e z -d q", "x|#y", ENDS, 0, "receive", "closed", "#y"},
    {"expect, before an array", "-e z -d q -n 3", "x|y", ENDS, 0, "receive", "closed", "[y]"},
    {"expect, matched", "-e a -d q -e b", "x|a|y|b|c", READS, 0, "done", "ok", "b"},
    /* other ends in the middle of a dialogue */
    {"collect after an expect", "-e a -d q", "x|a", ENDS, 0, "receive", "closed", "null"},
    {"collect, array", "-n 3", "x|#y", ENDS, 0, "receive", "closed", "[x|#y]"},
    {"ping, nothing came", "-p", "", ENDS, 0, "ping", "closed", "null"},
    {"ping", "-p", "x|y", ENDS, 0, "ping", "closed", "y"},
    {"ping, array", "-p -n 3", "x|y", ENDS, 0, "ping", "closed", "[x|y]"},
    {"pings, nothing came", "-p --every 1ms -n 3 -t 0", "", ENDS, 0, "ping", "closed", "null"},
    {"pings", "-p --every 1ms -n 3 -t 0", "x|y", ENDS, 0, "ping", "closed", "y"},
    {"pings, nobody reads them", "-p --every 1ms -n 3 -t 0", "x|y", DEAF_ENDS, 0, "ping", "closed",
     "y"},
    {"fail-on, pings", "-p --every 1h -n 3 -t 0 --fail-on bad", "x|bad|y", READS, 0, "ping",
     "unmatched", "bad"},
    {"send", "-d x -e z", "x|y", DEAF_ENDS, 1, "send", "closed", "y"},
    {"send, array", "-d x -n 2", "x|y", DEAF_ENDS, 1, "send", "closed", "[x|y]"},
    {"flush", "-d x -n 0", "x|y", DEAF_ENDS, 0, "send", "closed", "y"},
};

/* Steps q until it is answered or closed. Returns 0, or -1 if it waits for something that never
 * comes. */
static int run(struct wq_query *q, struct fake *f)
{
	while (!wq_query_step(q)) {
		if (f->hung)
			return -1;
		fake_poll(f, q->ws);
	}
	return 0;
}

/* Begins a query whose peer is f. */
static void begin(struct wq_query *q, struct fake *f, struct ws_io *io)
{
	fake_options(f, &o.lib, io);
	o.lib.io_is_plain = 1; /* the environment may set options of TLS */
	o.lib.nonblock = 1;
	o.lib.max_message = 1000;
	f->split = strlen(FAKE_101);
	wq_memory_init(arena, 0); /* blocks of malloc, so that a sanitizer watches them */
	wq_query_begin(q, &o, o.urls[0], 1, (int64_t)1000 * 1000000);
}

static void try_row(const struct row *row, size_t step)
{
	struct script s = {NULL, 0, 0};
	char data[100], again[100];
	struct wq_query q;
	struct ws_io io;
	struct fake f;

	if (!CHECK(parse(row->line) == 0))
		return;
	if (row->send_big) {
		o.steps[0].p = big;
		o.steps[0].len = sizeof big;
	}
	script_str(&s, FAKE_101);
	script_says(&s, row->says);
	fake_init(&f, s.p, s.len);
	f.step = step;
	f.end = row->peer == ENDS || row->peer == DEAF_ENDS ? WS_IO_EOF : 0;
	begin(&q, &f, &io);
	wq_query_step(&q); /* the request is written, and its answer has not arrived */
	if (row->peer == DEAF || row->peer == DEAF_ENDS)
		f.room = f.drain = 0;

	CHECK_EQ_U(run(&q, &f), 0);
	data_of(&q, data, sizeof data);
	CHECK_EQ_S(data, row->data);
	CHECK_EQ_S(q.phase, row->phase);
	CHECK_EQ_S(wq_reason(q.err), row->reason);
	CHECK_EQ_U(wq_query_status(&q), strcmp(row->reason, "ok") == 0 ? 0 : 3);
	if (q.err == WQ_EUNMATCHED)
		CHECK(strstr(q.error, "--fail-on \"") != NULL);
	if (q.error) { /* such an answer may be printed after the connection of its try is closed */
		ws_timeout(q.ws, 0);
		wq_query_close(&q, WQ_NEVER);
		wq_query_step(&q);
		data_of(&q, again, sizeof again);
		CHECK_EQ_S(again, row->data);
	}
	CHECK(!f.wrong);
	wq_query_end(&q);
	fake_free(&f);
	script_free(&s);
}

static void test_ends(void)
{
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		check_row("%s", rows[i].name);
		try_row(&rows[i], 0);
		try_row(&rows[i], 1);
	}
}

/* A ping that the peer does not take is tried again only when it can be written. */
static void test_blocked_pings(void)
{
	struct pollfd p[WS_FDS_MAX];
	struct script s = {NULL, 0, 0};
	struct wq_query q;
	struct ws_io io;
	struct fake f;
	int64_t until_us;
	unsigned n;
	int i;

	CHECK_EQ_U(parse("-p --every 1ms -n 10000 -t 0"), 0);
	script_str(&s, FAKE_101);
	fake_init(&f, s.p, s.len);
	begin(&q, &f, &io);
	wq_query_step(&q); /* the request is written */
	f.room = f.drain = 0;
	while (!q.pings.blocked && wq_query_step(&q) == 0) {
		until_us = wq_query_wants(&q, p, &n);
		if (q.state < WQ_PINGS)
			fake_poll(&f, q.ws);
		else if (!q.pings.blocked)
			wq_wait(p, 0, until_us, false);
	}
	CHECK(q.pings.blocked && q.pings.sent > 0 && q.pings.sent < 10000);
	for (i = 0; i < 3; i++) {
		CHECK_EQ_U(wq_query_step(&q), 0);
		CHECK(wq_query_wants(&q, p, &n) > wq_now_us() + 100000000);
		CHECK(n > 0 && p[0].events & POLLOUT);
	}
	wq_query_end(&q);
	fake_free(&f);
	script_free(&s);
}

int main(void)
{
	memset(big, 'x', sizeof big);
	TEST(test_ends);
	TEST(test_blocked_pings);
	return check_done();
}
