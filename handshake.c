/* SPDX-License-Identifier: ISC
 * handshake.c - the opening handshake (RFC 6455 section 4) in HTTP's syntax (RFC 7230): the request, where a response's
 * head ends, what it says, whether it is the answer to our request, and the body of one that is not
 */
#include <string.h>
#include "ws.h"
#include "ws_bytes.h"

/* RFC 7230 3.2: what a field's value may hold */
static int hs_is_text(int c)
{
	return c == '\t' || (c >= 0x20 && c != 0x7f);
}

static int hs_is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static int hs_is_space(int c)
{
	return c == ' ' || c == '\t';
}

static int hs_equal(const char *s, const char *p, size_t len)
{
	return wsi_strlen(s) == len && memcmp(s, p, len) == 0;
}

/* "Name: value" to its parts, the value trimmed. NULL, or what is wrong */
static const char *hs_split(const char *p, size_t len, struct wsi_str *name, struct wsi_str *value)
{
	size_t i = 0;

	while (i < len && wsi_is_tchar((unsigned char)p[i]))
		i++;
	name->p = p;
	name->len = i;
	if (i < len && hs_is_space(p[i])) /* RFC 7230 3.2.4 */
		return i == 0 ? "a header line is folded or begins with a space"
		              : "a header has a space before its colon, or no colon";
	if (i == len)
		return "a header line has no colon";
	if (i == 0 || p[i] != ':')
		return "the name of a header is no token";
	i++;
	while (i < len && hs_is_space(p[i]))
		i++;
	while (len > i && hs_is_space(p[len - 1]))
		len--;
	value->p = p + i;
	value->len = len - i;
	return NULL;
}

/* ---- request ---- */

/* The user's next header, without those that another origin must not see */
static int hs_user_next(const struct wsi_request *r, size_t *i, struct wsi_str *name, struct wsi_str *value)
{
	while (r->headers != NULL && r->headers[*i] != NULL) {
		const char *h = r->headers[(*i)++];

		if (hs_split(h, wsi_strlen(h), name, value) != NULL)
			continue; /* wsi_request_check has refused it */
		if (r->same_origin
		    || !(wsi_same(name->p, name->len, "Authorization") || wsi_same(name->p, name->len, "Cookie")
		         || wsi_same(name->p, name->len, "Host")))
			return 1;
	}
	return 0;
}

/* Begins a default header, unless the user replaced or removed it: 1: its value is to be put */
static int hs_begin(struct wsi_text *t, const struct wsi_request *r, const char *name)
{
	struct wsi_str n, v;
	size_t i = 0;

	while (hs_user_next(r, &i, &n, &v))
		if (wsi_same(n.p, n.len, name))
			return 0;
	wsi_put(t, name);
	wsi_put(t, ": ");
	return 1;
}

static void hs_put_field(struct wsi_text *t, const struct wsi_request *r, const char *name, const char *value)
{
	if (value == NULL || value[0] == '\0' || !hs_begin(t, r, name))
		return;
	wsi_put(t, value);
	wsi_put(t, "\r\n");
}

/* The user's own headers: Host, which belongs first (RFC 7230 5.4), or all others */
static void hs_put_user(struct wsi_text *t, const struct wsi_request *r, int host)
{
	struct wsi_str n, v;
	size_t i = 0;

	while (hs_user_next(r, &i, &n, &v)) {
		if (v.len == 0 || wsi_same(n.p, n.len, "Host") != host)
			continue;
		wsi_put_n(t, n.p, n.len);
		wsi_put(t, ": ");
		wsi_put_n(t, v.p, v.len);
		wsi_put(t, "\r\n");
	}
}

