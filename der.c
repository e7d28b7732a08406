/* SPDX-License-Identifier: ISC
 * der.c - the parts of a certificate, read from its DER (RFC 5280, X.690)
 *
 * Slices point into the caller's bytes. Nothing here knows a TLS library.
 */
#include "ws_tls.h"

#ifdef WS_WITH_MBEDTLS
#include <string.h>

/* Elements */

bool wsi_der_equal(const struct wsi_der *a, const struct wsi_der *b)
{
	return a->len == b->len && memcmp(a->p, b->p, a->len) == 0;
}

/* The length of an element's header; *len is that of its content. 0: p[0..n) does not hold a whole
 * element. */
static size_t der_head(const unsigned char *p, size_t n, size_t *len)
{
	size_t head = 2, i;

	if (n < 2)
		return 0;
	*len = p[1];
	if (p[1] & 0x80) {
		head += p[1] & 0x7f;
		if (head > 5 || head > n)
			return 0;
		for (*len = 0, i = 2; i < head; i++)
			*len = *len << 8 | p[i];
	}
	return head + *len <= n ? head : 0;
}

int wsi_der_next(struct wsi_der *in, int *tag, struct wsi_der *content)
{
	size_t len, head = der_head(in->p, in->len, &len);

	if (head == 0)
		return -1;
	*tag = in->p[0];
	content->p = in->p + head;
	content->len = len;
	in->p += head + len;
	in->len -= head + len;
	return 0;
}

int wsi_der_take(struct wsi_der *in, int want, struct wsi_der *content)
{
	int tag;

	if (in->len == 0 || in->p[0] != want)
		return -1;
	return wsi_der_next(in, &tag, content);
}

/* As wsi_der_take, but *whole is the element with its header. */
static int der_take_whole(struct wsi_der *in, int want, struct wsi_der *whole)
{
	struct wsi_der content;

	whole->p = in->p;
	if (wsi_der_take(in, want, &content) != 0)
		return -1;
	whole->len = (size_t)(in->p - whole->p);
	return 0;
}

WSI const unsigned char *wsi_der_subject(const unsigned char *p, size_t n, size_t *len)
{
	struct wsi_cert c;

	if (wsi_cert_read(&c, p, n) != 0)
		return NULL;
	*len = c.subject.len;
	return c.subject.p;
}

WSI bool wsi_der_may_equal(const unsigned char *a, size_t a_len, const unsigned char *b,
                           size_t b_len)
{
	size_t i;

	if (a_len != b_len)
		return false;
	for (i = 0; i < a_len; i++) {
		if (wsi_lower(a[i]) != wsi_lower(b[i]) && (a[i] ^ b[i]) != (0x0c ^ 0x13))
			return false;
	}
	return true;
}

/* One certificate */

WSI int wsi_cert_read(struct wsi_cert *c, const unsigned char *der, size_t len)
{
	struct wsi_der in = {der, len}, cert, tbs, skipped, more;
	int tag;

	memset(c, 0, sizeof *c);
	/* RFC 5280 4.1 */
	if (wsi_der_take(&in, WSI_DER_SEQUENCE, &cert) != 0
	    || wsi_der_take(&cert, WSI_DER_SEQUENCE, &tbs) != 0)
		return -1;
	(void)wsi_der_take(&tbs, WSI_DER_VERSION, &skipped);
	if (wsi_der_take(&tbs, WSI_DER_INTEGER, &skipped) != 0
	    || wsi_der_take(&tbs, WSI_DER_SEQUENCE, &skipped) != 0
	    || der_take_whole(&tbs, WSI_DER_SEQUENCE, &c->issuer) != 0
	    || wsi_der_take(&tbs, WSI_DER_SEQUENCE, &skipped) != 0
	    || der_take_whole(&tbs, WSI_DER_SEQUENCE, &c->subject) != 0)
		return -1;
	if (wsi_der_take(&tbs, WSI_DER_SEQUENCE, &c->key) != 0)
		return 0; /* the fields that are missing stay empty */
	while (tbs.len > 0) {
		if (wsi_der_next(&tbs, &tag, &more) != 0)
			return -1;
		if (tag == WSI_DER_EXTENSIONS
		    && wsi_der_take(&more, WSI_DER_SEQUENCE, &c->extensions) != 0)
			return -1;
	}
	return 0;
}

int wsi_cert_extension_next(struct wsi_der *list, struct wsi_der *oid, int *critical,
                            struct wsi_der *value)
{
	struct wsi_der one, boolean;

	if (list->len == 0)
		return 0;
	if (wsi_der_take(list, WSI_DER_SEQUENCE, &one) != 0
	    || wsi_der_take(&one, WSI_DER_OID, oid) != 0)
		return -1;
	*critical = 0;
	if (wsi_der_take(&one, WSI_DER_BOOLEAN, &boolean) == 0)
		*critical = boolean.len > 0 && boolean.p[0] != 0;
	return wsi_der_take(&one, WSI_DER_OCTET_STRING, value) == 0 ? 1 : -1;
}

WSI int wsi_cert_extension(const struct wsi_cert *c, int id, int *critical, struct wsi_der *value)
{
	struct wsi_der list = c->extensions, oid;
	int r;

	while ((r = wsi_cert_extension_next(&list, &oid, critical, value)) == 1) {
		if (oid.len == 3 && oid.p[0] == 0x55 && oid.p[1] == 0x1d && oid.p[2] == id)
			return 1;
	}
	return r;
}

/* The attributes by which people know a name, as in "C=XX, O=Some CA, CN=Its name". */
WSI void wsi_put_dn(struct wsi_text *t, const unsigned char *name, size_t len)
{
	static const struct {
		struct wsi_der oid;
		const char *text;
	} known[] = {{WSI_OID("\x55\x04\x03"), "CN="},
	             {WSI_OID("\x55\x04\x06"), "C="},
	             {WSI_OID("\x55\x04\x07"), "L="},
	             {WSI_OID("\x55\x04\x08"), "ST="},
	             {WSI_OID("\x55\x04\x0a"), "O="},
	             {WSI_OID("\x55\x04\x0b"), "OU="},
	             {WSI_OID("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19"), "DC="}};
	struct wsi_der in = {name, len}, sets, set, pair, oid, value;
	const char *sep = "";
	size_t i;
	int tag;

	if (wsi_der_take(&in, WSI_DER_SEQUENCE, &sets) != 0)
		return;
	while (wsi_der_take(&sets, WSI_DER_SET, &set) == 0) {
		while (wsi_der_take(&set, WSI_DER_SEQUENCE, &pair) == 0) {
			if (wsi_der_take(&pair, WSI_DER_OID, &oid) != 0
			    || wsi_der_next(&pair, &tag, &value) != 0)
				return;
			for (i = 0; i < sizeof known / sizeof known[0]; i++) {
				if (!wsi_der_equal(&oid, &known[i].oid))
					continue;
				wsi_put(t, sep);
				wsi_put(t, known[i].text);
				wsi_put_safe(t, value.p, value.len);
				sep = ", ";
			}
		}
	}
}
#endif
