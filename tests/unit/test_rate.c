/* SPDX-License-Identifier: BSD-3-Clause */

/* Traces made by a sender and a box in a few lines each: what is said of them, and of innocent ones. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "classifiers/tamper/rate.c"

#define MSS 1448u
#define RTT_NS 100000000ull
#define N 8192

struct path {
	double bucket_bps, bucket_bytes; /* 0: no policer */
	double wait_bytes;               /* that may wait for tokens */
	double queue_bps;                /* 0: no queue */
	unsigned lose_every;             /* at random, one in so many; 0 none */
	double send_bps;                 /* a steady sender */
	unsigned train;                  /* or trains of so many segments a round trip; 0 */
	unsigned small_every, size_over; /* one small segment in so many; what is larger gets lost */
};

static struct rate_segment segs[N];

static uint64_t rnd(uint64_t *s)
{
	*s = *s * 6364136223846793005u + 1442695040888963407u;
	return *s >> 33;
}

/* What is lost is sent again a round trip later, as the next segment due. */
static struct rate_trace drive(const struct path *p, unsigned n)
{
	uint64_t now = 1000 * RTT_NS, start = now, seed = 1, queue_free = 0;
	double tokens = p->bucket_bytes;
	uint64_t filled = now, due_at[64];
	uint32_t next = 0, due_seq[64];
	unsigned due = 0;
	for (unsigned i = 0; i < n; i++) {
		struct rate_segment *s = &segs[i];
		bool small = p->small_every != 0 && i % p->small_every == 0;
		*s = (struct rate_segment){.ts_ns = now, .frame = i + 1,
					   .len = (uint16_t)(small ? 200 : MSS)};
		if (due != 0 && due_at[0] <= now) {
			s->seq = due_seq[0];
			s->bits = RATE_RETX;
			s->len = MSS;
			memmove(due_seq, due_seq + 1, --due * sizeof(*due_seq));
			memmove(due_at, due_at + 1, due * sizeof(*due_at));
		} else {
			s->seq = next;
			next += s->len;
		}
		tokens += p->bucket_bps / 8e9 * (double)(now - filled);
		tokens = tokens > p->bucket_bytes ? p->bucket_bytes : tokens;
		filled = now;
		bool drop = (p->bucket_bps > 0 && tokens + p->wait_bytes < s->len) ||
			    (p->lose_every != 0 && rnd(&seed) % p->lose_every == 0) ||
			    (p->size_over != 0 && s->len > p->size_over && rnd(&seed) % 8 == 0);
		uint64_t delay = RTT_NS;
		if (p->bucket_bps > 0 && tokens < s->len && !drop)
			delay += (uint64_t)((s->len - tokens) * 8e9 / p->bucket_bps);
		if (p->queue_bps > 0) {
			queue_free = queue_free > now ? queue_free : now;
			delay += queue_free - now;
			/* A queue of 300 ms: beyond it the tail is dropped. */
			drop |= queue_free - now > 3 * RTT_NS;
			queue_free += drop ? 0 : (uint64_t)(s->len * 8e9 / p->queue_bps);
		}
		if (drop && due < 64) {
			due_seq[due] = s->seq;
			due_at[due++] = now + 3 * delay / 2;
		}
		tokens -= drop ? 0 : s->len;
		s->ack_us = drop ? RATE_UNACKED : (uint32_t)(delay / 1000);
		bool pause = p->train != 0 && i % p->train == p->train - 1;
		now += p->train == 0 ? (uint64_t)(s->len * 8e9 / p->send_bps) : pause ? RTT_NS : 120000;
	}
	return (struct rate_trace){.seg = segs, .n = n, .start_ns = start, .rtt_us = RTT_NS / 1e3};
}

static struct rate_facts judge_path(const struct path *p, unsigned n)
{
	struct rate_facts out;
	struct rate_trace t = drive(p, n);
	assert_true(rate_judge(&t, &out));
	return out;
}

