/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Conditions other than a name: the same name with and without ECH or ESNI, in
 * one piece and in several, from one TLS client and from another.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/study/study_private.h"

#define TRIES 3
#define CONTROLS 2
#define SHOWN_MAX 32
#define CLIENTS_MAX 16 /* TLS clients compared under one name */

struct shown {
	const struct attempt *failed[SHOWN_MAX], *ok[SHOWN_MAX];
	bool lost[SHOWN_MAX]; /* of the failed: trial's */
	unsigned n_failed, n_ok, strong;
};

static bool counts(const struct trial *t)
{
	return t->row != NO_ROW && !t->dependent && (t->ok || t->failed) &&
	       (t->a->trigger == TRIGGER_SNI || t->a->trigger == TRIGGER_NONE);
}

static void take(struct shown *s, const struct trial *t)
{
	if (t->failed && s->n_failed < SHOWN_MAX) {
		s->lost[s->n_failed] = t->lost;
		s->failed[s->n_failed++] = t->a;
		s->strong += study_grade(t->a) >= GRADE_D3 ||
			     (t->a->finding != NULL && t->a->finding->verdict >= VERDICT_ANOMALY &&
			      t->a->finding->family == FAMILY_SILENT_DROP);
	} else if (t->ok && s->n_ok < SHOWN_MAX) {
		s->ok[s->n_ok++] = t->a;
	}
}

/* Failures of one client or two are compared with what passed for these, as a name's are. */
static bool has_own_controls(const struct shown *s)
{
	unsigned clients = 0, own = 0, seen_to_pass = 0;
	for (unsigned i = 0; i < s->n_failed; i++) {
		unsigned k = 0, passed = 0;
		while (k < i && !study_same_client(s->failed[k], s->failed[i]))
			k++;
		for (unsigned n = 0; n < s->n_ok; n++)
			passed += study_same_client(s->ok[n], s->failed[i]);
		seen_to_pass += passed != 0;
		clients += k == i && !s->lost[i];
		own += k == i ? passed : 0;
	}
	return clients >= TRIES || (own >= CONTROLS && seen_to_pass >= TRIES);
}

static int say(struct study_run *r, const struct study_cause *what, const struct shown *s,
	       const char *name, const char *value, const char *expected, enum grade grade)
{
	struct study_cause c = *what;
	c.family = FAMILY_TLS_FILTERING;
	c.scope = SCOPE_NAME;
	c.attempts = s->failed;
	c.n_attempts = s->n_failed;
	c.controls = s->ok;
	c.n_controls = s->n_ok;
	struct finding *f = study_finding(r, &c);
	if (f == NULL)
		return -ENOMEM;
	const struct attempt *t = s->failed[0];
	f->trigger = name[0] != '\0' ? TRIGGER_SNI : TRIGGER_PROTOCOL;
	f->trigger_value = arena_format(&r->arena, FINDING_TRIGGER, "%s", name[0] != '\0' ? name : "tls");
	f->sentence = arena_format(&r->arena, FINDING_SENTENCE, "%s: %s", what->summary, value);
	study_row(r, f, what->id, grade, value, expected);
	if (t->finding != NULL)
		study_row(r, f, t->finding->id, study_grade(t), "what became of those that failed", "");
	bool mtu = study_may_be_mtu(s->failed, s->n_failed, s->ok, s->n_ok);
	if (mtu)
		study_benign(f, MTU_BENIGN);
	bool controlled = has_own_controls(s);
	if (!controlled)
		study_benign(f, "a client that is shut out, or whose way is broken: others alone passed");
	f->conditional = mtu || !controlled ? "untested" : "yes";
	study_benign(f, "a server that itself refuses such hellos");
	bool strong = !mtu && controlled && 2 * s->strong >= s->n_failed;
	study_weigh(f, strong ? VERDICT_CONFIRMED : VERDICT_ANOMALY);
	for (unsigned i = 0; i < s->n_failed; i++) {
		struct finding *own = s->failed[i]->finding;
		if (own == NULL)
			continue;
		study_condition(own, f);
		own->filtered |= f->verdict >= VERDICT_LIKELY;
	}
	return 0;
}

/* Hellos with a feature all fail, those of the same name without it pass (or the other way round). */
static int one_feature(struct study_run *r, const struct study_group *g, enum study_feature f,
		       bool fails_with, const struct study_cause *what, enum grade grade)
{
	struct shown s = {.n_failed = 0};
	char value[96], expected[96];
	for (size_t i = 0; i < r->n_pairs; i++) {
		const struct trial *t = &r->trials[r->pairs[i]];
		if (counts(t) && t->row >= g->first_row && t->row < g->first_row + g->n_rows)
			take(&s, t);
	}
	const unsigned *failed = fails_with ? g->with[f] : g->without[f];
	const unsigned *passed = fails_with ? g->without[f] : g->with[f];
	if (s.n_failed == 0)
		return 0;
	snprintf(value, sizeof(value), "%u of %u failed", failed[1], failed[0] + failed[1]);
	snprintf(expected, sizeof(expected), "as the others with this name: %u of %u passed", passed[0],
		 passed[0] + passed[1]);
	return say(r, what, &s, r->pub.names[g->first_row].name, value, expected, grade);
}

