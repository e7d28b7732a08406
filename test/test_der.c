/* SPDX-License-Identifier: ISC
 * test_der.c - the parts of a certificate, on bytes that are written here
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
#include <stdlib.h>

#define DER(bytes) bytes, sizeof(bytes) - 1

/* A copy of these bytes, in memory that ends right after them */
static unsigned char *copy_of(const void *p, size_t len)
{
	unsigned char *copy = malloc(len ? len : 1);

	if (copy == NULL)
		abort();
	memcpy(copy, p, len);
	return copy;
}

static void test_elements(void)
{
	static const struct {
		const char *name, *bytes;
		size_t len;
		int tag; /* -1: not a whole element */
		size_t head, content;
	} cases[] = {
	    {"nothing", DER(""), -1, 0, 0},
	    {"a tag alone", DER("\x05"), -1, 0, 0},
	    {"empty", DER("\x05\x00"), 5, 2, 0},
	    {"a byte", DER("\x04\x01x"), 4, 2, 1},
	    {"another one after it", DER("\x04\x01x\x05\x00"), 4, 2, 1},
	    {"cut off", DER("\x04\x02x"), -1, 0, 0},
	    {"the length of its header is not there", DER("\x04\x03xy"), -1, 0, 0},
	    {"a length of one byte", DER("\x04\x81\x01x"), 4, 3, 1},
	    {"a length of one byte, which is 0", DER("\x04\x81\x00"), 4, 3, 0},
	    {"a length of two bytes", DER("\x30\x82\x00\x02xyz"), 0x30, 4, 2},
	    {"a length of three bytes", DER("\x30\x83\x00\x00\x01x"), 0x30, 5, 1},
	    {"a length of four bytes", DER("\x30\x84\x00\x00\x00\x01x"), -1, 0, 0},
	    {"a length that is cut off", DER("\x30\x82\x00"), -1, 0, 0},
	    {"a length that is missing", DER("\x30\x81"), -1, 0, 0},
	    {"a length of 256", DER("\x30\x82\x01\x00x"), -1, 0, 0},
	    {"the largest length", DER("\x30\x83\xff\xff\xffx"), -1, 0, 0},
	};
	struct wsi_der in, content;
	unsigned char *exact;
	size_t i;
	int tag;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s", cases[i].name);
		exact = copy_of(cases[i].bytes, cases[i].len);
		in.p = exact;
		in.len = cases[i].len;
		tag = -1;
		CHECK_EQ_U(wsi_der_next(&in, &tag, &content), cases[i].tag != -1 ? 0 : -1);
		CHECK_EQ_U(tag, cases[i].tag);
		if (tag != -1) {
			CHECK(content.p == exact + cases[i].head);
			CHECK_EQ_U(content.len, cases[i].content);
			CHECK(in.p == content.p + content.len);
			CHECK_EQ_U(in.len, cases[i].len - cases[i].head - cases[i].content);
			in.p = exact;
			in.len = cases[i].len;
			CHECK(wsi_der_take(&in, tag + 1, &content) == -1);
			CHECK(in.p == exact && in.len == cases[i].len);
			CHECK(wsi_der_take(&in, tag, &content) == 0);
			CHECK(content.p == exact + cases[i].head && in.p > exact);
		}
		free(exact);
	}
}

/* The first parts of a certificate; the version comes before them, the key and more after them */
#define SERIAL "\x02\x01\x07"
#define ALGORITHM "\x30\x00"
#define ISSUER "\x30\x02\x31\x00"
#define VALIDITY "\x30\x00"
#define SUBJECT "\x30\x06\x31\x04\x30\x02\x06\x00"
#define FIELDS SERIAL ALGORITHM ISSUER VALIDITY SUBJECT

