/* SPDX-License-Identifier: ISC
 * tls.c - layer 2: TLS on any transport, with mbedTLS; no other file knows it
 *
 * One source for mbedTLS 2.28, 3.x and 4.x, public API only. The first block below has what differs between them.
 *
 * What the peer's chain may cost is bounded before the library sees it (chain.c): the library judges a chain in one call,
 * and the keys in it are the peer's choice.
 *   TLS 1.2: the Certificate message comes in the clear. tls_sniff collects it on its way in, and the library gets its
 *   last byte only if tls_look agrees. Then the library verifies, and its verdict is the one that counts.
 *   TLS 1.3: the message is encrypted, so the library must take it in without verifying (the server still has to prove that
 *   it has the key of its certificate). All that we would send behind the server's first encrypted record is held back
 *   until tls_look has agreed and the chain is verified (tls_judge_held).
 * So nothing that depends on the peer (client certificate, Finished) is sent to one that was not verified.
 *
 * Trust is loaded lazily. A system's bundle has some 140 certificates and a chain needs one of them, so the bundle is
 * not parsed: once the peer's chain is there, tls_look reads the bundle through a small buffer (trust.c), and those of its
 * certificates are parsed whose subject may be the issuer of one that the peer sent. Then the chain is verified, once.
 *   Sound: all that is added is in the bundle, so what is accepted would be with all of it.
 *   Complete: the library looks for a trusted certificate by one rule, that its subject is the issuer of one in the
 *   chain, and the comparison used to select (wsi_der_may_equal) holds wherever the library's does.
 *
 * Names are compared here (tls_name_fits), since 2.28 knows no iPAddress.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "ws_tls.h"

#ifdef WS_WITH_MBEDTLS
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <sys/stat.h>
#include <unistd.h>

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
/* Which keys and signatures of certificates hold, and which curves are offered: those that public CAs use */
#if MBEDTLS_VERSION_NUMBER < 0x04000000
static const mbedtls_x509_crt_profile tls_profile = {
    MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA256) | MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA384)
        | MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA512),
    0xfffffff, /* all kinds of keys that the library knows: RSA and elliptic curves */
    MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP256R1) | MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP384R1)
        | MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP521R1),
    2048 /* bits of RSA at least */
};
#else
#define tls_profile                                                                                \
	mbedtls_x509_crt_profile_default /* curves have no public names any more; chain.c checks them */
#endif
#if MBEDTLS_VERSION_NUMBER >= 0x03010000
static const uint16_t tls_groups[] = {
    MBEDTLS_SSL_IANA_TLS_GROUP_X25519, MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1, MBEDTLS_SSL_IANA_TLS_GROUP_SECP521R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_NONE};
#define TLS_CONF_GROUPS mbedtls_ssl_conf_groups
#else
static const mbedtls_ecp_group_id tls_groups[] = {
#if defined(MBEDTLS_ECP_DP_CURVE25519_ENABLED)
    MBEDTLS_ECP_DP_CURVE25519,
#endif
#if defined(MBEDTLS_ECP_DP_SECP256R1_ENABLED)
    MBEDTLS_ECP_DP_SECP256R1,
#endif
#if defined(MBEDTLS_ECP_DP_SECP384R1_ENABLED)
    MBEDTLS_ECP_DP_SECP384R1,
#endif
#if defined(MBEDTLS_ECP_DP_SECP521R1_ENABLED)
    MBEDTLS_ECP_DP_SECP521R1,
#endif
    MBEDTLS_ECP_DP_NONE};
#define TLS_CONF_GROUPS mbedtls_ssl_conf_curves
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
	/* The first file or directory of trusted certificates that could not be read while a session needed it, and why.
	 * unread_path "": the system's bundle */
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

/* ---- Small things ---- */

static int tls_no_memory(int ret)
{
#if MBEDTLS_VERSION_NUMBER >= 0x04000000
	return ret == PSA_ERROR_INSUFFICIENT_MEMORY;
#else
	int low = -(-ret & 0x7f), high = -(-ret & 0xff80); /* an error is the sum of two layers' */

	return low == MBEDTLS_ERR_MPI_ALLOC_FAILED || low == MBEDTLS_ERR_ASN1_ALLOC_FAILED
	       || high == MBEDTLS_ERR_SSL_ALLOC_FAILED || high == MBEDTLS_ERR_X509_ALLOC_FAILED
	       || high == MBEDTLS_ERR_PK_ALLOC_FAILED || high == MBEDTLS_ERR_ECP_ALLOC_FAILED
	       || high == MBEDTLS_ERR_MD_ALLOC_FAILED;
#endif
}

static void tls_put_hex(struct wsi_text *t, const unsigned char *p, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < len; i++) {
		wsi_put_c(t, digits[p[i] >> 4]);
		wsi_put_c(t, digits[p[i] & 15]);
	}
}

static void tls_put_quoted(struct wsi_text *t, const void *p, size_t len)
{
	wsi_put_c(t, '"');
	wsi_put_safe(t, p, len);
	wsi_put_c(t, '"');
}

/* RFC 3339 */
static void tls_put_date(struct wsi_text *t, int year, int mon, int day, int hour, int min, int sec)
{
	const int v[] = {year / 100, year, mon, day, hour, min, sec};
	int i;

	for (i = 0; i < 7; i++) {
		wsi_put_c(t, (char)('0' + v[i] / 10 % 10));
		wsi_put_c(t, (char)('0' + v[i] % 10));
		wsi_put_n(t, &".--T::Z"[i], i > 0);
	}
}

/* Seconds since 1970 in 64 bits, whatever the libc's time_t */
static int64_t tls_seconds(const mbedtls_x509_time *x)
{
	int64_t y = x->year - (x->mon <= 2), m = (x->mon + 9) % 12; /* years begin in March */
	int64_t days =
	    y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + x->day - 1 - 719468;

	return ((days * 24 + x->hour) * 60 + x->min) * 60 + x->sec;
}

static void tls_put_clock(struct wsi_text *t)
{
	time_t now = time(NULL);
	struct tm tm;

	if (gmtime_r(&now, &tm) == NULL)
		return;
	wsi_put(t, " (this machine's clock says ");
	tls_put_date(t, tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
	             tm.tm_sec);
	wsi_put(t, tm.tm_year + 1900 < 2020 ? ": was it ever set?)" : ")");
}

/* The library's own words where they are compiled in, and its number */
static void tls_put_code(struct wsi_text *t, int ret)
{
	unsigned char code[2] = {(unsigned char)(-ret >> 8), (unsigned char)-ret};
#if defined(MBEDTLS_ERROR_C)
	char text[128];

	mbedtls_strerror(ret, text, sizeof text);
	wsi_put(t, text);
	wsi_put_c(t, ' ');
#endif
	wsi_put(t, "(mbedTLS -0x");
	tls_put_hex(t, code, 2);
	wsi_put_c(t, ')');
}

static int tls_io_error(struct wsi_tls *t, ptrdiff_t n)
{
	if (n == WS_IO_READ)
		return MBEDTLS_ERR_SSL_WANT_READ;
	if (n == WS_IO_WRITE)
		return MBEDTLS_ERR_SSL_WANT_WRITE;
	if (t->io_err == 0)
		t->io_err = n == WS_IO_EOF || n == WS_IO_RESET ? (int)n : WS_IO_ERROR;
	return n == WS_IO_EOF ? MBEDTLS_ERR_SSL_CONN_EOF : MBEDTLS_ERR_NET_CONN_RESET;
}

/* An error of mbedTLS that nothing else explains */
static void tls_put_failure(struct wsi_text *why, int ret)
{
	const char *words = wsi_tls_session_words(ret);

	if (words != NULL)
		wsi_put(why, words);
	else
		tls_put_code(why, ret);
}

/* ---- Trusted certificates ---- */

struct tls_taker {
	struct wsi_trust trust;
	mbedtls_x509_crt *into;
	const struct wsi_cert *chain; /* take what may have issued one of these; NULL: take all */
	int chain_n;
	int taken, err; /* added to into; last error of parsing */
};

static int tls_may_issue(const struct tls_taker *k, const unsigned char *der, size_t len)
{
	const unsigned char *subject = wsi_der_subject(der, len, &len);
	int i;

	for (i = 0; subject != NULL && i < k->chain_n; i++) {
		if (wsi_der_may_equal(subject, len, k->chain[i].issuer.p, k->chain[i].issuer.len))
			return 1;
	}
	return 0;
}

/* Critical extensions that the library does not know, in a certificate that is trusted. Name constraints are checked by
 * chain.c. Policies matter to who asks for one, which we do not. */
static int tls_allow_extension(void *ctx, const mbedtls_x509_crt *crt, const mbedtls_x509_buf *oid,
                               int critical, const unsigned char *p, const unsigned char *end)
{
	(void)ctx, (void)crt, (void)critical, (void)p, (void)end;
	if (oid->len == 3 && oid->p[0] == 0x55 && oid->p[1] == 0x1d
	    && (oid->p[2] == WSI_EXT_NAME_CONSTRAINTS || oid->p[2] == WSI_EXT_POLICIES
	        || oid->p[2] == WSI_EXT_POLICY_MAPPINGS || oid->p[2] == WSI_EXT_INHIBIT_ANY_POLICY))
		return 0;
	return MBEDTLS_ERR_X509_INVALID_EXTENSIONS;
}

