/* SPDX-License-Identifier: ISC
 * tls_words.c - errors and alerts of TLS in words for a person
 *
 * Three questions are answered here: what is wrong with a certificate or key, what went wrong in a
 * session, and what a file holds in place of what was wanted. Error numbers whose meaning would not
 * help a user are not in the tables; wsi_tls_put_code shows the number.
 */
#include "ws_mbedtls.h"

#ifdef WS_WITH_MBEDTLS
#include <string.h>
#include <mbedtls/version.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509.h>
#if MBEDTLS_VERSION_NUMBER < 0x04000000
#include <mbedtls/ecp.h>
#include <mbedtls/pem.h>
#include <mbedtls/pk.h>
#include <mbedtls/pkcs12.h>
#include <mbedtls/pkcs5.h>
#include <mbedtls/rsa.h>
#endif

struct tls_words {
	int code;
	const char *words;
};

/* For a certificate or a key: the end of a sentence, "its ..." */
static const struct tls_words tls_certificate_words[] = {
    {MBEDTLS_ERR_X509_FEATURE_UNAVAILABLE,
     "it needs a feature that " TLS_LIBRARY " does not support"},
    {MBEDTLS_ERR_X509_UNKNOWN_OID, "it names an algorithm that " TLS_LIBRARY " lacks"},
    {MBEDTLS_ERR_X509_INVALID_FORMAT, "it is damaged, or no certificate"},
    {MBEDTLS_ERR_X509_CERT_UNKNOWN_FORMAT, "it is damaged, or no certificate"},
    {MBEDTLS_ERR_X509_INVALID_VERSION, "its version is invalid"},
    {MBEDTLS_ERR_X509_UNKNOWN_VERSION, "its version is not 1, 2 or 3"},
    {MBEDTLS_ERR_X509_INVALID_SERIAL, "its serial number is invalid"},
    {MBEDTLS_ERR_X509_INVALID_ALG, "its signature's algorithm is invalid"},
    {MBEDTLS_ERR_X509_INVALID_NAME, "one of its names is invalid"},
    {MBEDTLS_ERR_X509_INVALID_DATE, "its dates are invalid"},
    {MBEDTLS_ERR_X509_INVALID_SIGNATURE, "its signature is invalid"},
    {MBEDTLS_ERR_X509_INVALID_EXTENSIONS,
     "one of its extensions is invalid, or is critical and not supported by " TLS_LIBRARY ""},
    {MBEDTLS_ERR_X509_UNKNOWN_SIG_ALG, "it is signed with an algorithm that " TLS_LIBRARY " lacks"},
    {MBEDTLS_ERR_X509_SIG_MISMATCH, "it names two algorithms for its one signature"},
#if MBEDTLS_VERSION_NUMBER < 0x04000000
    {MBEDTLS_ERR_PK_KEY_INVALID_VERSION, "its key is of an unknown version"},
    {MBEDTLS_ERR_PK_KEY_INVALID_FORMAT, "its key is damaged"},
    {MBEDTLS_ERR_PK_INVALID_PUBKEY, "its public key is invalid"},
    {MBEDTLS_ERR_PK_INVALID_ALG, "its key's algorithm is invalid"},
    {MBEDTLS_ERR_PK_UNKNOWN_PK_ALG,
     "its key is of a kind that " TLS_LIBRARY " lacks (it knows RSA and ECDSA)"},
    {MBEDTLS_ERR_PK_UNKNOWN_NAMED_CURVE,
     "its key is on an elliptic curve that " TLS_LIBRARY " lacks"},
    {MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE, "its key needs a feature that " TLS_LIBRARY " lacks"},
    {MBEDTLS_ERR_ECP_FEATURE_UNAVAILABLE,
     "its key is on an elliptic curve that " TLS_LIBRARY " lacks"},
    {MBEDTLS_ERR_ECP_INVALID_KEY, "its key is invalid"},
    {MBEDTLS_ERR_ECP_BAD_INPUT_DATA, "its key is invalid"},
    {MBEDTLS_ERR_RSA_BAD_INPUT_DATA, "its key is invalid"},
    {MBEDTLS_ERR_RSA_KEY_CHECK_FAILED, "its key is invalid"},
    {MBEDTLS_ERR_PEM_INVALID_DATA, "its PEM text is damaged"},
    {MBEDTLS_ERR_PEM_NO_HEADER_FOOTER_PRESENT, "its PEM text is cut off"},
#endif
};

