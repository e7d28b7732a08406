/* SPDX-License-Identifier: ISC
 * options.c - the command line, by one table
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/wsquery.h"
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum option_kind {
	K_FLAG,     /* int, 1 */
	K_FAMILY,   /* int, the option's letter */
	K_STRING,   /* const char * */
	K_SECRET,   /* the same, never shown; "@FILE" */
	K_LIST,     /* const char **, one more element */
	K_HEADER,   /* the same, never shown */
	K_NUMBER,   /* int */
	K_DURATION, /* int, ms */
	K_SECONDS,  /* int, whole seconds */
	K_SIZE,     /* size_t */
	K_TLS,      /* int, 12 or 13 */
	K_FORMAT,
	K_DATA,
	K_DATA_RAW,
	K_EXPECT,
	K_FAIL_ON,
	K_HELP
};

struct option {
	const char *
	    name; /* and behind its NUL the field of struct ws_options, as ws_info()->option names it, or "" */
	unsigned short at; /* in struct wq_options */
	char letter;
	unsigned char kind;
	unsigned char
	    feature; /* of enum ws_feature, or HAS_FORMATS, without which the option was not built in */
};

#define HAS_FORMATS 128
#ifdef WSQUERY_NO_FORMATS
#define FORMATS 0
#else
#define FORMATS HAS_FORMATS
#endif

#define AT(member) (unsigned short)offsetof(struct wq_options, member)

