/* SPDX-License-Identifier: ISC
 * test_ws_fail.c - Tests that one failing call of the transport or allocator breaks nothing
 *
 * It uses the public interface of ws.h over the scripted transport of fake.h.
 */
#include "talk.h"

/* Each scenario runs once for every n, and its n-th call of one kind fails */

static const struct scenario {
	const char *name, *bytes; /* what the server sends, including the head */
	size_t len;
	int pinged;
} scenarios[] = {
#define SC(name, bytes, pinged)                                                                    \
	{                                                                                          \
		name, bytes, sizeof bytes - 1, pinged                                              \
	}
    SC("messages",
       FAKE_101 "\x81\x05Hello\x82\x03xyz\x89\x01p\x01\x02He\x89\x01q\x80\x03llo\x88\x05\x03\xe8"
                "bye",
       0),
    SC("a subprotocol", FAKE_101_OF("Sec-WebSocket-Protocol: chat\r\n") "\x81\x05Hello", 0),
    SC("pongs", FAKE_101 "\x8a\x02me\x81\x01x\x88\x02\x03\xe9", 1),
    SC("a violation", FAKE_101 "\x81\x05Hello\xc1\x00", 0),
    SC("not UTF-8", FAKE_101 "\x81\x05Hell\xff", 0),
    SC("end of file", FAKE_101 "\x81\x05Hello", 0),
    SC("refused",
       "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nHello\r\n0\r\n\r\n", 0),
    SC("no handshake", "HTTP/1.1 101 x\r\n" UP CONN "\r\n", 0),
    SC("no HTTP", "hello\r\n", 0),
    SC("a redirect not followed", "HTTP/1.1 301 x\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", 0),
};

/* Adds what the server sends */
static void put_scenario(struct script *in, const struct scenario *s, int mode)
{
	const char *close = "\x88\x05\x03\xe8"
	                    "bye";

	script_put(in, s->bytes, s->len);
	if (strcmp(s->name, "messages") == 0) { /* add one for which the buffer grows */
		in->len -= 7;
		script_frame(in, 0x81, NULL, mode & 8 ? 2000 : 20000);
		script_put(in, close, 7);
	}
}

static void run_failing(const struct scenario *s, int mode, const struct script *in,
                        unsigned long alloc_at, int alloc_on, unsigned long io_at, int io_fail,
                        struct outcome *o)
{
	static const char *const offered[] = {"chat", NULL};
	struct how h;
	struct ws_options opt;
	struct ws_io io;

	memset(&h, 0, sizeof h);
	h.nonblock = mode & 1;
	h.stream = mode >> 1 & 1;
	h.recv_buffer = mode & 4 ? 256 : 0;
	h.pinged = s->pinged;
	h.end = WS_IO_EOF;
	h.step = mode & 8 ? 50 : 0;
	memset(o, 0, offsetof(struct outcome, fake));
	fake_init(&o->fake, in->p, in->len);
	o->fake.alloc_fail_at = alloc_at;
	o->fake.alloc_fail_on = alloc_on;
	o->fake.io_fail_at = io_at;
	o->fake.io_fail = io_fail;
	set_options(&o->fake, &h, &opt, &io);
	opt.subprotocols = offered;
	run_prepared(&h, o, &opt);
	fake_free(&o->fake);
}

static int tidy(const struct outcome *o)
{
	return o->fake.alive == 0 && o->fake.blocks == 0 && !o->fake.wrong && !o->fake.hung;
}