static int tls_take(void *ctx, const unsigned char *der, size_t len)
{
	struct tls_taker *k = ctx;
	const mbedtls_x509_crt *x;
	int ret;

	if (k->chain != NULL && !tls_may_issue(k, der, len))
		return 0;
	for (x = k->into; x != NULL && x->raw.p != NULL;
	     x = x->next) { /* directories have them twice */
		if (x->raw.len == len && memcmp(x->raw.p, der, len) == 0)
			return 0;
	}
	ret =
	    mbedtls_x509_crt_parse_der_with_ext_cb(k->into, der, len, 1, tls_allow_extension, NULL);
	if (ret == 0)
		k->taken++;
	else
		k->err = ret;
	return tls_no_memory(ret)
	       || (k->chain == NULL && k->trust.again && k->taken > TLS_EAGER_MAX);
}

static void tls_note_unread(struct wsi_tls_config *c, const char *path, const char *cause)
{
	if (cause == NULL || c->unread != NULL)
		return;
	c->unread_path = path;
	c->unread = cause;
}

/* Takes from a file or directory that was too large to be parsed at once: 0, WS_EMEMORY or WS_ETIMEOUT */
static int tls_take_lazy(struct wsi_tls_config *c, struct tls_taker *k, const char *path,
                         int is_dir)
{
	const char *cause = NULL;
	int r;

	if (path == NULL)
		return 0;
	r = wsi_trust_scan(&k->trust, &c->mem, path, is_dir, &cause);
	if (r != 0)
		tls_note_unread(c, path, cause);
	return r == -1 ? 0 : r;
}

/* Adds to c->cas what may have issued a certificate of the chain: 0, WS_EMEMORY or WS_ETIMEOUT */
static int tls_find_issuers(struct wsi_tls_config *c, const struct wsi_cert *chain, int n)
{
	struct tls_taker k = {
	    .trust = {.take = tls_take}, .into = &c->cas, .chain = chain, .chain_n = n};
	int r;

	k.trust.ctx = &k;
	k.trust.until_us = c->until_us;
	r = tls_take_lazy(c, &k, c->lazy_file, 0);
	if (r == 0)
		r = tls_take_lazy(c, &k, c->lazy_dir, 1);
	if (r == 0 && c->opt->ca_file == NULL && c->opt->ca_dir == NULL) {
		r = wsi_trust_system(&k.trust, &c->mem);
		c->no_bundle = k.trust.seen == 0;
		if (c->no_bundle)
			tls_note_unread(c, "", k.trust.unread);
	}
	return tls_no_memory(k.err) ? WS_EMEMORY : r;
}

/* ---- Settings ---- */

static int tls_bad(struct wsi_tls_config *c, const char *option, const char *value,
                   const char *cause)
{
	*c->option = option;
	if (value != NULL) {
		tls_put_quoted(c->why, value, strlen(value));
		wsi_put(c->why, ": ");
	}
	wsi_put(c->why, cause);
	return WS_EUSAGE;
}

/* r: what reading came to, WS_ETIMEOUT or another */
static int tls_bad_file(struct wsi_tls_config *c, const char *option, const char *path, ptrdiff_t r,
                        const char *cause)
{
	(void)tls_bad(c, option, path, cause);
	return r == WS_ETIMEOUT ? WS_ETIMEOUT : WS_EUSAGE;
}

/* A certificate or key that mbedTLS cannot read: what, "its key cannot be read" */
static int tls_bad_code(struct wsi_tls_config *c, const char *option, const char *path,
                        const char *what, int ret)
{
	const char *words = wsi_tls_certificate_words(ret);

	if (tls_no_memory(ret))
		return WS_EMEMORY;
	(void)tls_bad(c, option, path, what);
	wsi_put(c->why, ": ");
	if (words != NULL)
		wsi_put(c->why, words);
	else
		tls_put_code(c->why, ret);
	return WS_EUSAGE;
}

#if MBEDTLS_VERSION_NUMBER >= 0x03000000 && MBEDTLS_VERSION_NUMBER < 0x04000000
/* Blinds computations with the client's key while it is checked; nothing that is sent comes from here */
static int tls_blind(void *ctx, unsigned char *buf, size_t len)
{
	(void)ctx;
	return wsi_entropy(buf, len) == 0 ? 0 : MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED;
}
#endif

/* A file or directory: parsed if it is small, else looked at, so that one without a certificate is found out */
static int tls_load_trusted(struct wsi_tls_config *c, const char *path, int is_dir,
                            const char **lazy)
{
	struct tls_taker k = {.trust = {.take = tls_take}, .into = &c->cas};
	const char *cause, *name = is_dir ? "tls.ca_dir" : "tls.ca_file";
	int r;

	if (path == NULL)
		return 0;
	k.trust.ctx = &k;
	k.trust.until_us = c->until_us;
	r = wsi_trust_scan(&k.trust, &c->mem, path, is_dir, &cause);
	if (r == WS_EMEMORY || tls_no_memory(k.err))
		return WS_EMEMORY;
	if (r != 0)
		return tls_bad_file(c, name, path, r, cause);
	if (k.taken == 0 && k.err != 0)
		return tls_bad_code(c, name, path, "its certificate cannot be read", k.err);
	if (k.trust.seen == 0) {
		(void)tls_bad(c, name, path, "no certificate in it (PEM or DER)");
		if (k.trust.unread != NULL) {
			wsi_put(c->why, ", but a file that could not be read: ");
			wsi_put(c->why, k.trust.unread);
		}
		return WS_EUSAGE;
	}
	if (k.trust.stop)
		*lazy = path;
	return 0;
}

static int tls_load_key(struct wsi_tls_config *c, const unsigned char *buf, size_t len,
                        const char *path)
{
	const char *pass = c->opt->key_password, *words;
	int ret;

	ret = mbedtls_pk_parse_key(&c->key, buf, len, (const unsigned char *)pass,
	                           pass ? strlen(pass) : 0 TLS_BLIND);
	if (ret == MBEDTLS_ERR_PK_PASSWORD_REQUIRED)
		return tls_bad(c, "tls.key_password", path,
		               "the key is encrypted and no passphrase was given");
	if (ret == MBEDTLS_ERR_PK_PASSWORD_MISMATCH)
		return tls_bad(c, "tls.key_password", path, "wrong passphrase for the key");
	if (ret != 0 && !tls_no_memory(ret)) {
		words = wsi_tls_file_words(buf, strlen((const char *)buf), 1);
		if (words != NULL)
			return tls_bad(c, "tls.key_file", path, words);
		if (pass != NULL && strstr((const char *)buf, "ENCRYPTED") != NULL)
			return tls_bad(
			    c, "tls.key_password", path,
			    wsi_tls_lacks_cipher(ret)
			        ? "the key is encrypted with a cipher that this TLS library lacks"
			        : "wrong passphrase for the key"); /* the padding was right by chance */
	}
	if (ret != 0)
		return tls_bad_code(c, "tls.key_file", path, "its private key cannot be read", ret);
	ret = mbedtls_pk_check_pair(&c->own.pk, &c->key TLS_BLIND);
	if (ret != 0)
		return tls_no_memory(ret) ? WS_EMEMORY
		                          : tls_bad(c, "tls.key_file", path,
		                                    "the key does not belong to the certificate");
	c->has_own = 1;
	return 0;
}

/* buf has room for TLS_FILE_MAX bytes. PEM counts its NUL, DER does not */
static int tls_load_own_in(struct wsi_tls_config *c, unsigned char *buf)
{
	const char *path = c->opt->cert_file, *cause, *words;
	ptrdiff_t len = wsi_read_file(path, buf, TLS_FILE_MAX - 1, c->until_us, &cause);
	int ret;

	if (len < 0)
		return tls_bad_file(c, "tls.cert_file", path, len, cause);
	buf[len] = 0;
	ret = mbedtls_x509_crt_parse(&c->own, buf, (size_t)len + (buf[0] != 0x30));
	words = ret != 0 ? wsi_tls_file_words(buf, (size_t)len, 0) : NULL;
	if (words != NULL && !tls_no_memory(ret))
		return tls_bad(c, "tls.cert_file", path, words);
	if (ret > 0)
		return tls_bad(c, "tls.cert_file", path, "a certificate in it cannot be read");
	if (ret != 0)
		return tls_bad_code(c, "tls.cert_file", path, "its certificate cannot be read",
		                    ret);
	if (c->opt->key_file != NULL) {
		path = c->opt->key_file;
		len = wsi_read_file(path, buf, TLS_FILE_MAX - 1, c->until_us, &cause);
		if (len < 0)
			return tls_bad_file(c, "tls.key_file", path, len, cause);
		buf[len] = 0;
	}
	return tls_load_key(c, buf, (size_t)len + (buf[0] != 0x30), path);
}

static int tls_load_own(struct wsi_tls_config *c)
{
	unsigned char *buf;
	int ret;

	if (c->opt->cert_file == NULL)
		return c->opt->key_file == NULL ? 0
		                                : tls_bad(c, "tls.key_file", c->opt->key_file,
		                                          "it needs a certificate too");
	buf = wsi_alloc(&c->mem, NULL, 0, TLS_FILE_MAX);
	if (buf == NULL)
		return WS_EMEMORY;
	ret = tls_load_own_in(c, buf);
	mbedtls_platform_zeroize(buf, TLS_FILE_MAX); /* it may hold a key */
	wsi_alloc(&c->mem, buf, TLS_FILE_MAX, 0);
	return ret;
}

static int tls_same(const char *p, size_t len, const char *s)
{
	struct wsi_str a = {p, len}, b = {s, strlen(s)};

	return wsi_same_str(a, b);
}

/* "TLS-ECDHE-RSA-WITH-..." is IANA's TLS_ECDHE_RSA_WITH_..., "TLS1-3-AES-..." TLS_AES_... */
static void tls_put_iana(struct wsi_text *t, const char *name)
{
	if (memcmp(name, "TLS1-3-", 7) == 0) {
		wsi_put(t, "TLS_");
		name += 7;
	}
	for (; *name != 0; name++)
		wsi_put_c(t, *name == '-' ? '_' : *name);
}

