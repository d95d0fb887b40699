/* SPDX-License-Identifier: BSD-3-Clause */

/* The comparison as a whole: what is asked of it from outside, and the order of its parts. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/compare/boxes.h"
#include "tools/compare/names.h"

#define PACKETS_DEFAULT (4u << 20)
#define BYTES_DEFAULT	(UINT64_C(128) << 20)

const char *const compare_fate_name[FATE_N] = {
	[FATE_NONE] = "not_examined",	      [FATE_SAME] = "same",
	[FATE_RESEGMENTED] = "resegmented",   [FATE_DUPLICATED] = "duplicated",
	[FATE_MODIFIED] = "modified",	      [FATE_INJECTED] = "injected",
	[FATE_DROPPED] = "dropped",	      [FATE_MISSED] = "missed_by_capture",
	[FATE_UNCOVERED] = "outside_capture", [FATE_UNKNOWN] = "ambiguous",
};

const char *const compare_change_name[CHANGES] = {
	"tos",	  "ip_id",	"df",	   "flags",   "window",	   "mss",
	"wscale", "timestamps", "options", "payload", "addresses", "length",
};

int comparison_new(struct comparison **out, const struct compare_config *cfg)
{
	struct comparison *c = calloc(1, sizeof(*c));

	*out = c;
	if (c == NULL)
		return -ENOMEM;
	c->cfg = *cfg;
	for (unsigned i = 0; i < SIDES; i++) {
		c->view[i].max = cfg->max_packets != 0 ? cfg->max_packets : PACKETS_DEFAULT;
		c->view[i].arena_max = cfg->max_bytes != 0 ? cfg->max_bytes : BYTES_DEFAULT;
		view_hooks(&c->view[i], &c->view_hooks[i]);
	}
	c->analysis.captures = c->captures;
	c->analysis.n_captures = SIDES;
	int err = names_new(&c->names);
	if (err == 0)
		return 0;
	comparison_free(c);
	*out = NULL;
	return err;
}

void comparison_free(struct comparison *c)
{
	if (c == NULL)
		return;
	conclude_free(c);
	for (unsigned i = 0; i < SIDES; i++) {
		view_free(&c->view[i]);
		free(c->order[i]);
		free((void *)c->captures[i].stats.source.ifaces);
		free((void *)c->captures[i].stats.source.damage);
	}
	free(c->links);
	free(c->forgotten);
	names_free(c->names);
	arena_free(&c->arena);
	free(c);
}

const struct pipeline_hooks *comparison_hooks(struct comparison *c, enum compare_side side)
{
	if (names_hooks(c->names, side, &c->view_hooks[side], &c->hooks[side]) != 0)
		c->view[side].no_memory = true;
	return &c->hooks[side];
}

/* A copy, since the source keeps them only until it is closed; empty without memory. */
static const void *copy_of(const void *list, unsigned *n, size_t size)
{
	void *mine = *n != 0 ? malloc(*n * size) : NULL;

	if (mine != NULL)
		memcpy(mine, list, *n * size);
	else
		*n = 0;
	return mine;
}

void comparison_captured(struct comparison *c, enum compare_side side, const char *const *file,
			 const struct pipeline_stats *stats, int failed)
{
	struct capture_result *r = &c->captures[side];
	struct view *v = &c->view[side];
	struct source_stats *s = &r->stats.source;

	if (names_captured(c->names, side, stats, failed) != 0)
		v->no_memory = true;
	r->files = file;
	r->n_files = 1;
	r->stats = *stats;
	for (unsigned i = 0; i < stats->source.n_ifaces; i++) {
		uint64_t lost = stats->source.ifaces[i].dropped;
		v->lossy = v->lossy || (lost != UINT64_MAX && lost > 0);
	}
	s->ifaces = copy_of(s->ifaces, &s->n_ifaces, sizeof(*s->ifaces));
	s->damage = copy_of(s->damage, &s->n_damage, sizeof(*s->damage));
	s->comment = NULL;
	s->n_comment = 0;
	r->vantage = side == SIDE_CLIENT ? VANTAGE_CLIENT : VANTAGE_SERVER;
	r->vantage_given = false;
	snprintf(r->vantage_why, sizeof(r->vantage_why), "the order of the two files says so");
	const char *why = failed != 0	       ? "reading failed"
			  : stats->interrupted ? "interrupted"
			  : s->n_damage != 0   ? s->damage[0].reason
			  : v->full	       ? "more packets than are compared"
					       : NULL;
	r->partial = why != NULL;
	snprintf(r->partial_why, sizeof(r->partial_why), "%s: %s", file[0], why != NULL ? why : "");
}

static void worst_of_flows(struct analysis *a)
{
	for (size_t i = 0; i < a->n_findings; i++) {
		struct flow_record *flow = (struct flow_record *)a->findings[i]->flow; /* its own list's */
		if (a->findings[i]->scope == SCOPE_FLOW && a->findings[i]->verdict > flow->worst)
			flow->worst = a->findings[i]->verdict;
	}
}

int comparison_run(struct comparison *c)
{
	if (c->view[0].no_memory || c->view[1].no_memory)
		return -ENOMEM;
	int err = names_ready(c->names);
	for (unsigned side = 0; err == 0 && side < SIDES; side++)
		names_turn(c->names, side, &c->view[side]);
	if (err == 0)
		err = links_make(c);
	if (err == 0)
		err = links_sort(c, false);
	if (err == 0)
		err = clocks_align(c);
	if (err == 0)
		err = links_expect(c);
	for (uint32_t i = 0; err == 0 && i < c->n_links && c->clock.aligned; i++) {
		for (unsigned way = 0; err == 0 && way < WAYS; way++) {
			err = pair_link(c, &c->links[i], way);
			if (err == 0)
				err = rest_link(c, &c->links[i], way);
		}
	}
	if (err != 0)
		return err;
	for (unsigned i = 0; i < SIDES; i++) {
		view_twins(&c->view[i]);
		c->view[i].lossy = c->view[i].lossy || c->view[i].missed > 0;
	}
	err = links_sort(c, true);
	if (err == 0)
		err = conclude(c);
	if (err == 0)
		err = names_tell(c);
	if (err == 0)
		err = profiles_write(c);
	/* Its boxes' rules may have made more of some. */
	if (err == 0 && c->analysis.n_findings != 0)
		err = names_conditions(c);
	worst_of_flows(&c->analysis);
	return err;
}

struct analysis *comparison_analysis(struct comparison *c)
{
	return &c->analysis;
}

const struct study *comparison_study(const struct comparison *c)
{
	return &c->study;
}

const struct compare_clock *comparison_clock(const struct comparison *c)
{
	return &c->clock;
}

const struct compare_totals *comparison_totals(const struct comparison *c, enum compare_way way)
{
	return &c->totals[way];
}

void comparison_links(const struct comparison *c, uint64_t *both, uint64_t *lone,
		      uint64_t *elsewhere)
{
	*both = c->both;
	*lone = c->lone;
	*elsewhere = c->elsewhere;
}

bool comparison_lossy(const struct comparison *c, enum compare_side side)
{
	return c->view[side].lossy;
}
