/* SPDX-License-Identifier: ISC
 * cbmc_match_feed.c - for CBMC: wherever a text is cut into slices, match.c steps over the characters of the
 * whole text. Functions of match.c are left out, and others are in their place that do what the proofs of these
 * functions promise. test/prove/run starts each entry point.
 */
#include "cbmc_any.h"
#include "cli/pattern.h"
#include <string.h>
#define wsi_utf8_decode real_utf8_decode
#include "utf8.c"
#undef wsi_utf8_decode

#define CUT 3 /* most bytes of a character that can be held */

static void match_step(struct wsi_match *m, uint32_t c);
static size_t match_skip(const struct wsi_match *m, const unsigned char *p, size_t len);
static void match_feed_held(struct wsi_match *m, unsigned char byte);
/* CBMC is much faster where it sees that bytes move within an array. */
#define COPY(to, from, n)                                                                          \
	do {                                                                                       \
		size_t k;                                                                          \
                                                                                                   \
		MUST((n) <= CUT);                                                                  \
		for (k = 0; k < (n); k++)                                                          \
			(to)[k] = from;                                                            \
	} while (0)
#define memcpy(to, from, n) COPY(to, (from)[k], n)
#define memmove(to, from, n) COPY(to, (to)[k + (size_t)((from) - (to))], n)
#include "cli/match.c"

void check_match_feed(void);
void check_match_feed_held(void);
void check_match_skip(void);
void check_match_decode(void);

#define STATES 2
#define SLICE 3 /* most bytes of a slice */
#define WHOLE (CUT + SLICE)

/* The text from the first byte that is held, or else from the slice on */
static unsigned char text[WHOLE];
static bool text_ends;
static bool matched; /* Then it does not matter what follows. */

/* CBMC is faster with small types. */
static unsigned char text_len;
static unsigned char at;       /* bytes that were stepped over or skipped */
static unsigned char boundary; /* where a character begins, at this byte or after it */

/* What begins at each byte of the text */
static struct place {
	unsigned char needs; /* bytes that one must see to know it */
	signed char
	    n; /* bytes of the character; -1: there is none, and the byte counts as U+FFFD */
	uint32_t c;
	bool can_begin; /* a match: what match.c has in .first for the byte */
} places[WHOLE];
static bool wide_can_begin; /* the same for all bytes that are not ASCII: see match_find_first() */

/* What UTF-8 promises of the decoder, for any bytes. check_match_decode() proves it of utf8.c. */
static bool is_place(const struct place *place, const unsigned char *p, size_t len)
{
	size_t i;

	if (place->needs < 1 || place->needs > 4)
		return false;
	if (place->n != -1 && place->n != (int)place->needs)
		return false;
	if (len > 0 && p[0] < 0x80)
		return place->n == 1 && place->c == p[0];
	if (place->n > 0 && (place->c < 0x80 || place->c > 0x10ffff))
		return false;
	/* Of the bytes that are needed, only the last can be ASCII: it shows that there is no character. */
	for (i = 0; i < 4; i++)
		if (i < len && p[i] < 0x80 && i + (place->n < 0) < place->needs)
			return false;
	return true;
}

static int decoded(const struct place *place, size_t len)
{
	return len < place->needs ? 0 : place->n;
}

void check_match_decode(void)
{
	unsigned char p[5];
	struct place place;
	size_t i, len = any_size();
	uint32_t c;

	place.needs = 1;
	while (place.needs < 4 && real_utf8_decode(&c, p, place.needs) == 0)
		place.needs++;
	place.n = (signed char)real_utf8_decode(&place.c, p, place.needs);
	MUST(is_place(&place, p, sizeof p));
	for (i = 1; i + 1 < place.needs; i++)
		MUST(real_utf8_decode(&c, p + i, 1) == -1);
	ASSUME(len >= 1 && len <= sizeof p);
	MUST(real_utf8_decode(&c, p, len) == decoded(&place, len));
	MUST(decoded(&place, len) <= 0 || c == place.c);
}

/* The bytes are those of the text, from where the steps are. */
int wsi_utf8_decode(uint32_t *c, const void *p, size_t len)
{
	const unsigned char *bytes = p;
	size_t i;
	int n = any_int();

	MUST(len > 0 && __CPROVER_r_ok(p, len));
	*c = places[at].c;
	if (matched) {
		ASSUME(n >= -1 && n <= 4 && n <= (int)len && (n != 0 || len < 4));
		return n;
	}
	for (i = 0; i < 4; i++)
		MUST(i >= len || (at + i < text_len && bytes[i] == text[at + i]));
	return decoded(&places[at], len);
}

static unsigned char length(size_t i)
{
	return places[i].n > 0 ? (unsigned char)places[i].n : 1;
}

/* No state awaits the character at i. */
static bool is_idle(const struct wsi_match *m, size_t i)
{
	return m->now.n == 0 && !places[i].can_begin;
}

static void any_lists(struct wsi_match *m)
{
	m->yes = matched = any_bool();
	m->now.n = any_size();
	ASSUME(m->now.n <= STATES);
}

/* A step over the next character of the text. It does nothing if no state awaits the character. */
static void match_step(struct wsi_match *m, uint32_t c)
{
	const uint32_t begin = MATCH_WORD(MATCH_BEGIN, 0), end = MATCH_WORD(MATCH_END, 0);
	bool was_idle;

	if (matched)
		return;
	MUST(m->at_end == (c == end) && m->at_start <= (c == begin || c == end));
	if (c == begin)
		MUST(m->at_start && m->now.n == 1 && m->now.s[0] == 0);
	if (c == end)
		MUST(text_ends && at == text_len);
	if (c == begin || c == end) {
		any_lists(m);
		return;
	}
	MUST(at < text_len && at == boundary);
	MUST(c == (places[at].n > 0 ? places[at].c : 0xfffd));
	was_idle = is_idle(m, at);
	boundary = at += length(at);
	if (!was_idle)
		any_lists(m);
}

