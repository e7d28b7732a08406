/* SPDX-License-Identifier: ISC
 * test_tls_verdict.c - which certificates of a server hold, and what is said of the others
 */
#include "tls.h"

#ifdef WS_WITH_MBEDTLS

static void test_certificates(void)
{
	enum { VERIFY, NO_NAME, NO_VERIFY };
	static const struct {
		const char *cert, *name;
		int how;         /* of the above */
		int rc;          /* what the handshake must say */
		const char *why; /* in its sentence */
	} cases[] = {
	    {"expired", "localhost", VERIFY, WS_ECERT,
	     "the server's certificate has expired: it was valid until 2"},
	    {"expired", "localhost", NO_NAME, WS_ECERT, "has expired"},
	    {"expired", "localhost", NO_VERIFY, 0, ""},
	    {"expired", "localhost", VERIFY, WS_ECERT, "(this machine's clock says 2"},
	    {"future", "localhost", VERIFY, WS_ECERT,
	     "the server's certificate is not yet valid: it will be from 2"},
	    {"oldchain", "localhost", VERIFY, WS_ECERT,
	     "in its chain the certificate \"C=XX, O=Test, CN=Old Intermediate\" has expired"},
	    {"wrong", "localhost", VERIFY, WS_ECERT,
	     "the server's certificate is not for \"localhost\" but for wrong.example, "
	     "www.wrong.example, 192.0.2.1"},
	    {"wrong", "localhost", NO_NAME, 0, ""},
	    {"wrong", "localhost", NO_VERIFY, 0, ""},
	    {"wrong", "127.0.0.1", VERIFY, WS_ECERT, "is not for \"127.0.0.1\""},
	    {"wrong", "192.0.2.1", VERIFY, 0, ""},
	    {"wrong", "192.0.2.2", VERIFY, WS_ECERT, "is not for"},
	    {"many", "last.example", VERIFY, 0, ""},
	    {"many", "localhost", VERIFY, WS_ECERT, "host7.many.example, ..."},
	    {"ip", "127.0.0.1", VERIFY, 0, ""},
	    {"ip", "::1", VERIFY, 0, ""},
	    {"ip", "0:0:0:0:0:0:0:1", VERIFY, 0, ""},
	    {"ip", "::2", VERIFY, WS_ECERT, "is not for \"::2\" but for 127.0.0.1, ::1"},
	    {"ip", "localhost", VERIFY, WS_ECERT, "is not for"},
	    {"name", "127.0.0.1", VERIFY, WS_ECERT, "is not for"},
	    {"name", "localhost", VERIFY, 0, ""},
	    {"name", "localhosts", VERIFY, WS_ECERT, "is not for"},
	    {"name", "ocalhost", VERIFY, WS_ECERT, "is not for"},
	    {"upper", "localhost", VERIFY, 0, ""},
	    {"cn", "localhost", VERIFY, 0, ""},
	    {"cn", "127.0.0.1", VERIFY, WS_ECERT, "is not for \"127.0.0.1\" but for localhost"},
	    {"cnonly", "localhost", VERIFY, WS_ECERT,
	     "is not for \"localhost\" but for other.example"},
	    {"wild", "a.example.test", VERIFY, 0, ""},
	    {"wild", "A.EXAMPLE.TEST", VERIFY, 0, ""},
	    {"wild", "a.b.example.test", VERIFY, WS_ECERT, "is not for"},
	    {"wild", "example.test", VERIFY, WS_ECERT, "is not for"},
	    {"wild", ".example.test", VERIFY, WS_ECERT, "is not for"},
	    {"wild", "a.localhost", VERIFY, WS_ECERT, "is not for"}, /* a whole top-level domain */
	    {"wild2", "b.a.example.test", VERIFY, 0, ""},
	    {"wild2", "a.example.test", VERIFY, WS_ECERT, "is not for"},
	    {"wild2", "c.b.a.example.test", VERIFY, WS_ECERT, "is not for"},
	    {"fake", "localhost", VERIFY, WS_ECERT, "is not trusted"},
	    {"weak", "localhost", VERIFY, WS_ECERT, "has a key that is too weak"},
	    {"weak", "localhost", NO_VERIFY, 0, ""},
	    {"nochain", "localhost", VERIFY, WS_ECERT,
	     "or the server did not send its intermediate certificate"},
	    {"nochain", "localhost", VERIFY, WS_ECERT, "\"C=XX, O=Test, CN=Test Intermediate\""},
	    {"nochain", "localhost", NO_VERIFY, 0, ""},
	    {"self", "localhost", VERIFY, WS_ECERT, "is self-signed and not trusted here"},
	    {"self", "other.example", VERIFY, WS_ECERT,
	     "is self-signed and not trusted here; the server's certificate is not for"},
	    {"self", "localhost", NO_VERIFY, 0, ""},
	    {"strange", "localhost", VERIFY, WS_ECERT,
	     "certificate \"C=XX, O=Test, CN=Another Root\" is a root that is not trusted here"},
	};
	struct ws_report r;
	struct setup s;
	struct pair *p;
	size_t i;
	int rc, max;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s for %s, how %d", cases[i].cert, cases[i].name, cases[i].how);
		for (max = 12; max <= (HAS_13 ? 13 : 12); max++) {
			if (max == 13
			    && strcmp(cases[i].cert, "weak") == 0) /* the server would not */
				continue;
			s = with_ca(good);
			s.cert = cases[i].cert;
			s.name = cases[i].name;
			s.max_version = max;
			s.tls.insecure_no_hostname = cases[i].how == NO_NAME;
			s.tls.insecure_no_verify = cases[i].how == NO_VERIFY;
			p = pair_new(&s);
			rc = shake(p, -1);
			memset(&r, 0, sizeof r);
			wsi_tls_report(p->t, &r);
			if (!CHECK(rc == cases[i].rc) || !CHECK(strstr(p->why_buf, cases[i].why))
			    || !CHECK(r.tls_verified == (rc == 0 && cases[i].how != NO_VERIFY))
			    || !CHECK(r.cert_not_after != 0)
			    || !CHECK((rc == 0) == (p->why.len == 0)))
				fprintf(stderr, "\t%s for %s: %d %s\n", s.cert, s.name, rc,
				        p->why_buf);
			CHECK(p->why.cut == 0);
			/* once failed, it stays so, with the same words, and never says a word of
			 * data */
			if (rc != 0) {
				char first[600];

				memcpy(first, p->why_buf, sizeof first);
				wsi_text_init(&p->why, p->why_buf, sizeof p->why_buf);
				CHECK(wsi_tls_handshake(p->t, INT64_MAX, &p->why) == rc);
				CHECK_EQ_S(p->why_buf, first);
				CHECK(!p->server_done || max == 13);
			}
			pair_free(p);
		}
	}
}

