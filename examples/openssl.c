/* SPDX-License-Identifier: ISC
 * openssl.c - wss:// with another TLS library: OpenSSL as a struct ws_io
 *
 * usage: openssl [-a CAFILE] wss://HOST:PORT/ [TEXT]		cc openssl.c -lwsquery -lssl -lcrypto
 * The library writes and reads the WebSocket's bytes through the four functions below. The TLS
 * handshake happens during the first write, so the deadline covers it too. The certificate's chain
 * and name are verified.
 */
#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "ws.h"

struct tls {
	SSL *ssl;
	int fd;
	char why[256];
};

static ptrdiff_t result(struct tls *t, int n)
{
	unsigned long e;

	switch (SSL_get_error(t->ssl, n)) {
	case SSL_ERROR_WANT_READ:
		return WS_IO_READ;
	case SSL_ERROR_WANT_WRITE:
		return WS_IO_WRITE;
	case SSL_ERROR_ZERO_RETURN: /* close_notify: the peer has ended the stream */
		return WS_IO_EOF;
	case SSL_ERROR_SYSCALL:
		return WS_IO_RESET;
	default:
		e = ERR_get_error();
#ifdef SSL_R_UNEXPECTED_EOF_WHILE_READING
		if (ERR_GET_REASON(e) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
			return WS_IO_RESET; /* the stream was cut off, perhaps by an attacker */
#endif
		snprintf(t->why, sizeof t->why, "%s: %s", ERR_reason_error_string(e),
		         X509_verify_cert_error_string(SSL_get_verify_result(t->ssl)));
		return WS_IO_ERROR;
	}
}

static int at_most(size_t len)
{
	return len < 1 << 30 ? (int)len : 1 << 30;
}

static ptrdiff_t tls_read(void *io, void *buf, size_t len)
{
	struct tls *t = io;
	int n;

	ERR_clear_error();
	n = SSL_read(t->ssl, buf, at_most(len));
	return n > 0 ? n : result(t, n);
}

static ptrdiff_t tls_write(void *io, const void *buf, size_t len)
{
	struct tls *t = io;
	int n;

	ERR_clear_error();
	n = SSL_write(t->ssl, buf, at_most(len));
	return n > 0 ? n : result(t, n);
}

static int tls_wait(void *io, int events, int timeout_ms)
{
	struct tls *t = io;
	struct pollfd p = {t->fd, 0, 0};

	p.events =
	    (short)((events & WS_POLL_READ ? POLLIN : 0) | (events & WS_POLL_WRITE ? POLLOUT : 0));
	poll(&p, 1, timeout_ms); /* waking too early does no harm: the library looks again */
	return 0;
}

static void tls_close(void *io)
{
	struct tls *t = io;

	SSL_shutdown(t->ssl);
	SSL_free(t->ssl);
	close(t->fd);
}

/* Connects with TCP. Returns a non-blocking descriptor, or -1. */
static int dial(const char *host, const char *port, int timeout_ms)
{
	struct addrinfo hints, *list, *a;
	int fd = -1, err;
	socklen_t len = sizeof err;

	memset(&hints, 0, sizeof hints);
	hints.ai_socktype = SOCK_STREAM;
	if (getaddrinfo(host, port, &hints, &list) != 0)
		return -1;
	for (a = list; a && fd < 0; a = a->ai_next) {
		struct pollfd p = {-1, POLLOUT, 0};

		fd = p.fd = socket(a->ai_family, SOCK_STREAM, 0);
		if (fd < 0)
			continue;
		fcntl(fd, F_SETFL, O_NONBLOCK);
		connect(fd, a->ai_addr, a->ai_addrlen);
		if (poll(&p, 1, timeout_ms) == 1
		    && getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err == 0)
			break;
		close(fd);
		fd = -1;
	}
	freeaddrinfo(list);
	return fd;
}

static SSL *session(SSL_CTX *ctx, int fd, char *host)
{
	SSL *ssl = SSL_new(ctx);
	int literal = strchr(host, ':') || (host[0] && host[strspn(host, "0123456789.")] == '\0');

	if (!ssl || SSL_set_fd(ssl, fd) != 1)
		return NULL;
	/* RFC 6066 3: an IP address is not sent as SNI. It is verified as an address. */
	if (literal ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) != 1
	            : SSL_set1_host(ssl, host) != 1 || SSL_set_tlsext_host_name(ssl, host) != 1)
		return NULL;
	SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	SSL_set_connect_state(ssl);
	return ssl;
}

