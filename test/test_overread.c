/* SPDX-License-Identifier: ISC
 * test_overread.c - no parser reads a byte before or after its input
 *
 * Every sample, each of its beginnings and each of its ends is placed once before and once after a
 * guard page. Whether the results are right is checked by the parsers' own tests.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "../cli/values.h"
#include "../cli/wsquery.h"
#include "../ws_tls.h"
#include "check.h"
#include "guard.h"

static char out_buf[4096];

static struct wsi_text *out(void)
{
	static struct wsi_text t;

	wsi_text_init(&t, out_buf, sizeof out_buf);
	return &t;
}

/* The parsers. p[0..len) is all that they may read. */

static void url(char *p, size_t len)
{
	struct wsi_url u;

	memset(&u, 0, sizeof u);
	wsi_url_parse(&u, p, len);
	wsi_url_parse_proxy(&u, p, len);
	wsi_put_url(out(), p, len);
	wsi_put_location(out(), p, len);
}

static void reference(char *p, size_t len)
{
	struct wsi_text *t = out();

	wsi_put(t, "ws://example.com/a/b?c");
	wsi_url_resolve(t, p, len);
}

static void secrets(char *p, size_t len)
{
	wsi_find_secret(p, len);
	wsi_put_without_secrets(out(), p, len);
	wsi_is_secret_name(p, len);
	wsi_is_secret_header(p, len);
	wsi_is_secret_response_header(p, len);
}

static void words(char *p, size_t len)
{
	struct wsi_str a = {p, len}, b = {"upgrade", 7};

	wsi_has_token(a, "upgrade");
	wsi_is(a, "upgrade");
	wsi_number(p, len, 1000);
	wsi_digits(p, len, 1000, 16);
	wsi_trim(p, len);
	wsi_find(p, len, '\1');
	wsi_span_if(p, len, wsi_is_tchar);
	wsi_same_str(a, b);
	if (len > 0) {
		wsi_in_domain(a, "example.com", 11);
		wsi_in_domain(b, p, len);
	}
	wsi_put_safe(out(), p, len);
}

static void utf8(char *p, size_t len)
{
	uint32_t state = 0, cp;

	wsi_utf8_check(&state, p, len);
	if (len > 0)
		wsi_utf8_decode(&cp, p, len);
}

static void encodings(char *p, size_t len)
{
	unsigned char digest[20];

	wsi_base64_encode(out_buf, p, len);
	wsi_sha1(digest, p, (unsigned)len);
#ifdef WS_WITH_MBEDTLS
	wsi_base64_decode(out_buf, p, len);
#endif
}

static void address(char *p, size_t len)
{
	unsigned char ip[16];

	wsi_ip_parse(ip, p, len);
}

static void frame(char *p, size_t len)
{
	struct wsi_frame f;

	wsi_frame_decode(&f, (const unsigned char *)p, len);
}

static void mask(char *p, size_t len)
{
	wsi_mask(out_buf, p, len, (const unsigned char *)"abcd");
}

/* Parses a head. If it is whole, reads all of it, the body after it, and the reason for a refusal.
 */
static void head(char *p, size_t len)
{
	static const char *const offered[] = {"chat", NULL};
	static const struct ws_options none;
	const char *s, *subprotocol, *option;
	char why_buf[400];
	struct wsi_response r;
	struct wsi_refusal f;
	struct wsi_header h;
	struct wsi_body b;
	struct wsi_text why;
	struct wsi_url to;

	memset(&r, 0, sizeof r);
	memset(&f, 0, sizeof f);
	wsi_text_init(&why, why_buf, sizeof why_buf);
	if (wsi_response_read(&r, p, len, &why) <= 0)
		return;
	for (s = r.fields; (s = wsi_header_next(s, &h)) != NULL;)
		;
	wsi_response_check(&r, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", offered, &subprotocol, &option,
	                   &why);
	wsi_body_init(&b, &r);
	wsi_body_feed(&b, out(), p + r.len, len - r.len);
	wsi_url_parse(&to, "ws://example.com/", 17);
	f.response = &r;
	f.body.p = p + r.len;
	f.body.len = len - r.len;
	f.url = &to;
	f.opt = &none;
	wsi_put_refusal(out(), &f);
	wsi_put_proxy_refusal(out(), &r, 1);
}

