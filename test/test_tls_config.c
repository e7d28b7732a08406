/* SPDX-License-Identifier: ISC
 * test_tls_config.c - the TLS options: which are refused, and what the others do
 */
#include "tls.h"

#ifdef WS_WITH_MBEDTLS
#include <sys/resource.h>
#include <sys/stat.h>

/* The error for a wrong passphrase of a PKCS #8 key encrypted with AES */
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#define PKCS8_AES "wrong passphrase"
#else
#define PKCS8_AES "the key is encrypted with a cipher that " TLS_LIBRARY " lacks"
#endif

/* Makes the files that test_options uses besides those of make-certs */
static void make_odd_files(void)
{
	unsigned char buf[20000];
	size_t n = load(in_certs("client", ".pem"), buf, sizeof buf);
	char name[20];
	FILE *f;

	if (access(in_scratch("fifo"), F_OK) == 0) /* the test runs a second time */
		return;
	f = fopen(in_scratch("half.pem"), "wb");
	CHECK(f != NULL && fwrite(buf, 1, n, f) == n);
	n = load(in_certs("broken", ".pem"), buf, sizeof buf);
	CHECK(fwrite(buf, 1, n, f) == n && fclose(f) == 0);
	for (n = 65534; n <= 65535; n++) { /* mbedTLS gets these bytes and a NUL */
		snprintf(name, sizeof name, "%lu.pem", (unsigned long)n);
		f = fopen(in_scratch(name), "wb");
		CHECK(f != NULL && ftruncate(fileno(f), (off_t)n) == 0 && fclose(f) == 0);
	}
	CHECK(mkdir(in_scratch("loops"), 0700) == 0);
	CHECK(symlink("loop", in_scratch("loops/loop")) == 0);
	CHECK(mkfifo(in_scratch("fifo"), 0600) == 0);
}

/* What the value of an option is: text, or the name of a file of make-certs or of make_odd_files */
enum source { TEXT, CERT, MADE };

