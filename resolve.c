/* SPDX-License-Identifier: ISC
 * resolve.c - from a host to its addresses: literals, ws_options.resolve, localhost, getaddrinfo
 *
 * getaddrinfo accepts no deadline, so each call runs in a thread of its own (unless
 * WS_NO_THREADS). Thread and connection share one malloc'd job. It has two owners, and the last
 * one to release it frees it. So a connection whose deadline has passed simply abandons its job.
 * The thread uses nothing but the job and blocks all signals. It reports its end by closing its
 * end of a socket pair, whose other end the caller polls.
 *
 * A lookup that outlives its connection is lost. Lost lookups are counted for the whole process.
 * While there are WS_MAX_LOST_LOOKUPS of them, a new lookup waits until one of them ends, or
 * until its own deadline.
 *
 * Build switches: WS_NO_THREADS (getaddrinfo blocks the caller, even past the deadline),
 * WS_NO_RESOLVER (no getaddrinfo).
 */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE
#endif
#ifndef _DARWIN_C_SOURCE
#define _DARWIN_C_SOURCE
#endif
#include "ws_net.h"
#ifndef WS_NO_NET
#include <string.h>
#ifndef WS_NO_RESOLVER
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#ifndef WS_NO_THREADS
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#ifndef SOCK_CLOEXEC
#define SOCK_CLOEXEC 0
#endif
#endif
#endif

#define LOOKUP_FDS 3          /* descriptors that getaddrinfo may need at once */
#define LOOKUP_RETRY_US 20000 /* between two attempts to start a lookup, while others are lost */

/* The list of addresses */

/* Adds an address of the wanted family, as long as there is room. RFC 8305 4: the families
 * alternate; within a family the order is that of the calls. So an address moves up until one of
 * the two before it is of its own family. */
static void add_address(struct wsi_lookup *l, const void *bytes, int len, uint32_t scope)
{
	int family = len == 4 ? 4 : 6;
	int i = l->n;

	if (i == WS_MAX_ADDRESSES || (l->family && l->family != family))
		return;
	while (i >= 2 && l->addr[i - 1].len != len && l->addr[i - 2].len != len) {
		l->addr[i] = l->addr[i - 1];
		i--;
	}
	memcpy(l->addr[i].bytes, bytes, (size_t)len);
	l->addr[i].len = len;
	l->addr[i].scope = scope;
	l->n++;
}

/* ws_options.resolve */

/* One entry: HOST:PORT:ADDRESS. Brackets around HOST and ADDRESS are optional. */
struct override {
	struct wsi_str host;
	int port;
	unsigned char ip[WSI_IP_MAX];
	int ip_len;
};

/* Reads the part of an entry that starts at s and goes on to the character end. It may be in
 * brackets, and then may contain that character. Returns where end is, or NULL. */
static const char *override_part(const char *s, char end, struct wsi_str *part)
{
	bool in_brackets = *s == '[';
	char stop = end;

	if (in_brackets) {
		stop = ']';
		s++;
	}
	part->p = s;
	while (*s && *s != stop)
		s++;
	part->len = (size_t)(s - part->p);
	if (*s != stop)
		return NULL;
	if (in_brackets)
		s++;
	if (*s != end)
		return NULL;
	return s;
}

static bool override_parse(struct override *o, const char *s)
{
	struct wsi_str address;
	size_t digits;

	s = override_part(s, ':', &o->host);
	if (!s || o->host.len == 0)
		return false;
	s++;
	digits = wsi_find(s, strlen(s), ':');
	o->port = wsi_number(s, digits, 65535);
	if (o->port <= 0 || s[digits] != ':')
		return false;
	if (!override_part(s + digits + 1, '\0', &address))
		return false;
	o->ip_len = wsi_ip_parse(o->ip, address.p, address.len);
	return o->ip_len > 0;
}

bool wsi_is_override(const char *entry)
{
	struct override o;

	return override_parse(&o, entry);
}

/* Adds the addresses that ws_options.resolve gives for our host and port. True if it has an entry
 * for them, even one of the other family. */
