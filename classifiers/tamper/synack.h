/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Races for the answer to a SYN: Weaver, Sommer, Paxson, "Detecting Forged TCP Reset Packets" (NDSS 2009),
 * RACE-5 and RACE-6, and the same of two SYN+ACKs.
 */

#include "classifiers/tamper/signature.h"

/* Both of struct signature, towards the client only. */
bool synack_race_match(const struct view *v, const struct signature *self, struct testimony *t);
bool synack_twice_match(const struct view *v, const struct signature *self, struct testimony *t);
