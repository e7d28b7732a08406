/* SPDX-License-Identifier: ISC
 * proxy.c - the dialogue with a proxy as bytes in and bytes out: CONNECT (RFC 7231 4.3.6), SOCKS4
 * and SOCKS4a, SOCKS5 (RFC 1928) with user and password (RFC 1929)
 *
 * A dialogue goes through these states:
 *
 *	http://                START -> HTTP -> tunnel         (HTTP again after each 1xx response)
 *	socks4://, socks4a://  START -> REPLY4 -> tunnel
 *	socks5://, socks5h://  START -> METHOD -> [AUTH] -> REPLY5 -> tunnel
 *
 * Each function that reads returns what wsi_proxy_step returns: 1 for the tunnel, 0, or -1 with a
 * sentence in why.
 */
#include <string.h>
#include "ws.h"
#include "ws_proto.h"

#define PROXY_SHOWN 100         /* bytes of a wrong response, in a sentence */
#define PROXY_WRONG_MAX 600     /* bytes of a sentence about a wrong head */
#define PROXY_USERINFO_MAX 1024 /* so that WSI_PROXY_OUT_MAX holds a CONNECT */
#define PROXY_AGENT_MAX 256     /* likewise */
#define PROXY_LOGIN_MAX 255     /* RFC 1929 2: a length is one byte */

enum { PROXY_START, PROXY_METHOD, PROXY_AUTH, PROXY_REPLY5, PROXY_REPLY4, PROXY_HTTP };

enum { SOCKS_CONNECT = 1 };
enum { SOCKS4_VERSION = 4, SOCKS4_REPLY_VERSION = 0, SOCKS4_REPLY_LEN = 8, SOCKS4_GRANTED = 90 };
enum { SOCKS5_VERSION = 5, SOCKS5_SUCCEEDED = 0 };
enum { SOCKS5_NO_LOGIN = 0, SOCKS5_PASSWORD = 2, SOCKS5_NO_METHOD = 255 }; /* methods */
enum { SOCKS5_IPV4 = 1, SOCKS5_NAME = 3, SOCKS5_IPV6 = 4 };                /* types of address */
enum { SOCKS5_AUTH_VERSION = 1, SOCKS5_AUTH_SUCCEEDED = 0, SOCKS5_PAIR_LEN = 2 }; /* RFC 1929 */

static bool proxy_has_login(const struct wsi_proxy *p)
{
	return p->url.userinfo.len > 0;
}

/* The URL */

/* Decodes a part of the userinfo. Returns its length; -1: it is too long, or has a NUL, which ends
 * it in SOCKS4. */
static int proxy_decode(unsigned char *out, struct wsi_str part)
{
	const char *p = part.p, *end = part.p + part.len;
	int n = 0;

	while (p < end) {
		int c = wsi_url_next(&p);

		if (c == '\0' || n == PROXY_LOGIN_MAX)
			return -1;
		out[n++] = (unsigned char)c;
	}
	return n;
}

/* Makes the message of RFC 1929 2 in p->login: version, length, user, length, password. False: a
 * part is too long. */
static bool proxy_make_login(struct wsi_proxy *p)
{
	const struct wsi_str userinfo = p->url.userinfo;
	struct wsi_str user = userinfo, password = {"", 0};
	unsigned char *at;
	int n;

	user.len = wsi_find(userinfo.p, userinfo.len, ':');
	if (user.len < userinfo.len) {
		password.p = userinfo.p + user.len + 1;
		password.len = userinfo.len - user.len - 1;
	}
	p->login[0] = SOCKS5_AUTH_VERSION;
	n = proxy_decode(p->login + 2, user);
	if (n < 0)
		return false;
	p->login[1] = (unsigned char)n;
	at = p->login + 2 + n;
	n = proxy_decode(at + 1, password);
	if (n < 0)
		return false;
	at[0] = (unsigned char)n;
	p->login_len = (size_t)(at + 1 + n - p->login);
	return true;
}

const char *wsi_proxy_parse(struct wsi_proxy *p, const char *url, size_t len)
{
	const char *why;

	memset(p, 0, sizeof *p);
	why = wsi_url_parse_proxy(&p->url, url, len);
	if (why)
		return why;
	p->kind = p->url.scheme;
	p->url.at = p->url.path.p;
	if (p->url.path.len > 1 || (p->url.path.len == 1 && p->url.path.p[0] != '/'))
		return "it has a path, which means nothing for a proxy";
	p->url.at = p->url.userinfo.p;
	if (p->url.userinfo.len > PROXY_USERINFO_MAX)
		return "its user and password are over 1024 bytes long";
	if (p->kind != WSI_HTTP && !proxy_make_login(p))
		return "its user or password is over 255 bytes long, or has a NUL";
	return NULL;
}

