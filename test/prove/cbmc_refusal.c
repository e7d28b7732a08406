/* SPDX-License-Identifier: ISC
 * cbmc_refusal.c - for CBMC: the sentences of refusal.c, for any response
 *
 * What the functions find that search a body, a list of challenges, or a secret, is anything that they may
 * find. They are left out here; cbmc-refusal_body, cbmc-challenges and eva-shows_secret prove them.
 * test/prove/run starts each entry point.
 */
#include "cbmc_any.h"
#include "ws.h"

struct refusal_challenges;
static int refusal_has_words(struct wsi_str s, const char *words);
static struct wsi_str refusal_first_line(struct wsi_str body);
static void refusal_note_challenges(struct refusal_challenges *c, struct wsi_str list,
                                    const char *sent_scheme);
#include "refusal.c"

void check_refusal(void);
void check_proxy_refusal(void);

#define BODY 4  /* bytes */
#define VALUE 3 /* bytes of each header */
#define LINES 5 /* one more than a sentence shows */

static char room[4], body[BODY], values[VALUE];

static int refusal_has_words(struct wsi_str s, const char *words)
{
	MUST(__CPROVER_r_ok(s.p, s.len) && __CPROVER_r_ok(words, 1));
	return any_bool();
}

static struct wsi_str refusal_first_line(struct wsi_str whole)
{
	return any_slice(whole.p, whole.len);
}

static void refusal_note_challenges(struct refusal_challenges *c, struct wsi_str list,
                                    const char *sent_scheme)
{
	int more = any_int();

	MUST(list.len > 0 && __CPROVER_r_ok(list.p, list.len) && sent_scheme != NULL);
	ASSUME(more >= 0 && more <= VALUE);
	c->count += more;
	c->basic = c->basic || any_bool();
	c->bearer = c->bearer || any_bool();
	c->sent = c->sent || any_bool();
}

int wsi_shows_secret(struct wsi_str text, const struct ws_options *o, const struct wsi_url *u)
{
	MUST(__CPROVER_r_ok(text.p, text.len) && o != NULL && u != NULL);
	return any_bool();
}

/* url_show.c: eva-url_show */
void wsi_put_location(struct wsi_text *t, const char *ref, size_t len)
{
	wsi_put_n(t, ref, len);
}

/* header.c: eva-response */
const char *wsi_header_next(const char *line, struct wsi_header *h)
{
	static int lines;

	MUST(line != NULL);
	if (lines == LINES || any_bool())
		return NULL;
	lines++;
	h->name = any_slice(values, VALUE);
	h->value = any_slice(values, VALUE);
	return line;
}

static void any_response(struct wsi_response *r)
{
	int k;

	r->status = any_int();
	r->reason = any_slice(values, VALUE);
	r->fields = any_bool() ? values : NULL;
	for (k = 0; k < WSI_SEEN; k++) {
		r->seen[k].value = any_value(values, VALUE);
		r->seen[k].listed = any_bool();
	}
}

void check_refusal(void)
{
	struct wsi_response r;
	struct wsi_refusal f;
	struct ws_options o;
	struct wsi_text t;
	struct wsi_url u;
	const char *option;

	any_response(&r);
	f.response = &r;
	f.body = any_slice(body, BODY);
	f.url = &u;
	f.opt = &o;
	f.sent.scheme[sizeof f.sent.scheme - 1] = '\0';
	wsi_text_init(&t, room, sizeof room);
	option = wsi_put_refusal(&t, &f);
	MUST(__CPROVER_r_ok(option, 1));
}

void check_proxy_refusal(void)
{
	struct wsi_response r;
	struct wsi_text t;

	any_response(&r);
	wsi_text_init(&t, room, sizeof room);
	wsi_put_proxy_refusal(&t, &r, any_bool());
}
