/* SPDX-License-Identifier: ISC
 * fuzz_tls.c - a client's TLS session (tls.c with mbedTLS) and a server's bytes, changed anywhere
 *
 *	clang -g -O1 -fsanitize=fuzzer,address,undefined -I. -DWS_WITH_MBEDTLS test/fuzz/fuzz_tls.c \
 *		LIBRARY -lmbedtls -lmbedx509 -lmbedcrypto	(the files that make-dist.sh -L names)
 *	cc -DFUZZ_MAIN ...      instead: runs the files given as arguments, or 500 random inputs
 *
 * Clock and random bytes are the same for each input. So a handshake of TLS 1.2 with an mbedTLS
 * server is recorded once, and the server's bytes can be played again to any number of clients. An
 * input says how the recording is changed (bytes replaced, inserted, removed, the end cut off), or
 * is itself all that the server sends. It also says in what
 * pieces the transport takes and gives bytes, and when it fails.
 *
 * A handshake may only succeed if its messages are those of the recording, and the data that is
 * read must be a beginning of what that server wrote. All memory is freed.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "ws_tls.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#if MBEDTLS_VERSION_NUMBER >= 0x03000000 && MBEDTLS_VERSION_NUMBER < 0x04000000
#define RNG , fixed_random, NULL
#else
#define RNG
#endif

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

#define MUST(cond) must(!!(cond), __LINE__, #cond)
static void must(int ok, int line, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "test/fuzz/fuzz_tls.c:%d: does not hold: %s\n", line, what);
	abort();
}

/* ---- The same world each time ---- */

#define NOW 1800000000 /* 2027-01-15 */

/* Replaces libc's time, because the library checks a certificate's dates */
time_t time(time_t *t)
{
	if (t != NULL)
		*t = NOW;
	return NOW;
}

static uint64_t random_state;

static int fixed_random(void *ctx, unsigned char *buf, size_t len)
{
	(void)ctx;
	for (; len > 0; len--) {
		random_state = random_state * 6364136223846793005u + 1442695040888963407u;
		*buf++ = (unsigned char)(random_state >> 56);
	}
	return 0;
}

static int client_entropy(void *ctx, void *buf, size_t len)
{
	int *late = ctx;

	return (*late)-- > 0 ? 1 : fixed_random(NULL, buf, len);
}

static long blocks;

static void *counted_alloc(void *user_data, void *ptr, size_t old_len, size_t new_len)
{
	(void)user_data;
	(void)old_len;
	blocks += (ptr == NULL) - (new_len == 0);
	if (new_len > 0)
		return realloc(ptr, new_len);
	free(ptr);
	return NULL;
}

static const struct wsi_mem mem = {.alloc = counted_alloc};

/* Valid from 2026 to 2045 */
static const char ca_pem[] = "-----BEGIN CERTIFICATE-----\n"
                             "MIIBjjCCATOgAwIBAgIUFwc/7kwNROOEM2Nd5Bb8Qb7xcdgwCgYIKoZIzj0EAwIw\n"
                             "FDESMBAGA1UEAwwJRnV6eiBSb290MB4XDTI2MTEyODExMTAwMVoXDTQ2MDEyNzEx\n"
                             "MTAwMVowFDESMBAGA1UEAwwJRnV6eiBSb290MFkwEwYHKoZIzj0CAQYIKoZIzj0D\n"
                             "AQcDQgAE6GEoJHSOltAk5qMJoIlSIf77LfppTp1axICdQuJNtXj4/TV9O2+sobyo\n"
                             "QA3bJhDGrStMIqP+j3KRewq46zwrC6NjMGEwHQYDVR0OBBYEFH5YaebcH5VAlXTE\n"
                             "RGfJT5xil3MQMB8GA1UdIwQYMBaAFH5YaebcH5VAlXTERGfJT5xil3MQMA8GA1Ud\n"
                             "EwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgIEMAoGCCqGSM49BAMCA0kAMEYCIQCq\n"
                             "9W0RdatvU0+l/FfRl1iBZL/47n8A40OPutUk+c8PFQIhALfLpxUxItwrpE9Dj1bA\n"
                             "6ItOwzLnk8ybTRYLDKOyvpxy\n"
                             "-----END CERTIFICATE-----\n";
