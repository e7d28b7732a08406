/* SPDX-License-Identifier: ISC
 * secret.c - what is secret: the headers and the parameters of URLs whose values are shown to nobody, and of which the
 * headers are not sent to another origin. This is the one place that decides it, by name.
 */
#include "ws_pure.h"

/* A name that contains one of these, in any case, has a secret for its value */
static const char *const secret_words[] = {"token", "key", "secret",  "pass",
                                           "auth",  "sig", "session", "credential"};
#define SECRET_WORDS (sizeof secret_words / sizeof secret_words[0])

/* So has a header with one of these names: Cookie2 and Set-Cookie too */
static const char secret_header_word[] = "cookie";

/* Of a response these contain a word, and say how to log in or what a browser may do */
static const char secret_not[] =
    "WWW-Authenticate\0Proxy-Authenticate\0Access-Control-Allow-Credentials\0";

/* The next byte from *p on, in lower case; percent-encoded or not, it means the same (RFC 3986 2.1) */
static int secret_next(const char **p, const char *end)
{
	const char *s = *p;
	int c = (unsigned char)*s;

	*p = s + 1;
	if (c == '%' && end - s >= 3 && wsi_hex(s[1]) >= 0 && wsi_hex(s[2]) >= 0) {
		c = wsi_hex(s[1]) * 16 + wsi_hex(s[2]);
		*p = s + 3;
	}
	return wsi_lower(c);
}

static int secret_begins_with(const char *p, const char *end, const char *word)
{
	for (; *word != '\0'; word++)
		if (p == end || secret_next(&p, end) != *word)
			return 0;
	return 1;
}

static int secret_contains(const char *p, size_t len, const char *word)
{
	const char *end = p + len;

	while (p < end) {
		if (secret_begins_with(p, end, word))
			return 1;
		secret_next(&p, end);
	}
	return 0;
}

int wsi_is_secret_name(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < SECRET_WORDS; i++)
		if (secret_contains(name, len, secret_words[i]))
			return 1;
	return 0;
}

int wsi_is_secret_header(const char *name, size_t len)
{
	return wsi_is_secret_name(name, len) || secret_contains(name, len, secret_header_word);
}

int wsi_is_secret_response_header(const char *name, size_t len)
{
	return wsi_is_secret_header(name, len) && wsi_among(name, len, secret_not) < 0;
}

/* A name begins behind each of "/;?&#=", percent-encoded too: a parameter may hold a whole URL. A value goes on up to
 * what ends it in any reading; a ';' ends none in a query, for to many servers it belongs to the value. */
struct wsi_str wsi_find_secret(const char *p, size_t len)
{
	const char *end = p + len, *name = p;
	struct wsi_str value = {end, 0};
	int in_path = 1;

	while (p < end) {
		const char *at = p;
		int c = secret_next(&p, end);

		if (c == '=' && wsi_is_secret_name(name, (size_t)(at - name))) {
			value.p = p;
			value.len =
			    wsi_span(p, (size_t)(end - p), in_path ? "^##&&//;;\?\?" : "^##&&");
			if (value.len > 0)
				return value;
		}
		if (c == '?' || c == '&' || c == '#')
			in_path = 0;
		if (c == '/' || c == ';' || c == '?' || c == '&' || c == '#' || c == '=')
			name = p;
	}
	value.p = end;
	return value;
}

void wsi_put_without_secrets(struct wsi_text *t, const char *p, size_t len)
{
	const char *end = p + len;

	while (p < end) {
		struct wsi_str secret = wsi_find_secret(p, (size_t)(end - p));

		wsi_put_safe(t, p, (size_t)(secret.p - p));
		if (secret.len > 0)
			wsi_put(t, "***");
		p = secret.p + secret.len;
	}
}
