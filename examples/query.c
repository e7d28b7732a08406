/* SPDX-License-Identifier: ISC
 * query.c - one question and its answer, with calls that wait, within 5 s
 *
 * usage: query URL [TEXT]		cc query.c -lwsquery
 */
#include <stdio.h>
#include <string.h>
#include "ws.h"

int main(int argc, char **argv)
{
	struct ws_options opt = {0};
	const char *text = argc > 2 ? argv[2] : "hello";
	size_t len = strlen(text);
	struct ws_msg msg;
	struct ws_conn *ws;
	int ok;

	if (argc < 2)
		return 64;
	/* One deadline for DNS, TLS, upgrade, question, answer and close. */
	opt.timeout_ms = 5000;
	ws = ws_new(argv[1], &opt);
	if (!ws)
		return 1;
	ok = ws_open(ws) == 0 && ws_send(ws, WS_TEXT, text, len) == (ptrdiff_t)len
	     && ws_recv(ws, &msg) == 0;
	if (ok)
		printf("%.*s\n", (int)msg.len, (const char *)msg.data);
	else
		fprintf(stderr, "%s\n", ws_errmsg(ws));
	ws_close(ws, 1000, NULL);
	ws_free(ws);
	return !ok;
}
