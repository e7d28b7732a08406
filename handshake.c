/* SPDX-License-Identifier: ISC
 * handshake.c - the opening handshake (RFC 6455 section 4) in HTTP's syntax (RFC 7230): the request, a response's head,
 * whether it is the answer to our request, and the body of one that is not
 */
#include <string.h>
#include "ws.h"
#include "ws_proto.h"

/* RFC 7230 3.2: what a header's value may hold. No NUL and no CR, so that either ends it */
#define HS_TEXT "\t\t ~\x80\xff"

WSI const char *wsi_header_split(const char *line, struct wsi_header *h)
{
	size_t n = wsi_span(line, SIZE_MAX, WSI_TCHAR);

	h->name.p = line;
	h->name.len = n;
	if (n == 0 || line[n] != ':') /* RFC 7230 3.2.4: no space before the colon, no folding */
		return NULL;
	line += n + 1;
	n = wsi_span(line, SIZE_MAX, HS_TEXT);
	h->value = wsi_trim(line, n);
	return line + n;
}

WSI const char *wsi_header_next(const char *line, struct wsi_header *h)
{
	const char *end = wsi_header_split(line, h);

	if (end == NULL)
		return NULL;
	return *end == '\r' ? end + 2 : end + 1;
}

WSI const char *wsi_head_fields(const char *head, size_t len)
{
	return head + wsi_find(head, len, '\n') + 1;
}

/* Where that string is in the list, or NULL; case counts */
static const char *const *hs_find(const char *const *list, const char *p, size_t len)
{
	for (; list != NULL && *list != NULL; list++)
		if (strlen(*list) == len && memcmp(*list, p, len) == 0)
			return list;
	return NULL;
}

/* ---- request ---- */

#define HS_OPTIONS_MAX (512 * 1024) /* of all that goes into a request */

WSI void wsi_put_basic(struct wsi_text *t, const char *user, char end)
{
	char code[WSI_BASE64_LEN(3)];
	unsigned char raw[3];
	size_t n;
	int colon = 0;

	do {
		for (n = 0; n < sizeof raw; n++) {
			if (*user == end) {
				if (colon)
					break;
				user = ":@"; /* RFC 7617 2: a name alone has an empty password */
			}
			colon |= *user == ':';
			raw[n] = (unsigned char)(end == '@' ? wsi_url_next(&user) : *user++);
		}
		wsi_put_n(t, code, wsi_base64_encode(code, raw, n));
	} while (n == sizeof raw);
}

/* The request's lines, and behind each the value where there is no other; without one it is left out. Before each: which
 * of the user's headers go out at its place, those of other names, of the same, or none; and whose value it has, that of
 * the field of ws_options at that place from headers on ('1' to '7'; '9' to '?': the same, to the first origin alone),
 * its own, or the key. The last is for the user's other headers */
enum { HS_OTHERS = '0', HS_SAME, HS_NONE };
enum { HS_PROTOCOLS = '1', HS_FIRST = '8', HS_HOST = ';', HS_BEARER = '?', HS_OWN, HS_KEY };
static const char hs_lines[] = "1;\r\nHost: \0\0" /* RFC 7230 5.4: it belongs first */
                               "2@\r\nUpgrade: \0websocket\0"
                               "2@\r\nConnection: \0Upgrade\0"
                               "2A\r\nSec-WebSocket-Key: \0\0"
                               "22\r\nOrigin: \0\0"
                               "21\r\nSec-WebSocket-Protocol: \0\0"
                               "2@\r\nSec-WebSocket-Version: \00013\0"
                               "24\r\nUser-Agent: \0wsquery/" WS_VERSION "\0"
                               "2=\r\nCookie: \0\0"
                               "2?\r\nAuthorization: Bearer \0\0"
                               "0@\r\nHost: \0\0"
                               "\r\n\r\n";

/* Puts the user's headers that have that name, or the others, or none. 1: there are some of that name */
static int hs_put_user(const struct wsi_request *r, struct wsi_str name, char which)
{
	const char *const *list = r->opt->headers;
	int found = 0;

	for (; list != NULL && *list != NULL; list++) {
		struct wsi_header h;
		int same;

		wsi_header_split(*list, &h);
		if (!r->same_origin
		    && (wsi_is_secret_header(h.name.p, h.name.len)
		        || wsi_among(h.name.p, h.name.len, "Host\0") == 0))
			continue;
		same = wsi_same_str(h.name, name);
		found |= same;
		if (HS_OTHERS + same != which || h.value.len == 0)
			continue;
		wsi_put(r->out, "\r\n");
		wsi_put_n(r->out, h.name.p, h.name.len);
		wsi_put(r->out, ": ");
		wsi_put_n(r->out, h.value.p, h.value.len);
	}
	return found;
}

