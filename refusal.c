/* SPDX-License-Identifier: ISC
 * refusal.c - says why an upgrade, or a proxy's CONNECT, was refused, and what may help
 *
 * One status has many causes. So each hint considers the other headers, the beginning of the body
 * and what we sent. It says "perhaps" where these do not decide.
 */
#include <string.h>
#include "ws.h"
#include "ws_proto.h"

/* Limits of what is shown, in bytes. */
#define REFUSAL_REASON 200    /* the reason phrase */
#define REFUSAL_LINE 100      /* the body's first line */
#define REFUSAL_CHALLENGE 200 /* one header with challenges */
#define REFUSAL_CHALLENGES 4  /* the number of such headers */
#define REFUSAL_VALUE 80      /* the value of another header */
/* A word of a secret counts from this length on: any text contains shorter ones. */
#define REFUSAL_WORD 4

/* What was sent */

static struct wsi_str refusal_first_word(struct wsi_str s)
{
	s.len = wsi_span_if(s.p, s.len, wsi_is_tchar);
	return s;
}

/* The schemes that a sentence may show. Any other word of the header may be a secret without a
 * scheme. */
static int refusal_is_known_scheme(struct wsi_str scheme)
{
	return wsi_is(scheme, "Basic") || wsi_is(scheme, "Bearer") || wsi_is(scheme, "Digest")
	       || wsi_is(scheme, "Negotiate") || wsi_is(scheme, "NTLM");
}

static void refusal_note_login(struct wsi_sent *sent, struct wsi_str value)
{
	struct wsi_str scheme = refusal_first_word(value);

	sent->login = 1;
	memset(sent->scheme, 0, sizeof sent->scheme);
	if (refusal_is_known_scheme(scheme))
		memcpy(sent->scheme, scheme.p, scheme.len);
}

void wsi_note_sent(struct wsi_sent *sent, const char *request, size_t len)
{
	struct wsi_header h;
	const char *line = wsi_header_next(wsi_head_fields(request, len), &h);

	memset(sent, 0, sizeof *sent);
	for (; line; line = wsi_header_next(line, &h)) {
		if (wsi_is(h.name, "Authorization"))
			refusal_note_login(sent, h.value);
		if (wsi_is(h.name, "Origin"))
			sent->origin = 1;
		if (wsi_is(h.name, "Sec-WebSocket-Protocol"))
			sent->subprotocols = 1;
	}
}

/* Evidence */

/* True if s contains the words; case is ignored. */
static int refusal_has_words(struct wsi_str s, const char *words)
{
	struct wsi_str part = {s.p, strlen(words)};
	size_t i;

	for (i = 0; i + part.len <= s.len; i++) {
		part.p = s.p + i;
		if (wsi_is(part, words))
			return 1;
	}
	return 0;
}

static int refusal_has_any(struct wsi_str s, const char *const *words)
{
	for (; *words; words++)
		if (refusal_has_words(s, *words))
			return 1;
	return 0;
}

/* What Go, nginx, Apache and Tomcat answer to plain HTTP at a TLS port. */
static const char *const refusal_tls_port_words[] = {"to an https server", "sent to https port",
                                                     "to an ssl-enabled server port",
                                                     "port requires tls", NULL};
/* What nginx answers without a client certificate that it requires. */
static const char *const refusal_certificate_words[] = {"no required ssl certificate",
                                                        "ssl certificate error", NULL};

static bool refusal_is_space(int c)
{
	return wsi_is_one_of(c, " \t\r\n");
}

/* The first line of the body that is not empty. */
static struct wsi_str refusal_first_line(struct wsi_str body)
{
	size_t blank = wsi_span_if(body.p, body.len, refusal_is_space);

	body.p += blank;
	body.len -= blank;
	return wsi_trim(body.p, wsi_find_any(body.p, body.len, "\r\n"));
}

/* The characters of a secret's words. All others separate words. */
static bool refusal_is_word_char(int c)
{
	return wsi_is_letter_or_digit(c) || wsi_is_one_of(c, "-._~") || c >= 0x80;
}

