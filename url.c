/* SPDX-License-Identifier: ISC
 * url.c - URLs: RFC 3986, with zones of RFC 6874, as RFC 6455 section 3 narrows them
 */
#include <string.h>
#include "ws.h"
#include "ws_bytes.h"

WSI int wsi_same_str(struct wsi_str a, struct wsi_str b)
{
	size_t i;

	for (i = 0; i < a.len && i < b.len && wsi_lower(a.p[i]) == wsi_lower(b.p[i]); i++)
		;
	return i == a.len && i == b.len;
}

static int url_in(const char *set, int c)
{
	while (*set != '\0' && *set != c)
		set++;
	return *set != '\0';
}

/* Where in p[from..len) the first of set is, or len */
static size_t url_find(const char *p, size_t from, size_t len, const char *set)
{
	while (from < len && !url_in(set, p[from]))
		from++;
	return from;
}

static int url_is_alnum(int c)
{
	c = wsi_lower(c);
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static struct wsi_str url_slice(const char *p, size_t from, size_t to)
{
	struct wsi_str s;

	s.p = p + from;
	s.len = to - from;
	return s;
}

WSI size_t wsi_find(const char *p, size_t len, char c)
{
	size_t i = 0;

	while (i < len && p[i] != c)
		i++;
	return i;
}

WSI int wsi_among(const char *p, size_t len, const char *names)
{
	int k;

	for (k = 0; *names != '\0'; k++) {
		if (wsi_same(p, len, names))
			return k;
		names += wsi_strlen(names) + 1;
	}
	return -1;
}

WSI int wsi_hex(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = wsi_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

WSI int wsi_number(const char *p, size_t len, int max)
{
	size_t i;
	int v = 0;

	for (i = 0; i < len; i++) {
		if (p[i] < '0' || p[i] > '9')
			return -1;
		v = v * 10 + (p[i] - '0');
		if (v > max)
			return -1;
	}
	return len > 0 ? v : -1;
}

WSI int wsi_url_next(const char **p, const char *end)
{
	int v, c = (unsigned char)*(*p)++;

	if (c != '%')
		return c;
	if (end - *p < 2)
		return -1;
	v = wsi_hex(*(*p)++) * 16;
	c = wsi_hex(*(*p)++);
	return v < 0 || c < 0 ? -1 : v + c;
}

WSI size_t wsi_url_span(const char *p, size_t len, const char *extra)
{
	const char *end = p + len, *s = p;

	while (s < end && (url_is_alnum(*s) || url_in("-._~", *s) || url_in(extra, *s))) {
		const char *next = s;

		if (wsi_url_next(&next, end) < 0)
			break;
		s = next;
	}
	return (size_t)(s - p);
}

/* What inet_aton takes for a number: "127", "0x7f" */
static int url_is_number(const char *p, size_t len)
{
	int hex = len >= 2 && wsi_same(p, 2, "0x");
	size_t i = hex ? 2 : 0;

	while (i < len && (hex ? wsi_hex(p[i]) >= 0 : p[i] >= '0' && p[i] <= '9'))
		i++;
	return i == len;
}

WSI const char *wsi_host_check(const char *p, size_t len, int *ip, size_t *where)
{
	unsigned char addr[16];
	size_t i, from = 0;
	int numeric = 1;

	*where = wsi_url_span(p, len, "");
	if (*where < len)
		return "its host has a character that no name has (a name beyond ASCII is written in its xn-- form)";
	*where = 0;
	if (len == 0)
		return "it has no host";
	*ip = wsi_ip_parse(addr, p, len);
	if (*ip != 0)
		return NULL;
	for (i = 0; i <= len; i++) {
		if (i < len && p[i] != '.')
			continue;
		/* RFC 1035 2.3.4; a final dot is the root's */
		if (i > from ? i - from > 63 || i > 253 : i < len || i == 0)
			return "its host has an empty part, or one over 63 characters, or is over 253 long";
		if (!url_is_number(p + from, i - from))
			numeric = 0;
		from = i + 1;
	}
	/* inet_aton would make 127.0.0.1 of 127.1, 0x7f000001, 2130706433 and 0177.0.0.1 */
	return numeric ? "its host is no IPv4 address: that is four numbers from 0 to 255 without leading zeros" : NULL;
}

/* RFC 3986 3: userinfo, path and query hold what they may, or what is wrong */
static const char *url_check(const char *url, struct wsi_str part, const char *extra, size_t *where)
{
	size_t n = wsi_url_span(part.p, part.len, extra);

	*where = (size_t)(part.p - url) + n;
	if (n == part.len)
		return NULL;
	if (part.p[n] == '#')
		return "it has a fragment, which no WebSocket URL has (RFC 6455 3): a # itself is written %23";
	if (part.p[n] == '%')
		return "it has a % without two hexadecimal digits: a % itself is written %25";
	return "it has a character that must be percent-encoded there (a space is %20, one beyond ASCII its UTF-8 "
	       "bytes)";
}

WSI const char *wsi_url_rest(struct wsi_url *u, const char *url, size_t len, size_t at, size_t *where)
{
	unsigned char addr[16];
	size_t end = url_find(url, at, len, "/?#"), host = end, i;
	const char *why;

	*where = WS_MAX_URL;
	if (len > WS_MAX_URL)
		return "it is over 8192 bytes long";
	while (host > at && url[host - 1] != '@')
		host--;
	u->has_user = host > at;
	u->userinfo = url_slice(url, at, host - (host > at));
	why = url_check(url, u->userinfo, "!$&'()*+,;=:%", where);
	if (why != NULL)
		return why;
	*where = host;
	if (host < end && url[host] == '[') {
		size_t z;

		i = url_find(url, ++host, end, "]");
		z = url_find(url, host, i, "%");
		u->host = url_slice(url, host, z);
		u->ip = wsi_ip_parse(addr, u->host.p, u->host.len);
		if (i == end || u->ip != 16)
			return "it has no IPv6 address in its brackets";
		if (z < i) { /* RFC 6874 */
			*where = z;
			z += z + 3 < i && memcmp(url + z, "%25", 3) == 0 ? 3 : 0;
			u->zone = url_slice(url, z, i);
			if (wsi_url_span(u->zone.p, u->zone.len, "") != u->zone.len) /* its '%' is still there */
				return "its zone is not written as in [fe80::1%25eth0]";
		}
		i++;
	} else {
		i = url_find(url, host, end, ":");
		u->host = url_slice(url, host, i);
		why = wsi_host_check(u->host.p, u->host.len, &u->ip, where);
		*where += host;
		if (why != NULL)
			return why;
	}
	if (i + 1 < end || (i < end && url[i] != ':')) {
		int port = url[i] == ':' ? wsi_number(url + i + 1, end - i - 1, 65535) : 0;

		*where = i;
		if (port <= 0)
			return "its port is no number from 1 to 65535 (and an IPv6 address has brackets)";
		u->port = (uint16_t)port;
	}
	u->path = url_slice(url, end, len);
	return url_check(url, u->path, "!$&'()*+,;=:@/?%", where);
}

/* The scheme's length, without its ':'; 0: there is none */
static size_t url_scheme_len(const char *p, size_t len)
{
	size_t i = 0;

	while (i < len && (url_is_alnum(p[i]) || url_in("+-.", p[i])))
		i++;
	return i < len && p[i] == ':' && (p[0] < '0' || p[0] > '9') ? i : 0;
}

WSI int wsi_url_scheme(const char *url, size_t len, const char *names, size_t *at)
{
	size_t n = url_scheme_len(url, len);

	*at = 0;
	if (n == 0 || n + 3 > len || url[n + 1] != '/' || url[n + 2] != '/')
		return -1;
	*at = n + 3;
	return wsi_among(url, n, names);
}

static const char *url_parse(struct wsi_url *u, const char *url, size_t len, size_t *where)
{
	size_t at;
	int k = wsi_url_scheme(url, len, "ws\0wss\0http\0https\0", &at);

	memset(u, 0, sizeof *u);
	*where = 0;
	if (k < 0)
		return "it does not begin with ws:// or wss://";
	u->secure = k % 2;
	u->port = u->secure ? 443 : 80;
	return wsi_url_rest(u, url, len, at, where);
}

WSI int wsi_url_parse(struct wsi_url *u, const char *url, size_t len, const char **why, size_t *where)
{
	*why = url_parse(u, url, len, where);
	return *why == NULL ? 0 : -1;
}

WSI void wsi_put_url(struct wsi_text *t, const char *url, size_t len)
{
	struct wsi_url u;
	size_t where, from, to = len;

	wsi_url_scheme(url, len, "", &from);
	if (url_parse(&u, url, len, &where) == NULL)
		to = from + u.userinfo.len + (size_t)u.has_user;
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

/* RFC 3986 appendix B: where each part ends, its delimiters in it so that it is empty only where it is not there */
enum { URL_SCHEME, URL_AUTHORITY, URL_PATH, URL_QUERY, URL_FRAGMENT };

static void url_split(size_t end[URL_FRAGMENT], const char *p, size_t len)
{
	size_t i = url_scheme_len(p, len);

	i += i > 0;
	end[URL_SCHEME] = i;
	if (i + 2 <= len && p[i] == '/' && p[i + 1] == '/')
		i = url_find(p, i + 2, len, "/?#");
	end[URL_AUTHORITY] = i;
	end[URL_PATH] = url_find(p, i, len, "?#");
	end[URL_QUERY] = url_find(p, end[URL_PATH], len, "#");
}

/* RFC 3986 5.2.4, segment by segment: appends p[i..len) to the path that t has from start on. A path in two pieces is
 * cut behind a '/' */
static void url_put_path(struct wsi_text *t, size_t start, const char *p, size_t i, size_t len)
{
	while (i < len) {
		size_t from = i, n;

		i = url_find(p, i, len, "/");
		n = i - from;
		i += i < len;
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
	size_t b[URL_FRAGMENT], r[URL_FRAGMENT], k = 0, start;
	struct wsi_text t;

	url_split(b, base, base_len);
	url_split(r, ref, ref_len);
	if (b[URL_SCHEME] == 0)
		return 0;
	/* RFC 3986 5.2.2: of the base is what comes before the first part that the reference has */
	while (k < URL_FRAGMENT && r[k] == 0)
		k++;
	wsi_text_init(&t, out, cap);
	wsi_put_n(&t, base, k > 0 ? b[k - 1] : 0);
	wsi_put_n(&t, ref, r[URL_AUTHORITY]);
	start = t.len;
	if (k == URL_PATH && ref[0] != '/') { /* 5.2.3 */
		size_t dir = b[URL_PATH];

		while (dir > b[URL_AUTHORITY] && base[dir - 1] != '/')
			dir--;
		if (b[URL_PATH] == b[URL_AUTHORITY] && b[URL_AUTHORITY] > b[URL_SCHEME])
			wsi_put_c(&t, '/');
		url_put_path(&t, start, base, b[URL_AUTHORITY], dir);
	}
	url_put_path(&t, start, ref, r[URL_AUTHORITY], r[URL_PATH]);
	wsi_put_n(&t, ref + r[URL_PATH], (drop_fragment ? r[URL_QUERY] : ref_len) - r[URL_PATH]);
	if (t.cut)
		return 0;
	out[t.len] = '\0';
	return t.len;
}

WSI int wsi_in_domain(struct wsi_str host, const char *domain, size_t len)
{
	host.len -= host.len > 0 && host.p[host.len - 1] == '.';
	len -= len > 0 && domain[len - 1] == '.';
	while (len > 0 && host.len > 0 && wsi_lower(host.p[host.len - 1]) == wsi_lower(domain[len - 1])) {
		host.len--;
		len--;
	}
	return len == 0 && (host.len == 0 || host.p[host.len - 1] == '.');
}
