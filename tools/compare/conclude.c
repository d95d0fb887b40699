/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * From packets to findings. That a packet was injected, dropped or changed is a fact here; how much
 * it says depends on what else does the same: captures that lose packets, lossy paths, translators
 * that forget, path MTU.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/compare/findings.h"
#include "tools/compare/names.h"

static uint64_t frame_in(const struct comparison *c, enum compare_side side, uint32_t i)
{
	return c->view[side].d[i].frame;
}

static struct flow_record *flow_of(const struct comparison *c, enum compare_side side,
				   uint32_t conv)
{
	const struct conversation *k = &c->view[side].conv[conv];
	struct flow_record *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	*f = (struct flow_record){
		.id = (uint64_t)side << 40 | k->first_frame << 2,
		.capture = side,
		.first_frame = k->first_frame,
		.first_ns = k->first_ns,
		.last_ns = k->last_ns,
		.ip_version = k->key.ip_version,
		.proto = k->key.proto,
		.client = k->a_is_lo ? k->key.lo : k->key.hi,
		.server = k->a_is_lo ? k->key.hi : k->key.lo,
		.client_port = k->a_is_lo ? k->key.lo_port : k->key.hi_port,
		.server_port = k->a_is_lo ? k->key.hi_port : k->key.lo_port,
		.end = FLOW_END_EOF,
		.app_proto = "unknown",
	};
	for (unsigned dir = 0; dir < 2; dir++) {
		bool lo = (dir == DIR_C2S) == k->a_is_lo;
		f->pkts[dir] = k->n_packets[lo];
		f->bytes[dir] = k->bytes[lo];
	}
	return f;
}

/* How far the connection was, as the side that the finding speaks of saw it. */
static enum stage stage_at(const struct comparison *c, const struct link *l, enum compare_side side,
			   uint64_t ts_ns)
{
	const struct view *v = &c->view[side];
	unsigned data = 0, answered = 0;

	for (unsigned way = 0; way < WAYS; way++) {
		const struct list *p = &l->list[side][way];
		bool a = (way == WAY_UP) == l->a_up;
		for (uint32_t i = 0; i < p->n && v->d[p->v[i]].ts_ns < ts_ns; i++) {
			const struct digest *d = &v->d[p->v[i]];
			data += a && d->len > 0 && (d->flags & TCP_SYN) == 0;
			answered += !a && d->fate != FATE_INJECTED;
		}
	}
	return data > 1	      ? STAGE_LATER
	       : data == 1    ? STAGE_POST_PSH
	       : answered > 0 ? STAGE_POST_ACK
			      : STAGE_POST_SYN;
}

static void note_packets(struct comparison *c, struct finding *f, struct compare_note *note,
			 enum compare_side side, const uint32_t *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct digest *d = &c->view[side].d[v[i]];
		struct compare_packet *p = &note->packets[i];
		*p = (struct compare_packet){
			.fate = d->fate, .changed = d->changed, .from = d->from, .to = d->to};
		p->frame[side] = d->frame;
		if (d->peer != NO_INDEX)
			p->frame[!side] = frame_in(c, !side, d->peer);
		f->packets[i] = d->frame;
	}
	note->n_packets = f->n_packets = n;
}

static int by_frame(const void *a, const void *b, void *user)
{
	const struct view *v = user;
	uint64_t x = v->d[*(const uint32_t *)a].frame, y = v->d[*(const uint32_t *)b].frame;
	return x < y ? -1 : x > y;
}

static bool room_for_flow(struct comparison *c)
{
	struct analysis *a = &c->analysis;
	size_t n = c->room_flows;

	if (a->n_flows < n)
		return true;
	n = n != 0 ? n * 2 : 16;
	struct flow_record **flows = realloc(a->flows, n * sizeof(struct flow_record *));
	if (flows == NULL)
		return false;
	a->flows = flows;
	c->room_flows = n;
	return true;
}

/* For one more finding, and for its flow. */
static bool room(struct comparison *c)
{
	struct analysis *a = &c->analysis;
	size_t n = c->room_findings;

	if (!room_for_flow(c))
		return false;
	if (a->n_findings < n)
		return true;
	n = n != 0 ? n * 2 : 16;
	struct finding **findings = realloc(a->findings, n * sizeof(struct finding *));
	if (findings == NULL)
		return false;
	a->findings = findings;
	c->room_findings = n;
	return true;
}

/* v: n packets of side that the finding is about; sorted here. NULL without memory. */
struct finding *finding_new(struct comparison *c, const struct link *l, enum compare_side side,
			    enum compare_way way, uint32_t *v, uint32_t n)
{
	struct analysis *a = &c->analysis;
	struct view *view = &c->view[side];
	struct finding *f = calloc(1, sizeof(*f));
	struct compare_note *note = calloc(1, sizeof(*note));

