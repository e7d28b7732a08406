/* SPDX-License-Identifier: ISC
 * net.c - the default transport: names to addresses, a race of connections, sockets, clock, entropy
 *
 * getaddrinfo cannot be bounded from outside, so it runs in a thread of its own (unless WS_NO_THREADS). Thread and
 * connection share one malloc'd job with two owners; the last to let go frees it, so a connection whose deadline has
 * passed just walks away. The thread touches the job and nothing else, blocks all signals, and says that it is done by
 * closing its end of a socket pair that the caller's poll watches.
 *
 * Lookups that outlive their connection are counted for the whole process. Where WS_MAX_LOST_LOOKUPS of them are left, a
 * new lookup waits for one of them to end, or for its own deadline.
 *
 * Build switches: WS_NO_THREADS (getaddrinfo blocks the caller, past any deadline), WS_NO_RESOLVER (numeric addresses,
 * localhost and ws_options.resolve only). With WS_NO_NET net_none.c takes the place of this file.
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
#define NET_BUSY_US                                                                                \
	20000 /* what is full is tried again after this: a Unix socket's backlog, the lost lookups */

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

/* Why an attempt to connect failed, where an errno does not say it. Negative, as an errno is positive. */
enum net_failure {
	NET_NEEDS_ZONE = -1,
	NET_NO_SUCH_ZONE = -2,
	NET_NO_SUCH_DEVICE = -3,
	NET_DEVICE_FORBIDDEN = -4,
	NET_NO_DEVICES = -5,
	NET_FOREIGN_ADDRESS = -6,
	NET_OTHER_FAMILY = -7,
	NET_PATH_TOO_LONG = -8,
	NET_BACKLOG_FULL = -9,
	NET_REFUSED_BY_CALLER = -10,
	NET_GAVE_WAY = -11
};

/* An errno or a net_failure, the enum ws_err that it becomes, and its sentence. Those of an errno begin with the words of
 * strerror(3), which people search for. We cannot call strerror: it is not thread-safe everywhere. */
