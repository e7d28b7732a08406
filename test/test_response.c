/* SPDX-License-Identifier: ISC
 * test_response.c - response.c: where a head ends at any split, which 101 accepts our request, and
 * bodies
 */
#include <stdlib.h>
#include "ws.h"
#include "ws_proto.h"
#include "check.h"
#include "exact.h"

#define KEY "dGhlIHNhbXBsZSBub25jZQ==" /* RFC 6455 1.2 */
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define CRLF "\r\n"

/* ---- where a head ends ---- */

struct scanned {
	ptrdiff_t n;
	size_t at; /* how many bytes had been seen */
	int status;
	char why[700];
};

/* Scans growing beginnings of the bytes: `first` bytes, then `step` more each time. Each is in memory of
 * its exact size. */
static struct scanned scan(const char *p, size_t len, size_t first, size_t step)
{
	struct wsi_response s = {0};
	struct scanned r = {0, 0, 0, ""};
	struct wsi_text why;

	while (r.n == 0 && r.at < len) {
		char *copy;

		r.at = r.at == 0 && first > 0 ? first : r.at + step;
		if (r.at > len)
			r.at = len;
		copy = exact(p, r.at);
		wsi_text_init(&why, r.why, sizeof r.why);
		r.n = wsi_response_read(&s, copy, r.at, &why);
		CHECK(!why.cut && (r.n < 0) == (why.len > 0));
		CHECK(r.n < 0 || (r.n > 0) == (s.status > 0));
		if (r.n > 0)
			r.n = (ptrdiff_t)s.len;
		r.status = s.status;
		free(copy);
	}
	return r;
}

static const struct {
	const char *head; /* the head, or its beginning up to and including the wrong byte */
	const char *after;
	const char *why; /* NULL: the head is complete */
} heads[] = {
    {"HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\n", "\x81\x02hi", NULL},
    {"HTTP/1.1 101\r\n\r\n", "", NULL},
    {"HTTP/1.1 101 x\r\n\r\n", "\r\n\r\n", NULL},
    {"HTTP/\r", "\n\r\n", "status line"},
    {"HTTP/1.1 200 \x80\xff\r\nA:\t\xc3\xa9\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", NULL},
    {"HTTP/1.1 200 a\r\n folded\r\n\r\n", "", "first header line begins with a space"},
    {"HTTP/1.1 200 a\n\tfolded\n\n", "", "first header line begins with a space"},
    {"HTTP/1.1 200 a\r\nA: b\r\n folded\r\n\tagain\n  \r\n\r\n", "\r\n", NULL},
    {"HTTP/1.1 200 a\r\nA:\n b\n\n", "\n", NULL},
    {"h", "ttp/1.1 200 OK\r\n\r\n", "not HTTP"},
    {"S", "SH-2.0-x\r\n", "not HTTP"},
    {"HTTP1", ".1 200 OK\r\n\r\n", "not HTTP"},
    {"\r", "\nHTTP/1.1 200 OK\r\n\r\n", "not HTTP"},
    {"\x13", "\x03\x01\x00\x02\x02\x28", "not HTTP"},
    {"\x14", "\x03\x01\x00\x02\x02\x28", "it is TLS"},
    {"\x15", "\x03\x01\x00\x02\x02\x28", "it is TLS"},
    {"\x17", "\x03\x01\x00\x02\x02\x28", "it is TLS"},
    {"\x18", "\x03\x01\x00\x02\x02\x28", "not HTTP"},
    /* RFC 7230 3.5: LF alone ends a line too */
    {"HTTP/1.1 200 OK\n\n", "\n", NULL},
    {"HTTP/1.1 200\n\n", "\r\n", NULL},
    {"HTTP/1.1 200 OK\nA: b\n\n", "\r\n", NULL},
    {"HTTP/1.1 200 OK\r\nA: b\n\r\n", "\n", NULL},
    {"HTTP/1.1 200 OK\nA: b\r\n\n", "", NULL},
    {"HTTP/1.1 200 OK\r\n\n", "", NULL},
    {"HTTP/1.1 200 OK\r\r", "\n\r\n",
     "line 1 of its head has the control character 0x0d, a carriage return that does not end a "
     "line"},
    {"HTTP/1.1 200 OK\rA", ": b\r\n\r\n",
     "line 1 of its head has the control character 0x0d, a carriage return that does not end a "
     "line"},
    {"HTTP/1.1 200 OK\r\n\rA", ": b\r\n\r\n",
     "line 2 of its head has the control character 0x0d, a carriage return that does not end a "
     "line"},
    {"HTTP/1.1 200 OK\r\n\r\r", "\n",
     "line 2 of its head has the control character 0x0d, a carriage return that does not end a "
     "line"},
    {"HTTP/1.1 200 OK\r\nA: \x01", "b\r\n\r\n",
     "line 2 of its head has the control character 0x01"},
    {"HTTP/1.1 200 OK\r\nA: \x7f", "b\r\n\r\n",
     "line 2 of its head has the control character 0x7f"},
    {"HTTP/1.1 200 OK\nA: b\nA: \x1b", "[1m\r\n\r\n",
     "line 3 of its head has the control character 0x1b"},
    {"HTTP/1.1 200\x0b", " OK\r\n\r\n", "status line"},
};

