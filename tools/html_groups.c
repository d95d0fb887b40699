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

/*
 * What findings are compared by, beside each other: of a million few then have to be fetched to sort them.
 * first: of the trigger's bytes, as many as there is room for, in strcmp()'s order.
 */
struct likeness {
	const struct finding *f;
	const char *id;
	uint64_t first[3];
	struct ip_addr server;
	uint16_t server_port;
	uint8_t scope, trigger, verdict;
	uint64_t ts_ns, flow;
};

static struct likeness likeness_of(const struct finding *f)
{
	struct likeness l = {.f = f, .id = f->id, .server = f->flow->server,
			     .server_port = f->flow->server_port, .scope = (uint8_t)f->scope,
			     .trigger = (uint8_t)f->trigger, .verdict = (uint8_t)f->verdict,
			     .ts_ns = f->ts_ns, .flow = f->flow->id};
	const char *value = f->trigger_value;

	for (size_t i = 0; i < sizeof(l.first); i++) {
		l.first[i / 8] = l.first[i / 8] << 8 | (uint8_t)*value;
		value += *value != '\0';
	}
	return l;
}

static int compare_triggers(const struct likeness *x, const struct likeness *y)
{
	for (size_t i = 0; i < sizeof(x->first) / sizeof(x->first[0]); i++)
		if (x->first[i] != y->first[i])
			return x->first[i] < y->first[i] ? -1 : 1;
	bool whole = (x->first[2] & 0xff) == 0;
	return whole ? 0 : strcmp(x->f->trigger_value, y->f->trigger_value);
}

/* The same kind, trigger and server. */
static int by_likeness(const struct likeness *x, const struct likeness *y)
{
	int order = strcmp(x->id, y->id);

	if (order == 0)
		order = (int)x->scope - (int)y->scope;
	if (order == 0)
		order = (int)x->trigger - (int)y->trigger;
	if (order == 0)
		order = compare_triggers(x, y);
	if (order == 0)
		order = memcmp(&x->server, &y->server, sizeof(x->server));
	if (order == 0)
		order = (int)x->server_port - (int)y->server_port;
	return order;
}

static int by_likeness_then_strength(const void *a, const void *b)
{
	const struct likeness *x = a, *y = b;
	int order = by_likeness(x, y);

	if (order == 0)
		order = (int)y->verdict - (int)x->verdict;
	if (order == 0)
		order = x->ts_ns < y->ts_ns ? -1 : x->ts_ns > y->ts_ns;
	if (order == 0)
		order = x->flow < y->flow ? -1 : x->flow > y->flow;
	return order;
}

static int by_strength(const void *a, const void *b)
{
	const struct html_group *x = a, *y = b;

	if (x->verdict != y->verdict)
		return (int)y->verdict - (int)x->verdict;
	/* What speaks of several connections says what the single ones were about. */
	if (x->wider != y->wider)
		return x->wider ? -1 : 1;
	if (x->n != y->n)
		return compare_size(y->n, x->n);
	return compare_size(x->order, y->order);
}

/* Those to show, alike beside each other, the strongest first. *n: how many. NULL: no memory. */
static struct likeness *sort(const struct html *h, size_t *n)
{
	const struct analysis *a = h->analysis;
	struct likeness *list = malloc((a->n_findings + 1) * sizeof(*list));

	*n = 0;
	if (list == NULL)
		return NULL;
	for (size_t i = 0; i < a->n_findings; i++) {
		if (a->findings[i]->verdict >= h->options->min_verdict)
			list[(*n)++] = likeness_of(a->findings[i]);
	}
	qsort(list, *n, sizeof(*list), by_likeness_then_strength);
	return list;
}

int html_groups_make(struct html_groups *g, const struct html *h)
{
	size_t n;
	int err = -ENOMEM;
	struct likeness *sorted = sort(h, &n);

	*g = (struct html_groups){.n = 0};
	if (sorted == NULL)
		return err;
	g->findings = malloc((n + 1) * sizeof(*g->findings));
	g->n_findings = n;
	for (size_t i = 0; i < n; i++)
		g->n += i == 0 || by_likeness(&sorted[i - 1], &sorted[i]) != 0;
	g->list = calloc(g->n + 1, sizeof(*g->list));
	if (g->findings == NULL || g->list == NULL)
		goto out;
	struct html_group *at = g->list - 1;
	for (size_t i = 0; i < n; i++) {
		g->findings[i] = sorted[i].f;
		if (i == 0 || by_likeness(&sorted[i - 1], &sorted[i]) != 0)
			*++at = (struct html_group){.list = &g->findings[i],
						    .order = i,
						    .id = sorted[i].id,
						    .verdict = (enum verdict)sorted[i].verdict,
						    .wider = sorted[i].scope != SCOPE_FLOW};
		at->n++;
		at->by[sorted[i].verdict]++;
	}
	qsort(g->list, g->n, sizeof(*g->list), by_strength);
	err = 0;
out:
	free(sorted);
	return err;
}

void html_groups_free(struct html_groups *g)
{
	free(g->findings);
	free(g->list);
}
