/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A table of packets through decode, flow table and inspector, as one shard of the pipeline does.
 * inspector.c is included to take a copy of each flow's evidence, also of what it does not keep.
 */

#include "classifiers/inspector.c"
#include "classifiers/lists/matcher.h"

#include "tests/unit/events.h"

static inline void *copy_of(const void *p, size_t size)
{
	void *copy = malloc(size != 0 ? size : 1);
	assert_non_null(copy);
	if (size != 0)
		memcpy(copy, p, size);
	return copy;
}

/* Also what only odd flows have. */
static inline struct evidence evidence_copy(const struct evidence *of)
{
	struct evidence ev = *of;
	ev.events = copy_of(ev.events, ev.n_events * sizeof(*ev.events));
	if (ev.more != NULL) {
		const struct page *p = ev.more->page;
		ev.more = copy_of(ev.more, sizeof(*ev.more));
		ev.more->icmp = copy_of(ev.more->icmp, ev.n_icmp * sizeof(*ev.more->icmp));
		ev.more->page = p != NULL ? copy_of(p, sizeof(*p) + p->len) : NULL;
	}
	return ev;
}

static inline void world_flow_end(void *user, struct flow *f, enum flow_end why)
{
	struct world *w = user;
	struct shard *s = w->shard;
	struct flow_scratch *x = f->scratch;
	struct evidence ev = {.n_events = 0};
	if (x != NULL && f->key.proto == 6) {
		evidence_finish(&x->ev);
		ev = evidence_copy(&x->ev);
	}
	size_t known = s->n_records;
	w->hooks->on_flow_end(w->shard, f, why);
	keep_room((void **)&w->flows, &w->room_flows, w->n_flows + 1, sizeof(*w->flows));
	assert_true(s->n_records == known + 1 && w->n_flows < w->room_flows);
	w->flows[w->n_flows++] = (struct kept_flow){.rec = s->records[known], .ev = ev};
}

static inline void world_open(struct world *w, const struct events *ev, const struct variant *as)
{
	*w = (struct world){.ev = ev, .as = as, .next_id = {0x1000, 0x5000}};
	struct analysis_config cfg = {.no_ndpi = true, .all_flows = true, .vantage = ev->vantage};
	struct flow_table_config limits = {.max_flows = 4096};
	static const char *const file = "table";
	w->frames = calloc(LINES_MAX + 1, sizeof(*w->frames));
	assert_non_null(w->frames);
	make_streams(w);
	if (ev->rules != NULL) {
		assert_int_equal(ruleset_new(&w->rules), 0);
		assert_int_equal(ruleset_load(w->rules, "own", "", ev->rules, strlen(ev->rules)), 0);
		assert_int_equal(ruleset_seal(w->rules), 0);
		if (matcher_new(&w->matcher, w->rules, &(struct matcher_config){NULL}) != 0)
			w->matcher = NULL;
		cfg.rules = w->rules;
		cfg.matcher = w->matcher;
	}
	assert_int_equal(analysis_new(&w->a, &cfg), 0);
	assert_int_equal(analysis_begin(w->a, &file, 1), 0);
	w->hooks = analysis_hooks(w->a);
	w->shard = w->hooks->shard_new(w->hooks->user, 0);
	assert_non_null(w->shard);
	assert_int_equal(flow_table_new(&w->table, &limits, world_flow_end, w), 0);
}

static inline void world_feed(struct world *w, const struct frame *f, unsigned number)
{
	struct packet pkt = {.data = f->b, .caplen = f->caplen, .wirelen = (uint32_t)f->n,
			     .ts_ns = f->ts_ns, .frame = number, .linktype = LINKTYPE_ETHERNET};
	struct headers h;
	enum dir dir;
	if (f->ts_ns / 1000000000 != w->last_ns / 1000000000)
		flow_table_expire(w->table, f->ts_ns);
	w->last_ns = f->ts_ns;
	packet_decode(&pkt, &h);
	assert_true(h.end == DECODE_OK || h.end == DECODE_NO_PORTS);
	struct flow *flow = h.is_icmp_error ? flow_table_find_quoted(w->table, &h, &dir)
					    : flow_table_update(w->table, &pkt, &h, f->ts_ns, &dir);
	if (h.is_icmp_error && flow != NULL)
		w->hooks->on_icmp(w->shard, flow, dir, &pkt, &h);
	else if (flow != NULL)
		w->hooks->on_packet(w->shard, flow, dir, &pkt, &h, f->ts_ns);
}

/* To the end of the capture: what is kept and its context are the inspector's now. */
static inline void world_run(struct world *w)
{
	for (unsigned i = 0; w->ev->line[i] != NULL; i++) {
		struct line l;
		assert_true(i < LINES_MAX);
		parse_line(w->ev->line[i], &l);
		make_frame(w, &l, &w->frames[i + 1]);
		w->n_frames = i + 1;
		world_feed(w, &w->frames[i + 1], i + 1);
	}
	flow_table_free(w->table);
	w->hooks->shard_free(w->hooks->user, w->shard);
	struct pipeline_stats stats = {.last_ns = w->last_ns + 100000000000ull};
	if (w->ev->end_ms != 0)
		stats.last_ns = T0_NS + (uint64_t)(w->ev->end_ms * 1e6);
	assert_int_equal(analysis_end(w->a, &stats, 0), 0);
	w->vantage = w->a->captures[0].vantage;
}

static inline struct inspector *world_inspector(struct world *w)
{
	return (struct inspector *)(void *)w->a;
}

static inline void world_close(struct world *w)
{
	analysis_free(w->a);
	matcher_free(w->matcher);
	ruleset_free(w->rules);
	for (size_t i = 0; i < w->n_flows; i++)
		evidence_free(&w->flows[i].ev, NULL);
	free(w->flows);
	free(w->frames);
}
