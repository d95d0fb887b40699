/* SPDX-License-Identifier: BSD-3-Clause */

#include "tools/study/tries.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Neither a repetition nor without a name. */
static bool counts(const struct trial *t)
{
	return t->row != NO_ROW && !t->dependent;
}

/* Of counts at i + 1, where each list begins. */
static void add_up(uint32_t *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		from[i + 1] += from[i];
}

int tries_new(const struct study_run *r, struct tries *out)
{
	size_t rows = r->pub.n_names, hosts = r->n_hosts;
	*out = (struct tries){
		.of_row = malloc((r->n_pairs + 1) * sizeof(*out->of_row)),
		.row_from = calloc(rows + 2, sizeof(*out->row_from)),
		.passed = malloc((r->n_pairs + 1) * sizeof(*out->passed)),
		.passed_from = calloc(hosts + 2, sizeof(*out->passed_from)),
		.failed = malloc((r->n_pairs + 1) * sizeof(*out->failed)),
		.failed_from = calloc(hosts + 2, sizeof(*out->failed_from)),
		.sorted = malloc((r->n_pairs + 1) * sizeof(*out->sorted)),
		.tally = calloc(rows + 1, sizeof(*out->tally)),
	};
	if (out->of_row == NULL || out->row_from == NULL || out->passed == NULL ||
	    out->passed_from == NULL || out->failed == NULL || out->failed_from == NULL ||
	    out->sorted == NULL || out->tally == NULL) {
		tries_free(out);
		return -ENOMEM;
	}
	/* Counted one place further on: filling the lists moves each start to where it belongs. */
	for (size_t i = 0; i < r->n_pairs; i++) {
		const struct trial *t = &r->trials[r->pairs[i]];
		if (!counts(t))
			continue;
		out->row_from[t->row + 2]++;
		out->passed_from[r->host_of[t->row] + 2] += t->ok;
		out->failed_from[r->host_of[t->row] + 2] += t->failed;
	}
	add_up(out->row_from, rows + 1);
	add_up(out->passed_from, hosts + 1);
	add_up(out->failed_from, hosts + 1);
	for (size_t i = 0; i < r->n_pairs; i++) {
		const struct trial *t = &r->trials[r->pairs[i]];
		if (!counts(t))
			continue;
		out->of_row[out->row_from[t->row + 1]++] = (uint32_t)i;
		if (t->ok)
			out->passed[out->passed_from[r->host_of[t->row] + 1]++] = (uint32_t)i;
		if (t->failed)
			out->failed[out->failed_from[r->host_of[t->row] + 1]++] = (uint32_t)i;
	}
	return 0;
}

void tries_free(struct tries *t)
{
	free(t->of_row);
	free(t->row_from);
	free(t->passed);
	free(t->passed_from);
	free(t->failed);
	free(t->failed_from);
	free(t->sorted);
	free(t->tally);
}

static int by_place(const void *x, const void *y)
{
	uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
	return a < b ? -1 : a > b;
}

/* That a server itself would do so is ruled out: by its packets, or as no server does it. */
static bool is_strong(const struct attempt *a)
{
	const struct finding *f = a->finding;
	if (f == NULL)
		return false;
	if (study_grade(a) >= GRADE_D3)
		return true;
	return f->verdict >= VERDICT_ANOMALY &&
	       (strcmp(f->id, "request-dropped") == 0 || strcmp(f->id, "request-part-dropped") == 0);
}

size_t tries_sort_group(const struct tries *t, const struct study_group *g)
{
	size_t from = t->row_from[g->first_row], n = t->row_from[g->first_row + g->n_rows] - from;
	if (n != 0)
		memcpy(t->sorted, t->of_row + from, n * sizeof(*t->sorted));
	if (g->n_rows > 1)
		qsort(t->sorted, n, sizeof(*t->sorted), by_place);
	return n;
}

static bool is_of(const struct attempt *a, const struct attempt *client)
{
	return client == NULL || study_same_client(a, client);
}

