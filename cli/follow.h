/* SPDX-License-Identifier: ISC
 * follow.h - following a stream: each message as it comes, the lines of standard input as messages
 */
#ifndef WQ_FOLLOW_H
#define WQ_FOLLOW_H
#include "cli/lines.h"
#include "cli/wsquery.h"

struct wq_follow {
	struct wq_work work; /* for the loop */
	enum wq_follow_state {
		WQ_FOLLOW_TRY,       /* the connection is opened, the steps are done */
		WQ_FOLLOW_STREAM,    /* messages go both ways */
		WQ_FOLLOW_LAST,      /* our close frame is sent: the last messages come */
		WQ_FOLLOW_CLOSE_TRY, /* after a failure, before another try */
		WQ_FOLLOW_PAUSE,
		WQ_FOLLOW_CLOSE, /* the last output is written, the connection is closed */
		WQ_FOLLOW_END
	} state;
	struct wq_query q; /* the try under way, or the last one */
	struct wq_tries tries;
	int64_t pause_until_us;
	int status;

	/* Output */
	struct wq_out out; /* of all tries */
	uint64_t printed;  /* messages, of all tries */
	bool fruitful;     /* this try brought a message */
	bool hung_up;      /* in the state CLOSE: only the output is waited for */
	bool output_over;  /* it failed, and this was reported */

	/* Input */
	struct wq_lines lines;
	size_t line_sent;  /* bytes of the first line that ws_send() has taken */
	bool line_begun;   /* it has begun a frame for that line */
	bool send_blocked; /* the server did not take all of it */

	/* Times. WQ_NEVER: no limit. */
	int64_t end_us;        /* --max-time */
	int64_t idle_since_us; /* since when we have listened without a message */
	int64_t last_us;       /* when the last message came */
	int64_t ping_us;       /* when a ping is due, while nothing is received */
	int64_t last_until_us; /* in the state LAST: when it is over, whatever comes */
};
/* stream.c: the states STREAM and LAST */
enum wq_stream_result {
	WQ_STREAM_GO_ON, /* there is more to do at once */
	WQ_STREAM_WAIT,  /* first wait for what wq_stream_wants() names */
	WQ_STREAM_ENDED  /* the query is answered, or the output has failed */
};
/* The steps are done, and following begins. */
void wq_stream_start(struct wq_follow *f);
/* One turn of sending, receiving and printing */
enum wq_stream_result wq_stream_turn(struct wq_follow *f);
/* What the connection waits for; the same in the other states as wq_query_wants() */
int64_t wq_stream_wants(const struct wq_follow *f, struct pollfd *p, unsigned *n);
/* The connection has failed: lines that were not written as a whole are sent on the next one. */
void wq_stream_take_back_lines(struct wq_follow *f);

/* follow.c */
void wq_follow_begin(struct wq_follow *f, struct wq_options *o, const char *url);

#endif
