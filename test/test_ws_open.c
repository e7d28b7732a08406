/* SPDX-License-Identifier: ISC
 * test_ws_open.c - Tests opening a connection: options, URLs, names, and the deadline up to the
 * upgrade
 *
 * It uses the public interface of ws.h over the scripted transport of fake.h.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "talk.h"
#include "guard.h"
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ws_open names an invalid option before it does anything else */
static void test_wrong_options_are_named(void)
{
	static const char *const bad_headers[][2] = {{"A: b\r\nC: d", NULL},
	                                             {"no colon", NULL},
	                                             {": x", NULL},
	                                             {"A : b", NULL},
	                                             {"Upgrade: x", NULL},
	                                             {"upgrade:", NULL},
	                                             {"Sec-WebSocket-Key: x", NULL},
	                                             {"sec-websocket-version: 8", NULL},
	                                             {"Connection: close", NULL},
	                                             {"Connection:", NULL},
	                                             {"A: \x7f", NULL},
	                                             {" A: b", NULL},
	                                             {"", NULL}},
	                         *const good_headers[] = {
	                             "A: b", "C:", "Connection: keep-alive, Upgrade", NULL};
	static const char *const bad_protocols[][3] = {
	    {"a b", NULL, NULL}, {"", NULL, NULL}, {"a", "a", NULL}, {"a,b", NULL, NULL}};
	static const char *const bad_resolve[][2] = {{"a", NULL},
	                                             {"a:80", NULL},
	                                             {"a:80:", NULL},
	                                             {"a:0:127.0.0.1", NULL},
	                                             {"a:65536:127.0.0.1", NULL},
	                                             {":80:127.0.0.1", NULL},
	                                             {"a:80:name", NULL},
	                                             {"a:80:1.2.3", NULL},
	                                             {"a:80:[::1", NULL},
	                                             {"a:[80]:127.0.0.1", NULL},
	                                             {"[a:80:127.0.0.1", NULL},
	                                             {"[a]b:80:127.0.0.1", NULL},
	                                             {"a:80:[::1]x", NULL},
	                                             {"", NULL}};
	struct rlimit before, none;
	struct talk t;
	size_t i;

#define WRONG(field, set)                                                                          \
	do {                                                                                       \
		int named;                                                                         \
		talk_begin(&t, "", 0);                                                             \
		set;                                                                               \
		t.ws = ws_new("ws://127.0.0.1:1/", &t.o);                                          \
		named = ws_errmsg(t.ws)[0] != '\0';                                                \
		if (!CHECK(ws_open(t.ws) == WS_EUSAGE && named && t.f.ios == 0                     \
		           && strcmp(ws_report(t.ws)->option, field) == 0                          \
		           && strstr(ws_errmsg(t.ws), field) && ws_report(t.ws)->err == WS_EUSAGE  \
		           && !strchr(ws_errmsg(t.ws), '\n')))                                     \
			fprintf(stderr, "test_ws.c:%d: option %s, not %s: %s\n", __LINE__,         \
			        ws_report(t.ws)->option, field, ws_errmsg(t.ws));                  \
		talk_end(&t);                                                                      \
	} while (0)

/* Each TLS option, when the library does not do the TLS */
#define WRONG_TLS()                                                                                \
	do {                                                                                       \
		WRONG("tls", t.o.tls.server_name = "a.example");                                   \
		WRONG("tls", t.o.tls.server_name = "x");                                           \
		WRONG("tls", t.o.tls.pin_sha256 = "");                                             \
		WRONG("tls", t.o.tls.pin_sha256 = "x");                                            \
		WRONG("tls", t.o.tls.ca_file = "x");                                               \
		WRONG("tls", t.o.tls.ca_dir = "x");                                                \
		WRONG("tls", t.o.tls.cert_file = "x");                                             \
		WRONG("tls", t.o.tls.key_file = "x");                                              \
		WRONG("tls", t.o.tls.key_password = "x");                                          \
		WRONG("tls", t.o.tls.ciphers = "x");                                               \
		WRONG("tls", t.o.tls.keylog_file = "x");                                           \
		WRONG("tls", t.o.tls.min_version = 12);                                            \
		WRONG("tls", t.o.tls.max_version = 12);                                            \
		WRONG("tls", t.o.tls.max_version = 13);                                            \
		WRONG("tls", t.o.tls.insecure_no_verify = 1);                                      \
		WRONG("tls", t.o.tls.insecure_no_hostname = 1);                                    \
		WRONG("tls", t.o.tls.config = &t);                                                 \
	} while (0)

	WRONG("timeout_ms", t.o.timeout_ms = -2);
	WRONG("timeout_ms", t.o.timeout_ms = INT_MIN);
	WRONG("connect_timeout_ms", t.o.connect_timeout_ms = -1);
	WRONG("ping_interval_ms", t.o.ping_interval_ms = -1);
	WRONG("max_redirects", t.o.max_redirects = -1);
	WRONG("keepalive_s", t.o.keepalive_s = -1);
	WRONG("keepalive_s", t.o.keepalive_s = INT_MAX);
	WRONG("recv_buffer", t.o.recv_buffer = 255);
	WRONG("recv_buffer", t.o.recv_buffer = 1);
	WRONG("recv_buffer", t.o.recv_buffer = SIZE_MAX);
	WRONG("send_buffer", t.o.send_buffer = 255);
	WRONG("send_buffer", t.o.send_buffer = SIZE_MAX);
	WRONG("max_message", t.o.max_message = SIZE_MAX);
	WRONG("max_message", t.o.max_message = (size_t)PTRDIFF_MAX / 2 + 1);
	WRONG("family", t.o.family = 5);
	WRONG("family", t.o.family = -4);
	WRONG("origin", t.o.origin = "http://a\r\nb");
	WRONG("host", t.o.host = "a b");
	WRONG("host", t.o.host = "");
	WRONG("host", t.o.host = "a\r\nB: c");
	WRONG("user_agent", t.o.user_agent = "a\nb");
	WRONG("cookie", t.o.cookie = "a\rb");
	WRONG("user", t.o.user = "name");
	WRONG("user", t.o.user = "name:pass\n");
	WRONG("bearer", t.o.bearer = "a b");
	WRONG("bearer", t.o.bearer = "");
	WRONG("bearer", (t.o.bearer = "abc", t.o.user = "a:b"));
	WRONG("io", t.io.io_read = NULL);
	WRONG("io", t.io.io_write = NULL);
	WRONG("io", t.io.io_wait = NULL);
	WRONG("unix_socket", t.o.unix_socket = "");
	WRONG_TLS();
	talk_begin(&t, "", 0);
	t.o.io = NULL;
	t.o.io_is_plain = 1;
	t.ws = ws_new("ws://127.0.0.1:1/", &t.o);
	CHECK_EQ_U(ws_open(t.ws), WS_EUSAGE);
	CHECK_EQ_S(ws_report(t.ws)->option, "io_is_plain");
	ws_free(t.ws);
	fake_free(&t.f);
	script_free(&t.s);
	if (!(ws_features() & WS_HAS_REDIRECTS))
		WRONG("max_redirects", t.o.max_redirects = 1);
	WRONG("proxy", t.o.proxy = "ftp://a/");
	WRONG("proxy", t.o.proxy = "http://");
	WRONG("proxy", t.o.proxy = "http://a:0/");
	if (ws_features() & WS_HAS_PROXY) {
		WRONG("proxy_wss", t.o.proxy_wss = "http://a:99999/");
		WRONG("no_proxy", t.o.no_proxy = "a,10.0.0.0/33");
	}
	WRONG("local_interface", t.o.local_interface = "");
	WRONG("local_interface", t.o.local_interface = "sixteen-letters.");
	WRONG("local_interface",
	      t.o.local_interface = "a-name-that-is-longer-than-that-of-any-device");
	for (i = 0; i < sizeof bad_headers / sizeof bad_headers[0]; i++) {
		check_row("headers %lu", (unsigned long)i);
		WRONG("headers", t.o.headers = bad_headers[i]);
	}
	check_row_end();
	for (i = 0; i < sizeof bad_protocols / sizeof bad_protocols[0]; i++) {
		check_row("subprotocols %lu", (unsigned long)i);
		WRONG("subprotocols", t.o.subprotocols = bad_protocols[i]);
	}
	check_row_end();
	for (i = 0; i < sizeof bad_resolve / sizeof bad_resolve[0]; i++) {
		check_row("resolve %lu", (unsigned long)i);
		WRONG("resolve", t.o.resolve = bad_resolve[i]);
	}
	check_row_end();
	if (!(ws_features() & WS_HAS_TLS))
		WRONG_TLS();
	talk_begin(&t, "", 0);
	t.o.headers = good_headers;
	talk_open(&t);
	CHECK(ws_report(t.ws)->phase_us[WS_PHASE_CONNECT] >= 0);
	CHECK(talk_sent_has(&t, "\r\nA: b\r\n")
	      && talk_sent_has(&t, "\r\nConnection: keep-alive, Upgrade\r\n"));
	talk_end(&t);
	/* ws_new allocates the connection, what opening needs, and the URL; without options of TLS,
	 * it prepares no TLS */
	talk_begin(&t, "", 0);
	t.ws = ws_new(URL, &t.o);
	CHECK_EQ_U(t.f.blocks, 3);
	talk_end(&t);
	/* an error shows the invalid value, but no secret */
	for (i = 0; i < 8; i++) {
		static const char *const lines[][2] = {
		    {"Authorization: s3cret\n", NULL}, {"seen", NULL}, {"seen it", NULL}};

		talk_begin(&t, "", 0);
		t.o.user = i == 0 ? "name:s3cret\n" : NULL;
		t.o.bearer = i == 1 ? "s3cret s3cret" : NULL;
		t.o.cookie = i == 2 ? "a=s3cret\n" : NULL;
		t.o.headers = i == 3 ? lines[0] : NULL;
		t.o.resolve = i == 4 ? lines[1] : NULL;
		t.o.subprotocols = i == 5 ? lines[2] : NULL;
		t.o.origin = i == 6 ? "seen\n" : NULL;
		t.o.host = i == 7 ? "/seen" : NULL;
		t.ws = ws_new("ws://127.0.0.1:1/", &t.o);
		CHECK_EQ_U(ws_open(t.ws), WS_EUSAGE);
		CHECK(!strstr(ws_errmsg(t.ws), "s3cret"));
		if (i == 3)
			CHECK(strstr(ws_errmsg(t.ws), "Authorization") != NULL);
#ifdef WS_NO_NET
		if (i == 4)
			CHECK(strstr(ws_errmsg(t.ws), "not built in") != NULL);
		if (i > 4)
			CHECK(strstr(ws_errmsg(t.ws), "seen") != NULL);
#else
		if (i >= 4)
			CHECK(strstr(ws_errmsg(t.ws), "seen") != NULL);
#endif
		talk_end(&t);
	}
	for (i = 0; i < 3;
	     i++) { /* in the second and third, the '@' is in the path, so there is no user */
		static const char *const urls[] = {"http://me:s3cret@ho st/",
		                                   "http://me:1/s3cret@seen:3128",
		                                   "socks5://me?s3cret@seen"};

		talk_begin(&t, "", 0);
		t.o.proxy = urls[i];
		t.ws = ws_new("ws://127.0.0.1:1/", &t.o);
		CHECK(!strstr(ws_errmsg(t.ws), "s3cret"));
		if (!(ws_features() & WS_HAS_PROXY))
			CHECK(strstr(ws_errmsg(t.ws), "not built in") != NULL);
		else if (i > 0)
			CHECK(strstr(ws_errmsg(t.ws), "seen") != NULL);
		CHECK_EQ_S(ws_report(t.ws)->option, "proxy");
		talk_end(&t);
	}
	if (ws_features() & WS_HAS_PROXY) { /* of a list, the error shows the invalid entry */
		talk_begin(&t, "", 0);
		t.o.no_proxy = "a.test seen$ b.test\tc.test";
		t.ws = ws_new("ws://127.0.0.1:1/", &t.o);
		CHECK(strstr(ws_errmsg(t.ws), "\"seen$\""));
		talk_end(&t);
	}

	/* with nonblock io_wait may be missing; the smallest and the largest values are valid */
	talk_begin(&t, "", 0);
	t.io.io_wait = NULL;
	t.o.nonblock = 1;
	t.o.recv_buffer = t.o.send_buffer = 256;
	t.o.max_message = PTRDIFF_MAX / 2;
	t.o.timeout_ms = INT_MAX;
	t.o.connect_timeout_ms = INT_MAX;
	t.o.family = 6;
	t.o.keepalive_s = 1;
#ifndef WS_NO_NET
	t.o.local_interface = "fifteen-letters";
#endif
	t.o.proxy = t.o.proxy_wss = "";
	talk_open(&t);
	talk_end(&t);

	/* URLs */
	{
		static const char *const urls[] = {NULL,
		                                   "",
		                                   "x",
		                                   "ftp://a/",
		                                   "ws://",
		                                   "ws:///",
		                                   "ws://a:0/",
		                                   "ws://a:65536/",
		                                   "ws://a b/",
		                                   "ws://a/#f",
		                                   "ws://a/#",
		                                   "ws://[::1/",
		                                   "ws://a/\r\nX: y",
		                                   "ws://u:s3cret@a b/",
		                                   "ws://u:s3cret@a/#x"};

		for (i = 0; i < sizeof urls / sizeof urls[0]; i++) {
			check_row("%s", urls[i] != NULL ? urls[i] : "NULL");
			talk_begin(&t, "", 0);
			t.ws = ws_new(urls[i], &t.o);
			CHECK(ws_errmsg(t.ws)[0] != '\0');
			CHECK_EQ_U(ws_open(t.ws), WS_EURL);
			CHECK_EQ_U(ws_report(t.ws)->phase, WS_PHASE_URL);
			CHECK(!strstr(ws_errmsg(t.ws), "s3cret")
			      && !strstr(ws_report(t.ws)->url, "s3cret"));
			CHECK(!strpbrk(ws_errmsg(t.ws), "\r\n"));
			CHECK_EQ_U(t.f.ios, 0);
			talk_end(&t);
		}
	}
	check_row_end();
	talk_begin(&t, "", 0);
	t.ws = ws_new("ftp://a.test/", &t.o);
	CHECK_EQ_S(ws_report(t.ws)->tls_version, "");
	CHECK_EQ_S(ws_report(t.ws)->tls_cipher, "");
	CHECK_EQ_S(ws_report(t.ws)->cert_subject, "");
	CHECK_EQ_S(ws_report(t.ws)->cert_issuer, "");
	CHECK_EQ_S(ws_errmsg(t.ws),
	           "URL: it does not begin with ws:// or wss:// (byte 1): ftp://a.test/");
	talk_end(&t);
	talk_begin(&t, "", 0); /* the *** may be longer than the secret */
	t.ws = ws_new("ws://a/?token=b", &t.o);
	CHECK_EQ_S(ws_report(t.ws)->url, "ws://a/?token=***");
	talk_end(&t);
	{
		struct script s = {NULL, 0, 0};
		int over;

		for (over = 0; over < 2; over++) {
			s.len = 0;
			script_str(&s, "ws://a/");
			while (s.len < WS_MAX_URL + (size_t)over)
				script_byte(&s, 'x');
			script_byte(&s, 0);
			talk_begin(&t, "", 0);
			t.ws = ws_new((char *)s.p, &t.o);
			CHECK_EQ_U(ws_open(t.ws), over ? WS_EURL : 0);
			talk_end(&t);
		}
		script_free(&s);
	}
	/* the program's own transport does TLS itself for wss://; with io_is_plain the library does
	 * it */
	talk_begin(&t, "", 0);
	t.ws = ws_new("wss://a/", &t.o);
	CHECK_EQ_U(ws_open(t.ws), 0);
	CHECK_EQ_S(ws_report(t.ws)->address, "a:443");
	talk_end(&t);
	if (ws_features()
	    & WS_HAS_TLS) { /* the call that enters TLS returns before TLS does anything */
		talk_begin(&t, "", 0);
		t.o.io_is_plain = t.o.nonblock = 1;
		t.ws = ws_new("wss://a/", &t.o);
		CHECK_EQ_U(ws_open(t.ws), WS_AGAIN);
		CHECK_EQ_U(ws_report(t.ws)->phase, WS_PHASE_TLS);
		CHECK_EQ_U(t.f.ios, 0);
		CHECK_EQ_U(ws_open(t.ws), WS_AGAIN);
		CHECK(t.f.ios > 0);
		talk_end(&t);
		/* a missing file does not mean that there was no descriptor */
		talk_begin(&t, "", 0);
		t.o.io_is_plain = 1;
		t.o.tls.ca_file = "/no/such/file";
		t.ws = ws_new("wss://a/", &t.o);
		CHECK_EQ_U(ws_open(t.ws), WS_EUSAGE);
		CHECK_EQ_S(ws_report(t.ws)->option, "tls.ca_file");
		CHECK_EQ_U(ws_report(t.ws)->no_descriptor, 0);
		talk_end(&t);
		talk_begin(&t, "", 0);
		t.o.io_is_plain = 1;
		t.o.tls.ca_file = "/dev/null";
		getrlimit(RLIMIT_NOFILE, &before);
		none = before;
		none.rlim_cur = 0;
		setrlimit(RLIMIT_NOFILE, &none);
		t.ws = ws_new("wss://a/", &t.o);
		setrlimit(RLIMIT_NOFILE, &before);
		CHECK_EQ_U(ws_open(t.ws), WS_EIO);
		CHECK_EQ_S(ws_report(t.ws)->option, "tls.ca_file");
		CHECK_EQ_U(ws_report(t.ws)->no_descriptor, 1);
		talk_end(&t);
	}
	if (!(ws_features() & WS_HAS_TLS)) {
		talk_begin(&t, "", 0);
		t.o.io_is_plain = 1;
		t.ws = ws_new("wss://a/", &t.o);
		CHECK_EQ_U(ws_open(t.ws), WS_EUNSUPPORTED);
		CHECK(strstr(ws_errmsg(t.ws), "TLS") != NULL);
		CHECK_EQ_U(t.f.ios, 0);
		talk_end(&t);
	}
	/* headers too long for any request */
	{
		const char *headers[] = {NULL, NULL};
		char *h = malloc(1100000);

		memset(h, 'x', 1100000);
		memcpy(h, "A: ", 3);
		h[1099999] = '\0';
		headers[0] = h;
		talk_begin(&t, "", 0);
		t.o.headers = headers;
		t.ws = ws_new(URL, &t.o);
		CHECK_EQ_U(ws_open(t.ws), WS_EUSAGE);
		CHECK_EQ_S(ws_report(t.ws)->option, "headers");
		CHECK_EQ_U(t.f.out_len, 0);
		talk_end(&t);
		h[300000] = '\0';
		talk_begin(&t, "", 0);
		t.o.headers = headers;
		talk_open(&t);
		CHECK(t.f.out_len > 300000
		      && t.f.alive < 50000); /* and its memory was given back */
		talk_end(&t);
		free(h);
	}
}

