/* SPDX-License-Identifier: ISC
 * tls.c - a TLS session over any transport
 *
 * The files that know mbedTLS, each of which uses only those below it:
 *
 *	tls.c            the session
 *	tls_wire.c       the bytes between mbedTLS and the transport
 *	tls_verdict.c    whether the server's certificate holds, and why not
 *	tls_config.c     the options
 *	tls_trust.c      the trusted certificates, also those that connections share
 *	tls_words.c      errors and alerts in words
 *	tls_port.c       what differs between versions of mbedTLS
 *
 * Before a chain is verified its cost is bounded (chain.c).
 *
 * TLS 1.2: mbedTLS gets the last byte of the Certificate message only after that check. Then
 * mbedTLS verifies the chain, and its verdict counts.
 *
 * TLS 1.3: mbedTLS has to read the message without verifying the chain, because the server still
 * has to prove that it has the key of its certificate. Then we verify the chain, and only after
 * that we send what was held back. So nothing that depends on the peer (client certificate,
 * Finished) is sent to one that was not verified.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "ws_mbedtls.h"

#ifdef WS_WITH_MBEDTLS
#include <string.h>
#include <time.h>
#include <unistd.h>

#if MBEDTLS_VERSION_NUMBER >= 0x03000000 || defined(MBEDTLS_SSL_EXPORT_KEYS)
static void tls_keylog(struct wsi_tls *t, const char *label, const unsigned char random[32],
                       const unsigned char *secret, size_t len)
{
	struct wsi_text line;
	char buf[256];

	wsi_text_init(&line, buf, sizeof buf);
	wsi_put(&line, label);
	wsi_put_c(&line, ' ');
	wsi_tls_put_hex(&line, random, 32);
	wsi_put_c(&line, ' ');
	wsi_tls_put_hex(&line, secret, len);
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
	if (label)
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

/* Before mbedTLS 4.0 our random bytes come from the program's entropy, except those that TLS 1.3
 * takes from PSA. PSA, and all of 4.0, seeds itself and may block until the system has random
 * bytes. So this asks first whether it has. */
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
/* mbedTLS 3.6.6 offers RSA-PSS, which TLS 1.3 needs, and then refuses it in a ServerKeyExchange of
 * TLS 1.2 (Mbed-TLS issue 10668). So PKCS #1, which TLS 1.3 does not use here, is first in the
 * list, for servers that follow the client's order. PSS is not offered if TLS 1.2 is the highest
 * version allowed. */
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
	/* With OPTIONAL mbedTLS accepts every chain, whatever its key usage. The callback's verdict
	 * decides. */
	mbedtls_ssl_conf_authmode(conf, c->opt->insecure_no_verify ? MBEDTLS_SSL_VERIFY_OPTIONAL
	                                                           : MBEDTLS_SSL_VERIFY_REQUIRED);
	mbedtls_ssl_conf_ca_chain(conf, &c->cas, NULL);
	mbedtls_ssl_conf_verify(conf, wsi_tls_verify, t);
	mbedtls_ssl_conf_ciphersuites(conf, c->ciphers[0] != 0 ? c->ciphers : c->suites);
	mbedtls_ssl_conf_cert_profile(conf, wsi_tls_get_profile());
	wsi_tls_set_groups(conf);
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
	name = wsi_drop_dots(name);
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

	if (!conf) {
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
	mbedtls_ssl_set_bio(&t->ssl, t, wsi_tls_send, wsi_tls_recv, NULL);
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
	if (ret == 0 && t->c->keylog_fd >= 0)
		mbedtls_ssl_set_export_keys_cb(&t->ssl, tls_export, t);
#endif
	return ret;
}

int wsi_tls_new(struct wsi_tls **out, struct wsi_tls_config *c, const struct ws_io *io,
                struct wsi_str name, int ip, int same_origin,
                int (*entropy)(void *ctx, void *buf, size_t len), void *entropy_ctx,
                struct wsi_text *why)
{
	struct wsi_tls *t = wsi_alloc(&c->mem, NULL, 0, sizeof *t);
	int ret;

	*out = NULL;
	if (!t)
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
	(void)ip; /* wsi_ip_parse finds the same, also for server_name */
	if (c->opt->server_name && same_origin) {
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
		wsi_put(why, "no random bytes available");
		ret = WS_EENTROPY;
	} else if (wsi_tls_no_memory(ret)) {
		ret = WS_EMEMORY;
	} else {
		wsi_tls_put_failure(why, ret);
		ret = WS_ETLS;
	}
	wsi_tls_free(t);
	return ret;
}

