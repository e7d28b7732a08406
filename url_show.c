/* SPDX-License-Identifier: ISC
 * url_show.c - shows URLs without their secrets, for messages and reports
 *
 * A URL that is wrong is shown, too. It is then not known which of its parts is a password, so whatever
 * may be one is left out.
 */
#include "ws_proto.h"

/* What an address in brackets may consist of */
static bool url_is_address(int c)
{
	return wsi_is_hex_digit(c) || c == ':' || c == '.';
}

/* How much may be shown of the authority of a URL that is wrong: all of it, or what comes before
 * something after a ':' that is not a number, because that may be a password. The colons of an IPv6
 * address do not count. */
static size_t url_shown_authority(const char *p, size_t len)
{
	unsigned char addr[WSI_IP_MAX];
	size_t i = 0, digits;

	if (wsi_ip_parse(addr, p, len) == 16)
		return len;
	if (len > 0 && *p == '[') {
		i = 1 + wsi_span_if(p + 1, len - 1, url_is_address);
		if (i < len && p[i] != ']' && p[i] != '%')
			i = 0;
	}
	while (i < len) {
		i += wsi_find(p + i, len - i, ':');
		if (i == len)
			break;
		i++;
		digits = wsi_span_if(p + i, len - i, wsi_is_digit);
		if (i + digits < len && p[i + digits] != ':')
			break;
		i += digits;
	}
	return i;
}

/* Appends what follows the scheme of a wrong URL. It is not known where its userinfo ends, so only
 * what follows the last '@' is shown. */
static void url_put_wrong(struct wsi_text *t, const char *p, const char *end, bool is_proxy)
{
	const char *begin = end, *path, *to;
	bool hides_more = false;

	while (begin > p && begin[-1] != '@')
		begin--;
	path = begin + wsi_find_any(begin, (size_t)(end - begin), WSI_AUTHORITY_ENDS);
	to = begin + url_shown_authority(begin, (size_t)(path - begin));
	if (to < path) {
		hides_more = true;
	} else if (to > begin && to[-1] == ':' && to < end) { /* "joe:/secret" */
		hides_more = true;
	} else if (is_proxy
	           && end - to > 1) { /* a proxy has no path: it may be the rest of a password */
		hides_more = true;
		to++;
	}
	if (!hides_more)
		to = end;
	wsi_put_without_secrets(t, begin, (size_t)(to - begin));
	if (hides_more)
		wsi_put(t, "***");
}

static void url_put_right(struct wsi_text *t, const char *url, const struct wsi_url *u)
{
	const char *host = u->userinfo.p + u->userinfo.len;

	if (*host == '@')
		host++;
	wsi_put_n(t, url, (size_t)(u->userinfo.p - url));
	wsi_put_n(t, host, (size_t)(u->path.p - host));
	wsi_put_without_secrets(t, u->path.p, u->path.len);
}

void wsi_put_url(struct wsi_text *t, const char *url, size_t len)
{
	struct wsi_url u;
	size_t blanks = wsi_span_if(url, len, wsi_is_blank), shown;

	/* A URL that was pasted with blanks is wrong, but has the parts of a URL. */
	wsi_put_safe(t, url, blanks);
	url += blanks;
	len -= blanks;
	if (!wsi_url_parse(&u, url, len)) {
		url_put_right(t, url, &u);
		return;
	}
	shown = (size_t)(u.userinfo.p - url);
	if (shown == 0) { /* "ws:/host" */
		size_t colon = wsi_find(url, len, ':');

		if (colon < len && wsi_url_is_scheme(url, colon))
			shown = colon + 1;
	}
	while (shown < len && url[shown] == '/') /* "ws:///host" */
		shown++;
	wsi_put_safe(t, url, shown);
	url_put_wrong(t, url + shown, url + len, false);
}

void wsi_put_location(struct wsi_text *t, const char *ref, size_t len)
{
	/* Without an authority, so that an '@' in it does not end userinfo */
	bool is_local = len > 0 && wsi_is_one_of(*ref, WSI_AUTHORITY_ENDS);

	if (len > 1 && ref[0] == '/' && ref[1] == '/')
		is_local = false;
	if (is_local)
		wsi_put_without_secrets(t, ref, len);
	else
		wsi_put_url(t, ref, len);
}

void wsi_put_proxy_url(struct wsi_text *t, const char *url, size_t len)
{
	struct wsi_url u;

	(void)wsi_url_parse_proxy(&u, url, len); /* for where its scheme ends */
	wsi_put_safe(t, url, (size_t)(u.userinfo.p - url));
	url_put_wrong(t, u.userinfo.p, url + len, true);
}