static int refusal_contains(struct wsi_str text, const char *word, size_t len)
{
	size_t i;

	for (i = 0; i + len <= text.len; i++)
		if (memcmp(text.p + i, word, len) == 0)
			return 1;
	return 0;
}

/* True if the text has a word of the secret: a server may quote what it received. */
static int refusal_shows_words_of(struct wsi_str text, struct wsi_str secret)
{
	size_t at = 0;

	while (at < secret.len) {
		size_t len = wsi_span_if(secret.p + at, secret.len - at, refusal_is_word_char);

		if (len >= REFUSAL_WORD && refusal_contains(text, secret.p + at, len))
			return 1;
		at += len + 1; /* the word and the character after it */
	}
	return 0;
}

static int refusal_shows(struct wsi_str text, const char *secret)
{
	struct wsi_str s = {secret, 0};

	if (!secret)
		return 0;
	s.len = strlen(secret);
	return refusal_shows_words_of(text, s);
}

/* Basic sends a login in base64. The first characters of that are enough to find it in the text. */
#define REFUSAL_CODE_SIZE (3 * REFUSAL_WORD + 1)

static int refusal_shows_code(struct wsi_str text, const struct wsi_text *code)
{
	return code->len >= REFUSAL_WORD && refusal_shows(text, code->p);
}

static int refusal_shows_login(struct wsi_str text, const char *login)
{
	char buf[REFUSAL_CODE_SIZE];
	struct wsi_text code;

	if (!login)
		return 0;
	wsi_text_init(&code, buf, sizeof buf);
	wsi_put_basic_login(&code, login);
	return refusal_shows(text, login) || refusal_shows_code(text, &code);
}

static int refusal_shows_userinfo(struct wsi_str text, struct wsi_str userinfo)
{
	char buf[REFUSAL_CODE_SIZE];
	struct wsi_text code;

	wsi_text_init(&code, buf, sizeof buf);
	wsi_put_basic_userinfo(&code, userinfo);
	return refusal_shows_words_of(text, userinfo) || refusal_shows_code(text, &code);
}

static int refusal_shows_header(struct wsi_str text, const char *const *headers)
{
	struct wsi_header h;

	for (; headers && *headers; headers++)
		if (wsi_header_split(*headers, &h) && wsi_is_secret_header(h.name.p, h.name.len)
		    && refusal_shows_words_of(text, h.value))
			return 1;
	return 0;
}

static int refusal_shows_parameter(struct wsi_str text, struct wsi_str path)
{
	const char *p = path.p, *end = path.p + path.len;

	while (p < end) {
		struct wsi_str secret = wsi_find_secret(p, (size_t)(end - p));

		if (refusal_shows_words_of(text, secret))
			return 1;
		p = secret.p + secret.len;
	}
	return 0;
}

int wsi_shows_secret(struct wsi_str text, const struct ws_options *o, const struct wsi_url *u)
{
	return refusal_shows_login(text, o->user) || refusal_shows_userinfo(text, u->userinfo)
	       || refusal_shows(text, o->bearer) || refusal_shows(text, o->cookie)
	       || refusal_shows_header(text, o->headers) || refusal_shows_parameter(text, u->path);
}

/* Sentences */

static void refusal_put_value(struct wsi_text *t, struct wsi_str v)
{
	wsi_put_quoted(t, v.p, v.len, REFUSAL_VALUE);
}

static void refusal_put_cut(struct wsi_text *t, struct wsi_str s, size_t max)
{
	wsi_put_safe(t, s.p, s.len < max ? s.len : max);
}

static void refusal_put_reason(struct wsi_text *t, const struct wsi_response *r)
{
	if (r->reason.len == 0)
		return;
	wsi_put_c(t, ' ');
	refusal_put_cut(t, r->reason, REFUSAL_REASON);
}

/* "a proxy in between (Via: "1.1 cache")" */
static void refusal_put_proxy_between(struct wsi_text *t, const struct wsi_response *r)
{
	const struct wsi_seen *via = &r->seen[WSI_VIA];

	wsi_put(t, "a proxy in between");
	if (via->value.len == 0)
		return;
	wsi_put(t, " (Via: ");
	refusal_put_value(t, via->value);
	wsi_put(t, ")");
}

