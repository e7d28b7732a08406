/* SPDX-License-Identifier: ISC
 * test_trust.c - certificates in files and directories
 */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* syscall, of failing.h */
#endif
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "check.h"
#include "ws_tls.h"

#ifndef WS_WITH_MBEDTLS
int main(void)
{
	printf("built without TLS\n0 passed, 0 failed, 1 skipped\n");
	return 0;
}
#else
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include "failing.h"
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long allocs_left = -1, allocated;

/* These bytes follow each block, and must stay. */
static const char behind[] = "not a part of the block";

static void *test_alloc(void *user_data, void *ptr, size_t old_len, size_t new_len)
{
	(void)user_data;
	if (allocs_left == 0 && new_len > 0)
		return NULL;
	allocated += (long)new_len - (long)old_len;
	if (new_len == 0) {
		CHECK(memcmp((char *)ptr + old_len, behind, sizeof behind) == 0);
		free(ptr);
		return NULL;
	}
	ptr = realloc(ptr, new_len + sizeof behind);
	if (ptr != NULL)
		memcpy((char *)ptr + new_len, behind, sizeof behind);
	return ptr;
}

/* The program gives up when it is asked for the give_up_at-th time. 0: never */
static int asked, give_up_at;

static int gives_up(void *user_data)
{
	CHECK(user_data == &asked);
	return ++asked == give_up_at;
}

static struct wsi_mem mem = {.alloc = test_alloc};
static char dir[200];

