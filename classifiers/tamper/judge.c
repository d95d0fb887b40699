/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/tamper/judge.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "classifiers/tamper/hearing.h"
#include "classifiers/tamper/temper.h"
#include "classifiers/tamper/tsg.h"

#define D1_CAP 1.5

static const double points[] = {[GRADE_D1] = 0.5, [GRADE_D2] = 2, [GRADE_D3] = 3.5, [GRADE_D4] = 6};

void testimony_suspect(struct testimony *t, unsigned event)
{
	for (unsigned i = 0; i < t->n_suspects; i++)
		if (t->suspects[i] == event)
			return;
	if (t->n_suspects < TESTIMONY_SUSPECTS)
		t->suspects[t->n_suspects++] = (uint16_t)event;
}

void testimony_says(struct testimony *t, const char *value_fmt, ...)
{
	va_list ap;
	if (t->quiet)
		return;
	va_start(ap, value_fmt);
	vsnprintf(t->value, sizeof(t->value), value_fmt, ap);
	va_end(ap);
}

void testimony_expects(struct testimony *t, const char *fmt, ...)
{
	va_list ap;
	if (t->quiet)
		return;
	va_start(ap, fmt);
	vsnprintf(t->expected, sizeof(t->expected), fmt, ap);
	va_end(ap);
}

/* Why the needs of a signature are not met here; NULL: they are. */
static const char *unmet(const struct view *v, const struct signature *sig)
{
	const struct half *c = &v->ev->half[DIR_C2S], *s = &v->ev->half[DIR_S2C];
	if ((sig->needs & NEED_BOTH_DIRECTIONS) != 0 && !s->seen && v->ctx != NULL &&
	    context_one_sided(v->ctx))
		return "the capture holds one direction only";
	if ((sig->needs & NEED_NO_GAP) != 0 && (c->gap || s->gap))
		return "the capture lacks packets that were acknowledged";
	return NULL;
}

static void note_untestable(struct judged_case *c, const char *kind, const char *why)
{
	if (c->n_untestable < UNTESTABLE_MAX)
		c->untestable[c->n_untestable++] = (struct not_testable){.kind = kind, .why = why};
}

static const enum cause exchange_cause[] = {
	[EXCHANGE_DNS] = CAUSE_DNS, [EXCHANGE_QUIC] = CAUSE_QUIC, [EXCHANGE_VPN] = CAUSE_VPN,
};

/* Most testify to nothing: what would be overwritten or not read is not cleared. */
static void testimony_start(struct testimony *t, bool quiet)
{
	t->grade = 0;
	t->frame = 0;
	t->n_suspects = 0;
	t->value[0] = t->expected[0] = '\0';
	t->untestable = NULL;
	t->quiet = quiet;
}

/*
 * What a plug-in's signature says is taken at its word and not beyond it: packets that are there, a
 * grade that is one, texts that end. Who accuses names a packet, or nobody could look.
 */
static bool is_sound(const struct view *v, const struct signature *sig, struct testimony *t)
{
	unsigned n = t->n_suspects < TESTIMONY_SUSPECTS ? t->n_suspects : TESTIMONY_SUSPECTS;
	t->n_suspects = 0;
	for (unsigned i = 0; i < n; i++)
		if (t->suspects[i] < v->n)
			testimony_suspect(t, t->suspects[i]);
	t->value[sizeof(t->value) - 1] = t->expected[sizeof(t->expected) - 1] = '\0';
	return t->grade >= GRADE_D1 && t->grade <= GRADE_D4 &&
	       (t->n_suspects != 0 || cause_is_absence(sig->cause));
}

static void hear(const struct hearings *h, const struct view *v, struct judged_case cases[CAUSE_N])
{
	struct testimony said;
	for (const struct signature *const *at = hearings_of(h, v); *at != NULL; at++) {
		const struct signature *sig = *at;
		struct judged_case *c = &cases[sig->cause];
		testimony_start(&said, v->ctx == NULL);
		if (!sig->match(v, sig, &said)) {
			if (said.untestable != NULL)
				note_untestable(c, sig->id, said.untestable);
			continue;
		}
		if (signature_is_foreign(sig) && !is_sound(v, sig, &said))
			continue;
		const char *why = unmet(v, sig);
		if (why != NULL) {
			note_untestable(c, sig->id, why);
			c->absent_lowered = true;
		}
		if (c->n_rows < ROWS_MAX)
			c->rows[c->n_rows++] = (struct row){.sig = sig, .t = said};
	}
}