static const struct option option_table[] = {
    {"data\0", 0, 'd', K_DATA, 0},
    {"data-raw\0", 0, 0, K_DATA_RAW, 0},
    {"binary\0", AT(binary), 'B', K_FLAG, 0},
    {"expect\0", 0, 'e', K_EXPECT, 0},
    {"fail-on\0", 0, 0, K_FAIL_ON, 0},
    {"count\0", AT(count), 'n', K_NUMBER, 0},
    {"check\0", AT(check), 0, K_FLAG, 0},
    {"ping\0", AT(ping), 'p', K_FLAG, 0},
    {"timeout\0timeout_ms", AT(timeout_ms), 't', K_DURATION, 0},
    {"max-time\0", AT(timeout_ms), 'm', K_DURATION, 0},
    {"connect-timeout\0connect_timeout_ms", AT(connect_timeout_ms), 0, K_DURATION, 0},
    {"close-timeout\0", AT(close_timeout_ms), 0, K_DURATION, 0},
    {"retry\0", AT(retry), 0, K_NUMBER, 0},
    {"retry-delay\0", AT(retry_delay_ms), 0, K_DURATION, 0},
    {"wait\0", AT(wait_ms), 0, K_DURATION, 0},
    {"max-message\0max_message", AT(lib.max_message), 0, K_SIZE, 0},
    {"header\0headers", AT(headers), 'H', K_HEADER, 0},
    {"cookie\0cookie", AT(lib.cookie), 'b', K_SECRET, 0},
    {"origin\0origin", AT(lib.origin), 0, K_STRING, 0},
    {"user-agent\0user_agent", AT(lib.user_agent), 'A', K_STRING, 0},
    {"host\0host", AT(lib.host), 0, K_STRING, 0},
    {"subprotocol\0subprotocols", AT(subprotocols), 's', K_LIST, 0},
    {"user\0user", AT(lib.user), 'u', K_SECRET, 0},
    {"bearer\0bearer", AT(lib.bearer), 0, K_SECRET, 0},
    {"max-redirs\0max_redirects", AT(lib.max_redirects), 0, K_NUMBER, WS_HAS_REDIRECTS},
    {"proxy\0proxy", AT(lib.proxy), 'x', K_STRING, WS_HAS_PROXY},
    {"noproxy\0no_proxy", AT(lib.no_proxy), 0, K_STRING, WS_HAS_PROXY},
    {"ipv4\0", AT(lib.family), '4', K_FAMILY, 0},
    {"ipv6\0", AT(lib.family), '6', K_FAMILY, 0},
    {"unix-socket\0unix_socket", AT(lib.unix_socket), 0, K_STRING, 0},
    {"resolve\0resolve", AT(resolve), 0, K_LIST, 0},
    {"interface\0local_interface", AT(lib.local_interface), 0, K_STRING, 0},
    {"keepalive\0keepalive_s", AT(lib.keepalive_s), 0, K_SECONDS, 0},
    {"insecure\0tls.insecure_no_verify", AT(lib.tls.insecure_no_verify), 'k', K_FLAG, WS_HAS_TLS},
    {"cacert\0tls.ca_file", AT(lib.tls.ca_file), 0, K_STRING, WS_HAS_TLS},
    {"capath\0tls.ca_dir", AT(lib.tls.ca_dir), 0, K_STRING, WS_HAS_TLS},
    {"cert\0tls.cert_file", AT(lib.tls.cert_file), 0, K_STRING, WS_HAS_TLS},
    {"key\0tls.key_file", AT(lib.tls.key_file), 0, K_STRING, WS_HAS_TLS},
    {"pass\0tls.key_password", AT(lib.tls.key_password), 0, K_SECRET, WS_HAS_TLS},
    {"server-name\0tls.server_name", AT(lib.tls.server_name), 0, K_STRING, WS_HAS_TLS},
    {"no-check-hostname\0tls.insecure_no_hostname", AT(lib.tls.insecure_no_hostname), 0, K_FLAG,
     WS_HAS_TLS},
    {"tls-min\0tls.min_version", AT(lib.tls.min_version), 0, K_TLS, WS_HAS_TLS},
    {"tls-max\0tls.max_version", AT(lib.tls.max_version), 0, K_TLS, WS_HAS_TLS},
    {"ciphers\0tls.ciphers", AT(lib.tls.ciphers), 0, K_STRING, WS_HAS_TLS},
    {"pinnedpubkey\0tls.pin_sha256", AT(lib.tls.pin_sha256), 0, K_STRING, WS_HAS_TLS},
    {"cert-expiry\0", AT(cert_expiry_days), 0, K_NUMBER, WS_HAS_TLS},
    {"no-utf8-check\0", AT(lib.no_utf8_check), 0, K_FLAG, 0},
    {"details\0", AT(details), 'D', K_FLAG, 0},
    {"format\0", AT(format), 'f', K_FORMAT, 0},
    {"quiet\0", AT(quiet), 'q', K_FLAG, 0},
    {"verbose\0", AT(verbose), 'v', K_FLAG, 0},
    {"warning\0", AT(warning_ms), 'w', K_DURATION, HAS_FORMATS},
    {"critical\0", AT(critical_ms), 'c', K_DURATION, HAS_FORMATS},
    {"help\0", 0, 'h', K_HELP, 0},
    {"version\0", 0, 'V', K_HELP, 0},
};
#define OPTIONS (sizeof option_table / sizeof option_table[0])

