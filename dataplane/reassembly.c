/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/reassembly.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/seq.h"

#define SIZE_STEP 32u /* the first room fits: many streams that need a buffer get no further */
#define RANGES_SIZE (REASSEMBLY_RANGES * sizeof(struct reassembly_range))

_Static_assert(REASSEMBLY_LIMIT <= UINT16_MAX, "islands are kept as 16-bit offsets");

/* A half-open range of offsets. */
struct span {
	uint32_t from, to;
};

void reassembly_start(struct reassembly *r, uint32_t base_seq)
{
	r->base_seq = base_seq;
	r->started = true;
}

/* What is kept, in order: 0 is the contiguous part, then the islands. */
static unsigned spans_count(const struct reassembly *r)
{
	return 1U + r->n_ranges;
}

static struct span span_at(const struct reassembly *r, unsigned i)
{
	if (i == 0)
		return (struct span){.from = 0, .to = r->contiguous};
	return (struct span){.from = r->ranges[i - 1].from, .to = r->ranges[i - 1].to};
}

/* The part of the segment that fits; false when nothing does. */
static bool clip(const struct reassembly *r, uint32_t seq, const uint8_t **data, uint32_t len,
		 struct span *seg)
{
	int64_t from = seq_diff(seq, r->base_seq);
	int64_t to = from + len;
	if (from < 0) {
		if (to <= 0)
			return false;
		*data += -from;
		from = 0;
	}
	if (to > REASSEMBLY_LIMIT)
		to = REASSEMBLY_LIMIT;
	*seg = (struct span){.from = (uint32_t)from, .to = to > from ? (uint32_t)to : 0};
	return to > from;
}

static void compare(const struct reassembly *r, const struct span *seg, const uint8_t *data,
		    struct reassembly_conflict *conflict)
{
	for (unsigned i = 0; i < spans_count(r); i++) {
		struct span kept = span_at(r, i);
		uint32_t from = seg->from > kept.from ? seg->from : kept.from;
		uint32_t to = seg->to < kept.to ? seg->to : kept.to;
		if (from >= to || memcmp(r->buf + from, data + (from - seg->from), to - from) == 0)
			continue;
		while (r->buf[from] == data[from - seg->from])
			from++;
		*conflict = (struct reassembly_conflict){
			.found = true,
			.offset = from,
			.had = r->buf[from],
			.got = data[from - seg->from],
		};
		return;
	}
}

/* more bytes are added to what is at old, within the budget; NULL: the stream fails. */
static void *take(struct reassembly *r, struct reassembly_pool *pool, void *old, size_t had,
		  size_t more)
{
	void *p = NULL;
	if (pool->used <= pool->budget && more <= pool->budget - pool->used)
		p = realloc(old, had + more);
	if (p != NULL) {
		pool->used += more;
	} else {
		pool->refused++;
		r->failed = true;
	}
	return p;
}

/* Room for size bytes of buf. */
static bool grow(struct reassembly *r, struct reassembly_pool *pool, uint32_t size)
{
	uint32_t room = r->size != 0 ? r->size : (size + SIZE_STEP - 1) / SIZE_STEP * SIZE_STEP;
	while (room < size)
		room *= 2;
	if (room > REASSEMBLY_LIMIT)
		room = REASSEMBLY_LIMIT;
	if (room == r->size)
		return true;
	uint8_t *buf = take(r, pool, r->buf, r->size, room - r->size);
	if (buf == NULL)
		return false;
	r->buf = buf;
	r->size = room;
	return true;
}

/* Room for islands. */
static bool ranges_open(struct reassembly *r, struct reassembly_pool *pool)
{
	if (r->ranges == NULL)
		r->ranges = take(r, pool, NULL, 0, RANGES_SIZE);
	return r->ranges != NULL;
}

static void ranges_close(struct reassembly *r, struct reassembly_pool *pool)
{
	pool->used -= r->ranges != NULL ? RANGES_SIZE : 0;
	free(r->ranges);
	r->ranges = NULL;
}

/* The first copy of a byte stays. */
static void copy_new(struct reassembly *r, const struct span *seg, const uint8_t *data)
{
	uint32_t pos = seg->from;
	for (unsigned i = 0; i < spans_count(r) && pos < seg->to; i++) {
		struct span kept = span_at(r, i);
		if (kept.to <= pos)
			continue;
		uint32_t end = kept.from < seg->to ? kept.from : seg->to;
		if (end > pos)
			memcpy(r->buf + pos, data + (pos - seg->from), end - pos);
		pos = kept.to;
	}
	if (pos < seg->to)
		memcpy(r->buf + pos, data + (pos - seg->from), seg->to - pos);
}

/* Islands [first, last) become the one island of seg, which may be none of them. */
static void replace_islands(struct reassembly *r, unsigned first, unsigned last,
			    const struct span *seg)
{
	unsigned n_new = seg != NULL ? 1 : 0;
	memmove(&r->ranges[first + n_new], &r->ranges[last],
		(r->n_ranges - last) * sizeof(r->ranges[0]));
	if (seg != NULL) {
		r->ranges[first].from = (uint16_t)seg->from;
		r->ranges[first].to = (uint16_t)seg->to;
	}
	r->n_ranges = (uint8_t)(r->n_ranges - (last - first) + n_new);
}

uint32_t reassembly_add(struct reassembly *r, struct reassembly_pool *pool, uint32_t seq,
			const uint8_t *data, uint32_t len, struct reassembly_conflict *conflict)
{
	struct span seg;
	if (conflict != NULL)
		*conflict = (struct reassembly_conflict){.found = false};
	if (!r->started)
		reassembly_start(r, seq);
	if (len == 0 || !clip(r, seq, &data, len, &seg))
		return r->contiguous;
	if (conflict != NULL)
		compare(r, &seg, data, conflict);

	/* Islands that the segment overlaps or touches: [first, last). */
	unsigned first = 0;
	while (first < r->n_ranges && r->ranges[first].to < seg.from)
		first++;
	unsigned last = first;
	while (last < r->n_ranges && r->ranges[last].from <= seg.to)
		last++;
	bool joins_start = seg.from <= r->contiguous;
	if (!joins_start && first == last && r->n_ranges == REASSEMBLY_RANGES) {
		pool->islands++;
		return r->contiguous;
	}
	if (r->failed || !grow(r, pool, seg.to) || (!joins_start && !ranges_open(r, pool)))
		return r->contiguous;
	copy_new(r, &seg, data);

	if (first < last) {
		if (r->ranges[first].from < seg.from)
			seg.from = r->ranges[first].from;
		if (r->ranges[last - 1].to > seg.to)
			seg.to = r->ranges[last - 1].to;
	}
	if (joins_start && seg.to > r->contiguous)
		r->contiguous = seg.to;
	if (!joins_start)
		replace_islands(r, first, last, &seg);
	else if (first < last)
		replace_islands(r, first, last, NULL);
	if (r->n_ranges == 0)
		ranges_close(r, pool);
	return r->contiguous;
}

const uint8_t *reassembly_data(const struct reassembly *r, uint32_t *len)
{
	*len = r->contiguous;
	return r->contiguous > 0 ? r->buf : NULL;
}

void reassembly_free(struct reassembly *r, struct reassembly_pool *pool)
{
	ranges_close(r, pool);
	free(r->buf);
	pool->used -= r->size;
	*r = (struct reassembly){.buf = NULL};
}
