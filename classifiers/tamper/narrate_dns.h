/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* The DNS part of a finding's words; narrate.c and finding.c call it for CAUSE_DNS. */

#include "classifiers/tamper/judge.h"

/* Fills f->dns, which the rest of the finding depends on. 0 or -ENOMEM. */
int narrate_dns_facts(struct arena *a, const struct view *v, const struct judged_case *c,
		      struct finding *f);
void narrate_dns_sentence(const struct view *v, const struct judged_case *c,
			  const struct finding *f, char out[FINDING_SENTENCE]);
/* What the packet asked or said; false: nothing that is known. */
bool narrate_dns_packet(const struct view *v, unsigned event, char *note, size_t len);