const char *wq_help(void)
{
	return "usage: wsquery [OPTION]... URL\n"
	       "Opens a WebSocket, sends, receives, closes, and prints one JSON object.\n"
	       "\n"
	       "What to do; -d and -e in the order given\n"
	       "  -d, --data TEXT\tsend TEXT, or a file (@FILE), or standard input (@-)\n"
	       "      --data-raw TEXT\tsend TEXT, @ not special\n"
	       "  -B, --binary\tsend data as binary messages\n"
	       "  -e, --expect PATTERN\treceive until a message matches (POSIX extended)\n"
	       "      --fail-on PATTERN\tend with status 3 at a message that matches\n"
	       "  -n, --count N\tmessages to receive at the end (1)\n"
	       "      --check\ttest the connection alone: --count 0\n"
	       "  -p, --ping\tawait the answer to a ping first\n"
	       "Time: seconds, or 500ms, 2s, 1m; 0 is no limit, or no waiting\n"
	       "  -t, -m, --timeout, --max-time SEC  one deadline for a whole try (10)\n"
	       "      --connect-timeout SEC\tup to the open WebSocket (none)\n"
	       "      --close-timeout SEC\twait for the server's close (1)\n"
	       "      --retry N\tup to N more tries while one fails\n"
	       "      --retry-delay SEC\tpause between tries (1)\n"
	       "      --wait SEC\tone deadline over all tries; tries until then\n"
	       "Request\n"
	       "      --max-message BYTES\tlargest message, and most that is kept (1M)\n"
	       "  -H, --header 'NAME: VALUE'  or 'NAME:' to remove one, or @FILE\n"
	       "  -b, --cookie STRING\tor @FILE\n"
	       "      --origin URL\n"
	       "  -A, --user-agent STRING\n"
	       "      --host NAME\tin place of the URL's in the Host header\n"
	       "  -s, --subprotocol NAME\tmay be repeated\n"
	       "  -u, --user USER:PASSWORD\tor @FILE\n"
	       "      --bearer TOKEN\tor @FILE\n"
	       "      --max-redirs N\tredirects followed (3)\n"
	       "Network\n"
	       "  -x, --proxy URL\thttp, socks4, socks4a, socks5, socks5h; '' none\n"
	       "      --noproxy LIST\thosts, .domains, CIDR blocks, host:port or *\n"
	       "  -4, --ipv4; -6, --ipv6\tone address family\n"
	       "      --unix-socket PATH\tconnect there instead of TCP\n"
	       "      --resolve HOST:PORT:ADDR\n"
	       "      --interface NAME\tdevice or address of the local end\n"
	       "      --keepalive SEC\tTCP keep-alive interval\n"
	       "TLS\n"
	       "  -k, --insecure\tdo not verify the certificate\n"
	       "      --cacert FILE, --capath DIR  trust these\n"
	       "      --cert FILE, --key FILE, --pass PHRASE  client certificate; PHRASE or @FILE\n"
	       "      --server-name NAME\tfor SNI and verification\n"
	       "      --no-check-hostname\tverify the chain but not the name\n"
	       "      --tls-min VER, --tls-max VER  1.2 or 1.3\n"
	       "      --ciphers LIST\tIANA or mbedTLS names\n"
	       "      --pinnedpubkey sha256//BASE64\n"
	       "      --cert-expiry DAYS\tfail if the certificate ends within DAYS\n"
	       "Output\n"
	       "      --no-utf8-check\taccept any bytes in received text\n"
	       "  -D, --details\tadd the details object\n"
	       "  -f, --format FORMAT\tjson, raw, nagios, prometheus\n"
	       "  -q, --quiet\tno output, only the exit status\n"
	       "  -v, --verbose\thandshake and frames on stderr\n"
	       "  -w, --warning SEC, -c, --critical SEC  for nagios\n"
	       "  -h, --help; -V, --version\n"
	       "\n"
	       "Exit status: 0 all happened, 1 no connection, 3 connected but not all happened,\n"
	       "64 wrong command line, 74 stdout could not be written, 130 and 143 signals.\n";
}

/* Values */

/* Digits from s on, INT64_MAX for more than that. How many there were. */
static size_t read_digits(const char *s, int64_t *v)
{
	size_t n = 0;

	for (*v = 0; s[n] >= '0' && s[n] <= '9'; n++)
		*v = *v <= (INT64_MAX - 9) / 10 ? *v * 10 + (s[n] - '0') : INT64_MAX;
	return n;
}

int wq_parse_number(const char *s, int *n)
{
	int64_t v;
	size_t len = read_digits(s, &v);

	if (len == 0 || s[len] || v > INT_MAX)
		return -1;
	*n = (int)v;
	return 0;
}

int wq_parse_size(const char *s, size_t *size)
{
	static const char units[] = "kmg";
	int64_t v;
	size_t i, n = read_digits(s, &v);

	if (n == 0)
		return -1;
	if (s[n]) {
		for (i = 0; units[i] && wsi_lower(s[n]) != units[i]; i++)
			;
		if (!units[i] || s[n + 1] || v > INT64_MAX >> 10 * (i + 1))
			return -1;
		v <<= 10 * (i + 1);
	}
	if (v < 1 || v > INT64_MAX / 2)
		return -1;
	*size = (uint64_t)v > PTRDIFF_MAX / 2 ? PTRDIFF_MAX / 2
	                                      : (size_t)v; /* with 32 bits no memory holds more */
	return 0;
}

