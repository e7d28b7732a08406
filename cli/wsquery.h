/* SPDX-License-Identifier: ISC
 * wsquery.h - layer 4, internal: what the program's files share
 *
 *	main.c       tries, pauses, the answer, the exit status
 *	options.c    the command line                    -> struct wq_options
 *	optable.c    the table of its options
 *	optcheck.c   what options mean together
 *	optfiles.c   values that are in files
 *	values.c     numbers, sizes and durations
 *	help.c       the texts of --help and --version
 *	env.c        the environment's proxies and trust -> struct wq_options
 *	query.c      one try, as a state machine         -> struct wq_query
 *	setup.c      its states before the WebSocket is open
 *	dialogue.c   its states on the open connection
 *	failure.c    how it fails, in sentences
 *	store.c      messages that wait for a later step
 *	input.c      files and standard input
 *	result.c     a finished query as one JSON object
 *	format.c     the same for nagios and prometheus
 *	trace.c      the handshake and the frames for -v
 *	json.c       writes JSON
 *	out.c        writes text, numbers and dates to a slow reader
 *	memory.c     the allocator of program and library
 *	process.c    descriptors, signals, clock, waiting
 *	watchdog.c   ends a library call that computes past the deadline, with the answer
 *
 * The program uses the network through ws.h alone. It also uses helpers of the library that work on
 * bytes and do no I/O: those of ws_pure.h (text, UTF-8, base64, secrets), and of ws_proto.h the
 * parsers of URLs, no_proxy lists, header lines and frame headers. process.c takes the clock from
 * ws_net.h. So the program is linked with the library's objects, not with libws.so.
 */
#ifndef WSQUERY_H
#define WSQUERY_H
#include "ws.h"
#include "ws_proto.h"
#include "cli/env.h"
#include "cli/match.h"
#include "cli/memory.h"
#include "cli/options.h"
#include <limits.h>
#include <poll.h>
#include <stdbool.h>

#define WQ_MAX_URL 2048    /* bytes of a URL that are shown */
#define WQ_MAX_KEPT 131072 /* messages that are kept, unless --max-message allows more */
#define WQ_SLICE                                                                                   \
	64 /* bytes that are matched between two looks at the clock: 4096 live states take some 50 us a byte           \
	    */
#define WQ_NEVER WSI_NEVER

enum {
	WQ_OK = 0,
	WQ_FAILED = 1,
	WQ_UNMET = 3,
	WQ_USAGE = 64,
	WQ_NO_OUTPUT = 74
}; /* exit statuses */

/* Errors of our own beside enum ws_err */
enum { WQ_EUNMATCHED = -100, WQ_EINTERRUPTED = -101 };

/* store.c */
struct wq_store { /* first in, first out */
	char *p;
	size_t cap, head, tail, n;
	size_t bytes; /* of the messages alone */
};
/* Walks: *at is .head at first. 1, or 0: no more */
int wq_store_next(const struct wq_store *s, size_t *at, struct ws_msg *msg);
int wq_store_take(
    struct wq_store *s,
    struct ws_msg *msg); /* 1, or 0: none; its bytes stay until the next wq_store_put */
int wq_store_put(struct wq_store *s, const struct ws_msg *msg,
                 size_t max);            /* 0, WS_ETOOBIG, WS_EMEMORY */
void wq_store_clear(struct wq_store *s); /* drops all messages, keeps the memory */
void wq_store_free(struct wq_store *s);

/* query.c: one try. Many could stand side by side: wq_query_step each, then poll what all of them want. */
struct wq_query {
	struct wq_options *o;
	struct ws *ws;
	enum wq_state {
		WQ_INPUT,
		WQ_OPTION_INPUT,
		WQ_DATA_INPUT,
		WQ_OPEN,
		WQ_PING,
		WQ_PONG,
		WQ_STEP,
		WQ_SEND,
		WQ_EXPECT,
		WQ_COLLECT,
		WQ_FLUSH,
		WQ_ANSWER, /* the rest of this struct can be read */
		WQ_CLOSE,
		WQ_END
	} state;
	struct ws_options lib;

