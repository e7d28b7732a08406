/* SPDX-License-Identifier: ISC
 * ws_proto.h - internal: text and bytes of the protocols. No socket, clock, allocation or stdio; of
 * libc memcpy, memmove, memset, memcmp and strlen at most. Slices point into the caller's bytes.
 */
#ifndef WS_PROTO_H
#define WS_PROTO_H
#include "ws_pure.h"

/* Over the program's own transport there is neither a proxy nor another server. */
#ifdef WS_NO_NET
#ifndef WS_NO_PROXY
#define WS_NO_PROXY
#endif
#ifndef WS_NO_REDIRECTS
#define WS_NO_REDIRECTS
#endif
#endif

/* url.c: RFC 3986, RFC 6455 section 3 */
#define WSI_AUTHORITY_ENDS "/?#" /* the characters that end an authority (RFC 3986 3.2) */
enum wsi_scheme {
	WSI_WS,
	WSI_WSS,
	WSI_HTTPS,
	WSI_HTTP,
	WSI_SOCKS4,
	WSI_SOCKS4A,
	WSI_SOCKS5,
	WSI_SOCKS5H
};
struct wsi_url {
	enum wsi_scheme scheme;
	bool secure; /* wss, https */
	/* As it stands in the URL, percent-encoded and without its '@'. If the URL is wrong, it may
	 * hold all that follows "scheme://", or the whole URL if it does not begin so: everything
	 * that may contain a password. */
	struct wsi_str userinfo;
	/* Without brackets and without a zone */
	struct wsi_str host;
	struct wsi_str zone; /* "eth0" of "[fe80::1%25eth0]" (RFC 6874) */
	/* 4 or 16 if the host is a numeric address of that many bytes, which are in addr; 0 if it
	 * is a name. */
	int ip;
	unsigned char addr[WSI_IP_MAX];
	int port;          /* as given, or standard_port */
	int standard_port; /* of the scheme */
	/* With the query. It may be empty or begin with '?': the path is then "/". */
	struct wsi_str path;
	/* If the URL is wrong, the byte at fault */
	const char *at;
};
/* The URL of a server. Returns NULL, or what is wrong: a static sentence, without any part of the
 * userinfo. */
WSI const char *wsi_url_parse(struct wsi_url *u, const char *url, size_t len);
/* The URL of a proxy. Without "scheme://" it means http://, as for curl. */
WSI const char *wsi_url_parse_proxy(struct wsi_url *u, const char *url, size_t len);
/* What follows "scheme://". The port is the one to use where none is given. Sets all but scheme and
 * secure. */
WSI const char *wsi_url_rest(struct wsi_url *u, const char *p, size_t len, int port);
/* True for "ws" and the other schemes of servers and proxies. Case does not matter. */
WSI bool wsi_url_is_scheme(const char *name, size_t len);
/* Appends what wsi_url_parse returned for a URL that goes up to end, and how the wrong byte is
 * written: "...: in its user name, \ is written %5C". wsi_put_url_why adds the number of the byte:
 * "... (byte 11)". */
WSI void wsi_put_url_fault(struct wsi_text *t, const struct wsi_url *u, const char *end,
                           const char *why);
WSI void wsi_put_url_why(struct wsi_text *t, const struct wsi_url *u, const char *url, size_t len,
                         const char *why);
/* Appends "[::1]:8080", without the port if it is the standard one, unless always_port. */
WSI void wsi_put_hostport(struct wsi_text *t, const struct wsi_url *u, bool always_port);
/* RFC 3986 5.2: turns t, an absolute URL, into the URL that the reference means there, without its
 * fragment. False if it does not fit, or t is not absolute. */
WSI bool wsi_url_resolve(struct wsi_text *t, const char *ref, size_t len);
/* The number of bytes up to the first that is neither of the class nor part of an escape "%41". */
WSI size_t wsi_url_span_if(const char *p, size_t len, wsi_class *is);
/* Takes the next byte from *p, percent-decoded, where wsi_url_span_if has checked the escapes. */
WSI int wsi_url_next(const char **p);
/* 1: the host is the domain; 2: it is in the domain, by whole labels; 0: neither. Case and a final
 * dot do not matter. Neither may be empty. */
WSI int wsi_in_domain(struct wsi_str host, const char *domain, size_t len);
#define wsi_is_localhost(host) wsi_in_domain(host, "localhost", 9) /* RFC 6761 6.3 */