/* What the program passes to ws_new need not outlive that call. */
static void test_options_are_copied(void)
{
	static const char url[] = "ws://server.example.com/chat", host[] = "other.example";
	char passed_url[sizeof url], passed_host[sizeof host];
	struct talk t;

	memcpy(passed_url, url, sizeof url);
	memcpy(passed_host, host, sizeof host);
	talk_begin(&t, "", 0);
	t.o.host = passed_host;
	t.ws = ws_new(passed_url, &t.o);
	memset(passed_url, '!', sizeof passed_url);
	memset(passed_host, '!', sizeof passed_host);
	memset(&t.o, 0xff, sizeof t.o);
	CHECK_EQ_U(ws_open(t.ws), 0);
	CHECK(talk_sent_has(&t, "GET /chat HTTP/1.1\r\nHost: other.example\r\n"));
	talk_end(&t);
}

/* With stream a part of a message is received before the rest has arrived. */
static void test_stream(void)
{
	struct ws_msg msg;
	struct talk t;

	talk_begin(&t, "\x01\x02hi", 4);
	t.o.stream = 1;
	talk_open(&t);
	CHECK_EQ_U(ws_recv(t.ws, &msg), 0);
	CHECK(msg.more && msg.len == 2);
	talk_end(&t);
}

/* ws_features tells what was built in. */
static void test_features(void)
{
	unsigned has =
	    WS_HAS_TLS | WS_HAS_RESOLVER | WS_HAS_THREADS | WS_HAS_PROXY | WS_HAS_REDIRECTS;

#ifndef WS_WITH_MBEDTLS
	has &= ~(unsigned)WS_HAS_TLS;
#endif
#if defined(WS_NO_RESOLVER) || defined(WS_NO_NET)
	has &= ~(unsigned)(WS_HAS_RESOLVER | WS_HAS_THREADS);
#endif
#ifdef WS_NO_THREADS
	has &= ~(unsigned)WS_HAS_THREADS;
#endif
#ifdef WS_NO_PROXY
	has &= ~(unsigned)WS_HAS_PROXY;
#endif
#ifdef WS_NO_REDIRECTS
	has &= ~(unsigned)WS_HAS_REDIRECTS;
#endif
	CHECK_EQ_U(ws_features(), has);
}

