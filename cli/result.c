/* SPDX-License-Identifier: ISC
 * result.c - writes a finished query as one JSON object, member by member as in result.schema.json
 */
#include "cli/wsquery.h"
#include <string.h>

#define DAY 86400 /* seconds */

/* "data" and "encoding" */

static void put_message(struct wq_json *j, const struct ws_msg *msg)
{
	if (msg->type == WS_BINARY)
		wq_json_base64(j, msg->data, msg->len);
	else
		wq_json_string(j, msg->data, msg->len);
}

static void put_one_message(struct wq_json *j, const struct ws_msg *msg)
{
	wq_json_key(j, "data");
	if (!msg->data) {
		wq_json_null(j);
		return;
	}
	put_message(j, msg);
	if (msg->type == WS_BINARY) {
		wq_json_key(j, "encoding");
		wq_json_text(j, "base64");
	}
}

static void put_messages(struct wq_json *j, const struct wq_query *q)
{
	struct wq_walk walk = {0, 0}, again = {0, 0};
	bool binary = false;
	struct ws_msg msg;

	wq_json_key(j, "data");
	wq_json_open(j, '[');
	while (wq_query_data(q, &walk, &msg)) {
		put_message(j, &msg);
		if (msg.type == WS_BINARY)
			binary = true;
	}
	wq_json_close(j, ']');
	if (!binary)
		return;
	wq_json_key(j, "encoding");
	wq_json_open(j, '[');
	while (wq_query_data(q, &again, &msg))
		wq_json_text(j, msg.type == WS_BINARY ? "base64" : NULL);
	wq_json_close(j, ']');
}

/* "headers" */

static bool is_url_header(struct wsi_str name)
{
	static const struct wsi_str location = {"location", 8}, content = {"content-location", 16};

	return wsi_same_str(name, location) || wsi_same_str(name, content);
}

/* Adds a header's value to the string that is open. Where it is a URL, its secrets are masked. */
static void add_header_value(struct wq_json *j, const struct wsi_header *h)
{
	char url[WQ_MAX_URL + 1];
	struct wsi_text t;

	if (!is_url_header(h->name)) {
		wq_json_add_to_string(j, h->value.p, h->value.len);
		return;
	}
	wsi_text_init(&t, url, sizeof url);
	wsi_put_location(&t, h->value.p, h->value.len);
	wq_json_add_to_string(j, url, t.len);
}

/* True if a header of that name comes before h. */
static bool is_repeated(const char *fields, const struct wsi_header *h)
{
	struct wsi_header other;

	while ((fields = wsi_header_next(fields, &other)) != NULL)
		if (wsi_same_str(h->name, other.name))
			return other.name.p != h->name.p;
	return false;
}

static void put_header(struct wq_json *j, const struct wsi_header *first, const char *rest)
{
	struct wsi_header other;

	wq_json_lower_key(j, first->name.p, first->name.len);
	wq_json_begin_string(j);
	add_header_value(j, first);
	while ((rest = wsi_header_next(rest, &other)) != NULL) {
		if (!wsi_same_str(first->name, other.name))
			continue;
		wq_json_add_to_string(j, ", ", 2);
		add_header_value(j, &other);
	}
	wq_json_end_string(j);
}

/* Each name once, at its first place, with the values of all headers of that name */
static void put_headers(struct wq_json *j, const struct wq_query *q)
{
	const char *fields, *at;
	struct wsi_header h;

	if (q->head_len == 0) {
		wq_json_null(j);
		return;
	}
	wq_json_open(j, '{');
	fields = at = wsi_head_fields(q->head, q->head_len);
	while ((at = wsi_header_next(at, &h)) != NULL)
		if (!is_repeated(fields, &h))
			put_header(j, &h, at);
	wq_json_close(j, '}');
}

/* The other members of "details" */

/* Whole days, rounded down also where the certificate has expired */
static int64_t days_left(const struct ws_report *r)
{
	int64_t seconds = wq_cert_left(r);

	if (seconds < 0)
		seconds -= DAY - 1;
	return seconds / DAY;
}

