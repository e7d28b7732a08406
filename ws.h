/* SPDX-License-Identifier: ISC
 * ws.h - a WebSocket client (RFC 6455)
 *
 * This file is the manual. A first program:
 *
 *	#include <stdio.h>
 *	#include "ws.h"
 *
 *	int main(void)
 *	{
 *		struct ws_conn *ws = ws_new("ws://127.0.0.1:8080/", NULL);
 *		struct ws_msg msg;
 *
 *		if (!ws) {
 *			fputs("out of memory\n", stderr);
 *			return 1;
 *		}
 *		if (ws_open(ws) == 0 && ws_send(ws, WS_TEXT, "hi", 2) == 2
 *		    && ws_recv(ws, &msg) == 0)
 *			printf("%.*s\n", (int)msg.len, (const char *)msg.data);
 *		else
 *			fprintf(stderr, "%s\n", ws_errmsg(ws));
 *		ws_close(ws, WS_CLOSE_NORMAL, NULL);
 *		ws_free(ws);
 *		return 0;
 *	}
 *
 * The following holds for all functions and is not repeated below.
 *
 * Time
 *	ws_new starts ONE deadline, and every later call is bound by it.
 *	Messages, pings and redirects do not move it; only ws_timeout does. A
 *	program that keeps a connection and allows 30 s for each message
 *	therefore calls ws_timeout(ws, 30000) before each ws_recv; with
 *	timeout_ms -1 a connection has no deadline. Once it has passed, a call
 *	that would have to wait returns WS_ETIMEOUT at once, until ws_timeout
 *	sets a new one.
 *
 *	A connection that lives long has timeout_ms -1, connect_timeout_ms for
 *	its beginning, ping_interval_ms to notice that the peer is gone, and
 *	ws_recv_within to do something else in between:
 *
 *		while ((r = ws_recv_within(ws, &msg, 1000)) == 0
 *		       || r == WS_AGAIN)
 *			if (r == 0)
 *				use(&msg);
 *			else
 *				a_second_without_a_message();
 *
 *	After ping_interval_ms without any byte from the peer, a ping goes out.
 *	Its pong is not handed out. If the peer stays silent for another
 *	interval, the call that waits returns WS_ETIMEOUT; a peer that takes
 *	bytes of a long message is not silent. The call can be made again: it
 *	waits for two intervals more. With nonblock the same happens in ws_recv,
 *	and ws_wants includes it in timeout_ms. Nothing may follow a close frame
 *	(RFC 6455 5.5.1), so no pings go out after ws_shutdown and in ws_close:
 *	ws_timeout(ws, 1000) before ws_close limits its waiting.
 *
 *	A call checks the clock between its steps, but not while the TLS library
 *	computes. What a server can make it compute is bounded: the most
 *	expensive certificate chains that are accepted take about 30 ms on a PC;
 *	with TLS 1.3, where a key is used before it can be checked, about 0.4 s.
 *	A DHE suite in tls.ciphers, or a tls.config of your own, removes these
 *	bounds.
 *
 * Waiting
 *	By default a call waits, at most until the deadline. With nonblock no
 *	call waits; it returns WS_AGAIN instead. Nothing is lost then: poll what
 *	ws_wants asks for and make the same call again.
 *
 * Order of calls
 *	Before ws_open has returned 0, ws_send, ws_recv, ws_ping and ws_close do
 *	nothing and return WS_EUSAGE; after ws_open has failed, its error.
 *	ws_open on an open connection does nothing and returns 0. Once ws_close
 *	has begun, ws_send, ws_recv and ws_ping return an error: WS_EUSAGE, or
 *	the error that ended the connection.
 *
 * Errors
 *	A result >= 0 is success, a result < 0 is an enum ws_err. WS_AGAIN,
 *	WS_EUSAGE, WS_ETIMEOUT and WS_ECANCELED leave an open connection usable,
 *	and after WS_ECANCELED ws_open can be called again too. Any other
 *	error ends it, and every later call except ws_close returns that first
 *	error. A failed connection can still be asked what happened (ws_errmsg,
 *	ws_report), and must be freed. errno has no meaning after a call.
 *
 * What you pass in
 *	A zeroed struct is valid: 0 or NULL in a field selects the default that
 *	its comment names. Data passed to a call is read during that call only.
 *	ws_new copies the URL, the options, and every string and list that they
 *	point to, so all of these may go as soon as it has returned. Only what
 *	callbacks use must live until ws_free: user_data, what io.io points to,
 *	and tls.config. A callback must not call the library with the same ws.
 *
 * What you get
 *	A pointer returned by the library is valid until your next call that
 *	takes the same ws without const.
 *
 * Threads and processes
 *	A struct ws_conn belongs to one thread at a time; only ws_cancel may be
 *	called from another one. To send from several threads, let one own the
 *	connection and wait in ws_recv. The others put their messages into a
 *	queue, under its lock, and then call ws_cancel. ws_recv returns
 *	WS_ECANCELED, and the owner sends what the queue has (examples/threads.c
 *	shows it). The owner also looks into the queue after each message: a
 *	call that finds one returns it, and the ws_cancel waits for a later
 *	call. A signal handler sets a flag, which is looked at in the same two
 *	places, and calls ws_cancel.
 *
 *	Several threads may use a struct ws_trust at the same time. ws_trust_free
 *	must be called after each ws_new that is given it has returned.
 *
 *	A struct ws_conn belongs to one process: after fork only one of the two
 *	may use it; the other must not even free it. The library has no other
 *	state, except for one atomic count of name lookups (see below). It
 *	prints nothing, handles no signal, causes no SIGPIPE, reads no
 *	environment variable and never exits. mbedTLS has state of its own
 *	(PSA): TLS connections in several threads need an
 *	mbedTLS built with threading.
 *
 * Name lookups
 *	getaddrinfo cannot be interrupted, so it runs in a thread of its own
 *	with all signals blocked. The thread may outlive a connection that gave
 *	up, so a shared library must not be unloaded (dlclose) in the meantime;
 *	a fork leaves the thread behind. While WS_MAX_LOST_LOOKUPS such threads
 *	run, a new lookup waits for one of them to end, at most until its own
 *	deadline.
 *
 *	Built with WS_NO_THREADS, getaddrinfo blocks the caller, even past the
 *	deadline. Built with WS_NO_RESOLVER, names are not looked up. Numeric
 *	addresses, localhost and the resolve option never need a lookup.
 *
 * Limits
 *	Everything that a peer can make grow has a limit: an option, or one of
 *	the WS_MAX_ constants at the end of this file.
 *
 * Versions
 *	While the shared library keeps its name, struct ws_options and struct
 *	ws_report may get more fields at their ends, and a field of struct
 *	ws_tls may take the place of a reserved one. The other structs do not
 *	change. Enums may get new values. A program may run with an older or a
 *	newer library of that name; an option that is set and that an older
 *	library does not know is WS_EUSAGE. A field of the report that an older
 *	library does not know must not be read: ask ws_version.
 */
