/* SPDX-License-Identifier: ISC
 * proxy.c - the way through a proxy as bytes in and bytes out: CONNECT (RFC 7231 4.3.6), SOCKS4 and 4a, SOCKS5 (RFC
 * 1928, RFC 1929); and which hosts do without one
 */
#include <string.h>
#include "ws.h"
#include "ws_bytes.h"

/* User or (second) password of userinfo, decoded */
static void proxy_put_user(struct wsi_text *out, struct wsi_str userinfo, int second)
{
	const char *s = userinfo.p, *end = s + userinfo.len, *colon = s + wsi_find(s, userinfo.len, ':');

	if (!second)
		end = colon;
	else
		s = colon < end ? colon + 1 : end;
	while (s < end)
		wsi_put_c(out, (char)wsi_url_next(&s, end));
}

static const char *proxy_parse(struct wsi_proxy_url *p, const char *url, size_t len, size_t *where)
{
	char buf[256];
	struct wsi_text part;
	size_t at;
	int k = wsi_url_scheme(url, len, "http\0socks4\0socks4a\0socks5\0socks5h\0", &at);
	const char *why;

	memset(p, 0, sizeof *p);
	*where = 0;
	if (k < 0 && at > 0)
		return "it does not begin with http://, socks4://, socks4a://, socks5:// or socks5h://";
	p->kind = (enum wsi_proxy_kind)(k < 0 ? WSI_HTTP : WSI_HTTP + k); /* as curl does for "host:port" */
	p->url.port = p->kind == WSI_HTTP ? 80 : 1080;
	why = wsi_url_rest(&p->url, url, len, at, where);
	if (why != NULL)
		return why;
	*where = (size_t)(p->url.path.p - url);
	if (p->url.path.len > 1 || (p->url.path.len == 1 && p->url.path.p[0] != '/'))
		return "it has a path, which means nothing for a proxy";
	*where = at;
	if (p->url.userinfo.len > 1024) /* for WSI_PROXY_OUT_MAX */
		return "its user and password are over 1024 bytes long";
	for (k = 0; k < 2 && p->kind != WSI_HTTP; k++) {
		wsi_text_init(&part, buf, sizeof buf);
		proxy_put_user(&part, p->url.userinfo, k);
		if (part.cut || wsi_find(buf, part.len, '\0') < part.len) /* RFC 1929 2; SOCKS4 ends it with NUL */
			return "its user or password is over 255 bytes long, or has a NUL";
	}
	return NULL;
}

