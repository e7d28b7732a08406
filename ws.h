/* SPDX-License-Identifier: ISC
 * ws.h - a WebSocket client (RFC 6455)
 *
 *	struct ws *ws = ws_new("ws://host/path", NULL);          options NULL: all defaults
 *	if (ws_open(ws) == 0 && ws_send(ws, WS_TEXT, "hi", 2) == 2 && ws_recv(ws, &msg) == 0)
 *		use(msg.data, msg.len);
 *	ws_close(ws, 1000, NULL);
 *	ws_free(ws);
 *
 * What holds everywhere, said once:
 *
 * Threads   No state of our own outside struct ws, but for one count of lookups (see Names). One struct ws belongs to
 *           one thread at a time and to one process: after fork, only one of the two may go on with it (the other
 *           must not even free it).
 * Names     getaddrinfo runs in a thread of its own, with all signals blocked, which may outlive a connection that did not
 *           wait for it: a shared libws must not be unloaded (dlclose) meanwhile, and a fork leaves it behind. Such
 *           lost lookups are counted, in one atomic integer for the whole process. While WS_MAX_LOST_LOOKUPS of them
 *           still run, a new lookup waits for one of them to end, until its own deadline. Built with WS_NO_THREADS,
 *           getaddrinfo blocks the caller, past any deadline; with WS_NO_RESOLVER there is none: numeric addresses,
 *           localhost and .resolve. Those never need it.
 * Zero      A zeroed struct is valid; 0 or NULL in a field means the default named beside it.
 * Yours     Bytes given to a call are read during that call only. Options, and all they point to, must live until
 *           ws_open ends (returns anything but WS_AGAIN); callbacks and user_data until ws_free. The URL is copied.
 *           A callback must not call the library with the same ws.
 * Ours      A pointer that you get is valid until your next call that takes the same ws without const.
 * Time      ws_new starts ONE deadline over all that follows; only ws_timeout moves it. Nothing else re-arms it.
 * Cost      A call looks at the clock between what it does, not while the TLS library computes. What a peer can make it
 *           compute is bounded (see README, Limits and defaults): the costliest chains that are left take some 30 ms of a
 *           PC's processor, or with TLS 1.3, where a key must be used before it can be seen, 0.4 s. A suite of DHE in
 *           tls.ciphers, or a tls.config of your own, lifts these bounds.
 * Waiting   A call waits, at most to the deadline; with .nonblock it never waits and returns WS_AGAIN instead.
 *           AGAIN loses nothing: poll what ws_wants says, then make the same call again.
 * Errors    >= 0 is success, < 0 an enum ws_err. WS_AGAIN, WS_EUSAGE and (once open) WS_ETIMEOUT leave an open
 *           connection usable; any other ends it, and every later call but ws_close returns that first error.
 *           A failed object can still be asked why (ws_error, ws_info), closed and freed. errno says nothing.
 * Limits    Whatever a peer can make grow has a limit: the options' or one of the WS_MAX_ below.
 * Growing   ws_options (by its .size) and ws_report may grow at their ends while the soname stays; ws_io, ws_tls,
 *           ws_msg, ws_fd, ws_pollset and ws_answer do not. New values of enums may come.
 * Process   No output, no signal raised (no SIGPIPE) or handled, no environment read, no exit. With mbedTLS its PSA
 *           subsystem holds state of its own: TLS connections of several threads want an mbedTLS with threading.
 */
#ifndef WS_H
#define WS_H
#include <stddef.h>
#include <stdint.h>

#define WS_VERSION "0.1.0"
#define WS_VERSION_NUMBER                                                                          \
	0x000100 /* 0xMMmmpp; before 1.0.0 a new mm may break the API, a new pp never does */

