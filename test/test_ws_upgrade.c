/* SPDX-License-Identifier: ISC
 * test_ws_upgrade.c - Tests the upgrade: our request, the response, refusals and redirects
 *
 * It uses the public interface of ws.h over the scripted transport of fake.h.
 */
#include "talk.h"

/* RFC 6455 1.2 and 1.3, byte for byte */
static void test_rfc_handshake(void)
{
	static const char request[] =
	    "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n"
	    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	    "Origin: http://example.com\r\nSec-WebSocket-Protocol: chat, superchat\r\n"
	    "Sec-WebSocket-Version: 13\r\n\r\n";
	static const char answer[] =
	    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
	    "Sec-WebSocket-Protocol: chat\r\n\r\n";
	static const char *const protocols[] = {"chat", "superchat", NULL}, *const headers[] = {
	                                                                        "User-Agent:",
	                                                                        NULL};
	struct fake f;
	struct ws_options o;
	struct ws_io io;
	struct ws_msg msg;
	struct ws_conn *ws;
	int k;

	for (k = 0; k < 2; k++) {
		fake_init(&f, answer, sizeof answer - 1);
		fake_options(&f, &o, &io);
		o.subprotocols = protocols;
		o.headers = k ? NULL : headers;
		o.origin = "http://example.com";
		ws = ws_new("ws://server.example.com/chat", &o);
		CHECK_EQ_S(ws_errmsg(ws), "");
		CHECK_EQ_U(ws_report(ws)->phase, WS_PHASE_URL);
		CHECK_EQ_U(f.ios, 0);
		CHECK_EQ_U(ws_open(ws), 0);
		if (k == 0) {
			CHECK_EQ_MEM(f.out, f.out_len, request, sizeof request - 1);
		} else { /* the same and a User-Agent */
			CHECK(f.out_len
			      == sizeof request - 1
			             + strlen("User-Agent: libws/" WS_VERSION "\r\n"));
			CHECK(memcmp(f.out, request, sizeof request - 3) == 0);
		}
		CHECK_EQ_S(ws_report(ws)->subprotocol, "chat");
		CHECK_EQ_U(ws_report(ws)->http_status, 101);
		CHECK_EQ_MEM(ws_report(ws)->head, ws_report(ws)->head_len, answer,
		             sizeof answer - 1);
		CHECK_EQ_U(ws_report(ws)->phase, WS_PHASE_READY);
		CHECK_EQ_S(ws_report(ws)->url, "ws://server.example.com/chat");
		CHECK_EQ_S(ws_report(ws)->address, "server.example.com:80");
		CHECK(ws_report(ws)->phase_us[WS_PHASE_UPGRADE] >= 0
		      && ws_report(ws)->phase_us[WS_PHASE_RESOLVE] == -1);
		CHECK_EQ_U(ws_open(ws), 0); /* again: it is open */
		ws_timeout(ws, 5);
		CHECK_EQ_U(ws_recv(ws, &msg), WS_ETIMEOUT);
		CHECK_EQ_S(ws_report(ws)->head, "");
		CHECK_EQ_U(ws_report(ws)->head_len, 0);
		ws_free(ws);
		check_clean(&f);
		fake_free(&f);
	}
}

/* The answer to the upgrade. After it comes one text message "hi" and the end of file. */

struct answer {
	const char *name, *head;
	int err, status;
	const char *what; /* a part of the error */
};
#define E WS_EHANDSHAKE

