/* SPDX-License-Identifier: ISC
 * print.h - prints an answer, or what is wrong with the command line, and gives the exit status
 */
#ifndef WQ_PRINT_H
#define WQ_PRINT_H
#include "cli/out.h"

struct wq_options;
struct wq_query;
struct ws_msg;

/* Ends output to standard output. 0, or an errno, which has been reported to the user. */
int wq_print_end(struct wq_out *out);
/* Prints the answer on standard output. Returns the exit status. */
int wq_print_answer(const struct wq_query *q);
/* A message in the format raw: text and a newline, binary as it is */
void wq_put_raw_message(struct wq_out *out, const struct ws_msg *msg);
/* Writes the answer in the format that was asked for. */
void wq_put_answer(struct wq_out *out, const struct wq_query *q);
/* The command line is wrong. Returns the exit status. */
int wq_print_usage(const struct wq_options *o, const char *why);
/* The same for a file that an option names: "--from: "FILE": WHY" */
int wq_print_usage_of(struct wq_options *o, const char *option, const char *file, const char *why);

#endif
