/* SPDX-License-Identifier: ISC
 * handshake.c - the opening handshake (RFC 6455 section 4) in HTTP's syntax (RFC 7230): the request, where a response's
 * head ends, what it says, whether it is the answer to our request, and the body of one that is not
 */
#include <string.h>
#include "ws.h"
#include "ws_bytes.h"

/* RFC 7230 3.2: what a header's value may hold */
static int hs_is_text(int c)
{
	return c == '\t' || (c >= 0x20 && c != 0x7f);
}

static int hs_is_space(int c)
{
	return c == ' ' || c == '\t';
}

static int hs_equal(const char *s, const char *p, size_t len)
{
	return wsi_strlen(s) == len && memcmp(s, p, len) == 0;
}

/* "Name: value" to its parts, the value trimmed. 0: it is none; RFC 7230 3.2.4: no space before the colon, no folding
 */
static int hs_split(const char *p, size_t len, struct wsi_str *name, struct wsi_str *value)
{
	size_t i = 0;

	while (i < len && wsi_is_tchar((unsigned char)p[i]))
		i++;
	name->p = p;
	name->len = i;
	if (i == 0 || i == len || p[i] != ':')
		return 0;
	do
		i++;
	while (i < len && hs_is_space(p[i]));
	while (len > i && hs_is_space(p[len - 1]))
		len--;
	value->p = p + i;
	value->len = len - i;
	return 1;
}

/* ---- request ---- */

/* The user's next header, without those that another origin must not see */
static int hs_user_next(const struct wsi_request *r, size_t *i, struct wsi_str *name, struct wsi_str *value)
{
	while (r->headers != NULL && r->headers[*i] != NULL) {
		const char *h = r->headers[(*i)++];

		if (hs_split(h, wsi_strlen(h), name, value)
		    && (r->same_origin || wsi_among(name->p, name->len, "Authorization\0Cookie\0Host\0") < 0))
			return 1;
	}
	return 0;
}

/* Begins a line with a default header, unless the user replaced or removed it: 1: its value is to be put */
static int hs_begin(struct wsi_text *t, const struct wsi_request *r, const char *name)
{
	struct wsi_str n, v;
	size_t i = 0;

	while (hs_user_next(r, &i, &n, &v))
		if (wsi_same(n.p, n.len, name))
			return 0;
	wsi_put(t, "\r\n");
	wsi_put(t, name);
	wsi_put(t, ": ");
	return 1;
}

static void hs_put_field(struct wsi_text *t, const struct wsi_request *r, const char *name, const char *value)
{
	if (value != NULL && value[0] != '\0' && hs_begin(t, r, name))
		wsi_put(t, value);
}

/* The user's own headers: Host, which belongs first (RFC 7230 5.4), or all others */
static void hs_put_user(struct wsi_text *t, const struct wsi_request *r, int host)
{
	struct wsi_str n, v;
	size_t i = 0;

	while (hs_user_next(r, &i, &n, &v)) {
		if (v.len == 0 || wsi_same(n.p, n.len, "Host") != host)
			continue;
		wsi_put(t, "\r\n");
		wsi_put_n(t, n.p, n.len);
		wsi_put(t, ": ");
		wsi_put_n(t, v.p, v.len);
	}
}

WSI void wsi_put_basic(struct wsi_text *t, const char *user, size_t len, int escaped)
{
	const char *end = user + len;
	unsigned char raw[3];
	char code[WSI_BASE64_LEN(sizeof raw)];
	size_t n;
	int colon = !escaped; /* seen, or not needed */

	wsi_put(t, "Basic ");
	do {
		for (n = 0; n < sizeof raw && (user < end || !colon); n++) {
			colon |= user == end || *user == ':'; /* RFC 7617 2: a name alone has an empty password */
			raw[n] = (unsigned char)(user == end ? ':' : escaped ? wsi_url_next(&user, end) : *user++);
		}
		wsi_put_n(t, code, wsi_base64_encode(code, raw, n));
	} while (n == sizeof raw);
}

