/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * One event a line for machines; tools/schema.json says what may be in it. Keys come in a fixed
 * order, and reports only ever gain keys.
 */

#include <errno.h>
#include <string.h>

#include "tools/facts.h"
#include "tools/json.h"
#include "tools/report_jsonl.h"

void jsonl_time(struct json *j, const char *key, uint64_t ts_ns)
{
	char text[FACTS_TIME_SIZE];

	json_string(j, key, facts_time(ts_ns, text));
}

void jsonl_strings(struct json *j, const char *key, const char *const *list, unsigned n)
{
	json_array(j, key);
	for (unsigned i = 0; i < n; i++)
		json_string(j, NULL, list[i]);
	json_end(j);
}

/* A frame of a timeline of several files says nothing without the one that it is in. */
static void file_of_frame(struct json *j, const struct analysis *a, const struct finding *f,
			  uint64_t frame, uint32_t file)
{
	if (frame != 0 && facts_rotated(a, f))
		json_string(j, "pcap_filename", facts_file(a, f->flow, file));
}

static void frame_or_null(struct json *j, const char *key, uint64_t frame)
{
	if (frame != 0)
		json_uint(j, key, frame);
	else
		json_null(j, key);
}

static void place(struct json *j, const struct geo_place *p, const char *const keys[3])
{
	if (p == NULL)
		return;
	if (p->asn != 0)
		json_uint(j, keys[0], p->asn);
	if (p->org[0] != '\0')
		json_bytes(j, keys[1], p->org, strlen(p->org));
	if (p->country[0] != '\0')
		json_string(j, keys[2], p->country);
}

static void places(struct json *j, const struct flow_record *f)
{
	static const char *const src[] = {"src_asn", "src_as_org", "src_country"};
	static const char *const dest[] = {"dest_asn", "dest_as_org", "dest_country"};

	place(j, f->client_at, src);
	place(j, f->server_at, dest);
}

/*
 * What flow and finding events have in common, up to community_id. event NULL: a finding over several
 * flows, of which f is the first.
 */
static void common(struct json *j, const struct analysis *a, const struct flow_record *f,
		   const char *event, uint64_t ts_ns, uint64_t frame, const char *file)
{
	char addr[64], proto[8], id[32];

	json_uint(j, "schema", 1);
	json_string(j, "event_type", event != NULL ? event : "finding");
	jsonl_time(j, "timestamp", ts_ns);
	if (event != NULL)
		json_id(j, "flow_id", f->id);
	json_uint(j, "pcap_cnt", frame);
	if (facts_several_files(a))
		json_string(j, "pcap_filename", file);
	if (f->ip_version != 0) {
		json_string(j, "src_ip",
			    ip_addr_format(&f->client, f->ip_version, addr, sizeof(addr)));
		if (facts_has_ports(f) && event != NULL)
			json_uint(j, "src_port", f->client_port);
		json_string(j, "dest_ip",
			    ip_addr_format(&f->server, f->ip_version, addr, sizeof(addr)));
		if (facts_has_ports(f) && event != NULL)
			json_uint(j, "dest_port", f->server_port);
	}
	json_string(j, "proto", facts_proto(f->proto, proto));
	/* Of a finding over several flows the rest is in them. */
	if (event == NULL)
		return;
	if (f->n_vlans > 0) {
		json_array(j, "vlan");
		for (unsigned i = 0; i < f->n_vlans && i < 2; i++)
			json_uint(j, NULL, f->vlan[i]);
		json_end(j);
	}
	if (f->n_tunnels > 0) {
		json_array(j, "tunnels");
		for (unsigned i = 0; i < f->n_tunnels && i < TUNNELS_MAX; i++)
			json_string(j, NULL, facts_tunnel(f->tunnels[i]));
		json_end(j);
	}
	if (facts_community_id(f, id)[0] != '\0')
		json_string(j, "community_id", id);
	places(j, f);
}

