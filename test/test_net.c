/* SPDX-License-Identifier: ISC
 * test_net.c - names, addresses, sockets: net.c through ws.h, on loopback and ephemeral ports
 *
 * getaddrinfo, getrandom, connect, getsockopt and malloc are this program's own, so that each test can say what they
 * answer and when.
 */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE
#endif
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "check.h"
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

static int64_t clock_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void sleep_ms(int ms)
{
	struct timespec ts;

	ts.tv_sec = ms / 1000;
	ts.tv_nsec = (long)(ms % 1000) * 1000000;
	nanosleep(&ts, NULL);
}

/* The resolver. A name ending in ".hang.test" is answered once let_go is 1; "a127-0-0-3.a127-0-0-4.test" has these
 * addresses (and "a6" is ::1) */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static int let_go;
static atomic_int lookups, looking, signals_open, odd_hints;

static struct addrinfo *make_address(int family, const void *addr)
{
	struct addrinfo *a = calloc(1, sizeof *a + sizeof(struct sockaddr_storage));

	if (!a)
		abort();
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

/* What a name that begins so is answered with, and what a person reads then */
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
    {"system.", EAI_SYSTEM, WS_ERESOLVE, "resolve system.test: System error: Too many open files"},
    {"odder.", -4711, WS_ERESOLVE, "resolve odder.test: no address for this name"},
};

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **list)
{
	static const unsigned char loop6[16] = {[15] = 1};
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
	if (service || !hints || hints->ai_socktype != SOCK_STREAM)
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
	errno = EMFILE; /* of EAI_SYSTEM */
	atomic_fetch_sub(&looking, 1);
	return s;
}

void freeaddrinfo(struct addrinfo *list)
{
	while (list) {
		struct addrinfo *next = list->ai_next;

		free(list);
		list = next;
	}
}

static void resolver_holds(void)
{
	pthread_mutex_lock(&lock);
	let_go = 0;
	pthread_mutex_unlock(&lock);
}

/* Lets every name go, and waits for the threads that nobody waits for any more */
static void resolver_lets_go(void)
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

/* connect fails with this errno at once; 0: it is the system's */
static atomic_int connect_errno;
/* connect to 127.0.0.98 is under way at first, and refused only when somebody looks again */
static atomic_int late_fd = -1;

int connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	struct sockaddr_in sin;
	int err = atomic_load(&connect_errno);

	if (err) {
		errno = err;
		return -1;
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

int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	if (level == SOL_SOCKET && name == SO_ERROR && fd == atomic_load(&late_fd)) {
		atomic_store(&late_fd, -1);
		*(int *)value = ECONNREFUSED;
		return 0;
	}
	return (int)syscall(SYS_getsockopt, fd, level, name, value, len);
}
#endif

/* Where libc can be asked behind the back of malloc, malloc can fail */
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)          \
    && !defined(__clang__)
#define MALLOC_FAILS 1
static atomic_int malloc_fails;
extern void *__libc_malloc(size_t len);

void *malloc(size_t len)
{
	return atomic_load(&malloc_fails) ? NULL : __libc_malloc(len);
}
#endif

/* Sockets for the peers of a test */

static int count_fds(void)
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

static socklen_t make_sockaddr(struct sockaddr_storage *ss, const char *addr, int port)
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

/* A bound socket; *port 0: any, and then it is set. -1: not to be had */
static int bound(const char *addr, int *port)
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

/* n sockets on the same port of n addresses; 1: done */
static int bound_alike(int *fds, const char *const *addrs, int n, int *port)
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

static int have_ipv6(void)
{
	int port = 0, fd = bound("::1", &port);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Where nothing answers: a listener whose queue is full. What comes then is neither taken nor refused. */
#define FILLERS 4
struct hole {
	int fd, filler[FILLERS];
};

static int make_hole(struct hole *h, int fd, const char *addr, int port)
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

static void free_hole(struct hole *h)
{
	int i;

	for (i = 0; i < FILLERS; i++)
		close(h->filler[i]);
	close(h->fd);
}

/* A server that plays a script: for each connection, in turn, what to read up to and what to say then */
enum { HANG_UP = 1, RESET = 2, LINGER = 0 };
struct act {
	const char *until; /* a text; NULL: any byte; "": nothing */
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

static void play(struct server *s, int c, int k)
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
					seen[z] = '0'; /* it is searched as a string */
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

static void *server_run(void *arg)
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

static void server_on(struct server *s, int fd, const struct visit *script, int visits)
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

static void server_start(struct server *s, const struct visit *script, int visits)
{
	s->port = 0;
	server_on(s, bound("127.0.0.1", &s->port), script, visits);
}

/* Ends it whether or not all has come that it waits for */
static void server_end(struct server *s)
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

/* The client's side of a test: entropy is the known key's, the rest the system's */

struct client {
	struct fake f;
	struct ws_options o;
	char url[200];
	struct ws *ws;
	unsigned changes;
	int most; /* descriptors at once */
	int64_t us;
};

static void client_init(struct client *c, const char *fmt, ...)
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

static int poll_set(const struct ws_pollset *set)
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

static int same_set(const struct ws_pollset *a, const struct ws_pollset *b)
{
	int i;

	for (i = 0; i < a->n && i < b->n && a->fd[i].fd == b->fd[i].fd; i++)
		;
	return a->n == b->n && i == a->n;
}

/* Opens; with .nonblock through poll, and then every set of descriptors is held against its change counter */
static int client_open(struct client *c)
{
	struct ws_pollset set, before;
	int r, first = 1;
	int64_t start = clock_us();

	c->ws = ws_new(c->url, &c->o);
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
		if (!first && !same_set(&set, &before))
			CHECK(set.change != before.change);
	}
	c->us = clock_us() - start;
	return r;
}

static void client_free(struct client *c)
{
	ws_free(c->ws);
	CHECK(c->f.alive == 0 && c->f.blocks == 0 && !c->f.wrong);
}

/* One message, and the close */
static void client_talk(struct client *c)
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
		if (!CHECK(strstr(ws_error((c)->ws), text)))                                       \
			fprintf(stderr, "\t%s\n\tlacks %s\n", ws_error((c)->ws), text);            \
	} while (0)

static void test_addresses(void)
{
	struct client c;
	struct server s;
	char text[100], r1[60], r2[60];
	const char *resolve[40];
	int nonblock, port, fd, before;

	for (nonblock = 0; nonblock < 2; nonblock++) {
		/* a literal address, and nobody there */
		port = 0;
		fd = bound("127.0.0.1", &port); /* bound and not listening: refused */
		before = atomic_load(&lookups);
		client_init(&c, "ws://127.0.0.1:%d/x", port);
		c.o.nonblock = nonblock;
		CHECK_EQ_U(client_open(&c), WS_EREFUSED);
		sprintf(text, "connect to 127.0.0.1:%d: Connection refused", port);
		HAS(&c, text);
		CHECK_EQ_U(ws_info(c.ws)->phase, WS_CONNECT);
		CHECK_EQ_S(ws_info(c.ws)->address, "");
		CHECK(ws_info(c.ws)->phase_us[WS_RESOLVE] == -1
		      && ws_info(c.ws)->phase_us[WS_CONNECT] >= -1);
		client_free(&c);
		CHECK_EQ_U(atomic_load(&lookups), before);
		close(fd);

		/* and somebody */
		server_start(&s, good, 1);
		client_init(&c, "ws://127.0.0.1:%d/x", s.port);
		c.o.nonblock = nonblock;
		CHECK_EQ_U(client_open(&c), 0);
		sprintf(text, "127.0.0.1:%d", s.port);
		CHECK_EQ_S(ws_info(c.ws)->address, text);
		CHECK(ws_info(c.ws)->phase_us[WS_CONNECT] >= 0
		      && ws_info(c.ws)->phase_us[WS_UPGRADE] >= 0);
		client_talk(&c);
		client_free(&c);
		server_end(&s);
		CHECK(strncmp(s.seen[0], "GET /x HTTP/1.1\r\nHost: 127.0.0.1:", 33) == 0);

		/* a name with a dead address and a good one, from the option: the resolver is not asked */
		{
			static const char *const two[] = {"127.0.0.3", "127.0.0.2"};
			int fds[2];

			if (!CHECK(bound_alike(fds, two, 2, &port)))
				return;
			server_on(&s, fds[1], good, 1);
			sprintf(r1, "a.test:%d:127.0.0.3", port);
			sprintf(r2, "A.test.:%d:127.0.0.2", port);
			resolve[0] = "b.test:1:127.0.0.9";
			resolve[1] = r1;
			resolve[2] = r2;
			resolve[3] = NULL;
			client_init(&c, "ws://a.test:%d/", port);
			c.o.nonblock = nonblock;
			c.o.resolve = resolve;
			CHECK_EQ_U(client_open(&c), 0);
			sprintf(text, "127.0.0.2:%d", port);
			CHECK_EQ_S(ws_info(c.ws)->address, text);
			client_talk(&c);
			client_free(&c);
			server_end(&s);
			/* both dead: each is named */
			client_init(&c, "ws://a.test:%d/", port);
			c.o.nonblock = nonblock;
			c.o.resolve = resolve;
			CHECK_EQ_U(client_open(&c), WS_EREFUSED);
			sprintf(text, "127.0.0.3:%d: Connection refused", port);
			HAS(&c, text);
			sprintf(text, "127.0.0.2:%d: Connection refused", port);
			HAS(&c, text);
			HAS(&c, "a.test");
			client_free(&c);
			close(fds[0]);
		}
		CHECK_EQ_U(atomic_load(&lookups), before);

		/* localhost is known: RFC 6761 */
		server_start(&s, good, 2);
		client_init(&c, "ws://localhost:%d/", s.port);
		c.o.nonblock = nonblock;
		CHECK_EQ_U(client_open(&c), 0);
		CHECK(strncmp(ws_info(c.ws)->address, "127.0.0.1:", 10) == 0);
		client_talk(&c);
		client_free(&c);
		client_init(&c, "ws://a.LocalHost:%d/", s.port);
		c.o.nonblock = nonblock;
		CHECK_EQ_U(client_open(&c), 0);
		client_talk(&c);
		client_free(&c);
		server_end(&s);
		if (have_ipv6()) {
			s.port = 0;
			server_on(&s, bound("::1", &s.port), good, 3);
			client_init(&c, "ws://localhost:%d/", s.port);
			c.o.nonblock = nonblock;
			CHECK_EQ_U(client_open(&c), 0);
			sprintf(text, "[::1]:%d", s.port);
			CHECK_EQ_S(ws_info(c.ws)->address, text);
			client_talk(&c);
			client_free(&c);
			client_init(&c, "ws://[::1]:%d/", s.port);
			c.o.nonblock = nonblock;
			CHECK_EQ_U(client_open(&c), 0);
			CHECK_EQ_S(ws_info(c.ws)->address, text);
			client_talk(&c);
			client_free(&c);
			client_init(&c, "ws://localhost:%d/", s.port);
			c.o.nonblock = nonblock;
			c.o.family = 6;
			CHECK_EQ_U(client_open(&c), 0);
			client_talk(&c);
			client_free(&c);
			/* one family alone */
			client_init(&c, "ws://localhost:%d/", s.port);
			c.o.nonblock = nonblock;
			c.o.family = 4;
			CHECK_EQ_U(client_open(&c), WS_EREFUSED);
			CHECK(!strstr(ws_error(c.ws), "::1"));
			client_free(&c);
			server_end(&s);
		}
		CHECK_EQ_U(atomic_load(&lookups), before);
		client_init(&c, "ws://127.0.0.1:9/");
		c.o.nonblock = nonblock;
		c.o.family = 6;
		CHECK_EQ_U(client_open(&c), WS_ERESOLVE);
		HAS(&c, "no IPv6 address");
		client_free(&c);
		client_init(&c, "ws://[::1]:9/");
		c.o.nonblock = nonblock;
		c.o.family = 4;
		CHECK_EQ_U(client_open(&c), WS_ERESOLVE);
		HAS(&c, "no IPv4 address");
		client_free(&c);
		/* a zone that is none */
		client_init(&c, "ws://[fe80::1%%25nosuch0]:9/");
		c.o.nonblock = nonblock;
		CHECK(client_open(&c) < 0);
		CHECK_EQ_U(ws_info(c.ws)->phase, WS_CONNECT);
		if (have_ipv6()) {
			CHECK_EQ_U(ws_info(c.ws)->err, WS_ERESOLVE);
			HAS(&c,
			    "[fe80::1]:9: no such zone: there is no network interface \"nosuch0\"");
		}
		client_free(&c);
	}
	check_row("addresses and hosts in brackets");
	for (nonblock = 0; nonblock < 2; nonblock++) {
		server_start(&s, good, 1);
		sprintf(r1, nonblock ? "[::5]:%d:127.0.0.1" : "[fe80::1]:%d:127.0.0.1", s.port);
		sprintf(r2, "a.test:%d:[::1]", s.port);
		resolve[0] = r1;
		resolve[1] = r2;
		resolve[2] = NULL;
		client_init(&c, "ws://a.test.:%d/", s.port);
		c.o.resolve = resolve;
		CHECK(client_open(&c) < 0);
		if (have_ipv6())
			HAS(&c, "[::1]:");
		client_free(&c);
		server_end(&s);
	}
	check_row("as many as are tried: the error names every one");
	{
		static char lines[WS_MAX_ADDRESSES + 3][60];
		int k;

		port = 0;
		fd = bound("127.0.0.1", &port);
		for (k = 0; k < WS_MAX_ADDRESSES + 3; k++) {
			sprintf(lines[k], "a.test:%d:127.0.77.%d", port, 100 + k);
			resolve[k] = lines[k];
		}
		resolve[k] = NULL;
		client_init(&c, "ws://a.test:%d/", port);
		c.o.resolve = resolve;
		CHECK_EQ_U(client_open(&c), WS_EREFUSED);
		for (k = 0; k < WS_MAX_ADDRESSES; k++) {
			sprintf(text, "127.0.77.%d:%d: Connection refused", 100 + k, port);
			HAS(&c, text);
		}
		sprintf(text, "127.0.77.%d:", 100 + k);
		CHECK(!strstr(ws_error(c.ws), text));
		client_free(&c);
		close(fd);
	}
}

