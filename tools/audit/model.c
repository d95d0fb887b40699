/* SPDX-License-Identifier: BSD-3-Clause */

/* The ledger's facts and the analysis's knowledge as one model that reports are written from. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/audit/model_private.h"

static int by_record(const void *a, const void *b)
{
	const struct record *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->flow->first_frame < y->flow->first_frame
		       ? -1
		       : x->flow->first_frame > y->flow->first_frame;
}

static int by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->flow != y->flow)
		return x->flow < y->flow ? -1 : 1;
	if (x->port != y->port)
		return x->port - y->port;
	return x->index < y->index ? -1 : x->index > y->index;
}

static int gather_places(struct audit_model *m)
{
	uint32_t n[SIDES];
	const struct ledger_frame *frames[SIDES] = {ledger_frames(m->ledger, 0, &n[0]),
						    ledger_frames(m->ledger, 1, &n[1])};

	m->places = malloc(((size_t)n[0] + n[1] + 1) * sizeof(*m->places));
	if (m->places == NULL)
		return -ENOMEM;
	for (unsigned port = 0; port < SIDES; port++) {
		for (uint32_t i = 0; i < n[port]; i++) {
			const struct ledger_frame *f = &frames[port][i];
			bool paired = !f->ours && f->peer != LEDGER_NONE;
			uint32_t flow = paired ? frames[!port][f->peer].flow : f->flow;
			if (paired && f->ip_len > m->largest)
				m->largest = f->ip_len;
			if (flow == LEDGER_NONE || f->kind == LEDGER_ERROR)
				continue;
			m->places[m->n_places++] =
				(struct place){.flow = flow, .index = i, .port = (uint8_t)port};
		}
	}
	qsort(m->places, m->n_places, sizeof(*m->places), by_place);
	return 0;
}

static int gather_known(struct audit_model *m, enum compare_side port)
{
	const struct analysis *a = m->seen[port];
	size_t n = 0, at = 0;

	for (size_t i = 0; i < a->n_findings; i++)
		n += a->findings[i]->scope == SCOPE_FLOW ? a->findings[i]->n_packets : 0;
	m->named[port] = malloc((n + 1) * sizeof(*m->named[port]));
	m->records[port] = malloc((a->n_flows + 1) * sizeof(*m->records[port]));
	if (m->named[port] == NULL || m->records[port] == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < a->n_findings; i++) {
		const struct finding *f = a->findings[i];
		for (unsigned k = 0; k < f->n_packets && f->scope == SCOPE_FLOW; k++)
			m->named[port][at++] = (struct named){.frame = f->packets[k], .finding = f};
	}
	for (size_t i = 0; i < a->n_flows; i++)
		m->records[port][i] =
			(struct record){.key = audit_record_key(a->flows[i]), .flow = a->flows[i]};
	m->n_named[port] = at;
	m->n_records[port] = a->n_flows;
	qsort(m->named[port], at, sizeof(*m->named[port]), audit_by_named);
	qsort(m->records[port], a->n_flows, sizeof(*m->records[port]), by_record);
	return 0;
}

static int conclude_slice(struct audit_model *m, const struct slice *all, uint32_t *v)
{
	static const struct {
		enum compare_fate fate;
		bool ours;
	} told[] = {{FATE_INJECTED, false}, {FATE_MODIFIED, false}, {FATE_DROPPED, true}};
	uint32_t count;
	const struct ledger_frame *frames = ledger_frames(m->ledger, all->port, &count);

	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		uint32_t n = 0;
		for (uint32_t k = 0; k < all->n; k++) {
			const struct ledger_frame *f = &frames[all->v[k].index];
			if (f->fate == told[i].fate && f->ours == told[i].ours && !f->not_routable)
				v[n++] = all->v[k].index;
		}
		if (n > 0 && !audit_conclude(m, all, told[i].fate, v, n))
			return -ENOMEM;
	}
	return 0;
}

/* The frames of one conversation at one port, from place i on. */
static struct slice slice_at(const struct audit_model *m, uint32_t i)
{
	struct slice all = {
		.v = &m->places[i], .flow = m->places[i].flow, .port = m->places[i].port};

	while (i + all.n < m->n_places && m->places[i + all.n].flow == all.flow &&
	       m->places[i + all.n].port == (uint8_t)all.port)
		all.n++;
	return all;
}

static void note_plain(struct audit_model *m, const struct slice *all)
{
	enum compare_way way = all->port == SIDE_CLIENT ? WAY_UP : WAY_DOWN;
	uint32_t count;
	const struct ledger_frame *frames = ledger_frames(m->ledger, all->port, &count);
	struct plain *p = &m->plain[way][all->flow];
	bool data = false, shut = false;

	for (uint32_t i = 0; i < all->n; i++) {
		const struct ledger_frame *f = &frames[all->v[i].index];
		bool first = f->len > 0 && !data;
		if (!f->ours || f->not_routable)
			continue;
		data |= first;
		shut = f->fate == FATE_DROPPED;
		p->sent += !first;
		p->lost += !first && f->fate == FATE_DROPPED;
	}
	/* The last one was dropped: shut, unless it was the only one that was. */
	if (shut && p->lost != 1)
		*p = (struct plain){.sent = 0};
	m->all_plain[way].sent += p->sent;
	m->all_plain[way].lost += p->lost;
}

