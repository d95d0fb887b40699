/* SPDX-License-Identifier: BSD-3-Clause */

/* Blocks of flows: zeroed, apart from each other, and pages that go back. */

#include "classifiers/slab.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define BLOCKS 3000u

static uint32_t random_state = 12345;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (random_state >> 8) % n;
}

static void assert_all(const uint8_t *block, size_t size, uint8_t value)
{
	for (size_t i = 0; i < size; i++)
		assert_int_equal(block[i], value);
}

/* Each block is filled with its own bytes, which no other may touch. */
static void churn(size_t size)
{
	static uint8_t *block[BLOCKS], value[BLOCKS];
	struct slab s = {.size = size};
	memset(block, 0, sizeof(block));
	for (unsigned i = 0; i < 4 * BLOCKS; i++) {
		unsigned k = random_below(BLOCKS);
		if (block[k] != NULL) {
			assert_all(block[k], size, value[k]);
			slab_free(&s, block[k]);
			block[k] = NULL;
			continue;
		}
		block[k] = slab_alloc(&s);
		assert_non_null(block[k]);
		assert_int_equal((uintptr_t)block[k] % 16, 0);
		assert_all(block[k], size, 0);
		value[k] = (uint8_t)(1 + random_below(255));
		memset(block[k], value[k], size);
	}
	for (unsigned k = 0; k < BLOCKS; k++)
		slab_free(&s, block[k]);
#ifndef BLOCKS_ARE_MALLOCS
	assert_null(s.full);
	assert_true(s.room != NULL && s.room->next == NULL && s.room->used == 0);
#endif
	slab_close(&s);
}

static void blocks_are_zeroed_and_apart(void **state)
{
	static const size_t sizes[] = {8, 16, 24, 100, 368, 1500, SLAB_BLOCK_MAX};
	(void)state;
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		churn(sizes[i]);
}

static void no_block_is_no_fault(void **state)
{
	struct slab s = {.size = 32};
	(void)state;
	slab_free(&s, NULL);
	slab_close(&s);
	assert_null(s.room);
}

/* Of any size: each block its own, whether it is a slab's or malloc's. */
static void sizes_mix(struct slab_set *set)
{
	static uint8_t *block[BLOCKS];
	static size_t size[BLOCKS];
	memset(block, 0, sizeof(block));
	for (unsigned i = 0; i < 4 * BLOCKS; i++) {
		unsigned k = random_below(BLOCKS);
		if (block[k] != NULL) {
			assert_all(block[k], size[k], (uint8_t)k);
			slab_set_free(set, block[k], size[k]);
			block[k] = NULL;
			continue;
		}
		size[k] = random_below(SLAB_SET_MAX + 64);
		block[k] = slab_set_alloc(set, size[k]);
		assert_non_null(block[k]);
		assert_all(block[k], size[k], 0);
		memset(block[k], (int)(k & 0xff), size[k]);
	}
	for (unsigned k = 0; k < BLOCKS; k++)
		if (block[k] != NULL)
			slab_set_free(set, block[k], size[k]);
	slab_set_free(set, NULL, 40);
}

static void a_set_has_blocks_of_any_size(void **state)
{
	struct slab_set set = {.of = {{.size = 0}}};
	(void)state;
	sizes_mix(&set);
	slab_set_close(&set);
	sizes_mix(NULL);
}

#ifndef BLOCKS_ARE_MALLOCS
static unsigned pages(const struct slab_page *p)
{
	unsigned n = 0;
	for (; p != NULL; p = p->next)
		n++;
	return n;
}

static void an_empty_page_goes_back(void **state)
{
	struct slab s = {.size = SLAB_BLOCK_MAX};
	void *first[64], *second[64];
	uint32_t n = capacity(&s);
	(void)state;
	assert_in_range(n, 40, 64);
	for (uint32_t i = 0; i < n; i++)
		first[i] = slab_alloc(&s);
	assert_int_equal(pages(s.full), 1);
	assert_null(s.room);
	for (uint32_t i = 0; i < n; i++)
		second[i] = slab_alloc(&s);
	assert_int_equal(pages(s.full), 2);
	for (uint32_t i = 0; i < n; i++)
		slab_free(&s, first[i]);
	assert_int_equal(pages(s.room), 1); /* kept: the only one with room */
	slab_free(&s, second[0]);
	assert_int_equal(pages(s.room), 2);
	for (uint32_t i = 1; i < n; i++)
		slab_free(&s, second[i]);
	assert_int_equal(pages(s.room), 1);
	assert_null(s.full);
	first[0] = slab_alloc(&s);
	slab_close(&s);
	assert_true(s.room == NULL && s.full == NULL);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_are_zeroed_and_apart),
		cmocka_unit_test(no_block_is_no_fault),
		cmocka_unit_test(a_set_has_blocks_of_any_size),
#ifndef BLOCKS_ARE_MALLOCS
		cmocka_unit_test(an_empty_page_goes_back),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
