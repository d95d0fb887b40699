/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A profile of each box, in the words of the study, from what the two captures prove: what was forged and
 * lost is known here, so that only the rule has to be inferred.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/spelt.h"
#include "tools/compare/boxes.h"
#include "tools/study/line.h"

struct writer {
	struct comparison *c;
	const struct dealings *all;
	const struct path_box *box;
	struct study_profile *p;
	struct rule rules[RULES];
};

static struct study_line *add(struct writer *w, const char *what)
{
	return study_line_add(w->p, &w->c->arena, what);
}

static const char *text(struct writer *w, const char *s)
{
	const char *copy = arena_text(&w->c->arena, s);
	return copy != NULL ? copy : "";
}

static const struct dealing *mine(const struct writer *w, uint32_t i)
{
	return &w->all->list[w->box->mine[i]];
}

/* Where it sits and what it does */

static void say_mode(struct writer *w)
{
	struct study_line *on = add(w, "lets_packets_pass"), *in = add(w, "takes_packets_out");
	bool forger = w->box->deed < DEED_DROPS;

	for (uint32_t i = 0; i < w->box->n; i++) {
		const struct dealing *d = mine(w, i);
		bool out = d->out || !forger || w->box->deed == DEED_INTERCEPTS;
		if (out || d->by)
			study_line_seen(out ? in : on, d->flow_id);
	}
	if (on == NULL || in == NULL)
		return;
	on->why = on->n != 0 ? "what drew the forgery arrived at the other end" : "";
	in->why = in->n == 0 ? ""
		  : forger   ? "what drew the forgery never arrived at the other end"
			     : "what was sent at one end never arrived at the other";
	w->p->mode_why = "some packets passed it and some did not";
	if (on->n != 0 && in->n == 0) {
		w->p->mode = STUDY_ON_PATH;
		w->p->mode_why = on->why;
	} else if (in->n != 0 && on->n == 0) {
		w->p->mode = STUDY_IN_PATH;
		w->p->mode_why = in->why;
	} else if (in->n == 0) {
		w->p->mode_why = "it is not known what drew the forgery";
		study_line_out_of_sight(on, w->p->mode_why);
		study_line_out_of_sight(in, w->p->mode_why);
	}
}

static const char one_way[] = "packets of one direction only are in both captures";

static void say_directions(struct writer *w)
{
	struct study_line *to[2];
	to[DIR_S2C] = add(w, "acts_towards_client");
	to[DIR_C2S] = add(w, "acts_towards_server");
	for (uint32_t i = 0; i < w->box->n; i++)
		for (unsigned dir = 0; dir < 2; dir++)
			if (mine(w, i)->to[dir])
				study_line_seen(to[dir], mine(w, i)->flow_id);
	for (unsigned dir = 0; dir < 2 && !w->c->clock.both_ways; dir++)
		study_line_out_of_sight(to[dir], one_way);
}

static void widen(double range[2], double v)
{
	range[0] = range[1] == 0 || v < range[0] ? v : range[0];
	range[1] = v > range[1] ? v : range[1];
}

static void say_rate(struct writer *w, struct study_line *l)
{
	double rate[2] = {0, 0}, lost[2] = {0, 0}, burst[2] = {0, 0};
	char value[160];

	for (uint32_t i = 0; i < w->box->n; i++) {
		const struct dealing *d = mine(w, i);
		unsigned dir = d->to[DIR_S2C] ? DIR_S2C : DIR_C2S;
		uint64_t ns = d->held_ns[dir] - d->lost_ns[dir];
		widen(rate, (double)(d->held[dir] - d->burst[dir]) * 8e6 / (double)(ns != 0 ? ns : 1));
		widen(lost, 100.0 * d->lost[dir] / (d->sent[dir] != 0 ? d->sent[dir] : 1));
		widen(burst, (double)d->burst[dir]);
	}
	snprintf(value, sizeof(value), "%.0f to %.0f kbit/s of payload got through, %.0f to %.0f %% of the "
		 "packets with payload were lost, none of the first %.0f bytes", rate[0], rate[1], lost[0],
		 lost[1], burst[0]);
	if (l != NULL && l->n != 0) {
		l->value = text(w, value);
		l->why = "controls lost no such share, and were twice as fast";
	}
}

