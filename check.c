/* SPDX-License-Identifier: ISC
 * check.c - which option is wrong, and what of its value may be shown
 *
 * Every mistake that can be found without a connection is found in ws_new. ws_open returns it, with
 * the name of the field in ws_report()->option.
 */
#include "ws_conn.h"
#include <limits.h>
#include <string.h>

#define KEEPALIVE_MAX 32767 /* seconds, the most that Linux accepts */

/* Notes the first complaint. */
static void complain(struct wsi_complaint *c, const char *option, const char *why)
{
	if (c->why)
		return;
	c->option = option;
	c->value = NULL;
	c->why = why;
}

static void check_int(struct wsi_complaint *c, const char *option, int value, int least, int most,
                      const char *why)
{
	if (value < least || value > most)
		complain(c, option, why);
}

static void check_size(struct wsi_complaint *c, const char *option, size_t value, size_t least,
                       size_t most, const char *why)
{
	if (value < least || value > most)
		complain(c, option, why);
}

static void check_buffer(struct wsi_complaint *c, const char *option, size_t value)
{
	check_size(c, option, value, WSI_BUFFER_MIN, PTRDIFF_MAX / 4,
	           "is not between 256 bytes and a quarter of memory");
}

/* A program built with a newer ws.h may set options that this library does not know. */
static void check_unknown(struct wsi_complaint *c, const struct ws_options *o, bool known)
{
	static const char why[] = "has an option that this library does not know: the program was "
	                          "built with a newer ws.h than that of libwsquery " WS_VERSION;
	size_t i;

	if (!known)
		complain(c, "opt", why);
	for (i = 0; i < sizeof o->tls.reserved / sizeof o->tls.reserved[0]; i++)
		if (o->tls.reserved[i])
			complain(c, "tls", why);
}

void wsi_check_first(const struct ws_options *o, bool known, struct wsi_complaint *c)
{
	check_unknown(c, o, known);
	check_int(c, "timeout_ms", o->timeout_ms, -1, INT_MAX, "is negative");
	check_int(c, "connect_timeout_ms", o->connect_timeout_ms, 0, INT_MAX, "is negative");
	check_int(c, "ping_interval_ms", o->ping_interval_ms, 0, INT_MAX, "is negative");
	check_int(c, "max_redirects", o->max_redirects, 0, INT_MAX, "is negative");
	check_int(c, "keepalive_s", o->keepalive_s, 0, KEEPALIVE_MAX, "is not between 0 and 32767");
	check_buffer(c, "recv_buffer", o->recv_buffer);
	check_buffer(c, "send_buffer", o->send_buffer);
	check_size(c, "max_message", o->max_message, 0, PTRDIFF_MAX / 2,
	           "is more than half of memory");
#ifdef WS_NO_NET
	if (o->io && !o->now_us)
		complain(c, "now_us", "is needed: this build has no clock");
	if (o->use_fd)
		complain(c, "use_fd", "not built in: it needs sockets (use io)");
#endif
	if (o->family != 0 && o->family != 4 && o->family != 6)
		complain(c, "family", "is neither 4 nor 6");
	if (o->io && (!o->io->io_read || !o->io->io_write))
		complain(c, "io", "lacks a function");
	if (o->io && !o->nonblock && !o->io->io_wait)
		complain(c, "io", "lacks a function (io_wait is needed without nonblock)");
	if (o->require_subprotocol && (!o->subprotocols || !*o->subprotocols))
		complain(c, "require_subprotocol", "needs subprotocols, but none are set");
	if (o->unix_socket && !*o->unix_socket)
		complain(c, "unix_socket", "is empty");
#ifdef WS_NO_PROXY
	if ((o->proxy && *o->proxy) || (o->proxy_wss && *o->proxy_wss))
		complain(c, "proxy", "not built in");
#endif
#ifdef WS_NO_REDIRECTS
	if (o->max_redirects)
		complain(c, "max_redirects", "not built in");
#endif
}

#ifndef WS_NO_PROXY
/* Says in full what is wrong with a proxy's URL, in text. */
static void check_proxy(struct wsi_complaint *c, struct wsi_proxy *p, const char *option,
                        const char *url, struct wsi_text *text)
{
	const char *why = url && *url ? wsi_proxy_parse(p, url, strlen(url)) : NULL;

	if (!why || c->why)
		return;
	wsi_put_url_why(text, &p->url, url, strlen(url), why);
	complain(c, option, text->p);
	c->value = url;
}

