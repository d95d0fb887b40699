/* SPDX-License-Identifier: BSD-3-Clause */

/* A finding in words: one sentence of observation, the ladder of packets, what else it could be. */

#include "classifiers/app/vpn.h"
#include "classifiers/lists/page.h"
#include "classifiers/spelt.h"
#include "classifiers/tamper/judge.h"
#include "classifiers/tamper/narrate_dns.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LADDER_MAX 48
#define LADDER_BEFORE 12 /* rows kept before the first suspect once the ladder is too long */
#define BENIGN_MAX 8
#define NOTE_SIZE 112
#define QUOTE_SIZE 128 /* of 120 bytes and what the last may take */
#define PROTO_UDP 17

/* A name as far as a sentence has room for it. */
static void quote(const char *name, char out[QUOTE_SIZE])
{
	size_t len = strlen(name);

	if (spelt(name, len, out, QUOTE_SIZE - 3) != len)
		memcpy(out + strlen(out), "...", sizeof("..."));
}

/* A tunnel's first message, or a payload that is fully encrypted. */
static void say_after_protocol(const struct finding *f, const char *ms, char *out, size_t len)
{
	if (f->flow->vpn->proto == VPN_NONE)
		snprintf(out, len, " %safter a fully encrypted first payload", ms);
	else if (f->flow->proto == PROTO_UDP && (f->flow->vpn->both || f->flow->vpn->midway))
		snprintf(out, len, " %swithin a tunnel of %s", ms,
			 vpn_label_name[f->flow->vpn->proto]);
	else
		snprintf(out, len, " %s%s %s's first message", ms,
			 f->flow->proto == PROTO_UDP ? "to" : "after",
			 vpn_label_name[f->flow->vpn->proto]);
}

static void say_after(const struct finding *f, char *out, size_t len)
{
	char name[QUOTE_SIZE];
	quote(f->trigger_value, name);
	char ms[32] = "";
	if (f->reaction_ms >= 0)
		snprintf(ms, sizeof(ms), "%.1f ms ", f->reaction_ms);
	if (f->trigger == TRIGGER_SNI)
		snprintf(out, len, " %safter a ClientHello with SNI %s", ms, name);
	else if (f->trigger == TRIGGER_HOST)
		snprintf(out, len, " %safter an HTTP request for host %s", ms, name);
	else if (f->trigger == TRIGGER_QUIC_SNI)
		snprintf(out, len, " %sto QUIC Initials with SNI %s", ms, name);
	else if (f->trigger == TRIGGER_PROTOCOL && f->flow->vpn != NULL)
		say_after_protocol(f, ms, out, len);
	else if (f->flow->quic != NULL)
		snprintf(out, len, " %sto QUIC Initials without a name that could be read", ms);
	else if (f->trigger == TRIGGER_PROTOCOL)
		snprintf(out, len, " %safter a ClientHello %s", ms,
			 f->flow->tls != NULL && f->flow->tls->truncated
				 ? "whose name was not captured"
				 : "without SNI");
	else
		snprintf(out, len, "%s", f->stage <= STAGE_POST_SYN   ? " during the handshake"
					 : f->stage == STAGE_POST_ACK ? " right after the handshake"
					 : f->stage == STAGE_POST_PSH ? " after the first data"
								      : " in the middle of the connection");
}

/* The strongest reason, as a clause. */
static const char *say_why(const struct judged_case *c)
{
	static const struct {
		const char *id, *words;
	} why[] = {
		{"data-after-rst", "yet the sender of the reset went on sending data"},
		{"ack-regress", "yet its supposed sender later acknowledged less than the reset had"},
		{"late-genuine", "yet its supposed sender was still there afterwards"},
		{"rst-seq-change", "with a second reset ahead of anything sent"},
		{"synack-and-rst", "although the port answered that it was open"},
		{"probe-reset", "although the packet that drew it had died on the way"},
		{"rst-reserved-bits", "by a packet with reserved flag bits that no stack sets"},
		{"rst-sub-rtt", "sooner than the server could have answered"},
		{"rst-header", "by packets unlike all others of their sender"},
		{"rst-ip-id-mirror", "by a packet that carries the other side's IP-ID"},
		{"rst-payload", "by a packet with payload"},
	};
	for (unsigned w = 0; w < sizeof(why) / sizeof(*why); w++)
		for (unsigned i = 0; i < c->n_rows; i++)
			if (strcmp(c->rows[i].sig->id, why[w].id) == 0)
				return why[w].words;
	return NULL;
}

