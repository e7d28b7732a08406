/* SPDX-License-Identifier: ISC
 * url.c - URLs: RFC 3986, with zones of RFC 6874, as RFC 6455 section 3 narrows them
 */
#include <string.h>
#include "ws.h"
#include "ws_proto.h"

/* RFC 3986 as sets for wsi_span: unreserved (2.3); userinfo (3.2.1); path, or query (3.3, 3.4) with '/' and '?'; what
 * does not end an authority (3.2). A "%" in them is for wsi_url_span */
static const char url_name[] = "-.09AZ__az~~", url_user[] = "!!$.0;==AZ__az~~",
                  url_path[] = "!!$;==?Z__az~~", url_no_end[] = "^##//\?\?";

/* In the order of enum wsi_scheme */
static const char url_schemes[] = "https\0wss\0ws\0http\0socks4\0socks4a\0socks5\0socks5h\0";

static const char url_no_port[] =
    "its port is no number from 1 to 65535 (and an IPv6 address has brackets)";
static const char url_unescaped[] = "it has a character that must be percent-encoded";

WSI int wsi_url_next(const char **p)
{
	int c = (unsigned char)*(*p)++;

	if (c == '%') {
		c = wsi_digits(*p, 2, 255, 16);
		*p += 2;
	}
	return c;
}

WSI size_t wsi_url_span(const char *p, size_t len, const char *set)
{
	size_t i;

	len = wsi_span(p, len, set);
	for (i = 0; i < len; i++)
		if (p[i] == '%' && wsi_span(p + i + 1, len - i - 1, "09AFaf") < 2)
			break;
	return i;
}

WSI const char *wsi_name_check(struct wsi_url *u)
{
	const char *p = u->host.p;
	size_t len = u->host.len, i = wsi_span(p, len, url_name);
	unsigned base = 10, n = 0; /* of the label */
	int numeric = 1;

	if (i < len) {
		u->at += i;
		return "its host has a character that no name has (a name beyond ASCII is written "
		       "in its xn-- form)";
	}
	for (i = 0; i < len; i++) {
		n++;
		if (p[i] == '.' && n > 1) { /* a final one is the root's */
			n = 0;
			base = 10;
			continue;
		}
		if (p[i] == '.' || n > 63 || i >= 253) /* RFC 1035 2.3.4 */
			return "its host has an empty part, or one over 63 characters, or is over "
			       "253 long";
		if (n == 2 && p[i - 1] == '0' && (p[i] | 0x20) == 'x')
			base = 16;
		else if ((unsigned)wsi_hex(p[i]) >= base)
			numeric = 0;
	}
	if (len == 0)
		return "it has no host";
	/* inet_aton would make 127.0.0.1 of 127.1, 0x7f000001, 2130706433 and 0177.0.0.1 */
	return numeric ? "its host is no IPv4 address: that is four numbers from 0 to 255 without "
	                 "leading zeros"
	               : NULL;
}

/* RFC 3986 3: userinfo, path and query hold what they may, or what is wrong */
static const char *url_check(struct wsi_url *u, struct wsi_str part, const char *set)
{
	size_t n = wsi_url_span(part.p, part.len, set);

	u->at = part.p + n;
	if (n == part.len)
		return NULL;
	if (*u->at == '#')
		return "it has a fragment, which no WebSocket URL has (RFC 6455 3): a # itself is "
		       "written %23";
	if (*u->at == '%')
		return "it has a % without two hexadecimal digits: a % itself is written %25";
	return url_unescaped;
}

static struct wsi_str url_slice(const char *from, const char *to)
{
	struct wsi_str s;

	s.p = from;
	s.len = (size_t)(to - from);
	return s;
}

