/* SPDX-License-Identifier: BSD-3-Clause */

/* What each box was seen to do, not seen to do, and what could not be seen from here. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/study/boxes.h"
#include "tools/study/study_private.h"

struct writer {
	struct study_run *r;
	const struct box *box;
	struct study_profile *p;
	const struct finding **mine; /* the box's, by address */
};

/* A line that counts findings for which `is` holds. */
static struct study_line *line(struct writer *w, const char *what)
{
	if (w->p->n_lines == STUDY_LINES_MAX)
		return NULL;
	struct study_line *l = &w->p->lines[w->p->n_lines++];
	*l = (struct study_line){.what = what, .said = STUDY_NOT_OBSERVED, .value = "", .why = ""};
	l->flows = arena_alloc(&w->r->arena, STUDY_LINE_FLOWS * sizeof(*l->flows));
	if (l->flows == NULL)
		w->p->n_lines--;
	return l->flows != NULL ? l : NULL;
}

static void seen(struct study_line *l, uint64_t flow_id)
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

static void out_of_sight(struct study_line *l, const char *why)
{
	if (l != NULL && l->said == STUDY_NOT_OBSERVED) {
		l->said = STUDY_NOT_TESTABLE;
		l->why = why;
	}
}

static const char *text(struct writer *w, const char *s)
{
	size_t n = strlen(s) + 1;
	char *copy = arena_alloc(&w->r->arena, n);
	return copy != NULL ? memcpy(copy, s, n) : "";
}

static enum vantage vantage_of(const struct writer *w, const struct finding *f)
{
	return w->r->a->captures[f->flow->capture].vantage;
}

static bool any_from(const struct writer *w, enum vantage v)
{
	for (size_t i = 0; i < w->box->n; i++)
		if (vantage_of(w, w->box->findings[i]) == v)
			return true;
	return false;
}

static bool has_row(const struct finding *f, const char *kind)
{
	for (unsigned i = 0; i < f->n_rows; i++)
		if (strcmp(f->rows[i].kind, kind) == 0)
			return true;
	return false;
}

/* Who puts in a page closes the connection too: that is no sign of the server. */
static bool is_of_forger(const struct ladder_packet *forged, const struct ladder_packet *p)
{
	return (forged->flags & TCP_RST) == 0 && p->ttl == forged->ttl &&
	       p->has_ts == forged->has_ts && p->df == forged->df;
}

/*
 * Behind the first forged packet the impersonated end shows that it got what drew the forgery: the server
 * by acknowledging it, the client by going on.
 */
static bool genuine_after(const struct finding *f)
{
	const struct ladder_packet *asked = NULL, *forged = NULL;
	for (unsigned i = 0; i < f->n_ladder; i++) {
		const struct ladder_packet *p = &f->ladder[i];
		if (p->forged)
			forged = p;
		else if (forged == NULL && p->dir != (uint8_t)f->direction && p->len != 0)
			asked = p;
		else if (forged != NULL && !p->icmp && p->dir == (uint8_t)f->direction &&
			 (p->flags & (TCP_RST | TCP_SYN)) == 0 &&
			 (f->dns != NULL || !is_of_forger(forged, p)) &&
			 (f->direction == DIR_C2S || asked == NULL ||
			  (int32_t)(p->ack - asked->seq - asked->len) >= 0))
			return true;
	}
	return false;
}

/* Answers of both, the box and the server, to one question. */
static bool both_answered(const struct finding *f)
{
	return has_row(f, "dns-race") || has_row(f, "bytes-differ") || has_row(f, "synack-and-rst");
}