struct net_error {
	int err, class;
	const char *text;
};
static const struct net_error net_errors[] = {
    {ECONNREFUSED, WS_EREFUSED, "Connection refused"},
    {ETIMEDOUT, WS_EUNREACHABLE, "Connection timed out"},
    {ENETUNREACH, WS_EUNREACHABLE, "Network is unreachable"},
    {EHOSTUNREACH, WS_EUNREACHABLE, "No route to host"},
    {ENETDOWN, WS_EUNREACHABLE, "Network is down"},
    {EHOSTDOWN, WS_EUNREACHABLE, "Host is down"},
#ifdef ENONET
    {ENONET, WS_EUNREACHABLE, "Machine is not on the network"},
#endif
    {EADDRNOTAVAIL, WS_EUNREACHABLE,
     "Cannot assign requested address: no local address or port is free for it"},
    {EADDRINUSE, WS_EUNREACHABLE, "Address already in use"},
    {EAFNOSUPPORT, WS_EUNREACHABLE, "Address family not supported by this system"},
    {EPFNOSUPPORT, WS_EUNREACHABLE, "Protocol family not supported by this system"},
    {EPROTONOSUPPORT, WS_EUNREACHABLE, "Protocol not supported by this system"},
    {ENOENT, WS_EUNREACHABLE, "No such file or directory"},
    {ENOTDIR, WS_EUNREACHABLE, "Not a directory: a part of the path is a file"},
    {ELOOP, WS_EUNREACHABLE, "Too many levels of symbolic links"},
    {EPROTOTYPE, WS_EUNREACHABLE, "Protocol wrong type for socket: it is not a stream socket"},
    {ECONNRESET, WS_ERESET, "Connection reset by peer"},
    {ECONNABORTED, WS_ERESET, "Connection aborted"},
    {ENETRESET, WS_ERESET, "Network dropped connection on reset"},
    {EPIPE, WS_ERESET, "Broken pipe"},
    {EACCES, WS_EIO, "Permission denied"},
    {EPERM, WS_EIO, "Operation not permitted: a firewall or a sandbox on this machine forbids it"},
    {ENOSYS, WS_EIO, "Function not implemented: a sandbox on this machine may forbid it"},
    {EMFILE, WS_EIO, "Too many open files: this process has reached its limit (ulimit -n)"},
    {ENFILE, WS_EIO, "Too many open files in system"},
    {ENOBUFS, WS_EIO, "No buffer space available"},
    {ENOMEM, WS_EIO, "Cannot allocate memory"},
    {EAGAIN, WS_EIO, "Resource temporarily unavailable"},
    {EINVAL, WS_EIO, "Invalid argument: the system does not accept this address"},
    {ENAMETOOLONG, WS_EIO, "File name too long"},
    {ENODEV, WS_EIO, "No such device"},
    {ENXIO, WS_EIO, "No such device or address"},
    {EIO, WS_EIO, "Input/output error"},
    {EBADF, WS_EIO, "Bad file descriptor: something closed our socket"},
    {ENOTSOCK, WS_EIO, "Socket operation on non-socket: something replaced our socket"},
    {EISCONN, WS_EIO, "Transport endpoint is already connected"},
    {EALREADY, WS_EIO, "Operation already in progress"},
    {EPROTO, WS_EIO, "Protocol error"},
    {ENOPROTOOPT, WS_EIO, "Protocol not available"},
    {EOPNOTSUPP, WS_EIO, "Operation not supported"},
    {NET_NEEDS_ZONE, WS_EUNREACHABLE,
     "a link-local address needs its zone, as in [fe80::1%25eth0]"},
    {NET_NO_SUCH_ZONE, WS_ERESOLVE,
     "no such zone: there is no network interface "}, /* its name follows */
    {NET_NO_SUCH_DEVICE, WS_EIO, "No such device: there is no network interface of this name"},
    {NET_DEVICE_FORBIDDEN, WS_EIO,
     "Operation not permitted: only a privileged process may bind to a device here"},
    {NET_NO_DEVICES, WS_EIO, "this system cannot bind to a device by its name: give an address"},
    {NET_FOREIGN_ADDRESS, WS_EUNREACHABLE,
     "Cannot assign requested address: this machine does not have that one"},
    {NET_OTHER_FAMILY, WS_EUNREACHABLE,
     "Address family not supported: one end is IPv4, the other IPv6"},
    {NET_PATH_TOO_LONG, WS_EIO,
     "File name too long: the most bytes that a Unix socket's path has is "}, /* and that */
    {NET_BACKLOG_FULL, WS_EUNREACHABLE,
     "Resource temporarily unavailable: too many connections wait to be accepted"},
    {NET_REFUSED_BY_CALLER, WS_EIO, "refused by on_socket"},
    {NET_GAVE_WAY, WS_EUNREACHABLE, "Connection timed out: it gave way to the next address"},
    {0, WS_EIO, "unexpected system error"}}; /* any other */

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
	atomic_int
	    done_fd; /* the thread's end of the socket pair; -1 once one of the two has taken it to close it */
#endif
	int gai, system_errno; /* what getaddrinfo said; errno where that is EAI_SYSTEM */
	int family;
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
	j->system_errno = errno;
}

static void net_job_free(struct net_job *j)
{
	if (j->gai == 0)
		freeaddrinfo(j->list);
	free(j);
}

#ifdef WS_NO_THREADS
static void net_job_leave(struct wsi_net *n)
{
	if (n->job)
		net_job_free(n->job);
	n->job = NULL;
}
#else
/* The one variable of the library that is not in a struct ws: how many lookups run on for no connection. */
static atomic_int net_lost;
static atomic_int
    net_lost_pid; /* the process that it counts for: fork copies the count, but no thread */

static int net_lost_too_many(void)
{
	int pid = (int)getpid();

	if (atomic_exchange(&net_lost_pid, pid) != pid)
		atomic_store(&net_lost, 0);
	return atomic_load(&net_lost) >= WS_MAX_LOST_LOOKUPS;
}

/* Called once by each of the two owners. A job is counted as lost while the thread is its only owner: the connection adds
 * it to the count before it lets go, and who frees it takes it off again. */
static void net_job_release(struct net_job *j)
{
	if (atomic_fetch_sub(&j->owners, 1) != 1)
		return;
	net_job_free(j);
	atomic_fetch_sub(&net_lost, 1);
}

/* The connection lets go. A lost lookup holds no descriptor of ours */
static void net_job_leave(struct wsi_net *n)
{
	struct net_job *j = n->job;
	int fd;

	if (!j)
		return;
	n->job = NULL;
	close(n->resolver_fd);
	fd = atomic_exchange(&j->done_fd, -1);
	if (fd >= 0)
		close(fd);
	atomic_fetch_add(&net_lost, 1);
	net_job_release(j);
}

