/* SPDX-License-Identifier: ISC
 * lines.c - reads the lines of standard input into one block of memory of limited size
 *
 * A line stays in memory until it is known to be written, because a connection that breaks may have
 * to be replaced by another one on which it is sent again. The block grows for a line that does not
 * fit, up to max_line, and for nothing else: where it is full, nothing more is read.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/lines.h"
#include "cli/memory.h"
#include "cli/process.h"
#include "ws.h"
#include <errno.h>
#include <string.h>

#define LINES_BLOCK ((size_t)65536)
#define LINES_NEWLINE 2 /* most bytes that end a line: "\r\n" */

void wq_lines_init(struct wq_lines *l, size_t max_line, bool keep_return)
{
	memset(l, 0, sizeof *l);
	l->max_line = max_line;
	l->keep_return = keep_return;
	l->number = 1;
}

/* Where the line that begins at from ends: at its newline, or at l->end without one. */
static size_t find_newline(const struct wq_lines *l, size_t from)
{
	const char *newline = NULL;

	if (from < l->end)
		newline = memchr(l->p + from, '\n', l->end - from);
	return newline ? (size_t)(newline - l->p) : l->end;
}

/* The line from from to the newline at stop, or to the end of all input */
static void set_line(const struct wq_lines *l, struct wq_line *line, size_t from, size_t stop)
{
	line->p = l->p + from;
	line->len = stop - from;
	line->size = line->len;
	if (stop == l->end)
		return;
	line->size++;
	if (!l->keep_return && line->len > 0 && line->p[line->len - 1] == '\r')
		line->len--;
}

int wq_lines_look(struct wq_lines *l, struct wq_line *line)
{
	size_t stop;

	if (l->scanned < l->next)
		l->scanned = l->next;
	stop = find_newline(l, l->scanned);
	l->scanned = stop;
	if (stop == l->end && !l->over) {
		/* The last byte may be the '\r' of a newline that has not come yet. */
		if (stop - l->next > l->max_line && stop - l->next - l->max_line >= LINES_NEWLINE)
			return WS_ETOOBIG;
		return 0;
	}
	if (stop == l->next && stop == l->end)
		return 0;
	set_line(l, line, l->next, stop);
	if (line->len > l->max_line)
		return WS_ETOOBIG;
	stop = l->next + line->size;
	line->last = find_newline(l, stop) == l->end && !(l->over && stop < l->end);
	return 1;
}

void wq_lines_take(struct wq_lines *l, const struct wq_line *line)
{
	l->next += line->size;
	l->number++;
}

void wq_lines_forget(struct wq_lines *l)
{
	l->begin = l->next;
}

size_t wq_lines_frame_size(size_t len)
{
	if (len < 126)
		return 6 + len;
	if (len < 65536)
		return 8 + len;
	return 14 + len;
}

void wq_lines_go_back(struct wq_lines *l, size_t begun, size_t unsent)
{
	uint64_t total = begun, written, at_byte = 0, lines = 0, kept = 0;
	size_t at, keep = l->begin;
	struct wq_line line;

	for (at = l->begin; at < l->next; at += line.size) {
		set_line(l, &line, at, find_newline(l, at));
		total += wq_lines_frame_size(line.len);
		lines++;
	}
	written = total > unsent ? total - unsent : 0;
	for (at = l->begin; at < l->next; at += line.size) {
		set_line(l, &line, at, find_newline(l, at));
		at_byte += wq_lines_frame_size(line.len);
		if (at_byte > written)
			break;
		keep = at + line.size;
		kept++;
	}
	l->begin = l->next = l->scanned = keep;
	l->number -= lines - kept;
}

/* Moves what is needed to the beginning of the block. */
static void compact(struct wq_lines *l)
{
	if (l->begin == 0)
		return;
	memmove(l->p, l->p + l->begin, l->end - l->begin);
	l->next -= l->begin;
	l->scanned -= l->scanned < l->begin ? l->scanned : l->begin;
	l->end -= l->begin;
	l->begin = 0;
}

/* Bytes that the block may have at most */
static size_t largest_block(const struct wq_lines *l)
{
	size_t most = l->max_line + LINES_NEWLINE;

	return most > LINES_BLOCK ? most : LINES_BLOCK;
}

/* True if the room of lines that are not needed any more is worth moving the others: not for each
 * line. */
static bool can_compact(const struct wq_lines *l)
{
	return l->begin > 0 && (l->begin > l->cap / 2 || l->begin == l->next);
}

/* True if one line takes the whole block, has not ended, and may be longer. */
static bool can_grow(const struct wq_lines *l)
{
	return l->next == 0 && l->scanned == l->end && l->cap < largest_block(l);
}

bool wq_lines_have_room(const struct wq_lines *l)
{
	if (l->over)
		return false;
	return l->end < l->cap || l->cap == 0 || can_compact(l) || can_grow(l);
}

/* Makes room for at least one more byte, where wq_lines_have_room(). False: no memory */
static bool make_room(struct wq_lines *l)
{
	size_t cap = LINES_BLOCK;
	char *p;

	if (l->end == l->cap && can_compact(l))
		compact(l);
	if (l->end < l->cap)
		return true;
	if (l->cap > 0)
		cap = 2 * l->cap;
	if (cap > largest_block(l))
		cap = largest_block(l);
	p = wq_alloc(NULL, l->p, l->cap, cap);
	if (!p)
		return false;
	l->p = p;
	l->cap = cap;
	return true;
}

int wq_lines_read(struct wq_lines *l)
{
	struct pollfd p = {0, POLLIN, 0};
	ptrdiff_t n;

	/* If poll itself fails, the read will report why. */
	if (poll(&p, 1, 0) == 0)
		return WS_AGAIN;
	if (!make_room(l))
		return WS_EMEMORY;
	n = wq_read(0, l->p + l->end, l->cap - l->end);
	if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK))
		return WS_AGAIN;
	if (n < 0) {
		l->cause = strerror(errno);
		return WS_EIO;
	}
	l->end += (size_t)n;
	if (n == 0)
		l->over = true;
	return 0;
}
