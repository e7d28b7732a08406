/* SPDX-License-Identifier: ISC
 * minimal.c - the smallest program with the library: it prints the answer of a query. Its size is measured.
 */
#include <string.h>
#include <unistd.h>
#include "ws.h"

int main(int argc, char **argv)
{
	struct ws_answer a;
	ssize_t n;

	if (argc != 3)
		return 64;
	if (ws_query(argv[1], NULL, WS_TEXT, argv[2], strlen(argv[2]), &a) == 0)
		n = write(1, a.data, a.len);
	else
		n = write(2, a.error, strlen(a.error));
	ws_answer_free(&a, NULL);
	return n < 0 || a.err != 0;
}
