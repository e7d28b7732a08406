/* SPDX-License-Identifier: ISC
 * steps.c - checks that the cost of input grows in proportion to its length; test-steps.sh builds
 * and runs it
 *
 * The library is compiled so that each basic block counts itself. Each case makes an input of n
 * bytes that would be costly for a quadratic parser, and runs it for n and for 2n: the second may
 * cost little more than twice the first. The test uses no clock.
 */
#include "../ws_proto.h"
#include "../ws.h"
#include "check.h"
#include "fake.h"

void __sanitizer_cov_trace_pc(void);

static unsigned long steps;

void __sanitizer_cov_trace_pc(void)
{
	steps++;
}

static char text[40000], out_buf[40000];

/* Writes `before`, then `unit` repeated up to n bytes, then `after`. Returns the length. */
static size_t build(size_t n, const char *before, const char *unit, const char *after)
{
	size_t len = strlen(before), u = strlen(unit), at;

	memcpy(text, before, len);
	for (at = len; at < len + n; at++)
		text[at] = unit[(at - len) % u];
	memcpy(text + at, after, strlen(after) + 1);
	return at + strlen(after);
}

/* The runners. piece: how many bytes come at a time; 0: all at once */

static void run_head(size_t len, size_t piece)
{
	static const char *const offered[] = {"chat", NULL};
	const char *subprotocol, *option, *s;
	struct wsi_response r;
	struct wsi_header h;
	struct wsi_text why;
	size_t have = piece ? piece : len;
	int whole;

	memset(&r, 0, sizeof r);
	wsi_text_init(&why, out_buf, sizeof out_buf);
	while ((whole = wsi_response_read(&r, text, have, &why)) == 0 && have < len)
		have = have + piece < len ? have + piece : len;
	if (whole <= 0)
		return;
	for (s = r.fields; (s = wsi_header_next(s, &h)) != NULL;)
		;
	wsi_response_check(&r, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", offered, &subprotocol, &option,
	                   &why);
}

/* Opens a connection over a transport that gives `piece` bytes at a time */
static void run_open(size_t len, size_t piece)
{
	struct ws_options o;
	struct ws_io io;
	struct fake f;
	struct ws_conn *ws;

	fake_init(&f, text, len);
	f.step = piece;
	f.end = WS_IO_EOF;
	fake_options(&f, &o, &io);
	ws = ws_new("ws://server.example.com/chat", &o);
	ws_open(ws);
	ws_free(ws);
	fake_free(&f);
}

static void run_body(size_t len, size_t piece)
{
	static char head[] = "HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n";
	struct wsi_response r;
	struct wsi_body b;
	struct wsi_text t, why;
	size_t at, n = piece ? piece : len;
	char small[400];

	memset(&r, 0, sizeof r);
	wsi_text_init(&why, small, sizeof small);
	wsi_text_init(&t, out_buf, sizeof out_buf);
	wsi_response_read(&r, head, sizeof head - 1, &why);
	wsi_body_init(&b, &r);
	for (at = 0; at < len; at += n)
		wsi_body_feed(&b, &t, text + at, at + n < len ? n : len - at);
}

static void run_url(size_t len, size_t piece)
{
	struct wsi_text t;
	struct wsi_url u;

	(void)piece;
	memset(&u, 0, sizeof u);
	wsi_url_parse(&u, text, len);
	wsi_text_init(&t, out_buf, sizeof out_buf);
	wsi_put_url(&t, text, len);
}

static void run_reference(size_t len, size_t piece)
{
	struct wsi_text t;

	(void)piece;
	wsi_text_init(&t, out_buf, sizeof out_buf);
	wsi_put(&t, "ws://example.com/a");
	wsi_url_resolve(&t, text, len);
}

static void run_safe(size_t len, size_t piece)
{
	struct wsi_text t;

	(void)piece;
	wsi_text_init(&t, out_buf, sizeof out_buf);
	wsi_put_safe(&t, text, len);
}

#define LINE "HTTP/1.1 101 Switching Protocols\r\n"
#define UPGRADE                                                                                    \
	"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " FAKE_ACCEPT "\r\n"