#ifndef WSQUERY_WS_H
#define WSQUERY_WS_H
#include <stddef.h>
#include <stdint.h>

#define WS_VERSION "0.1.0"
/* 0xMMmmpp. Before 1.0.0 a new mm may change the API; a new pp never does. */
#define WS_VERSION_NUMBER 0x000100

/* Precedes each public declaration, such as an export attribute. */
#ifndef WS_API
#define WS_API
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* A connection. */
struct ws_conn;
/* Trusted certificates that connections share: see ws_trust_new. */
struct ws_trust;

struct ws_options;
struct ws_answer;

/* Types of messages. The values are the opcodes of RFC 6455 5.2. ws_send takes
 * WS_TEXT and WS_BINARY; ws_recv can also return WS_PONG. */
enum ws_type { WS_TEXT = 1, WS_BINARY = 2, WS_PONG = 10 };

/* A flag that ws_send takes together with the type: this is not the last
 * fragment; a later ws_send continues the message (RFC 6455 5.4). */
#define WS_MORE 0x100
/* Another flag for ws_send: this frame need not be written yet, because more
 * will follow at once. Small messages then share one write. The next ws_send
 * without the flag, ws_ping, ws_close or ws_shutdown writes it, and so does a
 * ws_recv that would have to wait. */
#define WS_HOLD 0x200

/* Codes of close frames: RFC 6455 7.4.1 and the registry of the IANA. Codes
 * from 4000 to 4999 are free for programs. ws_closename has their names. */
enum ws_closecode {
	WS_CLOSE_NORMAL = 1000,
	WS_CLOSE_GOING_AWAY = 1001,
	WS_CLOSE_PROTOCOL_ERROR = 1002,
	WS_CLOSE_UNSUPPORTED_DATA = 1003,
	/* The close frame had no code. Never sent. */
	WS_CLOSE_NO_STATUS = 1005,
	/* There was no close frame. Never sent. */
	WS_CLOSE_ABNORMAL = 1006,
	WS_CLOSE_INVALID_PAYLOAD = 1007,
	WS_CLOSE_POLICY_VIOLATION = 1008,
	WS_CLOSE_TOO_BIG = 1009,
	WS_CLOSE_MANDATORY_EXTENSION = 1010,
	WS_CLOSE_INTERNAL_ERROR = 1011,
	WS_CLOSE_SERVICE_RESTART = 1012,
	WS_CLOSE_TRY_AGAIN_LATER = 1013,
	WS_CLOSE_BAD_GATEWAY = 1014,
	/* The TLS handshake failed. Never sent. */
	WS_CLOSE_TLS_HANDSHAKE = 1015,
	WS_CLOSE_UNAUTHORIZED = 3000,
	WS_CLOSE_FORBIDDEN = 3003,
	WS_CLOSE_TIMEOUT = 3008
};

/* Errors, grouped by whose fault they are. ws_errmsg has the sentence for a
 * person, ws_errname the word for a program. */
enum ws_err {
	WS_OK = 0,
	/* Make the same call again. Returned with nonblock; without it only
	 * by ws_recv_within, and where ws_send or ws_ping needs a ws_recv first,
	 * or the other way round. */
	WS_AGAIN = -1,
	/* The deadline, or the connect timeout, has passed. */
	WS_ETIMEOUT = -2,
	/* ws_cancel was called. Make the same call again to go on. */
	WS_ECANCELED = -3,

	/* The program, or this machine */

	/* A wrong option (ws_report()->option names it), a wrong argument, or a
	 * call at the wrong time. */
	WS_EUSAGE = -10,
	/* The URL is invalid (RFC 3986, RFC 6455 3). */
	WS_EURL = -11,
	/* The allocator returned NULL. */
	WS_EMEMORY = -12,
	/* The URL needs a part that was not built in: TLS or the resolver. */
	WS_EUNSUPPORTED = -13,
	/* No random bytes for the handshake's key or the masks (RFC 6455
	 * 5.3). */
	WS_EENTROPY = -14,
	/* The system refused something: no free descriptor, a socket option, or
	 * a transport that returned WS_IO_ERROR. */
	WS_EIO = -15,

	/* The way to the server */

