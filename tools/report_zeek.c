/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * conn.log as Zeek writes it (tab separated, its fields, its words), and interference.log beside it: what
 * reads Zeek's logs joins the two by uid. Unset is what this analysis does not count: bytes of TCP
 * payload and gaps. Times of opening and closing are the packets', so that a log is the same each time.
 */

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tools/facts.h"
#include "tools/folder.h"
#include "tools/tables.h"
#include "tools/zeek.h"

static const char *const conn_fields[][2] = {
	{"ts", "time"},		     {"uid", "string"},	       {"id.orig_h", "addr"},
	{"id.orig_p", "port"},	     {"id.resp_h", "addr"},    {"id.resp_p", "port"},
	{"proto", "enum"},	     {"service", "string"},    {"duration", "interval"},
	{"orig_bytes", "count"},     {"resp_bytes", "count"},  {"conn_state", "string"},
	{"local_orig", "bool"},	     {"local_resp", "bool"},   {"missed_bytes", "count"},
	{"history", "string"},	     {"orig_pkts", "count"},   {"orig_ip_bytes", "count"},
	{"resp_pkts", "count"},	     {"resp_ip_bytes", "count"}, {"tunnel_parents", "set[string]"},
	{"community_id", "string"},  {NULL, NULL},
};

static const char *const interference_fields[][2] = {
	{"ts", "time"},		       {"uid", "string"},	    {"id.orig_h", "addr"},
	{"id.orig_p", "port"},	       {"id.resp_h", "addr"},	    {"id.resp_p", "port"},
	{"proto", "enum"},	       {"finding", "string"},	    {"family", "string"},
	{"verdict", "string"},	       {"score", "double"},	    {"stage", "string"},
	{"direction", "string"},       {"packets", "vector[count]"}, {"trigger_kind", "string"},
	{"trigger_value", "string"},   {"trigger_packet", "count"}, {"device", "string"},
	{"mbx", "string"},	       {NULL, NULL},
};

/* Zeek's ASCII writer: what cannot be printed, the backslash and what stands for no value as \xNN. */
static void text(FILE *out, const char *s, size_t len)
{
	bool reserved = (len == 1 && s[0] == '-') || (len == 7 && memcmp(s, "(empty)", 7) == 0);

	putc('\t', out);
	if (len == 0)
		fputs("(empty)", out);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		if (c < 0x20 || c > 0x7e || c == '\\' || (i == 0 && reserved))
			fprintf(out, "\\x%02x", c);
		else
			putc(c, out);
	}
}

static void word(FILE *out, const char *s)
{
	if (s == NULL)
		fputs("\t-", out);
	else
		text(out, s, strlen(s));
}

static void seconds(FILE *out, uint64_t ns)
{
	fprintf(out, "%" PRIu64 ".%06" PRIu64, ns / 1000000000, ns % 1000000000 / 1000);
}

/* Of the captures' packets; 0 without any. */
static uint64_t time_of(const struct analysis *a, bool last)
{
	uint64_t at = 0;

	for (unsigned i = 0; i < a->n_captures; i++) {
		const struct pipeline_stats *s = &a->captures[i].stats;
		uint64_t t = last ? s->last_ns : s->first_ns;
		if (s->source.received != 0 && (at == 0 || (last ? t > at : t < at)))
			at = t;
	}
	return at;
}

static void clock_line(FILE *out, const char *what, uint64_t ns)
{
	time_t at = (time_t)(ns / 1000000000);
	struct tm tm;
	char line[32] = "";

	if (gmtime_r(&at, &tm) != NULL)
		strftime(line, sizeof(line), "%Y-%m-%d-%H-%M-%S", &tm);
	fprintf(out, "#%s\t%s\n", what, line);
}

static void head(FILE *out, const char *path, const char *const fields[][2], uint64_t opened)
{
	fprintf(out,
		"#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n"
		"#path\t%s\n",
		path);
	clock_line(out, "open", opened);
	for (unsigned k = 0; k < 2; k++) {
		fputs(k == 0 ? "#fields" : "#types", out);
		for (unsigned i = 0; fields[i][0] != NULL; i++)
			fprintf(out, "\t%s", fields[i][k]);
		putc('\n', out);
	}
}

/* ts to proto. */
static void ends(FILE *out, const struct flow_record *f, uint64_t ts_ns)
{
	char uid[ZEEK_UID_SIZE], addr[64];

	seconds(out, ts_ns);
	fprintf(out, "\t%s", zeek_uid(f, uid));
	fprintf(out, "\t%s\t%u",
		ip_addr_format(&f->client, f->ip_version, addr, sizeof(addr)), f->client_port);
	fprintf(out, "\t%s\t%u",
		ip_addr_format(&f->server, f->ip_version, addr, sizeof(addr)), f->server_port);
	fprintf(out, "\t%s", f->proto == IPPROTO_TCP   ? "tcp"
			     : f->proto == IPPROTO_UDP ? "udp"
			     : f->proto == IPPROTO_ICMP || f->proto == IPPROTO_ICMPV6
				     ? "icmp"
				     : "unknown_transport");
}

