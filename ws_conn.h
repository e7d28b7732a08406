/* SPDX-License-Identifier: ISC
 * ws_conn.h - internal: what a connection consists of, for the files that make it work
 *
 *	ws.c       the calls of ws.h, and the life of a connection
 *	copy.c     a copy of what the options point to
 *	check.c    which option is wrong, and what of its value may be shown
 *	open.c     the way to the server, one function for each step: names, sockets, proxy, TLS
 *	upgrade.c  the opening handshake, and where a redirect leads
 *	keepalive.c  pings of ws_options.ping_interval_ms
 *	buffer.c   the two buffers
 *	cancel.c   ends the waiting of a call from outside
 *	send.c     messages and control frames on their way out
 *	recv.c     messages on their way in, and closing
 *	transport.c  waits for the transport and moves bytes over it
 *	conn.c     what all of these need: memory, clock, random bytes, sentences
 *
 * The life of a connection. Every step may return WS_AGAIN; the same call then goes on with it.
 *
 *	ws_new -> START -> [TARGET] -> NET -> [PROXY] -> [TLS] -> REQUEST -> SEND -> HEAD -> open
 *	            ^    (TARGET resolves the name for SOCKS4 and SOCKS5)             |
 *	            +--------------------- 30x with a Location ----------------------+-> BODY -> refused
 *
 *	open --ws_close--> closing --close frame of the peer--> over
 *	open --close frame of the peer, end of file, violation--> over
 *
 * Receiving uses one buffer; rbuf[rpos..rend) is unread. A message is handed out from where it lies
 * in the buffer; the payload of each later fragment is moved up to follow the one before. The
 * buffer grows with what has arrived, never with what a header promises, and shrinks after a long
 * message.
 *
 * Sending uses one buffer, sbuf[0..send_len), into which frames are masked. A frame of ws_send that
 * does not fit stays under way (tx_active) over several calls, and control frames wait for its end.
 */
#ifndef WS_CONN_H
#define WS_CONN_H
#include "ws_tls.h"
#include <stdbool.h>
#ifndef WS_NO_THREADS
#include <stdatomic.h>
#endif

#define WSI_BUFFER_MIN 256 /* smallest size of either buffer: a header and a control frame fit */
#define WSI_TRACE_MAX 256  /* bytes of a frame that are shown to trace */
#define WSI_SHOWN_MAX 160  /* bytes of a wrong value that are shown in a sentence */
#define WSI_SENTENCE_MAX                                                                           \
	1536 /* bytes of a cause: WS_MAX_ADDRESSES addresses, each with its error, fit */
#define WSI_REDIRECTS_MAX 512   /* bytes of a sentence's list of redirects */
#define WSI_SERVER_NAME_MAX 255 /* RFC 1035 2.3.4: bytes of the name that start_tls gets */
#define WSI_NONCE_LEN 16        /* RFC 6455 4.1: random bytes of Sec-WebSocket-Key */
#define WSI_KEY_LEN 4           /* RFC 6455 5.3: bytes of a masking key */
#define WSI_TLS_READS                                                                              \
	250 /* below TLS in one call: a flight of the handshake takes about 20, a record 2 */

/* A flag that another thread or a signal handler may set. Without threads there is no other thread,
 * and <stdatomic.h> need not exist. */
#ifdef WS_NO_THREADS
typedef volatile int wsi_flag;
#else
typedef atomic_int wsi_flag;
#endif

/* The steps of ws_open, in their order. */
enum wsi_step {
	WSI_STEP_START,
	WSI_STEP_TARGET,
	WSI_STEP_NET,
	WSI_STEP_PROXY,
	WSI_STEP_TLS,
	WSI_STEP_REQUEST,
	WSI_STEP_SEND,
	WSI_STEP_HEAD,
	WSI_STEP_BODY
};

enum wsi_state { WSI_OPENING, WSI_OPEN, WSI_CLOSING, WSI_OVER };

