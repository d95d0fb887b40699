/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * New TLS connections to a server that freeze once there were many in a short time, until some minutes
 * later (DROP-CONNRATE: about twelve, and 60 s). Translators that ran out of ports and servers
 * with a limit look the same: it is told, and accuses nobody.
 */

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/study/study_private.h"

#define BURST 10                     /* passed connections: "about 12" */
#define BURST_NS 30000000000ull      /* begun within */
#define FROZEN 3                     /* failures in a row */
#define BACK_MIN_NS 30000000000ull   /* "about 60 s" after the first failure, one passes again */
#define BACK_MAX_NS 120000000000ull
#define HTTPS 443
#define SHOWN_MAX 64

/* A client's connections to one server, in the order of their beginning. */
struct run {
	uint64_t passed[BURST]; /* when the last ones began, a ring */
	unsigned n_passed;
	uint64_t since_ns;      /* of a freeze: its first failure; 0: none */
	const struct attempt *failed[SHOWN_MAX];
	unsigned n_failed;
};

static bool is_silent(const struct attempt *a)
{
	return a->end == ATTEMPT_SILENT && a->finding != NULL &&
	       a->finding->family == FAMILY_SILENT_DROP;
}

static int say(struct study_run *r, const struct run *s, const struct attempt *back)
{
	char value[96];
	double seconds = (double)(back->start_ns - s->since_ns) / 1e9;
	const struct study_cause cause = {
		.id = "connections-frozen-after-burst",
		.summary = "after many new connections in a short time no further one got through",
		.refs = "this project's rule",
		.family = FAMILY_SILENT_DROP,
		.scope = SCOPE_PAIR,
		.attempts = s->failed,
		.n_attempts = s->n_failed,
		.controls = &back,
		.n_controls = 1,
	};
	struct finding *f = study_finding(r, &cause);
	if (f == NULL)
		return -ENOMEM;
	f->sentence = arena_format(&r->arena, FINDING_SENTENCE,
		 "after %u new connections within %.0f s the next %u got no answer; one passed again "
		 "%.0f s after the first of them", BURST, BURST_NS / 1e9, s->n_failed, seconds);
	snprintf(value, sizeof(value), "%u unanswered in a row, for at most %.0f s", s->n_failed, seconds);
	study_row(r, f, "burst-frozen", GRADE_D1, value, "answers, as before and after");
	study_benign(f, "a carrier's translator that ran out of ports");
	study_benign(f, "a server that limits new connections");
	study_weigh(f, VERDICT_INCONCLUSIVE);
	return 0;
}

static bool was_burst(const struct run *s, uint64_t ns)
{
	uint64_t oldest = s->passed[s->n_passed % BURST];
	return s->n_passed >= BURST && ns >= oldest && ns - oldest <= BURST_NS;
}

static int follow(struct study_run *r, struct run *s, const struct attempt *a)
{
	int err = 0;
	if (is_silent(a)) {
		if (s->since_ns == 0 && was_burst(s, a->start_ns))
			s->since_ns = a->start_ns;
		if (s->since_ns != 0 && s->n_failed < SHOWN_MAX)
			s->failed[s->n_failed++] = a;
		return 0;
	}
	if (a->end != ATTEMPT_OK)
		return 0;
	uint64_t back = s->since_ns != 0 ? a->start_ns - s->since_ns : 0;
	if (s->n_failed >= FROZEN && back >= BACK_MIN_NS && back <= BACK_MAX_NS)
		err = say(r, s, a);
	s->since_ns = 0;
	s->n_failed = 0;
	s->passed[s->n_passed++ % BURST] = a->start_ns;
	return err;
}

int study_bursts(struct study_run *r)
{
	struct run *s = calloc(1, sizeof(*s));
	int err = s == NULL ? -ENOMEM : 0;
	for (size_t i = 0; err == 0 && i < r->n_pairs; i++) {
		const struct attempt *a = r->trials[r->pairs[i]].a;
		if (i != 0 && !study_one_pair(r, i - 1, i))
			*s = (struct run){.n_passed = 0};
		if (a->proto == IPPROTO_TCP && a->server_port == HTTPS)
			err = follow(r, s, a);
	}
	free(s);
	return err;
}
