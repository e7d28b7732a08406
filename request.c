/* SPDX-License-Identifier: ISC
 * request.c - the request of the opening handshake (RFC 6455 4.1), and which options may go into it
 *
 * wsi_request_check runs first and looks at every option. So wsi_put_request can rely on them: no
 * string has a line break or another byte that would end its header, and every header of the user
 * has a name and a colon.
 */
#include <string.h>
#include "ws.h"
#include "ws_proto.h"

#define REQUEST_OPTIONS_MAX (512 * 1024) /* bytes of all options together */

/* Every header that begins like this belongs to the handshake. */
#define REQUEST_OWN_PREFIX "Sec-WebSocket-"

/* Basic */

/* Base64 of bytes that come one by one. */
struct request_base64 {
	struct wsi_text *out;
	unsigned char raw[3];
	size_t len; /* of raw */
};

static void request_base64_flush(struct request_base64 *b)
{
	char code[WSI_BASE64_LEN(sizeof b->raw)];

	wsi_put_n(b->out, code, wsi_base64_encode(code, b->raw, b->len));
	b->len = 0;
}

static void request_base64_add(struct request_base64 *b, int byte)
{
	b->raw[b->len++] = (unsigned char)byte;
	if (b->len == sizeof b->raw)
		request_base64_flush(b);
}

void wsi_put_basic_login(struct wsi_text *t, const char *login)
{
	struct request_base64 b = {t, {0}, 0};

	for (; *login; login++)
		request_base64_add(&b, *login);
	request_base64_flush(&b);
}

void wsi_put_basic_userinfo(struct wsi_text *t, struct wsi_str userinfo)
{
	const char *p = userinfo.p, *end = p + userinfo.len;
	struct request_base64 b = {t, {0}, 0};

	while (p < end)
		request_base64_add(&b, wsi_url_next(&p));
	/* RFC 7617 2: a name alone has an empty password */
	if (wsi_find(userinfo.p, userinfo.len, ':') == userinfo.len)
		request_base64_add(&b, ':');
	request_base64_flush(&b);
}

/* The request */

/* True if that header of the user may go to this hop. */
static int request_may_send(const struct wsi_request *r, const struct wsi_header *h)
{
	if (r->same_origin)
		return 1;
	return !wsi_is_secret_header(h->name.p, h->name.len) && !wsi_is(h->name, "Host");
}

/* True if the user has a header of that name, which replaces ours. One without a value removes
 * ours. */
static int request_is_replaced(const struct wsi_request *r, const char *name)
{
	const char *const *line;
	struct wsi_header h;

	for (line = r->opt->headers; line && *line; line++) {
		wsi_header_split(*line, &h);
		if (wsi_is(h.name, name) && request_may_send(r, &h))
			return 1;
	}
	return 0;
}

static void request_begin_header(const struct wsi_request *r, const char *name)
{
	wsi_put(r->out, "\r\n");
	wsi_put(r->out, name);
	wsi_put(r->out, ": ");
}

static void request_put_header(const struct wsi_request *r, const char *name, const char *value)
{
	request_begin_header(r, name);
	wsi_put(r->out, value);
}

/* A header of ours, unless it has no value or the user replaces it. */
static void request_put_default(const struct wsi_request *r, const char *name, const char *value)
{
	if (value && *value && !request_is_replaced(r, name))
		request_put_header(r, name, value);
}

static void request_put_user_header(const struct wsi_request *r, const struct wsi_header *h)
{
	if (h->value.len == 0 || !request_may_send(r, h))
		return;
	wsi_put(r->out, "\r\n");
	wsi_put_n(r->out, h->name.p, h->name.len);
	wsi_put(r->out, ": ");
	wsi_put_n(r->out, h->value.p, h->value.len);
}

/* Host comes first, even if the user sets it: RFC 7230 5.4. */
static void request_put_host(const struct wsi_request *r)
{
	const char *const *line;
	struct wsi_header h;

	for (line = r->opt->headers; line && *line; line++) {
		wsi_header_split(*line, &h);
		if (wsi_is(h.name, "Host"))
			request_put_user_header(r, &h);
	}
	if (request_is_replaced(r, "Host"))
		return;
	request_begin_header(r, "Host");
	if (r->same_origin && r->opt->host)
		wsi_put(r->out, r->opt->host);
	else
		wsi_put_hostport(r->out, r->url, 0);
}

