/* SPDX-License-Identifier: ISC
 * url.c - URLs: RFC 3986, with zones of RFC 6874, as RFC 6455 section 3 narrows them
 */
#include <string.h>
#include "ws.h"
#include "ws_bytes.h"

static const char url_schemes[4][6] = {"ws", "wss", "http", "https"}; /* odd: secure */

static int url_in(const char *set, int c)
{
	while (*set != '\0' && *set != c)
		set++;
	return *set != '\0';
}

static int url_is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static int url_is_alpha(int c)
{
	c = wsi_lower(c);
	return c >= 'a' && c <= 'z';
}

static struct wsi_str url_slice(const char *p, size_t from, size_t to)
{
	struct wsi_str s;

	s.p = p + from;
	s.len = to - from;
	return s;
}

WSI int wsi_hex(int c)
{
	if (url_is_digit(c))
		return c - '0';
	c = wsi_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

WSI int wsi_number(const char *p, size_t len, int max)
{
	size_t i;
	int v = 0;

	for (i = 0; i < len; i++) {
		if (!url_is_digit(p[i]))
			return -1;
		v = v * 10 + (p[i] - '0');
		if (v > max)
			return -1;
	}
	return len > 0 ? v : -1;
}

WSI int wsi_url_next(const char **p, const char *end)
{
	int hi, lo, c = (unsigned char)*(*p)++;

	if (c != '%')
		return c;
	if (end - *p < 2)
		return -1;
	hi = wsi_hex(*(*p)++);
	lo = wsi_hex(*(*p)++);
	return hi < 0 || lo < 0 ? -1 : hi * 16 + lo;
}

WSI ptrdiff_t wsi_url_unescape(char *out, const char *in, size_t len)
{
	const char *end = in + len;
	ptrdiff_t n = 0;

	while (in < end) {
		int c = wsi_url_next(&in, end);

		if (c < 0)
			return -1;
		out[n++] = (char)c;
	}
	return n;
}

WSI size_t wsi_url_span(const char *p, size_t len, const char *extra)
{
	size_t i = 0;

	while (i < len && (url_is_alpha(p[i]) || url_is_digit(p[i]) || url_in("-._~", p[i]) || url_in(extra, p[i]))) {
		if (p[i] == '%') {
			if (i + 3 > len || wsi_hex(p[i + 1]) < 0 || wsi_hex(p[i + 2]) < 0)
				break;
			i += 2;
		}
		i++;
	}
	return i;
}

/* What inet_aton takes for a number: "127", "0x7f" */
static int url_is_number(const char *p, size_t len)
{
	int hex = len >= 2 && wsi_same(p, 2, "0x");
	size_t i = hex ? 2 : 0;

	while (i < len && (hex ? wsi_hex(p[i]) >= 0 : url_is_digit(p[i])))
		i++;
	return i == len;
}

WSI const char *wsi_host_check(const char *p, size_t len, int *ip, size_t *where)
{
	unsigned char addr[16];
	size_t i, from = 0;
	int numeric = 1;

	*where = 0;
	*ip = wsi_ip_parse(addr, p, len) == 4 ? 4 : 0;
	if (*ip == 4)
		return NULL;
	if (len == 0)
		return "it has no host";
	for (i = 0; i <= len; i++) {
		*where = i;
		if (i < len && p[i] != '.') {
			if (p[i] == '~' || wsi_url_span(p + i, 1, "") == 0)
				return (unsigned char)p[i] < 0x80
				           ? "its host has a character that no name of a host has"
				           : "its host has a letter beyond ASCII: write the name in its xn-- form";
			continue;
		}
		/* RFC 1035 2.3.4; a final dot is the root's */
		if (i - from > 63 || (i == from && (i < len || i == 0)))
			return "its host has an empty part, or one over 63 characters";
		if (i > from && !url_is_number(p + from, i - from))
			numeric = 0;
		from = i + 1;
	}
	*where = 0;
	if (len > 253 && (len > 254 || p[253] != '.'))
		return "its host is over 253 characters";
	if (numeric) /* inet_aton would make 127.0.0.1 of 127.1, 0x7f000001, 2130706433 and 0177.0.0.1 */
		return "its host is no IPv4 address: that is four numbers from 0 to 255 without leading zeros";
	return NULL;
}

/* Userinfo, path and query hold what RFC 3986 3 lets them, or 1 and why */
static int url_is_bad(const char *url, struct wsi_str part, const char *extra, const char **why, size_t *where)
{
	size_t n = wsi_url_span(part.p, part.len, extra);

	if (n == part.len)
		return 0;
	*where = (size_t)(part.p - url) + n;
	*why = part.p[n] == '#' ? "it has a fragment, which no WebSocket URL has (RFC 6455 3): write a # as %23"
	       : part.p[n] == '%'
	           ? "it has a % without two hexadecimal digits: write the character itself as %25"
	           : "it has a character that must be percent-encoded there (a space is %20, a letter beyond ASCII its "
	             "UTF-8 bytes)";
	return 1;
}

WSI int wsi_url_rest(struct wsi_url *u, const char *url, size_t len, size_t at, const char **why, size_t *where)
{
	unsigned char addr[16];
	size_t end = at, host, i;

	*where = WS_MAX_URL;
	*why = "it is over 8192 bytes long";
	if (len > WS_MAX_URL)
		return -1;
	while (end < len && !url_in("/?#", url[end]))
		end++;
	host = end;
	while (host > at && url[host - 1] != '@')
		host--;
	u->has_user = host > at;
	u->userinfo = url_slice(url, at, host - (host > at));
	if (url_is_bad(url, u->userinfo, "!$&'()*+,;=:%", why, where))
		return -1;
	i = host;
	if (i < end && url[i] == '[') {
		size_t zone;

		*where = host;
		*why = "it has no IPv6 address between its brackets";
		while (i < end && url[i] != ']')
			i++;
		for (zone = host + 1; zone < i && url[zone] != '%'; zone++)
			;
		u->host = url_slice(url, host + 1, zone);
		u->ip = wsi_ip_parse(addr, u->host.p, u->host.len);
		if (i == end || u->ip != 16)
			return -1;
		if (zone < i) { /* RFC 6874 */
			*where = zone;
			*why = "its zone is not in the form [fe80::1%25eth0]";
			if (zone + 4 > i || memcmp(url + zone, "%25", 3) != 0)
				return -1;
			u->zone = url_slice(url, zone + 3, i);
			if (wsi_url_span(u->zone.p, u->zone.len, "") != u->zone.len)
				return -1;
		}
		i++;
	} else {
		while (i < end && url[i] != ':')
			i++;
		u->host = url_slice(url, host, i);
		*why = wsi_host_check(u->host.p, u->host.len, &u->ip, where);
		*where += host;
		if (*why != NULL)
			return -1;
	}
	if (i + 1 < end || (i < end && url[i] != ':')) {
		int port = url[i] == ':' ? wsi_number(url + i + 1, end - i - 1, 65535) : 0;

		*where = i;
		*why = "its port is no number from 1 to 65535 (and an IPv6 address has brackets)";
		if (port <= 0)
			return -1;
		u->port = (uint16_t)port;
	}
	u->path = url_slice(url, end, len);
	return url_is_bad(url, u->path, "!$&'()*+,;=:@/?%", why, where) ? -1 : 0;
}

WSI int wsi_url_parse(struct wsi_url *u, const char *url, size_t len, const char **why, size_t *where)
{
	size_t k, n;

	memset(u, 0, sizeof *u);
	for (k = 0; k < 4; k++) {
		n = wsi_strlen(url_schemes[k]);
		if (len >= n + 3 && wsi_same(url, n, url_schemes[k]) && memcmp(url + n, "://", 3) == 0) {
			u->secure = k % 2 == 1;
			u->port = u->secure ? 443 : 80;
			return wsi_url_rest(u, url, len, n + 3, why, where);
		}
	}
	*where = 0;
	*why = "it does not begin with ws:// or wss://";
	return -1;
}

/* The scheme's length, without its ':'; 0: there is none */
static size_t url_scheme_len(const char *p, size_t len)
{
	size_t i = 0;

	while (i < len && (url_is_alpha(p[i]) || (i > 0 && (url_is_digit(p[i]) || url_in("+-.", p[i])))))
		i++;
	return i < len && p[i] == ':' ? i : 0;
}

WSI void wsi_put_url(struct wsi_text *t, const char *url, size_t len)
{
	struct wsi_url u;
	const char *why;
	size_t where, from = url_scheme_len(url, len), to;

	from = from > 0 && from + 3 <= len && memcmp(url + from, "://", 3) == 0 ? from + 3 : 0;
	to = len;
	if (wsi_url_parse(&u, url, len, &why, &where) == 0)
		to = (size_t)(u.userinfo.p - url) + u.userinfo.len + (size_t)u.has_user;
	else /* where userinfo ends cannot be known: behind the last '@' there is none of it */
		while (to > from && url[to - 1] != '@')
			to--;
	wsi_put_safe(t, url, from);
	wsi_put_safe(t, url + to, len - to);
}

WSI void wsi_put_hostport(struct wsi_text *t, const struct wsi_url *u, int always_port)
{
	wsi_put(t, u->ip == 16 ? "[" : "");
	wsi_put_n(t, u->host.p, u->host.len);
	wsi_put(t, u->ip == 16 ? "]" : "");
	if (always_port || u->port != (u->secure ? 443 : 80)) {
		wsi_put_c(t, ':');
		wsi_put_u(t, u->port);
	}
}

/* RFC 3986 appendix B, each part with its delimiter so that together they are the whole again */
enum { URL_SCHEME, URL_AUTHORITY, URL_PATH, URL_QUERY, URL_FRAGMENT, URL_PARTS };

static void url_split(struct wsi_str part[URL_PARTS], const char *p, size_t len)
{
	size_t i = url_scheme_len(p, len), from = 0;

	i += i > 0;
	part[URL_SCHEME] = url_slice(p, 0, i);
	from = i;
	if (i + 2 <= len && p[i] == '/' && p[i + 1] == '/') {
		i += 2;
		while (i < len && !url_in("/?#", p[i]))
			i++;
	}
	part[URL_AUTHORITY] = url_slice(p, from, i);
	from = i;
	while (i < len && !url_in("?#", p[i]))
		i++;
	part[URL_PATH] = url_slice(p, from, i);
	from = i;
	while (i < len && p[i] != '#')
		i++;
	part[URL_QUERY] = url_slice(p, from, i);
	part[URL_FRAGMENT] = url_slice(p, i, len);
}

/* RFC 3986 5.2.4, segment by segment: appends path to what t has from start on. A path in two pieces is cut behind a
 * '/' */
static void url_put_path(struct wsi_text *t, size_t start, struct wsi_str path)
{
	const char *p = path.p;
	size_t i = 0;

	while (i < path.len) {
		size_t from = i, n;

		while (i < path.len && p[i] != '/')
			i++;
		n = i - from;
		i += i < path.len;
		if (n == 1 && p[from] == '.')
			continue;
		if (n != 2 || p[from] != '.' || p[from + 1] != '.') {
			wsi_put_n(t, p + from, i - from);
		} else if (t->len > start) {
			do
				t->len--;
			while (t->len > start && t->p[t->len - 1] != '/');
			if (t->len == start)
				wsi_put_c(t, '/');
		}
	}
}

WSI size_t wsi_url_resolve(char *out, size_t cap, const char *base, size_t base_len, const char *ref, size_t ref_len,
                           int drop_fragment)
{
	struct wsi_str b[URL_PARTS], r[URL_PARTS];
	struct wsi_text t;
	size_t k, start;

	url_split(b, base, base_len);
	url_split(r, ref, ref_len);
	if (b[URL_SCHEME].len == 0)
		return 0;
	/* RFC 3986 5.2.2: of the base is what comes before the first part that the reference has */
	for (k = 0; k < URL_FRAGMENT && r[k].len == 0; k++)
		r[k] = b[k];
	wsi_text_init(&t, out, cap);
	wsi_put_n(&t, r[URL_SCHEME].p, r[URL_SCHEME].len);
	wsi_put_n(&t, r[URL_AUTHORITY].p, r[URL_AUTHORITY].len);
	start = t.len;
	if (k > URL_PATH) { /* the base's own, as it is */
		wsi_put_n(&t, r[URL_PATH].p, r[URL_PATH].len);
	} else {
		if (k == URL_PATH && r[URL_PATH].p[0] != '/') { /* 5.2.3 */
			struct wsi_str dir = b[URL_PATH];

			while (dir.len > 0 && dir.p[dir.len - 1] != '/')
				dir.len--;
			if (b[URL_PATH].len == 0 && b[URL_AUTHORITY].len > 0)
				wsi_put_c(&t, '/');
			url_put_path(&t, start, dir);
		}
		url_put_path(&t, start, r[URL_PATH]);
	}
	wsi_put_n(&t, r[URL_QUERY].p, r[URL_QUERY].len);
	if (!drop_fragment)
		wsi_put_n(&t, r[URL_FRAGMENT].p, r[URL_FRAGMENT].len);
	if (t.cut)
		return 0;
	out[t.len] = '\0';
	return t.len;
}

WSI int wsi_is_localhost(struct wsi_str host)
{
	static const char name[] = ".localhost";
	size_t n = sizeof name - 1, len = host.len;

	if (len > 0 && host.p[len - 1] == '.')
		len--;
	return wsi_same(host.p, len, name + 1) || (len >= n && wsi_same(host.p + len - n, n, name));
}

WSI int wsi_is_loopback(const unsigned char *addr, int len)
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff}, one[16] = {[15] = 1};

	if (len == 16 && memcmp(addr, mapped, 12) == 0)
		return addr[12] == 127;
	return len == 4 ? addr[0] == 127 : len == 16 && memcmp(addr, one, 16) == 0;
}
