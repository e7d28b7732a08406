/* SPDX-License-Identifier: ISC
 * cbmc_connect.c - for CBMC: the answer to CONNECT, piece by piece. What response.c finds in it is anything
 * that it may find; eva-response proves that. test/prove/run starts it.
 */
#include "cbmc_any.h"
#include "ws.h"
#include "proxy.c"

void check_connect(void);

#define ANSWER 8 /* bytes that have come */
#define LOGIN 3

static bool is_empty(const struct wsi_response *r)
{
	return r->len == 0 && r->lines == 0 && r->status == 0 && r->fields == NULL;
}

int wsi_response_read(struct wsi_response *r, char *p, size_t len, struct wsi_text *why)
{
	int found = any_int();

	MUST(r->len <= len && __CPROVER_w_ok(p, len));
	ASSUME(found >= -1 && found <= 1);
	wsi_put(why, "any");
	r->is_tls = any_bool();
	r->status = any_int();
	ASSUME(r->status >= 0 && r->status <= 999);
	r->len = any_size();
	ASSUME(r->len <= len);
	r->fields = any_bool() ? p : NULL;
	return found;
}

/* refusal.c: cbmc-proxy_refusal */
void wsi_put_proxy_refusal(struct wsi_text *t, const struct wsi_response *r, int login)
{
	(void)login;
	MUST(r != NULL);
	wsi_put(t, "any");
}

void check_connect(void)
{
	static struct wsi_proxy p;
	char out_room[4], why_room[4], in[ANSWER], login[LOGIN];
	struct wsi_text out, why;
	size_t len = any_size();
	int result;

	ASSUME(len <= ANSWER);
	p.state = PROXY_HTTP;
	p.kind = WSI_HTTP;
	p.interim = any_int();
	ASSUME(p.interim >= 0 && p.interim <= WS_MAX_INTERIM);
	p.url.userinfo = any_slice(login, LOGIN);
	p.response.len = any_size(); /* what has been read before */
	ASSUME(p.response.len <= len);
	wsi_text_init(&out, out_room, sizeof out_room);
	wsi_text_init(&why, why_room, sizeof why_room);
	result = wsi_proxy_step(&p, (unsigned char *)in + ANSWER - len, len, &out, &why);
	MUST(result >= -1 && result <= 1);
	MUST(p.used <= len && p.interim <= WS_MAX_INTERIM && p.state == PROXY_HTTP);
	MUST(out.len == 0);
	MUST(result < 1 || (p.response.status / 100 == 2 && p.used == p.response.len));
	MUST(result != 0 || p.used == 0 || is_empty(&p.response));
}