/* The session or the handshake ended because the transport did. */
static int tls_explain_end(const struct wsi_tls *t, struct wsi_text *why)
{
	if (t->io_err == WS_IO_EOF)
		wsi_put(why, "the server closed the connection");
	else
		wsi_put(why, "the connection was reset");
	if (t->done)
		return WS_ERESET;
	wsi_put(why, " in the TLS handshake");
	if (!t->answered)
		wsi_put(why, " without an answer; " WSI_TLS_DOUBT);
	return t->io_err == WS_IO_EOF ? WS_ETLS : WS_ERESET;
}

static void tls_explain_alert(const struct wsi_tls *t, struct wsi_text *why)
{
	if (t->alert >= 0) {
		wsi_tls_put_alert(why, t->alert);
		return;
	}
	wsi_put(why, "the server sent a fatal alert");
	if (t->got_data)
		return;
	/* TLS 1.3 refuses certificates after its handshake. */
	if (t->c->has_own)
		wsi_put(why, ": it may not accept the client certificate");
	else
		wsi_put(why, ": it may want a client certificate");
}

/* An error of mbedTLS that is neither an alert nor the transport's. */
static void tls_explain_code(const struct wsi_tls *t, int ret, struct wsi_text *why)
{
	if (ret == MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE && t->done) {
		wsi_put(why,
		        "a TLS message that this library does not know here: perhaps a key update "
		        "of TLS 1.3");
	} else if (ret == MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION) {
		wsi_put(why, "the server speaks no TLS version that is allowed here");
	} else if (ret == MBEDTLS_ERR_SSL_INVALID_RECORD && t->done) {
		wsi_put(why, "what came is not a TLS record");
	} else if (ret == MBEDTLS_ERR_SSL_INVALID_RECORD) {
		wsi_put(why, "the server does not speak TLS here");
	} else if (ret == MBEDTLS_ERR_SSL_INVALID_MAC) {
		wsi_put(why, "a TLS record was damaged on the way");
	} else {
		wsi_tls_put_failure(why, ret);
#if MBEDTLS_VERSION_NUMBER >= 0x03060000 && MBEDTLS_VERSION_NUMBER < 0x04000000
		if (ret == MBEDTLS_ERR_SSL_ILLEGAL_PARAMETER && !t->done) /* see tls_signatures */
			wsi_put(why,
			        ": with a server of TLS 1.2 it may help to allow no newer version");
#endif
	}
}

static int tls_explain_late(const struct wsi_tls *t, struct wsi_text *why)
{
	wsi_put(why, "timed out while looking for the issuer of the server's certificate");
	if (t->c->unread && *t->c->unread_path) {
		wsi_put(why, " in ");
		wsi_tls_put_quoted(why, t->c->unread_path, strlen(t->c->unread_path));
	}
	return WSI_TLS_LATE;
}

/* mbedTLS could not read a certificate of the server. */
static int tls_explain_certificate(const struct wsi_tls *t, const char *words, struct wsi_text *why)
{
	if (t->unknown.len > 0) {
		wsi_put(why, t->unknown.p);
	} else {
		wsi_put(why, "a certificate of the server cannot be read: ");
		wsi_put(why, words);
	}
	return WS_ECERT;
}

static void tls_explain_transport(const struct wsi_tls *t, struct wsi_text *why)
{
	const char *own = t->io.io_error ? t->io.io_error(t->io.io) : NULL;

	if (own && *own)
		wsi_put_safe(why, own, strlen(own));
	else
		wsi_put(why, "the transport failed");
}

/* Why the session ended, as a sentence's end. Returns the error that this makes. */
static int tls_explain(const struct wsi_tls *t, int ret, struct wsi_text *why)
{
	const char *words = wsi_tls_certificate_words(ret);

	if (wsi_tls_no_memory(ret) || t->failed == WS_EMEMORY)
		return WS_EMEMORY;
	if (t->failed == WS_ETIMEOUT)
		return tls_explain_late(t, why);
	if (t->flags != 0 && !t->done) {
		wsi_put(why, t->cert_why.p);
		return WS_ECERT;
	}
	if (t->io_err == WS_IO_ERROR) {
		tls_explain_transport(t, why);
		return WS_EIO;
	}
	if (!t->done && t->io_err == 0 && words && !wsi_tls_session_words(ret))
		return tls_explain_certificate(t, words, why);
	if (t->plain && !t->done)
		wsi_put(why, "the server does not speak TLS here but HTTP: try ws://");
	else if (ret == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE)
		tls_explain_alert(t, why);
	else if (t->io_err != 0)
		return tls_explain_end(t, why);
	else
		tls_explain_code(t, ret, why);
	return WS_ETLS;
}

