/* SPDX-License-Identifier: ISC
 * fuzz_input.c - any bytes in any pieces for cli/lines.c and cli/list.c, which read standard input,
 * and for cli/expand.c: the result must be that of a simple reader of the whole text
 *
 * An input: a byte that says what is fuzzed, four that say how, then the text. The text can be
 * repeated, so that short inputs fill the buffers, too.
 */
#include "test/fuzz/blocks.h"
#include "cli/lines.h"
#include "cli/list.h"
#include "cli/optable.h"
#include "cli/process.h"
#include "cli/wsquery.h"
#include <errno.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

#define HOW 5           /* bytes before the text */
#define TEXT_MAX 90000  /* bytes of the text, repeated */
#define BLOCK 65536     /* of lines.c: its block, unless a line is longer */
#define LIST_LINE 16383 /* of list.c: a longer line is cut */

/* ---- Standard input: descriptor 0 can always be polled, and these are its bytes ---- */

static struct {
	const char *p;
	size_t len, at, piece;
	int stutter; /* every other read has nothing */
	int turn;
} in;

ptrdiff_t wq_read(int fd, void *buf, size_t len)
{
	MUST(fd == 0 && len > 0);
	if (in.stutter && (in.turn ^= 1)) {
		errno = EAGAIN;
		return -1;
	}
	if (len > in.piece)
		len = in.piece;
	if (len > in.len - in.at)
		len = in.len - in.at;
	if (len > 0)
		memcpy(buf, in.p + in.at, len);
	in.at += len;
	return (ptrdiff_t)len;
}

bool wq_is_closed(int fd)
{
	MUST(fd == 0);
	return false;
}

static void set_input(const char *p, size_t len, unsigned piece, int stutter)
{
	in.p = p;
	in.len = len;
	in.at = 0;
	in.piece = piece < 128 ? 1 + piece : (size_t)(piece - 127) * 1000;
	in.stutter = stutter;
	in.turn = 0;
}

/* ---- Lines ---- */

/* The length of the line that begins at text[at..len). *size includes its newline. */
static size_t plain_line(const char *text, size_t at, size_t len, bool keep_return, size_t *size)
{
	const char *newline = memchr(text + at, '\n', len - at);
	size_t n = newline ? (size_t)(newline - text) - at : len - at;

	*size = n + (newline != NULL);
	if (newline && n > 0 && !keep_return && text[at + n - 1] == '\r')
		n--;
	return n;
}

/* Where the written part of text[from..to) ends. Of the lines' frames, and `begun` bytes of another
 * one, the last `unsent` bytes were not written. */
static size_t plain_written(const char *text, size_t from, size_t to, size_t len, bool keep_return,
                            size_t begun, size_t unsent, unsigned *back)
{
	size_t at, size, total = begun, sum = 0, keep = from;

	*back = 0;
	for (at = from; at < to; at += size)
		total += wq_lines_frame_size(plain_line(text, at, len, keep_return, &size));
	for (at = from; at < to; at += size) {
		sum += wq_lines_frame_size(plain_line(text, at, len, keep_return, &size));
		if (sum + unsent > total || *back > 0)
			++*back;
		else
			keep = at + size;
	}
	return keep;
}

static unsigned backs; /* how often lines may still be taken back */

/* What to do after a line: take it back, forget it, or neither */
static void after_line(struct wq_lines *l, const unsigned char *how, const char *text, size_t len,
                       size_t *begin, size_t *at)
{
	unsigned turn = (unsigned)l->number * 7 + how[3], back;
	size_t begun = turn % 5, unsent = turn % 64;
	uint64_t number = l->number;

	if (turn % 4 == 0 && how[3] & 1) {
		wq_lines_forget(l);
		*begin = *at;
	} else if (turn % 11 == 0 && how[3] & 2 && backs > 0) {
		backs--;
		*at = plain_written(text, *begin, *at, len, l->keep_return, begun, unsent, &back);
		wq_lines_go_back(l, begun, unsent);
		MUST(l->number + back == number && l->begin == l->next);
		*begin = *at;
	}
}