	/* the answer */
	int err;   /* 0, enum ws_err or of our own */
	int usage; /* 1: the command line was wrong; there is no answer but .error */
	int final; /* 1: another try would fail alike */
	int connected, attempts, signal;
	const char *error; /* NULL: all that was asked for happened */
	const char *phase;
	const struct ws_report *info; /* NULL: none */
	int array;                    /* 1: data is an array, whatever came */
	size_t n;          /* see wq_query_data: that many messages of the store, then .msg */
	struct ws_msg msg; /* .data NULL: none */
	const char *head;  /* of the handshake's response */
	size_t head_len;
	int64_t ping_us, first_us, total_us; /* -1: not reached */

	/* at work */
	int64_t start_us, deadline_us; /* WQ_NEVER: none */
	int64_t since_us;              /* the upgrade, or the last send */
	int64_t waiting_us;            /* when this waiting began */
	size_t input, step, sent, seen;
	struct wq_store store; /* messages that wait for a later step */
	struct wq_store last;  /* the newest message that no step used up, or nothing */
	const struct wq_pattern
	    *unfinished; /* it was being matched when the query ended; NULL: none was */
	char ping_data[16];
	char *head_copy;
	struct wq_why why;
};
void wq_query_begin(struct wq_query *q, struct wq_options *o, int attempts, int64_t timeout_us);
int wq_query_step(struct wq_query *q); /* 1: answered, or closed; 0: wait first */
int64_t wq_query_wants(const struct wq_query *q, struct pollfd p[WS_FDS_MAX],
                       unsigned *n); /* until when at most */
/* Once answered: steps then lead to the end, at the latest at until_us. What was answered is gone, but for an error */
void wq_query_close(struct wq_query *q, int64_t until_us);
void wq_query_hang_up(const struct wq_query *q); /* the peer need not wait for wq_query_end */
void wq_query_add(struct wq_query *q, const char *what,
                  const char *more); /* to the error's sentence */
void wq_query_interrupt(
    struct wq_query *q); /* then: the signal came before another try, and the error says so too */
void wq_query_end(struct wq_query *q);
int wq_query_status(const struct wq_query *q);
struct wq_walk { /* zeroed at first */
	size_t i, at;
};
int wq_query_data(const struct wq_query *q, struct wq_walk *walk,
                  struct ws_msg *msg); /* the answer's next message: 1, or 0: no more */
const char *wq_reason(int err);
int64_t wq_cert_left(const struct ws_report *r); /* seconds */
void wq_put_url(struct wsi_text *t, const struct wq_query *q);

/* True in a call that can compute for long, once a signal came or the deadline is grace_us past: for watchdog.c */
int wq_query_overdue(const struct wq_query *q, int64_t grace_us);
/* Answers q from within such a call, which never returns: reads only what the call does not change */
void wq_query_cut_short(struct wq_query *q);

/* watchdog.c */
typedef int (*wq_answer_fn)(const struct wq_query *q); /* prints the answer: the exit status */
void wq_watchdog_init(wq_answer_fn answer);
void wq_watchdog_start(struct wq_query *q); /* before a library call that can compute for long */
void wq_watchdog_stop(void);                /* after it */

/* process.c */
void wq_process_init(void);
int wq_signal(void); /* SIGINT, SIGTERM, or 0: none came */
int64_t wq_now_us(void);
int wq_wait(struct pollfd *p, unsigned n, int64_t until_us,
            int watch); /* p has room for one more; watch: signals end it */

/* From start to stop SIGALRM comes every 10 ms and ends what blocks. Pairs may lie within one another. */
void wq_tick_start(void);
void wq_tick_stop(void);
void wq_tick_look(void (*look)(
    void)); /* to be called at each tick, from the handler, where other ticks may come */

int wq_is_closed(int fd); /* 1: descriptor 0, 1 or 2, and closed when the program began */
/* As read and write, but never longer than some 10 ms: then EINTR, or what was done by then */
ptrdiff_t wq_read(int fd, void *buf, size_t len);
ptrdiff_t wq_write(int fd, const void *buf, size_t len);

