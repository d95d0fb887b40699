/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/replay_lane.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/flow.h"
#include "dataplane/log.h"

#define FULL_NS 20000u     /* how long a full sink is left alone */
#define NAP_NS  100000000u /* how soon a stop is noticed */
#define AHEAD_NS 50000000u /* what a sink that paces has before its time, and sends after a stop */

static const enum replay_end end_of[REWRITE_N] = {
	[REWRITE_OK] = REPLAY_SENT,
	[REWRITE_TRUNCATED] = REPLAY_TRUNCATED,
	[REWRITE_TOO_LONG] = REPLAY_TOO_LONG,
	[REWRITE_NOT_ETHERNET] = REPLAY_NOT_ETHERNET,
	[REWRITE_RUNT] = REPLAY_RUNT,
};

enum replay_end lane_end_of(enum rewrite_end end)
{
	return end_of[end];
}

bool lane_stopped(const struct lane *l)
{
	return atomic_load_explicit(l->failed, memory_order_relaxed) ||
	       (l->cfg->stop != NULL &&
		atomic_load_explicit(l->cfg->stop, memory_order_relaxed));
}

/* False: it was stopped before. */
static bool lane_wait(struct lane *l, uint64_t due_ns)
{
	uint64_t now = pace_now();

	while (now < due_ns && !lane_stopped(l))
		now = pace_wait(&l->sleeper, due_ns - now > NAP_NS ? now + NAP_NS : due_ns);
	return now >= due_ns;
}

bool lane_approach(struct lane *l, uint64_t due_ns)
{
	if (due_ns <= l->horizon_ns)
		return true;
	l->horizon_ns = pace_now() + AHEAD_NS;
	if (due_ns <= l->horizon_ns)
		return true;
	if (!lane_wait(l, due_ns - AHEAD_NS / 2))
		return false;
	l->horizon_ns = due_ns + AHEAD_NS / 2;
	return true;
}

void lane_fail(struct lane *l, int err, const char *what)
{
	atomic_store(l->failed, true);
	if (l->error != 0)
		return;
	l->error = err;
	snprintf(l->why, sizeof(l->why), "%s: %s", what, strerror(-err));
}

void lane_stretch(uint64_t range[2], uint64_t t)
{
	if (range[0] == 0 || t < range[0])
		range[0] = t;
	if (t > range[1])
		range[1] = t;
}

/* Sinks that do not know when a frame went out do not know of any. */
static void count_sent(struct lane *l, const struct outbox *o, const struct frame *f)
{
	l->stats.bytes += f->len;
	l->stats.wire_bytes += pace_wire_bytes(f->len);
	if (f->tx_ns == 0)
		return;
	lane_stretch(l->stats.sent_ns, f->tx_ns);
	if (f->due_ns != 0 && !o->ops->paces && !o->ops->offline)
		pace_errors_add(&l->stats.errors, f->due_ns, f->tx_ns);
}

/* Everything in the outbox goes back to the sink: what is filled is sent. */
static void outbox_flush(struct lane *l, struct outbox *o)
{
	unsigned filled = o->filled, n = o->allocated;

	o->filled = o->allocated = 0;
	if (n == 0)
		return;
	for (unsigned i = filled; i < n; i++)
		o->frames[i].len = 0;
	int sent = sink_send(o->sink, l->q, o->frames, n);
	if (sent < 0) {
		l->stats.ends[REPLAY_UNSENT] += filled;
		lane_fail(l, sent, o->ops->name);
		return;
	}
	unsigned went = (unsigned)sent < filled ? (unsigned)sent : filled, counted = 0;
	l->stats.ends[REPLAY_SENT] += went;
	l->stats.ends[REPLAY_REFUSED] += filled - went;
	for (unsigned i = 0; i < filled && counted < went; i++) {
		/* Of a part, those are known by their time. */
		if (went < filled && o->frames[i].tx_ns == 0)
			continue;
		count_sent(l, o, &o->frames[i]);
		counted++;
	}
}

/* Room for another frame: false when none will ever be, or the replay was stopped. */
static bool outbox_room(struct lane *l, struct outbox *o)
{
	if (o->filled < o->allocated)
		return true;
	outbox_flush(l, o);
	while (!lane_stopped(l)) {
		int n = sink_alloc(o->sink, l->q, o->frames, o->want);
		if (n < 0) {
			lane_fail(l, n, o->ops->name);
			return false;
		}
		if (n > 0) {
			o->allocated = (unsigned)n;
			return true;
		}
		pace_wait(&l->sleeper, pace_now() + FULL_NS);
	}
	return false;
}

/*
 * What is late goes out in growing batches, what is early alone and when it is due. Nothing waits
 * for a later packet: earlier ones are handed on first.
 */
