/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Fully encrypted connections: whether they are dropped where others to the
 * same port are not, which takes many of both, since the GFW dropped one in four; and whether somebody
 * else sent a client's first payload again, as those do who probe for proxies.
 */

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/study/study_private.h"

#define REFS "Wu et al., USENIX Security 2023"
#define TRIES 20                    /* of each kind: BLK-FET's n */
#define CONTROL_SHARE 0.2           /* of the controls that may fail */
#define CLIENTS 3                   /* of fewer what is dropped is held against their own controls */
#define RESIDUAL_NS 180000000000ull /* the same: what follows a drop may be its consequence */
#define SOONEST_NS 280000000ull     /* PROBE-REPLAY: a NAT's two sides are closer */
#define LATEST_NS 86400000000000ull
#define SHOWN_MAX 64

static int compare_u64(uint64_t x, uint64_t y)
{
	return x < y ? -1 : x > y;
}

static int compare_port(const struct attempt *a, const struct attempt *b)
{
	int by = (int)a->capture - (int)b->capture;
	by = by != 0 ? by : (int)a->ip_version - (int)b->ip_version;
	by = by != 0 ? by : memcmp(&a->server, &b->server, sizeof(a->server));
	return by != 0 ? by : (int)a->server_port - (int)b->server_port;
}

static int by_time(const struct attempt *a, const struct attempt *b)
{
	int by = compare_u64(a->start_ns, b->start_ns);
	return by != 0 ? by : compare_u64(a->flow_id, b->flow_id);
}

/* A server's port, then the client, then time. */
static int by_client(const void *x, const void *y)
{
	const struct attempt *a = *(const struct attempt *const *)x;
	const struct attempt *b = *(const struct attempt *const *)y;
	int by = compare_port(a, b);
	by = by != 0 ? by : memcmp(&a->client, &b->client, sizeof(a->client));
	return by != 0 ? by : by_time(a, b);
}

/* A server's port, then the payload, then time. */
static int by_payload(const void *x, const void *y)
{
	const struct attempt *a = *(const struct attempt *const *)x;
	const struct attempt *b = *(const struct attempt *const *)y;
	int by = compare_port(a, b);
	by = by != 0 ? by : compare_u64(a->payload, b->payload);
	return by != 0 ? by : by_time(a, b);
}

static bool was_dropped(const struct attempt *a)
{
	return a->finding != NULL && strcmp(a->finding->id, "request-dropped") == 0;
}

/*
 * Connections to one port; [1] of what is fully encrypted, of clients that have such. A client whose way is
 * broken may have nothing else: what others reach is no control of one or two.
 */
struct port {
	unsigned dropped[2], passed[2];
	struct {
		unsigned dropped, passed;
		const struct attempt *controls[SHOWN_MAX];
		unsigned n_controls;
	} others; /* of clients that have none */
	const struct attempt *shown[SHOWN_MAX], *controls[SHOWN_MAX];
	unsigned n_shown, n_controls, clients; /* that had some dropped */
};

static bool is_fet(const struct attempt *a)
{
	return (a->bits & ATTEMPT_FET) != 0;
}

static void count(struct port *p, const struct attempt *a)
{
	if (was_dropped(a)) {
		p->dropped[is_fet(a)]++;
		if (is_fet(a) && p->n_shown < SHOWN_MAX)
			p->shown[p->n_shown++] = a;
	} else if (a->end == ATTEMPT_OK) {
		p->passed[is_fet(a)]++;
		if (!is_fet(a) && p->n_controls < SHOWN_MAX)
			p->controls[p->n_controls++] = a;
	}
}

static void count_other(struct port *p, const struct attempt *a)
{
	p->others.dropped += was_dropped(a);
	p->others.passed += a->end == ATTEMPT_OK;
	if (a->end == ATTEMPT_OK && p->others.n_controls < SHOWN_MAX)
		p->others.controls[p->others.n_controls++] = a;
}