/* An address that means something on one device alone, where there is one */
static void test_zone(void)
{
	struct ifaddrs *list, *a;
	struct server s;
	struct client c;
	char addr[INET6_ADDRSTRLEN], text[200], number[20];
	int i;

	if (getifaddrs(&list) < 0)
		return;
	for (a = list; a; a = a->ifa_next) {
		struct sockaddr_in6 sin6;
		socklen_t len = sizeof sin6;
		int fd;

		if (!a->ifa_addr || a->ifa_addr->sa_family != AF_INET6)
			continue;
		memcpy(&sin6, a->ifa_addr, sizeof sin6);
		if (!IN6_IS_ADDR_LINKLOCAL(&sin6.sin6_addr))
			continue;
		fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0 || bind(fd, (struct sockaddr *)&sin6, len) < 0
		    || getsockname(fd, (struct sockaddr *)&sin6, &len) < 0) {
			close(fd);
			continue;
		}
		server_on(&s, fd, good, 2);
		inet_ntop(AF_INET6, &sin6.sin6_addr, addr, sizeof addr);
		sprintf(number, "%u", if_nametoindex(a->ifa_name));
		for (i = 0; i < 3; i++) {
			client_init(&c, i == 2 ? "ws://[%s%%%s]:%d/" : "ws://[%s%%25%s]:%d/", addr,
			            i == 1 ? number : a->ifa_name, ntohs(sin6.sin6_port));
			if (i < 2) {
				CHECK_EQ_U(client_open(&c), 0);
				sprintf(text, "[%s]:%d", addr, ntohs(sin6.sin6_port));
				CHECK_EQ_S(ws_info(c.ws)->address, text);
				client_talk(&c);
			} else { /* a bare '%' is no URL (RFC 6874) */
				CHECK_EQ_U(client_open(&c), WS_EURL);
			}
			client_free(&c);
		}
		server_end(&s);
		break;
	}
	freeifaddrs(list);
}

/* RFC 8305: addresses that do not answer do not hold up those that do */
static void test_race(void)
{
	static const char *const addrs[] = {"127.0.0.11", "127.0.0.12", "127.0.0.13", "127.0.0.14",
	                                    "127.0.0.15", "127.0.0.16", "127.0.0.17", "127.0.0.18",
	                                    "127.0.0.19", "127.0.0.20"};
	struct hole holes[9];
	struct client c;
	struct server s;
	char lines[10][60];
	const char *resolve[11];
	int fds[10], port, k, nonblock, full = 1;

	if (!CHECK(bound_alike(fds, addrs, 10, &port)))
		return;
	for (k = 0; k < 9; k++)
		full &= make_hole(&holes[k], fds[k], addrs[k], port);
	for (k = 0; k < 10; k++)
		sprintf(lines[k], "a.test:%d:%s", port, addrs[k]);
	if (!full) { /* this system refuses where the queue is full */
		fprintf(stderr, "test_net.c: no address that does not answer is to be had here\n");
		for (k = 0; k < 9; k++)
			free_hole(&holes[k]);
		close(fds[9]);
		return;
	}
	server_on(&s, fds[9], good, 4);
	for (nonblock = 0; nonblock < 2; nonblock++) {
		/* two silent, one good */
		resolve[0] = lines[0];
		resolve[1] = lines[1];
		resolve[2] = lines[9];
		resolve[3] = NULL;
		client_init(&c, "ws://a.test:%d/", port);
		c.o.nonblock = nonblock;
		c.o.resolve = resolve;
		CHECK_EQ_U(client_open(&c), 0);
		CHECK(c.us >= 490000 && c.us < 5000000);
		if (nonblock)
			CHECK(c.most == 2 && c.changes >= 2);
		client_talk(&c);
		client_free(&c);
		/* all silent: the deadline, and each is named */
		resolve[2] = NULL;
		client_init(&c, "ws://a.test:%d/", port);
		c.o.nonblock = nonblock;
		c.o.resolve = resolve;
		c.o.timeout_ms = 400;
		CHECK_EQ_U(client_open(&c), WS_ETIMEOUT);
		CHECK(c.us >= 400000 && c.us < 5000000);
		HAS(&c, "127.0.0.11:");
		HAS(&c, "127.0.0.12:");
		HAS(&c, "timed out");
		CHECK_EQ_U(ws_info(c.ws)->phase, WS_CONNECT);
		client_free(&c);
		client_init(&c, "ws://127.0.0.11:%d/", port);
		c.o.nonblock = nonblock;
		c.o.connect_timeout_ms = 150;
		CHECK_EQ_U(client_open(&c), WS_ETIMEOUT);
		CHECK(c.us >= 150000 && c.us < 5000000);
		HAS(&c, "connect timeout");
		client_free(&c);
	}
	check_row("by a clock of our own: an attempt each 250 ms, and at once when one fails while "
	          "others are under way");
	{
		struct ws_pollset set;
		int64_t start;
		char refusing[60];
		int r;

		sprintf(refusing, "a.test:%d:127.0.0.99", port); /* nobody listens there */
		resolve[0] = lines[0];
		resolve[1] = lines[1];
		resolve[2] = refusing;
		resolve[3] = lines[9];
		resolve[4] = NULL;
		client_init(&c, "ws://a.test:%d/", port);
		c.o.nonblock = 1;
		c.o.resolve = resolve;
		c.o.now_us = fake_now;
		start = c.f.now;
		c.ws = ws_new(c.url, &c.o);
		CHECK_EQ_U(ws_open(c.ws), WS_AGAIN);
		ws_wants(c.ws, &set);
		CHECK(set.n == 1 && set.timeout_ms == 250 && set.fd[0].events == WS_POLL_WRITE);
		c.f.now = start + 249000;
		CHECK_EQ_U(ws_open(c.ws), WS_AGAIN);
		ws_wants(c.ws, &set);
		CHECK(set.n == 1 && set.timeout_ms == 1);
		c.f.now = start + 250000;
		CHECK_EQ_U(ws_open(c.ws), WS_AGAIN);
		ws_wants(c.ws, &set);
		CHECK(set.n == 2 && set.timeout_ms == 250);
		c.f.now = start + 500000;
		CHECK_EQ_U(ws_open(c.ws), WS_AGAIN);
		for (k = 0; k < 1000 && ws_info(c.ws)->phase == WS_CONNECT;
		     k++) { /* the network takes its own time */
			sleep_ms(1);
			CHECK_EQ_U(ws_open(c.ws), WS_AGAIN);
		}
		ws_wants(c.ws, &set);
		CHECK(set.n == 1 && ws_info(c.ws)->phase == WS_UPGRADE);
		CHECK_EQ_U(ws_info(c.ws)->phase_us[WS_CONNECT], 500000);
		r = WS_AGAIN;
		for (k = 0; k < 5000 && (r = ws_open(c.ws)) == WS_AGAIN; k++)
			sleep_ms(1);
		if (CHECK(r == 0))
			client_talk(&c);
		client_free(&c);
	}
	check_row("more silent ones than there are places; the good one is the tenth");
	for (k = 0; k < 10; k++)
		resolve[k] = lines[k];
	resolve[10] = NULL;
	client_init(&c, "ws://a.test:%d/", port);
	c.o.nonblock = 1;
	c.o.resolve = resolve;
	CHECK_EQ_U(client_open(&c), 0);
	CHECK(c.most == WS_FDS_MAX);
	client_talk(&c);
	client_free(&c);
	server_end(&s);
	for (k = 0; k < 9; k++)
		free_hole(&holes[k]);
}

