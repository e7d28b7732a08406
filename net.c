/* SPDX-License-Identifier: ISC
 * net.c - the default transport: names to addresses, a race of connections, sockets, clock, entropy
 *
 * getaddrinfo cannot be bounded from outside, so it runs in a thread of its own (unless WS_NO_THREADS). Thread and
 * connection share one malloc'd job with two owners; the last to let go frees it, so a connection whose deadline has
 * passed just walks away. The thread touches the job and nothing else, blocks all signals, and says that it is done by
 * closing its end of a socket pair that the caller's poll watches.
 *
 * Build switches: WS_NO_THREADS (getaddrinfo blocks the caller, past any deadline), WS_NO_RESOLVER (numeric addresses,
 * localhost and ws_options.resolve only), WS_NO_NET (no operating system beneath: io, alloc, now_us and entropy are the
 * caller's).
 */
#ifdef WS_NO_NET
#include "ws_world.h"
#include <string.h>

WSI void *wsi_alloc(const struct wsi_mem *m, void *ptr, size_t old_len, size_t new_len)
{
	return m->alloc ? m->alloc(m->user_data, ptr, old_len, new_len) : NULL;
}

WSI int64_t wsi_clock_us(void)
{
	return 0;
}

WSI int wsi_entropy(void *buf, size_t len)
{
	(void)buf;
	(void)len;
	return -1;
}

WSI int wsi_poll(const struct ws_pollset *set)
{
	(void)set;
	return -1;
}

WSI ptrdiff_t wsi_socket_read(void *io, void *buf, size_t len)
{
	(void)io;
	(void)buf;
	(void)len;
	return WS_IO_ERROR;
}

WSI ptrdiff_t wsi_socket_write(void *io, const void *buf, size_t len)
{
	(void)io;
	(void)buf;
	(void)len;
	return WS_IO_ERROR;
}

WSI void wsi_socket_close(void *io)
{
	(void)io;
}

WSI int wsi_socket_prepare(int fd)
{
	(void)fd;
	return -1;
}

WSI void wsi_net_init(struct wsi_net *n, const struct ws_options *opt, const struct wsi_url *to)
{
	(void)opt;
	(void)to;
	memset(n, 0, sizeof *n);
}

WSI int wsi_net_step(struct wsi_net *n, int64_t now_us)
{
	(void)n;
	(void)now_us;
	return WS_EUNSUPPORTED;
}

WSI int64_t wsi_net_wants(const struct wsi_net *n, struct ws_pollset *set)
{
	(void)n;
	(void)set;
	return INT64_MAX;
}

WSI int wsi_net_put_tried(const struct wsi_net *n, struct wsi_text *why)
{
	(void)n;
	wsi_put(why, "connect: this build has no sockets: give it an io");
	return WS_EUNSUPPORTED;
}

WSI void wsi_net_put_peer(const struct wsi_net *n, const struct wsi_net_addr *a, struct wsi_text *t)
{
	(void)n;
	(void)a;
	(void)t;
}

WSI void wsi_net_end(struct wsi_net *n)
{
	(void)n;
}

WSI const char *wsi_net_check(const struct ws_options *o, const char **value)
{
	*value = NULL;
	return o->resolve ? "resolve\0not built in" : o->local_interface ? "local_interface\0not built in" : NULL;
}

#else
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* SO_BINDTODEVICE, if_nametoindex */
#endif
#ifndef _DARWIN_C_SOURCE
#define _DARWIN_C_SOURCE
#endif
#include "ws_world.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#ifndef WS_NO_RESOLVER
#include <netdb.h>
#ifndef WS_NO_THREADS
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#endif
#endif
#if defined(__linux__) || defined(__APPLE__)
#include <sys/random.h>
#endif

#ifndef SOCK_CLOEXEC
#define SOCK_CLOEXEC 0
#endif
#ifndef MSG_NOSIGNAL /* macOS: wsi_socket_prepare sets SO_NOSIGPIPE */
#define MSG_NOSIGNAL 0
#endif

#define NET_STAGGER_US 250000 /* RFC 8305 5: Connection Attempt Delay */
#define NET_BUSY_US 20000     /* a Unix socket with a full backlog is tried again after this */

WSI void *wsi_alloc(const struct wsi_mem *m, void *ptr, size_t old_len, size_t new_len)
{
	if (m->alloc)
		return m->alloc(m->user_data, ptr, old_len, new_len);
	if (new_len == 0) {
		free(ptr);
		return NULL;
	}
	return realloc(ptr, new_len);
}