static void test_certificates(void)
{
	static const struct {
		const char *name, *tbs;
		size_t len;
		int ok;
		size_t key, extensions; /* their lengths */
	} cases[] = {
	    {"no key", DER(FIELDS), 1, 0, 0},
	    {"a key", DER(FIELDS "\x30\x03\x02\x01\x00"), 1, 3, 0},
	    {"a version", DER("\xa0\x03\x02\x01\x02" FIELDS "\x30\x03\x02\x01\x00"), 1, 3, 0},
	    {"another thing for a key", DER(FIELDS "\x31\x03\x02\x01\x00"), 1, 0, 0},
	    {"extensions", DER(FIELDS "\x30\x01x\xa3\x04\x30\x02yz"), 1, 1, 2},
	    {"extensions after an identifier",
	     DER(FIELDS "\x30\x01x\x81\x01\x00\xa3\x04\x30\x02yz"), 1, 1, 2},
	    {"extensions that are none", DER(FIELDS "\x30\x01x\xa3\x04\x31\x02yz"), 0, 0, 0},
	    {"a field after the key is cut off", DER(FIELDS "\x30\x01x\xa3\x04\x30"), 0, 0, 0},
	    {"a byte after the key", DER(FIELDS "\x30\x01x\x05"), 0, 0, 0},
	    {"no field", DER(""), 0, 0, 0},
	    {"no serial number", DER(ALGORITHM ISSUER VALIDITY SUBJECT), 0, 0, 0},
	    {"no algorithm", DER(SERIAL "\x31\x00" ISSUER VALIDITY SUBJECT), 0, 0, 0},
	    {"no issuer", DER(SERIAL ALGORITHM "\x31\x00" VALIDITY SUBJECT), 0, 0, 0},
	    {"no validity", DER(SERIAL ALGORITHM ISSUER "\x31\x00" SUBJECT), 0, 0, 0},
	    {"no subject", DER(SERIAL ALGORITHM ISSUER VALIDITY), 0, 0, 0},
	    {"another thing for a subject", DER(SERIAL ALGORITHM ISSUER VALIDITY "\x31\x00"), 0, 0,
	     0},
	};
	unsigned char buf[100], *exact;
	struct wsi_cert c;
	const unsigned char *subject;
	size_t i, len;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s", cases[i].name);
		buf[0] = buf[2] = 0x30;
		buf[1] = (unsigned char)(cases[i].len + 2);
		buf[3] = (unsigned char)cases[i].len;
		memcpy(buf + 4, cases[i].tbs, cases[i].len);
		exact = copy_of(buf, cases[i].len + 4);
		CHECK(wsi_cert_read(&c, exact, cases[i].len + 4) == (cases[i].ok ? 0 : -1));
		if (cases[i].ok) {
			CHECK_EQ_MEM(c.issuer.p, c.issuer.len, ISSUER, sizeof ISSUER - 1);
			CHECK_EQ_MEM(c.subject.p, c.subject.len, SUBJECT, sizeof SUBJECT - 1);
			CHECK_EQ_U(c.key.len, cases[i].key);
			CHECK_EQ_MEM(c.extensions.p, c.extensions.len, "yz", cases[i].extensions);
			subject = wsi_der_subject(exact, cases[i].len + 4, &len);
			CHECK(subject == c.subject.p && len == c.subject.len);
		}
		exact[2] = 0x31; /* not a TBSCertificate */
		CHECK(wsi_cert_read(&c, exact, cases[i].len + 4) == -1);
		CHECK(wsi_der_subject(exact, cases[i].len + 4, &len) == NULL);
		exact[0] = 0x31;
		exact[2] = 0x30;
		CHECK(wsi_cert_read(&c, exact, cases[i].len + 4) == -1);
		free(exact);
	}
}

#define OTHER "\x30\x07\x06\x03\x55\x1d\x0e\x04\x00"

