/* SPDX-License-Identifier: ISC
 * test_refusal.c - refusal.c: the error for a refused upgrade, from its status, its headers, its
 * body and what was sent. A case is one line of the table. The errors for a proxy's refusal are in
 * test_proxy.c, with its dialogues.
 */
#include "ws.h"
#include "ws_proto.h"
#include "check.h"
#include <stdlib.h>

#define PLAIN "ws://h/chat"
#define SECURE "wss://h/chat"
#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NOTHING                                                                                    \
	{                                                                                          \
		.nonblock = 0                                                                      \
	}
#define DROPPED "a proxy in between dropped the Upgrade header"
#define BASIC "WWW-Authenticate: Basic realm=\"x\"\r\n"
#define NEGOTIATE "WWW-Authenticate: Negotiate\r\n"

/* clang-format off */
static const struct {
	const char *status, *headers, *body, *url;
	struct ws_options sent;
	const char *want; /* the sentence after the status code */
	const char *option;
} refusals[] = {
	/* 2xx, 3xx */
	{"200 OK", "", "", PLAIN, NOTHING, " OK: no WebSocket endpoint at this path, or " DROPPED, ""},
	{"204", "", "", PLAIN, NOTHING, ": no WebSocket endpoint at this path, or " DROPPED, ""},
	{"200 OK", "Via: 1.1 cache\r\n", "", PLAIN, NOTHING, " OK: no WebSocket endpoint at this path, or a proxy in between"
	 " (Via: \"1.1 cache\") dropped the Upgrade header", ""},
	{"302 Found", "Location: /b?a=c\r\n", "", PLAIN, NOTHING, " Found: Location: /b?a=c", ""},
	{"302 Found", "Location: ws://u:p@a/\r\n", "", PLAIN, NOTHING, " Found: Location: ws://a/", ""},
	{"304 Same", "", "", PLAIN, NOTHING, " Same", ""},
	{"299", "", "", PLAIN, NOTHING, ": no WebSocket endpoint at this path, or " DROPPED, ""},
	{"300 No", "", "", PLAIN, NOTHING, " No", ""},
	{"302 Found", "Location: /\r\n", "", PLAIN, NOTHING, " Found: Location: /", ""},
	{"399 No", "Location: /b\r\n", "", PLAIN, NOTHING, " No: Location: /b", ""},

	/* the body's first line */
	{"500 Oops", "", "because\r\nof that", PLAIN, NOTHING, " Oops (\"because\")", ""},
	{"500", "", "x", PLAIN, NOTHING, " (\"x\")", ""},
	{"500", "", " \r\n\n\tbecause \n", PLAIN, NOTHING, " (\"because\")", ""},
	{"500 Oops", "", "\x1b[31m\xff\xc3\xa9", PLAIN, NOTHING, " Oops (\"\\x1b[31m\\xff\xc3\xa9\")", ""},
	{"500 Oops", "", "\n \n", PLAIN, NOTHING, " Oops", ""},
	{"500 Oops", "", "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789a",
	 PLAIN, NOTHING, " Oops (\"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123"
	 "456789...\")", ""},

	/* the body may quote what was sent: secrets are not repeated */
	{"500", "", "no abc-1234 here", PLAIN, {.bearer = "abc-1234"}, "", ""},
	{"500", "", "no s3cret here", PLAIN, {.user = "joe:s3cret"}, "", ""},
	{"500", "", "no s3cret here", "ws://joe:s3cret@h/", NOTHING, "", ""},
	{"500", "", "no Basic am9lOnMzY3JldA==", PLAIN, {.user = "joe:s3cret"}, "", ""},
	{"500", "", "no Basic am9lOnMzY3JldA==", "ws://joe:s3cret@h/", NOTHING, "", ""},
	{"500", "", "no s3cret here", PLAIN, {.cookie = "id=s3cret"}, "", ""},
	{"500", "", "no s3cret here", PLAIN, {.headers = LIST("A: b", "X-Api-Key: s3cret")}, "", ""},
	{"500", "", "no GET /x?a=b&token=s3cret", "ws://h/x?a=b&token=s3cret", NOTHING, "", ""},
	{"500", "", "no GET /x?room=lobby", "ws://h/x?room=lobby&token=s3cret", NOTHING, " (\"no GET /x?room=lobby\")", ""},
	{"500", "", "no abcd here", PLAIN, {.bearer = "abcd"}, "", ""},
	{"500", "", "no Basic YTpi", PLAIN, {.user = "a:b"}, "", ""},
	{"500", "", "no Basic YTpi", "ws://a:b@h/", NOTHING, "", ""},
	{"500", "", "no GET /x?a=b&token=s3cret", "ws://h/x?a=b&key=1234&token=s3cret", NOTHING, "", ""},
	{"500", "", "no s3cret here", "ws://h/x?token=a+s3cret", NOTHING, "", ""},
	{"500", "", "s3cret here", PLAIN, {.bearer = "s3cret"}, "", ""},
	{"500", "", "no s3-x here", PLAIN, {.bearer = "s3-x"}, "", ""},
	{"500", "", "no abcd here", PLAIN, {.cookie = "a abcd"}, "", ""},
	{"500", "", "no ab\xc3\x80" "cd here", PLAIN, {.user = "joe:ab\xc3\x80" "cd"}, "", ""},
	{"500", "", "no abcd here", PLAIN, {.cookie = "abcd\x7f" "efgh"}, "", ""},
	{"500", "", "no luck", PLAIN, {.user = "joe:s3cret"}, " (\"no luck\")", ""},
	{"500", "", "no luck", "ws://joe:s3cret@h/", NOTHING, " (\"no luck\")", ""},
	{"500", "", "no abc", PLAIN, {.bearer = "abc"}, " (\"no abc\")", ""},
	{"500", "", "no evil.test", PLAIN, {.headers = LIST("Origin: http://evil.test")}, " (\"no evil.test\")", ""},

	/* TLS */
	{"400 Bad Request", "", "Client sent an HTTP request to an HTTPS server.", PLAIN, NOTHING,
	 " Bad Request (\"Client sent an HTTP request to an HTTPS server.\"): this port speaks TLS: try wss://", ""},
	{"400 Bad Request", "", "<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>", PLAIN,
	 NOTHING, " Bad Request (\"<html>\"): this port speaks TLS: try wss://", ""},
	{"400 Bad Request", "", "<p>Reason: You're speaking plain HTTP to an SSL-enabled server port.", PLAIN, NOTHING,
	 " Bad Request (\"<p>Reason: You're speaking plain HTTP to an SSL-enabled server port.\"): this port speaks TLS: try wss://",
	 ""},
	{"400 Bad Request", "", "This combination of host and port requires TLS.", PLAIN, NOTHING,
	 " Bad Request (\"This combination of host and port requires TLS.\"): this port speaks TLS: try wss://", ""},
	{"400 No", "", "sent to https port", SECURE, NOTHING, " No (\"sent to https port\"): perhaps " DROPPED, ""},
	{"400 No", "", "No required SSL certificate was sent", SECURE, NOTHING,
	 " No (\"No required SSL certificate was sent\"): it wants a client certificate", "tls.cert_file"},

	{"400 No", "", "SSL certificate error", SECURE, NOTHING,
	 " No (\"SSL certificate error\"): it wants a client certificate", "tls.cert_file"},
	{"400 No", "", "SSL certificate error", PLAIN, NOTHING, " No (\"SSL certificate error\"): perhaps " DROPPED, ""},

	/* 400 */
	{"400 Bad Request", "", "", PLAIN, NOTHING, " Bad Request: perhaps " DROPPED, ""},
	{"400 Bad Request", "", "Can \"Upgrade\" only to \"WebSocket\".", PLAIN, NOTHING,
	 " Bad Request (\"Can \"Upgrade\" only to \"WebSocket\".\"): the upgrade was asked for, so probably " DROPPED, ""},
	{"400 Bad Request", "", "missing subprotocol", PLAIN, NOTHING,
	 " Bad Request (\"missing subprotocol\"): perhaps it wants a subprotocol (none was offered)", "subprotocols"},
	{"400 Bad Request", "", "missing subprotocol", PLAIN, {.subprotocols = LIST("a")},
	 " Bad Request (\"missing subprotocol\"): perhaps it wants another subprotocol than was offered", "subprotocols"},
	{"400 No", "Sec-WebSocket-Version: 8, 7\r\n", "", PLAIN, NOTHING, " No: it speaks WebSocket version 8, 7, not 13", ""},
	{"400 No", "Sec-WebSocket-Version: 8, 13\r\n", "", PLAIN, NOTHING, " No: perhaps " DROPPED, ""},

	/* 401: which logins, and was one sent */
	{"401 No", BASIC, "", PLAIN, NOTHING, " No: it asks for a login (Basic realm=\"x\"); Basic works, with user and password",
	 "user"},
	{"401 No", "WWW-Authenticate: Bearer\r\n", "", PLAIN, NOTHING,
	 " No: it asks for a login (Bearer); Bearer works, with a token", "bearer"},
	{"401 No", "WWW-Authenticate: ,\r\n", "", PLAIN, NOTHING, " No: it asks for a login (,), but names no kind of login",
	 "user"},
	{"401 No", "WWW-Authenticate: \"a, Basic\"\r\n", "", PLAIN, NOTHING,
	 " No: it asks for a login (\"a, Basic\"), but names no kind of login", "user"},
	{"401 No", "WWW-Authenticate: Basic realm=\"x\",q  =  \"y\"\r\n", "", PLAIN, NOTHING,
	 " No: it asks for a login (Basic realm=\"x\",q  =  \"y\"); Basic works, with user and password", "user"},
	{"401 No", NEGOTIATE NEGOTIATE NEGOTIATE NEGOTIATE, "", PLAIN, NOTHING,
	 " No: it asks for a login (Negotiate, Negotiate, Negotiate, Negotiate); only Basic and Bearer are supported", ""},
	{"401 No", "WWW-Authenticate: X\r\n", "", PLAIN, NOTHING,
	 " No: it asks for a login (X); only Basic and Bearer are supported", ""},
	{"401 No", NEGOTIATE BASIC, "", PLAIN, NOTHING,
	 " No: it asks for a login (Negotiate, Basic realm=\"x\"); of these Basic works, with user and password", "user"},
	{"401 No", "WWW-Authenticate: Negotiate, basic realm=\"a, Digest b\" , Bearer x=y\r\n", "", PLAIN, NOTHING,
	 " No: it asks for a login (Negotiate, basic realm=\"a, Digest b\" , Bearer x=y); of these Basic works, with user and"
	 " password, and Bearer, with a token", "user"},
	{"401 No", "WWW-Authenticate: Digest realm=\"x\", basic=y, q = \"\\\", Basic\"\r\n", "", PLAIN, NOTHING,
	 " No: it asks for a login (Digest realm=\"x\", basic=y, q = \"\\\", Basic\"); only Basic and Bearer are supported", ""},
	{"401 No", "WWW-Authenticate: Digest realm=\"x\"\r\n", "", PLAIN, {.user = "joe:s3cret"},
	 " No: it asks for a login (Digest realm=\"x\"); the login that was sent was Basic; only Basic and Bearer are supported", ""},
	{"401 No", NEGOTIATE "WWW-Authenticate: NTLM\r\n", "", PLAIN, {.headers = LIST("Authorization: s3cret")},
	 " No: it asks for a login (Negotiate, NTLM); the login that was sent was refused; only Basic and Bearer are supported",
	 ""},
	{"401 No", "WWW-Authenticate: Basic realm=\"x\", q = \"y\"\r\n", "", PLAIN, NOTHING,
	 " No: it asks for a login (Basic realm=\"x\", q = \"y\"); Basic works, with user and password", "user"},
	{"401 No", "WWW-Authenticate: Basic realm=\"\\\r\n", "", PLAIN, NOTHING,
	 " No: it asks for a login (Basic realm=\"\\); Basic works, with user and password", "user"},
	{"401 No", BASIC, "", PLAIN, {.headers = LIST("Authorization: Digest s3cret")},
	 " No: it asks for a login (Basic realm=\"x\"); the login that was sent was Digest; Basic works, with user and password",
	 "user"},
	{"401 No", BASIC, "", PLAIN, {.headers = LIST("Authorization: NTLM s3cret")},
	 " No: it asks for a login (Basic realm=\"x\"); the login that was sent was NTLM; Basic works, with user and password",
	 "user"},
	{"401 No", BASIC, "", PLAIN, {.headers = LIST("Authorization: Negotiate s3cret", "Authorization: NTLM s3cret")},
	 " No: it asks for a login (Basic realm=\"x\"); the login that was sent was NTLM; Basic works, with user and password",
	 "user"},
	{"401 No", NEGOTIATE, "", PLAIN, {.headers = LIST("Authorization: Negotiate s3cret")},
	 " No: it asks for a login (Negotiate); the login that was sent was refused", ""},
	{"401 No", BASIC, "", PLAIN, {.user = "joe:s3cret"},
	 " No: it asks for a login (Basic realm=\"x\"); the user or password that was sent was refused", ""},
	{"401 No", BASIC, "", "ws://joe:s3cret@h", NOTHING,
	 " No: it asks for a login (Basic realm=\"x\"); the user or password that was sent was refused", ""},
	{"401 No", BASIC, "", PLAIN, {.bearer = "s3cret"},
	 " No: it asks for a login (Basic realm=\"x\"); the login that was sent was Bearer; Basic works, with user and password",
	 "user"},
	{"401 No", "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n", "", PLAIN, {.bearer = "s3cret"},
	 " No: it asks for a login (Bearer error=\"invalid_token\"); the token that was sent was refused", ""},
	{"401 No", "", "", PLAIN, NOTHING, " No: it asks for a login, but names no kind of login", "user"},
	{"401 No", "WWW-Authenticate:\r\n", "", PLAIN, {.user = "joe:s3cret"},
	 " No: it asks for a login; the user or password that was sent was refused", ""},
	{"401 No", NEGOTIATE NEGOTIATE NEGOTIATE NEGOTIATE NEGOTIATE BASIC, "", PLAIN, NOTHING,
	 " No: it asks for a login (Negotiate, Negotiate, Negotiate, Negotiate, ...); of these Basic works, with user and password",
	 "user"},

	/* 403 */
	{"403 No", "", "", PLAIN, NOTHING, " No: perhaps it wants a login (none was sent), or an Origin header (none was sent), or"
	 " this address is not allowed; some servers answer so for an unknown path too", ""},
	{"403 No", "", "", PLAIN, {.bearer = "x", .origin = "y"}, " No: perhaps the login that was sent is not allowed, or the"
	 " Origin header is not, or this address is not allowed; some servers answer so for an unknown path too", ""},
	{"403 No", "", "websocket: request origin not allowed", PLAIN, {.origin = "y"},
	 " No (\"websocket: request origin not allowed\"): perhaps it does not allow the Origin header that was sent", "origin"},
	{"403 No", "", "Bad ORIGIN", PLAIN, NOTHING, " No (\"Bad ORIGIN\"): perhaps it wants an Origin header (none was sent)",
	 "origin"},

	/* the others */
	{"404 No", "Sec-WebSocket-Version: 8\r\n", "", PLAIN, NOTHING, " No: check the path of the URL; or perhaps " DROPPED, ""},
	{"404 No", "", "", PLAIN, NOTHING, " No: check the path of the URL; or perhaps " DROPPED, ""},
	{"405 No", "", "", PLAIN, NOTHING, " No: this path does not accept GET, with which each WebSocket begins: check the path of the URL",
	 ""},
	{"426 No", "", "", PLAIN, NOTHING, " No: we did send \"Upgrade: websocket\", so " DROPPED, ""},
	{"426 No", "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n", "", PLAIN, NOTHING,
	 " No: we did send \"Upgrade: websocket\", so " DROPPED, ""},
	{"426 No", "Sec-WebSocket-Version: 8\r\n", "", PLAIN, NOTHING, " No: it speaks WebSocket version 8, not 13", ""},
	{"426 No", "Upgrade: TLS/1.2, HTTP/1.1\r\n", "", PLAIN, NOTHING,
	 " No: it wants an upgrade to \"TLS/1.2, HTTP/1.1\", not to websocket", ""},
	{"426 No", "Upgrade: x\r\n", "", PLAIN, NOTHING, " No: it wants an upgrade to \"x\", not to websocket", ""},
	{"429 No", "Retry-After: 120\r\n", "", PLAIN, NOTHING, " No: Retry-After: 120", ""},
	{"503 No", "Retry-After: 120\r\n", "", PLAIN, NOTHING, " No: Retry-After: 120", ""},
	{"503 No", "", "", PLAIN, NOTHING, " No", ""},
	{"502 No", "", "", PLAIN, NOTHING, " No: a gateway in front of the server got no response from it", ""},
	{"504 No", "", "", PLAIN, NOTHING, " No: a gateway in front of the server got no response from it", ""},
	{"500 No", "", "", PLAIN, NOTHING, " No", ""},

	/* if the head is invalid, only the reason phrase is known */
	{"401 No", "nonsense\r\n", "", PLAIN, NOTHING, " No", ""},
};
/* clang-format on */

