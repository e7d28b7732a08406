/* SPDX-License-Identifier: ISC
 * header.c - header lines of HTTP (RFC 7230 3.2): what requests, responses and their readers share
 */
#include <string.h>
#include "ws_proto.h"

bool wsi_is_header_text(int c)
{
	return c == '\t' || (c >= ' ' && c != 0x7f);
}

const char *wsi_header_split(const char *line, struct wsi_header *h)
{
	size_t n = wsi_span_if(line, SIZE_MAX, wsi_is_tchar);

	h->name.p = line;
	h->name.len = n;
	/* RFC 7230 3.2.4: no space comes before the colon. A folded line begins with a space. */
	if (n == 0 || line[n] != ':')
		return NULL;
	line += n + 1;
	n = wsi_span_if(line, SIZE_MAX, wsi_is_header_text);
	h->value = wsi_trim(line, n);
	return line + n;
}

const char *wsi_header_next(const char *line, struct wsi_header *h)
{
	const char *end = wsi_header_split(line, h);

	if (!end)
		return NULL;
	if (*end == '\r')
		end++;
	return end + 1;
}

const char *wsi_head_fields(const char *head, size_t len)
{
	return head + wsi_find(head, len, '\n') + 1;
}

const char *wsi_find_header(const char *headers, size_t len, struct wsi_str name)
{
	const char *p = headers, *end = headers + len, *value;

	while (p < end) {
		value = p + strlen(p) + 1;
		if (wsi_is(name, p))
			return value;
		p = value + strlen(value) + 1;
	}
	return NULL;
}

/* Appends the values of that name among the lines, each after ", ". */
static void header_put_others(struct wsi_text *t, const char *line, struct wsi_str name)
{
	const char *next;
	struct wsi_header h;

	for (; (next = wsi_header_next(line, &h)) != NULL; line = next) {
		if (!wsi_same_str(h.name, name))
			continue;
		wsi_put(t, ", ");
		wsi_put_n(t, h.value.p, h.value.len);
	}
}

void wsi_put_headers(struct wsi_text *t, const char *fields)
{
	const size_t begin = t->len;
	const char *line = fields, *next;
	struct wsi_header h;

	for (; (next = wsi_header_next(line, &h)) != NULL; line = next) {
		if (wsi_find_header(t->p + begin, t->len - begin, h.name))
			continue;
		wsi_put_n(t, h.name.p, h.name.len);
		wsi_put_c(t, '\0');
		wsi_put_n(t, h.value.p, h.value.len);
		header_put_others(t, next, h.name);
		wsi_put_c(t, '\0');
	}
}

const char *const *wsi_find_string(const char *const *list, struct wsi_str s)
{
	for (; list && *list; list++)
		if (strlen(*list) == s.len && memcmp(*list, s.p, s.len) == 0)
			return list;
	return NULL;
}
