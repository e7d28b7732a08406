/* SPDX-License-Identifier: ISC
 * test_tls_wire.c - what is seen in the bytes of a server before mbedTLS gets them
 */
#include "tls.h"

#ifdef WS_WITH_MBEDTLS

/* A transport that reads from memory in pieces. Writing has a fixed result. */
struct wire {
	const unsigned char *bytes;
	size_t len, piece;
	ptrdiff_t end; /* the result of reading once all is read */
	ptrdiff_t write_result;
};

static ptrdiff_t wire_read(void *io, void *buf, size_t len)
{
	struct wire *w = io;

	if (w->len == 0)
		return w->end;
	if (len > w->len)
		len = w->len;
	if (len > w->piece)
		len = w->piece;
	memcpy(buf, w->bytes, len);
	w->bytes += len;
	w->len -= len;
	return (ptrdiff_t)len;
}

static ptrdiff_t wire_write(void *io, const void *buf, size_t len)
{
	struct wire *w = io;

	(void)buf;
	(void)len;
	return w->write_result;
}

/* A session over this transport, before its handshake */
static struct wsi_tls *session(struct wsi_tls_config *c, const struct ws_tls *options,
                               struct wire *w)
{
	struct wsi_tls *t = session_new(c, options);

	t->io.io = w;
	t->io.io_read = wire_read;
	t->io.io_write = wire_write;
	t->alert = -1;
	wsi_text_init(&t->unknown, t->unknown_buf, sizeof t->unknown_buf);
	return t;
}

static void session_end(struct wsi_tls *t)
{
	wsi_tls_drop_chain(t);
	CHECK(t->chain == NULL);
	mbedtls_x509_crt_free(&t->c->cas);
	free(t);
	CHECK(blocks == 0 && allocated == 0);
}

/* Reads until the transport has nothing more. Returns the first error, or 0. */
static int read_all(struct wsi_tls *t, struct wire *w)
{
	unsigned char buf[20000];
	int ret;

	while (w->len > 0) {
		ret = wsi_tls_recv(t, buf, sizeof buf);
		if (ret <= 0)
			return ret;
	}
	return 0;
}

#define BYTES(bytes) bytes, sizeof(bytes) - 1
#define RECORD "\x16\x03\x03"
#define CERTIFICATE "\x0b"
#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X256 X64 X64 X64 X64