/* Rounded up: what is not nothing must not become 0, which is no limit */
int wq_parse_duration(const char *s, int *ms)
{
	static const struct {
		char name[3];
		int ms;
	} units[] = {{"", 1000}, {"s", 1000}, {"ms", 1}, {"m", 60000}, {"h", 3600000}};
	int64_t whole, part = 0, scale = 1;
	size_t i, n = read_digits(s, &whole), from;
	int more = 0;

	s += n;
	if (*s == '.') {
		for (s++, from = n; *s >= '0' && *s <= '9'; s++, n++) {
			if (n - from < 9) {
				part = part * 10 + (*s - '0');
				scale *= 10;
			} else {
				more |= *s != '0';
			}
		}
	}
	if (n == 0 || whole > INT_MAX)
		return -1;
	for (i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (strcmp(s, units[i].name) != 0)
			continue;
		whole = whole * units[i].ms + (part * units[i].ms + more + scale - 1) / scale;
		if (whole > INT_MAX)
			return -1;
		*ms = (int)whole;
		return 0;
	}
	return -1;
}

/* The table applied */

static void set(struct wq_options *o, const struct option *row, const void *value, size_t len)
{
	memcpy((char *)o + row->at, value, len);
}

void wq_put_option(struct wsi_text *t, const char *name)
{
	size_t i;

	for (i = 0; i < OPTIONS; i++) {
		if (strcmp(option_table[i].name, name) != 0 || !option_table[i].letter)
			continue;
		wsi_put_c(t, '-');
		wsi_put_c(t, option_table[i].letter);
		wsi_put(t, ", ");
	}
	wsi_put(t, "--");
	wsi_put(t, name);
}

static int wrong(struct wq_options *o, const char *option, const char *value, const char *why)
{
	struct wsi_text *t;

	if (o->why.t.len) /* the first is told */
		return -1;
	t = wq_why(&o->why);
	wq_put_option(t, option);
	wsi_put(t, value ? ": \"" : ": ");
	if (value) {
		size_t n = strlen(value);

		wsi_put_safe(t, value, n < 200 ? n : 200);
		wsi_put(t, n < 200 ? "\" " : "...\" ");
	}
	wsi_put(t, why);
	return -1;
}

static int say(struct wq_options *o, const char *why)
{
	if (!o->why.t.len)
		wsi_put(wq_why(&o->why), why);
	return -1;
}

static void *zeroed(size_t len)
{
	void *p = wq_alloc(NULL, NULL, 0, len);

	return p ? memset(p, 0, len) : NULL;
}

/* All lists have room for as many elements as there are arguments */
static void *room(struct wq_options *o, void *list, size_t size)
{
	if (!list)
		list = zeroed(o->room * size);
	if (!list)
		o->no_memory = 1;
	return list;
}

static int add_element(struct wq_options *o, const struct option *row, const char *value)
{
	const char **list;
	size_t i;

	memcpy(&list, (char *)o + row->at, sizeof list);
	list = room(o, list, sizeof *list);
	if (!list)
		return -1;
	set(o, row, &list, sizeof list);
	for (i = 0; list[i]; i++)
		;
	list[i] = value;
	return 0;
}

static struct wq_input *add_input(struct wq_options *o, const char *option, const char *path)
{
	struct wq_input *in;

	o->inputs = room(o, o->inputs, sizeof *o->inputs);
	if (!o->inputs)
		return NULL;
	in = &o->inputs[o->n_inputs++];
	in->option = option;
	in->path = path;
	in->fd = -1;
	return in;
}

