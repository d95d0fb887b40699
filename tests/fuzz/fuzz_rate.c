/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The input is one direction's segments and the acknowledgements of them, as fields: 8 bytes of the
 * handshake (a round trip in units of 16 ms, the MSS, the first stamp), then 14 each. They pass through
 * the log of segments and what is made of it; times go back, stamps jump, and what must hold of any rate
 * is checked.
 */

#include <math.h>
#include <stdlib.h>

#include "classifiers/tamper/rate.h"
#include "dataplane/cursor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define T0_NS 1700000000000000000ull
#define HEAD 8u
#define RECORD 14u
enum { IS_ACK = 1, HAS_TS = 2, HAS_SACK = 4, BACK = 8, LONG = 16 };

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check(const struct evidence *ev)
{
	const struct rate_facts *r = ev->more != NULL ? ev->more->rate : NULL;
	const struct goodput *g = ev->more != NULL ? ev->more->goodput : NULL;
	must((ev->found & EVIDENCE_RATE) == (r != NULL ? EVIDENCE_RATE : 0));
	must(g == NULL || (g->n != 0 && g->n <= GOODPUT_BINS));
	if (r == NULL)
		return;
	must(r->form > RATE_NONE && r->form < RATE_FORM_N);
	must(isfinite(r->rate_bps) && r->rate_bps >= 0 && isfinite(r->rtt_ms) && r->rtt_ms >= 0);
	must(isfinite(r->loss) && r->loss >= 0 && r->loss <= 1 && isfinite(r->inflated_ms));
	must(r->form == RATE_POLICED || !r->bounded);
}

static void give(struct rate_pool *pool, struct evidence *ev, const uint8_t *p, uint64_t *now,
		 uint64_t frame)
{
	uint64_t step = (uint64_t)load_be16(p + 1) * 100000 << ((p[0] & LONG) != 0 ? 20 : 0);
	*now = (p[0] & BACK) != 0 ? *now - step : *now + step;
	struct packet pkt = {.ts_ns = *now, .frame = frame};
	struct headers h = {.flags = TCP_ACK, .has_ts = (p[0] & HAS_TS) != 0};
	enum dir dir = (p[0] & IS_ACK) != 0 ? DIR_C2S : DIR_S2C;
	uint32_t at = load_be32(p + 3), more = load_be32(p + 9);
	if (dir == DIR_S2C) {
		h.seq = at;
		h.payload_len = load_be16(p + 7);
		h.tsval = more;
	} else {
		h.ack = at;
		h.n_sack = (p[0] & HAS_SACK) != 0;
		h.sack[0] = more;
		h.sack[1] = more + load_be16(p + 7);
	}
	if (rate_wants(ev, dir, &h))
		rate_packet(pool, ev, dir, &pkt, &h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rate_pool pool = {.budget = 1 << 20, .goodput_budget = 1 << 16};
	struct evidence_counters counters = {0};
	struct event head[3] = {{.flags = TCP_SYN}};
	struct evidence ev = {.events = head, .n_events = 3};
	struct arena a = {0};
	if (size < HEAD + RECORD)
		return 0;
	uint64_t rtt_ns = (uint64_t)load_be16(data) * 16000000, now = T0_NS;
	head[0].ts_ns = head[1].ts_ns = T0_NS;
	head[1].bits = EVENT_S2C | EVENT_TS;
	head[1].tsval = load_be32(data + 4);
	head[2] = (struct event){.ts_ns = T0_NS + rtt_ns, .flags = TCP_ACK};
	ev.half[DIR_C2S] = (struct half){.syn = true, .has_mss = true, .mss = load_be16(data + 2)};
	ev.half[DIR_S2C] = (struct half){.syn = true, .n_data = 1, .n_retx = RATE_EARN_RETX,
					 .first_data_ns = T0_NS};
	uint64_t frame = 4;
	for (size_t at = HEAD; at + RECORD <= size; at += RECORD)
		give(&pool, &ev, data + at, &now, frame++);
	rate_finish(&pool, &a, &ev, &counters);
	must(ev.rate == NULL && pool.used <= pool.budget);
	check(&ev);
	ev.events = NULL;
	ev.n_events = 0;
	evidence_free(&ev, NULL);
	rate_pool_free(&pool);
	must(pool.used == 0);
	arena_free(&a);
	return 0;
}