static void add_others(struct port *p)
{
	p->dropped[0] += p->others.dropped;
	p->passed[0] += p->others.passed;
	for (unsigned i = 0; i < p->others.n_controls && p->n_controls < SHOWN_MAX; i++)
		p->controls[p->n_controls++] = p->others.controls[i];
}

/* BLK-FET. */
static int conclude_port(struct study_run *r, struct port *p)
{
	if (p->clients >= CLIENTS)
		add_others(p);
	unsigned fet = p->dropped[1] + p->passed[1], other = p->dropped[0] + p->passed[0];
	char value[96], expected[96];
	if (fet < TRIES || other < TRIES || p->dropped[1] == 0 ||
	    p->dropped[0] > CONTROL_SHARE * other || study_chance(p->dropped, p->passed) >= STUDY_CHANCE)
		return 0;
	const struct study_cause cause = {
		.id = "encrypted-dropped",
		.summary = "fully encrypted connections are dropped where others to the port are not",
		.refs = REFS,
		.family = FAMILY_VPN_INTERFERENCE,
		.scope = SCOPE_PAIR,
		.attempts = p->shown,
		.n_attempts = p->n_shown,
		.controls = p->controls,
		.n_controls = p->n_controls,
	};
	struct finding *f = study_finding(r, &cause);
	if (f == NULL)
		return -ENOMEM;
	f->trigger = TRIGGER_PROTOCOL;
	f->trigger_value = arena_format(&r->arena, FINDING_TRIGGER, "fet");
	f->sentence = arena_format(&r->arena, FINDING_SENTENCE,
		 "%u of %u connections whose first payload is fully encrypted were dropped, %u of %u "
		 "others to the same port", p->dropped[1], fet, p->dropped[0], other);
	snprintf(value, sizeof(value), "%u of %u dropped, by chance %.1g", p->dropped[1], fet,
		 study_chance(p->dropped, p->passed));
	snprintf(expected, sizeof(expected), "as others: %u of %u", p->dropped[0], other);
	study_row(r, f, "fet-control", GRADE_D3, value, expected);
	f->conditional = "yes";
	study_benign(f, "a firewall of the server's own that looks at payload");
	study_weigh(f, VERDICT_CONFIRMED);
	return 0;
}

/* Those of one client to one port. */
static void count_client(struct port *p, const struct attempt **list, size_t n)
{
	uint64_t dropped_ns = 0;
	bool has = false, lost = false;
	for (size_t i = 0; i < n; i++)
		has |= is_fet(list[i]);
	for (size_t i = 0; i < n; i++) {
		if (dropped_ns != 0 && list[i]->start_ns - dropped_ns < RESIDUAL_NS)
			continue;
		(has ? count : count_other)(p, list[i]);
		lost |= is_fet(list[i]) && was_dropped(list[i]);
		if (was_dropped(list[i]))
			dropped_ns = list[i]->start_ns;
	}
	p->clients += lost;
}

static int find_dropped(struct study_run *r, const struct attempt **list, size_t n)
{
	int err = 0;
	struct port p = {.n_shown = 0};
	for (size_t from = 0, to; from < n && err == 0; from = to) {
		if (from != 0 && compare_port(list[from - 1], list[from]) != 0) {
			err = conclude_port(r, &p);
			p = (struct port){.n_shown = 0};
		}
		for (to = from + 1; to < n && compare_port(list[from], list[to]) == 0 &&
				    study_same_client(list[from], list[to]);)
			to++;
		count_client(&p, list + from, to - from);
	}
	return err != 0 ? err : conclude_port(r, &p);
}

/* Whether the client sent something else there too: a program's constant hello is no secret. */
static bool sends_others(const struct attempt **list, size_t n, const struct attempt *of)
{
	for (size_t i = 0; i < n && compare_port(list[i], of) == 0; i++)
		if (list[i]->payload != of->payload &&
		    memcmp(&list[i]->client, &of->client, sizeof(of->client)) == 0)
			return true;
	return false;
}

