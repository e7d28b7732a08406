/* SPDX-License-Identifier: ISC
 * freestanding.c - examples/memory.c as a program without libc: it needs only the functions below
 */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
void start(void);

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	return memmove(to, from, n);
}

void *memmove(void *to, const void *from, size_t n)
{
	unsigned char *t = to;
	const unsigned char *f = from;
	size_t i;

	if ((uintptr_t)t < (uintptr_t)f)
		for (i = 0; i < n; i++)
			t[i] = f[i];
	else
		for (i = n; i > 0; i--)
			t[i - 1] = f[i - 1];
	return to;
}

void *memset(void *to, int c, size_t n)
{
	unsigned char *t = to;
	size_t i;

	for (i = 0; i < n; i++)
		t[i] = (unsigned char)c;
	return to;
}

size_t strlen(const char *s)
{
	const volatile char *p = s; /* volatile: or the compiler makes this loop a call of strlen */
	size_t n = 0;

	while (p[n] != '\0')
		n++;
	return n;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *p = a, *q = b;
	size_t i;

	for (i = 0; i < n && p[i] == q[i]; i++)
		;
	return i == n ? 0 : p[i] - q[i];
}

#ifdef PURE_ALONE
void start(void)
{
}
#else
#define MEMORY_NO_MAIN
#include "examples/memory.c"

static void leave(int status)
{
#if defined(__x86_64__) && defined(__linux__)
	__asm__ volatile("syscall"
	                 :
	                 : "a"(231), "D"(status)
	                 : "rcx", "r11", "memory"); /* exit_group */
#else
	(void)status;
#endif
	for (;;)
		;
}

/* Without a clock no deadline can be kept. The library reports that at once, naming the option. */
static int needs_a_clock(struct device *d)
{
	static struct ws_io io;
	struct ws_options opt;
	struct ws_conn *ws;

	io.io_read = io_read;
	io.io_write = io_write;
	memset(&opt, 0, sizeof opt);
	opt.io = &io;
	opt.nonblock = 1;
	opt.alloc = arena_alloc;
	opt.user_data = d;
	ws = ws_new("ws://device/", &opt);
	return ws && ws_open(ws) == WS_EUSAGE && memcmp(ws_report(ws)->option, "now_us", 7) == 0;
}

/* Exit status 0: one server's answer was received, and the silent one led to WS_ETIMEOUT */
void start(void)
{
	static struct device d[3];
	struct program p[2];
	char error[256];

	memset(p, 0, sizeof p);
	d[1].silent = 1;
	leave(memory_run(&d[0], &p[0], error) == 0 && memcmp(p[0].answer, "from memory", 12) == 0
	              && memory_run(&d[1], &p[1], error) == WS_ETIMEOUT && d[1].now_us == 5000000
	              && needs_a_clock(&d[2])
	          ? 0
	          : 1);
}

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n\txorl %ebp, %ebp\n\tandq $-16, %rsp\n\tcall start\n");
#endif
#endif
