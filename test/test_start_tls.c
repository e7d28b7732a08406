/* SPDX-License-Identifier: ISC
 * test_start_tls.c - TLS of the program's own over the library's connection: ws_options.start_tls
 *
 * A "session" here moves the bytes unchanged, reads ahead as TLS libraries do, and fails where a
 * test says so. The server is real, on loopback; examples/openssl.c and gnutls.c are tested too.
 */
#include "net.h"
#include <stdbool.h>

/* What the sessions of one connection do, and what happened to them */
struct plan {
	struct client *c;
	/* start_tls returns these, one after another, and then the last one forever */
	int results[4];
	int n;
	/* io_error returns it */
	const char *words;
	bool no_words;   /* io_error is NULL */
	bool no_read;    /* io_read is NULL */
	int read_result; /* io_read fails with it once the buffered bytes are taken; 0: it does not */
	int write_result; /* io_write fails with it */

	int calls, sessions, closes;
	char names[4][300]; /* server_name of each session */
	bool odd;           /* something happened that must not happen */
};

struct session {
	struct plan *plan;
	int fd;
	char ahead[4096];
	size_t from, to;
};

static ptrdiff_t session_read(void *io, void *buf, size_t len)
{
	struct session *s = io;
	ssize_t n;

	if (s->from == s->to) {
		if (s->plan->read_result)
			return s->plan->read_result;
		n = recv(s->fd, s->ahead, sizeof s->ahead, 0);
		if (n == 0)
			return WS_IO_EOF;
		if (n < 0)
			return errno == EAGAIN ? WS_IO_READ : WS_IO_RESET;
		s->from = 0;
		s->to = (size_t)n;
	}
	if (len > 7) /* poll does not know of the bytes that stay in the session */
		len = 7;
	if (len > s->to - s->from)
		len = s->to - s->from;
	memcpy(buf, s->ahead + s->from, len);
	s->from += len;
	return (ptrdiff_t)len;
}

