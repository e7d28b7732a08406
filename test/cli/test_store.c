/* SPDX-License-Identifier: ISC
 * test_store.c - kept messages come out unchanged, and the store's memory is limited by the
 * messages that wait in it
 */
#include "../../cli/wsquery.h"
#include "../check.h"
#include "../random.h"
#include <stdlib.h>

#define MAX ((size_t)1 << 20)
#define WAITING 64 /* most messages that a test keeps in the store at a time */

static struct wq_store store;
/* The message with this number, which determines its bytes, length and type */
static struct ws_msg message(size_t number, size_t largest)
{
	static unsigned char buf[2000];
	struct ws_msg m;
	size_t i;

	memset(&m, 0, sizeof m);
	m.type = number % 3 ? WS_TEXT : WS_BINARY;
	m.len = number * 7919 % (largest + 1);
	m.data = buf;
	for (i = 0; i < m.len; i++)
		buf[i] = (unsigned char)(number * 31 + i);
	return m;
}

static int is_message(const struct ws_msg *got, size_t number, size_t largest)
{
	struct ws_msg want = message(number, largest);

	return got->type == want.type && got->len == want.len
	       && memcmp(got->data, want.data, want.len) == 0;
}

static void put(size_t number, size_t largest)
{
	struct ws_msg m = message(number, largest);

	CHECK(wq_store_put(&store, &m, MAX) == 0);
}

static void take(size_t number, size_t largest)
{
	struct ws_msg m;

	if (CHECK(wq_store_take(&store, &m)))
		CHECK(is_message(&m, number, largest));
}

/* Looks at all waiting messages without taking any */
static void walk(size_t first, size_t end, size_t largest)
{
	size_t at = store.head;
	struct ws_msg m;

	for (; first < end; first++)
		CHECK(wq_store_next(&store, &at, &m) && is_message(&m, first, largest));
	CHECK(!wq_store_next(&store, &at, &m));
}

/* Puts and takes in any order */
static void test_first_in_first_out(void)
{
	static const size_t sizes[] = {0, 1, 15, 100, 2000};
	size_t i, n, largest, first, end;

	for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		check_row("messages up to %u bytes", (unsigned)sizes[i]);
		largest = sizes[i];
		rng_state = RNG_SEED + i;
		for (n = first = end = 0; n < 3000; n++) {
			if (end - first < WAITING && below(2))
				put(end++, largest);
			else if (first < end)
				take(first++, largest);
			CHECK_EQ_U(store.n, end - first);
			CHECK(store.tail <= store.cap);
			if (n % 50 == 0)
				walk(first, end, largest);
		}
		while (first < end)
			take(first++, largest);
		CHECK(store.n == 0 && store.bytes == 0);
		wq_store_free(&store);
	}
}

/* Compaction: the store, in which some messages always wait, does not grow with the number of
 * messages that pass through it. The bound is twice the most that waits, because a store grows by
 * doubling. */
static void test_memory_is_bounded_by_what_waits(void)
{
	size_t waiting, n, largest_cap = 0;
	struct ws_msg m = message(1, 100);

	for (waiting = 1; waiting <= 10; waiting++) {
		check_row("%u messages waiting", (unsigned)waiting);
		m.len = 100;
		for (n = 0; n < waiting; n++)
			wq_store_put(&store, &m, MAX);
		for (n = largest_cap = 0; n < 10000; n++) {
			struct ws_msg out;

			wq_store_put(&store, &m, MAX);
			wq_store_take(&store, &out);
			if (store.cap > largest_cap)
				largest_cap = store.cap;
		}
		CHECK(largest_cap <= 2 * (waiting + 1) * (100 + 4 * sizeof(size_t)));
		CHECK_EQ_U(store.n, waiting);
		CHECK_EQ_U(store.bytes, 100 * waiting);
		wq_store_free(&store);
	}
}

