/* SPDX-License-Identifier: ISC
 * test_url.c - url.c and url_show.c: what is a URL and what not, what is shown of one, RFC 3986's
 * references, names and addresses of this machine
 */
#include <stdlib.h>
#include "ws.h"
#include "ws_proto.h"
#include "check.h"
#include "exact.h"

static const char *slice(char *buf, struct wsi_str s)
{
	memcpy(buf, s.p, s.len);
	buf[s.len] = '\0';
	return buf;
}

struct good {
	const char *url;
	int secure, ip;
	unsigned port;
	const char *userinfo; /* NULL: none */
	const char *host, *zone, *path;
	const char *hostport, *shown; /* shown NULL: the URL itself */
};
static const struct good goods[] = {
    {"ws://a", 0, 0, 80, NULL, "a", "", "", "a", NULL},
    {"ws://example.com/chat", 0, 0, 80, NULL, "example.com", "", "/chat", "example.com", NULL},
    {"wss://example.com/chat?x=1", 1, 0, 443, NULL, "example.com", "", "/chat?x=1", "example.com",
     NULL},
    {"http://h/", 0, 0, 80, NULL, "h", "", "/", "h", NULL},
    {"https://h/", 1, 0, 443, NULL, "h", "", "/", "h", NULL},
    {"WS://H/", 0, 0, 80, NULL, "H", "", "/", "H", NULL},
    {"WsS://H/", 1, 0, 443, NULL, "H", "", "/", "H", NULL},
    {"HTTPS://H/", 1, 0, 443, NULL, "H", "", "/", "H", NULL},
    {"ws://h/\xc3\xa9?\xe2\x82\xac=1", 0, 0, 80, NULL, "h", "", "/\xc3\xa9?\xe2\x82\xac=1", "h",
     NULL},
    {"ws://h:80/", 0, 0, 80, NULL, "h", "", "/", "h", NULL},
    {"ws://h:443/", 0, 0, 443, NULL, "h", "", "/", "h:443", NULL},
    {"wss://h:443", 1, 0, 443, NULL, "h", "", "", "h", NULL},
    {"wss://h:80", 1, 0, 80, NULL, "h", "", "", "h:80", NULL},
    {"ws://h:1/", 0, 0, 1, NULL, "h", "", "/", "h:1", NULL},
    {"ws://h:65535/", 0, 0, 65535, NULL, "h", "", "/", "h:65535", NULL},
    {"ws://h:008080/", 0, 0, 8080, NULL, "h", "", "/", "h:8080", NULL},
    {"ws://h:/", 0, 0, 80, NULL, "h", "", "/", "h", NULL},
    {"wss://h:", 1, 0, 443, NULL, "h", "", "", "h", NULL},
    {"ws://h?q", 0, 0, 80, NULL, "h", "", "?q", "h", NULL},
    {"ws://h:8080?q=/?&:@", 0, 0, 8080, NULL, "h", "", "?q=/?&:@", "h:8080", NULL},
    {"ws://h//a//", 0, 0, 80, NULL, "h", "", "//a//", "h", NULL},
    {"ws://h/../a/./b", 0, 0, 80, NULL, "h", "", "/../a/./b", "h", NULL},
    {"ws://h/%20%c3%A9", 0, 0, 80, NULL, "h", "", "/%20%c3%A9", "h", NULL},
    {"ws://h/a@b:c", 0, 0, 80, NULL, "h", "", "/a@b:c", "h", NULL},
    {"ws://h/?a=b@c", 0, 0, 80, NULL, "h", "", "/?a=b@c", "h", NULL},
    {"ws://user@h/", 0, 0, 80, "user", "h", "", "/", "h", "ws://h/"},
    {"ws://user:pass@h/", 0, 0, 80, "user:pass", "h", "", "/", "h", "ws://h/"},
    {"ws://u:p:q@h:81/a@b", 0, 0, 81, "u:p:q", "h", "", "/a@b", "h:81", "ws://h:81/a@b"},
    {"ws://@h/", 0, 0, 80, "", "h", "", "/", "h", "ws://h/"},
    {"ws://:@h/", 0, 0, 80, ":", "h", "", "/", "h", "ws://h/"},
    {"WSS://%75:%40%3a@h", 1, 0, 443, "%75:%40%3a", "h", "", "", "h", "WSS://h"},
    {"ws://127.0.0.1/", 0, 4, 80, NULL, "127.0.0.1", "", "/", "127.0.0.1", NULL},
    {"ws://255.255.255.255:9", 0, 4, 9, NULL, "255.255.255.255", "", "", "255.255.255.255:9", NULL},
    {"ws://[::1]/", 0, 16, 80, NULL, "::1", "", "/", "[::1]", NULL},
    {"ws://u@[2001:db8::1]:8080/x", 0, 16, 8080, "u", "2001:db8::1", "", "/x", "[2001:db8::1]:8080",
     "ws://[2001:db8::1]:8080/x"},
    {"wss://[::ffff:1.2.3.4]", 1, 16, 443, NULL, "::ffff:1.2.3.4", "", "", "[::ffff:1.2.3.4]",
     NULL},
    {"ws://[fe80::1%25eth0]/", 0, 16, 80, NULL, "fe80::1", "eth0", "/", "[fe80::1]", NULL},
    {"ws://[fe80::1%25a-b_c.0~]:1", 0, 16, 1, NULL, "fe80::1", "a-b_c.0~", "", "[fe80::1]:1", NULL},
    {"ws://[::1]:", 0, 16, 80, NULL, "::1", "", "", "[::1]", NULL},
    {"ws://a-b_c.D9.example./", 0, 0, 80, NULL, "a-b_c.D9.example.", "", "/", "a-b_c.D9.example.",
     NULL},
    {"ws://1.example/", 0, 0, 80, NULL, "1.example", "", "/", "1.example", NULL},
    /* what begins like a number is a name if it has a letter that is not a digit of that base */
    {"ws://1.a/", 0, 0, 80, NULL, "1.a", "", "/", "1.a", NULL},
    {"ws://0x1.a/", 0, 0, 80, NULL, "0x1.a", "", "/", "0x1.a", NULL},
    {"ws://0x1.g/", 0, 0, 80, NULL, "0x1.g", "", "/", "0x1.g", NULL},
    {"ws://example.1a/", 0, 0, 80, NULL, "example.1a", "", "/", "example.1a", NULL},
    {"ws://0xg/", 0, 0, 80, NULL, "0xg", "", "/", "0xg", NULL},
    {"ws://1x/", 0, 0, 80, NULL, "1x", "", "/", "1x", NULL},
    {"ws://01a/", 0, 0, 80, NULL, "01a", "", "/", "01a", NULL},
    {"ws://00x1/", 0, 0, 80, NULL, "00x1", "", "/", "00x1", NULL},
    {"ws://h/?token=sesame&a=1", 0, 0, 80, NULL, "h", "", "/?token=sesame&a=1", "h",
     "ws://h/?token=***&a=1"},
    {"ws://u@h?%74oken=sesame", 0, 0, 80, "u", "h", "", "?%74oken=sesame", "h",
     "ws://h?%74oken=***"},
    {"ws://xn--bcher-kva.example/", 0, 0, 80, NULL, "xn--bcher-kva.example", "", "/",
     "xn--bcher-kva.example", NULL},
};

