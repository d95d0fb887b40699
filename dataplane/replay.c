/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/replay.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/replay_lane.h"
#include "dataplane/thread.h"

#define LEAD_NS  20000000u /* for every thread to have its first packet ready */

const char *const replay_end_name[REPLAY_N] = {
	[REPLAY_SENT] = "sent",
	[REPLAY_REFUSED] = "refused",
	[REPLAY_TRUNCATED] = "truncated",
	[REPLAY_TOO_LONG] = "too_long",
	[REPLAY_NOT_ETHERNET] = "not_ethernet",
	[REPLAY_RUNT] = "runt",
	[REPLAY_UNSENT] = "unsent",
};

struct replay {
	struct replay_config cfg;
	struct sink *sinks[REPLAY_PORTS];
	struct lane *lanes[REPLAY_QUEUES];
	unsigned queues;
	atomic_bool failed; /* a lane has: the others stop */
	struct replay_stats stats;
};

/* n events between the first and the last of them are n - 1 gaps. */
static struct replay_rate rate_of(uint64_t n, uint64_t wire_bytes, const uint64_t range[2])
{
	double gaps = n > 1 ? (double)(n - 1) : 0;
	double seconds = (double)(range[1] - range[0]) / 1e9;

	if (gaps == 0 || seconds <= 0)
		return (struct replay_rate){.packets = 0};
	return (struct replay_rate){
		.packets = gaps / seconds,
		.bits = 8 * (double)wire_bytes / (double)n * gaps / seconds,
	};
}

struct replay_rate replay_asked(const struct replay_stats *s)
{
	return rate_of(s->planned, s->planned_wire_bytes, s->due_ns);
}

struct replay_rate replay_achieved(const struct replay_stats *s)
{
	return rate_of(s->ends[REPLAY_SENT], s->wire_bytes, s->sent_ns);
}

static int check_captures(const struct source_config *cfg, char *err, size_t errlen)
{
	struct source_config one = *cfg;
	struct source *src;
	int ret = 0;

	one.n_files = cfg->rotated ? cfg->n_files : 1;
	for (unsigned i = 0; i < cfg->n_files && ret == 0; i += one.n_files) {
		one.files = cfg->files + i;
		if (strcmp(one.files[0], "-") == 0)
			continue;
		ret = source_open(&src, NULL, &one, err, errlen);
		if (ret == 0)
			source_close(src);
	}
	return ret;
}

static bool reads_stdin(const struct source_config *cfg)
{
	bool any = false;

	for (unsigned i = 0; i < cfg->n_files; i++)
		any |= strcmp(cfg->files[i], "-") == 0;
	return any;
}

static int open_ports(struct replay *r, char *err, size_t errlen)
{
	r->queues = reads_stdin(&r->cfg.source) ? 1 : REPLAY_QUEUES;
	const struct sink_ops *ops = sink_find(r->cfg.engine);
	if (ops != NULL && !reads_stdin(&r->cfg.source) && held_suits(&r->cfg, ops))
		held_measure(&r->cfg, &r->cfg.port[0]);
	for (unsigned p = 0; p < r->cfg.n_ports; p++) {
		int ret = sink_open(&r->sinks[p], r->cfg.engine, &r->cfg.port[p], err, errlen);
		if (ret != 0)
			return ret;
		unsigned n = sink_queues(r->sinks[p]);
		r->queues = n < r->queues ? n : r->queues;
	}
	return 0;
}

