/* SPDX-License-Identifier: ISC
 * many.h - several URLs: those of the command line and those of a list
 */
#ifndef WQ_MANY_H
#define WQ_MANY_H

struct wq_options;

/* Asks all of them, and prints the answers. Returns the exit status. */
int wq_many(struct wq_options *o);

#endif
