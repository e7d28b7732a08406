/* SPDX-License-Identifier: ISC
 * eva_models.c - for Frama-C's Eva: stands in for text.c, utf8.c and ip.c in proofs of the files that
 * call them
 *
 * Each function reads what the real one may read, and returns anything that the real one may
 * return, one value after the other: so Eva goes on with every length that a search can find. That
 * the real functions keep to this is proved by eva-text, eva-utf8 and eva-ip.
 */
#include "ws_proto.h"
#include "__fc_builtin.h"
#include <limits.h>
#include <string.h>

static void reads(const volatile void *p, size_t len)
{
	//@ assert readable: \valid_read((char *)p + (0 .. len - 1));
}

static size_t any_size(size_t max)
{
	size_t n;

	//@ loop unroll 1000;
	for (n = 0; n < max; n++)
		if (Frama_C_interval(0, 1))
			break;
	return n;
}

static bool any_bool(void)
{
	return Frama_C_interval(0, 1);
}

/* text.c: building */

void wsi_text_init(struct wsi_text *t, char *buf, size_t cap)
{
	t->p = buf;
	t->cap = cap;
	t->len = 0;
	t->cut = false;
	buf[0] = '\0';
}

static void put_any(struct wsi_text *t)
{
	//@ assert room: t->len < t->cap && \valid(t->p + (0 .. t->cap - 1));
	Frama_C_make_unknown(t->p, t->cap);
	t->p[t->cap - 1] = '\0'; /* no text goes beyond it */
	t->len = Frama_C_size_t_interval(0, t->cap - 1);
	t->cut = any_bool();
}

void wsi_put_n(struct wsi_text *t, const void *p, size_t len)
{
	reads(p, len);
#ifdef EXACT_TEXT
	//@ assert room: t->len < t->cap && \valid(t->p + (0 .. t->cap - 1));
	if (t->cut)
		return;
	if (len > t->cap - t->len - 1) {
		t->cut = true;
		len = t->cap - t->len - 1;
	}
	Frama_C_make_unknown(t->p, t->cap);
	t->len += len;
	t->p[t->len] = '\0';
#else
	put_any(t);
#endif
}

void wsi_put(struct wsi_text *t, const char *s)
{
	wsi_put_n(t, s, strlen((const char *)s));
}

void wsi_put_c(struct wsi_text *t, char c)
{
	wsi_put_n(t, &c, 1);
}

void wsi_put_u(struct wsi_text *t, uint64_t v)
{
	put_any(t);
}

void wsi_put_digits(struct wsi_text *t, uint64_t v, unsigned base, int places)
{
	//@ assert base: 10 <= base <= 16 && places <= 20;
	put_any(t);
}

void wsi_put_hex(struct wsi_text *t, unsigned byte)
{
	put_any(t);
}

void wsi_put_safe(struct wsi_text *t, const void *p, size_t len)
{
	reads(p, len);
	put_any(t);
}

void wsi_put_quoted(struct wsi_text *t, const char *p, size_t len, size_t max)
{
	reads(p, len);
	put_any(t);
}

/* text.c: searching, comparing, reading */

#ifndef REAL_SEARCH
size_t wsi_find(const char *p, size_t len, char c)
{
	reads(p, len);
	return any_size(len);
}

size_t wsi_find_any(const char *p, size_t len, const char *set)
{
	reads(p, len);
	return any_size(len);
}

size_t wsi_span_if(const char *p, size_t len, wsi_class *is)
{
	reads(p, len);
	return any_size(len);
}

struct wsi_str wsi_trim(const char *p, size_t len)
{
	struct wsi_str s;

	reads(p, len);
	s.p = p + any_size(len);
	s.len = any_size(len - (size_t)(s.p - p));
	return s;
}

#endif

bool wsi_same_str(struct wsi_str a, struct wsi_str b)
{
	reads(a.p, a.len);
	reads(b.p, b.len);
	return any_bool();
}

bool wsi_is(struct wsi_str s, const char *name)
{
	reads(name, strlen((const char *)name));
	reads(s.p, s.len);
#ifdef EXACT_LENGTH
	if (s.len != strlen((const char *)name))
		return false;
#endif
	return any_bool();
}

bool wsi_has_token(struct wsi_str list, const char *token)
{
	reads(token, strlen((const char *)token));
	reads(list.p, list.len);
	return any_bool();
}

int wsi_number(const char *p, size_t len, int max)
{
	reads(p, len);
	if (len == 0)
		return -1;
	return Frama_C_interval(-1, max);
}

int wsi_digits(const char *p, size_t len, int max, int base)
{
	reads(p, len);
	if (len == 0)
		return -1;
	return Frama_C_interval(-1, max);
}

#ifndef REAL_SEARCH
int wsi_hex(int c)
{
	return Frama_C_interval(-1, 15);
}
int wsi_lower(int c)
{
	return Frama_C_interval(-128, 255);
}
bool wsi_is_letter(int c)
{
	return any_bool();
}
bool wsi_is_digit(int c)
{
	return any_bool();
}
bool wsi_is_hex_digit(int c)
{
	return any_bool();
}
bool wsi_is_letter_or_digit(int c)
{
	return any_bool();
}
bool wsi_is_blank(int c)
{
	return any_bool();
}
bool wsi_is_tchar(int c)
{
	return any_bool();
}
bool wsi_is_one_of(int c, const char *set)
{
	return any_bool();
}
#endif

bool wsi_is_unseen(uint32_t cp)
{
	return any_bool();
}

#ifndef REAL_UTF8
int wsi_utf8_decode(uint32_t *cp, const void *p, size_t len)
{
	reads(p, len);
	*cp = Frama_C_unsigned_int_interval(0, UINT32_MAX);
	if (any_bool())
		return -1;
	return (int)any_size(len < 4 ? len : 4);
}
#endif
#ifndef REAL_IP
int wsi_ip_parse(unsigned char out[16], const char *s, size_t len)
{
	reads(s, len);
	Frama_C_make_unknown((char *)out, 16);
	if (len < 2)
		return 0;
	switch (Frama_C_interval(0, 2)) {
	case 0:
		return 0;
	case 1:
		return 4;
	default:
		return 16;
	}
}
#endif
