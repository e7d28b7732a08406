/* SPDX-License-Identifier: ISC
 * no_proxy.c - which hosts are reached without the proxy: the list of hosts, domains and CIDR
 * blocks of ws_options.no_proxy
 */
#include <string.h>
#include "ws.h"
#include "ws_proto.h"

/* The bytes of a numeric host. */
struct no_proxy_address {
	const unsigned char *p;
	int len; /* 4, 16; 0: the host is a name */
};

/* An IPv4 address that is mapped into IPv6 counts as IPv4: RFC 4291 2.5.5.2. */
static struct no_proxy_address no_proxy_address_of(const struct wsi_url *u)
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct no_proxy_address a = {u->addr, u->ip};

	if (a.len == 16 && memcmp(a.p, mapped, sizeof mapped) == 0) {
		a.p += sizeof mapped;
		a.len = 4;
	}
	return a;
}

/* What an entry may consist of. So it has no userinfo, zone, query or fragment. */
static bool no_proxy_is_entry_char(int c)
{
	return wsi_is_letter_or_digit(c) || wsi_is_one_of(c, "*-./:[]_~");
}

static bool no_proxy_is_separator(int c)
{
	return c <= ' ' || c == ',';
}

/* Parses an entry without its "/bits": like a URL after "//", but an IPv6 address needs no
 * brackets, and a name may begin with "." or "*.". port: the default. False: it is wrong. */
static bool no_proxy_parse_host(struct wsi_url *e, const char *p, size_t len, int port)
{
	size_t skip = 0;

	e->port = port;
	e->ip = wsi_ip_parse(e->addr, p, wsi_find(p, len, '/'));
	if (e->ip > 0)
		return true;
	if (*p == '*')
		skip = 1;
	if (p[skip] == '.')
		skip++;
	else
		skip = 0; /* a "*" without "." is not a name */
	return !wsi_url_rest(e, p + skip, len - skip, port) && p[len - 1] != ':';
}

/* The bits that count: those after the slash, or all of the address. -1: they are wrong. */
static int no_proxy_bits(const char *p, size_t len, int address_len)
{
	const size_t slash = wsi_find(p, len, '/');

	if (slash == len)
		return address_len * 8;
	if (address_len == 0)
		return -1;
	return wsi_number(p + slash + 1, len - slash - 1, address_len * 8);
}

/* 1: the entry covers the URL's host and port; 0: it does not; -1: it is wrong. */
static int no_proxy_entry(const char *p, size_t len, const struct wsi_url *url)
{
	struct wsi_url entry;
	struct no_proxy_address block, host;
	int bits;

	if (len == 1 && *p == '*')
		return 1;
	if (wsi_span_if(p, len, no_proxy_is_entry_char) < len)
		return -1;
	if (!no_proxy_parse_host(&entry, p, len, url ? url->port : 1))
		return -1;
	block = no_proxy_address_of(&entry);
	bits = no_proxy_bits(p, len, block.len);
	if (bits < 0)
		return -1;
	if (!url || entry.port != url->port)
		return 0;
	if (block.len == 0)
		return wsi_in_domain(url->host, entry.host.p, entry.host.len) != 0;
	host = no_proxy_address_of(url);
	if (host.len != block.len) /* ::/0 covers no IPv4 address */
		return 0;
	return wsi_ip_in(host.p, block.p, (unsigned)bits);
}

int wsi_no_proxy(const char *list, const struct wsi_url *url, struct wsi_str *bad)
{
	size_t len = list ? strlen(list) : 0, at = 0;
	int found = 0;

	while (at < len) {
		size_t entry = at;
		int covers;

		while (at < len && !no_proxy_is_separator((unsigned char)list[at]))
			at++;
		if (at == entry) { /* a separator */
			at++;
			continue;
		}
		bad->p = list + entry;
		bad->len = at - entry;
		covers = no_proxy_entry(bad->p, bad->len, url);
		if (covers < 0)
			return -1;
		if (covers)
			found = 1;
	}
	return found;
}
