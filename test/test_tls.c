/* SPDX-License-Identifier: ISC
 * test_tls.c - tls.c against a server of mbedTLS, both in this process, one flight at a time over
 * two buffers. The certificates are made first, by test/tls/make-certs (openssl), or are in the
 * directory TLS_CERTS.
 */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* syscall, of failing.h */
#endif
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "check.h"
#include "ws_mbedtls.h"

#ifndef WS_WITH_MBEDTLS
int main(void)
{
	printf("built without TLS\n0 passed, 0 failed, 1 skipped\n");
	return 0;
}
#else
#include "failing.h"
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#ifndef WS_NO_THREADS
#include <pthread.h>
#include <stdatomic.h>
#endif
#include <mbedtls/version.h>
#include <mbedtls/error.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/platform.h>
#if MBEDTLS_VERSION_NUMBER < 0x04000000
#include <mbedtls/ctr_drbg.h>
#endif
#if defined(MBEDTLS_PSA_CRYPTO_C) && MBEDTLS_VERSION_NUMBER >= 0x03000000
#include <psa/crypto.h>
#endif
#if MBEDTLS_VERSION_NUMBER                                                                         \
    >= 0x03000000 /* what comes of a wrong passphrase for a PKCS #8 key under AES */
#define PKCS8_AES "wrong passphrase"
#else
#define PKCS8_AES "the key is encrypted with a cipher that " TLS_LIBRARY " lacks"
#endif
#if MBEDTLS_VERSION_NUMBER >= 0x03020000 && defined(MBEDTLS_SSL_PROTO_TLS1_3)
#define HAS_13 1
#else
#define HAS_13 0
#endif
#if MBEDTLS_VERSION_NUMBER >= 0x03000000 && MBEDTLS_VERSION_NUMBER < 0x04000000
#define RNG , test_random, NULL
#else
#define RNG
#endif

/* ---- Two buffers ---- */

struct pipe {
	unsigned char buf[1 << 17];
	size_t r, w;
	size_t total; /* ever written */
	size_t piece; /* at most so many bytes a call, each other call blocks; 0: as they come */
	size_t limit; /* no room beyond so many bytes unread; 0: none */
	size_t cut;   /* the stream ends behind so many bytes in all; 0: never */
	size_t flip;  /* so many bytes in, one is spoiled; 0: none */
	int eof, turn;
	int reset;             /* 1, or what reading comes to */
	unsigned char flipped; /* what it was */
};

static ptrdiff_t pipe_write(struct pipe *p, const void *buf, size_t len)
{
	const unsigned char *b = buf;
	size_t i;

	if (p->reset)
		return WS_IO_RESET;
	if (p->piece && (p->turn ^= 1))
		return WS_IO_WRITE;
	if (p->piece && len > p->piece)
		len = p->piece;
	if (p->r == p->w)
		p->r = p->w = 0;
	if (p->limit && p->w - p->r + len > p->limit)
		len = p->limit - (p->w - p->r);
	if (len > sizeof p->buf - p->w)
		len = sizeof p->buf - p->w;
	if (len == 0)
		return WS_IO_WRITE;
	for (i = 0; i < len; i++, p->total++) {
		if (p->cut && p->total >= p->cut) { /* what follows is lost */
			p->eof = 1;
			continue;
		}
		p->buf[p->w++] = b[i];
		if (p->flip && p->total == p->flip) {
			p->buf[p->w - 1] ^= 1;
			p->flipped = b[i];
		}
	}
	return (ptrdiff_t)len;
}

static ptrdiff_t pipe_read(struct pipe *p, void *buf, size_t len)
{
	if (p->reset)
		return p->reset < 0 ? p->reset : WS_IO_RESET;
	if (p->r == p->w)
		return p->eof ? WS_IO_EOF : WS_IO_READ;
	if (p->piece && (p->turn ^= 1))
		return WS_IO_READ;
	if (len > p->w - p->r)
		len = p->w - p->r;
	if (p->piece && len > p->piece)
		len = p->piece;
	memcpy(buf, p->buf + p->r, len);
	p->r += len;
	return (ptrdiff_t)len;
}

/* ---- A pair: client and server ---- */

struct setup {
	const char *cert, *key; /* of the server: NAME of NAME.pem and NAME.key */
	const char *client_ca;  /* the server wants a certificate of this */
	const char *name;       /* the client's idea of whom it talks to */
	int max_version;        /* of the server */
	int foreign;            /* same_origin 0 */
	const char *alpn;       /* the server's one protocol */
	int renegotiation, tickets;
	size_t piece, cut, flip;
	struct ws_tls tls;
};

struct pair {
	struct pipe up, down;
	mbedtls_ssl_context ssl;
	mbedtls_ssl_config conf;
	mbedtls_x509_crt crt, ca;
	mbedtls_pk_context key;
	mbedtls_ssl_ticket_context ticket;
	const char *alpn[2];
	struct ws_tls tls;
	struct wsi_tls_config *c;
	struct wsi_tls *t;
	const char *option;
	struct wsi_text why;
	char why_buf[600];
	int server_rc, server_done;
	char sni[300];
};

static char certs[200];
static long allocs_left = -1, blocks;

static void *test_alloc(void *user_data, void *ptr, size_t old_len, size_t new_len)
{
	(void)user_data;
	(void)old_len;
	if (new_len == 0) {
		blocks -= ptr != NULL;
		free(ptr);
		return NULL;
	}
	if (allocs_left == 0)
		return NULL;
	if (allocs_left > 0)
		allocs_left--;
	blocks += ptr == NULL;
	return realloc(ptr, new_len);
}

static const struct wsi_mem mem = {test_alloc, NULL};
/* mbedTLS's allocations fail only in the client: so many succeed; < 0: all do. See
 * test_library_memory. */
#ifdef MEMORY_FAILS
static long client_callocs = -1;
#endif

static void client_begins(void)
{
#ifdef MEMORY_FAILS
	atomic_store(&callocs_left, client_callocs);
#endif
}

static void client_ends(void)
{
#ifdef MEMORY_FAILS
	client_callocs = atomic_load(&callocs_left);
	atomic_store(&callocs_left, -1);
#endif
}

static int entropy_rc;

static int test_entropy(void *ctx, void *buf, size_t len)
{
	(void)ctx;
	return entropy_rc != 0 ? entropy_rc : wsi_entropy(buf, len);
}

#if MBEDTLS_VERSION_NUMBER < 0x04000000
static int test_random(void *ctx, unsigned char *buf, size_t len)
{
	(void)ctx;
	return wsi_entropy(buf, len);
}
#endif

static char *paths[4096]; /* options point to them */
static size_t paths_n;

static const char *in_certs(const char *name, const char *suffix)
{
	char path[400];
	size_t i;

	snprintf(path, sizeof path, "%s/%s%s", certs, name, suffix);
	for (i = 0; i < paths_n; i++) {
		if (strcmp(paths[i], path) == 0)
			return paths[i];
	}
	if (paths_n == sizeof paths / sizeof paths[0] || (paths[paths_n] = strdup(path)) == NULL)
		abort();
	return paths[paths_n++];
}

static ptrdiff_t client_read(void *io, void *buf, size_t len)
{
	return pipe_read(&((struct pair *)io)->down, buf, len);
}
static ptrdiff_t client_write(void *io, const void *buf, size_t len)
{
	return pipe_write(&((struct pair *)io)->up, buf, len);
}
static int server_recv(void *ctx, unsigned char *buf, size_t len)
{
	ptrdiff_t n = pipe_read(&((struct pair *)ctx)->up, buf, len);

	return n > 0             ? (int)n
	       : n == WS_IO_READ ? MBEDTLS_ERR_SSL_WANT_READ
	                         : MBEDTLS_ERR_SSL_CONN_EOF;
}
static int server_send(void *ctx, const unsigned char *buf, size_t len)
{
	ptrdiff_t n = pipe_write(&((struct pair *)ctx)->down, buf, len);

	return n > 0              ? (int)n
	       : n == WS_IO_WRITE ? MBEDTLS_ERR_SSL_WANT_WRITE
	                          : MBEDTLS_ERR_SSL_CONN_EOF;
}
static int server_sni(void *ctx, mbedtls_ssl_context *ssl, const unsigned char *name, size_t len)
{
	struct pair *p = ctx;

	(void)ssl;
	memcpy(p->sni, name, len < sizeof p->sni ? len : 0);
	return 0;
}

static int load(const char *path, unsigned char *buf, size_t cap)
{
	FILE *f = fopen(path, "rb");
	size_t n;

	if (f == NULL) {
		perror(path);
		exit(1);
	}
	n = fread(buf, 1, cap - 1, f);
	buf[n] = 0;
	fclose(f);
	return (int)n;
}

static void load_crt(mbedtls_x509_crt *crt, const char *path)
{
	unsigned char buf[20000];

	CHECK(mbedtls_x509_crt_parse(crt, buf, (size_t)load(path, buf, sizeof buf) + 1) == 0);
}

