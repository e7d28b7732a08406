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

static bool is_alert(const struct wq_query *q, const struct wq_range *r)
{
	bool above = r->to_ms < INT_MAX && q->total_us > (int64_t)r->to_ms * 1000;
	bool within = !above && q->total_us >= (int64_t)r->from_ms * 1000;

	return r->given && within == r->inside;
}

/* True if the certificate ends so soon that there is a warning. */
static bool ends_soon(const struct wq_query *q)
{
	int days = q->o->cert_warning_days;

	return days >= 0 && q->info && q->info->cert_not_after != 0
	       && wq_cert_left(q->info) <= (int64_t)days * DAY;
}

static enum nagios_state nagios_state(const struct wq_query *q)
{
	if (q->usage || q->signal)
		return NAGIOS_UNKNOWN;
	if (q->err == WS_EURL || q->err == WS_EUNSUPPORTED || q->err == WS_EMEMORY)
		return NAGIOS_UNKNOWN;
	if (q->error || is_alert(q, &q->o->critical))
		return NAGIOS_CRITICAL;
	if (is_alert(q, &q->o->warning) || ends_soon(q))
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

/* " answered 5 pings in " */
static void put_pings(struct wq_out *o, int n)
{
	wq_out(o, " answered ");
	wq_out_u(o, (uint64_t)n);
	wq_out(o, n == 1 ? " ping in " : " pings in ");
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
	else if (q->o->pings > 0)
		put_pings(o, q->o->pings);
	else if (q->o->ping)
		wq_out(o, " answered a ping in ");
	else
		wq_out(o, " connected in ");
	wq_out(o, time);
	if (!ends_soon(q))
		return;
	wsi_text_init(&t, time, sizeof time);
	wq_put_date(&t, q->info->cert_not_after);
	wq_out(o, ", but the certificate ends on ");
	wq_out(o, time);
}

/* In seconds, as the guidelines write ranges: "2.000", "1.000:", "@1.000:2.000" */
static void put_threshold(struct wq_out *o, const struct wq_range *r)
{
	wq_out(o, ";");
	if (!r->given)
		return;
	if (r->inside)
		wq_out(o, "@");
	if (r->from_ms > 0 || r->to_ms == INT_MAX) {
		wq_out_decimal(o, (uint64_t)r->from_ms, 3);
		wq_out(o, ":");
	}
	if (r->to_ms < INT_MAX)
		wq_out_decimal(o, (uint64_t)r->to_ms, 3);
}

/* "14:": an alert below that */
static void put_days(struct wq_out *o, int days)
{
	wq_out(o, ";");
	if (days < 0)
		return;
	wq_out_u(o, (uint64_t)days);
	wq_out(o, ":");
}

static void put_round_trip(struct wq_out *o, const char *name, int64_t us)
{
	if (us < 0)
		return;
	wq_out(o, name);
	wq_out_decimal(o, (uint64_t)us, 6);
	wq_out(o, "s;;;0");
}

/* "pings_lost=0;;;0;5 ping_min=0.000123s;;;0 ..." */
static void put_pings_data(struct wq_out *o, const struct wq_pings *p)
{
	struct wq_round_trips r = wq_pings_round_trips(p);

	if (p->sent == 0)
		return;
	wq_out(o, " pings_lost=");
	wq_out_u(o, p->sent - p->answered);
	wq_out(o, ";;;0;");
	wq_out_u(o, p->sent);
	put_round_trip(o, " ping_min=", r.min_us);
	put_round_trip(o, " ping_median=", r.median_us);
	put_round_trip(o, " ping_max=", r.max_us);
}

/* "time=0.012345s;WARNING;CRITICAL;0;10" */
static void put_performance_data(struct wq_out *o, const struct wq_query *q)
{
	int timeout_ms = q->o->timeout_ms;

	wq_out(o, " | time=");
	wq_out_decimal(o, (uint64_t)q->total_us, 6);
	wq_out(o, "s");
	put_threshold(o, &q->o->warning);
	put_threshold(o, &q->o->critical);
	wq_out(o, ";0;");
	if (timeout_ms % 1000)
		wq_out_decimal(o, (uint64_t)timeout_ms, 3);
	else if (timeout_ms)
		wq_out_u(o, (uint64_t)timeout_ms / 1000);
	if (q->connected && q->info->cert_not_after) {
		wq_out(o, " cert_days=");
		wq_out_i(o, wq_cert_left(q->info) / DAY);
		put_days(o, q->o->cert_warning_days);
		put_days(o, q->o->cert_expiry_days);
	}
	put_pings_data(o, &q->pings);
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
