/* SPDX-License-Identifier: ISC
 * test_chain.c - chain.c on certificates built here, byte by byte
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "check.h"
#include "ws_tls.h"

#ifndef WS_WITH_MBEDTLS
int main(void)
{
	printf("built without TLS\n0 passed, 0 failed, 1 skipped\n");
	return 0;
}
#else
#include <stdlib.h>

#define DER(bytes) bytes, sizeof(bytes) - 1

/* ---- Building DER, from the end of a buffer to its beginning ---- */

struct build {
	unsigned char buf[20000];
	size_t at; /* the bytes begin here */
};

static void put(struct build *b, const void *p, size_t len)
{
	if (len > b->at)
		abort();
	b->at -= len;
	memcpy(b->buf + b->at, p, len);
}

/* Makes everything that was put since the end was at this place the content of an element */
static void wrap(struct build *b, int tag, size_t end)
{
	size_t len = end - b->at;
	unsigned char head[4] = {(unsigned char)tag, 0x82, (unsigned char)(len >> 8),
	                         (unsigned char)len};

	if (len < 128)
		head[1] = (unsigned char)len;
	put(b, head, len < 128 ? 2 : 4);
}

static void put_bytes(struct build *b, int tag, const void *p, size_t len)
{
	size_t end = b->at;

	put(b, p, len);
	wrap(b, tag, end);
}

static void put_name(struct build *b, const char *cn)
{
	size_t end = b->at;

	if (*cn != '\0') {
		put_bytes(b, 0x0c, cn, strlen(cn));
		put_bytes(b, 0x06, "\x55\x04\x03", 3);
		wrap(b, 0x30, end);
		wrap(b, 0x31, end);
	}
	wrap(b, 0x30, end);
}

/* An RSA key whose modulus and exponent have this many bits */
static void put_rsa(struct build *b, unsigned modulus, unsigned exponent)
{
	static unsigned char
	    ones[2050]; /* the first byte is 0, as in any positive number whose top bit is set */
	size_t end = b->at;
	unsigned n, bits;
	int i;

	for (i = 0; i < 2; i++) {
		bits = i == 0 ? exponent : modulus;
		n = (bits + 7) / 8;
		memset(ones + 1, 0xff, n);
		ones[1] = (unsigned char)(0xff >> (n * 8 - bits));
		put_bytes(b, 0x02, ones, n + 1);
	}
	wrap(b, 0x30, end);
	put(b, "", 1);
	wrap(b, 0x03, end);
	i = (int)b->at;
	put_bytes(b, 0x06, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", 9);
	wrap(b, 0x30, (size_t)i);
	wrap(b, 0x30, end);
}

static void put_ec(struct build *b, const char *curve, size_t len)
{
	size_t end = b->at, algorithm;

	put_bytes(b, 0x03, "\0\4", 2);
	algorithm = b->at;
	put_bytes(b, 0x06, curve, len);
	put_bytes(b, 0x06, "\x2a\x86\x48\xce\x3d\x02\x01", 7);
	wrap(b, 0x30, algorithm);
	wrap(b, 0x30, end);
}

struct extension {
	int id; /* the OID is 2.5.29.id */
	int critical;
	const char *value; /* DER */
	size_t len;
};

/* A certificate. modulus and exponent are in bits; modulus 0 means RSA with 2048 bits. */
static void put_certificate(struct build *b, const char *subject, const char *issuer,
                            unsigned modulus, unsigned exponent, const char *curve,
                            const struct extension *x)
{
	size_t end = b->at;
	unsigned char id[3] = {0x55, 0x1d, 0};

	if (x != NULL && x->id != 0) {
		put_bytes(b, 0x04, x->value, x->len);
		if (x->critical)
			put_bytes(b, 0x01, "\xff", 1);
		id[2] = (unsigned char)x->id;
		put_bytes(b, 0x06, id, 3);
		wrap(b, 0x30, end);
		wrap(b, 0x30, end);
		wrap(b, 0xa3, end);
	}
	if (curve != NULL)
		put_ec(b, curve, 5);
	else
		put_rsa(b, modulus ? modulus : 2048, exponent ? exponent : 17);
	put_name(b, subject);
	put_bytes(b, 0x30, "", 0); /* validity */
	put_name(b, issuer);
	put_bytes(b, 0x30, "", 0); /* algorithm */
	put_bytes(b, 0x02, "\1", 1);
	wrap(b, 0x30, end);
	wrap(b, 0x30, end);
}

static void put_length(struct build *b, size_t end)
{
	size_t len = end - b->at;
	unsigned char head[3] = {(unsigned char)(len >> 16), (unsigned char)(len >> 8),
	                         (unsigned char)len};

	put(b, head, sizeof head);
}

/* ---- The cost of verifying ---- */

#define P384 "\x2b\x81\x04\x00\x22"
#define K256 "\x2b\x81\x04\x00\x0a"

static void test_cost(void)
{
	static const struct {
		const char *name;
		int n; /* leaf, then n - 1 authorities of these names in turn */
		const char *names[3];
		unsigned modulus, exponent;
		const char *curve, *why; /* NULL: it may be verified */
	} cases[] = {
	    {"one", 1, {"A", "B", "C"}, 0, 0, NULL, NULL},
	    {"ten", 10, {"A", "B", "C"}, 0, 0, NULL, NULL},
	    {"eleven", 11, {"A", "B", "C"}, 0, 0, NULL, "11 certificates, more than the 10"},
	    {"thirty", 30, {"A", "B", "C"}, 0, 0, NULL, "30 certificates"},
	    {"three of one name", 4, {"A", "A", "A"}, 0, 0, NULL, NULL},
	    {"four of one name",
	     5,
	     {"A", "A", "a"},
	     0,
	     0,
	     NULL,
	     "4 certificates of the same name, \"CN=A\", more than the 3 that are accepted"},
	    {"RSA, the largest", 2, {"A", "B", "C"}, 8192, 32, NULL, NULL},
	    {"RSA, a bit more",
	     2,
	     {"A", "B", "C"},
	     8193,
	     17,
	     NULL,
	     "certificate has an RSA key of 8193 bits"},
	    {"exponent, a bit more",
	     2,
	     {"A", "B", "C"},
	     2048,
	     33,
	     NULL,
	     "public exponent has 33 bits"},
	    {"P-384", 3, {"A", "B", "C"}, 0, 0, P384, NULL},
	    {"secp256k1", 3, {"A", "B", "C"}, 0, 0, K256, "elliptic curve other than"}};
	struct wsi_cert certs[WSI_CHAIN_MAX];
	static struct build b;
	unsigned char *exact;
	struct wsi_text why;
	char buf[300];
	size_t i, end, len, cut;
	int k, n;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s", cases[i].name);
		b.at = sizeof b.buf;
		for (k = cases[i].n; k-- > 0;) {
			end = b.at;
			put_certificate(&b, k ? cases[i].names[k % 3] : "leaf", "X",
			                cases[i].modulus, cases[i].exponent, cases[i].curve, NULL);
			put_length(&b, end);
		}
		put_length(&b, sizeof b.buf);
		len = sizeof b.buf - b.at;
		n = wsi_chain_read(certs, b.buf + b.at, len);
		CHECK_EQ_U(n, cases[i].n);
		wsi_text_init(&why, buf, sizeof buf);
		CHECK_EQ_U(wsi_chain_check_cost(certs, n, &why), cases[i].why == NULL ? 0 : -1);
		if (!CHECK(cases[i].why == NULL ? why.len == 0 : strstr(buf, cases[i].why) != NULL))
			fprintf(stderr, "\t%s\n", buf);
		if (cases[i].n == 5) /* the last of the four counts only if it was sent */
			CHECK_EQ_U(wsi_chain_check_cost(certs, 4, &why), 0);
		/* every truncation, in memory that ends there */
		for (cut = 0; cut < len && cases[i].n <= 2; cut++) {
			exact = malloc(cut ? cut : 1);
			if (exact == NULL)
				abort();
			memcpy(exact, b.buf + b.at, cut);
			n = wsi_chain_read(certs, exact, cut);
			CHECK(n <= cases[i].n && (n < cases[i].n || cut == len));
			free(exact);
		}
	}
}