/* The whole dialogue with a proxy whose answers are these bytes */
static void proxy(const char *scheme, char *p, size_t len)
{
	static const char target[] = "ws://example.com/";
	struct wsi_proxy proxy;
	struct wsi_url to;
	struct wsi_text why;
	char why_buf[200];
	int n, r = 0;

	if (wsi_url_parse(&to, target, sizeof target - 1)
	    || wsi_proxy_parse(&proxy, scheme, strlen(scheme)))
		return;
	proxy.target = &to;
	proxy.addr_len = wsi_proxy_resolves_here(proxy.kind) ? 4 : 0;
	memset(proxy.addr, 1, sizeof proxy.addr);
	wsi_text_init(&why, why_buf, sizeof why_buf);
	for (n = 0; n < 20 && r == 0; n++) {
		r = wsi_proxy_step(&proxy, (unsigned char *)p, len, out(), &why);
		p += proxy.used;
		len -= proxy.used;
	}
}

static void proxy_http(char *p, size_t len)
{
	proxy("http://user:password@proxy", p, len);
}

static void proxy_socks4(char *p, size_t len)
{
	proxy("socks4://proxy", p, len);
	proxy("socks4a://proxy", p, len);
}

static void proxy_socks5(char *p, size_t len)
{
	proxy("socks5://proxy", p, len);
	proxy("socks5h://user:password@proxy", p, len);
}

static void proxy_url(char *p, size_t len)
{
	struct wsi_proxy proxy_of;

	memset(&proxy_of, 0, sizeof proxy_of);
	wsi_proxy_parse(&proxy_of, p, len);
}

static void pattern(char *p, size_t len)
{
	static max_align_t mem[20000];
	const char *why;
	size_t where, size = wsi_match_size(p, len, &why, &where);

	if (size > 0 && size <= sizeof mem)
		wsi_match_init(mem, sizeof mem, p, len);
}

static void matched(char *p, size_t len)
{
	static const char costly[] = "^(a|[^b-\xc3\xa9]|.)*z$";
	static max_align_t mem[2000];
	static struct wsi_match *m;

	if (!m)
		m = wsi_match_init(mem, sizeof mem, costly, sizeof costly - 1);
	wsi_match_start(m);
	wsi_match_feed(m, p, len);
	wsi_match_end(m);
}

static void json(char *p, size_t len)
{
	struct wq_json j;
	struct wq_out o;

	wq_out_init(&o, -1, 0, len);
	wq_json_begin(&j, &o);
	wq_json_string(&j, p, len);
	wq_json_base64(&j, p, len);
	wq_out_end(&o);
}

#ifdef WS_WITH_MBEDTLS
/* The certificate of a CA with alternative names, name constraints, key usages and policies, made
 * by openssl(1) */
