/* SPDX-License-Identifier: ISC
 * wsquery.h - the map of the program, its exit statuses, and struct wq_query
 *
 * Each noun has a small header, and this one includes them all.
 *
 *	main.c       begins and ends the program
 *	options.c    the command line                    -> struct wq_options
 *	optable.c    the table of its options
 *	suggest.c    which option was meant by an unknown one
 *	optcheck.c   what options mean together
 *	optfiles.c   values that are in files
 *	values.c     numbers, sizes and durations
 *	help.c       the texts of --help and --version
 *	complete.c   scripts by which shells complete the command line
 *	env.c        the environment's proxies and trust -> struct ws_options
 *	many.c       several URLs, and the lists that name them
 *	list.c       a list of URLs, as a stream
 *	share.c      the certificates that several queries trust
 *	progress.c   when to show how far a long run has come
 *	loop.c       waits for what works want, and drives them
 *	task.c       one URL: tries, pauses, answer, close -> struct wq_task
 *	follow.c     a URL that is followed             -> struct wq_follow
 *	stream.c     its messages and lines on the open connection
 *	lines.c      the lines of standard input
 *	tries.c      whether and when there is another try
 *	print.c      an answer on standard output, the exit status
 *	query.c      one try, as a state machine         -> struct wq_query
 *	setup.c      its states before the WebSocket is open
 *	dialogue.c   its states on the open connection
 *	failure.c    how it fails, in sentences
 *	pings.c      the pings of --every, and their round trips
 *	expand.c     what --data-expand sends
 *	capture.c    finds what the groups of a pattern match
 *	store.c      messages that wait for a later step
 *	input.c      files and standard input
 *	result.c     a finished query as one JSON object
 *	nagios.c     the same as a line for Nagios
 *	prometheus.c the same, of one query or many, for Prometheus
 *	trace.c      the handshake and the frames for -v
 *	json.c       writes JSON
 *	out.c        writes text, numbers and dates to a slow reader
 *	outfile.c    --output, in place of standard output
 *	memory.c     the allocator of program and library
 *	why.c        the sentence of an error
 *	process.c    descriptors, signals, clock, waiting
 *	watchdog.c   ends a library call that computes past the deadline, with the answer
 *
 * The program uses the network through ws.h alone. It also uses helpers of the library that work on
 * bytes and do no I/O: those of ws_pure.h (text, UTF-8, base64, secrets), and of ws_proto.h the
 * parsers of URLs, no_proxy lists, header lines and frame headers. process.c takes the clock from
 * ws_net.h. So the program is linked with the library's objects, not with libwsquery.so.
 */
#ifndef WSQUERY_H
#define WSQUERY_H
#include "cli/answer.h"
#include "cli/env.h"
#include "cli/expand.h"
#include "cli/json.h"
#include "cli/loop.h"
#include "cli/memory.h"
#include "cli/options.h"
#include "cli/pings.h"
#include "cli/out.h"
#include "cli/print.h"
#include "cli/process.h"
#include "cli/progress.h"
#include "cli/share.h"
#include "cli/store.h"
#include "cli/trace.h"
#include "cli/tries.h"
#include "cli/watchdog.h"
#include <limits.h>

#define WQ_MAX_URL 2048 /* bytes of a URL that are shown */
/* Bytes that are matched between two looks at the clock: 4096 live states take some 50 us a byte */
#define WQ_SLICE 64

/* Exit statuses. A signal gives 128 plus its number. */
enum { WQ_OK = 0, WQ_FAILED = 1, WQ_UNMET = 3, WQ_USAGE = 64, WQ_NO_OUTPUT = 74 };

/* Errors of our own beside enum ws_err */
enum { WQ_EUNMATCHED = -100, WQ_EINTERRUPTED = -101 };

/* query.c: one try. Several can run side by side: wq_query_step() each, then poll what all of them
 * want. */
struct wq_query {
	struct wq_options *o; /* those of the command line, which all queries share */
	const char *url;      /* as given */
	struct ws_conn *ws;
	enum wq_state {
		WQ_INPUT,
		WQ_OPTION_INPUT,
		WQ_DATA_INPUT,
		WQ_OPEN,
		WQ_PING,
		WQ_PONG,
		WQ_PINGS, /* --every, in place of these two */
		WQ_STEP,
		WQ_SEND,
		WQ_EXPECT,
		WQ_COLLECT,
		WQ_FLUSH,
		WQ_FOLLOW, /* the steps are done, and follow.c receives and sends */
		WQ_ANSWER, /* the rest of this struct can be read */
		WQ_CLOSE,
		WQ_END
	} state;

