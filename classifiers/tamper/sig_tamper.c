/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Payload that was changed on its way, as far as one side can tell. What both ends captured is compared
 * elsewhere; here it is only a hello in whose first two bytes an exchange is all that is wrong with it.
 */

#include "classifiers/tamper/signature.h"

static bool match_swapped(const struct view *v, const struct signature *self, struct testimony *t)
{
	(void)self;
	if (!evidence_hello_swapped(v->ev, v->dir))
		return false;
	for (unsigned i = 0; i < v->n; i++) {
		if (event_dir(&v->e[i]) != v->dir || v->e[i].len == 0 ||
		    v->e[i].seq != v->ev->half[v->dir].first_seq)
			continue;
		t->grade = GRADE_D3;
		t->frame = v->e[i].frame;
		testimony_suspect(t, i);
		testimony_says(t, "03 16 before the rest of a %s",
			       v->dir == DIR_C2S ? "ClientHello" : "ServerHello");
		testimony_expects(t, "16 03, which every TLS record of a handshake begins with");
		return true;
	}
	return false;
}

const struct signature sig_tamper[] = {
	{.id = "hello-bytes-swapped", .family = FAMILY_PAYLOAD_TAMPERING, .cause = CAUSE_CONTENT,
	 .fact = FACT_PAYLOAD, .names = true,
	 .summary = "the first two bytes of a TLS hello arrived in each other's place",
	 .benign = "a capture or host that exchanges bytes",
	 .rules_out = "a stack that speaks TLS: the rest of the hello is whole",
	 .refs = "Ablove et al., USENIX Security 2026 (tampers with the first and the last two bytes)",
	 .match = match_swapped},
	{.id = NULL},
};
