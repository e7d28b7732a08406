/* SPDX-License-Identifier: ISC
 * out.h - text to a descriptor whose reader may be slow or gone
 */
#ifndef WQ_OUT_H
#define WQ_OUT_H
#include "cli/process.h"
#include <stdbool.h>

#define WQ_OUT_ROOM 256 /* bytes */

struct wq_out {
	int fd;
	int err; /* errno of the first failure, after which all is dropped. ETIMEDOUT: too slow. */

	/* A reader that takes nothing for 100 ms is given up, but not before idle_until_us. A
	 * reader that is slow is given up at most_us. Both may be WQ_NEVER. A signal sets the first
	 * to now, the second to grace_us later. */
	int64_t idle_until_us, most_us, grace_us;
	int64_t moved_us; /* when the reader last took something */
	bool tried;       /* at least one write was made */
	bool kept;        /* nothing is written but by wq_out_try() */
	bool blocked;     /* the reader did not take all that wq_out_try() offered */

	/* The text buf[from..len) waits to be written. */
	size_t from, len, cap;
	char *buf;
	char small[WQ_OUT_ROOM]; /* .buf, until it is full */
};
/* until_us: the query's deadline. A reader that goes on reading has 80 ms after it, or a second for
 * each 10 MB of size, whichever is longer. size: about how many bytes will be written. */
void wq_out_init(struct wq_out *o, int fd, int64_t until_us, size_t size);
void wq_out_n(struct wq_out *o, const void *p, size_t len);
void wq_out_long(struct wq_out *o, const char *s, size_t len); /* the same if there is no room */
void wq_out(struct wq_out *o, const char *s);
/* Where n bytes can be written at the end of the text, n <= WQ_OUT_ROOM, or NULL after a failure.
 * Then call wq_out_take() with the end of the bytes that were written. */
char *wq_out_room(struct wq_out *o, size_t n);
void wq_out_take(struct wq_out *o, const char *end);
static inline void wq_out_c(struct wq_out *o, char c)
{
	if (o->len < o->cap && !o->err)
		o->buf[o->len++] = c;
	else
		wq_out_long(o, &c, 1);
}
void wq_out_u(struct wq_out *o, uint64_t v);
void wq_out_i(struct wq_out *o, int64_t v);
void wq_out_decimal(struct wq_out *o, uint64_t v, int places); /* 1500, 3: "1.500" */
int wq_out_end(struct wq_out *o);                              /* 0 or .err */
/* All output is kept in memory, however much, until the reader takes it. So the caller must pause
 * when too much waits, and must poll .fd for writing while anything waits. */
void wq_out_init_kept(struct wq_out *o, int fd);
static inline size_t wq_out_waiting(const struct wq_out *o) /* bytes */
{
	return o->len - o->from;
}
/* From now on the reader has until until_us in wq_out_end(), as with wq_out_init(). */
void wq_out_set_limit(struct wq_out *o, int64_t until_us);
/* Writes what the reader takes at once. 0 or .err */
int wq_out_try(struct wq_out *o);
#define WQ_DATE_LEN 20
void wq_put_date(struct wsi_text *t, int64_t time); /* RFC 3339, UTC; from seconds since 1970 */
/* Standard error. Its reader is waited for until the time set with wq_err_until(). Before that is
 * called, a message is waited for 100 ms. */
void wq_err_init(struct wq_out *o);
void wq_err_until(int64_t until_us);
bool wq_err_is_over(void); /* that time has come, or nobody reads standard error */
/* Shows a line on standard error, a terminal, in place of the one before. It is gone before
 * anything else is written. "": removes it. */
#define WQ_ERR_LINE 78 /* bytes that are shown */
void wq_err_line(const char *text);
void wq_say(const char *what, const char *why); /* "wsquery: WHAT: WHY"; what may be NULL */

#endif
