/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What is slower than others: goodput of one client's connections
 * within minutes of each other, those with a name (or of a tunnel's protocol, VPN-THROTTLE) against the
 * rest, by the tests that record-and-replay studies use. Servers differ in speed by themselves, and plans
 * hold all names to one rate: so a name is only spoken of where a policer or shaper shows in its own
 * connections and not in the controls. A plan's bucket lets some bytes by before it holds anything, of
 * each connection or of all of a client's: a control is one if it carried more than those, and it tells
 * from a plan if it came so soon behind the name's that no bucket could have filled again. Where the user
 * replayed something himself, a capture with and one without what may be throttled (analyze --control)
 * are compared as a whole.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/app/first_words.h"
#include "classifiers/spelt.h"
#include "classifiers/tamper/rate.h"
#include "tools/study/study_private.h"

#define FLOWS_MIN 5               /* of either side */
#define FLOWS_MAX 64u
#define FLOW_BYTES 200000u        /* each */
#define LOGGED_BYTES (FLOW_BYTES / 2) /* of them in the log, which begins later */
#define HELD 0.5                  /* share of the name's connections that something held to a rate */
#define HELD_CONTROLS 0.1         /* of the controls, at most */
#define BEYOND 1.5                /* times the bytes that a bucket lets by is more than those */
#define SOON_MIN 3                /* controls that no bucket could have filled for */
#define SAMPLES_MIN 20            /* of either capture: two seconds */
#define RTT_NEAR 0.25             /* of the larger, or this much: */
#define RTT_NEAR_US 10000.0

/* Connections compared: those of one client in one window. */
struct side {
	const struct attempt *flow[FLOWS_MAX];
	unsigned n, held, steady; /* steady: of those held */
	uint64_t free_bytes, least_bytes; /* of those held: most before they were; least in all */
	double *samples;
	unsigned n_samples;
};

/* What a connection is called: its name, else the tunnel's protocol that it began with; NULL. */
static const char *label_of(const struct trial *t)
{
	const struct attempt *a = t->a;
	bool tunnel = a->words == WORDS_ENCRYPTED || a->words >= WORDS_VPN;
	if (a->name != NULL)
		return t->row != NO_ROW ? a->name : NULL;
	return tunnel ? first_words_name((enum first_words)a->words) : NULL;
}

static uint64_t logged(const struct attempt *a)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < a->goodput->n; i++)
		sum += a->goodput->bytes[i];
	return sum;
}

static uint64_t volume(const struct attempt *a)
{
	uint64_t sum = logged(a);
	return a->goodput->dir == DIR_S2C && a->bytes_s2c > sum ? a->bytes_s2c : sum;
}

static bool has_much(const struct trial *t)
{
	return t->a->goodput != NULL && !t->twin && volume(t->a) >= FLOW_BYTES &&
	       logged(t->a) >= LOGGED_BYTES;
}

static bool is_control(const struct study_run *r, const struct attempt *a)
{
	return r->a->captures[a->capture].control;
}

