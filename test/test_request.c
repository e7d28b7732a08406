/* SPDX-License-Identifier: ISC
 * test_request.c - request.c and header.c: the request byte for byte, and what its options may not
 * hold
 */
#include <stdlib.h>
#include "ws.h"
#include "ws_proto.h"
#include "check.h"
#include "exact.h"

#define KEY "dGhlIHNhbXBsZSBub25jZQ==" /* RFC 6455 1.2 */
#define CRLF "\r\n"

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct wsi_url parsed(const char *s)
{
	struct wsi_url u;

	CHECK(wsi_url_parse(&u, s, strlen(s)) == NULL);
	return u;
}

static const char *check_options(const struct ws_options *o, const char **option,
                                 const char **value)
{
	static char buf[200];
	struct wsi_text t;
	const char *why;

	wsi_text_init(&t, buf, sizeof buf);
	why = wsi_request_check(o, option, value, &t);
	CHECK(!t.cut && (t.len == 0 || why == buf));
	return why;
}

/* Writes the request into a buffer of its exact size and into smaller ones, and compares it. */
static void check_request(const char *url, const struct ws_options *o, int same_origin,
                          const char *want, int line)
{
	static char buf[20000];
	struct wsi_url u = parsed(url);
	struct wsi_text t;
	size_t cap, len = strlen(want);
	const char *option, *why, *value;
	char *key = exact(KEY, sizeof KEY);
	const struct wsi_request r = {
	    .out = &t, .url = &u, .key = key, .opt = o, .same_origin = same_origin};

	why = check_options(o, &option, &value);
	if (why != NULL) {
		fprintf(stderr, "\tline %d: %s: %s\n", line, option, why);
		CHECK(0);
	}
	for (cap = len > 600 ? len : 1; cap <= len + 1; cap++) {
		char *p = exact(buf, cap);

		wsi_text_init(&t, p, cap);
		wsi_put_request(&r);
		CHECK(t.cut == (cap < len + 1));
		if (cap == len + 1) {
			if (t.len != len || memcmp(p, want, len) != 0)
				fprintf(stderr, "\tline %d\n", line);
			CHECK_EQ_MEM(p, t.len, want, len);
		}
		free(p);
	}
	free(key);
}
#define REQUEST(url, want, ...)                                                                    \
	check_request(url, &(struct ws_options){__VA_ARGS__}, 1, want, __LINE__)
#define OTHER(url, want, ...)                                                                      \
	check_request(url, &(struct ws_options){__VA_ARGS__}, 0, want, __LINE__)

#define BEGIN(target, host) "GET " target " HTTP/1.1\r\nHost: " host CRLF
#define MIDDLE "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " KEY CRLF
#define VERSION13 "Sec-WebSocket-Version: 13\r\n"
#define AGENT "User-Agent: libws/" WS_VERSION CRLF
#define PLAIN(target, host) BEGIN(target, host) MIDDLE VERSION13 AGENT
#define AUTH(a) "Authorization: " a CRLF

