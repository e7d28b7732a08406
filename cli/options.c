/* SPDX-License-Identifier: ISC
 * options.c - reads a command line into struct wq_options
 *
 * parse_long() and parse_short() find an option in the table, and apply() stores its value. What
 * options mean together is checked afterwards, by optcheck.c.
 */
#include "cli/expand.h"
#include "cli/optable.h"
#include "cli/values.h"
#include "cli/wsquery.h"
#include <string.h>

#define TIMEOUT_MS 10000
#define CLOSE_TIMEOUT_MS 1000
#define RETRY_DELAY_MS 1000
#define MAX_MESSAGE (1 << 20)
#define MAX_REDIRECTS 3
#define JOBS 64

/* Steps and patterns */

/* 0, or -1: it is not a pattern, or there is no memory. */
static int make_pattern(struct wq_options *o, struct wq_pattern *pattern, const char *option,
                        const char *value)
{
	size_t where = 0, len = strlen(value), size;
	const char *why = "";
	struct wsi_text *t;
	void *mem;

	size = wsi_match_size(value, len, &why, &where);
	if (size == 0) {
		if (wq_has_complained(o))
			return -1;
		wq_complain_of(o, option, value, "is not a pattern: ");
		t = wq_why(&o->why);
		wsi_put(t, why);
		wsi_put(t, " (at byte ");
		wsi_put_u(t, where + 1);
		wsi_put(t, ")");
		return -1;
	}
	mem = wq_alloc(NULL, NULL, 0, size);
	if (!mem) {
		o->no_memory = true;
		return -1;
	}
	pattern->option = option;
	pattern->p = value;
	pattern->len = len;
	pattern->match = wsi_match_init(mem, size, value, len);
	return 0;
}

static void add_fail_on(struct wq_options *o, const char *value)
{
	o->fail_on = wq_list_room(o, o->fail_on, sizeof *o->fail_on);
	if (o->fail_on && make_pattern(o, &o->fail_on[o->n_fail_on], "fail-on", value) == 0)
		o->n_fail_on++;
}

/* Of several the last one counts. */
static void set_until(struct wq_options *o, const char *value)
{
	if (!o->until)
		o->until = wq_alloc(NULL, NULL, 0, sizeof *o->until);
	if (o->until)
		make_pattern(o, o->until, "until", value);
	else
		o->no_memory = true;
}

static struct wq_step *add_step(struct wq_options *o)
{
	o->steps = wq_list_room(o, o->steps, sizeof *o->steps);
	if (!o->steps)
		return NULL;
	return &o->steps[o->n_steps++];
}

static void add_expect(struct wq_options *o, const char *value)
{
	struct wq_step *step = add_step(o);

	if (!step)
		return;
	step->kind = WQ_STEP_EXPECT;
	make_pattern(o, &step->pattern, "expect", value);
}

static struct wq_step *add_send(struct wq_options *o, const char *option, const char *value)
{
	struct wq_step *step = add_step(o);

	if (!step)
		return NULL;
	step->kind = WQ_STEP_SEND;
	step->option = option;
	step->p = value;
	step->len = strlen(value);
	return step;
}

/* The value of -d can name a file. */
static void add_data(struct wq_options *o, const char *value)
{
	struct wq_step *step = add_send(o, "data", value);
	struct wq_input *in;

	if (!step || value[0] != '@')
		return;
	step->p = NULL;
	step->len = 0;
	in = wq_add_input(o, "data", value + 1);
	if (in)
		in->step = step;
}

static void add_data_expand(struct wq_options *o, const char *value)
{
	struct wq_step *step = add_send(o, "data-expand", value);

	if (!step)
		return;
	step->expand = true;
	wq_expand_check(o);
}

/* Values of other options */

static void add_element(struct wq_options *o, const char ***member, const char *value)
{
	const char **list = wq_list_room(o, *member, sizeof *list);

	*member = list;
	if (!list)
		return;
	while (*list)
		list++;
	*list = value;
}