static const unsigned char certificate[] = {
    48,  130, 1,   237, 48,  130, 1,   148, 160, 3,   2,   1,   2,   2,   20,  87,  6,   250, 152,
    133, 219, 161, 75,  9,   85,  74,  233, 11,  122, 24,  33,  90,  133, 106, 198, 48,  10,  6,
    8,   42,  134, 72,  206, 61,  4,   3,   2,   48,  25,  49,  11,  48,  9,   6,   3,   85,  4,
    6,   19,  2,   88,  88,  49,  10,  48,  8,   6,   3,   85,  4,   3,   12,  1,   97,  48,  30,
    23,  13,  50,  54,  49,  49,  50,  56,  49,  49,  49,  56,  51,  49,  90,  23,  13,  51,  54,
    49,  49,  50,  53,  49,  49,  49,  56,  51,  49,  90,  48,  25,  49,  11,  48,  9,   6,   3,
    85,  4,   6,   19,  2,   88,  88,  49,  10,  48,  8,   6,   3,   85,  4,   3,   12,  1,   97,
    48,  89,  48,  19,  6,   7,   42,  134, 72,  206, 61,  2,   1,   6,   8,   42,  134, 72,  206,
    61,  3,   1,   7,   3,   66,  0,   4,   107, 247, 145, 61,  253, 193, 190, 155, 102, 114, 228,
    184, 210, 158, 206, 75,  233, 239, 185, 143, 179, 170, 188, 211, 176, 0,   79,  184, 128, 137,
    130, 123, 2,   4,   114, 245, 181, 134, 234, 128, 194, 210, 27,  9,   205, 64,  162, 84,  39,
    228, 205, 231, 16,  174, 124, 128, 191, 209, 1,   176, 153, 116, 48,  163, 163, 129, 185, 48,
    129, 182, 48,  29,  6,   3,   85,  29,  14,  4,   22,  4,   20,  241, 227, 183, 233, 222, 91,
    195, 3,   4,   65,  14,  215, 241, 223, 96,  89,  207, 75,  28,  240, 48,  31,  6,   3,   85,
    29,  35,  4,   24,  48,  22,  128, 20,  241, 227, 183, 233, 222, 91,  195, 3,   4,   65,  14,
    215, 241, 223, 96,  89,  207, 75,  28,  240, 48,  15,  6,   3,   85,  29,  19,  1,   1,   255,
    4,   5,   48,  3,   1,   1,   255, 48,  23,  6,   3,   85,  29,  17,  4,   16,  48,  14,  130,
    6,   97,  46,  116, 101, 115, 116, 135, 4,   1,   2,   3,   4,   48,  36,  6,   3,   85,  29,
    30,  1,   1,   255, 4,   26,  48,  24,  160, 8,   48,  6,   130, 4,   116, 101, 115, 116, 161,
    12,  48,  10,  135, 8,   10,  0,   0,   0,   255, 0,   0,   0,   48,  19,  6,   3,   85,  29,
    37,  4,   12,  48,  10,  6,   8,   43,  6,   1,   5,   5,   7,   3,   1,   48,  15,  6,   3,
    85,  29,  32,  4,   8,   48,  6,   48,  4,   6,   2,   42,  3,   48,  10,  6,   8,   42,  134,
    72,  206, 61,  4,   3,   2,   3,   71,  0,   48,  68,  2,   32,  23,  93,  123, 204, 151, 130,
    84,  17,  59,  69,  108, 169, 99,  208, 110, 4,   38,  150, 135, 30,  74,  235, 170, 65,  132,
    161, 99,  234, 179, 13,  120, 139, 2,   32,  50,  163, 189, 244, 253, 210, 144, 248, 10,  99,
    218, 144, 145, 36,  4,   9,   19,  195, 249, 35,  187, 253, 92,  252, 88,  92,  124, 245, 160,
    27,  187, 38,
};

/* A certificate alone and in a chain, where the length before it in the Certificate message is
 * right */
static void certificates(char *p, size_t len)
{
	static const int ids[] = {WSI_EXT_ALTERNATIVE_NAMES, WSI_EXT_NAME_CONSTRAINTS,
	                          WSI_EXT_EXTENDED_KEY_USAGE};
	const unsigned char *der = (const unsigned char *)p;
	struct wsi_cert c[WSI_CHAIN_MAX];
	struct wsi_der value;
	int critical, n;
	size_t i;

	n = wsi_chain_read(c, der, len);
	if (n > 0)
		wsi_chain_check_cost(c, n, out());
	wsi_der_subject(der, len, &i);
	wsi_der_may_equal(der, len, certificate, sizeof certificate);
	wsi_put_dn(out(), der, len);
	if (wsi_cert_read(c, der, len) < 0)
		return;
	for (i = 0; i < sizeof ids / sizeof ids[0]; i++)
		wsi_cert_extension(c, ids[i], &critical, &value);
	c[1] = c[0];
	wsi_chain_check_cost(c, 2, out());
	wsi_chain_check_rules(c, 2, out());
	wsi_chain_put_unknown(c, 2, out());
}
#endif

#define S(text)                                                                                    \
	{                                                                                          \
		text, sizeof text - 1                                                              \
	}
#define HEAD                                                                                       \
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: keep-alive, "       \
	"Upgrade\r\n"                                                                              \
	"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: "           \
	"chat\r\n\r\n\x81\x02hi"