WSI int64_t wsi_clock_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + (uint32_t)ts.tv_nsec / 1000;
}

/* buf: at most 256 bytes, which come whole or not at all, and are not interrupted: getrandom(2), random(4) */
WSI int wsi_entropy(void *buf, size_t len)
{
	ssize_t n;
	int fd;

#if defined(__linux__)
	n = getrandom(buf, len, GRND_NONBLOCK);
	if (n < 0 && errno == EAGAIN)
		return 1;
#elif defined(__APPLE__) || defined(__OpenBSD__) || defined(__FreeBSD__) || defined(__NetBSD__)
	n = getentropy(buf, len) == 0 ? (ssize_t)len : -1;
#else
	n = -1;
#endif
	if (n < 0) {
		fd = open("/dev/urandom", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		n = read(fd, buf, len); /* which fails too where there is none */
		close(fd);
	}
	return n == (ssize_t)len ? 0 : -1;
}

WSI int wsi_poll(const struct ws_pollset *set)
{
	static const short events[] = {0, [WS_POLL_READ] = POLLIN, [WS_POLL_WRITE] = POLLOUT,
	                               [WS_POLL_READ | WS_POLL_WRITE] = POLLIN | POLLOUT};
	struct pollfd p[WS_FDS_MAX];
	int i;

	for (i = 0; i < set->n; i++) {
		p[i].fd = set->fd[i].fd;
		p[i].events = events[set->fd[i].events];
	}
	return poll(p, (nfds_t)set->n, set->timeout_ms) < 0 && errno != EINTR ? -1 : 0;
}

/* What sockets meet, in the words of strerror(3), which is not safe in threads everywhere and large in static programs */
struct net_error {
	int err, class;
	const char *text;
};
static const struct net_error net_errors[] = {{ECONNREFUSED, WS_EREFUSED, "Connection refused"},
                                              {ETIMEDOUT, WS_EUNREACHABLE, "Connection timed out"},
                                              {ENETUNREACH, WS_EUNREACHABLE, "Network is unreachable"},
                                              {EHOSTUNREACH, WS_EUNREACHABLE, "No route to host"},
                                              {ENETDOWN, WS_EUNREACHABLE, "Network is down"},
                                              {ENOENT, WS_EUNREACHABLE, "No such file or directory"},
                                              {EADDRNOTAVAIL, WS_EUNREACHABLE, "Cannot assign requested address"},
                                              {EAFNOSUPPORT, WS_EUNREACHABLE, "Address family not supported"},
                                              {ECONNRESET, WS_ERESET, "Connection reset by peer"},
                                              {EPIPE, WS_ERESET, "Broken pipe"},
                                              {ENXIO, WS_ERESOLVE, "no such zone"},
                                              {EACCES, WS_EIO, "Permission denied"},
                                              {EPERM, WS_EIO, "Operation not permitted"},
                                              {ENODEV, WS_EIO, "No such device"},
                                              {EMFILE, WS_EIO, "Too many open files"},
                                              {EAGAIN, WS_EUNREACHABLE, "Resource temporarily unavailable"},
                                              {ENOMEM, WS_EIO, "Cannot allocate memory"},
                                              {ENAMETOOLONG, WS_EIO, "File name too long"},
                                              {ECANCELED, WS_EIO, "refused by on_socket"},
                                              {0, WS_EIO, "error "}};

static const struct net_error *net_error(int err)
{
	const struct net_error *e = net_errors;

	while (e->err && e->err != err)
		e++;
	return e;
}

/* What a call that moves bytes came to; want: WS_IO_READ or WS_IO_WRITE */
static ptrdiff_t net_moved(ssize_t n, int want)
{
	int err = errno;

	if (n > 0)
		return n;
	if (n == 0)
		return WS_IO_EOF;
	if (err == EAGAIN || err == EWOULDBLOCK || err == EINTR) /* poll will say when */
		return want;
	return net_error(err)->class == WS_EIO ? WS_IO_ERROR : WS_IO_RESET;
}

WSI ptrdiff_t wsi_socket_read(void *io, void *buf, size_t len)
{
	return net_moved(read(*(int *)io, buf, len), WS_IO_READ);
}

WSI ptrdiff_t wsi_socket_write(void *io, const void *buf, size_t len)
{
	return net_moved(send(*(int *)io, buf, len, MSG_NOSIGNAL), WS_IO_WRITE);
}

WSI void wsi_socket_close(void *io)
{
	int *fd = io;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

WSI int wsi_socket_prepare(int fd)
{
	int one = 1;

#ifdef SO_NOSIGPIPE
	setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &one, sizeof one);
#endif
	return ioctl(fd, FIONBIO, &one);
}

/* Names to addresses */

#ifndef WS_NO_RESOLVER
struct net_job {
#ifndef WS_NO_THREADS
	atomic_int owners;
	int done_fd; /* closed by the thread */
#endif
	int gai, family;
	struct addrinfo *list;
	char host[]; /* NUL-terminated */
};

static void net_job_run(struct net_job *j)
{
	struct addrinfo hints;

	memset(&hints, 0, sizeof hints);
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_family = j->family;
	j->gai = getaddrinfo(j->host, NULL, &hints, &j->list);
}

static void net_job_release(struct net_job *j)
{
#ifndef WS_NO_THREADS
	if (atomic_fetch_sub(&j->owners, 1) != 1)
		return;
#endif
	if (j->gai == 0)
		freeaddrinfo(j->list);
	free(j);
}

#ifndef WS_NO_THREADS
static void *net_job_thread(void *arg)
{
	struct net_job *j = arg;
	int fd = j->done_fd;

	net_job_run(j);
	net_job_release(j);      /* before the close that wakes the owner, which takes j->owners == 1 as the word */
	shutdown(fd, SHUT_RDWR); /* closing alone leaves it open in a child of fork, which may have a copy */
	close(fd);
	return NULL;
}
#endif
#endif

union net_sockaddr {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un un;
};

WSI void wsi_net_init(struct wsi_net *n, const struct ws_options *opt, const struct wsi_url *to)
{
	memset(n, 0, sizeof *n);
	n->opt = opt;
	n->to = to;
	n->family = opt->family;
	n->next = n->end = n->addr;
}

static void net_close(struct wsi_net_addr *a, int err)
{
	int fd = a->fd;

	a->fd = -err;
	if (fd >= 0)
		close(fd);
}

WSI void wsi_net_end(struct wsi_net *n)
{
	while (n->next && n->next > n->addr)
		if (--n->next != n->winner)
			net_close(n->next, 0);
#ifndef WS_NO_RESOLVER
	if (n->job)
		net_job_release(n->job);
	n->job = NULL;
#endif
}

/* RFC 8305 4: the families take turns, each in the order it comes in */
static void net_add(struct wsi_net *n, const void *b, int len, uint32_t scope)
{
	struct wsi_net_addr *a = n->end;

	if (a == &n->addr[WS_MAX_ADDRESSES] || n->family == (len == 4 ? 6 : 4))
		return;
	for (; a >= &n->addr[2] && a[-1].len != len && a[-2].len != len; a--)
		*a = a[-1];
	n->end++;
	memcpy(a->b, b, (size_t)len);
	a->len = len;
	a->scope = scope;
}

/* ws_options.resolve, each HOST:PORT:ADDRESS, and *bad the first of them that is not: -1. Adds what is for n's host and
 * port: 1 if there was any, else 0. n may be NULL */
static int net_known(struct wsi_net *n, const char *const *list, const char **bad)
{
	int found = 0;

	for (; list && *list; list++) {
		struct wsi_str part[3], *p = part;
		unsigned char ip[16];
		const char *s = *bad = *list, *behind = "::"; /* one of it, or the end, is behind each part */
		int port, ip_len;

		do {
			char end = *s == '[' ? ']' : *behind;

			s += end == ']';
			p->p = s;
			while (*s && *s != end)
				s++;
			p->len = (size_t)(s - p->p);
			if (*s != end)
				return -1;
			s += end == ']';
			if (*s++ != *behind)
				return -1;
			p++;
		} while (*behind++);
		if (part[0].len == 0 || part[1].p[-1] == '[')
			return -1;
		port = wsi_number(part[1].p, part[1].len, 65535);
		ip_len = wsi_ip_parse(ip, part[2].p, part[2].len);
		if (port <= 0 || ip_len == 0)
			return -1;
		if (!n || port != n->to->port || wsi_in_domain(part[0], n->to->host.p, n->to->host.len) != 1)
			continue;
		net_add(n, ip, ip_len, 0);
		found = 1;
	}
	return found;
}

/* What needs no resolver: 1 if that was it */
static int net_lookup_here(struct wsi_net *n)
{
	static const unsigned char loop4[4] = {127, 0, 0, 1}, loop6[16] = {[15] = 1};
	const struct wsi_url *to = n->to;
	const char *bad;

	if (n->opt->unix_socket) {
		n->end++;
		return 1;
	}
	if (to->ip) {
		net_add(n, to->addr, to->ip, 0);
		return 1;
	}
	if (net_known(n, n->opt->resolve, &bad))
		return 1;
	if (!wsi_is_localhost(to->host))
		return 0;
	net_add(n, loop6, 16, 0);
	net_add(n, loop4, 4, 0);
	return 1;
}

#ifndef WS_NO_RESOLVER
static int net_job_start(struct wsi_net *n)
{
	size_t len = n->to->host.len;
	/* never the caller's allocator: the thread may outlive the connection */
	struct net_job *j = malloc(sizeof *j + len + 1);

	if (!j)
		return WS_EMEMORY;
	memset(j, 0, sizeof *j);
	memcpy(j->host, n->to->host.p, len);
	j->host[len] = '\0';
	j->family = n->family == 4 ? AF_INET : n->family == 6 ? AF_INET6 : AF_UNSPEC;
	n->job = j;
#ifdef WS_NO_THREADS
	net_job_run(j);
	return 0;
#else
	{
		sigset_t all, old;
		pthread_t thread;
		int pair[2], r;

		atomic_init(&j->owners, 2);
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0) {
			j->done_fd = pair[1];
			n->addr[0].fd = pair[0];
			n->next++;
			sigfillset(&all);
			pthread_sigmask(SIG_SETMASK, &all, &old);
			r = pthread_create(&thread, NULL, net_job_thread, j);
			pthread_sigmask(SIG_SETMASK, &old, NULL);
			if (r == 0) {
				pthread_detach(thread);
				return 0;
			}
			close(pair[1]);
		}
		atomic_init(&j->owners, 1);
		j->gai = EAI_FAIL;
		n->cause = "no socket pair and thread are to be had";
		return WS_EIO;
	}
#endif
}

