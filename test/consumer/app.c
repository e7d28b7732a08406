/* SPDX-License-Identifier: ISC
 * app.c - a program that uses the library: usage: app URL TEXT
 */
#include <stdio.h>
#include <string.h>
#include "ws.h"

/* Names that the library uses inside, too: they must not meet */
int fail(int x);
int grow(int x);
int release(int x);
int receive(int x);
int peer(int x);

int fail(int x)
{
	return x + 1;
}

int grow(int x)
{
	return fail(x) + 1;
}

int release(int x)
{
	return grow(x) + 1;
}

int receive(int x)
{
	return release(x) + 1;
}

int peer(int x)
{
	return receive(x) + 1;
}

int main(int argc, char **argv)
{
	struct ws_answer a;
	int r;

	if (argc != 3 || peer(0) != 5)
		return 64;
	r = ws_query(argv[1], NULL, WS_TEXT, argv[2], strlen(argv[2]), &a);
	if (r)
		fprintf(stderr, "%s\n", a.error);
	else
		printf("%s\n", a.data);
	ws_answer_free(&a, NULL);
	return r != 0;
}
