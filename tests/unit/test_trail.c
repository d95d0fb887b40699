/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tools/trail.c"

static unsigned packets, ended, freed;

static void *inner_new(void *user, unsigned shard)
{
	(void)shard;
	return user;
}

static void inner_packet(void *shard, struct flow *f, enum dir dir, const struct packet *pkt,
			 const struct headers *h, uint64_t now_ns)
{
	(void)shard, (void)f, (void)dir, (void)pkt, (void)h, (void)now_ns;
	packets++;
}

static void inner_icmp(void *shard, struct flow *f, enum dir dir, const struct packet *pkt,
		       const struct headers *h)
{
	inner_packet(shard, f, dir, pkt, h, 0);
}

static void inner_end(void *shard, struct flow *f, enum flow_end why)
{
	(void)shard, (void)f, (void)why;
	ended++;
}

static void inner_free(void *user, void *shard)
{
	assert_ptr_equal(user, shard);
	freed++;
}

static const struct pipeline_hooks inner = {.user = &packets,
					    .shard_new = inner_new,
					    .on_packet = inner_packet,
					    .on_icmp = inner_icmp,
					    .on_flow_end = inner_end,
					    .shard_free = inner_free};

struct seen {
	unsigned n, stop_at;
	struct {
		uint64_t flow, frame;
		uint32_t file;
	} at[16];
};

static int see(void *user, uint64_t flow, uint32_t file, uint64_t frame)
{
	struct seen *s = user;

	s->at[s->n].flow = flow;
	s->at[s->n].file = file;
	s->at[s->n].frame = frame;
	return ++s->n == s->stop_at ? -EINTR : 0;
}

static void expect(const struct seen *s, unsigned i, uint64_t flow, uint32_t file, uint64_t frame)
{
	assert_int_equal(s->at[i].flow, flow);
	assert_int_equal(s->at[i].file, file);
	assert_int_equal(s->at[i].frame, frame);
}

static void test_every_frame_of_a_packet(void **state)
{
	const uint64_t pieces[] = {7, 3, UINT64_C(1) << 39};
	struct flow young = {.id = 5}, other_file = {.id = (UINT64_C(2) << FRAME_BITS) + 1};
	struct packet outer = {.frame = 900, .file = 1},
		      inside = {.frame = 3, .file = 1, .parent = &outer, .frames = pieces, .n_frames = 3},
		      plain = {.frame = 5};
	struct seen s = {.stop_at = 0};
	struct trail *t;

	(void)state;
	assert_int_equal(trail_new(&t, NULL), 0);
	const struct pipeline_hooks *h = trail_hooks(t, &inner);
	void *a = h->shard_new(h->user, 0), *b = h->shard_new(h->user, FLOW_SHARDS - 1);
	h->on_packet(a, &young, DIR_C2S, &plain, NULL, 0);
	h->on_packet(a, &other_file, DIR_C2S, &inside, NULL, 0);
	h->on_icmp(b, &young, DIR_S2C, &outer, NULL);
	h->on_flow_end(b, &young, FLOW_END_CLOSED);
	h->shard_free(h->user, a);
	h->shard_free(h->user, b);
	assert_int_equal(packets, 3);
	assert_int_equal(ended, 1);
	assert_int_equal(freed, 2);
	assert_true(trail_is_whole(t));
	assert_int_equal(trail_each(t, see, &s), 0);
	assert_int_equal(s.n, 7);
	expect(&s, 0, 5, 0, 5);
	expect(&s, 1, other_file.id, 1, 3);
	for (unsigned i = 0; i < 3; i++)
		expect(&s, 2 + i, other_file.id, 1, pieces[i]);
	expect(&s, 5, other_file.id, 1, 900);
	expect(&s, 6, 5, 1, 900);
	s = (struct seen){.stop_at = 2};
	assert_int_equal(trail_each(t, see, &s), -EINTR);
	assert_int_equal(s.n, 2);
	trail_free(t);
}

struct sum {
	uint64_t n, wrong;
};

static uint64_t frame_of(uint64_t i)
{
	return i * UINT64_C(0x9e3779b97f4a7c15) >> (24 + i % 40);
}

static int check(void *user, uint64_t flow, uint32_t file, uint64_t frame)
{
	struct sum *s = user;

	s->wrong += frame != frame_of(s->n) || flow != frame_of(s->n + 1) || file != s->n % 3;
	s->n++;
	return 0;
}

/* Over the ends of chunks; and no more than is allowed, which is said. */
static void test_bounds(void **state)
{
	struct sum sum = {.n = 0};
	uint64_t n = 0;
	struct trail *t;

	(void)state;
	assert_int_equal(trail_new(&t, NULL), 0);
	const struct pipeline_hooks *h = trail_hooks(t, &inner);
	void *a = h->shard_new(h->user, 1);
	for (; n < 100000; n++) {
		struct flow f = {.id = frame_of(n + 1)};
		h->on_packet(a, &f, DIR_C2S, &(struct packet){.frame = frame_of(n), .file = n % 3},
			     NULL, 0);
	}
	assert_true(trail_is_whole(t));
	assert_int_equal(trail_each(t, check, &sum), 0);
	assert_int_equal(sum.n, n);
	assert_int_equal(sum.wrong, 0);
	for (; trail_is_whole(t); n++) {
		struct flow f = {.id = frame_of(n + 1)};
		h->on_packet(a, &f, DIR_C2S, &(struct packet){.frame = frame_of(n), .file = n % 3},
			     NULL, 0);
	}
	assert_true(t->shard[1].taken <= TRAIL_MAX);
	assert_true(n > TRAIL_MAX / ENTRY_MAX);
	trail_free(t);
	trail_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_frame_of_a_packet),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
