/* SPDX-License-Identifier: ISC
 * url.c - URLs: parsing, saying what is wrong with them, and resolving references
 *
 * The syntax is that of RFC 3986, with the zones of RFC 6874, as RFC 6455 section 3 narrows it.
 */
#include <string.h>
#include "ws.h"
#include "ws_proto.h"

#define URL_LABEL_MAX 63 /* RFC 1035 2.3.4 */
#define URL_NAME_MAX 253 /* likewise, without the final dot */

static const struct url_scheme {
	const char *name;
	enum wsi_scheme scheme;
	int port;
	bool secure;
	bool to_server; /* a WebSocket server has such a URL */
	bool to_proxy;  /* a proxy has such a URL */
} url_schemes[] = {
    {"ws", WSI_WS, 80, false, true, false},
    {"wss", WSI_WSS, 443, true, true, false},
    {"http", WSI_HTTP, 80, false, true, true},
    {"https", WSI_HTTPS, 443, true, true, false},
    {"socks4", WSI_SOCKS4, 1080, false, false, true},
    {"socks4a", WSI_SOCKS4A, 1080, false, false, true},
    {"socks5", WSI_SOCKS5, 1080, false, false, true},
    {"socks5h", WSI_SOCKS5H, 1080, false, false, true},
};
#define URL_SCHEMES (sizeof url_schemes / sizeof url_schemes[0])

/* wsi_put_url_fault recognizes these three by their address. */
static const char url_no_scheme[] = "it does not begin with ws:// or wss://";
static const char url_bad_port[] =
    "its port is not a number from 1 to 65535 (and an IPv6 address needs brackets)";
static const char url_unescaped[] = "it has a character that must be percent-encoded";

static const char url_bad_labels[] =
    "its host has an empty part, or one over 63 characters, or is over 253 long";
static const char url_bad_zone[] = "its zone is not written as in [fe80::1%25eth0]";

/* Characters and escapes */

/* RFC 3986 2.3: unreserved */
static bool url_is_unreserved(int c)
{
	return wsi_is_letter_or_digit(c) || wsi_is_one_of(c, "-._~");
}

/* RFC 3986 2.2: sub-delims */
static bool url_is_sub_delim(int c)
{
	return wsi_is_one_of(c, "!$&'()*+,;=");
}

/* RFC 3986 3.2.1: userinfo, but for escapes */
static bool url_is_userinfo(int c)
{
	return url_is_unreserved(c) || url_is_sub_delim(c) || c == ':';
}

/* RFC 3986 3.3 and 3.4: path and query, but for escapes */
static bool url_is_path(int c)
{
	return url_is_userinfo(c) || wsi_is_one_of(c, "@/?");
}

/* RFC 3986 3.1: scheme */
static bool url_is_scheme(int c)
{
	return wsi_is_letter_or_digit(c) || wsi_is_one_of(c, "+-.");
}

size_t wsi_url_span_if(const char *p, size_t len, wsi_class *is)
{
	size_t i = 0;

	while (i < len) {
		if (p[i] != '%') {
			if (!is((unsigned char)p[i]))
				break;
			i++;
			continue;
		}
		if (i + 3 > len || wsi_hex(p[i + 1]) < 0 || wsi_hex(p[i + 2]) < 0)
			break;
		i += 3;
	}
	return i;
}

int wsi_url_next(const char **p)
{
	int c = (unsigned char)*(*p)++;

	if (c == '%') {
		c = wsi_digits(*p, 2, 255, 16);
		*p += 2;
	}
	return c;
}

static struct wsi_str url_slice(const char *from, const char *to)
{
	struct wsi_str s;

	s.p = from;
	s.len = (size_t)(to - from);
	return s;
}

/* The length of the character beyond ASCII at p, which a path can have: it is sent percent-encoded.
 * 0: there is none, or it is invisible, so that nobody typed it on purpose. */
static size_t url_wide_character(const char *p, size_t len)
{
	uint32_t cp;
	int n = wsi_utf8_decode(&cp, p, len);

	return n > 1 && !wsi_is_unseen(cp) ? (size_t)n : 0;
}