static void test_options(void)
{
	static const struct {
		size_t field; /* offset in struct ws_tls */
		const char *value;
		enum source source; /* of the value */
		const char *option, *why;
	} cases[] = {
#define O(field) offsetof(struct ws_tls, field)
#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X256 X64 X64 X64 X64
#define SUITE "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256:"
#define SUITES4 SUITE SUITE SUITE SUITE
#define SUITES16 SUITES4 SUITES4 SUITES4 SUITES4
#define PIN "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=;"
#define PINS4 PIN PIN PIN PIN
	    {O(ca_file), "missing.pem", CERT, "tls.ca_file", "missing.pem\": No such file"},
	    {O(ca_file), "garbage.pem", CERT, "tls.ca_file", "garbage.pem\": no certificate in it"},
	    {O(ca_file), "empty.pem", CERT, "tls.ca_file", "no certificate in it"},
	    {O(ca_file), "good.key", CERT, "tls.ca_file", "no certificate in it"},
	    {O(ca_file), "broken.pem", CERT, "tls.ca_file",
	     "broken.pem\": its certificate cannot be read: it is damaged"},
	    {O(ca_file), "client-key.der", CERT, "tls.ca_file", "its certificate cannot be read"},
	    {O(ca_file), "capath", CERT, "tls.ca_file", "is a directory"},
	    {O(ca_dir), "ca.pem", CERT, "tls.ca_dir", "ca.pem\": is not a directory"},
	    {O(ca_dir), "missing", CERT, "tls.ca_dir", "No such file"},
	    {O(ca_dir), "loops", MADE, "tls.ca_dir",
	     "no certificate in it (PEM or DER), but a file that could not be read: "},
	    {O(cert_file), "half.pem", MADE, "tls.cert_file", "a certificate in it cannot be read"},
	    {O(keylog_file), "fifo", MADE, "tls.keylog_file", "fifo\": is a pipe"},
	    {O(ca_dir), "emptydir", CERT, "tls.ca_dir", "no certificate in it"},
	    {O(cert_file), "missing.pem", CERT, "tls.cert_file", "No such file"},
	    {O(cert_file), "garbage.pem", CERT, "tls.cert_file",
	     "garbage.pem\": it is neither PEM nor DER"},
	    {O(cert_file), "empty.pem", CERT, "tls.cert_file", "empty.pem\": it is empty"},
	    {O(cert_file), "broken.pem", CERT, "tls.cert_file",
	     "its certificate cannot be read: it is damaged"},
	    {O(cert_file), "client.pem", CERT, "tls.key_file",
	     "client.pem\": the certificate's file has no private key in it"},
	    {O(cert_file), "capath", CERT, "tls.cert_file", "directory"},
	    {O(key_file), "client.key", CERT, "tls.key_file", "needs a certificate"},
	    {O(ciphers), "TLS_NO_SUCH_SUITE", TEXT, "tls.ciphers",
	     "\"TLS_NO_SUCH_SUITE\": no cipher suite"},
	    {O(ciphers), "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256:nonsense", TEXT, "tls.ciphers",
	     "\"nonsense\""},
	    {O(ciphers), "x", TEXT, "tls.ciphers", "\"x\": no cipher suite of this build"},
	    {O(ciphers), "", TEXT, "tls.ciphers", "no cipher suite in it"},
	    {O(ciphers), ",:", TEXT, "tls.ciphers", "no cipher suite in it"},
	    {O(ciphers), SUITES16 SUITES16 SUITES16 SUITES16 SUITE, TEXT, "tls.ciphers",
	     "more than 64 cipher suites"},
	    {O(pin_sha256), PINS4 PINS4 PIN, TEXT, "tls.pin_sha256", "more than 8 pins"},
	    {O(pin_sha256), "", TEXT, "tls.pin_sha256", "no pin"},
	    {O(pin_sha256), "sha256//AAAA", TEXT, "tls.pin_sha256", "\"sha256//AAAA\""},
	    {O(pin_sha256), "sha256/_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", TEXT,
	     "tls.pin_sha256", "sha256//BASE64"},
	    {O(pin_sha256), "sha1//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", TEXT,
	     "tls.pin_sha256", "sha256//BASE64"},
	    {O(pin_sha256), "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=", TEXT,
	     "tls.pin_sha256", "sha256//BASE64"},
	    {O(pin_sha256), "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=;sha256//", TEXT,
	     "tls.pin_sha256", "BASE64"},
	    {O(pin_sha256), "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", TEXT,
	     "tls.pin_sha256", "sha256//BASE64"}, /* 33 bytes */
	    {O(pin_sha256), "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=A", TEXT,
	     "tls.pin_sha256", "sha256//BASE64"},
	    {O(server_name), "", TEXT, "tls.server_name", "empty"},
	    {O(server_name), X256, TEXT, "tls.server_name", "longer than 255 bytes"},
	    {O(cert_file), "65535.pem", MADE, "tls.cert_file", "65535.pem\": too large"},
	    {O(cert_file), "65534.pem", MADE, "tls.cert_file", "65534.pem\": it is neither"},
	    {O(keylog_file), "missing/keylog", CERT, "tls.keylog_file", "No such file"}};
	static const struct {
		int min, max;
		const char *ciphers, *option;
	} versions[] = {
		{11, 0, NULL, "tls.min_version"},
		{0, 14, NULL, "tls.max_version"},
		{13, 12, NULL, "tls.min_version"},
		{0, 0, NULL, NULL},
		{12, 13, NULL, NULL},
		{12, 12, NULL, NULL},
		{12, 0, NULL, NULL},
#if HAS_13
		{13, 13, NULL, NULL},
		{13, 0, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "tls.ciphers"},
		{0, 12, "TLS_AES_128_GCM_SHA256", "tls.ciphers"},
		{13, 13, "TLS_AES_128_GCM_SHA256", NULL},
#else
		{13, 0, NULL, "tls.min_version"},
		{0, 0, "TLS_AES_128_GCM_SHA256", "tls.ciphers"},
#endif
		{-1, 0, NULL, "tls.min_version"}
	};
	static const struct {
		const char *cert, *key, *pass, *option, *why;
	} keys[] = {
	    {"client.pem", "missing.key", NULL, "tls.key_file", "missing.key\": No such file"},
	    {"client.pem", "65535.pem", NULL, "tls.key_file", "65535.pem\": too large"},
	    {"client.pem", "garbage.pem", NULL, "tls.key_file",
	     "garbage.pem\": it is neither PEM nor DER"},
	    {"client.pem", "empty.pem", NULL, "tls.key_file", "empty.pem\": it is empty"},
	    {"client.pem", "ca.der", NULL, "tls.key_file", "its private key cannot be read: "},
	    {"client.pem", "ca.der", "any", "tls.key_file", "its private key cannot be read: "},
	    {"client.pem", "65534.pem", NULL, "tls.key_file", "65534.pem\": it is neither"},
	    {"client.pem", "clientrsa.key", NULL, "tls.key_file",
	     "does not belong to the certificate"},
	    {"client.pem", "good.key", NULL, "tls.key_file", "does not belong to the certificate"},
	    {"client.pem", "client-enc.key", NULL, "tls.key_password", "no passphrase was given"},
	    {"client.pem", "client-old.key", NULL, "tls.key_password", "no passphrase was given"},
	    {"client.pem", "client-enc.key", "wrong", "tls.key_password",
	     "client-enc.key\": " PKCS8_AES},
	    {"client.pem", "client-des.key", "wrong", "tls.key_password",
	     "client-des.key\": wrong passphrase"},
	    {"client.pem", "some-enc.der", "wrong", "tls.key_password",
	     "some-enc.der\": wrong passphrase for the key"},
	    {"client.pem", "client-old.key", "wrong", "tls.key_password",
	     "client-old.key\": wrong passphrase"}};
	struct ws_tls tls;
	struct wsi_tls_config *c;
	struct wsi_text why;
	char buf[600];
	const char *option, *value;
	size_t i;
	int rc, fifo;

	make_odd_files();
	fifo = open(in_scratch("fifo"), O_RDWR); /* so that the library can open it */
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s: %s", cases[i].option, cases[i].why);
		memset(&tls, 0, sizeof tls);
		value = cases[i].value;
		if (cases[i].source == CERT)
			value = in_certs(value, "");
		if (cases[i].source == MADE)
			value = in_scratch(value);
		memcpy((char *)&tls + cases[i].field, &value, sizeof value);
		option = NULL;
		wsi_text_init(&why, buf, sizeof buf);
		rc = configure(&c, &tls, &option, &why);
		if (!CHECK(rc == WS_EUSAGE)
		    || !CHECK(option && strcmp(option, cases[i].option) == 0)
		    || !CHECK(strstr(buf, cases[i].why)))
			fprintf(stderr, "\t%s: %d %s %s\n", value, rc, option, buf);
		if (cases[i].source == MADE && strcmp(cases[i].value, "loops") == 0)
			CHECK(strstr(buf, strerror(ELOOP)) != NULL);
		CHECK(c == NULL);
		CHECK(blocks == 0 && allocated == 0);
	}
	close(fifo);
	check_row_end();
	for (i = 0; i < sizeof versions / sizeof versions[0]; i++) {
		check_row("%d to %d, %s", versions[i].min, versions[i].max,
		          versions[i].ciphers != NULL ? versions[i].ciphers : "any cipher");
		memset(&tls, 0, sizeof tls);
		tls.min_version = versions[i].min;
		tls.max_version = versions[i].max;
		tls.ciphers = versions[i].ciphers;
		option = NULL;
		wsi_text_init(&why, buf, sizeof buf);
		rc = configure(&c, &tls, &option, &why);
		if (!CHECK(rc == (versions[i].option ? WS_EUSAGE : 0))
		    || !CHECK(option == versions[i].option
		              || (option && strcmp(option, versions[i].option) == 0)))
			fprintf(stderr, "\t%d to %d: %d %s %s\n", tls.min_version, tls.max_version,
			        rc, option, buf);
		if (tls.min_version == 13 && tls.max_version == 12)
			CHECK(strstr(buf, "above the highest version allowed") != NULL);
		if (tls.min_version == 13 && tls.max_version == 0 && !HAS_13)
			CHECK(strstr(buf, " has no TLS 1.3") != NULL);
		wsi_tls_config_free(c);
		CHECK(blocks == 0 && allocated == 0);
	}
	check_row_end();
	for (i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		check_row("%s, %s", keys[i].key, keys[i].why);
		memset(&tls, 0, sizeof tls);
		tls.cert_file = in_certs(keys[i].cert, "");
		tls.key_file =
		    keys[i].key[0] == '6' ? in_scratch(keys[i].key) : in_certs(keys[i].key, "");
		tls.key_password = keys[i].pass;
		wsi_text_init(&why, buf, sizeof buf);
		rc = configure(&c, &tls, &option, &why);
		if (!CHECK(rc == WS_EUSAGE) || !CHECK(strcmp(option, keys[i].option) == 0)
		    || !CHECK(strstr(buf, keys[i].why)))
			fprintf(stderr, "\t%s: %d %s %s\n", keys[i].key, rc, option, buf);
		CHECK(strstr(buf, "wrong\"") == NULL); /* no error shows a passphrase */
		CHECK(blocks == 0 && allocated == 0);
	}
}