WSI void wsi_put_request(const struct wsi_request *r)
{
	const struct wsi_url *u = r->url;
	const struct ws_options *o = r->opt;
	const char *line, *end, *value;
	struct wsi_header ours;

	wsi_put(r->out, u->path.len > 0 && u->path.p[0] == '/' ? "GET " : "GET /");
	wsi_put_n(r->out, u->path.p, u->path.len);
	wsi_put(r->out, " HTTP/1.1");
	for (line = hs_lines; (end = wsi_header_split(line + 4, &ours)) != NULL; line = end + 1) {
		const char *one[2] = {end + 1, NULL}, *before = line + 2;
		const char *const *list = one;
		int what = line[1];

		end += 1 + strlen(one[0]);
		if (hs_put_user(r, ours.name, line[0]))
			continue;
		if (what < (r->same_origin ? HS_OWN : HS_FIRST)) {
			memcpy(&value,
			       (const char *)o + offsetof(struct ws_options, headers)
			           + (what & 7) * sizeof value,
			       sizeof value);
			if (value != NULL)
				one[0] = value;
		}
		if (what == HS_KEY)
			one[0] = r->key;
		if (what == HS_PROTOCOLS) {
			list = o->subprotocols;
		} else if (*one[0] == '\0') {
			if (what == HS_HOST) {
				wsi_put(r->out, before);
				wsi_put_hostport(r->out, u, 0);
			} else if (what == HS_BEARER && r->same_origin
			           && (o->user != NULL || u->userinfo.len > 0)) {
				wsi_put(r->out, "\r\nAuthorization: Basic ");
				wsi_put_basic(r->out, o->user != NULL ? o->user : u->userinfo.p,
				              o->user != NULL ? '\0' : '@');
			}
			continue;
		}
		for (; list != NULL && *list != NULL; list++) {
			wsi_put(r->out, before);
			wsi_put(r->out, *list);
			before = ", ";
		}
	}
	wsi_put(r->out, line);
}

enum hs_kind { HS_HEADERS, HS_SUBPROTOCOLS, HS_TEXTS, HS_HOSTS, HS_USERS };

/* The fields of ws_options that go into a request stand in a row there; the first two are lists */
static const struct hs_field {
	char name[14];
	char set[23];       /* what a string of it may hold */
	unsigned char kind; /* enum hs_kind */
	unsigned char least;
	unsigned char secret; /* 1: no byte of it is shown */
} hs_fields[] = {
    {"headers", HS_TEXT, HS_HEADERS, 0, 0},
    {"subprotocols", WSI_TCHAR, HS_SUBPROTOCOLS, 1, 0},
    {"origin", HS_TEXT, HS_TEXTS, 0, 0},
    {"host", "!!$.0;==AZ[[]]__az~~", HS_HOSTS, 1, 0},
    {"user_agent", HS_TEXT, HS_TEXTS, 0, 0},
    {"cookie", HS_TEXT, HS_TEXTS, 0, 1},
    {"user", HS_TEXT, HS_USERS, 0, 1},
    {"bearer", "++-9==AZ__az~~", HS_TEXTS, 1, 1}, /* RFC 6750 2.1 */
};
#define HS_FIELDS (sizeof hs_fields / sizeof hs_fields[0])
_Static_assert(offsetof(struct ws_options, bearer) - offsetof(struct ws_options, headers)
                   == (HS_FIELDS - 1) * sizeof(const char *),
               "hs_fields is not as struct ws_options");
/* The headers that the user may not have as he likes, the last by its beginning, and what each is told */
static const char hs_ours[] = "Host\0Connection\0Upgrade\0Sec-WebSocket-\0";
static const char hs_ours_wrong[] =
    "must be there\0must keep the token Upgrade\0is not for changing\0is not for changing";

