/* SPDX-License-Identifier: BSD-3-Clause */

/* The same bytes in other segments: offload, a box that joins or splits, a proxy that passes all
 * on. */

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/seq.h"
#include "tools/audit/ledger_private.h"

#define SCAN_MAX 1024 /* segments of one connection looked at for one */

static uint64_t key_stream(const struct ledger_frame *f)
{
	bool data = f->kind == LEDGER_FLOW && f->proto == IPPROTO_TCP && f->len > 0 &&
		    f->bytes != UINT64_MAX && (f->flags & (TCP_RST | TCP_SYN)) == 0;

	return data ? ledger_flow_hash(f) | 1 : 0;
}

static bool bytes_agree(const struct ledger_port *px, const struct ledger_frame *x,
			const struct ledger_port *py, const struct ledger_frame *y, uint32_t from,
			uint32_t n)
{
	return memcmp(px->arena + x->bytes + (uint32_t)(from - x->seq),
		      py->arena + y->bytes + (uint32_t)(from - y->seq), n) == 0;
}

struct stretch {
	const struct ledger *ledger;
	enum compare_way way;
	const struct ledger_step *steps;
	uint32_t n;
};

static const struct ledger_port *port_of(const struct stretch *t, const struct ledger_step *s)
{
	return &t->ledger->port[s->arrival ? way_to(t->way) : way_from(t->way)];
}

/* Every byte of d is in segments of the other kind, and the same there. */
static bool covered(const struct stretch *t, const struct ledger_step *d)
{
	const struct ledger_port *dp = port_of(t, d);
	const struct ledger_frame *f = &dp->frames[d->index];
	uint32_t pos = f->seq, end = f->seq + f->len;
	bool moved = true;

	/* In any order: as long as one more of them carries on where the others end. */
	while (seq_lt(pos, end) && moved) {
		moved = false;
		for (uint32_t i = 0; i < t->n && i < SCAN_MAX && seq_lt(pos, end); i++) {
			const struct ledger_step *o = &t->steps[i];
			const struct ledger_port *op = port_of(t, o);
			const struct ledger_frame *g = &op->frames[o->index];
			uint32_t g_end = g->seq + g->len;
			if (o->arrival == d->arrival || !seq_leq(g->seq, pos) ||
			    !seq_lt(pos, g_end) || (o->arrival && g->fate != FATE_RESEGMENTED))
				continue;
			uint32_t to = seq_lt(g_end, end) ? g_end : end;
			if (!bytes_agree(dp, f, op, g, pos, to - pos))
				continue;
			pos = to;
			moved = true;
		}
	}
	return !seq_lt(pos, end);
}

/* How many of one kind consist of the other's bytes. */
static uint32_t take_covered(struct ledger *l, const struct stretch *t, bool arrivals)
{
	enum compare_side port = arrivals ? way_to(t->way) : way_from(t->way);
	uint32_t met = 0;

	for (uint32_t k = 0; k < t->n; k++) {
		if (t->steps[k].arrival != arrivals || !covered(t, &t->steps[k]))
			continue;
		l->port[port].frames[t->steps[k].index].fate = FATE_RESEGMENTED;
		met++;
	}
	return met;
}

int ledger_stream(struct ledger *l, enum compare_way way)
{
	uint32_t n;
	struct ledger_step *steps = ledger_steps(l, way, key_stream, &n);

	if (steps == NULL)
		return -ENOMEM;
	for (uint32_t i = 0, end; i < n; i = end) {
		struct stretch t = {.ledger = l, .way = way, .steps = &steps[i]};
		bool met[2] = {false, false};
		for (end = i; end < n && steps[end].key == steps[i].key; end++)
			met[steps[end].arrival] = true;
		t.n = end - i;
		/* Arrivals first; what they were cut from is gone with them, or dropped. */
		if (met[0] && met[1] && take_covered(l, &t, true) > 0)
			take_covered(l, &t, false);
	}
	free(steps);
	return 0;
}