static void test_pins(void)
{
	char pin[80], list[200], seen[100];
	struct setup s = with_ca(good);
	struct pair *p;
	int i;

	load(in_certs("good", ".pin"), (unsigned char *)pin, sizeof pin);
	snprintf(list, sizeof list, "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=;%s", pin);
	snprintf(seen, sizeof seen, "but %s", pin);
	for (i = 0; i < 8; i++) {
		s.tls.insecure_no_verify = i & 1;
		s.tls.pin_sha256 = i < 4 ? (i & 2 ? list : pin)
		                         : "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
		s.max_version = i & 4 ? 12 : 0;
		p = pair_new(&s);
		CHECK(shake(p, -1) == (i < 4 ? 0 : WS_ECERT));
		CHECK(i < 4 ? p->why.len == 0 : strstr(p->why_buf, seen) != NULL);
		CHECK(i < 4 || !p->server_done || s.max_version == 0);
		pair_free(p);
	}
	s = with_ca(good); /* a pin is no pardon */
	s.tls.pin_sha256 = pin;
	s.name = "elsewhere.example";
	p = pair_new(&s);
	CHECK(shake(p, -1) == WS_ECERT);
	CHECK(strstr(p->why_buf, "is not for"));
	pair_free(p);
}

static void test_dates(void)
{
	struct setup s = with_ca(good);
	struct ws_report r;
	struct pair *p;

	s.cert = "long";
	p = pair_new(&s);
	CHECK_EQ_U(shake(p, -1), 0);
	memset(&r, 0, sizeof r);
	wsi_tls_report(p->t, &r);
	CHECK(r.cert_not_after == INT64_C(3786911999)); /* date -u -d "2089-12-31 23:59:59" +%s */
	pair_free(p);
}