/* The Certificate message: this many certificates, then these bytes */
static void test_messages(void)
{
	static const struct {
		int n;
		const char *after;
		size_t len;
		int result;
	} cases[] = {
	    {0, DER(""), 0},
	    {1, DER(""), 1},
	    {1, DER("x"), -1},
	    {1, DER("xx"), -1},
	    {1, DER("\0\0\0"), -1}, /* an empty one */
	    {1, DER("\0\0\1"), -1},
	    {9, DER("\0\0\2\x30\0"), -1},
	    {10, DER("\0\0\2\x30\0"), 11}, /* only ten are read */
	    {10, DER("\0\0\0"), 11},
	    {10, DER("\0\0\1"), -1},
	    {10, DER("\0\1\1x"), -1},
	    {10, DER("\1\0\1x"), -1},
	};
	struct wsi_cert certs[WSI_CHAIN_MAX];
	static struct build b;
	size_t i, end;
	int k;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%lu", (unsigned long)i);
		b.at = sizeof b.buf;
		put(&b, cases[i].after, cases[i].len);
		for (k = 0; k < cases[i].n; k++) {
			end = b.at;
			put_certificate(&b, "a", "b", 0, 0, NULL, NULL);
			put_length(&b, end);
		}
		put_length(&b, sizeof b.buf);
		CHECK_EQ_U(wsi_chain_read(certs, b.buf + b.at, sizeof b.buf - b.at),
		           cases[i].result);
	}
	check_row("less than a length");
	CHECK_EQ_U(wsi_chain_read(certs, b.buf, 0), -1);
	CHECK_EQ_U(wsi_chain_read(certs, b.buf, 2), -1);
}

/* ---- The rules ---- */

/* An authority that may issue only for ab, and a certificate for ab */
#define MAY_ISSUE_AB                                                                               \
	{                                                                                          \
		NC, 0,                                                                             \
		    DER("\x30\x08\xa0\x06\x30\x04\x82\x02"                                         \
		        "ab")                                                                      \
	}