static void *net_job_thread(void *arg)
{
	struct net_job *j = arg;
	int fd;

	net_job_run(j);
	fd = atomic_exchange(&j->done_fd, -1);
	net_job_release(
	    j); /* before the close that wakes the connection, which takes j->owners == 1 as the word */
	if (fd >= 0) {
		shutdown(
		    fd,
		    SHUT_RDWR); /* closing alone leaves it open in a child of fork, which may have a copy */
		close(fd);
	}
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

/* Ends an attempt; err says why: an errno or an enum net_failure */
static void net_failed(struct wsi_net_addr *a, int err)
{
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
	a->err = err;
}

WSI void wsi_net_end(struct wsi_net *n)
{
	while (n->next && n->next > n->addr)
		if (--n->next != n->winner)
			net_failed(n->next, 0);
#ifndef WS_NO_RESOLVER
	net_job_leave(n);
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

/* One entry of ws_options.resolve, HOST:PORT:ADDRESS. HOST and ADDRESS may stand in brackets */
struct net_override {
	struct wsi_str host;
	int port;
	unsigned char ip[16];
	int ip_len;
};

/* The part that begins at s, up to end or in brackets before it. Returns where end is, or NULL if it is not there */
static const char *net_override_part(const char *s, char end, struct wsi_str *part)
{
	int bracket = *s == '[';
	char stop = bracket ? ']' : end;

	if (bracket)
		s++;
	part->p = s;
	while (*s && *s != stop)
		s++;
	part->len = (size_t)(s - part->p);
	if (*s != stop)
		return NULL;
	if (bracket)
		s++;
	return *s == end ? s : NULL;
}

/* 0, or -1: it is not of that form */
static int net_override_parse(const char *s, struct net_override *o)
{
	struct wsi_str address;
	size_t digits;

	s = net_override_part(s, ':', &o->host);
	if (!s || o->host.len == 0)
		return -1;
	s++;
	digits = wsi_find(s, strlen(s), ':');
	o->port = wsi_number(s, digits, 65535);
	if (o->port <= 0 || s[digits] != ':')
		return -1;
	if (!net_override_part(s + digits + 1, '\0', &address))
		return -1;
	o->ip_len = wsi_ip_parse(o->ip, address.p, address.len);
	return o->ip_len ? 0 : -1;
}

/* Adds the addresses that ws_options.resolve has for our host and port. 1: there were some, in this family or not */
static int net_overridden(struct wsi_net *n)
{
	const char *const *entry = n->opt->resolve;
	const struct wsi_url *to = n->to;
	struct net_override o;
	int found = 0;

	for (; entry && *entry; entry++) {
		if (net_override_parse(*entry, &o) < 0) /* wsi_net_check has refused it */
			continue;
		if (o.port != to->port || wsi_in_domain(o.host, to->host.p, to->host.len) != 1)
			continue;
		net_add(n, o.ip, o.ip_len, 0);
		found = 1;
	}
	return found;
}

/* What needs no resolver: 1 if that was it */
static int net_lookup_here(struct wsi_net *n)
{
	static const unsigned char loop4[4] = {127, 0, 0, 1}, loop6[16] = {[15] = 1};
	const struct wsi_url *to = n->to;

	if (n->opt->unix_socket) {
		n->end++;
		return 1;
	}
	if (to->ip) {
		net_add(n, to->addr, to->ip, 0);
		return 1;
	}
	if (net_overridden(n))
		return 1;
	if (!wsi_is_localhost(to->host))
		return 0;
	net_add(n, loop6, 16, 0);
	net_add(n, loop4, 4, 0);
	return 1;
}

#ifndef WS_NO_RESOLVER
static struct net_job *net_job_new(const struct wsi_net *n)
{
	size_t len = n->to->host.len;
	/* never the caller's allocator: the thread may outlive the connection */
	struct net_job *j = malloc(sizeof *j + len + 1);

	if (!j)
		return NULL;
	memset(j, 0, sizeof *j);
	memcpy(j->host, n->to->host.p, len);
	j->host[len] = '\0';
	j->family = AF_UNSPEC;
	if (n->family)
		j->family = n->family == 4 ? AF_INET : AF_INET6;
	return j;
}

#ifdef WS_NO_THREADS
static int net_job_start(struct wsi_net *n)
{
	n->job = net_job_new(n);
	if (!n->job)
		return WS_EMEMORY;
	net_job_run(n->job);
	return 0;
}
#else
/* A thread with all signals blocked. 0 or an errno */
static int net_job_start_thread(struct net_job *j)
{
	sigset_t all, old;
	pthread_t thread;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&thread, NULL, net_job_thread, j);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err == 0)
		pthread_detach(thread);
	return err;
}