/* Whether hellos with ECH and another name pass: else the name alone could be what is filtered. */
static bool ech_passes_elsewhere(const struct study_run *r, const struct study_group *g)
{
	unsigned ok = 0;
	for (size_t i = 0; i < r->n_groups; i++)
		if (&r->groups[i] != g && r->groups[i].with[FEATURE_ECH][1] == 0)
			ok += r->groups[i].with[FEATURE_ECH][0];
	return ok >= CONTROLS;
}

static int per_name(struct study_run *r, const struct study_group *g)
{
	static const struct study_cause ech = {
		.id = "ech-filtered", .refs = "net4people/bbs 417",
		.summary = "connections fail when a ClientHello has this name and Encrypted ClientHello"};
	static const struct study_cause split = {
		.id = "hello-split-passes",
	 .refs = "Niere et al., TLS Record Fragmentation, CCS 2023",
		.summary = "the same name passes when its ClientHello comes in several pieces"};
	enum trigger_kind kind = r->pub.names[g->first_row].kind;
	if (kind != TRIGGER_SNI)
		return 0;
	int err = 0;
	if ((g->failed_by & 1u << FEATURE_ECH) != 0 && g->with[FEATURE_ECH][1] >= TRIES)
		err = one_feature(r, g, FEATURE_ECH, true, &ech,
				  ech_passes_elsewhere(r, g) ? GRADE_D3 : GRADE_D2);
	for (enum study_feature f = FEATURE_SEGMENTED; err == 0 && f <= FEATURE_RECORDS; f++)
		if ((g->passed_by & 1u << f) != 0 && g->without[f][1] >= TRIES)
			err = one_feature(r, g, f, false, &split, GRADE_D3);
	return err;
}

/* ESNI hellos carry no name: one row for all of them. */
static int esni(struct study_run *r)
{
	static const struct study_cause what = {
		.id = "esni-filtered", .refs = "net4people/bbs 43",
		.summary = "connections fail when their ClientHello has encrypted_server_name (0xffce)"};
	struct shown s = {.n_failed = 0};
	unsigned with[2] = {0}, without[2] = {0};
	char value[96], expected[96];
	for (size_t i = 0; i < r->n_pairs; i++) {
		const struct trial *t = &r->trials[r->pairs[i]];
		if (!counts(t))
			continue;
		bool has = study_has_feature(t->a, FEATURE_ESNI);
		(has ? with : without)[t->failed]++;
		if (has == t->failed)
			take(&s, t);
	}
	unsigned tries = with[0] + with[1], others = without[0] + without[1];
	if (with[1] < TRIES || with[1] < STUDY_FAIL_SHARE * tries || without[0] < CONTROLS ||
	    without[1] > STUDY_CONTROL_SHARE * others)
		return 0;
	snprintf(value, sizeof(value), "%u of %u failed", with[1], tries);
	snprintf(expected, sizeof(expected), "as hellos without it: %u of %u passed", without[0], others);
	return say(r, &what, &s, "", value, expected, GRADE_D3);
}

struct client {
	const char *ja4;
	unsigned ok, failed;
};

static int clients(struct study_run *r, const struct study_group *g)
{
	static const struct study_cause what = {
		.id = "client-fingerprint-filtered", .refs = "Ablove et al., USENIX Security 2026",
		.summary = "connections of one TLS client fail, those of another with the same name pass"};
	struct client list[CLIENTS_MAX];
	unsigned n = 0, bad = CLIENTS_MAX, good = CLIENTS_MAX;
	struct shown s = {.n_failed = 0};
	char value[96], expected[96];
	if (r->pub.names[g->first_row].kind != TRIGGER_SNI || g->failed < TRIES || g->ok < CONTROLS ||
	    g->passed_by != 0 || g->failed_by != 0)
		return 0;
	for (size_t i = 0; i < r->n_pairs; i++) {
		const struct trial *t = &r->trials[r->pairs[i]];
		if (!counts(t) || t->row < g->first_row || t->row >= g->first_row + g->n_rows ||
		    t->a->ja4[0] == '\0')
			continue;
		unsigned k = 0;
		while (k < n && strcmp(list[k].ja4, t->a->ja4) != 0)
			k++;
		if (k == CLIENTS_MAX)
			return 0;
		if (k == n)
			list[n++] = (struct client){.ja4 = t->a->ja4};
		list[k].ok += t->ok;
		list[k].failed += t->failed;
		take(&s, t);
	}
	for (unsigned k = 0; k < n; k++) {
		if (list[k].ok != 0 && list[k].failed != 0)
			return 0; /* then it is not the client */
		if (list[k].failed >= TRIES)
			bad = k;
		if (list[k].ok >= CONTROLS)
			good = k;
	}
	if (bad == CLIENTS_MAX || good == CLIENTS_MAX)
		return 0;
	snprintf(value, sizeof(value), "JA4 %s: %u of %u failed", list[bad].ja4, list[bad].failed,
		 list[bad].failed);
	snprintf(expected, sizeof(expected), "as JA4 %s: %u of %u passed", list[good].ja4,
		 list[good].ok, list[good].ok);
	return say(r, &what, &s, r->pub.names[g->first_row].name, value, expected, GRADE_D3);
}

int study_features(struct study_run *r)
{
	int err = esni(r);
	for (size_t i = 0; err == 0 && i < r->n_groups; i++) {
		err = per_name(r, &r->groups[i]);
		if (err == 0)
			err = clients(r, &r->groups[i]);
	}
	return err;
}