WSI int wsi_proxy_parse(struct wsi_proxy_url *p, const char *url, size_t len, const char **why, size_t *where)
{
	*why = proxy_parse(p, url, len, where);
	return *why == NULL ? 0 : -1;
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
	p->addr_len = addr_len;
	if (addr_len > 0)
		memcpy(p->addr, addr, (size_t)addr_len);
	else /* an address is never a name to be resolved */
		p->addr_len = wsi_ip_parse(p->addr, target->host.p, target->host.len);
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

static int proxy_http(struct wsi_proxy *p, const char *in, size_t in_len, size_t *used, struct wsi_str *word)
{
	struct wsi_response r;
	ptrdiff_t n;

	do { /* state counts the answers */
		n = wsi_head_end(&p->scan, in + *used, in_len - *used, &word->p);
		if (n == 0)
			return 0;
		if (n < 0 || wsi_response_parse(&r, in + *used, (size_t)n, &word->p) != 0) {
			word->len = wsi_strlen(word->p);
			return -1;
		}
		*used += (size_t)n;
		memset(&p->scan, 0, sizeof p->scan);
	} while (r.status < 200 && r.status != 101 && p->state++ <= WS_MAX_INTERIM);
	if (r.status >= 200 && r.status < 300) /* its length, if it gives one, means nothing: RFC 7231 4.3.6 */
		return 1;
	p->status = r.status;
	*word = r.reason;
	return -1;
}

/* ---- SOCKS ---- */

/* states: the answer that is waited for */
enum { PROXY_START, PROXY_METHOD, PROXY_AUTH, PROXY_REPLY5, PROXY_REPLY4 };

/* Sends the request, or the part of it before which an answer is needed */
static void proxy_put_socks(struct wsi_proxy *p, struct wsi_text *out)
{
	const struct wsi_str host = p->target->host;
	char port[2];
	int k;

	port[0] = (char)(p->target->port >> 8);
	port[1] = (char)(p->target->port & 0xff);
	switch (p->state) {
	case PROXY_REPLY4:
		wsi_put_n(out, "\4\1", 2);
		wsi_put_n(out, port, 2);
		wsi_put_n(out, p->addr_len == 4 ? (const char *)p->addr : "\0\0\0\1",
		          4); /* 4a: 0.0.0.x, then the name */
		proxy_put_user(out, p->userinfo, 0);
		wsi_put_c(out, '\0');
		if (p->addr_len != 4) {
			wsi_put_n(out, host.p, host.len);
			wsi_put_c(out, '\0');
		}
		break;
	case PROXY_METHOD:
		wsi_put_n(out, p->userinfo.len > 0 ? "\5\2\0\2" : "\5\1", p->userinfo.len > 0 ? 4 : 3);
		break;
	case PROXY_AUTH:
		wsi_put_c(out, 1);
		for (k = 0; k < 2; k++) {
			size_t at = out->len;

			wsi_put_c(out, 0);
			proxy_put_user(out, p->userinfo, k);
			out->p[at] = (char)(out->len - at - 1);
		}
		break;
	default:
		wsi_put_n(out, "\5\1", 3);
		if (p->addr_len > 0) {
			wsi_put_c(out, p->addr_len == 4 ? 1 : 4);
			wsi_put_n(out, p->addr, (size_t)p->addr_len);
		} else {
			wsi_put_c(out, 3);
			wsi_put_c(out, (char)host.len);
			wsi_put_n(out, host.p, host.len);
		}
		wsi_put_n(out, port, 2);
	}
}

/* What is said of a refusal: from 1 on the replies of RFC 1928 6, then these */
enum { PROXY_VERSION = 9, PROXY_LOGIN, PROXY_PASSWORD, PROXY_ADDRESS, PROXY_UNNAMED, PROXY_REJECTED };
static const char proxy_words[] = "general failure\0connection not allowed by its ruleset\0network unreachable\0"
                                  "host unreachable\0connection refused\0TTL expired\0command not supported\0"
                                  "address type not supported\0"
                                  "that is no answer in this version of SOCKS\0"
                                  "it takes no login that we have (user and password go in its URL)\0"
                                  "user or password is wrong\0"
                                  "that is no answer, its type of address is unknown\0"
                                  "a code without a name\0"
                                  "request rejected or failed";

/* Looks at the answer that is waited for: its length; 0: it is not whole yet; -k: refused, see proxy_words */
static int proxy_answer(const struct wsi_proxy *p, const unsigned char *q, size_t n)
{
	size_t need = 2;

	if (n > 0 && q[0] != "\0\5\1\5\0"[p->state])
		return -PROXY_VERSION;
	if (n < 2)
		return 0;
	switch (p->state) {
	case PROXY_METHOD:
		if (q[1] != 0 && (q[1] != 2 || p->userinfo.len == 0))
			return -PROXY_LOGIN;
		break;
	case PROXY_AUTH:
		if (q[1] != 0)
			return -PROXY_PASSWORD;
		break;
	case PROXY_REPLY4:
		if (q[1] != 90)
			return -PROXY_REJECTED;
		need = 8;
		break;
	default:
		if (q[1] != 0)
			return q[1] < PROXY_VERSION ? -q[1] : -PROXY_UNNAMED;
		if (n < 5)
			return 0;
		if (q[3] != 1 && q[3] != 3 && q[3] != 4)
			return -PROXY_ADDRESS;
		need = q[3] == 1 ? 10 : q[3] == 4 ? 22 : 7U + q[4];
	}
	return n < need ? 0 : (int)need;
}

static int proxy_socks(struct wsi_proxy *p, const unsigned char *in, size_t in_len, size_t *used, struct wsi_text *out,
                       struct wsi_str *word)
{
	int n;

	while ((n = proxy_answer(p, in + *used, in_len - *used)) > 0) {
		int login = p->state == PROXY_METHOD && in[*used + 1] == 2;

		*used += (size_t)n;
		if (p->state >= PROXY_REPLY5)
			return 1;
		p->state = login ? PROXY_AUTH : PROXY_REPLY5;
		proxy_put_socks(p, out);
	}
	if (n == 0)
		return 0;
	p->status = in[*used + (n != -PROXY_VERSION)];
	word->p = proxy_words;
	while (++n < 0)
		word->p += wsi_strlen(word->p) + 1;
	word->len = wsi_strlen(word->p);
	return -1;
}

WSI int wsi_proxy_step(struct wsi_proxy *p, const unsigned char *in, size_t in_len, size_t *used, struct wsi_text *out,
                       struct wsi_text *why)
{
	struct wsi_str word;
	int r;

	*used = 0;
	if (p->kind == WSI_SOCKS4 && p->addr_len != 4) {
		wsi_put(why, "SOCKS4 has no IPv6 addresses");
		return -1;
	}
	if (p->state == PROXY_START) {
		p->state = p->kind == WSI_HTTP || p->kind > WSI_SOCKS4A ? PROXY_METHOD : PROXY_REPLY4;
		if (p->kind == WSI_HTTP)
			proxy_put_connect(p, out);
		else
			proxy_put_socks(p, out);
	}
	r = p->kind == WSI_HTTP ? proxy_http(p, (const char *)in, in_len, used, &word)
	                        : proxy_socks(p, in, in_len, used, out, &word);
	if (r >= 0)
		return r;
	wsi_put(why, p->kind == WSI_HTTP && p->status == 0 ? "sent no answer to CONNECT: " : "said ");
	if (p->kind != WSI_HTTP || p->status != 0) {
		wsi_put_u(why, (unsigned)p->status);
		wsi_put_c(why, ' ');
	}
	wsi_put_safe(why, word.p, word.len < 80 ? word.len : 80);
	if (p->status == 407)
		wsi_put(why, " (user and password go in its URL)");
	return -1;
}

/* ---- hosts that do without ---- */

/* An address, IPv4 where it is mapped (RFC 4291 2.5.5.2): 4, 16; 0: it is none */
static int proxy_address(unsigned char out[16], const char *s, size_t len)
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
	int n = wsi_ip_parse(out, s, len);

	if (n == 16 && memcmp(out, mapped, sizeof mapped) == 0) {
		memcpy(out, out + 12, 4);
		n = 4;
	}
	return n;
}

