/* SPDX-License-Identifier: ISC
 * ws_bytes.h - layer 1, internal: text and bytes of the protocols. No socket, clock, allocation or stdio; of libc
 * memcpy, memmove, memset and memcmp at most. Slices point into the caller's bytes.
 */
#ifndef WS_BYTES_H
#define WS_BYTES_H
#include "ws_pure.h"

struct wsi_str {
	const char *p;
	size_t len;
};

/* url.c: RFC 3986, RFC 6455 section 3 */
WSI int wsi_same_str(struct wsi_str a, struct wsi_str b); /* 1: equal, ASCII case ignored */
struct wsi_url {
	int secure;              /* wss, https */
	int ip;                  /* 4, 16: host is a numeric address of that many bytes; 0: a name */
	int has_user;            /* userinfo is there, though it may be empty */
	uint16_t port;           /* given, or 80, 443 */
	struct wsi_str userinfo; /* as it stands, percent-encoded, without '@' */
	struct wsi_str host;     /* without brackets; for a literal with a zone (RFC 6874) without it */
	struct wsi_str zone;     /* "eth0" of "[fe80::1%25eth0]" */
	struct wsi_str path;     /* with query, without fragment; empty stands for "/", and may begin with '?' */
};
/* 0, or -1: *why is a static sentence (it names no part of userinfo), *where the offset of the byte it is about */
WSI int wsi_url_parse(struct wsi_url *u, const char *url, size_t len, const char **why, size_t *where);
WSI void wsi_put_url(struct wsi_text *t, const char *url, size_t len); /* as given, but without userinfo, even where the
                                                                         URL is wrong; safe for a sentence */
WSI void wsi_put_hostport(struct wsi_text *t, const struct wsi_url *u, int always_port); /* "[::1]:8080"; the default
                                                                  port of the scheme is left out unless always_port */
/* RFC 3986 5.2: the reference ref against base (with a scheme), fragment dropped if drop_fragment. The length, without
 * the NUL put behind; 0: it does not fit in cap, or base is not absolute. */
WSI size_t wsi_url_resolve(char *out, size_t cap, const char *base, size_t base_len, const char *ref, size_t ref_len,
                           int drop_fragment);
/* The next byte behind *p, which is < end, percent-decoded; -1: a bad escape */
WSI int wsi_url_next(const char **p, const char *end);
/* What is behind "scheme://", from at on; u is zeroed but for its default port. NULL, or a static sentence */
WSI const char *wsi_url_rest(struct wsi_url *u, const char *url, size_t len, size_t at, size_t *where);
/* The scheme among names, see wsi_among. *at: behind "scheme://", 0 where there is none */
WSI int wsi_url_scheme(const char *url, size_t len, const char *names, size_t *at);
WSI int wsi_hex(int c);                                          /* 0-15, or -1 */
WSI size_t wsi_find(const char *p, size_t len, char c);          /* where the first c is, or len */
WSI int wsi_among(const char *p, size_t len, const char *names); /* 0, 1 ... of "ws\0wss\0", case ignored; or -1 */
WSI int wsi_number(const char *p, size_t len, int max); /* decimal digits alone; -1: none, others, or over max */
/* How many bytes from p on are unreserved (RFC 3986 2.3) or in extra, where '%' stands for an escape */
WSI size_t wsi_url_span(const char *p, size_t len, const char *extra);
/* A host's name or IPv4 address: NULL, *ip 4 or 0, or a static sentence, *where in p */
WSI const char *wsi_host_check(const char *p, size_t len, int *ip, size_t *where);
/* 1: the host is the domain or in it, by whole labels; case and final dots ignored */
WSI int wsi_in_domain(struct wsi_str host, const char *domain, size_t len);
#define wsi_is_localhost(host) wsi_in_domain(host, "localhost", 9) /* RFC 6761 6.3 */