/* The suite of that name, or 0 */
static int tls_cipher(const char *name, size_t len)
{
	const int *id;
	const char *known;
	struct wsi_text iana;
	char buf[64];

	for (id = mbedtls_ssl_list_ciphersuites(); *id != 0; id++) {
		known = mbedtls_ssl_get_ciphersuite_name(*id);
		wsi_text_init(&iana, buf, sizeof buf);
		tls_put_iana(&iana, known);
		if (tls_same(name, len, known) || tls_same(name, len, buf))
			return *id;
	}
	return 0;
}

/* What is offered unless the program says otherwise: all that the library has, but for key exchange over a group that the
 * server makes up (DHE: it may be as costly as it likes), and for keys that we do not have (PSK, a password) */
static void tls_load_suites(struct wsi_tls_config *c)
{
	const int *id;
	const char *name;
	int n = 0;

	for (id = mbedtls_ssl_list_ciphersuites(); *id != 0 && n < TLS_SUITES_MAX; id++) {
		name = mbedtls_ssl_get_ciphersuite_name(*id);
		if (strncmp(name, "TLS-DHE-", 8) != 0 && strstr(name, "PSK-") == NULL
		    && strstr(name, "JPAKE") == NULL)
			c->suites[n++] = *id;
	}
}

/* The next element of a list: 0 at its end */
static int tls_next(const char **list, char sep, char sep2, const char **p, size_t *len)
{
	while (**list == sep || **list == sep2 || **list == ' ')
		++*list;
	*p = *list;
	while (**list != 0 && **list != sep && **list != sep2 && **list != ' ')
		++*list;
	*len = (size_t)(*list - *p);
	return *len > 0;
}

static int tls_load_limits(struct wsi_tls_config *c)
{
	const struct ws_tls *o = c->opt;
	const char *list, *p;
	unsigned char pin[36];
	size_t len;
	int n = 0, any12 = 0, any13 = 0;

	if (o->min_version != 0 && o->min_version != 12 && o->min_version != 13)
		return tls_bad(c, "tls.min_version", NULL, "must be 12 or 13 (TLS 1.2, TLS 1.3)");
	if (o->max_version != 0 && o->max_version != 12 && o->max_version != 13)
		return tls_bad(c, "tls.max_version", NULL, "must be 12 or 13 (TLS 1.2, TLS 1.3)");
	c->min = o->min_version > TLS_MIN ? o->min_version : TLS_MIN;
	c->max = o->max_version != 0 && o->max_version < TLS_MAX ? o->max_version : TLS_MAX;
	if (o->max_version != 0 && o->min_version > o->max_version)
		return tls_bad(c, "tls.min_version", NULL,
		               "above the highest version allowed (max_version)");
	if (c->min > TLS_MAX)
		return tls_bad(c, "tls.min_version", NULL,
		               "this build's TLS library has no TLS 1.3");
	if (c->max < TLS_MIN)
		return tls_bad(c, "tls.max_version", NULL,
		               "this build's TLS library has no TLS 1.2");

	for (list = o->ciphers ? o->ciphers : ""; tls_next(&list, ':', ',', &p, &len); n++) {
		if (n == TLS_CIPHERS_MAX)
			return tls_bad(c, "tls.ciphers", NULL, "more than 64 cipher suites");
		c->ciphers[n] = tls_cipher(p, len);
		if (c->ciphers[n] == 0) {
			tls_put_quoted(c->why, p, len);
			return tls_bad(c, "tls.ciphers", NULL,
			               ": no cipher suite of this build's TLS library");
		}
		if (memcmp(mbedtls_ssl_get_ciphersuite_name(c->ciphers[n]), "TLS1-3-", 7) == 0)
			any13 = 1;
		else
			any12 = 1;
	}
	if (o->ciphers != NULL && n == 0)
		return tls_bad(c, "tls.ciphers", o->ciphers, "no cipher suite in it");
	/* A version without a suite is not offered: the server might choose it */
	if (n > 0 && !any13 && c->max == 13)
		c->max = 12;
	if (n > 0 && !any12 && c->min == 12)
		c->min = 13;
	if (c->min > c->max)
		return tls_bad(c, "tls.ciphers", o->ciphers,
		               "none for the TLS versions that are allowed");

	for (list = o->pin_sha256 ? o->pin_sha256 : ""; tls_next(&list, ';', ';', &p, &len);
	     c->pins_n++) {
		if (c->pins_n == TLS_PINS_MAX)
			return tls_bad(c, "tls.pin_sha256", NULL, "more than 8 pins");
		if (len != 8 + 44 || memcmp(p, "sha256//", 8) != 0
		    || wsi_base64_decode(pin, p + 8, 44) != 32)
			return tls_bad(c, "tls.pin_sha256", o->pin_sha256,
			               "not sha256//BASE64 of 32 bytes, several separated by ';'");
		memcpy(c->pins[c->pins_n], pin, 32);
	}
	if (o->pin_sha256 != NULL && c->pins_n == 0)
		return tls_bad(c, "tls.pin_sha256", o->pin_sha256, "no pin in it");
	if (o->server_name != NULL
	    && (*o->server_name == 0 || strlen(o->server_name) > TLS_NAME_MAX))
		return tls_bad(c, "tls.server_name", o->server_name,
		               "empty, or longer than 255 bytes");
	return 0;
}

static int tls_load(struct wsi_tls_config *c)
{
	const char *path = c->opt->keylog_file;
	int ret = tls_load_limits(c);

	if (ret != 0 || c->opt->config != NULL)
		return ret;
	tls_load_suites(c);
#if defined(MBEDTLS_USE_PSA_CRYPTO)                                                                \
    || MBEDTLS_VERSION_NUMBER >= 0x04000000 /* wanted already to parse certificates */
	if ((c->opt->ca_file != NULL || c->opt->ca_dir != NULL || c->opt->cert_file != NULL)
	    && !TLS_PSA_INIT())
		return WS_EENTROPY;
#endif
	ret = tls_load_trusted(c, c->opt->ca_file, 0, &c->lazy_file);
	if (ret == 0)
		ret = tls_load_trusted(c, c->opt->ca_dir, 1, &c->lazy_dir);
	if (ret == 0)
		ret = tls_load_own(c);
	if (ret != 0 || path == NULL)
		return ret;
#if MBEDTLS_VERSION_NUMBER < 0x03000000 && !defined(MBEDTLS_SSL_EXPORT_KEYS)
	return tls_bad(c, "tls.keylog_file", path,
	               "this build's TLS library cannot export secrets");
#else
	struct stat st;

	c->keylog_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
	if (c->keylog_fd < 0)
		return tls_bad(c, "tls.keylog_file", path, strerror(errno));
	if (fstat(c->keylog_fd, &st) != 0
	    || S_ISFIFO(st.st_mode)) /* whose reader may go: SIGPIPE */
		return tls_bad(c, "tls.keylog_file", path, "is a pipe");
	return 0;
#endif
}

WSI int wsi_tls_config_new(struct wsi_tls_config **out, const struct wsi_mem *mem,
                           const struct ws_tls *tls, int64_t until_us, const char **option,
                           struct wsi_text *why)
{
	struct wsi_tls_config *c = wsi_alloc(mem, NULL, 0, sizeof *c);
	int ret;

	*out = NULL;
	if (c == NULL)
		return WS_EMEMORY;
	memset(c, 0, sizeof *c);
	c->mem = *mem;
	c->opt = tls;
	c->until_us = until_us;
	c->option = option;
	c->why = why;
	c->keylog_fd = -1;
	mbedtls_x509_crt_init(&c->cas);
	mbedtls_x509_crt_init(&c->own);
	mbedtls_pk_init(&c->key);
	ret = tls_load(c);
	if (ret == 0)
		*out = c;
	else
		wsi_tls_config_free(c);
	return ret;
}

WSI void wsi_tls_config_free(struct wsi_tls_config *c)
{
	struct wsi_mem mem;

	if (c == NULL)
		return;
	mem = c->mem;
	mbedtls_x509_crt_free(&c->cas);
	mbedtls_x509_crt_free(&c->own);
	mbedtls_pk_free(&c->key);
	if (c->keylog_fd >= 0)
		close(c->keylog_fd);
	wsi_alloc(&mem, c, sizeof *c, 0);
}

/* ---- The certificate ---- */

/* RFC 6125 6.4: ASCII case ignored; "*" is a whole left-most label, stands for one, and two must follow it */
static int tls_name_fits(const unsigned char *p, size_t len, const char *name)
{
	const char *pattern = (const char *)p;
	size_t i;

	if (tls_same(pattern, len, name))
		return 1;
	if (len < 3 || p[0] != '*' || p[1] != '.' || memchr(p + 2, '.', len - 2) == NULL)
		return 0;
	for (i = 0; name[i] != 0 && name[i] != '.'; i++)
		;
	return i > 0 && tls_same(pattern + 1, len - 1, name + i);
}

/* 1: the text is the address that t's server must have, written as a name */
static int tls_is_our_address(const struct wsi_tls *t, const unsigned char *p, size_t len)
{
	unsigned char ip[16];

	return t->ip_len > 0 && wsi_ip_parse(ip, (const char *)p, len) == t->ip_len
	       && memcmp(ip, t->ip, (size_t)t->ip_len) == 0;
}

/* RFC 6125 6.4.4: the common name counts only where there are no alternative names. An extension that has none in it rules
 * it out all the same. */
