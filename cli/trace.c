/* SPDX-License-Identifier: ISC
 * trace.c - writes to stderr what -v shows: heads line by line, and frames
 *
 * ">" marks what we sent, "<" what we received. With several URLs each line begins with the URL that
 * it belongs to. Secrets are masked.
 */
#include "cli/wsquery.h"
#include <string.h>

#define TRACE_LINE 512  /* bytes of a line that are shown */
#define TRACE_FRAME 200 /* bytes of a payload that are shown */
#define TRACE_URL 300   /* bytes of the URL before each line */

/* "GET /chat?token=*** HTTP/1.1" */
static void trace_put_request_line(struct wsi_text *t, const char *s, size_t len)
{
	size_t from = wsi_find(s, len, ' '), to = len;

	while (to > from && s[to - 1] != ' ')
		to--;
	if (to <= from + 1) { /* no target between two spaces */
		wsi_put_safe(t, s, len);
		return;
	}
	wsi_put_safe(t, s, from + 1);
	wsi_put_without_secrets(t, s + from + 1, to - from - 2);
	wsi_put_safe(t, s + to - 1, len - to + 1);
}

/* True for headers whose value is a URL, which may hold secrets. */
static bool trace_is_url_header(const char *name, size_t len)
{
	static const char *const names[] = {"Location", "Content-Location", "Referer", "Origin"};
	struct wsi_str given = {name, len};
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct wsi_str known = {names[i], strlen(names[i])};

		if (wsi_same_str(given, known))
			return true;
	}
	return false;
}

/* A line of a head. Names are shown as they came; a line without a name is shown whole. */
static void trace_put_header(struct wsi_text *t, int sent, const char *s, size_t len)
{
	size_t name = wsi_span_if(s, len, wsi_is_tchar);
	struct wsi_str value;
	bool secret;

	if (name == len || s[name] != ':') {
		wsi_put_safe(t, s, len);
		return;
	}
	value = wsi_trim(s + name + 1, len - name - 1);
	if (sent)
		secret = wsi_is_secret_header(s, name);
	else
		secret = wsi_is_secret_response_header(s, name);
	wsi_put_n(t, s, name);
	wsi_put(t, ": ");
	if (secret)
		wsi_put(t, "***");
	else if (trace_is_url_header(s, name))
		wsi_put_location(t, value.p, value.len);
	else
		wsi_put_safe(t, value.p, value.len);
}

/* The beginning of each line */
static void trace_mark(struct wq_out *o, const struct wq_query *q, int sent)
{
	char url[TRACE_URL + 1];
	struct wsi_text t;

	if (q && q->o->several) {
		wsi_text_init(&t, url, sizeof url);
		wsi_put_url(&t, q->url, strlen(q->url));
		wq_out_n(o, url, t.len);
		wq_out(o, " ");
	}
	wq_out(o, sent ? "> " : "< ");
}

static void trace_head(struct wq_out *o, const struct wq_query *q, int sent, const char *s,
                       size_t len)
{
	char buf[TRACE_LINE];
	struct wsi_text t;
	size_t at, end, next;

	for (at = 0; at < len; at = next) {
		end = at + wsi_find(s + at, len - at, '\n');
		next = end + 1;
		if (end > at && s[end - 1] == '\r')
			end--;
		if (end == at) /* the empty line that ends the head */
			continue;
		wsi_text_init(&t, buf, sizeof buf);
		if (sent && at == 0)
			trace_put_request_line(&t, s, end);
		else
			trace_put_header(&t, sent, s + at, end - at);
		trace_mark(o, q, sent);
		wq_out_n(o, buf, t.len);
		wq_out(o, t.cut ? "...\n" : "\n");
	}
}

static const char *trace_opcode_name(unsigned opcode)
{
	switch (opcode) {
	case WSI_CONT:
		return "more";
	case WSI_TEXT:
		return "text";
	case WSI_BINARY:
		return "binary";
	case WSI_CLOSE:
		return "close";
	case WSI_PING:
		return "ping";
	case WSI_PONG:
		return "pong";
	default:
		return "unknown";
	}
}