/* frame.c: RFC 6455 section 5.2 and 5.3 */
enum { WSI_CONT = 0, WSI_TEXT = 1, WSI_BINARY = 2, WSI_CLOSE = 8, WSI_PING = 9, WSI_PONG = 10 };
#define WSI_FIN 0x80
#define WSI_RSV 0x70
#define WSI_FRAME_HEAD_MAX 14
#define WSI_CONTROL_MAX 125
struct wsi_frame {
	uint64_t len;     /* of the payload */
	unsigned char b0; /* FIN, RSV, opcode as on the wire: who may use RSV is decided by the caller, in one place */
	unsigned char masked;
	unsigned char key[4];
};
/* > 0: bytes of the header; 0: p[0..n) ends inside it; -1: against the RFC whatever follows, *why says what (reserved
 * opcode, control frame fragmented or over 125 bytes, length not minimal or with its top bit set). Masked or not, and
 * RSV, are left to the caller. */
WSI int wsi_frame_decode(struct wsi_frame *f, const unsigned char *p, size_t n, const char **why);
/* Bytes written: 2 to 14. key NULL: not masked (a server's frame) */
WSI size_t wsi_frame_encode(unsigned char out[WSI_FRAME_HEAD_MAX], unsigned char b0, uint64_t len,
                            const unsigned char *key);
/* dst[i] = src[i] ^ key[(offset + i) % 4]; dst may be src */
WSI void wsi_mask(void *dst, const void *src, size_t len, const unsigned char key[4], uint64_t offset);
/* 1: may be sent in a close frame (RFC 6455 7.4): 1000-1003, 1007-1014, 3000-4999 */
WSI int wsi_close_code_ok(unsigned code);
WSI const char *wsi_close_name(unsigned code); /* "normal closure", ...; "" for one without a name */

/* handshake.c: RFC 6455 section 4, RFC 7230 */
struct wsi_request {
	const struct wsi_url *url;
	const char *key;                                 /* 24 characters of base64 */
	const char *const *headers;                      /* of ws_options, checked; NULL ends it */
	const char *const *subprotocols;                 /* likewise */
	const char *origin, *host, *user_agent, *cookie; /* NULL: as ws_options says */
	const char *user, *bearer;                       /* NULL: userinfo of the URL */
	int same_origin; /* 0: user, userinfo, bearer, cookie, host, and of headers Authorization, Cookie and Host are
	                    left out */
};
/* Appends the request to t; t->cut tells that it did not fit */
WSI void wsi_put_request(struct wsi_text *t, const struct wsi_request *r);
/* Checks headers, subprotocols and the strings of a request as an option's value: 0, or -1, *option is the field's name
 * in ws_options, *why a static sentence, *value the wrong element */
WSI int wsi_request_check(const struct wsi_request *r, const char **option, const char **why, const char **value);
/* escaped: user is a URL's userinfo, percent-encoded, and need not have a ':' */
WSI void wsi_put_basic(struct wsi_text *t, const char *user, size_t len, int escaped); /* "Basic dXNlcjpwYXNz" */

/* Where a head ends. scanned: 0 at first, kept between calls over the same, growing, bytes. lines: likewise. > 0:
 * length of the head with its empty line; 0: not yet; -1: over WS_MAX_HEAD or WS_MAX_HEAD_LINES, or a byte that no head
 * may hold; *why says which. */
struct wsi_head_scan {
	size_t scanned;
	int lines, state;
};
WSI ptrdiff_t wsi_head_end(struct wsi_head_scan *s, const char *p, size_t len, const char **why);

struct wsi_response {
	int status;            /* 100-999 */
	int minor;             /* of HTTP/1.x */
	struct wsi_str reason; /* may be empty */
	struct wsi_str fields; /* the header lines, to walk with wsi_header_next */
};
/* A whole head as wsi_head_end found it. 0, or -1: *why says what is wrong (status line, obs-fold, space before the
 * colon, a control character, no colon ...) */
WSI int wsi_response_parse(struct wsi_response *r, const char *head, size_t len, const char **why);
/* Walks header lines: 1: *name and *value (trimmed) are the next; 0: no more; -1: wrong, which wsi_response_parse
 * has refused. *at: 0 at first */
