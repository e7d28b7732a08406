/* SPDX-License-Identifier: ISC
 * net.h - for tests over real sockets: a resolver, a server and a client that a test scripts
 *
 * A program that includes this replaces getaddrinfo, getrandom, connect, getsockopt setsockopt,
 * bind and send of libc, so that each test decides what they return, and when. Everything else is the system's, on
 * loopback and ephemeral ports.
 */
#ifndef NET_H
#define NET_H
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE
#endif
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "check.h"
#include "failing.h"
#include "fake.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/random.h>
#include <sys/syscall.h>
#endif

static inline int64_t clock_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static inline void sleep_ms(int ms)
{
	struct timespec ts;

	ts.tv_sec = ms / 1000;
	ts.tv_nsec = (long)(ms % 1000) * 1000000;
	nanosleep(&ts, NULL);
}

/* The resolver. A name with ".hang.test" is answered once let_go is 1. Other names contain their
 * addresses: "a127-0-0-3.a127-0-0-4.test" has two, "a6" stands for ::1, and "link7" for fe80::1 on the
 * network interface 7. */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static int let_go;
static atomic_int lookups, looking, signals_open, odd_hints, addresses_alive;

static inline struct addrinfo *make_address(int family, const void *addr)
{
	struct addrinfo *a = calloc(1, sizeof *a + sizeof(struct sockaddr_storage));

	if (!a)
		abort();
	atomic_fetch_add(&addresses_alive, 1);
	a->ai_addr = (struct sockaddr *)(void *)(a + 1);
	a->ai_family = a->ai_addr->sa_family = (unsigned short)family;
	a->ai_socktype = SOCK_STREAM;
	if (family == AF_INET) {
		a->ai_addrlen = sizeof(struct sockaddr_in);
		memcpy(&((struct sockaddr_in *)(void *)a->ai_addr)->sin_addr, addr, 4);
	} else if (family == AF_INET6) {
		a->ai_addrlen = sizeof(struct sockaddr_in6);
		memcpy(&((struct sockaddr_in6 *)(void *)a->ai_addr)->sin6_addr, addr, 16);
	} else {
		a->ai_addrlen = sizeof(struct sockaddr_un);
	}
	return a;
}