static int net_job_finish(struct wsi_net *n)
{
	struct net_job *j = n->job;
	struct addrinfo *a;

#ifndef WS_NO_THREADS
	if (atomic_load(&j->owners) != 1)
		return WS_AGAIN;
	net_close(--n->next, 0);
#endif
	if (j->gai == EAI_MEMORY)
		return WS_EMEMORY;
	/* in the words of gai_strerror(3), of which these are what a person meets */
	n->cause = j->gai == EAI_AGAIN    ? "Temporary failure in name resolution"
	           : j->gai == EAI_NONAME ? "Name or service not known"
	                                  : "no address for this name";
	for (a = j->gai == 0 ? j->list : NULL; a; a = a->ai_next) {
		union net_sockaddr s;

		if (a->ai_addrlen > sizeof s)
			continue;
		memcpy(&s, a->ai_addr, a->ai_addrlen);
		if (a->ai_family == AF_INET)
			net_add(n, &s.v4.sin_addr, 4, 0);
		else if (a->ai_family == AF_INET6)
			net_add(n, &s.v6.sin6_addr, 16, s.v6.sin6_scope_id);
	}
	return n->end > n->addr ? 1 : WS_ERESOLVE;
}
#endif

/* 1; WS_AGAIN; or an error, n->cause: why */
static int net_resolve(struct wsi_net *n)
{
#ifndef WS_NO_RESOLVER
	int r = 0;

	if (!n->job && !net_lookup_here(n))
		r = net_job_start(n);
	if (r == 0 && n->job)
		return net_job_finish(n);
	if (r)
		return r;
#else
	n->cause = "this build has no resolver: give a numeric address";
	if (!net_lookup_here(n))
		return WS_EUNSUPPORTED;
#endif
	n->cause = n->family == 4 ? "no IPv4 address" : "no IPv6 address";
	return n->end > n->addr ? 1 : WS_ERESOLVE;
}

