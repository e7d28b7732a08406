/* SPDX-License-Identifier: ISC
 * frame.c - WebSocket frames (RFC 6455 section 5): their header, the mask, and the codes of close
 * frames
 */
#include "ws.h"
#include "ws_proto.h"
#include <string.h>

#define FRAME_MASKED 0x80   /* in the second byte */
#define FRAME_LENGTH_16 126 /* the second byte says: the length follows in two bytes */
#define FRAME_LENGTH_64 127 /* likewise, in eight */

static bool frame_is_reserved(unsigned opcode)
{
	return (opcode > WSI_BINARY && opcode < WSI_CLOSE) || opcode > WSI_PONG;
}

/* A number of several bytes, the highest first */
static uint64_t frame_number(const unsigned char *p, unsigned bytes)
{
	uint64_t v = 0;
	unsigned i;

	/*@ loop invariant i <= bytes && v == number(p, i) && v < power(i);
	    loop assigns i, v;
	    loop variant bytes - i; */
	for (i = 0; i < bytes; i++)
		v = v * 256 + p[i];
	return v;
}

/* RFC 6455 5.2: an extended length must need its bytes, and its top bit is 0. p[0..n) is what there
 * is of a header of head bytes; a fault is seen as soon as its bytes are there. */
static bool frame_length_is_wrong(const unsigned char *p, size_t n, unsigned head)
{
	if (head == 4)
		return n >= 4 && frame_number(p + 2, 2) < FRAME_LENGTH_16;
	if (n >= 3 && p[2] >> 7 != 0)
		return true;
	return n >= 8 && frame_number(p + 2, 6) == 0;
}

const char *wsi_frame_decode(struct wsi_frame *f, const unsigned char *p, size_t n)
{
	unsigned head = 2;
	bool control;

	f->head = 0; /* until the header is whole */
	if (n < 1)
		return NULL;
	control = (p[0] & WSI_CONTROL_BIT) != 0;
	if (frame_is_reserved(p[0] & WSI_OPCODE))
		return "a frame with a reserved opcode";
	if (control && !(p[0] & WSI_FIN)) /* 5.5 */
		return "a fragmented control frame";
	if (n < 2)
		return NULL;
	if (p[1] & FRAME_MASKED) /* 5.1 */
		return "a frame of the server is masked";
	if (control && p[1] > WSI_CONTROL_MAX) /* 5.5 */
		return "a control frame over 125 bytes";
	if (p[1] == FRAME_LENGTH_16)
		head = 4;
	if (p[1] == FRAME_LENGTH_64)
		head = 10;
	if (head > 2 && frame_length_is_wrong(p, n, head))
		return "a frame whose length is over 2^63, or not in its shortest form";
	if (n < head)
		return NULL;
	f->len = p[1];
	if (head > 2)
		f->len = frame_number(p + 2, head - 2);
	f->b0 = p[0];
	f->head = (unsigned char)head;
	return NULL;
}

size_t wsi_frame_encode(unsigned char out[WSI_FRAME_HEAD_MAX], unsigned char b0, uint64_t len,
                        const unsigned char *key)
{
	unsigned head = 2, i;

	out[0] = b0;
	if (len > 65535) {
		out[1] = FRAME_LENGTH_64;
		head = 10;
	} else if (len >= FRAME_LENGTH_16) {
		out[1] = FRAME_LENGTH_16;
		head = 4;
	} else {
		out[1] = (unsigned char)len;
	}
	/*@ loop invariant 2 <= i <= head;
	    loop invariant is_split(out, i, head, len, \at(len, Pre));
	    loop assigns i, len, out[2 .. head - 1];
	    loop variant i; */
	for (i = head; i > 2; i--) { /* from the last byte of the length to the first */
		out[i - 1] = (unsigned char)(len % 256);
		len /= 256;
	}
	if (key) {
		out[1] |= FRAME_MASKED;
		memcpy(out + head, key, 4);
		head += 4;
	}
	return head;
}

/* Masks the 16 bytes from src[at] on, as two words, which is faster than one by one. The key is there
 * twice. */
static void mask_block(unsigned char *dst, const unsigned char *src, size_t at,
                       const unsigned char key[8])
{
	uint64_t key_word, word[2];

	memcpy(&key_word, key, 8);
	memcpy(word, src + at, 16);
	word[0] ^= key_word;
	word[1] ^= key_word;
	memcpy(dst + at, word, 16);
}

void wsi_mask(void *dst, const void *src, size_t len, const unsigned char key[4])
{
	const unsigned char *s = src;
	unsigned char *d = dst, twice[8];
	size_t i;

	memcpy(twice, key, 4);
	memcpy(twice + 4, key, 4);
	/*@ loop invariant i <= len && i % 16 == 0;
	    loop invariant is_transformed{Pre, Here}(d, s, key, 0, i);
	    loop invariant is_kept{Pre, Here}(s, i, len);
	    loop assigns i, d[0 .. len - 1];
	    loop variant len - i; */
	for (i = 0; i + 16 <= len; i += 16)
		mask_block(d, s, i, twice);
	/*@ loop invariant i <= len;
	    loop invariant is_transformed{Pre, Here}(d, s, key, 0, i);
	    loop invariant is_kept{Pre, Here}(s, i, len);
	    loop assigns i, d[0 .. len - 1];
	    loop variant len - i; */
	for (; i < len; i++)
		d[i] = s[i] ^ key[i % 4];
}

bool wsi_close_code_ok(unsigned code)
{
	if (code >= 3000 && code <= 4999) /* of libraries and programs */
		return true;
	if (code == 1004 || code == 1005
	    || code == 1006) /* reserved; these say that no code came */
		return false;
	return code >= 1000 && code <= 1014;
}

const char *wsi_close_name(unsigned code)
{
	switch (code) {
	case WS_CLOSE_NORMAL:
		return "normal closure";
	case WS_CLOSE_GOING_AWAY:
		return "going away";
	case WS_CLOSE_PROTOCOL_ERROR:
		return "protocol error";
	case WS_CLOSE_UNSUPPORTED_DATA:
		return "unsupported data";
	case WS_CLOSE_NO_STATUS:
		return "no status received";
	case WS_CLOSE_ABNORMAL:
		return "abnormal closure";
	case WS_CLOSE_INVALID_PAYLOAD:
		return "invalid payload data";
	case WS_CLOSE_POLICY_VIOLATION:
		return "policy violation";
	case WS_CLOSE_TOO_BIG:
		return "message too big";
	case WS_CLOSE_MANDATORY_EXTENSION:
		return "mandatory extension";
	case WS_CLOSE_INTERNAL_ERROR:
		return "internal error";
	case WS_CLOSE_SERVICE_RESTART:
		return "service restart";
	case WS_CLOSE_TRY_AGAIN_LATER:
		return "try again later";
	case WS_CLOSE_BAD_GATEWAY:
		return "bad gateway";
	case WS_CLOSE_TLS_HANDSHAKE:
		return "TLS handshake";
	case WS_CLOSE_UNAUTHORIZED:
		return "unauthorized";
	case WS_CLOSE_FORBIDDEN:
		return "forbidden";
	case WS_CLOSE_TIMEOUT:
		return "timeout";
	default:
		return "";
	}
}

void wsi_put_close_code(struct wsi_text *t, unsigned code)
{
	const char *name = wsi_close_name(code);

	wsi_put_u(t, code);
	if (!*name)
		return;
	wsi_put(t, " (");
	wsi_put(t, name);
	wsi_put(t, ")");
}
