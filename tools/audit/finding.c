/* SPDX-License-Identifier: BSD-3-Clause */

/* A finding about frames of one conversation, and what the analysis lends to it. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "dataplane/flow_key.h"
#include "tools/audit/model_private.h"

static uint64_t key_of(uint8_t proto, const struct ip_addr *a, uint16_t a_port,
		       const struct ip_addr *b, uint16_t b_port)
{
	struct headers none = {.ip_version = 0};
	struct flow_key key;

	(void)key_make(&key, &none, proto, a, b, a_port, b_port);
	return XXH3_64bits(&key, sizeof(key));
}

uint64_t audit_record_key(const struct flow_record *f)
{
	return key_of(f->proto, &f->client, f->client_port, &f->server, f->server_port);
}

static uint64_t key_of_flow(const struct flow_key *k)
{
	return key_of(k->proto, &k->lo, k->lo_port, &k->hi, k->hi_port);
}

int audit_by_named(const void *a, const void *b)
{
	const struct named *x = a, *y = b;

	return x->frame < y->frame ? -1 : x->frame > y->frame;
}

/* The last record of that conversation that begins no later than the frame; NULL: there is none. */
static struct flow_record *record_at(const struct audit_model *m, enum compare_side port,
				     uint64_t key, uint64_t frame)
{
	const struct record *v = m->records[port];
	size_t lo = 0, hi = m->n_records[port];

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (v[mid].key < key || (v[mid].key == key && v[mid].flow->first_frame <= frame))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo > 0 && v[lo - 1].key == key ? v[lo - 1].flow : NULL;
}

/* What no analysis has a record of: the conversation, and no more. */
static struct flow_record *own_record(struct audit_model *m, const struct ledger_flow *f,
				      enum compare_side port, uint64_t frame, uint64_t ts_ns)
{
	struct flow_record *r = calloc(1, sizeof(*r));

	if (m->n_own == m->room_own) {
		size_t room = m->room_own != 0 ? m->room_own * 2 : 16;
		struct flow_record **more = realloc(m->own, room * sizeof(*more));
		if (more == NULL) {
			free(r);
			return NULL;
		}
		m->own = more;
		m->room_own = room;
	}
	if (r == NULL)
		return NULL;
	bool lo = f->lo_is_client;
	*r = (struct flow_record){
		.id = (uint64_t)port << 40 | frame << 2,
		.capture = port,
		.first_frame = frame,
		.first_ns = ts_ns,
		.last_ns = ts_ns,
		.ip_version = f->key.ip_version,
		.proto = f->key.proto,
		.client = lo ? f->key.lo : f->key.hi,
		.server = lo ? f->key.hi : f->key.lo,
		.client_port = lo ? f->key.lo_port : f->key.hi_port,
		.server_port = lo ? f->key.hi_port : f->key.lo_port,
		.end = FLOW_END_EOF,
		.app_proto = "unknown",
	};
	m->own[m->n_own++] = r;
	return r;
}

struct flow_record *audit_record_of(struct audit_model *m, uint32_t flow, enum compare_side port,
				    uint32_t index)
{
	uint32_t n;
	const struct ledger_flow *f = &ledger_flows(m->ledger, &n)[flow];
	const struct ledger_frame *at = &ledger_frames(m->ledger, port, &n)[index];
	/* A frame under other addresses is of that conversation at that port. */
	uint64_t key = at->kind == LEDGER_FLOW ? key_of_flow(&at->key) : key_of_flow(&f->key);
	struct flow_record *r = record_at(m, port, key, (uint64_t)index + 1);

	return r != NULL ? r : own_record(m, f, port, (uint64_t)index + 1, at->ts_ns);
}

static const struct finding *known_of(struct audit_model *m, const struct slice *all,
				      const uint32_t *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct named want = {.frame = (uint64_t)v[i] + 1};
		const struct named *found =
			bsearch(&want, m->named[all->port], m->n_named[all->port], sizeof(want),
				audit_by_named);
		if (found != NULL)
			return found->finding;
	}
	return NULL;
}

/* What the analysis knows of the same packets. Where it knows nothing, the first request is told.
 */