#define NAMED_AB                                                                                   \
	{                                                                                          \
		ALT, 0,                                                                            \
		    DER("\x30\x04\x82\x02"                                                         \
		        "ab")                                                                      \
	}

/* A Name with two letters, as put_name writes it */
#define CN(letters) "\x30\x0d\x31\x0b\x30\x09\x06\x03\x55\x04\x03\x0c\x02" letters

static void test_rules(void)
{
	enum {
		ALT = WSI_EXT_ALTERNATIVE_NAMES,
		NC = WSI_EXT_NAME_CONSTRAINTS,
		EKU = WSI_EXT_EXTENDED_KEY_USAGE
	};
	static const struct {
		const char *name;
		struct extension authority, leaf;
		const char *cn, *why;
	} cases[] = {
	    {"nothing", {0, 0, NULL, 0}, {0, 0, NULL, 0}, "a.test", NULL},
	    {"permitted",
	     MAY_ISSUE_AB,
	     {ALT, 0,
	      DER("\x30\x06\x82\x04"
	          "x.ab")},
	     "",
	     NULL},
	    {"not permitted",
	     MAY_ISSUE_AB,
	     {ALT, 0,
	      DER("\x30\x05\x82\x03"
	          "xab")},
	     "",
	     "may not issue for xab"},
	    {"no name of that kind",
	     MAY_ISSUE_AB,
	     {ALT, 0, DER("\x30\x06\x87\x04\1\2\3\4")},
	     "",
	     NULL},
	    {"the common name", MAY_ISSUE_AB, {0, 0, NULL, 0}, "cd", "may not issue for cd"},
	    {"the common name after other attributes", MAY_ISSUE_AB, NAMED_AB, "cd", NULL},
	    {"all", {NC, 0, DER("\x30\x06\xa0\x04\x30\x02\x82\x00")}, NAMED_AB, "", NULL},
	    {"all are excluded",
	     {NC, 0, DER("\x30\x06\xa1\x04\x30\x02\x82\x00")},
	     NAMED_AB,
	     "",
	     "may not issue for ab"},
	    {"an address",
	     {NC, 0, DER("\x30\x0e\xa0\x0c\x30\x0a\x87\x08\1\2\0\0\377\377\0\0")},
	     {ALT, 0, DER("\x30\x06\x87\x04\1\2\3\4")},
	     "",
	     NULL},
	    {"another address",
	     {NC, 0, DER("\x30\x0e\xa0\x0c\x30\x0a\x87\x08\1\2\0\0\377\377\0\0")},
	     {ALT, 0, DER("\x30\x06\x87\x04\1\3\3\4")},
	     "",
	     "may not issue for 1.3.3.4"},
	    {"no address",
	     {NC, 0, DER("\x30\x0e\xa0\x0c\x30\x0a\x87\x08\1\2\0\0\377\377\0\0")},
	     {ALT, 0, DER("\x30\x05\x87\x03\1\2\3")},
	     "",
	     "may not issue for this address: its"},
	    {"an IPv6 address where IPv4 is permitted",
	     {NC, 0, DER("\x30\x0e\xa0\x0c\x30\x0a\x87\x08\1\2\0\0\377\377\0\0")},
	     {ALT, 0, DER("\x30\x12\x87\x10\1\2\0\0\0\0\0\0\0\0\0\0\0\0\0\1")},
	     "",
	     "may not issue for 102::1: its"},
	    {"an IPv6 address",
	     {NC, 0,
	      DER("\x30\x26\xa0\x24\x30\x22\x87\x20\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\0\377\377"
	          "\377\377\0\0\0\0\0\0\0\0\0\0\0\0")},
	     {ALT, 0, DER("\x30\x12\x87\x10\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1")},
	     "",
	     NULL},
	    {"another IPv6 address",
	     {NC, 0,
	      DER("\x30\x26\xa0\x24\x30\x22\x87\x20\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\0\377\377"
	          "\377\377\0\0\0\0\0\0\0\0\0\0\0\0")},
	     {ALT, 0, DER("\x30\x12\x87\x10\x20\x01\x0d\xb9\0\0\0\0\0\0\0\0\0\0\0\1")},
	     "",
	     "may not issue for 2001:db9::1: its"},
	    {"any directory name",
	     {NC, 1, DER("\x30\x08\xa0\x06\x30\x04\xa4\x02\x30\x00")},
	     {0, 0, NULL, 0},
	     "cd",
	     NULL},
	    {"no directory name",
	     {NC, 1, DER("\x30\x08\xa0\x06\x30\x04\xa4\x02\x31\x00")},
	     {0, 0, NULL, 0},
	     "cd",
	     "may not issue for CN=cd: its"},
	    {"the same directory name",
	     {NC, 1, DER("\x30\x15\xa0\x13\x30\x11\xa4\x0f" CN("cd"))},
	     {0, 0, NULL, 0},
	     "cd",
	     NULL},
	    {"the same directory name in capitals",
	     {NC, 1, DER("\x30\x15\xa0\x13\x30\x11\xa4\x0f" CN("CD"))},
	     {0, 0, NULL, 0},
	     "cd",
	     NULL},
	    {"another directory name",
	     {NC, 1, DER("\x30\x15\xa0\x13\x30\x11\xa4\x0f" CN("ce"))},
	     {0, 0, NULL, 0},
	     "cd",
	     "may not issue for CN=cd: its"},
	    {"the server has no directory name",
	     {NC, 1, DER("\x30\x15\xa0\x13\x30\x11\xa4\x0f" CN("ce"))},
	     {0, 0, NULL, 0},
	     "",
	     NULL},
	    {"a longer directory name",
	     {NC, 1,
	      DER("\x30\x2a\xa0\x28\x30\x26\xa4\x24\x30\x22"
	          "0123456789012345678901234567890123")},
	     {0, 0, NULL, 0},
	     "cd",
	     "may not issue for CN=cd: its"},
	    {"a star that may be a permitted name",
	     {NC, 0,
	      DER("\x30\x0a\xa1\x08\x30\x06\x82\x04"
	          "x.ab")},
	     {ALT, 0,
	      DER("\x30\x06\x82\x04"
	          "*.ab")},
	     "",
	     "may not issue for *.ab"},
	    {"a star that is no excluded name",
	     {NC, 0,
	      DER("\x30\x0a\xa1\x08\x30\x06\x82\x04"
	          "x.cd")},
	     {ALT, 0,
	      DER("\x30\x06\x82\x04"
	          "*.ab")},
	     "",
	     NULL},
	    {"no star, but another name",
	     {NC, 0,
	      DER("\x30\x0a\xa1\x08\x30\x06\x82\x04"
	          "x.ab")},
	     {ALT, 0,
	      DER("\x30\x06\x82\x04"
	          "y.ab")},
	     "",
	     NULL},
	    {"a star alone",
	     {NC, 0,
	      DER("\x30\x0a\xa1\x08\x30\x06\x82\x04"
	          "x.ab")},
	     {ALT, 0,
	      DER("\x30\x08\x82\x02"
	          "*."
	          "\x82\x02"
	          "*a")},
	     "",
	     NULL},
	    {"a star that may be a permitted name of one letter",
	     {NC, 0,
	      DER("\x30\x09\xa1\x07\x30\x05\x82\x03"
	          "x.a")},
	     {ALT, 0,
	      DER("\x30\x05\x82\x03"
	          "*.a")},
	     "",
	     "may not issue for *.a"},
	    {"a star and a dot",
	     {NC, 0,
	      DER("\x30\x08\xa1\x06\x30\x04\x82\x02"
	          "x.")},
	     {ALT, 0,
	      DER("\x30\x04\x82\x02"
	          "*.")},
	     "",
	     NULL},
	    {"only below",
	     {NC, 0,
	      DER("\x30\x09\xa0\x07\x30\x05\x82\x03"
	          ".ab")},
	     {ALT, 0,
	      DER("\x30\x05\x82\x03"
	          ".ab")},
	     "",
	     "may not issue for .ab"},
	    {"below",
	     {NC, 0,
	      DER("\x30\x09\xa0\x07\x30\x05\x82\x03"
	          ".ab")},
	     {ALT, 0,
	      DER("\x30\x06\x82\x04"
	          "c.ab")},
	     "",
	     NULL},
	    {"a common name that is no host", MAY_ISSUE_AB, {0, 0, NULL, 0}, "c d", NULL},
	    {"a common name with each character of a host",
	     MAY_ISSUE_AB,
	     {0, 0, NULL, 0},
	     "*.Z9-_d",
	     "may not issue for *.Z9-_d"},
	    {"names that are none",
	     MAY_ISSUE_AB,
	     {ALT, 0, DER("\x31\x00")},
	     "",
	     "the names it issued for cannot be read"},
	    {"names that are none, without constraints",
	     {0, 0, NULL, 0},
	     {ALT, 0, DER("\x31\x00")},
	     "",
	     NULL},
	    {"constraints that are none",
	     {NC, 0, DER("\x31\x00")},
	     {0, 0, NULL, 0},
	     "ab",
	     "cannot be read"},
	    {"a byte after the constraints",
	     {NC, 0,
	      DER("\x30\x09\xa0\x06\x30\x04\x82\x02"
	          "ab\xa0")},
	     NAMED_AB,
	     "",
	     "cannot be read"},
	    {"a byte after the permitted names",
	     {NC, 0,
	      DER("\x30\x09\xa0\x07\x30\x04\x82\x02"
	          "xy\x30")},
	     NAMED_AB,
	     "",
	     "cannot be read"},
	    {"a byte after the names",
	     MAY_ISSUE_AB,
	     {ALT, 0,
	      DER("\x30\x05\x82\x02"
	          "ab\x82")},
	     "",
	     "the names it issued for cannot be read"},
	    {"a wildcard that covers one permitted name",
	     {NC, 0,
	      DER("\x30\x0a\xa0\x08\x30\x06\x82\x04"
	          "x.ab")},
	     {ALT, 0,
	      DER("\x30\x06\x82\x04"
	          "*.ab")},
	     "",
	     "may not issue for *.ab"},
	    {"constraints of a third kind",
	     {NC, 0, DER("\x30\x02\xa2\x00")},
	     {0, 0, NULL, 0},
	     "ab",
	     "cannot be read"},
	    {"half a mask",
	     {NC, 0, DER("\x30\x0a\xa0\x08\x30\x06\x87\x04\1\2\0\0")},
	     {ALT, 0, DER("\x30\x06\x87\x04\1\2\3\4")},
	     "",
	     "cannot be read"},
	    {"a minimum",
	     {NC, 0,
	      DER("\x30\x0b\xa0\x09\x30\x07\x82\x02"
	          "ab\x80\x01\x01")},
	     NAMED_AB,
	     "",
	     "form that is not supported"},
	    {"a byte after the base",
	     {NC, 0,
	      DER("\x30\x09\xa0\x07\x30\x05\x82\x02"
	          "ab\x80")},
	     NAMED_AB,
	     "",
	     "form that is not supported"},
	    {"mail",
	     {NC, 0,
	      DER("\x30\x08\xa0\x06\x30\x04\x81\x02"
	          "ab")},
	     {ALT, 0,
	      DER("\x30\x04\x81\x02"
	          "cd")},
	     "",
	     NULL},
	    {"mail, critical",
	     {NC, 1,
	      DER("\x30\x08\xa0\x06\x30\x04\x81\x02"
	          "ab")},
	     {ALT, 0,
	      DER("\x30\x04\x81\x02"
	          "cd")},
	     "",
	     "kind that is not supported"},
	    {"cut off",
	     {NC, 0,
	      DER("\x30\x08\xa0\x06\x30\x04\x82\x03"
	          "ab")},
	     NAMED_AB,
	     "",
	     "cannot be read"},
	    {"names cut off",
	     MAY_ISSUE_AB,
	     {ALT, 0,
	      DER("\x30\x04\x82\x03"
	          "ab")},
	     "",
	     "cannot be read"},
	    {"for servers",
	     {0, 0, NULL, 0},
	     {EKU, 0, DER("\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01")},
	     "a",
	     NULL},
	    {"for any use",
	     {0, 0, NULL, 0},
	     {EKU, 0, DER("\x30\x06\x06\x04\x55\x1d\x25\x00")},
	     "a",
	     NULL},
	    {"for no use that can be read",
	     {0, 0, NULL, 0},
	     {EKU, 0, DER("\x31\x00")},
	     "a",
	     "the server's certificate may not"},
	    {"for clients",
	     {0, 0, NULL, 0},
	     {EKU, 0, DER("\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02")},
	     "a",
	     "the server's certificate may not"},
	    {"the authority, for clients",
	     {EKU, 0, DER("\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02")},
	     {0, 0, NULL, 0},
	     "a",
	     "in its chain the certificate \"CN=Authority\" may not"},
	};
	struct wsi_cert path[3];
	static struct build b[3];
	struct wsi_text why;
	char buf[300];
	size_t i, k;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s", cases[i].name);
		for (k = 0; k < 3; k++)
			b[k].at = sizeof b[k].buf;
		put_certificate(&b[0], cases[i].cn, "Authority", 0, 0, NULL, &cases[i].leaf);
		put_certificate(&b[1], "Authority", "Root", 0, 0, NULL, &cases[i].authority);
		put_certificate(&b[2], "Root", "Root", 0, 0, NULL, NULL);
		for (k = 0; k < 3; k++)
			CHECK_EQ_U(
			    wsi_cert_read(&path[k], b[k].buf + b[k].at, sizeof b[k].buf - b[k].at),
			    0);
		wsi_text_init(&why, buf, sizeof buf);
		CHECK_EQ_U(wsi_chain_check_rules(path, 3, &why), cases[i].why == NULL ? 0 : -1);
		if (!CHECK(cases[i].why == NULL ? why.len == 0 : strstr(buf, cases[i].why) != NULL))
			fprintf(stderr, "\t%s\n", buf);
	}
}