/* 0, or -1: it is no pattern, or there is no memory */
static int make_pattern(struct wq_options *o, struct wq_pattern *pattern, const char *option,
                        const char *value)
{
	size_t where = 0, len = strlen(value), size;
	const char *why = "";
	struct wsi_text *t;
	void *mem;

	size = wsi_match_size(value, len, &why, &where);
	if (size == 0 && o->why.t.len) /* the first wrong option is told */
		return -1;
	if (size == 0) {
		wrong(o, option, value, "is no pattern: ");
		t = wq_why(&o->why);
		wsi_put(t, why);
		wsi_put(t, " (at byte ");
		wsi_put_u(t, where + 1);
		wsi_put(t, ")");
		return -1;
	}
	mem = wq_alloc(NULL, NULL, 0, size);
	if (!mem) {
		o->no_memory = 1;
		return -1;
	}
	pattern->option = option;
	pattern->p = value;
	pattern->len = len;
	pattern->match = wsi_match_init(mem, size, value, len);
	return 0;
}

static int add_fail_on(struct wq_options *o, const char *value)
{
	o->fail_on = room(o, o->fail_on, sizeof *o->fail_on);
	if (!o->fail_on || make_pattern(o, &o->fail_on[o->n_fail_on], "fail-on", value) < 0)
		return -1;
	o->n_fail_on++;
	return 0;
}

static struct wq_step *add_step(struct wq_options *o)
{
	o->steps = room(o, o->steps, sizeof *o->steps);
	return o->steps ? &o->steps[o->n_steps++] : NULL;
}

static int add_expect(struct wq_options *o, const char *value)
{
	struct wq_step *s = add_step(o);

	if (!s)
		return -1;
	s->kind = WQ_STEP_EXPECT;
	return make_pattern(o, &s->pattern, "expect", value);
}

static int add_send(struct wq_options *o, const char *value, const char *option)
{
	struct wq_step *s = add_step(o);
	struct wq_input *in;

	if (!s)
		return -1;
	s->kind = WQ_STEP_SEND;
	s->option = option;
	s->p = value;
	s->len = strlen(value);
	if (value[0] != '@' || strcmp(option, "data") != 0)
		return 0;
	in = add_input(o, option, value + 1);
	s->p = NULL; /* for now */
	if (in)
		in->step = s;
	return 0;
}

static int set_format(struct wq_options *o, const char *value)
{
	int i = wsi_among(value, strlen(value),
	                  "json\0raw\0nagios\0prometheus\0"); /* of enum wq_format */

	if (i < 0)
		return wrong(o, "format", value, "is no format (json, raw, nagios, prometheus)");
#ifdef WSQUERY_NO_FORMATS
	if (i > WQ_RAW)
		return wrong(o, "format", value, "was not built in");
#endif
	o->format = (enum wq_format)i;
	return 0;
}

static int apply(struct wq_options *o, const struct option *row, const char *value)
{
	size_t size;
	int i = 1, secret = row->kind == K_SECRET || row->kind == K_HEADER;

	if (row->feature && !((ws_features() | FORMATS) & row->feature))
		return wrong(o, row->name, NULL,
		             row->feature == WS_HAS_TLS
		                 ? "TLS was not built in (build with mbedTLS)"
		                 : "not built in");
	switch ((enum option_kind)row->kind) {
	case K_FAMILY:
		i = row->letter - '0';
		/* fallthrough */
	case K_FLAG:
		set(o, row, &i, sizeof i);
		return 0;
	case K_STRING:
	case K_SECRET:
		set(o, row, &value, sizeof value);
		return 0;
	case K_LIST:
	case K_HEADER:
		return add_element(o, row, value);
	case K_NUMBER:
		if (wq_parse_number(value, &i) < 0)
			break;
		set(o, row, &i, sizeof i);
		return 0;
	case K_DURATION:
	case K_SECONDS:
		if (wq_parse_duration(value, &i) < 0)
			return wrong(o, row->name, value, "is not a duration (try 500ms, 2s, 1m)");
		if (row->kind == K_SECONDS)
			i = i / 1000 + (i % 1000 > 0);
		set(o, row, &i, sizeof i);
		return 0;
	case K_SIZE:
		if (wq_parse_size(value, &size) < 0)
			return wrong(o, row->name, value,
			             "is not a number of bytes (try 65536, 64k, 1M)");
		set(o, row, &size, sizeof size);
		return 0;
	case K_TLS:
		if (strcmp(value, "1.2") != 0 && strcmp(value, "1.3") != 0)
			return wrong(o, row->name, value, "is neither 1.2 nor 1.3");
		i = 10 + value[2] - '0';
		set(o, row, &i, sizeof i);
		return 0;
	case K_FORMAT:
		return set_format(o, value);
	case K_DATA:
	case K_DATA_RAW:
		return add_send(o, value, row->name);
	case K_EXPECT:
		return add_expect(o, value);
	case K_FAIL_ON:
		return add_fail_on(o, value);
	case K_HELP:
		if (!o->help)
			o->help = row->letter;
		return 0;
	}
	return wrong(o, row->name, secret ? NULL : value,
	             "is not a whole number from 0 to 2147483647");
}