int replay_new(struct replay **out, const struct replay_config *cfg, bool *at_input, char *err,
	       size_t errlen)
{
	*out = NULL;
	*at_input = true;
	int ret = check_captures(&cfg->source, err, errlen);
	if (ret != 0)
		return ret;
	*at_input = false;
	struct replay *r = calloc(1, sizeof(*r));
	if (r == NULL) {
		snprintf(err, errlen, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	r->cfg = *cfg;
	ret = open_ports(r, err, errlen);
	if (ret != 0)
		goto out;
	for (unsigned q = 0; q < r->queues && ret == 0; q++)
		ret = lane_new(&r->lanes[q], &r->cfg, r->sinks, q, r->queues, &r->failed);
	if (ret != 0)
		snprintf(err, errlen, "%s", strerror(-ret));
out:
	if (ret != 0)
		replay_free(r);
	else
		*out = r;
	return ret;
}

static void *lane_main(void *arg)
{
	lane_run(arg);
	return NULL;
}

static int start_others(struct replay *r, unsigned *started)
{
	int err = 0;

	for (*started = 1; *started < r->queues && err == 0; *started += err == 0)
		err = thread_start(&r->lanes[*started]->thread, lane_main, r->lanes[*started]);
	return err;
}

static void stretch_by(uint64_t into[2], const uint64_t from[2])
{
	if (from[0] != 0 && (into[0] == 0 || from[0] < into[0]))
		into[0] = from[0];
	if (from[1] > into[1])
		into[1] = from[1];
}

/* Each lane has counted its own packets, and the first what belongs to none. */
static void sum_up(struct replay_stats *into, const struct replay_stats *s, bool first)
{
	for (unsigned i = 0; i < REPLAY_N; i++)
		into->ends[i] += s->ends[i];
	into->bytes += s->bytes;
	into->wire_bytes += s->wire_bytes;
	into->undecided += s->undecided;
	into->interrupted |= s->interrupted;
	stretch_by(into->due_ns, s->due_ns);
	stretch_by(into->sent_ns, s->sent_ns);
	pace_errors_merge(&into->errors, &s->errors);
	if (!first)
		return;
	into->read = s->read;
	into->filtered = s->filtered;
	into->loops = s->loops;
	into->planned = s->planned;
	into->planned_wire_bytes = s->planned_wire_bytes;
	into->damaged = s->damaged;
}

/* After a stop lanes have read unequally far: what the others read counts as the first's does. */
static void level(struct replay_stats *s)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < REPLAY_N; i++)
		sum += s->ends[i];
	if (s->read > sum)
		s->ends[REPLAY_UNSENT] += s->read - sum;
	else
		s->read = sum;
}

int replay_run(struct replay *r, char *err, size_t errlen)
{
	unsigned started;

	for (unsigned q = 0; q < r->queues; q++)
		lane_prepare(r->lanes[q]);
	uint64_t start_ns = pace_now() + LEAD_NS;
	for (unsigned q = 0; q < r->queues; q++)
		r->lanes[q]->start_ns = start_ns;
	int ret = start_others(r, &started);
	if (ret == 0)
		lane_run(r->lanes[0]);
	else
		snprintf(err, errlen, "%s", strerror(-ret));
	atomic_store(&r->failed, ret != 0 || atomic_load(&r->failed));
	for (unsigned q = 1; q < started; q++)
		pthread_join(r->lanes[q]->thread, NULL);
	for (unsigned p = 0; p < r->cfg.n_ports; p++) {
		int flushed = sink_flush(r->sinks[p]);
		if (flushed != 0 && ret == 0) {
			ret = flushed;
			snprintf(err, errlen, "%s: %s", r->cfg.engine, strerror(-flushed));
		}
	}
	uint64_t end_ns = pace_now();
	for (unsigned q = 0; q < started; q++) {
		struct lane *l = r->lanes[q];
		sum_up(&r->stats, &l->stats, q == 0);
		if (l->error == 0 || ret != 0)
			continue;
		ret = l->error;
		snprintf(err, errlen, "%s", l->why);
	}
	level(&r->stats);
	for (unsigned p = 0; p < r->cfg.n_ports; p++)
		sink_stats(r->sinks[p], &r->stats.sink[p]);
	if (r->stats.sent_ns[0] == 0 && r->stats.ends[REPLAY_SENT] > 0) {
		r->stats.sent_ns[0] = start_ns;
		r->stats.sent_ns[1] = end_ns;
	}
	r->stats.queues = r->queues;
	return ret;
}

const struct replay_stats *replay_stats(const struct replay *r)
{
	return &r->stats;
}

void replay_free(struct replay *r)
{
	if (r == NULL)
		return;
	for (unsigned q = 0; q < REPLAY_QUEUES; q++)
		lane_free(r->lanes[q]);
	for (unsigned p = 0; p < REPLAY_PORTS; p++)
		sink_close(r->sinks[p]);
	free(r);
}
