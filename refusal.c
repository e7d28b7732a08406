/* SPDX-License-Identifier: ISC
 * refusal.c - why an upgrade, or a proxy's CONNECT, was refused and what helps
 *
 * A status alone has many causes. So each hint looks at all the evidence there is: the other headers, the beginning of
 * the body, and what we sent ourselves. Where the evidence does not decide, the hint says "perhaps".
 */
#include <string.h>
#include "ws.h"
#include "ws_proto.h"

#define REFUSAL_REASON 200    /* bytes of the reason phrase that are shown */
#define REFUSAL_LINE 100      /* of the body's first line */
#define REFUSAL_CHALLENGE 200 /* of one header with challenges */
#define REFUSAL_CHALLENGES 4  /* such headers */
#define REFUSAL_VALUE 80      /* of another header's value */
#define REFUSAL_WORD 4        /* a secret's words that are shorter are found in any text */

/* ---- what was sent ---- */

static struct wsi_str refusal_first_word(struct wsi_str s)
{
	s.len = wsi_span(s.p, s.len, WSI_TCHAR);
	return s;
}

WSI void wsi_note_sent(struct wsi_sent *sent, const char *request, size_t len)
{
	const char *line = wsi_head_fields(request, len);
	struct wsi_header h;

	memset(sent, 0, sizeof *sent);
	while ((line = wsi_header_next(line, &h)) != NULL) {
		struct wsi_str scheme = refusal_first_word(h.value);

		if (wsi_among(h.name.p, h.name.len, "Authorization\0") == 0) {
			sent->login = 1;
			/* what is not known may be a secret without a scheme before it */
			if (wsi_among(scheme.p, scheme.len,
			              "Basic\0Bearer\0Digest\0Negotiate\0NTLM\0")
			    >= 0)
				memcpy(sent->scheme, scheme.p, scheme.len);
		}
		sent->origin |= wsi_among(h.name.p, h.name.len, "Origin\0") == 0;
		sent->subprotocols |=
		    wsi_among(h.name.p, h.name.len, "Sec-WebSocket-Protocol\0") == 0;
	}
}

/* ---- evidence ---- */

/* 1: the words stand in s, in any case */
static int refusal_has_words(struct wsi_str s, const char *words)
{
	struct wsi_str want = {words, strlen(words)}, part = {s.p, want.len};
	size_t i;

	for (i = 0; i + want.len <= s.len; i++) {
		part.p = s.p + i;
		if (wsi_same_str(part, want))
			return 1;
	}
	return 0;
}

static int refusal_has_any(struct wsi_str s, const char *const *words)
{
	for (; *words != NULL; words++)
		if (refusal_has_words(s, *words))
			return 1;
	return 0;
}

/* What servers answer to plain HTTP at a port of TLS: Go, nginx, Apache, Tomcat */
static const char *const refusal_tls_port_words[] = {"to an https server", "sent to https port",
                                                     "to an ssl-enabled server port",
                                                     "port requires tls", NULL};
/* nginx, where a client certificate is asked for */
static const char *const refusal_certificate_words[] = {"no required ssl certificate",
                                                        "ssl certificate error", NULL};

/* The first line of the body that is not empty */
static struct wsi_str refusal_first_line(struct wsi_str body)
{
	size_t blank = wsi_span(body.p, body.len, "\t\n\r\r  ");

	body.p += blank;
	body.len -= blank;
	return wsi_trim(body.p, wsi_span(body.p, body.len, "^\n\n\r\r"));
}

/* 1: the text has a word of the secret: the server may quote what it got */
static int refusal_shows_words_of(struct wsi_str text, struct wsi_str secret)
{
	while (secret.len > 0) {
		size_t n = wsi_span(secret.p, secret.len, "--..09AZ__az~~\x80\xff"), i;

		for (i = 0; n >= REFUSAL_WORD && i + n <= text.len; i++)
			if (memcmp(text.p + i, secret.p, n) == 0)
				return 1;
		n += n < secret.len;
		secret.p += n;
		secret.len -= n;
	}
	return 0;
}

