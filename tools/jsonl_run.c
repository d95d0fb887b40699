/* SPDX-License-Identifier: BSD-3-Clause */

/* The run event: what was read, how well, and what came of it in numbers. */

#include <string.h>

#include "config.h"
#include "tools/facts.h"
#include "tools/json.h"
#include "tools/libraries.h"
#include "tools/report_jsonl.h"
#include "tools/study/study.h"

/* Strings from outside: if one of them is not UTF-8, key_hex has them all. */
static void outside_strings(struct json *j, const char *key, const char *key_hex,
			    const char *const *list, unsigned n)
{
	bool utf8 = true;

	jsonl_strings(j, key, list, n);
	for (unsigned i = 0; i < n; i++)
		utf8 = utf8 && json_is_utf8(list[i], strlen(list[i]));
	if (utf8)
		return;
	json_array(j, key_hex);
	for (unsigned i = 0; i < n; i++)
		json_hex(j, NULL, list[i], strlen(list[i]));
	json_end(j);
}

struct counter_state {
	struct json *j;
	const char *group;
};

static void counter(void *user, const char *group, const char *name, uint64_t n)
{
	struct counter_state *s = user;

	if (s->group == NULL || strcmp(s->group, group) != 0) {
		if (s->group != NULL)
			json_end(s->j);
		json_object(s->j, group);
		s->group = group;
	}
	json_uint(s->j, name, n);
}

static const char *file_of(const struct capture_result *c, uint32_t file)
{
	return file < c->n_files ? c->files[file] : NULL;
}

static void interfaces(struct json *j, const struct capture_result *c)
{
	json_array(j, "interfaces");
	for (unsigned i = 0; i < c->stats.source.n_ifaces; i++) {
		const struct source_iface *f = &c->stats.source.ifaces[i];
		json_object(j, NULL);
		if (c->n_files > 1)
			json_string(j, "pcap_filename", file_of(c, f->file));
		json_uint(j, "id", f->iface);
		json_bytes(j, "name", f->name, strnlen(f->name, sizeof(f->name)));
		json_uint(j, "linktype", f->linktype);
		json_string(j, "linktype_name", facts_linktype(f->linktype));
		json_uint(j, "snaplen", f->snaplen);
		json_uint(j, "packets", f->packets);
		if (f->dropped != UINT64_MAX)
			json_uint(j, "dropped", f->dropped);
		else
			json_null(j, "dropped");
		json_end(j);
	}
	json_end(j);
}

static void damage(struct json *j, const struct capture_result *c)
{
	json_array(j, "damage");
	for (unsigned i = 0; i < c->stats.source.n_damage; i++) {
		const struct source_damage *d = &c->stats.source.damage[i];
		json_object(j, NULL);
		json_string(j, "pcap_filename", file_of(c, d->file));
		json_uint(j, "offset", d->offset);
		json_bytes(j, "reason", d->reason, strnlen(d->reason, sizeof(d->reason)));
		json_end(j);
	}
	json_end(j);
}

static void time_or_null(struct json *j, const char *key, bool known, uint64_t ts_ns)
{
	if (known)
		jsonl_time(j, key, ts_ns);
	else
		json_null(j, key);
}

static void capture(struct json *j, const struct capture_result *c)
{
	const struct source_stats *s = &c->stats.source;
	struct facts_notes notes;
	bool known;
	uint64_t dropped = facts_dropped(c, &known);

	json_object(j, NULL);
	outside_strings(j, "files", "files_hex", c->files, c->n_files);
	json_uint(j, "packets", s->received);
	json_uint(j, "bytes", s->bytes);
	time_or_null(j, "first", s->received > 0, c->stats.first_ns);
	time_or_null(j, "last", s->received > 0, c->stats.last_ns);
	interfaces(j, c);
	if (known)
		json_uint(j, "dropped", dropped);
	else
		json_null(j, "dropped");
	if (s->mode[0] != '\0')
		json_string(j, "engine", s->mode);
	json_string(j, "vantage", vantage_name[c->vantage]);
	json_bool(j, "vantage_given", c->vantage_given);
	json_string(j, "vantage_why", c->vantage_why);
	if (c->control)
		json_bool(j, "control", true);
	json_bool(j, "partial", c->partial);
	json_string(j, "partial_why", c->partial ? c->partial_why : NULL);
	json_bool(j, "interrupted", c->stats.interrupted);
	damage(j, c);
	json_object(j, "counters");
	struct counter_state state = {.j = j};
	facts_counters(c, counter, &state);
	if (state.group != NULL)
		json_end(j);
	json_end(j);
	facts_notes(c, &notes);
	json_array(j, "notes");
	for (unsigned i = 0; i < notes.n; i++)
		json_string(j, NULL, notes.text[i]);
	json_end(j);
	json_end(j);
}

