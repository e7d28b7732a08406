/* SPDX-License-Identifier: ISC
 * cbmc_main.c - for CBMC: every input up to a small length, exactly, and what must hold of the
 * results. test/prove/run starts each entry point.
 */
#include "cbmc_any.h"
#include "test/prove/utf8_grammar.h"
#include "utf8.c" /* with its static functions */
#include <string.h>

void check_text(void);
void check_safe(void);
void check_utf8(void);
void check_utf8_rfc(void);
void check_utf8_parts(void);
void check_base64(void);
void check_frame(void);
void check_encode(void);
void check_mask(void);

/* The last len bytes of an array of any content: behind them nothing may be read or written */
#define ANY_BYTES(array, len) ((array) + sizeof(array) - (len))

/* Texts of any room, at any fill, take any bytes and stay terminated */
void check_text(void)
{
	size_t cap = any_size(), len = any_size(), used = any_size();
	unsigned char in_array[9], *in;
	char buf_array[9], *buf;
	struct wsi_text t;

	ASSUME(cap > 0 && cap <= sizeof buf_array && len <= sizeof in_array);
	buf = ANY_BYTES(buf_array, cap);
	in = ANY_BYTES(in_array, len);
	wsi_text_init(&t, buf, cap);
	MUST(t.len == 0 && !t.cut && buf[0] == '\0');
	ASSUME(used < cap);
	t.len = used;
	wsi_put_n(&t, in, len);
	MUST(t.p == buf && t.cap == cap && t.cut == (used + len >= cap));
	MUST(t.len == (t.cut ? cap - 1 : used + len));
	MUST(t.len == used || buf[t.len] == '\0');
}

/* Whatever the bytes and the room, what is put is UTF-8 without controls */
void check_safe(void)
{
	size_t cap = any_size(), len = any_size(), i = any_size();
	unsigned char in_array[3], *in;
	char buf_array[5], *buf;
	struct wsi_text t;

	ASSUME(cap > 0 && cap <= sizeof buf_array && len <= sizeof in_array);
	buf = ANY_BYTES(buf_array, cap);
	in = ANY_BYTES(in_array, len);
	wsi_text_init(&t, buf, cap);
	wsi_put_safe(&t, in, len);
	MUST(t.len < cap && t.len <= len && buf[t.len] == '\0');
	ASSUME(i < t.len);
	MUST((unsigned char)buf[i] >= 0x20 && buf[i] != 0x7f);
}

/* RFC 3629 section 4, as it is written there: UTF8-octets = *( UTF8-char ). Returns the length of the
 * UTF8-char at p, or 0. */
static size_t rfc3629_char(const unsigned char *p, size_t len)
{
	if (len >= 1 && IN(p[0], 0x00, 0x7f))
		return 1; /* UTF8-1 */
	if (len >= 2 && IN(p[0], 0xc2, 0xdf) && TAIL(p[1]))
		return 2; /* UTF8-2 */
	if (len >= 3 && TAIL(p[2])
	    && ((IN(p[0], 0xe0, 0xe0) && IN(p[1], 0xa0, 0xbf))
	        || (IN(p[0], 0xe1, 0xec) && TAIL(p[1]))
	        || (IN(p[0], 0xed, 0xed) && IN(p[1], 0x80, 0x9f))
	        || (IN(p[0], 0xee, 0xef) && TAIL(p[1]))))
		return 3; /* UTF8-3 */
	if (len >= 4 && TAIL(p[2]) && TAIL(p[3])
	    && ((IN(p[0], 0xf0, 0xf0) && IN(p[1], 0x90, 0xbf))
	        || (IN(p[0], 0xf1, 0xf3) && TAIL(p[1]))
	        || (IN(p[0], 0xf4, 0xf4) && IN(p[1], 0x80, 0x8f))))
		return 4; /* UTF8-4 */
	return 0;
}

/* Of any bytes, cut anywhere, the check accepts those and only those that RFC 3629 calls UTF8-octets;
 * and what is decoded is one UTF8-char */
void check_utf8_rfc(void)
{
	size_t len = any_size(), cut = any_size(), at = 0, n, i;
	unsigned char array[5], *p;
	uint32_t state = 0, cp;
	bool taken;

	ASSUME(len <= sizeof array && cut <= len);
	p = ANY_BYTES(array, len);
	taken = wsi_utf8_check(&state, p, cut) == cut
	        && wsi_utf8_check(&state, p + cut, len - cut) == len - cut && state == 0;
	for (i = 0; i < sizeof array && at < len; i++) {
		n = rfc3629_char(p + at, len - at);
		if (n == 0)
			break;
		at += n;
	}
	MUST(taken == (at == len));
	n = rfc3629_char(p, len);
	MUST((wsi_utf8_decode(&cp, p, len) > 0) == (n > 0));
	if (n > 0)
		MUST(wsi_utf8_decode(&cp, p, len) == (int)n);
}

