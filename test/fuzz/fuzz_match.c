/* SPDX-License-Identifier: ISC
 * fuzz_match.c - any pattern and any text: the result is the same at once, in pieces, and in a
 * second search with the same matcher, and capture.c finds a match if there is one. For libFuzzer;
 * with -DFUZZ_MAIN a program that runs the given files, or random inputs.
 *
 * The input: two bytes with the length of the pattern, one with the size of the pieces, the
 * pattern, the text.
 */
#include "cli/capture.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of its own, so that a sanitizer sees what is read beyond it */
static void *copy_of(const void *p, size_t len)
{
	void *copy = malloc(len > 0 ? len : 1);

	if (!copy)
		abort();
	if (len > 0)
		memcpy(copy, p, len);
	return copy;
}

static int in_pieces(struct wsi_match *m, const uint8_t *text, size_t len, size_t step)
{
	size_t i, n;
	uint8_t *piece;
	int yes = 0, end;

	wsi_match_start(m);
	for (i = 0; i < len; i += n) {
		n = i + step <= len ? step : len - i;
		piece = copy_of(text + i, n);
		end = wsi_match_feed(m, piece, n);
		free(piece);
		if (end < yes)
			abort(); /* a match stays a match */
		yes = end;
	}
	end = wsi_match_end(m);
	if (end < yes)
		abort();
	return end;
}

/* The groups of a match lie within the text, and group 0 is set if match.c says that it matches. */
static void check_groups(const char *pattern, size_t len, const char *text, size_t text_len,
                         int yes)
{
	const char *why = NULL;
	struct wq_capture *c;
	struct wsi_str found;
	unsigned groups, i;
	size_t room, where;
	void *mem;

	room = wq_capture_size(pattern, len, &why, &where, &groups);
	if (room == 0) {
		if (!why || !*why || where > len)
			abort();
		return;
	}
	mem = malloc(room);
	if (!mem)
		abort();
	c = wq_capture_init(mem, room, pattern, len);
	if (!c)
		abort();
	wq_capture_start(c, text, text_len);
	while (!wq_capture_step(c))
		;
	if ((wq_capture_group(c, 0).p != NULL) != yes)
		abort();
	for (i = 0; i <= WQ_CAPTURE_GROUPS; i++) {
		found = wq_capture_group(c, i);
		if (found.p && (found.p < text || found.p + found.len > text + text_len))
			abort();
	}
	free(mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len, step, where = (size_t)-1, room;
	const char *why = NULL;
	struct wsi_match *m;
	char *pattern, *text;
	void *mem;
	int yes;

	if (size < 3)
		return 0;
	len = (size_t)(data[0] << 8 | data[1]) % (size - 2);
	step = 1 + data[2] % 7u;
	data += 3;
	size -= 3;
	pattern = copy_of(data, len);
	room = wsi_match_size(pattern, len, &why, &where);
	if (room == 0) {
		if (!why || !*why || where > len)
			abort();
		free(pattern);
		return 0;
	}
	mem = malloc(room);
	if (!mem)
		abort();
	m = wsi_match_init(mem, room, pattern, len);
	if (!m)
		abort();
	data += len;
	size -= len;
	yes = in_pieces(m, data, size, size + 1);
	if (in_pieces(m, data, size, step) != yes || in_pieces(m, data, size, 1) != yes
	    || in_pieces(m, data, size, size / 2 + 1) != yes
	    || in_pieces(m, data, size, size + 1) != yes)
		abort();
	text = copy_of(data, size);
	check_groups(pattern, len, text, size, yes);
	free(text);
	free(pattern);
	free(mem);
	return 0;
}

#ifdef FUZZ_MAIN
static uint64_t random_state = 0x2545f4914f6cdd1d;

static unsigned below(unsigned n) /* xorshift64* */
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (unsigned)((random_state * 0x2545f4914f6cdd1d) >> 33) % n;
}

static void made_up(void)
{
	static const char *const parts[] = {
	    "a",    "b",     "c",         "(",          ")",     "|",     "*",
	    "+",    "?",     "{",         "}",          ",",     "2",     "{0}",
	    "{3,}", "{1,4}", "[",         "]",          "^",     "$",     ".",
	    "-",    "\\",    "[^",        "[:",         ":]",    "[.",    ".]",
	    "[=",   "=]",    "[:alpha:]", "[:xdigit:]", "[a-c]", "(a|b)", "\xc3\xa9",
	    "\xc3", "\x80",  "\xff",      "\n",         "(a*)*", "{255}", "\xf0\x9f\x98\x80",
	};
	static const uint8_t wide[] = {0xc3, 0xa9, 0xf0, 0x9f, 0x98, 0x80, 0xe2, 0x82};
	uint8_t input[512];
	size_t n = 3, len, i;
	unsigned k, pieces;

	for (k = 0, pieces = 1 + below(20); k < pieces; k++) {
		const char *part = parts[below(sizeof parts / sizeof *parts)];

		memcpy(input + n, part, strlen(part));
		n += strlen(part);
	}
	len = n - 3;
	for (k = 0, pieces = below(60); k < pieces; k++) {
		i = below(8);
		if (i < 6)
			input[n++] = (uint8_t)('a' + i % 3);
		else
			input[n++] = i < 7 ? (uint8_t)below(256) : wide[below(sizeof wide)];
	}
	input[0] = (uint8_t)(len >> 8);
	input[1] = (uint8_t)len;
	input[2] = (uint8_t)below(256);
	LLVMFuzzerTestOneInput(input, n);
}

static void run_made_up(void)
{
	int i;

	for (i = 0; i < 200000; i++)
		made_up();
	printf("%d inputs\n", i);
}
#define FUZZ_MADE_UP run_made_up
#endif
#include "replay.h"
