/* SPDX-License-Identifier: ISC
 * test_options.c - durations, sizes, and how a command line is read
 */
#include "cli/options.h"
#include "cli/values.h"
#include "cli/wsquery.h"
#include "test/check.h"

static struct wq_options o;
static max_align_t arena[2000];

/* The arguments, separated by single spaces; "_" is an empty one */
static int parse(const char *line)
{
	static char buf[1000], name[] = "wsquery", empty[] = "";
	char *argv[100] = {name, NULL}, *p = buf;
	int argc = 1;

	wq_memory_init(arena, sizeof arena / sizeof arena[0]); /* starts with an empty arena */
	snprintf(buf, sizeof buf, "%s", line);
	while (p && *p && argc < 99) {
		argv[argc] = p;
		p = strchr(p, ' ');
		if (p)
			*p++ = '\0';
		if (strcmp(argv[argc], "_") == 0)
			argv[argc] = empty;
		argc++;
	}
	argv[argc] = NULL;
	return wq_options_parse(&o, argc, argv);
}

static void test_durations(void)
{
	static const struct {
		const char *text;
		int ms; /* -1: wrong */
	} t[] = {
	    {"0", 0},
	    {"1", 1000},
	    {"10", 10000},
	    {"1.5", 1500},
	    {".5", 500},
	    {"5.", 5000},
	    {"0.001", 1},
	    {"0.0001", 1},
	    {"0.0000000000001", 1},
	    {"0.000", 0},
	    {"500ms", 500},
	    {"1.5ms", 2},
	    {"2s", 2000},
	    {"1m", 60000},
	    {"0.01m", 600},
	    {"1h", 3600000},
	    {"00.5s", 500},
	    {"1.0000000001", 1001},
	    {"2147483.647", 2147483647},
	    {"2147483.648", -1},
	    {"2147483648ms", -1},
	    {"", -1},
	    {".", -1},
	    {"s", -1},
	    {"ms", -1},
	    {"-1", -1},
	    {"+1", -1},
	    {" 1", -1},
	    {"1 ", -1},
	    {"1 s", -1},
	    {"1S", -1},
	    {"1e3", -1},
	    {"1x", -1},
	    {"1mss", -1},
	    {"1h3", -1},
	    {"0x10", -1},
	    {"inf", -1},
	    {"nan", -1},
	    {"1.5.2", -1},
	    {"99999999999999999999", -1},
	    {"1,5", -1},
	};
	size_t i;

	for (i = 0; i < sizeof t / sizeof t[0]; i++) {
		int ms = -1, r = wq_parse_duration(t[i].text, &ms);

		check_row("\"%s\"", t[i].text);
		if (!CHECK(r == (t[i].ms < 0 ? -1 : 0) && ms == t[i].ms))
			fprintf(stderr, "\t\"%s\": %d, want %d\n", t[i].text, ms, t[i].ms);
	}
}

static void test_sizes(void)
{
	static const struct {
		const char *text;
		size_t size; /* 0: wrong */
	} t[] = {
	    {"1", 1},
	    {"65536", 65536},
	    {"1k", 1024},
	    {"1K", 1024},
	    {"64k", 65536},
	    {"1M", 1048576},
	    {"1m", 1048576},
	    {"1G", (size_t)1 << 30},
	    {"0", 0},
	    {"0k", 0},
	    {"", 0},
	    {"k", 0},
	    {"1T", 0},
	    {"1kB", 0},
	    {"-1", 0},
	    {"1.5k", 0},
	    {" 1", 0},
	    {"1 k", 0},
	    {"99999999999999999999", 0},
	    {"99999999999999999999G", 0},
	    {"9223372036854775807", 0},
	    {"8589934592G", 0},
	};
	size_t i;

	for (i = 0; i < sizeof t / sizeof t[0]; i++) {
		size_t size = 0;
		int r;

		if (t[i].size == (size_t)1 << 30 && sizeof(size_t) < 8)
			continue; /* too large a part of a small address space */
		check_row("\"%s\"", t[i].text);
		r = wq_parse_size(t[i].text, &size);
		if (!CHECK(r == (t[i].size ? 0 : -1) && size == t[i].size))
			fprintf(stderr, "\t\"%s\": %lu\n", t[i].text, (unsigned long)size);
	}
}

