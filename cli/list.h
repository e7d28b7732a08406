/* SPDX-License-Identifier: ISC
 * list.h - a list of URLs, one a line, read as a stream without waiting
 */
#ifndef WQ_LIST_H
#define WQ_LIST_H
#include <stdbool.h>
#include <stddef.h>

struct wq_list {
	const char *path; /* "-": standard input */
	int fd;           /* -1: not open, or read to its end */
	int err;          /* errno, if reading failed */
	bool began;       /* the first line was read */
	bool in_long;     /* the rest of a line that is too long is to be dropped */
	char *buf;        /* what was read is buf[at..len) */
	size_t at, len;
};
enum wq_list_result {
	WQ_LIST_LINE,  /* *line is the next URL, terminated, until the next call */
	WQ_LIST_END,   /* there are no more */
	WQ_LIST_WAIT,  /* first poll .fd for reading */
	WQ_LIST_FAILED /* see .err */
};
/* 0, or an errno */
int wq_list_open(struct wq_list *l, const char *path);
/* Blank lines and comments are skipped, and blanks around a URL. A line of over 16 KiB is cut; that
 * is still too long for a URL. */
enum wq_list_result wq_list_next(struct wq_list *l, char **line);
void wq_list_close(struct wq_list *l);

#endif