/* As wsi_url_span_if for a path and query, which can have characters beyond ASCII, too. */
static size_t url_span_path(struct wsi_str part)
{
	size_t i = 0, n;

	while (i < part.len) {
		n = wsi_url_span_if(part.p + i, part.len - i, url_is_path);
		if (n == 0)
			n = url_wide_character(part.p + i, part.len - i);
		if (n == 0)
			break;
		i += n;
	}
	return i;
}

/* NULL if the part holds only escapes and characters of the class. Otherwise what is wrong, and
 * u->at. */
static const char *url_check(struct wsi_url *u, struct wsi_str part, wsi_class *is)
{
	size_t n;

	if (is == url_is_path)
		n = url_span_path(part);
	else
		n = wsi_url_span_if(part.p, part.len, is);
	u->at = part.p + n;
	if (n == part.len)
		return NULL;
	if (*u->at == '#')
		return "it has a fragment, which a WebSocket URL must not have (RFC 6455 3): a # "
		       "itself is "
		       "written %23";
	if (*u->at == '%')
		return "it has a % without two hexadecimal digits: a % itself is written %25";
	return url_unescaped;
}

/* Parsing */

/* True for what inet_aton would take for a number: "127", "0x7f", "0177" */
static bool url_is_numeric(const char *label, size_t len)
{
	if (len >= 2 && label[0] == '0' && wsi_lower(label[1]) == 'x')
		return wsi_span_if(label + 2, len - 2, wsi_is_hex_digit) == len - 2;
	return wsi_span_if(label, len, wsi_is_digit) == len;
}

static const char *url_check_name(struct wsi_url *u)
{
	const char *p = u->host.p;
	size_t len = u->host.len, n = wsi_span_if(p, len, url_is_unreserved);
	bool numeric = true;

	if (n < len) {
		u->at = p + n;
		if ((unsigned char)p[n] >= 0x80)
			return "its host has a character beyond ASCII: write the name in its xn-- "
			       "form, as browsers do (b\xc3\xbc"
			       "cher.example is "
			       "xn--bcher-kva.example)";
		return "its host has a character that a name must not have";
	}
	if (len == 0)
		return "it has no host";
	if (p[len - 1] == '.') /* of the root */
		len--;
	if (len > URL_NAME_MAX)
		return url_bad_labels;
	for (;;) {
		n = wsi_find(p, len, '.');
		if (n == 0 || n > URL_LABEL_MAX)
			return url_bad_labels;
		if (!url_is_numeric(p, n))
			numeric = false;
		if (n == len)
			break;
		p += n + 1;
		len -= n + 1;
	}
	/* inet_aton would make 127.0.0.1 of 127.1, 0x7f000001, 2130706433 and 0177.0.0.1. */
	if (numeric)
		return "its host is not an IPv4 address: that is four numbers from 0 to 255 "
		       "without "
		       "leading zeros";
	return NULL;
}

/* "[address]" or "[address%25zone]", from its '[' on. *next is then after its ']'. */
static const char *url_parse_literal(struct wsi_url *u, const char *p, const char *end,
                                     const char **next)
{
	size_t n;

	p++;
	n = wsi_find_any(p, (size_t)(end - p), "%]");
	u->host = url_slice(p, p + n);
	u->ip = wsi_ip_parse(u->addr, p, n);
	p += n;
	if (u->ip != 16 || p == end)
		return "it has no IPv6 address in its brackets";
	if (*p == '%') { /* RFC 6874 */
		u->at = p;
		if (end - p <= 3 || memcmp(p, "%25", 3) != 0)
			return url_bad_zone;
		p += 3;
		n = wsi_span_if(p, (size_t)(end - p), url_is_unreserved);
		u->zone = url_slice(p, p + n);
		p += n;
		if (n == 0 || p == end || *p != ']')
			return url_bad_zone;
	}
	*next = p + 1;
	return NULL;
}

static const char *url_parse_name(struct wsi_url *u, const char *p, const char *end,
                                  const char **next)
{
	size_t n = wsi_find(p, (size_t)(end - p), ':');

	u->host = url_slice(p, p + n);
	u->ip = wsi_ip_parse(u->addr, p, n);
	*next = p + n;
	if (u->ip == 0)
		return url_check_name(u);
	return NULL;
}