static bool add_overrides(struct wsi_lookup *l)
{
	const char *const *entry = l->opt->resolve;
	const struct wsi_url *to = l->to;
	struct override o;
	bool found = false;

	if (!entry)
		return false;
	for (; *entry; entry++) {
		if (override_parse(&o, *entry) && o.port == to->port
		    && wsi_in_domain(o.host, to->host.p, to->host.len) == 1) {
			add_address(l, o.ip, o.ip_len, 0);
			found = true;
		}
	}
	return found;
}

/* Adds the addresses of a host that needs no lookup. True if this host is one. */
static bool add_known(struct wsi_lookup *l)
{
	static const unsigned char loopback4[4] = {127, 0, 0, 1}, loopback6[16] = {[15] = 1};
	const struct wsi_url *to = l->to;

	if (l->opt->unix_socket) {
		l->n = 1; /* addr[0].len is 0 */
		return true;
	}
	if (to->ip) {
		add_address(l, to->addr, to->ip, 0);
		return true;
	}
	if (add_overrides(l))
		return true;
	if (!wsi_is_localhost(to->host))
		return false;
	add_address(l, loopback6, 16, 0);
	add_address(l, loopback4, 4, 0);
	return true;
}

#ifndef WS_NO_RESOLVER
/* One call of getaddrinfo */

struct wsi_lookup_job {
#ifndef WS_NO_THREADS
	atomic_int owners;  /* 2: thread and connection; 1: one of them has released it */
	atomic_int done_fd; /* the thread's end of the socket pair. -1: taken, to be closed */
#endif
	int family;       /* AF_ */
	int gai_error;    /* the result of getaddrinfo */
	int system_errno; /* with EAI_SYSTEM */
	int no_fd_errno;  /* no descriptor was free, or 0 */
	struct addrinfo *list;
	char host[]; /* NUL-terminated */
};

/* NULL: out of memory. Not from the caller's allocator, because the thread may outlive the
 * connection. */
static struct wsi_lookup_job *job_new(const struct wsi_lookup *l)
{
	size_t len = l->to->host.len;
	struct wsi_lookup_job *j = malloc(sizeof *j + len + 1);

	if (!j)
		return NULL;
	memset(j, 0, sizeof *j);
	memcpy(j->host, l->to->host.p, len);
	j->host[len] = '\0';
	j->family = AF_UNSPEC;
	if (l->family == 4)
		j->family = AF_INET;
	if (l->family == 6)
		j->family = AF_INET6;
	return j;
}

/* The errno if there are not enough free descriptors for getaddrinfo, or 0. getaddrinfo does not
 * always report that: if it cannot open /etc/hosts or a socket, it may say that a name does not
 * exist. */
static int find_no_fd(void)
{
	int fd[LOOKUP_FDS], n = 0, err = 0;

	while (n < LOOKUP_FDS && err == 0) {
		fd[n] = socket(AF_UNIX, SOCK_STREAM, 0);
		if (fd[n] < 0)
			err = errno;
		else
			n++;
	}
	while (n > 0)
		close(fd[--n]);
	return wsi_errno_is_no_fd(err) ? err : 0;
}

static void job_run(struct wsi_lookup_job *j)
{
	struct addrinfo hints;

	memset(&hints, 0, sizeof hints);
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_family = j->family;
	j->gai_error = getaddrinfo(j->host, NULL, &hints, &j->list);
	j->system_errno = errno;
	if (j->gai_error)
		j->no_fd_errno = find_no_fd();
}

static void job_free(struct wsi_lookup_job *j)
{
	if (j->gai_error == 0)
		freeaddrinfo(j->list);
	free(j);
}

#ifdef WS_NO_THREADS
static bool job_is_done(struct wsi_lookup_job *j)
{
	(void)j;
	return true;
}

static void job_leave(struct wsi_lookup *l)
{
	if (l->job)
		job_free(l->job);
	l->job = NULL;
}

static int job_start(struct wsi_lookup *l, int64_t now_us)
{
	(void)now_us;
	l->job = job_new(l);
	if (!l->job)
		return WS_EMEMORY;
	job_run(l->job);
	return 0;
}
#else
/* Lost lookups */