/* What the client offers, and the longest lists that are accepted */
static void test_lists(void)
{
	struct ws_tls tls = {0};
	struct wsi_tls_config *c;
	struct wsi_text why;
	const char *option, *name;
	char buf[300];
	const int *id;
	int n = 0;

	check_row("the default");
	wsi_text_init(&why, buf, sizeof buf);
	CHECK_EQ_U(configure(&c, &tls, &option, &why), 0);
	for (id = mbedtls_ssl_list_ciphersuites(); *id != 0; id++) {
		name = mbedtls_ssl_get_ciphersuite_name(*id);
		if (strncmp(name, "TLS-DHE-", 8) != 0 && strstr(name, "PSK") == NULL
		    && strstr(name, "JPAKE") == NULL)
			CHECK_EQ_U(c->suites[n++], *id);
	}
	CHECK_EQ_U(c->suites[n], 0);
	CHECK(n > 10);
	CHECK_EQ_U(c->ciphers[0], 0);
	CHECK_EQ_U(c->min, 12);
	CHECK_EQ_U(c->max, HAS_13 ? 13 : 12);
	wsi_tls_config_free(c);

	check_row("64 cipher suites, 8 pins, a name of 255 bytes");
	tls.ciphers = SUITES16 SUITES16 SUITES16 SUITES16;
	tls.pin_sha256 = PINS4 PINS4;
	tls.server_name =
	    X64 X64 X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
	CHECK_EQ_U(configure(&c, &tls, &option, &why), 0);
	for (n = 0; n < 64; n++)
		CHECK_EQ_U(c->ciphers[n], MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256);
	CHECK_EQ_U(c->ciphers[64], 0);
	CHECK_EQ_U(c->max, 12);
	CHECK_EQ_U(c->pins_n, 8);
	wsi_tls_config_free(c);

	check_row("separators");
	memset(&tls, 0, sizeof tls);
	tls.ciphers = " :," SUITE ", : TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 :";
	CHECK_EQ_U(configure(&c, &tls, &option, &why), 0);
	CHECK_EQ_U(c->ciphers[0], MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256);
	CHECK_EQ_U(c->ciphers[1], MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256);
	CHECK_EQ_U(c->ciphers[2], 0);
	wsi_tls_config_free(c);
	CHECK(blocks == 0 && allocated == 0);
}

