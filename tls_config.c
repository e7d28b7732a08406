/* SPDX-License-Identifier: ISC
 * tls_config.c - the TLS options of a program
 *
 * The options are read once for each struct ws_conn, so that mistakes are found before connecting.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "ws_mbedtls.h"

#ifdef WS_WITH_MBEDTLS
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if MBEDTLS_VERSION_NUMBER >= 0x03000000 && MBEDTLS_VERSION_NUMBER < 0x04000000
/* Random bytes that blind computations with the client's key while it is checked. Nothing that is
 * sent depends on them. */
static int tls_blind(void *ctx, unsigned char *buf, size_t len)
{
	(void)ctx;
	return wsi_entropy(buf, len) == 0 ? 0 : MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED;
}
#endif

#ifdef MBEDTLS_DES_C
#define TLS_KEY_CIPHER                                                                             \
	"the key is encrypted with a cipher that " TLS_LIBRARY " lacks: mbedTLS 3.6 has AES, and " \
	"'openssl pkcs8 -topk8 -v2 des3' encrypts a key so that every version reads it"
#else
#define TLS_KEY_CIPHER                                                                             \
	"the key is encrypted with a cipher that " TLS_LIBRARY " lacks: it reads a key that "      \
	"'openssl pkcs8 -topk8 -v2 aes256' has encrypted"
#endif

/* The length as mbedTLS counts it: with the NUL after PEM, and without one after DER. */
static size_t tls_parsed_len(const unsigned char *buf, size_t len)
{
	return strstr((const char *)buf, "-----BEGIN ") ? len + 1 : len;
}

static int tls_load_key(struct wsi_tls_config *c, const unsigned char *buf, size_t len,
                        const char *path)
{
	const char *pass = c->opt->key_password, *words;
	int ret;

	ret = mbedtls_pk_parse_key(&c->key, buf, tls_parsed_len(buf, len),
	                           (const unsigned char *)pass, pass ? strlen(pass) : 0 TLS_BLIND);
	if (ret == MBEDTLS_ERR_PK_PASSWORD_REQUIRED)
		return wsi_tls_bad(&c->wrong, "tls.key_password", path,
		                   "the key is encrypted and no passphrase was given");
	if (ret == MBEDTLS_ERR_PK_PASSWORD_MISMATCH)
		return wsi_tls_bad(&c->wrong, "tls.key_password", path,
		                   "wrong passphrase for the key");
	if (ret != 0 && !wsi_tls_no_memory(ret)) {
		words = wsi_tls_file_words(buf, len, true);
		if (words && !c->opt->key_file)
			return wsi_tls_bad(
			    &c->wrong, "tls.key_file", path,
			    "the certificate's file has no private key in it, so the "
			    "key's own file must be named");
		if (words)
			return wsi_tls_bad(&c->wrong, "tls.key_file", path, words);
		if (pass && strstr((const char *)buf, "ENCRYPTED") != NULL) {
			if (wsi_tls_lacks_cipher(ret))
				words = TLS_KEY_CIPHER;
			else /* a wrong key may decrypt to valid padding by chance */
				words = "wrong passphrase for the key";
			return wsi_tls_bad(&c->wrong, "tls.key_password", path, words);
		}
	}
	if (ret != 0)
		return wsi_tls_bad_code(&c->wrong, "tls.key_file", path,
		                        "its private key cannot be read", ret);
	ret = mbedtls_pk_check_pair(&c->own.pk, &c->key TLS_BLIND);
	if (ret != 0)
		return wsi_tls_no_memory(ret)
		           ? WS_EMEMORY
		           : wsi_tls_bad(&c->wrong, "tls.key_file", path,
		                         "the key does not belong to the certificate");
	c->has_own = true;
	return 0;
}

