/* SPDX-License-Identifier: ISC
 * fake.h - everything that a connection takes from its caller, scripted for the tests
 *
 * The transport's peer follows a script. The clock moves only when the client waits. The entropy is
 * known. The allocator counts, moves every block that grows, and fails when a test says so.
 */
#ifndef FAKE_H
#define FAKE_H
#include "../ws.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAKE_KEY "dGhlIHNhbXBsZSBub25jZQ==" /* RFC 6455 1.3, from fake_nonce */
#define FAKE_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define FAKE_101_OF(lines)                                                                         \
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "                   \
	"Upgrade\r\nSec-WebSocket-Accept: " FAKE_ACCEPT "\r\n" lines "\r\n"
#define FAKE_101 FAKE_101_OF("")
#define FAKE_FOREVER ((int64_t)3600 * 1000000)

static const char fake_nonce[17] = "the sample nonce";

struct fake {
	/* What the peer sends. Bytes arrive while the client waits: `split` bytes first (0:
	 * `step`), then `step` bytes at a time (0: all), `gap_us` apart. Then comes `end`: 0 for
	 * silence, or WS_IO_EOF, WS_IO_RESET, WS_IO_ERROR. */
	const unsigned char *in;
	size_t in_len, split, step;
	int64_t gap_us;
	int end;
	/* loop > 0: in[loop_from..in_len) is repeated `loop` times */
	size_t loop, loop_from;
	/* Most bytes that one io_read gives; 0: no limit */
	size_t read_max;

	/* How the peer reads: it takes `room` bytes at once. When the client waits to write, it
	 * takes `drain` more after `drain_us`. */
	size_t room, drain, write_max;
	int64_t drain_us;
	/* The connection is reset after this many bytes were sent; 0: never */
	size_t deaf_after;

	/* > 0: io_wait returns after this time, as if a signal had interrupted it */
	int64_t wake_us;
	/* Time that passes when the clock is read, when io_read gives bytes, and when io_write takes
	 * some */
	int64_t tick_us;
	int64_t read_us;
	int64_t write_us;

	/* 16 bytes that the entropy source repeats; NULL: pseudo-random bytes */
	const char *nonce;
	/* The first `entropy_late` calls say "not yet" */
	int entropy_late;
	/* The entropy source fails after this many calls; < 0: never */
	int entropy_calls_left;

	/* The call of an io_ function with this number, from 1 on, returns io_fail; 0: none does */
	unsigned long io_fail_at;
	int io_fail;
	/* The allocation with this number, from 1 on, fails, and with alloc_fail_on all later ones
	 * too; 0: none does */
	unsigned long alloc_fail_at;
	int alloc_fail_on;
	/* Most bytes allocated at a time; 0: no limit */
	size_t alloc_limit;
	/* Count what the client sends, but do not keep it */
	int discard;

	/* Results: what the client sent */
	unsigned char *out;
	size_t out_len, out_cap;
	/* Bytes of `in` that were read, and that have arrived */
	size_t pos, come;
	/* The clock; when bytes last arrived; since when the peer has had no room, 0 if it has */
	int64_t now, last_us, full_us;
	unsigned long reads, writes, waits, ios, closes, allocs, failed_allocs, entropy_calls,
	    traces;
	size_t alive, blocks, peak;
	/* The client waited for something that never happens */
	int hung;
	/* The client broke a rule of the interface */
	int wrong;
	int broken, spurious;
	/* What io_write did not take; the next io_write must begin with it */
	unsigned char *retry;
	size_t retry_len;
	uint64_t random;
};

static inline void fake_init(struct fake *f, const void *in, size_t in_len)
{
	memset(f, 0, sizeof *f);
	f->in = in;
	f->in_len = in_len;
	f->room = SIZE_MAX;
	f->drain = SIZE_MAX;
	f->nonce = fake_nonce;
	f->entropy_calls_left = -1;
	f->now = 1000000;
	f->random = 88172645463325252u;
}

static inline void fake_free(struct fake *f)
{
	free(f->out);
	free(f->retry);
	f->out = f->retry = NULL;
}

static inline void fake_wrong(struct fake *f, const char *what)
{
	if (!f->wrong)
		fprintf(stderr, "fake: %s\n", what);
	f->wrong = 1;
}

