/* SPDX-License-Identifier: BSD-3-Clause */

/* From captures to the model that reports are written from. */

#include <errno.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/shard.h"
#include "classifiers/tamper/exchange.h"

#define PROTO_TCP 6
#define MANY_ATTEMPTS 100000 /* about 10 MB of them */

int analysis_new(struct analysis **out, const struct analysis_config *cfg)
{
	struct inspector *in = calloc(1, sizeof(*in));
	if (in == NULL)
		return -ENOMEM;
	if (judge_new(&in->judge) != 0) {
		free(in);
		return -ENOMEM;
	}
	in->cfg = *cfg;
	in->hears_all = signatures_foreign();
	in->pub.all_flows = cfg->all_flows;
	in->pub.spill = in->arena.spill = cfg->spill;
	for (unsigned i = 0; i < FLOW_SHARDS; i++)
		in->kept_blocks[i].spill = cfg->spill;
	pthread_mutex_init(&in->open_lock, NULL);
	const struct classifier *c;
	for (unsigned i = 0; (c = classifier_at(i)) != NULL && in->n_classifiers < CLASSIFIERS_MAX; i++) {
		if (cfg->no_ndpi && strcmp(c->name, "ndpi") == 0)
			continue;
		in->classifiers[in->n_classifiers] = c;
		in->foreign |= (classifier_is_foreign(i) ? 1u : 0) << in->n_classifiers;
		uint32_t bit = (c->packet != NULL ? 1u : 0) << in->n_classifiers;
		in->packet_classifiers[0] |= c->packet_proto != PROTO_TCP ? bit : 0;
		in->packet_classifiers[1] |=
			c->packet_proto == 0 || c->packet_proto == PROTO_TCP ? bit : 0;
		in->stream_classifiers |= (c->stream != NULL ? 1u : 0) << in->n_classifiers;
		in->state_offset[in->n_classifiers++] = in->state_size;
		in->state_size += (c->flow_size + 15) & ~(size_t)15;
	}
	in->hooks = (struct pipeline_hooks){
		.user = in,
		.shard_new = shard_new,
		.on_packet = shard_packet,
		.on_icmp = shard_icmp,
		.on_flow_end = shard_flow_end,
		.shard_free = shard_free,
		.may_shunt = shard_may_shunt,
		.on_shunted = shard_shunted,
		.scratch_near = sizeof(struct flow_scratch),
		.flow_soon = shard_soon,
	};
	*out = &in->pub;
	return 0;
}

static struct inspector *of(struct analysis *a)
{
	return (struct inspector *)(void *)a;
}

/* For one more capture: where there are a power of two of them, for as many again. */
static int make_room(struct analysis *a)
{
	struct inspector *in = of(a);
	size_t n = a->n_captures, room = n != 0 ? 2 * n : 1;
	if ((n & (n - 1)) != 0)
		return 0;
	void *captures = realloc(a->captures, room * sizeof(*a->captures));
	if (captures != NULL)
		a->captures = captures;
	void *contexts = realloc(in->contexts, room * sizeof(struct context *));
	if (contexts != NULL)
		in->contexts = contexts;
	return captures != NULL && contexts != NULL ? 0 : -ENOMEM;
}

int analysis_begin(struct analysis *a, const char *const *files, unsigned n_files)
{
	struct inspector *in = of(a);
	unsigned n = a->n_captures + 1;
	int err = make_room(a);
	if (err != 0)
		return err;
	a->captures[n - 1] = (struct capture_result){.files = files, .n_files = n_files,
						      .no_throttling = in->cfg.no_throttling};
	in->contexts[n - 1] = NULL;
	a->n_captures = n;
	return 0;
}

const struct pipeline_hooks *analysis_hooks(struct analysis *a)
{
	return &of(a)->hooks;
}