/* Says which byte of s, at its place, may not be in that field */
static const char *hs_wrong_character(struct wsi_text *why, const struct hs_field *f, const char *s,
                                      size_t len, size_t at)
{
	const unsigned c = (unsigned char)s[at];
	uint32_t cp;
	int n = wsi_utf8_decode(&cp, s + at, len - at);

	if (c == '\r' || c == '\n') {
		wsi_put(why, "has a line break");
	} else if (c < 0x20 || c == 0x7f) {
		wsi_put(why, "has the control character 0x");
		wsi_put_c(why, "0123456789abcdef"[c >> 4]);
		wsi_put_c(why, "0123456789abcdef"[c & 15]);
	} else if (f->secret) {
		wsi_put(why, "has a character that must not be there");
	} else {
		wsi_put(why, "must not have the character ");
		wsi_put_quoted(why, s + at, n > 0 ? (size_t)n : 1, 16);
	}
	wsi_put(why, " (byte ");
	wsi_put_u(why, at + 1);
	wsi_put(why, f->kind == HS_SUBPROTOCOLS
	                 ? "): a token has letters, digits and !#$%&'*+-.^_`|~"
	                 : ")");
	return why->p;
}

/* NULL, or what is wrong with at[0], a string of that field; of a list the others are behind it */
static const char *hs_check(const struct hs_field *f, const char *const *at, size_t len,
                            struct wsi_text *why)
{
	const char *s = *at;
	const size_t good = (f->kind == HS_HOSTS ? wsi_url_span : wsi_span)(s, len, f->set);
	struct wsi_header h;
	int k;

	if (len < f->least)
		return "is empty";
	if (good < len)
		return hs_wrong_character(why, f, s, len, good);
	switch (f->kind) {
	case HS_HEADERS:
		if (wsi_header_split(s, &h) == NULL)
			return "is not of the form \"Name: value\"";
		k = wsi_among(h.name.p, h.name.len < 14 ? h.name.len : 14, hs_ours);
		if (k < 0 || (k == 0 && h.value.len > 0) /* RFC 7230 5.4 */
		    || (k == 1 && wsi_has_token(h.value, "Upgrade")))
			return NULL;
		return wsi_nth(hs_ours_wrong, (unsigned)k);
	case HS_SUBPROTOCOLS: /* RFC 6455 4.1, 10.: all unique */
		return hs_find(at + 1, s, len) == NULL ? NULL : "is offered twice";
	case HS_USERS:
		return wsi_find(s, len, ':') < len ? NULL : "has no ':' between name and password";
	default:
		return NULL;
	}
}

WSI const char *wsi_request_check(const struct ws_options *o, const char **option,
                                  const char **value, struct wsi_text *text)
{
	const char *why, *one[2] = {NULL, NULL};
	const char *const *list;
	const struct hs_field *f;
	const unsigned char *at = (const unsigned char *)o + offsetof(struct ws_options, headers);
	size_t total = 0, len;

	for (f = hs_fields; f < hs_fields + HS_FIELDS; f++, at += sizeof one[0]) {
		*option = f->name;
		memcpy(one, at, sizeof one[0]);
		list = one;
		if (f->kind <= HS_SUBPROTOCOLS)
			memcpy(&list, at, sizeof list);
		for (; list != NULL && *list != NULL; list++) {
			*value = *list;
			len = strlen(*list);
			total += len;
			if (total > HS_OPTIONS_MAX)
				return "is too much: all that goes into the request may have 512 "
				       "KiB";
			why = hs_check(f, list, len, text);
			if (why != NULL)
				return why;
		}
	}
	/* the last, as *option and *value still say */
	return o->bearer != NULL && o->user != NULL ? "does not go together with user" : NULL;
}

/* ---- response ---- */

#define HS_SHOWN 100 /* bytes of what is wrong, in a sentence */

/* As in enum wsi_seen_header */
static const char hs_names[] =
    "Upgrade\0Connection\0Transfer-Encoding\0Content-Length\0Sec-WebSocket-Extensions\0"
    "Sec-WebSocket-Accept\0Sec-WebSocket-Protocol\0Sec-WebSocket-Version\0"
    "Retry-After\0Location\0Via\0";
/* The token that is looked for in the lists among them */
static const char *const hs_tokens[WSI_SEEN] = {[WSI_UPGRADE] = "websocket",
                                                [WSI_CONNECTION] = "Upgrade",
                                                [WSI_TRANSFER_ENCODING] = "chunked",
                                                [WSI_VERSION] = "13"};

/* RFC 7230 3.1.2: what may stand at each place of the status line, up to the SP before the reason, which is missed by
 * some where that is empty */
static const char hs_status_line[][7] = {"HH", "TT", "TT", "PP", "//", "11",        "..",
                                         "09", "  ", "19", "09", "09", "\n\n\r\r  "};
#define HS_STATUS_END 12 /* the place behind its three digits */