/* The answer to a name with this beginning, and what the error sentence then contains. */
static const struct {
	const char *name;
	int code, result;
	const char *has;
} gai_failures[] = {
    {"empty.", 0, WS_ERESOLVE, "resolve empty.test: no address for this name"},
    {"memory.", EAI_MEMORY, WS_EMEMORY, ""},
    {"again.", EAI_AGAIN, WS_ERESOLVE,
     "resolve again.test: Temporary failure in name resolution: "},
    {"none.", EAI_NONAME, WS_ERESOLVE, "resolve none.test: Name or service not known"},
    {"fail.", EAI_FAIL, WS_ERESOLVE,
     "resolve fail.test: Non-recoverable failure in name resolution: "},
    {"family.", EAI_FAMILY, WS_ERESOLVE, "resolve family.test: ai_family not supported: "},
    {"system.", EAI_SYSTEM, WS_EIO, "resolve system.test: System error: Too many open files"},
    {"odder.", -4711, WS_ERESOLVE, "resolve odder.test: no address for this name"},
};

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **list)
{
	static struct addrinfo no_block;
	static const unsigned char loop6[16] = {[15] = 1}, link6[16] = {0xfe, 0x80, [15] = 1};
	struct addrinfo **end = list;
	const char *p;
	sigset_t now;
	size_t i;
	int s;

	atomic_fetch_add(&looking, 1);
	atomic_fetch_add(&lookups, 1);
	pthread_sigmask(SIG_SETMASK, NULL, &now);
	for (s = 1; s < 32; s++)
		if (s != SIGKILL && s != SIGSTOP && !sigismember(&now, s))
			atomic_fetch_add(&signals_open, 1);
	if (service || !hints || hints->ai_socktype != SOCK_STREAM || hints->ai_flags
	    || hints->ai_protocol || hints->ai_addr)
		atomic_fetch_add(&odd_hints, 1);
	*list = NULL;
	if (strstr(name, ".hang.test")) {
		pthread_mutex_lock(&lock);
		while (!let_go)
			pthread_cond_wait(&wake, &lock);
		pthread_mutex_unlock(&lock);
	}
	if (strstr(name, "slow"))
		sleep_ms(100);
	for (p = name; p && *p; p = strchr(p, '.'), p = p ? p + 1 : NULL) {
		unsigned a, b, c, d;
		unsigned char v4[4];

		if (p[0] == 'a' && sscanf(p, "a%u-%u-%u-%u.", &a, &b, &c, &d) == 4
		    && hints->ai_family != AF_INET6) {
			v4[0] = (unsigned char)a;
			v4[1] = (unsigned char)b;
			v4[2] = (unsigned char)c;
			v4[3] = (unsigned char)d;
			*end = make_address(AF_INET, v4);
			end = &(*end)->ai_next;
		} else if (p[0] == 'a' && p[1] == '6' && hints->ai_family != AF_INET) {
			*end = make_address(AF_INET6, loop6);
			end = &(*end)->ai_next;
		} else if (strncmp(p, "link7.", 6) == 0 && hints->ai_family != AF_INET) {
			*end = make_address(AF_INET6, link6);
			((struct sockaddr_in6 *)(void *)(*end)->ai_addr)->sin6_scope_id = 7;
			end = &(*end)->ai_next;
		} else if (strncmp(p, "odd.", 4) == 0) {
			*end = make_address(AF_UNIX, NULL);
			end = &(*end)->ai_next;
		} else if (strncmp(p, "many", 4) == 0) {
			int k;

			for (k = 1; k <= 40; k++) {
				v4[0] = 127;
				v4[1] = v4[2] = 77;
				v4[3] = (unsigned char)k;
				*end = make_address(AF_INET, v4);
				end = &(*end)->ai_next;
			}
		}
	}
	s = *list ? 0 : EAI_NONAME;
	for (i = 0; i < sizeof gai_failures / sizeof gai_failures[0]; i++)
		if (strncmp(name, gai_failures[i].name, strlen(gai_failures[i].name)) == 0)
			s = gai_failures[i].code;
	if (s != 0)
		*list = &no_block; /* it must not be freed */
	errno = EMFILE;            /* of EAI_SYSTEM */
	atomic_fetch_sub(&looking, 1);
	return s;
}

void freeaddrinfo(struct addrinfo *list)
{
	while (list) {
		struct addrinfo *next = list->ai_next;

		free(list);
		atomic_fetch_sub(&addresses_alive, 1);
		list = next;
	}
}

static inline void resolver_holds(void)
{
	pthread_mutex_lock(&lock);
	let_go = 0;
	pthread_mutex_unlock(&lock);
}

/* Answers all names, and waits until no lookup is under way. */
static inline void resolver_lets_go(void)
{
	pthread_mutex_lock(&lock);
	let_go = 1;
	pthread_cond_broadcast(&wake);
	pthread_mutex_unlock(&lock);
	while (atomic_load(&looking))
		sleep_ms(1);
}

#if defined(__linux__)
static atomic_int random_interrupted, random_late, random_lacks;

ssize_t getrandom(void *buf, size_t len, unsigned flags)
{
	static atomic_uint seed;
	unsigned char *p = buf;
	unsigned x = atomic_fetch_add(&seed, 1) * 2654435761u + 12345;
	size_t i;

	if (!(flags & GRND_NONBLOCK)) {
		fprintf(stderr, "getrandom may block\n");
		abort();
	}
	if (atomic_load(&random_lacks)) {
		errno = ENOSYS;
		return -1;
	}
	if (atomic_load(&random_interrupted) > 0) {
		atomic_fetch_sub(&random_interrupted, 1);
		errno = EINTR;
		return -1;
	}
	if (atomic_load(&random_late) > 0) {
		atomic_fetch_sub(&random_late, 1);
		errno = EAGAIN;
		return -1;
	}
	for (i = 0; i < len; i++) {
		x = x * 1103515245 + 12345;
		p[i] = (unsigned char)(x >> 16);
	}
	return (ssize_t)len;
}

