/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/tamper/hearing.h"

#include <errno.h>
#include <stdlib.h>

/*
 * Silence concerns the flow and is heard once. Content in the client's name is its own affair:
 * evasion tools send decoys.
 */
static bool is_heard(enum hearing h, const struct signature *sig)
{
	switch (h) {
	case HEARING_DNS:
		return sig->cause == CAUSE_DNS;
	case HEARING_QUIC:
		return sig->cause == CAUSE_QUIC;
	case HEARING_VPN:
		return sig->cause == CAUSE_VPN;
	case HEARING_CLIENT:
		return sig->cause == CAUSE_RESET;
	case HEARING_SERVER:
		return sig->cause < CAUSE_DNS && (sig->needs & NEED_RESET) == 0;
	default:
		return sig->cause < CAUSE_DNS;
	}
}

static size_t list(enum hearing h, const struct signature **out)
{
	size_t n = 0;
	const struct signature *sig;
	for (unsigned t = 0; (sig = signatures_at(t)) != NULL; t++) {
		for (; sig->id != NULL; sig++) {
			if (!is_heard(h, sig))
				continue;
			if (out != NULL)
				out[n] = sig;
			n++;
		}
	}
	return n;
}

int hearings_new(struct hearings *h)
{
	*h = (struct hearings){.heard = {NULL}};
	for (unsigned i = 0; i < HEARINGS; i++) {
		h->heard[i] = calloc(list((enum hearing)i, NULL) + 1, sizeof(*h->heard[i]));
		if (h->heard[i] == NULL) {
			hearings_free(h);
			return -ENOMEM;
		}
		list((enum hearing)i, h->heard[i]);
	}
	return 0;
}

void hearings_free(struct hearings *h)
{
	for (unsigned i = 0; i < HEARINGS; i++)
		free(h->heard[i]);
}

const struct signature *const *hearings_of(const struct hearings *h, const struct view *v)
{
	static const enum hearing of_exchange[] = {
		[EXCHANGE_DNS] = HEARING_DNS, [EXCHANGE_QUIC] = HEARING_QUIC,
		[EXCHANGE_VPN] = HEARING_VPN,
	};
	if (v->ex != NULL)
		return h->heard[of_exchange[v->ex->kind]];
	if (v->dir == DIR_C2S)
		return h->heard[HEARING_CLIENT];
	return h->heard[v->n_rst != 0 ? HEARING_SERVER_RESET : HEARING_SERVER];
}
