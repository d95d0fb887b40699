/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Residual blocking: after a trigger, connections that ask for nothing wrong fail
 * too, for a while. Which of them, bounds on the while from both sides, and whether trying again
 * begins it anew. What fails within such a window is no evidence of its own.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/study/study_private.h"

#define WINDOW_NS 900000000000ull /* longer ones are not looked for */
#define EQUAL 0.1                 /* two durations are equal within this share */
#define SHOWN_MAX 64

static bool is_trigger(const struct trial *t)
{
	const struct attempt *a = t->a;
	/* Silence towards QUIC is never more than that by itself. */
	enum verdict least = a->trigger == TRIGGER_QUIC_SNI ? VERDICT_INCONCLUSIVE : VERDICT_ANOMALY;
	return t->failed && a->finding != NULL && a->finding->verdict >= least &&
	       a->trigger != TRIGGER_QNAME &&
	       (a->name != NULL || (a->bits & ATTEMPT_ESNI) != 0);
}

/* Its name cannot be read, and is not what was acted on. */
static bool has_esni(const struct trial *t)
{
	return (t->a->bits & ATTEMPT_ESNI) != 0;
}

/* At other times, and for this client, as far as that is known. */
static bool passes(const struct study_group *g, const struct attempt *client)
{
	return g->passed != NULL && (g->passed_for_several || study_same_client(g->passed, client));
}

/* A later try that asks for nothing wrong: for nothing yet, or for what passes at other times. */
static bool is_innocuous(const struct study_run *r, const struct trial *t, const struct trial *trigger)
{
	if (t->row == NO_ROW)
		return true;
	uint32_t group = r->group_of[t->row];
	if (has_esni(trigger))
		return !has_esni(t) && passes(&r->groups[group], t->a);
	/* The same name elsewhere, or with another port, is no other name. */
	return group != r->group_of[trigger->row] && passes(&r->groups[group], t->a);
}

static bool came_to_nothing(const struct trial *t)
{
	return t->failed || (t->row == NO_ROW && (t->a->end == ATTEMPT_SILENT ||
						  t->a->end == ATTEMPT_REFUSED ||
						  t->a->end == ATTEMPT_RESET));
}

static double seconds(const struct trial *from, const struct trial *to)
{
	uint64_t since = from->a->request_ns != 0 ? from->a->request_ns : from->a->start_ns;
	return to->a->start_ns > since ? (double)(to->a->start_ns - since) / 1e9 : 0;
}

/* The window that trigger i of pairs opens; only tries from its own ports if one_source. */
static bool find_window(const struct study_run *r, size_t i, bool one_source, struct window *w)
{
	const struct trial *t = &r->trials[r->pairs[i]];
	const struct trial *last = t;
	*w = (struct window){.trigger = r->pairs[i], .at = i, .last_failed = r->pairs[i],
			     .first_ok = NO_ROW};
	for (size_t k = i + 1; k < r->n_pairs && study_one_pair(r, i, k); k++) {
		const struct trial *n = &r->trials[r->pairs[k]];
		bool here = n->a->server_port == t->a->server_port;
		if (n->a->start_ns - t->a->start_ns > WINDOW_NS)
			break;
		if (one_source && (n->a->client_port != t->a->client_port || !here))
			continue;
		if (!is_innocuous(r, n, t)) {
			if (n->ok)
				return false; /* the trigger was none */
			last = n->failed ? n : last;
			continue;
		}
		if (n->ok && here) {
			w->first_ok = r->pairs[k];
			w->from_trigger[1] = seconds(t, n);
			w->from_last[1] = seconds(last, n);
			break;
		}
		if (!came_to_nothing(n) || n->a->start_ns < t->a->request_ns)
			continue;
		w->n_failed++;
		w->last_failed = r->pairs[k];
		w->other_ports |= !here;
		w->other_sources |= n->a->client_port != t->a->client_port;
		w->from_trigger[0] = seconds(t, n);
		double pause = seconds(last, n);
		w->from_last[0] = pause > w->from_last[0] ? pause : w->from_last[0];
		last = n;
	}
	return w->n_failed != 0;
}

/* Whatever failed between the trigger and the end of its window had that for a cause. */
static void mark_dependent(struct study_run *r, size_t i, const struct window *w)
{
	for (size_t k = i + 1; k < r->n_pairs && study_one_pair(r, i, k); k++) {
		if (r->pairs[k] == w->first_ok)
			break;
		struct trial *t = &r->trials[r->pairs[k]];
		if (r->trials[r->pairs[i]].a->server_port != t->a->server_port && !w->other_ports)
			continue;
		t->dependent |= t->failed;
		t->residual |= t->failed && is_innocuous(r, t, &r->trials[r->pairs[i]]);
	}
}