/* out.c: text to a descriptor whose reader may be slow or gone */
struct wq_out {
	int fd;
	int err; /* errno of the first failure, after which all is dropped. ETIMEDOUT: too slow. */

	/* A reader that takes nothing for 100 ms is given up, but not before idle_until_us. A reader that is slow is
	 * given up at most_us. Both may be WQ_NEVER. A signal sets the first to now, the second to grace_us later. */
	int64_t idle_until_us, most_us, grace_us;
	int64_t moved_us; /* when the reader last took something */
	bool tried;       /* at least one write was made */

	size_t len, cap;
	char *buf;
	char small[256]; /* .buf, until it is full */
};
/* until_us: the query's deadline. A reader that goes on reading has 80 ms after it, or a second for each 10 MB of size,
 * whichever is longer. size: about how many bytes will be written. */
void wq_out_init(struct wq_out *o, int fd, int64_t until_us, size_t size);
void wq_out_n(struct wq_out *o, const void *p, size_t len);
void wq_out(struct wq_out *o, const char *s);
void wq_out_u(struct wq_out *o, uint64_t v);
void wq_out_i(struct wq_out *o, int64_t v);
void wq_out_decimal(struct wq_out *o, uint64_t v, int places); /* 1500, 3: "1.500" */
int wq_out_end(struct wq_out *o);                              /* 0 or .err */
#define WQ_DATE_LEN 20
void wq_put_date(struct wsi_text *t, int64_t time); /* RFC 3339, UTC; from seconds since 1970 */
/* Standard error. Its reader is waited for until the time set with wq_err_until(). Before that is called, a message is
 * waited for 100 ms. */
void wq_err_init(struct wq_out *o);
void wq_err_until(int64_t until_us);
bool wq_err_is_over(void); /* that time has come, or nobody reads standard error */
void wq_say(const char *what, const char *why); /* "wsquery: WHAT: WHY"; what may be NULL */

/* json.c: a JSON emitter. Commas come by themselves. */
struct wq_json {
	struct wq_out *out;
	bool comma; /* a value stands before the next key or value */
};
void wq_json_begin(struct wq_json *j, struct wq_out *out);
void wq_json_open(struct wq_json *j, char bracket); /* '{' or '[' */
void wq_json_close(struct wq_json *j, char bracket);
void wq_json_key(struct wq_json *j, const char *name);
void wq_json_lower_key(struct wq_json *j, const char *name, size_t len); /* in lower case */
/* Bytes that are not UTF-8 become U+FFFD. */
void wq_json_string(struct wq_json *j, const void *p, size_t len);
void wq_json_text(struct wq_json *j, const char *s); /* null for NULL and for "" */
void wq_json_base64(struct wq_json *j, const void *p, size_t len);
void wq_json_integer(struct wq_json *j, int64_t v);
void wq_json_milliseconds(struct wq_json *j, int64_t us); /* null if negative */
void wq_json_boolean(struct wq_json *j, bool v);
void wq_json_null(struct wq_json *j);
/* A string in pieces, none of which ends within a character */
void wq_json_begin_string(struct wq_json *j);
void wq_json_add_to_string(struct wq_json *j, const void *p, size_t len);
void wq_json_end_string(struct wq_json *j);

/* result.c: the answer as JSON */
void wq_json_answer(struct wq_out *o, const struct wq_query *q);

/* format.c, unless WSQUERY_NO_FORMATS */
void wq_nagios_answer(struct wq_out *o, const struct wq_query *q);
int wq_nagios_usage(struct wq_out *o, const char *why); /* the exit status, as wq_nagios_status */
void wq_prometheus_answer(struct wq_out *o, const struct wq_query *q);
int wq_nagios_status(const struct wq_query *q);

/* trace.c: -v */
void wq_trace(void *user_data, int sent, int type, const void *data, size_t len);

#endif
