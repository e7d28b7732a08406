/* SPDX-License-Identifier: ISC
 * main.c - begins and ends the program
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/complete.h"
#include "cli/follow.h"
#include "cli/help.h"
#include "cli/many.h"
#include "cli/outfile.h"
#include "cli/task.h"
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define WATCHED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define WATCHED 1
#endif
#endif
#ifdef WATCHED
#define ARENA 0 /* a sanitizer sees more with blocks of malloc */
#else
#define ARENA 24576
#endif

static int print_help(enum wq_help help)
{
	struct wq_out out;

	wq_out_init(&out, 1, WQ_NEVER, 0);
	if (help == WQ_SHOW_HELP)
		wq_put_help(&out);
	else if (help == WQ_SHOW_VERSION)
		wq_put_version(&out);
	else
		wq_put_completion(&out, help);
	if (wq_print_end(&out))
		return WQ_NO_OUTPUT;
	return WQ_OK;
}

static int answer(struct wq_task *t)
{
	return wq_print_answer(&t->q);
}

/* For the watchdog, after which the program exits at once */
static int last_answer(const struct wq_query *q)
{
	return wq_outfile_end(wq_print_answer(q));
}

static int run(int argc, char **argv)
{
	static struct wq_options o;
	static struct wq_task task;
	static struct wq_follow follow;
	int status = wq_options_parse(&o, argc, argv), err;

	if (o.help != WQ_NO_HELP)
		return print_help(o.help);
	if (o.output) {
		err = wq_outfile_open(o.output);
		if (err && status == WQ_OK)
			return wq_print_usage_of(&o, "output", o.output, strerror(err));
	}
	if (status != WQ_OK)
		return wq_print_usage(&o, wq_why(&o.why)->p);
	if (o.verbose)
		o.lib.trace = wq_trace;
	if (o.several)
		return wq_many(&o);
	wq_watchdog_init(last_answer); /* it could not end one of many queries */
	if (o.follow) {
		wq_follow_begin(&follow, &o, o.urls[0]);
		wq_loop_one(&follow.work);
		return follow.status;
	}
	wq_task_begin(&task, &o, o.urls[0], answer);
	wq_loop_one(&task.work);
	return task.status; /* the system frees all memory */
}

int main(int argc, char **argv)
{
	max_align_t arena[ARENA / sizeof(max_align_t) + 1];

	wq_process_init();
	wq_memory_init(arena, ARENA / sizeof arena[0]);
	return wq_outfile_end(run(argc, argv));
}