static void test_extensions(void)
{
	static const struct {
		const char *name, *bytes; /* the list, in which 2.5.29.17 is looked for */
		size_t len;
		int r, critical;
		const char *value;
	} cases[] = {
	    {"none", DER(""), 0, 0, ""},
	    {"alone", DER("\x30\x08\x06\x03\x55\x1d\x11\x04\x01x"), 1, 0, "x"},
	    {"after another one", DER(OTHER "\x30\x08\x06\x03\x55\x1d\x11\x04\x01x"), 1, 0, "x"},
	    {"not critical after a critical one",
	     DER("\x30\x0a\x06\x03\x55\x1d\x0e\x01\x01\xff\x04\x00\x30\x07\x06\x03\x55\x1d\x11\x04"
	         "\x00"),
	     1, 0, ""},
	    {"the first of two",
	     DER("\x30\x08\x06\x03\x55\x1d\x11\x04\x01x"
	         "\x30\x08\x06\x03\x55\x1d\x11\x04\x01y"),
	     1, 0, "x"},
	    {"another one", DER(OTHER), 0, 0, ""},
	    {"critical", DER("\x30\x0a\x06\x03\x55\x1d\x11\x01\x01\xff\x04\x00"), 1, 1, ""},
	    {"critical as 1", DER("\x30\x0a\x06\x03\x55\x1d\x11\x01\x01\x01\x04\x00"), 1, 1, ""},
	    {"FALSE", DER("\x30\x0a\x06\x03\x55\x1d\x11\x01\x01\x00\x04\x00"), 1, 0, ""},
	    {"an empty BOOLEAN", DER("\x30\x09\x06\x03\x55\x1d\x11\x01\x00\x04\x00"), 1, 0, ""},
	    {"2.4.29.17", DER("\x30\x07\x06\x03\x54\x1d\x11\x04\x00"), 0, 0, ""},
	    {"2.5.28.17", DER("\x30\x07\x06\x03\x55\x1c\x11\x04\x00"), 0, 0, ""},
	    {"2.5.29", DER("\x30\x06\x06\x02\x55\x1d\x04\x00"), 0, 0, ""},
	    {"2.5.29.17.0", DER("\x30\x08\x06\x04\x55\x1d\x11\x00\x04\x00"), 0, 0, ""},
	    {"no SEQUENCE", DER("\x31\x07\x06\x03\x55\x1d\x11\x04\x00"), -1, 0, ""},
	    {"no OID", DER("\x30\x02\x04\x00"), -1, 0, ""},
	    {"no value", DER("\x30\x05\x06\x03\x55\x1d\x11"), -1, 0, ""},
	    {"no value of another one", DER("\x30\x05\x06\x03\x55\x1d\x0e"), -1, 0, ""},
	    {"cut off", DER(OTHER "\x30\x08\x06\x03\x55\x1d\x11\x04\x01"), -1, 0, ""},
	};
	struct wsi_cert c;
	struct wsi_der value;
	unsigned char *exact;
	size_t i;
	int r, critical;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s", cases[i].name);
		exact = copy_of(cases[i].bytes, cases[i].len);
		memset(&c, 0, sizeof c);
		c.extensions.p = exact;
		c.extensions.len = cases[i].len;
		r = wsi_cert_extension(&c, WSI_EXT_ALTERNATIVE_NAMES, &critical, &value);
		CHECK_EQ_U(r, cases[i].r);
		if (r == 1) {
			CHECK_EQ_U(critical, cases[i].critical);
			CHECK_EQ_MEM(value.p, value.len, cases[i].value, strlen(cases[i].value));
		}
		free(exact);
	}
}

static void test_subject(void)
{
	/* Certificate { TBS { [0] version, serial, algorithm, issuer, validity, subject, ... } } */
	static const unsigned char cert[] = {0x30, 0x81, 0x1f, 0x30, 0x1d, 0xa0, 0x03, 0x02, 0x01,
	                                     0x02, 0x02, 0x01, 0x07, 0x30, 0x00, 0x30, 0x02, 0x31,
	                                     0x00, 0x30, 0x00, 0x30, 0x06, 0x31, 0x04, 0x30, 0x02,
	                                     0x06, 0x00, 0x30, 0x03, 0x02, 0x01, 0x00};
	unsigned char other[sizeof cert], *exact;
	const unsigned char *p;
	size_t i, n, len;
	int bit;

	p = wsi_der_subject(cert, sizeof cert, &len);
	CHECK(p == cert + 21);
	CHECK_EQ_U(len, 8);
	for (n = 0; n <= sizeof cert; n++) { /* every truncation, in memory that ends there */
		exact = malloc(n ? n : 1);
		if (exact == NULL)
			abort();
		memcpy(exact, cert, n);
		p = wsi_der_subject(exact, n, &len);
		CHECK((p != NULL) == (n == sizeof cert)); /* the outermost length covers all of it
							   */
		free(exact);
	}
	check_row("any bit wrong: no result, or one that lies within the bytes");
	for (i = 0; i < sizeof cert; i++) {
		for (bit = 0; bit < 8; bit++) {
			memcpy(other, cert, sizeof cert);
			other[i] ^= (unsigned char)(1 << bit);
			p = wsi_der_subject(other, sizeof other, &len);
			CHECK(p == NULL
			      || (p >= other && len <= sizeof other
			          && p + len <= other + sizeof other));
		}
	}
	memcpy(other, cert, sizeof cert); /* version 1 has no version field */
	other[2] -= 5;
	other[4] -= 5;
	memmove(other + 5, cert + 10, sizeof cert - 10);
	p = wsi_der_subject(other, sizeof cert - 5, &len);
	CHECK(p == other + 16 && len == 8);
}