static void check_no_proxy(struct wsi_complaint *c, const char *list)
{
	struct wsi_str bad;

	if (c->why || !list || wsi_no_proxy(list, NULL, &bad) >= 0)
		return;
	complain(c, "no_proxy", "is not a host, domain, address or CIDR block");
	c->value = bad.p;
}
#endif

/* True if a field of tls is set. */
static bool uses_tls(const struct ws_tls *t)
{
	return t->ca_file || t->ca_dir || t->cert_file || t->key_file || t->key_password
	       || t->server_name || t->ciphers || t->pin_sha256 || t->keylog_file || t->min_version
	       || t->max_version || t->insecure_no_verify || t->insecure_no_hostname || t->config
	       || t->trust;
}

/* True if a field is set that only the built-in TLS has a use for. */
static bool uses_builtin_tls(const struct ws_options *o)
{
	struct ws_tls tls = o->tls;

	if (o->start_tls)
		tls.server_name = NULL;
	return uses_tls(&tls);
}

/* Only one way to the server may be set. */
static void check_ways(struct wsi_complaint *c, const struct ws_options *o)
{
	const bool proxy = o->proxy && *o->proxy, proxy_wss = o->proxy_wss && *o->proxy_wss;
	const struct {
		const char *option;
		bool is_set;
		const char *excludes;
	} ways[] = {
	    {"io", o->io != NULL, "cannot be used together with io"},
	    {"use_fd", o->use_fd != 0, "cannot be used together with use_fd"},
	    {"unix_socket", o->unix_socket != NULL, "cannot be used together with unix_socket"},
	    {proxy ? "proxy" : "proxy_wss", proxy || proxy_wss, ""}};
	const char *excludes = NULL;
	size_t i;

	for (i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		if (!ways[i].is_set)
			continue;
		if (excludes)
			complain(c, ways[i].option, excludes);
		excludes = ways[i].excludes;
	}
	if (o->io_is_plain && !o->io)
		complain(c, "io_is_plain", "has no effect without io");
	if (o->io && !o->io_is_plain && uses_tls(&o->tls))
		complain(c, "tls",
		         "has no effect with io, which does the TLS itself: "
		         "io_is_plain adds this library's TLS");
}

static void check_start_tls(struct wsi_complaint *c, const struct ws_options *o)
{
	if (!o->start_tls)
		return;
#ifdef WS_NO_NET
	complain(c, "start_tls", "not built in: it needs sockets (use io)");
#endif
	if (o->io)
		complain(c, "start_tls", "has no descriptor with io, which does the TLS itself");
	if (o->tls.server_name
	    && (!*o->tls.server_name || strlen(o->tls.server_name) > WSI_SERVER_NAME_MAX))
		complain(c, "tls.server_name", "is empty, or longer than 255 bytes");
	if (uses_builtin_tls(o))
		complain(c, "tls", "only tls.server_name has an effect with start_tls");
}

#ifdef WS_WITH_MBEDTLS
int wsi_configure_tls(struct ws_conn *ws)
{
	const char *option = "";
	struct wsi_text *cause = wsi_cause(ws), *t;
	int r = wsi_tls_config_new(&ws->tls_config, &ws->mem, &ws->op->opt.tls, wsi_files_until(ws),
	                           &option, cause);

	if (r == 0)
		return 0;
	ws->info.option = option;
	ws->info.no_descriptor = r == WS_EIO;
	t = wsi_sentence(ws);
	wsi_put(t, *option ? option : "TLS settings");
	wsi_put(t, ": ");
	wsi_put(t, cause->p);
	return wsi_fail(ws, r);
}
#endif

/* What a sentence shows of a wrong option's value. */
enum shown {
	SHOWN_NOT, /* nothing: it is a secret */
	SHOWN_ALL,
	SHOWN_HOST,   /* what is after the last '@': before it may be a password */
	SHOWN_URL,    /* a URL, without what is secret in it */
	SHOWN_PROXY,  /* a proxy's URL, likewise */
	SHOWN_HEADER, /* the header's name alone */
	SHOWN_ENTRY   /* of a list, the entry that is wrong */
};

