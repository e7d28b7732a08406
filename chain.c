/* SPDX-License-Identifier: ISC
 * chain.c - rules for a chain of certificates that the TLS library does not check
 *
 * Bytes in, a verdict and its sentence out: this file reads certificates in DER (RFC 5280) and does
 * not know a TLS library, a clock or an allocator. The TLS files ask it three questions:
 *
 *   1. Before anything is verified: may verifying this chain be costly? The peer chooses the keys
 *      and the number of certificates, and mbedTLS tries every candidate of an issuer's name.
 *      (wsi_chain_check_cost)
 *   2. After mbedTLS has verified the chain: does it obey the rules that mbedTLS does not know, name
 *      constraints and extended key usage? (wsi_chain_check_rules)
 *   3. When mbedTLS cannot read the chain: which extension does it not support?
 *      (wsi_chain_put_unknown)
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "ws_tls.h"

#ifdef WS_WITH_MBEDTLS
#include <string.h>

#define CHAIN_RSA_MAX 8192 /* bits of a modulus */
#define CHAIN_EXPONENT_MAX                                                                         \
	32 /* bits of a public exponent. Public CAs use 65537; Go and Windows have the same limit */
#define CHAIN_SAME_NAME_MAX 3 /* certificates of one subject: a root and two cross-signed ones */
#define CHAIN_COMPARED_MAX (1L << 18) /* comparisons of a name with a constraint, in one chain */

static const struct wsi_der oid_common_name = WSI_OID("\x55\x04\x03");
static const struct wsi_der oid_rsa = WSI_OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01");
static const struct wsi_der oid_ec = WSI_OID("\x2a\x86\x48\xce\x3d\x02\x01");
static const struct wsi_der oid_p256 = WSI_OID("\x2a\x86\x48\xce\x3d\x03\x01\x07");
static const struct wsi_der oid_p384 = WSI_OID("\x2b\x81\x04\x00\x22");
static const struct wsi_der oid_p521 = WSI_OID("\x2b\x81\x04\x00\x23");
static const struct wsi_der oid_server_auth = WSI_OID("\x2b\x06\x01\x05\x05\x07\x03\x01");
static const struct wsi_der oid_any_usage = WSI_OID("\x55\x1d\x25\x00");
static const struct wsi_der oid_any_policy = WSI_OID("\x55\x1d\x20\x00");
static const struct wsi_der oid_ns_cert_type = WSI_OID("\x60\x86\x48\x01\x86\xf8\x42\x01\x01");

static void chain_put_subject(struct wsi_text *t, const struct wsi_cert *c)
{
	wsi_put_c(t, '"');
	wsi_put_dn(t, c->subject.p, c->subject.len);
	wsi_put_c(t, '"');
}

/* Begins a sentence about the certificate at this depth of the chain. */
static void chain_put_which(struct wsi_text *t, const struct wsi_cert *c, int depth)
{
	if (depth == 0) {
		wsi_put(t, "the server's certificate ");
	} else {
		wsi_put(t, "in its chain the certificate ");
		chain_put_subject(t, c);
		wsi_put_c(t, ' ');
	}
}

/* What verifying may cost */

WSI int wsi_chain_read(struct wsi_cert certs[WSI_CHAIN_MAX], const unsigned char *message,
                       size_t len)
{
	size_t at = 3, one; /* after the length of the list, RFC 5246 7.4.2 */
	int n = 0;

	while (at + 3 <= len) {
		one = (size_t)message[at] << 16 | (size_t)message[at + 1] << 8 | message[at + 2];
		at += 3;
		if (one > len - at)
			return -1;
		if (n < WSI_CHAIN_MAX && wsi_cert_read(&certs[n], message + at, one) != 0)
			return -1;
		n++;
		at += one;
	}
	return at == len ? n : -1;
}

