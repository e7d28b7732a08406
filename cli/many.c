/* SPDX-License-Identifier: ISC
 * many.c - several URLs: those of the command line and those of a list
 *
 * Each URL is a task of its own, as if it were asked alone, and the loop drives --jobs of them side
 * by side. This file begins them as there is room, collects their answers and chooses the exit
 * status. No URL is begun while the reader of standard output is far behind, or while descriptors
 * are short. So memory depends on the tasks under way and not on the list, which may be endless;
 * only the format prometheus must keep a few numbers of each query to the end.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/many.h"
#include "cli/list.h"
#include "cli/outfile.h"
#include "cli/prometheus.h"
#include "cli/task.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define BACKLOG 65536      /* bytes of answers that wait for their reader while tasks are begun */
#define PATIENCE_US 100000 /* a reader of answers has this long after the last deadline */
#define SPARE_FDS 8        /* descriptors for the list, for files of TLS, and for the C library */
#define FDS_OF_ADDRESS 1   /* that a task needs to connect to a numeric address */
#define FDS_OF_NAME 9      /* the same for a name: the lookup, or sockets that race */
#define LEAST_FDS_WANTED 1024

/* A task, followed by its URL */
struct many_task {
	struct wq_task task;
	struct wq_many *many;
	size_t size;                  /* of this block */
	size_t order;                 /* of its URL among all */
	unsigned needs;               /* descriptors that it can still need at once */
	struct many_task *next, **at; /* all tasks under way */
};

struct wq_many {
	struct wq_work work; /* the owner of the loop */
	struct wq_options *o;
	struct wq_loop loop;
	struct wq_out out;

	/* Where URLs come from */
	struct wq_list list;
	bool list_waits;   /* for more of it to be read */
	bool list_ended;   /* or is not to be read any more */
	bool memory_short; /* the next URL waits until a task has ended */
	bool fds_short;    /* it waits until no task waits for a descriptor any more */
	size_t next_url;   /* of the command line */
	char *line;        /* the next URL of the list, not begun yet; or NULL */

	/* Tasks */
	struct many_task *tasks;
	size_t under_way, begun, ended, failed;
	unsigned fds, fds_max; /* that all tasks under way can need, and that there are */
	struct wq_progress progress;
	size_t total; /* URLs in all, if they can be counted beforehand, or 0 */

	/* How it ends */
	bool any_failed, any_unmet, interrupted;
	bool usage;     /* the command line is wrong; the message is printed */
	bool no_output; /* nobody takes the answers any more */

	struct wq_sample *samples; /* for prometheus */
	size_t n_samples, samples_cap;
};

/* Answers */

/* Keeps the query's values for prometheus. False: no memory */
static bool many_keep_sample(struct wq_many *m, const struct wq_query *q, size_t order)
{
#ifndef WSQUERY_NO_FORMATS
	char target[WQ_TARGET], *copy;
	struct wq_sample *s;
	size_t len;

	if (m->n_samples == m->samples_cap) {
		size_t cap = m->samples_cap > 0 ? 2 * m->samples_cap : 16;

		s = wq_alloc(NULL, m->samples, m->samples_cap * sizeof *s, cap * sizeof *s);
		if (!s)
			return false;
		m->samples = s;
		m->samples_cap = cap;
	}
	s = &m->samples[m->n_samples];
	wq_sample_take(s, q, target);
	len = strlen(target);
	copy = wq_alloc(NULL, NULL, 0, len + 1);
	if (!copy)
		return false;
	memcpy(copy, target, len + 1);
	s->target = copy;
	s->order = order;
	m->n_samples++;
#else
	(void)m;
	(void)q;
	(void)order;
#endif
	return true;
}

/* A failure in the format raw: its sentence does not always name the URL. */
static void many_say_error(const struct wq_query *q)
{
	char url[WQ_MAX_URL + 1];
	struct wsi_text t;

	wsi_text_init(&t, url, sizeof url);
	wsi_put_url(&t, q->url, strlen(q->url));
	wq_say(url, q->error);
}