WSI void wsi_put_basic(struct wsi_text *t, const char *user, size_t len, int escaped)
{
	const char *end = user + len;
	unsigned char raw[3];
	char code[WSI_BASE64_LEN(3)];
	size_t n = 0;
	int colon = !escaped;

	wsi_put(t, "Basic ");
	while (user < end || !colon || n > 0) {
		if (user < end) {
			colon |= *user == ':';
			raw[n++] = (unsigned char)(escaped ? wsi_url_next(&user, end) : *user++);
		} else if (!colon) { /* RFC 7617 2: a name alone has an empty password */
			colon = 1;
			raw[n++] = ':';
		}
		if (n == 3 || (user == end && colon)) {
			wsi_put_n(t, code, wsi_base64_encode(code, raw, n));
			n = 0;
		}
	}
}

WSI void wsi_put_request(struct wsi_text *t, const struct wsi_request *r)
{
	const struct wsi_url *u = r->url;
	const char *user = r->same_origin ? r->user : NULL;
	const char *bearer = r->same_origin ? r->bearer : NULL;
	int userinfo = r->same_origin && user == NULL && bearer == NULL && u->userinfo.len > 0;
	size_t i;

	wsi_put(t, "GET ");
	if (u->path.len == 0 || u->path.p[0] != '/')
		wsi_put_c(t, '/');
	wsi_put_n(t, u->path.p, u->path.len);
	wsi_put(t, " HTTP/1.1\r\n");
	hs_put_user(t, r, 1);
	if (hs_begin(t, r, "Host")) {
		if (r->same_origin && r->host != NULL)
			wsi_put(t, r->host);
		else
			wsi_put_hostport(t, u, 0);
		wsi_put(t, "\r\n");
	}
	hs_put_field(t, r, "Upgrade", "websocket");
	hs_put_field(t, r, "Connection", "Upgrade");
	hs_put_field(t, r, "Sec-WebSocket-Key", r->key);
	hs_put_field(t, r, "Origin", r->origin);
	for (i = 0; r->subprotocols != NULL && r->subprotocols[i] != NULL; i++) {
		wsi_put(t, i == 0 ? "Sec-WebSocket-Protocol: " : ", ");
		wsi_put(t, r->subprotocols[i]);
	}
	if (i > 0)
		wsi_put(t, "\r\n");
	hs_put_field(t, r, "Sec-WebSocket-Version", "13");
	hs_put_field(t, r, "User-Agent", r->user_agent != NULL ? r->user_agent : "wsquery/" WS_VERSION);
	hs_put_field(t, r, "Cookie", r->same_origin ? r->cookie : NULL);
	if ((user != NULL || bearer != NULL || userinfo) && hs_begin(t, r, "Authorization")) {
		if (bearer != NULL) {
			wsi_put(t, "Bearer ");
			wsi_put(t, bearer);
		} else if (user != NULL) {
			wsi_put_basic(t, user, wsi_strlen(user), 0);
		} else {
			wsi_put_basic(t, u->userinfo.p, u->userinfo.len, 1);
		}
		wsi_put(t, "\r\n");
	}
	hs_put_user(t, r, 0);
	wsi_put(t, "\r\n");
}

static const char *hs_check_text(const char *s)
{
	for (; *s != '\0'; s++)
		if (!hs_is_text((unsigned char)*s))
			return "it has a line break or another control character";
	return NULL;
}

static const char *hs_check_header(const char *h, int *hosts)
{
	static const char ours[] = "Sec-WebSocket-";
	struct wsi_str n, v;
	const char *why = hs_split(h, wsi_strlen(h), &n, &v);

	if (why == NULL)
		why = hs_check_text(h);
	if (why != NULL)
		return why;
	if (wsi_same(n.p, n.len, "Upgrade") || (n.len >= sizeof ours - 1 && wsi_same(n.p, sizeof ours - 1, ours)))
		return "Upgrade and Sec-WebSocket-* are not for changing";
	if (wsi_same(n.p, n.len, "Connection") && !wsi_has_token(v.p, v.len, "Upgrade"))
		return "Connection must keep the token Upgrade";
	if (wsi_same(n.p, n.len, "Host") && (v.len == 0 || (*hosts)++ > 0)) /* RFC 7230 5.4 */
		return "there must be one Host";
	return NULL;
}

