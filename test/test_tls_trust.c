/* SPDX-License-Identifier: ISC
 * test_tls_trust.c - where the trusted certificates come from, also when connections share them
 */
#include "tls.h"

#ifdef WS_WITH_MBEDTLS
#ifndef WS_NO_THREADS
#include <pthread.h>
#include <stdatomic.h>
#endif

static void test_trust(void)
{
	static const struct {
		const char *file, *dir, *cert;
		int rc;
	} cases[] = {
	    {"ca.der", NULL, "good", 0},
	    {"other.pem", NULL, "good", WS_ECERT},
	    {"bundle.pem", NULL, "good", 0},
	    {"bundle.pem", NULL, "direct", 0},
	    {"bundle.pem", NULL, "nochain", WS_ECERT},
	    {"bundle.pem", NULL, "expired", WS_ECERT},
	    {"bundle-without.pem", NULL, "good", WS_ECERT},
	    {"bundle.pem", NULL, "self", WS_ECERT},
	    {NULL, "capath", "good", 0},
	    {NULL, "capath", "self", WS_ECERT},
	    {"other.pem", "capath", "good", 0},
	    {NULL, "bundledir", "good", 0},
	    {NULL, "bundledir", "self", WS_ECERT},
	    {"int.crt", NULL, "nochain", 0}, /* an intermediate is trusted, so what it signed is,
					      * too */
	    {"self.pem", NULL, "self", 0},
	    {"good.crt", NULL, "fake", WS_ECERT}, /* trusted, but not a CA */
	    {"half.pem", NULL, "good", 0},        /* another certificate in it cannot be read */
	    {"half.pem", NULL, "self", WS_ECERT},
	    {NULL, NULL, "good", WS_ECERT}};
	struct setup s;
	struct pair *p;
	size_t i;
	int rc;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s, %s", cases[i].file != NULL ? cases[i].file : cases[i].dir,
		          cases[i].cert);
		s = good;
		s.cert = cases[i].cert;
		s.tls.ca_file = cases[i].file ? in_certs(cases[i].file, "") : NULL;
		s.tls.ca_dir = cases[i].dir ? in_certs(cases[i].dir, "") : NULL;
		p = pair_new(&s);
		rc = shake(p, -1);
		if (!CHECK(rc == cases[i].rc))
			fprintf(stderr, "\t%s %s %s: %d %s\n", cases[i].cert, cases[i].file,
			        cases[i].dir, rc, p->why_buf);
		pair_free(p);
	}
}

/* A bundle is read again when a session needs it. An error at that time gets its own sentence. */
static void test_bundle_read_late(void)
{
	struct setup s = good;
	const char *link = in_scratch("late.pem"), *dir = in_scratch("late");
	struct pair *p;

	CHECK(symlink(in_certs("bundle", ".pem"), link) == 0);
	CHECK(symlink(in_certs("bundledir", ""), dir) == 0);
	s.tls.ca_file = link;
	s.tls.ca_dir = dir;
	s.cert = "self"; /* none of the CAs that were parsed at first has issued it */

	check_row("the deadline");
	p = pair_new(&s);
	shake_until = wsi_clock_us();
	CHECK(shake(p, -1) == WSI_TLS_LATE);
	CHECK(strstr(p->why_buf, "timed out while looking for the issuer")
	      && strstr(p->why_buf, link));
	pair_free(p);
	shake_until = INT64_MAX;

	check_row("the file is gone: the error names the first one");
	p = pair_new(&s);
	p->c->lazy_dir = dir; /* as if it had certificates that the file has not */
	CHECK(unlink(link) == 0 && unlink(dir) == 0);
	CHECK(shake(p, -1) == WS_ECERT);
	CHECK(strstr(p->why_buf, "not trusted here") && strstr(p->why_buf, link)
	      && strstr(p->why_buf, "No such file"));
	pair_free(p);
}

#ifdef __linux__
/* A machine without a bundle, and one with a bundle that nobody may read */
static void test_no_bundle(void)
{
	static const struct {
		int err;
		const char *why;
	} cases[] = {
	    {ENOENT, "; this machine has no CA certificates in any of the usual places, "
	             "such as /etc/ssl/certs/ca-certificates.crt"},
	    {EACCES, "/ca-certificates.crt; one of these could not be read: Permission denied"}};
	struct pair *p;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s", cases[i].why);
		open_fails_at = "/";
		open_errno = cases[i].err;
		p = pair_new(&good);
		CHECK_EQ_U(shake(p, -1), WS_ECERT);
		open_fails_at = NULL;
		if (!CHECK(strstr(p->why_buf, cases[i].why) != NULL))
			fprintf(stderr, "\t%s\n", p->why_buf);
		pair_free(p);
	}
}
#endif

