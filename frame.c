/* SPDX-License-Identifier: ISC
 * frame.c - RFC 6455 section 5: the header of a frame, the mask, and the codes of a close frame
 */
#include "ws_proto.h"
#include <string.h>

const char *wsi_frame_decode(struct wsi_frame *f, const unsigned char *p, size_t n)
{
	unsigned char h[10] = {WSI_FIN, 0,   127, 127, 127,
	                       127,     127, 127, 127, 127}; /* what is still to come is right */
	uint64_t len;
	unsigned head = 2, least = 126, i;

	if (n < sizeof h) {
		memcpy(h, p, n);
		p = h;
	}
	f->head = 0;        /* until all of it is there */
	if ((p[0] & 7) > 2) /* 3-7, 11-15 */
		return "a frame with a reserved opcode";
	if ((p[0] & (WSI_FIN | 8)) == 8) /* 5.5 */
		return "a fragmented control frame";
	if (p[1] & 0x80) /* 5.1 */
		return "a frame of the server is masked";
	len = p[1];
	if (len > WSI_CONTROL_MAX) {
		if (p[0] & 8) /* 5.5 */
			return "a control frame over 125 bytes";
		head = 4;
		if (len == 127) {
			head = 10;
			least = 65536;
		}
		for (len = 0, i = 2; i < head; i++)
			len = len << 8 | p[i];
		if (len < least || len >> 63 != 0) /* 5.2 */
			return "a frame whose length is over 2^63, or not in its shortest form";
	}
	if (n < head)
		return NULL;
	f->len = len;
	f->b0 = p[0];
	f->head = (unsigned char)head;
	return NULL;
}

size_t wsi_frame_encode(unsigned char out[WSI_FRAME_HEAD_MAX], unsigned char b0, uint64_t len,
                        const unsigned char *key)
{
	unsigned code = (unsigned)len, n = 2, i;

	if (len > 125) {
		code = 126;
		n = 4;
	}
	if (len > 65535) {
		code = 127;
		n = 10;
	}
	out[0] = b0;
	out[1] = (unsigned char)code;
	for (i = n; i > 2; len >>= 8)
		out[--i] = (unsigned char)len;
	if (key) {
		out[1] |= 0x80;
		memcpy(out + n, key, 4);
		n += 4;
	}
	return n;
}

void wsi_mask(void *dst, const void *src, size_t len, const unsigned char key[4])
{
	const unsigned char *s = src;
	unsigned char *d = dst;
	uint64_t key_word, word[2];
	size_t i;

	memcpy(&key_word, key, 4);
	memcpy((unsigned char *)&key_word + 4, key, 4);
	for (i = 0; i + 16 <= len; i += 16) {
		memcpy(word, s + i, 16);
		word[0] ^= key_word;
		word[1] ^= key_word;
		memcpy(d + i, word, 16);
	}
	for (; i < len; i++)
		d[i] = s[i] ^ key[i % 4];
}

int wsi_close_code_ok(unsigned code)
{
	return code >= 1000 && code <= 1014 ? code <= 1003 || code >= 1007
	                                    : code >= 3000 && code <= 4999;
}

const char *wsi_close_name(unsigned code)
{
	/* RFC 6455 7.4.1 and the registry of the IANA, from 1000 on and then from 3000 on */
	static const char names[] =
	    " (normal closure)\0 (going away)\0 (protocol error)\0 (unsupported data)\0\0"
	    " (no status received)\0 (abnormal closure)\0 (invalid payload data)\0"
	    " (policy violation)\0 (message too big)\0 (mandatory extension)\0 (internal error)\0"
	    " (service restart)\0 (try again later)\0 (bad gateway)\0 (TLS handshake)\0"
	    " (unauthorized)\0\0\0 (forbidden)\0\0\0\0\0 (timeout)";
	unsigned i;

	if (code >= 1000 && code <= 1015)
		i = code - 1000;
	else if (code >= 3000 && code <= 3008)
		i = code - 3000 + 16;
	else
		return "";
	return wsi_nth(names, i);
}