/* Splits wss://HOST:PORT/... into host and port. 0, or -1 if the URL is invalid. */
static int split(const char *url, char host[256], char port[6])
{
	const char *p = url, *end;

	if (strncmp(p, "wss://", 6) != 0)
		return -1;
	p += 6;
	if (*p == '[') {
		p++;
		end = strchr(p, ']');
		if (!end)
			return -1;
	} else {
		end = p + strcspn(p, ":/?");
	}
	if (end == p || end - p > 255)
		return -1;
	memcpy(host, p, (size_t)(end - p));
	host[end - p] = '\0';
	end += *end == ']';
	memcpy(port, "443", 4);
	if (*end == ':') {
		size_t n = strspn(end + 1, "0123456789");

		if (n < 1 || n > 5)
			return -1;
		memcpy(port, end + 1, n);
		port[n] = '\0';
	}
	return 0;
}

static int ask(const char *url, struct tls *tls, const char *text)
{
	struct ws_options opt = {0};
	struct ws_io io = {0};
	size_t len = strlen(text);
	struct ws_msg msg;
	struct ws_conn *ws;
	int ok;

	io.io_read = tls_read;
	io.io_write = tls_write;
	io.io_wait = tls_wait;
	io.io_close = tls_close;
	io.io = tls;
	opt.io = &io;
	opt.timeout_ms = 5000;
	ws = ws_new(url, &opt);
	if (!ws) {
		tls_close(tls);
		return 1;
	}
	ok = ws_open(ws) == 0 && ws_send(ws, WS_TEXT, text, len) == (ptrdiff_t)len
	     && ws_recv(ws, &msg) == 0;
	if (ok)
		printf("%s: %.*s\n", SSL_get_version(tls->ssl), (int)msg.len,
		       (const char *)msg.data);
	else
		fprintf(stderr, "%s%s%s\n", ws_errmsg(ws), tls->why[0] ? ": " : "", tls->why);
	ws_close(ws, 1000, NULL);
	ws_free(ws);
	return !ok;
}

int main(int argc, char **argv)
{
	const char *ca = NULL;
	char host[256], port[6];
	struct tls tls = {0};
	SSL_CTX *ctx;
	int r;

	if (argc > 2 && strcmp(argv[1], "-a") == 0) {
		ca = argv[2];
		argc -= 2;
		argv += 2;
	}
	if (argc < 2 || split(argv[1], host, port) < 0)
		return 64;
	signal(SIGPIPE, SIG_IGN); /* OpenSSL writes with write(2) */
	ctx = SSL_CTX_new(TLS_client_method());
	if (!ctx
	    || (ca ? SSL_CTX_load_verify_locations(ctx, ca, NULL)
	           : SSL_CTX_set_default_verify_paths(ctx))
	           != 1)
		return 1;
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	/* The library repeats an incomplete write, with a buffer that may have moved and grown. */
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	tls.fd = dial(host, port, 5000);
	if (tls.fd < 0) {
		fprintf(stderr, "no connection to %s port %s\n", host, port);
		return 1;
	}
	tls.ssl = session(ctx, tls.fd, host);
	r = tls.ssl ? ask(argv[1], &tls, argc > 2 ? argv[2] : "hello") : 1;
	SSL_CTX_free(ctx);
	return r;
}