static void test_records(void)
{
	enum { REFUSED = MBEDTLS_ERR_X509_CERT_VERIFY_FAILED };
	enum { DONE = 1, LOOKED = 2, OWN_CONFIG = 4, NO_MEMORY = 8 };
	static const struct {
		const char *name, *bytes;
		size_t len;
		int before; /* the state before the bytes arrive: one of the above */
		int ret, alert, plain;
		const char *why; /* "": the certificate was not rejected */
	} cases[] = {
	    {"an alert", BYTES("\x15\x03\x03\0\2\2\x28"), 0, 0, 40, 0, ""},
	    {"an alert, encrypted", BYTES("\x15\x03\x03\0\3\2\x28\x29"), 0, 0, -1, 0, ""},
	    {"a long alert", BYTES("\x15\x03\x03\1\2"), 0, 0, -1, 0, ""},
	    {"half an alert", BYTES("\x15\x03\x03\0\2\2"), 0, 0, -1, 0, ""},
	    {"no alert", BYTES("\x17\x03\x03\0\2\2\x28"), 0, 0, -1, 0, ""},
	    {"two alerts", BYTES("\x15\x03\x03\0\2\1\x5a\x15\x03\x03\0\2\2\x28"), 0, 0, 40, 0, ""},
	    {"a record after an alert", BYTES("\x15\x03\x03\0\2\2\x28" RECORD "\0\1"), 0, 0, -1, 0,
	     ""},
	    {"a byte after an alert", BYTES("\x15\x03\x03\0\2\2\x28\x16"), 0, 0, 40, 0, ""},
	    {"an alert after a record of 256 bytes",
	     BYTES(RECORD "\1\0" X256 "\x15\x03\x03\0\2\2\x28"), 0, 0, 40, 0, ""},
	    {"an empty record before an alert", BYTES(RECORD "\0\0\x15\x03\x03\0\2\2\x28"), 0, 0,
	     40, 0, ""},
	    {"HTTP", BYTES("HTTP/1.1 400"), 0, 0, -1, 1, ""},
	    {"half of it", BYTES("HTTP"), 0, 0, -1, 0, ""},
	    {"HTTP after a record", BYTES(RECORD "\0\1xHTTP/1.1 400"), 0, 0, -1, 1, ""},
	    {"no certificates", BYTES(RECORD "\0\7" CERTIFICATE "\0\0\3\0\0\0"), 0, REFUSED, -1, 0,
	     "the server showed no certificate"},
	    {"no list", BYTES(RECORD "\0\4" CERTIFICATE "\0\0\0"), 0, REFUSED, -1, 0,
	     "the server sent certificates that cannot be read"},
	    {"less than a list", BYTES(RECORD "\0\6" CERTIFICATE "\0\0\2\0\0"), 0, REFUSED, -1, 0,
	     "the server sent certificates that cannot be read"},
	    {"not a certificate", BYTES(RECORD "\0\x0b" CERTIFICATE "\0\0\7\0\0\4\0\0\1x"), 0,
	     REFUSED, -1, 0, "the server sent certificates that cannot be read"},
	    {"the largest message", BYTES(RECORD "\0\4" CERTIFICATE "\0\x40\0"), 0, 0, -1, 0, ""},
	    {"a larger one", BYTES(RECORD "\0\4" CERTIFICATE "\0\x40\1"), 0, REFUSED, -1, 0,
	     "certificates of over 16 KiB"},
	    {"a much larger one", BYTES(RECORD "\0\4" CERTIFICATE "\1\0\3"), 0, REFUSED, -1, 0,
	     "certificates of over 16 KiB"},
	    {"in two records", BYTES(RECORD "\0\5" CERTIFICATE "\0\0\3\0" RECORD "\0\2\0\0"), 0,
	     REFUSED, -1, 0, "the server showed no certificate"},
	    {"its header in two records",
	     BYTES(RECORD "\0\1" CERTIFICATE RECORD "\0\6\0\0\3\0\0\0"), 0, REFUSED, -1, 0,
	     "the server showed no certificate"},
	    {"after another message", BYTES(RECORD "\0\x0c\2\0\0\1x" CERTIFICATE "\0\0\3\0\0\0"), 0,
	     REFUSED, -1, 0, "the server showed no certificate"},
	    {"after an empty message", BYTES(RECORD "\0\x0b\2\0\0\0" CERTIFICATE "\0\0\3\0\0\0"), 0,
	     REFUSED, -1, 0, "the server showed no certificate"},
	    {"after a message of 257 bytes that has not come",
	     BYTES(RECORD "\0\x0c\2\0\1\1x" CERTIFICATE "\0\0\3\0\0\0"), 0, 0, -1, 0, ""},
	    {"after a message of 64 KiB that has not come",
	     BYTES(RECORD "\0\x0c\2\1\0\1x" CERTIFICATE "\0\0\3\0\0\0"), 0, 0, -1, 0, ""},
	    {"in another kind of record", BYTES("\x17\x03\x03\0\7" CERTIFICATE "\0\0\3\0\0\0"), 0,
	     0, -1, 0, ""},
	    {"another message", BYTES(RECORD "\0\7\x0c\0\0\3\0\0\0"), 0, 0, -1, 0, ""},
	    {"after the handshake", BYTES(RECORD "\0\7" CERTIFICATE "\0\0\3\0\0\0"), DONE, 0, -1, 0,
	     ""},
	    {"a second time", BYTES(RECORD "\0\7" CERTIFICATE "\0\0\3\0\0\0"), LOOKED, 0, -1, 0,
	     ""},
	    {"with the program's own settings", BYTES(RECORD "\0\7" CERTIFICATE "\0\0\3\0\0\0"),
	     OWN_CONFIG, 0, -1, 0, ""},
	    {"without memory", BYTES(RECORD "\0\7" CERTIFICATE "\0\0\3\0\0\0"), NO_MEMORY,
	     MBEDTLS_ERR_SSL_ALLOC_FAILED, -1, 0, ""},
	};
	struct ws_tls options;
	struct wsi_tls_config c;
	mbedtls_ssl_config conf;
	struct wsi_tls *t;
	struct wire w;
	unsigned char *exact;
	size_t i, piece;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s", cases[i].name);
		for (piece = 1; piece <= cases[i].len; piece++) {
			memset(&options, 0, sizeof options);
			options.config = cases[i].before & OWN_CONFIG ? &conf : NULL;
			exact = malloc(cases[i].len);
			if (exact == NULL)
				abort();
			memcpy(exact, cases[i].bytes, cases[i].len);
			w = (struct wire){exact, cases[i].len, piece, WS_IO_READ, 0};
			t = session(&c, &options, &w);
			t->done = cases[i].before & DONE;
			t->looked = (cases[i].before & LOOKED) != 0;
			allocs_left = cases[i].before & NO_MEMORY ? 0 : -1;
			CHECK_EQ_U(read_all(t, &w), cases[i].ret);
			allocs_left = -1;
			CHECK_EQ_U(t->alert, cases[i].alert);
			CHECK_EQ_U(t->plain, cases[i].plain);
			CHECK_EQ_S(t->cert_why_buf, cases[i].why[0] == '\0' ? "" : t->cert_why_buf);
			CHECK(strstr(t->cert_why_buf, cases[i].why) != NULL);
			CHECK_EQ_U(t->refused, cases[i].why[0] != '\0');
			CHECK_EQ_U(t->looked, t->refused || (cases[i].before & LOOKED));
			session_end(t);
			free(exact);
		}
	}
}