static const char *path_of(const char *name)
{
	static char path[300];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

static void put_file(const char *name, const void *data, size_t len)
{
	FILE *f = fopen(path_of(name), "wb");

	CHECK(f != NULL && fwrite(data, 1, len, f) == len && fclose(f) == 0);
}

/* What the callback got, one certificate after another */
struct got {
	struct wsi_trust trust;
	unsigned char bytes[40000];
	size_t len;
	int n, limit;
	int fd[2]; /* the first descriptors that the scan opens, or {0} */
};

static int take(void *ctx, const unsigned char *der, size_t len)
{
	struct got *g = ctx;

	if (g->len + len <= sizeof g->bytes)
		memcpy(g->bytes + g->len, der, len);
	g->len += len;
	g->n++;
	if (g->fd[0] > 0) { /* a file, or a directory and its file: no child gets them */
		CHECK(fcntl(g->fd[0], F_GETFD) & FD_CLOEXEC);
		CHECK(fcntl(g->fd[1], F_GETFD) & FD_CLOEXEC);
	}
	return g->limit > 0 && g->n >= g->limit;
}

static int64_t until_us = INT64_MAX; /* the deadline of each scan */

/* The lowest descriptor that is free */
static int free_descriptor(void)
{
	int fd = dup(1);

	close(fd);
	return fd;
}

static int scan(struct got *g, const char *name, int want_dir, int limit, const char **cause)
{
	int r, lowest = free_descriptor();
#ifdef MEMORY_FAILS
	long in_use = atomic_load(&blocks_in_use);
#endif

	memset(g, 0, sizeof *g);
	g->trust.take = take;
	g->trust.ctx = g;
	g->limit = limit;
	g->fd[0] = dup(1);
	g->fd[1] = free_descriptor();
	close(g->fd[0]);
	g->trust.until_us = until_us;
	r = wsi_trust_scan(&g->trust, &mem, *name == '/' ? name : path_of(name), want_dir, cause);
	/* whatever the result, everything is released */
	CHECK_EQ_U(free_descriptor(), lowest);
	CHECK_EQ_U(allocated, 0);
#ifdef MEMORY_FAILS
	CHECK_EQ_U(atomic_load(&blocks_in_use), in_use);
#endif
	return r;
}

/* The same for wsi_read_file */
static ptrdiff_t read_file(const char *name, void *buf, size_t cap, int64_t until,
                           const char **cause)
{
	int lowest = free_descriptor();
	ptrdiff_t r =
	    wsi_read_file(&mem, *name == '/' ? name : path_of(name), buf, cap, until, cause);

	CHECK_EQ_U(free_descriptor(), lowest);
	return r;
}

#ifdef __linux__
static int read_errno; /* the errno with which the next read fails; 0: it does not fail */

ssize_t read(int fd, void *buf, size_t len)
{
	if (read_errno != 0) {
		errno = read_errno;
		read_errno = 0;
		return -1;
	}
	return (ssize_t)syscall(SYS_read, fd, buf, len);
}
#endif

#define BEGIN "-----BEGIN CERTIFICATE-----"
#define END "-----END CERTIFICATE-----"

static void test_pem(void)
{
	static const struct {
		const char *text, *bytes;
		int n;
	} cases[] = {
	    {"", "", 0},
	    {"no certificate\n", "", 0},
	    {BEGIN "\nQUJD\n" END "\n", "ABC", 1},
	    {BEGIN "\r\nQUJD\r\n" END "\r\n", "ABC", 1},
	    {BEGIN "  \nQUJD\n" END, "ABC", 1},
	    {BEGIN "\nQUJDRA==\n" END "\n", "ABCD", 1},
	    {BEGIN "\nQUJDREU=\n" END "\n", "ABCDE", 1},
	    {BEGIN "\nQ\nU\n J\tD\n" END "\n", "ABC", 1},
	    {"# before\n" BEGIN "\nQUJD\n" END "\nbetween -----\n" BEGIN "\nREVG\n" END "\nafter\n",
	     "ABCDEF", 2},
	    {BEGIN "\nQUJD\n", "", 0},              /* without an end line */
	    {"x" BEGIN "\nQUJD\n" END "\n", "", 0}, /* not at the start of a line */
	    {"-----BEGIN CERTIFICATE----x\nQUJD\n" END "\n", "", 0},
	    {BEGIN "\nQUJD\n" END "\n-----BEGIN CERTIFICATE----\nREVG\n" END "\n", "ABC", 1},
	    {"0, the first character of DER\n" BEGIN "\nQUJD\n" END "\n", "ABC", 1},
	    {"\x30\x82", "\x30\x82", 1}, /* the beginning of DER */
	    {"-----BEGIN TRUSTED CERTIFICATE-----\nQUJD\n" END "\n", "",
	     0}, /* OpenSSL's own form */
	    {"-----BEGIN RSA PRIVATE KEY-----\nQUJD\n-----END RSA PRIVATE KEY-----\n" BEGIN
	     "\nREVG\n" END "\n",
	     "DEF", 1},
	    {BEGIN "\n" END "\n", "", 1},
	    {BEGIN "\nQUJD\n" BEGIN "\nREVG\n" END "\n", "ABC", 1},
	};
	struct got g;
	const char *cause;
	size_t i, pad;
	char *text;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%lu: %s", (unsigned long)i, cases[i].text);
		put_file("f.pem", cases[i].text, strlen(cases[i].text));
		CHECK(scan(&g, "f.pem", 0, 0, &cause) == 0);
		if (!CHECK(g.n == cases[i].n) || !CHECK(g.trust.seen == cases[i].n))
			fprintf(stderr, "\tcase %lu\n", (unsigned long)i);
		CHECK_EQ_MEM(g.bytes, g.len, cases[i].bytes, strlen(cases[i].bytes));
		CHECK(g.trust.again == 1);
	}
	check_row_end();
	/* a certificate that crosses the end of the buffer at every place */
	text = malloc(4200 + 200);
	if (text == NULL)
		abort();
	for (pad = 4000; pad < 4110; pad++) {
		memset(text, '\n', pad);
		strcpy(text + pad, BEGIN "\nQUJD\n" END "\n");
		put_file("f.pem", text, strlen(text));
		CHECK(scan(&g, "f.pem", 0, 0, &cause) == 0);
		CHECK_EQ_MEM(g.bytes, g.len, "ABC", 3);
	}
	check_row("a later buffer that begins like DER");
	memset(text, '\n', 4096);
	strcpy(text + 4096, "\x30\x82\n" BEGIN "\nQUJD\n" END "\n");
	put_file("f.pem", text, strlen(text));
	CHECK(scan(&g, "f.pem", 0, 0, &cause) == 0);
	CHECK_EQ_MEM(g.bytes, g.len, "ABC", 3);
	check_row_end();
	free(text);
	put_file("f.pem", BEGIN "\nQUJD\n" END "\n" BEGIN "\nREVG\n" END "\n",
	         2 * (strlen(BEGIN END) + 7));
	CHECK(scan(&g, "f.pem", 0, 1, &cause) == 0);
	CHECK(g.n == 1 && g.trust.stop == 1);
	CHECK(scan(&g, "f.pem", 0, 2, &cause) == 0);
	CHECK(g.n == 2 && g.trust.stop == 1);
}