/* buf has room for TLS_FILE_MAX bytes. */
static int tls_load_own_in(struct wsi_tls_config *c, unsigned char *buf)
{
	const char *path = c->opt->cert_file, *cause, *words;
	ptrdiff_t len = wsi_read_file(&c->mem, path, buf, TLS_FILE_MAX - 1, c->until_us, &cause);
	int ret;

	if (len < 0)
		return wsi_tls_bad_file(&c->wrong, "tls.cert_file", path, len, cause);
	buf[len] = 0;
	ret = mbedtls_x509_crt_parse(&c->own, buf, tls_parsed_len(buf, (size_t)len));
	words = ret != 0 ? wsi_tls_file_words(buf, (size_t)len, false) : NULL;
	if (words && !wsi_tls_no_memory(ret))
		return wsi_tls_bad(&c->wrong, "tls.cert_file", path, words);
	if (ret > 0)
		return wsi_tls_bad(&c->wrong, "tls.cert_file", path,
		                   "a certificate in it cannot be read");
	if (ret != 0)
		return wsi_tls_bad_code(&c->wrong, "tls.cert_file", path,
		                        "its certificate cannot be read", ret);
	if (c->opt->key_file) {
		path = c->opt->key_file;
		len = wsi_read_file(&c->mem, path, buf, TLS_FILE_MAX - 1, c->until_us, &cause);
		if (len < 0)
			return wsi_tls_bad_file(&c->wrong, "tls.key_file", path, len, cause);
		buf[len] = 0;
	}
	return tls_load_key(c, buf, (size_t)len, path);
}

static int tls_load_own(struct wsi_tls_config *c)
{
	unsigned char *buf;
	int ret;

	if (!c->opt->cert_file)
		return c->opt->key_file == NULL
		           ? 0
		           : wsi_tls_bad(&c->wrong, "tls.key_file", c->opt->key_file,
		                         "it needs a certificate too");
	buf = wsi_alloc(&c->mem, NULL, 0, TLS_FILE_MAX);
	if (!buf)
		return WS_EMEMORY;
	ret = tls_load_own_in(c, buf);
	mbedtls_platform_zeroize(buf, TLS_FILE_MAX); /* it may hold a key */
	wsi_alloc(&c->mem, buf, TLS_FILE_MAX, 0);
	return ret;
}

/* "TLS-ECDHE-RSA-WITH-..." is IANA's TLS_ECDHE_RSA_WITH_..., "TLS1-3-AES-..." TLS_AES_... */
void wsi_tls_put_iana(struct wsi_text *t, const char *name)
{
	if (memcmp(name, "TLS1-3-", 7) == 0) {
		wsi_put(t, "TLS_");
		name += 7;
	}
	for (; *name != 0; name++) {
		if (*name == '-')
			wsi_put_c(t, '_');
		else
			wsi_put_c(t, *name);
	}
}

/* The cipher suite of that name, or 0. */
static int tls_cipher(const char *name, size_t len)
{
	const struct wsi_str wanted = {name, len};
	const int *id;
	const char *known;
	struct wsi_text iana;
	char buf[64];

	for (id = mbedtls_ssl_list_ciphersuites(); *id; id++) {
		known = mbedtls_ssl_get_ciphersuite_name(*id);
		wsi_text_init(&iana, buf, sizeof buf);
		wsi_tls_put_iana(&iana, known);
		if (wsi_is(wanted, known) || wsi_is(wanted, buf))
			return *id;
	}
	return 0;
}

/* What is offered unless the program chooses: every cipher suite of mbedTLS except DHE, whose group
 * the server chooses as costly as it likes, and those that need a shared key or password. */
static void tls_load_suites(struct wsi_tls_config *c)
{
	const int *id;
	const char *name;
	int n = 0;

	for (id = mbedtls_ssl_list_ciphersuites(); *id && n < TLS_SUITES_MAX; id++) {
		name = mbedtls_ssl_get_ciphersuite_name(*id);
		if (strncmp(name, "TLS-DHE-", 8) != 0 && strstr(name, "PSK-") == NULL
		    && strstr(name, "JPAKE") == NULL)
			c->suites[n++] = *id;
	}
}