	/* The name has no address, or could not be looked up. */
	WS_ERESOLVE = -20,
	/* No address could be connected to, and at least one refused. */
	WS_EREFUSED = -21,
	/* No address could be connected to: no route, no interface, no
	 * answer. */
	WS_EUNREACHABLE = -22,
	/* The proxy refused. */
	WS_EPROXY = -23,
	/* The TLS handshake failed, or a TLS record was invalid. */
	WS_ETLS = -24,
	/* The server's certificate was rejected: chain, name, dates or pin. */
	WS_ECERT = -25,

	/* The response to the upgrade */

	/* The HTTP status is not 101. */
	WS_EHTTP = -30,
	/* A redirect without a usable Location, to a weaker scheme, or one more
	 * than max_redirects. */
	WS_EREDIRECT = -31,
	/* The response is not HTTP, or a 101 that does not answer our request
	 * (RFC 6455 4.1). */
	WS_EHANDSHAKE = -32,

	/* The open connection */

	/* The peer violated RFC 6455. It was sent close code 1002. */
	WS_EPROTOCOL = -40,
	/* Text or a close reason is not UTF-8. The peer was sent close code
	 * 1007. */
	WS_EUTF8 = -41,
	/* A message is longer than max_message. The peer was sent close code
	 * 1009. */
	WS_ETOOBIG = -42,
	/* The peer closed; ws_report()->close_code has its code, 1006 if the
	 * stream ended without a close frame. Also returned by ws_close while a
	 * ws_send is unfinished: a close frame cannot follow half a frame. */
	WS_ECLOSED = -43,
	/* The connection was reset. */
	WS_ERESET = -44
};

/* Transports: what carries the WebSocket's bytes in place of a socket, such as
 * a TLS library, a tunnel or a TCP stack of your own. */

/* io_read and io_write return the number of bytes moved, which is > 0, or one
 * of these. */
enum ws_ioerr {
	/* Nothing now. Call again when the transport can be read. */
	WS_IO_READ = -1,
	/* Nothing now. Call again when the transport can be written. */
	WS_IO_WRITE = -2,
	/* The peer has ended the stream. */
	WS_IO_EOF = -3,
	/* The peer, or the way to it, is gone. */
	WS_IO_RESET = -4,
	/* Anything else. */
	WS_IO_ERROR = -5,
	/* For a transport that does TLS: TLS failed, which becomes WS_ETLS, or
	 * the server's certificate was rejected, which becomes WS_ECERT. */
	WS_IO_TLS = -6,
	WS_IO_CERT = -7
};
#define WS_POLL_READ 1
#define WS_POLL_WRITE 2

/* The members have a prefix because some stacks define read and close as
 * macros. */
struct ws_io {
	ptrdiff_t (*io_read)(void *io, void *buf, size_t len);
	/* After WS_IO_READ or WS_IO_WRITE it is called with the same bytes
	 * again, perhaps at another address and with more bytes after them. */
	ptrdiff_t (*io_write)(void *io, const void *buf, size_t len);
	/* Waits until one of events (WS_POLL_ flags; 0: none, for time alone)
	 * is possible, timeout_ms have passed (-1: no limit) or a signal came.
	 * Returns < 0 if waiting failed. May be NULL with nonblock. */
	int (*io_wait)(void *io, int events, int timeout_ms);
	/* Called once, by ws_free. NULL: the program closes the transport
	 * itself. */
	void (*io_close)(void *io);
	/* Says in words why the last call failed, without a full stop. Called
	 * after WS_IO_RESET, WS_IO_ERROR, WS_IO_TLS and WS_IO_CERT, and after
	 * io_wait failed; the words become part of ws_errmsg. NULL, or a result
	 * of NULL or "": the library has words of its own. */
	const char *(*io_error)(void *io);
	/* The first argument of the functions above. */
	void *io;
};

/* TLS, for wss:// only. In a build without TLS, any field that is set is
 * WS_EUSAGE. */
struct ws_tls {
	/* A file of certificates, PEM or DER, to trust in place of the
	 * system's. All files are read by ws_new, at most 16 MiB, within
	 * timeout_ms and connect_timeout_ms; a file or pipe that has not ended
	 * by then is WS_ETIMEOUT. NULL: none; without ca_dir too, the system's,
	 * where distributions keep them. */
	const char *ca_file;
	/* A directory of such files. NULL: none. */
	const char *ca_dir;
	/* The client's certificate chain, PEM or DER. NULL: none. */
	const char *cert_file;
	/* Its key, PEM or DER. NULL: the key is in cert_file. */
	const char *key_file;
	/* The password of the key. NULL: the key is not encrypted. */
	const char *key_password;
	/* The name for SNI and verification; an address is not sent as SNI (RFC
	 * 6066 3). NULL: the URL's host. */
	const char *server_name;
	/* Cipher suites by IANA or mbedTLS names, separated by ':' or ','.
	 * NULL: all of the TLS library except those with DHE or PSK. */
	const char *ciphers;
	/* "sha256//BASE64": the hash of the server's SubjectPublicKeyInfo.
	 * Several are separated by ';', and one of them must match. NULL: no
	 * pin. */
	const char *pin_sha256;
	/* A file to which the session's secrets are appended in the
	 * SSLKEYLOGFILE format, for debugging. NULL: none. */
	const char *keylog_file;
	/* The oldest version: 12 for TLS 1.2, 13 for TLS 1.3. 0: what the TLS
	 * library has. */
	int min_version;
	/* The newest version, likewise. */
	int max_version;
	/* 1: accept any certificate. */
	int insecure_no_verify;
	/* 1: verify the chain, but not the name. */
	int insecure_no_hostname;
	/* Your own mbedtls_ssl_config *, borrowed until ws_free and used for
	 * every hop of a redirect. Of the fields above only server_name,
	 * pin_sha256 and, for an address, insecure_no_hostname have an effect
	 * then. */
	void *config;
	/* What ws_trust_new has read, shared with other connections, in place
	 * of reading ca_file and ca_dir. These must be NULL, or the same as
	 * they were for ws_trust_new. No effect with config. NULL: the
	 * connection reads them itself. */
	struct ws_trust *trust;
	/* For options to come. They must be zero. */
	const void *reserved[5];
};

