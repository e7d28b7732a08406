/* SPDX-License-Identifier: ISC
 * proxy.c - the way through a proxy as bytes in and bytes out: CONNECT (RFC 7231 4.3.6), SOCKS4 and 4a, SOCKS5 (RFC
 * 1928, RFC 1929); and which hosts do without one
 */
#include <string.h>
#include "ws.h"
#include "ws_bytes.h"

static const char proxy_schemes[5][8] = {"http", "socks4", "socks4a", "socks5", "socks5h"}; /* as the enum, from 1 */

WSI int wsi_proxy_parse(struct wsi_proxy_url *p, const char *url, size_t len, const char **why, size_t *where)
{
	size_t at = 0, n = 0;
	const char *s, *end;
	int colon = 0;

	memset(p, 0, sizeof *p);
	*where = 0;
	*why = "it does not begin with http://, socks4://, socks4a://, socks5:// or socks5h://";
	p->kind = WSI_HTTP; /* as curl does for "host:port" */
	while (at + 3 <= len && memcmp(url + at, "://", 3) != 0)
		at++;
	if (at + 3 <= len) {
		while (!wsi_same(url, at, proxy_schemes[p->kind - 1]))
			if (p->kind++ == WSI_SOCKS5H)
				return -1;
		at += 3;
	} else {
		at = 0;
	}
	p->url.port = p->kind == WSI_HTTP ? 80 : 1080;
	if (wsi_url_rest(&p->url, url, len, at, why, where) != 0)
		return -1;
	*where = at;
	s = p->url.userinfo.p;
	end = s + p->url.userinfo.len;
	while (s < end) {
		if (*s == ':' && !colon) {
			colon = 1;
			n = 0;
			s++;
			continue;
		}
		*why = "its user or password has a NUL (%00)"; /* ends the user in SOCKS4; RFC 7617 2 */
		if (wsi_url_next(&s, end) == 0)
			return -1;
		*why = "its user or password is over 255 bytes long"; /* RFC 1929 2 */
		if (++n > 255 && p->kind != WSI_HTTP)
			return -1;
	}
	*why = "its user and password are over 1024 bytes long"; /* for WSI_PROXY_OUT_MAX */
	if (p->url.userinfo.len > 1024)
		return -1;
	*where = (size_t)(p->url.path.p - url);
	*why = "it has a path, which means nothing for a proxy";
	return p->url.path.len > 1 || (p->url.path.len == 1 && p->url.path.p[0] != '/') ? -1 : 0;
}

WSI int wsi_proxy_resolves_here(enum wsi_proxy_kind kind)
{
	return kind == WSI_SOCKS4 || kind == WSI_SOCKS5;
}

WSI void wsi_proxy_init(struct wsi_proxy *p, const struct wsi_proxy_url *proxy, const struct wsi_url *target,
                        const unsigned char *addr, int addr_len)
{
	memset(p, 0, sizeof *p);
	p->kind = proxy->kind;
	p->userinfo = proxy->url.userinfo;
	p->target = target;
	if (addr_len > 0) {
		memcpy(p->addr, addr, (size_t)addr_len);
		p->addr_len = addr_len;
	} else if (target->ip > 0) { /* an address is never a name to be resolved */
		p->addr_len = wsi_ip_parse(p->addr, target->host.p, target->host.len);
	}
}

/* ---- CONNECT ---- */

static void proxy_put_connect(const struct wsi_proxy *p, struct wsi_text *out)
{
	wsi_put(out, "CONNECT ");
	wsi_put_hostport(out, p->target, 1);
	wsi_put(out, " HTTP/1.1\r\nHost: ");
	wsi_put_hostport(out, p->target, 1);
	if (p->userinfo.len > 0) {
		wsi_put(out, "\r\nProxy-Authorization: ");
		wsi_put_basic(out, p->userinfo.p, p->userinfo.len, 1);
	}
	wsi_put(out, "\r\nUser-Agent: wsquery/" WS_VERSION "\r\n\r\n");
}

