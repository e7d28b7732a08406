/* SPDX-License-Identifier: ISC
 * trust.c - finds certificates in files and directories, PEM or DER, through a small buffer
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "ws_tls.h"

#ifdef WS_WITH_MBEDTLS
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRUST_DER_MAX 8192 /* one certificate */
#define TRUST_MAX                                                                                  \
	(16 * 1024 * 1024) /* all that is read of a file, or of the files of a directory */
/* Between two looks at the clock while a pipe is empty, and between two calls of give_up */
#define TRUST_POLL_MS 60000
#define TRUST_ASK_MS 100

enum trust_mode { TRUST_TEXT, TRUST_BASE64, TRUST_DER };

struct trust_scan {
	struct wsi_trust *t;
	const struct wsi_mem *mem;
	enum trust_mode mode;
	uint32_t bits;
	int bits_n;
	size_t line_len, der_len;
	size_t left; /* bytes left of TRUST_MAX */
	char line[32];
	unsigned char
	    der[TRUST_DER_MAX + 1]; /* one byte more than allowed shows that it is too long */
	unsigned char buf[4096];
};

/* open(2) that never blocks, also where the path is a FIFO */
static int trust_open(int dir, const char *path)
{
	return openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

bool wsi_trust_is_no_fd(int system_errno)
{
	return system_errno == EMFILE || system_errno == ENFILE;
}

/* read(2), but at until_us, or when the program gives up, WS_ETIMEOUT. -1: see errno. It waits for a
 * pipe, also for the first writer of a FIFO, whose absence looks like the end of the file. */
static ptrdiff_t trust_read(const struct wsi_mem *mem, int fd, bool wait, void *buf, size_t len,
                            int64_t until_us)
{
	const int most_ms = mem->give_up ? TRUST_ASK_MS : TRUST_POLL_MS;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t n;
	int left_ms;

	for (;; wait = true) {
		left_ms = wsi_ms_until(wsi_clock_us(), until_us);
		if (left_ms == 0)
			return WS_ETIMEOUT;
		if (wait && mem->give_up && mem->give_up(mem->user_data))
			return WS_ETIMEOUT;
		if (left_ms < 0 || left_ms > most_ms)
			left_ms = most_ms;
		if (wait && poll(&p, 1, left_ms) <= 0)
			continue;
		n = read(fd, buf, len);
		if (n >= 0 || (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK))
			return n;
	}
}

static void trust_take(struct trust_scan *s)
{
	s->t->seen++;
	if (s->der_len <= TRUST_DER_MAX)
		s->t->stop |= s->t->take(s->t->ctx, s->der, s->der_len) != 0;
	s->der_len = 0;
}

/* Decodes base64 up to a '-' or the end of p[0..n), and returns how much that was. Other characters
 * (ends of lines, padding) are skipped: the parser of the certificate will find what is wrong. */
static size_t trust_base64(struct trust_scan *s, const unsigned char *p, size_t n)
{
	static const unsigned char values[] = {
	    /* values of '+' to 'z'; 64: not base64 */
	    62, 64, 64, 64, 63, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 64, 64, 64, 64, 64,
	    64, 64, 0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17,
	    18, 19, 20, 21, 22, 23, 24, 25, 64, 64, 64, 64, 64, 64, 26, 27, 28, 29, 30, 31,
	    32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51};
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
			if (s->line_len >= sizeof begin - 1
			    && memcmp(s->line, begin, sizeof begin - 1) == 0) {
				s->mode = TRUST_BASE64;
				s->bits_n = 0;
			}
			s->line_len = 0;
		}
	}
}

static const char *trust_cause(ptrdiff_t r)
{
	return r == WS_ETIMEOUT ? "timed out before all of it was read" : strerror(errno);
}

/* Scans all of it, or until take has enough. 0; -1 or WS_ETIMEOUT with the reason in *cause. */
static int trust_fd(struct trust_scan *s, int fd, bool wait, const char **cause)
{
	ptrdiff_t n;
	size_t room;
	bool first = true;

	s->mode = TRUST_TEXT;
	s->line_len = s->der_len = 0;
	for (; !s->t->stop; first = false) {
		room = sizeof s->buf < s->left ? sizeof s->buf : s->left;
		n = trust_read(s->mem, fd, wait, s->buf, room, s->t->until_us);
		if (n < 0) {
			*cause = trust_cause(n);
			return (int)n;
		}
		if (n == 0)
			break;
		s->left -= (size_t)n;
		if (first && n >= 2 && s->buf[0] == 0x30
		    && (s->buf[1] & 0x80)) /* a SEQUENCE of 128 bytes or more */
			s->mode = TRUST_DER;
		if (s->mode == TRUST_DER) {
			room = sizeof s->der - s->der_len;
			room = (size_t)n < room ? (size_t)n : room;
			memcpy(s->der + s->der_len, s->buf, room);
			s->der_len += room;
		} else {
			trust_pem(s, (size_t)n);
		}
	}
	if (s->mode == TRUST_DER)
		trust_take(s);
	return 0;
}