static bool usable(const struct study_run *r, const struct trial *t)
{
	return !is_control(r, t->a) && has_much(t) && label_of(t) != NULL;
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

/* Of QUIC it shows no more than that the rate was one: what held it there may be its server. */
static bool is_steady(const struct attempt *a)
{
	return a->rate != NULL && a->rate->form == RATE_STEADY;
}

static bool is_held(const struct attempt *a)
{
	return is_steady(a) ||
	       (a->rate != NULL && (a->rate->form == RATE_POLICED || a->rate->form == RATE_SHAPED));
}

static void take(struct side *s, const struct attempt *a)
{
	if (s->n == FLOWS_MAX)
		return;
	s->flow[s->n++] = a;
	if (!is_held(a))
		return;
	uint64_t bytes = volume(a), before = a->rate->free_bytes;
	s->least_bytes = s->held == 0 || bytes < s->least_bytes ? bytes : s->least_bytes;
	s->free_bytes = before > s->free_bytes ? before : s->free_bytes;
	s->held++;
	s->steady += is_steady(a);
}

/* What held the slow would have held it, too, if it held all. */
static bool goes_beyond(const struct attempt *a, const struct side *slow)
{
	uint64_t bytes = volume(a);
	return bytes >= BEYOND * slow->free_bytes || bytes >= slow->least_bytes;
}

static uint64_t ends(const struct attempt *a)
{
	return a->goodput->start_ns + a->goodput->n * a->goodput->bin_ns;
}

/* It carried more than a bucket that a held connection had left empty could have got since. */
static bool comes_soon(const struct attempt *a, const struct side *slow)
{
	uint64_t start = a->goodput->start_ns;
	for (unsigned i = 0; i < slow->n; i++) {
		const struct attempt *of = slow->flow[i];
		if (!is_held(of) || of->goodput->start_ns > start)
			continue;
		uint64_t since = ends(of) < start ? start - ends(of) : 0;
		if ((double)volume(a) >= BEYOND * of->rate->rate_bps / 8e9 * (double)since)
			return true;
	}
	return false;
}

/* Connections that can be compared, those of one client together and in order of time. */
struct candidates {
	const struct trial **list;
	size_t n;
};

/* Same client, same capture, same direction of data. */
static int compare_kind(const struct attempt *x, const struct attempt *y)
{
	int by = (int)x->capture - (int)y->capture;
	by = by != 0 ? by : (int)x->ip_version - (int)y->ip_version;
	by = by != 0 ? by : memcmp(&x->client, &y->client, sizeof(x->client));
	return by != 0 ? by : (int)x->goodput->dir - (int)y->goodput->dir;
}

static int by_kind(const void *x, const void *y)
{
	const struct trial *a = *(const struct trial *const *)x;
	const struct trial *b = *(const struct trial *const *)y;
	int by = compare_kind(a->a, b->a);
	if (by == 0 && a->a->start_ns != b->a->start_ns)
		by = a->a->start_ns < b->a->start_ns ? -1 : 1;
	return by != 0 ? by : a < b ? -1 : a > b;
}

static int find_candidates(const struct study_run *r, struct candidates *c)
{
	size_t n = 0;
	for (size_t i = 0; i < r->n_trials; i++)
		n += usable(r, &r->trials[i]);
	c->list = malloc((n + 1) * sizeof(*c->list));
	if (c->list == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < r->n_trials; i++)
		if (usable(r, &r->trials[i]))
			c->list[c->n++] = &r->trials[i];
	qsort(c->list, c->n, sizeof(*c->list), by_kind);
	return 0;
}

/* The first of the same kind that began within the window before this one, or after it. */
static size_t first_near(const struct candidates *c, const struct attempt *of)
{
	uint64_t from = of->start_ns > TRIAL_NS ? of->start_ns - TRIAL_NS : 0;
	size_t lo = 0, hi = c->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int by = compare_kind(c->list[mid]->a, of);
		if (by < 0 || (by == 0 && c->list[mid]->a->start_ns < from))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool is_near(const struct attempt *a, const struct attempt *of)
{
	return compare_kind(a, of) == 0 &&
	       (a->start_ns <= of->start_ns || a->start_ns - of->start_ns <= TRIAL_NS);
}

static bool has_label(const struct trial *t, const struct trial *one)
{
	return strcmp(label_of(t), label_of(one)) == 0;
}

static bool is_called(const struct trial *t, const struct trial *one)
{
	return t->a->trigger == one->a->trigger && has_label(t, one);
}

/* A name over TCP and over QUIC is one name, and no control of itself. */
static bool is_other(const struct trial *t, const struct trial *one)
{
	return !has_label(t, one) || (t->a->name == NULL) != (one->a->name == NULL);
}

static void gather(const struct candidates *c, const struct trial *one, struct side *name,
		   struct side *others, bool *beside)
{
	size_t first = first_near(c, one->a);
	*beside = true;
	for (size_t i = first; i < c->n && is_near(c->list[i]->a, one->a); i++)
		if (is_called(c->list[i], one))
			take(name, c->list[i]->a);
	for (size_t i = first; i < c->n && is_near(c->list[i]->a, one->a); i++)
		if (is_other(c->list[i], one) &&
		    (is_held(c->list[i]->a) || goes_beyond(c->list[i]->a, name)))
			take(others, c->list[i]->a);
	for (unsigned i = 0; i < others->n; i++) {
		bool same = false;
		for (unsigned k = 0; k < name->n && !same; k++)
			same = study_same_pair(others->flow[i], name->flow[k]);
		*beside &= same;
	}
}

/*
 * Others began while the name's connections did, or both before and after them. Others that came before alone
 * had what a plan lends or allots at first; and what came after alone, a network that had got better.
 */
static bool are_amid(const struct side *others, const struct side *name)
{
	uint64_t first = UINT64_MAX, last = 0;
	bool before = false, amid = false, after = false;
	for (unsigned i = 0; i < name->n; i++) {
		uint64_t at = name->flow[i]->start_ns;
		first = at < first ? at : first;
		last = at > last ? at : last;
	}
	for (unsigned i = 0; i < others->n; i++) {
		uint64_t at = others->flow[i]->start_ns;
		before |= at < first;
		after |= at > last;
		amid |= first <= at && at <= last;
	}
	return amid || (before && after);
}

/* The two rows that say how they differ, and what held the slower. */
static void say_rows(struct study_run *r, struct finding *f, const struct side *slow,
		     const struct side *others, const struct rate_comparison *c, enum grade grade)
{
	unsigned k = 0;
	char value[96], expected[96];
	snprintf(value, sizeof(value), "area %.2f, p %.2g in %.2f of resamplings", c->area, c->ks_p,
		 c->ks_trust);
	study_row(r, f, "rate-differs", grade, value, "as others: area at most 0.1 or p at least 0.05");
	if (slow->held == 0)
		return;
	snprintf(value, sizeof(value), "in %u of %u of them", slow->held, slow->n);
	snprintf(expected, sizeof(expected), "as in others: %u of %u", others->held, others->n);
	while (!is_held(slow->flow[k]))
		k++;
	static const char *const kinds[RATE_FORM_N] = {
		[RATE_POLICED] = "rate-policed", [RATE_SHAPED] = "rate-shaped",
		[RATE_STEADY] = "rate-steady",
	};
	study_row(r, f, kinds[slow->flow[k]->rate->form], GRADE_D1, value, expected);
}

static int say(struct study_run *r, const char *label, const struct side *name,
	       const struct side *others, const struct rate_comparison *c, bool beside)
{
	const struct attempt *a = name->flow[0];
	bool tunnel = a->name == NULL, seen = name->steady < name->held;
	char shown[121];
	struct study_cause cause = {
		.id = tunnel ? "vpn-rate-differs" : "rate-differs",
		.summary = !seen  ? "QUIC with this name comes at one rate, and slower than others"
			   : tunnel ? "connections of this protocol are held to a rate that others are not"
				    : "connections with this name are held to a rate that others are not",
		.refs = "Li et al., A large-scale analysis of deployed traffic differentiation "
			"practices, SIGCOMM 2019",
		.family = tunnel ? FAMILY_VPN_INTERFERENCE : FAMILY_THROTTLING,
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
	f->trigger = tunnel ? TRIGGER_PROTOCOL : (enum trigger_kind)a->trigger;
	f->ts_ns = a->start_ns;
	f->trigger_value = arena_format(&r->arena, FINDING_TRIGGER, "%s", label);
	spelt(label, strlen(label), shown, sizeof(shown));
	f->sentence = arena_format(&r->arena, FINDING_SENTENCE,
		 "%u of %u connections with %s %s: %.0f kbit/s on average, against %.0f of %u others",
		 name->held, name->n, shown, seen ? "were held to a rate" : "came at one rate",
		 c->mean_x / 1e3, c->mean_y / 1e3, others->n);
	/* VPN-THROTTLE is D2: whole tunnels are often slower than what they stand beside. */
	say_rows(r, f, name, others, c, tunnel ? GRADE_D2 : GRADE_D3);
	bool amid = are_amid(others, name);
	f->conditional = amid && seen ? "yes" : "untested";
	if (!amid)
		study_benign(f, "a quota that was used up, or a network that was slower for a while: "
				"no other name was tried meanwhile");
	study_benign(f, tunnel   ? "a tunnel's server or program that itself limits what it sends"
		       : beside ? "a server that itself limits this name"
				: "the name's own servers, or their network, limit what they send");
	unsigned soon = 0;
	for (unsigned i = 0; i < others->n; i++)
		soon += comes_soon(others->flow[i], name);
	if (soon < SOON_MIN)
		study_benign(f, "a plan that holds all names, but lets some bytes by first whenever "
				"the line was idle");
	if (!seen)
		study_benign(f, "a server that sends sound or video as fast as it is played");
	/* Other servers are reached over other paths: then it says no more than that they differ. */
	bool told = beside && amid && soon >= SOON_MIN;
	study_weigh(f, !seen ? VERDICT_INCONCLUSIVE : told ? VERDICT_CONFIRMED : VERDICT_ANOMALY);
	return 0;
}

/* Both at one width of bin. */
static int hold_against(struct side *slow, struct side *others, struct rate_comparison *c)
{
	uint64_t width = widest(others, widest(slow, GOODPUT_BIN_NS));
	int err = sample(slow, width);
	err = err != 0 ? err : sample(others, width);
	if (err == 0)
		*c = rate_compare(slow->samples, slow->n_samples, others->samples,
				  others->n_samples);
	free(slow->samples);
	free(others->samples);
	return err;
}

static int compare(struct study_run *r, const struct candidates *near, const struct trial *of)
{
	struct rate_comparison c;
	struct side name = {.n = 0}, others = {.n = 0};
	bool beside;
	int err = 0;
	gather(near, of, &name, &others, &beside);
	if (name.n < FLOWS_MIN || others.n < FLOWS_MIN || name.held < HELD * name.n ||
	    others.held > HELD_CONTROLS * others.n || !alike_paths(&name, &others))
		return 0;
	err = hold_against(&name, &others, &c);
	if (err == 0 && c.said == RATE_DIFFERENT && c.area > 0)
		err = say(r, label_of(of), &name, &others, &c, beside);
	return err;
}

/* A control capture */

static uint64_t first_of(const struct side *s)
{
	uint64_t first = UINT64_MAX;
	for (unsigned i = 0; i < s->n; i++)
		first = s->flow[i]->start_ns < first ? s->flow[i]->start_ns : first;
	return first;
}

static int say_control(struct study_run *r, const struct side *slow, const struct side *control,
		       const struct rate_comparison *c)
{
	uint64_t x = first_of(slow), y = first_of(control), apart = x > y ? x - y : y - x;
	const struct study_cause cause = {
		.id = "rate-differs-from-control",
		.summary = "connections are slower than those of the capture given as their control",
		.refs = "Li et al., A large-scale analysis of deployed traffic differentiation "
			"practices, SIGCOMM 2019",
		.family = FAMILY_THROTTLING,
		.scope = SCOPE_CAPTURE,
		.attempts = slow->flow,
		.n_attempts = slow->n,
		.controls = control->flow,
		.n_controls = control->n,
	};
	struct finding *f = study_finding(r, &cause);
	if (f == NULL)
		return -ENOMEM;
	f->direction = (enum dir)slow->flow[0]->goodput->dir;
	f->ts_ns = slow->flow[0]->start_ns;
	f->sentence = arena_format(&r->arena, FINDING_SENTENCE,
		 "%u connection%s went at %.0f kbit/s on average, %u of the control capture at %.0f, "
		 "begun %.0f s apart", slow->n, slow->n != 1 ? "s" : "", c->mean_x / 1e3,
		 control->n, c->mean_y / 1e3,
		 (double)apart / 1e9);
	bool held = slow->held - slow->steady >= HELD * slow->n;
	say_rows(r, f, slow, control, c, held ? GRADE_D3 : GRADE_D2);
	f->conditional = "yes";
	study_benign(f, "a network that was slower when the one was taken than when the other was");
	/* One replay of each may have met with any other traffic; so may those of another hour. */
	bool many = slow->n >= FLOWS_MIN && control->n >= FLOWS_MIN && apart <= TRIAL_NS;
	study_weigh(f, many && held ? VERDICT_CONFIRMED : VERDICT_ANOMALY);
	return 0;
}

/* All connections of the captures against all of the control captures, one way. */
static int compare_control(struct study_run *r, enum dir dir)
{
	struct side slow = {.n = 0}, control = {.n = 0};
	struct rate_comparison c;
	for (size_t i = 0; i < r->n_trials; i++) {
		const struct attempt *a = r->trials[i].a;
		if (has_much(&r->trials[i]) && a->goodput->dir == dir && !is_control(r, a))
			take(&slow, a);
	}
	for (size_t i = 0; i < r->n_trials; i++) {
		const struct attempt *a = r->trials[i].a;
		if (has_much(&r->trials[i]) && a->goodput->dir == dir && is_control(r, a) &&
		    (is_held(a) || goes_beyond(a, &slow)))
			take(&control, a);
	}
	if (slow.n == 0 || control.n == 0 || control.held > HELD_CONTROLS * control.n ||
	    !alike_paths(&slow, &control))
		return 0;
	int err = hold_against(&slow, &control, &c);
	bool enough = slow.n_samples >= SAMPLES_MIN && control.n_samples >= SAMPLES_MIN;
	if (err == 0 && enough && c.said == RATE_DIFFERENT && c.area > 0)
		err = say_control(r, &slow, &control, &c);
	return err;
}

int study_rates(struct study_run *r)
{
	/* One comparison a name or protocol: from the first of its connections that something held. */
	struct candidates near = {.n = 0};
	uint8_t *done = calloc(r->n_groups + WORDS_N, 1);
	int err = done == NULL ? -ENOMEM : find_candidates(r, &near);
	for (size_t i = 0; err == 0 && i < r->n_trials; i++) {
		const struct trial *t = &r->trials[i];
		bool held = is_held(t->a);
		if (!held || !usable(r, t))
			continue;
		size_t at = t->a->name != NULL ? r->group_of[t->row] : r->n_groups + t->a->words;
		if (done[at] != 0)
			continue;
		done[at] = 1;
		err = compare(r, &near, t);
	}
	for (enum dir d = DIR_C2S; err == 0 && d <= DIR_S2C; d++)
		err = compare_control(r, d);
	free(near.list);
	free(done);
	return err;
}