/* What only ws_open needs. Freed when it ends. */
struct wsi_opening {
	size_t size; /* of this block */
	struct ws_options opt;
	struct wsi_url url;      /* of this hop */
	struct wsi_url first;    /* of the first hop */
	struct wsi_text hop_url; /* this hop's URL, if a redirect led to it */
	struct wsi_net net;      /* in the steps TARGET and NET */
#ifndef WS_NO_PROXY
	struct wsi_proxy proxy;
#endif
	char key[WSI_BASE64_LEN(WSI_NONCE_LEN) + 1]; /* Sec-WebSocket-Key */
	struct wsi_sent sent;                        /* what the last request held */
	struct wsi_response response;
	struct wsi_body body;

	struct wsi_text cause; /* why a layer below has failed: see wsi_cause() */
	char cause_small[64];  /* holds the cause if there is no memory for a whole sentence */
	struct wsi_text chain; /* "A -> B -> " after a redirect */
	/* As the program gave it, with userinfo. It is stored after this struct, like everything
	 * that opt points to. */
	char *first_url;
};

/* A control frame. */
struct wsi_control {
	unsigned char opcode;
	unsigned char len;
	unsigned char data[WSI_CONTROL_MAX];
};

struct ws_conn {
	/* Bytes of the first rbuf and sbuf, which are stored after this struct in the same
	 * block. */
	size_t first_rcap, first_scap;
	enum wsi_state state;
	enum wsi_step step; /* while opening */
	struct wsi_opening *op;

	/* What the program asked for. */
	struct wsi_mem mem; /* allocator, clock, entropy, trace */
	bool nonblock;
	bool stream;     /* hand out pieces of messages */
	bool check_utf8; /* text must be UTF-8 */
	size_t max_message;

	/* Time. Both deadlines hold while opening; afterwards connect_deadline is WSI_NEVER. */
	int64_t deadline;
	int64_t connect_deadline;
	int64_t wait_until;  /* of ws_recv_within, during that call; else WSI_NEVER */
	int64_t start;       /* when the deadline was set */
	int64_t phase_start; /* when info.phase began */

	/* Keeping alive. */
	int ping_interval_ms;
	bool ping_waits;      /* a ping of keepalive.c is to be sent */
	bool ping_unanswered; /* such a ping was made, and no sign of life has come since */
	bool silent;          /* a call is about to return WS_ETIMEOUT because of that */
	int64_t quiet_since;  /* when the last sign of life came, or that ping was made or sent */

	/* ws_cancel, which other threads and signal handlers call. */
	wsi_flag canceled;
	int wake[2]; /* wakes a call that waits: read [0], write [1]. -1: none */

	/* The transport. */
	int fd; /* of our own socket or the program's descriptor, or -1 */
	void (*on_close)(void *user_data, int fd); /* ws_options.on_close, or NULL */
	struct ws_io raw;                          /* below TLS */
	struct ws_io *io; /* below the WebSocket: a block with TLS's functions, or &raw */
	unsigned change;  /* counts changes of the set of descriptors */
	/* WS_POLL_READ or WS_POLL_WRITE: what a blocked read waits for. While opening, this is also
	 * what a blocked write waits for. */
	int read_waits;
	int write_waits; /* what a blocked write waits for */
	bool own_io;     /* raw is the program's transport */
	/* raw is the program's transport or its descriptor, and so leads to one server only. */
	bool given;
	bool own_tls;       /* the program's start_tls fills io */
	bool write_blocked; /* the transport has not taken all bytes of the last write */
	/* The buffered bytes contain nothing that can be handled: wait for the transport. */
	bool need_input;
	bool same_origin; /* this hop and all before it have the origin of the first one */
	bool proxied;     /* info.address is the proxy's */
	unsigned reads;   /* reads that this call has made */
	unsigned interim; /* 1xx responses to this request */
#ifdef WS_WITH_MBEDTLS
	unsigned tls_reads; /* reads below TLS that this call to TLS has made */
	struct wsi_tls_config *tls_config;
	struct wsi_tls *tls;
	/* The server's first bytes of TLS, if they were read together with the proxy's answer: cap
	 * bytes, of which TLS has had the first len. */
	struct wsi_text tls_early;
#endif