WSI const char *wsi_url_rest(struct wsi_url *u)
{
	const char *p = u->userinfo.p, *end = p + u->userinfo.len, *host, *path, *why;
	size_t n;
	int literal;

	path = p + wsi_span(p, u->userinfo.len, url_no_end);
	for (n = (size_t)(path - p); n > 0 && p[n - 1] != '@';)
		n--;
	host = p + n;
	u->userinfo.len = n - (n > 0);
	why = url_check(u, u->userinfo, url_user);
	if (why != NULL)
		return why;
	u->at = host;
	literal = host < path && *host == '[';
	host += literal;
	p = host + wsi_span(host, (size_t)(path - host), literal ? "^%%]]" : "^::");
	u->host = url_slice(host, p);
	u->ip = wsi_ip_parse(u->addr, host, u->host.len);
	u->zone.len = 0;
	if (literal) {
		if (p == path || u->ip != 16)
			return "it has no IPv6 address in its brackets";
		if (*p == '%') { /* RFC 6874 */
			u->at = p;
			if (p + 3 < path && p[1] == '2' && p[2] == '5')
				p += 3;
			u->zone = url_slice(p, p + wsi_span(p, (size_t)(path - p), url_name));
			p += u->zone.len;
			if (u->zone.len == 0 || p == path || *p != ']')
				return "its zone is not written as in [fe80::1%25eth0]";
		}
		p++;
	} else if (u->ip == 0) {
		why = wsi_name_check(u);
		if (why != NULL)
			return why;
	}
	u->at = p;
	if (p + 1 < path)
		u->port = wsi_number(p + 1, (size_t)(path - p - 1), 65535);
	if (u->port <= 0 || (p < path && *p != ':'))
		return url_no_port;
	u->path = url_slice(path, end);
	return url_check(u, u->path, url_path);
}

/* How long "scheme:" is, 0 if there is none, and where the path begins; what is between them is the authority with its
 * "//" */
struct url_parts {
	size_t scheme, path;
};

static struct url_parts url_split(const char *p, size_t len)
{
	struct url_parts r;
	size_t i = wsi_span(p, len, "++-.09AZaz");

	i = i < len && p[i] == ':' && p[0] >= 'A' ? i + 1 : 0; /* so it begins with a letter */
	r.scheme = i;
	if (i + 2 <= len && p[i] == '/' && p[i + 1] == '/')
		i += 2 + wsi_span(p + i + 2, len - i - 2, url_no_end);
	r.path = i;
	return r;
}

WSI const char *wsi_url_parse(struct wsi_url *u, const char *url, size_t len, int scheme)
{
	static const unsigned short ports[] = {443, 443, 80, 80, 1080, 1080, 1080, 1080};
	struct url_parts parts = url_split(url, len);
	const char *rest = url;

	u->at = url;
	u->scheme = scheme;
	if (parts.path
	    > parts.scheme) { /* a scheme of length -1, before the "//" alone, is none of them */
		u->scheme = wsi_among(url, parts.scheme - 1, url_schemes);
		rest += parts.scheme + 2;
	}
	u->userinfo = url_slice(rest, url + len);
	if (scheme < 0 && (unsigned)u->scheme > WSI_HTTP)
		return "it does not begin with ws:// or wss://";
	if (u->scheme < scheme)
		return "it does not begin with http://, socks4://, socks4a://, socks5:// or "
		       "socks5h://";
	if (len > WS_MAX_URL) {
		u->at += WS_MAX_URL;
		return "it is over 8192 bytes long";
	}
	u->secure = u->scheme < WSI_WS;
	u->port = u->standard_port = ports[u->scheme];
	return wsi_url_rest(u);
}

/* Of the authority of a URL that is wrong: how much may be shown. All of it, or what comes before something behind a ':'
 * that is no number, for that may be a password. The ':' of an IPv6 address are none of those. */
static size_t url_shown_authority(const char *p, size_t len)
{
	unsigned char addr[16];
	size_t i = 0, n;

	if (wsi_ip_parse(addr, p, len) == 16)
		return len;
	if (len > 0 && *p == '[') {
		i = 1 + wsi_span(p + 1, len - 1, "..09::AFaf");
		if (i < len && p[i] != ']' && p[i] != '%')
			i = 0;
	}
	for (; i < len; i += n) {
		i += wsi_find(p + i, len - i, ':');
		if (i == len)
			break;
		i++;
		n = wsi_span(p + i, len - i, "09");
		if (i + n < len && p[i + n] != ':')
			break;
	}
	return i;
}

/* Of a URL that is wrong it cannot be known where userinfo ends: what is shown begins behind the last '@' of all. p is
 * behind the scheme. */