	/* The answer, complete in the state WQ_ANSWER */
	int err;           /* 0, enum ws_err, WQ_EUNMATCHED or WQ_EINTERRUPTED */
	const char *error; /* the sentence; NULL: everything asked for happened */
	bool usage;        /* the command line is wrong: only .error is part of the answer */
	bool final;        /* another try would fail in the same way */
	bool no_fd;        /* no descriptor was free for an input */
	bool connected;
	int attempts; /* tries, with this one */
	int signal;   /* that ended it, or 0 */
	const char *phase;
	const struct ws_report *info; /* NULL: the library has not been called yet */
	bool array;                   /* data is an array */
	/* The data is the first n messages of the store, and then msg: see wq_query_data(). */
	size_t n;
	struct ws_msg msg;     /* .data NULL: none */
	const char *head;      /* of the handshake's response */
	size_t head_len;       /* 0: none */
	struct wq_pings pings; /* --every; .sent 0: not reached */
	int64_t ping_us;       /* -1: not reached, here and below */
	int64_t first_us;      /* from since_us to the first message */
	int64_t total_us;

	/* The work */
	int64_t start_us, deadline_us; /* WQ_NEVER: no deadline */
	int64_t since_us;   /* when the WebSocket opened, or the last send before a message began */
	int64_t waiting_us; /* when the current state began */
	size_t input;       /* the input that is being read */
	size_t step;        /* the step under way */
	size_t sent;        /* bytes of a sending step that are taken */
	size_t seen;        /* messages that did not match an expecting step */
	struct wq_store store;       /* messages that wait for a later step */
	struct wq_store last;        /* the newest message that no step used up, or nothing */
	struct wq_captured captured; /* for --data-expand: what the latest -e matched */
	char *expanded;              /* the data of the --data-expand under way */
	size_t expanded_len;
	const struct wq_pattern *unfinished; /* was being matched when the query ended, or NULL */

	/* Of several queries, one whose matching takes long gives way to the others. */
	bool gives_way;          /* the last step ended for that reason alone */
	struct ws_msg checking;  /* is held against each --fail-on, or .data is NULL */
	size_t checked;          /* how many of them are known not to match it */
	struct ws_msg expecting; /* is held against the -e under way, or .data is NULL */
	size_t matched;          /* bytes of either that the pattern under way has been fed */
	struct wsi_match
	    *own_match;     /* a copy of the pattern's matcher, once it was fed and gave way */
	char ping_data[16]; /* the first byte is NUL: not made yet */
	char *head_copy;
	struct wq_why why; /* where .error is written */
};
void wq_query_begin(struct wq_query *q, struct wq_options *o, const char *url, int attempts,
                    int64_t timeout_us);
/* 1: answered, or closed; 0: wait for what wq_query_wants() names, and call it again */
int wq_query_step(struct wq_query *q);
/* Fills p[0..*n) for poll(). Returns until when to wait at most. */
int64_t wq_query_wants(const struct wq_query *q, struct pollfd p[WS_FDS_MAX], unsigned *n);
/* After the answer: the following steps close the connection, until until_us at most. Then the data
 * is gone, but not that of a query that failed. */
void wq_query_close(struct wq_query *q, int64_t until_us);
/* Shuts the connection down before wq_query_end(), so that the peer need not wait for it. */
void wq_query_hang_up(const struct wq_query *q);
/* Adds to the error's sentence. */
void wq_query_add(struct wq_query *q, const char *what, const char *more);
/* A signal came before another try: the answer is then that the query was interrupted. */
void wq_query_interrupt(struct wq_query *q);
void wq_query_end(struct wq_query *q);
int wq_query_status(const struct wq_query *q);
int64_t wq_query_open_deadline_us(const struct wq_query *q); /* when the WebSocket must be open */
/* True if it failed because no descriptor was free, so that the same may succeed later. */
bool wq_query_lacks_fd(const struct wq_query *q);
struct wq_walk { /* zeroed at first */
	size_t i, at;
};
/* The next message of the answer: 1, or 0: no more */
int wq_query_data(const struct wq_query *q, struct wq_walk *walk, struct ws_msg *msg);
const char *wq_reason(int err);                  /* the word of details.reason */
int64_t wq_cert_left(const struct ws_report *r); /* seconds until the certificate expires */
void wq_put_url(struct wsi_text *t, const struct wq_query *q);

/* For watchdog.c, in a call that can compute for long: true once a signal came or the deadline
 * passed grace_us ago */
int wq_query_overdue(const struct wq_query *q, int64_t grace_us);
/* Ends q with an error from within such a call, which never returns. Reads only what the call does
 * not change. */
void wq_query_cut_short(struct wq_query *q);

#endif