static void test_resolver(void)
{
	struct client c;
	struct server s;
	char text[100];
	size_t i;
	int nonblock, port, fd;

	for (nonblock = 0; nonblock < 2; nonblock++) {
		sigset_t was, is;
		int sig;

		server_start(&s, good, 3);
		client_init(&c, "ws://slow.a127-0-0-1.test:%d/", s.port);
		c.o.nonblock = nonblock;
		pthread_sigmask(SIG_SETMASK, NULL, &was);
		CHECK_EQ_U(client_open(&c), 0);
		pthread_sigmask(SIG_SETMASK, NULL, &is);
		for (sig = 1; sig < 32 && sigismember(&was, sig) == sigismember(&is, sig); sig++)
			;
		CHECK_EQ_U(sig, 32);
		CHECK(ws_info(c.ws)->phase_us[WS_RESOLVE] >= 90000);
		sprintf(text, "127.0.0.1:%d", s.port);
		CHECK_EQ_S(ws_info(c.ws)->address, text);
		if (nonblock)
			CHECK(c.changes >= 1);
		client_talk(&c);
		client_free(&c);
		/* the families take turns; one that is neither is passed over; other addresses refuse */
		client_init(&c, "ws://odd.a127-0-0-8.a127-0-0-9.a6.a127-0-0-1.test:%d/", s.port);
		c.o.nonblock = nonblock;
		CHECK_EQ_U(client_open(&c), 0);
		client_talk(&c);
		client_free(&c);
		client_init(&c, "ws://a6.a127-0-0-1.test:%d/", s.port);
		c.o.nonblock = nonblock;
		c.o.family = 4;
		CHECK_EQ_U(client_open(&c), 0);
		client_talk(&c);
		client_free(&c);
		server_end(&s);

		for (i = 0; i < sizeof gai_failures / sizeof gai_failures[0]; i++) {
			client_init(&c, "ws://%stest/", gai_failures[i].name);
			c.o.nonblock = nonblock;
			CHECK_EQ_U(client_open(&c), gai_failures[i].result);
			HAS(&c, gai_failures[i].has);
			CHECK_EQ_U(ws_info(c.ws)->phase, WS_RESOLVE);
			CHECK(!strpbrk(ws_error(c.ws), "0123456789"));
			client_free(&c);
		}
		port = 0;
		fd = bound("127.0.0.1", &port);
		client_init(&c, "ws://many.test:%d/", port);
		c.o.nonblock = nonblock;
		CHECK_EQ_U(client_open(&c), WS_EREFUSED);
		HAS(&c, "many.test");
		sprintf(text, "127.77.77.%d:", WS_MAX_ADDRESSES);
		HAS(&c, text);
		sprintf(text, "127.77.77.%d:", WS_MAX_ADDRESSES + 1);
		CHECK(!strstr(ws_error(c.ws), text));
		client_free(&c);
		close(fd);

		/* one that never answers: left behind at the deadline, or when we lose interest */
		resolver_holds();
		client_init(&c, "ws://x.hang.test/");
		c.o.nonblock = nonblock;
		c.o.timeout_ms = 100;
		CHECK_EQ_U(client_open(&c), WS_ETIMEOUT);
		CHECK(c.us >= 100000 && c.us < 5000000);
		HAS(&c, "resolve x.hang.test");
		CHECK_EQ_U(ws_info(c.ws)->phase, WS_RESOLVE);
		client_free(&c);
		if (nonblock) {
			struct ws_pollset set;

			client_init(&c, "ws://y.hang.test/");
			c.o.nonblock = 1;
			c.ws = ws_new(c.url, &c.o);
			CHECK_EQ_U(ws_open(c.ws), WS_AGAIN);
			ws_wants(c.ws, &set);
			CHECK(set.n == 1 && set.fd[0].fd >= 0 && set.fd[0].events == WS_POLL_READ);
			CHECK(fcntl(set.fd[0].fd, F_GETFD) & FD_CLOEXEC);
			CHECK_EQ_U(ws_open(c.ws), WS_AGAIN);
			client_free(&c);
			CHECK(fcntl(set.fd[0].fd, F_GETFD) < 0);
		}
		resolver_lets_go();
	}
	CHECK_EQ_U(atomic_load(&signals_open),
	           0); /* the thread takes none of the program's signals */
	CHECK_EQ_U(atomic_load(&odd_hints), 0);
	/* a name longer than any */
	{
		char name[WS_MAX_URL];

		strcpy(name, "ws://");
		for (i = 5; i < 5 + 300; i++)
			name[i] = i % 40 ? 'x' : '.';
		strcpy(name + i, "/");
		client_init(&c, "");
		c.ws = ws_new(name, &c.o);
		CHECK(ws_open(c.ws) == WS_ERESOLVE || ws_open(c.ws) == WS_EURL);
		client_free(&c);
	}
}

/* Begins the lookup of a name that is never answered, and gives up */
static void lose_lookup(void)
{
	struct client c;

	client_init(&c, "ws://lost.hang.test/");
	c.o.nonblock = 1;
	c.ws = ws_new(c.url, &c.o);
	CHECK_EQ_U(ws_open(c.ws), WS_AGAIN);
	client_free(&c);
}

/* Lookups that outlive their connection have a limit, and hold no descriptors */
static void test_lost_lookups(void)
{
	struct ws_pollset set;
	struct client c;
	int r, nonblock, begun, fds = count_fds();

	resolver_holds();
	begun = atomic_load(&lookups) + WS_MAX_LOST_LOOKUPS;
	while (atomic_load(&lookups)
	       < begun) { /* those of earlier tests may still be about to end */
		lose_lookup();
		sleep_ms(1);
	}
	CHECK(count_fds() <= fds);
	for (nonblock = 0; nonblock < 2; nonblock++) {
		client_init(&c, "ws://again.test/");
		c.o.nonblock = nonblock;
		c.o.timeout_ms = 60;
		CHECK_EQ_U(client_open(&c), WS_ETIMEOUT);
		CHECK(c.us >= 60000);
		CHECK_EQ_U(ws_info(c.ws)->phase, WS_RESOLVE);
		HAS(&c, "resolve again.test: waiting for earlier lookups, too many of which are "
		        "still unanswered: timed "
		        "out after ");
		client_free(&c);
		/* what needs no lookup does not wait for any */
		client_init(&c, "ws://localhost:1/");
		c.o.nonblock = nonblock;
		CHECK_EQ_U(client_open(&c), WS_EREFUSED);
		client_free(&c);
	}
#if !defined(__SANITIZE_THREAD__)
	{ /* a child of fork has none of these threads, so none to wait for */
		int status = -1;
		pid_t child = fork();

		if (child == 0) {
			client_init(&c, "ws://again.test/");
			_exit(client_open(&c) == WS_ERESOLVE ? 0 : 1);
		}
		CHECK(child > 0 && waitpid(child, &status, 0) == child);
		CHECK_EQ_U(status, 0);
	}
#endif
	/* one that waits goes on as soon as they end */
	client_init(&c, "ws://again.test/");
	c.o.nonblock = 1;
	c.ws = ws_new(c.url, &c.o);
	CHECK_EQ_U(ws_open(c.ws), WS_AGAIN);
	ws_wants(c.ws, &set);
	CHECK(set.n == 0 && set.timeout_ms > 0 && set.timeout_ms <= 1000);
	CHECK_EQ_U(atomic_load(&lookups), begun);
	resolver_lets_go();
	while ((r = ws_open(c.ws)) == WS_AGAIN) {
		ws_wants(c.ws, &set);
		poll_set(&set);
	}
	CHECK_EQ_U(r, WS_ERESOLVE);
	HAS(&c, "resolve again.test: Temporary failure in name resolution: ");
	client_free(&c);
}

/* Many connections in many threads, names that come late or never */
#define THREADS 12
#define ROUNDS 6 /* a third of them hang, all in all fewer than WS_MAX_LOST_LOOKUPS */

struct crowd {
	int port, good, timeouts, others, wrong;
};

static void *crowd_run(void *arg)
{
	struct crowd *w = arg;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		struct client c;
		struct ws_answer a;
		char url[100];
		int r, hang = i % 3 == 1;

		client_init(&c, " ");
		sprintf(url,
		        hang    ? "ws://z.hang.test:%d/"
		        : i % 3 ? "ws://a127-0-0-1.test:%d/"
		                : "ws://localhost:%d/",
		        w->port);
		c.o.timeout_ms = hang ? 20 : 60000;
		r = ws_query(url, &c.o, WS_TEXT, "x", 1, &a);
		w->good += r == 0;
		w->timeouts += r == WS_ETIMEOUT;
		w->others += r != 0 && r != WS_ETIMEOUT;
		if (r != 0 && r != WS_ETIMEOUT)
			fprintf(stderr, "%s: %s\n", url, a.error);
		ws_answer_free(&a, &c.o);
		w->wrong += c.f.wrong || c.f.alive;
	}
	return NULL;
}

static void *serve_crowd(void *arg)
{
	int fd = *(int *)arg;

	for (;;) {
		static const char say[] = FAKE_101 "\x81\x02hi\x88\x02\x03\xe8";
		char buf[1000];
		ssize_t n;
		size_t have = 0;
		int c = accept(fd, NULL, NULL);

		if (c < 0)
			return NULL;
		while (have < sizeof buf && (n = recv(c, buf + have, sizeof buf - have, 0)) > 0) {
			have += (size_t)n;
			if (have >= 4 && memcmp(buf + have - 4, "\r\n\r\n", 4) == 0) {
				send(c, say, sizeof say - 1, MSG_NOSIGNAL);
				break;
			}
		}
		while (recv(c, buf, sizeof buf, 0) > 0)
			;
		close(c);
	}
}

