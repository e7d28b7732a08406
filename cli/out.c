/* SPDX-License-Identifier: ISC
 * out.c - writes text to a descriptor whose reader may be slow or gone, and to standard error
 *
 * The text is collected in a buffer. Each write is bounded in time by wq_write(), and between two
 * writes the clock is checked. Once the reader has had its time, the rest is dropped and .err is
 * set.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/wsquery.h"
#include <errno.h>
#include <limits.h>
#include <string.h>

/* A reader that takes nothing is waited for this long after the deadline or a signal, and standard
 * error at any time. The contract: a reader of stdout has at least 100 ms. */
#define PATIENCE_US 100000
/* A reader that goes on reading has this long after the deadline, or longer for a large answer.
 * Together with a tick and the program's exit this makes the 100 ms by which a query may outlast
 * its deadline. */
#define GRACE_US 80000
/* Bytes in a microsecond that a reader must take after the deadline: 10 MB/s */
#define LEAST_RATE 10
#define RETRY_US 10000 /* between two writes to a descriptor that takes nothing */
#define OUT_BUFFER 4096

/* Standard error gets many messages but has one reader, so what is known about it is kept here. */
static int err_failed;       /* errno of the first write that failed: nobody reads it. Or 0. */
static int64_t err_until_us; /* no message is waited for after that; 0: not set yet */
static size_t err_line_len;  /* bytes of the line that wq_err_line() shows */

/* The reader has until until_us, and then longer for size bytes. */
static void out_set_limit(struct wq_out *o, int64_t until_us, size_t size)
{
	int64_t now_us = wq_now_us();

	o->moved_us = now_us;
	o->idle_until_us = until_us;
	o->grace_us = (int64_t)(size / LEAST_RATE);
	if (o->grace_us < GRACE_US)
		o->grace_us = GRACE_US;
	if (until_us == WQ_NEVER)
		o->most_us = WQ_NEVER;
	else if (until_us > now_us)
		o->most_us = until_us + o->grace_us;
	else
		o->most_us = now_us + o->grace_us;
	if (o->most_us < now_us + PATIENCE_US)
		o->most_us = now_us + PATIENCE_US;
}

void wq_out_init(struct wq_out *o, int fd, int64_t until_us, size_t size)
{
	memset(o, 0, offsetof(struct wq_out, small));
	o->fd = fd;
	o->cap = sizeof o->small;
	o->buf = o->small;
	out_set_limit(o, until_us, size);
}

/* True once the reader has had its time. A signal ends that time as the deadline does. */
static bool out_is_late(struct wq_out *o)
{
	int64_t now_us = wq_now_us();

	if (wq_signal()) {
		if (o->idle_until_us > now_us)
			o->idle_until_us = now_us;
		if (o->most_us > now_us + o->grace_us)
			o->most_us = now_us + o->grace_us;
	}
	if (now_us >= o->most_us)
		return true;
	return now_us >= o->idle_until_us && now_us - o->moved_us >= PATIENCE_US;
}

/* Writes the buffer. One write is made however late it is: a reader that is there gets the answer.
 */
static void out_flush(struct wq_out *o)
{
	if (err_line_len > 0 && o->fd <= 2 && o->len > 0)
		wq_err_line("");
	while (o->from < o->len && !o->err) {
		struct pollfd p[1] = {{o->fd, POLLOUT, 0}};
		ptrdiff_t n;

		if (o->tried && out_is_late(o)) {
			o->err = ETIMEDOUT;
			break;
		}
		o->tried = true;
		n = wq_write(o->fd, o->buf + o->from, o->len - o->from);
		if (n > 0) {
			o->from += (size_t)n;
			o->moved_us = wq_now_us();
		} else if (n == 0 || errno == EAGAIN || errno == EWOULDBLOCK) {
			/* another process that shares the descriptor made it non-blocking */
			wq_wait(p, 1, wq_now_us() + RETRY_US, false);
		} else if (errno != EINTR) {
			o->err = errno;
		}
	}
	o->from = o->len = 0;
	if (o->fd == 2) {
		err_failed = o->err;
		err_until_us = o->most_us;
	}
}

/* The buffer of an output that is kept is full: uses the room of what was written, where that is
 * much, or doubles it. */