/* What programs set most often comes first: C++ wants initialisers in this
 * order. */
struct ws_options {
	/* Time and memory */

	/* 1: no call waits. */
	int nonblock;
	/* 1: ws_recv returns pieces of a message as they arrive. A message then
	 * has no buffer, and max_message has no effect. */
	int stream;
	/* Milliseconds for the whole connection, from ws_new until ws_timeout.
	 * 0: 10 s. -1: no limit. */
	int timeout_ms;
	/* Milliseconds until the connection is open, within timeout_ms. 0: no
	 * limit of its own. */
	int connect_timeout_ms;
	/* Milliseconds without a byte from the peer after which a ping is sent.
	 * If nothing comes for so long again, the call that waits returns
	 * WS_ETIMEOUT. 0: no pings. See Time. */
	int ping_interval_ms;
	/* Bytes of the largest message accepted, all fragments together.
	 * 0: 16 MiB. */
	size_t max_message;
	/* Bytes. A message that fits, with its header, is returned in place. A
	 * longer one takes memory as it arrives, which the next ws_recv gives
	 * back; while several come within a second, it is kept for them.
	 * The proxy's answer must fit. 0: 16 KiB. At least 256. */
	size_t recv_buffer;
	/* Bytes that are masked and written at once. 0: 4 KiB, and 64 KiB while
	 * a longer message goes out. At least 256. */
	size_t send_buffer;
	/* 1: text may contain any bytes, in both directions. */
	int no_utf8_check;

	/* The request (RFC 6455 4.1) */

	/* "Name: value" adds a header, or replaces a default one of that name;
	 * "Name:" removes it. Upgrade and Sec-WebSocket-* cannot be set, and
	 * Connection must contain the token Upgrade. NULL ends the list. */
	const char *const *headers;
	/* Subprotocols to offer, the preferred one first. NULL ends the list.
	 * A server may select none of them, so look at
	 * ws_report()->subprotocol, or set require_subprotocol. */
	const char *const *subprotocols;
	/* 1: a server that selects none of them is WS_EHANDSHAKE. */
	int require_subprotocol;
	/* Value of Origin. NULL: none. */
	const char *origin;
	/* Value of Host. NULL: the URL's host and port. */
	const char *host;
	/* Value of User-Agent, for a proxy too. NULL: "libws/VERSION".
	 * "": none. */
	const char *user_agent;
	/* Value of Cookie. NULL: none. */
	const char *cookie;
	/* "name:password" for Basic authentication, in place of the URL's.
	 * NULL: the URL's, if it has any. */
	const char *user;
	/* A token for Bearer authentication; not together with user.
	 * NULL: none. */
	const char *bearer;
	/* Redirects to follow: 301, 302, 303, 307 and 308, never from wss:// to
	 * ws://. 0: none, and a redirect is WS_EHTTP; that is also so with io
	 * and use_fd, which lead to one server only. Credentials, cookies,
	 * host, server_name, the client certificate and headers whose names
	 * suggest a secret ("X-Api-Key") are sent to the first origin only, and
	 * only until a redirect leaves it. */
	int max_redirects;

	/* The way to the server: one of io, use_fd, unix_socket and proxy (two
	 * of them are WS_EUSAGE), otherwise TCP. The options for sockets below
	 * have no effect with io and use_fd. */

	/* A transport. The struct is copied. It carries the bytes of the
	 * WebSocket itself, for wss:// too: it does the TLS, and options in tls
	 * are WS_EUSAGE. NULL: none. */
	const struct ws_io *io;
	/* 1: io is below TLS. For wss:// the library adds its own TLS. */
	int io_is_plain;
	/* 1: fd is used. */
	int use_fd;
	/* A connected stream socket. The library owns it from ws_new on, unless
	 * ws_new returns NULL, and makes it non-blocking. */
	int fd;
	/* Path of a Unix socket. NULL: none. */
	const char *unix_socket;
	/* URL of a proxy: http, socks4, socks4a, socks5 or socks5h.
	 * NULL or "": none. */
	const char *proxy;
	/* The proxy for wss://. NULL: the same as proxy. "": none. */
	const char *proxy_wss;
	/* What is reached without the proxy:
	 * "host,.domain,10.0.0.0/8,[::1]:80,*". NULL: nothing. */
	const char *no_proxy;
	/* "host:port:address": the address to use in place of a lookup.
	 * NULL ends the list. */
	const char *const *resolve;
	/* Name of a network device, or an address of this machine, for the
	 * local end. NULL: any. */
	const char *local_interface;
	/* 4 or 6: use this address family only. 0: both, raced (RFC 8305). */
	int family;
	/* Seconds between TCP keep-alive probes. 0: no probes. */
	int keepalive_s;
	/* Called with each new socket before it connects. A result other than 0
	 * makes that address fail. */
	int (*on_socket)(void *user_data, int fd);
	/* Called with each descriptor that on_socket or ws_wants has shown,
	 * just before the library closes it, so that an event loop can forget
	 * it: those of a race that was lost, of a name lookup, and in ws_free
	 * the connection's own. */
	void (*on_close)(void *user_data, int fd);
	/* Your own TLS for wss://, in a build without TLS too. It is called
	 * with the connected, non-blocking descriptor, behind a proxy too, and
	 * fills *io with functions that move the WebSocket's bytes through TLS.
	 * server_name, a name or an address, is for SNI and verification:
	 * tls.server_name, else the URL's host. An address is not sent as SNI
	 * (RFC 6066 3). Verifying the certificate is up to you.
	 *
	 * 0: the handshake is done, or left to io_read and io_write. WS_IO_READ
	 * or WS_IO_WRITE: call again when fd is ready, with the same *io, which
	 * is zeroed before the first call. Another enum ws_ioerr: it failed.
	 *
	 * The library polls fd itself (io_wait is not used) and closes it. It
	 * calls io_close before that, after a failure too. Every hop of a
	 * redirect to wss:// has a session of its own. Of tls, only server_name
	 * may be set. Not together with io. NULL: the built-in TLS. */
	/* clang-format off */
	int (*start_tls)(void *user_data, int fd, const char *server_name,
	                 struct ws_io *io);
	/* clang-format on */
	/* The built-in TLS. */
	struct ws_tls tls;

