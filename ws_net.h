/* SPDX-License-Identifier: ISC
 * ws_net.h - internal: the program's or the system's world: memory, clock, entropy, names and sockets
 */
#ifndef WS_NET_H
#define WS_NET_H
#include "ws.h"
#include "ws_proto.h"

/* The caller's world: the last fields of struct ws_options, in their order */
struct wsi_mem {
	void *(*alloc)(void *user_data, void *ptr, size_t old_len, size_t new_len);
	int64_t (*now_us)(void *user_data);
	int (*entropy)(void *user_data, void *buf, size_t len);
	void (*trace)(void *user_data, int sent, int type, const void *data, size_t len);
	void *user_data;
};
/* The caller's allocator, or realloc. What fits stays in it; NULL: no memory, the old block stays. */
WSI void *wsi_alloc(const struct wsi_mem *m, void *ptr, size_t old_len,
                    size_t new_len); /* new_len 0 frees */

/* net.c, or net_none.c in its place */
WSI int64_t wsi_clock_us(void); /* CLOCK_MONOTONIC */
WSI int wsi_entropy(
    void *buf, size_t len); /* 0: filled, 1: the system has none yet, -1: never. Does not block */
WSI int wsi_poll(const struct ws_pollset *
                     set); /* poll(2) once, for set->timeout_ms. < 0: failed; EINTR is no failure */

/* A connected stream socket under the WebSocket: io is a pointer to its descriptor */
WSI ptrdiff_t wsi_socket_read(void *io, void *buf, size_t len);
WSI ptrdiff_t wsi_socket_write(void *io, const void *buf, size_t len);
WSI void wsi_socket_close(void *io);
WSI int wsi_socket_prepare(int fd); /* a descriptor handed in: non-blocking, no SIGPIPE. 0 or -1 */

/* Resolving and racing, from a host's name to one connected socket. */
struct wsi_net_addr {
	unsigned char b[16];
	int len; /* 4, 16; 0: the Unix socket */
	uint32_t scope;
	int fd;  /* of the attempt; -1: it has failed */
	int err; /* why: an errno, or a number of net.c's own below 0; 0: it has not failed */
};
struct wsi_net {
	const struct ws_options *opt;
	const struct wsi_url *to; /* its host, zone and port; not with opt->unix_socket */
	int family;               /* opt->family, or what the caller puts in place of it */
	int resolved;             /* 1; 0 or WS_AGAIN: not yet; an error: it failed */
	const char *cause;        /* why */
	int cause_err;            /* and the errno behind it, or 0 */
	struct net_job *job;      /* a name being resolved */
	int resolver_fd;          /* with job: it can be read once the job has ended */
	int64_t next_us;          /* when the next attempt begins, unless one fails before */
	struct wsi_net_addr *next,
	    *end; /* the next to be tried, before which are the attempts; end of the addresses */
	struct wsi_net_addr *winner; /* which is connected */
	struct wsi_net_addr addr[WS_MAX_ADDRESSES];
};
/* opt, to and what they point to are borrowed until wsi_net_end */
WSI void wsi_net_init(struct wsi_net *n, const struct ws_options *opt, const struct wsi_url *to);
/* 1: resolved, step again to connect; 0: connected, winner->fd is the caller's to close; WS_AGAIN; else it failed, and
 * wsi_net_put_tried has the error */
WSI int wsi_net_step(struct wsi_net *n, int64_t now_us);
/* Appends the descriptors to set. When the next step is to be made even if none of them is ready: WSI_NEVER: there is no such time */
WSI int64_t wsi_net_wants(const struct wsi_net *n, struct ws_pollset *set);
/* What it waits for or has tried, and what came of it: "resolve a.example", "connect to [::1]:80: Connection refused".
 * The error that this makes: refused if one address was, else the first one's; 0 or WS_AGAIN: none so far */
WSI int wsi_net_put_tried(const struct wsi_net *n, struct wsi_text *why);
WSI void wsi_net_put_peer(const struct wsi_net *n, const struct wsi_net_addr *a,
                          struct wsi_text *t); /* "127.0.0.1:80", "unix:/run/x" */
WSI void wsi_net_end(
    struct wsi_net *n); /* closes and abandons what is left but the winner. n may be zeroed */
/* NULL, or what is wrong with *value, which is in the field *option */
WSI const char *wsi_net_check(const struct ws_options *o, const char **option, const char **value);

#endif