static void set_format(struct wq_options *o, const struct wq_option *option, const char *value)
{
	int i = wq_find_word(wq_option_words(option), value);

	if (i < 0) {
		wq_complain_of(o, "format", value,
		               "is not a format (json, raw, nagios, prometheus)");
		return;
	}
#ifdef WSQUERY_NO_FORMATS
	if (i == WQ_NAGIOS || i == WQ_PROMETHEUS) {
		wq_complain_of(o, "format", value, "was not built in");
		return;
	}
#endif
	o->format = (enum wq_format)i;
}

static void set_number(struct wq_options *o, const char *option, int *member, const char *value)
{
	if (wq_parse_number(value, member) < 0)
		wq_complain_of(o, option, value, "is not a whole number from 0 to 2147483647");
}

static void set_duration(struct wq_options *o, const char *option, int *member, const char *value)
{
	if (wq_parse_duration(value, member) < 0)
		wq_complain_of(o, option, value, "is not a duration (try 500ms, 2s, 1m)");
}

/* Whole seconds, rounded up. */
static void set_seconds(struct wq_options *o, const char *option, int *member, const char *value)
{
	int ms = 0;

	set_duration(o, option, &ms, value);
	*member = ms / 1000;
	if (ms % 1000 > 0)
		*member += 1;
}

static void set_range(struct wq_options *o, const char *option, struct wq_range *member,
                      const char *value)
{
	if (wq_parse_range(value, member) < 0)
		wq_complain_of(
		    o, option, value,
		    "is neither a duration (try 500ms, 2s) nor a range (try 1:5, ~:5, 5: or "
		    "@1:5)");
}

/* DAYS, or WARN,CRIT */
static void set_cert_expiry(struct wq_options *o, const char *value)
{
	const char *comma = strchr(value, ',');
	char first[16];
	size_t len = comma ? (size_t)(comma - value) : 0;
	int r;

	if (!comma) {
		o->cert_warning_days = -1;
		set_number(o, "cert-expiry", &o->cert_expiry_days, value);
		return;
	}
	r = len < sizeof first ? 0 : -1;
	if (r == 0) {
		memcpy(first, value, len);
		first[len] = '\0';
		r = wq_parse_number(first, &o->cert_warning_days);
	}
	if (r < 0 || wq_parse_number(comma + 1, &o->cert_expiry_days) < 0)
		wq_complain_of(o, "cert-expiry", value,
		               "is neither a number of days nor two of them, as in 14,7");
	else if (o->cert_warning_days < o->cert_expiry_days)
		wq_complain_of(
		    o, "cert-expiry", value,
		    "has its numbers in the wrong order: the first is for WARNING, which "
		    "comes earlier, the second for CRITICAL");
}

static void set_size(struct wq_options *o, const char *option, size_t *member, const char *value)
{
	if (wq_parse_size(value, member) < 0)
		wq_complain_of(o, option, value,
		               "is not a number of bytes above 0 (try 65536, 64k, 1M)");
}

static void set_tls_version(struct wq_options *o, const char *option, int *member,
                            const char *value)
{
	if (strcmp(value, "1.2") == 0)
		*member = 12;
	else if (strcmp(value, "1.3") == 0)
		*member = 13;
	else
		wq_complain_of(o, option, value, "is neither 1.2 nor 1.3");
}

/* The first of --help and --version wins. */
static void set_help(struct wq_options *o, enum wq_help help)
{
	if (o->help == WQ_NO_HELP)
		o->help = help;
}

static void set_completion(struct wq_options *o, const struct wq_option *option, const char *value)
{
	int i = wq_find_word(wq_option_words(option), value);

	if (i < 0)
		wq_complain_of(o, option->name, value, "is not a shell (bash, zsh, fish)");
	else
		set_help(o, (enum wq_help)(WQ_COMPLETE_BASH + i));
}

/* Options applied */

static bool is_built_in(enum wq_option_part part)
{
	switch (part) {
	case WQ_PART_CORE:
		break;
	case WQ_PART_FORMATS:
#ifdef WSQUERY_NO_FORMATS
		return false;
#else
		return true;
#endif
	case WQ_PART_PROXY:
		return (ws_features() & WS_HAS_PROXY) != 0;
	case WQ_PART_REDIRECTS:
		return (ws_features() & WS_HAS_REDIRECTS) != 0;
	case WQ_PART_TLS:
		return (ws_features() & WS_HAS_TLS) != 0;
	}
	return true;
}

