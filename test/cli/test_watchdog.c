/* SPDX-License-Identifier: ISC
 * test_watchdog.c - a library call that never returns: each case is a child process that makes one,
 * and its output
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "test/check.h"
#include "cli/wsquery.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define CAME_BACK 77 /* exit status of a child whose call was not interrupted */

/* Calls that take long */

static void compute(void)
{
	volatile unsigned n = 0;

	for (;;)
		n++;
}

static void use_malloc(void) /* most interruptions happen within malloc */
{
	void *kept[64] = {NULL};
	size_t i;

	for (i = 0;; i++) {
		free(kept[i % 64]);
		kept[i % 64] = malloc(i * 7919 % 100000 + 1);
	}
}

static void use_our_memory(void)
{
	size_t i;

	for (i = 0;; i++) {
		void *p = wq_alloc(NULL, NULL, 0, i % 5000 + 1);

		p = wq_alloc(NULL, p, i % 5000 + 1, i % 90000 + 1);
		wq_alloc(NULL, p, i % 90000 + 1, 0);
	}
}

static void wait_for_ever(void) /* a file that never ends: poll returns EINTR and is called again */
{
	for (;;)
		poll(NULL, 0, -1);
}

static void end_late(void)
{
	int64_t until_us = wq_now_us() + 200000;

	while (wq_now_us() < until_us)
		;
}

static int answer(const struct wq_query *q)
{
	struct wq_out out;

	wq_out_init(&out, 1, q->deadline_us, 0);
	wq_json_answer(&out, q);
	wq_out_end(&out);
	return wq_query_status(q);
}

static const struct watchdog_case {
	const char *name;
	void (*call)(void);
	enum ws_phase
	    phase; /* of the library when the call begins; WS_PHASE_URL: it is ws_new, which has no report yet */
	int timeout_ms, connect_timeout_ms;
	int sig;      /* the signal that arrives before the call; 0: none */
	int alarm_ms; /* an alarm that the parent process has set */
	int status;   /* negative: the signal that kills it */
	const char *says[3];
} cases[] = {
    {"a handshake",
     compute,
     WS_PHASE_TLS,
     10,
     0,
     0,
     0,
     1,
     {"\"reason\": \"timeout\"", "\"phase\": \"tls\"", "127.0.0.1:443"}},
    {"its connect timeout",
     compute,
     WS_PHASE_TLS,
     60000,
     10,
     0,
     0,
     1,
     {"\"reason\": \"timeout\"", "\"phase\": \"tls\""}},
    {"in malloc",
     use_malloc,
     WS_PHASE_TLS,
     10,
     0,
     0,
     0,
     1,
     {"\"reason\": \"timeout\"", "\"phase\": \"tls\""}},
    {"in our memory",
     use_our_memory,
     WS_PHASE_TLS,
     10,
     0,
     0,
     0,
     1,
     {"\"reason\": \"timeout\"", "TLS handshake with"}},
    {"waiting", wait_for_ever, WS_PHASE_TLS, 10, 0, 0, 0, 1, {"\"reason\": \"timeout\""}},
    {"ws_new",
     use_malloc,
     WS_PHASE_URL,
     10,
     0,
     0,
     0,
     1,
     {"\"reason\": \"timeout\"", "\"phase\": \"input\"", "files"}},
    {"SIGTERM",
     compute,
     WS_PHASE_TLS,
     60000,
     0,
     SIGTERM,
     0,
     143,
     {"\"reason\": \"interrupted\"", "SIGTERM", "\"tls\""}},
    {"SIGINT",
     use_malloc,
     WS_PHASE_TLS,
     0,
     0,
     SIGINT,
     0,
     130,
     {"\"reason\": \"interrupted\"", "SIGINT"}},
    {"SIGTERM in ws_new",
     wait_for_ever,
     WS_PHASE_URL,
     0,
     0,
     SIGTERM,
     0,
     143,
     {"\"reason\": \"interrupted\"", "\"input\""}},
    {"in time", end_late, WS_PHASE_TLS, 60000, 0, 0, 0, CAME_BACK, {NULL}},
    {"no limit", end_late, WS_PHASE_TLS, 0, 0, 0, 0, CAME_BACK, {NULL}},
    {"another phase, which looks at the clock",
     end_late,
     WS_PHASE_UPGRADE,
     10,
     0,
     0,
     0,
     CAME_BACK,
     {NULL}},
    {"another's alarm", compute, WS_PHASE_TLS, 60000, 0, 0, 300, -SIGALRM, {NULL}},
    {"another's alarm, without a limit",
     wait_for_ever,
     WS_PHASE_TLS,
     0,
     0,
     0,
     300,
     -SIGALRM,
     {NULL}},
    {"another's alarm, but later",
     compute,
     WS_PHASE_TLS,
     10,
     0,
     0,
     900000,
     1,
     {"\"reason\": \"timeout\""}},
};