static void counts(struct json *j, const struct analysis *a, const struct report_options *o)
{
	struct facts_tally t;

	facts_tally(a, o, &t);
	json_object(j, "flows");
	json_uint(j, "total", t.flows);
	for (unsigned v = VERDICT_INCONCLUSIVE; v < VERDICT_N; v++)
		json_uint(j, verdict_name[v], t.flows_by[v]);
	json_end(j);
	json_object(j, "findings");
	json_uint(j, "total", a->n_findings);
	json_uint(j, "shown", a->n_findings - t.hidden);
	json_object(j, "by_verdict");
	for (unsigned v = VERDICT_INCONCLUSIVE; v < VERDICT_N; v++)
		json_uint(j, verdict_name[v], t.findings_by[v]);
	json_end(j);
	json_object(j, "by_family");
	for (unsigned f = 0; f < FAMILY_N; f++)
		json_uint(j, family_name[f], t.families[f]);
	json_end(j);
	json_end(j);
}

/* A row is unused if its list's reader, or the matcher, could not take it. */
static void lists(struct json *j, const struct report_options *o)
{
	size_t n = o->rules != NULL ? ruleset_lists(o->rules) : 0;

	json_array(j, "lists");
	for (size_t i = 0; i < n; i++) {
		const struct list_info *l = ruleset_list(o->rules, i);
		unsigned unused = l->refused;
		for (size_t k = 0; o->matcher != NULL && k < matcher_refusals(o->matcher); k++)
			unused += matcher_refusal(o->matcher, k).list == l->name;
		json_object(j, NULL);
		json_bytes(j, "name", l->name, strlen(l->name));
		json_string(j, "format", list_format_name[l->format]);
		json_uint(j, "rows", l->rows);
		json_uint(j, "unused", unused);
		json_string(j, "sha256", l->sha256);
		json_string(j, "imported", l->imported[0] != '\0' ? l->imported : NULL);
		json_end(j);
	}
	json_end(j);
}

static void run_errors(struct json *j, const struct report_options *o)
{
	json_array(j, "errors");
	for (unsigned i = 0; i < o->n_errors; i++) {
		json_object(j, NULL);
		json_string(j, "pcap_filename", o->errors[i].file);
		json_string(j, "reason", o->errors[i].reason);
		json_end(j);
	}
	json_end(j);
	json_uint(j, "exit_status", (unsigned)o->exit_status);
	json_array(j, "conditions");
	for (unsigned i = 1; i < 8; i++) {
		if ((o->conditions & 1U << i) != 0)
			json_string(j, NULL, facts_exit_status(i));
	}
	json_end(j);
}

void jsonl_run(struct json *j, const struct analysis *a, const struct report_options *o)
{
	struct library libs[LIBRARIES_N];
	uint64_t first = 0;
	bool any = false;

	for (unsigned i = 0; i < a->n_captures; i++) {
		const struct pipeline_stats *s = &a->captures[i].stats;
		if (s->source.received > 0 && (!any || s->first_ns < first)) {
			first = s->first_ns;
			any = true;
		}
	}
	json_object(j, NULL);
	json_uint(j, "schema", 1);
	json_string(j, "event_type", "run");
	time_or_null(j, "timestamp", any, first);
	json_object(j, "run");
	json_string(j, "version", WMSCOPE_VERSION);
	outside_strings(j, "command", "command_hex", (const char *const *)o->argv,
			(unsigned)o->argc);
	json_string(j, "clients", o->real_clients ? "real" : "pseudonymous");
	json_string(j, "names", o->redacted_names ? "pseudonymous" : "real");
	json_uint(j, "names_withheld", a->names_withheld);
	if (o->study != NULL && o->study->unplaced != 0)
		json_uint(j, "findings_without_profile", o->study->unplaced);
	json_string(j, "min_verdict", verdict_name[o->min_verdict]);
	json_object(j, "libraries");
	libraries(libs);
	for (unsigned i = 0; i < LIBRARIES_N; i++)
		json_string(j, libs[i].name, libs[i].version[0] != '\0' ? libs[i].version : NULL);
	json_end(j);
	lists(j, o);
	plugins_json(j, &o->plugins);
	json_array(j, "captures");
	for (unsigned i = 0; i < a->n_captures; i++)
		capture(j, &a->captures[i]);
	json_end(j);
	counts(j, a, o);
	run_errors(j, o);
	jsonl_comparison(j, o->comparison);
	jsonl_audit(j, o->audit);
	json_end(j);
	json_end(j);
}