static void near_to(double is, double wanted, double share)
{
	if (fabs(is / wanted - 1) > share)
		fail_msg("%.0f, and %.0f was wanted", is, wanted);
}

static void a_policer_is_seen(void **state)
{
	static const double rates[] = {150e3, 1e6, 8e6};
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct path p = {.bucket_bps = rates[i], .bucket_bytes = 100000,
				 .send_bps = 1.1 * rates[i]};
		struct rate_facts f = judge_path(&p, 4000);
		assert_int_equal(f.form, RATE_POLICED);
		assert_false(f.bounded);
		near_to(f.rate_bps, rates[i], 0.02);
		assert_true(f.loss > 0.02 && f.loss < 0.3 && f.frame != 0 && !f.gaps);
	}
}

static void a_small_bucket_is_seen(void **state)
{
	struct path p = {.bucket_bps = 1e6, .bucket_bytes = 12000, .train = 13};
	(void)state;
	struct rate_facts f = judge_path(&p, 4000);
	assert_int_equal(f.form, RATE_POLICED);
	assert_true(f.rate_bps > 0 && f.n_lost >= RATE_SAMPLES_MIN);
}

/* The part of a trace from a segment on, as a log has it that began late. */
static struct rate_trace late(struct rate_trace t, unsigned from)
{
	t.seg += from;
	t.n -= from;
	return t;
}

/* Drops to holes, as behind the policer: seen only when later bytes come, in the middle of the gap. */
static void behind_it(struct rate_trace *t)
{
	for (unsigned i = 0; i < t->n; i++) {
		bool lost = (t->seg[i].bits & RATE_LOST) != 0;
		t->seg[i].bits = lost ? RATE_HOLE | RATE_FILLED : t->seg[i].bits & ~RATE_RETX;
		t->seg[i].ack_us = lost ? RATE_UNACKED : 30;
	}
	for (unsigned i = 1, k; i < t->n; i = k + 1) {
		for (k = i; k < t->n && (t->seg[k].bits & RATE_HOLE) != 0; k++)
			continue;
		for (unsigned m = i; m < k && k < t->n; m++)
			t->seg[m].ts_ns = t->seg[i - 1].ts_ns +
					  (t->seg[k].ts_ns - t->seg[i - 1].ts_ns) * (m - i + 1) / (k - i + 1);
	}
}

/* Trains: at the end of each the bucket is empty, and it fills while the sender waits. */
static void a_bucket_is_seen_from_where_it_is_empty(void **state)
{
	static const struct {
		double bps, bytes;
		unsigned train;
	} rows[] = {{500e3, 30000, 6}, {1e6, 30000, 11}, {1e6, 20000, 12}, {3e6, 60000, 28}};
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct path p = {.bucket_bps = rows[i].bps, .bucket_bytes = rows[i].bytes,
				 .train = rows[i].train};
		for (unsigned client = 0; client < 2; client++) {
			struct rate_trace all = drive(&p, 2500);
			struct rate_facts f;
			assert_true(rate_mark(&all));
			struct rate_trace t = late(all, 100);
			if (client)
				behind_it(&t);
			assert_true(rate_judge(&t, &f));
			assert_int_equal(f.form, RATE_POLICED);
			assert_int_equal(f.gaps, client);
			near_to(f.rate_bps, rows[i].bps, 0.05);
			/* By the balance alone, from a goodput that pauses had made less. */
			double rate, size;
			assert_true(rate_balance(&t, 0.8 * rows[i].bps, &rate, &size));
			near_to(rate, rows[i].bps, 0.02);
			assert_true(size <= rows[i].bytes + 2 * MSS);
		}
	}
}