static void test_head_end(void)
{
	static char big[WS_MAX_HEAD + 100];
	size_t k, i, step;
	struct scanned r;
	int lines;

	for (k = 0; k < sizeof heads / sizeof heads[0]; k++) {
		char all[200];
		size_t end = strlen(heads[k].head), len;

		check_row("%s", heads[k].head);
		len = (size_t)snprintf(all, sizeof all, "%s%s", heads[k].head, heads[k].after);
		for (step = 1; step <= len; step++) {
			for (i = 0; i <= len; i++) {
				r = scan(all, len, i, step);
				if (!CHECK(r.n == (heads[k].why == NULL ? (ptrdiff_t)end : -1))
				    || !CHECK(r.at >= end)
				    || (heads[k].why != NULL
				        && !CHECK(strstr(r.why, heads[k].why) != NULL)))
					fprintf(stderr, "\t%s: %s\n", heads[k].head, r.why);
				if (heads[k].why != NULL)
					CHECK(!strstr(r.why, "carriage")
					      == !strstr(heads[k].why, "carriage"));
			}
		}
		for (i = 0; i < end; i++) /* not a whole head, and no error yet */
			CHECK(scan(all, i, 0, i).n == 0);
	}
	check_row_end();
	{ /* NUL */
		static const char nul[] = "HTTP/1.1 200 OK\r\nA: \0b\r\n\r\n";

		CHECK(scan(nul, sizeof nul - 1, 0, 1).n == -1);
		CHECK(scan(nul, sizeof nul - 1, 0, 100).n == -1);
	}
	/* a head of exactly 16 KiB, and one byte more */
	memset(big, 'a', sizeof big);
	memcpy(big, "HTTP/1.1 200 ", 13);
	memcpy(big + WS_MAX_HEAD - 4, "\r\n\r\n", 4);
	CHECK(scan(big, WS_MAX_HEAD, 0, sizeof big).n == WS_MAX_HEAD);
	CHECK(scan(big, sizeof big, 0, 1000).n == WS_MAX_HEAD);
	memcpy(big + WS_MAX_HEAD - 4, "a\r\n\r\n", 5);
	r = scan(big, sizeof big, 0, sizeof big);
	CHECK(r.n == -1 && r.status == 200
	      && strstr(r.why, "over 16384 bytes long (1 complete line so far)") != NULL);
	memcpy(big + 20, "\r\n", 2);
	r = scan(big, sizeof big, 0, sizeof big);
	CHECK(strstr(r.why, "(2 complete lines so far)") != NULL);
	{ /* the reason ends where the head reaches its limit */
		struct wsi_response whole = {0};
		char buf[700];
		struct wsi_text why;

		memset(big + 13, 'a', sizeof big - 13);
		wsi_text_init(&why, buf, sizeof buf);
		CHECK_EQ_U(wsi_response_read(&whole, big, sizeof big, &why), -1);
		CHECK_EQ_MEM(whole.reason.p, whole.reason.len, big + 13, WS_MAX_HEAD - 13);
	}
	/* the error names the limit that was passed, even if the other one was just reached */
	memset(big, 'a', sizeof big);
	memcpy(big, "HTTP/1.1 200 ", 13);
	for (i = 0; i < WS_MAX_HEAD_LINES; i++)
		memcpy(big + 20 + 5 * i, "\r\nA:b", 5);
	r = scan(big, sizeof big, 0, sizeof big);
	CHECK(r.n == -1 && strstr(r.why, "over 16384 bytes") != NULL);
	r = scan(big, sizeof big, 0, 1);
	CHECK(r.n == -1
	      && r.at == WS_MAX_HEAD); /* so a caller's buffer of that size is never full without a
				        * result */
	/* exactly 100 lines, and one more */
	for (lines = 99; lines <= 102; lines++) {
		size_t len = 17;

		memcpy(big, "HTTP/1.1 200 OK\r\n", 17);
		for (i = 1; i < (size_t)lines; i++, len += 6)
			memcpy(big + len, "A: b\r\n", 6);
		memcpy(big + len, "\r\n", 2);
		r = scan(big, len + 2, 0, sizeof big);
		CHECK(lines <= WS_MAX_HEAD_LINES
		          ? r.n == (ptrdiff_t)len + 2
		          : r.n == -1 && strstr(r.why, "over 100 lines") != NULL
		                && r.status == 200);
	}
}

/* ---- response ---- */

static int parse(struct wsi_response *r, char **copy, const char *head, size_t len,
                 const char **why)
{
	static char buf[700];
	struct wsi_text t;
	int n;

	*copy = exact(head, len);
	memset(r, 0, sizeof *r);
	wsi_text_init(&t, buf, sizeof buf);
	*why = buf;
	n = wsi_response_read(r, *copy, len, &t);
	CHECK(n == -1 || n == 0 || n == 1);
	if (n == 0)
		*why = "it is not whole";
	return n > 0 && r->len == len ? 0 : -1;
}

