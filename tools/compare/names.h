/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What the conversations asked for, told by an analysis of each capture. Nothing here is for others. */

#include "tools/compare/private.h"

struct names;
int names_new(struct names **out); /* 0 or -errno */
void names_free(struct names *n);  /* NULL is fine */
/* Before a capture is read: hooks that feed the view's and the analysis. 0 or -errno. */
int names_hooks(struct names *n, enum compare_side side, const struct pipeline_hooks *view,
		struct pipeline_hooks *out);
int names_captured(struct names *n, enum compare_side side, const struct pipeline_stats *stats,
		   int failed); /* 0 or -errno */
int names_ready(struct names *n); /* once, after both: 0 or -ENOMEM */

/* Who opened the conversations of a view, where a tunnel's first message says so. */
void names_turn(const struct names *n, enum compare_side side, struct view *v);

/* What a conversation asked for last at ns, of its own capture's clock. */
struct asked {
	const struct flow_record *rec; /* NULL: unknown, as is the rest */
	enum trigger_kind kind;
	const char *name;
	uint64_t ns;        /* when it was whole; 0 unknown */
	bool passed;        /* it was answered */
	const struct attempt *attempt; /* NULL: unknown */
};
struct asked names_asked(const struct names *n, enum compare_side side,
			 const struct conversation *k, uint64_t ns);

/* tell.c: the client's capture tells what was sent; where it does not know, the server's may. */
struct asked names_asked_by(const struct comparison *c, const struct link *l, uint64_t client_ns);
/* What the capture of that side found on its own of a conversation's packet: by whom it was stamped; NULL. */
const char *names_stamp(const struct names *n, enum compare_side side, const struct conversation *k,
			uint64_t ns, uint64_t frame);
/* tell.c: triggers, conditions and controls of the findings, once they are made. 0 or -ENOMEM. */
int names_tell(struct comparison *c);
/* What the conversation carried and asked for, into its record. */
void names_of_flow(const struct comparison *c, const struct link *l, struct flow_record *flow);
/* The conditions anew, where verdicts have changed since. 0 or -ENOMEM. */
int names_conditions(struct comparison *c);
