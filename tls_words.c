/* SPDX-License-Identifier: ISC
 * tls_words.c - layer 2: what mbedTLS's error numbers mean, in words for a person
 *
 * Three questions of tls.c are answered here: what is wrong with a certificate or key, what went wrong in a session, and
 * what a file holds in place of what was wanted. Numbers whose meaning would help nobody are not here: tls.c shows these.
 */
#include "ws_tls.h"

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

/* Of a certificate or a key: "its ... ", as a sentence's end */
static const struct tls_words tls_certificate_words[] = {
    {MBEDTLS_ERR_X509_FEATURE_UNAVAILABLE,
     "it needs a feature that this TLS library does not support"},
    {MBEDTLS_ERR_X509_UNKNOWN_OID, "it names an algorithm that this TLS library lacks"},
    {MBEDTLS_ERR_X509_INVALID_FORMAT, "it is damaged, or no certificate"},
    {MBEDTLS_ERR_X509_CERT_UNKNOWN_FORMAT, "it is damaged, or no certificate"},
    {MBEDTLS_ERR_X509_INVALID_VERSION, "its version is invalid"},
    {MBEDTLS_ERR_X509_UNKNOWN_VERSION, "its version is none of 1 to 3"},
    {MBEDTLS_ERR_X509_INVALID_SERIAL, "its serial number is invalid"},
    {MBEDTLS_ERR_X509_INVALID_ALG, "its signature's algorithm is invalid"},
    {MBEDTLS_ERR_X509_INVALID_NAME, "one of its names is invalid"},
    {MBEDTLS_ERR_X509_INVALID_DATE, "its dates are invalid"},
    {MBEDTLS_ERR_X509_INVALID_SIGNATURE, "its signature is invalid"},
    {MBEDTLS_ERR_X509_INVALID_EXTENSIONS,
     "one of its extensions is invalid, or is critical and not supported by this TLS library"},
    {MBEDTLS_ERR_X509_UNKNOWN_SIG_ALG,
     "it is signed with an algorithm that this TLS library lacks"},
    {MBEDTLS_ERR_X509_SIG_MISMATCH, "it names two algorithms for its one signature"},
#if MBEDTLS_VERSION_NUMBER < 0x04000000
    {MBEDTLS_ERR_PK_KEY_INVALID_VERSION, "its key is of an unknown version"},
    {MBEDTLS_ERR_PK_KEY_INVALID_FORMAT, "its key is damaged"},
    {MBEDTLS_ERR_PK_INVALID_PUBKEY, "its public key is invalid"},
    {MBEDTLS_ERR_PK_INVALID_ALG, "its key's algorithm is invalid"},
    {MBEDTLS_ERR_PK_UNKNOWN_PK_ALG,
     "its key is of a kind that this TLS library lacks (it knows RSA and ECDSA)"},
    {MBEDTLS_ERR_PK_UNKNOWN_NAMED_CURVE,
     "its key is on an elliptic curve that this TLS library lacks"},
    {MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE, "its key needs a feature that this TLS library lacks"},
    {MBEDTLS_ERR_ECP_FEATURE_UNAVAILABLE,
     "its key is on an elliptic curve that this TLS library lacks"},
    {MBEDTLS_ERR_ECP_INVALID_KEY, "its key is invalid"},
    {MBEDTLS_ERR_ECP_BAD_INPUT_DATA, "its key is invalid"},
    {MBEDTLS_ERR_RSA_BAD_INPUT_DATA, "its key is invalid"},
    {MBEDTLS_ERR_RSA_KEY_CHECK_FAILED, "its key is invalid"},
    {MBEDTLS_ERR_PEM_INVALID_DATA, "its PEM text is damaged"},
    {MBEDTLS_ERR_PEM_NO_HEADER_FOOTER_PRESENT, "its PEM text is cut off"},
#endif
};

/* Of a session: whole clauses */
static const struct tls_words tls_session_words[] = {
    {MBEDTLS_ERR_SSL_FEATURE_UNAVAILABLE, "the server chose what this TLS library lacks"},
    {MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE, "the server sent a TLS message out of turn"},
    {MBEDTLS_ERR_SSL_UNEXPECTED_RECORD, "the server sent a TLS record out of turn"},
    {MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL,
     "the server sent a TLS message that is larger than this TLS library takes"},
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
    {MBEDTLS_ERR_SSL_UNKNOWN_CIPHER, "the server chose a cipher suite that this TLS library lacks"},
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

/* An error can be the sum of two layers': that of the higher one, or the whole where there is but one */
static int tls_high_code(int ret)
{
	int high = -(-ret & 0xff80);

	return high != 0 ? high : ret;
}

WSI const char *wsi_tls_certificate_words(int ret)
{
	return tls_find_words(tls_certificate_words,
	                      sizeof tls_certificate_words / sizeof tls_certificate_words[0],
	                      tls_high_code(ret));
}

WSI const char *wsi_tls_session_words(int ret)
{
	return tls_find_words(tls_session_words,
	                      sizeof tls_session_words / sizeof tls_session_words[0],
	                      tls_high_code(ret));
}

WSI int wsi_tls_lacks_cipher(int ret)
{
#if MBEDTLS_VERSION_NUMBER < 0x04000000
	switch (tls_high_code(ret)) {
	case MBEDTLS_ERR_PEM_UNKNOWN_ENC_ALG:
	case MBEDTLS_ERR_PEM_FEATURE_UNAVAILABLE:
	case MBEDTLS_ERR_PKCS5_FEATURE_UNAVAILABLE:
	case MBEDTLS_ERR_PKCS12_FEATURE_UNAVAILABLE:
	case MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE:
	case MBEDTLS_ERR_PK_UNKNOWN_PK_ALG:
		return 1;
	default:
		return 0;
	}
#else
	(void)ret;
	return 1;
#endif
}

WSI const char *wsi_tls_file_words(const unsigned char *buf, size_t len, int want_key)
{
	/* PFX ::= SEQUENCE { version INTEGER (3), ... }, its length in the long form (RFC 7292 4) */
	static const unsigned char pfx_version[] = {0x02, 0x01, 0x03};
	const char *text = (const char *)buf;
	int certificate = strstr(text, "-----BEGIN CERTIFICATE-----") != NULL;
	int key = strstr(text, " PRIVATE KEY-----") != NULL;

	if (len == 0)
		return "it is empty";
	if (len > 7 && buf[0] == 0x30 && (buf[1] & 0x80)
	    && memcmp(buf + 2 + (buf[1] & 3), pfx_version, 3) == 0)
		return "it is PKCS #12, which is not read here: openssl pkcs12 -nodes makes PEM of "
		       "it";
	if (buf[0] == 0x30) /* DER, of whatever it is */
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
#endif