/* Two ways to reach one server exclude each other: the error names both. */
static void test_ways_exclude_each_other(void)
{
	static const struct ws_io io = {fake_read, fake_write, fake_wait, NULL, NULL, NULL};
	static const char proxy_url[] = "http://127.0.0.1:1";
	static const char *const names[] = {"io", "use_fd", "unix_socket", "proxy", "proxy_wss"};
	const int proxies = (ws_features() & WS_HAS_PROXY) != 0;
	struct talk t;
	char want[40];
	int i, k;

	for (i = 0; i < 4; i++) {
		for (k = i + 1; k < (proxies ? 5 : 3); k++) {
			if (i == 3) /* one proxy for each scheme */
				continue;
			check_row("%s and %s", names[i], names[k]);
			talk_begin(&t, "", 0);
			t.o.io = i == 0 ? &io : NULL;
			t.o.use_fd = i == 1 || k == 1;
			t.o.fd = t.o.use_fd ? dup(2) : -1;
			t.o.unix_socket = i == 2 || k == 2 ? "/nowhere" : NULL;
			t.o.proxy = k == 3 ? proxy_url : "";
			t.o.proxy_wss = k == 4 ? proxy_url : NULL;
			t.ws = ws_new("ws://127.0.0.1:1/", &t.o);
			CHECK_EQ_U(ws_open(t.ws), WS_EUSAGE);
#ifdef WS_NO_NET
			(void)want;
			if (t.o.fd >= 0)
				close(t.o.fd); /* without sockets the library does not close it */
#else
			CHECK_EQ_S(ws_report(t.ws)->option, names[k]);
			snprintf(want, sizeof want, "together with %s", names[i]);
			CHECK(strstr(ws_errmsg(t.ws), want));
#endif
			ws_free(t.ws);
			CHECK(fcntl(t.o.fd, F_GETFD) < 0);
			CHECK(t.f.alive == 0 && t.f.ios == 0);
			fake_free(&t.f);
			script_free(&t.s);
		}
	}
	check_row_end();
}

