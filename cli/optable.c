/* SPDX-License-Identifier: ISC
 * optable.c - the table of options, and what is said and stored by it
 *
 * A new option needs a line here, a member of struct wq_options, and a line in help.c. If it has a
 * new kind of value, options.c needs a case for that kind.
 */
#include "cli/optable.h"
#include <string.h>

#define SHOWN 200 /* bytes of a wrong value */

/* Where a value is stored, and the field of struct ws_options: a member of our own; a member of
 * struct ws_options; a member of our own that is handed to a field of the same name. */
#define OURS(member) offsetof(struct wq_options, member), NULL
#define LIB(member) offsetof(struct wq_options, lib.member), #member
#define BOTH(member) offsetof(struct wq_options, member), #member
#define BY_KIND 0, NULL

const struct wq_option wq_option_table[] = {
    {"data", 'd', WQ_KIND_DATA, BY_KIND, WQ_PART_CORE},
    {"data-raw", 0, WQ_KIND_DATA_RAW, BY_KIND, WQ_PART_CORE},
    {"data-expand", 0, WQ_KIND_DATA_EXPAND, BY_KIND, WQ_PART_CORE},
    {"binary", 'B', WQ_KIND_FLAG, OURS(binary), WQ_PART_CORE},
    {"expect", 'e', WQ_KIND_EXPECT, BY_KIND, WQ_PART_CORE},
    {"fail-on", 0, WQ_KIND_FAIL_ON, BY_KIND, WQ_PART_CORE},
    {"count", 'n', WQ_KIND_NUMBER, OURS(count), WQ_PART_CORE},
    {"check", 0, WQ_KIND_FLAG, OURS(check), WQ_PART_CORE},
    {"ping", 'p', WQ_KIND_FLAG, OURS(ping), WQ_PART_CORE},
    {"every", 0, WQ_KIND_DURATION, OURS(every_ms), WQ_PART_CORE},

    {"from", 0, WQ_KIND_FILE, OURS(from), WQ_PART_CORE},
    {"jobs", 0, WQ_KIND_NUMBER, OURS(jobs), WQ_PART_CORE},

    {"follow", 'F', WQ_KIND_FLAG, OURS(follow), WQ_PART_CORE},
    {"lines", 'l', WQ_KIND_FLAG, OURS(lines), WQ_PART_CORE},
    {"until", 0, WQ_KIND_UNTIL, BY_KIND, WQ_PART_CORE},
    {"idle-timeout", 0, WQ_KIND_DURATION, OURS(idle_timeout_ms), WQ_PART_CORE},
    {"ping-interval", 0, WQ_KIND_DURATION, BOTH(ping_interval_ms), WQ_PART_CORE},

    {"timeout", 't', WQ_KIND_TIMEOUT, BOTH(timeout_ms), WQ_PART_CORE},
    {"max-time", 'm', WQ_KIND_MAX_TIME, OURS(max_time_ms), WQ_PART_CORE},
    {"connect-timeout", 0, WQ_KIND_DURATION, BOTH(connect_timeout_ms), WQ_PART_CORE},
    {"close-timeout", 0, WQ_KIND_DURATION, OURS(close_timeout_ms), WQ_PART_CORE},
    {"retry", 0, WQ_KIND_NUMBER, OURS(retry), WQ_PART_CORE},
    {"retry-delay", 0, WQ_KIND_DURATION, OURS(retry_delay_ms), WQ_PART_CORE},
    {"wait", 0, WQ_KIND_DURATION, OURS(wait_ms), WQ_PART_CORE},

    {"max-message", 0, WQ_KIND_SIZE, LIB(max_message), WQ_PART_CORE},
    {"header", 'H', WQ_KIND_HEADER, BOTH(headers), WQ_PART_CORE},
    {"cookie", 'b', WQ_KIND_SECRET, LIB(cookie), WQ_PART_CORE},
    {"origin", 0, WQ_KIND_STRING, LIB(origin), WQ_PART_CORE},
    {"user-agent", 'A', WQ_KIND_STRING, LIB(user_agent), WQ_PART_CORE},
    {"host", 0, WQ_KIND_STRING, LIB(host), WQ_PART_CORE},
    {"subprotocol", 's', WQ_KIND_LIST, BOTH(subprotocols), WQ_PART_CORE},
    {"user", 'u', WQ_KIND_SECRET, LIB(user), WQ_PART_CORE},
    {"bearer", 0, WQ_KIND_SECRET, LIB(bearer), WQ_PART_CORE},
    {"max-redirs", 0, WQ_KIND_NUMBER, LIB(max_redirects), WQ_PART_REDIRECTS},

    {"proxy", 'x', WQ_KIND_SECRET, LIB(proxy), WQ_PART_PROXY},
    {"noproxy", 0, WQ_KIND_STRING, LIB(no_proxy), WQ_PART_PROXY},
    {"ipv4", '4', WQ_KIND_IPV4, BY_KIND, WQ_PART_CORE},
    {"ipv6", '6', WQ_KIND_IPV6, BY_KIND, WQ_PART_CORE},
    {"unix-socket", 0, WQ_KIND_FILE, LIB(unix_socket), WQ_PART_CORE},
    {"resolve", 0, WQ_KIND_LIST, BOTH(resolve), WQ_PART_CORE},
    {"interface", 0, WQ_KIND_STRING, LIB(local_interface), WQ_PART_CORE},
    {"keepalive", 0, WQ_KIND_SECONDS, LIB(keepalive_s), WQ_PART_CORE},

    {"insecure", 'k', WQ_KIND_LIB_FLAG, LIB(tls.insecure_no_verify), WQ_PART_TLS},
    {"cacert", 0, WQ_KIND_FILE, LIB(tls.ca_file), WQ_PART_TLS},
    {"capath", 0, WQ_KIND_DIRECTORY, LIB(tls.ca_dir), WQ_PART_TLS},
    {"cert", 0, WQ_KIND_FILE, LIB(tls.cert_file), WQ_PART_TLS},
    {"key", 0, WQ_KIND_FILE, LIB(tls.key_file), WQ_PART_TLS},
    {"pass", 0, WQ_KIND_SECRET, LIB(tls.key_password), WQ_PART_TLS},
    {"server-name", 0, WQ_KIND_STRING, LIB(tls.server_name), WQ_PART_TLS},
    {"no-check-hostname", 0, WQ_KIND_LIB_FLAG, LIB(tls.insecure_no_hostname), WQ_PART_TLS},
    {"tls-min", 0, WQ_KIND_TLS_VERSION, LIB(tls.min_version), WQ_PART_TLS},
    {"tls-max", 0, WQ_KIND_TLS_VERSION, LIB(tls.max_version), WQ_PART_TLS},
    {"ciphers", 0, WQ_KIND_STRING, LIB(tls.ciphers), WQ_PART_TLS},
    {"pinnedpubkey", 0, WQ_KIND_STRING, LIB(tls.pin_sha256), WQ_PART_TLS},
    {"cert-expiry", 0, WQ_KIND_CERT_EXPIRY, BY_KIND, WQ_PART_TLS},

    {"no-utf8-check", 0, WQ_KIND_LIB_FLAG, LIB(no_utf8_check), WQ_PART_CORE},
    {"details", 'D', WQ_KIND_FLAG, OURS(details), WQ_PART_CORE},
    {"format", 'f', WQ_KIND_FORMAT, BY_KIND, WQ_PART_CORE},
    {"quiet", 'q', WQ_KIND_FLAG, OURS(quiet), WQ_PART_CORE},
    {"verbose", 'v', WQ_KIND_FLAG, OURS(verbose), WQ_PART_CORE},
    {"no-progress", 0, WQ_KIND_FLAG, OURS(no_progress), WQ_PART_CORE},
    {"output", 'o', WQ_KIND_FILE, OURS(output), WQ_PART_CORE},
    {"warning", 'w', WQ_KIND_RANGE, OURS(warning), WQ_PART_FORMATS},
    {"critical", 'c', WQ_KIND_RANGE, OURS(critical), WQ_PART_FORMATS},
    {"label", 0, WQ_KIND_LIST, OURS(labels), WQ_PART_FORMATS},
    {"help", 'h', WQ_KIND_HELP, BY_KIND, WQ_PART_CORE},
    {"version", 'V', WQ_KIND_VERSION, BY_KIND, WQ_PART_CORE},
    {"completion", 0, WQ_KIND_COMPLETION, BY_KIND, WQ_PART_CORE}, /* make uses it; no --help */
};
const size_t wq_n_options = sizeof wq_option_table / sizeof *wq_option_table;