/* The only variables of the library that are not in a struct ws_conn: the number of lost lookups, and
 * the process in which they run. fork copies the number, but not the threads. */
static atomic_int lost_lookups;
static atomic_int lost_lookups_pid;

static bool too_many_are_lost(void)
{
	int pid = (int)getpid();

	if (atomic_exchange(&lost_lookups_pid, pid) != pid)
		atomic_store(&lost_lookups, 0);
	return atomic_load(&lost_lookups) >= WS_MAX_LOST_LOOKUPS;
}

/* Each of the two owners calls this once. A job counts as lost from just before the connection
 * releases it until it is freed, whichever owner frees it. */
static void job_release(struct wsi_lookup_job *j)
{
	if (atomic_fetch_sub(&j->owners, 1) != 1)
		return;
	job_free(j);
	atomic_fetch_sub(&lost_lookups, 1);
}

/* The connection abandons its job. A lost lookup holds no descriptors. */
static void job_leave(struct wsi_lookup *l)
{
	struct wsi_lookup_job *j = l->job;
	int fd;

	if (!j)
		return;
	l->job = NULL;
	wsi_close_fd(l->opt, l->job_fd);
	fd = atomic_exchange(&j->done_fd, -1);
	if (fd >= 0)
		close(fd);
	atomic_fetch_add(&lost_lookups, 1);
	job_release(j);
}

/* The thread */

/* The thread has released its job. */
static bool job_is_done(struct wsi_lookup_job *j)
{
	return atomic_load(&j->owners) == 1;
}

static void *job_thread(void *arg)
{
	struct wsi_lookup_job *j = arg;
	int fd;

	job_run(j);
	fd = atomic_exchange(&j->done_fd, -1);
	/* Closing fd wakes the connection, which then looks at job_is_done. So this must be
	 * before. */
	job_release(j);
	if (fd >= 0) {
		/* A child of fork may have a copy of fd, which close alone would leave open. */
		shutdown(fd, SHUT_RDWR);
		close(fd);
	}
	return NULL;
}

/* Starts the thread with all signals blocked. 0 or an errno. */
static int start_thread(struct wsi_lookup_job *j)
{
	sigset_t all, old;
	pthread_t thread;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&thread, NULL, job_thread, j);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err == 0)
		pthread_detach(thread);
	return err;
}

/* Gives the job a socket pair and a thread. False: see l->cause_errno. */
static bool job_launch(struct wsi_lookup *l, struct wsi_lookup_job *j)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		l->cause_errno = errno;
		return false;
	}
	atomic_init(&j->owners, 2);
	atomic_init(&j->done_fd, pair[1]);
	l->cause_errno = start_thread(j);
	if (l->cause_errno) {
		close(pair[0]);
		close(pair[1]);
		return false;
	}
	l->job = j;
	l->job_fd = pair[0];
	return true;
}

static int wait_for_lost_lookups(struct wsi_lookup *l, const char *cause, int64_t now_us)
{
	l->cause = cause;
	l->retry_us = now_us + LOOKUP_RETRY_US;
	return WS_AGAIN;
}

/* 0: l->job is under way; WS_AGAIN: not before l->retry_us; or an error. */
static int job_start(struct wsi_lookup *l, int64_t now_us)
{
	struct wsi_lookup_job *j;

	l->cause = NULL;
	l->cause_errno = 0;
	if (too_many_are_lost())
		return wait_for_lost_lookups(
		    l, "waiting for earlier lookups, too many of which are still unanswered",
		    now_us);
	j = job_new(l);
	if (!j)
		return WS_EMEMORY;
	if (job_launch(l, j))
		return 0;
	free(j);
	/* The system has no descriptor or no thread for us. A lost lookup that ends may release
	 * one. */
	if (atomic_load(&lost_lookups) > 0)
		return wait_for_lost_lookups(
		    l, "waiting for earlier lookups, which are still unanswered", now_us);
	l->cause = "the lookup cannot be started";
	return WS_EIO;
}
#endif