static void test_good(void)
{
	size_t k, i;

	for (k = 0; k < sizeof goods / sizeof goods[0]; k++) {
		const struct good *g = &goods[k];
		size_t len = strlen(g->url);
		char *url = exact(g->url, len), buf[300], shown[300];
		const char *why;
		struct wsi_url u;
		struct wsi_text t;

		check_row("%s", goods[k].url);
		why = wsi_url_parse(&u, url, len);
		if (!CHECK(why == NULL)) {
			fprintf(stderr, "\t%s: %s\n", g->url, why);
			free(url);
			continue;
		}
		CHECK_EQ_U(u.secure, g->secure);
		CHECK_EQ_U(u.ip, g->ip);
		CHECK_EQ_U(u.port, g->port);
		CHECK_EQ_S(slice(buf, u.userinfo), g->userinfo != NULL ? g->userinfo : "");
		CHECK_EQ_S(slice(buf, u.host), g->host);
		CHECK_EQ_S(u.zone.len > 0 ? slice(buf, u.zone) : "", g->zone);
		CHECK_EQ_S(slice(buf, u.path), g->path);
		wsi_text_init(&t, buf, sizeof buf);
		wsi_put_hostport(&t, &u, 0);
		CHECK_EQ_S(buf, g->hostport);
		wsi_text_init(&t, buf, sizeof buf);
		wsi_put_hostport(&t, &u, 1);
		snprintf(shown, sizeof shown, u.ip == 16 ? "[%s]:%u" : "%s:%u", g->host, g->port);
		CHECK_EQ_S(buf, shown);
		wsi_text_init(&t, buf, sizeof buf);
		wsi_put_url(&t, url, len);
		CHECK_EQ_S(buf, g->shown != NULL ? g->shown : g->url);
		free(url);
		for (i = 0; i < len; i++) { /* no truncation makes the parser read beyond its end */
			url = exact(g->url, i);
			why = wsi_url_parse(&u, url, i);
			if (why == NULL)
				CHECK(u.host.len > 0 && u.path.p + u.path.len == url + i);
			else
				CHECK(why[0] != '\0' && u.at >= url && u.at <= url + i);
			free(url);
		}
	}
}