/* "; perhaps a proxy in between dropped the Upgrade header" */
static void refusal_put_dropped(struct wsi_text *t, const char *before,
                                const struct wsi_response *r)
{
	wsi_put(t, before);
	refusal_put_proxy_between(t, r);
	wsi_put(t, " dropped the Upgrade header");
}

/* Logins */

static void refusal_skip(struct wsi_str *s, size_t n)
{
	s->p += n;
	s->len -= n;
}

static bool refusal_is_comma_or_blank(int c)
{
	return c == ',' || wsi_is_blank(c);
}

/* The length of an item of a list, up to the comma after it. A comma in quotation marks does not
 * count. */
static size_t refusal_item_len(struct wsi_str list)
{
	bool quoted = false;
	size_t n;

	for (n = 0; n < list.len && (quoted || list.p[n] != ','); n++) {
		if (list.p[n] == '"')
			quoted = !quoted;
		else if (quoted && list.p[n] == '\\' && n + 1 < list.len)
			n++; /* RFC 7230 3.2.6: the next character is quoted */
	}
	return n;
}

/* The scheme with which an item begins, or nothing: a parameter has a '=' after its name. */
static struct wsi_str refusal_item_scheme(struct wsi_str item)
{
	struct wsi_str scheme = refusal_first_word(item);
	size_t after = scheme.len;

	after += wsi_span_if(item.p + after, item.len - after, wsi_is_blank);
	if (after < item.len && item.p[after] == '=')
		scheme.len = 0;
	return scheme;
}

/* Takes the next challenge from the value of a header (RFC 7235 4.1). Returns its scheme, which has
 * no length if there is none. */
static struct wsi_str refusal_next_scheme(struct wsi_str *list)
{
	struct wsi_str scheme = {"", 0};

	while (list->len > 0 && scheme.len == 0) {
		refusal_skip(list, wsi_span_if(list->p, list->len, refusal_is_comma_or_blank));
		scheme = refusal_item_scheme(*list);
		refusal_skip(list, refusal_item_len(*list));
	}
	return scheme;
}

/* What a server or proxy asks for when it wants a login. */
struct refusal_challenges {
	int headers; /* with a challenge */
	int count;   /* of challenges */
	bool basic, bearer;
	bool sent; /* the scheme that we sent is among them */
};

static void refusal_note_challenges(struct refusal_challenges *c, struct wsi_str list,
                                    const char *sent_scheme)
{
	struct wsi_str scheme = refusal_next_scheme(&list);

	for (; scheme.len > 0; scheme = refusal_next_scheme(&list)) {
		c->count++;
		if (wsi_is(scheme, "Basic"))
			c->basic = true;
		if (wsi_is(scheme, "Bearer"))
			c->bearer = true;
		if (wsi_is(scheme, sent_scheme))
			c->sent = true;
	}
}

/* Puts the challenges in the headers of that name: " (Negotiate, Basic realm="x")". */
static struct refusal_challenges refusal_put_challenges(struct wsi_text *t,
                                                        const struct wsi_response *r,
                                                        const char *name, const char *sent_scheme)
{
	struct refusal_challenges c = {0, 0, false, false, false};
	struct wsi_header h;
	const char *line = wsi_header_next(r->fields, &h);

	for (; line; line = wsi_header_next(line, &h)) {
		if (!wsi_is(h.name, name) || h.value.len == 0)
			continue;
		if (c.headers < REFUSAL_CHALLENGES) {
			wsi_put(t, c.headers > 0 ? ", " : " (");
			refusal_put_cut(t, h.value, REFUSAL_CHALLENGE);
		}
		c.headers++;
		refusal_note_challenges(&c, h.value, sent_scheme);
	}
	if (c.headers > REFUSAL_CHALLENGES)
		wsi_put(t, ", ...");
	if (c.headers > 0)
		wsi_put(t, ")");
	return c;
}

