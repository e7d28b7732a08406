/* SPDX-License-Identifier: ISC
 * net.c - from a host to one connected socket: attempts to connect to its addresses race (RFC
 * 8305)
 *
 * resolve.c supplies the addresses. An attempt begins every 250 ms, or as soon as another one
 * fails. The first that connects wins, and the others are closed. At most WS_FDS_MAX are under
 * way at a time.
 */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* SO_BINDTODEVICE, if_nametoindex */
#endif
#ifndef _DARWIN_C_SOURCE
#define _DARWIN_C_SOURCE
#endif
#include "ws_net.h"
#ifndef WS_NO_NET
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define NET_STAGGER_US 250000 /* RFC 8305 5: Connection Attempt Delay */
#define NET_BACKLOG_US 20000  /* between two attempts while a Unix socket's backlog is full */

/* Why an attempt failed */

static const struct wsi_net_failure net_ok = {WSI_NET_NO_FAILURE, 0};

static struct wsi_net_failure net_failure(enum wsi_net_cause cause)
{
	struct wsi_net_failure f = {cause, 0};

	return f;
}

static struct wsi_net_failure net_system_failure(int system_errno)
{
	struct wsi_net_failure f = {WSI_NET_SYSTEM, system_errno};

	return f;
}

/* The words for the causes that have no errno. Where one is behind them, they begin with the
 * words of strerror(3). */
static const struct net_words {
	int err; /* enum ws_err */
	const char *text;
} net_words[] = {
    [WSI_NET_NEEDS_ZONE] = {WS_EUNREACHABLE,
                            "a link-local address needs its zone, as in [fe80::1%25eth0]"},
    [WSI_NET_NO_SUCH_ZONE] = {WS_ERESOLVE, "no such zone: there is no network interface "},
    [WSI_NET_NO_SUCH_DEVICE] = {WS_EIO,
                                "No such device: there is no network interface of this name"},
    [WSI_NET_DEVICE_FORBIDDEN] = {WS_EIO, "Operation not permitted: only a privileged process may "
                                          "bind to a device here"},
    [WSI_NET_NO_DEVICES] = {WS_EIO,
                            "this system cannot bind to a device by its name: give an address"},
    [WSI_NET_FOREIGN_ADDRESS] = {WS_EUNREACHABLE, "Cannot assign requested address: this machine "
                                                  "does not have that address"},
    [WSI_NET_OTHER_FAMILY] = {WS_EUNREACHABLE,
                              "Address family not supported: one end is IPv4, the other IPv6"},
    [WSI_NET_PATH_TOO_LONG] = {WS_EIO, "File name too long: in bytes, the limit for a Unix "
                                       "socket is "},
    [WSI_NET_BACKLOG_FULL] = {WS_EUNREACHABLE, "Resource temporarily unavailable: too many "
                                               "connections wait to be accepted"},
    [WSI_NET_REFUSED_BY_CALLER] = {WS_EIO, "refused by on_socket"},
    [WSI_NET_GAVE_WAY] = {WS_EUNREACHABLE, "Connection timed out: given up to try the next "
                                           "address"},
};

/* Appends the words for a failure, and returns its enum ws_err. */
static int put_failure(const struct wsi_net *n, struct wsi_net_failure f, struct wsi_text *t)
{
	const struct wsi_errno_words *system;
	struct wsi_str zone;

	if (f.cause == WSI_NET_SYSTEM) {
		system = wsi_errno_words(f.system_errno);
		wsi_put(t, system->text);
		return system->err;
	}
	wsi_put(t, net_words[f.cause].text);
	if (f.cause == WSI_NET_NO_SUCH_ZONE) {
		zone = n->lookup.to->zone;
		wsi_put_c(t, '"');
		wsi_put_safe(t, zone.p, zone.len);
		wsi_put_c(t, '"');
	}
	if (f.cause == WSI_NET_PATH_TOO_LONG)
		wsi_put_u(t, sizeof((struct sockaddr_un *)NULL)->sun_path - 1);
	return net_words[f.cause].err;
}

/* Addresses of the system */

union net_sockaddr {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un un;
};

