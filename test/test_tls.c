/* SPDX-License-Identifier: ISC
 * test_tls.c - TLS sessions from the handshake to the goodbye: tls.c and tls_wire.c
 */
#include "tls.h"

#ifdef WS_WITH_MBEDTLS

static void both_ways(struct pair *p)
{
	unsigned char out[40000], in[40000];
	size_t i, n;
	ptrdiff_t last;

	for (i = 0; i < sizeof out; i++)
		out[i] = (unsigned char)(i * 7 + i / 251);
	CHECK_EQ_U(server_write(p, out, sizeof out), sizeof out);
	memset(in, 0, sizeof in);
	CHECK_EQ_U(drink(p, in, sizeof in, &last), sizeof in);
	CHECK(memcmp(in, out, sizeof in) == 0);
	memset(in, 0, sizeof in);
	for (i = 0; i < sizeof out;) {
		n = sizeof out - i;
		last = wsi_tls_write(p->t, out + i, n);
		if (last > 0)
			i += (size_t)last;
		else if (last != WS_IO_WRITE) {
			CHECK_EQ_U(last, WS_IO_WRITE);
			return;
		}
	}
	CHECK_EQ_U(server_read(p, in, sizeof in), sizeof in);
	CHECK(memcmp(in, out, sizeof in) == 0);
	CHECK_EQ_U(wsi_tls_pending(p->t), 0);
}

static void test_good(void)
{
	static const struct {
		const char *cert, *name, *version;
		int max, secret_13;
	} cases[] = {
		{"good", "localhost", "TLSv1.2", 12, 0},
		{"good", "127.0.0.1", "TLSv1.2", 12, 0},
		{"good", "::1", "TLSv1.2", 12, 0},
		{"rsa", "localhost", "TLSv1.2", 12, 0},
		{"p384", "127.0.0.1", "TLSv1.2", 12, 0},
		{"direct", "LocalHost.", "TLSv1.2", 12, 0},
#if HAS_13
		{"good", "localhost", "TLSv1.3", 0, 1},
		{"rsa", "127.0.0.1", "TLSv1.3", 0, 1},
		{"p384", "localhost", "TLSv1.3", 0, 1}
#endif
	};
	static const size_t pieces[] = {0, 1, 3};
	struct ws_report r;
	struct setup s;
	struct pair *p;
	size_t i, k;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s for %s, %s", cases[i].cert, cases[i].name, cases[i].version);
		for (k = 0; k < (i == 0 || cases[i].secret_13 ? 3 : 1); k++) {
			s = with_ca(good);
			s.cert = cases[i].cert;
			s.name = cases[i].name;
			s.max_version = cases[i].max;
			s.piece = pieces[k];
			p = pair_new(&s);
			CHECK_EQ_U(shake(p, -1), 0);
			CHECK_EQ_S(p->why_buf, "");
			CHECK(p->server_done);
			memset(&r, 0, sizeof r);
			wsi_tls_report(p->t, &r);
			CHECK_EQ_S(r.tls_version, cases[i].version);
			CHECK(strncmp(r.tls_cipher, "TLS_", 4) == 0
			      && strchr(r.tls_cipher, '-') == NULL);
			CHECK_EQ_U(r.tls_verified, 1);
			CHECK(strstr(r.cert_subject, "CN=") != NULL);
			CHECK(r.cert_not_after > 1700000000);
			CHECK_EQ_S(p->sni, strchr("127:", s.name[0])      ? ""
			                   : strcmp(s.name, "LocalHost.") ? "localhost"
			                                                  : "LocalHost");
			both_ways(p);
			pair_free(p);
		}
	}
}

static void test_server_name(void)
{
	struct setup s = with_ca(good);
	struct pair *p;

	s.name = "else.test"; /* shorter than the other name, whose length counts */
	s.tls.server_name = "good.example";
	p = pair_new(&s);
	CHECK_EQ_U(shake(p, -1), 0);
	CHECK_EQ_S(p->sni, "good.example");
	pair_free(p);
	s.foreign = 1; /* tls.server_name does not apply after a redirect to another origin */
	p = pair_new(&s);
	CHECK(shake(p, -1) == WS_ECERT);
	CHECK(strstr(p->why_buf, "is not for \"else.test\""));
	CHECK_EQ_S(p->sni, "else.test");
	pair_free(p);
	s.foreign = 0;
	s.name = "localhost";
	s.tls.server_name = "127.0.0.1";
	p = pair_new(&s);
	CHECK_EQ_U(shake(p, -1), 0);
	CHECK_EQ_S(p->sni, "");
	pair_free(p);
}

/* Names that no server has */
static void test_wrong_names(void)
{
	static char long_name[258];
	static const char *const names[] = {"", ".", "...", long_name};
	struct setup s = with_ca(good);
	struct pair *p;
	size_t i;

	memset(long_name, 'x', sizeof long_name - 2);
	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		check_row("%lu", (unsigned long)i);
		p = pair_alone(&s);
		s.name = names[i];
		CHECK_EQ_U(pair_client(p, &s), WS_ETLS);
		CHECK(p->t == NULL);
		CHECK_EQ_S(p->why_buf, "the server's name is empty, or too long for TLS");
		pair_free(p);
	}
	check_row_end();
	long_name[255] = '\0'; /* the longest */
	s.name = long_name;
	p = pair_new(&s);
	CHECK(shake(p, -1) == WS_ECERT);
	CHECK_EQ_S(p->sni, long_name);
	pair_free(p);
}