static int refusal_shows(struct wsi_str text, const char *secret)
{
	struct wsi_str s = {secret, secret != NULL ? strlen(secret) : 0};

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

	if (userinfo.len == 0)
		return 0;
	wsi_text_init(&code, buf, sizeof buf);
	wsi_put_basic_userinfo(&code, userinfo);
	return refusal_shows_words_of(text, userinfo) || refusal_shows_code(text, &code);
}

static int refusal_shows_header(struct wsi_str text, const char *const *headers)
{
	struct wsi_header h;

	for (; headers != NULL && *headers != NULL; headers++)
		if (wsi_header_split(*headers, &h) != NULL
		    && wsi_is_secret_header(h.name.p, h.name.len)
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

/* ---- sentences ---- */

static void refusal_put_value(struct wsi_text *t, struct wsi_str v)
{
	wsi_put_quoted(t, v.p, v.len, REFUSAL_VALUE);
}

static void refusal_put_reason(struct wsi_text *t, const struct wsi_response *r)
{
	if (r->reason.len == 0)
		return;
	wsi_put_c(t, ' ');
	wsi_put_safe(t, r->reason.p,
	             r->reason.len < REFUSAL_REASON ? r->reason.len : REFUSAL_REASON);
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

/* ---- logins ---- */

/* The next challenge of a header's value (RFC 7235 4.1): its scheme, or one of no length where there is no more. A
 * scheme stands at the beginning of an item of the list; a parameter there has a '=' */
static struct wsi_str refusal_next_scheme(struct wsi_str *list)
{
	struct wsi_str scheme = {"", 0};

	while (list->len > 0 && scheme.len == 0) {
		size_t n = wsi_span(list->p, list->len, ",,  \t\t"), after;
		int quoted = 0;

		list->p += n;
		list->len -= n;
		scheme = refusal_first_word(*list);
		after =
		    scheme.len + wsi_span(list->p + scheme.len, list->len - scheme.len, "  \t\t");
		if (after < list->len && list->p[after] == '=')
			scheme.len = 0;
		for (n = 0; n < list->len && (quoted || list->p[n] != ','); n++) {
			if (list->p[n] == '"')
				quoted = !quoted;
			else if (quoted && list->p[n] == '\\' && n + 1 < list->len)
				n++;
		}
		list->p += n;
		list->len -= n;
	}
	return scheme;
}

/* What a login asks for, as bits */
enum { ASKS_BASIC = 1, ASKS_BEARER = 2, ASKS_SENT = 4 };

/* Puts the challenges, " (Negotiate, Basic realm="x")", and says which of the schemes that count are among them */
static int refusal_put_challenges(struct wsi_text *t, const struct wsi_response *r,
                                  const char *name, const char *sent_scheme, int *count)
{
	const struct wsi_str sent = {sent_scheme, strlen(sent_scheme)};
	const char *line = r->fields;
	struct wsi_header h;
	int asks = 0, headers = 0;

	*count = 0;
	while ((line = wsi_header_next(line, &h)) != NULL) {
		struct wsi_str list = h.value, scheme;

		if (wsi_among(h.name.p, h.name.len, name) < 0 || h.value.len == 0)
			continue;
		if (headers < REFUSAL_CHALLENGES) {
			wsi_put(t, headers > 0 ? ", " : " (");
			wsi_put_safe(t, h.value.p,
			             h.value.len < REFUSAL_CHALLENGE ? h.value.len
			                                             : REFUSAL_CHALLENGE);
		}
		headers++;
		while ((scheme = refusal_next_scheme(&list)).len > 0) {
			++*count;
			if (wsi_among(scheme.p, scheme.len, "Basic\0") == 0)
				asks |= ASKS_BASIC;
			if (wsi_among(scheme.p, scheme.len, "Bearer\0") == 0)
				asks |= ASKS_BEARER;
			if (sent.len > 0 && wsi_same_str(scheme, sent))
				asks |= ASKS_SENT;
		}
	}
	if (headers > REFUSAL_CHALLENGES)
		wsi_put(t, ", ...");
	wsi_put(t, headers > 0 ? ")" : "");
	return asks;
}

/* What of the schemes can be done here. Returns the option that helps, or "" */
static const char *refusal_put_what_works(struct wsi_text *t, int asks, int count)
{
	if (!(asks & (ASKS_BASIC | ASKS_BEARER))) {
		wsi_put(t, "only Basic and Bearer are supported");
		return "";
	}
	if (count > 1)
		wsi_put(t, "of these ");
	if (!(asks & ASKS_BASIC)) {
		wsi_put(t, "Bearer works, with a token");
		return "bearer";
	}
	if (asks & ASKS_BEARER)
		wsi_put(t, "Basic works, with user and password, and Bearer, with a token");
	else
		wsi_put(t, "Basic works, with user and password");
	return "user";
}

static void refusal_put_not_accepted(struct wsi_text *t, const char *scheme)
{
	wsi_put(t, "; the ");
	wsi_put(t, scheme);
	wsi_put(t, scheme[0] != '\0' ? " login that was sent was not accepted"
	                             : "login that was sent was not accepted");
}

static const char *refusal_put_login(struct wsi_text *t, const struct wsi_response *r,
                                     const struct wsi_sent *sent)
{
	int count, asks;

	wsi_put(t, "it asks for a login");
	asks = refusal_put_challenges(t, r, "WWW-Authenticate\0", sent->scheme, &count);
	if (sent->login && (count == 0 || (asks & ASKS_SENT))) {
		refusal_put_not_accepted(t, sent->scheme);
		return "";
	}
	if (count == 0) {
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
	return refusal_put_what_works(t, asks, count);
}

/* ---- by status ---- */

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
	wsi_put_safe(t, value.p, value.len < REFUSAL_VALUE ? value.len : REFUSAL_VALUE);
}

static const char *refusal_put_by_status(struct wsi_text *t, const struct wsi_refusal *f)
{
	const struct wsi_response *r = f->response;

	switch (r->status) {
	case 400:
		return refusal_put_400(t, f);
	case 401:
		wsi_put(t, ": ");
		return refusal_put_login(t, r, &f->sent);
	case 403:
		return refusal_put_403(t, f);
	case 404:
		refusal_put_dropped(t, ": check the path of the URL; or perhaps ", r);
		return "";
	case 405:
		wsi_put(t, ": this path takes no GET, with which each WebSocket begins: check the "
		           "path of the URL");
		return "";
	case 426:
		return refusal_put_426(t, f);
	case 429:
	case 503:
		refusal_put_header(t, "Retry-After", r->seen[WSI_RETRY_AFTER].value);
		return "";
	case 502:
	case 504:
		wsi_put(t, ": a gateway in front of the server got no answer from it");
		return "";
	default:
		return "";
	}
}

/* 1: what it says of versions leaves ours (RFC 6455 4.4) out */
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

WSI const char *wsi_put_refusal(struct wsi_text *t, const struct wsi_refusal *f)
{
	struct wsi_str line = refusal_first_line(f->body);

	refusal_put_reason(t, f->response);
	if (line.len > 0 && !wsi_shows_secret(line, f->opt, f->url)) {
		wsi_put(t, " (");
		wsi_put_quoted(t, line.p, line.len, REFUSAL_LINE);
		wsi_put(t, ")");
	}
	if (f->response->fields == NULL)
		return "";
	return refusal_put_hint(t, f);
}

/* ---- a proxy ---- */

static void refusal_put_proxy_login(struct wsi_text *t, const struct wsi_response *r, int login)
{
	int count, asks;

	wsi_put(t, ": it asks for a login");
	asks = refusal_put_challenges(t, r, "Proxy-Authenticate\0", "", &count);
	if (count > 0 && !(asks & ASKS_BASIC))
		wsi_put(t, "; only Basic is supported");
	else if (login)
		wsi_put(t, "; user and password of its URL were sent and not accepted");
	else
		wsi_put(t, "; user and password go in its URL");
}

WSI void wsi_put_proxy_refusal(struct wsi_text *t, const struct wsi_response *r, int login)
{
	refusal_put_reason(t, r);
	if (r->fields == NULL) /* there is no telling what its headers would have said */
		return;
	switch (r->status) {
	case 400:
	case 404:
		wsi_put(t, ": perhaps it is a web server and no proxy");
		break;
	case 403:
		wsi_put(t, ": perhaps its rules do not allow this host or port");
		break;
	case 405:
	case 501:
		wsi_put(t, ": it does not do CONNECT, which a WebSocket needs");
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
