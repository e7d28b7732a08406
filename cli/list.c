/* SPDX-License-Identifier: ISC
 * list.c - a list of URLs, one a line, read as a stream without waiting
 *
 * A list may be endless, so no more than one buffer of it is held.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "ws.h"
#include "cli/list.h"
#include "cli/memory.h"
#include "cli/process.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define BUFFER ((size_t)2 * WS_MAX_URL)

int wq_list_open(struct wq_list *l, const char *path)
{
	memset(l, 0, sizeof *l);
	l->path = path;
	l->fd = -1;
	l->buf = wq_alloc(NULL, NULL, 0, BUFFER);
	if (!l->buf)
		return ENOMEM;
	if (strcmp(path, "-") == 0) {
		if (wq_is_closed(0))
			return EBADF;
		l->fd = 0;
		return 0;
	}
	/* O_NONBLOCK: the open of a FIFO would wait for a writer. */
	l->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (l->fd < 0)
		return errno;
	return 0;
}

void wq_list_close(struct wq_list *l)
{
	if (l->fd > 2)
		close(l->fd);
	l->fd = -1;
	if (l->buf)
		wq_alloc(NULL, l->buf, BUFFER, 0);
	l->buf = NULL;
	l->at = l->len = 0;
}

/* Reads more after what is buffered, which is less than the buffer. */
static enum wq_list_result list_read(struct wq_list *l)
{
	struct pollfd p = {l->fd, POLLIN, 0};
	ptrdiff_t n;

	memmove(l->buf, l->buf + l->at, l->len - l->at);
	l->len -= l->at;
	l->at = 0;
	/* If poll itself fails, the read will report why. */
	if (poll(&p, 1, 0) == 0)
		return WQ_LIST_WAIT;
	n = wq_read(l->fd, l->buf + l->len, BUFFER - l->len - 1);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return WQ_LIST_WAIT;
	if (n < 0) {
		l->err = errno;
		return WQ_LIST_FAILED;
	}
	l->len += (size_t)n;
	if (n == 0) {
		if (l->fd > 2)
			close(l->fd);
		l->fd = -1;
	}
	return WQ_LIST_LINE;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Takes a line of len bytes off the buffer, and its newline if it has one. NULL: it is blank or a
 * comment. */
static char *list_take(struct wq_list *l, size_t len, bool has_newline)
{
	char *p = l->buf + l->at, *end = p + len, *nul;

	l->at += len;
	if (has_newline)
		l->at++;
	if (!l->began && len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		p += 3; /* a byte order mark */
	l->began = true;
	while (p < end && is_blank(*p))
		p++;
	while (p < end && is_blank(end[-1]))
		end--;
	if (p == end || *p == '#')
		return NULL;
	/* A NUL would end the string, and what is before it could be a good URL. */
	while ((nul = memchr(p, '\0', (size_t)(end - p))) != NULL)
		*nul = '\1';
	*end = '\0';
	return p;
}

/* Drops what is buffered of a line that was too long. */
static void list_drop(struct wq_list *l, const char *newline)
{
	l->in_long = !newline;
	l->at = l->len;
	if (newline)
		l->at = (size_t)(newline - l->buf) + 1;
}

/* The next line that is buffered. A line that fills the buffer is taken without its rest: it is too
 * long for a URL in any case. NULL: none that counts; *more: there may be another one. */
static char *list_buffered(struct wq_list *l, bool *more)
{
	size_t len = l->len - l->at;
	bool full = len == BUFFER - 1;
	char *newline = NULL;

	if (len > 0)
		newline = memchr(l->buf + l->at, '\n', len);
	*more = len > 0;
	if (l->in_long) {
		list_drop(l, newline);
		return NULL;
	}
	if (newline)
		return list_take(l, (size_t)(newline - l->buf) - l->at, true);
	if (len > 0 && (full || l->fd < 0)) {
		l->in_long = full;
		return list_take(l, len, false);
	}
	*more = false;
	return NULL;
}

enum wq_list_result wq_list_next(struct wq_list *l, char **line)
{
	enum wq_list_result r;
	bool more;

	for (;;) {
		*line = list_buffered(l, &more);
		if (*line)
			return WQ_LIST_LINE;
		if (more)
			continue;
		if (l->fd < 0)
			return WQ_LIST_END;
		r = list_read(l);
		if (r != WQ_LIST_LINE)
			return r;
	}
}