#ifndef WS_NO_NET
/* A program that was built with an older header: nothing after its options is read. */
static void test_options_of_an_older_program(void)
{
	const size_t size = offsetof(struct ws_options, max_redirects);
	static const struct ws_options none;
	struct ws_options *o = guard_after(&none, size);
	struct ws_answer a;
	struct ws_conn *ws;

	o->recv_buffer = 100;
	ws = ws_new_sized("ws://127.0.0.1:1/", o, size);
	CHECK_EQ_U(ws_open(ws), WS_EUSAGE);
	CHECK_EQ_S(ws_report(ws)->option, "recv_buffer");
	ws_free(ws);
	o->recv_buffer = 0;
	o->timeout_ms = 2000;
	CHECK(ws_query_sized("ws://127.0.0.1:1/", o, size, WS_TEXT, "x", 1, &a) < WS_EUSAGE);
	ws_answer_free_sized(&a, o, size);
}
#endif

/* A program that was built with a newer header: an option that this library does not know must not
 * be set. */
static void test_options_of_a_newer_program(void)
{
	static const struct {
		size_t at; /* the byte after our options that is set; 64: none */
		int err;
	} cases[] = {{0, WS_EUSAGE}, {40, WS_EUSAGE}, {63, WS_EUSAGE}, {64, 0}};
	struct {
		struct ws_options o;
		char more[64];
	} newer;
	struct ws_answer a;
	struct talk t;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("byte %d of the new options", (int)cases[i].at);
		talk_begin(&t, "", 0);
		memset(&newer, 0, sizeof newer);
		newer.o = t.o;
		if (cases[i].at < sizeof newer.more)
			newer.more[cases[i].at] = 1;
		t.ws = ws_new_sized(URL, &newer.o, sizeof newer);
		CHECK_EQ_U(ws_open(t.ws), cases[i].err);
		if (cases[i].err) {
			CHECK_EQ_S(ws_report(t.ws)->option, "opt");
			CHECK(strstr(ws_errmsg(t.ws),
			             "opt: has an option that this library does not know"));
			newer.o.io = NULL;
			CHECK_EQ_U(ws_query_sized(URL, &newer.o, sizeof newer, WS_TEXT, "x", 1, &a),
			           WS_EUSAGE);
			CHECK(strstr(a.error, "that this library does not know"));
			ws_answer_free_sized(&a, &newer.o, sizeof newer);
		}
		talk_end(&t);
	}
	check_row_end();
	for (i = 0; i < sizeof t.o.tls.reserved / sizeof t.o.tls.reserved[0]; i++) {
		talk_begin(&t, "", 0);
		t.o.tls.reserved[i] = "x";
		t.ws = ws_new(URL, &t.o);
		CHECK_EQ_U(ws_open(t.ws), WS_EUSAGE);
		CHECK_EQ_S(ws_report(t.ws)->option, "tls");
		CHECK(strstr(ws_errmsg(t.ws), "that this library does not know"));
		talk_end(&t);
	}
}

