/* SPDX-License-Identifier: ISC
 * test_ip.c - ip.c: what is an address and what is not, RFC 5952's forms, and libc's opinion
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "ws_pure.h"
#include "check.h"
#include "random.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>

/* From memory of exactly its size */
static int parse(unsigned char out[16], const char *s, size_t len)
{
	char *exact = malloc(len);
	int n;

	if (len > 0)
		memcpy(exact, s, len);
	n = wsi_ip_parse(out, exact, len);
	free(exact);
	return n;
}

static void put(char *buf, size_t cap, const unsigned char *addr, int len)
{
	unsigned char room[18] = {0}; /* to check that zeros after the address do not count */
	struct wsi_text t;

	memcpy(room, addr, (size_t)len);
	wsi_text_init(&t, buf, cap);
	wsi_put_ip(&t, room, len);
}

static const struct {
	const char *in;
	int len;
	const char *out;
} good[] = {
    {"0.0.0.0", 4, "0.0.0.0"},
    {"127.0.0.1", 4, "127.0.0.1"},
    {"255.255.255.255", 4, "255.255.255.255"},
    {"10.20.30.40", 4, "10.20.30.40"},
    {"1.2.3.4", 4, "1.2.3.4"},
    /* RFC 4291 2.2 */
    {"ABCD:EF01:2345:6789:ABCD:EF01:2345:6789", 16, "abcd:ef01:2345:6789:abcd:ef01:2345:6789"},
    {"2001:DB8:0:0:8:800:200C:417A", 16, "2001:db8::8:800:200c:417a"},
    {"FF01:0:0:0:0:0:0:101", 16, "ff01::101"},
    {"0:0:0:0:0:0:0:1", 16, "::1"},
    {"0:0:0:0:0:0:0:0", 16, "::"},
    {"2001:DB8::8:800:200C:417A", 16, "2001:db8::8:800:200c:417a"},
    {"FF01::101", 16, "ff01::101"},
    {"::1", 16, "::1"},
    {"::", 16, "::"},
    {"0:0:0:0:0:0:13.1.68.3", 16, "::d01:4403"},
    {"0:0:0:0:0:FFFF:129.144.52.38", 16, "::ffff:129.144.52.38"},
    {"::13.1.68.3", 16, "::d01:4403"},
    {"::FFFF:129.144.52.38", 16, "::ffff:129.144.52.38"},
    {"64:ff9b::192.0.2.33", 16, "64:ff9b::c000:221"},
    {"1:2:3:4:5:6:7.8.9.10", 16, "1:2:3:4:5:6:708:90a"},
    {"1::7.8.9.10", 16, "1::708:90a"},
    {"1:2:3:4:5::7.8.9.10", 16, "1:2:3:4:5:0:708:90a"},
    /* RFC 5952 1, 2, 4 */
    {"2001:db8:0:0:1:0:0:1", 16, "2001:db8::1:0:0:1"},
    {"2001:0db8:0:0:1:0:0:1", 16, "2001:db8::1:0:0:1"},
    {"2001:db8::1:0:0:1", 16, "2001:db8::1:0:0:1"},
    {"2001:db8:0000:0:1::1", 16, "2001:db8::1:0:0:1"},
    {"2001:DB8:0:0:1::1", 16, "2001:db8::1:0:0:1"},
    {"2001:db8:aaaa:bbbb:cccc:dddd:eeee:0001", 16, "2001:db8:aaaa:bbbb:cccc:dddd:eeee:1"},
    {"2001:db8:0:0:0:0:2:1", 16, "2001:db8::2:1"},
    {"2001:db8:0:1:1:1:1:1", 16, "2001:db8:0:1:1:1:1:1"},
    {"2001:0:0:1:0:0:0:1", 16, "2001:0:0:1::1"},
    {"2001:db8::0:1", 16, "2001:db8::1"},
    {"::1.2.3.4", 16, "::102:304"},
    /* where "::" may stand */
    {"1::", 16, "1::"},
    {"1:2:3:4:5:6::", 16, "1:2:3:4:5:6::"},
    {"1:2:3:4:5:6:7::", 16, "1:2:3:4:5:6:7:0"},
    {"::2:3:4:5:6:7:8", 16, "0:2:3:4:5:6:7:8"},
    {"1::3:4:5:6:7:8", 16, "1:0:3:4:5:6:7:8"},
    {"0:0:1:0:0:0:0:0", 16, "0:0:1::"},
    {"0:0:0:0:1:0:0:0", 16, "::1:0:0:0"},
    {"0:0:0:1:0:0:0:0", 16, "0:0:0:1::"},
    {"0:1:0:1:0:1:0:1", 16, "0:1:0:1:0:1:0:1"},
    {"1:0:0:2:0:0:3:4", 16, "1::2:0:0:3:4"},
    {"0:0:0:0:0:fffe:1:2", 16, "::fffe:1:2"},
    {"0:0:0:0:1:ffff:1:2", 16, "::1:ffff:1:2"},
};