	/* Receiving: rbuf[rpos..rend) is unread. The message under way is
	 * rbuf[message_pos..message_pos + message_len), which ends at or before rpos. */
	unsigned char *rbuf;
	size_t rcap, rpos, rend;
	bool grown;        /* rbuf is a block of its own, larger than the first one */
	bool shrink_waits; /* that block is no longer needed, and is freed after keep_until */
	bool pinged;       /* ws_ping was called: pongs are handed out */
	/* ws_recv may take its fast path: the connection is open, no message is under way, and
	 * there is nothing to trace or to report. */
	bool quick;
	int64_t keep_until; /* that block is not freed before this time */
	size_t message_pos, message_len;
	/* The frame under way. .len: bytes of its payload still to come. .head is 0 if there is no
	 * frame. */
	struct wsi_frame frame;
	int message_type; /* of the message under way; 0: none */
	uint32_t rx_utf8; /* state of the UTF-8 check of that message */

	/* Sending: sbuf[0..send_len) is to be written. */
	unsigned char *sbuf;
	size_t scap, send_len;
	/* Bytes of the program's frames that the transport has not taken; kept after a failure.
	 * They are the last ones in sbuf, because a control frame of ours is put into an empty sbuf
	 * only. */
	size_t unsent;
	/* The last ws_send or ws_ping took nothing, and ws_recv has not returned since. */
	bool refused;
	bool tx_active;  /* a frame of ws_send is under way */
	bool send_grows; /* the program has not chosen the size of sbuf */
	bool read_ended; /* a read while sending failed or found the end: ws_recv will report it */
	/* Type argument of the last ws_send that began a frame; with WS_MORE its message goes on.
	 */
	int tx_type;
	size_t tx_len;                     /* bytes of its payload */
	size_t tx_left;                    /* those that ws_send has not taken yet */
	unsigned char tx_key[WSI_KEY_LEN]; /* masking key of the frame under way */
	uint32_t tx_utf8;                  /* state of the UTF-8 check of the message */
	/* 0, or the enum ws_ioerr of a failed write, after which nothing more is written. */
	ptrdiff_t write_error;
	/* ws_send has returned WS_AGAIN because of it: ws_recv may still find a close frame. */
	bool write_error_told;
	/* Control frames wait until the frame under way is written. If several pings wait for their
	 * pongs, only the last one is answered (RFC 6455 5.5.3). */
	bool pong_waits;
	struct wsi_control pong;
	bool close_waits;
	unsigned close_code; /* of our close frame; 0: without one */

	/* Closing. */
	bool close_sent;  /* a close frame of ours is sent, or waits */
	bool peer_closed; /* the peer has sent a close frame */
	/* We closed after a violation: read on until the peer's end of file, so that it sees our
	 * frame. */
	bool linger;
	/* The reason of our close frame, while it waits. Once the peer's close frame has come, it
	 * is the peer's reason, and ours is sent without one. */
	char close_reason[WSI_CONTROL_MAX - 1];

	/* Random bytes, used from the end. */
	unsigned char pool[64];
	unsigned pool_left;
	bool entropy_waits; /* the system has none yet */

	/* The report, and the blocks that it points into. */
	bool opened;     /* the upgrade succeeded */
	int err;         /* the first error, which ended the connection; 0: none */
	int refusal;     /* returned by calls that need an open connection: err, or WS_EUSAGE */
	const char *why; /* for ws_errmsg */
	struct ws_report info;
	struct wsi_text sentence; /* what why points to, unless it is static */
	struct wsi_text url;      /* as shown */
	struct wsi_text address;
	struct wsi_text subprotocol;
	/* What goes to the proxy, then our request, then the response's head. */
	struct wsi_text head;
	/* The response's headers, for ws_header: see wsi_put_headers. */
	struct wsi_text headers;
	struct wsi_text body;    /* of a refused upgrade */
	struct wsi_text nowhere; /* takes sentences that are dropped */
	char nothing[1];
};