static void request_put_subprotocols(const struct wsi_request *r)
{
	const char *const *list = r->opt->subprotocols;

	if (!list || !*list)
		return;
	request_put_header(r, "Sec-WebSocket-Protocol", *list);
	for (list++; *list; list++) {
		wsi_put(r->out, ", ");
		wsi_put(r->out, *list);
	}
}

static void request_put_authorization(const struct wsi_request *r)
{
	const struct ws_options *o = r->opt;

	if (request_is_replaced(r, "Authorization"))
		return;
	if (o->bearer) {
		request_put_header(r, "Authorization", "Bearer ");
		wsi_put(r->out, o->bearer);
	} else if (o->user) {
		request_put_header(r, "Authorization", "Basic ");
		wsi_put_basic_login(r->out, o->user);
	} else if (r->url->userinfo.len > 0) {
		request_put_header(r, "Authorization", "Basic ");
		wsi_put_basic_userinfo(r->out, r->url->userinfo);
	}
}

static void request_put_other_headers(const struct wsi_request *r)
{
	const char *const *line;
	struct wsi_header h;

	for (line = r->opt->headers; line && *line; line++) {
		wsi_header_split(*line, &h);
		if (!wsi_is(h.name, "Host"))
			request_put_user_header(r, &h);
	}
}

/* The URL's path and query. Characters beyond ASCII are percent-encoded (RFC 3987 3.1). */
static void request_put_target(struct wsi_text *t, struct wsi_str path)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t i;

	if (path.len == 0 || path.p[0] != '/')
		wsi_put(t, "/");
	for (i = 0; i < path.len; i++) {
		unsigned char c = (unsigned char)path.p[i];

		if (c < 0x80) {
			wsi_put_c(t, (char)c);
			continue;
		}
		wsi_put_c(t, '%');
		wsi_put_c(t, digits[c >> 4]);
		wsi_put_c(t, digits[c & 15]);
	}
}

void wsi_put_request(const struct wsi_request *r)
{
	const struct ws_options *o = r->opt;

	wsi_put(r->out, "GET ");
	request_put_target(r->out, r->url->path);
	wsi_put(r->out, " HTTP/1.1");
	request_put_host(r);
	request_put_header(r, "Upgrade", "websocket");
	request_put_default(r, "Connection", "Upgrade");
	request_put_header(r, "Sec-WebSocket-Key", r->key);
	request_put_default(r, "Origin", o->origin);
	request_put_subprotocols(r);
	request_put_header(r, "Sec-WebSocket-Version", "13");
	request_put_default(r, "User-Agent", o->user_agent ? o->user_agent : WSI_USER_AGENT);
	if (r->same_origin) {
		request_put_default(r, "Cookie", o->cookie);
		request_put_authorization(r);
	}
	request_put_other_headers(r);
	wsi_put(r->out, "\r\n\r\n");
}

/* The options */

/* The search for the first option that is wrong. */
struct request_check {
	const char *option; /* the field of ws_options that is looked at */
	const char *value;  /* a string of it */
	const char *why;    /* NULL: nothing is wrong so far */
	struct wsi_text *text;
	size_t total; /* bytes of all strings so far */
};

/* Takes the next string. False: it is not set, or something is wrong already. */
static int request_take(struct request_check *c, const char *option, const char *value)
{
	if (c->why || !value)
		return 0;
	c->option = option;
	c->value = value;
	c->total += strlen(value);
	if (c->total > REQUEST_OPTIONS_MAX)
		c->why = "makes the request too large: its options may have 512 KiB together";
	return !c->why;
}

/* The byte at that place must not be in the value. secret: it is not shown. */
static void request_wrong_byte(struct request_check *c, size_t at, bool secret)
{
	const char *p = c->value + at;
	const unsigned byte = (unsigned char)*p;
	uint32_t cp;
	int n = wsi_utf8_decode(&cp, p, strlen(p));

	if (byte == '\r' || byte == '\n') {
		wsi_put(c->text, "has a line break");
	} else if (byte < 0x20 || byte == 0x7f) {
		wsi_put(c->text, "has the control character 0x");
		wsi_put_hex(c->text, byte);
	} else if (secret) {
		wsi_put(c->text, "has a character that is not allowed");
	} else {
		wsi_put(c->text, "must not have the character ");
		wsi_put_quoted(c->text, p, n > 0 ? (size_t)n : 1, 16);
	}
	wsi_put(c->text, " (byte ");
	wsi_put_u(c->text, at + 1);
	wsi_put(c->text, ")");
	c->why = c->text->p;
}

