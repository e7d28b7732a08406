/* SPDX-License-Identifier: ISC
 * test_tls_words.c - sentences for mbedTLS's error numbers, and for files with the wrong
 * contents
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

#define CERTIFICATE "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n"
#define KEY "-----BEGIN PRIVATE KEY-----\nQUJD\n-----END PRIVATE KEY-----\n"

static void test_files(void)
{
	static const struct {
		const char *bytes;
		size_t len;                    /* 0: up to the NUL */
		const char *certificate, *key; /* NULL: no error, because the file may contain it */
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
	    {"\x30\x81\x80\x02\x01\x03\x30\x7b", 8, "PKCS #12", "PKCS #12"},
	    {"\x30\x83\x01\x00\x00\x02\x01\x03", 8, "PKCS #12", "PKCS #12"},
	    {"\x30\x08\x02\x01\x03\x30\x03\x02\x01\x00", 10, NULL, NULL}, /* too short */
	    {"\x30\x0d\x00\x02\x01\x03\x30\x00\x30", 9, NULL, NULL},
	    {"\x30\x81\x04\x02\x01\x03\x04", 7, NULL, NULL},
	    {"\x30\x82\x01\x00\x02\x01\x00\x02\x82", 9, NULL, NULL}, /* an RSA key */
	    {"\x31\x82\x01\x00\x02\x01\x03\x30\x82", 9, "neither PEM nor DER",
	     "neither PEM nor DER"},
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
	     NULL}, /* together with the error of a lower layer */
	    {MBEDTLS_ERR_X509_UNKNOWN_SIG_ALG - 0x2e,
	     "signed with an algorithm that " TLS_LIBRARY " lacks", NULL},
	    {MBEDTLS_ERR_X509_INVALID_DATE - 0x61, "its dates are invalid", NULL},
	    {MBEDTLS_ERR_X509_FEATURE_UNAVAILABLE, "it needs a feature", NULL},
	    {MBEDTLS_ERR_SSL_FEATURE_UNAVAILABLE, NULL, "the server chose a feature that "},
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

static void test_no_memory(void)
{
	static const struct {
		int code, no_memory;
	} cases[] = {
		{0, 0},
		{-1, 0},
#if MBEDTLS_VERSION_NUMBER < 0x04000000
		{MBEDTLS_ERR_MPI_ALLOC_FAILED, 1},
		{MBEDTLS_ERR_ASN1_ALLOC_FAILED, 1},
		{MBEDTLS_ERR_SSL_ALLOC_FAILED, 1},
		{MBEDTLS_ERR_X509_ALLOC_FAILED, 1},
		{MBEDTLS_ERR_PK_ALLOC_FAILED, 1},
		{MBEDTLS_ERR_ECP_ALLOC_FAILED, 1},
		{MBEDTLS_ERR_MD_ALLOC_FAILED, 1},
		{MBEDTLS_ERR_X509_INVALID_FORMAT + MBEDTLS_ERR_ASN1_ALLOC_FAILED, 1},
		{MBEDTLS_ERR_X509_ALLOC_FAILED + MBEDTLS_ERR_ASN1_UNEXPECTED_TAG, 1},
		{MBEDTLS_ERR_X509_ALLOC_FAILED + MBEDTLS_ERR_ASN1_INVALID_LENGTH - 1, 1},
		{MBEDTLS_ERR_X509_INVALID_FORMAT + MBEDTLS_ERR_ASN1_ALLOC_FAILED - 1, 0},
		{MBEDTLS_ERR_X509_INVALID_FORMAT + MBEDTLS_ERR_ASN1_UNEXPECTED_TAG, 0},
#else
		{PSA_ERROR_INSUFFICIENT_MEMORY, 1},
#endif
	};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("-0x%x", (unsigned)-cases[i].code);
		CHECK_EQ_U(wsi_tls_no_memory(cases[i].code), cases[i].no_memory);
	}
}

static void test_codes(void)
{
	char buf[300];
	struct wsi_text t;

	wsi_text_init(&t, buf, sizeof buf);
	wsi_tls_put_code(&t, -0x27af);
	CHECK(strstr(buf, "(mbedTLS -0x27af)") != NULL);
#if defined(MBEDTLS_ERROR_C)
	wsi_text_init(&t, buf, sizeof buf);
	wsi_tls_put_code(&t, MBEDTLS_ERR_X509_INVALID_DATE);
	CHECK(strncmp(buf, "X509 - ", 7) == 0);
	CHECK(strstr(buf, " (mbedTLS -0x2400)") != NULL);
#endif
	wsi_text_init(&t, buf, sizeof buf);
	wsi_tls_put_failure(&t, MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE);
	CHECK_EQ_S(buf, "the server sent a TLS message out of turn");
	wsi_text_init(&t, buf, sizeof buf);
	wsi_tls_put_failure(&t, -1);
	CHECK(strstr(buf, "(mbedTLS -0x0001)") != NULL);
}

