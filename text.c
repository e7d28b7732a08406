/* SPDX-License-Identifier: ISC
 * text.c - strings that are built in a fixed buffer, and the searching, comparing and reading of
 * short strings
 */
#include "ws_pure.h"
#include <limits.h>
#include <string.h>

static const char text_hex_digits[] = "0123456789abcdef";

/* Building */

void wsi_text_init(struct wsi_text *t, char *buf, size_t cap)
{
	t->p = buf;
	t->cap = cap;
	t->len = 0;
	t->cut = false;
	buf[0] = '\0';
}

void wsi_put_n(struct wsi_text *t, const void *p, size_t len)
{
	size_t room = t->cap - t->len - 1;

	if (t->cut)
		return;
	if (len > room) {
		t->cut = true;
		len = room;
	}
	memcpy(t->p + t->len, p, len);
	t->len += len;
	t->p[t->len] = '\0';
}

void wsi_put(struct wsi_text *t, const char *s)
{
	wsi_put_n(t, s, strlen(s));
}

void wsi_put_c(struct wsi_text *t, char c)
{
	wsi_put_n(t, &c, 1);
}

void wsi_put_u(struct wsi_text *t, uint64_t v)
{
	wsi_put_digits(t, v, 10, 0);
}

void wsi_put_digits(struct wsi_text *t, uint64_t v, unsigned base, int places)
{
	char buf[22]; /* the 20 digits of 2^64 - 1, a point, and a 0 before it */
	char *p = buf + sizeof buf;
	int digits;

	/* From right to left. At least one digit comes before the point. */
	for (digits = 0; v > 0 || digits <= places; digits++) {
		if (digits == places && digits > 0)
			*--p = '.';
		*--p = text_hex_digits[v % base];
		v /= base;
	}
	wsi_put_n(t, p, (size_t)(buf + sizeof buf - p));
}

/* Time */

int wsi_ms_until(int64_t now_us, int64_t then_us)
{
	int64_t ms;

	if (then_us == WSI_NEVER)
		return -1;
	if (then_us <= now_us)
		return 0;
	ms = (then_us - now_us + 999) / 1000;
	if (ms > INT_MAX)
		return INT_MAX;
	return (int)ms;
}

int64_t wsi_earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Keeps three significant digits and no zeros at the end. The rest is cut off: rounding would turn
 * 999.9 ms into 1000 ms. */
void wsi_put_ms(struct wsi_text *t, int64_t us)
{
	const char *unit = " ms";
	int places = 3;
	uint64_t v = 0;

	if (us > 0)
		v = (uint64_t)us;
	if (v >= 1000000) {
		unit = " s";
		places = 6;
	}
	while (places > 0 && (v >= 1000 || v % 10 == 0)) {
		v /= 10;
		places--;
	}
	wsi_put_digits(t, v, 10, places);
	wsi_put(t, unit);
}

/* Bytes of a peer */

/* Characters that nobody sees, or that change how the text around them looks: controls, line ends,
 * marks of direction, the rest of Unicode's general category Cf, and Default_Ignorable_Code_Point
 * (joiners, variation selectors, tags and fillers, also those not assigned yet). In ascending
 * order. */
static const struct text_range {
	uint32_t first, last;
} text_unseen[] = {
    {0x0000, 0x001f},   {0x007f, 0x009f},   {0x00ad, 0x00ad},   {0x034f, 0x034f},
    {0x0600, 0x0605},   {0x061c, 0x061c},   {0x06dd, 0x06dd},   {0x070f, 0x070f},
    {0x0890, 0x0891},   {0x08e2, 0x08e2},   {0x115f, 0x1160},   {0x17b4, 0x17b5},
    {0x180b, 0x180f},   {0x200b, 0x200f},   {0x2028, 0x202e},   {0x2060, 0x206f},
    {0x3164, 0x3164},   {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0},
    {0xfff0, 0xfffb},   {0x110bd, 0x110bd}, {0x110cd, 0x110cd}, {0x13430, 0x1343f},
    {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
};
#define TEXT_UNSEEN (sizeof text_unseen / sizeof text_unseen[0])

bool wsi_is_unseen(uint32_t cp)
{
	size_t i;

	for (i = 0; i < TEXT_UNSEEN && cp >= text_unseen[i].first; i++)
		if (cp <= text_unseen[i].last)
			return true;
	return false;
}

/* The length of the character at p. *safe: it can be shown. A byte that begins no character has the
 * length 1, because valid characters may follow it. */
static size_t text_next(const char *p, size_t len, bool *safe)
{
	uint32_t cp;
	int n = wsi_utf8_decode(&cp, p, len);

	*safe = n > 0 && !wsi_is_unseen(cp);
	if (n <= 0)
		return 1;
	return (size_t)n;
}

void wsi_put_safe(struct wsi_text *t, const void *p, size_t len)
{
	const char *s = p;
	size_t i, n;
	bool safe;

	for (i = 0; i < len; i += n) {
		n = text_next(s + i, len - i, &safe);
		if (!safe) {
			wsi_put_c(t, '?');
			continue;
		}
		if (t->len + n >= t->cap) /* the whole character does not fit */
			t->cut = true;
		wsi_put_n(t, s + i, n);
	}
}

void wsi_put_hex(struct wsi_text *t, unsigned byte)
{
	wsi_put_c(t, text_hex_digits[byte >> 4 & 15]);
	wsi_put_c(t, text_hex_digits[byte & 15]);
}

static void text_put_escapes(struct wsi_text *t, const char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		wsi_put(t, "\\x");
		wsi_put_hex(t, (unsigned char)p[i]);
	}
}