/* Nothing, ":" or ":port" */
static const char *url_parse_port(struct wsi_url *u, const char *p, const char *end)
{
	u->at = p;
	if (p == end)
		return NULL;
	if (*p != ':')
		return url_bad_port;
	p++;
	if (p == end)
		return NULL;
	u->port = wsi_number(p, (size_t)(end - p), 65535);
	if (u->port <= 0)
		return url_bad_port;
	return NULL;
}

const char *wsi_url_rest(struct wsi_url *u, const char *p, size_t len, int port)
{
	const char *end = p + len, *path = p + wsi_find_any(p, len, WSI_AUTHORITY_ENDS);
	const char *host = path, *why;

	u->port = port;
	u->standard_port = port;
	u->zone.len = 0;
	/* The userinfo ends at the last '@', so that no part of a password is taken for the host.
	 */
	while (host > p && host[-1] != '@')
		host--;
	u->userinfo = url_slice(p, host);
	if (u->userinfo.len > 0)
		u->userinfo.len--;
	why = url_check(u, u->userinfo, url_is_userinfo);
	if (why)
		return why;

	u->at = host;
	if (host < path && *host == '[')
		why = url_parse_literal(u, host, path, &p);
	else
		why = url_parse_name(u, host, path, &p);
	if (!why)
		why = url_parse_port(u, p, path);
	if (why)
		return why;
	u->path = url_slice(path, end);
	return url_check(u, u->path, url_is_path);
}

/* What a URL or a reference begins with. Between the two lengths is the authority, with its
 * "//". */
struct url_parts {
	size_t scheme; /* length of "scheme:", or 0 */
	size_t path;   /* where the path begins */
};

static struct url_parts url_split(const char *p, size_t len)
{
	struct url_parts parts = {0, 0};
	size_t n = wsi_span_if(p, len, url_is_scheme);

	if (n > 0 && n < len && p[n] == ':' && wsi_is_letter(p[0]))
		parts.scheme = n + 1;
	n = parts.scheme;
	if (n + 2 <= len && p[n] == '/' && p[n + 1] == '/') {
		n += 2;
		n += wsi_find_any(p + n, len - n, WSI_AUTHORITY_ENDS);
	}
	parts.path = n;
	return parts;
}

/* The scheme of that name, or NULL */
static const struct url_scheme *url_find_scheme(const char *p, size_t len)
{
	struct wsi_str name = {p, len};
	size_t i;

	for (i = 0; i < URL_SCHEMES; i++)
		if (wsi_is(name, url_schemes[i].name))
			return &url_schemes[i];
	return NULL;
}

bool wsi_url_is_scheme(const char *name, size_t len)
{
	return url_find_scheme(name, len) != NULL;
}

/* Takes "scheme://" and returns that scheme; what follows becomes the userinfo until its end is
 * known. Returns NULL if there is no such beginning, or no such scheme. */
static const struct url_scheme *url_parse_scheme(struct wsi_url *u, const char *url, size_t len)
{
	struct url_parts parts = url_split(url, len);

	u->at = url;
	u->userinfo = url_slice(url, url + len);
	if (parts.path == parts.scheme) /* no "//" */
		return NULL;
	u->userinfo = url_slice(url + parts.scheme + 2, url + len);
	if (parts.scheme == 0)
		return NULL;
	return url_find_scheme(url, parts.scheme - 1);
}

static const char *url_parse_known(struct wsi_url *u, const char *url, size_t len,
                                   const struct url_scheme *s)
{
	if (len > WS_MAX_URL) {
		u->at = url + WS_MAX_URL;
		return "it is over 8192 bytes long";
	}
	u->scheme = s->scheme;
	u->secure = s->secure;
	return wsi_url_rest(u, u->userinfo.p, u->userinfo.len, s->port);
}

const char *wsi_url_parse(struct wsi_url *u, const char *url, size_t len)
{
	const struct url_scheme *s = url_parse_scheme(u, url, len);

	if (!s || !s->to_server)
		return url_no_scheme;
	return url_parse_known(u, url, len, s);
}

