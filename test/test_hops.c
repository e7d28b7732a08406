/* SPDX-License-Identifier: ISC
 * test_hops.c - redirects and proxies over real sockets
 */
#include "net.h"

/* Redirects (RFC 6455 4.1), and which headers are sent to which origin. */
static const char *base64_user = "Authorization: Basic bWU6czNjcmV0"; /* me:s3cret */

#define INTERIM "HTTP/1.1 100 x\r\n\r\n"

static void test_redirects(void)
{
	struct server s, other;
	struct client c;
	char to[6][200], text[200];
	struct visit script[8], away[2];
	static const char *const headers[] = {"Cookie: a=b", "X-Mine: yes", NULL};
	int i, nonblock;

	for (nonblock = 0; nonblock < 2; nonblock++) {
		/* relative, absolute, with http instead of ws, and then to another origin */
		memset(script, 0, sizeof script);
		memset(away, 0, sizeof away);
		s.port = other.port = 0;
		s.fd = bound("127.0.0.1", &s.port);
		other.fd = bound("127.0.0.1", &other.port);
		sprintf(to[0], "HTTP/1.1 301 x\r\nLocation: two?q#frag\r\nContent-Length: 0\r\n\r\n"
		               "HTTP/1.1 403 not for the next hop\r\n\r\n");
		sprintf(to[1], "HTTP/1.1 302 x\r\nLocation: http://127.0.0.1:%d/three\r\n\r\n",
		        s.port);
		sprintf(to[2],
		        "HTTP/1.1 100 y\r\n\r\nHTTP/1.1 303 x\r\nLocation: //127.0.0.1:%d\r\n\r\n",
		        other.port);
		for (i = 0; i < 3; i++) {
			script[i].acts[0].until = "\r\n\r\n";
			script[i].acts[0].say = to[i];
		}
		/* the limit of eight interim responses applies to each hop alone */
		away[0].acts[0].until = "\r\n\r\n";
		away[0].acts[0].say =
		    INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM FAKE_101
		    "\x81\x02hi\x88\x02\x03\xe8";
		server_on(&s, s.fd, script, 3);
		server_on(&other, other.fd, away, 1);
		client_init(&c, "ws://me:s3cret@127.0.0.1:%d/one/?a", s.port);
		c.o.nonblock = nonblock;
		c.o.max_redirects = 3;
		c.o.headers = headers;
		c.o.host = "first.test";
		if (!CHECK(client_open(&c) == 0))
			fprintf(stderr, "\t%s\n", ws_errmsg(c.ws));
		CHECK_EQ_U(ws_report(c.ws)->redirects, 3);
		CHECK_EQ_U(ws_report(c.ws)->http_status, 101);
		CHECK_EQ_U(ws_report(c.ws)->tls_verified, 0);
		sprintf(text, "http://127.0.0.1:%d",
		        other.port); /* a relative URL keeps the scheme */
		CHECK_EQ_S(ws_report(c.ws)->url, text);
		sprintf(text, "127.0.0.1:%d", other.port);
		CHECK_EQ_S(ws_report(c.ws)->address, text);
		client_talk(&c);
		client_free(&c);
		server_end(&s);
		server_end(&other);
		CHECK(strncmp(s.seen[0], "GET /one/?a HTTP/1.1\r\n", 22) == 0);
		CHECK(strncmp(s.seen[1], "GET /one/two?q HTTP/1.1\r\n", 25) == 0);
		CHECK(strncmp(s.seen[2], "GET /three HTTP/1.1\r\n", 21) == 0);
		CHECK(strncmp(other.seen[0], "GET / HTTP/1.1\r\n", 16) == 0);
		for (i = 0; i < 3; i++) {
			CHECK(strstr(s.seen[i], "Cookie: a=b\r\n")
			      && strstr(s.seen[i], "X-Mine: yes\r\n")
			      && strstr(s.seen[i], "Host: first.test\r\n"));
			CHECK(strstr(s.seen[i], base64_user) != NULL);
		}
		CHECK(!strstr(other.seen[0], "Authorization") && !strstr(other.seen[0], "Cookie")
		      && !strstr(other.seen[0], "first.test")
		      && strstr(other.seen[0], "X-Mine: yes\r\n"));
		sprintf(text, "Host: 127.0.0.1:%d\r\n", other.port);
		CHECK(strstr(other.seen[0], text) != NULL);
	}
	/* redirects that are not followed */
	{
		static char longest[WS_MAX_URL + 200];
		static const struct {
			const char *what, *location, *has;
			int max, err;
		} cases[] = {
		    {"max_redirects is 0", "Location: /x\r\n", "302", 0, WS_EHTTP},
		    {"no Location", "", "\" (HTTP 302): it has no Location header", 1,
		     WS_EREDIRECT},
		    {"an empty one", "Location: \r\n", "Location", 1, WS_EREDIRECT},
		    {"two", "Location: /x\r\nLocation: /y\r\n", "Location", 1, WS_EREDIRECT},
		    {"userinfo", "Location: ws://u:pw@127.0.0.1:1/\r\n", "user", 1, WS_EREDIRECT},
		    {"a user name of one character", "Location: ws://u@127.0.0.1:1/\r\n", "user", 1,
		     WS_EREDIRECT},
		    {"another scheme", "Location: ftp://127.0.0.1:1/\r\n",
		     "\"ftp://127.0.0.1:1/\" (HTTP 302): it does not begin with ws:// or wss://", 1,
		     WS_EREDIRECT},
		    {"no host", "Location: ws://\r\n", "", 1, WS_EREDIRECT},
		    {"a bad byte", "Location: /a b\r\n",
		     "it has a character that must be percent-encoded: in its path, a space is "
		     "written %20",
		     1, WS_EREDIRECT},
		    {"one too long", NULL, "", 1, WS_EREDIRECT},
		};
		size_t k;

		for (k = 0; k < sizeof cases / sizeof cases[0]; k++) {
			check_row("%s", cases[k].what);
			memset(script, 0, sizeof script);
			if (cases[k].location) {
				sprintf(longest,
				        "HTTP/1.1 302 Found\r\n%sContent-Length: 0\r\n\r\n",
				        cases[k].location);
			} else {
				memset(longest, 'x', sizeof longest);
				memcpy(longest, "HTTP/1.1 302 Found\r\nLocation: /", 31);
				memcpy(longest + WS_MAX_URL + 100, "\r\n\r\n", 5);
			}
			script[0].acts[0].until = "\r\n\r\n";
			script[0].acts[0].say = longest;
			server_start(&s, script, 1);
			client_init(&c, "ws://127.0.0.1:%d/", s.port);
			c.o.max_redirects = cases[k].max;
			CHECK_EQ_U(client_open(&c), cases[k].err);
			if (!CHECK(strstr(ws_errmsg(c.ws), cases[k].has)
			           && !strstr(ws_errmsg(c.ws), "pw@")))
				fprintf(stderr, "%s: %s\n", cases[k].what, ws_errmsg(c.ws));
			sprintf(text, "redirect from ws://127.0.0.1:%d/ to \"", s.port);
			if (cases[k].err == WS_EREDIRECT)
				HAS(&c, text);
			if (!cases[k].location) /* a long Location is cut after 1023 bytes */
				CHECK_EQ_U(strspn(strstr(ws_errmsg(c.ws), "/x") + 1, "x"), 1022);
			CHECK_EQ_U(ws_report(c.ws)->http_status, 302);
			CHECK_EQ_U(ws_report(c.ws)->redirects, 0);
			client_free(&c);
			server_end(&s);
		}
		check_row_end();
		/* a URL of the greatest length is followed; the server then closes the connection */
		memset(script, 0, sizeof script);
		memset(longest, 'x', sizeof longest);
		s.port = 0;
		s.fd = bound("127.0.0.1", &s.port);
		i = sprintf(longest, "HTTP/1.1 302 Found\r\nLocation: ");
		longest[i + sprintf(longest + i, "ws://127.0.0.1:%d/", s.port)] = 'x';
		memcpy(longest + i + WS_MAX_URL, "\r\n\r\n", 5);
		script[0].acts[0].until = "\r\n\r\n";
		script[0].acts[0].say = longest;
		script[1].then = HANG_UP;
		server_on(&s, s.fd, script, 2);
		client_init(&c, "ws://127.0.0.1:%d/", s.port);
		c.o.max_redirects = 1;
		CHECK(client_open(&c) != WS_EREDIRECT);
		CHECK_EQ_U(ws_report(c.ws)->redirects, 1);
		client_free(&c);
		server_end(&s);
		/* 300 and 304 are not redirects */
		memset(script, 0, sizeof script);
		script[0].acts[0].until = script[1].acts[0].until = "\r\n\r\n";
		script[0].acts[0].say =
		    "HTTP/1.1 300 x\r\nLocation: /\r\nContent-Length: 0\r\n\r\n";
		script[1].acts[0].say = "HTTP/1.1 304 x\r\nLocation: /\r\n\r\n";
		server_start(&s, script, 2);
		for (i = 0; i < 2; i++) {
			client_init(&c, "ws://127.0.0.1:%d/", s.port);
			c.o.max_redirects = 3;
			CHECK_EQ_U(client_open(&c), WS_EHTTP);
			client_free(&c);
		}
		server_end(&s);
	}
	/* a loop ends at the limit, and the error shows the chain */
	memset(script, 0, sizeof script);
	for (i = 0; i < 4; i++) {
		script[i].acts[0].until = "\r\n\r\n";
		script[i].acts[0].say = i % 2 ? "HTTP/1.1 308 x\r\nLocation: a\r\n\r\n"
		                              : "HTTP/1.1 307 x\r\nLocation: /b\r\n\r\n";
	}
	server_start(&s, script, 4);
	client_init(&c, "ws://127.0.0.1:%d/a", s.port);
	c.o.max_redirects = 3;
	CHECK_EQ_U(client_open(&c), WS_EREDIRECT);
	CHECK_EQ_U(ws_report(c.ws)->redirects, 3);
	sprintf(text, "ws://127.0.0.1:%d/a -> ws://127.0.0.1:%d/b -> ws://127.0.0.1:%d/a", s.port,
	        s.port, s.port);
	HAS(&c, text);
	HAS(&c, "(HTTP 308): over the limit of redirects, which is 3");
	client_free(&c);
	server_end(&s);
	/* one deadline for all hops */
	memset(script, 0, sizeof script);
	script[0].acts[0].until = "\r\n\r\n";
	script[0].acts[0].say = "HTTP/1.1 307 x\r\nLocation: /b\r\n\r\n";
	script[1].acts[0].until = "never";
	server_start(&s, script, 2);
	client_init(&c, "ws://127.0.0.1:%d/a", s.port);
	c.o.max_redirects = 3;
	c.o.timeout_ms = 200;
	CHECK_EQ_U(client_open(&c), WS_ETIMEOUT);
	CHECK(c.us >= 200000 && c.us < 5000000);
	HAS(&c, "/b");
	client_free(&c);
	server_end(&s);
	/* to a name without an address: the error shows the chain */
	if (ws_features() & WS_HAS_RESOLVER) {
		script[0].acts[0].say = "HTTP/1.1 307 x\r\nLocation: ws://none.test/\r\n\r\n";
		server_start(&s, script, 1);
		client_init(&c, "ws://127.0.0.1:%d/a", s.port);
		c.o.max_redirects = 3;
		CHECK_EQ_U(client_open(&c), WS_ERESOLVE);
		sprintf(text,
		        "resolve none.test: Name or service not known (redirected: "
		        "ws://127.0.0.1:%d/a -> ws://none.test/)",
		        s.port);
		CHECK_EQ_S(ws_errmsg(c.ws), text);
		CHECK_EQ_S(ws_report(c.ws)->address, "");    /* that was the first server's */
		CHECK_EQ_U(ws_report(c.ws)->http_status, 0); /* this hop has no response */
		CHECK_EQ_S(ws_report(c.ws)->head, "");
		client_free(&c);
		server_end(&s);
	}
	/* wss:// without TLS */
	if (!(ws_features() & WS_HAS_TLS)) {
		script[0].acts[0].say = "HTTP/1.1 307 x\r\nLocation: wss://127.0.0.1/\r\n\r\n";
		server_start(&s, script, 1);
		client_init(&c, "ws://127.0.0.1:%d/a", s.port);
		c.o.max_redirects = 3;
		CHECK_EQ_U(client_open(&c), WS_EUNSUPPORTED);
		client_free(&c);
		server_end(&s);
	}
	/* with unix_socket a redirect must stay at its origin */
	{
		char dir[] = "/tmp/test_net.XXXXXX", path[100];
		struct sockaddr_un sun;

		CHECK(mkdtemp(dir) != NULL);
		sprintf(path, "%s/s", dir);
		memset(&sun, 0, sizeof sun);
		sun.sun_family = AF_UNIX;
		strcpy(sun.sun_path, path);
		memset(script, 0, sizeof script);
		script[0].acts[0].until = script[1].acts[0].until = "\r\n\r\n";
		script[0].acts[0].say = "HTTP/1.1 307 x\r\nLocation: /b\r\n\r\n";
		script[1].acts[0].say = "HTTP/1.1 307 x\r\nLocation: ws://b.test/\r\n\r\n";
		s.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		CHECK(bind(s.fd, (struct sockaddr *)&sun, sizeof sun) == 0);
		server_on(&s, s.fd, script, 2);
		client_init(&c, "ws://a.test/");
		c.o.unix_socket = path;
		c.o.max_redirects = 5;
		CHECK_EQ_U(client_open(&c), WS_EREDIRECT);
		CHECK_EQ_U(ws_report(c.ws)->redirects, 1);
		client_free(&c);
		server_end(&s);
		unlink(path);
		rmdir(dir);
	}
	/* each allocation fails in turn: no leak, no descriptor left open */
	for (i = 1; i < 60; i++) {
		struct ws_answer a;
		int r, before = count_fds();

		memset(script, 0, sizeof script);
		script[0].acts[0].until = script[1].acts[0].until = "\r\n\r\n";
		script[0].acts[0].say = "HTTP/1.1 301 x\r\nLocation: /b\r\n\r\n";
		script[1].acts[0].say = "HTTP/1.1 302 x\r\nLocation: /c\r\n\r\n";
		script[2] = good[0];
		server_start(&s, script, 3);
		client_init(&c, "ws://localhost:%d/a", s.port);
		c.o.max_redirects = 2;
		c.f.alloc_fail_at = (unsigned long)i;
		r = ws_query(c.url, &c.o, WS_TEXT, "x", 1, &a);
		if (!CHECK(r == 0 ? a.data && strcmp(a.data, "hi") == 0
		                  : r == WS_EMEMORY && c.f.failed_allocs))
			fprintf(stderr, "allocation %d: %d %s\n", i, r, a.error);
		ws_answer_free(&a, &c.o);
		CHECK(!a.data && a.len == 0);
		CHECK(c.f.alive == 0 && c.f.blocks == 0 && !c.f.wrong);
		server_end(&s);
		CHECK_EQ_U(count_fds(), before);
		if (!c.f.failed_allocs)
			break;
	}
	CHECK(i > 10 && i < 60);
}

