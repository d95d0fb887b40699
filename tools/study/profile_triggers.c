/* SPDX-License-Identifier: BSD-3-Clause */

/* What a box acts on, and what it lets pass. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/study/profile.h"

static struct study_trigger *trigger_of(struct study_profile *p, enum trigger_kind kind,
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

/* What a row of the table is to the box. */
enum relation {
	REL_ACTED = 1 << 0, /* the box acted on it */
	REL_SAME = 1 << 1,  /* on that name, perhaps towards another server */
	REL_NEAR = 1 << 2,  /* on something at that address */
};

struct place {
	struct ip_addr addr;
	uint8_t ip_version;
};

static int by_place(const void *x, const void *y)
{
	const struct place *a = x, *b = y;
	int by = (int)a->ip_version - (int)b->ip_version;
	return by != 0 ? by : memcmp(&a->addr, &b->addr, sizeof(a->addr));
}

static struct place place_of(const struct study_name *n)
{
	return (struct place){n->server, n->ip_version};
}

/* From the rows that it acted on to those that are related to them, without comparing all with all. */
static int relate(const struct study_run *r, uint8_t relation[])
{
	size_t n_places = 0;
	struct place *places = malloc((r->pub.n_names + 1) * sizeof(*places));
	if (places == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < r->pub.n_names; i++) {
		if ((relation[i] & REL_ACTED) == 0)
			continue;
		const struct study_group *g = &r->groups[r->group_of[i]];
		/* Rows of a group are adjacent, and the first that was acted on marks them all. */
		if ((relation[g->first_row] & REL_SAME) == 0)
			for (uint32_t k = 0; k < g->n_rows; k++)
				relation[g->first_row + k] |= REL_SAME;
		places[n_places++] = place_of(&r->pub.names[i]);
	}
	qsort(places, n_places, sizeof(*places), by_place);
	for (size_t i = 0; n_places != 0 && i < r->pub.n_names; i++) {
		struct place here = place_of(&r->pub.names[i]);
		if (bsearch(&here, places, n_places, sizeof(*places), by_place) != NULL)
			relation[i] |= REL_NEAR;
	}
	free(places);
	return 0;
}

/* Names it acted on, then names that passed at the same addresses; and how hellos of the former lay. */
int profile_say_triggers(struct writer *w)
{
	struct study_run *r = w->r;
	struct study_line *split = profile_line(w, "split_hello_passes");
	struct study_line *whole = profile_line(w, "reassembles");
	struct study_line *hand = profile_line(w, "needs_no_handshake");
	uint8_t *relation = calloc(r->pub.n_names + 1, sizeof(*relation));
	int err = relation != NULL ? 0 : -ENOMEM;
	for (size_t i = 0; err == 0 && i < r->n_trials; i++) {
		const struct trial *t = &r->trials[i];
		if (t->row == NO_ROW || !profile_is_mine(w, t->a->finding))
			continue;
		struct study_trigger *g = trigger_of(w->p, r->pub.names[t->row].kind,
						     r->pub.names[t->row].name);
		if (g != NULL)
			g->acted++;
		relation[t->row] |= REL_ACTED;
		if ((t->a->bits & (ATTEMPT_SEGMENTED | ATTEMPT_RECORDS)) != 0)
			profile_seen(whole, t->a->flow_id);
		if ((t->a->bits & ATTEMPT_HANDSHAKE) == 0 && t->a->proto == 6 &&
		    t->a->finding->verdict >= VERDICT_LIKELY)
			profile_seen(hand, t->a->flow_id);
	}
	err = err == 0 ? relate(r, relation) : err;
	for (size_t i = 0; err == 0 && i < r->n_trials; i++) {
		const struct trial *t = &r->trials[i];
		if (t->row == NO_ROW || t->twin || !t->ok || relation[t->row] == 0)
			continue;
		const struct study_name *n = &r->pub.names[t->row];
		struct study_trigger *g = trigger_of(w->p, n->kind, n->name);
		if (g != NULL)
			g->passed++;
		if ((relation[t->row] & REL_SAME) != 0 &&
		    (t->a->bits & (ATTEMPT_SEGMENTED | ATTEMPT_RECORDS)) != 0)
			profile_seen(split, t->a->flow_id);
	}
	free(relation);
	if (split != NULL && whole != NULL && split->n == 0 && whole->n == 0) {
		profile_out_of_sight(split, "no hello with a name that it acts on came in pieces");
		profile_out_of_sight(whole, "no hello with a name that it acts on came in pieces");
	}
	profile_out_of_sight(hand, "no name that it acts on was sent without a handshake");
	return err;
}

/* The same name asked for in another protocol, and let through. */
void profile_say_protocols(struct writer *w)
{
	static const struct {
		const char *what;
		enum trigger_kind kind;
	} kinds[] = {{"ignores_tls", TRIGGER_SNI},
		     {"ignores_http", TRIGGER_HOST},
		     {"ignores_quic", TRIGGER_QUIC_SNI},
		     {"ignores_dns", TRIGGER_QNAME}};
	for (unsigned k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
		struct study_line *l = profile_line(w, kinds[k].what);
		bool asked = false, acts = false;
		for (size_t i = 0; i < w->r->n_trials; i++) {
			const struct trial *t = &w->r->trials[i];
			if (t->row == NO_ROW || w->r->pub.names[t->row].kind != kinds[k].kind)
				continue;
			bool here = false;
			for (unsigned g = 0; g < w->p->n_triggers && !here; g++)
				here = w->p->triggers[g].acted != 0 && t->a->name != NULL &&
				       strcmp(w->p->triggers[g].name, t->a->name) == 0;
			if (!here)
				continue;
			asked = true;
			acts |= profile_is_mine(w, t->a->finding);
			if (t->ok && !t->twin)
				profile_seen(l, t->a->flow_id);
		}
		if (l == NULL)
			continue;
		if (acts || !asked) {
			/* What it acts on it does not ignore; what nobody asked says nothing. */
			l->said = acts ? STUDY_NOT_OBSERVED : STUDY_NOT_TESTABLE;
			l->n = l->n_flows = 0;
			l->why = acts ? "" : "no name that it acts on was asked for in this protocol";
		}
	}
}