static void test_request(void)
{
	check_row("RFC 6455 1.2, as it is printed there");
	REQUEST("ws://server.example.com/chat",
	        "GET /chat HTTP/1.1\r\n"
	        "Host: server.example.com\r\n"
	        "Upgrade: websocket\r\n"
	        "Connection: Upgrade\r\n"
	        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	        "Origin: http://example.com\r\n"
	        "Sec-WebSocket-Protocol: chat, superchat\r\n"
	        "Sec-WebSocket-Version: 13\r\n"
	        "\r\n",
	        .origin = "http://example.com", .subprotocols = LIST("chat", "superchat"),
	        .headers = LIST("User-Agent:"));
	REQUEST("ws://h", PLAIN("/", "h") CRLF, .origin = NULL);
	REQUEST("ws://h/", PLAIN("/", "h") CRLF, .origin = NULL);
	REQUEST("ws://h?a=b", PLAIN("/?a=b", "h") CRLF, .origin = NULL);
	REQUEST("wss://h/a%20b?c", PLAIN("/a%20b?c", "h") CRLF, .origin = NULL);
	REQUEST("ws://h/\xc3\xa9%20?\xf0\x9f\x98\x80", PLAIN("/%C3%A9%20?%F0%9F%98%80", "h") CRLF,
	        .origin = NULL);
	REQUEST("wss://h:80/", PLAIN("/", "h:80") CRLF, .origin = NULL);
	REQUEST("wss://h:443/", PLAIN("/", "h") CRLF, .origin = NULL);
	REQUEST("ws://[fe80::1%25lo]:81/", PLAIN("/", "[fe80::1]:81") CRLF, .origin = NULL);
	REQUEST("ws://[::1]/", PLAIN("/", "[::1]") CRLF, .origin = NULL);
	REQUEST("ws://h", BEGIN("/", "x:1") MIDDLE VERSION13 AGENT CRLF, .host = "x:1");
	REQUEST("ws://h", BEGIN("/", "h") MIDDLE VERSION13 "User-Agent: a b\r\n\r\n",
	        .user_agent = "a b");
	REQUEST("ws://h", BEGIN("/", "h") MIDDLE VERSION13 CRLF, .user_agent = "");
	REQUEST("ws://h", PLAIN("/", "h") CRLF, .origin = "", .cookie = "");
	REQUEST("ws://h", PLAIN("/", "h") "Cookie: a=b; c=\"d\"\r\n\r\n", .cookie = "a=b; c=\"d\"");
	REQUEST("ws://h",
	        BEGIN("/", "h") MIDDLE "Sec-WebSocket-Protocol: a\r\n" VERSION13 AGENT CRLF,
	        .subprotocols = LIST("a"));
	REQUEST("ws://h", PLAIN("/", "h") CRLF, .subprotocols = LIST(NULL), .headers = LIST(NULL));

	check_row("the user's headers");
	REQUEST("ws://h", PLAIN("/", "h") "X: y\r\nx: z\r\n\r\n", .headers = LIST("X: y", "x:z"));
	REQUEST("ws://h", PLAIN("/", "h") "X: a\tb: \xc3\xa9\r\n\r\n",
	        .headers = LIST("X: \t a\tb: \xc3\xa9 \t"));
	REQUEST("ws://h", PLAIN("/", "h") CRLF, .headers = LIST("X:", "Y: \t"));
	REQUEST("ws://h", BEGIN("/", "h") MIDDLE VERSION13 "uSER-aGENT: me\r\n\r\n",
	        .headers = LIST("uSER-aGENT: me"), .user_agent = "you");
	REQUEST("ws://h", BEGIN("/", "h") MIDDLE VERSION13 CRLF, .headers = LIST("user-agent:"),
	        .user_agent = "you");
	REQUEST("ws://h", PLAIN("/", "h") "Cookie: b\r\nCookie: c\r\n\r\n",
	        .headers = LIST("Cookie: b", "Cookie: c"), .cookie = "a");
	REQUEST("ws://h", PLAIN("/", "h") "Origin: b\r\n\r\n", .headers = LIST("Origin: b"),
	        .origin = "a");
	REQUEST("ws://h", "GET / HTTP/1.1\r\nhost: b\r\n" MIDDLE VERSION13 AGENT "A: b\r\n\r\n",
	        .headers = LIST("A: b", "host: b"), .host = "a");
	REQUEST("ws://h",
	        BEGIN("/", "h") "Upgrade: websocket\r\nSec-WebSocket-Key: " KEY CRLF VERSION13 AGENT
	                        "Connection: keep-alive, upgrade\r\n\r\n",
	        .headers = LIST("Connection: keep-alive, upgrade"));

	check_row("Authorization: a header, then bearer or user, then the URL's");
	REQUEST("ws://u:p@h", PLAIN("/", "h") AUTH("Basic dTpw") CRLF, .origin = NULL);
	REQUEST("ws://u@h", PLAIN("/", "h") AUTH("Basic dTo=") CRLF, .origin = NULL);
	REQUEST("ws://:@h", PLAIN("/", "h") AUTH("Basic Og==") CRLF, .origin = NULL);
	REQUEST("ws://@h", PLAIN("/", "h") CRLF, .origin = NULL);
	REQUEST("ws://%75%3a:%0d%0A@h", PLAIN("/", "h") AUTH("Basic dTo6DQo=") CRLF,
	        .origin = NULL);
	REQUEST("ws://Aladdin:open%20sesame@h",
	        PLAIN("/", "h") AUTH("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==") CRLF,
	        .origin = NULL); /* RFC 7617 2 */
	REQUEST("ws://u:p@h", PLAIN("/", "h") AUTH("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==") CRLF,
	        .user = "Aladdin:open sesame");
	REQUEST("ws://h", PLAIN("/", "h") AUTH("Basic OnAlNDE=") CRLF, .user = ":p%41");
	REQUEST("ws://h", PLAIN("/", "h") AUTH("Basic dGVzdDoxMjPCow==") CRLF,
	        .user = "test:123\xc2\xa3"); /* 2.1 */
	REQUEST("ws://u:p@h", PLAIN("/", "h") AUTH("Bearer mF_9.B5f-4.1JqM") CRLF,
	        .bearer = "mF_9.B5f-4.1JqM");
	REQUEST("ws://u:p@h", PLAIN("/", "h") AUTH("Digest x") CRLF, .bearer = "b",
	        .headers = LIST("Authorization: Digest x"));
	REQUEST("ws://u:p@h", PLAIN("/", "h") CRLF, .headers = LIST("authorization:"));

	check_row("to another origin");
	OTHER("ws://u:p@h", PLAIN("/", "h") CRLF, .user = "u:p", .cookie = "c", .host = "x");
	OTHER("ws://h", PLAIN("/", "h") CRLF, .bearer = "b",
	      .headers = LIST("authorization: a", "COOKIE: c", "Host: x"));
	OTHER("ws://h",
	      BEGIN("/", "h") MIDDLE "Origin: o\r\nSec-WebSocket-Protocol: s\r\n" VERSION13
	                             "X: y\r\n\r\n",
	      .origin = "o", .subprotocols = LIST("s"),
	      .headers = LIST("X: y", "Cookie: c", "User-Agent:"));
	OTHER("ws://h", PLAIN("/", "h") CRLF, .headers = LIST("Authorization:", "Cookie:"));
	OTHER("ws://h", PLAIN("/", "h") "X: y\r\n\r\n",
	      .headers = LIST("Proxy-Authorization: a", "Cookie2: a", "X-Api-Key: a", "X: y",
	                      "x-auth-TOKEN: a"));
}