static const struct {
	const char *line;
	int status, minor;  /* status 0: refused */
	const char *reason; /* or the error */
} lines[] = {
    {"HTTP/1.1 101 Switching Protocols", 101, 1, "Switching Protocols"},
    {"HTTP/1.1 101 ", 101, 1, ""},
    {"HTTP/1.1 101", 101, 1, ""},
    {"HTTP/1.0 200 OK", 200, 0, "OK"},
    {"HTTP/1.9 999 \xc3\xa9 \t!", 999, 9, "\xc3\xa9 \t!"},
    {"HTTP/1.1 100 100", 100, 1, "100"},
    {"HTTP/1.1 101  two", 101, 1, "two"},
    {"HTTP/2 101 x", 0, 0, "status line"},
    {"HTTP/2.0 101 x", 0, 0, "status line"},
    {"HTTP/0.9 101 x", 0, 0, "status line"},
    {"HTTP/11.1 101 x", 0, 0, "status line"},
    {"HTTP/1.11 101 x", 0, 0, "status line"},
    {"HTTP/1. 101 x", 0, 0, "status line"},
    {"HTTP/1.a 101 x", 0, 0, "status line"},
    {"HTTP/1.1", 0, 0, "status line"},
    {"HTTP/1.1 ", 0, 0, "status line"},
    {"HTTP/1.1 10", 0, 0, "status line"},
    {"HTTP/1.1 10 OK", 0, 0, "status line"},
    {"HTTP/1.1 1010 OK", 0, 0, "status line"},
    {"HTTP/1.1 1a1 OK", 0, 0, "status line"},
    {"HTTP/1.1 a01 OK", 0, 0, "status line"},
    {"HTTP/1.1 10a OK", 0, 0, "status line"},
    {"HTTP/1.1 099 OK", 0, 0, "status line"},
    {"HTTP/1.1 000", 0, 0, "status line"},
    {"HTTP/1.1  101 OK", 0, 0, "status line"},
    {"HTTP/1.1\t101 OK", 0, 0, "status line"},
    {"HTTP/1.1 101\tOK", 0, 0, "status line"},
    {"HTTP/1.1 101OK", 0, 0, "status line"},
    {"HTTP/1.1 +10 OK", 0, 0, "status line"},
    {"HTTP/", 0, 0, "status line"},
    {"http/1.1 101 x", 0, 0, "not HTTP"},
    {" HTTP/1.1 101 x", 0, 0, "not HTTP"},
};
static const struct {
	const char *header;
	const char *why; /* NULL: valid */
	const char *name, *value;
} fields[] = {
    {"A: b", NULL, "A", "b"},
    {"A:b", NULL, "A", "b"},
    {"A:", NULL, "A", ""},
    {"A: \t ", NULL, "A", ""},
    {"A: \tb c\t \t", NULL, "A", "b c"},
    {"A: :b:", NULL, "A", ":b:"},
    {"!#$%&'*+-.^_`|~0: \xff", NULL, "!#$%&'*+-.^_`|~0", "\xff"},
    {"A : b", "form", NULL, NULL},
    {"A\t: b", "form", NULL, NULL},
    {"A: b\r\n c", NULL, "A", "b   c"},
    {"A: b\n\tc", NULL, "A", "b \tc"},
    {"A:\r\n \t\r\n c", NULL, "A", "c"},
    {"A: b\r\n ", NULL, "A", "b"},
    {"A", "form", NULL, NULL},
    {": b", "form", NULL, NULL},
    {":", "form", NULL, NULL},
    {"A(b): c", "form", NULL, NULL},
    {"A\"b: c", "form", NULL, NULL},
    {"\xc3\xa9: c", "form", NULL, NULL},
    {"A\r: b", "control", NULL, NULL},
    {"A: b\x01", "control", NULL, NULL},
    {"A: b\nC", "header line \"C\" is not of the form", NULL, NULL},
    {"A b\x80: c", "header line \"A b\\x80: c\" is not of the form", NULL, NULL},
};

