/* SPDX-License-Identifier: ISC
 * eva_parse.c - for Frama-C's Eva: the functions that take apart what a peer or a user wrote, on any
 * bytes of each length up to a bound. test/prove/run starts each entry point.
 *
 * Each call has a function of its own, so that what it leaves behind does not go into the next one.
 */
#include "eva.h"

/* Entry points, one for each file */
void prove_ip(void);
void prove_ip_put(void);
void prove_url(void);
void prove_url_show(void);
void prove_url_resolve(void);
void prove_secret(void);

static void parse_ip(size_t len)
{
	unsigned char addr[16];
	int n = wsi_ip_parse(addr, LAST(len), len);

	//@ assert n == 0 || ((n == 4 || n == 16) && len >= 2);
}

void prove_ip(void)
{
	size_t len;

	ANY_BYTES();
	//@ loop unroll N + 1;
	for (len = 0; len <= N; len++)
		parse_ip(len);
}

/* Any address, into any text */
void prove_ip_put(void)
{
	static char buf[N];
	unsigned char addr[16], other[16];
	struct wsi_text t;
	unsigned bits;

	Frama_C_make_unknown((char *)addr, sizeof addr);
	Frama_C_make_unknown((char *)other, sizeof other);
	wsi_text_init(&t, buf, sizeof buf);
	wsi_put_ip(&t, addr + sizeof addr - 4, 4);
	wsi_put_ip(&t, addr, 16);
	//@ loop unroll 129;
	for (bits = 0; bits <= 128; bits++)
		wsi_ip_in(addr, other, bits);
}

static void parse_url(size_t len)
{
	struct wsi_url u;

	wsi_url_parse(&u, LAST(len), len);
}

static void parse_proxy_url(size_t len)
{
	struct wsi_url u;

	wsi_url_parse_proxy(&u, LAST(len), len);
}

void prove_url(void)
{
	size_t len;

	ANY_BYTES();
	//@ loop unroll N + 1;
	for (len = 0; len <= N; len++) {
		parse_url(len);
		parse_proxy_url(len);
	}
}

/* A URL, right or wrong, as it is shown */

static char shown[8];

static void show_url(size_t len)
{
	struct wsi_text t;

	wsi_text_init(&t, shown, sizeof shown);
	wsi_put_url(&t, LAST(len), len);
}

static void show_location(size_t len)
{
	struct wsi_text t;

	wsi_text_init(&t, shown, sizeof shown);
	wsi_put_location(&t, LAST(len), len);
}

static void show_proxy_url(size_t len)
{
	struct wsi_text t;

	wsi_text_init(&t, shown, sizeof shown);
	wsi_put_proxy_url(&t, LAST(len), len);
}

void prove_url_show(void)
{
	size_t len;

	ANY_BYTES();
	//@ loop unroll N + 1;
	for (len = 0; len <= N; len++) {
		show_url(len);
		show_location(len);
		show_proxy_url(len);
	}
}

/* A reference, from any URL that leaves room for it, or for only a part of it */

static void resolve(size_t base_len, size_t len)
{
	static char buf[N + 2];
	struct wsi_text t;

	wsi_text_init(&t, buf, sizeof buf);
	Frama_C_make_unknown(buf, sizeof buf);
	t.len = base_len;
	wsi_url_resolve(&t, LAST(len), len);
	//@ assert t.len < t.cap;
}

void prove_url_resolve(void)
{
	size_t base_len, len;

	ANY_BYTES();
	//@ loop unroll N + 1;
	for (base_len = 0; base_len <= N; base_len++)
		//@ loop unroll N + 1;
		for (len = 0; len <= N; len++)
			resolve(base_len, len);
}

static void find_secret(size_t len)
{
	struct wsi_str s = wsi_find_secret(LAST(len), len);
	size_t before = (size_t)(s.p - LAST(len));

	//@ assert before + s.len <= len;
}

static void put_without_secrets(size_t len)
{
	struct wsi_text t;

	wsi_text_init(&t, shown, sizeof shown);
	wsi_put_without_secrets(&t, LAST(len), len);
}

void prove_secret(void)
{
	size_t len;

	ANY_BYTES();
	//@ loop unroll N + 1;
	for (len = 0; len <= N; len++) {
		wsi_is_secret_response_header(LAST(len), len);
		find_secret(len);
		put_without_secrets(len);
	}
}