	/* The program's own functions. NULL selects the system's. With
	 * WS_NO_NET, alloc, now_us and entropy are required. They are called
	 * from the thread that calls the library, never from a lookup's. */

	/* Like realloc, with the old length; it may be asked to shrink. new_len
	 * 0 frees. Lookup threads and mbedTLS allocate memory of their own. */
	/* clang-format off */
	void *(*alloc)(void *user_data, void *ptr, size_t old_len,
	               size_t new_len);
	/* clang-format on */
	/* Microseconds of a monotonic clock. NULL: CLOCK_MONOTONIC. */
	int64_t (*now_us)(void *user_data);
	/* Fills buf with random bytes. Returns 0; > 0: none yet, ask again
	 * later; < 0: failed. */
	int (*entropy)(void *user_data, void *buf, size_t len);
	/* Shown what is sent and received, and how the connection is made; type
	 * is an enum ws_trace. sent is 1 for our bytes, 0 for the peer's. */
	/* clang-format off */
	void (*trace)(void *user_data, int sent, int type, const void *data,
	              size_t len);
	/* clang-format on */
	/* The first argument of the callbacks in this struct. */
	void *user_data;

	/* Asked while ws_new or ws_trust_new waits for a pipe that a field of
	 * tls names: after each signal, and at least every 100 ms. Not 0: it
	 * waits no longer, and the error is WS_ETIMEOUT. NULL: it waits as long
	 * as timeout_ms and connect_timeout_ms allow. */
	int (*give_up)(void *user_data);
};

/* What trace is shown. */
enum ws_trace {
	/* A whole HTTP head, of a proxy too, or what arrived of one before it
	 * became invalid. Secrets are NOT masked. */
	WS_TRACE_HEAD = 1,
	/* A frame when it begins: its header without the mask (RFC 6455 5.2),
	 * then the unmasked payload that is at hand; at most 256 bytes in all.
	 */
	WS_TRACE_FRAME = 2,
	/* A new connection, to a proxy too, as text: first the attempts that
	 * failed, if any, then the address that is connected. sent is 1. */
	WS_TRACE_CONNECT = 3,
	/* TLS, established by the built-in TLS: its version, as text.
	 * ws_report() has the rest. sent is 1. */
	WS_TRACE_TLS = 4
};

/* A message, or a piece of one. */
struct ws_msg {
	/* enum ws_type. */
	int type;
	/* 1: a later ws_recv continues this message; a WS_PONG may come in
	 * between. Only with stream. */
	int more;
	/* Never NULL. Not terminated by a NUL. */
	const void *data;
	/* Bytes of data. */
	size_t len;
};

/* Where a connection is. */
enum ws_phase {
	WS_PHASE_RESOLVE,
	WS_PHASE_CONNECT,
	WS_PHASE_PROXY,
	/* With nonblock, the call that enters this phase returns WS_AGAIN at
	 * once. The calls that follow in this phase may compute for long: see
	 * Time. A program that cannot accept this puts a timer or a thread
	 * around them. */
	WS_PHASE_TLS,
	WS_PHASE_UPGRADE,
	/* The connection is open. */
	WS_PHASE_READY,
	/* Nothing has begun yet: the URL and the options are checked. */
	WS_PHASE_URL,
	WS_PHASE_CLOSING,
	WS_PHASE_DONE
};
/* The durations of the first phases are reported: WS_PHASE_RESOLVE to
 * WS_PHASE_UPGRADE. */
#define WS_PHASES_TIMED 5

/* What happened. It can be read in any state, also after a failure. Strings are
 * never NULL; "" means unknown or none. A newer library may have more fields at
 * its end, so read its fields, and do not copy it as a whole. */
