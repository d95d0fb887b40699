/* SPDX-License-Identifier: BSD-3-Clause */

#include "dataplane/reassembly.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define STREAM 20000 /* longer than the limit */

/* What the reassembler must hold, byte by byte. */
struct model {
	bool known[REASSEMBLY_LIMIT];
	uint8_t byte[REASSEMBLY_LIMIT];
};

static uint32_t random_state;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 1664525U + 1013904223U;
	return (uint32_t)((uint64_t)random_state * n >> 32);
}

static unsigned model_islands(const struct model *m, uint32_t *contiguous)
{
	unsigned n = 0;
	uint32_t i = 0;
	while (i < REASSEMBLY_LIMIT && m->known[i])
		i++;
	*contiguous = i;
	for (; i < REASSEMBLY_LIMIT; i++)
		n += m->known[i] && !m->known[i - 1];
	return n;
}

/* Returns whether the segment was left out for having made one island too many. */
static bool model_add(struct model *m, int64_t offset, const uint8_t *data, uint32_t len,
		      struct reassembly_conflict *conflict)
{
	uint32_t contiguous;
	int64_t from = offset < 0 ? 0 : offset;
	int64_t to = offset + len < REASSEMBLY_LIMIT ? offset + len : REASSEMBLY_LIMIT;
	bool touches = from == 0;
	*conflict = (struct reassembly_conflict){.found = false};
	if (to <= from)
		return false;
	for (int64_t i = from > 0 ? from - 1 : 0; i < to + 1 && i < REASSEMBLY_LIMIT; i++)
		touches = touches || m->known[i];
	if (!touches && model_islands(m, &contiguous) == REASSEMBLY_RANGES)
		return true;
	for (int64_t i = from; i < to; i++) {
		uint8_t got = data[i - offset];
		if (!m->known[i]) {
			m->known[i] = true;
			m->byte[i] = got;
		} else if (m->byte[i] != got && !conflict->found) {
			*conflict = (struct reassembly_conflict){.found = true, .had = m->byte[i],
								 .got = got, .offset = (uint32_t)i};
		}
	}
	return false;
}

static void check(const struct reassembly *r, const struct model *m)
{
	uint32_t contiguous, len;
	unsigned islands = model_islands(m, &contiguous);
	const uint8_t *data = reassembly_data(r, &len);
	assert_int_equal(len, contiguous);
	assert_int_equal(r->n_ranges, islands);
	if (len > 0)
		assert_memory_equal(data, m->byte, len);
	else
		assert_null(data);
	uint32_t last = contiguous;
	for (unsigned i = 0; i < r->n_ranges; i++) {
		assert_true(r->ranges[i].from > last && r->ranges[i].to > r->ranges[i].from);
		last = r->ranges[i].to;
		for (uint32_t j = r->ranges[i].from; j < last; j++)
			assert_true(m->known[j] && m->byte[j] == r->buf[j]);
	}
	assert_true(last <= r->size || r->size == 0);
}

/* One stream in random pieces, orders and overlaps, now and then with other bytes. */
static void run_against_model(uint32_t base, unsigned segments, uint32_t max_len, uint32_t spread)
{
	static uint8_t stream[STREAM];
	static struct model m;
	struct reassembly r = {.started = false};
	struct reassembly_pool pool = {.budget = REASSEMBLY_LIMIT + RANGES_SIZE};
	uint64_t islands = 0;
	memset(&m, 0, sizeof(m));
	for (unsigned i = 0; i < STREAM; i++)
		stream[i] = (uint8_t)random_below(256);
	reassembly_start(&r, base);
	for (unsigned i = 0; i < segments; i++) {
		struct reassembly_conflict got, expected;
		uint8_t *copy;
		uint32_t before = random_below(100);
		int64_t offset = (int64_t)random_below(spread) - before;
		uint32_t len = random_below(max_len) + (random_below(10) != 0);
		if (offset + len > STREAM)
			len = (uint32_t)(STREAM - offset);
		copy = malloc(len != 0 ? len : 1); /* exact, for the sanitizer */
		assert_non_null(copy);
		for (uint32_t j = 0; j < len; j++)
			copy[j] = offset + j < 0 ? 0xee : stream[offset + j];
		if (len > 0 && random_below(8) == 0)
			copy[random_below(len)] ^= 0x55;
		uint32_t n = reassembly_add(&r, &pool, base + (uint32_t)offset, copy, len, &got);
		islands += model_add(&m, offset, copy, len, &expected);
		free(copy);
		assert_int_equal(got.found, expected.found);
		if (got.found) {
			assert_int_equal(got.offset, expected.offset);
			assert_int_equal(got.had, expected.had);
			assert_int_equal(got.got, expected.got);
		}
		assert_int_equal(n, r.contiguous);
		check(&r, &m);
		assert_int_equal(pool.islands, islands);
		assert_int_equal(pool.used, r.size + (r.n_ranges != 0 ? RANGES_SIZE : 0));
		assert_true((r.ranges != NULL) == (r.n_ranges != 0));
	}
	assert_int_equal(pool.refused, 0);
	reassembly_free(&r, &pool);
	assert_int_equal(pool.used, 0);
}