/* For a session: whole clauses */
static const struct tls_words tls_session_words[] = {
    {MBEDTLS_ERR_SSL_FEATURE_UNAVAILABLE, "the server chose a feature that " TLS_LIBRARY " lacks"},
    {MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE, "the server sent a TLS message out of turn"},
    {MBEDTLS_ERR_SSL_UNEXPECTED_RECORD, "the server sent a TLS record out of turn"},
    {MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL,
     "the server sent a TLS message that is larger than " TLS_LIBRARY " takes"},
    {MBEDTLS_ERR_SSL_PK_TYPE_MISMATCH,
     "the key in the server's certificate is of another kind than the cipher suite wants"},
    {MBEDTLS_ERR_SSL_COUNTER_WRAPPING, "this TLS session is too long: its keys are used up"},
    {MBEDTLS_ERR_SSL_BAD_CONFIG, "the TLS settings do not go together"},
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    {MBEDTLS_ERR_SSL_DECODE_ERROR, "the server sent a TLS message that cannot be read"},
    {MBEDTLS_ERR_SSL_ILLEGAL_PARAMETER,
     "the server sent a TLS message with a value that is not allowed"},
    {MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE,
     "there is no cipher suite, curve or signature that both the server and this side accept"},
    {MBEDTLS_ERR_SSL_UNSUPPORTED_EXTENSION,
     "the server answered with a TLS extension that was not offered"},
    {MBEDTLS_ERR_SSL_NO_APPLICATION_PROTOCOL,
     "the server chose an application protocol (ALPN) that was not offered"},
#else
    {MBEDTLS_ERR_SSL_NO_CIPHER_CHOSEN, "the server chose a cipher suite that was not offered"},
    {MBEDTLS_ERR_SSL_UNKNOWN_CIPHER, "the server chose a cipher suite that " TLS_LIBRARY " lacks"},
    {MBEDTLS_ERR_SSL_BAD_HS_SERVER_HELLO,
     "the server's ServerHello message is invalid, or answers what was not offered"},
    {MBEDTLS_ERR_SSL_BAD_HS_CERTIFICATE_REQUEST,
     "the server's CertificateRequest message is invalid"},
    {MBEDTLS_ERR_SSL_BAD_HS_SERVER_KEY_EXCHANGE,
     "the server's ServerKeyExchange message is invalid, or has a curve or signature that was not "
     "offered"},
    {MBEDTLS_ERR_SSL_BAD_HS_SERVER_HELLO_DONE, "the server's ServerHelloDone message is invalid"},
    {MBEDTLS_ERR_SSL_BAD_HS_CHANGE_CIPHER_SPEC, "the server's ChangeCipherSpec message is invalid"},
    {MBEDTLS_ERR_SSL_BAD_HS_FINISHED,
     "the server's Finished message is wrong: the handshake was changed on the way"},
    {MBEDTLS_ERR_SSL_BAD_HS_NEW_SESSION_TICKET, "the server's NewSessionTicket message is invalid"},
#endif
#if MBEDTLS_VERSION_NUMBER < 0x04000000
    {MBEDTLS_ERR_ECP_VERIFY_FAILED,
     "the server's signature is wrong: it may not have the key of its certificate"},
    {MBEDTLS_ERR_RSA_VERIFY_FAILED,
     "the server's signature is wrong: it may not have the key of its certificate"},
    {MBEDTLS_ERR_RSA_INVALID_PADDING,
     "the server's signature is wrong: it may not have the key of its certificate"},
    {MBEDTLS_ERR_PK_SIG_LEN_MISMATCH,
     "the server's signature has a length that is wrong for its key"},
    {MBEDTLS_ERR_ECP_INVALID_KEY, "the server's key for this session is invalid"},
    {MBEDTLS_ERR_ECP_BAD_INPUT_DATA, "the server's key or signature for this session is invalid"},
#endif
};

static const char *tls_find_words(const struct tls_words *table, size_t n, int code)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (table[i].code == code)
			return table[i].words;
	return NULL;
}

/* An error may be the sum of the errors of two layers. This is that of the higher one. */
static int tls_high_code(int ret)
{
	return -(-ret & 0xff80);
}

