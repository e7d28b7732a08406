/* SPDX-License-Identifier: ISC
 * json.c - a finished query as one JSON object: RFC 8259, valid UTF-8 whatever the bytes, one line, written as it goes
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/wsquery.h"
#include <stdarg.h>
#include <string.h>

static const char json_hex[] = "0123456789abcdef";

/* A UTF-16 unit */
static void put_unit(struct wq_out *o, uint32_t unit)
{
	char esc[6] = {'\\', 'u'};
	int i;

	for (i = 0; i < 4; i++)
		esc[2 + i] = json_hex[unit >> (12 - 4 * i) & 15];
	wq_out_n(o, esc, sizeof esc);
}

static void put_unicode(struct wq_out *o, uint32_t cp)
{
	if (cp >= 0x10000) { /* RFC 8259 7: as a surrogate pair */
		cp -= 0x10000;
		put_unit(o, 0xd800 + (cp >> 10));
		cp = 0xdc00 + (cp & 0x3ff);
	}
	put_unit(o, cp);
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
	static const char plain[] =
	    "\"\"\\\\\bb\ff\nn\rr\tt"; /* what stands behind a backslash for what */
	const unsigned char *s = p;
	size_t i = 0, from = 0; /* s[from..i) goes out as it is */

	while (i < len && !o->err) {
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
			if (r > 0
			    && !wsi_is_unseen(cp)) { /* valid in JSON, but not fit for a terminal */
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
	while (len > 0 && !o->err) {
		size_t n = len < PIECE ? len : PIECE;

		wq_out_n(o, buf, wsi_base64_encode(buf, s, n));
		s += n;
		len -= n;
	}
	wq_out(o, "\"");
}

void wq_decimal(struct wq_out *o, int64_t v, int digits)
{
	char frac[8];
	int64_t whole = v;
	int i;

	if (v < 0) {
		wq_out(o, "null");
		return;
	}
	for (i = digits; i > 0; i--, whole /= 10)
		frac[i] = (char)('0' + whole % 10);
	frac[0] = '.';
	wq_out_u(o, (uint64_t)whole);
	wq_out_n(o, frac, (size_t)digits + 1);
}

/* Howard Hinnant's days from civil, the other way */
void wq_date(char out[21], int64_t t)
{
	static const char form[] = "0000-00-00T00:00:00Z";
	const int64_t least = -62162035200, most = 253402300799; /* 0000-03-01, end of 9999 */
	int days, rest, era, doe, yoe, doy, mp, v[6], i, at = 0;

	t = t < least ? least : t > most ? most : t;
	days = (int)(t / 86400);
	rest = (int)(t % 86400);
	if (rest < 0) {
		rest += 86400;
		days--;
	}
	days += 719468; /* from 1970-01-01 to 0000-03-01 */
	era = days / 146097;
	doe = days % 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	v[1] = mp < 10 ? mp + 3 : mp - 9;
	v[0] = yoe + era * 400 + (v[1] <= 2);
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

/* %s a string as it is; %q a string in JSON, or null for none; %d int64_t; %t int64_t microseconds as milliseconds, or
 * null */
void wq_print(struct wq_out *o, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	for (; *fmt; fmt++) {
		const char *s;
		int64_t v;

		if (*fmt != '%') {
			wq_out_n(o, fmt, 1);
			continue;
		}
		switch (*++fmt) {
		case 's':
			wq_out(o, va_arg(ap, const char *));
			break;
		case 'q':
			s = va_arg(ap, const char *);
			if (s && *s)
				wq_json_string(o, s, strlen(s));
			else
				wq_out(o, "null");
			break;
		case 't':
			wq_decimal(o, va_arg(ap, int64_t), 3);
			break;
		default:
			v = va_arg(ap, int64_t);
			if (v < 0)
				wq_out(o, "-");
			wq_out_u(o, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
		}
	}
	va_end(ap);
}

static const char *boolean(int v)
{
	return v ? "true" : "false";
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
	struct wq_walk walk = {0, 0}, again = {0, 0};
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
	while (wq_query_data(q, &walk, &m)) {
		wq_out(o, walk.i > 1 ? ", " : "");
		message(o, &m);
		binary |= m.type == WS_BINARY;
	}
	wq_out(o, "]");
	if (!binary)
		return;
	wq_out(o, ", \"encoding\": [");
	while (wq_query_data(q, &again, &m)) {
		wq_out(o, again.i > 1 ? ", " : "");
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

/* The value of one header, without what is secret where it is a URL */
static void put_value(struct wq_out *o, struct wsi_str name, struct wsi_str v)
{
	char url[WQ_MAX_URL + 1];
	struct wsi_text t;

	if (wsi_among(name.p, name.len, "location\0content-location\0") < 0) {
		put_escaped(o, v.p, v.len);
		return;
	}
	wsi_text_init(&t, url, sizeof url);
	wsi_put_location(&t, v.p, v.len);
	put_escaped(o, url, t.len);
}

static void put_headers(struct wq_out *o, const struct wq_query *q)
{
	struct wsi_header h, other;
	const char *fields, *at, *k, *before = "{";

	if (q->head_len == 0) {
		wq_out(o, "null");
		return;
	}
	fields = wsi_head_fields(q->head, q->head_len);
	for (at = fields; (at = wsi_header_next(at, &h)) != NULL;) {
		for (k = fields; (k = wsi_header_next(k, &other)) != NULL;)
			if (wsi_same_str(h.name, other.name))
				break;
		if (other.name.p != h.name.p)
			continue; /* it went with the first of that name */
		wq_out(o, before);
		before = ", ";
		put_name(o, h.name);
		wq_out(o, "\"");
		put_value(o, h.name, h.value);
		while ((k = wsi_header_next(k, &other)) != NULL) {
			if (!wsi_same_str(h.name, other.name))
				continue;
			wq_out(o, ", ");
			put_value(o, h.name, other.value);
		}
		wq_out(o, "\"");
	}
	wq_out(o, *before == '{' ? "{}" : "}");
}

static void put_tls(struct wq_out *o, const struct ws_report *r)
{
	char date[21] = "";
	int64_t left = 0;

	if (!r || (!*r->tls_version && !*r->cert_subject && !r->cert_not_after)) {
		wq_out(o, "null");
		return;
	}
	if (r->cert_not_after) {
		wq_date(date, r->cert_not_after);
		left = wq_cert_left(r);
	}
	wq_print(o,
	         "{\"version\": %q, \"cipher\": %q, \"subject\": %q, \"issuer\": %q, "
	         "\"not_after\": %q, \"days_left\": ",
	         r->tls_version, r->tls_cipher, r->cert_subject, r->cert_issuer, date);
	wq_print(o, r->cert_not_after ? "%d" : "null",
	         (left - (left < 0 ? 86399 : 0)) / 86400); /* rounded down */
	wq_print(o, ", \"verified\": %s}", boolean(r->tls_verified));
}

static int64_t phase_us(const struct ws_report *r, enum ws_phase phase)
{
	return r ? r->phase_us[phase] : -1;
}

static void put_details(struct wq_out *o, const struct wq_query *q)
{
	const struct ws_report *r = q->info;
	char url[WQ_MAX_URL + 1];
	struct wsi_text t;
	int64_t connect_us = phase_us(r, WS_CONNECT), proxy_us = phase_us(r, WS_PROXY);
	int status = r ? r->http_status : 0;

	wsi_text_init(&t, url, sizeof url);
	wq_put_url(&t, q);
	wq_out(o, ", \"details\": {\"url\": ");
	wq_json_string(o, url, t.len);
	wq_print(o, ", \"address\": %q, \"status\": ", r ? r->address : NULL);
	wq_print(o, status ? "%d" : "null", (int64_t)status);
	wq_out(o, ", \"headers\": ");
	put_headers(o, q);
	wq_out(o, ", \"body\": ");
	if (status && r->err == WS_EHTTP
	    && r->head_len > 0) /* the head was whole, so the body was read */
		wq_json_string(o, r->body, r->body_len);
	else
		wq_out(o, "null");
	/* no extension is offered, so none can be agreed on */
	wq_print(
	    o, ", \"subprotocol\": %q, \"extensions\": null, \"tls\": ", r ? r->subprotocol : NULL);
	put_tls(o, r);
	wq_out(o, ", \"close\": ");
	if (r && r->close_code) {
		wq_print(o, "{\"code\": %d, \"reason\": ", (int64_t)r->close_code);
		wq_json_string(o, r->close_reason, r->close_reason_len);
		wq_out(o, "}");
	} else {
		wq_out(o, "null");
	}
	if (proxy_us >= 0) /* it is part of the way */
		connect_us += proxy_us;
	wq_print(
	    o,
	    ", \"phase\": %q, \"reason\": %q, \"attempts\": %d, \"timings_ms\": {\"resolve\": %t, "
	    "\"connect\": %t, "
	    "\"tls\": %t, \"upgrade\": %t, \"ping\": %t, \"first_message\": %t, \"total\": %t}}",
	    q->phase, wq_reason(q->err), (int64_t)q->attempts, phase_us(r, WS_RESOLVE), connect_us,
	    phase_us(r, WS_TLS), phase_us(r, WS_UPGRADE), q->ping_us, q->first_us, q->total_us);
}

void wq_json_answer(struct wq_out *o, const struct wq_query *q)
{
	wq_print(o, "{\"connection\": %s, \"data\": ", boolean(q->connected));
	put_data(o, q);
	if (q->error)
		wq_print(o, ", \"error\": %q", q->error);
	if (q->o->details)
		put_details(o, q);
	wq_out(o, "}\n");
}