static int tls_has_alternative_names(const mbedtls_x509_crt *crt)
{
	struct wsi_cert c;
	struct wsi_der value;
	int critical;

	return wsi_cert_read(&c, crt->raw.p, crt->raw.len) != 0
	       || wsi_cert_extension(&c, WSI_EXT_ALTERNATIVE_NAMES, &critical, &value) != 0;
}

/* 1: the certificate is for t's name. names: where to list those that it is for, or NULL. *misplaced: the address that we
 * want stands in it, but as a name */
static int tls_names(const struct wsi_tls *t, const mbedtls_x509_crt *crt, struct wsi_text *names,
                     int *misplaced)
{
	const mbedtls_x509_sequence *san;
	const mbedtls_x509_name *n;
	const char *sep = "";
	int kind, n_listed = 0;

	for (san = &crt->subject_alt_names; san != NULL && san->buf.p != NULL; san = san->next) {
		kind = san->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK;
		if (kind != MBEDTLS_X509_SAN_DNS_NAME && kind != MBEDTLS_X509_SAN_IP_ADDRESS)
			continue;
		if (names != NULL && n_listed++ < 8) {
			wsi_put(names, sep);
			sep = ", ";
			if (kind == MBEDTLS_X509_SAN_DNS_NAME)
				wsi_put_safe(names, san->buf.p, san->buf.len);
			else if (san->buf.len == 4 || san->buf.len == 16)
				wsi_put_ip(names, san->buf.p, (int)san->buf.len);
		}
		if (kind == MBEDTLS_X509_SAN_DNS_NAME)
			*misplaced |= tls_is_our_address(t, san->buf.p, san->buf.len);
		if (t->ip_len == 0 && kind == MBEDTLS_X509_SAN_DNS_NAME
		    && tls_name_fits(san->buf.p, san->buf.len, t->name))
			return 1;
		if (t->ip_len > 0 && kind == MBEDTLS_X509_SAN_IP_ADDRESS
		    && san->buf.len == (size_t)t->ip_len
		    && memcmp(san->buf.p, t->ip, san->buf.len) == 0)
			return 1;
	}
	if (n_listed > 8)
		wsi_put(names, ", ...");
	if (tls_has_alternative_names(crt))
		return 0;
	/* The common name never counts for an address */
	for (n = &crt->subject; n != NULL && n->oid.p != NULL; n = n->next) {
		if (n->oid.len != 3 || memcmp(n->oid.p, "\x55\x04\x03", 3) != 0)
			continue;
		if (t->ip_len == 0 && tls_name_fits(n->val.p, n->val.len, t->name))
			return 1;
		*misplaced |= tls_is_our_address(t, n->val.p, n->val.len);
		if (names != NULL) {
			wsi_put(names, sep);
			sep = ", ";
			wsi_put_safe(names, n->val.p, n->val.len);
		}
	}
	return 0;
}

static void tls_check_name(struct wsi_tls *t, const mbedtls_x509_crt *crt)
{
	size_t before;
	int misplaced = 0;

	if (tls_names(t, crt, NULL, &misplaced))
		return;
	t->flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
	if (t->cert_why.len == 0)
		wsi_put(&t->cert_why, "the server's certificate ");
	else
		wsi_put(&t->cert_why, "; the server's certificate ");
	wsi_put(&t->cert_why, "is not for ");
	tls_put_quoted(&t->cert_why, t->name, strlen(t->name));
	if (misplaced) {
		wsi_put(&t->cert_why, ", which stands in it as a name: an address must stand in it "
		                      "as an IP entry of its "
		                      "alternative names (subjectAltName=IP:...)");
		return;
	}
	wsi_put(&t->cert_why, " but for ");
	before = t->cert_why.len;
	(void)tls_names(t, crt, &t->cert_why, &misplaced);
	if (t->cert_why.len == before)
		wsi_put(&t->cert_why, "no name at all");
}

/* What is wrong with one certificate of the chain, as a clause; crt NULL: the server's, which is not to be had */
static void tls_put_problem(struct wsi_tls *t, const mbedtls_x509_crt *crt, int depth,
                            uint32_t flags)
{
	static const struct {
		uint32_t flags;
		const char *text;
	} others[] = {{MBEDTLS_X509_BADCERT_REVOKED, "was revoked"},
	              {MBEDTLS_X509_BADCERT_BAD_MD, "is signed with a hash that is too weak"},
	              {MBEDTLS_X509_BADCERT_BAD_PK | MBEDTLS_X509_BADCERT_BAD_KEY,
	               "has a key that is too weak, or of a kind that is not allowed"},
	              {MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE
	                   | MBEDTLS_X509_BADCERT_NS_CERT_TYPE,
	               "may not be used for a TLS server (key usage)"},
	              {MBEDTLS_X509_BADCERT_CN_MISMATCH, "is not for this name"},
	              {MBEDTLS_X509_BADCERT_OTHER, "was not accepted"}};
	const mbedtls_x509_time *x = crt == NULL                            ? NULL
	                             : flags & MBEDTLS_X509_BADCERT_EXPIRED ? &crt->valid_to
	                                                                    : &crt->valid_from;
	struct wsi_text *w = &t->cert_why;
	const char *sep = " ";
	size_t i;

	wsi_text_init(w, t->cert_why_buf, sizeof t->cert_why_buf);
	wsi_put(w, depth == 0 ? "the server's certificate" : "in its chain the certificate \"");
	if (depth > 0) {
		wsi_put_dn(w, crt->subject_raw.p, crt->subject_raw.len);
		wsi_put_c(w, '"');
	}
	if (flags & (MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE)) {
		wsi_put(w, flags & MBEDTLS_X509_BADCERT_EXPIRED
		               ? " has expired: it was valid until "
		               : " is not yet valid: it will be from ");
		if (x != NULL)
			tls_put_date(w, x->year, x->mon, x->day, x->hour, x->min, x->sec);
		tls_put_clock(w);
		sep = "; it ";
	}
	for (i = 0; i < sizeof others / sizeof others[0]; i++) {
		if (flags & others[i].flags) {
			wsi_put(w, sep);
			wsi_put(w, others[i].text);
			sep = "; it ";
		}
	}
	if (!(flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED))
		return;
	wsi_put(w, sep);
	if (crt != NULL && crt->issuer_raw.len == crt->subject_raw.len
	    && memcmp(crt->issuer_raw.p, crt->subject_raw.p, crt->subject_raw.len) == 0) {
		wsi_put(w, depth == 0 ? "is self-signed and not trusted here"
		                      : "is a root that is not trusted here");
	} else {
		wsi_put(w, "is not trusted here: its issuer ");
		if (crt != NULL) {
			wsi_put_c(w, '"');
			wsi_put_dn(w, crt->issuer_raw.p, crt->issuer_raw.len);
			wsi_put(w, "\" ");
		}
		wsi_put(
		    w, "is an unknown CA, or the server did not send its intermediate certificate");
	}
	if (t->c->no_bundle)
		wsi_put(w,
		        "; this machine has no CA certificates in any of the usual places, such as "
		        "/etc/ssl/certs/ca-certificates.crt");
	if (t->c->unread != NULL) {
		wsi_put(w, "; ");
		if (*t->c->unread_path)
			tls_put_quoted(w, t->c->unread_path, strlen(t->c->unread_path));
		else
			wsi_put(w, "one of these");
		wsi_put(w, " could not be read: ");
		wsi_put(w, t->c->unread);
	}
}

static int tls_check_pin(struct wsi_tls *t, const mbedtls_x509_crt *crt)
{
	unsigned char hash[32];
	char text[WSI_BASE64_LEN(32)];
	int i, ret;

	ret = mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), crt->pk_raw.p,
	                 crt->pk_raw.len, hash);
	if (ret != 0)
		return ret;
	for (i = 0; i < t->c->pins_n && !t->pinned; i++)
		t->pinned = memcmp(hash, t->c->pins[i], 32) == 0;
	if (t->pinned)
		return 0;
	t->flags |= MBEDTLS_X509_BADCERT_OTHER;
	wsi_text_init(&t->cert_why, t->cert_why_buf, sizeof t->cert_why_buf);
	wsi_put(&t->cert_why, "the server's public key is not the pinned one but sha256//");
	wsi_put_n(&t->cert_why, text, wsi_base64_encode(text, hash, sizeof hash));
	return MBEDTLS_ERR_X509_FATAL_ERROR;
}

static void tls_remember_names(struct wsi_tls *t, const struct wsi_cert *c)
{
	struct wsi_text text;

	wsi_text_init(&text, t->subject, sizeof t->subject);
	wsi_put_dn(&text, c->subject.p, c->subject.len);
	wsi_text_init(&text, t->issuer, sizeof t->issuer);
	wsi_put_dn(&text, c->issuer.p, c->issuer.len);
}

static void tls_remember(struct wsi_tls *t, const mbedtls_x509_crt *crt)
{
	struct wsi_cert c;

	if (wsi_cert_read(&c, crt->raw.p, crt->raw.len) == 0)
		tls_remember_names(t, &c);
	t->not_after = tls_seconds(&crt->valid_to);
}

/* Begins the sentence on why the certificate does not hold, and makes it so */
static struct wsi_text *tls_refuse(struct wsi_tls *t)
{
	t->flags |= MBEDTLS_X509_BADCERT_OTHER;
	wsi_text_init(&t->cert_why, t->cert_why_buf, sizeof t->cert_why_buf);
	return &t->cert_why;
}

/* The library's verification callback, from the top of the chain down to the server's certificate (depth 0), whose
 * flags are the verdict. What is wrong with several certificates is told of the last one. */