/* A file that cannot be read is the same error, whether trust is shared or not. */
static void test_shared_trust(void)
{
	static const struct {
		const char *ca_file, *ca_dir;
	} cases[] = {{"/nonexistent/ca.pem", NULL}, {NULL, "/nonexistent"}, {"/", NULL},
	             {"/dev/null", NULL},           {NULL, "/dev/null"},    {"", ""}};
	char alone[200], option[20];
	struct ws_trust *trust;
	struct ws_options o = {0};
	struct ws_conn *ws;
	struct fake f;
	size_t i;

	fake_init(&f, "", 0);
	o.alloc = fake_alloc;
	o.user_data = &f;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s, %s", cases[i].ca_file ? cases[i].ca_file : "-",
		          cases[i].ca_dir ? cases[i].ca_dir : "-");
		o.tls.trust = NULL;
		o.tls.ca_file = cases[i].ca_file;
		o.tls.ca_dir = cases[i].ca_dir;
		ws = ws_new("wss://a/", &o);
		CHECK_EQ_U(ws_open(ws), WS_EUSAGE);
		snprintf(alone, sizeof alone, "%s", ws_errmsg(ws));
		snprintf(option, sizeof option, "%s", ws_report(ws)->option);
		ws_free(ws);

		o.connect_timeout_ms = 5000;
		trust = o.tls.trust = ws_trust_new(&o);
		if (!CHECK(trust != NULL))
			return;
		CHECK_EQ_S(ws_trust_errmsg(trust), alone);
		ws = ws_new("wss://a/", &o);
		ws_trust_free(trust);
		CHECK_EQ_U(ws_open(ws), WS_EUSAGE);
		CHECK_EQ_S(ws_errmsg(ws), alone);
		CHECK_EQ_S(ws_report(ws)->option, option);
		ws_free(ws);
	}
	check_row_end();
	CHECK(f.alive == 0 && f.blocks == 0 && !f.wrong);
	ws_trust_free(NULL);
}

