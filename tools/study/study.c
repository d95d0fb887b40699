/* SPDX-License-Identifier: BSD-3-Clause */

#include "tools/study/study.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/study/study_private.h"

#define FLOWS_MAX 64
#define BENIGN_MAX 4

const char *const study_mode_name[STUDY_MODE_N] = {
	[STUDY_MODE_UNKNOWN] = "unknown",
	[STUDY_ON_PATH] = "on_path",
	[STUDY_IN_PATH] = "in_path",
};

static int by_id(const void *x, const void *y)
{
	const uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
	return a < b ? -1 : a > b;
}

uint64_t *study_flow_ids(struct study_run *r, const struct attempt *const *list, unsigned n,
			 unsigned *n_out)
{
	uint64_t *out = arena_alloc(&r->arena, (n + 1) * sizeof(*out));
	unsigned kept = 0;
	*n_out = 0;
	if (out == NULL)
		return NULL;
	for (unsigned i = 0; i < n && i < FLOWS_MAX; i++)
		out[kept++] = list[i]->flow_id;
	qsort(out, kept, sizeof(*out), by_id);
	for (unsigned i = 0; i < kept; i++)
		if (i == 0 || out[i] != out[*n_out - 1])
			out[(*n_out)++] = out[i];
	return out;
}

void study_condition(struct finding *own, const struct finding *over)
{
	own->conditional = over->conditional;
	own->controls = over->controls;
	own->n_controls = over->n_controls;
}

static bool append(struct study_run *r, struct finding *f)
{
	struct analysis *a = r->a;
	if (a->n_findings >= r->room_findings) {
		size_t room = a->n_findings + a->n_findings / 2 + 16;
		void *bigger = realloc(a->findings, room * sizeof(struct finding *));
		if (bigger == NULL)
			return false;
		a->findings = bigger;
		r->room_findings = room;
	}
	a->findings[a->n_findings++] = f;
	return true;
}

/* Flows that nothing was found of leave no record unless all are wanted: the attempt knows enough. */
static const struct flow_record *record_of(struct study_run *r, const struct attempt *a)
{
	if (a->flow != NULL)
		return a->flow;
	struct flow_record *f = arena_alloc(&r->arena, sizeof(*f));
	if (f == NULL)
		return NULL;
	*f = (struct flow_record){
		.id = a->flow_id,
		.capture = a->capture,
		.first_frame = (a->flow_id & ((UINT64_C(1) << 40) - 1)) >> 2,
		.first_ns = a->start_ns,
		.last_ns = a->end_ns,
		.ip_version = a->ip_version,
		.proto = a->proto,
		.client = a->client,
		.server = a->server,
		.client_port = a->client_port,
		.server_port = a->server_port,
		.app_proto = "unknown",
	};
	return f;
}

struct finding *study_finding(struct study_run *r, const struct study_cause *c)
{
	const struct attempt *first = NULL;
	for (unsigned i = 0; i < c->n_attempts; i++)
		if (c->attempts[i]->flow != NULL && (first == NULL || first->flow == NULL))
			first = c->attempts[i];
	if (first == NULL)
		first = c->attempts[0];
	struct finding *f = arena_alloc(&r->arena, sizeof(*f));
	if (f == NULL)
		return NULL;
	*f = (struct finding){
		.id = c->id,
		.summary = c->summary,
		.refs = c->refs,
		.family = c->family,
		.flow = record_of(r, first),
		.scope = c->scope,
		.stage = (enum stage)first->stage,
		.direction = first->finding != NULL ? first->finding->direction : DIR_C2S,
		.ts_ns = first->end_ns,
		.sentence = "",
		.trigger_value = "",
		.reaction_ms = -1,
		.conditional = "untested",
		.packets = arena_alloc(&r->arena, sizeof(*f->packets)),
		.packet_files = arena_alloc(&r->arena, sizeof(*f->packet_files)),
		.rows = arena_alloc(&r->arena, STUDY_ROWS * sizeof(*f->rows)),
		.untestable = arena_alloc(&r->arena, sizeof(*f->untestable)),
		.benign = arena_alloc(&r->arena, BENIGN_MAX * sizeof(*f->benign)),
		.ruled_out = arena_alloc(&r->arena, BENIGN_MAX * sizeof(*f->ruled_out)),
		.ladder = arena_alloc(&r->arena, sizeof(*f->ladder)),
	};
	f->flows = study_flow_ids(r, c->attempts, c->n_attempts, &f->n_flows);
	f->controls = study_flow_ids(r, c->controls, c->n_controls, &f->n_controls);
	if (f->packets == NULL || f->packet_files == NULL || f->rows == NULL ||
	    f->untestable == NULL || f->benign == NULL || f->ruled_out == NULL ||
	    f->ladder == NULL || f->flows == NULL || f->controls == NULL || f->flow == NULL)
		return NULL;
	return append(r, f) ? f : NULL;
}