static bool is_unix(const struct wsi_addr *a)
{
	return a->len == 0;
}

static int socket_family(const struct wsi_addr *a)
{
	if (is_unix(a))
		return AF_UNIX;
	return a->len == 4 ? AF_INET : AF_INET6;
}

/* Returns the length of *s. */
static socklen_t make_sockaddr(union net_sockaddr *s, const struct wsi_addr *a, int port)
{
	memset(s, 0, sizeof *s);
	s->any.sa_family = (unsigned char)socket_family(a);
	if (a->len == 4) {
		s->v4.sin_port = htons((uint16_t)port);
		memcpy(&s->v4.sin_addr, a->bytes, 4);
		return sizeof s->v4;
	}
	s->v6.sin6_port = htons((uint16_t)port);
	s->v6.sin6_scope_id = a->scope;
	memcpy(&s->v6.sin6_addr, a->bytes, 16);
	return sizeof s->v6;
}

/* Returns the length of *s, or 0: the path is too long. */
static socklen_t make_unix_sockaddr(union net_sockaddr *s, const char *path)
{
	size_t len = strlen(path);

	memset(s, 0, sizeof *s);
	s->any.sa_family = AF_UNIX;
	if (len >= sizeof s->un.sun_path)
		return 0;
	memcpy(s->un.sun_path, path, len);
	return sizeof s->un;
}

/* RFC 4291 2.5.6: fe80::/10 is a different network on each interface. */
static bool needs_zone(const struct wsi_addr *a)
{
	return a->len == 16 && a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80 && a->scope == 0;
}

/* RFC 4007 11.2: a zone is the name of a network interface, or its number. Returns the number, or
 * 0: there is no such interface. */
static uint32_t zone_number(int fd, struct wsi_str zone)
{
	struct ifreq r;
	int number;

	memset(&r, 0, sizeof r);
	if (zone.len < sizeof r.ifr_name) {
		memcpy(r.ifr_name, zone.p, zone.len);
		r.ifr_name[zone.len] = '\0';
#ifdef __linux__
		/* if_nametoindex does the same on a socket that it makes for this. */
		if (ioctl(fd, SIOCGIFINDEX, &r) == 0)
			return (uint32_t)r.ifr_ifindex;
#else
		(void)fd;
		if (if_nametoindex(r.ifr_name) > 0)
			return if_nametoindex(r.ifr_name);
#endif
	}
	number = wsi_number(zone.p, zone.len, INT_MAX);
	return number > 0 ? (uint32_t)number : 0;
}

/* The socket of an attempt */

/* A new socket, non-blocking and closed on exec, or -1. */
static int new_socket(int family)
{
#if defined(SOCK_NONBLOCK) && defined(SOCK_CLOEXEC)
	return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
#else
	int fd = socket(family, SOCK_STREAM, 0);

	if (fd >= 0) {
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		wsi_socket_prepare(fd);
	}
	return fd;
#endif
}

/* 0 or an errno. */
static int set_option(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof value) < 0)
		return errno;
	return 0;
}

/* 0 or an errno. */
static int set_tcp_options(int fd, int keepalive_s)
{
	int err = set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);

	if (err || keepalive_s <= 0)
		return err;
	err = set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
#ifdef TCP_KEEPIDLE
	if (err == 0)
		err = set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, keepalive_s);
	if (err == 0)
		err = set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, keepalive_s);
#endif
	return err;
}

static struct wsi_net_failure bind_to_device(int fd, const char *name)
{
#ifdef SO_BINDTODEVICE
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)strlen(name) + 1) == 0)
		return net_ok;
	if (errno == ENODEV)
		return net_failure(WSI_NET_NO_SUCH_DEVICE);
	if (errno == EPERM)
		return net_failure(WSI_NET_DEVICE_FORBIDDEN);
	return net_system_failure(errno);
#else
	(void)fd;
	(void)name;
	return net_failure(WSI_NET_NO_DEVICES);
#endif
}

/* Binds the local end to ws_options.local_interface. */
static struct wsi_net_failure bind_local(int fd, const struct wsi_addr *to, const char *name)
{
	struct wsi_addr local;
	union net_sockaddr s;
	socklen_t len;