static void out_grow(struct wq_out *o)
{
	size_t cap = 2 * o->cap;
	char *p;

	if (o->from > o->cap / 2) {
		memmove(o->buf, o->buf + o->from, o->len - o->from);
		o->len -= o->from;
		o->from = 0;
		return;
	}
	if (o->buf != o->small)
		p = wq_alloc(NULL, o->buf, o->cap, cap);
	else
		p = wq_alloc(NULL, NULL, 0, cap);
	if (!p) {
		o->err = ENOMEM;
		return;
	}
	if (o->buf == o->small)
		memcpy(p, o->small, o->len);
	o->buf = p;
	o->cap = cap;
}

/* The buffer is full: replaces the small one by a larger one, or writes it out. */
static void out_make_room(struct wq_out *o)
{
	char *p = NULL;

	if (o->kept) {
		out_grow(o);
		return;
	}
	if (o->buf == o->small)
		p = wq_alloc(NULL, NULL, 0, OUT_BUFFER);
	if (!p) {
		out_flush(o);
		return;
	}
	memcpy(p, o->small, o->len);
	o->buf = p;
	o->cap = OUT_BUFFER;
}

void wq_out_long(struct wq_out *o, const char *s, size_t len)
{
	while (len > 0 && !o->err) {
		size_t n = o->cap - o->len;

		if (n == 0) {
			out_make_room(o);
			continue;
		}
		if (n > len)
			n = len;
		memmove(o->buf + o->len, s, n);
		o->len += n;
		s += n;
		len -= n;
	}
}

void wq_out_n(struct wq_out *o, const void *p, size_t len)
{
	if (len == 0 || len > o->cap - o->len) {
		wq_out_long(o, p, len);
		return;
	}
	/* Not memcpy, for which gcc -Os writes "rep movsb": that is slow for few bytes. */
	memmove(o->buf + o->len, p, len);
	o->len += len;
}

char *wq_out_room(struct wq_out *o, size_t n)
{
	while (o->cap - o->len < n && !o->err)
		out_make_room(o);
	if (o->err)
		return NULL;
	return o->buf + o->len;
}

void wq_out_take(struct wq_out *o, const char *end)
{
	o->len = (size_t)(end - o->buf);
}

void wq_out(struct wq_out *o, const char *s)
{
	wq_out_n(o, s, strlen(s));
}

int wq_out_end(struct wq_out *o)
{
	out_flush(o);
	if (o->buf != o->small)
		wq_alloc(NULL, o->buf, o->cap, 0);
	o->buf = o->small;
	o->cap = sizeof o->small;
	return o->err;
}

/* Output that is kept until its reader takes it */

void wq_out_init_kept(struct wq_out *o, int fd)
{
	wq_out_init(o, fd, WQ_NEVER, 0);
	o->kept = true;
}

void wq_out_set_limit(struct wq_out *o, int64_t until_us)
{
	out_set_limit(o, until_us, wq_out_waiting(o));
}

/* One write. 1: it took all that was offered, or as much as a pipe takes for certain. */
static int out_write_once(struct wq_out *o)
{
	struct pollfd p = {o->fd, POLLOUT, 0};
	size_t n = wq_out_waiting(o);
	ptrdiff_t r;

	/* A large write is the quickest, but it lasts a tick when the reader is slow. So a reader that
	 * has been slow is given what a pipe takes at once. If poll itself fails, the write will
	 * report why. */
	if (o->blocked && poll(&p, 1, 0) == 0)
		return 0;
	if (o->blocked && n > PIPE_BUF)
		n = PIPE_BUF;
	r = wq_write(o->fd, o->buf + o->from, n);
	if (r < 0 && errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)
		o->err = errno;
	if (r <= 0) {
		o->blocked = true;
		return 0;
	}
	o->from += (size_t)r;
	o->moved_us = wq_now_us();
	if ((size_t)r < n)
		o->blocked = true;
	return (size_t)r == n;
}

int wq_out_try(struct wq_out *o)
{
	int more = 1;

	if (wq_out_waiting(o) > 0)
		wq_err_line("");
	while (more && wq_out_waiting(o) > 0 && !o->err)
		more = out_write_once(o);
	if (o->from == o->len) {
		o->from = o->len = 0;
		o->blocked = false;
	}
	return o->err;
}