static void random_streams_match_the_model(void **state)
{
	static const uint32_t bases[] = {0, 1000, 0U - 1, 0U - 3000, 0U - 16384, 0x7fffff00U};
	static const uint32_t lens[] = {3, 40, 1500, 9000};
	static const uint32_t spreads[] = {60, 3000, 17500};
	(void)state;
	random_state = 1;
	for (unsigned b = 0; b < sizeof(bases) / sizeof(bases[0]); b++)
		for (unsigned l = 0; l < sizeof(lens) / sizeof(lens[0]); l++)
			for (unsigned s = 0; s < sizeof(spreads) / sizeof(spreads[0]); s++)
				run_against_model(bases[b], 150, lens[l], spreads[s]);
}

static void every_order_of_small_pieces_is_put_right(void **state)
{
	/* abcde in all orders of all its 15 pieces taken three at a time. */
	static const uint8_t text[] = "abcde";
	struct reassembly_pool pool = {.budget = 1 << 20};
	(void)state;
	for (unsigned n = 0; n < 15 * 15 * 15; n++) {
		struct reassembly r = {.started = false};
		unsigned pick[3] = {n % 15, n / 15 % 15, n / 225};
		unsigned have = 0;
		reassembly_start(&r, 0xfffffffeU);
		for (unsigned i = 0; i < 3; i++) {
			struct reassembly_conflict c;
			unsigned from = 0, k = pick[i], contiguous = 0;
			for (; k >= 5 - from; from++)
				k -= 5 - from;
			reassembly_add(&r, &pool, 0xfffffffeU + from, text + from, k + 1, &c);
			assert_false(c.found);
			have |= ((1U << (k + 1)) - 1) << from;
			while ((have >> contiguous & 1) != 0)
				contiguous++;
			assert_int_equal(r.contiguous, contiguous);
			if (contiguous > 0)
				assert_memory_equal(r.buf, text, contiguous);
		}
		reassembly_free(&r, &pool);
	}
	assert_int_equal(pool.used, 0);
}

static void the_first_copy_is_kept(void **state)
{
	struct reassembly r = {.started = false};
	struct reassembly_pool pool = {.budget = 1 << 20};
	struct reassembly_conflict c;
	uint32_t len;
	(void)state;
	reassembly_add(&r, &pool, 100, (const uint8_t *)"hello", 5, &c);
	assert_int_equal(r.base_seq, 100);
	assert_false(c.found);
	reassembly_add(&r, &pool, 102, (const uint8_t *)"lXo wor", 7, &c);
	assert_true(c.found);
	assert_int_equal(c.offset, 3);
	assert_int_equal(c.had, 'l');
	assert_int_equal(c.got, 'X');
	assert_memory_equal(reassembly_data(&r, &len), "hello wor", 9);
	assert_int_equal(len, 9);
	/* Also in an island, and without anybody asking. */
	reassembly_add(&r, &pool, 120, (const uint8_t *)"island", 6, NULL);
	reassembly_add(&r, &pool, 118, (const uint8_t *)"--iSlanDs", 9, &c);
	assert_true(c.found);
	assert_int_equal(c.offset, 21);
	assert_int_equal(c.had, 's');
	reassembly_add(&r, &pool, 118, (const uint8_t *)"..", 2, NULL);
	assert_int_equal(r.contiguous, 9);
	assert_int_equal(r.n_ranges, 1);
	assert_memory_equal(r.buf + 18, "--islands", 9);
	reassembly_free(&r, &pool);
	assert_null(reassembly_data(&r, &len));
}

