/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/tamper/lateness.h"

#include "dataplane/seq.h"

#define STEP_NS   1000000ull
#define LONGEST_NS (STEP_NS << LATENESS_STEPS) /* beyond, ports were used again, or clocks were set */
#define FEW   3
#define SHARE 100
#define TELLING 3

static bool is_open(const struct event *e)
{
	return (e->flags & (TCP_SYN | TCP_FIN | TCP_RST | TCP_ACK)) == TCP_ACK &&
	       (e->bits & EVENT_PROBE) == 0;
}

/* Which nobody forges. */
static bool is_plain(const struct event *e)
{
	return is_open(e) && (event_dir(e) == DIR_C2S || e->len == 0);
}

/* Data that was not sent again: then they would be stamped later than what is behind them. */
static bool fills(const struct event *e, const struct event *a)
{
	return e->len != 0 && a->len != 0 && (a->bits & e->bits & EVENT_TS) != 0 &&
	       seq_lt(e->seq, a->seq) && seq_leq(e->tsval, a->tsval) && seq_leq(e->ack, a->ack);
}

/* Sent before packet a, although it came behind it. A copy of what came before is none of a's. */
static bool is_older(const struct event *e, const struct event *a)
{
	bool stamped = (a->bits & e->bits & EVENT_TS) != 0;
	if (!is_plain(e) || !is_plain(a))
		return fills(e, a);
	return seq_lt(e->ack, a->ack) ? !stamped || seq_leq(e->tsval, a->tsval)
				      : e->ack == a->ack && stamped && seq_lt(e->tsval, a->tsval);
}

/* The newest of one direction; nothing that is as new as these in all lags. */
struct newest {
	bool any;
	uint32_t seq, ack, tsval;
};

static bool is_behind(struct newest *n, const struct event *e)
{
	bool behind = n->any && (seq_lt(e->ack, n->ack) || seq_lt(e->tsval, n->tsval) ||
				 (e->len != 0 && seq_lt(e->seq, n->seq)));
	if (!n->any || seq_lt(n->ack, e->ack))
		n->ack = e->ack;
	if (!n->any || seq_lt(n->tsval, e->tsval))
		n->tsval = e->tsval;
	if (!n->any || seq_lt(n->seq, e->seq))
		n->seq = e->seq;
	n->any = true;
	return behind;
}

uint64_t lateness_of(const struct evidence *ev)
{
	struct newest newest[2] = {{.any = false}};
	uint64_t most = 0;
	unsigned from = 0;
	for (unsigned i = 0; i < ev->n_events; i++)
		if ((ev->events[i].flags & TCP_SYN) != 0 || i == ev->skipped_at)
			from = i; /* numbers of another connection lie before */
	for (unsigned i = from; i < ev->n_events; i++) {
		const struct event *e = &ev->events[i];
		bool behind = is_open(e) && is_behind(&newest[event_dir(e)], e);
		for (unsigned k = from; k < i && behind; k++) {
			const struct event *a = &ev->events[k];
			uint64_t lag = e->ts_ns - a->ts_ns;
			if (event_dir(a) == event_dir(e) && is_open(a) && is_older(e, a) &&
			    lag < LONGEST_NS && lag > most)
				most = lag;
		}
	}
	return most >= STEP_NS ? most : 0;
}

/* It has packets enough for one to lag. */
static bool can_tell(const struct evidence *ev)
{
	unsigned n[2] = {0, 0};
	for (unsigned i = 0; i < ev->n_events; i++)
		n[event_dir(&ev->events[i])] += is_open(&ev->events[i]);
	return n[DIR_C2S] >= TELLING || n[DIR_S2C] >= TELLING;
}

void lateness_note(struct lateness *l, const struct evidence *ev)
{
	uint64_t lag = lateness_of(ev);
	unsigned step = 0;
	l->flows += lag != 0 || can_tell(ev);
	if (lag == 0)
		return;
	while (step + 1 < LATENESS_STEPS && lag >= STEP_NS << (step + 1))
		step++;
	l->late[step]++;
}

void lateness_merge(struct lateness *to, const struct lateness *from)
{
	to->flows += from->flows;
	for (unsigned i = 0; i < LATENESS_STEPS; i++)
		to->late[i] += from->late[i];
}

uint64_t lateness_extent(const struct lateness *l)
{
	uint64_t n = 0;
	for (unsigned i = LATENESS_STEPS; i-- > 0;) {
		n += l->late[i];
		if (n >= FEW && n * SHARE >= l->flows)
			return STEP_NS << (i + 2);
	}
	return 0;
}