static void child(const struct watchdog_case *c, int fd)
{
	static max_align_t arena[4096 / sizeof(max_align_t)];
	static struct wq_options o;
	static struct wq_query q;
	static struct ws_report info;
	struct itimerval other = {{0, 0}, {c->alarm_ms / 1000, c->alarm_ms % 1000 * 1000}};

	dup2(fd, 1);
	wq_process_init();
	wq_memory_init(arena, sizeof arena / sizeof arena[0]);
	wq_watchdog_init(answer);
	setitimer(ITIMER_REAL, &other, NULL);
	o.details = 1;
	o.timeout_ms = c->timeout_ms;
	o.connect_timeout_ms = c->connect_timeout_ms;
	wq_query_begin(&q, &o, "wss://localhost/", 1,
	               c->timeout_ms ? (int64_t)c->timeout_ms * 1000 : WQ_NEVER);
	if (c->phase == WS_PHASE_URL) {
		q.state = WQ_OPTION_INPUT;
	} else {
		q.state = WQ_OPEN;
		info.phase = c->phase;
		info.address = "127.0.0.1:443";
		info.url = info.subprotocol = info.head = info.body = info.tls_version =
		    info.cert_subject = "";
		info.tls_cipher = info.cert_issuer = NULL; /* half written */
		q.info = &info;
	}
	if (c->sig)
		kill(getpid(), c->sig);
	wq_watchdog_start(&q);
	c->call();
	wq_watchdog_stop();
	_exit(CAME_BACK);
}

static void run(const struct watchdog_case *c)
{
	char out[4096] = "";
	size_t len = 0, i;
	ssize_t n;
	int fds[2], status = 0;
	pid_t pid;

	if (!CHECK(pipe(fds) == 0))
		return;
	pid = fork();
	if (pid == 0)
		child(c, fds[1]);
	close(fds[1]);
	while (len < sizeof out - 1 && (n = read(fds[0], out + len, sizeof out - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = 0;
	close(fds[0]);
	if (!CHECK(pid > 0 && waitpid(pid, &status, 0) == pid))
		return;
	status = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
	if (!CHECK(status == c->status)
	    || !CHECK((strchr(out, '\n') != NULL) == (c->says[0] != NULL)))
		fprintf(stderr, "\tstatus %d: %s\n", status, out);
	for (i = 0; i < sizeof c->says / sizeof c->says[0] && c->says[i]; i++)
		if (!CHECK(strstr(out, c->says[i]) != NULL))
			fprintf(stderr, "\tno %s in %s\n", c->says[i], out);
}

static void test_cases(void)
{
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_row("%s", cases[i].name);
		run(&cases[i]);
	}
}

static void test_any_place_of_malloc(void)
{
	const int runs = 20 / check_step(4);
	int i;

	for (i = 0; i < runs; i++)
		run(&cases[2]);
}

int main(void)
{
	TEST(test_cases);
	TEST(test_any_place_of_malloc);
	return check_done();
}