static void say_rate(const char *who, const char *after, const struct finding *f,
		     char out[FINDING_SENTENCE])
{
	const struct rate_facts *r = f->rate;
	bool mega = r->rate_bps >= 1e6;
	unsigned lost = (unsigned)(r->loss * 1000 + 0.5);
	char burst[64] = "", rate[32];
	snprintf(rate, sizeof(rate), "%.*f %s", mega ? 2 : r->rate_bps >= 1e4 ? 0 : 1,
		 r->rate_bps / (mega ? 1e6 : 1e3), mega ? "Mbit/s" : "kbit/s");
	if (r->form == RATE_POLICED)
		snprintf(burst, sizeof(burst), r->bounded ? " by a bucket of at least %llu bytes"
							  : " after a burst of %llu bytes",
			 (unsigned long long)r->burst_bytes);
	if (r->form == RATE_BY_SIZE)
		snprintf(out, FINDING_SENTENCE,
			 "segments above %u bytes %s%.180s were lost, %u.%u %% of them", r->size,
			 who, after, lost / 10, lost % 10);
	else
		snprintf(out, FINDING_SENTENCE, "data %s%.160s was %s to %s%s, %u.%u %% lost",
			 who, after, rate_form_name[r->form], rate, burst, lost / 10, lost % 10);
}

static void say_sentence(const struct judged_case *c, const struct finding *f,
			 char out[FINDING_SENTENCE])
{
	char after[256];
	say_after(f, after, sizeof(after));
	const char *who = c->dir == DIR_S2C ? "towards the client" : "towards the server";
	if (c->cause == CAUSE_RESET) {
		const char *why = say_why(c);
		snprintf(out, FINDING_SENTENCE, "connection reset %s%s%s%s", who, after,
			 why != NULL ? ", " : "", why != NULL ? why : "");
	} else if (f->rate != NULL) {
		say_rate(f->direction == DIR_S2C ? "towards the client" : "towards the server", after,
			 f, out);
	} else if (c->cause == CAUSE_CONTENT && f->page != NULL) {
		const char *name = f->page->rule != NULL ? f->page->rule->name
							 : "Iran's national page";
		snprintf(out, FINDING_SENTENCE, "a known block page%s%.60s%s arrived%.180s%s",
			 name[0] != '\0' ? " (" : "", name, name[0] != '\0' ? ")" : "", after,
			 f->injected ? ", and the server did not send it" : "");
	} else if (c->cause == CAUSE_CONTENT) {
		snprintf(out, FINDING_SENTENCE,
			 "content that does not come from the server arrived%s: %s", after,
			 f->summary);
		if (f->verdict < VERDICT_LIKELY)
			snprintf(out, FINDING_SENTENCE, "an odd answer arrived%s: %s",
				 after, f->summary);
	} else {
		snprintf(out, FINDING_SENTENCE, "no answer%s: %s", after, f->summary);
	}
}

static bool known(const char **list, unsigned n, const char *s)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(list[i], s) == 0)
			return true;
	return false;
}

/* Most findings leave the same open. */
static const char **share_list(struct arena *a, const char *const list[], unsigned n)
{
	return (const char **)(uintptr_t)arena_share(a, list, n * sizeof(*list));
}