/* Each character of base64, and each other byte, which is skipped */
static void test_characters(void)
{
	static const char all[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char text[200], want[60];
	struct got g;
	const char *cause;
	size_t len;
	int c;

	check_row("all of base64");
	len = (size_t)sprintf(text, BEGIN "\n%s\n" END "\n", all);
	put_file("f.pem", text, len);
	CHECK(scan(&g, "f.pem", 0, 0, &cause) == 0);
	CHECK_EQ_U(wsi_base64_decode(want, all, 64), 48);
	CHECK_EQ_MEM(g.bytes, g.len, want, 48);
	check_row("all other bytes");
	for (c = 0; c < 256; c++) {
		if (c == '-' || (c != 0 && strchr(all, c) != NULL))
			continue;
		len = (size_t)sprintf(text, BEGIN "\nQ");
		text[len++] = (char)c;
		len += (size_t)sprintf(text + len, "UJD\n" END "\n");
		put_file("f.pem", text, len);
		CHECK(scan(&g, "f.pem", 0, 0, &cause) == 0);
		if (!CHECK(g.len == 3 && memcmp(g.bytes, "ABC", 3) == 0))
			fprintf(stderr, "\t0x%02x\n", (unsigned)c);
	}
	unlink(path_of("f.pem"));
}

static void test_sizes(void)
{
	static unsigned char big[20000] = "\x30\x82";
	static char pem[40000];
	const char *cause;
	struct got g;
	size_t len, n, at;

	put_file("f.der", big, sizeof big);
	CHECK(scan(&g, "f.der", 0, 0, &cause) == 0);
	CHECK(g.trust.seen == 1 && g.n == 0);
	strcpy(pem, BEGIN "\n");
	n = wsi_base64_encode(pem + strlen(BEGIN) + 1, big, sizeof big);
	strcpy(pem + strlen(BEGIN) + 1 + n, "\n" END "\n");
	put_file("f.pem", pem, strlen(pem));
	CHECK(scan(&g, "f.pem", 0, 0, &cause) == 0);
	CHECK(g.trust.seen == 1 && g.n == 0);
	for (len = 8190; len <= 8194; len++) { /* 8192 is the limit; more is counted, not used */
		memset(big, 0, sizeof big);
		big[0] = 0x30;
		big[1] = 0x82;
		put_file("f.der", big, len);
		CHECK(scan(&g, "f.der", 0, 0, &cause) == 0);
		CHECK_EQ_U(g.trust.seen, 1);
		CHECK_EQ_U(g.n, len <= 8192);
		CHECK_EQ_U(g.len, len <= 8192 ? len : 0);

		strcpy(pem, BEGIN "\n");
		at = strlen(pem);
		n = wsi_base64_encode(pem + at, big, len);
		strcpy(pem + at + n, "\n" END "\n" BEGIN "\nQUJD\n" END "\n");
		put_file("f.pem", pem, strlen(pem));
		CHECK(scan(&g, "f.pem", 0, 0, &cause) == 0);
		CHECK_EQ_U(g.trust.seen, 2);
		CHECK_EQ_U(g.len, len <= 8192 ? len + 3 : 3);
	}
}

/* Files of 16 MiB and slightly less, which are sparse and take no space on the disk */
static void test_large(void)
{
	static const struct {
		off_t size;
		int r;
	} cases[] = {{16 * 1024 * 1024 - 1, 0}, {16 * 1024 * 1024, -1}, {16 * 1024 * 1024 + 1, -1}};
	const char *cause;
	struct got g;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%ld", (long)cases[i].size);
		put_file("f.pem", "", 0);
		CHECK(truncate(path_of("f.pem"), cases[i].size) == 0);
		cause = NULL;
		CHECK_EQ_U(scan(&g, "f.pem", 0, 0, &cause), cases[i].r);
		if (cases[i].r != 0)
			CHECK_EQ_S(cause, "is over 16 MiB");
	}
	unlink(path_of("f.pem"));
}

