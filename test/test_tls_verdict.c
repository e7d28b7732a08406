/* SPDX-License-Identifier: ISC
 * test_tls_verdict.c - which certificates of a server are accepted, and the errors for the others
 */
#include "tls.h"

#ifdef WS_WITH_MBEDTLS
#include <time.h>

static void test_certificates(void)
{
	enum { VERIFY, NO_NAME, NO_VERIFY };
	static const struct {
		const char *cert, *name;
		int how;         /* one of the above */
		int rc;          /* the result of the handshake */
		const char *why; /* a part of its error */
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
	    {"wild", "a.localhost", VERIFY, WS_ECERT, "is not for"}, /* covers a top-level domain */
	    {"wild2", "b.a.example.test", VERIFY, 0, ""},
	    {"wild2", "a.example.test", VERIFY, WS_ECERT, "is not for"},
	    {"wild2", "c.b.a.example.test", VERIFY, WS_ECERT, "is not for"},
	    {"fake", "localhost", VERIFY, WS_ECERT, "is not trusted"},
	    {"weak", "localhost", VERIFY, WS_ECERT, "has a key that is too weak"},
	    {"weak", "localhost", NO_VERIFY, 0, ""},
	    {"sha384", "localhost", VERIFY, 0, ""},
	    {"sha512", "localhost", VERIFY, 0, ""},
	    {"sha224", "localhost", VERIFY, WS_ECERT, "is signed with a hash that is too weak"},
	    {"p521", "localhost", VERIFY, 0, ""},
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
			if (max == 13 && strcmp(cases[i].cert, "weak") == 0) /* not even sent */
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
			if (rc != 0 && strstr(p->why_buf, "trusted") != NULL)
				CHECK_EQ_S(r.option, "tls.ca_file");
			else
				CHECK(r.option == NULL);
			if (!CHECK(rc == cases[i].rc) || !CHECK(strstr(p->why_buf, cases[i].why))
			    || !CHECK(r.tls_verified == (rc == 0 && cases[i].how != NO_VERIFY))
			    || !CHECK(r.cert_not_after != 0)
			    || !CHECK((rc == 0) == (p->why.len == 0)))
				fprintf(stderr, "\t%s for %s: %d %s\n", s.cert, s.name, rc,
				        p->why_buf);
			CHECK(p->why.cut == 0);
			/* after a failure it keeps failing, with the same error, and never returns
			 * any data */
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
	char pin[80], list[200], seen[150], right[40];
	struct setup s = with_ca(good);
	struct pair *p;
	int i;

	load(in_certs("good", ".pin"), (unsigned char *)pin, sizeof pin);
	snprintf(list, sizeof list, "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=;%s", pin);
	snprintf(seen, sizeof seen, "the server's public key is not the pinned one but %s", pin);
	for (i = 0; i < 8; i++) {
		s.tls.insecure_no_verify = i & 1;
		s.tls.pin_sha256 = i < 4 ? (i & 2 ? list : pin)
		                         : "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
		s.max_version = i & 4 ? 12 : 0;
		p = pair_new(&s);
		CHECK(shake(p, -1) == (i < 4 ? 0 : WS_ECERT));
		CHECK_EQ_S(p->why_buf, i < 4 ? "" : seen);
		CHECK(i < 4 || !p->server_done || s.max_version == 0);
		pair_free(p);
	}
	s = with_ca(good); /* a pin does not replace the other checks */
	s.tls.pin_sha256 = pin;
	s.name = "elsewhere.example";
	p = pair_new(&s);
	CHECK(shake(p, -1) == WS_ECERT);
	CHECK(strstr(p->why_buf, "is not for"));
	pair_free(p);
	s.tls.pin_sha256 = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
	p = pair_new(&s);
	CHECK(shake(p, -1) == WS_ECERT);
	CHECK_EQ_S(p->why_buf, seen);
	pair_free(p);
	check_row("what lies behind the last pin does not count");
	p = pair_new(&s);
	CHECK_EQ_U(wsi_base64_decode(right, pin + strlen("sha256//"), WSI_BASE64_LEN(32)), 32);
	CHECK_EQ_U(p->c->pins_n, 1);
	memcpy(p->c->pins[1], right, 32);
	CHECK(shake(p, -1) == WS_ECERT);
	pair_free(p);
	check_row_end();
	s.tls.ca_file = in_certs("other", ".pem"); /* then tls.ca_file is not the reason either */
	for (i = 0; i < 2; i++) {
		struct ws_report r = {.option = ""};

		s.tls.insecure_no_verify = i;
		p = pair_new(&s);
		CHECK(shake(p, -1) == WS_ECERT);
		CHECK_EQ_S(p->why_buf, seen);
		wsi_tls_report(p->t, &r);
		CHECK_EQ_S(r.option, "");
		pair_free(p);
	}
	s.tls.pin_sha256 = NULL; /* nor where the server falls silent after its certificate */
	s.max_version = 12;
	for (i = 0; i < 2; i++) {
		struct ws_report r = {.option = ""};

		s.tls.insecure_no_verify = i;
		p = pair_new(&s);
		CHECK(shake(p, 1) == (i ? 1 : WS_ECERT));
		p->down.eof = 1;
		CHECK(wsi_tls_handshake(p->t, INT64_MAX, &p->why) == (i ? WS_ETLS : WS_ECERT));
		wsi_tls_report(p->t, &r);
		CHECK_EQ_S(r.option, i ? "" : "tls.ca_file");
		pair_free(p);
	}
}

static void put_24(unsigned char *p, size_t v)
{
	p[0] = (unsigned char)(v >> 16);
	p[1] = (unsigned char)(v >> 8);
	p[2] = (unsigned char)v;
}

/* Writes the certificates of a file as in a Certificate message. Returns their length. */
static size_t put_chain(unsigned char *to, size_t room, const char *file)
{
	const mbedtls_x509_crt *x;
	mbedtls_x509_crt chain;
	unsigned char buf[5000];
	size_t len = 0;

	if (file == NULL)
		return 0;
	if (strcmp(file, "critical") == 0) { /* mbedTLS cannot read it */
		len = load(in_certs(file, ".der"), buf, sizeof buf);
		put_24(to, len);
		memcpy(to + 3, buf, len);
		return len + 3;
	}
	mbedtls_x509_crt_init(&chain);
	load_crt(&chain, in_certs(file, ".pem"));
	for (x = &chain; x != NULL; x = x->next) {
		if (len + 3 + x->raw.len > room)
			abort();
		put_24(to + len, x->raw.len);
		memcpy(to + len + 3, x->raw.p, x->raw.len);
		len += 3 + x->raw.len;
	}
	mbedtls_x509_crt_free(&chain);
	return len;
}

/* Certificate messages of TLS 1.2 after a ServerHello, which no mbedTLS server would send */
static void test_certificate_messages(void)
{
	/* version, random, no session, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, no compression */
	static const unsigned char hello[5 + 4 + 2 + 32 + 4] = {
	    0x16, 0x03, 0x03, 0, 42, 2, 0, 0, 38, 0x03, 0x03, [44] = 0xc0, 0x2b};
	static const struct {
		const char *name, *file; /* its certificates are sent; NULL: none */
		unsigned char flip; /* bits to flip in its first "ecdsa-with-SHA256", last byte */
		const char *why;
	} cases[] = {
	    {"none", NULL, 0, "the server showed no certificate"},
	    {"an algorithm that nobody knows", "ca", 0x70,
	     "the server's certificate is signed with an algorithm that " TLS_LIBRARY " lacks"},
	    {"a whole one", "ca", 0, "is not for \"localhost\""},
	    {"a critical extension that nobody knows", "critical", 0,
	     "the server's certificate has a critical extension that this TLS library does not "
	     "support: (1.2.3.4)"},
	    {"not for signatures", "usage", 0,
	     "the server's certificate may not be used for a TLS server (key usage)"},
	    {"for clients", "clientauth", 0,
	     "the server's certificate may not be used for a TLS server (extended key usage)"},
	};
	static const unsigned char algorithm[8] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
	unsigned char message[4096];
	struct setup s = with_ca(good);
	struct pair *p;
	size_t i, k, len;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s", cases[i].name);
		len = put_chain(message + 12, sizeof message - 12, cases[i].file);
		for (k = 0; k + sizeof algorithm <= len
		            && memcmp(message + 12 + k, algorithm, sizeof algorithm) != 0;
		     k++)
			;
		if (cases[i].flip)
			message[12 + k + 7] ^= cases[i].flip;
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
/* With the program's own settings the two sides share a secret, so the server shows no certificate,
 * and a pin cannot match */
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

/* ---- Parts of the check, on certificates that are made here ---- */

static time_t fake_now; /* what time(2) returns; 0: the real time */

time_t time(time_t *at)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (fake_now != 0)
		now.tv_sec = fake_now;
	if (at != NULL)
		*at = now.tv_sec;
	return now.tv_sec;
}

static void test_dates(void)
{
	static const struct {
		mbedtls_x509_time date;
		int64_t seconds; /* date -u -d DATE +%s */
	} cases[] = {
	    {{1970, 1, 1, 0, 0, 0}, 0},
	    {{1999, 12, 31, 23, 59, 59}, 946684799},
	    {{2000, 2, 29, 12, 34, 56}, 951827696},
	    {{2000, 3, 1, 0, 0, 0}, 951868800},
	    {{2024, 2, 29, 1, 2, 3}, 1709168523},
	    {{2024, 3, 1, 1, 2, 3}, 1709254923},
	    {{2025, 5, 31, 0, 0, 1}, 1748649601},
	    {{2025, 8, 1, 0, 1, 0}, 1754006460},
	    {{2089, 12, 31, 23, 59, 59}, INT64_C(3786911999)},
	    {{2100, 2, 28, 0, 0, 0}, INT64_C(4107456000)},
	    {{2100, 3, 1, 0, 0, 0}, INT64_C(4107542400)},
	    {{9999, 12, 31, 23, 59, 59}, INT64_C(253402300799)},
	};
	struct ws_tls options = {0};
	struct wsi_tls_config c;
	struct wsi_tls *t = session_new(&c, &options);
	mbedtls_x509_crt crt;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%d-%d-%d", cases[i].date.year, cases[i].date.mon, cases[i].date.day);
		mbedtls_x509_crt_init(&crt);
		crt.valid_to = cases[i].date;
		wsi_tls_remember(t, &crt);
		CHECK_EQ_U(t->not_after, cases[i].seconds);
	}
	free(t);
}