	qsort_r(v, n, sizeof(*v), by_frame, view);
	struct flow_record *flow = flow_of(c, side, view->d[v[0]].conv);
	if (f != NULL && note != NULL) {
		f->packets = calloc(n, sizeof(*f->packets));
		f->packet_files = calloc(n, sizeof(*f->packet_files));
		f->rows = calloc(ROWS_MAX, sizeof(*f->rows));
		note->packets = calloc(n, sizeof(*note->packets));
	}
	if (f == NULL || note == NULL || flow == NULL || f->packets == NULL || f->rows == NULL ||
	    f->packet_files == NULL || note->packets == NULL || !room(c)) {
		if (f != NULL) {
			free(f->packets);
			free(f->packet_files);
			free(f->rows);
		}
		if (note != NULL)
			free(note->packets);
		free(f);
		free(note);
		free(flow);
		return NULL;
	}
	/* One record a conversation and side, however many findings. */
	struct flow_record *last = a->n_flows != 0 ? a->flows[a->n_flows - 1] : NULL;
	if (last != NULL && last->id == flow->id) {
		free(flow);
		flow = last;
	} else {
		a->flows[a->n_flows++] = flow;
	}
	f->flow = flow;
	note->conversation = (uint32_t)(l - c->links);
	f->compare = note;
	f->ts_ns = view->d[v[0]].ts_ns;
	f->stage = stage_at(c, l, side, f->ts_ns);
	f->direction = (way == WAY_UP) == l->a_up ? DIR_C2S : DIR_S2C;
	f->sentence = f->trigger_value = "";
	f->reaction_ms = -1;
	f->conditional = "untested";
	note_packets(c, f, note, side, v, n);
	a->findings[a->n_findings++] = f;
	return f;
}

void finding_row(struct comparison *c, struct finding *f, const char *kind, enum grade grade, uint64_t frame,
		 const char *value, const char *expected)
{
	struct evidence_row *r = &f->rows[f->n_rows];

	if (f->n_rows == ROWS_MAX)
		return;
	f->n_rows++;
	*r = (struct evidence_row){.kind = kind, .grade = grade, .counted = true, .packet = frame};
	r->value = arena_format(&c->arena, EVIDENCE_TEXT, "%s", value);
	r->expected = arena_format(&c->arena, EVIDENCE_TEXT, "%s", expected);
}

/* How long nothing of the connection had passed this side before. */
uint64_t idle_before(const struct comparison *c, const struct link *l, enum compare_side side,
		     uint64_t ts_ns)
{
	uint64_t last = 0;

	for (unsigned way = 0; way < WAYS; way++) {
		const struct list *p = &l->list[side][way];
		for (uint32_t i = 0; i < p->n; i++) {
			const struct digest *d = &c->view[side].d[p->v[i]];
			if (d->ts_ns < ts_ns && d->ts_ns > last && d->fate == FATE_SAME)
				last = d->ts_ns;
		}
	}
	return last != 0 ? ts_ns - last : 0;
}

/* Packets of one fate that go one way, into v; also the capture's second copies of them. */
static uint32_t gather(const struct comparison *c, const struct list *l, enum compare_side side,
		       enum compare_fate fate, uint32_t *v)
{
	const struct view *view = &c->view[side];
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->n; i++) {
		if (view->d[l->v[i]].fate == fate)
			v[n++] = l->v[i];
	}
	return n;
}

static int conclude_link(struct comparison *c, const struct controls *k, const struct link *l,
			 uint32_t *v)
{
	/* By capture, so that the findings of one conversation stand together. */
	for (unsigned side = 0; side < SIDES; side++) {
		enum compare_way in = side == SIDE_CLIENT ? WAY_DOWN : WAY_UP, out = !in;
		uint32_t n = gather(c, &l->list[side][in], side, FATE_INJECTED, v);
		if (n > 0 && !conclude_injected(c, l, in, v, n))
			return -ENOMEM;
		n = gather(c, &l->list[side][in], side, FATE_MODIFIED, v);
		if (n > 0 && !conclude_modified(c, l, in, v, n))
			return -ENOMEM;
		n = gather(c, &l->list[side][out], side, FATE_DROPPED, v);
		if (n > 0 && !conclude_dropped(c, k, l, out, v, n))
			return -ENOMEM;
	}
	return 0;
}

/*
 * Findings name others as controls: what came through is listed as what did not. from: where the
 * link's records begin, those with a finding.
 */
static int list_unharmed(struct comparison *c, const struct link *l, size_t from)
{
	struct analysis *a = &c->analysis;
	enum compare_side side = l->convs[SIDE_CLIENT] != 0 ? SIDE_CLIENT : SIDE_SERVER;
	struct flow_record *flow = flow_of(c, side, l->first_conv[side]);

	for (size_t i = from; flow != NULL && i < a->n_flows; i++) {
		if (a->flows[i]->id == flow->id) {
			free(flow);
			return 0;
		}
	}
	if (flow == NULL || !room_for_flow(c)) {
		free(flow);
		return -ENOMEM;
	}
	a->flows[a->n_flows++] = flow;
	names_of_flow(c, l, flow);
	a->all_flows = true;
	return 0;
}

int conclude(struct comparison *c)
{
	uint32_t most = c->view[0].n > c->view[1].n ? c->view[0].n : c->view[1].n;
	uint32_t *v = malloc(((size_t)most + 1) * sizeof(*v));
	struct controls k = {.n = {0}};
	int err = v == NULL ? -ENOMEM : controls_make(c, &k);
	if (err == 0)
		err = forgot_make(c);

	for (unsigned way = 0; way < WAYS; way++)
		missed_count(c, way, &c->doubt[way]);
	for (uint32_t i = 0; err == 0 && i < c->n_links; i++) {
		size_t from = c->analysis.n_flows;
		err = conclude_link(c, &k, &c->links[i], v);
		if (err == 0)
			err = list_unharmed(c, &c->links[i], from);
	}
	controls_free(&k);
	free(v);
	return err;
}

void conclude_free(struct comparison *c)
{
	struct analysis *a = &c->analysis;

	for (size_t i = 0; i < a->n_findings; i++) {
		struct finding *f = a->findings[i];
		struct compare_note *note = (struct compare_note *)f->compare;
		free(note->packets);
		free(note);
		free(f->packets);
		free(f->packet_files);
		free(f->rows);
		free(f);
	}
	for (size_t i = 0; i < a->n_flows; i++)
		free(a->flows[i]);
	free(a->findings);
	free(a->flows);
}
