/* SPDX-License-Identifier: ISC
 * response.c - the response of the opening handshake: its head (RFC 7230), whether a 101 accepts
 * our request (RFC 6455 4.1), and the body of a refusal
 */
#include <string.h>
#include "ws.h"
#include "ws_proto.h"

#define RESPONSE_SHOWN 100 /* bytes of what is wrong, in a sentence */

/* Places in the status line "HTTP/1.1 101 Switching Protocols". */
enum {
	STATUS_VERSION_END = 5, /* after "HTTP/" */
	STATUS_MINOR = 7,
	STATUS_CODE = 9,
	STATUS_CODE_END = 12
};

/* The headers that count, and the token that is looked for in those that are lists. */
static const struct {
	const char *name, *token;
} response_headers[WSI_SEEN] = {
    [WSI_UPGRADE] = {"Upgrade", "websocket"},
    [WSI_CONNECTION] = {"Connection", "Upgrade"},
    [WSI_TRANSFER_ENCODING] = {"Transfer-Encoding", "chunked"},
    [WSI_CONTENT_LENGTH] = {"Content-Length", NULL},
    [WSI_EXTENSIONS] = {"Sec-WebSocket-Extensions", NULL},
    [WSI_ACCEPT] = {"Sec-WebSocket-Accept", NULL},
    [WSI_PROTOCOL] = {"Sec-WebSocket-Protocol", NULL},
    [WSI_VERSION] = {"Sec-WebSocket-Version", "13"},
    [WSI_RETRY_AFTER] = {"Retry-After", NULL},
    [WSI_LOCATION] = {"Location", NULL},
    [WSI_VIA] = {"Via", NULL},
};

/* The head, byte by byte
 *
 * A head is read in two states, which r->len distinguishes: within the first STATUS_CODE_END bytes
 * every place has its own set of bytes; after them come text and line ends, up to an empty line. A
 * line ends with LF or CR LF (RFC 7230 3.5).
 */

/* True if the status line may have the byte at that place, which is at most STATUS_CODE_END: RFC
 * 7230 3.1.2. */
static int response_fits_status(size_t at, char byte)
{
	switch (at) {
	case STATUS_MINOR:
	case STATUS_CODE + 1:
	case STATUS_CODE + 2:
		return wsi_is_digit(byte);
	case STATUS_CODE:
		return byte >= '1' && byte <= '9';
	case STATUS_CODE_END: /* some servers leave out the space where the reason is empty */
		return byte == ' ' || byte == '\r' || byte == '\n';
	default:
		return byte == "HTTP/1.x "[at];
	}
}

static int response_fits(const char *p, size_t at)
{
	if (at <= STATUS_CODE_END)
		return response_fits_status(at, p[at]);
	if (p[at - 1] == '\r')
		return p[at] == '\n';
	return p[at] == '\r' || p[at] == '\n' || wsi_is_header_text((unsigned char)p[at]);
}

/* True if the LF at p[at] ends an empty line. */
static int response_ends_head(const char *p, size_t at)
{
	return p[at - 1] == '\n' || (p[at - 1] == '\r' && p[at - 2] == '\n');
}

/* Notes version, status and reason. The status line ends at len or before. */
static void response_note_status(struct wsi_response *r, const char *p, size_t len)
{
	const char *reason = p + STATUS_CODE_END;

	r->minor = p[STATUS_MINOR] - '0';
	r->status = wsi_number(p + STATUS_CODE, STATUS_CODE_END - STATUS_CODE, 999);
	r->reason =
	    wsi_trim(reason, wsi_span_if(reason, len - STATUS_CODE_END, wsi_is_header_text));
}

/* Sentences about a head that is wrong. Each returns -1, as wsi_response_read does then. */

/* The byte p[r->len] is not allowed in the lines after the status. */
static int response_wrong_text(struct wsi_response *r, const char *p, struct wsi_text *why)
{
	unsigned byte = (unsigned char)p[r->len];
	const int stray_cr = p[r->len - 1] == '\r'; /* then the CR before it is what is wrong */

	if (stray_cr)
		byte = '\r';
	response_note_status(r, p, r->len);
	wsi_put(why, "line ");
	wsi_put_u(why, (unsigned)r->lines + 1);
	wsi_put(why, " of its head has the control character 0x");
	wsi_put_hex(why, byte);
	if (stray_cr)
		wsi_put(why, ", a carriage return that does not end a line");
	return -1;
}

