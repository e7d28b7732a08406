/* SPDX-License-Identifier: ISC
 * expand.c - --data-expand: checks the text, keeps what an -e matched, and makes the data to send
 *
 * What comes from the server is put into the data as it is. It is never searched for another "${".
 */
#include "cli/expand.h"
#include "cli/optable.h"
#include <string.h>

#define EXPAND_SECRET 4       /* bytes of the shortest text that counts as a secret */
#define EXPAND_SECRET_BEGIN 8 /* bytes of its beginning that must not be shown either */

/* The parts of the text */

enum expand_kind { EXPAND_END, EXPAND_TEXT, EXPAND_GROUP, EXPAND_WRONG };

struct expand_part {
	enum expand_kind kind;
	struct wsi_str text; /* EXPAND_TEXT */
	unsigned group;      /* EXPAND_GROUP */
};

/* Reads the part at *p, where end is the end of the text, and moves *p after it. */
static struct expand_part expand_next(const char **p, const char *end)
{
	struct expand_part part = {EXPAND_END, {*p, 0}, 0};
	const char *s = *p;

	if (s == end)
		return part;
	if (*s != '$') {
		part.kind = EXPAND_TEXT;
		part.text.len = wsi_find(s, (size_t)(end - s), '$');
		*p = s + part.text.len;
		return part;
	}
	if (s + 2 <= end && s[1] == '$') {
		part.kind = EXPAND_TEXT;
		part.text.len = 1;
		*p = s + 2;
		return part;
	}
	if (s + 4 <= end && s[1] == '{' && s[2] >= '0' && s[2] <= '9' && s[3] == '}') {
		part.kind = EXPAND_GROUP;
		part.group = (unsigned)(s[2] - '0');
		*p = s + 4;
		return part;
	}
	part.kind = EXPAND_WRONG;
	return part;
}

/* The command line */

/* The -e before the last step, or NULL */
static struct wq_step *expand_latest_expect(struct wq_options *o)
{
	size_t i;

	for (i = o->n_steps - 1; i > 0; i--)
		if (o->steps[i - 1].kind == WQ_STEP_EXPECT)
			return &o->steps[i - 1];
	return NULL;
}

static void expand_put_pattern(struct wsi_text *t, const struct wq_step *expect)
{
	wsi_put(t, "-e ");
	wq_put_value(t, expect->pattern.p);
}

/* Prepares to find the groups of the step's pattern. False: there is a fault, or no memory. */
static bool expand_prepare(struct wq_options *o, struct wq_step *expect)
{
	const struct wq_pattern *pattern = &expect->pattern;
	const char *why = "";
	struct wsi_text *t;
	size_t size, where;
	void *mem;

	if (expect->capture)
		return true;
	if (!pattern->match) /* the pattern is wrong, which was reported already */
		return false;
	size = wq_capture_size(pattern->p, pattern->len, &why, &where, &expect->groups);
	if (size == 0) {
		if (wq_has_complained(o))
			return false;
		t = wq_why(&o->why);
		wsi_put(t, "--data-expand: the groups of ");
		expand_put_pattern(t, expect);
		wsi_put(t, " cannot be determined: ");
		wsi_put(t, why);
		wsi_put(t, " (at byte ");
		wsi_put_u(t, where + 1);
		wsi_put(t, ")");
		return false;
	}
	mem = wq_alloc(NULL, NULL, 0, size);
	if (!mem) {
		o->no_memory = true;
		return false;
	}
	expect->capture = wq_capture_init(mem, size, pattern->p, pattern->len);
	return true;
}

/* The pattern has too few groups. */
static void expand_no_group(struct wq_options *o, const struct wq_step *expect, unsigned group)
{
	struct wsi_text *t;

	if (wq_has_complained(o))
		return;
	t = wq_why(&o->why);
	wsi_put(t, "--data-expand: ${");
	wsi_put_u(t, group);
	wsi_put(t, "}, but ");
	expand_put_pattern(t, expect);
	if (expect->groups == 0) {
		wsi_put(t, " has no groups: put ( and ) around what is wanted");
		return;
	}
	wsi_put(t, " has ");
	wsi_put_u(t, expect->groups);
	wsi_put(t, expect->groups == 1 ? " group" : " groups");
}

static void expand_check_group(struct wq_options *o, unsigned group)
{
	struct wq_step *expect = expand_latest_expect(o);
	const char *text = o->steps[o->n_steps - 1].p;

	if (!expect) {
		wq_complain_of(o, "data-expand", text,
		               "comes before any -e, so there is no message to take it from");
		return;
	}
	expect->keep = true;
	if (group > 0 && expand_prepare(o, expect) && group > expect->groups)
		expand_no_group(o, expect, group);
}

