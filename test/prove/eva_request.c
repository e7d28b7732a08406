/* SPDX-License-Identifier: ISC
 * eva_request.c - for Frama-C's Eva: the request of the handshake, for any options, and the check of each
 * of them. test/prove/run starts each entry point.
 */
#include <string.h>
#include "ws.h"
#include "eva.h"
#include "eva_any.h"

void prove_request(void);
void prove_request_check(void);

/* url.c: eva-url */

size_t wsi_url_span_if(const char *p, size_t len, wsi_class *is)
{
	return wsi_span_if(p, len, is);
}

void wsi_put_hostport(struct wsi_text *t, const struct wsi_url *u, bool always_port)
{
	wsi_put_n(t, u->host.p, u->host.len);
}

static void put_request(void)
{
	static char buf[8];
	const char *list[] = {any_string(), NULL, NULL};
	struct ws_options o;
	struct wsi_url u;
	struct wsi_text out;
	struct wsi_request r = {&out, &u, "key", &o, any_bool()};

	memset(&o, 0, sizeof o);
	memset(&u, 0, sizeof u);
	wsi_text_init(&out, buf, sizeof buf);
	if (list[0])
		list[1] = any_string();
	o.headers = o.subprotocols = list;
	o.origin = any_string();
	o.host = any_string();
	o.user_agent = any_string();
	o.cookie = any_string();
	o.user = any_string();
	o.bearer = any_string();
	u.path = u.host = any_str();
	wsi_put_request(&r);
}

/* cbmc-login proves how a userinfo is decoded. */
void prove_request(void)
{
	any_input();
	put_request();
}

/* One option at a time: the check ends with the first that is wrong. */

static char shown[8];

static void check(const struct ws_options *o)
{
	const char *option, *value;
	struct wsi_text t;

	wsi_text_init(&t, shown, sizeof shown);
	wsi_request_check(o, &option, &value, &t);
}

static void check_lists(void)
{
	const char *list[] = {any_string(), NULL, NULL};
	struct ws_options o;

	memset(&o, 0, sizeof o);
	if (list[0])
		list[1] = any_string();
	o.headers = list;
	check(&o);
	o.headers = NULL;
	o.subprotocols = list;
	check(&o);
}

static void check_strings(void)
{
	struct ws_options o;

	memset(&o, 0, sizeof o);
	o.host = any_string();
	check(&o);
	o.host = NULL;
	o.user_agent = any_string();
	check(&o);
	o.user_agent = NULL;
	o.cookie = any_string();
	check(&o);
	o.cookie = NULL;
	o.user = any_string();
	check(&o);
	o.bearer = any_string();
	check(&o);
}

void prove_request_check(void)
{
	any_input();
	check_lists();
	check_strings();
}
