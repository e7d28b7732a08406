/* SPDX-License-Identifier: ISC
 * ws_tls.h - internal: TLS over any transport, and the certificates that it trusts
 *
 * Only for builds with mbedTLS, whose names do not occur here: ws_mbedtls.h has what the TLS files
 * share. A function that appends to `why` writes the end of a sentence. The caller writes its
 * beginning, such as the name of an option or "TLS handshake with 127.0.0.1:443: ".
 */
#ifndef WS_TLS_H
#define WS_TLS_H
#include "ws_net.h"

#ifdef WS_WITH_MBEDTLS

/* trust.c: certificates in files and directories, PEM or DER */
struct wsi_trust {
	/* Called for each certificate, in DER. A result other than 0 ends the scan. */
	int (*take)(void *ctx, const unsigned char *der, size_t len);
	void *ctx;
	/* By wsi_clock_us. WSI_NEVER: no limit. */
	int64_t until_us;
	/* Certificates found so far. */
	int seen;
	/* take has ended the scan. */
	bool stop;
	/* The file can be read a second time, since it is not a pipe. */
	bool again;
	/* Why the first file of a directory, or the first bundle, could not be read. NULL: all could. */
	const char *unread;
	/* For one of them no descriptor was free. */
	bool no_fd;
};
/* 0; WS_EMEMORY; -1 or WS_ETIMEOUT with the reason in *cause. */
WSI int wsi_trust_scan(struct wsi_trust *t, const struct wsi_mem *mem, const char *path,
                       bool want_dir, const char **cause);
/* Reads the system's bundle, from the first usual place that has one. 0, WS_EMEMORY, WS_ETIMEOUT. */
WSI int wsi_trust_system(struct wsi_trust *t, const struct wsi_mem *mem);
/* True: the errno means that no descriptor was free for open(2). */
WSI bool wsi_trust_is_no_fd(int system_errno);
/* The file's length, which is less than cap; -1, WS_ETIMEOUT or WS_EIO (no descriptor was free) with
 * the reason in *cause. */
WSI ptrdiff_t wsi_read_file(const struct wsi_mem *mem, const char *path, void *buf, size_t cap,
                            int64_t until_us, const char **cause);

/* der.c: the parts of a certificate (RFC 5280). Slices point into its bytes. */
struct wsi_der {
	const unsigned char *p;
	size_t len;
};
struct wsi_cert {
	/* Both with their headers. */
	struct wsi_der issuer, subject;
	/* Content of SubjectPublicKeyInfo. */
	struct wsi_der key;
	/* Content of Extensions. Empty: the certificate has none. */
	struct wsi_der extensions;
};
enum wsi_der_tag {
	WSI_DER_BOOLEAN = 0x01,
	WSI_DER_INTEGER = 0x02,
	WSI_DER_BIT_STRING = 0x03,
	WSI_DER_OCTET_STRING = 0x04,
	WSI_DER_OID = 0x06,
	WSI_DER_SEQUENCE = 0x30,
	WSI_DER_SET = 0x31,
	WSI_DER_VERSION = 0xa0,   /* [0] of TBSCertificate */
	WSI_DER_EXTENSIONS = 0xa3 /* [3] of TBSCertificate */
};
/* RFC 5280 4.2.1: the last number of 2.5.29.x. */
enum wsi_extension {
	WSI_EXT_ALTERNATIVE_NAMES = 17,
	WSI_EXT_NAME_CONSTRAINTS = 30,
	WSI_EXT_POLICIES = 32,
	WSI_EXT_POLICY_MAPPINGS = 33,
	WSI_EXT_POLICY_CONSTRAINTS = 36,
	WSI_EXT_EXTENDED_KEY_USAGE = 37,
	WSI_EXT_INHIBIT_ANY_POLICY = 54
};
/* An object identifier as a constant. Its bytes may be zero. */
#define WSI_OID(bytes)                                                                             \
	{                                                                                          \
		(const unsigned char *)(bytes), sizeof(bytes) - 1                                  \
	}
WSI bool wsi_der_equal(const struct wsi_der *a, const struct wsi_der *b);
/* Takes the first element off `in`; its content is *content. 0; -1: there is no whole element. */
WSI int wsi_der_next(struct wsi_der *in, int *tag, struct wsi_der *content);
/* The same for an element with this tag. -1: `in` is unchanged. */
WSI int wsi_der_take(struct wsi_der *in, int want, struct wsi_der *content);
/* Takes the next extension off the list. 1; 0: there are no more; -1: it cannot be read. */
WSI int wsi_cert_extension_next(struct wsi_der *list, struct wsi_der *oid, int *critical,
                                struct wsi_der *value);
/* 0; -1: der is not a certificate. */
WSI int wsi_cert_read(struct wsi_cert *c, const unsigned char *der, size_t len);
/* 1: the certificate has the extension, whose content is *value; 0: it does not; -1: its extensions
 * cannot be read. */
WSI int wsi_cert_extension(const struct wsi_cert *c, int id, int *critical, struct wsi_der *value);
/* Appends a Name, given with its header, as "C=XX, O=Some CA, CN=Its name". */
WSI void wsi_put_dn(struct wsi_text *t, const unsigned char *name, size_t len);
/* The Name of a certificate's subject, with its header. NULL: it cannot be read. */
WSI const unsigned char *wsi_der_subject(const unsigned char *p, size_t n, size_t *len);
/* True: the Names are equal but for case and kinds of strings. Every pair that a TLS library takes for
 * equal is. */
WSI bool wsi_der_may_equal(const unsigned char *a, size_t a_len, const unsigned char *b,
                           size_t b_len);

/* chain.c: rules for a chain of certificates that the TLS library does not check. n is what
 * wsi_chain_read returned. */
