/* SPDX-License-Identifier: ISC
 * prometheus.h - the metrics of queries for Prometheus
 */
#ifndef WQ_PROMETHEUS_H
#define WQ_PROMETHEUS_H
#include "cli/wsquery.h"

/* One query. Times in microseconds are < 0 where a phase was not reached. */
struct wq_sample {
	char *target;              /* the URL as a label's value */
	const char *const *labels; /* as --label has them; ends with NULL, or is NULL */
	size_t order;              /* the place of the query among all */
	bool success, connected, unmatched;
	bool has_report; /* the library was called: the rest is known */
	int http_status;
	int64_t cert_not_after; /* 0: there was no certificate */
	int64_t total_us, ping_us, first_us;
	size_t pings_sent, pings_lost; /* by --every */
	struct wq_round_trips round_trips;
	int64_t phase_us[WS_PHASES_TIMED];
};
/* Fills s with the values of q. The target is written to buf. */
#define WQ_TARGET (2 * WQ_MAX_URL + 1)
void wq_sample_take(struct wq_sample *s, const struct wq_query *q, char buf[WQ_TARGET]);
/* Of samples with the same target only one can stay: the first that failed, or else the first.
 * Sorts by .order. Returns how many are left. */
size_t wq_samples_merge(struct wq_sample *s, size_t n);
/* Writes the metrics of n queries, each metric with its help once. */
void wq_samples_put(struct wq_out *out, const struct wq_sample *s, size_t n);

#endif