/* A CR only before a LF; a LF alone ends a line too (RFC 7230 3.5) */
static int hs_byte_fits(const char *p, size_t at)
{
	const char *set = "\t\t\n\n\r\r ~\x80\xff";

	if (at <= HS_STATUS_END)
		set = hs_status_line[at];
	else if (p[at - 1] == '\r')
		set = "\n\n";
	return wsi_span(p + at, 1, set) == 1;
}

/* Notes status and reason, of a status line whose end is at most at len */
static void hs_note_status(struct wsi_response *r, const char *p, size_t len)
{
	r->minor = p[7] - '0';
	r->status = wsi_number(p + 9, 3, 999);
	r->reason =
	    wsi_trim(p + HS_STATUS_END, wsi_span(p + HS_STATUS_END, len - HS_STATUS_END, HS_TEXT));
}

static void hs_put_in_line(struct wsi_text *why, int line, const char *what)
{
	wsi_put(why, "line ");
	wsi_put_u(why, (unsigned)line);
	wsi_put(why, " of its head has ");
	wsi_put(why, what);
}

/* The byte p[r->len] belongs in no head. p[0..len) is there to be shown. */
static int hs_wrong_byte(struct wsi_response *r, const char *p, size_t len, struct wsi_text *why)
{
	const size_t at = r->len;

	if (at > HS_STATUS_END) {
		const int stray = p[at - 1] == '\r'; /* then it was the CR that is wrong */
		const unsigned c = stray ? '\r' : (unsigned char)p[at];

		hs_note_status(r, p, at);
		hs_put_in_line(why, r->lines + 1, "the control character 0x");
		wsi_put_c(why, "0123456789abcdef"[c >> 4]);
		wsi_put_c(why, "0123456789abcdef"[c & 15]);
		wsi_put(why, stray ? ", a carriage return that ends no line" : "");
		return -1;
	}
	if (at == 0 && p[0] >= 0x14 && p[0] <= 0x17) { /* RFC 8446 5.1: a record's type */
		r->is_tls = 1;
		wsi_put(why, "it is TLS");
		return -1;
	}
	wsi_put(why, at < 5 ? "it is not HTTP" : "it has no status line of HTTP/1.1");
	wsi_put(why, ", it begins with ");
	wsi_put_quoted(why, p, len, HS_SHOWN);
	return -1;
}

static int hs_over_limit(struct wsi_response *r, const char *p, struct wsi_text *why)
{
	hs_note_status(r, p, r->len);
	if (r->lines > WS_MAX_HEAD_LINES) {
		wsi_put(why, "its head has over ");
		wsi_put_u(why, WS_MAX_HEAD_LINES);
		wsi_put(why, " lines");
		return -1;
	}
	wsi_put(why, "its head is over ");
	wsi_put_u(why, WS_MAX_HEAD);
	wsi_put(why, " bytes long (");
	wsi_put_u(why, (unsigned)r->lines);
	wsi_put(why, r->lines == 1 ? " line was whole by then)" : " lines were whole by then)");
	return -1;
}

/* RFC 7230 3.2.4: a line that begins with a space or a tab goes on with the header before it */
static void hs_unfold(char *fields, char *end)
{
	char *p;

	for (p = fields; p + 1 < end; p++) {
		if (*p != '\n' || (p[1] != ' ' && p[1] != '\t'))
			continue;
		*p = ' ';
		if (p[-1] == '\r')
			p[-1] = ' ';
	}
}

static void hs_note_header(struct wsi_response *r, const struct wsi_header *h)
{
	int k = wsi_among(h->name.p, h->name.len, hs_names);
	struct wsi_seen *s;

	if (k < 0)
		return;
	s = &r->seen[k];
	s->count++;
	/* RFC 7230 3.2.2: all of that name together are one list */
	if (hs_tokens[k] != NULL)
		s->listed |= wsi_has_token(h->value, hs_tokens[k]);
	/* a length of 0 must not hide another */
	if (s->value.len == 0 || (s->value.len == 1 && *s->value.p == '0' && h->value.len > 0))
		s->value = h->value;
}

