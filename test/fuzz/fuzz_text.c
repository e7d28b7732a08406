/* SPDX-License-Identifier: ISC
 * fuzz_text.c - any bytes for url.c, request.c, response.c and proxy.c: input in pieces must give
 * the same result as whole input, slices stay within their bytes, no option can add a line to a
 * request, and no error shows userinfo.
 *
 *	clang -g -O1 -fsanitize=fuzzer,address,undefined -I. test/fuzz/fuzz_text.c text.c url.c ...   libFuzzer
 *	cc -DFUZZ_MAIN ...    alone: runs the given files, or variations of built-in seeds
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ws.h"
#include "ws_proto.h"

#define MUST(cond) ((cond) ? (void)0 : fuzz_fail(#cond, __LINE__))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_fail(const char *what, int line)
{
	fprintf(stderr, "fuzz_text.c:%d: not so: %s\n", line, what);
	abort();
}

/* A copy of its exact size, so that the sanitizer notices a read beyond it */
static char *fuzz_copy(const void *p, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);

	if (copy == NULL)
		abort();
	if (len > 0)
		memcpy(copy, p, len);
	return copy;
}

static char *fuzz_string(const char *p, size_t len)
{
	char *copy = malloc(len + 1);

	if (copy == NULL)
		abort();
	memcpy(copy, p, len);
	copy[len] = '\0';
	return copy;
}

static void fuzz_inside(struct wsi_str s, const char *p, size_t len)
{
	MUST(s.len == 0 || (s.p >= p && s.p + s.len <= p + len));
}

static int fuzz_contains(const char *p, size_t len, const char *what, size_t n)
{
	size_t i;

	for (i = 0; i + n <= len; i++)
		if (memcmp(p + i, what, n) == 0)
			return 1;
	return 0;
}

static void fuzz_url(const char *p, size_t len)
{
	struct wsi_url u, v;
	struct wsi_text t;
	const char *why = wsi_url_parse(&u, p, len), *at;
	char shown[2 * WS_MAX_URL]; /* a secret of one byte is shown as three */
	struct wsi_str secret;
	uint32_t state = 0;
	size_t i, n;

	wsi_text_init(&t, shown, sizeof shown);
	wsi_put_proxy_url(&t, p, len);
	wsi_text_init(&t, shown, sizeof shown);
	wsi_put_location(&t, p, len);
	if (why != NULL) {
		MUST(why[0] != '\0' && u.at >= p && u.at <= p + len);
		wsi_text_init(&t, shown, sizeof shown);
		wsi_put_url_why(&t, &u, p, len, why);
		wsi_text_init(&t, shown, sizeof shown);
		wsi_put_url(&t, p, len);
		for (i = len, at = NULL; i > 0 && at == NULL; i--)
			at = p[i - 1] == '@' ? p + i - 1 : NULL;
		n = wsi_span_if(p, len, wsi_is_blank); /* without leading blanks it may be valid */
		MUST(at == NULL || memchr(shown, '@', t.len) == NULL
		     || wsi_url_parse(&v, p + n, len - n) == NULL);
		return;
	}
	fuzz_inside(u.host, p, len);
	fuzz_inside(u.userinfo, p, len);
	fuzz_inside(u.zone, p, len);
	fuzz_inside(u.path, p, len);
	MUST(u.host.len > 0 && u.port > 0 && u.path.p + u.path.len == p + len);
	for (i = 0; i < len; i++) /* nothing that could break a request or confuse a terminal */
		if ((unsigned char)p[i] < 0x80 || p + i < u.path.p)
			MUST(p[i] > ' ' && p[i] < 0x7f && p[i] != '\\' && p[i] != '#');
	MUST(wsi_utf8_check(&state, u.path.p, u.path.len) == u.path.len && state == 0);
	wsi_text_init(&t, shown, sizeof shown);
	wsi_put_url(&t, p, len);
	secret = wsi_find_secret(u.path.p, u.path.len);
	MUST(!t.cut
	     && (secret.len > 0
	         || t.len == len - u.userinfo.len - (u.userinfo.p[u.userinfo.len] == '@')));
	MUST(wsi_url_parse(&v, shown, t.len) == NULL && v.userinfo.len == 0);
	MUST(v.port == u.port && v.secure == u.secure && v.ip == u.ip && v.host.len == u.host.len
	     && v.zone.len == u.zone.len);
	MUST(memcmp(u.host.p, v.host.p, v.host.len) == 0
	     && (secret.len > 0 || v.path.len == u.path.len));
	for (i = 0; i < 2; i++) { /* the Host header and CONNECT's target say the same host */
		wsi_text_init(&t, shown, sizeof shown);
		wsi_put(&t, u.secure ? "wss://" : "ws://");
		wsi_put_hostport(&t, &u, (int)i);
		MUST(wsi_url_parse(&v, shown, t.len) == NULL && v.port == u.port && v.ip == u.ip);
		MUST(v.host.len == u.host.len && memcmp(u.host.p, v.host.p, v.host.len) == 0);
	}
}