static void pair_server(struct pair *p, const struct setup *s)
{
	unsigned char buf[20000];
	int n;

	mbedtls_ssl_init(&p->ssl);
	mbedtls_ssl_config_init(&p->conf);
	mbedtls_x509_crt_init(&p->crt);
	mbedtls_x509_crt_init(&p->ca);
	mbedtls_pk_init(&p->key);
	mbedtls_ssl_ticket_init(&p->ticket);
	CHECK(mbedtls_ssl_config_defaults(&p->conf, MBEDTLS_SSL_IS_SERVER,
	                                  MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT)
	      == 0);
#if MBEDTLS_VERSION_NUMBER < 0x04000000
	mbedtls_ssl_conf_rng(&p->conf, test_random, NULL);
#endif
	load_crt(&p->crt, in_certs(s->cert, ".pem"));
	n = load(in_certs(s->key ? s->key : s->cert, ".key"), buf, sizeof buf);
	CHECK(mbedtls_pk_parse_key(&p->key, buf, (size_t)n + 1, NULL, 0 RNG) == 0);
	CHECK(mbedtls_ssl_conf_own_cert(&p->conf, &p->crt, &p->key) == 0);
	if (s->client_ca) {
		load_crt(&p->ca, in_certs(s->client_ca, ".pem"));
		mbedtls_ssl_conf_ca_chain(&p->conf, &p->ca, NULL);
		mbedtls_ssl_conf_authmode(&p->conf, MBEDTLS_SSL_VERIFY_REQUIRED);
	}
	if (s->alpn) {
		p->alpn[0] = s->alpn;
		CHECK(mbedtls_ssl_conf_alpn_protocols(&p->conf, p->alpn) == 0);
	}
#if MBEDTLS_VERSION_NUMBER >= 0x03020000
	if (s->max_version == 12)
		mbedtls_ssl_conf_max_tls_version(&p->conf, MBEDTLS_SSL_VERSION_TLS1_2);
#endif
#if defined(MBEDTLS_SSL_RENEGOTIATION)
	if (s->renegotiation)
		mbedtls_ssl_conf_renegotiation(&p->conf, MBEDTLS_SSL_RENEGOTIATION_ENABLED);
#endif
#if MBEDTLS_VERSION_NUMBER >= 0x03000000 && MBEDTLS_VERSION_NUMBER < 0x04000000
	if (s->tickets) {
		CHECK(mbedtls_ssl_ticket_setup(&p->ticket, test_random, NULL,
		                               MBEDTLS_CIPHER_AES_256_GCM, 86400)
		      == 0);
		mbedtls_ssl_conf_session_tickets_cb(&p->conf, mbedtls_ssl_ticket_write,
		                                    mbedtls_ssl_ticket_parse, &p->ticket);
		mbedtls_ssl_conf_new_session_tickets(&p->conf, 5);
	}
#endif
	mbedtls_ssl_conf_sni(&p->conf, server_sni, p);
	CHECK(mbedtls_ssl_setup(&p->ssl, &p->conf) == 0);
	mbedtls_ssl_set_bio(&p->ssl, p, server_send, server_recv, NULL);
}

/* 1: what is trusted is read by wsi_tls_trust_new, as if other connections shared it. */
static int sharing;

/* wsi_tls_config_new with these options. The program's own hold on what is shared is given up as soon
 * as it can be. */
static int configure(struct wsi_tls_config **c, struct ws_tls *tls, const char **option,
                     struct wsi_text *why)
{
	int rc;

	*c = NULL;
	tls->trust = NULL;
	if (sharing) {
		tls->trust = wsi_tls_trust_new(&mem, tls, INT64_MAX);
		if (tls->trust == NULL)
			return WS_EMEMORY;
	}
	rc = wsi_tls_config_new(c, &mem, tls, INT64_MAX, option, why);
	wsi_tls_trust_drop(tls->trust);
	return rc;
}

static int begin_session(struct pair *p, const struct setup *s)
{
	struct ws_io io = {.io_read = client_read, .io_write = client_write, .io = p};
	struct wsi_str name = {s->name, strlen(s->name)};
	unsigned char ip[16];

	return wsi_tls_new(&p->t, p->c, &io, name, wsi_ip_parse(ip, name.p, name.len), !s->foreign,
	                   test_entropy, NULL, &p->why);
}

/* 0, or what wsi_tls_config_new or wsi_tls_new said */
static int pair_client(struct pair *p, const struct setup *s)
{
	int rc;

	wsi_text_init(&p->why, p->why_buf, sizeof p->why_buf);
	p->option = NULL;
	client_begins();
	p->tls = s->tls;
	rc = configure(&p->c, &p->tls, &p->option, &p->why);
	if (rc == 0)
		rc = begin_session(p, s);
	client_ends();
	return rc;
}

static struct pair *pair_new(const struct setup *s)
{
	struct pair *p = calloc(1, sizeof *p);
	int rc;

	if (p == NULL)
		abort();
	p->down.piece = p->up.piece = s->piece;
	p->down.cut = s->cut;
	p->down.flip = s->flip;
	pair_server(p, s);
	rc = pair_client(p, s);
	if (!CHECK(rc == 0))
		fprintf(stderr, "\t%d: %s: %s\n", rc, p->option, p->why_buf);
	return p;
}

static void pair_free(struct pair *p)
{
	wsi_tls_free(p->t);
	wsi_tls_config_free(p->c);
	mbedtls_ssl_free(&p->ssl);
	mbedtls_ssl_config_free(&p->conf);
	mbedtls_x509_crt_free(&p->crt);
	mbedtls_x509_crt_free(&p->ca);
	mbedtls_pk_free(&p->key);
	mbedtls_ssl_ticket_free(&p->ticket);
	free(p);
	CHECK_EQ_U(blocks, 0);
}

static void server_step(struct pair *p)
{
	if (p->server_done || p->server_rc != 0)
		return;
	p->server_rc = mbedtls_ssl_handshake(&p->ssl);
	if (p->server_rc == 0)
		p->server_done = 1;
	if (p->server_rc == MBEDTLS_ERR_SSL_WANT_READ || p->server_rc == MBEDTLS_ERR_SSL_WANT_WRITE)
		p->server_rc = 0;
	if (p->server_rc != 0)
		p->down.eof = 1;
}

static int64_t shake_until = INT64_MAX;

/* Both until the client has an answer. Its flights: each return of the client's call that would
 * block ends one. flights >= 0: the server falls silent after so many; 1 is then returned. */
static int shake(struct pair *p, int flights)
{
	int rc, still = 0;
	size_t moved;

	for (;;) {
		moved = p->up.total + p->down.total + p->up.r + p->down.r;
		client_begins();
		rc = wsi_tls_handshake(p->t, shake_until, &p->why);
		client_ends();
		if (rc != WS_IO_READ && rc != WS_IO_WRITE)
			break;
		if (flights != 0)
			server_step(p);
		if (flights > 0)
			flights--;
		still = moved == p->up.total + p->down.total + p->up.r + p->down.r ? still + 1 : 0;
		if (still > 4)
			return 1;
	}
	for (still = 0; still < 10000 && !p->server_done && p->server_rc == 0; still++)
		server_step(p);
	return rc;
}

/* The client reads until so many bytes have come or it must wait: what it got */
static size_t drink(struct pair *p, unsigned char *buf, size_t len, ptrdiff_t *last)
{
	size_t n = 0;
	int waits = 0;

	while (n < len) {
		*last = wsi_tls_read(p->t, buf + n, len - n);
		if (*last > 0)
			n += (size_t)*last;
		else if (*last != WS_IO_READ || (p->down.r == p->down.w && ++waits > 2))
			break;
	}
	return n;
}

static int server_write(struct pair *p, const void *data, size_t len)
{
	const unsigned char *b = data;
	size_t done = 0;
	int n, tries = 0;

	while (done < len && tries++ < 100000) {
		n = mbedtls_ssl_write(&p->ssl, b + done, len - done);
		if (n > 0)
			done += (size_t)n;
		else if (n != MBEDTLS_ERR_SSL_WANT_WRITE)
			return n;
	}
	return (int)done;
}

static int server_read(struct pair *p, void *buf, size_t len)
{
	unsigned char *b = buf;
	size_t done = 0;
	int n, tries = 0;

	while (done < len && tries++ < 100000) {
		n = mbedtls_ssl_read(&p->ssl, b + done, len - done);
		if (n > 0)
			done += (size_t)n;
		else if (n != MBEDTLS_ERR_SSL_WANT_READ)
			return n;
		else if (p->up.r == p->up.w)
			break;
	}
	return (int)done;
}

static const struct setup good = {.cert = "good", .name = "localhost"};

static struct setup with_ca(struct setup s)
{
	s.tls.ca_file = in_certs("ca", ".pem");
	return s;
}

/* ---- Tests ---- */

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
			CHECK(!"an error");
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

