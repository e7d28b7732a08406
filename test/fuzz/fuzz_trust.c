/* SPDX-License-Identifier: ISC
 * fuzz_trust.c - files of certificates (trust.c) and chains in DER (chain.c), on any bytes
 *
 *	clang -g -O1 -fsanitize=fuzzer,address,undefined -I. -DWS_WITH_MBEDTLS test/fuzz/fuzz_trust.c trust.c chain.c \
 *		text.c utf8.c ip.c
 *	cc -DFUZZ_MAIN ...      instead: runs the files given as arguments, or 20000 random inputs
 *
 * What a scan takes out of a file must be what a second, slow and plain reader of the whole text
 * finds. Certificates and chains are read in memory that ends where they end, so that a byte too
 * many is seen.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "ws_tls.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DER_MAX 8192 /* the limit of trust.c: a longer certificate is counted, but not passed on */
#define TAKEN_MAX (1 << 17)

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

#define MUST(cond) must(!!(cond), __LINE__, #cond)
static void must(int ok, int line, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "test/fuzz/fuzz_trust.c:%d: does not hold: %s\n", line, what);
	abort();
}

/* ---- The functions of sys.c that trust.c and chain.c use ---- */

static long blocks;

WSI void *wsi_alloc(const struct wsi_mem *m, void *ptr, size_t old_len, size_t new_len)
{
	(void)m;
	(void)old_len;
	blocks += (ptr == NULL) - (new_len == 0);
	if (new_len > 0)
		return realloc(ptr, new_len);
	free(ptr);
	return NULL;
}

WSI int64_t wsi_clock_us(void)
{
	return 1000000;
}

/* ---- Certificates and chains ---- */

/* A copy in its own block, with nothing after it */
static unsigned char *copy(const unsigned char *p, size_t len)
{
	unsigned char *c = malloc(len > 0 ? len : 1);

	MUST(c);
	if (len > 0)
		memcpy(c, p, len);
	return c;
}

/* d must lie within p[0..n) */
static void must_lie_in(const struct wsi_der *d, const unsigned char *p, size_t n)
{
	MUST(d->len == 0 || (d->p >= p && d->len <= n && d->p + d->len <= p + n));
}

static void fuzz_certificate(const unsigned char *data, size_t n)
{
	unsigned char *p = copy(data, n);
	struct wsi_cert c;
	struct wsi_der value;
	struct wsi_text t;
	const unsigned char *subject;
	char buf[128];
	size_t len;
	int id, critical, r = wsi_cert_read(&c, p, n);

	wsi_text_init(&t, buf, sizeof buf);
	subject = wsi_der_subject(p, n, &len);
	MUST((subject != NULL) == (r == 0));
	if (r == 0) {
		MUST(subject == c.subject.p && len == c.subject.len);
		must_lie_in(&c.issuer, p, n);
		must_lie_in(&c.subject, p, n);
		must_lie_in(&c.key, p, n);
		must_lie_in(&c.extensions, p, n);
		wsi_put_dn(&t, c.subject.p, c.subject.len);
		MUST(wsi_der_may_equal(c.subject.p, c.subject.len, c.subject.p, c.subject.len));
		(void)wsi_der_may_equal(c.subject.p, c.subject.len, c.issuer.p, c.issuer.len);
		for (id = 0; id < 64; id++)
			if (wsi_cert_extension(&c, id, &critical, &value) == 1)
				must_lie_in(&value, p, n);
	}
	free(p);
}

static void fuzz_chain(const unsigned char *data, size_t size)
{
	struct wsi_cert certs[WSI_CHAIN_MAX];
	struct wsi_text why;
	unsigned char *p = copy(data, size);
	char buf[400];
	int i, n = wsi_chain_read(certs, p, size), most = n < WSI_CHAIN_MAX ? n : WSI_CHAIN_MAX;

	for (i = 0; i < most; i++) {
		must_lie_in(&certs[i].subject, p, size);
		must_lie_in(&certs[i].extensions, p, size);
	}
	wsi_text_init(&why, buf, sizeof buf);
	if (n > 0)
		MUST((wsi_chain_check_cost(certs, n, &why) == 0) == (why.len == 0));
	wsi_text_init(&why, buf, sizeof buf);
	if (n > 0 && n <= WSI_CHAIN_MAX) {
		MUST((wsi_chain_check_rules(certs, n, &why) == 0) == (why.len == 0));
		wsi_chain_put_unknown(certs, n, &why);
	}
	free(p);
}

/* ---- Files ---- */