static void gather_failed(const struct study_run *r, const struct tries *t, size_t n,
			  const struct attempt *client, struct common *c)
{
	for (size_t i = 0; i < n; i++) {
		const struct trial *one = &r->trials[r->pairs[t->sorted[i]]];
		if (!one->failed || !is_of(one->a, client))
			continue;
		c->failed++;
		c->by_end[one->a->end]++;
		c->strong += is_strong(one->a);
		c->with_grade[study_grade(one->a)]++;
		if (c->n_shown < SHOWN_MAX)
			c->shown[c->n_shown++] = one->a;
	}
}

/* Into places, its first CONTROLS_MAX in order and each once. */
static void keep_first(uint32_t places[CONTROLS_MAX], unsigned *n, uint32_t place)
{
	unsigned at = *n;
	while (at > 0 && places[at - 1] > place)
		at--;
	if (at == CONTROLS_MAX || (at > 0 && places[at - 1] == place))
		return;
	unsigned last = *n < CONTROLS_MAX ? (*n)++ : CONTROLS_MAX - 1;
	memmove(&places[at + 1], &places[at], (last - at) * sizeof(*places));
	places[at] = place;
}

/* Tries of other names that passed at the server of one row of this name. */
static void controls_at(const struct study_run *r, const struct tries *t,
			const struct study_group *g, uint32_t row, uint32_t places[CONTROLS_MAX],
			unsigned *n)
{
	uint32_t host = r->host_of[row];
	unsigned of_row = 0;
	for (uint32_t i = t->passed_from[host];
	     i < t->passed_from[host + 1] && of_row < CONTROLS_MAX; i++) {
		const struct trial *one = &r->trials[r->pairs[t->passed[i]]];
		bool mine = one->row >= g->first_row && one->row < g->first_row + g->n_rows;
		if (mine || r->pub.names[one->row].proto != r->pub.names[row].proto)
			continue;
		keep_first(places, n, t->passed[i]);
		of_row++;
	}
}

unsigned tries_controls(const struct study_run *r, const struct tries *t, const struct study_group *g,
			uint32_t first_row, uint32_t n_rows,
			const struct attempt *out[CONTROLS_MAX])
{
	uint32_t places[CONTROLS_MAX];
	unsigned n = 0;
	for (uint32_t row = first_row; row < first_row + n_rows; row++)
		controls_at(r, t, g, row, places, &n);
	for (unsigned i = 0; i < n; i++)
		out[i] = r->trials[r->pairs[places[i]]].a;
	return n;
}

/*
 * Tries of pairs from place `from` to `to`, all of one client at one server: those of other names,
 * but such as mostly fail there themselves, are controls of the rows of g that failed there. Whether one
 * passed.
 */
static bool control_block(struct study_run *r, const struct tries *t, const struct study_group *g,
			  size_t from, size_t to, uint32_t places[CONTROLS_MAX], unsigned *n)
{
	unsigned control[2] = {0, 0};
	for (size_t i = from; i < to; i++) {
		const struct trial *one = &r->trials[r->pairs[i]];
		if (!counts(one))
			continue;
		t->tally[one->row][0] += one->ok;
		t->tally[one->row][1] += one->failed;
		if (one->ok && &r->groups[r->group_of[one->row]] != g)
			keep_first(places, n, (uint32_t)i);
	}
	for (unsigned mine = 0; mine < 2; mine++) { /* rows of g last, once all controls are known */
		for (size_t i = from; i < to; i++) {
			const struct trial *one = &r->trials[r->pairs[i]];
			if (!counts(one) || (&r->groups[r->group_of[one->row]] == g) != (mine != 0))
				continue;
			unsigned *tally = t->tally[one->row];
			struct study_name *row = &r->pub.names[one->row];
			if (mine != 0 && tally[1] != 0) {
				row->control_ok += control[0];
				row->control_failed += control[1];
			} else if (mine == 0 && !tries_mostly(tally)) {
				control[0] += tally[0];
				control[1] += tally[1];
			}
			tally[0] = tally[1] = 0; /* so that no row is taken twice */
		}
	}
	return control[0] != 0;
}

