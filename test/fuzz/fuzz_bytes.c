/* SPDX-License-Identifier: ISC
 * fuzz_bytes.c - text, utf8, base64, sha1, ip and frame on any bytes, and relations that must hold
 * between their functions
 *
 *	clang -g -O1 -fsanitize=fuzzer,address,undefined -I. -DWS_WITH_MBEDTLS test/fuzz/fuzz_bytes.c text.c utf8.c base64.c \
 *		sha1.c ip.c frame.c
 *	cc -DFUZZ_MAIN ...      instead: runs the files given as arguments, or 200000 random inputs
 */
#include "ws_proto.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

#define MUST(cond) must(!!(cond), __LINE__, #cond)
static void must(int ok, int line, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "test/fuzz/fuzz_bytes.c:%d: does not hold: %s\n", line, what);
	abort();
}

/* A copy in its own block, with nothing after it */
static unsigned char *copy(const unsigned char *p, size_t len)
{
	unsigned char *c = malloc(len > 0 ? len : 1);

	MUST(c);
	if (len > 0)
		memcpy(c, p, len);
	return c;
}

/* The result of wsi_utf8_check, computed with wsi_utf8_decode */
static size_t utf8_by_decoding(const unsigned char *p, size_t len, int *whole)
{
	size_t i = 0, k;
	uint32_t cp;
	int n = 1;

	while (i < len && (n = wsi_utf8_decode(&cp, p + i, len - i)) > 0) {
		MUST(cp <= 0x10ffff && (cp < 0xd800 || cp > 0xdfff));
		MUST(n == (cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4));
		i += (size_t)n;
	}
	*whole = i == len;
	if (i == len || n == 0)
		return len;
	for (k = 1; wsi_utf8_decode(&cp, p + i, k) == 0; k++)
		MUST(k < 4);
	return i + k - 1;
}

static void fuzz_utf8(const unsigned char *p, size_t len, size_t cut)
{
	uint32_t state = 0, parts = 0;
	int whole;
	size_t good = wsi_utf8_check(&state, p, len), want = utf8_by_decoding(p, len, &whole), got;

	MUST(good == want && (good < len || (state == 0) == whole));
	got = wsi_utf8_check(&parts, p, cut);
	if (got == cut)
		got += wsi_utf8_check(&parts, p + cut, len - cut);
	MUST(got == good && (good < len || parts == state));
}

static void fuzz_frame(const unsigned char *p, size_t len)
{
	struct wsi_frame f, g;
	const char *why = wsi_frame_decode(&f, p, len), *why_not;
	unsigned char out[WSI_FRAME_HEAD_MAX];
	size_t n, most = len < 15 ? len : 15;

	MUST(f.head <= len && (why == NULL || f.head == 0));
	if (f.head > 0)
		MUST(wsi_frame_encode(out, f.b0, f.len, NULL) == f.head
		     && memcmp(out, p, f.head) == 0);
	for (n = 0; n < most; n++) { /* fewer bytes: the same error, or more is needed */
		unsigned char *exact = copy(p, n);

		why_not = wsi_frame_decode(&g, exact, n);
		MUST(why_not == NULL || why_not == why);
		MUST(g.head == (n >= f.head ? f.head : 0));
		free(exact);
	}
}

static void fuzz_mask(const unsigned char *p, size_t len, size_t cut)
{
	static const unsigned char key[4] = {0x12, 0x9a, 0xff, 0x01};
	unsigned char *once = copy(p, len), *parts = copy(p, len);
	size_t i;

	cut -= cut % 4; /* what is masked in pieces is cut between keys */
	wsi_mask(once, once, len, key);
	wsi_mask(parts, p, cut, key);
	wsi_mask(parts + cut, p + cut, len - cut, key);
	MUST(memcmp(once, parts, len) == 0);
	for (i = 0; i < len; i++)
		MUST(once[i] == (p[i] ^ key[i % 4]));
	wsi_mask(once, once, len, key);
	MUST(memcmp(once, p, len) == 0);
	free(once);
	free(parts);
}

static void fuzz_base64(const unsigned char *p, size_t len)
{
	char *text = malloc(WSI_BASE64_LEN(len) + 1);
	unsigned char *bytes = malloc(len / 4 * 3 + 1),
	              *back = malloc(WSI_BASE64_LEN(len) / 4 * 3 + 1);
	ptrdiff_t n;

	MUST(text && bytes && back);
	n = wsi_base64_decode(bytes, (const char *)p, len);
	MUST(n >= -1 && n <= (ptrdiff_t)(len / 4 * 3));
	if (n >= 0)
		MUST(wsi_base64_encode(text, bytes, (size_t)n) == len && memcmp(text, p, len) == 0);
	MUST(wsi_base64_encode(text, p, len) == WSI_BASE64_LEN(len));
	MUST(wsi_base64_decode(back, text, WSI_BASE64_LEN(len)) == (ptrdiff_t)len);
	MUST(memcmp(back, p, len) == 0);
	free(text);
	free(bytes);
	free(back);
}

static void fuzz_sha1(const unsigned char *p, size_t len, size_t cut)
{
	unsigned char whole[20], part[20];

	wsi_sha1(whole, p, (unsigned)len);
	wsi_sha1(part, p, (unsigned)cut);
	MUST((memcmp(whole, part, 20) == 0) == (len == cut));
}

