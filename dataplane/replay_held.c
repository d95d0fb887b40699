/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/replay_held.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/replay_lane.h"

#define BYTES_MAX (256u << 20) /* of frames, in all queues */
#define FRAME_ADD 128u         /* what each costs besides its bytes, about */
#define FIRST     1024u

/* What a loop is, for this lane; and for the first one also what is of no lane. */
struct held {
	struct frame *frames;
	uint64_t *offsets;   /* when each is due in the first loop, after its start */
	size_t n, room;
	bool full;           /* the sink has no room for more */
	uint64_t due[2];     /* offsets of the first and last packet, of all lanes */
	uint64_t bytes, wire_bytes;
	struct pace pace;    /* gone through one loop, from 0 */
	struct replay_stats one;
};

bool held_suits(const struct replay_config *cfg, const struct sink_ops *ops)
{
	/* The first port alone: which side a packet belongs to may differ from loop to loop. */
	return ops->hold != NULL && cfg->loops > 1 && cfg->n_ports == 1 && cfg->gate == NULL &&
	       cfg->rewrite.vary == REWRITE_VARY_NONE &&
	       (ops->paces || cfg->rate.kind == PACE_MAX);
}

/* False: it cannot be read, or is too much. */
static bool measure_capture(const struct replay_config *cfg, const struct source_config *from,
			    struct sink_config *port)
{
	uint64_t most = BYTES_MAX / (port->queues > 1 ? port->queues : 1);
	struct packet pkts[LANE_BATCH];
	struct source *source;
	char why[320];
	int n;

	if (source_open(&source, NULL, from, why, sizeof(why)) != 0)
		return false;
	while ((n = source_recv(source, 0, pkts, LANE_BATCH)) >= 0) {
		for (int i = 0; i < n; i++) {
			struct rewrite_plan plan;
			rewrite_plan(&cfg->rewrite, &pkts[i], &plan);
			port->hold_frames += plan.end == REWRITE_OK;
			port->hold_bytes += plan.end == REWRITE_OK ? plan.len : 0;
		}
		source_release(source, 0, pkts, (unsigned)n);
		if (port->hold_bytes + port->hold_frames * FRAME_ADD > most ||
		    (cfg->stop != NULL && atomic_load(cfg->stop)))
			break;
	}
	source_close(source);
	return n == SOURCE_EOF;
}

void held_measure(const struct replay_config *cfg, struct sink_config *port)
{
	struct source_config one = cfg->source;
	bool fits = true;

	one.n_files = one.rotated ? one.n_files : 1;
	for (unsigned i = 0; i < cfg->source.n_files && fits; i += one.n_files) {
		one.files = cfg->source.files + i;
		fits = measure_capture(cfg, &one, port);
	}
	if (!fits)
		port->hold_frames = port->hold_bytes = 0;
}

/* 0 or -ENOMEM. */
static int grow(struct held *h)
{
	size_t room = h->room == 0 ? FIRST : h->room * 2;

	if (h->n < h->room)
		return 0;
	struct frame *frames = realloc(h->frames, room * sizeof(*frames));
	if (frames != NULL)
		h->frames = frames;
	uint64_t *offsets = realloc(h->offsets, room * sizeof(*offsets));
	if (offsets != NULL)
		h->offsets = offsets;
	if (frames == NULL || offsets == NULL)
		return -ENOMEM;
	h->room = room;
	return 0;
}

static void hold_frame(struct lane *l, const struct packet *pkt, const struct rewrite_plan *plan,
		       uint64_t offset)
{
	struct held *h = l->held;
	struct outbox *o = &l->out[0];
	struct frame f = {.len = plan->len};
	int err = grow(h);

	if (err == 0)
		err = sink_hold(o->sink, l->q, &f);
	if (err == -EMSGSIZE) {
		h->one.ends[REPLAY_TOO_LONG]++;
		return;
	}
	if (err != 0) {
		h->full = true;
		return;
	}
	rewrite_frame(&l->cfg->rewrite, o->macs, pkt, plan, 0, &f);
	h->frames[h->n] = f;
	h->offsets[h->n++] = offset;
	h->bytes += f.len;
	h->wire_bytes += pace_wire_bytes(f.len);
}