/* Whether at each server one passed at least. */
static bool own_controls(struct study_run *r, const struct tries *t, const struct study_group *g, size_t n,
			 const struct attempt *client, struct common *c)
{
	bool all = true;
	uint32_t places[CONTROLS_MAX];
	unsigned n_places = 0;
	size_t to = 0;
	for (uint32_t row = g->first_row; row < g->first_row + g->n_rows; row++)
		if (r->pub.names[row].failed != 0)
			r->pub.names[row].control_ok = r->pub.names[row].control_failed = 0;
	for (size_t i = 0; i < n; i++) {
		size_t from = t->sorted[i];
		const struct trial *one = &r->trials[r->pairs[from]];
		if (!one->failed || !is_of(one->a, client) || from < to)
			continue;
		to = from + 1;
		while (from > 0 && study_one_pair(r, from - 1, from))
			from--;
		while (to < r->n_pairs && study_one_pair(r, to - 1, to))
			to++;
		all &= control_block(r, t, g, from, to, places, &n_places);
	}
	for (unsigned i = 0; i < n_places; i++)
		c->controls[c->n_controls++] = r->trials[r->pairs[places[i]]].a;
	return all;
}

static bool has_control(const struct study_name *n)
{
	unsigned tries = n->control_ok + n->control_failed;
	return tries >= STUDY_CONTROL_TRIES && n->control_failed <= STUDY_CONTROL_SHARE * tries;
}

/* Every address where it fails must let others pass. */
static void weigh_controls(const struct study_run *r, const struct tries *t, const struct study_group *g,
			   size_t n, const struct attempt *client, struct common *c)
{
	for (size_t i = 0; i < n; i++) {
		const struct trial *one = &r->trials[r->pairs[t->sorted[i]]];
		if (one->failed && is_of(one->a, client))
			t->tally[one->row][1] = 1;
	}
	c->controlled = c->failed != 0;
	for (uint32_t i = g->first_row; i < g->first_row + g->n_rows; i++) {
		const struct study_name *row = &r->pub.names[i];
		if (t->tally[i][1] == 0)
			continue;
		t->tally[i][1] = 0;
		c->controlled &= has_control(row);
		c->control[0] += row->control_ok;
		c->control[1] += row->control_failed;
	}
}

/* Between two of the failed tries of one capture. */
static bool is_amid(const struct attempt *a, const struct attempt *const *failed, unsigned n_failed)
{
	bool before = false, after = false;

	for (unsigned i = 0; i < n_failed && !(before && after); i++) {
		bool same = failed[i]->capture == a->capture;
		before |= same && failed[i]->start_ns < a->start_ns;
		after |= same && failed[i]->start_ns > a->start_ns;
	}
	return before && after;
}

static bool any_amid(const struct study_run *r, const struct tries *t, const struct study_group *g,
		     const struct common *c)
{
	for (uint32_t row = g->first_row; row < g->first_row + g->n_rows; row++) {
		uint32_t host = r->host_of[row];
		if (r->pub.names[row].failed == 0)
			continue;
		for (uint32_t i = t->passed_from[host]; i < t->passed_from[host + 1]; i++) {
			const struct trial *one = &r->trials[r->pairs[t->passed[i]]];
			if (r->pub.names[one->row].proto == r->pub.names[row].proto &&
			    is_amid(one->a, c->shown, c->n_shown))
				return true;
		}
	}
	return false;
}