static const struct parser {
	const char *name;
	void (*parse)(char *p, size_t len);
	struct {
		const char *p;
		size_t len;
	} samples[7];
} parsers[] = {
    {"url",
     url,
     {S("wss://user:pa%20ss@[fe80::1%25eth0]:8443/path%41?token=secret&key=%61#f"),
      S("ws://127.0.0.1:80?x"), S("http://a.b.example.com./%"), S("HTTPS://[::ffff:1.2.3.4]/"),
      S("ws://user:pa@ss:1@h"), S("ws://h:65536"), S("ws://0x1")}},
    {"reference",
     reference,
     {S("../../x/./y/..?q#f"), S("//other:81/x"), S("ws://h/../.."), S("?q"), S("")}},
    {"secret",
     secrets,
     {S("/p?token=abc&x=1;Api%4bey=%2&session=#sig=x"), S("Proxy-Authorization"), S("x-api-key")}},
    {"words",
     words,
     {S("keep-alive ,\t Upgrade, , x"), S(" \t "), S("wss"), S("00999"), S("ff"),
      S("www.example.com.")}},
    {"utf8",
     utf8,
     {S("aaaaaaaaaaaaaaaa\xc3\xa9"), S("\xe2\x82\xac"), S("\xf0\x9f\x98\x80"), S("\xed\xa0\x80"),
      S("\xf4\x90")}},
    {"base64, sha1", encodings, {S("Zm9vYmFyCg=="), S("Zm9="), S("====")}},
    {"ip",
     address,
     {S("127.0.0.1"), S("1:2:3:4:5:6:7:8"), S("::ffff:1.2.3.4"), S("1::"), S("1.2.3.4.")}},
    {"frame",
     frame,
     {S("\x81\x7f\0\0\0\0\0\1\0\0"), S("\x81\x7e\1\0"), S("\x88\x02\x03\xe8"),
      S("\x81\xfe\1\0abcd"), S("\x8a\0")}},
    {"mask", mask, {S("0123456789abcdef0123456789abcdef01234")}},
    {"head",
     head,
     {S(HEAD), S("HTTP/1.0 404\r\nA:b\r\n\r\n"),
      S("HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\nRetry-After: "
        "7\r\n\r\n5;x=\"y\"\r\nabcde\r\n00a\r\n"),
      S("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd"),
      S("HTTP/1.1 401 X\r\nWWW-Authenticate: Basic realm=\"a \\\"b\", Digest\r\n\tfolded\r\n\r\n"),
      S("HTTP/1.1 200 OK\n\nThe plain HTTP request was sent to HTTPS port\n")}},
    {"proxy, HTTP",
     proxy_http,
     {S("HTTP/1.1 200 Established\r\n\r\nHTTP/1.1 101"),
      S("HTTP/1.1 407 X\r\nProxy-Authenticate: NTLM\r\n\r\n"), S("HTTP/1.0 200\r\nA: b\r\n\r\n")}},
    {"proxy, SOCKS4",
     proxy_socks4,
     {S("\0\x5a\0\x50\1\2\3\4HTTP"), S("\0\x5b\0\0\0\0\0\0"), S("\4\x5a")}},
    {"proxy, SOCKS5",
     proxy_socks5,
     {S("\5\0\5\0\0\1\1\2\3\4\0\x50HTTP"), S("\5\2\1\0\5\0\0\3\7example\0\x50"),
      S("\5\2\1\0\5\0\0\4\1\2\3\4\5\6\7\x8\1\2\3\4\5\6\7\x8\0\x50"), S("\5\xff"), S("\5\2\1\1"),
      S("\5\0\5\5")}},
    {"proxy, URL",
     proxy_url,
     {S("socks5h://user:pa%40ss@[::1]:1080/"), S("user:pass@proxy:3128"), S("http://p:x")}},
    {"pattern",
     pattern,
     {S("^(a|b[^]x-z[:alpha:][.-.]])*\\.{2,3}(|c)$"), S("[[:digit:]]{3}"), S("a{2"),
      S("\xc3\xa9+[\xe2\x82\xac-\xf0\x9f\x98\x80]"), S("\\"), S("[[=a=]")}},
    {"text for a pattern",
     matched,
     {S("aaa\xc3\xa9z"), S("\xe2\x82\xacz"), S("\xf0\x9f\x98\x80\xff\xe2\x82z"), S("bz")}},
    {"json", json, {S("a\"\\\n\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98"), S("\xe2\x82"), S("\xff\0\x7f")}},
};

static void test_guarded(void)
{
	size_t i, k, n;

	for (i = 0; i < sizeof parsers / sizeof parsers[0]; i++) {
		const struct parser *a = &parsers[i];

		check_row("%s", a->name);
		for (k = 0; k < sizeof a->samples / sizeof a->samples[0] && a->samples[k].p; k++) {
			for (n = 0; n <= a->samples[k].len; n++) {
				size_t rest = a->samples[k].len - n;

				a->parse(guard_after(a->samples[k].p, n), n);
				a->parse(guard_before(a->samples[k].p, n), n);
				a->parse(guard_after(a->samples[k].p + n, rest), rest);
				a->parse(guard_before(a->samples[k].p + n, rest), rest);
			}
		}
		CHECK(k > 0); /* the test is that no parser has crashed */
	}
}