/* The number of bits of an unsigned INTEGER. */
static unsigned der_bits(struct wsi_der n)
{
	unsigned bits, top;

	while (n.len > 0 && n.p[0] == 0) {
		n.p++;
		n.len--;
	}
	if (n.len == 0)
		return 0;
	bits = (unsigned)(n.len - 1) * 8;
	for (top = n.p[0]; top > 0; top >>= 1)
		bits++;
	return bits;
}

/* bits: the BIT STRING of an RSA key. True, with a clause in why: it is costly. */
static bool chain_rsa_is_costly(struct wsi_der bits, struct wsi_text *why)
{
	struct wsi_der key, modulus, exponent;

	if (bits.len > 0) { /* the number of unused bits */
		bits.p++;
		bits.len--;
	}
	if (wsi_der_take(&bits, WSI_DER_SEQUENCE, &key) != 0
	    || wsi_der_take(&key, WSI_DER_INTEGER, &modulus) != 0
	    || wsi_der_take(&key, WSI_DER_INTEGER, &exponent) != 0) {
		wsi_put(why, "has an RSA key that cannot be read");
		return true;
	}
	if (der_bits(modulus) > CHAIN_RSA_MAX) {
		wsi_put(why, "has an RSA key of ");
		wsi_put_u(why, der_bits(modulus));
		wsi_put(why, " bits, more than the 8192 that are accepted");
		return true;
	}
	if (der_bits(exponent) > CHAIN_EXPONENT_MAX) {
		wsi_put(why, "has an RSA key whose public exponent has ");
		wsi_put_u(why, der_bits(exponent));
		wsi_put(why, " bits, more than the 32 that are accepted");
		return true;
	}
	return false;
}

/* True, with a clause in why: no public CA certifies keys of this kind or size. */
static bool chain_key_is_costly(const struct wsi_cert *c, struct wsi_text *why)
{
	struct wsi_der key = c->key, algorithm, oid, curve, bits;

	if (wsi_der_take(&key, WSI_DER_SEQUENCE, &algorithm) != 0
	    || wsi_der_take(&algorithm, WSI_DER_OID, &oid) != 0
	    || wsi_der_take(&key, WSI_DER_BIT_STRING, &bits) != 0) {
		wsi_put(why, "has a public key that cannot be read");
		return true;
	}
	if (wsi_der_equal(&oid, &oid_rsa))
		return chain_rsa_is_costly(bits, why);
	if (!wsi_der_equal(&oid, &oid_ec)) {
		wsi_put(why,
		        "has a public key that is neither RSA nor ECDSA, which is not supported");
		return true;
	}
	if (wsi_der_take(&algorithm, WSI_DER_OID, &curve) == 0
	    && (wsi_der_equal(&curve, &oid_p256) || wsi_der_equal(&curve, &oid_p384)
	        || wsi_der_equal(&curve, &oid_p521)))
		return false;
	wsi_put(why, "has a key on an elliptic curve other than P-256, P-384 and P-521, the ones "
	             "that are accepted");
	return true;
}

WSI int wsi_chain_check_cost(const struct wsi_cert *certs, int n, struct wsi_text *why)
{
	struct wsi_text fault;
	char fault_buf[128];
	int i, k, same;

	if (n > WSI_CHAIN_MAX) {
		wsi_put(why, "the server sent ");
		wsi_put_u(why, (uint64_t)n);
		wsi_put(why, " certificates, more than the 10 that are accepted");
		return -1;
	}
	for (i = 0; i < n; i++) {
		wsi_text_init(&fault, fault_buf, sizeof fault_buf);
		if (chain_key_is_costly(&certs[i], &fault)) {
			chain_put_which(why, &certs[i], i);
			wsi_put(why, fault_buf);
			return -1;
		}
	}
	for (i = 1; i < n; i++) {
		for (same = 1, k = i + 1; k < n; k++)
			same += wsi_der_may_equal(certs[i].subject.p, certs[i].subject.len,
			                          certs[k].subject.p, certs[k].subject.len);
		if (same > CHAIN_SAME_NAME_MAX) {
			wsi_put(why, "the server sent ");
			wsi_put_u(why, (uint64_t)same);
			wsi_put(why, " certificates of the same name, ");
			chain_put_subject(why, &certs[i]);
			wsi_put(why, ", more than the 3 that are accepted");
			return -1;
		}
	}
	return 0;
}