static void test_alpn(void)
{
	struct setup s = with_ca(good);
	struct pair *p;

	s.alpn = "http/1.1";
	p = pair_new(&s);
	CHECK_EQ_U(shake(p, -1), 0);
	CHECK_EQ_S(mbedtls_ssl_get_alpn_protocol(&p->ssl), "http/1.1");
	pair_free(p);
	s.alpn = "h2";
	p = pair_new(&s);
	CHECK(shake(p, -1) == WS_ETLS);
	CHECK(strstr(p->why_buf, "no_application_protocol(120)"));
	pair_free(p);
}

/* A server that stalls, closes or resets after each flight, and one whose handshake is cut off
 * after a number of bytes */
static void test_stalls(void)
{
	struct setup s = with_ca(good);
	struct pair *p;
	size_t total, cut;
	int flights, max, rc;

	for (max = 12; max <= (HAS_13 ? 13 : 12); max++) {
		s.max_version = max;
		s.cut = 0;
		p = pair_new(&s);
		CHECK_EQ_U(shake(p, -1), 0);
		total = p->down.total;
		pair_free(p);
		for (flights = 0; flights < (max == 12 ? 2 : 1); flights++) {
			p = pair_new(&s);
			CHECK_EQ_U(shake(p, flights), 1);
			CHECK(wsi_tls_handshake(p->t, INT64_MAX, &p->why) == WS_IO_READ);
			CHECK(p->why.len == 0);
			wsi_tls_goodbye(p->t); /* sends nothing before the handshake's end */
			CHECK(wsi_tls_pending(p->t) == 0);
			p->down.eof = 1;
			CHECK(wsi_tls_handshake(p->t, INT64_MAX, &p->why) == WS_ETLS);
			CHECK_EQ_S(p->why_buf,
			           flights > 0
			               ? "the server closed the connection in the TLS handshake"
			               : "the server closed the connection in the TLS handshake "
			                 "without an answer; does this port speak TLS (wss://)?");
			pair_free(p);

			p = pair_new(&s);
			CHECK_EQ_U(shake(p, flights), 1);
			p->down.reset = p->up.reset = 1;
			CHECK(wsi_tls_handshake(p->t, INT64_MAX, &p->why) == WS_ERESET);
			CHECK_EQ_S(p->why_buf,
			           flights > 0
			               ? "the connection was reset in the TLS handshake"
			               : "the connection was reset in the TLS handshake "
			                 "without an answer; does this port speak TLS (wss://)?");
			pair_free(p);
		}
		for (cut = 1; cut + 16 < total; cut += cut < 12 ? 1 : 61) {
			s.cut = cut;
			p = pair_new(&s);
			rc = shake(p, -1);
			/* the last part of what a TLS 1.3 server sends is not needed for the
			 * handshake */
			if (!CHECK(rc == WS_ETLS)
			    || !CHECK(strstr(p->why_buf, "closed the connection")))
				fprintf(stderr, "\tcut at %lu of %lu: %d %s\n", (unsigned long)cut,
				        (unsigned long)total, rc, p->why_buf);
			pair_free(p);
		}
	}
}

/* A server that refuses what the client sent: its alert can still be read when a write has failed,
 * also byte by byte. A peer that goes on sending without one does not keep the client. */
static void test_alert_after_reset(void)
{
	static const unsigned char refusal[] = {21, 3, 3, 0, 2, 2, 42};
	static const unsigned char goodbye[] = {21, 3, 3, 0, 2, 1, 0};
	static const unsigned char much[] = {23, 3, 3, 0, 25, [30] = 21, 3, 3, 0, 2, 2, 42};
	static const struct {
		const unsigned char *sent;
		size_t len;
		size_t most; /* bytes that a read returns; 0: no limit */
		size_t left; /* bytes that the client does not read */
		int result;
		const char *why;
	} cases[] = {
	    {NULL, 0, 0, 0, WS_ERESET, "the connection was reset in the TLS handshake"},
	    {refusal, sizeof refusal, 0, 0, WS_ETLS,
	     "the server sent the alert bad_certificate(42): it wants a client certificate, or "
	     "another one"},
	    {refusal, sizeof refusal, 1, 0, WS_ETLS,
	     "the server sent the alert bad_certificate(42): it wants a client certificate, or "
	     "another one"},
	    {goodbye, sizeof goodbye, 0, 0, WS_ETLS,
	     "the server sent the alert close_notify(0): it ended the connection in the TLS "
	     "handshake"},
	    {much, sizeof much, 1, sizeof much - 16, WS_ERESET,
	     "the connection was reset in the TLS handshake"},
	};
	struct setup s = with_ca(good);
	struct pair *p;
	size_t i;

	s.max_version = 12;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("row %lu", (unsigned long)i);
		p = pair_new(&s);
		CHECK_EQ_U(shake(p, 0), 1);
		server_step(p);
		if (cases[i].sent)
			pipe_write(&p->down, cases[i].sent, cases[i].len);
		p->down.most = cases[i].most;
		p->up.reset = 1;
		CHECK_EQ_U(wsi_tls_handshake(p->t, INT64_MAX, &p->why), cases[i].result);
		CHECK_EQ_U(p->down.w - p->down.r, cases[i].left);
		CHECK_EQ_S(p->why_buf, cases[i].why);
		pair_free(p);
	}
	check_row_end();
}