/* Counts a call of the transport. 1: it fails, with *n */
static inline int fake_fails(struct fake *f, ptrdiff_t *n)
{
	if (++f->ios > 20000000) {
		fprintf(stderr, "fake: endless loop\n");
		abort();
	}
	if (f->ios == f->io_fail_at) {
		*n = f->io_fail;
		if (f->io_fail < WS_IO_WRITE)
			f->broken = f->io_fail;
		else
			f->spurious =
			    1; /* the wakeup was spurious: the next wait returns at once */
		return 1;
	}
	return 0;
}

static inline void fake_arrive(struct fake *f)
{
	size_t n = f->come == 0 && f->split ? f->split : f->step;

	if (n == 0 || n > f->in_len - f->come)
		n = f->in_len - f->come;
	f->come += n;
	f->last_us = f->now;
}

static inline ptrdiff_t fake_read(void *io, void *buf, size_t len)
{
	struct fake *f = io;
	ptrdiff_t r;
	size_t n;

	f->reads++;
	if (len == 0)
		fake_wrong(f, "io_read of 0 bytes");
	if (fake_fails(f, &r))
		return r;
	if (f->broken)
		return f->broken;
	if (f->pos == f->come && f->come == f->in_len && f->loop) {
		f->loop--;
		f->pos = f->loop_from;
	}
	n = f->come - f->pos;
	if (n == 0)
		return f->come == f->in_len && f->end ? f->end : WS_IO_READ;
	if (n > len)
		n = len;
	if (f->read_max && n > f->read_max)
		n = f->read_max;
	memcpy(buf, f->in + f->pos, n);
	f->pos += n;
	f->now += f->read_us;
	return (ptrdiff_t)n;
}

static inline ptrdiff_t fake_refuse(struct fake *f, const void *buf, size_t len, ptrdiff_t r)
{
	free(f->retry);
	f->retry = malloc(len);
	f->retry_len = len;
	if (!f->retry)
		abort();
	memcpy(f->retry, buf, len);
	return r;
}

static inline ptrdiff_t fake_write(void *io, const void *buf, size_t len)
{
	struct fake *f = io;
	ptrdiff_t r;

	f->writes++;
	if (len == 0)
		fake_wrong(f, "io_write of 0 bytes");
	if (f->retry && (len < f->retry_len || memcmp(buf, f->retry, f->retry_len) != 0))
		fake_wrong(f, "io_write again, of other bytes");
	free(f->retry);
	f->retry = NULL;
	if (fake_fails(f, &r))
		return r == WS_IO_READ || r == WS_IO_WRITE ? fake_refuse(f, buf, len, r) : r;
	if (f->broken)
		return f->broken == WS_IO_EOF ? WS_IO_RESET : f->broken;
	if (f->deaf_after && f->out_len >= f->deaf_after)
		return WS_IO_RESET;
	if (f->room == 0) {
		if (f->full_us == 0)
			f->full_us = f->now;
		return fake_refuse(f, buf, len, WS_IO_WRITE);
	}
	f->full_us = 0;
	f->now += f->write_us;
	if (len > f->room)
		len = f->room;
	if (f->write_max && len > f->write_max)
		len = f->write_max;
	if (f->room != SIZE_MAX)
		f->room -= len;
	if (!f->discard) {
		if (f->out_cap < f->out_len + len) {
			f->out_cap = 2 * (f->out_len + len);
			f->out = realloc(f->out, f->out_cap);
			if (!f->out)
				abort();
		}
		memcpy(f->out + f->out_len, buf, len);
	}
	f->out_len += len;
	return (ptrdiff_t)len;
}

