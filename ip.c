/* SPDX-License-Identifier: ISC
 * ip.c - numeric addresses: RFC 4291 2.2 in, RFC 5952 out
 */
#include "ws_pure.h"

int wsi_ip_parse(unsigned char out[16], const char *s, size_t len)
{
	int at = 0, gap = 16, to = 16, dots = 0; /* at: bytes so far; gap: where "::" stands among them */
	char group[4] = {0};                     /* hexadecimal, or from the first '.' on decimal */
	unsigned n = 0;                          /* characters of it so far */
	size_t i = 0;

	if (len > 0 && s[0] == ':'
	    && (++i == len || s[1] != ':')) /* one ends no group: the other is that of an empty one */
		return 0;
	do {
		char c = i < len ? s[i] : '\0';
		int v;

		if (i < len && c != '.' && c != ':') {
			if (n == sizeof group)
				return 0;
			group[n++] = c;
			continue;
		}
		dots += c == '.';
		if (dots > 0 ? at > 15 || c == ':' : at > 14)
			return 0;
		if (n == 0 && c == ':' && gap == 16) {
			gap = at;
			if (i + 1 == len)
				break;
			continue;
		}
		v = wsi_digits(group, n, dots > 0 ? 255 : 0xffff, dots > 0 ? 10 : 16);
		if (v < 0 || (dots > 0 && n > 1 && group[0] == '0')) /* "010": 8 for some readers */
			return 0;
		if (dots == 0)
			out[at++] = (unsigned char)(v >> 8);
		out[at++] = (unsigned char)(v & 0xff);
		n = 0;
	} while (++i <= len);
	if (dots == 3 && at == 4 && gap == 16)
		return 4;
	if ((dots > 0 && dots != 3) || (at == 16) != (gap == 16)) /* "::" stands for one group at least */
		return 0;
	while (to > gap) /* what stands behind "::" belongs at the end */
		out[--to] = at > gap ? out[--at] : 0;
	return 16;
}

void wsi_put_ip(struct wsi_text *t, const unsigned char *addr, int len)
{
	int i, run = 0, best = 2, gap = 16; /* bytes: the run of zeros up to here, the longest one, where that begins */

	for (i = 0; len == 16 && i < 16; i += 2) {
		run = (addr[i] | addr[i + 1]) == 0 ? run + 2 : 0;
		if (run > best) { /* RFC 5952 4.2: the longest, of equals the first, of one group none */
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
