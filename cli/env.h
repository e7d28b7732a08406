/* SPDX-License-Identifier: ISC
 * env.h - proxies and trust from the environment, where the command line does not name them
 */
#ifndef WQ_ENV_H
#define WQ_ENV_H
#include "cli/memory.h"
#include "ws.h"

/* The options of one try, with what the environment adds to them */
struct wq_env {
	struct ws_options *lib;
	/* The variables that these fields of *lib came from, or NULL */
	const char *proxy, *proxy_wss, *no_proxy;
	const char *ca_file, *ca_dir, *keylog_file;
	char *list; /* of no_proxy, if it was made here */
	size_t list_size;
};
/* Sets what the command line left open, as url needs it. 0; WS_EPROXY: see *why; WS_EMEMORY. In
 * each case *env must be ended once *lib is no longer needed. */
int wq_env_apply(struct wq_env *env, struct ws_options *lib, const char *url, struct wq_why *why);
void wq_env_end(struct wq_env *env);
/* The variable that the value of a field of struct ws_options came from, or NULL. */
const char *wq_env_of(const struct wq_env *env, const char *field);
/* Unsets a field whose value came from the environment. */
void wq_env_drop(struct wq_env *env, const char *field);
/* "wsquery: WHAT: WHY" on standard error, but only once for each variable */
void wq_env_warn(const char *variable, const char *what, const char *why);

#endif
