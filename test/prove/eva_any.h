/* SPDX-License-Identifier: ISC
 * eva_any.h - for Frama-C's Eva: what eva_any.c makes up. any_input comes first.
 */
#ifndef EVA_ANY_H
#define EVA_ANY_H
#include "ws_proto.h"

void any_input(void);
size_t any_len(size_t max);
/* Up to N bytes */
struct wsi_str any_str(void);
/* The same with a NUL behind, or NULL */
const char *any_string(void);

#endif
