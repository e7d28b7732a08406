/* SPDX-License-Identifier: ISC
 * ws_mbedtls.h - internal: mbedTLS, and what the files that use it share: see tls.c
 *
 * The same source works with mbedTLS 2.28, 3.x and 4.x, and uses only their public API. The macros
 * below and tls_port.c have what differs.
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
/* For sentences about what it lacks: another version may have it. */
#define TLS_LIBRARY "this build's mbedTLS " MBEDTLS_VERSION_STRING
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

#define TLS_CIPHERS_MAX 64        /* in the option tls.ciphers */
#define TLS_SUITES_MAX 256        /* cipher suites offered without that option */
#define TLS_PINS_MAX 8            /* in the option tls.pin_sha256 */
#define TLS_FILE_MAX 65536        /* bytes of the client's certificate chain or key */
#define TLS_EAGER_MAX 8           /* up to so many trusted certificates are parsed beforehand */
#define TLS_NAME_MAX 255          /* RFC 1035 2.3.4 */
#define TLS_PATH_MAX 16           /* certificates of a verified chain; mbedTLS allows 10 */
#define TLS_CHAIN_BYTES_MAX 16384 /* of a Certificate message; mbedTLS takes no more */
#define TLS_CAUSE_MAX 1536        /* bytes of what is wrong with an option */

/* A count that several threads may change */
#ifdef WS_NO_THREADS
typedef int tls_count;
#else
#include <stdatomic.h>
typedef atomic_int tls_count;
#endif

/* Where a mistake in the options is reported */
struct wsi_tls_wrong {
	const char **option;
	struct wsi_text *why;
};

/* Trusted certificates that connections share. It does not change once it is made. */
struct ws_trust {
	struct wsi_mem mem;
	/* The program until ws_trust_free, and each struct wsi_tls_config that uses it. */
	tls_count holders;

	/* The options that it was made from. NULL: not set; both NULL: the system's bundle. */
	char *ca_file, *ca_dir;
	/* The certificates in DER, one after another. */
	unsigned char *der;
	size_t der_len, der_cap;
	struct {
		size_t at, len;
	} * certs;
	size_t n, cap;

	/* What was wrong with the options, as for wsi_tls_config_new. 0: nothing. */
	int err;
	const char *option;
	/* The sentence, and the part of it after the option's name. */
	char why[TLS_CAUSE_MAX + 32];
	const char *cause;
	/* Of the system's bundle: see struct wsi_tls_config. "": it could be read. */
	bool no_bundle;
	char unread[128];
	/* For one of the files no descriptor was free. */
	bool no_fd;
};

/* One for all sessions of a struct ws_conn */
struct wsi_tls_config {
	struct wsi_mem mem;
	const struct ws_tls *opt;
	/* The end of the call under way: files are not read beyond it. */
	int64_t until_us;

	/* Set only while the configuration is made. */
	struct wsi_tls_wrong wrong;

	/* Trusted certificates: those that are parsed, and where each session searches for more:
	 * what is shared with other connections, or else a file and a directory. */
	mbedtls_x509_crt cas;
	struct ws_trust *shared;
	const char *lazy_file, *lazy_dir;
	/* This machine has no bundle in any of the usual places. */
	bool no_bundle;
	/* The first file or directory that could not be read while a session needed it, and the
	 * reason. unread_path is "" for the system's bundle. NULL: all could be read. */
	const char *unread_path, *unread;
	/* For one of them no descriptor was free. */
	bool no_fd;

	/* The client's certificate and its key. */
	bool has_own;
	mbedtls_x509_crt own;
	mbedtls_pk_context key;

	/* What is offered. The versions are 12 or 13. Both lists end with 0. */
	int min, max;
	/* Of tls.ciphers. Empty: suites are offered. */
	int ciphers[TLS_CIPHERS_MAX + 1];
	int suites[TLS_SUITES_MAX + 1];