/* A directory of PEM and DER: each file is read as what it is, in whatever order. */
static void test_mixed(void)
{
	const char *cause;
	char name[10];
	struct got g;
	int i;

	CHECK(mkdir(path_of("d"), 0700) == 0);
	for (i = 0; i < 8; i++) {
		sprintf(name, "d/%d", i);
		if (i % 2)
			put_file(name, BEGIN "\nQUJD\n" END "\n", strlen(BEGIN END) + 7);
		else
			put_file(name, "\x30\x82xyz", 5);
	}
	CHECK(scan(&g, "d", 1, 0, &cause) == 0);
	CHECK_EQ_U(g.n, 8);
	CHECK_EQ_U(g.len, 4 * 3 + 4 * 5);
	for (i = 0; i < 8; i++) {
		sprintf(name, "d/%d", i);
		unlink(path_of(name));
	}
	rmdir(path_of("d"));
}

static void test_paths(void)
{
	const char *cause;
	struct got g;
	char buf[10];
	int zero;

	CHECK(scan(&g, "missing", 0, 0, &cause) == -1);
	CHECK(strstr(cause, "No such file") != NULL);
	CHECK(scan(&g, "", 0, 0, &cause) == -1);
	CHECK_EQ_S(cause, "is a directory");
	put_file("f.pem", BEGIN "\nQUJD\n" END "\n", strlen(BEGIN END) + 7);
	CHECK(scan(&g, "f.pem", 1, 0, &cause) == -1);
	CHECK_EQ_S(cause, "is not a directory");

	CHECK(mkdir(path_of("d"), 0700) == 0);
	CHECK(scan(&g, "d", 1, 0, &cause) == 0);
	CHECK(g.n == 0 && g.trust.seen == 0);
	put_file("d/a.pem", BEGIN "\nQUJD\n" END "\n", strlen(BEGIN END) + 7);
	put_file("d/.hidden", BEGIN "\nREVG\n" END "\n", strlen(BEGIN END) + 7);
	CHECK(mkdir(path_of("d/deeper"), 0700) == 0);
	CHECK(symlink("a.pem", path_of("d/01234567.0")) == 0);
	CHECK(symlink("nowhere", path_of("d/dangling.0")) == 0);
	CHECK(mkfifo(path_of("d/fifo"), 0600) == 0);
	CHECK(scan(&g, "d", 1, 0, &cause) == 0);
	CHECK_EQ_MEM(g.bytes, g.len, "ABCABC", 6);
	CHECK(g.trust.again == 1);

	CHECK(scan(&g, "d", 1, 1, &cause) == 0 && g.n == 1); /* one is enough */
	zero = dup(0);
	close(0); /* now the file is descriptor 0 */
	CHECK(scan(&g, "f.pem", 0, 0, &cause) == 0 && g.n == 1);
	CHECK(scan(&g, "d", 1, 0, &cause) == 0 && g.n == 2);
	CHECK(scan(&g, "f.pem", 1, 0, &cause) == -1);
	CHECK(read_file("f.pem", buf, 10, INT64_MAX, &cause) == -1);
	CHECK_EQ_S(cause, "too large");
	CHECK(dup2(zero, 0) == 0 || zero < 0);
	close(zero);

	allocs_left = 0;
	CHECK(scan(&g, "f.pem", 0, 0, &cause) == WS_EMEMORY);
	CHECK(scan(&g, "d", 1, 0, &cause) == WS_EMEMORY);
	allocs_left = -1;

	put_file("f.txt", "0123456789", 10);
	CHECK_EQ_U(read_file("f.txt", buf, 10, INT64_MAX, &cause), (unsigned long long)-1);
	CHECK_EQ_S(cause, "too large");
	put_file("f.txt", "012345678", 9);
	CHECK_EQ_U(read_file("f.txt", buf, 10, INT64_MAX, &cause), 9);
	CHECK(memcmp(buf, "012345678", 9) == 0);
	put_file("f.txt", "0", 1);
	CHECK_EQ_U(read_file("f.txt", buf, 10, INT64_MAX, &cause), 1);
	put_file("f.txt", "", 0);
	CHECK_EQ_U(read_file("f.txt", buf, 10, INT64_MAX, &cause), 0);
	CHECK_EQ_U(read_file("none", buf, 10, INT64_MAX, &cause), (unsigned long long)-1);
	CHECK(strstr(cause, "No such file") != NULL);
	CHECK_EQ_U(read_file("d", buf, 10, INT64_MAX, &cause), (unsigned long long)-1);
	CHECK(strstr(cause, "directory") != NULL);

	unlink(path_of("d/a.pem"));
	unlink(path_of("d/.hidden"));
	rmdir(path_of("d/deeper"));
	unlink(path_of("d/01234567.0"));
	unlink(path_of("d/dangling.0"));
	unlink(path_of("d/fifo"));
	rmdir(path_of("d"));
	unlink(path_of("f.pem"));
	unlink(path_of("f.der"));
	unlink(path_of("f.txt"));
}

