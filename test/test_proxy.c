/* SPDX-License-Identifier: ISC
 * test_proxy.c - proxy.c: whole dialogues with the proxy's bytes at once, byte by byte, at every
 * split and at every truncation; proxies' URLs; lists of hosts that do without
 */
#include <stdlib.h>
#include "ws.h"
#include "ws_proto.h"
#include "check.h"
#include "exact.h"

/* ---- dialogues ---- */

#define A255 A51 A51 A51 A51 A51
#define A51 "a" A50
#define A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define STR(s) s, sizeof s - 1
#define OK200 "HTTP/1.1 200 Connection established\r\n\r\n"
#define INTERIM "HTTP/1.1 100 Continue\r\n\r\n"
#define AGENT "User-Agent: libws/" WS_VERSION "\r\n\r\n"
#define ZEROS16 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

struct step {
	const char *in; /* what the proxy must have sent before `out` is sent */
	size_t in_len;
	const char *out;
	size_t out_len;
};
static const struct dialogue {
	const char *proxy, *target, *addr; /* addr NULL: we do not look it up */
	struct step step[4];               /* `in` is empty in the first step, `out` in the last */
	const char *why; /* NULL: the tunnel is open. The whole error, if it begins with "said" */
	int status;
} dialogues[] = {
    /* CONNECT */
    {"http://p",
     "ws://h/",
     NULL,
     {{STR(""), STR("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n" AGENT)}, {STR(OK200), STR("")}},
     NULL,
     0},
    {"p:3128",
     "wss://h.example/x",
     NULL,
     {{STR(""), STR("CONNECT h.example:443 HTTP/1.1\r\nHost: h.example:443\r\n" AGENT)},
      {STR("HTTP/1.0 200\r\n\r\n"), STR("")}},
     NULL,
     0},
    {"http://p",
     "wss://[2001:db8::1]:8443/",
     NULL,
     {{STR(""), STR("CONNECT [2001:db8::1]:8443 HTTP/1.1\r\nHost: [2001:db8::1]:8443\r\n" AGENT)},
      {STR(OK200), STR("")}},
     NULL,
     0},
    {"http://u:p@p",
     "ws://h/",
     NULL,
     {{STR(""),
       STR("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\nProxy-Authorization: Basic dTpw\r\n" AGENT)},
      {STR("HTTP/1.1 299 \r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), STR("")}},
     NULL,
     0},
    {"http://Aladdin:open%20sesame@p",
     "ws://h/",
     NULL,
     {{STR(""), STR("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\nProxy-Authorization: Basic "
                    "QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n" AGENT)},
      {STR(INTERIM "HTTP/1.1 103 x\r\nLink: a\r\n\r\n" OK200), STR("")}},
     NULL,
     0},
    {"http://p",
     "ws://h/",
     NULL,
     {{STR(""), STR("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n" AGENT)},
      {STR(INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM OK200), STR("")}},
     NULL,
     0},
    {"http://p",
     "ws://h/",
     NULL,
     {{STR(""), STR("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n" AGENT)},
      {STR(INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM), STR("")}},
     "said 100 Continue",
     100},
    {"http://p",
     "ws://h/",
     NULL,
     {{STR(""), STR("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n" AGENT)},
      {STR("HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic "
           "realm=\"x\"\r\n\r\n"),
       STR("")}},
     "said 407 Proxy Authentication Required: it asks for a login (Basic realm=\"x\"); user and "
     "password go in its URL",
     407},
    {"http://p",
     "ws://h/",
     NULL,
     {{STR(""), STR("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n" AGENT)},
      {STR("HTTP/1.1 407 x\nProxy-Authenticate: NTLM\nProxy-Authenticate: Digest realm=\"y, Basic "
           "z\", nonce=1\n\n"),
       STR("")}},
     "said 407 x: it asks for a login (NTLM, Digest realm=\"y, Basic z\", nonce=1); only Basic is "
     "supported",
     407},
    {"http://u:sesame@p",
     "ws://h/",
     NULL,
     {{STR(""), STR("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\nProxy-Authorization: Basic "
                    "dTpzZXNhbWU=\r\n" AGENT)},
      {STR("HTTP/1.1 407 x\r\nProxy-Authenticate: NTLM\r\n\r\n"), STR("")}},
     "said 407 x: it asks for a login (NTLM); only Basic is supported",
     407},
    {"http://u:sesame@p",
     "ws://h/",
     NULL,
     {{STR(""), STR("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\nProxy-Authorization: Basic "
                    "dTpzZXNhbWU=\r\n" AGENT)},
      {STR("HTTP/1.1 407 x\r\nproxy-authenticate: NTLM, basic\r\n\r\n"), STR("")}},
     "user and password of its URL were sent and not accepted",
     407},
    {"http://p",
     "ws://h/",
     NULL,
     {{STR(""), STR("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n" AGENT)},
      {STR("HTTP/1.1 407 x\r\nA\r\n\r\n"), STR("")}},
     "said 407 x; its response is not valid: its header line \"A\" is not of the form \"Name: "
     "value\"",
     407},
    {"http://p",
     "ws://h/",
     NULL,
     {{STR(""), STR("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n" AGENT)},
      {STR("HTTP/1.1 400 x\r\n\r\n"), STR("")}},
     "said 400 x: perhaps it is a web server, not a proxy",
     400},
    {"http://p",
     "ws://h/",
     NULL,
     {{STR(""), STR("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n" AGENT)},
      {STR("HTTP/1.1 501 x\r\n\r\n"), STR("")}},
     "said 501 x: it does not support CONNECT, which a WebSocket needs",
     501},
    {"http://p",
     "ws://h/",
     NULL,
     {{STR(""), STR("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n" AGENT)}, {STR("\x15"), STR("")}},
     "sent an invalid response to CONNECT: it is TLS, and proxies behind TLS are not",
     0},
    {"http://u@p",
     "ws://h/",
     NULL,
     {{STR(""),
       STR("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\nProxy-Authorization: Basic dTo=\r\n" AGENT)},
      {STR("HTTP/1.1 407 x\r\n\r\n"), STR("")}},
     "said 407 x: it asks for a login; user and password of its URL were sent and not accepted",
     407},
    {"http://u:sesame@p",
     "ws://h/",
     NULL,
     {{STR(""), STR("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\nProxy-Authorization: Basic "
                    "dTpzZXNhbWU=\r\n" AGENT)},
      {STR("HTTP/1.1 407 x\r\n\r\n"), STR("")}},
     "said 407 x: it asks for a login; user and password of its URL were sent and not accepted",
     407},
    {"http://p",
     "ws://h/",
     NULL,
     {{STR(""), STR("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n" AGENT)},
      {STR("HTTP/1.1 502\r\nA: b\r\n\r\n"), STR("")}},
     "said 502: it could not reach the host",
     502},
    {"http://p",
     "ws://h/",
     NULL,
     {{STR(""), STR("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n" AGENT)},
      {STR("HTTP/1.1 403 \x9b[31m\xff\r\n\r\n"), STR("")}},
     "said 403 ?[31m?: perhaps its rules do not allow this host or port",
     403},
    {"http://p",
     "ws://h/",
     NULL,
     {{STR(""), STR("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n" AGENT)},
      {STR("HTTP/1.1 199 x\r\n\r\n" OK200), STR("")}},
     NULL,
     0},
    {"http://p",
     "ws://h/",
     NULL,
     {{STR(""), STR("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n" AGENT)},
      {STR("HTTP/1.1 300 x\r\n\r\n"), STR("")}},
     "said 300 x",
     300},
    {"http://p",
     "ws://h/",
     NULL,
     {{STR(""), STR("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n" AGENT)},
      {STR("HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n"), STR("")}},
     "said 302 Found",
     302},
    {"http://p",
     "ws://h/",
     NULL,
     {{STR(""), STR("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n" AGENT)},
      {STR("HTTP/1.1 101 Switching Protocols\r\n\r\n"), STR("")}},
     "said 101 Switching Protocols",
     101},
    {"http://p",
     "ws://h/",
     NULL,
     {{STR(""), STR("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n" AGENT)},
      {STR("HTTP/1.1 200 OK\r\n A: b\r\n\r\n"), STR("")}},
     "said 200 OK; its response is not valid: its first header line begins with a space",
     200},
    {"http://p",
     "ws://h/",
     NULL,
     {{STR(""), STR("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n" AGENT)}, {STR("HTTP/2"), STR("")}},
     "status line",
     0},
    {"http://p",
     "ws://h/",
     NULL,
     {{STR(""), STR("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n" AGENT)}, {STR("\5"), STR("")}},
     "not HTTP",
     0},
    {"http://p",
     "ws://h/",
     NULL,
     {{STR(""), STR("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n" AGENT)},
      {STR("HTTP/1.1 199 x\r\nA\r\n\r\n"), STR("")}},
     "sent an invalid response to CONNECT: its header line \"A\"",
     0},
#define REFUSED(status, words)                                                                     \
	{                                                                                          \
		"http://p", "ws://h/", NULL,                                                       \
		    {{STR(""), STR("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n" AGENT)},              \
		     {STR("HTTP/1.1 " #status " No\r\n\r\n"), STR("")}},                           \
		    "said " #status " No" words, status                                            \
	}
    REFUSED(403, ": perhaps its rules do not allow this host or port"),
    REFUSED(404, ": perhaps it is a web server, not a proxy"),
    REFUSED(405, ": it does not support CONNECT, which a WebSocket needs"),
    REFUSED(407, ": it asks for a login; user and password go in its URL"),
    REFUSED(500, ""),
    REFUSED(501, ": it does not support CONNECT, which a WebSocket needs"),
    REFUSED(502, ": it could not reach the host"),
    REFUSED(503, ": it could not reach the host"),
    REFUSED(504, ": it could not reach the host"),
    /* SOCKS4 */
    {"socks4://p",
     "ws://h/",
     "1.2.3.4",
     {{STR(""), STR("\4\1\0\x50\1\2\3\4\0")}, {STR("\0\x5a\0\0\0\0\0\0"), STR("")}},
     NULL,
     0},
    {"socks4://joe:x@p",
     "wss://h:65535/",
     "255.0.0.1",
     {{STR(""), STR("\4\1\xff\xff\xff\0\0\1joe\0")}, {STR("\0\x5a\1\2\3\4\5\6"), STR("")}},
     NULL,
     0},
    {"socks4://%6a%3Ao@p",
     "ws://9.8.7.6/",
     NULL,
     {{STR(""), STR("\4\1\0\x50\x9\x8\7\6j:o\0")}, {STR("\0\x5a\0\0\0\0\0\0"), STR("")}},
     NULL,
     0},
    {"socks4://p",
     "ws://h/",
     "1.2.3.4",
     {{STR(""), STR("\4\1\0\x50\1\2\3\4\0")}, {STR("\0\x5b"), STR("")}},
     "rejected or failed",
     91},
    {"socks4://p",
     "ws://h/",
     "1.2.3.4",
     {{STR(""), STR("\4\1\0\x50\1\2\3\4\0")}, {STR("\0\x5c"), STR("")}},
     "said 92 request rejected: it cannot reach an identd on this machine",
     92},
    {"socks4://p",
     "ws://h/",
     "1.2.3.4",
     {{STR(""), STR("\4\1\0\x50\1\2\3\4\0")}, {STR("\0\x5d"), STR("")}},
     "said 93 request rejected: the identd on this machine names another user",
     93},
    {"socks4://p",
     "ws://h/",
     "1.2.3.4",
     {{STR(""), STR("\4\1\0\x50\1\2\3\4\0")}, {STR("\0\x5e"), STR("")}},
     "said 94 (unknown code)",
     94},
    {"socks4://p",
     "ws://h/",
     "1.2.3.4",
     {{STR(""), STR("\4\1\0\x50\1\2\3\4\0")}, {STR("\0\0"), STR("")}},
     "said 0 (unknown code)",
     0},
    {"socks4://p",
     "ws://h/",
     "1.2.3.4",
     {{STR(""), STR("\4\1\0\x50\1\2\3\4\0")}, {STR("\4"), STR("")}},
     "did not answer in SOCKS4: its response begins with \"\\x04",
     0},
    {"socks4://p",
     "ws://h/",
     "1.2.3.4",
     {{STR(""), STR("\4\1\0\x50\1\2\3\4\0")}, {STR("H"), STR("")}},
     "(for an HTTP proxy its URL begins with http://)",
     0},
    {"socks4://p", "ws://h/", "::1", {{STR(""), STR("")}}, "no IPv6", 0},
    {"socks4://p", "ws://[::1]/", NULL, {{STR(""), STR("")}}, "no IPv6", 0},
    /* SOCKS4a */
    {"socks4a://p",
     "ws://h.example/",
     NULL,
     {{STR(""), STR("\4\1\0\x50\0\0\0\1\0h.example\0")}, {STR("\0\x5a\0\0\0\0\0\0"), STR("")}},
     NULL,
     0},
    {"socks4a://u@p",
     "ws://h.example/",
     NULL,
     {{STR(""), STR("\4\1\0\x50\0\0\0\1u\0h.example\0")}, {STR("\0\x5a\0\0\0\0\0\0"), STR("")}},
     NULL,
     0},
    {"socks4a://p",
     "ws://1.2.3.4/",
     NULL,
     {{STR(""), STR("\4\1\0\x50\1\2\3\4\0")}, {STR("\0\x5a\0\0\0\0\0\0"), STR("")}},
     NULL,
     0},
    {"socks4a://p",
     "ws://[::1]/",
     NULL,
     {{STR(""), STR("\4\1\0\x50\0\0\0\1\0::1\0")}, {STR("\0\x5a\0\0\0\0\0\0"), STR("")}},
     NULL,
     0},
    /* SOCKS5 */
    {"socks5://p",
     "ws://h/",
     "1.2.3.4",
     {{STR(""), STR("\5\1\0")},
      {STR("\5\0"), STR("\5\1\0\1\1\2\3\4\0\x50")},
      {STR("\5\0\0\1\0\0\0\0\0\0"), STR("")}},
     NULL,
     0},
    {"socks5://p",
     "wss://h/",
     "2001:db8::1",
     {{STR(""), STR("\5\1\0")},
      {STR("\5\0"), STR("\5\1\0\4\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x01\xbb")},
      {STR("\5\0\0\4" ZEROS16 "\1\0\0"), STR("")}},
     NULL,
     0},
    {"socks5h://p",
     "ws://h.example:8080/",
     NULL,
     {{STR(""), STR("\5\1\0")},
      {STR("\5\0"), STR("\5\1\0\3\x9h.example\x1f\x90")},
      {STR("\5\0\0\3\3abc\0\0"), STR("")}},
     NULL,
     0},
    {"socks5h://p",
     "ws://h/",
     NULL,
     {{STR(""), STR("\5\1\0")},
      {STR("\5\0"), STR("\5\1\0\3\1h\0\x50")},
      {STR("\5\0\0\3\0\0\0"), STR("")}},
     NULL,
     0},
    {"socks5h://p",
     "ws://h/",
     NULL,
     {{STR(""), STR("\5\1\0")},
      {STR("\5\0"), STR("\5\1\0\3\1h\0\x50")},
      {STR("\5\0\0\3\xff" A255 "\0\0"), STR("")}},
     NULL,
     0},
    {"socks5h://p",
     "ws://1.2.3.4/",
     NULL,
     {{STR(""), STR("\5\1\0")},
      {STR("\5\0"), STR("\5\1\0\1\1\2\3\4\0\x50")},
      {STR("\5\0\0\1\0\0\0\0\0\0"), STR("")}},
     NULL,
     0},
    {"socks5h://p",
     "ws://1.2.3.4/",
     NULL,
     {{STR(""), STR("\5\1\0")},
      {STR("\5\0"), STR("\5\1\0\1\1\2\3\4\0\x50")},
      {STR("\5\0\0\1\x7f\0\0\1\4\x38"), STR("")}},
     NULL,
     0},
    {"socks5h://p",
     "ws://[::1]/",
     NULL,
     {{STR(""), STR("\5\1\0")},
      {STR("\5\0"), STR("\5\1\0\4" ZEROS16 "\1\0\x50")},
      {STR("\5\0\0\1\0\0\0\0\0\0"), STR("")}},
     NULL,
     0},
    {"socks5h://u:p@p",
     "ws://h/",
     NULL, /* the login is offered, but the proxy does not ask for it */
     {{STR(""), STR("\5\2\0\2")},
      {STR("\5\0"), STR("\5\1\0\3\1h\0\x50")},
      {STR("\5\0\0\1\0\0\0\0\0\0"), STR("")}},
     NULL,
     0},
    {"socks5h://joe:s%3ae:same@p",
     "ws://h/",
     NULL,
     {{STR(""), STR("\5\2\0\2")},
      {STR("\5\2"), STR("\1\3joe\x8s:e:same")},
      {STR("\1\0"), STR("\5\1\0\3\1h\0\x50")},
      {STR("\5\0\0\1\0\0\0\0\0\0"), STR("")}},
     NULL,
     0},
    {"socks5h://j@p",
     "ws://h/",
     NULL,
     {{STR(""), STR("\5\2\0\2")},
      {STR("\5\2"), STR("\1\1j\0")},
      {STR("\1\0"), STR("\5\1\0\3\1h\0\x50")},
      {STR("\5\0\0\1\0\0\0\0\0\0"), STR("")}},
     NULL,
     0},
    {"socks5h://" A255 ":" A255 "@p",
     "ws://h/",
     NULL,
     {{STR(""), STR("\5\2\0\2")},
      {STR("\5\2"), STR("\1\xff" A255 "\xff" A255)},
      {STR("\1\0"), STR("\5\1\0\3\1h\0\x50")},
      {STR("\5\0\0\1\0\0\0\0\0\0"), STR("")}},
     NULL,
     0},
    {"socks5h://u:sesame@p",
     "ws://h/",
     NULL,
     {{STR(""), STR("\5\2\0\2")}, {STR("\5\2"), STR("\1\1u\6sesame")}, {STR("\1\2"), STR("")}},
     "said 2 user or password is wrong",
     2},
    {"socks5h://u:sesame@p",
     "ws://h/",
     NULL,
     {{STR(""), STR("\5\2\0\2")}, {STR("\5\2"), STR("\1\1u\6sesame")}, {STR("\5"), STR("")}},
     "did not answer in SOCKS5: its response begins with \"\\x05",
     0},
    {"socks5h://p",
     "ws://h/",
     NULL,
     {{STR(""), STR("\5\1\0")}, {STR("\4"), STR("")}},
     "begins with \"\\x04",
     0},
    {"socks5h://p",
     "ws://h/",
     NULL,
     {{STR(""), STR("\5\1\0")}, {STR("H"), STR("")}},
     "(for an HTTP proxy its URL begins with http://)",
     0},
    {"socks5h://p",
     "ws://h/",
     NULL,
     {{STR(""), STR("\5\1\0")}, {STR("\5\xff"), STR("")}},
     "it wants a login; user and password go in its URL",
     255},
    {"socks5h://u:p@p",
     "ws://h/",
     NULL,
     {{STR(""), STR("\5\2\0\2")}, {STR("\5\xff"), STR("")}},
     "another kind of login than",
     255},
    {"socks5h://p",
     "ws://h/",
     NULL,
     {{STR(""), STR("\5\1\0")}, {STR("\5\2"), STR("")}},
     "a kind of login that was not offered",
     2},
    {"socks5h://u:p@p",
     "ws://h/",
     NULL,
     {{STR(""), STR("\5\2\0\2")}, {STR("\5\1"), STR("")}},
     "a kind of login that was not offered",
     1},
#define REPLY(code, words, status)                                                                 \
	{                                                                                          \
		"socks5h://p", "ws://h/", NULL,                                                    \
		    {{STR(""), STR("\5\1\0")},                                                     \
		     {STR("\5\0"), STR("\5\1\0\3\1h\0\x50")},                                      \
		     {STR(code), STR("")}},                                                        \
		    words, status                                                                  \
	}
    REPLY("\5\1", "said 1 general failure", 1),
    REPLY("\5\2", "not allowed by its ruleset", 2),
    REPLY("\5\3", "network unreachable", 3),
    REPLY("\5\4", "host unreachable", 4),
    REPLY("\5\5", "connection refused", 5),
    REPLY("\5\6", "TTL expired", 6),
    REPLY("\5\7", "command not supported", 7),
    REPLY("\5\x8", "address type not supported", 8),
    REPLY("\5\x9", "said 9 (unknown code)", 9),
    REPLY("\5\x7f", "said 127 (unknown code)", 127),
    REPLY("\4", "begins with \"\\x04", 0),
    REPLY("\5\0\0\2\0", "an address of the unknown type 2", 0),
    REPLY("\5\0\0\0\0", "an address of the unknown type 0", 0),
    REPLY("\5\0\0\5\0", "an address of the unknown type 5", 0),
    REPLY("\5\0\0\xff\0", "an address of the unknown type 255", 0),
};

/* Plays a dialogue, of which only len bytes of the proxy arrive: first `first` bytes, then pieces
 * of `step` bytes. `after` is what follows the proxy's last byte. Like the real caller, it keeps
 * unused bytes and passes them again. Returns 1, 0 or -1. */
static int play(const struct dialogue *d, size_t first, size_t step, size_t len, const char *after)
{
	struct wsi_url u;
	struct wsi_proxy p;
	const char *why;
	char in[2000], sent[2048], want[2048], out[WSI_PROXY_OUT_MAX], what[1600] = "";
	size_t in_len = 0, need = 0, have = 0, at = 0, sent_len = 0, want_len = 0, used = 0, k;
	int r;
	char *proxy_url = exact(d->proxy, strlen(d->proxy)),
	     *url = exact(d->target, strlen(d->target));

	for (k = 0; k < 4 && d->step[k].in != NULL; k++) {
		memcpy(in + in_len, d->step[k].in, d->step[k].in_len);
		in_len += d->step[k].in_len;
	}
	need = in_len;
	memcpy(in + in_len, after, strlen(after));
	in_len += strlen(after);
	if (len > in_len)
		len = in_len;
	why = wsi_proxy_parse(&p, proxy_url, strlen(d->proxy));
	if (!CHECK(why == NULL) || !CHECK(wsi_url_parse(&u, url, strlen(d->target)) == NULL)) {
		fprintf(stderr, "\t%s: %s\n", d->proxy, why);
		r = -1;
		goto out;
	}
	p.target = &u;
	if (d->addr != NULL)
		p.addr_len = wsi_ip_parse(p.addr, d->addr, strlen(d->addr));
	for (;;) {
		char *copy = exact(in + at, have - at);
		struct wsi_text o, w;

		wsi_text_init(&o, out, sizeof out);
		wsi_text_init(&w, what, sizeof what);
		r = wsi_proxy_step(&p, (unsigned char *)copy, have - at, &o, &w);
		free(copy);
		CHECK(p.used <= have - at && !o.cut && !w.cut);
		at += p.used;
		memcpy(sent + sent_len, out, o.len);
		sent_len += o.len;
		if (r == 0 && (o.len > 0 || p.used > 0))
			continue;
		if (r != 0 || have == len)
			break;
		have += have == 0 && first > 0 ? first : step;
		if (have > len)
			have = len;
	}
	/* everything was sent that the proxy's bytes so far allow, and not a byte more */
	for (k = 0, used = 0; k < 4 && d->step[k].in != NULL; k++) {
		used += d->step[k].in_len;
		if (used > have)
			break;
		memcpy(want + want_len, d->step[k].out, d->step[k].out_len);
		want_len += d->step[k].out_len;
	}
	if (!CHECK(sent_len == want_len && memcmp(sent, want, want_len) == 0))
		fprintf(stderr, "\tsent\n");
	if (r == 1) {
		CHECK_EQ_U(at, need);
		CHECK(d->why == NULL);
	} else if (r == -1) {
		CHECK(have >= need);
		if (!CHECK(d->why != NULL && strstr(what, d->why) != NULL))
			fprintf(stderr, "\twhy: %s\n", what);
		CHECK_EQ_U(strncmp(what, "said ", 5) == 0 ? strtol(what + 5, NULL, 10) : 0,
		           d->status);
		CHECK(strstr(what, "sesame") == NULL);
		if (d->why != NULL && strncmp(d->why, "said ", 5) == 0)
			CHECK_EQ_S(what, d->why);
		CHECK(!strstr(what, "proxies behind TLS") == !strstr(d->why, "proxies behind TLS"));
		CHECK(!strstr(what, "for an HTTP proxy") == !strstr(d->why, "for an HTTP proxy"));
	} else {
		CHECK(what[0] == '\0');
	}
out:
	free(proxy_url);
	free(url);
	return r;
}

static void test_dialogues(void)
{
	size_t k, i, step;

	for (k = 0; k < sizeof dialogues / sizeof dialogues[0]; k++) {
		const struct dialogue *d = &dialogues[k];
		int want = d->why == NULL ? 1 : -1, ok = 1;
		size_t len = 0;

		check_row("%s to %s, dialogue %lu: %s", d->proxy, d->target, (unsigned long)k,
		          d->why != NULL ? d->why : "");
		for (i = 0; i < 4 && d->step[i].in != NULL; i++)
			len += d->step[i].in_len;
		for (step = 1; step <= (len < 40 ? len + 1 : 4); step++) {
			ok &= CHECK(play(d, 0, step, len, "") == want);
			ok &= CHECK(play(d, 0, step, len + 5, "\x81\2hi\n") == want);
		}
		for (i = 0; i <= len; i++)
			ok &= CHECK(play(d, i, len, len + 9, "HTTP/1.1 ") == want);
		for (i = 0; i < len; i++) /* truncated: it waits for more, whatever came before */
			ok &= CHECK(play(d, i, 1, i, "") == 0);
		if (!ok)
			fprintf(stderr, "\t%s to %s, dialogue %lu: %s\n", d->proxy, d->target,
			        (unsigned long)k, d->why != NULL ? d->why : "");
	}
}

/* A proxy's response head without an end, and one that is too long */
static void test_proxy_limits(void)
{
	static unsigned char in[WS_MAX_HEAD + 2];
	struct wsi_url u;
	struct wsi_proxy p;
	struct wsi_text o, w;
	char out[WSI_PROXY_OUT_MAX], what[600], url[400];

	memset(in, 'a', sizeof in);
	memcpy(in, "HTTP/1.1 200 ", 13);
	wsi_proxy_parse(&p, "p", 1);
	wsi_url_parse(&u, "ws://h", 6);
	p.target = &u;
	wsi_text_init(&o, out, sizeof out);
	wsi_text_init(&w, what, sizeof what);
	CHECK(wsi_proxy_step(&p, in, 0, &o, &w) == 0 && o.len > 0);
	CHECK(wsi_proxy_step(&p, in, WS_MAX_HEAD - 1, &o, &w) == 0 && p.used == 0);
	CHECK_EQ_U(p.response.len,
	           WS_MAX_HEAD - 1); /* it continues there, because starting over would be slow */
	CHECK(wsi_proxy_step(&p, in, WS_MAX_HEAD, &o, &w) == -1
	      && strstr(what, "over 16384 bytes") != NULL);

	/* the longest possible output fits into the promised room */
	{
		static char longest[1100] = "http://", agent[258];
		unsigned char agreed[] = {5, 0};

		memset(longest + 7, 'u', 1024);
		strcpy(longest + 7 + 1024, "@p");
		memset(url, 'h', sizeof url);
		memcpy(url, "wss://", 6);
		url[6 + 60] = url[6 + 120] = url[6 + 180] = url[6 + 240] = '.';
		strcpy(url + 6 + 253, ".:65535/");
		CHECK(wsi_proxy_parse(&p, longest, strlen(longest)) == NULL);
		CHECK(wsi_url_parse(&u, url, strlen(url)) == NULL);
		p.target = &u;
		memset(agent, 'a', sizeof agent - 1);
		p.user_agent = agent + 1;
		wsi_text_init(&o, out, sizeof out);
		CHECK(wsi_proxy_step(&p, in, 0, &o, &w) == 0 && !o.cut && o.len > 2100);
		CHECK(strstr(out, "User-Agent: aaaa"));
		check_row("a User-Agent that is too long is replaced by ours, and an empty one is "
		          "left out");
		CHECK(wsi_proxy_parse(&p, "p", 1) == NULL);
		p.target = &u;
		p.user_agent = agent;
		wsi_text_init(&o, out, sizeof out);
		CHECK(wsi_proxy_step(&p, in, 0, &o, &w) == 0 && !o.cut);
		CHECK(strstr(out, AGENT));
		CHECK(wsi_proxy_parse(&p, "p", 1) == NULL);
		p.target = &u;
		p.user_agent = "";
		wsi_text_init(&o, out, sizeof out);
		CHECK(wsi_proxy_step(&p, in, 0, &o, &w) == 0);
		CHECK(!strstr(out, "User-Agent"));
		check_row_end();
		CHECK(wsi_proxy_parse(&p, "socks5h://p", 11) == NULL);
		p.target = &u;
		wsi_text_init(&o, out, sizeof out);
		CHECK(wsi_proxy_step(&p, in, 0, &o, &w) == 0 && o.len == 3);
		CHECK(wsi_proxy_step(&p, agreed, 2, &o, &w) == 0 && o.len == 3 + 5 + 254 + 2);
		CHECK((unsigned char)out[7] == 254);
	}
}

/* What is asked about a proxy that has said no more than this */
static void test_doubt(void)
{
	static const struct {
		const char *proxy, *in;
		size_t in_len;
		const char *doubt;
	} rows[] = {
	    {"http://p", STR(""),
	     "; does this port speak HTTP without TLS, and does the proxy reach the server?"},
	    {"http://p", STR("HTTP/1.1 100 x\r\n\r\n"), "; does the proxy reach the server?"},
	    {"socks4://p", STR(""),
	     "; does this port speak SOCKS4, and does the proxy reach the server?"},
	    {"socks4a://p", STR(""),
	     "; does this port speak SOCKS4, and does the proxy reach the server?"},
	    {"socks5://u:p@p", STR(""), "; does this port speak SOCKS5?"},
	    {"socks5h://u:p@p", STR(""), "; does this port speak SOCKS5?"},
	    {"socks5h://u:p@p", STR("\5\2"), ""},
	    {"socks5h://u:p@p", STR("\5\2\1\0"), "; does the proxy reach the server?"},
	    {"socks5h://p", STR("\5\0"), "; does the proxy reach the server?"},
	};
	struct wsi_url u;
	size_t k, at;

	CHECK(wsi_url_parse(&u, "ws://10.0.0.1", 13) == NULL);
	for (k = 0; k < sizeof rows / sizeof rows[0]; k++) {
		struct wsi_proxy p;
		struct wsi_text o, w;
		char in[40], out[WSI_PROXY_OUT_MAX], what[600];

		check_row("%s, %lu bytes came", rows[k].proxy, (unsigned long)rows[k].in_len);
		memcpy(in, rows[k].in, rows[k].in_len);
		CHECK(wsi_proxy_parse(&p, rows[k].proxy, strlen(rows[k].proxy)) == NULL);
		p.target = &u;
		wsi_text_init(&w, what, sizeof what);
		at = 0;
		do {
			wsi_text_init(&o, out, sizeof out);
			CHECK_EQ_U(wsi_proxy_step(&p, (unsigned char *)in + at, rows[k].in_len - at,
			                          &o, &w),
			           0);
			at += p.used;
		} while (o.len > 0 || p.used > 0);
		CHECK_EQ_U(at, rows[k].in_len);
		CHECK_EQ_S(wsi_proxy_doubt(&p), rows[k].doubt);
	}
	check_row_end();
}

/* ---- URLs of proxies ---- */

static const struct {
	const char *url;
	int kind; /* -1: wrong */
	unsigned port;
	const char *userinfo; /* or the reason, if it is invalid */
	const char *host;
} urls[] = {
    {"http://p", WSI_HTTP, 80, "", "p"},
    {"http://p:3128/", WSI_HTTP, 3128, "", "p"},
    {"HTTP://u:p@p", WSI_HTTP, 80, "u:p", "p"},
    {"p", WSI_HTTP, 80, "", "p"},
    {"p:3128", WSI_HTTP, 3128, "", "p"},
    {"u:p@p:1", WSI_HTTP, 1, "u:p", "p"},
    {"[::1]:3128", WSI_HTTP, 3128, "", "::1"},
    {"socks4://p", WSI_SOCKS4, 1080, "", "p"},
    {"socks4a://p:1", WSI_SOCKS4A, 1, "", "p"},
    {"socks4a://p", WSI_SOCKS4A, 1080, "", "p"},
    {"Socks5://u:p@[fe80::1%25eth0]", WSI_SOCKS5, 1080, "u:p", "fe80::1"},
    {"socks5h://127.0.0.1/", WSI_SOCKS5H, 1080, "", "127.0.0.1"},
    {"socks5h://" A255 ":" A255 "@p", WSI_SOCKS5H, 1080, A255 ":" A255, "p"},
    {"socks5h://" A51 A51 A51 A51 A50 "%41@p", WSI_SOCKS5H, 1080, A51 A51 A51 A51 A50 "%41", "p"},
    {"socks5h://" A51 A51 A51 A51 A50 "%41%41@p", -1, 0, "255", NULL},
    {"http://" A255 A255 A255 A255 "aaaa@p", WSI_HTTP, 80, A255 A255 A255 A255 "aaaa", "p"},
    {"https://p", -1, 0, "it needs TLS to the proxy, which is not supported: try http://", NULL},
    {"socks://p", -1, 0, "socks5h://", NULL},
    {"socks6://p", -1, 0, "socks5h://", NULL},
    {"socks5hh://p", -1, 0, "socks5h://", NULL},
    {"ws://p", -1, 0, "socks5h://", NULL},
    {"://p", -1, 0, "no host", NULL},
    {"", -1, 0, "no host", NULL},
    {"http://", -1, 0, "no host", NULL},
    {"http://u@", -1, 0, "no host", NULL},
    {"http://p:0", -1, 0, "1 to 65535", NULL},
    {"http://p:x", -1, 0, "1 to 65535", NULL},
    {"http://127.1", -1, 0, "IPv4", NULL},
    {"http://p/x", -1, 0, "path", NULL},
    {"http://p?x", -1, 0, "path", NULL},
    {"p:3128/x", -1, 0, "path", NULL},
    {"http://p/#", -1, 0, "fragment", NULL},
    {"socks4://u%00@p", -1, 0, "NUL", NULL},
    {"socks5://u:%00@p", -1, 0, "NUL", NULL},
    {"socks5://u:p%0@p", -1, 0, "%25", NULL},
    {"socks5h://a" A255 ":p@p", -1, 0, "255", NULL},
    {"socks5h://u:a" A255 "@p", -1, 0, "255", NULL},
    {"socks4://a" A255 "@p", -1, 0, "255", NULL},
    {"http://" A255 A255 A255 A255 "aaaaa@p", -1, 0, "1024", NULL},
};

static void test_urls(void)
{
	size_t k;

	for (k = 0; k < sizeof urls / sizeof urls[0]; k++) {
		size_t len = strlen(urls[k].url), i;
		struct wsi_proxy p;
		char *url = exact(urls[k].url, len);
		const char *why = wsi_proxy_parse(&p, url, len);

		check_row("%s", urls[k].url);
		if (urls[k].kind < 0) {
			if (!CHECK(why != NULL) || !CHECK(strstr(why, urls[k].userinfo) != NULL))
				fprintf(stderr, "\t%s: %s\n", urls[k].url, why);
			CHECK(p.url.at >= url && p.url.at <= url + len);
		} else if (!CHECK(why == NULL)) {
			fprintf(stderr, "\t%s: %s\n", urls[k].url, why);
		} else {
			CHECK_EQ_U(p.kind, urls[k].kind);
			CHECK_EQ_U(p.url.port, urls[k].port);
			CHECK_EQ_MEM(p.url.userinfo.p, p.url.userinfo.len, urls[k].userinfo,
			             strlen(urls[k].userinfo));
			CHECK_EQ_MEM(p.url.host.p, p.url.host.len, urls[k].host,
			             strlen(urls[k].host));
		}
		free(url);
		for (i = 0; i < len; i++) {
			url = exact(urls[k].url, i);
			why = wsi_proxy_parse(&p, url, i);
			CHECK(why == NULL
			      || (why[0] != '\0' && p.url.at >= url && p.url.at <= url + i));
			free(url);
		}
	}
	check_row_end();
	{ /* a password that is too long does not overflow its room */
		static const char url[] = "socks5://" A255 ":" A255 "x@p";
		unsigned char raw[sizeof(struct wsi_proxy)];
		struct wsi_proxy p;

		CHECK(wsi_proxy_parse(&p, url, strlen(url)) != NULL);
		CHECK(p.url.at == p.url.userinfo.p);
		memcpy(raw, &p, sizeof p);
		CHECK_EQ_U(raw[offsetof(struct wsi_proxy, login) + sizeof p.login], 0);
	}
	CHECK(!wsi_proxy_resolves_here(WSI_HTTP) && wsi_proxy_resolves_here(WSI_SOCKS4)
	      && !wsi_proxy_resolves_here(WSI_SOCKS4A));
	CHECK(wsi_proxy_resolves_here(WSI_SOCKS5) && !wsi_proxy_resolves_here(WSI_SOCKS5H));
}

/* ---- no_proxy ---- */

static const struct {
	const char *list, *url;
	int want;
} lists[] = {
    {"", "ws://h", 0},
    {"*", "ws://h", 1},
    {"*", "ws://[::1]", 1},
    {" , ,,\t", "ws://h", 0},
    {"a,*", "ws://h", 1},
    {"h", "ws://h", 1},
    {"h", "ws://H", 1},
    {"H", "ws://h", 1},
    {"a, h ,b", "ws://h", 1},
    {"a h b", "ws://h", 1},
    {"a\th\nb", "ws://h", 1},
    {"a;h", "ws://h", -1},
    {"h", "ws://hh", 0},
    {"hh", "ws://h", 0},
    /* whole labels */
    {"example.com", "ws://example.com", 1},
    {"example.com", "ws://a.example.com", 1},
    {"example.com", "ws://a.b.EXAMPLE.com", 1},
    {"example.com", "ws://badexample.com", 0},
    {"example.com", "ws://example.com.evil", 0},
    {"example.com", "ws://example.co", 0},
    {"example.com", "ws://com", 0},
    {".example.com", "ws://example.com", 1},
    {".example.com", "ws://a.example.com", 1},
    {".example.com", "ws://badexample.com", 0},
    {"*.example.com", "ws://a.example.com", 1},
    {"*.example.com", "ws://badexample.com", 0},
    {"example.com.", "ws://example.com", 1},
    {"example.com", "ws://example.com.", 1},
    {".example.com.", "ws://a.example.com.", 1},
    {"com", "ws://example.com", 1},
    {"x-y_z", "ws://x-y_z", 1},
    /* ports */
    {"h:80", "ws://h", 1},
    {"h:80", "ws://h:81", 0},
    {"h:443", "wss://h", 1},
    {"h:80", "wss://h", 0},
    {"h:8080", "wss://h:8080/x", 1},
    {".example.com:81", "ws://a.example.com:81", 1},
    {".example.com:81", "ws://a.example.com:82", 0},
    {"10.0.0.1:80", "ws://10.0.0.1", 1},
    {"10.0.0.1:80", "ws://10.0.0.1:81", 0},
    {"[::1]:80", "ws://[::1]", 1},
    {"[::1]:80", "ws://[::1]:81", 0},
    /* addresses */
    {"10.0.0.1", "ws://10.0.0.1", 1},
    {"10.0.0.1", "ws://10.0.0.2", 0},
    {"10.0.0.1", "ws://[::ffff:10.0.0.1]", 1},
    {"::ffff:10.0.0.1", "ws://10.0.0.1", 1},
    {"::1", "ws://[::1]", 1},
    {"[::1]", "ws://[::1]", 1},
    {"[0:0::0:1]", "ws://[::1]", 1},
    {"::1", "ws://[::2]", 0},
    {"fe80::1", "ws://[fe80::1%25eth0]", 1},
    {"10.0.0.1", "ws://h", 0},
    {"::", "ws://[::]", 1},
    /* blocks */
    {"10.0.0.0/8", "ws://10.255.0.1", 1},
    {"10.0.0.0/8", "ws://11.0.0.1", 0},
    {"10.1.2.3/8", "ws://10.9.9.9", 1},
    {"192.168.4.0/22", "ws://192.168.7.255", 1},
    {"192.168.4.0/22", "ws://192.168.8.0", 0},
    {"192.168.4.0/22", "ws://192.168.3.255", 0},
    {"10.0.0.1/32", "ws://10.0.0.1", 1},
    {"10.0.0.1/32", "ws://10.0.0.0", 0},
    {"10.0.0.1/31", "ws://10.0.0.0", 1},
    {"0.0.0.0/0", "ws://1.2.3.4", 1},
    {"0.0.0.0/0", "ws://[::1]", 0},
    {"0.0.0.0/0", "ws://h", 0},
    {"10.0.0.0/8", "ws://[::ffff:10.1.1.1]", 1},
    {"10.0.0.0/8", "ws://[::10.1.1.1]", 0},
    {"::ffff:10.0.0.1", "ws://[::ffff:a00:1]", 1},
    {"::ffff:10.0.0.0/104", NULL, -1},
    {"fe80::/10", "ws://[febf::1]", 1},
    {"fe80::/10", "ws://[fec0::1]", 0},
    {"[fe80::]/10", "ws://[fe80::1]", 1},
    {"2001:db8::/32", "ws://[2001:db8:ffff::]", 1},
    {"2001:db8::/32", "ws://[2001:db9::]", 0},
    {"2001:db8::/128", "ws://[2001:db8::]", 1},
    {"2001:db8::/128", "ws://[2001:db8::1]", 0},
    {"::/0", "ws://[1::1]", 1},
    {"::/0", "ws://10.0.0.1", 0},
    /* wrong ones */
    {"10.0.0.0/33", NULL, -1},
    {"10.0.0.0/", NULL, -1},
    {"10.0.0.0/-1", NULL, -1},
    {"10.0.0.0/8x", NULL, -1},
    {"10.0.0.0/8:80", NULL, -1},
    {"10.0.0/8", NULL, -1},
    {"::/129", NULL, -1},
    {"::/", NULL, -1},
    {"::ffff:1.2.3.4/129", NULL, -1},
    {"[::1", NULL, -1},
    {"[::1]x", NULL, -1},
    {"[::1]]", NULL, -1},
    {"[]", NULL, -1},
    {"[", NULL, -1},
    {"]", NULL, -1},
    {"[h]", NULL, -1},
    {"[::1]:", NULL, -1},
    {"[::1]:0", NULL, -1},
    {"h:", NULL, -1},
    {"h:0", NULL, -1},
    {"h:65536", NULL, -1},
    {"h:80x", NULL, -1},
    {"h:80:80", NULL, -1},
    {":80", NULL, -1},
    {"h/8", NULL, -1},
    {"h/0", NULL, -1},
    {"/8", NULL, -1},
    {"/", NULL, -1},
    {"http://h", NULL, -1},
    {"h/", NULL, -1},
    {".", NULL, -1},
    {"..", NULL, -1},
    {"a..b", NULL, -1},
    {"..a", NULL, -1},
    {"**", NULL, -1},
    {"*a", NULL, -1},
    {"*.", NULL, -1},
    {"a*", NULL, -1},
    {"192.168.*", NULL, -1},
    {"192.168.", NULL, -1},
    {"10.0.0.256", NULL, -1},
    {"010.0.0.1", NULL, -1},
    {"1.2.3.4.5", NULL, -1},
    {"h\xc3\xa9", NULL, -1},
    {"u@h", NULL, -1},
    {"h?", NULL, -1},
    {"::1%eth0", NULL, -1},
    {"good.example,b@d,*", NULL, -1}, /* the whole list is checked, even after a match */
    {"*,b@d", NULL, -1},
};

static void test_no_proxy(void)
{
	size_t k;
	struct wsi_str bad;

	for (k = 0; k < sizeof lists / sizeof lists[0]; k++) {
		size_t len = strlen(lists[k].list);
		char *list = exact(lists[k].list, len + 1);
		const char *url = lists[k].url != NULL ? lists[k].url : "ws://good.example";
		struct wsi_url u;
		int r;

		check_row("\"%s\" for %s", lists[k].list,
		          lists[k].url != NULL ? lists[k].url : "any");
		CHECK(wsi_url_parse(&u, url, strlen(url)) == NULL);
		r = wsi_no_proxy(list, &u, &bad);
		if (!CHECK((r > 0 ? 1 : r) == lists[k].want))
			fprintf(stderr, "\t\"%s\" for %s: %d\n", lists[k].list, url, r);
		if (r == -1 && strchr(list, ',') != NULL)
			CHECK_EQ_MEM(bad.p, bad.len, "b@d", 3);
		else if (r == -1 && strchr(list, ' ') == NULL)
			CHECK_EQ_MEM(bad.p, bad.len, list, len);
		r = wsi_no_proxy(list, NULL, &bad);
		CHECK(lists[k].want == -1 ? r == -1 : r != -1);
		free(list);
	}
	check_row_end();
	CHECK(wsi_no_proxy(NULL, NULL, &bad) == 0);
}

int main(void)
{
	TEST(test_dialogues);
	TEST(test_proxy_limits);
	TEST(test_doubt);
	TEST(test_urls);
	TEST(test_no_proxy);
	return check_done();
}