/* A whole Certificate message is checked at once, however it is split */
static void test_chain(void)
{
	static const struct {
		const char *name, *unknown;
	} cases[] = {{"ca.der", ""},
	             {"critical.der", "the server's certificate has a critical extension that this "
	                              "TLS library does not support: (1.2.3.4)"}};
	static const size_t pieces[] = {1, 7, 20000};
	struct ws_tls options = {.ca_file = in_certs("ca", ".pem")};
	struct wsi_tls_config c;
	struct wsi_tls *t;
	struct wire w;
	unsigned char m[5000];
	size_t i, k, len;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		for (k = 0; k < sizeof pieces / sizeof pieces[0]; k++) {
			check_row("%s, %lu at once", cases[i].name, (unsigned long)pieces[k]);
			len = load(in_certs(cases[i].name, ""), m + 15, sizeof m - 15);
			memcpy(m, "\x16\x03\x03\0\0\x0b\0\0\0\0\0\0\0\0\0", 15);
			m[14] = (unsigned char)len;
			m[13] = (unsigned char)(len >> 8);
			m[11] = (unsigned char)(len + 3);
			m[10] = (unsigned char)((len + 3) >> 8);
			m[8] = (unsigned char)(len + 6);
			m[7] = (unsigned char)((len + 6) >> 8);
			m[4] = (unsigned char)(len + 10);
			m[3] = (unsigned char)((len + 10) >> 8);
			w = (struct wire){m, len + 15, pieces[k], WS_IO_READ, 0};
			t = session(&c, &options, &w);
			CHECK_EQ_U(read_all(t, &w), 0);
			CHECK(t->looked == 1 && t->refused == 0 && t->chain == NULL);
			CHECK_EQ_S(t->unknown_buf, cases[i].unknown);
			session_end(t);
		}
	}
}

