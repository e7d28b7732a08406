/* SPDX-License-Identifier: ISC
 * env.c - what the environment says of proxies and trust, where the command line is silent
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/wsquery.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The first of names, "a\0b\0", that is set and not empty */
static const char *env_first(const char *names, const char **from)
{
	for (; *names; names += strlen(names) + 1) {
		const char *v = getenv(names);

		if (v && *v) {
			*from = names;
			return v;
		}
	}
	return NULL;
}

#define AT(member) (unsigned short)offsetof(struct wq_options, member)

/* Fields that can come from the environment: where the variable's name stands, NULL if it did not, and the value */
static const struct env_field {
	char name[16];
	unsigned short from, value;
} env_fields[] = {
    {"proxy", AT(from_proxy), AT(lib.proxy)},
    {"proxy_wss", AT(from_proxy_wss), AT(lib.proxy_wss)},
    {"no_proxy", AT(from_no_proxy), AT(lib.no_proxy)},
    {"tls.ca_file", AT(from_ca_file), AT(lib.tls.ca_file)},
    {"tls.ca_dir", AT(from_ca_dir), AT(lib.tls.ca_dir)},
    {"tls.keylog_file", AT(from_keylog), AT(lib.tls.keylog_file)},
};

const char *wq_env_of(struct wq_options *o, const char *field, int drop)
{
	const char *from = NULL, *none = NULL;
	size_t i;

	for (i = 0; i < sizeof env_fields / sizeof env_fields[0]; i++) {
		const struct env_field *f = &env_fields[i];

		if (strcmp(field, f->name) != 0)
			continue;
		memcpy(&from, (char *)o + f->from, sizeof from);
		if (!from || !drop)
			break;
		memcpy((char *)o + f->from, &none, sizeof none);
		memcpy((char *)o + f->value, &none, sizeof none);
	}
	return from;
}

static void env_tls(struct wq_options *o)
{
	struct ws_tls *t = &o->lib.tls;
	const char *v;
	int dir;

	if (!(ws_features() & WS_HAS_TLS))
		return;
	t->keylog_file = env_first("SSLKEYLOGFILE\0", &o->from_keylog);
	if (t->ca_file || t->ca_dir || t->insecure_no_verify)
		return;
	v = env_first("WEBSOCKET_CLIENT_CA_BUNDLE\0", &o->from_ca_file);
	if (!v) {
		t->ca_file = env_first("SSL_CERT_FILE\0", &o->from_ca_file);
		t->ca_dir = env_first("SSL_CERT_DIR\0", &o->from_ca_dir);
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
	v[0] = env_first("ws_proxy\0WS_PROXY\0http_proxy\0all_proxy\0ALL_PROXY\0", &from[0]);
	v[1] = env_first("wss_proxy\0WSS_PROXY\0https_proxy\0HTTPS_PROXY\0all_proxy\0ALL_PROXY\0",
	                 &from[1]);
}

#ifdef WS_NO_PROXY
static int env_proxies(struct wq_options *o, struct wq_why *why)
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
static void env_wrong_proxy(struct wq_why *why, const char *name, const char *v,
                            const struct wsi_url *url, const char *cause)
{
	struct wsi_text *t = wq_why(why);

	wsi_put(t, name);
	wsi_put(t, ": \"");
	wsi_put_proxy_url(t, v, strlen(v));
	wsi_put(t, "\": ");
	wsi_put_url_why(t, url, v, strlen(v), cause);
}

static void env_wrong_entry(struct wq_why *why, const char *name, struct wsi_str entry)
{
	struct wsi_text *t = wq_why(why);

	wsi_put(t, name);
	wsi_put(t, ": \"");
	wsi_put_url(t, entry.p, entry.len);
	wsi_put(t, "\": it is no host, domain, address or CIDR block");
}

/* A value that is wrong: an error if it was to be used, else a warning */
static int env_judge(struct wq_why *why, int used)
{
	if (used)
		return WS_EPROXY;
	wq_say(wq_why(why)->p, "ignored, for it applies to nothing here");
	wq_why_free(why);
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
	o->lib.no_proxy = p;
	return 0;
}

static int env_proxies(struct wq_options *o, struct wq_why *why)
{
	struct wsi_url url;
	struct wsi_proxy proxy;
	struct wsi_str bad;
	const char *v[2] = {NULL, NULL}, *from[2] = {NULL, NULL};
	int i, use, url_ok = wsi_url_parse(&url, o->url, strlen(o->url), -1) == NULL;

	if (!o->lib.proxy)
		env_pick(v, from);
	if (!v[0] && !v[1] && !(o->lib.proxy && *o->lib.proxy))
		return 0;
	use = o->lib.proxy
	      || (url_ok && v[url.secure] && wsi_no_proxy(env_loopback, &url, &bad) == 0);
	if (!o->lib.no_proxy) {
		o->lib.no_proxy = env_first("no_proxy\0NO_PROXY\0", &o->from_no_proxy);
		if (o->lib.no_proxy && wsi_no_proxy(o->lib.no_proxy, NULL, &bad) < 0) {
			env_wrong_entry(why, o->from_no_proxy, bad);
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
		const char *cause = v[i] ? wsi_proxy_parse(&proxy, v[i], strlen(v[i])) : NULL;

		if (!cause)
			continue;
		env_wrong_proxy(why, from[i], v[i], &proxy.url, cause);
		if (env_judge(why, use && url.secure == i
		                       && wsi_no_proxy(o->lib.no_proxy, &url, &bad) <= 0))
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

int wq_env_apply(struct wq_options *o, struct wq_why *why)
{
	env_tls(o);
	return o->lib.unix_socket ? 0 : env_proxies(o, why);
}
