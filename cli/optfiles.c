/* SPDX-License-Identifier: ISC
 * optfiles.c - options whose values are in files: which files there are, and what they hold
 *
 * wq_options_find_inputs() lists the files, query.c reads them with input.c, and
 * wq_options_use_inputs() stores their content. No content is ever shown: it may be a secret.
 */
#include "cli/optable.h"
#include <string.h>

struct wsi_text *wq_input_wrong(const struct wq_input *in, struct wq_why *why)
{
	struct wsi_text *t = wq_why(why);

	wq_put_option(t, in->option);
	wsi_put(t, ": ");
	wq_put_input(t, in);
	wsi_put(t, ": ");
	return t;
}

/* Finding them */

static void find_secrets(struct wq_options *o)
{
	size_t i;

	for (i = 0; i < wq_n_options; i++) {
		const struct wq_option *option = &wq_option_table[i];
		const char **value = wq_option_member(o, option);
		struct wq_input *in;

		if (option->kind != WQ_KIND_SECRET || !*value || **value != '@')
			continue;
		in = wq_add_input(o, option->name, *value + 1);
		if (in)
			in->value = value;
	}
}

/* A URL can be in a file, so that a secret in it need not be on the command line. */
static void find_url(struct wq_options *o)
{
	struct wq_input *in;

	if (o->n_urls == 0 || *o->urls[0] != '@')
		return;
	if (o->several) {
		wq_complain_of(
		    o, "URL", o->urls[0],
		    "is a file with one URL, so no other can be given: --from FILE reads many");
		return;
	}
	in = wq_add_input(o, "URL", o->urls[0] + 1);
	if (in)
		in->value = &o->urls[0];
}

void wq_options_find_inputs(struct wq_options *o)
{
	bool has_stdin = o->lines || (o->from && strcmp(o->from, "-") == 0);
	const char **h;
	size_t i;

	for (h = o->headers; h && *h; h++)
		if (**h == '@')
			wq_add_input(o, "header", *h + 1);
	find_secrets(o);
	find_url(o);
	for (i = 0; i < o->n_inputs; i++) {
		if (strcmp(o->inputs[i].path, "-") != 0)
			continue;
		if (has_stdin)
			wq_complain_of(
			    o, o->inputs[i].option, "@-",
			    "is a second use of standard input, which can be read only once");
		has_stdin = true;
	}
}

/* Values */

/* True for a cookie jar of curl or a browser: lines of seven fields with tabs between them, perhaps
 * after a comment that says so. */
static bool is_cookie_jar(const char *p)
{
	if (strncmp(p, "# Netscape HTTP Cookie", 22) == 0 || strncmp(p, "# HTTP Cookie", 13) == 0)
		return true;
	while (*p) {
		size_t i, tabs = 0, len = strcspn(p, "\n");

		for (i = 0; i < len; i++)
			if (p[i] == '\t')
				tabs++;
		if (tabs >= 6)
			return true;
		p += len;
		if (*p == '\n')
			p++;
	}
	return false;
}

/* The value is the whole content but the end of its line. */
static int take_value(struct wq_options *o, struct wq_input *in)
{
	if (strcmp(in->option, "cookie") == 0 && is_cookie_jar(in->p)) {
		wsi_put(wq_input_wrong(in, &o->why),
		        "it is a cookie jar, which is not supported: the file must hold the value "
		        "of the Cookie header, NAME=VALUE; NAME=VALUE");
		return WS_EUSAGE;
	}
	if (in->len > 0 && in->p[in->len - 1] == '\n')
		in->len--;
	if (in->len > 0 && in->p[in->len - 1] == '\r')
		in->len--;
	in->p[in->len] = '\0';
	*in->value = in->p;
	return 0;
}

/* Header lines */

/* A line of a file: '\r' and '\n' both end one, but only '\n' counts. */
struct line {
	char *p; /* not terminated */
	size_t len;
	size_t number; /* from 1 */
};

/* The next line that is not empty, from *p on; *p moves after it. False: there are no more. The
 * caller sets the line's number to 1 before the first call. */
static bool next_line(char **p, struct line *line)
{
	while (**p == '\r' || **p == '\n') {
		if (**p == '\n')
			line->number++;
		++*p;
	}
	line->p = *p;
	line->len = strcspn(*p, "\r\n");
	*p += line->len;
	return line->len > 0;
}

/* Checks header lines before the library would, because the library shows what is wrong. Adds
 * their number to *count. */
static int check_lines(struct wq_options *o, const struct wq_input *in, size_t *count)
{
	struct line line = {NULL, 0, 1};
	char *p = in->p;

	while (next_line(&p, &line)) {
		struct wsi_text *t;

		++*count;
		if (memchr(line.p, ':', line.len))
			continue;
		t = wq_input_wrong(in, &o->why);
		wsi_put(t, "line ");
		wsi_put_u(t, line.number);
		wsi_put(t, " is not of the form \"Name: value\"");
		return WS_EUSAGE;
	}
	return 0;
}

/* Puts the lines into list, each as a string. Returns the end of the list. */
static const char **take_lines(char *p, const char **list)
{
	struct line line = {NULL, 0, 1};

	while (next_line(&p, &line)) {
		*list++ = line.p;
		if (!*p)
			break;
		*p++ = '\0';
	}
	return list;
}

static bool holds_header_lines(const struct wq_input *in)
{
	return !in->step && !in->value;
}

/* Makes the library's list of headers: each "@FILE" is replaced by the lines of its file. The
 * inputs of headers are in the order of the headers that name them. */
static int take_headers(struct wq_options *o, size_t lines)
{
	const struct wq_input *in = o->inputs;
	const char **list, **end, **h;
	size_t n = lines + 1;

	for (h = o->headers; *h; h++)
		n++;
	list = wq_alloc(NULL, NULL, 0, n * sizeof *list);
	if (!list)
		return WS_EMEMORY;
	end = list;
	for (h = o->headers; *h; h++) {
		if (**h != '@') {
			*end++ = *h;
			continue;
		}
		while (!holds_header_lines(in))
			in++;
		end = take_lines(in->p, end);
		in++;
	}
	*end = NULL;
	o->lib.headers = list;
	return 0;
}

int wq_options_use_inputs(struct wq_options *o)
{
	size_t i, lines = 0;
	bool has_headers = false;
	int r = 0;

	o->lib.headers = o->headers;
	for (i = 0; i < o->n_inputs && r == 0; i++) {
		struct wq_input *in = &o->inputs[i];

		if (in->step)
			continue;
		if (strlen(in->p) != in->len) {
			wsi_put(wq_input_wrong(in, &o->why), "it holds a NUL byte");
			return WS_EUSAGE;
		}
		if (in->value) {
			r = take_value(o, in);
		} else {
			has_headers = true;
			r = check_lines(o, in, &lines);
		}
	}
	if (r == 0 && has_headers)
		r = take_headers(o, lines);
	return r;
}
