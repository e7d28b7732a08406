/* SPDX-License-Identifier: ISC
 * expand.h - --data-expand: ${0} to ${9} stand for a message that an -e matched, and for its groups
 */
#ifndef WQ_EXPAND_H
#define WQ_EXPAND_H
#include "cli/capture.h"
#include "cli/options.h"
#include "cli/store.h"

/* What the latest -e matched */
struct wq_captured {
	struct wq_store message; /* that one message */
	struct {
		size_t at, len;
	} group[WQ_CAPTURE_GROUPS + 1]; /* in the message; group 0 is the whole message */

	struct wq_capture *capture; /* looks for the groups; NULL: they are all found */
	struct wq_capture *own;     /* the copy that is .capture, or NULL: it is the step's */
};

/* Checks the step of a --data-expand, which is the last one of o->steps, and notes in the -e before
 * it what to keep. Faults go to o->why. */
void wq_expand_check(struct wq_options *o);

/* Keeps a message that the step's pattern matched: 0, or WS_EMEMORY. Then wq_captured_find() finds
 * its groups. */
int wq_captured_take(struct wq_captured *c, const struct wq_step *expect, const struct ws_msg *msg);
/* Works for about a millisecond at most. 1: all groups are found; 0: call it again. */
int wq_captured_find(struct wq_captured *c);
/* Between two such calls: from now on other queries may use the step's capture. 0, or WS_EMEMORY. */
int wq_captured_let_go(struct wq_captured *c);
void wq_captured_free(struct wq_captured *c);
/* The part of the message that the group matched, which may be empty. Group 0: the whole
 * message. */
struct wsi_str wq_captured_group(const struct wq_captured *c, unsigned group);

/* True if the text repeats what was matched, which may be a token */
bool wq_captured_repeats(const struct wq_captured *c, struct wsi_str text);

/* Writes what the step of a --data-expand sends to *data, a block of wq_alloc() that is *len bytes
 * long, or NULL where *len is 0. 0, WS_EMEMORY, or WS_ETOOBIG: it is over max. */
int wq_expand(const struct wq_step *send, const struct wq_captured *c, size_t max, char **data,
              size_t *len);

#endif
