/* SPDX-License-Identifier: ISC
 * test_tls_words.c - what is said in place of mbedTLS's numbers, and of files that hold something
 * else
 */
#include "check.h"
#include "ws_tls.h"

#ifndef WS_WITH_MBEDTLS
int main(void)
{
	printf("built without TLS\n0 passed, 0 failed, 1 skipped\n");
	return 0;
}
#else
#include "ws_mbedtls.h"
#include <mbedtls/version.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509.h>
#define TLS_LIBRARY "this build's mbedTLS " MBEDTLS_VERSION_STRING

#define CERTIFICATE "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n"
#define KEY "-----BEGIN PRIVATE KEY-----\nQUJD\n-----END PRIVATE KEY-----\n"

static void test_files(void)
{
	static const struct {
		const char *bytes;
		size_t len;                    /* 0: up to the NUL */
		const char *certificate, *key; /* NULL: what was wanted may be in it */
	} cases[] = {
	    {"", 0, "it is empty", "it is empty"},
	    {"hello\n", 0, "it is neither PEM nor DER", "it is neither PEM nor DER"},
	    {"\xef\xbb\xbf" CERTIFICATE KEY, 0, NULL, NULL},
	    {CERTIFICATE KEY, 0, NULL, NULL},
	    {CERTIFICATE, 0, NULL, "it has a certificate, but no private key"},
	    {KEY, 0, "it has a private key, but no certificate", NULL},
	    {"-----BEGIN EC PRIVATE KEY-----\n", 0, "it has a private key, but no certificate",
	     NULL},
	    {"-----BEGIN ENCRYPTED PRIVATE KEY-----\n", 0,
	     "it has a private key, but no certificate", NULL},
	    {"-----BEGIN CERTIFICATE REQUEST-----\n", 0, "no certificate in it",
	     "no private key in it"},
	    {"-----BEGIN OPENSSH PRIVATE KEY-----\n", 0, "it has a private key, but no certificate",
	     "OpenSSH"},
	    {"\x30\x82\x01\x00\x02\x01\x03\x30\x82", 9, "PKCS #12", "PKCS #12"},
	    {"\x30\x82\x01\x00\x30\x82\x01\x00\x02", 9, NULL, NULL},
	    {"\x30\x82\x01", 3, NULL, NULL},
	    {"\x30", 1, NULL, NULL},
	};
	unsigned char buf[300];
	const char *words, *want;
	size_t i, len;
	int key;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		for (key = 0; key < 2; key++) {
			check_row("%s, %s", cases[i].bytes, key ? "key" : "certificate");
			len = cases[i].len != 0 ? cases[i].len : strlen(cases[i].bytes);
			memcpy(buf, cases[i].bytes, len);
			buf[len] = 0;
			want = key ? cases[i].key : cases[i].certificate;
			words = wsi_tls_file_words(buf, len, key);
			if (want == NULL)
				CHECK(words == NULL);
			else
				CHECK(words != NULL && strstr(words, want) != NULL);
		}
	}
}

static void test_numbers(void)
{
	static const struct {
		int code;
		const char *certificate, *session;
	} cases[] = {
	    {MBEDTLS_ERR_X509_INVALID_DATE, "its dates are invalid", NULL},
	    {MBEDTLS_ERR_X509_INVALID_DATE - 0x62, "its dates are invalid",
	     NULL}, /* with what the lower layer said */
	    {MBEDTLS_ERR_X509_UNKNOWN_SIG_ALG - 0x2e,
	     "signed with an algorithm that " TLS_LIBRARY " lacks", NULL},
	    {MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE, NULL, "the server sent a TLS message out of turn"},
	    {MBEDTLS_ERR_SSL_INTERNAL_ERROR, NULL, NULL},
	    {-0x62, NULL, NULL},
	    {-1, NULL, NULL},
	};
	const char *words;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("-0x%x", (unsigned)-cases[i].code);
		words = wsi_tls_certificate_words(cases[i].code);
		CHECK(cases[i].certificate ? words && strstr(words, cases[i].certificate) : !words);
		words = wsi_tls_session_words(cases[i].code);
		CHECK(cases[i].session ? words && strstr(words, cases[i].session) : !words);
	}
	check_row_end();
#if MBEDTLS_VERSION_NUMBER < 0x04000000
	CHECK_EQ_U(wsi_tls_lacks_cipher(MBEDTLS_ERR_PK_UNKNOWN_PK_ALG), 1);
	CHECK_EQ_U(wsi_tls_lacks_cipher(MBEDTLS_ERR_PK_KEY_INVALID_FORMAT), 0);
#endif
}

static void test_names_of_suites(void)
{
	static const struct {
		const char *name, *iana;
	} cases[] = {
	    {"TLS-ECDHE-RSA-WITH-AES-128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
	    {"TLS1-3-AES-128-GCM-SHA256", "TLS_AES_128_GCM_SHA256"},
	};
	char buf[100];
	struct wsi_text t;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s", cases[i].name);
		wsi_text_init(&t, buf, sizeof buf);
		wsi_tls_put_iana(&t, cases[i].name);
		CHECK_EQ_S(buf, cases[i].iana);
	}
}

int main(void)
{
	TEST(test_files);
	TEST(test_numbers);
	TEST(test_names_of_suites);
	return check_done();
}
#endif