/* url_show.c */
/* Appends a URL, right or wrong: without userinfo, and with the values of secret parameters as
 * "***". Of a wrong one, what follows a ':' and is not a number is left out too, because it may be
 * a password. */
WSI void wsi_put_url(struct wsi_text *t, const char *url, size_t len);
/* The same for a reference, and for the URL of a proxy that is wrong. */
WSI void wsi_put_location(struct wsi_text *t, const char *ref, size_t len);
WSI void wsi_put_proxy_url(struct wsi_text *t, const char *url, size_t len);

/* frame.c: RFC 6455 sections 5.2 and 5.3. The opcodes: */
enum { WSI_CONT = 0, WSI_TEXT = 1, WSI_BINARY = 2, WSI_CLOSE = 8, WSI_PING = 9, WSI_PONG = 10 };
/* The parts of the first byte */
#define WSI_FIN 0x80
#define WSI_RSV 0x70
#define WSI_OPCODE 0x0f
#define WSI_CONTROL_BIT 0x08 /* of an opcode */

#define WSI_FRAME_HEAD_MAX 14 /* bytes of the longest header */
#define WSI_CONTROL_MAX 125   /* bytes of the longest payload of a control frame */
struct wsi_frame {
	uint64_t len;     /* of the payload */
	unsigned char b0; /* the first byte, with FIN, RSV and the opcode */
	unsigned char
	    head; /* bytes of the header; 0: it is not whole, and the other fields are not set */
};
/* Decodes the header of a server's frame. NULL, or what violates the RFC whatever bytes follow: a
 * reserved opcode, a control frame that is fragmented or over 125 bytes, a mask, a length that is
 * not minimal or has its top bit set. The caller decides who may set RSV. */
WSI const char *wsi_frame_decode(struct wsi_frame *f, const unsigned char *p, size_t n);
/* Writes a header and returns its length, 2 to 14. Without a key the frame is not masked. */
WSI size_t wsi_frame_encode(unsigned char out[WSI_FRAME_HEAD_MAX], unsigned char b0, uint64_t len,
                            const unsigned char *key);
/* Masks or unmasks: dst[i] = src[i] ^ key[i % 4]. dst may be src. */
WSI void wsi_mask(void *dst, const void *src, size_t len, const unsigned char key[4]);
/* True if a close frame may carry the code (RFC 6455 7.4): 1000-1003, 1007-1014, 3000-4999. */
WSI bool wsi_close_code_ok(unsigned code);
/* "normal closure", or "" for a code without a name. */
WSI const char *wsi_close_name(unsigned code);
/* "1000 (normal closure)" */
WSI void wsi_put_close_code(struct wsi_text *t, unsigned code);

/* header.c: RFC 7230 3.2 */
struct wsi_header {
	struct wsi_str name, value; /* without the spaces around it */
};
/* RFC 7230 3.2: the bytes of a header's value. NUL and CR are not among them, so either ends it. */
WSI bool wsi_is_header_text(int c);
/* Splits "Name: value". Returns the end of the value, which is the first byte that is not
 * wsi_is_header_text. NULL: the line is not a header. */
WSI const char *wsi_header_split(const char *line, struct wsi_header *h);
/* Splits a line of a head that wsi_response_read has accepted, or of our request. Returns the next
 * line; NULL: this is the empty line at the end. */
WSI const char *wsi_header_next(const char *line, struct wsi_header *h);
/* The first header line of such a head. */
WSI const char *wsi_head_fields(const char *head, size_t len);
/* Appends the headers of such a head as "name", NUL, "value", NUL, which takes at most as many bytes
 * as they have there. Values of one name are joined by ", " (RFC 7230 3.2.2). */
WSI void wsi_put_headers(struct wsi_text *t, const char *fields);
/* The value of that name among the headers that wsi_put_headers has put, or NULL. */
WSI const char *wsi_find_header(const char *headers, size_t len, struct wsi_str name);
/* The place of s in a list that NULL ends, or NULL. Case counts. */
WSI const char *const *wsi_find_string(const char *const *list, struct wsi_str s);