/* A child process that alone holds "fifo" open for writing, with the first bytes of text in it */
static pid_t start_writer(const char *text, size_t first, const char *then)
{
	struct timespec pause = {0, 20000000};
	int fd =
	    open(path_of("fifo"),
	         O_RDWR); /* for reading too: then this does not block, and the bytes stay in it */
	pid_t pid;

	CHECK(fd >= 0 && write(fd, text, first) == (ssize_t)first);
	pid = fork();
	if (pid == 0) {
		if (strcmp(then, "stall") == 0)
			poll(NULL, 0, -1);
		nanosleep(&pause, NULL);
		if (strcmp(then, "go on") == 0 && write(fd, text + first, strlen(text) - first) < 0)
			_exit(1);
		nanosleep(&pause, NULL);
		_exit(0);
	}
	CHECK(pid > 0);
	close(fd);
	return pid;
}

static void note_signal(int number)
{
	(void)number;
}

/* A pipe is read to its end, and a file that was cut short is not accepted */
static void test_pipes(void)
{
	static const char pem[] = BEGIN "\nQUJD\n" END "\n" BEGIN "\nREVG\n" END "\n";
	static const struct {
		const char *name;
		size_t first;     /* bytes that are there from the start */
		const char *then; /* what the writer does next */
		int r, n;
	} cases[] = {
	    {"all at once", sizeof pem - 1, "end", 0, 2},
	    {"no end", sizeof pem - 1, "stall", WS_ETIMEOUT, 2},
	    {"half, no end", 70, "stall", WS_ETIMEOUT, 1},
	    {"nothing, no end", 0, "stall", WS_ETIMEOUT, 0},
	    {"half, a pause", 70, "go on", 0, 2},
	    {"a pause", 0, "go on", 0, 2},
	};
	struct got g;
	const char *cause;
	char buf[sizeof pem + 1];
	ptrdiff_t len;
	size_t i;
	int whole;
	pid_t pid;

	CHECK(mkfifo(path_of("fifo"), 0600) == 0);
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		for (whole = 0; whole < 2; whole++) {
			check_row("%s, %s", cases[i].name, whole ? "read as a whole" : "scanned");
			pid = start_writer(pem, cases[i].first, cases[i].then);
			/* What is there comes with the first read: after that the program gives
			 * up. */
			asked = 0;
			give_up_at = cases[i].r == 0 ? 0 : 2;
			mem.give_up = gives_up;
			mem.user_data = &asked;
			if (whole) {
				len = read_file("fifo", buf, sizeof buf, until_us, &cause);
				CHECK(len == (cases[i].r ? cases[i].r : (ptrdiff_t)strlen(pem)));
			} else {
				CHECK(scan(&g, "fifo", 0, 0, &cause) == cases[i].r);
				CHECK(g.n == cases[i].n && g.trust.again == 0);
			}
			if (cases[i].r != 0)
				CHECK(strstr(cause, "timed out") != NULL);
			mem.give_up = NULL;
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
		}
	}
	check_row("too large, in two pieces");
	pid = start_writer(pem, 70, "go on");
	memset(buf, 'x', sizeof buf);
	CHECK(read_file("fifo", buf, 80, INT64_MAX, &cause) == -1);
	CHECK_EQ_S(cause, "too large");
	CHECK(buf[80] == 'x');
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	check_row_end();
	unlink(path_of("fifo"));
}

/* Nobody ever writes into a pipe: it is waited for until the deadline, or until the program gives
 * up. */
