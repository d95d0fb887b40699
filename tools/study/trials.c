/* SPDX-License-Identifier: BSD-3-Clause */

/* Attempts become tries of names: what passed, what failed, and what was seen twice. */

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/cursor.h"
#include "tools/study/study_private.h"

/* Clocks of captures of one run differ; ports are not used again so soon. */
#define TWIN_NS 10000000000ull
/* A host that translates addresses, captured on all its interfaces, has each packet twice within this. */
#define TRANSLATED_NS 5000000ull
#define TRANSLATED_AMONG 16 /* tries of one name looked through for the other side */
/* Silence is silence once this much capture follows the request (T_idle). */
#define SILENT_NS 3000000000ull

static int compare_addr(const struct ip_addr *x, const struct ip_addr *y)
{
	return memcmp(x, y, sizeof(*x));
}

bool study_same_client(const struct attempt *x, const struct attempt *y)
{
	return x->ip_version == y->ip_version && compare_addr(&x->client, &y->client) == 0;
}

bool study_same_pair(const struct attempt *x, const struct attempt *y)
{
	return study_same_client(x, y) && compare_addr(&x->server, &y->server) == 0;
}

static const char *name_of(const struct attempt *a)
{
	return a->name != NULL ? a->name : "";
}

static int compare_row(const struct attempt *a, const struct attempt *b)
{
	int by = (int)a->trigger - (int)b->trigger;
	by = by != 0 ? by : strcmp(name_of(a), name_of(b));
	by = by != 0 ? by : (int)a->ip_version - (int)b->ip_version;
	by = by != 0 ? by : compare_addr(&a->server, &b->server);
	by = by != 0 ? by : (int)a->server_port - (int)b->server_port;
	return by != 0 ? by : (int)a->proto - (int)b->proto;
}

/*
 * An index list carries its trials along, since qsort() takes no context, and what an order looks at
 * first: of a million comparisons few then have to fetch two attempts from all over memory.
 */
struct sorted {
	uint64_t key[2];
	const struct attempt *a;
	uint32_t trial;
};

static int compare_keys(const struct sorted *a, const struct sorted *b)
{
	unsigned i = a->key[0] == b->key[0];
	return a->key[i] < b->key[i] ? -1 : a->key[i] > b->key[i];
}

/* Trigger, then the name's first bytes: in strcmp()'s order. */
static void row_key(struct sorted *s)
{
	const char *name = name_of(s->a);
	s->key[0] = (uint8_t)s->a->trigger;
	for (unsigned i = 1; i < 16; i++) {
		s->key[i / 8] = s->key[i / 8] << 8 | (uint8_t)*name;
		name += *name != '\0';
	}
}

/* Capture, protocol, IP version, then the ends: both of IPv4, and of IPv6 the client's first bytes. */
static void pair_key(struct sorted *s)
{
	const struct attempt *a = s->a;
	unsigned from = a->ip_version == 4 ? 12 : 0; /* what is before that all of them have */
	uint64_t first = (uint64_t)a->capture << 16 | (uint64_t)a->proto << 8 | a->ip_version;
	s->key[0] = first << 32 | load_be32(a->client.b + from);
	s->key[1] = a->ip_version == 4 ? load_be32(a->server.b + from) : load_be32(a->client.b + 4);
}

static void sort_by(struct sorted *list, size_t n, void (*key)(struct sorted *),
		    int (*compare)(const void *, const void *))
{
	for (size_t i = 0; i < n; i++)
		key(&list[i]);
	qsort(list, n, sizeof(*list), compare);
}

static int by_row(const void *x, const void *y)
{
	const struct sorted *a = x, *b = y;
	int by = compare_keys(a, b);
	by = by != 0 ? by : compare_row(a->a, b->a);
	return by != 0 ? by : a->trial < b->trial ? -1 : a->trial > b->trial;
}

static int compare_ends(const struct attempt *a, const struct attempt *b)
{
	int by = (int)a->proto - (int)b->proto;
	by = by != 0 ? by : (int)a->ip_version - (int)b->ip_version;
	by = by != 0 ? by : compare_addr(&a->client, &b->client);
	return by != 0 ? by : compare_addr(&a->server, &b->server);
}

static int compare_tuple(const struct attempt *a, const struct attempt *b)
{
	int by = compare_ends(a, b);
	by = by != 0 ? by : (int)a->client_port - (int)b->client_port;
	return by != 0 ? by : (int)a->server_port - (int)b->server_port;
}