static void url_put_wrong(struct wsi_text *t, const char *p, const char *end, int is_proxy)
{
	const char *path, *to;

	for (path = end; path > p && path[-1] != '@';)
		path--;
	p = path;
	path = p + wsi_span(p, (size_t)(end - p), url_no_end);
	to = p + url_shown_authority(p, (size_t)(path - p));
	/* nor is what a ':' is the last of: "joe:/secret" */
	if (to < path || (to > p && to[-1] == ':' && to < end)) {
		wsi_put_without_secrets(t, p, (size_t)(to - p));
		wsi_put(t, "***");
	} else if (is_proxy
	           && end - to > 1) { /* no proxy has a path: so it may be the rest of a password */
		wsi_put_without_secrets(t, p, (size_t)(to + 1 - p));
		wsi_put(t, "***");
	} else {
		wsi_put_without_secrets(t, p, (size_t)(end - p));
	}
}

WSI void wsi_put_url(struct wsi_text *t, const char *url, size_t len)
{
	struct wsi_url u;
	const char *end = url + len, *host;
	size_t blanks = wsi_span(url, len, "\t\t  "), scheme;

	wsi_put_safe(t, url, blanks); /* pasted with them it is wrong, but no less a URL */
	url += blanks;
	len -= blanks;
	if (wsi_url_parse(&u, url, len, -1) == NULL) {
		host = u.userinfo.p + u.userinfo.len;
		host += *host == '@';
		wsi_put_n(t, url, (size_t)(u.userinfo.p - url));
		wsi_put_n(t, host, (size_t)(u.path.p - host));
		wsi_put_without_secrets(t, u.path.p, u.path.len);
		return;
	}
	scheme = (size_t)(u.userinfo.p - url);
	if (scheme == 0) { /* "ws:/host" */
		scheme = wsi_find(url, len, ':');
		scheme = scheme < len && wsi_among(url, scheme, url_schemes) >= 0 ? scheme + 1 : 0;
	}
	scheme += wsi_span(url + scheme, len - scheme, "//"); /* "ws:///host" */
	wsi_put_safe(t, url, scheme);
	url_put_wrong(t, url + scheme, end, 0);
}

WSI void wsi_put_location(struct wsi_text *t, const char *ref, size_t len)
{
	if (len > 0 && (*ref == '?' || *ref == '#' || (*ref == '/' && (len == 1 || ref[1] != '/'))))
		wsi_put_without_secrets(
		    t, ref, len); /* it has no authority, so an '@' in it ends no userinfo */
	else
		wsi_put_url(t, ref, len);
}

WSI void wsi_put_proxy_url(struct wsi_text *t, const char *url, size_t len)
{
	struct wsi_url u;

	wsi_url_parse(&u, url, len, WSI_HTTP);
	wsi_put_safe(t, url, (size_t)(u.userinfo.p - url));
	url_put_wrong(t, u.userinfo.p, url + len, 1);
}

/* 1: that byte is part of a secret, which is not shown */
static int url_is_secret(const struct wsi_url *u, const char *at, const char *end)
{
	const char *p = u->userinfo.p;
	struct wsi_str secret;

	if (at < p + u->userinfo.len)
		return wsi_find(p, (size_t)(at - p), ':') < (size_t)(at - p);
	for (p = u->path.p; p < at; p = secret.p + secret.len) {
		secret = wsi_find_secret(p, (size_t)(end - p));
		if (at >= secret.p && at < secret.p + secret.len)
			return 1;
	}
	return 0;
}

/* "\ is written %5C" */
static void url_put_escape(struct wsi_text *t, const char *at, const char *end)
{
	uint32_t cp;
	int n = wsi_utf8_decode(&cp, at, (size_t)(end - at)), i;

	if (n <= 0) {
		n = 1;
		cp = 0;
	}
	if (cp == ' ')
		wsi_put(t, "a space");
	else if (wsi_is_unseen(cp))
		wsi_put(t, n == 1 ? "this byte" : "this invisible character");
	else
		wsi_put_safe(t, at, (size_t)n);
	wsi_put(t, " is written ");
	for (i = 0; i < n; i++) {
		wsi_put_c(t, '%');
		wsi_put_c(t, "0123456789ABCDEF"[(unsigned char)at[i] >> 4]);
		wsi_put_c(t, "0123456789ABCDEF"[at[i] & 15]);
	}
}

static int url_has_escaped_at(const char *p, const char *end)
{
	for (; end - p >= 3; p++)
		if (memcmp(p, "%40", 3) == 0)
			return 1;
	return 0;
}

