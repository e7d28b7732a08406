/* SPDX-License-Identifier: ISC
 * capture.h - what the groups of a pattern match in a text, in linear time
 */
#ifndef WSQUERY_CAPTURE_H
#define WSQUERY_CAPTURE_H
#include "ws_proto.h"
#include "cli/match.h"

#define WQ_CAPTURE_GROUPS 9 /* groups 1 to 9 are captured */

struct wq_capture; /* lives in memory of the caller, together with all it needs */

/* As wsi_match_size(). Some patterns that match.c accepts are refused: see pattern.c. *groups: how
 * many groups the pattern has. */
size_t wq_capture_size(const char *pattern, size_t len, const char **why, size_t *where,
                       unsigned *groups);
/* As wsi_match_init() */
struct wq_capture *wq_capture_init(void *mem, size_t mem_len, const char *pattern, size_t len);

/* The text must stay in memory as long as its groups are asked for. */
void wq_capture_start(struct wq_capture *c, const char *text, size_t len);
/* Works for about a millisecond at most. 1: done; 0: call it again. */
int wq_capture_step(struct wq_capture *c);
/* After that: what group 1 to 9 matches, or for group 0 the whole pattern. .p is NULL if there is
 * no match, or if the group is in a part of the pattern that took no part in the match. */
struct wsi_str wq_capture_group(const struct wq_capture *c, unsigned group);

/* As wsi_match_memory() and wsi_match_copy(). The text is not copied. */
size_t wq_capture_memory(const struct wq_capture *c);
struct wq_capture *wq_capture_copy(void *mem, const struct wq_capture *c);

#endif
