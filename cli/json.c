/* SPDX-License-Identifier: ISC
 * json.c - writes JSON: RFC 8259, on one line, valid UTF-8 whatever the bytes
 *
 * It knows nothing of queries: result.c calls it in the order in which the members are in
 * result.schema.json. Commas need no call: the emitter remembers whether a value comes before the
 * next one.
 */
#include "cli/wsquery.h"
#include <string.h>

void wq_json_begin(struct wq_json *j, struct wq_out *out)
{
	j->out = out;
	j->comma = false;
}

/* What comes before each key, and before each value without one */
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

/* Strings
 *
 * Most text needs no escape, so it is looked at and copied eight bytes at a time. Where one of the
 * eight is another kind of byte, they are taken one by one: a message that is JSON itself has many
 * quotes. */

#define FEW 16                  /* bytes of text that are taken one by one */
#define FEW_ROOM (6 * FEW + 12) /* "\u001f" for each, and one more character at the end */

/* Eight bytes, each of them with the value c */
#define EIGHT(c) ((uint64_t)0x0101010101010101 * (c))

/* Writes a UTF-16 code unit. Returns where it ends, as the functions below do. */
static char *put_unit(char *to, uint32_t unit)
{
	static const char hex[] = "0123456789abcdef";
	int shift;

	*to++ = '\\';
	*to++ = 'u';
	for (shift = 12; shift >= 0; shift -= 4)
		*to++ = hex[unit >> shift & 15];
	return to;
}

static char *put_code_point(char *to, uint32_t cp)
{
	if (cp < 0x10000)
		return put_unit(to, cp);
	/* RFC 8259 7: as a surrogate pair */
	to = put_unit(to, 0xd800 + ((cp - 0x10000) >> 10));
	return put_unit(to, 0xdc00 + ((cp - 0x10000) & 0x3ff));
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

/* Writes the character that s begins with, or U+FFFD if it is not UTF-8. One that a terminal would
 * not show is valid in JSON but is escaped all the same. *used is set to its length in s. */
static char *put_character(char *to, const unsigned char *s, size_t len, size_t *used)
{
	static const char replacement[] = {'\xef', '\xbf', '\xbd'};
	uint32_t cp;
	int n = wsi_utf8_decode(&cp, s, len);

	if (n <= 0) {
		*used = invalid_len(s, len);
		memcpy(to, replacement, sizeof replacement);
		return to + sizeof replacement;
	}
	*used = (size_t)n;
	if (cp < 0x20 || wsi_is_unseen(cp))
		return put_code_point(to, cp);
	memmove(to, s, *used);
	return to + *used;
}

/* The character after the backslash of a short escape (RFC 8259 7), or 0 */
static char short_escape(unsigned char c)
{
	switch (c) {
	case '"':
	case '\\':
		return (char)c;
	case '\b':
		return 'b';
	case '\f':
		return 'f';
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\t':
		return 't';
	default:
		return 0;
	}
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* is_plain() for all eight bytes at once: the high bit of each byte of a sum is the result for that
 * byte. A byte over 0x7f may carry into the next one, but then the word is not plain anyway. */
static bool eight_are_plain(uint64_t word)
{
	uint64_t plain;

	plain =
	    (word ^ EIGHT(0x02)) + EIGHT(0x80 - 0x21); /* from '!' on; '"' and ' ' are swapped */
	plain &= (word ^ EIGHT('\\')) + EIGHT(0x7f);   /* all but '\\' */
	plain &= ~(word | (word + EIGHT(1)));          /* below 0x7f */
	return (plain & EIGHT(0x80)) == EIGHT(0x80);
}

/* The length of a prefix of s that needs no escape, found by looking at eight bytes at a time. The
 * last eight may overlap those before them. */
static size_t plain_len(const unsigned char *s, size_t len)
{
	size_t i = 0;
	uint64_t word;

	if (len < 8)
		return 0;
	while (i < len) {
		for (; i + 8 <= len; i += 8) {
			memcpy(&word, s + i, 8);
			if (!eight_are_plain(word))
				return i;
		}
		if (i < len)
			i = len - 8;
	}
	return len;
}

/* Writes the characters that begin in the first FEW bytes of s. Returns where they end. */
static size_t put_few(struct wq_out *out, const unsigned char *s, size_t len)
{
	const size_t stop = len < FEW ? len : FEW;
	char *to = wq_out_room(out, FEW_ROOM);
	size_t i = 0, n;
	char letter;

	if (!to)
		return len;
	while (i < stop) {
		if (is_plain(s[i])) {
			*to++ = (char)s[i++];
			continue;
		}
		letter = short_escape(s[i]);
		if (letter) {
			*to++ = '\\';
			*to++ = letter;
			i++;
			continue;
		}
		to = put_character(to, s + i, len - i, &n);
		i += n;
	}
	wq_out_take(out, to);
	return i;
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

	while (len > 0) {
		n = plain_len(s, len);
		if (n > 0)
			wq_out_n(j->out, s, n);
		else
			n = put_few(j->out, s, len);
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