/* A FIFO that stays empty and open is read until connect_timeout_ms is over. */
static void test_shared_trust_in_time(void)
{
	char dir[] = "/tmp/test_ws_open.XXXXXX", path[40];
	struct ws_options o = {.timeout_ms = -1, .connect_timeout_ms = 20};
	struct ws_trust *trust;
	int fd;

	CHECK(mkdtemp(dir) != NULL);
	snprintf(path, sizeof path, "%s/fifo", dir);
	CHECK_EQ_U(mkfifo(path, 0600), 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	o.tls.ca_file = path;
	trust = ws_trust_new(&o);
	CHECK(strstr(ws_trust_errmsg(trust), "timed out"));
	ws_trust_free(trust);
	close(fd);
	unlink(path);
	rmdir(dir);
}

/* The system's certificates: it is no error that this machine has none until one is needed. */
static void test_shared_trust_of_the_system(void)
{
	struct ws_trust *trust = ws_trust_new(NULL);

	if (!CHECK(trust != NULL))
		return;
	if (ws_features() & WS_HAS_TLS)
		CHECK_EQ_S(ws_trust_errmsg(trust), "");
	else
		CHECK_EQ_S(ws_trust_errmsg(trust), "tls: not built in");
	ws_trust_free(trust);
}

static void test_names(void)
{
	static const struct {
		int err;
		const char *name;
	} names[] = {{0, "ok"},
	             {WS_AGAIN, "again"},
	             {WS_ETIMEOUT, "timeout"},
	             {WS_ECANCELED, "canceled"},
	             {WS_EUSAGE, "usage"},
	             {WS_EURL, "url"},
	             {WS_EMEMORY, "memory"},
	             {WS_EUNSUPPORTED, "unsupported"},
	             {WS_EENTROPY, "entropy"},
	             {WS_EIO, "io"},
	             {WS_ERESOLVE, "resolve"},
	             {WS_EREFUSED, "refused"},
	             {WS_EUNREACHABLE, "unreachable"},
	             {WS_EPROXY, "proxy"},
	             {WS_ETLS, "tls"},
	             {WS_ECERT, "certificate"},
	             {WS_EHTTP, "http"},
	             {WS_EREDIRECT, "redirect"},
	             {WS_EHANDSHAKE, "handshake"},
	             {WS_EPROTOCOL, "protocol"},
	             {WS_EUTF8, "utf8"},
	             {WS_ETOOBIG, "too_big"},
	             {WS_ECLOSED, "closed"},
	             {WS_ERESET, "reset"}};
	static const char *const phases[] = {"resolve", "connect", "proxy",   "tls", "upgrade",
	                                     "ready",   "url",     "closing", "done"};
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		check_row("%s %d", names[i].name, names[i].err);
		CHECK_EQ_S(ws_errname(names[i].err), names[i].name);
	}
	check_row_end();
	for (i = 0; i < 100; i++) /* unused ones, too: a newer library may have them */
		CHECK(ws_errname(-(int)i)[0] >= 'a' && ws_errname(-(int)i)[0] <= 'z');
	CHECK_EQ_S(ws_errname(-999), "unknown");
	CHECK_EQ_S(ws_errname(-12345), "unknown");
	CHECK_EQ_S(ws_errname(1), "ok"); /* a result >= 0 is success */
	CHECK_EQ_S(ws_errname(77), "ok");
	CHECK_EQ_S(ws_closename(WS_CLOSE_NORMAL), "normal closure");
	CHECK_EQ_S(ws_closename(WS_CLOSE_TIMEOUT), "timeout");
	CHECK_EQ_S(ws_closename(4000), "");
	CHECK_EQ_S(ws_closename(-1), "");
	for (i = 0; i < sizeof phases / sizeof phases[0]; i++) {
		check_row("%s", phases[i]);
		CHECK_EQ_S(ws_phasename((enum ws_phase)i), phases[i]);
	}
	check_row_end();
	for (; i < 99; i++)
		CHECK_EQ_S(ws_phasename((enum ws_phase)i), "");
	CHECK(strncmp(ws_version(), WS_VERSION, strlen(WS_VERSION)) == 0);
}

