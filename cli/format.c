/* SPDX-License-Identifier: ISC
 * format.c - writes a finished query for monitoring: one line for Nagios, or metrics for Prometheus
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/wsquery.h"
#ifndef WSQUERY_NO_FORMATS
#include <string.h>

#define DAY 86400 /* seconds */

/* Nagios: https://www.monitoring-plugins.org/doc/guidelines.html */

/* These are exit statuses, too. */
enum nagios_state { NAGIOS_OK, NAGIOS_WARNING, NAGIOS_CRITICAL, NAGIOS_UNKNOWN };

static bool is_slower(const struct wq_query *q, int threshold_ms)
{
	return threshold_ms >= 0 && q->total_us > (int64_t)threshold_ms * 1000;
}

static enum nagios_state nagios_state(const struct wq_query *q)
{
	if (q->usage || q->signal)
		return NAGIOS_UNKNOWN;
	if (q->err == WS_EURL || q->err == WS_EUNSUPPORTED || q->err == WS_EMEMORY)
		return NAGIOS_UNKNOWN;
	if (q->error || is_slower(q, q->o->critical_ms))
		return NAGIOS_CRITICAL;
	if (is_slower(q, q->o->warning_ms))
		return NAGIOS_WARNING;
	return NAGIOS_OK;
}

int wq_nagios_status(const struct wq_query *q)
{
	if (q->signal)
		return 128 + q->signal;
	return (int)nagios_state(q);
}

static void put_state(struct wq_out *o, enum nagios_state state)
{
	static const char *const names[] = {
	    [NAGIOS_OK] = "OK",
	    [NAGIOS_WARNING] = "WARNING",
	    [NAGIOS_CRITICAL] = "CRITICAL",
	    [NAGIOS_UNKNOWN] = "UNKNOWN",
	};

	wq_out(o, "WEBSOCKET ");
	wq_out(o, names[state]);
	wq_out(o, " - ");
}

/* '|' would begin the performance data, so '/' stands for it. */
static void put_sentence(struct wq_out *o, const char *s)
{
	for (; *s; s++)
		wq_out_n(o, *s == '|' ? "/" : s, 1);
}

int wq_nagios_usage(struct wq_out *o, const char *why)
{
	put_state(o, NAGIOS_UNKNOWN);
	put_sentence(o, why);
	wq_out(o, "\n");
	return NAGIOS_UNKNOWN;
}

/* "127.0.0.1:80 answered in 12 ms" */
static void put_success(struct wq_out *o, const struct wq_query *q)
{
	char time[64];
	struct wsi_text t;

	wsi_text_init(&t, time, sizeof time);
	wsi_put_ms(&t, q->total_us);
	put_sentence(o, q->info->address);
	if (q->array || q->msg.data)
		wq_out(o, " answered in ");
	else if (q->o->ping)
		wq_out(o, " answered a ping in ");
	else
		wq_out(o, " connected in ");
	wq_out(o, time);
}

static void put_threshold(struct wq_out *o, int ms)
{
	wq_out(o, ";");
	if (ms >= 0)
		wq_out_decimal(o, (uint64_t)ms, 3);
}

/* "time=0.012s;WARNING;CRITICAL;0;10" */
static void put_performance_data(struct wq_out *o, const struct wq_query *q)
{
	int timeout_ms = q->o->timeout_ms;

	wq_out(o, " | time=");
	wq_out_decimal(o, (uint64_t)q->total_us / 1000, 3);
	wq_out(o, "s");
	put_threshold(o, q->o->warning_ms);
	put_threshold(o, q->o->critical_ms);
	wq_out(o, ";0;");
	if (timeout_ms % 1000)
		wq_out_decimal(o, (uint64_t)timeout_ms, 3);
	else if (timeout_ms)
		wq_out_u(o, (uint64_t)timeout_ms / 1000);
	if (q->connected && q->info->cert_not_after) {
		wq_out(o, " cert_days=");
		wq_out_i(o, wq_cert_left(q->info) / DAY);
		wq_out(o, ";");
		if (q->o->cert_expiry_days >= 0) {
			wq_out(o, ";");
			wq_out_u(o, (uint64_t)q->o->cert_expiry_days);
			wq_out(o, ":");
		}
	}
}

