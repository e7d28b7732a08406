/* SPDX-License-Identifier: ISC
 * cbmc_challenges.c - for CBMC: what refusal.c finds in any short list of challenges, and in any short body
 * of a refusal. test/prove/run starts each entry point.
 */
#include "refusal.c"
#include "cbmc_any.h"

void check_challenges(void);
void check_refusal_body(void);

#define LIST 4 /* bytes of each */
#define BODY 8
#define WORDS 3

/* Each challenge has at least one byte, and a comma before the next one. */
void check_challenges(void)
{
	struct refusal_challenges c = {0, 0, false, false, false};
	char array[LIST];
	size_t len = any_size();
	struct wsi_str list;

	ASSUME(len <= LIST);
	list.p = array + LIST - len;
	list.len = len;
	refusal_note_challenges(&c, list, "");
	MUST(c.count >= 0 && 2 * (size_t)c.count <= len + 1);
}

void check_refusal_body(void)
{
	char array[BODY], words[WORDS + 1];
	size_t len = any_size(), words_len = any_size();
	struct wsi_str body, line;

	ASSUME(len <= BODY && words_len <= WORDS);
	body.p = array + BODY - len;
	body.len = len;
	line = refusal_first_line(body);
	MUST(line.p >= body.p && line.p + line.len <= body.p + len);
	words[WORDS] = '\0';
	refusal_has_words(body, words + WORDS - words_len);
}