static int proxy_http(struct wsi_proxy *p, const unsigned char *in, size_t in_len, size_t *used, struct wsi_text *why)
{
	struct wsi_response r;
	const char *what = NULL;
	ptrdiff_t n;

	do { /* state counts the answers */
		const char *head = (const char *)in + *used;

		n = wsi_head_end(&p->scan, head, in_len - *used, &what);
		if (n == 0)
			return 0;
		if (n < 0 || wsi_response_parse(&r, head, (size_t)n, &what) != 0) {
			wsi_put(why, "sent what is no answer to CONNECT: ");
			wsi_put(why, what);
			return -1;
		}
		*used += (size_t)n;
		memset(&p->scan, 0, sizeof p->scan);
	} while (r.status < 200 && r.status != 101 && p->state++ <= WS_MAX_INTERIM);
	if (r.status / 100 == 2) /* its length, if it gives one, means nothing: RFC 7231 4.3.6 */
		return 1;
	p->status = r.status;
	wsi_put(why, "said ");
	wsi_put_u(why, (unsigned)r.status);
	wsi_put(why, r.reason.len > 0 ? " " : "");
	wsi_put_safe(why, r.reason.p, r.reason.len < 80 ? r.reason.len : 80);
	if (r.status == 407)
		wsi_put(why, p->userinfo.len > 0 ? " (user or password is wrong)"
		                                 : " (it wants user and password in its URL)");
	return -1;
}

/* ---- SOCKS ---- */

/* states: the answer that is waited for */
enum { PROXY_START, PROXY_METHOD, PROXY_AUTH, PROXY_REPLY5, PROXY_REPLY4 };

/* User or password, decoded. first: up to the first ':' */
static void proxy_put_user(struct wsi_text *out, struct wsi_str userinfo, int first)
{
	const char *s = userinfo.p, *end = s + userinfo.len;

	while (s < end && *s != ':') {
		int c = wsi_url_next(&s, end);

		if (first)
			wsi_put_c(out, (char)c);
	}
	for (s += s < end; s < end && !first;)
		wsi_put_c(out, (char)wsi_url_next(&s, end));
}

static void proxy_put_port(struct wsi_text *out, const struct wsi_proxy *p)
{
	wsi_put_c(out, (char)(p->target->port >> 8));
	wsi_put_c(out, (char)(p->target->port & 0xff));
}

static void proxy_put_connect4(const struct wsi_proxy *p, struct wsi_text *out)
{
	wsi_put_n(out, "\4\1", 2);
	proxy_put_port(out, p);
	wsi_put_n(out, p->addr_len == 4 ? (const char *)p->addr : "\0\0\0\1", 4); /* 4a: 0.0.0.x, then the name */
	proxy_put_user(out, p->userinfo, 1);
	wsi_put_c(out, '\0');
	if (p->addr_len != 4) {
		wsi_put_n(out, p->target->host.p, p->target->host.len);
		wsi_put_c(out, '\0');
	}
}

static void proxy_put_auth(const struct wsi_proxy *p, struct wsi_text *out)
{
	int second;

	wsi_put_c(out, 1);
	for (second = 0; second < 2; second++) {
		size_t at = out->len;

		wsi_put_c(out, 0);
		proxy_put_user(out, p->userinfo, !second);
		if (!out->cut)
			out->p[at] = (char)(out->len - at - 1);
	}
}

static void proxy_put_connect5(const struct wsi_proxy *p, struct wsi_text *out)
{
	wsi_put_n(out, "\5\1", 3);
	if (p->addr_len > 0) {
		wsi_put_c(out, p->addr_len == 4 ? 1 : 4);
		wsi_put_n(out, p->addr, (size_t)p->addr_len);
	} else {
		wsi_put_c(out, 3);
		wsi_put_c(out, (char)p->target->host.len);
		wsi_put_n(out, p->target->host.p, p->target->host.len);
	}
	proxy_put_port(out, p);
}