static void say_mode(struct writer *w)
{
	struct study_line *on = line(w, "lets_packets_pass"), *in = line(w, "takes_packets_out");
	unsigned alone = 0;
	for (size_t i = 0; i < w->box->n; i++) {
		const struct finding *f = w->box->findings[i];
		bool drop = f->family == FAMILY_SILENT_DROP || f->family == FAMILY_QUIC_FILTERING;
		if (genuine_after(f) || both_answered(f)) {
			seen(on, f->flow->id);
		} else if (drop || has_row(f, "request-dropped")) {
			seen(in, f->flow->id);
		} else if (f->direction == DIR_S2C &&
			   (vantage_of(w, f) == VANTAGE_CLIENT ||
			    (f->dns != NULL && vantage_of(w, f) == VANTAGE_UNKNOWN)) &&
			   /* An answer that the capture cut short may be the server's. */
			   (f->dns == NULL ||
			    w->r->a->captures[f->flow->capture].stats.source.truncated == 0)) {
			alone++;
			seen(in, f->flow->id);
		}
	}
	if (on == NULL || in == NULL)
		return;
	if (on->n == 0 && in->n == 0) {
		out_of_sight(on, "no capture on the far side of the box");
		out_of_sight(in, "no capture on the far side of the box");
	}
	on->why = on->n != 0 ? "what it answered for was answered by the server as well" : on->why;
	in->why = in->n == 0 ? in->why
		  : alone == in->n
			  ? "the server, which answers others, was never heard of again"
			  : "requests were sent again and again and never acknowledged";
	if (on->n != 0 && on->n >= in->n) {
		w->p->mode = STUDY_ON_PATH;
		w->p->mode_why = on->why;
	} else if (in->n != 0 && on->n == 0) {
		w->p->mode = STUDY_IN_PATH;
		w->p->mode_why = in->why;
	} else {
		w->p->mode = STUDY_MODE_UNKNOWN;
		w->p->mode_why = on->n != 0 ? "some packets passed it and some did not" : on->why;
	}
}

/* Which end its packets went to. One capture shows what passes it, no more. */
static void say_directions(struct writer *w)
{
	struct study_line *c = line(w, "acts_towards_client"), *s = line(w, "acts_towards_server");
	for (size_t i = 0; i < w->box->n; i++) {
		const struct finding *f = w->box->findings[i];
		bool to[2] = {false, false};
		for (unsigned k = 0; k < f->n_ladder; k++)
			to[f->ladder[k].dir & 1] |= f->ladder[k].forged;
		bool drop = f->family == FAMILY_SILENT_DROP || f->family == FAMILY_QUIC_FILTERING;
		if (to[DIR_S2C])
			seen(c, f->flow->id);
		if (to[DIR_C2S] || (drop && f->direction == DIR_C2S))
			seen(s, f->flow->id);
	}
	bool middle = any_from(w, VANTAGE_MIDDLE) || any_from(w, VANTAGE_ONE_SIDED);
	if (!middle && !any_from(w, VANTAGE_SERVER))
		out_of_sight(s, "captured at the client only");
	if (!middle && !any_from(w, VANTAGE_CLIENT))
		out_of_sight(c, "captured at the server only");
}

static void say_deeds(struct writer *w)
{
	static const struct {
		const char *what;
		enum family family;
	} deeds[] = {{"injects_resets", FAMILY_TCP_INJECTION},
		     {"injects_pages", FAMILY_HTTP_INJECTION},
		     {"injects_dns_answers", FAMILY_DNS_INJECTION},
		     {"injects_alerts", FAMILY_TLS_FILTERING},
		     {"drops", FAMILY_SILENT_DROP},
		     {"drops_quic", FAMILY_QUIC_FILTERING}};
	for (unsigned d = 0; d < sizeof(deeds) / sizeof(*deeds); d++) {
		struct study_line *l = line(w, deeds[d].what);
		unsigned least = 0, most = 0;
		for (size_t i = 0; i < w->box->n; i++) {
			const struct finding *f = w->box->findings[i];
			unsigned forged = 0;
			if (f->family != deeds[d].family)
				continue;
			seen(l, f->flow->id);
			for (unsigned k = 0; k < f->n_ladder; k++)
				forged += f->ladder[k].forged;
			least = least == 0 || forged < least ? forged : least;
			most = forged > most ? forged : most;
		}
		if (l != NULL && l->n != 0 && most != 0) {
			char value[64];
			if (least == most)
				snprintf(value, sizeof(value), "%u a connection", most);
			else
				snprintf(value, sizeof(value), "%u to %u a connection", least, most);
			l->value = text(w, value);
		}
	}
}

static int by_value(const void *x, const void *y)
{
	const double a = *(const double *)x, b = *(const double *)y;
	return a < b ? -1 : a > b;
}

/* Times compare only as seen from one place: where most was seen. */
static unsigned busiest_capture(const struct writer *w)
{
	unsigned best = 0, n = 0;
	unsigned *count = calloc(w->r->a->n_captures, sizeof(*count));
	for (size_t i = 0; count != NULL && i < w->box->n; i++) {
		unsigned capture = w->box->findings[i]->flow->capture;
		if (++count[capture] > n) {
			n = count[capture];
			best = capture;
		}
	}
	free(count);
	return best;
}

