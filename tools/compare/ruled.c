/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What loss explains of one conversation is no loss where a rule tells all that a box dropped from what got
 * through (QUIC-SNI, QUIC-VER and QUIC-RES between two captures): then the findings say so as well.
 */

#include <stdio.h>

#include "tools/compare/boxes.h"
#include "tools/compare/findings.h"

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

void ruled_raise(struct comparison *c, const struct dealings *all, const struct path_box *box,
		 const struct rule rules[RULES])
{
	static const char *const word[RULES] = {
		[RULE_NAME] = "name", [RULE_PROTOCOL] = "protocol", [RULE_VERSION] = "version"};

	if (!box->ruled || box->deed != DEED_DROPS)
		return;
	for (uint32_t i = 0; i < box->n; i++) {
		const struct dealing *d = &all->list[box->mine[i]];
		struct finding *f = (struct finding *)d->worst; /* of the comparison's own list */
		if (f == NULL || f->family != FAMILY_SILENT_DROP || f->verdict >= VERDICT_LIKELY ||
		    f->trigger == TRIGGER_QNAME || f->n_packets == 0)
			continue;
		enum rule_kind by = 0;
		while (by < RULES && (rules[by].said != STUDY_OBSERVED || !accuses(rules, d, by)))
			by++;
		if (by < RULES)
			raise_finding(c, f, &rules[by], word[by]);
	}
}