static void test_response(void)
{
	struct wsi_response r;
	struct wsi_header h;
	const char *why, *at;
	char head[300], buf[700], *copy;
	size_t k, i, len;
	struct wsi_text t;
	int first;

	for (k = 0; k < sizeof lines / sizeof lines[0]; k++) {
		check_row("%s", lines[k].line);
		len = (size_t)snprintf(head, sizeof head, "%s\r\nA: b\r\n\r\n", lines[k].line);
		if (lines[k].status == 0) {
			if (!CHECK(parse(&r, &copy, head, len, &why) == -1)
			    || !CHECK(strstr(why, lines[k].reason) != NULL))
				fprintf(stderr, "\t%s: %s\n", lines[k].line, why);
		} else if (CHECK(parse(&r, &copy, head, len, &why) == 0)) {
			CHECK_EQ_U(r.status, lines[k].status);
			CHECK_EQ_U(r.minor, lines[k].minor);
			CHECK_EQ_MEM(r.reason.p, r.reason.len, lines[k].reason,
			             strlen(lines[k].reason));
			CHECK_EQ_MEM(r.fields, (size_t)(copy + len - r.fields), "A: b\r\n\r\n", 8);
		} else {
			fprintf(stderr, "\t%s: %s\n", lines[k].line, why);
		}
		free(copy);
		for (i = 0; i < len; i++) {
			CHECK(parse(&r, &copy, head, i, &why) == -1 && why[0] != '\0');
			free(copy);
		}
		for (i = 1; i < len; i++) { /* an incomplete head does no harm */
			copy = exact(head, i);
			memset(&r, 0, sizeof r);
			wsi_text_init(&t, buf, sizeof buf);
			wsi_response_read(&r, copy, i, &t);
			free(copy);
		}
	}
	check_row_end();
	for (k = 0; k < sizeof fields / sizeof fields[0]; k++) {
		check_row("%s", fields[k].header);
		for (first = 0; first < 2; first++) { /* as the first line, and after another */
			len = (size_t)snprintf(head, sizeof head,
			                       "HTTP/1.1 101 x\r\n%s%s\r\nZ: z\r\n\r\n",
			                       first ? "" : "Y: y\r\n", fields[k].header);
			if (fields[k].why != NULL) {
				if (!CHECK(parse(&r, &copy, head, len, &why) == -1)
				    || !CHECK(strstr(why, fields[k].why) != NULL))
					fprintf(stderr, "\t%s: %s\n", fields[k].header, why);
			} else if (CHECK(parse(&r, &copy, head, len, &why) == 0)) {
				at = r.fields;
				CHECK(first
				      || ((at = wsi_header_next(at, &h)) != NULL && h.name.len == 1
				          && h.name.p[0] == 'Y'));
				CHECK((at = wsi_header_next(at, &h)) != NULL);
				CHECK_EQ_MEM(h.name.p, h.name.len, fields[k].name,
				             strlen(fields[k].name));
				CHECK_EQ_MEM(h.value.p, h.value.len, fields[k].value,
				             strlen(fields[k].value));
				CHECK((at = wsi_header_next(at, &h)) != NULL && h.name.p[0] == 'Z'
				      && h.value.p[0] == 'z' && h.value.len == 1);
				CHECK(wsi_header_next(at, &h) == NULL);
			}
			free(copy);
		}
	}
	check_row_end();
	{
		static const char none[] = "HTTP/1.1 200 x\r\n\r\n";

		CHECK(parse(&r, &copy, none, sizeof none - 1, &why) == 0);
		CHECK(wsi_header_next(r.fields, &h) == NULL);
		for (k = 0; k < WSI_SEEN; k++)
			CHECK(r.seen[k].count == 0 && r.seen[k].value.len == 0
			      && r.seen[k].listed == 0);
		free(copy);
	}
}

static void test_seen(void)
{
	static const char *const names[WSI_SEEN] = {[WSI_UPGRADE] = "Upgrade",
	                                            [WSI_CONNECTION] = "Connection",
	                                            [WSI_TRANSFER_ENCODING] = "Transfer-Encoding",
	                                            [WSI_CONTENT_LENGTH] = "Content-Length",
	                                            [WSI_EXTENSIONS] = "Sec-WebSocket-Extensions",
	                                            [WSI_ACCEPT] = "Sec-WebSocket-Accept",
	                                            [WSI_PROTOCOL] = "Sec-WebSocket-Protocol",
	                                            [WSI_VERSION] = "Sec-WebSocket-Version",
	                                            [WSI_RETRY_AFTER] = "Retry-After",
	                                            [WSI_LOCATION] = "Location",
	                                            [WSI_VIA] = "Via"};
	struct wsi_response r;
	const char *why;
	char head[300], *copy;
	size_t k, i, len;

	for (k = 0; k < WSI_SEEN; k++) {
		len = (size_t)snprintf(
		    head, sizeof head,
		    "HTTP/1.1 200 x\r\nA: 3\r\n%s:\r\nX%s: 4\r\n%s: 1\r\n%s: 2\r\n%sX: 5\r\n\r\n",
		    names[k], names[k], names[k], names[k], names[k]);
		for (i = 0; i < len; i++) /* upper and lower case are the same */
			head[i] =
			    (char)(k % 2 == 0 && i > 8 && head[i] >= 'a' ? head[i] - ('a' - 'A')
			                                                 : head[i]);
		if (!CHECK(parse(&r, &copy, head, len, &why) == 0)) {
			free(copy);
			continue;
		}
		for (i = 0; i < WSI_SEEN; i++) {
			CHECK_EQ_U(r.seen[i].count, i == k ? 3 : 0);
			CHECK_EQ_MEM(r.seen[i].value.p, r.seen[i].value.len, "1", i == k ? 1 : 0);
			CHECK(!r.seen[i].listed || (i == k && i > WSI_TRANSFER_ENCODING));
		}
		free(copy);
	}
}