/* p[0..len) is the beginning of a payload of payload_len bytes. */
static void trace_payload(struct wq_out *o, const unsigned char *p, size_t len,
                          uint64_t payload_len)
{
	struct wq_json j;

	if (len == 0)
		return;
	wq_out(o, ": ");
	wq_json_begin(&j, o);
	wq_json_string(&j, p, len < TRACE_FRAME ? len : TRACE_FRAME);
	if (payload_len > TRACE_FRAME || payload_len > len)
		wq_out(o, "...");
}

/* True for a frame with data that --data-expand made, which may hold a token of an earlier answer */
static bool trace_is_hidden(const struct wq_query *q, int sent, unsigned opcode)
{
	return q && sent && q->expanded && q->state == WQ_SEND && opcode < WSI_CLOSE;
}

static void trace_frame(struct wq_out *o, const struct wq_query *q, int sent,
                        const unsigned char *p, size_t len)
{
	struct wsi_frame f;
	uint64_t payload_len;
	unsigned opcode;

	if (wsi_frame_decode(&f, p, len) || !f.head)
		return;
	p += f.head;
	len -= f.head;
	payload_len = f.len;
	opcode = f.b0 & 15u;
	trace_mark(o, q, sent);
	wq_out(o, trace_opcode_name(opcode));
	wq_out(o, f.b0 & WSI_FIN ? ", " : " (more follows), ");
	wq_out_u(o, payload_len);
	wq_out(o, payload_len == 1 ? " byte" : " bytes");
	if (opcode == WSI_CLOSE && len >= 2) {
		wq_out(o, ": ");
		wq_out_u(o, p[0] * 256u + p[1]);
		p += 2;
		len -= 2;
		payload_len -= 2;
	}
	if (trace_is_hidden(q, sent, opcode))
		wq_out(o, ": made by --data-expand");
	else
		trace_payload(o, p, len, payload_len);
	wq_out(o, "\n");
}

/* "* TLSv1.2, TLS_ECDHE_...; certificate: subject "CN=h", issuer "CN=ca", ends 2030-01-01T00:00:00Z" */
static void trace_tls(struct wq_out *o, const struct wq_query *q)
{
	const struct ws_report *r = q ? q->info : NULL;
	char ends[TRACE_LINE];
	struct wsi_text t;

	if (!r)
		return;
	wsi_text_init(&t, ends, sizeof ends);
	wq_put_date(&t, r->cert_not_after);
	wq_out(o, "* ");
	wq_out(o, r->tls_version);
	wq_out(o, " with ");
	wq_out(o, r->tls_cipher);
	wq_out(o, "\n* certificate: subject ");
	wq_out(o, r->cert_subject);
	wq_out(o, ", issuer ");
	wq_out(o, r->cert_issuer);
	wq_out(o, ", ends ");
	wq_out(o, ends);
	wq_out(o, r->tls_verified ? ", verified\n" : ", NOT verified\n");
}

static void trace_connection(struct wq_out *o, const char *s, size_t len)
{
	char buf[2 * TRACE_LINE];
	struct wsi_text t;

	wsi_text_init(&t, buf, sizeof buf);
	wsi_put_safe(&t, s, len);
	wq_out(o, "* ");
	wq_out_n(o, buf, t.len);
	wq_out(o, t.cut ? "...\n" : "\n");
}

void wq_trace(void *user_data, int sent, int type, const void *data, size_t len)
{
	const struct wq_query *q = user_data;
	struct wq_out o;

	if (wq_err_is_over())
		return;
	wq_err_init(&o);
	if (type == WS_TRACE_HEAD)
		trace_head(&o, q, sent, data, len);
	else if (type == WS_TRACE_CONNECT)
		trace_connection(&o, data, len);
	else if (type == WS_TRACE_TLS)
		trace_tls(&o, user_data);
	else if (type == WS_TRACE_FRAME && len > 0)
		trace_frame(&o, q, sent, data, len);
	wq_out_end(&o);
}