void wq_expand_check(struct wq_options *o)
{
	const struct wq_step *step = &o->steps[o->n_steps - 1];
	const char *p = step->p, *end = p + step->len;
	struct expand_part part;

	do {
		part = expand_next(&p, end);
		if (part.kind == EXPAND_GROUP)
			expand_check_group(o, part.group);
	} while (part.kind == EXPAND_TEXT || part.kind == EXPAND_GROUP);
	if (part.kind == EXPAND_WRONG)
		wq_complain_of(o, "data-expand", step->p,
		               "has a $ that begins none of ${0} to ${9}: for the character itself "
		               "write $$");
}

/* What was matched */

static void captured_end_search(struct wq_captured *c)
{
	if (c->own)
		wq_alloc(NULL, c->own, wq_capture_memory(c->own), 0);
	c->own = c->capture = NULL;
}

int wq_captured_take(struct wq_captured *c, const struct wq_step *expect, const struct ws_msg *msg)
{
	struct ws_msg kept;
	size_t at;

	captured_end_search(c);
	wq_store_clear(&c->message);
	memset(c->group, 0, sizeof c->group);
	if (wq_store_put(&c->message, msg, msg->len))
		return WS_EMEMORY;
	at = c->message.head;
	wq_store_next(&c->message, &at, &kept);
	c->group[0].len = kept.len;
	c->capture = expect->capture;
	if (c->capture)
		wq_capture_start(c->capture, kept.data, kept.len);
	return 0;
}

int wq_captured_find(struct wq_captured *c)
{
	struct wsi_str group;
	struct ws_msg kept;
	size_t at = c->message.head;
	unsigned i;

	if (!c->capture)
		return 1;
	if (!wq_capture_step(c->capture))
		return 0;
	wq_store_next(&c->message, &at, &kept);
	for (i = 1; i <= WQ_CAPTURE_GROUPS; i++) {
		group = wq_capture_group(c->capture, i);
		if (!group.p)
			continue;
		c->group[i].at = (size_t)(group.p - (const char *)kept.data);
		c->group[i].len = group.len;
	}
	captured_end_search(c);
	return 1;
}

int wq_captured_let_go(struct wq_captured *c)
{
	void *mem;

	if (!c->capture || c->own)
		return 0;
	mem = wq_alloc(NULL, NULL, 0, wq_capture_memory(c->capture));
	if (!mem)
		return WS_EMEMORY;
	c->own = c->capture = wq_capture_copy(mem, c->capture);
	return 0;
}

void wq_captured_free(struct wq_captured *c)
{
	captured_end_search(c);
	wq_store_free(&c->message);
}

struct wsi_str wq_captured_group(const struct wq_captured *c, unsigned group)
{
	struct wsi_str none = {"", 0}, found;
	struct ws_msg msg;
	size_t at = c->message.head;

	if (!wq_store_next(&c->message, &at, &msg) || c->group[group].len == 0)
		return none;
	found.p = (const char *)msg.data + c->group[group].at;
	found.len = c->group[group].len;
	return found;
}

static bool expand_holds(struct wsi_str text, struct wsi_str part)
{
	size_t i;

	for (i = 0; i + part.len <= text.len; i++)
		if (memcmp(text.p + i, part.p, part.len) == 0)
			return true;
	return false;
}

bool wq_captured_repeats(const struct wq_captured *c, struct wsi_str text)
{
	struct wsi_str found;
	unsigned i;

	for (i = 0; i <= WQ_CAPTURE_GROUPS; i++) {
		found = wq_captured_group(c, i);
		if (found.len < EXPAND_SECRET)
			continue;
		/* The beginning of a token gives it away. Messages often begin in the same way. */
		if (i > 0 && found.len > EXPAND_SECRET_BEGIN)
			found.len = EXPAND_SECRET_BEGIN;
		if (expand_holds(text, found))
			return true;
	}
	return false;
}

/* The data to send */

static struct wsi_str expand_bytes_of(const struct expand_part *part, const struct wq_captured *c)
{
	return part->kind == EXPAND_GROUP ? wq_captured_group(c, part->group) : part->text;
}

int wq_expand(const struct wq_step *send, const struct wq_captured *c, size_t max, char **data,
              size_t *len)
{
	const char *p = send->p, *end = p + send->len;
	struct expand_part part;
	struct wsi_str bytes;
	size_t total = 0;

	*data = NULL;
	*len = 0;
	while ((part = expand_next(&p, end)).kind != EXPAND_END) {
		bytes = expand_bytes_of(&part, c);
		if (bytes.len > max - total)
			return WS_ETOOBIG;
		total += bytes.len;
	}
	if (total == 0)
		return 0;
	*data = wq_alloc(NULL, NULL, 0, total);
	if (!*data)
		return WS_EMEMORY;
	p = send->p;
	while ((part = expand_next(&p, end)).kind != EXPAND_END) {
		bytes = expand_bytes_of(&part, c);
		memcpy(*data + *len, bytes.p, bytes.len);
		*len += bytes.len;
	}
	return 0;
}