void study_row(struct study_run *r, struct finding *f, const char *kind, enum grade grade, const char *value,
	       const char *expected)
{
	if (f->n_rows == STUDY_ROWS)
		return;
	struct evidence_row *row = &f->rows[f->n_rows++];
	*row = (struct evidence_row){
		.kind = kind,
		.grade = grade,
		.counted = true,
		.value = arena_format(&r->arena, EVIDENCE_TEXT, "%s", value),
		.expected = arena_format(&r->arena, EVIDENCE_TEXT, "%s", expected),
	};
}

void study_benign(struct finding *f, const char *why)
{
	if (f->n_benign < BENIGN_MAX)
		f->benign[f->n_benign++] = why;
}

void study_weigh(struct finding *f, enum verdict most)
{
	static const double points[] = {[GRADE_D1] = 0.5, [GRADE_D2] = 2, [GRADE_D3] = 3.5,
					[GRADE_D4] = 6};
	enum grade best = 0;
	double weak = 0;
	f->score = 0;
	for (unsigned i = 0; i < f->n_rows; i++) {
		enum grade g = f->rows[i].grade;
		if (g == GRADE_D1)
			weak += points[g];
		else
			f->score += points[g];
		best = g > best ? g : best;
	}
	f->score += weak < 1.5 ? weak : 1.5;
	f->verdict = f->score >= 6 && best == GRADE_D4	 ? VERDICT_CONFIRMED
		     : f->score >= 4 && best >= GRADE_D3 ? VERDICT_LIKELY
		     : f->score >= 2			 ? VERDICT_ANOMALY
							 : VERDICT_INCONCLUSIVE;
	if (f->verdict > most)
		f->verdict = most;
}

int study_new(struct study **out, struct analysis *a)
{
	struct study_run *r = calloc(1, sizeof(*r));
	if (r == NULL)
		return -ENOMEM;
	r->a = a;
	int err = study_trials(r);
	if (err == 0)
		err = study_twins(r);
	if (err == 0)
		err = study_windows(r);
	if (err == 0)
		err = study_names(r);
	if (err == 0)
		err = study_residual(r);
	if (err == 0)
		err = study_features(r);
	if (err == 0)
		err = study_rates(r);
	if (err == 0)
		err = study_certificates(r);
	if (err == 0)
		err = study_encrypted(r);
	if (err == 0)
		err = study_allowed(r);
	if (err == 0)
		err = study_probes(r);
	if (err == 0)
		err = study_bursts(r);
	if (err == 0)
		err = study_profiles(r);
	if (err != 0) {
		study_free(&r->pub);
		return err;
	}
	*out = &r->pub;
	return 0;
}

void study_free(struct study *s)
{
	struct study_run *r = (struct study_run *)(void *)s;
	if (r == NULL)
		return;
	free(r->windows);
	arena_free(&r->arena);
	free(r);
}
