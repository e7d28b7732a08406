/* SPDX-License-Identifier: ISC
 * ws_mbedtls.h - internal: mbedTLS, and what the files share that know it: see tls.c
 *
 * One source for mbedTLS 2.28, 3.x and 4.x, with their public API only. This block and tls_port.c
 * have what differs.
 */
#ifndef WS_MBEDTLS_H
#define WS_MBEDTLS_H
#include "ws_tls.h"

#ifdef WS_WITH_MBEDTLS
#include <mbedtls/version.h>
#include <mbedtls/error.h>
#include <mbedtls/md.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/pk.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#if MBEDTLS_VERSION_NUMBER < 0x04000000
#include <mbedtls/ctr_drbg.h>
#endif

#if !defined(MBEDTLS_HAVE_TIME_DATE)
#error                                                                                             \
    "tls.c needs an mbedTLS with MBEDTLS_HAVE_TIME_DATE: without it expired certificates would be accepted"
#endif
#if defined(MBEDTLS_PSA_CRYPTO_C) && MBEDTLS_VERSION_NUMBER >= 0x03000000
#include <psa/crypto.h>
#define TLS_PSA_INIT() (psa_crypto_init() == PSA_SUCCESS)
#else
#define TLS_PSA_INIT() 1
#endif
#if MBEDTLS_VERSION_NUMBER >= 0x04000000
#define TLS_BLIND
#elif MBEDTLS_VERSION_NUMBER >= 0x03000000
#define TLS_BLIND , tls_blind, NULL
#else
#define TLS_BLIND
#endif
#if defined(MBEDTLS_SSL_PROTO_TLS1_3) && MBEDTLS_VERSION_NUMBER >= 0x03020000
#define TLS_MAX 13
#else
#define TLS_MAX 12
#endif
#if defined(MBEDTLS_SSL_PROTO_TLS1_2)
#define TLS_MIN 12
#else
#define TLS_MIN 13
#endif
#if TLS_MAX == 13 && defined(MBEDTLS_SSL_KEEP_PEER_CERTIFICATE)
#define TLS_HOLDS 1 /* a chain of TLS 1.3 is verified by us: see the top */
#else
#define TLS_HOLDS 0
#endif
#if TLS_MAX == 13 && !TLS_HOLDS
#error "tls.c needs an mbedTLS with MBEDTLS_SSL_KEEP_PEER_CERTIFICATE for TLS 1.3"
#endif
#ifndef MBEDTLS_ERR_SSL_BAD_CERTIFICATE /* 3.0 gave them new names */
#define MBEDTLS_ERR_SSL_BAD_CERTIFICATE MBEDTLS_ERR_SSL_BAD_HS_CERTIFICATE
#define MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION MBEDTLS_ERR_SSL_BAD_HS_PROTOCOL_VERSION
#endif

#define TLS_CIPHERS_MAX 64
#define TLS_PINS_MAX 8
#define TLS_FILE_MAX 65536 /* a certificate chain or key of the client */
#define TLS_EAGER_MAX 8  /* a file or directory of so many trusted certificates is parsed at once */
#define TLS_NAME_MAX 255 /* RFC 1035 2.3.4 */
#define TLS_PATH_MAX 16  /* certificates of a verified chain; the library takes 10 */
#define TLS_SUITES_MAX 256        /* cipher suites that we offer unless told */
#define TLS_CHAIN_BYTES_MAX 16384 /* of a Certificate message; the library takes no more */

struct wsi_tls_config {
	struct wsi_mem mem;
	const struct ws_tls *opt;
	const char **option; /* these two only while it is made */
	struct wsi_text *why;
	int64_t until_us;                 /* of the call under way: no file is read beyond it */
	const char *lazy_file, *lazy_dir; /* trusted, and not parsed yet */
	mbedtls_x509_crt cas;             /* trusted, parsed */
	mbedtls_x509_crt own;
	mbedtls_pk_context key;
	int has_own;
	int min, max;
	int ciphers[TLS_CIPHERS_MAX + 1]; /* what the program asked for; 0 ends them */
	int suites[TLS_SUITES_MAX + 1];   /* else these are offered: see tls_load_suites */
	unsigned char pins[TLS_PINS_MAX][32];
	int pins_n;
	int keylog_fd;
	int no_bundle; /* 1: this machine has no trusted certificates that we could find */
	/* The first file or directory of trusted certificates that could not be read while a
	 * session needed it, and why. unread_path "": the system's bundle */
	const char *unread_path, *unread;
};