const char *wsi_url_parse_proxy(struct wsi_url *u, const char *url, size_t len)
{
	const struct url_scheme *s = url_parse_scheme(u, url, len);

	if (u->userinfo.p == url) /* no "//" */
		s = url_find_scheme("http", 4);
	if (s && s->scheme == WSI_HTTPS)
		return "it needs TLS to the proxy, which is not supported: try http://";
	if (!s || !s->to_proxy)
		return "it does not begin with http://, socks4://, socks4a://, socks5:// or "
		       "socks5h://";
	return url_parse_known(u, url, len, s);
}

/* What is wrong with a URL */

/* True if the byte at `at` is part of a secret, which must not be shown. */
static bool url_is_secret(const struct wsi_url *u, const char *at, const char *end)
{
	const char *p = u->userinfo.p;
	struct wsi_str secret;

	if (at < p + u->userinfo.len)
		return wsi_find(p, (size_t)(at - p), ':') < (size_t)(at - p);
	for (p = u->path.p; p < at; p = secret.p + secret.len) {
		secret = wsi_find_secret(p, (size_t)(end - p));
		if (at >= secret.p && at < secret.p + secret.len)
			return true;
	}
	return false;
}

/* "\ is written %5C" */
static void url_put_escape(struct wsi_text *t, const char *at, const char *end)
{
	static const char digits[] = "0123456789ABCDEF";
	uint32_t cp;
	int n = wsi_utf8_decode(&cp, at, (size_t)(end - at)), i;

	if (n <= 0) { /* not a character */
		n = 1;
		cp = 0;
	}
	if (cp == ' ')
		wsi_put(t, "a space");
	else if (!wsi_is_unseen(cp))
		wsi_put_safe(t, at, (size_t)n);
	else if (n == 1)
		wsi_put(t, "this byte");
	else
		wsi_put(t, "this invisible character");
	wsi_put(t, " is written ");
	for (i = 0; i < n; i++) {
		wsi_put_c(t, '%');
		wsi_put_c(t, digits[(unsigned char)at[i] >> 4]);
		wsi_put_c(t, digits[at[i] & 15]);
	}
}

static bool url_has_escaped_at(const char *p, const char *end)
{
	for (; end - p >= 3; p++)
		if (memcmp(p, "%40", 3) == 0)
			return true;
	return false;
}

static void url_put_unescaped(struct wsi_text *t, const struct wsi_url *u, const char *end)
{
	const char *at = u->at;
	bool in_userinfo = at < u->userinfo.p + u->userinfo.len;

	if (url_is_secret(u, at, end)) {
		if (in_userinfo)
			wsi_put(t, ": in its password");
		else
			wsi_put(t, ": in the value of a parameter");
		return;
	}
	if (in_userinfo)
		wsi_put(t, ": in its user name, ");
	else if (wsi_find(u->path.p, (size_t)(at - u->path.p), '?') < (size_t)(at - u->path.p))
		wsi_put(t, ": in its query, ");
	else
		wsi_put(t, ": in its path, ");
	url_put_escape(t, at, end);
}

/* ": did you mean ws://localhost:8080/?", if ws:// or the like makes it a URL */
static void url_put_guess(struct wsi_text *t, const char *url, const char *end)
{
	struct url_parts parts = url_split(url, (size_t)(end - url));
	const char *name = "ws", *rest = url;
	struct wsi_url guess;
	const struct url_scheme *s;

	if (parts.path != parts.scheme) /* it has a scheme, and "//" */
		return;
	s = parts.scheme > 0 ? url_find_scheme(url, parts.scheme - 1) : NULL;
	if (s && s->to_server) {
		name = s->name;
		for (rest = url + parts.scheme; rest < end && *rest == '/'; rest++)
			;
	}
	if (wsi_url_rest(&guess, rest, (size_t)(end - rest), 80) || guess.userinfo.len > 0)
		return;
	if (!s && (guess.port == 443 || guess.port == 8443))
		name = "wss";
	wsi_put(t, ": did you mean ");
	wsi_put(t, name);
	wsi_put(t, "://");
	wsi_put_without_secrets(t, rest, (size_t)(end - rest));
	wsi_put(t, "?");
}