/* Finding */

const struct wq_option *wq_find_long(const char *name, size_t len)
{
	const struct wq_option *option = wq_option_table;
	size_t i;

	for (i = 0; i < wq_n_options; i++, option++)
		if (strlen(option->name) == len && memcmp(option->name, name, len) == 0)
			return option;
	return NULL;
}

const struct wq_option *wq_find_short(char letter)
{
	size_t i;

	for (i = 0; i < wq_n_options; i++)
		if (wq_option_table[i].letter == letter)
			return &wq_option_table[i];
	return NULL;
}

const char *wq_option_of(const char *field)
{
	size_t i;

	for (i = 0; i < wq_n_options; i++) {
		const struct wq_option *option = &wq_option_table[i];

		if (option->field && strcmp(option->field, field) == 0)
			return option->name;
	}
	return NULL;
}

bool wq_takes_value(const struct wq_option *option)
{
	switch (option->kind) {
	case WQ_KIND_FLAG:
	case WQ_KIND_LIB_FLAG:
	case WQ_KIND_IPV4:
	case WQ_KIND_IPV6:
	case WQ_KIND_HELP:
	case WQ_KIND_VERSION:
		return false;
	default:
		return true;
	}
}

const char *const *wq_option_words(const struct wq_option *option)
{
	static const char *const formats[] = {[WQ_JSON] = "json",
	                                      [WQ_RAW] = "raw",
	                                      [WQ_NAGIOS] = "nagios",
	                                      [WQ_PROMETHEUS] = "prometheus",
	                                      NULL};
	static const char *const tls_versions[] = {"1.2", "1.3", NULL};
	static const char *const shells[] = {"bash", "zsh", "fish", NULL};

	switch (option->kind) {
	case WQ_KIND_FORMAT:
		return formats;
	case WQ_KIND_TLS_VERSION:
		return tls_versions;
	case WQ_KIND_COMPLETION:
		return shells;
	default:
		return NULL;
	}
}