static void test_threads(void)
{
	struct crowd w[THREADS];
	pthread_t t[THREADS], server[2];
	int i, fd, port = 0;

	fd = bound("127.0.0.1", &port);
	listen(fd, 100);
	resolver_holds();
	memset(w, 0, sizeof w);
	for (i = 0; i < 2; i++)
		CHECK(pthread_create(&server[i], NULL, serve_crowd, &fd) == 0);
	for (i = 0; i < THREADS; i++) {
		w[i].port = port;
		CHECK(pthread_create(&t[i], NULL, crowd_run, &w[i]) == 0);
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(t[i], NULL);
		CHECK_EQ_U(w[i].good, ROUNDS - ROUNDS / 3);
		CHECK_EQ_U(w[i].timeouts, ROUNDS / 3);
		CHECK_EQ_U(w[i].others, 0);
		CHECK_EQ_U(w[i].wrong, 0);
	}
	resolver_lets_go();
	shutdown(fd, SHUT_RDWR);
	for (i = 0; i < 2; i++)
		pthread_join(server[i], NULL);
	close(fd);
}

static void test_unix(void)
{
	struct client c;
	struct server s;
	struct sockaddr_un sun;
	char dir[] = "/tmp/test_net.XXXXXX", path[200], text[400], name[200], path_max[100];
	int fd, nonblock, i, fillers[200], filled;

	if (!CHECK(mkdtemp(dir) != NULL))
		return;
	sprintf(path, "%s/s", dir);
	sprintf(path_max,
	        ": File name too long: the most bytes that a Unix socket's path has is %d",
	        (int)sizeof sun.sun_path - 1);
	memset(&sun, 0, sizeof sun);
	sun.sun_family = AF_UNIX;
	strcpy(sun.sun_path, path);
	for (nonblock = 0; nonblock < 2; nonblock++) {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		CHECK(bind(fd, (struct sockaddr *)&sun, sizeof sun) == 0);
		/* nobody listens */
		client_init(&c, "ws://a.test/");
		c.o.unix_socket = path;
		c.o.nonblock = nonblock;
		CHECK_EQ_U(client_open(&c), WS_EREFUSED);
		sprintf(text, "unix:%s: Connection refused", path);
		HAS(&c, text);
		client_free(&c);
		/* somebody does; no name is resolved, no proxy applies */
		server_on(&s, fd, good, 1);
		client_init(&c, "ws://a.test/x");
		c.o.unix_socket = path;
		c.o.nonblock = nonblock;
		c.o.proxy = ws_features() & WS_HAS_PROXY ? "http://127.0.0.1:1" : NULL;
		c.o.local_interface = "127.0.0.1";
		c.o.keepalive_s = 5;
		CHECK_EQ_U(client_open(&c), 0);
		sprintf(text, "unix:%s", path);
		CHECK_EQ_S(ws_info(c.ws)->address, text);
		CHECK(ws_info(c.ws)->phase_us[WS_RESOLVE] == -1);
		client_talk(&c);
		client_free(&c);
		server_end(&s);
		CHECK(strncmp(s.seen[0], "GET /x HTTP/1.1\r\nHost: a.test\r\n", 31) == 0);
		unlink(path);
		/* it is not there */
		client_init(&c, "ws://a.test/");
		c.o.unix_socket = path;
		c.o.nonblock = nonblock;
		CHECK_EQ_U(client_open(&c), WS_EUNREACHABLE);
		HAS(&c, "No such file");
		client_free(&c);
		/* a path that no address holds */
		memset(name, 'x', sizeof name);
		name[0] = '/';
		for (i = 106; i <= 110; i++) {
			name[i] = '\0';
			client_init(&c, "ws://a.test/");
			c.o.unix_socket = name;
			c.o.nonblock = nonblock;
			CHECK_EQ_U(client_open(&c),
			           i < (int)sizeof sun.sun_path ? WS_EUNREACHABLE : WS_EIO);
			HAS(&c, i < (int)sizeof sun.sun_path ? ": No such file or directory"
			                                     : path_max);
			client_free(&c);
			name[i] = 'x';
		}
		/* a full queue: again and again, until the deadline */
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		CHECK(bind(fd, (struct sockaddr *)&sun, sizeof sun) == 0);
		listen(fd, 0);
		for (filled = 0; filled < 200; filled++) {
			fillers[filled] =
			    socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
			if (connect(fillers[filled], (struct sockaddr *)&sun, sizeof sun) < 0)
				break;
		}
		client_init(&c, "ws://a.test/");
		c.o.unix_socket = path;
		c.o.nonblock = nonblock;
		c.o.timeout_ms = 150;
		CHECK_EQ_U(client_open(&c), WS_ETIMEOUT);
		CHECK(c.us >= 150000 && c.us < 5000000);
		sprintf(text,
		        "connect to unix:%s: Resource temporarily unavailable: too many "
		        "connections wait to be "
		        "accepted: timed out after ",
		        path);
		HAS(&c, text);
		client_free(&c);
		/* or until there is room */
		client_init(&c, "ws://a.test/");
		c.o.unix_socket = path;
		c.o.nonblock = 1;
		c.ws = ws_new(c.url, &c.o);
		CHECK_EQ_U(ws_open(c.ws), WS_AGAIN);
		{
			struct ws_pollset set;
			int k, r = WS_AGAIN;

			ws_wants(c.ws, &set);
			CHECK(set.n == 0 && set.timeout_ms > 0 && set.timeout_ms <= 1000);
			for (i = 0; i <= filled; i++) {
				int a = i < filled ? accept(fd, NULL, NULL) : -1;

				if (a >= 0)
					close(a);
				close(fillers[i]);
			}
			for (k = 0; k < 200 && r == WS_AGAIN; k++) {
				r = ws_open(c.ws);
				ws_wants(c.ws, &set);
				if (set.n)
					break;
				poll_set(&set);
			}
			CHECK(r == WS_AGAIN && set.n == 1);
		}
		client_free(&c);
		close(fd);
		unlink(path);
	}
	rmdir(dir);
}

#if defined(__linux__)
/* Whatever errno connect gives, a person reads words and no number */
static void test_words(void)
{
	static const struct {
		int err, result;
		const char *has;
	} cases[] = {
	    {ECONNREFUSED, WS_EREFUSED, "Connection refused"},
	    {ETIMEDOUT, WS_EUNREACHABLE, "Connection timed out"},
	    {ENETUNREACH, WS_EUNREACHABLE, "Network is unreachable"},
	    {EHOSTUNREACH, WS_EUNREACHABLE, "No route to host"},
	    {ENETDOWN, WS_EUNREACHABLE, "Network is down"},
	    {EADDRNOTAVAIL, WS_EUNREACHABLE, "no local address or port is free"},
	    {ECONNRESET, WS_ERESET, "Connection reset by peer"},
	    {EACCES, WS_EIO, "Permission denied"},
	    {EPERM, WS_EIO, "a firewall or a sandbox on this machine forbids it"},
	    {EMFILE, WS_EIO, "Too many open files: this process has reached its limit"},
	    {ENFILE, WS_EIO, "Too many open files in system"},
	    {ENOBUFS, WS_EIO, "No buffer space available"},
	    {ENOMEM, WS_EIO, "Cannot allocate memory"},
	    {EINVAL, WS_EIO, "Invalid argument: the system does not accept this address"},
	    {EAGAIN, WS_EIO, "Resource temporarily unavailable"},
	    {199, WS_EIO, "unexpected system error"},
	};
	struct client c;
	const char *words;
	size_t i;
	int err;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		atomic_store(&connect_errno, cases[i].err);
		client_init(&c, "ws://127.0.0.1:9/");
		CHECK_EQ_U(client_open(&c), cases[i].result);
		HAS(&c, "connect to 127.0.0.1:9: ");
		HAS(&c, cases[i].has);
		client_free(&c);
	}
	for (err = 1; err < 200; err++) {
		if (err == EINPROGRESS || err == EINTR) /* these go on */
			continue;
		atomic_store(&connect_errno, err);
		client_init(&c, "ws://127.0.0.1:9/");
		CHECK(client_open(&c) < 0);
		words = strstr(ws_error(c.ws), "127.0.0.1:9: ");
		if (!CHECK(words && words[13] && !strpbrk(words + 13, "0123456789")))
			fprintf(stderr, "errno %d: %s\n", err, ws_error(c.ws));
		client_free(&c);
	}
	atomic_store(&connect_errno, 0);
	if (have_ipv6()) {
		client_init(&c, "ws://[fe80::1]:9/");
		CHECK_EQ_U(client_open(&c), WS_EUNREACHABLE);
		HAS(&c, "[fe80::1]:9: a link-local address needs its zone, as in [fe80::1%25eth0]");
		client_free(&c);
	}
}

/* An attempt that is refused after a while: the next address is tried at once, whatever the clock says */
static void test_refused_late(void)
{
	struct client c;
	struct server s;
	char line[2][60];
	const char *resolve[] = {line[0], line[1], NULL};
	int k, r = WS_AGAIN;

	server_start(&s, good, 1);
	sprintf(line[0], "a.test:%d:127.0.0.98", s.port);
	sprintf(line[1], "a.test:%d:127.0.0.1", s.port);
	client_init(&c, "ws://a.test:%d/", s.port);
	c.o.resolve = resolve;
	c.o.nonblock = 1;
	c.o.now_us = fake_now; /* it stands still */
	c.ws = ws_new(c.url, &c.o);
	for (k = 0; k < 5000 && (r = ws_open(c.ws)) == WS_AGAIN; k++)
		sleep_ms(1);
	CHECK_EQ_U(r, 0);
	if (r == 0)
		client_talk(&c);
	client_free(&c);
	server_end(&s);
}
#endif

#ifdef MALLOC_FAILS
/* The lookup's own memory is malloc's; all other memory of a connection is realloc's */
static void test_no_memory_for_lookup(void)
{
	struct client c;

	client_init(&c, "ws://none.test/");
	c.o.alloc = NULL;
	c.ws = ws_new(c.url, &c.o);
	atomic_store(&malloc_fails, 1);
	CHECK_EQ_U(ws_open(c.ws), WS_EMEMORY);
	atomic_store(&malloc_fails, 0);
	client_free(&c);
}
#endif

/* What a new socket is set to, and who may refuse it */
static int sockets_seen, refuse_from, bad_socket, keepalive_want;

