/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Conversations sorted by the box that dealt with them so. Nothing here is for other modules. */

#include "tools/compare/dealings.h"

#define BOX_NONE UINT32_MAX
#define RULE_LOSS 0.05 /* of what got through: on a worse path chance makes rules of what was lost, too */

struct path_box {
	enum deed deed;
	const char *mbx;        /* NULL: it stamped nothing, or not known how */
	uint32_t *mine;         /* places in the dealings, rising by from_ns */
	uint32_t n;
	uint32_t *after;        /* lost in what followed one of them, whatever they asked for */
	uint32_t n_after;
	bool ruled;             /* a rule tells them from what got through */
};

struct path_boxes {
	struct path_box *list;
	unsigned n;
	uint32_t *owner;        /* of each dealing: place in list, or BOX_NONE */
	uint32_t *room;         /* what mine and after are slices of */
	bool *dependent;        /* of each dealing: one before it may be its cause */
	size_t left_out;        /* dealings that further boxes would have had to be made for */
};

int path_boxes_find(const struct dealings *d, struct path_boxes *out); /* 0 or -ENOMEM; free it either way */
void path_boxes_free(struct path_boxes *b);

/* profiles.c: the study that reports are written from, in the comparison's memory. 0 or -ENOMEM. */
int profiles_write(struct comparison *c);

/*
 * ruled.c: findings of what the box dropped become `likely`. rules: of the box, each tested. False: it is
 * none but a path's MTU.
 */
bool ruled_raise(struct comparison *c, const struct dealings *all, const struct path_box *box,
		 const struct rule rules[RULES]);