/* Rules that mbedTLS does not know */

/* GeneralName, RFC 5280 4.2.1.6 */
enum chain_name_kind { CHAIN_DNS = 0x82, CHAIN_IP = 0x87, CHAIN_DIRECTORY = 0xa4 };

struct chain_constraint {
	const struct wsi_cert *ca;
	int critical;
	struct wsi_der permitted, excluded; /* GeneralSubtrees, or empty */
	long *left;                         /* comparisons left of CHAIN_COMPARED_MAX */
	struct wsi_text *why;
};

static bool chain_ends_with(const struct wsi_der *name, const unsigned char *tail, size_t len)
{
	struct wsi_str a, b;

	if (len > name->len)
		return false;
	a.p = (const char *)name->p + (name->len - len);
	a.len = len;
	b.p = (const char *)tail;
	b.len = len;
	return wsi_same_str(a, b);
}

/* "corp.test" covers itself and the names below it; ".corp.test" only those below it; "" all names.
 * wide: a name with "*" is covered too if it may stand for a name that is. */
static bool chain_dns_is_within(const struct wsi_der *name, const struct wsi_der *base, bool wide)
{
	if (base->len == 0)
		return true;
	if (chain_ends_with(name, base->p, base->len)
	    && (name->len == base->len || base->p[0] == '.'
	        || name->p[name->len - base->len - 1] == '.'))
		return name->len > base->len || base->p[0] != '.';
	/* "*.corp.test" may be host.corp.test */
	return wide && name->len > 2 && name->p[0] == '*' && name->p[1] == '.'
	       && chain_ends_with(base, name->p + 1, name->len - 1);
}

/* base is an address followed by a mask. */
static bool chain_ip_is_within(const struct wsi_der *name, const struct wsi_der *base)
{
	size_t i;

	if (base->len != 2 * name->len)
		return false;
	for (i = 0; i < name->len; i++) {
		if ((name->p[i] ^ base->p[i]) & base->p[name->len + i])
			return false;
	}
	return true;
}

/* A Name is covered if it begins with all parts of the base. Equal bytes have equal boundaries. */
static bool chain_directory_is_within(struct wsi_der name, struct wsi_der base)
{
	struct wsi_der parts, base_parts;

	if (wsi_der_take(&name, WSI_DER_SEQUENCE, &parts) != 0
	    || wsi_der_take(&base, WSI_DER_SEQUENCE, &base_parts) != 0)
		return false;
	return base_parts.len <= parts.len
	       && wsi_der_may_equal(parts.p, base_parts.len, base_parts.p, base_parts.len);
}

static bool chain_is_within(int kind, const struct wsi_der *name, const struct wsi_der *base,
                            bool wide)
{
	if (kind == CHAIN_DNS)
		return chain_dns_is_within(name, base, wide);
	if (kind == CHAIN_IP)
		return chain_ip_is_within(name, base);
	return chain_directory_is_within(*name, *base);
}

/* Begins the sentence about a constraint. */
static int chain_constraint_fails(const struct chain_constraint *k, const char *how)
{
	wsi_put(k->why, "in its chain the authority ");
	chain_put_subject(k->why, k->ca);
	wsi_put(k->why, how);
	return -1;
}

