/* SPDX-License-Identifier: ISC
 * tls_port.c - what differs between versions of mbedTLS, beside the macros of ws_mbedtls.h
 */
#include "ws_mbedtls.h"

#ifdef WS_WITH_MBEDTLS
/* Which keys and signatures of certificates hold, and which curves are offered: those that public
 * CAs use */
#if MBEDTLS_VERSION_NUMBER < 0x04000000
static const mbedtls_x509_crt_profile tls_profile = {
    MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA256) | MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA384)
        | MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA512),
    0xfffffff, /* all kinds of keys that the library knows: RSA and elliptic curves */
    MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP256R1) | MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP384R1)
        | MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP521R1),
    2048 /* bits of RSA at least */
};
#else
#define tls_profile                                                                                \
	mbedtls_x509_crt_profile_default /* curves have no public names any more; chain.c checks them */
#endif
#if MBEDTLS_VERSION_NUMBER >= 0x03010000
static const uint16_t tls_groups[] = {
    MBEDTLS_SSL_IANA_TLS_GROUP_X25519, MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1, MBEDTLS_SSL_IANA_TLS_GROUP_SECP521R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_NONE};
#define TLS_CONF_GROUPS mbedtls_ssl_conf_groups
#else
static const mbedtls_ecp_group_id tls_groups[] = {
#if defined(MBEDTLS_ECP_DP_CURVE25519_ENABLED)
    MBEDTLS_ECP_DP_CURVE25519,
#endif
#if defined(MBEDTLS_ECP_DP_SECP256R1_ENABLED)
    MBEDTLS_ECP_DP_SECP256R1,
#endif
#if defined(MBEDTLS_ECP_DP_SECP384R1_ENABLED)
    MBEDTLS_ECP_DP_SECP384R1,
#endif
#if defined(MBEDTLS_ECP_DP_SECP521R1_ENABLED)
    MBEDTLS_ECP_DP_SECP521R1,
#endif
    MBEDTLS_ECP_DP_NONE};
#define TLS_CONF_GROUPS mbedtls_ssl_conf_curves
#endif

int wsi_tls_no_memory(int ret)
{
#if MBEDTLS_VERSION_NUMBER >= 0x04000000
	return ret == PSA_ERROR_INSUFFICIENT_MEMORY;
#else
	int low = -(-ret & 0x7f), high = -(-ret & 0xff80); /* an error is the sum of two layers' */

	return low == MBEDTLS_ERR_MPI_ALLOC_FAILED || low == MBEDTLS_ERR_ASN1_ALLOC_FAILED
	       || high == MBEDTLS_ERR_SSL_ALLOC_FAILED || high == MBEDTLS_ERR_X509_ALLOC_FAILED
	       || high == MBEDTLS_ERR_PK_ALLOC_FAILED || high == MBEDTLS_ERR_ECP_ALLOC_FAILED
	       || high == MBEDTLS_ERR_MD_ALLOC_FAILED;
#endif
}

const mbedtls_x509_crt_profile *wsi_tls_get_profile(void)
{
	return &tls_profile;
}

void wsi_tls_set_groups(mbedtls_ssl_config *conf)
{
	TLS_CONF_GROUPS(conf, tls_groups);
}
#endif