static void fuzz_lines(const unsigned char *how, const char *text, size_t len)
{
	size_t max_line = how[2] < 200 ? how[2] : (size_t)(how[2] - 199) * 1500, begin = 0, at = 0,
	       size, want, most = max_line + 2 > BLOCK ? max_line + 2 : BLOCK;
	bool keep_return = how[4] & 1;
	struct wq_lines l;
	struct wq_line line;
	unsigned long steps = 0;
	int r;

	backs = 50;
	wq_lines_init(&l, max_line, keep_return);
	for (;;) {
		MUST(++steps < 1000000 && l.cap <= most && blocks_bytes <= most);
		MUST(l.begin <= l.next && l.next <= l.end && l.end <= l.cap);
		r = wq_lines_look(&l, &line);
		want = at < len ? plain_line(text, at, len, keep_return, &size) : 0;
		if (r < 0) {
			MUST(r == WS_ETOOBIG && want > max_line);
			break;
		}
		if (r == 1) {
			MUST(at < len && line.len == want && line.size == size);
			MUST(want <= max_line && memcmp(line.p, text + at, want) == 0);
			wq_lines_take(&l, &line);
			at += size;
			after_line(&l, how, text, len, &begin, &at);
		} else if (l.over) {
			break;
		} else if (wq_lines_have_room(&l)) {
			r = wq_lines_read(&l);
			MUST(r == 0 || r == WS_AGAIN || (r == WS_EMEMORY && blocks_fail_at));
			if (r == WS_EMEMORY)
				break;
		} else { /* as when the connection has written all that it took */
			MUST(l.begin < l.next);
			wq_lines_forget(&l);
			begin = at;
		}
	}
	MUST(r != 0 || !l.over || at == len);
	wq_alloc(NULL, l.p, l.cap, 0);
}

/* ---- A list of URLs ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next URL of text from *at on, or .p NULL */
static struct wsi_str plain_url(const char *text, size_t *at, size_t len)
{
	struct wsi_str url = {NULL, 0};
	size_t size;
	const char *end;

	while (*at < len) {
		url.p = text + *at;
		url.len = plain_line(text, *at, len, true, &size);
		end = url.p + (url.len < LIST_LINE ? url.len : LIST_LINE);
		if (*at == 0 && url.len >= 3 && memcmp(url.p, "\xef\xbb\xbf", 3) == 0)
			url.p += 3;
		*at += size;
		while (url.p < end && is_blank(*url.p))
			url.p++;
		while (url.p < end && is_blank(end[-1]))
			end--;
		url.len = (size_t)(end - url.p);
		if (url.len > 0 && *url.p != '#')
			return url;
	}
	url.p = NULL;
	return url;
}

static void fuzz_list(const char *text, size_t len)
{
	struct wq_list l;
	struct wsi_str want;
	enum wq_list_result r;
	unsigned long steps = 0;
	size_t at = 0, i;
	char *line;

	if (wq_list_open(&l, "-") != 0) {
		MUST(blocks_fail_at > 0);
		return;
	}
	for (;;) {
		MUST(++steps < 1000000 && blocks_bytes <= 2 * WS_MAX_URL);
		r = wq_list_next(&l, &line);
		if (r == WQ_LIST_WAIT) {
			MUST(in.stutter && l.fd == 0);
			continue;
		}
		want = plain_url(text, &at, len);
		MUST(r == (want.p ? WQ_LIST_LINE : WQ_LIST_END));
		if (r == WQ_LIST_END)
			break;
		MUST(strlen(line) == want.len);
		for (i = 0; i < want.len; i++) /* a NUL is shown as another character */
			MUST(line[i] == (want.p[i] ? want.p[i] : '\1'));
	}
	MUST(wq_list_next(&l, &line) == WQ_LIST_END);
	wq_list_close(&l);
}

/* ---- --data-expand ---- */

/* The text with each ${N} replaced: its length, or more than cap */
static size_t plain_expand(char *out, size_t cap, const char *text, const struct wq_captured *c)
{
	struct wsi_str part;
	size_t len = 0;

	while (*text) {
		part.p = text;
		part.len = 1;
		if (text[0] == '$' && text[1] == '{') {
			part = wq_captured_group(c, (unsigned)(text[2] - '0'));
			text += 4;
		} else {
			text += text[0] == '$' ? 2 : 1;
		}
		if (part.len > cap - len)
			return cap + 1;
		if (part.len > 0)
			memcpy(out + len, part.p, part.len);
		len += part.len;
	}
	return len;
}

