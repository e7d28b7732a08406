/* SPDX-License-Identifier: ISC
 * env.h - proxies and trust from the environment, where the command line does not name them
 */
#ifndef WQ_ENV_H
#define WQ_ENV_H
#include "cli/options.h"

/* 0; WS_EPROXY: see *why; WS_EMEMORY. */
int wq_env_apply(struct wq_options *o, struct wq_why *why);
/* The variable that the value of a field of struct ws_options came from, or NULL. */
const char *wq_env_of(const struct wq_options *o, const char *field);
/* Unsets a field whose value came from the environment. */
void wq_env_drop(struct wq_options *o, const char *field);

#endif
