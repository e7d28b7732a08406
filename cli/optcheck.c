/* SPDX-License-Identifier: ISC
 * optcheck.c - checks what options mean together, and sets defaults that depend on other options
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/optable.h"
#include "cli/pings.h"
#include "cli/process.h"
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#define PING_INTERVAL_MS 30000

static void check_data(struct wq_options *o, const struct wq_step *step)
{
	uint32_t state = 0;
	size_t good;

	if (!step->p || o->binary)
		return;
	good = wsi_utf8_check(&state, step->p, step->len);
	if (good < step->len || state)
		wq_complain_of(o, step->option, step->p,
		               "is not UTF-8 text (use --binary for other bytes)");
}

/* The steps, and the options that say what is received without or after them */
static void check_steps(struct wq_options *o)
{
	bool expects = false, ends_with_expect = false;
	size_t i;

	for (i = 0; i < o->n_steps; i++) {
		ends_with_expect = o->steps[i].kind == WQ_STEP_EXPECT;
		if (ends_with_expect)
			expects = true;
		else
			check_data(o, &o->steps[i]);
	}
	if (o->check && (expects || o->count >= 0))
		wq_complain(o, "--check cannot be combined with --expect or --count");
	if (o->follow)
		return;
	if (o->count >= 0 && ends_with_expect)
		wq_complain(o, "-n, --count cannot be combined with a last step --expect");
	if (o->check)
		o->count = 0;
	if (o->count >= 0)
		return;
	o->count = 1;
	if (ends_with_expect || (o->ping && o->n_steps == 0))
		o->count = 0;
}

/* Options that have a meaning only with --follow */
static void check_not_following(struct wq_options *o)
{
	if (o->idle_timeout_ms >= 0)
		wq_complain(o, "--idle-timeout needs --follow");
	if (o->ping_interval_ms >= 0)
		wq_complain(o, "--ping-interval needs --follow");
	if (o->max_time_counts)
		o->timeout_ms = o->max_time_ms;
}

/* --follow, and --until and --lines, which imply it */
static void check_follow(struct wq_options *o)
{
	if (o->until || o->lines)
		o->follow = true;
	if (!o->follow) {
		check_not_following(o);
		return;
	}
	if (o->several)
		wq_complain(o, "--follow works with one URL only: call wsquery once for each URL");
	if (o->check)
		wq_complain(o,
		            "--check cannot be combined with --follow: --check receives nothing");
	if (o->count == 0)
		wq_complain(o, "-n 0 cannot be combined with --follow: -n 0 receives nothing");
	if (o->quiet)
		wq_complain(o,
		            "-q, --quiet cannot be combined with --follow, which prints messages");
	if (o->format == WQ_NAGIOS || o->format == WQ_PROMETHEUS)
		wq_complain(o, "--follow needs -f json or -f raw: the formats nagios and "
		               "prometheus cannot show a stream");
	if (o->lines && wq_is_closed(0))
		wq_complain(o, "-l, --lines: standard input is closed");
	if (o->ping_interval_ms < 0)
		o->ping_interval_ms = PING_INTERVAL_MS;
}

/* The last ping must go out before the deadline; the smaller of -t and --wait is that of a try. */
static void check_pings_fit(struct wq_options *o)
{
	int64_t last_ms = (int64_t)(o->count - 1) * o->every_ms;
	const char *option = "timeout";
	int limit_ms = o->timeout_ms;
	struct wsi_text *t;

	if (o->wait_ms > 0 && (limit_ms == 0 || o->wait_ms < limit_ms)) {
		option = "wait";
		limit_ms = o->wait_ms;
	}
	if (limit_ms == 0 || last_ms < limit_ms || wq_has_complained(o))
		return;
	t = wq_why(&o->why);
	wsi_put(t, "--every: the last of these pings would be sent after ");
	wsi_put_ms(t, last_ms * 1000);
	wsi_put(t, ", but ");
	wq_put_option(t, option);
	wsi_put(t, " is ");
	wsi_put_ms(t, (int64_t)limit_ms * 1000);
	wsi_put(t, ": raise that, or ask for fewer pings with -n, --count");
}

/* --every: -n counts the pings, and there is nothing but pings */
static void check_every(struct wq_options *o)
{
	if (o->every_ms < 0)
		return;
	if (!o->ping)
		wq_complain(o, "--every needs -p, --ping");
	if (o->every_ms == 0)
		wq_complain(o, "--every is the time between two pings, and must be above 0");
	if (o->follow)
		wq_complain(o, "--every cannot be combined with --follow: --ping-interval pings a "
		               "server that is silent");
	if (o->n_steps > 0 || o->check)
		wq_complain(o, "--every only sends pings: leave out -d, -e and --check");
	if (o->count < 1 || o->count > WQ_MAX_PINGS)
		wq_complain(o, "--every needs -n, --count with a number of pings from 1 to 10000");
	check_pings_fit(o);
	o->pings = o->count;
	o->count = 0;
}

/* curl reads a file with -b FILE. Here the file's name would be sent as if it were the value. A
 * file of that name, and a value without the character that it needs, show what was meant. */
