/* SPDX-License-Identifier: ISC
 * text.c - a bounded string under construction, and what the library needs of strings
 */
#include "ws_pure.h"
#include <limits.h>
#include <string.h>

void wsi_text_init(struct wsi_text *t, char *buf, size_t cap)
{
	t->p = buf;
	t->cap = cap;
	t->len = 0;
	t->cut = 0;
	buf[0] = '\0';
}

void wsi_put_n(struct wsi_text *t, const void *p, size_t len)
{
	size_t room =
	    t->cut ? 0 : t->cap - t->len - 1; /* once it is cut 0, so that there is no hole in it */

	if (len > room) {
		t->cut = 1;
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
	char digits[22]; /* of 2^64 - 1, a point, and a 0 before it */
	char *p = digits + sizeof digits;

	do {
		*--p = "0123456789abcdef"[v % base];
		v /= base;
		if (--places == 0)
			*--p = '.';
	} while (v > 0 || places >= 0);
	wsi_put_n(t, p, (size_t)(digits + sizeof digits - p));
}

int wsi_ms_until(int64_t now_us, int64_t then_us)
{
	int64_t ms;

	if (then_us == WSI_NEVER)
		return -1;
	if (then_us <= now_us)
		return 0;
	ms = (then_us - now_us + 999) / 1000;
	return ms < INT_MAX ? (int)ms : INT_MAX;
}

/* Three digits that count, cut off and not rounded so that 999.9 ms does not become 1000 ms; no zeros at the end */
void wsi_put_ms(struct wsi_text *t, int64_t us)
{
	uint64_t v = us > 0 ? (uint64_t)us : 0, tenth;
	const char *unit = " ms";
	int places = 3;

	if (v >= 1000000) {
		unit = " s";
		places = 6;
	}
	do {
		tenth = v / 10;
		if (v < 1000 && tenth * 10 != v)
			break;
		v = tenth;
	} while (--places > 0);
	wsi_put_digits(t, v, 10, places);
	wsi_put(t, unit);
}

/* What nobody sees, or what changes how the text around it looks: controls, ends of lines, marks of direction, and
 * the rest of Unicode's general category Cf and of Default_Ignorable_Code_Point (joiners, variation selectors, tags and
 * fillers, also those not assigned yet). In order. */
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

int wsi_is_unseen(uint32_t cp)
{
	size_t i;

	for (i = 0; i < sizeof text_unseen / sizeof text_unseen[0] && cp >= text_unseen[i].first;
	     i++)
		if (cp <= text_unseen[i].last)
			return 1;
	return 0;
}

void wsi_put_safe(struct wsi_text *t, const void *p, size_t len)
{
	const char *s = p, *end = s + len;
	uint32_t cp;
	int n;

	for (; s < end; s += n) {
		n = wsi_utf8_decode(&cp, s, (size_t)(end - s));
		if (n <= 0) {
			n = 1; /* byte by byte: what follows it may be good */
			cp = 0;
		}
		if (wsi_is_unseen(cp)) {
			wsi_put_c(t, '?');
			continue;
		}
		if (t->len + (size_t)n >= t->cap) /* no half character */
			t->cut = 1;
		wsi_put_n(t, s, (size_t)n);
	}
}

static void text_put_escape(struct wsi_text *t, unsigned c)
{
	wsi_put(t, "\\x");
	wsi_put_c(t, "0123456789abcdef"[c >> 4]);
	wsi_put_c(t, "0123456789abcdef"[c & 15]);
}

void wsi_put_quoted(struct wsi_text *t, const char *p, size_t len, size_t max)
{
	const size_t begin = t->len + 1;
	size_t line = wsi_span(p, len, "^\n\n\r\r"), i = 0;
	uint32_t cp;

	if (line == 0) /* it begins with a line end, which is then what there is to see */
		line = len;
	wsi_put_c(t, '"');
	while (i < line) {
		int n = wsi_utf8_decode(&cp, p + i, line - i);
		int safe = n > 0 && !wsi_is_unseen(cp);
		size_t width;

		if (n <= 0)
			n = 1;
		width = safe ? (size_t)n : 4 * (size_t)n;
		if (t->len + width > begin + max)
			break;
		if (safe) {
			wsi_put_safe(t, p + i, width);
			i += width;
			continue;
		}
		for (; n > 0; n--, i++)
			text_put_escape(t, (unsigned char)p[i]);
	}
	wsi_put(t, i < line ? "...\"" : "\"");
}

int wsi_lower(int c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

int wsi_hex(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (c | 0x20) - 'a'; /* either case */
	return c >= 0 && c < 6 ? c + 10 : -1;
}

int wsi_same_str(struct wsi_str a, struct wsi_str b)
{
	if (a.len != b.len)
		return 0;
	while (a.len-- > 0)
		if (wsi_lower(a.p[a.len]) != wsi_lower(b.p[a.len]))
			return 0;
	return 1;
}

int wsi_is(struct wsi_str s, const char *name)
{
	struct wsi_str want = {name, strlen(name)};

	return wsi_same_str(s, want);
}

int wsi_among(const char *p, size_t len, const char *names)
{
	int k;

	for (k = 0; *names != '\0'; k++) {
		struct wsi_str s = {p, len}, name = {names, strlen(names)};

		if (wsi_same_str(s, name))
			return k;
		names += name.len + 1;
	}
	return -1;
}

const char *wsi_nth(const char *names, unsigned n)
{
	for (; *names != '\n'; n--) {
		if (n == 0)
			return names;
		names += strlen(names) + 1;
	}
	return "";
}

size_t wsi_find(const char *p, size_t len, char c)
{
	size_t i = 0;

	while (i < len && p[i] != c)
		i++;
	return i;
}

size_t wsi_span(const char *p, size_t len, const char *set)
{
	int others = *set == '^';
	size_t i;

	set += others;
	for (i = 0; i < len; i++) {
		const char *s = set;

		while (*s != '\0' && (p[i] < s[0] || p[i] > s[1]))
			s += 2;
		if ((*s != '\0') == others)
			break;
	}
	return i;
}

struct wsi_str wsi_trim(const char *p, size_t len)
{
	struct wsi_str s;
	size_t n = wsi_span(p, len, "\t\t  ");

	s.p = p + n;
	s.len = len - n;
	while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

int wsi_number(const char *p, size_t len, int max)
{
	return wsi_digits(p, len, max, 10);
}

int wsi_digits(const char *p, size_t len, int max, int base)
{
	int64_t v = 0; /* so that max may be INT_MAX */

	if (len == 0)
		return -1;
	do {
		unsigned digit = (unsigned)wsi_hex(*p++);

		if (digit >= (unsigned)base)
			return -1;
		v = v * base + digit;
		if (v > max)
			return -1;
	} while (--len > 0);
	return (int)v;
}

int wsi_has_token(struct wsi_str list, const char *token)
{
	for (;;) {
		size_t n = wsi_find(list.p, list.len, ',');

		if (wsi_is(wsi_trim(list.p, n), token))
			return 1;
		if (n == list.len)
			return 0;
		list.p += n + 1;
		list.len -= n + 1;
	}
}
