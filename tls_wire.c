/* SPDX-License-Identifier: ISC
 * tls_wire.c - the bytes between mbedTLS and the transport
 *
 * In TLS 1.2 the server's Certificate message comes in the clear. tls_sniff collects it on its way
 * in, and mbedTLS gets its last byte only if wsi_tls_look agrees. In TLS 1.3 it is encrypted, so
 * what we would send after the server's first encrypted record is held back until the chain has
 * been verified.
 */
#include "ws_mbedtls.h"

#ifdef WS_WITH_MBEDTLS
#include <string.h>

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

#if TLS_HOLDS
/* Keeps what mbedTLS wants to send until the server is verified. */
static int tls_hold(struct wsi_tls *t, const unsigned char *buf, size_t len)
{
	unsigned char *p = wsi_alloc(&t->c->mem, t->held, t->held_len, t->held_len + len);

	if (!p)
		return MBEDTLS_ERR_SSL_ALLOC_FAILED;
	memcpy(p + t->held_len, buf, len);
	t->held = p;
	t->held_len += len;
	return (int)len;
}
#endif

int wsi_tls_send(void *ctx, const unsigned char *buf, size_t len)
{
	struct wsi_tls *t = ctx;
	ptrdiff_t n;

#if TLS_HOLDS
	if (t->holding) {
		t->out_left = 0;
		return tls_hold(t, buf, len);
	}
#endif
	n = t->io.io_write(t->io.io, buf, len);
	t->out_left = n > 0 ? len - (size_t)n : len;
	return n > 0 ? (int)n : tls_io_error(t, n);
}

void wsi_tls_drop_chain(struct wsi_tls *t)
{
	if (t->chain)
		wsi_alloc(&t->c->mem, t->chain, t->chain_len, 0);
	t->chain = NULL;
}

/* A message begins; its header is in message_head. 0 or an error of mbedTLS. */
static int tls_message_begins(struct wsi_tls *t)
{
	const unsigned char *h = t->message_head;

	t->message_left = (size_t)h[1] << 16 | (size_t)h[2] << 8 | h[3];
	if (h[0] != MBEDTLS_SSL_HS_CERTIFICATE)
		return 0;
	if (t->message_left < 3 || t->message_left > TLS_CHAIN_BYTES_MAX) {
		t->looked = t->refused = true;
		wsi_put(
		    wsi_tls_refuse(t),
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

/* The Certificate message is complete, but mbedTLS has not got its last byte. */
static int tls_chain_is_whole(struct wsi_tls *t)
{
	struct wsi_cert certs[WSI_CHAIN_MAX];
	int n = wsi_chain_read(certs, t->chain, t->chain_len), ret;

	if (n == 0) { /* mbedTLS 2.28 would continue with an empty certificate */
		wsi_put(wsi_tls_refuse(t), "the server showed no certificate");
		t->refused = true;
		ret = MBEDTLS_ERR_X509_CERT_VERIFY_FAILED;
	} else {
		ret = wsi_tls_look(t, certs, n);
	}
	if (ret == 0)
		wsi_chain_put_unknown(certs, n, &t->unknown);
	wsi_tls_drop_chain(t);
	t->looked = true;
	return ret;
}

/* Collects the Certificate message from the handshake messages in the clear, however they are split
 * into records. 0 or an error of mbedTLS. */
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
			if (t->chain) {
				memcpy(t->chain + t->chain_n, p, n);
				t->chain_n += n;
			}
			t->message_left -= n;
			p += n;
			len -= n;
		}
		if (t->message_head_n == 4 && t->message_left == 0) {
			t->message_head_n = 0;
			if (t->chain)
				return tls_chain_is_whole(t);
		}
	}
	return 0;
}

/* A record begins; its header is in t->record. */
static void tls_record_begins(struct wsi_tls *t)
{
	t->record_left = (size_t)t->record[3] << 8 | t->record[4];
	t->plain |= memcmp(t->record, "HTTP/", 5) == 0;
	t->alert = -1;
#if TLS_HOLDS
	/* Only the handshake of TLS 1.3 has encrypted records. The server's certificates are in
	 * them. */
	if (t->record[0] == MBEDTLS_SSL_MSG_APPLICATION_DATA && !t->done && !t->looked
	    && !t->c->opt->config) {
		mbedtls_ssl_conf_authmode(&t->conf, MBEDTLS_SSL_VERIFY_NONE);
		t->holding = true;
	}
#endif
}

/* Looks at the bytes that come in before mbedTLS gets them, as far as they are in the clear: for
 * HTTP in place of TLS, for the number of an alert, which mbedTLS does not report, and for the
 * Certificate message. 0 or an error of mbedTLS. */
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
			    && !t->c->opt->config)
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

int wsi_tls_recv(void *ctx, unsigned char *buf, size_t len)
{
	struct wsi_tls *t = ctx;
	ptrdiff_t n = t->io.io_read(t->io.io, buf, len);
	int ret;

	if (n <= 0)
		return tls_io_error(t, n);
	t->answered = true;
	ret = tls_sniff(t, buf, (size_t)n);
	return ret != 0 ? ret : (int)n;
}

#if TLS_HOLDS
int wsi_tls_release_held(struct wsi_tls *t)
{
	ptrdiff_t n;

	while (t->held_sent < t->held_len) {
		n = t->io.io_write(t->io.io, t->held + t->held_sent, t->held_len - t->held_sent);
		if (n <= 0)
			return tls_io_error(t, n);
		t->held_sent += (size_t)n;
	}
	t->holding = false;
	return 0;
}
#endif
#endif
