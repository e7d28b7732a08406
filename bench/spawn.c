/* SPDX-License-Identifier: ISC
 * spawn.c - runs programs and measures them from outside
 *
 * usage: spawn time RUNS PROGRAM [ARGUMENT]... [-- PROGRAM [ARGUMENT]...]...
 *        The programs by turns; a line for each: least and median wall time in microseconds, how often it failed,
 *        and the least processor time in microseconds.
 *        spawn answer RUNS TEXT PROGRAM [ARGUMENT]... [-- PROGRAM [ARGUMENT]...]...
 *        The same, but the time ends when TEXT appears on a program's standard output; then it is killed. Its standard input
 *        is "hello" and a newline, without an end.
 *        spawn memory PROGRAM [ARGUMENT]...
 *        Its memory at exit, in KiB: anonymous, resident, and the most that was resident.
 * The programs' standard output is discarded.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_PROGRAMS = 16 };

/* When the last program had ended or had printed the text, and the processor time that it took. */
static double ended_us, used_us;

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Waits for the program. Returns its status, or -1. */
static int ended(pid_t pid)
{
	struct rusage used;
	int status;

	if (pid < 0 || wait4(pid, &status, 0, &used) != pid)
		return -1;
	used_us = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6
	          + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
	return status;
}

/* Runs a program to its end. Returns its status. */
static int run_whole(char **argv, const char *unused)
{
	int status;
	pid_t pid = vfork();

	(void)unused;
	if (pid == 0) {
		execv(argv[0], argv);
		_exit(127);
	}
	status = ended(pid);
	ended_us = now_us();
	return status;
}

/* Reads until the text has come. Returns 0, or -1 if the output ends before. */
static int await(int fd, const char *text)
{
	char out[4096];
	size_t len = 0;
	ssize_t n;

	while (len < sizeof out - 1 && (n = read(fd, out + len, sizeof out - 1 - len)) > 0) {
		len += (size_t)n;
		out[len] = '\0';
		if (strstr(out, text))
			return 0;
	}
	return -1;
}

/* Runs a program until it has printed the text. Returns 0, or -1 if it did not. */
static int run_until(char **argv, const char *text)
{
	int in[2], out[2], found;
	pid_t pid;

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		return -1;
	if ((pid = vfork()) == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		execv(argv[0], argv);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	found = -1;
	if (pid > 0 && write(in[1], "hello\n", 6) == 6)
		found = await(out[0], text);
	ended_us = now_us();
	if (pid > 0) {
		kill(pid, SIGKILL);
		ended(pid);
	}
	close(in[1]);
	close(out[0]);
	return found;
}

static int measure_time(int runs, char **argv, int (*run)(char **, const char *), const char *text)
{
	char **program[MAX_PROGRAMS];
	double *us[MAX_PROGRAMS], least_used[MAX_PROGRAMS] = {0};
	int n = 0, i, k, failed[MAX_PROGRAMS] = {0};

	while (*argv && n < MAX_PROGRAMS) {
		us[n] = calloc((size_t)runs, sizeof(double));
		program[n++] = argv;
		while (*argv && strcmp(*argv, "--") != 0)
			argv++;
		if (*argv)
			*argv++ = NULL;
	}
	for (k = 0; k < runs; k++)
		for (i = 0; i < n; i++) {
			double begin = now_us();

			failed[i] += run(program[i], text) != 0;
			us[i][k] = ended_us - begin;
			if (k == 0 || used_us < least_used[i])
				least_used[i] = used_us;
		}
	for (i = 0; i < n; i++) {
		qsort(us[i], (size_t)runs, sizeof(double), compare);
		fprintf(stderr, "%.1f %.1f %d %.1f\n", us[i][0], us[i][runs / 2], failed[i],
		        least_used[i]);
		free(us[i]);
	}
	return 0;
}

static long field(pid_t pid, const char *file, const char *name)
{
	char path[64], line[256];
	FILE *f;
	long v = -1;

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
	if ((f = fopen(path, "r")) == NULL)
		return -1;
	while (v < 0 && fgets(line, sizeof line, f))
		if (strncmp(line, name, strlen(name)) == 0)
			v = atol(line + strlen(name));
	fclose(f);
	return v;
}

static int measure_memory(char **argv)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execv(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return 1;
	ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL));
	ptrace(PTRACE_CONT, pid, NULL, NULL);
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		int sig = WSTOPSIG(status);

		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8)) {
			fprintf(stderr, "%ld %ld %ld\n", field(pid, "smaps_rollup", "Anonymous:"),
			        field(pid, "smaps_rollup", "Rss:"), field(pid, "status", "VmHWM:"));
			sig = 0;
		}
		ptrace(PTRACE_CONT, pid, NULL, (void *)(long)(sig == SIGTRAP ? 0 : sig));
	}
	return !WIFEXITED(status);
}

int main(int argc, char **argv)
{
	int null = open("/dev/null", O_WRONLY);

	if (null < 0)
		return 1;
	dup2(null, 1);
	if (argc > 3 && strcmp(argv[1], "time") == 0)
		return measure_time(atoi(argv[2]), argv + 3, run_whole, NULL);
	if (argc > 4 && strcmp(argv[1], "answer") == 0)
		return measure_time(atoi(argv[2]), argv + 4, run_until, argv[3]);
	if (argc > 2 && strcmp(argv[1], "memory") == 0)
		return measure_memory(argv + 2);
	return 64;
}