/* In the words of gai_strerror(3), with an explanation where they need one. */
static const char *gai_words(int gai_error)
{
	switch (gai_error) {
	case EAI_AGAIN:
		return "Temporary failure in name resolution: no name server answered, or none can "
		       "be reached";
	case EAI_NONAME:
		return "Name or service not known";
	case EAI_FAIL:
		return "Non-recoverable failure in name resolution: the name server refused, or "
		       "failed";
	case EAI_FAMILY:
		return "ai_family not supported: this system does not support addresses of that "
		       "family";
	case EAI_SYSTEM:
		return "System error"; /* the words of its errno follow */
	default:
		return "no address for this name";
	}
}

static void add_list(struct wsi_lookup *l, const struct addrinfo *list)
{
	const struct addrinfo *a;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	for (a = list; a; a = a->ai_next) {
		if (a->ai_family == AF_INET && a->ai_addrlen >= sizeof v4) {
			memcpy(&v4, a->ai_addr, sizeof v4);
			add_address(l, &v4.sin_addr, 4, 0);
		} else if (a->ai_family == AF_INET6 && a->ai_addrlen >= sizeof v6) {
			memcpy(&v6, a->ai_addr, sizeof v6);
			add_address(l, &v6.sin6_addr, 16, v6.sin6_scope_id);
		}
	}
}

/* Takes the result of the job. 0: l has addresses; WS_AGAIN; or an error. */
static int job_finish(struct wsi_lookup *l)
{
	struct wsi_lookup_job *j = l->job;

	if (!job_is_done(j))
		return WS_AGAIN;
	if (j->gai_error == EAI_MEMORY)
		return WS_EMEMORY;
	l->cause = gai_words(j->gai_error);
	if (j->gai_error == EAI_SYSTEM)
		l->cause_errno = j->system_errno;
	if (j->no_fd_errno)
		l->cause_errno = j->no_fd_errno;
	if (j->gai_error == 0)
		add_list(l, j->list);
	job_leave(l);
	if (l->n > 0)
		return 0;
	return wsi_errno_is_no_fd(l->cause_errno) ? WS_EIO : WS_ERESOLVE;
}
#endif

/* The lookup as a whole */

void wsi_resolve_init(struct wsi_lookup *l, const struct ws_options *opt, const struct wsi_url *to)
{
	memset(l, 0, sizeof *l);
	l->opt = opt;
	l->to = to;
	l->family = opt->family;
}

/* As wsi_resolve, which keeps the result. */
static int resolve_step(struct wsi_lookup *l, int64_t now_us)
{
#ifndef WS_NO_RESOLVER
	int r;

	if (l->job)
		return job_finish(l);
#endif
	if (add_known(l)) {
		if (l->n > 0)
			return 0;
		l->cause = l->family == 4 ? "no IPv4 address" : "no IPv6 address";
		return WS_ERESOLVE;
	}
#ifdef WS_NO_RESOLVER
	(void)now_us;
	l->cause = "this build has no resolver: give a numeric address";
	return WS_EUNSUPPORTED;
#else
	r = job_start(l, now_us);
	if (r != 0)
		return r;
	return job_finish(l);
#endif
}

int wsi_resolve(struct wsi_lookup *l, int64_t now_us)
{
	l->err = resolve_step(l, now_us);
	l->resolved = l->err == 0;
	return l->err;
}

int64_t wsi_resolve_wants(const struct wsi_lookup *l, struct ws_pollset *set)
{
	if (!l->job)
		return l->retry_us;
	set->fd[set->n].fd = l->job_fd;
	set->fd[set->n].events = WS_POLL_READ;
	set->n++;
	return WSI_NEVER;
}

void wsi_resolve_put(const struct wsi_lookup *l, struct wsi_text *t)
{
	wsi_put(t, "resolve ");
	wsi_put_safe(t, l->to->host.p, l->to->host.len);
	if (l->cause) {
		wsi_put(t, ": ");
		wsi_put(t, l->cause);
	}
	if (l->cause_errno) {
		wsi_put(t, ": ");
		wsi_put(t, wsi_errno_words(l->cause_errno)->text);
	}
}

void wsi_resolve_end(struct wsi_lookup *l)
{
#ifdef WS_NO_RESOLVER
	(void)l;
#else
	job_leave(l);
#endif
}
#endif