struct ws_report {
	/* Where the connection is, or where it failed. */
	enum ws_phase phase;
	/* The error that ended the connection, or 0. */
	int err;
	/* After WS_EUSAGE from ws_open: the field that is wrong ("proxy",
	 * "tls.ca_file"). After WS_ETIMEOUT: the field whose file did not end
	 * in time. After WS_EIO: the field whose file could not be opened
	 * because no descriptor was free. After WS_EHTTP, WS_EHANDSHAKE and
	 * WS_ECERT: a field that may help ("user", "subprotocols",
	 * "tls.ca_file"). */
	const char *option;
	/* The final URL after redirects, for a person: without userinfo, and
	 * with "***" as the value of each parameter whose name suggests a
	 * secret ("access_token"). */
	const char *url;
	/* Of the peer, or of the proxy: "127.0.0.1:80", "[::1]:80",
	 * "unix:/run/x". */
	const char *address;
	/* The subprotocol that the server selected (RFC 6455 4.2.2). "": none,
	 * also if some were offered. */
	const char *subprotocol;
	/* Redirects followed. */
	int redirects;
	/* HTTP status of the response to the upgrade. 0: none yet. */
	int http_status;
	/* Status line and headers of that response as they arrived, with
	 * folded lines unfolded. "" if they are invalid, and once ws_recv was
	 * called; ws_header still has the headers then. */
	const char *head;
	/* Bytes of head. */
	size_t head_len;
	/* Body of a refused upgrade, decoded if chunked, at most WS_MAX_BODY
	 * bytes. "" if the head is invalid, or a redirect was to be followed.
	 */
	const char *body;
	/* Bytes of body, which may have a NUL among them. */
	size_t body_len;
	/* The peer's close code, often one of enum ws_closecode. 1005: its
	 * close frame had none; 1006: there was no close frame (RFC 6455
	 * 7.1.5). 0: not closed. */
	int close_code;
	/* What the peer said with the code: UTF-8, terminated by a NUL. */
	const char *close_reason;
	/* Bytes of close_reason, which may have a NUL among them. */
	size_t close_reason_len;
	/* Of the built-in TLS: "TLSv1.2" or "TLSv1.3". */
	const char *tls_version;
	/* IANA name of the cipher suite. */
	const char *tls_cipher;
	/* Subject of the server's certificate. */
	const char *cert_subject;
	/* Its issuer. */
	const char *cert_issuer;
	/* When it expires, in seconds since 1970. 0: no certificate was
	 * received. */
	int64_t cert_not_after;
	/* 1: chain and name (the name unless insecure_no_hostname) were
	 * verified. Always 0 with tls.config. */
	int tls_verified;
	/* 1: the call failed because this process, or the system, had no free
	 * descriptor. It may succeed once some are closed. */
	int no_descriptor;
	/* Microseconds spent in WS_PHASE_RESOLVE to WS_PHASE_UPGRADE, redirects
	 * included. -1: it was not reached, or has not ended. */
	int64_t phase_us[WS_PHASES_TIMED];
	/* Bytes received since the upgrade of the last hop began: all headers
	 * count, but not what TLS adds. They grow while a long message
	 * arrives. */
	uint64_t bytes_received;
	/* Bytes sent, counted in the same way. */
	uint64_t bytes_sent;
	/* When the last byte was received, by the clock now_us. 0: none was. */
	int64_t last_received_us;
	/* Pings of the peer. */
	unsigned pings_received;
	/* Pongs of the peer, also those that are not handed out. */
	unsigned pongs_received;
};

/* Called by ws_new, ws_query and ws_answer_free below. opt_size is the
 * program's sizeof(struct ws_options), which may differ from that of a shared
 * library: either of the two may be newer. A field that the library does not
 * know must be zero, else it is WS_EUSAGE. */
/* clang-format off */
WS_API struct ws_conn *ws_new_sized(const char *url,
                                    const struct ws_options *opt,
                                    size_t opt_size);
WS_API int ws_query_sized(const char *url, const struct ws_options *opt,
                          size_t opt_size, int type, const void *data,
                          size_t len, struct ws_answer *answer);
WS_API void ws_answer_free_sized(struct ws_answer *answer,
                                 const struct ws_options *opt, size_t opt_size);
/* clang-format on */

/* Makes a connection object; nothing is resolved, connected or sent yet. NULL:
 * out of memory. A wrong URL or option is not NULL: ws_open returns its error,
 * and ws_errmsg already has the sentence. */
/* clang-format off */
static inline struct ws_conn *ws_new(const char *url,
                                     const struct ws_options *opt)
{
	return ws_new_sized(url, opt, sizeof(struct ws_options));
}
/* clang-format on */

/* Resolves, connects, passes the proxy, does the TLS handshake and the upgrade,
 * and follows redirects. 0: the connection is open, or was open already. */
WS_API int ws_open(struct ws_conn *ws);

/* Sends a message, or with WS_MORE a fragment. Returns the bytes taken, like
 * write(2), or an error. An empty message returns 0 when it is taken.
 *
 * Fewer than len bytes (or WS_AGAIN: none) are taken when the call must not
 * wait, at the deadline, after ws_cancel, or when the peer does not read until
 * we do. Then call ws_recv, and send the rest: data + taken, len - taken, the
 * same type. Until the rest is taken, no other message or ping can begin. The
 * len of the first call is the frame's length. Without nonblock, ws_errmsg says
 * why not all was taken, and ws_send_all does this by itself.
 *
 * Text that is not UTF-8 is WS_EUSAGE, and nothing is sent. Bytes that are
 * taken but not written yet are written by later calls. A message that ws_recv
 * returned may be sent back from where it lies; but if not all of it is taken,
 * the next ws_recv overwrites the rest, so copy a large one first. */
/* clang-format off */
WS_API ptrdiff_t ws_send(struct ws_conn *ws, int type, const void *data,
                         size_t len);
/* clang-format on */

/* Sends a whole message, or with WS_MORE a whole fragment, on a connection
 * without nonblock. 0, or an error.
 *
 * What the peer sends meanwhile is kept for ws_recv, up to max_message bytes;
 * its pings are answered by the next ws_recv. WS_AGAIN: more than that came, or
 * the peer has closed; call ws_recv to find out. After WS_AGAIN, WS_ETIMEOUT or
 * WS_ECANCELED, the same call with the same arguments goes on where it
 * stopped. data may be a message that ws_recv returned, but only for one call,
 * which may move it: copy it to be able to make the call again. */