static void test_certificates(void)
{
	enum { VERIFY, NO_NAME, NO_VERIFY };
	static const struct {
		const char *cert, *name;
		int how;         /* of the above */
		int rc;          /* what the handshake must say */
		const char *why; /* in its sentence */
	} cases[] = {
	    {"expired", "localhost", VERIFY, WS_ECERT,
	     "the server's certificate has expired: it was valid until 2"},
	    {"expired", "localhost", NO_NAME, WS_ECERT, "has expired"},
	    {"expired", "localhost", NO_VERIFY, 0, ""},
	    {"expired", "localhost", VERIFY, WS_ECERT, "(this machine's clock says 2"},
	    {"future", "localhost", VERIFY, WS_ECERT,
	     "the server's certificate is not yet valid: it will be from 2"},
	    {"oldchain", "localhost", VERIFY, WS_ECERT,
	     "in its chain the certificate \"C=XX, O=Test, CN=Old Intermediate\" has expired"},
	    {"wrong", "localhost", VERIFY, WS_ECERT,
	     "the server's certificate is not for \"localhost\" but for wrong.example, "
	     "www.wrong.example, 192.0.2.1"},
	    {"wrong", "localhost", NO_NAME, 0, ""},
	    {"wrong", "localhost", NO_VERIFY, 0, ""},
	    {"wrong", "127.0.0.1", VERIFY, WS_ECERT, "is not for \"127.0.0.1\""},
	    {"wrong", "192.0.2.1", VERIFY, 0, ""},
	    {"wrong", "192.0.2.2", VERIFY, WS_ECERT, "is not for"},
	    {"many", "last.example", VERIFY, 0, ""},
	    {"many", "localhost", VERIFY, WS_ECERT, "host7.many.example, ..."},
	    {"ip", "127.0.0.1", VERIFY, 0, ""},
	    {"ip", "::1", VERIFY, 0, ""},
	    {"ip", "0:0:0:0:0:0:0:1", VERIFY, 0, ""},
	    {"ip", "::2", VERIFY, WS_ECERT, "is not for \"::2\" but for 127.0.0.1, ::1"},
	    {"ip", "localhost", VERIFY, WS_ECERT, "is not for"},
	    {"name", "127.0.0.1", VERIFY, WS_ECERT, "is not for"},
	    {"name", "localhost", VERIFY, 0, ""},
	    {"name", "localhosts", VERIFY, WS_ECERT, "is not for"},
	    {"name", "ocalhost", VERIFY, WS_ECERT, "is not for"},
	    {"upper", "localhost", VERIFY, 0, ""},
	    {"cn", "localhost", VERIFY, 0, ""},
	    {"cn", "127.0.0.1", VERIFY, WS_ECERT, "is not for \"127.0.0.1\" but for localhost"},
	    {"cnonly", "localhost", VERIFY, WS_ECERT,
	     "is not for \"localhost\" but for other.example"},
	    {"wild", "a.example.test", VERIFY, 0, ""},
	    {"wild", "A.EXAMPLE.TEST", VERIFY, 0, ""},
	    {"wild", "a.b.example.test", VERIFY, WS_ECERT, "is not for"},
	    {"wild", "example.test", VERIFY, WS_ECERT, "is not for"},
	    {"wild", ".example.test", VERIFY, WS_ECERT, "is not for"},
	    {"wild", "a.localhost", VERIFY, WS_ECERT, "is not for"}, /* a whole top-level domain */
	    {"wild2", "b.a.example.test", VERIFY, 0, ""},
	    {"wild2", "a.example.test", VERIFY, WS_ECERT, "is not for"},
	    {"wild2", "c.b.a.example.test", VERIFY, WS_ECERT, "is not for"},
	    {"fake", "localhost", VERIFY, WS_ECERT, "is not trusted"},
	    {"weak", "localhost", VERIFY, WS_ECERT, "has a key that is too weak"},
	    {"weak", "localhost", NO_VERIFY, 0, ""},
	    {"nochain", "localhost", VERIFY, WS_ECERT,
	     "or the server did not send its intermediate certificate"},
	    {"nochain", "localhost", VERIFY, WS_ECERT, "\"C=XX, O=Test, CN=Test Intermediate\""},
	    {"nochain", "localhost", NO_VERIFY, 0, ""},
	    {"self", "localhost", VERIFY, WS_ECERT, "is self-signed and not trusted here"},
	    {"self", "other.example", VERIFY, WS_ECERT,
	     "is self-signed and not trusted here; the server's certificate is not for"},
	    {"self", "localhost", NO_VERIFY, 0, ""},
	    {"strange", "localhost", VERIFY, WS_ECERT,
	     "certificate \"C=XX, O=Test, CN=Another Root\" is a root that is not trusted here"},
	};
	struct ws_report r;
	struct setup s;
	struct pair *p;
	size_t i;
	int rc, max;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s for %s, how %d", cases[i].cert, cases[i].name, cases[i].how);
		for (max = 12; max <= (HAS_13 ? 13 : 12); max++) {
			if (max == 13
			    && strcmp(cases[i].cert, "weak") == 0) /* the server would not */
				continue;
			s = with_ca(good);
			s.cert = cases[i].cert;
			s.name = cases[i].name;
			s.max_version = max;
			s.tls.insecure_no_hostname = cases[i].how == NO_NAME;
			s.tls.insecure_no_verify = cases[i].how == NO_VERIFY;
			p = pair_new(&s);
			rc = shake(p, -1);
			memset(&r, 0, sizeof r);
			wsi_tls_report(p->t, &r);
			if (!CHECK(rc == cases[i].rc) || !CHECK(strstr(p->why_buf, cases[i].why))
			    || !CHECK(r.tls_verified == (rc == 0 && cases[i].how != NO_VERIFY))
			    || !CHECK(r.cert_not_after != 0)
			    || !CHECK((rc == 0) == (p->why.len == 0)))
				fprintf(stderr, "\t%s for %s: %d %s\n", s.cert, s.name, rc,
				        p->why_buf);
			CHECK(p->why.cut == 0);
			/* once failed, it stays so, with the same words, and never says a word of
			 * data */
			if (rc != 0) {
				char first[600];

				memcpy(first, p->why_buf, sizeof first);
				wsi_text_init(&p->why, p->why_buf, sizeof p->why_buf);
				CHECK(wsi_tls_handshake(p->t, INT64_MAX, &p->why) == rc);
				CHECK_EQ_S(p->why_buf, first);
				CHECK(!p->server_done || max == 13);
			}
			pair_free(p);
		}
	}
}

static void test_trust(void)
{
	static const struct {
		const char *file, *dir, *cert;
		int rc;
	} cases[] = {
	    {"ca.der", NULL, "good", 0},
	    {"other.pem", NULL, "good", WS_ECERT},
	    {"bundle.pem", NULL, "good", 0},
	    {"bundle.pem", NULL, "direct", 0},
	    {"bundle.pem", NULL, "nochain", WS_ECERT},
	    {"bundle.pem", NULL, "expired", WS_ECERT},
	    {"bundle-without.pem", NULL, "good", WS_ECERT},
	    {"bundle.pem", NULL, "self", WS_ECERT},
	    {NULL, "capath", "good", 0},
	    {NULL, "capath", "self", WS_ECERT},
	    {"other.pem", "capath", "good", 0},
	    {"int.crt", NULL, "nochain", 0}, /* who trusts an intermediate trusts what it signed */
	    {"self.pem", NULL, "self", 0},
	    {"good.crt", NULL, "fake", WS_ECERT}, /* no authority though trusted itself */
	    {NULL, NULL, "good", WS_ECERT}};
	struct setup s;
	struct pair *p;
	size_t i;
	int rc;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s, %s", cases[i].file != NULL ? cases[i].file : cases[i].dir,
		          cases[i].cert);
		s = good;
		s.cert = cases[i].cert;
		s.tls.ca_file = cases[i].file ? in_certs(cases[i].file, "") : NULL;
		s.tls.ca_dir = cases[i].dir ? in_certs(cases[i].dir, "") : NULL;
		p = pair_new(&s);
		rc = shake(p, -1);
		if (!CHECK(rc == cases[i].rc))
			fprintf(stderr, "\t%s %s %s: %d %s\n", cases[i].cert, cases[i].file,
			        cases[i].dir, rc, p->why_buf);
		pair_free(p);
	}
}

/* A bundle is read again when a session needs it: what then goes wrong is told as what it is */
static void test_bundle_read_late(void)
{
	struct setup s = good;
	struct pair *p;
	char link[400];

	snprintf(link, sizeof link, "%s/late.pem", certs);
	CHECK(symlink("bundle.pem", link) == 0);
	s.tls.ca_file = link;
	s.cert = "self"; /* no CA of those that were parsed at once has issued it */

	check_row("the deadline");
	p = pair_new(&s);
	shake_until = wsi_clock_us();
	CHECK(shake(p, -1) == WSI_TLS_LATE);
	CHECK(strstr(p->why_buf, "timed out while looking for the issuer")
	      && strstr(p->why_buf, link));
	pair_free(p);
	shake_until = INT64_MAX;

	check_row("no longer there");
	p = pair_new(&s);
	CHECK(unlink(link) == 0);
	CHECK(shake(p, -1) == WS_ECERT);
	CHECK(strstr(p->why_buf, "not trusted here") && strstr(p->why_buf, link)
	      && strstr(p->why_buf, "No such file"));
	pair_free(p);
}

#ifdef __linux__
/* A machine without a bundle, and one that has what nobody may read */
static void test_no_bundle(void)
{
	static const struct {
		int err;
		const char *why;
	} cases[] = {
	    {ENOENT, "; this machine has no CA certificates in any of the usual places, "
	             "such as /etc/ssl/certs/ca-certificates.crt"},
	    {EACCES, "/ca-certificates.crt; one of these could not be read: Permission denied"}};
	struct pair *p;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s", cases[i].why);
		open_fails_at = "/";
		open_errno = cases[i].err;
		p = pair_new(&good);
		CHECK_EQ_U(shake(p, -1), WS_ECERT);
		open_fails_at = NULL;
		if (!CHECK(strstr(p->why_buf, cases[i].why) != NULL))
			fprintf(stderr, "\t%s\n", p->why_buf);
		pair_free(p);
	}
}
#endif

static void test_pins(void)
{
	char pin[80], list[200], seen[100];
	struct setup s = with_ca(good);
	struct pair *p;
	int i;

	load(in_certs("good", ".pin"), (unsigned char *)pin, sizeof pin);
	snprintf(list, sizeof list, "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=;%s", pin);
	snprintf(seen, sizeof seen, "but %s", pin);
	for (i = 0; i < 8; i++) {
		s.tls.insecure_no_verify = i & 1;
		s.tls.pin_sha256 = i < 4 ? (i & 2 ? list : pin)
		                         : "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
		s.max_version = i & 4 ? 12 : 0;
		p = pair_new(&s);
		CHECK(shake(p, -1) == (i < 4 ? 0 : WS_ECERT));
		CHECK(i < 4 ? p->why.len == 0 : strstr(p->why_buf, seen) != NULL);
		CHECK(i < 4 || !p->server_done || s.max_version == 0);
		pair_free(p);
	}
	s = with_ca(good); /* a pin is no pardon */
	s.tls.pin_sha256 = pin;
	s.name = "elsewhere.example";
	p = pair_new(&s);
	CHECK(shake(p, -1) == WS_ECERT);
	CHECK(strstr(p->why_buf, "is not for"));
	pair_free(p);
}

