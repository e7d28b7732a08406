/* SPDX-License-Identifier: ISC
 * proxy.c - the way through a proxy as bytes in and bytes out: CONNECT (RFC 7231 4.3.6), SOCKS4 and 4a, SOCKS5 (RFC
 * 1928, RFC 1929); and which hosts do without one
 */
#include <string.h>
#include "ws.h"
#include "ws_proto.h"

#define PROXY_SHOWN 100 /* bytes of a wrong answer, in a sentence */

/* User and password as RFC 1929 sends them, each behind its length. 0: one is too long, or has a NUL */
static int proxy_login(struct wsi_proxy *p)
{
	const char *s = p->url.userinfo.p, *end = s + p->url.userinfo.len;
	unsigned char *o = p->login, *first = o + 1, *len = first;

	*o = 1;
	for (o += 2; s < end;) {
		int c;

		if (*s == ':' && len == first) {
			s++;
			len = o++;
			continue;
		}
		c = wsi_url_next(&s);
		if (c == '\0' || *len == 255) /* SOCKS4 ends it with NUL */
			return 0;
		*o++ = (unsigned char)c;
		++*len;
	}
	o += len == first; /* no password */
	p->login_len = (int)(o - p->login);
	return 1;
}

WSI const char *wsi_proxy_parse(struct wsi_proxy *p, const char *url, size_t len)
{
	const char *why;

	memset(p, 0, sizeof *p);
	why = wsi_url_parse(&p->url, url, len, WSI_HTTP);
	if (why != NULL)
		return why;
	p->kind = p->url.scheme;
	p->url.at = p->url.path.p;
	if (p->url.path.len > 1 || (p->url.path.len == 1 && p->url.path.p[0] != '/'))
		return "it has a path, which means nothing for a proxy";
	p->url.at = p->url.userinfo.p;
	if (p->url.userinfo.len > 1024) /* for WSI_PROXY_OUT_MAX */
		return "its user and password are over 1024 bytes long";
	if (p->kind != WSI_HTTP && !proxy_login(p))
		return "its user or password is over 255 bytes long, or has a NUL";
	return NULL;
}

/* The answer that is waited for. From HTTP on it is counted how many came before it */
enum { PROXY_START, PROXY_METHOD, PROXY_AUTH, PROXY_REPLY5, PROXY_REPLY4, PROXY_HTTP };

/* ---- what is sent ---- */

/* Three for each state: without and with a login, or to a name, to an IPv4, to an IPv6 address */
static const char proxy_sent[] =
    "\0\0\0"
    "\5\1%O\0"
    "\5\2%O\2\0\0"
    "\0%L\0\0"
    "\5\1%O\3%M%N%P\0"
    "\5\1%O\1%R%P\0"
    "\5\1%O\4%R%P\0"
    "\4\1%P%O%O%O\1%S%O%N%O\0" /* 4a: 0.0.0.x, then the name */
    "\4\1%P%R%S%O\0"
    "\4\1%P%O%O%O\1%S%O%N%O\0"
    "CONNECT %T HTTP/1.1\r\nHost: %T\r\nUser-Agent: wsquery/" WS_VERSION "\r\n\r\n\0"
    "CONNECT %T HTTP/1.1\r\nHost: %T\r\nProxy-Authorization: Basic %U\r\nUser-Agent: "
    "wsquery/" WS_VERSION "\r\n\r\n";

/* Sends what comes before the answer of that state. %O: NUL; of the target: %T host and port as text, %N name, %M its
 * length, %P port, %R address; of the user: %U for HTTP, %L for SOCKS5, %S for SOCKS4 */
static void proxy_put(const struct wsi_proxy *p, struct wsi_text *out)
{
	const struct wsi_url *to = p->target;
	const unsigned char numbers[] = {0, (unsigned char)(to->port >> 8),
	                                 (unsigned char)(to->port & 0xff),
	                                 (unsigned char)to->host.len};
	unsigned variant = p->url.userinfo.len > 0;
	const char *s;

	if (p->state == PROXY_REPLY5 || p->state == PROXY_REPLY4)
		variant = (unsigned)(p->addr_len + 4) / 8;
	for (s = wsi_nth(proxy_sent, (unsigned)p->state * 3 + variant); *s != '\0'; s++) {
		const void *part = numbers;
		size_t len = 1;

		if (*s != '%')
			part = s;
		else
			switch (*++s) {
			case 'T':
				wsi_put_hostport(out, to, 1);
				continue;
			case 'U':
				wsi_put_basic_userinfo(out, p->url.userinfo);
				continue;
			case 'L':
				part = p->login;
				len = (size_t)p->login_len;
				break;
			case 'M':
				part = numbers + 3;
				break;
			case 'N':
				part = to->host.p;
				len = to->host.len;
				break;
			case 'P':
				part = numbers + 1;
				len = 2;
				break;
			case 'R':
				part = p->addr;
				len = (size_t)p->addr_len;
				break;
			case 'S':
				part = p->login + 2;
				len = p->login[1];
			}
		wsi_put_n(out, part, len);
	}
}

