/* SPDX-License-Identifier: ISC
 * test_list.c - a list of URLs: what counts as a line and what is cut, however the bytes arrive
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/list.h"
#include "cli/memory.h"
#include "test/check.h"
#include "ws.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LONGEST ((size_t)2 * WS_MAX_URL - 1) /* bytes of a line that are kept */
#define MOST 50000                           /* bytes of a list in these tests */

static max_align_t arena[20];
static int input; /* where a test writes what the list reads from standard input */

/* The lines of a list, with '|' after each */
static char got[MOST];

static void begin_input(struct wq_list *l)
{
	int fd[2];

	CHECK(pipe(fd) == 0);
	CHECK(dup2(fd[0], 0) == 0);
	close(fd[0]);
	input = fd[1];
	got[0] = '\0';
	CHECK_EQ_U(wq_list_open(l, "-"), 0);
}

/* Takes all lines that have arrived. Returns the list's last result. */
static enum wq_list_result take_lines(struct wq_list *l)
{
	enum wq_list_result r;
	size_t n = strlen(got);
	char *line;

	while ((r = wq_list_next(l, &line)) == WQ_LIST_LINE) {
		n += (size_t)snprintf(got + n, sizeof got - n, "%s|", line);
		if (!CHECK(n < sizeof got))
			break;
	}
	return r;
}

/* Reads a list that arrives in pieces of this many bytes. */
static void read_list(const char *text, size_t len, size_t piece)
{
	struct wq_list l;
	size_t at, n;

	begin_input(&l);
	for (at = 0; at < len; at += n) {
		n = len - at < piece ? len - at : piece;
		CHECK_EQ_U(write(input, text + at, n), n);
		CHECK_EQ_U(take_lines(&l), WQ_LIST_WAIT);
	}
	close(input);
	CHECK_EQ_U(take_lines(&l), WQ_LIST_END);
	CHECK_EQ_U(take_lines(&l), WQ_LIST_END);
	wq_list_close(&l);
}

static void test_lines(void)
{
#define ROW(text, lines)                                                                           \
	{                                                                                          \
		text, sizeof(text) - 1, lines                                                      \
	}
	static const struct {
		const char *text;
		size_t len;
		const char *lines;
	} t[] = {
	    ROW("", ""),
	    ROW("ws://a/\nws://b/\n", "ws://a/|ws://b/|"),
	    ROW("ws://a/\nws://b/", "ws://a/|ws://b/|"),
	    ROW("\n\n\r\n \t \n", ""),
	    ROW("\n\nws://a/\n\n", "ws://a/|"),
	    ROW("# a comment\nws://a/\n#ws://b/", "ws://a/|"),
	    ROW(" \t# a comment after blanks\n", ""),
	    ROW("ws://a/#b\n", "ws://a/#b|"),
	    ROW(" ws://a/\t \n\tws://b/ ", "ws://a/|ws://b/|"),
	    ROW("ws://a/\r\nws://b/\r\n", "ws://a/|ws://b/|"),
	    ROW("ws://a/ \r\r\n", "ws://a/|"),
	    ROW("ws://a/\rws://b/\n", "ws://a/\rws://b/|"),
	    ROW("ws://a b/\n", "ws://a b/|"),
	    /* An invalid URL is a line, too: its query reports the error. */
	    ROW("nonsense\nhttp:/x\nws://[::1\n\xff\n", "nonsense|http:/x|ws://[::1|\xff|"),
	    /* A byte order mark counts only at the beginning of the list */
	    ROW("\xef\xbb\xbfws://a/\n\xef\xbb\xbfws://b/\n", "ws://a/|\xef\xbb\xbfws://b/|"),
	    ROW("\xef\xbb\xbf# a comment\nws://a/\n", "ws://a/|"),
	    ROW("\xef\xbb\xbf", ""),
	    ROW("\n\xef\xbb\xbfws://a/", "\xef\xbb\xbfws://a/|"),
	    ROW("\xef\xbb", "\xef\xbb|"),
	    /* A NUL does not hide what is after it. */
	    ROW("ws://a/\0b\nws://c/\n", "ws://a/\1b|ws://c/|"),
	    ROW("\0\n\0\0", "\1|\1\1|"),
	    ROW("ws://a/\0", "ws://a/\1|"),
	};
#undef ROW
	static const size_t pieces[] = {1, 2, 3, 5, 8, 4096};
	size_t i, k;

	for (i = 0; i < sizeof t / sizeof t[0]; i++) {
		for (k = 0; k < sizeof pieces / sizeof pieces[0]; k++) {
			check_row("%lu in pieces of %lu", (unsigned long)i,
			          (unsigned long)pieces[k]);
			read_list(t[i].text, t[i].len, pieces[k]);
			CHECK_EQ_S(got, t[i].lines);
		}
	}
	check_row_end();
}