#if MBEDTLS_VERSION_NUMBER < 0x04000000
/* A few of many wrong passphrases decrypt a key to something that begins like a valid one. */
static void test_wrong_passphrases(void)
{
	struct ws_tls tls = {0};
	struct wsi_tls_config *c;
	struct wsi_text why;
	const char *option = "";
	char buf[600], pass[20];
	int i;

	tls.cert_file = in_certs("client", ".pem");
	tls.key_file = in_certs("client-old", ".key");
	tls.key_password = pass;
	for (i = 0; i < 1000; i++) {
		snprintf(pass, sizeof pass, "%d", i);
		wsi_text_init(&why, buf, sizeof buf);
		if (!CHECK(configure(&c, &tls, &option, &why) == WS_EUSAGE)
		    || !CHECK(strcmp(option, "tls.key_password") == 0)
		    || !CHECK(strstr(buf, "client-old.key\": wrong passphrase for the key")
		              != NULL))
			fprintf(stderr, "\t%d: %s\n", i, buf);
	}
}
#endif

static void test_ciphers_versions(void)
{
	static const struct {
		const char *ciphers, *expect, *cert;
		int server_max, client_min, client_max, rc;
		const char *why;
	} cases[] = {
		{"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
		 "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "good", 0, 0, 0, 0, ""},
		{"TLS-ECDHE-ECDSA-WITH-AES-256-GCM-SHA384",
		 "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "good", 0, 0, 0, 0, ""},
		{"tls_ecdhe_rsa_with_aes_128_gcm_sha256, TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256",
		 "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "rsa", 0, 0, 0, 0, ""},
		{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", NULL, "good", 0, 0, 0, WS_ETLS,
		 "alert handshake_failure(40)"},
#if HAS_13
		{"TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256", "good", 0, 0, 0, 0, ""},
		{"TLS1-3-AES-256-GCM-SHA384", "TLS_AES_256_GCM_SHA384", "good", 0, 0, 0, 0, ""},
		{"TLS_AES_128_GCM_SHA256", NULL, "good", 12, 0, 0, WS_ETLS, "alert "},
		{NULL, NULL, "good", 12, 13, 0, WS_ETLS, "alert "},
		{NULL, NULL, "good", 0, 0, 12, 0, ""},
		{NULL, NULL, "good", 0, 13, 13, 0, ""},
#endif
		{NULL, NULL, "good", 12, 12, 12, 0, ""}
	};
	struct ws_report r;
	struct setup s;
	struct pair *p;
	size_t i;
	int rc;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%lu: %s", (unsigned long)i,
		          cases[i].ciphers != NULL ? cases[i].ciphers : "any cipher");
		s = with_ca(good);
		s.cert = cases[i].cert;
		s.max_version = cases[i].server_max;
		s.tls.ciphers = cases[i].ciphers;
		s.tls.min_version = cases[i].client_min;
		s.tls.max_version = cases[i].client_max;
		p = pair_new(&s);
		rc = shake(p, -1);
		memset(&r, 0, sizeof r);
		wsi_tls_report(p->t, &r);
		if (!CHECK(rc == cases[i].rc) || !CHECK(strstr(p->why_buf, cases[i].why)))
			fprintf(stderr, "\tcase %lu: %d %s\n", (unsigned long)i, rc, p->why_buf);
		if (cases[i].expect)
			CHECK_EQ_S(r.tls_cipher, cases[i].expect);
		if (rc == 0 && (cases[i].client_max == 12 || cases[i].client_min == 13))
			CHECK_EQ_S(r.tls_version,
			           cases[i].client_max == 12 ? "TLSv1.2" : "TLSv1.3");
		pair_free(p);
	}
}

static void test_client_certificates(void)
{
	static const struct {
		const char *cert, *key, *pass;
		int foreign, ok;
	} cases[] = {
		{"client.pem", "client.key", NULL, 0, 1},
		{"client-both.pem", NULL, NULL, 0, 1},
		{"client-both.pem", NULL, "not needed", 0, 1},
		{"client-text.pem", NULL, NULL, 0, 1},
#if MBEDTLS_VERSION_NUMBER >= 0x03000000 /* 2.28 cannot decrypt AES here */
		{"client.pem", "client-enc.key", "secret", 0, 1},
#endif
#if MBEDTLS_VERSION_NUMBER < 0x04000000
		{"client.pem", "client-des.key", "secret", 0, 1},
#endif
		{"client.pem", "client-old.key", "secret", 0, 1},
		{"client.pem", "client-key.der", NULL, 0, 1},
		{"clientrsa.pem", "clientrsa.key", NULL, 0, 1},
		{NULL, NULL, NULL, 0, 0},
		{"client.pem", "client.key", NULL, 1, 0},
		{"stranger.pem", "stranger.key", NULL, 0, 0},
		{"client.der", "client.key", NULL, 0, 0}
	}; /* without its chain */
	unsigned char byte;
	struct setup s;
	struct pair *p;
	ptrdiff_t last;
	size_t i;
	int rc, max;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s, foreign %d", cases[i].cert, cases[i].foreign);
		for (max = 12; max <= (HAS_13 ? 13 : 12); max++) {
			s = with_ca(good);
			s.client_ca = "ca";
			s.max_version = max;
			s.foreign = cases[i].foreign;
			s.tls.cert_file = cases[i].cert ? in_certs(cases[i].cert, "") : NULL;
			s.tls.key_file = cases[i].key ? in_certs(cases[i].key, "") : NULL;
			s.tls.key_password = cases[i].pass;
			p = pair_new(&s);
			rc = shake(p, -1);
			if (max == 13 && !cases[i].ok
			    && CHECK(rc == 0)) { /* with TLS 1.3 the client learns it only later */
				drink(p, &byte, 1, &last);
				CHECK(last == WS_IO_ERROR);
				rc = wsi_tls_why(p->t, &p->why);
			}
			if (!CHECK(rc == (cases[i].ok ? 0 : WS_ETLS))
			    || !CHECK((rc == 0) == (p->why.len == 0))
			    || !CHECK(p->server_done == cases[i].ok))
				fprintf(stderr, "\tcase %lu, TLS %d: %d %s\n", (unsigned long)i,
				        max, rc, p->why_buf);
			pair_free(p);
		}
	}
}