static void test_any_failing_call_leaves_no_trace(void)
{
	static struct outcome good, o;
	static const int words[] = {WS_IO_READ, WS_IO_WRITE, WS_IO_EOF, WS_IO_RESET, WS_IO_ERROR,
	                            WS_IO_TLS,  WS_IO_CERT,  0,         -77};
	size_t i, w;
	unsigned long n;
	int mode, on;

	for (i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
		const struct scenario *s = &scenarios[i];

		check_row("%s", scenarios[i].name);
		for (mode = 0; mode < 16; mode += check_step(5)) {
			struct script in = {NULL, 0, 0};

			put_scenario(&in, s, mode);
			run_failing(s, mode, &in, 0, 0, 0, 0, &good);
			CHECK(tidy(&good) && good.fake.closes == 1);
			for (on = 0; on < 2; on++) {
				for (n = 1; n < 1000; n++) {
					int same;

					run_failing(s, mode, &in, n, on, 0, 0, &o);
					if (o.fake.failed_allocs == 0)
						break;
					same = strcmp(o.got, good.got) == 0
					       && strcmp(o.end, good.end) == 0
					       && strcmp(o.sent, good.sent) == 0;
					if (!CHECK(tidy(&o)
					           && (same
					               || (o.err == WS_EMEMORY
					                   && starts(good.got, o.got)))))
						fprintf(
						    stderr,
						    "%s, mode %d, allocation %lu%s: %s | %s | %s\n",
						    s->name, mode, n, on ? " and on" : "", o.got,
						    o.end, o.sent);
				}
				CHECK(n > 3 && n < 50); /* only a few allocations */
			}
			for (w = 0; w < sizeof words / sizeof words[0]; w++) {
				for (n = 1; n < 100000; n++) {
					int same, fits;

					run_failing(s, mode, &in, 0, 0, n, words[w], &o);
					if (o.fake.ios < n)
						break;
					same = strcmp(o.got, good.got) == 0
					       && strcmp(o.end, good.end) == 0
					       && strcmp(o.sent, good.sent) == 0;
					/* a spurious "not ready" changes nothing; after any other
					 * failure the messages are a beginning of all, and the run
					 * has not succeeded */
					fits =
					    w < 2
					        ? same
					        : same
					              || (starts(good.got, o.got) && o.err < 0
					                  && (o.err == WS_EIO || o.err == WS_ERESET
					                      || o.err == WS_ECLOSED
					                      || o.err == WS_ETLS
					                      || o.err == WS_ECERT
					                      || o.err == good.err)
					                  && (o.err != WS_ECLOSED
					                      || strcmp(o.end, "closed") == 0
					                      || strcmp(o.end, CUT) == 0
					                      || strcmp(o.end, good.end) == 0));
					if (!CHECK(tidy(&o) && o.fake.closes == 1 && fits))
						fprintf(
						    stderr,
						    "%s, mode %d, call %lu says %d: %s | %s | %s\n",
						    s->name, mode, n, words[w], o.got, o.end,
						    o.sent);
				}
				CHECK(n > 2);
			}
			script_free(&in);
		}
	}
}

/* Whichever allocation fails, the sentence fits the error, even if there is no memory for the
 * sentence itself. */
static void test_no_memory_is_named(void)
{
	const int cause = ws_features() & WS_HAS_TLS ? WS_ETLS : WS_EUNSUPPORTED;
	unsigned long k, failed = 1;
	struct talk t;
	int r, on;

	for (on = 0; on < 2; on++) {
		failed = 1;
		for (k = 2; failed && k < 100; k++) {
			check_row("allocation %lu%s", k, on ? " and all after it" : "");
			talk_begin(&t, "", 0);
			t.f.end = WS_IO_EOF;
			t.o.io_is_plain = 1;
			t.f.alloc_fail_at = k;
			t.f.alloc_fail_on = on;
			t.ws = ws_new("wss://server.example.com/", &t.o);
			r = ws_open(t.ws);
			failed = t.f.failed_allocs;
			CHECK(r == cause || (failed && r == WS_EMEMORY));
			CHECK_EQ_U(strcmp(ws_errmsg(t.ws), "out of memory") == 0, r == WS_EMEMORY);
			CHECK(*ws_errmsg(t.ws));
			talk_end(&t);
		}
		CHECK_EQ_U(r, cause);
	}
	check_row_end();
	CHECK(k > 7 || !(ws_features() & WS_HAS_TLS));
}

int main(void)
{
	TEST(test_no_memory_is_named);
	TEST(test_any_failing_call_leaves_no_trace);
	return check_done();
}
