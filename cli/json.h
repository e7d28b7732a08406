/* SPDX-License-Identifier: ISC
 * json.h - a JSON emitter; it writes the commas by itself
 */
#ifndef WQ_JSON_H
#define WQ_JSON_H
#include "cli/out.h"

struct wq_json {
	struct wq_out *out;
	bool comma; /* a value comes before the next key or value */
};
void wq_json_begin(struct wq_json *j, struct wq_out *out);
void wq_json_open(struct wq_json *j, char bracket); /* '{' or '[' */
void wq_json_close(struct wq_json *j, char bracket);
void wq_json_key(struct wq_json *j, const char *name);
void wq_json_lower_key(struct wq_json *j, const char *name, size_t len); /* in lower case */
/* Bytes that are not UTF-8 become U+FFFD. */
void wq_json_string(struct wq_json *j, const void *p, size_t len);
void wq_json_text(struct wq_json *j, const char *s); /* null for NULL and for "" */
void wq_json_base64(struct wq_json *j, const void *p, size_t len);
void wq_json_integer(struct wq_json *j, int64_t v);
void wq_json_milliseconds(struct wq_json *j, int64_t us); /* null if negative */
void wq_json_boolean(struct wq_json *j, bool v);
void wq_json_null(struct wq_json *j);
/* A string in pieces, none of which ends within a character */
void wq_json_begin_string(struct wq_json *j);
void wq_json_add_to_string(struct wq_json *j, const void *p, size_t len);
void wq_json_end_string(struct wq_json *j);

#endif