static void test_keylog(void)
{
	static const char *const labels[] = {"CLIENT_RANDOM ", "CLIENT_HANDSHAKE_TRAFFIC_SECRET ",
	                                     "SERVER_HANDSHAKE_TRAFFIC_SECRET ",
	                                     "CLIENT_TRAFFIC_SECRET_0 ",
	                                     "SERVER_TRAFFIC_SECRET_0 "};
	const char *path = in_scratch("keylog");
	char text[4000], *line;
	struct setup s = with_ca(good);
	struct pair *p;
	struct stat st;
	size_t i, hex;
	int max, seen, zero;

	for (max = 12; max <= (HAS_13 ? 13 : 12); max++) {
		unlink(path);
		s.max_version = max;
		s.tls.keylog_file = path;
		p = pair_new(&s);
		CHECK_EQ_U(shake(p, -1), 0);
		pair_free(p);
		i = load(path, (unsigned char *)text, sizeof text);
		CHECK(i > 0 && text[i - 1] == '\n');
		seen = 0;
		for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
			for (i = 0; i < 5; i++) {
				if (strncmp(line, labels[i], strlen(labels[i])) == 0)
					seen |= 1 << i;
			}
			line = strchr(line, ' ') + 1;
			hex = strspn(line, "0123456789abcdef");
			CHECK_EQ_U(hex, 64);
			CHECK(line[hex] == ' ');
			hex = strspn(line + hex + 1, "0123456789abcdef");
			CHECK(hex == 64 || hex == 96);
			CHECK(line[65 + hex] == 0);
		}
		CHECK_EQ_U(seen, max == 12 ? 1 : 30);
		CHECK(stat(path, &st) == 0 && (st.st_mode & 077) == 0);
	}
	unlink(path);
	check_row("a file that is descriptor 0");
	zero = dup(0);
	close(0);
	p = pair_new(&s);
	CHECK_EQ_U(p->c->keylog_fd, 0);
	CHECK_EQ_U(shake(p, -1), 0);
	check_row("no child gets it, and no reader of it makes the program wait");
	CHECK(fcntl(0, F_GETFD) & FD_CLOEXEC);
	CHECK(fcntl(0, F_GETFL) & O_NONBLOCK);
	pair_free(p);
	CHECK_EQ_U(fcntl(0, F_GETFD), -1);
	CHECK(dup2(zero, 0) == 0 || zero < 0);
	close(zero);
	CHECK(stat(path, &st) == 0 && st.st_size > 0);
	unlink(path);
