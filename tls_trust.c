/* SPDX-License-Identifier: ISC
 * tls_trust.c - the certificates that are trusted: those of one connection, and those that several
 * share
 *
 * Trust is loaded lazily. A system's bundle has about 140 certificates and a chain needs one of
 * them, so the bundle is not parsed. When the peer's chain has come, wsi_tls_find_issuers searches
 * the bundle, and parses those certificates whose subject may be the issuer of one that the peer
 * sent. The verdict is the same as with the whole bundle:
 *
 * - Only certificates of the bundle are added, so nothing is accepted that the bundle would not
 *   accept.
 * - mbedTLS chooses a trusted certificate by one rule: its subject is the issuer of one in the
 *   chain. Wherever mbedTLS finds two names equal, so does the comparison used here
 *   (wsi_der_may_equal). So no certificate is missing.
 *
 * A connection without a struct ws_trust reads the bundle through a small buffer (trust.c) each
 * time. Connections with the same struct ws_trust search the certificates that it holds. It holds
 * only their bytes, because the contexts of mbedTLS may not be used by several threads at once:
 * each connection parses what it needs.
 */
#include "ws_mbedtls.h"

#ifdef WS_WITH_MBEDTLS
#include <string.h>

/* One connection */

struct tls_taker {
	struct wsi_trust trust;
	mbedtls_x509_crt *into;
	/* The bytes of a certificate outlive into, and are not copied. */
	bool bytes_stay;
	const struct wsi_cert *chain; /* take what may have issued one of these; NULL: all */
	int chain_n;
	int taken, err; /* how many were added; the last error of parsing */
};

static bool tls_may_issue(const struct tls_taker *k, const unsigned char *der, size_t len)
{
	const unsigned char *subject = wsi_der_subject(der, len, &len);
	int i;

	for (i = 0; subject && i < k->chain_n; i++) {
		if (wsi_der_may_equal(subject, len, k->chain[i].issuer.p, k->chain[i].issuer.len))
			return true;
	}
	return false;
}

/* Critical extensions that mbedTLS does not support, in a trusted certificate. chain.c checks name
 * constraints. Policies matter only to a client that asks for one, which we do not. */
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

	if (k->chain && !tls_may_issue(k, der, len))
		return 0;
	for (x = k->into; x && x->raw.p;
	     x = x->next) { /* a directory may hold a certificate twice */
		if (x->raw.len == len && memcmp(x->raw.p, der, len) == 0)
			return 0;
	}
	ret = mbedtls_x509_crt_parse_der_with_ext_cb(k->into, der, len, !k->bytes_stay,
	                                             tls_allow_extension, NULL);
	if (ret == 0)
		k->taken++;
	else
		k->err = ret;
	return wsi_tls_no_memory(ret) || (!k->chain && k->trust.again && k->taken > TLS_EAGER_MAX);
}

static void tls_note_unread(struct wsi_tls_config *c, const char *path, const char *cause)
{
	if (!cause || c->unread)
		return;
	c->unread_path = path;
	c->unread = cause;
}

/* Searches a file or directory that was too large to be parsed at once. 0, WS_EMEMORY or
 * WS_ETIMEOUT. */
static int tls_take_lazy(struct wsi_tls_config *c, struct tls_taker *k, const char *path,
                         bool is_dir)
{
	const char *cause;
	int r;

	if (!path)
		return 0;
	r = wsi_trust_scan(&k->trust, &c->mem, path, is_dir, &cause);
	tls_note_unread(c, path, cause);
	return r == -1 ? 0 : r;
}

/* Searches what the connection shares with others. */
static void tls_take_shared(const struct ws_trust *s, struct tls_taker *k)
{
	size_t i;

	k->bytes_stay = true;
	for (i = 0; i < s->n; i++)
		if (tls_take(k, s->der + s->certs[i].at, s->certs[i].len))
			return;
}

