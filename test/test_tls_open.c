/* SPDX-License-Identifier: ISC
 * test_tls_open.c - a connection that opens over TLS, and memory that is refused while it does
 */
#include "tls.h"
#include "fake.h"
#ifndef WS_NO_NET
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#endif

#ifdef WS_WITH_MBEDTLS
#include <sys/stat.h>

/* ---- The connection above the session ---- */

/* A server that sends the same record again and again */
struct flood {
	unsigned char record[7]; /* is sent again and again */
	size_t at;
	long reads, writes;
	int entropy; /* the result of asking for random bytes */
};

static ptrdiff_t flood_read(void *io, void *buf, size_t len)
{
	struct flood *f = io;
	size_t n = sizeof f->record - f->at;

	f->reads++;
	if (n > len)
		n = len;
	memcpy(buf, f->record + f->at, n);
	f->at = (f->at + n) % sizeof f->record;
	return (ptrdiff_t)n;
}

static ptrdiff_t flood_write(void *io, const void *buf, size_t len)
{
	struct flood *f = io;

	(void)buf;
	f->writes++;
	return (ptrdiff_t)len;
}

static int flood_entropy(void *user_data, void *buf, size_t len)
{
	struct flood *f = user_data;

	return f->entropy != 0 ? f->entropy : wsi_entropy(buf, len);
}

static struct ws_conn *flood_open(struct flood *f)
{
	static const struct ws_io io = {.io_read = flood_read, .io_write = flood_write};
	struct ws_io own = io;
	struct ws_options o = {
	    .nonblock = 1, .io_is_plain = 1, .entropy = flood_entropy, .user_data = f, .io = &own};

	own.io = f;
	return ws_new("wss://localhost/", &o);
}

/* A warning alert, which mbedTLS skips, as often as it reads */
static void test_read_budget(void)
{
	struct flood f = {.record = {0x15, 0x03, 0x03, 0x00, 0x02, 0x01, 0x5a}};
	struct ws_conn *ws = flood_open(&f);
	struct ws_pollset set;
	long before;
	int i;

	if (!CHECK(ws != NULL))
		return;
	CHECK(ws_open(ws) == WS_AGAIN && f.reads == 0); /* this call only enters the TLS state */
	for (i = 0; i < 3; i++) {
		before = f.reads;
		CHECK(ws_open(ws) == WS_AGAIN);
		CHECK_EQ_U(f.reads - before, 250);
		ws_wants(ws, &set);
		CHECK(set.timeout_ms == 0); /* more is waiting, whether or not poll knows of it */
	}
	ws_timeout(ws, 0); /* nothing is read once the deadline has passed */
	before = f.reads;
	CHECK(ws_open(ws) == WS_ETIMEOUT);
	CHECK(f.reads == before);
	ws_free(ws);
}

static ptrdiff_t failing_read(void *io, void *buf, size_t len)
{
	(void)io;
	(void)buf;
	(void)len;
	return WS_IO_ERROR;
}

static const char *modem_off(void *io)
{
	(void)io;
	return "the modem is off";
}

/* The words of the program's transport for its failure appear in the error, through TLS too */
static void test_transport_words(void)
{
	struct flood f = {.record = "no TLS"};
	struct ws_io io = {.io_read = failing_read, .io_write = flood_write, .io = &f};
	struct ws_options o = {.nonblock = 1, .io_is_plain = 1, .io = &io};
	struct ws_conn *ws;
	int words;

	for (words = 0; words < 2; words++) {
		if (words)
			io.io_error = modem_off;
		ws = ws_new("wss://localhost/", &o);
		if (!CHECK(ws != NULL))
			return;
		CHECK_EQ_U(ws_open(ws), WS_AGAIN);
		CHECK_EQ_U(ws_open(ws), WS_EIO);
		CHECK_EQ_S(ws_errmsg(ws), words
		                              ? "TLS handshake with localhost:443: the modem is off"
		                              : "TLS handshake with localhost:443: the "
		                                "transport failed");
		ws_free(ws);
	}
}

/* A connection over a server in this process, and a clock that the test moves */
static int64_t own_now(void *user_data)
{
	return *(int64_t *)user_data;
}

/* Random bytes that make the key to which FAKE_101 is the answer */
static int known_entropy(void *user_data, void *buf, size_t len)
{
	unsigned char *p = buf;
	size_t i;

	(void)user_data;
	for (i = 0; i < len; i++)
		p[i] = (unsigned char)fake_nonce[i % 16];
	return 0;
}