/* conn.c: memory. Blocks come from the program's allocator. */
WSI void *wsi_grow(const struct ws_conn *ws, void *p, size_t old_len,
                   size_t new_len); /* as wsi_alloc */
WSI void wsi_release(const struct ws_conn *ws,
                     struct wsi_text *t); /* frees t, which is empty then */
/* Makes room in t for exactly len more bytes. NULL: no memory, and t is unchanged. */
WSI struct wsi_text *wsi_resize(const struct ws_conn *ws, struct wsi_text *t, size_t len);
/* Likewise, but if there is no memory the connection fails. */
WSI struct wsi_text *wsi_room(struct ws_conn *ws, struct wsi_text *t, size_t len);
/* Likewise, and t is empty. */
WSI struct wsi_text *wsi_blank(struct ws_conn *ws, struct wsi_text *t, size_t len);

/* conn.c: time */
WSI int64_t wsi_now_us(const struct ws_conn *ws);
WSI int64_t wsi_after_ms(int64_t from_us, int ms); /* ms < 0: never */
#ifdef WS_WITH_MBEDTLS
/* The deadline by the system's clock, for reading files. */
WSI int64_t wsi_files_until(const struct ws_conn *ws);
#endif
WSI bool wsi_late(const struct ws_conn *ws); /* a deadline has passed */
/* Enters a phase, and adds up the time that the phase before it took. */
WSI void wsi_enter(struct ws_conn *ws, enum ws_phase phase);

/* conn.c: sentences. An error is reported in three steps: get the text, write into it, fail.
 *
 *	struct wsi_text *t = wsi_sentence(ws);
 *	wsi_put(t, "proxy ");
 *	wsi_put_peer(t, ws);
 *	return wsi_fail(ws, WS_EPROXY);
 *
 * The first error that ends a connection stays; what is written about a later one is dropped. */
WSI struct wsi_text *wsi_sentence(struct ws_conn *ws);
WSI int wsi_fail(struct ws_conn *ws, int err); /* returns err, or the error that came first */
WSI int wsi_fail_text(struct ws_conn *ws, int err, const char *text); /* the three steps at once */
WSI int wsi_no_memory(struct ws_conn *ws);
/* An empty text in which a layer below says why it failed. Only while opening. */
WSI struct wsi_text *wsi_cause(struct ws_conn *ws);
/* "127.0.0.1:80", "ws://a/ through PROXY". */
WSI void wsi_put_peer(struct wsi_text *t, const struct ws_conn *ws);
/* The phase and the peer: "upgrade at [::1]:80". */
WSI void wsi_put_doing(struct wsi_text *t, const struct ws_conn *ws);
/* The time since the deadline was set: "5 s". */
WSI void wsi_put_elapsed(struct wsi_text *t, const struct ws_conn *ws);

WSI void wsi_end_opening(struct ws_conn *ws); /* frees ws->op */

/* conn.c: random bytes. 0; WS_AGAIN: the system has none yet; WS_EENTROPY: it has failed. */
WSI int wsi_random(struct ws_conn *ws, unsigned char *out, unsigned len);
/* Random bytes from the program's source or the system's. TLS calls it, too. */
WSI int wsi_entropy_of(void *ws, void *buf, size_t len);

/* transport.c: waiting and moving bytes */
/* Blocks until something may have changed: 0, WS_ECANCELED or WS_EIO. */
WSI int wsi_await(struct ws_conn *ws);
/* This call must not wait, or not any longer. */
WSI bool wsi_must_not_wait(const struct ws_conn *ws);
/* True if such a call, or one that was canceled, has done enough and must return. It is called once
 * for each read and each pong, and counts these calls. */
