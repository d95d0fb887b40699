/* SPDX-License-Identifier: BSD-3-Clause */

/* Queues that show their packets late become one sequence by time. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/pipeline_merge.c"

#define QUEUES 3
#define ROWS   2000
#define MS     1000000ULL

/* Source: each queue shows n of its packets, those up to shown. */
struct source {
	struct queue {
		uint64_t ts[ROWS];
		unsigned n, shown, next, released;
		int end;
	} queue[QUEUES];
	uint64_t late_ns, now_ns;
};

uint64_t source_now(struct source *s)
{
	return s->now_ns;
}

uint64_t source_late_ns(const struct source *s)
{
	return s->late_ns;
}

int source_recv(struct source *s, unsigned q, struct packet pkts[], unsigned max)
{
	struct queue *from = &s->queue[q];
	unsigned n = 0;

	assert_true(from->next <= from->shown && from->shown <= from->n);
	for (; n < max && from->next < from->shown; n++, from->next++)
		pkts[n] = (struct packet){.ts_ns = from->ts[from->next], .caplen = 10, .cookie = from->next,
					  .iface = q};
	return n != 0 || from->next < from->n ? (int)n : from->end;
}

void source_release(struct source *s, unsigned q, const struct packet pkts[], unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(pkts[i].iface, q);
	s->queue[q].released += n;
}

/* Merging, and what came out so far */

static struct source src;
static struct merge *m;
static uint64_t last_ns, seen;
static unsigned next_of[QUEUES];

static void begin(uint64_t late_ns)
{
	src.late_ns = late_ns;
	src.now_ns = 1u << 30;
	assert_int_equal(merge_new(&m, &src, QUEUES, 16), 0);
	memset(next_of, 0, sizeof(next_of));
	last_ns = seen = 0;
}

static int take(unsigned max)
{
	struct packet pkts[64];
	struct work work[64];
	int n = merge_recv(m, pkts, work, max);

	for (int i = 0; i < n; i++, seen++) {
		assert_true(pkts[i].ts_ns >= last_ns);
		assert_int_equal(work[i].queue, pkts[i].iface);
		assert_int_equal(pkts[i].cookie, next_of[work[i].queue]++);
		last_ns = pkts[i].ts_ns;
	}
	return n;
}

/* All that there are at once, so many at a time; *last: what the call behind the last packet returned. */
static unsigned take_all(unsigned at_once, int *last)
{
	unsigned n = 0;

	while ((*last = take(at_once)) > 0)
		n += (unsigned)*last;
	return n;
}

static uint64_t end(void)
{
	uint64_t packets, bytes;

	merge_free(m, &packets, &bytes);
	assert_int_equal(bytes, packets * 10);
	return packets;
}

static void queue_of(unsigned q, unsigned n, ...)
{
	va_list times;

	src.queue[q] = (struct queue){.n = n, .end = SOURCE_EOF};
	va_start(times, n);
	for (unsigned i = 0; i < n; i++)
		src.queue[q].ts[i] = (uint64_t)va_arg(times, int);
	va_end(times);
}

/* Two queues have nothing and go on, the third a packet a nanosecond. */
static void one_of_three(unsigned n, unsigned shown, uint64_t from_ns)
{
	src.queue[0] = src.queue[1] = (struct queue){.n = 0};
	src.queue[2] = (struct queue){.n = n, .shown = shown};
	for (unsigned i = 0; i < n; i++)
		src.queue[2].ts[i] = from_ns + i;
}

static void whatever_shows_when(void **state)
{
	uint32_t x = 1;
	unsigned done = 0;
	(void)state;
	for (unsigned q = 0; q < QUEUES; q++) {
		src.queue[q] = (struct queue){.n = ROWS / (q + 1), .end = SOURCE_EOF};
		for (unsigned i = 0; i < src.queue[q].n; i++) {
			x = x * 1664525 + 1013904223;
			src.queue[q].ts[i] = (i != 0 ? src.queue[q].ts[i - 1] : 0) + (x >> 24) * (q + 1);
		}
	}
	begin(UINT64_MAX / 2);
	for (int n = 0; n != SOURCE_EOF; done++) {
		for (unsigned q = 0; q < QUEUES; q++) {
			x = x * 1664525 + 1013904223;
			unsigned more = src.queue[q].shown + (x >> 29) * (x >> 27);
			src.queue[q].shown = more < src.queue[q].n ? more : src.queue[q].n;
		}
		n = take(1 + done % 64);
		assert_true(n >= 0 || n == SOURCE_EOF);
	}
	assert_int_equal(seen, ROWS + ROWS / 2 + ROWS / 3);
	assert_int_equal(end(), 0);
}