static void put_24(unsigned char *p, size_t v)
{
	p[0] = (unsigned char)(v >> 16);
	p[1] = (unsigned char)(v >> 8);
	p[2] = (unsigned char)v;
}

/* Certificate messages of TLS 1.2 behind a ServerHello, as no server of mbedTLS sends them */
static void test_certificate_messages(void)
{
	/* version, random, no session, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, no compression */
	static const unsigned char hello[5 + 4 + 2 + 32 + 4] = {
	    0x16, 0x03, 0x03, 0, 42, 2, 0, 0, 38, 0x03, 0x03, [44] = 0xc0, 0x2b};
	static const struct {
		const char *name;
		int with_der;       /* ca.der is in it */
		unsigned char flip; /* of the last byte of the first "ecdsa-with-SHA256" in it */
		const char *why;
	} cases[] = {{"none", 0, 0, "the server showed no certificate"},
	             {"an algorithm that nobody knows", 1, 0x70,
	              "the server's certificate is signed with an algorithm that " TLS_LIBRARY
	              " lacks"},
	             {"a whole one", 1, 0, "is not for \"localhost\""}};
	static const unsigned char algorithm[8] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
	unsigned char message[4096], *der = message + 5 + 4 + 3 + 3;
	struct setup s = with_ca(good);
	struct pair *p;
	size_t i, k, len;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s", cases[i].name);
		len = 0;
		if (cases[i].with_der)
			len = load(in_certs("ca", ".der"), der, sizeof message - 15);
		for (k = 0; k + sizeof algorithm <= len
		            && memcmp(der + k, algorithm, sizeof algorithm) != 0;
		     k++)
			;
		if (cases[i].flip)
			der[k + 7] ^= cases[i].flip;
		put_24(message + 12, len);
		len += cases[i].with_der ? 3 : 0;
		put_24(message + 9, len);
		put_24(message + 6, len + 3);
		message[0] = 0x16;
		message[1] = message[2] = 0x03;
		message[3] = (unsigned char)((len + 7) >> 8);
		message[4] = (unsigned char)(len + 7);
		message[5] = 11;
		p = pair_new(&s);
		CHECK(wsi_tls_handshake(p->t, INT64_MAX, &p->why) == WS_IO_READ);
		pipe_write(&p->down, hello, sizeof hello);
		pipe_write(&p->down, message, len + 12);
		if (!CHECK(shake(p, 0) == WS_ECERT)
		    || !CHECK(strstr(p->why_buf, cases[i].why) != NULL))
			fprintf(stderr, "\t%s\n", p->why_buf);
		pair_free(p);
	}
}

/* A program's own mbedtls_ssl_config */
static void test_own_config(void)
{
	static const struct {
		const char *cert, *name, *pin;
		int none, rc;
		const char *why;
	} cases[] = {{"good", "localhost", NULL, 0, 0, ""},
	             {"good", "127.0.0.1", NULL, 0, 0, ""},
	             {"good", "127.0.0.2", NULL, 0, WS_ECERT, "is not for \"127.0.0.2\""},
	             {"good", "other.example", NULL, 0, WS_ECERT, ""},
	             {"self", "localhost", NULL, 0, WS_ECERT, ""},
	             {"good", "localhost", "good", 0, 0, ""},
	             {"direct", "localhost", "good", 0, WS_ECERT, "not the pinned one"},
	             {"self", "localhost", NULL, 1, 0, ""},
	             {"self", "localhost", "good", 1, WS_ECERT, "not the pinned one"}};
	mbedtls_ssl_config conf;
	mbedtls_x509_crt ca;
	struct ws_report r;
	struct setup s;
	struct pair *p;
	char pin[80];
	size_t i;
	int rc;

	load(in_certs("good", ".pin"), (unsigned char *)pin, sizeof pin);
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s for %s, pin %s", cases[i].cert, cases[i].name,
		          cases[i].pin != NULL ? cases[i].pin : "none");
		mbedtls_ssl_config_init(&conf);
		mbedtls_x509_crt_init(&ca);
		load_crt(&ca, in_certs("ca", ".pem"));
		CHECK(mbedtls_ssl_config_defaults(&conf, MBEDTLS_SSL_IS_CLIENT,
		                                  MBEDTLS_SSL_TRANSPORT_STREAM,
		                                  MBEDTLS_SSL_PRESET_DEFAULT)
		      == 0);
