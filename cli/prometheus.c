/* SPDX-License-Identifier: ISC
 * prometheus.c - writes finished queries as metrics for Prometheus:
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 *
 * All samples of a metric must come together, after its help. So the metrics of several queries
 * can be written only when all of them have ended, and until then each is kept as a struct
 * wq_sample.
 */
#include "cli/prometheus.h"
#ifndef WSQUERY_NO_FORMATS
#include <stdlib.h>
#include <string.h>

/* The URL as it was asked for, so that a redirect does not begin another time series. */
static void put_target(struct wsi_text *t, const char *url)
{
	char shown[WQ_MAX_URL + 1];
	struct wsi_text u;
	size_t i;

	wsi_text_init(&u, shown, sizeof shown);
	wsi_put_url(&u, url, strlen(url));
	for (i = 0; i < u.len; i++) {
		if (shown[i] == '"' || shown[i] == '\\')
			wsi_put_c(t, '\\');
		wsi_put_c(t, shown[i]);
	}
}

void wq_sample_take(struct wq_sample *s, const struct wq_query *q, char buf[WQ_TARGET])
{
	const struct ws_report *r = q->info;
	struct wsi_text t;

	wsi_text_init(&t, buf, WQ_TARGET);
	put_target(&t, q->url);
	memset(s, 0, sizeof *s);
	s->target = buf;
	s->labels = q->o->labels;
	s->success = !q->error;
	s->connected = q->connected;
	s->unmatched = q->err == WQ_EUNMATCHED;
	s->total_us = q->total_us;
	s->ping_us = q->ping_us;
	s->first_us = q->first_us;
	s->pings_sent = q->pings.sent;
	s->pings_lost = q->pings.sent - q->pings.answered;
	s->round_trips = wq_pings_round_trips(&q->pings);
	if (!r)
		return;
	s->has_report = true;
	s->http_status = r->http_status;
	s->cert_not_after = r->cert_not_after;
	memcpy(s->phase_us, r->phase_us, sizeof s->phase_us);
}

/* By target, then those that failed first, then by order */
static int by_target(const void *a, const void *b)
{
	const struct wq_sample *x = a, *y = b;
	int r = strcmp(x->target, y->target);

	if (r != 0)
		return r;
	if (x->success != y->success)
		return x->success ? 1 : -1;
	return x->order < y->order ? -1 : 1;
}

static int by_order(const void *a, const void *b)
{
	const struct wq_sample *x = a, *y = b;

	return x->order < y->order ? -1 : 1;
}

size_t wq_samples_merge(struct wq_sample *s, size_t n)
{
	size_t i, kept = 0;

	if (n == 0)
		return 0;
	qsort(s, n, sizeof *s, by_target);
	for (i = 0; i < n; i++)
		if (kept == 0 || strcmp(s[kept - 1].target, s[i].target) != 0)
			s[kept++] = s[i];
	qsort(s, kept, sizeof *s, by_order);
	return kept;
}

/* Writing */

static void put_help(struct wq_out *o, const char *metric, const char *help)
{
	wq_out(o, "# HELP ");
	wq_out(o, metric);
	wq_out(o, " ");
	wq_out(o, help);
	wq_out(o, "\n# TYPE ");
	wq_out(o, metric);
	wq_out(o, " gauge\n");
}

/* ',name="value"' */
static void put_label(struct wq_out *o, const char *label)
{
	size_t name = strcspn(label, "=");
	const char *p;

	wq_out(o, ",");
	wq_out_n(o, label, name);
	wq_out(o, "=\"");
	for (p = label + name + 1; *p != '\0'; p++) {
		if (*p == '\n') {
			wq_out(o, "\\n");
			continue;
		}
		if (*p == '"' || *p == '\\')
			wq_out(o, "\\");
		wq_out_n(o, p, 1);
	}
	wq_out(o, "\"");
}