/* Stores the value of an option that needs more than its member. */
static void apply_special(struct wq_options *o, const struct wq_option *option, const char *value)
{
	switch (option->kind) {
	case WQ_KIND_IPV4:
		o->lib.family = 4;
		return;
	case WQ_KIND_IPV6:
		o->lib.family = 6;
		return;
	case WQ_KIND_FORMAT:
		set_format(o, option, value);
		return;
	case WQ_KIND_CERT_EXPIRY:
		set_cert_expiry(o, value);
		return;
	case WQ_KIND_DATA:
		add_data(o, value);
		return;
	case WQ_KIND_DATA_RAW:
		add_send(o, "data-raw", value);
		return;
	case WQ_KIND_DATA_EXPAND:
		add_data_expand(o, value);
		return;
	case WQ_KIND_EXPECT:
		add_expect(o, value);
		return;
	case WQ_KIND_FAIL_ON:
		add_fail_on(o, value);
		return;
	case WQ_KIND_UNTIL:
		set_until(o, value);
		return;
	case WQ_KIND_HELP:
		set_help(o, WQ_SHOW_HELP);
		return;
	case WQ_KIND_VERSION:
		set_help(o, WQ_SHOW_VERSION);
		return;
	case WQ_KIND_COMPLETION:
		set_completion(o, option, value);
		return;
	default:
		return;
	}
}

static void apply(struct wq_options *o, const struct wq_option *option, const char *value)
{
	void *member = wq_option_member(o, option);

	switch (option->kind) {
	case WQ_KIND_FLAG:
		*(bool *)member = true;
		return;
	case WQ_KIND_LIB_FLAG:
		*(int *)member = 1;
		return;
	case WQ_KIND_STRING:
	case WQ_KIND_FILE:
	case WQ_KIND_DIRECTORY:
	case WQ_KIND_SECRET:
		*(const char **)member = value;
		return;
	case WQ_KIND_LIST:
	case WQ_KIND_HEADER:
		add_element(o, member, value);
		return;
	case WQ_KIND_NUMBER:
		set_number(o, option->name, member, value);
		return;
	case WQ_KIND_DURATION:
		set_duration(o, option->name, member, value);
		return;
	case WQ_KIND_TIMEOUT:
	case WQ_KIND_MAX_TIME:
		set_duration(o, option->name, member, value);
		o->max_time_counts = option->kind == WQ_KIND_MAX_TIME;
		return;
	case WQ_KIND_SECONDS:
		set_seconds(o, option->name, member, value);
		return;
	case WQ_KIND_RANGE:
		set_range(o, option->name, member, value);
		return;
	case WQ_KIND_SIZE:
		set_size(o, option->name, member, value);
		return;
	case WQ_KIND_TLS_VERSION:
		set_tls_version(o, option->name, member, value);
		return;
	default:
		apply_special(o, option, value);
	}
}

/* value: NULL if the option has none on the command line. */
static void use(struct wq_options *o, const struct wq_option *option, const char *value)
{
	if (wq_takes_value(option) && !value)
		wq_complain_of(o, option->name, NULL, "needs a value");
	else if (!wq_takes_value(option) && value)
		wq_complain_of(o, option->name, NULL, "takes no value");
	else if (!is_built_in(option->part) && option->part == WQ_PART_TLS)
		wq_complain_of(o, option->name, NULL, "TLS was not built in (build with mbedTLS)");
	else if (!is_built_in(option->part))
		wq_complain_of(o, option->name, NULL, "not built in");
	else if (value)
		apply(o, option, value);
	else
		apply(o, option, "");
}

/* As use(), with the next argument as the value; NULL: there is none. A secret that was meant for
 * another option is neither shown nor sent. */
static void use_next(struct wq_options *o, const struct wq_option *option, const char *value)
{
	if (value && wq_is_misplaced(option, value))
		wq_complain_of(
		    o, option->name, value,
		    "is the next argument: a value is missing (--NAME=VALUE takes any value)");
	else
		use(o, option, value);
}