WSI void wsi_put_url_fault(struct wsi_text *t, const struct wsi_url *u, const char *end,
                           const char *why)
{
	const char *at = u->at, *place = ": in its path, ";
	int secret;

	wsi_put(t, why);
	if (why == url_no_port && url_has_escaped_at(at, end))
		wsi_put(t, ", and behind a user name and password stands an @ itself, not %40");
	if (why != url_unescaped)
		return;
	secret = url_is_secret(u, at, end);
	if (at < u->userinfo.p + u->userinfo.len)
		place = secret ? ": in its password" : ": in its user name, ";
	else if (secret)
		place = ": in the value of a parameter";
	else if (wsi_find(u->path.p, (size_t)(at - u->path.p), '?') < (size_t)(at - u->path.p))
		place = ": in its query, ";
	wsi_put(t, place);
	if (!secret)
		url_put_escape(t, at, end);
}

WSI void wsi_put_url_why(struct wsi_text *t, const struct wsi_url *u, const char *url, size_t len,
                         const char *why)
{
	wsi_put_url_fault(t, u, url + len, why);
	wsi_put(t, " (byte ");
	wsi_put_u(t, (size_t)(u->at - url) + 1);
	wsi_put_c(t, ')');
}

WSI void wsi_put_hostport(struct wsi_text *t, const struct wsi_url *u, int always_port)
{
	if (u->ip == 16)
		wsi_put_c(t, '[');
	wsi_put_n(t, u->host.p, u->host.len);
	if (u->ip == 16)
		wsi_put_c(t, ']');
	if (always_port || u->port != u->standard_port) {
		wsi_put_c(t, ':');
		wsi_put_u(t, (unsigned)u->port);
	}
}

/* RFC 3986 5.2.4, in t from root on, up to end, where the path ends; each segment with the '/' behind it */
static void url_remove_dots(struct wsi_text *t, size_t root, size_t end)
{
	char *p = t->p;
	size_t i, segment = root, to = root;

	for (i = root; i < t->len;) {
		int c = p[i++];
		size_t n = to - segment;

		p[to++] = (char)c;
		if (i > end || (c != '/' && i < end))
			continue;
		n += c != '/';
		if (n == 0 || n > 2 || p[segment] != '.' || p[segment + n - 1] != '.') {
			segment = to;
			continue;
		}
		to = segment;
		if (n == 2 && to > root) {
			do
				to--;
			while (to > root && p[to - 1] != '/');
			if (to == root)
				p[to++] = '/';
		}
		segment = to;
	}
	t->len = to;
	p[to] = '\0';
}

WSI int wsi_url_resolve(struct wsi_text *t, const char *ref, size_t len)
{
	struct url_parts base = url_split(t->p, t->len), r;
	size_t path, root = base.path, scheme = base.scheme, ref_root;

	if (scheme == 0)
		return 0;
	/* RFC 3986 5.2.2: of the base is what comes before the first part that the reference has */
	len = wsi_find(ref, len, '#');
	path = wsi_find(ref, len, '?'); /* where it ends */
	r = url_split(ref, path);
	ref_root = r.path;
	t->len = wsi_span(t->p, t->len, len > 0 ? "^##\?\?" : "^##");
	if (path == 0) {
		root = t->len;
	} else {
		if (ref_root > 0)
			root = r.scheme > 0 ? 0 : scheme;
		if (ref_root > 0 || ref[0] == '/')
			t->len = root;
		else if (t->len == root && root > scheme) /* 5.2.3 */
			wsi_put_c(t, '/');
		while (t->len > root && t->p[t->len - 1] != '/')
			t->len--;
	}
	wsi_put_n(t, ref, len);
	if (t->cut)
		return 0;
	url_remove_dots(t, root + ref_root, t->len - (len - path));
	return 1;
}

WSI int wsi_in_domain(struct wsi_str host, const char *domain, size_t len)
{
	struct wsi_str tail;

	host.len -= host.p[host.len - 1] == '.';
	len -= domain[len - 1] == '.';
	if (host.len < len)
		return 0;
	host.len -= len;
	if (host.len > 0 && host.p[host.len - 1] != '.')
		return 0;
	tail = url_slice(host.p + host.len, host.p + host.len + len);
	return wsi_same_str(tail, url_slice(domain, domain + len)) << (host.len > 0);
}