static struct ws_conn *open_over(struct pair *p, int64_t *now, const char *ca_file)
{
	struct ws_io io = {.io_read = client_read, .io_write = client_write, .io = p};
	struct ws_options o = {.nonblock = 1,
	                       .io_is_plain = 1,
	                       .io = &io,
	                       .alloc = test_alloc,
	                       .now_us = own_now,
	                       .entropy = known_entropy,
	                       .user_data = now,
	                       .timeout_ms = 10000};

	o.tls.ca_file = ca_file;
	o.tls.max_version = 12;
	return ws_new("wss://localhost/", &o);
}

/* The deadline passes while the issuer is looked for */
static void test_late_search(void)
{
	struct setup s = good;
	struct pair *p;
	int64_t now = 0;
	struct ws_conn *ws;

	s.cert = "self"; /* so that the whole bundle is read */
	p = pair_alone(&s);
	ws = open_over(p, &now, in_certs("bundle", ".pem"));
	CHECK_EQ_U(ws_open(ws), WS_AGAIN);
	CHECK_EQ_U(ws_open(ws), WS_AGAIN);
	server_step(p);
	now = 10000 * 1000 - 1; /* a microsecond is left */
	CHECK_EQ_U(ws_open(ws), WS_ETIMEOUT);
	CHECK(strstr(ws_errmsg(ws), "TLS handshake with localhost:443: timed out while looking for "
	                            "the issuer of the server's certificate")
	      != NULL);
	ws_free(ws);
	pair_free(p);
}

static int gives_up(void *user_data)
{
	++*(int *)user_data;
	return 1;
}

/* Nobody writes into a pipe, and there is no deadline: the program gives up. */
static void test_give_up(void)
{
	int asked = 0;
	struct ws_options o = {.timeout_ms = -1, .give_up = gives_up, .user_data = &asked};
	struct ws_conn *ws;
	struct ws_trust *trust;

	CHECK(mkfifo(in_scratch("fifo"), 0600) == 0);
	o.tls.ca_file = in_scratch("fifo");
	trust = ws_trust_new(&o);
	CHECK_EQ_U(asked, 1);
	CHECK(trust && strstr(ws_trust_errmsg(trust), "timed out") != NULL);
	ws_trust_free(trust);

	o.tls.ca_file = NULL;
	o.tls.cert_file = in_scratch("fifo");
	ws = ws_new("wss://localhost/", &o);
	CHECK_EQ_U(asked, 2);
	CHECK_EQ_U(ws_open(ws), WS_ETIMEOUT);
	CHECK_EQ_S(ws_report(ws)->option, "tls.cert_file");
	ws_free(ws);
	unlink(in_scratch("fifo"));
}

/* A handshake that does not end in time: whether the server has said anything */
static void test_late_handshake(void)
{
	static const struct {
		size_t came; /* bytes of the server */
		const char *says;
	} cases[] = {
	    {0, "TLS handshake with localhost:443 timed out after 10 s: the server never answered; "
	        "does this port speak TLS (wss://)?"},
	    {1,
	     "TLS handshake with localhost:443 timed out after 10 s: the server answered, but the "
	     "handshake is still incomplete"},
	    {100,
	     "TLS handshake with localhost:443 timed out after 10 s: the server answered, but the "
	     "handshake is still incomplete"},
	};
	struct setup s = good;
	struct pair *p;
	struct ws_conn *ws;
	int64_t now;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%lu bytes came", (unsigned long)cases[i].came);
		now = 0;
		p = pair_alone(&s);
		ws = open_over(p, &now, in_certs("ca", ".pem"));
		CHECK_EQ_U(ws_open(ws), WS_AGAIN);
		CHECK_EQ_U(ws_open(ws), WS_AGAIN);
		server_step(p);
		if (CHECK(p->down.w >= p->down.r + cases[i].came))
			p->down.w = p->down.r + cases[i].came;
		CHECK_EQ_U(ws_open(ws), WS_AGAIN);
		now = 10000 * 1000;
		CHECK_EQ_U(ws_open(ws), WS_ETIMEOUT);
		CHECK_EQ_S(ws_errmsg(ws), cases[i].says);
		CHECK_EQ_U(ws_report(ws)->phase, WS_PHASE_TLS);
		ws_free(ws);
		pair_free(p);
	}
	check_row_end();
}