void tries_gather(struct study_run *r, const struct tries *t, const struct study_group *g,
		  const struct tried *whose, struct common *c)
{
	memset(c, 0, sizeof(*c));
	size_t n = tries_sort_group(t, g);
	gather_failed(r, t, n, whose->client, c);
	bool all = true;
	if (whose->client != NULL || whose->own)
		all = own_controls(r, t, g, n, whose->client, c);
	else
		c->n_controls = tries_controls(r, t, g, g->first_row, g->n_rows, c->controls);
	weigh_controls(r, t, g, n, whose->client, c);
	c->controlled &= all || !whose->own;
	c->amid = any_amid(r, t, g, c);
	bool pooled = whose->client == NULL && !whose->own;
	c->may_be_clients = pooled && c->controlled && tries_may_be_clients(r, t, g);
	for (unsigned i = 0; i < c->n_shown; i++) {
		unsigned same = 0;
		const struct finding *f = c->shown[i]->finding;
		for (unsigned k = 0; f != NULL && k < c->n_shown; k++)
			same += c->shown[k]->finding != NULL &&
				strcmp(c->shown[k]->finding->id, f->id) == 0;
		if (same > c->with_id) {
			c->with_id = same;
			c->id = f->id;
			c->family = f->family;
		}
	}
}

/* Every path lets pass what is no larger; names make requests of one client differ by as much. */
#define SMALL_LEN 600
#define NAMES_LEN 64

bool study_may_be_mtu(const struct attempt *const *failed, unsigned n_failed,
		      const struct attempt *const *passed, unsigned n_passed)
{
	unsigned large = 0, least = UINT16_MAX;

	for (unsigned i = 0; i < n_failed; i++) {
		if (failed[i]->end != ATTEMPT_SILENT || failed[i]->first_len <= SMALL_LEN)
			continue;
		large++;
		least = failed[i]->first_len < least ? failed[i]->first_len : least;
	}
	if (large == 0 || n_failed - large >= STUDY_FAIL_TRIES)
		return false;
	for (unsigned i = 0; i < n_passed; i++) {
		if ((unsigned)passed[i]->first_len + NAMES_LEN >= least)
			return false;
	}
	return true;
}

bool study_may_be_pieces(const struct attempt *const *failed, unsigned n_failed,
			 const struct attempt *const *passed, unsigned n_passed)
{
	unsigned spread = 0;

	for (unsigned i = 0; i < n_failed; i++)
		spread += failed[i]->trigger == TRIGGER_QUIC_SNI &&
			  (failed[i]->bits & ATTEMPT_SEGMENTED) != 0;
	if (spread == 0 || n_failed - spread >= STUDY_FAIL_TRIES)
		return false;
	for (unsigned i = 0; i < n_passed; i++)
		if ((passed[i]->bits & ATTEMPT_SEGMENTED) != 0)
			return false;
	return true;
}

bool study_may_be_version(const struct attempt *const *failed, unsigned n_failed,
			  const struct attempt *const *passed, unsigned n_passed)
{
	unsigned fair = 0;

	for (unsigned i = 0; i < n_failed; i++) {
		unsigned k = 0;
		while (k < n_passed && passed[k]->version != failed[i]->version)
			k++;
		fair += k < n_passed;
	}
	return n_failed != 0 && failed[0]->trigger == TRIGGER_QUIC_SNI && fair < STUDY_FAIL_TRIES;
}

/* The part of an address that its network has in common, as a number. */
static uint32_t network_of(const struct study_name *n)
{
	const uint8_t *b = n->server.b;
	return n->ip_version == 4 ? (uint32_t)b[12] << 8 | b[13]
				  : (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 |
					    (uint32_t)b[2] << 8 | b[3];
}

static unsigned networks(const struct study_run *r, const struct tries *t,
			 const struct study_group *g, unsigned ip_version)
{
	const struct study_name *rows = &r->pub.names[g->first_row];
	unsigned distinct = 0;
	size_t n = 0; /* a row that failed has a try, so that there is room */
	for (unsigned i = 0; i < g->n_rows; i++)
		if (rows[i].failed != 0 && rows[i].ok == 0 && rows[i].ip_version == ip_version)
			t->sorted[n++] = network_of(&rows[i]);
	qsort(t->sorted, n, sizeof(*t->sorted), by_place);
	for (size_t i = 0; i < n; i++)
		distinct += i == 0 || t->sorted[i] != t->sorted[i - 1];
	return distinct;
}

unsigned tries_networks(const struct study_run *r, const struct tries *t,
			const struct study_group *g)
{
	return networks(r, t, g, 4) + networks(r, t, g, 6);
}