static int chain_put_constrained_name(const struct chain_constraint *k, int kind,
                                      const struct wsi_der *name)
{
	(void)chain_constraint_fails(k, " may not issue for ");
	if (kind == CHAIN_DNS)
		wsi_put_safe(k->why, name->p, name->len);
	else if (kind == CHAIN_IP && (name->len == 4 || name->len == 16))
		wsi_put_ip(k->why, name->p, (int)name->len);
	else if (kind == CHAIN_DIRECTORY)
		wsi_put_dn(k->why, name->p, name->len);
	else
		wsi_put(k->why, "this address");
	wsi_put(k->why, ": its name constraints do not permit it");
	return -1;
}

/* Looks at the subtrees of the name's kind. *seen: there are some. 1: one of them covers the name;
 * 0: none does; -1: they cannot be checked, and why has the sentence. */
static int chain_subtrees_cover(const struct chain_constraint *k, struct wsi_der list, int kind,
                                const struct wsi_der *name, bool wide, bool *seen)
{
	struct wsi_der subtree, base;
	int tag;

	while (list.len > 0) {
		if (wsi_der_take(&list, WSI_DER_SEQUENCE, &subtree) != 0
		    || wsi_der_next(&subtree, &tag, &base) != 0)
			return chain_constraint_fails(k,
			                              " has name constraints that cannot be read");
		if (--*k->left < 0)
			return chain_constraint_fails(k, " has too many name constraints");
		if (tag != kind)
			continue;
		if (subtree.len > 0) /* minimum and maximum, which RFC 5280 forbids */
			return chain_constraint_fails(
			    k, " has name constraints of a form that is not supported");
		if (kind != CHAIN_DNS && kind != CHAIN_IP && kind != CHAIN_DIRECTORY) {
			if (k->critical)
				return chain_constraint_fails(
				    k,
				    " has name constraints of a kind that is not supported: "
				    "only those of DNS names, addresses and directory names are");
			continue;
		}
		if (kind == CHAIN_IP && base.len != 8 && base.len != 32)
			return chain_constraint_fails(k,
			                              " has name constraints that cannot be read");
		*seen = true;
		if (chain_is_within(kind, name, &base, wide))
			return 1;
	}
	return 0;
}

/* 0; -1, with the sentence: the constraint does not allow this name. */
static int chain_check_name(const struct chain_constraint *k, int kind, const struct wsi_der *name)
{
	bool seen = false;
	int r;

	r = chain_subtrees_cover(k, k->excluded, kind, name, true, &seen);
	if (r != 0)
		return r < 0 ? -1 : chain_put_constrained_name(k, kind, name);
	seen = false;
	r = chain_subtrees_cover(k, k->permitted, kind, name, false, &seen);
	if (r < 0)
		return -1;
	return seen && r == 0 ? chain_put_constrained_name(k, kind, name) : 0;
}

/* The characters of a common name that may stand for a host */
static bool chain_is_host_character(int c)
{
	return wsi_is_letter_or_digit(c) || wsi_is_one_of(c, "-._*");
}

/* Without alternative names the common names count as DNS names. */
static int chain_check_common_names(const struct chain_constraint *k, const struct wsi_cert *c)
{
	struct wsi_der in = c->subject, sets, set, pair, oid, value;
	int tag;

	if (wsi_der_take(&in, WSI_DER_SEQUENCE, &sets) != 0)
		return 0;
	while (wsi_der_take(&sets, WSI_DER_SET, &set) == 0) {
		while (wsi_der_take(&set, WSI_DER_SEQUENCE, &pair) == 0) {
			if (wsi_der_take(&pair, WSI_DER_OID, &oid) != 0
			    || wsi_der_next(&pair, &tag, &value) != 0)
				return 0;
			if (wsi_der_equal(&oid, &oid_common_name)
			    && wsi_span_if((const char *)value.p, value.len,
			                   chain_is_host_character)
			           == value.len
			    && chain_check_name(k, CHAIN_DNS, &value) != 0)
				return -1;
		}
	}
	return 0;
}