static void test_flips(void)
{
	struct setup s = with_ca(good);
	struct pair *p;
	const size_t step = 37 * (size_t)check_step(3);
	size_t total, flip;
	int max, rc;

	for (max = 12; max <= (HAS_13 ? 13 : 12); max++) {
		s.max_version = max;
		s.flip = 0;
		p = pair_new(&s);
		CHECK_EQ_U(shake(p, -1), 0);
		total = p->down.total;
		pair_free(p);
		/* not the very first bytes: see test_not_tls */
		for (flip = 5; flip < total; flip += step) {
			s.flip = flip;
			p = pair_new(&s);
			rc = shake(p, -1);
			/* A wrong length makes the client wait for more. The one thing that no hash
			 * covers is the second 3 of the version in a record's header, which is
			 * ignored (RFC 8446 5.1). */
			if (!CHECK(rc == WS_ETLS || rc == WS_ECERT || rc == 1
			           || (rc == 0 && p->down.flipped == 3))
			    || !CHECK(rc == 1 || rc == 0 || p->why.len > 0))
				fprintf(stderr, "\tflip at %lu of %lu: %d %s\n",
				        (unsigned long)flip, (unsigned long)total, rc, p->why_buf);
			pair_free(p);
		}
	}
}

static void test_not_tls(void)
{
	static const struct {
		const char *bytes, *why;
	} cases[] = {
	    {"HTTP/1.1 400 Bad Request\r\n\r\n",
	     "the server does not speak TLS here but HTTP: try ws://"},
	    {"HTTP/", "but HTTP"},
	    {"SSH-2.0-OpenSSH_9.2p1\r\n", "the server does not speak TLS here"},
	    {"220 mail.example ESMTP\r\n", "the server does not speak TLS here"},
	    {"\x15\x03\x03\x00\x02\x02\x28",
	     "the server sent the alert handshake_failure(40): no cipher"},
	    {"\x15\x03\x01\x00\x02\x02\x46", "the server sent the alert protocol_version(70)"},
	    {"\x15\x03\x01\x00\x02\x02\x70",
	     "the server sent the alert unrecognized_name(112): it has no site of this name"},
	    {"\x15\x03\x03\x00\x02\x02\xc8", "the server sent the alert (200)"}};
	struct setup s = with_ca(good);
	struct pair *p;
	size_t i, len, piece;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s", cases[i].bytes);
		for (piece = 0; piece < 2; piece++) {
			p = pair_new(&s);
			CHECK(wsi_tls_handshake(p->t, INT64_MAX, &p->why) == WS_IO_READ);
			len = strlen(cases[i].bytes);
			if (cases[i].bytes[0] == 0x15)
				len = 7;
			CHECK(pipe_write(&p->down, cases[i].bytes, len) == (ptrdiff_t)len);
			p->down.piece = piece;
			if (!CHECK(shake(p, 0) == WS_ETLS)
			    || !CHECK(strstr(p->why_buf, cases[i].why)))
				fprintf(stderr, "\tcase %lu: %s\n", (unsigned long)i, p->why_buf);
			pair_free(p);
		}
	}
}