/* Neither a socket pair nor a thread is to be had. They may be, once a lost lookup ends */
static int net_job_refused(struct wsi_net *n, int err)
{
	n->cause_err = err;
	if (atomic_load(&net_lost) > 0) {
		n->cause = "waiting for earlier lookups, which are still unanswered";
		n->next_us += NET_BUSY_US;
		return WS_AGAIN;
	}
	n->cause = "the lookup cannot be started";
	return WS_EIO;
}

/* 0; WS_AGAIN: at n->next_us; or an error */
static int net_job_start(struct wsi_net *n)
{
	struct net_job *j;
	int pair[2], err;

	if (net_lost_too_many()) {
		n->cause = "waiting for earlier lookups, too many of which are still unanswered";
		n->next_us += NET_BUSY_US;
		return WS_AGAIN;
	}
	j = net_job_new(n);
	if (!j)
		return WS_EMEMORY;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		err = errno;
		free(j);
		return net_job_refused(n, err);
	}
	atomic_init(&j->owners, 2);
	atomic_init(&j->done_fd, pair[1]);
	err = net_job_start_thread(j);
	if (err) {
		close(pair[0]);
		close(pair[1]);
		free(j);
		return net_job_refused(n, err);
	}
	n->cause = NULL;
	n->cause_err = 0;
	n->job = j;
	n->resolver_fd = pair[0];
	return 0;
}
#endif

/* In the words of gai_strerror(3), and what they mean where that is not plain */
static const char *net_gai_text(int gai)
{
	switch (gai) {
	case EAI_AGAIN:
		return "Temporary failure in name resolution: no name server answered, or none can "
		       "be reached";
	case EAI_NONAME:
		return "Name or service not known";
	case EAI_FAIL:
		return "Non-recoverable failure in name resolution: the name server refused, or "
		       "failed";
	case EAI_FAMILY:
		return "ai_family not supported: this system lacks that kind of address";
	case EAI_SYSTEM:
		return "System error"; /* and the words of its errno */
	default:
		return "no address for this name";
	}
}

/* 1: the addresses are there; WS_AGAIN; or an error */
static int net_job_finish(struct wsi_net *n)
{
	struct net_job *j = n->job;
	const struct addrinfo *a;

#ifndef WS_NO_THREADS
	if (atomic_load(&j->owners) != 1)
		return WS_AGAIN;
#endif
	if (j->gai == EAI_MEMORY)
		return WS_EMEMORY;
	n->cause = net_gai_text(j->gai);
	if (j->gai == EAI_SYSTEM)
		n->cause_err = j->system_errno;
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
	net_job_leave(n);
	return n->end > n->addr ? 1 : WS_ERESOLVE;
}
#endif

/* 1; WS_AGAIN; or an error, n->cause: why */
static int net_resolve(struct wsi_net *n)
{
#ifndef WS_NO_RESOLVER
	int r;

	if (n->job)
		return net_job_finish(n);
#endif
	if (net_lookup_here(n)) {
		n->cause = n->family == 4 ? "no IPv4 address" : "no IPv6 address";
		return n->end > n->addr ? 1 : WS_ERESOLVE;
	}
#ifdef WS_NO_RESOLVER
	n->cause = "this build has no resolver: give a numeric address";
	return WS_EUNSUPPORTED;
#else
	r = net_job_start(n);
	return r ? r : net_job_finish(n);
#endif
}

/* Attempts */

/* By the length of an address, in words */
static const unsigned char net_family[] = {[0] = AF_UNIX, [1] = AF_INET, [4] = AF_INET6};

