/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A finding's packets as a ladder: client, box and server side by side, time downwards. What is
 * forged begins at the box. Where the verdict does not carry that there is a box, its line is
 * dashed, and says so.
 */

#include "classifiers/verdict.h"
#include "tools/svg_pen.h"

/* Nothing for a finding without packets to show. */
void svg_ladder(FILE *out, bool alone, const struct finding *f);
/* The packet is the one that the finding calls its trigger; is one that it is about. */
bool svg_ladder_trigger(const struct finding *f, const struct ladder_packet *p);
bool svg_ladder_decisive(const struct finding *f, const struct ladder_packet *p);