/* A program that has so much to say a second makes up for what was lost: that is no bucket. */
static void a_steady_program_is_no_policer(void **state)
{
	struct path p = {.lose_every = 33, .send_bps = 240e3};
	double rate, size;
	(void)state;
	struct rate_trace t = drive(&p, 1500);
	assert_true(rate_mark(&t));
	assert_false(rate_balance(&t, 233e3, &rate, &size));
	/* What is lost passes in the next segments' place, as out of a program's buffer. */
	for (unsigned i = 0; i + 1 < t.n; i++)
		if ((t.seg[i].bits & RATE_LOST) != 0)
			t.seg[i + 1].len = 2 * MSS;
	assert_false(rate_balance(&t, 240e3, &rate, &size));
}

static void random_loss_is_no_policer(void **state)
{
	(void)state;
	for (unsigned every = 20; every <= 200; every *= 2) {
		struct path steady = {.lose_every = every, .send_bps = 2e6};
		struct path trains = {.lose_every = every, .train = 24};
		assert_int_equal(judge_path(&steady, 6000).form, RATE_NONE);
		assert_int_equal(judge_path(&trains, 6000).form, RATE_NONE);
	}
}

static void a_full_queue_is_no_policer(void **state)
{
	struct path p = {.queue_bps = 1e6, .send_bps = 1.05e6};
	struct rate_trace t = drive(&p, 6000);
	struct rate_facts out = {.form = RATE_NONE};
	(void)state;
	assert_true(rate_mark(&t));
	assert_int_equal(rate_police(&t, 0, &out), POLICER_RTT_INFLATED);
	assert_int_equal(out.form, RATE_NONE);
	/* A log that began when the queue stood never saw a short round trip; the handshake did. */
	struct rate_trace standing = late(t, 1000);
	assert_int_equal(rate_police(&standing, 0, &out), POLICER_RTT_INFLATED);
	standing.rtt_us = 0;
	assert_int_not_equal(rate_police(&standing, 0, &out), POLICER_RTT_INFLATED);
	out.form = RATE_NONE;
	/* That is a rate, held by a queue. */
	struct rate_facts f = judge_path(&p, 6000);
	assert_int_equal(f.form, RATE_SHAPED);
	near_to(f.rate_bps, 1e6, 0.05);
	assert_true(f.inflated_ms > 100);
}

/* As tc's tbf with a limit of two frames: what waits there is delayed, and yet it is a bucket. */
static void a_policer_of_two_frames_is_seen(void **state)
{
	static const double rates[] = {150e3, 500e3};
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct path p = {.bucket_bps = rates[i], .bucket_bytes = 20000, .wait_bytes = 3100,
				 .send_bps = 1.1 * rates[i]};
		struct rate_facts f = judge_path(&p, 1500);
		assert_int_equal(f.form, RATE_POLICED);
		assert_true(f.bounded);
		near_to(f.rate_bps, rates[i], 0.02);
		assert_in_range(f.burst_bytes, 18000, 26000);
		/* A full link's queue holds more. */
		p.wait_bytes = 12000;
		assert_int_not_equal(judge_path(&p, 1500).form, RATE_POLICED);
	}
}

static void slow_rates_are_shaped_too(void **state)
{
	static const double rates[] = {150e3, 400e3};
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct path p = {.queue_bps = rates[i], .send_bps = 1.03 * rates[i]};
		struct rate_facts f = judge_path(&p, 600);
		assert_int_equal(f.form, RATE_SHAPED);
		near_to(f.rate_bps, rates[i], 0.05);
		/* One that paces itself has no queue before it. */
		struct path paced = {.send_bps = rates[i]};
		assert_int_equal(judge_path(&paced, 600).form, RATE_NONE);
		/* Nor has the receiver's timer, that most segments of a slow sender wait for. */
		struct rate_trace t = drive(&paced, 600);
		for (unsigned k = 0; k < t.n; k++)
			t.seg[k].ack_us += k % 8 == 0 ? 0 : i == 0 ? 150000 : 20000;
		assert_true(rate_judge(&t, &f));
		assert_int_equal(f.form, RATE_NONE);
	}
}