struct taken {
	struct wsi_trust trust;
	unsigned char
	    bytes[TAKEN_MAX]; /* each certificate's length, two bytes, and the certificate */
	size_t len;
};

static int take(void *ctx, const unsigned char *der, size_t len)
{
	struct taken *t = ctx;

	MUST(len <= DER_MAX);
	MUST(t->len + 2 + len <= sizeof t->bytes);
	t->bytes[t->len++] = (unsigned char)(len >> 8);
	t->bytes[t->len++] = (unsigned char)len;
	memcpy(t->bytes + t->len, der, len);
	t->len += len;
	return 0;
}

static int base64_value(int c)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c != 0 ? strchr(digits, c) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

/* The second reader has the whole text in memory, and no state except its position */
static void read_plainly(struct taken *t, const unsigned char *p, size_t n)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----";
	static unsigned char der[TAKEN_MAX];
	size_t i = 0, end, len;
	uint32_t bits;
	int bits_n;

	if (n >= 2 && p[0] == 0x30 && (p[1] & 0x80)) {
		t->trust.seen = 1;
		if (n <= DER_MAX)
			take(t, p, n);
		return;
	}
	while (i < n) {
		for (end = i; end < n && p[end] != '\n'; end++)
			;
		if (end == n) /* a line that does not end */
			return;
		if (end - i < sizeof begin - 1 || memcmp(p + i, begin, sizeof begin - 1) != 0) {
			i = end + 1;
			continue;
		}
		len = 0;
		bits = 0;
		bits_n = 0;
		for (i = end + 1; i < n && p[i] != '-'; i++) {
			if (base64_value(p[i]) < 0)
				continue;
			bits = bits << 6 | (uint32_t)base64_value(p[i]);
			bits_n += 6;
			if (bits_n >= 8) {
				bits_n -= 8;
				der[len++] = (unsigned char)(bits >> bits_n);
			}
		}
		if (i == n)
			return;
		t->trust.seen++;
		if (len <= DER_MAX)
			take(t, der, len);
		i++; /* skip this '-'; the rest of the line cannot begin a certificate */
	}
}

static void fuzz_file(const unsigned char *p, size_t n)
{
	static char path[64];
	static struct taken got, want;
	static const struct wsi_mem mem;
	const char *cause;
	int fd;

	if (path[0] == 0)
		snprintf(path, sizeof path, "/tmp/fuzz_trust.%ld", (long)getpid());
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	MUST(fd >= 0 && write(fd, p, n) == (ssize_t)n && close(fd) == 0);
	memset(&got, 0, sizeof got.trust);
	got.len = 0;
	got.trust.take = take;
	got.trust.ctx = &got;
	got.trust.until_us = INT64_MAX;
	want.trust = got.trust;
	want.len = 0;
	blocks = 0;
	MUST(wsi_trust_scan(&got.trust, &mem, path, 0, &cause) == 0);
	MUST(blocks == 0);
	unlink(path);
	read_plainly(&want, p, n);
	MUST(got.trust.seen == want.trust.seen);
	MUST(got.len == want.len && memcmp(got.bytes, want.bytes, got.len) == 0);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	if (size == 0 || size > 60000)
		return 0;
	switch (data[0] % 3) {
	case 0:
		fuzz_certificate(data + 1, size - 1);
		break;
	case 1:
		fuzz_chain(data + 1, size - 1);
		break;
	default:
		fuzz_file(data + 1, size - 1);
	}
	return 0;
}

#ifdef FUZZ_MAIN
#include "pieces.h"

static void run_random(void)
{
	static const struct piece pieces[] = {{"-----BEGIN CERTIFICATE-----\n", 28},
	                                      {"-----END CERTIFICATE-----\n", 26},
	                                      {"QUJD\n", 5},
	                                      {"\x30\x82\x01\x00", 4},
	                                      {"\x30\x1d\xa0\x03\x02\x01\x02\x02\x01\x07", 10},
	                                      {"\x06\x03\x55\x1d\x1e", 5},
	                                      {"\x30\x00", 2}};
	static unsigned char buf[20000];
	long round;

	for (round = 0; round < 20000; round++) {
		size_t len = 1, most = 2 + below(below(20) == 0 ? sizeof buf - 2 : 300);

		buf[0] = (unsigned char)below(3);
		len = add_pieces(buf, sizeof buf, len, most, pieces,
		                 sizeof pieces / sizeof pieces[0]);
		LLVMFuzzerTestOneInput(buf, len);
	}
	printf("%ld inputs\n", round);
}

#define FUZZ_MADE_UP run_random
#endif
#include "replay.h"
