/* SPDX-License-Identifier: ISC
 * test_frame.c - frame.c: RFC 6455 5.7's examples, each rule of 5.2 on both sides, the mask, the
 * close codes
 */
#include "ws_proto.h"
#include "check.h"
#include <stdlib.h>

static const unsigned char rfc_key[4] = {0x37, 0xfa, 0x21, 0x3d};

/* Decodes from memory of exactly n bytes. Returns the header's length; 0: more bytes are needed;
 * -1: *why says what is wrong */
static int decode(struct wsi_frame *f, const unsigned char *p, size_t n, const char **why)
{
	unsigned char *exact = malloc(n);

	if (n > 0)
		memcpy(exact, p, n);
	*why = wsi_frame_decode(f, exact, n);
	free(exact);
	return *why != NULL ? -1 : f->head;
}

#define RESERVED "reserved opcode"
#define FRAGMENTED "fragmented control"
#define OVER_125 "over 125"
#define SHORTEST "shortest"
#define TOP_BIT "2^63"
#define MASKED "masked"

/* Header and payload; unmasked is the payload without its mask */
static const struct {
	const char *wire;
	size_t wire_len;
	unsigned char b0;
	int masked;
	const char *payload;
} examples[] = {
    {"\x81\x05\x48\x65\x6c\x6c\x6f", 7, WSI_FIN | WSI_TEXT, 0, "Hello"},
    {"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11, WSI_FIN | WSI_TEXT, 1, "Hello"},
    {"\x01\x03\x48\x65\x6c", 5, WSI_TEXT, 0, "Hel"},
    {"\x80\x02\x6c\x6f", 4, WSI_FIN | WSI_CONT, 0, "lo"},
    {"\x89\x05\x48\x65\x6c\x6c\x6f", 7, WSI_FIN | WSI_PING, 0, "Hello"},
    {"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11, WSI_FIN | WSI_PONG, 1, "Hello"},
};

static void test_examples(void)
{
	static const struct {
		uint64_t len;
		const char *head;
		size_t head_len;
	} long_ones[] = {{256, "\x82\x7e\x01\x00", 4}, {65536, "\x82\x7f\0\0\0\0\0\1\0\0", 10}};
	unsigned char out[WSI_FRAME_HEAD_MAX + 8];
	struct wsi_frame f;
	const char *why;
	size_t i, n;

	for (i = 0; i < sizeof examples / sizeof *examples; i++) {
		const unsigned char *wire = (const unsigned char *)examples[i].wire;
		size_t len = strlen(examples[i].payload);
		int head = decode(&f, wire, examples[i].wire_len, &why);

		check_row("%lu: %s", (unsigned long)i, examples[i].payload);
		if (examples[i].masked) {
			CHECK(head == -1 && strstr(why, MASKED) != NULL);
			wsi_mask(out, wire + 6, len, rfc_key);
			CHECK_EQ_MEM(out, len, examples[i].payload, len);
		} else {
			CHECK_EQ_U(head, examples[i].wire_len - len);
			CHECK_EQ_U(f.len, len);
			CHECK_EQ_U(f.b0, examples[i].b0);
			CHECK_EQ_MEM(wire + head, len, examples[i].payload, len);
		}
		n = wsi_frame_encode(out, examples[i].b0, len, examples[i].masked ? rfc_key : NULL);
		memcpy(out + n, examples[i].payload, len);
		if (examples[i].masked)
			wsi_mask(out + n, out + n, len, rfc_key);
		CHECK_EQ_MEM(out, n + len, examples[i].wire, examples[i].wire_len);
	}
	check_row_end();
	for (i = 0; i < 2; i++) {
		n = wsi_frame_encode(out, WSI_FIN | WSI_BINARY, long_ones[i].len, NULL);
		CHECK_EQ_MEM(out, n, long_ones[i].head, long_ones[i].head_len);
		CHECK_EQ_U(decode(&f, out, n, &why), n);
		CHECK_EQ_U(f.len, long_ones[i].len);
	}
}

/* Each rule, kept and broken. at: how many bytes decide it; result: what the decoder returns from
 * then on */
static const struct {
	const char *head;
	size_t len, at;
	int result;
	uint64_t payload;
	const char *why;
} rules[] = {
    /* lengths of 7, 16 and 64 bits: the first and the last of each form */
    {"\x82\x00", 2, 2, 2, 0, NULL},
    {"\x82\x7d", 2, 2, 2, 125, NULL},
    {"\x82\x7e\x00\x7e", 4, 4, 4, 126, NULL},
    {"\x82\x7e\x00\x7d", 4, 4, -1, 0, SHORTEST},
    {"\x82\x7e\x00\x00", 4, 4, -1, 0, SHORTEST},
    {"\x82\x7e\x01\x00", 4, 4, 4, 256, NULL},
    {"\x82\x7e\xff\xff", 4, 4, 4, 65535, NULL},
    {"\x82\x7f\0\0\0\0\0\1\0\0", 10, 10, 10, 65536, NULL},
    {"\x82\x7f\0\0\0\0\0\0\xff\xff", 10, 8, -1, 0, SHORTEST},
    {"\x82\x7f\0\0\0\0\0\0\0\0", 10, 8, -1, 0, SHORTEST},
    {"\x82\x7f\0\0\0\0\0\0\0\1", 10, 8, -1, 0, SHORTEST},
    {"\x82\x7f\0\0\0\1\0\0\0\0", 10, 10, 10, 0x100000000, NULL},
    {"\x82\x7f\0\0\0\0\xff\xff\xff\xff", 10, 10, 10, 0xffffffff, NULL},
    {"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 10, 10, 10, 0x7fffffffffffffff, NULL},
    {"\x82\x7f\x01\x02\x03\x04\x05\x06\x07\x08", 10, 10, 10, 0x0102030405060708, NULL},
    {"\x82\x7f\x80\0\0\0\0\0\0\0", 10, 3, -1, 0, TOP_BIT},
    {"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 10, 3, -1, 0, TOP_BIT},
    /* 5.1: masked frames */
    {"\x82\x80\1\2\3\4", 6, 2, -1, 0, MASKED},
    {"\x02\xfd\1\2\3\4", 6, 2, -1, 0, MASKED},
    {"\x80\xfe\x00\x7e\1\2\3\4", 8, 2, -1, 0, MASKED},
    {"\x82\xff\0\0\0\0\0\1\0\0\1\2\3\4", 14, 2, -1, 0, MASKED},
    {"\x89\x80\1\2\3\4", 6, 2, -1, 0, MASKED},
    /* control frames: whole, at most 125 */
    {"\x88\x00", 2, 2, 2, 0, NULL},
    {"\x88\x7d", 2, 2, 2, 125, NULL},
    {"\x89\x7d", 2, 2, 2, 125, NULL},
    {"\x8a\x7d", 2, 2, 2, 125, NULL},
    {"\x88\x7e\x00\x7e", 4, 2, -1, 0, OVER_125},
    {"\x89\x7e\x00\x7e", 4, 2, -1, 0, OVER_125},
    {"\x8a\x7f\0\0\0\0\0\1\0\0", 10, 2, -1, 0, OVER_125},
    {"\x8a\xfe\x00\x7e\1\2\3\4", 8, 2, -1, 0, MASKED},
    {"\x08\x00", 2, 1, -1, 0, FRAGMENTED},
    {"\x09\x00", 2, 1, -1, 0, FRAGMENTED},
    {"\x0a\x00", 2, 1, -1, 0, FRAGMENTED},
    {"\x79\x00", 2, 1, -1, 0, FRAGMENTED},
    /* RSV bits are left to the caller */
    {"\xf1\x00", 2, 2, 2, 0, NULL},
    {"\xc2\x00", 2, 2, 2, 0, NULL},
    {"\xf8\x00", 2, 2, 2, 0, NULL},
    {"\x10\x00", 2, 2, 2, 0, NULL},
};

/* Among these are lengths whose top bit is set or that overflow (as in gorilla, undici, libre) */
static void test_rules(void)
{
	struct wsi_frame f;
	const char *why;
	size_t i, n;
	unsigned op;

	for (i = 0; i < sizeof rules / sizeof *rules; i++) {
		unsigned char bytes[40];
		int right = 1;

		check_row("%lu: %s", (unsigned long)i,
		          rules[i].why != NULL ? rules[i].why : "good");
		memset(bytes, 0xa5, sizeof bytes); /* the bytes after the header do not matter */
		memcpy(bytes, rules[i].head, rules[i].len);
		for (n = 0; n <= sizeof bytes; n++) {
			int r = decode(&f, bytes, n, &why);

			right &= r == (n < rules[i].at ? 0 : rules[i].result);
			right &= (why != NULL) == (r < 0);
			if (r < 0)
				right &= rules[i].why && strstr(why, rules[i].why) != NULL;
			if (r > 0)
				right &= f.len == rules[i].payload && f.b0 == bytes[0];
		}
		if (!CHECK(right))
			fprintf(stderr, "\trule %lu\n", (unsigned long)i);
	}
	check_row_end();

	for (op = 0; op < 256; op++) { /* every first byte */
		unsigned char b0 = (unsigned char)op;
		unsigned code = op & 15;
		int known = code <= 2 || (code >= 8 && code <= 10), r = decode(&f, &b0, 1, &why);

		if (!known)
			CHECK(r == -1 && strstr(why, RESERVED) != NULL);
		else if (code >= 8 && op < 0x80)
			CHECK(r == -1 && strstr(why, FRAGMENTED) != NULL);
		else
			CHECK_EQ_U(r, 0);
	}
}

/* The lengths around each power of two: what was encoded is decoded at its last byte, and not
 * earlier */
static void test_round_trip(void)
{
	struct wsi_frame f;
	const char *why;
	unsigned long wrong = 0;
	int bit, around, masked;
	size_t n, k;

	for (bit = 0; bit < 63; bit++) {
		for (around = -2; around <= 2; around++) {
			for (masked = 0; masked < 2; masked++) {
				uint64_t len = ((uint64_t)1 << bit) + (uint64_t)(int64_t)around;
				unsigned char out[WSI_FRAME_HEAD_MAX];

				if (len >> 63)
					continue;
				n = wsi_frame_encode(out, 0x82, len, masked ? rfc_key : NULL);
				wrong += n
				         != (len < 126     ? 2U
				             : len < 65536 ? 4U
				                           : 10U)
				                + (masked ? 4U : 0U);
				wrong += (out[1] & 0x80) != (masked ? 0x80 : 0);
				if (masked) { /* only the mask bit and the key differ */
					n -= 4;
					wrong += memcmp(out + n, rfc_key, 4) != 0;
					out[1] &= 0x7f;
				}
				for (k = 0; k < n; k++)
					wrong += decode(&f, out, k, &why) != 0;
				wrong += decode(&f, out, n, &why) != (int)n || f.len != len
				         || f.b0 != 0x82;
			}
		}
	}
	CHECK_EQ_U(wrong, 0);
}

static void test_mask(void)
{
	static unsigned char src[16 + 80], want[16 + 80], dst[16 + 80],
	    key[4] = {0x01, 0x80, 0xff, 0x3c};
	size_t i, len, from, to, cut, wrong = 0;

	for (i = 0; i < sizeof src; i++)
		src[i] = (unsigned char)(i * 73 + 5);

	check_row("every length and alignment of both ends; nothing before or after is changed");
	for (len = 0; len <= 70; len++) {
		for (from = 0; from < 8; from++) {
			for (to = 0; to < 8; to++) {
				memset(dst, 0xee, sizeof dst);
				memset(want, 0xee, sizeof want);
				for (i = 0; i < len; i++)
					want[to + i] = src[from + i] ^ key[i % 4];
				wsi_mask(dst + to, src + from, len, key);
				wrong += memcmp(dst, want, sizeof dst) != 0;
			}
			memcpy(dst, src, sizeof dst); /* in place */
			memcpy(want, src, sizeof want);
			for (i = 0; i < len; i++)
				want[from + i] ^= key[i % 4];
			wsi_mask(dst + from, dst + from, len, key);
			wrong += memcmp(dst, want, sizeof dst) != 0;
		}
	}
	CHECK_EQ_U(wrong, 0);

	check_row("in two chunks as in one, if the first has whole keys");
	for (len = 0; len <= 70; len++) {
		for (cut = 0; cut <= len; cut += 4) {
			wsi_mask(want, src, len, key);
			wsi_mask(dst, src, cut, key);
			wsi_mask(dst + cut, src + cut, len - cut, key);
			wrong += len > 0 && memcmp(dst, want, len) != 0;
		}
	}
	CHECK_EQ_U(wrong, 0);
	memset(dst, 0xee, sizeof dst);
	wsi_mask(dst, src, 0, key); /* nothing to mask */
	CHECK_EQ_U(dst[0], 0xee);
}

static void test_close_codes(void)
{
	static const struct {
		unsigned code;
		const char *name;
	} names[] = {
	    {1000, "normal closure"},
	    {1001, "going away"},
	    {1002, "protocol error"},
	    {1003, "unsupported data"},
	    {1004, ""},
	    {1005, "no status received"},
	    {1006, "abnormal closure"},
	    {1007, "invalid payload data"},
	    {1008, "policy violation"},
	    {1009, "message too big"},
	    {1010, "mandatory extension"},
	    {1011, "internal error"},
	    {1012, "service restart"},
	    {1013, "try again later"},
	    {1014, "bad gateway"},
	    {1015, "TLS handshake"},
	    {1016, ""},
	    {3000, "unauthorized"},
	    {3001, ""},
	    {3003, "forbidden"},
	    {3007, ""},
	    {3008, "timeout"},
	    {3009, ""},
	    {0, ""},
	    {999, ""},
	    {2999, ""},
	    {4000, ""},
	    {65535, ""},
	};
	unsigned code, wrong = 0;
	struct wsi_text t;
	char buf[100];
	size_t i;

	for (i = 0; i < sizeof names / sizeof *names; i++) {
		check_row("%u", names[i].code);
		CHECK_EQ_S(wsi_close_name(names[i].code), names[i].name);
	}
	check_row_end();
	wsi_text_init(&t, buf, sizeof buf);
	wsi_put_close_code(&t, 1000);
	wsi_put(&t, ", ");
	wsi_put_close_code(&t, 4000);
	CHECK_EQ_S(buf, "1000 (normal closure), 4000");
	for (code = 0; code <= 70000; code++) {
		int ok;

		switch (code) {
		case 1004: /* reserved */
		case 1005: /* 7.4.1: never sent */
		case 1006:
		case 1015:
			ok = 0;
			break;
		default:
			ok = (code >= 1000 && code < 1015) || (code >= 3000 && code < 5000);
		}
		wrong += wsi_close_code_ok(code) != ok;
	}
	CHECK_EQ_U(wrong, 0);
}

/* RFC 6455 1.3: the digest with which a server proves that it read the request */
static void test_accept(void)
{
	static const char text[] = "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	unsigned char digest[20];
	char accept[WSI_BASE64_LEN(20)];

	wsi_sha1(digest, text, sizeof text - 1);
	CHECK_EQ_MEM(accept, wsi_base64_encode(accept, digest, 20),
	             "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", 28);
}

int main(void)
{
	TEST(test_examples);
	TEST(test_rules);
	TEST(test_round_trip);
	TEST(test_mask);
	TEST(test_close_codes);
	TEST(test_accept);
	return check_done();
}
