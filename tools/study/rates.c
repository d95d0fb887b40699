/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Names that are slower than others (catalogue, section 15, THR-DIFF): goodput of one client's
 * connections within minutes of each other, those with a name against those with others, by the tests
 * that record-and-replay studies use. Servers differ in speed by themselves, and plans hold all
 * names to one rate: so a name is only spoken of where a policer or shaper shows in its own
 * connections and not in the controls.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/tamper/rate.h"
#include "tools/study/study_private.h"

#define WINDOW_NS 600000000000ull /* the catalogue's: the same client, the same ten minutes */
#define FLOWS_MIN 5               /* of either side */
#define FLOWS_MAX 64u
#define FLOW_BYTES 200000u        /* of goodput, each */
#define HELD 0.5                  /* share of the name's connections that something held to a rate */
#define HELD_CONTROLS 0.1         /* of the controls, at most */
#define RTT_NEAR 0.25             /* of the larger, or this much: */
#define RTT_NEAR_US 10000.0

/* Connections compared: those of one client in one window. */
struct side {
	const struct attempt *flow[FLOWS_MAX];
	unsigned n, held;
	double *samples;
	unsigned n_samples;
};

static bool usable(const struct trial *t)
{
	const struct goodput *g = t->a->goodput;
	uint64_t sum = 0;
	if (g == NULL || t->twin || t->row == NO_ROW || t->a->name == NULL || t->a->flow == NULL)
		return false;
	for (unsigned i = 0; i < g->n; i++)
		sum += g->bytes[i];
	return sum >= FLOW_BYTES;
}

/* What the sender had to say, not where it waited for more to say: the last bin is not whole. */
static unsigned bins_of(const struct goodput *g)
{
	return g->n > 1 ? g->n - 1 : 1;
}

/* All connections at one width of bin, each with as many samples as the shortest allows no more of. */
static int sample(struct side *s, uint64_t width_ns)
{
	size_t room = 0;
	for (unsigned i = 0; i < s->n; i++)
		room += bins_of(s->flow[i]->goodput);
	s->samples = malloc((room + 1) * sizeof(*s->samples));
	if (s->samples == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < s->n; i++) {
		const struct goodput *g = s->flow[i]->goodput;
		unsigned each = (unsigned)(width_ns / g->bin_ns), n = bins_of(g);
		for (unsigned k = 0; k + each <= n || k == 0; k += each) {
			double sum = 0;
			unsigned to = k + each < g->n ? k + each : g->n;
			for (unsigned m = k; m < to; m++)
				sum += g->bytes[m];
			s->samples[s->n_samples++] = sum * 8e9 / (double)width_ns;
		}
	}
	return 0;
}

static uint64_t widest(const struct side *s, uint64_t at_least)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->flow[i]->goodput->bin_ns > at_least)
			at_least = s->flow[i]->goodput->bin_ns;
	return at_least;
}

static uint32_t least_rtt(const struct side *s)
{
	uint32_t least = 0;
	for (unsigned i = 0; i < s->n; i++) {
		uint32_t rtt = s->flow[i]->goodput->rtt_us;
		least = least == 0 || (rtt != 0 && rtt < least) ? rtt : least;
	}
	return least;
}

/* A path that is longer is slower by itself. */
static bool alike_paths(const struct side *x, const struct side *y)
{
	double a = least_rtt(x), b = least_rtt(y), apart = a > b ? a - b : b - a;
	if (a <= 0 || b <= 0)
		return false;
	return apart <= RTT_NEAR_US || apart <= RTT_NEAR * (a > b ? a : b);
}

static bool is_held(const struct attempt *a)
{
	return a->rate != NULL && (a->rate->form == RATE_POLICED || a->rate->form == RATE_SHAPED);
}

static void take(struct side *s, const struct attempt *a)
{
	if (s->n == FLOWS_MAX)
		return;
	s->flow[s->n++] = a;
	s->held += is_held(a);
}

/* Same client, same capture, same direction of data, near in time. */
static bool comparable(const struct attempt *x, const struct attempt *y)
{
	uint64_t apart = x->start_ns > y->start_ns ? x->start_ns - y->start_ns
						   : y->start_ns - x->start_ns;
	return x->capture == y->capture && x->ip_version == y->ip_version &&
	       memcmp(&x->client, &y->client, sizeof(x->client)) == 0 &&
	       x->goodput->dir == y->goodput->dir && apart <= WINDOW_NS;
}