static void check_refused(const struct ws_options *options, const char *option, const char *why,
                          const char *value, int line)
{
	const char *o = "", *v = NULL, *w = check_options(options, &o, &v);

	if (!CHECK(w != NULL) || !CHECK(strcmp(o, option) == 0) || !CHECK(strstr(w, why) != NULL)
	    || !CHECK(v != NULL && strcmp(v, value) == 0))
		fprintf(stderr, "\tline %d: %s: %s (%s)\n", line, o, w, v != NULL ? v : "NULL");
}
#define REFUSED(option, why, value, ...)                                                           \
	check_refused(&(struct ws_options){__VA_ARGS__}, option, why, value, __LINE__)
#define HEADER(h, why) REFUSED("headers", why, h, .headers = LIST("A: b", h))
#define PROTOCOL(s, why) REFUSED("subprotocols", why, s, .subprotocols = LIST("a", s))

static void test_request_check(void)
{
	static const char *const good_headers[] = {"A:",
	                                           "a:b",
	                                           "A: b",
	                                           "!#$%&'*+-.^_`|~9z: v",
	                                           "A: \x80\xff\t~ !",
	                                           "Host: x",
	                                           "Connection: Upgrade",
	                                           "connection:x , UPGRADE",
	                                           "Sec-WebSocket: x",
	                                           "Upgrade-Insecure-Requests: 1",
	                                           "Sec-Fetch-Mode: websocket"};
	const char *option, *why, *value;
	size_t i;
	int c;

	for (i = 0; i < sizeof good_headers / sizeof good_headers[0]; i++) {
		struct ws_options r = {.headers = LIST(good_headers[i])};

		check_row("%s", good_headers[i]);
		why = check_options(&r, &option, &value);
		if (!CHECK(why == NULL))
			fprintf(stderr, "\t%s: %s\n", good_headers[i], why);
	}
	check_row_end();
	HEADER("", "form");
	HEADER("A", "form");
	HEADER("A b: c", "form");
	HEADER("A : c", "form");
	HEADER(" A: c", "form");
	HEADER("\tA: c", "form");
	HEADER(": c", "form");
	HEADER("A(: c", "form");
	HEADER("\xc3\xa9: c", "form");
	HEADER("A\r\n: c", "line break");
	HEADER("A: b\r\nC: d", "has a line break (byte 5)");
	HEADER("A: b\r", "line break");
	HEADER("A: b\n", "line break");
	HEADER("A: \x7f", "has the control character 0x7f (byte 4)");
	HEADER("A: \x1f", "has the control character 0x1f (byte 4)");
	HEADER("A: \x1b[1m", "has the control character 0x1b (byte 4)");
	HEADER("Upgrade: h2c", "cannot be changed");
	HEADER("upgrade:", "cannot be changed");
	HEADER("Sec-WebSocket-Key: x", "cannot be changed");
	HEADER("sec-websocket-protocol: chat", "the option subprotocols");
	HEADER("sec-websocket-version:", "cannot be changed");
	HEADER("SEC-WEBSOCKET-: x", "cannot be changed");
	HEADER("Sec-WebSocket-Foo: x", "cannot be changed");
	HEADER("Connection: close", "token Upgrade");
	HEADER("Connection:", "token Upgrade");
	HEADER("Connection: Upgraded", "token Upgrade");
	HEADER("Host:", "must not be removed");
	HEADER("hOST: \t", "must not be removed");

	PROTOCOL("", "is empty");
	PROTOCOL("a b", "token");
	PROTOCOL("b,c", "must not have the character \",\" (byte 2): a token has");
	PROTOCOL("b\r\n", "has a line break (byte 2)");
	PROTOCOL("a\xc3\xa9", "must not have the character \"\xc3\xa9\" (byte 2)");
	PROTOCOL("a\xff", "must not have the character \"\\xff\" (byte 2)");
	PROTOCOL("a\xc3", "must not have the character \"\\xc3\" (byte 2)");
	PROTOCOL("a", "twice");
	REFUSED("subprotocols", "twice", "c", .subprotocols = LIST("ab", "c", "d", "c"));

	for (c = 1; c < 256; c++) { /* each byte in each string */
		char s[] = {'a', ':', (char)c, 'b', '\0'}, n[] = {(char)c, '\0'};
		int control = (c < 0x20 && c != '\t') || c == 0x7f, alnum;

		struct ws_options r = {.origin = s};
		CHECK((check_options(&r, &option, &value) == NULL) == !control);
		CHECK(!control || strcmp(option, "origin") == 0);
		r = (struct ws_options){.origin = n}; /* and alone */
		CHECK((check_options(&r, &option, &value) == NULL) == !control);
		r = (struct ws_options){.user_agent = s};
		CHECK((check_options(&r, &option, &value) == NULL) == !control);
		CHECK(!control || strcmp(option, "user_agent") == 0);
		r = (struct ws_options){.cookie = s};
		CHECK((check_options(&r, &option, &value) == NULL) == !control);
		CHECK(!control || strcmp(option, "cookie") == 0);
		r = (struct ws_options){.user = s};
		CHECK((check_options(&r, &option, &value) == NULL) == !control);
		CHECK(!control || strcmp(option, "user") == 0);
		r = (struct ws_options){.host = n};
		alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
		CHECK((check_options(&r, &option, &value) == NULL)
		      == (alnum || strchr("-._~!$&'()*+,;=:[]", c) != NULL));
		r = (struct ws_options){.bearer = n};
		CHECK((check_options(&r, &option, &value) == NULL)
		      == (alnum || strchr("-._~+/=", c) != NULL));
	}
	REFUSED("host", "is empty", "", .host = "");
	REFUSED("host", "must not have the character \"/\" (byte 2)", "a/b", .host = "a/b");
	REFUSED("host", "must not have the character \"@\" (byte 2)", "u@h", .host = "u@h");
	REFUSED("user", "':'", "u", .user = "u");
	REFUSED("user", "':'", "", .user = "");
	REFUSED("user", "has a line break (byte 4)", "u:p\n", .user = "u:p\n");
	REFUSED("bearer", "cannot be combined", "b", .user = "u:p", .bearer = "b");
	REFUSED("bearer", "is empty", "", .bearer = "");
	REFUSED("cookie", "has the control character 0x01 (byte 3)", "ab\001", .cookie = "ab\001");
	REFUSED("bearer", "has a character that is not allowed (byte 2)", "a b", .bearer = "a b");
	REFUSED("bearer", "has a line break (byte 2)", "a\n", .bearer = "a\n");
	{ /* together 512 KiB, which is the limit, and a byte more */
		static char long_one[512 * 1024];
		struct ws_options r = {.origin = "ab", .cookie = long_one};

		memset(long_one, 'a', sizeof long_one - 2);
		CHECK(check_options(&r, &option, &value) == NULL);
		r.origin = "abc";
		why = check_options(&r, &option, &value);
		CHECK(why != NULL && strstr(why, "512 KiB") != NULL
		      && strcmp(option, "cookie") == 0);
	}
	{
		struct ws_options r = {.bearer = "a.b-c_d~e+f/g==",
		                       .host = "[::1]:80",
		                       .origin = "null",
		                       .subprotocols = LIST("a", "A")};

		CHECK(check_options(&r, &option, &value) == NULL);
		r = (struct ws_options){.host = "a%20b:8080", .user = ":"};
		CHECK(check_options(&r, &option, &value) == NULL);
		r = (struct ws_options){.origin = "null"};
		option = "unchanged";
		CHECK(check_options(&r, &option, &value) == NULL);
		CHECK_EQ_S(option, "unchanged");
	}
}

int main(void)
{
	TEST(test_request);
	TEST(test_request_check);
	return check_done();
}