/* Names with one part, CN=a and CN=b */
static unsigned char name_a[] = "\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01"
                                "a",
                     name_b[] = "\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01"
                                "b";

static void test_problems(void)
{
	enum { NOW = 1714979289 }; /* 2024-05-06T07:08:09Z */
	enum {
		EXPIRED = MBEDTLS_X509_BADCERT_EXPIRED,
		FUTURE = MBEDTLS_X509_BADCERT_FUTURE,
		MD = MBEDTLS_X509_BADCERT_BAD_MD,
		KEY = MBEDTLS_X509_BADCERT_BAD_KEY,
		UNTRUSTED = MBEDTLS_X509_BADCERT_NOT_TRUSTED
	};
	static const struct {
		long now;
		char subject, issuer; /* 0: mbedTLS does not show the certificate */
		int depth;
		unsigned flags;
		const char *why; /* after "the server's certificate"; all of it if depth > 0 */
	} cases[] = {
	    {NOW, 'a', 'b', 0, EXPIRED,
	     " has expired: it was valid until 2020-02-29T12:34:56Z (this machine's clock says "
	     "2024-05-06T07:08:09Z)"},
	    {NOW, 'a', 'b', 0, FUTURE,
	     " is not yet valid: it will be from 2010-11-30T23:45:01Z (this machine's clock says "
	     "2024-05-06T07:08:09Z)"},
	    {NOW, 0, 0, 0, EXPIRED,
	     " has expired: it was valid until  (this machine's clock says 2024-05-06T07:08:09Z)"},
	    {NOW, 0, 0, 0, FUTURE,
	     " is not yet valid: it will be from  (this machine's clock says "
	     "2024-05-06T07:08:09Z)"},
	    {1577836799, 'a', 'b', 0, FUTURE,
	     " is not yet valid: it will be from 2010-11-30T23:45:01Z (this machine's clock says "
	     "2019-12-31T23:59:59Z: was it ever set?)"},
	    {1577836800, 'a', 'b', 0, FUTURE,
	     " is not yet valid: it will be from 2010-11-30T23:45:01Z (this machine's clock says "
	     "2020-01-01T00:00:00Z)"},
	    {NOW, 'a', 'b', 1, EXPIRED,
	     "in its chain the certificate \"CN=a\" has expired: it was valid until "
	     "2020-02-29T12:34:56Z (this machine's clock says 2024-05-06T07:08:09Z)"},
	    {NOW, 'a', 'b', 0, EXPIRED | MD | KEY,
	     " has expired: it was valid until 2020-02-29T12:34:56Z (this machine's clock says "
	     "2024-05-06T07:08:09Z); it is signed with a hash that is too weak; it has a key that "
	     "is too weak, or of a kind that is not allowed"},
	    {NOW, 'a', 'b', 0, MBEDTLS_X509_BADCERT_REVOKED, " was revoked"},
	    {NOW, 'a', 'b', 0, MD, " is signed with a hash that is too weak"},
	    {NOW, 'a', 'b', 0, KEY,
	     " has a key that is too weak, or of a kind that is not allowed"},
	    {NOW, 'a', 'b', 0, MBEDTLS_X509_BADCERT_BAD_PK,
	     " has a key that is too weak, or of a kind that is not allowed"},
	    {NOW, 'a', 'b', 0, MBEDTLS_X509_BADCERT_KEY_USAGE,
	     " may not be used for a TLS server (key usage)"},
	    {NOW, 'a', 'b', 0, MBEDTLS_X509_BADCERT_EXT_KEY_USAGE,
	     " may not be used for a TLS server (key usage)"},
	    {NOW, 'a', 'b', 0, MBEDTLS_X509_BADCERT_NS_CERT_TYPE,
	     " may not be used for a TLS server (key usage)"},
	    {NOW, 'a', 'b', 0, MBEDTLS_X509_BADCERT_CN_MISMATCH, " is not for this name"},
	    {NOW, 'a', 'b', 0, MBEDTLS_X509_BADCERT_OTHER, " was not accepted"},
	    {NOW, 'a', 'b', 0, UNTRUSTED,
	     " is not trusted here: its issuer \"CN=b\" is an unknown CA, or the server did not "
	     "send "
	     "its intermediate certificate"},
	    {NOW, 'a', 'b', 1, UNTRUSTED,
	     "in its chain the certificate \"CN=a\" is not trusted here: its issuer \"CN=b\" is an "
	     "unknown CA, or the server did not send its intermediate certificate"},
	    {NOW, 'a', 'a', 0, UNTRUSTED, " is self-signed and not trusted here"},
	    {NOW, 'b', 'b', 2, UNTRUSTED,
	     "in its chain the certificate \"CN=b\" is a root that is not trusted here"},
	    {NOW, 0, 0, 0, UNTRUSTED,
	     " is not trusted here: its issuer is an unknown CA, or the server did not send its "
	     "intermediate certificate"},
	    {NOW, 'a', 'a', 0, MD | UNTRUSTED,
	     " is signed with a hash that is too weak; it is self-signed and not trusted here"},
	};
	static const char server[] = "the server's certificate";
	struct ws_tls options = {0};
	struct wsi_tls_config c;
	struct wsi_tls *t = session_new(&c, &options);
	mbedtls_x509_crt crt;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%lu: %s", (unsigned long)i, cases[i].why);
		fake_now = cases[i].now;
		mbedtls_x509_crt_init(&crt);
		crt.valid_to = (mbedtls_x509_time){2020, 2, 29, 12, 34, 56};
		crt.valid_from = (mbedtls_x509_time){2010, 11, 30, 23, 45, 1};
		crt.subject_raw.p = cases[i].subject == 'a' ? name_a : name_b;
		crt.issuer_raw.p = cases[i].issuer == 'a' ? name_a : name_b;
		crt.subject_raw.len = crt.issuer_raw.len = sizeof name_a - 1;
		wsi_tls_put_problem(t, cases[i].subject ? &crt : NULL, cases[i].depth,
		                    cases[i].flags);
		fake_now = 0;
		if (cases[i].depth == 0)
			CHECK(strncmp(t->cert_why_buf, server, sizeof server - 1) == 0);
		CHECK_EQ_S(t->cert_why_buf + (cases[i].depth == 0 ? sizeof server - 1 : 0),
		           cases[i].why);
		CHECK_EQ_U(t->untrusted, (cases[i].flags & UNTRUSTED) != 0);
	}
	free(t);
}