/* Says which of these logins this program supports. Returns the option that helps, or "". */
static const char *refusal_put_what_works(struct wsi_text *t, const struct refusal_challenges *c)
{
	if (!c->basic && !c->bearer) {
		wsi_put(t, "only Basic and Bearer are supported");
		return "";
	}
	if (c->count > 1)
		wsi_put(t, "of these ");
	if (!c->basic) {
		wsi_put(t, "Bearer works, with a token");
		return "bearer";
	}
	wsi_put(t, "Basic works, with user and password");
	if (c->bearer)
		wsi_put(t, ", and Bearer, with a token");
	return "user";
}

static void refusal_put_not_accepted(struct wsi_text *t, const char *scheme)
{
	struct wsi_str name = {scheme, strlen(scheme)};

	if (wsi_is(name, "Basic"))
		wsi_put(t, "; the user or password that was sent was refused");
	else if (wsi_is(name, "Bearer"))
		wsi_put(t, "; the token that was sent was refused");
	else
		wsi_put(t, "; the login that was sent was refused");
}

static const char *refusal_put_login(struct wsi_text *t, const struct wsi_response *r,
                                     const struct wsi_sent *sent)
{
	struct refusal_challenges c;

	wsi_put(t, ": it asks for a login");
	c = refusal_put_challenges(t, r, "WWW-Authenticate", sent->scheme);
	if (sent->login && (c.count == 0 || c.sent)) {
		refusal_put_not_accepted(t, sent->scheme);
		return "";
	}
	if (c.count == 0) {
		wsi_put(t, ", but names no kind of login");
		return "user";
	}
	if (sent->scheme[0] != '\0') {
		wsi_put(t, "; the login that was sent was ");
		wsi_put(t, sent->scheme);
	} else if (sent->login) {
		refusal_put_not_accepted(t, "");
	}
	wsi_put(t, "; ");
	return refusal_put_what_works(t, &c);
}

/* Hints for each status */

static const char *refusal_put_400(struct wsi_text *t, const struct wsi_refusal *f)
{
	if (refusal_has_words(f->body, "subprotocol")) {
		wsi_put(t, f->sent.subprotocols
		               ? ": perhaps it wants another subprotocol than was offered"
		               : ": perhaps it wants a subprotocol (none was offered)");
		return "subprotocols";
	}
	if (refusal_has_words(f->body, "upgrade"))
		refusal_put_dropped(t, ": the upgrade was asked for, so probably ", f->response);
	else
		refusal_put_dropped(t, ": perhaps ", f->response);
	return "";
}

static const char *refusal_put_403(struct wsi_text *t, const struct wsi_refusal *f)
{
	if (refusal_has_words(f->body, "origin")) {
		wsi_put(t, f->sent.origin
		               ? ": perhaps it does not allow the Origin header that was sent"
		               : ": perhaps it wants an Origin header (none was sent)");
		return "origin";
	}
	wsi_put(t, f->sent.login ? ": perhaps the login that was sent is not allowed"
	                         : ": perhaps it wants a login (none was sent)");
	wsi_put(t, f->sent.origin ? ", or the Origin header is not"
	                          : ", or an Origin header (none was sent)");
	wsi_put(t,
	        ", or this address is not allowed; some servers answer so for an unknown path too");
	return "";
}

static const char *refusal_put_426(struct wsi_text *t, const struct wsi_refusal *f)
{
	const struct wsi_seen *upgrade = &f->response->seen[WSI_UPGRADE];

	if (upgrade->value.len > 0 && !upgrade->listed) {
		wsi_put(t, ": it wants an upgrade to ");
		refusal_put_value(t, upgrade->value);
		wsi_put(t, ", not to websocket");
		return "";
	}
	refusal_put_dropped(t, ": we did send \"Upgrade: websocket\", so ", f->response);
	return "";
}

static void refusal_put_header(struct wsi_text *t, const char *name, struct wsi_str value)
{
	if (value.len == 0)
		return;
	wsi_put(t, ": ");
	wsi_put(t, name);
	wsi_put(t, ": ");
	refusal_put_cut(t, value, REFUSAL_VALUE);
}