static void note_passed(struct study_run *r, const struct trial *t)
{
	if (t->row == NO_ROW || !t->ok)
		return;
	struct study_group *g = &r->groups[r->group_of[t->row]];
	if (g->passed == NULL)
		g->passed = t->a;
	g->passed_for_several |= !study_same_client(g->passed, t->a);
}

int study_windows(struct study_run *r)
{
	size_t room = 0;
	for (size_t i = 0; i < r->n_pairs; i++)
		note_passed(r, &r->trials[r->pairs[i]]);
	for (size_t i = 0; i < r->n_pairs; i++) {
		const struct trial *t = &r->trials[r->pairs[i]];
		struct window w, own;
		if (!is_trigger(t) || t->dependent)
			continue;
		bool any = find_window(r, i, false, &w);
		/* What passed from another port may have ended nothing. */
		if ((!any || !w.other_sources) && find_window(r, i, true, &own) &&
		    (!any || own.n_failed > w.n_failed))
			w = own;
		else if (!any)
			continue;
		if (r->n_windows == room) {
			room = room != 0 ? 2 * room : 16;
			void *bigger = realloc(r->windows, room * sizeof(*r->windows));
			if (bigger == NULL)
				return -ENOMEM;
			r->windows = bigger;
		}
		r->windows[r->n_windows++] = w;
		mark_dependent(r, i, &w);
	}
	return 0;
}

/* All windows of one client, server, port and trigger. */
struct pair {
	struct window *w[SHOWN_MAX];
	unsigned n, bounded, failed;
	bool other_ports, other_sources, passed_before, failed_outside;
	double from_trigger[2], from_last[2]; /* where the bounds of all overlap */
	bool equal_trigger, equal_last;
};

static bool same_kind(const struct study_run *r, const struct window *x, const struct window *y)
{
	const struct trial *a = &r->trials[x->trigger], *b = &r->trials[y->trigger];
	return a->row == b->row && study_same_pair(a->a, b->a) && a->a->capture == b->a->capture;
}

/* Bounds that all windows allow; whether they leave one duration, to a tenth. */
static bool overlap(const struct pair *p, bool last, double out[2])
{
	out[0] = 0;
	out[1] = 0;
	for (unsigned i = 0; i < p->n; i++) {
		const double *b = last ? p->w[i]->from_last : p->w[i]->from_trigger;
		if (b[1] == 0)
			continue;
		out[0] = b[0] > out[0] ? b[0] : out[0];
		out[1] = out[1] == 0 || b[1] < out[1] ? b[1] : out[1];
	}
	double middle = (out[0] + out[1]) / 2;
	return out[1] >= out[0] && out[1] - out[0] <= 2 * EQUAL * middle;
}

/* Innocuous tries outside of every window: what passed before the first, what failed all the same. */
static void look_outside(const struct study_run *r, struct pair *p)
{
	const struct trial *t = &r->trials[p->w[0]->trigger];
	size_t at = p->w[0]->at, i = at;
	while (i > 0 && study_one_pair(r, i - 1, at))
		i--;
	for (; i < r->n_pairs && study_one_pair(r, i, at); i++) {
		const struct trial *n = &r->trials[r->pairs[i]];
		if (n->a->server_port != t->a->server_port || !is_innocuous(r, n, t))
			continue;
		if (n->ok && n->a->start_ns < t->a->start_ns)
			p->passed_before = true;
		if (!came_to_nothing(n))
			continue;
		bool within = false;
		for (unsigned k = 0; k < p->n; k++) {
			const struct trial *from = &r->trials[p->w[k]->trigger];
			within |= n->a->start_ns >= from->a->start_ns &&
				  (p->w[k]->first_ok == NO_ROW ||
				   n->a->start_ns <= r->trials[p->w[k]->first_ok].a->start_ns);
		}
		p->failed_outside |= !within;
	}
}

static const char *tuple_word(const struct pair *p)
{
	return p->other_ports	  ? "client and server address"
	       : p->other_sources ? "client address, server address and port"
				  : "one connection's addresses and ports";
}

/* Of tries within a window one cannot tell whether they began it anew, unless several windows agree. */
static enum study_timer timer_of(const struct pair *p)
{
	if (p->bounded < 2 || p->equal_trigger == p->equal_last)
		return TIMER_UNKNOWN;
	return p->equal_last ? TIMER_RESETS : TIMER_STANDS;
}