static inline int fake_wait(void *io, int events, int timeout_ms)
{
	struct fake *f = io;
	int64_t until = timeout_ms < 0 ? INT64_MAX : f->now + (int64_t)timeout_ms * 1000,
	        in = INT64_MAX, out = INT64_MAX;
	ptrdiff_t r;

	f->waits++;
	if (timeout_ms < -1 || (events & ~(WS_POLL_READ | WS_POLL_WRITE)))
		fake_wrong(f, "io_wait with wrong arguments");
	if (fake_fails(f, &r))
		return r == WS_IO_READ || r == WS_IO_WRITE ? 0 : -1;
	if (f->spurious) {
		f->spurious = 0;
		return 1;
	}
	if ((events & WS_POLL_READ)
	    && (f->broken || f->pos < f->come || (f->come == f->in_len && (f->end || f->loop))))
		return 1;
	if ((events & WS_POLL_WRITE)
	    && (f->room || f->broken || (f->deaf_after && f->out_len >= f->deaf_after)))
		return 1;
	if (f->wake_us && f->now + f->wake_us < until)
		until = f->now + f->wake_us;
	if ((events & WS_POLL_READ) && f->come < f->in_len)
		in = f->last_us + f->gap_us > f->now ? f->last_us + f->gap_us : f->now;
	if ((events & WS_POLL_READ) && f->come == f->in_len && f->end)
		in = f->now;
	if ((events & WS_POLL_WRITE) && f->drain)
		out = (f->full_us ? f->full_us : f->now) + f->drain_us;
	if (out < f->now)
		out = f->now;
	if (in <= out && in <= until && in != INT64_MAX) {
		f->now = in;
		if (f->come < f->in_len)
			fake_arrive(f);
		return 1;
	}
	if (out <= until && out != INT64_MAX) {
		f->now = out;
		f->room = f->drain;
		f->full_us = 0;
		return 1;
	}
	if (until == INT64_MAX) {
		if (!f->hung)
			fprintf(stderr, "fake: it waits for ever\n");
		f->hung = 1;
		return -1;
	}
	f->now = until;
	return 0;
}

static inline void fake_close(void *io)
{
	struct fake *f = io;

	f->closes++;
}

static inline int64_t fake_now(void *user_data)
{
	struct fake *f = user_data;

	f->now += f->tick_us;
	return f->now;
}

static inline int fake_entropy(void *user_data, void *buf, size_t len)
{
	struct fake *f = user_data;
	unsigned char *p = buf;
	size_t i;

	f->entropy_calls++;
	if (f->entropy_late > 0) {
		f->entropy_late--;
		return 1;
	}
	if (f->entropy_calls_left == 0)
		return -1;
	if (f->entropy_calls_left > 0)
		f->entropy_calls_left--;
	for (i = 0; i < len; i++) {
		f->random ^= f->random << 13;
		f->random ^= f->random >> 7;
		f->random ^= f->random << 17;
		p[i] = (unsigned char)(f->nonce ? f->nonce[i % 16] : (char)(f->random >> 32));
	}
	return 0;
}

/* Each block is preceded by its length, which shows a wrong old_len; each block moves when it grows
 */
#define FAKE_MAGIC 0x57a7e5u
struct fake_block {
	size_t len;
	size_t magic;
#if SIZE_MAX < UINT64_MAX
	size_t pad[2];
#endif
};

static inline void *fake_alloc(void *user_data, void *ptr, size_t old_len, size_t new_len)
{
	struct fake *f = user_data;
	struct fake_block *old = NULL, *b;

	if (ptr) {
		old = (struct fake_block *)ptr - 1;
		if (old->magic != FAKE_MAGIC || old->len != old_len)
			fake_wrong(f, "alloc: old_len is not the block's");
	} else if (old_len || new_len == 0) {
		fake_wrong(f, "alloc: a length without a block");
	}
	if (new_len) {
		f->allocs++;
		if ((f->alloc_fail_at
		     && (f->allocs == f->alloc_fail_at
		         || (f->alloc_fail_on && f->allocs > f->alloc_fail_at)))
		    || (f->alloc_limit && f->alive - old_len + new_len > f->alloc_limit)) {
			f->failed_allocs++;
			return NULL;
		}
		b = malloc(sizeof *b + new_len);
		if (!b)
			abort();
		b->len = new_len;
		b->magic = FAKE_MAGIC;
		memset(b + 1, 0xa5, new_len);
		f->alive += new_len;
		f->blocks++;
		if (f->alive > f->peak)
			f->peak = f->alive;
		if (old)
			memcpy(b + 1, old + 1, old_len < new_len ? old_len : new_len);
	} else {
		b = NULL;
	}
	if (old) {
		f->alive -= old->len;
		f->blocks--;
		old->magic = 0;
		memset(old + 1, 0x5a, old->len);
		free(old);
	}
	return b ? b + 1 : NULL;
}