/* As captured at the client: when it came, and when its sender's clock says that it was sent. */
static struct rate_facts judge_at_client(const struct path *p, unsigned n, double tick_ms,
					 double drift)
{
	static uint32_t tsval[N];
	struct rate_trace t = drive(p, n);
	struct rate_facts f;
	for (unsigned i = 0; i < t.n; i++) {
		struct rate_segment *s = &t.seg[i];
		double sent_ms = (double)(s->ts_ns - t.start_ns) / 1e6;
		tsval[i] = 0xfffffff0u + (uint32_t)(sent_ms / tick_ms);
		if (s->ack_us == RATE_UNACKED)
			s->bits = RATE_HOLE | RATE_FILLED;
		else
			s->ts_ns += (uint64_t)s->ack_us * 1000 - RTT_NS / 2 +
				    (uint64_t)(sent_ms * 1e6 * drift);
		s->ack_us = s->ack_us == RATE_UNACKED ? RATE_UNACKED : 30;
	}
	t.tsval = tick_ms > 0 ? tsval : NULL;
	t.base_tsval = 0xfffffff0u;
	t.base_ns = t.start_ns + RTT_NS / 2;
	assert_true(rate_judge(&t, &f));
	return f;
}

static void a_queue_shows_behind_it(void **state)
{
	struct path shaped = {.queue_bps = 1e6, .send_bps = 1.03e6};
	struct path slow = {.queue_bps = 150e3, .send_bps = 1.03 * 150e3};
	struct path paced = {.send_bps = 1e6};
	(void)state;
	for (double tick = 1; tick <= 10; tick *= 10) {
		struct rate_facts f = judge_at_client(&shaped, 4000, tick, 0);
		assert_int_equal(f.form, RATE_SHAPED);
		near_to(f.rate_bps, 1e6, 0.05);
		assert_true(f.inflated_ms > 100 && f.inflated_ms < 400);
		f = judge_at_client(&slow, 600, tick, 0);
		assert_int_equal(f.form, RATE_SHAPED);
		near_to(f.rate_bps, 150e3, 0.05);
		assert_int_equal(judge_at_client(&paced, 4000, tick, 0).form, RATE_NONE);
	}
	/* A quarter of an hour between two clocks that part. */
	struct path long_paced = {.send_bps = 100e3};
	assert_int_equal(judge_at_client(&long_paced, 8000, 1, 1e-4).form, RATE_NONE);
	/* Of a clock with another tick nothing is known, and without one at all neither. */
	assert_int_not_equal(judge_at_client(&shaped, 4000, 2, 0).form, RATE_SHAPED);
}

/* Times and stamps are whatever a capture says. */
static void odd_clocks_are_nothing(void **state)
{
	static uint32_t tsval[N];
	struct path p = {.bucket_bps = 1e6, .bucket_bytes = 20000, .send_bps = 1.1e6};
	uint64_t seed = 1;
	(void)state;
	for (unsigned round = 0; round < 8; round++) {
		struct rate_trace t = drive(&p, 1000);
		struct rate_facts f;
		for (unsigned i = 0; i < t.n; i++) {
			bool lost = t.seg[i].ack_us == RATE_UNACKED;
			t.seg[i].bits = lost ? RATE_HOLE | RATE_FILLED : 0;
			tsval[i] = (uint32_t)(round & 1 ? rnd(&seed) : i * 9);
			if ((round & 2) != 0 && rnd(&seed) % 50 == 0)
				t.seg[i].ts_ns = rnd(&seed) << 20;
		}
		t.tsval = tsval;
		t.rtt_us = (round & 4) != 0 ? 1e16 : 1e5;
		t.base_ns = (round & 1) != 0 ? UINT64_MAX : 0;
		assert_true(rate_judge(&t, &f));
		assert_true(f.form == RATE_NONE || f.form == RATE_POLICED || f.form == RATE_BY_SIZE);
		assert_null(t.path_us);
	}
}