/* The strings of the user, in the order of precedence of what is told about them */
static const char *hs_check(const struct wsi_request *r, const char **option, const char **value)
{
	const char *const names[] = {"origin", "host", "user_agent", "cookie", "user", "bearer"};
	const char *const values[] = {r->origin, r->host, r->user_agent, r->cookie, r->user, r->bearer};
	const char *why, *s;
	size_t i, k, len;
	int hosts = 0;

	*option = "headers";
	for (i = 0; r->headers != NULL && r->headers[i] != NULL; i++) {
		*value = r->headers[i];
		why = hs_check_header(*value, &hosts);
		if (why != NULL)
			return why;
	}
	*option = "subprotocols";
	for (i = 0; r->subprotocols != NULL && r->subprotocols[i] != NULL; i++) {
		*value = s = r->subprotocols[i];
		len = wsi_strlen(s);
		if (!wsi_is_token(s, len))
			return "a subprotocol is a token: letters, digits and !#$%&'*+-.^_`|~";
		for (k = 0; k < i; k++) /* RFC 6455 4.1, 10.: all unique */
			if (hs_equal(r->subprotocols[k], s, len))
				return "it is offered twice";
	}
	for (i = 0; i < sizeof values / sizeof values[0]; i++) {
		*option = names[i];
		*value = values[i];
		why = values[i] == NULL ? NULL : hs_check_text(values[i]);
		if (why != NULL)
			return why;
	}
	*option = "host";
	*value = s = r->host;
	if (s != NULL) {
		len = wsi_strlen(s);
		if (len == 0 || wsi_url_span(s, len, "!$&'()*+,;=:[]%") != len)
			return "it is empty or has a character that no host has";
	}
	*option = "user";
	*value = s = r->user;
	if (s != NULL) {
		while (*s != '\0' && *s != ':')
			s++;
		if (*s == '\0')
			return "it has no ':' between name and password";
	}
	*option = "bearer";
	*value = s = r->bearer;
	if (s != NULL) { /* RFC 6750 2.1 */
		if (r->user != NULL)
			return "it does not go together with a user";
		len = wsi_url_span(s, wsi_strlen(s), "+/");
		k = len;
		while (s[k] == '=')
			k++;
		if (len == 0 || s[k] != '\0')
			return "a bearer token has letters, digits and -._~+/ alone, and = at its end";
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
	static const char control[] = "the answer's head has a bare control character";

	if (s->scanned < 5 && c != "HTTP/"[s->scanned])
		return s->scanned == 0 && c == 0x15 ? "the answer is TLS, not plain HTTP: is it wss://?"
		                                    : "the answer is not HTTP";
	s->scanned++;
	if (s->state >= HS_LAST_CR) {
		if (c != '\n')
			return control;
		s->state = s->state == HS_LAST_CR ? HS_END : HS_START;
		if (s->state == HS_START && ++s->lines > WS_MAX_HEAD_LINES)
			return "the answer's head has over 100 lines";
	} else if (c == '\r') {
		s->state += HS_LAST_CR;
	} else if (hs_is_text(c)) {
		s->state = HS_LINE;
	} else { /* a bare LF too: RFC 7230 3.5 would allow it, and smuggling lives on it */
		return control;
	}
	return s->scanned >= WS_MAX_HEAD && s->state != HS_END ? "the answer's head is over 16 KiB" : NULL;
}

WSI ptrdiff_t wsi_head_end(struct wsi_head_scan *s, const char *p, size_t len, const char **why)
{
	while (s->scanned < len) {
		*why = hs_scan(s, (unsigned char)p[s->scanned]);
		if (*why != NULL)
			return -1;
		if (s->state == HS_END)
			return (ptrdiff_t)s->scanned;
	}
	return 0;
}

/* wsi_header_next that also tells, by -1, what is wrong with the line */
static int hs_next(const struct wsi_str *fields, size_t *at, struct wsi_str *name, struct wsi_str *value,
                   const char **why)
{
	size_t end = *at, from = *at;

	if (from >= fields->len)
		return 0;
	while (end < fields->len && fields->p[end] != '\r')
		end++;
	*at = end + 2;
	*why = hs_split(fields->p + from, end - from, name, value);
	return *why == NULL ? 1 : -1;
}

WSI int wsi_response_parse(struct wsi_response *r, const char *head, size_t len, const char **why)
{
	struct wsi_head_scan scan = {0};
	struct wsi_str name, value;
	size_t at = 0, end = 5;
	ptrdiff_t whole = wsi_head_end(&scan, head, len, why);
	int more;

	memset(r, 0, sizeof *r);
	if (whole < 0)
		return -1;
	if (len == 0 || (size_t)whole != len) {
		*why = "the answer's head is not whole";
		return -1;
	}
	while (head[end] != '\r')
		end++;
	/* RFC 7230 3.1.2: HTTP-version SP status-code SP reason-phrase; the second SP is missed by some servers */
	*why = "the answer's first line is no status line of HTTP/1.1";
	if (end < 12 || memcmp(head + 5, "1.", 2) != 0 || !hs_is_digit(head[7]) || head[8] != ' ' || head[9] == '0'
	    || !hs_is_digit(head[9]) || !hs_is_digit(head[10]) || !hs_is_digit(head[11])
	    || (end > 12 && head[12] != ' '))
		return -1;
	r->minor = head[7] - '0';
	r->status = (head[9] - '0') * 100 + (head[10] - '0') * 10 + (head[11] - '0');
	at = end > 12 ? 13 : 12;
	r->reason.p = head + at;
	r->reason.len = end - at;
	r->fields.p = head + end + 2;
	r->fields.len = len - end - 4;
	at = 0;
	do
		more = hs_next(&r->fields, &at, &name, &value, why);
	while (more > 0);
	return more;
}

WSI int wsi_header_next(const struct wsi_response *r, size_t *at, struct wsi_str *name, struct wsi_str *value)
{
	const char *why;

	return hs_next(&r->fields, at, name, value, &why) > 0;
}

/* How many headers there are of that name; *value is the first one's */
static int hs_count(const struct wsi_response *r, const char *name, struct wsi_str *value)
{
	struct wsi_str n, v;
	size_t at = 0;
	int count = 0;

	value->p = "";
	value->len = 0;
	while (wsi_header_next(r, &at, &n, &v))
		if (wsi_same(n.p, n.len, name) && count++ == 0)
			*value = v;
	return count;
}

WSI int wsi_header_get(const struct wsi_response *r, const char *name, struct wsi_str *value)
{
	return hs_count(r, name, value) > 0;
}

/* 1: one of the headers of that name lists the token (RFC 7230 3.2.2: they are one list) */
static int hs_lists(const struct wsi_response *r, const char *name, const char *token)
{
	struct wsi_str n, v;
	size_t at = 0;

	while (wsi_header_next(r, &at, &n, &v))
		if (wsi_same(n.p, n.len, name) && wsi_has_token(v.p, v.len, token))
			return 1;
	return 0;
}

/* 1: a header of that name is there with another value than this */
static int hs_differs(const struct wsi_response *r, const char *name, const char *value)
{
	struct wsi_str n, v;
	size_t at = 0;

	while (wsi_header_next(r, &at, &n, &v))
		if (wsi_same(n.p, n.len, name) && !wsi_same(v.p, v.len, value))
			return 1;
	return 0;
}

static const char *hs_check_101(const struct wsi_response *r, const char *accept, const char *const *offered,
                                const char **subprotocol)
{
	struct wsi_str v;
	int n;

	*subprotocol = NULL;
	if (r->minor == 0) /* RFC 7230 6.7 */
		return "the answer is HTTP/1.0, which knows no upgrade";
	if (!hs_lists(r, "Upgrade", "websocket"))
		return "the answer has no \"Upgrade: websocket\"";
	if (!hs_lists(r, "Connection", "Upgrade"))
		return "the answer has no \"Connection: Upgrade\"";
	n = hs_count(r, "Sec-WebSocket-Accept", &v);
	if (n != 1)
		return n == 0 ? "the answer has no Sec-WebSocket-Accept"
		              : "the answer has more than one Sec-WebSocket-Accept";
	if (v.len != 28 || memcmp(v.p, accept, 28) != 0)
		return "Sec-WebSocket-Accept is not the answer to our key (did a cache or a plain HTTP server answer?)";
	if (hs_differs(r, "Sec-WebSocket-Extensions", ""))
		return "the server chose an extension that was not offered";
	if (hs_differs(r, "Transfer-Encoding", "") || hs_differs(r, "Content-Length", "0")) /* RFC 7230 3.3 */
		return "the answer announces a body, which a 101 never has";
	n = hs_count(r, "Sec-WebSocket-Protocol", &v);
	if (n > 1)
		return "the server chose more than one subprotocol";
	if (n == 0)
		return NULL;
	for (; offered != NULL && *offered != NULL; offered++) {
		if (hs_equal(*offered, v.p, v.len)) {
			*subprotocol = *offered;
			return NULL;
		}
	}
	return "the server chose a subprotocol that was not offered";
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

/* of the chunked coding: RFC 7230 4.1 */
enum { HS_SIZE, HS_DIGITS, HS_EXTENSION, HS_DATA, HS_DATA_END, HS_TRAILER, HS_TRAILER_LINE };

WSI void wsi_body_init(struct wsi_body *b, const struct wsi_response *r)
{
	struct wsi_str v;
	size_t i;

	memset(b, 0, sizeof *b);
	b->chunked = hs_lists(r, "Transfer-Encoding", "chunked");
	b->state = b->chunked ? HS_SIZE : HS_DATA;
	if (b->chunked)
		return;
	b->left = UINT64_MAX; /* up to the end of file, also where Content-Length is nonsense */
	if (wsi_header_get(r, "Content-Length", &v) && v.len > 0 && v.len < 19) {
		b->left = 0;
		for (i = 0; i < v.len && hs_is_digit(v.p[i]); i++)
			b->left = b->left * 10 + (unsigned)(v.p[i] - '0');
		if (i < v.len)
			b->left = UINT64_MAX;
	}
	b->done = b->left == 0 || r->status < 200 || r->status == 204 || r->status == 304; /* RFC 7230 3.3.3 */
}

/* Takes one byte of what is around a chunk's data */
static void hs_chunk(struct wsi_body *b, int c)
{
	int digit = wsi_hex(c);

	switch (b->state) {
	case HS_SIZE:
	case HS_DIGITS:
		if (digit >= 0 && b->left >> 59 == 0) {
			b->left = b->left * 16 + (unsigned)digit;
			b->state = HS_DIGITS;
			return;
		}
		if (b->state == HS_SIZE || !(hs_is_space(c) || c == ';' || c == '\r' || c == '\n'))
			break;
		b->state = HS_EXTENSION;
		/* fall through */
	case HS_EXTENSION:
		if (c == '\n')
			b->state = b->left > 0 ? HS_DATA : HS_TRAILER;
		return;
	case HS_DATA_END:
		if (c == '\n')
			b->state = HS_SIZE;
		else if (c != '\r')
			break;
		return;
	case HS_TRAILER:
		if (c == '\n')
			break;
		if (c != '\r')
			b->state = HS_TRAILER_LINE;
		return;
	default:
		if (c == '\n')
			b->state = HS_TRAILER;
		return;
	}
	b->done = 1;
}

WSI void wsi_body_feed(struct wsi_body *b, const char *p, size_t len, char *out, size_t cap, size_t *out_len)
{
	size_t i = 0;

	while (i < len && !b->done) {
		size_t n = len - i, room = cap - *out_len;

		if (b->state != HS_DATA) {
			hs_chunk(b, (unsigned char)p[i++]);
			continue;
		}
		if (n > b->left)
			n = (size_t)b->left;
		if (room > n)
			room = n;
		memcpy(out + *out_len, p + i, room);
		*out_len += room;
		i += n;
		b->left -= n;
		if (b->left == 0 && b->chunked)
			b->state = HS_DATA_END;
		else
			b->done = b->left == 0;
	}
}
