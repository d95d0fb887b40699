/* SPDX-License-Identifier: BSD-3-Clause */

/* What a box acts on, and what it lets pass. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/study/profile.h"

/* What the box acted on: names wherever they were asked for, and addresses whatever was asked there. */
struct acted {
	bool *group, *host;
};

static int acted_new(const struct study_run *r, struct acted *on)
{
	on->group = calloc(r->n_groups + 1, sizeof(*on->group));
	on->host = calloc(r->n_hosts + 1, sizeof(*on->host));
	return on->group != NULL && on->host != NULL ? 0 : -ENOMEM;
}

static void acted_free(struct acted *on)
{
	free(on->group);
	free(on->host);
}

static void note_deed(struct writer *w, const struct trial *t, struct study_line *whole,
		      struct study_line *hand)
{
	const struct study_name *n = &w->r->pub.names[t->row];
	struct study_trigger *g = study_trigger_of(w->p, n->kind, n->name);
	if (g != NULL)
		g->acted++;
	if ((t->a->bits & (ATTEMPT_SEGMENTED | ATTEMPT_RECORDS)) != 0)
		study_line_seen(whole, t->a->flow_id);
	if ((t->a->bits & ATTEMPT_HANDSHAKE) == 0 && t->a->proto == 6 &&
	    t->a->finding->verdict >= VERDICT_LIKELY)
		study_line_seen(hand, t->a->flow_id);
}

/* Names it acted on, then names that passed at the same addresses; and how hellos of the former lay. */
int profile_say_triggers(struct writer *w)
{
	const struct study_run *r = w->r;
	struct study_line *split = profile_line(w, "split_hello_passes");
	struct study_line *whole = profile_line(w, "reassembles");
	struct study_line *hand = profile_line(w, "needs_no_handshake");
	struct acted on;
	bool any = false;
	int err = acted_new(r, &on);
	for (size_t i = 0; err == 0 && i < r->n_found; i++) {
		const struct trial *t = &r->trials[r->found[i]];
		if (t->row == NO_ROW || !profile_is_mine(w, t->a->finding))
			continue;
		on.host[r->host_of[t->row]] = any = true;
		/* What a name before it had drawn is no deed for this one, nor is the same one seen twice. */
		const struct trial *main = &r->trials[t->twin_of];
		if (main->residual || (t->twin && profile_is_mine(w, main->a->finding)))
			continue;
		note_deed(w, t, whole, hand);
		on.group[r->group_of[t->row]] = true;
	}
	for (size_t i = 0; any && i < r->n_named; i++) {
		const struct trial *t = &r->trials[r->named[i].trial];
		bool same = on.group[r->named[i].group];
		if ((!same && !on.host[r->host_of[t->row]]) || t->twin || !t->ok)
			continue;
		const struct study_name *n = &r->pub.names[t->row];
		struct study_trigger *g = study_trigger_of(w->p, n->kind, n->name);
		if (g != NULL)
			g->passed++;
		if (same && (t->a->bits & (ATTEMPT_SEGMENTED | ATTEMPT_RECORDS)) != 0)
			study_line_seen(split, t->a->flow_id);
	}
	acted_free(&on);
	if (split != NULL && whole != NULL && split->n == 0 && whole->n == 0) {
		study_line_out_of_sight(split, "no hello with a name that it acts on came in pieces");
		study_line_out_of_sight(whole, "no hello with a name that it acts on came in pieces");
	}
	study_line_out_of_sight(hand, "no name that it acts on was sent without a handshake");
	return err;
}

/* The name's group among those of one kind, for groups lie in the order of their rows; NULL none. */
static const struct study_group *group_of_name(const struct study_run *r, enum trigger_kind kind,
					       const char *name)
{
	size_t from = 0, to = r->n_groups;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		const struct study_name *n = &r->pub.names[r->groups[middle].first_row];
		int by = (int)n->kind - (int)kind;
		by = by != 0 ? by : strcmp(n->name, name);
		if (by == 0)
			return &r->groups[middle];
		if (by < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return NULL;
}

static const struct {
	const char *what;
	enum trigger_kind kind;
} protocols[] = {{"ignores_tls", TRIGGER_SNI},
		 {"ignores_http", TRIGGER_HOST},
		 {"ignores_quic", TRIGGER_QUIC_SNI},
		 {"ignores_dns", TRIGGER_QNAME}};
enum { PROTOCOLS = sizeof(protocols) / sizeof(*protocols) };

/* Marks groups of names that the box acted on with the number of their protocol, from 1. */
static bool mark_names(const struct writer *w, uint8_t mark[])
{
	bool any = false;
	for (unsigned g = 0; g < w->p->n_triggers; g++) {
		for (uint8_t k = 0; k < PROTOCOLS && w->p->triggers[g].acted != 0; k++) {
			const struct study_group *group =
				group_of_name(w->r, protocols[k].kind, w->p->triggers[g].name);
			if (group == NULL)
				continue;
			mark[group - w->r->groups] = k + 1;
			any = true;
		}
	}
	return any;
}

/* The same name asked for in another protocol, and let through. */
int profile_say_protocols(struct writer *w)
{
	const struct study_run *r = w->r;
	struct study_line *line[PROTOCOLS];
	bool asked[PROTOCOLS] = {false}, acts[PROTOCOLS] = {false};
	uint8_t *mark = calloc(r->n_groups + 1, sizeof(*mark));
	if (mark == NULL)
		return -ENOMEM;
	for (unsigned k = 0; k < PROTOCOLS; k++)
		line[k] = profile_line(w, protocols[k].what);
	bool any = mark_names(w, mark);
	for (size_t i = 0; any && i < r->n_named; i++) {
		const struct trial *t = &r->trials[r->named[i].trial];
		unsigned k = mark[r->named[i].group];
		if (k-- == 0 || t->a->name == NULL)
			continue;
		asked[k] = true;
		acts[k] |= profile_is_mine(w, t->a->finding);
		if (t->ok && !t->twin)
			study_line_seen(line[k], t->a->flow_id);
	}
	for (unsigned k = 0; k < PROTOCOLS; k++) {
		struct study_line *l = line[k];
		if (l == NULL || (asked[k] && !acts[k]))
			continue;
		/* What it acts on it does not ignore; what nobody asked says nothing. */
		l->said = acts[k] ? STUDY_NOT_OBSERVED : STUDY_NOT_TESTABLE;
		l->n = l->n_flows = 0;
		l->why = acts[k] ? "" : "no name that it acts on was asked for in this protocol";
	}
	free(mark);
	return 0;
}