/* connect(2) to the address, or bind(2) to it with any port. 0 or why it failed */
static int net_call(const struct wsi_net *n, const struct wsi_net_addr *a, int bind_it)
{
	union net_sockaddr s;
	const char *path = n->opt->unix_socket;
	uint16_t port = bind_it ? 0 : htons((uint16_t)n->to->port);
	socklen_t len;
	int r;

	memset(&s, 0, sizeof s);
	s.any.sa_family = net_family[(unsigned)a->len / 4];
	if (a->len == 0) {
		size_t path_len = strlen(path);

		if (path_len >= sizeof s.un.sun_path)
			return NET_PATH_TOO_LONG;
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
	r = bind_it ? bind(a->fd, &s.any, len) : connect(a->fd, &s.any, len);
	return r < 0 ? errno : 0;
}

/* RFC 4007 11.2: the number of a network interface, which the zone names or is. 0: there is none */
static uint32_t net_zone(int fd, struct wsi_str zone)
{
	struct ifreq r;
	int number;

	if (zone.len < sizeof r.ifr_name) {
		memcpy(r.ifr_name, zone.p, zone.len);
		r.ifr_name[zone.len] = '\0';
#ifdef __linux__ /* as if_nametoindex, which makes a socket of its own */
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

/* RFC 4291 2.5.6: fe80::/10 means another network on each interface */
static int net_needs_zone(const struct wsi_net_addr *a)
{
	return a->len == 16 && a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80 && a->scope == 0;
}

/* The local end of a connection to the address: ws_options.local_interface. 0 or why it failed */
static int net_bind(const struct wsi_net *n, const struct wsi_net_addr *to)
{
	const char *name = n->opt->local_interface;
	size_t len = strlen(name);
	struct wsi_net_addr local;
	int err;

	local.fd = to->fd;
	local.scope = to->scope;
	local.len = wsi_ip_parse(local.b, name, len);
	if (local.len == 0) {
#ifdef SO_BINDTODEVICE
		if (setsockopt(to->fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)len + 1) == 0)
			return 0;
		if (errno == ENODEV)
			return NET_NO_SUCH_DEVICE;
		return errno == EPERM ? NET_DEVICE_FORBIDDEN : errno;
#else
		return NET_NO_DEVICES;
#endif
	}
	if (local.len != to->len)
		return NET_OTHER_FAMILY;
	err = net_call(n, &local, 1);
	if (err == EINVAL && net_needs_zone(&local))
		return NET_NEEDS_ZONE;
	return err == EADDRNOTAVAIL ? NET_FOREIGN_ADDRESS : err;
}

static int net_set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof value) < 0 ? errno : 0;
}

/* The options of a TCP socket, the number of its zone, its local end. 0 or why it failed */
static int net_prepare(const struct wsi_net *n, struct wsi_net_addr *a)
{
	int seconds = n->opt->keepalive_s;
	int err = net_set(a->fd, IPPROTO_TCP, TCP_NODELAY, 1);

	if (err == 0 && seconds > 0)
		err = net_set(a->fd, SOL_SOCKET, SO_KEEPALIVE, 1);
#ifdef TCP_KEEPIDLE
	if (err == 0 && seconds > 0)
		err = net_set(a->fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds);
	if (err == 0 && seconds > 0)
		err = net_set(a->fd, IPPROTO_TCP, TCP_KEEPINTVL, seconds);
#endif
	if (err)
		return err;
	if (n->to->zone.len) {
		a->scope = net_zone(a->fd, n->to->zone);
		if (a->scope == 0)
			return NET_NO_SUCH_ZONE;
	}
	return n->opt->local_interface ? net_bind(n, a) : 0;
}

/* A new socket, non-blocking and closed on exec, or -1 */
static int net_socket(int family)
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

/* What connect(2) said, where a person is told more than that */
static int net_connect(const struct wsi_net *n, const struct wsi_net_addr *a)
{
	int err = net_call(n, a, 0);

	if (err == EINPROGRESS || err == EINTR)
		return 0;
	if (err == EAGAIN && a->len == 0)
		return NET_BACKLOG_FULL;
	/* Linux says EINVAL; the others have no route, or one that leads nowhere */
	if ((err == EINVAL || err == EHOSTUNREACH || err == ENETUNREACH) && net_needs_zone(a))
		return NET_NEEDS_ZONE;
	return err;
}

/* Begins an attempt: a->fd, or a->err if it has failed already */
static void net_begin(const struct wsi_net *n, struct wsi_net_addr *a)
{
	int err = 0;

	a->err = 0;
	a->fd = net_socket(net_family[(unsigned)a->len / 4]);
	if (a->fd < 0)
		err = errno;
	else if (a->len > 0)
		err = net_prepare(n, a);
	if (err == 0 && n->opt->on_socket && n->opt->on_socket(n->opt->user_data, a->fd) != 0)
		err = NET_REFUSED_BY_CALLER;
	if (err == 0)
		err = net_connect(n, a);
	if (err)
		net_failed(a, err);
}