static void lane_put(struct lane *l, unsigned port, const struct packet *pkt,
		     const struct rewrite_plan *plan, uint64_t due_ns)
{
	struct outbox *o = &l->out[port];
	bool waits = !o->ops->paces && !o->ops->offline && due_ns != 0;

	/* Over two ports the capture's order holds, unless they keep to due times themselves. */
	if (!o->ops->paces && l->out[1 - port].filled > 0)
		outbox_flush(l, &l->out[1 - port]);
	if (o->ops->paces && due_ns > l->horizon_ns) {
		for (unsigned p = 0; p < l->cfg->n_ports; p++)
			outbox_flush(l, &l->out[p]);
		if (!lane_approach(l, due_ns)) {
			l->stats.ends[REPLAY_UNSENT]++;
			return;
		}
	}
	bool early = waits && due_ns > pace_now();
	if (early) {
		outbox_flush(l, o);
		o->want = 1;
	}
	if (!outbox_room(l, o)) {
		l->stats.ends[REPLAY_UNSENT]++;
		return;
	}
	struct frame *f = &o->frames[o->filled];
	if (plan->len > f->room) {
		l->stats.ends[REPLAY_TOO_LONG]++;
		return;
	}
	rewrite_frame(&l->cfg->rewrite, o->macs, pkt, plan, l->loop, f);
	f->due_ns = due_ns;
	f->tx_ns = 0;
	if (early && !lane_wait(l, due_ns + l->cfg->slack_ns)) {
		l->stats.ends[REPLAY_UNSENT]++;
		outbox_flush(l, o);
		return;
	}
	o->filled++;
	if (!early && o->filled < o->allocated)
		return;
	outbox_flush(l, o);
	if (!early)
		o->want = o->want * 2 < LANE_BATCH ? o->want * 2 : LANE_BATCH;
}

/* Whose queue, the same for both directions, and for an error as for what it is about. */
static unsigned queue_of(const struct lane *l, const struct headers *h)
{
	if (h->ip_version == 0)
		return 0;
	unsigned shard = h->is_icmp_error && h->quoted_ok
				 ? flow_shard(&h->quoted_src, &h->quoted_dst)
				 : flow_shard(&h->src, &h->dst);
	return shard % l->queues;
}

/* What is asked to wait must not keep back what was before it. */
static void pass_gate(struct lane *l, unsigned port, const struct headers *h)
{
	for (unsigned p = 0; p < l->cfg->n_ports; p++)
		if (l->out[p].filled > 0)
			outbox_flush(l, &l->out[p]);
	l->cfg->gate(l->cfg->gate_user, port, h);
}

bool lane_takes(const struct lane *l, const struct packet *pkt)
{
	struct headers h;

	if (l->queues == 1)
		return true;
	packet_decode(pkt, &h);
	return queue_of(l, &h) == l->q;
}

static void lane_packet(struct lane *l, const struct packet *pkt)
{
	struct rewrite_plan plan;
	struct headers h;
	unsigned port = 0;

	rewrite_plan(&l->cfg->rewrite, pkt, &plan);
	l->stats.read += l->q == 0;
	if (plan.end != REWRITE_OK) {
		l->stats.ends[end_of[plan.end]] += l->q == 0;
		return;
	}
	if (l->out[0].ops->offline && l->pace.packets == 0)
		pace_start(&l->pace, l->cfg->rate, pkt->ts_ns);
	uint64_t due_ns = pace_due(&l->pace, pkt->ts_ns, plan.len);
	if (l->cfg->rate.kind == PACE_MAX && !l->out[0].ops->offline)
		due_ns = 0;
	else
		lane_stretch(l->stats.due_ns, due_ns);
	if (l->sides != NULL || l->queues > 1 || l->cfg->gate != NULL)
		packet_decode(pkt, &h);
	if (l->queues > 1 && queue_of(l, &h) != l->q)
		return;
	if (l->sides != NULL)
		port = sides_port(l->sides, pkt, &h);
	if (l->cfg->gate != NULL)
		pass_gate(l, port, &h);
	lane_put(l, port, pkt, &plan, due_ns);
}

static int lane_open(struct lane *l)
{
	struct source_config from = l->cfg->source;

	if (!from.rotated) {
		from.files += l->file;
		from.n_files = 1;
	}
	return source_open(&l->source, NULL, &from, l->why, sizeof(l->why));
}

static void lane_closed(struct lane *l)
{
	struct source_stats st;

	source_stats(l->source, &st);
	if (l->q == 0) {
		l->stats.filtered += st.filtered;
		if (l->loop == 0) {
			l->stats.damaged += st.n_damage;
			for (unsigned i = 0; i < st.n_damage; i++)
				log_warn(NULL, "%s: offset %llu: %s",
					 l->cfg->source.files[l->file + st.damage[i].file],
					 (unsigned long long)st.damage[i].offset,
					 st.damage[i].reason);
		}
	}
	source_close(l->source);
	l->source = NULL;
}