/* Arguments */

static void unknown(struct wq_options *o, const char *arg, size_t len)
{
	const char *meant = NULL;
	struct wsi_text *t;

	if (wq_has_complained(o))
		return;
	t = wq_why(&o->why);
	wsi_put(t, "unknown option \"");
	wsi_put_safe(t, arg, len);
	wsi_put(t, "\"");
	if (len > 2)
		meant = wq_suggest_option(arg + 2, len - 2);
	if (meant) {
		wsi_put(t, ": did you mean --");
		wsi_put(t, meant);
		wsi_put(t, "?");
	}
}

/* --name, --name=VALUE or --name VALUE. Returns how many arguments that took: 1 or 2. */
static int parse_long(struct wq_options *o, char **argv)
{
	const char *name = argv[0] + 2, *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const struct wq_option *option = wq_find_long(name, len);

	if (!option) {
		unknown(o, argv[0], 2 + len);
		return 1;
	}
	if (equals) {
		use(o, option, equals + 1);
		return 1;
	}
	if (wq_takes_value(option)) {
		use_next(o, option, argv[1]);
		return 2;
	}
	use(o, option, NULL);
	return 1;
}

/* -a, -abc, -dVALUE or -d VALUE. Returns how many arguments that took: 1 or 2. */
static int parse_short(struct wq_options *o, char **argv)
{
	const char *s;

	for (s = argv[0] + 1; *s; s++) {
		const struct wq_option *option = wq_find_short(*s);
		char name[2] = {'-', *s};

		if (!option) {
			unknown(o, name, sizeof name);
			return 1;
		}
		if (!wq_takes_value(option)) {
			use(o, option, NULL);
			continue;
		}
		if (s[1]) {
			use(o, option, s + 1);
			return 1;
		}
		use_next(o, option, argv[1]);
		return 2;
	}
	return 1;
}

static void take_url(struct wq_options *o, const char *arg)
{
	o->urls = wq_list_room(o, o->urls, sizeof *o->urls);
	if (o->urls)
		o->urls[o->n_urls++] = arg;
}

static void parse_arguments(struct wq_options *o, int argc, char **argv)
{
	bool options_ended = false;
	int i = 1;

	while (i < argc) {
		const char *arg = argv[i];

		if (options_ended || arg[0] != '-' || !arg[1]) {
			take_url(o, arg);
			i++;
		} else if (strcmp(arg, "--") == 0) {
			options_ended = true;
			i++;
		} else if (arg[1] == '-') {
			i += parse_long(o, argv + i);
		} else {
			i += parse_short(o, argv + i);
		}
	}
}

static void set_defaults(struct wq_options *o)
{
	o->count = o->wait_ms = o->retry = -1;
	o->idle_timeout_ms = o->ping_interval_ms = o->max_time_ms = o->every_ms = -1;
	o->cert_expiry_days = o->cert_warning_days = -1;
	o->timeout_ms = TIMEOUT_MS;
	o->close_timeout_ms = CLOSE_TIMEOUT_MS;
	o->retry_delay_ms = RETRY_DELAY_MS;
	o->jobs = JOBS;
	o->lib.max_message = MAX_MESSAGE;
	if (ws_features() & WS_HAS_REDIRECTS)
		o->lib.max_redirects = MAX_REDIRECTS;
	o->lib.nonblock = 1;
}

int wq_options_parse(struct wq_options *o, int argc, char **argv)
{
	memset(o, 0, sizeof *o);
	/* No list can have more elements than there are arguments, and each ends with a zero. */
	o->room = 1;
	if (argc > 0)
		o->room += (size_t)argc;
	set_defaults(o);
	parse_arguments(o, argc, argv);
	if (o->help != WQ_NO_HELP)
		return 0;
	wq_options_check(o);
	wq_options_find_inputs(o);
	o->lib.subprotocols = o->subprotocols;
	o->lib.resolve = o->resolve;
	return wq_has_complained(o) ? WQ_USAGE : 0;
}