/* Attempts */

/* By the length of an address, in words */
static const unsigned char net_family[] = {[0] = AF_UNIX, [1] = AF_INET, [4] = AF_INET6};

/* connect(2), or bind(2) with any port. An errno, or -1: errno says */
static int net_call(const struct wsi_net *n, const struct wsi_net_addr *a, int bind_it)
{
	union net_sockaddr s;
	const char *path = n->opt->unix_socket;
	uint16_t port = bind_it ? 0 : htons((uint16_t)n->to->port);
	socklen_t len;

	memset(&s, 0, sizeof s);
	s.any.sa_family = net_family[(unsigned)a->len / 4];
	if (a->len == 0) {
		size_t path_len = wsi_strlen(path);

		if (path_len >= sizeof s.un.sun_path)
			return ENAMETOOLONG;
		memcpy(s.un.sun_path, path, path_len);
		len = sizeof s.un;
	} else if (a->len == 4) {
		s.v4.sin_port = port;
		memcpy(&s.v4.sin_addr, a->b, 4);
		len = sizeof s.v4;
	} else {
		s.v6.sin6_port = port;
		s.v6.sin6_scope_id = a->scope;
		memcpy(&s.v6.sin6_addr, a->b, 16);
		len = sizeof s.v6;
	}
	return bind_it ? bind(a->fd, &s.any, len) : connect(a->fd, &s.any, len);
}

