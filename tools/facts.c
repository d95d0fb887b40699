/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/facts.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "classifiers/app/vpn.h"
#include "tools/command.h"
#include "tools/community_id.h"
#include "tools/digits.h"
#include "tools/audit/audit.h"
#include "tools/compare/compare.h"
#include "tools/study/study.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The proleptic Gregorian date of a day since 1970: years begin in March, so that leap days come last. */
static void date_of(uint64_t day, unsigned *year, unsigned *month, unsigned *of_month)
{
	day += 719468; /* from 0000-03-01 */
	unsigned era_day = (unsigned)(day % 146097);
	unsigned of_era = (era_day - era_day / 1460 + era_day / 36524 - era_day / 146096) / 365;
	unsigned of_year = era_day - (365 * of_era + of_era / 4 - of_era / 100);
	unsigned from_march = (5 * of_year + 2) / 153;

	*of_month = of_year - (153 * from_march + 2) / 5 + 1;
	*month = from_march < 10 ? from_march + 3 : from_march - 9;
	*year = of_era + (unsigned)(day / 146097) * 400 + (*month <= 2);
}

/* 2^64 ns end in the year 2554. */
const char *facts_time(uint64_t ts_ns, char out[FACTS_TIME_SIZE])
{
	uint64_t seconds = ts_ns / 1000000000;
	unsigned year, month, day, of_day = (unsigned)(seconds % 86400);
	char *at = out;

	date_of(seconds / 86400, &year, &month, &day);
	at = digits_pad(at, year, 4);
	*at++ = '-';
	at = digits_pad(at, month, 2);
	*at++ = '-';
	at = digits_pad(at, day, 2);
	*at++ = 'T';
	at = digits_pad(at, of_day / 3600, 2);
	*at++ = ':';
	at = digits_pad(at, of_day / 60 % 60, 2);
	*at++ = ':';
	at = digits_pad(at, of_day % 60, 2);
	*at++ = '.';
	at = digits_pad(at, ts_ns % 1000000000, 9);
	memcpy(at, "Z", 2);
	return out;
}

const char *facts_proto(uint8_t proto, char out[8])
{
	switch (proto) {
	case IPPROTO_TCP:
		return "TCP";
	case IPPROTO_UDP:
		return "UDP";
	case IPPROTO_ICMP:
		return "ICMP";
	case IPPROTO_ICMPV6:
		return "ICMPv6";
	}
	snprintf(out, 8, "%u", proto);
	return out;
}

const char *facts_stage(enum stage stage)
{
	return stage_name[stage == STAGE_PRE_SYNACK ? STAGE_POST_SYN : stage];
}

const char *facts_direction(enum dir dir)
{
	return dir == DIR_S2C ? "to_client" : "to_server";
}

const char *facts_tunnel(uint8_t tunnel)
{
	static const char *const names[] = {
		[TUNNEL_GRE] = "gre",     [TUNNEL_IPIP] = "ipip",     [TUNNEL_6IN4] = "6in4",
		[TUNNEL_VXLAN] = "vxlan", [TUNNEL_PPPOE] = "pppoe",   [TUNNEL_MPLS] = "mpls",
		[TUNNEL_IP6IP6] = "ip6ip6", [TUNNEL_4IN6] = "4in6",   [TUNNEL_GTP] = "gtp",
		[TUNNEL_GENEVE] = "geneve", [TUNNEL_ERSPAN] = "erspan",
	};

	return tunnel < COUNT(names) && names[tunnel] != NULL ? names[tunnel] : "unknown";
}

const char *facts_linktype(uint32_t linktype)
{
	static const struct {
		uint32_t linktype;
		const char *name;
	} names[] = {
		{LINKTYPE_NULL, "null"},           {LINKTYPE_ETHERNET, "ethernet"},
		{LINKTYPE_PPP, "ppp"},             {LINKTYPE_RAW_BSD, "raw"},
		{LINKTYPE_RAW_OPENBSD, "raw"},     {LINKTYPE_PPP_HDLC, "ppp_hdlc"},
		{LINKTYPE_PPP_ETHER, "pppoe"},     {LINKTYPE_RAW, "raw"},
		{LINKTYPE_C_HDLC, "c_hdlc"},       {LINKTYPE_LOOP, "loop"},
		{LINKTYPE_LINUX_SLL, "linux_sll"}, {LINKTYPE_PPI, "ppi"},
		{LINKTYPE_IPV4, "ipv4"},           {LINKTYPE_IPV6, "ipv6"},
		{LINKTYPE_LINUX_SLL2, "linux_sll2"},
	};

	for (size_t i = 0; i < COUNT(names); i++) {
		if (names[i].linktype == linktype)
			return names[i].name;
	}
	return NULL;
}