	local.len = wsi_ip_parse(local.bytes, name, strlen(name));
	local.scope = to->scope;
	if (local.len == 0)
		return bind_to_device(fd, name);
	if (local.len != to->len)
		return net_failure(WSI_NET_OTHER_FAMILY);
	len = make_sockaddr(&s, &local, 0); /* any port */
	if (bind(fd, &s.any, len) == 0)
		return net_ok;
	if (errno == EINVAL && needs_zone(&local))
		return net_failure(WSI_NET_NEEDS_ZONE);
	if (errno == EADDRNOTAVAIL)
		return net_failure(WSI_NET_FOREIGN_ADDRESS);
	return net_system_failure(errno);
}

/* Starts to connect. No failure: it is connected or under way. */
static struct wsi_net_failure connect_to(int fd, const struct wsi_addr *a, int port)
{
	union net_sockaddr s;
	socklen_t len = make_sockaddr(&s, a, port);

	if (connect(fd, &s.any, len) == 0 || errno == EINPROGRESS || errno == EINTR)
		return net_ok;
	/* Linux reports a missing zone as EINVAL. Other systems find no route, or one that leads
	 * nowhere. */
	if ((errno == EINVAL || errno == EHOSTUNREACH || errno == ENETUNREACH) && needs_zone(a))
		return net_failure(WSI_NET_NEEDS_ZONE);
	return net_system_failure(errno);
}

static struct wsi_net_failure connect_to_unix(int fd, const char *path)
{
	union net_sockaddr s;
	socklen_t len = make_unix_sockaddr(&s, path);

	if (len == 0)
		return net_failure(WSI_NET_PATH_TOO_LONG);
	if (connect(fd, &s.any, len) == 0 || errno == EINPROGRESS || errno == EINTR)
		return net_ok;
	if (errno == EAGAIN)
		return net_failure(WSI_NET_BACKLOG_FULL);
	return net_system_failure(errno);
}

/* Everything before on_socket and connect: the TCP options, the zone of the address, the local
 * end. */
static struct wsi_net_failure prepare_tcp(const struct wsi_net *n, int fd, struct wsi_addr *a)
{
	const struct ws_options *opt = n->lookup.opt;
	const struct wsi_url *to = n->lookup.to;
	int err = set_tcp_options(fd, opt->keepalive_s);

	if (err)
		return net_system_failure(err);
	if (to->zone.len > 0) {
		a->scope = zone_number(fd, to->zone);
		if (a->scope == 0)
			return net_failure(WSI_NET_NO_SUCH_ZONE);
	}
	if (!opt->local_interface)
		return net_ok;
	return bind_local(fd, a, opt->local_interface);
}

static struct wsi_net_failure start_connecting(const struct wsi_net *n, int fd, struct wsi_addr *a)
{
	const struct ws_options *opt = n->lookup.opt;
	struct wsi_net_failure f = net_ok;

	if (!is_unix(a))
		f = prepare_tcp(n, fd, a);
	if (f.cause)
		return f;
	if (opt->on_socket && opt->on_socket(opt->user_data, fd) != 0)
		return net_failure(WSI_NET_REFUSED_BY_CALLER);
	if (is_unix(a))
		return connect_to_unix(fd, opt->unix_socket);
	return connect_to(fd, a, n->lookup.to->port);
}

/* One attempt */

static void attempt_close(const struct wsi_net *n, struct wsi_attempt *attempt)
{
	if (attempt->fd >= 0)
		wsi_close_fd(n->lookup.opt, attempt->fd);
	attempt->fd = -1;
}

static void attempt_fail(const struct wsi_net *n, struct wsi_attempt *attempt,
                         struct wsi_net_failure why)
{
	attempt_close(n, attempt);
	attempt->failure = why;
}