static void check_no_file(struct wq_options *o, const char *option, const char *value, char needs,
                          const char *why)
{
	struct stat st;

	if (!value || *value == '@' || strchr(value, needs))
		return;
	if (stat(value, &st) == 0 && !S_ISDIR(st.st_mode))
		wq_complain_of(o, option, value, why);
}

static void check_no_files(struct wq_options *o)
{
	const char **h;

	check_no_file(
	    o, "cookie", o->lib.cookie, '=',
	    "is a file, not a cookie NAME=VALUE: to read a file, write @ before its name");
	check_no_file(o, "user", o->lib.user, ':',
	              "is a file, not USER:PASSWORD: to read a file, write @ before its name");
	for (h = o->headers; h && *h; h++)
		check_no_file(o, "header", *h, ':',
		              "is a file, not a header NAME: VALUE: to read a file, write @ before "
		              "its name");
}

static bool is_label_name(const char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (!wsi_is_letter_or_digit((unsigned char)p[i]) && p[i] != '_')
			return false;
	return len > 0 && !wsi_is_digit((unsigned char)p[0]);
}

/* Why NAME=VALUE cannot be added as a label, or NULL. The labels before it begin at labels. */
static const char *label_why(const char *label, const char *const *labels)
{
	size_t len = strcspn(label, "=");
	uint32_t state = 0;

	if (!is_label_name(label, len) || label[len] == '\0')
		return "is not NAME=VALUE, with a name of letters, digits and _";
	if (strncmp(label, "__", 2) == 0)
		return "has a name that is reserved by Prometheus";
	if (strncmp(label, "target=", 7) == 0 || strncmp(label, "phase=", 6) == 0)
		return "has a name that the metrics already use";
	for (; *labels != label; labels++)
		if (strncmp(*labels, label, len + 1) == 0)
			return "has a name that was already given";
	len = strlen(label);
	if (wsi_utf8_check(&state, label, len) < len || state)
		return "is not UTF-8";
	return NULL;
}

/* Labels that are wrong are dropped, so that --output can still report a wrong command line. */
static void check_labels(struct wq_options *o)
{
	const char **label, *why = NULL;

	for (label = o->labels; label && *label && !why; label++) {
		why = label_why(*label, o->labels);
		if (why)
			wq_complain_of(o, "label", *label, why);
	}
	if (why) {
		wq_alloc(NULL, o->labels, o->room * sizeof *o->labels, 0);
		o->labels = NULL;
	}
}

static bool is_limit(const struct wq_range *r)
{
	return r->given && !r->inside && r->from_ms == 0;
}

static void check_output(struct wq_options *o)
{
	check_labels(o);
	if (is_limit(&o->warning) && is_limit(&o->critical) && o->warning.to_ms > o->critical.to_ms)
		wq_complain(o, "-w, --warning is above -c, --critical, so there would never be a "
		               "warning");
	if (o->output && strcmp(o->output, "-") == 0)
		o->output = NULL;
	if (o->output && o->follow)
		wq_complain(o,
		            "-o, --output cannot be combined with --follow: the file gets its name "
		            "when the answer is complete");
}

static void check_unix_socket(struct wq_options *o)
{
	struct sockaddr_un address;

	if (!o->lib.unix_socket)
		return;
	if (strlen(o->lib.unix_socket) >= sizeof address.sun_path)
		wq_complain_of(o, "unix-socket", o->lib.unix_socket,
		               "is too long for the address of a Unix socket");
	if (o->lib.proxy && *o->lib.proxy)
		wq_complain(o, "--unix-socket cannot be combined with --proxy");
}

static bool has_secrets(const struct wq_options *o)
{
	return o->headers || o->lib.cookie || o->lib.user || o->lib.bearer
	       || o->lib.tls.key_password;
}

/* Each URL is shown in its answer. One that does not look like a URL may be part of a secret that
 * needed quotes: -H Authorization: Bearer TOKEN */
static void check_urls(struct wq_options *o)
{
	size_t i;

	if (o->n_urls == 0 && !o->from)
		wq_complain(o, "no URL given");
	o->several = o->n_urls > 1 || o->from;
	if (!o->several)
		return;
	for (i = 0; i < o->n_urls && has_secrets(o); i++)
		if (!strstr(o->urls[i], "//"))
			wq_complain(o, "more than one URL, and one of them does not look like one "
			               "(a value with blanks needs quotes)");
	if (o->format != WQ_NAGIOS)
		return;
	wq_complain(o, "--format nagios reports a single URL: call wsquery once for each URL");
	o->format = WQ_JSON; /* so that this is not printed as a plugin's line */
}

void wq_options_check(struct wq_options *o)
{
	const struct ws_tls *tls = &o->lib.tls;

	check_urls(o);
	if (o->jobs < 1 || o->jobs > WQ_MAX_JOBS)
		wq_complain(o, "--jobs needs a number from 1 to 10000");
	if (o->lib.user && o->lib.bearer)
		wq_complain(o, "--user cannot be combined with --bearer");
	check_unix_socket(o);
	if (tls->min_version && tls->max_version && tls->min_version > tls->max_version)
		wq_complain(o, "--tls-min is above --tls-max");
	check_follow(o);
	check_every(o);
	check_output(o);
	check_steps(o);
	check_no_files(o);
}