static int tls_verify(void *ctx, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
	struct wsi_tls *t = ctx;
	const struct ws_tls *o = t->c->opt;
	int ret, n;

	if (crt->raw.p
	    == NULL) { /* mbedTLS has passed over the one that the server sent, and this stands in its place */
		wsi_put(tls_refuse(t), "the server's certificate is signed with an algorithm that "
		                       "this TLS library lacks");
		return MBEDTLS_ERR_X509_FATAL_ERROR;
	}
	*flags &= ~(uint32_t)MBEDTLS_X509_BADCERT_CN_MISMATCH; /* see tls_check_name */
	if (*flags != 0)
		tls_put_problem(t, crt, depth, *flags);
	t->flags |= *flags;
	*flags = 0;
	if (depth >= TLS_PATH_MAX || wsi_cert_read(&t->path[depth], crt->raw.p, crt->raw.len) != 0)
		return MBEDTLS_ERR_X509_FATAL_ERROR;
	if (depth >= t->path_n)
		t->path_n = depth + 1;
	if (depth > 0)
		return 0;
	n = t->path_n;
	t->path_n = 0;
	tls_remember(t, crt);
	if (!o->insecure_no_verify) {
		if (t->flags == 0 && wsi_chain_check_rules(t->path, n, &t->cert_why) != 0)
			t->flags |= MBEDTLS_X509_BADCERT_OTHER;
		if (!o->insecure_no_hostname)
			tls_check_name(t, crt);
	} else {
		t->flags = 0;
	}
	if (t->c->pins_n > 0 && (ret = tls_check_pin(t, crt)) != 0)
		return ret;
	t->verified = !o->insecure_no_verify && t->flags == 0;
	*flags = t->flags;
	return 0;
}

/* 0, or an error of mbedTLS: t->failed says why */
static int tls_search(struct wsi_tls *t, const struct wsi_cert *certs, int n)
{
	t->failed = tls_find_issuers(t->c, certs, n);
	return t->failed == 0 ? 0 : MBEDTLS_ERR_X509_FATAL_ERROR;
}

/* Before the chain is verified: what it may cost, and who may have issued it. n as of wsi_chain_read. 0; an error of
 * mbedTLS, also where we refuse it */
static int tls_look(struct wsi_tls *t, const struct wsi_cert *certs, int n)
{
	struct wsi_text why;
	char buf[sizeof t->cert_why_buf];

	if (n == 0) /* the library refuses it */
		return 0;
	wsi_text_init(&why, buf, sizeof buf);
	if (n < 0)
		wsi_put(&why, "the server sent certificates that cannot be read");
	else if (wsi_chain_check_cost(certs, n, &why) == 0)
		return t->c->opt->insecure_no_verify ? 0 : tls_search(t, certs, n);
	if (n > 0)
		tls_remember_names(t, &certs[0]);
	wsi_put(tls_refuse(t), buf);
	t->refused = 1;
	return MBEDTLS_ERR_X509_CERT_VERIFY_FAILED;
}

#if TLS_HOLDS
/* Verifies the chain of TLS 1.3 that the library took in unseen. It hands it out as const, and wants to verify one that is
 * not, so this is a copy. */
static int tls_judge_copy(struct wsi_tls *t, mbedtls_x509_crt *copy)
{
	const mbedtls_x509_crt *x = mbedtls_ssl_get_peer_cert(&t->ssl);
	struct wsi_cert certs[WSI_CHAIN_MAX];
	uint32_t flags;
	int n = 0, ret;

	for (; x != NULL && n >= 0; x = x->next) {
		if (n < WSI_CHAIN_MAX && wsi_cert_read(&certs[n], x->raw.p, x->raw.len) != 0)
			n = -1;
		else
			n++;
	}
	ret = tls_look(t, certs, n);
	for (x = mbedtls_ssl_get_peer_cert(&t->ssl); x != NULL && ret == 0; x = x->next)
		ret = mbedtls_x509_crt_parse_der(copy, x->raw.p, x->raw.len);
	if (ret != 0 || n == 0) /* no certificate: see tls_settle */
		return ret;
	ret = mbedtls_x509_crt_verify_with_profile(copy, &t->c->cas, NULL, &tls_profile, NULL,
	                                           &flags, tls_verify, t);
	if (ret == 0 && !t->c->opt->insecure_no_verify
	    && mbedtls_x509_crt_check_key_usage(copy, MBEDTLS_X509_KU_DIGITAL_SIGNATURE) != 0) {
		t->verified = 0;
		t->flags |= MBEDTLS_X509_BADCERT_KEY_USAGE;
		tls_put_problem(t, copy, 0, t->flags);
		ret = MBEDTLS_ERR_X509_CERT_VERIFY_FAILED;
	}
	return ret;
}

/* The handshake is over for the library: now the verdict, and then what was held back goes out. 0, or an error of mbedTLS */
static int tls_judge_held(struct wsi_tls *t)
{
	mbedtls_x509_crt copy;
	ptrdiff_t n;
	int ret;

	if (!t->looked) {
		t->looked = 1;
		mbedtls_x509_crt_init(&copy);
		ret = tls_judge_copy(t, &copy);
		mbedtls_x509_crt_free(&copy);
		if (ret != 0)
			return ret;
	}
	while (t->held_sent < t->held_len) {
		n = t->io.io_write(t->io.io, t->held + t->held_sent, t->held_len - t->held_sent);
		if (n <= 0)
			return tls_io_error(t, n);
		t->held_sent += (size_t)n;
	}
	t->holding = 0;
	return 0;
}
#endif

/* ---- A session ---- */

/* Keeps what the library wants to send until the server is verified: see the top */
static int tls_hold(struct wsi_tls *t, const unsigned char *buf, size_t len)
{
	unsigned char *p = wsi_alloc(&t->c->mem, t->held, t->held_len, t->held_len + len);

	if (p == NULL)
		return MBEDTLS_ERR_SSL_ALLOC_FAILED;
	memcpy(p + t->held_len, buf, len);
	t->held = p;
	t->held_len += len;
	return (int)len;
}

static int tls_send(void *ctx, const unsigned char *buf, size_t len)
{
	struct wsi_tls *t = ctx;
	ptrdiff_t n;

	if (t->holding) {
		t->out_left = 0;
		return tls_hold(t, buf, len);
	}
	n = t->io.io_write(t->io.io, buf, len);
	t->out_left = n > 0 ? len - (size_t)n : len;
	return n > 0 ? (int)n : tls_io_error(t, n);
}

static void tls_drop_chain(struct wsi_tls *t)
{
	if (t->chain != NULL)
		wsi_alloc(&t->c->mem, t->chain, t->chain_len, 0);
	t->chain = NULL;
}

/* A message begins, whose header is in message_head. 0, or an error of mbedTLS */
static int tls_message_begins(struct wsi_tls *t)
{
	const unsigned char *h = t->message_head;

	t->message_left = (size_t)h[1] << 16 | (size_t)h[2] << 8 | h[3];
	if (h[0] != MBEDTLS_SSL_HS_CERTIFICATE)
		return 0;
	if (t->message_left < 3 || t->message_left > TLS_CHAIN_BYTES_MAX) {
		t->looked = t->refused = 1;
		wsi_put(
		    tls_refuse(t),
		    t->message_left < 3
		        ? "the server sent certificates that cannot be read"
		        : "the server sent certificates of over 16 KiB, which is not supported");
		return MBEDTLS_ERR_X509_CERT_VERIFY_FAILED;
	}
	t->chain_n = 0;
	t->chain_len = t->message_left;
	t->chain = wsi_alloc(&t->c->mem, NULL, 0, t->chain_len);
	return t->chain != NULL ? 0 : MBEDTLS_ERR_SSL_ALLOC_FAILED;
}

/* The whole Certificate message is there, but for the library */
static int tls_chain_is_whole(struct wsi_tls *t)
{
	struct wsi_cert certs[WSI_CHAIN_MAX];
	int n = wsi_chain_read(certs, t->chain, t->chain_len), ret;

	if (n == 0) { /* mbedTLS 2.28 would go on with a certificate that has nothing in it */
		wsi_put(tls_refuse(t), "the server showed no certificate");
		t->refused = 1;
		ret = MBEDTLS_ERR_X509_CERT_VERIFY_FAILED;
	} else {
		ret = tls_look(t, certs, n);
	}
	if (ret == 0)
		wsi_chain_put_unknown(certs, n, &t->unknown);
	tls_drop_chain(t);
	t->looked = 1;
	return ret;
}

/* Collects the Certificate message out of the handshake's messages in the clear, however they lie in records. 0, or an
 * error of mbedTLS */
static int tls_collect(struct wsi_tls *t, const unsigned char *p, size_t len)
{
	size_t n;
	int ret;

	while (len > 0 && !t->looked) {
		if (t->message_head_n < 4) {
			t->message_head[t->message_head_n++] = *p++;
			len--;
			ret = t->message_head_n == 4 ? tls_message_begins(t) : 0;
			if (ret != 0)
				return ret;
		} else {
			n = len < t->message_left ? len : t->message_left;
			if (t->chain != NULL) {
				memcpy(t->chain + t->chain_n, p, n);
				t->chain_n += n;
			}
			t->message_left -= n;
			p += n;
			len -= n;
		}
		if (t->message_head_n == 4 && t->message_left == 0) {
			t->message_head_n = 0;
			if (t->chain != NULL)
				return tls_chain_is_whole(t);
		}
	}
	return 0;
}