static void test_numbers(void)
{
	int n = -1;

	CHECK(wq_parse_number("0", &n) == 0 && n == 0);
	CHECK(wq_parse_number("2147483647", &n) == 0 && n == 2147483647);
	CHECK(wq_parse_number("2147483648", &n) < 0);
	CHECK(wq_parse_number("", &n) < 0);
	CHECK(wq_parse_number("1.5", &n) < 0);
	CHECK(wq_parse_number("-1", &n) < 0);
	CHECK(wq_parse_number("1x", &n) < 0);
}

static void test_forms(void)
{
	CHECK_EQ_U(parse("ws://h"), 0);
	CHECK_EQ_S(o.urls[0], "ws://h");
	CHECK_EQ_U(o.timeout_ms, 10000);
	CHECK_EQ_U(o.count, 1);
	CHECK_EQ_U(o.lib.max_message, 1048576);
	CHECK_EQ_U(parse("-t 5 ws://h"), 0);
	CHECK_EQ_U(o.timeout_ms, 5000);
	CHECK_EQ_U(parse("-t5 ws://h"), 0);
	CHECK_EQ_U(o.timeout_ms, 5000);
	CHECK_EQ_U(parse("--timeout 5 ws://h"), 0);
	CHECK_EQ_U(o.timeout_ms, 5000);
	CHECK_EQ_U(parse("--timeout=5 ws://h"), 0);
	CHECK_EQ_U(o.timeout_ms, 5000);
	CHECK_EQ_U(parse("ws://h -m 500ms --timeout 7 --max-time=3"), 0);
	CHECK_EQ_U(o.timeout_ms, 3000);
	CHECK_EQ_U(parse("-Dqpvt5 ws://h"), 0);
	CHECK(o.details && o.quiet && o.ping && o.verbose && o.timeout_ms == 5000);
	CHECK_EQ_U(parse("-D -- -v"), 0);
	CHECK(o.details && !o.verbose);
	CHECK_EQ_S(o.urls[0], "-v");
	CHECK_EQ_U(parse("-d -- ws://h -A -v"), 0);
	CHECK_EQ_MEM(o.steps[0].p, o.steps[0].len, "--", 2);
	CHECK_EQ_S(o.lib.user_agent, "-v");
	CHECK_EQ_U(parse("-4 -6 ws://h"), 0);
	CHECK_EQ_U(o.lib.family, 6);
	CHECK_EQ_U(parse("-64 ws://h"), 0);
	CHECK_EQ_U(o.lib.family, 4);
	if (ws_features() & WS_HAS_PROXY) {
		CHECK_EQ_U(parse("-x _ ws://h"), 0);
		CHECK_EQ_S(o.lib.proxy, "");
	}
	CHECK_EQ_U(parse("--keepalive 1500ms ws://h"), 0);
	CHECK_EQ_U(o.lib.keepalive_s, 2);
	CHECK_EQ_U(parse("-s a --subprotocol=b -sc ws://h"), 0);
	CHECK(strcmp(o.lib.subprotocols[0], "a") == 0 && strcmp(o.lib.subprotocols[2], "c") == 0
	      && !o.lib.subprotocols[3]);
	CHECK_EQ_U(parse("-"), 0);
	CHECK_EQ_S(o.urls[0], "-");
	CHECK_EQ_U(parse("_"), 0);
	CHECK_EQ_S(o.urls[0], "");
}