const char *facts_exit_status(unsigned status)
{
	static const char *const names[] = {
		[EXIT_DONE] = "done",   [EXIT_FINDINGS] = "findings", [EXIT_USAGE] = "usage",
		[EXIT_INPUT] = "input", [EXIT_IO] = "io",             [EXIT_PARTIAL] = "partial",
	};

	return status < COUNT(names) ? names[status] : "unknown";
}

bool facts_has_ports(const struct flow_record *f)
{
	return f->proto == IPPROTO_TCP || f->proto == IPPROTO_UDP || f->client_port != 0 ||
	       f->server_port != 0;
}

bool facts_several_files(const struct analysis *a)
{
	return a->n_captures > 1 || (a->n_captures == 1 && a->captures[0].n_files > 1);
}

uint32_t facts_home(const struct capture_result *c, const struct flow_record *f)
{
	/* An id counts all files of the run. */
	uint64_t file = (f->id >> 40) - c->first_input;

	return c->n_files > 1 && file < c->n_files ? (uint32_t)file : 0;
}

const char *facts_filename(const struct analysis *a, const struct flow_record *f)
{
	if (f->capture >= a->n_captures || a->captures[f->capture].n_files == 0)
		return "";
	const struct capture_result *c = &a->captures[f->capture];
	return c->files[facts_home(c, f)];
}

const char *facts_community_id(const struct flow_record *f, char out[32])
{
	/* Without its type an ICMP flow would get another flow's name. */
	bool icmp = f->proto == IPPROTO_ICMP || f->proto == IPPROTO_ICMPV6;

	out[0] = '\0';
	if (f->ip_version == 0 || (icmp && f->client_port == 0 && f->server_port == 0))
		return out;
	struct community_tuple t = {.src = f->client, .dst = f->server, .sport = f->client_port,
				    .dport = f->server_port, .ip_version = f->ip_version,
				    .proto = f->proto};
	(void)community_id(&t, out);
	return out;
}

const char *facts_file(const struct analysis *a, const struct flow_record *f, uint32_t file)
{
	const struct capture_result *c = f->capture < a->n_captures ? &a->captures[f->capture] : NULL;
	return c != NULL && c->n_files > 1 && file < c->n_files ? c->files[file]
								: facts_filename(a, f);
}

const char *facts_decisive_filename(const struct analysis *a, const struct finding *f)
{
	if (f->n_packets > 0 && f->packet_files != NULL)
		return facts_file(a, f->flow, f->packet_files[0]);
	if (f->n_packets == 0 && f->trigger_packet != 0)
		return facts_file(a, f->flow, f->trigger_file);
	return facts_filename(a, f->flow);
}

bool facts_rotated(const struct analysis *a, const struct finding *f)
{
	return f->flow->capture < a->n_captures && a->captures[f->flow->capture].n_files > 1;
}

uint64_t facts_decisive_frame(const struct finding *f)
{
	if (f->n_packets > 0)
		return f->packets[0];
	if (f->trigger_packet != 0)
		return f->trigger_packet;
	return f->flow != NULL ? f->flow->first_frame : 0;
}

const char *const facts_role_name[ROLE_N] = {
	[ROLE_INJECTED] = "injected",	  [ROLE_SUSPECT] = "suspect",
	[ROLE_UNANSWERED] = "unanswered", [ROLE_PAGE] = "page",
	[ROLE_DECISIVE] = "decisive",
};

enum facts_role facts_role(const struct finding *f)
{
	bool strong = f->verdict >= VERDICT_LIKELY;