void wsi_put_url_fault(struct wsi_text *t, const struct wsi_url *u, const char *end,
                       const char *why)
{
	wsi_put(t, why);
	if (why == url_bad_port && url_has_escaped_at(u->at, end))
		wsi_put(t, ": a user name and password end with an @ itself, not with %40");
	if (why == url_unescaped)
		url_put_unescaped(t, u, end);
	if (why == url_no_scheme)
		url_put_guess(t, u->at, end);
}

void wsi_put_url_why(struct wsi_text *t, const struct wsi_url *u, const char *url, size_t len,
                     const char *why)
{
	wsi_put_url_fault(t, u, url + len, why);
	wsi_put(t, " (byte ");
	wsi_put_u(t, (size_t)(u->at - url) + 1);
	wsi_put_c(t, ')');
}

/* Writing */

void wsi_put_hostport(struct wsi_text *t, const struct wsi_url *u, bool always_port)
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

/* Resolving references (RFC 3986 5.2) */

/* The end of p[root..end) without its last segment; each segment ends with its '/'. A path that
 * loses its only segment becomes "/", as RFC 3986 5.2.4 has it. */
static size_t url_drop_segment(char *p, size_t root, size_t end)
{
	if (end == root)
		return root;
	end--;
	while (end > root && p[end - 1] != '/')
		end--;
	if (end == root)
		p[end++] = '/';
	return end;
}

/* RFC 3986 5.2.4, in the path t->p[root..end): removes its segments "." and "..". What follows the
 * path moves up. */
static void url_remove_dots(struct wsi_text *t, size_t root, size_t end)
{
	char *p = t->p;
	size_t from = root, to = root;

	while (from < end) {
		size_t n = wsi_find(p + from, end - from, '/'), next = from + n;

		if (next < end)
			next++; /* over the '/' */
		if (n == 2 && p[from] == '.' && p[from + 1] == '.') {
			to = url_drop_segment(p, root, to);
		} else if (n != 1 || p[from] != '.') {
			memmove(p + to, p + from, next - from);
			to += next - from;
		}
		from = next;
	}
	memmove(p + to, p + end, t->len - end);
	t->len -= end - to;
	p[t->len] = '\0';
}

bool wsi_url_resolve(struct wsi_text *t, const char *ref, size_t len)
{
	struct url_parts base = url_split(t->p, t->len), parts;
	size_t path_len, path; /* of the reference; where the path of the result begins */

	if (base.scheme == 0)
		return false;
	len = wsi_find(ref, len, '#');
	path_len = wsi_find(ref, len, '?');
	parts = url_split(ref, path_len);

	/* RFC 3986 5.2.2: the base keeps what precedes the first part that the reference has. */
	if (len == 0) {
		t->len = wsi_find(t->p, t->len, '#');
		path = t->len;
	} else if (path_len == 0) { /* a query alone */
		t->len = wsi_find_any(t->p, t->len, "?#");
		path = t->len;
	} else if (parts.scheme > 0) {
		t->len = 0;
		path = parts.path;
	} else if (parts.path > 0) { /* an authority */
		t->len = base.scheme;
		path = base.scheme + parts.path;
	} else if (ref[0] == '/') {
		t->len = base.path;
		path = base.path;
	} else { /* 5.2.3: goes into the directory of the base */
		path = base.path;
		t->len = path + wsi_find_any(t->p + path, t->len - path, "?#");
		while (t->len > path && t->p[t->len - 1] != '/')
			t->len--;
		if (t->len == path && path > base.scheme)
			wsi_put_c(t, '/');
	}
	wsi_put_n(t, ref, len);
	if (t->cut)
		return false;
	url_remove_dots(t, path, t->len - (len - path_len));
	return true;
}

/* Domains */

int wsi_in_domain(struct wsi_str host, const char *domain, size_t len)
{
	struct wsi_str want = {domain, len}, tail;
	size_t before;

	if (host.p[host.len - 1] == '.')
		host.len--;
	if (domain[len - 1] == '.')
		want.len--;
	if (host.len < want.len)
		return 0;
	before = host.len - want.len;
	if (before > 0 && host.p[before - 1] != '.')
		return 0;
	tail = url_slice(host.p + before, host.p + host.len);
	if (!wsi_same_str(tail, want))
		return 0;
	if (before > 0)
		return 2;
	return 1;
}
