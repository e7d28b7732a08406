/* SPDX-License-Identifier: ISC
 * ws_tls.h - internal: TLS over any transport, and the certificates that it trusts. Only for builds
 * with mbedTLS.
 */
#ifndef WS_TLS_H
#define WS_TLS_H
#include "ws_net.h"

#ifdef WS_WITH_MBEDTLS

/* trust.c: certificates in files and directories, PEM or DER, without any TLS library */
struct wsi_trust {
	int (*take)(void *ctx, const unsigned char *der,
	            size_t len); /* one certificate as it stands; not 0: enough */
	void *ctx;
	int64_t until_us; /* by wsi_clock_us; WSI_NEVER: no limit */
	int seen, stop;   /* certificates met; take said enough */
	int again;        /* what was opened can be read again: it is no pipe */
	const char *
	    unread; /* why the first file of a directory, or place of a bundle, was left out; NULL: none was */
};
/* 0; WS_EMEMORY; -1 or WS_ETIMEOUT: *cause says why */
WSI int wsi_trust_scan(struct wsi_trust *t, const struct wsi_mem *mem, const char *path,
                       int want_dir, const char **cause);
/* The first of the places where distributions keep them that has one. 0; WS_EMEMORY, WS_ETIMEOUT */
WSI int wsi_trust_system(struct wsi_trust *t, const struct wsi_mem *mem);
/* Its length, less than cap; -1 or WS_ETIMEOUT: *cause says why */
WSI ptrdiff_t wsi_read_file(const char *path, void *buf, size_t cap, int64_t until_us,
                            const char **cause);

/* chain.c: the rules of a chain of certificates that the TLS library does not check; bytes alone,
 * without any TLS library. What refuses puts a clause in why: "the server's certificate has ..." */
struct wsi_der {
	const unsigned char *p;
	size_t len;
};
struct wsi_cert {                       /* parts of a certificate, which lie in its DER */
	struct wsi_der issuer, subject; /* with their headers */
	struct wsi_der key;             /* content of SubjectPublicKeyInfo */
	struct wsi_der extensions;      /* content of Extensions; empty: there are none */
};
#define WSI_CHAIN_MAX 10 /* certificates that a server may send */

/* der.c */
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
/* An object identifier as a constant: its bytes, which may be zero */
#define WSI_OID(bytes)                                                                             \
	{                                                                                          \
		(const unsigned char *)(bytes), sizeof(bytes) - 1                                  \
	}
WSI int wsi_der_equal(const struct wsi_der *a, const struct wsi_der *b);
WSI int wsi_der_next(struct wsi_der *in, int *tag, struct wsi_der *content);
WSI int wsi_der_take(struct wsi_der *in, int want, struct wsi_der *content);
WSI int wsi_cert_extension_next(struct wsi_der *list, struct wsi_der *oid, int *critical,
                                struct wsi_der *value);

/* RFC 5280 4.2.1: the last number of 2.5.29.x */
enum wsi_extension {
	WSI_EXT_ALTERNATIVE_NAMES = 17,
	WSI_EXT_NAME_CONSTRAINTS = 30,
	WSI_EXT_POLICIES = 32,
	WSI_EXT_POLICY_MAPPINGS = 33,
	WSI_EXT_POLICY_CONSTRAINTS = 36,
	WSI_EXT_EXTENDED_KEY_USAGE = 37,
	WSI_EXT_INHIBIT_ANY_POLICY = 54
};
WSI int wsi_cert_read(struct wsi_cert *c, const unsigned char *der,
                      size_t len); /* 0; -1: it is none */
/* 1: it has the extension, whose content is *value; 0: it has not; -1: its extensions cannot be
 * read */
WSI int wsi_cert_extension(const struct wsi_cert *c, int id, int *critical, struct wsi_der *value);
/* A Name with its header, as "C=XX, O=Some CA, CN=Its name" */
WSI void wsi_put_dn(struct wsi_text *t, const unsigned char *name, size_t len);
/* The body of a Certificate message of TLS 1.2: how many certificates it has (certs has the first
 * WSI_CHAIN_MAX), the server's first; -1: it cannot be read */
WSI int wsi_chain_read(struct wsi_cert certs[WSI_CHAIN_MAX], const unsigned char *message,
                       size_t len);
/* 0; -1: it may be costly to verify. n as of wsi_chain_read */
WSI int wsi_chain_check_cost(const struct wsi_cert *certs, int n, struct wsi_text *why);
/* path: a verified chain, from the server's certificate to the trusted one. 0; -1: it breaks a rule
 */
