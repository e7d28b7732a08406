/* SPDX-License-Identifier: ISC
 * tls_verdict.c - whether the server's certificate holds, and why not
 *
 * What a peer's chain may cost is bounded before it is verified (chain.c): mbedTLS judges a chain
 * in one call, and the keys in it are the peer's choice.
 *
 * Names are compared here (tls_name_fits), since mbedTLS 2.28 does not know iPAddress.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "ws_mbedtls.h"

#ifdef WS_WITH_MBEDTLS
#include <string.h>
#include <time.h>

/* Dates */

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

/* Seconds since 1970. A time_t may have only 32 bits. */
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

/* Names and rules */

/* RFC 6125 6.4: ASCII case is ignored. "*" must be the whole left-most label, stands for one label,
 * and at least two labels must follow it. */
static bool tls_name_fits(const unsigned char *p, size_t len, const char *name)
{
	const char *pattern = (const char *)p;
	size_t i;

	if (wsi_is((struct wsi_str){pattern, len}, name))
		return true;
	if (len < 3 || p[0] != '*' || p[1] != '.' || !memchr(p + 2, '.', len - 2))
		return false;
	for (i = 0; name[i] != 0 && name[i] != '.'; i++)
		;
	return i > 0 && wsi_is((struct wsi_str){pattern + 1, len - 1}, name + i);
}

/* True: the text is the address that we want, written as a name. */
static bool tls_is_our_address(const struct wsi_tls *t, const unsigned char *p, size_t len)
{
	unsigned char ip[WSI_IP_MAX];

	return t->ip_len > 0 && wsi_ip_parse(ip, (const char *)p, len) == t->ip_len
	       && memcmp(ip, t->ip, (size_t)t->ip_len) == 0;
}

/* RFC 6125 6.4.4: the common name counts only in a certificate without alternative names. An empty
 * extension rules it out too. */
static bool tls_has_alternative_names(const mbedtls_x509_crt *crt)
{
	struct wsi_cert c;
	struct wsi_der value;
	int critical;

	return wsi_cert_read(&c, crt->raw.p, crt->raw.len) != 0
	       || wsi_cert_extension(&c, WSI_EXT_ALTERNATIVE_NAMES, &critical, &value) != 0;
}

/* True: the certificate is for the name that we want. Its names are appended to names, unless that is
 * NULL. *misplaced: it has the address that we want, but as a name. */