/* The time that a hop takes is added to that of the hops before. */
static void test_time_of_redirects(void)
{
	struct visit script[2];
	struct ws_pollset set;
	struct server s;
	struct client c;
	int64_t start, spent = 0;
	int i, r;

	memset(script, 0, sizeof script);
	script[0].acts[0].until = "\r\n\r\n";
	script[0].acts[0].say = "HTTP/1.1 301 x\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n";
	script[1] = good[0];
	server_start(&s, script, 2);
	client_init(&c, "ws://127.0.0.1:%d/a", s.port);
	c.o.nonblock = 1;
	c.o.max_redirects = 1;
	c.o.timeout_ms = -1;
	c.o.now_us = fake_now; /* a clock that moves only here */
	start = c.f.now;
	c.ws = ws_new(c.url, &c.o);
	while ((r = ws_open(c.ws)) == WS_AGAIN) {
		c.f.now += 1000;
		ws_wants(c.ws, &set);
		set.timeout_ms = 20000;
		poll_set(&set);
	}
	CHECK_EQ_U(r, 0);
	for (i = 0; i < WS_PHASES_TIMED; i++)
		if (ws_report(c.ws)->phase_us[i] > 0)
			spent += ws_report(c.ws)->phase_us[i];
	CHECK(ws_report(c.ws)->phase_us[WS_PHASE_UPGRADE] >= 2000);
	CHECK_EQ_U(spent, c.f.now - start);
	client_talk(&c);
	client_free(&c);
	server_end(&s);
}

