/* SPDX-License-Identifier: ISC
 * test_copy.c - copy.c: nothing that the options point to is needed once ws_new has returned. A new
 * string or list of the options is one line of the table.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "talk.h"
#include "guard.h"
#include "ws_conn.h"
#include <stddef.h>

#define STRING(field)                                                                              \
	{                                                                                          \
#field, offsetof(struct ws_options, field), 0                                      \
	}
#define LIST(field)                                                                                \
	{                                                                                          \
#field, offsetof(struct ws_options, field), 1                                      \
	}
static const struct {
	const char *name;
	size_t at;
	int is_list;
} fields[] = {
    LIST(headers),
    LIST(subprotocols),
    LIST(resolve),
    STRING(origin),
    STRING(host),
    STRING(user_agent),
    STRING(cookie),
    STRING(user),
    STRING(bearer),
    STRING(unix_socket),
    STRING(proxy),
    STRING(proxy_wss),
    STRING(no_proxy),
    STRING(tls.ca_file),
    STRING(local_interface),
    STRING(tls.ca_dir),
    STRING(tls.cert_file),
    STRING(tls.ciphers),
    STRING(tls.key_file),
    STRING(tls.key_password),
    STRING(tls.pin_sha256),
    STRING(tls.server_name),
    STRING(tls.keylog_file),
};
enum { FIELDS = sizeof fields / sizeof fields[0], IN_LIST = 3 };

/* What a program gives, in memory that is overwritten later. */
struct given {
	char text[FIELDS][IN_LIST][16];
	const char *list[FIELDS][IN_LIST + 1];
};

static void give(struct given *g, struct ws_options *o, size_t i)
{
	char *at = (char *)o + fields[i].at;
	const char *const *list = g->list[i];
	const char *string = g->text[i][0];
	size_t k;

	for (k = 0; k < IN_LIST; k++) {
		snprintf(g->text[i][k], sizeof g->text[i][k], "%u.%u", (unsigned)i, (unsigned)k);
		g->list[i][k] = g->text[i][k];
	}
	if (fields[i].is_list)
		memcpy(at, &list, sizeof list);
	else
		memcpy(at, &string, sizeof string);
}

static void expect(const struct ws_options *o, size_t i)
{
	const char *const *list;
	const char *string;
	char want[16];
	size_t k;

	check_row("%s", fields[i].name);
	memcpy(&list, (const char *)o + fields[i].at, sizeof list);
	memcpy(&string, (const char *)o + fields[i].at, sizeof string);
	for (k = 0; k < IN_LIST; k++) {
		snprintf(want, sizeof want, "%u.%u", (unsigned)i, (unsigned)k);
		if (fields[i].is_list)
			CHECK_EQ_S(list[k], want);
		else if (k == 0)
			CHECK_EQ_S(string, want);
	}
	if (fields[i].is_list)
		CHECK(!list[IN_LIST]);
	check_row_end();
}

/* Copies fields[from..to), overwrites what was given, and looks at the copy. */
static void copy_some(size_t from, size_t to)
{
	static struct given g;
	struct ws_options o;
	size_t i, len;
	char *block;

	memset(&o, 0, sizeof o);
	memset(&g, 0, sizeof g);
	for (i = from; i < to; i++)
		give(&g, &o, i);
	len = wsi_copy_options(&o, NULL);
	expect(&o, from); /* counting changes nothing */
	block = malloc(len);
	CHECK_EQ_U(wsi_copy_options(&o, block), len);
	memset(&g, 0x5a, sizeof g);
	for (i = from; i < to; i++)
		expect(&o, i);
	free(block);
}

static void test_each_option_is_copied(void)
{
	struct ws_options o;
	size_t i;

	for (i = 0; i < FIELDS; i++)
		copy_some(i, i + 1);
	for (i = 0; i < FIELDS; i++)
		copy_some(i, FIELDS);
	memset(&o, 0, sizeof o);
	CHECK_EQ_U(wsi_copy_options(&o, NULL), 0);
}