WSI void wsi_put_request(struct wsi_text *t, const struct wsi_request *r)
{
	const struct wsi_url *u = r->url;
	const char *const *s = r->subprotocols, *between = "\r\nSec-WebSocket-Protocol: ";

	wsi_put(t, u->path.len > 0 && u->path.p[0] == '/' ? "GET " : "GET /");
	wsi_put_n(t, u->path.p, u->path.len);
	wsi_put(t, " HTTP/1.1");
	hs_put_user(t, r, 1);
	if (r->same_origin && r->host != NULL)
		hs_put_field(t, r, "Host", r->host);
	else if (hs_begin(t, r, "Host"))
		wsi_put_hostport(t, u, 0);
	wsi_put(t, "\r\nUpgrade: websocket");
	hs_put_field(t, r, "Connection", "Upgrade");
	wsi_put(t, "\r\nSec-WebSocket-Key: ");
	wsi_put_n(t, r->key, 24);
	hs_put_field(t, r, "Origin", r->origin);
	for (; s != NULL && *s != NULL; s++) {
		wsi_put(t, between);
		wsi_put(t, *s);
		between = ", ";
	}
	wsi_put(t, "\r\nSec-WebSocket-Version: 13");
	hs_put_field(t, r, "User-Agent", r->user_agent != NULL ? r->user_agent : "wsquery/" WS_VERSION);
	if (r->same_origin) {
		hs_put_field(t, r, "Cookie", r->cookie);
		if ((r->bearer != NULL || r->user != NULL || u->userinfo.len > 0) && hs_begin(t, r, "Authorization")) {
			if (r->bearer != NULL) {
				wsi_put(t, "Bearer ");
				wsi_put(t, r->bearer);
			} else if (r->user != NULL) {
				wsi_put_basic(t, r->user, wsi_strlen(r->user), 0);
			} else {
				wsi_put_basic(t, u->userinfo.p, u->userinfo.len, 1);
			}
		}
	}
	hs_put_user(t, r, 0);
	wsi_put(t, "\r\n\r\n");
}

/* Up to the first character that no header's value has */
static size_t hs_text_span(const char *s)
{
	size_t i = 0;

	while (hs_is_text((unsigned char)s[i]))
		i++;
	return i;
}

static const char *hs_check_header(const char *h, size_t len)
{
	struct wsi_str n, v;

	if (!hs_split(h, len, &n, &v))
		return "is not of the form \"Name: value\"";
	if (hs_text_span(h) < len)
		return "has a line break or another control character";
	if (n.len >= 14 && wsi_same(n.p, 14, "Sec-WebSocket-"))
		n.len = 14;
	switch (wsi_among(n.p, n.len, "Host\0Connection\0Upgrade\0Sec-WebSocket-\0")) {
	case -1:
		return NULL;
	case 0: /* RFC 7230 5.4 */
		return v.len > 0 ? NULL : "must be there";
	case 1:
		return wsi_has_token(v.p, v.len, "Upgrade") ? NULL : "must keep the token Upgrade";
	default:
		return "is not for changing";
	}
}

static const char *hs_check(const struct wsi_request *r, const char **option, const char **value)
{
	const char *const values[] = {r->origin, r->user_agent, r->cookie, r->user, r->host, r->bearer};
	const char *const *list;
	const char *why, *s;
	size_t i, len;

	*option = "headers";
	for (list = r->headers; list != NULL && *list != NULL; list++) {
		*value = *list;
		why = hs_check_header(*list, wsi_strlen(*list));
		if (why != NULL)
			return why;
	}
	*option = "subprotocols";
	for (list = r->subprotocols; list != NULL && *list != NULL; list++) {
		*value = s = *list;
		len = wsi_strlen(s);
		if (!wsi_is_token(s, len))
			return "is no token: letters, digits and !#$%&'*+-.^_`|~";
		for (i = 0; r->subprotocols + i < list; i++) /* RFC 6455 4.1, 10.: all unique */
			if (hs_equal(r->subprotocols[i], s, len))
				return "is offered twice";
	}
	*option = "origin\0user_agent\0cookie\0user\0host\0bearer";
	for (i = 0; i < 6; i++, *option += wsi_strlen(*option) + 1) {
		*value = s = values[i];
		if (s == NULL)
			continue;
		len = wsi_strlen(s);
		if ((i < 4    ? hs_text_span(s)
		     : i == 4 ? wsi_url_span(s, len, "!$&'()*+,;=:[]%")
		              : wsi_url_span(s, len, "+/=")) /* RFC 6750 2.1 */
		    < len)
			return "has a character that must not be there";
		if (i >= 4 && len == 0)
			return "is empty";
		if (i == 3 && wsi_find(s, len, ':') == len)
			return "has no ':' between name and password";
		if (i == 5 && r->user != NULL)
			return "does not go together with user";
	}
	return NULL;
}

WSI int wsi_request_check(const struct wsi_request *r, const char **option, const char **why, const char **value)
{
	*why = hs_check(r, option, value);
	return *why == NULL ? 0 : -1;
}

/* ---- response ---- */

enum { HS_START, HS_LINE, HS_LAST_CR, HS_CR, HS_END }; /* LAST_CR: at the start of a line, the head's end */