/* 1: the entry covers the URL's host; 0: not; -1: it is no entry */
static int proxy_entry(const char *p, size_t len, const struct wsi_url *u)
{
	unsigned char a[16], b[16];
	size_t bracket = p[0] == '[', end = wsi_find(p, len, bracket ? ']' : '/'), rest = end, i;
	int n = proxy_address(b, p + bracket, end - bracket), c, v = 0, ip;

	if (len == 1 && p[0] == '*')
		return 1;
	if (bracket) {
		if (n == 0 || rest++ == len)
			return -1;
	} else if (n == 0) {
		end = rest = wsi_find(p, len, ':');
		n = proxy_address(b, p, end);
	}
	c = rest < len ? p[rest] : '\0'; /* of "/bits" or ":port" */
	if (c != '\0') {
		v = wsi_number(p + rest + 1, len - rest - 1, c == '/' ? n * 8 : 65535);
		if (v < 0 || (c == '/' ? n == 0 : c != ':' || v == 0))
			return -1;
	}
	i = n == 0 && end > 1 && p[0] == '*' && p[1] == '.';
	i += n == 0 && i < end && p[i] == '.';
	if (n == 0 && wsi_host_check(p + i, end - i, &ip, &rest) != NULL)
		return -1;
	if (u == NULL || (c == ':' && v != u->port))
		return 0;
	if (n > 0) /* ::/0 has no IPv4 */
		return proxy_address(a, u->host.p, u->host.len) == n
		       && wsi_ip_in(a, b, n, (unsigned)(c == '/' ? v : n * 8));
	return wsi_in_domain(u->host, p + i, end - i);
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