static int by_tuple(const void *x, const void *y)
{
	const struct sorted *a = x, *b = y;
	int by = compare_tuple(a->a, b->a);
	if (by != 0)
		return by;
	if (a->a->start_ns != b->a->start_ns)
		return a->a->start_ns < b->a->start_ns ? -1 : 1;
	return a->trial < b->trial ? -1 : a->trial > b->trial;
}

static int by_pair(const void *x, const void *y)
{
	const struct sorted *a = x, *b = y;
	int by = compare_keys(a, b);
	if (by == 0 && a->a->ip_version != 4)
		by = compare_ends(a->a, b->a);
	return by != 0 ? by : a->trial < b->trial ? -1 : a->trial > b->trial;
}

bool study_one_pair(const struct study_run *r, size_t i, size_t j)
{
	const struct attempt *a = r->trials[r->pairs[i]].a, *b = r->trials[r->pairs[j]].a;
	return a->capture == b->capture && compare_ends(a, b) == 0;
}

static enum verdict verdict_of(const struct attempt *a)
{
	return a->finding != NULL ? a->finding->verdict : VERDICT_NONE;
}

enum grade study_grade(const struct attempt *a)
{
	enum grade best = 0;
	for (unsigned i = 0; a->finding != NULL && i < a->finding->n_rows; i++)
		if (a->finding->rows[i].counted && a->finding->rows[i].grade > best)
			best = a->finding->rows[i].grade;
	return best;
}

/* One connection in the captures of client, box and server is one try: the one that shows most. */
static void find_twins(struct study_run *r, struct sorted *list)
{
	size_t first = 0; /* of those that are one connection */
	if (r->a->n_captures < 2)
		return;
	qsort(list, r->n_trials, sizeof(*list), by_tuple);
	for (size_t i = 1, kept = 0; i < r->n_trials; i++) {
		const struct attempt *a = list[kept].a, *b = list[i].a;
		bool dns = b->trigger == TRIGGER_QNAME;
		bool twin = compare_tuple(a, b) == 0 && a->capture != b->capture &&
			    b->start_ns - a->start_ns < TWIN_NS &&
			    (!dns || strcmp(name_of(a), name_of(b)) == 0);
		if (!twin) {
			kept = first = i;
			continue;
		}
		bool better = verdict_of(b) > verdict_of(a);
		r->trials[list[better ? kept : i].trial].twin = true;
		kept = better ? i : kept;
		for (size_t k = first; k <= i; k++)
			r->trials[list[k].trial].twin_of = list[kept].trial;
	}
}

static bool near(uint64_t x, uint64_t y)
{
	return (x > y ? x - y : y - x) < TRANSLATED_NS;
}

/*
 * One connection on the two sides of an address translation: all alike but the client's address, or but the
 * server's where the client's port is one too. Between two captures, whose clocks differ, it has to have kept
 * its port, as most translators see to.
 */
static bool translated(const struct trial *x, const struct trial *y)
{
	const struct attempt *a = x->a, *b = y->a;
	bool port = a->client_port == b->client_port;
	bool masked = x->row == y->row && !study_same_client(a, b);
	bool forwarded = x->row != y->row && port && study_same_client(a, b);
	if (x->ok != y->ok || x->failed != y->failed || a->first_len != b->first_len || a->txid != b->txid)
		return false;
	if (a->capture != b->capture)
		return masked && port && strcmp(a->ja4, b->ja4) == 0;
	return (masked || forwarded) && a->end == b->end && near(a->start_ns, b->start_ns) &&
	       near(a->request_ns, b->request_ns) && near(a->end_ns, b->end_ns);
}

static int by_keys(const void *x, const void *y)
{
	const struct sorted *a = x, *b = y;
	int by = compare_keys(a, b);
	return by != 0 ? by : a->trial < b->trial ? -1 : a->trial > b->trial;
}

static void group_and_start_key(struct sorted *s)
{
	s->key[1] = s->a->start_ns; /* [0] has been set */
}

/* Among tries of one name by time; of two what shows most counts, else the first capture's. */
static void find_translated(struct study_run *r, struct sorted *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		list[i].key[0] = r->group_of[r->trials[list[i].trial].row];
	sort_by(list, n, group_and_start_key, by_keys);
	for (size_t i = 1; i < n; i++) {
		for (size_t k = i; k-- > 0 && i - k <= TRANSLATED_AMONG;) {
			uint32_t first = list[k].trial, second = list[i].trial;
			if (list[k].key[0] != list[i].key[0] ||
			    list[i].key[1] - list[k].key[1] >= TWIN_NS || r->trials[second].twin)
				break;
			if (r->trials[first].twin || !translated(&r->trials[first], &r->trials[second]))
				continue;
			enum verdict a = verdict_of(r->trials[first].a), b = verdict_of(r->trials[second].a);
			bool swap = a != b ? b > a : second < first;
			r->trials[swap ? first : second].twin = true;
			r->trials[swap ? first : second].twin_of = swap ? second : first;
		}
	}
}

