/* SPDX-License-Identifier: ISC
 * eva.h - for Frama-C's Eva: what the entry points of eva_*.c share
 */
#ifndef EVA_H
#define EVA_H
#include "__fc_builtin.h"
#include "ws_proto.h"

/* Any bytes. What is given to a function are the last ones, so that one more is outside. */
#ifndef N
#define N 16
#endif
static char in[N];

#define ANY_BYTES() Frama_C_make_unknown(in, sizeof in)
#define LAST(len) (in + sizeof in - (len))

static inline bool any_bool(void)
{
	return Frama_C_interval(0, 1);
}

#endif
