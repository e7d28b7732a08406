/* SPDX-License-Identifier: ISC
 * frame.c - RFC 6455 section 5: the header of a frame, the mask, and the codes of a close frame
 */
#include "ws_bytes.h"
#include <string.h>

static int frame_bad(const char **why, const char *what)
{
	*why = what;
	return -1;
}

int wsi_frame_decode(struct wsi_frame *f, const unsigned char *p, size_t n, const char **why)
{
	size_t i, more, head;
	uint64_t len = 0;
	int control;

	if (n < 1)
		return 0;
	control = (p[0] & 8) != 0;
	if ((p[0] & 7) > 2) /* 3-7, 11-15 */
		return frame_bad(why, "a frame with a reserved opcode");
	if (control && !(p[0] & WSI_FIN)) /* 5.5 */
		return frame_bad(why, "a fragmented control frame");
	if (n < 2)
		return 0;
	len = p[1] & 0x7f;
	if (control && len > WSI_CONTROL_MAX) /* 5.5 */
		return frame_bad(why, "a control frame over 125 bytes");

	more = len < 126 ? 0 : len == 126 ? 2 : 8;
	head = 2 + more;
	if (more > 0) {
		len = 0;
		for (i = 2; i < head && i < n; i++)
			len = len << 8 | p[i];
		/* 5.2: the shortest form is the only one. It shows with the byte before which all others are 0 */
		if (more == 2 ? i == 4 && len < 126 : i >= 8 && len >> 8 * (i - 8) == 0)
			return frame_bad(why, "a frame whose length is not in its shortest form");
		if (more == 8 && i > 2 && (p[2] & 0x80)) /* 5.2 */
			return frame_bad(why, "a frame with a length over 2^63");
	}

	if (p[1] & 0x80)
		head += 4;
	if (n < head)
		return 0;
	f->len = len;
	f->b0 = p[0];
	f->masked = p[1] >> 7;
	memset(f->key, 0, 4);
	if (f->masked)
		memcpy(f->key, p + head - 4, 4);
	return (int)head;
}

size_t wsi_frame_encode(unsigned char out[WSI_FRAME_HEAD_MAX], unsigned char b0, uint64_t len, const unsigned char *key)
{
	size_t n = 2, more = len < 126 ? 0 : len < 65536 ? 2 : 8;

	out[0] = b0;
	out[1] = (unsigned char)(more == 0 ? len : more == 2 ? 126 : 127);
	for (; more > 0; more--)
		out[n++] = (unsigned char)(len >> 8 * (more - 1));
	if (key) {
		out[1] |= 0x80;
		memcpy(out + n, key, 4);
		n += 4;
	}
	return n;
}

void wsi_mask(void *dst, const void *src, size_t len, const unsigned char key[4], uint64_t offset)
{
	const unsigned char *s = src;
	unsigned char *d = dst, k[8];
	uint64_t key_word, word[2];
	size_t i;

	for (i = 0; i < 4; i++)
		k[i] = k[i + 4] = key[(offset + i) % 4];
	memcpy(&key_word, k, 8);
	for (i = 0; i + 16 <= len; i += 16) {
		memcpy(word, s + i, 16);
		word[0] ^= key_word;
		word[1] ^= key_word;
		memcpy(d + i, word, 16);
	}
	for (; i < len; i++)
		d[i] = s[i] ^ k[i % 4];
}

int wsi_close_code_ok(unsigned code)
{
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

const char *wsi_close_name(unsigned code)
{
	/* RFC 6455 7.4.1 and the registry of the IANA, from 1000 on and then from 3000 on */
	const char *name = "normal closure\0going away\0protocol error\0unsupported data\0\0no status received\0"
	                   "abnormal closure\0invalid payload data\0policy violation\0message too big\0"
	                   "mandatory extension\0internal error\0service restart\0try again later\0bad gateway\0"
	                   "TLS handshake\0unauthorized\0\0\0forbidden\0\0\0\0\0timeout";
	unsigned i;

	if (code >= 1000 && code <= 1015)
		i = code - 1000;
	else if (code >= 3000 && code <= 3008)
		i = code - 3000 + 16;
	else
		return "";
	for (; i > 0; i--)
		name += wsi_strlen(name) + 1;
	return name;
}