WSI int wsi_chain_check_rules(const struct wsi_cert *path, int n, struct wsi_text *why);
/* The first critical extension that mbedTLS does not know; nothing if there is none. n <=
 * WSI_CHAIN_MAX */
WSI void wsi_chain_put_unknown(const struct wsi_cert *certs, int n, struct wsi_text *why);
/* The Name of a certificate's subject, with its header; NULL: there is none */
WSI const unsigned char *wsi_der_subject(const unsigned char *p, size_t n, size_t *len);
/* 1: these Names are equal, or might be: their bytes are but for case and the kinds of strings */
WSI int wsi_der_may_equal(const unsigned char *a, size_t a_len, const unsigned char *b,
                          size_t b_len);

/* tls_words.c: what an error of mbedTLS means; NULL: it would help nobody */
WSI const char *wsi_tls_certificate_words(
    int ret); /* "its dates are invalid", of a certificate or a key */
WSI const char *wsi_tls_session_words(int ret); /* "the server ... ", a whole clause */
WSI int wsi_tls_lacks_cipher(int ret); /* 1: the key may be encrypted with what the library lacks */
/* What the file holds in place of a certificate or key; NULL: nothing else that we know. buf[len]
 * is 0 */
WSI const char *wsi_tls_file_words(const unsigned char *buf, size_t len, int want_key);

/* tls.c. Two objects: the settings, parsed once per struct ws and found wrong before connecting; a
 * session, one per connection, over any transport. */
struct wsi_tls_config;
struct wsi_tls;
/* 0; WS_EUSAGE: *option is the field's name ("tls.ca_file"), why a sentence's end that names value
 * and cause; WS_ETIMEOUT: likewise, a file was not read to its end at until_us (by wsi_clock_us);
 * WS_EMEMORY. The system's bundle is not read here but when a session needs it. */
WSI int wsi_tls_config_new(struct wsi_tls_config **out, const struct wsi_mem *mem,
                           const struct ws_tls *tls, int64_t until_us, const char **option,
                           struct wsi_text *why);
WSI void wsi_tls_config_free(struct wsi_tls_config *c);
/* name: for SNI and verification, unless tls.server_name is set and same_origin; ip: 4 or 16 if it
 * is an address, 0 a name. same_origin 0: no client certificate, no server_name of the options. io:
 * copied; it must outlive the session. 0; WS_AGAIN: entropy said "not yet", call again later;
 * WS_EENTROPY, WS_ETLS, WS_EMEMORY.
 */
WSI int wsi_tls_new(struct wsi_tls **out, struct wsi_tls_config *c, const struct ws_io *io,
                    struct wsi_str name, int ip, int same_origin,
                    int (*entropy)(void *ctx, void *buf, size_t len), void *entropy_ctx,
                    struct wsi_text *why);
/* 0; WS_IO_READ, WS_IO_WRITE; WS_ETLS, WS_ECERT, WS_ERESET, WS_EIO, WS_EMEMORY, or WSI_TLS_LATE (at
 * until_us, by wsi_clock_us, it was still looking for trusted certificates): why is a sentence's
 * end */
enum { WSI_TLS_LATE = 1 };
WSI int wsi_tls_handshake(struct wsi_tls *t, int64_t until_us, struct wsi_text *why);
/* As a transport: io is the struct wsi_tls. WS_IO_EOF: the peer said close_notify; WS_IO_RESET: it
 * ended without, which in mid message is an error (it may be cut off by anyone) and after the close
 * frame is not; WS_IO_ERROR: see wsi_tls_why. A write that came to WS_IO_WRITE must be tried again
 * with the same bytes, more may follow them. */
WSI ptrdiff_t wsi_tls_read(void *io, void *buf, size_t len);
WSI ptrdiff_t wsi_tls_write(void *io, const void *buf, size_t len);
WSI size_t
wsi_tls_pending(const struct wsi_tls *t); /* bytes read and decrypted that poll knows nothing of */
/* After WS_IO_ERROR: WS_ETLS, WS_EIO (the transport's own), WS_EMEMORY (of which there is no more
 * to say) */
WSI int wsi_tls_why(const struct wsi_tls *t, struct wsi_text *why);
WSI void wsi_tls_goodbye(struct wsi_tls *t); /* close_notify, once, not awaited */
WSI void wsi_tls_report(const struct wsi_tls *t,
                        struct ws_report *r); /* the fields of TLS; strings live with t */
WSI void wsi_tls_free(struct wsi_tls *t);
WSI const char *wsi_tls_version(void); /* WS_VERSION " mbedTLS/2.28.3" */

#endif
#endif