static const struct {
	const char *url;
	size_t where;
	const char *why;   /* a part of the error */
	const char *shown; /* NULL: the URL itself */
} bads[] = {
    {"", 0, "ws:// or wss://", NULL},
    {"localhost:8080", 0, "ws:// or wss://", NULL},
    {"example.com/x", 0, "ws:// or wss://", NULL},
    {"ftp://h/", 0, "ws:// or wss://", NULL},
    {"wsss://h/", 0, "ws:// or wss://", NULL},
    {"w://h/", 0, "ws:// or wss://", NULL},
    {"ws:/h/", 0, "ws:// or wss://", NULL},
    {"ws:h", 0, "ws:// or wss://", NULL},
    {"ws//h", 0, "ws:// or wss://", NULL},
    {"ws:", 0, "ws:// or wss://", NULL},
    {" ws://h/", 0, "ws:// or wss://", NULL},
    {"//h/", 0, "ws:// or wss://", NULL},
    {"ws://", 5, "no host", NULL},
    {"ws:///x", 5, "no host", NULL},
    {"ws://?x", 5, "no host", NULL},
    {"ws://:80/", 5, "no host", NULL},
    {"ws://u@/", 7, "no host", "ws:///"},
    {"ws://u@:80", 7, "no host", "ws://:80"},
    {"ws://::1/", 5, "no host", NULL},
    {"ws://fe80::1/", 9, "brackets", NULL},
    {"ws://fe80::abcd/", 9, "brackets", NULL},
    {"ws://h:0/", 6, "1 to 65535", NULL},
    {"ws://h:00", 6, "1 to 65535", NULL},
    {"ws://h:65536/", 6, "1 to 65535", NULL},
    {"ws://h:4294967376/", 6, "1 to 65535", NULL},
    {"ws://h:99999999999999999999/", 6, "1 to 65535", NULL},
    {"ws://h:-1/", 6, "1 to 65535", "ws://h:***"},
    {"ws://h:+1/", 6, "1 to 65535", "ws://h:***"},
    {"ws://h:8o/", 6, "1 to 65535", "ws://h:***"},
    {"ws://h: 80/", 6, "1 to 65535", "ws://h:***"},
    {"ws://h:80:80/", 6, "1 to 65535", NULL},
    {"ws://[::1]80/", 10, "1 to 65535", NULL},
    {"ws://[::1]x", 10, "1 to 65535", NULL},
    {"ws://[::1]]", 10, "1 to 65535", NULL},
    {"ws://[]/", 5, "IPv6", NULL},
    {"ws://[::1/", 5, "IPv6", NULL},
    {"ws://[", 5, "IPv6", NULL},
    {"ws://[1.2.3.4]/", 5, "IPv6", NULL},
    {"ws://[::g]/", 5, "IPv6", "ws://[::***"},
    {"ws://[v1.x]/", 5, "IPv6", NULL},
    {"ws://[1:2:3:4:5:6:7:8:9]/", 5, "IPv6", NULL},
    {"ws://[h]/", 5, "IPv6", NULL},
    {"ws://[fe80::1%eth0]/", 13, "zone", NULL},
    {"ws://[fe80::1%25]/", 13, "zone", NULL},
    {"ws://[fe80::1%2]/", 13, "zone", NULL},
    {"ws://[fe80::1%25a%25]/", 13, "zone", NULL},
    {"ws://[fe80::1%25a b]/", 13, "zone", NULL},
    {"ws://127.1/", 5, "IPv4", NULL},
    {"ws://256.1.1.1/", 5, "IPv4", NULL},
    {"ws://0127.0.0.1/", 5, "IPv4", NULL},
    {"ws://1.2.3/", 5, "IPv4", NULL},
    {"ws://1.2.3.4.5/", 5, "IPv4", NULL},
    {"ws://1.2.3.4./", 5, "IPv4", NULL},
    {"ws://2130706433/", 5, "IPv4", NULL},
    {"ws://99999999999999999999/", 5, "IPv4", NULL},
    {"ws://0x7f000001/", 5, "IPv4", NULL},
    {"ws://0X7F.1/", 5, "IPv4", NULL},
    {"ws://0/", 5, "IPv4", NULL},
    {"ws://0x/", 5, "IPv4", NULL},
    {"ws://u@127.1/", 7, "IPv4", "ws://127.1/"},
    {"ws://a..b/", 5, "empty part, or", NULL},
    {"ws://.a/", 5, "empty part, or", NULL},
    {"ws://a../", 5, "empty part, or", NULL},
    {"ws://./", 5, "empty part, or", NULL},
    {"ws://h\xc3\xa9/", 6, "xn--", NULL},
    {"ws://h%41/", 6, "character", NULL},
    {"ws://h h/", 6, "character", NULL},
    {"ws://h\\x/", 6, "character", NULL},
    {"ws://h*/", 6, "character", NULL},
    {"ws://a,b/", 6, "character", NULL},
    {"ws://h]/", 6, "character", NULL},
    {"ws://h[::1]/", 6, "character", "ws://h[::***"},
    {"ws://h\t/", 6, "character", "ws://h?/"},
    {"ws://h#f", 6, "fragment", NULL},
    {"ws://h/#", 7, "fragment", NULL},
    {"ws://h/a?b#c", 10, "%23", NULL},
    {"ws://h/a b", 8, "percent-encoded", NULL},
    {"ws://h/a\\b", 8, "percent-encoded", NULL},
    {"ws://h/\xc3", 7, "percent-encoded", "ws://h/?"},
    {"ws://h/\xc3\xa9\xa9", 9, "percent-encoded", "ws://h/\xc3\xa9?"},
    {"ws://\xc3\xa9@h/", 5, "percent-encoded", "ws://h/"},
    {"ws://h/a\r\nX: y", 8, "percent-encoded", "ws://h/a??X: y"},
    {"ws://h/?[]", 8, "percent-encoded", NULL},
    {"ws://h/%", 7, "%25", NULL},
    {"ws://h/%4", 7, "%25", NULL},
    {"ws://h/%4g", 7, "%25", NULL},
    {"ws://h/%g4", 7, "%25", NULL},
    {"ws://h/?a%", 9, "%25", NULL},
    /* userinfo is hidden, whatever the error is */
    {"ws://sesame%@h/", 11, "%25", "ws://h/"},
    {"ws://u:ses ame@h/", 10, "percent-encoded", "ws://h/"},
    {"ws://u:sesame@x@h/", 13, "percent-encoded", "ws://h/"},
    {"ws://u:[sesame@h/", 7, "percent-encoded", "ws://h/"},
    {"ws://u:sesame@h/#", 16, "fragment", "ws://h/#"},
    {"ws://u:sesame@h:0/", 15, "1 to 65535", "ws://h:0/"},
    {"ws://u:ses/ame@h/", 6, "1 to 65535", "ws://h/"},
    {"ws://u:ses#ame@h/", 6, "1 to 65535", "ws://h/"},
    {"ws://u:ses?ame@h/", 6, "1 to 65535", "ws://h/"},
    {"u:sesame@h/", 0, "ws:// or wss://", "h/"},
    {"ws:/u:sesame@h/", 0, "ws:// or wss://", "ws:/h/"},
    {"ws:?x", 0, "ws:// or wss://", "ws:?x"},
    {"socks5://u:sesame@h/", 0, "ws:// or wss://", "socks5://h/"},
    {"u:sesame://x@h/", 0, "ws:// or wss://", "h/"},
    /* without an '@', what follows a ':' may be a password, unless it is a number */
    {"ws://joe:sesame%40h/", 8, "1 to 65535", "ws://joe:***"},
    {"ws://joe:sesame%40h:80/", 8, "1 to 65535", "ws://joe:***"},
    {"ws://joe:ses/ame%40h/", 8, "1 to 65535", "ws://joe:***"},
    {"ws://joe:80sesame%40h/", 8, "1 to 65535", "ws://joe:***"},
    {"ws://joe:80:sesame%40h/", 8, "1 to 65535", "ws://joe:80:***"},
    {"ws://[joe:sesame%40h/", 5, "IPv6", "ws://[joe:***"},
    {"ws://[::1]:sesame%40h/", 10, "1 to 65535", "ws://[::1]:***"},
    {"ws://[::1:sesame%40h/", 5, "IPv6", "ws://[::1:***"},
    {"joe:sesame%40h", 0, "ws:// or wss://", "joe:***"},
    {"joe:/sesame%40h", 0, "ws:// or wss://", "joe:***"},
    {"http:joe:sesame%40h", 0, "ws:// or wss://", "http:joe:***"},
    {"http:/joe:sesame%40h", 0, "ws:// or wss://", "http:/joe:***"},
    {"ws:///joe:sesame%40h", 5, "no host", "ws:///joe:***"},
    {"//joe:sesame%40h", 0, "ws:// or wss://", "//joe:***"},
    {"ftp://joe:sesame%40h/", 0, "ws:// or wss://", "ftp://joe:***"},
    {"ws://joe:sesame h@x:sesame%40h/", 15, "percent-encoded", "ws://x:***"},
    /* values of secret parameters */
    {"ws://h/?a b&token=sesame", 9, "percent-encoded", "ws://h/?a b&token=***"},
    {"ws://h/#access_token=sesame", 7, "fragment", "ws://h/#access_token=***"},
    {"ftp://h/?token=sesame", 0, "ws:// or wss://", "ftp://h/?token=***"},
    {"/x?token=sesame", 0, "ws:// or wss://", "/x?token=***"},
};