/* n certificates of the bundle, after a number of others, in a separate file */
static const char *part_of_bundle(int after, int n)
{
	static char text[1 << 18];
	static const char end[] = "-----END CERTIFICATE-----\n";
	char name[20], *begin, *p;
	FILE *f;

	load(in_certs("bundle", ".pem"), (unsigned char *)text, sizeof text);
	for (p = text; after > 0; after--)
		p = strstr(p, end) + sizeof end - 1;
	for (begin = p; n > 0; n--)
		p = strstr(p, end) + sizeof end - 1;
	snprintf(name, sizeof name, "%ld.pem", (long)(p - text));
	f = fopen(in_scratch(name), "wb");
	CHECK(f != NULL && fwrite(begin, 1, (size_t)(p - begin), f) == (size_t)(p - begin)
	      && fclose(f) == 0);
	return in_scratch(name);
}

/* The bundle begins with twelve different certificates, and then repeats one. */
static void test_how_many_are_parsed(void)
{
	static const struct {
		int after, in_file, lazy, parsed, shared;
	} cases[] = {{0, 1, 0, 1, 1},   {0, 8, 0, 8, 8},   {0, 9, 1, 9, 9},
	             {0, 12, 1, 9, 12}, {0, 40, 1, 9, 13}, {12, 40, 0, 1, 1}};
	const mbedtls_x509_crt *x;
	struct ws_tls tls;
	struct wsi_tls_config *c;
	struct wsi_text why;
	struct ws_trust *s;
	const char *option;
	char buf[300];
	size_t i, k, at;
	int n;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%d after %d", cases[i].in_file, cases[i].after);
		memset(&tls, 0, sizeof tls);
		tls.ca_file = part_of_bundle(cases[i].after, cases[i].in_file);
		wsi_text_init(&why, buf, sizeof buf);
		CHECK_EQ_U(wsi_tls_config_new(&c, &mem, &tls, INT64_MAX, &option, &why), 0);
		for (n = 0, x = &c->cas; x != NULL; x = x->next)
			n++;
		CHECK_EQ_U(n, cases[i].parsed);
		CHECK(c->lazy_file == (cases[i].lazy ? tls.ca_file : NULL) && c->lazy_dir == NULL);
		wsi_tls_config_free(c);

		s = wsi_tls_trust_new(&mem, &tls, INT64_MAX);
		CHECK_EQ_U(s->n, cases[i].shared);
		for (k = at = 0; k < s->n; k++) {
			CHECK_EQ_U(s->certs[k].at, at);
			CHECK(s->der[at] == 0x30 && s->der[at + 1] == 0x82);
			CHECK_EQ_U(s->certs[k].len, s->der[at + 2] * 256 + s->der[at + 3] + 4);
			at += s->certs[k].len;
		}
		CHECK_EQ_U(s->der_len, at);
		CHECK_EQ_U(s->der_cap, at);
		wsi_tls_trust_drop(s);
		unlink(tls.ca_file);
		CHECK(blocks == 0 && allocated == 0);
	}
}

/* Only the certificates of the chain count, not the bytes after them. */
static void test_find_issuers(void)
{
	struct ws_tls tls = {.ca_file = in_certs("bundle", ".pem")};
	struct wsi_cert chain[2];
	struct wsi_tls_config *c;
	struct wsi_text why;
	const char *option;
	char buf[300];
	mbedtls_x509_crt crt, self;
	const mbedtls_x509_crt *x;
	int n, found;

	mbedtls_x509_crt_init(&crt);
	mbedtls_x509_crt_init(&self);
	load_crt(&crt, in_certs("good", ".pem"));
	load_crt(&self, in_certs("self", ".pem"));
	CHECK(wsi_cert_read(&chain[0], self.raw.p, self.raw.len) == 0);
	CHECK(wsi_cert_read(&chain[1], crt.next->raw.p, crt.next->raw.len) == 0);
	for (n = 0; n <= 2; n++) {
		check_row("%d", n);
		wsi_text_init(&why, buf, sizeof buf);
		CHECK_EQ_U(configure(&c, &tls, &option, &why), 0);
		CHECK_EQ_U(wsi_tls_find_issuers(c, chain, n), 0);
		for (found = 0, x = &c->cas; x != NULL && x->raw.p != NULL; x = x->next) {
			found +=
			    x->subject_raw.len == crt.next->issuer_raw.len
			    && memcmp(x->subject_raw.p, crt.next->issuer_raw.p, x->subject_raw.len)
			           == 0;
			if (sharing) /* a connection has no copy of what it shares */
				CHECK(x->raw.p >= c->shared->der
				      && x->raw.p < c->shared->der + c->shared->der_len);
		}
		CHECK_EQ_U(found, n == 2);
		wsi_tls_config_free(c);
	}
	mbedtls_x509_crt_free(&crt);
	mbedtls_x509_crt_free(&self);
}