#define LISTED_AS_A_NAME                                                                           \
	", which it lists as a name: it must list an address as an IP entry of its alternative "   \
	"names (subjectAltName=IP:...)"

/* Which names match, and which of them the error lists */
static void test_names(void)
{
	static const struct {
		const char *wanted;
		/* Alternative names: D is a DNS name, I an address, E an e-mail address, X is bytes
		 * that are not an address. NULL: there are none, so the common names count. */
		const char *names;
		const char *why; /* the error after "is not for "; "": the name matches */
	} cases[] = {
	    {"localhost", "Dlocalhost", ""},
	    {"localhost", "DLocalHost", ""},
	    {"a", "Db,Da", ""},
	    {"a", "Db", "\"a\" but for b"},
	    {"a", "D1,D2,D3,D4,D5,D6,D7,D8", "\"a\" but for 1, 2, 3, 4, 5, 6, 7, 8"},
	    {"a", "D1,D2,D3,D4,D5,D6,D7,D8,D9", "\"a\" but for 1, 2, 3, 4, 5, 6, 7, 8, ..."},
	    {"a", "Ea", "\"a\" but for no name at all"},
	    {"a", "Ea,Db", "\"a\" but for b"},
	    {"a", "I127.0.0.1,Db", "\"a\" but for 127.0.0.1, b"},
	    {"a", "I::2", "\"a\" but for ::2"},
	    {"a", "Xabc", "\"a\" but for no name at all"},
	    {"a", "Xa", "\"a\" but for no name at all"},
	    {"127.0.0.1", "I127.0.0.1", ""},
	    {"127.0.0.1", "I127.0.0.2", "\"127.0.0.1\" but for 127.0.0.2"},
	    {"127.0.0.1", "I127.0.0.2,I127.0.0.1", ""},
	    {"127.0.0.1", "I7f00:1::", "\"127.0.0.1\" but for 7f00:1::"},
	    {"::1", "I::1", ""},
	    {"::1", "I::2", "\"::1\" but for ::2"},
	    {"127.0.0.1", "D127.0.0.1", "\"127.0.0.1\"" LISTED_AS_A_NAME},
	    {"127.0.0.1", "D127.0.0.1,Da", "\"127.0.0.1\"" LISTED_AS_A_NAME},
	    {"127.0.0.1", "D127.0.0.2", "\"127.0.0.1\" but for 127.0.0.2"},
	    {"127.0.0.1", "D127.0.0.1,I127.0.0.1", ""},
	    {"127.0.0.1", "D7f00:1::", "\"127.0.0.1\" but for 7f00:1::"},
	    {"::1", "D0:0::1", "\"::1\"" LISTED_AS_A_NAME},
	    {"x.a.b", "D*.a.b", ""},
	    {"X.A.B", "D*.a.b", ""},
	    {"*.a.b", "D*.a.b", ""},
	    {"a.b", "D*.a.b", "\"a.b\" but for *.a.b"},
	    {".a.b", "D*.a.b", "\".a.b\" but for *.a.b"},
	    {"x.y.a.b", "D*.a.b", "\"x.y.a.b\" but for *.a.b"},
	    {"x.a", "D*.a", "\"x.a\" but for *.a"},
	    {"xy.a.b", "Dx*.a.b", "\"xy.a.b\" but for x*.a.b"},
	    {"yx.a.b", "D*x.a.b", "\"yx.a.b\" but for *x.a.b"},
	    {"x.y.b", "Dx.*.b", "\"x.y.b\" but for x.*.b"},
	    {"x", "D*", "\"x\" but for *"},
	    {"x", "D*.a.b", "\"x\" but for *.a.b"},
	    {"y.a.b", "Dx.a.b", "\"y.a.b\" but for x.a.b"},
	    {"::1", "D1:2:3:4:5:6:7:8", "\"::1\" but for 1:2:3:4:5:6:7:8"},
	    {"x.", "D*.", "\"x.\" but for *."},
	    {"a", NULL, ""},
	    {"b", NULL, ""},
	    {"c", NULL, "\"c\" but for a, b"},
	    {"o", NULL, "\"o\" but for a, b"},
	    {"127.0.0.1", NULL, "\"127.0.0.1\" but for a, b"},
	};
	/* Certificate { TBS { serial, algorithm, issuer, validity, subject, key } } */
	static unsigned char bare[] = "\x30\x1a\x30\x18\x02\x01\x07\x30\x00\x30\x02\x31\x00\x30\x00"
	                              "\x30\x06\x31\x04\x30\x02\x06\x00\x30\x03\x02\x01\x00";
	static unsigned char common_name[] = "\x55\x04\x03", organization[] = "\x55\x04\x0a",
	                     values[] = "oab";
	struct ws_tls options = {0};
	struct wsi_tls_config c;
	struct wsi_tls *t;
	mbedtls_x509_crt crt;
	mbedtls_x509_sequence list[10];
	mbedtls_x509_name attributes[3];
	unsigned char addresses[10][16];
	char text[100], *name;
	size_t i, n;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s: %s", cases[i].wanted, cases[i].names ? cases[i].names : "(CN)");
		t = session_new(&c, &options);
		strcpy(t->name, cases[i].wanted);
		strcpy(t->name + strlen(t->name) + 1, ".a.b"); /* after its end */
		t->ip_len = wsi_ip_parse(t->ip, t->name, strlen(t->name));
		mbedtls_x509_crt_init(&crt);
		memset(list, 0, sizeof list);
		memset(attributes, 0, sizeof attributes);
		strcpy(text, cases[i].names ? cases[i].names : "");
		for (n = 0, name = strtok(text, ","); name != NULL; n++, name = strtok(NULL, ",")) {
			if (n > 0)
				list[n - 1].next = &list[n];
			list[n].buf.p = (unsigned char *)name + 1;
			list[n].buf.len = strlen(name + 1);
			list[n].buf.tag = MBEDTLS_ASN1_CONTEXT_SPECIFIC
			                  | (*name == 'D'   ? MBEDTLS_X509_SAN_DNS_NAME
			                     : *name == 'E' ? MBEDTLS_X509_SAN_RFC822_NAME
			                                    : MBEDTLS_X509_SAN_IP_ADDRESS);
			if (*name == 'I') {
				list[n].buf.len =
				    (size_t)wsi_ip_parse(addresses[n], name + 1, strlen(name + 1));
				list[n].buf.p = addresses[n];
			}
		}
		if (n > 0)
			crt.subject_alt_names = list[0];
		if (cases[i].names == NULL) { /* O=o, CN=a, CN=b */
			crt.raw.p = bare;
			crt.raw.len = sizeof bare - 1;
			for (n = 0; n < 3; n++) {
				attributes[n].oid.p = n == 0 ? organization : common_name;
				attributes[n].oid.len = 3;
				attributes[n].val.p = values + n;
				attributes[n].val.len = 1;
				attributes[n].next = n < 2 ? &attributes[n + 1] : NULL;
			}
			crt.subject = attributes[0];
		}
		wsi_tls_check_name(t, &crt);
		CHECK_EQ_U(t->flags, cases[i].why[0] ? MBEDTLS_X509_BADCERT_CN_MISMATCH : 0);
		if (cases[i].why[0] == '\0')
			CHECK_EQ_S(t->cert_why_buf, "");
		else if (CHECK(strncmp(t->cert_why_buf, "the server's certificate is not for ", 36)
		               == 0))
			CHECK_EQ_S(t->cert_why_buf + 36, cases[i].why);
		wsi_tls_check_name(t, &crt); /* adds a second sentence */
		if (cases[i].why[0] != '\0')
			CHECK(strstr(t->cert_why_buf, "; the server's certificate is not for ")
			      != NULL);
		free(t);
	}
}

