/* SPDX-License-Identifier: ISC
 * format.c - a finished query for monitoring: the Monitoring Plugins' line, Prometheus' text exposition
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/wsquery.h"
#ifndef WSQUERY_NO_FORMATS
#include <string.h>

enum { NAGIOS_OK, NAGIOS_WARNING, NAGIOS_CRITICAL, NAGIOS_UNKNOWN };

static int nagios_state(const struct wq_query *q)
{
	const struct wq_options *o = q->o;

	if (q->usage || q->signal || q->err == WS_EURL || q->err == WS_EUNSUPPORTED
	    || q->err == WS_EMEMORY)
		return NAGIOS_UNKNOWN;
	if (q->error || (o->critical_ms >= 0 && q->total_us > (int64_t)o->critical_ms * 1000))
		return NAGIOS_CRITICAL;
	return o->warning_ms >= 0 && q->total_us > (int64_t)o->warning_ms * 1000 ? NAGIOS_WARNING
	                                                                         : NAGIOS_OK;
}

int wq_nagios_status(const struct wq_query *q)
{
	return q->signal ? 128 + q->signal : nagios_state(q);
}

static void nagios_begin(struct wq_out *o, int state)
{
	static const char names[][9] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};

	wq_print(o, "WEBSOCKET %s - ", names[state]);
}

/* '|' begins the performance data */
static void nagios_text(struct wq_out *o, const char *s)
{
	for (; *s; s++)
		wq_out_n(o, *s == '|' ? "/" : s, 1);
}

int wq_nagios_usage(struct wq_out *o, const char *why)
{
	nagios_begin(o, NAGIOS_UNKNOWN);
	nagios_text(o, why);
	wq_out(o, "\n");
	return NAGIOS_UNKNOWN;
}

static void threshold(struct wq_out *o, int ms)
{
	wq_out(o, ";");
	if (ms >= 0)
		wq_decimal(o, ms, 3);
}

void wq_nagios_answer(struct wq_out *o, const struct wq_query *q)
{
	const struct wq_options *opt = q->o;
	char text[64];
	struct wsi_text t;

	nagios_begin(o, nagios_state(q));
	if (q->error) {
		nagios_text(o, q->error);
	} else {
		wsi_text_init(&t, text, sizeof text);
		wsi_put_ms(&t, q->total_us);
		nagios_text(o, q->info->address);
		wq_out(o, q->array || q->msg.data ? " answered in "
		          : opt->ping             ? " answered a ping in "
		                                  : " connected in ");
		wq_out(o, text);
	}
	wq_out(o, " | time=");
	wq_decimal(o, q->total_us / 1000, 3);
	wq_out(o, "s");
	threshold(o, opt->warning_ms);
	threshold(o, opt->critical_ms);
	wq_out(o, ";0;");
	if (opt->timeout_ms % 1000)
		wq_decimal(o, opt->timeout_ms, 3);
	else if (opt->timeout_ms)
		wq_out_u(o, (uint64_t)opt->timeout_ms / 1000);
	if (q->connected && q->info->cert_not_after) {
		wq_print(o, " cert_days=%d;", wq_cert_left(q->info) / 86400);
		if (opt->cert_expiry_days >= 0)
			wq_print(o, ";%d:", (int64_t)opt->cert_expiry_days);
	}
	wq_out(o, "\n");
}

/* The target as it was asked for, so that a redirect makes no other series of it */
static void put_target(struct wq_out *o, const struct wq_query *q)
{
	char url[WQ_MAX_URL + 1];
	struct wsi_text t;
	size_t i;

	wsi_text_init(&t, url, sizeof url);
	wsi_put_url(&t, q->o->url, strlen(q->o->url));
	for (i = 0; i < t.len; i++) {
		if (url[i] == '"' || url[i] == '\\')
			wq_out(o, "\\");
		wq_out_n(o, url + i, 1);
	}
}

/* help NULL: another sample of the metric before. label: ",name=\"" or "" */
static void sample(struct wq_out *o, const struct wq_query *q, const char *name, const char *help,
                   const char *label)
{
	if (help)
		wq_print(o, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
	wq_print(o, "%s{target=\"", name);
	put_target(o, q);
	wq_print(o, "\"%s} ", label);
}

static void gauge(struct wq_out *o, const struct wq_query *q, const char *name, const char *help,
                  int64_t v)
{
	sample(o, q, name, help, "");
	wq_print(o, "%d\n", v);
}

static void seconds(struct wq_out *o, const struct wq_query *q, const char *name, const char *help,
                    const char *label, int64_t us)
{
	sample(o, q, name, help, label);
	wq_decimal(o, us < 0 ? 0 : us, 6);
	wq_out(o, "\n");
}

void wq_prometheus_answer(struct wq_out *o, const struct wq_query *q)
{
	static const char phases[] = "probe_websocket_duration_seconds";
	const struct ws_report *r = q->info;

	gauge(o, q, "probe_success", "1: connected, and all that was asked for happened",
	      !q->error);
	seconds(o, q, "probe_duration_seconds", "How long it took", "", q->total_us);
	seconds(o, q, "probe_dns_lookup_time_seconds", "How long the name took to resolve", "",
	        r ? r->phase_us[WS_RESOLVE] : 0);
	gauge(o, q, "probe_websocket_connection_upgraded", "1: the WebSocket was opened",
	      q->connected);
	gauge(o, q, "probe_websocket_status_code",
	      "HTTP status of the answer to the upgrade, 0: none", r ? r->http_status : 0);
	gauge(o, q, "probe_websocket_failed_due_to_regex",
	      "1: no message matched --expect, or one matched --fail-on", q->err == WQ_EUNMATCHED);
	if (r) {
		seconds(o, q, phases, "How long each phase took", ",phase=\"resolve\"",
		        r->phase_us[WS_RESOLVE]);
		seconds(o, q, phases, NULL, ",phase=\"connect\"", r->phase_us[WS_CONNECT]);
		seconds(o, q, phases, NULL, ",phase=\"tls\"", r->phase_us[WS_TLS]);
		seconds(o, q, phases, NULL, ",phase=\"upgrade\"", r->phase_us[WS_UPGRADE]);
		seconds(o, q, phases, NULL, ",phase=\"ping\"", q->ping_us);
		seconds(o, q, phases, NULL, ",phase=\"first_message\"", q->first_us);
	}
	if (r && r->cert_not_after)
		gauge(o, q, "probe_ssl_earliest_cert_expiry",
		      "When the server's certificate ends, in Unix time", r->cert_not_after);
}
#endif