static void put_tls(struct wq_json *j, const struct ws_report *r)
{
	char date[WQ_DATE_LEN + 1];
	struct wsi_text t;

	if (!*r->tls_version && !*r->cert_subject && !r->cert_not_after) {
		wq_json_null(j);
		return;
	}
	wsi_text_init(&t, date, sizeof date);
	if (r->cert_not_after)
		wq_put_date(&t, r->cert_not_after);
	wq_json_open(j, '{');
	wq_json_key(j, "version");
	wq_json_text(j, r->tls_version);
	wq_json_key(j, "cipher");
	wq_json_text(j, r->tls_cipher);
	wq_json_key(j, "subject");
	wq_json_text(j, r->cert_subject);
	wq_json_key(j, "issuer");
	wq_json_text(j, r->cert_issuer);
	wq_json_key(j, "not_after");
	wq_json_text(j, date);
	wq_json_key(j, "days_left");
	if (r->cert_not_after)
		wq_json_integer(j, days_left(r));
	else
		wq_json_null(j);
	wq_json_key(j, "verified");
	wq_json_boolean(j, r->tls_verified);
	wq_json_close(j, '}');
}

static void put_close(struct wq_json *j, const struct ws_report *r)
{
	if (!r->close_code) {
		wq_json_null(j);
		return;
	}
	wq_json_open(j, '{');
	wq_json_key(j, "code");
	wq_json_integer(j, r->close_code);
	wq_json_key(j, "reason");
	wq_json_string(j, r->close_reason, r->close_reason_len);
	wq_json_close(j, '}');
}

static void put_timings(struct wq_json *j, const struct wq_query *q, const struct ws_report *r)
{
	int64_t connect_us = r->phase_us[WS_PHASE_CONNECT];

	if (r->phase_us[WS_PHASE_PROXY] >= 0) /* the proxy's dialogue is part of connecting */
		connect_us += r->phase_us[WS_PHASE_PROXY];
	wq_json_open(j, '{');
	wq_json_key(j, "resolve");
	wq_json_milliseconds(j, r->phase_us[WS_PHASE_RESOLVE]);
	wq_json_key(j, "connect");
	wq_json_milliseconds(j, connect_us);
	wq_json_key(j, "tls");
	wq_json_milliseconds(j, r->phase_us[WS_PHASE_TLS]);
	wq_json_key(j, "upgrade");
	wq_json_milliseconds(j, r->phase_us[WS_PHASE_UPGRADE]);
	wq_json_key(j, "ping");
	wq_json_milliseconds(j, q->ping_us);
	wq_json_key(j, "first_message");
	wq_json_milliseconds(j, q->first_us);
	wq_json_key(j, "total");
	wq_json_milliseconds(j, q->total_us);
	wq_json_close(j, '}');
}

/* --every */
static void put_pings(struct wq_json *j, const struct wq_pings *p)
{
	struct wq_round_trips r = wq_pings_round_trips(p);

	if (p->sent == 0) {
		wq_json_null(j);
		return;
	}
	wq_json_open(j, '{');
	wq_json_key(j, "sent");
	wq_json_integer(j, (int64_t)p->sent);
	wq_json_key(j, "received");
	wq_json_integer(j, (int64_t)p->answered);
	wq_json_key(j, "lost");
	wq_json_integer(j, (int64_t)(p->sent - p->answered));
	wq_json_key(j, "min_ms");
	wq_json_milliseconds(j, r.min_us);
	wq_json_key(j, "median_ms");
	wq_json_milliseconds(j, r.median_us);
	wq_json_key(j, "max_ms");
	wq_json_milliseconds(j, r.max_us);
	wq_json_close(j, '}');
}

/* A report that says nothing, for a query that ended before there was one */
static const struct ws_report *empty_report(struct ws_report *r)
{
	size_t i;

	memset(r, 0, sizeof *r);
	r->address = r->subprotocol = r->tls_version = r->cert_subject = "";
	for (i = 0; i < sizeof r->phase_us / sizeof r->phase_us[0]; i++)
		r->phase_us[i] = -1;
	return r;
}