static void test_client_certificates(void)
{
	static const struct {
		const char *cert, *key, *pass;
		int foreign, ok;
	} cases[] = {
		{"client.pem", "client.key", NULL, 0, 1},
		{"client-both.pem", NULL, NULL, 0, 1},
		{"client-both.pem", NULL, "not needed", 0, 1},
#if MBEDTLS_VERSION_NUMBER >= 0x03000000 /* 2.28 knows no AES there */
		{"client.pem", "client-enc.key", "secret", 0, 1},
#endif
#if MBEDTLS_VERSION_NUMBER < 0x04000000
		{"client.pem", "client-des.key", "secret", 0, 1},
#endif
		{"client.pem", "client-old.key", "secret", 0, 1},
		{"client.pem", "client-key.der", NULL, 0, 1},
		{"clientrsa.pem", "clientrsa.key", NULL, 0, 1},
		{NULL, NULL, NULL, 0, 0},
		{"client.pem", "client.key", NULL, 1, 0},
		{"stranger.pem", "stranger.key", NULL, 0, 0},
		{"client.der", "client.key", NULL, 0, 0}
	}; /* without its chain */
	unsigned char byte;
	struct setup s;
	struct pair *p;
	ptrdiff_t last;
	size_t i;
	int rc, max;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s, foreign %d", cases[i].cert, cases[i].foreign);
		for (max = 12; max <= (HAS_13 ? 13 : 12); max++) {
			s = with_ca(good);
			s.client_ca = "ca";
			s.max_version = max;
			s.foreign = cases[i].foreign;
			s.tls.cert_file = cases[i].cert ? in_certs(cases[i].cert, "") : NULL;
			s.tls.key_file = cases[i].key ? in_certs(cases[i].key, "") : NULL;
			s.tls.key_password = cases[i].pass;
			p = pair_new(&s);
			rc = shake(p, -1);
			if (max == 13 && !cases[i].ok
			    && CHECK(rc == 0)) { /* 1.3 tells the client only later */
				drink(p, &byte, 1, &last);
				CHECK(last == WS_IO_ERROR);
				rc = wsi_tls_why(p->t, &p->why);
			}
			if (!CHECK(rc == (cases[i].ok ? 0 : WS_ETLS))
			    || !CHECK((rc == 0) == (p->why.len == 0))
			    || !CHECK(p->server_done == cases[i].ok))
				fprintf(stderr, "\tcase %lu, TLS %d: %d %s\n", (unsigned long)i,
				        max, rc, p->why_buf);
			pair_free(p);
		}
	}
}

/* What test_options names beside what make-certs made */
static void make_odd_files(void)
{
	unsigned char buf[20000];
	int n = load(in_certs("client", ".pem"), buf, sizeof buf);
	FILE *f;

	if (access(in_certs("fifo", ""), F_OK) == 0) /* the test runs twice */
		return;
	f = fopen(in_certs("half", ".pem"), "wb");
	CHECK(f != NULL && fwrite(buf, 1, (size_t)n, f) == (size_t)n);
	n = load(in_certs("broken", ".pem"), buf, sizeof buf);
	CHECK(fwrite(buf, 1, (size_t)n, f) == (size_t)n && fclose(f) == 0);
	CHECK(mkdir(in_certs("loops", ""), 0700) == 0);
	CHECK(symlink("loop", in_certs("loops/loop", "")) == 0);
	CHECK(mkfifo(in_certs("fifo", ""), 0600) == 0);
}

static void test_options(void)
{
	static const struct {
		size_t field; /* offset in struct ws_tls */
		const char *value;
		int in_certs; /* value is the name of a file there */
		const char *option, *why;
	} cases[] = {
#define O(field) offsetof(struct ws_tls, field)
#define SUITE "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256:"
#define SUITES4 SUITE SUITE SUITE SUITE
#define SUITES16 SUITES4 SUITES4 SUITES4 SUITES4
#define PIN "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=;"
#define PINS4 PIN PIN PIN PIN
	    {O(ca_file), "missing.pem", 1, "tls.ca_file", "missing.pem\": No such file"},
	    {O(ca_file), "garbage.pem", 1, "tls.ca_file", "garbage.pem\": no certificate in it"},
	    {O(ca_file), "empty.pem", 1, "tls.ca_file", "no certificate in it"},
	    {O(ca_file), "good.key", 1, "tls.ca_file", "no certificate in it"},
	    {O(ca_file), "broken.pem", 1, "tls.ca_file",
	     "broken.pem\": its certificate cannot be read: it is damaged"},
	    {O(ca_file), "client-key.der", 1, "tls.ca_file", "its certificate cannot be read"},
	    {O(ca_file), "capath", 1, "tls.ca_file", "is a directory"},
	    {O(ca_dir), "ca.pem", 1, "tls.ca_dir", "ca.pem\": is no directory"},
	    {O(ca_dir), "missing", 1, "tls.ca_dir", "No such file"},
	    {O(ca_dir), "loops", 1, "tls.ca_dir",
	     "no certificate in it (PEM or DER), but a file that could not be read: "},
	    {O(cert_file), "half.pem", 1, "tls.cert_file", "a certificate in it cannot be read"},
	    {O(keylog_file), "fifo", 1, "tls.keylog_file", "fifo\": is a pipe"},
	    {O(ca_dir), "emptydir", 1, "tls.ca_dir", "no certificate in it"},
	    {O(cert_file), "missing.pem", 1, "tls.cert_file", "No such file"},
	    {O(cert_file), "garbage.pem", 1, "tls.cert_file",
	     "garbage.pem\": it is neither PEM nor DER"},
	    {O(cert_file), "empty.pem", 1, "tls.cert_file", "empty.pem\": it is empty"},
	    {O(cert_file), "broken.pem", 1, "tls.cert_file",
	     "its certificate cannot be read: it is damaged"},
	    {O(cert_file), "client.pem", 1, "tls.key_file",
	     "client.pem\": the certificate's file has no private key in it"},
	    {O(cert_file), "capath", 1, "tls.cert_file", "directory"},
	    {O(key_file), "client.key", 1, "tls.key_file", "needs a certificate"},
	    {O(ciphers), "TLS_NO_SUCH_SUITE", 0, "tls.ciphers",
	     "\"TLS_NO_SUCH_SUITE\": no cipher suite"},
	    {O(ciphers), "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256:nonsense", 0, "tls.ciphers",
	     "\"nonsense\""},
	    {O(ciphers), "x", 0, "tls.ciphers", "\"x\": no cipher suite of this build"},
	    {O(ciphers), "", 0, "tls.ciphers", "no cipher suite in it"},
	    {O(ciphers), ",:", 0, "tls.ciphers", "no cipher suite in it"},
	    {O(ciphers), SUITES16 SUITES16 SUITES16 SUITES16 SUITES4, 0, "tls.ciphers",
	     "more than 64 cipher suites"},
	    {O(pin_sha256), PINS4 PINS4 PINS4, 0, "tls.pin_sha256", "more than 8 pins"},
	    {O(pin_sha256), "", 0, "tls.pin_sha256", "no pin"},
	    {O(pin_sha256), "sha256//AAAA", 0, "tls.pin_sha256", "\"sha256//AAAA\""},
	    {O(pin_sha256), "sha1//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", 0,
	     "tls.pin_sha256", "sha256//BASE64"},
	    {O(pin_sha256), "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=", 0,
	     "tls.pin_sha256", "sha256//BASE64"},
	    {O(pin_sha256), "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=;sha256//", 0,
	     "tls.pin_sha256", "BASE64"},
	    {O(server_name), "", 0, "tls.server_name", "empty"},
	    {O(keylog_file), "missing/keylog", 1, "tls.keylog_file", "No such file"}};
	static const struct {
		int min, max;
		const char *ciphers, *option;
	} versions[] = {
		{11, 0, NULL, "tls.min_version"},
		{0, 14, NULL, "tls.max_version"},
		{13, 12, NULL, "tls.min_version"},
		{0, 0, NULL, NULL},
		{12, 13, NULL, NULL},
		{12, 12, NULL, NULL},
#if HAS_13
		{13, 13, NULL, NULL},
		{13, 0, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "tls.ciphers"},
		{0, 12, "TLS_AES_128_GCM_SHA256", "tls.ciphers"},
		{13, 13, "TLS_AES_128_GCM_SHA256", NULL},
#else
		{13, 0, NULL, "tls.min_version"},
		{0, 0, "TLS_AES_128_GCM_SHA256", "tls.ciphers"},
#endif
		{-1, 0, NULL, "tls.min_version"}
	};
	static const struct {
		const char *cert, *key, *pass, *option, *why;
	} keys[] = {
	    {"client.pem", "missing.key", NULL, "tls.key_file", "missing.key\": No such file"},
	    {"client.pem", "garbage.pem", NULL, "tls.key_file",
	     "garbage.pem\": it is neither PEM nor DER"},
	    {"client.pem", "ca.der", NULL, "tls.key_file", "its private key cannot be read: "},
	    {"client.pem", "clientrsa.key", NULL, "tls.key_file",
	     "does not belong to the certificate"},
	    {"client.pem", "good.key", NULL, "tls.key_file", "does not belong to the certificate"},
	    {"client.pem", "client-enc.key", NULL, "tls.key_password", "no passphrase was given"},
	    {"client.pem", "client-old.key", NULL, "tls.key_password", "no passphrase was given"},
	    {"client.pem", "client-enc.key", "wrong", "tls.key_password",
	     "client-enc.key\": " PKCS8_AES},
	    {"client.pem", "client-des.key", "wrong", "tls.key_password",
	     "client-des.key\": wrong passphrase"},
	    {"client.pem", "client-old.key", "wrong", "tls.key_password",
	     "client-old.key\": wrong passphrase"}};
	struct ws_tls tls;
	struct wsi_tls_config *c;
	struct wsi_text why;
	char buf[600];
	const char *option, *value;
	size_t i;
	int rc, fifo;

	make_odd_files();
	fifo = open(in_certs("fifo", ""), O_RDWR); /* a reader, so that it can be opened */
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s: %s", cases[i].option, cases[i].why);
		memset(&tls, 0, sizeof tls);
		value = cases[i].in_certs ? in_certs(cases[i].value, "") : cases[i].value;
		memcpy((char *)&tls + cases[i].field, &value, sizeof value);
		option = NULL;
		wsi_text_init(&why, buf, sizeof buf);
		rc = configure(&c, &tls, &option, &why);
		if (!CHECK(rc == WS_EUSAGE)
		    || !CHECK(option && strcmp(option, cases[i].option) == 0)
		    || !CHECK(strstr(buf, cases[i].why)))
			fprintf(stderr, "\t%s: %d %s %s\n", value, rc, option, buf);
		CHECK(c == NULL);
		CHECK_EQ_U(blocks, 0);
	}
	close(fifo);
	check_row_end();
	for (i = 0; i < sizeof versions / sizeof versions[0]; i++) {
		check_row("%d to %d, %s", versions[i].min, versions[i].max,
		          versions[i].ciphers != NULL ? versions[i].ciphers : "any cipher");
		memset(&tls, 0, sizeof tls);
		tls.min_version = versions[i].min;
		tls.max_version = versions[i].max;
		tls.ciphers = versions[i].ciphers;
		option = NULL;
		wsi_text_init(&why, buf, sizeof buf);
		rc = configure(&c, &tls, &option, &why);
		if (!CHECK(rc == (versions[i].option ? WS_EUSAGE : 0))
		    || !CHECK(option == versions[i].option
		              || (option && strcmp(option, versions[i].option) == 0)))
			fprintf(stderr, "\t%d to %d: %d %s %s\n", tls.min_version, tls.max_version,
			        rc, option, buf);
		wsi_tls_config_free(c);
		CHECK_EQ_U(blocks, 0);
	}
	check_row_end();
	for (i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		check_row("%s, %s", keys[i].key, keys[i].why);
		memset(&tls, 0, sizeof tls);
		tls.cert_file = in_certs(keys[i].cert, "");
		tls.key_file = in_certs(keys[i].key, "");
		tls.key_password = keys[i].pass;
		wsi_text_init(&why, buf, sizeof buf);
		rc = configure(&c, &tls, &option, &why);
		if (!CHECK(rc == WS_EUSAGE) || !CHECK(strcmp(option, keys[i].option) == 0)
		    || !CHECK(strstr(buf, keys[i].why)))
			fprintf(stderr, "\t%s: %d %s %s\n", keys[i].key, rc, option, buf);
		CHECK(strstr(buf, "wrong\"") == NULL); /* a passphrase is shown to nobody */
		CHECK_EQ_U(blocks, 0);
	}
}

