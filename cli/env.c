/* SPDX-License-Identifier: ISC
 * env.c - takes proxies and trust from the environment, where the command line does not name them
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/env.h"
#include "ws_proto.h"
#include "cli/out.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A variable that is set and not empty. value: NULL if there is none. */
struct env_variable {
	const char *name, *value;
};

/* The first of names, which end with NULL, that is set and not empty */
static struct env_variable env_first(const char *const *names)
{
	struct env_variable none = {NULL, NULL}, found;

	for (; *names; names++) {
		found.name = *names;
		found.value = getenv(*names);
		if (found.value && *found.value)
			return found;
	}
	return none;
}

static struct env_variable env_get(const char *name)
{
	const char *names[] = {NULL, NULL};

	names[0] = name;
	return env_first(names);
}

/* Which fields came from the environment */

#define FROM(member) offsetof(struct wq_env, member)
#define VALUE(member) offsetof(struct ws_options, member)

/* from, value: where struct wq_env has the variable's name, and struct ws_options the value */
static const struct env_field {
	const char *name;
	size_t from, value;
} env_fields[] = {
    {"proxy", FROM(proxy), VALUE(proxy)},
    {"proxy_wss", FROM(proxy_wss), VALUE(proxy_wss)},
    {"no_proxy", FROM(no_proxy), VALUE(no_proxy)},
    {"tls.ca_file", FROM(ca_file), VALUE(tls.ca_file)},
    {"tls.ca_dir", FROM(ca_dir), VALUE(tls.ca_dir)},
    {"tls.keylog_file", FROM(keylog_file), VALUE(tls.keylog_file)},
};

static const struct env_field *env_find_field(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof env_fields / sizeof *env_fields; i++)
		if (strcmp(name, env_fields[i].name) == 0)
			return &env_fields[i];
	return NULL;
}

const char *wq_env_of(const struct wq_env *env, const char *field)
{
	const struct env_field *f = env_find_field(field);
	const char *from;

	if (!f)
		return NULL;
	memcpy(&from, (const char *)env + f->from, sizeof from);
	return from;
}

void wq_env_drop(struct wq_env *env, const char *field)
{
	const struct env_field *f = env_find_field(field);
	const char *none = NULL;

	if (!f || !wq_env_of(env, field))
		return;
	memcpy((char *)env + f->from, &none, sizeof none);
	memcpy((char *)env->lib + f->value, &none, sizeof none);
}

/* Warnings. Every query would say the same of a variable. */

void wq_env_warn(const char *variable, const char *what, const char *why)
{
	static const char *warned[8]; /* more than there are variables that can be wrong at once */
	size_t i = 0;

	while (i < sizeof warned / sizeof *warned && warned[i]) {
		if (strcmp(warned[i], variable) == 0)
			return;
		i++;
	}
	if (i < sizeof warned / sizeof *warned)
		warned[i] = variable;
	wq_say(what, why);
}

/* TLS */

static bool env_is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Our own variable names a file or a directory; those of OpenSSL have one for each. */
static void env_trust(struct wq_env *env)
{
	struct env_variable own = env_get("WEBSOCKET_CLIENT_CA_BUNDLE");
	struct env_variable file = env_get("SSL_CERT_FILE"), dir = env_get("SSL_CERT_DIR");
	struct env_variable none = {NULL, NULL};

	if (own.value && env_is_directory(own.value)) {
		file = none;
		dir = own;
	} else if (own.value) {
		file = own;
		dir = none;
	}
	env->lib->tls.ca_file = file.value;
	env->ca_file = file.name;
	env->lib->tls.ca_dir = dir.value;
	env->ca_dir = dir.name;
}

static void env_tls(struct wq_env *env)
{
	struct ws_tls *tls = &env->lib->tls;
	struct env_variable keylog = env_get("SSLKEYLOGFILE");

	if (!(ws_features() & WS_HAS_TLS))
		return;
	tls->keylog_file = keylog.value;
	env->keylog_file = keylog.name;
	if (!tls->ca_file && !tls->ca_dir && !tls->insecure_no_verify)
		env_trust(env);
}

/* Proxies */

static struct env_variable env_ws_proxy(void)
{
	/* HTTP_PROXY is not among them: a CGI program would take it from a request's header. */
	static const char *const names[] = {"ws_proxy",  "WS_PROXY",  "http_proxy",
	                                    "all_proxy", "ALL_PROXY", NULL};

	return env_first(names);
}

static struct env_variable env_wss_proxy(void)
{
	static const char *const names[] = {"wss_proxy", "WSS_PROXY", "https_proxy", "HTTPS_PROXY",
	                                    "all_proxy", "ALL_PROXY", NULL};

	return env_first(names);
}

#ifdef WS_NO_PROXY
static int env_proxies(struct wq_env *env, const char *url, struct wq_why *why)
{
	struct env_variable found = env_ws_proxy();

	(void)env;
	(void)url;
	(void)why;
	if (!found.value)
		found = env_wss_proxy();
	if (found.value)
		wq_env_warn(found.name, found.name, "ignored: proxies were not built in");
	return 0;
}
#else
static const char env_loopback[] = ",localhost,127.0.0.0/8,::1";

