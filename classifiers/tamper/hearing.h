/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Which signatures are asked about what: lists made once, for most flows have something to be asked
 * about and most signatures none of it.
 */

#include "classifiers/tamper/signature.h"

enum hearing {
	HEARING_CLIENT,       /* the client's packets, of a connection that it reset */
	HEARING_SERVER,       /* the server's, without a reset */
	HEARING_SERVER_RESET,
	HEARING_DNS, HEARING_QUIC, HEARING_VPN,
	HEARINGS
};

struct hearings {
	const struct signature **heard[HEARINGS]; /* NULL-terminated, in the order of signatures_at() */
};

int hearings_new(struct hearings *h); /* 0, or -ENOMEM with nothing to free */
void hearings_free(struct hearings *h);
/* Those of a view, NULL-terminated. */
const struct signature *const *hearings_of(const struct hearings *h, const struct view *v);
