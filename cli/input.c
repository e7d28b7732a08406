/* SPDX-License-Identifier: ISC
 * input.c - reads files and standard input as far as that is possible without waiting
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "ws.h"
#include "cli/input.h"
#include "cli/process.h"
#include <stdbool.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define DATA_MAX ((size_t)64 << 20) /* bytes that a step sends */
#define VALUE_MAX ((size_t)1 << 20) /* bytes of an option's value; no server takes that much */
#define FIRST_BUFFER ((size_t)4096)
#define SHOWN 300 /* bytes of a path */

static bool is_stdin(const struct wq_input *in)
{
	return strcmp(in->path, "-") == 0;
}

void wq_put_input(struct wsi_text *t, const struct wq_input *in)
{
	size_t len = strlen(in->path);

	if (is_stdin(in)) {
		wsi_put(t, "standard input");
	} else if (len < SHOWN) {
		wsi_put_c(t, '"');
		wsi_put_safe(t, in->path, len);
		wsi_put_c(t, '"');
	} else {
		wsi_put_c(t, '"');
		wsi_put_safe(t, in->path, SHOWN);
		wsi_put(t, "...\"");
	}
}

static void end(struct wq_input *in)
{
	if (in->fd > 2)
		close(in->fd);
	in->fd = -1;
}

static int fail(struct wq_input *in, const char *cause)
{
	in->cause = cause;
	end(in);
	return WS_EUSAGE;
}

int wq_input_open(struct wq_input *in)
{
	if (in->fd >= 0)
		return 0;
	if (is_stdin(in)) {
		if (wq_is_closed(0))
			return fail(in, "it is closed");
		/* Its flags stay as they are: other processes share it. */
		in->fd = 0;
		return 0;
	}
	/* O_NONBLOCK: the open of a FIFO would wait for a writer. */
	in->fd = open(in->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (in->fd < 0 && errno == ENOENT && in->step)
		return fail(
		    in, "No such file or directory (--data-raw sends a text that begins with @)");
	if (in->fd >= 0)
		return 0;
	in->cause = strerror(errno);
	return errno == EMFILE || errno == ENFILE ? WS_EIO : WS_EUSAGE;
}

/* Makes room for at least one more byte, and the NUL after it. */
static int make_room(struct wq_input *in)
{
	size_t cap = FIRST_BUFFER;
	char *p;

	if (in->len + 2 <= in->cap)
		return 0;
	if (in->cap > 0)
		cap = 2 * in->cap;
	p = wq_alloc(NULL, in->p, in->cap, cap);
	if (!p)
		return WS_EMEMORY;
	in->p = p;
	in->cap = cap;
	return 0;
}

int wq_input_read(struct wq_input *in)
{
	struct pollfd p = {in->fd, POLLIN, 0};
	size_t room;
	ptrdiff_t n;

	if (make_room(in) < 0)
		return WS_EMEMORY;
	/* If poll itself fails, the read will report why. */
	if (poll(&p, 1, 0) == 0)
		return WS_AGAIN;
	room = in->cap - in->len - 1;
	if (room > WQ_PIECE)
		room = WQ_PIECE;
	n = wq_read(in->fd, in->p + in->len, room);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return WS_AGAIN;
	if (n < 0)
		return fail(in, strerror(errno));
	in->len += (size_t)n;
	if (in->step && in->len > DATA_MAX)
		return fail(in, "it is over 64 MiB, the most that is read");
	if (!in->step && in->len > VALUE_MAX)
		return fail(in, "it is over 1 MiB, the most that is read for this option");
	if (n == 0) {
		in->p[in->len] = '\0';
		end(in);
	}
	return 0;
}