/* ---- Extensions that the library does not support ---- */

static void test_unknown(void)
{
	static const struct {
		struct extension extension;
		const char *why; /* "": there is no error */
	} cases[] = {
	    {{WSI_EXT_NAME_CONSTRAINTS, 1, "", 0},
	     "the server's certificate has a critical extension that this TLS library does not "
	     "support: name constraints (2.5.29.30)"},
	    {{WSI_EXT_NAME_CONSTRAINTS, 0, "", 0}, ""},
	    {{WSI_EXT_POLICIES, 1, DER("\x30\x06\x30\x04\x06\x02\x2a\x03")},
	     "certificate policies (2.5.29.32)"},
	    {{WSI_EXT_POLICIES, 1, DER("\x30\x08\x30\x06\x06\x04\x55\x1d\x20\x00")},
	     ""}, /* anyPolicy */
	    {{WSI_EXT_POLICIES, 1, DER("\x31\x00")}, "certificate policies (2.5.29.32)"},
	    {{WSI_EXT_POLICIES, 1, DER("\x30\x02\x30\x00")}, "certificate policies (2.5.29.32)"},
	    {{WSI_EXT_POLICY_MAPPINGS, 1, "", 0}, "policy mappings (2.5.29.33)"},
	    {{WSI_EXT_POLICY_CONSTRAINTS, 1, "", 0}, "policy constraints (2.5.29.36)"},
	    {{WSI_EXT_INHIBIT_ANY_POLICY, 1, "", 0}, "inhibit any policy (2.5.29.54)"},
	    {{14, 1, "", 0}, ""},
	    {{19, 1, "", 0}, ""},
	    {{35, 1, "", 0}, ""},
	    {{WSI_EXT_ALTERNATIVE_NAMES, 1, "", 0}, ""},
	    {{WSI_EXT_EXTENDED_KEY_USAGE, 1, "", 0}, ""},
	    {{100, 1, "", 0}, "does not support: (2.5.29.100)"},
	    {{15, 1, "", 0}, ""}, /* key usage */
	};
	struct wsi_cert c;
	static struct build b;
	struct wsi_text why;
	char buf[300];
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%lu", (unsigned long)i);
		b.at = sizeof b.buf;
		put_certificate(&b, "a", "b", 0, 0, NULL, &cases[i].extension);
		CHECK_EQ_U(wsi_cert_read(&c, b.buf + b.at, sizeof b.buf - b.at), 0);
		wsi_text_init(&why, buf, sizeof buf);
		wsi_chain_put_unknown(&c, 1, &why);
		if (!CHECK(*cases[i].why == '\0' ? why.len == 0
		                                 : strstr(buf, cases[i].why) != NULL))
			fprintf(stderr, "\t%s\n", buf);
	}
}

