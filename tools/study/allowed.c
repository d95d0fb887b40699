/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Ports on which only some protocols are let through (PROTO-WHITELIST): on 53, 80 and 443
 * a filter reads the client's first data, and where it is neither DNS, HTTP nor TLS drops what the
 * client sends from then on. One protocol that fails so is a block of that protocol; several, while
 * DNS, HTTP and TLS pass to the same port of the same server, is a list of those let through.
 */

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/app/first_words.h"
#include "tools/study/study_private.h"

#define RESIDUAL_NS 60000000000ull /* Bock et al.: the drop lasts that long, each packet renews it */
#define KINDS 2                    /* of protocols that are dropped */
#define NETS 2                     /* of servers; one could have a firewall of its own */
#define SHOWN_MAX 64

/* One client's connections to the ports in one capture. */
struct tries {
	const struct attempt *muted[SHOWN_MAX], *controls[SHOWN_MAX];
	unsigned n_shown, n_controls;
	unsigned n_muted, n_passed;               /* of other protocols */
	unsigned common_muted, common_passed;     /* of those let through, where others are muted */
	uint8_t kinds[(WORDS_N + 7) / 8];
	unsigned n_kinds, n_nets, n_encrypted;
};

static const uint16_t ports[] = {53, 80, 443};
#define PORTS (sizeof(ports) / sizeof(ports[0]))

/* PORTS: none of them. */
static unsigned port_of(const struct attempt *a)
{
	unsigned i = 0;
	while (i < PORTS && ports[i] != a->server_port)
		i++;
	return i;
}

/* Passed: answered, and nothing was found of it. */
static bool has_passed(const struct attempt *a)
{
	return a->end == ATTEMPT_OK && !a->muted && a->finding == NULL;
}

/* What the judge mentions, since it knows what the capture can vouch for. */
static bool is_muted(const struct attempt *a)
{
	return a->muted && a->finding != NULL && a->finding->family == FAMILY_SILENT_DROP;
}

static bool same_port(const struct attempt *x, const struct attempt *y)
{
	return study_same_pair(x, y) && x->server_port == y->server_port;
}

static bool same_net(const struct attempt *x, const struct attempt *y)
{
	size_t from = x->ip_version == 4 ? 12 : 0, len = x->ip_version == 4 ? 2 : 4;
	return x->ip_version == y->ip_version &&
	       memcmp(x->server.b + from, y->server.b + from, len) == 0;
}

static void take_muted(struct tries *t, const struct attempt *a)
{
	unsigned bit = 1u << (a->words & 7);
	bool known = false;
	for (unsigned i = 0; i < t->n_shown; i++)
		known |= same_net(t->muted[i], a);
	t->n_nets += !known;
	t->n_kinds += (t->kinds[a->words / 8] & bit) == 0;
	t->kinds[a->words / 8] |= (uint8_t)bit;
	t->n_encrypted += a->words == WORDS_ENCRYPTED;
	t->n_muted++;
	if (t->n_shown < SHOWN_MAX)
		t->muted[t->n_shown++] = a;
}

/* list: by server, then time. */
static void gather(const struct attempt *const *list, size_t n, struct tries *t)
{
	uint64_t until[PORTS] = {0}; /* when what an earlier drop explains is over */
	for (size_t i = 0; i < n; i++) {
		const struct attempt *a = list[i];
		unsigned port = port_of(a);
		if (i != 0 && !study_same_pair(list[i - 1], a))
			memset(until, 0, sizeof(until));
		if (a->words <= WORDS_COMMON || a->words == WORDS_CUT_RESET)
			continue;
		if (is_muted(a) && a->start_ns >= until[port])
			take_muted(t, a);
		t->n_passed += has_passed(a);
		if (a->muted && a->flow != NULL && a->flow->last_ns + RESIDUAL_NS > until[port])
			until[port] = a->flow->last_ns + RESIDUAL_NS;
	}
	for (size_t i = 0; i < n && t->n_shown != 0; i++) {
		bool there = false;
		for (unsigned k = 0; k < t->n_shown && !there; k++)
			there = same_port(t->muted[k], list[i]);
		if (!there || list[i]->words != WORDS_COMMON)
			continue;
		t->common_muted += list[i]->muted;
		t->common_passed += has_passed(list[i]);
		if (has_passed(list[i]) && t->n_controls < SHOWN_MAX)
			t->controls[t->n_controls++] = list[i];
	}
}

