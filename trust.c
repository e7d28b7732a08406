/* SPDX-License-Identifier: ISC
 * trust.c - layer 2: certificates in files and directories, PEM or DER, in pieces of a small buffer; knows no TLS
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "ws_world.h"

#ifdef WS_WITH_MBEDTLS /* else nobody asks */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRUST_DER_MAX 8192           /* one certificate */
#define TRUST_MAX (16 * 1024 * 1024) /* all that is read of a file, or of the files of a directory */
#define TRUST_WAIT_US 1000000        /* for a pipe to be written to, in all */

enum trust_mode { TRUST_TEXT, TRUST_BASE64, TRUST_DER };

struct trust_scan {
	struct wsi_trust *t;
	enum trust_mode mode;
	uint32_t bits;
	int bits_n;
	size_t line_len, der_len;
	size_t left;   /* of TRUST_MAX */
	int64_t until; /* a pipe is waited for */
	char line[32];
	unsigned char der[TRUST_DER_MAX + 1]; /* one more than allowed: too long */
	unsigned char buf[4096];
};

/* open(2) that never blocks, also where the path is a FIFO */
static int trust_open(int dir, const char *path)
{
	return openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

/* read(2); a pipe has until until_us to be written to */
static ptrdiff_t trust_read(int fd, void *buf, size_t len, int64_t until_us)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int64_t wait;
	ssize_t n;

	for (;;) {
		n = read(fd, buf, len);
		if (n >= 0 || (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK))
			return n;
		wait = until_us - wsi_clock_us();
		if (wait <= 0)
			return -1;
		poll(&p, 1, (int)(wait / 1000) + 1);
	}
}

/* More into buf, within the limits of s */
static ptrdiff_t trust_more(struct trust_scan *s, int fd)
{
	ptrdiff_t n = trust_read(fd, s->buf, sizeof s->buf < s->left ? sizeof s->buf : s->left, s->until);

	if (n > 0)
		s->left -= (size_t)n;
	return n;
}

static void trust_take(struct trust_scan *s)
{
	s->t->seen++;
	if (s->der_len <= TRUST_DER_MAX)
		s->t->stop |= s->t->take(s->t->ctx, s->der, s->der_len);
	s->der_len = 0;
}

/* Base64 up to its '-' or the end of p[0..n): how much of it that was. What is no base64 is skipped (ends of lines,
 * padding): whoever takes the certificate will see if it is one. */
static size_t trust_base64(struct trust_scan *s, const unsigned char *p, size_t n)
{
	static const unsigned char values[] = {
	    /* from '+' to 'z'; 64: none */
	    62, 64, 64, 64, 63, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 64, 64, 64, 64, 64, 64, 64, 0,  1,  2,  3,  4,
	    5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 64, 64, 64, 64, 64, 64,
	    26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51};
	uint32_t bits = s->bits;
	int bits_n = s->bits_n;
	size_t i, len = s->der_len;

	for (i = 0; i < n && p[i] != '-'; i++) {
		if (p[i] < '+' || p[i] > 'z' || values[p[i] - '+'] == 64)
			continue;
		bits = bits << 6 | values[p[i] - '+'];
		bits_n += 6;
		if (bits_n >= 8) {
			bits_n -= 8;
			if (len <= TRUST_DER_MAX)
				s->der[len++] = (unsigned char)(bits >> bits_n);
		}
	}
	s->bits = bits;
	s->bits_n = bits_n;
	s->der_len = len;
	return i;
}

/* RFC 7468 */
static void trust_pem(struct trust_scan *s, size_t n)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----";
	size_t i;

	for (i = 0; i < n && !s->t->stop; i++) {
		if (s->mode == TRUST_BASE64) {
			i += trust_base64(s, s->buf + i, n - i);
			if (i < n) {
				trust_take(s);
				s->mode = TRUST_TEXT;
			}
		} else if (s->buf[i] != '\n') {
			if (s->line_len < sizeof s->line)
				s->line[s->line_len++] = (char)s->buf[i];
		} else {
			if (s->line_len >= sizeof begin - 1 && memcmp(s->line, begin, sizeof begin - 1) == 0) {
				s->mode = TRUST_BASE64;
				s->bits_n = 0;
			}
			s->line_len = 0;
		}
	}
}

