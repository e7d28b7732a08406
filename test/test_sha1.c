/* SPDX-License-Identifier: ISC
 * test_sha1.c - sha1.c against the published vectors, at the lengths where padding changes, and at
 * every length
 */
#include "ws_pure.h"
#include "check.h"
#include <stdlib.h>

static const struct {
	const char *text;
	unsigned long times;
	const char *digest;
} vectors[] = {
    /* RFC 3174 7.3, FIPS 180 */
    {"abc", 1, "a9993e364706816aba3e25717850c26c9cd0d89d"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
     "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
    {"a", 1000000, "34aa973cd4c4daa4f61eeb2bdbad27316534016f"},
    {"0123456701234567012345670123456701234567012345670123456701234567", 10,
     "dea356a2cddd90c7a7ecedc5ebb563934f460452"},
    {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnop"
     "qrsmnopqrstnopqrstu",
     1, "a49b2446a02c645bf419f995b67091253a04a259"},
    /* around the ends of blocks, and where the length no longer fits after the text */
    {"a", 0, "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
    {"a", 1, "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"},
    {"a", 54, "b05d71c64979cb95fa74a33cdb31a40d258ae02e"},
    {"a", 55, "c1c8bbdc22796e28c0e15163d20899b65621d65a"},
    {"a", 56, "c2db330f6083854c99d4b5bfb6e8f29f201be699"},
    {"a", 57, "f08f24908d682555111be7ff6f004e78283d989a"},
    {"a", 63, "03f09f5b158a7a8cdad920bddc29b81c18a551f5"},
    {"a", 64, "0098ba824b5c16427bd7a1122a5a442a25ec644d"},
    {"a", 65, "11655326c708d70319be2610e8a57d9a5b959d3b"},
    {"a", 111, "ac877859d427d9192054eea8feb3b8a403ef83a5"},
    {"a", 112, "689993727ba37386bb032495e9dbdfb4dd1ba744"},
    {"a", 118, "d0572de8e494e0b7b8e50302003fc4ae0596ef4d"},
    {"a", 119, "ee971065aaa017e0632a8ca6c77bb3bf8b1dfc56"},
    {"a", 120, "f34c1488385346a55709ba056ddd08280dd4c6d6"},
    {"a", 121, "fa6b5a6f8ac27182f838fe7841ec6d2aef3ade29"},
    {"a", 127, "89d95fa32ed44a7c610b7ee38517ddf57e0bb975"},
    {"a", 128, "ad5b3fdbcb526778c2839d2f151ea753995e26a0"},
    {"a", 129, "d96debf1bdcbc896e6c134ea76e8141f40d78536"},
    {"a", 1000, "291e9a6c66994949b57ba5e650361e98fc36b1ba"},
};

static void hex(char out[41], const unsigned char digest[20])
{
	int i;

	for (i = 0; i < 20; i++)
		sprintf(out + 2 * i, "%02x", digest[i]);
}

/* Reads from memory of exactly len bytes */
static void sha1(unsigned char digest[20], const void *text, size_t len)
{
	unsigned char *exact = malloc(len);

	if (len > 0)
		memcpy(exact, text, len);
	wsi_sha1(digest, exact, (unsigned)len);
	free(exact);
}

static void test_vectors(void)
{
	static char all[1000000];
	size_t i;

	for (i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		size_t len = strlen(vectors[i].text);
		unsigned char digest[20];
		unsigned long k;
		char text[41];

		check_row("%s, %lu times", vectors[i].text, vectors[i].times);
		for (k = 0; k < vectors[i].times; k++)
			memcpy(all + k * len, vectors[i].text, len);
		sha1(digest, all, k * len);
		hex(text, digest);
		CHECK_EQ_S(text, vectors[i].digest);
	}
}

/* The digest of all digests of 0 to 200 bytes, one after another, is the one that another program
 * computed */
static void test_lengths(void)
{
	unsigned char text[200], seen[201][20], digest[20];
	size_t len;
	char all[41];

	for (len = 0; len < sizeof text; len++)
		text[len] = (unsigned char)(len * 37 + 200);
	for (len = 0; len <= sizeof text; len++)
		sha1(seen[len], text, len);
	sha1(digest, seen, sizeof seen);
	hex(all, digest);
	CHECK_EQ_S(all, "9c27c5efcfba5493566b50314d2ffbc9a13c9855");
}

int main(void)
{
	TEST(test_vectors);
	TEST(test_lengths);
	return check_done();
}
