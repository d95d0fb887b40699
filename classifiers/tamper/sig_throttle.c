/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Rates that something held a connection to. Operators police and shape by
 * plan, and any full link looks alike: by itself each of these is a measurement.
 */

#include <stdio.h>

#include "classifiers/tamper/signature.h"

#define PLAN "a limit of the client's plan or access link, for all of its traffic alike"
#define FLACH "Flach et al., An Internet-Wide Analysis of Traffic Policing, SIGCOMM 2016"

static const struct rate_facts *rate_of(const struct view *v, struct testimony *t)
{
	if (v->ev->rate_refused)
		t->untestable = "no room to log the connection's segments";
	return v->ev->more != NULL ? v->ev->more->rate : NULL;
}

static const char *bits_a_second(double bps, char out[32])
{
	if (bps >= 1e6)
		snprintf(out, 32, "%.2f Mbit/s", bps / 1e6);
	else if (bps >= 1e4)
		snprintf(out, 32, "%.0f kbit/s", bps / 1e3);
	else
		snprintf(out, 32, "%.0f bit/s", bps);
	return out;
}

static bool match_policed(const struct view *v, const struct signature *self, struct testimony *t)
{
	const struct rate_facts *r = rate_of(v, t);
	char rate[32], burst[64] = "with a bucket of unknown size";
	if (r == NULL || r->form != RATE_POLICED || r->bounded != (self->param != 0))
		return false;
	t->grade = GRADE_D1;
	t->frame = r->frame;
	if (!r->bounded)
		snprintf(burst, sizeof(burst), "after %llu bytes", (unsigned long long)r->burst_bytes);
	else if (r->burst_bytes != 0)
		snprintf(burst, sizeof(burst), "with a bucket of at least %llu bytes",
			 (unsigned long long)r->burst_bytes);
	testimony_says(t, "%s %s, %.1f %% of %u segments %s", bits_a_second(r->rate_bps, rate), burst,
		       100 * r->loss, r->n_lost + r->n_passed, r->gaps ? "missing on arrival" : "lost");
	testimony_expects(t, "losses apart from a bucket's level, or after delay grew");
	return true;
}

static bool match_shaped(const struct view *v, const struct signature *self, struct testimony *t)
{
	const struct rate_facts *r = rate_of(v, t);
	char rate[32];
	(void)self;
	if (r == NULL || r->form != RATE_SHAPED)
		return false;
	t->grade = GRADE_D1;
	t->frame = r->frame;
	testimony_says(t, "%s throughout, packets %.0f ms longer under way than the quickest",
		       bits_a_second(r->rate_bps, rate), r->inflated_ms);
	testimony_expects(t, "a rate that varies, or no standing queue");
	return true;
}

static bool match_size(const struct view *v, const struct signature *self, struct testimony *t)
{
	const struct rate_facts *r = rate_of(v, t);
	(void)self;
	if (r == NULL || r->form != RATE_BY_SIZE)
		return false;
	t->grade = GRADE_D1;
	t->frame = r->frame;
	testimony_says(t, "%.1f %% of the segments above %u bytes lost, none or few below",
		       100 * r->loss, r->size);
	testimony_expects(t, "equal loss for all sizes");
	return true;
}

/* Rates that were published of a country; what they have in common with this flow is a number. */
static bool match_known(const struct view *v, const struct signature *self, struct testimony *t)
{
	static const struct {
		double from, to;
		const char *what;
	} known[] = {
		{130e3, 150e3, "130-150 kbit/s, as of Twitter in Russia in 2021"},
		/* 600-700 bytes a second. */
		{4800, 5600, "600-700 B/s, as of some names in Russia"},
	};
	const struct rate_facts *r = rate_of(v, t);
	(void)self;
	if (r == NULL || (r->form != RATE_POLICED && r->form != RATE_SHAPED))
		return false;
	for (unsigned i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (r->rate_bps < known[i].from || r->rate_bps > known[i].to)
			continue;
		t->grade = GRADE_D1;
		t->frame = r->frame;
		testimony_says(t, "%s", known[i].what);
		return true;
	}
	return false;
}

const struct signature sig_throttle[] = {
	{.id = "rate-policed", .family = FAMILY_THROTTLING, .cause = CAUSE_RATE, .fact = FACT_RATE,
	 .names = true, .summary = "what exceeded a rate was dropped, as a token bucket does",
	 .benign = PLAN "; seen at the client, without timestamps, a full link's short queue",
	 .refs = FLACH, .match = match_policed},
	{.id = "rate-policed-small", .family = FAMILY_THROTTLING, .cause = CAUSE_RATE,
	 .fact = FACT_RATE, .names = true, .param = 1,
	 .summary = "what exceeded a rate was dropped, as a token bucket that fills up does",
	 .benign = PLAN "; a full link with a short queue", .refs = "ITU-T I.371; " FLACH,
	 .match = match_policed},
	{.id = "rate-shaped", .family = FAMILY_THROTTLING, .cause = CAUSE_RATE, .fact = FACT_RATE,
	 .names = true, .summary = "data came at one rate, with a queue standing before it",
	 .benign = PLAN, .refs = "ITU-T I.371; this project's rule", .match = match_shaped},
	{.id = "rate-by-size", .family = FAMILY_THROTTLING, .cause = CAUSE_RATE, .fact = FACT_RATE,
	 .names = true, .summary = "segments above one size were lost, at any rate",
	 .benign = "a path that loses large packets (MTU, a damaged link)",
	 .refs = "Ablove et al., USENIX Security 2026 (limits each packet)", .match = match_size},
	{.id = "rate-known", .family = FAMILY_THROTTLING, .cause = CAUSE_RATE,
	 .fact = FACT_RATE_VALUE, .summary = "a rate that a country's throttling was measured at",
	 .benign = PLAN, .refs = "Xue et al., Throttling Twitter, IMC 2021", .match = match_known},
	{.id = NULL},
};