/* Begins the attempt to connect to a. It may have failed afterwards. */
static void attempt_begin(const struct wsi_net *n, struct wsi_attempt *attempt, struct wsi_addr *a)
{
	struct wsi_net_failure f;

	attempt->failure = net_ok;
	attempt->fd = new_socket(socket_family(a));
	if (attempt->fd < 0) {
		attempt_fail(n, attempt, net_system_failure(errno));
		return;
	}
	f = start_connecting(n, attempt->fd, a);
	if (f.cause)
		attempt_fail(n, attempt, f);
}

/* Looks at an attempt under way. True if it is connected; it may also have failed now. */
static bool attempt_connected(const struct wsi_net *n, struct wsi_attempt *attempt)
{
	struct pollfd p;
	int err = EIO;
	socklen_t err_len = sizeof err;

	p.fd = attempt->fd;
	p.events = POLLOUT;
	if (poll(&p, 1, 0) <= 0)
		return false;
	getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &err, &err_len);
	if (err == 0)
		return true;
	attempt_fail(n, attempt, net_system_failure(err));
	return false;
}

/* The race */

/* Looks at all attempts under way. True if one is connected: then the race is over. */
static bool find_winner(struct wsi_net *n, int64_t now_us)
{
	int i;

	for (i = 0; i < n->begun; i++) {
		struct wsi_attempt *attempt = &n->attempt[i];

		if (attempt->fd < 0)
			continue;
		if (attempt_connected(n, attempt)) {
			n->winner = &n->lookup.addr[i];
			n->fd = attempt->fd;
			attempt->fd = -1; /* now the caller's */
			return true;
		}
		if (attempt->fd < 0)
			n->next_us = now_us; /* it failed, so the next begins at once */
	}
	return false;
}

static int count_under_way(const struct wsi_net *n)
{
	int i, count = 0;

	for (i = 0; i < n->begun; i++)
		count += n->attempt[i].fd >= 0;
	return count;
}

/* Ends the attempt that had the most time, to make room for another one. */
static void drop_oldest(struct wsi_net *n)
{
	int i;

	for (i = 0; i < n->begun; i++) {
		if (n->attempt[i].fd >= 0) {
			attempt_fail(n, &n->attempt[i], net_failure(WSI_NET_GAVE_WAY));
			return;
		}
	}
}

/* Begins the next attempt. False: it has to be repeated, at n->next_us. */
static bool begin_next(struct wsi_net *n, int64_t now_us)
{
	struct wsi_attempt *attempt = &n->attempt[n->begun];

	attempt_begin(n, attempt, &n->lookup.addr[n->begun]);
	if (attempt->failure.cause == WSI_NET_BACKLOG_FULL) {
		/* Unlike a TCP socket, a Unix socket is not under way then. */
		n->next_us = now_us + NET_BACKLOG_US;
		return false;
	}
	if (attempt->fd >= 0)
		n->next_us = now_us + NET_STAGGER_US;
	n->begun++;
	return true;
}

/* 0: connected; WS_AGAIN; WS_EIO: all attempts have failed. */
static int race(struct wsi_net *n, int64_t now_us)
{
	int under_way;

	/* Each round begins one attempt. It may fail or succeed at once, so the next round looks
	 * at it. */
	for (;;) {
		if (find_winner(n, now_us))
			return 0;
		under_way = count_under_way(n);
		if (n->begun == n->lookup.n)
			return under_way > 0 ? WS_AGAIN : WS_EIO;
		if (now_us < n->next_us)
			return WS_AGAIN;
		if (under_way == WS_FDS_MAX)
			drop_oldest(n);
		if (!begin_next(n, now_us))
			return WS_AGAIN;
	}
}

/* Resolving and connecting as a whole */

void wsi_net_init(struct wsi_net *n, const struct ws_options *opt, const struct wsi_url *to)
{
	memset(n, 0, sizeof *n);
	wsi_resolve_init(&n->lookup, opt, to);
}

int wsi_net_step(struct wsi_net *n, int64_t now_us)
{
	int r;

	if (n->lookup.resolved)
		return race(n, now_us);
	r = wsi_resolve(&n->lookup, now_us);
	if (r != 0)
		return r;
	n->next_us = now_us;
	return WSI_RESOLVED;
}

