/* SPDX-License-Identifier: ISC
 * gnutls.c - wss:// with GnuTLS over the library's own connection
 *
 * usage: gnutls [-a CAFILE] [-x PROXY] URL [TEXT]	cc gnutls.c -lwsquery -lgnutls
 * As openssl.c, but a TLS library that takes a record at once, even if it could not write it yet.
 */
#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ws.h"

/* The TLS of one connection */
struct session {
	gnutls_session_t tls;
	int queued;    /* GnuTLS holds a record that it could not write */
	char why[256]; /* it failed */
};

/* What GnuTLS returned, as the library expects it. */
static int result(struct session *s, ptrdiff_t n)
{
	gnutls_datum_t words;

	snprintf(s->why, sizeof s->why, "%s", gnutls_strerror((int)n));
	switch (n) {
	case GNUTLS_E_AGAIN:
	case GNUTLS_E_INTERRUPTED:
		return gnutls_record_get_direction(s->tls) ? WS_IO_WRITE : WS_IO_READ;
	case GNUTLS_E_PREMATURE_TERMINATION: /* cut off, perhaps by an attacker */
	case GNUTLS_E_PUSH_ERROR:
	case GNUTLS_E_PULL_ERROR:
		return WS_IO_RESET;
	case GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR:
		if (gnutls_certificate_verification_status_print(
		        gnutls_session_get_verify_cert_status(s->tls), GNUTLS_CRT_X509, &words, 0)
		    == 0) {
			snprintf(s->why, sizeof s->why, "%s", (char *)words.data);
			gnutls_free(words.data);
		}
		return WS_IO_CERT;
	}
	if (gnutls_error_is_fatal((int)n))
		return WS_IO_TLS;
	return WS_IO_WRITE; /* a warning: call again soon, within the deadline */
}

static ptrdiff_t tls_read(void *io, void *buf, size_t len)
{
	struct session *s = io;
	ptrdiff_t n = gnutls_record_recv(s->tls, buf, len);

	if (n == 0) /* close_notify: the peer has ended the stream */
		return WS_IO_EOF;
	return n > 0 ? n : result(s, n);
}

static ptrdiff_t tls_write(void *io, const void *buf, size_t len)
{
	struct session *s = io;
	ptrdiff_t n;

	/* A queued record is written on with NULL. The result is then its length: the bytes are
	 * those at the beginning of buf, because the library repeats what was not taken. */
	if (s->queued)
		n = gnutls_record_send(s->tls, NULL, 0);
	else
		n = gnutls_record_send(s->tls, buf, len);
	s->queued = n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED;
	return n > 0 ? n : result(s, n);
}

static const char *tls_error(void *io)
{
	struct session *s = io;

	return s->why;
}

static void tls_close(void *io) /* the library closes the descriptor */
{
	struct session *s = io;

	if (s->tls) {
		gnutls_bye(s->tls, GNUTLS_SHUT_WR);
		gnutls_deinit(s->tls);
	}
	free(s);
}

/* 0 or an error of GnuTLS. */
static int begin(struct session *s, gnutls_certificate_credentials_t trust, int fd,
                 const char *name)
{
	unsigned char address[16];
	int r = gnutls_init(&s->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);

	if (r == 0)
		r = gnutls_set_default_priority(s->tls);
	if (r == 0)
		r = gnutls_credentials_set(s->tls, GNUTLS_CRD_CERTIFICATE, trust);
	/* RFC 6066 3: an IP address is not sent as SNI */
	if (r == 0 && inet_pton(AF_INET, name, address) != 1
	    && inet_pton(AF_INET6, name, address) != 1)
		r = gnutls_server_name_set(s->tls, GNUTLS_NAME_DNS, name, strlen(name));
	if (r < 0)
		return r;
	gnutls_session_set_verify_cert(s->tls, name, 0); /* chain and name */
	gnutls_transport_set_int(s->tls, fd);
	return 0;
}

static int start_tls(void *user_data, int fd, const char *server_name, struct ws_io *io)
{
	struct session *s = io->io;
	int r = 0;

	if (!s) { /* the first call of this connection */
		s = calloc(1, sizeof *s);
		if (!s)
			return WS_IO_ERROR;
		*io = (struct ws_io){.io_read = tls_read,
		                     .io_write = tls_write,
		                     .io_close = tls_close,
		                     .io_error = tls_error,
		                     .io = s};
		r = begin(s, user_data, fd, server_name);
	}
	if (r == 0)
		r = gnutls_handshake(s->tls);
	return r == 0 ? 0 : result(s, r);
}

int main(int argc, char **argv)
{
	struct ws_options opt = {.timeout_ms = 5000, .start_tls = start_tls};
	gnutls_certificate_credentials_t trust;
	struct ws_answer answer;
	const char *text, *ca_file = NULL;
	int c, n, failed;

	while ((c = getopt(argc, argv, "a:x:")) != -1) {
		if (c == 'a')
			ca_file = optarg;
		else if (c == 'x')
			opt.proxy = optarg;
		else
			return 64;
	}
	if (optind == argc || gnutls_certificate_allocate_credentials(&trust) < 0)
		return 64;
	if (ca_file)
		n = gnutls_certificate_set_x509_trust_file(trust, ca_file, GNUTLS_X509_FMT_PEM);
	else
		n = gnutls_certificate_set_x509_system_trust(trust);
	if (n < 0)
		fprintf(stderr, "no trusted certificates: %s\n", gnutls_strerror(n));
	text = optind + 1 < argc ? argv[optind + 1] : "hello";
	opt.user_data = trust;
	failed = ws_query(argv[optind], &opt, WS_TEXT, text, strlen(text), &answer) < 0;
	if (failed)
		fprintf(stderr, "%s\n", answer.error);
	else
		printf("%s\n", answer.data);
	ws_answer_free(&answer, &opt);
	gnutls_certificate_free_credentials(trust);
	return failed;
}
