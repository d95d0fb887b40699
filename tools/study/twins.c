/* SPDX-License-Identifier: BSD-3-Clause */

/* Flows of connections that another flow of the run shows as well. */

#include <errno.h>
#include <stdlib.h>

#include "tools/study/study_private.h"

static int by_id(const void *x, const void *y)
{
	uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
	return a < b ? -1 : a > b;
}

static uint64_t *find(const struct study *s, uint64_t flow_id)
{
	return s->n_twins == 0 ? NULL : bsearch(&flow_id, s->twins, s->n_twins, sizeof(*s->twins), by_id);
}

bool study_is_twin(const struct study *s, uint64_t flow_id)
{
	return find(s, flow_id) != NULL;
}

/* A flow is a twin if all that it tried was. */
int study_twins(struct study_run *r)
{
	struct study *s = &r->pub;
	size_t n = 0, kept = 0;
	for (size_t i = 0; i < r->n_trials; i++)
		n += r->trials[i].twin;
	s->twins = arena_alloc(&r->arena, (n + 1) * sizeof(*s->twins));
	bool *also = calloc(n + 1, sizeof(*also));
	if (s->twins == NULL || also == NULL) {
		free(also);
		return -ENOMEM;
	}
	for (size_t i = 0; i < r->n_trials; i++)
		if (r->trials[i].twin)
			s->twins[s->n_twins++] = r->trials[i].a->flow_id;
	qsort(s->twins, s->n_twins, sizeof(*s->twins), by_id);
	n = 0;
	for (size_t i = 0; i < s->n_twins; i++)
		if (n == 0 || s->twins[n - 1] != s->twins[i])
			s->twins[n++] = s->twins[i];
	s->n_twins = n;
	for (size_t i = 0; i < r->n_trials; i++) {
		uint64_t *at = r->trials[i].twin ? NULL : find(s, r->trials[i].a->flow_id);
		if (at != NULL)
			also[at - s->twins] = true;
	}
	for (size_t i = 0; i < n; i++)
		if (!also[i])
			s->twins[kept++] = s->twins[i];
	s->n_twins = kept;
	free(also);
	return 0;
}