static const struct {
	const char *name;
	void (*run)(size_t len, size_t piece);
	size_t piece;
	const char *before, *unit, *after;
} cases[] = {
    /* the head's limit is 16 KiB, so n is 7000 */
    {"spaces in front of a value", run_head, 0, LINE "A: ", " ", "x\r\n\r\n"},
    {"spaces after a value", run_head, 0, LINE "A: x", " ", "\r\n\r\n"},
    {"spaces within a value", run_head, 0, LINE "Sec-WebSocket-Protocol: a", " ",
     "b\r\n" UPGRADE "\r\n"},
    {"spaces in a list of tokens", run_head, 0, LINE "Connection: Upgrade,", " ,",
     "x\r\n" UPGRADE "\r\n"},
    {"tokens", run_head, 0, LINE "Connection: a", ",upgrad", "\r\n" UPGRADE "\r\n"},
    {"a long name", run_head, 0, LINE "A", "a", ": x\r\n\r\n"},
    {"a long reason", run_head, 0, "HTTP/1.1 101 ", "x", "\r\n\r\n"},
    {"short lines", run_head, 0, LINE, "A: b\r\n", "\r\n"},
    {"a value byte by byte", run_head, 1, LINE "A: ", "x", "\r\n\r\n"},
    {"spaces byte by byte", run_head, 1, LINE "A: ", " ", "x\r\n\r\n"},
    {"folded lines byte by byte", run_head, 1, LINE "A: ", "x\r\n ", "\r\n\r\n"},
    {"a name byte by byte", run_head, 1, LINE, "a", ": x\r\n\r\n"},
    {"a status line byte by byte", run_head, 1, "HTTP/1.1 101 ", "x", "\r\n\r\n"},
    {"an opening", run_open, 0, LINE "A: ", " ", "x\r\n\r\n"},
    {"an opening byte by byte", run_open, 1, LINE "A: ", " ", "x\r\n\r\n"},
    {"an opening byte by byte, refused", run_open, 1, "HTTP/1.1 404 No\r\nA: ", "x", "\r\n\r\n"},
    {"interim answers byte by byte", run_open, 1, "HTTP/1.1 100 C\r\nA: ", "x",
     "\r\n\r\n" LINE UPGRADE "\r\n"},
    {"chunks", run_body, 0, "", "1\r\na\r\n", "0\r\n\r\n"},
    {"chunks byte by byte", run_body, 1, "", "1\r\na\r\n", "0\r\n\r\n"},
    {"a chunk's extension", run_body, 1, "1;", "x", "\r\na\r\n"},
    {"a path", run_url, 0, "ws://h/", "%41/", ""},
    {"many @", run_url, 0, "ws://", "@", "h/"},
    {"many :", run_url, 0, "ws://", ":", "/"},
    {"a query of secrets", run_url, 0, "ws://h/?", "token=a&", ""},
    {"a query without secrets", run_url, 0, "ws://h/?", "a&", ""},
    {"up and up", run_reference, 0, "/", "../", ""},
    {"down and up", run_reference, 0, "/", "a/../", ""},
    {"down, then up", run_reference, 0, "/", "a/", "../../../../.."},
    {"bytes that are no text", run_safe, 0, "", "\xe2\x82", ""},
};

static unsigned long cost(size_t i, size_t n)
{
	size_t len = build(n, cases[i].before, cases[i].unit, cases[i].after);

	steps = 0;
	cases[i].run(len, cases[i].piece);
	return steps;
}

static void test_steps(void)
{
	enum { N = 4000 };
	unsigned long once, twice;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s", cases[i].name);
		once = cost(i, N);
		twice = cost(i, 2 * N);
		CHECK(once > 0);
		if (!CHECK(twice <= 2 * once + once / 4 + 1000))
			fprintf(stderr, "\t%d bytes: %lu steps, %d: %lu\n", (int)N, once, 2 * N,
			        twice);
		CHECK(twice < 2000ul * N);
		if (getenv("SHOW_STEPS"))
			fprintf(stderr, "%-36s %10lu %10lu\n", cases[i].name, once, twice);
	}
}

int main(void)
{
	TEST(test_steps);
	return check_done();
}