/* Every reset came at some stage, and was one or several: at D1 that observes nothing. */
static bool is_ambient(const struct row *r)
{
	return r->t.grade == GRADE_D1 &&
	       (r->sig->fact == FACT_STAGE || r->sig->fact == FACT_COUNT);
}

/* The strongest row of every fact counts. */
static void weigh(struct judged_case *c)
{
	int strongest[FACT_N];
	double weak = 0;
	unsigned seconded = 0; /* facts that were observed, the decisive one among them */
	for (unsigned f = 0; f < FACT_N; f++)
		strongest[f] = -1;
	c->score = 0;
	c->best = 0;
	for (unsigned i = 0; i < c->n_rows; i++) {
		int *s = &strongest[c->rows[i].sig->fact];
		if (*s < 0 || c->rows[i].t.grade > c->rows[*s].t.grade)
			*s = (int)i;
	}
	for (unsigned f = 0; f < FACT_N; f++) {
		if (strongest[f] < 0)
			continue;
		struct row *r = &c->rows[strongest[f]];
		r->counted = true;
		if (r->t.grade == GRADE_D1)
			weak += points[GRADE_D1];
		else
			c->score += points[r->t.grade];
		seconded += !is_ambient(r);
		if (r->t.grade > c->best)
			c->best = r->t.grade;
	}
	c->score += weak < D1_CAP ? weak : D1_CAP;
	c->verdict = c->score >= 6 && c->best == GRADE_D4   ? VERDICT_CONFIRMED
		     : c->score >= 4 && c->best >= GRADE_D3 && seconded > 1 ? VERDICT_LIKELY
		     : c->score >= 2			    ? VERDICT_ANOMALY
							    : VERDICT_INCONCLUSIVE;
}

static void find_first(struct judged_case *c)
{
	c->first = -1;
	for (unsigned i = 0; i < c->n_rows; i++)
		for (unsigned k = 0; k < c->rows[i].t.n_suspects; k++)
			if (c->first < 0 || c->rows[i].t.suspects[k] < c->first)
				c->first = c->rows[i].t.suspects[k];
}

struct judge {
	struct hearings hearings;
	struct view views[2];
	struct judged_case cases[2][CAUSE_N]; /* by enum dir */
};

int judge_new(struct judge **out)
{
	*out = calloc(1, sizeof(**out));
	if (*out == NULL)
		return -ENOMEM;
	int err = hearings_new(&(*out)->hearings);
	if (err != 0) {
		free(*out);
		*out = NULL;
	}
	return err;
}

void judge_free(struct judge *j)
{
	if (j != NULL)
		hearings_free(&j->hearings);
	free(j);
}

/* Rows and lists keep their old content; their counts say what is valid. */
static void case_reset(struct judged_case *c, enum cause cause, enum dir dir)
{
	c->cause = cause;
	c->dir = dir;
	c->n_rows = c->n_untestable = 0;
	c->absent_lowered = c->endpoint_like = false;
	c->cap_why = NULL;
	c->score = 0;
	c->best = 0;
	c->verdict = VERDICT_NONE;
	c->first = -1;
	c->other = NULL;
	c->across = NULL;
}

/* Rows of one view and cause become a case. */
static void conclude(const struct view *v, struct judged_case *c)
{
	if (c->n_rows == 0)
		return;
	find_first(c);
	weigh(c);
	temper(v, c);
}

static void judge_cases(struct judge *j, const struct evidence *ev, const struct flow_record *flow,
			const struct context *ctx)
{
	for (enum dir d = DIR_C2S; d <= DIR_S2C; d++) {
		for (unsigned k = 0; k < CAUSE_N; k++) {
			case_reset(&j->cases[d][k], (enum cause)k, d);
			j->cases[d][k].across = &j->views[dir_other(d)];
		}
		view_build(&j->views[d], ev, flow, ctx, d);
	}
	for (enum dir d = DIR_C2S; d <= DIR_S2C; d++) {
		struct view *v = &j->views[d];
		/* Without a reset of its own the client's side has nothing to be heard on. */
		if (d == DIR_C2S && v->n_rst == 0)
			continue;
		hear(&j->hearings, v, j->cases[d]);
		for (unsigned k = 0; k < CAUSE_N; k++)
			conclude(v, &j->cases[d][k]);
	}
}