static void check_expanded(const struct wq_step *send, const struct wq_captured *c,
                           const struct ws_msg *msg, size_t max)
{
	static char want[1 << 16];
	struct wsi_str group, all = wq_captured_group(c, 0);
	char *data;
	size_t len, want_len = plain_expand(want, max, send->p, c);
	unsigned i;
	int r = wq_expand(send, c, max, &data, &len);

	MUST(all.len == msg->len && memcmp(all.p, msg->data, msg->len) == 0);
	for (i = 1; i <= WQ_CAPTURE_GROUPS; i++) { /* each group lies within the message */
		group = wq_captured_group(c, i);
		MUST(group.len == 0
		     || (group.p >= all.p && group.p + group.len <= all.p + all.len));
	}
	if (r == WS_EMEMORY) {
		MUST(blocks_fail_at > 0);
		return;
	}
	MUST(r == (want_len > max ? WS_ETOOBIG : 0));
	if (r != 0)
		return;
	MUST(len == want_len && (len == 0) == (data == NULL));
	MUST(len == 0 || memcmp(data, want, len) == 0);
	MUST(!data || all.len < 8 || len < all.len || memcmp(data, all.p, all.len) != 0
	     || wq_captured_repeats(c, (struct wsi_str){data, len}));
	wq_alloc(NULL, data, len, 0);
}

/* The text: a pattern, NUL, the value of --data-expand, NUL, the message that matched */
static void fuzz_expand(const unsigned char *how, char *text, size_t len)
{
	static char program[] = "wsquery", url[] = "ws://h", binary[] = "-B", expect[] = "-e",
	            expand[] = "--data-expand";
	char *value = memchr(text, '\0', len), *message, *argv[8];
	struct wq_captured c;
	struct wq_options o;
	struct ws_msg msg;

	message = value ? memchr(value + 1, '\0', len - (size_t)(value + 1 - text)) : NULL;
	if (!message)
		return;
	message++;
	argv[0] = program;
	argv[1] = url;
	argv[2] = binary;
	argv[3] = expect;
	argv[4] = text;
	argv[5] = expand;
	argv[6] = value + 1;
	argv[7] = NULL;
	if (wq_options_parse(&o, 7, argv) != 0 || o.no_memory)
		return;
	memset(&c, 0, sizeof c);
	memset(&msg, 0, sizeof msg);
	msg.type = WS_TEXT;
	msg.data = message;
	msg.len = len - (size_t)(message - text);
	if (wq_captured_take(&c, &o.steps[0], &msg) == 0) {
		while (wq_captured_find(&c) == 0)
			;
		check_expanded(&o.steps[1], &c, &msg, how[2] < 200 ? 1 << 16 : how[3]);
	} else {
		MUST(blocks_fail_at > 0);
	}
	wq_captured_free(&c);
}

/* ---- One input ---- */

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static FILE *ready; /* standard input, as poll() sees it */
	size_t len, times = 1, i;
	unsigned kind;
	char *text;

	if (!ready)
		ready = freopen("/dev/null", "r", stdin);
	MUST(ready);
	if (size < HOW || size > 4096)
		return 0;
	kind = data[0] % 4;
	len = size - HOW;
	if (data[0] >= 248 && len > 0 && kind < 2)
		times = TEXT_MAX / len;
	text = malloc(len * times + 1);
	MUST(text);
	for (i = 0; i < times && len > 0; i++)
		memcpy(text + i * len, data + HOW, len);
	len *= times;
	text[len] = '\0';
	set_input(text, len, times == 1 ? data[1] : data[1] | 128u, times == 1 && data[4] & 2);
	blocks_begin(data[4] >= 250 ? data[4] - 249u : 0);
	if (kind == 0)
		fuzz_lines(data, text, len);
	else if (kind == 1)
		fuzz_list(text, len);
	else
		fuzz_expand(data, text, len);
	MUST(kind > 1 || blocks_bytes == 0);
	blocks_free_all();
	free(text);
	return 0;
}

#include "test/fuzz/replay.h"
