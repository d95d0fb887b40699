/* SPDX-License-Identifier: BSD-3-Clause */

/* Tables of the run: boxes, captures, and single facts that the others are read by. */

#include <string.h>

#include "config.h"
#include "tools/facts.h"
#include "tools/study/study.h"
#include "tools/tables.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static const struct column profile_columns[] = {
	{"number", COLUMN_INTEGER, false},     {"mbx", COLUMN_TEXT, true},
	{"device", COLUMN_TEXT, false},	       {"device_grade", COLUMN_TEXT, false},
	{"hops", COLUMN_INTEGER, false},       {"mode", COLUMN_TEXT, false},
	{"mode_why", COLUMN_TEXT, false},      {"verdict", COLUMN_TEXT, false},
	{"findings", COLUMN_INTEGER, false},   {"first", COLUMN_TEXT, false},
	{"last", COLUMN_TEXT, false},	       {"reactions", COLUMN_INTEGER, false},
	{"reaction_ms_p5", COLUMN_REAL, false}, {"reaction_ms_median", COLUMN_REAL, false},
	{"reaction_ms_p95", COLUMN_REAL, false}, {"residual_s_at_least", COLUMN_REAL, false},
	{"residual_s_at_most", COLUMN_REAL, false},
};

static void box(struct rows *r, const struct study_profile *p)
{
	static const char *const reaction[] = {"reaction_ms_p5", "reaction_ms_median",
					       "reaction_ms_p95"};
	bool residual = p->residual_s[1] != 0;

	row_uint(r, "number", p->number);
	row_text(r, "mbx", p->mbx[0] != '\0' ? p->mbx : NULL);
	row_text(r, "device", p->device);
	row_text(r, "device_grade", p->device != NULL ? attribution_name[p->device_grade] : NULL);
	row_uint_if(r, "hops", p->hops >= 0, (uint64_t)p->hops);
	row_text(r, "mode", study_mode_name[p->mode]);
	row_text(r, "mode_why", p->mode_why);
	row_text(r, "verdict", verdict_name[p->verdict]);
	row_uint(r, "findings", p->n_findings);
	row_time_if(r, "first", true, p->first_ns);
	row_time_if(r, "last", true, p->last_ns);
	row_uint(r, "reactions", p->n_reactions);
	for (unsigned i = 0; i < N(reaction); i++)
		row_real_if(r, reaction[i], p->n_reactions != 0, p->reaction_ms[i]);
	row_real_if(r, "residual_s_at_least", residual, p->residual_s[0]);
	row_real_if(r, "residual_s_at_most", residual, p->residual_s[1]);
}

static int profiles_write(const struct tables *t, struct rows *r)
{
	const struct study *s = t->o->study;

	for (unsigned i = 0; s != NULL && i < s->n_profiles; i++) {
		box(r, &s->profiles[i]);
		if (!row_end(r))
			return r->error;
	}
	return 0;
}

static const struct column capture_columns[] = {
	{"capture", COLUMN_INTEGER, false},  {"file", COLUMN_INTEGER, false},
	{"pcap_filename", COLUMN_TEXT, true},
	{"packets", COLUMN_INTEGER, false},  {"bytes", COLUMN_INTEGER, false},
	{"first", COLUMN_TEXT, false},	     {"last", COLUMN_TEXT, false},
	{"vantage", COLUMN_TEXT, false},     {"dropped", COLUMN_INTEGER, false},
	{"partial", COLUMN_INTEGER, false},
};

/* A row a file; what is known of several files together stands at each. */
static int captures_write(const struct tables *t, struct rows *r)
{
	for (unsigned i = 0; i < t->a->n_captures; i++) {
		const struct capture_result *c = &t->a->captures[i];
		bool known, any = c->stats.source.received > 0;
		uint64_t dropped = facts_dropped(c, &known);
		for (unsigned k = 0; k < c->n_files; k++) {
			row_uint(r, "capture", i);
			row_uint(r, "file", k);
			row_bytes(r, "pcap_filename", c->files[k], strlen(c->files[k]));
			row_uint(r, "packets", c->stats.source.received);
			row_uint(r, "bytes", c->stats.source.bytes);
			row_time_if(r, "first", any, c->stats.first_ns);
			row_time_if(r, "last", any, c->stats.last_ns);
			row_text(r, "vantage", vantage_name[c->vantage]);
			row_uint_if(r, "dropped", known, dropped);
			row_uint(r, "partial", c->partial);
			if (!row_end(r))
				return r->error;
		}
	}
	return 0;
}

static const struct column run_columns[] = {
	{"key", COLUMN_TEXT, false}, {"value", COLUMN_TEXT, true},
};

static int run_write(const struct tables *t, struct rows *r)
{
	const struct {
		const char *key, *value;
	} facts[] = {
		{"schema", "1"},
		{"version", WMSCOPE_VERSION},
		{"clients", t->o->real_clients ? "real" : "pseudonymous"},
		{"names", t->o->redacted_names ? "pseudonymous" : "real"},
		{"min_verdict", verdict_name[t->o->min_verdict]},
	};

	for (size_t i = 0; i < N(facts); i++) {
		row_text(r, "key", facts[i].key);
		row_text(r, "value", facts[i].value);
		if (!row_end(r))
			return r->error;
	}
	return 0;
}

static const struct table table_profiles = {.name = "profiles", .columns = profile_columns,
					    .n_columns = N(profile_columns),
					    .write = profiles_write};
static const struct table table_captures = {.name = "captures", .columns = capture_columns,
					    .n_columns = N(capture_columns),
					    .write = captures_write};
static const struct table table_run = {.name = "run", .columns = run_columns,
				       .n_columns = N(run_columns), .write = run_write};

const struct table *const tables_list[TABLES_N + 1] = {
	&table_flows, &table_findings, &table_evidence, &table_packets, &table_finding_flows,
	&table_devices, &table_dns, &table_tls, &table_names, &table_profiles, &table_captures,
	&table_run, NULL,
};