/* A record begins, whose header is in t->record */
static void tls_record_begins(struct wsi_tls *t)
{
	t->record_left = (size_t)t->record[3] << 8 | t->record[4];
	t->plain |= memcmp(t->record, "HTTP/", 5) == 0;
	t->alert = -1;
#if TLS_HOLDS
	/* Only TLS 1.3 has such records in its handshake: the server's certificates are in them */
	if (t->record[0] == MBEDTLS_SSL_MSG_APPLICATION_DATA && !t->done && !t->looked
	    && t->c->opt->config == NULL) {
		mbedtls_ssl_conf_authmode(&t->conf, MBEDTLS_SSL_VERIFY_NONE);
		t->holding = 1;
	}
#endif
}

/* Looks over the records that come in. What is no record at all is HTTP more often than not; the library does not tell the
 * alert it got; and see the top. Only what is in the clear can be read: that is all that comes before the keys. 0, or an
 * error of mbedTLS */
static int tls_sniff(struct wsi_tls *t, const unsigned char *p, size_t len)
{
	size_t n;
	int ret = 0;

	while (len > 0 && ret == 0) {
		if (t->record_n < sizeof t->record) {
			t->record[t->record_n++] = *p++;
			len--;
			if (t->record_n == sizeof t->record)
				tls_record_begins(t);
		} else {
			n = len < t->record_left ? len : t->record_left;
			if (t->record[0] == MBEDTLS_SSL_MSG_ALERT && t->record[3] == 0
			    && t->record[4] == 2 && n == t->record_left)
				t->alert = p[n - 1];
			if (t->record[0] == MBEDTLS_SSL_MSG_HANDSHAKE && !t->done && !t->looked
			    && t->c->opt->config == NULL)
				ret = tls_collect(t, p, n);
			t->record_left -= n;
			p += n;
			len -= n;
		}
		if (t->record_n == sizeof t->record && t->record_left == 0)
			t->record_n = 0;
	}
	return ret;
}

static int tls_recv(void *ctx, unsigned char *buf, size_t len)
{
	struct wsi_tls *t = ctx;
	ptrdiff_t n = t->io.io_read(t->io.io, buf, len);
	int ret;

	if (n <= 0)
		return tls_io_error(t, n);
	ret = tls_sniff(t, buf, (size_t)n);
	return ret != 0 ? ret : (int)n;
}

#if MBEDTLS_VERSION_NUMBER >= 0x03000000 || defined(MBEDTLS_SSL_EXPORT_KEYS)
static void tls_keylog(struct wsi_tls *t, const char *label, const unsigned char random[32],
                       const unsigned char *secret, size_t len)
{
	struct wsi_text line;
	char buf[256];

	wsi_text_init(&line, buf, sizeof buf);
	wsi_put(&line, label);
	wsi_put_c(&line, ' ');
	tls_put_hex(&line, random, 32);
	wsi_put_c(&line, ' ');
	tls_put_hex(&line, secret, len);
	wsi_put_c(&line, '\n');
	if (!line.cut && write(t->c->keylog_fd, buf, line.len) < 0)
		return; /* a debugging aid must not stop the connection */
	mbedtls_platform_zeroize(buf, sizeof buf);
}
#endif

#if MBEDTLS_VERSION_NUMBER >= 0x03000000
static void tls_export(void *ctx, mbedtls_ssl_key_export_type type, const unsigned char *secret,
                       size_t len, const unsigned char client_random[32],
                       const unsigned char server_random[32], mbedtls_tls_prf_types prf)
{
	const char *label = NULL;

	(void)server_random;
	(void)prf;
	if (type == MBEDTLS_SSL_KEY_EXPORT_TLS12_MASTER_SECRET)
		label = "CLIENT_RANDOM";
#if defined(MBEDTLS_SSL_PROTO_TLS1_3)
	else if (type == MBEDTLS_SSL_KEY_EXPORT_TLS1_3_CLIENT_HANDSHAKE_TRAFFIC_SECRET)
		label = "CLIENT_HANDSHAKE_TRAFFIC_SECRET";
	else if (type == MBEDTLS_SSL_KEY_EXPORT_TLS1_3_SERVER_HANDSHAKE_TRAFFIC_SECRET)
		label = "SERVER_HANDSHAKE_TRAFFIC_SECRET";
	else if (type == MBEDTLS_SSL_KEY_EXPORT_TLS1_3_CLIENT_APPLICATION_TRAFFIC_SECRET)
		label = "CLIENT_TRAFFIC_SECRET_0";
	else if (type == MBEDTLS_SSL_KEY_EXPORT_TLS1_3_SERVER_APPLICATION_TRAFFIC_SECRET)
		label = "SERVER_TRAFFIC_SECRET_0";
#endif
	if (label != NULL)
		tls_keylog(ctx, label, client_random, secret, len);
}
#elif defined(MBEDTLS_SSL_EXPORT_KEYS)
static int tls_export(void *ctx, const unsigned char *secret, const unsigned char *kb,
                      size_t maclen, size_t keylen, size_t ivlen,
                      const unsigned char client_random[32], const unsigned char server_random[32],
                      mbedtls_tls_prf_types prf)
{
	(void)kb, (void)maclen, (void)keylen, (void)ivlen, (void)server_random, (void)prf;
	tls_keylog(ctx, "CLIENT_RANDOM", client_random, secret, 48);
	return 0;
}
#endif