/* An address as common name, and an extension because of which the common name does not count */
static void test_common_names(void)
{
	static const struct {
		const char *wanted, *value;
		int extension; /* 1: there is an extension with no alternative names */
		const char *why;
	} cases[] = {
	    {"a", "a", 0, ""},
	    {"a", "a", 1, "but for no name at all"},
	    {"127.0.0.1", "127.0.0.1", 0, "which it lists as a name"},
	    {"127.0.0.1", "127.0.0.1", 1, "but for no name at all"},
	    {"127.0.0.1", "127.0.0.2", 0, "but for 127.0.0.2"},
	};
	static unsigned char bare[] = "\x30\x1a\x30\x18\x02\x01\x07\x30\x00\x30\x02\x31\x00\x30\x00"
	                              "\x30\x06\x31\x04\x30\x02\x06\x00\x30\x03\x02\x01\x00",
	                     empty[] =
	                         "\x30\x27\x30\x25\x02\x01\x07\x30\x00\x30\x02\x31\x00\x30\x00"
	                         "\x30\x06\x31\x04\x30\x02\x06\x00\x30\x03\x02\x01\x00"
	                         "\xa3\x0b\x30\x09\x30\x07\x06\x03\x55\x1d\x11\x04\x00";
	struct ws_tls options = {0};
	struct wsi_tls_config c;
	struct wsi_tls *t;
	mbedtls_x509_crt crt;
	static unsigned char common_name[] = "\x55\x04\x03";
	char value[20];
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s: %s, %d", cases[i].wanted, cases[i].value, cases[i].extension);
		t = session_new(&c, &options);
		strcpy(t->name, cases[i].wanted);
		t->ip_len = wsi_ip_parse(t->ip, t->name, strlen(t->name));
		mbedtls_x509_crt_init(&crt);
		crt.raw.p = cases[i].extension ? empty : bare;
		crt.raw.len = (cases[i].extension ? sizeof empty : sizeof bare) - 1;
		crt.subject.oid.p = common_name;
		crt.subject.oid.len = 3;
		strcpy(value, cases[i].value);
		crt.subject.val.p = (unsigned char *)value;
		crt.subject.val.len = strlen(cases[i].value);
		wsi_tls_check_name(t, &crt);
		CHECK_EQ_U(t->flags != 0, cases[i].why[0] != '\0');
		if (!CHECK(strstr(t->cert_why_buf, cases[i].why) != NULL))
			fprintf(stderr, "\t%s\n", t->cert_why_buf);
		free(t);
	}
}