/* The byte p[r->len] is not allowed in the status line. p[0..len) can be shown. */
static int response_wrong_status(struct wsi_response *r, const char *p, size_t len,
                                 struct wsi_text *why)
{
	if (r->len == 0 && p[0] >= 0x14 && p[0] <= 0x17) { /* RFC 8446 5.1: types of a record */
		r->is_tls = 1;
		wsi_put(why, "it is TLS");
		return -1;
	}
	if (r->len < STATUS_VERSION_END)
		wsi_put(why, "it is not HTTP");
	else
		wsi_put(why, "it does not have a status line of HTTP/1.1");
	wsi_put(why, ", it begins with ");
	wsi_put_quoted(why, p, len, RESPONSE_SHOWN);
	return -1;
}

static int response_too_many_lines(struct wsi_response *r, const char *p, struct wsi_text *why)
{
	response_note_status(r, p, r->len);
	wsi_put(why, "its head has over ");
	wsi_put_u(why, WS_MAX_HEAD_LINES);
	wsi_put(why, " lines");
	return -1;
}

static int response_too_long(struct wsi_response *r, const char *p, struct wsi_text *why)
{
	response_note_status(r, p, r->len);
	wsi_put(why, "its head is over ");
	wsi_put_u(why, WS_MAX_HEAD);
	wsi_put(why, " bytes long (");
	wsi_put_u(why, (unsigned)r->lines);
	wsi_put(why, r->lines == 1 ? " complete line so far)" : " complete lines so far)");
	return -1;
}

/* The head, once it is complete */

/* RFC 7230 3.2.4: a line that begins with a space or a tab continues the header before it. */
static void response_unfold(char *fields, char *end)
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

static void response_note_header(struct wsi_response *r, const struct wsi_header *h)
{
	struct wsi_seen *s;
	int k = 0;

	while (k < WSI_SEEN && !wsi_is(h->name, response_headers[k].name))
		k++;
	if (k == WSI_SEEN)
		return;
	s = &r->seen[k];
	s->count++;
	/* RFC 7230 3.2.2: all headers of that name together are one list */
	if (response_headers[k].token && wsi_has_token(h->value, response_headers[k].token))
		s->listed = 1;
	/* a Content-Length of 0 must not hide another one */
	if (s->value.len == 0 || (wsi_is(s->value, "0") && h->value.len > 0))
		s->value = h->value;
}

/* Splits the complete head p[0..r->len), whose lines consist of text. */
static int response_parse(struct wsi_response *r, char *p, struct wsi_text *why)
{
	char *fields = p + wsi_find(p, r->len, '\n') + 1;
	const char *line = fields, *next;
	struct wsi_header h;

	response_note_status(r, p, r->len);
	if (*fields == ' ' || *fields == '\t') { /* RFC 7230 3 */
		wsi_put(why, "its first header line begins with a space");
		return -1;
	}
	response_unfold(fields, p + r->len);
	next = wsi_header_next(line, &h);
	while (next) {
		response_note_header(r, &h);
		line = next;
		next = wsi_header_next(line, &h);
	}
	if (*line != '\r' && *line != '\n') {
		wsi_put(why, "its header line ");
		wsi_put_quoted(why, line, r->len - (size_t)(line - p), RESPONSE_SHOWN);
		wsi_put(why, " is not of the form \"Name: value\"");
		return -1;
	}
	r->fields = fields;
	return 1;
}

int wsi_response_read(struct wsi_response *r, char *p, size_t len, struct wsi_text *why)
{
	/* p[0..r->len) is the beginning of a head, with r->lines complete lines, and not yet all of
	 * it */
	while (r->len < len) {
		const size_t at = r->len;

		if (!response_fits(p, at)) {
			if (at <= STATUS_CODE_END)
				return response_wrong_status(r, p, len, why);
			return response_wrong_text(r, p, why);
		}
		r->len++;
		if (p[at] == '\n') {
			if (response_ends_head(p, at))
				return response_parse(r, p, why);
			r->lines++;
		}
		if (r->lines > WS_MAX_HEAD_LINES)
			return response_too_many_lines(r, p, why);
		if (r->len >= WS_MAX_HEAD)
			return response_too_long(r, p, why);
	}
	return 0;
}

/* What a 101 must have: RFC 6455 4.1. Each function returns 0, or -1 with a sentence in why. */