static int proxy_refused(struct wsi_proxy *p, int reply, struct wsi_text *why)
{
	static const char words5[] =
	    "general failure\0not allowed by its ruleset\0network unreachable\0host unreachable\0"
	    "connection refused\0TTL expired\0command not supported\0"
	    "address type not supported\0";
	static const char words4[] = "rejected or failed\0it cannot reach identd here\0identd names another user\0";
	const char *w = p->state == PROXY_REPLY4 ? words4 : words5;
	int n = p->state == PROXY_REPLY4 ? reply - 91 : reply - 1;

	p->status = reply;
	while (n-- != 0 && *w != '\0')
		w += wsi_strlen(w) + 1;
	wsi_put(why, "refused the connection: ");
	wsi_put(why, *w != '\0' ? w : "a reason without a name");
	wsi_put(why, " (SOCKS reply ");
	wsi_put_u(why, (unsigned)reply);
	wsi_put_c(why, ')');
	return -1;
}

/* Takes one answer at q: its length; 0: it is not whole yet; -1: it is a refusal */
static int proxy_answer(struct wsi_proxy *p, const unsigned char *q, size_t n, struct wsi_text *why)
{
	static const unsigned char versions[] = {0, 5, 1, 5, 0}; /* of each state */
	const char *what = NULL;
	size_t need = 2;

	if (n > 0 && q[0] != versions[p->state]) {
		wsi_put(why, "speaks no SOCKS of that version: its answer begins with byte ");
		wsi_put_u(why, q[0]);
		return -1;
	}
	if (n < 2)
		return 0;
	if (p->state == PROXY_METHOD) {
		if (q[1] == 0xff)
			what = p->userinfo.len > 0 ? "takes neither user and password nor none"
			                           : "wants user and password in its URL";
		else if (q[1] != 0 && (q[1] != 2 || p->userinfo.len == 0))
			what = "chose a method that was not offered";
	} else if (p->state == PROXY_AUTH) {
		if (q[1] != 0) /* RFC 1929 2 */
			what = "said that user or password is wrong";
	} else if (p->state == PROXY_REPLY4) {
		if (q[1] != 90)
			return proxy_refused(p, q[1], why);
		need = 8;
	} else {
		if (q[1] != 0)
			return proxy_refused(p, q[1], why);
		if (n < 5)
			return 0;
		need = q[3] == 1 ? 10 : q[3] == 4 ? 22 : 7 + (size_t)q[4]; /* RFC 1928 6: its own address and port */
		if (q[3] != 1 && q[3] != 3 && q[3] != 4)
			what = "sent an answer with an unknown type of address";
	}
	if (what == NULL)
		return n < need ? 0 : (int)need;
	p->status = q[1];
	wsi_put(why, what);
	return -1;
}

static int proxy_socks(struct wsi_proxy *p, const unsigned char *in, size_t in_len, size_t *used, struct wsi_text *out,
                       struct wsi_text *why)
{
	if (p->state == PROXY_START && p->kind <= WSI_SOCKS4A) {
		if (p->kind == WSI_SOCKS4 && p->addr_len != 4) {
			wsi_put(why, "speaks SOCKS4, which has no IPv6 addresses");
			return -1;
		}
		proxy_put_connect4(p, out);
		p->state = PROXY_REPLY4;
	} else if (p->state == PROXY_START) {
		wsi_put_n(out, p->userinfo.len > 0 ? "\5\2\0\2" : "\5\1", p->userinfo.len > 0 ? 4 : 3);
		p->state = PROXY_METHOD;
	}
	for (;;) {
		const unsigned char *q = in + *used;
		int n = proxy_answer(p, q, in_len - *used, why);

		if (n <= 0)
			return n;
		*used += (size_t)n;
		if (p->state >= PROXY_REPLY5)
			return 1;
		if (p->state == PROXY_METHOD && q[1] == 2) {
			proxy_put_auth(p, out);
			p->state = PROXY_AUTH;
		} else {
			proxy_put_connect5(p, out);
			p->state = PROXY_REPLY5;
		}
	}
}

WSI int wsi_proxy_step(struct wsi_proxy *p, const unsigned char *in, size_t in_len, size_t *used, struct wsi_text *out,
                       struct wsi_text *why)
{
	*used = 0;
	if (p->kind != WSI_HTTP)
		return proxy_socks(p, in, in_len, used, out, why);
	if (p->state == 0) {
		proxy_put_connect(p, out);
		p->state = 1;
	}
	return proxy_http(p, in, in_len, used, why);
}