/* The store grows by doubling, so many messages are not copied again for each new one */
static void test_growth(void)
{
	struct ws_msg m = message(1, 100);
	size_t n, cap = 0, grown = 0;

	for (n = 0; n < 4096; n++) {
		wq_store_put(&store, &m, MAX);
		grown += store.cap != cap;
		cap = store.cap;
		CHECK(store.tail <= store.cap);
	}
	CHECK(grown <= 14);
	wq_store_free(&store);
}

/* Compaction moves exactly the waiting messages: the bytes are the same before and after, for every
 * position of the head */
static void test_compaction_keeps_the_bytes(void)
{
	size_t kept, taken, i, end;

	for (kept = 1; kept < 12; kept++) {
		for (taken = 1; taken < 12; taken++) {
			size_t cap;

			check_row("%u taken, %u kept", (unsigned)taken, (unsigned)kept);
			for (i = 0; i < taken + kept; i++)
				put(i, 50);
			for (i = 0; i < taken; i++)
				take(i, 50);
			cap = store.cap;
			for (i = taken + kept; store.cap == cap && i < 200; i++) {
				put(i, 50); /* until the store, once compacted, has to grow */
				walk(taken, i + 1, 50);
			}
			CHECK(i < 200);
			end = i;
			for (i = taken; i < end; i++)
				take(i, 50);
			CHECK(store.n == 0);
			wq_store_free(&store);
		}
	}
}

static void test_limits(void)
{
	struct ws_msg m = message(1, 100), out;
	size_t n;

	m.len = 10;
	CHECK_EQ_U(wq_store_put(&store, &m, 10), 0); /* this reaches the limit */
	m.len = 0;
	CHECK_EQ_U(wq_store_put(&store, &m, 10), 0);
	m.len = 1;
	CHECK(wq_store_put(&store, &m, 10) == WS_ETOOBIG);
	CHECK(wq_store_take(&store, &out) && out.len == 10);
	CHECK_EQ_U(wq_store_put(&store, &m, 10), 0); /* a message that was taken does not count */
	m.len = 11;
	CHECK(wq_store_put(&store, &m, 10) == WS_ETOOBIG);
	m.len = SIZE_MAX;
	CHECK(wq_store_put(&store, &m, 10) == WS_ETOOBIG);
	CHECK_EQ_U(store.n, 2);
	wq_store_clear(&store);
	CHECK(store.n == 0 && store.bytes == 0 && !wq_store_take(&store, &out));
	m.len = 10;
	CHECK_EQ_U(wq_store_put(&store, &m, 10), 0);
	wq_store_free(&store);

	m.len = 0; /* the limit of messages: WQ_MAX_KEPT, or the limit of bytes if that is more */
	for (n = 0; n < WQ_MAX_KEPT && wq_store_put(&store, &m, 10) == 0; n++)
		;
	CHECK_EQ_U(n, WQ_MAX_KEPT);
	CHECK(wq_store_put(&store, &m, 10) == WS_ETOOBIG);
	CHECK_EQ_U(wq_store_put(&store, &m, WQ_MAX_KEPT + 1), 0);
	CHECK(wq_store_put(&store, &m, WQ_MAX_KEPT + 1) == WS_ETOOBIG);
	wq_store_free(&store);
	CHECK(store.p == NULL && store.n == 0);
}

/* This test comes last, because memory is short from here on. Kept messages stay. */
static void test_no_memory(void)
{
	struct ws_msg m = message(1, 2000);
	size_t n;

	wq_memory_use_reserve();
	for (n = 0; n < 100; n++) {
		m = message(n, 2000);
		if (wq_store_put(&store, &m, MAX) != 0)
			break;
	}
	CHECK(n > 1 && n < 100);
	CHECK(wq_store_put(&store, &m, MAX) == WS_EMEMORY);
	walk(0, n, 2000);
	CHECK_EQ_U(store.n, n);
}

int main(void)
{
	static max_align_t arena[1];

	wq_memory_init(arena, 0); /* blocks of malloc, so that a sanitizer watches them */
	TEST(test_first_in_first_out);
	TEST(test_memory_is_bounded_by_what_waits);
	TEST(test_growth);
	TEST(test_compaction_keeps_the_bytes);
	TEST(test_limits);
	TEST(test_no_memory);
	return check_done();
}