static void test_steps(void)
{
	CHECK_EQ_U(parse("-d a -e b --data-raw @c ws://h"), 0);
	CHECK_EQ_U(o.n_steps, 3);
	CHECK(o.steps[0].kind == WQ_STEP_SEND && o.steps[1].kind == WQ_STEP_EXPECT
	      && o.steps[2].kind == WQ_STEP_SEND);
	CHECK_EQ_MEM(o.steps[2].p, o.steps[2].len, "@c", 2);
	CHECK_EQ_U(o.count, 1);
	CHECK_EQ_U(parse("-d a -e b ws://h"), 0);
	CHECK_EQ_U(o.count, 0);
	CHECK_EQ_U(parse("-p ws://h"), 0);
	CHECK_EQ_U(o.count, 0);
	CHECK_EQ_U(parse("-p -n 1 ws://h"), 0);
	CHECK_EQ_U(o.count, 1);
	CHECK_EQ_U(parse("-p -d x ws://h"), 0);
	CHECK_EQ_U(o.count, 1);
	CHECK_EQ_U(parse("--check -d x ws://h"), 0);
	CHECK_EQ_U(o.count, 0);
	CHECK_EQ_U(parse("--fail-on a -d b --fail-on=c -e d ws://h"), 0); /* --fail-on is no step */
	CHECK(o.n_steps == 2 && o.count == 0 && o.n_fail_on == 2);
	CHECK_EQ_S(o.fail_on[1].p, "c");
	CHECK_EQ_S(o.fail_on[1].option, "fail-on");
	CHECK_EQ_U(parse("-p --fail-on a ws://h"), 0);
	CHECK_EQ_U(o.count, 0);
	CHECK_EQ_U(parse("-d @- -d @f -b @c -H @h ws://h"), 0);
	CHECK_EQ_U(o.n_inputs, 4);
}

static void test_urls(void)
{
	CHECK_EQ_U(parse("ws://h"), 0);
	CHECK(o.n_urls == 1 && !o.several && o.jobs == 64);
	CHECK_EQ_U(parse("a -D b --jobs 10000 ws://h"), 0);
	CHECK(o.n_urls == 3 && o.several && o.details && o.jobs == 10000);
	CHECK_EQ_S(o.urls[0], "a");
	CHECK_EQ_S(o.urls[2], "ws://h");
	CHECK_EQ_U(parse("--from list --no-progress"), 0);
	CHECK(o.n_urls == 0 && o.several && o.no_progress);
	CHECK_EQ_S(o.from, "list");
	CHECK_EQ_U(parse("--from - ws://h"), 0);
	CHECK(o.n_urls == 1 && o.several);
}

static void test_follow(void)
{
	CHECK_EQ_U(parse("ws://h"), 0);
	CHECK(!o.follow && !o.lines && !o.until);
	CHECK_EQ_U(parse("-F ws://h"), 0);
	CHECK(o.follow && !o.lines && o.count == -1);
	CHECK_EQ_U(o.ping_interval_ms, 30000);
	CHECK(o.idle_timeout_ms == -1 && o.max_time_ms == -1 && o.timeout_ms == 10000);
	CHECK_EQ_U(parse("-l --ping-interval 0 --idle-timeout 2 ws://h"), 0);
	CHECK(o.follow && o.lines && o.ping_interval_ms == 0 && o.idle_timeout_ms == 2000);
	CHECK_EQ_U(parse("--until a --until b -n 3 ws://h"), 0);
	CHECK(o.follow && o.count == 3);
	CHECK_EQ_S(o.until->p, "b");
	CHECK_EQ_S(o.until->option, "until");
	CHECK_EQ_U(parse("-F -d a -e b -n 2 -p ws://h"), 0); /* -n counts what follows the steps */
	CHECK(o.n_steps == 2 && o.count == 2);
	check_row("-m is -t without --follow: the last one counts");
	CHECK_EQ_U(parse("-t 5 -m 3 ws://h"), 0);
	CHECK_EQ_U(o.timeout_ms, 3000);
	CHECK_EQ_U(parse("-m 3 -t 5 ws://h"), 0);
	CHECK_EQ_U(o.timeout_ms, 5000);
	CHECK_EQ_U(parse("-m 0 ws://h"), 0);
	CHECK_EQ_U(o.timeout_ms, 0);
	check_row("with --follow it is another");
	CHECK_EQ_U(parse("-t 5 -m 3 -F ws://h"), 0);
	CHECK(o.timeout_ms == 5000 && o.max_time_ms == 3000);
	CHECK_EQ_U(parse("-F -m 3 ws://h"), 0);
	CHECK(o.timeout_ms == 10000 && o.max_time_ms == 3000);
	check_row_end();
}