static void put_details(struct wq_json *j, const struct wq_query *q)
{
	struct ws_report empty;
	const struct ws_report *r = q->info ? q->info : empty_report(&empty);
	char url[WQ_MAX_URL + 1];
	struct wsi_text t;

	wsi_text_init(&t, url, sizeof url);
	wq_put_url(&t, q);
	wq_json_open(j, '{');
	wq_json_key(j, "url");
	wq_json_string(j, url, t.len);
	wq_json_key(j, "address");
	wq_json_text(j, r->address);
	wq_json_key(j, "status");
	if (r->http_status)
		wq_json_integer(j, r->http_status);
	else
		wq_json_null(j);
	wq_json_key(j, "headers");
	put_headers(j, q);
	wq_json_key(j, "body");
	/* The body was read only if the head was complete. */
	if (r->http_status && r->err == WS_EHTTP && r->head_len > 0)
		wq_json_string(j, r->body, r->body_len);
	else
		wq_json_null(j);
	wq_json_key(j, "subprotocol");
	wq_json_text(j, r->subprotocol);
	wq_json_key(j, "extensions");
	wq_json_null(j); /* none is offered, so none can be agreed on */
	wq_json_key(j, "tls");
	put_tls(j, r);
	wq_json_key(j, "close");
	put_close(j, r);
	wq_json_key(j, "phase");
	wq_json_text(j, q->phase);
	wq_json_key(j, "reason");
	wq_json_text(j, wq_reason(q->err));
	wq_json_key(j, "attempts");
	wq_json_integer(j, q->attempts);
	wq_json_key(j, "timings_ms");
	put_timings(j, q, r);
	if (q->o->pings > 0) {
		wq_json_key(j, "pings");
		put_pings(j, &q->pings);
	}
	wq_json_close(j, '}');
}

/* The URL that was asked, whole, so that the answer can be found by it */
static void put_asked_url(struct wq_json *j, const char *url)
{
	char shown[WS_MAX_URL + 1];
	struct wsi_text t;

	wsi_text_init(&t, shown, sizeof shown);
	wsi_put_url(&t, url, strlen(url));
	wq_json_key(j, "url");
	wq_json_string(j, shown, t.len);
}

void wq_json_answer(struct wq_out *out, const struct wq_query *q)
{
	struct wq_json j;

	wq_json_begin(&j, out);
	wq_json_open(&j, '{');
	if (q->o->several)
		put_asked_url(&j, q->url);
	wq_json_key(&j, "connection");
	wq_json_boolean(&j, q->connected);
	if (q->array)
		put_messages(&j, q);
	else
		put_one_message(&j, &q->msg);
	if (q->error) {
		wq_json_key(&j, "error");
		wq_json_text(&j, q->error);
	}
	if (q->o->details) {
		wq_json_key(&j, "details");
		put_details(&j, q);
	}
	wq_json_close(&j, '}');
	wq_out(out, "\n");
}

/* What wq_json_answer() would write, without the costs of an emitter: a stream may have millions of
 * messages. */
void wq_json_message(struct wq_out *out, const struct ws_msg *msg)
{
	static const char text[] = "{\"connection\": true, \"data\": \"", text_end[] = "\"}\n";
	static const char binary[] = "{\"connection\": true, \"data\": ";
	static const char binary_end[] = ", \"encoding\": \"base64\"}\n";
	struct wq_json j;

	wq_json_begin(&j, out);
	if (msg->type == WS_BINARY) {
		wq_out_n(out, binary, sizeof binary - 1);
		wq_json_base64(&j, msg->data, msg->len);
		wq_out_n(out, binary_end, sizeof binary_end - 1);
		return;
	}
	wq_out_n(out, text, sizeof text - 1);
	wq_json_add_to_string(&j, msg->data, msg->len);
	wq_out_n(out, text_end, sizeof text_end - 1);
}
