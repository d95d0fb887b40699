/* SPDX-License-Identifier: BSD-3-Clause */

/* Whose tries a name is judged by, and whether who asked explains the failures as well as the name does. */

#include "tools/study/tries.h"

/* Whom the name failed for, as many as are told apart. */
#define CLIENTS_MAX 64
struct clients {
	struct tried list[CLIENTS_MAX];
	unsigned n;
};

static struct tried *client_of(struct clients *all, const struct attempt *a, bool add)
{
	for (unsigned i = 0; i < all->n; i++)
		if (study_same_client(a, all->list[i].client))
			return &all->list[i];
	if (!add || all->n == CLIENTS_MAX)
		return NULL;
	all->list[all->n] = (struct tried){.client = a};
	return &all->list[all->n++];
}

static bool made_the_difference(const struct study_group *g, const struct attempt *a)
{
	for (unsigned f = 0; f < FEATURE_N; f++)
		if ((g->passed_by & 1u << f) != 0 && study_has_feature(a, f))
			return true;
	return false;
}

void tries_whose(const struct study_run *r, const struct tries *t, const struct study_group *g,
		 struct tried *all, struct tried *one)
{
	struct clients who = {.n = 0};
	size_t n = tries_sort_group(t, g);
	for (unsigned ok = 0; ok < 2; ok++) {
		for (size_t i = 0; i < n; i++) {
			const struct trial *x = &r->trials[r->pairs[t->sorted[i]]];
			struct tried *c = ok != 0 ? x->ok ? client_of(&who, x->a, false) : NULL
						  : x->failed ? client_of(&who, x->a, true) : NULL;
			if (c == NULL)
				continue;
			c->tries++;
			c->failed += x->failed;
			c->lost = x->lost;
			c->ok += x->ok && !made_the_difference(g, x->a);
		}
	}
	unsigned witnesses = 0;
	*one = (struct tried){.client = NULL};
	for (unsigned i = 0; i < who.n; i++) {
		witnesses += !who.list[i].lost;
		if (who.list[i].failed > one->failed)
			*one = who.list[i];
	}
	one->others_passed = g->ok + one->failed > one->tries;
	one->mostly_fails = tries_mostly((const unsigned[]){one->ok, one->failed});
	*all = (struct tried){.own = witnesses < STUDY_FAIL_TRIES, .ok = g->ok, .failed = g->failed,
			      .tries = g->ok + g->failed, .mostly_fails = study_mostly_fails(g)};
}

/* Into all: who has one of these tries, at a host, under the name of g or under others. */
static void add_clients(const struct study_run *r, const struct study_group *g, bool mine, uint8_t proto,
			const uint32_t *places, size_t n, struct clients *all)
{
	for (size_t i = 0; i < n && all->n < CLIENTS_MAX; i++) {
		const struct trial *x = &r->trials[r->pairs[places[i]]];
		if ((&r->groups[r->group_of[x->row]] == g) != mine || r->pub.names[x->row].proto != proto)
			continue;
		struct tried *c = client_of(all, x->a, true);
		if (c == NULL)
			continue;
		c->tries++;
		c->lost |= x->lost;
		/* What packets show of a third party is no broken way. */
		c->failed += study_grade(x->a) < GRADE_D3 || x->a->end == ATTEMPT_SILENT;
	}
}

/* Those of a that are not in b. */
static unsigned without(struct clients *a, struct clients *b)
{
	unsigned n = 0;
	for (unsigned i = 0; i < a->n; i++)
		n += client_of(b, a->list[i].client, false) == NULL;
	return n;
}

bool tries_may_be_clients(const struct study_run *r, const struct tries *t, const struct study_group *g)
{
	struct clients failed[2] = {{.n = 0}}, passed[2] = {{.n = 0}}; /* [1]: with the name itself */
	for (uint32_t row = g->first_row; row < g->first_row + g->n_rows; row++) {
		const struct study_name *n = &r->pub.names[row];
		uint32_t host = r->host_of[row], from = t->failed_from[host], ok = t->passed_from[host];
		for (unsigned mine = 0; n->failed != 0 && mine < 2; mine++) {
			add_clients(r, g, mine != 0, n->proto, t->failed + from,
				    t->failed_from[host + 1] - from, &failed[mine]);
			add_clients(r, g, mine != 0, n->proto, t->passed + ok,
				    t->passed_from[host + 1] - ok, &passed[mine]);
		}
	}
	unsigned tries = 0, plain = 0, own = 0, lost = 0;
	for (unsigned i = 0; i < failed[1].n; i++) {
		const struct tried *c = &failed[1].list[i];
		tries += c->tries;
		plain += c->failed;
		lost += c->lost;
		own += client_of(&passed[0], c->client, false) != NULL ? c->tries : 0;
	}
	if (own >= STUDY_FAIL_TRIES || plain < STUDY_FAIL_SHARE * tries)
		return false;
	const unsigned n_failed[2] = {without(&failed[0], &passed[0]), failed[1].n - lost};
	const unsigned n_passed[2] = {passed[0].n, without(&passed[1], &failed[1])};
	return study_chance(n_failed, n_passed) >= STUDY_CHANCE;
}