static void test_ends(void)
{
	unsigned char buf[100];
	struct setup s = with_ca(good);
	struct pair *p;
	ptrdiff_t last;
	size_t before;
	int max, i;

	for (max = 12; max <= (HAS_13 ? 13 : 12); max++) {
		for (i = 0; i < 6; i++) {
			s.max_version = max;
			p = pair_new(&s);
			CHECK_EQ_U(shake(p, -1), 0);
			CHECK_EQ_U(server_write(p, "hello", 5), 5);
			before = p->down.w;
			switch (i) {
			case 0: /* with close_notify */
				CHECK(mbedtls_ssl_close_notify(&p->ssl) == 0);
				p->down.eof = 1;
				break;
			case 1: /* without close_notify */
				p->down.eof = 1;
				break;
			case 2: /* cut off within a record */
				CHECK(server_write(p, "world", 5) == 5);
				p->down.w = before + 9;
				p->down.eof = 1;
				break;
			case 3: /* a record was changed on the way */
				CHECK(server_write(p, "world", 5) == 5);
				p->down.buf[p->down.w - 3] ^= 1;
				break;
			case 4: /* not a TLS record */
				CHECK(pipe_write(&p->down, "HTTP/1.1 200 OK\r\n", 17) == 17);
				break;
			default: /* a fatal alert, encrypted */
				CHECK(mbedtls_ssl_send_alert_message(
				          &p->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL, 80)
				      == 0);
				break;
			}
			CHECK_EQ_U(drink(p, buf, sizeof buf, &last), 5);
			CHECK(memcmp(buf, "hello", 5) == 0);
			CHECK(last == (i == 0 ? WS_IO_EOF : i < 3 ? WS_IO_RESET : WS_IO_ERROR));
			drink(p, buf, sizeof buf, &last);
			CHECK(last == (i == 0 ? WS_IO_EOF : i < 3 ? WS_IO_RESET : WS_IO_ERROR));
			if (i == 1 || i == 2) {
				CHECK_EQ_U(wsi_tls_why(p->t, &p->why), WS_ERESET);
				CHECK_EQ_S(p->why_buf, "the server closed the connection");
			}
			if (i >= 3) {
				CHECK_EQ_U(wsi_tls_why(p->t, &p->why), WS_ETLS);
				if (!CHECK(strstr(p->why_buf, i == 3   ? "damaged on the way"
				                              : i == 4 ? "not a TLS record"
				                                       : "fatal alert")))
					fprintf(stderr, "\t%s\n", p->why_buf);
			}
			before = p->up.total;
			wsi_tls_goodbye(p->t);
			CHECK((p->up.total > before) == (i == 0));
			before = p->up.total;
			wsi_tls_goodbye(p->t); /* once */
			CHECK(p->up.total == before);
			if (i == 0)
				CHECK(mbedtls_ssl_read(&p->ssl, buf, sizeof buf)
				      == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
			pair_free(p);
		}
		p = pair_new(&s);
		CHECK_EQ_U(shake(p, -1), 0);
		p->down.reset = WS_IO_ERROR;
		CHECK_EQ_U(drink(p, buf, sizeof buf, &last), 0);
		CHECK(last == WS_IO_ERROR);
		CHECK_EQ_U(wsi_tls_why(p->t, &p->why), WS_EIO);
		CHECK_EQ_S(p->why_buf, "the transport failed");
		pair_free(p);
		p = pair_new(&s);
		CHECK_EQ_U(shake(p, -1), 0);
		p->down.reset = WS_IO_RESET;
		CHECK_EQ_U(drink(p, buf, sizeof buf, &last), 0);
		CHECK(last == WS_IO_RESET);
		CHECK_EQ_U(wsi_tls_why(p->t, &p->why), WS_ERESET);
		CHECK_EQ_S(p->why_buf, "the connection was reset");
		pair_free(p);
	}
}

/* A peer that has sent something and is gone when we write: its data can still be read */
static void test_parting_words(void)
{
	unsigned char buf[100];
	struct setup s = with_ca(good);
	struct pair *p;
	ptrdiff_t last;
	int max, i;

	for (max = 12; max <= (HAS_13 ? 13 : 12); max++) {
		for (i = 0; i < 4; i++) {
			s.max_version = max;
			s.tls.cert_file = i == 3 ? in_certs("client", ".pem") : NULL;
			s.tls.key_file = i == 3 ? in_certs("client", ".key") : NULL;
			p = pair_new(&s);
			CHECK_EQ_U(shake(p, -1), 0);
			if (i == 0 || i == 3)
				CHECK(mbedtls_ssl_send_alert_message(
				          &p->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL, 116)
				      == 0);
			if (i == 1)
				CHECK_EQ_U(server_write(p, "goodbye", 7), 7);
			p->up.reset = p->down.eof = 1;
			last = wsi_tls_write(p->t, "request", 7);
			CHECK(last == (i == 0 || i == 3 ? WS_IO_ERROR : WS_IO_RESET));
			CHECK(wsi_tls_write(p->t, "request", 7) == last);
			if (i == 0 || i == 3) {
				wsi_tls_why(p->t, &p->why);
				CHECK_EQ_S(p->why_buf,
				           i == 0 ? "the server sent a fatal alert: it may want a "
				                    "client certificate"
				                  : "the server sent a fatal alert: it may not "
				                    "accept the client certificate");
			}
			CHECK_EQ_U(drink(p, buf, sizeof buf, &last), i == 1 ? 7 : 0);
			CHECK(last == (i == 0 || i == 3 ? WS_IO_ERROR : WS_IO_RESET));
			CHECK(i != 1 || memcmp(buf, "goodbye", 7) == 0);
			pair_free(p);
		}
	}
}

/* poll cannot see the rest of a record, or several records from one read of the transport */
static void test_pending(void)
{
	unsigned char buf[100];
	struct setup s = with_ca(good);
	struct pair *p = pair_new(&s);
	ptrdiff_t last;

	CHECK_EQ_U(shake(p, -1), 0);
	drink(p, buf, sizeof buf, &last);
	CHECK(last == WS_IO_READ);
	CHECK_EQ_U(wsi_tls_pending(p->t), 0);
	CHECK_EQ_U(server_write(p, "0123456789", 10), 10);
	CHECK_EQ_U(p->t->got_data, 0);
	CHECK_EQ_U(wsi_tls_read(p->t, buf, 1), 1);
	CHECK_EQ_U(p->t->got_data, 1);
	CHECK_EQ_U(wsi_tls_read(p->t, buf, 3), 3);
	CHECK_EQ_U(wsi_tls_pending(p->t), 6);
	CHECK_EQ_U(wsi_tls_read(p->t, buf, 4), 4);
	CHECK_EQ_U(wsi_tls_pending(p->t), 2);
	CHECK_EQ_U(wsi_tls_read(p->t, buf, 4), 2);
	CHECK_EQ_U(wsi_tls_pending(p->t), 0);
	CHECK(wsi_tls_read(p->t, buf, 4) == WS_IO_READ);
	pair_free(p);
}

/* A transport that fills up: data that is offered again, perhaps with more after it, arrives once
 * and in order */
static void test_full(void)
{
	static const size_t rooms[] = {1, 20, 28, 29, 30, 31, 40, 100, 129, 150};
	unsigned char in[400];
	char out[] = "01234567890123456789012345678901234567890123456789012345678901234567890123456"
	             "78901234567890123456789"
	             "abcdefghijklmnopqrstuvwxyz";
	struct setup s = with_ca(good);
	struct pair *p;
	ptrdiff_t n;
	size_t i, done, offered, got, tries;

	for (i = 0; i < sizeof rooms / sizeof rooms[0]; i++) {
		check_row("room for %lu", (unsigned long)rooms[i]);
		s.max_version = i & 1 ? 12 : 0;
		p = pair_new(&s);
		CHECK_EQ_U(shake(p, -1), 0);
		p->up.limit = rooms[i];
		for (done = got = tries = 0, offered = 60; got < sizeof out && tries < 2000;
		     tries++) {
			n = done < sizeof out ? wsi_tls_write(
			        p->t, out + done,
			        (offered < sizeof out ? offered : sizeof out) - done)
			                      : 0;
			if (n > 0)
				done += (size_t)n;
			else if (!CHECK(n == WS_IO_WRITE || done == sizeof out))
				break;
			offered += 17; /* the next offer has more bytes */
			n = mbedtls_ssl_read(&p->ssl, in + got, sizeof in - got);
			if (n > 0)
				got += (size_t)n;
			else if (!CHECK(n == MBEDTLS_ERR_SSL_WANT_READ))
				break;
		}
		CHECK_EQ_MEM(in, got, out, sizeof out);
		pair_free(p);
	}
}

/* One byte waits, and is offered again with more after it. */
static void test_full_one_byte(void)
{
	unsigned char in[10];
	struct setup s = with_ca(good);
	struct pair *p = pair_new(&s);

	CHECK_EQ_U(shake(p, -1), 0);
	p->up.limit = 1;
	CHECK(wsi_tls_write(p->t, "abc", 1) == WS_IO_WRITE);
	p->up.limit = 0;
	CHECK(wsi_tls_write(p->t, "abc", 3) == 1);
	CHECK(wsi_tls_write(p->t, "bc", 2) == 2);
	CHECK_EQ_U(server_read(p, in, 3), 3);
	CHECK(memcmp(in, "abc", 3) == 0);
	pair_free(p);
}

/* Data that the server sends right after its handshake is not taken for a part of it. */
static void test_early_words(void)
{
	unsigned char buf[100];
	struct setup s = with_ca(good);
	struct pair *p;
	ptrdiff_t last;
	int i;

	s.max_version = 12;
	p = pair_new(&s);
	for (i = 0; i < 10 && !p->server_done; i++) {
		CHECK(wsi_tls_handshake(p->t, INT64_MAX, &p->why) == WS_IO_READ);
		server_step(p);
	}
	CHECK_EQ_U(server_write(p, "hello", 5), 5);
	CHECK_EQ_U(wsi_tls_handshake(p->t, INT64_MAX, &p->why), 0);
	CHECK_EQ_U(drink(p, buf, 5, &last), 5);
	CHECK(memcmp(buf, "hello", 5) == 0);
	pair_free(p);
}

#if defined(MBEDTLS_SSL_RENEGOTIATION)
/* Renegotiation is refused with an alert. There is no room for it at first, but neither the alert
 * nor the data after it may be lost. */
static void test_renegotiation(void)
{
	unsigned char buf[100];
	struct setup s = with_ca(good);
	struct pair *p;
	ptrdiff_t last;
	size_t alert = 0; /* its length */
	const char *more;
	int full, len, rc;

	for (full = 0; full < 4; full++) {
		more = full == 3 ? "d" : "data and more";
		len = (int)strlen(more);
		s.renegotiation = 1;
		s.max_version = 12;
		p = pair_new(&s);
		CHECK_EQ_U(shake(p, -1), 0);
		CHECK(mbedtls_ssl_renegotiate(&p->ssl) == 0); /* HelloRequest */
		if (full)                                     /* room for a part of the alert */
			p->up.limit = full == 1 ? alert - 1 : 10;
		drink(p, buf, sizeof buf, &last);
		CHECK(last == (full ? WS_IO_WRITE : WS_IO_READ));
		CHECK(full || p->up.w > p->up.r);
		if (!full)
			alert = p->up.w - p->up.r;
		last = wsi_tls_write(p->t, "data", 4);
		CHECK(last == (full ? WS_IO_WRITE : 4));
		p->up.limit = 0;
		if (full)
			CHECK_EQ_U(wsi_tls_write(p->t, more, (size_t)len), len);
		memset(buf, 0, sizeof buf);
		rc = mbedtls_ssl_read(&p->ssl, buf, sizeof buf);
		if (full)
			CHECK(rc == MBEDTLS_ERR_SSL_WANT_READ || rc == len);
		if (rc == MBEDTLS_ERR_SSL_WANT_READ || rc == 0)
			rc = mbedtls_ssl_read(&p->ssl, buf, sizeof buf);
		CHECK_EQ_S((char *)buf, full ? more : "data");
		CHECK_EQ_U(server_write(p, "still here", 10), 10);
		CHECK_EQ_U(drink(p, buf, sizeof buf, &last), 10);
		pair_free(p);
	}
}
#endif

static unsigned two_bytes(const unsigned char *b)
{
	return (unsigned)b[0] << 8 | b[1];
}

/* True if the ClientHello, the first bytes of the client, has this extension (RFC 8446 4.1.2). */
static bool hello_has(const struct pair *p, unsigned extension)
{
	const unsigned char *b = p->up.buf + 5 + 4 + 2 + 32, *end; /* after the random bytes */

	b += 1 + b[0];         /* session */
	b += 2 + two_bytes(b); /* cipher suites */
	b += 1 + b[0];         /* compression */
	end = b + 2 + two_bytes(b);
	for (b += 2; b < end; b += 4 + two_bytes(b + 2))
		if (two_bytes(b) == extension)
			return true;
	return false;
}

static void test_tickets(void)
{
	unsigned char buf[100];
	struct setup s = with_ca(good);
	struct pair *p;
	ptrdiff_t last;

	p = pair_new(&s);
	CHECK_EQ_U(shake(p, 0), 1);
	CHECK(hello_has(p, 0));   /* server_name */
	CHECK(!hello_has(p, 35)); /* session_ticket */
	pair_free(p);

	s.tickets = 1;
	p = pair_new(&s);
	CHECK_EQ_U(shake(p, -1), 0);
	drink(p, buf, sizeof buf, &last);
	CHECK(last == WS_IO_READ);
	CHECK_EQ_U(wsi_tls_pending(p->t), 0);
	both_ways(p);
	pair_free(p);
}

static void test_entropy_states(void)
{
	struct setup s = with_ca(good);
	struct pair *p = pair_alone(&s);

	entropy_rc = 1;
	CHECK(pair_client(p, &s) == WS_AGAIN);
	CHECK(p->t == NULL && p->why.len == 0);
	wsi_tls_config_free(p->c);
	entropy_rc = -1;
	CHECK(pair_client(p, &s) == WS_EENTROPY);
	CHECK(p->t == NULL && p->why.len > 0);
	wsi_tls_config_free(p->c);
	p->c = NULL;
	entropy_rc = 0;
	pair_free(p);
	entropy_calls = 0;
	p = pair_new(&s);
	CHECK(entropy_calls == 1 || entropy_calls == 2); /* the seed, and perhaps a nonce */
	entropy_calls = 0;
	CHECK_EQ_U(shake(p, -1), 0);
	CHECK_EQ_U(entropy_calls, 0); /* it is not asked again, which could fail */
	pair_free(p);
}

/* Records without data */
static void test_empty_records(void)
{
	unsigned char buf[100];
	struct setup s = with_ca(good);
	struct pair *p;
	ptrdiff_t last;
	int i;

	s.max_version = 12;
	p = pair_new(&s);
	CHECK_EQ_U(shake(p, -1), 0);
	for (i = 0; i < 3; i++)
		CHECK_EQ_U(mbedtls_ssl_write(&p->ssl, buf, 0), 0);
	CHECK_EQ_U(server_write(p, "hello", 5), 5);
	CHECK_EQ_U(drink(p, buf, 5, &last), 5);
	CHECK(memcmp(buf, "hello", 5) == 0);
	pair_free(p);
}

/* ---- The sentence for the end of a session ---- */

static const char *modem_off(void *io)
{
	(void)io;
	return "the modem is off";
}

static const char *no_words(void *io)
{
	(void)io;
	return "";
}

static void test_explanations(void)
{
	enum {
		DONE = 1,            /* after the handshake */
		DATA = 2,            /* data was received */
		HTTP = 4,            /* the first bytes were HTTP */
		OWN = 8,             /* the client has a certificate */
		REFUSED = 16,        /* something is wrong with the certificate */
		UNKNOWN = 32,        /* it has an extension that is not supported */
		UNREAD = 64,         /* a file could not be read */
		SYSTEM_UNREAD = 128, /* the system's could not */
		MODEM = 256,         /* the transport has its own words */
		SILENT = 512,        /* they are empty */
		ANSWERED = 1024      /* bytes came from the server */
	};
	static const struct {
		int err, state, io_err, failed, alert;
		int result;
		const char *why; /* if it begins with '(', only the end of the sentence */
	} cases[] =
	{ {MBEDTLS_ERR_SSL_ALLOC_FAILED, 0, 0, 0, -1, WS_EMEMORY, ""},
	  {MBEDTLS_ERR_X509_FATAL_ERROR, 0, 0, WS_EMEMORY, -1, WS_EMEMORY, ""},
	  {MBEDTLS_ERR_X509_FATAL_ERROR, 0, 0, WS_ETIMEOUT, -1, WSI_TLS_LATE,
	   "timed out while looking for the issuer of the server's certificate"},
	  {MBEDTLS_ERR_X509_FATAL_ERROR, UNREAD, 0, WS_ETIMEOUT, -1, WSI_TLS_LATE,
	   "timed out while looking for the issuer of the server's certificate in \"/x\""},
	  {MBEDTLS_ERR_X509_FATAL_ERROR, SYSTEM_UNREAD, 0, WS_ETIMEOUT, -1, WSI_TLS_LATE,
	   "timed out while looking for the issuer of the server's certificate"},
	  {MBEDTLS_ERR_X509_CERT_VERIFY_FAILED, REFUSED, 0, 0, -1, WS_ECERT, "it is wrong"},
	  {MBEDTLS_ERR_SSL_INVALID_MAC, REFUSED | DONE, 0, 0, -1, WS_ETLS,
	   "a TLS record was damaged on the way"},
	  {MBEDTLS_ERR_NET_CONN_RESET, 0, WS_IO_ERROR, 0, -1, WS_EIO, "the transport failed"},
	  {MBEDTLS_ERR_NET_CONN_RESET, MODEM, WS_IO_ERROR, 0, -1, WS_EIO, "the modem is off"},
	  {MBEDTLS_ERR_NET_CONN_RESET, SILENT, WS_IO_ERROR, 0, -1, WS_EIO, "the transport failed"},
	  {MBEDTLS_ERR_NET_CONN_RESET, 0, WS_IO_RESET, 0, -1, WS_ERESET,
	   "the connection was reset in the TLS handshake without an answer; does this port speak "
	   "TLS (wss://)?"},
	  {MBEDTLS_ERR_NET_CONN_RESET, ANSWERED, WS_IO_RESET, 0, -1, WS_ERESET,
	   "the connection was reset in the TLS handshake"},
	  {MBEDTLS_ERR_NET_CONN_RESET, DONE, WS_IO_RESET, 0, -1, WS_ERESET,
	   "the connection was reset"},
	  {MBEDTLS_ERR_SSL_CONN_EOF, 0, WS_IO_EOF, 0, -1, WS_ETLS,
	   "the server closed the connection in the TLS handshake without an answer; does this "
	   "port speak TLS (wss://)?"},
	  {MBEDTLS_ERR_SSL_CONN_EOF, ANSWERED, WS_IO_EOF, 0, -1, WS_ETLS,
	   "the server closed the connection in the TLS handshake"},
	  {MBEDTLS_ERR_SSL_CONN_EOF, DONE, WS_IO_EOF, 0, -1, WS_ERESET,
	   "the server closed the connection"},
	  {MBEDTLS_ERR_X509_INVALID_DATE, 0, 0, 0, -1, WS_ECERT,
	   "a certificate of the server cannot be read: its dates are invalid"},
	  {MBEDTLS_ERR_X509_INVALID_DATE, UNKNOWN, 0, 0, -1, WS_ECERT, "it is unknown"},
	  {MBEDTLS_ERR_X509_INVALID_DATE, DONE, 0, 0, -1, WS_ETLS, "(mbedTLS -0x2400)"},
	  {MBEDTLS_ERR_X509_INVALID_DATE, ANSWERED, WS_IO_EOF, 0, -1, WS_ETLS,
	   "the server closed the connection in the TLS handshake"},
#if MBEDTLS_VERSION_NUMBER < 0x04000000
	  {MBEDTLS_ERR_ECP_INVALID_KEY, 0, 0, 0, -1, WS_ETLS,
	   "the server's key for this session is invalid"},
#endif
	  {MBEDTLS_ERR_SSL_INVALID_RECORD, HTTP, 0, 0, -1, WS_ETLS,
	   "the server does not speak TLS here but HTTP: try ws://"},
	  {MBEDTLS_ERR_SSL_INVALID_RECORD, HTTP | DONE, 0, 0, -1, WS_ETLS,
	   "what came is not a TLS record"},
	  {MBEDTLS_ERR_SSL_INVALID_RECORD, 0, 0, 0, -1, WS_ETLS,
	   "the server does not speak TLS here"},
	  {MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE, 0, 0, 0, 90, WS_ETLS,
	   "the server sent the alert user_canceled(90): it gave up"},
	  {MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE, 0, WS_IO_RESET, 0, 90, WS_ETLS,
	   "the server sent the alert user_canceled(90): it gave up"},
	  {MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE, 0, 0, 0, 0, WS_ETLS,
	   "the server sent the alert close_notify(0): it ended the connection in the TLS "
	   "handshake"},
	  {MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE, DONE, 0, 0, -1, WS_ETLS,
	   "the server sent a fatal alert: it may want a client certificate"},
	  {MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE, DONE | OWN, 0, 0, -1, WS_ETLS,
	   "the server sent a fatal alert: it may not accept the client certificate"},
	  {MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE, DONE | DATA, 0, 0, -1, WS_ETLS,
	   "the server sent a fatal alert"},
	  {MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE, 0, 0, 0, -1, WS_ETLS,
	   "the server sent a TLS message out of turn"},
	  {MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE, DONE, 0, 0, -1, WS_ETLS,
	   "a TLS message that this library does not know here: perhaps a key update of TLS 1.3"},
	  {MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION, 0, 0, 0, -1, WS_ETLS,
	   "the server speaks no TLS version that is allowed here"},
	  {MBEDTLS_ERR_SSL_INVALID_MAC, DONE, 0, 0, -1, WS_ETLS,
	   "a TLS record was damaged on the way"},
	  {-1, 0, 0, 0, -1, WS_ETLS, "(mbedTLS -0x0001)"},
	};
	struct ws_tls options = {0};
	struct wsi_tls_config c;
	struct wsi_tls *t;
	struct wsi_text why;
	char buf[400];
	const char *end;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("-0x%x, state %d, %s", (unsigned)-cases[i].err, cases[i].state,
		          cases[i].why);
		t = session_new(&c, &options);
		c.has_own = (cases[i].state & OWN) != 0;
		if (cases[i].state & (UNREAD | SYSTEM_UNREAD)) {
			c.unread_path = cases[i].state & UNREAD ? "/x" : "";
			c.unread = "the reason";
		}
		wsi_text_init(&t->unknown, t->unknown_buf, sizeof t->unknown_buf);
		t->err = cases[i].err;
		t->io_err = cases[i].io_err;
		t->failed = cases[i].failed;
		t->alert = cases[i].alert;
		t->done = (cases[i].state & DONE) != 0;
		t->answered = (cases[i].state & ANSWERED) != 0;
		t->got_data = (cases[i].state & DATA) != 0;
		t->plain = (cases[i].state & HTTP) != 0;
		if (cases[i].state & REFUSED) {
			t->flags = MBEDTLS_X509_BADCERT_OTHER;
			wsi_put(&t->cert_why, "it is wrong");
		}
		if (cases[i].state & UNKNOWN)
			wsi_put(&t->unknown, "it is unknown");
		if (cases[i].state & MODEM)
			t->io.io_error = modem_off;
		if (cases[i].state & SILENT)
			t->io.io_error = no_words;
		wsi_text_init(&why, buf, sizeof buf);
		CHECK_EQ_U(wsi_tls_why(t, &why), cases[i].result);
		end = buf;
		if (cases[i].why[0] == '(' && strlen(buf) > strlen(cases[i].why))
			end = buf + strlen(buf) - strlen(cases[i].why);
		CHECK_EQ_S(end, cases[i].why);
		free(t);
	}
}