static void many_put_answer(struct wq_many *m, const struct wq_query *q, size_t order)
{
	if (m->o->quiet)
		return;
	if (m->o->format == WQ_PROMETHEUS) {
		if (!many_keep_sample(m, q, order))
			m->out.err = ENOMEM;
		return;
	}
	wq_put_answer(&m->out, q);
	if (m->o->format == WQ_RAW && q->error)
		many_say_error(q);
}

static int many_answer(struct wq_task *t)
{
	struct many_task *mt = (struct many_task *)t;
	struct wq_many *m = mt->many;
	int status = wq_query_status(&t->q);

	if (m->usage)
		return status;
	if (t->q.usage) {
		m->usage = true;
		return wq_print_usage(m->o, t->q.error);
	}
	if (status == WQ_FAILED)
		m->any_failed = true;
	else if (status == WQ_UNMET)
		m->any_unmet = true;
	else if (status != WQ_OK)
		m->interrupted = true;
	m->ended++;
	if (status != WQ_OK)
		m->failed++;
	many_put_answer(m, &t->q, mt->order);
	return status;
}

/* Descriptors */

/* How many descriptors a task for this URL can need at once until it is connected */
static unsigned many_fds_of(const struct wq_options *o, const char *url)
{
	struct wsi_url u;

	if (o->lib.unix_socket)
		return FDS_OF_ADDRESS;
	if (wsi_url_parse(&u, url, strlen(url)) || u.ip)
		return o->lib.proxy && *o->lib.proxy ? FDS_OF_NAME : FDS_OF_ADDRESS;
	return FDS_OF_NAME;
}

/* Gives back what tasks reserved that are connected by now. */
static void many_recount_fds(struct wq_many *m)
{
	struct many_task *t;

	m->fds = 0;
	for (t = m->tasks; t; t = t->next) {
		if (t->task.q.connected)
			t->needs = FDS_OF_ADDRESS;
		m->fds += t->needs;
	}
}

/* True if a task may be begun that can need so many. One alone always may. */
static bool many_has_fds(struct wq_many *m, unsigned needs)
{
	if (m->under_way == 0 || m->fds + needs <= m->fds_max)
		return true;
	many_recount_fds(m);
	return m->fds + needs <= m->fds_max;
}

/* The task that has waited longest for a descriptor, or NULL. Another program may have taken the last
 * ones of the system, or a library may need more than was reserved. */
static struct many_task *many_find_short(const struct wq_many *m)
{
	struct many_task *t, *oldest = NULL;

	for (t = m->tasks; t; t = t->next) /* the newest is the first */
		if (t->task.state == WQ_TASK_SHORT)
			oldest = t;
	return oldest;
}

/* A task has ended, and so one that waits for a descriptor may find one now. */
static void many_wake_short(struct wq_many *m)
{
	struct many_task *t = many_find_short(m);

	if (!t)
		return;
	t->task.pause_until_us = 0;
	wq_loop_wake(&m->loop, &t->task.work);
}

/* Asks the system for as many descriptors as all jobs can need, and notes how many there are. */
static void many_init_fds(struct wq_many *m)
{
	rlim_t want = (rlim_t)m->o->jobs * FDS_OF_NAME + LEAST_FDS_WANTED;
	struct rlimit limit;
	int lowest;

	m->fds_max = 1;
	lowest = fcntl(0, F_DUPFD_CLOEXEC, 0);
	if (lowest < 0)
		lowest = 3;
	else
		close(lowest);
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_cur < want) {
		struct rlimit more = limit;

		more.rlim_cur = want < limit.rlim_max ? want : limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &more) == 0)
			limit = more;
	}
	if (limit.rlim_cur > want)
		limit.rlim_cur = want;
	if (limit.rlim_cur > (rlim_t)lowest + SPARE_FDS)
		m->fds_max = (unsigned)limit.rlim_cur - (unsigned)lowest - SPARE_FDS;
}

/* Beginning tasks */

static void many_ended(struct wq_work *w)
{
	struct many_task *t = (struct many_task *)w;
	struct wq_many *m = t->many;

	*t->at = t->next;
	if (t->next)
		t->next->at = t->at;
	m->fds -= t->needs;
	m->under_way--;
	m->memory_short = false;
	wq_task_end(&t->task);
	wq_alloc(NULL, t, t->size, 0);
	if (m->fds_short)
		many_wake_short(m);
}

