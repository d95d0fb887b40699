/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * One row a finding, numbered in the order of the JSON Lines, and below it what it stands on: packets,
 * evidence, connections, boxes.
 */

#include <stdio.h>
#include <string.h>

#include "classifiers/app/dns.h"
#include "classifiers/lists/page.h"
#include "tools/facts.h"
#include "tools/tables.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static const struct column finding_columns[] = {
	{"finding", COLUMN_INTEGER, false},
	{"timestamp", COLUMN_TEXT, false},
	{"flow_id", COLUMN_INTEGER, false},
	{"pcap_cnt", COLUMN_INTEGER, false},
	{"pcap_filename", COLUMN_TEXT, true},
	COLUMNS_ENDS,
	{"community_id", COLUMN_TEXT, true},
	{"id", COLUMN_TEXT, false},
	{"family", COLUMN_TEXT, false},
	{"scope", COLUMN_TEXT, false},
	{"verdict", COLUMN_TEXT, false},
	{"score", COLUMN_REAL, false},
	{"stage", COLUMN_TEXT, false},
	{"direction", COLUMN_TEXT, false},
	{"packets", COLUMN_TEXT, false},
	{"trigger_kind", COLUMN_TEXT, false},
	{"trigger_value", COLUMN_TEXT, true},
	{"trigger_packet", COLUMN_INTEGER, false},
	{"reaction_ms", COLUMN_REAL, false},
	{"conditional", COLUMN_TEXT, false},
	{"filtered", COLUMN_INTEGER, false},
	{"flows", COLUMN_TEXT, false},
	{"controls", COLUMN_TEXT, false},
	{"evidence", COLUMN_TEXT, false},
	{"not_testable", COLUMN_TEXT, false},
	{"benign", COLUMN_TEXT, false},
	{"ruled_out", COLUMN_TEXT, false},
	{"device", COLUMN_TEXT, false},
	{"device_grade", COLUMN_TEXT, false},
	{"hops", COLUMN_INTEGER, false},
	{"mbx", COLUMN_TEXT, true},
	{"qname", COLUMN_TEXT, false},
	{"qtype", COLUMN_TEXT, false},
	{"rcode", COLUMN_TEXT, false},
	{"answers", COLUMN_TEXT, true},
	{"page_status", COLUMN_INTEGER, false},
	{"page_title", COLUMN_TEXT, true},
	{"page_rule", COLUMN_TEXT, false},
	{"rate_form", COLUMN_TEXT, false},
	{"rate_bps", COLUMN_REAL, false},
	{"summary", COLUMN_TEXT, false},
	{"sentence", COLUMN_TEXT, true},
	{"refs", COLUMN_TEXT, false},
};

static void identity(const struct tables *t, struct rows *r, const struct finding *f)
{
	const char *file = facts_decisive_filename(t->a, f);
	bool one = f->scope == SCOPE_FLOW;
	char id[32];

	row_uint(r, "finding", f->number);
	row_time_if(r, "timestamp", true, f->ts_ns);
	row_uint_if(r, "flow_id", one, f->flow->id);
	row_uint(r, "pcap_cnt", facts_decisive_frame(f));
	row_bytes(r, "pcap_filename", file, strlen(file));
	row_ends(r, f->flow, one);
	row_text(r, "community_id",
		 one && facts_community_id(f->flow, id)[0] != '\0' ? id : NULL);
	row_text(r, "id", f->id);
	row_text(r, "family", family_name[f->family]);
	row_text(r, "scope", scope_name[f->scope]);
	row_text(r, "verdict", verdict_name[f->verdict]);
	row_real_if(r, "score", true, f->score);
	row_text(r, "stage", facts_stage(f->stage));
	row_text(r, "direction", facts_direction(f->direction));
}

static void numbers(struct rows *r, const char *column, const uint64_t *list, unsigned n)
{
	row_list_begin(r);
	for (unsigned i = 0; i < n; i++)
		row_list_uint(r, list[i]);
	row_list_end(r, column);
}

static void strings(struct rows *r, const char *column, const char *const *list, unsigned n)
{
	row_list_begin(r);
	for (unsigned i = 0; i < n; i++)
		row_list_add(r, "; ", list[i], strlen(list[i]));
	row_list_end(r, column);
}

static void packets_and_trigger(struct rows *r, const struct finding *f)
{
	numbers(r, "packets", f->packets, f->n_packets);
	row_text(r, "trigger_kind", trigger_name[f->trigger]);
	if (f->trigger != TRIGGER_NONE)
		row_bytes(r, "trigger_value", f->trigger_value,
			  strlen(f->trigger_value));
	else
		row_null(r, "trigger_value");
	row_uint_if(r, "trigger_packet", f->trigger_packet != 0, f->trigger_packet);
	row_real_if(r, "reaction_ms", f->reaction_ms >= 0, f->reaction_ms);
	row_text(r, "conditional", f->conditional != NULL ? f->conditional : "untested");
	row_uint(r, "filtered", f->filtered);
	numbers(r, "flows", f->flows, f->n_flows);
	numbers(r, "controls", f->controls, f->n_controls);
}