static void test_ciphers_versions(void)
{
	static const struct {
		const char *ciphers, *expect, *cert;
		int server_max, client_min, client_max, rc;
		const char *why;
	} cases[] = {
		{"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
		 "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "good", 0, 0, 0, 0, ""},
		{"TLS-ECDHE-ECDSA-WITH-AES-256-GCM-SHA384",
		 "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "good", 0, 0, 0, 0, ""},
		{"tls_ecdhe_rsa_with_aes_128_gcm_sha256, TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256",
		 "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "rsa", 0, 0, 0, 0, ""},
		{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", NULL, "good", 0, 0, 0, WS_ETLS,
		 "alert handshake_failure(40)"},
#if HAS_13
		{"TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256", "good", 0, 0, 0, 0, ""},
		{"TLS1-3-AES-256-GCM-SHA384", "TLS_AES_256_GCM_SHA384", "good", 0, 0, 0, 0, ""},
		{"TLS_AES_128_GCM_SHA256", NULL, "good", 12, 0, 0, WS_ETLS, "alert "},
		{NULL, NULL, "good", 12, 13, 0, WS_ETLS, "alert "},
		{NULL, NULL, "good", 0, 0, 12, 0, ""},
		{NULL, NULL, "good", 0, 13, 13, 0, ""},
#endif
		{NULL, NULL, "good", 12, 12, 12, 0, ""}
	};
	struct ws_report r;
	struct setup s;
	struct pair *p;
	size_t i;
	int rc;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%lu: %s", (unsigned long)i,
		          cases[i].ciphers != NULL ? cases[i].ciphers : "any cipher");
		s = with_ca(good);
		s.cert = cases[i].cert;
		s.max_version = cases[i].server_max;
		s.tls.ciphers = cases[i].ciphers;
		s.tls.min_version = cases[i].client_min;
		s.tls.max_version = cases[i].client_max;
		p = pair_new(&s);
		rc = shake(p, -1);
		memset(&r, 0, sizeof r);
		wsi_tls_report(p->t, &r);
		if (!CHECK(rc == cases[i].rc) || !CHECK(strstr(p->why_buf, cases[i].why)))
			fprintf(stderr, "\tcase %lu: %d %s\n", (unsigned long)i, rc, p->why_buf);
		if (cases[i].expect)
			CHECK_EQ_S(r.tls_cipher, cases[i].expect);
		if (rc == 0 && (cases[i].client_max == 12 || cases[i].client_min == 13))
			CHECK_EQ_S(r.tls_version,
			           cases[i].client_max == 12 ? "TLSv1.2" : "TLSv1.3");
		pair_free(p);
	}
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

/* A server that stalls, closes or resets after each flight, and one cut off after so many bytes of
 * the handshake */
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
			wsi_tls_goodbye(p->t); /* before the end of the handshake: nothing */
			CHECK(wsi_tls_pending(p->t) == 0);
			p->down.eof = 1;
			CHECK(wsi_tls_handshake(p->t, INT64_MAX, &p->why) == WS_ETLS);
			CHECK_EQ_S(p->why_buf,
			           "the server closed the connection in the TLS handshake");
			pair_free(p);

			p = pair_new(&s);
			CHECK_EQ_U(shake(p, flights), 1);
			p->down.reset = p->up.reset = 1;
			CHECK(wsi_tls_handshake(p->t, INT64_MAX, &p->why) == WS_ERESET);
			CHECK_EQ_S(p->why_buf, "the connection was reset in the TLS handshake");
			pair_free(p);
		}
		for (cut = 1; cut + 16 < total; cut += cut < 12 ? 1 : 61) {
			s.cut = cut;
			p = pair_new(&s);
			rc = shake(p, -1);
			/* the tail of what a 1.3 server sends is not part of the handshake */
			if (!CHECK(rc == WS_ETLS)
			    || !CHECK(strstr(p->why_buf, "closed the connection")))
				fprintf(stderr, "\tcut at %lu of %lu: %d %s\n", (unsigned long)cut,
				        (unsigned long)total, rc, p->why_buf);
			pair_free(p);
		}
	}
}

static void test_flips(void)
{
	struct setup s = with_ca(good);
	struct pair *p;
	size_t total, flip;
	int max, rc;

	for (max = 12; max <= (HAS_13 ? 13 : 12); max++) {
		s.max_version = max;
		s.flip = 0;
		p = pair_new(&s);
		CHECK_EQ_U(shake(p, -1), 0);
		total = p->down.total;
		pair_free(p);
		for (flip = 5; flip < total;
		     flip += 37) { /* not the very first bytes: see test_not_tls */
			s.flip = flip;
			p = pair_new(&s);
			rc = shake(p, -1);
			/* a wrong length makes it wait for more; in the head of a record the second
			 * 3 of its version is of no account (RFC 8446 5.1) and the one thing that
			 * no hash covers */
			if (!CHECK(rc == WS_ETLS || rc == WS_ECERT || rc == 1
			           || (rc == 0 && p->down.flipped == 3))
			    || !CHECK(rc == 1 || rc == 0 || p->why.len > 0))
				fprintf(stderr, "\tflip at %lu of %lu: %d %s\n",
				        (unsigned long)flip, (unsigned long)total, rc, p->why_buf);
			pair_free(p);
		}
	}
}

static void put_24(unsigned char *p, size_t v)
{
	p[0] = (unsigned char)(v >> 16);
	p[1] = (unsigned char)(v >> 8);
	p[2] = (unsigned char)v;
}