/* connect fails with this errno. 0: connect is the system's. */
static atomic_int connect_errno;
/* connect to 127.0.0.98 is under way at first, and is refused when SO_ERROR is read. */
static atomic_int late_fd = -1;
/* connect returns 0 when it is connected, as with TCP Fast Open. */
static atomic_int connects_at_once;
/* The zone of the last IPv6 address that connect was given */
static atomic_uint connect_zone;

int connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	struct sockaddr_in sin;
	struct sockaddr_in6 sin6;
	int err = atomic_load(&connect_errno), flags, r;

	if (addr->sa_family == AF_INET6 && len >= sizeof sin6) {
		memcpy(&sin6, addr, sizeof sin6);
		atomic_store(&connect_zone, sin6.sin6_scope_id);
	}
	if (err) {
		errno = err;
		return -1;
	}
	if (atomic_load(&connects_at_once)) {
		flags = fcntl(fd, F_GETFL);
		fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
		r = (int)syscall(SYS_connect, fd, addr, len);
		fcntl(fd, F_SETFL, flags);
		errno = 0;
		return r;
	}
	if (addr->sa_family == AF_INET && len >= sizeof sin) {
		memcpy(&sin, addr, sizeof sin);
		if (sin.sin_addr.s_addr == htonl(0x7f000062)) {
			atomic_store(&late_fd, fd);
			errno = EINPROGRESS;
			return -1;
		}
	}
	return (int)syscall(SYS_connect, fd, addr, len);
}

/* As on_socket: the attempts to connect from fails_from up to fails_to, counted from 0, fail with
 * EPERM, whose words are long. */
static int attempts, fails_from, fails_to;

static inline int fail_attempts(void *user_data, int fd)
{
	(void)user_data;
	(void)fd;
	atomic_store(&connect_errno, attempts >= fails_from && attempts < fails_to ? EPERM : 0);
	attempts++;
	return 0;
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	if (level == SOL_SOCKET && name == SO_ERROR && fd == atomic_load(&late_fd)) {
		atomic_store(&late_fd, -1);
		*(int *)value = ECONNREFUSED;
		return 0;
	}
	return (int)syscall(SYS_getsockopt, fd, level, name, value, len);
}

/* setsockopt of this option fails with this errno, and so do bind and one send. 0: none does. */
static atomic_int option_that_fails, option_errno, bind_errno, send_errno;
/* Sockets that were bound to the device "lo". Where this is >= 0, no privilege is needed. */
static atomic_int bound_to_lo = -1;

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	if (name == atomic_load(&option_that_fails) && atomic_load(&option_errno)) {
		errno = atomic_load(&option_errno);
		return -1;
	}
	if (level == SOL_SOCKET && name == SO_BINDTODEVICE && atomic_load(&bound_to_lo) >= 0) {
		if (len == 3 && memcmp(value, "lo", 3) == 0)
			atomic_fetch_add(&bound_to_lo, 1);
		errno = 0;
		return 0;
	}
	return (int)syscall(SYS_setsockopt, fd, level, name, value, len);
}

int bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	errno = atomic_load(&bind_errno);
	if (errno)
		return -1;
	return (int)syscall(SYS_bind, fd, addr, len);
}

ssize_t send(int fd, const void *buf, size_t len, int flags)
{
	errno = atomic_exchange(&send_errno, 0);
	if (errno)
		return -1;
	return (ssize_t)syscall(SYS_sendto, fd, buf, len, flags, NULL, 0);
}
#endif

/* Sockets */

