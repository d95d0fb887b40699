/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The look of the first answer to an HTTP request: HTTP-INJ of the catalogue, by what it acknowledges, how it
 * ends and how it begins. Each is match() of struct signature, towards the client only.
 */

#include "classifiers/tamper/signature.h"

bool first_answer_ack_match(const struct view *v, const struct signature *self, struct testimony *t);
bool first_answer_fin_match(const struct view *v, const struct signature *self, struct testimony *t);
/* param: 1 where it has to be a page without a head (evidence_answer_bare()), else it must not be one. */
bool first_answer_bare_match(const struct view *v, const struct signature *self, struct testimony *t);