/* ---- which 101 accepts our request ---- */

#define UP "Upgrade: websocket\r\n"
#define CO "Connection: Upgrade\r\n"
#define AC "Sec-WebSocket-Accept: " ACCEPT CRLF
static const struct {
	const char *line, *headers;
	const char *offered[3];
	const char *chosen; /* or NULL */
	const char *why;    /* NULL: the response is accepted */
} answers[] = {
    {"HTTP/1.1 101 Switching Protocols",
     UP CO AC "Sec-WebSocket-Protocol: chat\r\n",
     {"chat", "superchat"},
     "chat",
     NULL}, /* 1.2 */
    {"HTTP/1.1 101", UP CO AC, {NULL}, NULL, NULL},
    {"HTTP/1.2 101 x", AC CO UP, {NULL}, NULL, NULL},
    {"HTTP/1.0 101 x", UP CO AC, {NULL}, NULL, "HTTP/1.0"},
    {"HTTP/1.1 101 x",
     "UPGRADE:WebSocket\r\nCONNECTION: \tuPGRADE\t\r\nSEC-WEBSOCKET-ACCEPT:" ACCEPT " \r\n",
     {NULL},
     NULL,
     NULL},
    {"HTTP/1.1 101 x",
     "Upgrade: h2c, websocket\r\nConnection: keep-alive , Upgrade\r\n" AC,
     {NULL},
     NULL,
     NULL},
    {"HTTP/1.1 101 x", "Upgrade: h2c\r\n" UP "Connection: close\r\n" CO AC, {NULL}, NULL, NULL},
    {"HTTP/1.1 101 x", CO AC, {NULL}, NULL, "Upgrade: websocket"},
    {"HTTP/1.1 101 x",
     "Upgrade: websockets\r\n" CO AC,
     {NULL},
     NULL,
     "its Upgrade header is \"websockets\", not \"websocket\""},
    {"HTTP/1.1 101 x", "Upgrade: web socket\r\n" CO AC, {NULL}, NULL, "is \"web socket\""},
    {"HTTP/1.1 101 x", "Upgrade:\r\n" CO AC, {NULL}, NULL, "Upgrade header is \"\""},
    {"HTTP/1.1 101 x", "Upgrade: xwebsocket\r\n" CO AC, {NULL}, NULL, "is \"xwebsocket\""},
    {"HTTP/1.1 101 x", "XUpgrade: websocket\r\n" CO AC, {NULL}, NULL, "Upgrade: websocket"},
    {"HTTP/1.1 101 x", UP AC, {NULL}, NULL, "Connection: Upgrade"},
    {"HTTP/1.1 101 x",
     UP "Connection: close\r\n" AC,
     {NULL},
     NULL,
     "Connection header is \"close\", not \"Upgrade\""},
    {"HTTP/1.1 101 x",
     UP "Connection: keep-alive;Upgrade\r\n" AC,
     {NULL},
     NULL,
     "is \"keep-alive;Upgrade\""},
    {"HTTP/1.1 101 x", UP CO, {NULL}, NULL, "it has no Sec-WebSocket-Accept"},
    {"HTTP/1.1 101 x", UP CO AC AC, {NULL}, NULL, "it has 2 Sec-WebSocket-Accept headers"},
    {"HTTP/1.1 101 x",
     UP CO AC "Sec-WebSocket-Accept:\r\n",
     {NULL},
     NULL,
     "2 Sec-WebSocket-Accept headers"},
    {"HTTP/1.1 101 x", UP CO "Sec-WebSocket-Accept:\r\n", {NULL}, NULL, "answers our key"},
    {"HTTP/1.1 101 x",
     UP CO "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
     {NULL},
     NULL,
     "answers our key"},
    {"HTTP/1.1 101 x",
     UP CO "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo\r\n",
     {NULL},
     NULL,
     "answers our key"},
    {"HTTP/1.1 101 x",
     UP CO "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo==\r\n",
     {NULL},
     NULL,
     "answers our key"},
    {"HTTP/1.1 101 x",
     UP CO "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOp=\r\n",
     {NULL},
     NULL,
     "answers our key"},
    {"HTTP/1.1 101 x",
     UP CO "Sec-WebSocket-Accept: \"" ACCEPT "\"\r\n",
     {NULL},
     NULL,
     "answers our key"},
    {"HTTP/1.1 101 x",
     UP CO "Sec-WebSocket-Accept: " ACCEPT ", " ACCEPT CRLF,
     {NULL},
     NULL,
     "answers our key"},
    {"HTTP/1.1 101 x",
     UP CO "Sec-WebSocket-Accept: " KEY CRLF,
     {NULL},
     NULL,
     "its Sec-WebSocket-Accept is \"" KEY "\", but \"" ACCEPT "\" answers our key"},
    {"HTTP/1.1 101 x", UP CO AC "Sec-WebSocket-Extensions:\r\n", {NULL}, NULL, NULL},
    {"HTTP/1.1 101 x",
     UP CO AC "Sec-WebSocket-Extensions: permessage-deflate\r\n",
     {NULL},
     NULL,
     "it chose the extension \"permessage-deflate\", but none was offered"},
    {"HTTP/1.1 101 x",
     UP CO AC "Sec-WebSocket-Extensions:\r\nsec-websocket-extensions: x\r\n",
     {NULL},
     NULL,
     "it chose the extension"},
    {"HTTP/1.1 101 x",
     UP CO AC "Sec-WebSocket-Extensions: 0x\r\nsec-websocket-extensions:\r\n",
     {NULL},
     NULL,
     "it chose the extension"},
    {"HTTP/1.1 101 x",
     UP CO AC "Sec-WebSocket-Extensions: 0\r\nsec-websocket-extensions:\r\n",
     {NULL},
     NULL,
     "it chose the extension"},
    /* RFC 9110 15.2: a 101 has no body, whatever its headers say */
    {"HTTP/1.1 101 x", UP CO AC "Content-Length: 0\r\n", {NULL}, NULL, NULL},
    {"HTTP/1.1 101 x", UP CO AC "Content-Length: 00\r\n", {NULL}, NULL, NULL},
    {"HTTP/1.1 101 x", UP CO AC "Content-Length: abc\r\n", {NULL}, NULL, NULL},
    {"HTTP/1.1 101 x", UP CO AC "Content-Length: 05\r\nContent-Length: 0\r\n", {NULL}, NULL, NULL},
    {"HTTP/1.1 101 x",
     UP CO AC "Content-Length: 0, 0\r\nContent-Length: 0\r\n",
     {NULL},
     NULL,
     NULL},
    {"HTTP/1.1 101 x", UP CO AC "Content-Length: 5\r\n", {NULL}, NULL, NULL},
    {"HTTP/1.1 101 x", UP CO AC "Content-Length: 0\r\nContent-Length: 5\r\n", {NULL}, NULL, NULL},
    {"HTTP/1.1 101 x", UP CO AC "Transfer-Encoding: chunked\r\n", {NULL}, NULL, NULL},
    {"HTTP/1.1 101 x", UP CO AC "transfer-encoding: identity\r\n", {NULL}, NULL, NULL},
    {"HTTP/1.1 101 x", UP CO AC, {"a", "b"}, NULL, NULL}, /* the server need not choose one */
    {"HTTP/1.1 101 x", UP CO AC "sec-websocket-protocol:  b \r\n", {"a", "b"}, "b", NULL},
    {"HTTP/1.1 101 x",
     UP CO AC "Sec-WebSocket-Protocol: a\r\n",
     {NULL},
     NULL,
     "subprotocol \"a\", but none was offered"},
    {"HTTP/1.1 101 x",
     UP CO AC "Sec-WebSocket-Protocol: c\r\n",
     {"a", "b"},
     NULL,
     "subprotocol \"c\", which was not offered"},
    {"HTTP/1.1 101 x", UP CO AC "Sec-WebSocket-Protocol: A\r\n", {"a", "b"}, NULL, "not offered"},
    {"HTTP/1.1 101 x", UP CO AC "Sec-WebSocket-Protocol: aa\r\n", {"a", "b"}, NULL, "not offered"},
    {"HTTP/1.1 101 x",
     UP CO AC "Sec-WebSocket-Protocol:\r\n",
     {"a", "b"},
     NULL,
     "Protocol header is empty"},
    {"HTTP/1.1 101 x",
     UP CO AC "Sec-WebSocket-Protocol: a, b\r\n",
     {"a", "b"},
     NULL,
     "\"a, b\", which is not one token"},
    {"HTTP/1.1 101 x",
     UP CO AC "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b\r\n",
     {"a", "b"},
     NULL,
     "it has 2 Sec-WebSocket-Protocol headers, but may choose one subprotocol"},
    {"HTTP/1.1 101 x",
     UP CO AC "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a\r\n",
     {"a", "b"},
     NULL,
     "2 Sec-WebSocket-Protocol headers"},
    {"HTTP/1.1 101 x",
     UP CO AC "Server: x\r\nDate: y\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n",
     {NULL},
     NULL,
     NULL},
};

