/* SPDX-License-Identifier: ISC
 * print.c - prints an answer, or what is wrong with the command line, and gives the exit status
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/outfile.h"
#include "cli/wsquery.h"
#include <errno.h>
#include <string.h>

int wq_print_end(struct wq_out *out)
{
	int err = wq_out_end(out);

	if (err)
		wq_outfile_spoil();
	if (err == ETIMEDOUT)
		wq_say(wq_outfile_name(), "its reader did not read the answer in time");
	else if (err)
		wq_say(wq_outfile_name(), strerror(err));
	return err;
}

int wq_print_usage(const struct wq_options *o, const char *why)
{
	struct wq_out out;
	int status = WQ_USAGE;

	wq_err_init(&out);
	wq_out(&out, "wsquery: ");
	wq_out(&out, why);
	wq_out(&out, "\nTry 'wsquery --help' for more.\n");
	wq_out_end(&out);
#ifndef WSQUERY_NO_FORMATS
	if (o->format == WQ_NAGIOS) {
		wq_out_init(&out, 1, 0, 0);
		status = wq_nagios_usage(&out, why);
		if (!o->quiet)
			wq_out_end(&out);
	}
	if (o->format == WQ_PROMETHEUS && o->output && !o->quiet) {
		wq_out_init(&out, 1, 0, 0);
		wq_prometheus_usage(&out, o);
		wq_out_end(&out);
	}
#else
	(void)o;
#endif
	return status;
}

int wq_print_usage_of(struct wq_options *o, const char *option, const char *file, const char *why)
{
	struct wq_input in;

	memset(&in, 0, sizeof in);
	in.option = option;
	in.path = file;
	wsi_put(wq_input_wrong(&in, &o->why), why);
	return wq_print_usage(o, wq_why(&o->why)->p);
}

void wq_put_raw_message(struct wq_out *out, const struct ws_msg *msg)
{
	wq_out_n(out, msg->data, msg->len);
	if (msg->type == WS_TEXT)
		wq_out_c(out, '\n');
}

static void put_raw(struct wq_out *out, const struct wq_query *q)
{
	struct wq_walk walk = {0, 0};
	struct ws_msg m;

	while (wq_query_data(q, &walk, &m))
		wq_put_raw_message(out, &m);
}

void wq_put_answer(struct wq_out *out, const struct wq_query *q)
{
	switch (q->o->format) {
	case WQ_JSON:
		wq_json_answer(out, q);
		break;
	case WQ_RAW:
		put_raw(out, q);
		break;
#ifndef WSQUERY_NO_FORMATS
	case WQ_NAGIOS:
		wq_nagios_answer(out, q);
		break;
	case WQ_PROMETHEUS:
		wq_prometheus_answer(out, q);
		break;
#else
	case WQ_NAGIOS:
	case WQ_PROMETHEUS:
		break;
#endif
	}
}

int wq_print_answer(const struct wq_query *q)
{
	const struct wq_options *o = q->o;
	int status = wq_query_status(q), err;
	struct wq_out out;

	if (q->usage)
		return wq_print_usage(o, q->error);
#ifndef WSQUERY_NO_FORMATS
	if (o->format == WQ_NAGIOS)
		status = wq_nagios_status(q);
#endif
	if (o->quiet)
		return status;
	wq_out_init(&out, 1, q->deadline_us, q->store.bytes + q->msg.len);
	wq_put_answer(&out, q);
	if (o->format == WQ_RAW && q->error)
		wq_say(NULL, q->error);
	err = wq_print_end(&out);
	if (!err || status != WQ_OK)
		return status;
	return wq_signal() ? 128 + wq_signal() : WQ_NO_OUTPUT;
}