/* Percentiles by nearest rank. */
static int say_reaction(struct writer *w)
{
	static const double rank[3] = {0.05, 0.5, 0.95};
	double *ms = malloc((w->box->n + 1) * sizeof(*ms));
	unsigned n = 0, capture = busiest_capture(w);
	if (ms == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < w->box->n; i++)
		if (w->box->findings[i]->reaction_ms >= 0 &&
		    w->box->findings[i]->flow->capture == capture)
			ms[n++] = w->box->findings[i]->reaction_ms;
	qsort(ms, n, sizeof(*ms), by_value);
	for (unsigned k = 0; n != 0 && k < 3; k++) {
		unsigned at = (unsigned)(rank[k] * n);
		w->p->reaction_ms[k] = ms[at < n ? at : n - 1];
	}
	w->p->n_reactions = n;
	free(ms);
	return 0;
}

static int by_address(const void *x, const void *y)
{
	uintptr_t a = (uintptr_t) * (const struct finding *const *)x;
	uintptr_t b = (uintptr_t) * (const struct finding *const *)y;
	return a < b ? -1 : a > b;
}

static bool is_mine(const struct writer *w, const struct finding *f)
{
	return f != NULL && bsearch(&f, w->mine, w->box->n, sizeof(*w->mine), by_address) != NULL;
}

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
static int say_triggers(struct writer *w)
{
	struct study_run *r = w->r;
	struct study_line *split = line(w, "split_hello_passes"), *whole = line(w, "reassembles");
	struct study_line *hand = line(w, "needs_no_handshake");
	uint8_t *relation = calloc(r->pub.n_names + 1, sizeof(*relation));
	int err = relation != NULL ? 0 : -ENOMEM;
	for (size_t i = 0; err == 0 && i < r->n_trials; i++) {
		const struct trial *t = &r->trials[i];
		if (t->row == NO_ROW || !is_mine(w, t->a->finding))
			continue;
		struct study_trigger *g = trigger_of(w->p, r->pub.names[t->row].kind,
						     r->pub.names[t->row].name);
		if (g != NULL)
			g->acted++;
		relation[t->row] |= REL_ACTED;
		if ((t->a->bits & (ATTEMPT_SEGMENTED | ATTEMPT_RECORDS)) != 0)
			seen(whole, t->a->flow_id);
		if ((t->a->bits & ATTEMPT_HANDSHAKE) == 0 && t->a->proto == 6 &&
		    t->a->finding->verdict >= VERDICT_LIKELY)
			seen(hand, t->a->flow_id);
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
			seen(split, t->a->flow_id);
	}
	free(relation);
	if (split != NULL && whole != NULL && split->n == 0 && whole->n == 0) {
		out_of_sight(split, "no hello with a name that it acts on came in pieces");
		out_of_sight(whole, "no hello with a name that it acts on came in pieces");
	}
	out_of_sight(hand, "no name that it acts on was sent without a handshake");
	return err;
}