static size_t fuzz_resolved(char *out, size_t cap, const char *base, size_t base_len,
                            const char *ref, size_t ref_len)
{
	struct wsi_text t;

	wsi_text_init(&t, out, cap);
	wsi_put_n(&t, base, base_len);
	return !t.cut && wsi_url_resolve(&t, ref, ref_len) ? t.len : 0;
}

static void fuzz_resolve(const char *p, size_t len)
{
	const char *nl = memchr(p, '\n', len);
	size_t base_len = nl != NULL ? (size_t)(nl - p) : len,
	       ref_len = nl != NULL ? len - base_len - 1 : 0, n, m, cap;
	char *base = fuzz_copy(p, base_len), *ref = fuzz_copy(p + len - ref_len, ref_len);
	char out[2 * WS_MAX_URL + 10], again[2 * WS_MAX_URL + 10];

	if (base_len + ref_len + 2 < sizeof out) {
		n = fuzz_resolved(out, sizeof out, base, base_len, ref, ref_len);
		MUST(n <= base_len + ref_len + 1
		     && (n == 0 || (strlen(out) <= n && out[n] == '\0')));
		MUST(memchr(out, '#', n) == NULL);
		if (n > 0) { /* an absolute URL resolves to itself, with any base */
			m = fuzz_resolved(again, sizeof again, out, n, "", 0);
			MUST(m == n && memcmp(out, again, n) == 0);
		}
		for (cap = n; cap < n + 2 && n > 0; cap++) {
			char *small = malloc(cap);

			m = fuzz_resolved(small, cap, base, base_len, ref, ref_len);
			MUST(m == 0 || (m == n && cap == n + 1 && memcmp(out, small, n + 1) == 0));
			free(small);
		}
	}
	free(base);
	free(ref);
}

static void fuzz_refusal(const struct wsi_response *r, const char *body, size_t len)
{
	static const struct ws_options sent = {.user = "joe:s3cret", .cookie = "a=b1c2"};
	struct wsi_refusal f = {.response = r, .opt = &sent};
	char out[3000];
	struct wsi_text t;
	struct wsi_url u;

	MUST(wsi_url_parse(&u, "ws://h/?token=abcd", 18) == NULL);
	f.url = &u;
	f.body.p = body;
	f.body.len = len;
	wsi_note_sent(&f.sent, "GET / HTTP/1.1\r\nAuthorization: Basic x\r\n\r\n", 42);
	wsi_text_init(&t, out, sizeof out);
	wsi_put_refusal(&t, &f);
	MUST(strlen(out) == t.len);
	wsi_text_init(&t, out, sizeof out);
	wsi_put_proxy_refusal(&t, r, 1);
	MUST(strlen(out) == t.len);
}

