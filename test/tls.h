/* SPDX-License-Identifier: ISC
 * tls.h - for tests of TLS: a client and a server of mbedTLS in this process, one flight at a time
 * over two buffers
 *
 * The certificates are made by test/tls/make-certs (openssl) in the directory TLS_CERTS if it does
 * not exist yet, so that several programs can share it. Without TLS_CERTS each makes its own.
 */
#ifndef TLS_H
#define TLS_H
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
#include <unistd.h>
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
	size_t piece; /* bytes per call, and every other call blocks; 0: no limit */
	size_t most;  /* bytes that a read returns at most; 0: no limit */
	size_t limit; /* room for this many unread bytes; 0: no limit */
	size_t cut;   /* the stream ends after this many bytes in all; 0: never */
	size_t flip;  /* the byte at this offset is corrupted; 0: none */
	int eof, turn;
	int reset;             /* 1, or the error that reading returns */
	unsigned char flipped; /* the byte that was corrupted */
};

static inline ptrdiff_t pipe_write(struct pipe *p, const void *buf, size_t len)
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

static inline ptrdiff_t pipe_read(struct pipe *p, void *buf, size_t len)
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
	if (p->most && len > p->most)
		len = p->most;
	memcpy(buf, p->buf + p->r, len);
	p->r += len;
	return (ptrdiff_t)len;
}

/* ---- A pair: client and server ---- */

struct setup {
	const char *cert, *key; /* the server's: NAME of NAME.pem and NAME.key */
	const char *client_ca;  /* the server asks for a client certificate issued by this CA */
	const char *name;       /* the server name that the client expects */
	int max_version;        /* of the server */
	int foreign;            /* same_origin 0 */
	const char *alpn;       /* the only protocol that the server selects */
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

static char certs[300], scratch[200];            /* directories: certificates, own files */
static long allocs_left = -1, blocks, allocated; /* how many, and their bytes */

static const unsigned char zeros[TLS_FILE_MAX];

/* A block that changes its size always moves. */
static inline void *test_alloc(void *user_data, void *ptr, size_t old_len, size_t new_len)
{
	void *moved;

	(void)user_data;
	if (new_len == 0) {
		CHECK(ptr != NULL); /* NULL is never freed */
		blocks--;
		allocated -= (long)old_len;
		if (old_len == TLS_FILE_MAX) /* the block may have held a key */
			CHECK(memcmp(ptr, zeros, TLS_FILE_MAX) == 0);
		free(ptr);
		return NULL;
	}
	if (allocs_left == 0)
		return NULL;
	if (allocs_left > 0)
		allocs_left--;
	blocks += ptr == NULL;
	allocated += (long)new_len - (long)old_len;
	moved = malloc(new_len);
	if (moved == NULL)
		abort();
	if (ptr != NULL) {
		memcpy(moved, ptr, old_len < new_len ? old_len : new_len);
		free(ptr);
	}
	return moved;
}

static const struct wsi_mem mem = {.alloc = test_alloc};
/* mbedTLS's allocations fail only in the client: how many of them succeed; < 0: all. See
 * test_library_memory. */
#ifdef MEMORY_FAILS
static long client_callocs = -1;
#endif

static inline void client_begins(void)
{
#ifdef MEMORY_FAILS
	atomic_store(&callocs_left, client_callocs);
#endif
}

static inline void client_ends(void)
{
#ifdef MEMORY_FAILS
	client_callocs = atomic_load(&callocs_left);
	atomic_store(&callocs_left, -1);
#endif
}

static int entropy_rc, entropy_calls;

static inline int test_entropy(void *ctx, void *buf, size_t len)
{
	(void)ctx;
	entropy_calls++;
	return entropy_rc != 0 ? entropy_rc : wsi_entropy(buf, len);
}

#if MBEDTLS_VERSION_NUMBER < 0x04000000
static inline int test_random(void *ctx, unsigned char *buf, size_t len)
{
	(void)ctx;
	return wsi_entropy(buf, len);
}
#endif

static char *paths[4096]; /* options point to them */
static size_t paths_n;

static inline const char *path_in(const char *dir, const char *name, const char *suffix)
{
	char path[400];
	size_t i;

	snprintf(path, sizeof path, "%s/%s%s", dir, name, suffix);
	for (i = 0; i < paths_n; i++) {
		if (strcmp(paths[i], path) == 0)
			return paths[i];
	}
	if (paths_n == sizeof paths / sizeof paths[0] || (paths[paths_n] = strdup(path)) == NULL)
		abort();
	return paths[paths_n++];
}

static inline const char *in_certs(const char *name, const char *suffix)
{
	return path_in(certs, name, suffix);
}

static inline const char *in_scratch(const char *name)
{
	return path_in(scratch, name, "");
}

static inline ptrdiff_t client_read(void *io, void *buf, size_t len)
{
	return pipe_read(&((struct pair *)io)->down, buf, len);
}
static inline ptrdiff_t client_write(void *io, const void *buf, size_t len)
{
	return pipe_write(&((struct pair *)io)->up, buf, len);
}
static inline int server_recv(void *ctx, unsigned char *buf, size_t len)
{
	ptrdiff_t n = pipe_read(&((struct pair *)ctx)->up, buf, len);

	return n > 0             ? (int)n
	       : n == WS_IO_READ ? MBEDTLS_ERR_SSL_WANT_READ
	                         : MBEDTLS_ERR_SSL_CONN_EOF;
}
static inline int server_send(void *ctx, const unsigned char *buf, size_t len)
{
	ptrdiff_t n = pipe_write(&((struct pair *)ctx)->down, buf, len);

	return n > 0              ? (int)n
	       : n == WS_IO_WRITE ? MBEDTLS_ERR_SSL_WANT_WRITE
	                          : MBEDTLS_ERR_SSL_CONN_EOF;
}
static inline int server_sni(void *ctx, mbedtls_ssl_context *ssl, const unsigned char *name,
                             size_t len)
{
	struct pair *p = ctx;

	(void)ssl;
	memcpy(p->sni, name, len < sizeof p->sni ? len : 0);
	return 0;
}

static inline size_t load(const char *path, unsigned char *buf, size_t cap)
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
	return n;
}