/* The error of a handshake after mbedTLS itself has rejected the certificate */
static void test_settled(void)
{
	static const struct {
		int err;
		unsigned flags;
		int failed, result;
		const char *why;
	} cases[] = {
	    {MBEDTLS_ERR_X509_CERT_VERIFY_FAILED, 0, 0, WS_ECERT,
	     "the server's certificate was not accepted"},
	    {MBEDTLS_ERR_SSL_BAD_CERTIFICATE, 0, 0, WS_ECERT,
	     "the server's certificate was not accepted"},
	    {MBEDTLS_ERR_X509_CERT_VERIFY_FAILED, MBEDTLS_X509_BADCERT_EXPIRED, 0, WS_ECERT, ""},
	    {MBEDTLS_ERR_X509_FATAL_ERROR, 0, 0, WS_ECERT,
	     "the chain of the server's certificate is too long"},
	    {MBEDTLS_ERR_X509_FATAL_ERROR, MBEDTLS_X509_BADCERT_EXPIRED, 0, WS_ECERT, ""},
	    {MBEDTLS_ERR_X509_FATAL_ERROR, 0, WS_EMEMORY, WS_EMEMORY, ""},
	    {MBEDTLS_ERR_SSL_INVALID_MAC, 0, 0, WS_ETLS, "a TLS record was damaged on the way"},
	};
	struct setup s = with_ca(good);
	struct wsi_tls *t;
	struct pair *p;
	size_t i;
	int again;

	for (i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
		check_row("-0x%x, %u", (unsigned)-cases[i / 2].err, cases[i / 2].flags);
		p = pair_new(&s);
		t = p->t;
		if (i % 2) { /* mbedTLS has no result */
			mbedtls_ssl_free(&t->ssl);
			mbedtls_ssl_init(&t->ssl);
		}
		t->err = cases[i / 2].err;
		t->flags = cases[i / 2].flags;
		t->failed = cases[i / 2].failed;
		t->verified = 1;
		for (again = 0; again < 2; again++) {
			wsi_text_init(&p->why, p->why_buf, sizeof p->why_buf);
			CHECK_EQ_U(wsi_tls_handshake(t, INT64_MAX, &p->why), cases[i / 2].result);
			CHECK_EQ_S(p->why_buf, cases[i / 2].why);
		}
		CHECK_EQ_U(t->verified, 0);
		CHECK_EQ_U(t->gone, 1);
		CHECK_EQ_U(t->done, 0);
		pair_free(p);
	}
}