static const char leaf_pem[] = "-----BEGIN CERTIFICATE-----\n"
                               "MIIBjzCCATWgAwIBAgIBBzAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlGdXp6IFJv\n"
                               "b3QwHhcNMjYxMTI4MTExMDAxWhcNNDUxMDE5MTExMDAxWjAUMRIwEAYDVQQDDAls\n"
                               "b2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAThtQAvpezcrlJoiErG\n"
                               "NTR+s+4ZLvdo6tdU0D82uwlV+/tKkBRZ2z5eZ/6PU9K2whuRI/qCxMOPylc5JQ7Q\n"
                               "9Vamo3gwdjAUBgNVHREEDTALgglsb2NhbGhvc3QwCQYDVR0TBAIwADATBgNVHSUE\n"
                               "DDAKBggrBgEFBQcDATAdBgNVHQ4EFgQURFlYKT1bnJvajryP5Wbwqm6WSr8wHwYD\n"
                               "VR0jBBgwFoAUflhp5twflUCVdMREZ8lPnGKXcxAwCgYIKoZIzj0EAwIDSAAwRQIh\n"
                               "ANDTSHj0ypre5dtVBg8oi57rUp8lVoLMcY0PJ4V0YQ+AAiA/C7+DO/oxyRYqfIN6\n"
                               "8POUsHauxhkYHRbGN1FFlPVz5g==\n"
                               "-----END CERTIFICATE-----\n";
static const char leaf_key[] = "-----BEGIN EC PRIVATE KEY-----\n"
                               "MHcCAQEEIP6HmK81smpnTnMphIkMUjhRWdjkax9l+eSPKPaPj92joAoGCCqGSM49\n"
                               "AwEHoUQDQgAE4bUAL6Xs3K5SaIhKxjU0frPuGS73aOrXVNA/NrsJVfv7SpAUWds+\n"
                               "Xmf+j1PStsIbkSP6gsTDj8pXOSUO0PVWpg==\n"
                               "-----END EC PRIVATE KEY-----\n";

/* ---- The client, over a transport in memory ---- */

struct stream {
	const unsigned char *in; /* what the server sends */
	size_t in_len, in_at;
	unsigned char *out; /* what the client sends is kept here, or NULL */
	size_t out_len, out_cap;
	size_t
	    piece; /* at most this many bytes in a call, and every other call blocks; 0: no limit */
	int turn;
	long calls, reset_at; /* the connection is reset at that call; -1: never */
};

static ptrdiff_t stream_read(void *io, void *buf, size_t len)
{
	struct stream *s = io;

	if (s->reset_at >= 0 && s->calls++ >= s->reset_at)
		return WS_IO_RESET;
	if (s->piece > 0 && (s->turn ^= 1))
		return WS_IO_READ;
	if (len > s->in_len - s->in_at)
		len = s->in_len - s->in_at;
	if (s->piece > 0 && len > s->piece)
		len = s->piece;
	if (len == 0)
		return s->out != NULL ? WS_IO_READ
		                      : WS_IO_EOF; /* while recording, more is still to come */
	memcpy(buf, s->in + s->in_at, len);
	s->in_at += len;
	return (ptrdiff_t)len;
}

static ptrdiff_t stream_write(void *io, const void *buf, size_t len)
{
	struct stream *s = io;

	if (s->reset_at >= 0 && s->calls++ >= s->reset_at)
		return WS_IO_RESET;
	if (s->piece > 0 && (s->turn ^= 1))
		return WS_IO_WRITE;
	if (s->piece > 0 && len > s->piece)
		len = s->piece;
	if (s->out != NULL) {
		MUST(len <= s->out_cap - s->out_len);
		memcpy(s->out + s->out_len, buf, len);
		s->out_len += len;
	}
	return (ptrdiff_t)len;
}