static void test_open_keeps_its_deadline(void)
{
	static const struct {
		const char *what, *in;
		int timeout, connect_timeout;
		size_t split, step;
		int64_t gap_us, wake_us, tick_us;
		int64_t want_us;
	} cases[] = {
	    {"silent", "", 0, 0, 0, 0, 0, 0, 0, 10000000},
	    {"silent, and signals", "", 0, 0, 0, 0, 0, 1700, 0, 10000000},
	    {"timeout_ms", "", 1500, 0, 0, 0, 0, 0, 0, 1500000},
	    {"connect_timeout_ms", "", 1500, 700, 0, 0, 0, 0, 0, 700000},
	    {"connect_timeout_ms that is more", "", 1500, 2000, 0, 0, 0, 0, 0, 1500000},
	    {"connect_timeout_ms that is as much", "", 1500, 1500, 0, 0, 0, 0, 0, 1500000},
	    {"no limit but connect_timeout_ms", "", -1, 700, 0, 0, 0, 0, 0, 700000},
	    {"a byte a second", FAKE_101, 0, 0, 1, 1, 1000000, 0, 0, 10000000},
	    {"a byte a second, and signals", FAKE_101, 0, 0, 1, 1, 1000000, 333333, 0, 10000000},
	    {"all but a byte", FAKE_101, 3000, 0, HEAD_LEN - 1, 1, 4000000, 0, 0, 3000000},
	    {"interim answers",
	     "HTTP/1.1 100 a\r\n\r\nHTTP/1.1 100 b\r\n\r\nHTTP/1.1 100 c\r\n\r\n", 3000, 0, 18, 18,
	     1000000, 0, 0, 3000000},
	    {"a clock that moves by itself", FAKE_101, 1, 0, 1, 1, 0, 0, 10, 1000},
	};
	size_t i;
	int nonblock;

	for (nonblock = 0; nonblock < 2; nonblock++) {
		for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
			struct fake f;
			struct ws_options o;
			struct ws_io io;
			struct ws_conn *ws;
			int r;

			check_row("%s, nonblock %d", cases[i].what, nonblock);
			fake_init(&f, cases[i].in, strlen(cases[i].in));
			fake_options(&f, &o, &io);
			f.split = cases[i].split;
			f.step = cases[i].step;
			f.gap_us = cases[i].gap_us;
			f.wake_us = cases[i].wake_us;
			f.tick_us = cases[i].tick_us;
			o.timeout_ms = cases[i].timeout;
			o.connect_timeout_ms = cases[i].connect_timeout;
			o.nonblock = nonblock;
			ws = ws_new(URL, &o);
			REPEAT(r, &f, ws, nonblock, ws_open(ws));
			timed(cases[i].what, r, WS_ETIMEOUT, &f, cases[i].want_us);
			CHECK_EQ_U(ws_report(ws)->phase, WS_PHASE_UPGRADE);
			CHECK_EQ_U(ws_open(ws), WS_ETIMEOUT); /* it has failed */
			CHECK(strstr(ws_errmsg(ws), "server.example.com") != NULL);
			CHECK((strstr(ws_errmsg(ws), "connect timeout") != NULL)
			      == (cases[i].connect_timeout
			          && cases[i].connect_timeout != cases[i].timeout
			          && cases[i].connect_timeout * 1000 == cases[i].want_us));
			ws_free(ws);
			check_clean(&f);
			fake_free(&f);
		}
	}
	check_row_end();
	/* the server does not read the request */
	for (nonblock = 0; nonblock < 2; nonblock++) {
		struct talk t;
		int r;

		talk_begin(&t, "", 0);
		t.f.room = 10;
		t.f.drain = 0;
		t.o.nonblock = nonblock;
		t.ws = ws_new(URL, &t.o);
		REPEAT(r, &t.f, t.ws, nonblock, ws_open(t.ws));
		timed("request not taken", r, WS_ETIMEOUT, &t.f, 10000000);
		CHECK(!strstr(ws_errmsg(t.ws), "response"));
		talk_end(&t);
	}
}