/* An ungraded row counts as the weakest. */
static unsigned grade_of(const struct evidence_row *e)
{
	return e->grade >= GRADE_D1 && e->grade <= GRADE_D4 ? e->grade : GRADE_D1;
}

static void reasons(struct rows *r, const struct finding *f)
{
	char text[96];

	row_list_begin(r);
	for (unsigned i = 0; i < f->n_rows; i++) {
		const struct evidence_row *e = &f->rows[i];
		int n = snprintf(text, sizeof(text), "%.72s D%u%s", e->kind, grade_of(e),
				 e->counted ? "" : " not counted");
		row_list_add(r, "; ", text, (size_t)n);
	}
	row_list_end(r, "evidence");
	row_list_begin(r);
	for (unsigned i = 0; i < f->n_untestable; i++)
		row_list_add(r, "; ", f->untestable[i].kind, strlen(f->untestable[i].kind));
	row_list_end(r, "not_testable");
	strings(r, "benign", f->benign, f->n_benign);
	strings(r, "ruled_out", f->ruled_out, f->n_ruled_out);
}

static void box(struct rows *r, const struct finding *f)
{
	const struct device_match *d = f->n_devices > 0 ? &f->devices[0] : NULL;
	const char *mbx = f->n_injectors > 0 ? f->injectors[0].mbx : NULL;

	row_text(r, "device", d != NULL ? d->id : NULL);
	row_text(r, "device_grade", d != NULL ? attribution_name[d->grade] : NULL);
	row_uint_if(r, "hops", d != NULL && d->hops >= 0, d != NULL ? (uint64_t)d->hops : 0);
	row_text(r, "mbx", mbx != NULL && mbx[0] != '\0' ? mbx : NULL);
}

static void dns_of(struct rows *r, const struct dns_facts *d)
{
	char buf[12];

	row_text(r, "qname", d != NULL ? d->qname : NULL);
	row_text(r, "qtype", d != NULL ? dns_type_text(d->qtype, buf) : NULL);
	row_text(r, "rcode", d != NULL ? dns_rcode_text(d->rcode, buf) : NULL);
	strings(r, "answers", d != NULL ? d->answers : NULL, d != NULL ? d->n_answers : 0);
}

static void page_of(struct rows *r, const struct page_facts *p)
{
	static const struct page_facts none;
	const struct page_facts *page = p != NULL ? p : &none;

	row_uint_if(r, "page_status", p != NULL, page->status);
	if (page->title[0] != '\0')
		row_bytes(r, "page_title", page->title, strnlen(page->title, sizeof(page->title)));
	else
		row_null(r, "page_title");
	if (page->rule != NULL)
		row_bytes(r, "page_rule", page->rule->id, strlen(page->rule->id));
	else
		row_null(r, "page_rule");
}

static int findings_write(const struct tables *t, struct rows *r)
{
	for (size_t i = 0; i < t->a->n_findings; i++) {
		const struct finding *f = t->a->findings[i];
		if (!tables_shown(t->o, f))
			continue;
		identity(t, r, f);
		packets_and_trigger(r, f);
		reasons(r, f);
		box(r, f);
		dns_of(r, f->dns);
		page_of(r, f->page);
		row_text(r, "rate_form", f->rate != NULL ? rate_form_name[f->rate->form] : NULL);
		row_real_if(r, "rate_bps", f->rate != NULL, f->rate != NULL ? f->rate->rate_bps : 0);
		row_text(r, "summary", f->summary);
		row_text(r, "sentence", f->sentence);
		row_text(r, "refs", f->refs);
		if (!row_end(r))
			return r->error;
	}
	return 0;
}

/* Below a finding */

/* What table_below() calls for each finding that is shown. */
typedef void (*below_fn)(const struct tables *t, struct rows *r, const struct finding *f);

static int below(const struct tables *t, struct rows *r, below_fn fn)
{
	for (size_t i = 0; i < t->a->n_findings && r->error == 0; i++) {
		if (tables_shown(t->o, t->a->findings[i]))
			fn(t, r, t->a->findings[i]);
	}
	return r->error;
}

static const struct column evidence_columns[] = {
	{"finding", COLUMN_INTEGER, false}, {"kind", COLUMN_TEXT, false},
	{"grade", COLUMN_TEXT, false},	    {"counted", COLUMN_INTEGER, false},
	{"packet", COLUMN_INTEGER, false},  {"value", COLUMN_TEXT, true},
	{"expected", COLUMN_TEXT, true},
};

