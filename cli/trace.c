/* SPDX-License-Identifier: ISC
 * trace.c - what -v shows on stderr: heads line by line and frames, ">" out and "<" in, secrets masked
 */
#include "cli/wsquery.h"
#include <string.h>

#define TRACE_LINE 512  /* bytes of a line that are shown */
#define TRACE_FRAME 200 /* bytes of a payload that are shown */

/* The headers whose values nobody is shown */
static int is_secret(const char *name, size_t len)
{
	return wsi_among(name, len, "authorization\0proxy-authorization\0cookie\0set-cookie\0") >= 0;
}

static void trace_line(struct wq_out *o, const char *mark, const char *s, size_t len)
{
	char buf[TRACE_LINE];
	struct wsi_text t;
	size_t name = wsi_span(s, len, WSI_TCHAR);

	wsi_text_init(&t, buf, sizeof buf);
	if (name < len && s[name] == ':' && is_secret(s, name)) {
		wsi_put_n(&t, s, name);
		wsi_put(&t, ": ***");
	} else if (name < len && s[name] == ':' && wsi_among(s, name, "location\0") == 0) {
		wsi_put(&t, "Location: ");
		for (name++; name < len && s[name] == ' '; name++)
			;
		wsi_put_url(&t, s + name, len - name);
	} else {
		wsi_put_safe(&t, s, len);
	}
	wq_out(o, mark);
	wq_out_n(o, buf, t.len);
	wq_out(o, t.cut ? "...\n" : "\n");
}

static void trace_head(struct wq_out *o, const char *mark, const char *s, size_t len)
{
	size_t i = 0;

	while (i < len) {
		size_t end = i, next;

		while (end < len && s[end] != '\n')
			end++;
		next = end + 1;
		if (end > i && s[end - 1] == '\r')
			end--;
		if (end > i) /* not the empty line at its end */
			trace_line(o, mark, s + i, end - i);
		i = next;
	}
}

static void trace_frame(struct wq_out *o, const char *mark, const unsigned char *p, size_t len)
{
	static const char names[][7] = {[WSI_CONT] = "more",   [WSI_TEXT] = "text", [WSI_BINARY] = "binary",
	                                [WSI_CLOSE] = "close", [WSI_PING] = "ping", [WSI_PONG] = "pong"};
	struct wsi_frame f;
	unsigned op;

	if (wsi_frame_decode(&f, p, len) || !f.head)
		return;
	op = f.b0 & 15u;
	p += f.head;
	len -= f.head;
	wq_print(o, "%s%s%s%d byte%s", mark, names[op], f.b0 & WSI_FIN ? ", " : " (more follows), ", (int64_t)f.len,
	         f.len == 1 ? "" : "s");
	if (op == WSI_CLOSE && len >= 2) {
		wq_print(o, ": %d", (int64_t)(p[0] * 256 + p[1]));
		p += 2;
		len -= 2;
	}
	if (len > 0) {
		size_t n = len < TRACE_FRAME ? len : TRACE_FRAME;

		wq_out(o, ": ");
		wq_json_string(o, p, n);
		if (n < f.len - (op == WSI_CLOSE ? 2 : 0))
			wq_out(o, "...");
	}
	wq_out(o, "\n");
}

void wq_trace(void *user_data, int sent, int type, const void *data, size_t len)
{
	const char *mark = sent ? "> " : "< ";
	struct wq_out o;

	(void)user_data;
	wq_out_init(&o, 2, 0);
	if (type == WS_TRACE_HEAD)
		trace_head(&o, mark, data, len);
	else if (type == WS_TRACE_FRAME && len > 0)
		trace_frame(&o, mark, data, len);
	wq_out_end(&o);
}