/* The same name asked for in another protocol, and let through. */
static void say_protocols(struct writer *w)
{
	static const struct {
		const char *what;
		enum trigger_kind kind;
	} kinds[] = {{"ignores_tls", TRIGGER_SNI},
		     {"ignores_http", TRIGGER_HOST},
		     {"ignores_quic", TRIGGER_QUIC_SNI},
		     {"ignores_dns", TRIGGER_QNAME}};
	for (unsigned k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
		struct study_line *l = line(w, kinds[k].what);
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
			acts |= is_mine(w, t->a->finding);
			if (t->ok && !t->twin)
				seen(l, t->a->flow_id);
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

static void say_residual(struct writer *w)
{
	struct study_line *l = line(w, "blocks_afterwards");
	static const char *const words[] = {[TIMER_UNKNOWN] = "",
					    [TIMER_STANDS] = "trying again does not reset the timer",
					    [TIMER_RESETS] = "trying again resets the timer"};
	enum study_timer timer = TIMER_UNKNOWN;
	unsigned tried = 0;
	for (size_t i = 0; i < w->r->n_windows; i++) {
		const struct window *x = &w->r->windows[i];
		if (!is_mine(w, w->r->trials[x->trigger].a->finding))
			continue;
		seen(l, w->r->trials[x->trigger].a->flow_id);
		double least = x->timer == TIMER_STANDS ? x->from_trigger[0] : x->from_last[0];
		double most = x->timer == TIMER_RESETS ? x->from_last[1] : x->from_trigger[1];
		if (x->first_ok == NO_ROW)
			continue;
		/* What all windows allow. */
		double *both = w->p->residual_s;
		both[0] = least > both[0] ? least : both[0];
		both[1] = both[1] == 0 || most < both[1] ? most : both[1];
		timer = x->timer;
	}
	/* Something innocuous has to have been tried soon after. */
	for (size_t i = 0; i + 1 < w->r->n_pairs; i++) {
		const struct trial *t = &w->r->trials[w->r->pairs[i]];
		const struct trial *n = &w->r->trials[w->r->pairs[i + 1]];
		tried += is_mine(w, t->a->finding) && study_one_pair(w->r, i, i + 1) && n->ok &&
			 n->a->start_ns - t->a->start_ns < 10000000000ull;
	}
	if (l != NULL && l->n != 0) {
		char value[64];
		snprintf(value, sizeof(value), "%.1f to %.1f s", w->p->residual_s[0], w->p->residual_s[1]);
		l->value = w->p->residual_s[1] != 0 ? text(w, value) : "";
		l->why = words[timer];
	} else if (tried == 0) {
		out_of_sight(l, "nothing else was tried towards the same server soon after");
	}
}

static int write_profile(struct study_run *r, const struct box *b, struct study_profile *p)
{
	struct writer w = {r, b, p, malloc((b->n + 1) * sizeof(*w.mine))};
	if (w.mine == NULL)
		return -ENOMEM;
	memcpy(w.mine, b->findings, b->n * sizeof(*w.mine));
	qsort(w.mine, b->n, sizeof(*w.mine), by_address);
	p->mbx = b->mbx;
	p->hops = b->hops;
	p->mode_why = "";
	p->n_findings = (unsigned)b->n;
	for (size_t i = 0; i < b->n; i++) {
		const struct finding *f = b->findings[i];
		p->verdict = f->verdict > p->verdict ? f->verdict : p->verdict;
		p->first_ns = p->first_ns == 0 || f->ts_ns < p->first_ns ? f->ts_ns : p->first_ns;
		p->last_ns = f->ts_ns > p->last_ns ? f->ts_ns : p->last_ns;
		if (f->n_devices != 0 && f->devices[0].grade > p->device_grade) {
			p->device = f->devices[0].id;
			p->device_grade = f->devices[0].grade;
			if (f->devices[0].hops >= 0)
				p->hops = f->devices[0].hops;
		}
	}
	say_mode(&w);
	say_directions(&w);
	say_deeds(&w);
	int err = say_triggers(&w);
	say_protocols(&w);
	say_residual(&w);
	err = err == 0 ? say_reaction(&w) : err;
	free(w.mine);
	return err;
}

/*
 * What is weak in one capture of a connection and strong in another is what the deed left behind there: the
 * silence or the resets of an end that had been reset itself.
 */
static void mark_echoes(struct study_run *r)
{
	for (size_t i = 0; i < r->n_trials; i++) {
		struct finding *f = r->trials[i].a->finding;
		if (f == NULL || f->verdict >= VERDICT_LIKELY)
			continue;
		const struct finding *main = r->trials[r->trials[i].twin_of].a->finding;
		f->echo = r->trials[i].twin && main != NULL && main->verdict > f->verdict;
	}
}

int study_profiles(struct study_run *r)
{
	struct boxes b;
	mark_echoes(r);
	int err = boxes_find(&b, r->a);
	if (err != 0)
		goto out;
	r->pub.profiles = arena_alloc(&r->arena, (b.n + 1) * sizeof(*r->pub.profiles));
	if (r->pub.profiles == NULL) {
		err = -ENOMEM;
		goto out;
	}
	for (unsigned i = 0; i < b.n && err == 0; i++) {
		err = write_profile(r, &b.list[i], &r->pub.profiles[i]);
		r->pub.profiles[i].number = ++r->pub.n_profiles;
	}
out:
	boxes_free(&b);
	return err;
}