static void the_ends_are_left_out(void **state)
{
	static const uint8_t zeros[REASSEMBLY_LIMIT + 100];
	struct reassembly r = {.started = false};
	struct reassembly_pool pool = {.budget = 1 << 20};
	(void)state;
	reassembly_start(&r, 50);
	assert_int_equal(reassembly_add(&r, &pool, 40, zeros, 10, NULL), 0);
	assert_int_equal(reassembly_add(&r, &pool, 50 + REASSEMBLY_LIMIT, zeros, 10, NULL), 0);
	assert_int_equal(reassembly_add(&r, &pool, 50 + 0x80000000U, zeros, 10, NULL), 0);
	assert_int_equal(reassembly_add(&r, &pool, 50, zeros, 0, NULL), 0);
	assert_int_equal(r.size, 0);
	assert_int_equal(reassembly_add(&r, &pool, 40, zeros, 11, NULL), 1);
	assert_int_equal(r.size, 32);
	reassembly_add(&r, &pool, 50 + REASSEMBLY_LIMIT - 1, zeros, 10, NULL);
	assert_int_equal(r.n_ranges, 1);
	assert_int_equal(r.size, REASSEMBLY_LIMIT);
	assert_int_equal(reassembly_add(&r, &pool, 40, zeros, sizeof(zeros), NULL),
			 REASSEMBLY_LIMIT);
	assert_int_equal(r.n_ranges, 0);
	reassembly_free(&r, &pool);
}

static void the_budget_is_kept(void **state)
{
	static const uint8_t zeros[5000];
	struct reassembly a = {.started = false}, b = {.started = false};
	struct reassembly_pool pool = {.budget = 128 + 4096};
	struct reassembly_conflict c;
	(void)state;
	assert_int_equal(reassembly_add(&a, &pool, 1, zeros, 2048, NULL), 2048);
	assert_int_equal(a.size, 2048);
	assert_int_equal(reassembly_add(&a, &pool, 2049, zeros, 1, NULL), 2049);
	assert_int_equal(a.size, 4096);
	assert_int_equal(reassembly_add(&b, &pool, 1, zeros, 100, NULL), 100);
	assert_int_equal(pool.used, pool.budget);
	/* What does not fit is not kept, nor what follows; what was kept can still be compared. */
	assert_int_equal(reassembly_add(&b, &pool, 1, zeros, 3000, NULL), 100);
	assert_true(b.failed);
	assert_int_equal(pool.refused, 1);
	assert_int_equal(reassembly_add(&b, &pool, 101, (const uint8_t *)"x", 1, NULL), 100);
	reassembly_add(&b, &pool, 100, (const uint8_t *)"x", 1, &c);
	assert_true(c.found);
	assert_int_equal(pool.refused, 1);
	reassembly_free(&a, &pool);
	reassembly_free(&b, &pool);
	assert_int_equal(pool.used, 0);
}

static void islands_are_bounded(void **state)
{
	struct reassembly r = {.started = false};
	struct reassembly_pool pool = {.budget = 1 << 20};
	static const uint8_t zeros[200];
	(void)state;
	reassembly_start(&r, 0);
	for (uint32_t i = 0; i < REASSEMBLY_RANGES; i++)
		reassembly_add(&r, &pool, 2 + 2 * i, zeros, 1, NULL);
	assert_int_equal(r.n_ranges, REASSEMBLY_RANGES);
	reassembly_add(&r, &pool, 100, zeros, 1, NULL);
	assert_int_equal(pool.islands, 1);
	/* One that touches an island still counts, and the start always does. */
	reassembly_add(&r, &pool, 49, zeros, 1, NULL);
	assert_int_equal(r.ranges[REASSEMBLY_RANGES - 1].to, 50);
	assert_int_equal(reassembly_add(&r, &pool, 0, zeros, 1, NULL), 1);
	assert_int_equal(reassembly_add(&r, &pool, 1, zeros, 1, NULL), 3);
	assert_int_equal(r.n_ranges, REASSEMBLY_RANGES - 1);
	assert_int_equal(reassembly_add(&r, &pool, 0, zeros, 100, NULL), 100);
	assert_int_equal(r.n_ranges, 0);
	reassembly_free(&r, &pool);
	assert_int_equal(pool.used, 0);
}

/* Where there is no room for islands, what is in order stays and nothing else comes. */
static void islands_count_in_the_budget(void **state)
{
	struct reassembly r = {.started = false};
	struct reassembly_pool pool = {.budget = 64 + RANGES_SIZE - 1};
	static const uint8_t zeros[64];
	(void)state;
	assert_int_equal(reassembly_add(&r, &pool, 0, zeros, 30, NULL), 30);
	assert_int_equal(r.size, 32);
	assert_int_equal(reassembly_add(&r, &pool, 40, zeros, 10, NULL), 30);
	assert_true(r.failed && r.n_ranges == 0 && r.ranges == NULL);
	assert_int_equal(pool.refused, 1);
	reassembly_free(&r, &pool);
	assert_int_equal(pool.used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_streams_match_the_model),
		cmocka_unit_test(every_order_of_small_pieces_is_put_right),
		cmocka_unit_test(the_first_copy_is_kept),
		cmocka_unit_test(the_ends_are_left_out),
		cmocka_unit_test(the_budget_is_kept),
		cmocka_unit_test(islands_are_bounded),
		cmocka_unit_test(islands_count_in_the_budget),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
