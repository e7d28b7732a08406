/* SPDX-License-Identifier: ISC
 * nagios.c - writes a finished query as one line for Nagios:
 * https://www.monitoring-plugins.org/doc/guidelines.html
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/wsquery.h"
#ifndef WSQUERY_NO_FORMATS
#include <string.h>

#define DAY 86400 /* seconds */

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
#endif