static inline void load_crt(mbedtls_x509_crt *crt, const char *path)
{
	unsigned char buf[20000];

	CHECK(mbedtls_x509_crt_parse(crt, buf, load(path, buf, sizeof buf) + 1) == 0);
}

static inline void pair_server(struct pair *p, const struct setup *s)
{
	unsigned char buf[20000];
	size_t n;

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
	CHECK(mbedtls_pk_parse_key(&p->key, buf, n + 1, NULL, 0 RNG) == 0);
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

/* 1: wsi_tls_trust_new reads the trusted certificates, as if other connections shared them. */
static int sharing;

/* wsi_tls_config_new with these options. The program's own reference to the shared certificates is
 * dropped at once. */
static inline int configure(struct wsi_tls_config **c, struct ws_tls *tls, const char **option,
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
	*c = (struct wsi_tls_config *)(void *)scratch; /* which it must change */
	rc = wsi_tls_config_new(c, &mem, tls, INT64_MAX, option, why);
	wsi_tls_trust_drop(tls->trust);
	return rc;
}

static inline int begin_session(struct pair *p, const struct setup *s)
{
	struct ws_io io = {.io_read = client_read, .io_write = client_write, .io = p};
	struct wsi_str name = {s->name, strlen(s->name)};
	unsigned char ip[16];

	return wsi_tls_new(&p->t, p->c, &io, name, wsi_ip_parse(ip, name.p, name.len), !s->foreign,
	                   test_entropy, NULL, &p->why);
}

/* 0, or the error of wsi_tls_config_new or wsi_tls_new */
static inline int pair_client(struct pair *p, const struct setup *s)
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

/* A server without a client yet */
static inline struct pair *pair_alone(const struct setup *s)
{
	struct pair *p = calloc(1, sizeof *p);

	if (p == NULL)
		abort();
	p->down.piece = p->up.piece = s->piece;
	p->down.cut = s->cut;
	p->down.flip = s->flip;
	pair_server(p, s);
	return p;
}

static inline struct pair *pair_new(const struct setup *s)
{
	struct pair *p = pair_alone(s);
	int rc = pair_client(p, s);

	if (!CHECK(rc == 0))
		fprintf(stderr, "\t%d: %s: %s\n", rc, p->option, p->why_buf);
	return p;
}

static inline void pair_free(struct pair *p)
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
	CHECK_EQ_U(allocated, 0);
}

static inline void server_step(struct pair *p)
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

/* Runs both sides until the client has a result. A flight ends when the client's call would block.
 * flights >= 0: the server falls silent after that many, and 1 is returned. */
static inline int shake(struct pair *p, int flights)
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

/* Lets the client read until it has this many bytes or must wait. Returns how many it got. */
static inline size_t drink(struct pair *p, unsigned char *buf, size_t len, ptrdiff_t *last)
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

static inline int server_write(struct pair *p, const void *data, size_t len)
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

static inline int server_read(struct pair *p, void *buf, size_t len)
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

/* A session without a transport, to be freed with free() */
static inline struct wsi_tls *session_new(struct wsi_tls_config *c, const struct ws_tls *options)
{
	struct wsi_tls *t = calloc(1, sizeof *t);

	if (t == NULL)
		abort();
	memset(c, 0, sizeof *c);
	c->mem = mem;
	c->opt = options;
	t->c = c;
	wsi_text_init(&t->cert_why, t->cert_why_buf, sizeof t->cert_why_buf);
	return t;
}

static const struct setup good = {.cert = "good", .name = "localhost"};

static inline struct setup with_ca(struct setup s)
{
	s.tls.ca_file = in_certs("ca", ".pem");
	return s;
}

/* ---- The program ---- */

static inline void tls_run(const char *format, const char *path)
{
	char command[400];

	snprintf(command, sizeof command, format, path);
	if (system(command) != 0) {
		fprintf(stderr, "%s failed\n", command);
		exit(1);
	}
}

/* What main does first */
static inline void tls_begin(void)
{
	const char *given = getenv("TLS_CERTS"), *tmp = getenv("TMPDIR");

	snprintf(scratch, sizeof scratch, "%s/test_tls.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (mkdtemp(scratch) == NULL) {
		perror(scratch);
		exit(1);
	}
	snprintf(certs, sizeof certs, "%s%s", given ? given : scratch, given ? "" : "/certs");
	if (access(certs, F_OK) != 0)
		tls_run("sh test/tls/make-certs '%s'", certs);
#if defined(MBEDTLS_PSA_CRYPTO_C) && MBEDTLS_VERSION_NUMBER >= 0x03000000
	if (psa_crypto_init() != PSA_SUCCESS)
		exit(1);
#endif
}

/* What main returns */
static inline int tls_end(void)
{
	tls_run("rm -rf '%s'", scratch);
	while (paths_n > 0)
		free(paths[--paths_n]);
	return check_done();
}
#endif
#endif
