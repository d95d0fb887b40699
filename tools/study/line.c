/* SPDX-License-Identifier: BSD-3-Clause */

#include "tools/study/line.h"

#include <string.h>

struct study_line *study_line_add(struct study_profile *p, struct arena *a, const char *what)
{
	if (p->n_lines == STUDY_LINES_MAX)
		return NULL;
	struct study_line *l = &p->lines[p->n_lines++];
	*l = (struct study_line){.what = what, .said = STUDY_NOT_OBSERVED, .value = "", .why = ""};
	l->flows = arena_alloc(a, STUDY_LINE_FLOWS * sizeof(*l->flows));
	if (l->flows == NULL)
		p->n_lines--;
	return l->flows != NULL ? l : NULL;
}

void study_line_seen(struct study_line *l, uint64_t flow_id)
{
	if (l == NULL)
		return;
	l->said = STUDY_OBSERVED;
	l->n++;
	for (unsigned i = 0; i < l->n_flows; i++)
		if (l->flows[i] == flow_id)
			return;
	if (l->n_flows < STUDY_LINE_FLOWS)
		l->flows[l->n_flows++] = flow_id;
}

void study_line_out_of_sight(struct study_line *l, const char *why)
{
	if (l != NULL && l->said == STUDY_NOT_OBSERVED) {
		l->said = STUDY_NOT_TESTABLE;
		l->why = why;
	}
}

struct study_trigger *study_trigger_of(struct study_profile *p, enum trigger_kind kind,
				       const char *name)
{
	for (unsigned i = 0; i < p->n_triggers; i++)
		if (p->triggers[i].kind == kind && strcmp(p->triggers[i].name, name) == 0)
			return &p->triggers[i];
	if (p->n_triggers == STUDY_TRIGGERS_MAX) {
		p->more_triggers++;
		return NULL;
	}
	p->triggers[p->n_triggers] = (struct study_trigger){.kind = kind, .name = name};
	return &p->triggers[p->n_triggers++];
}