/* An upgrade that fails below TLS: the error has the words of the session */
static void test_failing_upgrade(void)
{
	static const struct {
		int eof; /* 0: the bytes that arrive are not a TLS record */
		int err;
		const char *says;
	} cases[] = {
	    {1, WS_ERESET, "upgrade at localhost:443: connection reset without a response"},
	    {0, WS_ETLS, "upgrade at localhost:443: what came is not a TLS record"},
	};
	struct setup s = good;
	struct pair *p;
	struct ws_conn *ws;
	int64_t now = 0;
	size_t i;
	int k;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s", cases[i].says);
		p = pair_alone(&s);
		ws = open_over(p, &now, in_certs("ca", ".pem"));
		for (k = 0; k < 20 && ws_report(ws)->phase != WS_PHASE_UPGRADE; k++) {
			server_step(p);
			CHECK_EQ_U(ws_open(ws), WS_AGAIN);
		}
		if (cases[i].eof)
			p->down.eof = 1;
		else
			CHECK_EQ_U(pipe_write(&p->down, "HTTP/1.1 200 OK\r\n", 17), 17);
		CHECK_EQ_U(ws_open(ws), cases[i].err);
		CHECK_EQ_S(ws_errmsg(ws), cases[i].says);
		ws_free(ws);
		pair_free(p);
	}
	check_row_end();
}

/* Many messages, one record each: each read of the connection may read from the transport again.
 * After the closing handshake TLS sends close_notify. */
static void test_many_records(void)
{
	struct setup s = good;
	struct pair *p = pair_alone(&s);
	struct ws_pollset set;
	struct ws_msg msg;
	int64_t now = 0;
	struct ws_conn *ws = open_over(p, &now, in_certs("ca", ".pem"));
	char sent[1000];
	int k;

	for (k = 0; k < 20 && ws_report(ws)->phase != WS_PHASE_UPGRADE; k++) {
		server_step(p);
		CHECK_EQ_U(ws_open(ws), WS_AGAIN);
	}
	CHECK(server_write(p, FAKE_101, sizeof FAKE_101 - 1) > 0);
	CHECK_EQ_U(ws_open(ws), 0);
	for (k = 0; k < 500; k++) {
		CHECK_EQ_U(server_write(p, "\x82\x01x", 3), 3);
		CHECK_EQ_U(ws_recv(ws, &msg), 0);
		CHECK_EQ_U(msg.len, 1);
	}
	CHECK_EQ_U(ws_recv(ws, &msg), WS_AGAIN);
	ws_wants(ws, &set);
	CHECK_EQ_U(set.timeout_ms, 10000); /* there is nothing to do before the deadline */
	CHECK_EQ_U(server_write(p, "\x88\x02\x03\xe8", 4), 4);
	CHECK_EQ_U(ws_close(ws, 1000, NULL), 0);
	CHECK_EQ_U(server_read(p, sent, sizeof sent), MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
	ws_free(ws);
	pair_free(p);
}

#if !defined(WS_NO_NET) && !defined(WS_NO_REDIRECTS)
/* A socket on a port of 127.0.0.1 that the system chooses */
static int bound_socket(int *port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof sin;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	CHECK(bind(fd, (struct sockaddr *)&sin, len) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)&sin, &len) == 0);
	*port = ntohs(sin.sin_port);
	return fd;
}

/* The server's end of a connection: what the socket brings and takes. False: there is nothing more
 * to do now */
static bool carry(struct pair *p, int fd)
{
	unsigned char buf[2000];
	ssize_t n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);
	ptrdiff_t out;

	if (n > 0)
		CHECK_EQ_U(pipe_write(&p->up, buf, (size_t)n), n);
	server_step(p);
	out = pipe_read(&p->down, buf, sizeof buf);
	if (out > 0)
		CHECK_EQ_U(send(fd, buf, (size_t)out, MSG_NOSIGNAL), out);
	return n > 0 || out > 0;
}