struct wsi_tls {
	struct wsi_tls_config *c;
	struct ws_io io;
	int (*entropy)(void *ctx, void *buf, size_t len);
	void *entropy_ctx;
	int entropy_rc; /* its last answer */
	mbedtls_ssl_context ssl;
	mbedtls_ssl_config conf;
#if MBEDTLS_VERSION_NUMBER < 0x04000000
	mbedtls_ctr_drbg_context drbg;
#endif
	const char *alpn[2];
	char name[TLS_NAME_MAX + 1]; /* what the certificate must be for */
	unsigned char ip[16];
	int ip_len; /* 4, 16: the name is this address */
	int done, gone,
	    got_data; /* handshake over; no more to be sent; some of the server's data came */
	int verified, pinned; /* the certificate held; its key is one of the pins */
	ptrdiff_t end; /* what reading came to in the end: WS_IO_EOF, WS_IO_RESET, WS_IO_ERROR */
	int failed;    /* WS_EMEMORY, WS_ETIMEOUT: what ended the search for trusted certificates */
	int io_err,
	    err; /* first WS_IO_ of the transport that is none of READ, WRITE; first of mbedTLS */
	size_t unsent;   /* length of the write that the library has taken but not got rid of */
	size_t out_left; /* bytes in its output buffer, whatever they are */
	/* The record that comes in, see tls_sniff */
	unsigned char record[5]; /* its header */
	size_t record_n;         /* bytes of that */
	size_t record_left;      /* bytes of the record still to come */
	/* The server's Certificate message of TLS 1.2, see tls_collect */
	unsigned char message_head[4];
	size_t message_head_n;     /* bytes of that */
	size_t message_left;       /* bytes of the message still to come */
	unsigned char *chain;      /* allocated while it is collected: its body */
	size_t chain_len, chain_n; /* its length, and bytes of it that are there */
	int looked;                /* it is over */
	int refused;               /* we refuse it, and the server is to be told */
	struct wsi_text unknown;   /* a critical extension in it that the library may not know */
	char unknown_buf[256];
	/* What is held back in TLS 1.3 until the server is verified */
	int holding;
	unsigned char *held;
	size_t held_len, held_sent;
	/* The chain while it is verified */
	struct wsi_cert path[TLS_PATH_MAX];
	int path_n;
	int alert;                /* the peer's last, where it was readable; -1 */
	int plain;                /* 1: the first bytes were HTTP */
	uint32_t flags;           /* of the verification: MBEDTLS_X509_BADCERT_ */
	struct wsi_text cert_why; /* why it failed */
	char cert_why_buf[400];
	int64_t not_after;
	char subject[256], issuer[256], cipher[64];
};

/* tls_words.c */
WSI void wsi_tls_put_hex(struct wsi_text *t, const unsigned char *p, size_t len);
WSI void wsi_tls_put_quoted(struct wsi_text *t, const void *p, size_t len);
WSI void wsi_tls_put_code(struct wsi_text *t, int ret);
WSI void wsi_tls_put_failure(struct wsi_text *why, int ret);
WSI void wsi_tls_put_alert(struct wsi_text *why, int alert);

/* tls_port.c */
WSI int wsi_tls_no_memory(int ret);
WSI const mbedtls_x509_crt_profile *wsi_tls_get_profile(void);
WSI void wsi_tls_set_groups(mbedtls_ssl_config *conf);

/* tls_config.c */
WSI int wsi_tls_find_issuers(struct wsi_tls_config *c, const struct wsi_cert *chain, int n);
WSI int wsi_tls_same(const char *p, size_t len, const char *s);
WSI void wsi_tls_put_iana(struct wsi_text *t, const char *name);

/* tls_verdict.c */
WSI void wsi_tls_check_name(struct wsi_tls *t, const mbedtls_x509_crt *crt);
WSI void wsi_tls_put_problem(struct wsi_tls *t, const mbedtls_x509_crt *crt, int depth,
                             uint32_t flags);
WSI int wsi_tls_check_pin(struct wsi_tls *t, const mbedtls_x509_crt *crt);
WSI void wsi_tls_remember(struct wsi_tls *t, const mbedtls_x509_crt *crt);
WSI struct wsi_text *wsi_tls_refuse(struct wsi_tls *t);
WSI int wsi_tls_verify(void *ctx, mbedtls_x509_crt *crt, int depth, uint32_t *flags);
WSI int wsi_tls_look(struct wsi_tls *t, const struct wsi_cert *certs, int n);
#if TLS_HOLDS
WSI int wsi_tls_judge_held(struct wsi_tls *t);
#endif

/* tls_wire.c */
WSI int wsi_tls_send(void *ctx, const unsigned char *buf, size_t len);
WSI void wsi_tls_drop_chain(struct wsi_tls *t);
WSI int wsi_tls_recv(void *ctx, unsigned char *buf, size_t len);
#if TLS_HOLDS
WSI int wsi_tls_release_held(struct wsi_tls *t);
#endif

#endif
#endif
