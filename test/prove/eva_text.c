/* SPDX-License-Identifier: ISC
 * eva_text.c - for Frama-C's Eva: text.c does what eva_models.c says of it. test/prove/run starts each
 * entry point.
 */
#include <string.h>
#include "eva.h"

void prove_search(void);
void prove_put(void);

/* Searching, comparing, reading: any bytes of each length */

static void search(size_t len)
{
	size_t comma = wsi_find(LAST(len), len, ',');
	size_t line = wsi_find_any(LAST(len), len, "\r\n");
	size_t token = wsi_span_if(LAST(len), len, wsi_is_tchar);

	//@ assert comma <= len && line <= len && token <= len;
}

static void trim(size_t len)
{
	struct wsi_str s = wsi_trim(LAST(len), len);
	size_t before = (size_t)(s.p - LAST(len));

	//@ assert before + s.len <= len;
}

static void compare(size_t len)
{
	struct wsi_str s = {LAST(len), len}, other = {in, len};
	bool is = wsi_is(s, "websocket");

	//@ assert is ==> len == 9;
	wsi_same_str(s, other);
	wsi_has_token(s, "websocket");
}

static void read_number(size_t len)
{
	int v = wsi_digits(LAST(len), len, 65535, 16);
	int n = wsi_number(LAST(len), len, INT32_MAX);

	//@ assert -1 <= v <= 65535 && -1 <= n && (len > 0 || (v < 0 && n < 0));
}

static void decode(size_t len)
{
	uint32_t cp;
	int n = wsi_utf8_decode(&cp, LAST(len), len);

	//@ assert -1 <= n <= len; // cbmc-utf8 proves that it is at most 4
}

void prove_search(void)
{
	size_t len;

	ANY_BYTES();
	//@ loop unroll N + 1;
	for (len = 0; len <= N; len++) {
		search(len);
		trim(len);
		compare(len);
		read_number(len);
		decode(len);
	}
}

/* Building: into a text of any fill */

#define ROOM 8
static char buf[ROOM];

static void any_text(struct wsi_text *t, size_t fill)
{
	wsi_text_init(t, buf, sizeof buf);
	Frama_C_make_unknown(buf, sizeof buf);
	t->len = fill;
	t->cut = any_bool();
}

static void put_bytes(size_t fill, size_t len)
{
	struct wsi_text t;

	any_text(&t, fill);
	wsi_put_n(&t, LAST(len), len);
	//@ assert t.len < t.cap;
}

static void put_safe(size_t fill, size_t len)
{
	struct wsi_text t;

	any_text(&t, fill);
	wsi_put_safe(&t, LAST(len), len);
	//@ assert t.len < t.cap;
}

static void put_quoted(size_t fill, size_t len)
{
	struct wsi_text t;

	any_text(&t, fill);
	wsi_put_quoted(&t, LAST(len), len, ROOM);
	//@ assert t.len < t.cap;
}

static void put_numbers(size_t fill)
{
	struct wsi_text t;
	unsigned base;

	any_text(&t, fill);
	wsi_put_u(&t, Frama_C_unsigned_long_long_interval(0, UINT64_MAX));
	//@ assert t.len < t.cap;
	any_text(&t, fill);
	wsi_put_ms(&t, Frama_C_long_long_interval(INT64_MIN, INT64_MAX));
	//@ assert t.len < t.cap;
	any_text(&t, fill);
	wsi_put_hex(&t, Frama_C_unsigned_int_interval(0, UINT32_MAX));
	//@ assert t.len < t.cap;
	//@ loop unroll 8;
	for (base = 10; base <= 16; base++) {
		any_text(&t, fill);
		wsi_put_digits(&t, Frama_C_unsigned_long_long_interval(0, UINT64_MAX), base, 20);
		//@ assert t.len < t.cap;
	}
}

void prove_put(void)
{
	size_t fill, len;

	ANY_BYTES();
	//@ loop unroll ROOM;
	for (fill = 0; fill < ROOM; fill++) {
		put_numbers(fill);
		//@ loop unroll N + 1;
		for (len = 0; len <= N; len++) {
			put_bytes(fill, len);
			put_safe(fill, len);
			put_quoted(fill, len);
		}
	}
}