/* Takes the next byte of a head. NULL, or what is wrong */
static const char *hs_scan(struct wsi_head_scan *s, int c)
{
	if (s->scanned < 5 && c != "HTTP/"[s->scanned])
		return s->scanned == 0 && c == 0x15 ? "it is TLS: is the URL wss://?" : "it is not HTTP";
	s->scanned++;
	if (s->state >= HS_LAST_CR ? c != '\n' : c != '\r' && !hs_is_text(c))
		return "it has a bare control character"; /* a bare LF too: smuggling lives on what RFC 7230 3.5 allows
		                                           */
	if (s->state == HS_LAST_CR) {
		s->state = HS_END;
		return NULL;
	}
	s->lines += c == '\n';
	s->state = c == '\n' ? HS_START : c == '\r' ? s->state + HS_LAST_CR : HS_LINE;
	return s->lines > WS_MAX_HEAD_LINES || s->scanned >= WS_MAX_HEAD ? "it is over 16 KiB, or 100 lines" : NULL;
}

WSI ptrdiff_t wsi_head_end(struct wsi_head_scan *s, const char *p, size_t len, const char **why)
{
	while (s->scanned < len && s->state != HS_END) {
		const char *wrong = hs_scan(s, (unsigned char)p[s->scanned]);

		if (wrong != NULL) {
			*why = wrong;
			return -1;
		}
	}
	return s->state == HS_END ? (ptrdiff_t)s->scanned : 0;
}

WSI int wsi_header_next(const struct wsi_response *r, size_t *at, struct wsi_str *name, struct wsi_str *value)
{
	const char *p;
	size_t len;

	if (*at >= r->fields.len)
		return 0;
	p = r->fields.p + *at;
	len = wsi_find(p, r->fields.len - *at, '\r');
	*at += len + 2;
	return hs_split(p, len, name, value) ? 1 : -1;
}

WSI int wsi_response_parse(struct wsi_response *r, const char *head, size_t len, const char **why)
{
	struct wsi_str name, value;
	size_t at = 0, end = wsi_find(head, len, '\r'), reason = end > 12 ? 13 : 12;
	int more;

	memset(r, 0, sizeof *r);
	*why = "it has no status line of HTTP/1.1"; /* RFC 7230 3.1.2; the SP before no reason is missed by some */
	if (end < 12 || end + 4 > len || memcmp(head, "HTTP/1.", 7) != 0 || head[8] != ' '
	    || (end > 12 && head[12] != ' '))
		return -1;
	r->minor = wsi_number(head + 7, 1, 9);
	r->status = wsi_number(head + 9, 3, 999);
	if (r->minor < 0 || r->status < 100)
		return -1;
	r->reason.p = head + reason;
	r->reason.len = end - reason;
	r->fields.p = head + end + 2;
	r->fields.len = len - end - 4;
	*why = "it has a folded header line, or one not of the form \"Name: value\"";
	do
		more = wsi_header_next(r, &at, &name, &value);
	while (more > 0);
	return more;
}

/* How many headers there are of that name, in *value the first; plus HS_LISTS for each that lists the word (RFC 7230
 * 3.2.2: together they are one list), plus HS_OTHER for each that is not the word alone */
enum { HS_LISTS = 0x100, HS_OTHER = 0x10000 };

static int hs_see(const struct wsi_response *r, const char *name, const char *word, struct wsi_str *value)
{
	struct wsi_str n, v;
	size_t at = 0;
	int seen = 0;

	value->len = 0;
	while (wsi_header_next(r, &at, &n, &v) > 0) {
		if (!wsi_same(n.p, n.len, name))
			continue;
		if (seen++ == 0)
			*value = v;
		if (wsi_has_token(v.p, v.len, word))
			seen += HS_LISTS;
		if (!wsi_same(v.p, v.len, word))
			seen += HS_OTHER;
	}
	return seen;
}

WSI int wsi_header_get(const struct wsi_response *r, const char *name, struct wsi_str *value)
{
	return hs_see(r, name, "", value) > 0;
}

/* Header, word, what is wrong: if the header does not list the word ('+'), or if it has another value ('-') */
static const char hs_rules[] = "+Upgrade\0websocket\0it has no \"Upgrade: websocket\"\0"
                               "+Connection\0Upgrade\0it has no \"Connection: Upgrade\"\0"
                               "-Sec-WebSocket-Extensions\0\0it chose an extension that was not offered\0"
                               "-Transfer-Encoding\0\0it announces a body, which a 101 never has\0" /* RFC 7230 3.3 */
                               "-Content-Length\0"
                               "0\0it announces a body, which a 101 never has\0";