WSI bool wsi_read_enough(struct ws_conn *ws);
/* Appends to rbuf, the only place that reads. 0: bytes came; WS_AGAIN; else the transport's word
 * (enum ws_ioerr). */
WSI int wsi_read_more(struct ws_conn *ws);
/* Writes p[0..*len) and moves what could not be written to p. 0: all is written; WS_AGAIN; else the
 * transport's word. */
WSI int wsi_write_out(struct ws_conn *ws, void *p, size_t *len);
/* Notes what the transport waits for. False: word is neither WS_IO_READ nor WS_IO_WRITE. */
WSI bool wsi_blocked(struct ws_conn *ws, ptrdiff_t word, int *waits);
/* The sentence and the error for a transport's word. detail goes after the cause: " in the middle
 * of a message". */
WSI int wsi_io_failed(struct ws_conn *ws, ptrdiff_t word, const char *detail);
/* Reading or writing failed with this word of the transport, while open or closing. */
WSI int wsi_receive_failed(struct ws_conn *ws, ptrdiff_t word);
WSI void wsi_close_transport(struct ws_conn *ws);
WSI void wsi_trace(const struct ws_conn *ws, int sent, int type, const void *p, size_t len);

/* copy.c: copies everything that *o points to into the block at to, which is aligned for a pointer,
 * and makes *o point there. If to is NULL, it only counts. Returns the bytes needed. */
WSI size_t wsi_copy_options(struct ws_options *o, char *to);

/* check.c: everything that can be wrong with the options and is found before connecting */
struct wsi_complaint {
	const char *option; /* the field's name */
	const char *value;  /* the wrong string, or NULL */
	const char *why;    /* NULL: nothing is wrong */
};
/* Numbers, functions and parts that are not built in, before there is a connection. known: false if
 * an option is set that *o does not have. c is zeroed by the caller. */
WSI void wsi_check_first(const struct ws_options *o, bool known, struct wsi_complaint *c);
/* All the others. c: what was found before. 0 or an error. */
WSI int wsi_check_options(struct ws_conn *ws, struct wsi_complaint *c);
#ifdef WS_WITH_MBEDTLS
WSI int wsi_configure_tls(struct ws_conn *ws);
#endif

/* upgrade.c */
/* Takes the URL as this hop's. It must live as long as ws->op. */
WSI int wsi_take_url(struct ws_conn *ws, const char *url, size_t len);
WSI bool wsi_same_origin(const struct wsi_url *a, const struct wsi_url *b);
WSI void wsi_drop_head(struct ws_conn *ws); /* the response's head is no longer reported */
WSI void wsi_trace_head(const struct ws_conn *ws, int sent, const void *p, size_t len);
WSI int wsi_send_head(struct ws_conn *ws); /* writes what head holds: 0 once all is written */
/* Reads more of a response, the proxy's too, into rbuf: 0, WS_AGAIN or an error. */
WSI int wsi_read_response(struct ws_conn *ws);
/* True if a part of a response has come, the proxy's too. */
WSI bool wsi_has_begun(const struct ws_conn *ws);
/* Puts the beginning of that part in quotes. */
WSI void wsi_put_begun(struct wsi_text *t, const struct ws_conn *ws);
/* The server has not answered the upgrade: puts a hint if it may speak TLS instead. */
WSI void wsi_put_try_tls(struct wsi_text *t, const struct ws_conn *ws);
WSI int wsi_step_request(struct ws_conn *ws);
WSI int wsi_step_send(struct ws_conn *ws);
WSI int wsi_step_head(struct ws_conn *ws);
WSI int wsi_step_body(struct ws_conn *ws);

/* open.c */
/* Does one step of ws_open. Returns WS_AGAIN if it has to wait; otherwise look at ws->state. */
WSI int wsi_open_step(struct ws_conn *ws);
WSI void wsi_open_timed_out(struct ws_conn *ws);

