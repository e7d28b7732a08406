/* SPDX-License-Identifier: ISC
 * env.c - what the environment says of proxies and trust, where the command line is silent
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "wsquery.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The first that is set and not empty */
static const char *env_first(const char *const *names, const char **from)
{
	for (; *names; names++) {
		const char *v = getenv(*names);

		if (v && *v) {
			*from = *names;
			return v;
		}
	}
	return NULL;
}

static const char *env_one(const char *name, const char **from)
{
	const char *const names[] = {name, NULL};

	return env_first(names, from);
}

/* Where the environment's value of a field, and the name of its variable, stand; NULL: it came from elsewhere */
static const char **env_find(struct wq_options *o, const char *field, const char ***value)
{
	struct ws_options *l = &o->lib;
	const struct {
		const char *field, **from, **value;
	} table[] = {
	    {"proxy", &o->from_proxy, &l->proxy},
	    {"proxy_wss", &o->from_proxy_wss, &l->proxy_wss},
	    {"no_proxy", &o->from_no_proxy, &l->no_proxy},
	    {"tls.ca_file", &o->from_ca_file, &l->tls.ca_file},
	    {"tls.ca_dir", &o->from_ca_dir, &l->tls.ca_dir},
	    {"tls.keylog_file", &o->from_keylog, &l->tls.keylog_file},
	};
	size_t i;

	for (i = 0; i < sizeof table / sizeof table[0]; i++) {
		if (strcmp(field, table[i].field) != 0)
			continue;
		*value = table[i].value;
		return *table[i].from ? table[i].from : NULL;
	}
	return NULL;
}

const char *wq_env_of(struct wq_options *o, const char *field)
{
	const char **value, **from = env_find(o, field, &value);

	return from ? *from : NULL;
}

void wq_env_drop(struct wq_options *o, const char *field)
{
	const char **value, **from = env_find(o, field, &value);

	if (from)
		*from = *value = NULL;
}

static void env_tls(struct wq_options *o)
{
	struct ws_tls *t = &o->lib.tls;
	const char *v;
	int dir;

	if (!(ws_features() & WS_HAS_TLS))
		return;
	t->keylog_file = env_one("SSLKEYLOGFILE", &o->from_keylog);
	if (t->ca_file || t->ca_dir || t->insecure_no_verify)
		return;
	v = env_one("WEBSOCKET_CLIENT_CA_BUNDLE", &o->from_ca_file);
	if (!v) {
		t->ca_file = env_one("SSL_CERT_FILE", &o->from_ca_file);
		t->ca_dir = env_one("SSL_CERT_DIR", &o->from_ca_dir);
		return;
	}
	dir = open(v, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0) {
		close(dir);
		o->from_ca_dir = o->from_ca_file;
		o->from_ca_file = NULL;
		t->ca_dir = v;
	} else {
		t->ca_file = v;
	}
}

/* The variables that are set, for ws:// and wss:// */
static void env_pick(const char *v[2], const char *from[2])
{
	static const char *const for_ws[] = {"ws_proxy", "WS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY", NULL};
	static const char *const for_wss[] = {"wss_proxy", "WSS_PROXY", "https_proxy", "HTTPS_PROXY",
	                                      "all_proxy", "ALL_PROXY", NULL};

	v[0] = env_first(for_ws, &from[0]);
	v[1] = env_first(for_wss, &from[1]);
}

#ifdef WS_NO_PROXY
static int env_proxies(struct wq_options *o, struct wsi_text *why)
{
	const char *v[2], *from[2] = {NULL, NULL};

	(void)o;
	(void)why;
	env_pick(v, from);
	if (v[0] || v[1])
		wq_say(v[0] ? from[0] : from[1], "ignored: proxies were not built in");
	return 0;
}
#else
static const char env_loopback[] = ",localhost,127.0.0.0/8,::1";

/* "http_proxy: \"...\": why" */
static void env_wrong(struct wsi_text *t, const char *name, const char *v, size_t len, const char *why)
{
	wsi_put(t, name);
	wsi_put(t, ": \"");
	wsi_put_url(t, v, len);
	wsi_put(t, "\": ");
	wsi_put(t, why);
}

/* A value that is wrong: an error if it was to be used, else a warning */
static int env_judge(struct wsi_text *why, int used)
{
	if (used)
		return WS_EPROXY;
	wsi_put(why, " (ignored: it applies to nothing here)");
	wq_say(NULL, why->p);
	wsi_text_init(why, why->p, why->cap);
	return 0;
}

/* Appends what the environment's proxies are never used for */
static int env_spare_loopback(struct wq_options *o)
{
	const char *list = o->lib.no_proxy ? o->lib.no_proxy : "";
	size_t len = strlen(list);
	char *p = wq_alloc(NULL, NULL, 0, len + sizeof env_loopback);

	if (!p)
		return WS_EMEMORY;
	memcpy(p, list, len);
	memcpy(p + len, env_loopback, sizeof env_loopback);
	o->lib.no_proxy = o->env_no_proxy = p;
	o->env_no_proxy_len = len + sizeof env_loopback;
	return 0;
}

static int env_proxies(struct wq_options *o, struct wsi_text *why)
{
	static const char *const for_none[] = {"no_proxy", "NO_PROXY", NULL};
	struct wsi_url url;
	struct wsi_proxy_url proxy;
	struct wsi_str bad;
	const char *cause, *v[2] = {NULL, NULL}, *from[2] = {NULL, NULL};
	size_t where;
	int i, use, url_ok = wsi_url_parse(&url, o->url, strlen(o->url), &cause, &where) == 0;

	if (!o->lib.proxy)
		env_pick(v, from);
	if (!v[0] && !v[1] && !(o->lib.proxy && *o->lib.proxy))
		return 0;
	use = o->lib.proxy || (url_ok && v[url.secure] && wsi_no_proxy(env_loopback, &url, &bad) == 0);
	if (!o->lib.no_proxy) {
		o->lib.no_proxy = env_first(for_none, &o->from_no_proxy);
		if (o->lib.no_proxy && wsi_no_proxy(o->lib.no_proxy, NULL, &bad) < 0) {
			env_wrong(why, o->from_no_proxy, bad.p, bad.len, "no host, domain, address or CIDR block");
			if (env_judge(why, use))
				return WS_EPROXY;
			o->lib.no_proxy = NULL;
		}
	}
	if (o->lib.proxy)
		return 0;
	if (env_spare_loopback(o) < 0)
		return WS_EMEMORY;
	for (i = 0; i < 2; i++) {
		if (!v[i] || wsi_proxy_parse(&proxy, v[i], strlen(v[i]), &cause, &where) == 0)
			continue;
		env_wrong(why, from[i], v[i], strlen(v[i]), cause);
		if (env_judge(why, use && url.secure == i && wsi_no_proxy(o->lib.no_proxy, &url, &bad) <= 0))
			return WS_EPROXY;
		v[i] = NULL;
	}
	o->lib.proxy = v[0];
	o->lib.proxy_wss = v[1] ? v[1] : "";
	o->from_proxy = from[0];
	o->from_proxy_wss = from[1];
	return 0;
}
#endif

int wq_env_apply(struct wq_options *o, struct wsi_text *why)
{
	env_tls(o);
	return o->lib.unix_socket ? 0 : env_proxies(o, why);
}
