/* SPDX-License-Identifier: ISC
 * eva_json.c - for Frama-C's Eva: the JSON emitter on any bytes of each length up to a bound, with an
 * output that may fail at any time. test/prove/run starts it.
 */
#include <stdlib.h>
#include <string.h>
#include "cli/wsquery.h"
#include "eva.h"

void prove_json(void);

/* The output, in place of cli/out.c */

static void any_result(struct wq_out *o)
{
	o->err = Frama_C_interval(0, 200);
}

void wq_out_n(struct wq_out *o, const void *p, size_t len)
{
	//@ assert readable: \valid_read((char *)p + (0 .. len - 1));
	any_result(o);
}

void wq_out(struct wq_out *o, const char *s)
{
	wq_out_n(o, s, strlen((const char *)s));
}

void wq_out_long(struct wq_out *o, const char *s, size_t len)
{
	wq_out_n(o, s, len);
}

/* One of two blocks that Eva takes for one: so what was written before does not multiply its states */
static char *room;

static void make_room(void)
{
	int i;

	//@ loop unroll 2;
	for (i = 0; i < 2; i++)
		room = calloc(1, WQ_OUT_ROOM);
}

/* The last n bytes: one more is outside */
char *wq_out_room(struct wq_out *o, size_t n)
{
	//@ assert n <= WQ_OUT_ROOM;
	any_result(o);
	if (any_bool())
		return NULL;
	return room + WQ_OUT_ROOM - n;
}

void wq_out_take(struct wq_out *o, const char *end)
{
	any_result(o);
}

void wq_out_i(struct wq_out *o, int64_t v)
{
	any_result(o);
}

void wq_out_decimal(struct wq_out *o, uint64_t v, int places)
{
	any_result(o);
}

static void begin(struct wq_json *j, struct wq_out *o)
{
	any_result(o);
	wq_json_begin(j, o);
	j->comma = any_bool();
}

static void put_string(const char *p, size_t len)
{
	struct wq_json j;
	struct wq_out o;

	begin(&j, &o);
	wq_json_string(&j, p, len);
}

static void put_lower_key(const char *p, size_t len)
{
	struct wq_json j;
	struct wq_out o;

	begin(&j, &o);
	wq_json_lower_key(&j, p, len);
}

static void put_base64(const char *p, size_t len)
{
	struct wq_json j;
	struct wq_out o;

	begin(&j, &o);
	wq_json_base64(&j, p, len);
}

static void put_others(void)
{
	struct wq_json j;
	struct wq_out o;

	begin(&j, &o);
	wq_json_open(&j, '{');
	wq_json_key(&j, "key");
	wq_json_text(&j, "text");
	wq_json_text(&j, NULL);
	wq_json_null(&j);
	wq_json_boolean(&j, any_bool());
	wq_json_integer(&j, Frama_C_long_long_interval(INT64_MIN, INT64_MAX));
	wq_json_milliseconds(&j, Frama_C_long_long_interval(INT64_MIN, INT64_MAX));
	wq_json_close(&j, '}');
}

void prove_json(void)
{
	size_t len;

	ANY_BYTES();
	make_room();
	//@ loop unroll N + 1;
	for (len = 0; len <= N; len++) {
		put_string(LAST(len), len);
		put_lower_key(LAST(len), len);
		put_base64(LAST(len), len);
	}
	put_others();
}