/* clang-format off */
WS_API int ws_send_all(struct ws_conn *ws, int type, const void *data,
                       size_t len);
/* clang-format on */

/* Bytes of messages and pings that were taken, headers included, but not
 * written yet. It also counts those that were lost when the connection ended:
 * the last of what was sent. */
WS_API size_t ws_unsent(const struct ws_conn *ws);

/* Receives the next message, or with stream the next piece of one. 0: *msg is
 * filled. WS_ECLOSED: the peer closed, and no more messages will come.
 *
 * It answers pings. WS_PONG is returned only after a ws_ping. While a
 * ws_send is unfinished, or the last ws_send or ws_ping took nothing, ws_recv
 * does not wait for a message once the peer takes more: it returns WS_AGAIN to
 * let the program send. */
WS_API int ws_recv(struct ws_conn *ws, struct ws_msg *msg);

/* As ws_recv, but waits at most wait_ms milliseconds, and never past the
 * deadline. 0: a look without waiting, also on a connection without nonblock.
 * -1: as ws_recv. WS_AGAIN: no message came by then; one that has come in part
 * is continued by the next call. */
/* clang-format off */
WS_API int ws_recv_within(struct ws_conn *ws, struct ws_msg *msg, int wait_ms);
/* clang-format on */

/* Sends a ping with at most 125 bytes of payload (RFC 6455 5.5). 0: taken; the
 * pong arrives in ws_recv. WS_AGAIN: a ws_send is unfinished, or the peer does
 * not read until we do. */
WS_API int ws_ping(struct ws_conn *ws, const void *data, size_t len);

/* Sends a close frame if none was sent, discards what still arrives, and waits
 * for the peer's close frame. 0: both sides have closed.
 *
 * code is 1000-1003, 1007-1014 or 3000-4999 (RFC 6455 7.4), and reason is NULL
 * or at most 123 bytes of UTF-8. code 0 sends no code; reason must then be
 * NULL.
 *
 * On a connection that has ended, it waits until all taken bytes are written
 * and, if we closed because of a violation, until the peer ends the stream. On
 * one that never opened it does nothing. */
WS_API int ws_close(struct ws_conn *ws, int code, const char *reason);

/* Sends a close frame, with code and reason as for ws_close, but goes on
 * receiving: ws_recv returns what the peer still sends until its close frame,
 * which is WS_ECLOSED. ws_send and ws_ping are WS_EUSAGE from then on, and so
 * is this call while a ws_send is unfinished. A ws_close afterwards waits for
 * the end. 0: the close frame is taken, or one was sent already. */
WS_API int ws_shutdown(struct ws_conn *ws, int code, const char *reason);

/* Ends the waiting of a call on ws, from another thread or a signal handler: a
 * call that waits, or else the next one that would wait, returns WS_ECANCELED.
 * So does a call that never waits because the peer floods it. One call returns
 * that, and the connection goes on. No thread may call ws_cancel once ws_free
 * has begun.
 *
 * 0, or WS_EIO: a call that already waits is not woken, and only the next one
 * returns WS_ECANCELED. That is so with io, unless a signal ends io_wait; with
 * nonblock, where the program wakes its own loop; and if ws_new found no free
 * descriptor. */
WS_API int ws_cancel(struct ws_conn *ws);

/* Frees the connection in any state, at once and without sending anything. ws
 * may be NULL. */
WS_API void ws_free(struct ws_conn *ws);

/* Sets a new deadline, timeout_ms from now. -1: none. 0: it has passed. A
 * call that returned WS_ETIMEOUT on an open connection can be made again
 * after it. */
WS_API void ws_timeout(struct ws_conn *ws, int timeout_ms);

/* One sentence for a person: the phase, the peer and what happened, without
 * secrets. "" if nothing went wrong. */
WS_API const char *ws_errmsg(const struct ws_conn *ws);

/* What happened so far. Never NULL. The function has the name of its struct, as
 * stat(2) does: in C++ write "const struct ws_report *". */
#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow" /* that of a constructor */
#endif
WS_API const struct ws_report *ws_report(const struct ws_conn *ws);
#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

/* The value of a header of the response to the upgrade, also of a refused one,
 * terminated by a NUL; several headers of that name are joined by ", ". NULL:
 * there is none, or no valid response yet. The case of name does not matter.
 * The string lives as long as the connection object. */
WS_API const char *ws_header(const struct ws_conn *ws, const char *name);

/* The descriptor of the connection, for getsockopt and the like. -1: none is
 * connected (yet, or any more), or the transport is your own. To poll it, see
 * ws_wants. The library keeps it: do not close it, and do not read or write. */
WS_API int ws_fd(const struct ws_conn *ws);

/* Fixed words for programs, one for each error: "timeout", "refused", ... "ok"
 * for a result >= 0, "unknown" for a number that is not in enum ws_err. */
WS_API const char *ws_errname(int err);
/* "resolve", "connect", ... "" for a number that is not in enum ws_phase. */
WS_API const char *ws_phasename(enum ws_phase phase);
/* "normal closure", "going away", ... "" for a code without a name. */
WS_API const char *ws_closename(int code);

/* Event loops. After WS_AGAIN, ask ws_wants, poll, and make the same call again
 * when a descriptor is ready or the time is over. Polling is level-triggered,
 * and the library need not be told which descriptor is ready. On an idle
 * connection the call is ws_recv; while sending, both ws_recv and ws_send.
 * Several sockets race until ws_open ends; after that there is one. */