int wq_find_word(const char *const *words, const char *value)
{
	struct wsi_str given = {value, strlen(value)};
	int i;

	for (i = 0; words[i]; i++)
		if (wsi_is(given, words[i]))
			return i;
	return -1;
}

void *wq_option_member(struct wq_options *o, const struct wq_option *option)
{
	return (char *)o + option->at;
}

/* Sentences */

void wq_put_option(struct wsi_text *t, const char *name)
{
	const struct wq_option *option = wq_find_long(name, strlen(name));

	if (!option) { /* the URL */
		wsi_put(t, name);
		return;
	}
	if (option->letter) {
		wsi_put_c(t, '-');
		wsi_put_c(t, option->letter);
		wsi_put(t, ", ");
	}
	wsi_put(t, "--");
	wsi_put(t, name);
}

bool wq_has_complained(const struct wq_options *o)
{
	return o->why.t.len > 0;
}

void wq_complain(struct wq_options *o, const char *why)
{
	if (!wq_has_complained(o))
		wsi_put(wq_why(&o->why), why);
}

static bool is_secret(const struct wq_option *option)
{
	return option->kind == WQ_KIND_SECRET || option->kind == WQ_KIND_HEADER;
}

/* Bytes of "-u" or "--user=" if value is such an option together with a secret, or 0. An option
 * whose own value was forgotten takes the next one for it: -t -uNAME:PASSWORD */
static size_t secret_option(const char *value)
{
	const struct wq_option *option = NULL;
	size_t n = 1;

	if (*value != '-')
		return 0;
	if (value[1] == '-') {
		n = 2 + strcspn(value + 2, "=");
		option = wq_find_long(value + 2, n - 2);
	} else {
		while (value[n] && (option = wq_find_short(value[n])) && !wq_takes_value(option))
			n++;
	}
	return option && is_secret(option) && value[n] ? n + 1 : 0;
}

static bool is_websocket_url(const char *value)
{
	return strncmp(value, "ws://", 5) == 0 || strncmp(value, "wss://", 6) == 0;
}

bool wq_is_misplaced(const struct wq_option *option, const char *value)
{
	switch (option->kind) {
	case WQ_KIND_FILE:
	case WQ_KIND_DIRECTORY:
	case WQ_KIND_STRING:
	case WQ_KIND_LIST:
		if (is_websocket_url(value) && strcmp(option->name, "origin") != 0)
			return true;
		return secret_option(value) > 0;
	case WQ_KIND_EXPECT:
	case WQ_KIND_FAIL_ON:
	case WQ_KIND_UNTIL: /* the pattern may be a URL that a message is to have */
		return secret_option(value) > 0;
	case WQ_KIND_HEADER:
		return secret_option(value) > 0 && !strchr(value, ':');
	default: /* wq_put_value() shows what is not a number; data may look like anything */
		return false;
	}
}

void wq_put_value(struct wsi_text *t, const char *value)
{
	size_t len = strlen(value), shown = secret_option(value);

	if (is_websocket_url(value)) {
		wsi_put_c(t, '"');
		wsi_put_url(t, value, len);
		wsi_put_c(t, '"');
		return;
	}
	if (shown == 0)
		shown = len < SHOWN ? len : SHOWN;
	wsi_put_c(t, '"');
	wsi_put_safe(t, value, shown);
	if (shown < len)
		wsi_put(t, "...");
	wsi_put_c(t, '"');
}

void wq_complain_of(struct wq_options *o, const char *option, const char *value, const char *why)
{
	struct wsi_text *t;

	if (wq_has_complained(o))
		return;
	t = wq_why(&o->why);
	wq_put_option(t, option);
	wsi_put(t, ": ");
	if (value) {
		wq_put_value(t, value);
		wsi_put_c(t, ' ');
	}
	wsi_put(t, why);
}

/* Lists */

void *wq_list_room(struct wq_options *o, void *list, size_t element_size)
{
	size_t size = o->room * element_size;

	if (list)
		return list;
	list = wq_alloc(NULL, NULL, 0, size);
	if (list)
		memset(list, 0, size);
	else
		o->no_memory = true;
	return list;
}

struct wq_input *wq_add_input(struct wq_options *o, const char *option, const char *path)
{
	struct wq_input *in;

	o->inputs = wq_list_room(o, o->inputs, sizeof *o->inputs);
	if (!o->inputs)
		return NULL;
	in = &o->inputs[o->n_inputs++];
	in->option = option;
	in->path = path;
	in->fd = -1;
	return in;
}