/* mbedTLS calls this for each certificate of a chain, from the top down */
static void test_verify(void)
{
	enum { EXPIRED = MBEDTLS_X509_BADCERT_EXPIRED, CN = MBEDTLS_X509_BADCERT_CN_MISMATCH };
	static const struct {
		const char *name, *wanted;
		int no_verify, no_hostname;
		unsigned flags[2]; /* those of the server's certificate and of its issuer */
		unsigned result;
		int verified;
		const char *why;
	} cases[] = {
	    {"good", "localhost", 0, 0, {0, 0}, 0, 1, ""},
	    {"another name", "a", 0, 0, {0, 0}, CN, 0, "is not for \"a\""},
	    {"another name, not asked", "a", 0, 1, {0, 0}, 0, 1, ""},
	    {"another name for mbedTLS", "localhost", 0, 0, {CN, 0}, 0, 1, ""},
	    {"expired",
	     "localhost",
	     0,
	     0,
	     {EXPIRED, 0},
	     EXPIRED,
	     0,
	     "the server's certificate has"},
	    {"an expired issuer",
	     "localhost",
	     0,
	     0,
	     {0, EXPIRED},
	     EXPIRED,
	     0,
	     "\"C=XX, O=Test, CN=Test Intermediate\" has expired"},
	    {"an expired issuer, another name",
	     "a",
	     0,
	     0,
	     {0, EXPIRED},
	     EXPIRED | CN,
	     0,
	     "Z); the server's certificate is not for \"a\""},
	    {"nothing verified",
	     "a",
	     1,
	     0,
	     {EXPIRED, EXPIRED},
	     0,
	     0,
	     "the server's certificate has"},
	};
	struct ws_tls options;
	struct wsi_tls_config c;
	struct wsi_tls *t;
	mbedtls_x509_crt crt;
	uint32_t flags;
	size_t i;
	int times;

	mbedtls_x509_crt_init(&crt);
	load_crt(&crt, in_certs("good", ".pem"));
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s", cases[i].name);
		memset(&options, 0, sizeof options);
		options.insecure_no_verify = cases[i].no_verify;
		options.insecure_no_hostname = cases[i].no_hostname;
		t = session_new(&c, &options);
		strcpy(t->name, cases[i].wanted);
		for (times = 0; times < 2; times++) { /* mbedTLS may verify the chain twice */
			t->flags = 0;
			flags = cases[i].flags[1];
			CHECK_EQ_U(wsi_tls_verify(t, crt.next, 1, &flags), 0);
			CHECK_EQ_U(flags, 0); /* only the server's certificate decides */
			CHECK_EQ_U(t->path_n, 2);
			flags = cases[i].flags[0];
			CHECK_EQ_U(wsi_tls_verify(t, &crt, 0, &flags), 0);
			CHECK_EQ_U(flags, cases[i].result);
			CHECK_EQ_U(t->path_n, 0);
		}
		CHECK_EQ_U(t->verified, cases[i].verified);
		CHECK_EQ_S(t->subject, "CN=good");
		CHECK_EQ_S(t->issuer, "C=XX, O=Test, CN=Test Intermediate");
		CHECK(cases[i].why[0] ? strstr(t->cert_why_buf, cases[i].why) != NULL
		                      : t->cert_why.len == 0);
		free(t);
	}
	check_row("a chain of 16, and a longer one");
	memset(&options, 0, sizeof options);
	t = session_new(&c, &options);
	flags = 0;
	CHECK(wsi_tls_verify(t, &crt, 16, &flags) == MBEDTLS_ERR_X509_FATAL_ERROR);
	CHECK(wsi_tls_verify(t, &crt, 15, &flags) == 0 && t->path_n == 16);
	CHECK(wsi_tls_verify(t, &crt, 14, &flags) == 0 && t->path_n == 16);
	check_row("a chain that cannot be read");
	crt.raw.len--;
	CHECK(wsi_tls_verify(t, &crt, 1, &flags) == MBEDTLS_ERR_X509_FATAL_ERROR);
	crt.raw.len++;
	free(t);
	mbedtls_x509_crt_free(&crt);
}