/* Lists of one long line and a short one, which is read unchanged. */
static void test_long_lines(void)
{
	static const struct {
		const char *before; /* the long line: this, and then this many times 'x' */
		size_t n;
		const char *after;
		size_t kept; /* bytes of it that are handed out. 0: it is skipped */
	} t[] = {
	    {"ws://a/", WS_MAX_URL - 7, "\n", WS_MAX_URL},
	    {"ws://a/", WS_MAX_URL - 6, "\n", WS_MAX_URL + 1},
	    {"ws://a/", WS_MAX_URL - 7, "  \r\n", WS_MAX_URL},
	    {"", LONGEST - 1, "\n", LONGEST - 1},
	    {"", LONGEST, "\n", LONGEST},
	    {"", LONGEST + 1, "\n", LONGEST},
	    {"", LONGEST, "\r\n", LONGEST},
	    {"", 2 * LONGEST, "\n", LONGEST},
	    {"", 2 * LONGEST + 1, "\n", LONGEST},
	    {"  ", 2 * LONGEST, "\n", LONGEST - 2},
	    {"#", 2 * LONGEST, "\n", 0},
	    {"\xef\xbb\xbf", LONGEST - 3, "\n", LONGEST - 3},
	};
	static const size_t pieces[] = {1000, LONGEST, 60000};
	static char text[MOST], want[MOST];
	size_t i, k, len;

	for (i = 0; i < sizeof t / sizeof t[0]; i++) {
		size_t shown = strspn(t[i].before, " \xef\xbb\xbf");

		len = (size_t)snprintf(text, sizeof text, "%s", t[i].before);
		memset(text + len, 'x', t[i].n);
		len += t[i].n;
		len += (size_t)snprintf(text + len, sizeof text - len, "%sws://b/\n", t[i].after);
		CHECK(len < sizeof text);
		snprintf(want, sizeof want, "%.*s%sws://b/|", (int)t[i].kept, text + shown,
		         t[i].kept ? "|" : "");
		for (k = 0; k < sizeof pieces / sizeof pieces[0]; k++) {
			check_row("%lu in pieces of %lu", (unsigned long)i,
			          (unsigned long)pieces[k]);
			read_list(text, len, pieces[k]);
			CHECK(strcmp(got, want) == 0);
		}
		check_row_end();
	}
}

/* A long line that is the last one, without a newline */
static void test_a_long_end(void)
{
	static const size_t lengths[] = {WS_MAX_URL, LONGEST - 1, LONGEST, LONGEST + 1,
	                                 2 * LONGEST};
	static char text[MOST];
	size_t i, kept;

	memset(text, 'x', sizeof text);
	for (i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		check_row("%lu bytes", (unsigned long)lengths[i]);
		kept = lengths[i] < LONGEST ? lengths[i] : LONGEST;
		read_list(text, lengths[i], 7000);
		CHECK_EQ_U(strlen(got), kept + 1);
		CHECK_EQ_U(strspn(got, "x"), kept);
	}
	check_row_end();
}

static void test_files_that_cannot_be_read(void)
{
	struct wq_list l;
	char *line;

	check_row("a file that is missing");
	CHECK_EQ_U(wq_list_open(&l, "/nonexistent/list"), ENOENT);
	CHECK_EQ_U(wq_list_next(&l, &line), WQ_LIST_END);
	wq_list_close(&l);

	check_row("a directory");
	CHECK_EQ_U(wq_list_open(&l, "/"), 0);
	CHECK_EQ_U(wq_list_next(&l, &line), WQ_LIST_FAILED);
	CHECK_EQ_U(l.err, EISDIR);
	wq_list_close(&l);
	CHECK(l.fd == -1 && l.buf == NULL);
	check_row_end();
}

/* A FIFO is a list that waits for its first writer. */
static void test_a_fifo(void)
{
	char dir[] = "/tmp/test_list.XXXXXX", path[sizeof dir + 8];
	struct wq_list l;
	int fd;

	if (!CHECK(mkdtemp(dir) != NULL))
		return;
	snprintf(path, sizeof path, "%s/fifo", dir);
	CHECK(mkfifo(path, 0600) == 0);
	got[0] = '\0';
	CHECK_EQ_U(wq_list_open(&l, path), 0);
	CHECK_EQ_U(take_lines(&l), WQ_LIST_WAIT);
	fd = open(path, O_WRONLY);
	CHECK(fd >= 0);
	CHECK(write(fd, "ws://a/\nws:", 11) == 11);
	CHECK_EQ_U(take_lines(&l), WQ_LIST_WAIT);
	CHECK_EQ_S(got, "ws://a/|");
	CHECK(write(fd, "//b/", 4) == 4);
	close(fd);
	CHECK_EQ_U(take_lines(&l), WQ_LIST_END);
	CHECK_EQ_S(got, "ws://a/|ws://b/|");
	wq_list_close(&l);
	unlink(path);
	rmdir(dir);
}

int main(void)
{
	wq_memory_init(arena, 1); /* malloc does the rest */
	TEST(test_lines);
	TEST(test_long_lines);
	TEST(test_a_long_end);
	TEST(test_files_that_cannot_be_read);
	TEST(test_a_fifo);
	return check_done();
}
