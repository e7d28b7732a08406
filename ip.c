/* SPDX-License-Identifier: ISC
 * ip.c - numeric addresses: RFC 4291 2.2 in, RFC 5952 out
 */
#include "ws_pure.h"
#include <string.h>

static int ip_parse4(unsigned char out[4], const char *s, size_t len)
{
	size_t i = 0;
	int part;

	for (part = 0; part < 4; part++) {
		size_t begin = i;
		unsigned v = 0;

		for (; i < len && i < begin + 3 && s[i] >= '0' && s[i] <= '9'; i++)
			v = v * 10 + (unsigned)(s[i] - '0');
		if (i == begin || v > 255 || (s[begin] == '0' && i > begin + 1)) /* "010": 8 for some readers */
			return 0;
		out[part] = (unsigned char)v;
		if (part < 3 && (i >= len || s[i++] != '.'))
			return 0;
	}
	return i == len ? 4 : 0;
}

static int ip_hex(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = wsi_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int ip_parse6(unsigned char out[16], const char *s, size_t len)
{
	size_t i = 0, n = 0, gap = 17; /* bytes so far, and where "::" stands among them */

	if (len >= 2 && s[0] == ':' && s[1] == ':') {
		gap = 0;
		i = 2;
	}
	while (i < len) {
		size_t begin = i;
		unsigned v = 0;

		for (; i < len && i < begin + 4 && ip_hex(s[i]) >= 0; i++)
			v = v * 16 + (unsigned)ip_hex(s[i]);
		if (i < len && s[i] == '.') { /* the last 32 bits as IPv4 */
			if (n + 4 > 16 || ip_parse4(out + n, s + begin, len - begin) == 0)
				return 0;
			n += 4;
			break;
		}
		if (i == begin || n + 2 > 16)
			return 0;
		out[n++] = (unsigned char)(v >> 8);
		out[n++] = (unsigned char)(v & 0xff);
		if (i == len)
			break;
		if (s[i++] != ':' || i == len)
			return 0;
		if (s[i] == ':') {
			if (gap <= 16)
				return 0;
			gap = n;
			i++;
		}
	}
	if (gap > 16)
		return n == 16 ? 16 : 0;
	if (n == 16) /* "::" stands for one group at least */
		return 0;
	for (i = 16; n > gap;) /* what stands behind "::" belongs at the end */
		out[--i] = out[--n];
	while (i > gap)
		out[--i] = 0;
	return 16;
}

int wsi_ip_parse(unsigned char out[16], const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (s[i] == ':')
			return ip_parse6(out, s, len);
	return ip_parse4(out, s, len);
}

static void ip_put4(struct wsi_text *t, const unsigned char *addr)
{
	int i;

	for (i = 0; i < 4; i++) {
		if (i > 0)
			wsi_put_c(t, '.');
		wsi_put_u(t, addr[i]);
	}
}

static void ip_put_hex(struct wsi_text *t, unsigned v)
{
	int shift = 12;

	while (shift > 0 && v >> shift == 0)
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		wsi_put_c(t, "0123456789abcdef"[v >> shift & 15]);
}

void wsi_put_ip(struct wsi_text *t, const unsigned char *addr, int len)
{
	static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	int i, run = 0, best = 2, gap = -2; /* bytes: the run of zeros up to here, the longest one, where that begins */

	if (len == 4) {
		ip_put4(t, addr);
		return;
	}
	if (memcmp(addr, mapped, sizeof mapped) == 0) { /* RFC 5952 section 5 */
		wsi_put(t, "::ffff:");
		ip_put4(t, addr + 12);
		return;
	}
	for (i = 0; i < 16; i += 2) {
		run = addr[i] == 0 && addr[i + 1] == 0 ? run + 2 : 0;
		if (run > best) { /* RFC 5952 4.2: the longest, of equals the first, of one group none */
			best = run;
			gap = i + 2 - run;
		}
	}
	for (i = 0; i < 16; i += 2) {
		if (i == gap) {
			wsi_put(t, "::");
			i += best - 2;
			continue;
		}
		if (i > 0 && i != gap + best)
			wsi_put_c(t, ':');
		ip_put_hex(t, (unsigned)addr[i] << 8 | addr[i + 1]);
	}
}

int wsi_ip_in(const unsigned char *a, const unsigned char *b, int len, unsigned bits)
{
	unsigned whole = bits / 8;

	if (whole >= (unsigned)len)
		return memcmp(a, b, (size_t)len) == 0;
	return memcmp(a, b, whole) == 0 && ((a[whole] ^ b[whole]) & (0xff00 >> bits % 8) & 0xff) == 0;
}