/* ---- Parts that no other test changes ---- */

/* A part of the server's certificate, and the error that it causes */
static void test_parts(void)
{
	enum { KEY, SUBJECT, EXTENSIONS };
	enum { COST, RULES, UNKNOWN };
	static const struct {
		const char *name;
		int part, asked;
		const char *der;
		size_t len;
		const char *says; /* "": no error */
	} cases[] = {
#define RSA "\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"
	    {"RSA, zeros", KEY, COST, DER(RSA "\x03\x0a\x00\x30\x07\x02\x02\0\0\x02\x01\0"), ""},
	    {"RSA, empty", KEY, COST, DER(RSA "\x03\x07\x00\x30\x04\x02\x00\x02\x00"), ""},
	    {"RSA, nothing", KEY, COST, DER(RSA "\x03\x00"), "an RSA key that cannot be read"},
	    {"RSA, no modulus", KEY, COST, DER(RSA "\x03\x03\x00\x30\x00"),
	     "an RSA key that cannot be read"},
	    {"RSA, no exponent", KEY, COST, DER(RSA "\x03\x06\x00\x30\x03\x02\x01\x01"),
	     "an RSA key that cannot be read"},
	    {"RSA, cut off by a byte", KEY, COST,
	     DER(RSA "\x03\x08\x00\x30\x06\x02\x01\x01\x02\x01"), "an RSA key that cannot be read"},
	    {"no algorithm", KEY, COST, DER("\x31\x00"), "a public key that cannot be read"},
	    {"an algorithm without an OID", KEY, COST, DER("\x30\x00\x03\x01\x00"),
	     "a public key that cannot be read"},
	    {"no key", KEY, COST, DER(RSA), "a public key that cannot be read"},
	    {"another algorithm", KEY, COST, DER("\x30\x03\x06\x01\x01\x03\x01\x00"),
	     "neither RSA nor ECDSA"},
	    {"no curve", KEY, COST, DER("\x30\x09\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x03\x01\x00"),
	     "on an elliptic curve other than"},
	    {"a subject that is none", SUBJECT, RULES, DER("\x31\x03\x31\x01\x30"), ""},
	    {"an attribute without an OID", SUBJECT, RULES, DER("\x30\x06\x31\x04\x30\x02\x05\x00"),
	     ""},
	    {"an attribute without a value", SUBJECT, RULES,
	     DER("\x30\x09\x31\x07\x30\x05\x06\x03\x55\x04\x03"), ""},
	    {"two common names", SUBJECT, RULES,
	     DER("\x30\x1a\x31\x0b\x30\x09\x06\x03\x55\x04\x03\x0c\x02"
	         "ab\x31\x0b\x30\x09\x06\x03\x55\x04\x03\x0c\x02"
	         "cd"),
	     "may not issue for cd"},
	    {"a country", SUBJECT, RULES,
	     DER("\x30\x0d\x31\x0b\x30\x09\x06\x03\x55\x04\x06\x0c\x02"
	         "cd"),
	     ""},
	    {"extensions that are none", EXTENSIONS, RULES, DER("\x31\x00"),
	     "the server's certificate may not be used"},
	    {"Netscape's type", EXTENSIONS, UNKNOWN,
	     DER("\x30\x10\x06\x09\x60\x86\x48\x01\x86\xf8\x42\x01\x01\x01\x01\xff\x04\x00"), ""},
	    {"an OID of large numbers", EXTENSIONS, UNKNOWN,
	     DER("\x30\x0f\x06\x08\x60\x86\x48\x01\x86\xf8\x42\x02\x01\x01\xff\x04\x00"),
	     "not support: (2.16.840.1.113730.2)"},
	    {"an OID that begins with 2.999", EXTENSIONS, UNKNOWN,
	     DER("\x30\x0a\x06\x03\x88\x37\x03\x01\x01\xff\x04\x00"), "not support: (2.999.3)"},
	    {"an OID that begins with 1.39", EXTENSIONS, UNKNOWN,
	     DER("\x30\x0a\x06\x03\x4f\x00\x7f\x01\x01\xff\x04\x00"), "not support: (1.39.0.127)"},
	    {"an OID that begins with 1.0", EXTENSIONS, UNKNOWN,
	     DER("\x30\x0a\x06\x03\x28\x00\x7f\x01\x01\xff\x04\x00"), "not support: (1.0.0.127)"},
	    {"an OID that begins with 2.0", EXTENSIONS, UNKNOWN,
	     DER("\x30\x0a\x06\x03\x50\x1d\x36\x01\x01\xff\x04\x00"), "not support: (2.0.29.54)"},
	    {"an OID below one that is known", EXTENSIONS, UNKNOWN,
	     DER("\x30\x0b\x06\x04\x55\x1d\x0e\x01\x01\x01\xff\x04\x00"), "support: (2.5.29.14.1)"},
	    {"an OID beside 2.5.29", EXTENSIONS, UNKNOWN,
	     DER("\x30\x0a\x06\x03\x55\x1c\x36\x01\x01\xff\x04\x00"), "not support: (2.5.28.54)"},
	    {"FALSE is not critical", EXTENSIONS, UNKNOWN,
	     DER("\x30\x0a\x06\x03\x55\x1c\x36\x01\x01\x00\x04\x00"), ""},
	    {"an empty BOOLEAN is not critical", EXTENSIONS, UNKNOWN,
	     DER("\x30\x09\x06\x03\x55\x1c\x36\x01\x00\x04\x00"), ""},
	};
	static const struct extension none = {0, 0, NULL, 0},
	                              only_ab = {WSI_EXT_NAME_CONSTRAINTS, 0,
	                                         DER("\x30\x08\xa0\x06\x30\x04\x82\x02"
	                                             "ab")};
	static struct build b[2];
	struct wsi_cert path[2];
	struct wsi_der *part[] = {&path[0].key, &path[0].subject, &path[0].extensions};
	struct wsi_text why;
	char buf[300];
	size_t i, k;
	int r;

	for (k = 0; k < 2; k++) {
		b[k].at = sizeof b[k].buf;
		put_certificate(&b[k], k ? "Authority" : "", "Authority", 0, 0, NULL,
		                k ? &only_ab : &none);
	}
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s", cases[i].name);
		for (k = 0; k < 2; k++)
			CHECK_EQ_U(
			    wsi_cert_read(&path[k], b[k].buf + b[k].at, sizeof b[k].buf - b[k].at),
			    0);
		part[cases[i].part]->p = (const unsigned char *)cases[i].der;
		part[cases[i].part]->len = cases[i].len;
		wsi_text_init(&why, buf, sizeof buf);
		r = *cases[i].says == '\0' ? 0 : -1;
		if (cases[i].asked == COST)
			r = wsi_chain_check_cost(path, 2, &why);
		else if (cases[i].asked == RULES)
			r = wsi_chain_check_rules(path, 2, &why);
		else
			wsi_chain_put_unknown(path, 1, &why);
		CHECK_EQ_U(r, *cases[i].says == '\0' ? 0 : -1);
		if (!CHECK(*cases[i].says == '\0' ? why.len == 0
		                                  : strstr(buf, cases[i].says) != NULL))
			fprintf(stderr, "\t%s\n", buf);
	}
}