/* ---- CONNECT ---- */

static void proxy_put_said(struct wsi_text *why, unsigned code)
{
	wsi_put(why, "said ");
	wsi_put_u(why, code);
}

static int proxy_http(struct wsi_proxy *p, char *in, size_t in_len, struct wsi_text *why)
{
	struct wsi_response *r = &p->answer;
	char wrong_buf[600];
	struct wsi_text wrong;
	int found;

	wsi_text_init(&wrong, wrong_buf, sizeof wrong_buf);
	found = wsi_response_read(r, in, in_len, &wrong);
	if (found == 0)
		return 0;
	if (found < 0 && r->status < 200) {
		wsi_put(why, "sent no answer to CONNECT: ");
		wsi_put(why, wrong.p);
		wsi_put(why, r->is_tls ? ", and of proxies behind TLS none is supported" : "");
		return -1;
	}
	p->used = r->len;
	if (found > 0 && r->status >= 200
	    && r->status < 300) /* a length means nothing here: RFC 7231 4.3.6 */
		return 1;
	if (r->status < 200 && r->status != 101 && p->state++ < PROXY_HTTP + WS_MAX_INTERIM) {
		memset(r, 0, sizeof *r);
		return 0;
	}
	proxy_put_said(why, (unsigned)r->status);
	wsi_put_proxy_refusal(why, r, p->url.userinfo.len > 0);
	if (found < 0) {
		wsi_put(why, "; its answer is not valid: ");
		wsi_put(why, wrong.p);
	}
	return -1;
}

/* ---- SOCKS ---- */

/* RFC 1928 6 */
static const char *const proxy_replies5[] = {"",
                                             "general failure",
                                             "connection not allowed by its ruleset",
                                             "network unreachable",
                                             "host unreachable",
                                             "connection refused",
                                             "TTL expired",
                                             "command not supported",
                                             "address type not supported"};
/* From 91 on, of SOCKS4 */
static const char *const proxy_replies4[] = {
    "request rejected or failed", "request rejected: it cannot reach an identd on this machine",
    "request rejected: the identd on this machine names another user"};

/* What the code means, in answer to what was sent in that state */
static const char *proxy_meaning(int state, unsigned code, int login)
{
	switch (state) {
	case PROXY_METHOD:
		if (code != 255)
			return "(a kind of login that was not offered)";
		return login ? "(it wants another kind of login than user and password)"
		             : "(it wants a login; user and password go in its URL)";
	case PROXY_AUTH:
		return "user or password is wrong";
	case PROXY_REPLY5:
		return code < sizeof proxy_replies5 / sizeof *proxy_replies5
		           ? proxy_replies5[code]
		           : "a code without a name";
	default:
		return code - 91 < sizeof proxy_replies4 / sizeof *proxy_replies4
		           ? proxy_replies4[code - 91]
		           : "a code without a name";
	}
}

static int proxy_refused(struct wsi_text *why, const struct wsi_proxy *p, int state, unsigned code)
{
	proxy_put_said(why, code);
	wsi_put_c(why, ' ');
	wsi_put(why, proxy_meaning(state, code, p->url.userinfo.len > 0));
	return -1;
}

/* Its first byte is not that of this version */
static int proxy_no_socks(struct wsi_text *why, const struct wsi_proxy *p, const char *in,
                          size_t in_len)
{
	const int five = p->kind == WSI_SOCKS5 || p->kind == WSI_SOCKS5H;

	wsi_put(why, five ? "sent no answer of SOCKS5: it begins with "
	                  : "sent no answer of SOCKS4: it begins with ");
	wsi_put_quoted(why, in, in_len, PROXY_SHOWN);
	if (*in == 'H')
		wsi_put(why, " (for an HTTP proxy its URL begins with http://)");
	return -1;
}

static int proxy_socks(struct wsi_proxy *p, const unsigned char *q, size_t n, struct wsi_text *out,
                       struct wsi_text *why)
{
	/* by state: version, code of a success, length, as far as it is known */
	static const unsigned char answers[][3] = {
	    {0}, {5, 0, 2}, {1, 0, 2}, {5, 0, 5}, {0, 90, 8}};
	/* by type of address, likewise */
	static const unsigned char lengths[] = {0, 10, 0, 7, 22};
	int state = p->state;
	const unsigned char *a = answers[state];
	size_t need = a[2];

