/* SPDX-License-Identifier: BSD-3-Clause */

/* Findings that are alike, told once: what keeps a page of a million of them short. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/html.h"

static int compare_size(size_t a, size_t b)
{
	return a < b ? -1 : a > b;
}

/* The same kind, trigger and server. */
static int by_likeness(const struct finding *x, const struct finding *y)
{
	int order = strcmp(x->id, y->id);

	if (order == 0)
		order = (int)x->scope - (int)y->scope;
	if (order == 0)
		order = (int)x->trigger - (int)y->trigger;
	if (order == 0)
		order = strcmp(x->trigger_value, y->trigger_value);
	if (order == 0)
		order = memcmp(&x->flow->server, &y->flow->server, sizeof(x->flow->server));
	if (order == 0)
		order = (int)x->flow->server_port - (int)y->flow->server_port;
	return order;
}

static int by_likeness_then_strength(const void *a, const void *b)
{
	const struct finding *x = *(const struct finding *const *)a;
	const struct finding *y = *(const struct finding *const *)b;
	int order = by_likeness(x, y);

	if (order == 0)
		order = (int)y->verdict - (int)x->verdict;
	if (order == 0)
		order = x->ts_ns < y->ts_ns ? -1 : x->ts_ns > y->ts_ns;
	if (order == 0)
		order = x->flow->id < y->flow->id ? -1 : x->flow->id > y->flow->id;
	return order;
}

static int by_strength(const void *a, const void *b)
{
	const struct html_group *x = a, *y = b;
	const struct finding *f = x->list[0], *g = y->list[0];

	if (f->verdict != g->verdict)
		return (int)g->verdict - (int)f->verdict;
	/* What speaks of several connections says what the single ones were about. */
	if ((f->scope != SCOPE_FLOW) != (g->scope != SCOPE_FLOW))
		return f->scope != SCOPE_FLOW ? -1 : 1;
	if (x->n != y->n)
		return compare_size(y->n, x->n);
	return compare_size(x->order, y->order);
}

int html_groups_make(struct html_groups *g, const struct html *h)
{
	const struct analysis *a = h->analysis;
	size_t n = 0;

	*g = (struct html_groups){.n = 0};
	g->findings = malloc((a->n_findings + 1) * sizeof(*g->findings));
	if (g->findings == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < a->n_findings; i++) {
		if (a->findings[i]->verdict >= h->options->min_verdict)
			g->findings[n++] = a->findings[i];
	}
	g->n_findings = n;
	qsort(g->findings, n, sizeof(struct finding *), by_likeness_then_strength);
	for (size_t i = 0; i < n; i++)
		g->n += i == 0 || by_likeness(g->findings[i - 1], g->findings[i]) != 0;
	g->list = calloc(g->n + 1, sizeof(*g->list));
	if (g->list == NULL)
		return -ENOMEM;
	struct html_group *at = g->list - 1;
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || by_likeness(g->findings[i - 1], g->findings[i]) != 0)
			*++at = (struct html_group){.list = &g->findings[i], .order = i};
		at->n++;
		at->by[g->findings[i]->verdict]++;
	}
	qsort(g->list, g->n, sizeof(*g->list), by_strength);
	return 0;
}

void html_groups_free(struct html_groups *g)
{
	free(g->findings);
	free(g->list);
}