static ptrdiff_t session_write(void *io, const void *buf, size_t len)
{
	struct session *s = io;
	ssize_t n;

	if (s->plan->write_result)
		return s->plan->write_result;
	n = send(s->fd, buf, len, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN ? WS_IO_WRITE : WS_IO_RESET;
	return n;
}

static int session_wait(void *io, int events, int timeout_ms)
{
	struct session *s = io;

	(void)events;
	(void)timeout_ms;
	s->plan->odd = true; /* the library polls the descriptor itself */
	return -1;
}

static void session_close(void *io)
{
	struct session *s = io;

	if (fcntl(s->fd, F_GETFD) < 0) /* the descriptor must still be open here */
		s->plan->odd = true;
	s->plan->closes++;
	free(s);
}

static const char *session_error(void *io)
{
	struct session *s = io;

	return s->plan->words;
}

static struct plan *the_plan; /* user_data is the fake's */

static int begin(void *user_data, int fd, const char *server_name, struct ws_io *io)
{
	static const struct ws_io zeroed;
	struct plan *p = the_plan;
	struct session *s = io->io;
	int at = p->calls < p->n ? p->calls : p->n - 1;

	if (user_data != &p->c->f || !(fcntl(fd, F_GETFL) & O_NONBLOCK))
		p->odd = true;
	if (!s) {
		if (memcmp(io, &zeroed, sizeof zeroed) != 0)
			p->odd = true;
		s = calloc(1, sizeof *s);
		if (!s)
			abort();
		s->plan = p;
		s->fd = fd;
		io->io = s;
		io->io_read = p->no_read ? NULL : session_read;
		io->io_write = session_write;
		io->io_wait = session_wait;
		io->io_close = session_close;
		io->io_error = p->no_words ? NULL : session_error;
		snprintf(p->names[p->sessions++ % 4], sizeof p->names[0], "%s", server_name);
	}
	if (s->fd != fd || strcmp(server_name, p->names[(p->sessions - 1) % 4]) != 0)
		p->odd = true;
	p->calls++;
	return p->n ? p->results[at] : 0;
}

static void plan_begins(struct plan *p, struct client *c)
{
	p->c = c;
	p->calls = p->sessions = p->closes = 0;
	p->odd = false;
	the_plan = p;
	c->o.start_tls = begin;
}

static void plan_ends(const struct plan *p, int sessions)
{
	CHECK(!p->odd);
	CHECK_EQ_U(p->sessions, sessions);
	CHECK_EQ_U(p->closes, sessions);
}

/* How the handshake ends, and the error */
static void test_handshake(void)
{
	static const struct {
		const char *what;
		struct plan plan;
		int err, phase;
		const char *says;
	} cases[] = {
	    {"left to io_read and io_write", {.n = 1}, 0, WS_PHASE_READY, ""},
	    {"done when the descriptor was ready",
	     {.results = {WS_IO_WRITE, WS_IO_WRITE, WS_IO_WRITE, 0}, .n = 4},
	     0,
	     WS_PHASE_READY,
	     ""},
	    {"a certificate, in words",
	     {.results = {WS_IO_WRITE, WS_IO_CERT}, .n = 2, .words = "it has expired"},
	     WS_ECERT,
	     WS_PHASE_TLS,
	     ": it has expired"},
	    {"a certificate, without words",
	     {.results = {WS_IO_CERT}, .n = 1, .no_words = true},
	     WS_ECERT,
	     WS_PHASE_TLS,
	     ": the server's certificate was rejected"},
	    {"TLS, in words",
	     {.results = {WS_IO_TLS}, .n = 1, .words = "no shared cipher"},
	     WS_ETLS,
	     WS_PHASE_TLS,
	     ": no shared cipher"},
	    {"TLS, NULL for words",
	     {.results = {WS_IO_TLS}, .n = 1},
	     WS_ETLS,
	     WS_PHASE_TLS,
	     ": TLS failed"},
	    {"anything else, in words",
	     {.results = {WS_IO_ERROR}, .n = 1, .words = "no entropy"},
	     WS_EIO,
	     WS_PHASE_TLS,
	     ": no entropy"},
	    {"anything else, an empty string for words",
	     {.results = {WS_IO_ERROR}, .n = 1, .words = ""},
	     WS_EIO,
	     WS_PHASE_TLS,
	     ": input/output error"},
	    {"words that a terminal must not see",
	     {.results = {WS_IO_CERT}, .n = 1, .words = "CN=\033[2J\nx"},
	     WS_ECERT,
	     WS_PHASE_TLS,
	     ": CN=?[2J?x"},
	    {"a reset, in words",
	     {.results = {WS_IO_RESET}, .n = 1, .words = "cut off"},
	     WS_ERESET,
	     WS_PHASE_TLS,
	     ": cut off"},
	    {"the end, which needs no words",
	     {.results = {WS_IO_EOF}, .n = 1, .words = "no"},
	     WS_ECLOSED,
	     WS_PHASE_TLS,
	     ": the connection was closed"},
	    {"no result of an io",
	     {.results = {77}, .n = 1},
	     WS_EIO,
	     WS_PHASE_TLS,
	     ": input/output error"},
	    {"io_read is not set",
	     {.n = 1, .no_read = true},
	     WS_EUSAGE,
	     WS_PHASE_TLS,
	     ": start_tls did not set io_read and io_write"},
	    {"the first write",
	     {.write_result = WS_IO_CERT, .words = "self-signed"},
	     WS_ECERT,
	     WS_PHASE_UPGRADE,
	     ": self-signed"},
	    {"the first read",
	     {.read_result = WS_IO_TLS, .words = "bad record"},
	     WS_ETLS,
	     WS_PHASE_UPGRADE,
	     ": bad record"},
	};
	struct server s;
	struct client c;
	struct plan plan;
	char begins[100];
	size_t i;
	int nonblock, r;

	for (nonblock = 0; nonblock < 2; nonblock++) {
		for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
			check_row("%s, nonblock %d", cases[i].what, nonblock);
			server_start(&s, good, 1);
			client_init(&c, "wss://127.0.0.1:%d/", s.port);
			c.o.nonblock = nonblock;
			plan = cases[i].plan;
			plan_begins(&plan, &c);
			r = client_open(&c);
			CHECK_EQ_U(r, cases[i].err);
			CHECK_EQ_U(ws_report(c.ws)->phase, cases[i].phase);
			CHECK(ws_report(c.ws)->tls_verified == 0);
			HAS(&c, cases[i].says);
			if (r < 0 && cases[i].phase == WS_PHASE_TLS) {
				sprintf(begins, "TLS handshake with 127.0.0.1:%d: ", s.port);
				HAS(&c, begins);
			}
			if (r == WS_EUSAGE)
				CHECK_EQ_S(ws_report(c.ws)->option, "start_tls");
			if (r == 0)
				client_talk(&c);
			client_free(&c);
			server_end(&s);
			plan_ends(&plan, 1);
			CHECK(plan.calls >= plan.n);
		}
	}
	check_row_end();
}

