/* SPDX-License-Identifier: ISC
 * lines.h - the lines of standard input, one message each
 */
#ifndef WQ_LINES_H
#define WQ_LINES_H
#include "ws_pure.h"

/* The lines that are in memory lie in p[begin..end): first those that were taken but may be needed
 * again, then from next on those to come. */
struct wq_lines {
	size_t max_line;  /* bytes of the longest line that is accepted */
	bool keep_return; /* "\r\n" ends a line, too, but its '\r' belongs to it */

	char *p;
	size_t cap, begin, next, end;
	size_t scanned;    /* p[next..scanned) has no newline */
	uint64_t number;   /* of the line at next, from 1 */
	bool over;         /* standard input has ended: there is nothing after p[end] */
	const char *cause; /* why reading failed */
};

struct wq_line {
	const char *p;
	size_t len;  /* without the newline */
	size_t size; /* with it */
	bool last;   /* no other whole line is in memory */
};

void wq_lines_init(struct wq_lines *l, size_t max_line, bool keep_return);
/* The line at .next. 1: it is whole; 0: more must be read first, or, if .over is set, there are no
 * more lines; WS_ETOOBIG. */
int wq_lines_look(struct wq_lines *l, struct wq_line *line);
/* Goes on after that line. Its bytes stay until wq_lines_forget(). */
void wq_lines_take(struct wq_lines *l, const struct wq_line *line);
/* The lines that were taken are not needed any more. */
void wq_lines_forget(struct wq_lines *l);
size_t wq_lines_frame_size(size_t len); /* of a client's frame (RFC 6455 5.2) */
/* Goes back to the first line that was not written as a whole. The lines that were taken were sent
 * as frames, followed by the first `begun` bytes of the next line's frame. The last `unsent` bytes
 * of all these were not written. */
void wq_lines_go_back(struct wq_lines *l, size_t begun, size_t unsent);
/* True if there is room to read more. It is bounded by max_line, whatever standard input holds. */
bool wq_lines_have_room(const struct wq_lines *l);
/* Reads once. 0: something came, or the end; WS_AGAIN: nothing now; WS_EMEMORY; WS_EIO: see
 * .cause. */
int wq_lines_read(struct wq_lines *l);

#endif