static void say_deeds(struct writer *w)
{
	static const char *const what[DEEDS] = {
		[DEED_RESETS] = "injects_resets", [DEED_PAGES] = "injects_pages",
		[DEED_ANSWERS] = "injects_dns_answers", [DEED_ALERTS] = "injects_alerts",
		[DEED_INTERCEPTS] = "intercepts_tls", [DEED_DROPS] = "drops", [DEED_THROTTLES] = "throttles"};
	for (unsigned k = 0; k < DEEDS; k++) {
		struct study_line *l = add(w, what[k]);
		/* The request that a forger takes out on the way is no deed of another kind. */
		for (uint32_t i = 0; i < w->box->n && (k < DEED_DROPS || w->box->deed == k); i++)
			if ((mine(w, i)->deeds >> k & 1) != 0)
				study_line_seen(l, mine(w, i)->flow_id);
		if (k == DEED_THROTTLES)
			say_rate(w, l);
		if (!w->c->clock.both_ways)
			study_line_out_of_sight(l, one_way);
	}
}

static void say_refusals(struct writer *w)
{
	struct study_line *l = add(w, "answers_by_icmp");
	for (uint32_t i = 0; i < w->box->n; i++)
		if (mine(w, i)->told)
			study_line_seen(l, mine(w, i)->flow_id);
}

/* Rules */

static const char *const rule_line[RULES] = {
	[RULE_NAME] = "acts_on_name", [RULE_PROTOCOL] = "acts_on_protocol",
	[RULE_VERSION] = "acts_on_quic_version", [RULE_ADDRESS] = "acts_on_address",
	[RULE_PORT] = "acts_on_port"};

static void print_value(const struct dealing *d, enum rule_kind kind, char *out, size_t len)
{
	char addr[64];
	switch (kind) {
	case RULE_NAME:
		spelt(d->name, strlen(d->name), out, len);
		break;
	case RULE_PROTOCOL:
		snprintf(out, len, "%s", d->protocol);
		break;
	case RULE_VERSION:
		snprintf(out, len, "0x%08" PRIx32, d->version);
		break;
	case RULE_PORT:
		snprintf(out, len, "%u", d->server_port);
		break;
	default:
		snprintf(out, len, "%s", ip_addr_format(&d->server, d->ip_version, addr, sizeof(addr)));
		break;
	}
}

#define VALUES_SHOWN 4

static void print_values(struct writer *w, enum rule_kind kind, char *out, size_t len)
{
	char one[256];
	unsigned shown = 0;
	size_t n = 0;

	out[0] = '\0';
	for (uint32_t i = 0; i < w->box->n && shown < VALUES_SHOWN; i++) {
		bool first = true;
		for (uint32_t k = 0; k < i && first; k++)
			first = !rule_alike(mine(w, k), mine(w, i), kind);
		if (!first)
			continue;
		print_value(mine(w, i), kind, one, sizeof(one));
		if (n + strlen(one) + 3 > len)
			break;
		n += (size_t)snprintf(out + n, len - n, "%s%s", shown++ != 0 ? ", " : "", one);
	}
}

/*
 * Two rules that the tries do not tell apart are not both stated, but for a protocol at a port: together they
 * say no more than what was seen.
 */
static void test_rules(struct writer *w)
{
	for (unsigned k = 0; k < RULES; k++)
		w->rules[k] = rule_test(w->all, w->box->mine, w->box->n, k);
	for (unsigned k = 0; k < RULES; k++) {
		for (unsigned m = 0; m < k && w->rules[k].said == STUDY_OBSERVED; m++) {
			if (w->rules[m].said != STUDY_OBSERVED || (m == RULE_PROTOCOL && k == RULE_PORT))
				continue;
			w->rules[k].said = STUDY_NOT_TESTABLE;
			w->rules[k].why = "it goes with another line that tells them apart as well";
		}
	}
}