static void test_silent_pipes(void)
{
	static const struct {
		const char *name;
		int64_t for_us; /* the deadline; -1: none */
		int give_up_at;
		int signals; /* 1: some come meanwhile */
	} cases[] = {
	    {"a deadline", 30000, 0, 0},
	    {"a deadline, and signals", 50000, 0, 1},
	    {"a deadline that is over", 0, 0, 0},
	    {"the program gives up at once", -1, 1, 0},
	    {"the program gives up later", -1, 2, 0},
	    {"the program gives up, and signals", -1, 3, 1},
	};
	static const struct itimerval every = {{0, 5000}, {0, 5000}}, never;
	struct sigaction interrupt;
	struct got g;
	const char *cause;
	char buf[10];
	size_t i;

	memset(&interrupt, 0, sizeof interrupt);
	interrupt.sa_handler = note_signal;
	sigaction(SIGALRM, &interrupt, NULL);
	CHECK(mkfifo(path_of("fifo"), 0600) == 0);
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s", cases[i].name);
		give_up_at = cases[i].give_up_at;
		mem.give_up = give_up_at > 0 ? gives_up : NULL;
		mem.user_data = &asked;
		if (cases[i].signals)
			setitimer(ITIMER_REAL, &every, NULL);
		asked = 0;
		until_us = cases[i].for_us < 0 ? INT64_MAX : wsi_clock_us() + cases[i].for_us;
		CHECK(scan(&g, "fifo", 0, 0, &cause) == WS_ETIMEOUT);
		CHECK(strstr(cause, "timed out") != NULL);
		CHECK_EQ_U(asked, give_up_at);
		CHECK(cases[i].for_us < 0 || wsi_clock_us() >= until_us);
		asked = 0;
		if (cases[i].for_us >= 0)
			until_us = wsi_clock_us() + cases[i].for_us;
		CHECK(read_file("fifo", buf, sizeof buf, until_us, &cause) == WS_ETIMEOUT);
		CHECK_EQ_U(asked, give_up_at);
		CHECK(cases[i].for_us < 0 || wsi_clock_us() >= until_us);
		setitimer(ITIMER_REAL, &never, NULL);
	}
	until_us = INT64_MAX;
	unlink(path_of("fifo"));

	check_row("a file is not waited for, so the program is not asked");
	put_file("f.txt", "0123", 4);
	asked = 0;
	give_up_at = 1;
	mem.give_up = gives_up;
	CHECK(scan(&g, "f.txt", 0, 0, &cause) == 0);
	CHECK_EQ_U(read_file("f.txt", buf, sizeof buf, INT64_MAX, &cause), 4);
	CHECK_EQ_U(asked, 0);
	mem.give_up = NULL;
	unlink(path_of("f.txt"));
	check_row_end();
}

#ifdef __linux__
/* Each place where the system may have its certificates, in the order in which they are tried. The
 * last one gets a certificate first. */
static void test_places(void)
{
	static const struct {
		const char *dir, *file; /* NULL: any file of the directory */
	} places[] = {
	    {"/etc/ssl/certs", "ca-certificates.crt"},
	    {"/etc/pki/ca-trust/extracted/pem", "tls-ca-bundle.pem"},
	    {"/etc/pki/tls/certs", "ca-bundle.crt"},
	    {"/etc/ssl", "ca-bundle.pem"},
	    {"/etc/ssl", "cert.pem"},
	    {"/usr/local/share/certs", "ca-root-nss.crt"},
	    {"/etc/ssl/certs", NULL},
	    {"/etc/pki/tls/certs", NULL},
	    {"/etc/openssl/certs", NULL},
	    {"/system/etc/security/cacerts", NULL},
	};
	char root[300], path[600], command[700], text[100];
	struct got g;
	size_t i;
	int len;

	snprintf(root, sizeof root, "%s", path_of("root"));
	for (i = sizeof places / sizeof places[0]; i-- > 0;) {
		check_row("%s/%s", places[i].dir, places[i].file ? places[i].file : "*");
		snprintf(command, sizeof command, "mkdir -p '%s%s'", root, places[i].dir);
		CHECK(system(command) == 0);
		snprintf(path, sizeof path, "root%s/%s", places[i].dir,
		         places[i].file ? places[i].file : "a.pem");
		len = sprintf(text, BEGIN "\nQUJ%c\n" END "\n", (int)('A' + i));
		put_file(path, text, (size_t)len);
		memset(&g, 0, sizeof g);
		g.trust.take = take;
		g.trust.ctx = &g;
		g.trust.until_us = INT64_MAX;
		open_root = root;
		CHECK_EQ_U(wsi_trust_system(&g.trust, &mem), 0);
		open_root = NULL;
		CHECK_EQ_U(g.trust.seen, 1);
		CHECK_EQ_U(g.bytes[2], 0x40 + i);
		CHECK(g.trust.unread == NULL);
	}
	check_row_end();
	snprintf(command, sizeof command, "rm -rf '%s'", root);
	CHECK(system(command) == 0);
}