#ifdef __linux__
	check_row("a file that cannot be written to does not stop the connection");
	s.tls.keylog_file = "/dev/full";
	p = pair_new(&s);
	CHECK_EQ_U(shake(p, -1), 0);
	pair_free(p);
#endif
}

#ifdef MEMORY_FAILS
/* All memory of mbedTLS and all descriptors are given back. */
static void test_given_back(void)
{
	struct setup s = with_ca(good);
	int round, lowest, fd;
	long before = 0;
	struct pair *p;

	s.client_ca = "ca";
	s.tls.cert_file = in_certs("client", ".pem");
	s.tls.key_file = in_certs("client", ".key");
	s.tls.keylog_file = in_scratch("keylog");
	for (round = 0; round < 2; round++) { /* the first allocates what stays */
		before = atomic_load(&blocks_in_use);
		lowest = dup(0);
		close(lowest);
		p = pair_new(&s);
		CHECK_EQ_U(shake(p, -1), 0);
		pair_free(p);
		fd = dup(0);
		close(fd);
		CHECK_EQ_U(fd, lowest);
	}
	CHECK_EQ_U(atomic_load(&blocks_in_use), before);
	unlink(s.tls.keylog_file);
}
#endif

#ifdef __linux__
/* No descriptor was free for one file of a directory: named if the issuer is missing */
static void test_no_descriptor_for_one(void)
{
	const char *dir = in_scratch("some");
	struct ws_report r = {0};
	struct setup s = good;
	char command[900];
	struct pair *p;

	snprintf(command, sizeof command, "mkdir '%s' && cp '%s' '%s/a.pem' && cp '%s' '%s/b.pem'",
	         dir, in_certs("ca", ".pem"), dir, in_certs("other", ".pem"), dir);
	CHECK(system(command) == 0);
	s.tls.ca_dir = dir;
	p = pair_alone(&s);
	open_fails_at = "a.pem";
	open_errno = EMFILE;
	CHECK_EQ_U(pair_client(p, &s), 0);
	open_fails_at = NULL;
	CHECK_EQ_U(shake(p, -1), WS_ECERT);
	wsi_tls_report(p->t, &r);
	CHECK_EQ_U(r.no_descriptor, 1);
	pair_free(p);
	snprintf(command, sizeof command, "rm -r '%s'", dir);
	CHECK(system(command) == 0);
}
#endif