static int tls_entropy(void *ctx, unsigned char *buf, size_t len)
{
	struct wsi_tls *t = ctx;

	t->entropy_rc = t->entropy(t->entropy_ctx, buf, len);
	return t->entropy_rc == 0 ? 0 : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

/* Before 4.0 all that is random for us comes from the program's entropy, but for what TLS 1.3 takes from PSA; that, and
 * all of 4.0, seeds itself and might wait for the system: so ask first whether there is any. */
static int tls_seed(struct wsi_tls *t)
{
#if MBEDTLS_VERSION_NUMBER < 0x04000000
	mbedtls_ssl_conf_rng(&t->conf, mbedtls_ctr_drbg_random, &t->drbg);
	return mbedtls_ctr_drbg_seed(&t->drbg, tls_entropy, t, NULL, 0);
#else
	unsigned char byte;

	return tls_entropy(t, &byte, 1);
#endif
}

static void tls_configure_versions(mbedtls_ssl_config *conf, int min, int max)
{
#if MBEDTLS_VERSION_NUMBER >= 0x03020000
	mbedtls_ssl_conf_min_tls_version(conf, min == 13 ? MBEDTLS_SSL_VERSION_TLS1_3
	                                                 : MBEDTLS_SSL_VERSION_TLS1_2);
	mbedtls_ssl_conf_max_tls_version(conf, max == 13 ? MBEDTLS_SSL_VERSION_TLS1_3
	                                                 : MBEDTLS_SSL_VERSION_TLS1_2);
#else
	(void)min, (void)max;
	mbedtls_ssl_conf_min_version(conf, MBEDTLS_SSL_MAJOR_VERSION_3,
	                             MBEDTLS_SSL_MINOR_VERSION_3);
	mbedtls_ssl_conf_max_version(conf, MBEDTLS_SSL_MAJOR_VERSION_3,
	                             MBEDTLS_SSL_MINOR_VERSION_3);
#endif
}

#if defined(MBEDTLS_SSL_PROTO_TLS1_3) && MBEDTLS_VERSION_NUMBER >= 0x03020000
/* mbedTLS 3.6.6 offers RSA-PSS, which TLS 1.3 wants, and then refuses it in a ServerKeyExchange of TLS 1.2 (Mbed-TLS issue
 * 10668). So PKCS #1, which TLS 1.3 does not use here, goes first, for servers that heed the client's order; and PSS is not
 * offered at all where TLS 1.2 is the most that is allowed. */
#define TLS_SIGNATURES_12                                                                          \
	MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256, MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384,      \
	    MBEDTLS_TLS1_3_SIG_ECDSA_SECP521R1_SHA512, MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA256,        \
	    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA384, MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA512
static const uint16_t tls_signatures_12[] = {TLS_SIGNATURES_12, MBEDTLS_TLS1_3_SIG_NONE};
static const uint16_t tls_signatures[] = {TLS_SIGNATURES_12, MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA256,
                                          MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA384,
                                          MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA512,
                                          MBEDTLS_TLS1_3_SIG_NONE};
#endif

static int tls_configure(struct wsi_tls *t, int same_origin)
{
	struct wsi_tls_config *c = t->c;
	mbedtls_ssl_config *conf = &t->conf;
	int ret;

	ret = mbedtls_ssl_config_defaults(conf, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
	                                  MBEDTLS_SSL_PRESET_DEFAULT);
	if (ret != 0)
		return ret;
	tls_configure_versions(conf, c->min, c->max);
#if defined(MBEDTLS_SSL_PROTO_TLS1_3) && MBEDTLS_VERSION_NUMBER >= 0x03020000
	mbedtls_ssl_conf_sig_algs(conf, c->max == 13 ? tls_signatures : tls_signatures_12);
#endif
	/* With OPTIONAL the library does not insist on key usage either; without a callback's verdict it accepts all */
	mbedtls_ssl_conf_authmode(conf, c->opt->insecure_no_verify ? MBEDTLS_SSL_VERIFY_OPTIONAL
	                                                           : MBEDTLS_SSL_VERIFY_REQUIRED);
	mbedtls_ssl_conf_ca_chain(conf, &c->cas, NULL);
	mbedtls_ssl_conf_verify(conf, tls_verify, t);
	mbedtls_ssl_conf_ciphersuites(conf, c->ciphers[0] != 0 ? c->ciphers : c->suites);
	mbedtls_ssl_conf_cert_profile(conf, &tls_profile);
	TLS_CONF_GROUPS(conf, tls_groups);
#if defined(MBEDTLS_SSL_RENEGOTIATION)
	mbedtls_ssl_conf_renegotiation(conf, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
#endif
#if defined(MBEDTLS_SSL_SESSION_TICKETS)
	mbedtls_ssl_conf_session_tickets(conf, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
#endif
#if defined(MBEDTLS_SSL_ALPN)
	t->alpn[0] = "http/1.1";
	ret = mbedtls_ssl_conf_alpn_protocols(conf, t->alpn);
#endif
	if (ret == 0 && c->has_own && same_origin)
		ret = mbedtls_ssl_conf_own_cert(conf, &c->own, &c->key);
	if (ret == 0)
		ret = tls_seed(t);
#if MBEDTLS_VERSION_NUMBER < 0x03000000 && defined(MBEDTLS_SSL_EXPORT_KEYS)
	if (c->keylog_fd >= 0)
		mbedtls_ssl_conf_export_keys_ext_cb(conf, tls_export, t);
#endif
	return ret;
}

static int tls_set_name(struct wsi_tls *t, struct wsi_str name)
{
	while (name.len > 0
	       && name.p[name.len - 1] == '.') /* the root's dot is part of no certificate */
		name.len--;
	if (name.len == 0 || name.len > TLS_NAME_MAX)
		return -1;
	memcpy(t->name, name.p, name.len);
	t->name[name.len] = 0;
	t->ip_len = wsi_ip_parse(t->ip, name.p, name.len);
	return 0;
}

static int tls_setup(struct wsi_tls *t, int same_origin)
{
	const mbedtls_ssl_config *conf = t->c->opt->config;
	int ret = 0;

	if (conf == NULL) {
		ret = tls_configure(t, same_origin);
		if (ret != 0)
			return ret;
		if (!TLS_PSA_INIT()) {
			t->entropy_rc = -1;
			return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
		}
		conf = &t->conf;
	}
	ret = mbedtls_ssl_setup(&t->ssl, conf);
	if (ret == 0) /* RFC 6066 3: SNI is for names, never for addresses */
		ret = mbedtls_ssl_set_hostname(&t->ssl, t->ip_len == 0 ? t->name : NULL);
	mbedtls_ssl_set_bio(&t->ssl, t, tls_send, tls_recv, NULL);
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
	if (ret == 0 && t->c->keylog_fd >= 0)
		mbedtls_ssl_set_export_keys_cb(&t->ssl, tls_export, t);
#endif
	return ret;
}

WSI int wsi_tls_new(struct wsi_tls **out, struct wsi_tls_config *c, const struct ws_io *io,
                    struct wsi_str name, int ip, int same_origin,
                    int (*entropy)(void *ctx, void *buf, size_t len), void *entropy_ctx,
                    struct wsi_text *why)
{
	struct wsi_tls *t = wsi_alloc(&c->mem, NULL, 0, sizeof *t);
	int ret;

	*out = NULL;
	if (t == NULL)
		return WS_EMEMORY;
	memset(t, 0, sizeof *t);
	t->c = c;
	t->io = *io;
	t->entropy = entropy;
	t->entropy_ctx = entropy_ctx;
	t->alert = -1;
	wsi_text_init(&t->cert_why, t->cert_why_buf, sizeof t->cert_why_buf);
	wsi_text_init(&t->unknown, t->unknown_buf, sizeof t->unknown_buf);
	mbedtls_ssl_init(&t->ssl);
	mbedtls_ssl_config_init(&t->conf);
#if MBEDTLS_VERSION_NUMBER < 0x04000000
	mbedtls_ctr_drbg_init(&t->drbg);
#endif
	(void)ip; /* wsi_ip_parse tells the same, for server_name too */
	if (c->opt->server_name != NULL && same_origin) {
		name.p = c->opt->server_name;
		name.len = strlen(name.p);
	}
	if (tls_set_name(t, name) != 0) {
		wsi_put(why, "the server's name is empty, or too long for TLS");
		wsi_tls_free(t);
		return WS_ETLS;
	}
	ret = tls_setup(t, same_origin);
	if (ret == 0) {
		*out = t;
		return 0;
	}
	if (t->entropy_rc > 0) {
		ret = WS_AGAIN;
	} else if (t->entropy_rc < 0) {
		wsi_put(why, "no random bytes to be had");
		ret = WS_EENTROPY;
	} else if (tls_no_memory(ret)) {
		ret = WS_EMEMORY;
	} else {
		tls_put_failure(why, ret);
		ret = WS_ETLS;
	}
	wsi_tls_free(t);
	return ret;
}

/* RFC 8446 6, RFC 5246 7.2: an alert's name, and what it means to who reads it */
static void tls_put_alert(struct wsi_text *why, int alert)
{
#define TLS_WANTS_CLIENT "it wants a client certificate, or another one"
#define TLS_DAMAGED "it could not read what we sent, or something between us changed it"
	static const struct {
		int code;
		const char *name, *meaning;
	} alerts[] = {
	    {0, "close_notify", "it ended the connection in the TLS handshake"},
	    {10, "unexpected_message",
	     "our message does not fit what it expects: it may not speak this version of TLS"},
	    {20, "bad_record_mac", TLS_DAMAGED},
	    {22, "record_overflow", TLS_DAMAGED},
	    {40, "handshake_failure",
	     "no cipher suite, curve or version in common, or it wants a client certificate"},
	    {42, "bad_certificate", TLS_WANTS_CLIENT},
	    {43, "unsupported_certificate", TLS_WANTS_CLIENT},
	    {44, "certificate_revoked", TLS_WANTS_CLIENT},
	    {45, "certificate_expired", TLS_WANTS_CLIENT},
	    {46, "certificate_unknown", TLS_WANTS_CLIENT},
	    {47, "illegal_parameter", "something that we offer is out of range for it"},
	    {48, "unknown_ca", TLS_WANTS_CLIENT},
	    {49, "access_denied", "it does not let this client certificate in"},
	    {50, "decode_error", TLS_DAMAGED},
	    {51, "decrypt_error",
	     "a signature or a key did not hold: perhaps that of the client certificate"},
	    {70, "protocol_version", "no TLS version in common"},
	    {71, "insufficient_security",
	     "no cipher suite, curve or version in common, or it wants a client certificate"},
	    {80, "internal_error", "something went wrong on the server: its log may say what"},
	    {86, "inappropriate_fallback", "it speaks a higher version of TLS than we offered"},
	    {90, "user_canceled", "it gave up"},
	    {109, "missing_extension", "it wants an extension of TLS that we do not send"},
	    {110, "unsupported_extension", "it does not accept an extension of TLS that we send"},
	    {112, "unrecognized_name", "it has no site of this name"},
	    {113, "bad_certificate_status_response",
	     "it does not accept the state of a certificate"},
	    {115, "unknown_psk_identity", "it does not know this client"},
	    {116, "certificate_required", TLS_WANTS_CLIENT},
	    {120, "no_application_protocol",
	     "it speaks none of the protocols that we offer in ALPN, which is http/1.1 alone: this "
	     "port is for another "
	     "one, "
	     "such as HTTP/2 without WebSockets, or MQTT"},
	};
	const char *name = NULL, *meaning = "which is not known here";
	size_t i;

	for (i = 0; i < sizeof alerts / sizeof alerts[0]; i++) {
		if (alerts[i].code == alert) {
			name = alerts[i].name;
			meaning = alerts[i].meaning;
		}
	}
	wsi_put(why, "the server sent the alert ");
	if (name != NULL)
		wsi_put(why, name);
	wsi_put_c(why, '(');
	wsi_put_u(why, (uint64_t)alert);
	wsi_put(why, "): ");
	wsi_put(why, meaning);
}

/* Why it ended, as a sentence's end; the error that it is */
static int tls_explain(const struct wsi_tls *t, int ret, struct wsi_text *why)
{
	const char *words;
	int eof = t->io_err == WS_IO_EOF;

	if (tls_no_memory(ret) || t->failed == WS_EMEMORY)
		return WS_EMEMORY;
	if (t->failed == WS_ETIMEOUT) {
		wsi_put(why, "timed out while looking for the issuer of the server's certificate");
		if (t->c->unread != NULL && *t->c->unread_path != 0) {
			wsi_put(why, " in ");
			tls_put_quoted(why, t->c->unread_path, strlen(t->c->unread_path));
		}
		return WSI_TLS_LATE;
	}
	if (t->flags != 0 && !t->done) {
		wsi_put(why, t->cert_why.p);
		return WS_ECERT;
	}
	if (t->io_err == WS_IO_ERROR) {
		wsi_put(why, "the transport failed");
		return WS_EIO;
	}
	words = wsi_tls_session_words(ret) == NULL ? wsi_tls_certificate_words(ret) : NULL;
	if (!t->done && t->io_err == 0 && words != NULL) {
		if (t->unknown.len > 0) {
			wsi_put(why, t->unknown.p);
		} else {
			wsi_put(why, "a certificate of the server cannot be read: ");
			wsi_put(why, words);
		}
		return WS_ECERT;
	}
	if (t->plain && !t->done) {
		wsi_put(why, "the server does not speak TLS here but HTTP: try ws://");
	} else if (ret == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE && t->alert >= 0) {
		tls_put_alert(why, t->alert);
	} else if (ret == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
		wsi_put(why, "the server sent a fatal alert");
		if (!t->got_data) /* TLS 1.3 refuses certificates after its handshake */
			wsi_put(why, t->c->has_own ? ": it may not accept the client certificate"
			                           : ": it may want a client certificate");
	} else if (t->io_err != 0) {
		wsi_put(why, eof ? "the server closed the connection" : "the connection was reset");
		wsi_put(why, t->done ? "" : " in the TLS handshake");
		return eof && !t->done ? WS_ETLS : WS_ERESET;
	} else if (ret == MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE && t->done) {
		wsi_put(why, "a TLS message that this library does not know here: perhaps a key "
		             "update of TLS 1.3");
	} else if (ret == MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION) {
		wsi_put(why, "the server speaks no TLS version that is allowed here");
	} else if (ret == MBEDTLS_ERR_SSL_INVALID_RECORD) {
		wsi_put(why, t->done ? "what came is no TLS record"
		                     : "the server does not speak TLS here");
	} else if (ret == MBEDTLS_ERR_SSL_INVALID_MAC) {
		wsi_put(why, "a TLS record was damaged on the way");
	} else {
		tls_put_failure(why, ret);
#if MBEDTLS_VERSION_NUMBER >= 0x03060000 && MBEDTLS_VERSION_NUMBER < 0x04000000
		if (ret == MBEDTLS_ERR_SSL_ILLEGAL_PARAMETER && !t->done) /* see tls_signatures */
			wsi_put(why,
			        ": with a server of TLS 1.2 it may help to allow no newer version");
#endif
	}
	return WS_ETLS;
}

/* With a program's own settings the library has verified as they say; what it could not is left to us */
static int tls_check_foreign(struct wsi_tls *t)
{
#if defined(MBEDTLS_SSL_KEEP_PEER_CERTIFICATE)
	const mbedtls_x509_crt *crt = mbedtls_ssl_get_peer_cert(&t->ssl);

	if (crt != NULL) {
		tls_remember(t, crt);
		if (t->ip_len > 0
		    && !t->c->opt
		            ->insecure_no_hostname) /* it was not told the address: it would be SNI */
			tls_check_name(t, crt);
		if (t->flags == 0 && t->c->pins_n > 0)
			return tls_check_pin(t, crt);
	}
#else
	if (t->ip_len > 0 && !t->c->opt->insecure_no_hostname) {
		t->flags |= MBEDTLS_X509_BADCERT_OTHER;
		wsi_put(&t->cert_why,
		        "this TLS library keeps no certificate, so its address cannot be checked");
	}
#endif
	return 0;
}

/* The library's answer, made stricter where it is not ours that has been asked */
static int tls_settle(struct wsi_tls *t, int ret)
{
	const struct ws_tls *o = t->c->opt;

	if (ret == 0 && o->config != NULL)
		ret = tls_check_foreign(t);
	if (ret == 0 && t->flags == 0
	    && ((t->c->pins_n > 0 && !t->pinned)
	        || (o->config == NULL && !o->insecure_no_verify && !t->verified))) {
		t->flags =
		    MBEDTLS_X509_BADCERT_OTHER; /* a handshake without certificate, or one that is not to be had */
		wsi_put(&t->cert_why, "the server showed no certificate");
	}
	if ((ret == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED || ret == MBEDTLS_ERR_SSL_BAD_CERTIFICATE)
	    && t->flags == 0) {
		t->flags = mbedtls_ssl_get_verify_result(
		    &t->ssl); /* of checks that come after the callback: key usage */
		if (t->flags == 0 || t->flags == (uint32_t)-1)
			t->flags = MBEDTLS_X509_BADCERT_OTHER;
		tls_put_problem(t, NULL, 0, t->flags);
	}
	if (ret == MBEDTLS_ERR_X509_FATAL_ERROR && t->flags == 0 && t->failed == 0) {
		t->flags = MBEDTLS_X509_BADCERT_OTHER;
		wsi_put(&t->cert_why, "the chain of the server's certificate is too long");
	}
	return ret == 0 && t->flags != 0 ? MBEDTLS_ERR_X509_CERT_VERIFY_FAILED : ret;
}

WSI int wsi_tls_handshake(struct wsi_tls *t, int64_t until_us, struct wsi_text *why)
{
	struct wsi_text cipher;
	unsigned char rest[256];
	int i, ret = t->err;

	t->c->until_us = until_us;
	if (ret == 0)
		ret = mbedtls_ssl_handshake(&t->ssl);
#if TLS_HOLDS
	if (ret == 0 && t->holding)
		ret = tls_judge_held(t);
#endif
	if (ret == MBEDTLS_ERR_SSL_WANT_READ)
		return WS_IO_READ;
	if (ret == MBEDTLS_ERR_SSL_WANT_WRITE)
		return WS_IO_WRITE;
	/* Who refuses our certificate says so and hangs up, and then it is our write that fails */
	for (i = 0;
	     ret != 0 && t->io_err == WS_IO_RESET && i < 16 && tls_recv(t, rest, sizeof rest) > 0;
	     i++)
		if (t->alert >= 0)
			ret = MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE;
	if (t->refused
	    && !t->holding) /* the library knows nothing of it, so it did not tell the server */
		(void)mbedtls_ssl_send_alert_message(&t->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
		                                     MBEDTLS_SSL_ALERT_MSG_BAD_CERT);
	t->err = tls_settle(t, ret);
	if (t->err != 0) {
		t->gone = 1;
		t->verified = 0;
		return tls_explain(t, t->err, why);
	}
	t->done = 1;
	wsi_text_init(&cipher, t->cipher, sizeof t->cipher);
	tls_put_iana(&cipher, mbedtls_ssl_get_ciphersuite(&t->ssl));
	return 0;
}

/* What mbedtls_ssl_read or _write returned, as a transport's */
static ptrdiff_t tls_result(struct wsi_tls *t, int ret)
{
	if (ret > 0)
		return ret;
	if (ret == MBEDTLS_ERR_SSL_WANT_READ)
		return WS_IO_READ;
	if (ret == MBEDTLS_ERR_SSL_WANT_WRITE)
		return WS_IO_WRITE;
	if (ret == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
		return WS_IO_EOF;
	t->gone = 1;
	t->err = ret;
	return t->io_err == WS_IO_EOF || t->io_err == WS_IO_RESET ? WS_IO_RESET : WS_IO_ERROR;
}

WSI ptrdiff_t wsi_tls_read(void *io, void *buf, size_t len)
{
	struct wsi_tls *t = io;
	ptrdiff_t n = WS_IO_READ;
	int i, ret;

	if (t->end != 0) /* the library must not be asked again */
		return t->end;
	/* A peer that sends nothing but what brings no bytes must not keep us here: wsi_tls_pending tells of more */
	for (i = 0; i < 16; i++) {
		ret = mbedtls_ssl_read(&t->ssl, buf, len);
#if defined(MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET)
		if (ret == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET)
			continue;
#endif
		if (ret == 0 && t->io_err == 0) /* a record without bytes */
			continue;
		n = tls_result(t, ret);
		t->got_data |= n > 0;
		break;
	}
	if (n < 0 && n != WS_IO_READ && n != WS_IO_WRITE)
		t->end = n;
	return n;
}

WSI ptrdiff_t wsi_tls_write(void *io, const void *buf, size_t len)
{
	struct wsi_tls *t = io;
	unsigned char none;
	int ret, flush;

	if (t->gone)
		return t->err != 0 && t->io_err == 0 ? WS_IO_ERROR : WS_IO_RESET;
	do {
		/* With bytes left in its buffer the library writes those and takes that for the data given. They may be
		 * of an alert, or the data may have grown since. */
		flush = t->out_left > 0 && t->unsent == 0;
		ret = mbedtls_ssl_write(&t->ssl, buf,
		                        t->unsent > 0 && t->unsent < len ? t->unsent : len);
	} while (ret > 0 && flush);
	t->unsent =
	    ret == MBEDTLS_ERR_SSL_WANT_WRITE && !flush ? (t->unsent > 0 ? t->unsent : len) : 0;
	/* A server of TLS 1.3 that refuses the client's certificate says so and hangs up: why may be there to be read.
	 * To read 0 bytes takes a record in and none of its data out. */
	if (t->io_err == WS_IO_RESET
	    && mbedtls_ssl_read(&t->ssl, &none, 0) == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
		ret = MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE;
		t->io_err = 0;
		t->end = WS_IO_ERROR;
	}
	return tls_result(t, ret);
}

WSI size_t wsi_tls_pending(const struct wsi_tls *t)
{
	size_t n = mbedtls_ssl_get_bytes_avail(&t->ssl);

	return n == 0 && mbedtls_ssl_check_pending(&t->ssl) ? 1 : n;
}

WSI int wsi_tls_why(const struct wsi_tls *t, struct wsi_text *why)
{
	return tls_explain(t, t->err, why);
}

WSI void wsi_tls_goodbye(struct wsi_tls *t)
{
	if (!t->done || t->gone)
		return;
	t->gone = 1;
	(void)mbedtls_ssl_close_notify(&t->ssl);
}

WSI void wsi_tls_report(const struct wsi_tls *t, struct ws_report *r)
{
	r->tls_version = t->done ? mbedtls_ssl_get_version(&t->ssl) : "";
	r->tls_cipher = t->cipher;
	r->cert_subject = t->subject;
	r->cert_issuer = t->issuer;
	r->cert_not_after = t->not_after;
	r->tls_verified = t->verified;
}

WSI void wsi_tls_free(struct wsi_tls *t)
{
	struct wsi_mem mem;

	if (t == NULL)
		return;
	mem = t->c->mem;
	tls_drop_chain(t);
	if (t->held != NULL)
		wsi_alloc(&mem, t->held, t->held_len, 0);
	mbedtls_ssl_free(&t->ssl);
	mbedtls_ssl_config_free(&t->conf);
#if MBEDTLS_VERSION_NUMBER < 0x04000000
	mbedtls_ctr_drbg_free(&t->drbg);
#endif
	wsi_alloc(&mem, t, sizeof *t, 0);
}

WSI const char *wsi_tls_version(void)
{
	return WS_VERSION " mbedTLS/" MBEDTLS_VERSION_STRING;
}
#endif