static int look_at_socket(void *user_data, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;
	int v = 0;

	((struct fake *)user_data)->traces++;
	sockets_seen++;
	bad_socket |= !(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	bad_socket |= !(fcntl(fd, F_GETFL) & O_NONBLOCK) ? 2 : 0;
	if (getsockname(fd, (struct sockaddr *)&ss, &len) == 0 && ss.ss_family != AF_UNIX) {
		len = sizeof v;
		getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &v, &len);
		bad_socket |= v != 1 ? 4 : 0;
		v = 0;
		len = sizeof v;
		getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &v, &len);
		bad_socket |= (v != 0) != (keepalive_want != 0) ? 8 : 0;
#ifdef TCP_KEEPIDLE
		if (keepalive_want) {
			len = sizeof v;
			getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &v, &len);
			bad_socket |= v != keepalive_want ? 16 : 0;
			len = sizeof v;
			getsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &v, &len);
			bad_socket |= v != keepalive_want ? 32 : 0;
		}
#endif
	}
	len = sizeof ss;
	bad_socket |=
	    getpeername(fd, (struct sockaddr *)&ss, &len) == 0 ? 64 : 0; /* before it connects */
	return sockets_seen > refuse_from;
}

static void test_sockets(void)
{
	struct client c;
	struct server s;
	char line[2][60];
	const char *resolve[] = {line[0], line[1], NULL};
	int port, fd, keepalive;

	for (keepalive = 0; keepalive < 2; keepalive++) {
		server_start(&s, good, 1);
		client_init(&c, "ws://127.0.0.1:%d/", s.port);
		keepalive_want = c.o.keepalive_s = keepalive ? 17 : 0;
		c.o.on_socket = look_at_socket;
		sockets_seen = 0;
		refuse_from = 10;
		CHECK_EQ_U(client_open(&c), 0);
		CHECK_EQ_U(sockets_seen, 1);
		CHECK_EQ_U(c.f.traces, 1);
		CHECK_EQ_U(bad_socket, 0);
		client_talk(&c);
		client_free(&c);
		server_end(&s);
	}
	keepalive_want = 0;
	check_row("refused: that address has failed, the next is tried");
	port = 0;
	fd = bound("127.0.0.1", &port);
	sprintf(line[0], "a.test:%d:127.0.0.1", port);
	sprintf(line[1], "a.test:%d:127.0.0.2", port);
	client_init(&c, "ws://a.test:%d/", port);
	c.o.resolve = resolve;
	c.o.on_socket = look_at_socket;
	sockets_seen = 0;
	refuse_from = 0;
	CHECK_EQ_U(client_open(&c), WS_EIO);
	CHECK_EQ_U(sockets_seen, 2);
	HAS(&c, "127.0.0.2");
	HAS(&c, "on_socket");
	client_free(&c);
	check_row("one refused by on_socket, one by the peer: refused");
	client_init(&c, "ws://a.test:%d/", port);
	c.o.resolve = resolve;
	c.o.on_socket = look_at_socket;
	sockets_seen = 0;
	refuse_from = 1;
	CHECK_EQ_U(client_open(&c), WS_EREFUSED);
	client_free(&c);
	close(fd);

	check_row("the local end");
	server_start(&s, good, 1);
	client_init(&c, "ws://127.0.0.1:%d/", s.port);
	c.o.local_interface = "127.0.0.5";
	CHECK_EQ_U(client_open(&c), 0);
	client_talk(&c);
	client_free(&c);
	server_end(&s);
	CHECK(((struct sockaddr_in *)(void *)&s.from[0])->sin_addr.s_addr == htonl(0x7f000005));
	server_start(&s, good, 1);
	client_init(&c, "ws://127.0.0.1:%d/", s.port);
	c.o.local_interface = "192.0.2.77"; /* not ours */
	CHECK_EQ_U(client_open(&c), WS_EUNREACHABLE);
	HAS(&c, "connect from 192.0.2.77 to 127.0.0.1:");
	HAS(&c, ": Cannot assign requested address: this machine does not have that one");
	client_free(&c);
	client_init(&c, "ws://127.0.0.1:%d/", s.port);
	c.o.local_interface = "::1"; /* the other family */
	CHECK_EQ_U(client_open(&c), WS_EUNREACHABLE);
	HAS(&c, ": Address family not supported: one end is IPv4, the other IPv6");
	client_free(&c);
	client_init(&c, "ws://127.0.0.1:%d/", s.port);
	c.o.local_interface = "nosuchdev0";
	CHECK_EQ_U(client_open(&c), WS_EIO);
#ifdef __linux__
	HAS(&c, ": No such device: there is no network interface of this name");
#endif
	client_free(&c);
	if (have_ipv6()) {
		client_init(&c, "ws://[::1]:9/");
		c.o.local_interface = "fe80::1";
		CHECK_EQ_U(client_open(&c), WS_EUNREACHABLE);
		HAS(&c, ": a link-local address needs its zone, as in [fe80::1%25eth0]");
		client_free(&c);
	}
#ifdef __linux__
	client_init(&c, "ws://127.0.0.1:%d/", s.port);
	c.o.local_interface = "lo";
	fd = client_open(&c);
	CHECK(fd == 0 || fd == WS_EIO); /* an older kernel asks for a privilege */
	client_free(&c);
#endif
	server_end(&s);
}

/* A descriptor that the program hands in */
static void test_use_fd(void)
{
	struct client c;
	struct fake f;
	struct ws_options o;
	struct ws_io io;
	struct ws_msg msg;
	struct ws *ws;
	int pair[2], r;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	send(pair[1], FAKE_101 "\x81\x02hi\x88\x02\x03\xe8", sizeof FAKE_101 - 1 + 8, 0);
	client_init(&c, "ws://a.test/");
	c.o.use_fd = 1;
	c.o.fd = pair[0];
	CHECK_EQ_U(client_open(&c), 0);
	CHECK(fcntl(pair[0], F_GETFL) & O_NONBLOCK);
	CHECK_EQ_S(ws_info(c.ws)->address, "a.test:80");
	client_talk(&c);
	client_free(&c);
	CHECK(fcntl(pair[0], F_GETFD) < 0);
	close(pair[1]);

	check_row("it is ours even if another option is wrong, or the URL");
	for (r = 0; r < 2; r++) {
		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
		client_init(&c, r ? "ws://a.test/" : "ftp://a.test/");
		c.o.use_fd = 1;
		c.o.fd = pair[0];
		c.o.family = r ? 3 : 0;
		CHECK_EQ_U(client_open(&c), r ? WS_EUSAGE : WS_EURL);
		client_free(&c);
		CHECK(fcntl(pair[0], F_GETFD) < 0);
		close(pair[1]);
	}
	check_row("none at all");
	for (r = 0; r < 2; r++) {
		client_init(&c, "ws://a.test/");
		c.o.use_fd = 1;
		c.o.fd = r ? -1 : 9999;
		CHECK_EQ_U(client_open(&c), WS_EUSAGE);
		CHECK_EQ_S(ws_info(c.ws)->option, "fd");
		client_free(&c);
	}
	check_row("a peer that is gone: no SIGPIPE, which would end this program");
	signal(SIGPIPE, SIG_DFL);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	send(pair[1], FAKE_101, sizeof FAKE_101 - 1, 0);
	client_init(&c, "ws://a.test/");
	c.o.use_fd = 1;
	c.o.fd = pair[0];
	CHECK_EQ_U(client_open(&c), 0);
	close(pair[1]);
	for (r = 0; r < 3; r++)
		ws_send(c.ws, WS_TEXT, "x", 1);
	ws_ping(c.ws, "x", 1);
	r = ws_recv(c.ws, &msg);
	CHECK(r == WS_ECLOSED || r == WS_ERESET);
	CHECK_EQ_U(ws_info(c.ws)->close_code, 1006);
	client_free(&c);

	check_row("io goes first");
	fake_init(&f, FAKE_101, sizeof FAKE_101 - 1);
	fake_options(&f, &o, &io);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	o.use_fd = 1;
	o.fd = pair[0];
	ws = ws_new("ws://a.test/", &o);
	CHECK_EQ_U(ws_open(ws), 0);
	ws_free(ws);
	CHECK_EQ_U(f.closes, 1);
	fake_free(&f);
	close(pair[0]);
	close(pair[1]);
}

/* How a peer may end a connection */
static void test_resets(void)
{
	static const struct visit script[] = {
	    {{{"\r\n\r\n", FAKE_101, 0}}, RESET},
	    {{{"\r\n\r\n", FAKE_101, 0}}, HANG_UP},
	    {{{"\r\n\r\n", FAKE_101 "\x81\x05He", sizeof FAKE_101 - 1 + 4}}, HANG_UP},
	    {{{"\r\n\r\n",
	       FAKE_101 "\x81\x02hi\x88\x05\x0f\xa0"
	                "bye",
	       sizeof FAKE_101 - 1 + 11}},
	     RESET},
	    {{{"\r\n\r\n", "HTTP/1.1 101 S", 0}}, HANG_UP},
	    {{{"\r\n\r\n", "", 0}}, HANG_UP},
	    {{{"", "", 0}}, RESET},
	};
	static const int want[] = {WS_ERESET,  WS_ECLOSED, WS_ECLOSED, 0,
	                           WS_ECLOSED, WS_ECLOSED, WS_ERESET};
	struct server s;
	struct client c;
	struct ws_msg msg;
	int i, r;

	server_start(&s, script, 7);
	for (i = 0; i < 7; i++) {
		client_init(&c, "ws://127.0.0.1:%d/", s.port);
		r = client_open(&c);
		if (i < 4) {
			CHECK_EQ_U(r, 0);
			r = ws_recv(c.ws, &msg);
			if (r < 0)
				CHECK_EQ_U(ws_info(c.ws)->close_code, 1006);
		}
		if (!CHECK(r == want[i] || (i == 6 && r == WS_ECLOSED)))
			fprintf(stderr, "%d: %d, %s\n", i, r, ws_error(c.ws));
		if (i == 3) { /* what it said before it went is not lost */
			sleep_ms(50);
			ws_send(c.ws, WS_TEXT, "x", 1);
			r = ws_recv(c.ws, &msg);
			CHECK((r == WS_ECLOSED && ws_info(c.ws)->close_code == 4000)
			      || r == WS_ERESET);
		}
		client_free(&c);
	}
	server_end(&s);
}

/* Signals do not move the deadline */
static atomic_int alarms;

static void on_alarm(int sig)
{
	(void)sig;
	atomic_fetch_add(&alarms, 1);
}