#ifndef WS_API /* what goes before each public declaration */
#define WS_API
#endif
#ifdef __cplusplus
extern "C" {
#endif

struct ws; /* a connection */

/* What a program sends and gets; the values are the RFC's opcodes (5.2) */
enum ws_type { WS_TEXT = 1, WS_BINARY = 2, WS_PONG = 10 };
#define WS_MORE                                                                                    \
	0x100 /* ws_send: OR it to the type; a later ws_send goes on with the message (a fragment, 5.4) */

/* Grouped by whose doing it was. ws_error has the sentence, ws_errname the word for programs */
enum ws_err {
	WS_OK = 0,
	WS_AGAIN =
	    -1, /* call again: only with .nonblock, or where ws_send, ws_ping and ws_recv need each other */
	WS_ETIMEOUT = -2, /* the deadline, or the connect timeout, has passed */
	/* yours, or this machine's */
	WS_EUSAGE =
	    -10, /* an option is wrong (ws_info()->option names it), or an argument, or the call's time */
	WS_EURL = -11,         /* the URL is wrong (RFC 3986, RFC 6455 3) */
	WS_EMEMORY = -12,      /* the allocator returned NULL */
	WS_EUNSUPPORTED = -13, /* this build has no part that the URL needs: TLS, the resolver */
	WS_EENTROPY = -14,     /* no random bytes to be had for key and masks (RFC 6455 5.3) */
	WS_EIO =
	    -15, /* the system refused: no descriptor, an option of a socket, a transport's WS_IO_ERROR */
	/* the way there */
	WS_ERESOLVE = -20,     /* the name has no address */
	WS_EREFUSED = -21,     /* no address connected, and one at least refused */
	WS_EUNREACHABLE = -22, /* no address connected: no route, no interface, no answer */
	WS_EPROXY = -23,       /* the proxy said no */
	WS_ETLS = -24,         /* the TLS handshake failed, or a record was bad */
	WS_ECERT = -25,        /* the server's certificate does not hold: chain, name, time, pin */
	/* the server's answer to the upgrade */
	WS_EHTTP = -30, /* a status other than 101 */
	WS_EREDIRECT =
	    -31, /* a 30x with no usable Location, to a weaker scheme, or over max_redirects */
	WS_EHANDSHAKE = -32, /* no HTTP, or a 101 that is not an answer to our request (4.1) */
	/* once open */
	WS_EPROTOCOL = -40, /* the peer broke RFC 6455; it was sent close 1002 */
	WS_EUTF8 = -41,   /* the peer's text or close reason is not UTF-8; it was sent close 1007 */
	WS_ETOOBIG = -42, /* a message over max_message; the peer was sent close 1009 */
	WS_ECLOSED =
	    -43, /* the peer closed: see close_code; end of file without a close frame is 1006. Also ws_close
	                       with a ws_send unfinished, behind whose half frame there can be no close frame */
	WS_ERESET = -44 /* the connection was reset */
};

/* Bytes below the WebSocket: TLS, a tunnel, your own stack. > 0: bytes moved (0 is never legal), else one of: */
enum ws_ioerr {
	WS_IO_READ = -1,  /* nothing now: again when it can read */
	WS_IO_WRITE = -2, /* nothing now: again when it can write */
	WS_IO_EOF = -3,   /* the peer has ended the stream */
	WS_IO_RESET = -4, /* the peer, or the way to it, is gone */
	WS_IO_ERROR = -5  /* anything else */
};
#define WS_POLL_READ 1
#define WS_POLL_WRITE 2
struct ws_io { /* members have a prefix because some stacks define read and close as macros */
	ptrdiff_t (*io_read)(void *io, void *buf, size_t len);
	ptrdiff_t (*io_write)(void *io, const void *buf, size_t len);
	/* after a WS_IO_READ or WS_IO_WRITE it is called with the same bytes again, perhaps elsewhere and with more */
	int (*io_wait)(
	    void *io, int events,
	    int timeout_ms);        /* until one of events (WS_POLL_; 0: for time alone), timeout_ms
	                                   (-1: none) or an interruption; < 0: failed. NULL: only with .nonblock */
	void (*io_close)(void *io); /* by ws_free, once. NULL: the program closes it itself */
	void *io;
};

struct ws_tls { /* wss:// only. Of a build without TLS: any field set is WS_EUSAGE */
	const char *ca_file,
	    *ca_dir; /* PEM or DER; trusted in place of the system's. Read by ws_new, at most 16 MiB,
	                                 and within timeout_ms and connect_timeout_ms: a file or pipe that has not ended
	                                 by then is WS_ETIMEOUT. NULL: the system's, where distributions keep it */
	const char *cert_file,
	    *key_file; /* the client's chain and key, PEM or DER. key_file NULL: in cert_file */
	const char *key_password; /* of key_file. NULL: not encrypted */
	const char *server_name;  /* SNI (names only) and verification. NULL: the URL's host */
	const char *
	    ciphers; /* IANA or mbedTLS names, separated by ':' or ','. NULL: the library's, but for
	                                     those with DHE or PSK */
	const char *
	    pin_sha256; /* "sha256//BASE64" of the SubjectPublicKeyInfo, several separated by ';' */
	const char
	    *keylog_file; /* secrets are appended to it in the SSLKEYLOGFILE format. NULL: no */
	int min_version, max_version; /* 12 or 13. 0: what the TLS library has */
	int insecure_no_verify;       /* 1: any certificate will do */
	int insecure_no_hostname;     /* 1: the chain is verified, the name in it is not */
	void
	    *config; /* your own mbedtls_ssl_config *, borrowed until ws_free, used for every hop of
	                                     a redirect; of the fields above only server_name, pin_sha256 and, for an
	                                     address, insecure_no_hostname then count */
};

struct ws_options {
	size_t
	    size; /* sizeof(struct ws_options), for a shared libws that is newer; 0: built together */

	/* time, in milliseconds; memory, in bytes */
	int timeout_ms; /* all of the connection, from ws_new, until ws_timeout. 0: 10 s; -1: none */
	int connect_timeout_ms; /* up to the open WebSocket, within the above. 0: no limit of its own */
	int nonblock;           /* 1: no call waits */
	int stream; /* 1: ws_recv hands out pieces as they come: no message buffer, no max_message */
	int no_utf8_check;  /* 1: text may hold any bytes, both ways */
	size_t max_message; /* largest message taken, all fragments together. 0: 16 MiB */
	size_t
	    recv_buffer; /* a message that fits, header included, is handed out in place; a proxy's answer must fit.
	                       0: 16 KiB; least 256 */
	size_t send_buffer; /* what is masked and written at once. 0: 4 KiB; least 256 */

	/* the request (RFC 6455 4.1) */
	const char *const *
	    headers; /* "Name: value" replaces a default of that name, "Name:" removes it; NULL ends it.
	                               Upgrade and Sec-WebSocket-* are ours, Connection must keep the token Upgrade */
	const char *const *subprotocols; /* tokens in order of preference; NULL ends the list */
	const char *origin, *host,
	    *user_agent;    /* values of these headers. NULL: none, the URL's, "wsquery/VERSION" */
	const char *cookie; /* value of Cookie. NULL: none */
	const char *user;   /* "name:password", Basic; goes before the URL's. NULL: the URL's */
	const char *bearer; /* token; not with user. NULL: none */
	int max_redirects; /* of 301, 302, 303, 307, 308. 0: none, the 30x is WS_EHTTP. Credentials, cookies, host,
	                      server_name, client certificate and headers whose names tell of a secret ("X-Api-Key") go
	                      to the first origin only, and only until a redirect leaves it; never from wss to ws.
	                      With io or use_fd there is nothing to follow one with: WS_EHTTP too */

	/* the way there: the first of io, use_fd, unix_socket, proxy that is set, else TCP */
	const struct ws_io
	    *io;         /* copied. Bytes of the WebSocket itself, also for wss:// (your TLS) */
	int io_is_plain; /* 1: io is below TLS; for wss:// the library puts its own TLS on it */
	int use_fd; /* 1: fd is a connected stream socket; ours from ws_new on (unless that is NULL) */
	int fd;     /* it is made non-blocking */
	const char *unix_socket; /* path */
	const char *proxy;       /* URL: http, socks4, socks4a, socks5, socks5h. NULL or "": none */
	const char *proxy_wss;   /* for wss:// instead. NULL: proxy too; "": none */
	const char *
	    no_proxy; /* "host,.domain,10.0.0.0/8,[::1]:80,*": reached without the proxy. NULL: none */
	const char *const
	    *resolve; /* "host:port:address" in place of the resolver; NULL ends the list */
	const char *
	    local_interface; /* name of a device, or an address of this machine, for the local end. NULL: any */
	int family;      /* 4 or 6: that one alone. 0: both, raced as in RFC 8305 */
	int keepalive_s; /* TCP keep-alive interval in seconds. 0: off */
	int (*on_socket)(
	    void *user_data,
	    int fd); /* each new socket, before it connects; not 0: that address failed */
	struct ws_tls tls;

	/* your world: each may be NULL (in a build with WS_NO_NET alloc, now_us and entropy may not); called from the
	 * thread that makes the call, never from the resolver's */
	void *(*alloc)(
	    void *user_data, void *ptr, size_t old_len,
	    size_t new_len); /* as realloc, also to less; new_len 0 frees. NULL: realloc. The
	                                       resolver's thread and mbedTLS have memory of their own */
	int64_t (*now_us)(void *user_data); /* monotonic, microseconds. NULL: CLOCK_MONOTONIC */
	int (*entropy)(void *user_data, void *buf,
	               size_t len); /* 0: filled, > 0: not yet, < 0: never. NULL: system's */
	void (*trace)(void *user_data, int sent, int type, const void *data,
	              size_t len); /* see WS_TRACE_ */
	void *user_data;
};

/* type of trace. HEAD: a whole HTTP head, or as much of one as was before a wrong byte, with the secrets in it (the
 * proxy's dialogue too). FRAME: a frame as it begins, its header as one without a mask has it (5.2), then of its
 * payload what is at hand, unmasked, 256 bytes in all at most. sent: 1 ours, 0 the peer's. */
enum ws_trace { WS_TRACE_HEAD = 1, WS_TRACE_FRAME = 2 };

struct ws_msg {
	int type; /* enum ws_type */
	int more; /* 1 (.stream only): a later ws_recv goes on with this message, the next but for a WS_PONG */
	const void *data; /* never NULL; not terminated */
	size_t len;       /* bytes */
};

/* What happened: readable in any state, also after a failure. Strings are "" and never NULL. It may grow at its end. */
enum ws_phase {
	WS_RESOLVE,
	WS_CONNECT,
	WS_PROXY,
	WS_TLS,
	WS_UPGRADE,
	WS_READY,
	WS_URL,
	WS_CLOSING,
	WS_DONE
};
#define WS_PHASES_TIMED 5
struct ws_report {
	enum ws_phase
	    phase; /* where it is, or where it failed. With .nonblock the call that enters WS_TLS returns
	                        WS_AGAIN at once. Those that follow, while it is WS_TLS, compute what the
	                        server's certificates and keys ask for, without a look at the clock: see Cost above. If
	                        that is too long for you, guard them */
	int err; /* the error that ended it, or 0 */
	const char *
	    option; /* the field that was wrong, after WS_EUSAGE from ws_open: "proxy", "tls.ca_file"; after
	                        WS_ETIMEOUT the one whose file was not read to its end; after WS_EHTTP and WS_EHANDSHAKE
	                        one that may help, such as "user" or "subprotocols", or "" */
	const char *
	    url; /* the final one, after redirects, for a person: without userinfo, the values of parameters
	                        whose names tell of a secret ("access_token") as "***" */
	const char *
	    address; /* of the peer: "127.0.0.1:80", "[::1]:80", "unix:/run/x"; the proxy's where there is one */
	const char *subprotocol; /* the one chosen (RFC 6455 4.2.2) */
	int redirects;           /* followed */
	int http_status;         /* of the answer to the upgrade; 0: none yet */
	const char *
	    head; /* the answer's head as it came, status line and headers, but for folded lines, which are
	                     unfolded; gone once ws_recv is called. "" if it is not valid */
	size_t head_len;
	const char *
	    body; /* of a refused upgrade: at most its first 1 KiB, decoded if chunked; "" where the head is not
	                     valid, and where a redirect was to be followed */
	size_t body_len;
	int close_code; /* the peer's; 1005: a close frame without, 1006: no close frame (7.1.5); 0: not yet */
	const char *close_reason; /* NUL-terminated UTF-8 */
	size_t close_reason_len;
	const char *tls_version, *tls_cipher;   /* "TLSv1.3", the IANA name */
	const char *cert_subject, *cert_issuer; /* the server's certificate */
	int64_t cert_not_after;                 /* seconds since 1970; 0: no certificate seen */
	int tls_verified; /* 1: the chain, and the name unless told not to, was checked and held; 0 with tls.config */
	int64_t phase_us
	    [WS_PHASES_TIMED]; /* how long WS_RESOLVE ... WS_UPGRADE took, over redirects; -1: not done */
};

/* Never NULL but for lack of memory: what is wrong with a URL or an option is told by ws_open, and before that by
 * ws_error not being "". Nothing is sent, resolved or connected yet. */
WS_API struct ws *ws_new(const char *url, const struct ws_options *opt);

/* Resolve, connect, proxy, TLS, upgrade, redirects. 0: open. */
WS_API int ws_open(struct ws *ws);

/* Takes part or all of data: bytes taken, as write(2), or < 0. Fewer (or WS_AGAIN: none) when it may not wait, at the
 * deadline, or when the peer will not read before we do: ws_recv, then send the rest: data + taken, len - taken, same
 * type; until then no other message or ping can begin. len of the first call is the frame's. An empty message: 0.
 * Text must be UTF-8 (WS_EUSAGE, nothing sent). What is taken and not yet written goes out in later calls. A message of
 * ws_recv may be sent back from where it lies, but its rest is gone once that ws_recv is called: copy what may be large. */
WS_API ptrdiff_t ws_send(struct ws *ws, int type, const void *data, size_t len);

/* 0: the next message, or with .stream the next piece of one. WS_ECLOSED: there will be no more. Pings are answered
 * inside. WS_PONG comes only once ws_ping was called. With a ws_send unfinished, or that or a ws_ping just refused, it
 * does not wait for a message where the peer would take more of ours: WS_AGAIN. */
WS_API int ws_recv(struct ws *ws, struct ws_msg *msg);

/* 0: taken. len <= 125 (RFC 6455 5.5). WS_AGAIN: within a frame of ws_send, or the peer will not read before we do. */
WS_API int ws_ping(struct ws *ws, const void *data, size_t len);

/* Sends a close frame if none was, discards what comes, awaits the peer's. 0: both closed. code 0: a frame without one
 * (reason must then be NULL); else 1000-1003, 1007-1014 or 3000-4999 (7.4), reason at most 123 bytes of UTF-8. Once the
 * connection is over it waits until what was taken is written and, where we closed it because the peer broke the rules,
 * for the peer's end of file; before it is open it does nothing: WS_EUSAGE. */
WS_API int ws_close(struct ws *ws, int code, const char *reason);

/* In any state, at once, sends nothing. NULL is fine. */
WS_API void ws_free(struct ws *ws);

/* A new deadline, from now; -1: none, 0: it is over. */
WS_API void ws_timeout(struct ws *ws, int timeout_ms);

/* One sentence for a person: the phase, the peer, what happened; no secret in it. "" if nothing did. */
WS_API const char *ws_error(const struct ws *ws);
WS_API const struct ws_report *ws_info(const struct ws *ws);

/* Fixed words for programs: "ok", "timeout", "refused", ... */
WS_API const char *ws_errname(int err);
WS_API const char *ws_phasename(enum ws_phase phase);

/* For your own loop. Several sockets race until ws_open ends, one remains after. Level-triggered; it needs nothing
 * told back: when one is ready or the time is over, make the call again that said WS_AGAIN. While idle, that is
 * ws_recv; while sending, ws_recv and ws_send. */
#define WS_FDS_MAX 8
struct ws_fd {
	int fd;     /* -1: an io of your own */
	int events; /* WS_POLL_READ, WS_POLL_WRITE or both */
};
struct ws_pollset {
	int n; /* 0: nothing to poll, though there may be time to wait for; fd[0].fd is the connection's, or -1, all the same */
	struct ws_fd fd[WS_FDS_MAX];
	int timeout_ms; /* call again by then even if none is ready: 0 bytes wait inside, -1 no hurry */
	unsigned
	    change; /* differs when the set of descriptors does (epoll: drop and add all; numbers are reused) */
};
WS_API void ws_wants(const struct ws *ws, struct ws_pollset *set);

/* All of the above in one call: open, send unless data is NULL, receive one message, close (awaited for at most 1 s).
 * It waits and receives whole messages, whatever .nonblock and .stream say. Always fills *answer; 0 or the error. */
struct ws_answer {
	int connected; /* 1: the WebSocket was opened, whatever came later */
	int err;       /* as returned */
	int type;      /* WS_TEXT or WS_BINARY, of the message received */
	char
	    *data; /* it, and a NUL behind it; NULL if none was received. ws_answer_free frees it */
	size_t len;      /* bytes, without the NUL */
	char error[256]; /* one sentence; "" if nothing failed */
};
WS_API int ws_query(const char *url, const struct ws_options *opt, int type, const void *data,
                    size_t len, struct ws_answer *answer);
WS_API void ws_answer_free(struct ws_answer *answer,
                           const struct ws_options *opt); /* of the same query */

/* What was linked in, which may be newer than this header. */
enum ws_feature {
	WS_HAS_TLS = 1,
	WS_HAS_RESOLVER = 2,
	WS_HAS_THREADS = 4,
	WS_HAS_PROXY = 8,
	WS_HAS_REDIRECTS = 16
};
WS_API const char *ws_version(void); /* WS_VERSION, and " mbedTLS/x.y.z" where it is in */
WS_API unsigned ws_features(void);   /* of enum ws_feature */

/* Limits on what a peer can make grow */
#define WS_MAX_URL 8192   /* bytes of a URL, a Location too */
#define WS_MAX_HEAD 16384 /* bytes of a response's head, its interim 1xx answers each for itself */
#define WS_MAX_HEAD_LINES 100 /* lines of it */
#define WS_MAX_INTERIM 8      /* interim answers before the final one */
#define WS_MAX_BODY 1024      /* bytes kept of a refused upgrade's body */
#define WS_MAX_BODY_WAIT_MS 1000
#define WS_MAX_ADDRESSES 16 /* addresses of one name that are tried */
/* Lookups of one process that still run although their connection has given up; each is a thread. See Names */
#define WS_MAX_LOST_LOOKUPS 32

#ifdef __cplusplus
}
#endif
#endif
