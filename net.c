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

struct wsi_net {
	struct wsi_mem mem;
};

WSI struct wsi_net *wsi_net_new(const struct wsi_net_options *o)
{
	struct wsi_net *n = wsi_alloc(&o->mem, NULL, 0, sizeof *n);

	if (n)
		n->mem = o->mem;
	return n;
}

WSI int wsi_net_step(struct wsi_net *n, int64_t now_us, int *fd, enum ws_phase *phase, struct wsi_text *why)
{
	(void)n;
	(void)now_us;
	*fd = -1;
	*phase = WS_CONNECT;
	wsi_put(why, "connect: this build has no sockets: give it an io");
	return WS_EUNSUPPORTED;
}

WSI void wsi_net_wants(const struct wsi_net *n, int64_t now_us, struct ws_pollset *set)
{
	(void)n;
	(void)now_us;
	(void)set;
}

WSI void wsi_net_timeout(const struct wsi_net *n, struct wsi_text *why)
{
	(void)n;
	wsi_put(why, "connect");
}

WSI int wsi_net_addr(const struct wsi_net *n, unsigned char addr[16])
{
	(void)n;
	(void)addr;
	return 0;
}

WSI void wsi_net_put_address(const struct wsi_net *n, struct wsi_text *t)
{
	(void)n;
	(void)t;
}

WSI void wsi_net_free(struct wsi_net *n)
{
	if (n)
		wsi_alloc(&n->mem, n, sizeof *n, 0);
}