/* The Certificate message after another message of 64 KiB or more */
static void test_long_message(void)
{
	static unsigned char m[4 * (5 + 16384) + 30];
	static const unsigned char empty[] = {0x16, 3, 3, 0, 11, 2, 0, 0, 0, 11, 0, 0, 3, 0, 0, 0};
	struct ws_tls options = {0};
	struct wsi_tls_config c;
	struct wire w = {m, 0, 20000, WS_IO_READ, 0};
	struct wsi_tls *t = session(&c, &options, &w);
	size_t i;

	memset(m, 0x0b, sizeof m); /* taken for a message, this is a Certificate that is too long */
	for (i = 0; i < 4; i++)
		memcpy(m + i * (5 + 16384), "\x16\x03\x03\x40\x00", 5);
	memcpy(m + 5, "\x02\x00\xff\xfc", 4); /* one message that fills all of these records */
	memcpy(m + 4 * (5 + 16384), empty, sizeof empty);
	w.len = 4 * (5 + 16384) + sizeof empty;
	CHECK_EQ_U(read_all(t, &w), MBEDTLS_ERR_X509_CERT_VERIFY_FAILED);
	CHECK_EQ_S(t->cert_why_buf, "the server showed no certificate");
	session_end(t);

	t = session(&c, &options, &w);
	memcpy(m + 5, "\x02\x01\x00\x00", 4); /* four bytes longer */
	w.bytes = m;
	w.len = 4 * (5 + 16384) + sizeof empty;
	CHECK_EQ_U(read_all(t, &w), MBEDTLS_ERR_X509_CERT_VERIFY_FAILED);
	CHECK_EQ_S(t->cert_why_buf, "the server showed no certificate");
	session_end(t);
}

static void test_ends(void)
{
	static const struct {
		ptrdiff_t end;
		int ret, io_err, out_left;
	} cases[] = {
	    {WS_IO_READ, MBEDTLS_ERR_SSL_WANT_READ, 0, 9},
	    {WS_IO_WRITE, MBEDTLS_ERR_SSL_WANT_WRITE, 0, 9},
	    {WS_IO_EOF, MBEDTLS_ERR_SSL_CONN_EOF, WS_IO_EOF, 9},
	    {WS_IO_RESET, MBEDTLS_ERR_NET_CONN_RESET, WS_IO_RESET, 9},
	    {WS_IO_ERROR, MBEDTLS_ERR_NET_CONN_RESET, WS_IO_ERROR, 9},
	    {0, MBEDTLS_ERR_NET_CONN_RESET, WS_IO_ERROR, 9}, /* no transport may return 0 */
	    {1, 1, 0, 8},
	    {9, 9, 0, 0},
	};
	struct ws_tls options = {0};
	struct wsi_tls_config c;
	struct wsi_tls *t;
	struct wire w = {NULL, 0, 1, 0, 0};
	unsigned char buf[9] = {0};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%ld", (long)cases[i].end);
		t = session(&c, &options, &w);
		w.end = w.write_result = cases[i].end;
		CHECK_EQ_U(wsi_tls_send(t, buf, 9), cases[i].ret);
		CHECK_EQ_U(t->out_left, cases[i].out_left);
		CHECK_EQ_U(t->io_err, cases[i].io_err);
		if (cases[i].end <= 0) {
			t->io_err = 0;
			CHECK_EQ_U(wsi_tls_recv(t, buf, 9), cases[i].ret);
			CHECK_EQ_U(t->io_err, cases[i].io_err);
			t->io_err = WS_IO_RESET; /* the first error stays */
			wsi_tls_recv(t, buf, 9);
			CHECK_EQ_U(t->io_err, WS_IO_RESET);
		}
		session_end(t);
	}
}

int main(void)
{
	tls_begin();
	TEST(test_records);
	TEST(test_chain);
	TEST(test_long_message);
	TEST(test_ends);
	return tls_end();
}
#endif
