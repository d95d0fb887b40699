/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What loss explains of one conversation is no loss where a rule tells all that a box dropped from what got
 * through (QUIC-SNI, QUIC-VER and QUIC-RES between two captures): then the findings say so as well.
 */

#include <stdio.h>

#include "tools/compare/boxes.h"
#include "tools/compare/findings.h"

#define LOOKED_MOST (UINT64_C(1) << 28) /* packets, in all: then a route is taken not to have changed */

static const char *const benign_wall[] = {
	"a firewall that the operator of one of the two ends put there"};

/* A static rule of a packet filter has ports and addresses, and lets nothing through at first. */
static bool accuses(const struct rule rules[RULES], const struct dealing *d, enum rule_kind kind)
{
	switch (kind) {
	case RULE_NAME:
	case RULE_VERSION:
		return true;
	case RULE_PROTOCOL:
		return rules[RULE_PORT].said != STUDY_OBSERVED || d->through != 0;
	default:
		return false;
	}
}

static void raise_finding(struct comparison *c, struct finding *f, const struct rule *r, const char *what)
{
	char value[96], expected[96];

	snprintf(value, sizeof(value), "%u conversations with this %s, at %u moments", r->acted, what,
		 r->episodes);
	snprintf(expected, sizeof(expected), "as those with another: %u got through in between", r->controls);
	finding_row(c, f, "box-rule", GRADE_D3, f->packets[0], value, expected);
	f->verdict = VERDICT_LIKELY;
	f->score = 6;
	f->id = "two-sided-drop";
	f->benign = (const char **)benign_wall;
	f->n_benign = 1;
}

static const struct list *sent_of(const struct comparison *c, const struct finding *f, enum compare_way *way)
{
	const struct link *l = &c->links[f->compare->conversation];

	*way = (f->direction == DIR_C2S) == l->a_up ? WAY_UP : WAY_DOWN;
	return &l->list[sender_of(*way)][*way];
}

/* What a box dropped one way: since when, until when, by the sender's clock. */
struct span {
	uint64_t from, to;
};

static void widen(const struct comparison *c, const struct finding *f, struct span span[WAYS])
{
	enum compare_way way;
	const struct list *sl = sent_of(c, f, &way);

	for (uint32_t i = 0; i < sl->n; i++) {
		const struct digest *d = &c->view[sender_of(way)].d[sl->v[i]];
		if (d->fate != FATE_DROPPED || d->ip_len <= MTU_SAFE)
			continue;
		span[way].from = d->ts_ns < span[way].from ? d->ts_ns : span[way].from;
		span[way].to = d->ts_ns > span[way].to ? d->ts_ns : span[way].to;
	}
}

static uint32_t largest_in(const struct comparison *c, enum compare_way way, const struct span *span)
{
	const struct view *v = &c->view[sender_of(way)];
	uint32_t most = 0;

	for (uint32_t i = 0; i < c->n_links; i++) {
		const struct list *p = &c->links[i].list[sender_of(way)][way];
		for (uint32_t k = 0; k < p->n; k++) {
			const struct digest *d = &v->d[p->v[k]];
			if ((d->fate == FATE_SAME || d->fate == FATE_RESEGMENTED) && d->ip_len > most &&
			    d->ts_ns >= span->from && d->ts_ns <= span->to)
				most = d->ip_len;
		}
	}
	return most;
}

/*
 * All that was lost of it is larger than what got through then: a path's MTU, whatever else they share. A
 * route may change back (changing): then means while this was tried, and not while anything was.
 */
static bool size_decides(const struct comparison *c, const struct link *l, enum compare_way way,
			 const uint32_t largest[WAYS], bool changing)
{
	const struct list *sl = &l->list[sender_of(way)][way];
	struct span own = {UINT64_MAX, 0};
	uint32_t least = UINT32_MAX;

	for (uint32_t i = 0; i < sl->n; i++) {
		const struct digest *d = &c->view[sender_of(way)].d[sl->v[i]];
		/* What was lost before, and was made good. */
		bool healed = changing && l->stuck[way] != 0 && d->ts_ns < l->stuck_ns[way];
		if (d->fate != FATE_DROPPED || d->len == 0 || healed)
			continue;
		least = d->ip_len < least ? d->ip_len : least;
		own.from = d->ts_ns < own.from ? d->ts_ns : own.from;
		own.to = d->ts_ns > own.to ? d->ts_ns : own.to;
	}
	if (least == UINT32_MAX || least <= MTU_SAFE)
		return false;
	return least > largest[way] || (changing && least > largest_in(c, way, &own));
}

/* The way that the finding speaks of, or the other, if that is the one where nothing gets on. */
static bool is_mtu(const struct comparison *c, const struct finding *f, const uint32_t largest[WAYS],
		   bool changing)
{
	const struct link *l = &c->links[f->compare->conversation];
	enum compare_way way;

	(void)sent_of(c, f, &way);
	bool other = changing && l->stuck[way] == 0 && l->stuck[!way] != 0;
	return size_decides(c, l, other ? !way : way, largest, changing);
}

bool ruled_raise(struct comparison *c, const struct dealings *all, const struct path_box *box,
		 const struct rule rules[RULES])
{
	static const char *const word[RULES] = {
		[RULE_NAME] = "name", [RULE_PROTOCOL] = "protocol", [RULE_VERSION] = "version"};

	struct span span[WAYS] = {{UINT64_MAX, 0}, {UINT64_MAX, 0}};
	uint32_t largest[WAYS], lost = 0, too_large = 0;
	uint64_t looked = 0, packets = (uint64_t)c->view[0].n + c->view[1].n;

	if (!box->ruled || box->deed != DEED_DROPS || all->loss > RULE_LOSS)
		return true;
	for (uint32_t i = 0; i < box->n; i++) {
		const struct finding *f = all->list[box->mine[i]].worst;
		if (f != NULL && f->family == FAMILY_SILENT_DROP)
			widen(c, f, span);
	}
	for (unsigned way = 0; way < WAYS; way++)
		largest[way] = largest_in(c, way, &span[way]);
	for (uint32_t i = 0; i < box->n; i++) {
		const struct dealing *d = &all->list[box->mine[i]];
		struct finding *f = (struct finding *)d->worst; /* of the comparison's own list */
		if (f == NULL || f->family != FAMILY_SILENT_DROP || f->n_packets == 0)
			continue;
		enum rule_kind by = 0;
		while (by < RULES && (rules[by].said != STUDY_OBSERVED || !accuses(rules, d, by)))
			by++;
		/* One protocol's packets are larger than another's; those of two names are alike. */
		bool changing = by != RULE_NAME && by != RULE_VERSION && looked < LOOKED_MOST;
		bool mtu = is_mtu(c, f, largest, changing);
		looked += changing ? packets : 0;
		lost++;
		too_large += mtu;
		if (by < RULES && !mtu && f->verdict < VERDICT_LIKELY && f->trigger != TRIGGER_QNAME)
			raise_finding(c, f, &rules[by], word[by]);
	}
	return lost == 0 || too_large < lost;
}