/* What one server alone does not bring about. */
static const char *const two_authors[] = {"dns-race", "dns-denied", "dns-udp-tcp",
					  "dns-ip-id-mirror"};

/*
 * What a server that was asked may do itself, as a filter or for names of its own network, differs by name
 * without anybody between.
 */
static bool is_own_answer(const struct finding *f)
{
	if (f == NULL || f->dns == NULL || f->verdict >= VERDICT_LIKELY)
		return false;
	for (unsigned i = 0; i < f->n_rows; i++)
		for (unsigned k = 0; k < sizeof(two_authors) / sizeof(*two_authors); k++)
			if (strcmp(f->rows[i].kind, two_authors[k]) == 0)
				return false;
	return true;
}

static void decide_trial(const struct study_run *r, struct trial *t)
{
	const struct attempt *a = t->a;
	uint64_t end_ns = r->a->captures[a->capture].stats.last_ns;
	bool touched = verdict_of(a) >= VERDICT_ANOMALY;
	/* A hello out of nowhere is reset by any server. */
	if (a->request_ns == 0 || (a->proto == IPPROTO_TCP && (a->bits & ATTEMPT_HANDSHAKE) == 0) ||
	    is_own_answer(a->finding))
		return;
	switch (a->end) {
	case ATTEMPT_OK:
		t->ok = !touched;
		break;
	case ATTEMPT_RESET:
		t->failed = touched || a->stage == STAGE_POST_PSH;
		break;
	case ATTEMPT_SILENT:
		/* Only what the judge mentions: it knows what the capture can vouch for. */
		t->failed = a->finding != NULL && end_ns >= a->request_ns + SILENT_NS;
		break;
	case ATTEMPT_PAGE:
	case ATTEMPT_FORGED:
		t->failed = true;
		break;
	case ATTEMPT_CLOSED:
	case ATTEMPT_ALERT:
		/* Datagrams of both sides passed, and no forger of this one is known. */
		t->ok = a->trigger == TRIGGER_QUIC_SNI && !touched;
		break;
	default: /* a server refuses and closes for reasons of its own */
		break;
	}
}

static int by_host(const void *x, const void *y)
{
	const struct study_name *a = *(const struct study_name *const *)x;
	const struct study_name *b = *(const struct study_name *const *)y;
	int by = (int)a->ip_version - (int)b->ip_version;
	return by != 0 ? by : compare_addr(&a->server, &b->server);
}

static int number_hosts(struct study_run *r)
{
	size_t n = r->pub.n_names;
	const struct study_name **list = malloc((n + 1) * sizeof(*list));
	r->host_of = arena_alloc(&r->arena, (n + 1) * sizeof(*r->host_of));
	int err = list == NULL || r->host_of == NULL ? -ENOMEM : 0;
	for (size_t i = 0; err == 0 && i < n; i++)
		list[i] = &r->pub.names[i];
	if (err == 0)
		qsort(list, n, sizeof(*list), by_host);
	for (size_t i = 0; err == 0 && i < n; i++) {
		r->n_hosts += i == 0 || by_host(&list[i - 1], &list[i]) != 0;
		r->host_of[list[i] - r->pub.names] = (uint32_t)(r->n_hosts - 1);
	}
	free(list);
	return err;
}

