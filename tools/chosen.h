/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The frames of one capture that an annotated copy of it holds: every packet of the connections that
 * findings are about, fragments and ICMP errors that quote them included. Whose packet a frame is the
 * analysis wrote down (trail.h); else the capture is read again, through the same decoder and flow table. No
 * address decides: those of the model may be pseudonyms by then.
 */

#include <stdbool.h>

#include "dataplane/packet.h"
#include "tools/report.h"

struct chosen;

/* 0, or -errno with the reason on stderr: the capture cannot be read again. */
int chosen_new(struct chosen **out, const struct analysis *a, const struct report_options *o,
	       unsigned capture);
void chosen_free(struct chosen *c); /* NULL is fine */
bool chosen_has(const struct chosen *c, uint32_t file, uint64_t frame);
uint64_t chosen_flows(const struct chosen *c);
/* A frame more, of which the model says something. 0 or -ENOMEM. */
int chosen_add(struct chosen *c, uint32_t file, uint64_t frame);