/* Takes the next element off a list. False: the list has ended. */
static bool tls_next(const char **list, const char *separators, const char **p, size_t *len)
{
	*p = *list + strspn(*list, separators);
	*len = strcspn(*p, separators);
	*list = *p + *len;
	return *len > 0;
}

static int tls_load_versions(struct wsi_tls_config *c)
{
	static const char versions[] = "must be 12 or 13 (TLS 1.2, TLS 1.3)";
	const struct ws_tls *o = c->opt;

	if (o->min_version != 0 && o->min_version != 12 && o->min_version != 13)
		return wsi_tls_bad(&c->wrong, "tls.min_version", NULL, versions);
	if (o->max_version != 0 && o->max_version != 12 && o->max_version != 13)
		return wsi_tls_bad(&c->wrong, "tls.max_version", NULL, versions);
	if (o->max_version != 0 && o->min_version > o->max_version)
		return wsi_tls_bad(&c->wrong, "tls.min_version", NULL,
		                   "above the highest version allowed (max_version)");
	c->min = TLS_MIN;
	if (o->min_version > c->min)
		c->min = o->min_version;
	c->max = TLS_MAX;
	if (o->max_version != 0 && o->max_version < c->max)
		c->max = o->max_version;
	if (c->min > TLS_MAX)
		return wsi_tls_bad(&c->wrong, "tls.min_version", NULL,
		                   TLS_LIBRARY " has no TLS 1.3: mbedTLS 3.6 has it");
	if (c->max < TLS_MIN)
		return wsi_tls_bad(&c->wrong, "tls.max_version", NULL,
		                   "this build's TLS library has no TLS 1.2");
	return 0;
}

static bool tls_is_for_13(int cipher)
{
	return memcmp(mbedtls_ssl_get_ciphersuite_name(cipher), "TLS1-3-", 7) == 0;
}

/* The versions are known. One without a cipher suite is not offered, since the server might choose
 * it. */
static int tls_load_ciphers(struct wsi_tls_config *c)
{
	const struct ws_tls *o = c->opt;
	const char *list = o->ciphers, *p;
	bool any12 = false, any13 = false;
	size_t len;
	int n = 0;

	if (!list)
		return 0;
	for (; tls_next(&list, ":, ", &p, &len); n++) {
		if (n == TLS_CIPHERS_MAX)
			return wsi_tls_bad(&c->wrong, "tls.ciphers", NULL,
			                   "more than 64 cipher suites");
		c->ciphers[n] = tls_cipher(p, len);
		if (c->ciphers[n] == 0) {
			wsi_tls_put_quoted(c->wrong.why, p, len);
			return wsi_tls_bad(&c->wrong, "tls.ciphers", NULL,
			                   ": no cipher suite of this build's TLS library");
		}
		if (tls_is_for_13(c->ciphers[n]))
			any13 = true;
		else
			any12 = true;
	}
	if (n == 0)
		return wsi_tls_bad(&c->wrong, "tls.ciphers", o->ciphers, "no cipher suite in it");
	if (!any13 && c->max == 13)
		c->max = 12;
	if (!any12 && c->min == 12)
		c->min = 13;
	if (c->min > c->max)
		return wsi_tls_bad(&c->wrong, "tls.ciphers", o->ciphers,
		                   "none for the TLS versions that are allowed");
	return 0;
}

