/* SPDX-License-Identifier: ISC
 * json.c - writes JSON: RFC 8259, on one line, valid UTF-8 whatever the bytes
 *
 * It knows nothing of queries: result.c calls it in the order in which the members stand in
 * result.schema.json. Commas need no call: the emitter remembers whether a value stands before the
 * next one.
 */
#include "cli/wsquery.h"
#include <string.h>

void wq_json_begin(struct wq_json *j, struct wq_out *out)
{
	j->out = out;
	j->comma = false;
}

/* What stands before each key, and before each value without one */
static void put_comma(struct wq_json *j)
{
	if (j->comma)
		wq_out(j->out, ", ");
	j->comma = true;
}

void wq_json_open(struct wq_json *j, char bracket)
{
	put_comma(j);
	wq_out_n(j->out, &bracket, 1);
	j->comma = false;
}

void wq_json_close(struct wq_json *j, char bracket)
{
	wq_out_n(j->out, &bracket, 1);
	j->comma = true;
}

void wq_json_key(struct wq_json *j, const char *name)
{
	wq_json_string(j, name, strlen(name));
	wq_out(j->out, ": ");
	j->comma = false;
}

void wq_json_lower_key(struct wq_json *j, const char *name, size_t len)
{
	size_t i;

	wq_json_begin_string(j);
	for (i = 0; i < len; i++) {
		char c = (char)wsi_lower(name[i]);

		wq_json_add_to_string(j, &c, 1);
	}
	wq_json_end_string(j);
	wq_out(j->out, ": ");
	j->comma = false;
}

void wq_json_null(struct wq_json *j)
{
	put_comma(j);
	wq_out(j->out, "null");
}

void wq_json_boolean(struct wq_json *j, bool v)
{
	put_comma(j);
	wq_out(j->out, v ? "true" : "false");
}

void wq_json_integer(struct wq_json *j, int64_t v)
{
	put_comma(j);
	wq_out_i(j->out, v);
}

void wq_json_milliseconds(struct wq_json *j, int64_t us)
{
	if (us < 0) {
		wq_json_null(j);
		return;
	}
	put_comma(j);
	wq_out_decimal(j->out, (uint64_t)us, 3);
}

/* Strings */

/* Writes a UTF-16 code unit. */
static void put_unit(struct wq_out *out, uint32_t unit)
{
	static const char hex[] = "0123456789abcdef";
	char escape[6] = {'\\', 'u'};
	int i;

	for (i = 0; i < 4; i++)
		escape[2 + i] = hex[unit >> (12 - 4 * i) & 15];
	wq_out_n(out, escape, sizeof escape);
}

static void put_code_point(struct wq_out *out, uint32_t cp)
{
	if (cp < 0x10000) {
		put_unit(out, cp);
		return;
	}
	/* RFC 8259 7: as a surrogate pair */
	put_unit(out, 0xd800 + ((cp - 0x10000) >> 10));
	put_unit(out, 0xdc00 + ((cp - 0x10000) & 0x3ff));
}

/* s begins with no valid character. Returns how many bytes one U+FFFD stands for: those that could
 * begin a character, at least 1 (Unicode 3.9, "maximal subpart"). */
static size_t invalid_len(const unsigned char *s, size_t len)
{
	uint32_t cp;
	size_t n = 1;

	while (n < len && n < 3 && wsi_utf8_decode(&cp, s, n + 1) == 0)
		n++;
	return n;
}

/* Each byte of the word that is 0 gets its high bit set, and perhaps the byte above it, too. */
static uint64_t zero_bytes(uint64_t word)
{
	return (word - 0x0101010101010101) & ~word & 0x8080808080808080;
}

/* The length of a beginning of s that is printable ASCII without '"' and '\\', in steps of 8 bytes:
 * most text is, and byte by byte it would take several times as long. */
static size_t plain_len(const unsigned char *s, size_t len)
{
	uint64_t word, wrong;
	size_t i;

	for (i = 0; i + 8 <= len; i += 8) {
		memcpy(&word, s + i, 8);
		wrong = word & 0x8080808080808080;
		wrong |= (word - 0x2020202020202020) & ~word & 0x8080808080808080; /* controls */
		wrong |= zero_bytes(word ^ 0x7f7f7f7f7f7f7f7f);
		wrong |= zero_bytes(word ^ 0x2222222222222222); /* '"' */
		wrong |= zero_bytes(word ^ 0x5c5c5c5c5c5c5c5c); /* '\\' */
		if (wrong)
			break;
	}
	return i;
}

/* How many bytes from s on can be written as they are. A character that a terminal would not show
 * is valid in JSON but is escaped all the same. */
static size_t unescaped_len(const unsigned char *s, size_t len)
{
	size_t i = plain_len(s, len);
	uint32_t cp;
	int n;

	while (i < len) {
		if (s[i] < 0x80) {
			if (s[i] < 0x20 || s[i] == 0x7f || s[i] == '"' || s[i] == '\\')
				break;
			i++;
			continue;
		}
		n = wsi_utf8_decode(&cp, s + i, len - i);
		if (n <= 0 || wsi_is_unseen(cp))
			break;
		i += (size_t)n;
		i += plain_len(s + i, len - i);
	}
	return i;
}

/* Writes what s begins with as an escape, or as U+FFFD if it is not UTF-8. Returns the bytes used
 * up. */
static size_t put_escape(struct wq_out *out, const unsigned char *s, size_t len)
{
	uint32_t cp;
	int n = wsi_utf8_decode(&cp, s, len);

	if (n <= 0) {
		wq_out(out, "\xef\xbf\xbd");
		return invalid_len(s, len);
	}
	switch (cp) {
	case '"':
		wq_out(out, "\\\"");
		break;
	case '\\':
		wq_out(out, "\\\\");
		break;
	case '\b':
		wq_out(out, "\\b");
		break;
	case '\f':
		wq_out(out, "\\f");
		break;
	case '\n':
		wq_out(out, "\\n");
		break;
	case '\r':
		wq_out(out, "\\r");
		break;
	case '\t':
		wq_out(out, "\\t");
		break;
	default:
		put_code_point(out, cp);
	}
	return (size_t)n;
}

void wq_json_begin_string(struct wq_json *j)
{
	put_comma(j);
	wq_out(j->out, "\"");
}

void wq_json_add_to_string(struct wq_json *j, const void *p, size_t len)
{
	const unsigned char *s = p;
	size_t n;

	while (len > 0 && !j->out->err) {
		n = unescaped_len(s, len);
		if (n > 0)
			wq_out_n(j->out, s, n);
		else
			n = put_escape(j->out, s, len);
		s += n;
		len -= n;
	}
}

void wq_json_end_string(struct wq_json *j)
{
	wq_out(j->out, "\"");
}

void wq_json_string(struct wq_json *j, const void *p, size_t len)
{
	wq_json_begin_string(j);
	wq_json_add_to_string(j, p, len);
	wq_json_end_string(j);
}

void wq_json_text(struct wq_json *j, const char *s)
{
	if (s && *s)
		wq_json_string(j, s, strlen(s));
	else
		wq_json_null(j);
}

void wq_json_base64(struct wq_json *j, const void *p, size_t len)
{
	enum { PIECE = 192 }; /* a multiple of three, so that only the last piece has padding */
	const char *s = p;
	char buf[WSI_BASE64_LEN(PIECE)];

	wq_json_begin_string(j);
	while (len > 0 && !j->out->err) {
		size_t n = len < PIECE ? len : PIECE;

		wq_out_n(j->out, buf, wsi_base64_encode(buf, s, n));
		s += n;
		len -= n;
	}
	wq_json_end_string(j);
}