/* Scans the regular files of a directory. One that cannot be read does not stop the others. */
static int trust_dir(struct trust_scan *s, DIR *dir, const char **cause)
{
	struct dirent *e;
	struct stat st;
	const char *why;
	int fd;

	while (!s->t->stop) {
		errno = 0;
		e = readdir(dir);
		if (!e && errno != 0) {
			*cause = strerror(errno);
			return -1;
		}
		if (!e)
			return 0;
		if (e->d_name[0] == '.')
			continue;
		why = NULL;
		fd = trust_open(dirfd(dir), e->d_name);
		if (fd < 0 || fstat(fd, &st) != 0) {
			s->t->no_fd |= wsi_trust_is_no_fd(errno);
			why = strerror(errno);
		} else if (S_ISREG(st.st_mode)) {
			(void)trust_fd(s, fd, false, &why);
		}
		if (why && !s->t->unread)
			s->t->unread = why;
		if (fd >= 0)
			close(fd);
		if (wsi_clock_us() >= s->t->until_us) {
			*cause = trust_cause(WS_ETIMEOUT);
			return WS_ETIMEOUT;
		}
	}
	return 0;
}

/* Scans what is open as fd, and closes it. */
static int trust_scan(struct trust_scan *s, int fd, const struct stat *st, const char **cause)
{
	DIR *dir = S_ISDIR(st->st_mode) ? fdopendir(fd) : NULL;
	int r = -1;

	if (dir)
		r = trust_dir(s, dir, cause);
	else if (S_ISDIR(st->st_mode))
		*cause = strerror(errno);
	else
		r = trust_fd(s, fd, !S_ISREG(st->st_mode), cause);
	if (dir)
		closedir(dir); /* the descriptor was the directory's */
	else
		close(fd);
	if (r == 0 && s->left == 0 && !s->t->stop) {
		*cause = "is over 16 MiB";
		return -1;
	}
	return r;
}

WSI int wsi_trust_scan(struct wsi_trust *t, const struct wsi_mem *mem, const char *path,
                       bool want_dir, const char **cause)
{
	struct trust_scan *s;
	struct stat st = {0};
	int fd = trust_open(AT_FDCWD, path), r;

	*cause = NULL;
	if (fd < 0 || fstat(fd, &st) != 0) {
		t->no_fd |= wsi_trust_is_no_fd(errno);
		*cause = strerror(errno);
	} else if (want_dir && !S_ISDIR(st.st_mode)) {
		*cause = "is not a directory";
	} else if (!want_dir && S_ISDIR(st.st_mode)) {
		*cause = "is a directory";
	}
	s = *cause == NULL ? wsi_alloc(mem, NULL, 0, sizeof *s) : NULL;
	if (!s) {
		if (fd >= 0)
			close(fd);
		return *cause == NULL ? WS_EMEMORY : -1;
	}
	memset(s, 0, sizeof *s);
	s->t = t;
	s->mem = mem;
	s->left = TRUST_MAX;
	t->again = S_ISDIR(st.st_mode) || S_ISREG(st.st_mode);
	r = trust_scan(s, fd, &st, cause);
	wsi_alloc(mem, s, sizeof *s, 0);
	return r;
}

WSI int wsi_trust_system(struct wsi_trust *t, const struct wsi_mem *mem)
{
	static const struct place {
		const char *path;
		bool is_dir;
	} places[] = {
	    {"/etc/ssl/certs/ca-certificates.crt", false}, /* Debian, Alpine, OpenWrt */
	    {"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", false}, /* Fedora, RHEL */
	    {"/etc/pki/tls/certs/ca-bundle.crt", false},                  /* older ones */
	    {"/etc/ssl/ca-bundle.pem", false},                            /* SUSE */
	    {"/etc/ssl/cert.pem", false},                                 /* BSDs, macOS */
	    {"/usr/local/share/certs/ca-root-nss.crt", false},            /* FreeBSD */
	    {"/etc/ssl/certs", true},
	    {"/etc/pki/tls/certs", true},
	    {"/etc/openssl/certs", true},           /* NetBSD */
	    {"/system/etc/security/cacerts", true}, /* Android */
	    {NULL, false},
	};
	const struct place *place;
	const char *cause;
	int r;

	for (place = places; place->path && t->seen == 0; place++) {
		errno = 0;
		r = wsi_trust_scan(t, mem, place->path, place->is_dir, &cause);
		if (r == WS_EMEMORY || r == WS_ETIMEOUT)
			return r;
		if (r != 0 && errno != ENOENT && errno != ENOTDIR && !t->unread)
			t->unread = cause;
	}
	return 0;
}

WSI ptrdiff_t wsi_read_file(const struct wsi_mem *mem, const char *path, void *buf, size_t cap,
                            int64_t until_us, const char **cause)
{
	unsigned char *b = buf;
	size_t len = 0;
	ptrdiff_t n = -1;
	int fd = trust_open(AT_FDCWD, path);
	struct stat st = {0};

	*cause = NULL;
	if (fd < 0 || fstat(fd, &st) != 0) {
		if (wsi_trust_is_no_fd(errno))
			n = WS_EIO;
		*cause = strerror(errno);
	}
	while (!*cause) {
		n = trust_read(mem, fd, !S_ISREG(st.st_mode), b + len, cap - len, until_us);
		if (n <= 0)
			break;
		len += (size_t)n;
		if (len == cap)
			*cause = "too large";
	}
	if (!*cause && n < 0)
		*cause = trust_cause(n);
	if (fd >= 0)
		close(fd);
	if (!*cause)
		return (ptrdiff_t)len;
	return n == WS_ETIMEOUT || n == WS_EIO ? n : -1;
}
#endif