/* The list has the token "websocket", or "Upgrade". */
static int response_check_list(const struct wsi_response *r, enum wsi_seen_header k,
                               struct wsi_text *why)
{
	const struct wsi_seen *s = &r->seen[k];

	if (s->listed)
		return 0;
	if (s->count == 0) {
		wsi_put(why, "it has no \"");
		wsi_put(why, response_headers[k].name);
		wsi_put(why, ": ");
	} else {
		wsi_put(why, "its ");
		wsi_put(why, response_headers[k].name);
		wsi_put(why, " header is ");
		wsi_put_quoted(why, s->value.p, s->value.len, RESPONSE_SHOWN);
		wsi_put(why, ", not \"");
	}
	wsi_put(why, response_headers[k].token);
	wsi_put(why, "\"");
	return -1;
}

/* RFC 6455 4.1, 5: we offer no extension. */
static int response_check_extensions(const struct wsi_seen *s, struct wsi_text *why)
{
	if (s->value.len == 0)
		return 0;
	wsi_put(why, "it chose the extension ");
	wsi_put_quoted(why, s->value.p, s->value.len, RESPONSE_SHOWN);
	wsi_put(why, ", but none was offered");
	return -1;
}

/* RFC 6455 4.1, 4 */
static int response_check_accept(const struct wsi_seen *s, const char *accept, struct wsi_text *why)
{
	if (s->count == 1 && s->value.len == WSI_ACCEPT_LEN
	    && memcmp(s->value.p, accept, WSI_ACCEPT_LEN) == 0)
		return 0;
	if (s->count == 0) {
		wsi_put(why, "it has no Sec-WebSocket-Accept (did a plain HTTP server answer?)");
	} else if (s->count > 1) {
		wsi_put(why, "it has ");
		wsi_put_u(why, (unsigned)s->count);
		wsi_put(why, " Sec-WebSocket-Accept headers");
	} else {
		wsi_put(why, "its Sec-WebSocket-Accept is ");
		wsi_put_quoted(why, s->value.p, s->value.len, RESPONSE_SHOWN);
		wsi_put(why, ", but \"");
		wsi_put_n(why, accept, WSI_ACCEPT_LEN);
		wsi_put(why, "\" answers our key (did a cache answer?)");
	}
	return -1;
}

static int response_wrong_subprotocol(struct wsi_text *why, struct wsi_str chosen, const char *what)
{
	wsi_put(why, "it chose the subprotocol ");
	wsi_put_quoted(why, chosen.p, chosen.len, RESPONSE_SHOWN);
	wsi_put(why, what);
	return -1;
}

/* RFC 6455 4.1, 6 */
static int response_check_subprotocol(const struct wsi_seen *s, const char *const *offered,
                                      const char **subprotocol, const char **option,
                                      struct wsi_text *why)
{
	const struct wsi_str chosen = s->value;
	const char *const *found;

	if (s->count == 0)
		return 0;
	if (s->count > 1) {
		wsi_put(why, "it has ");
		wsi_put_u(why, (unsigned)s->count);
		wsi_put(why, " Sec-WebSocket-Protocol headers, but may choose one subprotocol");
		return -1;
	}
	if (chosen.len == 0) {
		wsi_put(why, "its Sec-WebSocket-Protocol header is empty");
		return -1;
	}
	found = wsi_find_string(offered, chosen);
	if (found) {
		*subprotocol = *found;
		return 0;
	}
	if (wsi_span_if(chosen.p, chosen.len, wsi_is_tchar) < chosen.len)
		return response_wrong_subprotocol(why, chosen, ", which is not one token");
	*option = "subprotocols";
	if (!offered || !*offered)
		return response_wrong_subprotocol(why, chosen, ", but none was offered");
	return response_wrong_subprotocol(why, chosen, ", which was not offered");
}

/* Content-Length and Transfer-Encoding do not count: a 101 has no body (RFC 9110 15.2, RFC 7230
 * 3.3.3). */
int wsi_response_check(const struct wsi_response *r, const char *accept, const char *const *offered,
                       const char **subprotocol, const char **option, struct wsi_text *why)
{
	*subprotocol = NULL;
	*option = "";
	if (r->minor == 0) { /* RFC 7230 6.7 */
		wsi_put(why, "HTTP/1.0 has no Upgrade");
		return -1;
	}
	if (response_check_list(r, WSI_UPGRADE, why) < 0)
		return -1;
	if (response_check_list(r, WSI_CONNECTION, why) < 0)
		return -1;
	if (response_check_extensions(&r->seen[WSI_EXTENSIONS], why) < 0)
		return -1;
	if (response_check_accept(&r->seen[WSI_ACCEPT], accept, why) < 0)
		return -1;
	return response_check_subprotocol(&r->seen[WSI_PROTOCOL], offered, subprotocol, option,
	                                  why);
}

