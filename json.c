/* SPDX-License-Identifier: ISC
 * json.c - a finished query as one JSON object: RFC 8259, valid UTF-8 whatever the bytes, one line, written as it goes
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "wsquery.h"
#include <string.h>
#include <time.h>

static const char json_hex[] = "0123456789abcdef";

/* Valid in JSON as they are, but not on a terminal or for a reader of lines */
static int json_escaped(uint32_t cp)
{
	return (cp >= 0x7f && cp <= 0x9f) || (cp >= 0x2028 && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069);
}

static void put_unicode(struct wq_out *o, uint32_t cp)
{
	char esc[6] = {'\\', 'u'};
	int i;

	for (i = 0; i < 4; i++)
		esc[2 + i] = json_hex[cp >> (12 - 4 * i) & 15];
	wq_out_n(o, esc, sizeof esc);
}

/* Of bytes that begin no valid character: how many could begin one (Unicode 3.9, maximal subpart), 1 at least */
static size_t bad_len(const unsigned char *s, size_t len)
{
	uint32_t cp;
	size_t n = 1;

	while (n < len && n < 3 && wsi_utf8_decode(&cp, s, n + 1) == 0)
		n++;
	return n;
}

static void put_escaped(struct wq_out *o, const void *p, size_t len)
{
	static const char plain[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* what stands behind a backslash for what */
	const unsigned char *s = p;
	size_t i = 0, from = 0; /* s[from..i) goes out as it is */

	while (i < len) {
		uint32_t cp = s[i];
		size_t n = 1, k;

		if (cp >= 0x20 && cp < 0x7f && cp != '"' && cp != '\\') {
			i++;
			continue;
		}
		if (cp >= 0x80) {
			int r = wsi_utf8_decode(&cp, s + i, len - i);

			if (r <= 0)
				cp = 0xfffd;
			n = r > 0 ? (size_t)r : bad_len(s + i, len - i);
			if (r > 0 && !json_escaped(cp)) {
				i += n;
				continue;
			}
		}
		wq_out_n(o, s + from, i - from);
		i += n;
		from = i;
		for (k = 0; plain[k] && (unsigned char)plain[k] != cp; k += 2)
			;
		if (cp == 0xfffd) {
			wq_out(o, "\xef\xbf\xbd");
		} else if (plain[k]) {
			wq_out(o, "\\");
			wq_out_n(o, plain + k + 1, 1);
		} else {
			put_unicode(o, cp);
		}
	}
	wq_out_n(o, s + from, i - from);
}

void wq_json_string(struct wq_out *o, const void *p, size_t len)
{
	wq_out(o, "\"");
	put_escaped(o, p, len);
	wq_out(o, "\"");
}

void wq_json_base64(struct wq_out *o, const void *p, size_t len)
{
	enum { PIECE = 192 }; /* a multiple of three: padding at the end alone */
	const char *s = p;
	char buf[WSI_BASE64_LEN(PIECE)];

	wq_out(o, "\"");
	while (len > 0) {
		size_t n = len < PIECE ? len : PIECE;

		wq_out_n(o, buf, wsi_base64_encode(buf, s, n));
		s += n;
		len -= n;
	}
	wq_out(o, "\"");
}

void wq_json_ms(struct wq_out *o, int64_t us)
{
	char frac[4] = ".000";
	int i, f = (int)(us % 1000);

	if (us < 0) {
		wq_out(o, "null");
		return;
	}
	for (i = 3; i > 0; i--, f /= 10)
		frac[i] = (char)('0' + f % 10);
	wq_out_u(o, (uint64_t)(us / 1000));
	wq_out_n(o, frac, sizeof frac);
}

/* Howard Hinnant's days from civil, the other way; years 0 to 9999 */
void wq_date(char out[21], int64_t t)
{
	static const char form[] = "0000-00-00T00:00:00Z";
	int64_t days = t / 86400, rest = t % 86400, era, doe, yoe, doy, mp;
	int64_t v[6];
	int i, at = 0;

	if (rest < 0) {
		rest += 86400;
		days--;
	}
	days += 719468; /* from 1970-01-01 to 0000-03-01 */
	if (days < 0)
		days = 0;
	era = days / 146097;
	doe = days % 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	v[1] = mp < 10 ? mp + 3 : mp - 9;
	v[0] = (yoe + era * 400 + (v[1] <= 2)) % 10000;
	v[2] = doy - (153 * mp + 2) / 5 + 1;
	v[3] = rest / 3600;
	v[4] = rest / 60 % 60;
	v[5] = rest % 60;
	memcpy(out, form, sizeof form);
	for (i = 0; i < 6; i++) {
		int digit = i == 0 ? 4 : 2, k;

		for (k = digit - 1; k >= 0; k--, v[i] /= 10)
			out[at + k] = (char)('0' + v[i] % 10);
		at += digit + 1;
	}
}

/* A member behind another */
static void key(struct wq_out *o, const char *name)
{
	wq_out(o, ", \"");
	wq_out(o, name);
	wq_out(o, "\": ");
}

static void value(struct wq_out *o, const char *s)
{
	if (s && *s)
		wq_json_string(o, s, strlen(s));
	else
		wq_out(o, "null");
}

static void number(struct wq_out *o, int64_t v)
{
	if (v < 0)
		wq_out(o, "-");
	wq_out_u(o, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

static void boolean(struct wq_out *o, int v)
{
	wq_out(o, v ? "true" : "false");
}

static void message(struct wq_out *o, const struct ws_msg *m)
{
	if (m->type == WS_BINARY)
		wq_json_base64(o, m->data, m->len);
	else
		wq_json_string(o, m->data, m->len);
}

static void put_data(struct wq_out *o, const struct wq_query *q)
{
	struct ws_msg m;
	size_t at = q->store.head, i;
	int binary = 0;

	if (!q->array) {
		if (q->msg.data)
			message(o, &q->msg);
		else
			wq_out(o, "null");
		if (q->msg.data && q->msg.type == WS_BINARY)
			wq_out(o, ", \"encoding\": \"base64\"");
		return;
	}
	wq_out(o, "[");
	for (i = 0; i < q->n && wq_store_next(&q->store, &at, &m); i++) {
		wq_out(o, i ? ", " : "");
		message(o, &m);
		binary |= m.type == WS_BINARY;
	}
	wq_out(o, "]");
	if (!binary)
		return;
	key(o, "encoding");
	at = q->store.head;
	for (i = 0; i < q->n && wq_store_next(&q->store, &at, &m); i++) {
		wq_out(o, i ? ", " : "[");
		wq_out(o, m.type == WS_BINARY ? "\"base64\"" : "null");
	}
	wq_out(o, "]");
}

static void put_name(struct wq_out *o, struct wsi_str name)
{
	size_t i;

	wq_out(o, "\"");
	for (i = 0; i < name.len; i++) { /* a token: nothing to escape */
		char c = (char)wsi_lower(name.p[i]);

		wq_out_n(o, &c, 1);
	}
	wq_out(o, "\": ");
}

static int same_name(struct wsi_str a, struct wsi_str b)
{
	size_t i;

	for (i = 0; i < a.len && i < b.len && wsi_lower(a.p[i]) == wsi_lower(b.p[i]); i++)
		;
	return i == a.len && i == b.len;
}

/* The value of one header, without userinfo where it is a URL */
static void put_value(struct wq_out *o, struct wsi_str name, struct wsi_str v)
{
	char url[WQ_MAX_URL + 1];
	struct wsi_text t;

	if (!wsi_same(name.p, name.len, "location")) {
		put_escaped(o, v.p, v.len);
		return;
	}
	wsi_text_init(&t, url, sizeof url);
	wsi_put_url(&t, v.p, v.len);
	put_escaped(o, url, t.len);
}

static void put_headers(struct wq_out *o, const struct wq_query *q)
{
	struct wsi_response r;
	struct wsi_str name, v, other, w;
	size_t at = 0, k;
	const char *why, *before = "{";

	if (!q->head_len || wsi_response_parse(&r, q->head, q->head_len, &why) < 0) {
		wq_out(o, "null");
		return;
	}
	while (wsi_header_next(&r, &at, &name, &v)) {
		k = 0;
		while (wsi_header_next(&r, &k, &other, &w) && !same_name(name, other))
			;
		if (other.p != name.p)
			continue; /* it went with the first of that name */
		wq_out(o, before);
		before = ", ";
		put_name(o, name);
		wq_out(o, "\"");
		put_value(o, name, v);
		while (wsi_header_next(&r, &k, &other, &w)) {
			if (!same_name(name, other))
				continue;
			wq_out(o, ", ");
			put_value(o, name, w);
		}
		wq_out(o, "\"");
	}
	wq_out(o, *before == '{' ? "{}" : "}");
}

static void put_tls(struct wq_out *o, const struct ws_report *r)
{
	char date[21];

	if (!r || (!*r->tls_version && !*r->cert_subject && !r->cert_not_after)) {
		wq_out(o, "null");
		return;
	}
	wq_out(o, "{\"version\": ");
	value(o, r->tls_version);
	key(o, "cipher");
	value(o, r->tls_cipher);
	key(o, "subject");
	value(o, r->cert_subject);
	key(o, "issuer");
	value(o, r->cert_issuer);
	date[0] = '\0';
	if (r->cert_not_after)
		wq_date(date, r->cert_not_after);
	key(o, "not_after");
	value(o, date);
	key(o, "days_left");
	if (r->cert_not_after) {
		int64_t left = wq_cert_left(r);

		number(o, (left - (left < 0 ? 86399 : 0)) / 86400); /* rounded down */
	} else {
		wq_out(o, "null");
	}
	key(o, "verified");
	boolean(o, r->tls_verified);
	wq_out(o, "}");
}

static int64_t phase_us(const struct ws_report *r, enum ws_phase phase)
{
	return r ? r->phase_us[phase] : -1;
}

/* The library's is a few microseconds where there was nothing to resolve */
static int64_t resolve_us(const struct wq_query *q)
{
	struct wsi_url u;
	const char *why;
	size_t where;

	if (!q->info || q->o->lib.unix_socket
	    || (q->info->phase_us[WS_PROXY] < 0
	        && wsi_url_parse(&u, q->info->url, strlen(q->info->url), &why, &where) == 0 && u.ip))
		return -1;
	return q->info->phase_us[WS_RESOLVE];
}

static void put_timings(struct wq_out *o, const struct wq_query *q)
{
	static const char names[][14] = {"resolve", "connect", "tls", "upgrade", "ping", "first_message", "total"};
	int64_t proxy_us = phase_us(q->info, WS_PROXY);
	int64_t us[] = {resolve_us(q),
	                phase_us(q->info, WS_CONNECT),
	                phase_us(q->info, WS_TLS),
	                phase_us(q->info, WS_UPGRADE),
	                q->ping_us,
	                q->first_us,
	                q->total_us};
	size_t i;

	if (proxy_us >= 0) /* the proxy is part of the way */
		us[1] += proxy_us;
	key(o, "timings_ms");
	for (i = 0; i < sizeof us / sizeof us[0]; i++) {
		wq_out(o, i ? ", \"" : "{\"");
		wq_out(o, names[i]);
		wq_out(o, "\": ");
		wq_json_ms(o, us[i]);
	}
	wq_out(o, "}");
}

static void put_details(struct wq_out *o, const struct wq_query *q)
{
	const struct ws_report *r = q->info;
	char url[WQ_MAX_URL + 1];
	struct wsi_text t;

	wsi_text_init(&t, url, sizeof url);
	wq_put_url(&t, q);
	wq_out(o, "{\"url\": ");
	wq_json_string(o, url, t.len);
	key(o, "address");
	value(o, r ? r->address : NULL);
	key(o, "status");
	if (r && r->http_status)
		number(o, r->http_status);
	else
		wq_out(o, "null");
	key(o, "headers");
	put_headers(o, q);
	key(o, "body");
	if (r && r->http_status && r->http_status != 101)
		wq_json_string(o, r->body, r->body_len);
	else
		wq_out(o, "null");
	key(o, "subprotocol");
	value(o, r ? r->subprotocol : NULL);
	key(o, "extensions");
	wq_out(o, "null"); /* none is offered, so none can be agreed on */
	key(o, "tls");
	put_tls(o, r);
	key(o, "close");
	if (r && r->close_code) {
		wq_out(o, "{\"code\": ");
		number(o, r->close_code);
		key(o, "reason");
		wq_json_string(o, r->close_reason, r->close_reason_len);
		wq_out(o, "}");
	} else if (q->connected && q->err == WS_ERESET) {
		wq_out(o, "{\"code\": 1006, \"reason\": \"\"}");
	} else {
		wq_out(o, "null");
	}
	key(o, "phase");
	value(o, q->phase);
	key(o, "reason");
	value(o, wq_reason(q->err));
	key(o, "attempts");
	number(o, q->attempts);
	put_timings(o, q);
	wq_out(o, "}");
}

void wq_json_answer(struct wq_out *o, const struct wq_query *q)
{
	wq_out(o, "{\"connection\": ");
	boolean(o, q->connected);
	key(o, "data");
	put_data(o, q);
	if (q->error) {
		key(o, "error");
		value(o, q->error);
	}
	if (q->o->details) {
		key(o, "details");
		put_details(o, q);
	}
	wq_out(o, "}\n");
}
