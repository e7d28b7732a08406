/* SPDX-License-Identifier: ISC
 * eva_refusal.c - for Frama-C's Eva: what refusal.c notes of any request, and any secrets that it looks for
 * in any text. What other files find is anything that they may find. test/prove/run starts each entry point.
 */
#include <string.h>
#include "ws.h"
#include "eva.h"
#include "eva_any.h"

void prove_note_sent(void);
void prove_shows_secret(void);

/* request.c and secret.c: cbmc-login and eva-secret */

void wsi_put_basic_login(struct wsi_text *t, const char *login)
{
	wsi_put(t, login);
}

void wsi_put_basic_userinfo(struct wsi_text *t, struct wsi_str userinfo)
{
	wsi_put_n(t, userinfo.p, userinfo.len);
}

struct wsi_str wsi_find_secret(const char *p, size_t len)
{
	const size_t from = any_len(len);
	struct wsi_str s = {p + from, 0};

	if (from < len)
		s.len = 1 + any_len(len - from - 1);
	return s;
}

/* What was sent */

void prove_note_sent(void)
{
	struct wsi_sent sent;

	any_input();
	wsi_note_sent(&sent, "any", 3);
	//@ assert sent.scheme[sizeof(sent.scheme) - 1] == 0;
}

/* Any secret */

static void shows_secret(struct wsi_str text)
{
	static const char *const headers[] = {"any", NULL};
	struct ws_options o;
	struct wsi_url u;

	memset(&o, 0, sizeof o);
	memset(&u, 0, sizeof u);
	o.user = any_string();
	wsi_shows_secret(text, &o, &u);
	o.user = NULL;
	o.bearer = any_string();
	wsi_shows_secret(text, &o, &u);
	o.bearer = NULL;
	o.headers = headers;
	wsi_shows_secret(text, &o, &u);
	o.headers = NULL;
	u.userinfo = any_str();
	wsi_shows_secret(text, &o, &u);
	u.userinfo.len = 0;
	u.path = any_str();
	wsi_shows_secret(text, &o, &u);
}

void prove_shows_secret(void)
{
	any_input();
	shows_secret(any_str());
}