struct client {
	struct wsi_tls_config *c;
	struct wsi_tls *t;
	struct wsi_text why;
	char why_buf[600];
	int late;
};

static char ca_path[64];

static void client_new(struct client *k, struct stream *s, const struct ws_tls *options, int late)
{
	struct ws_io io = {.io_read = stream_read, .io_write = stream_write, .io = s};
	struct wsi_str name = {"localhost", 9};
	const char *option;
	int rc;

	random_state = 1;
	k->late = late;
	wsi_text_init(&k->why, k->why_buf, sizeof k->why_buf);
	MUST(wsi_tls_config_new(&k->c, &mem, options, INT64_MAX, &option, &k->why) == 0);
	while ((rc = wsi_tls_new(&k->t, k->c, &io, name, 0, 1, client_entropy, &k->late, &k->why))
	       == WS_AGAIN)
		MUST(k->late >= 0 && k->t == NULL);
	MUST(rc == 0 && k->t != NULL);
}

static void client_free(struct client *k)
{
	wsi_tls_goodbye(k->t);
	wsi_tls_free(k->t);
	wsi_tls_config_free(k->c);
}

/* ---- The record ---- */

static const char server_says[] = "What the server says, in two records. Here is the second one.";
static const char client_says[] = "What the client says";
static struct record {
	unsigned char bytes[8192];
	size_t len;
} record;
static struct stream up; /* what the client sends while recording */

static int server_send(void *ctx, const unsigned char *buf, size_t len)
{
	(void)ctx;
	MUST(len <= sizeof record.bytes - record.len);
	memcpy(record.bytes + record.len, buf, len);
	record.len += len;
	return (int)len;
}

static int server_recv(void *ctx, unsigned char *buf, size_t len)
{
	(void)ctx;
	if (len > up.out_len - up.in_at)
		len = up.out_len - up.in_at;
	if (len == 0)
		return MBEDTLS_ERR_SSL_WANT_READ;
	memcpy(buf, up.out + up.in_at, len);
	up.in_at += len;
	return (int)len;
}

static const struct ws_tls *client_options(void)
{
	static struct ws_tls options;

	options.ca_file = ca_path;
	return &options;
}

/* The server has its own random bytes, so the client's are the same with and without it */
static int server_random(void *ctx, unsigned char *buf, size_t len)
{
	uint64_t client = random_state;
	static uint64_t server = 2;

	random_state = server;
	(void)fixed_random(ctx, buf, len);
	server = random_state;
	random_state = client;
	return 0;
}