/* request.c: RFC 6455 4.1 */
struct ws_options;
#define WSI_REQUEST_KEY_LEN 24 /* characters of Sec-WebSocket-Key */
#define WSI_USER_AGENT "libws/" WS_VERSION
struct wsi_request {
	struct wsi_text *out;
	const struct wsi_url *url;
	const char *key;              /* Sec-WebSocket-Key */
	const struct ws_options *opt; /* wsi_request_check has found nothing wrong with it */
	/* 0: a redirect has left the first origin. Then user, userinfo, bearer, cookie and host are
	 * left out, and of the user's headers Host and those of wsi_is_secret_header. */
	int same_origin;
};
/* Appends the request to out. It did not fit if out->cut. */
WSI void wsi_put_request(const struct wsi_request *r);
/* Checks the options that go into a request. NULL: all are right. Otherwise the end of a sentence,
 * static or in text; *option is then the field of ws_options, and *value the wrong string. */
WSI const char *wsi_request_check(const struct ws_options *o, const char **option,
                                  const char **value, struct wsi_text *text);
/* "name:password" in base64 */
WSI void wsi_put_basic_login(struct wsi_text *t, const char *login);
/* The same for a URL's userinfo, which is percent-encoded and may lack the password. */
WSI void wsi_put_basic_userinfo(struct wsi_text *t, struct wsi_str userinfo);

/* response.c: RFC 7230, RFC 6455 4.1 */
enum wsi_seen_header {
	WSI_UPGRADE,
	WSI_CONNECTION,
	WSI_TRANSFER_ENCODING,
	WSI_CONTENT_LENGTH,
	WSI_EXTENSIONS,
	WSI_ACCEPT,
	WSI_PROTOCOL,
	WSI_VERSION,
	WSI_RETRY_AFTER,
	WSI_LOCATION,
	WSI_VIA,
	WSI_SEEN
};
/* All headers of one name. */
struct wsi_seen {
	/* Of the first one that is not empty. "0" only if no other one has a value. */
	struct wsi_str value;
	int count;
	/* 1: they list "websocket" (Upgrade), "Upgrade" (Connection), "chunked" (Transfer-Encoding)
	 * or "13" (Sec-WebSocket-Version). 0 for all others. */
	int listed;
};
/* All zero at first. */
struct wsi_response {
	/* Bytes of the head that have been read, and complete lines among them. */
	size_t len;
	int lines;
	/* 100 to 999; 0: not known yet. See wsi_response_read. */
	int status;
	/* Of HTTP/1.x. */
	int minor;
	/* 1: the peer sent a TLS record. */
	int is_tls;
	/* The reason phrase, which may be empty. */
	struct wsi_str reason;
	/* The first header line, for wsi_header_next. NULL: the head is wrong. */
	const char *fields;
	struct wsi_seen seen[WSI_SEEN];
};
/* Goes on with a head of which p[0..len) has arrived: the bytes of the last call and more. 1: it is
 * complete. r->len is its length with the empty line, and its folded lines are unfolded (RFC 7230
 * 3.2.4). 0: more has to come. -1: it is larger than WS_MAX_HEAD or WS_MAX_HEAD_LINES, or is not a
 * head of HTTP/1.x; why is then the end of a sentence. If the status line was valid, r->status and
 * r->reason hold what it said. */
WSI int wsi_response_read(struct wsi_response *r, char *p, size_t len, struct wsi_text *why);
/* Checks a 101 by the rules of RFC 6455 4.1. 0: the WebSocket is open; *subprotocol is one of the
 * offered strings, or NULL. -1: why is the end of a sentence, *option the field of ws_options that
 * may help, or "". */
WSI int wsi_response_check(const struct wsi_response *r, const char *accept,
                           const char *const *offered, const char **subprotocol,
                           const char **option, struct wsi_text *why);
#define WSI_ACCEPT_LEN 28
/* The value of Sec-WebSocket-Accept for that key: RFC 6455 4.2.2, 5.4. It has no NUL. */
WSI void wsi_accept(char out[WSI_ACCEPT_LEN], const char key[WSI_REQUEST_KEY_LEN]);

/* The body of a refusal, decoded as it arrives (RFC 7230 3.3.3, 4.1). */
enum wsi_body_state {
	WSI_BODY_ENDED,
	WSI_BODY_COUNTED,    /* left bytes are to come: Content-Length */
	WSI_BODY_TO_EOF,     /* everything up to the end of file */
	WSI_CHUNK_BEGIN,     /* the first digit of a chunk's size is to come */
	WSI_CHUNK_SIZE,      /* within the size; left is its value so far */
	WSI_CHUNK_EXTENSION, /* behind the size, up to the end of its line */
	WSI_CHUNK_DATA,      /* left bytes are to come */
	WSI_CHUNK_DATA_END   /* the line end behind the data is to come */
};
struct wsi_body {
	enum wsi_body_state state;
	uint64_t left;
};
WSI void wsi_body_init(struct wsi_body *b, const struct wsi_response *r);
/* Decodes len bytes into out; what does not fit is dropped. A byte that does not belong into a
 * chunked body ends it. */