static void say_rules(struct writer *w)
{
	char value[512], why[160];
	bool joint = w->rules[RULE_PROTOCOL].said == STUDY_OBSERVED &&
		     w->rules[RULE_PORT].said == STUDY_OBSERVED;

	for (unsigned k = 0; k < RULES; k++) {
		const struct rule *r = &w->rules[k];
		struct study_line *l = add(w, rule_line[k]);
		if (l == NULL)
			return;
		l->said = r->said;
		l->why = r->why;
		if (r->said != STUDY_OBSERVED)
			continue;
		for (uint32_t i = 0; i < w->box->n; i++)
			study_line_seen(l, mine(w, i)->flow_id);
		print_values(w, k, value, sizeof(value));
		l->value = text(w, value);
		snprintf(why, sizeof(why), "%u controls with another passed, %u with the same%s", r->controls,
			 r->passed, joint ? "; protocol and port were not tried apart" : "");
		l->why = text(w, why);
	}
	struct study_line *high = add(w, "only_from_high_ports");
	for (uint32_t i = 0; i < w->box->n && w->rules[RULE_NAME].high_ports; i++)
		study_line_seen(high, mine(w, i)->flow_id);
	if (high != NULL && high->n != 0)
		high->why = "the same passed from ports not above the server's";
	study_line_out_of_sight(high, "nothing that it acts on came from a port below the server's");
}

static void say_triggers(struct writer *w)
{
	bool protocol = w->rules[RULE_PROTOCOL].said == STUDY_OBSERVED;
	for (uint32_t i = 0; i < w->box->n; i++) {
		const struct dealing *d = mine(w, i);
		struct study_trigger *t = NULL;
		if (protocol)
			t = study_trigger_of(w->p, TRIGGER_PROTOCOL, text(w, d->protocol));
		else if (d->name != NULL)
			t = study_trigger_of(w->p, d->kind, text(w, d->name));
		if (t != NULL)
			t->acted++;
	}
	unsigned acted = w->p->n_triggers;
	for (uint32_t i = 0; i < w->all->n; i++) {
		const struct dealing *d = &w->all->list[i];
		for (unsigned k = 0; k < acted && d->passed; k++) {
			struct study_trigger *t = &w->p->triggers[k];
			bool same = protocol ? d->protocol != NULL && strcmp(d->protocol, t->name) == 0
					     : d->name != NULL && d->kind == t->kind &&
						       strcmp(d->name, t->name) == 0;
			t->passed += same;
		}
	}
}

/* The rest */

static void say_early(struct writer *w)
{
	struct study_line *l = add(w, "needs_no_handshake");
	for (uint32_t i = 0; i < w->box->n; i++)
		if (mine(w, i)->early)
			study_line_seen(l, mine(w, i)->flow_id);
	study_line_out_of_sight(l, "nothing that it acts on was sent without a handshake");
}

/* Something got through between the two hosts soon after one that it acted on. */
static bool tried_again(const struct writer *w)
{
	for (uint32_t i = 0; i < w->all->n; i++) {
		const struct dealing *t = &w->all->list[i];
		for (uint32_t k = 0; k < w->box->n && k < STUDY_LINE_FLOWS && t->passed; k++) {
			const struct dealing *d = mine(w, k);
			if (t->start_ns > d->from_ns && t->start_ns - d->from_ns < STUDY_SOON_NS &&
			    t->ip_version == d->ip_version &&
			    memcmp(&t->client, &d->client, sizeof(t->client)) == 0 &&
			    memcmp(&t->server, &d->server, sizeof(t->server)) == 0)
				return true;
		}
	}
	return false;
}

static void say_after(struct writer *w)
{
	struct study_line *l = add(w, "blocks_afterwards");
	for (uint32_t i = 0; i < w->box->n_after; i++)
		study_line_seen(l, w->all->list[w->box->after[i]].flow_id);
	if (l != NULL && l->n != 0)
		l->why = "lost behind one that it acted on, before anything passed between the two again";
	if (!tried_again(w))
		study_line_out_of_sight(l, "nothing else was tried towards the same server soon after");
}

