/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Shared by the parts that conclude: making a finding, and what passed meanwhile. */

#include "tools/compare/private.h"

#define ROWS_MAX 4
#define LOSS_FLOOR 0.02 /* of packets, of a path that loses nothing that we see */
#define LOSS_CHANCE 1e-4 /* that loss alone did it to one conversation: beyond it somebody dropped */

struct finding *finding_new(struct comparison *c, const struct link *l, enum compare_side side,
			    enum compare_way way, uint32_t *v, uint32_t n);
/* value, expected: harmless text. Beyond ROWS_MAX nothing is added. */
void finding_row(struct comparison *c, struct finding *f, const char *kind, enum grade grade, uint64_t frame,
		 const char *value, const char *expected);
uint64_t idle_before(const struct comparison *c, const struct link *l, enum compare_side side,
		     uint64_t ts_ns);

struct control {
	uint64_t ts_ns; /* the sender's */
	uint32_t ip_len;
};

/* What got through one way, and what was lost of connections that are not themselves stuck. */
struct controls {
	struct control *passed[WAYS], *lost[WAYS]; /* by time */
	uint32_t n[WAYS], n_lost[WAYS];
};
int controls_make(struct comparison *c, struct controls *out); /* 0 or -ENOMEM; sets link.stuck */
void controls_free(struct controls *k);

/* missed.c */
void missed_count(const struct comparison *c, enum compare_way way, struct doubt *out);
/* That gaps of a capture at random fell on what doubt.acts counts. */
double missed_chance(const struct doubt *k);
/* Among what is lacking of the connection is a reset or the first answer, which doubt.acts counts. */
bool missed_decides(const struct comparison *c, const struct link *l, enum compare_way way);
/* v, received packets that the sender's capture lacks, could all be the sender's own. */
bool missed_may_all(const struct comparison *c, const struct link *l, enum compare_way way,
		    const uint32_t *v, uint32_t n);
/* v, all resets, belong to what is nobody's but a forger's the other way. */
bool missed_beside_forged(const struct comparison *c, const struct link *l, enum compare_way way,
			  const uint32_t *v, uint32_t n);

/* forgot.c: once all fates are known. 0 or -ENOMEM. */
int forgot_make(struct comparison *c);
/* cut.c: sets link.cut_ns. 0 or -ENOMEM. */
int cut_find(struct comparison *c);
/* What arrived of the link in its client's name are its translator's own refusals. */
bool forgot_refused(const struct comparison *c, const struct link *l);
/* Of what was sent from then on, its sender's clock, to the last copy, a translator knew nothing any more. */
bool forgot_dropped(const struct comparison *c, const struct link *l, enum compare_way way, uint64_t from,
		    uint64_t to);

/* false: out of memory */
bool conclude_injected(struct comparison *c, const struct link *l, enum compare_way way,
		       uint32_t *v, uint32_t n);
bool conclude_dropped(struct comparison *c, const struct controls *k, const struct link *l,
		      enum compare_way way, uint32_t *v, uint32_t n);
bool conclude_modified(struct comparison *c, const struct link *l, enum compare_way way,
		       uint32_t *v, uint32_t n);
