/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Both ports of the tester, each captured by a thread of its own: what leaves and what arrives,
 * into a file, into the ledger, and to whoever waits for it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tools/audit/ledger.h"

struct taps_config {
	const char *iface[SIDES];
	const char *path[SIDES]; /* pcapng files that are made; NULL: none is kept */
	uint32_t ring_mib;
	struct ledger *ledger; /* NULL: none */
	/* On the port's thread, of every frame that comes in; may be NULL. */
	void (*arrived)(void *user, enum compare_side port, const struct packet *pkt,
			const struct headers *h);
	void *user;
};

struct taps_stats {
	uint64_t frames, arrived; /* at the port; of those, inbound */
	uint64_t dropped;	  /* by the kernel for want of room, and by the card */
	int error;		  /* -errno that ended it early */
};

struct taps;

/* Opens all; why (len) names the port. The paths outlive the taps. 0 or -errno. */
int taps_open(struct taps **out, const struct taps_config *cfg, char *why, size_t len);
int taps_start(struct taps *t, char *why, size_t len);
/* What is there is still taken; files are whole afterwards. 0 or the first -errno. */
int taps_stop(struct taps *t);
void taps_stats(const struct taps *t, enum compare_side port, struct taps_stats *out);
void taps_close(struct taps *t); /* NULL is fine */