/* Takes the head p[0..r->len), which is whole and has text alone in its lines, to its parts */
static int hs_parse(struct wsi_response *r, char *p, struct wsi_text *why)
{
	char *fields = p + wsi_find(p, r->len, '\n') + 1;
	const char *at, *next;
	struct wsi_header h;

	hs_note_status(r, p, r->len);
	if (*fields == ' ' || *fields == '\t') { /* RFC 7230 3 */
		wsi_put(why, "its first header line begins with a space");
		return -1;
	}
	hs_unfold(fields, p + r->len);
	for (at = fields; (next = wsi_header_next(at, &h)) != NULL; at = next)
		hs_note_header(r, &h);
	if (*at != '\r' && *at != '\n') {
		wsi_put(why, "its header line ");
		wsi_put_quoted(why, at, r->len - (size_t)(at - p), HS_SHOWN);
		wsi_put(why, " is not of the form \"Name: value\"");
		return -1;
	}
	r->fields = fields;
	return 1;
}

WSI int wsi_response_read(struct wsi_response *r, char *p, size_t len, struct wsi_text *why)
{
	while (r->len < len) {
		const char *s = p + r->len;

		if (!hs_byte_fits(p, r->len))
			return hs_wrong_byte(r, p, len, why);
		r->len++;
		if (*s == '\n'
		    && (s[-1] == '\n' || (s[-1] == '\r' && s[-2] == '\n'))) /* an empty line */
			return hs_parse(r, p, why);
		r->lines += *s == '\n';
		if (r->len >= WS_MAX_HEAD || r->lines > WS_MAX_HEAD_LINES)
			return hs_over_limit(r, p, why);
	}
	return 0;
}

/* "its Upgrade header is "h2c", not "websocket"", or that there is none */
static int hs_lacks(const struct wsi_seen *s, const char *name, const char *want,
                    struct wsi_text *why)
{
	if (s->count == 0) {
		wsi_put(why, "it has no \"");
		wsi_put(why, name);
		wsi_put(why, ": ");
		wsi_put(why, want);
		wsi_put(why, "\"");
		return -1;
	}
	wsi_put(why, "its ");
	wsi_put(why, name);
	wsi_put(why, " header is ");
	wsi_put_quoted(why, s->value.p, s->value.len, HS_SHOWN);
	wsi_put(why, ", not \"");
	wsi_put(why, want);
	wsi_put(why, "\"");
	return -1;
}

/* RFC 6455 4.1 4 */
static int hs_check_accept(const struct wsi_seen *s, const char *accept, struct wsi_text *why)
{
	if (s->count == 1 && s->value.len == 28 && memcmp(s->value.p, accept, 28) == 0)
		return 0;
	if (s->count == 0) {
		wsi_put(why, "it has no Sec-WebSocket-Accept (did a plain HTTP server answer?)");
	} else if (s->count > 1) {
		wsi_put(why, "it has ");
		wsi_put_u(why, (unsigned)s->count);
		wsi_put(why, " Sec-WebSocket-Accept headers");
	} else {
		wsi_put(why, "its Sec-WebSocket-Accept is ");
		wsi_put_quoted(why, s->value.p, s->value.len, HS_SHOWN);
		wsi_put(why, ", but \"");
		wsi_put_n(why, accept, 28);
		wsi_put(why, "\" answers our key (did a cache answer?)");
	}
	return -1;
}

static int hs_put_subprotocol(struct wsi_text *why, const struct wsi_seen *s, const char *what)
{
	wsi_put(why, "it chose the subprotocol ");
	wsi_put_quoted(why, s->value.p, s->value.len, HS_SHOWN);
	wsi_put(why, what);
	return -1;
}

/* RFC 6455 4.1 6 */
static int hs_check_subprotocol(const struct wsi_seen *s, const char *const *offered,
                                const char **subprotocol, const char **option, struct wsi_text *why)
{
	const char *const *chosen;

	if (s->count == 0)
		return 0;
	if (s->count > 1) {
		wsi_put(why, "it has ");
		wsi_put_u(why, (unsigned)s->count);
		wsi_put(why, " Sec-WebSocket-Protocol headers, but may choose one subprotocol");
		return -1;
	}
	if (s->value.len == 0) {
		wsi_put(why, "its Sec-WebSocket-Protocol header is empty");
		return -1;
	}
	chosen = hs_find(offered, s->value.p, s->value.len);
	if (chosen != NULL) {
		*subprotocol = *chosen;
		return 0;
	}
	if (wsi_span(s->value.p, s->value.len, WSI_TCHAR) < s->value.len)
		return hs_put_subprotocol(why, s, ", which is not one token");
	*option = "subprotocols";
	if (offered == NULL || *offered == NULL)
		return hs_put_subprotocol(why, s, ", but none was offered");
	return hs_put_subprotocol(why, s, ", which was not offered");
}