static int conclude_all(struct audit_model *m)
{
	uint32_t *v = malloc(((size_t)m->n_places + 1) * sizeof(*v)), n;
	int err = v != NULL ? 0 : -ENOMEM;

	(void)ledger_flows(m->ledger, &n);
	for (unsigned way = 0; way < WAYS && err == 0; way++) {
		m->plain[way] = calloc((size_t)n + 1, sizeof(*m->plain[way]));
		err = m->plain[way] != NULL ? 0 : -ENOMEM;
	}
	for (uint32_t i = 0; i < m->n_places && err == 0;) {
		struct slice all = slice_at(m, i);
		note_plain(m, &all);
		i += all.n;
	}
	for (uint32_t i = 0; i < m->n_places && err == 0;) {
		struct slice all = slice_at(m, i);
		err = conclude_slice(m, &all, v);
		i += all.n;
	}
	free(v);
	return err;
}

static bool touched(const struct ledger_flow *f)
{
	uint64_t n = f->errors;

	for (unsigned way = 0; way < WAYS; way++)
		n += f->sent[way] - f->fates[way][FATE_SAME] + f->fates[way][FATE_INJECTED] +
		     f->fates[way][FATE_DUPLICATED];
	return n > f->not_routable;
}

static int make_rows(struct audit_model *m)
{
	uint32_t n;
	const struct ledger_flow *flows = ledger_flows(m->ledger, &n);

	m->rows = calloc((size_t)n + 1, sizeof(*m->rows));
	if (m->rows == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->n_places; i++) {
		const struct place *p = &m->places[i];
		if ((i > 0 && m->places[i - 1].flow == p->flow) || !touched(&flows[p->flow]))
			continue;
		const struct flow_record *r = audit_record_of(m, p->flow, p->port, p->index);
		if (r == NULL)
			return -ENOMEM;
		m->rows[m->n_rows++] = (struct audit_row){.flow = r, .counts = &flows[p->flow]};
	}
	return 0;
}

/* Every flow of both captures: what a finding is about, and what nothing is said of. */
static int make_flows(struct audit_model *m)
{
	struct analysis *a = &m->analysis;
	size_t n = m->seen[0]->n_flows + m->seen[1]->n_flows + m->n_own;

	a->flows = malloc((n + 1) * sizeof(struct flow_record *));
	if (a->flows == NULL)
		return -ENOMEM;
	for (unsigned port = 0; port < SIDES; port++) {
		for (size_t i = 0; i < m->seen[port]->n_flows; i++) {
			struct flow_record *f = m->seen[port]->flows[i];
			f->worst = VERDICT_NONE;
			f->capture = port;
			f->id |= (uint64_t)port << 40;
			a->flows[a->n_flows++] = f;
		}
	}
	for (size_t i = 0; i < m->n_own; i++)
		a->flows[a->n_flows++] = m->own[i];
	for (size_t i = 0; i < a->n_findings; i++) {
		struct finding *f = a->findings[i];
		struct flow_record *r = (struct flow_record *)f->flow;
		r->worst = f->verdict > r->worst ? f->verdict : r->worst;
	}
	a->all_flows = true;
	return 0;
}

int audit_model_new(struct audit_model **out, const struct ledger *l,
		    struct analysis *const seen[SIDES])
{
	struct audit_model *m = calloc(1, sizeof(*m));
	int err = m != NULL ? 0 : -ENOMEM;

	*out = NULL;
	if (err == 0) {
		m->ledger = l;
		m->seen = seen;
		m->analysis.captures = m->captures;
		m->analysis.n_captures = SIDES;
		for (unsigned port = 0; port < SIDES; port++)
			m->captures[port] = seen[port]->captures[0];
		err = gather_places(m);
	}
	for (unsigned port = 0; port < SIDES && err == 0; port++)
		err = gather_known(m, port);
	if (err == 0)
		err = conclude_all(m);
	if (err == 0)
		err = make_rows(m);
	if (err == 0)
		err = make_flows(m);
	if (err != 0)
		audit_model_free(m);
	else
		*out = m;
	return err;
}

void audit_model_free(struct audit_model *m)
{
	if (m == NULL)
		return;
	for (size_t i = 0; i < m->analysis.n_findings; i++)
		audit_finding_free(m->analysis.findings[i]);
	for (size_t i = 0; i < m->n_own; i++)
		free(m->own[i]);
	for (unsigned port = 0; port < SIDES; port++) {
		free(m->named[port]);
		free(m->records[port]);
		free(m->plain[port]);
	}
	free(m->analysis.findings);
	free(m->analysis.flows);
	free(m->places);
	free(m->rows);
	free(m->own);
	arena_free(&m->arena);
	free(m);
}

struct analysis *audit_model_analysis(struct audit_model *m)
{
	return &m->analysis;
}

void audit_model_result(const struct audit_model *m, struct audit_result *r)
{
	uint32_t n;
	uint64_t found = m->seen[0]->n_findings + m->seen[1]->n_findings;

	(void)ledger_flows(m->ledger, &n);
	r->ledger = m->ledger;
	r->rows = m->rows;
	r->n_rows = m->n_rows;
	r->conversations = n;
	r->not_the_box = found > m->used ? found - m->used : 0;
}