static void labels(struct json *j, const struct flow_record *f)
{
	json_array(j, "labels");
	for (unsigned i = 0; i < f->n_labels; i++) {
		const struct label *l = &f->labels[i];
		if (l->by == NULL)
			continue;
		json_object(j, NULL);
		json_string(j, "by", l->by);
		json_string(j, "app", l->app);
		json_string(j, "category", l->category);
		json_string(j, "confidence", l->confidence);
		if (l->risk != 0) {
			json_id(j, "risk", l->risk);
			json_string(j, "risks", l->risks);
		}
		if (l->rule != NULL)
			jsonl_rule(j, l->rule);
		json_end(j);
	}
	json_end(j);
}

static void flow_event(struct json *j, const struct analysis *a, const struct flow_record *f)
{
	json_object(j, NULL);
	common(j, a, f, "flow", f->first_ns, f->first_frame, facts_filename(a, f));
	json_string(j, "app_proto", f->app_proto != NULL ? f->app_proto : "unknown");
	json_object(j, "flow");
	json_uint(j, "pkts_toserver", f->pkts[DIR_C2S]);
	json_uint(j, "pkts_toclient", f->pkts[DIR_S2C]);
	json_uint(j, "bytes_toserver", f->bytes[DIR_C2S]);
	json_uint(j, "bytes_toclient", f->bytes[DIR_S2C]);
	jsonl_time(j, "start", f->first_ns);
	jsonl_time(j, "end", f->last_ns);
	json_string(j, "state", f->state < FLOW_N_STATES ? flow_state_name[f->state] : NULL);
	json_string(j, "reason", f->end < FLOW_END_N ? flow_end_name[f->end] : NULL);
	json_string(j, "history", f->history);
	json_string(j, "stage", facts_stage(f->stage));
	json_string(j, "worst", verdict_name[f->worst]);
	json_end(j);
	jsonl_goodput(j, f->goodput);
	labels(j, f);
	jsonl_app(j, f);
	json_end(j);
}

static void evidence(struct json *j, const struct analysis *a, const struct finding *f)
{
	char grade[3] = "D0";

	json_array(j, "evidence");
	for (unsigned i = 0; i < f->n_rows; i++) {
		const struct evidence_row *r = &f->rows[i];
		json_object(j, NULL);
		json_string(j, "kind", r->kind);
		/* An ungraded row counts as the weakest. */
		grade[1] =
			(char)('0' + (r->grade >= GRADE_D1 && r->grade <= GRADE_D4 ? r->grade : 1));
		json_string(j, "grade", grade);
		frame_or_null(j, "packet", r->packet);
		file_of_frame(j, a, f, r->packet, r->packet_file);
		json_bytes(j, "value", r->value, strlen(r->value));
		json_bytes(j, "expected", r->expected, strlen(r->expected));
		json_bool(j, "counted", r->counted);
		json_end(j);
	}
	json_end(j);
	json_array(j, "not_testable");
	for (unsigned i = 0; i < f->n_untestable; i++) {
		json_object(j, NULL);
		json_string(j, "kind", f->untestable[i].kind);
		json_string(j, "why", f->untestable[i].why);
		json_end(j);
	}
	json_end(j);
}

static void packets(struct json *j, const uint64_t *list, unsigned n)
{
	json_array(j, "packets");
	for (unsigned i = 0; i < n; i++)
		json_uint(j, NULL, list[i]);
	json_end(j);
}

static void hops_or_null(struct json *j, int hops)
{
	if (hops >= 0)
		json_uint(j, "hops", (uint64_t)hops);
	else
		json_null(j, "hops");
}

/*
 * A connection that goes on in the next file of one timeline: which file each packet is in, where not
 * all are in the one that the finding names.
 */