static void test_signals(void)
{
	static const struct visit silent[] = {{{{"\r\n\r\n", FAKE_101, 0}}, LINGER},
	                                      {{{"never", "", 0}}, LINGER}};
	struct itimerval every = {{0, 7000}, {0, 7000}}, off = {{0, 0}, {0, 0}};
	struct sigaction sa;
	struct server s;
	struct client c;
	struct ws_msg msg;
	sigset_t set;
	int64_t start;
	int r;

	memset(&sa, 0, sizeof sa);
	sa.sa_handler = on_alarm; /* no SA_RESTART */
	sigaction(SIGALRM, &sa, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	server_start(&s, silent, 2);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
	client_init(&c, "ws://127.0.0.1:%d/", s.port);
	CHECK_EQ_U(client_open(&c), 0);
	ws_timeout(c.ws, 200);
	start = clock_us();
	r = ws_recv(c.ws, &msg);
	CHECK_EQ_U(r, WS_ETIMEOUT);
	CHECK(clock_us() - start >= 200000 && clock_us() - start < 5000000);
	client_free(&c);
	client_init(&c, "ws://127.0.0.1:%d/", s.port);
	c.o.timeout_ms = 200;
	CHECK_EQ_U(client_open(&c), WS_ETIMEOUT);
	CHECK(c.us >= 200000 && c.us < 5000000);
	client_free(&c);
	setitimer(ITIMER_REAL, &off, NULL);
	CHECK(atomic_load(&alarms) > 10);
	server_end(&s);
}

/* No descriptor is to be had */
static void test_no_descriptors(void)
{
	struct rlimit old, none;
	struct client c;
	int fds[64], n = 0, k;

	getrlimit(RLIMIT_NOFILE, &old);
	none = old;
	none.rlim_cur = 64;
	setrlimit(RLIMIT_NOFILE, &none);
	while (n < 64 && (fds[n] = dup(0)) >= 0)
		n++;
	client_init(&c, "ws://127.0.0.1:1/");
	CHECK_EQ_U(client_open(&c), WS_EIO);
	HAS(&c, "Too many open files");
	client_free(&c);
	if (ws_features() & WS_HAS_THREADS) {
		client_init(&c, "ws://none.test/");
		CHECK_EQ_U(client_open(&c), WS_EIO);
		HAS(&c, "resolve none.test: the lookup cannot be started: Too many open files");
		client_free(&c);
		/* with a lost lookup, which holds some of them, it is that one's time that runs out */
		for (k = 0; k < 2 && n; k++)
			close(fds[--n]);
		resolver_holds();
		lose_lookup();
		while (n < 64 && (fds[n] = dup(0)) >= 0)
			n++;
		client_init(&c, "ws://none.test/");
		c.o.timeout_ms = 60;
		CHECK_EQ_U(client_open(&c), WS_ETIMEOUT);
		HAS(&c, "resolve none.test: waiting for earlier lookups, which are still "
		        "unanswered: Too many open files");
		client_free(&c);
		resolver_lets_go();
	}
#if defined(__linux__)
	/* and no random bytes without one */
	atomic_store(&random_lacks, 1);
	client_init(&c, "ws://a/");
	c.o.entropy = NULL;
	c.o.use_fd = 1;
	c.o.fd = n ? fds[--n] : -1;
	k = dup2(c.o.fd, c.o.fd);
	CHECK_EQ_U(client_open(&c), WS_EENTROPY);
	fds[n] = dup(0); /* the place that it had */
	n += fds[n] >= 0;
	client_free(&c);
	atomic_store(&random_lacks, 0);
	(void)k;
#endif
	for (k = 0; k < n; k++)
		close(fds[k]);
	setrlimit(RLIMIT_NOFILE, &old);
}

#if defined(__linux__)
/* The system's random bytes: interrupted, late on a device that has just booted, from /dev/urandom on an old one */
static void test_random(void)
{
	static const struct visit refuse[] = {
	    {{{"\r\n\r\n", "HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n", 0}}, LINGER},
	    {{{"\r\n\r\n", "HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n", 0}}, LINGER},
	    {{{"\r\n\r\n", "HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n", 0}}, LINGER},
	    {{{"\r\n\r\n", "HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n", 0}}, LINGER}};
	struct server s;
	struct client c;
	char *keys[4];
	int i, k;

	server_start(&s, refuse, 4);
	for (i = 0; i < 4; i++) {
		client_init(&c, "ws://127.0.0.1:%d/", s.port);
		c.o.entropy = NULL;
		atomic_store(&random_interrupted, i == 1 ? 3 : 0);
		atomic_store(&random_late, i == 2 ? 3 : 0);
		atomic_store(&random_lacks, i == 3);
		CHECK_EQ_U(client_open(&c), WS_EHTTP);
		if (i == 2)
			CHECK(c.us >= 20000);
		client_free(&c);
	}
	atomic_store(&random_lacks, 0);
	server_end(&s);
	for (i = 0; i < 4; i++) {
		keys[i] = strstr(s.seen[i], "Sec-WebSocket-Key: ");
		if (!CHECK(keys[i] != NULL))
			return;
		CHECK(keys[i][19 + 24] == '\r' && keys[i][19 + 23] == '=');
		for (k = 0; k < i; k++)
			CHECK(memcmp(keys[i], keys[k], 19 + 24) != 0);
	}
	/* late beyond the deadline */
	client_init(&c, "ws://127.0.0.1:%d/", s.port);
	{
		int pair[2];

		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
		c.o.use_fd = 1;
		c.o.fd = pair[0];
		c.o.entropy = NULL;
		c.o.timeout_ms = 100;
		atomic_store(&random_late, 1000000);
		CHECK_EQ_U(client_open(&c), WS_ETIMEOUT);
		CHECK(c.us >= 100000 && c.us < 5000000);
		atomic_store(&random_late, 0);
		client_free(&c);
		close(pair[1]);
	}
}
#endif

/* Redirects: RFC 6455 4.1, and what goes to whom */
static const char *base64_user = "Authorization: Basic bWU6czNjcmV0"; /* me:s3cret */

static void test_redirects(void)
{
	struct server s, other;
	struct client c;
	char to[6][200], text[200];
	struct visit script[8], away[2];
	static const char *const headers[] = {"Cookie: a=b", "X-Mine: yes", NULL};
	int i, nonblock;

	for (nonblock = 0; nonblock < 2; nonblock++) {
		/* relative, absolute, http for ws, each on a new connection; then to another origin */
		memset(script, 0, sizeof script);
		memset(away, 0, sizeof away);
		s.port = other.port = 0;
		s.fd = bound("127.0.0.1", &s.port);
		other.fd = bound("127.0.0.1", &other.port);
		sprintf(to[0],
		        "HTTP/1.1 301 x\r\nLocation: two?q#frag\r\nContent-Length: 0\r\n\r\n");
		sprintf(to[1], "HTTP/1.1 302 x\r\nLocation: http://127.0.0.1:%d/three\r\n\r\n",
		        s.port);
		sprintf(to[2],
		        "HTTP/1.1 100 y\r\n\r\nHTTP/1.1 303 x\r\nLocation: //127.0.0.1:%d\r\n\r\n",
		        other.port);
		for (i = 0; i < 3; i++) {
			script[i].acts[0].until = "\r\n\r\n";
			script[i].acts[0].say = to[i];
		}
		away[0] = good[0];
		server_on(&s, s.fd, script, 3);
		server_on(&other, other.fd, away, 1);
		client_init(&c, "ws://me:s3cret@127.0.0.1:%d/one/?a", s.port);
		c.o.nonblock = nonblock;
		c.o.max_redirects = 3;
		c.o.headers = headers;
		c.o.host = "first.test";
		if (!CHECK(client_open(&c) == 0))
			fprintf(stderr, "\t%s\n", ws_error(c.ws));
		CHECK_EQ_U(ws_info(c.ws)->redirects, 3);
		CHECK_EQ_U(ws_info(c.ws)->http_status, 101);
		sprintf(text, "http://127.0.0.1:%d",
		        other.port); /* the scheme is that of the URL before */
		CHECK_EQ_S(ws_info(c.ws)->url, text);
		sprintf(text, "127.0.0.1:%d", other.port);
		CHECK_EQ_S(ws_info(c.ws)->address, text);
		client_talk(&c);
		client_free(&c);
		server_end(&s);
		server_end(&other);
		CHECK(strncmp(s.seen[0], "GET /one/?a HTTP/1.1\r\n", 22) == 0);
		CHECK(strncmp(s.seen[1], "GET /one/two?q HTTP/1.1\r\n", 25) == 0);
		CHECK(strncmp(s.seen[2], "GET /three HTTP/1.1\r\n", 21) == 0);
		CHECK(strncmp(other.seen[0], "GET / HTTP/1.1\r\n", 16) == 0);
		for (i = 0; i < 3; i++) {
			CHECK(strstr(s.seen[i], "Cookie: a=b\r\n")
			      && strstr(s.seen[i], "X-Mine: yes\r\n")
			      && strstr(s.seen[i], "Host: first.test\r\n"));
			CHECK(strstr(s.seen[i], base64_user) != NULL);
		}
		CHECK(!strstr(other.seen[0], "Authorization") && !strstr(other.seen[0], "Cookie")
		      && !strstr(other.seen[0], "first.test")
		      && strstr(other.seen[0], "X-Mine: yes\r\n"));
		sprintf(text, "Host: 127.0.0.1:%d\r\n", other.port);
		CHECK(strstr(other.seen[0], text) != NULL);
	}
	/* those that are not followed */
	{
		static char longest[WS_MAX_URL + 200];
		static const struct {
			const char *what, *location, *has;
			int max, err;
		} cases[] = {
		    {"none allowed", "Location: /x\r\n", "302", 0, WS_EHTTP},
		    {"no Location", "", "Location", 1, WS_EREDIRECT},
		    {"an empty one", "Location: \r\n", "Location", 1, WS_EREDIRECT},
		    {"two", "Location: /x\r\nLocation: /y\r\n", "Location", 1, WS_EREDIRECT},
		    {"userinfo", "Location: ws://u:pw@127.0.0.1:1/\r\n", "user", 1, WS_EREDIRECT},
		    {"another scheme", "Location: ftp://127.0.0.1:1/\r\n", "", 1, WS_EREDIRECT},
		    {"no host", "Location: ws://\r\n", "", 1, WS_EREDIRECT},
		    {"a bad byte", "Location: /a b\r\n", "", 1, WS_EREDIRECT},
		    {"one too long", NULL, "", 1, WS_EREDIRECT},
		};
		size_t k;

		for (k = 0; k < sizeof cases / sizeof cases[0]; k++) {
			check_row("%s", cases[k].what);
			memset(script, 0, sizeof script);
			if (cases[k].location) {
				sprintf(longest,
				        "HTTP/1.1 302 Found\r\n%sContent-Length: 0\r\n\r\n",
				        cases[k].location);
			} else {
				memset(longest, 'x', sizeof longest);
				memcpy(longest, "HTTP/1.1 302 Found\r\nLocation: /", 31);
				memcpy(longest + WS_MAX_URL + 100, "\r\n\r\n", 5);
			}
			script[0].acts[0].until = "\r\n\r\n";
			script[0].acts[0].say = longest;
			server_start(&s, script, 1);
			client_init(&c, "ws://127.0.0.1:%d/", s.port);
			c.o.max_redirects = cases[k].max;
			CHECK_EQ_U(client_open(&c), cases[k].err);
			if (!CHECK(strstr(ws_error(c.ws), cases[k].has)
			           && !strstr(ws_error(c.ws), "pw@")))
				fprintf(stderr, "%s: %s\n", cases[k].what, ws_error(c.ws));
			CHECK_EQ_U(ws_info(c.ws)->http_status, 302);
			CHECK_EQ_U(ws_info(c.ws)->redirects, 0);
			client_free(&c);
			server_end(&s);
		}
		check_row_end();
		/* other 30x are answers */
		memset(script, 0, sizeof script);
		script[0].acts[0].until = script[1].acts[0].until = "\r\n\r\n";
		script[0].acts[0].say =
		    "HTTP/1.1 300 x\r\nLocation: /\r\nContent-Length: 0\r\n\r\n";
		script[1].acts[0].say = "HTTP/1.1 304 x\r\nLocation: /\r\n\r\n";
		server_start(&s, script, 2);
		for (i = 0; i < 2; i++) {
			client_init(&c, "ws://127.0.0.1:%d/", s.port);
			c.o.max_redirects = 3;
			CHECK_EQ_U(client_open(&c), WS_EHTTP);
			client_free(&c);
		}
		server_end(&s);
	}
	/* a loop: the limit, and the chain in the sentence */
	memset(script, 0, sizeof script);
	for (i = 0; i < 4; i++) {
		script[i].acts[0].until = "\r\n\r\n";
		script[i].acts[0].say = i % 2 ? "HTTP/1.1 308 x\r\nLocation: /a\r\n\r\n"
		                              : "HTTP/1.1 307 x\r\nLocation: /b\r\n\r\n";
	}
	server_start(&s, script, 4);
	client_init(&c, "ws://127.0.0.1:%d/a", s.port);
	c.o.max_redirects = 3;
	CHECK_EQ_U(client_open(&c), WS_EREDIRECT);
	CHECK_EQ_U(ws_info(c.ws)->redirects, 3);
	sprintf(text, "ws://127.0.0.1:%d/a -> ws://127.0.0.1:%d/b -> ws://127.0.0.1:%d/a", s.port,
	        s.port, s.port);
	HAS(&c, text);
	client_free(&c);
	server_end(&s);
	/* one deadline over all of them */
	memset(script, 0, sizeof script);
	script[0].acts[0].until = "\r\n\r\n";
	script[0].acts[0].say = "HTTP/1.1 307 x\r\nLocation: /b\r\n\r\n";
	script[1].acts[0].until = "never";
	server_start(&s, script, 2);
	client_init(&c, "ws://127.0.0.1:%d/a", s.port);
	c.o.max_redirects = 3;
	c.o.timeout_ms = 200;
	CHECK_EQ_U(client_open(&c), WS_ETIMEOUT);
	CHECK(c.us >= 200000 && c.us < 5000000);
	HAS(&c, "/b");
	client_free(&c);
	server_end(&s);
	/* to a name that has no address: the error tells the chain */
	if (ws_features() & WS_HAS_RESOLVER) {
		script[0].acts[0].say = "HTTP/1.1 307 x\r\nLocation: ws://none.test/\r\n\r\n";
		server_start(&s, script, 1);
		client_init(&c, "ws://127.0.0.1:%d/a", s.port);
		c.o.max_redirects = 3;
		CHECK_EQ_U(client_open(&c), WS_ERESOLVE);
		HAS(&c, "none.test");
		HAS(&c, " -> ");
		client_free(&c);
		server_end(&s);
	}
	/* wss:// without TLS */
	if (!(ws_features() & WS_HAS_TLS)) {
		script[0].acts[0].say = "HTTP/1.1 307 x\r\nLocation: wss://127.0.0.1/\r\n\r\n";
		server_start(&s, script, 1);
		client_init(&c, "ws://127.0.0.1:%d/a", s.port);
		c.o.max_redirects = 3;
		CHECK_EQ_U(client_open(&c), WS_EUNSUPPORTED);
		client_free(&c);
		server_end(&s);
	}
	/* through a Unix socket only to the same origin */
	{
		char dir[] = "/tmp/test_net.XXXXXX", path[100];
		struct sockaddr_un sun;

		CHECK(mkdtemp(dir) != NULL);
		sprintf(path, "%s/s", dir);
		memset(&sun, 0, sizeof sun);
		sun.sun_family = AF_UNIX;
		strcpy(sun.sun_path, path);
		memset(script, 0, sizeof script);
		script[0].acts[0].until = script[1].acts[0].until = "\r\n\r\n";
		script[0].acts[0].say = "HTTP/1.1 307 x\r\nLocation: /b\r\n\r\n";
		script[1].acts[0].say = "HTTP/1.1 307 x\r\nLocation: ws://b.test/\r\n\r\n";
		s.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		CHECK(bind(s.fd, (struct sockaddr *)&sun, sizeof sun) == 0);
		server_on(&s, s.fd, script, 2);
		client_init(&c, "ws://a.test/");
		c.o.unix_socket = path;
		c.o.max_redirects = 5;
		CHECK_EQ_U(client_open(&c), WS_EREDIRECT);
		CHECK_EQ_U(ws_info(c.ws)->redirects, 1);
		client_free(&c);
		server_end(&s);
		unlink(path);
		rmdir(dir);
	}
	/* an allocation that fails, each in turn: no leak, no descriptor left */
	for (i = 1; i < 60; i++) {
		struct ws_answer a;
		int r, before = count_fds();

		memset(script, 0, sizeof script);
		script[0].acts[0].until = script[1].acts[0].until = "\r\n\r\n";
		script[0].acts[0].say = "HTTP/1.1 301 x\r\nLocation: /b\r\n\r\n";
		script[1].acts[0].say = "HTTP/1.1 302 x\r\nLocation: /c\r\n\r\n";
		script[2] = good[0];
		server_start(&s, script, 3);
		client_init(&c, "ws://localhost:%d/a", s.port);
		c.o.max_redirects = 2;
		c.f.alloc_fail_at = (unsigned long)i;
		r = ws_query(c.url, &c.o, WS_TEXT, "x", 1, &a);
		if (!CHECK(r == 0 ? a.data && strcmp(a.data, "hi") == 0
		                  : r == WS_EMEMORY && c.f.failed_allocs))
			fprintf(stderr, "allocation %d: %d %s\n", i, r, a.error);
		ws_answer_free(&a, &c.o);
		CHECK(c.f.alive == 0 && c.f.blocks == 0 && !c.f.wrong);
		server_end(&s);
		CHECK_EQ_U(count_fds(), before);
		if (!c.f.failed_allocs)
			break;
	}
	CHECK(i > 10 && i < 60);
}

/* Proxies: how the connection drives their dialogues (the bytes themselves are test_proxy.c's) */
static void test_proxies(void)
{
	static const char target[] = "ws://target.test:8765/x";
	static const struct {
		const char *what, *scheme, *user;
		struct visit v;
		int err, phase;
		const char *has, *saw;
	} cases[] = {
	    {"http",
	     "http",
	     "",
	     {{{"\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", 0},
	       {"\r\n\r\n", FAKE_101 "\x81\x02hi\x88\x02\x03\xe8", sizeof FAKE_101 - 1 + 8}},
	      LINGER},
	     0,
	     WS_READY,
	     "",
	     "CONNECT target.test:8765 HTTP/1.1\r\n"},
	    {"http, and a login",
	     "http",
	     "me:s3cret@",
	     {{{"\r\n\r\n", "HTTP/1.1 200 OK\r\nX: y\r\n\r\n", 0},
	       {"\r\n\r\n", FAKE_101 "\x81\x02hi\x88\x02\x03\xe8", sizeof FAKE_101 - 1 + 8}},
	      LINGER},
	     0,
	     WS_READY,
	     "",
	     "Proxy-Authorization: Basic bWU6czNjcmV0\r\n"},
	    {"http, that says no",
	     "http",
	     "me:s3cret@",
	     {{{"\r\n\r\n", "HTTP/1.1 407 Login\r\nContent-Length: 5\r\n\r\nhello", 0}}, LINGER},
	     WS_EPROXY,
	     WS_PROXY,
	     "407",
	     "CONNECT"},
	    {"http, that hangs up",
	     "http",
	     "",
	     {{{"\r\n\r\n", "HTTP/1.1 2", 0}}, HANG_UP},
	     WS_ECLOSED,
	     WS_PROXY,
	     "proxy",
	     "CONNECT"},
	    {"http, and a server behind it that says no",
	     "http",
	     "",
	     {{{"\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", 0},
	       {"\r\n\r\n", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 0}},
	      LINGER},
	     WS_EHTTP,
	     WS_UPGRADE,
	     "upgrade of ws://target.test:8765/x refused by ws://target.test:8765/x through "
	     "127.0.0.1:",
	     "CONNECT"},
	    {"http, that speaks another language",
	     "http",
	     "",
	     {{{"\r\n\r\n", "SSH-2.0-x\r\n", 0}}, HANG_UP},
	     WS_EPROXY,
	     WS_PROXY,
	     "proxy",
	     "CONNECT"},
	    {"socks5h",
	     "socks5h",
	     "",
	     {{{"\x05\x01", "\x05\x00", 2},
	       {"target.test", "\x05\x00\x00\x01\x7f\x00\x00\x01\x22\x3d", 10},
	       {"\r\n\r\n", FAKE_101 "\x81\x02hi\x88\x02\x03\xe8", sizeof FAKE_101 - 1 + 8}},
	      LINGER},
	     0,
	     WS_READY,
	     "",
	     "target.test"},
	    {"socks5h, that says no",
	     "socks5h",
	     "",
	     {{{"\x05\x01", "\x05\x00", 2},
	       {"target.test", "\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00", 10}},
	      LINGER},
	     WS_EPROXY,
	     WS_PROXY,
	     "refused",
	     "target.test"},
	    {"socks4a, and bytes behind its answer",
	     "socks4a",
	     "",
	     {{{"target.test", "\x00\x5a\x00\x00\x00\x00\x00\x00", 8},
	       {"\r\n\r\n", FAKE_101 "\x81\x02hi\x88\x02\x03\xe8", sizeof FAKE_101 - 1 + 8}},
	      LINGER},
	     0,
	     WS_READY,
	     "",
	     "target.test"},
	};
	struct server s;
	struct client c;
	char proxy[100], text[100];
	const char *known[] = {text, NULL};
	size_t i;
	int nonblock, port, fd;

	for (nonblock = 0; nonblock < 2; nonblock++) {
		for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
			int r;

			check_row("%s, nonblock %d", cases[i].what, nonblock);
			server_start(&s, &cases[i].v, 1);
			sprintf(proxy, "%s://%s127.0.0.1:%d", cases[i].scheme, cases[i].user,
			        s.port);
			client_init(&c, "%s", target);
			c.o.nonblock = nonblock;
			c.o.proxy = proxy;
			r = client_open(&c);
			sprintf(text, "127.0.0.1:%d", s.port);
			if (!CHECK(r == cases[i].err
			           && ws_info(c.ws)->phase == (enum ws_phase)cases[i].phase
			           && strstr(ws_error(c.ws), cases[i].has)
			           && !strstr(ws_error(c.ws), "s3cret")
			           && strcmp(ws_info(c.ws)->address, text) == 0))
				fprintf(stderr, "%s: %d %s\n", cases[i].what, r, ws_error(c.ws));
			if (r == 0)
				client_talk(&c);
			client_free(&c);
			server_end(&s);
			if (!CHECK(strstr(s.seen[0], cases[i].saw) != NULL))
				fprintf(stderr, "%s: saw %s\n", cases[i].what, s.seen[0]);
		}
		check_row_end();
		/* those that want an address look it up here; SOCKS4 takes IPv4 alone */
		if (ws_features() & WS_HAS_RESOLVER) {
			static const struct visit four[] = {
			    {{{NULL, NULL, 0},
			      {"\x7b", "\x00\x5a\x00\x00\x00\x00\x00\x00", 8},
			      {"\r\n\r\n", FAKE_101 "\x81\x02hi\x88\x02\x03\xe8",
			       sizeof FAKE_101 - 1 + 8}},
			     LINGER}};
			struct visit v = four[0];

			v.acts[0] = v.acts[1];
			v.acts[1] = v.acts[2];
			memset(&v.acts[2], 0, sizeof v.acts[2]);
			server_start(&s, &v, 1);
			sprintf(proxy, "socks4://127.0.0.1:%d", s.port);
			client_init(&c, "ws://a6.a123-45-67-89.test:80/");
			c.o.nonblock = nonblock;
			c.o.proxy = proxy;
			CHECK_EQ_U(client_open(&c), 0);
			client_talk(&c);
			client_free(&c);
			server_end(&s);
			CHECK(memcmp(s.seen[0],
			             "\x04\x01"
			             "0"
			             "\x50"
			             "\x7b\x2d\x43\x59",
			             8)
			      == 0); /* a NUL is kept as '0' */
			server_start(&s, &v, 0);
			sprintf(proxy, "socks4://127.0.0.1:%d", s.port);
			client_init(&c, "ws://none.test:80/");
			c.o.nonblock = nonblock;
			c.o.proxy = proxy;
			CHECK_EQ_U(client_open(&c), WS_ERESOLVE);
			HAS(&c, "none.test");
			client_free(&c);
			server_end(&s);
		}
		/* the proxy cannot be reached: phase connect; no_proxy; wss has its own */
		port = 0;
		fd = bound("127.0.0.1", &port);
		sprintf(proxy, "http://127.0.0.1:%d", port);
		client_init(&c, "%s", target);
		c.o.nonblock = nonblock;
		c.o.proxy = proxy;
		CHECK_EQ_U(client_open(&c), WS_EREFUSED);
		CHECK_EQ_U(ws_info(c.ws)->phase, WS_CONNECT);
		HAS(&c, "proxy");
		client_free(&c);
		server_start(&s, good, 2);
		sprintf(text, "a127-0-0-1.test:%d:127.0.0.1", s.port);
		client_init(&c, "ws://a127-0-0-1.test:%d/", s.port);
		c.o.resolve = known;
		c.o.nonblock = nonblock;
		c.o.proxy = proxy;
		c.o.no_proxy = "b.test, .a127-0-0-1.test";
		CHECK_EQ_U(client_open(&c), 0);
		client_talk(&c);
		client_free(&c);
		client_init(&c, "ws://a127-0-0-1.test:%d/", s.port);
		c.o.resolve = known;
		c.o.nonblock = nonblock;
		c.o.proxy_wss = proxy;
		CHECK_EQ_U(client_open(&c), 0);
		client_talk(&c);
		client_free(&c);
		server_end(&s);
		close(fd);
		/* a proxy that says nothing: the deadline; one whose answer is longer than the buffer */
		{
			static const struct visit mute[] = {{{{"never", NULL, 0}}, LINGER}};
			struct visit wordy[1];
			char *words = malloc(3000);

			server_start(&s, mute, 1);
			sprintf(proxy, "http://127.0.0.1:%d", s.port);
			client_init(&c, "%s", target);
			c.o.nonblock = nonblock;
			c.o.proxy = proxy;
			c.o.timeout_ms = 150;
			CHECK_EQ_U(client_open(&c), WS_ETIMEOUT);
			CHECK(c.us >= 150000 && c.us < 5000000);
			CHECK_EQ_U(ws_info(c.ws)->phase, WS_PROXY);
			HAS(&c, "proxy");
			client_free(&c);
			server_end(&s);
			memset(words, 'x', 3000);
			memcpy(words, "HTTP/1.1 200 OK\r\nX: ", 20);
			memcpy(words + 2995, "\r\n\r\n", 5);
			memset(wordy, 0, sizeof wordy);
			wordy[0].acts[0].until = "\r\n\r\n";
			wordy[0].acts[0].say = words;
			server_start(&s, wordy, 1);
			sprintf(proxy, "http://127.0.0.1:%d", s.port);
			client_init(&c, "%s", target);
			c.o.nonblock = nonblock;
			c.o.proxy = proxy;
			c.o.recv_buffer = 256;
			CHECK_EQ_U(client_open(&c), WS_EPROXY);
			client_free(&c);
			server_end(&s);
			free(words);
		}
	}
	/* an allocation that fails, each in turn */
	for (port = 1; port < 60; port++) {
		struct ws_answer a;
		int r;

		server_start(&s, &cases[0].v, 1);
		sprintf(proxy, "http://127.0.0.1:%d", s.port);
		client_init(&c, "%s", target);
		c.o.proxy = proxy;
		c.f.alloc_fail_at = (unsigned long)port;
		r = ws_query(c.url, &c.o, WS_TEXT, "x", 1, &a);
		CHECK(r == 0 ? a.data && strcmp(a.data, "hi") == 0
		             : r == WS_EMEMORY && c.f.failed_allocs);
		ws_answer_free(&a, &c.o);
		CHECK(c.f.alive == 0 && c.f.blocks == 0 && !c.f.wrong);
		server_end(&s);
		if (!c.f.failed_allocs)
			break;
	}
	CHECK(port > 6 && port < 60);
}

