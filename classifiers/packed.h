/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What classifiers said of a flow, made small for as long as nobody reads it. Facts are wide structs
 * that are mostly zeros, as readers like them: a ClientHello's take 484 bytes and pack into about
 * 130, a request's 824 into 80. A kind of facts is packed once packed.c has a row with its size.
 */

#include <stdint.h>

#include "classifiers/classifier.h"

/* Of a flow: nDPI's, and those of plug-ins' classifiers that were the first to say something. */
#define LABELS_SAID 4

/* In the order of the first word of each. */
struct labels {
	unsigned n;
	struct label of[]; /* n of them */
};

struct arena;
struct flow_record;
struct slab_set;
struct packed;

/* Memory that facts are unpacked into, one flow's at a time; one thread. */
struct facts_room;
/* 0 or -ENOMEM. What is packed comes out of blocks, which outlive the room; NULL: malloc. */
int facts_room_new(struct facts_room **out, struct slab_set *blocks);
void facts_room_free(struct facts_room *r); /* NULL is fine */

/* Whether nothing at all was said: then there is nothing to pack. */
bool facts_are_empty(const struct app_facts *facts, const struct labels *labels);
/*
 * A copy of all that was said; labels NULL none. NULL when memory is short, or when there are facts of
 * a kind without a row, or unclaimed exchanges: then they stay as they are.
 */
struct packed *facts_pack(struct facts_room *r, const struct app_facts *facts,
			  const struct labels *labels);
void packed_free(struct facts_room *r, struct packed *p); /* of this room; NULL is fine */
/* As they were; *facts and *labels point into r until it is used again. */
void facts_unpack(struct facts_room *r, const struct packed *p, struct app_facts *facts,
		  const struct labels **labels);
/*
 * As they were, in blocks of their own as classifiers want them; *facts is overwritten. False: memory
 * is short, or a label was packed with them; then *facts is left alone.
 */
bool facts_revive(const struct packed *p, struct app_facts *facts);
/* What the pointers own. */
void facts_free(struct app_facts *facts);

/* r says the same as facts, for as long as these live. */
void facts_show(const struct app_facts *facts, struct flow_record *r);
/*
 * What r says from facts_show() becomes a's own, and may be shared with records that say the same; what
 * there is no memory for is left out.
 */
void facts_keep(struct arena *a, struct flow_record *r);
