/* SPDX-License-Identifier: ISC
 * fuzz_options.c - any command line: it is valid, or an error says what is wrong without showing a
 * secret; then the files that options name, with any content
 *
 * An input: a byte with the length of the files' content, one with the allocation that fails, then
 * the arguments, each ended by NUL. An argument that begins with a byte from 0x80 on means an
 * option of the table, and the next byte says in which form; the rest is its value. The content of
 * the files is at the end. Secrets begin with SECRET, which no sentence may show. No file is
 * opened.
 */
#include "test/fuzz/blocks.h"
#include "cli/optable.h"
#include "cli/wsquery.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

#define ARGUMENTS 64
#define SECRET "qZ7x"

struct command_line {
	char *argv[2 * ARGUMENTS + 2];
	int argc;
	struct wq_options o;
};

static bool holds_secret(const void *p, size_t len)
{
	const char *s = p;
	size_t i;

	for (i = 0; i + 4 <= len; i++)
		if (memcmp(s + i, SECRET, 4) == 0)
			return true;
	return false;
}

/* An error for the user: a sentence of valid UTF-8, on one line, without a secret */
static void check_sentence(const struct wq_options *o)
{
	const char *p = o->why.t.p;
	size_t i, len = o->why.t.len;
	uint32_t state = 0;

	MUST(p && len > 0 && p[len] == '\0' && strlen(p) == len);
	MUST(wsi_utf8_check(&state, p, len) == len && state == 0);
	for (i = 0; i < len; i++)
		MUST((unsigned char)p[i] >= 0x20 && p[i] != 0x7f);
	MUST(!holds_secret(p, len));
}

/* Arguments */

static char *join(const char *a, const char *b, const unsigned char *value, size_t len)
{
	size_t a_len = strlen(a), b_len = strlen(b);
	char *p = malloc(a_len + b_len + len + 1);

	MUST(p);
	memcpy(p, a, a_len);
	memcpy(p + a_len, b, b_len);
	if (len > 0)
		memcpy(p + a_len + b_len, value, len);
	p[a_len + b_len + len] = '\0';
	return p;
}

static bool is_secret(const struct wq_option *option)
{
	return option->kind == WQ_KIND_SECRET || option->kind == WQ_KIND_HEADER;
}

/* An option of the table: --name=VALUE, --name VALUE, -nVALUE or -n VALUE. A value that names a
 * file begins with '@' and is no secret. */
static void add_option(struct command_line *c, unsigned which, unsigned form,
                       const unsigned char *value, size_t len)
{
	const struct wq_option *option = &wq_option_table[which % wq_n_options];
	char letter[3] = {'-', option->letter, '\0'};
	char *name = join("--", option->name, NULL, 0);
	const char *first = option->letter && form & 2 ? letter : name;
	const char *secret = is_secret(option) && !(len > 0 && value[0] == '@') ? SECRET : "";
	char *joined = join(secret, "", value, len);

	if (!wq_takes_value(option) && !(form & 4)) {
		c->argv[c->argc++] = join(first, "", NULL, 0);
	} else if (form & 1) {
		c->argv[c->argc++] = join(first, "", NULL, 0);
		c->argv[c->argc++] = join(joined, "", NULL, 0);
	} else {
		c->argv[c->argc++] = join(first, first == name ? "=" : "",
		                          (const unsigned char *)joined, strlen(joined));
	}
	free(joined);
	free(name);
}

static void make_arguments(struct command_line *c, const unsigned char *p, size_t len)
{
	const unsigned char *end = p + len, *nul;
	size_t n;

	c->argc = 0;
	c->argv[c->argc++] = join("wsquery", "", NULL, 0);
	while (p < end && c->argc < 2 * ARGUMENTS) {
		nul = memchr(p, '\0', (size_t)(end - p));
		n = (size_t)((nul ? nul : end) - p);
		if (n >= 2 && p[0] >= 0x80)
			add_option(c, p[0] & 0x7fu, p[1], p + 2, n - 2);
		else
			c->argv[c->argc++] = join("", "", p, n);
		p += n + (nul != NULL);
	}
	c->argv[c->argc] = NULL;
}

/* Results */

static void check_duration(int ms, int least)
{
	MUST(ms >= least);
}

static void check_numbers(const struct wq_options *o)
{
	const struct ws_tls *tls = &o->lib.tls;

	check_duration(o->timeout_ms, 0);
	check_duration(o->connect_timeout_ms, 0);
	check_duration(o->close_timeout_ms, 0);
	check_duration(o->retry_delay_ms, 0);
	check_duration(o->wait_ms, -1);
	check_duration(o->idle_timeout_ms, -1);
	check_duration(o->ping_interval_ms, o->follow ? 0 : -1);
	check_duration(o->max_time_ms, -1);
	MUST(o->retry >= -1 && o->count >= -1 && (o->follow || o->count >= 0));
	MUST(o->jobs >= 1 && o->jobs <= WQ_MAX_JOBS);
	MUST(o->lib.max_message >= 1 && o->lib.max_message <= PTRDIFF_MAX / 2);
	MUST(o->lib.max_redirects >= 0 && o->lib.keepalive_s >= 0);
	MUST(o->lib.family == 0 || o->lib.family == 4 || o->lib.family == 6);
	MUST(tls->min_version == 0 || tls->min_version == 12 || tls->min_version == 13);
	MUST(tls->max_version == 0 || tls->max_version >= tls->min_version);
	MUST(o->warning.from_ms <= o->warning.to_ms && o->warning.from_ms >= 0);
	MUST(o->critical.from_ms <= o->critical.to_ms && o->critical.from_ms >= 0);
	MUST(o->cert_warning_days < 0 || o->cert_warning_days >= o->cert_expiry_days);
}

