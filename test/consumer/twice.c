/* SPDX-License-Identifier: ISC
 * twice.c - two libraries that each have a copy of ws.c, made with PREFIX_SYMBOLS, and the program that
 * uses both: usage: twice URL TEXT
 */
#include <stdio.h>
#include <string.h>

#ifdef BOTH
int ask_one(const char *url, const char *text, int shown);
int ask_two(const char *url, const char *text, int shown);

int main(int argc, char **argv)
{
	if (argc != 3 || ask_one(argv[1], argv[2], 0) != 0)
		return 1;
	return ask_two(argv[1], argv[2], 1);
}
#else
#include "ws.h"

int ASK(const char *url, const char *text, int shown);

int ASK(const char *url, const char *text, int shown)
{
	struct ws_options opt = {
	    .timeout_ms = 5000,
#ifdef LATER
	    .later = {LATER},
#endif
	};
	struct ws_conn *ws = ws_new(url, &opt);
	ptrdiff_t len = (ptrdiff_t)strlen(text);
	struct ws_msg msg;
	int r = 1;

	if (!ws)
		return 1;
	if (ws_open(ws) == 0 && ws_send(ws, WS_TEXT, text, (size_t)len) == len
	    && ws_recv(ws, &msg) == 0) {
		if (shown)
			printf("%.*s\n", (int)msg.len, (const char *)msg.data);
		r = ws_report(ws)->http_status != 101;
	}
	if (r)
		fprintf(stderr, "%s\n", ws_errmsg(ws));
	ws_close(ws, WS_CLOSE_NORMAL, NULL);
	ws_free(ws);
	return r;
}
#endif