static const char *const bad[] = {
    "", ".", ":", ":::", "::::", "localhost", "a", "1", "1.2.3", "1.2.3.", ".1.2.3", "1.2.3.4.",
    "1.2.3.4.5", "1..3.4", "256.1.1.1", "1.1.1.256", "1.2.3.999", "1.2.3.1000", "01.2.3.4",
    "1.2.3.04", "00.0.0.0", "0x7f.0.0.1", "1.2.3.a", "1.2.3.4 ", " 1.2.3.4", "1.2.3.4:80",
    "+1.2.3.4", "-1.2.3.4", "1,2,3,4", "2130706433", "127.1",
    /* wrong groups: too few, too many, too long, not hexadecimal */
    "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::", "::12345", "::0001f", "g::", "::g",
    "1:2:3:4:5:6:7:8:", ":1:2:3:4:5:6:7:8", "1:", ":1", "1:2", "1::2:", ":1::2",
    /* "::" twice, or where no group is missing */
    "::1::", "1::2::3", "1:::2", ":::1", "1:::", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8",
    "1:2:3:4::5:6:7:8",
    /* wrong IPv4 part: not last, too early, too late, not an address */
    "1.2.3.4::", "::1.2.3.4:5", "1:2:3:4:5:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4",
    "1:2:3:4:5:6::7:1.2.3.4", "::1.2.3", "::1.2.3.4.5", "::256.1.1.1", "::01.2.3.4", "::1.2.3.4.",
    "::.1.2.3", "::1a.2.3.4", "::ffff:1.2.3.4/96", "1:2:3:4:5:6:1.2.3.4::",
    /* zones, brackets, prefixes and spaces are not accepted */
    "fe80::1%eth0", "fe80::1%", "[::1]", "::1/128", " ::1", "::1 ", "::\n", ":: 1"};

static void test_tables(void)
{
	size_t i, k;

	for (i = 0; i < sizeof good / sizeof *good; i++) {
		unsigned char addr[16], other[16];
		char buf[64];
		int n = parse(addr, good[i].in, strlen(good[i].in));

		check_row("%s", good[i].in);
		if (!CHECK(n == good[i].len))
			continue;
		put(buf, sizeof buf, addr, n);
		CHECK_EQ_S(buf, good[i].out);
		CHECK(inet_pton(n == 4 ? AF_INET : AF_INET6, good[i].in, other) == 1);
		CHECK_EQ_MEM(addr, (size_t)n, other, (size_t)n);
		/* Room for all but the final NUL, or less */
		for (k = 1; k <= strlen(good[i].out); k++) {
			struct wsi_text t;

			wsi_text_init(&t, buf, k);
			wsi_put_ip(&t, addr, n);
			CHECK(t.cut && memcmp(buf, good[i].out, k - 1) == 0 && buf[k - 1] == '\0');
		}
	}
	check_row_end();
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		unsigned char addr[16];

		check_row("\"%s\"", bad[i]);
		if (!CHECK(parse(addr, bad[i], strlen(bad[i])) == 0))
			fprintf(stderr, "\t\"%s\"\n", bad[i]);
	}
	check_row_end();
	{
		unsigned char addr[16];

		CHECK(parse(addr, "1.2.3.4\0", 8) == 0);
		CHECK(parse(addr, "::1\0", 4) == 0);
		CHECK(parse(addr, "::12", 3) == 16 && addr[15] == 1); /* len counts */
	}
}

