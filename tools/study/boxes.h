/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Findings sorted by the box that they point at: what profiles are written from. */

#include "classifiers/verdict.h"

enum box_deed { BOX_RESETS, BOX_PAGES, BOX_ANSWERS, BOX_ALERTS, BOX_DROPS, BOX_DEEDS };

struct box {
	const char *mbx;       /* of its first packets; "": known by behaviour only */
	enum box_deed deed;    /* the first seen */
	int hops;              /* as seen in this capture, of packets in this direction; -1 unknown */
	bool scattered;        /* its packets have a TTL of their own each, so that none tells its distance */
	unsigned capture;
	enum dir direction;
	const struct finding **findings; /* in the model's order */
	size_t n, room;
};

struct boxes {
	struct box *list;
	unsigned n, room;
	size_t unplaced; /* findings that another box would have had to be made for */
};

/* Two mbx1 whose fields agree but for what was done and how often. */
bool boxes_stamped_alike(const char *a, const char *b);
int boxes_find(struct boxes *b, const struct analysis *a); /* 0 or -ENOMEM; free it either way */
void boxes_free(struct boxes *b);