void wsi_put_quoted(struct wsi_text *t, const char *p, size_t len, size_t max)
{
	const size_t begin = t->len + 1;
	size_t line = wsi_find_any(p, len, "\r\n"), i, n;
	bool safe;

	/* Where the text begins with a line end, that is what the reader has to see. */
	if (line == 0)
		line = len;
	wsi_put_c(t, '"');
	for (i = 0; i < line; i += n) {
		size_t width;

		n = text_next(p + i, line - i, &safe);
		width = n;
		if (!safe)
			width = 4 * n;
		if (t->len + width > begin + max)
			break;
		if (safe)
			wsi_put_safe(t, p + i, n);
		else
			text_put_escapes(t, p + i, n);
	}
	if (i < line)
		wsi_put(t, "...");
	wsi_put_c(t, '"');
}

/* Classes of characters */

bool wsi_is_letter(int c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool wsi_is_digit(int c)
{
	return c >= '0' && c <= '9';
}

bool wsi_is_hex_digit(int c)
{
	return wsi_hex(c) >= 0;
}

bool wsi_is_letter_or_digit(int c)
{
	return wsi_is_digit(c) || wsi_is_letter(c);
}

bool wsi_is_blank(int c)
{
	return c == ' ' || c == '\t';
}

bool wsi_is_tchar(int c)
{
	return wsi_is_letter_or_digit(c) || wsi_is_one_of(c, "!#$%&'*+-.^_`|~");
}

bool wsi_is_one_of(int c, const char *set)
{
	for (; *set != '\0'; set++)
		if (c == (unsigned char)*set)
			return true;
	return false;
}

size_t wsi_span_if(const char *p, size_t len, wsi_class *is)
{
	size_t i = 0;

	while (i < len && is((unsigned char)p[i]))
		i++;
	return i;
}

/* Searching, comparing, reading */

size_t wsi_find(const char *p, size_t len, char c)
{
	size_t i = 0;

	while (i < len && p[i] != c)
		i++;
	return i;
}

size_t wsi_find_any(const char *p, size_t len, const char *set)
{
	size_t i = 0;

	while (i < len && !wsi_is_one_of((unsigned char)p[i], set))
		i++;
	return i;
}

int wsi_lower(int c)
{
	if (c >= 'A' && c <= 'Z')
		return c + ('a' - 'A');
	return c;
}

int wsi_hex(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool wsi_same_str(struct wsi_str a, struct wsi_str b)
{
	size_t i;

	if (a.len != b.len)
		return false;
	for (i = 0; i < a.len; i++)
		if (wsi_lower(a.p[i]) != wsi_lower(b.p[i]))
			return false;
	return true;
}

bool wsi_is(struct wsi_str s, const char *name)
{
	struct wsi_str want = {name, strlen(name)};

	return wsi_same_str(s, want);
}

bool wsi_has_token(struct wsi_str list, const char *token)
{
	for (;;) {
		size_t n = wsi_find(list.p, list.len, ',');

		if (wsi_is(wsi_trim(list.p, n), token))
			return true;
		if (n == list.len)
			return false;
		list.p += n + 1;
		list.len -= n + 1;
	}
}

struct wsi_str wsi_trim(const char *p, size_t len)
{
	size_t n = wsi_span_if(p, len, wsi_is_blank);
	struct wsi_str s = {p + n, len - n};

	while (s.len > 0 && wsi_is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

struct wsi_str wsi_drop_dots(struct wsi_str name)
{
	while (name.len > 0 && name.p[name.len - 1] == '.')
		name.len--;
	return name;
}

int wsi_number(const char *p, size_t len, int max)
{
	return wsi_digits(p, len, max, 10);
}

int wsi_digits(const char *p, size_t len, int max, int base)
{
	int64_t v = 0; /* holds max * base, also for INT_MAX */
	size_t i;

	if (len == 0)
		return -1;
	for (i = 0; i < len; i++) {
		int digit = wsi_hex(p[i]);

		if (digit < 0 || digit >= base)
			return -1;
		v = v * base + digit;
		if (v > max)
			return -1;
	}
	return (int)v;
}