WSI int wsi_net_check(const char *const *resolve, const char *local_interface, const char **option, const char **why,
                      const char **value)
{
	if (!resolve && !local_interface)
		return 0;
	*option = resolve ? "resolve" : "local_interface";
	*why = "not built in";
	*value = NULL;
	return -1;
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
#define NET_HOST_MAX 255      /* RFC 1035 2.3.4 */

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
	struct timespec ts = {0, 0};

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int net_urandom(unsigned char *p, size_t len)
{
	int fd = open("/dev/urandom", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	size_t have = 0;

	if (fd < 0)
		return -1;
	while (have < len) {
		ssize_t n = read(fd, p + have, len - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		have += (size_t)n;
	}
	close(fd);
	return have == len ? 0 : -1;
}

WSI int wsi_entropy(void *buf, size_t len)
{
#if defined(__linux__)
	ssize_t n;

	do /* up to 256 bytes come whole or not at all: getrandom(2) */
		n = getrandom(buf, len, GRND_NONBLOCK);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)len)
		return 0;
	if (n < 0 && errno == EAGAIN)
		return 1;
#elif defined(__APPLE__) || defined(__OpenBSD__) || defined(__FreeBSD__) || defined(__NetBSD__)
	if (getentropy(buf, len) == 0)
		return 0;
#endif
	return net_urandom(buf, len);
}

WSI int wsi_poll(const struct ws_pollset *set)
{
	struct pollfd p[WS_FDS_MAX];
	int i;

	for (i = 0; i < set->n; i++) {
		p[i].fd = set->fd[i].fd;
		p[i].events = (short)((set->fd[i].events & WS_POLL_READ ? POLLIN : 0)
		                      | (set->fd[i].events & WS_POLL_WRITE ? POLLOUT : 0));
	}
	return poll(p, (nfds_t)set->n, set->timeout_ms) < 0 && errno != EINTR ? -1 : 0;
}

static ptrdiff_t net_ioerr(int want)
{
	switch (errno) {
	case EAGAIN:
#if EWOULDBLOCK != EAGAIN
	case EWOULDBLOCK:
#endif
		return want;
	case ECONNRESET:
	case EPIPE:
	case ETIMEDOUT:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case ENETDOWN:
		return WS_IO_RESET;
	default:
		return WS_IO_ERROR;
	}
}

WSI ptrdiff_t wsi_socket_read(void *io, void *buf, size_t len)
{
	ssize_t n;

	do
		n = recv(*(int *)io, buf, len, 0);
	while (n < 0 && errno == EINTR);
	return n > 0 ? n : n == 0 ? WS_IO_EOF : net_ioerr(WS_IO_READ);
}

WSI ptrdiff_t wsi_socket_write(void *io, const void *buf, size_t len)
{
	ssize_t n;

	do
		n = send(*(int *)io, buf, len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n > 0 ? n : net_ioerr(WS_IO_WRITE);
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

struct net_addr {
	unsigned char b[16];
	unsigned char len;  /* 4, 16; 0: the Unix socket */
	unsigned char done; /* tried, and failed with .err */
	uint32_t scope;
	int err; /* errno; 0: given up for the next one, or lost the race */
};

#ifndef WS_NO_RESOLVER
struct net_job {
#ifndef WS_NO_THREADS
	atomic_int owners;
	int done_fd; /* closed by the thread */
#endif
	int family, gai;
	size_t n;
	struct net_addr addr[WS_MAX_ADDRESSES];
	char host[NET_HOST_MAX + 1];
};

static void net_job_run(struct net_job *j)
{
	struct addrinfo hints, *list = NULL, *a;

	memset(&hints, 0, sizeof hints);
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_family = j->family == 4 ? AF_INET : j->family == 6 ? AF_INET6 : AF_UNSPEC;
	j->gai = getaddrinfo(j->host, NULL, &hints, &list);
	for (a = j->gai == 0 ? list : NULL; a && j->n < WS_MAX_ADDRESSES; a = a->ai_next) {
		struct net_addr *to = &j->addr[j->n];

		if (a->ai_family == AF_INET && a->ai_addrlen >= sizeof(struct sockaddr_in)) {
			struct sockaddr_in sin;

			memcpy(&sin, a->ai_addr, sizeof sin);
			memcpy(to->b, &sin.sin_addr, 4);
			to->len = 4;
			j->n++;
		} else if (a->ai_family == AF_INET6 && a->ai_addrlen >= sizeof(struct sockaddr_in6)) {
			struct sockaddr_in6 sin6;

			memcpy(&sin6, a->ai_addr, sizeof sin6);
			memcpy(to->b, &sin6.sin6_addr, 16);
			to->len = 16;
			to->scope = sin6.sin6_scope_id;
			j->n++;
		}
	}
	if (j->gai == 0)
		freeaddrinfo(list);
}

#ifndef WS_NO_THREADS
static void net_job_release(struct net_job *j)
{
	if (atomic_fetch_sub(&j->owners, 1) == 1)
		free(j);
}

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

/* The race */

struct net_try {
	int fd; /* -1: free */
	int addr;
	int64_t since_us;
};

struct wsi_net {
	struct wsi_net_options o;
	enum { NET_START, NET_RESOLVING, NET_RACING, NET_DONE } state;
#ifndef WS_NO_RESOLVER
	struct net_job *job;
#endif
	int job_fd;
	int n_addr, next; /* addr[next] is tried next */
	int winner;
	int64_t next_us; /* when, unless one fails before */
	unsigned change;
	struct net_try try[WS_FDS_MAX];
	struct net_addr addr[WS_MAX_ADDRESSES];
};

WSI struct wsi_net *wsi_net_new(const struct wsi_net_options *o)
{
	struct wsi_net *n = wsi_alloc(&o->mem, NULL, 0, sizeof *n);
	int i;

	if (!n)
		return NULL;
	memset(n, 0, sizeof *n);
	n->o = *o;
	n->job_fd = -1;
	n->winner = -1;
	for (i = 0; i < WS_FDS_MAX; i++)
		n->try[i].fd = -1;
	return n;
}

static void net_job_drop(struct wsi_net *n)
{
#ifndef WS_NO_RESOLVER
	if (!n->job)
		return;
#ifdef WS_NO_THREADS
	free(n->job);
#else
	wsi_socket_close(&n->job_fd);
	n->change++;
	net_job_release(n->job);
#endif
	n->job = NULL;
#else
	(void)n;
#endif
}

/* A failure lets the next attempt begin at once */
static void net_try_end(struct wsi_net *n, struct net_try *t, int err)
{
	n->next_us = INT64_MIN;
	n->addr[t->addr].done = 1;
	n->addr[t->addr].err = err;
	wsi_socket_close(&t->fd);
	n->change++;
}

WSI void wsi_net_free(struct wsi_net *n)
{
	int i;

	if (!n)
		return;
	net_job_drop(n);
	for (i = 0; i < WS_FDS_MAX; i++)
		wsi_socket_close(&n->try[i].fd);
	wsi_alloc(&n->o.mem, n, sizeof *n, 0);
}

static void net_add(struct wsi_net *n, const void *b, int len, uint32_t scope)
{
	struct net_addr *a = &n->addr[n->n_addr];

	if (n->n_addr == WS_MAX_ADDRESSES || (len == 4 && n->o.family == 6) || (len == 16 && n->o.family == 4))
		return;
	memcpy(a->b, b, (size_t)len);
	a->len = (unsigned char)len;
	a->scope = scope;
	n->n_addr++;
}

/* RFC 8305 4: the families take turns, each in the order it came in */
static void net_interleave(struct wsi_net *n)
{
	struct net_addr a;
	int i, k;

	for (i = 1; i < n->n_addr; i++) {
		for (k = i; k < n->n_addr && n->addr[k].len == n->addr[i - 1].len; k++)
			;
		if (k == n->n_addr)
			return;
		a = n->addr[k];
		memmove(&n->addr[i + 1], &n->addr[i], (size_t)(k - i) * sizeof a);
		n->addr[i] = a;
	}
}

/* An element of ws_options.resolve, HOST:PORT:ADDR: the address's length, 0 if it is wrong */
static int net_parse_resolve(const char *s, struct wsi_str *host, unsigned *port, unsigned char addr[16])
{
	size_t len = wsi_strlen(s), i = 0;

	if (s[0] == '[') {
		while (i < len && s[i] != ']')
			i++;
		host->p = s + 1;
		host->len = i ? i - 1 : 0;
		i++;
	} else {
		while (i < len && s[i] != ':')
			i++;
		host->p = s;
		host->len = i;
	}
	if (host->len == 0 || i >= len || s[i++] != ':')
		return 0;
	for (*port = 0; i < len && s[i] >= '0' && s[i] <= '9' && *port <= 65535; i++)
		*port = *port * 10 + (unsigned)(s[i] - '0');
	if (*port == 0 || *port > 65535 || i >= len || s[i++] != ':')
		return 0;
	if (s[i] == '[' && s[len - 1] == ']') {
		i++;
		len--;
	}
	return wsi_ip_parse(addr, s + i, len - i);
}

static int net_same_host(struct wsi_str a, struct wsi_str b)
{
	if (a.len && a.p[a.len - 1] == '.')
		a.len--;
	if (b.len && b.p[b.len - 1] == '.')
		b.len--;
	return wsi_same_str(a, b);
}

/* What needs no resolver: 1 if that was it */
static int net_lookup_here(struct wsi_net *n)
{
	static const unsigned char loop4[4] = {127, 0, 0, 1}, loop6[16] = {[15] = 1};
	unsigned char ip[16];
	const char *const *r;
	int len, found = 0;

	if (n->o.unix_socket) {
		n->n_addr = 1;
		return 1;
	}
	len = wsi_ip_parse(ip, n->o.host.p, n->o.host.len);
	if (len) {
		uint32_t scope = 0;
		char zone[IF_NAMESIZE];
		int index;

		if (n->o.zone.len && n->o.zone.len < sizeof zone) {
			memcpy(zone, n->o.zone.p, n->o.zone.len);
			zone[n->o.zone.len] = '\0';
			scope = if_nametoindex(zone);
			index = wsi_number(zone, n->o.zone.len, INT_MAX);
			if (scope == 0 && index > 0)
				scope = (uint32_t)index;
		}
		if (n->o.zone.len == 0 || scope)
			net_add(n, ip, len, scope);
		return 1;
	}
	for (r = n->o.resolve; r && *r; r++) {
		struct wsi_str host;
		unsigned port;

		len = net_parse_resolve(*r, &host, &port, ip);
		if (len && port == n->o.port && net_same_host(host, n->o.host)) {
			net_add(n, ip, len, 0);
			found = 1;
		}
	}
	if (!found && wsi_is_localhost(n->o.host)) {
		net_add(n, loop6, 16, 0);
		net_add(n, loop4, 4, 0);
		found = 1;
	}
	return found;
}

/* What connecting meets, in the words of strerror(3), which is not safe in threads everywhere and large in static
 * programs */
static const struct {
	int err, class;
	const char *text;
} net_errors[] = {{ECONNREFUSED, WS_EREFUSED, "Connection refused"},
                  {ETIMEDOUT, WS_EUNREACHABLE, "Connection timed out"},
                  {ENETUNREACH, WS_EUNREACHABLE, "Network is unreachable"},
                  {EHOSTUNREACH, WS_EUNREACHABLE, "No route to host"},
                  {ENETDOWN, WS_EUNREACHABLE, "Network is down"},
                  {ENOENT, WS_EUNREACHABLE, "No such file or directory"},
                  {EADDRNOTAVAIL, WS_EUNREACHABLE, "Cannot assign requested address"},
                  {EAFNOSUPPORT, WS_EUNREACHABLE, "Address family not supported"},
                  {ECONNRESET, WS_ERESET, "Connection reset by peer"},
                  {EACCES, WS_EIO, "Permission denied"},
                  {EPERM, WS_EIO, "Operation not permitted"},
                  {ENODEV, WS_EIO, "No such device"},
                  {EMFILE, WS_EIO, "Too many open files"},
                  {ENOMEM, WS_EIO, "Cannot allocate memory"},
                  {ENAMETOOLONG, WS_EIO, "File name too long"},
                  {ECANCELED, WS_EIO, "refused by on_socket"},
                  {0, WS_EIO, "error "}};

static int net_put_error(struct wsi_text *t, int err)
{
	int i = 0;

	while (net_errors[i].err && net_errors[i].err != err)
		i++;
	wsi_put(t, net_errors[i].text);
	if (!net_errors[i].err)
		wsi_put_u(t, (unsigned)err);
	return net_errors[i].class;
}

static void net_put_peer(const struct wsi_net *n, const struct net_addr *a, struct wsi_text *t)
{
	if (a->len == 0) {
		wsi_put(t, "unix:");
		wsi_put_safe(t, n->o.unix_socket, wsi_strlen(n->o.unix_socket));
		return;
	}
	if (a->len == 16)
		wsi_put_c(t, '[');
	wsi_put_ip(t, a->b, a->len);
	wsi_put(t, a->len == 16 ? "]:" : ":");
	wsi_put_u(t, n->o.port);
}

static void net_put_resolve(const struct wsi_net *n, struct wsi_text *why)
{
	wsi_put(why, "resolve ");
	wsi_put_safe(why, n->o.host.p, n->o.host.len);
}

static int net_resolve_failed(const struct wsi_net *n, struct wsi_text *why, int err, const char *cause)
{
	net_put_resolve(n, why);
	wsi_put(why, ": ");
	wsi_put(why, cause);
	return err;
}

#ifndef WS_NO_RESOLVER
static int net_job_start(struct wsi_net *n, struct wsi_text *why)
{
	struct net_job *j;

	if (n->o.host.len > NET_HOST_MAX)
		return net_resolve_failed(n, why, WS_ERESOLVE, "the name is longer than 255 bytes");
	j = malloc(sizeof *j); /* never the caller's allocator: the thread may outlive the connection */
	if (!j)
		return WS_EMEMORY;
	memset(j, 0, sizeof *j);
	memcpy(j->host, n->o.host.p, n->o.host.len);
	j->family = n->o.family;
#ifdef WS_NO_THREADS
	net_job_run(j);
	n->job = j;
	return 0;
#else
	{
		sigset_t all, old;
		pthread_t thread;
		int pair[2], r;

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
			free(j);
			return net_resolve_failed(n, why, WS_EIO, "no socket pair is to be had");
		}
		atomic_init(&j->owners, 2);
		j->done_fd = pair[1];
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &old);
		r = pthread_create(&thread, NULL, net_job_thread, j);
		pthread_sigmask(SIG_SETMASK, &old, NULL);
		if (r != 0) {
			close(pair[0]);
			close(pair[1]);
			free(j);
			return net_resolve_failed(n, why, WS_EIO, "no thread is to be had");
		}
		pthread_detach(thread);
		n->job = j;
		n->job_fd = pair[0];
		n->change++;
		return 0;
	}
#endif
}

static int net_job_finish(struct wsi_net *n, struct wsi_text *why)
{
	struct net_job *j = n->job;
	size_t i;
	int r = 0;

#ifndef WS_NO_THREADS
	if (atomic_load(&j->owners) != 1)
		return WS_AGAIN;
#endif
	for (i = 0; i < j->n; i++)
		net_add(n, j->addr[i].b, j->addr[i].len, j->addr[i].scope);
	if (j->gai == EAI_MEMORY)
		r = WS_EMEMORY;
	else if (j->gai != 0) /* in the words of gai_strerror(3), of which these are what a person meets */
		r = net_resolve_failed(n, why, WS_ERESOLVE,
		                       j->gai == EAI_AGAIN    ? "Temporary failure in name resolution"
		                       : j->gai == EAI_NONAME ? "Name or service not known"
		                                              : "no address for this name");
	net_job_drop(n);
	return r;
}
#endif

static socklen_t net_sockaddr(const struct net_addr *a, unsigned port, struct sockaddr_storage *ss)
{
	memset(ss, 0, sizeof *ss);
	if (a->len == 4) {
		struct sockaddr_in sin;

		memset(&sin, 0, sizeof sin);
		sin.sin_family = AF_INET;
		sin.sin_port = htons((uint16_t)port);
		memcpy(&sin.sin_addr, a->b, 4);
		memcpy(ss, &sin, sizeof sin);
		return sizeof sin;
	} else {
		struct sockaddr_in6 sin6;

		memset(&sin6, 0, sizeof sin6);
		sin6.sin6_family = AF_INET6;
		sin6.sin6_port = htons((uint16_t)port);
		sin6.sin6_scope_id = a->scope;
		memcpy(&sin6.sin6_addr, a->b, 16);
		memcpy(ss, &sin6, sizeof sin6);
		return sizeof sin6;
	}
}

static int net_bind(const struct wsi_net *n, int fd, const struct net_addr *to)
{
	struct net_addr local;
	struct sockaddr_storage ss;
	const char *name = n->o.local_interface;
	socklen_t len;

	memset(&local, 0, sizeof local);
	local.len = (unsigned char)wsi_ip_parse(local.b, name, wsi_strlen(name));
	if (local.len == 0) {
#ifdef SO_BINDTODEVICE
		return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)wsi_strlen(name) + 1);
#else
		errno = ENOTSUP;
		return -1;
#endif
	}
	if (local.len != to->len) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	len = net_sockaddr(&local, 0, &ss);
	return bind(fd, (struct sockaddr *)&ss, len);
}