/* PROBE-REPLAY: the first of shown sent what the others of them repeated. */
static int say_replay(struct study_run *r, const struct attempt **shown, unsigned n, bool others)
{
	char value[96];
	const struct study_cause cause = {
		.id = "probe-replay",
		.summary = "somebody else sent a client's fully encrypted first payload again",
		.refs = "Alice et al., IMC 2020",
		.family = FAMILY_VPN_INTERFERENCE,
		.scope = SCOPE_PAIR,
		.attempts = shown,
		.n_attempts = n,
	};
	struct finding *f = study_finding(r, &cause);
	if (f == NULL)
		return -ENOMEM;
	f->trigger = TRIGGER_PROTOCOL;
	f->trigger_value = arena_format(&r->arena, FINDING_TRIGGER, "fet");
	double after = (double)(shown[1]->start_ns - shown[0]->start_ns) / 1e9;
	f->sentence = arena_format(&r->arena, FINDING_SENTENCE,
		 "a client's fully encrypted first payload came again from another address %.1f s "
		 "later", after);
	snprintf(value, sizeof(value), "the same bytes %u times, %.1f s later", n - 1, after);
	study_row(r, f, "payload-replayed", others ? GRADE_D4 : GRADE_D1, value,
		  others ? "other bytes each time, as the client sends" : "other bytes");
	study_benign(f, others ? "a client that changed its address and sent its bytes again"
			       : "a protocol that begins with the same bytes each time");
	/* Whoever probes has read along, but did nothing to the connection. */
	study_weigh(f, VERDICT_ANOMALY);
	return 0;
}

/* Whether b repeats what a sent: by another client, and not as the other side of a NAT shows it. */
static bool is_replay(const struct attempt *a, const struct attempt *b)
{
	uint64_t after = b->start_ns - a->start_ns;
	return memcmp(&a->client, &b->client, sizeof(a->client)) != 0 && after >= SOONEST_NS &&
	       after <= LATEST_NS;
}

static int find_replays(struct study_run *r, const struct attempt **list, size_t n)
{
	const struct attempt *shown[SHOWN_MAX];
	size_t port = 0;
	int err = 0;
	for (size_t i = 0, next; i < n && err == 0; i = next) {
		unsigned n_shown = 1;
		port = compare_port(list[port], list[i]) != 0 ? i : port;
		shown[0] = list[i];
		for (next = i + 1; next < n && compare_port(list[i], list[next]) == 0 &&
				   list[i]->payload == list[next]->payload; next++)
			if (is_replay(list[i], list[next]) && n_shown < SHOWN_MAX)
				shown[n_shown++] = list[next];
		if (n_shown > 1)
			err = say_replay(r, shown, n_shown,
					 sends_others(list + port, n - port, list[i]));
	}
	return err;
}

int study_encrypted(struct study_run *r)
{
	const struct attempt **list = malloc((r->n_pairs + 1) * sizeof(*list));
	size_t n = 0, n_fet = 0;
	int err = list == NULL ? -ENOMEM : 0;
	for (size_t i = 0; err == 0 && i < r->n_pairs; i++) {
		const struct attempt *a = r->trials[r->pairs[i]].a;
		if (a->proto != IPPROTO_TCP || a->request_ns == 0)
			continue;
		list[n++] = a;
		n_fet += (a->bits & ATTEMPT_FET) != 0;
	}
	if (n_fet >= TRIES) {
		qsort(list, n, sizeof(*list), by_client);
		err = find_dropped(r, list, n);
	}
	size_t n_payload = 0;
	for (size_t i = 0; i < n; i++)
		if (list[i]->payload != 0)
			list[n_payload++] = list[i];
	if (err == 0 && n_payload > 1) {
		qsort(list, n_payload, sizeof(*list), by_payload);
		err = find_replays(r, list, n_payload);
	}
	free(list);
	return err;
}