/* Begins a sample: its value and a newline follow. phase may be NULL. */
static void begin_sample(struct wq_out *o, const struct wq_sample *s, const char *metric,
                         const char *phase)
{
	const char *const *label;

	wq_out(o, metric);
	wq_out(o, "{target=\"");
	wq_out(o, s->target);
	if (phase) {
		wq_out(o, "\",phase=\"");
		wq_out(o, phase);
	}
	wq_out(o, "\"");
	for (label = s->labels; label && *label; label++)
		put_label(o, *label);
	wq_out(o, "} ");
}

/* 0 for a phase that was not reached */
static void put_seconds(struct wq_out *o, int64_t us)
{
	wq_out_decimal(o, us < 0 ? 0 : (uint64_t)us, 6);
}

enum sample_value {
	VALUE_SUCCESS,
	VALUE_TOTAL,
	VALUE_LOOKUP,
	VALUE_CONNECTED,
	VALUE_STATUS,
	VALUE_UNMATCHED,
	VALUE_EXPIRY,
	VALUE_PINGS_SENT,
	VALUE_PINGS_LOST,
	VALUE_PING_MIN,
	VALUE_PING_MEDIAN,
	VALUE_PING_MAX
};

static void put_value(struct wq_out *o, const struct wq_sample *s, enum sample_value value)
{
	switch (value) {
	case VALUE_SUCCESS:
		wq_out_u(o, s->success);
		break;
	case VALUE_TOTAL:
		put_seconds(o, s->total_us);
		break;
	case VALUE_LOOKUP:
		put_seconds(o, s->phase_us[WS_PHASE_RESOLVE]);
		break;
	case VALUE_CONNECTED:
		wq_out_u(o, s->connected);
		break;
	case VALUE_STATUS:
		wq_out_i(o, s->http_status);
		break;
	case VALUE_UNMATCHED:
		wq_out_u(o, s->unmatched);
		break;
	case VALUE_EXPIRY:
		wq_out_i(o, s->cert_not_after);
		break;
	case VALUE_PINGS_SENT:
		wq_out_u(o, s->pings_sent);
		break;
	case VALUE_PINGS_LOST:
		wq_out_u(o, s->pings_lost);
		break;
	case VALUE_PING_MIN:
		put_seconds(o, s->round_trips.min_us);
		break;
	case VALUE_PING_MEDIAN:
		put_seconds(o, s->round_trips.median_us);
		break;
	case VALUE_PING_MAX:
		put_seconds(o, s->round_trips.max_us);
		break;
	}
	wq_out(o, "\n");
}

/* False for what there is only with TLS, or with --every */
static bool has_value(const struct wq_sample *s, enum sample_value value)
{
	switch (value) {
	case VALUE_EXPIRY:
		return s->cert_not_after != 0;
	case VALUE_PINGS_SENT:
	case VALUE_PINGS_LOST:
		return s->pings_sent > 0;
	case VALUE_PING_MIN:
	case VALUE_PING_MEDIAN:
	case VALUE_PING_MAX:
		return s->round_trips.min_us >= 0;
	default:
		return true;
	}
}

static void put_metric(struct wq_out *o, const struct wq_sample *s, size_t n, const char *metric,
                       enum sample_value value, const char *help)
{
	size_t i;

	put_help(o, metric, help);
	for (i = 0; i < n; i++) {
		if (!has_value(&s[i], value))
			continue;
		begin_sample(o, &s[i], metric, NULL);
		put_value(o, &s[i], value);
	}
}

/* Writes nothing where no sample has the value. */
static void put_metric_if_any(struct wq_out *o, const struct wq_sample *s, size_t n,
                              const char *metric, enum sample_value value, const char *help)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (has_value(&s[i], value)) {
			put_metric(o, s, n, metric, value, help);
			return;
		}
}