/* Checks all names of a certificate below the CA of k. */
static int chain_check_names(const struct chain_constraint *k, const struct wsi_cert *c,
                             bool is_server)
{
	struct wsi_der value, list, name;
	int critical, tag, r = wsi_cert_extension(c, WSI_EXT_ALTERNATIVE_NAMES, &critical, &value);

	if (c->subject.len > 2
	    && chain_check_name(k, CHAIN_DIRECTORY, &c->subject) != 0) /* 2: the empty name */
		return -1;
	if (r == 0)
		return is_server ? chain_check_common_names(k, c) : 0;
	if (r < 0 || wsi_der_take(&value, WSI_DER_SEQUENCE, &list) != 0)
		return chain_constraint_fails(
		    k, " has name constraints, and the names it issued for cannot be read");
	while (list.len > 0) {
		if (wsi_der_next(&list, &tag, &name) != 0)
			return chain_constraint_fails(
			    k, " has name constraints, and the names it issued for cannot be read");
		if (chain_check_name(k, tag, &name) != 0)
			return -1;
	}
	return 0;
}

/* 1: the CA has name constraints; 0: it has none; -1, with the sentence: they cannot be read. */
static int chain_read_constraint(struct chain_constraint *k, const struct wsi_cert *ca)
{
	struct wsi_der value, subtrees, list;
	int tag, r;

	k->ca = ca;
	memset(&k->permitted, 0, sizeof k->permitted);
	memset(&k->excluded, 0, sizeof k->excluded);
	r = wsi_cert_extension(ca, WSI_EXT_NAME_CONSTRAINTS, &k->critical, &value);
	if (r == 0)
		return 0;
	if (r < 0 || wsi_der_take(&value, WSI_DER_SEQUENCE, &subtrees) != 0)
		return chain_constraint_fails(k, " has name constraints that cannot be read");
	while (subtrees.len > 0) {
		if (wsi_der_next(&subtrees, &tag, &list) != 0 || (tag != 0xa0 && tag != 0xa1))
			return chain_constraint_fails(k,
			                              " has name constraints that cannot be read");
		*(tag == 0xa0 ? &k->permitted : &k->excluded) = list;
	}
	return 1;
}

/* True: the certificate has no extended key usage, or one that allows a TLS server. */
static bool chain_may_serve(const struct wsi_cert *c)
{
	struct wsi_der value, list, oid;
	int critical, r = wsi_cert_extension(c, WSI_EXT_EXTENDED_KEY_USAGE, &critical, &value);

	if (r == 0)
		return true;
	if (r < 0 || wsi_der_take(&value, WSI_DER_SEQUENCE, &list) != 0)
		return false;
	while (wsi_der_take(&list, WSI_DER_OID, &oid) == 0) {
		if (wsi_der_equal(&oid, &oid_server_auth) || wsi_der_equal(&oid, &oid_any_usage))
			return true;
	}
	return false;
}

WSI int wsi_chain_check_rules(const struct wsi_cert *path, int n, struct wsi_text *why)
{
	long left = CHAIN_COMPARED_MAX;
	struct chain_constraint k = {.left = &left, .why = why};
	int i, below, r;
	bool self_issued;

	for (i = 0; i < n; i++) {
		if (i > 0 && i == n - 1) /* the user decides what the trusted one is for */
			continue;
		if (chain_may_serve(&path[i]))
			continue;
		chain_put_which(why, &path[i], i);
		wsi_put(why, "may not be used for a TLS server (extended key usage)");
		return -1;
	}
	for (i = 1; i < n; i++) {
		r = chain_read_constraint(&k, &path[i]);
		for (below = 0; below < i && r > 0; below++) {
			/* RFC 5280 4.2.1.10: not to self-issued certificates, unless the final one
			 */
			self_issued = path[below].issuer.len == path[below].subject.len
			              && memcmp(path[below].issuer.p, path[below].subject.p,
			                        path[below].issuer.len)
			                     == 0;
			if ((below == 0 || !self_issued)
			    && chain_check_names(&k, &path[below], below == 0) != 0)
				r = -1;
		}
		if (r < 0)
			return -1;
	}
	return 0;
}