static bool tls_names(const struct wsi_tls *t, const mbedtls_x509_crt *crt, struct wsi_text *names,
                      bool *misplaced)
{
	const mbedtls_x509_sequence *san;
	const mbedtls_x509_name *n;
	const char *sep = "";
	int kind, n_listed = 0;

	for (san = &crt->subject_alt_names; san && san->buf.p; san = san->next) {
		kind = san->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK;
		if (kind != MBEDTLS_X509_SAN_DNS_NAME && kind != MBEDTLS_X509_SAN_IP_ADDRESS)
			continue;
		if (names && n_listed++ < 8) {
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
			return true;
		if (t->ip_len > 0 && kind == MBEDTLS_X509_SAN_IP_ADDRESS
		    && san->buf.len == (size_t)t->ip_len
		    && memcmp(san->buf.p, t->ip, san->buf.len) == 0)
			return true;
	}
	if (n_listed > 8)
		wsi_put(names, ", ...");
	if (tls_has_alternative_names(crt))
		return false;
	/* The common name never counts for an address */
	for (n = &crt->subject; n && n->oid.p; n = n->next) {
		if (n->oid.len != 3 || memcmp(n->oid.p, "\x55\x04\x03", 3) != 0)
			continue;
		if (t->ip_len == 0 && tls_name_fits(n->val.p, n->val.len, t->name))
			return true;
		*misplaced |= tls_is_our_address(t, n->val.p, n->val.len);
		if (names) {
			wsi_put(names, sep);
			sep = ", ";
			wsi_put_safe(names, n->val.p, n->val.len);
		}
	}
	return false;
}

void wsi_tls_check_name(struct wsi_tls *t, const mbedtls_x509_crt *crt)
{
	size_t before;
	bool misplaced = false;

	if (tls_names(t, crt, NULL, &misplaced))
		return;
	t->flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
	if (t->cert_why.len == 0)
		wsi_put(&t->cert_why, "the server's certificate ");
	else
		wsi_put(&t->cert_why, "; the server's certificate ");
	wsi_put(&t->cert_why, "is not for ");
	wsi_tls_put_quoted(&t->cert_why, t->name, strlen(t->name));
	if (misplaced) {
		wsi_put(&t->cert_why,
		        ", which it lists as a name: it must list an address as an IP "
		        "entry of its alternative names (subjectAltName=IP:...)");
		return;
	}
	wsi_put(&t->cert_why, " but for ");
	before = t->cert_why.len;
	(void)tls_names(t, crt, &t->cert_why, &misplaced);
	if (t->cert_why.len == before)
		wsi_put(&t->cert_why, "no name at all");
}

/* Faults without a clause of their own below */
static const struct {
	uint32_t flags;
	const char *text;
} tls_faults[] = {
    {MBEDTLS_X509_BADCERT_REVOKED, "was revoked"},
    {MBEDTLS_X509_BADCERT_BAD_MD, "is signed with a hash that is too weak"},
    {MBEDTLS_X509_BADCERT_BAD_PK | MBEDTLS_X509_BADCERT_BAD_KEY,
     "has a key that is too weak, or of a kind that is not allowed"},
    {MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE
         | MBEDTLS_X509_BADCERT_NS_CERT_TYPE,
     "may not be used for a TLS server (key usage)"},
    {MBEDTLS_X509_BADCERT_CN_MISMATCH, "is not for this name"},
    {MBEDTLS_X509_BADCERT_OTHER, "was not accepted"},
};

/* crt may be NULL: then the date is not known. */
static void tls_put_validity(struct wsi_text *why, const mbedtls_x509_crt *crt, uint32_t flags)
{
	const mbedtls_x509_time *date = NULL;

	if (flags & MBEDTLS_X509_BADCERT_EXPIRED) {
		wsi_put(why, " has expired: it was valid until ");
		if (crt)
			date = &crt->valid_to;
	} else {
		wsi_put(why, " is not yet valid: it will be from ");
		if (crt)
			date = &crt->valid_from;
	}
	if (date)
		tls_put_date(why, date->year, date->mon, date->day, date->hour, date->min,
		             date->sec);
	tls_put_clock(why);
}

static bool tls_is_self_issued(const mbedtls_x509_crt *crt)
{
	return crt->issuer_raw.len == crt->subject_raw.len
	       && memcmp(crt->issuer_raw.p, crt->subject_raw.p, crt->subject_raw.len) == 0;
}

/* Why there may be no trusted certificate: this machine has none, or one could not be read. */
static void tls_put_missing_trust(struct wsi_text *why, const struct wsi_tls_config *c)
{
	if (c->no_bundle)
		wsi_put(why,
		        "; this machine has no CA certificates in any of the usual places, such as "
		        "/etc/ssl/certs/ca-certificates.crt");
	if (!c->unread)
		return;
	wsi_put(why, "; ");
	if (*c->unread_path)
		wsi_tls_put_quoted(why, c->unread_path, strlen(c->unread_path));
	else
		wsi_put(why, "one of these");
	wsi_put(why, " could not be read: ");
	wsi_put(why, c->unread);
}

static void tls_put_untrusted(struct wsi_text *why, const mbedtls_x509_crt *crt, int depth)
{
	if (crt && tls_is_self_issued(crt)) {
		if (depth == 0)
			wsi_put(why, "is self-signed and not trusted here");
		else
			wsi_put(why, "is a root that is not trusted here");
		return;
	}
	wsi_put(why, "is not trusted here: its issuer ");
	if (crt) {
		wsi_put_c(why, '"');
		wsi_put_dn(why, crt->issuer_raw.p, crt->issuer_raw.len);
		wsi_put(why, "\" ");
	}
	wsi_put(why, "is an unknown CA, or the server did not send its intermediate certificate");
}

/* Writes into cert_why what is wrong with one certificate of the chain, as a clause. crt NULL: the
 * server's certificate, which mbedTLS does not show. */
void wsi_tls_put_problem(struct wsi_tls *t, const mbedtls_x509_crt *crt, int depth, uint32_t flags)
{
	struct wsi_text *why = &t->cert_why;
	const char *separator = " ";
	size_t i;

	wsi_text_init(why, t->cert_why_buf, sizeof t->cert_why_buf);
	if (depth == 0) {
		wsi_put(why, "the server's certificate");
	} else {
		wsi_put(why, "in its chain the certificate \"");
		wsi_put_dn(why, crt->subject_raw.p, crt->subject_raw.len);
		wsi_put_c(why, '"');
	}
	if (flags & (MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE)) {
		tls_put_validity(why, crt, flags);
		separator = "; it ";
	}
	for (i = 0; i < sizeof tls_faults / sizeof tls_faults[0]; i++) {
		if (flags & tls_faults[i].flags) {
			wsi_put(why, separator);
			wsi_put(why, tls_faults[i].text);
			separator = "; it ";
		}
	}
	t->untrusted = (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0;
	if (t->untrusted) {
		wsi_put(why, separator);
		tls_put_untrusted(why, crt, depth);
		tls_put_missing_trust(why, t->c);
	}
}

struct wsi_text *wsi_tls_refuse(struct wsi_tls *t)
{
	t->flags |= MBEDTLS_X509_BADCERT_OTHER;
	t->untrusted = false; /* the sentence gives another reason */
	wsi_text_init(&t->cert_why, t->cert_why_buf, sizeof t->cert_why_buf);
	return &t->cert_why;
}

int wsi_tls_check_pin(struct wsi_tls *t, const mbedtls_x509_crt *crt)
{
	unsigned char hash[32];
	char text[WSI_BASE64_LEN(32)];
	struct wsi_text *why;
	int i, ret;

	ret = mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), crt->pk_raw.p,
	                 crt->pk_raw.len, hash);
	if (ret != 0)
		return ret;
	for (i = 0; i < t->c->pins_n && !t->pinned; i++)
		t->pinned = memcmp(hash, t->c->pins[i], 32) == 0;
	if (t->pinned)
		return 0;
	why = wsi_tls_refuse(t);
	wsi_put(why, "the server's public key is not the pinned one but sha256//");
	wsi_put_n(why, text, wsi_base64_encode(text, hash, sizeof hash));
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

void wsi_tls_remember(struct wsi_tls *t, const mbedtls_x509_crt *crt)
{
	struct wsi_cert c;

	if (wsi_cert_read(&c, crt->raw.p, crt->raw.len) == 0)
		tls_remember_names(t, &c);
	t->not_after = tls_seconds(&crt->valid_to);
}

/* mbedTLS calls this from the top of the chain down to the server's certificate (depth 0), whose
 * flags are the verdict. If several certificates are wrong, the sentence is about the last. */
int wsi_tls_verify(void *ctx, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
	struct wsi_tls *t = ctx;
	const struct ws_tls *o = t->c->opt;
	int ret, n;

	if (crt->raw.p
	    == NULL) { /* an empty one: mbedTLS has skipped the one that the server sent */
		wsi_put(wsi_tls_refuse(t),
		        "the server's certificate is signed with an algorithm that " TLS_LIBRARY
		        " lacks");
		return MBEDTLS_ERR_X509_FATAL_ERROR;
	}
	*flags &= ~(uint32_t)MBEDTLS_X509_BADCERT_CN_MISMATCH; /* see wsi_tls_check_name */
	if (*flags != 0)
		wsi_tls_put_problem(t, crt, depth, *flags);
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
	wsi_tls_remember(t, crt);
	if (!o->insecure_no_verify) {
		if (t->flags == 0 && wsi_chain_check_rules(t->path, n, &t->cert_why) != 0)
			t->flags |= MBEDTLS_X509_BADCERT_OTHER;
		if (!o->insecure_no_hostname)
			wsi_tls_check_name(t, crt);
	} else {
		t->flags = 0;
		t->untrusted = false;
	}
	if (t->c->pins_n > 0 && (ret = wsi_tls_check_pin(t, crt)) != 0)
		return ret;
	t->verified = !o->insecure_no_verify && t->flags == 0;
	*flags = t->flags;
	return 0;
}

/* 0, or an error of mbedTLS with the reason in t->failed. */
static int tls_search(struct wsi_tls *t, const struct wsi_cert *certs, int n)
{
	t->failed = wsi_tls_find_issuers(t->c, certs, n);
	return t->failed == 0 ? 0 : MBEDTLS_ERR_X509_FATAL_ERROR;
}

int wsi_tls_look(struct wsi_tls *t, const struct wsi_cert *certs, int n)
{
	struct wsi_text why;
	char buf[sizeof t->cert_why_buf];

	if (n == 0) /* mbedTLS refuses it */
		return 0;
	wsi_text_init(&why, buf, sizeof buf);
	if (n < 0)
		wsi_put(&why, "the server sent certificates that cannot be read");
	else if (wsi_chain_check_cost(certs, n, &why) == 0)
		return t->c->opt->insecure_no_verify ? 0 : tls_search(t, certs, n);
	if (n > 0)
		tls_remember_names(t, &certs[0]);
	wsi_put(wsi_tls_refuse(t), buf);
	t->refused = true;
	return MBEDTLS_ERR_X509_CERT_VERIFY_FAILED;
}

#if TLS_HOLDS
/* Verifies the chain of TLS 1.3. mbedTLS returns it as const but verifies only one that is not, so
 * copy is one. */
static int tls_judge_copy(struct wsi_tls *t, mbedtls_x509_crt *copy)
{
	const mbedtls_x509_crt *x = mbedtls_ssl_get_peer_cert(&t->ssl);
	struct wsi_cert certs[WSI_CHAIN_MAX];
	uint32_t flags;
	int n = 0, ret;

	for (; x && n >= 0; x = x->next) {
		if (n < WSI_CHAIN_MAX && wsi_cert_read(&certs[n], x->raw.p, x->raw.len) != 0)
			n = -1;
		else
			n++;
	}
	ret = wsi_tls_look(t, certs, n);
	for (x = mbedtls_ssl_get_peer_cert(&t->ssl); x && ret == 0; x = x->next)
		ret = mbedtls_x509_crt_parse_der(copy, x->raw.p, x->raw.len);
	if (ret != 0 || n == 0) /* tls_settle refuses an empty chain */
		return ret;
	ret = mbedtls_x509_crt_verify_with_profile(copy, &t->c->cas, NULL, wsi_tls_get_profile(),
	                                           NULL, &flags, wsi_tls_verify, t);
	if (ret == 0 && !t->c->opt->insecure_no_verify
	    && mbedtls_x509_crt_check_key_usage(copy, MBEDTLS_X509_KU_DIGITAL_SIGNATURE) != 0) {
		t->verified = false;
		t->flags |= MBEDTLS_X509_BADCERT_KEY_USAGE;
		wsi_tls_put_problem(t, copy, 0, t->flags);
		ret = MBEDTLS_ERR_X509_CERT_VERIFY_FAILED;
	}
	return ret;
}

/* mbedTLS has completed the handshake. The verdict is found once. */
int wsi_tls_judge_held(struct wsi_tls *t)
{
	mbedtls_x509_crt copy;
	int ret;

	if (t->looked)
		return 0;
	t->looked = true;
	mbedtls_x509_crt_init(&copy);
	ret = tls_judge_copy(t, &copy);
	mbedtls_x509_crt_free(&copy);
	return ret;
}
#endif
#endif