	if (n > 0 && q[0] != a[0])
		return proxy_no_socks(why, p, (const char *)q, n);
	if (n < 2)
		return 0;
	p->state = PROXY_REPLY5;
	if (state == PROXY_METHOD && q[1] == 2 && p->url.userinfo.len > 0)
		p->state = PROXY_AUTH;
	else if (q[1] != a[1])
		return proxy_refused(why, p, state, q[1]);
	if (state == PROXY_REPLY5 && n >= 5) {
		need = q[3] < sizeof lengths ? lengths[q[3]] : 0;
		if (need == 0) {
			wsi_put(why, "sent an address of the unknown type ");
			wsi_put_u(why, q[3]);
			return -1;
		}
		if (q[3] == 3)
			need += q[4];
	}
	if (n < need) {
		p->state = state;
		return 0;
	}
	p->used = need;
	if (state >= PROXY_REPLY5)
		return 1;
	proxy_put(p, out);
	return 0;
}

WSI int wsi_proxy_step(struct wsi_proxy *p, unsigned char *in, size_t in_len, struct wsi_text *out,
                       struct wsi_text *why)
{
	static const unsigned char first[] = {[WSI_HTTP] = PROXY_HTTP,
	                                      [WSI_SOCKS4] = PROXY_REPLY4,
	                                      [WSI_SOCKS4A] = PROXY_REPLY4,
	                                      [WSI_SOCKS5] = PROXY_METHOD,
	                                      [WSI_SOCKS5H] = PROXY_METHOD};

	p->used = 0;
	if (p->state >= PROXY_HTTP)
		return proxy_http(p, (char *)in, in_len, why);
	if (p->state != PROXY_START)
		return proxy_socks(p, in, in_len, out, why);
	p->state = first[p->kind];
	if (p->addr_len == 0) { /* an address is never a name to be resolved */
		p->addr_len = p->target->ip;
		memcpy(p->addr, p->target->addr, sizeof p->addr);
	}
	if (p->kind == WSI_SOCKS4 && p->addr_len != 4) {
		wsi_put(why, "SOCKS4 has no IPv6 addresses");
		return -1;
	}
	proxy_put(p, out);
	return 0;
}

/* ---- hosts that do without ---- */

struct proxy_address {
	const unsigned char *p;
	int len; /* 4, 16; 0: it is none */
};

/* The host's, IPv4 where it is mapped (RFC 4291 2.5.5.2) */
static struct proxy_address proxy_address(const struct wsi_url *u)
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct proxy_address a;

	a.p = u->addr;
	a.len = u->ip;
	if (a.len == 16 && memcmp(a.p, mapped, sizeof mapped) == 0) {
		a.p += sizeof mapped;
		a.len = 4;
	}
	return a;
}

/* 1: the entry covers the URL's host; 0: not; -1: it is no entry. It is like a URL behind its "//", with ":port" and
 * "/bits", but that an IPv6 address needs no brackets and a name may begin with "." or "*." */
static int proxy_entry(const char *p, size_t len, const struct wsi_url *url)
{
	struct wsi_url e;
	struct proxy_address a, b;
	size_t slash = wsi_find(p, len, '/'), i;
	int bits;

	if (len == 1 && *p == '*')
		return 1;
	if (wsi_span(p, len, "**-:AZ[[]]__az~~") < len) /* no userinfo, zone, query, fragment */
		return -1;
	e.port = url != NULL ? url->port : 1; /* where it names none */
	e.ip = wsi_ip_parse(e.addr, p, slash);
	if (e.ip == 0) {
		i = *p == '*';
		i = p[i] == '.' ? i + 1 : 0;
		e.userinfo.p = p + i;
		e.userinfo.len = len - i;
		if (wsi_url_rest(&e) != NULL || p[len - 1] == ':')
			return -1;
	}
	b = proxy_address(&e);
	bits = b.len > 0 ? b.len * 8 : -1;
	if (slash < len) {
		bits = wsi_number(p + slash + 1, len - slash - 1, bits);
		if (bits < 0)
			return -1;
	}
	if (url == NULL || e.port != url->port)
		return 0;
	if (b.len == 0)
		return wsi_in_domain(url->host, e.host.p, e.host.len);
	a = proxy_address(url);
	if (a.len != b.len) /* ::/0 has no IPv4 */
		return 0;
	return wsi_ip_in(a.p, b.p, (unsigned)bits);
}

WSI int wsi_no_proxy(const char *list, const struct wsi_url *url, struct wsi_str *bad)
{
	int found = 0;

	while (list != NULL && *list != '\0') {
		int r = 0;

		bad->p = list;
		while ((unsigned char)*list > ' ' && *list != ',')
			list++;
		bad->len = (size_t)(list - bad->p);
		if (bad->len > 0)
			r = proxy_entry(bad->p, bad->len, url);
		if (r < 0)
			return -1;
		found |= r;
		list += *list != '\0';
	}
	return found;
}
