/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What an audited replay came to: the ledger in numbers for the reports, and findings as a model.
 */

#include "classifiers/verdict.h"
#include "dataplane/replay.h"
#include "tools/audit/ledger.h"
#include "tools/audit/order.h"
#include "tools/audit/taps.h"

/* A conversation that did not come through as it was sent. */
struct audit_row {
	const struct flow_record *flow; /* of the model: pseudonyms reach it */
	const struct ledger_flow *counts;
};

/* For report_options.audit. */
struct audit_result {
	const struct ledger *ledger;
	const char *iface[SIDES];
	struct taps_stats taps[SIDES];
	const struct replay_stats *replay;
	struct order_stats order;
	const struct audit_row *rows;
	uint32_t n_rows;
	uint64_t conversations;
	uint64_t not_the_box; /* findings of the analysis about packets that came through as they
				 were sent */
};

struct audit_model;

/*
 * seen: the analysis of each port's capture, all flows kept; its findings lend what they know of
 * packets that the box injected, dropped or changed (trigger, device, page), and are no findings
 * otherwise. Both, and the ledger, outlive the model. 0 or -ENOMEM.
 */
int audit_model_new(struct audit_model **out, const struct ledger *l,
		    struct analysis *const seen[SIDES]);
void audit_model_free(struct audit_model *m); /* NULL is fine */
struct analysis *audit_model_analysis(struct audit_model *m);
/* Fills what is the model's of r. */
void audit_model_result(const struct audit_model *m, struct audit_result *r);