void wq_nagios_answer(struct wq_out *o, const struct wq_query *q)
{
	put_state(o, nagios_state(q));
	if (q->error)
		put_sentence(o, q->error);
	else
		put_success(o, q);
	put_performance_data(o, q);
	wq_out(o, "\n");
}

/* Prometheus: https://prometheus.io/docs/instrumenting/exposition_formats/ */

/* The URL as it was asked for, so that a redirect does not begin another time series */
static void put_target(struct wq_out *o, const struct wq_query *q)
{
	char url[WQ_MAX_URL + 1];
	struct wsi_text t;
	size_t i;

	wsi_text_init(&t, url, sizeof url);
	wsi_put_url(&t, q->url, strlen(q->url));
	for (i = 0; i < t.len; i++) {
		if (url[i] == '"' || url[i] == '\\')
			wq_out(o, "\\");
		wq_out_n(o, url + i, 1);
	}
}

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

/* Begins a sample: its value and a newline follow. phase may be NULL. */
static void begin_sample(struct wq_out *o, const struct wq_query *q, const char *metric,
                         const char *phase)
{
	wq_out(o, metric);
	wq_out(o, "{target=\"");
	put_target(o, q);
	if (phase) {
		wq_out(o, "\",phase=\"");
		wq_out(o, phase);
	}
	wq_out(o, "\"} ");
}

static void put_gauge(struct wq_out *o, const struct wq_query *q, const char *metric,
                      const char *help, int64_t value)
{
	put_help(o, metric, help);
	begin_sample(o, q, metric, NULL);
	wq_out_i(o, value);
	wq_out(o, "\n");
}

/* 0 for a phase that was not reached */
static void put_seconds(struct wq_out *o, int64_t us)
{
	wq_out_decimal(o, us < 0 ? 0 : (uint64_t)us, 6);
	wq_out(o, "\n");
}

static void put_duration(struct wq_out *o, const struct wq_query *q, const char *metric,
                         const char *help, int64_t us)
{
	put_help(o, metric, help);
	begin_sample(o, q, metric, NULL);
	put_seconds(o, us);
}

static void put_phases(struct wq_out *o, const struct wq_query *q)
{
	static const char metric[] = "probe_websocket_duration_seconds";
	const struct ws_report *r = q->info;
	const struct {
		const char *name;
		int64_t us;
	} phases[] = {
	    {"resolve", r->phase_us[WS_PHASE_RESOLVE]},
	    {"connect", r->phase_us[WS_PHASE_CONNECT]},
	    {"tls", r->phase_us[WS_PHASE_TLS]},
	    {"upgrade", r->phase_us[WS_PHASE_UPGRADE]},
	    {"ping", q->ping_us},
	    {"first_message", q->first_us},
	};
	size_t i;

	put_help(o, metric, "Duration of each phase");
	for (i = 0; i < sizeof phases / sizeof phases[0]; i++) {
		begin_sample(o, q, metric, phases[i].name);
		put_seconds(o, phases[i].us);
	}
}

void wq_prometheus_answer(struct wq_out *o, const struct wq_query *q)
{
	const struct ws_report *r = q->info;

	put_gauge(o, q, "probe_success", "1: connected, and everything asked for happened",
	          !q->error);
	put_duration(o, q, "probe_duration_seconds", "Duration of the query", q->total_us);
	put_duration(o, q, "probe_dns_lookup_time_seconds", "Duration of the name resolution",
	             r ? r->phase_us[WS_PHASE_RESOLVE] : 0);
	put_gauge(o, q, "probe_websocket_connection_upgraded", "1: the WebSocket was opened",
	          q->connected);
	put_gauge(o, q, "probe_websocket_status_code",
	          "HTTP status of the response to the upgrade, 0: no response",
	          r ? r->http_status : 0);
	put_gauge(o, q, "probe_websocket_failed_due_to_regex",
	          "1: no message matched --expect, or one matched --fail-on",
	          q->err == WQ_EUNMATCHED);
	if (r)
		put_phases(o, q);
	if (r && r->cert_not_after)
		put_gauge(o, q, "probe_ssl_earliest_cert_expiry",
		          "When the server's certificate expires, in Unix time", r->cert_not_after);
}
#endif