static struct judged_case *judge_case_exchange(struct judge *j, const struct evidence *ev,
					       const struct exchange *x,
					       const struct flow_record *flow,
					       const struct context *ctx)
{
	struct view *v = &j->views[DIR_S2C];
	enum cause cause = exchange_cause[x->kind];
	case_reset(&j->cases[DIR_S2C][cause], cause, DIR_S2C);
	view_build_exchange(v, ev, x, flow, ctx);
	hear(&j->hearings, v, j->cases[DIR_S2C]);
	conclude(v, &j->cases[DIR_S2C][cause]);
	return &j->cases[DIR_S2C][cause];
}

static enum judge_worth worth_of(enum verdict said)
{
	return said >= VERDICT_ANOMALY	? JUDGE_SERIOUS
	       : said > VERDICT_NONE	? JUDGE_MENTION
					: JUDGE_NOTHING;
}

enum judge_worth judge_weigh(struct judge *j, const struct evidence *ev,
			     const struct flow_record *flow)
{
	enum judge_worth worth = JUDGE_NOTHING;
	judge_cases(j, ev, flow, NULL);
	for (enum dir d = DIR_C2S; d <= DIR_S2C; d++) {
		const struct view *v = &j->views[d];
		/* Other flows of the server may say how it stamps, and how far away it is. */
		if (v->n_rst != 0 && (v->base.n == 0 || v->base.handshake_only) &&
		    worth < JUDGE_CONTEXT)
			worth = JUDGE_CONTEXT;
		if (d == DIR_S2C && worth < JUDGE_CONTEXT &&
		    (evidence_answer_foreign(ev) || evidence_answer_hasty(ev)))
			worth = JUDGE_CONTEXT;
		struct tsg_result r;
		if (v->n_rst != 0 && worth < JUDGE_CONTEXT && tsg_examine(v, v->rst, v->n_rst, &r))
			worth = JUDGE_CONTEXT;
		for (unsigned k = 0; k < CAUSE_N; k++) {
			enum judge_worth w = worth_of(j->cases[d][k].verdict);
			if (w > worth)
				worth = w;
		}
	}
	return worth;
}

int judge_flow(struct judge *j, struct arena *a, const struct evidence *ev,
	       struct flow_record *flow, const struct context *ctx, struct finding *out[CAUSE_N])
{
	int n = 0;
	judge_cases(j, ev, flow, ctx);
	for (unsigned k = 0; k < CAUSE_N; k++) {
		struct judged_case *c = &j->cases[DIR_C2S][k], *s = &j->cases[DIR_S2C][k];
		/* One finding per flow and cause: the stronger direction speaks. */
		bool client = c->verdict > s->verdict ||
			      (c->verdict == s->verdict && c->score > s->score);
		struct judged_case *best = client ? c : s, *rest = client ? s : c;
		if (best->verdict == VERDICT_NONE)
			continue;
		best->other = rest->verdict >= VERDICT_LIKELY ? rest : NULL;
		struct finding *f = finding_make(a, &j->views[best->dir], best, flow);
		if (f == NULL)
			return -ENOMEM;
		if (f->verdict > flow->worst)
			flow->worst = f->verdict;
		out[n++] = f;
	}
	return n;
}

enum judge_worth judge_weigh_exchange(struct judge *j, const struct exchange *x,
				      const struct flow_record *flow)
{
	struct evidence ev = exchange_evidence(x);
	const struct judged_case *c = judge_case_exchange(j, &ev, x, flow, NULL);
	/* Rows that count for little alone may gain from what other exchanges say. */
	enum judge_worth worth = worth_of(c->verdict);
	return worth == JUDGE_NOTHING && c->n_rows != 0 ? JUDGE_CONTEXT : worth;
}

int judge_exchange(struct judge *j, struct arena *a, const struct exchange *x,
		   struct flow_record *flow, const struct context *ctx, struct finding **out)
{
	struct evidence ev = exchange_evidence(x);
	const struct judged_case *c = judge_case_exchange(j, &ev, x, flow, ctx);
	if (c->verdict == VERDICT_NONE)
		return 0;
	*out = finding_make(a, &j->views[DIR_S2C], c, flow);
	if (*out == NULL)
		return -ENOMEM;
	if ((*out)->verdict > flow->worst)
		flow->worst = (*out)->verdict;
	return 1;
}