static void test_wrong(void)
{
	static const struct {
		const char *line, *named;
	} t[] = {
	    {"", "URL"},
	    {"-H a: b ws://h", "quotes"}, /* b may be a secret */
	    {"-f nagios ws://g ws://h", "nagios"},
	    {"-f nagios --from list", "nagios"},
	    {"--jobs 0 ws://h", "--jobs"},
	    {"--jobs 10001 ws://h", "--jobs"},
	    {"--from - -d @- ws://h", "standard input, which can be read only once"},
	    {"--bogus ws://h", "\"--bogus\""},
	    {"--bogus=secret ws://h", "\"--bogus\""},
	    {"--=x ws://h", "\"--\""},
	    {"-Z ws://h", "\"-Z\""},
	    {"-DZ ws://h", "\"-Z\""},
	    {"--time 3 ws://h", "\"--time\""},
	    {"--timeouts 3 ws://h", "\"--timeouts\""},
	    {"ws://h -t", "-t, --timeout: needs a value"},
	    {"ws://h --data", "-d, --data: needs a value"},
	    {"--check=1 ws://h", "--check: takes no value"},
	    {"-t abc ws://h", "-t, --timeout: \"abc\" is not a duration"},
	    {"-n x ws://h", "-n, --count: \"x\""},
	    {"--max-message 0 ws://h", "--max-message: \"0\""},
	    {"-f xml ws://h", "-f, --format: \"xml\""},
	    {"-e ( ws://h", "-e, --expect: \"(\""},
	    {"--fail-on ( ws://h", "--fail-on: \"(\" is not a pattern: "},
	    {"ws://h --fail-on", "--fail-on: needs a value"},
	    {"-d a -e b -n 2 ws://h", "-n, --count"},
	    {"-e b --fail-on c -n 2 ws://h", "-n, --count cannot be combined with a last step"},
	    {"--check -n 1 ws://h", "--check"},
	    {"--check -e x ws://h", "--check"},
	    {"-u a:b --bearer c ws://h", "--bearer"},
	    {"--unix-socket /s -x http://h ws://h", "--unix-socket"},
	    {"-d @- -d @- ws://h", "\"@-\""},
	    {"-d \xff ws://h", "UTF-8"},
	    {"--no-utf8-check -d \xff ws://h", "UTF-8"}, /* this option is about received text */
	    {"-e ( ws://h", "\"(\" is not a pattern: "},
	    {"-d x -e y -n 1 ws://h", "-n, --count cannot be combined"},
	    {"--data-raw \xed\xa0\x80 ws://h", "--data-raw"},
	    {"-t abc -n x ws://h", "abc"},
	    {"--until ( ws://h", "--until: \"(\" is not a pattern: "},
	    {"--idle-timeout 1 ws://h", "--idle-timeout needs --follow"},
	    {"--ping-interval 1 ws://h", "--ping-interval needs --follow"},
	    {"-F --idle-timeout x ws://h", "--idle-timeout: \"x\""},
	    {"-F --check ws://h", "--check cannot be combined with --follow"},
	    {"-F -n 0 ws://h", "-n 0 cannot be combined with --follow"},
	    {"-F -q ws://h", "--quiet cannot be combined with --follow"},
	    {"-l -q ws://h", "--quiet cannot be combined with --follow"},
	    {"--until x -q ws://h", "--quiet cannot be combined with --follow"},
	    {"-F ws://h ws://i", "--follow works with one URL only"},
	    {"-l --from list", "--follow works with one URL only"},
	    {"-l -d @- ws://h", "-d, --data: \"@-\" is a second use"},
	    /* An option took the next option, which holds a secret, as its value. */
	    {"-t -usecret ws://h", "-t, --timeout: \"-u...\" is not"},
	    {"-n -Dqusecret ws://h", "-n, --count: \"-Dqu...\" is not"},
	    {"-n --bearer=secret ws://h", "-n, --count: \"--bearer=...\" is not"},
	    {"-f -HX:secret ws://h", "-f, --format: \"-H...\" is not"},
	    {"-n -u ws://h", "-n, --count: \"-u\" is not"},
	    {"-n -Dq ws://h", "-n, --count: \"-Dq\" is not"},
	    {"-n --bearer ws://h", "-n, --count: \"--bearer\" is not"},
	    {"-n -tx ws://h", "-n, --count: \"-tx\" is not"},
	    {"-n --from=x ws://h", "-n, --count: \"--from=x\" is not"},
	    {"-n - ws://h", "-n, --count: \"-\" is not"},
	    {"-n -Zx ws://h", "-n, --count: \"-Zx\" is not"},
	    {"-e -bsecret ws://h", "-e, --expect: \"-b...\" is the next argument"},
	    {"--fail-on -bsecret ws://h", "--fail-on: \"-b...\" is the next argument"},
	    {"--until -bsecret ws://h", "--until: \"-b...\" is the next argument"},
	    {"--expect=-bsecret --data-expand ${1} ws://h", "-e \"-b...\" has no groups"},
	    {"-l -H @- ws://h", "-H, --header: \"@-\" is a second use"},
#ifndef WSQUERY_NO_FORMATS
	    {"-F -f nagios ws://h", "--follow needs -f json or -f raw"},
	    {"-l -f prometheus ws://h", "--follow needs -f json or -f raw"},
#endif
	};
	size_t i;

	for (i = 0; i < sizeof t / sizeof t[0]; i++) {
		check_row("%s", t[i].line);
		CHECK_EQ_U(parse(t[i].line), WQ_USAGE);
		if (strstr(t[i].line, " -x ") && !(ws_features() & WS_HAS_PROXY))
			CHECK(strstr(o.why.t.p, "not built in") != NULL);
		else if (!CHECK(strstr(o.why.t.p, t[i].named) != NULL))
			fprintf(stderr, "\t%s: %s\n", t[i].line, o.why.t.p);
		CHECK(strstr(o.why.t.p, "secret") == NULL);
	}
	check_row_end();
	CHECK_EQ_U(parse("-t abc -e ( --fail-on [ ws://h"),
	           WQ_USAGE); /* only the first wrong option is reported */
	CHECK_EQ_S(o.why.t.p, "-t, --timeout: \"abc\" is not a duration (try 500ms, 2s, 1m)");
	CHECK_EQ_U(parse("-B -d \xff ws://h"), 0);
#ifdef WSQUERY_NO_FORMATS
	CHECK_EQ_U(parse("-w 1 ws://h"), WQ_USAGE);
	CHECK(strstr(o.why.t.p, "-w, --warning: not built in") != NULL);
#else
	CHECK_EQ_U(parse("-w 1 ws://h"), 0);
#endif
}