const char *wsi_tls_certificate_words(int ret)
{
	return tls_find_words(tls_certificate_words,
	                      sizeof tls_certificate_words / sizeof tls_certificate_words[0],
	                      tls_high_code(ret));
}

const char *wsi_tls_session_words(int ret)
{
	return tls_find_words(tls_session_words,
	                      sizeof tls_session_words / sizeof tls_session_words[0],
	                      tls_high_code(ret));
}

bool wsi_tls_lacks_cipher(int ret)
{
#if MBEDTLS_VERSION_NUMBER < 0x04000000
	switch (tls_high_code(ret)) {
	case MBEDTLS_ERR_PEM_UNKNOWN_ENC_ALG:
	case MBEDTLS_ERR_PEM_FEATURE_UNAVAILABLE:
	case MBEDTLS_ERR_PKCS5_FEATURE_UNAVAILABLE:
	case MBEDTLS_ERR_PKCS12_FEATURE_UNAVAILABLE:
	case MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE:
	case MBEDTLS_ERR_PK_UNKNOWN_PK_ALG:
		return true;
	default:
		return false;
	}
#else
	(void)ret;
	return true;
#endif
}

const char *wsi_tls_file_words(const unsigned char *buf, size_t len, bool want_key)
{
	/* PFX ::= SEQUENCE { version INTEGER (3), ... }, its length in the long form (RFC 7292 4)
	 */
	static const unsigned char pfx_version[] = {0x02, 0x01, 0x03};
	const char *text = (const char *)buf;
	bool certificate = strstr(text, "-----BEGIN CERTIFICATE-----") != NULL;
	bool key = strstr(text, " PRIVATE KEY-----") != NULL;

	if (len == 0)
		return "it is empty";
	if (len > 7 && buf[0] == 0x30 && (buf[1] & 0x80)
	    && memcmp(buf + 2 + (buf[1] & 3), pfx_version, 3) == 0)
		return "it is PKCS #12, which is not read here: openssl pkcs12 -nodes makes PEM of "
		       "it";
	if (buf[0] == 0x30) /* some DER */
		return NULL;
	if (strstr(text, "-----BEGIN ") == NULL)
		return "it is neither PEM nor DER";
	if (strstr(text, "-----BEGIN OPENSSH PRIVATE KEY-----") != NULL && want_key)
		return "its key is in OpenSSH's own format: ssh-keygen -p -m PEM converts it";
	if (want_key && !key)
		return certificate ? "it has a certificate, but no private key"
		                   : "no private key in it";
	if (!want_key && !certificate)
		return key ? "it has a private key, but no certificate" : "no certificate in it";
	return NULL;
}

/* Sentences */

void wsi_tls_put_hex(struct wsi_text *t, const unsigned char *p, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < len; i++) {
		wsi_put_c(t, digits[p[i] >> 4]);
		wsi_put_c(t, digits[p[i] & 15]);
	}
}

void wsi_tls_put_quoted(struct wsi_text *t, const void *p, size_t len)
{
	wsi_put_c(t, '"');
	wsi_put_safe(t, p, len);
	wsi_put_c(t, '"');
}

void wsi_tls_put_code(struct wsi_text *t, int ret)
{
	unsigned char code[2] = {(unsigned char)(-ret >> 8), (unsigned char)-ret};
#if defined(MBEDTLS_ERROR_C)
	char text[128];

	mbedtls_strerror(ret, text, sizeof text);
	wsi_put(t, text);
	wsi_put_c(t, ' ');
#endif
	wsi_put(t, "(mbedTLS -0x");
	wsi_tls_put_hex(t, code, 2);
	wsi_put_c(t, ')');
}

void wsi_tls_put_failure(struct wsi_text *why, int ret)
{
	const char *words = wsi_tls_session_words(ret);

	if (words)
		wsi_put(why, words);
	else
		wsi_tls_put_code(why, ret);
}

