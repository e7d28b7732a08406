/* SPDX-License-Identifier: ISC
 * answer.h - a finished query in each output format except raw
 */
#ifndef WQ_ANSWER_H
#define WQ_ANSWER_H
#include "cli/out.h"

struct wq_options;
struct wq_query;
struct ws_msg;

/* result.c: the answer as JSON */
void wq_json_answer(struct wq_out *o, const struct wq_query *q);
/* A message of a stream as an object of its own */
void wq_json_message(struct wq_out *o, const struct ws_msg *msg);

/* nagios.c and prometheus.c, unless WSQUERY_NO_FORMATS */
void wq_nagios_answer(struct wq_out *o, const struct wq_query *q);
int wq_nagios_usage(struct wq_out *o, const char *why); /* the exit status, as wq_nagios_status */
void wq_prometheus_usage(struct wq_out *o, const struct wq_options *options);
void wq_prometheus_answer(struct wq_out *o, const struct wq_query *q);
int wq_nagios_status(const struct wq_query *q);

#endif
