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
	bool output_over;  /* it failed, and that was told */

	/* Input */
	struct wq_lines lines;
	size_t line_sent;  /* bytes of the first line that ws_send() has taken */
	bool line_begun;   /* it has begun a frame for that line */
	bool send_blocked; /* the server did not take all of it */

	/* Times. WQ_NEVER: no limit. */
	int64_t end_us;        /* --max-time */
	int64_t idle_since_us; /* since when we have listened in vain */
	int64_t last_us;       /* the last message came */
	int64_t last_until_us; /* in the state LAST: when it is over, whatever comes */
};
void wq_follow_begin(struct wq_follow *f, struct wq_options *o, const char *url);

#endif