static void borrow(struct audit_model *m, struct finding *f, const struct finding *known)
{
	const struct flow_record *r = f->flow;
	const char *name = r->tls != NULL ? r->tls->sni : r->http != NULL ? r->http->host : NULL;

	f->conditional = "untested";
	f->sentence = f->trigger_value = "";
	f->reaction_ms = -1;
	if (known == NULL) {
		if (name != NULL && name[0] != '\0' && f->stage >= STAGE_POST_PSH) {
			f->trigger = r->tls != NULL ? TRIGGER_SNI : TRIGGER_HOST;
			f->trigger_value = arena_format(&m->arena, FINDING_TRIGGER, "%s", name);
		}
		return;
	}
	m->used++;
	f->trigger = known->trigger;
	f->trigger_value = known->trigger_value;
	f->trigger_packet = known->trigger_packet;
	f->reaction_ms = known->reaction_ms;
	f->dns = known->dns;
	f->page = known->page;
	f->family = known->family;
	f->devices = known->devices;
	f->n_devices = known->n_devices;
	f->injectors = known->injectors;
	f->n_injectors = known->n_injectors;
	f->ladder = known->ladder;
	f->n_ladder = known->n_ladder;
}

/* How far the connection was at that port, by what had come through or been sent until then. */
static enum stage stage_at(const struct audit_model *m, const struct slice *all, uint32_t before)
{
	uint32_t n_frames, data = 0, answered = 0;
	const struct ledger_frame *frames = ledger_frames(m->ledger, all->port, &n_frames);
	const struct ledger_flow *flow = &ledger_flows(m->ledger, &n_frames)[all->flow];

	for (uint32_t i = 0; i < all->n && all->v[i].index <= before; i++) {
		const struct ledger_frame *f = &frames[all->v[i].index];
		bool client = f->from_lo == flow->lo_is_client, syn = (f->flags & TCP_SYN) != 0;
		data += client && f->len > 0 && !syn && (f->ours || f->peer != LEDGER_NONE);
		answered += !client && (f->ours || f->peer != LEDGER_NONE);
	}
	return data > 1	      ? STAGE_LATER
	       : data == 1    ? STAGE_POST_PSH
	       : answered > 0 ? STAGE_POST_ACK
			      : STAGE_POST_SYN;
}

static bool room_for_finding(struct audit_model *m)
{
	if (m->analysis.n_findings < m->room)
		return true;
	size_t room = m->room != 0 ? m->room * 2 : 16;
	struct finding **more = realloc(m->analysis.findings, room * sizeof(struct finding *));
	if (more == NULL)
		return false;
	m->analysis.findings = more;
	m->room = room;
	return true;
}

void audit_finding_free(struct finding *f)
{
	struct compare_note *note = f != NULL ? (struct compare_note *)f->compare : NULL;

	if (note != NULL)
		free(note->packets);
	free(note);
	if (f != NULL) {
		free(f->packets);
		free(f->packet_files);
		free(f->rows);
	}
	free(f);
}

static void note_frames(const struct audit_model *m, struct finding *f, const struct slice *all,
			const uint32_t *v, uint32_t n)
{
	uint32_t count;
	const struct ledger_frame *frames = ledger_frames(m->ledger, all->port, &count);
	struct compare_note *note = (struct compare_note *)f->compare;

	for (uint32_t i = 0; i < n; i++) {
		const struct ledger_frame *at = &frames[v[i]];
		struct compare_packet *p = &note->packets[i];
		*p = (struct compare_packet){.fate = at->fate, .changed = at->changed};
		p->frame[all->port] = f->packets[i] = (uint64_t)v[i] + 1;
		if (at->peer != LEDGER_NONE)
			p->frame[!all->port] = (uint64_t)at->peer + 1;
	}
	note->conversation = all->flow;
	note->n_packets = f->n_packets = n;
	f->ts_ns = frames[v[0]].ts_ns;
}

struct finding *audit_finding_new(struct audit_model *m, const struct slice *all, const uint32_t *v,
				  uint32_t n)
{
	struct finding *f = calloc(1, sizeof(*f));
	struct compare_note *note = calloc(1, sizeof(*note));
	struct flow_record *r = audit_record_of(m, all->flow, all->port, v[0]);

	if (f == NULL || note == NULL) {
		free(note);
		audit_finding_free(f);
		return NULL;
	}
	f->compare = note;
	f->packets = calloc(n, sizeof(*f->packets));
	f->packet_files = calloc(n, sizeof(*f->packet_files));
	f->rows = calloc(AUDIT_ROWS_MAX, sizeof(*f->rows));
	note->packets = calloc(n, sizeof(*note->packets));
	if (f->packets == NULL || f->packet_files == NULL || f->rows == NULL ||
	    note->packets == NULL || r == NULL || !room_for_finding(m)) {
		audit_finding_free(f);
		return NULL;
	}
	f->flow = r;
	f->stage = stage_at(m, all, v[0]);
	note_frames(m, f, all, v, n);
	borrow(m, f, known_of(m, all, v, n));
	m->analysis.findings[m->analysis.n_findings++] = f;
	return f;
}
