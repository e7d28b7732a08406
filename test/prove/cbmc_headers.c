/* SPDX-License-Identifier: ISC
 * cbmc_headers.c - for CBMC: the headers of any short head, as ws_header keeps them. How a line is split is
 * left out of header.c: eva-response proves that. test/prove/run starts it.
 */
#include "cbmc_any.h"
#include "header.c"

void check_headers(void);

/* CBMC's own does not copy a part of an array whose length it does not know. */
void *memcpy(void *to, const void *from, size_t n)
{
	char *p = to;
	size_t i;

	for (i = 0; i < n; i++)
		p[i] = ((const char *)from)[i];
	return to;
}

#define LINES 2
#define NAME 1  /* bytes, at most */
#define VALUE 1 /* likewise */

/* The head: a line in it is a place in marks. */
static char marks[LINES + 1], names[LINES][NAME], values[LINES][VALUE];
static struct wsi_header lines[LINES];
static size_t count;

const char *wsi_header_next(const char *line, struct wsi_header *h)
{
	const size_t i = (size_t)(line - marks);

	MUST(i <= count);
	if (i == count)
		return NULL;
	*h = lines[i];
	return line + 1;
}

/* No header has a NUL. */
static struct wsi_str any_text(char *p, size_t least, size_t most)
{
	struct wsi_str s = {p, any_size()};
	size_t i;

	ASSUME(s.len >= least && s.len <= most);
	for (i = 0; i < most; i++) {
		p[i] = any_char();
		ASSUME(p[i] != '\0');
	}
	return s;
}

/* Returns the bytes of such a head: "name:value" and a line end, for each line. */
static size_t any_head(void)
{
	size_t i, len = 0;

	count = any_size();
	ASSUME(count <= LINES);
	for (i = 0; i < count; i++) {
		lines[i].name = any_text(names[i], 1, NAME);
		lines[i].value = any_text(values[i], 0, VALUE);
		len += lines[i].name.len + lines[i].value.len + 2;
	}
	return len;
}

void check_headers(void)
{
	static char room[LINES * (NAME + VALUE + 2) + 1];
	const size_t len = any_head();
	struct wsi_text t;

	wsi_text_init(&t, room + sizeof room - len - 1, len + 1);
	wsi_put_headers(&t, marks);
	MUST(!t.cut && t.len <= len);
	MUST(count == 0
	     || wsi_find_header(t.p, t.len, lines[0].name) == t.p + lines[0].name.len + 1);
}