static inline int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	if (!d)
		return 0;
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static inline socklen_t make_sockaddr(struct sockaddr_storage *ss, const char *addr, int port)
{
	memset(ss, 0, sizeof *ss);
	if (strchr(addr, ':')) {
		struct sockaddr_in6 *s6 = (struct sockaddr_in6 *)(void *)ss;

		s6->sin6_family = AF_INET6;
		s6->sin6_port = htons((unsigned short)port);
		inet_pton(AF_INET6, addr, &s6->sin6_addr);
		return sizeof *s6;
	} else {
		struct sockaddr_in *s4 = (struct sockaddr_in *)(void *)ss;

		s4->sin_family = AF_INET;
		s4->sin_port = htons((unsigned short)port);
		inet_pton(AF_INET, addr, &s4->sin_addr);
		return sizeof *s4;
	}
}

/* A bound socket, or -1. If *port is 0, the system chooses a port, and *port is set to it. */
static inline int bound(const char *addr, int *port)
{
	struct sockaddr_storage ss;
	socklen_t len = make_sockaddr(&ss, addr, *port);
	int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		return -1;
	if (ss.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
	if (bind(fd, (struct sockaddr *)&ss, len) < 0) {
		close(fd);
		return -1;
	}
	getsockname(fd, (struct sockaddr *)&ss, &len);
	*port = ntohs(ss.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)(void *)&ss)->sin6_port
	                                       : ((struct sockaddr_in *)(void *)&ss)->sin_port);
	return fd;
}

/* Binds n sockets to the same port of n addresses. 1: done. */
static inline int bound_alike(int *fds, const char *const *addrs, int n, int *port)
{
	int tries, i;

	for (tries = 0; tries < 50; tries++) {
		*port = 0;
		for (i = 0; i < n; i++) {
			fds[i] = bound(addrs[i], port);
			if (fds[i] < 0)
				break;
		}
		if (i == n)
			return 1;
		while (i-- > 0)
			close(fds[i]);
	}
	return 0;
}