static void lane_capture(struct lane *l, void (*each)(struct lane *l, const struct packet *pkt))
{
	struct packet pkts[LANE_BATCH];
	int n = 0;

	int err = lane_open(l);
	if (err != 0) {
		l->error = err;
		atomic_store(l->failed, true);
		return;
	}
	while (!lane_stopped(l)) {
		n = source_recv(l->source, 0, pkts, LANE_BATCH);
		if (n < 0)
			break;
		for (int i = 0; i < n; i++) {
			if (!lane_stopped(l)) {
				each(l, &pkts[i]);
			} else if (l->q == 0) {
				l->stats.read++;
				l->stats.ends[REPLAY_UNSENT]++;
			}
		}
		source_release(l->source, 0, pkts, (unsigned)n);
		/* The next read may take long. */
		for (unsigned p = 0; p < l->cfg->n_ports; p++)
			if (l->out[p].filled > 0)
				outbox_flush(l, &l->out[p]);
	}
	if (n < 0 && n != SOURCE_EOF)
		lane_fail(l, n, l->cfg->source.files[l->file]);
	lane_closed(l);
	pace_seam(&l->pace);
	if (l->sides != NULL)
		sides_seam(l->sides);
}

/*
 * The kernel chooses a transmit queue by CPU: a thread that moves would let later packets of a flow
 * overtake earlier ones. CPUs are shared out among those that the process may use.
 */
static void stay_on_one_cpu(unsigned n)
{
	cpu_set_t all, one;

	if (sched_getaffinity(0, sizeof(all), &all) != 0 || CPU_COUNT(&all) == 0)
		return;
	n %= (unsigned)CPU_COUNT(&all);
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all) || n-- != 0)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		(void)sched_setaffinity(0, sizeof(one), &one);
		return;
	}
}

void lane_read_all(struct lane *l, void (*each)(struct lane *l, const struct packet *pkt))
{
	unsigned files = l->cfg->source.rotated ? 1 : l->cfg->source.n_files;

	for (l->file = 0; l->file < files && !lane_stopped(l); l->file++)
		lane_capture(l, each);
}

void lane_prepare(struct lane *l)
{
	if (l->cfg->port[0].hold_frames > 0)
		l->held = held_new(l);
}

static void lane_loops(struct lane *l)
{
	uint64_t loops = l->cfg->loops != 0 ? l->cfg->loops : 1;

	for (l->loop = 0; l->loop < loops && !lane_stopped(l); l->loop++) {
		uint64_t before = l->pace.packets;
		l->stats.loops++;
		lane_read_all(l, lane_packet);
		/* Captures of which nothing can be sent would go round for ever. */
		if (l->pace.packets == before)
			break;
	}
	for (unsigned p = 0; p < l->cfg->n_ports; p++)
		outbox_flush(l, &l->out[p]);
	l->stats.planned = l->pace.packets;
	l->stats.planned_wire_bytes = l->pace.wire_bits / 8;
	l->stats.interrupted = l->cfg->stop != NULL && atomic_load(l->cfg->stop);
	if (l->sides != NULL)
		l->stats.undecided = sides_undecided(l->sides);
}

void lane_run(struct lane *l)
{
	if (l->queues > 1)
		stay_on_one_cpu(l->q);
	pace_sleeper_start(&l->sleeper);
	pace_start(&l->pace, l->cfg->rate, l->start_ns);
	if (l->held != NULL)
		held_run(l, l->held);
	else
		lane_loops(l);
}

int lane_new(struct lane **out, const struct replay_config *cfg, struct sink *const sinks[],
	     unsigned q, unsigned queues, atomic_bool *failed)
{
	struct lane *l = calloc(1, sizeof(*l));
	int err = 0;

	*out = NULL;
	if (l == NULL)
		return -ENOMEM;
	l->cfg = cfg;
	l->q = q;
	l->queues = queues;
	l->failed = failed;
	for (unsigned p = 0; p < cfg->n_ports; p++) {
		struct outbox *o = &l->out[p];
		o->sink = sinks[p];
		o->ops = sink_ops_of(sinks[p]);
		o->macs = &cfg->macs[p];
		o->want = o->ops->paces || o->ops->offline || cfg->rate.kind == PACE_MAX
				  ? LANE_BATCH
				  : 1;
	}
	if (cfg->n_ports > 1)
		err = sides_new(&l->sides, cfg->clients, cfg->n_clients);
	if (err != 0)
		lane_free(l);
	else
		*out = l;
	return err;
}

void lane_free(struct lane *l)
{
	if (l == NULL)
		return;
	source_close(l->source);
	sides_free(l->sides);
	held_free(l->held);
	free(l);
}