static int say_benign(struct arena *a, const struct judged_case *c, struct finding *f)
{
	unsigned room = c->n_rows + 1 < BENIGN_MAX ? c->n_rows + 1 : BENIGN_MAX;
	const char *benign[BENIGN_MAX], *ruled_out[BENIGN_MAX];
	for (unsigned i = 0; i < c->n_rows; i++) {
		const struct row *r = &c->rows[i];
		const char *out = r->sig->rules_out;
		if (out != NULL && r->t.grade == GRADE_D4 && f->n_ruled_out < room &&
		    !known(ruled_out, f->n_ruled_out, out))
			ruled_out[f->n_ruled_out++] = out;
	}
	if (c->cap_why != NULL)
		benign[f->n_benign++] = c->cap_why;
	/* What explains the strongest evidence is what remains open. */
	for (unsigned i = 0; i < c->n_rows && f->n_benign < room; i++) {
		const struct row *r = &c->rows[i];
		if (r->t.grade == c->best && r->counted &&
		    strncmp(r->sig->benign, "none", 4) != 0 &&
		    !known(benign, f->n_benign, r->sig->benign))
			benign[f->n_benign++] = r->sig->benign;
	}
	f->benign = share_list(a, benign, f->n_benign);
	f->ruled_out = share_list(a, ruled_out, f->n_ruled_out);
	return f->benign != NULL && f->ruled_out != NULL ? 0 : -ENOMEM;
}

static bool is_suspect(const struct finding *f, const struct event *e)
{
	for (unsigned i = 0; i < f->n_packets; i++)
		if (f->packets[i] == e->frame && f->packet_files[i] == e->file)
			return true;
	return false;
}

/* What is said of one packet, as long as the finding; NULL: no memory. */
static const char *keep_note(struct arena *a, const char *note)
{
	return arena_text(a, note);
}

static const char *packet_note(struct arena *a, const struct view *v, const struct finding *f,
			       unsigned i)
{
	char note[NOTE_SIZE];
	const struct event *e = &v->e[i];
	if (f->dns != NULL && narrate_dns_packet(v, i, note, sizeof(note)))
		return keep_note(a, note);
	if ((int)i == v->trigger_event && v->trigger != TRIGGER_NONE) {
		snprintf(note, sizeof(note), "%s%.44s",
			 v->trigger == TRIGGER_SNI	? "ClientHello sni="
			 : v->trigger == TRIGGER_HOST	? "request host="
			 : v->trigger == TRIGGER_QUIC_SNI ? "Initial sni="
			 : v->flow->vpn != NULL		? "first message: "
			 : v->ex != NULL		? "Initial "
							: "ClientHello ",
			 v->trigger_value);
		return keep_note(a, note);
	}
	return (e->flags & EVENT_IGNORED) != 0 ? "checksum or signature wrong: ignored"
	       : (e->bits & EVENT_PROBE) != 0	    ? "TTL-limited probe"
	       : (e->bits & EVENT_RETX) != 0	    ? "sent again"
						    : "";
}

static void say_packet(struct arena *a, const struct view *v, const struct finding *f, unsigned i,
		       struct ladder_packet *p)
{
	const struct event *e = &v->e[i];
	const struct half *s = &v->ev->half[event_dir(e)],
			  *o = &v->ev->half[dir_other(event_dir(e))];
	*p = (struct ladder_packet){
		.frame = e->frame,
		.file = e->file,
		.ts_ns = e->ts_ns,
		.dir = (uint8_t)event_dir(e),
		.ttl = e->ttl,
		.df = (e->bits & EVENT_DF) != 0,
		.has_ts = (e->bits & EVENT_TS) != 0,
		.forged = (f->direction == event_dir(e) ||
			   (f->family == FAMILY_TCP_INJECTION && (e->flags & TCP_RST) != 0)) &&
			  is_suspect(f, e) &&
			  f->family != FAMILY_SILENT_DROP &&
			  (v->ex == NULL || event_dir(e) == DIR_S2C),
		.skipped_before = v->ev->skipped_at != 0 && v->ev->skipped_at == i,
		.flags = e->flags & 0xfff,
		.window = e->window,
		.ip_id = e->ip_id,
		.seq = e->seq - (s->syn ? s->isn : s->n_data != 0 ? s->first_seq : e->seq),
		.ack = (e->flags & TCP_ACK) == 0 && e->ack == 0
			       ? 0
			       : e->ack - (o->syn ? o->isn : o->n_data != 0 ? o->first_seq : e->ack),
		.len = e->len,
		.note = packet_note(a, v, f, i),
	};
	if (f->dns != NULL && !f->dns->told_apart)
		p->forged = false;
}