	switch (f->family) {
	case FAMILY_SILENT_DROP:
		return ROLE_UNANSWERED;
	case FAMILY_QUIC_FILTERING:
		/* Towards the client there is an answer, which somebody gave. */
		if (f->direction == DIR_C2S)
			return ROLE_UNANSWERED;
		return strong ? ROLE_INJECTED : ROLE_SUSPECT;
	case FAMILY_HTTP_INJECTION:
		if (!f->injected)
			return ROLE_PAGE;
		return strong ? ROLE_INJECTED : ROLE_SUSPECT;
	case FAMILY_DNS_INJECTION:
		/* Of answers that are not told apart one is genuine. */
		strong = strong && (f->dns == NULL || f->dns->told_apart);
		return strong ? ROLE_INJECTED : ROLE_SUSPECT;
	case FAMILY_VPN_INTERFERENCE:
		if (f->n_injectors == 0)
			return ROLE_UNANSWERED;
		return strong ? ROLE_INJECTED : ROLE_SUSPECT;
	case FAMILY_TCP_INJECTION:
	case FAMILY_TLS_FILTERING:
		return strong ? ROLE_INJECTED : ROLE_SUSPECT;
	default:
		return ROLE_DECISIVE;
	}
}

static int by_text(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

size_t facts_filtered_names(const struct study *s, const char ***out)
{
	size_t n = 0, distinct = 0;

	*out = NULL;
	for (size_t i = 0; s != NULL && i < s->n_names; i++)
		n += s->names[i].filtered;
	if (n == 0 || (*out = malloc(n * sizeof(**out))) == NULL)
		return 0;
	n = 0;
	for (size_t i = 0; i < s->n_names; i++)
		if (s->names[i].filtered)
			(*out)[n++] = s->names[i].name;
	qsort(*out, n, sizeof(**out), by_text);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || strcmp((*out)[i], (*out)[distinct - 1]) != 0)
			(*out)[distinct++] = (*out)[i];
	return distinct;
}

/* Both captures of a path have a conversation: what is said of either half is said of one. */
static bool same_connection(const struct finding *a, const struct finding *b)
{
	if (a->compare != NULL && b->compare != NULL)
		return a->compare->conversation == b->compare->conversation;
	return a->flow == b->flow;
}

void facts_tally(const struct analysis *a, const struct report_options *o, struct facts_tally *out)
{
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < a->n_captures; i++) {
		const struct capture_result *c = &a->captures[i];
		out->packets += c->stats.source.received;
		uint64_t flows = 0;
		for (unsigned v = 0; v < COUNT(c->inspector.flows); v++)
			flows += c->inspector.flows[v];
		out->flows += flows != 0 ? flows : c->stats.flows.created;
	}
	if (o->comparison != NULL) {
		uint64_t both, lone, elsewhere;
		comparison_links(o->comparison, &both, &lone, &elsewhere);
		out->flows = both + lone + elsewhere;
	}
	const char **names;
	out->names = facts_filtered_names(o->study, &names);
	free(names);
	if (o->audit != NULL)
		out->flows = o->audit->conversations;
	size_t twins = o->study != NULL ? o->study->n_twins : 0;
	out->connections = out->flows - (twins < out->flows ? twins : out->flows);
	for (size_t i = 0; i < a->n_findings;) {
		/* A flow's findings stand side by side. */
		const struct finding *first = a->findings[i];
		enum verdict worst = VERDICT_NONE;
		do {
			const struct finding *f = a->findings[i];
			out->findings_by[f->verdict]++;
			out->families[f->family]++;
			out->hidden += f->verdict < o->min_verdict;
			bool one = f->scope == SCOPE_FLOW;
			worst = one && f->verdict > worst ? f->verdict : worst;
			i++;
		} while (i < a->n_findings && same_connection(a->findings[i], first) &&
			 a->findings[i]->scope == SCOPE_FLOW);
		out->flows_by[worst] += worst != VERDICT_NONE;
		bool twin = twins != 0 && first->flow != NULL && study_is_twin(o->study, first->flow->id);
		out->connections_by[worst] += worst != VERDICT_NONE && !twin;
	}
}

uint64_t facts_dropped(const struct capture_result *c, bool *known)
{
	uint64_t sum = 0;

	*known = false;
	for (unsigned i = 0; i < c->stats.source.n_ifaces; i++) {
		if (c->stats.source.ifaces[i].dropped != UINT64_MAX) {
			*known = true;
			sum += c->stats.source.ifaces[i].dropped;
		}
	}
	return sum;
}