int wsi_tls_find_issuers(struct wsi_tls_config *c, const struct wsi_cert *chain, int n)
{
	struct tls_taker k = {
	    .trust = {.take = tls_take}, .into = &c->cas, .chain = chain, .chain_n = n};
	int r = 0;

	k.trust.ctx = &k;
	k.trust.until_us = c->until_us;
	if (c->shared) {
		tls_take_shared(c->shared, &k);
	} else {
		r = tls_take_lazy(c, &k, c->lazy_file, false);
		if (r == 0)
			r = tls_take_lazy(c, &k, c->lazy_dir, true);
		if (r == 0 && !c->opt->ca_file && !c->opt->ca_dir) {
			r = wsi_trust_system(&k.trust, &c->mem);
			c->no_bundle = k.trust.seen == 0;
			if (c->no_bundle)
				tls_note_unread(c, "", k.trust.unread);
		}
	}
	c->no_fd |= k.trust.no_fd;
	return wsi_tls_no_memory(k.err) ? WS_EMEMORY : r;
}

/* The result of reading a file or a directory that an option names. r and cause: of wsi_trust_scan;
 * good: a certificate in it can be parsed; ret: the error of one that cannot. */
static int tls_judge_read(const struct wsi_tls_wrong *w, const struct wsi_trust *t,
                          const char *path, bool is_dir, int r, const char *cause, bool good,
                          int ret)
{
	const char *name = is_dir ? "tls.ca_dir" : "tls.ca_file";

	if (r == WS_EMEMORY || wsi_tls_no_memory(ret))
		return WS_EMEMORY;
	if (r != 0)
		return wsi_tls_bad_file(w, name, path, t->no_fd ? WS_EIO : r, cause);
	if (!good && ret != 0)
		return wsi_tls_bad_code(w, name, path, "its certificate cannot be read", ret);
	if (t->seen > 0)
		return 0;
	(void)wsi_tls_bad(w, name, path, "no certificate in it (PEM or DER)");
	if (t->unread) {
		wsi_put(w->why, ", but a file that could not be read: ");
		wsi_put(w->why, t->unread);
	}
	return t->no_fd ? WS_EIO : WS_EUSAGE;
}

/* Parses a small file or directory. Of a large one it only makes sure that it has a certificate. */
static int tls_load_trusted(struct wsi_tls_config *c, const char *path, bool is_dir,
                            const char **lazy)
{
	struct tls_taker k = {.trust = {.take = tls_take}, .into = &c->cas};
	const char *cause;
	int r;

	if (!path)
		return 0;
	k.trust.ctx = &k;
	k.trust.until_us = c->until_us;
	r = wsi_trust_scan(&k.trust, &c->mem, path, is_dir, &cause);
	r = tls_judge_read(&c->wrong, &k.trust, path, is_dir, r, cause, k.taken > 0, k.err);
	if (r == 0 && k.trust.stop)
		*lazy = path;
	c->no_fd |= k.trust.no_fd;
	return r;
}

/* What several connections share */

struct tls_keeper {
	struct wsi_trust trust;
	struct ws_trust *into;
	/* A certificate could be parsed, or none need be. */
	bool good;
	/* The last error of parsing. */
	int err;
};

/* Makes room for one more element. False: no memory. */
static bool tls_grow(const struct wsi_mem *mem, void **p, size_t *cap, size_t need, size_t size)
{
	size_t new_cap = 16;
	void *grown;

	if (need <= *cap)
		return true;
	while (new_cap < need)
		new_cap *= 2;
	grown = wsi_alloc(mem, *p, *cap * size, new_cap * size);
	if (!grown)
		return false;
	*p = grown;
	*cap = new_cap;
	return true;
}

static bool tls_has(const struct ws_trust *s, const unsigned char *der, size_t len)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->certs[i].len == len && memcmp(s->der + s->certs[i].at, der, len) == 0)
			return true;
	return false;
}