#if MBEDTLS_VERSION_NUMBER < 0x04000000
		mbedtls_ssl_conf_rng(&conf, test_random, NULL);
#endif
		mbedtls_ssl_conf_ca_chain(&conf, &ca, NULL);
		if (cases[i].none)
			mbedtls_ssl_conf_authmode(&conf, MBEDTLS_SSL_VERIFY_NONE);
		s = good;
		s.cert = cases[i].cert;
		s.name = cases[i].name;
		s.tls.config = &conf;
		s.tls.pin_sha256 = cases[i].pin ? pin : NULL;
		p = pair_new(&s);
		rc = shake(p, -1);
		memset(&r, 0, sizeof r);
		wsi_tls_report(p->t, &r);
		if (!CHECK(rc == cases[i].rc) || !CHECK(strstr(p->why_buf, cases[i].why))
		    || !CHECK((rc == 0) == (p->why.len == 0)) || !CHECK(r.tls_verified == 0))
			fprintf(stderr, "\tcase %lu: %d %s\n", (unsigned long)i, rc, p->why_buf);
		if (rc == 0)
			CHECK(strncmp(r.cert_subject, "CN=", 3) == 0);
		pair_free(p);
		mbedtls_ssl_config_free(&conf);
		mbedtls_x509_crt_free(&ca);
	}
}

#if defined(MBEDTLS_KEY_EXCHANGE_PSK_ENABLED) && MBEDTLS_VERSION_NUMBER < 0x03000000
/* A program's own settings agree on a secret, so the server shows no certificate: no pin can hold */
static void test_no_certificate(void)
{
	static const int suites[] = {MBEDTLS_TLS_PSK_WITH_AES_128_GCM_SHA256, 0};
	static const unsigned char psk[16] = "0123456789abcde", identity[] = "me";
	mbedtls_ssl_config conf;
	struct setup s = good;
	struct ws_report r;
	struct pair *p;
	char pin[80];
	int pinned;

	load(in_certs("good", ".pin"), (unsigned char *)pin, sizeof pin);
	for (pinned = 0; pinned < 2; pinned++) {
		mbedtls_ssl_config_init(&conf);
		CHECK(mbedtls_ssl_config_defaults(&conf, MBEDTLS_SSL_IS_CLIENT,
		                                  MBEDTLS_SSL_TRANSPORT_STREAM,
		                                  MBEDTLS_SSL_PRESET_DEFAULT)
		      == 0);
		mbedtls_ssl_conf_rng(&conf, test_random, NULL);
		mbedtls_ssl_conf_ciphersuites(&conf, suites);
		CHECK(mbedtls_ssl_conf_psk(&conf, psk, sizeof psk, identity, 2) == 0);
		s.tls.config = &conf;
		s.tls.pin_sha256 = pinned ? pin : NULL;
		p = pair_new(&s);
		CHECK(mbedtls_ssl_conf_psk(&p->conf, psk, sizeof psk, identity, 2) == 0);
		CHECK_EQ_U(shake(p, -1), pinned ? WS_ECERT : 0);
		CHECK_EQ_S(p->why_buf, pinned ? "the server showed no certificate" : "");
		memset(&r, 0, sizeof r);
		wsi_tls_report(p->t, &r);
		CHECK(r.tls_verified == 0);
		pair_free(p);
		mbedtls_ssl_config_free(&conf);
	}
}
#endif

int main(void)
{
	tls_begin();
	TEST(test_certificates);
	TEST(test_pins);
	TEST(test_dates);
	TEST(test_certificate_messages);
	TEST(test_own_config);
#if defined(MBEDTLS_KEY_EXCHANGE_PSK_ENABLED) && MBEDTLS_VERSION_NUMBER < 0x03000000
	TEST(test_no_certificate);
#endif
	sharing = 1;
	TEST(test_certificates);
	TEST(test_pins);
	TEST(test_own_config);
	return tls_end();
}
#endif