	/* SHA-256 of public keys. */
	unsigned char pins[TLS_PINS_MAX][32];
	int pins_n;
	/* -1: none. */
	int keylog_fd;
};

struct wsi_tls {
	struct wsi_tls_config *c;
	struct ws_io io;
	mbedtls_ssl_context ssl;
	mbedtls_ssl_config conf;
	const char *alpn[2];

	/* Random bytes. */
	int (*entropy)(void *ctx, void *buf, size_t len);
	void *entropy_ctx;
	/* What its last call returned. */
	int entropy_rc;
#if MBEDTLS_VERSION_NUMBER < 0x04000000
	mbedtls_ctr_drbg_context drbg;
#endif

	/* The name that the certificate must have, and if it is a numeric address, its bytes. */
	char name[TLS_NAME_MAX + 1];
	unsigned char ip[WSI_IP_MAX];
	/* 4 or 16; 0: it is a name. */
	int ip_len;

	/* The session. answered: bytes came from the server. done: the handshake is over. gone:
	 * nothing more can be sent. got_data: application data came. */
	bool answered, done, gone, got_data;
	/* The error of mbedTLS that ended it. 0: none. */
	int err;
	/* How the transport failed: WS_IO_EOF, WS_IO_RESET or WS_IO_ERROR. 0: it did not. */
	int io_err;
	/* What every further read returns: WS_IO_EOF, WS_IO_RESET or WS_IO_ERROR. 0: none. */
	ptrdiff_t end;
	char cipher[64];

	/* Output. mbedTLS encrypts a write at once, so the rest must be offered again unchanged. */
	/* Length of the write that waits in mbedTLS's buffer. */
	size_t unsent;
	/* Bytes in that buffer, whether of a write or of an alert. */
	size_t out_left;
	/* TLS 1.3: output held back until the server's certificate has been verified. */
	bool holding;
	unsigned char *held;
	size_t held_len, held_sent;

	/* Input: the record that is coming in. Its header, how many bytes of the header have come,
	 * and how many bytes of the record have not. */
	unsigned char record[5];
	size_t record_n;
	size_t record_left;
	/* The server's last alert, if it was in the clear. -1: none. */
	int alert;
	/* The first bytes were "HTTP/". */
	bool plain;

	/* Input: the handshake message of TLS 1.2 that is coming in, counted in the same way. */
	unsigned char message_head[4];
	size_t message_head_n;
	size_t message_left;
	/* Body of the Certificate message, allocated while it is collected. */
	unsigned char *chain;
	size_t chain_len, chain_n;

	/* The verdict on the server's certificate. looked: its chain was examined before it was
	 * verified. refused: we refused it, and must send the server an alert. */
	bool looked, refused;
	/* verified: the chain is valid, and so is the name unless it was not to be checked. pinned:
	 * its key is one of the pins. */
	bool verified, pinned;
	bool untrusted; /* the chain does not end in a trusted certificate */
	/* WS_EMEMORY or WS_ETIMEOUT: why the search for its issuer failed. 0: it did not. */
	int failed;
	/* MBEDTLS_X509_BADCERT_..., and what they mean in words. */
	uint32_t flags;
	struct wsi_text cert_why;
	char cert_why_buf[400];
	/* A critical extension in it that mbedTLS does not support. */
	struct wsi_text unknown;
	char unknown_buf[256];
	/* The chain while it is verified, from the server's certificate on. */
	struct wsi_cert path[TLS_PATH_MAX];
	int path_n;
	char subject[256], issuer[256];
	/* Seconds since 1970. */
	int64_t not_after;
};

/* tls_words.c */
WSI void wsi_tls_put_hex(struct wsi_text *t, const unsigned char *p, size_t len);
WSI void wsi_tls_put_quoted(struct wsi_text *t, const void *p, size_t len);
/* mbedTLS's own words, if they are compiled in, and the number. */
WSI void wsi_tls_put_code(struct wsi_text *t, int ret);
/* An error that nothing else explains. */
WSI void wsi_tls_put_failure(struct wsi_text *why, int ret);
WSI void wsi_tls_put_alert(struct wsi_text *why, int alert);
/* A wrong option: names it, shows its value unless that is NULL, and says why. WS_EUSAGE. */
WSI int wsi_tls_bad(const struct wsi_tls_wrong *w, const char *option, const char *value,
                    const char *cause);