static void fuzz_head(const char *p, size_t len)
{
	static const char *const offered[] = {"chat", "a", NULL};
	struct wsi_response r = {0}, bytes = {0};
	struct wsi_header h;
	char why[700], why_bytes[700], accept[28], *head = fuzz_copy(p, len);
	struct wsi_text t;
	const char *chosen, *option, *at, *next;
	size_t i, n, count = 0, seen = 0;
	int whole, whole_bytes = 0;

	wsi_text_init(&t, why, sizeof why);
	whole = wsi_response_read(&r, head, len, &t);
	MUST(!t.cut && (whole < 0) == (t.len > 0));
	n = r.len;
	for (i = 0; i <= len && whole_bytes == 0; i++) {
		char *copy = fuzz_copy(p, i);

		wsi_text_init(&t, why_bytes, sizeof why_bytes);
		whole_bytes = wsi_response_read(&bytes, copy, i, &t);
		MUST(whole_bytes != 0 || bytes.len == i);
		free(copy);
	}
	MUST(whole == whole_bytes && bytes.status == r.status && bytes.len == r.len
	     && bytes.lines == r.lines);
	if (whole <= 0) {
		MUST(whole < 0 || (len < WS_MAX_HEAD && r.status == 0));
		MUST(r.fields == NULL);
		if (r.status > 0) {
			fuzz_inside(r.reason, head, len);
			fuzz_refusal(&r, p, len);
		}
		free(head);
		return;
	}
	free(head);
	head = fuzz_copy(p, n);
	memset(&r, 0, sizeof r);
	wsi_text_init(&t, why, sizeof why);
	MUST(wsi_response_read(&r, head, n, &t) == 1 && r.len == n);
	MUST(r.status >= 100 && r.status <= 999 && r.minor >= 0 && r.minor <= 9);
	MUST(r.fields == wsi_head_fields(head, n));
	fuzz_inside(r.reason, head, n);
	for (at = r.fields; (next = wsi_header_next(at, &h)) != NULL; at = next) {
		count++;
		fuzz_inside(h.name, head, n);
		fuzz_inside(h.value, head, n);
		MUST(next > at && next < head + n && next[-1] == '\n');
		MUST(h.name.len > 0
		     && wsi_span_if(h.name.p, h.name.len, wsi_is_tchar) == h.name.len);
		MUST(h.value.len == 0
		     || (h.value.p[0] != ' ' && h.value.p[h.value.len - 1] != ' '));
	}
	MUST(head + n - at == (*at == '\r' ? 2 : 1));
	MUST(count + 1 <= (size_t)r.lines && r.lines <= WS_MAX_HEAD_LINES);
	for (i = 0; i < WSI_SEEN; i++) {
		seen += (size_t)r.seen[i].count;
		fuzz_inside(r.seen[i].value, head, n);
		MUST(r.seen[i].count > 0 || (r.seen[i].value.len == 0 && !r.seen[i].listed));
	}
	MUST(seen <= count);
	wsi_accept(accept, "dGhlIHNhbXBsZSBub25jZQ==");
	if (wsi_response_check(&r, accept, offered, &chosen, &option, &t) == 0) {
		MUST(t.len == 0 && r.minor > 0 && fuzz_contains(head, n, accept, 28));
		MUST(chosen == NULL || fuzz_contains(head, n, chosen, strlen(chosen)));
	} else {
		MUST(t.len > 0 && !t.cut && chosen == NULL);
	}
	fuzz_refusal(&r, p + n, len - n);
	free(head);
}

static void fuzz_body(const char *p, size_t len)
{
	static const char *const fields[] = {"Transfer-Encoding: chunked\r\n",
	                                     "Content-Length: 20\r\n", ""};
	char head[100], out[2][WS_MAX_BODY + 1];
	struct wsi_response r = {0};
	struct wsi_body b[2];
	struct wsi_text t[2];
	size_t i, k = len > 0 ? (unsigned char)p[0] % 3 : 0,
	          cap = len > 1 ? (unsigned char)p[1] * 4U : 0;

	p += len > 2 ? 2 : len;
	len -= len > 2 ? 2 : len;
	i = (size_t)snprintf(head, sizeof head, "HTTP/1.1 403 No\r\n%s\r\n", fields[k]);
	wsi_text_init(&t[0], out[0], sizeof out[0]);
	MUST(wsi_response_read(&r, head, i, &t[0]) == 1 && r.status == 403);
	wsi_body_init(&b[0], &r);
	b[1] = b[0];
	for (i = 0; i < 2; i++)
		wsi_text_init(&t[i], out[i], cap + 1);
	wsi_body_feed(&b[0], &t[0], p, len);
	for (i = 0; i < len; i++) {
		char *copy = fuzz_copy(p + i, 1);

		wsi_body_feed(&b[1], &t[1], copy, 1);
		free(copy);
	}
	MUST(t[0].len == t[1].len && t[0].len <= cap && t[0].len <= len
	     && memcmp(out[0], out[1], t[0].len) == 0);
	MUST(b[0].state == b[1].state && b[0].left == b[1].left);
}

