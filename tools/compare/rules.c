/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What tells the conversations that something was done to from those that got through. A rule is stated only
 * where what has its value failed at several moments, what has not passed in between, and the same value did
 * not pass as well.
 */

#include <string.h>

#include "tools/compare/dealings.h"

#define PASSED_SHARE 0.1 /* of those with the value, at most, since it was first acted on */
#define LOOKED_MAX 32    /* different values of a box that others are held against */
#define RATE_TIMES 2     /* the goodput of what is throttled, at least, that others have */
#define ALIVE_MAX 512    /* moments at which a control got through */

static bool same_server(const struct dealing *x, const struct dealing *y)
{
	return x->ip_version == y->ip_version && memcmp(&x->server, &y->server, sizeof(x->server)) == 0;
}

bool rule_has(const struct dealing *d, enum rule_kind kind)
{
	switch (kind) {
	case RULE_NAME:
		return d->name != NULL;
	case RULE_PROTOCOL:
		return d->protocol != NULL;
	case RULE_VERSION:
		return d->version != 0;
	case RULE_PORT:
		return d->server_port != 0;
	default:
		return true;
	}
}

bool rule_alike(const struct dealing *x, const struct dealing *y, enum rule_kind kind)
{
	if (!rule_has(x, kind) || !rule_has(y, kind))
		return false;
	switch (kind) {
	case RULE_NAME:
		return x->kind == y->kind && strcmp(x->name, y->name) == 0;
	case RULE_PROTOCOL:
		return strcmp(x->protocol, y->protocol) == 0;
	case RULE_VERSION:
		return x->version == y->version;
	case RULE_ADDRESS:
		return same_server(x, y);
	default:
		return x->server_port == y->server_port && x->proto == y->proto;
	}
}

/* Alike in all that matters but the value itself. */
static bool is_control(const struct dealing *t, const struct dealing *a, enum rule_kind kind)
{
	switch (kind) {
	case RULE_NAME:
		return same_server(t, a) && t->proto == a->proto && t->kind == a->kind && t->name != NULL;
	case RULE_VERSION:
		return same_server(t, a) && t->version != 0;
	case RULE_ADDRESS:
		return t->server_port == a->server_port && t->proto == a->proto;
	case RULE_PROTOCOL:
		return same_server(t, a) && t->protocol != NULL;
	default:
		return same_server(t, a) && t->server_port != 0;
	}
}

struct sight {
	const struct dealing *value[LOOKED_MAX]; /* of its conversations, one for each value at each server */
	unsigned n_values;
	bool high;                  /* all came from ports above the server's */
	uint64_t through, first_ns; /* where, at the earliest; since when */
	double rate_bps;            /* throttled: the quickest of them; else 0 */
};

static bool has_value(const struct sight *s, const struct dealing *t, enum rule_kind kind, bool here)
{
	for (unsigned i = 0; i < s->n_values; i++)
		if (rule_alike(t, s->value[i], kind) && (!here || same_server(t, s->value[i])))
			return true;
	return false;
}

static bool is_any_control(const struct sight *s, const struct dealing *t, enum rule_kind kind)
{
	for (unsigned i = 0; i < s->n_values; i++)
		if (is_control(t, s->value[i], kind))
			return true;
	return false;
}

/* False: one has no value, or there are too many of them to be a rule. */
static bool sight_of(const struct dealing *all, const uint32_t *mine, uint32_t n, enum rule_kind kind,
		     struct sight *s)
{
	*s = (struct sight){.high = true, .through = UINT64_MAX, .first_ns = UINT64_MAX};
	for (uint32_t i = 0; i < n; i++) {
		const struct dealing *a = &all[mine[i]];
		if (!rule_has(a, kind))
			return false;
		s->through = a->through < s->through ? a->through : s->through;
		s->first_ns = a->from_ns < s->first_ns ? a->from_ns : s->first_ns;
		if ((a->deeds & 1u << DEED_THROTTLES) != 0 && a->rate_bps > s->rate_bps)
			s->rate_bps = a->rate_bps;
		s->high = s->high && a->client_port > a->server_port;
		if (has_value(s, a, kind, true))
			continue;
		if (s->n_values == LOOKED_MAX)
			return false;
		s->value[s->n_values++] = a;
	}
	return n != 0;
}

/* Moments: something got through between one and the next, of a control, or of the next one itself so far. */
static unsigned count_episodes(const struct dealing *all, const uint32_t *mine, uint32_t n,
			       const uint64_t *alive, uint32_t n_alive)
{
	unsigned episodes = n != 0;
	for (uint32_t i = 1; i < n && episodes < RULE_EPISODES; i++) {
		uint64_t from = all[mine[i - 1]].from_ns, to = all[mine[i]].from_ns;
		const struct dealing *own = &all[mine[i]];
		bool between = own->last_ns > from && own->last_ns < to;
		for (uint32_t k = 0; k < n_alive && !between; k++)
			between = alive[k] >= from && alive[k] <= to;
		episodes += between;
	}
	return episodes;
}

static const char *why_not(const struct rule *r)
{
	if (r->said == STUDY_NOT_OBSERVED)
		return "the same passed as well";
	if (r->controls < RULE_CONTROLS)
		return "too little else was tried that got through";
	return "too few tries with others in between";
}

/*
 * The Great Firewall's filter of QUIC reads only what comes from a port above the server's: Zohaib et al.,
 * USENIX Security 2025.
 */
static bool is_low(const struct sight *s, const struct dealing *t)
{
	return s->high && t->client_port <= t->server_port;
}

struct rule rule_test(const struct dealings *all, const uint32_t *mine, uint32_t n, enum rule_kind kind)
{
	struct rule r = {.said = STUDY_NOT_TESTABLE, .acted = n,
			 .why = "what it acted on has none that was recognised"};
	struct sight s;
	uint64_t alive[ALIVE_MAX];
	uint32_t n_alive = 0;
	unsigned low = 0;

	if (!sight_of(all->list, mine, n, kind, &s))
		return r;
	for (uint32_t i = 0; i < all->n; i++) {
		const struct dealing *t = &all->list[i];
		/* It has to have come as far, and of what is slow, quicker. */
		if (!t->passed || t->through < s.through || t->rate_bps < RATE_TIMES * s.rate_bps)
			continue;
		if (has_value(&s, t, kind, true)) {
			r.passed += t->start_ns > s.first_ns;
			low += t->start_ns > s.first_ns && is_low(&s, t);
		} else if (!has_value(&s, t, kind, false) && is_any_control(&s, t, kind)) {
			r.controls++;
			for (unsigned k = 0; k < 2 && n_alive < ALIVE_MAX; k++)
				alive[n_alive++] = k == 0 ? t->start_ns : t->last_ns;
		}
	}
	r.high_ports = kind == RULE_NAME && low >= RULE_CONTROLS && low == r.passed;
	r.episodes = count_episodes(all->list, mine, n, alive, n_alive);
	if (!r.high_ports && r.passed > PASSED_SHARE * (r.acted + r.passed))
		r.said = STUDY_NOT_OBSERVED;
	else if (r.controls >= RULE_CONTROLS && r.episodes >= RULE_EPISODES)
		r.said = STUDY_OBSERVED;
	r.why = r.said == STUDY_OBSERVED ? "" : why_not(&r);
	return r;
}
