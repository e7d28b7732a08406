/* SPDX-License-Identifier: ISC
 * spawn.c - runs programs and measures them from outside
 *
 * usage: spawn time RUNS PROGRAM [ARGUMENT]... [-- PROGRAM [ARGUMENT]...]...
 *        The programs by turns; a line for each: least and median wall time in microseconds, and how often it failed.
 *        spawn memory PROGRAM [ARGUMENT]...
 *        What it holds at its exit, in KiB: anonymous, resident, and the most that was resident.
 * Standard output of the programs goes nowhere.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_PROGRAMS = 16 };

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

static int measure_time(int runs, char **argv)
{
	char **program[MAX_PROGRAMS];
	double *us[MAX_PROGRAMS];
	int n = 0, i, k, status, failed[MAX_PROGRAMS] = {0};
	pid_t pid;

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

			if ((pid = vfork()) == 0) {
				execv(program[i][0], program[i]);
				_exit(127);
			}
			if (pid < 0 || waitpid(pid, &status, 0) != pid)
				return 1;
			us[i][k] = now_us() - begin;
			failed[i] += status != 0;
		}
	for (i = 0; i < n; i++) {
		qsort(us[i], (size_t)runs, sizeof(double), compare);
		fprintf(stderr, "%.1f %.1f %d\n", us[i][0], us[i][runs / 2], failed[i]);
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
		return measure_time(atoi(argv[2]), argv + 3);
	if (argc > 2 && strcmp(argv[1], "memory") == 0)
		return measure_memory(argv + 2);
	return 64;
}