/* The alerts of TLS (RFC 8446 6, RFC 5246 7.2), and what each means to the reader */
#define TLS_WANTS_CLIENT "it wants a client certificate, or another one"
#define TLS_DAMAGED "it could not read what we sent, or something between us changed it"
static const struct {
	int code;
	const char *name, *meaning;
} tls_alerts[] = {
    {0, "close_notify", "it ended the connection in the TLS handshake"},
    {10, "unexpected_message",
     "our message does not fit what it expects: it may not speak this version of TLS"},
    {20, "bad_record_mac", TLS_DAMAGED},
    {22, "record_overflow", TLS_DAMAGED},
    {40, "handshake_failure",
     "no cipher suite, curve or version in common, or it wants a client certificate, or its own "
     "certificate has a kind of key that " TLS_LIBRARY
     " lacks, such as Ed25519 (RSA and ECDSA work)"},
    {42, "bad_certificate", TLS_WANTS_CLIENT},
    {43, "unsupported_certificate", TLS_WANTS_CLIENT},
    {44, "certificate_revoked", TLS_WANTS_CLIENT},
    {45, "certificate_expired", TLS_WANTS_CLIENT},
    {46, "certificate_unknown", TLS_WANTS_CLIENT},
    {47, "illegal_parameter", "something that we offer is out of range for it"},
    {48, "unknown_ca", TLS_WANTS_CLIENT},
    {49, "access_denied", "it does not grant access with this client certificate"},
    {50, "decode_error", TLS_DAMAGED},
    {51, "decrypt_error",
     "a signature or a key did not hold: perhaps that of the client certificate"},
#if TLS_MAX < 13
    {70, "protocol_version",
     "no TLS version in common: it may want TLS 1.3, which " TLS_LIBRARY
     " lacks and mbedTLS 3.6 has"},
#else
    {70, "protocol_version", "no TLS version in common"},
#endif
    {71, "insufficient_security",
     "no cipher suite, curve or version in common, or it wants a client certificate"},
    {80, "internal_error", "something went wrong on the server: its log may say what"},
    {86, "inappropriate_fallback", "it speaks a higher version of TLS than we offered"},
    {90, "user_canceled", "it gave up"},
    {109, "missing_extension", "it wants an extension of TLS that we do not send"},
    {110, "unsupported_extension", "it does not accept an extension of TLS that we send"},
    {112, "unrecognized_name", "it has no site of this name"},
    {113, "bad_certificate_status_response", "it does not accept the status of a certificate"},
    {115, "unknown_psk_identity", "it does not know this client"},
    {116, "certificate_required", TLS_WANTS_CLIENT},
    {120, "no_application_protocol",
     "it speaks none of the protocols that we offer in ALPN, which is http/1.1 alone: this "
     "port is for another one, such as HTTP/2 without WebSockets, or MQTT"},
};

void wsi_tls_put_alert(struct wsi_text *why, int alert)
{
	const char *name = NULL, *meaning = "which is not known here";
	size_t i;

	for (i = 0; i < sizeof tls_alerts / sizeof tls_alerts[0]; i++) {
		if (tls_alerts[i].code == alert) {
			name = tls_alerts[i].name;
			meaning = tls_alerts[i].meaning;
		}
	}
	wsi_put(why, "the server sent the alert ");
	if (name)
		wsi_put(why, name);
	wsi_put_c(why, '(');
	wsi_put_u(why, (uint64_t)alert);
	wsi_put(why, "): ");
	wsi_put(why, meaning);
}

/* Wrong options */

int wsi_tls_bad(const struct wsi_tls_wrong *w, const char *option, const char *value,
                const char *cause)
{
	*w->option = option;
	if (value) {
		wsi_tls_put_quoted(w->why, value, strlen(value));
		wsi_put(w->why, ": ");
	}
	wsi_put(w->why, cause);
	return WS_EUSAGE;
}

int wsi_tls_bad_file(const struct wsi_tls_wrong *w, const char *option, const char *path,
                     ptrdiff_t r, const char *cause)
{
	(void)wsi_tls_bad(w, option, path, cause);
	if (r == WS_ETIMEOUT || r == WS_EIO)
		return (int)r;
	return WS_EUSAGE;
}

int wsi_tls_bad_code(const struct wsi_tls_wrong *w, const char *option, const char *path,
                     const char *what, int ret)
{
	const char *words = wsi_tls_certificate_words(ret);

	if (wsi_tls_no_memory(ret))
		return WS_EMEMORY;
	(void)wsi_tls_bad(w, option, path, what);
	wsi_put(w->why, ": ");
	if (words)
		wsi_put(w->why, words);
	else
		wsi_tls_put_code(w->why, ret);
	return WS_EUSAGE;
}
#endif