/* With a program's own settings mbedTLS has verified what they ask for. The rest is checked
 * here. */
static int tls_check_foreign(struct wsi_tls *t)
{
#if defined(MBEDTLS_SSL_KEEP_PEER_CERTIFICATE)
	const mbedtls_x509_crt *crt = mbedtls_ssl_get_peer_cert(&t->ssl);

	if (crt) {
		wsi_tls_remember(t, crt);
		if (t->ip_len > 0
		    && !t->c->opt
		            ->insecure_no_hostname) /* mbedTLS did not get the address: it would send it as SNI */
			wsi_tls_check_name(t, crt);
		if (t->flags == 0 && t->c->pins_n > 0)
			return wsi_tls_check_pin(t, crt);
	}
#else
	if (t->ip_len > 0 && !t->c->opt->insecure_no_hostname) {
		t->flags |= MBEDTLS_X509_BADCERT_OTHER;
		wsi_put(&t->cert_why,
		        TLS_LIBRARY " keeps no certificate, so its address cannot be checked");
	}
#endif
	return 0;
}

/* The result of the handshake. ret is that of mbedTLS, which may not have checked everything. */
static int tls_settle(struct wsi_tls *t, int ret)
{
	const struct ws_tls *o = t->c->opt;

	if (ret == 0 && o->config)
		ret = tls_check_foreign(t);
	if (ret == 0 && t->flags == 0
	    && ((t->c->pins_n > 0 && !t->pinned)
	        || (!o->config && !o->insecure_no_verify && !t->verified))) {
		t->flags =
		    MBEDTLS_X509_BADCERT_OTHER; /* no certificate came, or mbedTLS does not show it */
		wsi_put(&t->cert_why, "the server showed no certificate");
	}
	if ((ret == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED || ret == MBEDTLS_ERR_SSL_BAD_CERTIFICATE)
	    && t->flags == 0) {
		t->flags = mbedtls_ssl_get_verify_result(
		    &t->ssl); /* of checks after the callback, such as key usage */
		if (t->flags == 0 || t->flags == (uint32_t)-1)
			t->flags = MBEDTLS_X509_BADCERT_OTHER;
		wsi_tls_put_problem(t, NULL, 0, t->flags);
	}
	if (ret == MBEDTLS_ERR_X509_FATAL_ERROR && t->flags == 0 && t->failed == 0) {
		t->flags = MBEDTLS_X509_BADCERT_OTHER;
		wsi_put(&t->cert_why, "the chain of the server's certificate is too long");
	}
	return ret == 0 && t->flags != 0 ? MBEDTLS_ERR_X509_CERT_VERIFY_FAILED : ret;
}

int wsi_tls_handshake(struct wsi_tls *t, int64_t until_us, struct wsi_text *why)
{
	struct wsi_text cipher;
	unsigned char rest[256];
	int i, ret = t->err;

	t->c->until_us = until_us;
	if (ret == 0)
		ret = mbedtls_ssl_handshake(&t->ssl);
#if TLS_HOLDS
	if (ret == 0 && t->holding)
		ret = wsi_tls_judge_held(t);
	if (ret == 0 && t->holding)
		ret = wsi_tls_release_held(t);
#endif
	if (ret == MBEDTLS_ERR_SSL_WANT_READ)
		return WS_IO_READ;
	if (ret == MBEDTLS_ERR_SSL_WANT_WRITE)
		return WS_IO_WRITE;
	/* A server that refuses our certificate sends an alert and closes, so that our write fails.
	 * The alert may still be unread. */
	for (i = 0; ret != 0 && t->io_err == WS_IO_RESET && i < 16
	            && wsi_tls_recv(t, rest, sizeof rest) > 0;
	     i++)
		if (t->alert >= 0)
			ret = MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE;
	if (t->refused
	    && !t->holding) /* mbedTLS does not know that we refuse, so it sent no alert */
		(void)mbedtls_ssl_send_alert_message(&t->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
		                                     MBEDTLS_SSL_ALERT_MSG_BAD_CERT);
	t->err = tls_settle(t, ret);
	if (t->err != 0) {
		t->gone = true;
		t->verified = false;
		return tls_explain(t, t->err, why);
	}
	t->done = true;
	wsi_text_init(&cipher, t->cipher, sizeof t->cipher);
	wsi_tls_put_iana(&cipher, mbedtls_ssl_get_ciphersuite(&t->ssl));
	return 0;
}