static void test_answer(void)
{
	size_t k;

	for (k = 0; k < sizeof answers / sizeof answers[0]; k++) {
		struct wsi_response r;
		const char *why, *chosen = "x", *option = "x";
		char head[600], accept[28], buf[700], *copy;
		struct wsi_text t;
		int n;
		size_t len = (size_t)snprintf(head, sizeof head, "%s\r\n%s\r\n", answers[k].line,
		                              answers[k].headers);
		check_row("%lu: %s", (unsigned long)k,
		          answers[k].why != NULL ? answers[k].why : answers[k].headers);
		wsi_accept(accept, KEY);
		if (!CHECK(parse(&r, &copy, head, len, &why) == 0)) {
			free(copy);
			continue;
		}
		wsi_text_init(&t, buf, sizeof buf);
		n = wsi_response_check(&r, accept,
		                       answers[k].offered[0] != NULL ? answers[k].offered : NULL,
		                       &chosen, &option, &t);
		/* the error names the option only if offering the subprotocol would help */
		CHECK_EQ_S(option,
		           strstr(buf, "offered") != NULL && strstr(buf, "the subprotocol") != NULL
		               ? "subprotocols"
		               : "");
		if (answers[k].why != NULL) {
			if (!CHECK(n == -1) || !CHECK(strstr(buf, answers[k].why) != NULL)
			    || !CHECK(chosen == NULL))
				fprintf(stderr, "\t%s: %s\n", answers[k].headers, buf);
		} else if (!CHECK(n == 0 && t.len == 0)
		           || !CHECK(chosen == NULL ? answers[k].chosen == NULL
		                                    : strcmp(chosen, answers[k].chosen) == 0)) {
			fprintf(stderr, "\t%s: %s\n", answers[k].headers, buf);
		}
		free(copy);
	}
	check_row_end();
	{
		char accept[28];

		wsi_accept(accept, KEY);
		CHECK_EQ_MEM(accept, 28, ACCEPT, 28); /* RFC 6455 4.2.2 */
		wsi_accept(accept, "x3JJHMbDL1EzLkh9GBhXDw==");
		CHECK_EQ_MEM(accept, 28, "HSmrc0sMlYUkAGmm5OPpG2HaGWk=", 28);
	}
}