static void put_phases_of(struct wq_out *o, const struct wq_sample *s, const char *metric)
{
	const struct {
		const char *name;
		int64_t us;
	} phases[] = {
	    {"resolve", s->phase_us[WS_PHASE_RESOLVE]},
	    {"connect", s->phase_us[WS_PHASE_CONNECT]},
	    {"tls", s->phase_us[WS_PHASE_TLS]},
	    {"upgrade", s->phase_us[WS_PHASE_UPGRADE]},
	    {"ping", s->ping_us},
	    {"first_message", s->first_us},
	};
	size_t i;

	for (i = 0; i < sizeof phases / sizeof phases[0]; i++) {
		begin_sample(o, s, metric, phases[i].name);
		put_seconds(o, phases[i].us);
		wq_out(o, "\n");
	}
}

static void put_phases(struct wq_out *o, const struct wq_sample *s, size_t n)
{
	static const char metric[] = "probe_websocket_duration_seconds";
	bool begun = false;
	size_t i;

	for (i = 0; i < n; i++) {
		if (!s[i].has_report)
			continue;
		if (!begun)
			put_help(o, metric, "Duration of each phase");
		begun = true;
		put_phases_of(o, &s[i], metric);
	}
}

/* --every */
static void put_pings(struct wq_out *o, const struct wq_sample *s, size_t n)
{
	put_metric_if_any(o, s, n, "probe_websocket_pings_sent", VALUE_PINGS_SENT,
	                  "Pings that were sent");
	put_metric_if_any(o, s, n, "probe_websocket_pings_lost", VALUE_PINGS_LOST,
	                  "Pings that were sent and not answered");
	put_metric_if_any(o, s, n, "probe_websocket_ping_min_seconds", VALUE_PING_MIN,
	                  "The shortest round trip of a ping");
	put_metric_if_any(o, s, n, "probe_websocket_ping_median_seconds", VALUE_PING_MEDIAN,
	                  "The median of the pings' round trips");
	put_metric_if_any(o, s, n, "probe_websocket_ping_max_seconds", VALUE_PING_MAX,
	                  "The longest round trip of a ping");
}

void wq_samples_put(struct wq_out *o, const struct wq_sample *s, size_t n)
{
	put_metric(o, s, n, "probe_success", VALUE_SUCCESS,
	           "1: connected, and everything asked for happened");
	put_metric(o, s, n, "probe_duration_seconds", VALUE_TOTAL, "Duration of the query");
	put_metric(o, s, n, "probe_dns_lookup_time_seconds", VALUE_LOOKUP,
	           "Duration of the name resolution");
	put_metric(o, s, n, "probe_websocket_connection_upgraded", VALUE_CONNECTED,
	           "1: the WebSocket was opened");
	put_metric(o, s, n, "probe_websocket_status_code", VALUE_STATUS,
	           "HTTP status of the response to the upgrade, 0: no response");
	put_metric(o, s, n, "probe_websocket_failed_due_to_regex", VALUE_UNMATCHED,
	           "1: no message matched --expect, or one matched --fail-on");
	put_phases(o, s, n);
	put_metric_if_any(o, s, n, "probe_ssl_earliest_cert_expiry", VALUE_EXPIRY,
	                  "When the server's certificate expires, in Unix time");
	put_pings(o, s, n);
}

void wq_prometheus_usage(struct wq_out *o, const struct wq_options *options)
{
	char target[WQ_TARGET];
	struct wq_sample s;
	struct wsi_text t;

	memset(&s, 0, sizeof s);
	wsi_text_init(&t, target, sizeof target);
	if (options->n_urls > 0)
		put_target(&t, options->urls[0]);
	s.target = target;
	s.labels = options->labels;
	put_metric(o, &s, 1, "probe_success", VALUE_SUCCESS,
	           "1: connected, and everything asked for happened");
}

void wq_prometheus_answer(struct wq_out *o, const struct wq_query *q)
{
	char target[WQ_TARGET];
	struct wq_sample s;

	wq_sample_take(&s, q, target);
	wq_samples_put(o, &s, 1);
}
#endif