/*
 * What of the header was other where the error came from than where the capture was taken, as tracebox asks
 * (Detal et al., IMC 2013). Shown and never weighed: routers rewrite DSCP as they please.
 */
static void say_changes(const struct view *v, const struct icmp_note *n, char *out, size_t len)
{
	uint8_t sent = v->ev->tos[n->quoted_dir] >> 2, got = n->quoted_tos >> 2;
	int at = 0;
	out[0] = '\0';
	if (v->ex != NULL)
		return;
	if (sent != got)
		at = snprintf(out, len, ", DSCP %u there for %u", got, sent);
	for (unsigned i = 0; i < v->n && n->version == 4; i++) {
		const struct event *e = &v->e[i];
		if (event_dir(e) != (enum dir)n->quoted_dir || e->seq != n->quoted_seq ||
		    e->ip_id != n->quoted_ip_id || ((e->bits & EVENT_DF) != 0) == n->quoted_df)
			continue;
		snprintf(out + at, len - (size_t)at, ", DF %s there", n->quoted_df ? "set" : "cleared");
		return;
	}
}

static void say_icmp(struct arena *a, const struct view *v, const struct icmp_note *n,
		     struct ladder_packet *p)
{
	char from[64], changes[40], note[NOTE_SIZE];
	say_changes(v, n, changes, sizeof(changes));
	snprintf(note, sizeof(note), "ICMP %u/%u from %s%s", n->type, n->code,
		 ip_addr_format(&n->from, n->version, from, sizeof(from)), changes);
	*p = (struct ladder_packet){
		.frame = n->frame,
		.file = n->file,
		.ts_ns = n->ts_ns,
		.dir = (uint8_t)dir_other((enum dir)n->quoted_dir),
		.ttl = n->ttl,
		.icmp = true,
		.note = keep_note(a, note),
	};
}

/* Packets in order of time; where there are too many, those around the first suspect. */
static int say_ladder(struct arena *a, const struct view *v, const struct judged_case *c,
		      struct finding *f)
{
	unsigned from = 0;
	if (v->n > LADDER_MAX && c->first > LADDER_BEFORE)
		from = (unsigned)c->first - LADDER_BEFORE;
	unsigned room = v->n - from < LADDER_MAX ? v->n - from : LADDER_MAX;
	f->ladder = arena_alloc(a, (room + v->ev->n_icmp) * sizeof(*f->ladder));
	if (f->ladder == NULL)
		return -ENOMEM;
	unsigned icmp = 0;
	for (unsigned i = from; i < v->n && f->n_ladder < LADDER_MAX; i++) {
		while (icmp < v->ev->n_icmp && v->ev->more->icmp[icmp].ts_ns < v->e[i].ts_ns &&
		       f->n_ladder < LADDER_MAX)
			say_icmp(a, v, &v->ev->more->icmp[icmp++], &f->ladder[f->n_ladder++]);
		say_packet(a, v, f, i, &f->ladder[f->n_ladder]);
		f->ladder[f->n_ladder].skipped_before |= i == from && from != 0;
		f->n_ladder++;
	}
	while (icmp < v->ev->n_icmp && f->n_ladder < room + v->ev->n_icmp)
		say_icmp(a, v, &v->ev->more->icmp[icmp++], &f->ladder[f->n_ladder++]);
	for (unsigned i = 0; i < f->n_ladder; i++)
		if (f->ladder[i].note == NULL)
			return -ENOMEM;
	return 0;
}

int narrate(struct arena *a, const struct view *v, const struct judged_case *c, struct finding *f)
{
	char sentence[FINDING_SENTENCE] = "";
	if (c->cause == CAUSE_DNS)
		narrate_dns_sentence(v, c, f, sentence);
	else
		say_sentence(c, f, sentence);
	f->sentence = arena_text(a, sentence);
	if (f->sentence == NULL || say_benign(a, c, f) != 0)
		return -ENOMEM;
	return say_ladder(a, v, c, f);
}