#ifdef WS_WITH_MBEDTLS
/* The same, and with each byte changed in turn, because lengths can be anywhere in a certificate */
static void test_guarded_certificates(void)
{
	static const unsigned char wrong[] = {0, 0x7f, 0x80, 0x81, 0x84, 0xff};
	unsigned char message[sizeof certificate + 6];
	struct wsi_cert c, chain[WSI_CHAIN_MAX];
	size_t i, k, n, len;

	message[0] = message[3] = 0;
	message[1] = (sizeof certificate + 3) >> 8;
	message[2] = (sizeof certificate + 3) & 0xff;
	message[4] = sizeof certificate >> 8;
	message[5] = sizeof certificate & 0xff;
	memcpy(message + 6, certificate, sizeof certificate);
	for (k = 0; k <= 6; k += 6) { /* the whole message, then the certificate alone */
		len = sizeof message - k;
		check_row(k ? "certificate" : "Certificate message");
		for (n = 0; n <= len; n++) {
			certificates(guard_after(message + k, n), n);
			certificates(guard_before(message + k, n), n);
		}
		for (n = 0; n < len; n++) {
			for (i = 0; i < sizeof wrong; i++) {
				unsigned char *p = guard_after(message + k, len);

				p[n] = wrong[i];
				certificates((char *)p, len);
			}
		}
		CHECK(k ? wsi_cert_read(&c, certificate, sizeof certificate) == 0
		        : wsi_chain_read(chain, message, sizeof message) == 1);
	}
}

/* Truncated parts of a certificate that end at the guard page */
static void test_guarded_parts(void)
{
	struct wsi_cert c, part;
	struct wsi_der value;
	int critical, id;
	size_t n;

	if (!CHECK(wsi_cert_read(&c, certificate, sizeof certificate) == 0))
		return;
	for (n = 0; n <= c.subject.len; n++)
		wsi_put_dn(out(), guard_after(c.subject.p, n), n);
	memset(&part, 0, sizeof part);
	for (n = 0; n <= c.extensions.len; n++) {
		part.extensions.p = guard_after(c.extensions.p, n);
		part.extensions.len = n;
		for (id = WSI_EXT_ALTERNATIVE_NAMES; id <= WSI_EXT_INHIBIT_ANY_POLICY; id++)
			wsi_cert_extension(&part, id, &critical, &value);
		wsi_chain_put_unknown(&part, 1, out());
	}
}
#endif

/* Strings end with a NUL, and nothing after it is read */
static void test_guarded_strings(void)
{
	static const char *const lists[] = {
	    "",    ",",       "example.com, .a.example ,10.0.0.0/8,[::1]:80,fe80::/10",
	    "*",   "h:70000", "1.2.3.4/33",
	    " \t", "[::1"};
	static const char *const values[] = {
	    "", "1", "1.5s", "500m", "10k", "99999999999999999999", "1.", ".", "0x"};
	struct wsi_url u;
	struct wsi_str bad;
	size_t i, len;
	int n;

	CHECK(wsi_url_parse(&u, "ws://a.example/", 15) == NULL);
	for (i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		check_row("no_proxy \"%s\"", lists[i]);
		len = strlen(lists[i]) + 1;
		wsi_no_proxy(guard_after(lists[i], len), &u, &bad);
		n = wsi_no_proxy(guard_before(lists[i], len), &u, &bad);
		CHECK(n >= -1);
	}
	for (i = 0; i < sizeof values / sizeof values[0]; i++) {
		size_t size;
		char *p;

		check_row("value \"%s\"", values[i]);
		len = strlen(values[i]) + 1;
		for (p = guard_after(values[i], len); p;
		     p = p == (char *)guard_room() ? NULL : guard_before(values[i], len)) {
			wq_parse_duration(p, &n);
			wq_parse_size(p, &size);
			wq_parse_number(p, &n);
		}
		CHECK(1);
	}
}

int main(void)
{
	TEST(test_guarded);
	TEST(test_guarded_strings);
#ifdef WS_WITH_MBEDTLS
	TEST(test_guarded_certificates);
	TEST(test_guarded_parts);
#endif
	return check_done();
}