static void net_put_string(struct wsi_text *t, const char *what, const char *s)
{
	wsi_put(t, what);
	wsi_put_safe(t, s, strlen(s));
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

/* Why an attempt failed, in words */
static void net_put_failure(const struct wsi_net *n, const struct net_error *e, struct wsi_text *t)
{
	wsi_put(t, e->text);
	if (e->err == NET_NO_SUCH_ZONE) {
		wsi_put_c(t, '"');
		wsi_put_safe(t, n->to->zone.p, n->to->zone.len);
		wsi_put_c(t, '"');
	}
	if (e->err == NET_PATH_TOO_LONG)
		wsi_put_u(t, sizeof((struct sockaddr_un *)NULL)->sun_path - 1);
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
		if (n->cause_err)
			net_put_string(why, ": ", net_error(n->cause_err)->text);
		return resolved;
	}
	do {
		wsi_put(why, before);
		before = "; ";
		wsi_net_put_peer(n, a, why);
		if (a->err) {
			const struct net_error *e = net_error(a->err);

			wsi_put(why, ": ");
			net_put_failure(n, e, why);
			if (err == 0 || e->class == WS_EREFUSED)
				err = e->class;
		}
	} while (++a < n->next);
	return err;
}

/* How far an attempt is that has not failed: 1 connected, 0 failed now, WS_AGAIN under way */
static int net_check(struct wsi_net_addr *a)
{
	struct pollfd p;
	int err = EIO;
	socklen_t err_len = sizeof err;

	p.fd = a->fd;
	p.events = POLLOUT;
	if (poll(&p, 1, 0) <= 0)
		return WS_AGAIN;
	getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &err, &err_len);
	if (err == 0)
		return 1;
	net_failed(a, err);
	return 0;
}

/* RFC 8305 5: looks at the attempts under way, then begins the next when it is its time. 0: connected; WS_AGAIN;
 * WS_EIO: all have failed */
static int net_race(struct wsi_net *n, int64_t now_us)
{
	struct wsi_net_addr *a, *oldest;
	int pending, r;

	for (;;) {
		oldest = NULL;
		pending = 0;
		for (a = n->addr; a < n->next; a++) {
			if (a->fd < 0)
				continue;
			r = net_check(a);
			if (r > 0) {
				n->winner = a;
				return 0;
			}
			if (r == 0) {
				n->next_us = now_us; /* the next begins at once */
				continue;
			}
			if (!oldest)
				oldest = a;
			pending++;
		}
		if (n->next == n->end)
			return pending ? WS_AGAIN : WS_EIO;
		if (now_us < n->next_us)
			return WS_AGAIN;
		if (pending
		    == WS_FDS_MAX) /* no place is left: the one that had the most time gives way */
			net_failed(oldest, NET_GAVE_WAY);
		net_begin(n, n->next);
		if (n->next->err == NET_BACKLOG_FULL) { /* unlike TCP nothing is under way */
			n->next_us = now_us + NET_BUSY_US;
			return WS_AGAIN;
		}
		if (n->next->fd >= 0)
			n->next_us = now_us + NET_STAGGER_US;
		n->next++;
	}
}

WSI int wsi_net_step(struct wsi_net *n, int64_t now_us)
{
	if (n->resolved > 0)
		return net_race(n, now_us);
	n->next_us = now_us;
	n->resolved = net_resolve(n);
	return n->resolved;
}

WSI int64_t wsi_net_wants(const struct wsi_net *n, struct ws_pollset *set)
{
	const struct wsi_net_addr *a;

	if (n->job) {
		set->fd[set->n].fd = n->resolver_fd;
		set->fd[set->n++].events = WS_POLL_READ;
		return WSI_NEVER;
	}
	for (a = n->addr; a < n->next; a++) {
		if (a->fd < 0)
			continue;
		set->fd[set->n].fd = a->fd;
		set->fd[set->n++].events = WS_POLL_WRITE;
	}
	return n->resolved <= 0 || n->next < n->end ? n->next_us : WSI_NEVER;
}

WSI const char *wsi_net_check(const struct ws_options *o, const char **option, const char **value)
{
	const char *const *entry;
	struct net_override parsed;
	unsigned char ip[16];
	size_t len;

	for (entry = o->resolve; entry && *entry; entry++) {
		if (net_override_parse(*entry, &parsed) < 0) {
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