static void make_record(void)
{
	static unsigned char to_server[8192];
	struct client k;
	struct stream s = {.reset_at = -1, .out = to_server, .out_cap = sizeof to_server};
	mbedtls_ssl_context ssl;
	mbedtls_ssl_config conf;
	mbedtls_x509_crt crt;
	mbedtls_pk_context key;
	unsigned char buf[64];
	int i, rc = WS_IO_READ, done = 0;

	mbedtls_ssl_init(&ssl);
	mbedtls_ssl_config_init(&conf);
	mbedtls_x509_crt_init(&crt);
	mbedtls_pk_init(&key);
	MUST(mbedtls_x509_crt_parse(&crt, (const unsigned char *)leaf_pem, sizeof leaf_pem) == 0);
	MUST(mbedtls_pk_parse_key(&key, (const unsigned char *)leaf_key, sizeof leaf_key, NULL,
	                          0 RNG)
	     == 0);
	MUST(mbedtls_ssl_config_defaults(&conf, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM,
	                                 MBEDTLS_SSL_PRESET_DEFAULT)
	     == 0);
	mbedtls_ssl_conf_rng(&conf, server_random, NULL);
#if MBEDTLS_VERSION_NUMBER >= 0x03020000
	mbedtls_ssl_conf_max_tls_version(&conf, MBEDTLS_SSL_VERSION_TLS1_2);
#endif
	MUST(mbedtls_ssl_conf_own_cert(&conf, &crt, &key) == 0);
	MUST(mbedtls_ssl_setup(&ssl, &conf) == 0);
	mbedtls_ssl_set_bio(&ssl, NULL, server_send, server_recv, NULL);
	client_new(&k, &s, client_options(), 0);
	for (i = 0; i < 100 && (rc == WS_IO_READ || rc == WS_IO_WRITE || !done); i++) {
		s.in = record.bytes;
		s.in_len = record.len;
		if (rc != 0)
			rc = wsi_tls_handshake(k.t, INT64_MAX, &k.why);
		up.out = to_server;
		up.out_len = s.out_len;
		done = done || mbedtls_ssl_handshake(&ssl) == 0;
	}
	if (rc != 0)
		fprintf(stderr, "%d %s\n", rc, k.why_buf);
	MUST(rc == 0 && done);
	for (i = 0; i < (int)sizeof server_says - 1; i += 38)
		MUST(mbedtls_ssl_write(&ssl, (const unsigned char *)server_says + i,
		                       i == 0 ? 38 : sizeof server_says - 1 - 38)
		     > 0);
	MUST(mbedtls_ssl_close_notify(&ssl) == 0);
	s.in_len = record.len;
	MUST(wsi_tls_read(k.t, buf, sizeof buf) > 0);
	client_free(&k);
	mbedtls_ssl_free(&ssl);
	mbedtls_ssl_config_free(&conf);
	mbedtls_x509_crt_free(&crt);
	mbedtls_pk_free(&key);
}

static void remove_ca(void)
{
	unlink(ca_path);
}

static void prepare(void)
{
	FILE *f;

	if (record.len > 0)
		return;
	snprintf(ca_path, sizeof ca_path, "/tmp/fuzz_tls.%ld", (long)getpid());
	f = fopen(ca_path, "w");
	MUST(f != NULL && fwrite(ca_pem, 1, sizeof ca_pem - 1, f) == sizeof ca_pem - 1
	     && fclose(f) == 0);
	atexit(remove_ca);
	make_record();
}

/* ---- One input ---- */

/* Extracts the handshake messages from records, up to the first record of data */
static size_t messages(unsigned char *out, const unsigned char *p, size_t len)
{
	size_t i = 0, n, out_len = 0;

	while (i + 5 <= len && p[i] != MBEDTLS_SSL_MSG_APPLICATION_DATA) {
		n = (size_t)p[i + 3] << 8 | p[i + 4];
		if (i + 5 + n > len)
			break;
		if (p[i] == MBEDTLS_SSL_MSG_HANDSHAKE) {
			memcpy(out + out_len, p + i + 5, n);
			out_len += n;
		}
		i += 5 + n;
	}
	return out_len;
}

/* Changes the recording as the input says. Returns the length of what the server sends. */
static size_t spoil(unsigned char *out, size_t cap, const unsigned char *data, size_t size)
{
	size_t len = record.len, at, n;

	memcpy(out, record.bytes, len);
	for (; size >= 4; data += 4, size -= 4) { /* two bytes of a place, what, with what */
		at = ((size_t)data[0] << 8 | data[1]) % (len + 1);
		n = data[3];
		switch (data[2] % 5) {
		case 0: /* another byte */
			if (at < len)
				out[at] = data[3];
			break;
		case 1: /* a bit */
			if (at < len)
				out[at] ^= (unsigned char)(1 << n % 8);
			break;
		case 2: /* more */
			if (n > cap - len)
				n = cap - len;
			memmove(out + at + n, out + at, len - at);
			memset(out + at, data[3], n);
			len += n;
			break;
		case 3: /* less */
			if (n > len - at)
				n = len - at;
			memmove(out + at, out + at + n, len - at - n);
			len -= n;
			break;
		default: /* no more */
			len = at;
		}
	}
	return len;
}

