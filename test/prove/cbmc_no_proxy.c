/* SPDX-License-Identifier: ISC
 * cbmc_no_proxy.c - for CBMC: any short list of hosts without a proxy, for any host. What url.c and
 * ip.c find in an entry is anything that they may find there. test/prove/run starts it.
 */
#include "cbmc_any.h"
#include "no_proxy.c"

void check_no_proxy(void);

#define LIST 4
#define HOST 3

static const char *const wrong = "wrong";

/* Fewer bytes make an address than in ip.c, so that short entries can be blocks of addresses. Nothing
 * here looks at what the address is. */
static int any_address(unsigned char addr[16], size_t len)
{
	int ip = any_int();

	MUST(__CPROVER_w_ok(addr, 16));
	ASSUME(ip == 0 || (ip == 4 && len >= 1) || (ip == 16 && len >= 2));
	return ip;
}

int wsi_ip_parse(unsigned char out[16], const char *s, size_t len)
{
	MUST(__CPROVER_r_ok(s, len));
	return any_address(out, len);
}

const char *wsi_url_rest(struct wsi_url *u, const char *p, size_t len, int port)
{
	MUST(__CPROVER_r_ok(p, len));
	u->host = any_slice(p, len);
	u->ip = any_address(u->addr, u->host.len);
	u->port = any_bool() ? port : any_int();
	ASSUME(u->port > 0 && u->port <= 65535);
	return u->host.len == 0 || any_bool() ? wrong : NULL;
}

/* The real one reads the last byte of both. */
int wsi_in_domain(struct wsi_str host, const char *domain, size_t len)
{
	int in = any_int();

	MUST(host.len > 0 && __CPROVER_r_ok(host.p, host.len));
	MUST(len > 0 && __CPROVER_r_ok(domain, len));
	ASSUME(in >= 0 && in <= 2);
	return in;
}

bool wsi_ip_in(const unsigned char *a, const unsigned char *b, unsigned bits)
{
	MUST(__CPROVER_r_ok(a, (bits + 7) / 8) && __CPROVER_r_ok(b, (bits + 7) / 8));
	return any_bool();
}

void check_no_proxy(void)
{
	char list[LIST + 1], host[HOST];
	struct wsi_str bad = {NULL, 0};
	struct wsi_url url;
	size_t begin = any_size();
	int found;

	ASSUME(begin <= LIST);
	list[LIST] = '\0';
	url.host = any_slice(host, HOST);
	ASSUME(url.host.len > 0);
	url.ip = any_address(url.addr, url.host.len);
	url.port = any_int();
	ASSUME(url.port > 0 && url.port <= 65535);
	found = wsi_no_proxy(any_bool() ? list + begin : NULL, any_bool() ? &url : NULL, &bad);
	MUST(found >= -1 && found <= 1);
	MUST(found >= 0 || (bad.len > 0 && bad.p >= list && bad.p + bad.len <= list + LIST));
}