/* cancel.c */
WSI void wsi_cancel_init(struct ws_conn *ws);
WSI bool wsi_canceled(struct ws_conn *ws); /* a call must return WS_ECANCELED in place of waiting */
/* What a call of ws.h returns in place of r. After ws_cancel, WS_AGAIN becomes WS_ECANCELED, and
 * the flag is cleared: so the call must return the result. */
WSI int wsi_told(struct ws_conn *ws, int r);

/* buffer.c: the two buffers */
/* Enlarges sbuf, because a long message is about to go out. If there is no memory, it stays as it
 * is. */
WSI void wsi_grow_sbuf(struct ws_conn *ws);
/* Returns to the first sbuf. The present one must be empty, and no frame under way. */
WSI void wsi_shrink_sbuf(struct ws_conn *ws);
/* Moves what rbuf holds to its start, so that there is room for at least one more byte. False: no
 * memory. */
WSI bool wsi_make_room(struct ws_conn *ws);
/* How many bytes to read at once: as many as there is room for, but of a long frame only its rest
 * and a header. Bytes after these would have to be moved before the next message can grow. */
WSI size_t wsi_read_size(const struct ws_conn *ws);
/* Doubles rbuf, so that its size follows what has come, not what was promised. What it holds stays
 * at the same offsets. False: no memory, or rbuf is as large as max_message needs. */
WSI bool wsi_grow_rbuf(struct ws_conn *ws);
/* When wsi_make_room can give back memory; WSI_NEVER: not at all. */
WSI int64_t wsi_shrink_due(const struct ws_conn *ws);
/* For ws_free: frees the buffers that are blocks of their own. */
WSI void wsi_free_grown(struct ws_conn *ws);

/* send.c */
/* Sends a frame, or the rest of the one under way. Returns the bytes taken, or an error for ws_send
 * to return. */
WSI ptrdiff_t wsi_send_frame(struct ws_conn *ws, unsigned char first_byte, const void *p,
                             size_t len);
/* Writes sbuf and then the control frames that wait. 0: all is written; WS_AGAIN; WS_EENTROPY;
 * WS_ERESET: writing has failed. That does not end the connection yet, because the peer may have
 * sent a close frame before. */
WSI int wsi_flush(struct ws_conn *ws);
/* Sends our close frame as soon as possible, unless there was one already. code 0: a frame without
 * a code. */
WSI void wsi_send_close(struct ws_conn *ws, unsigned code, const char *reason);
/* Fails with WS_EUSAGE: the call cannot be made now, or not with these arguments. The connection
 * goes on. */
WSI int wsi_misuse(struct ws_conn *ws, const char *what);
/* True if p[0..len) continues the UTF-8 text whose state is *utf8. Unless more is to come, it must
 * end with a whole character. */
WSI bool wsi_is_text(uint32_t *utf8, const void *p, size_t len, bool more);

/* keepalive.c */
/* The peer has given a sign of life. */
WSI void wsi_heard(struct ws_conn *ws);
/* When wsi_keepalive must be called next; WSI_NEVER: it need not be. */
WSI int64_t wsi_keepalive_due(const struct ws_conn *ws);
/* Called after a read that found nothing. 0: a ping may now wait to be sent; WS_ETIMEOUT: the peer
 * is silent. */
WSI int wsi_keepalive(struct ws_conn *ws);
/* Called when the ping is in sbuf. */
WSI void wsi_ping_sent(struct ws_conn *ws);
/* Called when that WS_ETIMEOUT is returned to the program: counting starts again. */
WSI void wsi_silence_told(struct ws_conn *ws);
WSI void wsi_make_ping(struct wsi_control *c);
/* True if this pong answers a ping of ours, so that it is not handed out. */
WSI bool wsi_answers_keepalive(const struct ws_conn *ws, const void *pong, size_t len);

/* recv.c */
/* > 0: msg is the next message; or an error. */
WSI int wsi_receive(struct ws_conn *ws, struct ws_msg *msg);

#endif
