/* SPDX-License-Identifier: ISC
 * text.c - a bounded string under construction, and what the library needs of strings
 */
#include "ws_pure.h"
#include <string.h>

void wsi_text_init(struct wsi_text *t, char *buf, size_t cap)
{
	t->p = buf;
	t->cap = cap;
	t->len = 0;
	t->cut = 0;
	if (cap > 0)
		buf[0] = '\0';
}

void wsi_put_n(struct wsi_text *t, const void *p, size_t len)
{
	size_t room = t->len + 1 <= t->cap ? t->cap - t->len - 1 : 0;

	if (t->cut) /* the text stays a beginning of the whole, without a hole in it */
		return;
	if (len > room) {
		len = room;
		t->cut = 1;
	}
	if (len == 0)
		return;
	memcpy(t->p + t->len, p, len);
	t->len += len;
	t->p[t->len] = '\0';
}

void wsi_put(struct wsi_text *t, const char *s)
{
	wsi_put_n(t, s, wsi_strlen(s));
}

void wsi_put_c(struct wsi_text *t, char c)
{
	wsi_put_n(t, &c, 1);
}

void wsi_put_u(struct wsi_text *t, uint64_t v)
{
	char digits[20]; /* of 2^64 - 1 */
	size_t i = sizeof digits;

	do {
		digits[--i] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	wsi_put_n(t, digits + i, sizeof digits - i);
}

/* Three digits that count, cut off and not rounded so that 999.9 ms does not become 1000 ms; no zeros at the end */
void wsi_put_ms(struct wsi_text *t, int64_t us)
{
	uint64_t v = us > 0 ? (uint64_t)us : 0; /* in thousandths of the unit */
	const char *unit = " ms";
	unsigned frac, digit = 100, least;

	if (v >= 1000000) {
		v /= 1000;
		unit = " s";
	}
	least = v >= 100000  ? 1000
	        : v >= 10000 ? 100
	        : v >= 1000  ? 10
	                     : 1; /* thousandths that the last digit is worth */
	frac = (unsigned)(v % 1000);
	frac -= frac % least;
	wsi_put_u(t, v / 1000);
	if (frac > 0)
		wsi_put_c(t, '.');
	for (; frac > 0; frac %= digit, digit /= 10)
		wsi_put_c(t, (char)('0' + frac / digit));
	wsi_put(t, unit);
}

/* 1: may stand in a sentence on a terminal. Not a line's end (U+2028, U+2029), nor what turns the direction of the text
 * around it (U+202A-202E, U+2066-2069) */
static int text_is_safe(uint32_t cp)
{
	return cp >= 0x20 && (cp < 0x7f || cp > 0x9f) && (cp < 0x2028 || cp > 0x202e) && (cp < 0x2066 || cp > 0x2069);
}

void wsi_put_safe(struct wsi_text *t, const void *p, size_t len)
{
	const unsigned char *s = p;
	size_t i = 0;

	while (i < len && !t->cut) {
		uint32_t cp = 0;
		int n = wsi_utf8_decode(&cp, s + i, len - i);

		if (n <= 0) { /* one byte at a time: what follows it may be good */
			n = 1;
			cp = 0;
		}
		if (!text_is_safe(cp))
			wsi_put_c(t, '?');
		else if (t->len + (size_t)n < t->cap)
			wsi_put_n(t, s + i, (size_t)n);
		else /* no half character */
			t->cut = 1;
		i += (size_t)n;
	}
}

size_t wsi_strlen(const char *s)
{
	const volatile char *p = s; /* volatile: or gcc makes this a call to strlen */
	size_t n = 0;

	while (p[n] != '\0')
		n++;
	return n;
}

int wsi_lower(int c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

int wsi_same(const char *a, size_t a_len, const char *lit)
{
	size_t i;

	for (i = 0; i < a_len; i++)
		if (lit[i] == '\0' || wsi_lower(a[i]) != wsi_lower(lit[i]))
			return 0;
	return lit[i] == '\0';
}

/* One bit for each ASCII character: ! # $ % & ' * + - . ^ _ ` | ~ digits and letters */
static const uint32_t text_tchars[4] = {0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff};

int wsi_is_tchar(int c)
{
	return c >= 0 && c < 128 && (text_tchars[c / 32] >> c % 32 & 1);
}

int wsi_is_token(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (!wsi_is_tchar(s[i]))
			return 0;
	return len > 0;
}

int wsi_has_token(const char *list, size_t len, const char *token)
{
	size_t i = 0;

	while (i < len) {
		size_t begin, end;

		while (i < len && (list[i] == ' ' || list[i] == '\t' || list[i] == ','))
			i++;
		begin = end = i;
		for (; i < len && list[i] != ','; i++)
			if (list[i] != ' ' && list[i] != '\t')
				end = i + 1;
		if (wsi_same(list + begin, end - begin, token))
			return 1;
	}
	return 0;
}