struct fuzz_played {
	int r;
	size_t used, sent_len;
	char sent[3 * WSI_PROXY_OUT_MAX], why[1600];
};

static void fuzz_play(struct fuzz_played *f, const struct wsi_proxy *proxy, const struct wsi_url *u,
                      const char *p, size_t len, size_t step)
{
	struct wsi_proxy x = *proxy;
	size_t have = 0;

	memset(f, 0, sizeof *f);
	x.target = u;
	x.addr_len = wsi_proxy_resolves_here(x.kind) ? 4 : 0;
	memcpy(x.addr, "\1\2\3\4", 4);
	for (;;) {
		char *copy = fuzz_copy(p + f->used, have - f->used);
		struct wsi_text out, why;

		wsi_text_init(&out, f->sent + f->sent_len, WSI_PROXY_OUT_MAX);
		wsi_text_init(&why, f->why, sizeof f->why);
		f->r = wsi_proxy_step(&x, (unsigned char *)copy, have - f->used, &out, &why);
		free(copy);
		f->sent_len += out.len;
		MUST(x.used <= have - f->used && !out.cut && f->sent_len <= 2 * WSI_PROXY_OUT_MAX);
		f->used += x.used;
		if (f->r == 0 && (out.len > 0 || x.used > 0))
			continue;
		if (f->r != 0 || have == len)
			break;
		have += step;
		if (have > len)
			have = len;
	}
}

/* The error quotes what has arrived, so only that part may differ */
static int fuzz_same_but_quote(const char *a, const char *b)
{
	const char *quote = strstr(a, "begins with");

	return quote != NULL ? strncmp(a, b, (size_t)(quote - a)) == 0 : strcmp(a, b) == 0;
}

static void fuzz_proxy(const char *p, size_t len)
{
	static const char *const urls[] = {"http://p",    "http://u:sesame@p",   "socks4://u@p",
	                                   "socks4a://p", "socks5://u:sesame@p", "socks5h://p"};
	static const char *const targets[] = {"ws://h.example/", "wss://1.2.3.4/", "ws://[::1]:81"};
	struct wsi_proxy pu;
	struct wsi_url u;
	struct fuzz_played a, b;
	const char *url = urls[len > 0 ? (unsigned char)p[0] % 6 : 0],
	           *target = targets[len > 1 ? (unsigned char)p[1] % 3 : 0];

	p += len > 2 ? 2 : len;
	len -= len > 2 ? 2 : len;
	MUST(wsi_proxy_parse(&pu, url, strlen(url)) == NULL);
	MUST(wsi_url_parse(&u, target, strlen(target)) == NULL);
	fuzz_play(&a, &pu, &u, p, len, len > 0 ? len : 1);
	fuzz_play(&b, &pu, &u, p, len, 1);
	MUST(a.r == b.r && a.sent_len == b.sent_len && memcmp(a.sent, b.sent, a.sent_len) == 0);
	MUST(fuzz_same_but_quote(a.why, b.why));
	MUST(a.r < 0 || a.used == b.used);
	MUST((a.r < 0) == (a.why[0] != '\0'));
	MUST(strstr(a.why, "sesame") == NULL
	     || fuzz_contains(p, len, "sesame", 6)); /* unless the proxy sent it */
}

static void fuzz_lists(const char *p, size_t len)
{
	static const char *const targets[] = {"ws://a.example.com/", "wss://10.1.2.3:81/",
	                                      "ws://[fe80::1]/"};
	struct wsi_proxy pu;
	struct wsi_url u;
	struct wsi_str bad;
	const char *why = wsi_proxy_parse(&pu, p, len);
	char *list = fuzz_string(p, len);
	size_t k, n = strlen(list);
	int alone = wsi_no_proxy(list, NULL, &bad), r;

	if (alone < 0)
		MUST(bad.len > 0 && bad.p >= list && bad.p + bad.len <= list + n);
	for (k = 0; k < 3; k++) {
		MUST(wsi_url_parse(&u, targets[k], strlen(targets[k])) == NULL);
		r = wsi_no_proxy(list, &u, &bad);
		MUST(alone < 0 ? r < 0 : r >= alone);
	}
	free(list);
	if (why == NULL) {
		struct fuzz_played f;

		fuzz_inside(pu.url.host, p, len);
		MUST(pu.url.port > 0 && pu.kind >= WSI_HTTP && pu.kind <= WSI_SOCKS5H);
		fuzz_play(&f, &pu, &u, "\5\2\1\0", 4, 1);
	} else {
		MUST(why[0] != '\0' && pu.url.at >= p && pu.url.at <= p + len);
	}
}