static void say_kinds(const struct tries *t, char *out, size_t len)
{
	size_t n = 0;
	out[0] = '\0';
	for (unsigned k = WORDS_ENCRYPTED; k < WORDS_N && n < len; k++)
		if ((t->kinds[k / 8] & 1u << (k & 7)) != 0)
			n += (size_t)snprintf(out + n, len - n, "%s%s", n != 0 ? ", " : "",
					      first_words_name((enum first_words)k));
}

static void mark(const struct tries *t, const struct finding *f)
{
	for (unsigned i = 0; i < t->n_shown; i++)
		study_condition(t->muted[i]->finding, f);
}

static int conclude(struct study_run *r, const struct tries *t)
{
	unsigned tries = t->n_muted + t->n_passed, others = t->common_muted + t->common_passed;
	char value[96], expected[96], kinds[64];
	/* Of fully encrypted connections alone encrypted.c speaks: there it takes many. */
	if (t->n_muted < STUDY_FAIL_TRIES || t->n_muted < STUDY_FAIL_SHARE * tries ||
	    t->n_muted == t->n_encrypted || t->common_passed < STUDY_CONTROL_TRIES ||
	    t->common_muted > STUDY_CONTROL_SHARE * others)
		return 0;
	const struct study_cause cause = {
		.id = "protocol-not-allowed",
		.summary = "what is neither DNS, HTTP nor TLS is dropped on a port where these pass",
		.refs = "Bock et al., A Case Study of Iran's Protocol Filter, FOCI 2020",
		.family = FAMILY_VPN_INTERFERENCE,
		.scope = SCOPE_PAIR,
		.attempts = t->muted,
		.n_attempts = t->n_shown,
		.controls = t->controls,
		.n_controls = t->n_controls,
	};
	struct finding *f = study_finding(r, &cause);
	if (f == NULL)
		return -ENOMEM;
	say_kinds(t, kinds, sizeof(kinds));
	f->trigger = TRIGGER_PROTOCOL;
	f->trigger_value = arena_format(&r->arena, FINDING_TRIGGER, "%s", kinds);
	f->sentence = arena_format(&r->arena, FINDING_SENTENCE,
		 "%u of %u connections to port 53, 80 or 443 that did not begin with DNS, HTTP or TLS "
		 "(%s) lost all that the client sent from then on; %u of %u that did passed",
		 t->n_muted, tries, kinds, t->common_passed, others);
	snprintf(value, sizeof(value), "%u of %u muted: %s", t->n_muted, tries, kinds);
	snprintf(expected, sizeof(expected), "as DNS, HTTP and TLS there: %u of %u passed",
		 t->common_passed, others);
	study_row(r, f, "protocol-control", t->n_kinds >= KINDS ? GRADE_D3 : GRADE_D2, value, expected);
	study_row(r, f, t->muted[0]->finding->id, study_grade(t->muted[0]), "what became of them", "");
	study_benign(f, t->n_nets >= NETS ? "firewalls of the servers' own that read payload"
					  : "a firewall of the server's own that reads payload");
	f->conditional = "yes";
	study_weigh(f, t->n_kinds >= KINDS && t->n_nets >= NETS ? VERDICT_CONFIRMED
								: VERDICT_ANOMALY);
	mark(t, f);
	return 0;
}

static bool same_client(const struct attempt *x, const struct attempt *y)
{
	return x->capture == y->capture && x->ip_version == y->ip_version &&
	       memcmp(&x->client, &y->client, sizeof(x->client)) == 0;
}

int study_allowed(struct study_run *r)
{
	const struct attempt **list = malloc((r->n_pairs + 1) * sizeof(*list));
	size_t n = 0, next;
	int err = list == NULL ? -ENOMEM : 0;
	bool any = false;
	for (size_t i = 0; err == 0 && i < r->n_pairs; i++) {
		const struct attempt *a = r->trials[r->pairs[i]].a;
		if (a->proto != IPPROTO_TCP || port_of(a) == PORTS)
			continue;
		list[n++] = a;
		any |= a->words > WORDS_COMMON && is_muted(a);
	}
	/* Pairs come by client, then server, then time. */
	for (size_t i = 0; err == 0 && any && i < n; i = next) {
		struct tries t = {.n_shown = 0};
		for (next = i + 1; next < n && same_client(list[i], list[next]);)
			next++;
		gather(list + i, next - i, &t);
		err = conclude(r, &t);
	}
	free(list);
	return err;
}