/* The copy ends where it says that it does, however long the strings are. */
static void test_a_copy_fits(void)
{
	char text[20];
	const char *list[2] = {text, NULL}, *none = NULL;
	struct ws_options o;
	size_t n, len;
	char *block;

	for (n = 0; n < sizeof text; n++) {
		memset(text, 'x', n);
		text[n] = '\0';
		memset(&o, 0, sizeof o);
		o.headers = o.subprotocols = list;
		o.origin = text;
		o.tls.server_name = text;
		len = wsi_copy_options(&o, NULL);
		/* The copy's beginning is aligned, so its end meets the page only for some n. */
		block = (char *)guard_after("", 0) - (len + -len % sizeof(char *));
		CHECK_EQ_U(wsi_copy_options(&o, block), len);
		CHECK_EQ_S(o.tls.server_name, text);
		CHECK_EQ_S(o.headers[0], text);
		CHECK_EQ_S(o.subprotocols[0], text);
		CHECK(o.headers[1] == NULL && o.subprotocols[1] == NULL);
		CHECK_EQ_S(o.origin, text);
	}
	check_row("an empty list");
	memset(&o, 0, sizeof o);
	o.headers = (const char *const *)guard_after(&none, sizeof none);
	len = wsi_copy_options(&o, NULL);
	CHECK_EQ_U(len, sizeof none);
	block = malloc(len);
	CHECK_EQ_U(wsi_copy_options(&o, block), len);
	CHECK(o.headers[0] == NULL);
	free(block);
	check_row_end();
}

/* A function of an event-driven program, which makes the connection and returns. */
static void begin_in_a_function(struct talk *t)
{
	char header[] = "X-Room: lobby", subprotocol[] = "chat", origin[] = "http://here";
	char host[] = "there", agent[] = "me/1", cookie[] = "a=b", user[] = "joe:s3cret";
	const char *headers[] = {header, NULL}, *subprotocols[] = {subprotocol, NULL};
	struct ws_options o = t->o;
	struct ws_io io = t->io;
	char url[] = URL;

	o.io = &io;
	o.headers = headers;
	o.subprotocols = subprotocols;
	o.origin = origin;
	o.host = host;
	o.user_agent = agent;
	o.cookie = cookie;
	o.user = user;
	t->ws = ws_new(url, &o);
	memset(header, 'X', sizeof header);
	memset(subprotocol, 'X', sizeof subprotocol);
	memset(origin, 'X', sizeof origin);
	memset(host, 'X', sizeof host);
	memset(agent, 'X', sizeof agent);
	memset(cookie, 'X', sizeof cookie);
	memset(user, 'X', sizeof user);
	memset(headers, 0, sizeof headers);
	memset(subprotocols, 0, sizeof subprotocols);
	memset(&o, 0xff, sizeof o);
	memset(&io, 0xff, sizeof io);
	memset(url, 'X', sizeof url);
}

static void test_options_may_go_after_ws_new(void)
{
	static const char *const want[] = {"\r\nX-Room: lobby\r\n",
	                                   "\r\nSec-WebSocket-Protocol: chat\r\n",
	                                   "\r\nOrigin: http://here\r\n",
	                                   "\r\nHost: there\r\n",
	                                   "\r\nUser-Agent: me/1\r\n",
	                                   "\r\nCookie: a=b\r\n",
	                                   "\r\nAuthorization: Basic am9lOnMzY3JldA==\r\n"};
	struct talk t;
	size_t i;
	int r;

	talk_begin(&t, "", 0);
	t.o.nonblock = 1;
	begin_in_a_function(&t);
	REPEAT(r, &t.f, t.ws, 1, ws_open(t.ws));
	CHECK_EQ_U(r, 0);
	for (i = 0; i < sizeof want / sizeof want[0]; i++) {
		check_row("%s", want[i] + 2);
		CHECK(talk_sent_has(&t, want[i]));
	}
	check_row_end();
	talk_end(&t);
}

/* A program and a library of different ages compare their options byte by byte, and the value of
 * padding is undefined. So the last field must end where the struct ends: whoever adds a single int
 * adds a reserved one as well. */
static void test_options_end_with_a_field(void)
{
	const size_t last = offsetof(struct ws_options, give_up);

	CHECK_EQ_U(sizeof(struct ws_options), last + sizeof(void *));
}

int main(void)
{
	TEST(test_each_option_is_copied);
	TEST(test_a_copy_fits);
	TEST(test_options_may_go_after_ws_new);
	TEST(test_options_end_with_a_field);
	return check_done();
}
