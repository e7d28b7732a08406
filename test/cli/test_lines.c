/* SPDX-License-Identifier: ISC
 * test_lines.c - lines of standard input: where they end, their limit, the block of memory, and how
 * lines that were not written are taken back
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/lines.h"
#include "cli/memory.h"
#include "test/check.h"
#include "ws.h"
#include <string.h>
#include <unistd.h>

static max_align_t arena[20];
static int input[2]; /* the pipe that is standard input */

static void begin_input(struct wq_lines *l, size_t max_line, bool keep_return)
{
	CHECK(pipe(input) == 0);
	CHECK(dup2(input[0], 0) == 0);
	close(input[0]);
	wq_memory_init(arena, 1); /* malloc does the rest */
	wq_lines_init(l, max_line, keep_return);
}

static void put(const char *text, size_t len)
{
	CHECK_EQ_U(write(input[1], text, len), len);
}

static void end_input(struct wq_lines *l)
{
	close(input[1]);
	while (!l->over)
		CHECK_EQ_U(wq_lines_read(l), 0);
}

static void free_lines(struct wq_lines *l)
{
	wq_alloc(NULL, l->p, l->cap, 0);
}

static void test_ends_of_lines(void)
{
	static const struct {
		const char *text, *lines; /* the lines, with '|' after each */
		bool keep_return;
	} t[] = {
	    {"", "", false},
	    {"a\nb\n", "a|b|", false},
	    {"a\nb", "a|b|", false},
	    {"\n\n", "||", false},
	    {"a\r\nb\r", "a|b\r|", false},
	    {"a\r\n\r\n", "a||", false},
	    {"a\r\n\r\n", "a\r|\r|", true},
	    {"\r\r\n", "\r|", false},
	};
	size_t i, n;

	for (i = 0; i < sizeof t / sizeof t[0]; i++) {
		char got[100] = "";
		struct wq_lines l;
		struct wq_line line;

		check_row("%lu", (unsigned long)i);
		begin_input(&l, 100, t[i].keep_return);
		put(t[i].text, strlen(t[i].text));
		end_input(&l);
		for (n = 0; wq_lines_look(&l, &line) == 1; n++) {
			CHECK_EQ_U(l.number, n + 1);
			strncat(got, line.p, line.len);
			strcat(got, "|");
			wq_lines_take(&l, &line);
			CHECK(line.last == (l.next == l.end));
		}
		CHECK_EQ_S(got, t[i].lines);
		free_lines(&l);
	}
	check_row_end();
}

static void test_limit(void)
{
	static const struct {
		const char *text;
		bool over; /* standard input has ended */
		int found;
	} t[] = {
	    {"12345\n", false, 1},
	    {"12345\r\n", false, 1},
	    {"12345", true, 1},
	    {"12345", false, 0},
	    {"12345\r", false, 0},
	    {"12345\r", true, WS_ETOOBIG},
	    {"123456", false, 0},
	    {"123456", true, WS_ETOOBIG},
	    {"123456\n", false, WS_ETOOBIG},
	    {"1234567", false, WS_ETOOBIG},
	};
	size_t i;

	for (i = 0; i < sizeof t / sizeof t[0]; i++) {
		struct wq_lines l;
		struct wq_line line;

		check_row("%s", t[i].text);
		begin_input(&l, 5, false);
		put(t[i].text, strlen(t[i].text));
		if (t[i].over)
			end_input(&l);
		else
			CHECK_EQ_U(wq_lines_read(&l), 0);
		CHECK_EQ_U(wq_lines_look(&l, &line), t[i].found);
		if (!t[i].over) {
			CHECK_EQ_U(wq_lines_read(&l), WS_AGAIN);
			close(input[1]);
		}
		free_lines(&l);
	}
	check_row_end();
}