static void note(struct facts_notes *out, bool when, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void note(struct facts_notes *out, bool when, const char *fmt, ...)
{
	va_list ap;

	if (!when || out->n == FACTS_NOTES_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(out->text[out->n++], sizeof(out->text[0]), fmt, ap);
	va_end(ap);
}

bool facts_unread(const struct capture_result *c)
{
	const struct source_stats *s = &c->stats.source;

	return s->received > 0 && c->stats.decoder.ends[DECODE_LINKTYPE] == s->received;
}

uint64_t facts_unexamined(const struct capture_result *c)
{
	return c->inspector.no_memory + c->stats.no_memory;
}

#define ONE_MOMENT 16 /* packets: no link brings more within a clock's tick */

/* How the capture was taken. */
static void notes_of_capture(const struct capture_result *c, struct facts_notes *out)
{
	const struct source_stats *s = &c->stats.source;
	bool known;
	uint64_t dropped = facts_dropped(c, &known);

	note(out, s->received == 0, "the capture holds no packets that could be examined");
	note(out, c->stats.decoder.ends[DECODE_LINKTYPE] > 0,
	     "packets of a link type that is not read: %" PRIu64 "; nothing is known of them",
	     c->stats.decoder.ends[DECODE_LINKTYPE]);
	note(out, c->vantage == VANTAGE_ONE_SIDED,
	     "only one direction of the connections was captured: an answer that is not there "
	     "proves nothing, and races between forged and genuine packets are only half visible");
	note(out, c->vantage == VANTAGE_UNKNOWN && s->received > 0,
	     "it is not known where the capture was taken: round-trip times and TTLs could not be "
	     "tied to the client's or the server's side (--vantage can say)");
	note(out, dropped > 0,
	     "packets lost by the capturing system: %" PRIu64
	     "; a packet that is not in the capture may still have been sent, so missing "
	     "answers are inconclusive",
	     dropped);
	note(out, s->truncated > 0,
	     "packets cut short by the capture: %" PRIu64
	     "; names in them may be missing, and their payload could not be compared in full",
	     s->truncated);
	note(out, s->filtered > 0, "packets left out by the filter expression: %" PRIu64,
	     s->filtered);
	note(out, s->unfiltered > 0,
	     "packets of a link type that the filter expression cannot test, analysed all the "
	     "same: %" PRIu64,
	     s->unfiltered);
	note(out, s->shunted > 0,
	     "packets in the middle of long connections that were counted in the kernel and not read "
	     "(--shunt): %" PRIu64, s->shunted);
	note(out, c->stats.decoder.tunnel_closed > 0,
	     "packets in tunnels that were not opened (encrypted, of a protocol that is not read, or "
	     "nested too deep): %" PRIu64 "; what they carry was not examined",
	     c->stats.decoder.tunnel_closed);
	note(out, c->no_throttling, "throttling was not looked for (--no-throttling)");
	note(out, s->received > ONE_MOMENT && c->stats.first_ns == c->stats.last_ns,
	     "all packets have one time, as of a capture that keeps none: what came before what is all "
	     "that can be told");
	note(out, c->partial, "the capture was not read to its end: what came later is unknown");
}

/* What the packets show of it. */
static void notes_of_packets(const struct capture_result *c, struct facts_notes *out)
{
	const struct pipeline_stats *s = &c->stats;
	const struct inspector_stats *i = &c->inspector;

	note(out, i->gaps > 0,
	     "acknowledged bytes that the capture does not hold, in %" PRIu64
	     " places: packets are missing, and absence was not taken as evidence there",
	     i->gaps);
	note(out, i->duplicate_frames > 0,
	     "frames captured twice, as by a mirror port that shows them entering and leaving: "
	     "%" PRIu64 "; the copies were not counted as evidence", i->duplicate_frames);
	note(out, i->tso_segments > 0,
	     "segments larger than the network carries, captured before the card split them: "
	     "%" PRIu64 "; sizes and checksums of that end's packets say nothing", i->tso_segments);
	note(out, s->time_backwards > 0 || s->time_jump > 0,
	     "packets stamped before the one ahead of them: %" PRIu64
	     ", more than an hour after it: %" PRIu64 "; time differences there are not sure",
	     s->time_backwards, s->time_jump);
	note(out, s->flows.midstream > 0,
	     "connections whose handshake was not seen, under way when the capture began: %" PRIu64,
	     s->flows.midstream);
	note(out, i->events_dropped > 0,
	     "packets in the middle of long connections, counted but not kept as evidence: "
	     "%" PRIu64,
	     i->events_dropped);
	note(out, i->reassembly_refused > 0 || facts_unexamined(c) > 0,
	     "memory limits were reached: streams not reassembled: %" PRIu64
	     ", packets not examined: %" PRIu64,
	     i->reassembly_refused, facts_unexamined(c));
	note(out, i->not_judged > 0,
	     "connections and queries that looked touched and were not judged, because memory for "
	     "findings was full (capture --memory): %" PRIu64 "; they are in no finding and no number",
	     i->not_judged);
	note(out, i->not_kept > 0,
	     "connections that only others could have accused, not judged because memory for such was "
	     "full: %" PRIu64, i->not_kept);
	note(out, i->attempts_dropped > 0,
	     "connections and queries left out of the comparison of names, for memory: %" PRIu64,
	     i->attempts_dropped);
	note(out, i->hosts_refused > 0,
	     "what one connection says of a host was not kept for the others, for memory: %" PRIu64
	     " times", i->hosts_refused);
	note(out, i->not_listed > 0,
	     "connections without a finding that the list of all connections lacks, for memory "
	     "(capture --memory): %" PRIu64, i->not_listed);
	note(out, s->flows.ended[FLOW_END_EVICTED] > 0,
	     "connections closed early because the flow table was full: %" PRIu64,
	     s->flows.ended[FLOW_END_EVICTED]);
}

void facts_notes(const struct capture_result *c, struct facts_notes *out)
{
	memset(out, 0, sizeof(*out));
	notes_of_capture(c, out);
	notes_of_packets(c, out);
}

/* What nDPI calls these protocols where its name is another one. */
static const char *const ndpi_alias[VPN_N][2] = {
	[VPN_IKE] = {"IPsec", "ISAKMP"},
	[VPN_ESP] = {"IPsec", "ISAKMP"},
	[VPN_DTLS] = {"CiscoVPN", "STUN"}, /* the latter went before */
	[VPN_SSTP] = {"HTTP", "HTTP"},
	[VPN_PPTP] = {"GRE", "GRE"},
};

static bool ndpi_says(const struct label *l, const char *name)
{
	size_t n = strcspn(l->app, ".");
	return name != NULL && strlen(name) == n && strncasecmp(name, l->app, n) == 0;
}

/* A label by nDPI that is more than a guess; NULL: none. */
static const struct label *ndpi_label(const struct flow_record *f)
{
	for (unsigned i = 0; i < f->n_labels; i++)
		if (strcmp(f->labels[i].by, "ndpi") == 0 &&
		    strncmp(f->labels[i].confidence, "dpi", 3) == 0)
			return &f->labels[i];
	return NULL;
}

bool facts_is_disputed(const struct flow_record *f)
{
	const struct label *l = ndpi_label(f);
	unsigned proto = f->vpn != NULL ? f->vpn->proto : VPN_NONE;
	return l != NULL && proto != VPN_NONE && !ndpi_says(l, vpn_label_name[proto]) &&
	       !ndpi_says(l, ndpi_alias[proto][0]) && !ndpi_says(l, ndpi_alias[proto][1]) &&
	       !ndpi_says(l, "Unknown");
}

const char *facts_dispute(const struct flow_record *f)
{
	const struct label *l = ndpi_label(f);
	if (facts_is_disputed(f))
		return "nDPI and wmscope's own reader disagree";
	if (l == NULL || (f->vpn != NULL && f->vpn->proto != VPN_NONE))
		return NULL;
	for (unsigned k = VPN_NONE + 1; k < VPN_N; k++)
		if (ndpi_says(l, vpn_label_name[k]))
			return "wmscope's own reader does not see that";
	return NULL;
}