static void test_help(void)
{
	size_t i;
	static const char *const lines[] = {"-h", "ws://h --help", "--bogus -t abc -h", "-qh a b",
	                                    "--help -V"};

	for (i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		check_row("%s", lines[i]);
		CHECK_EQ_U(parse(lines[i]), 0);
		CHECK_EQ_U(o.help, WQ_SHOW_HELP);
	}
	check_row_end();
	CHECK_EQ_U(parse("-V -h"), 0);
	CHECK_EQ_U(o.help, WQ_SHOW_VERSION);
	CHECK_EQ_U(parse("--completion fish"), 0);
	CHECK_EQ_U(o.help, WQ_COMPLETE_FISH);
	CHECK_EQ_U(parse("-d --help ws://h"), 0);
	CHECK_EQ_U(o.help, WQ_NO_HELP);
	CHECK_EQ_U(parse("-- --help"), 0);
	CHECK_EQ_U(o.help, WQ_NO_HELP);
}

static void test_names(void)
{
	char buf[40];
	struct wsi_text t;

	CHECK_EQ_S(wq_option_of("tls.ca_file"), "cacert");
	CHECK_EQ_S(wq_option_of("headers"), "header");
	CHECK_EQ_S(wq_option_of("timeout_ms"), "timeout");
	CHECK(wq_option_of("nonsense") == NULL);
	wsi_text_init(&t, buf, sizeof buf);
	wq_put_option(&t, "timeout");
	CHECK_EQ_S(buf, "-t, --timeout");
	wsi_text_init(&t, buf, sizeof buf);
	wq_put_option(&t, "wait");
	CHECK_EQ_S(buf, "--wait");
}

int main(void)
{
	TEST(test_durations);
	TEST(test_sizes);
	TEST(test_numbers);
	TEST(test_forms);
	TEST(test_steps);
	TEST(test_urls);
	TEST(test_follow);
	TEST(test_wrong);
	TEST(test_help);
	TEST(test_names);
	return check_done();
}