static void packet_filenames(struct json *j, const struct analysis *a, const struct finding *f,
			     const uint32_t files[], unsigned n)
{
	const struct capture_result *c = &a->captures[f->flow->capture];
	uint32_t home = facts_home(c, f->flow);
	bool elsewhere = false;
	for (unsigned i = 0; files != NULL && i < n; i++)
		elsewhere |= files[i] != home;
	if (!elsewhere)
		return;
	json_array(j, "packet_filenames");
	for (unsigned i = 0; i < n; i++)
		json_string(j, NULL, files[i] < c->n_files ? c->files[files[i]] : "");
	json_end(j);
}

static void device(struct json *j, const char *key, const struct analysis *a,
		   const struct finding *f, const struct device_match *d)
{
	json_object(j, key);
	json_string(j, "id", d->id);
	json_string(j, "grade", attribution_name[d->grade]);
	json_string(j, "mbx", d->mbx);
	hops_or_null(j, d->hops);
	packets(j, d->packets, d->n_packets);
	packet_filenames(j, a, f, d->packet_files, d->n_packets);
	json_string(j, "detail", d->detail);
	json_string(j, "source", d->source);
	json_end(j);
}

/* The best first, so that `device` is the first of `devices`. */
static void devices(struct json *j, const struct analysis *a, const struct finding *f)
{
	if (f->n_devices > 0)
		device(j, "device", a, f, &f->devices[0]);
	else
		json_null(j, "device");
	json_array(j, "devices");
	for (unsigned i = 0; i < f->n_devices; i++)
		device(j, NULL, a, f, &f->devices[i]);
	json_end(j);
}

/* What stamped the packets, known or not. */
static void injectors(struct json *j, const struct analysis *a, const struct finding *f)
{
	if (f->n_injectors > 0)
		json_string(j, "mbx", f->injectors[0].mbx);
	else
		json_null(j, "mbx");
	hops_or_null(j, f->n_devices > 0 ? f->devices[0].hops : -1);
	json_array(j, "injectors");
	for (unsigned i = 0; i < f->n_injectors; i++) {
		json_object(j, NULL);
		json_string(j, "mbx", f->injectors[i].mbx);
		packets(j, f->injectors[i].packets, f->injectors[i].n_packets);
		packet_filenames(j, a, f, f->injectors[i].packet_files, f->injectors[i].n_packets);
		json_end(j);
	}
	json_end(j);
}

static void ladder(struct json *j, const struct analysis *a, const struct finding *f)
{
	json_array(j, "ladder");
	for (unsigned i = 0; i < f->n_ladder; i++) {
		const struct ladder_packet *p = &f->ladder[i];
		json_object(j, NULL);
		json_uint(j, "packet", p->frame);
		file_of_frame(j, a, f, p->frame, p->file);
		jsonl_time(j, "timestamp", p->ts_ns);
		json_string(j, "direction", facts_direction(p->dir == DIR_C2S ? DIR_C2S : DIR_S2C));
		json_bool(j, "forged", p->forged);
		json_bool(j, "skipped_before", p->skipped_before);
		json_bool(j, "icmp", p->icmp);
		json_uint(j, "flags", p->flags);
		json_uint(j, "seq", p->seq);
		json_uint(j, "ack", p->ack);
		json_uint(j, "len", p->len);
		json_uint(j, "ttl", p->ttl);
		json_uint(j, "ip_id", p->ip_id);
		json_uint(j, "window", p->window);
		json_bool(j, "df", p->df);
		json_bool(j, "tcp_timestamp", p->has_ts);
		json_bytes(j, "note", p->note, strlen(p->note));
		json_end(j);
	}
	json_end(j);
}

static void trigger(struct json *j, const struct analysis *a, const struct finding *f)
{
	json_object(j, "trigger");
	json_string(j, "kind", trigger_name[f->trigger]);
	if (f->trigger != TRIGGER_NONE)
		json_bytes(j, "value", f->trigger_value,
			   strlen(f->trigger_value));
	else
		json_null(j, "value");
	frame_or_null(j, "packet", f->trigger_packet);
	file_of_frame(j, a, f, f->trigger_packet, f->trigger_file);
	json_end(j);
}

