/* SPDX-License-Identifier: ISC
 * client.c - one query, after which no descriptor may be open, for ../cli/ci_faults.py
 *
 * usage: client URL CA_FILE
 *
 * Prints "ok DATA", or the word and the sentence of the error. Exit status 2: a descriptor is open.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include "ws.h"

int __real_fcntl(int fd, int command, ...); /* not counted: see faults.c */

#define DESCRIPTORS 64 /* how many are checked */

static int open_descriptors(void)
{
	int fd, n = 0;

	for (fd = 0; fd < DESCRIPTORS; fd++)
		n += __real_fcntl(fd, F_GETFD) != -1;
	return n;
}

int main(int argc, char **argv)
{
	struct ws_options options = {.timeout_ms = 5000};
	struct ws_answer answer;
	int before = open_descriptors();

	if (argc != 3)
		return 64;
	if (strncmp(argv[1], "wss:", 4) == 0)
		options.tls.ca_file = argv[2];
	if (ws_query(argv[1], &options, WS_TEXT, "hello", 5, &answer) == 0)
		printf("ok %s\n", answer.data);
	else
		printf("%s %s\n", ws_errname(answer.err), answer.error);
	ws_answer_free(&answer, &options);
	fflush(stdout);
	return open_descriptors() == before ? 0 : 2;
}