/* Certificate messages of TLS 1.2 behind a ServerHello, as no server of mbedTLS sends them */
static void test_certificate_messages(void)
{
	/* version, random, no session, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, no compression */
	static const unsigned char hello[5 + 4 + 2 + 32 + 4] = {
	    0x16, 0x03, 0x03, 0, 42, 2, 0, 0, 38, 0x03, 0x03, [44] = 0xc0, 0x2b};
	static const struct {
		const char *name;
		int with_der;       /* ca.der is in it */
		unsigned char flip; /* of the last byte of the first "ecdsa-with-SHA256" in it */
		const char *why;
	} cases[] = {{"none", 0, 0, "the server showed no certificate"},
	             {"an algorithm that nobody knows", 1, 0x70,
	              "the server's certificate is signed with an algorithm that " TLS_LIBRARY
	              " lacks"},
	             {"a whole one", 1, 0, "is not for \"localhost\""}};
	static const unsigned char algorithm[8] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
	unsigned char message[4096], *der = message + 5 + 4 + 3 + 3;
	struct setup s = with_ca(good);
	struct pair *p;
	size_t i, k, len;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s", cases[i].name);
		len = 0;
		if (cases[i].with_der)
			len = load(in_certs("ca", ".der"), der, sizeof message - 15);
		for (k = 0; k + sizeof algorithm <= len
		            && memcmp(der + k, algorithm, sizeof algorithm) != 0;
		     k++)
			;
		if (cases[i].flip)
			der[k + 7] ^= cases[i].flip;
		put_24(message + 12, len);
		len += cases[i].with_der ? 3 : 0;
		put_24(message + 9, len);
		put_24(message + 6, len + 3);
		message[0] = 0x16;
		message[1] = message[2] = 0x03;
		message[3] = (unsigned char)((len + 7) >> 8);
		message[4] = (unsigned char)(len + 7);
		message[5] = 11;
		p = pair_new(&s);
		CHECK(wsi_tls_handshake(p->t, INT64_MAX, &p->why) == WS_IO_READ);
		pipe_write(&p->down, hello, sizeof hello);
		pipe_write(&p->down, message, len + 12);
		if (!CHECK(shake(p, 0) == WS_ECERT)
		    || !CHECK(strstr(p->why_buf, cases[i].why) != NULL))
			fprintf(stderr, "\t%s\n", p->why_buf);
		pair_free(p);
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
			case 0: /* said goodbye */
				CHECK(mbedtls_ssl_close_notify(&p->ssl) == 0);
				p->down.eof = 1;
				break;
			case 1: /* did not */
				p->down.eof = 1;
				break;
			case 2: /* cut off in mid record */
				CHECK(server_write(p, "world", 5) == 5);
				p->down.w = before + 9;
				p->down.eof = 1;
				break;
			case 3: /* tampered with */
				CHECK(server_write(p, "world", 5) == 5);
				p->down.buf[p->down.w - 3] ^= 1;
				break;
			case 4: /* not even a record */
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

/* The peer has said something and is gone when we write: it can still be read */
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

/* What poll cannot see: the rest of a record, several records in one read of the transport are
 * still in it */
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
	CHECK_EQ_U(wsi_tls_read(p->t, buf, 4), 4);
	CHECK_EQ_U(wsi_tls_pending(p->t), 6);
	CHECK_EQ_U(wsi_tls_read(p->t, buf, 4), 4);
	CHECK_EQ_U(wsi_tls_pending(p->t), 2);
	CHECK_EQ_U(wsi_tls_read(p->t, buf, 4), 2);
	CHECK_EQ_U(wsi_tls_pending(p->t), 0);
	CHECK(wsi_tls_read(p->t, buf, 4) == WS_IO_READ);
	pair_free(p);
}

/* A transport that fills up: what was offered again, also grown, arrives once and in order */
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
			offered += 17; /* more has been asked for meanwhile */
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

#if defined(MBEDTLS_SSL_RENEGOTIATION)
/* Refused: by an alert that has no room at first. Neither it nor the data behind it may be lost. */
static void test_renegotiation(void)
{
	unsigned char buf[100];
	struct setup s = with_ca(good);
	struct pair *p;
	ptrdiff_t last;
	int full, rc;

	for (full = 0; full < 2; full++) {
		s.renegotiation = 1;
		s.max_version = 12;
		p = pair_new(&s);
		CHECK_EQ_U(shake(p, -1), 0);
		CHECK(mbedtls_ssl_renegotiate(&p->ssl) == 0); /* HelloRequest */
		p->up.limit = full ? 10 : 0;
		drink(p, buf, sizeof buf, &last);
		CHECK(last == (full ? WS_IO_WRITE : WS_IO_READ));
		CHECK(full || p->up.w > p->up.r);
		last = wsi_tls_write(p->t, "data", 4);
		CHECK(last == (full ? WS_IO_WRITE : 4));
		p->up.limit = 0;
		if (full)
			CHECK(wsi_tls_write(p->t, "data and more", 13) == 13);
		memset(buf, 0, sizeof buf);
		rc = mbedtls_ssl_read(&p->ssl, buf, sizeof buf);
		if (full)
			CHECK(rc == MBEDTLS_ERR_SSL_WANT_READ || rc == 13);
		if (rc == MBEDTLS_ERR_SSL_WANT_READ || rc == 0)
			rc = mbedtls_ssl_read(&p->ssl, buf, sizeof buf);
		CHECK_EQ_S((char *)buf, full ? "data and more" : "data");
		CHECK_EQ_U(server_write(p, "still here", 10), 10);
		CHECK_EQ_U(drink(p, buf, sizeof buf, &last), 10);
		pair_free(p);
	}
}
#endif

static void test_tickets(void)
{
	unsigned char buf[100];
	struct setup s = with_ca(good);
	struct pair *p;
	ptrdiff_t last;

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
	struct pair *p = calloc(1, sizeof *p);

	if (p == NULL)
		abort();
	pair_server(p, &s);
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
}

static void test_keylog(void)
{
	static const char *const labels[] = {"CLIENT_RANDOM ", "CLIENT_HANDSHAKE_TRAFFIC_SECRET ",
	                                     "SERVER_HANDSHAKE_TRAFFIC_SECRET ",
	                                     "CLIENT_TRAFFIC_SECRET_0 ",
	                                     "SERVER_TRAFFIC_SECRET_0 "};
	char path[300], text[4000], *line;
	struct setup s = with_ca(good);
	struct pair *p;
	struct stat st;
	size_t i, hex;
	int max, seen;

	snprintf(path, sizeof path, "%s/keylog", certs);
	for (max = 12; max <= (HAS_13 ? 13 : 12); max++) {
		unlink(path);
		s.max_version = max;
		s.tls.keylog_file = path;
		p = pair_new(&s);
		CHECK_EQ_U(shake(p, -1), 0);
		pair_free(p);
		load(path, (unsigned char *)text, sizeof text);
		seen = 0;
		for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
			for (i = 0; i < 5; i++) {
				if (strncmp(line, labels[i], strlen(labels[i])) == 0)
					seen |= 1 << i;
			}
			line = strchr(line, ' ') + 1;
			hex = strspn(line, "0123456789abcdef");
			CHECK_EQ_U(hex, 64);
			CHECK(line[hex] == ' ');
			hex = strspn(line + hex + 1, "0123456789abcdef");
			CHECK(hex == 64 || hex == 96);
			CHECK(line[65 + hex] == 0);
		}
		CHECK_EQ_U(seen, max == 12 ? 1 : 30);
		CHECK(stat(path, &st) == 0 && (st.st_mode & 077) == 0);
	}
	unlink(path);
#ifdef __linux__
	check_row("a file that cannot be written to does not stop the connection");
	s.tls.keylog_file = "/dev/full";
	p = pair_new(&s);
	CHECK_EQ_U(shake(p, -1), 0);
	pair_free(p);
#endif
}

/* A program's own mbedtls_ssl_config */
static void test_own_config(void)
{
	static const struct {
		const char *cert, *name, *pin;
		int none, rc;
		const char *why;
	} cases[] = {{"good", "localhost", NULL, 0, 0, ""},
	             {"good", "127.0.0.1", NULL, 0, 0, ""},
	             {"good", "127.0.0.2", NULL, 0, WS_ECERT, "is not for \"127.0.0.2\""},
	             {"good", "other.example", NULL, 0, WS_ECERT, ""},
	             {"self", "localhost", NULL, 0, WS_ECERT, ""},
	             {"good", "localhost", "good", 0, 0, ""},
	             {"direct", "localhost", "good", 0, WS_ECERT, "not the pinned one"},
	             {"self", "localhost", NULL, 1, 0, ""},
	             {"self", "localhost", "good", 1, WS_ECERT, "not the pinned one"}};
	mbedtls_ssl_config conf;
	mbedtls_x509_crt ca;
	struct ws_report r;
	struct setup s;
	struct pair *p;
	char pin[80];
	size_t i;
	int rc;

	load(in_certs("good", ".pin"), (unsigned char *)pin, sizeof pin);
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s for %s, pin %s", cases[i].cert, cases[i].name,
		          cases[i].pin != NULL ? cases[i].pin : "none");
		mbedtls_ssl_config_init(&conf);
		mbedtls_x509_crt_init(&ca);
		load_crt(&ca, in_certs("ca", ".pem"));
		CHECK(mbedtls_ssl_config_defaults(&conf, MBEDTLS_SSL_IS_CLIENT,
		                                  MBEDTLS_SSL_TRANSPORT_STREAM,
		                                  MBEDTLS_SSL_PRESET_DEFAULT)
		      == 0);
#if MBEDTLS_VERSION_NUMBER < 0x04000000
		mbedtls_ssl_conf_rng(&conf, test_random, NULL);
#endif
		mbedtls_ssl_conf_ca_chain(&conf, &ca, NULL);
		if (cases[i].none)
			mbedtls_ssl_conf_authmode(&conf, MBEDTLS_SSL_VERIFY_NONE);
		s = good;
		s.cert = cases[i].cert;
		s.name = cases[i].name;
		s.tls.config = &conf;
		s.tls.pin_sha256 = cases[i].pin ? pin : NULL;
		p = pair_new(&s);
		rc = shake(p, -1);
		memset(&r, 0, sizeof r);
		wsi_tls_report(p->t, &r);
		if (!CHECK(rc == cases[i].rc) || !CHECK(strstr(p->why_buf, cases[i].why))
		    || !CHECK((rc == 0) == (p->why.len == 0)) || !CHECK(r.tls_verified == 0))
			fprintf(stderr, "\tcase %lu: %d %s\n", (unsigned long)i, rc, p->why_buf);
		if (rc == 0)
			CHECK(strncmp(r.cert_subject, "CN=", 3) == 0);
		pair_free(p);
		mbedtls_ssl_config_free(&conf);
		mbedtls_x509_crt_free(&ca);
	}
}

