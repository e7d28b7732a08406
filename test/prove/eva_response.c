/* SPDX-License-Identifier: ISC
 * eva_response.c - for Frama-C's Eva: the response of the handshake, on any bytes of each length up to
 * a bound. test/prove/run starts each entry point.
 */
#include <string.h>
#include "eva.h"

void prove_response(void);
void prove_response_check(void);

/* The head: the first bytes of a status line with any numbers, and then any bytes */

#define STATUS_LEN 12 /* of "HTTP/1.1 101" */
static char head[STATUS_LEN + N];

static void set_digit(char *p, char least)
{
	*p = (char)Frama_C_interval(least, '9');
}

/* Puts them where rest bytes follow up to the end of head. */
static char *begin_head(size_t n, size_t rest)
{
	char status[] = "HTTP/1.1 101";
	char *p = head + sizeof head - n - rest;

	set_digit(status + 7, '0');
	set_digit(status + 9, '1');
	set_digit(status + 10, '0');
	set_digit(status + 11, '0');
	memcpy(p, status, n);
	return p;
}

static void read_head(char *p, size_t len)
{
	char buf[8];
	struct wsi_response r;
	struct wsi_text why;

	memset(&r, 0, sizeof r);
	wsi_text_init(&why, buf, sizeof buf);
	wsi_response_read(&r, p, len, &why);
	//@ assert r.len <= len;
}

/* A status line that is whole, or ends anywhere, or has any byte there. A line end is a case of its
 * own, since Eva has no set for all other bytes. */
static void read_status(size_t right)
{
	char *p = begin_head(right, 1);

	read_head(p, right);
	p[right] = '\n';
	read_head(p, right + 1);
	p[right] = (char)Frama_C_interval(-128, '\n' - 1);
	read_head(p, right + 1);
	p[right] = (char)Frama_C_interval('\n' + 1, 127);
	read_head(p, right + 1);
}

static void read_lines(size_t len)
{
	char *p = begin_head(STATUS_LEN, len);

	memcpy(p + STATUS_LEN, LAST(len), len);
	read_head(p, STATUS_LEN + len);
}

void prove_response(void)
{
	size_t len;

	ANY_BYTES();
	//@ loop unroll STATUS_LEN + 1;
	for (len = 0; len < STATUS_LEN; len++)
		read_status(len);
	//@ loop unroll N + 1;
	for (len = 0; len <= N; len++)
		read_lines(len);
}

/* A response whose headers have any value of that length, and a body of that length */

static void check(size_t len)
{
	static const char *const offered[] = {"chat", "superchat", NULL};
	static const char accept[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
	const char *subprotocol, *option;
	char buf[8];
	struct wsi_response r;
	struct wsi_text text;
	struct wsi_body body;
	size_t k;

	memset(&r, 0, sizeof r);
	r.status = Frama_C_interval(100, 999);
	r.minor = Frama_C_interval(0, 9);
	//@ loop unroll WSI_SEEN;
	for (k = 0; k < WSI_SEEN; k++) {
		r.seen[k].value.p = LAST(len);
		r.seen[k].value.len = len;
		r.seen[k].count = Frama_C_interval(0, 1000);
		r.seen[k].listed = any_bool();
	}
	wsi_text_init(&text, buf, sizeof buf);
	wsi_response_check(&r, accept, offered, &subprotocol, &option, &text);
	r.seen[WSI_EXTENSIONS].value.len = 0; /* another one fails before the rest is looked at */
	wsi_response_check(&r, accept, offered, &subprotocol, &option, &text);
	wsi_response_check(&r, accept, NULL, &subprotocol, &option, &text);
	wsi_body_init(&body, &r);
	wsi_body_feed(&body, &text, LAST(len), len);
}

void prove_response_check(void)
{
	char accept[WSI_ACCEPT_LEN];
	size_t len;

	ANY_BYTES();
	//@ loop unroll N + 1;
	for (len = 0; len <= N; len++)
		check(len);
	//@ assert N >= WSI_REQUEST_KEY_LEN;
	wsi_accept(accept, in);
}