/* An option that is not here is a secret (cookie, user, bearer), and not shown. */
static const struct {
	const char *option;
	enum shown shown;
} shown_options[] = {
    {"headers", SHOWN_HEADER},      {"subprotocols", SHOWN_ALL}, {"origin", SHOWN_URL},
    {"host", SHOWN_HOST},           {"user_agent", SHOWN_ALL},   {"resolve", SHOWN_HOST},
    {"proxy", SHOWN_PROXY},         {"proxy_wss", SHOWN_PROXY},  {"no_proxy", SHOWN_ENTRY},
    {"local_interface", SHOWN_ALL},
};

static enum shown shown_of(const char *option)
{
	struct wsi_str name = {option, strlen(option)};
	size_t i;

	for (i = 0; i < sizeof shown_options / sizeof shown_options[0]; i++) {
		struct wsi_str known = {shown_options[i].option, strlen(shown_options[i].option)};

		if (wsi_same_str(name, known))
			return shown_options[i].shown;
	}
	return SHOWN_NOT;
}

/* The characters of an entry of no_proxy, up to a comma, a blank or a control character */
static bool is_entry_character(int c)
{
	return c != ',' && c > ' ';
}

/* Puts what may be shown of the value of an option that is wrong. */
static void put_value(struct wsi_text *t, const char *option, const char *value)
{
	size_t len = strlen(value), at;

	switch (shown_of(option)) {
	case SHOWN_NOT:
		return;
	case SHOWN_ALL:
		break;
	case SHOWN_HOST:
		at = len;
		while (at > 0 && value[at - 1] != '@')
			at--;
		value += at;
		len -= at;
		break;
	case SHOWN_URL:
		wsi_put_location(t, value, len);
		return;
	case SHOWN_PROXY:
		wsi_put_proxy_url(t, value, len);
		return;
	case SHOWN_HEADER: /* without a colon it is not known where the value begins */
		at = wsi_find(value, len, ':');
		if (at == len)
			at = wsi_span_if(value, len, wsi_is_tchar);
		len = at;
		break;
	case SHOWN_ENTRY:
		len = wsi_span_if(value, len, is_entry_character);
		wsi_put_url(t, value, len);
		return;
	}
	wsi_put_safe(t, value, len);
}

/* "proxy: "http://a b": a space in the host" */
static int tell(struct ws_conn *ws, const struct wsi_complaint *c)
{
	char buf[WSI_SHOWN_MAX];
	struct wsi_text shown, *t = wsi_sentence(ws);

	ws->info.option = c->option;
	wsi_text_init(&shown, buf, sizeof buf);
	if (c->value)
		put_value(&shown, c->option, c->value);
	wsi_put(t, c->option);
	wsi_put(t, ": ");
	if (shown.len > 0) {
		wsi_put(t, "\"");
		wsi_put(t, shown.p);
		wsi_put(t, "\": ");
	}
	wsi_put(t, c->why);
	return wsi_fail(ws, WS_EUSAGE);
}

int wsi_check_options(struct ws_conn *ws, struct wsi_complaint *c)
{
	struct wsi_opening *op = ws->op;
	const struct ws_options *o = &op->opt;
	char buf[WSI_SHOWN_MAX];
	struct wsi_text text;

	wsi_text_init(&text, buf, sizeof buf);
	if (!c->why)
		c->why = wsi_net_check(o, &c->option, &c->value);
	if (!c->why)
		c->why = wsi_request_check(o, &c->option, &c->value, &text);
#ifndef WS_NO_PROXY
	check_proxy(c, &op->proxy, "proxy", o->proxy, &text);
	check_proxy(c, &op->proxy, "proxy_wss", o->proxy_wss, &text);
	check_no_proxy(c, o->no_proxy);
#endif
	check_start_tls(c, o);
	check_ways(c, o);
#ifndef WS_WITH_MBEDTLS
	if (uses_builtin_tls(o))
		complain(c, "tls", "not built in");
#endif
	if (c->why)
		return tell(ws, c);
#ifdef WS_WITH_MBEDTLS
	if (!o->start_tls && uses_tls(&o->tls))
		return wsi_configure_tls(ws);
#endif
	return 0;
}