/* Of any five bytes the two functions say the same, and a cut changes nothing */
void check_utf8(void)
{
	size_t len = any_size(), cut = any_size(), good, got;
	unsigned char array[5], *p;
	uint32_t state = 0, parts = 0, cp;
	int n;

	ASSUME(len <= sizeof array && cut <= len);
	p = ANY_BYTES(array, len);
	good = wsi_utf8_check(&state, p, len);
	got = wsi_utf8_check(&parts, p, cut);
	if (got == cut)
		got += wsi_utf8_check(&parts, p + cut, len - cut);
	MUST(got == good && (good < len || parts == state));
	n = wsi_utf8_decode(&cp, p, len);
	MUST(n >= -1 && n <= 4 && (n <= 0 || ((size_t)n <= len && good >= (size_t)n)));
	if (n > 0)
		MUST(cp <= 0x10ffff && (cp < 0xd800 || cp > 0xdfff) && (n > 1) == (cp > 0x7f)
		     && (n > 2) == (cp > 0x7ff) && (n > 3) == (cp > 0xffff));
	if (n < 0)
		MUST(good < 4 && good < len);
}

/* What WP takes for granted of the small parts of the fast way: in every state, any byte leads where
 * the grammar says; and of any eight bytes the top bits are 0 only if all are ASCII */
void check_utf8_parts(void)
{
	uint64_t state = any_u64();
	unsigned char p[8], c = any_byte();
	bool ascii = true;
	int i;

	ASSUME(state % 64 <= 48 && state % 64 % 6 == 0);
	MUST(utf8_step(state, c) % 64 == NEXT(state % 64, c));
	for (i = 0; i < 8; i++)
		ascii = ascii && p[i] < 0x80;
	MUST((utf8_top_bits(p) == 0) == ascii);
}

void check_base64(void)
{
	size_t len = any_size(), k = any_size();
	unsigned char in_array[5], out_array[6], *in, *out;
	char text_array[8], *text;
	ptrdiff_t n;

	ASSUME(len <= sizeof in_array);
	in = ANY_BYTES(in_array, len);
	text = ANY_BYTES(text_array, WSI_BASE64_LEN(len));
	MUST(wsi_base64_encode(text, in, len) == WSI_BASE64_LEN(len));
	out = ANY_BYTES(out_array, WSI_BASE64_LEN(len) / 4 * 3);
	n = wsi_base64_decode(out, text, WSI_BASE64_LEN(len));
	MUST(n == (ptrdiff_t)len);
	ASSUME(k < len);
	MUST(in[k] == out[k]);
}

/* Any 0 to 14 bytes: what is taken is what would be sent, and fewer bytes say the same or nothing
 * yet */
void check_frame(void)
{
	size_t n = any_size(), fewer = any_size(), k = any_size();
	struct wsi_frame f, g;
	unsigned char array[WSI_FRAME_HEAD_MAX], *p, out[WSI_FRAME_HEAD_MAX];
	const char *why, *why_not;

	ASSUME(n <= sizeof array && fewer <= n);
	p = ANY_BYTES(array, n);
	why = wsi_frame_decode(&f, p, n);
	why_not = wsi_frame_decode(&g, p, fewer);
	MUST(f.head <= n && (why == NULL || f.head == 0));
	MUST(why_not == NULL || why_not == why);
	MUST(g.head == (why == NULL && fewer >= f.head ? f.head : 0));
	if (f.head > 0) {
		MUST(f.len >> 63 == 0);
		MUST(!(f.b0 & 8) || ((f.b0 & WSI_FIN) && f.len <= WSI_CONTROL_MAX));
		MUST(wsi_frame_encode(out, f.b0, f.len, NULL) == f.head);
		ASSUME(k < f.head);
		MUST(out[k] == p[k]);
	}
}

/* Any frame that may be sent is read back from its header; a key is put behind it */
void check_encode(void)
{
	unsigned char out[WSI_FRAME_HEAD_MAX], masked[WSI_FRAME_HEAD_MAX], key[4], b0 = any_byte();
	uint64_t len = any_u64();
	size_t n, k = any_size();
	struct wsi_frame f;

	ASSUME(len >> 63 == 0 && (b0 & 7) <= 2);
	ASSUME(!(b0 & 8) || ((b0 & WSI_FIN) && len <= WSI_CONTROL_MAX));
	n = wsi_frame_encode(out, b0, len, NULL);
	MUST(wsi_frame_decode(&f, out, n) == NULL && f.head == n);
	MUST(f.len == len && f.b0 == b0);
	MUST(wsi_frame_encode(masked, b0, len, key) == n + 4);
	MUST(masked[1] == (out[1] | 0x80) && memcmp(masked + n, key, 4) == 0);
	ASSUME(k < n && k != 1);
	MUST(masked[k] == out[k]);
}

/* Each byte is masked with the byte of the key that RFC 6455 5.3 says, also in place, and no other
 * is touched */
void check_mask(void)
{
	size_t len = any_size(), k = any_size();
	unsigned char in_array[20], out_array[20], key[4], *in, *out, before;

	ASSUME(len <= sizeof in_array && k < len);
	in = ANY_BYTES(in_array, len);
	out = ANY_BYTES(out_array, len);
	before = in[k];
	wsi_mask(out, in, len, key);
	MUST(out[k] == (before ^ key[k % 4]) && in[k] == before);
	wsi_mask(in, in, len, key);
	MUST(in[k] == out[k]);
}