/* What comes right behind the proxy's answer is the first of TLS; here an alert, as from a server that is no match. The
 * memory for it is one of the allocations that fail, each in turn */
static void test_proxy_reads_too_far(void)
{
	static const struct visit v = {
	    {{"\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n\x15\x03\x03\x00\x02\x02\x28", 19 + 7}}, LINGER};
	struct server s;
	struct client c;
	char proxy[100];
	int nonblock, fail_at, failed, r;

	for (nonblock = 0; nonblock < 2; nonblock++) {
		failed = 0;
		for (fail_at = 0; fail_at < 100;
		     fail_at += fail_at ? 1 : 2) { /* 0: none; the first is ws_new's */
			check_row("nonblock %d, allocation %d", nonblock, fail_at);
			server_start(&s, &v, 1);
			sprintf(proxy, "http://127.0.0.1:%d", s.port);
			client_init(&c, "wss://target.test:8765/");
			c.o.nonblock = nonblock;
			c.o.proxy = proxy;
			c.o.tls.insecure_no_verify = 1;
			c.f.alloc_fail_at = (unsigned long)fail_at;
			r = client_open(&c);
			/* without memory for the sentence alone, the error is as it was */
			CHECK(r == WS_ETLS || (r == WS_EMEMORY && c.f.failed_allocs));
			failed += r == WS_EMEMORY;
			client_free(&c);
			CHECK(c.f.alive == 0 && c.f.blocks == 0 && !c.f.wrong);
			server_end(&s);
			if (fail_at > 0 && !c.f.failed_allocs)
				break;
		}
		check_row_end();
		CHECK(failed >= 6 && fail_at < 100);
	}
}