static void test_bad(void)
{
	size_t k;

	for (k = 0; k < sizeof bads / sizeof bads[0]; k++) {
		size_t len = strlen(bads[k].url);
		char *url = exact(bads[k].url, len), buf[300];
		struct wsi_url u;
		const char *why = wsi_url_parse(&u, url, len);
		struct wsi_text t;

		check_row("%s", bads[k].url);
		if (!CHECK(why != NULL) || !CHECK(strstr(why, bads[k].why) != NULL)
		    || !CHECK(u.at == url + bads[k].where))
			fprintf(stderr, "\t%s: %s, at %ld\n", bads[k].url, why, (long)(u.at - url));
		wsi_text_init(&t, buf, sizeof buf);
		wsi_put_url(&t, url, len);
		CHECK_EQ_S(buf, bads[k].shown != NULL ? bads[k].shown : bads[k].url);
		CHECK(strstr(buf, "same") == NULL);
		free(url);
	}
}

/* The error for an invalid URL */
static const struct {
	const char *url, *said;
} whys[] = {
    {"ws://DOM\\u:sesame@h/", "it has a character that must be percent-encoded: in its user name, "
                              "\\ is written %5C (byte 9)"},
    {"ws://DOM\\u@h/", "it has a character that must be percent-encoded: in its user name, \\ is "
                       "written %5C (byte 9)"},
    {"ws://u:ses\\ame@h/",
     "it has a character that must be percent-encoded: in its password (byte 11)"},
    {"ws://a@b@h/", "it has a character that must be percent-encoded: in its user name, @ is "
                    "written %40 (byte 7)"},
    {"ws://h/a b", "it has a character that must be percent-encoded: in its path, a space is "
                   "written %20 (byte 9)"},
    {"ws://h\xc3\xa9/",
     "its host has a character beyond ASCII: write the name in its xn-- form, as "
     "browsers do (b\xc3\xbc"
     "cher.example is xn--bcher-kva.example) (byte 7)"},
    {"127.0.0.1:8102",
     "it does not begin with ws:// or wss://: did you mean ws://127.0.0.1:8102? (byte 1)"},
    {"localhost/chat?token=x", "it does not begin with ws:// or wss://: did you mean "
                               "ws://localhost/chat?token=***? (byte 1)"},
    {"example.com:443",
     "it does not begin with ws:// or wss://: did you mean wss://example.com:443? (byte 1)"},
    {"//h/x", "it does not begin with ws:// or wss:// (byte 1)"},
    {"wss:h/x", "it does not begin with ws:// or wss://: did you mean wss://h/x? (byte 1)"},
    {"ws:/h/x", "it does not begin with ws:// or wss://: did you mean ws://h/x? (byte 1)"},
    {"file:///h", "it does not begin with ws:// or wss:// (byte 1)"},
    {"joe:sesame@h/", "it does not begin with ws:// or wss:// (byte 1)"},
    {"/chat", "it does not begin with ws:// or wss:// (byte 1)"},
    {"u@h/", "it does not begin with ws:// or wss:// (byte 1)"},
    {"ws://joe:x%40", "its port is not a number from 1 to 65535 (and an IPv6 address needs "
                      "brackets): a user name and password end with an @ itself, not with %40 "
                      "(byte 9)"},
    {"", "it does not begin with ws:// or wss:// (byte 1)"},
    {"ws://h/\xff", "it has a character that must be percent-encoded: in its path, this byte is "
                    "written %FF (byte 8)"},
    {"ws://h/?\x1b", "it has a character that must be percent-encoded: in its query, this byte is "
                     "written %1B (byte 9)"},
    {"ws://h/\xe2\x80\x8b", "it has a character that must be percent-encoded: in its path, this "
                            "invisible character is written "
                            "%E2%80%8B (byte 8)"},
    {"ws://h?a=\"",
     "it has a character that must be percent-encoded: in its query, \" is written %22 (byte 10)"},
    {"ws://h?token=a\"",
     "it has a character that must be percent-encoded: in the value of a parameter (byte 15)"},
    {"ws://h?token=\"a",
     "it has a character that must be percent-encoded: in the value of a parameter (byte 14)"},
    {"ws://h?token=a&b=\"",
     "it has a character that must be percent-encoded: in its query, \" is written %22 (byte 18)"},
    {"ws://joe:sesame%40h/",
     "its port is not a number from 1 to 65535 (and an IPv6 address needs brackets): a user name "
     "and password end with an @ itself, not with %40 (byte 9)"},
    {"ws://h:x/",
     "its port is not a number from 1 to 65535 (and an IPv6 address needs brackets) (byte 7)"},
};