/* The host that is asked. A wrong URL fails later, and needs no proxy until then. */
struct env_target {
	struct wsi_url url;
	bool is_valid;
};

/* True if the list of no_proxy has the query's host. */
static bool env_is_exempt(const struct env_target *target, const char *list)
{
	struct wsi_str bad;

	return wsi_no_proxy(list, &target->url, &bad) > 0;
}

/* A variable is wrong. That is an error if the query needs it, else only a warning. */
static int env_judge(struct wq_why *why, const char *variable, bool needed)
{
	if (needed)
		return WS_EPROXY;
	wq_env_warn(variable, wq_why(why)->p, "ignored, because this query does not use it");
	wq_why_free(why);
	return 0;
}

/* Drops a proxy whose URL is wrong. */
static int env_check_proxy(struct wq_why *why, struct env_variable *v, bool needed)
{
	struct wsi_proxy proxy;
	struct wsi_text *t;
	const char *cause;
	size_t len;

	if (!v->value)
		return 0;
	len = strlen(v->value);
	cause = wsi_proxy_parse(&proxy, v->value, len);
	if (!cause)
		return 0;
	t = wq_why(why);
	wsi_put(t, v->name);
	wsi_put(t, ": \"");
	wsi_put_proxy_url(t, v->value, len);
	wsi_put(t, "\": ");
	wsi_put_url_why(t, &proxy.url, v->value, len, cause);
	v->value = NULL;
	return env_judge(why, v->name, needed);
}

static int env_no_proxy(struct wq_env *env, struct wq_why *why, bool needed)
{
	static const char *const names[] = {"no_proxy", "NO_PROXY", NULL};
	struct env_variable v = env_first(names);
	struct wsi_str bad;
	struct wsi_text *t;

	if (env->lib->no_proxy || !v.value)
		return 0;
	env->no_proxy = v.name;
	if (wsi_no_proxy(v.value, NULL, &bad) >= 0) {
		env->lib->no_proxy = v.value;
		return 0;
	}
	t = wq_why(why);
	wsi_put(t, v.name);
	wsi_put(t, ": \"");
	wsi_put_url(t, bad.p, bad.len);
	wsi_put(t, "\": it is not a host, domain, address or CIDR block");
	return env_judge(why, v.name, needed);
}

/* The environment's proxies are never used for the loopback. */
static int env_spare_loopback(struct wq_env *env)
{
	const char *list = env->lib->no_proxy;
	size_t len = 0;
	char *p;

	if (list)
		len = strlen(list);
	p = wq_alloc(NULL, NULL, 0, len + sizeof env_loopback);
	if (!p)
		return WS_EMEMORY;
	if (list)
		memcpy(p, list, len);
	memcpy(p + len, env_loopback, sizeof env_loopback);
	env->list = p;
	env->list_size = len + sizeof env_loopback;
	env->lib->no_proxy = p;
	return 0;
}

/* Both proxies are stored, because a redirect can lead from ws:// to wss://. */
static int env_use_proxies(struct wq_env *env, const struct env_target *target, struct wq_why *why,
                           struct env_variable ws, struct env_variable wss)
{
	bool secure = target->is_valid && target->url.secure;
	bool ws_set = ws.value != NULL, wss_set = wss.value != NULL, needed;
	int r;

	if (!ws_set && !wss_set)
		return 0;
	needed =
	    target->is_valid && (secure ? wss_set : ws_set) && !env_is_exempt(target, env_loopback);
	r = env_no_proxy(env, why, needed);
	if (r < 0)
		return r;
	if (env_spare_loopback(env) < 0)
		return WS_EMEMORY;
	needed = needed && !env_is_exempt(target, env->lib->no_proxy);
	r = env_check_proxy(why, &ws, needed && !secure);
	if (r == 0)
		r = env_check_proxy(why, &wss, needed && secure);
	if (r < 0)
		return r;
	env->lib->proxy = ws.value;
	env->proxy = ws.name;
	env->lib->proxy_wss = wss.value ? wss.value : "";
	env->proxy_wss = wss.name;
	return 0;
}

static int env_proxies(struct wq_env *env, const char *url, struct wq_why *why)
{
	struct env_target target;

	target.is_valid = !wsi_url_parse(&target.url, url, strlen(url));
	if (!env->lib->proxy)
		return env_use_proxies(env, &target, why, env_ws_proxy(), env_wss_proxy());
	if (*env->lib->proxy)
		return env_no_proxy(env, why, true);
	return 0; /* -x '': no proxy */
}
#endif

int wq_env_apply(struct wq_env *env, struct ws_options *lib, const char *url, struct wq_why *why)
{
	memset(env, 0, sizeof *env);
	env->lib = lib;
	env_tls(env);
	if (lib->unix_socket)
		return 0;
	return env_proxies(env, url, why);
}

void wq_env_end(struct wq_env *env)
{
	if (env->list)
		wq_alloc(NULL, env->list, env->list_size, 0);
	env->list = NULL;
}