/* Random addresses with many zeros: we read what libc printed, and libc reads what we printed */
static void test_libc(void)
{
	const unsigned long step = (unsigned long)check_step(10);
	unsigned long round, wrong = 0, i;

	for (round = 0; round < 50000 / step; round++) {
		unsigned char addr[16], back[16];
		int len = round % 4 == 0 ? 4 : 16, family = len == 4 ? AF_INET : AF_INET6;
		char ours[64], theirs[64];

		for (i = 0; i < 16; i++)
			addr[i] = (unsigned char)(below(3) == 0   ? below(256)
			                          : below(8) == 0 ? 0xff
			                                          : 0);
		put(ours, sizeof ours, addr, len);
		wrong += inet_pton(family, ours, back) != 1 || memcmp(addr, back, (size_t)len) != 0;
		wrong +=
		    parse(back, ours, strlen(ours)) != len || memcmp(addr, back, (size_t)len) != 0;
		inet_ntop(family, addr, theirs, sizeof theirs);
		wrong += parse(back, theirs, strlen(theirs)) != len
		         || memcmp(addr, back, (size_t)len) != 0;
	}
	CHECK_EQ_U(wrong, 0);

#ifdef __GLIBC__ /* other C libraries are less strict */
	{
		static const char chars[] = "0012:::..9afF";
		unsigned long is = 0, is_not = 0;

		for (round = 0; round < 300000 / step; round++) {
			char s[24];
			unsigned char ours[16], theirs[16];
			size_t len = 1 + below(sizeof s - 2);
			int n, want;

			if (round % 2 == 0) { /* a valid address, changed in one place */
				const char *from = good[below(sizeof good / sizeof *good)].in;

				len = strlen(from) < sizeof s ? strlen(from) : sizeof s - 1;
				memcpy(s, from, len);
				s[below((unsigned)len)] = chars[below(sizeof chars - 1)];
			} else {
				for (i = 0; i < len; i++)
					s[i] = chars[below(sizeof chars - 1)];
			}
			s[len] = '\0';
			want = inet_pton(AF_INET, s, theirs) == 1    ? 4
			       : inet_pton(AF_INET6, s, theirs) == 1 ? 16
			                                             : 0;
			n = parse(ours, s, len);
			if (n != want || memcmp(ours, theirs, (size_t)n) != 0) {
				if (wrong++ == 0)
					fprintf(stderr, "\t\"%s\": %d, inet_pton %d\n", s, n, want);
			}
			*(want ? &is : &is_not) += 1;
		}
		CHECK_EQ_U(wrong, 0);
		CHECK(is > 1000 && is_not > 1000);
	}
#endif
}

static void test_in(void)
{
	static const struct {
		const char *a, *b;
		unsigned bits;
		int in;
	} nets[] = {
	    {"10.1.2.3", "10.0.0.0", 8, 1},
	    {"11.1.2.3", "10.0.0.0", 8, 0},
	    {"10.1.2.3", "99.0.0.0", 0, 1},
	    {"192.168.127.255", "192.168.0.0", 17, 1},
	    {"192.168.128.0", "192.168.0.0", 17, 0},
	    {"1.2.3.4", "1.2.3.4", 32, 1},
	    {"1.2.3.5", "1.2.3.4", 32, 0},
	    {"1.2.3.5", "1.2.3.4", 31, 1},
	    {"fe80::1", "fe80::", 10, 1},
	    {"febf::1", "fe80::", 10, 1},
	    {"fec0::1", "fe80::", 10, 0},
	    {"2001:db8::1", "2001:db8::", 32, 1},
	    {"::1", "::1", 128, 1},
	    {"::2", "::1", 128, 0},
	    {"::3", "::2", 127, 1},
	    {"::1", "ff::", 0, 1},
	};
	size_t i;
	unsigned bits, bit, wrong = 0;
	unsigned char a[16] = {0}, b[16] = {0};

	for (i = 0; i < sizeof nets / sizeof *nets; i++) {
		int len = parse(a, nets[i].a, strlen(nets[i].a));

		check_row("%s in %s/%u", nets[i].a, nets[i].b, nets[i].bits);
		CHECK_EQ_U(parse(b, nets[i].b, strlen(nets[i].b)), len);
		CHECK_EQ_U(wsi_ip_in(a, b, nets[i].bits), nets[i].in);
	}
	check_row_end();
	/* One bit differs: within the prefix or after it */
	for (bit = 0; bit < 128; bit++) {
		memcpy(b, a, 16);
		b[bit / 8] ^= (unsigned char)(0x80 >> bit % 8);
		for (bits = 0; bits <= 128; bits++)
			wrong += wsi_ip_in(a, b, bits) != (bit >= bits);
	}
	CHECK_EQ_U(wrong, 0);
}

int main(void)
{
	TEST(test_tables);
	TEST(test_libc);
	TEST(test_in);
	return check_done();
}