/* A new socket for addr[next], with its options set: the descriptor or -1 and errno */
static int net_socket(const struct wsi_net *n, const struct net_addr *a)
{
	int one = 1, sec = n->o.keepalive_s, saved, fd, type = SOCK_STREAM;
	int family = a->len == 0 ? AF_UNIX : a->len == 4 ? AF_INET : AF_INET6;

#if defined(SOCK_NONBLOCK) && defined(SOCK_CLOEXEC)
	type |= SOCK_NONBLOCK | SOCK_CLOEXEC;
	fd = socket(family, type, 0);
	if (fd < 0)
		return -1;
#else
	fd = socket(family, type, 0);
	if (fd < 0)
		return -1;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (wsi_socket_prepare(fd) < 0)
		goto fail;
#endif
	if (a->len) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* what fails here costs speed alone */
		if (sec > 0 && setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one) < 0)
			goto fail;
#ifdef TCP_KEEPIDLE
		if (sec > 0
		    && (setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &sec, sizeof sec) < 0
		        || setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &sec, sizeof sec) < 0))
			goto fail;
#endif
		if (n->o.local_interface && net_bind(n, fd, a) < 0)
			goto fail;
	}
	if (n->o.on_socket && n->o.on_socket(n->o.user_data, fd) != 0) {
		errno = ECANCELED;
		goto fail;
	}
	return fd;