/* Begins a task. False: there is no memory for it now. */
static bool many_begin(struct wq_many *m, const char *url, unsigned needs)
{
	size_t len = strlen(url), size = sizeof(struct many_task) + len + 1;
	struct many_task *t = wq_alloc(NULL, NULL, 0, size);
	char *copy;

	if (!t)
		return false;
	copy = (char *)(t + 1);
	memcpy(copy, url, len + 1);
	if (!wq_loop_add(&m->loop, &t->task.work)) {
		wq_alloc(NULL, t, size, 0);
		return false;
	}
	wq_task_begin(&t->task, m->o, copy, many_answer);
	t->task.work.ended = many_ended;
	t->many = m;
	t->size = size;
	t->order = m->begun++;
	t->needs = needs;
	t->next = m->tasks;
	t->at = &m->tasks;
	if (t->next)
		t->next->at = &t->next;
	m->tasks = t;
	m->fds += needs;
	m->under_way++;
	return true;
}

/* The next URL. NULL: none is available now */
static const char *many_next_url(struct wq_many *m)
{
	if (m->next_url < m->o->n_urls)
		return m->o->urls[m->next_url];
	if (m->line)
		return m->line;
	if (m->list_ended || wq_signal())
		return NULL;
	switch (wq_list_next(&m->list, &m->line)) {
	case WQ_LIST_LINE:
		break;
	case WQ_LIST_WAIT:
		m->list_waits = true;
		return NULL;
	case WQ_LIST_END:
		m->list_ended = true;
		return NULL;
	case WQ_LIST_FAILED:
		m->list_ended = m->usage = true;
		wq_print_usage_of(m->o, "from", m->o->from, strerror(m->list.err));
		return NULL;
	}
	return m->line;
}

static bool many_has_room(const struct wq_many *m)
{
	return m->under_way < (size_t)m->o->jobs && wq_out_waiting(&m->out) < BACKLOG
	       && !m->memory_short && !m->fds_short;
}

/* Begins as many tasks as there are URLs and room. */
static void many_begin_tasks(struct wq_many *m)
{
	const char *url;
	unsigned needs;

	m->list_waits = false;
	m->fds_short = many_find_short(m) != NULL;
	while (many_has_room(m) && !m->usage) {
		url = many_next_url(m);
		if (!url)
			return;
		needs = many_fds_of(m->o, url);
		if (!many_has_fds(m, needs))
			return;
		if (!many_begin(m, url, needs)) {
			m->memory_short = true;
			if (m->under_way == 0) {
				wq_say(NULL, "out of memory");
				m->list_ended = m->any_failed = true;
				m->next_url = m->o->n_urls;
				m->line = NULL;
			}
			return;
		}
		if (m->next_url < m->o->n_urls)
			m->next_url++;
		else
			m->line = NULL;
	}
}

/* True once every URL was begun. */
static bool many_began_all(const struct wq_many *m)
{
	return m->next_url == m->o->n_urls && !m->line && (m->list_ended || wq_signal());
}

/* Progress */

static void many_show_progress(struct wq_many *m)
{
	char line[WQ_ERR_LINE + 1];
	struct wsi_text t;

	if (!wq_progress_is_due(&m->progress))
		return;
	wsi_text_init(&t, line, sizeof line);
	wsi_put(&t, "wsquery: ");
	wsi_put_u(&t, m->ended);
	if (m->total > 0) {
		wsi_put(&t, " of ");
		wsi_put_u(&t, m->total);
	}
	wsi_put(&t, " queries have ended");
	if (m->failed > 0) {
		wsi_put(&t, ", ");
		wsi_put_u(&t, m->failed);
		wsi_put(&t, " of them with an error");
	}
	wq_err_line(line);
}

/* Counts the URLs, for the progress. A list that is not a file cannot be read twice. */
static void many_count(struct wq_many *m)
{
	struct wq_list list;
	char *line;

	if (m->progress.next_us == WQ_NEVER)
		return;
	m->total = m->o->n_urls;
	if (!m->o->from)
		return;
	if (lseek(m->list.fd, 0, SEEK_CUR) < 0 || wq_list_open(&list, m->o->from) != 0) {
		m->total = 0;
		return;
	}
	while (wq_list_next(&list, &line) == WQ_LIST_LINE)
		m->total++;
	wq_list_close(&list);
}

