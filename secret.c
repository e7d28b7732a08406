/* SPDX-License-Identifier: ISC
 * secret.c - decides, by name, which headers and which parameters of URLs have secret values
 *
 * A secret value is shown to nobody, and a header with one is not sent to another origin.
 */
#include "ws_pure.h"

/* A name that contains one of these words, in any case, has a secret value. */
static const char *const secret_words[] = {"token", "key", "secret",  "pass",
                                           "auth",  "sig", "session", "credential"};
#define SECRET_WORDS (sizeof secret_words / sizeof secret_words[0])

/* A header whose name contains this word has one too: Cookie, Cookie2, Set-Cookie. */
static const char secret_header_word[] = "cookie";

/* These headers of a response contain a word, but say how to log in or what a browser may do. */
static const char *const secret_not[] = {"WWW-Authenticate", "Proxy-Authenticate",
                                         "Access-Control-Allow-Credentials"};
#define SECRET_NOT (sizeof secret_not / sizeof secret_not[0])

/* Takes the next byte from *p, in lower case. A percent-encoded letter means the same as the letter
 * (RFC 3986 2.1). */
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

static bool secret_begins_with(const char *p, const char *end, const char *word)
{
	for (; *word != '\0'; word++)
		if (p == end || secret_next(&p, end) != *word)
			return false;
	return true;
}

static bool secret_contains(const char *p, size_t len, const char *word)
{
	const char *end = p + len;

	while (p < end) {
		if (secret_begins_with(p, end, word))
			return true;
		secret_next(&p, end);
	}
	return false;
}

bool wsi_is_secret_name(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < SECRET_WORDS; i++)
		if (secret_contains(name, len, secret_words[i]))
			return true;
	return false;
}

bool wsi_is_secret_header(const char *name, size_t len)
{
	return wsi_is_secret_name(name, len) || secret_contains(name, len, secret_header_word);
}

bool wsi_is_secret_response_header(const char *name, size_t len)
{
	struct wsi_str whole = {name, len};
	size_t i;

	for (i = 0; i < SECRET_NOT; i++)
		if (wsi_is(whole, secret_not[i]))
			return false;
	return wsi_is_secret_header(name, len);
}

/* A name begins after each of "/;?&#=", also after a percent-encoded one, because a parameter may
 * hold a whole URL. A value ends at the first character that ends it for any server. In a query a
 * ';' does not end it: many servers count the ';' to the value. */
struct wsi_str wsi_find_secret(const char *p, size_t len)
{
	const char *end = p + len, *name = p;
	const char *value_ends = "#&/;?"; /* in the path */
	struct wsi_str value = {end, 0};

	while (p < end) {
		const char *at = p;
		int c = secret_next(&p, end);

		if (c == '=' && wsi_is_secret_name(name, (size_t)(at - name))) {
			value.p = p;
			value.len = wsi_find_any(p, (size_t)(end - p), value_ends);
			if (value.len > 0)
				return value;
		}
		if (wsi_is_one_of(c, "?&#"))
			value_ends = "#&"; /* in the query and the fragment */
		if (wsi_is_one_of(c, "/;?&#="))
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