/* Not 0: no memory */
static int tls_keep(void *ctx, const unsigned char *der, size_t len)
{
	struct tls_keeper *k = ctx;
	struct ws_trust *s = k->into;
	void *bytes = s->der, *certs = s->certs;
	mbedtls_x509_crt crt;

	if (!k->good) {
		mbedtls_x509_crt_init(&crt);
		k->err = mbedtls_x509_crt_parse_der_with_ext_cb(&crt, der, len, 0,
		                                                tls_allow_extension, NULL);
		mbedtls_x509_crt_free(&crt);
		k->good = k->err == 0;
		if (wsi_tls_no_memory(k->err))
			return 1;
	}
	if (tls_has(s, der, len)) /* a directory may hold a certificate twice */
		return 0;
	if (!tls_grow(&s->mem, &bytes, &s->der_cap, s->der_len + len, 1))
		return 1;
	s->der = bytes;
	if (!tls_grow(&s->mem, &certs, &s->cap, s->n + 1, sizeof *s->certs))
		return 1;
	s->certs = certs;
	memcpy(s->der + s->der_len, der, len);
	s->certs[s->n].at = s->der_len;
	s->certs[s->n].len = len;
	s->n++;
	s->der_len += len;
	return 0;
}

/* Keeps what a file or directory has. */
static int tls_keep_path(struct ws_trust *s, const struct wsi_tls_wrong *w, const char *path,
                         bool is_dir, int64_t until_us)
{
	struct tls_keeper k = {.trust = {.take = tls_keep}, .into = s};
	const char *cause;
	int r;

	if (!path)
		return 0;
	k.trust.ctx = &k;
	k.trust.until_us = until_us;
	r = wsi_trust_scan(&k.trust, &s->mem, path, is_dir, &cause);
	if (k.trust.stop) /* by tls_keep */
		return WS_EMEMORY;
	s->no_fd |= k.trust.no_fd;
	return tls_judge_read(w, &k.trust, path, is_dir, r, cause, k.good, k.err);
}

/* Keeps the system's certificates. If there are none, or reading them failed, this is reported only
 * when a connection needs one. */
static int tls_keep_system(struct ws_trust *s, const struct wsi_tls_wrong *w, int64_t until_us)
{
	struct tls_keeper k = {.trust = {.take = tls_keep}, .into = s, .good = true};
	int r;

	k.trust.ctx = &k;
	k.trust.until_us = until_us;
	r = wsi_trust_system(&k.trust, &s->mem);
	if (k.trust.stop) /* by tls_keep */
		return WS_EMEMORY;
	if (r == WS_ETIMEOUT)
		(void)wsi_tls_bad(w, "tls.ca_file", NULL,
		                  "timed out while reading the system's certificates");
	s->no_bundle = k.trust.seen == 0;
	if (s->no_bundle && k.trust.no_fd) {
		(void)wsi_tls_bad(w, "tls.ca_file", NULL,
		                  "no descriptor was free to read the system's certificates");
		return WS_EIO;
	}
	s->no_fd = k.trust.no_fd;
	if (s->no_bundle && k.trust.unread) {
		struct wsi_text t;

		wsi_text_init(&t, s->unread, sizeof s->unread);
		wsi_put(&t, k.trust.unread);
	}
	return r;
}

static int tls_keep_all(struct ws_trust *s, const struct ws_tls *tls, const struct wsi_tls_wrong *w,
                        int64_t until_us)
{
	int r;

	if (!tls->ca_file && !tls->ca_dir)
		return tls_keep_system(s, w, until_us);
#if defined(MBEDTLS_USE_PSA_CRYPTO) || MBEDTLS_VERSION_NUMBER >= 0x04000000
	if (!TLS_PSA_INIT())
		return WS_EENTROPY;
#endif
	r = tls_keep_path(s, w, tls->ca_file, false, until_us);
	if (r == 0)
		r = tls_keep_path(s, w, tls->ca_dir, true, until_us);
	return r;
}

/* False: no memory. */
static bool tls_copy_path(struct ws_trust *s, char **to, const char *path)
{
	size_t size;

	if (!path)
		return true;
	size = strlen(path) + 1;
	*to = wsi_alloc(&s->mem, NULL, 0, size);
	if (!*to)
		return false;
	memcpy(*to, path, size);
	return true;
}