/* Numbers and dates */

void wq_out_u(struct wq_out *o, uint64_t v)
{
	char buf[24];
	struct wsi_text t;

	wsi_text_init(&t, buf, sizeof buf);
	wsi_put_u(&t, v);
	wq_out_n(o, buf, t.len);
}

void wq_out_i(struct wq_out *o, int64_t v)
{
	if (v < 0) {
		wq_out(o, "-");
		wq_out_u(o, 0 - (uint64_t)v);
	} else {
		wq_out_u(o, (uint64_t)v);
	}
}

void wq_out_decimal(struct wq_out *o, uint64_t v, int places)
{
	char buf[24];
	struct wsi_text t;

	wsi_text_init(&t, buf, sizeof buf);
	wsi_put_digits(&t, v, 10, places);
	wq_out_n(o, buf, t.len);
}

/* A number of at most digits digits, with zeros before it */
static void put_padded(struct wsi_text *t, int v, int digits)
{
	char buf[4];
	int i;

	for (i = digits - 1; i >= 0; i--) {
		buf[i] = (char)('0' + v % 10);
		v /= 10;
	}
	wsi_put_n(t, buf, (size_t)digits);
}

/* The date of a day counted from 0000-03-01. A year that begins in March has its leap day at its
 * end, so the lengths of the months before it never change (Howard Hinnant, "chrono-Compatible
 * Low-Level Date Algorithms"). */
static void put_day(struct wsi_text *t, int days)
{
	int era = days / 146097; /* of 400 years */
	int day_of_era = days % 146097;
	int year_of_era =
	    (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int year = era * 400 + year_of_era;
	int month = (5 * day_of_year + 2) / 153; /* 0 is March */
	int day = day_of_year - (153 * month + 2) / 5 + 1;

	if (month < 10) {
		month += 3;
	} else {
		month -= 9;
		year++;
	}
	put_padded(t, year, 4);
	wsi_put(t, "-");
	put_padded(t, month, 2);
	wsi_put(t, "-");
	put_padded(t, day, 2);
}

void wq_put_date(struct wsi_text *t, int64_t time)
{
	const int64_t first = -62162035200, last = 253402300799; /* 0000-03-01, end of 9999 */
	int64_t since;
	int seconds;

	if (time < first)
		time = first;
	if (time > last)
		time = last;
	since = time - first;
	seconds = (int)(since % 86400);
	put_day(t, (int)(since / 86400));
	wsi_put(t, "T");
	put_padded(t, seconds / 3600, 2);
	wsi_put(t, ":");
	put_padded(t, seconds / 60 % 60, 2);
	wsi_put(t, ":");
	put_padded(t, seconds % 60, 2);
	wsi_put(t, "Z");
}

/* Standard error */

void wq_err_init(struct wq_out *o)
{
	wq_out_init(o, 2, 0, 0);
	if (err_until_us)
		o->most_us = err_until_us;
	o->err = err_failed;
}

void wq_err_until(int64_t until_us)
{
	err_until_us = until_us;
}

bool wq_err_is_over(void)
{
	return err_failed || (err_until_us && wq_now_us() >= err_until_us);
}

void wq_err_line(const char *text)
{
	char buf[3 * WQ_ERR_LINE + 3];
	struct wsi_text t;
	size_t i, shown = err_line_len;

	if (shown == 0 && !*text)
		return;
	err_line_len = 0; /* the output below must not come back here */
	wsi_text_init(&t, buf, sizeof buf);
	wsi_put(&t, "\r");
	wsi_put_n(&t, text, strnlen(text, WQ_ERR_LINE));
	for (i = t.len; i <= shown; i++)
		wsi_put(&t, " ");
	if (!*text)
		wsi_put(&t, "\r");
	if (wq_write(2, buf, t.len) < 0)
		return; /* such a line is not worth another try */
	err_line_len = strnlen(text, WQ_ERR_LINE);
}

void wq_say(const char *what, const char *why)
{
	struct wq_out o;

	wq_err_init(&o);
	wq_out(&o, "wsquery: ");
	if (what) {
		wq_out(&o, what);
		wq_out(&o, ": ");
	}
	wq_out(&o, why);
	wq_out(&o, "\n");
	wq_out_end(&o);
}
