/* SPDX-License-Identifier: ISC
 * ip.c - numeric addresses: reads the forms of RFC 4291 2.2, writes that of RFC 5952
 */
#include "ws_pure.h"
#include <string.h>

/* Four decimal numbers with points between them. */
static bool ip_parse4(unsigned char out[4], const char *s, size_t len)
{
	int i;

	for (i = 0; i < 4; i++) {
		size_t n = wsi_find(s, len, '.');
		int v = wsi_number(s, n, 255);
		bool is_last = n == len;

		if (v < 0 || is_last != (i == 3))
			return false;
		if (n > 1 && s[0] == '0') /* some readers take "010" for 8 */
			return false;
		out[i] = (unsigned char)v;
		if (!is_last)
			n++;
		s += n;
		len -= n;
	}
	return true;
}

/* One to four hexadecimal digits; -1 for anything else. */
static int ip_parse_group(const char *s, size_t len)
{
	if (len > 4)
		return -1;
	return wsi_digits(s, len, 0xffff, 16);
}

/* Up to eight groups. The last two may be written as an IPv4 address, and one "::" stands for one
 * or more groups of zeros. At the head of the loop a group begins at s[at], and out[0..used) holds
 * the groups before it. */
static bool ip_parse6(unsigned char out[WSI_IP_MAX], const char *s, size_t len)
{
	size_t at = 0, used = 0;
	size_t gap = 0; /* the "::" was before out[gap] */
	bool has_gap = false;

	if (len >= 2 && s[0] == ':' && s[1] == ':') {
		has_gap = true;
		at = 2;
	}
	while (at < len) {
		size_t n = wsi_find(s + at, len - at, ':');
		int group;

		if (at + n == len && wsi_find(s + at, n, '.') < n) {
			if (used + 4 > 16 || !ip_parse4(out + used, s + at, n))
				return false;
			used += 4;
			break;
		}
		group = ip_parse_group(s + at, n);
		if (group < 0 || used + 2 > 16)
			return false;
		out[used++] = (unsigned char)(group >> 8);
		out[used++] = (unsigned char)(group & 0xff);
		at += n;
		if (at == len)
			break;
		at++;
		if (at == len) /* a single ':' at the end */
			return false;
		if (s[at] == ':') {
			if (has_gap)
				return false;
			has_gap = true;
			gap = used;
			at++;
		}
	}
	if (!has_gap)
		return used == 16;
	if (used > 14)
		return false;
	memmove(out + 16 - (used - gap), out + gap, used - gap);
	memset(out + gap, 0, 16 - used);
	return true;
}

int wsi_ip_parse(unsigned char out[WSI_IP_MAX], const char *s, size_t len)
{
	if (wsi_find(s, len, ':') < len)
		return ip_parse6(out, s, len) ? 16 : 0;
	return ip_parse4(out, s, len) ? 4 : 0;
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

/* RFC 5952 4.2: "::" stands for the longest run of zero groups, for the first of several, and for
 * no single group. */
static void ip_find_zeros(const unsigned char *addr, int *first, int *count)
{
	int group, run = 0;

	*first = 8;
	*count = 1;
	for (group = 0; group < 8; group++) {
		if (addr[2 * group] != 0 || addr[2 * group + 1] != 0) {
			run = 0;
			continue;
		}
		run++;
		if (run > *count) {
			*count = run;
			*first = group + 1 - run;
		}
	}
}

static void ip_put6(struct wsi_text *t, const unsigned char *addr)
{
	int group = 0, first, count;

	ip_find_zeros(addr, &first, &count);
	while (group < 8) {
		if (group == first) {
			wsi_put(t, "::");
			group += count;
			continue;
		}
		if (group > 0 && group != first + count)
			wsi_put_c(t, ':');
		wsi_put_digits(t, (unsigned)addr[2 * group] << 8 | addr[2 * group + 1], 16, 0);
		group++;
	}
}

void wsi_put_ip(struct wsi_text *t, const unsigned char *addr, int len)
{
	/* RFC 5952 section 5: an IPv4 address within an IPv6 one */
	static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

	if (len == 4) {
		ip_put4(t, addr);
	} else if (memcmp(addr, mapped, sizeof mapped) == 0) {
		wsi_put(t, "::ffff:");
		ip_put4(t, addr + sizeof mapped);
	} else {
		ip_put6(t, addr);
	}
}

bool wsi_ip_in(const unsigned char *a, const unsigned char *b, unsigned bits)
{
	unsigned bytes = bits / 8, rest = bits % 8;

	if (memcmp(a, b, bytes) != 0)
		return false;
	if (rest == 0)
		return true;
	return (a[bytes] ^ b[bytes]) >> (8 - rest) == 0;
}