/* Three lines were sent, in frames of 7, 6 + 126 + 2 and 6 bytes. */
static void test_going_back(void)
{
	static const struct {
		size_t begun, unsent; /* written bytes of a fourth frame; all bytes not written */
		unsigned number;      /* the number of the line that comes next */
	} t[] = {
	    {0, 0, 4},       {0, 1, 3},     {0, 6, 3},     {0, 7, 2},       {0, 6 + 134, 2},
	    {0, 6 + 135, 1}, {0, 147, 1},   {0, 1000, 1},  {9, 0, 4},       {9, 9, 4},
	    {9, 9 + 1, 3},   {9, 9 + 6, 3}, {9, 9 + 7, 2}, {9, 9 + 147, 1},
	};
	static const char fourth[] = "the fourth\n";
	static const size_t lengths[] = {1, 126, 0, sizeof fourth - 2};
	size_t i;
	int n;

	for (i = 0; i < sizeof t / sizeof t[0]; i++) {
		char text[200] = "a\n";
		struct wq_lines l;
		struct wq_line line;

		check_row("%lu begun, %lu unsent", (unsigned long)t[i].begun,
		          (unsigned long)t[i].unsent);
		memset(text + 2, 'b', 126);
		strcpy(text + 128, "\n\n");
		strcat(text, fourth);
		begin_input(&l, 1000, false);
		put(text, strlen(text));
		end_input(&l);
		for (n = 0; n < 3; n++) {
			CHECK_EQ_U(wq_lines_look(&l, &line), 1);
			wq_lines_take(&l, &line);
		}
		CHECK_EQ_U(wq_lines_look(&l, &line), 1);
		wq_lines_go_back(&l, t[i].begun, t[i].unsent);
		CHECK_EQ_U(l.number, t[i].number);
		CHECK_EQ_U(wq_lines_look(&l, &line), 1);
		CHECK_EQ_U(line.len, lengths[t[i].number - 1]);
		free_lines(&l);
	}
	check_row_end();
}

/* Megabytes of lines use a block that does not grow. A long line makes it grow up to its limit. */
static void test_memory(void)
{
	static char text[4096], want[64], out[65536];
	unsigned long i, sent = 0, got = 0;
	struct wq_lines l;
	struct wq_line line;
	size_t len = 0;

	begin_input(&l, 100000, false);
	for (i = 0; i < 20000; i++) {
		len += (size_t)snprintf(text + len, sizeof text - len, "line %lu\n", sent++);
		if (len < sizeof text - 64)
			continue;
		put(text, len);
		len = 0;
		CHECK(wq_lines_have_room(&l));
		CHECK_EQ_U(wq_lines_read(&l), 0);
		while (wq_lines_look(&l, &line) == 1) {
			snprintf(want, sizeof want, "line %lu", got++);
			CHECK_EQ_MEM(line.p, line.len, want, strlen(want));
			wq_lines_take(&l, &line);
			if (got % 7 == 0)
				wq_lines_forget(&l);
		}
		wq_lines_forget(&l);
	}
	CHECK_EQ_U(l.cap, 65536);
	memset(out, 'x', sizeof out);
	wq_lines_forget(&l);
	for (i = 0; wq_lines_have_room(&l) && i < 1000; i++) {
		put(out, 4096);
		CHECK_EQ_U(wq_lines_read(&l), 0);
		if (wq_lines_look(&l, &line) != 0)
			break;
	}
	CHECK_EQ_U(wq_lines_look(&l, &line), WS_ETOOBIG);
	CHECK_EQ_U(l.cap, 100002);
	close(input[1]);
	free_lines(&l);

	check_row("a full block with lines that are still needed takes nothing more");
	begin_input(&l, 1000, false);
	memset(out, '\n', sizeof out);
	put(out, 65536);
	while (l.end < 65536)
		CHECK_EQ_U(wq_lines_read(&l), 0);
	CHECK_EQ_U(wq_lines_look(&l, &line), 1);
	CHECK(!wq_lines_have_room(&l));
	wq_lines_take(&l, &line);
	CHECK(!wq_lines_have_room(&l));
	while (wq_lines_look(&l, &line) == 1)
		wq_lines_take(&l, &line);
	CHECK(!wq_lines_have_room(&l));
	wq_lines_forget(&l);
	CHECK(wq_lines_have_room(&l));
	CHECK_EQ_U(l.number, 65537);
	close(input[1]);
	free_lines(&l);
	check_row_end();
}

int main(void)
{
	TEST(test_ends_of_lines);
	TEST(test_limit);
	TEST(test_going_back);
	TEST(test_memory);
	return check_done();
}