/* The curves that are offered */
static void test_curves(void)
{
	static const struct {
#if MBEDTLS_VERSION_NUMBER >= 0x03010000
		uint16_t curves[2];
#define CURVE(old, new) {MBEDTLS_SSL_IANA_TLS_GROUP_##new, 0}
#else
		mbedtls_ecp_group_id curves[2];
#define CURVE(old, new)                                                                            \
	{                                                                                          \
		MBEDTLS_ECP_DP_##old, MBEDTLS_ECP_DP_NONE                                          \
	}
#endif
		int rc;
	} cases[] = {
	    {CURVE(CURVE25519, X25519), 0},     {CURVE(SECP256R1, SECP256R1), 0},
	    {CURVE(SECP384R1, SECP384R1), 0},   {CURVE(SECP521R1, SECP521R1), 0},
	    {CURVE(BP256R1, BP256R1), WS_ETLS}, {CURVE(SECP256K1, SECP256K1), WS_ETLS},
	};
	struct setup s = with_ca(good);
	struct pair *p;
	size_t i;

	s.max_version = 12;
	s.cert = "rsa"; /* whose key has no curve */
	s.tls.ciphers = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256";
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%lu", (unsigned long)i);
		p = pair_new(&s);
#if MBEDTLS_VERSION_NUMBER >= 0x03010000
		mbedtls_ssl_conf_groups(&p->conf, cases[i].curves);
#else
		mbedtls_ssl_conf_curves(&p->conf, cases[i].curves);
#endif
		CHECK(mbedtls_ssl_session_reset(&p->ssl) == 0); /* 3.6 reads them here */
		CHECK_EQ_U(shake(p, -1), cases[i].rc);
		CHECK_EQ_U(p->server_done, cases[i].rc == 0);
		pair_free(p);
	}
}

