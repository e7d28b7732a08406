/* SPDX-License-Identifier: ISC
 * copy.c - copies everything that the options point to, so that a program may free it as soon as
 * ws_new has returned
 *
 * wsi_copy_options runs twice over the same options: first it only counts, then it copies into a
 * block of that size. Callbacks, ws_options.io and tls.config are not copied: they are the
 * program's.
 */
#include "ws_conn.h"
#include <string.h>

struct copy {
	char *to; /* NULL: only count */
	size_t len;
};

static void copy_string(struct copy *c, const char **s)
{
	size_t n;

	if (!*s)
		return;
	n = strlen(*s) + 1;
	if (c->to) {
		memcpy(c->to + c->len, *s, n);
		*s = c->to + c->len;
	}
	c->len += n;
}

/* Room for an array of so many pointers. NULL: only count. */
static const char **copy_room(struct copy *c, size_t count)
{
	const size_t unit = sizeof(char *);
	char *at;

	c->len = (c->len + unit - 1) / unit * unit;
	at = c->to ? c->to + c->len : NULL;
	c->len += count * unit;
	return (const char **)(void *)at;
}

static void copy_list(struct copy *c, const char *const **list)
{
	const char *const *from = *list;
	const char **to;
	size_t n = 0, i;

	if (!from)
		return;
	while (from[n])
		n++;
	to = copy_room(c, n + 1);
	for (i = 0; i < n; i++) {
		const char *s = from[i];

		copy_string(c, &s);
		if (to)
			to[i] = s;
	}
	if (!to)
		return;
	to[n] = NULL;
	*list = to;
}

static void copy_tls(struct copy *c, struct ws_tls *t)
{
	copy_string(c, &t->ca_file);
	copy_string(c, &t->ca_dir);
	copy_string(c, &t->cert_file);
	copy_string(c, &t->key_file);
	copy_string(c, &t->key_password);
	copy_string(c, &t->server_name);
	copy_string(c, &t->ciphers);
	copy_string(c, &t->pin_sha256);
	copy_string(c, &t->keylog_file);
}

size_t wsi_copy_options(struct ws_options *o, char *to)
{
	struct copy c = {to, 0};

	copy_list(&c, &o->headers);
	copy_list(&c, &o->subprotocols);
	copy_string(&c, &o->origin);
	copy_string(&c, &o->host);
	copy_string(&c, &o->user_agent);
	copy_string(&c, &o->cookie);
	copy_string(&c, &o->user);
	copy_string(&c, &o->bearer);
	copy_string(&c, &o->unix_socket);
	copy_string(&c, &o->proxy);
	copy_string(&c, &o->proxy_wss);
	copy_string(&c, &o->no_proxy);
	copy_list(&c, &o->resolve);
	copy_string(&c, &o->local_interface);
	copy_tls(&c, &o->tls);
	return c.len;
}
