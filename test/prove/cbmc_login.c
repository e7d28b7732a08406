/* SPDX-License-Identifier: ISC
 * cbmc_login.c - for CBMC: the URL of a proxy, and the login in it as SOCKS5 and Basic send it.
 * test/prove/run starts each entry point.
 */
#include "cbmc_any.h"

void check_basic(void);
void check_decode(void);
void check_login(void);
void check_proxy_parse(void);
const char *any_proxy_url(struct wsi_url *u, const char *url, size_t len);
static int proxy_decode(unsigned char *out, struct wsi_str part);

#define wsi_url_parse_proxy any_proxy_url
#include "proxy.c"

#define USERINFO 6
#define PROXY_URL 4

static bool is_any(int c)
{
	(void)c;
	return true;
}

/* Any userinfo. wsi_url_parse_proxy lets only whole escapes into it. */
static struct wsi_str any_userinfo(const char array[USERINFO])
{
	struct wsi_str userinfo;

	userinfo.len = any_size();
	ASSUME(userinfo.len <= USERINFO);
	userinfo.p = array + USERINFO - userinfo.len;
	ASSUME(wsi_url_span_if(userinfo.p, userinfo.len, is_any) == userinfo.len);
	return userinfo;
}

void check_basic(void)
{
	char userinfo[USERINFO], buf[16];
	struct wsi_text t;

	wsi_text_init(&t, buf, sizeof buf);
	wsi_put_basic_userinfo(&t, any_userinfo(userinfo));
	MUST(!t.cut && t.len == WSI_BASE64_LEN(t.len / 4 * 3));
}

void check_decode(void)
{
	char userinfo[USERINFO];
	struct wsi_str part = any_userinfo(userinfo);
	unsigned char room[USERINFO];
	int n = left_out_proxy_decode(room + USERINFO - part.len, part);

	MUST(n >= -1 && n <= (int)part.len);
}

/* In place of the one above, which check_decode proves */
static int proxy_decode(unsigned char *out, struct wsi_str part)
{
	int n = any_bool() ? -1 : (int)any_size();

	MUST(__CPROVER_r_ok(part.p, part.len) && __CPROVER_w_ok(out, part.len));
	ASSUME(n >= -1 && n <= (int)part.len && n <= PROXY_LOGIN_MAX);
	return n;
}

void check_login(void)
{
	static struct wsi_proxy p;
	char userinfo[USERINFO];
	size_t user, password;

	p.url.userinfo = any_userinfo(userinfo);
	if (!proxy_make_login(&p))
		return;
	user = p.login[1];
	password = p.login[2 + user];
	MUST(p.login_len == 3 + user + password);
	MUST(user + password <= p.url.userinfo.len);
}

/* What url.c finds in the URL of a proxy is anything that it may find there. */
const char *any_proxy_url(struct wsi_url *u, const char *url, size_t len)
{
	const size_t login_len = any_size(), path_len = any_size();

	ASSUME(login_len <= len && path_len <= len - login_len);
	u->scheme = WSI_HTTP + any_size() % 5;
	u->userinfo.p = url;
	u->userinfo.len = login_len;
	u->path.p = url + len - path_len;
	u->path.len = path_len;
	if (any_bool())
		return "wrong";
	ASSUME(wsi_url_span_if(url, login_len, is_any) == login_len);
	return NULL;
}

void check_proxy_parse(void)
{
	static struct wsi_proxy p;
	char array[PROXY_URL];
	const char *url;
	size_t len = any_size();

	ASSUME(len <= PROXY_URL);
	url = array + PROXY_URL - len;
	if (wsi_proxy_parse(&p, url, len))
		return;
	MUST(p.kind == p.url.scheme && p.state == PROXY_START);
	MUST(p.url.path.len == 0 || (p.url.path.len == 1 && p.url.path.p[0] == '/'));
	MUST(p.kind == WSI_HTTP || (p.login_len >= 3 && p.login_len <= 3 + p.url.userinfo.len));
}
