/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The input is a budget, a first sequence number, and segments: distance from that number (3 bytes,
 * signed), length (2), a byte that says what the bytes are. A model of one entry a byte must agree.
 */

#include <stdlib.h>
#include <string.h>

#include "dataplane/cursor.h"
#include "dataplane/reassembly.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int16_t model[REASSEMBLY_LIMIT]; /* -1: not there */

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check_kept(const struct reassembly *r)
{
	uint32_t len, last;
	const uint8_t *kept = reassembly_data(r, &len);
	must(len <= r->size && (kept == NULL) == (len == 0));
	for (uint32_t i = 0; i < len; i++)
		must(model[i] == kept[i]);
	must(len == REASSEMBLY_LIMIT || model[len] < 0);
	last = len;
	for (unsigned i = 0; i < r->n_ranges; i++) {
		must(r->ranges[i].from > last && r->ranges[i].to > r->ranges[i].from);
		must(r->ranges[i].to <= r->size);
		for (uint32_t j = last + (i > 0); j < r->ranges[i].from; j++)
			must(model[j] < 0);
		last = r->ranges[i].to;
		for (uint32_t j = r->ranges[i].from; j < last; j++)
			must(model[j] == r->buf[j]);
	}
}

static void check_conflict(const struct reassembly_conflict *c, int32_t offset,
			   const uint8_t *segment, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		int64_t at = (int64_t)offset + i;
		if (at < 0 || at >= REASSEMBLY_LIMIT || model[at] < 0 || model[at] == segment[i])
			continue;
		must(c->found && c->offset == at && c->had == model[at] && c->got == segment[i]);
		return;
	}
	must(!c->found);
}

static void model_add(int32_t offset, const uint8_t *segment, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		int64_t at = (int64_t)offset + i;
		if (at >= 0 && at < REASSEMBLY_LIMIT && model[at] < 0)
			model[at] = segment[i];
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor in = cursor_of(data, size);
	struct reassembly r = {.started = false};
	struct reassembly_pool pool = {.budget = cursor_be16(&in)};
	uint32_t base = cursor_be32(&in);

	memset(model, 0xff, sizeof(model));
	reassembly_start(&r, base);
	while (cursor_left(&in) > 0) {
		struct reassembly_conflict conflict;
		uint32_t raw = cursor_be24(&in);
		int32_t offset = (int32_t)raw - (raw >= 0x800000 ? 0x1000000 : 0);
		uint32_t len = cursor_be16(&in) % 20000;
		uint8_t fill = cursor_u8(&in);
		uint8_t *segment = malloc(len != 0 ? len : 1);
		if (segment == NULL)
			break;
		for (uint32_t i = 0; i < len; i++)
			segment[i] = (uint8_t)((offset + (int32_t)i) * 7 + (fill < 200 ? 0 : fill));
		uint64_t left_out = pool.islands;
		uint32_t n = reassembly_add(&r, &pool, base + (uint32_t)offset, segment, len,
					    &conflict);
		size_t islands = r.ranges != NULL ? REASSEMBLY_RANGES * sizeof(*r.ranges) : 0;
		must(n == r.contiguous && pool.used == r.size + islands);
		must(pool.used <= pool.budget && (r.ranges != NULL) == (r.n_ranges > 0));
		check_conflict(&conflict, offset, segment, len);
		if (!r.failed && pool.islands == left_out)
			model_add(offset, segment, len);
		check_kept(&r);
		free(segment);
	}
	reassembly_free(&r, &pool);
	must(pool.used == 0);
	return 0;
}