/* UDP's payload is what IP and UDP headers leave; options of IP, which are rare, count with it. */
static void payload(FILE *out, const struct flow_record *f, enum dir dir)
{
	uint64_t headers = f->pkts[dir] * ((f->ip_version == 6 ? 40 : 20) + 8);

	if (f->proto == IPPROTO_UDP && f->bytes[dir] >= headers)
		fprintf(out, "\t%" PRIu64, f->bytes[dir] - headers);
	else
		fputs("\t-", out);
}

static void connection(FILE *out, const struct flow_record *f)
{
	bool icmp = f->proto == IPPROTO_ICMP || f->proto == IPPROTO_ICMPV6;
	char id[32];

	ends(out, f, f->first_ns);
	word(out, zeek_service(f));
	/* Of one packet there is no duration. */
	if (f->pkts[0] + f->pkts[1] > 1) {
		putc('\t', out);
		seconds(out, f->last_ns - f->first_ns);
	} else {
		fputs("\t-", out);
	}
	payload(out, f, DIR_C2S);
	payload(out, f, DIR_S2C);
	word(out, zeek_conn_state(f));
	fputs("\t-\t-\t-", out);
	word(out, icmp || f->history[0] == '\0' ? NULL : f->history);
	fprintf(out, "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t-", f->pkts[DIR_C2S],
		f->bytes[DIR_C2S], f->pkts[DIR_S2C], f->bytes[DIR_S2C]);
	word(out, facts_community_id(f, id)[0] != '\0' ? id : NULL);
	putc('\n', out);
}

static void finding(FILE *out, const struct finding *f)
{
	ends(out, f->flow, f->ts_ns);
	word(out, f->id);
	word(out, family_name[f->family]);
	word(out, verdict_name[f->verdict]);
	putc('\t', out);
	uint64_t millionths = f->score > 0 && f->score < 1e9 ? (uint64_t)(f->score * 1e6 + 0.5) : 0;
	fprintf(out, "%" PRIu64 ".%06" PRIu64, millionths / 1000000, millionths % 1000000);
	word(out, facts_stage(f->stage));
	word(out, facts_direction(f->direction));
	fputs(f->n_packets == 0 ? "\t(empty)" : "\t", out);
	for (unsigned i = 0; i < f->n_packets; i++)
		fprintf(out, "%s%" PRIu64, i != 0 ? "," : "", f->packets[i]);
	word(out, trigger_name[f->trigger]);
	if (f->trigger != TRIGGER_NONE)
		text(out, f->trigger_value, strlen(f->trigger_value));
	else
		fputs("\t-", out);
	if (f->trigger_packet != 0)
		fprintf(out, "\t%" PRIu64, f->trigger_packet);
	else
		fputs("\t-", out);
	word(out, f->n_devices != 0 ? f->devices[0].id : NULL);
	word(out, f->n_injectors != 0 && f->injectors[0].mbx[0] != '\0' ? f->injectors[0].mbx : NULL);
	putc('\n', out);
}

static int tail(struct folder_file *f, const struct analysis *a)
{
	clock_line(f->out, "close", time_of(a, true));
	return folder_file_close(f, 0);
}

static int zeek_write(const struct analysis *a, const struct report_options *o, const char *dir)
{
	struct folder_file f;
	int err = folder_file_open(&f, dir, "conn.log");

	if (err != 0)
		return err;
	head(f.out, "conn", conn_fields, time_of(a, false));
	for (size_t i = 0; i < a->n_flows; i++)
		if (a->flows[i]->ip_version != 0)
			connection(f.out, a->flows[i]);
	err = tail(&f, a);
	if (err == 0)
		err = folder_file_open(&f, dir, "interference.log");
	if (err != 0)
		return err;
	head(f.out, "interference", interference_fields, time_of(a, false));
	/* A finding over several connections has not one uid; those that it stands on are here. */
	for (size_t i = 0; i < a->n_findings; i++)
		if (tables_shown(o, a->findings[i]) && a->findings[i]->scope == SCOPE_FLOW &&
		    a->findings[i]->flow->ip_version != 0)
			finding(f.out, a->findings[i]);
	return tail(&f, a);
}

extern const struct report report_zeek;
const struct report report_zeek = {
	.name = "zeek",
	.doc = "Zeek's conn.log, and interference.log with the findings, in a folder",
	.write_folder = zeek_write,
};