/* RFC 4007 11.2: a device's name, or its number. <= 0: there is none */
static int net_zone(int fd, struct wsi_str zone)
{
	struct ifreq r;

	if (zone.len < sizeof r.ifr_name) {
		memcpy(r.ifr_name, zone.p, zone.len);
		r.ifr_name[zone.len] = '\0';
#ifdef __linux__ /* as if_nametoindex, which makes a socket of its own */
		if (ioctl(fd, SIOCGIFINDEX, &r) == 0)
			return r.ifr_ifindex;
#else
		(void)fd;
		if (if_nametoindex(r.ifr_name) > 0)
			return (int)if_nametoindex(r.ifr_name);
#endif
	}
	return wsi_number(zone.p, zone.len, INT_MAX);
}

static const struct net_option {
	unsigned short level, name;
} net_options[] = {
    {IPPROTO_TCP, TCP_NODELAY},
    {SOL_SOCKET, SO_KEEPALIVE},
#ifdef TCP_KEEPIDLE
    {IPPROTO_TCP, TCP_KEEPIDLE},
    {IPPROTO_TCP, TCP_KEEPINTVL},
#endif
};

/* Of a socket for an address: its options, what the zone stands for, its local end. 0, an errno, or -1: errno says */
static int net_prepare(const struct wsi_net *n, struct wsi_net_addr *a)
{
	const struct net_option *o = net_options;
	int v = n->opt->keepalive_s > 0 ? n->opt->keepalive_s : 1;
	struct wsi_net_addr local;
	const char *name;
	size_t len;

	do {
		if (setsockopt(a->fd, o->level, o->name, &v, sizeof v) < 0)
			return -1;
	} while (n->opt->keepalive_s > 0 && ++o < net_options + sizeof net_options / sizeof *o);
	if (n->to->zone.len) {
		int zone = net_zone(a->fd, n->to->zone);

		if (zone <= 0)
			return ENXIO;
		a->scope = (uint32_t)zone;
	}
	name = n->opt->local_interface;
	if (!name)
		return 0;
	len = wsi_strlen(name);
	local.fd = a->fd;
	local.scope = a->scope;
	local.len = wsi_ip_parse(local.b, name, len);
	if (local.len == a->len)
		return net_call(n, &local, 1);
	if (local.len > 0)
		return EAFNOSUPPORT;
#ifdef SO_BINDTODEVICE
	return setsockopt(a->fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)len + 1);
#else
	return ENOTSUP;
#endif
}

/* Begins an attempt */
static void net_begin(const struct wsi_net *n, struct wsi_net_addr *a)
{
	int family = net_family[(unsigned)a->len / 4], r;

#if defined(SOCK_NONBLOCK) && defined(SOCK_CLOEXEC)
	a->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
#else
	a->fd = socket(family, SOCK_STREAM, 0);
	if (a->fd >= 0) {
		fcntl(a->fd, F_SETFD, FD_CLOEXEC);
		wsi_socket_prepare(a->fd);
	}
#endif
	r = a->fd < 0 ? -1 : a->len ? net_prepare(n, a) : 0;
	if (r == 0 && n->opt->on_socket && n->opt->on_socket(n->opt->user_data, a->fd) != 0)
		r = ECANCELED;
	if (r == 0)
		r = net_call(n, a, 0);
	if (r < 0)
		r = errno;
	if (r != 0 && r != EINPROGRESS && r != EINTR)
		net_close(a, r);
}