/* ---- bodies ---- */

#define CHUNKED "Transfer-Encoding: chunked\r\n"
static const struct {
	int status;
	const char *headers, *body, *want;
	int done;     /* 1: the whole body arrives */
	size_t after; /* and is complete after this many bytes */
} bodies[] = {
    {403, "Content-Length: 5\r\n", "hello", "hello", 1, 5},
    {403, "Content-Length: 5\r\n", "hello world", "hello", 1, 5},
    {403, "Content-Length: 1\r\n", "hello", "h", 1, 1},
    {403, "Content-Length: 50\r\n", "hello", "hello", 0, 0},
    {403, "content-length: 0\r\n", "hello", "", 1, 0},
    {403, "Content-Length: 0\r\nContent-Length: 5\r\n", "hello", "hello", 1, 5},
    {403, "Content-Length: 5\r\nContent-Length: 0\r\n", "hello", "hello", 1, 5},
    {403, "Content-Length: 04\r\nContent-Length: 5\r\n", "hello", "hell", 1, 4},
    {403, "Content-Length: 0\r\nContent-Length:\r\n", "hello", "", 1, 0},
    {403, "Content-Length: 007\r\n", "hello world", "hello w", 1, 7},
    {403, "", "hello", "hello", 0, 0},
    {403, "Content-Length: x\r\n", "hello", "hello", 0, 0},
    {403, "Content-Length: 1x\r\n", "hello", "hello", 0, 0},
    {403, "Content-Length: -1\r\n", "hello", "hello", 0, 0},
    {403, "Content-Length:\r\n", "hello", "hello", 0, 0},
    {403, "Content-Length: 18446744073709551617\r\n", "hello", "hello", 0, 0},
    {403, "Content-Length: 999999999999999999\r\n", "hello", "hello", 0, 0},
    {204, "", "hello", "", 1, 0},
    {204, CHUNKED, "5\r\nhello\r\n", "", 1, 0},
    {304, CHUNKED, "5\r\nhello\r\n", "", 1, 0},
    {304, "Content-Length: 5\r\n", "hello", "", 1, 0},
    {199, "", "hello", "", 1, 0},
    {200, "", "hello", "hello", 0, 0},
    {403, CHUNKED, "5\r\nhello\r\n0\r\n\r\n", "hello", 1, 13},
    {403, "transfer-encoding: gzip, CHUNKED\r\nContent-Length: 3\r\n", "5\r\nhello\r\n0\r\n\r\n",
     "hello", 1, 13},
    {403, CHUNKED, "0\r\n\r\nmore", "", 1, 3},
    {403, CHUNKED, "00000000\r\n\r\n", "", 1, 10},
    {403, CHUNKED, "1\r\na\r\n2\r\nbc\r\n003\r\ndef\r\n0\r\n\r\n", "abcdef", 1, 26},
    {403, CHUNKED, "A\r\n0123456789\r\n0b\r\n01234\r\n6789\r\n0\r\n\r\n", "012345678901234\r\n6789",
     1, 35},
    {403, CHUNKED, "5;a=b;c=\"d\"\r\nhello\r\n0;x\r\n\r\n", "hello", 1, 25},
    {403, CHUNKED, "5 \t\r\nhello\r\n0\r\n\r\n", "hello", 1, 15},
    {403, CHUNKED, "5\nhello\n0\nmore", "hello", 1, 10}, /* LF alone ends a line */
    {403, CHUNKED, "5\r\nhello\r\n0\r\nA: b\r\nC: d\r\n\r\nmore", "hello", 1, 13},
    {403, CHUNKED, "5\r\nhello\r\n", "hello", 0, 0},
    {403, CHUNKED, "5\r\nhel", "hel", 0, 0},
    {403, CHUNKED, "5", "", 0, 0},
    {403, CHUNKED, "", "", 0, 0},
    {403, CHUNKED, "x", "", 1, 1},
    {403, CHUNKED, "\r\n", "", 1, 1},
    {403, CHUNKED, "-5\r\nhello", "", 1, 1},
    {403, CHUNKED, "5x\r\nhello", "", 1, 2},
    {403, CHUNKED, "5\r\nhelloX", "hello", 1, 9},
    {403, CHUNKED, "2\r\nab\r\n<html>", "ab", 1, 8},
    {403, CHUNKED, "2\r\nab\r\n\r\n2\r\n", "ab", 1, 8},
    {403, CHUNKED, "fffffffffffffff\r\nhello", "hello", 0, 0},
    {403, CHUNKED, "4000000000000000\r\nhello", "hello", 0, 0},
    {403, CHUNKED, "10000000000000000\r\nhello", "", 1, 17},
    {403, CHUNKED, "ffffffffffffffffff\r\nhello", "", 1, 16},
};