/* How much of an invalid value an error shows: nothing that may be a secret. */
static void test_what_is_shown(void)
{
	static const char *const no_colon[] = {"Authorization Basic c2VjcmV0", NULL},
	                         *const blank_in_name[] = {"My name: x", NULL},
	                         *const bad_value[] = {"X-Token: a;b\r\nc", NULL},
	                         *const at[] = {"me@a:0:1.2.3.4", NULL},
	                         *const no_token[] = {"a@b;c", NULL},
	                         *const one_character[] = {"@", NULL};
	struct talk t;

#define SHOWS(sentence, set)                                                                       \
	do {                                                                                       \
		talk_begin(&t, "", 0);                                                             \
		t.o.io = NULL;                                                                     \
		t.f.alloc_limit = 1 << 20;                                                         \
		set;                                                                               \
		t.ws = ws_new("ws://127.0.0.1:1/", &t.o);                                          \
		CHECK_EQ_S(t.ws ? ws_errmsg(t.ws) : "out of memory", sentence);                    \
		ws_free(t.ws);                                                                     \
		CHECK_EQ_U(t.f.alive, 0);                                                          \
		fake_free(&t.f);                                                                   \
		script_free(&t.s);                                                                 \
	} while (0)

	SHOWS("headers: \"Authorization\": is not of the form \"Name: value\"",
	      t.o.headers = no_colon);
	SHOWS("headers: \"My name\": is not of the form \"Name: value\"",
	      t.o.headers = blank_in_name);
	SHOWS("headers: \"X-Token\": has a line break (byte 13)", t.o.headers = bad_value);
	SHOWS("subprotocols: \"a@b;c\": must not have the character \"@\" (byte 2): a token has "
	      "letters, digits and !#$%&'*+-.^_`|~",
	      t.o.subprotocols = no_token);
	SHOWS("subprotocols: \"@\": must not have the character \"@\" (byte 1): a token has "
	      "letters, digits and !#$%&'*+-.^_`|~",
	      t.o.subprotocols = one_character);
	SHOWS("unix_socket: is empty", t.o.unix_socket = "");
	SHOWS("origin: \"http://a/?token=***\": has a line break (byte 24)",
	      t.o.origin = "http://me:pw@a/?token=b\n");
	SHOWS("host: \"a b\": must not have the character \"@\" (byte 6)", t.o.host = "me:pw@a b");
	SHOWS("user_agent: \"a@b?\": has a line break (byte 4)", t.o.user_agent = "a@b\n");
	SHOWS("cookie: has a line break (byte 7)", t.o.cookie = "secret\r");
	SHOWS("user: has no ':' between name and password", t.o.user = "secret");
	SHOWS("bearer: has a character that is not allowed (byte 4)", t.o.bearer = "sec ret");
	SHOWS("recv_buffer: is not between 256 bytes and a quarter of memory",
	      t.o.recv_buffer = PTRDIFF_MAX / 4 + 1);
	SHOWS("send_buffer: is not between 256 bytes and a quarter of memory",
	      t.o.send_buffer = PTRDIFF_MAX / 4 + 1);
	SHOWS("out of memory", t.o.recv_buffer = PTRDIFF_MAX / 4);
#ifndef WS_NO_NET
	SHOWS("fd: is not an open descriptor", (t.o.use_fd = 1, t.o.fd = INT_MAX));
	SHOWS("resolve: \"a:0:1.2.3.4\": is not HOST:PORT:ADDRESS", t.o.resolve = at);
	SHOWS("local_interface: \"not@an-interface-or-so\": is neither an address nor the name of "
	      "a device",
	      t.o.local_interface = "not@an-interface-or-so");
#endif
	if (ws_features() & WS_HAS_PROXY) {
		SHOWS("proxy: \"http://a b\": its host has a character that a name must not have "
		      "(byte 15)",
		      t.o.proxy = "http://me:pw@a b");
		SHOWS("proxy: \"http://a/***\": it has a path, which means nothing for a proxy "
		      "(byte 15)",
		      t.o.proxy = "http://me:pw@a/b");
		SHOWS("proxy_wss: \"http://a:99999/\": its port is not a number from 1 to 65535 "
		      "(and an IPv6 address needs brackets) (byte 15)",
		      t.o.proxy_wss = "http://me:pw@a:99999/");
		SHOWS("no_proxy: \"10.0.0.0/33\": is not a host, domain, address or CIDR block",
		      t.o.no_proxy = "a,me:pw@10.0.0.0/33,b");
		SHOWS("no_proxy: \"10.0.0.0/33\": is not a host, domain, address or CIDR block",
		      t.o.no_proxy = "a, 10.0.0.0/33 b");
		SHOWS("no_proxy: \"10.0.0.0/33\": is not a host, domain, address or CIDR block",
		      t.o.no_proxy = "10.0.0.0/33\tb");
		SHOWS("no_proxy: \"10.0.0.0/33\": is not a host, domain, address or CIDR block",
		      t.o.no_proxy = "a\x01"
		                     "10.0.0.0/33\x1f"
		                     "b");
		SHOWS("no_proxy: \"10.0.0.0/33\": is not a host, domain, address or CIDR block",
		      t.o.no_proxy = "10.0.0.0/33\x01"
		                     "b");
		SHOWS("no_proxy: \"a!b\": is not a host, domain, address or CIDR block",
		      t.o.no_proxy = "a!b");
		/* if two options are invalid, the error shows the first one's value */
		SHOWS("user_agent: \"a@b?\": has a line break (byte 4)",
		      (t.o.user_agent = "a@b\n", t.o.no_proxy = "10.0.0.0/33"));
	}
}

int main(void)
{
	TEST(test_open_keeps_its_deadline);
	TEST(test_wrong_options_are_named);
	TEST(test_what_is_shown);
	TEST(test_options_are_copied);
	TEST(test_stream);
	TEST(test_features);
	TEST(test_ways_exclude_each_other);
#ifndef WS_NO_NET
	TEST(test_options_of_an_older_program);
#endif
	TEST(test_options_of_a_newer_program);
	TEST(test_shared_trust);
	TEST(test_shared_trust_of_the_system);
	if (ws_features() & WS_HAS_TLS)
		TEST(test_shared_trust_in_time);
	TEST(test_names);
	return check_done();
}