#ifdef __linux__
/* A redirect with a long URL to a host with many addresses, all of which fail: the sentence has it
 * all. */
static void test_long_sentence(void)
{
	char url[200], end[300], lines[WS_MAX_ADDRESSES][60];
	const char *resolve[WS_MAX_ADDRESSES + 1] = {NULL};
	struct visit script[1];
	struct server s;
	struct client c;
	int i;

	memset(script, 0, sizeof script);
	script[0].acts[0].until = "\r\n\r\n";
	script[0].acts[0].say = "HTTP/1.1 301 x\r\nLocation: ws://a.test/\r\n\r\n";
	server_start(&s, script, 1);
	for (i = 0; i < WS_MAX_ADDRESSES; i++) {
		sprintf(lines[i], "a.test:80:127.7.7.%d", 10 + i);
		resolve[i] = lines[i];
	}
	i = sprintf(url, "ws://127.0.0.1:%d/", s.port);
	memset(url + i, 'x', 150);
	url[i + 150] = '\0';
	sprintf(end, " (redirected: %s -> ws://a.test/)", url);
	client_init(&c, "%s", url);
	c.o.resolve = resolve;
	c.o.max_redirects = 1;
	c.o.on_socket = fail_attempts;
	attempts = 0;
	fails_from = 1;
	fails_to = 100;
	CHECK_EQ_U(client_open(&c), WS_EIO);
	atomic_store(&connect_errno, 0);
	CHECK_EQ_U(attempts, 1 + WS_MAX_ADDRESSES);
	CHECK(strlen(ws_errmsg(c.ws)) > 1600);
	HAS(&c, end);
	client_free(&c);
	server_end(&s);
}
#endif