/* clang-format off */
static const struct answer answers[] = {
	{"plain", OK101 UP CONN ACC "\r\n", 0, 101, ""},
	{"no reason phrase", "HTTP/1.1 101\r\n" UP CONN ACC "\r\n", 0, 101, ""},
	{"an empty reason phrase", "HTTP/1.1 101 \r\n" UP CONN ACC "\r\n", 0, 101, ""},
	{"any case of names and tokens", OK101 "UPGRADE: WebSocket\r\nconnection: uPGRADE\r\nsec-websocket-accept: "
	 FAKE_ACCEPT "\r\n\r\n", 0, 101, ""},
	{"lists of tokens", OK101 "Upgrade: h2c, websocket\r\nConnection: keep-alive, Upgrade\r\n" ACC "\r\n", 0, 101,
	 ""},
	{"lists over lines", OK101 "Connection: keep-alive\r\n" UP CONN ACC "\r\n", 0, 101, ""},
	{"spaces around values", OK101 "Upgrade:websocket\r\nConnection: \t Upgrade \t\r\nSec-WebSocket-Accept:   "
	 FAKE_ACCEPT "  \r\n\r\n", 0, 101, ""},
	{"others", OK101 "Server: x\r\nDate: \r\n" UP CONN ACC "Set-Cookie: a=b\r\nSet-Cookie: c=d\r\n\r\n", 0, 101,
	 ""},
	{"the subprotocol offered", OK101 UP CONN ACC "Sec-WebSocket-Protocol: chat\r\n\r\n", 0, 101, ""},
	{"long", OK101 UP CONN ACC "A: " SIXTY SIXTY SIXTY SIXTY SIXTY SIXTY SIXTY "\r\nB: 01234567890\r\n\r\n", 0, 101, ""},
	{"no extension", OK101 UP CONN ACC "Sec-WebSocket-Extensions: \r\n\r\n", 0, 101, ""},
	{"an interim 100", "HTTP/1.1 100 Continue\r\n\r\n" OK101 UP CONN ACC "\r\n", 0, 101, ""},
	{"interim 102 and 103",
	 "HTTP/1.1 102 Processing\r\nA: b\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" OK101 UP CONN ACC
	 "\r\n", 0, 101, ""},
	{"eight interim ones",
	 "HTTP/1.1 100 a\r\n\r\nHTTP/1.1 100 b\r\n\r\nHTTP/1.1 100 c\r\n\r\nHTTP/1.1 100 d\r\n\r\nHTTP/1.1 100 e\r\n\r\n"
	 "HTTP/1.1 100 f\r\n\r\nHTTP/1.1 100 g\r\n\r\nHTTP/1.1 100 h\r\n\r\n" OK101 UP CONN ACC "\r\n", 0, 101, ""},
	{"nine interim ones",
	 "HTTP/1.1 100 a\r\n\r\nHTTP/1.1 100 b\r\n\r\nHTTP/1.1 100 c\r\n\r\nHTTP/1.1 100 d\r\n\r\nHTTP/1.1 100 e\r\n\r\n"
	 "HTTP/1.1 100 f\r\n\r\nHTTP/1.1 100 g\r\n\r\nHTTP/1.1 100 h\r\n\r\nHTTP/1.1 100 i\r\n\r\n" OK101 UP CONN ACC
	 "\r\n", E, 100, "over 8 interim responses came, the last with HTTP 100"},
	{"the last interim status", "HTTP/1.1 199 x\r\n\r\n" OK101 UP CONN ACC "\r\n", 0, 101, ""},
	{"no Upgrade", OK101 CONN ACC "\r\n", E, 101,
	 "upgrade of " URL ": the response of server.example.com:80 is not valid: it has no \"Upgrade"},
	{"another Upgrade", OK101 "Upgrade: h2c\r\n" CONN ACC "\r\n", E, 101, "Upgrade"},
	{"an Upgrade that only contains it", OK101 "Upgrade: websockets\r\n" CONN ACC "\r\n", E, 101, "Upgrade"},
	{"no Connection", OK101 UP ACC "\r\n", E, 101, "Connection"},
	{"another Connection", OK101 UP "Connection: close\r\n" ACC "\r\n", E, 101, "Connection"},
	{"no Accept", OK101 UP CONN "\r\n", E, 101, "Sec-WebSocket-Accept"},
	{"an empty Accept", OK101 UP CONN "Sec-WebSocket-Accept: \r\n\r\n", E, 101, "Sec-WebSocket-Accept"},
	{"a wrong Accept", OK101 UP CONN "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOp=\r\n\r\n", E, 101,
	 "Sec-WebSocket-Accept"},
	{"an Accept of another case", OK101 UP CONN "Sec-WebSocket-Accept: S3PPLMBITXAQ9KYGZZHZRBK+XOO=\r\n\r\n", E,
	 101, "Sec-WebSocket-Accept"},
	{"a longer Accept", OK101 UP CONN "Sec-WebSocket-Accept: " FAKE_ACCEPT "=\r\n\r\n", E, 101,
	 "Sec-WebSocket-Accept"},
	{"a shorter Accept", OK101 UP CONN "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo\r\n\r\n", E, 101,
	 "Sec-WebSocket-Accept"},
	{"our key as Accept", OK101 UP CONN "Sec-WebSocket-Accept: " FAKE_KEY "\r\n\r\n", E, 101,
	 "Sec-WebSocket-Accept"},
	{"Accept twice", OK101 UP CONN ACC ACC "\r\n", E, 101, "Sec-WebSocket-Accept"},
	{"an extension", OK101 UP CONN ACC "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", E, 101,
	 "extension"},
	{"a subprotocol not offered", OK101 UP CONN ACC "Sec-WebSocket-Protocol: mqtt\r\n\r\n", E, 101,
	 "subprotocol"},
	{"a subprotocol in another case", OK101 UP CONN ACC "Sec-WebSocket-Protocol: CHAT\r\n\r\n", E, 101,
	 "subprotocol"},
	{"two subprotocols", OK101 UP CONN ACC "Sec-WebSocket-Protocol: chat, superchat\r\n\r\n", E, 101,
	 "subprotocol"},
	{"two subprotocol lines", OK101 UP CONN ACC
	 "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat\r\n\r\n", E, 101, "subprotocol"},
	{"HTTP/1.0", "HTTP/1.0 101 Switching Protocols\r\n" UP CONN ACC "\r\n", E, 101, "HTTP/1.0"},
	{"HTTP/2", "HTTP/2 101 Switching Protocols\r\n" UP CONN ACC "\r\n", E, 0, ""},
	{"a body announced", OK101 UP CONN ACC "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n", 0, 101, ""},
	{"no HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n", E, 0, "not HTTP, it begins with \"S"},
	{"TLS", "\x15\x03\x01\x00\x02\x02\x28", E, 0, "TLS: try wss://"},
	{"bare LF", "HTTP/1.1 101 Switching Protocols\n" UP CONN ACC "\n", 0, 101, ""},
	{"a folded line", OK101 UP "Connection:\r\n Upgrade\r\n" ACC "\r\n", 0, 101, ""},
	{"a folded first line", OK101 " " UP CONN ACC "\r\n", E, 0, "begins with a space"},
	{"a space before the colon", OK101 "Upgrade : websocket\r\n" CONN ACC "\r\n", E, 0, "header"},
	{"no colon", OK101 UP CONN ACC "hello\r\n\r\n", E, 0, "header"},
	{"a control character", OK101 UP CONN ACC "A: \x01\r\n\r\n", E, 0, "control"},
	{"a bare CR", OK101 UP CONN ACC "A: b\rc\r\n\r\n", E, 0, "control"},
	{"status 99", "HTTP/1.1 099 x\r\n\r\n", E, 0, ""},
	{"a status that begins with a colon", "HTTP/1.1 :00 x\r\n\r\n", E, 0, ""},
	{"status of two digits", "HTTP/1.1 10 x\r\n\r\n", E, 0, ""},
	{"status of four digits", "HTTP/1.1 1010 x\r\n\r\n", E, 0, ""},
	{"no space after the version", "HTTP/1.1101\r\n\r\n", E, 0, ""},
	{"200", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", WS_EHTTP, 200, "HTTP 200 OK"},
	{"302, and nobody follows it", "HTTP/1.1 302 Found\r\nLocation: ws://u:p@other/\r\nContent-Length: 0\r\n\r\n",
	 WS_EHTTP, 302, "Location: ws://other/"},
	{"401", "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n",
	 WS_EHTTP, 401, "Basic realm"},
	{"426", "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 8\r\nContent-Length: 0\r\n\r\n", WS_EHTTP,
	 426, "version 8"},
	{"503", "HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n", WS_EHTTP, 503,
	 "Retry-After: 120"},
	{"404", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", WS_EHTTP, 404, "404 Not Found"},
	{"403", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", WS_EHTTP, 403, "403 Forbidden"},
	{"a refusal with a control character", "HTTP/1.1 999 \x1b[31mred\xff\r\nContent-Length: 0\r\n\r\n", WS_EHTTP, 999,
	 "HTTP 999; its response is not valid: line 1 of its head has the control character 0x1b"},
	{"a refusal with no colon", "HTTP/1.1 403 No\xff\r\nA\r\n\r\n", WS_EHTTP, 403,
	 "HTTP 403 No?; its response is not valid: its header line \"A\" is not of the form"},
	{"a refusal and a wrong byte after an interim one", "HTTP/1.1 103 x\r\n\r\nHTTP/1.1 503 y\r\nA: \x01\r\n\r\n",
	 WS_EHTTP, 503, "HTTP 503 y; its response is not valid: line 2"},
	{"a redirect with a wrong byte", "HTTP/1.1 302 Found\r\nLocation: /\x01\r\n\r\n", E, 302,
	 ", HTTP 302, is not valid: line 2"},
	{"an interim status with a wrong byte", "HTTP/1.1 199 x\r\nA: \x01\r\n\r\n", E, 0, " is not valid: line 2"},
	{"a status under 300 with a wrong byte", "HTTP/1.1 299 x\r\nA: \x01\r\n\r\n", WS_EHTTP, 299, "HTTP 299 x"},
	{"several choices with a wrong byte", "HTTP/1.1 300 x\r\nA: \x01\r\n\r\n", E, 300, ", HTTP 300, is not valid"},
	{"the last 3xx with a wrong byte", "HTTP/1.1 399 x\r\nA: \x01\r\n\r\n", E, 399, ", HTTP 399, is not valid"},
	{"a refusal over 399 with a wrong byte", "HTTP/1.1 400 x\r\nA: \x01\r\n\r\n", WS_EHTTP, 400, "HTTP 400 x"},
	{"a refusal under 300 with a wrong byte", "HTTP/1.1 200 x\r\nA: \x01\r\n\r\n", WS_EHTTP, 200, "HTTP 200 x"},
	{"no answer after an interim one", "HTTP/1.1 103 x\r\n\r\nhello", E, 103, "not HTTP, it begins with \"h"},
};
/* clang-format on */
#undef E

/* Answers the upgrade, and checks what ws_open and ws_recv make of the answer. cut: only a part of
 * it. */
static void run_answer(const struct answer *a, const void *in, size_t in_len, const struct how *h,
                       const char *how, size_t k, int cut)
{
	static const char *const protocols[] = {"chat", "superchat", NULL};
	static int reported;
	struct ws_options o;
	struct ws_io io;
	struct fake f;
	struct ws_msg msg;
	struct ws_conn *ws;
	int r, ok;

	fake_init(&f, in, in_len);
	set_options(&f, h, &o, &io);
	o.subprotocols = protocols;
	o.max_redirects = ws_features() & WS_HAS_REDIRECTS
	                      ? 5
	                      : 0; /* over the program's own transport they are not followed */
	ws = ws_new(URL, &o);
	REPEAT(r, &f, ws, h->nonblock, ws_open(ws));
	if (cut && r == WS_ECLOSED) {
		ok = ws_report(ws)->err == WS_ECLOSED && ws_errmsg(ws)[0];
	} else {
		ok = r == a->err && ws_report(ws)->http_status == a->status
		     && strstr(ws_errmsg(ws), a->what) && ws_report(ws)->redirects == 0
		     && ws_report(ws)->err == r;
		if (r == 0 && cut == 0) {
			REPEAT(r, &f, ws, h->nonblock, ws_recv(ws, &msg));
			ok &= r == 0 && msg.len == 2 && memcmp(msg.data, "hi", 2) == 0;
			REPEAT(r, &f, ws, h->nonblock, ws_recv(ws, &msg));
			ok &= r == WS_ECLOSED && ws_report(ws)->close_code == 1006;
		} else if (r) {
			ok &= ws_open(ws) == r && ws_recv(ws, &msg) == r
			      && ws_send(ws, WS_TEXT, "", 0) == r && ws_ping(ws, "", 0) == r
			      && ws_close(ws, 1000, NULL) == r;
		}
	}
	ok &= strstr(ws_errmsg(ws), "u:p") == NULL;
	ok &= cut || !strstr(ws_errmsg(ws), "try wss://") == !strstr(a->what, "try wss://");
	if (!ok && reported++ < 20)
		fprintf(stderr, "%s, %s %lu: %d, status %d: %s\n", a->name, how, (unsigned long)k,
		        r, ws_report(ws)->http_status, ws_errmsg(ws));
	CHECK(ok);
	ws_free(ws);
	check_clean(&f);
	fake_free(&f);
}

static void test_responses(void)
{
	const size_t step = (size_t)check_step(5);
	size_t i, k;
	int b;

	for (i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		const struct answer *a = &answers[i];
		struct script s = {NULL, 0, 0};
		size_t n = strlen(a->head);
		struct how h;

		check_row("%s", answers[i].name);
		script_str(&s, a->head);
		if (strcmp(a->name, "TLS") == 0)
			script_str(&s, "....");
		else
			script_str(&s, "\x81\x02hi");
		for (b = 0; b < 4; b++) {
			memset(&h, 0, sizeof h);
			h.end = WS_IO_EOF;
			h.nonblock = b & 1;
			h.recv_buffer = b & 2 ? 256 : 0;
			run_answer(a, s.p, s.len, &h, "at once", 0, 0);
			h.step = 1;
			run_answer(a, s.p, s.len, &h, "byte by byte", 0, 0);
			h.step = 0;
			for (k = 1; k <= n; k += step) {
				h.split = k;
				run_answer(a, s.p, s.len, &h, "split at", k, 0);
			}
			h.split = 0;
			for (k = 0; k < n; k += step)
				run_answer(a, s.p, k, &h, "cut after", k, 1);
		}
		script_free(&s);
	}
	check_row_end();
	/* a valid answer that is cut off is never accepted */
	for (k = 0; k < HEAD_LEN; k++) {
		struct outcome o;
		struct how h;

		memset(&h, 0, sizeof h);
		h.end = WS_IO_EOF;
		run(&h, FAKE_101, k, &o);
		CHECK_EQ_U(o.opened, 0);
		CHECK_EQ_S(o.end, "closed");
		h.end = WS_IO_RESET;
		run(&h, FAKE_101, k, &o);
		CHECK_EQ_U(o.opened, 0);
		CHECK_EQ_S(o.end, "reset");
	}
}

/* The received part of an incomplete response is shown */
static void test_incomplete_response_is_shown(void)
{
	static const struct {
		const char *url, *came;
		int end, err;
		const char *said;
	} rows[] = {
	    {URL, "HTTP/1.1 401 No\r\nX", WS_IO_EOF, WS_ECLOSED,
	     "closed within its response, which begins with \"HTTP/1.1 401 No\""},
	    {URL, "HTTP/1.1 401 " SIXTY SIXTY SIXTY, WS_IO_EOF, WS_ECLOSED,
	     "which begins with \"HTTP/1.1 401 " SIXTY SIXTY "012345678901234567890123456...\""},
	    {URL, "HTTP/1.1 401 No\r\nX", WS_IO_RESET, WS_ERESET,
	     "reset within its response, which begins with \"HTTP/1.1 401 No\""},
	    {URL, "HTTP/1.1 401 No\r\nX", 0, WS_ETIMEOUT,
	     "timed out after 10 s: the response is still incomplete; it begins with \"HTTP/1.1 "
	     "401 "
	     "No\""},
	    {URL, "HTTP/1.1 103 a\r\n\r\nHTTP", 0, WS_ETIMEOUT,
	     "timed out after 10 s: the response is still incomplete; it begins with \"HTTP\""},
	    {URL, "H", 0, WS_ETIMEOUT,
	     "timed out after 10 s: the response is still incomplete; it begins with \"H\""},
	    {URL, "HTTP/1.1 103 a\r\n\r\n", WS_IO_EOF, WS_ECLOSED, "closed without a response"},
	    {URL, "HTTP/1.1 103 a\r\n\r\n", 0, WS_ETIMEOUT,
	     "timed out after 10 s: no response to the upgrade"},
	    {URL, "", WS_IO_EOF, WS_ECLOSED,
	     "closed without a response (if this port speaks TLS, try wss://)"},
	    {URL, "", WS_IO_RESET, WS_ERESET,
	     "reset without a response (if this port speaks TLS, try wss://)"},
	    {URL, "", 0, WS_ETIMEOUT,
	     "timed out after 10 s: no response to the upgrade (if this port speaks TLS, try "
	     "wss://)"},
	    {"wss://h/", "", WS_IO_EOF, WS_ECLOSED,
	     "upgrade at h:443: the connection was closed without a response"},
	    {"wss://h/", "", 0, WS_ETIMEOUT,
	     "upgrade at h:443 timed out after 10 s: no response to the upgrade"},
	};
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct ws_options o;
		struct ws_io io;
		struct fake f;
		struct ws_conn *ws;
		const char *end;

		check_row("%s, %d", rows[i].came, rows[i].end);
		fake_init(&f, rows[i].came, strlen(rows[i].came));
		fake_options(&f, &o, &io);
		o.timeout_ms = 10000;
		f.end = rows[i].end;
		ws = ws_new(rows[i].url, &o);
		CHECK_EQ_U(ws_open(ws), rows[i].err);
		end = strstr(ws_errmsg(ws), rows[i].said);
		if (!CHECK(end && strlen(end) == strlen(rows[i].said)))
			fprintf(stderr, "\t%s\n", ws_errmsg(ws));
		ws_free(ws);
		fake_free(&f);
	}
}

/* The error names the field of ws_options that may help */
static void test_error_names_the_option_that_helps(void)
{
	static const struct {
		const char *user, *head, *option;
	} rows[] = {
	    {NULL, OK101 UP CONN ACC "Sec-WebSocket-Protocol: x\r\n\r\n", "subprotocols"},
	    {NULL, OK101 UP CONN "\r\n", ""},
	    {NULL, "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n",
	     "user"},
	    {"joe:s3cret",
	     "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n", ""},
	    {NULL, "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", ""},
	    {NULL, OK101 UP CONN ACC "\r\n", ""},
	};
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct ws_options o;
		struct ws_io io;
		struct fake f;
		struct ws_conn *ws;

		check_row("%s", rows[i].head);
		fake_init(&f, rows[i].head, strlen(rows[i].head));
		fake_options(&f, &o, &io);
		o.user = rows[i].user;
		ws = ws_new(URL, &o);
		ws_open(ws);
		CHECK_EQ_S(ws_report(ws)->option, rows[i].option);
		ws_free(ws);
		fake_free(&f);
	}
}

/* We offered no subprotocol, so any subprotocol in the response is wrong */
static void test_subprotocol_without_offer(void)
{
	struct how h;
	struct outcome o;
	static const char in[] = OK101 UP CONN ACC "Sec-WebSocket-Protocol: chat\r\n\r\n";

	memset(&h, 0, sizeof h);
	run(&h, in, sizeof in - 1, &o);
	CHECK_EQ_S(o.end, "handshake");
	check_clean(&o.fake);
}

/* A response head has at most 16 KiB and 100 lines, and the same limits apply to each interim
 * response (ws had no such limits) */
static void test_head_limits(void)
{
	int over, interim, lines, b;

	for (b = 0; b < 3; b++) {
		for (over = -1; over <= 1; over++) {
			for (interim = 0; interim < 2; interim++) {
				for (lines = 0; lines < 2; lines++) {
					struct script s = {NULL, 0, 0};
					struct outcome o;
					struct how h;
					int k;

					for (k = 0; k <= interim; k++) {
						size_t from = s.len,
						       want = (size_t)(WS_MAX_HEAD
						                       + (k == interim ? over : 0));

						script_str(&s, k < interim
						                   ? "HTTP/1.1 103 Early Hints\r\n"
						                   : OK101 UP CONN ACC);
						if (lines) {
							int n = WS_MAX_HEAD_LINES
							        + (k == interim ? over : 0)
							        - (k < interim ? 1 : 4);

							while (n-- > 0)
								script_str(&s, "A: b\r\n");
						} else {
							script_str(&s, "A: ");
							while (s.len - from < want - 4)
								script_byte(&s, 'x');
							script_str(&s, "\r\n");
						}
						script_str(&s, "\r\n");
					}
					script_str(&s, "\x81\x02hi");
					memset(&h, 0, sizeof h);
					h.end = WS_IO_EOF;
					h.step = b ? 0 : 700;
					h.recv_buffer = b == 2 ? 256 : 0;
					run(&h, s.p, s.len, &o);
					CHECK_EQ_S(o.end, over > 0 ? "handshake" : CUT);
					CHECK_EQ_S(o.got, over > 0 ? "" : "T\"hi\"");
					CHECK(o.fake.peak < 90000);
					check_clean(&o.fake);
					script_free(&s);
				}
			}
		}
	}
	/* a head without an end is refused at the limit; no more is read, and memory is limited */
	{
		struct script s = {NULL, 0, 0};
		struct outcome o;
		struct how h;

		script_str(&s, OK101 "A: ");
		while (s.len < 200000)
			script_byte(&s, 'x');
		memset(&h, 0, sizeof h);
		h.step = 1000;
		run(&h, s.p, s.len, &o);
		CHECK_EQ_S(o.end, "handshake");
		CHECK(o.fake.pos <= WS_MAX_HEAD + 2000);
		CHECK(o.fake.peak < 90000);
		check_clean(&o.fake);
		script_free(&s);
	}
}

/* A refused upgrade and its body */

struct refusal {
	const char *name, *bytes;
	const char *body;
	int needs_end; /* the body is whole only at the end of file */
};

/* clang-format off */
static const struct refusal refusals[] = {
	{"Content-Length", "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nnope!rest", "nope!", 0},
	{"Content-Length 0", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\nrest", "", 0},
	{"until the end", "HTTP/1.1 500 Oops\r\nConnection: close\r\n\r\nsome words", "some words", 1},
	{"until the end, none", "HTTP/1.1 500 Oops\r\n\r\n", "", 1},
	{"less than promised", "HTTP/1.1 403 No\r\nContent-Length: 50\r\n\r\nshort", "short", 1},
	{"chunked",
	 "HTTP/1.1 502 Bad\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n",
	 "abc0123456789", 0},
	{"chunked, a trailer",
	 "HTTP/1.1 502 Bad\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\nrest", "abc", 0},
	{"chunked, cut", "HTTP/1.1 502 Bad\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n8\r\nde", "abcde", 1},
	{"no chunk", "HTTP/1.1 502 Bad\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc", "", 0},
	{"204", "HTTP/1.1 204 None\r\n\r\n", "", 0},
	{"204, chunked", "HTTP/1.1 204 None\r\nTransfer-Encoding: chunked\r\n\r\n", "", 0},
	{"304, chunked", "HTTP/1.1 304 Same\r\nTransfer-Encoding: chunked\r\n\r\n", "", 0},
	{"304", "HTTP/1.1 304 Same\r\nContent-Length: 9\r\n\r\n", "", 0},
	{"after an interim answer", "HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 400 Bad\r\nContent-Length: 2\r\n\r\nno", "no",
	 0},
};
/* clang-format on */

static void run_refusal(const struct refusal *a, const void *in, size_t in_len, const struct how *h,
                        int cut)
{
	struct ws_options o;
	struct ws_io io;
	struct fake f;
	struct ws_conn *ws;
	const struct ws_report *info;
	char shown[40];
	int r, ok;

	fake_init(&f, in, in_len);
	set_options(&f, h, &o, &io);
	ws = ws_new(URL, &o);
	REPEAT(r, &f, ws, h->nonblock, ws_open(ws));
	info = ws_report(ws);
	ok = strlen(info->body) == info->body_len;
	if (r == WS_EHTTP) {
		ok &= info->head_len > 0 && strncmp(info->head, "HTTP/1.1 ", 9) == 0
		      && strcmp(info->head + info->head_len - 4, "\r\n\r\n") == 0
		      && info->phase == WS_PHASE_UPGRADE
		      && info->http_status == atoi(info->head + 9);
		ok &= cut ? starts(a->body, info->body) : strcmp(info->body, a->body) == 0;
		snprintf(shown, sizeof shown, "(\"%s\")", a->body);
		ok &= cut || !*a->body || strstr(ws_errmsg(ws), shown) != NULL;
	} else {
		ok &= cut && r == WS_ECLOSED;
	}
	/* if the body is complete, silence after it costs no time, otherwise a second */
	ok &= h->end ? f.now == 1000000
	             : f.now == 1000000 + (a->needs_end ? WS_MAX_BODY_WAIT_MS * 1000 : 0);
	if (!ok)
		fprintf(stderr, "%s: %d, body \"%s\", %ld us\n", a->name, r, info->body,
		        (long)f.now - 1000000);
	CHECK(ok);
	ws_free(ws);
	check_clean(&f);
	fake_free(&f);
}

static void test_refused_upgrade(void)
{
	const size_t step = (size_t)check_step(5);
	size_t i, k;
	int b;

	for (i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		const struct refusal *a = &refusals[i];
		size_t n = strlen(a->bytes);

		check_row("%s", refusals[i].name);
		for (b = 0; b < 8; b++) {
			struct how h;

			memset(&h, 0, sizeof h);
			h.end = b & 4 ? 0 : WS_IO_EOF;
			h.nonblock = b & 1;
			h.recv_buffer = b & 2 ? 256 : 0;
			run_refusal(a, a->bytes, n, &h, 0);
			h.step = 1;
			run_refusal(a, a->bytes, n, &h, 0);
			h.step = 0;
			for (k = 1; k < n; k += step) {
				h.split = k;
				run_refusal(a, a->bytes, n, &h, 0);
			}
			h.split = 0;
			for (k = 0; k < n && h.end; k += step)
				run_refusal(a, a->bytes, k, &h, 1);
		}
	}
	check_row_end();
	/* the first KiB of a long body is kept, and no more than necessary is read */
	for (b = 0; b < 4; b++) {
		struct script s = {NULL, 0, 0};
		struct ws_options o;
		struct ws_io io;
		struct fake f;
		struct ws_conn *ws;

		script_str(&s, b & 1
		                   ? "HTTP/1.1 404 x\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n"
		                   : "HTTP/1.1 404 x\r\n\r\n");
		while (s.len < 100000)
			script_byte(&s, 'x');
		fake_init(&f, s.p, s.len);
		fake_options(&f, &o, &io);
		f.step = b & 2 ? 1000 : 0;
		ws = ws_new(URL, &o);
		CHECK_EQ_U(ws_open(ws), WS_EHTTP);
		CHECK_EQ_U(ws_report(ws)->body_len, WS_MAX_BODY);
		CHECK_EQ_U(strlen(ws_report(ws)->body), WS_MAX_BODY);
		CHECK(f.pos <= 17000);
		ws_free(ws);
		check_clean(&f);
		fake_free(&f);
		script_free(&s);
	}
	/* a body that arrives slowly is given up after a second, or at the deadline; it is still a
	 * refusal */
	for (b = 0; b < 3; b++) {
		struct ws_options o;
		struct ws_io io;
		struct fake f;
		struct ws_conn *ws;
		static const char in[] =
		    "HTTP/1.1 404 x\r\n\r\n0123456789012345678901234567890123456789";
		static const int64_t after[] = {1000000, 500000, 300000};
		static const size_t least[] = {9, 4, 2};

		fake_init(&f, in, sizeof in - 1);
		fake_options(&f, &o, &io);
		f.split = strlen("HTTP/1.1 404 x\r\n\r\n");
		f.step = 1;
		f.gap_us = 100000;
		o.timeout_ms = b == 1 ? 500 : 0;
		o.connect_timeout_ms = b == 2 ? 300 : 0;
		ws = ws_new(URL, &o);
		CHECK_EQ_U(ws_open(ws), WS_EHTTP);
		CHECK_EQ_U(f.now - 1000000, after[b]);
		CHECK(ws_report(ws)->body_len == least[b]
		      || ws_report(ws)->body_len == least[b] + 1);
		ws_free(ws);
		check_clean(&f);
		fake_free(&f);
	}
}

/* Headers can be asked for by name, also those of a refusal, as long as the connection object
 * exists. */
static void test_headers(void)
{
	static const char *const lines[] = {"Server: me/1", "SET-cookie: a=b",
	                                    "X-Empty:", "Set-Cookie:  c=d ", "X-Folded: a\r\n  b"};
	static const struct {
		const char *name, *value;
	} rows[] = {{"server", "me/1"}, {"Server", "me/1"},     {"Set-Cookie", "a=b, c=d"},
	            {"x-empty", ""},    {"X-Folded", "a    b"}, {"Upgrade", "websocket"},
	            {"X-None", NULL},   {"Serve", NULL},        {"me/1", NULL},
	            {"", NULL}};
	const char *values[sizeof rows / sizeof rows[0]];
	struct script s = {NULL, 0, 0};
	struct ws_msg msg;
	struct ws_options o;
	struct ws_conn *ws;
	struct ws_io io;
	struct fake f;
	size_t i;
	int refused;

	for (refused = 0; refused < 2; refused++) {
		s.len = 0;
		script_str(&s, refused ? "HTTP/1.1 403 x\r\n" UP : OK101 UP CONN ACC);
		for (i = 0; i < sizeof lines / sizeof lines[0]; i++) {
			script_str(&s, lines[i]);
			script_str(&s, "\r\n");
		}
		script_str(&s, "\r\n\x81\x02hi\x88\x04\x03\xe8ok");
		fake_init(&f, s.p, s.len);
		f.end = WS_IO_EOF;
		fake_options(&f, &o, &io);
		ws = ws_new(URL, &o);
		CHECK(!ws_header(ws, "Server"));
		CHECK_EQ_U(ws_open(ws), refused ? WS_EHTTP : 0);
		for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
			values[i] = ws_header(ws, rows[i].name);
		if (!refused) {
			CHECK_EQ_U(ws_recv(ws, &msg), 0);
			CHECK_EQ_U(ws_recv(ws, &msg), WS_ECLOSED);
		}
		ws_close(ws, 1000, NULL);
		for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
			check_row("%s", rows[i].name);
			CHECK(values[i] == ws_header(ws, rows[i].name));
			if (rows[i].value && CHECK(values[i]))
				CHECK_EQ_S(values[i], rows[i].value);
			else
				CHECK(!values[i]);
		}
		check_row_end();
		ws_free(ws);
		check_clean(&f);
		fake_free(&f);
	}
	script_free(&s);
}

/* ws_open returns after the request: it reads only when the transport is readable. */
static void test_waits_for_the_response(void)
{
	struct talk t;
	int i;

	talk_begin(&t, "", 0);
	t.o.nonblock = 1;
	t.ws = ws_new(URL, &t.o);
	CHECK_EQ_U(ws_open(t.ws), WS_AGAIN);
	CHECK(t.f.out_len > 0 && t.f.reads == 0);
	CHECK_EQ_U(wants(&t).timeout_ms, 10000);
	talk_end(&t);
	/* a transport that must write before it can read the response: the open connection waits to
	 * read again */
	talk_begin(&t, "", 0);
	t.o.nonblock = 1;
	t.f.io_fail_at = 3;
	t.f.io_fail = WS_IO_WRITE;
	t.ws = ws_new(URL, &t.o);
	for (i = 0; i < 2; i++) {
		CHECK_EQ_U(ws_open(t.ws), WS_AGAIN);
		CHECK_EQ_U(wants(&t).fd[0].events, i == 0 ? WS_POLL_READ : WS_POLL_WRITE);
		fake_poll(&t.f, t.ws);
	}
	CHECK_EQ_U(ws_open(t.ws), 0);
	CHECK_EQ_U(wants(&t).fd[0].events, WS_POLL_READ);
	talk_end(&t);
}

/* A response comes in very many pieces: with nonblock one call does not read them all. */
static void test_leaves_time_for_other_work(void)
{
	struct script s = {NULL, 0, 0};
	struct ws_options o;
	struct ws_conn *ws;
	struct ws_io io;
	struct fake f;

	script_str(&s, OK101);
	while (s.len < 1000)
		script_str(&s, "A: b\r\n");
	fake_init(&f, s.p, s.len);
	fake_options(&f, &o, &io);
	f.read_max = 1;
	o.nonblock = 1;
	ws = ws_new(URL, &o);
	CHECK_EQ_U(ws_open(ws), WS_AGAIN);
	fake_poll(&f, ws);
	CHECK_EQ_U(ws_open(ws), WS_AGAIN);
	CHECK(f.pos > 0 && f.pos < 100);
	ws_free(ws);
	check_clean(&f);
	fake_free(&f);
	script_free(&s);
}

/* A server may select none of the subprotocols, unless the program insists. */
static void test_required_subprotocol(void)
{
	static const char *const chat[] = {"chat", NULL};
	static const struct {
		const char *head;
		int required, err;
	} rows[] = {{OK101 UP CONN ACC "\r\n", 0, 0},
	            {OK101 UP CONN ACC "\r\n", 1, WS_EHANDSHAKE},
	            {OK101 UP CONN ACC "Sec-WebSocket-Protocol: chat\r\n\r\n", 1, 0}};
	struct ws_options o;
	struct ws_conn *ws;
	struct ws_io io;
	struct fake f;
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		fake_init(&f, rows[i].head, strlen(rows[i].head));
		fake_options(&f, &o, &io);
		o.subprotocols = chat;
		o.require_subprotocol = rows[i].required;
		ws = ws_new(URL, &o);
		CHECK_EQ_U(ws_open(ws), rows[i].err);
		CHECK_EQ_S(ws_report(ws)->option, rows[i].err ? "subprotocols" : "");
		CHECK_EQ_S(ws_report(ws)->subprotocol, i == 2 ? "chat" : "");
		CHECK(!rows[i].err
		      || strstr(ws_errmsg(ws),
		                "it selected none of the subprotocols that were offered"));
		ws_free(ws);
		check_clean(&f);
		fake_free(&f);
	}
	fake_init(&f, "", 0);
	fake_options(&f, &o, &io);
	o.require_subprotocol = 1;
	ws = ws_new(URL, &o);
	CHECK_EQ_U(ws_open(ws), WS_EUSAGE);
	CHECK_EQ_S(ws_report(ws)->option, "require_subprotocol");
	ws_free(ws);
	fake_free(&f);
}

int main(void)
{
	TEST(test_rfc_handshake);
	TEST(test_responses);
	TEST(test_waits_for_the_response);
	TEST(test_leaves_time_for_other_work);
	TEST(test_incomplete_response_is_shown);
	TEST(test_error_names_the_option_that_helps);
	TEST(test_subprotocol_without_offer);
	TEST(test_head_limits);
	TEST(test_refused_upgrade);
	TEST(test_headers);
	TEST(test_required_subprotocol);
	return check_done();
}
