/* SPDX-License-Identifier: ISC
 * input.h - a file or standard input that an option names with '@', read without waiting
 */
#ifndef WQ_INPUT_H
#define WQ_INPUT_H
#include "cli/memory.h"

#define WQ_PIECE ((size_t)1 << 20) /* bytes read or checked between two looks at the clock */

struct wq_step;
struct wq_input {
	const char *option; /* "data" */
	const char *path;   /* "-": standard input */

	/* What the content is for: a step that sends it; the value of an option; or, where both
	 * are NULL, lines of headers. Only the content of a step may be read after ws_new. */
	struct wq_step *step;
	const char **value;

	int fd;            /* -1: not open, or read to its end */
	const char *cause; /* why opening or reading failed */
	char *p;           /* the content, with a NUL after it */
	size_t len, cap;
};
/* 0, also if it is open; WS_EUSAGE: see .cause; WS_EIO: likewise, no descriptor was free. */
int wq_input_open(struct wq_input *in);
/* 0: something was read; .fd is -1 once that is all. WS_AGAIN: poll .fd for reading first.
 * WS_EUSAGE: see .cause. WS_EMEMORY. */
int wq_input_read(struct wq_input *in);
/* "standard input", or the file's name in quotation marks */
void wq_put_input(struct wsi_text *t, const struct wq_input *in);

#endif
