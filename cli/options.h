/* SPDX-License-Identifier: ISC
 * options.h - the command line
 */
#ifndef WQ_OPTIONS_H
#define WQ_OPTIONS_H
#include <stdbool.h>
#include "ws.h"
#include "ws_proto.h"
#include "cli/input.h"
#include "cli/match.h"
#include "cli/memory.h"
#include "cli/values.h"

#define WQ_MAX_JOBS 10000

enum wq_format { WQ_JSON, WQ_RAW, WQ_NAGIOS, WQ_PROMETHEUS };

/* What is printed in place of a query. The completions are scripts for these shells. */
enum wq_help {
	WQ_NO_HELP,
	WQ_SHOW_HELP,
	WQ_SHOW_VERSION,
	WQ_COMPLETE_BASH,
	WQ_COMPLETE_ZSH,
	WQ_COMPLETE_FISH
};

struct wq_capture;

struct wq_pattern {
	const char *option; /* "expect", "fail-on" or "until" */
	const char *p;
	size_t len;
	struct wsi_match *match;
};

struct wq_step {
	enum { WQ_STEP_SEND, WQ_STEP_EXPECT } kind;

	/* WQ_STEP_SEND */
	const char *option; /* "data", "data-raw" or "data-expand" */
	const char *p;      /* what to send; NULL: it is in a file that has not been read yet */
	size_t len;
	bool expand; /* that holds "${1}" and the like: see expand.h */

	/* WQ_STEP_EXPECT */
	struct wq_pattern pattern;
	bool keep;                  /* a later step needs the message */
	struct wq_capture *capture; /* the pattern's groups, or NULL: no later step needs them */
	unsigned groups;            /* how many it has; set with .capture */
};

/* Lives as long as the process, so the blocks that it points to are never freed. All queries share
 * it. Once the first of them has read the inputs, it does not change any more. */
struct wq_options {
	struct ws_options lib;

	/* The URLs as given. A wrong URL is a failed query, so it is not an error of the command
	 * line. */
	const char **urls; /* ends with NULL */
	size_t n_urls;
	const char *from; /* a file with more of them, or NULL */
	bool several;     /* the command line may name more than one */
	int jobs;         /* how many are asked at a time */
	/* share.c: the certificates that all of them trust, or NULL, and the options that name
	 * them */
	struct ws_trust *trust;
	const char *trust_file, *trust_dir;

	/* What to do */
	struct wq_step *steps;
	size_t n_steps;
	struct wq_pattern *fail_on;
	size_t n_fail_on;
	bool binary, check, ping;
	int every_ms; /* between pings; -1: not given */
	int pings;    /* how many --every sends, else 0 */
	int count;    /* messages to receive after the steps; with follow -1: no limit */

	/* Following the stream after the steps */
	bool follow;
	bool lines;               /* each line of standard input is a message */
	struct wq_pattern *until; /* a message that matches ends it, or NULL */
	int idle_timeout_ms;      /* 0: none; -1: not given */
	int ping_interval_ms;     /* 0: no pings; -1: not given */
	int max_time_ms;          /* for all of it; 0: no limit; -1: not given */

	/* Lists that end with NULL. A header can still be "@FILE". */
	const char **headers, **subprotocols, **resolve;
	size_t room; /* elements that each list of this struct can have */

	/* Files to read before a query can begin */
	struct wq_input *inputs;
	size_t n_inputs;
	bool inputs_opened; /* all of them */
	bool inputs_used;   /* those that belong to options: see wq_options_use_inputs() */

	/* Times. 0: no limit; for the close timeout and the delay, no waiting. -1: not given. */
	int timeout_ms, connect_timeout_ms, close_timeout_ms;
	bool max_time_counts; /* -m was given after -t: without follow it is the same option */
	int retry_delay_ms;
	int wait_ms;
	int retry; /* how many more tries; -1: not given */

	/* The answer */
	enum wq_format format;
	bool details, quiet, verbose, no_progress;
	struct wq_range warning, critical; /* of the total time */
	int cert_expiry_days;              /* -1: not given */
	int cert_warning_days;             /* the same, for nagios alone */
	const char **labels;               /* NAME=VALUE, of each sample for prometheus */
	const char *output;                /* the file in place of standard output, or NULL */
	enum wq_help help;

	bool no_memory;    /* there was not enough memory for the lists */
	struct wq_why why; /* what is wrong with the command line */
};

/* options.c. 0, or WQ_USAGE: see .why. */
int wq_options_parse(struct wq_options *o, int argc, char **argv);

/* optcheck.c: checks which options can be combined, and sets defaults that depend on other options.
 * Faults go to .why. */
void wq_options_check(struct wq_options *o);

/* optfiles.c. Lists the files that options name with '@', apart from those of -d. */
void wq_options_find_inputs(struct wq_options *o);
/* Stores the content of the files that belong to options; all of them were read. 0; WS_EUSAGE: see
 * .why; WS_EMEMORY. */
int wq_options_use_inputs(struct wq_options *o);
/* Begins a sentence about a file: "-d, --data: \"file\": " */
struct wsi_text *wq_input_wrong(const struct wq_input *in, struct wq_why *why);

/* optable.c. "cacert" for "tls.ca_file", a field of struct ws_options; NULL if no option sets it.
 */
const char *wq_option_of(const char *field);
/* "-t, --timeout" for "timeout" */
void wq_put_option(struct wsi_text *t, const char *name);

#endif