/* What was sent, taken from the request as it is written */
static struct wsi_sent sent_by(const struct wsi_url *u, const struct ws_options *o)
{
	char request[2000];
	struct wsi_text t;
	struct wsi_sent sent;
	const struct wsi_request r = {
	    .out = &t, .url = u, .key = "dGhlIHNhbXBsZSBub25jZQ==", .opt = o, .same_origin = 1};

	wsi_text_init(&t, request, sizeof request);
	wsi_put_request(&r);
	wsi_note_sent(&sent, request, t.len);
	return sent;
}

static void test_refusals(void)
{
	size_t i, cap;

	for (i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		char head[1000], why_buf[700], out[1000], url[100], *body;
		struct wsi_response r;
		struct wsi_refusal f;
		struct wsi_text t, why;
		struct wsi_url u;
		int broken = strstr(refusals[i].headers, "nonsense") != NULL;
		size_t len = (size_t)snprintf(head, sizeof head, "HTTP/1.1 %s\r\n%s\r\n",
		                              refusals[i].status, refusals[i].headers);

		check_row("%s, %s%s", refusals[i].status, refusals[i].headers, refusals[i].body);
		memset(&r, 0, sizeof r);
		wsi_text_init(&why, why_buf, sizeof why_buf);
		CHECK_EQ_U(wsi_response_read(&r, head, len, &why), broken ? -1 : 1);
		snprintf(url, sizeof url, "%sbehind", refusals[i].url);
		CHECK(wsi_url_parse(&u, url, strlen(refusals[i].url)) == NULL);
		f.response = &r;
		f.body.len = strlen(refusals[i].body);
		body = malloc(f.body.len + 1);
		memcpy(body, refusals[i].body, f.body.len);
		f.body.p = body;
		f.url = &u;
		f.opt = &refusals[i].sent;
		f.sent = sent_by(&u, f.opt);
		wsi_text_init(&t, out, sizeof out);
		CHECK_EQ_S(wsi_put_refusal(&t, &f), refusals[i].option);
		CHECK_EQ_S(out, refusals[i].want);
		CHECK(strstr(out, "s3cret") == NULL);
		for (cap = 1; cap <= strlen(refusals[i].want);
		     cap++) { /* a sentence that is cut off is a beginning of the whole */
			wsi_text_init(&t, out, cap);
			wsi_put_refusal(&t, &f);
			CHECK(t.cut && memcmp(out, refusals[i].want, t.len) == 0
			      && out[t.len] == '\0');
		}
		free(body);
	}
}

int main(void)
{
	TEST(test_refusals);
	return check_done();
}