fail:
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* Begins the attempt at addr[next] */
static void net_attempt(struct wsi_net *n, int64_t now_us)
{
	struct net_addr *a = &n->addr[n->next];
	struct net_try *t = &n->try[0];
	struct sockaddr_storage ss;
	socklen_t len;
	int i, r;

	for (i = 0; i < WS_FDS_MAX && n->try[i].fd >= 0; i++)
		if (n->try[i].since_us < t->since_us)
			t = &n->try[i];
	if (i < WS_FDS_MAX)
		t = &n->try[i];
	else
		net_try_end(n, t, ETIMEDOUT); /* more addresses than places: the one that had most time gives way */
	t->addr = n->next++;
	t->since_us = now_us;
	t->fd = net_socket(n, a);
	n->next_us = now_us + NET_STAGGER_US;
	n->change++;
	if (t->fd < 0) {
		net_try_end(n, t, errno);
		return;
	}
	if (a->len == 0) {
		struct sockaddr_un sun;

		memset(&sun, 0, sizeof sun);
		sun.sun_family = AF_UNIX;
		if (wsi_strlen(n->o.unix_socket) >= sizeof sun.sun_path) {
			net_try_end(n, t, ENAMETOOLONG);
			return;
		}
		memcpy(sun.sun_path, n->o.unix_socket, wsi_strlen(n->o.unix_socket));
		r = connect(t->fd, (struct sockaddr *)&sun, sizeof sun);
		if (r < 0 && errno == EAGAIN) { /* a full backlog; unlike TCP nothing is under way */
			net_try_end(n, t, 0);
			a->done = 0;
			n->next--;
			n->next_us = now_us + NET_BUSY_US;
			return;
		}
	} else {
		len = net_sockaddr(a, n->o.port, &ss);
		r = connect(t->fd, (struct sockaddr *)&ss, len);
	}
	if (r < 0 && errno != EINPROGRESS && errno != EINTR)
		net_try_end(n, t, errno);
}

