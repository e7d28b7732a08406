/* SPDX-License-Identifier: ISC
 * share.c - what several queries share, so that it is read once: the certificates that they trust
 */
#include "cli/share.h"
#include "cli/options.h"
#include "ws.h"
#include <string.h>

static bool is_same_path(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	return strcmp(a, b) == 0;
}

/* Reads the certificates that the options trust. If a file that an option names cannot be read,
 * each query fails with the library's error. If the system's certificates cannot be read, only a
 * query that needs one of them may fail, so each query reads them itself. */
static void read_trust(struct wq_options *o, const struct ws_options *lib)
{
	o->trust = ws_trust_new(lib);
	if (!o->trust) /* no memory: a connection of its own needs less of it */
		return;
	o->trust_file = lib->tls.ca_file;
	o->trust_dir = lib->tls.ca_dir;
	if (!o->trust_file && !o->trust_dir && *ws_trust_errmsg(o->trust))
		wq_share_no_trust(o);
}

void wq_share_trust(struct wq_options *o, struct ws_options *lib, bool secure)
{
	const struct ws_tls *tls = &lib->tls;
	bool has_files = tls->ca_file || tls->ca_dir;

	if (!o->several || !(ws_features() & WS_HAS_TLS))
		return;
	if (!has_files && (!secure || tls->insecure_no_verify))
		return;
	if (!o->trust)
		read_trust(o, lib);
	/* They differ where a value of the environment was dropped. */
	if (o->trust && is_same_path(o->trust_file, tls->ca_file)
	    && is_same_path(o->trust_dir, tls->ca_dir))
		lib->tls.trust = o->trust;
}

void wq_share_no_trust(struct wq_options *o)
{
	ws_trust_free(o->trust);
	o->trust = NULL;
}