#define WSI_CHAIN_MAX 10 /* certificates that a server may send */
/* Reads the body of a Certificate message of TLS 1.2. Returns how many certificates it has, of which
 * certs gets the first WSI_CHAIN_MAX, the server's first. -1: it cannot be read. */
WSI int wsi_chain_read(struct wsi_cert certs[WSI_CHAIN_MAX], const unsigned char *message,
                       size_t len);
/* 0; -1: the chain may be costly to verify. */
WSI int wsi_chain_check_cost(const struct wsi_cert *certs, int n, struct wsi_text *why);
/* path: a verified chain, from the server's certificate to the trusted one. 0; -1: it breaks a
 * rule. */
WSI int wsi_chain_check_rules(const struct wsi_cert *path, int n, struct wsi_text *why);
/* Names the first critical extension that mbedTLS does not support, if there is one.
 * n <= WSI_CHAIN_MAX. */
WSI void wsi_chain_put_unknown(const struct wsi_cert *certs, int n, struct wsi_text *why);

/* tls_words.c. NULL: the error is not one that a user could understand. */
/* For a certificate or a key: "its dates are invalid". */
WSI const char *wsi_tls_certificate_words(int ret);
/* For a session: a whole clause, "the server ...". */
WSI const char *wsi_tls_session_words(int ret);
/* True: a key may be encrypted with a cipher that mbedTLS does not support. */
WSI bool wsi_tls_lacks_cipher(int ret);
/* What the file contains instead of a certificate or key. NULL: nothing else that we recognise.
 * buf[len] is 0. */
WSI const char *wsi_tls_file_words(const unsigned char *buf, size_t len, bool want_key);

/* tls_config.c: the TLS options of a program, read once for each struct ws_conn, so that mistakes are
 * found before connecting */
struct wsi_tls_config;
/* 0; WS_EUSAGE: *option is the field's name ("tls.ca_file"), why names the value and the reason;
 * WS_ETIMEOUT: likewise, a file could not be read before until_us (by wsi_clock_us); WS_EIO: likewise,
 * no descriptor was free for it; WS_EMEMORY. The system's bundle is read later, when a session needs
 * it. */
WSI int wsi_tls_config_new(struct wsi_tls_config **out, const struct wsi_mem *mem,
                           const struct ws_tls *tls, int64_t until_us, const char **option,
                           struct wsi_text *why);
WSI void wsi_tls_config_free(struct wsi_tls_config *c);

/* tls_trust.c: the work of ws_trust_new, ws_trust_free and ws_trust_errmsg */
WSI struct ws_trust *wsi_tls_trust_new(const struct wsi_mem *mem, const struct ws_tls *tls,
                                       int64_t until_us);
WSI void wsi_tls_trust_drop(struct ws_trust *s);
WSI const char *wsi_tls_trust_why(const struct ws_trust *s);

/* tls.c: a session over a transport, one for each connection */
struct wsi_tls;
/* name: the server's, for SNI and verification, unless tls.server_name is set. ip: 4 or
 * 16 if the name is a numeric address of that many bytes, else 0. Without same_origin neither
 * tls.server_name nor the client certificate is used. io is copied. 0; WS_AGAIN: no random bytes
 * yet, call again later; WS_EENTROPY, WS_ETLS, WS_EMEMORY. */
WSI int wsi_tls_new(struct wsi_tls **out, struct wsi_tls_config *c, const struct ws_io *io,
                    struct wsi_str name, int ip, int same_origin,
                    int (*entropy)(void *ctx, void *buf, size_t len), void *entropy_ctx,
                    struct wsi_text *why);
/* until_us (by wsi_clock_us) passed during the search for trusted certificates. */
enum { WSI_TLS_LATE = 1 };
/* 0; WS_IO_READ, WS_IO_WRITE: call again; WS_ETLS, WS_ECERT, WS_ERESET, WS_EIO, WS_EMEMORY, or
 * WSI_TLS_LATE. */
WSI int wsi_tls_handshake(struct wsi_tls *t, int64_t until_us, struct wsi_text *why);
/* True: bytes have come from the server. */
WSI bool wsi_tls_answered(const struct wsi_tls *t);
/* What a sentence asks if none have. */
#define WSI_TLS_DOUBT "does this port speak TLS (wss://)?"
/* The functions of a transport; io is the struct wsi_tls. WS_IO_EOF: the peer sent close_notify.
 * WS_IO_RESET: the connection ended without it. In the middle of a message that is an error, since
 * anyone on the path can cut a connection; after the close frame it is not. WS_IO_ERROR: see
 * wsi_tls_why. After WS_IO_WRITE the same bytes must be written again; more may follow them. */
WSI ptrdiff_t wsi_tls_read(void *io, void *buf, size_t len);
WSI ptrdiff_t wsi_tls_write(void *io, const void *buf, size_t len);
/* Decrypted bytes that poll does not know of. */
WSI size_t wsi_tls_pending(const struct wsi_tls *t);
/* After WS_IO_ERROR: WS_ETLS, WS_EIO (the transport failed), or WS_EMEMORY, which has no sentence. */
WSI int wsi_tls_why(const struct wsi_tls *t, struct wsi_text *why);
/* Sends close_notify once, without waiting for an answer. */
WSI void wsi_tls_goodbye(struct wsi_tls *t);
/* Sets the report's fields about TLS. Their strings live as long as t. */
WSI void wsi_tls_report(const struct wsi_tls *t, struct ws_report *r);
WSI void wsi_tls_free(struct wsi_tls *t);
/* WS_VERSION and " mbedTLS/2.28.3". */
WSI const char *wsi_tls_version(void);

#endif
#endif
