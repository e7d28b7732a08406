/* SPDX-License-Identifier: ISC
 * format.c - a finished query for monitoring: the Monitoring Plugins' line, Prometheus' text exposition
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "wsquery.h"
#ifndef WSQUERY_NO_FORMATS
#include <string.h>

enum { NAGIOS_OK, NAGIOS_WARNING, NAGIOS_CRITICAL, NAGIOS_UNKNOWN };

/* digits: 3 or 6 behind the point */
static void put_seconds(struct wq_out *o, int64_t us, int digits)
{
	char frac[7] = ".000000";
	int i, f = (int)(us % 1000000);

	for (i = 6; i > 0; i--, f /= 10)
		frac[i] = (char)('0' + f % 10);
	wq_out_u(o, (uint64_t)(us / 1000000));
	wq_out_n(o, frac, (size_t)digits + 1);
}

static int nagios_state(const struct wq_query *q)
{
	const struct wq_options *o = q->o;

	if (q->usage || q->signal || q->err == WS_EURL || q->err == WS_EUNSUPPORTED || q->err == WS_EMEMORY)
		return NAGIOS_UNKNOWN;
	if (q->error || (o->critical_ms >= 0 && q->total_us > (int64_t)o->critical_ms * 1000))
		return NAGIOS_CRITICAL;
	return o->warning_ms >= 0 && q->total_us > (int64_t)o->warning_ms * 1000 ? NAGIOS_WARNING : NAGIOS_OK;
}

int wq_nagios_status(const struct wq_query *q)
{
	return q->signal ? 128 + q->signal : nagios_state(q);
}

static void nagios_begin(struct wq_out *o, int state)
{
	static const char names[][9] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};

	wq_out(o, "WEBSOCKET ");
	wq_out(o, names[state]);
	wq_out(o, " - ");
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
		put_seconds(o, (int64_t)ms * 1000, 3);
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
	put_seconds(o, q->total_us, 3);
	wq_out(o, "s");
	threshold(o, opt->warning_ms);
	threshold(o, opt->critical_ms);
	wq_out(o, ";0;");
	if (opt->timeout_ms)
		put_seconds(o, (int64_t)opt->timeout_ms * 1000, opt->timeout_ms % 1000 ? 3 : -1);
	if (q->connected && q->info->cert_not_after) {
		int64_t days = wq_cert_left(q->info) / 86400;

		wq_out(o, " cert_days=");
		wq_out(o, days < 0 ? "-" : "");
		wq_out_u(o, (uint64_t)(days < 0 ? -days : days));
		wq_out(o, ";");
		if (opt->cert_expiry_days >= 0) {
			wq_out(o, ";");
			wq_out_u(o, (uint64_t)opt->cert_expiry_days);
			wq_out(o, ":");
		}
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
static void sample(struct wq_out *o, const struct wq_query *q, const char *name, const char *help, const char *label)
{
	if (help) {
		wq_out(o, "# HELP ");
		wq_out(o, name);
		wq_out(o, " ");
		wq_out(o, help);
		wq_out(o, "\n# TYPE ");
		wq_out(o, name);
		wq_out(o, " gauge\n");
	}
	wq_out(o, name);
	wq_out(o, "{target=\"");
	put_target(o, q);
	wq_out(o, "\"");
	wq_out(o, label);
	wq_out(o, "} ");
}

static void gauge(struct wq_out *o, const struct wq_query *q, const char *name, const char *help, int64_t v)
{
	sample(o, q, name, help, "");
	wq_out_u(o, (uint64_t)(v < 0 ? 0 : v));
	wq_out(o, "\n");
}

static void seconds(struct wq_out *o, const struct wq_query *q, const char *name, const char *help, const char *label,
                    int64_t us)
{
	sample(o, q, name, help, label);
	put_seconds(o, us < 0 ? 0 : us, 6);
	wq_out(o, "\n");
}

void wq_prometheus_answer(struct wq_out *o, const struct wq_query *q)
{
	static const char phases[] = "probe_websocket_duration_seconds";
	const struct ws_report *r = q->info;

	gauge(o, q, "probe_success", "1: connected, and all that was asked for happened", !q->error);
	seconds(o, q, "probe_duration_seconds", "How long it took", "", q->total_us);
	seconds(o, q, "probe_dns_lookup_time_seconds", "How long the name took to resolve", "",
	        r ? r->phase_us[WS_RESOLVE] : 0);
	gauge(o, q, "probe_websocket_connection_upgraded", "1: the WebSocket was opened", q->connected);
	gauge(o, q, "probe_websocket_status_code", "HTTP status of the answer to the upgrade, 0: none",
	      r ? r->http_status : 0);
	gauge(o, q, "probe_websocket_failed_due_to_regex", "1: no message matched --expect", q->err == WQ_EUNMATCHED);
	if (r) {
		seconds(o, q, phases, "How long each phase took", ",phase=\"resolve\"", r->phase_us[WS_RESOLVE]);
		seconds(o, q, phases, NULL, ",phase=\"connect\"", r->phase_us[WS_CONNECT]);
		seconds(o, q, phases, NULL, ",phase=\"tls\"", r->phase_us[WS_TLS]);
		seconds(o, q, phases, NULL, ",phase=\"upgrade\"", r->phase_us[WS_UPGRADE]);
		seconds(o, q, phases, NULL, ",phase=\"ping\"", q->ping_us);
		seconds(o, q, phases, NULL, ",phase=\"first_message\"", q->first_us);
	}
	if (r && r->cert_not_after)
		gauge(o, q, "probe_ssl_earliest_cert_expiry", "When the server's certificate ends, in Unix time",
		      r->cert_not_after);
}
#endif
