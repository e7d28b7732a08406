/* SPDX-License-Identifier: ISC
 * test_secret.c - secret.c: which names have secrets for values, and what of a URL's path and query
 * is shown
 */
#include "ws_pure.h"
#include "check.h"
#include <stdlib.h>

enum { NOBODY = 0, PARAMETER = 1, HEADER = 2, RESPONSE = 4, ALL = PARAMETER | HEADER | RESPONSE };
static const struct {
	const char *name;
	int where; /* where its value counts as a secret */
} names[] = {
    {"token", ALL},
    {"TOKEN", ALL},
    {"access_token", ALL},
    {"tokens", ALL},
    {"X-Api-Key", ALL},
    {"apikey", ALL},
    {"client_secret", ALL},
    {"pass", ALL},
    {"passwd", ALL},
    {"Password", ALL},
    {"auth", ALL},
    {"author", ALL}, /* a false positive: it contains "auth" */
    {"oauth_nonce", ALL},
    {"sig", ALL},
    {"X-Amz-Signature", ALL},
    {"JSESSIONID", ALL},
    {"X-Amz-Credential", ALL},
    {"%74oken", ALL},
    {"t%6Fke%6e", ALL},
    {"%54%4F%4B%45%4E", ALL},
    {"a%20token", ALL},
    {"Authorization", ALL},
    {"Proxy-Authorization", ALL},
    {"Sec-WebSocket-Key", ALL},
    {"Cookie", HEADER | RESPONSE},
    {"cookie2", HEADER | RESPONSE},
    {"Set-Cookie", HEADER | RESPONSE},
    {"Set-Cookie2", HEADER | RESPONSE},
    {"X-Auth-Token", ALL},
    {"WWW-Authenticate", PARAMETER | HEADER},
    {"proxy-authenticate", PARAMETER | HEADER},
    {"Access-Control-Allow-Credentials", PARAMETER | HEADER},
    {"", NOBODY},
    {"t", NOBODY},
    {"toke", NOBODY},
    {"oken", NOBODY},
    {"to-ken", NOBODY},
    {"%2574oken", NOBODY}, /* decodes to '%' and 74oken */
    {"%7token", ALL},      /* not a valid escape, so it is compared as it is */
    {"toke%6", NOBODY},
    {"toke%", NOBODY},
    {"%70ass", ALL},
    {"%key", ALL},
    {"%0auth", NOBODY}, /* a line feed, then uth */
    {"user", NOBODY},
    {"id", NOBODY},
    {"Host", NOBODY},
    {"Origin", NOBODY},
    {"User-Agent", NOBODY},
    {"Location", NOBODY},
    {"Sec-WebSocket-Accept", NOBODY},
    {"Sec-WebSocket-Protocol", NOBODY},
};

static const struct {
	const char *in, *shown; /* shown NULL: unchanged */
} texts[] = {
    {"", NULL},
    {"/", NULL},
    {"/a/b?c=d&e=f", NULL},
    {"?token=sesame", "?token=***"},
    {"/x?token=sesame", "/x?token=***"},
    {"/x?a=1&Access_Token=sesame&b=2", "/x?a=1&Access_Token=***&b=2"},
    {"/x?token=sesame&key=sesame", "/x?token=***&key=***"},
    {"/x?%74oken=sesame", "/x?%74oken=***"},
    {"/x?token%3Dsesame", "/x?token%3D***"},
    {"/x?token=", NULL}, /* an empty value is shown, because that helps the user */
    {"/x?token=&a=1", NULL},
    {"/x?token", NULL},
    {"/x?token&a=1", NULL},
    {"/x?token=1", "/x?token=***"},
    {"/x?token=1&a=2", "/x?token=***&a=2"},
    {"/x?tok=1", NULL},
    {"/x?token=se=same", "/x?token=***"},
    {"/x?token=se?same", "/x?token=***"},
    {"/x?token=se/same", "/x?token=***"},
    {"/x?token=se;same", "/x?token=***"},
    {"/x?token=se%26same&a=1", "/x?token=***&a=1"},
    {"/x?token==sesame", "/x?token=***"},
    {"/x?a=1;token=sesame", "/x?a=1;token=***"},
    {"/x?a=1?token=sesame", "/x?a=1?token=***"},
    {"/x?a=b=c", NULL},
    {"/x?auth[]=sesame", "/x?auth[]=***"},
    {"/x?a[key]=sesame", "/x?a[key]=***"},
    {"/x?to=ws://h/?token=sesame", "/x?to=ws://h/?token=***"},
    {"/x?to=ws%3A%2F%2Fh%2F%3Ftoken%3Dsesame&a=1", "/x?to=ws%3A%2F%2Fh%2F%3Ftoken%3D***&a=1"},
    {"/x?token=sesame#a", "/x?token=***#a"},
    {"/x#access_token=sesame&a=1", "/x#access_token=***&a=1"},
    {"/x?a=1#token=sesame", "/x?a=1#token=***"},
    {"/x;jsessionid=sesame/y?a=1", "/x;jsessionid=***/y?a=1"},
    {"/x;jsessionid=sesame?a=1&sig=sesame", "/x;jsessionid=***?a=1&sig=***"},
    {"/key/a=b", NULL},
    {"/x?key/a=b", NULL},
    {"/x?monkey=sesame", "/x?monkey=***"},
    {"/x?token=sesame\x01\xff", "/x?token=***"},
    {"/\x01?a\xff=\n", "/??a?=?"},
};

/* A copy of its exact size, so that the sanitizer notices a byte read beyond it */
static char *copy(const char *s, size_t len)
{
	char *p = malloc(len > 0 ? len : 1);

	if (p == NULL)
		abort();
	memcpy(p, s, len);
	return p;
}

static void test_names(void)
{
	size_t i;

	for (i = 0; i < sizeof names / sizeof *names; i++) {
		size_t len = strlen(names[i].name);
		char *exact = copy(names[i].name, len);
		int where = 0;

		check_row("\"%s\"", names[i].name);
		where |= wsi_is_secret_name(exact, len) ? PARAMETER : 0;
		where |= wsi_is_secret_header(exact, len) ? HEADER : 0;
		where |= wsi_is_secret_response_header(exact, len) ? RESPONSE : 0;
		CHECK_EQ_U(where, names[i].where);
		free(exact);
	}
}

static void test_texts(void)
{
	size_t i;

	for (i = 0; i < sizeof texts / sizeof *texts; i++) {
		size_t len = strlen(texts[i].in);
		char *exact = copy(texts[i].in, len), buf[100];
		struct wsi_str secret;
		struct wsi_text t;

		check_row("\"%s\"", texts[i].in);
		secret = wsi_find_secret(exact, len);
		CHECK(secret.len > 0 || secret.p == exact + len);
		wsi_text_init(&t, buf, sizeof buf);
		wsi_put_without_secrets(&t, exact, len);
		CHECK_EQ_S(buf, texts[i].shown != NULL ? texts[i].shown : texts[i].in);
		CHECK(strstr(buf, "same") == NULL);
		free(exact);
	}
}

int main(void)
{
	TEST(test_names);
	TEST(test_texts);
	return check_done();
}