/* A handshake that does not end is bound by the deadline */
static void test_deadline(void)
{
	static const struct visit silent[1] = {{{{"never", NULL, 0}}, LINGER}};
	struct plan plan = {.results = {WS_IO_READ}, .n = 1};
	struct server s;
	struct client c;
	int nonblock;

	for (nonblock = 0; nonblock < 2; nonblock++) {
		server_start(&s, silent, 1);
		client_init(&c, "wss://127.0.0.1:%d/", s.port);
		c.o.nonblock = nonblock;
		c.o.timeout_ms = 50;
		plan_begins(&plan, &c);
		CHECK_EQ_U(client_open(&c), WS_ETIMEOUT);
		HAS(&c, "TLS handshake with 127.0.0.1:");
		HAS(&c, "timed out after ");
		client_free(&c);
		server_end(&s);
		plan_ends(&plan, 1);
		CHECK(plan.calls < 10); /* it waits for the descriptor */
	}
}

/* The error of an open connection whose session fails */
static void test_open_connection_fails(void)
{
	static const struct {
		int word, err;
		const char *words, *says;
	} cases[] = {
	    {WS_IO_TLS, WS_ETLS, "bad record", ": bad record"},
	    {WS_IO_CERT, WS_ECERT, "revoked", ": revoked"},
	    {WS_IO_RESET, WS_ERESET, NULL, ": connection reset"},
	};
	struct plan plan = {.n = 0};
	struct server s;
	struct client c;
	struct ws_msg msg;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%d", cases[i].word);
		server_start(&s, good, 1);
		client_init(&c, "wss://127.0.0.1:%d/", s.port);
		plan.read_result = 0;
		plan_begins(&plan, &c);
		CHECK_EQ_U(client_open(&c), 0);
		CHECK_EQ_U(ws_recv(c.ws, &msg), 0);
		plan.read_result = cases[i].word;
		plan.words = cases[i].words;
		CHECK_EQ_U(ws_recv(c.ws, &msg), WS_ECLOSED); /* it had been read ahead */
		client_free(&c);
		server_end(&s);

		server_start(&s, good, 1);
		client_init(&c, "wss://127.0.0.1:%d/", s.port);
		plan.read_result = 0;
		plan_begins(&plan, &c);
		CHECK_EQ_U(client_open(&c), 0);
		plan.write_result = cases[i].word;
		CHECK_EQ_U(ws_send(c.ws, WS_TEXT, "x", 1), WS_AGAIN);
		CHECK_EQ_U(ws_send(c.ws, WS_TEXT, "x", 1), cases[i].err);
		HAS(&c, cases[i].says);
		CHECK_EQ_U(ws_recv(c.ws, &msg), cases[i].err);
		plan.write_result = 0;
		client_free(&c);
		server_end(&s);
		plan_ends(&plan, 1);
	}
	check_row_end();
}

/* Each allocation fails once */
static void test_no_memory(void)
{
	struct plan plan = {.n = 0};
	struct server s;
	struct client c;
	unsigned long n, failed = 1;
	int r;

	for (n = 2; failed && n < 100; n++) {
		check_row("allocation %lu", n);
		server_start(&s, good, 1);
		client_init(&c, "wss://127.0.0.1:%d/", s.port);
		plan_begins(&plan, &c);
		c.f.alloc_fail_at = n;
		r = client_open(&c);
		failed = c.f.failed_allocs;
		CHECK(r == 0 || (failed && r == WS_EMEMORY));
		client_free(&c);
		server_end(&s);
		plan_ends(&plan, plan.sessions);
	}
	check_row_end();
	CHECK(n > 4 && n < 100);
}

#define NAME_50 "a23456789.a23456789.a23456789.a23456789.a23456789."
#define LONGEST_NAME NAME_50 NAME_50 NAME_50 NAME_50 NAME_50 "a2345" /* 255 bytes */