/* A redirect from a host that is reached through the proxy to one that is not */
static void test_redirect_around_proxy(void)
{
	struct server s, other;
	struct client c;
	struct visit script[1];
	char to[100], proxy[60];

	server_start(&other, good, 1);
	sprintf(to, "HTTP/1.1 302 x\r\nLocation: ws://127.0.0.1:%d/\r\n\r\n", other.port);
	memset(script, 0, sizeof script);
	script[0].acts[0].until = script[0].acts[1].until = "\r\n\r\n";
	script[0].acts[0].say = "HTTP/1.1 200 OK\r\n\r\n";
	script[0].acts[1].say = to;
	server_start(&s, script, 1);
	sprintf(proxy, "http://127.0.0.1:%d", s.port);
	client_init(&c, "ws://target.test:8765/");
	c.o.proxy = proxy;
	c.o.no_proxy = "127.0.0.1";
	c.o.max_redirects = 1;
	CHECK_EQ_U(client_open(&c), 0);
	CHECK_EQ_U(ws_report(c.ws)->redirects, 1);
	client_talk(&c);
	client_free(&c);
	server_end(&s);
	server_end(&other);
	CHECK(strncmp(s.seen[0], "CONNECT target.test:8765 ", 25) == 0);
	CHECK(strncmp(other.seen[0], "GET / HTTP/1.1\r\n", 16) == 0);
}

/* The connection's part in the dialogue with a proxy. test_proxy.c tests the bytes. */

/* The heads that were passed to the trace callback, one after another */
static char heads[4000];

