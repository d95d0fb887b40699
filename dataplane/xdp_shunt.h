/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Private to source_xdp.c: the user-space half of steer.bpf.c's shunting. Calls but open and close come
 * from any thread; none of them takes more than a system call.
 */

#include <stdint.h>

#include "dataplane/shunt.h"

struct steer;
struct xdp_shunt;

/* skel is loaded, with shunting set. utc_offset: CLOCK_REALTIME minus CLOCK_MONOTONIC. 0 or -errno. */
int xdp_shunt_open(struct xdp_shunt **out, struct steer *skel, uint64_t utc_offset, uint32_t snaplen);
void xdp_shunt_close(struct xdp_shunt *s); /* NULL is fine */
int xdp_shunt_begin(struct xdp_shunt *s, const struct shunt_flow *f, uint32_t *ticket);
void xdp_shunt_grant(struct xdp_shunt *s, uint32_t ticket);
int xdp_shunt_end(struct xdp_shunt *s, const struct shunt_flow *f, uint32_t ticket,
		  struct shunt_counts *out);
void xdp_shunt_count(struct xdp_shunt *s, uint64_t *begun, uint64_t *refused);