/* Likewise for a file that could not be read; r: the error of that. WS_ETIMEOUT and WS_EIO stay what
 * they are, and another becomes WS_EUSAGE. */
WSI int wsi_tls_bad_file(const struct wsi_tls_wrong *w, const char *option, const char *path,
                         ptrdiff_t r, const char *cause);
/* Likewise for a certificate or key that mbedTLS cannot read; ret: its error. what: "its key cannot
 * be read". WS_EUSAGE or WS_EMEMORY. */
WSI int wsi_tls_bad_code(const struct wsi_tls_wrong *w, const char *option, const char *path,
                         const char *what, int ret);

/* tls_port.c */
WSI int wsi_tls_no_memory(int ret);
/* Which keys and signatures of certificates are accepted. */
WSI const mbedtls_x509_crt_profile *wsi_tls_get_profile(void);
/* Sets the curves that are offered. */
WSI void wsi_tls_set_groups(mbedtls_ssl_config *conf);

/* tls_trust.c */
/* Reads what the options trust. 0 or an error, as for wsi_tls_config_new. */
WSI int wsi_tls_load_trust(struct wsi_tls_config *c);
/* Adds what may have issued a certificate of the chain to the trusted ones. 0, WS_EMEMORY or
 * WS_ETIMEOUT. */
WSI int wsi_tls_find_issuers(struct wsi_tls_config *c, const struct wsi_cert *chain, int n);

/* tls_config.c */
/* The IANA name of a cipher suite that mbedTLS knows by this name. */
WSI void wsi_tls_put_iana(struct wsi_text *t, const char *name);

/* tls_verdict.c. Results are 0 or an error of mbedTLS. */
/* Before a chain is verified: what it may cost, and who may have issued it. n is what wsi_chain_read
 * returned. */
WSI int wsi_tls_look(struct wsi_tls *t, const struct wsi_cert *certs, int n);
/* Refuses the certificate, whatever mbedTLS says. Write the reason into the text. */
WSI struct wsi_text *wsi_tls_refuse(struct wsi_tls *t);
/* The callback of mbedTLS for each certificate of a chain. */
WSI int wsi_tls_verify(void *ctx, mbedtls_x509_crt *crt, int depth, uint32_t *flags);
/* Keeps what the report shows of the server's certificate. */
WSI void wsi_tls_remember(struct wsi_tls *t, const mbedtls_x509_crt *crt);
WSI void wsi_tls_check_name(struct wsi_tls *t, const mbedtls_x509_crt *crt);
WSI int wsi_tls_check_pin(struct wsi_tls *t, const mbedtls_x509_crt *crt);
/* Writes into cert_why what is wrong with a certificate. crt NULL: mbedTLS does not show it. */
WSI void wsi_tls_put_problem(struct wsi_tls *t, const mbedtls_x509_crt *crt, int depth,
                             uint32_t flags);
#if TLS_HOLDS
/* Verifies the chain of TLS 1.3, which mbedTLS took in without verifying it. */
WSI int wsi_tls_judge_held(struct wsi_tls *t);
#endif

/* tls_wire.c: the callbacks of mbedTLS */
WSI int wsi_tls_send(void *ctx, const unsigned char *buf, size_t len);
WSI int wsi_tls_recv(void *ctx, unsigned char *buf, size_t len);
WSI void wsi_tls_drop_chain(struct wsi_tls *t);
#if TLS_HOLDS
/* Sends what was held back. 0 or an error of mbedTLS. */
WSI int wsi_tls_release_held(struct wsi_tls *t);
#endif

#endif
#endif