static inline int have_ipv6(void)
{
	int port = 0, fd = bound("::1", &port);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* An address that never answers: a listener whose backlog is full. The system neither accepts nor
 * refuses further connections to it. */
#define FILLERS 4
struct hole {
	int fd, filler[FILLERS];
};

static inline int make_hole(struct hole *h, int fd, const char *addr, int port)
{
	struct sockaddr_storage ss;
	socklen_t len = make_sockaddr(&ss, addr, port);
	int i, pending = 0;

	h->fd = fd;
	listen(fd, 0);
	for (i = 0; i < FILLERS; i++) {
		struct pollfd p;

		h->filler[i] = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (connect(h->filler[i], (struct sockaddr *)&ss, len) == 0)
			continue;
		p.fd = h->filler[i];
		p.events = POLLOUT;
		pending += poll(&p, 1, 50) == 0;
	}
	return pending > 0;
}

static inline void free_hole(struct hole *h)
{
	int i;

	for (i = 0; i < FILLERS; i++)
		close(h->filler[i]);
	close(h->fd);
}

/* A server with a script: for each connection, what to wait for and what to send then. */
enum { HANG_UP = 1, RESET = 2, LINGER = 0 };
struct act {
	const char *until; /* wait for this text; NULL: for any byte; "": do not wait */
	const char *say;
	size_t say_len; /* 0: strlen */
};
struct visit {
	struct act acts[8];
	int then;
};
struct server {
	int fd, port, visits;
	const struct visit *script;
	char seen[8][6000];
	size_t seen_len[8];
	struct sockaddr_storage from[8];
	pthread_t thread;
};

static inline void play(struct server *s, int c, int k)
{
	const struct visit *v = &s->script[k];
	char *seen = s->seen[k];
	size_t at = 0, i;

	for (i = 0; i < 8 && (v->acts[i].until || v->acts[i].say); i++) {
		const struct act *a = &v->acts[i];

		while (a->until ? !strstr(seen + at, a->until) : s->seen_len[k] == at) {
			ssize_t n = recv(c, seen + s->seen_len[k],
			                 sizeof s->seen[k] - 1 - s->seen_len[k], 0);
			size_t z;

			if (n <= 0)
				return;
			for (z = s->seen_len[k]; z < s->seen_len[k] + (size_t)n; z++)
				if (!seen[z])
					seen[z] = '0'; /* so that it can be searched as a string */
			s->seen_len[k] += (size_t)n;
			seen[s->seen_len[k]] = '\0';
		}
		at = s->seen_len[k];
		if (a->say)
			send(c, a->say, a->say_len ? a->say_len : strlen(a->say), MSG_NOSIGNAL);
	}
	if (v->then == RESET) {
		struct linger l = {1, 0};

		sleep_ms(20);
		setsockopt(c, SOL_SOCKET, SO_LINGER, &l, sizeof l);
	}
	if (v->then == LINGER) {
		char buf[512];

		while (recv(c, buf, sizeof buf, 0) > 0)
			;
	}
}

static inline void *server_run(void *arg)
{
	struct server *s = arg;
	int k;

	for (k = 0; k < s->visits; k++) {
		socklen_t len = sizeof s->from[k];
		int c = accept(s->fd, (struct sockaddr *)&s->from[k], &len);

		if (c < 0)
			break;
		play(s, c, k);
		close(c);
	}
	return NULL;
}

static inline void server_on(struct server *s, int fd, const struct visit *script, int visits)
{
	s->fd = fd;
	s->script = script;
	s->visits = visits;
	memset(s->seen_len, 0, sizeof s->seen_len);
	memset(s->seen, 0, sizeof s->seen);
	listen(fd, 20);
	if (pthread_create(&s->thread, NULL, server_run, s) != 0)
		abort();
}

static inline void server_start(struct server *s, const struct visit *script, int visits)
{
	s->port = 0;
	server_on(s, bound("127.0.0.1", &s->port), script, visits);
}

/* Stops the server, even if it still waits for something. */
static inline void server_end(struct server *s)
{
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
}

static const struct visit good[8] = {
    {{{"\r\n\r\n", FAKE_101 "\x81\x02hi\x88\x02\x03\xe8", sizeof FAKE_101 - 1 + 8}}, LINGER},
    {{{"\r\n\r\n", FAKE_101 "\x81\x02hi\x88\x02\x03\xe8", sizeof FAKE_101 - 1 + 8}}, LINGER},
    {{{"\r\n\r\n", FAKE_101 "\x81\x02hi\x88\x02\x03\xe8", sizeof FAKE_101 - 1 + 8}}, LINGER},
    {{{"\r\n\r\n", FAKE_101 "\x81\x02hi\x88\x02\x03\xe8", sizeof FAKE_101 - 1 + 8}}, LINGER},
    {{{"\r\n\r\n", FAKE_101 "\x81\x02hi\x88\x02\x03\xe8", sizeof FAKE_101 - 1 + 8}}, LINGER},
    {{{"\r\n\r\n", FAKE_101 "\x81\x02hi\x88\x02\x03\xe8", sizeof FAKE_101 - 1 + 8}}, LINGER},
    {{{"\r\n\r\n", FAKE_101 "\x81\x02hi\x88\x02\x03\xe8", sizeof FAKE_101 - 1 + 8}}, LINGER},
    {{{"\r\n\r\n", FAKE_101 "\x81\x02hi\x88\x02\x03\xe8", sizeof FAKE_101 - 1 + 8}}, LINGER}};

/* The client of a test. Its random bytes make the known key; everything else is the system's. */

struct client {
	struct fake f;
	struct ws_options o;
	char url[200];
	struct ws_conn *ws;
	unsigned changes;
	int most; /* the largest number of descriptors in a set */
	int64_t us;
};

static inline void client_init(struct client *c, const char *fmt, ...)
{
	va_list ap;

	memset(c, 0, sizeof *c);
	va_start(ap, fmt);
	vsnprintf(c->url, sizeof c->url, fmt, ap);
	va_end(ap);
	fake_init(&c->f, "", 0);
	c->o.entropy = fake_entropy;
	c->o.alloc = fake_alloc;
	c->o.user_data = &c->f;
	c->o.timeout_ms = 20000;
}

static inline int poll_set(const struct ws_pollset *set)
{
	struct pollfd p[WS_FDS_MAX];
	int i;

	for (i = 0; i < set->n; i++) {
		p[i].fd = set->fd[i].fd;
		p[i].events = (short)((set->fd[i].events & WS_POLL_READ ? POLLIN : 0)
		                      | (set->fd[i].events & WS_POLL_WRITE ? POLLOUT : 0));
	}
	return poll(p, (nfds_t)set->n, set->timeout_ms);
}

static inline int same_set(const struct ws_pollset *a, const struct ws_pollset *b)
{
	int i;

	for (i = 0; i < a->n && i < b->n && a->fd[i].fd == b->fd[i].fd; i++)
		;
	return a->n == b->n && i == a->n;
}

/* Opens the connection. With nonblock it uses poll, and checks that .change changes with the set
 * of descriptors. */
static inline int client_open(struct client *c)
{
	struct ws_pollset set, before;
	int r, first = 1;
	int64_t start = clock_us();

	c->ws = ws_new(c->url, &c->o);
	CHECK_EQ_U(ws_fd(c->ws), c->o.use_fd ? c->o.fd : -1);
	memset(&before, 0, sizeof before);
	while ((r = ws_open(c->ws)) == WS_AGAIN && c->o.nonblock) {
		ws_wants(c->ws, &set);
		if (!first && !same_set(&set, &before))
			CHECK(set.change != before.change);
		c->changes += !first && set.change != before.change;
		first = 0;
		before = set;
		if (set.n > c->most)
			c->most = set.n;
		CHECK(set.n <= WS_FDS_MAX);
		CHECK(set.n > 0 || set.timeout_ms >= 0);
		poll_set(&set);
	}
	if (r == 0) {
		ws_wants(c->ws, &set);
		CHECK(set.n == 1);
		CHECK(ws_fd(c->ws) >= 0 && ws_fd(c->ws) == set.fd[0].fd);
		if (!first && !same_set(&set, &before))
			CHECK(set.change != before.change);
	}
	c->us = clock_us() - start;
	return r;
}

static inline void client_free(struct client *c)
{
	ws_free(c->ws);
	CHECK(c->f.alive == 0 && c->f.blocks == 0 && !c->f.wrong);
}

/* Receives the message "hi" and closes. */
static inline void client_talk(struct client *c)
{
	struct ws_msg msg;
	struct ws_pollset set;
	int r;

	while ((r = ws_recv(c->ws, &msg)) == WS_AGAIN) {
		ws_wants(c->ws, &set);
		poll_set(&set);
	}
	CHECK(r == 0 && msg.len == 2 && memcmp(msg.data, "hi", 2) == 0);
	while ((r = ws_close(c->ws, 1000, NULL)) == WS_AGAIN) {
		ws_wants(c->ws, &set);
		poll_set(&set);
	}
	CHECK_EQ_U(r, 0);
}

#define HAS(c, text)                                                                               \
	do {                                                                                       \
		if (!CHECK(strstr(ws_errmsg((c)->ws), text)))                                      \
			fprintf(stderr, "\t%s\n\tlacks %s\n", ws_errmsg((c)->ws), text);           \
	} while (0)

/* Starts the lookup of a name that is never answered, and frees the connection. */
static inline void lose_lookup(void)
{
	struct client c;

	client_init(&c, "ws://lost.hang.test/");
	c.o.nonblock = 1;
	c.ws = ws_new(c.url, &c.o);
	CHECK_EQ_U(ws_open(c.ws), WS_AGAIN);
	client_free(&c);
}

/* What main returns: the tests have left no descriptor open, and no address. The thread of a lookup
 * cleans up a moment after it has answered. */
static inline int net_done(int fds_before)
{
	int i;

	resolver_lets_go();
	for (i = 0; i < 10000 && (count_fds() != fds_before || addresses_alive != 0); i++)
		sleep_ms(1);
	CHECK_EQ_U(count_fds(), fds_before);
	CHECK_EQ_U(addresses_alive, 0);
	return check_done();
}

#endif