/* ---- Which certificates a constraint applies to, and how much checking it may cost ---- */

static void test_paths(void)
{
	enum {
		ALT = WSI_EXT_ALTERNATIVE_NAMES,
		NC = WSI_EXT_NAME_CONSTRAINTS,
		EKU = WSI_EXT_EXTENDED_KEY_USAGE
	};
	static const struct extension none = {0, 0, NULL, 0}, only_ab = MAY_ISSUE_AB, ab = NAMED_AB,
	                              cd = {ALT, 0,
	                                    DER("\x30\x04\x82\x02"
	                                        "cd")},
	                              not_yz = {NC, 0,
	                                        DER("\x30\x08\xa1\x06\x30\x04\x82\x02"
	                                            "yz")},
	                              yz = {ALT, 0,
	                                    DER("\x30\x04\x82\x02"
	                                        "yz")},
	                              only_ab_yz = {NC, 0,
	                                            DER("\x30\x0e\xa0\x0c\x30\x04\x82\x02"
	                                                "ab"
	                                                "\x30\x04\x82\x02"
	                                                "yz")},
	                              broken = {NC, 0, DER("\x31\x00")},
	                              for_clients = {
	                                  EKU, 0,
	                                  DER("\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02")};
	static const struct {
		const char *name;
		int n;
		struct {
			const char *subject, *issuer;
			const struct extension *x;
		} path[4]; /* from the server's certificate to the trusted one */
		const char *why;
	} cases[] = {
	    {"self-issued",
	     3,
	     {{"", "B", &ab}, {"B", "B", &cd}, {"Authority", "Root", &only_ab}},
	     NULL},
	    {"issued by the authority",
	     3,
	     {{"", "B", &ab}, {"B", "Authority", &cd}, {"Authority", "Root", &only_ab}},
	     "\"CN=Authority\" may not issue for cd"},
	    {"issued by one that is called alike",
	     3,
	     {{"", "B", &ab}, {"B", "b", &cd}, {"Authority", "Root", &only_ab}},
	     "may not issue for cd"},
	    {"a server's that is self-issued",
	     2,
	     {{"cd", "cd", &none}, {"Authority", "Root", &only_ab}},
	     "may not issue for cd"},
	    {"constraints of an authority are for what is below it",
	     4,
	     {{"", "A", &ab}, {"A", "B", &only_ab}, {"B", "C", &cd}, {"C", "C", &not_yz}},
	     NULL},
	    {"excluded names, too",
	     4,
	     {{"", "A", &ab}, {"A", "B", &not_yz}, {"B", "C", &yz}, {"C", "C", &only_ab_yz}},
	     NULL},
	    {"constraints of the server's own", 2, {{"a", "A", &broken}, {"A", "A", &none}}, NULL},
	    {"constraints of the trusted one",
	     2,
	     {{"a", "A", &none}, {"A", "A", &broken}},
	     "\"CN=A\" has name constraints that cannot be read"},
	    {"for clients, the server's, trusted itself",
	     1,
	     {{"a", "a", &for_clients}},
	     "the server's certificate may not be used"},
	    {"for clients, the trusted one",
	     2,
	     {{"a", "A", &none}, {"A", "A", &for_clients}},
	     NULL},
	};
	static struct build b[4];
	struct wsi_cert path[4];
	struct wsi_text why;
	char buf[300];
	size_t i;
	int k;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s", cases[i].name);
		for (k = 0; k < cases[i].n; k++) {
			b[k].at = sizeof b[k].buf;
			put_certificate(&b[k], cases[i].path[k].subject, cases[i].path[k].issuer, 0,
			                0, NULL, cases[i].path[k].x);
			CHECK_EQ_U(
			    wsi_cert_read(&path[k], b[k].buf + b[k].at, sizeof b[k].buf - b[k].at),
			    0);
		}
		wsi_text_init(&why, buf, sizeof buf);
		CHECK_EQ_U(wsi_chain_check_rules(path, cases[i].n, &why),
		           cases[i].why == NULL ? 0 : -1);
		if (!CHECK(cases[i].why == NULL ? why.len == 0 : strstr(buf, cases[i].why) != NULL))
			fprintf(stderr, "\t%s\n", buf);
	}
}

