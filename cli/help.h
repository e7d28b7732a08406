/* SPDX-License-Identifier: ISC
 * help.h - the texts of --help and --version
 */
#ifndef WQ_HELP_H
#define WQ_HELP_H

struct wq_out;
void wq_put_help(struct wq_out *out);
void wq_put_version(struct wq_out *out);

#endif