/* The input's lines become options. Values that pass the check must not reach beyond their place in
 * the request. */
static void fuzz_request(const char *p, size_t len)
{
	const char *headers[8] = {0}, *protocols[3] = {0}, *option = NULL, *why = NULL,
	           *value = NULL;
	struct wsi_url u;
	struct ws_options o;
	struct wsi_text t;
	struct wsi_request r = {.out = &t, .url = &u, .key = "dGhlIHNhbXBsZSBub25jZQ==", .opt = &o};
	char *all = fuzz_string(p, len), *line[16] = {0}, *s = all, *next;
	static char out[100000];
	char why_buf[200];
	size_t n = 0, i, lines = 0, empty = 0;
	int same;

	for (; n < 16 && s != NULL;
	     s = next) { /* lines end at 0xff, so that they may hold a line break */
		next = strchr(s, '\xff');
		if (next != NULL)
			*next++ = '\0';
		line[n++] = s;
	}
	memset(&o, 0, sizeof o);
	for (i = 0; i < 7 && i + 9 < n; i++)
		headers[i] = line[9 + i];
	for (i = 0; i < 2 && line[7 + i] != NULL && line[7 + i][0] != '\0'; i++)
		protocols[i] = line[7 + i];
	o.headers = headers;
	o.subprotocols = protocols;
	o.origin = line[1];
	o.host = line[2] != NULL && line[2][0] != '\0' ? line[2] : NULL;
	o.user_agent = line[3];
	o.cookie = line[4];
	o.user = line[5] != NULL && line[5][0] != '\0' ? line[5] : NULL;
	o.bearer = line[6] != NULL && line[6][0] != '\0' ? line[6] : NULL;
	if (wsi_url_parse(&u, line[0], strlen(line[0])) == NULL) {
		wsi_text_init(&t, why_buf, sizeof why_buf);
		why = wsi_request_check(&o, &option, &value, &t);
		if (why == NULL) {
			for (same = 0; same < 2; same++) {
				r.same_origin = same;
				wsi_text_init(&t, out, sizeof out);
				wsi_put_request(&r);
				for (i = 0, lines = 0, empty = 0; i < t.len; i++) {
					int c = (unsigned char)out[i];

					MUST(c == '\t' || c == '\r' || c == '\n'
					     || (c >= ' ' && c != 0x7f));
					MUST((c == '\n') == (i > 0 && out[i - 1] == '\r'));
					if (c == '\n') {
						lines++;
						empty += i >= 3 && out[i - 2] == '\n';
					}
				}
				MUST(
				    t.cut
				    || (empty == 1 && memcmp(out + t.len - 4, "\r\n\r\n", 4) == 0));
				MUST(lines <= 11 + 7 + 1);
			}
		} else {
			MUST(option != NULL && value != NULL && why[0] != '\0');
		}
	}
	free(all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const targets[])(const char *, size_t) = {
	    fuzz_url, fuzz_resolve, fuzz_head, fuzz_body, fuzz_proxy, fuzz_lists, fuzz_request};
	char *copy;

	if (size == 0)
		return 0;
	copy = fuzz_copy(data + 1, size - 1);
	targets[data[0] % 7](copy, size - 1);
	free(copy);
	return 0;
}

#ifdef FUZZ_MAIN
#include "../random.h"

#define SEED(s)                                                                                    \
	{                                                                                          \
		s, sizeof s - 1                                                                    \
	}