/* Looks at the attempts under way: 1: one has connected */
static int net_look(struct wsi_net *n)
{
	struct pollfd p[WS_FDS_MAX];
	int i, busy = 0;

	for (i = 0; i < WS_FDS_MAX; i++) {
		p[i].fd = n->try[i].fd; /* poll passes over negative ones */
		p[i].events = POLLOUT;
		p[i].revents = 0;
		busy += p[i].fd >= 0;
	}
	if (busy == 0 || poll(p, WS_FDS_MAX, 0) <= 0)
		return 0;
	for (i = 0; i < WS_FDS_MAX; i++) {
		struct net_try *t = &n->try[i];
		int err = 0;
		socklen_t len = sizeof err;

		if (t->fd < 0 || !p[i].revents)
			continue;
		if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
			err = errno;
		if (err == 0) {
			n->winner = i;
			return 1;
		}
		net_try_end(n, t, err);
	}
	return 0;
}

/* "connect to 127.0.0.1:9: Connection refused", each address that was tried and what came of it so far. The error that
 * this makes: refused if one was, else the first one's */
static int net_put_tried(const struct wsi_net *n, struct wsi_text *why)
{
	unsigned char ip[16];
	int i, err = 0;

	wsi_put(why, "connect to ");
	if (!n->o.unix_socket && !wsi_ip_parse(ip, n->o.host.p, n->o.host.len)) {
		wsi_put_safe(why, n->o.host.p, n->o.host.len);
		wsi_put(why, ": ");
	}
	for (i = 0; i < n->next || (i == 0 && n->o.unix_socket); i++) {
		const struct net_addr *a = &n->addr[i];

		if (i)
			wsi_put(why, "; ");
		net_put_peer(n, a, why);
		if (n->o.local_interface) {
			wsi_put(why, " from ");
			wsi_put_safe(why, n->o.local_interface, wsi_strlen(n->o.local_interface));
		}
		if (a->done) {
			int class;

			wsi_put(why, ": ");
			class = net_put_error(why, a->err);
			if (err == 0 || class == WS_EREFUSED)
				err = class;
		}
	}
	return err;
}