WSI int wsi_header_next(const struct wsi_response *r, size_t *at, struct wsi_str *name, struct wsi_str *value);
/* The first of that name: 1, or 0: none (value is then empty) */
WSI int wsi_header_get(const struct wsi_response *r, const char *name, struct wsi_str *value);
/* The rules of RFC 6455 4.1 for a 101: 0, or -1 and *why. accept: 28 characters, see wsi_accept. *subprotocol is one of
 * the offered strings or NULL. */
WSI int wsi_response_check(const struct wsi_response *r, const char *accept, const char *const *offered,
                           const char **subprotocol, const char **why);
WSI void wsi_accept(char out[28], const char key[24]); /* RFC 6455 4.2.2 5.4; no NUL */

/* Body of a refused upgrade: decodes Transfer-Encoding: chunked as it comes (RFC 7230 4.1) */
struct wsi_body {
	int chunked, state;
	uint64_t left; /* of the chunk, or of Content-Length */
	int done;      /* 1: the body has ended */
};
WSI void wsi_body_init(struct wsi_body *b, const struct wsi_response *r);
/* Takes len bytes, appends what they decode to into out[*out_len..cap); bytes beyond cap are dropped. b->done at the
 * end or at what is no chunk; a trailer is not waited for. */
WSI void wsi_body_feed(struct wsi_body *b, const char *p, size_t len, char *out, size_t cap, size_t *out_len);

/* proxy.c: RFC 7231 4.3.6, RFC 1928, RFC 1929, SOCKS4(a), as bytes in and bytes out */
enum wsi_proxy_kind { WSI_HTTP = 1, WSI_SOCKS4, WSI_SOCKS4A, WSI_SOCKS5, WSI_SOCKS5H };
struct wsi_proxy_url {
	enum wsi_proxy_kind kind;
	struct wsi_url url; /* its host, port (80 or 1080 by default), userinfo */
};
WSI int wsi_proxy_parse(struct wsi_proxy_url *p, const char *url, size_t len, const char **why, size_t *where);
WSI int wsi_proxy_resolves_here(enum wsi_proxy_kind kind); /* 1: SOCKS4, SOCKS5 get an address that we looked up */

struct wsi_proxy { /* one dialogue */
	enum wsi_proxy_kind kind;
	int state, version;
	struct wsi_str userinfo;      /* of the proxy's URL, percent-encoded; borrowed until done */
	const struct wsi_url *target; /* borrowed until done */
	unsigned char addr[16];       /* the target's, where it was looked up here */
	int addr_len;                 /* 4, 16, 0: by name */
	struct wsi_head_scan scan;
	int status; /* HTTP status or SOCKS reply of a refusal */
};
/* One step. in[0..in_len): all bytes of the proxy that are not used up yet. *used: how many this step uses up. out:
 * what to send now, appended. 1: the tunnel stands; 0: send out, read more, step again (in then begins behind what was
 * used); -1: refused or nonsense, why is a sentence's end, to go behind the proxy's name ("said 407 Proxy
 * Authentication Required", "said 4 host unreachable"), no secret in it. Bytes beyond *used belong to the tunnel. */
#define WSI_PROXY_OUT_MAX 2048 /* room out must have */
WSI void wsi_proxy_init(struct wsi_proxy *p, const struct wsi_proxy_url *proxy, const struct wsi_url *target,
                        const unsigned char *addr, int addr_len);
WSI int wsi_proxy_step(struct wsi_proxy *p, const unsigned char *in, size_t in_len, size_t *used, struct wsi_text *out,
                       struct wsi_text *why);

/* 1: list (ws_options.no_proxy) has the host; 0: not; -1: an entry is no host, domain or CIDR block: *bad. The whole
 * list is checked first. url NULL: check alone. */
WSI int wsi_no_proxy(const char *list, const struct wsi_url *url, struct wsi_str *bad);

#endif