/* Critical extensions of a trusted certificate */
static void test_extensions(void)
{
	static const struct {
		const char *file;
		const char *oid; /* replaces 1.2.3.4 */
		int ok;
	} cases[] = {
	    {"policy.der", NULL, 1},
	    {"critical.der", NULL, 0},
	    {"critical.der", "\x55\x1d\x1e", 1}, /* name constraints */
	    {"critical.der", "\x55\x1d\x21", 1}, /* policy mappings */
	    {"critical.der", "\x55\x1d\x36", 1}, /* inhibit any policy */
	    {"critical.der", "\x55\x1d\x1d", 0},
	    {"critical.der", "\x55\x1d\x1f", 0},
	    {"critical.der", "\x55\x1d\x22", 0},
	    {"critical.der", "\x55\x1d\x24", 0},
	    {"critical.der", "\x55\x1d\x35", 0},
	    {"critical.der", "\x55\x1d\x37", 0},
	    {"critical.der", "\x55\x1c\x1e", 0},
	    {"critical.der", "\x54\x1d\x1e", 0},
	    {"critical.der", "\x56\x1d\x1e", 0},
	    {"critical.der", "\x1d\x1d\x1e", 0},
	};
	unsigned char der[3000];
	struct ws_tls tls = {.ca_file = in_scratch("extension.der")};
	struct wsi_tls_config *c;
	struct wsi_text why;
	const char *option;
	char buf[600];
	FILE *f;
	size_t i, k, len;
	int rc;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%lu: %s", (unsigned long)i, cases[i].file);
		len = load(in_certs(cases[i].file, ""), der, sizeof der);
		for (k = 0; cases[i].oid != NULL && k + 5 <= len; k++) {
			if (memcmp(der + k, "\x06\x03\x2a\x03\x04", 5) == 0)
				memcpy(der + k + 2, cases[i].oid, 3);
		}
		f = fopen(tls.ca_file, "wb");
		CHECK(f != NULL && fwrite(der, 1, len, f) == len && fclose(f) == 0);
		wsi_text_init(&why, buf, sizeof buf);
		option = "";
		rc = configure(&c, &tls, &option, &why);
		CHECK_EQ_U(rc, cases[i].ok ? 0 : WS_EUSAGE);
		if (!CHECK(cases[i].ok ? why.len == 0
		                       : strstr(buf, "its certificate cannot be read: one of its "
		                                     "extensions is invalid")
		                             != NULL))
			fprintf(stderr, "\t%s\n", buf);
		wsi_tls_config_free(c);
	}
	check_row_end();
	unlink(tls.ca_file);
	CHECK(blocks == 0 && allocated == 0);
}

#ifdef __linux__
/* The system's certificates count unless the options name others. */
static void test_system_or_own(void)
{
	static const struct {
		const char *file, *dir;
		int rc;
	} cases[] = {{NULL, NULL, 0},
	             {"/other.pem", NULL, WS_ECERT},
	             {NULL, "/others", WS_ECERT},
	             {"/other.pem", "/others", WS_ECERT}};
	static const int errors[] = {EACCES, EMFILE};
	struct ws_report report = {0};
	char command[900];
	const char *root = in_scratch("root");
	struct setup s = good;
	struct pair *p;
	size_t i;

	snprintf(command, sizeof command,
	         "mkdir -p '%s/etc/ssl/certs' '%s/others' && cp '%s' "
	         "'%s/etc/ssl/certs/ca-certificates.crt' "
	         "&& cp '%s' '%s/other.pem'",
	         root, root, in_certs("ca", ".pem"), root, in_certs("other", ".pem"), root);
	CHECK(system(command) == 0);
	snprintf(command, sizeof command, "cp '%s' '%s/others'", in_certs("other", ".pem"), root);
	CHECK(system(command) == 0);
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s, %s", cases[i].file ? cases[i].file : "-",
		          cases[i].dir ? cases[i].dir : "-");
		s.tls.ca_file = cases[i].file;
		s.tls.ca_dir = cases[i].dir;
		p = pair_alone(&s);
		open_root = root;
		CHECK_EQ_U(pair_client(p, &s), 0);
		CHECK_EQ_U(shake(p, -1), cases[i].rc);
		open_root = NULL;
		pair_free(p);
	}
	snprintf(command, sizeof command,
	         "mkdir -p '%s/etc/pki/tls/certs' && mv '%s/other.pem' "
	         "'%s/etc/pki/tls/certs/ca-bundle.crt'",
	         root, root, root);
	CHECK(system(command) == 0);
	for (i = 0; i < sizeof errors / sizeof errors[0]; i++) {
		check_row("the first place cannot be read, another one has a certificate: %s",
		          strerror(errors[i]));
		p = pair_alone(&good);
		open_root = root;
		open_fails_at = "/etc/ssl";
		open_errno = errors[i];
		CHECK_EQ_U(pair_client(p, &good), 0);
		CHECK_EQ_U(shake(p, -1), WS_ECERT);
		open_root = open_fails_at = NULL;
		CHECK(strstr(p->why_buf, "not trusted here") != NULL
		      && strstr(p->why_buf, "could not be read") == NULL);
		wsi_tls_report(p->t, &report);
		CHECK_EQ_U(report.no_descriptor, errors[i] == EMFILE);
		pair_free(p);
	}
	snprintf(command, sizeof command, "rm -rf '%s'", root);
	CHECK(system(command) == 0);
}
#endif