static int takes_value(const struct option *row)
{
	return row->kind != K_FLAG && row->kind != K_FAMILY && row->kind != K_HELP;
}

static void unknown(struct wq_options *o, const char *arg, size_t len)
{
	struct wsi_text *t;

	if (o->why.t.len)
		return;
	t = wq_why(&o->why);
	wsi_put(t, "unknown option \"");
	wsi_put_safe(t, arg, len);
	wsi_put(t, "\"");
}

/* attached: the value that stands in the same argument; next: the argument behind it. 1: that was used up */
static int use(struct wq_options *o, const struct option *row, const char *attached,
               const char *next)
{
	const char *value = attached ? attached : next;

	if (takes_value(row) ? !value : !!attached)
		wrong(o, row->name, NULL, attached ? "takes no value" : "needs a value");
	else
		apply(o, row, value);
	return takes_value(row) && !attached;
}

/* --name, --name VALUE, --name=VALUE; how many arguments it took from argv on */
static int parse_long(struct wq_options *o, char **argv)
{
	const char *name = argv[0] + 2, *value = strchr(name, '=');
	size_t len = value ? (size_t)(value - name) : strlen(name), i;

	for (i = 0; i < OPTIONS; i++)
		if (strncmp(option_table[i].name, name, len) == 0 && !option_table[i].name[len])
			return 1 + use(o, &option_table[i], value ? value + 1 : NULL, argv[1]);
	unknown(o, argv[0], len + 2);
	return 1;
}

/* -a, -abc, -dVALUE, -d VALUE */
static int parse_short(struct wq_options *o, char **argv)
{
	char name[2] = "-";
	const char *s;
	size_t i;

	for (s = argv[0] + 1; *s; s++) {
		for (i = 0; i < OPTIONS && option_table[i].letter != *s; i++)
			;
		if (i == OPTIONS) {
			name[1] = *s;
			unknown(o, name, sizeof name);
			break;
		}
		if (takes_value(&option_table[i]))
			return 1 + use(o, &option_table[i], s[1] ? s + 1 : NULL, argv[1]);
		use(o, &option_table[i], NULL, NULL);
	}
	return 1;
}

/* curl reads -b FILE: a file's name in place of "@FILE" is not sent as if it were the value. needs: what each value has
 * in it. A file of that name tells what was meant. */
static void check_no_file(struct wq_options *o, const char *option, const char *value, char needs,
                          const char *why)
{
	struct stat st;

	if (value && *value != '@' && !strchr(value, needs) && stat(value, &st) == 0
	    && !S_ISDIR(st.st_mode))
		wrong(o, option, value, why);
}

static void check_no_files(struct wq_options *o)
{
	const char **h;

	check_no_file(o, "cookie", o->lib.cookie, '=',
	              "is a file and no cookie NAME=VALUE: to read a file write @ before its name");
	check_no_file(o, "user", o->lib.user, ':',
	              "is a file and no USER:PASSWORD: to read a file write @ before its name");
	for (h = o->headers; h && *h; h++)
		check_no_file(
		    o, "header", *h, ':',
		    "is a file and no header NAME: VALUE: to read a file write @ before its name");
}

