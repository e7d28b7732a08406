/* SPDX-License-Identifier: ISC
 * client.c - plays conversations to the library over the fake transport and prints what it
 * received, for compare.py
 *
 * usage: client < CONVERSATIONS
 *
 * A conversation is a length of four bytes, big-endian, and the bytes that a server sends after
 * its 101. For each, one line is printed: "text HEX", "binary HEX" and "pong HEX" for what it
 * received, separated by ", ", then "end WORD CODE" with the word of ws_errname and the close code.
 */
#include "test/fake.h"

static void print_message(const struct ws_msg *msg)
{
	const unsigned char *p = msg->data;
	size_t i;

	fputs(msg->type == WS_TEXT ? "text " : "binary ", stdout);
	for (i = 0; i < msg->len; i++)
		printf("%02x", p[i]);
	fputs(", ", stdout);
}

/* Adds the next conversation to the script. Returns 0 if there is none. */
static int read_conversation(struct script *script)
{
	unsigned char length[4], byte;
	size_t left;

	if (fread(length, 1, sizeof length, stdin) != sizeof length)
		return 0;
	left =
	    (size_t)length[0] << 24 | (size_t)length[1] << 16 | (size_t)length[2] << 8 | length[3];
	for (; left > 0; left--) {
		if (fread(&byte, 1, 1, stdin) != 1)
			return 0;
		script_put(script, &byte, 1);
	}
	return 1;
}

/* The bytes come in pieces of `step`; 0: all at once. */
static void play(const struct script *script, size_t step)
{
	struct fake fake;
	struct ws_options options;
	struct ws_io io;
	struct ws_conn *ws;
	struct ws_msg msg;
	int err;

	fake_init(&fake, script->p, script->len);
	fake_options(&fake, &options, &io);
	fake.split = sizeof FAKE_101 - 1;
	fake.step = step;
	fake.end = WS_IO_EOF;
	fake.discard = 1;
	ws = ws_new("ws://server.example.com/chat", &options);
	if (!ws)
		exit(1);
	err = ws_open(ws);
	while (err == 0) {
		err = ws_recv(ws, &msg);
		if (err == 0)
			print_message(&msg);
	}
	printf("end %s %d\n", ws_errname(err), ws_report(ws)->close_code);
	ws_free(ws);
	fake_free(&fake);
}

int main(int argc, char **argv)
{
	size_t step = argc > 1 ? (size_t)strtoul(argv[1], NULL, 10) : 0;
	struct script script = {NULL, 0, 0};

	script_str(&script, FAKE_101);
	while (read_conversation(&script)) {
		play(&script, step);
		script.len = sizeof FAKE_101 - 1;
	}
	script_free(&script);
	return 0;
}