static const char *hs_check_101(const struct wsi_response *r, const char *accept, const char *const *offered,
                                const char **subprotocol)
{
	const char *rule = hs_rules, *word, *why;
	struct wsi_str v;
	int seen;

	*subprotocol = NULL;
	if (r->minor == 0) /* RFC 7230 6.7 */
		return "HTTP/1.0 knows no upgrade";
	for (; *rule != '\0'; rule = why + wsi_strlen(why) + 1) {
		word = rule + wsi_strlen(rule) + 1;
		why = word + wsi_strlen(word) + 1;
		seen = hs_see(r, rule + 1, word, &v);
		if (*rule == '+' ? (seen & (HS_OTHER - HS_LISTS)) == 0 : seen >= HS_OTHER)
			return why;
	}
	if (hs_see(r, "Sec-WebSocket-Accept", "", &v) % HS_LISTS != 1 || v.len != 28 || memcmp(v.p, accept, 28) != 0)
		return "it has no Sec-WebSocket-Accept that answers our key, or several (did a cache or a plain HTTP "
		       "server "
		       "answer?)";
	seen = hs_see(r, "Sec-WebSocket-Protocol", "", &v) % HS_LISTS;
	if (seen == 0)
		return NULL;
	for (; seen == 1 && offered != NULL && *offered != NULL; offered++) {
		if (hs_equal(*offered, v.p, v.len)) {
			*subprotocol = *offered;
			return NULL;
		}
	}
	return "it chose a subprotocol that was not offered, or several";
}

WSI int wsi_response_check(const struct wsi_response *r, const char *accept, const char *const *offered,
                           const char **subprotocol, const char **why)
{
	*why = hs_check_101(r, accept, offered, subprotocol);
	return *why == NULL ? 0 : -1;
}

WSI void wsi_accept(char out[28], const char key[24])
{
	struct wsi_sha1 s;
	unsigned char digest[20];

	wsi_sha1_init(&s);
	wsi_sha1_update(&s, key, 24);
	wsi_sha1_update(&s, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
	wsi_sha1_final(&s, digest);
	wsi_base64_encode(out, digest, sizeof digest);
}

/* ---- body of a refused upgrade ---- */

/* of the chunked coding, RFC 7230 4.1; without it all is DATA */
enum { HS_SIZE, HS_DIGITS, HS_EXTENSION, HS_DATA, HS_DATA_END };

WSI void wsi_body_init(struct wsi_body *b, const struct wsi_response *r)
{
	struct wsi_str v;
	int n;

	memset(b, 0, sizeof *b);
	b->chunked = hs_see(r, "Transfer-Encoding", "chunked", &v) >= HS_LISTS;
	if (b->chunked)
		return;
	b->state = HS_DATA;
	wsi_header_get(r, "Content-Length", &v);
	n = wsi_number(v.p, v.len, INT32_MAX / 16);
	b->left = n < 0 ? UINT64_MAX : (unsigned)n; /* nonsense, none, too much for us: up to the end of file */
	b->done = n == 0 || r->status < 200 || r->status == 204 || r->status == 304; /* RFC 7230 3.3.3 */
}

/* Takes one byte of what is around a chunk's data. What does not belong there ends the body, and so does the last
 * chunk: a trailer says nothing to us */
static void hs_chunk(struct wsi_body *b, int c)
{
	int digit = wsi_hex(c);

	if (b->state <= HS_DIGITS && digit >= 0 && b->left >> 59 == 0) {
		b->left = b->left * 16 + (unsigned)digit;
		b->state = HS_DIGITS;
	} else if (b->state == HS_DATA_END) {
		b->done = c != '\r' && c != '\n';
		b->state = c == '\n' ? HS_SIZE : HS_DATA_END;
	} else if (b->state == HS_SIZE || (b->state == HS_DIGITS && wsi_find("\n\r; \t", 5, (char)c) == 5)) {
		b->done = 1;
	} else {
		b->state = c == '\n' ? HS_DATA : HS_EXTENSION;
		b->done = c == '\n' && b->left == 0;
	}
}

WSI void wsi_body_feed(struct wsi_body *b, const char *p, size_t len, char *out, size_t cap, size_t *out_len)
{
	while (len > 0 && !b->done) {
		size_t n = 1, room = cap - *out_len;

		if (b->state != HS_DATA) {
			hs_chunk(b, (unsigned char)*p);
		} else {
			n = len < b->left ? len : (size_t)b->left;
			room = n < room ? n : room;
			memcpy(out + *out_len, p, room);
			*out_len += room;
			b->left -= n;
			if (b->left == 0) {
				b->state = HS_DATA_END;
				b->done = !b->chunked;
			}
		}
		p += n;
		len -= n;
	}
}
