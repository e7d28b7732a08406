/* SPDX-License-Identifier: ISC
 * test_pings.c - which pongs count, and the shortest, the median and the longest round trip
 */
#include "../../cli/wsquery.h"
#include "../check.h"

#define MANY 2000

static const char id[WQ_PING_ID + 1] = "0123456789abcdef";

static void begin(struct wq_pings *p, size_t n)
{
	CHECK(wq_pings_begin(p, n, id));
	CHECK(p->n == n && p->sent == 0 && p->answered == 0);
}

static void answer(struct wq_pings *p, size_t number, int64_t now_us)
{
	char payload[WQ_PING_LEN];

	wq_pings_payload(p, number, payload);
	wq_pings_take(p, payload, sizeof payload, now_us);
}

static void test_round_trips(void)
{
	/* The round trips in the order in which the pongs arrive, not in that of the pings */
	static const struct {
		const char *name;
		size_t n;
		int64_t took[8], min, median, max;
	} t[] = {
	    {"none", 0, {0}, -1, -1, -1},
	    {"one", 1, {7}, 7, 7, 7},
	    {"two", 2, {4, 9}, 4, 6, 9},
	    {"two, the longer first", 2, {9, 4}, 4, 6, 9},
	    {"three", 3, {30, 10, 20}, 10, 20, 30},
	    {"four", 4, {40, 10, 30, 20}, 10, 25, 40},
	    {"five, one far off", 5, {2, 1, 1000000, 3, 4}, 1, 3, 1000000},
	    {"all the same", 6, {5, 5, 5, 5, 5, 5}, 5, 5, 5},
	    {"0 is a round trip", 3, {0, 0, 8}, 0, 0, 8},
	    {"eight, falling", 8, {8, 7, 6, 5, 4, 3, 2, 1}, 1, 4, 8},
	};
	struct wq_round_trips r;
	struct wq_pings p;
	size_t i, k;

	for (i = 0; i < sizeof t / sizeof t[0]; i++) {
		check_row("%s", t[i].name);
		begin(&p, 9);
		for (k = 0; k < 9; k++)
			wq_pings_sent(&p, 100 + (int64_t)k);
		for (k = 0; k < t[i].n; k++)
			answer(&p, k, 100 + (int64_t)k + t[i].took[k]);
		r = wq_pings_round_trips(&p);
		CHECK(r.min_us == t[i].min && r.median_us == t[i].median && r.max_us == t[i].max);
		CHECK_EQ_U(p.answered, t[i].n);
		wq_pings_free(&p);
	}
}

/* In any order, each round trip belongs to its ping. */
static void test_many(void)
{
	struct wq_round_trips r;
	struct wq_pings p;
	size_t i;

	begin(&p, MANY);
	for (i = 0; i < MANY; i++)
		wq_pings_sent(&p, 1);
	for (i = 0; i < MANY; i++) /* 7 and MANY have no common divisor */
		answer(&p, i * 7 % MANY, 1 + (int64_t)(i * 7 % MANY));
	for (i = 0; i < MANY; i++)
		CHECK(p.took_us[i] == (int64_t)i);
	r = wq_pings_round_trips(&p);
	CHECK(r.min_us == 0 && r.median_us == MANY / 2 - 1 && r.max_us == MANY - 1);
	CHECK_EQ_U(p.answered, MANY);
	wq_pings_free(&p);
}

static void test_payloads(void)
{
	static const struct {
		size_t number;
		const char *want;
	} t[] = {
	    {0, "0123456789abcdef00000000"},
	    {1, "0123456789abcdef00000001"},
	    {31, "0123456789abcdef0000001f"},
	    {WQ_MAX_PINGS, "0123456789abcdef00002710"},
	};
	char payload[WQ_PING_LEN];
	struct wq_pings p;
	size_t i;

	begin(&p, 1);
	for (i = 0; i < sizeof t / sizeof t[0]; i++) {
		check_row("%s", t[i].want);
		wq_pings_payload(&p, t[i].number, payload);
		CHECK_EQ_MEM(payload, sizeof payload, t[i].want, strlen(t[i].want));
	}
	wq_pings_free(&p);
}

/* Three pings of four are sent, and number 1 is answered. */
static void test_what_counts(void)
{
	static const struct {
		const char *payload;
		int counts;
	} t[] = {
	    {"0123456789abcdef00000000", 1},
	    {"0123456789abcdef00000002", 1},
	    {"0123456789abcdef00000001", 0},  /* again */
	    {"0123456789abcdef00000003", 0},  /* not sent yet */
	    {"0123456789abcdef00000004", 0},  /* never sent */
	    {"0123456789abcdefffffffff", 0},  /* the same */
	    {"1123456789abcdef00000000", 0},  /* of another query */
	    {"0123456789abcdef0000000", 0},   /* too short */
	    {"0123456789abcdef000000000", 0}, /* too long */
	    {"0123456789abcdef0000000g", 0},  /* not a number */
	    {"0123456789abcdef-0000000", 0},
	    {"0123456789abcdef       0", 0},
	    {"0123456789ABCDEF00000000", 0}, /* a pong must have the payload unchanged */
	    {"", 0},
	};
	struct wq_pings p;
	size_t i;

	for (i = 0; i < sizeof t / sizeof t[0]; i++) {
		check_row("%s", t[i].payload);
		begin(&p, 4);
		wq_pings_sent(&p, 10);
		wq_pings_sent(&p, 20);
		wq_pings_sent(&p, 30);
		answer(&p, 1, 25);
		wq_pings_take(&p, t[i].payload, strlen(t[i].payload), 100);
		CHECK_EQ_U(p.answered, 1 + (size_t)t[i].counts);
		wq_pings_free(&p);
	}
}

/* The payload's last byte may be NUL, which also ends a table of digits. */
static void test_a_nul_is_no_digit(void)
{
	char payload[WQ_PING_LEN];
	struct wq_pings p;

	begin(&p, 20);
	while (p.sent < 20)
		wq_pings_sent(&p, 1);
	wq_pings_payload(&p, 0, payload);
	payload[WQ_PING_LEN - 1] = '\0';
	wq_pings_take(&p, payload, sizeof payload, 2);
	CHECK_EQ_U(p.answered, 0);
	wq_pings_free(&p);
}

static void test_freed(void)
{
	struct wq_pings p;

	memset(&p, 0, sizeof p);
	wq_pings_free(&p); /* one that was not begun */
	begin(&p, WQ_MAX_PINGS);
	wq_pings_free(&p);
	CHECK(!p.sent_us && p.n == 0);
	wq_pings_free(&p);
}

int main(void)
{
	TEST(test_round_trips);
	TEST(test_many);
	TEST(test_payloads);
	TEST(test_what_counts);
	TEST(test_a_nul_is_no_digit);
	TEST(test_freed);
	return check_done();
}