void wsi_accept(char out[WSI_ACCEPT_LEN], const char key[WSI_REQUEST_KEY_LEN])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455 1.3 */
	unsigned char text[WSI_REQUEST_KEY_LEN + sizeof guid - 1], digest[20];

	memcpy(text, key, WSI_REQUEST_KEY_LEN);
	memcpy(text + WSI_REQUEST_KEY_LEN, guid, sizeof guid - 1);
	wsi_sha1(digest, text, sizeof text);
	wsi_base64_encode(out, digest, sizeof digest);
}

/* The body of a refusal */

#define RESPONSE_BODY_MAX (INT32_MAX / 16) /* a longer Content-Length counts as none */

void wsi_body_init(struct wsi_body *b, const struct wsi_response *r)
{
	const struct wsi_str *length = &r->seen[WSI_CONTENT_LENGTH].value;
	int len;

	b->left = 0;
	b->state = WSI_BODY_ENDED;
	/* RFC 7230 3.3.3: these have no body, whatever their headers say */
	if (r->status < 200 || r->status == 204 || r->status == 304)
		return;
	if (r->seen[WSI_TRANSFER_ENCODING].listed) {
		b->state = WSI_CHUNK_BEGIN;
		return;
	}
	len = wsi_number(length->p, length->len, RESPONSE_BODY_MAX);
	if (len < 0) {
		b->state = WSI_BODY_TO_EOF;
	} else if (len > 0) {
		b->state = WSI_BODY_COUNTED;
		b->left = (uint64_t)len;
	}
}

/* One more hexadecimal digit of the chunk's size. */
static enum wsi_body_state response_size_digit(struct wsi_body *b, char byte)
{
	if (b->left >> 59 != 0) /* it would not fit */
		return WSI_BODY_ENDED;
	b->left = b->left * 16 + (unsigned)wsi_hex(byte);
	return WSI_CHUNK_SIZE;
}

/* The line with the chunk's size has ended. A chunk of 0 bytes is the last; a trailer is not waited
 * for. */
static enum wsi_body_state response_size_end(const struct wsi_body *b)
{
	return b->left > 0 ? WSI_CHUNK_DATA : WSI_BODY_ENDED;
}

/* The state after a byte that is not data. A byte that does not belong there ends the body. */
static enum wsi_body_state response_after(struct wsi_body *b, char byte)
{
	switch (b->state) {
	case WSI_CHUNK_BEGIN:
		if (wsi_hex(byte) >= 0)
			return response_size_digit(b, byte);
		return WSI_BODY_ENDED;
	case WSI_CHUNK_SIZE:
		if (wsi_hex(byte) >= 0)
			return response_size_digit(b, byte);
		if (byte == '\n')
			return response_size_end(b);
		if (byte == '\r' || byte == ';' || byte == ' ' || byte == '\t')
			return WSI_CHUNK_EXTENSION;
		return WSI_BODY_ENDED;
	case WSI_CHUNK_EXTENSION:
		return byte == '\n' ? response_size_end(b) : WSI_CHUNK_EXTENSION;
	default: /* WSI_CHUNK_DATA_END */
		if (byte == '\r')
			return WSI_CHUNK_DATA_END;
		return byte == '\n' ? WSI_CHUNK_BEGIN : WSI_BODY_ENDED;
	}
}

void wsi_body_feed(struct wsi_body *b, struct wsi_text *out, const char *p, size_t len)
{
	for (; len > 0 && b->state != WSI_BODY_ENDED; p++, len--) {
		switch (b->state) {
		case WSI_BODY_TO_EOF:
			wsi_put_c(out, *p);
			break;
		case WSI_BODY_COUNTED:
			wsi_put_c(out, *p);
			b->left--;
			if (b->left == 0)
				b->state = WSI_BODY_ENDED;
			break;
		case WSI_CHUNK_DATA:
			wsi_put_c(out, *p);
			b->left--;
			if (b->left == 0)
				b->state = WSI_CHUNK_DATA_END;
			break;
		default:
			b->state = response_after(b, *p);
			break;
		}
	}
}