static void test_server_name(void)
{
	struct setup s = with_ca(good);
	struct pair *p;

	s.name = "elsewhere.example";
	s.tls.server_name = "good.example";
	p = pair_new(&s);
	CHECK_EQ_U(shake(p, -1), 0);
	CHECK_EQ_S(p->sni, "good.example");
	pair_free(p);
	s.foreign = 1; /* after a redirect to another origin it does not count */
	p = pair_new(&s);
	CHECK(shake(p, -1) == WS_ECERT);
	CHECK(strstr(p->why_buf, "is not for \"elsewhere.example\""));
	CHECK_EQ_S(p->sni, "elsewhere.example");
	pair_free(p);
	s.foreign = 0;
	s.name = "localhost";
	s.tls.server_name = "127.0.0.1";
	p = pair_new(&s);
	CHECK_EQ_U(shake(p, -1), 0);
	CHECK_EQ_S(p->sni, "");
	pair_free(p);
}

static void test_dates(void)
{
	struct setup s = with_ca(good);
	struct ws_report r;
	struct pair *p;

	s.cert = "long";
	p = pair_new(&s);
	CHECK_EQ_U(shake(p, -1), 0);
	memset(&r, 0, sizeof r);
	wsi_tls_report(p->t, &r);
	CHECK(r.cert_not_after == INT64_C(3786911999)); /* date -u -d "2089-12-31 23:59:59" +%s */
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
		p = calloc(1, sizeof *p);
		if (p == NULL)
			abort();
		pair_server(p, &s);
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

#if defined(MBEDTLS_KEY_EXCHANGE_PSK_ENABLED) && MBEDTLS_VERSION_NUMBER < 0x03000000
/* A program's own settings agree on a secret, so the server shows no certificate: no pin can hold */
static void test_no_certificate(void)
{
	static const int suites[] = {MBEDTLS_TLS_PSK_WITH_AES_128_GCM_SHA256, 0};
	static const unsigned char psk[16] = "0123456789abcde", identity[] = "me";
	mbedtls_ssl_config conf;
	struct setup s = good;
	struct ws_report r;
	struct pair *p;
	char pin[80];
	int pinned;

	load(in_certs("good", ".pin"), (unsigned char *)pin, sizeof pin);
	for (pinned = 0; pinned < 2; pinned++) {
		mbedtls_ssl_config_init(&conf);
		CHECK(mbedtls_ssl_config_defaults(&conf, MBEDTLS_SSL_IS_CLIENT,
		                                  MBEDTLS_SSL_TRANSPORT_STREAM,
		                                  MBEDTLS_SSL_PRESET_DEFAULT)
		      == 0);
		mbedtls_ssl_conf_rng(&conf, test_random, NULL);
		mbedtls_ssl_conf_ciphersuites(&conf, suites);
		CHECK(mbedtls_ssl_conf_psk(&conf, psk, sizeof psk, identity, 2) == 0);
		s.tls.config = &conf;
		s.tls.pin_sha256 = pinned ? pin : NULL;
		p = pair_new(&s);
		CHECK(mbedtls_ssl_conf_psk(&p->conf, psk, sizeof psk, identity, 2) == 0);
		CHECK_EQ_U(shake(p, -1), pinned ? WS_ECERT : 0);
		CHECK_EQ_S(p->why_buf, pinned ? "the server showed no certificate" : "");
		memset(&r, 0, sizeof r);
		wsi_tls_report(p->t, &r);
		CHECK(r.tls_verified == 0);
		pair_free(p);
		mbedtls_ssl_config_free(&conf);
	}
}
#endif

/* No memory at the n-th of our own allocations */
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
		p = calloc(1, sizeof *p);
		if (p == NULL)
			abort();
		pair_server(p, &s);
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

/* What a program is told that shares what it trusts */
static void test_shared_trust(void)
{
	struct ws_tls tls = {.ca_file = in_certs("ca", ".pem")};
	char link[400], why_buf[600] = "";
	const char *option = "";
	struct wsi_tls_config *c;
	struct ws_trust *trust;
	struct wsi_text why;
	struct pair *p;
	struct setup s = good;

	check_row("other files than those that were read");
	wsi_text_init(&why, why_buf, sizeof why_buf);
	trust = tls.trust = wsi_tls_trust_new(&mem, &tls, INT64_MAX);
	CHECK_EQ_S(wsi_tls_trust_why(trust), "");
	tls.ca_file = in_certs("other", ".pem");
	CHECK(wsi_tls_config_new(&c, &mem, &tls, INT64_MAX, &option, &why) == WS_EUSAGE);
	CHECK_EQ_S(option, "tls.ca_file");
	CHECK(strstr(why_buf, "other.pem\": is not what tls.trust was made of") != NULL);
	tls.ca_file = NULL;
	tls.ca_dir = in_certs("capath", "");
	CHECK(wsi_tls_config_new(&c, &mem, &tls, INT64_MAX, &option, &why) == WS_EUSAGE);
	CHECK_EQ_S(option, "tls.ca_dir");
	wsi_tls_trust_drop(trust);

	check_row("no file is named again");
	tls.ca_file = in_certs("ca", ".pem");
	tls.ca_dir = NULL;
	s.tls.trust = wsi_tls_trust_new(&mem, &tls, INT64_MAX);
	p = calloc(1, sizeof *p);
	if (p == NULL)
		abort();
	pair_server(p, &s);
	p->tls.trust = s.tls.trust;
	wsi_text_init(&p->why, p->why_buf, sizeof p->why_buf);
	CHECK(wsi_tls_config_new(&p->c, &mem, &p->tls, INT64_MAX, &option, &why) == 0);
	wsi_tls_trust_drop(s.tls.trust);
	CHECK(begin_session(p, &s) == 0 && shake(p, -1) == 0);
	pair_free(p);

	check_row("the file goes after it was read");
	s = good;
	snprintf(link, sizeof link, "%s/shared.pem", certs);
	CHECK(symlink("bundle.pem", link) == 0);
	s.tls.ca_file = link;
	p = pair_new(&s);
	CHECK(unlink(link) == 0);
	CHECK(shake(p, -1) == 0);
	pair_free(p);

	check_row("a file that is missing");
	tls.ca_file = link;
	tls.trust = wsi_tls_trust_new(&mem, &tls, INT64_MAX);
	CHECK(strncmp(wsi_tls_trust_why(tls.trust), "tls.ca_file: \"", 14) == 0
	      && strstr(wsi_tls_trust_why(tls.trust), "shared.pem\": No such file") != NULL);
	wsi_tls_trust_drop(tls.trust);

	check_row("the deadline has passed");
	tls.ca_file = in_certs("ca", ".pem");
	tls.trust = wsi_tls_trust_new(&mem, &tls, wsi_clock_us());
	CHECK(wsi_tls_config_new(&c, &mem, &tls, INT64_MAX, &option, &why) == WS_ETIMEOUT);
	CHECK(strstr(wsi_tls_trust_why(tls.trust), "ca.pem\": timed out") != NULL);
	wsi_tls_trust_drop(tls.trust);

	check_row("the system's certificates: no time, no memory");
	memset(&tls, 0, sizeof tls);
	if (access("/etc/ssl/certs/ca-certificates.crt", R_OK) == 0) {
		tls.trust = wsi_tls_trust_new(&mem, &tls, wsi_clock_us());
		CHECK_EQ_S(wsi_tls_trust_why(tls.trust),
		           "tls.ca_file: timed out while reading the system's certificates");
		wsi_tls_trust_drop(tls.trust);
		allocs_left = 2;
		CHECK(wsi_tls_trust_new(&mem, &tls, INT64_MAX) == NULL);
		allocs_left = -1;
	}
	check_row_end();
	CHECK_EQ_U(blocks, 0);
}

/* Takes all descriptors, or gives them back. */
static void take_descriptors(int take)
{
	static struct rlimit before;
	struct rlimit none;
	int lowest;

	if (!take) {
		setrlimit(RLIMIT_NOFILE, &before);
		return;
	}
	getrlimit(RLIMIT_NOFILE, &before);
	lowest = dup(0);
	close(lowest);
	none = before;
	none.rlim_cur = (rlim_t)lowest;
	setrlimit(RLIMIT_NOFILE, &none);
}

/* A file for which no descriptor is free is not a wrong option. */
static void test_no_descriptors(void)
{
	const char *const bundle = in_certs("bundle", ".pem");
	const struct {
		size_t field;
		const char *option, *value;
	} cases[] = {{O(ca_file), "tls.ca_file", bundle},
	             {O(ca_dir), "tls.ca_dir", in_certs("capath", "")},
	             {O(cert_file), "tls.cert_file", in_certs("client", ".pem")},
	             {O(keylog_file), "tls.keylog_file", in_certs("keylog", "")}};
	struct setup s = good;
	struct wsi_tls_config *c;
	struct ws_report r = {0};
	struct wsi_text why;
	struct ws_tls tls;
	const char *option;
	char buf[600];
	struct pair *p;
	size_t i;
	int rc;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s", cases[i].option);
		memset(&tls, 0, sizeof tls);
		memcpy((char *)&tls + cases[i].field, &cases[i].value, sizeof cases[i].value);
		wsi_text_init(&why, buf, sizeof buf);
		option = "";
		take_descriptors(1);
		rc = configure(&c, &tls, &option, &why);
		take_descriptors(0);
		CHECK_EQ_U(rc, WS_EIO);
		if (!sharing || i < 2) /* else the system's certificates cannot be read before */
			CHECK_EQ_S(option, cases[i].option);
		if (!sharing || i < 2)
			CHECK(strstr(buf, "open files") || strstr(buf, "No file descriptors"));
		else
			CHECK(strstr(buf, "no descriptor was free to read the system's"));
	}
	check_row_end();
	if (sharing)
		return;
	s.tls.ca_file = bundle;
	s.cert = "self";
	p = pair_new(&s);
	take_descriptors(1);
	CHECK(shake(p, -1) == WS_ECERT);
	take_descriptors(0);
	wsi_tls_report(p->t, &r);
	CHECK_EQ_U(r.no_descriptor, 1);
	pair_free(p);
	p = pair_new(&s);
	CHECK(shake(p, -1) == WS_ECERT);
	wsi_tls_report(p->t, &r);
	CHECK_EQ_U(r.no_descriptor, 0);
	pair_free(p);
}

