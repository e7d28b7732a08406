/* SPDX-License-Identifier: ISC
 * match.h - layer 0, internal: POSIX extended regular expressions without back-references; yes or
 * no; linear time
 */
#ifndef WSQUERY_MATCH_H
#define WSQUERY_MATCH_H
#include "ws_pure.h"
#include <stdbool.h>

#define WSI_MATCH_REPEAT_MAX 255  /* of {m,n} */
#define WSI_MATCH_STATES_MAX 4096 /* after repetitions are written out */
#define WSI_MATCH_DEPTH_MAX 100   /* of parentheses */

struct wsi_match; /* lives in memory of the caller, together with all it needs */

/* How much memory a pattern needs (an upper bound computed from it). 0: it is wrong; then *why is a
 * static sentence, and *where the offset of the byte that the sentence is about. The pattern must
 * be UTF-8; NUL is a character. */
WSI size_t wsi_match_size(const char *pattern, size_t len, const char **why, size_t *where);
/* mem: wsi_match_size(pattern, len) bytes, aligned as malloc does. The pattern is not needed
 * afterwards. */
WSI struct wsi_match *wsi_match_init(void *mem, size_t mem_len, const char *pattern, size_t len);

/* A text in slices of any size, cut anywhere, also within a character. A byte that is not UTF-8
 * counts as U+FFFD. */
WSI void wsi_match_start(struct wsi_match *m);
WSI int wsi_match_feed(struct wsi_match *m, const void *text,
                       size_t len);         /* 1: matches, whatever follows; 0: go on */
WSI int wsi_match_end(struct wsi_match *m); /* 1: the text, now ended, matches; 0: no */

/* A copy in memory of wsi_match_memory(m) bytes, aligned as malloc does. It goes on where m is. */
WSI size_t wsi_match_memory(const struct wsi_match *m);
WSI struct wsi_match *wsi_match_copy(void *mem, const struct wsi_match *m);

#endif
