/* SPDX-License-Identifier: ISC
 * cbmc_any.h - for CBMC: any values, and what must hold
 */
#ifndef CBMC_ANY_H
#define CBMC_ANY_H
#include "ws_proto.h"

#define ASSUME(cond) __CPROVER_assume(cond)
#define MUST(cond) __CPROVER_assert(cond, #cond)

/* CBMC takes any value for the result of a function that has no body. */
size_t any_size(void);
unsigned any_unsigned(void);
uint32_t any_u32(void);
uint64_t any_u64(void);
int any_int(void);
bool any_bool(void);
char any_char(void);
unsigned char any_byte(void);

/* A part of p[0..len) */
static inline struct wsi_str any_slice(const char *p, size_t len)
{
	struct wsi_str s;
	size_t from = any_size(), to = any_size();

	ASSUME(from <= to && to <= len);
	s.p = p + from;
	s.len = to - from;
	return s;
}

/* The value of a header: part of the array, or that of a header that has not come */
static inline struct wsi_str any_value(const char *p, size_t len)
{
	static const struct wsi_str nothing = {NULL, 0};

	return any_bool() ? any_slice(p, len) : nothing;
}

#endif