static int say(struct study_run *r, struct pair *p)
{
	const struct attempt *shown[SHOWN_MAX], *ok[SHOWN_MAX];
	unsigned n = 0, n_ok = 0;
	char value[96], expected[96];
	for (unsigned i = 0; i < p->n; i++) {
		if (n + 2 <= SHOWN_MAX) {
			shown[n++] = r->trials[p->w[i]->trigger].a;
			shown[n++] = r->trials[p->w[i]->last_failed].a;
		}
		if (p->w[i]->first_ok != NO_ROW)
			ok[n_ok++] = r->trials[p->w[i]->first_ok].a;
	}
	const struct attempt *t = shown[0];
	const struct study_cause cause = {
		.id = p->other_ports	 ? "residual-2-tuple"
		      : p->other_sources ? "residual-3-tuple"
					 : "residual-4-tuple",
		.summary = "after a trigger, connections without it fail too, for a while",
		.refs = "Bock et al., Your Censor is My Censor (WOOT 2021)",
		.family = FAMILY_RESIDUAL,
		.scope = SCOPE_PAIR,
		.attempts = shown,
		.n_attempts = n,
		.controls = ok,
		.n_controls = n_ok,
	};
	struct finding *f = study_finding(r, &cause);
	if (f == NULL)
		return -ENOMEM;
	f->trigger = (enum trigger_kind)t->trigger;
	f->trigger_value = arena_format(&r->arena, FINDING_TRIGGER, "%s", t->name != NULL ? t->name : "");
	bool equal = p->bounded >= 2 && (p->equal_trigger || p->equal_last);
	enum study_timer timer = timer_of(p);
	const double b[2] = {timer == TIMER_STANDS ? p->from_trigger[0] : p->from_last[0],
			     timer == TIMER_RESETS ? p->from_last[1] : p->from_trigger[1]};
	f->sentence = arena_format(&r->arena, FINDING_SENTENCE,
		 "after the trigger %u other tries of the same %s failed; the block lasted between %.1f "
		 "and %.1f s%s", p->failed, tuple_word(p), b[0], b[1],
		 timer == TIMER_RESETS	 ? " from the last try, which began it anew"
		 : timer == TIMER_STANDS ? " from the trigger, whatever was tried meanwhile"
					 : "");
	snprintf(value, sizeof(value), "%u windows, %u of them with both ends, of %.1f to %.1f s", p->n,
		 p->bounded, b[0], b[1]);
	snprintf(expected, sizeof(expected), "that tries without the trigger pass%s",
		 p->passed_before ? ", as before it" : "");
	study_row(r, f, "residual-window", equal ? GRADE_D3 : GRADE_D2, value, expected);
	study_row(r, f, t->finding->id, study_grade(t), "what began the first window", "");
	f->conditional = p->passed_before && !p->failed_outside ? "yes" : "untested";
	study_benign(f, "a server, or its guard, that shuts out a client for a while");
	if (p->failed_outside)
		study_benign(f, "a server that is down now and then: tries fail outside of windows too");
	study_weigh(f, p->failed_outside || !p->passed_before ? VERDICT_ANOMALY : VERDICT_CONFIRMED);
	for (unsigned i = 0; i < p->n; i++) {
		struct finding *own = r->trials[p->w[i]->trigger].a->finding;
		p->w[i]->timer = timer;
		if (f->conditional[0] == 'y' && own->conditional[0] != 'y')
			study_condition(own, f);
		own->filtered |= f->verdict >= VERDICT_LIKELY;
	}
	return 0;
}

int study_residual(struct study_run *r)
{
	bool *done = calloc(r->n_windows + 1, sizeof(*done));
	int err = done == NULL ? -ENOMEM : 0;
	for (size_t i = 0; err == 0 && i < r->n_windows; i++) {
		struct pair p = {.n = 0};
		for (size_t k = i; !done[i] && k < r->n_windows && p.n < SHOWN_MAX; k++) {
			struct window *w = &r->windows[k];
			if (done[k] || !same_kind(r, &r->windows[i], w))
				continue;
			if (k != i)
				done[k] = true;
			p.w[p.n++] = w;
			p.bounded += w->first_ok != NO_ROW;
			p.failed += w->n_failed;
			p.other_ports |= w->other_ports;
			p.other_sources |= w->other_sources;
		}
		/* Two tries within, and one that passed after. */
		if (p.n == 0 || p.failed < 2 || p.bounded == 0)
			continue;
		/* A name that passes there is no trigger. */
		const struct trial *t = &r->trials[p.w[0]->trigger];
		if (t->row != NO_ROW && !has_esni(t) && r->pub.names[t->row].ok != 0)
			continue;
		p.equal_trigger = overlap(&p, false, p.from_trigger);
		p.equal_last = overlap(&p, true, p.from_last);
		look_outside(r, &p);
		err = say(r, &p);
	}
	free(done);
	return err;
}
