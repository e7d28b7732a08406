/* SPDX-License-Identifier: ISC
 * trace.c - what -v shows on stderr: heads line by line and frames, ">" out and "<" in, secrets masked
 */
#include "cli/wsquery.h"
#include <string.h>

#define TRACE_LINE 512  /* bytes of a line that are shown */
#define TRACE_FRAME 200 /* bytes of a payload that are shown */

static const char trace_urls[] =
    "Location\0Content-Location\0Referer\0Origin\0"; /* headers with a URL */

/* "GET /chat?token=*** HTTP/1.1" */
static void trace_put_request_line(struct wsi_text *t, const char *s, size_t len)
{
	size_t from = wsi_find(s, len, ' '), to = len;

	while (to > from && s[to - 1] != ' ')
		to--;
	if (to <= from + 1) { /* there are no two spaces around a target */
		wsi_put_safe(t, s, len);
		return;
	}
	wsi_put_safe(t, s, from + 1);
	wsi_put_without_secrets(t, s + from + 1, to - from - 2);
	wsi_put_safe(t, s + to - 1, len - to + 1);
}

/* A header line, or what is none. Names are shown as they came. */
static void trace_put_header(struct wsi_text *t, int sent, const char *s, size_t len)
{
	size_t name = wsi_span(s, len, WSI_TCHAR);
	struct wsi_str value;
	int secret;

	if (name == len || s[name] != ':') {
		wsi_put_safe(t, s, len);
		return;
	}
	value = wsi_trim(s + name + 1, len - name - 1);
	secret = sent ? wsi_is_secret_header(s, name) : wsi_is_secret_response_header(s, name);
	wsi_put_n(t, s, name);
	wsi_put(t, ": ");
	if (secret)
		wsi_put(t, "***");
	else if (wsi_among(s, name, trace_urls) >= 0)
		wsi_put_location(t, value.p, value.len);
	else
		wsi_put_safe(t, value.p, value.len);
}

static void trace_head(struct wq_out *o, int sent, const char *mark, const char *s, size_t len)
{
	char buf[TRACE_LINE];
	struct wsi_text t;
	size_t i, end, next;

	for (i = 0; i < len; i = next) {
		end = i + wsi_find(s + i, len - i, '\n');
		next = end + 1;
		if (end > i && s[end - 1] == '\r')
			end--;
		if (end == i) /* the empty line at its end */
			continue;
		wsi_text_init(&t, buf, sizeof buf);
		if (sent && i == 0)
			trace_put_request_line(&t, s, end);
		else
			trace_put_header(&t, sent, s + i, end - i);
		wq_out(o, mark);
		wq_out_n(o, buf, t.len);
		wq_out(o, t.cut ? "...\n" : "\n");
	}
}

static void trace_frame(struct wq_out *o, const char *mark, const unsigned char *p, size_t len)
{
	static const char names[][7] = {
	    [WSI_CONT] = "more",   [WSI_TEXT] = "text", [WSI_BINARY] = "binary",
	    [WSI_CLOSE] = "close", [WSI_PING] = "ping", [WSI_PONG] = "pong"};
	struct wsi_frame f;
	unsigned op;

	if (wsi_frame_decode(&f, p, len) || !f.head)
		return;
	op = f.b0 & 15u;
	p += f.head;
	len -= f.head;
	wq_print(o, "%s%s%s%d byte%s", mark, names[op], f.b0 & WSI_FIN ? ", " : " (more follows), ",
	         (int64_t)f.len, f.len == 1 ? "" : "s");
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
	if (wq_err_is_over())
		return;
	wq_err_init(&o);
	if (type == WS_TRACE_HEAD)
		trace_head(&o, sent, mark, data, len);
	else if (type == WS_TRACE_FRAME && len > 0)
		trace_frame(&o, mark, data, len);
	wq_out_end(&o);
}
