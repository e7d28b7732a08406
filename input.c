/* SPDX-License-Identifier: ISC
 * input.c - files and standard input, read without waiting where reading could wait
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "wsquery.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOO_LONG "is over 64 MiB, the most that is read" /* WQ_MAX_INPUT */

static int is_stdin(const struct wq_input *in)
{
	return in->path[0] == '-' && in->path[1] == '\0';
}

void wq_put_input(struct wsi_text *t, const struct wq_input *in)
{
	if (is_stdin(in))
		wsi_put(t, "standard input");
	else
		wsi_put_safe(t, in->path, strlen(in->path));
}

/* Ends it */
static int input_failed(struct wq_input *in, struct wsi_text *why, int err, const char *cause)
{
	wq_put_option(why, in->option);
	wsi_put(why, ": ");
	wq_put_input(why, in);
	wsi_put(why, ": ");
	wsi_put(why, cause);
	if (in->fd > 2)
		close(in->fd);
	in->fd = -1;
	return err;
}

/* Room for one byte more than has come, and for a NUL */
static int input_room(struct wq_input *in, size_t cap)
{
	char *p = wq_alloc(NULL, in->p, in->cap, cap);

	if (!p)
		return WS_EMEMORY;
	in->p = p;
	in->cap = cap;
	return 0;
}

/* One read: 1: there may be more, 0: the end, or an error */
static int input_more(struct wq_input *in, struct wsi_text *why)
{
	ssize_t n;

	if (in->len + 2 > in->cap && input_room(in, in->cap * 2) < 0)
		return input_failed(in, why, WS_EMEMORY, "out of memory");
	n = read(in->fd, in->p + in->len, in->cap - in->len - 1);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 1;
	if (n < 0)
		return input_failed(in, why, WS_EUSAGE, strerror(errno));
	if (n == 0) {
		in->p[in->len] = '\0';
		if (in->fd > 2)
			close(in->fd);
		in->fd = -1;
		return 0;
	}
	in->len += (size_t)n;
	if (in->len > WQ_MAX_INPUT)
		return input_failed(in, why, WS_EUSAGE, TOO_LONG);
	return 1;
}

int wq_input_open(struct wq_input *in, struct wsi_text *why)
{
	struct stat st;
	size_t cap = 4096;
	int r;

	/* O_NONBLOCK: a FIFO without a writer; standard input is shared with others, so its flags are left alone */
	in->fd = is_stdin(in) ? 0 : open(in->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (in->fd < 0 || fstat(in->fd, &st) < 0)
		return input_failed(in, why, WS_EUSAGE, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return input_failed(in, why, WS_EUSAGE, is_stdin(in) ? "is closed, or a directory" : "is a directory");
	if (S_ISREG(st.st_mode) && st.st_size > (off_t)WQ_MAX_INPUT)
		return input_failed(in, why, WS_EUSAGE, TOO_LONG);
	if (S_ISREG(st.st_mode) && st.st_size + 2 > (off_t)cap)
		cap = (size_t)st.st_size + 2;
	if (input_room(in, cap) < 0)
		return input_failed(in, why, WS_EMEMORY, "out of memory");
	if (!S_ISREG(st.st_mode))
		return WS_AGAIN;
	do
		r = input_more(in, why);
	while (r > 0);
	return r;
}

int wq_input_read(struct wq_input *in, struct wsi_text *why)
{
	int r = input_more(in, why);

	return r > 0 ? WS_AGAIN : r;
}