WSI void wsi_body_feed(struct wsi_body *b, struct wsi_text *out, const char *p, size_t len);

/* refusal.c */
struct wsi_sent {        /* what a request had that may explain why it was refused */
	char scheme[16]; /* of Authorization; "" for none, or one that we do not know */
	int login, origin, subprotocols; /* 1: there was that header */
};
WSI void wsi_note_sent(struct wsi_sent *sent, const char *request, size_t len);

struct wsi_refusal {
	const struct wsi_response
	    *response;       /* .fields is NULL if its head is wrong after the status line */
	struct wsi_str body; /* as much of it as has come */
	const struct wsi_url *url;
	const struct ws_options
	    *opt; /* their secrets are not shown, even if the body quotes them */
	struct wsi_sent sent;
};
/* 1: a text of the server contains a secret that we may have sent to that URL, so that it must not
 * be shown. */
WSI int wsi_shows_secret(struct wsi_str text, const struct ws_options *o, const struct wsi_url *u);
/* Appends " Forbidden (\"first line of the body\"): what may help" behind the status. Returns the
 * field of ws_options that may help, or "". */
WSI const char *wsi_put_refusal(struct wsi_text *t, const struct wsi_refusal *f);
/* Likewise for the answer to CONNECT. login: 1: user and password were sent. */
WSI void wsi_put_proxy_refusal(struct wsi_text *t, const struct wsi_response *r, int login);

/* proxy.c: CONNECT (RFC 7231 4.3.6), SOCKS4 and SOCKS4a, SOCKS5 (RFC 1928, RFC 1929) */
/* A proxy, and one dialogue with it. */
struct wsi_proxy {
	/* Bytes that the last step took from in. */
	size_t used;
	/* The scheme of its URL. */
	enum wsi_scheme kind;
	int state;
	/* 1xx responses to CONNECT so far. */
	int interim;
	/* Set by the caller before the first step. If it has resolved the target, also addr and
	 * addr_len (4 or 16). */
	const struct wsi_url *target;
	/* Set by the caller: the value of User-Agent in CONNECT. NULL, or too long: WSI_USER_AGENT. "":
	 * none. */
	const char *user_agent;
	int addr_len;
	unsigned char addr[WSI_IP_MAX];
	/* The proxy's host, port (80 or 1080 by default) and userinfo. */
	struct wsi_url url;
	/* Bytes of login. */
	size_t login_len;
	union {
		/* SOCKS: user and password as RFC 1929 2 sends them. */
		unsigned char login[1 + 1 + 255 + 1 + 255];
		/* HTTP: as much of it as was read. */
		struct wsi_response response;
	};
};
/* True if the caller must resolve the target's name for a proxy of that scheme: SOCKS4 and SOCKS5.
 */
WSI bool wsi_proxy_resolves_here(enum wsi_scheme kind);
/* Begins a new dialogue. NULL, or what is wrong with the URL, which must outlive the dialogue. */
WSI const char *wsi_proxy_parse(struct wsi_proxy *p, const char *url, size_t len);
/* One step. in holds the bytes of the proxy that no step has used yet; what has to be sent is
 * appended to out.
 *
 *  1: the tunnel is open. The bytes after p->used belong to it.
 *  0: send out, then call this again with the bytes after p->used. If there was nothing to send
 *     and nothing was used, first read more.
 * -1: the proxy refused, or did not speak the protocol. why is then the end of a sentence that
 *     begins with the proxy's name: "said 407 Proxy Authentication Required". It shows no secret. */
#define WSI_PROXY_OUT_MAX 2304 /* room that out must have */
WSI int wsi_proxy_step(struct wsi_proxy *p, unsigned char *in, size_t in_len, struct wsi_text *out,
                       struct wsi_text *why);
/* What to ask about a proxy that did not answer: "; does this port speak SOCKS5?" */
WSI const char *wsi_proxy_doubt(const struct wsi_proxy *p);

/* no_proxy.c: 1 if the list, in the form of ws_options.no_proxy, covers the URL's host; 0 if not;
 * -1 if *bad is not a host, domain or CIDR block. The whole list is checked in any case. url NULL:
 * it is only checked. */
WSI int wsi_no_proxy(const char *list, const struct wsi_url *url, struct wsi_str *bad);

#endif
