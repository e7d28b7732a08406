/* SPDX-License-Identifier: ISC
 * ws_net.h - internal: the operating system and the network, as a connection uses them
 *
 * sys.c, sys_words.c, resolve.c and net.c implement this on POSIX. With WS_NO_NET net_none.c
 * replaces them.
 */
#ifndef WS_NET_H
#define WS_NET_H
#include "ws.h"
#include "ws_proto.h"
#include <stdbool.h>

/* sys.c: memory, clock, random bytes, poll */

/* The functions that the program may supply: the last fields of struct ws_options, in the same
 * order. */
struct wsi_mem {
	void *(*alloc)(void *user_data, void *ptr, size_t old_len, size_t new_len);
	int64_t (*now_us)(void *user_data);
	int (*entropy)(void *user_data, void *buf, size_t len);
	void (*trace)(void *user_data, int sent, int type, const void *data, size_t len);
	void *user_data;
	int (*give_up)(void *user_data);
};
/* Resizes a block, or frees it if new_len is 0. Uses m->alloc, or realloc. NULL: out of memory;
 * the old block stays. */
WSI void *wsi_alloc(const struct wsi_mem *m, void *ptr, size_t old_len, size_t new_len);
/* CLOCK_MONOTONIC in microseconds. */
WSI int64_t wsi_clock_us(void);
/* Fills buf, at most 256 bytes, with random bytes. Never blocks. 0: filled; 1: the system has
 * none yet; -1: it has no source of them. */
WSI int wsi_entropy(void *buf, size_t len);
/* poll(2), once, for set->timeout_ms, or until wsi_wake (wake_fd -1: without it). 0, also after a
 * signal; -1: it failed. */
WSI int wsi_poll(const struct ws_pollset *set, int wake_fd);
/* Two descriptors, which may be the same: a wsi_wake of fd[1] ends a wsi_poll with fd[0]. Both stay
 * -1 if the system has no descriptor free. */
WSI void wsi_wake_open(int fd[2]);
WSI void wsi_wake_close(const int fd[2]);
/* Keeps errno: it may run in a signal handler. */
WSI void wsi_wake(int fd);

/* sys.c: one connected stream socket, as a struct ws_io. io points to its descriptor. */

WSI ptrdiff_t wsi_socket_read(void *io, void *buf, size_t len);
WSI ptrdiff_t wsi_socket_write(void *io, const void *buf, size_t len);
WSI void wsi_socket_close(void *io);
#ifndef WS_NO_NET
/* Calls ws_options.on_close, and then closes a descriptor of ours. */
WSI void wsi_close_fd(const struct ws_options *opt, int fd);
#endif
/* Makes a descriptor non-blocking, and free of SIGPIPE. 0 or -1. */
WSI int wsi_socket_prepare(int fd);

/* sys_words.c: what an errno means */

#ifndef WS_NO_NET
struct wsi_errno_words {
	int system_errno;
	int err; /* the enum ws_err that it becomes */
	const char *text;
};
/* True if it says that this process, or the system, has no descriptor free. */
WSI bool wsi_errno_is_no_fd(int system_errno);
/* Never NULL: an errno that is not in the table is an "unexpected system error". */
WSI const struct wsi_errno_words *wsi_errno_words(int system_errno);
#endif

/* resolve.c: from a host to its addresses */

struct wsi_addr {
	unsigned char bytes[WSI_IP_MAX];
	int len;        /* 4, 16; 0 for ws_options.unix_socket */
	uint32_t scope; /* IPv6: number of the network interface, or 0 */
};
/* opt, to and what they point to are borrowed until wsi_resolve_end. */
struct wsi_lookup {
	const struct ws_options *opt;
	const struct wsi_url *to; /* its host and port; unused with opt->unix_socket */
	int family;               /* 4 or 6: only such addresses; 0: both. At first opt->family */

	bool resolved;
	int n;                                  /* addresses in addr; at least one when resolved */
	struct wsi_addr addr[WS_MAX_ADDRESSES]; /* in the order in which to try them */