#define WS_FDS_MAX 8
struct ws_pollfd {
	/* A descriptor. -1: a transport of your own. */
	int fd;
	/* WS_POLL_READ, WS_POLL_WRITE or both. */
	int events;
};
struct ws_pollset {
	/* Descriptors in fd. 0: there is nothing to poll, but there may be time
	 * to wait for. */
	int n;
	/* What to poll. fd[0].fd is the connection's descriptor, or -1, also if
	 * n is 0. */
	struct ws_pollfd fd[WS_FDS_MAX];
	/* Milliseconds after which to call again even if nothing is ready. 0:
	 * at once, because received bytes are waiting inside. -1: no limit. */
	int timeout_ms;
	/* Differs when the set of descriptors does. An event loop that keeps
	 * registrations (epoll) then drops all and adds all, because the number
	 * of a closed descriptor may be in use again. One that must stop
	 * watching a descriptor before it is closed (libuv) sets on_close. */
	unsigned change;
};
WS_API void ws_wants(const struct ws_conn *ws, struct ws_pollset *set);

/* A whole query in one call. */

struct ws_answer {
	/* 1: the WebSocket was opened, whatever came later. */
	int connected;
	/* The result of ws_query. */
	int err;
	/* Of the message received: WS_TEXT or WS_BINARY. */
	int type;
	/* The message, followed by a NUL, or NULL if none was received. It is
	 * freed by ws_answer_free. */
	char *data;
	/* Bytes of data, without the NUL. */
	size_t len;
	/* One sentence. "" if nothing failed. */
	char error[256];
};

/* Opens, sends (unless data is NULL), receives one message and closes; the
 * close is waited for at most 1 s. nonblock and stream have no effect. *answer
 * is always filled. Returns 0 or the error. */
/* clang-format off */
static inline int ws_query(const char *url, const struct ws_options *opt,
                           int type, const void *data, size_t len,
                           struct ws_answer *answer)
{
	return ws_query_sized(url, opt, sizeof(struct ws_options), type, data,
	                      len, answer);
}
/* clang-format on */

/* Frees answer->data. opt is that of the query: it has the allocator. */
/* clang-format off */
static inline void ws_answer_free(struct ws_answer *answer,
                                  const struct ws_options *opt)
{
	ws_answer_free_sized(answer, opt, sizeof(struct ws_options));
}
/* clang-format on */

/* Trusted certificates that connections share. Each connection to a wss:// URL
 * reads ca_file and ca_dir, or the system's certificates, for itself. A program
 * with many connections saves time and memory by reading them once:
 *
 *	opt.tls.trust = ws_trust_new(&opt);
 *	... many times ws_new(url, &opt) ...
 *	ws_trust_free(opt.tls.trust);
 */

/* Called by ws_trust_new: see ws_new_sized. */
/* clang-format off */
WS_API struct ws_trust *ws_trust_new_sized(const struct ws_options *opt,
                                           size_t opt_size);
/* clang-format on */

/* Reads what opt->tls trusts: ca_file and ca_dir, or the system's certificates
 * if both are NULL. Besides these it looks at timeout_ms and
 * connect_timeout_ms, which begin with this call, at alloc, give_up and
 * user_data. opt may be NULL.
 *
 * NULL: out of memory. A file that cannot be read is not NULL: ws_trust_errmsg
 * has the sentence, and each connection with this tls.trust fails with the
 * error that it would have found itself: WS_EUSAGE, WS_ETIMEOUT or WS_EIO.
 *
 * The object does not change, so what becomes of the files later has no effect.
 * Connections in several threads may use it at the same time. */
/* clang-format off */
static inline struct ws_trust *ws_trust_new(const struct ws_options *opt)
{
	return ws_trust_new_sized(opt, sizeof(struct ws_options));
}
/* clang-format on */

/* One sentence for a person, as of ws_errmsg. "" if everything could be
 * read. */
WS_API const char *ws_trust_errmsg(const struct ws_trust *trust);

/* Gives up the program's share of trust. Connections that use it keep it until
 * their ws_free; the last of these calls frees it, with alloc and user_data.
 * trust may be NULL. */
WS_API void ws_trust_free(struct ws_trust *trust);

/* What the linked library has; it may be newer than this header. */
enum ws_feature {
	WS_HAS_TLS = 1,
	WS_HAS_RESOLVER = 2,
	WS_HAS_THREADS = 4,
	WS_HAS_PROXY = 8,
	WS_HAS_REDIRECTS = 16
};
/* WS_VERSION of the library, and " mbedTLS/x.y.z" if TLS is built in. */
WS_API const char *ws_version(void);
/* Flags of enum ws_feature. */
WS_API unsigned ws_features(void);

/* Limits on what a peer can make grow. */

/* Bytes of a URL, or of a Location. */
#define WS_MAX_URL 8192
/* Bytes of a response's head. Each interim 1xx response has this limit too. */
#define WS_MAX_HEAD 16384
/* Lines of a response's head. */
#define WS_MAX_HEAD_LINES 100
/* Interim 1xx responses before the final one. */
#define WS_MAX_INTERIM 8
/* Bytes that are kept of a refused upgrade's body. */
#define WS_MAX_BODY 1024
/* Milliseconds that a refused upgrade's body is waited for. */
#define WS_MAX_BODY_WAIT_MS 1000
/* Addresses of one name that are tried. */
#define WS_MAX_ADDRESSES 16
/* Lookups of this process that still run although their connection gave up.
 * Each is a thread; see Name lookups above. */
#define WS_MAX_LOST_LOOKUPS 32

#ifdef __cplusplus
}
#endif
#endif
