/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What two reports are compared by: names, kinds of interference, boxes. A key holds nothing of one
 * run (no time, no client, no frame), so that before and after a firmware, or two countries, compare.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "classifiers/verdict.h"
#include "tools/diff/saved.h"

enum item_kind {
	ITEM_NAME,    /* a trigger: its kind and the name */
	ITEM_FINDING, /* family, protocol and port, and what set it off; without trigger, where */
	ITEM_BOX,     /* what it stamps on packets, else how it behaves */
	ITEM_KINDS
};

enum side { SIDE_A, SIDE_B, SIDES_N };

enum change {
	CHANGE_SAME,
	CHANGE_NEW,      /* in B and not in A */
	CHANGE_GONE,
	CHANGE_CHANGED,
	CHANGE_UNTESTED, /* in one of them; the other never tried what it takes, or not enough */
	CHANGES
};

/* What a profile says of one thing that boxes may do; a list that ends with NULL. */
struct box_line {
	struct box_line *next;
	char said[16];
	char name[];
};

struct item_side {
	bool there;
	unsigned n;           /* findings; of a name: tries that count */
	unsigned failed, passed;
	bool filtered;        /* a name: with controls, at some server */
	int verdict;          /* enum verdict, the worst; -1 none */
	char ids[160];        /* of findings, in alphabetical order */
	struct box_line *box; /* the lines of the profile, owned */
	unsigned box_findings;
};

struct item {
	enum item_kind kind;
	char *key;            /* printable once escaped */
	char *trigger;        /* of a finding: the key of its name; NULL without */
	struct item_side sides[SIDES_N];
	enum change change;
	char why[400];        /* what changed */
};

struct items {
	struct item *list;    /* sorted by kind, then key, after items_compare() */
	size_t n, room;
	uint32_t *index;      /* of list + 1, by hash; index_size a power of two */
	size_t index_size;
	bool findings_left_out[SIDES_N]; /* a report that was written with --min-verdict */
};

/* Takes what counts from an event: for saved_read(). 0 or -ENOMEM. */
int items_add(struct items *items, enum side side, const struct json_value *event);
void items_compare(struct items *items);
void items_free(struct items *items);

extern const char *const change_name[CHANGES];
extern const char *const item_kind_name[ITEM_KINDS];