/* The errors that a program gets when its connections share the trusted certificates */
static void test_shared_trust(void)
{
	struct ws_tls tls = {.ca_file = in_certs("ca", ".pem")};
	const char *link = in_scratch("shared.pem");
	char why_buf[600] = "";
	const char *option = "";
	struct wsi_tls_config *c;
	struct ws_trust *trust;
	struct wsi_text why;
	struct pair *p;
	struct setup s = good;

	check_row("files other than those that were read");
	wsi_text_init(&why, why_buf, sizeof why_buf);
	trust = tls.trust = wsi_tls_trust_new(&mem, &tls, INT64_MAX);
	CHECK_EQ_S(wsi_tls_trust_why(trust), "");
	tls.ca_file = in_certs("other", ".pem");
	CHECK(wsi_tls_config_new(&c, &mem, &tls, INT64_MAX, &option, &why) == WS_EUSAGE);
	CHECK_EQ_S(option, "tls.ca_file");
	CHECK(strstr(why_buf, "other.pem\": differs from the one that tls.trust was made from")
	      != NULL);
	tls.ca_file = NULL;
	tls.ca_dir = in_certs("capath", "");
	CHECK(wsi_tls_config_new(&c, &mem, &tls, INT64_MAX, &option, &why) == WS_EUSAGE);
	CHECK_EQ_S(option, "tls.ca_dir");
	wsi_tls_trust_drop(trust);

	check_row("no files are named in the options");
	tls.ca_file = in_certs("ca", ".pem");
	tls.ca_dir = NULL;
	s.tls.trust = wsi_tls_trust_new(&mem, &tls, INT64_MAX);
	p = pair_alone(&s);
	p->tls.trust = s.tls.trust;
	wsi_text_init(&p->why, p->why_buf, sizeof p->why_buf);
	CHECK(wsi_tls_config_new(&p->c, &mem, &p->tls, INT64_MAX, &option, &why) == 0);
	wsi_tls_trust_drop(s.tls.trust);
	CHECK(begin_session(p, &s) == 0 && shake(p, -1) == 0);
	pair_free(p);

	check_row("the file is deleted after it was read");
	s = good;
	CHECK(symlink(in_certs("bundle", ".pem"), link) == 0);
	s.tls.ca_file = link;
	p = pair_new(&s);
	CHECK(unlink(link) == 0);
	CHECK(shake(p, -1) == 0);
	pair_free(p);

	check_row("a file that is missing");
	tls.ca_file = link;
	tls.trust = wsi_tls_trust_new(&mem, &tls, INT64_MAX);
	CHECK(strncmp(wsi_tls_trust_why(tls.trust), "tls.ca_file: \"", 14) == 0
	      && strstr(wsi_tls_trust_why(tls.trust), "shared.pem\": No such file") != NULL);
	wsi_tls_trust_drop(tls.trust);

	check_row("the deadline has passed");
	tls.ca_file = in_certs("ca", ".pem");
	tls.trust = wsi_tls_trust_new(&mem, &tls, wsi_clock_us());
	CHECK(wsi_tls_config_new(&c, &mem, &tls, INT64_MAX, &option, &why) == WS_ETIMEOUT);
	CHECK(strstr(wsi_tls_trust_why(tls.trust), "ca.pem\": timed out") != NULL);
	wsi_tls_trust_drop(tls.trust);

	check_row("the system's certificates: no time, no memory");
	memset(&tls, 0, sizeof tls);
	if (access("/etc/ssl/certs/ca-certificates.crt", R_OK) == 0) {
		tls.trust = wsi_tls_trust_new(&mem, &tls, wsi_clock_us());
		CHECK_EQ_S(wsi_tls_trust_why(tls.trust),
		           "tls.ca_file: timed out while reading the system's certificates");
		wsi_tls_trust_drop(tls.trust);
		allocs_left = 2;
		CHECK(wsi_tls_trust_new(&mem, &tls, INT64_MAX) == NULL);
		allocs_left = -1;
	}
	check_row_end();
	CHECK(blocks == 0 && allocated == 0);
}