static void test_why(void)
{
	size_t k;

	for (k = 0; k < sizeof whys / sizeof whys[0]; k++) {
		size_t len = strlen(whys[k].url);
		char *url = exact(whys[k].url, len), buf[300];
		struct wsi_url u;
		struct wsi_text t;
		const char *why = wsi_url_parse(&u, url, len);

		check_row("%s", whys[k].url);
		wsi_text_init(&t, buf, sizeof buf);
		wsi_put_url_why(&t, &u, url, len, why);
		CHECK_EQ_S(buf, whys[k].said);
		free(url);
	}
}

/* How a proxy's URL and a Location are shown */
static const struct {
	const char *in, *shown;
} proxies[] =
    {
        {"http://joe:sesame%40proxy:80", "http://joe:***"},
        {"http://joe:80/sesame%40proxy:80", "http://joe:80/***"},
        {"http://joe:80?sesame%40proxy:80", "http://joe:80?***"},
        {"http://joe:sesame@proxy:80/x", "http://proxy:80/***"},
        {"http://joe:80/sesame@proxy:80/", "http://proxy:80/"},
        {"joe:sesame%40proxy:80", "joe:***"},
        {"joe:80/sesame%40proxy:80", "joe:80/***"},
        {"joe:/sesame", "joe:***"},
        {"socks5h://joe:sesame%40proxy", "socks5h://joe:***"},
        {"DOM\\joe:sesame@pro xy", "pro xy"},
        {"nonsense://proxy:3128", "nonsense://proxy:3128"},
        {"http://proxy:99999", "http://proxy:99999"},
        {"http://", "http://"},
        {"", ""},
},
  locations[] = {
      {"/x?to=a@b", "/x?to=a@b"},
      {"?a@b", "?a@b"},
      {"#a@b", "#a@b"},
      {"/", "/"},
      {"/x?token=sesame", "/x?token=***"},
      {"x?token=sesame", "x?token=***"},
      {"x;session=sesame/y", "x;session=***/y"},
      {"//joe:sesame@h/", "//h/"},
      {"ws://joe:sesame@h/?key=sesame", "ws://h/?key=***"},
      {"ftp://joe:sesame%40h/", "ftp://joe:***"},
      {"", ""},
};

static void test_proxies_and_locations(void)
{
	const size_t n = sizeof proxies / sizeof proxies[0],
	             all = n + sizeof locations / sizeof locations[0];
	size_t k;

	for (k = 0; k < all; k++) {
		const char *in = k < n ? proxies[k].in : locations[k - n].in;
		size_t len = strlen(in);
		char *url = exact(in, len), buf[300];
		struct wsi_text t;

		check_row("\"%s\"", in);
		wsi_text_init(&t, buf, sizeof buf);
		(k < n ? wsi_put_proxy_url : wsi_put_location)(&t, url, len);
		CHECK_EQ_S(buf, k < n ? proxies[k].shown : locations[k - n].shown);
		CHECK(strstr(buf, "same") == NULL);
		free(url);
	}
}

static int host_ok(const char *host, size_t len)
{
	char url[400] = "ws://";
	struct wsi_url u;

	memcpy(url + 5, host, len);
	return wsi_url_parse(&u, url, 5 + len) == NULL && u.host.len == len;
}