/* True if the value consists of characters of that class. */
static int request_has_only(struct request_check *c, wsi_class *is, bool secret)
{
	size_t len = strlen(c->value), good = wsi_span_if(c->value, len, is);

	if (good == len)
		return 1;
	request_wrong_byte(c, good, secret);
	return 0;
}

static int request_is_empty(struct request_check *c)
{
	if (!*c->value)
		c->why = "is empty";
	return !*c->value;
}

/* What a user may not do to that header, or NULL. */
static const char *request_header_fault(const struct wsi_header *h)
{
	const size_t prefix_len = strlen(REQUEST_OWN_PREFIX);
	struct wsi_str prefix = h->name;

	if (prefix.len > prefix_len)
		prefix.len = prefix_len;
	if (wsi_is(h->name, "Host") && h->value.len == 0) /* RFC 7230 5.4 */
		return "must not be removed";
	if (wsi_is(h->name, "Connection") && !wsi_has_token(h->value, "Upgrade"))
		return "must keep the token Upgrade";
	if (wsi_is(h->name, "Sec-WebSocket-Protocol"))
		return "cannot be set here: the option subprotocols has what is offered";
	if (wsi_is(h->name, "Upgrade") || wsi_is(prefix, REQUEST_OWN_PREFIX))
		return "cannot be changed";
	return NULL;
}

static void request_check_header(struct request_check *c, const char *line)
{
	struct wsi_header h;

	if (!request_take(c, "headers", line) || !request_has_only(c, wsi_is_header_text, 0))
		return;
	if (wsi_header_split(line, &h))
		c->why = request_header_fault(&h);
	else
		c->why = "is not of the form \"Name: value\"";
}

/* others: the names after it in the list. */
static void request_check_subprotocol(struct request_check *c, const char *name,
                                      const char *const *others)
{
	struct wsi_str s = {name, strlen(name)};

	if (!request_take(c, "subprotocols", name) || request_is_empty(c))
		return;
	if (!request_has_only(c, wsi_is_tchar, false))
		wsi_put(c->text, ": a token has letters, digits and !#$%&'*+-.^_`|~");
	else if (wsi_find_string(others, s)) /* RFC 6455 4.1, 10: all unique */
		c->why = "is offered twice";
}

/* What the value of Host may hold, but for escapes: RFC 3986 3.2, without the user name. */
static bool request_is_host(int c)
{
	return wsi_is_letter_or_digit(c) || wsi_is_one_of(c, "-._~!$&'()*+,;=:[]");
}

static void request_check_host(struct request_check *c, const char *host)
{
	size_t good;

	if (!request_take(c, "host", host) || request_is_empty(c))
		return;
	good = wsi_url_span_if(host, strlen(host), request_is_host);
	if (good < strlen(host))
		request_wrong_byte(c, good, false);
}

static void request_check_text(struct request_check *c, const char *option, const char *value,
                               bool secret)
{
	if (request_take(c, option, value))
		request_has_only(c, wsi_is_header_text, secret);
}

static void request_check_user(struct request_check *c, const char *user)
{
	if (!request_take(c, "user", user) || !request_has_only(c, wsi_is_header_text, true))
		return;
	if (wsi_find(user, strlen(user), ':') == strlen(user))
		c->why = "has no ':' between name and password";
}

/* RFC 6750 2.1 */
static bool request_is_bearer_char(int c)
{
	return wsi_is_letter_or_digit(c) || wsi_is_one_of(c, "-._~+/=");
}

static void request_check_bearer(struct request_check *c, const struct ws_options *o)
{
	if (!request_take(c, "bearer", o->bearer) || request_is_empty(c))
		return;
	if (request_has_only(c, request_is_bearer_char, true) && o->user)
		c->why = "cannot be combined with user";
}

const char *wsi_request_check(const struct ws_options *o, const char **option, const char **value,
                              struct wsi_text *text)
{
	struct request_check c = {NULL, NULL, NULL, text, 0};
	const char *const *list;

	for (list = o->headers; list && *list; list++)
		request_check_header(&c, *list);
	for (list = o->subprotocols; list && *list; list++)
		request_check_subprotocol(&c, *list, list + 1);
	request_check_text(&c, "origin", o->origin, false);
	request_check_host(&c, o->host);
	request_check_text(&c, "user_agent", o->user_agent, false);
	request_check_text(&c, "cookie", o->cookie, true);
	request_check_user(&c, o->user);
	request_check_bearer(&c, o);
	if (!c.why)
		return NULL;
	*option = c.option;
	*value = c.value;
	return c.why;
}