/* What else can be "@FILE" */
static void find_inputs(struct wq_options *o)
{
	const char **h;
	size_t i, stdins = 0;

	for (h = o->headers; h && *h; h++)
		if (**h == '@')
			add_input(o, "header", *h + 1);
	for (i = 0; i < OPTIONS; i++) {
		const char *value;
		struct wq_input *in;

		if (option_table[i].kind != K_SECRET)
			continue;
		memcpy(&value, (char *)o + option_table[i].at, sizeof value);
		if (!value || *value != '@')
			continue;
		in = add_input(o, option_table[i].name, value + 1);
		if (!in)
			return;
		in->at = option_table[i].at;
	}
	for (i = 0; i < o->n_inputs; i++)
		if (strcmp(o->inputs[i].path, "-") == 0 && stdins++)
			wrong(o, o->inputs[i].option, "@-",
			      "again: standard input can be read only once");
}

static void check_steps(struct wq_options *o)
{
	size_t i;
	int expects = 0, last = 0;

	for (i = 0; i < o->n_steps; i++) {
		const struct wq_step *s = &o->steps[i];
		uint32_t state = 0;
		size_t good;

		last = s->kind == WQ_STEP_EXPECT;
		expects |= last;
		if (last || !s->p || o->binary)
			continue;
		good = wsi_utf8_check(&state, s->p, s->len);
		if (good < s->len || state)
			wrong(o, s->option, s->p,
			      "is not UTF-8 text (use --binary for other bytes)");
	}
	if (o->check && (expects || o->count >= 0))
		say(o, "--check does not go with --expect or --count");
	if (o->count >= 0 && last)
		say(o, "-n, --count does not go with a last step --expect");
	if (o->check || (o->count < 0 && (last || (o->ping && o->n_steps == 0))))
		o->count = 0;
	else if (o->count < 0)
		o->count = 1;
}

/* What is none may be the rest of a secret without its quotes: -H Authorization: Bearer TOKEN */
static void second_url(struct wq_options *o, const char *arg)
{
	if (!strstr(arg, "//")) {
		say(o, "more than one URL, and the second is none (a value with blanks in it needs "
		       "quotes)");
	} else if (!o->why.t.len) {
		wsi_put(wq_why(&o->why), "more than one URL: ");
		wsi_put_url(wq_why(&o->why), arg, strlen(arg));
	}
}

int wq_options_parse(struct wq_options *o, int argc, char **argv)
{
	int i = 1, operands = 0;

	memset(o, 0, sizeof *o);
	o->room = argc > 0 ? (size_t)argc + 1 : 1;
	o->count = o->wait_ms = o->retry = o->cert_expiry_days = o->warning_ms = o->critical_ms =
	    -1;
	o->timeout_ms = 10000;
	o->close_timeout_ms = o->retry_delay_ms = 1000;
	o->lib.max_message = 1 << 20;
	o->lib.max_redirects = ws_features() & WS_HAS_REDIRECTS ? 3 : 0;
	o->lib.nonblock = 1;
	while (i < argc) {
		const char *arg = argv[i];

		if (operands || arg[0] != '-' || !arg[1]) {
			if (o->url)
				second_url(o, arg);
			o->url = arg;
			i++;
		} else if (arg[1] == '-' && !arg[2]) {
			operands = 1;
			i++;
		} else {
			i += arg[1] == '-' ? parse_long(o, argv + i) : parse_short(o, argv + i);
		}
	}
	if (o->help)
		return 0;
	if (!o->url)
		say(o, "no URL given");
	if (o->lib.user && o->lib.bearer)
		say(o, "--user and --bearer exclude each other");
	if (o->lib.unix_socket
	    && strlen(o->lib.unix_socket) >= sizeof((struct sockaddr_un *)0)->sun_path)
		wrong(o, "unix-socket", o->lib.unix_socket,
		      "is longer than the address of a socket can be");
	if (o->lib.unix_socket && o->lib.proxy && *o->lib.proxy)
		say(o, "--unix-socket and --proxy exclude each other");
	if (o->lib.tls.min_version && o->lib.tls.max_version
	    && o->lib.tls.min_version > o->lib.tls.max_version)
		say(o, "--tls-min is above --tls-max");
	check_steps(o);
	check_no_files(o);
	find_inputs(o);
	o->lib.subprotocols = o->subprotocols;
	o->lib.resolve = o->resolve;
	return o->why.t.len ? WQ_USAGE : 0;
}