static void note_heads(void *user_data, int sent, int type, const void *data, size_t len)
{
	size_t n = strlen(heads);

	(void)user_data;
	CHECK(sent == 0 || sent == 1);
	if (type == WS_TRACE_HEAD && len + 1 < sizeof heads - n)
		snprintf(heads + n, sizeof heads - n, "%c%.*s", sent ? '>' : '<', (int)len,
		         (const char *)data);
}

static void test_proxies(void)
{
	static const char target[] = "ws://target.test:8765/x";
	static const struct {
		const char *what, *scheme, *user;
		struct visit v;
		int err, phase;
		const char *has, *saw;
	} cases[] = {
	    {"http",
	     "http",
	     "",
	     {{{"\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", 0},
	       {"\r\n\r\n", FAKE_101 "\x81\x02hi\x88\x02\x03\xe8", sizeof FAKE_101 - 1 + 8}},
	      LINGER},
	     0,
	     WS_PHASE_READY,
	     "",
	     "CONNECT target.test:8765 HTTP/1.1\r\n"},
	    {"http with a login",
	     "http",
	     "me:s3cret@",
	     {{{"\r\n\r\n", "HTTP/1.1 200 OK\r\nX: y\r\n\r\n", 0},
	       {"\r\n\r\n", FAKE_101 "\x81\x02hi\x88\x02\x03\xe8", sizeof FAKE_101 - 1 + 8}},
	      LINGER},
	     0,
	     WS_PHASE_READY,
	     "",
	     "Proxy-Authorization: Basic bWU6czNjcmV0\r\n"},
	    {"http, refused",
	     "http",
	     "me:s3cret@",
	     {{{"\r\n\r\n", "HTTP/1.1 407 Login\r\nContent-Length: 5\r\n\r\nhello", 0}}, LINGER},
	     WS_EPROXY,
	     WS_PHASE_PROXY,
	     "407",
	     "CONNECT"},
	    {"http, connection closed",
	     "http",
	     "",
	     {{{"\r\n\r\n", "HTTP/1.1 2", 0}}, HANG_UP},
	     WS_ECLOSED,
	     WS_PHASE_PROXY,
	     "closed within its response, which begins with \"HTTP/1.1 2\"",
	     "CONNECT"},
	    {"http, connection closed without a response",
	     "http",
	     "",
	     {{{"\r\n\r\n", NULL, 0}}, HANG_UP},
	     WS_ECLOSED,
	     WS_PHASE_PROXY,
	     "closed without a response; does this port speak HTTP without TLS",
	     "CONNECT"},
	    {"http, then the server refuses the upgrade",
	     "http",
	     "",
	     {{{"\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", 0},
	       {"\r\n\r\n", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 0}},
	      LINGER},
	     WS_EHTTP,
	     WS_PHASE_UPGRADE,
	     "upgrade of ws://target.test:8765/x refused by ws://target.test:8765/x through "
	     "127.0.0.1:",
	     "CONNECT"},
	    {"http, but the proxy speaks another protocol",
	     "http",
	     "",
	     {{{"\r\n\r\n", "SSH-2.0-x\r\n", 0}}, HANG_UP},
	     WS_EPROXY,
	     WS_PHASE_PROXY,
	     " for ws://target.test:8765/x: ",
	     "CONNECT"},
	    {"socks5h",
	     "socks5h",
	     "",
	     {{{"\x05\x01", "\x05\x00", 2},
	       {"target.test", "\x05\x00\x00\x01\x7f\x00\x00\x01\x22\x3d", 10},
	       {"\r\n\r\n", FAKE_101 "\x81\x02hi\x88\x02\x03\xe8", sizeof FAKE_101 - 1 + 8}},
	      LINGER},
	     0,
	     WS_PHASE_READY,
	     "",
	     "target.test"},
	    {"socks5h, with both answers at once",
	     "socks5h",
	     "",
	     {{{"\x05\x01", "\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x22\x3d", 12},
	       {"\r\n\r\n", FAKE_101 "\x81\x02hi\x88\x02\x03\xe8", sizeof FAKE_101 - 1 + 8}},
	      LINGER},
	     0,
	     WS_PHASE_READY,
	     "",
	     "target.test"},
	    {"socks5h, with the beginning of the second answer after the first",
	     "socks5h",
	     "",
	     {{{"\x05\x01", "\x05\x00\x05\x00\x00\x01", 6},
	       {"target.test", "\x7f\x00\x00\x01\x22\x3d", 6},
	       {"\r\n\r\n", FAKE_101 "\x81\x02hi\x88\x02\x03\xe8", sizeof FAKE_101 - 1 + 8}},
	      LINGER},
	     0,
	     WS_PHASE_READY,
	     "",
	     "target.test"},
	    {"socks5h, refused",
	     "socks5h",
	     "",
	     {{{"\x05\x01", "\x05\x00", 2},
	       {"target.test", "\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00", 10}},
	      LINGER},
	     WS_EPROXY,
	     WS_PHASE_PROXY,
	     "proxy 127.0.0.1:",
	     "target.test"},
	    {"socks4a",
	     "socks4a",
	     "",
	     {{{"target.test", "\x00\x5a\x00\x00\x00\x00\x00\x00", 8},
	       {"\r\n\r\n", FAKE_101 "\x81\x02hi\x88\x02\x03\xe8", sizeof FAKE_101 - 1 + 8}},
	      LINGER},
	     0,
	     WS_PHASE_READY,
	     "",
	     "target.test"},
	};
	struct server s;
	struct client c;
	char proxy[100], text[100];
	const char *known[] = {text, NULL};
	uint64_t sent, received;
	size_t i;
	int nonblock, port, fd;

	for (nonblock = 0; nonblock < 2; nonblock++) {
		for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
			int r;

			check_row("%s, nonblock %d", cases[i].what, nonblock);
			server_start(&s, &cases[i].v, 1);
			sprintf(proxy, "%s://%s127.0.0.1:%d", cases[i].scheme, cases[i].user,
			        s.port);
			client_init(&c, "%s", target);
			c.o.nonblock = nonblock;
			c.o.proxy = proxy;
#ifdef __linux__
			if (i == 0)
				atomic_store(&send_errno, EAGAIN); /* of the CONNECT, once */
#endif
			c.o.trace = note_heads;
			c.o.user_agent = "agent/1";
			heads[0] = '\0';
			r = client_open(&c);
			if (i < 2)
				CHECK(strncmp(heads, ">CONNECT target.test", 20) == 0
				      && strstr(heads, "<HTTP/1.1 200 OK\r\n") != NULL
				      && strstr(heads, "agent/1") != NULL
				      && strstr(heads, "agent/1") < strchr(heads, '<'));
			if (r == 0 && strncmp(cases[i].scheme, "socks", 5) == 0)
				CHECK(strncmp(heads, ">GET ", 5) == 0); /* SOCKS has no heads */
			sprintf(text, "127.0.0.1:%d", s.port);
			if (!CHECK(r == cases[i].err
			           && ws_report(c.ws)->phase == (enum ws_phase)cases[i].phase
			           && strstr(ws_errmsg(c.ws), cases[i].has)
			           && !strstr(ws_errmsg(c.ws), "s3cret")
			           && strcmp(ws_report(c.ws)->address, text) == 0))
				fprintf(stderr, "%s: %d %s\n", cases[i].what, r, ws_errmsg(c.ws));
			sent = ws_report(c.ws)->bytes_sent;
			received = ws_report(c.ws)->bytes_received;
			if (r == 0)
				client_talk(&c);
			client_free(&c);
			server_end(&s);
			if (r == 0) { /* bytes to and from the proxy are not counted */
				CHECK_EQ_U(sent, strlen(strstr(s.seen[0], "GET ")));
				CHECK(received >= strlen(FAKE_101)
				      && received <= strlen(FAKE_101) + 8);
			}
			if (!CHECK(strstr(s.seen[0], cases[i].saw) != NULL))
				fprintf(stderr, "%s: saw %s\n", cases[i].what, s.seen[0]);
		}
		check_row_end();
		/* for SOCKS4 we look up the address, and only IPv4 is possible */
		if (ws_features() & WS_HAS_RESOLVER) {
			static const struct visit four[] = {
			    {{{NULL, NULL, 0},
			      {"\x7b", "\x00\x5a\x00\x00\x00\x00\x00\x00", 8},
			      {"\r\n\r\n", FAKE_101 "\x81\x02hi\x88\x02\x03\xe8",
			       sizeof FAKE_101 - 1 + 8}},
			     LINGER}};
			struct visit v = four[0];

			v.acts[0] = v.acts[1];
			v.acts[1] = v.acts[2];
			memset(&v.acts[2], 0, sizeof v.acts[2]);
			server_start(&s, &v, 1);
			sprintf(proxy, "socks4://127.0.0.1:%d", s.port);
			client_init(&c, "ws://a6.a123-45-67-89.test:80/");
			c.o.nonblock = nonblock;
			c.o.proxy = proxy;
			CHECK_EQ_U(client_open(&c), 0);
			client_talk(&c);
			client_free(&c);
			server_end(&s);
			CHECK(memcmp(s.seen[0],
			             "\x04\x01"
			             "0"
			             "\x50"
			             "\x7b\x2d\x43\x59",
			             8)
			      == 0); /* the server stores a NUL as '0' */
			server_start(&s, &v, 0);
			sprintf(proxy, "socks4://127.0.0.1:%d", s.port);
			client_init(&c, "ws://none.test:80/");
			c.o.nonblock = nonblock;
			c.o.proxy = proxy;
			CHECK_EQ_U(client_open(&c), WS_ERESOLVE);
			HAS(&c, "none.test");
			client_free(&c);
			server_end(&s);
		}
		/* a proxy that refuses; no_proxy; proxy_wss applies to wss only */
		port = 0;
		fd = bound("127.0.0.1", &port);
		sprintf(proxy, "http://127.0.0.1:%d", port);
		client_init(&c, "%s", target);
		c.o.nonblock = nonblock;
		c.o.proxy = proxy;
		c.o.proxy_wss = "http://none.test";
		CHECK_EQ_U(client_open(&c), WS_EREFUSED);
		CHECK_EQ_U(ws_report(c.ws)->phase, WS_PHASE_CONNECT);
		HAS(&c, "proxy");
		client_free(&c);
		server_start(&s, good, 2);
		sprintf(text, "a127-0-0-1.test:%d:127.0.0.1", s.port);
		client_init(&c, "ws://a127-0-0-1.test:%d/", s.port);
		c.o.resolve = known;
		c.o.nonblock = nonblock;
		c.o.proxy = proxy;
		c.o.no_proxy = "b.test, .a127-0-0-1.test";
		CHECK_EQ_U(client_open(&c), 0);
		client_talk(&c);
		client_free(&c);
		client_init(&c, "ws://a127-0-0-1.test:%d/", s.port);
		c.o.resolve = known;
		c.o.nonblock = nonblock;
		c.o.proxy_wss = proxy;
		CHECK_EQ_U(client_open(&c), 0);
		client_talk(&c);
		client_free(&c);
		server_end(&s);
#ifdef WS_WITH_MBEDTLS
		client_init(&c, "wss://a127-0-0-1.test/");
		c.o.nonblock = nonblock;
		c.o.proxy = "http://none.test";
		c.o.proxy_wss = proxy;
		CHECK_EQ_U(client_open(&c), WS_EREFUSED);
		HAS(&c, "proxy");
		client_free(&c);
#endif
		close(fd);
		/* a proxy that never answers; a proxy whose answer is longer than the buffer */
		{
			static const struct visit mute[] = {{{{"never", NULL, 0}}, LINGER}};
			struct visit wordy[1];
			char *words = malloc(3000);

			server_start(&s, mute, 1);
			sprintf(proxy, "http://127.0.0.1:%d", s.port);
			client_init(&c, "%s", target);
			c.o.nonblock = nonblock;
			c.o.proxy = proxy;
			c.o.timeout_ms = 150;
			CHECK_EQ_U(client_open(&c), WS_ETIMEOUT);
			CHECK(c.us >= 150000 && c.us < 5000000);
			CHECK_EQ_U(ws_report(c.ws)->phase, WS_PHASE_PROXY);
			HAS(&c, "proxy");
			HAS(&c, ": no response; does this port speak HTTP without TLS");
			client_free(&c);
			server_end(&s);
			memset(words, 'x', 3000);
			memcpy(words, "HTTP/1.1 200 OK\r\nX: ", 20);
			memcpy(words + 2995, "\r\n\r\n", 5);
			memset(wordy, 0, sizeof wordy);
			wordy[0].acts[0].until = "\r\n\r\n";
			wordy[0].acts[0].say = words;
			server_start(&s, wordy, 1);
			sprintf(proxy, "http://127.0.0.1:%d", s.port);
			client_init(&c, "%s", target);
			c.o.nonblock = nonblock;
			c.o.proxy = proxy;
			c.o.recv_buffer = 256;
			CHECK_EQ_U(client_open(&c), WS_EPROXY);
			HAS(&c, "its response is longer than the receive buffer of 256 bytes");
			client_free(&c);
			server_end(&s);
			free(words);
		}
	}
	/* each allocation fails in turn */
	for (port = 1; port < 60; port++) {
		struct ws_answer a;
		int r;

		server_start(&s, &cases[0].v, 1);
		sprintf(proxy, "http://127.0.0.1:%d", s.port);
		client_init(&c, "%s", target);
		c.o.proxy = proxy;
		c.f.alloc_fail_at = (unsigned long)port;
		r = ws_query(c.url, &c.o, WS_TEXT, "x", 1, &a);
		CHECK(r == 0 ? a.data && strcmp(a.data, "hi") == 0
		             : r == WS_EMEMORY && c.f.failed_allocs);
		ws_answer_free(&a, &c.o);
		CHECK(c.f.alive == 0 && c.f.blocks == 0 && !c.f.wrong);
		server_end(&s);
		if (!c.f.failed_allocs)
			break;
	}
	CHECK(port > 6 && port < 60);
}

