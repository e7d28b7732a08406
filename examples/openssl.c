/* SPDX-License-Identifier: ISC
 * openssl.c - wss:// with OpenSSL over the library's own connection
 *
 * usage: openssl [-a CAFILE] [-x PROXY] URL [TEXT]	cc openssl.c -lwsquery -lssl -lcrypto
 * The library resolves, races, passes the proxy and keeps the deadline. start_tls puts OpenSSL above
 * the descriptor, and says why a handshake failed. The certificate's chain and name are verified.
 */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ws.h"

/* The TLS of one connection */
struct session {
	SSL *ssl;
	char why[256]; /* it failed */
};

/* What OpenSSL returned, as the library expects it. */
static int result(struct session *s, int n)
{
	long verdict = SSL_get_verify_result(s->ssl);
	unsigned long e;

	switch (SSL_get_error(s->ssl, n)) {
	case SSL_ERROR_WANT_READ:
		return WS_IO_READ;
	case SSL_ERROR_WANT_WRITE:
		return WS_IO_WRITE;
	case SSL_ERROR_ZERO_RETURN: /* close_notify: the peer has ended the stream */
		return WS_IO_EOF;
	case SSL_ERROR_SYSCALL:
		return WS_IO_RESET;
	}
	if (verdict != X509_V_OK) {
		snprintf(s->why, sizeof s->why, "certificate verify failed: %s",
		         X509_verify_cert_error_string(verdict));
		return WS_IO_CERT;
	}
	e = ERR_get_error();
#ifdef SSL_R_UNEXPECTED_EOF_WHILE_READING
	if (ERR_GET_REASON(e) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return WS_IO_RESET; /* the stream was cut off, perhaps by an attacker */
#endif
	ERR_error_string_n(e, s->why, sizeof s->why);
	return WS_IO_TLS;
}

static int at_most(size_t len)
{
	return len < 1 << 30 ? (int)len : 1 << 30;
}

static ptrdiff_t tls_read(void *io, void *buf, size_t len)
{
	struct session *s = io;
	int n;

	ERR_clear_error();
	n = SSL_read(s->ssl, buf, at_most(len));
	return n > 0 ? n : result(s, n);
}

static ptrdiff_t tls_write(void *io, const void *buf, size_t len)
{
	struct session *s = io;
	int n;

	ERR_clear_error();
	n = SSL_write(s->ssl, buf, at_most(len));
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

	SSL_shutdown(s->ssl);
	SSL_free(s->ssl);
	free(s);
}

/* RFC 6066 3: an IP address is not sent as SNI. It is verified as an address. */
static int set_name(SSL *ssl, const char *name)
{
	unsigned char address[16];

	if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name);
	return SSL_set1_host(ssl, name) && SSL_set_tlsext_host_name(ssl, name);
}

static int start_tls(void *user_data, int fd, const char *server_name, struct ws_io *io)
{
	struct session *s = io->io;
	int n;

	if (!s) { /* the first call of this connection */
		s = calloc(1, sizeof *s);
		if (!s)
			return WS_IO_ERROR;
		s->ssl = SSL_new(user_data);
		*io = (struct ws_io){.io_read = tls_read,
		                     .io_write = tls_write,
		                     .io_close = tls_close,
		                     .io_error = tls_error,
		                     .io = s};
		if (!s->ssl || !SSL_set_fd(s->ssl, fd) || !set_name(s->ssl, server_name))
			return WS_IO_ERROR;
	}
	ERR_clear_error();
	n = SSL_connect(s->ssl);
	return n == 1 ? 0 : result(s, n);
}

static SSL_CTX *configure(const char *ca_file)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (!ctx)
		return NULL;
	if (!(ca_file ? SSL_CTX_load_verify_locations(ctx, ca_file, NULL)
	              : SSL_CTX_set_default_verify_paths(ctx)))
		return NULL;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	/* The library repeats an incomplete write, with a buffer that may have moved and grown. */
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return ctx;
}

int main(int argc, char **argv)
{
	struct ws_options opt = {.timeout_ms = 5000, .start_tls = start_tls};
	const char *text, *ca_file = NULL;
	struct ws_answer answer;
	int c, failed;

	while ((c = getopt(argc, argv, "a:x:")) != -1) {
		if (c == 'a')
			ca_file = optarg;
		else if (c == 'x')
			opt.proxy = optarg;
		else
			return 64;
	}
	if (optind == argc)
		return 64;
	text = optind + 1 < argc ? argv[optind + 1] : "hello";
	signal(SIGPIPE, SIG_IGN); /* OpenSSL writes with write(2) */
	opt.user_data = configure(ca_file);
	if (!opt.user_data) {
		fprintf(stderr, "no trusted certificates\n");
		return 1;
	}
	failed = ws_query(argv[optind], &opt, WS_TEXT, text, strlen(text), &answer) < 0;
	if (failed)
		fprintf(stderr, "%s\n", answer.error);
	else
		printf("%s\n", answer.data);
	ws_answer_free(&answer, &opt);
	SSL_CTX_free(opt.user_data);
	return failed;
}