bool wsi_proxy_resolves_here(enum wsi_scheme kind)
{
	switch (kind) {
	case WSI_SOCKS4:
	case WSI_SOCKS5:
		return true;
	default: /* HTTP, SOCKS4a, SOCKS5h: the proxy resolves the name */
		return false;
	}
}

static int proxy_said(struct wsi_text *why, unsigned code, const char *meaning)
{
	wsi_put(why, "said ");
	wsi_put_u(why, code);
	wsi_put(why, meaning);
	return -1;
}

/* CONNECT */

static void proxy_put_connect(const struct wsi_proxy *p, struct wsi_text *out)
{
	const char *agent = p->user_agent;

	wsi_put(out, "CONNECT ");
	wsi_put_hostport(out, p->target, 1);
	wsi_put(out, " HTTP/1.1\r\nHost: ");
	wsi_put_hostport(out, p->target, 1);
	if (proxy_has_login(p)) {
		wsi_put(out, "\r\nProxy-Authorization: Basic ");
		wsi_put_basic_userinfo(out, p->url.userinfo);
	}
	if (!agent || strlen(agent) > PROXY_AGENT_MAX)
		agent = WSI_USER_AGENT;
	if (*agent) {
		wsi_put(out, "\r\nUser-Agent: ");
		wsi_put(out, agent);
	}
	wsi_put(out, "\r\n\r\n");
}

/* The head is wrong before its status is known, or within a 1xx response. */
static int proxy_not_http(const struct wsi_response *r, const char *wrong, struct wsi_text *why)
{
	wsi_put(why, "sent an invalid response to CONNECT: ");
	wsi_put(why, wrong);
	if (r->is_tls)
		wsi_put(why, ", and proxies behind TLS are not supported");
	return -1;
}

/* Another final status than 2xx. wrong: what is wrong with the rest of its head, or NULL. */
static int proxy_refused_connect(const struct wsi_proxy *p, const char *wrong, struct wsi_text *why)
{
	proxy_said(why, (unsigned)p->response.status, "");
	wsi_put_proxy_refusal(why, &p->response, proxy_has_login(p));
	if (wrong) {
		wsi_put(why, "; its response is not valid: ");
		wsi_put(why, wrong);
	}
	return -1;
}

static int proxy_read_http(struct wsi_proxy *p, char *in, size_t in_len, struct wsi_text *why)
{
	struct wsi_response *r = &p->response;
	char wrong_buf[PROXY_WRONG_MAX];
	struct wsi_text wrong;
	int found;

	wsi_text_init(&wrong, wrong_buf, sizeof wrong_buf);
	found = wsi_response_read(r, in, in_len, &wrong);
	if (found == 0)
		return 0;
	if (found < 0 && r->status < 200)
		return proxy_not_http(r, wrong.p, why);
	p->used = r->len;
	if (found < 0)
		return proxy_refused_connect(p, wrong.p, why);
	/* RFC 7231 4.3.6: the tunnel begins after the head, whatever length the headers give */
	if (r->status >= 200 && r->status < 300)
		return 1;
	if (r->status < 200 && r->status != 101 && p->interim < WS_MAX_INTERIM) {
		p->interim++;
		memset(r, 0, sizeof *r);
		return 0;
	}
	return proxy_refused_connect(p, NULL, why);
}

/* SOCKS: what is sent */

static void proxy_put_byte(struct wsi_text *out, unsigned byte)
{
	wsi_put_c(out, (char)byte);
}

static void proxy_put_port(const struct wsi_proxy *p, struct wsi_text *out)
{
	proxy_put_byte(out, (unsigned)p->target->port >> 8);
	proxy_put_byte(out, (unsigned)p->target->port & 0xff);
}

/* Without an IPv4 address the name goes after the message, as in SOCKS4a: the address is then
 * 0.0.0.1. */
static void proxy_put_socks4(const struct wsi_proxy *p, struct wsi_text *out)
{
	static const unsigned char no_address[4] = {0, 0, 0, 1};
	const bool by_name = p->addr_len != 4;
	const struct wsi_str host = p->target->host;

	proxy_put_byte(out, SOCKS4_VERSION);
	proxy_put_byte(out, SOCKS_CONNECT);
	proxy_put_port(p, out);
	if (by_name)
		wsi_put_n(out, no_address, sizeof no_address);
	else
		wsi_put_n(out, p->addr, 4);
	wsi_put_n(out, p->login + 2, p->login[1]); /* the user */
	proxy_put_byte(out, '\0');
	if (by_name) {
		wsi_put_n(out, host.p, host.len);
		proxy_put_byte(out, '\0');
	}
}