static void test_equal(void)
{
	static const struct {
		const char *a, *b;
		int equal, may_equal;
	} cases[] = {
	    {"", "", 1, 1},
	    {"abc", "abc", 1, 1},
	    {"aBc", "AbC", 0, 1},
	    {"abc", "abd", 0, 0},
	    {"abc", "bbc", 0, 0},
	    {"abc", "ab", 0, 0},
	    {"ab", "abc", 0, 0},
	    {"\x0c\x01x", "\x13\x01X", 0, 1}, /* UTF8String, PrintableString */
	    {"\x0c\x01x", "\x16\x01x", 0, 0},
	};
	struct wsi_der a, b;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s, %s", cases[i].a, cases[i].b);
		a.len = strlen(cases[i].a);
		a.p = copy_of(cases[i].a, a.len);
		b.len = strlen(cases[i].b);
		b.p = copy_of(cases[i].b, b.len);
		CHECK_EQ_U(wsi_der_equal(&a, &b), cases[i].equal);
		CHECK_EQ_U(wsi_der_may_equal(a.p, a.len, b.p, b.len), cases[i].may_equal);
		free((void *)(uintptr_t)a.p);
		free((void *)(uintptr_t)b.p);
	}
}

static void test_names(void)
{
	static const struct {
		const char *name, *bytes;
		size_t len;
		const char *text;
	} cases[] = {
	    {"empty", DER("\x30\x00"), ""},
	    {"no name", DER("\x31\x00"), ""},
	    {"all attributes",
	     DER("\x30\x69\x31\x0b\x30\x09\x06\x03\x55\x04\x06\x0c\x02"
	         "XX\x31\x0a\x30\x08\x06\x03\x55\x04\x08\x0c\x01"
	         "s\x31\x0a\x30\x08\x06\x03\x55\x04\x07\x0c\x01"
	         "l\x31\x0a\x30\x08\x06\x03\x55\x04\x0a\x0c\x01"
	         "o\x31\x0a\x30\x08\x06\x03\x55\x04\x0b\x0c\x01"
	         "u\x31\x11\x30\x0f\x06\x0a\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19\x0c\x01"
	         "d\x31\x0b\x30\x09\x06\x03\x55\x04\x05\x0c\x02"
	         "no\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01"
	         "n"),
	     "C=XX, ST=s, L=l, O=o, OU=u, DC=d, CN=n"},
	    {"two in one set",
	     DER("\x30\x16\x31\x14\x30\x08\x06\x03\x55\x04\x03\x0c\x01"
	         "a\x30\x08\x06\x03\x55\x04\x03\x0c\x01"
	         "b"),
	     "CN=a, CN=b"},
	    {"an attribute that is cut off",
	     DER("\x30\x14\x31\x12\x30\x09\x06\x03\x55\x04\x06\x0c\x02"
	         "XX\x30\x05\x06\x03\x55\x04\x06"),
	     "C=XX"},
	    {"an attribute without an OID",
	     DER("\x30\x0c\x31\x0a\x30\x08\x04\x03\x55\x04\x06\x0c\x01"
	         "x"),
	     ""},
	};
	unsigned char *exact;
	struct wsi_text t;
	char buf[100];
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s", cases[i].name);
		exact = copy_of(cases[i].bytes, cases[i].len);
		wsi_text_init(&t, buf, sizeof buf);
		wsi_put_dn(&t, exact, cases[i].len);
		CHECK_EQ_S(buf, cases[i].text);
		free(exact);
	}
}

int main(void)
{
	TEST(test_elements);
	TEST(test_certificates);
	TEST(test_extensions);
	TEST(test_subject);
	TEST(test_equal);
	TEST(test_names);
	return check_done();
}
#endif
