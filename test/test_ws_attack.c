/* SPDX-License-Identifier: ISC
 * test_ws_attack.c - faults that other WebSocket clients had: a crafted frame that makes the client
 * loop, and memory that is used after it was freed at the upgrade. test/README.md has the list of
 * all such faults and their tests.
 */
#include "talk.h"

/* A frame that makes the client loop forever (curl): any first two bytes, any length, whether the
 * peer reads or not. The cost is counted in calls of the transport: a few, and at most three for
 * each frame (a ping is answered). */
#define CALLS_MAX(frames) (20 + 3 * (frames))

static void loop_try(const unsigned char *bytes, size_t len, size_t frames, int deaf, int nonblock)
{
	struct talk t;
	struct ws_msg msg;
	unsigned long before;
	int r = 0;

	talk_begin(&t, bytes, len);
	t.o.nonblock = nonblock;
	t.o.timeout_ms = 50;
	t.o.send_buffer = 256;
	t.f.end = WS_IO_EOF;
	talk_open(&t);
	if (deaf)
		t.f.room = t.f.drain = 0;
	before = t.f.ios;
	while ((r == 0 || r == WS_AGAIN) && t.f.ios <= before + CALLS_MAX(frames)) {
		r = ws_recv(t.ws, &msg);
		if (r == WS_AGAIN)
			fake_poll(&t.f, t.ws);
	}
	CHECK(r < 0 && r != WS_AGAIN); /* it ends, at the latest when the stream does */
	REPEAT(r, &t.f, t.ws, nonblock, ws_close(t.ws, 1000, NULL));
	CHECK(t.f.ios <= before + CALLS_MAX(frames));
	talk_end(&t);
}

static void test_frame_that_loops(void)
{
	static const unsigned char seconds[] = {0, 1, 2, 125, 126, 127, 128, 129, 253, 254, 255},
	                           tails[] = {0, 1, 0xff};
	unsigned char bytes[600];
	unsigned b0;
	size_t i, k, n, frames;
	int how;

	for (b0 = 0; b0 < 256; b0 += (unsigned)check_step(7)) {
		check_row("first byte 0x%02x", b0);
		for (i = 0; i < sizeof seconds; i++) {
			for (k = 0; k < sizeof tails; k++) {
				memset(bytes, tails[k], sizeof bytes);
				/* the same frame again and again, unless its payload contains the
				 * next one */
				for (n = frames = 0; n + 2 <= sizeof bytes;
				     n += 2 + (seconds[i] & 0x7f), frames++) {
					bytes[n] = (unsigned char)b0;
					bytes[n + 1] = seconds[i];
				}
				for (how = 0; how < 4; how++)
					loop_try(bytes, sizeof bytes, frames, how & 1, how >> 1);
			}
		}
	}
}

/* A string in its own block, which the caller frees */
static char *own(const char *s)
{
	char *p = malloc(strlen(s) + 1);

	if (!p)
		abort();
	return strcpy(p, s);
}

static void destroy(char *s)
{
	memset(s, 0x5a, strlen(s));
	free(s);
}

/* Use after free at the upgrade (libwebsockets): the URL and the options are freed after ws_open,
 * and so are the buffers of the opening (fake_alloc overwrites what it frees), while frames arrived
 * in the same read as the response */
static void upgrade_try(size_t split, int nonblock)
{
	static const char head[] = FAKE_101_OF("Sec-WebSocket-Protocol: chat\r\nServer: a\r\n");
	char *url = own(URL),
	     *s[8] = {own("chat"),      own("X-One: 1"), own("a=b"),         own("joe:pass"),
	              own("http://o/"), own("agent"),    own("example.org"), own("superchat")};
	const char **lists = malloc(5 * sizeof *lists);
	struct ws_options *o = malloc(sizeof *o);
	const struct ws_report *info;
	struct script script = {NULL, 0, 0};
	struct ws_msg msg;
	struct ws_io io;
	struct fake f;
	struct ws_conn *ws;
	size_t i;
	int r;

	if (!o || !lists)
		abort();
	script_str(&script, head);
	script_frame(&script, 0x89, "p", 1);
	script_frame(&script, 0x81, "hello", 5);
	script_frame(&script, 0x88,
	             "\x03\xe8"
	             "bye",
	             5);
	fake_init(&f, script.p, script.len);
	fake_options(&f, o, &io);
	f.split = split;
	o->nonblock = nonblock;
	lists[0] = s[7];
	lists[1] = s[0];
	lists[2] = lists[4] = NULL;
	lists[3] = s[1];
	o->subprotocols = lists;
	o->headers = lists + 3;
	o->cookie = s[2];
	o->user = s[3];
	o->origin = s[4];
	o->user_agent = s[5];
	o->host = s[6];
	ws = ws_new(url, o);
	destroy(url); /* ws_new has copied it */
	REPEAT(r, &f, ws, nonblock, ws_open(ws));
	CHECK_EQ_S(ws_errmsg(ws), "");
	for (i = 0; i < 8; i++)
		destroy(s[i]);
	memset(lists, 0x5a, 5 * sizeof *lists);
	memset(o, 0x5a, sizeof *o);
	free(lists);
	free(o);

	info = ws_report(ws);
	CHECK_EQ_MEM(info->head, info->head_len, head, sizeof head - 1);
	CHECK_EQ_S(info->subprotocol, "chat");
	CHECK_EQ_S(info->url, URL);
	REPEAT(r, &f, ws, nonblock, ws_recv(ws, &msg));
	if (CHECK(r == 0))
		CHECK_EQ_MEM(msg.data, msg.len, "hello", 5);
	CHECK(ws_send(ws, WS_TEXT, "x", 1) == 1);
	REPEAT(r, &f, ws, nonblock, ws_recv(ws, &msg));
	CHECK(r == WS_ECLOSED);
	CHECK_EQ_S(info->close_reason, "bye");
	CHECK_EQ_S(info->subprotocol, "chat");
	CHECK_EQ_S(info->url, URL);
	CHECK(ws_errmsg(ws)[0] != '\0');
	REPEAT(r, &f, ws, nonblock, ws_close(ws, 1000, NULL));
	ws_free(ws);
	check_clean(&f);
	fake_free(&f);
	script_free(&script);
}

static void test_use_after_free_at_the_upgrade(void)
{
	size_t split;

	for (split = 1; split < HEAD_LEN + 80; split++) {
		check_row("the first %u bytes, then the others", (unsigned)split);
		upgrade_try(split, 0);
		upgrade_try(split, 1);
	}
}

int main(void)
{
	TEST(test_frame_that_loops);
	TEST(test_use_after_free_at_the_upgrade);
	return check_done();
}