/* Extensions that mbedTLS does not support */

/* True: there is a certificate policy other than anyPolicy, the only critical one that mbedTLS
 * supports. */
static bool chain_has_policy(struct wsi_der value)
{
	struct wsi_der list, policy, oid;

	if (wsi_der_take(&value, WSI_DER_SEQUENCE, &list) != 0)
		return true;
	while (wsi_der_take(&list, WSI_DER_SEQUENCE, &policy) == 0) {
		if (wsi_der_take(&policy, WSI_DER_OID, &oid) != 0
		    || !wsi_der_equal(&oid, &oid_any_policy))
			return true;
	}
	return false;
}

/* "2.5.29.30" */
static void chain_put_oid(struct wsi_text *t, const struct wsi_der *oid)
{
	uint64_t v = 0, first;
	bool is_first = true;
	size_t i;

	for (i = 0; i < oid->len; i++) {
		v = v << 7 | (oid->p[i] & 0x7f);
		if (oid->p[i] & 0x80)
			continue;
		if (is_first) { /* the first number holds two */
			first = v < 80 ? v / 40 : 2;
			wsi_put_u(t, first);
			wsi_put_c(t, '.');
			wsi_put_u(t, v - first * 40);
			is_first = false;
		} else {
			wsi_put_c(t, '.');
			wsi_put_u(t, v);
		}
		v = 0;
	}
}

static bool chain_is_unknown(const struct wsi_der *oid, const struct wsi_der *value)
{
	/* subjectKeyIdentifier, keyUsage, subjectAltName, basicConstraints, authorityKeyIdentifier,
	 * extKeyUsage */
	static const unsigned char known[] = {14, 15, WSI_EXT_ALTERNATIVE_NAMES,
	                                      19, 35, WSI_EXT_EXTENDED_KEY_USAGE};

	if (wsi_der_equal(oid, &oid_ns_cert_type))
		return false;
	if (oid->len != 3 || oid->p[0] != 0x55 || oid->p[1] != 0x1d)
		return true;
	if (oid->p[2] == WSI_EXT_POLICIES)
		return chain_has_policy(*value);
	return memchr(known, oid->p[2], sizeof known) == NULL;
}

WSI void wsi_chain_put_unknown(const struct wsi_cert *certs, int n, struct wsi_text *why)
{
	static const struct {
		unsigned char id;
		const char *name;
	} names[] = {{WSI_EXT_NAME_CONSTRAINTS, "name constraints "},
	             {WSI_EXT_POLICIES, "certificate policies "},
	             {WSI_EXT_POLICY_MAPPINGS, "policy mappings "},
	             {WSI_EXT_POLICY_CONSTRAINTS, "policy constraints "},
	             {WSI_EXT_INHIBIT_ANY_POLICY, "inhibit any policy "}};
	struct wsi_der list, oid, value;
	int i, critical;
	size_t k;

	for (i = 0; i < n; i++) {
		list = certs[i].extensions;
		while (wsi_cert_extension_next(&list, &oid, &critical, &value) == 1) {
			if (!critical || !chain_is_unknown(&oid, &value))
				continue;
			chain_put_which(why, &certs[i], i);
			wsi_put(
			    why,
			    "has a critical extension that this TLS library does not support: ");
			for (k = 0; k < sizeof names / sizeof names[0]; k++) {
				if (oid.len == 3 && oid.p[0] == 0x55 && oid.p[1] == 0x1d
				    && oid.p[2] == names[k].id)
					wsi_put(why, names[k].name);
			}
			wsi_put_c(why, '(');
			chain_put_oid(why, &oid);
			wsi_put_c(why, ')');
			return;
		}
	}
}
#endif