int64_t wsi_net_wants(const struct wsi_net *n, struct ws_pollset *set)
{
	int i;

	if (!n->lookup.resolved)
		return wsi_resolve_wants(&n->lookup, set);
	for (i = 0; i < n->begun; i++) {
		if (n->attempt[i].fd < 0)
			continue;
		set->fd[set->n].fd = n->attempt[i].fd;
		set->fd[set->n].events = WS_POLL_WRITE;
		set->n++;
	}
	return n->begun < n->lookup.n ? n->next_us : WSI_NEVER;
}

void wsi_net_end(struct wsi_net *n)
{
	int i;

	for (i = 0; i < n->begun; i++)
		attempt_close(n, &n->attempt[i]);
	n->begun = 0;
	wsi_resolve_end(&n->lookup);
}

/* In words */

static void put_address(const struct wsi_net *n, const struct wsi_addr *a, struct wsi_text *t)
{
	const char *path = n->lookup.opt->unix_socket;

	if (is_unix(a)) {
		wsi_put(t, "unix:");
		wsi_put_safe(t, path, strlen(path));
		return;
	}
	if (a->len == 16)
		wsi_put_c(t, '[');
	wsi_put_ip(t, a->bytes, a->len);
	if (a->len == 16)
		wsi_put_c(t, ']');
	wsi_put_c(t, ':');
	wsi_put_u(t, (unsigned)n->lookup.to->port);
}

void wsi_net_put_peer(const struct wsi_net *n, struct wsi_text *t)
{
	put_address(n, n->winner, t);
}

/* "connect from lo to a.example: ", or without the host if that is an address. */
static void put_connect(const struct wsi_net *n, struct wsi_text *t)
{
	const char *local = n->lookup.opt->local_interface;
	const struct wsi_url *to = n->lookup.to;

	wsi_put(t, "connect");
	if (local) {
		wsi_put(t, " from ");
		wsi_put_safe(t, local, strlen(local));
	}
	wsi_put(t, " to ");
	if (is_unix(&n->lookup.addr[0]) || to->ip)
		return;
	wsi_put_safe(t, to->host.p, to->host.len);
	wsi_put(t, ": ");
}

int wsi_net_put_tried(const struct wsi_net *n, struct wsi_text *t)
{
	int i, failed, err = 0;

	if (!n->lookup.resolved) {
		wsi_resolve_put(&n->lookup, t);
		return n->lookup.err;
	}
	put_connect(n, t);
	/* The first address is named even if its attempt has not begun, or has to be repeated. */
	for (i = 0; i == 0 || i < n->begun; i++) {
		if (i > 0)
			wsi_put(t, "; ");
		put_address(n, &n->lookup.addr[i], t);
		if (!n->attempt[i].failure.cause)
			continue;
		wsi_put(t, ": ");
		failed = put_failure(n, n->attempt[i].failure, t);
		if (err == 0 || failed == WS_EREFUSED)
			err = failed;
	}
	return err;
}

bool wsi_net_lacks_fd(const struct wsi_net *n)
{
	int i;

	if (!n->lookup.resolved)
		return wsi_errno_is_no_fd(n->lookup.cause_errno);
	for (i = 0; i < n->begun; i++) {
		const struct wsi_net_failure *f = &n->attempt[i].failure;

		if (f->cause == WSI_NET_SYSTEM && wsi_errno_is_no_fd(f->system_errno))
			return true;
	}
	return false;
}

/* Options */

const char *wsi_net_check(const struct ws_options *o, const char **option, const char **value)
{
	const char *const *entry = o->resolve;
	unsigned char ip[WSI_IP_MAX];
	size_t len;

	for (; entry && *entry; entry++) {
		if (!wsi_is_override(*entry)) {
			*option = "resolve";
			*value = *entry;
			return "is not HOST:PORT:ADDRESS";
		}
	}
	if (!o->local_interface)
		return NULL;
	len = strlen(o->local_interface);
	if ((len > 0 && len < IF_NAMESIZE) || wsi_ip_parse(ip, o->local_interface, len))
		return NULL;
	*option = "local_interface";
	*value = o->local_interface;
	return "is neither an address nor the name of a device";
}
#endif