static void fuzz_ip_put(const unsigned char *addr, int len)
{
	char buf[40]; /* 8 groups of 4, 7 colons, NUL */
	unsigned char back[16];
	struct wsi_text t;
	unsigned bit;

	wsi_text_init(&t, buf, sizeof buf);
	wsi_put_ip(&t, addr, len);
	MUST(!t.cut && wsi_ip_parse(back, buf, t.len) == len
	     && memcmp(addr, back, (size_t)len) == 0);
	MUST(wsi_ip_in(addr, back, (unsigned)len * 8));
	for (bit = 0; bit < (unsigned)len * 8; bit++) {
		back[bit / 8] ^= (unsigned char)(0x80 >> bit % 8);
		MUST(wsi_ip_in(addr, back, bit) && !wsi_ip_in(addr, back, bit + 1));
		back[bit / 8] = addr[bit / 8];
	}
}

static void fuzz_ip(const unsigned char *p, size_t len)
{
	unsigned char addr[16];
	int n = wsi_ip_parse(addr, (const char *)p, len);

	MUST(n == 0 || n == 4 || n == 16);
	if (n > 0)
		fuzz_ip_put(addr, n);
	if (len >= 4)
		fuzz_ip_put(p, 4);
	if (len >= 16)
		fuzz_ip_put(p, 16);
}

static void fuzz_text(const unsigned char *p, size_t len, size_t cut)
{
	char *whole = malloc(len + 2), *part = malloc(cut + 1);
	uint32_t state = 0;
	struct wsi_text t, u;
	size_t i;
	int64_t us = 0;

	MUST(whole && part);
	wsi_text_init(&t, whole, len + 1);
	wsi_put_safe(&t, p, len);
	MUST(!t.cut && whole[t.len] == '\0' && wsi_utf8_check(&state, whole, t.len) == t.len
	     && state == 0);
	for (i = 0; i < t.len; i++)
		MUST((unsigned char)whole[i] >= 0x20 && whole[i] != 0x7f);
	wsi_text_init(&u, part, cut + 1);
	wsi_put_safe(&u, p, len);
	MUST(u.len <= t.len && u.cut == (t.len > cut) && memcmp(part, whole, u.len) == 0);
	MUST(wsi_utf8_check(&state, part, u.len) == u.len && state == 0);
	MUST(part[u.len] == '\0');
	free(part);

	/* A token is a list with itself as the only element, and is not found in other lists */
	if (len > 0 && wsi_span_if((const char *)p, len, wsi_is_tchar) == len) {
		struct wsi_str a, b;

		MUST(!memchr(p, ',', len) && !memchr(p, ' ', len));
		memcpy(whole, p, len);
		whole[len] = '\0';
		a.p = (const char *)p;
		b.p = whole;
		a.len = b.len = len;
		MUST(wsi_has_token(a, whole) && wsi_same_str(a, b));
	}
	MUST(!wsi_has_token((struct wsi_str){(const char *)p, len}, "a,b"));
	free(whole);

	for (i = 0; i < 8 && i < len; i++)
		us = (int64_t)((uint64_t)us << 8 | p[i]);
	{
		char small[32];

		wsi_text_init(&t, small, sizeof small);
		wsi_put_ms(&t, us);
		MUST(!t.cut);
		wsi_text_init(&t, small, sizeof small);
		wsi_put_u(&t, (uint64_t)us);
		MUST(strtoull(small, NULL, 10) == (uint64_t)us && (us == 0 || small[0] != '0'));
	}
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	size_t len, cut;
	unsigned char *p;

	if (size < 2 || size > 4096)
		return 0;
	len = size - 2;
	cut = data[1] % (len + 1);
	p = copy(data + 2, len);
	switch (data[0] % 7) {
	case 0:
		fuzz_utf8(p, len, cut);
		break;
	case 1:
		fuzz_frame(p, len);
		break;
	case 2:
		fuzz_mask(p, len, cut);
		break;
	case 3:
		fuzz_base64(p, len);
		break;
	case 4:
		fuzz_sha1(p, len, cut);
		break;
	case 5:
		fuzz_ip(p, len);
		break;
	default:
		fuzz_text(p, len, cut);
	}
	free(p);
	return 0;
}

#ifdef FUZZ_MAIN
#include "pieces.h"

static void run_random(void)
{
	static const struct piece pieces[] = {{"\xc3\xa9", 2},
	                                      {"\xe6\x97\xa5", 3},
	                                      {"\xf0\x9f\x98\x80", 4},
	                                      {"\xed\xa0", 2},
	                                      {"\xe2\x80\xae", 3},
	                                      {"aaaaaaaaaaaaaaaa", 16},
	                                      {"\x82\x7e", 2},
	                                      {"\x82\xff\0\0", 4},
	                                      {"\x89\x7d", 2},
	                                      {"\0\0\0\0", 4},
	                                      {"Zm9v", 4},
	                                      {"Zg==", 4},
	                                      {"Zm8=", 4},
	                                      {"::", 2},
	                                      {":0", 2},
	                                      {"ffff:", 5},
	                                      {"1.2.3.4", 7},
	                                      {".25", 3},
	                                      {":", 1},
	                                      {"1", 1}};
	unsigned char buf[200];
	long round;

	for (round = 0; round < 200000; round++) {
		size_t len = 2, most = 2 + below(below(4) == 0 ? sizeof buf - 2 : 40);

		buf[0] = (unsigned char)below(7);
		buf[1] = (unsigned char)below(256);
		len = add_pieces(buf, sizeof buf, len, most, pieces,
		                 sizeof pieces / sizeof pieces[0]);
		LLVMFuzzerTestOneInput(buf, len);
	}
	printf("%ld inputs\n", round);
}

#define FUZZ_MADE_UP run_random
#endif
#include "replay.h"