static void test_wrong_options(void)
{
	enum { PLAIN, FILE_ERROR, CODE };
	static const struct {
		int how;
		const char *value;
		int error; /* of reading the file, or of mbedTLS */
		int r;
		const char *why;
	} cases[] = {
		{PLAIN, NULL, 0, WS_EUSAGE, "the cause"},
		{PLAIN, "a\nb", 0, WS_EUSAGE, "\"a?b\": the cause"},
		{FILE_ERROR, "f", -1, WS_EUSAGE, "\"f\": the cause"},
		{FILE_ERROR, "f", WS_ETIMEOUT, WS_ETIMEOUT, "\"f\": the cause"},
		{FILE_ERROR, "f", WS_EIO, WS_EIO, "\"f\": the cause"},
		{CODE, "f", MBEDTLS_ERR_X509_INVALID_DATE, WS_EUSAGE,
		 "\"f\": the cause: its dates are invalid"},
		{CODE, "f", -1, WS_EUSAGE, "(mbedTLS -0x0001)"},
#if MBEDTLS_VERSION_NUMBER < 0x04000000
		{CODE, "f", MBEDTLS_ERR_X509_ALLOC_FAILED, WS_EMEMORY, ""},
#endif
	};
	const char *option;
	struct wsi_tls_wrong w = {.option = &option};
	struct wsi_text why;
	char buf[300];
	size_t i;
	int r;

	w.why = &why;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%lu: %s", (unsigned long)i, cases[i].why);
		wsi_text_init(&why, buf, sizeof buf);
		option = "";
		if (cases[i].how == PLAIN)
			r = wsi_tls_bad(&w, "tls.x", cases[i].value, "the cause");
		else if (cases[i].how == FILE_ERROR)
			r = wsi_tls_bad_file(&w, "tls.x", cases[i].value, cases[i].error,
			                     "the cause");
		else
			r = wsi_tls_bad_code(&w, "tls.x", cases[i].value, "the cause",
			                     cases[i].error);
		CHECK_EQ_U(r, cases[i].r);
		if (!CHECK(strstr(buf, cases[i].why) != NULL))
			fprintf(stderr, "\t%s\n", buf);
		if (r != WS_EMEMORY)
			CHECK_EQ_S(option, "tls.x");
	}
}

static void test_alerts(void)
{
	static const struct {
		int code;
		const char *words;
	} cases[] = {
	    {0, "close_notify(0): it ended"},
	    {10, "unexpected_message(10): our message"},
	    {20, "bad_record_mac(20): it could not read"},
	    {22, "record_overflow(22): it could not read"},
	    {40, "handshake_failure(40): no cipher suite"},
	    {42, "bad_certificate(42): it wants a client"},
	    {43, "unsupported_certificate(43): it wants a client"},
	    {44, "certificate_revoked(44): it wants a client"},
	    {45, "certificate_expired(45): it wants a client"},
	    {46, "certificate_unknown(46): it wants a client"},
	    {47, "illegal_parameter(47): something that we offer"},
	    {48, "unknown_ca(48): it wants a client"},
	    {49, "access_denied(49): it does not grant"},
	    {50, "decode_error(50): it could not read"},
	    {51, "decrypt_error(51): a signature"},
	    {70, "protocol_version(70): no TLS version"},
	    {71, "insufficient_security(71): no cipher suite"},
	    {80, "internal_error(80): something went wrong"},
	    {86, "inappropriate_fallback(86): it speaks a higher"},
	    {90, "user_canceled(90): it gave up"},
	    {109, "missing_extension(109): it wants an extension"},
	    {110, "unsupported_extension(110): it does not accept"},
	    {112, "unrecognized_name(112): it has no site"},
	    {113, "bad_certificate_status_response(113): it does not accept"},
	    {115, "unknown_psk_identity(115): it does not know"},
	    {116, "certificate_required(116): it wants a client"},
	    {120, "no_application_protocol(120): it speaks none"},
	    {121, "the server sent the alert (121): which is not known here"},
	};
	char buf[600];
	struct wsi_text t;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%d", cases[i].code);
		wsi_text_init(&t, buf, sizeof buf);
		wsi_tls_put_alert(&t, cases[i].code);
		if (!CHECK(strstr(buf, cases[i].words) != NULL))
			fprintf(stderr, "\t%s\n", buf);
	}
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
		CHECK_EQ_U(t.len, strlen(cases[i].iana));
	}
}

int main(void)
{
	TEST(test_files);
	TEST(test_numbers);
	TEST(test_no_memory);
	TEST(test_codes);
	TEST(test_wrong_options);
	TEST(test_alerts);
	TEST(test_names_of_suites);
	return check_done();
}
#endif