/* Gives back what was allocated but is not needed. */
static void tls_shrink(struct ws_trust *s)
{
	void *p;

	if (s->der_len < s->der_cap && s->der_len > 0) {
		p = wsi_alloc(&s->mem, s->der, s->der_cap, s->der_len);
		if (p) {
			s->der = p;
			s->der_cap = s->der_len;
		}
	}
}

/* Writes the sentence about an error. */
static void tls_tell(struct ws_trust *s, const char *cause)
{
	struct wsi_text t;

	wsi_text_init(&t, s->why, sizeof s->why);
	wsi_put(&t, *s->option ? s->option : "TLS settings");
	wsi_put(&t, ": ");
	s->cause = s->why + t.len;
	wsi_put(&t, cause);
}

struct ws_trust *wsi_tls_trust_new(const struct wsi_mem *mem, const struct ws_tls *tls,
                                   int64_t until_us)
{
	struct ws_trust *s = wsi_alloc(mem, NULL, 0, sizeof *s);
	struct wsi_tls_wrong wrong;
	struct wsi_text cause;
	char buf[TLS_CAUSE_MAX];

	if (!s)
		return NULL;
	memset(s, 0, sizeof *s);
	s->mem = *mem;
	s->holders = 1;
	s->option = "";
	wsi_text_init(&cause, buf, sizeof buf);
	wrong.option = &s->option;
	wrong.why = &cause;
	s->err = WS_EMEMORY;
	if (tls_copy_path(s, &s->ca_file, tls->ca_file)
	    && tls_copy_path(s, &s->ca_dir, tls->ca_dir))
		s->err = tls_keep_all(s, tls, &wrong, until_us);
	if (s->err == WS_EMEMORY) {
		wsi_tls_trust_drop(s);
		return NULL;
	}
	if (s->err != 0)
		tls_tell(s, buf);
	tls_shrink(s);
	return s;
}

void wsi_tls_trust_drop(struct ws_trust *s)
{
	struct wsi_mem mem;

	if (!s || --s->holders > 0)
		return;
	mem = s->mem;
	if (s->ca_file)
		wsi_alloc(&mem, s->ca_file, strlen(s->ca_file) + 1, 0);
	if (s->ca_dir)
		wsi_alloc(&mem, s->ca_dir, strlen(s->ca_dir) + 1, 0);
	if (s->der)
		wsi_alloc(&mem, s->der, s->der_cap, 0);
	if (s->certs)
		wsi_alloc(&mem, s->certs, s->cap * sizeof *s->certs, 0);
	wsi_alloc(&mem, s, sizeof *s, 0);
}

const char *wsi_tls_trust_why(const struct ws_trust *s)
{
	return s->why;
}

/* The trust of one connection */

static bool tls_same_path(const char *mine, const char *shared)
{
	return !mine || (shared && strcmp(mine, shared) == 0);
}

/* Uses the certificates that the program shares. An error that occurred when they were read is
 * reported here. */
static int tls_share(struct wsi_tls_config *c)
{
	static const char other[] = "differs from the one that tls.trust was made from";
	struct ws_trust *s = c->opt->trust;

	s->holders++;
	c->shared = s;
	if (!tls_same_path(c->opt->ca_file, s->ca_file))
		return wsi_tls_bad(&c->wrong, "tls.ca_file", c->opt->ca_file, other);
	if (!tls_same_path(c->opt->ca_dir, s->ca_dir))
		return wsi_tls_bad(&c->wrong, "tls.ca_dir", c->opt->ca_dir, other);
	c->no_bundle = s->no_bundle;
	c->no_fd = s->no_fd;
	if (*s->unread)
		tls_note_unread(c, "", s->unread);
	if (s->err != 0) {
		*c->wrong.option = s->option;
		wsi_put(c->wrong.why, s->cause);
	}
	return s->err;
}

int wsi_tls_load_trust(struct wsi_tls_config *c)
{
	int r;

	if (c->opt->trust)
		return tls_share(c);
	r = tls_load_trusted(c, c->opt->ca_file, false, &c->lazy_file);
	if (r == 0)
		r = tls_load_trusted(c, c->opt->ca_dir, true, &c->lazy_dir);
	return r;
}
#endif