WSI int wsi_net_step(struct wsi_net *n, int64_t now_us, int *fd, enum ws_phase *phase, struct wsi_text *why)
{
	int i, busy;
#ifndef WS_NO_RESOLVER
	int r;
#endif

	*fd = -1;
	if (n->state == NET_START) {
		*phase = WS_RESOLVE;
		n->state = NET_RESOLVING;
		if (!net_lookup_here(n)) {
#ifdef WS_NO_RESOLVER
			return net_resolve_failed(n, why, WS_EUNSUPPORTED,
			                          "this build has no resolver: give a numeric address");
#else
			r = net_job_start(n, why);
			if (r)
				return r;
#endif
		}
	}
	if (n->state == NET_RESOLVING) {
		*phase = WS_RESOLVE;
#ifndef WS_NO_RESOLVER
		if (n->job) {
			r = net_job_finish(n, why);
			if (r)
				return r;
		}
#endif
		if (n->n_addr == 0)
			return net_resolve_failed(n, why, WS_ERESOLVE,
			                          n->o.family == 4   ? "no IPv4 address"
			                          : n->o.family == 6 ? "no IPv6 address"
			                                             : "no address");
		net_interleave(n);
		n->state = n->o.resolve_only ? NET_DONE : NET_RACING;
		n->next_us = now_us;
		*phase = WS_CONNECT;
		return n->o.resolve_only ? 0 : 1;
	}
	if (n->state == NET_DONE)
		return 0;
	*phase = WS_CONNECT;
	for (;;) {
		if (net_look(n))
			break;
		for (i = busy = 0; i < WS_FDS_MAX; i++)
			busy += n->try[i].fd >= 0;
		if (n->next == n->n_addr) {
			if (busy)
				return WS_AGAIN;
			return net_put_tried(n, why);
		}
		if (now_us < n->next_us && (busy || n->o.unix_socket))
			return WS_AGAIN;
		net_attempt(n, now_us);
	}
	*fd = n->try[n->winner].fd;
	n->try[n->winner].fd = -1;
	n->winner = n->try[n->winner].addr;
	for (i = 0; i < WS_FDS_MAX; i++)
		wsi_socket_close(&n->try[i].fd);
	n->change++;
	n->state = NET_DONE;
	return 0;
}