bool wsi_tls_answered(const struct wsi_tls *t)
{
	return t->answered;
}

/* Turns the result of mbedtls_ssl_read or mbedtls_ssl_write into that of a transport. */
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
	t->gone = true;
	t->err = ret;
	return t->io_err == WS_IO_EOF || t->io_err == WS_IO_RESET ? WS_IO_RESET : WS_IO_ERROR;
}

ptrdiff_t wsi_tls_read(void *io, void *buf, size_t len)
{
	struct wsi_tls *t = io;
	ptrdiff_t n = WS_IO_READ;
	int i, ret;

	if (t->end != 0) /* mbedTLS must not be called again */
		return t->end;
	/* A peer that sends only records without data must not keep us here. wsi_tls_pending says
	 * if there is more. */
	for (i = 0; i < 16; i++) {
		ret = mbedtls_ssl_read(&t->ssl, buf, len);
#if defined(MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET)
		if (ret == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET)
			continue;
#endif
		if (ret == 0 && t->io_err == 0) /* an empty record */
			continue;
		n = tls_result(t, ret);
		t->got_data |= n > 0;
		break;
	}
	if (n < 0 && n != WS_IO_READ && n != WS_IO_WRITE)
		t->end = n;
	return n;
}

ptrdiff_t wsi_tls_write(void *io, const void *buf, size_t len)
{
	struct wsi_tls *t = io;
	size_t offered = len;
	unsigned char none;
	bool flush;
	int ret;

	if (t->gone)
		return t->err != 0 && t->io_err == 0 ? WS_IO_ERROR : WS_IO_RESET;
	if (t->unsent > 0 && t->unsent < len) /* the same bytes as the last time */
		offered = t->unsent;
	do {
		/* If bytes are left in its buffer, mbedTLS writes only those, and takes that for
		 * the data given. They may be of an alert, or the data may have grown since. */
		flush = t->out_left > 0 && t->unsent == 0;
		ret = mbedtls_ssl_write(&t->ssl, buf, offered);
	} while (ret > 0 && flush);
	t->unsent = 0;
	if (ret == MBEDTLS_ERR_SSL_WANT_WRITE && !flush)
		t->unsent = offered;
	/* A server of TLS 1.3 that refuses the client's certificate sends an alert and closes. The
	 * alert may still be unread. Reading 0 bytes takes in a record, but returns none of its
	 * data. */
	if (t->io_err == WS_IO_RESET
	    && mbedtls_ssl_read(&t->ssl, &none, 0) == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
		ret = MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE;
		t->io_err = 0;
		t->end = WS_IO_ERROR;
	}
	return tls_result(t, ret);
}

size_t wsi_tls_pending(const struct wsi_tls *t)
{
	size_t n = mbedtls_ssl_get_bytes_avail(&t->ssl);

	return n == 0 && mbedtls_ssl_check_pending(&t->ssl) ? 1 : n;
}

int wsi_tls_why(const struct wsi_tls *t, struct wsi_text *why)
{
	return tls_explain(t, t->err, why);
}

void wsi_tls_goodbye(struct wsi_tls *t)
{
	if (!t->done || t->gone)
		return;
	t->gone = true;
	(void)mbedtls_ssl_close_notify(&t->ssl);
}

void wsi_tls_report(const struct wsi_tls *t, struct ws_report *r)
{
	r->tls_version = t->done ? mbedtls_ssl_get_version(&t->ssl) : "";
	r->tls_cipher = t->cipher;
	r->cert_subject = t->subject;
	r->cert_issuer = t->issuer;
	r->cert_not_after = t->not_after;
	r->tls_verified = t->verified;
	if (t->untrusted && !t->done) {
		r->option = "tls.ca_file";
		r->no_descriptor = t->c->no_fd;
	}
}

void wsi_tls_free(struct wsi_tls *t)
{
	struct wsi_mem mem;

	if (!t)
		return;
	mem = t->c->mem;
	wsi_tls_drop_chain(t);
#if TLS_HOLDS
	if (t->held)
		wsi_alloc(&mem, t->held, t->held_len, 0);
#endif
	mbedtls_ssl_free(&t->ssl);
	mbedtls_ssl_config_free(&t->conf);
#if MBEDTLS_VERSION_NUMBER < 0x04000000
	mbedtls_ctr_drbg_free(&t->drbg);
#endif
	wsi_alloc(&mem, t, sizeof *t, 0);
}

const char *wsi_tls_version(void)
{
	return WS_VERSION " mbedTLS/" MBEDTLS_VERSION_STRING;
}
#endif