/* Reads everything. Returns how much it was. */
static size_t drink(struct client *k, unsigned char *buf, size_t cap)
{
	size_t len = 0;
	ptrdiff_t n;
	int waits = 0;

	while (len < cap) {
		n = wsi_tls_read(k->t, buf + len, cap - len < 7 ? cap - len : 7);
		if (n > 0) {
			len += (size_t)n;
		} else if (n != WS_IO_READ && n != WS_IO_WRITE) {
			k->why.len = 0;
			if (n == WS_IO_ERROR) {
				(void)wsi_tls_why(k->t, &k->why);
				MUST(k->why.len > 0);
			}
			MUST(wsi_tls_read(k->t, buf, 1) == n); /* it stays so */
			break;
		} else if (++waits > 20000) {
			break;
		}
	}
	return len;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static unsigned char said[1 << 16], heard[1 << 16], recorded[1 << 16];
	static struct client k;
	struct stream s = {.reset_at = -1};
	struct ws_tls options;
	struct ws_report r;
	unsigned char buf[256];
	size_t len, n;
	int rc, tries = 0;

	prepare();
	if (size < 4 || size > 16000)
		return 0;
	memset(&k, 0, sizeof k);
	memset(&r, 0, sizeof r);
	options = *client_options();
	options.insecure_no_verify = data[0] & 1;
	options.insecure_no_hostname = data[0] >> 1 & 1;
	options.max_version = data[0] & 4 ? 12 : 0;
	s.piece = data[1];
	s.reset_at = data[2] < 200 ? -1 : data[2] - 200;
	if (data[0] & 8) {
		len = size - 4;
		memcpy(said, data + 4, len);
	} else {
		len = spoil(said, sizeof said, data + 4, size - 4);
	}
	s.in = said;
	s.in_len = len;
	blocks = 0;
	client_new(&k, &s, &options, data[3] % 3);
	do
		rc = wsi_tls_handshake(k.t, INT64_MAX, &k.why);
	while ((rc == WS_IO_READ || rc == WS_IO_WRITE) && ++tries < 100000);
	MUST(tries < 100000);
	wsi_tls_report(k.t, &r);
	MUST(r.tls_version != NULL && r.tls_cipher != NULL && r.cert_subject != NULL
	     && r.cert_issuer != NULL);
	if (rc != 0) {
		MUST(rc == WS_ETLS || rc == WS_ECERT || rc == WS_ERESET || rc == WS_EIO);
		MUST(k.why.len > 0 && !r.tls_verified);
		MUST(wsi_tls_handshake(k.t, INT64_MAX, &k.why) == rc); /* it stays so */
	} else {
		n = messages(recorded, record.bytes, record.len);
		MUST(messages(heard, said, len) >= n && memcmp(heard, recorded, n) == 0);
		MUST(r.tls_verified == !options.insecure_no_verify);
		(void)wsi_tls_write(k.t, client_says, sizeof client_says - 1);
		n = drink(&k, buf, sizeof buf);
		MUST(n <= sizeof server_says - 1 && memcmp(buf, server_says, n) == 0);
		if (size == 4 && s.reset_at < 0)
			MUST(n == sizeof server_says - 1);
		(void)wsi_tls_pending(k.t);
	}
	if (size == 4 && s.reset_at < 0 && !(data[0] & 8))
		MUST(rc == 0); /* nothing was changed */
	client_free(&k);
	MUST(blocks == 0);
	return 0;
}

#ifdef FUZZ_MAIN
#include "../random.h"

static void run_random(void)
{
	unsigned char buf[64];
	size_t i, len;
	long round;

	for (round = 0; round < 500; round++) {
		len = 4 + 4 * below(4);
		for (i = 0; i < len; i++)
			buf[i] = (unsigned char)below(256);
		LLVMFuzzerTestOneInput(buf, len);
	}
	printf("%ld inputs\n", round);
}

#define FUZZ_MADE_UP run_random
#endif
#include "replay.h"
