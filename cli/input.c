/* SPDX-License-Identifier: ISC
 * input.c - files and standard input, read as far as there is something to read without waiting
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/wsquery.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define SHOWN 300 /* bytes of a path */

static int is_stdin(const struct wq_input *in)
{
	return in->path[0] == '-' && in->path[1] == '\0';
}

void wq_put_input(struct wsi_text *t, const struct wq_input *in)
{
	size_t len = strlen(in->path);

	if (is_stdin(in)) {
		wsi_put(t, "standard input");
	} else {
		wsi_put_c(t, '"');
		wsi_put_safe(t, in->path, len < SHOWN ? len : SHOWN);
		wsi_put(t, len < SHOWN ? "\"" : "...\"");
	}
}

static void input_end(struct wq_input *in)
{
	if (in->fd > 2)
		close(in->fd);
	in->fd = -1;
}

struct wsi_text *wq_input_wrong(const struct wq_input *in, struct wq_why *why)
{
	struct wsi_text *t = wq_why(why);

	wq_put_option(t, in->option);
	wsi_put(t, ": ");
	wq_put_input(t, in);
	wsi_put(t, ": ");
	return t;
}

static int input_failed(struct wq_input *in, struct wq_why *why, const char *cause)
{
	wsi_put(wq_input_wrong(in, why), cause);
	input_end(in);
	return WS_EUSAGE;
}

int wq_input_open(struct wq_input *in, struct wq_why *why)
{
	if (is_stdin(in) && wq_is_closed(0))
		return input_failed(in, why, "it is closed");
	/* O_NONBLOCK: for a FIFO without a writer. Standard input is shared with others, so its flags are left alone */
	in->fd = is_stdin(in) ? 0 : open(in->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	return in->fd < 0 ? input_failed(in, why, strerror(errno)) : 0;
}

int wq_input_read(struct wq_input *in, struct wq_why *why)
{
	struct pollfd p = {in->fd, POLLIN, 0};
	size_t room;
	ptrdiff_t n;

	if (in->len + 2 > in->cap) { /* a byte more than has come, and a NUL */
		size_t cap = in->cap ? 2 * in->cap : 4096;
		char *more = wq_alloc(NULL, in->p, in->cap, cap);

		if (!more)
			return WS_EMEMORY;
		in->p = more;
		in->cap = cap;
	}
	if (poll(&p, 1, 0) == 0) /* a read would block. Where poll itself fails, the read tells */
		return WS_AGAIN;
	room = in->cap - in->len - 1;
	n = wq_read(in->fd, in->p + in->len, room < WQ_PIECE ? room : WQ_PIECE);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return WS_AGAIN;
	if (n < 0)
		return input_failed(in, why, strerror(errno));
	in->len += (size_t)n;
	if (in->step && in->len > WQ_MAX_INPUT)
		return input_failed(in, why, "it is over 64 MiB, the most that is read");
	if (!in->step && in->len > WQ_MAX_OPTION_INPUT)
		return input_failed(in, why,
		                    "it is over 1 MiB, the most that is read for this option");
	if (n > 0)
		return 0;
	in->p[in->len] = '\0';
	input_end(in);
	return 0;
}
