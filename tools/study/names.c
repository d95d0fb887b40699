/* SPDX-License-Identifier: BSD-3-Clause */

/* Which names are filtered: the rule of study.h, with its controls. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/spelt.h"
#include "tools/study/tries.h"

#define BURST_NS 100000000ull   /* connections that a browser opens at once */
#define SOON_NS 30000000000ull  /* the shortest residual window published is longer */
#define FEATURE_TRIES 2
#define QUIC_CHANCE 0.001 /* many names are compared, and one in a hundred is none of somebody's doing */
#define CONDITIONAL_TRIES 2 /* too few to call a name filtered, enough to say what was compared */

/*
 * A failure may only be what an earlier one brought about: tries of one moment are one, and so are those
 * that nothing of the same pair of hosts passed between or soon after.
 */
static int collapse(struct study_run *r)
{
	uint32_t *last = calloc(r->pub.n_names + 1, sizeof(*last)); /* place in pairs, plus one */
	uint64_t *next_ok = calloc(r->n_pairs + 1, sizeof(*next_ok));
	size_t passed = 0;
	if (last == NULL || next_ok == NULL)
		goto out;
	for (size_t i = r->n_pairs; i-- > 0;) {
		const struct trial *t = &r->trials[r->pairs[i]];
		bool more = i + 1 < r->n_pairs && study_one_pair(r, i, i + 1);
		next_ok[i] = t->ok ? t->a->start_ns : more ? next_ok[i + 1] : UINT64_MAX;
	}
	for (size_t i = 0; i < r->n_pairs; i++) {
		struct trial *t = &r->trials[r->pairs[i]];
		if (i == 0 || !study_one_pair(r, i - 1, i))
			passed = 0;
		if (t->ok)
			passed = i + 1;
		if (!t->failed || t->row == NO_ROW)
			continue;
		size_t before = last[t->row];
		last[t->row] = (uint32_t)i + 1;
		if (before == 0 || !study_one_pair(r, before - 1, i))
			continue;
		const struct attempt *b = r->trials[r->pairs[before - 1]].a;
		bool free_since = passed >= before ||
				  (next_ok[i] != UINT64_MAX && next_ok[i] - t->a->start_ns < SOON_NS);
		bool burst = t->a->start_ns < b->end_ns && t->a->start_ns - b->start_ns < BURST_NS;
		t->dependent |= burst ||
				(!free_since && t->a->start_ns - b->start_ns < TRIAL_NS);
	}
out:;
	int err = last == NULL || next_ok == NULL ? -ENOMEM : 0;
	free(next_ok);
	free(last);
	return err;
}

bool study_has_feature(const struct attempt *a, enum study_feature f)
{
	static const uint8_t bit[FEATURE_N] = {[FEATURE_SEGMENTED] = ATTEMPT_SEGMENTED,
					       [FEATURE_RECORDS] = ATTEMPT_RECORDS,
					       [FEATURE_ECH] = ATTEMPT_ECH,
					       [FEATURE_ESNI] = ATTEMPT_ESNI};
	return (a->bits & bit[f]) != 0;
}

static void count(struct study_run *r)
{
	for (size_t i = 0; i < r->n_pairs; i++) {
		const struct trial *t = &r->trials[r->pairs[i]];
		if (t->row == NO_ROW)
			continue;
		struct study_name *n = &r->pub.names[t->row];
		struct study_group *g = &r->groups[r->group_of[t->row]];
		if (t->dependent) {
			n->dependent++;
			continue;
		}
		n->ends[t->a->end]++;
		n->ok += t->ok;
		n->failed += t->failed;
		for (unsigned f = 0; (t->ok || t->failed) && f < FEATURE_N; f++)
			(study_has_feature(t->a, f) ? g->with : g->without)[f][t->failed]++;
	}
	for (size_t i = 0; i < r->pub.n_names; i++) {
		r->groups[r->group_of[i]].ok += r->pub.names[i].ok;
		r->groups[r->group_of[i]].failed += r->pub.names[i].failed;
	}
}

/* Where one feature divides what passes from what fails, those with it are no test of the name. */
static void divide(struct study_group *g)
{
	for (unsigned f = 0; f < FEATURE_N; f++) {
		const unsigned *w = g->with[f], *o = g->without[f];
		if (w[0] >= FEATURE_TRIES && w[1] == 0 && o[1] >= FEATURE_TRIES && o[0] == 0)
			g->passed_by |= 1u << f;
		if (w[1] >= FEATURE_TRIES && w[0] == 0 && o[0] >= FEATURE_TRIES && o[1] == 0)
			g->failed_by |= 1u << f;
	}
}