/* A body's length in a 101 is ignored: there is no body (RFC 9110 15.2, RFC 7230 3.3.3) */
WSI int wsi_response_check(const struct wsi_response *r, const char *accept,
                           const char *const *offered, const char **subprotocol,
                           const char **option, struct wsi_text *why)
{
	const struct wsi_seen *extensions = &r->seen[WSI_EXTENSIONS];

	*subprotocol = NULL;
	*option = "";
	if (r->minor == 0) { /* RFC 7230 6.7 */
		wsi_put(why, "HTTP/1.0 knows no upgrade");
		return -1;
	}
	if (!r->seen[WSI_UPGRADE].listed)
		return hs_lacks(&r->seen[WSI_UPGRADE], "Upgrade", "websocket", why);
	if (!r->seen[WSI_CONNECTION].listed)
		return hs_lacks(&r->seen[WSI_CONNECTION], "Connection", "Upgrade", why);
	if (extensions->value.len > 0) {
		wsi_put(why, "it chose the extension ");
		wsi_put_quoted(why, extensions->value.p, extensions->value.len, HS_SHOWN);
		wsi_put(why, ", but none was offered");
		return -1;
	}
	if (hs_check_accept(&r->seen[WSI_ACCEPT], accept, why) < 0)
		return -1;
	return hs_check_subprotocol(&r->seen[WSI_PROTOCOL], offered, subprotocol, option, why);
}

WSI void wsi_accept(char out[28], const char key[24])
{
	unsigned char text[24 + 36], digest[20];

	memcpy(text, key, 24);
	memcpy(text + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
	wsi_sha1(digest, text, sizeof text);
	wsi_base64_encode(out, digest, sizeof digest);
}

/* ---- body of a refused upgrade ---- */

/* A body without coding, and what is around the data of a chunk (RFC 7230 4.1). In the states of data left counts down,
 * and then comes the one before */
enum { HS_DONE, HS_BODY, HS_DATA_END, HS_DATA, HS_SIZE, HS_DIGITS, HS_EXTENSION };

/* From HS_DATA_END on, the next state at a digit, CR, LF, ";", SP, HT, and another byte. What does not belong there ends
 * the body, and so does the last chunk: a trailer says nothing to us */
static const unsigned char hs_chunk[][8] = {
    {HS_DONE, HS_DATA_END, HS_SIZE},
    {HS_DONE},
    {HS_DIGITS},
    {HS_DIGITS, HS_EXTENSION, HS_DATA, HS_EXTENSION, HS_EXTENSION, HS_EXTENSION},
    {HS_EXTENSION, HS_EXTENSION, HS_DATA, HS_EXTENSION, HS_EXTENSION, HS_EXTENSION, HS_EXTENSION},
};

WSI void wsi_body_init(struct wsi_body *b, const struct wsi_response *r)
{
	const struct wsi_str *length = &r->seen[WSI_CONTENT_LENGTH].value;

	b->left = 0;
	b->state = HS_DONE;
	if (r->status < 200 || r->status == 204
	    || r->status == 304) /* RFC 7230 3.3.3: whatever its headers say */
		return;
	b->state = HS_SIZE;
	if (r->seen[WSI_TRANSFER_ENCODING].listed)
		return;
	/* -1, for nonsense, none, or too much for us, is without end: up to that of the file */
	b->left = (uint64_t)wsi_number(length->p, length->len, INT32_MAX / 16);
	b->state = b->left != 0 ? HS_BODY : HS_DONE;
}

/* Takes one byte of what is around a chunk's data */
static int hs_chunk_next(struct wsi_body *b, char c)
{
	int digit = wsi_hex(c);
	int state =
	    hs_chunk[b->state - HS_DATA_END][digit >= 0 ? 0 : 1 + wsi_find("\r\n; \t", 5, c)];

	if (state == HS_DIGITS) {
		if (b->left >> 59 != 0)
			return HS_DONE;
		b->left = b->left * 16 + (unsigned)digit;
	}
	return state == HS_DATA && b->left == 0 ? HS_DONE : state;
}

WSI void wsi_body_feed(struct wsi_body *b, struct wsi_text *out, const char *p, size_t len)
{
	for (; len > 0 && b->state != HS_DONE; p++, len--) {
		if ((b->state | 2) != HS_DATA) { /* HS_BODY or that */
			b->state = hs_chunk_next(b, *p);
			continue;
		}
		wsi_put_c(out, *p);
		b->left--;
		if (b->left == 0)
			b->state--;
	}
}