/* What is shared is whole, or does not come about. */
static void test_shared_memory(void)
{
	struct ws_tls tls = {.ca_file = in_certs("bundle", ".pem")};
	struct ws_trust *trust;
	long n;

	check_row("each allocation fails once");
	for (n = 0; n < 100; n++) {
		allocs_left = n;
		trust = wsi_tls_trust_new(&mem, &tls, INT64_MAX);
		allocs_left = -1;
		if (trust != NULL)
			break;
		CHECK(blocks == 0 && allocated == 0);
	}
	CHECK(n > 5 && trust != NULL && trust->n == 15);
	wsi_tls_trust_drop(trust);
#ifdef MEMORY_FAILS
	check_row("each allocation of mbedTLS fails once, and another certificate is broken");
	tls.ca_file = in_certs("half", ".pem");
	for (n = 0; n < 100; n++) {
		atomic_store(&callocs_left, n);
		trust = wsi_tls_trust_new(&mem, &tls, INT64_MAX);
		atomic_store(&callocs_left, -1);
		if (trust != NULL)
			break;
	}
	CHECK(n > 5 && trust != NULL && trust->err == 0);
	wsi_tls_trust_drop(trust);
#endif
	check_row_end();
	CHECK(blocks == 0 && allocated == 0);
}

#ifndef WS_NO_THREADS
/* The data that the threads of test_threads_share use */
static struct ws_tls shared_options;
static struct wsi_cert shared_chain[2];
static atomic_int shared_found;

static void *use_shared(void *unused)
{
	struct wsi_mem system = {0};
	struct ws_tls tls = shared_options;
	struct wsi_tls_config *c;
	struct wsi_text why;
	const char *option;
	char buf[600];
	int i;

	(void)unused;
	for (i = 0; i < 20; i++) {
		wsi_text_init(&why, buf, sizeof buf);
		if (wsi_tls_config_new(&c, &system, &tls, INT64_MAX, &option, &why) != 0)
			continue;
		if (wsi_tls_find_issuers(c, shared_chain, 2) == 0 && c->cas.raw.p != NULL)
			shared_found++;
		wsi_tls_config_free(c);
	}
	return NULL;
}

/* Several threads use the shared certificates at the same time. -fsanitize=thread checks that. */
static void test_threads_share(void)
{
	struct wsi_mem system = {0};
	mbedtls_x509_crt crt;
	pthread_t threads[4];
	size_t i;

	mbedtls_x509_crt_init(&crt);
	load_crt(&crt, in_certs("good", ".pem"));
	CHECK(wsi_cert_read(&shared_chain[0], crt.raw.p, crt.raw.len) == 0);
	CHECK(wsi_cert_read(&shared_chain[1], crt.next->raw.p, crt.next->raw.len) == 0);
	shared_options.ca_file = in_certs("bundle", ".pem");
	shared_options.trust = wsi_tls_trust_new(&system, &shared_options, INT64_MAX);
	for (i = 0; i < 4; i++)
		CHECK(pthread_create(&threads[i], NULL, use_shared, NULL) == 0);
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	wsi_tls_trust_drop(shared_options.trust);
	mbedtls_x509_crt_free(&crt);
	CHECK_EQ_U(shared_found, 80);
}
#endif

/* These hold whether trust is shared or not */
static void tests_of_both(void)
{
	TEST(test_trust);
	TEST(test_find_issuers);
	TEST(test_extensions);
#ifdef __linux__
	TEST(test_system_or_own);
	TEST(test_no_bundle);
#endif
}

int main(void)
{
	tls_begin();
	TEST(test_bundle_read_late);
	TEST(test_how_many_are_parsed);
	tests_of_both();
	sharing = 1;
	TEST(test_shared_trust);
	TEST(test_shared_memory);
#ifndef WS_NO_THREADS
	TEST(test_threads_share);
#endif
	tests_of_both();
	return tls_end();
}
#endif