/* Most tries of the name itself fail, wherever they go. */
bool study_mostly_fails(const struct study_group *g)
{
	unsigned ok = g->ok;
	for (unsigned f = 0; f < FEATURE_N; f++)
		if ((g->passed_by & 1u << f) != 0)
			ok = g->without[f][0];
	return g->failed != 0 && g->failed >= STUDY_FAIL_SHARE * (ok + g->failed);
}

struct by_server {
	const struct study_name *n;
	uint32_t row;
};

static int compare_server(const struct study_name *x, const struct study_name *y)
{
	int by = (int)x->ip_version - (int)y->ip_version;
	by = by != 0 ? by : (int)x->proto - (int)y->proto;
	return by != 0 ? by : memcmp(&x->server, &y->server, sizeof(x->server));
}

static int by_server(const void *x, const void *y)
{
	const struct by_server *a = x, *b = y;
	int by = compare_server(a->n, b->n);
	return by != 0 ? by : a->row < b->row ? -1 : a->row > b->row;
}

/* Tries of other names at the same address; names that mostly fail themselves are no control. */
static int find_controls(struct study_run *r)
{
	size_t n = r->pub.n_names;
	struct by_server *list = malloc((n + 1) * sizeof(*list));
	if (list == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		list[i] = (struct by_server){&r->pub.names[i], (uint32_t)i};
	qsort(list, n, sizeof(*list), by_server);
	for (size_t from = 0, to; from < n; from = to) {
		unsigned ok = 0, failed = 0, all_ok = 0, all_failed = 0;
		for (to = from; to < n && compare_server(list[from].n, list[to].n) == 0; to++) {
			all_ok += list[to].n->ok;
			all_failed += list[to].n->failed + list[to].n->dependent;
			if (study_mostly_fails(&r->groups[r->group_of[list[to].row]]))
				continue;
			ok += list[to].n->ok;
			failed += list[to].n->failed;
		}
		for (size_t i = from; i < to; i++) {
			struct study_name *row = &r->pub.names[list[i].row];
			bool fails = study_mostly_fails(&r->groups[r->group_of[list[i].row]]);
			row->control_ok = ok - (fails ? 0 : row->ok);
			row->control_failed = failed - (fails ? 0 : row->failed);
			row->others_ok = all_ok - row->ok;
			row->others_failed = all_failed - row->failed - row->dependent;
		}
	}
	free(list);
	return 0;
}

/* The grade that at least half of the failed tries reach. */
static enum grade common_grade(const struct common *c)
{
	unsigned n = 0;
	for (int g = GRADE_D4; g >= GRADE_D1; g--) {
		n += c->with_grade[g];
		if (2 * n >= c->failed)
			return (enum grade)g;
	}
	return GRADE_D1;
}

static const struct {
	const char *id, *summary, *word;
	enum family family;
} by_kind[TRIGGER_N] = {
	[TRIGGER_SNI] = {"sni-filtered", "connections fail when their ClientHello carries this name",
			 "a ClientHello with SNI", FAMILY_TLS_FILTERING},
	[TRIGGER_HOST] = {"host-filtered", "connections fail when their HTTP request is for this host",
			  "an HTTP request for host", FAMILY_TCP_INJECTION},
	[TRIGGER_QNAME] = {"qname-filtered", "queries for this name are answered by somebody else",
			   "a DNS query for", FAMILY_DNS_INJECTION},
	[TRIGGER_QUIC_SNI] = {"quic-sni-filtered", "QUIC connections fail when they carry this name",
			      "a QUIC Initial with SNI", FAMILY_QUIC_FILTERING},
};

/* What became of the failed tries, the commonest first: "reset", "reset or left without an answer". */
static void end_words(const struct common *c, char *out, size_t size)
{
	static const char *const words[ATTEMPT_N] = {
		[ATTEMPT_RESET] = "reset", [ATTEMPT_SILENT] = "left without an answer",
		[ATTEMPT_PAGE] = "answered by another page", [ATTEMPT_FORGED] = "given a forged answer"};
	bool said[ATTEMPT_N] = {false};
	size_t n = 0;
	for (;;) {
		unsigned best = ATTEMPT_N;
		for (unsigned e = 0; e < ATTEMPT_N; e++)
			if (words[e] != NULL && !said[e] && c->by_end[e] != 0 &&
			    (best == ATTEMPT_N || c->by_end[e] > c->by_end[best]))
				best = e;
		if (best == ATTEMPT_N)
			break;
		said[best] = true;
		int w = snprintf(out + n, size - n, "%s%s", n != 0 ? " or " : "", words[best]);
		n = w < 0 || (size_t)w >= size - n ? size - 1 : n + (size_t)w;
	}
	if (n == 0)
		snprintf(out, size, "failed");
}

/*
 * What the server itself cannot have done. A QUIC try is a datagram or few: what was found of it
 * may be the same comparison with other names, and a busy server's silences fall on one at times.
 */
static bool is_strong(const struct tried *whose, const struct common *c, enum trigger_kind kind)
{
	const unsigned failed[2] = {c->control[1], whose->failed};
	const unsigned passed[2] = {c->control[0], whose->tries - whose->failed};
	return kind == TRIGGER_QUIC_SNI ? study_chance(failed, passed) < QUIC_CHANCE
					: 2 * c->strong >= c->failed;
}

/* What explains the failures as well as the name does, the controls notwithstanding. */
struct doubts {
	bool mtu, pieces, version, outage, clients;
};

/*
 * Over TCP the handshake shows that the server was there; a datagram that nobody answers does not. What
 * failed in one stretch of time failed because of the time, unless others passed meanwhile.
 */
static struct doubts doubts_of(const struct common *c, enum trigger_kind kind)
{
	return (struct doubts){
		.mtu = study_may_be_mtu(c->shown, c->n_shown, c->controls, c->n_controls),
		.pieces = study_may_be_pieces(c->shown, c->n_shown, c->controls, c->n_controls),
		.version = study_may_be_version(c->shown, c->n_shown, c->controls, c->n_controls),
		.outage = kind == TRIGGER_QUIC_SNI && !c->amid,
		.clients = c->may_be_clients,
	};
}

static void say_benign(struct finding *f, const struct doubts *d, bool controlled, bool strong)
{
	if (d->mtu)
		study_benign(f, MTU_BENIGN);
	if (d->pieces)
		study_benign(f, PIECES_BENIGN);
	if (d->version)
		study_benign(f, VERSION_BENIGN);
	if (d->outage)
		study_benign(f, "a server or path that was down for a while: all tries failed in one stretch "
				"of time, and no other name passed there meanwhile");
	if (d->clients)
		study_benign(f, "clients whose own way there is broken: "
			       "those that passed are others, and few");
	if (!controlled)
		study_benign(f, "a site that is down, or refuses this client, wherever it is hosted: "
				"no other name was tried at these addresses");
	if (!strong)
		study_benign(f, f->trigger == TRIGGER_QNAME
					? "a resolver that filters this name itself, by its own policy"
					: "a server that itself refuses this name");
}

static int say(struct study_run *r, const struct study_group *g, const struct tried *whose,
	       const struct common *c, unsigned nets)
{
	struct study_name *rows = &r->pub.names[g->first_row];
	enum trigger_kind kind = rows[0].kind;
	char value[96], expected[96], name[121], ends[128];
	bool controlled = c->controlled;
	struct study_cause cause = {
		.id = by_kind[kind].id,
		.summary = by_kind[kind].summary,
		.refs = "OONI and CenTrace (CoNEXT 2022) compare names in this way",
		.family = kind == TRIGGER_HOST ? c->family : by_kind[kind].family,
		.scope = SCOPE_NAME,
		.attempts = c->shown,
		.n_attempts = c->n_shown,
		.controls = c->controls,
		.n_controls = c->n_controls,
	};
	struct finding *f = study_finding(r, &cause);
	if (f == NULL)
		return -ENOMEM;
	f->trigger = kind;
	f->trigger_value = arena_format(&r->arena, FINDING_TRIGGER, "%s", rows[0].name);
	spelt(rows[0].name, strlen(rows[0].name), name, sizeof(name));
	end_words(c, ends, sizeof(ends));
	f->sentence = arena_format(&r->arena, FINDING_SENTENCE,
		 "%u of %u tries with %s %s were %s%s", whose->failed, whose->tries, by_kind[kind].word,
		 name, ends, whose->others_passed ? ", those of other clients passed" : "");
	snprintf(value, sizeof(value), "%u of %u tries with the name failed", whose->failed, whose->tries);
	if (controlled)
		snprintf(expected, sizeof(expected), "as other names there: %u of %u passed",
			 c->control[0], c->control[0] + c->control[1]);
	else
		snprintf(expected, sizeof(expected), "that one of %u unrelated networks answers", nets);
	/* One site that is ill everywhere looks the same: without a control it is no proof of the name. */
	study_row(r, f, "name-control", controlled ? GRADE_D3 : GRADE_D2, value, expected);
	snprintf(value, sizeof(value), "in %u of %u of them", c->with_id, c->failed);
	study_row(r, f, c->id != NULL ? c->id : "failed", common_grade(c), value, "");
	struct doubts d = doubts_of(c, kind);
	bool fair = controlled && !d.mtu && !d.pieces && !d.version && !d.outage && !d.clients;
	f->conditional = fair ? "yes" : "untested";
	bool strong = fair && is_strong(whose, c, kind);
	say_benign(f, &d, controlled, strong);
	study_weigh(f, strong ? VERDICT_CONFIRMED : VERDICT_ANOMALY);
	for (unsigned i = 0; i < g->n_rows; i++) {
		rows[i].filtered = rows[i].failed != 0 && f->verdict >= VERDICT_LIKELY;
		rows[i].finding = f;
	}
	return 0;
}

static bool tested(enum trigger_kind k)
{
	return by_kind[k].id != NULL;
}

static int conclude(struct study_run *r, const struct tries *t, struct study_group *g)
{
	const struct study_name *rows = &r->pub.names[g->first_row];
	struct common c;
	struct tried whose, one;
	if (!tested(rows[0].kind) || rows[0].name[0] == '\0' || g->failed < 1 ||
	    g->ok + g->failed < STUDY_FAIL_TRIES)
		return 0;
	tries_whose(r, t, g, &whose, &one);
	c.controlled = false;
	if (whose.mostly_fails)
		tries_gather(r, t, g, &whose, &c);
	if (!c.controlled && one.mostly_fails && one.tries >= STUDY_FAIL_TRIES) {
		whose = one;
		tries_gather(r, t, g, &whose, &c);
	}
	unsigned nets = tries_networks(r, t, g);
	if (!c.controlled && (!whose.mostly_fails || nets < 2 || whose.others_passed))
		return 0;
	/* One kind of failure, as of one cause; of several kinds each has to be somebody else's doing. */
	unsigned most = 0;
	for (unsigned e = 0; e < ATTEMPT_N; e++)
		most = c.by_end[e] > most ? c.by_end[e] : most;
	if (most < STUDY_FAIL_SHARE * c.failed && c.strong < STUDY_FAIL_SHARE * c.failed)
		return 0;
	return say(r, g, &whose, &c, nets);
}

bool study_name_open(const struct study_name *n)
{
	return n->finding != NULL && n->failed != 0 && !n->filtered;
}

bool study_name_matters(const struct study *s, size_t row)
{
	const struct study_name *n = &s->names[row];
	return n->failed + n->dependent != 0 || (n->ok != 0 && n->others_failed != 0);
}

/* What the tries of one row were compared with. */
struct compared {
	uint64_t *controls; /* flow ids; NULL: nobody asked yet */
	unsigned n;
};

static int compare_row(struct study_run *r, const struct tries *t, uint32_t row, struct compared *c)
{
	const struct attempt *passed[CONTROLS_MAX];
	if (c->controls != NULL)
		return 0;
	unsigned n = tries_controls(r, t, &r->groups[r->group_of[row]], row, 1, passed);
	c->controls = study_flow_ids(r, passed, n, &c->n);
	return c->controls != NULL ? 0 : -ENOMEM;
}

/* Of single findings: whether their trigger made the difference. of: a place for each row. */
static int mark_findings(struct study_run *r, const struct tries *tries, struct compared *of)
{
	int err = of != NULL ? 0 : -ENOMEM;
	for (size_t i = 0; i < r->n_trials && err == 0; i++) {
		const struct trial *t = &r->trials[i];
		struct finding *f = t->a->finding;
		if (f == NULL || t->row == NO_ROW || f->scope != SCOPE_FLOW)
			continue;
		const struct study_name *n = &r->pub.names[t->row];
		const struct finding *named = n->finding;
		if (named != NULL && n->failed != 0 && named->conditional[0] == 'y') {
			study_condition(f, named);
			f->filtered = n->filtered;
		} else if (named == NULL && n->failed >= CONDITIONAL_TRIES && n->ok == 0 &&
			   n->control_failed == 0 && n->control_ok >= STUDY_CONTROL_TRIES) {
			err = compare_row(r, tries, t->row, &of[t->row]);
			f->conditional = "yes";
			f->controls = of[t->row].controls;
			f->n_controls = of[t->row].n;
		} else if (n->others_ok == 0 && n->others_failed >= STUDY_CONTROL_TRIES &&
			   n->failed != 0) {
			f->conditional = "no";
		}
	}
	return err;
}

int study_names(struct study_run *r)
{
	struct tries tries = {.of_row = NULL};
	int err = collapse(r);
	if (err == 0)
		err = tries_new(r, &tries);
	if (err != 0)
		return err;
	count(r);
	for (size_t i = 0; i < r->n_groups; i++)
		divide(&r->groups[i]);
	err = find_controls(r);
	for (size_t i = 0; err == 0 && i < r->n_groups; i++)
		err = conclude(r, &tries, &r->groups[i]);
	if (err == 0) {
		struct compared *of = calloc(r->pub.n_names + 1, sizeof(*of));
		err = mark_findings(r, &tries, of);
		free(of);
	}
	tries_free(&tries);
	return err;
}
