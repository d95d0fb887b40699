/* SPDX-License-Identifier: BSD-3-Clause */

/* What each box was seen to do, not seen to do, and what could not be seen from here. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/study/profile.h"

struct study_line *profile_line(struct writer *w, const char *what)
{
	return study_line_add(w->p, &w->r->arena, what);
}

const char *profile_text(struct writer *w, const char *s)
{
	const char *copy = arena_text(&w->r->arena, s);
	return copy != NULL ? copy : "";
}

static int by_address(const void *x, const void *y)
{
	uintptr_t a = (uintptr_t) * (const struct finding *const *)x;
	uintptr_t b = (uintptr_t) * (const struct finding *const *)y;
	return a < b ? -1 : a > b;
}

bool profile_is_mine(const struct writer *w, const struct finding *f)
{
	return f != NULL && bsearch(&f, w->mine, w->box->n, sizeof(*w->mine), by_address) != NULL;
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

static void say_residual(struct writer *w)
{
	struct study_line *l = profile_line(w, "blocks_afterwards");
	static const char *const words[] = {[TIMER_UNKNOWN] = "",
					    [TIMER_STANDS] = "trying again does not reset the timer",
					    [TIMER_RESETS] = "trying again resets the timer"};
	enum study_timer timer = TIMER_UNKNOWN;
	bool tried = false;
	for (size_t i = 0; i < w->r->n_windows; i++) {
		const struct window *x = &w->r->windows[i];
		if (!profile_is_mine(w, w->r->trials[x->trigger].a->finding))
			continue;
		study_line_seen(l, w->r->trials[x->trigger].a->flow_id);
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
	for (size_t k = 0; l != NULL && l->n == 0 && !tried && k < w->r->n_found_at; k++) {
		size_t i = w->r->found_at[k];
		if (i + 1 == w->r->n_pairs)
			break;
		const struct trial *t = &w->r->trials[w->r->pairs[i]];
		const struct trial *n = &w->r->trials[w->r->pairs[i + 1]];
		tried = profile_is_mine(w, t->a->finding) && study_one_pair(w->r, i, i + 1) && n->ok &&
			 n->a->start_ns - t->a->start_ns < STUDY_SOON_NS;
	}
	if (l != NULL && l->n != 0) {
		char value[64];
		snprintf(value, sizeof(value), "%.1f to %.1f s", w->p->residual_s[0], w->p->residual_s[1]);
		l->value = w->p->residual_s[1] != 0 ? profile_text(w, value) : "";
		l->why = words[timer];
	} else if (!tried) {
		study_line_out_of_sight(l, "nothing else was tried towards the same server soon after");
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
	profile_say_mode(&w);
	profile_say_directions(&w);
	profile_say_deeds(&w);
	int err = profile_say_triggers(&w);
	err = err == 0 ? profile_say_protocols(&w) : err;
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
	r->pub.unplaced = b.unplaced;
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