static void a_quiet_queue_is_waited_for(void **state)
{
	(void)state;
	queue_of(0, 2, 100, 300);
	queue_of(1, 1, 200);
	queue_of(2, 0);
	begin(UINT64_MAX / 2);
	src.queue[0].shown = 2;
	assert_int_equal(take(64), 0);
	src.queue[1].shown = 1;
	assert_int_equal(take(64), 3);
	assert_int_equal(last_ns, 300);
	assert_int_equal(take(64), SOURCE_EOF);
	assert_int_equal(end(), 0);
}

static void but_not_for_ever(void **state)
{
	(void)state;
	queue_of(0, 1, 100);
	queue_of(1, 1, 50);
	queue_of(2, 0);
	begin(1000);
	src.now_ns = 1099;
	src.queue[0].shown = 1;
	assert_int_equal(take(64), 0);
	src.now_ns = 1100;
	assert_int_equal(take(64), 1);
	/* Later than the source said: it comes all the same. */
	src.queue[1].shown = 1;
	last_ns = 0;
	assert_int_equal(take(64), 1);
	assert_int_equal(end(), 0);
}

/* As many as there are at once, however few a batch holds. */
static void a_backlog_beside_a_quiet_queue(void **state)
{
	(void)state;
	one_of_three(500, 500, 0);
	begin(1000);
	src.now_ns = 1399;
	int got;
	assert_int_equal(take_all(64, &got), 400);
	assert_int_equal(end(), 16);
}

/* Packets of tomorrow are waited for no longer than others. */
static void somebody_sets_the_clock(void **state)
{
	(void)state;
	one_of_three(300, 200, 86400 * 1000 * MS);
	begin(1000);
	src.now_ns = 200;
	assert_int_equal(take(64), 0);
	src.now_ns = 5000;
	int got;
	assert_int_equal(take_all(64, &got), 200);
	end();
}

static void an_error_comes_behind_what_came_before(void **state)
{
	(void)state;
	queue_of(0, 2, 100, 300);
	queue_of(1, 1, 200);
	queue_of(2, 1, 400);
	src.queue[1].end = -ENETDOWN;
	begin(UINT64_MAX / 2);
	src.queue[0].shown = 2;
	src.queue[1].shown = 1;
	assert_int_equal(take(64), 0);
	src.queue[2].shown = 1;
	int got;
	assert_int_equal(take_all(1, &got), 4);
	assert_int_equal(got, -ENETDOWN);
	assert_int_equal(end(), 0);
}

static void what_nobody_wants_goes_back(void **state)
{
	(void)state;
	queue_of(0, 3, 100, 300, 500);
	queue_of(1, 1, 200);
	queue_of(2, 1, 400);
	for (unsigned q = 0; q < QUEUES; q++)
		src.queue[q].shown = src.queue[q].n;
	begin(UINT64_MAX / 2);
	assert_int_equal(take(2), 2);
	assert_int_equal(end(), 3);
	assert_int_equal(src.queue[0].released, 2);
	assert_int_equal(src.queue[1].released, 0);
	assert_int_equal(src.queue[2].released, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_shows_when), cmocka_unit_test(a_quiet_queue_is_waited_for),
		cmocka_unit_test(but_not_for_ever), cmocka_unit_test(a_backlog_beside_a_quiet_queue),
		cmocka_unit_test(somebody_sets_the_clock),
		cmocka_unit_test(an_error_comes_behind_what_came_before),
		cmocka_unit_test(what_nobody_wants_goes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