/* The name that a session gets; ws:// has none */
static void test_names(void)
{
	static const struct {
		const char *host, *server_name, *name;
	} cases[] = {
	    {"127.0.0.1", NULL, "127.0.0.1"},
	    {"LocalHost", NULL, "LocalHost"},
	    {"a.localhost.", NULL, "a.localhost"},
	    {"[::1]", NULL, "::1"},
	    {"127.0.0.1", "other.example.", "other.example"},
	    {"127.0.0.1", LONGEST_NAME, LONGEST_NAME},
	    {"127.0.0.1", ".", ""},
	};
	struct plan plan = {.n = 0};
	struct server s;
	struct client c;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s %s", cases[i].host, cases[i].server_name ? cases[i].server_name : "");
		s.port = 0;
		s.fd = bound(cases[i].host[0] == '[' ? "::1" : "127.0.0.1", &s.port);
		if (!CHECK(s.fd >= 0 || !have_ipv6()) || s.fd < 0)
			continue;
		server_on(&s, s.fd, good, 1);
		client_init(&c, "wss://%s:%d/", cases[i].host, s.port);
		c.o.tls.server_name = cases[i].server_name;
		plan_begins(&plan, &c);
		CHECK_EQ_U(client_open(&c), 0);
		client_talk(&c);
		client_free(&c);
		server_end(&s);
		plan_ends(&plan, 1);
		CHECK_EQ_S(plan.names[0], cases[i].name);
	}
	check_row("ws:// has no TLS");
	server_start(&s, good, 1);
	client_init(&c, "ws://127.0.0.1:%d/", s.port);
	plan_begins(&plan, &c);
	CHECK_EQ_U(client_open(&c), 0);
	client_talk(&c);
	client_free(&c);
	server_end(&s);
	plan_ends(&plan, 0);
	check_row_end();
}

/* Every hop has its own session. tls.server_name is for the first origin only. */
static void test_redirect(void)
{
	struct plan plan = {.results = {WS_IO_WRITE, 0}, .n = 2};
	struct server s, other;
	struct client c;
	struct visit away[1];
	char to[200];

	memset(away, 0, sizeof away);
	server_start(&other, good, 1);
	sprintf(to, "HTTP/1.1 302 x\r\nLocation: wss://localhost:%d/\r\n\r\n", other.port);
	away[0].acts[0].until = "\r\n\r\n";
	away[0].acts[0].say = to;
	server_start(&s, away, 1);
	client_init(&c, "wss://127.0.0.1:%d/", s.port);
	c.o.max_redirects = 1;
	c.o.tls.server_name = "first.example";
	plan_begins(&plan, &c);
	CHECK_EQ_U(client_open(&c), 0);
	client_talk(&c);
	client_free(&c);
	server_end(&s);
	server_end(&other);
	plan_ends(&plan, 2);
	CHECK_EQ_S(plan.names[0], "first.example");
	CHECK_EQ_S(plan.names[1], "localhost");

	check_row("a redirect to ws://");
	server_start(&other, good, 1);
	sprintf(to, "HTTP/1.1 302 x\r\nLocation: ws://127.0.0.1:%d/\r\n\r\n", other.port);
	server_start(&s, away, 1);
	client_init(&c, "wss://127.0.0.1:%d/", s.port);
	c.o.max_redirects = 1;
	plan_begins(&plan, &c);
	CHECK_EQ_U(client_open(&c), WS_EREDIRECT);
	HAS(&c, "its Location leads from wss:// to unencrypted ws://");
	client_free(&c);
	server_end(&s);
	server_end(&other);
	plan_ends(&plan, 1);
	CHECK_EQ_U(other.seen_len[0], 0);

	check_row("a redirect to a port where nobody listens");
	other.port = 0;
	other.fd = bound("127.0.0.1", &other.port);
	sprintf(to, "HTTP/1.1 302 x\r\nLocation: wss://127.0.0.1:%d/\r\n\r\n", other.port);
	server_start(&s, away, 1);
	client_init(&c, "wss://127.0.0.1:%d/", s.port);
	c.o.max_redirects = 1;
	plan_begins(&plan, &c);
	CHECK_EQ_U(client_open(&c), WS_EREFUSED);
	HAS(&c, " (redirected: wss://127.0.0.1:");
	CHECK(ws_header(c.ws, "Location") == NULL); /* no header of the earlier hop */
	client_free(&c);
	server_end(&s);
	close(other.fd);
	plan_ends(&plan, 1);
	check_row_end();
}