#if MBEDTLS_VERSION_NUMBER < 0x03000000
/* Servers of TLS 1.0 and 1.1 */
static void test_old_versions(void)
{
	struct setup s = with_ca(good);
	struct pair *p;
	int minor;

	for (minor = MBEDTLS_SSL_MINOR_VERSION_1; minor <= MBEDTLS_SSL_MINOR_VERSION_2; minor++) {
		check_row("TLS 1.%d", minor - 1);
		p = pair_new(&s);
		mbedtls_ssl_conf_min_version(&p->conf, MBEDTLS_SSL_MAJOR_VERSION_3, minor);
		mbedtls_ssl_conf_max_version(&p->conf, MBEDTLS_SSL_MAJOR_VERSION_3, minor);
		CHECK_EQ_U(shake(p, -1), WS_ETLS);
		if (!CHECK(strstr(p->why_buf, "protocol_version(70)") != NULL
		           || strstr(p->why_buf, "no TLS version") != NULL))
			fprintf(stderr, "\t%s\n", p->why_buf);
		CHECK(!p->server_done);
		pair_free(p);
	}
}
#endif

int main(void)
{
	tls_begin();
	TEST(test_good);
	TEST(test_server_name);
	TEST(test_wrong_names);
	TEST(test_alpn);
	TEST(test_stalls);
	TEST(test_alert_after_reset);
	TEST(test_flips);
	TEST(test_not_tls);
	TEST(test_ends);
	TEST(test_parting_words);
	TEST(test_pending);
	TEST(test_full);
	TEST(test_full_one_byte);
	TEST(test_early_words);
#if defined(MBEDTLS_SSL_RENEGOTIATION)
	TEST(test_renegotiation);
#endif
	TEST(test_tickets);
	TEST(test_entropy_states);
	TEST(test_empty_records);
	TEST(test_explanations);
	TEST(test_settled);
	TEST(test_curves);
#if MBEDTLS_VERSION_NUMBER < 0x03000000
	TEST(test_old_versions);
#endif
	sharing = 1;
	TEST(test_good);
	return tls_end();
}
#endif
