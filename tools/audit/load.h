/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Trials of a box at rising rates, and what is said of them. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "dataplane/replay.h"
#include "tools/audit/ledger.h"
#include "tools/audit/search.h"

struct load_trial {
	struct pace_rate rate;
	struct replay_rate achieved;
	uint64_t sent[SIDES], arrived[SIDES]; /* by that port; at that port */
	uint64_t tester;                      /* frames that the tester lost, or could not send */
	bool slow;                            /* it sent less than was asked */
	enum trial_end end;
};

struct load_report {
	FILE *jsonl; /* NULL: not wanted; stdout: nothing else goes there */
	bool quiet;
	enum pace_kind kind;
	uint64_t started_ns;
	struct search search;
	struct load_trial latency;   /* at half the rate that passed */
	const struct ledger *ledger; /* of that; NULL: there was none */
};

void load_print_trial(const struct load_report *r, const struct load_trial *t);
void load_json_trial(const struct load_report *r, const struct load_trial *t);
void load_print_result(const struct load_report *r);
bool load_json_result(const struct load_report *r); /* false: it could not be written */
