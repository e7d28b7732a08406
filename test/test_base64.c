/* SPDX-License-Identifier: ISC
 * test_base64.c - base64.c: RFC 4648's vectors, round trips, and every way to be wrong (it decodes
 * for TLS only)
 */
#include "ws_pure.h"
#include "check.h"
#include "random.h"
#include <stdlib.h>

/* RFC 4648 section 10; bytes with each bit set somewhere; the accept value of RFC 6455 1.3 */
static const struct {
	const char *bytes;
	size_t len;
	const char *text;
} vectors[] = {
    {"", 0, ""},
    {"f", 1, "Zg=="},
    {"fo", 2, "Zm8="},
    {"foo", 3, "Zm9v"},
    {"foob", 4, "Zm9vYg=="},
    {"fooba", 5, "Zm9vYmE="},
    {"foobar", 6, "Zm9vYmFy"},
    {"\0\0\0", 3, "AAAA"},
    {"\xff\xff\xff\xfe", 4, "/////g=="},
    {"\xfb\xef\xbe\xff", 4, "++++/w=="},
    {"\xb3\x7a\x4f\x2c\xc0\x62\x4f\x16\x90\xf6\x46\x06\xcf\x38\x59\x45\xb2\xbe\xc4\xea", 20,
     "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
};

/* Encodes from memory of exactly len bytes */
static size_t encode(char *out, const void *bytes, size_t len)
{
	unsigned char *exact = malloc(len);
	size_t n;

	if (len > 0)
		memcpy(exact, bytes, len);
	n = wsi_base64_encode(out, exact, len);
	free(exact);
	return n;
}

static void test_encode(void)
{
	char text[64];
	size_t i, n;

	for (i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		check_row("\"%s\"", vectors[i].text);
		n = encode(text, vectors[i].bytes, vectors[i].len);
		CHECK_EQ_MEM(text, n, vectors[i].text, strlen(vectors[i].text));
		CHECK_EQ_U(n, WSI_BASE64_LEN(vectors[i].len));
	}
}

#ifdef WS_WITH_MBEDTLS
static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static const char *const wrong[] = {
    "Z",        "Zg",     "Zg=",  "Zg===", "=",      "==",         "===",      "====",
    "A===",     "=AAA",   "A=AA", "AA=A",  "=A==",   "A=B=",       "AAAA====", "AAAAA===",
    "AA==AAAA", "AAA=AA", "Zh==", "Zm9=",  "Zm9v\n", "Zm9vY",      "Zm9vYm",   "Zm9vYmE",
    "Zm 9vYg=", " Zm9",   "Zm9 ", "Z-9v",  "Z_9v",   "Z\xc3\xa9v", "Zm9vYmF=",
};

/* Decodes from and into memory of exactly the size that is allowed */
static ptrdiff_t decode(unsigned char *out, const char *text, size_t len)
{
	char *in = malloc(len);
	unsigned char *exact = malloc(len / 4 * 3);
	ptrdiff_t n;

	if (len > 0)
		memcpy(in, text, len);
	n = wsi_base64_decode(exact, in, len);
	if (n > 0)
		memcpy(out, exact, (size_t)n);
	free(in);
	free(exact);
	return n;
}

static void test_decode(void)
{
	unsigned char out[64];
	size_t i;
	ptrdiff_t n;

	for (i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		check_row("\"%s\"", vectors[i].text);
		n = decode(out, vectors[i].text, strlen(vectors[i].text));
		CHECK(n >= 0);
		CHECK_EQ_MEM(out, (size_t)n, vectors[i].bytes, vectors[i].len);
	}
	check_row_end();
	for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		check_row("\"%s\"", wrong[i]);
		if (!CHECK(decode(out, wrong[i], strlen(wrong[i])) == -1))
			fprintf(stderr, "\t\"%s\"\n", wrong[i]);
	}
	check_row_end();
	CHECK(decode(out, "Zm\0v", 4) == -1);
}

static void test_round_trip(void)
{
	unsigned char bytes[100], back[100];
	char *text;
	size_t len, i, n, same = 0;

	for (len = 0; len <= sizeof bytes; len++) {
		for (i = 0; i < len; i++)
			bytes[i] = (unsigned char)below(256);
		text = malloc(WSI_BASE64_LEN(len));
		n = encode(text, bytes, len);
		same += n == WSI_BASE64_LEN(len) && decode(back, text, n) == (ptrdiff_t)len
		        && memcmp(bytes, back, len) == 0;
		free(text);
	}
	CHECK_EQ_U(same, 101);

	text = malloc(WSI_BASE64_LEN(sizeof bytes)); /* in place: reading runs ahead of writing */
	n = wsi_base64_encode(text, bytes, sizeof bytes);
	CHECK_EQ_U(wsi_base64_decode(text, text, n), sizeof bytes);
	CHECK_EQ_MEM(text, sizeof bytes, bytes, sizeof bytes);
	free(text);
}

/* Every character at every place. A padded group is accepted only if its unused bits are zero. */
static void test_strict(void)
{
	unsigned char out[8];
	size_t i, a, b, c, bad = 0;
	int ch;

	for (i = 0; i < 8; i++) {
		for (ch = 0; ch < 256; ch++) {
			char text[8] = "Zm9vYmEx";
			int is_digit = ch > 0 && strchr(alphabet, ch) != NULL;

			text[i] = (char)ch;
			/* before a '=' at the end, the two low bits of 'E' are zero */
			bad += (decode(out, text, 8) >= 0) != (is_digit || (i == 7 && ch == '='));
		}
	}
	CHECK_EQ_U(bad, 0);

	for (a = 0; a < 64; a++) {
		for (b = 0; b < 64; b++) {
			char text[5] = {alphabet[a], alphabet[b], '=', '=', 0};

			bad += wsi_base64_decode(out, text, 4) != (b % 16 == 0 ? 1 : -1);
			bad += b % 16 == 0 && out[0] != a * 4 + b / 16;
			for (c = 0; c < 64; c++) {
				text[2] = alphabet[c];
				bad += wsi_base64_decode(out, text, 4) != (c % 4 == 0 ? 2 : -1);
				bad +=
				    c % 4 == 0
				    && (out[0] != a * 4 + b / 16 || out[1] != b % 16 * 16 + c / 4);
			}
		}
	}
	CHECK_EQ_U(bad, 0);
}
#endif

int main(void)
{
	TEST(test_encode);
#ifdef WS_WITH_MBEDTLS
	TEST(test_decode);
	TEST(test_round_trip);
	TEST(test_strict);
#endif
	return check_done();
}