/* ---- hosts that do without ---- */

static const unsigned char proxy_mapped[12] = {[10] = 0xff, [11] = 0xff}; /* RFC 4291 2.5.5.2 */

/* An address in 16 bytes, IPv4 mapped. How many bits stand before its own: 96 or 0; -1: it is none */
static int proxy_address(unsigned char out[16], const char *s, size_t len)
{
	int n = wsi_ip_parse(out, s, len);

	if (n == 4) {
		memcpy(out + 12, out, 4);
		memcpy(out, proxy_mapped, 12);
		return 96;
	}
	return n == 16 ? 0 : -1;
}

static size_t proxy_find(const char *p, size_t len, char c)
{
	size_t i = 0;

	while (i < len && p[i] != c)
		i++;
	return i;
}

/* 1: the name is the domain or in it */
static int proxy_in_domain(struct wsi_str name, struct wsi_str domain)
{
	size_t n = name.len, d = domain.len;

	n -= n > 0 && name.p[n - 1] == '.';
	d -= d > 0 && domain.p[d - 1] == '.';
	if (n < d || (n > d && name.p[n - d - 1] != '.'))
		return 0;
	while (d > 0 && wsi_lower(name.p[n - 1]) == wsi_lower(domain.p[d - 1])) {
		n--;
		d--;
	}
	return d == 0;
}

/* 1: the entry covers the URL's host; 0: not; -1: it is no entry */
static int proxy_entry(const char *p, size_t len, const struct wsi_url *u)
{
	unsigned char a[16], b[16];
	struct wsi_str host;
	size_t rest = len, where, skip = 0;
	int before, ip, bits = 128, port = 0;

	if (len == 1 && p[0] == '*')
		return 1;
	if (p[0] == '[') {
		rest = proxy_find(p, len, ']');
	} else if (proxy_address(b, p, len) < 0) {
		rest = proxy_find(p, len, '/');
		if (rest == len)
			rest = proxy_find(p, len, ':');
	}
	host.p = p + (p[0] == '[');
	host.len = rest - (p[0] == '[');
	before = proxy_address(b, host.p, host.len);
	if (p[0] == '[' && (before != 0 || rest++ == len)) /* only IPv6 has brackets */
		return -1;
	if (rest < len && p[rest] == '/' && before >= 0) {
		bits = wsi_number(p + rest + 1, len - rest - 1, 128 - before);
		if (bits < 0)
			return -1;
		bits += before;
	} else if (rest < len) {
		port = p[rest] == ':' ? wsi_number(p + rest + 1, len - rest - 1, 65535) : 0;
		if (port <= 0)
			return -1;
	}
	if (before < 0) {
		if (host.len > 1 && memcmp(host.p, "*.", 2) == 0)
			skip++;
		if (host.len > skip && host.p[skip] == '.')
			skip++;
		host.p += skip;
		host.len -= skip;
		if (wsi_host_check(host.p, host.len, &ip, &where) != NULL)
			return -1;
	}
	if (u == NULL || (port != 0 && port != u->port))
		return 0;
	if (before < 0)
		return proxy_in_domain(u->host, host);
	return proxy_address(a, u->host.p, u->host.len) >= 0 && wsi_ip_in(a, b, 16, (unsigned)bits)
	       && (memcmp(a, proxy_mapped, 12) == 0) == (memcmp(b, proxy_mapped, 12) == 0); /* ::/0 has no IPv4 */
}

WSI int wsi_no_proxy(const char *list, const struct wsi_url *url, struct wsi_str *bad)
{
	int found = 0;

	while (list != NULL && *list != '\0') {
		const char *p = list;
		int r;

		while ((unsigned char)*list > ' ' && *list != ',')
			list++;
		r = list > p ? proxy_entry(p, (size_t)(list - p), url) : 0;
		if (r < 0) {
			bad->p = p;
			bad->len = (size_t)(list - p);
			return -1;
		}
		found |= r;
		if (*list != '\0')
			list++;
	}
	return found;
}