/* What can be wrong with a chain before it is verified */
static void test_look(void)
{
	static const struct {
		int n;
		const char *why; /* "": nothing */
	} cases[] = {
	    {0, ""},
	    {-1, "the server sent certificates that cannot be read"},
	    {1, ""},
	    {11, "the server sent 11 certificates, more than the 10 that are accepted"},
	};
	struct ws_tls options = {.insecure_no_verify = 1};
	struct wsi_tls_config c;
	struct wsi_cert chain[WSI_CHAIN_MAX];
	struct wsi_tls *t;
	mbedtls_x509_crt crt;
	size_t i;
	int r, refused;

	mbedtls_x509_crt_init(&crt);
	load_crt(&crt, in_certs("good", ".pem"));
	CHECK(wsi_cert_read(&chain[0], crt.raw.p, crt.raw.len) == 0);
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%d", cases[i].n);
		t = session_new(&c, &options);
		refused = cases[i].why[0] != '\0';
		r = wsi_tls_look(t, chain, cases[i].n);
		CHECK_EQ_U(r, refused ? MBEDTLS_ERR_X509_CERT_VERIFY_FAILED : 0);
		CHECK_EQ_S(t->cert_why_buf, cases[i].why);
		CHECK_EQ_U(t->refused, refused);
		CHECK_EQ_U(t->flags, refused ? MBEDTLS_X509_BADCERT_OTHER : 0);
		CHECK_EQ_S(t->subject, cases[i].n > 10 ? "CN=good" : "");
		free(t);
	}
	check_row("a certificate whose key cannot be read");
	t = session_new(&c, &options);
	chain[0].key.len = 0;
	CHECK_EQ_U(wsi_tls_look(t, chain, 1), MBEDTLS_ERR_X509_CERT_VERIFY_FAILED);
	CHECK_EQ_S(t->cert_why_buf,
	           "the server's certificate has a public key that cannot be read");
	CHECK_EQ_S(t->subject, "CN=good");
	free(t);
	mbedtls_x509_crt_free(&crt);
}

int main(void)
{
	tls_begin();
	TEST(test_certificates);
	TEST(test_pins);
	TEST(test_dates);
	TEST(test_problems);
	TEST(test_names);
	TEST(test_common_names);
	TEST(test_verify);
	TEST(test_look);
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