/* TLS begins after the proxy's answer, and the proxy cannot insert bytes before it */
static void test_proxy(void)
{
	static const struct visit v[2] = {
	    {{{"\r\n\r\n", "HTTP/1.1 200 x\r\n\r\n", 0},
	      {"\r\n\r\n", FAKE_101 "\x81\x02hi\x88\x02\x03\xe8", sizeof FAKE_101 - 1 + 8}},
	     LINGER},
	    {{{"\r\n\r\n", "HTTP/1.1 200 x\r\n\r\nx", 0}}, LINGER},
	};
	struct plan plan = {.n = 0};
	struct server s;
	struct client c;
	char proxy[100];
	int nonblock;

	for (nonblock = 0; nonblock < 2; nonblock++) {
		server_start(&s, v, 2);
		sprintf(proxy, "http://127.0.0.1:%d", s.port);
		client_init(&c, "wss://target.test/");
		c.o.nonblock = nonblock;
		c.o.proxy = proxy;
		plan_begins(&plan, &c);
		CHECK_EQ_U(client_open(&c), 0);
		CHECK_EQ_S(plan.names[0], "target.test");
		client_talk(&c);
		client_free(&c);
		plan_ends(&plan, 1);
		CHECK(strncmp(s.seen[0], "CONNECT target.test:443 ", 24) == 0);
		CHECK(strstr(s.seen[0], "GET / ") != NULL);

		client_init(&c, "wss://target.test/");
		c.o.nonblock = nonblock;
		c.o.proxy = proxy;
		plan_begins(&plan, &c);
		CHECK_EQ_U(client_open(&c), WS_ETLS);
		HAS(&c, "the peer sent bytes before it began");
		client_free(&c);
		server_end(&s);
		plan_ends(&plan, 0);
	}
}

/* start_tls also works over a descriptor of the program (use_fd) */
static void test_given_descriptor(void)
{
	struct plan plan = {.results = {WS_IO_WRITE, 0}, .n = 2};
	struct sockaddr_storage ss;
	struct server s;
	struct client c;
	socklen_t len;

	server_start(&s, good, 1);
	client_init(&c, "wss://behind.example/");
	len = make_sockaddr(&ss, "127.0.0.1", s.port);
	c.o.use_fd = 1;
	c.o.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(connect(c.o.fd, (struct sockaddr *)&ss, len) == 0);
	plan_begins(&plan, &c);
	CHECK_EQ_U(client_open(&c), 0);
	client_talk(&c);
	client_free(&c);
	server_end(&s);
	plan_ends(&plan, 1);
	CHECK_EQ_S(plan.names[0], "behind.example");
}

/* Options that would have no effect are errors */
static void test_usage(void)
{
	static char long_name[300];
	struct plan plan = {.n = 0};
	struct client c;
	struct ws_io io;
	int k;

	for (k = 0; k < 4; k++) {
		static const char *const options[] = {"start_tls", "tls", "tls.server_name",
		                                      "tls.server_name"};

		check_row("%s %d", options[k], k);
		client_init(&c, "wss://127.0.0.1:9/");
		plan_begins(&plan, &c);
		if (k == 0) {
			fake_options(&c.f, &c.o, &io);
			c.o.start_tls = begin;
		} else if (k == 1) {
			c.o.tls.ca_file = "ca.pem";
			c.o.tls.server_name = "a.example";
		} else if (k == 2) {
			c.o.tls.server_name = "";
		} else {
			memset(long_name, 'x', 256);
			c.o.tls.server_name = long_name;
		}
		CHECK_EQ_U(client_open(&c), WS_EUSAGE);
		CHECK_EQ_S(ws_report(c.ws)->option, options[k]);
		client_free(&c);
		plan_ends(&plan, 0);
	}
	check_row_end();
}

int main(void)
{
	int before = count_fds();

	TEST(test_handshake);
	TEST(test_deadline);
	TEST(test_open_connection_fails);
	TEST(test_no_memory);
	TEST(test_names);
	if (ws_features() & WS_HAS_REDIRECTS)
		TEST(test_redirect);
	if (ws_features() & WS_HAS_PROXY)
		TEST(test_proxy);
	TEST(test_given_descriptor);
	TEST(test_usage);
	return net_done(before);
}