static void test_body(void)
{
	size_t k, step, first, cap;

	for (k = 0; k < sizeof bodies / sizeof bodies[0]; k++) {
		char head[200], *copy, *piece;
		size_t len = strlen(bodies[k].body), want = strlen(bodies[k].want);
		struct wsi_response r;
		const char *why;

		check_row("%d %s", bodies[k].status, bodies[k].headers);
		if (!CHECK(parse(&r, &copy, head,
		                 (size_t)snprintf(head, sizeof head, "HTTP/1.1 %d x\r\n%s\r\n",
		                                  bodies[k].status, bodies[k].headers),
		                 &why)
		           == 0))
			continue;
		for (cap = 0; cap <= want + 2; cap++) {
			for (step = 1; step <= len + 1; step++) {
				for (first = 0; first <= (step > 3 ? len : 0); first++) {
					struct wsi_body b;
					struct wsi_text t;
					size_t at = 0, n = first, end = 0;
					char *out = malloc(cap + 1);

					if (out == NULL)
						abort();
					wsi_text_init(&t, out, cap + 1);
					wsi_body_init(&b, &r);
					for (; at < len; at += n, n = step) {
						if (n > len - at)
							n = len - at;
						piece = exact(bodies[k].body + at, n);
						wsi_body_feed(&b, &t, piece, n);
						free(piece);
						if (b.state == 0 && step == 1 && end == 0)
							end = bodies[k].after == 0 ? 0 : at + n;
					}
					if (step == 1 && b.state == 0)
						CHECK_EQ_U(end, bodies[k].after);
					CHECK((b.state == 0) == bodies[k].done);
					CHECK_EQ_MEM(out, t.len, bodies[k].want,
					             cap < want ? cap : want);
					free(out);
				}
			}
		}
		free(copy);
	}
}

/* A lookup of headers by name takes no more memory than the head, however many short lines it has.
 * What is in front of the headers is not taken for one. */
static void test_headers_fit(void)
{
	static const char *const dense[] = {"A:\nA:\nA:\nB:\n\n", "A:b\nA:c\nB:d\nA:\n\n",
	                                    "Ab:\nC:ccc\naB:x\n\n", "\n", "A:b\r\n\r\n"};
	static const char *const want[] = {"A|, , |B||", "A|b, c, |B|d|", "Ab|, x|C|ccc|", "",
	                                   "A|b|"};
	static const char *const olds[] = {"A\0old", "C\0old"};
	const size_t before = sizeof "A\0old";
	size_t i, k, old;

	for (i = 0; i < sizeof dense / sizeof dense[0]; i++) {
		for (old = 0; old < 2; old++) {
			const size_t len = strlen(dense[i]);
			char *room = calloc(2 * before + len + 1, 1), *p = room + before;
			struct wsi_text t;

			check_row("%s after %s", dense[i], olds[old]);
			for (k = 0; k <= before + len; k += 2)
				p[k] = 'A'; /* what is after the text is not searched */
			wsi_text_init(&t, p, before + len + 1);
			wsi_put_n(&t, olds[old], before);
			wsi_put_headers(&t, dense[i]);
			CHECK(!t.cut);
			for (k = before; k < t.len; k++)
				if (!p[k])
					p[k] = '|';
			CHECK_EQ_MEM(p + before, t.len - before, want[i], strlen(want[i]));
			free(room);
		}
	}
	check_row_end();
}

int main(void)
{
	TEST(test_head_end);
	TEST(test_response);
	TEST(test_seen);
	TEST(test_answer);
	TEST(test_body);
	TEST(test_headers_fit);
	return check_done();
}