static void check_step(const struct wq_options *o, const struct wq_step *step)
{
	uint32_t state = 0;

	if (step->kind == WQ_STEP_EXPECT) {
		MUST(step->pattern.match && step->pattern.p);
		MUST(!step->capture || (step->keep && step->groups > 0));
		return;
	}
	MUST(step->option && (step->p || step->len == 0));
	if (step->p && !o->binary) /* text is UTF-8 */
		MUST(wsi_utf8_check(&state, step->p, step->len) == step->len && state == 0);
}

/* Lists have an end, and options that exclude each other are not both set */
static void check_lists(const struct command_line *c)
{
	const struct wq_options *o = &c->o;
	size_t i, n = 0;

	MUST(o->room == (size_t)c->argc + 1);
	MUST(o->n_urls > 0 || o->from);
	MUST(o->several == (o->n_urls > 1 || o->from != NULL));
	for (i = 0; i < o->n_urls; i++)
		MUST(o->urls[i]);
	MUST(o->n_urls == 0 || !o->urls[o->n_urls]);
	for (i = 0; i < o->n_steps; i++)
		check_step(o, &o->steps[i]);
	for (i = 0; i < o->n_fail_on; i++)
		MUST(o->fail_on[i].match && strcmp(o->fail_on[i].option, "fail-on") == 0);
	for (i = 0; i < o->n_inputs; i++)
		n += strcmp(o->inputs[i].path, "-") == 0;
	MUST(n + o->lines <= 1); /* standard input is read once */
	MUST(o->n_urls + o->n_steps + o->n_fail_on + o->n_inputs <= 3 * o->room);
	MUST(!(o->lib.user && o->lib.bearer));
	MUST(!(o->lib.unix_socket && o->lib.proxy && *o->lib.proxy));
	MUST(!o->check || o->count == 0);
	if (o->follow)
		MUST(!o->several && !o->check && !o->quiet && o->count != 0 && !o->output);
	else
		MUST(!o->until && !o->lines && o->idle_timeout_ms < 0);
	if (!o->follow && o->n_steps > 0 && o->steps[o->n_steps - 1].kind == WQ_STEP_EXPECT)
		MUST(o->count == 0);
}

/* A line of a file is one header */
static void check_headers(const struct wq_options *o)
{
	const char *const *h;
	size_t i;

	for (h = o->lib.headers; h && *h; h++)
		for (i = 0; i < o->n_inputs; i++)
			if (*h >= o->inputs[i].p && *h < o->inputs[i].p + o->inputs[i].cap)
				MUST(strchr(*h, ':') && !strpbrk(*h, "\r\n"));
}

/* Gives each file the same content, and checks what is done with it */
static void use_files(struct command_line *c, const unsigned char *content, size_t len)
{
	struct wq_options *o = &c->o;
	size_t i;
	int r;

	for (i = 0; i < o->n_inputs; i++) {
		struct wq_input *in = &o->inputs[i];

		in->len = len + 4;
		in->cap = len + 5;
		in->p = wq_alloc(NULL, NULL, 0, in->cap);
		if (!in->p)
			return;
		memcpy(in->p, SECRET, 4);
		if (len > 0)
			memcpy(in->p + 4, content, len);
		in->p[in->len] = '\0';
	}
	r = wq_options_use_inputs(o);
	if (r == WS_EUSAGE)
		check_sentence(o);
	MUST(r == 0 || r == WS_EUSAGE || (r == WS_EMEMORY && blocks_fail_at > 0));
	if (r == 0)
		check_headers(o);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct command_line c;
	size_t content;
	int i, r;

	if (size < 2 || size > 4096 || holds_secret(data, size))
		return 0;
	content = data[0] % (size - 1);
	blocks_begin(data[1] & 1 ? 1 + data[1] / 2u : 0);
	make_arguments(&c, data + 2, size - 2 - content);
	r = wq_options_parse(&c.o, c.argc, c.argv);
	MUST(r == 0 || r == WQ_USAGE);
	if (r == WQ_USAGE)
		check_sentence(&c.o);
	MUST(!c.o.no_memory || blocks_fail_at > 0);
	if (r == 0 && c.o.help == WQ_NO_HELP && !c.o.no_memory) {
		check_numbers(&c.o);
		check_lists(&c);
		use_files(&c, data + size - content, content);
	}
	MUST(c.o.help <= WQ_COMPLETE_FISH);
	for (i = 0; i < c.argc; i++)
		free(c.argv[i]);
	blocks_free_all();
	return 0;
}

#include "test/fuzz/replay.h"