/* Takes all descriptors, or gives them back. */
static void take_descriptors(int take)
{
	static struct rlimit before;
	struct rlimit none;
	int lowest;

	if (!take) {
		setrlimit(RLIMIT_NOFILE, &before);
		return;
	}
	getrlimit(RLIMIT_NOFILE, &before);
	lowest = dup(0);
	close(lowest);
	none = before;
	none.rlim_cur = (rlim_t)lowest;
	setrlimit(RLIMIT_NOFILE, &none);
}

/* A file for which no descriptor is free is not a wrong option. */
static void test_no_descriptors(void)
{
	const char *const bundle = in_certs("bundle", ".pem");
	const struct {
		size_t field;
		const char *option, *value;
	} cases[] = {{O(ca_file), "tls.ca_file", bundle},
	             {O(ca_dir), "tls.ca_dir", in_certs("capath", "")},
	             {O(cert_file), "tls.cert_file", in_certs("client", ".pem")},
	             {O(keylog_file), "tls.keylog_file", in_scratch("keylog")}};
	struct setup s = good;
	struct wsi_tls_config *c;
	struct ws_report r = {0};
	struct wsi_text why;
	struct ws_tls tls;
	const char *option;
	char buf[600];
	struct pair *p;
	size_t i;
	int rc;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s", cases[i].option);
		memset(&tls, 0, sizeof tls);
		memcpy((char *)&tls + cases[i].field, &cases[i].value, sizeof cases[i].value);
		wsi_text_init(&why, buf, sizeof buf);
		option = "";
		take_descriptors(1);
		rc = configure(&c, &tls, &option, &why);
		take_descriptors(0);
		CHECK_EQ_U(rc, WS_EIO);
		if (!sharing || i < 2) /* the system's certificates are read later */
			CHECK_EQ_S(option, cases[i].option);
		if (!sharing || i < 2)
			CHECK(strstr(buf, "open files") || strstr(buf, "No file descriptors"));
		else
			CHECK_EQ_S(buf, "no descriptor was free to read the system's certificates");
	}
	check_row_end();
	if (sharing)
		return;
	s.tls.ca_file = bundle;
	s.cert = "self";
	p = pair_new(&s);
	take_descriptors(1);
	CHECK(shake(p, -1) == WS_ECERT);
	take_descriptors(0);
	wsi_tls_report(p->t, &r);
	CHECK_EQ_U(r.no_descriptor, 1);
	pair_free(p);
	p = pair_new(&s);
	CHECK(shake(p, -1) == WS_ECERT);
	wsi_tls_report(p->t, &r);
	CHECK_EQ_U(r.no_descriptor, 0);
	pair_free(p);
}

int main(void)
{
	tls_begin();
	TEST(test_options);
	TEST(test_lists);
#if MBEDTLS_VERSION_NUMBER < 0x04000000
	TEST(test_wrong_passphrases);
#endif
	TEST(test_ciphers_versions);
	TEST(test_client_certificates);
	TEST(test_keylog);
#ifdef MEMORY_FAILS
	TEST(test_given_back);
#endif
	TEST(test_no_descriptors);
#ifdef __linux__
	TEST(test_no_descriptor_for_one);
#endif
	sharing = 1;
	TEST(test_options);
	TEST(test_client_certificates);
#ifdef MEMORY_FAILS
	TEST(test_given_back);
#endif
	TEST(test_no_descriptors);
#ifdef __linux__
	TEST(test_no_descriptor_for_one);
#endif
	return tls_end();
}
#endif