static const char *refusal_put_by_status(struct wsi_text *t, const struct wsi_refusal *f)
{
	const struct wsi_response *r = f->response;

	switch (r->status) {
	case 400:
		return refusal_put_400(t, f);
	case 401:
		return refusal_put_login(t, r, &f->sent);
	case 403:
		return refusal_put_403(t, f);
	case 404:
		refusal_put_dropped(t, ": check the path of the URL; or perhaps ", r);
		return "";
	case 405:
		wsi_put(t, ": this path does not accept GET, with which each WebSocket begins: "
		           "check the path of the URL");
		return "";
	case 426:
		return refusal_put_426(t, f);
	case 429:
	case 503:
		refusal_put_header(t, "Retry-After", r->seen[WSI_RETRY_AFTER].value);
		return "";
	case 502:
	case 504:
		wsi_put(t, ": a gateway in front of the server got no response from it");
		return "";
	default:
		return "";
	}
}

/* RFC 6455 4.4: true if it lists the versions that it supports, and ours is not among them. */
static int refusal_is_of_another_version(const struct wsi_response *r)
{
	const struct wsi_seen *version = &r->seen[WSI_VERSION];

	return version->value.len > 0 && !version->listed && (r->status == 400 || r->status == 426);
}

static const char *refusal_put_hint(struct wsi_text *t, const struct wsi_refusal *f)
{
	const struct wsi_response *r = f->response;

	if (!f->url->secure && refusal_has_any(f->body, refusal_tls_port_words)) {
		wsi_put(t, ": this port speaks TLS: try wss://");
		return "";
	}
	if (f->url->secure && refusal_has_any(f->body, refusal_certificate_words)) {
		wsi_put(t, ": it wants a client certificate");
		return "tls.cert_file";
	}
	if (refusal_is_of_another_version(r)) {
		wsi_put(t, ": it speaks WebSocket version ");
		wsi_put_safe(t, r->seen[WSI_VERSION].value.p, r->seen[WSI_VERSION].value.len);
		wsi_put(t, ", not 13");
		return "";
	}
	if (r->status < 300) {
		refusal_put_dropped(t, ": no WebSocket endpoint at this path, or ", r);
		return "";
	}
	if (r->status < 400) {
		const struct wsi_str location = r->seen[WSI_LOCATION].value;

		if (location.len > 0) {
			wsi_put(t, ": Location: ");
			wsi_put_location(t, location.p, location.len);
		}
		return "";
	}
	return refusal_put_by_status(t, f);
}

const char *wsi_put_refusal(struct wsi_text *t, const struct wsi_refusal *f)
{
	struct wsi_str line = refusal_first_line(f->body);

	refusal_put_reason(t, f->response);
	if (line.len > 0 && !wsi_shows_secret(line, f->opt, f->url)) {
		wsi_put(t, " (");
		wsi_put_quoted(t, line.p, line.len, REFUSAL_LINE);
		wsi_put(t, ")");
	}
	if (!f->response->fields)
		return "";
	return refusal_put_hint(t, f);
}

/* Refusals of a proxy */

static void refusal_put_proxy_login(struct wsi_text *t, const struct wsi_response *r, int login)
{
	struct refusal_challenges c;

	wsi_put(t, ": it asks for a login");
	c = refusal_put_challenges(t, r, "Proxy-Authenticate", "");
	if (c.count > 0 && !c.basic)
		wsi_put(t, "; only Basic is supported");
	else if (login)
		wsi_put(t, "; user and password of its URL were sent and not accepted");
	else
		wsi_put(t, "; user and password go in its URL");
}

void wsi_put_proxy_refusal(struct wsi_text *t, const struct wsi_response *r, int login)
{
	refusal_put_reason(t, r);
	if (!r->fields) /* the headers, on which a hint depends, are not known */
		return;
	switch (r->status) {
	case 400:
	case 404:
		wsi_put(t, ": perhaps it is a web server, not a proxy");
		break;
	case 403:
		wsi_put(t, ": perhaps its rules do not allow this host or port");
		break;
	case 405:
	case 501:
		wsi_put(t, ": it does not support CONNECT, which a WebSocket needs");
		break;
	case 407:
		refusal_put_proxy_login(t, r, login);
		break;
	case 502:
	case 503:
	case 504:
		wsi_put(t, ": it could not reach the host");
		break;
	default:
		break;
	}
}