static void trust_fd(struct trust_scan *s, int fd)
{
	ptrdiff_t n;
	size_t room;

	s->mode = TRUST_TEXT;
	s->line_len = s->der_len = 0;
	n = trust_more(s, fd);
	if (n >= 2 && s->buf[0] == 0x30 && (s->buf[1] & 0x80)) /* a SEQUENCE of 128 bytes or more */
		s->mode = TRUST_DER;
	while (n > 0 && !s->t->stop) {
		if (s->mode == TRUST_DER) {
			room = sizeof s->der - s->der_len;
			room = (size_t)n < room ? (size_t)n : room;
			memcpy(s->der + s->der_len, s->buf, room);
			s->der_len += room;
		} else {
			trust_pem(s, (size_t)n);
		}
		n = trust_more(s, fd);
	}
	if (s->mode == TRUST_DER)
		trust_take(s);
}

static void trust_dir(struct trust_scan *s, DIR *dir)
{
	struct dirent *e;
	struct stat st;
	int fd;

	while (!s->t->stop && (e = readdir(dir)) != NULL) {
		fd = e->d_name[0] == '.' ? -1 : trust_open(dirfd(dir), e->d_name);
		if (fd < 0)
			continue;
		if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
			trust_fd(s, fd);
		close(fd);
	}
}

WSI int wsi_trust_scan(struct wsi_trust *t, const struct wsi_mem *mem, const char *path, int want_dir,
                       const char **cause)
{
	struct trust_scan *s;
	struct stat st;
	DIR *dir;
	int fd = trust_open(AT_FDCWD, path), r = -1;

	*cause = NULL;
	if (fd < 0 || fstat(fd, &st) != 0)
		*cause = strerror(errno);
	else if (want_dir && !S_ISDIR(st.st_mode))
		*cause = "is no directory";
	else if (!want_dir && S_ISDIR(st.st_mode))
		*cause = "is a directory";
	if (*cause == NULL) {
		t->again = S_ISDIR(st.st_mode) || S_ISREG(st.st_mode);
		s = wsi_alloc(mem, NULL, 0, sizeof *s);
		r = s != NULL ? 0 : WS_EMEMORY;
		if (s != NULL) {
			memset(s, 0, sizeof *s);
			s->t = t;
			s->left = TRUST_MAX;
			s->until = wsi_clock_us() + TRUST_WAIT_US;
			dir = want_dir ? fdopendir(fd) : NULL;
			if (dir != NULL)
				trust_dir(s, dir);
			else
				trust_fd(s, fd);
			if (dir != NULL && closedir(dir) == 0)
				fd = -1; /* it was the directory's */
			if (s->left == 0 && !t->stop) {
				*cause = "is over 16 MiB";
				r = -1;
			}
			wsi_alloc(mem, s, sizeof *s, 0);
		}
	}
	if (fd >= 0)
		close(fd);
	return r;
}

WSI int wsi_trust_system(struct wsi_trust *t, const struct wsi_mem *mem)
{
	static const struct {
		const char *path;
		int is_dir;
	} places[] = {
	    {"/etc/ssl/certs/ca-certificates.crt", 0},                /* Debian, Alpine, OpenWrt */
	    {"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", 0}, /* Fedora, RHEL */
	    {"/etc/pki/tls/certs/ca-bundle.crt", 0},                  /* older ones */
	    {"/etc/ssl/ca-bundle.pem", 0},                            /* SUSE */
	    {"/etc/ssl/cert.pem", 0},                                 /* BSDs, macOS */
	    {"/usr/local/share/certs/ca-root-nss.crt", 0},            /* FreeBSD */
	    {"/etc/ssl/certs", 1},
	    {"/etc/pki/tls/certs", 1},
	    {"/etc/openssl/certs", 1},           /* NetBSD */
	    {"/system/etc/security/cacerts", 1}, /* Android */
	};
	const char *cause;
	size_t i;
	int r = 0;

	for (i = 0; i < sizeof places / sizeof places[0] && t->seen == 0 && r != WS_EMEMORY; i++)
		r = wsi_trust_scan(t, mem, places[i].path, places[i].is_dir, &cause);
	return r == WS_EMEMORY ? r : 0;
}

WSI ptrdiff_t wsi_read_file(const char *path, void *buf, size_t cap, const char **cause)
{
	unsigned char *b = buf;
	size_t len = 0;
	ptrdiff_t n = -1;
	int64_t until = wsi_clock_us() + TRUST_WAIT_US;
	int fd = trust_open(AT_FDCWD, path);

	while (fd >= 0 && len < cap && (n = trust_read(fd, b + len, cap - len, until)) > 0)
		len += (size_t)n;
	*cause = n < 0 ? strerror(errno) : "too large";
	if (fd >= 0)
		close(fd);
	return n == 0 ? (ptrdiff_t)len : -1;
}
#endif