static const struct {
	const char *p;
	size_t len;
} seeds[] = {
    SEED("\0ws://user:pass@host.example:8080/path/a?query=1"),
    SEED("\0wss://[fe80::1%25eth0]:443/%20?%41"),
    SEED("\0http://127.0.0.1/"),
    SEED("\0ws://joe:pw%40h/;session=a/?%74oken=a&next=%3Fkey%3Db#sig=c"),
    SEED("\1http://a/b/c/d;p?q\n../../../g;x=1/./y?z#s"),
    SEED("\1ws://h\n//g/./../a"),
    SEED("\2HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: keep-alive, "
         "Upgrade\r\n"
         "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: "
         "chat\r\n\r\n\x81\2hi"),
    SEED(
        "\2HTTP/1.0 404 Not Found\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello"),
    SEED("\3\0\x40"
         "5;a=b\r\nhello\r\nA\r\n0123456789\r\n0\r\nT: x\r\n\r\n"),
    SEED("\3\1\x3hello world, this is a body"),
    SEED("\4\1\1HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\nmore"),
    SEED("\4\2\1\0\x5a\0\0\0\0\0\0more"),
    SEED("\4\4\0\5\2\1\0\5\0\0\3\3abc\0\0more"),
    SEED("\4\5\2\5\0\5\0\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0more"),
    SEED("\5"
         "example.com,.b.c:81 10.0.0.0/8,[::1]:80,fe80::/10,::ffff:1.2.3.4,*"),
    SEED("\5socks5h://u:p%41@[::1]:1080/"),
    SEED("\6ws://u:p@h/\xffhttp://o\xffhost:1\xff"
         "agent\xff"
         "a=b\xffuser:pw\xff\xffp1\xffp2\xffX: y\xffUser-Agent:\xffHost: z\xff"
         "Connection: a, Upgrade\xff"
         "Authorization: Basic x"),
};
static const char *const words[] = {"\r\n",
                                    "\r",
                                    "\n",
                                    "\r\n\r\n",
                                    "@",
                                    ":",
                                    "/",
                                    "//",
                                    "://",
                                    "..",
                                    ".",
                                    "%",
                                    "%00",
                                    "%25",
                                    "%3D",
                                    "token=",
                                    "&",
                                    "?",
                                    "#",
                                    "[",
                                    "]",
                                    "::",
                                    "*",
                                    ",",
                                    " ",
                                    "\t",
                                    "0",
                                    "255",
                                    "256",
                                    "65535",
                                    "65536",
                                    "HTTP/1.1 ",
                                    "200",
                                    "ws",
                                    "socks4a",
                                    "\x05",
                                    "\x01",
                                    "\xff",
                                    "Content-Length: ",
                                    "Transfer-Encoding: chunked\r\n",
                                    "Sec-WebSocket-Extensions: x\r\n",
                                    "Host: a",
                                    "\\",
                                    "ffffffffffffffff"};

static void run_random(void)
{
	static uint8_t buf[70000];
	unsigned long i, runs = 200000;

	for (i = 0; i < runs; i++) {
		size_t seed = below(sizeof seeds / sizeof seeds[0]), len = seeds[seed].len, at, n;
		uint32_t changes = i < sizeof seeds / sizeof seeds[0] ? 0 : below(6);

		if (changes == 0)
			seed = i % (sizeof seeds / sizeof seeds[0]);
		len = seeds[seed].len;
		memcpy(buf, seeds[seed].p, len);
		while (changes-- > 0 && len > 1) {
			const char *w = words[below(sizeof words / sizeof words[0])];

			at = 1 + below(len);
			n = strlen(w);
			switch (below(5)) {
			case 0: /* another byte */
				if (at < len)
					buf[at] = (uint8_t)below(256);
				break;
			case 1: /* without some */
				n = below(8);
				if (at + n <= len) {
					memmove(buf + at, buf + at + n, len - at - n);
					len -= n;
				}
				break;
			case 2: /* cut off */
				len = at;
				break;
			default: /* one word more */
				memmove(buf + at + n, buf + at, len - at);
				memcpy(buf + at, w, n);
				len += n;
			}
		}
		LLVMFuzzerTestOneInput(buf, len);
	}
	printf("%lu inputs\n", runs);
}

#define FUZZ_MADE_UP run_random
#endif
#include "replay.h"