/* Bytes that arrive together with the proxy's answer belong to TLS. Here they are an alert. Each
 * allocation fails in turn, including the one for these bytes. */
static void test_proxy_reads_too_far(void)
{
	static const struct visit v = {
	    {{"\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n\x15\x03\x03\x00\x02\x02\x28", 19 + 7}}, LINGER};
	/* the rest arrives after the client has begun */
	static const struct visit in_two = {
	    {{"\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n\x15\x03\x03", 19 + 3},
	     {NULL, "\x00\x02\x02\x28", 4}},
	    LINGER};
	struct server s;
	struct client c;
	char proxy[100];
	int nonblock, fail_at, failed, r;

	for (nonblock = 0; nonblock < 2; nonblock++) {
		failed = 0;
		for (fail_at = 0; fail_at < 100;
		     fail_at += fail_at ? 1 : 2) { /* 0: none fails; 1 would fail in ws_new */
			check_row("nonblock %d, allocation %d", nonblock, fail_at);
			server_start(&s, &v, 1);
			sprintf(proxy, "http://127.0.0.1:%d", s.port);
			client_init(&c, "wss://target.test:8765/");
			c.o.nonblock = nonblock;
			c.o.proxy = proxy;
			c.o.tls.insecure_no_verify = 1;
			c.f.alloc_fail_at = (unsigned long)fail_at;
			r = client_open(&c);
			/* if only the memory for the sentence is missing, the error stays WS_ETLS
			 */
			CHECK(r == WS_ETLS || (r == WS_EMEMORY && c.f.failed_allocs));
			if (fail_at == 0)
				HAS(&c, "alert handshake_failure(40)");
			failed += r == WS_EMEMORY;
			client_free(&c);
			CHECK(c.f.alive == 0 && c.f.blocks == 0 && !c.f.wrong);
			server_end(&s);
			if (fail_at > 0 && !c.f.failed_allocs)
				break;
		}
		check_row_end();
		CHECK(failed >= 6 && fail_at < 100);
		server_start(&s, &in_two, 1);
		sprintf(proxy, "http://127.0.0.1:%d", s.port);
		client_init(&c, "wss://target.test:8765/");
		c.o.nonblock = nonblock;
		c.o.proxy = proxy;
		CHECK_EQ_U(client_open(&c), WS_ETLS);
		HAS(&c, "alert handshake_failure(40)");
		client_free(&c);
		server_end(&s);
	}
}