/* Offers the methods: RFC 1928 3. */
static void proxy_put_methods(const struct wsi_proxy *p, struct wsi_text *out)
{
	const unsigned count = proxy_has_login(p) ? 2 : 1;

	proxy_put_byte(out, SOCKS5_VERSION);
	proxy_put_byte(out, count);
	proxy_put_byte(out, SOCKS5_NO_LOGIN);
	if (count == 2)
		proxy_put_byte(out, SOCKS5_PASSWORD);
}

/* RFC 1928 4 */
static void proxy_put_socks5(const struct wsi_proxy *p, struct wsi_text *out)
{
	const struct wsi_str host = p->target->host;

	proxy_put_byte(out, SOCKS5_VERSION);
	proxy_put_byte(out, SOCKS_CONNECT);
	proxy_put_byte(out, 0); /* reserved */
	switch (p->addr_len) {
	case 4:
		proxy_put_byte(out, SOCKS5_IPV4);
		wsi_put_n(out, p->addr, 4);
		break;
	case 16:
		proxy_put_byte(out, SOCKS5_IPV6);
		wsi_put_n(out, p->addr, 16);
		break;
	default:
		proxy_put_byte(out, SOCKS5_NAME);
		proxy_put_byte(out, (unsigned)host.len);
		wsi_put_n(out, host.p, host.len);
		break;
	}
	proxy_put_port(p, out);
}

static void proxy_request_tunnel5(struct wsi_proxy *p, struct wsi_text *out)
{
	p->state = PROXY_REPLY5;
	proxy_put_socks5(p, out);
}

/* SOCKS: what is read. in holds at least one byte, and its first one says the version. */

static int proxy_not_socks(struct wsi_text *why, const char *version, const unsigned char *in,
                           size_t in_len)
{
	wsi_put(why, "did not answer in ");
	wsi_put(why, version);
	wsi_put(why, ": its response begins with ");
	wsi_put_quoted(why, (const char *)in, in_len, PROXY_SHOWN);
	if (in[0] == 'H')
		wsi_put(why, " (for an HTTP proxy its URL begins with http://)");
	return -1;
}

/* The proxy accepted none of our methods, or one that we did not offer. */
static int proxy_refused_method(const struct wsi_proxy *p, unsigned method, struct wsi_text *why)
{
	if (method != SOCKS5_NO_METHOD)
		return proxy_said(why, method, " (a kind of login that was not offered)");
	if (proxy_has_login(p))
		return proxy_said(why, method,
		                  " (it wants another kind of login than user and password)");
	return proxy_said(why, method, " (it wants a login; user and password go in its URL)");
}

static int proxy_read_method(struct wsi_proxy *p, const unsigned char *in, size_t in_len,
                             struct wsi_text *out, struct wsi_text *why)
{
	if (in[0] != SOCKS5_VERSION)
		return proxy_not_socks(why, "SOCKS5", in, in_len);
	if (in_len < SOCKS5_PAIR_LEN)
		return 0;
	p->used = SOCKS5_PAIR_LEN;
	if (in[1] == SOCKS5_PASSWORD && proxy_has_login(p)) {
		p->state = PROXY_AUTH;
		wsi_put_n(out, p->login, p->login_len);
		return 0;
	}
	if (in[1] != SOCKS5_NO_LOGIN)
		return proxy_refused_method(p, in[1], why);
	proxy_request_tunnel5(p, out);
	return 0;
}

static int proxy_read_auth(struct wsi_proxy *p, const unsigned char *in, size_t in_len,
                           struct wsi_text *out, struct wsi_text *why)
{
	if (in[0] != SOCKS5_AUTH_VERSION)
		return proxy_not_socks(why, "SOCKS5", in, in_len);
	if (in_len < SOCKS5_PAIR_LEN)
		return 0;
	p->used = SOCKS5_PAIR_LEN;
	if (in[1] != SOCKS5_AUTH_SUCCEEDED)
		return proxy_said(why, in[1], " user or password is wrong");
	proxy_request_tunnel5(p, out);
	return 0;
}

/* RFC 1928 6 */
static const char *proxy_meaning5(unsigned code)
{
	switch (code) {
	case 1:
		return " general failure";
	case 2:
		return " connection not allowed by its ruleset";
	case 3:
		return " network unreachable";
	case 4:
		return " host unreachable";
	case 5:
		return " connection refused";
	case 6:
		return " TTL expired";
	case 7:
		return " command not supported";
	case 8:
		return " address type not supported";
	default:
		return " (unknown code)";
	}
}

