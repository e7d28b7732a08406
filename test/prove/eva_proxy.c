/* SPDX-License-Identifier: ISC
 * eva_proxy.c - for Frama-C's Eva: the dialogue with a SOCKS proxy, step by step from any state, and the
 * first bytes that are sent to any proxy. test/prove/run starts it.
 */
#include <string.h>
#include "eva.h"

void prove_proxy(void);

/* The states of proxy.c that read SOCKS */
enum { FIRST_STATE = 1, LAST_STATE = 4 };

static void begin(struct wsi_proxy *p, struct wsi_url *target)
{
	memset(target, 0, sizeof *target);
	target->host.p = in;
	target->host.len = sizeof in;
	target->port = Frama_C_interval(0, 65535);
	memset(p, 0, sizeof *p);
	p->target = target;
	p->login_len = Frama_C_size_t_interval(0, sizeof p->login);
	Frama_C_make_unknown((char *)p->login, sizeof p->login);
}

static void step(struct wsi_proxy *p, size_t len)
{
	static char out_buf[8], why_buf[8];
	struct wsi_text out, why;

	wsi_text_init(&out, out_buf, sizeof out_buf);
	wsi_text_init(&why, why_buf, sizeof why_buf);
	wsi_proxy_step(p, (unsigned char *)LAST(len), len, &out, &why);
	//@ assert p->used <= len;
}

static void send_first(enum wsi_scheme kind, int ip)
{
	struct wsi_url target;
	struct wsi_proxy p;

	begin(&p, &target);
	target.ip = ip;
	p.kind = kind;
	step(&p, 0);
}

static void read_answer(int state, size_t len)
{
	struct wsi_url target;
	struct wsi_proxy p;

	begin(&p, &target);
	p.kind = WSI_SOCKS5;
	p.state = state;
	p.addr_len = Frama_C_interval(0, 16);
	p.url.userinfo.len = any_bool();
	step(&p, len);
}

void prove_proxy(void)
{
	enum wsi_scheme kind;
	size_t len;
	int state;

	ANY_BYTES();
	//@ loop unroll 10;
	for (kind = WSI_HTTP; kind <= WSI_SOCKS5H; kind++) {
		send_first(kind, 0);
		send_first(kind, 4);
		send_first(kind, 16);
	}
	//@ loop unroll LAST_STATE + 1;
	for (state = FIRST_STATE; state <= LAST_STATE; state++)
		//@ loop unroll N + 1;
		for (len = 0; len <= N; len++)
			read_answer(state, len);
}
