/* SPDX-License-Identifier: ISC
 * complete.h - the scripts by which shells complete our command line
 */
#ifndef WQ_COMPLETE_H
#define WQ_COMPLETE_H
#include "cli/options.h"

struct wq_out;
void wq_put_completion(struct wq_out *out, enum wq_help shell);

#endif