static int copy_source(struct inspector *in, struct capture_result *c)
{
	struct source_stats *s = &c->stats.source;
	struct source_damage *d = arena_alloc(&in->arena, (s->n_damage + 1) * sizeof(*d));
	struct source_iface *i = arena_alloc(&in->arena, (s->n_ifaces + 1) * sizeof(*i));
	if (d == NULL || i == NULL)
		return -ENOMEM;
	if (s->n_damage != 0)
		memcpy(d, s->damage, s->n_damage * sizeof(*d));
	if (s->n_ifaces != 0)
		memcpy(i, s->ifaces, s->n_ifaces * sizeof(*i));
	s->damage = d;
	s->ifaces = i;
	return 0;
}

static void say_partial(struct capture_result *c, int error)
{
	const struct source_stats *s = &c->stats.source;
	c->partial = error != 0 || s->n_damage != 0 || c->stats.interrupted;
	if (s->n_damage != 0)
		snprintf(c->partial_why, sizeof(c->partial_why), "%.120s: offset %llu: %s",
			 s->damage[0].file < c->n_files ? c->files[s->damage[0].file] : "?",
			 (unsigned long long)s->damage[0].offset, s->damage[0].reason);
	else if (error != 0)
		snprintf(c->partial_why, sizeof(c->partial_why), "%s", strerror(-error));
	else if (c->stats.interrupted)
		snprintf(c->partial_why, sizeof(c->partial_why), "interrupted");
}

static void add_counters(struct capture_result *c, const struct shard *s)
{
	struct inspector_stats *n = &c->inspector;
	n->duplicate_frames += s->counters.duplicate_frames;
	n->tso_segments += s->counters.tso_segments;
	n->gaps += s->counters.gaps;
	n->events_dropped += s->counters.events_dropped;
	n->ttl_probes += s->counters.ttl_probes;
	n->no_memory += s->counters.no_memory + s->no_memory;
	n->hosts_refused += context_shard_refused(s->context);
	n->not_kept += s->not_kept;
	n->not_judged += s->not_judged;
	n->not_listed += s->not_listed;
	n->attempts_dropped += s->attempts.dropped;
	n->reassembly_refused += s->pool.refused;
	n->rate_logs += s->rates.logs;
	n->rate_refused += s->rates.refused;
	n->rate_pool_bytes += s->rates.budget;
	n->flows[VERDICT_NONE] += s->untouched;
}