static void say_position(struct writer *w)
{
	struct study_line *l = w->box->deed == DEED_DROPS ? add(w, "acts_later") : NULL;
	uint64_t least = UINT64_MAX, most = 0;
	char value[96];

	for (uint32_t i = 0; i < w->box->n && l != NULL; i++) {
		const struct dealing *d = mine(w, i);
		least = d->through < least ? d->through : least;
		most = d->through > most ? d->through : most;
		if (d->through != 0)
			study_line_seen(l, d->flow_id);
	}
	if (l == NULL || l->n == 0)
		return;
	snprintf(value, sizeof(value), "after %" PRIu64 " to %" PRIu64 " bytes of payload", least, most);
	l->value = text(w, value);
}

static void sum_up(struct writer *w)
{
	struct study_profile *p = w->p;
	p->mbx = w->box->mbx != NULL ? text(w, w->box->mbx) : "";
	p->hops = -1;
	p->mode_why = "";
	for (uint32_t i = 0; i < w->box->n; i++) {
		const struct dealing *d = mine(w, i);
		p->n_findings += d->n_findings;
		if (d->worst != NULL && d->worst->verdict > p->verdict)
			p->verdict = d->worst->verdict;
		p->first_ns = p->first_ns == 0 || d->from_ns < p->first_ns ? d->from_ns : p->first_ns;
		p->last_ns = d->to_ns > p->last_ns ? d->to_ns : p->last_ns;
	}
	/* What loss explains of one is no loss where a rule holds for all. */
	bool lossy = w->box->deed == DEED_DROPS && w->all->loss > RULE_LOSS;
	bool proven = (w->box->ruled && !lossy) || w->box->deed == DEED_INTERCEPTS;
	if (proven && p->verdict < VERDICT_LIKELY)
		p->verdict = VERDICT_LIKELY;
}

/* False: the path's MTU explains all that it seemed to do. */
static bool write_profile(struct comparison *c, const struct dealings *all, const struct path_box *box,
			  struct study_profile *p)
{
	struct writer w = {.c = c, .all = all, .box = box, .p = p};
	test_rules(&w);
	if (!ruled_raise(c, all, box, w.rules)) {
		*p = (struct study_profile){.number = 0};
		return false;
	}
	sum_up(&w);
	say_mode(&w);
	say_directions(&w);
	say_deeds(&w);
	say_refusals(&w);
	say_rules(&w);
	say_triggers(&w);
	say_early(&w);
	say_position(&w);
	say_after(&w);
	return true;
}

static int by_first(const void *x, const void *y)
{
	const struct study_profile *a = x, *b = y;
	return a->first_ns < b->first_ns ? -1 : a->first_ns > b->first_ns;
}

int profiles_write(struct comparison *c)
{
	struct dealings all;
	struct path_boxes boxes = {.n = 0};
	int err = dealings_make(c, &all);

	if (err == 0)
		err = path_boxes_find(&all, &boxes);
	if (err == 0)
		c->study.profiles = arena_alloc(&c->arena, (boxes.n + 1) * sizeof(*c->study.profiles));
	if (err == 0 && c->study.profiles == NULL)
		err = -ENOMEM;
	for (unsigned i = 0; err == 0 && i < boxes.n; i++)
		c->study.n_profiles += boxes.list[i].n != 0 &&
				       write_profile(c, &all, &boxes.list[i],
						     &c->study.profiles[c->study.n_profiles]);
	if (err == 0) {
		c->study.unplaced = boxes.left_out;
		qsort(c->study.profiles, c->study.n_profiles, sizeof(*c->study.profiles), by_first);
	}
	for (unsigned i = 0; i < c->study.n_profiles; i++)
		c->study.profiles[i].number = i + 1;
	path_boxes_free(&boxes);
	dealings_free(&all);
	return err;
}
