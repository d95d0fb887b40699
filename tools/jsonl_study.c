/* SPDX-License-Identifier: BSD-3-Clause */

/* Events of the study: the table of triggers, a name at a server a line, and a profile of each box. */

#include <string.h>

#include "tools/facts.h"
#include "tools/report_jsonl.h"
#include "tools/study/study.h"

static void ids(struct json *j, const char *key, const uint64_t *list, unsigned n)
{
	json_array(j, key);
	for (unsigned i = 0; i < n; i++)
		json_id(j, NULL, list[i]);
	json_end(j);
}

void jsonl_scope(struct json *j, const struct finding *f)
{
	if (f->scope == SCOPE_FLOW)
		return;
	json_string(j, "scope", scope_name[f->scope]);
	ids(j, "flows", f->flows, f->n_flows);
}

static void trigger_event(struct json *j, const struct study_name *n)
{
	char addr[64], proto[8];

	json_object(j, NULL);
	json_uint(j, "schema", 1);
	json_string(j, "event_type", "trigger");
	json_string(j, "dest_ip", ip_addr_format(&n->server, n->ip_version, addr, sizeof(addr)));
	json_uint(j, "dest_port", n->server_port);
	json_string(j, "proto", facts_proto(n->proto, proto));
	json_object(j, "trigger");
	json_string(j, "kind", trigger_name[n->kind]);
	json_bytes(j, "value", n->name, strlen(n->name));
	json_object(j, "tries");
	for (unsigned e = 0; e < ATTEMPT_N; e++)
		if (n->ends[e] != 0)
			json_uint(j, attempt_end_name[e], n->ends[e]);
	json_end(j);
	json_uint(j, "passed", n->ok);
	json_uint(j, "failed", n->failed);
	json_uint(j, "dependent", n->dependent);
	json_uint(j, "control_passed", n->control_ok);
	json_uint(j, "control_failed", n->control_failed);
	json_bool(j, "filtered", n->filtered);
	json_end(j);
	json_end(j);
}

static void line(struct json *j, const struct study_line *l)
{
	static const char *const said[] = {[STUDY_NOT_TESTABLE] = "not testable",
					   [STUDY_NOT_OBSERVED] = "not observed",
					   [STUDY_OBSERVED] = "observed"};

	json_object(j, l->what);
	json_string(j, "said", said[l->said]);
	json_uint(j, "n", l->n);
	if (l->value[0] != '\0')
		json_string(j, "value", l->value);
	if (l->why[0] != '\0')
		json_string(j, "why", l->why);
	ids(j, "flows", l->flows, l->n_flows);
	json_end(j);
}

static void number_or_null(struct json *j, const char *key, bool known, double v)
{
	if (known)
		json_number(j, key, v);
	else
		json_null(j, key);
}

static void profile_event(struct json *j, const struct study_profile *p)
{
	static const char *const percentile[] = {"p5", "median", "p95"};

	json_object(j, NULL);
	json_uint(j, "schema", 1);
	json_string(j, "event_type", "profile");
	jsonl_time(j, "timestamp", p->first_ns);
	json_object(j, "profile");
	json_uint(j, "number", p->number);
	json_string(j, "mbx", p->mbx[0] != '\0' ? p->mbx : NULL);
	json_string(j, "device", p->device);
	json_string(j, "device_grade", p->device != NULL ? attribution_name[p->device_grade] : NULL);
	number_or_null(j, "hops", p->hops >= 0, p->hops);
	json_string(j, "mode", study_mode_name[p->mode]);
	json_string(j, "mode_why", p->mode_why);
	json_string(j, "verdict", verdict_name[p->verdict]);
	json_uint(j, "findings", p->n_findings);
	jsonl_time(j, "first", p->first_ns);
	jsonl_time(j, "last", p->last_ns);
	json_object(j, "reaction_ms");
	json_uint(j, "n", p->n_reactions);
	for (unsigned i = 0; i < 3; i++)
		number_or_null(j, percentile[i], p->n_reactions != 0, p->reaction_ms[i]);
	json_end(j);
	json_object(j, "residual_s");
	number_or_null(j, "at_least", p->residual_s[1] != 0, p->residual_s[0]);
	number_or_null(j, "at_most", p->residual_s[1] != 0, p->residual_s[1]);
	json_end(j);
	json_array(j, "triggers");
	for (unsigned i = 0; i < p->n_triggers; i++) {
		const struct study_trigger *t = &p->triggers[i];
		json_object(j, NULL);
		json_string(j, "kind", trigger_name[t->kind]);
		json_bytes(j, "value", t->name, strlen(t->name));
		json_uint(j, "acted", t->acted);
		json_uint(j, "passed", t->passed);
		json_end(j);
	}
	json_end(j);
	json_uint(j, "more_triggers", p->more_triggers);
	json_object(j, "lines");
	for (unsigned i = 0; i < p->n_lines; i++)
		line(j, &p->lines[i]);
	json_end(j);
	json_end(j);
	json_end(j);
}

void jsonl_study(struct json *j, const struct study *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n_names; i++)
		if (study_name_matters(s, i))
			trigger_event(j, &s->names[i]);
	for (unsigned i = 0; i < s->n_profiles; i++)
		profile_event(j, &s->profiles[i]);
}