static int compare_flows(const struct flow_record *x, const struct flow_record *y)
{
	if (x->capture != y->capture)
		return x->capture < y->capture ? -1 : 1;
	if (x->last_ns != y->last_ns)
		return x->last_ns < y->last_ns ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static int compare_records(const void *a, const void *b)
{
	return compare_flows(*(struct flow_record *const *)a, *(struct flow_record *const *)b);
}

/* The connection before its exchanges, those in order of their first packet. */
static int compare_kept(const void *a, const void *b)
{
	const struct kept_flow *x = *(struct kept_flow *const *)a, *y = *(struct kept_flow *const *)b;
	int by_flow = compare_flows(x->rec, y->rec);
	if (by_flow != 0)
		return by_flow;
	uint64_t fx = x->ex != NULL && x->ex->n_events != 0 ? x->ex->events[0].frame : 0;
	uint64_t fy = y->ex != NULL && y->ex->n_events != 0 ? y->ex->events[0].frame : 0;
	return fx < fy ? -1 : fx > fy;
}

/* For all shards at once: a list that grows by copies would be in memory twice. */
static void reserve_attempts(struct inspector *in)
{
	struct analysis *a = &in->pub;
	size_t need = a->n_attempts;
	for (unsigned i = 0; i < FLOW_SHARDS; i++)
		need += in->shards[i] != NULL ? in->shards[i]->attempts.n : 0;
	if (need <= in->room_attempts)
		return;
	size_t room = in->room_attempts + in->room_attempts / 2; /* there may be a thousand captures */
	room = room > need ? room : need;
	void *bigger = realloc(a->attempts, room * sizeof(*a->attempts));
	if (bigger == NULL)
		return;
	a->attempts = bigger;
	in->room_attempts = room;
}

static int take_attempts(struct inspector *in, struct attempts *t, unsigned capture)
{
	struct analysis *a = &in->pub;
	size_t n = t->n;
	bool fits = a->n_attempts + n <= in->room_attempts;
	if (n == 0 || !fits) {
		attempts_free(t);
		return fits ? 0 : -ENOMEM;
	}
	attempts_move(t, a->attempts + a->n_attempts);
	for (size_t i = 0; i < n; i++)
		a->attempts[a->n_attempts++].capture = capture;
	return 0;
}

/* Takes over what a shard found; the shard ends. */
static int take_shard(struct inspector *in, struct shard *s, unsigned capture)
{
	struct analysis *a = &in->pub;
	int err = 0;
	for (size_t i = 0; i < s->n_records; i++)
		s->records[i]->capture = capture;
	keep_room((void **)&in->kept, &in->room_kept, in->n_kept + s->n_kept, sizeof(*in->kept));
	keep_room((void **)&a->flows, &in->room_flows, a->n_flows + s->n_records,
		  sizeof(struct flow_record *));
	if (in->room_kept < in->n_kept + s->n_kept || in->room_flows < a->n_flows + s->n_records) {
		err = -ENOMEM;
		for (size_t i = 0; i < s->n_kept; i++)
			kept_free(s->kept[i]);
	} else {
		if (s->n_kept != 0)
			memcpy(in->kept + in->n_kept, s->kept, s->n_kept * sizeof(*s->kept));
		if (s->n_records != 0)
			memcpy(a->flows + a->n_flows, s->records, s->n_records * sizeof(*s->records));
		in->n_kept += s->n_kept;
		a->n_flows += s->n_records;
	}
	int e = take_attempts(in, &s->attempts, capture);
	err = err != 0 ? err : e;
	arena_move(&in->arena, &s->arena);
	arena_move(&in->names, &s->names);
	context_shard_free(s->context);
	free(s->kept);
	free(s->records);
	free(s);
	return err;
}

int analysis_end(struct analysis *a, const struct pipeline_stats *stats, int error)
{
	struct inspector *in = of(a);
	unsigned n = a->n_captures - 1;
	struct capture_result *c = &a->captures[n];
	struct context_shard *contexts[FLOW_SHARDS] = {0};

	c->stats = *stats;
	int err = copy_source(in, c);
	say_partial(c, error);
	for (unsigned i = 0; i < FLOW_SHARDS; i++)
		if (in->shards[i] != NULL)
			contexts[i] = in->shards[i]->context;
	if (err == 0)
		err = context_new(&in->contexts[n], contexts, FLOW_SHARDS, in->cfg.vantage,
				  stats->last_ns);
	if (err == 0) {
		c->vantage = context_vantage(in->contexts[n], c->vantage_why, sizeof(c->vantage_why));
		c->vantage_given = in->cfg.vantage != VANTAGE_UNKNOWN;
		c->inspector.scanners = context_scanners(in->contexts[n]);
	}
	reserve_attempts(in);
	for (unsigned i = 0; i < FLOW_SHARDS; i++) {
		struct shard *s = in->shards[i];
		if (s == NULL)
			continue;
		add_counters(c, s);
		int e = take_shard(in, s, n);
		err = err != 0 ? err : e;
		in->shards[i] = NULL;
	}
#ifdef __GLIBC__
	/*
	 * What the flows had goes back: the lists that the study makes of so many are too large for its
	 * holes. Of fewer it would only have to be had again.
	 */
	if (a->n_attempts >= MANY_ATTEMPTS)
		malloc_trim(0);
#endif
	return err;
}

/* Without every flow wanted only those with a finding stay in the model. */
static void drop_untouched(struct analysis *a)
{
	size_t n = 0;
	for (size_t i = 0; i < a->n_flows; i++)
		if (a->flows[i]->worst != VERDICT_NONE)
			a->flows[n++] = a->flows[i];
	a->n_flows = n;
}

/* What is still there was not judged, for want of memory. */
static void kept_close(struct inspector *in)
{
	for (size_t i = 0; i < in->n_kept; i++)
		if (in->kept[i] != NULL)
			kept_free(in->kept[i]);
	for (unsigned i = 0; i < FLOW_SHARDS; i++)
		slab_set_close(&in->kept_blocks[i]);
	free(in->kept);
	in->kept = NULL;
	in->n_kept = in->room_kept = 0;
}

int analysis_judge(struct analysis *a)
{
	struct inspector *in = of(a);
	size_t room = 0;
	if (a->n_flows != 0)
		qsort(a->flows, a->n_flows, sizeof(*a->flows), compare_records);
	if (in->n_kept != 0)
		qsort(in->kept, in->n_kept, sizeof(*in->kept), compare_kept);
	for (size_t i = 0; i < in->n_kept; i++) {
		struct finding *found[CAUSE_N];
		struct kept_flow *k = in->kept[i];
		struct flow_record *r = k->rec;
		const struct context *ctx = in->contexts[r->capture];
		int n = k->ex == NULL
				? judge_flow(in->judge, &in->arena, &k->ev, r, ctx, found)
				: judge_exchange(in->judge, &in->arena, k->ex, r, ctx, found);
		if (n < 0)
			return n;
		keep_room((void **)&a->findings, &room, a->n_findings + (size_t)n,
			  sizeof(struct finding *));
		if (room < a->n_findings + (size_t)n)
			return -ENOMEM;
		for (int f = 0; f < n; f++)
			a->findings[a->n_findings++] = found[f];
		/* What a flow left is in one piece; the flow counts once. */
		if (i + 1 == in->n_kept || in->kept[i + 1]->rec != r)
			a->captures[r->capture].inspector.flows[r->worst]++;
		kept_free(k);
		in->kept[i] = NULL;
	}
	kept_close(in);
	attempts_settle(a);
	if (!a->all_flows)
		drop_untouched(a);
	return 0;
}

static bool append(void *list, size_t *n, const void *more, uint64_t n_more, size_t size)
{
	void **at = list;
	if (n_more == 0)
		return true;
	void *bigger = n_more < SIZE_MAX / size - *n ? realloc(*at, (*n + (size_t)n_more) * size) : NULL;
	if (bigger == NULL)
		return false;
	memcpy((char *)bigger + *n * size, more, (size_t)n_more * size);
	*at = bigger;
	*n += (size_t)n_more;
	return true;
}

int analysis_take(struct analysis *a, const struct judged_capture *j)
{
	struct inspector *in = of(a);
	unsigned n = a->n_captures;
	int err = analysis_begin(a, j->result.files, j->result.n_files);
	if (err != 0)
		return err;
	a->captures[n] = j->result;
	for (uint64_t i = 0; i < j->n_flows; i++)
		j->flows[i]->capture = n;
	for (uint64_t i = 0; i < j->n_attempts; i++)
		j->attempts[i].capture = n;
	bool all = append(&a->flows, &a->n_flows, j->flows, j->n_flows, sizeof(*a->flows)) &&
		   append(&a->findings, &a->n_findings, j->findings, j->n_findings,
			  sizeof(*a->findings)) &&
		   append(&a->attempts, &a->n_attempts, j->attempts, j->n_attempts,
			  sizeof(*a->attempts));
	in->room_flows = a->n_flows;
	in->room_attempts = a->n_attempts;
	if (all && !a->all_flows)
		drop_untouched(a);
	return all ? 0 : -ENOMEM;
}

void analysis_free(struct analysis *a)
{
	if (a == NULL)
		return;
	struct inspector *in = of(a);
	for (unsigned i = 0; i < a->n_captures; i++)
		context_free(in->contexts[i]);
	kept_close(in);
	pthread_mutex_destroy(&in->open_lock);
	arena_free(&in->arena);
	arena_free(&in->names);
	judge_free(in->judge);
	free(in->contexts);
	free(a->captures);
	free(a->flows);
	free(a->findings);
	free(a->attempts);
	free(in);
}