#ifndef WS_NO_THREADS
/* What the threads of test_threads_share use */
static struct ws_tls shared_options;
static struct wsi_cert shared_chain[2];
static atomic_int shared_found;

static void *use_shared(void *unused)
{
	struct wsi_mem system = {NULL, NULL, NULL, NULL, NULL};
	struct ws_tls tls = shared_options;
	struct wsi_tls_config *c;
	struct wsi_text why;
	const char *option;
	char buf[600];
	int i;

	(void)unused;
	for (i = 0; i < 20; i++) {
		wsi_text_init(&why, buf, sizeof buf);
		if (wsi_tls_config_new(&c, &system, &tls, INT64_MAX, &option, &why) != 0)
			continue;
		if (wsi_tls_find_issuers(c, shared_chain, 2) == 0 && c->cas.raw.p != NULL)
			shared_found++;
		wsi_tls_config_free(c);
	}
	return NULL;
}

/* Several threads use what is shared at the same time, which -fsanitize=thread looks at. */
static void test_threads_share(void)
{
	struct wsi_mem system = {NULL, NULL, NULL, NULL, NULL};
	mbedtls_x509_crt crt;
	pthread_t threads[4];
	size_t i;

	mbedtls_x509_crt_init(&crt);
	load_crt(&crt, in_certs("good", ".pem"));
	CHECK(wsi_cert_read(&shared_chain[0], crt.raw.p, crt.raw.len) == 0);
	CHECK(wsi_cert_read(&shared_chain[1], crt.next->raw.p, crt.next->raw.len) == 0);
	shared_options.ca_file = in_certs("bundle", ".pem");
	shared_options.trust = wsi_tls_trust_new(&system, &shared_options, INT64_MAX);
	for (i = 0; i < 4; i++)
		CHECK(pthread_create(&threads[i], NULL, use_shared, NULL) == 0);
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	wsi_tls_trust_drop(shared_options.trust);
	mbedtls_x509_crt_free(&crt);
	CHECK_EQ_U(shared_found, 80);
}
#endif

#ifdef MEMORY_FAILS
/* No memory at the n-th of mbedTLS's allocations */
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
			     n += n < 150 ? 1 : n / 16) {
				p = calloc(1, sizeof *p);
				if (p == NULL)
					abort();
				pair_server(p, &s);
				client_callocs = n;
				rc = pair_client(p, &s);
				if (rc == 0)
					rc = shake(p, -1);
				client_callocs = -1;
				memory += rc == WS_EMEMORY;
				/* deep inside it says something else, but never that all is well */
				if (!CHECK(rc == WS_EMEMORY || rc == WS_ETLS || rc == WS_EUSAGE
				           || rc == WS_ECERT || (n > 0 && rc == 0)))
					fprintf(stderr, "\tallocation %ld: %d %s\n", n, rc,
					        p->why_buf);
				if (rc != WS_EMEMORY && rc != 0 && getenv("TLS_VERBOSE"))
					fprintf(stderr, "allocation %ld: %d %s\n", n, rc,
					        p->why_buf);
				pair_free(p);
			}
			CHECK(rc == 0 && memory > (bare ? 20 : 100));
		}
}
#endif

/* ---- The connection above: how it starts TLS, and how long a call of it may read below TLS ----
 */

struct flood {
	unsigned char record[7]; /* comes again and again */
	size_t at;
	long reads, writes;
	int entropy; /* what asking for random bytes comes to */
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

/* A warning, which mbedTLS passes over, as often as it asks for more */
static void test_read_budget(void)
{
	struct flood f = {.record = {0x15, 0x03, 0x03, 0x00, 0x02, 0x01, 0x5a}};
	struct ws_conn *ws = flood_open(&f);
	struct ws_pollset set;
	long before;
	int i;

	if (!CHECK(ws != NULL))
		return;
	CHECK(ws_open(ws) == WS_AGAIN && f.reads == 0); /* on to TLS */
	for (i = 0; i < 3; i++) {
		before = f.reads;
		CHECK(ws_open(ws) == WS_AGAIN);
		CHECK_EQ_U(f.reads - before, 250);
		ws_wants(ws, &set);
		CHECK(set.timeout_ms
		      == 0); /* there is more, whatever poll says of the descriptor */
	}
	ws_timeout(ws, 0); /* and none is read once the time is over */
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

/* What the program's transport says of its failure is told through TLS, too */
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

static struct ws_conn *open_over(struct pair *p, int64_t *now, const char *ca_file)
{
	struct ws_io io = {.io_read = client_read, .io_write = client_write, .io = p};
	struct ws_options o = {.nonblock = 1,
	                       .io_is_plain = 1,
	                       .io = &io,
	                       .alloc = test_alloc,
	                       .now_us = own_now,
	                       .user_data = now,
	                       .timeout_ms = 10000};

	o.tls.ca_file = ca_file;
	o.tls.max_version = 12;
	return ws_new("wss://localhost/", &o);
}

/* The time is over while the issuer is looked for */
static void test_late_search(void)
{
	struct setup s = good;
	struct pair *p = calloc(1, sizeof *p);
	int64_t now = 0;
	struct ws_conn *ws;

	if (p == NULL)
		abort();
	s.cert = "self"; /* so all of the bundle is read */
	pair_server(p, &s);
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
		p = calloc(1, sizeof *p);
		if (p == NULL)
			abort();
		pair_server(p, &s);
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

/* How an upgrade over TLS fails: with the words of the session for what went wrong in it */
static void test_failing_upgrade(void)
{
	static const struct {
		int eof; /* else what comes is no TLS record */
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
		p = calloc(1, sizeof *p);
		if (p == NULL)
			abort();
		pair_server(p, &s);
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

/* Without a deadline files are waited for as long as it takes */
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
		ws_wants(ws, &set); /* it looks again by itself: there is nothing to poll for */
		CHECK(set.n == 0 && set.timeout_ms > 0 && set.timeout_ms <= 1000);
	}
	f.entropy = 0;
	CHECK(ws_open(ws) == WS_ETLS); /* to what came in answer */
	CHECK(f.writes > 0 && strstr(ws_errmsg(ws), "does not speak TLS") != NULL);
	ws_free(ws);

	f.entropy = -1;
	ws = flood_open(&f);
	if (!CHECK(ws != NULL))
		return;
	CHECK(ws_open(ws) == WS_AGAIN && ws_open(ws) == WS_EENTROPY);
	ws_free(ws);
}

int main(void)
{
	const char *given = getenv("TLS_CERTS");
	char cmd[300];

	if (given) {
		snprintf(certs, sizeof certs, "%s", given);
	} else {
		const char *tmp = getenv("TMPDIR");

		snprintf(certs, sizeof certs, "%s/test_tls.XXXXXX", tmp && *tmp ? tmp : "/tmp");
		if (mkdtemp(certs) == NULL) {
			perror(certs);
			return 1;
		}
		snprintf(cmd, sizeof cmd, "sh test/tls/make-certs '%s'", certs);
		if (system(cmd) != 0) {
			fprintf(stderr,
			        "test/tls/make-certs failed; it wants the openssl command\n");
			return 1;
		}
	}
#if defined(MBEDTLS_PSA_CRYPTO_C) && MBEDTLS_VERSION_NUMBER >= 0x03000000
	CHECK(psa_crypto_init() == PSA_SUCCESS);
#endif
	TEST(test_good);
	TEST(test_certificates);
	TEST(test_trust);
	TEST(test_bundle_read_late);
#ifdef __linux__
	TEST(test_no_bundle);
#endif
	TEST(test_pins);
	TEST(test_client_certificates);
	TEST(test_options);
	TEST(test_ciphers_versions);
	TEST(test_alpn);
	TEST(test_stalls);
	TEST(test_flips);
	TEST(test_certificate_messages);
	TEST(test_not_tls);
	TEST(test_ends);
	TEST(test_parting_words);
	TEST(test_pending);
	TEST(test_full);
#if defined(MBEDTLS_SSL_RENEGOTIATION)
	TEST(test_renegotiation);
#endif
	TEST(test_tickets);
	TEST(test_entropy_states);
	TEST(test_keylog);
	TEST(test_own_config);
	TEST(test_server_name);
	TEST(test_wrong_names);
	TEST(test_empty_records);
#if defined(MBEDTLS_KEY_EXCHANGE_PSK_ENABLED) && MBEDTLS_VERSION_NUMBER < 0x03000000
	TEST(test_no_certificate);
#endif
	TEST(test_dates);
	TEST(test_read_budget);
	TEST(test_transport_words);
	TEST(test_late_entropy);
	TEST(test_late_search);
	TEST(test_open_without_memory);
	TEST(test_no_deadline);
	TEST(test_failing_upgrade);
	TEST(test_memory);
	TEST(test_no_descriptors);
#ifdef MEMORY_FAILS
	TEST(test_library_memory);
#endif
	sharing = 1;
	TEST(test_shared_trust);
#ifndef WS_NO_THREADS
	TEST(test_threads_share);
#endif
	TEST(test_good);
	TEST(test_certificates);
	TEST(test_trust);
#ifdef __linux__
	TEST(test_no_bundle);
#endif
	TEST(test_pins);
	TEST(test_client_certificates);
	TEST(test_options);
	TEST(test_own_config);
	TEST(test_memory);
	TEST(test_no_descriptors);
#ifdef MEMORY_FAILS
	TEST(test_library_memory);
#endif
	if (!given) {
		snprintf(cmd, sizeof cmd, "rm -rf '%s'", certs);
		CHECK(system(cmd) == 0);
	}
	while (paths_n > 0)
		free(paths[--paths_n]);
	return check_done();
}
#endif
