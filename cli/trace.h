/* SPDX-License-Identifier: ISC
 * trace.h - what -v shows on standard error
 */
#ifndef WQ_TRACE_H
#define WQ_TRACE_H
#include <stddef.h>

/* As ws_options.trace. user_data: a struct wq_query, or NULL */
void wq_trace(void *user_data, int sent, int type, const void *data, size_t len);

#endif