static void net_put_string(struct wsi_text *t, const char *what, const char *s)
{
	wsi_put(t, what);
	wsi_put_safe(t, s, wsi_strlen(s));
}

WSI void wsi_net_put_peer(const struct wsi_net *n, const struct wsi_net_addr *a, struct wsi_text *t)
{
	if (a->len == 0) {
		net_put_string(t, "unix:", n->opt->unix_socket);
		return;
	}
	if (a->len == 16)
		wsi_put_c(t, '[');
	wsi_put_ip(t, a->b, a->len);
	wsi_put(t, a->len == 16 ? "]:" : ":");
	wsi_put_u(t, (unsigned)n->to->port);
}

WSI int wsi_net_put_tried(const struct wsi_net *n, struct wsi_text *why)
{
	const struct wsi_url *to = n->to;
	const struct wsi_net_addr *a = n->addr;
	const char *before = "resolve ";
	int resolved = n->resolved, err = 0;

	if (resolved > 0) {
		wsi_put(why, "connect");
		if (n->opt->local_interface)
			net_put_string(why, " from ", n->opt->local_interface);
		before = " to ";
	}
	if (resolved <= 0 || (a->len && !to->ip)) {
		wsi_put(why, before);
		wsi_put_safe(why, to->host.p, to->host.len);
		before = ": ";
	}
	if (resolved <= 0) {
		if (n->cause)
			net_put_string(why, before, n->cause);
		return resolved;
	}
	do {
		wsi_put(why, before);
		before = "; ";
		wsi_net_put_peer(n, a, why);
		if (a->fd < 0) {
			const struct net_error *e = net_error(-a->fd);

			net_put_string(why, ": ", e->text);
			if (!e->err)
				wsi_put_u(why, (unsigned)-a->fd);
			if (err == 0 || e->class == WS_EREFUSED)
				err = e->class;
		}
	} while (++a < n->next);
	return err;
}

WSI int wsi_net_step(struct wsi_net *n, int64_t now_us)
{
	struct wsi_net_addr *a, *oldest = NULL;
	struct pollfd p;
	int busy = 0, err = EIO;
	socklen_t err_len = sizeof err;

	if (n->resolved <= 0) {
		n->next_us = now_us;
		n->resolved = net_resolve(n);
		return n->resolved;
	}
	for (a = n->addr; a < n->end; a++) {
		if (a == n->next) {
			if (now_us < n->next_us)
				return WS_AGAIN;
			if (busy == WS_FDS_MAX) /* no place is left: the one that had most time gives way */
				net_close(oldest, ETIMEDOUT);
			net_begin(n, a);
			if (a->fd == -EAGAIN) { /* a full backlog of a Unix socket; unlike TCP nothing is under way */
				n->next_us = now_us + NET_BUSY_US;
				return WS_AGAIN;
			}
			n->next++;
			if (a->fd >= 0)
				n->next_us = now_us + NET_STAGGER_US;
		}
		if (a->fd < 0)
			continue;
		p.fd = a->fd;
		p.events = POLLOUT;
		if (poll(&p, 1, 0) <= 0) {
			if (!oldest)
				oldest = a;
			busy++;
			continue;
		}
		getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &err, &err_len);
		if (err == 0) {
			n->winner = a;
			return 0;
		}
		net_close(a, err);
		n->next_us = now_us; /* the next begins at once */
	}
	return oldest ? WS_AGAIN : WS_EIO;
}

WSI int64_t wsi_net_wants(const struct wsi_net *n, struct ws_pollset *set)
{
	const struct wsi_net_addr *a;

	for (a = n->addr; a < n->next; a++) {
		if (a->fd < 0)
			continue;
		set->fd[set->n].fd = a->fd;
		set->fd[set->n++].events = n->resolved > 0 ? WS_POLL_WRITE : WS_POLL_READ;
	}
	return n->next < n->end ? n->next_us : INT64_MAX;
}

WSI const char *wsi_net_check(const struct ws_options *o, const char **value)
{
	unsigned char ip[16];
	size_t len;

	if (net_known(NULL, o->resolve, value) < 0)
		return "resolve\0is not HOST:PORT:ADDRESS";
	*value = o->local_interface;
	if (!*value)
		return NULL;
	len = wsi_strlen(*value);
	if ((len > 0 && len < IF_NAMESIZE) || wsi_ip_parse(ip, *value, len))
		return NULL;
	return "local_interface\0is neither an address nor the name of a device";
}
#endif