static int make_rows(struct study_run *r, struct sorted *list)
{
	size_t n = 0, n_named = 0;
	for (size_t i = 0; i < r->n_trials; i++) {
		const struct attempt *a = r->trials[i].a;
		/* What never asked for anything has no row, nor what asked for who knows what. */
		if (a->request_ns != 0 && (a->bits & ATTEMPT_NAME_CUT) == 0)
			list[n_named++] = (struct sorted){.a = a, .trial = (uint32_t)i};
	}
	sort_by(list, n_named, row_key, by_row);
	r->pub.names = arena_alloc(&r->arena, (r->n_trials + 1) * sizeof(*r->pub.names));
	r->group_of = arena_alloc(&r->arena, (r->n_trials + 1) * sizeof(*r->group_of));
	r->groups = arena_alloc(&r->arena, (r->n_trials + 1) * sizeof(*r->groups));
	if (r->pub.names == NULL || r->group_of == NULL || r->groups == NULL)
		return -ENOMEM;
	const struct attempt *last = NULL;
	for (size_t i = 0; i < n_named; i++) {
		const struct attempt *a = list[i].a;
		if (last == NULL || compare_row(last, a) != 0) {
			bool same = last != NULL && last->trigger == a->trigger &&
				    strcmp(name_of(last), name_of(a)) == 0;
			if (!same)
				r->groups[r->n_groups++].first_row = (uint32_t)n;
			r->groups[r->n_groups - 1].n_rows++;
			r->group_of[n] = (uint32_t)(r->n_groups - 1);
			r->pub.names[n++] = (struct study_name){
				.kind = (enum trigger_kind)a->trigger,
				.name = name_of(a),
				.server = a->server,
				.server_port = a->server_port,
				.ip_version = a->ip_version,
				.proto = a->proto,
			};
			last = a;
		}
		r->trials[list[i].trial].row = (uint32_t)(n - 1);
	}
	find_translated(r, list, n_named);
	r->pub.n_names = n;
	r->named = arena_alloc(&r->arena, (n_named + 1) * sizeof(*r->named));
	if (r->named == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < r->n_trials; i++)
		if (r->trials[i].row != NO_ROW)
			r->named[r->n_named++] = (struct named){(uint32_t)i, r->group_of[r->trials[i].row]};
	return number_hosts(r);
}

static bool one_client(const struct study_run *r, size_t i, size_t j)
{
	const struct attempt *a = r->trials[r->pairs[i]].a, *b = r->trials[r->pairs[j]].a;
	return a->capture == b->capture && a->proto == b->proto && study_same_client(a, b);
}

/* In the order of pairs, where a client's tries of one protocol lie together. */
static void mark_lost(struct study_run *r)
{
	for (size_t from = 0, to; from < r->n_pairs; from = to) {
		uint32_t group = NO_ROW;
		bool passed = false, names = false;
		for (to = from; to < r->n_pairs && one_client(r, from, to); to++) {
			const struct trial *t = &r->trials[r->pairs[to]];
			passed |= t->ok;
			if (!t->failed || t->row == NO_ROW)
				continue;
			names |= group != NO_ROW && group != r->group_of[t->row];
			group = r->group_of[t->row];
		}
		for (size_t i = from; i < to; i++)
			r->trials[r->pairs[i]].lost = names && !passed;
	}
}

int study_trials(struct study_run *r)
{
	r->n_trials = r->a->n_attempts;
	r->trials = arena_alloc(&r->arena, (r->n_trials + 1) * sizeof(*r->trials));
	r->pairs = arena_alloc(&r->arena, (r->n_trials + 1) * sizeof(*r->pairs));
	r->found = arena_alloc(&r->arena, (r->n_trials + 1) * sizeof(*r->found));
	struct sorted *list = malloc((r->n_trials + 1) * sizeof(*list));
	int err = r->trials == NULL || r->pairs == NULL || r->found == NULL || list == NULL
			  ? -ENOMEM : 0;
	if (err != 0)
		goto out;
	for (size_t i = 0; i < r->n_trials; i++) {
		r->trials[i] = (struct trial){
			.a = &r->a->attempts[i], .row = NO_ROW, .twin_of = (uint32_t)i};
		list[i] = (struct sorted){.a = &r->a->attempts[i], .trial = (uint32_t)i};
		decide_trial(r, &r->trials[i]);
		if (r->trials[i].a->finding != NULL)
			r->found[r->n_found++] = (uint32_t)i;
	}
	r->found_at = arena_alloc(&r->arena, (r->n_found + 1) * sizeof(*r->found_at));
	if (r->found_at == NULL) {
		err = -ENOMEM;
		goto out;
	}
	find_twins(r, list);
	err = make_rows(r, list);
	if (err != 0)
		goto out;
	size_t n = 0;
	for (size_t i = 0; i < r->n_trials; i++)
		if (!r->trials[i].twin)
			list[n++] = (struct sorted){.a = r->trials[i].a, .trial = (uint32_t)i};
	sort_by(list, n, pair_key, by_pair);
	for (size_t i = 0; i < n; i++) {
		r->pairs[r->n_pairs++] = list[i].trial;
		if (list[i].a->finding != NULL)
			r->found_at[r->n_found_at++] = i;
	}
	mark_lost(r);
out:
	free(list);
	return err;
}