/* Running */

/* When the reader of standard output is given up, if it takes nothing until then: one more --timeout
 * after it last took something, as for a single query */
static int64_t many_reader_until_us(const struct wq_many *m)
{
	int64_t moved_us = m->out.moved_us;

	if (wq_out_waiting(&m->out) == 0)
		return WQ_NEVER;
	if (wq_signal() || (m->o->timeout_ms > 0 && (int64_t)m->o->timeout_ms * 1000 < PATIENCE_US))
		return moved_us + PATIENCE_US;
	if (m->o->timeout_ms == 0)
		return WQ_NEVER;
	return moved_us + (int64_t)m->o->timeout_ms * 1000;
}

/* Writes what its reader takes. */
static void many_write(struct wq_many *m)
{
	if (wq_out_waiting(&m->out) == 0)
		m->out.moved_us = wq_now_us();
	wq_out_try(&m->out);
	if (m->out.err == 0 && wq_now_us() >= many_reader_until_us(m))
		m->out.err = ETIMEDOUT;
	if (m->out.err != 0)
		m->no_output = true;
}

static void many_put_samples(struct wq_many *m)
{
#ifndef WSQUERY_NO_FORMATS
	if (m->o->format == WQ_PROMETHEUS && m->n_samples > 0) {
		size_t n = wq_samples_merge(m->samples, m->n_samples);

		if (n < m->n_samples)
			wq_say("some URLs have the same target label",
			       "for each label only one URL is reported, the first that failed");
		wq_samples_put(&m->out, m->samples, n);
		m->n_samples = 0;
	}
#else
	(void)m;
#endif
}

static bool many_step(struct wq_work *w)
{
	struct wq_many *m = (struct wq_many *)w;

	many_write(m); /* first, because it makes room to begin tasks */
	if (m->no_output)
		return true;
	many_begin_tasks(m);
	if (m->usage)
		return true;
	if (m->under_way == 0 && many_began_all(m))
		many_put_samples(m);
	many_show_progress(m);
	return m->under_way == 0 && wq_out_waiting(&m->out) == 0 && many_began_all(m);
}

static int64_t many_wants(const struct wq_work *w, struct pollfd *p, unsigned *n)
{
	const struct wq_many *m = (const struct wq_many *)w;
	int64_t until_us = many_reader_until_us(m);

	*n = 0;
	if (wq_out_waiting(&m->out) > 0) {
		p[*n].fd = m->out.fd;
		p[(*n)++].events = POLLOUT;
	}
	if (m->list_waits) {
		p[*n].fd = m->list.fd;
		p[(*n)++].events = POLLIN;
	}
	if (m->progress.next_us < until_us)
		until_us = m->progress.next_us;
	return until_us;
}

static int many_status(const struct wq_many *m)
{
	if (m->usage)
		return WQ_USAGE;
	if (m->interrupted)
		return 128 + wq_signal();
	if (m->any_failed)
		return WQ_FAILED;
	if (m->any_unmet)
		return WQ_UNMET;
	return m->no_output ? WQ_NO_OUTPUT : WQ_OK;
}

int wq_many(struct wq_options *o)
{
	static struct wq_many m;
	int err;

	m.work.step = many_step;
	m.work.wants = many_wants;
	m.o = o;
	m.list.fd = -1;
	m.list_ended = !o->from;
	wq_out_init_kept(&m.out, 1);
	wq_loop_init(&m.loop);
	if (o->from) {
		err = wq_list_open(&m.list, o->from);
		if (err)
			return wq_print_usage_of(o, "from", o->from, strerror(err));
	}
	many_init_fds(&m);
	wq_progress_init(&m.progress, o);
	many_count(&m);
	wq_loop_run(&m.loop, &m.work);
	wq_err_line("");
	if (m.out.err)
		wq_outfile_spoil();
	if (m.out.err == ETIMEDOUT)
		wq_say(wq_outfile_name(), "its reader did not read the answers in time");
	else if (m.out.err)
		wq_say(wq_outfile_name(), strerror(m.out.err));
	return many_status(&m); /* the system frees all memory */
}