/* All bytes from p on that no state awaits are skipped. The last character may go on in the next slice. */
static size_t match_skip(const struct wsi_match *m, const unsigned char *p, size_t len)
{
	size_t i, n = any_size();

	MUST(m->now.n == 0 && __CPROVER_POINTER_OFFSET(p) + len == SLICE && at + len == text_len);
	ASSUME(n <= len);
	for (i = 0; i < n; i++) {
		ASSUME(is_idle(m, at));
		if (boundary == at)
			boundary += length(at);
		at++;
	}
	ASSUME(n == len || !is_idle(m, at));
	return n;
}

/* In a slice that ends where its array ends */
void check_match_skip(void)
{
	static unsigned char slice[SLICE];
	struct wsi_match m;
	size_t len = any_size(), i = any_size(), n;

	ASSUME(len <= SLICE);
	__CPROVER_havoc_object(slice);
	n = left_out_match_skip(&m, slice + SLICE - len, len);
	MUST(n <= len);
	MUST(n == len || m.first[slice[SLICE - len + n]]);
	ASSUME(i < n);
	MUST(!m.first[slice[SLICE - len + i]]);
}

/* A text of any bytes, and what begins at each of them */
static void any_text(size_t len)
{
	size_t i, k;

	at = 0;
	boundary = (unsigned char)any_size();
	text_len = (unsigned char)len;
	text_ends = any_bool();
	wide_can_begin = any_bool();
	__CPROVER_havoc_object(text);
	__CPROVER_havoc_object(places);
	for (i = 0; i < WHOLE; i++) {
		if (i >= len)
			break;
		ASSUME(is_place(&places[i], text + i, len - i));
		ASSUME(text[i] < 0x80 || places[i].can_begin == wide_can_begin);
		if (text_ends && i + places[i].needs > len)
			places[i].n = -1;
		/* No character begins at a byte within another one. */
		for (k = 1; k < 3; k++)
			if (i + k < len && k + 1 < places[i].needs)
				ASSUME(places[i + k].needs == 1 && places[i + k].n == -1);
	}
}

/* What is held has the bytes from here on, and may yet become a character. */
static bool is_held(const struct wsi_match *m)
{
	size_t i;

	if (m->held > CUT || boundary != at || places[at].needs <= m->held)
		return false;
	for (i = 0; i < CUT; i++)
		if (i < m->held && m->hold[i] != text[at + i])
			return false;
	return true;
}

/* What was skipped ended within a character: then no character that is not ASCII can begin a match. */
static bool is_cut(const struct wsi_match *m)
{
	size_t i;

	if (boundary < at || boundary > at + CUT || m->now.n > 0 || wide_can_begin)
		return false;
	for (i = at; i < boundary; i++)
		if (i < text_len && text[i] < 0x80)
			return false;
	return true;
}

/* What holds between two slices, until the text matches */
static bool is_between(const struct wsi_match *m)
{
	if (m->held > 0)
		return is_held(m);
	return boundary == at || is_cut(m);
}

/* One more byte after those that are held */
static void match_feed_held(struct wsi_match *m, unsigned char byte)
{
	size_t taken = any_size(), i;

	MUST(!matched && m->held > 0 && is_held(m));
	MUST(at + m->held < text_len && byte == text[at + m->held]);
	any_lists(m);
	ASSUME(taken <= m->held + 1u);
	m->held = (unsigned char)(m->held + 1 - taken);
	ASSUME(m->held <= CUT);
	boundary = at = (unsigned char)(at + taken);
	for (i = 0; i < CUT; i++)
		if (i < m->held)
			m->hold[i] = text[at + i];
	ASSUME(matched || m->held == 0 || is_held(m));
}

void check_match_feed_held(void)
{
	struct wsi_match m;
	size_t len;

	ASSUME(m.held > 0 && m.held <= CUT && !m.at_start && !m.at_end);
	len = m.held + (size_t)1;
	any_text(len);
	any_lists(&m);
	ASSUME(!matched && is_held(&m));
	left_out_match_feed_held(&m, text[m.held]);
	MUST(m.held <= CUT && m.yes == matched);
	MUST(matched || (at + m.held == len && boundary == at));
	MUST(matched || m.held == 0 || is_held(&m));
}

/* Another slice, and perhaps the end. The slice ends where its array ends. */
void check_match_feed(void)
{
	static unsigned char slice[SLICE];
	static uint16_t now[STATES];
	struct wsi_match m;
	size_t i, len = any_size();
	int result;

	m.now.s = now;
	m.states = STATES;
	matched = false;
	wsi_match_start(&m);
	MUST(m.held == 0);
	m.held = (unsigned char)any_size();
	m.at_start = m.held == 0 && any_bool();
	ASSUME(m.held <= CUT && len <= SLICE);
	any_text(m.held + len);
	any_lists(&m);
	ASSUME(is_between(&m));
	for (i = 0; i < SLICE; i++)
		if (i < len)
			slice[SLICE - len + i] = text[m.held + i];
	result = wsi_match_feed(&m, slice + SLICE - len, len);
	MUST(result == matched && m.yes == matched && m.held <= CUT);
	MUST(matched || (at + m.held == text_len && is_between(&m)));
	if (!text_ends)
		return;
	result = wsi_match_end(&m);
	MUST(result == matched && m.yes == matched && m.held == 0);
}
