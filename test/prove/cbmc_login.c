/* SPDX-License-Identifier: ISC
 * cbmc_login.c - for CBMC: the login in the URL of a proxy, as SOCKS5 and Basic send it.
 * test/prove/run starts it.
 */
#include "proxy.c"

void check_login(void);

size_t any_size(void);

#define ASSUME(cond) __CPROVER_assume(cond)
#define MUST(cond) __CPROVER_assert(cond, #cond)

#define USERINFO 6

static bool is_any(int c)
{
	(void)c;
	return true;
}

/* wsi_url_parse_proxy lets only whole escapes into a userinfo. */
void check_login(void)
{
	static struct wsi_proxy p;
	char userinfo[USERINFO], buf[16];
	size_t len = any_size(), user, password;
	struct wsi_text t;

	ASSUME(len <= USERINFO);
	p.url.userinfo.p = userinfo + USERINFO - len;
	p.url.userinfo.len = len;
	ASSUME(wsi_url_span_if(p.url.userinfo.p, len, is_any) == len);
	wsi_text_init(&t, buf, sizeof buf);
	wsi_put_basic_userinfo(&t, p.url.userinfo);
	MUST(!t.cut && t.len == WSI_BASE64_LEN(t.len / 4 * 3));
	if (!proxy_make_login(&p))
		return;
	user = p.login[1];
	password = p.login[2 + user];
	MUST(p.login_len == 3 + user + password && user + password <= len);
}