/* This many names and a subject, each compared with this many constraints that exclude others */
static void test_many(void)
{
	static const struct {
		int names, constraints;
		const char *why;
	} cases[] = {{127, 2048, NULL}, {128, 2048, "has too many name constraints"}};
	static char lists[2][20000];
	static struct build b[3];
	struct wsi_cert path[2];
	struct extension x;
	struct wsi_text why;
	char buf[300];
	size_t i, k, end;
	int n;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%d names", cases[i].names);
		for (k = 0; k < 2; k++) {
			b[2].at = end = sizeof b[2].buf;
			for (n = 0; n < (k ? cases[i].constraints : cases[i].names); n++)
				put(&b[2], k ? "\x30\x04\x82\x02yz" : "\x82\x02xy", k ? 6 : 4);
			if (k)
				wrap(&b[2], 0xa1, end);
			wrap(&b[2], 0x30, end);
			x.id = k ? WSI_EXT_NAME_CONSTRAINTS : WSI_EXT_ALTERNATIVE_NAMES;
			x.critical = 0;
			x.len = end - b[2].at;
			memcpy(lists[k], b[2].buf + b[2].at, x.len);
			x.value = lists[k];
			b[k].at = sizeof b[k].buf;
			put_certificate(&b[k], k ? "Authority" : "a", "Authority", 0, 0, NULL, &x);
			CHECK_EQ_U(
			    wsi_cert_read(&path[k], b[k].buf + b[k].at, sizeof b[k].buf - b[k].at),
			    0);
		}
		wsi_text_init(&why, buf, sizeof buf);
		CHECK_EQ_U(wsi_chain_check_rules(path, 2, &why), cases[i].why == NULL ? 0 : -1);
		if (!CHECK(cases[i].why == NULL ? why.len == 0 : strstr(buf, cases[i].why) != NULL))
			fprintf(stderr, "\t%s\n", buf);
	}
}

int main(void)
{
	TEST(test_cost);
	TEST(test_messages);
	TEST(test_rules);
	TEST(test_paths);
	TEST(test_many);
	TEST(test_parts);
	TEST(test_unknown);
	return check_done();
}
#endif