/* A server that redirects to itself, and then to a port where nobody listens */
static void test_redirects(void)
{
	const struct setup s = good;
	struct ws_options o = {.nonblock = 1, .max_redirects = 2};
	const struct ws_report *report;
	char url[100], answer[200], request[4000];
	int port, nowhere, listener = bound_socket(&port), other = bound_socket(&nowhere), fd, hop;
	struct ws_conn *ws;
	struct pair *p;
	size_t have;
	int r = WS_AGAIN, n;

	CHECK(listen(listener, 2) == 0);
	sprintf(url, "wss://127.0.0.1:%d/", port);
	o.tls.ca_file = in_certs("ca", ".pem");
	ws = ws_new(url, &o);
	report = ws_report(ws);
	for (hop = 0; hop < 2; hop++) {
		struct pollfd waits = {.fd = listener, .events = POLLIN};

		sprintf(answer, "HTTP/1.1 301 x\r\nLocation: wss://127.0.0.1:%d/\r\n\r\n",
		        hop == 0 ? port : nowhere);
		r = ws_open(ws);
		CHECK_EQ_U(r, WS_AGAIN);
		CHECK(poll(&waits, 1, 20000) == 1);
		fd = accept(listener, NULL, NULL);
		p = pair_alone(&s);
		memset(request, 0, sizeof request);
		for (have = 0; r == WS_AGAIN && report->redirects == hop;) {
			waits.fd = fd;
			if (!carry(p, fd))
				poll(&waits, 1, 10);
			r = ws_open(ws);
			n = 0;
			if (p->server_done && !strstr(request, "\r\n\r\n"))
				n = server_read(p, request + have, sizeof request - 1 - have);
			have += (size_t)n;
			if (n > 0 && strstr(request, "\r\n\r\n"))
				CHECK(server_write(p, answer, strlen(answer)) > 0);
		}
		CHECK_EQ_U(report->redirects, hop + 1);
		/* what was said of the server before is gone with the connection to it */
		CHECK_EQ_S(report->tls_version, "");
		CHECK_EQ_S(report->tls_cipher, "");
		CHECK_EQ_S(report->cert_subject, "");
		CHECK_EQ_S(report->cert_issuer, "");
		CHECK_EQ_U(report->cert_not_after, 0);
		CHECK_EQ_U(report->tls_verified, 0);
		close(fd);
		pair_free(p);
	}
	while (r == WS_AGAIN) {
		struct ws_pollset set;
		struct pollfd waits = {.events = POLLOUT};

		ws_wants(ws, &set);
		waits.fd = set.fd[0].fd;
		poll(&waits, (nfds_t)set.n, set.timeout_ms);
		r = ws_open(ws);
	}
	CHECK_EQ_U(r, WS_EREFUSED);
	ws_free(ws);
	close(listener);
	close(other);
}
#endif

/* Without a deadline, files are waited for without a limit */
static void test_no_deadline(void)
{
	struct flood f = {.record = "no TLS"};
	struct ws_io io = {.io_read = flood_read, .io_write = flood_write, .io = &f};
	struct ws_options o = {.nonblock = 1, .io_is_plain = 1, .io = &io, .timeout_ms = -1};
	struct ws_conn *ws;

	o.tls.ca_file = in_certs("ca", ".pem");
	ws = ws_new("wss://localhost/", &o);
	CHECK_EQ_U(ws_open(ws), WS_AGAIN);
	CHECK_EQ_U(ws_open(ws), WS_ETLS);
	CHECK(strstr(ws_errmsg(ws), "does not speak TLS") != NULL);
	ws_free(ws);
}

static void test_late_entropy(void)
{
	struct flood f = {.record = "no TLS", .entropy = 1};
	struct ws_conn *ws = flood_open(&f);
	struct ws_pollset set;
	int i;

	if (!CHECK(ws != NULL))
		return;
	CHECK(ws_open(ws) == WS_AGAIN);
	for (i = 0; i < 3; i++) {
		CHECK(ws_open(ws) == WS_AGAIN);
		CHECK(f.writes == 0);
		ws_wants(ws, &set); /* it retries by itself, with nothing to poll for */
		CHECK(set.n == 0 && set.timeout_ms > 0 && set.timeout_ms <= 1000);
	}
	f.entropy = 0;
	CHECK(ws_open(ws) == WS_ETLS); /* the error comes from the server's answer */
	CHECK(f.writes > 0 && strstr(ws_errmsg(ws), "does not speak TLS") != NULL);
	ws_free(ws);

	f.entropy = 1; /* until the time is over: nothing was sent that a server could answer */
	ws = flood_open(&f);
	CHECK(ws_open(ws) == WS_AGAIN && ws_open(ws) == WS_AGAIN);
	ws_timeout(ws, 0);
	CHECK_EQ_U(ws_open(ws), WS_ETIMEOUT);
	CHECK(strstr(ws_errmsg(ws), " timed out after ") != NULL);
	CHECK(strstr(ws_errmsg(ws), "server") == NULL);
	ws_free(ws);

	f.entropy = -1;
	ws = flood_open(&f);
	if (!CHECK(ws != NULL))
		return;
	CHECK(ws_open(ws) == WS_AGAIN && ws_open(ws) == WS_EENTROPY);
	ws_free(ws);
}

/* ---- No memory ---- */

