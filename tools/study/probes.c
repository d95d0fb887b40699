/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Servers of OpenVPN over TCP that somebody probes (VPN-PROBE): a hard reset whole, and one
 * without its last byte. A server that has a length but not all of the message waits for the rest, one
 * of another protocol closes; no client sends either.
 */

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/app/first_words.h"
#include "tools/study/study_private.h"

#define SHOWN_MAX 64

static int say(struct study_run *r, const struct attempt *const *shown, unsigned n, unsigned cut)
{
	char value[96];
	const struct study_cause cause = {
		.id = "openvpn-probed",
		.summary = "somebody tries a server with OpenVPN's first message, whole and cut short",
		.refs = "Xue et al., OpenVPN Is Open to VPN Fingerprinting, USENIX Security 2022",
		.family = FAMILY_VPN_INTERFERENCE,
		.scope = SCOPE_PAIR,
		.attempts = shown,
		.n_attempts = n,
	};
	struct finding *f = study_finding(r, &cause);
	if (f == NULL)
		return -ENOMEM;
	f->trigger = TRIGGER_PROTOCOL;
	f->trigger_value = arena_format(&r->arena, FINDING_TRIGGER, "openvpn");
	f->sentence = arena_format(&r->arena, FINDING_SENTENCE,
		 "one address sent OpenVPN's first message %u times whole and %u times without its last "
		 "byte", n - cut, cut);
	snprintf(value, sizeof(value), "%u of %u without their last byte, and nothing behind", cut, n);
	study_row(r, f, "reset-cut-short", GRADE_D3, value, "a whole message, as every client sends");
	study_benign(f, "a scan for VPN servers by somebody who does not block them");
	/* Whoever probes did nothing to a connection. */
	study_weigh(f, VERDICT_ANOMALY);
	return 0;
}

/* list: of one client to one server, by time. */
static int probes_of(struct study_run *r, const struct attempt *const *list, size_t n)
{
	const struct attempt *shown[SHOWN_MAX];
	unsigned kept = 0, cut = 0;
	uint64_t first = 0;
	for (size_t i = 0; i < n && kept < SHOWN_MAX; i++) {
		bool is_cut = list[i]->words == WORDS_CUT_RESET;
		if (!is_cut && list[i]->words != WORDS_VPN + VPN_OPENVPN)
			continue;
		if (kept != 0 && (list[i]->start_ns > first + TRIAL_NS ||
				  list[i]->server_port != shown[0]->server_port))
			continue;
		first = kept == 0 ? list[i]->start_ns : first;
		shown[kept++] = list[i];
		cut += is_cut;
	}
	return cut != 0 && kept > cut ? say(r, shown, kept, cut) : 0;
}

int study_probes(struct study_run *r)
{
	const struct attempt **list = malloc((r->n_pairs + 1) * sizeof(*list));
	size_t next;
	int err = list == NULL ? -ENOMEM : 0;
	bool any = false;
	for (size_t i = 0; err == 0 && i < r->n_pairs; i++) {
		list[i] = r->trials[r->pairs[i]].a;
		any |= list[i]->proto == IPPROTO_TCP && list[i]->words == WORDS_CUT_RESET;
	}
	for (size_t i = 0; err == 0 && any && i < r->n_pairs; i = next) {
		for (next = i + 1; next < r->n_pairs && study_one_pair(r, i, next);)
			next++;
		err = list[i]->proto == IPPROTO_TCP ? probes_of(r, list + i, next - i) : 0;
	}
	free(list);
	return err;
}