#ifdef __linux__
/* The clock jumps when the proxy has answered. */
static void be_late(void *user_data, int sent, int type, const void *data, size_t len)
{
	(void)data;
	(void)len;
	if (type == WS_TRACE_HEAD && sent == 0)
		((struct fake *)user_data)->now += 2000000;
}

/* The deadline passes after the proxy has sent more than its answer: "hi". */
static void test_late_after_proxy(void)
{
	static const struct {
		const char *scheme, *url, *answer;
		size_t answer_len;
		const char *has;
	} cases[] = {
	    {"socks5h", "ws://target.test/", "\x05\x00hi", 4,
	     " timed out after 2 s: the response is still incomplete; it begins with \"hi\""},
	    {"http", "wss://target.test/", "HTTP/1.1 200 OK\r\n\r\nhi", 21, " timed out after 2 s"},
	};
	struct ws_pollset set;
	struct client c;
	char proxy[60];
	int fd, peer, port, i, r, n = ws_features() & WS_HAS_TLS ? 2 : 1;

	for (i = 0; i < n; i++) {
		check_row("%s", cases[i].scheme);
		port = 0;
		fd = bound("127.0.0.1", &port);
		listen(fd, 1);
		sprintf(proxy, "%s://127.0.0.1:%d", cases[i].scheme, port);
		client_init(&c, "%s", cases[i].url);
		c.o.nonblock = 1;
		c.o.timeout_ms = 1000;
		c.o.now_us = fake_now; /* a clock that moves only here */
		c.o.trace = be_late;
		c.o.proxy = proxy;
		c.ws = ws_new(c.url, &c.o);
		while ((r = ws_open(c.ws)) == WS_AGAIN
		       && ws_report(c.ws)->phase != WS_PHASE_PROXY) {
			ws_wants(c.ws, &set);
			set.timeout_ms = 20000;
			poll_set(&set);
		}
		CHECK_EQ_U(r, WS_AGAIN);
		peer = accept(fd, NULL, NULL);
		CHECK_EQ_U(send(peer, cases[i].answer, cases[i].answer_len, 0),
		           cases[i].answer_len);
		ws_wants(c.ws, &set);
		CHECK_EQ_U(set.fd[0].events, WS_POLL_READ);
		poll_set(&set);
		if (i == 0) { /* the request that follows cannot be sent */
			atomic_store(&send_errno, EAGAIN);
			CHECK_EQ_U(ws_open(c.ws), WS_AGAIN);
			c.f.now += 2000000;
			atomic_store(&send_errno, EAGAIN);
		}
		CHECK_EQ_U(ws_open(c.ws), WS_ETIMEOUT);
		atomic_store(&send_errno, 0);
		HAS(&c, cases[i].has);
		CHECK(i == 0 || !strstr(ws_errmsg(c.ws), "hi\""));
		client_free(&c);
		close(peer);
		close(fd);
	}
	check_row_end();
}
#endif

int main(void)
{
	int before = count_fds();

	if (ws_features() & WS_HAS_REDIRECTS) {
		TEST(test_redirects);
		TEST(test_time_of_redirects);
#ifdef __linux__
		TEST(test_long_sentence);
#endif
	}
	if ((ws_features() & WS_HAS_REDIRECTS) && (ws_features() & WS_HAS_PROXY))
		TEST(test_redirect_around_proxy);
	if (ws_features() & WS_HAS_PROXY) {
		TEST(test_proxies);
#ifdef __linux__
		TEST(test_late_after_proxy);
#endif
	}
	if ((ws_features() & WS_HAS_PROXY) && (ws_features() & WS_HAS_TLS))
		TEST(test_proxy_reads_too_far);
	return net_done(before);
}