	int err;                    /* of the last call: 0, WS_AGAIN, or why the lookup failed */
	const char *cause;          /* why it failed, or what it waits for; or NULL */
	int cause_errno;            /* the system error behind cause, or 0 */
	struct wsi_lookup_job *job; /* getaddrinfo under way, or NULL */
	int job_fd;                 /* with job: becomes readable when the job ends */
	int64_t retry_us;           /* without job: when the next call is due */
};
#ifndef WS_NO_NET
WSI void wsi_resolve_init(struct wsi_lookup *l, const struct ws_options *opt,
                          const struct wsi_url *to);
/* 0: resolved; WS_AGAIN; or an error, which wsi_resolve_put explains. */
WSI int wsi_resolve(struct wsi_lookup *l, int64_t now_us);
/* Adds the descriptor to wait for to set. Returns when to call again even if it is not ready. */
WSI int64_t wsi_resolve_wants(const struct wsi_lookup *l, struct ws_pollset *set);
/* "resolve HOST: cause" */
WSI void wsi_resolve_put(const struct wsi_lookup *l, struct wsi_text *t);
/* Abandons what is under way. l may be zeroed. */
WSI void wsi_resolve_end(struct wsi_lookup *l);
/* True if it is an entry of ws_options.resolve: HOST:PORT:ADDRESS. */
WSI bool wsi_is_override(const char *entry);
#endif

/* net.c: from a host to one connected socket */

/* Why an attempt to connect failed. */
enum wsi_net_cause {
	WSI_NET_NO_FAILURE,
	WSI_NET_SYSTEM, /* the errno beside it says why */
	WSI_NET_NEEDS_ZONE,
	WSI_NET_NO_SUCH_ZONE,
	WSI_NET_NO_SUCH_DEVICE,
	WSI_NET_DEVICE_FORBIDDEN,
	WSI_NET_NO_DEVICES,
	WSI_NET_FOREIGN_ADDRESS,
	WSI_NET_OTHER_FAMILY,
	WSI_NET_PATH_TOO_LONG,
	WSI_NET_BACKLOG_FULL,
	WSI_NET_REFUSED_BY_CALLER,
	WSI_NET_GAVE_WAY
};
struct wsi_net_failure {
	enum wsi_net_cause cause;
	int system_errno; /* with WSI_NET_SYSTEM */
};
struct wsi_attempt {
	int fd; /* -1: failed */
	struct wsi_net_failure failure;
};
struct wsi_net {
	struct wsi_lookup lookup;
	struct wsi_attempt attempt[WS_MAX_ADDRESSES]; /* [i] is to lookup.addr[i] */
	int begun;                                    /* attempts that have begun */
	int64_t next_us; /* when the next one begins, if none fails before that */

	int fd;                        /* the connected socket. It belongs to the caller. */
	const struct wsi_addr *winner; /* its address */
};
enum { WSI_RESOLVED = 1 };

/* opt, to and what they point to are borrowed until wsi_net_end. */
WSI void wsi_net_init(struct wsi_net *n, const struct ws_options *opt, const struct wsi_url *to);
/* WSI_RESOLVED: the next step connects; 0: connected; WS_AGAIN; or it failed, and
 * wsi_net_put_tried has the error. */
WSI int wsi_net_step(struct wsi_net *n, int64_t now_us);
/* Adds the descriptors to wait for to set. Returns when the next step is due even if none is
 * ready; WSI_NEVER: it is not. */
WSI int64_t wsi_net_wants(const struct wsi_net *n, struct ws_pollset *set);
/* What was tried, with the result of each attempt: "resolve a.example", "connect to [::1]:80:
 * Connection refused". Returns the error: WS_EREFUSED if one address refused, else that of the
 * first attempt that failed; 0 or WS_AGAIN if nothing failed yet. */
WSI int wsi_net_put_tried(const struct wsi_net *n, struct wsi_text *t);
/* True if something failed because no descriptor was free. */
WSI bool wsi_net_lacks_fd(const struct wsi_net *n);
/* Where it is connected: "127.0.0.1:80", "unix:/run/x". */
WSI void wsi_net_put_peer(const struct wsi_net *n, struct wsi_text *t);
/* Closes and abandons everything but the connected socket. n may be zeroed. */
WSI void wsi_net_end(struct wsi_net *n);
/* NULL, or what is wrong with *value, the value of the option *option. */
WSI const char *wsi_net_check(const struct ws_options *o, const char **option, const char **value);

#endif