static void finding_event(struct json *j, const struct analysis *a, const struct finding *f)
{
	json_object(j, NULL);
	common(j, a, f->flow, f->scope == SCOPE_FLOW ? "finding" : NULL, f->ts_ns,
	       facts_decisive_frame(f), facts_decisive_filename(a, f));
	json_object(j, "finding");
	json_uint(j, "number", f->number);
	json_string(j, "id", f->id);
	json_string(j, "family", family_name[f->family]);
	jsonl_scope(j, f);
	json_string(j, "verdict", verdict_name[f->verdict]);
	json_number(j, "score", f->score);
	json_string(j, "stage", facts_stage(f->stage));
	json_string(j, "direction", facts_direction(f->direction));
	packets(j, f->packets, f->n_packets);
	if (facts_several_files(a))
		json_string(j, "pcap_filename", facts_filename(a, f->flow));
	packet_filenames(j, a, f, f->packet_files, f->n_packets);
	trigger(j, a, f);
	evidence(j, a, f);
	if (f->dns != NULL)
		jsonl_dns(j, f->dns);
	jsonl_rate(j, f->rate);
	jsonl_strings(j, "benign", f->benign, f->n_benign);
	json_string(j, "conditional", f->conditional != NULL ? f->conditional : "untested");
	json_array(j, "controls");
	for (unsigned i = 0; i < f->n_controls; i++)
		json_id(j, NULL, f->controls[i]);
	json_end(j);
	devices(j, a, f);
	jsonl_strings(j, "ruled_out", f->ruled_out, f->n_ruled_out);
	json_string(j, "summary", f->summary);
	json_bytes(j, "sentence", f->sentence, strlen(f->sentence));
	json_string(j, "refs", f->refs);
	if (f->reaction_ms >= 0)
		json_number(j, "reaction_ms", f->reaction_ms);
	else
		json_null(j, "reaction_ms");
	ladder(j, a, f);
	injectors(j, a, f);
	jsonl_page(j, f->page);
	json_bool(j, "injected", f->injected);
	jsonl_compare_note(j, f->compare);
	json_end(j);
	json_end(j);
}

/* The findings of one flow from index at on; returns the index after them. */
static size_t findings_of(struct json *j, const struct analysis *a, const struct report_options *o,
			  size_t at, const struct flow_record *flow, bool loose)
{
	for (; at < a->n_findings && a->findings[at]->flow == flow &&
	       (a->findings[at]->scope == SCOPE_FLOW || loose);
	     at++) {
		if (a->findings[at]->verdict >= o->min_verdict)
			finding_event(j, a, a->findings[at]);
	}
	return at;
}

static bool any_shown(const struct analysis *a, const struct report_options *o, size_t at,
		      const struct flow_record *flow)
{
	for (; at < a->n_findings && a->findings[at]->flow == flow; at++) {
		if (a->findings[at]->verdict >= o->min_verdict)
			return true;
	}
	return false;
}

static int jsonl_write(const struct analysis *a, const struct report_options *o, FILE *out)
{
	struct json j;
	size_t at = 0;

	json_start(&j, out);
	jsonl_run(&j, a, o);
	for (size_t i = 0; i < a->n_flows; i++) {
		const struct flow_record *f = a->flows[i];
		if (a->all_flows || any_shown(a, o, at, f))
			flow_event(&j, a, f);
		at = findings_of(&j, a, o, at, f, false);
	}
	/* Those of a wider scope, and any whose flow has no record of its own in the list. */
	while (at < a->n_findings)
		at = findings_of(&j, a, o, at, a->findings[at]->flow, true);
	jsonl_study(&j, o->study);
	errno = 0;
	if (fflush(out) != 0 || ferror(out))
		return errno != 0 ? -errno : -EIO;
	return 0;
}

const struct report report_jsonl = {
	.name = "jsonl",
	.doc = "JSON Lines: one event a line (run, flow, finding), for machines",
	.write = jsonl_write,
};