static void gather(const struct study_run *r, const struct attempt *of, struct side *name,
		   struct side *others, bool *beside)
{
	*beside = true;
	for (size_t i = 0; i < r->n_trials; i++) {
		const struct attempt *a = r->trials[i].a;
		if (!usable(&r->trials[i]) || !comparable(of, a))
			continue;
		if (a->trigger == of->trigger && strcmp(a->name, of->name) == 0)
			take(name, a);
		else
			take(others, a);
	}
	for (unsigned i = 0; i < others->n; i++) {
		bool same = false;
		for (unsigned k = 0; k < name->n && !same; k++)
			same = study_same_pair(others->flow[i], name->flow[k]);
		*beside &= same;
	}
}

static int say(struct study_run *r, const struct side *name, const struct side *others,
	       const struct rate_comparison *c, bool beside)
{
	const struct attempt *a = name->flow[0];
	char value[96], expected[96], shown[121];
	struct study_cause cause = {
		.id = "rate-differs",
		.summary = "connections with this name are held to a rate that others are not",
		.refs = "Li et al., A large-scale analysis of deployed traffic differentiation "
			"practices, SIGCOMM 2019",
		.family = FAMILY_THROTTLING,
		.scope = SCOPE_NAME,
		.attempts = name->flow,
		.n_attempts = name->n,
		.controls = others->flow,
		.n_controls = others->n,
	};
	struct finding *f = study_finding(r, &cause);
	if (f == NULL)
		return -ENOMEM;
	f->direction = (enum dir)a->goodput->dir;
	f->trigger = (enum trigger_kind)a->trigger;
	f->ts_ns = a->start_ns;
	snprintf(f->trigger_value, sizeof(f->trigger_value), "%s", a->name);
	study_printable(a->name, shown, sizeof(shown));
	snprintf(f->sentence, sizeof(f->sentence),
		 "%u of %u connections with %s were held to a rate: %.0f kbit/s on average, against "
		 "%.0f of %u others",
		 name->held, name->n, shown, c->mean_x / 1e3, c->mean_y / 1e3, others->n);
	snprintf(value, sizeof(value), "area %.2f, p %.2g in %.2f of resamplings", c->area, c->ks_p,
		 c->ks_trust);
	study_row(f, "rate-differs", GRADE_D3, value,
		  "as other names: area at most 0.1 or p at least 0.05");
	snprintf(value, sizeof(value), "in %u of %u of them", name->held, name->n);
	snprintf(expected, sizeof(expected), "as in others: %u of %u", others->held, others->n);
	bool shaped = a->rate != NULL && a->rate->form == RATE_SHAPED;
	study_row(f, shaped ? "rate-shaped" : "rate-policed", GRADE_D1, value,
		  expected);
	f->conditional = "yes";
	study_benign(f, beside ? "a server that itself limits this name"
			       : "the name's own servers, or their network, limit what they send");
	/* Other servers are reached over other paths: then it says no more than that they differ. */
	study_weigh(f, beside ? VERDICT_CONFIRMED : VERDICT_ANOMALY);
	return 0;
}

static int compare(struct study_run *r, const struct attempt *of)
{
	struct side name = {.n = 0}, others = {.n = 0};
	bool beside;
	int err = 0;
	gather(r, of, &name, &others, &beside);
	if (name.n < FLOWS_MIN || others.n < FLOWS_MIN || name.held < HELD * name.n ||
	    others.held > HELD_CONTROLS * others.n || !alike_paths(&name, &others))
		return 0;
	uint64_t width = widest(&others, widest(&name, GOODPUT_BIN_NS));
	err = sample(&name, width);
	err = err != 0 ? err : sample(&others, width);
	if (err == 0) {
		struct rate_comparison c = rate_compare(name.samples, name.n_samples,
							others.samples, others.n_samples);
		if (c.said == RATE_DIFFERENT && c.area > 0)
			err = say(r, &name, &others, &c, beside);
	}
	free(name.samples);
	free(others.samples);
	return err;
}

int study_rates(struct study_run *r)
{
	/* One comparison a name: from the first of its connections that something held. */
	uint8_t *done = calloc(r->n_groups + 1, 1);
	int err = done == NULL ? -ENOMEM : 0;
	for (size_t i = 0; err == 0 && i < r->n_trials; i++) {
		const struct trial *t = &r->trials[i];
		bool held = is_held(t->a);
		if (!held || !usable(t) || done[r->group_of[t->row]] != 0)
			continue;
		done[r->group_of[t->row]] = 1;
		err = compare(r, t->a);
	}
	free(done);
	return err;
}