WSI void wsi_net_wants(const struct wsi_net *n, int64_t now_us, struct ws_pollset *set)
{
	int i;

	set->n = 0;
	set->timeout_ms = -1;
	set->change = n->change;
	if (n->job_fd >= 0) {
		set->fd[0].fd = n->job_fd;
		set->fd[0].events = WS_POLL_READ;
		set->n = 1;
		return;
	}
	for (i = 0; i < WS_FDS_MAX; i++) {
		if (n->try[i].fd < 0)
			continue;
		set->fd[set->n].fd = n->try[i].fd;
		set->fd[set->n++].events = WS_POLL_WRITE;
	}
	if (n->state == NET_RACING && n->next < n->n_addr)
		set->timeout_ms = n->next_us <= now_us ? 0 : (int)((n->next_us - now_us + 999) / 1000);
}

WSI void wsi_net_timeout(const struct wsi_net *n, struct wsi_text *why)
{
	if (n->state == NET_RACING)
		net_put_tried(n, why);
	else
		net_put_resolve(n, why);
}

WSI int wsi_net_addr(const struct wsi_net *n, unsigned char addr[16])
{
	const struct net_addr *a = &n->addr[n->winner < 0 ? 0 : n->winner];

	memcpy(addr, a->b, 16);
	return a->len;
}

WSI void wsi_net_put_address(const struct wsi_net *n, struct wsi_text *t)
{
	net_put_peer(n, &n->addr[n->winner < 0 ? 0 : n->winner], t);
}

WSI int wsi_net_check(const char *const *resolve, const char *local_interface, const char **option, const char **why,
                      const char **value)
{
	unsigned char ip[16];
	struct wsi_str host;
	unsigned port;

	for (; resolve && *resolve; resolve++) {
		if (!net_parse_resolve(*resolve, &host, &port, ip)) {
			*option = "resolve";
			*why = "is not HOST:PORT:ADDRESS";
			*value = *resolve;
			return -1;
		}
	}
	if (local_interface && !wsi_ip_parse(ip, local_interface, wsi_strlen(local_interface))
	    && (local_interface[0] == '\0' || wsi_strlen(local_interface) >= IF_NAMESIZE)) {
		*option = "local_interface";
		*why = "is neither an address nor the name of a device";
		*value = local_interface;
		return -1;
	}
	return 0;
}
#endif