static int tls_load_pins(struct wsi_tls_config *c)
{
	const char *list = c->opt->pin_sha256, *p;
	unsigned char pin[36]; /* 44 characters of base64 may hold 33 bytes */
	size_t len;

	if (!list)
		return 0;
	for (; tls_next(&list, "; ", &p, &len); c->pins_n++) {
		if (c->pins_n == TLS_PINS_MAX)
			return wsi_tls_bad(&c->wrong, "tls.pin_sha256", NULL, "more than 8 pins");
		if (len != 8 + 44 || memcmp(p, "sha256//", 8) != 0
		    || wsi_base64_decode(pin, p + 8, 44) != 32)
			return wsi_tls_bad(
			    &c->wrong, "tls.pin_sha256", c->opt->pin_sha256,
			    "not sha256//BASE64 of 32 bytes, several separated by ';'");
		memcpy(c->pins[c->pins_n], pin, 32);
	}
	if (c->pins_n == 0)
		return wsi_tls_bad(&c->wrong, "tls.pin_sha256", c->opt->pin_sha256, "no pin in it");
	return 0;
}

static int tls_load_limits(struct wsi_tls_config *c)
{
	const char *name = c->opt->server_name;
	int r = tls_load_versions(c);

	if (r == 0)
		r = tls_load_ciphers(c);
	if (r == 0)
		r = tls_load_pins(c);
	if (r)
		return r;
	if (name && (*name == '\0' || strlen(name) > TLS_NAME_MAX))
		return wsi_tls_bad(&c->wrong, "tls.server_name", name,
		                   "empty, or longer than 255 bytes");
	return 0;
}

static int tls_load(struct wsi_tls_config *c)
{
	const char *path = c->opt->keylog_file;
	int ret = tls_load_limits(c);

	if (ret != 0 || c->opt->config)
		return ret;
	tls_load_suites(c);
#if defined(MBEDTLS_USE_PSA_CRYPTO)                                                                \
    || MBEDTLS_VERSION_NUMBER >= 0x04000000 /* needed already to parse certificates */
	if ((c->opt->ca_file || c->opt->ca_dir || c->opt->cert_file) && !TLS_PSA_INIT())
		return WS_EENTROPY;
#endif
	ret = wsi_tls_load_trust(c);
	if (ret == 0)
		ret = tls_load_own(c);
	if (ret != 0 || !path)
		return ret;
#if MBEDTLS_VERSION_NUMBER < 0x03000000 && !defined(MBEDTLS_SSL_EXPORT_KEYS)
	return wsi_tls_bad(&c->wrong, "tls.keylog_file", path,
	                   "this build's TLS library cannot export secrets");
#else
	struct stat st;

	c->keylog_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
	if (c->keylog_fd < 0)
		return wsi_tls_bad_file(&c->wrong, "tls.keylog_file", path,
		                        wsi_trust_is_no_fd(errno) ? WS_EIO : WS_EUSAGE,
		                        strerror(errno));
	if (fstat(c->keylog_fd, &st) != 0
	    || S_ISFIFO(st.st_mode)) /* its reader may close it, and writing would raise SIGPIPE */
		return wsi_tls_bad(&c->wrong, "tls.keylog_file", path, "is a pipe");
	return 0;
#endif
}

int wsi_tls_config_new(struct wsi_tls_config **out, const struct wsi_mem *mem,
                       const struct ws_tls *tls, int64_t until_us, const char **option,
                       struct wsi_text *why)
{
	struct wsi_tls_config *c = wsi_alloc(mem, NULL, 0, sizeof *c);
	int ret;

	*out = NULL;
	if (!c)
		return WS_EMEMORY;
	memset(c, 0, sizeof *c);
	c->mem = *mem;
	c->opt = tls;
	c->until_us = until_us;
	c->wrong.option = option;
	c->wrong.why = why;
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

void wsi_tls_config_free(struct wsi_tls_config *c)
{
	struct wsi_mem mem;

	if (!c)
		return;
	mem = c->mem;
	mbedtls_x509_crt_free(&c->cas); /* before the trust that is shared: it may point there */
	wsi_tls_trust_drop(c->shared);
	mbedtls_x509_crt_free(&c->own);
	mbedtls_pk_free(&c->key);
	if (c->keylog_fd >= 0)
		close(c->keylog_fd);
	wsi_alloc(&mem, c, sizeof *c, 0);
}
#endif