/* Where the system may have its certificates */
static void test_system(void)
{
	struct got g;

	check_row("no certificates anywhere");
	memset(&g, 0, sizeof g);
	g.trust.until_us = INT64_MAX;
	open_fails_at = "/";
	open_errno = ENOENT;
	CHECK_EQ_U(wsi_trust_system(&g.trust, &mem), 0);
	CHECK(g.trust.seen == 0 && g.trust.unread == NULL);
	check_row("a file where a directory should be");
	open_errno = ENOTDIR;
	CHECK_EQ_U(wsi_trust_system(&g.trust, &mem), 0);
	CHECK(g.trust.seen == 0 && g.trust.unread == NULL);
	check_row("two places that nobody may read: the error names the first");
	open_errno = EACCES;
	CHECK_EQ_U(wsi_trust_system(&g.trust, &mem), 0);
	CHECK(g.trust.seen == 0);
	CHECK_EQ_S(g.trust.unread, strerror(EACCES));
	open_fails_at = NULL;
	if (access("/etc/ssl/certs", R_OK) == 0) {
		check_row("no memory, no time");
		allocs_left = 0;
		CHECK_EQ_U(wsi_trust_system(&g.trust, &mem), WS_EMEMORY);
		allocs_left = -1;
		g.trust.until_us = wsi_clock_us();
		CHECK_EQ_U(wsi_trust_system(&g.trust, &mem), WS_ETIMEOUT);
	}
}
#endif

#ifdef __linux__
/* One read of a file fails, alone and in a directory */
static void test_read_fails(void)
{
	static const struct {
		int err, r;
	} cases[] = {{EINTR, 0}, {EAGAIN, 0}, {EWOULDBLOCK, 0}, {EIO, -1}};
	const char *cause;
	struct got g;
	char buf[100];
	size_t i;

	CHECK(mkdir(path_of("d"), 0700) == 0);
	put_file("d/a.pem", BEGIN "\nQUJD\n" END "\n", strlen(BEGIN END) + 7);
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s", strerror(cases[i].err));
		read_errno = cases[i].err;
		CHECK_EQ_U(scan(&g, "d/a.pem", 0, 0, &cause), cases[i].r);
		CHECK_EQ_U(g.n, cases[i].r == 0);
		read_errno = cases[i].err;
		CHECK_EQ_U(scan(&g, "d", 1, 0, &cause), 0);
		CHECK_EQ_U(g.n, cases[i].r == 0);
		CHECK_EQ_S(g.trust.unread ? g.trust.unread : "",
		           cases[i].r == 0 ? "" : strerror(cases[i].err));
		read_errno = cases[i].err;
		CHECK_EQ_U(read_file("d/a.pem", buf, sizeof buf, INT64_MAX, &cause),
		           cases[i].r == 0 ? strlen(BEGIN END) + 7 : (unsigned long long)-1);
	}
	check_row_end();
	unlink(path_of("d/a.pem"));
	rmdir(path_of("d"));
}
#endif

static int closed_fd; /* the descriptor that take_and_close closes */

/* Closes a descriptor at the first certificate. */
static int take_and_close(void *ctx, const unsigned char *der, size_t len)
{
	const struct got *g = ctx;

	if (g->n == 0)
		close(closed_fd);
	return take(ctx, der, len);
}