/* The length of a SOCKS5 reply, of which 5 bytes have arrived. 0: the type of its address is
 * unknown. */
static size_t proxy_reply5_len(const unsigned char *in)
{
	const size_t around = 4 + 2; /* version, code, reserved, type; port */

	switch (in[3]) {
	case SOCKS5_IPV4:
		return around + 4;
	case SOCKS5_IPV6:
		return around + 16;
	case SOCKS5_NAME:
		return around + 1 + in[4];
	default:
		return 0;
	}
}

static int proxy_read_reply5(struct wsi_proxy *p, const unsigned char *in, size_t in_len,
                             struct wsi_text *why)
{
	size_t len;

	if (in[0] != SOCKS5_VERSION)
		return proxy_not_socks(why, "SOCKS5", in, in_len);
	if (in_len < 2)
		return 0;
	if (in[1] != SOCKS5_SUCCEEDED)
		return proxy_said(why, in[1], proxy_meaning5(in[1]));
	if (in_len < 5)
		return 0;
	len = proxy_reply5_len(in);
	if (len == 0) {
		wsi_put(why, "sent an address of the unknown type ");
		wsi_put_u(why, in[3]);
		return -1;
	}
	if (in_len < len)
		return 0;
	p->used = len;
	return 1;
}

static const char *proxy_meaning4(unsigned code)
{
	switch (code) {
	case 91:
		return " request rejected or failed";
	case 92:
		return " request rejected: it cannot reach an identd on this machine";
	case 93:
		return " request rejected: the identd on this machine names another user";
	default:
		return " (unknown code)";
	}
}

static int proxy_read_reply4(struct wsi_proxy *p, const unsigned char *in, size_t in_len,
                             struct wsi_text *why)
{
	if (in[0] != SOCKS4_REPLY_VERSION)
		return proxy_not_socks(why, "SOCKS4", in, in_len);
	if (in_len < 2)
		return 0;
	if (in[1] != SOCKS4_GRANTED)
		return proxy_said(why, in[1], proxy_meaning4(in[1]));
	if (in_len < SOCKS4_REPLY_LEN)
		return 0;
	p->used = SOCKS4_REPLY_LEN;
	return 1;
}

/* The steps */

static int proxy_start(struct wsi_proxy *p, struct wsi_text *out, struct wsi_text *why)
{
	if (p->addr_len == 0) { /* a numeric target needs no resolver */
		p->addr_len = p->target->ip;
		memcpy(p->addr, p->target->addr, sizeof p->addr);
	}
	switch (p->kind) {
	case WSI_SOCKS5:
	case WSI_SOCKS5H:
		p->state = PROXY_METHOD;
		proxy_put_methods(p, out);
		return 0;
	case WSI_SOCKS4:
		if (p->addr_len != 4) {
			wsi_put(why, "SOCKS4 has no IPv6 addresses");
			return -1;
		}
		/* fall through */
	case WSI_SOCKS4A:
		p->state = PROXY_REPLY4;
		proxy_put_socks4(p, out);
		return 0;
	default:
		p->state = PROXY_HTTP;
		proxy_put_connect(p, out);
		return 0;
	}
}

int wsi_proxy_step(struct wsi_proxy *p, unsigned char *in, size_t in_len, struct wsi_text *out,
                   struct wsi_text *why)
{
	p->used = 0;
	if (p->state == PROXY_START)
		return proxy_start(p, out, why);
	if (in_len == 0)
		return 0;
	switch (p->state) {
	case PROXY_METHOD:
		return proxy_read_method(p, in, in_len, out, why);
	case PROXY_AUTH:
		return proxy_read_auth(p, in, in_len, out, why);
	case PROXY_REPLY5:
		return proxy_read_reply5(p, in, in_len, why);
	case PROXY_REPLY4:
		return proxy_read_reply4(p, in, in_len, why);
	default:
		return proxy_read_http(p, (char *)in, in_len, why);
	}
}

const char *wsi_proxy_doubt(const struct wsi_proxy *p)
{
	switch (p->state) {
	case PROXY_METHOD:
		return "; does this port speak SOCKS5?";
	case PROXY_REPLY5:
		return "; does the proxy reach the server?";
	case PROXY_REPLY4:
		return "; does this port speak SOCKS4, and does the proxy reach the server?";
	case PROXY_HTTP:
		if (p->interim > 0)
			return "; does the proxy reach the server?";
		return "; does this port speak HTTP without TLS, and does the proxy reach the "
		       "server?";
	default: /* it has answered before */
		return "";
	}
}