int main(void)
{
	int before = count_fds();

	TEST(test_addresses);
	TEST(test_zone);
	TEST(test_race);
	if (ws_features() & WS_HAS_THREADS) { /* else a name is waited for, or there are none */
		TEST(test_resolver);
		TEST(test_lost_lookups);
		TEST(test_threads);
	}
	TEST(test_unix);
#if defined(__linux__)
	TEST(test_words);
	TEST(test_refused_late);
#endif
#ifdef MALLOC_FAILS
	if (ws_features() & WS_HAS_RESOLVER)
		TEST(test_no_memory_for_lookup);
#endif
	TEST(test_sockets);
	TEST(test_use_fd);
	TEST(test_resets);
	TEST(test_signals);
#if defined(__linux__)
	TEST(test_random);
#endif
	TEST(test_no_descriptors);
	if (ws_features() & WS_HAS_REDIRECTS)
		TEST(test_redirects);
	if (ws_features() & WS_HAS_PROXY)
		TEST(test_proxies);
	if ((ws_features() & WS_HAS_PROXY) && (ws_features() & WS_HAS_TLS))
		TEST(test_proxy_reads_too_far);
	resolver_lets_go();
	sleep_ms(50);
	CHECK_EQ_U(count_fds(), before);
	return check_done();
}