static void evidence_rows(const struct tables *t, struct rows *r, const struct finding *f)
{
	char grade[3] = "D0";

	(void)t;
	for (unsigned i = 0; i < f->n_rows && r->error == 0; i++) {
		const struct evidence_row *e = &f->rows[i];
		grade[1] = (char)('0' + grade_of(e));
		row_uint(r, "finding", f->number);
		row_text(r, "kind", e->kind);
		row_text(r, "grade", grade);
		row_uint(r, "counted", e->counted);
		row_uint_if(r, "packet", e->packet != 0, e->packet);
		row_bytes(r, "value", e->value, strlen(e->value));
		row_bytes(r, "expected", e->expected, strlen(e->expected));
		row_end(r);
	}
}

static int evidence_write(const struct tables *t, struct rows *r)
{
	return below(t, r, evidence_rows);
}

static const struct column packet_columns[] = {
	{"finding", COLUMN_INTEGER, false}, {"packet", COLUMN_INTEGER, false},
	{"pcap_filename", COLUMN_TEXT, true}, {"role", COLUMN_TEXT, false},
};

static void packet_row(struct rows *r, const struct finding *f, uint64_t frame, const char *file,
		       const char *role)
{
	row_uint(r, "finding", f->number);
	row_uint(r, "packet", frame);
	row_bytes(r, "pcap_filename", file, strlen(file));
	row_text(r, "role", role);
	row_end(r);
}

static void packet_rows(const struct tables *t, struct rows *r, const struct finding *f)
{
	const char *role = facts_role_name[facts_role(f)];

	/* What a wider finding names is in the findings that it stands on. */
	if (f->scope != SCOPE_FLOW)
		return;
	for (unsigned i = 0; i < f->n_packets && r->error == 0; i++) {
		uint32_t file = f->packet_files != NULL ? f->packet_files[i] : 0;
		packet_row(r, f, f->packets[i], facts_file(t->a, f->flow, file), role);
	}
	if (f->trigger_packet != 0)
		packet_row(r, f, f->trigger_packet, facts_file(t->a, f->flow, f->trigger_file),
			   "trigger");
}

static int packets_write(const struct tables *t, struct rows *r)
{
	return below(t, r, packet_rows);
}

static const struct column flow_columns[] = {
	{"finding", COLUMN_INTEGER, false}, {"flow_id", COLUMN_INTEGER, false},
	{"role", COLUMN_TEXT, false},
};

static void flow_rows(const struct tables *t, struct rows *r, const struct finding *f)
{
	(void)t;
	for (unsigned i = 0; i < f->n_flows + f->n_controls && r->error == 0; i++) {
		bool control = i >= f->n_flows;
		row_uint(r, "finding", f->number);
		row_uint(r, "flow_id", control ? f->controls[i - f->n_flows] : f->flows[i]);
		row_text(r, "role", control ? "control" : "flow");
		row_end(r);
	}
}

static int finding_flows_write(const struct tables *t, struct rows *r)
{
	return below(t, r, flow_rows);
}

static const struct column device_columns[] = {
	{"finding", COLUMN_INTEGER, false}, {"id", COLUMN_TEXT, false},
	{"grade", COLUMN_TEXT, false},	    {"mbx", COLUMN_TEXT, true},
	{"hops", COLUMN_INTEGER, false},    {"packets", COLUMN_TEXT, false},
	{"detail", COLUMN_TEXT, true},	    {"source", COLUMN_TEXT, false},
};

static void device_rows(const struct tables *t, struct rows *r, const struct finding *f)
{
	(void)t;
	for (unsigned i = 0; i < f->n_devices && r->error == 0; i++) {
		const struct device_match *d = &f->devices[i];
		row_uint(r, "finding", f->number);
		row_text(r, "id", d->id);
		row_text(r, "grade", attribution_name[d->grade]);
		row_text(r, "mbx", d->mbx);
		row_uint_if(r, "hops", d->hops >= 0, (uint64_t)d->hops);
		numbers(r, "packets", d->packets, d->n_packets);
		row_text(r, "detail", d->detail);
		row_text(r, "source", d->source);
		row_end(r);
	}
}

static int devices_write(const struct tables *t, struct rows *r)
{
	return below(t, r, device_rows);
}

const struct table table_findings = {.name = "findings", .file = true,
				     .columns = finding_columns, .n_columns = N(finding_columns),
				     .write = findings_write};
const struct table table_evidence = {.name = "evidence", .columns = evidence_columns,
				     .n_columns = N(evidence_columns), .write = evidence_write};
const struct table table_packets = {.name = "finding_packets", .columns = packet_columns,
				    .n_columns = N(packet_columns), .write = packets_write};
const struct table table_finding_flows = {.name = "finding_flows", .columns = flow_columns,
					  .n_columns = N(flow_columns),
					  .write = finding_flows_write};
const struct table table_devices = {.name = "devices", .columns = device_columns,
				    .n_columns = N(device_columns), .write = devices_write};
