/* SPDX-License-Identifier: ISC
 * ip.c - numeric addresses: RFC 4291 2.2 in, RFC 5952 out
 */
#include "ws_pure.h"
#include <string.h>

/* Four decimal numbers. 1, or 0: it is something else */
static int ip_parse4(unsigned char *out, const char *s, size_t len)
{
	int i;

	for (i = 0; i < 4; i++) {
		size_t n = wsi_find(s, len, '.');
		int v = wsi_number(s, n, 255);

		if (v < 0 || (n > 1 && s[0] == '0')) /* "010" is 8 for some readers */
			return 0;
		out[i] = (unsigned char)v;
		if ((i == 3) != (n == len))
			return 0;
		if (n < len)
			n++;
		s += n;
		len -= n;
	}
	return 1;
}

/* The groups of an IPv6 address on one side of its "::", or all of them; the last may be an IPv4 address. How many bytes
 * they are, at most cap; -1: they are no such groups, or too many */
static int ip_parse_groups(unsigned char *out, int cap, const char *s, size_t len)
{
	int at = 0;

	while (len > 0) {
		size_t n = wsi_find(s, len, ':');
		int v;

		if (n == len && wsi_find(s, n, '.') < n)
			return at + 4 <= cap && ip_parse4(out + at, s, n) ? at + 4 : -1;
		v = n <= 4 ? wsi_digits(s, n, 0xffff, 16) : -1;
		if (v < 0 || at + 2 > cap || n + 1 == len) /* nothing stands behind a last ':' */
			return -1;
		out[at++] = (unsigned char)(v >> 8);
		out[at++] = (unsigned char)(v & 0xff);
		if (n < len)
			n++;
		s += n;
		len -= n;
	}
	return at;
}

int wsi_ip_parse(unsigned char out[16], const char *s, size_t len)
{
	unsigned char tail[16];
	size_t gap = 0; /* where "::" begins */
	int before, behind;

	if (wsi_find(s, len, ':') == len)
		return ip_parse4(out, s, len) ? 4 : 0;
	while (gap + 2 <= len && !(s[gap] == ':' && s[gap + 1] == ':'))
		gap++;
	if (gap + 2 > len)
		return ip_parse_groups(out, 16, s, len) == 16 ? 16 : 0;
	if (wsi_find(s, gap, '.') < gap) /* an IPv4 address stands at the end alone */
		return 0;
	/* "::" stands for one group of zeros at least */
	before = ip_parse_groups(out, 14, s, gap);
	if (before < 0)
		return 0;
	behind = ip_parse_groups(tail, 14 - before, s + gap + 2, len - gap - 2);
	if (behind < 0)
		return 0;
	memset(out + before, 0, (size_t)(16 - before - behind));
	memcpy(out + 16 - behind, tail, (size_t)behind);
	return 16;
}

void wsi_put_ip(struct wsi_text *t, const unsigned char *addr, int len)
{
	int i,
	    run = 0, best = 2,
	    gap = 16; /* bytes: the run of zeros up to here, the longest one, where that begins */

	for (i = 0; len == 16 && i < 16; i += 2) {
		run = (addr[i] | addr[i + 1]) == 0 ? run + 2 : 0;
		if (run
		    > best) { /* RFC 5952 4.2: the longest, of equals the first, of one group none */
			best = run;
			gap = i + 2 - run;
		}
	}
	if (gap == 0 && best == 10 && (addr[10] & addr[11]) == 0xff) { /* RFC 5952 section 5 */
		wsi_put(t, "::ffff:");
		addr += 12;
		len = 4;
		gap = 16;
	}
	for (i = 0; i < len; i++) {
		unsigned v = addr[i], base = 10;
		const char *between = ".";

		if (len == 16) {
			v = v << 8 | addr[++i];
			base = 16;
			between = ":";
		}
		if (i >= gap && i < gap + best) {
			if (i == gap + 1)
				wsi_put(t, "::");
			continue;
		}
		wsi_put_digits(t, v, base, 0);
		if (i + 1 < len && i + 1 != gap)
			wsi_put(t, between);
	}
}

int wsi_ip_in(const unsigned char *a, const unsigned char *b, unsigned bits)
{
	unsigned i;

	for (i = 0; i < bits; i++)
		if ((a[i / 8] ^ b[i / 8]) << i % 8 & 0x80)
			return 0;
	return 1;
}