const char *wq_option_of(const char *field)
{
	size_t i;

	for (i = 0; i < OPTIONS; i++) {
		const char *name = option_table[i].name;

		if (strcmp(name + strlen(name) + 1, field) == 0)
			return name;
	}
	return NULL;
}

/* The value that a file held: all of it but the end of its line */
static void take_value(struct wq_options *o, struct wq_input *in)
{
	const char *p = in->p;

	if (in->len && in->p[in->len - 1] == '\n')
		in->len--;
	if (in->len && in->p[in->len - 1] == '\r')
		in->len--;
	in->p[in->len] = '\0';
	memcpy((char *)o + in->at, &p, sizeof p);
}

/* 1: p is a cookie jar as curl and browsers write it: lines of seven fields with tabs between, behind comments */
static int is_cookie_jar(const char *p)
{
	size_t i, len, tabs;

	if (strncmp(p, "# Netscape HTTP Cookie", 22) == 0 || strncmp(p, "# HTTP Cookie", 13) == 0)
		return 1;
	for (; *p; p += len + (p[len] != '\0')) {
		len = strcspn(p, "\n");
		for (i = tabs = 0; i < len; i++)
			tabs += p[i] == '\t';
		if (tabs >= 6)
			return 1;
	}
	return 0;
}

/* The lines of p into list: how many. *bad: the number of the first that is no header. Each may be NULL */
static size_t take_lines(char *p, const char **list, size_t *bad)
{
	size_t n = 0, len, line = 1;

	while (*p) {
		len = strcspn(p, "\r\n");
		if (len && list)
			list[n] = p;
		if (len && bad && !*bad && !memchr(p, ':', len))
			*bad = line;
		n += len > 0;
		line += p[len] == '\n';
		p += len;
		if (!*p)
			break;
		if (list)
			*p = '\0';
		p++;
	}
	return n;
}

int wq_options_use_inputs(struct wq_options *o)
{
	const char **list;
	size_t i, k, n = 0, files = 0;

	for (i = 0; i < o->n_inputs; i++) {
		struct wq_input *in = &o->inputs[i];

		if (in->step)
			continue;
		if (strlen(in->p) != in->len) {
			wsi_put(wq_input_wrong(in, &o->why), "it holds a NUL byte");
			return WS_EUSAGE;
		}
		if (in->at && strcmp(in->option, "cookie") == 0 && is_cookie_jar(in->p)) {
			wsi_put(wq_input_wrong(in, &o->why),
			        "it is a cookie jar, which is not read: the file must hold the "
			        "value of the Cookie header, "
			        "NAME=VALUE; NAME=VALUE");
			return WS_EUSAGE;
		}
		if (in->at) {
			take_value(o, in);
		} else {
			size_t bad = 0;

			files++;
			n += take_lines(in->p, NULL, &bad);
			if (bad) { /* the library would show it, and it may be a secret */
				struct wsi_text *t = wq_input_wrong(in, &o->why);

				wsi_put(t, "line ");
				wsi_put_u(t, bad);
				wsi_put(t, " is not of the form \"Name: value\"");
				return WS_EUSAGE;
			}
		}
	}
	o->lib.headers = o->headers;
	if (!files)
		return 0;
	for (i = 0; o->headers[i]; i++)
		n++;
	list = zeroed((n + 1) * sizeof *list);
	if (!list)
		return WS_EMEMORY;
	for (i = k = n = 0; o->headers[i]; i++) {
		if (o->headers[i][0] != '@') {
			list[n++] = o->headers[i];
			continue;
		}
		while (o->inputs[k].step || o->inputs[k].at)
			k++;
		n += take_lines(o->inputs[k++].p, list + n, NULL);
	}
	o->lib.headers = list;
	return 0;
}
