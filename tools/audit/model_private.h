/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Shared by model.c, which gathers, and conclude.c, which judges. */

#include "classifiers/arena.h"
#include "tools/audit/audit.h"

#define AUDIT_ROWS_MAX 4

/* A frame of a conversation, at one of the ports. */
struct place {
	uint32_t flow, index;
	uint8_t port;
};

/* A packet that a finding of the analysis names. */
struct named {
	uint64_t frame;
	const struct finding *finding;
};

struct record {
	uint64_t key;
	struct flow_record *flow;
};

/*
 * Frames that no filter looks for: all but the first data of a conversation. What a box loses of
 * these it loses of any. None of a conversation that was shut: there all are lost for one reason.
 */
struct plain {
	uint64_t sent, lost;
};

struct audit_model {
	const struct ledger *ledger;
	struct analysis *const *seen;
	struct analysis analysis;
	struct capture_result captures[SIDES];
	size_t room;
	struct place *places; /* by conversation, port, time */
	uint32_t n_places;
	struct named *named[SIDES]; /* by frame */
	size_t n_named[SIDES];
	struct record *records[SIDES]; /* by key, first frame */
	size_t n_records[SIDES];
	struct flow_record **own; /* that the analysis has none of */
	size_t n_own, room_own;
	struct audit_row *rows;
	uint32_t n_rows;
	struct plain *plain[WAYS], all_plain[WAYS]; /* by conversation, and of all */
	uint32_t largest;			    /* IP packet that came through, bytes */
	struct arena arena; /* of what findings say */
	uint64_t used; /* findings of the analysis that a finding here is about */
};

/* The frames of one conversation at one port. */
struct slice {
	const struct place *v;
	uint32_t n;
	uint32_t flow;
	enum compare_side port;
};

/* A finding about v, frames of one fate; false: out of memory. */
bool audit_conclude(struct audit_model *m, const struct slice *all, enum compare_fate fate,
		    const uint32_t *v, uint32_t n);
/* finding.c. audit_finding_new(): in the model; NULL without memory. */
struct finding *audit_finding_new(struct audit_model *m, const struct slice *all, const uint32_t *v,
				  uint32_t n);
void audit_finding_free(struct finding *f); /* NULL is fine */
/* The record of a frame's conversation, made if the analysis has none; NULL without memory. */
struct flow_record *audit_record_of(struct audit_model *m, uint32_t flow, enum compare_side port,
				    uint32_t index);
uint64_t audit_record_key(const struct flow_record *f);
int audit_by_named(const void *a, const void *b);