static void a_clean_path_is_nothing(void **state)
{
	struct path steady = {.send_bps = 5e6}, trains = {.train = 10};
	(void)state;
	assert_int_equal(judge_path(&steady, 6000).form, RATE_NONE);
	assert_int_equal(judge_path(&trains, 6000).form, RATE_NONE);
}

static void size_is_told_from_rate(void **state)
{
	struct path p = {.send_bps = 1e6, .small_every = 3, .size_over = 1000};
	struct path all = {.send_bps = 1e6, .small_every = 3, .lose_every = 8};
	(void)state;
	struct rate_facts f = judge_path(&p, 3000);
	assert_int_equal(f.form, RATE_BY_SIZE);
	assert_in_range(f.size, 200, 1000);
	assert_int_equal(judge_path(&all, 3000).form, RATE_NONE);
}

static void codes_are_the_published_ones(void **state)
{
	struct path few = {.bucket_bps = 1e6, .bucket_bytes = 100000, .send_bps = 1.1e6};
	struct path late = {.bucket_bps = 8e6, .bucket_bytes = 2500000, .send_bps = 9e6};
	struct rate_facts out = {.form = RATE_NONE};
	(void)state;
	/* 14 losses are one too few. */
	struct rate_trace t = drive(&few, 4000);
	assert_true(rate_mark(&t));
	for (unsigned i = 0, lost = 0; i < t.n; i++) {
		lost += (t.seg[i].bits & RATE_LOST) != 0;
		if (lost == RATE_SAMPLES_MIN) {
			t.n = i;
			break;
		}
	}
	assert_int_equal(rate_police(&t, 0, &out), POLICER_FEW_LOSSES);
	t = drive(&late, N);
	for (unsigned i = 0; i < t.n; i++)
		t.seg[i].bits |= t.seg[i].seq > LATE_BYTES && i % 20 == 0 ? RATE_LOST : 0;
	assert_int_equal(rate_police(&t, 0, &out), POLICER_LATE_LOSS);
	/* A connection that had been slower than its rate before the first loss. */
	t = drive(&few, 4000);
	assert_true(rate_mark(&t));
	t.start_ns -= 100 * RTT_NS;
	assert_int_equal(rate_police(&t, 0, &out), POLICER_NEGATIVE_FILL);
	assert_int_equal(out.form, RATE_NONE);
}

static void holes_stand_for_losses(void **state)
{
	struct path p = {.bucket_bps = 1e6, .bucket_bytes = 100000, .send_bps = 1.1e6};
	struct rate_trace t = drive(&p, 4000);
	struct rate_facts f;
	(void)state;
	assert_true(rate_mark(&t));
	/* As captured behind the policer. */
	behind_it(&t);
	assert_true(rate_judge(&t, &f));
	assert_int_equal(f.form, RATE_POLICED);
	assert_true(f.gaps);
	near_to(f.rate_bps, 1e6, 0.02);
	/* A capture that lacks packets itself cannot say so. */
	t.gap = true;
	assert_true(rate_judge(&t, &f));
	assert_int_equal(f.form, RATE_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policer_is_seen),
		cmocka_unit_test(a_small_bucket_is_seen),
		cmocka_unit_test(a_bucket_is_seen_from_where_it_is_empty),
		cmocka_unit_test(a_steady_program_is_no_policer),
		cmocka_unit_test(random_loss_is_no_policer),
		cmocka_unit_test(a_full_queue_is_no_policer),
		cmocka_unit_test(a_policer_of_two_frames_is_seen),
		cmocka_unit_test(slow_rates_are_shaped_too),
		cmocka_unit_test(a_queue_shows_behind_it),
		cmocka_unit_test(odd_clocks_are_nothing),
		cmocka_unit_test(a_clean_path_is_nothing),
		cmocka_unit_test(size_is_told_from_rate),
		cmocka_unit_test(codes_are_the_published_ones),
		cmocka_unit_test(holes_stand_for_losses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
