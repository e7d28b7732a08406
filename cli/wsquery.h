/* SPDX-License-Identifier: ISC
 * wsquery.h - the map of the program, its exit statuses, and struct wq_query
 *
 * Each noun has a small header, and this one includes them all.
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
#include "cli/answer.h"
#include "cli/env.h"
#include "cli/json.h"
#include "cli/memory.h"
#include "cli/options.h"
#include "cli/out.h"
#include "cli/process.h"
#include "cli/store.h"
#include "cli/trace.h"
#include "cli/watchdog.h"
#include <limits.h>

#define WQ_MAX_URL 2048 /* bytes of a URL that are shown */
/* Bytes that are matched between two looks at the clock: 4096 live states take some 50 us a byte */
#define WQ_SLICE 64

/* Exit statuses. A signal gives 128 and its number. */
enum { WQ_OK = 0, WQ_FAILED = 1, WQ_UNMET = 3, WQ_USAGE = 64, WQ_NO_OUTPUT = 74 };

/* Errors of our own beside enum ws_err */
enum { WQ_EUNMATCHED = -100, WQ_EINTERRUPTED = -101 };

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

#endif