static inline void fake_options(struct fake *f, struct ws_options *o, struct ws_io *io)
{
	memset(o, 0, sizeof *o);
	memset(io, 0, sizeof *io);
	io->io_read = fake_read;
	io->io_write = fake_write;
	io->io_wait = fake_wait;
	io->io_close = fake_close;
	io->io = f;
	o->io = io;
	o->alloc = fake_alloc;
	o->now_us = fake_now;
	o->entropy = fake_entropy;
	o->user_data = f;
	o->send_buffer = 4096; /* it does not grow then */
}

/* What a program with its own loop does after WS_AGAIN */
static inline void fake_poll(struct fake *f, const struct ws_conn *ws)
{
	struct ws_pollset set;
	int i, events = 0;

	ws_wants(ws, &set);
	for (i = 0; i < set.n; i++) {
		events |= set.fd[i].events;
		if (set.fd[i].fd != -1)
			fake_wrong(f, "ws_wants has a descriptor");
	}
	fake_wait(f, events, set.timeout_ms);
}

/* Unmasks the next frame that the client sent. 1: sets *payload, *len, *b0 and key; 0: there is no
 * complete frame */
static inline int fake_frame(struct fake *f, size_t *at, unsigned *b0, unsigned char **payload,
                             size_t *len, unsigned char key[4])
{
	unsigned char *p = f->out + *at;
	size_t have = f->out_len - *at, head = 2, i;
	uint64_t n;

	if (have < 2)
		return 0;
	n = p[1] & 0x7f;
	if (n >= 126) {
		size_t more = n == 126 ? 2 : 8;

		head += more;
		if (have < head)
			return 0;
		for (n = 0, i = 2; i < head; i++)
			n = n << 8 | p[i];
		if (n < (more == 2 ? 126u : 65536u) || n >> 63)
			fake_wrong(f, "the client's length is not minimal");
	}
	if (!(p[1] & 0x80))
		fake_wrong(f, "the client's frame is not masked");
	if (have < head + 4 || have - head - 4 < n)
		return 0;
	memcpy(key, p + head, 4);
	head += 4;
	for (i = 0; i < n; i++)
		p[head + i] ^= key[i % 4];
	*b0 = p[0];
	*payload = p + head;
	*len = (size_t)n;
	*at += head + (size_t)n;
	return 1;
}

/* Where the client's request ends in `out`; 0: it is incomplete */
static inline size_t fake_request_end(const struct fake *f)
{
	size_t i;

	for (i = 4; i <= f->out_len; i++)
		if (memcmp(f->out + i - 4, "\r\n\r\n", 4) == 0)
			return i;
	return 0;
}

/* A script under construction */
struct script {
	unsigned char *p;
	size_t len, cap;
};

static inline void script_put(struct script *s, const void *p, size_t len)
{
	if (s->cap < s->len + len) {
		s->cap = 2 * (s->len + len);
		s->p = realloc(s->p, s->cap);
		if (!s->p)
			abort();
	}
	if (len)
		memcpy(s->p + s->len, p, len);
	s->len += len;
}

static inline void script_str(struct script *s, const char *text)
{
	script_put(s, text, strlen(text));
}

static inline void script_byte(struct script *s, unsigned c)
{
	unsigned char b = (unsigned char)c;

	script_put(s, &b, 1);
}

/* Adds a server's frame. Without a payload it has len bytes that count up */
static inline void script_frame(struct script *s, unsigned b0, const void *payload, size_t len)
{
	unsigned k, more;
	size_t i;

	script_byte(s, b0);
	if (len < 126) {
		script_byte(s, (unsigned)len);
		more = 0;
	} else if (len < 65536) {
		script_byte(s, 126);
		more = 2;
	} else {
		script_byte(s, 127);
		more = 8;
	}
	for (k = more; k > 0; k--)
		script_byte(s, (unsigned)((uint64_t)len >> 8 * (k - 1)) & 0xff);
	if (payload)
		script_put(s, payload, len);
	else
		for (i = 0; i < len; i++)
			script_byte(s, (unsigned)(i * 7 + i / 256) & 0x7f);
}

static inline void script_free(struct script *s)
{
	free(s->p);
	memset(s, 0, sizeof *s);
}
#endif