/* Each byte in each place, compared with the sets of RFC 3986 */
static void test_characters(void)
{
	static const char unreserved[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	static const char sub_delims[] = "!$&'()*+,;=";
	static const struct {
		const char *before, *after, *more;
	} places[] = {{"ws://a", "b@h/", ":"},
	              {"ws://h/a", "b", ":@/?"},
	              {"ws://h/?a", "b", ":@/?"},
	              {"ws://h?a", "b", ":@/?"}};
	size_t k;
	int c;

	for (k = 0; k < sizeof places / sizeof places[0]; k++) {
		check_row("%s_%s", places[k].before, places[k].after);
		for (c = 0; c < 256; c++) {
			struct wsi_url u;
			char url[40];
			size_t at = strlen(places[k].before),
			       len = at + 1 + strlen(places[k].after);
			int want =
			    c != 0
			    && (strchr(unreserved, c) != NULL || strchr(sub_delims, c) != NULL
			        || strchr(places[k].more, c) != NULL);

			memcpy(url, places[k].before, at);
			url[at] = (char)c;
			strcpy(url + at + 1, places[k].after);
			if (k == 0 && (c == '/' || c == '?' || c == '#'))
				continue; /* ends the authority */
			if (!CHECK((wsi_url_parse(&u, url, len) == NULL) == want)
			    || (!want && !CHECK(u.at == url + at)))
				fprintf(stderr, "\tbyte %02x in place %lu\n", (unsigned)c,
				        (unsigned long)k);
		}
	}
	check_row_end();
	for (c = 0; c < 256; c++) { /* a host: no escapes, no delimiters */
		char h[3] = {'a', (char)c, 'b'};

		CHECK(host_ok(h, 3) == (c != 0 && strchr(unreserved, c) != NULL));
	}
}

static void test_lengths(void)
{
	static char url[WS_MAX_URL + 100];
	struct wsi_url u;
	const char *why;
	size_t n;

	memset(url, 'a', sizeof url);
	memcpy(url, "ws://h/", 7);
	CHECK(wsi_url_parse(&u, url, WS_MAX_URL) == NULL);
	why = wsi_url_parse(&u, url, WS_MAX_URL + 1);
	CHECK(why != NULL && u.at == url + WS_MAX_URL);
	CHECK(strstr(why, "8192") != NULL);
	memset(url, 'a', sizeof url);
	CHECK(host_ok(url, 63));
	CHECK(!host_ok(url, 64));
	for (n = 1; n < 6; n++)
		url[50 * n] = '.';
	CHECK(host_ok(url, 253));
	CHECK(!host_ok(url, 254));
	url[253] = '.';
	CHECK(host_ok(url, 254));
	url[253] = 'a';
	url[254] = '.';
	CHECK(!host_ok(url, 255));
}

/* RFC 3986 5.4 */
static const char rfc_base[] = "http://a/b/c/d;p?q";
static const struct {
	const char *base, *ref, *want;
} refs[] = {
    {rfc_base, "g:h", "g:h"},
    {rfc_base, "A:h", "A:h"},
    {rfc_base, "z:h", "z:h"},
    {rfc_base, "9:h", "http://a/b/c/9:h"},
    {rfc_base, "g", "http://a/b/c/g"},
    {rfc_base, "./g", "http://a/b/c/g"},
    {rfc_base, "g/", "http://a/b/c/g/"},
    {rfc_base, "/g", "http://a/g"},
    {rfc_base, "//g", "http://g"},
    {rfc_base, "?y", "http://a/b/c/d;p?y"},
    {rfc_base, "g?y", "http://a/b/c/g?y"},
    {rfc_base, "#s", "http://a/b/c/d;p?q#s"},
    {rfc_base, "g#s", "http://a/b/c/g#s"},
    {rfc_base, "g?y#s", "http://a/b/c/g?y#s"},
    {rfc_base, ";x", "http://a/b/c/;x"},
    {rfc_base, "g;x", "http://a/b/c/g;x"},
    {rfc_base, "g;x?y#s", "http://a/b/c/g;x?y#s"},
    {rfc_base, "", "http://a/b/c/d;p?q"},
    {rfc_base, ".", "http://a/b/c/"},
    {rfc_base, "./", "http://a/b/c/"},
    {rfc_base, "..", "http://a/b/"},
    {rfc_base, "../", "http://a/b/"},
    {rfc_base, "../g", "http://a/b/g"},
    {rfc_base, "../..", "http://a/"},
    {rfc_base, "../../", "http://a/"},
    {rfc_base, "../../g", "http://a/g"},
    /* 5.4.2 */
    {rfc_base, "../../../g", "http://a/g"},
    {rfc_base, "../../../../g", "http://a/g"},
    {rfc_base, "/./g", "http://a/g"},
    {rfc_base, "/../g", "http://a/g"},
    {rfc_base, "g.", "http://a/b/c/g."},
    {rfc_base, ".g", "http://a/b/c/.g"},
    {rfc_base, "g..", "http://a/b/c/g.."},
    {rfc_base, "..g", "http://a/b/c/..g"},
    {rfc_base, "./../g", "http://a/b/g"},
    {rfc_base, "./g/.", "http://a/b/c/g/"},
    {rfc_base, "g/./h", "http://a/b/c/g/h"},
    {rfc_base, "g/../h", "http://a/b/c/h"},
    {rfc_base, "g;x=1/./y", "http://a/b/c/g;x=1/y"},
    {rfc_base, "g;x=1/../y", "http://a/b/c/y"},
    {rfc_base, "g?y/./x", "http://a/b/c/g?y/./x"},
    {rfc_base, "g?y/../x", "http://a/b/c/g?y/../x"},
    {rfc_base, "g#s/./x", "http://a/b/c/g#s/./x"},
    {rfc_base, "g#s/../x", "http://a/b/c/g#s/../x"},
    {rfc_base, "http:g", "http:g"},
    /* others */
    {rfc_base, "//g/a/../b?c", "http://g/b?c"},
    {rfc_base, "//g?c", "http://g?c"},
    {rfc_base, "//", "http://"},
    {rfc_base, "/", "http://a/"},
    {rfc_base, "//u@g:81/", "http://u@g:81/"},
    {rfc_base, "wss://x/./y/../z?q#f", "wss://x/z?q#f"},
    {rfc_base, "WSS://x", "WSS://x"},
    {rfc_base, "?", "http://a/b/c/d;p?"},
    {rfc_base, "#", "http://a/b/c/d;p?q#"},
    {rfc_base, "g//h", "http://a/b/c/g//h"},
    {rfc_base, "/g//../h", "http://a/g/h"},
    {rfc_base, "1:2", "http://a/b/c/1:2"},
    {rfc_base, "./x:2", "http://a/b/c/x:2"},
    {rfc_base, "?a:b", "http://a/b/c/d;p?a:b"},
    {rfc_base, "%2e%2e/g", "http://a/b/c/%2e%2e/g"},
    {"ws://h", "g", "ws://h/g"},
    {"ws://h", "../g", "ws://h/g"},
    {"ws://h", "", "ws://h"},
    {"ws://h", "?q", "ws://h?q"},
    {"ws://h?q", "g", "ws://h/g"},
    {"ws://h?q", "", "ws://h?q"},
    {"ws://h?a/b", "c", "ws://h/c"},
    {"ws://h/x/../y", "?q", "ws://h/x/../y?q"},
    {"ws://h/x/../y/z", "w", "ws://h/y/w"},
    {"ws://h/a/b#f/g", "c", "ws://h/a/c"},
    {"ws://h/a/b#f", "", "ws://h/a/b"},
    {"a:b/c", "d", "a:b/d"},
    {"a:b", "d", "a:d"},
    {"a:b/c/d", "../../../e", "a:/e"},
    {"a:", "..", "a:"},
};

static size_t resolve(char *out, size_t cap, const char *base, size_t base_len, const char *ref,
                      size_t ref_len)
{
	struct wsi_text t;

	wsi_text_init(&t, out, cap);
	wsi_put_n(&t, base, base_len);
	return !t.cut && wsi_url_resolve(&t, ref, ref_len) ? t.len : 0;
}

static void test_resolve(void)
{
	size_t k, cap;

	for (k = 0; k < sizeof refs / sizeof refs[0]; k++) {
		size_t base_len = strlen(refs[k].base), ref_len = strlen(refs[k].ref),
		       want = strcspn(refs[k].want, "#"), n;
		char *base = exact(refs[k].base, base_len), *ref = exact(refs[k].ref, ref_len);

		check_row("%s to %s", refs[k].base, refs[k].ref);
		for (cap = 1; cap < 100; cap++) {
			char *out = malloc(cap);

			if (out == NULL)
				abort();
			n = resolve(out, cap, base, base_len, ref, ref_len);
			CHECK(n == want || (n == 0 && cap < base_len + ref_len + 2));
			CHECK(n == want || cap < 80);
			if (n > 0) {
				CHECK_EQ_MEM(out, n, refs[k].want, want);
				CHECK(out[n] == '\0');
			}
			free(out);
		}
		free(base);
		free(ref);
	}
	check_row_end();
	{
		char out[20];

		CHECK_EQ_U(resolve(out, sizeof out, "/a/b", 4, "c", 1), 0);
		CHECK_EQ_U(resolve(out, sizeof out, "", 0, "ws://h/", 7), 0);
		CHECK_EQ_U(resolve(out, 8, "ws://h/", 7, "a", 1), 0);
		CHECK_EQ_U(resolve(out, 9, "ws://h/", 7, "a", 1), 8);
	}
}

/* RFC 3986 5.2.4 as it is written there, rule by rule */
static void remove_dots(char *out, const char *path)
{
	char in[64];
	size_t n;

	snprintf(in, sizeof in, "%s", path);
	out[0] = '\0';
	while (in[0] != '\0') {
		if (strncmp(in, "../", 3) == 0) { /* A */
			memmove(in, in + 3, strlen(in + 3) + 1);
		} else if (strncmp(in, "./", 2) == 0) {
			memmove(in, in + 2, strlen(in + 2) + 1);
		} else if (strncmp(in, "/./", 3) == 0) { /* B */
			memmove(in, in + 2, strlen(in + 2) + 1);
		} else if (strcmp(in, "/.") == 0) {
			strcpy(in, "/");
		} else if (strncmp(in, "/../", 4) == 0 || strcmp(in, "/..") == 0) { /* C */
			if (in[3] == '/')
				memmove(in, in + 3, strlen(in + 3) + 1);
			else
				strcpy(in, "/");
			if (strrchr(out, '/') != NULL)
				*strrchr(out, '/') = '\0';
			else
				out[0] = '\0';
		} else if (strcmp(in, ".") == 0 || strcmp(in, "..") == 0) { /* D */
			in[0] = '\0';
		} else { /* E */
			n = 1 + strcspn(in + 1, "/");
			strncat(out, in, n);
			memmove(in, in + n, strlen(in + n) + 1);
		}
	}
}

static void test_dot_segments(void)
{
	unsigned long long wrong = 0, count = 0;
	char path[16], want[64], got[64], full[80];
	unsigned v, rest, n, i;

	for (n = 1; n <= 9; n++) {
		unsigned all = 1;

		for (i = 0; i < n; i++)
			all *= 3;
		for (v = 0; v < all; v++) {
			for (i = 0, rest = v; i < n; i++, rest /= 3)
				path[i] = "./a"[rest % 3];
			path[n] = '\0';
			count++;
			/* its own path, absolute and without an authority */
			snprintf(full, sizeof full, "x:%s", path);
			strcpy(want, "x:");
			remove_dots(want + 2, path);
			if (path[0] != '/' || path[1] != '/') {
				resolve(got, sizeof got, "y:", 2, full, strlen(full));
				wrong += strcmp(got, want) != 0;
			}
			/* merged with the path of a base */
			if (path[0] == '/')
				continue;
			snprintf(full, sizeof full, "/b/../c//%s", path);
			strcpy(want, "ws://h");
			remove_dots(want + 6, full);
			resolve(got, sizeof got, "ws://h/b/../c//d", 16, path, n);
			if (strcmp(got, want) != 0 && wrong++ < 5)
				fprintf(stderr, "\t%s: got %s, want %s\n", path, got, want);
		}
	}
	CHECK_EQ_U(wrong, 0);
	CHECK(count > 20000);
}

static bool is_ascii(int c)
{
	return c > 0 && c < 0x80;
}

static void test_small(void)
{
	static const struct {
		const char *in;
		int len;
		const char *out;
	} escapes[] = {{"", 0, ""},         {"abc", 3, "abc"},         {"%41%6a%6A", 3, "Ajj"},
	               {"%00", 1, "\0"},    {"a%0d%0Ab", 4, "a\r\nb"}, {"%25", 1, "%"},
	               {"%2541", 3, "%41"}, {"%fF", 1, "\xff"},        {"%", -1, ""},
	               {"%4", -1, ""},      {"a%4g", -1, ""},          {"%g4", -1, ""},
	               {"%%41", -1, ""}};
	static const struct {
		const char *host;
		int is;
	} names[] = {{"localhost", 1},
	             {"LocalHost", 1},
	             {"localhost.", 1},
	             {"a.localhost", 1},
	             {"a.b.LOCALHOST.", 1},
	             {"xlocalhost", 0},
	             {"localhost.a", 0},
	             {"localhos", 0},
	             {"localhost..", 0},
	             {"localdomain", 0},
	             {".", 0}};
	size_t k;
	char out[20];

	for (k = 0; k < sizeof escapes / sizeof escapes[0]; k++) {
		size_t len = strlen(escapes[k].in);
		char *in = exact(escapes[k].in, len);
		const char *at = in;
		int n = 0;

		check_row("%s", escapes[k].in);
		if (wsi_url_span_if(in, len, is_ascii) < len)
			n = -1;
		else
			while (at < in + len)
				out[n++] = (char)wsi_url_next(&at);
		CHECK(at <= in + len);
		if (CHECK(n == escapes[k].len) && n > 0)
			CHECK_EQ_MEM(out, (size_t)n, escapes[k].out, (size_t)n);
		free(in);
	}
	check_row_end();
	for (k = 0; k < sizeof names / sizeof names[0]; k++) {
		struct wsi_str s;

		check_row("%s", names[k].host);
		s.len = strlen(names[k].host);
		s.p = names[k].host;
		CHECK_EQ_U(wsi_is_localhost(s) > 0, names[k].is);
	}
	check_row_end();
	{
		struct wsi_str h = {"a.Example.com.", 14};

		CHECK(wsi_in_domain(h, "example.COM", 11) && wsi_in_domain(h, "com.", 4)
		      && wsi_in_domain(h, "a.example.com", 13));
		CHECK(!wsi_in_domain(h, "ample.com", 9) && !wsi_in_domain(h, "b.a.example.com", 15)
		      && !wsi_in_domain(h, "example", 7));
	}
	CHECK(wsi_find("abc", 3, 'b') == 1 && wsi_find("abc", 1, 'b') == 1
	      && wsi_find("", 0, 'b') == 0);
	for (k = 0; k < 256; k++) {
		int c = (int)k;

		CHECK_EQ_U(wsi_hex(c), c >= '0' && c <= '9'   ? c - '0'
		                       : c >= 'a' && c <= 'f' ? c - 'a' + 10
		                       : c >= 'A' && c <= 'F' ? c - 'A' + 10
		                                              : -1);
	}
	CHECK(wsi_number("65535", 5, 65535) == 65535 && wsi_number("65536", 5, 65535) == -1
	      && wsi_number("", 0, 9) == -1);
	CHECK(wsi_number("0", 1, 0) == 0 && wsi_number("1", 1, 0) == -1
	      && wsi_number("1a", 2, 99) == -1);
	CHECK(wsi_number("99999999999999999999999", 23, 65535) == -1
	      && wsi_number("-1", 2, 9) == -1);
}

int main(void)
{
	TEST(test_good);
	TEST(test_bad);
	TEST(test_why);
	TEST(test_proxies_and_locations);
	TEST(test_characters);
	TEST(test_lengths);
	TEST(test_resolve);
	TEST(test_dot_segments);
	TEST(test_small);
	return check_done();
}