/* Each of the connection's allocations fails once */
static void test_open_without_memory(void)
{
	struct setup s = good;
	struct pair *p;
	struct ws_conn *ws;
	int64_t now = 0;
	long n;
	int r = WS_EMEMORY, i;

	for (n = 2; n < 100 && r == WS_EMEMORY; n++) {
		check_row("allocation %ld", n);
		p = pair_alone(&s);
		allocs_left = n;
		ws = open_over(p, &now, in_certs("ca", ".pem"));
		for (i = 0, r = WS_AGAIN; r == WS_AGAIN && i < 20; i++) {
			server_step(p);
			r = ws_open(ws);
		}
		allocs_left = -1;
		CHECK(r == WS_EMEMORY
		      || (r == WS_AGAIN && ws_report(ws)->phase == WS_PHASE_UPGRADE));
		CHECK((strcmp(ws_errmsg(ws), "out of memory") == 0) == (r == WS_EMEMORY));
		ws_free(ws);
		pair_free(p);
	}
	check_row_end();
	CHECK(r == WS_AGAIN && n > 8);
}

/* Each of our own allocations fails once */
static void test_memory(void)
{
	struct setup s = good;
	struct pair *p;
	long n;
	int rc = WS_EMEMORY;

	s.tls.ca_file = in_certs("bundle", ".pem");
	s.tls.ca_dir = in_certs("capath", "");
	s.tls.cert_file = in_certs("client", ".pem");
	s.tls.key_file = in_certs("client", ".key");
	for (n = 0; n < 20 && rc != 0; n++) {
		p = pair_alone(&s);
		allocs_left = n;
		rc = pair_client(p, &s);
		if (rc == 0)
			rc = shake(p, -1);
		allocs_left = -1;
		if (!CHECK(rc == WS_EMEMORY || (n > 0 && rc == 0)))
			fprintf(stderr, "\tallocation %ld: %d %s\n", n, rc, p->why_buf);
		pair_free(p);
	}
	CHECK(rc == 0 && n > 5);
}

#ifdef MEMORY_FAILS
/* Each of mbedTLS's allocations fails once */
static void test_library_memory(void)
{
	struct setup s = good;
	struct pair *p;
	long n;
	int rc, max, memory, bare;

	for (bare = 0; bare < 2; bare++)
		for (max = 12; max <= (HAS_13 ? 13 : 12); max++) {
			check_row("to TLS 1.%d, %s", max - 10,
			          bare ? "a CA alone" : "a bundle and a client certificate");
			s = with_ca(good);
			s.max_version = max;
			if (!bare) {
				s.client_ca = "ca";
				s.tls.ca_file = in_certs("bundle", ".pem");
				s.tls.cert_file = in_certs("client", ".pem");
				s.tls.key_file = in_certs("client", ".key");
			}
			for (n = 0, rc = -1, memory = 0; n < 1000000 && rc != 0;
			     n += n < 150 ? check_step(7) : n / 16) {
				p = pair_alone(&s);
				client_callocs = n;
				rc = pair_client(p, &s);
#if MBEDTLS_VERSION_NUMBER < 0x03000000
				if (p->c != NULL && rc != 0) /* only the session lacks it */
					CHECK_EQ_U(rc, WS_EMEMORY);
#endif
				if (rc == 0)
					rc = shake(p, -1);
				client_callocs = -1;
				memory += rc == WS_EMEMORY;
				/* it may report another error, but never success */
				if (!CHECK(rc == WS_EMEMORY || rc == WS_ETLS || rc == WS_EUSAGE
				           || rc == WS_ECERT || (n > 0 && rc == 0)))
					fprintf(stderr, "\tallocation %ld: %d %s\n", n, rc,
					        p->why_buf);
				if (rc != WS_EMEMORY && rc != 0 && getenv("TLS_VERBOSE"))
					fprintf(stderr, "allocation %ld: %d %s\n", n, rc,
					        p->why_buf);
				pair_free(p);
			}
			CHECK(rc == 0 && memory > (bare ? 20 : 100) / check_step(7));
		}
}
#endif

int main(void)
{
	tls_begin();
	TEST(test_read_budget);
	TEST(test_transport_words);
	TEST(test_late_search);
	TEST(test_give_up);
	TEST(test_late_handshake);
	TEST(test_failing_upgrade);
	TEST(test_many_records);
#if !defined(WS_NO_NET) && !defined(WS_NO_REDIRECTS)
	TEST(test_redirects);
#endif
	TEST(test_no_deadline);
	TEST(test_late_entropy);
	TEST(test_open_without_memory);
	TEST(test_memory);
#ifdef MEMORY_FAILS
	TEST(test_library_memory);
#endif
	sharing = 1;
	TEST(test_memory);
#ifdef MEMORY_FAILS
	TEST(test_library_memory);
#endif
	return tls_end();
}
#endif