static void hold_packet(struct lane *l, const struct packet *pkt)
{
	struct held *h = l->held;
	struct rewrite_plan plan;

	if (h->full)
		return;
	rewrite_plan(&l->cfg->rewrite, pkt, &plan);
	h->one.read += l->q == 0;
	if (plan.end != REWRITE_OK) {
		h->one.ends[lane_end_of(plan.end)] += l->q == 0;
		return;
	}
	uint64_t offset = pace_due(&l->pace, pkt->ts_ns, plan.len);
	if (l->pace.packets == 1)
		h->due[0] = offset;
	h->due[1] = offset;
	if (lane_takes(l, pkt))
		hold_frame(l, pkt, &plan, offset);
}

struct held *held_new(struct lane *l)
{
	struct held *h = l->held = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	pace_start(&l->pace, l->cfg->rate, 0);
	lane_read_all(l, hold_packet);
	h->pace = l->pace;
	h->one.filtered = l->stats.filtered;
	/* What was counted while reading is counted again as it is sent. */
	l->stats.filtered = 0;
	if (h->full || l->error != 0) {
		l->stats.damaged = 0;
		held_free(h);
		h = NULL;
	}
	l->held = NULL;
	return h;
}

void held_free(struct held *h)
{
	if (h == NULL)
		return;
	free(h->frames);
	free(h->offsets);
	free(h);
}

static void count_batch(struct lane *l, const struct frame frames[], unsigned n)
{
	uint64_t bytes = 0, wire_bytes = 0;

	for (unsigned i = 0; i < n; i++) {
		bytes += frames[i].len;
		wire_bytes += pace_wire_bytes(frames[i].len);
	}
	l->stats.bytes += bytes;
	l->stats.wire_bytes += wire_bytes;
	l->stats.ends[REPLAY_SENT] += n;
}

static void count_due(struct lane *l, uint64_t due_ns)
{
	if (l->cfg->rate.kind != PACE_MAX)
		lane_stretch(l->stats.due_ns, due_ns);
}

/* How many there are to send now, with their times; the first is waited for. 0: it was stopped. */
static unsigned due_now(struct lane *l, const struct held *h, size_t at, uint64_t start_ns)
{
	unsigned n = h->n - at < LANE_BATCH ? (unsigned)(h->n - at) : LANE_BATCH;

	if (l->cfg->rate.kind == PACE_MAX)
		return n;
	if (!lane_approach(l, start_ns + h->offsets[at]))
		return 0;
	for (unsigned i = 0; i < n; i++) {
		uint64_t due_ns = start_ns + h->offsets[at + i];
		if (due_ns > l->horizon_ns)
			return i;
		h->frames[at + i].due_ns = due_ns;
	}
	return n;
}

/* One loop. False: it was stopped in the middle, or failed. */
static bool held_loop(struct lane *l, const struct held *h, uint64_t start_ns)
{
	struct outbox *o = &l->out[0];
	size_t at = 0;

	while (at < h->n && !lane_stopped(l)) {
		unsigned n = due_now(l, h, at, start_ns);
		if (n == 0)
			break;
		int went = sink_resend(o->sink, l->q, h->frames + at, n);
		if (went < 0) {
			lane_fail(l, went, o->ops->name);
			break;
		}
		count_batch(l, h->frames + at, (unsigned)went);
		at += (unsigned)went;
	}
	if (at == h->n)
		return true;
	l->stats.read += l->q == 0 ? at : 0;
	l->stats.planned += at;
	if (at > 0)
		count_due(l, start_ns + h->offsets[at - 1]);
	return false;
}

void held_run(struct lane *l, const struct held *h)
{
	uint64_t loops = l->cfg->loops;

	for (l->loop = 0; l->loop < loops && !lane_stopped(l); l->loop++) {
		uint64_t start_ns = l->start_ns + pace_loop_ns(&h->pace, l->loop);
		l->stats.loops++;
		count_due(l, start_ns + h->due[0]);
		if (!held_loop(l, h, start_ns))
			break;
		count_due(l, start_ns + h->due[1]);
		l->stats.read += h->one.read;
		l->stats.filtered += h->one.filtered;
		l->stats.planned += h->pace.packets;
		l->stats.planned_wire_bytes += h->pace.wire_bits / 8;
		for (unsigned i = 0; i < REPLAY_N; i++)
			l->stats.ends[i] += h->one.ends[i];
		/* Captures of which nothing can be sent would go round for ever. */
		if (h->pace.packets == 0 || (h->n == 0 && loops == REPLAY_FOREVER))
			break;
	}
	l->stats.interrupted = l->cfg->stop != NULL && atomic_load(l->cfg->stop);
}