/* The second file of a directory gets descriptor 0. */
static void test_descriptor_0(void)
{
	int zero = dup(0);
	const char *cause;
	struct got g;

	CHECK(mkdir(path_of("d"), 0700) == 0);
	put_file("d/a.pem", BEGIN "\nQUJD\n" END "\n", strlen(BEGIN END) + 7);
	put_file("d/b.pem", BEGIN "\nQUJD\n" END "\n", strlen(BEGIN END) + 7);
	memset(&g, 0, sizeof g);
	g.trust.take = take_and_close;
	g.trust.ctx = &g;
	g.trust.until_us = INT64_MAX;
	closed_fd = 0;
	CHECK_EQ_U(wsi_trust_scan(&g.trust, &mem, path_of("d"), 1, &cause), 0);
	CHECK_EQ_U(g.n, 2);
	CHECK(g.trust.unread == NULL);
	CHECK_EQ_U(free_descriptor(), 0);
	CHECK(dup2(zero, 0) == 0 || zero < 0);
	close(zero);
	unlink(path_of("d/a.pem"));
	unlink(path_of("d/b.pem"));
	rmdir(path_of("d"));
}

static void test_unreadable(void)
{
	const char *cause;
	struct got g;
	char buf[10];

	check_row("a file that can be opened, but not read at its beginning");
	if (access("/proc/self/mem", R_OK) == 0) {
		CHECK(scan(&g, "/proc/self/mem", 0, 0, &cause) == -1);
		CHECK_EQ_S(cause, strerror(EIO));
		CHECK(read_file("/proc/self/mem", buf, sizeof buf, INT64_MAX, &cause) == -1);
		CHECK_EQ_S(cause, strerror(EIO));
	}
#ifdef MEMORY_FAILS
	check_row("a directory, without memory to read it");
	atomic_store(&malloc_fails, 1);
	CHECK(scan(&g, ".", 1, 0, &cause) == -1);
	atomic_store(&malloc_fails, 0);
	CHECK_EQ_S(cause, strerror(ENOMEM));
#endif
	CHECK(mkdir(path_of("d"), 0700) == 0);
	check_row("a directory whose list ends with an error");
	put_file("d/a.pem", BEGIN "\nQUJD\n" END "\n", strlen(BEGIN END) + 7);
	memset(&g, 0, sizeof g);
	g.trust.take = take_and_close;
	g.trust.ctx = &g;
	g.trust.until_us = INT64_MAX;
	closed_fd = free_descriptor(); /* which the directory will have */
	CHECK_EQ_U(wsi_trust_scan(&g.trust, &mem, path_of("d"), 1, &cause), -1);
	CHECK_EQ_U(g.n, 1);
	CHECK_EQ_S(cause, strerror(EBADF));
	unlink(path_of("d/a.pem"));
	check_row("one file of a directory: the others count, and the error names it");
	CHECK(symlink("loop", path_of("d/loop")) == 0);
	CHECK(scan(&g, "d", 1, 0, &cause) == 0);
	CHECK(g.trust.seen == 0);
	CHECK_EQ_S(g.trust.unread, strerror(ELOOP));
	put_file("d/a.pem", BEGIN "\nQUJD\n" END "\n", strlen(BEGIN END) + 7);
	CHECK(scan(&g, "d", 1, 0, &cause) == 0);
	CHECK(g.trust.seen == 1);
	CHECK_EQ_S(g.trust.unread, strerror(ELOOP));
	g.trust.unread = "the first reason";
	CHECK(wsi_trust_scan(&g.trust, &mem, path_of("d"), 1, &cause) == 0);
	CHECK_EQ_S(g.trust.unread, "the first reason");
	unlink(path_of("d/loop"));
	until_us = wsi_clock_us(); /* the deadline is the same for a directory */
	CHECK(scan(&g, "d", 1, 0, &cause) == WS_ETIMEOUT);
	CHECK(strstr(cause, "timed out") != NULL);
	CHECK(scan(&g, "d/a.pem", 0, 0, &cause) == WS_ETIMEOUT);
	until_us = INT64_MAX;
	unlink(path_of("d/a.pem"));
	rmdir(path_of("d"));
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(dir, sizeof dir, "%s/test_trust.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (mkdtemp(dir) == NULL) {
		perror(dir);
		return 1;
	}
	TEST(test_pem);
	TEST(test_characters);
	TEST(test_sizes);
	TEST(test_large);
	TEST(test_mixed);
	TEST(test_paths);
	TEST(test_pipes);
	TEST(test_silent_pipes);
	if (fcntl(0, F_GETFD) >= 0)
		TEST(test_descriptor_0);
	TEST(test_unreadable);
#ifdef __linux__
	TEST(test_read_fails);
	TEST(test_places);
	TEST(test_system);
#endif
	CHECK(rmdir(dir) == 0);
	return check_done();
}
#endif
