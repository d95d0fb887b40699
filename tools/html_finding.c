/* SPDX-License-Identifier: BSD-3-Clause */

/* One finding in full: what it says, its packets, and the rest in html_evidence.c. */

#include <inttypes.h>
#include <string.h>

#include "classifiers/app/quic.h"
#include "classifiers/lists/page.h"
#include "tools/compare/compare.h"
#include "tools/facts.h"
#include "tools/html.h"
#include "tools/svg_ladder.h"
#include "tools/words.h"

static void trigger(const struct html *h, const struct finding *f)
{
	html_term(h, "Trigger");
	html_trigger(h, f);
	if (f->trigger_packet != 0)
		fprintf(h->out, " in frame %" PRIu64, f->trigger_packet);
	if (f->trigger_packet != 0)
		html_frame_file(h, f, f->trigger_file);
	if (f->reaction_ms >= 0)
		fprintf(h->out, "; reaction after <b>%.3f ms</b>", f->reaction_ms);
	html_term_end(h);
}

static void carried(const struct html *h, const struct flow_record *f)
{
	html_term(h, "Carried");
	html_text(h, f->app_proto != NULL ? f->app_proto : "unknown");
	for (unsigned i = 0; i < f->n_labels; i++) {
		if (f->labels[i].by == NULL)
			continue;
		fputs("; ", h->out);
		html_text(h, f->labels[i].by);
		fputs(" says ", h->out);
		html_text(h, f->labels[i].app);
	}
	const char *dispute = facts_dispute(f);
	if (dispute != NULL)
		fprintf(h->out, "; %s", dispute);
	const struct tls_client_hello *hello = f->quic != NULL ? &f->quic->tls : f->tls;
	if (hello != NULL && hello->ja4[0] != '\0') {
		fputs("; JA4 ", h->out);
		html_text(h, hello->ja4);
	}
	html_term_end(h);
}

static void place(const struct html *h, const char *term, const struct geo_place *p)
{
	if (p == NULL)
		return;
	html_term(h, term);
	if (p->asn != 0)
		fprintf(h->out, "AS%" PRIu32 " ", p->asn);
	html_name(h, p->org, strnlen(p->org, sizeof(p->org)));
	fputs(" ", h->out);
	html_text(h, p->country);
	html_term_end(h);
}

static void numbers(const struct html *h, const uint64_t *list, unsigned n)
{
	enum { MOST = 60 };

	for (unsigned i = 0; i < n && i < MOST; i++)
		fprintf(h->out, "%s%" PRIu64, i != 0 ? ", " : "", list[i]);
	if (n > MOST)
		fprintf(h->out, " and %u more", n - MOST);
}

/* Of one timeline of several files: which of them each frame is in. */
static void frames(const struct html *h, const struct finding *f)
{
	const struct capture_result *c = &h->analysis->captures[f->flow->capture];

	if (f->n_packets == 0)
		return;
	html_term(h, "Frames");
	if (c->n_files < 2 || f->packet_files == NULL) {
		numbers(h, f->packets, f->n_packets);
		html_term_end(h);
		return;
	}
	for (unsigned i = 0, k; i < f->n_packets; i = k) {
		for (k = i; k < f->n_packets && f->packet_files[k] == f->packet_files[i];)
			k++;
		fputs(i != 0 ? "; " : "", h->out);
		numbers(h, f->packets + i, k - i);
		const char *file =
			f->packet_files[i] < c->n_files ? c->files[f->packet_files[i]] : "";
		fputs(" of ", h->out);
		html_name(h, file, strlen(file));
	}
	html_term_end(h);
}

static void dns(const struct html *h, const struct dns_facts *d)
{
	if (d == NULL)
		return;
	html_term(h, "Query");
	html_text(h, d->qname);
	fprintf(h->out, ", type %u, id %u, rcode %u", d->qtype, d->txid, d->rcode);
	html_term_end(h);
	if (d->n_answers == 0)
		return;
	html_term(h, d->told_apart ? "Forged answer"
				   : "Answer (one of two; nothing says which "
				     "is forged)");
	for (unsigned i = 0; i < d->n_answers; i++) {
		fputs(i != 0 ? ", " : "", h->out);
		html_text(h, d->answers[i]);
	}
	html_term_end(h);
}

/* The answer as lists know it, and whether packets show who sent it. */
static void page(const struct html *h, const struct finding *f)
{
	const struct page_facts *p = f->page;

	if (p == NULL)
		return;
	html_term(h, "Page");
	if (p->rule != NULL) {
		html_name(h, p->rule->name, strlen(p->rule->name));
		fputs(" (rule ", h->out);
		html_name(h, p->rule->id, strlen(p->rule->id));
		fputs(" of ", h->out);
		html_name(h, p->rule->list, strlen(p->rule->list));
		fprintf(h->out, ", %s)", rule_scope_name[p->rule->scope]);
	} else {
		fputs("Iran\xe2\x80\x99s national page, by what it frames", h->out);
	}
	html_term_end(h);
	if (p->title[0] != '\0') {
		html_term(h, "Its title");
		html_name(h, p->title, strnlen(p->title, sizeof(p->title)));
		html_term_end(h);
	}
	html_said(h, "Sent by",
		  f->injected ? "somebody else than the server: the packets show it"
			      : "not shown by the packets: the server, a proxy or an injector");
}

static void rate(const struct html *h, const struct rate_facts *r)
{
	if (r == NULL || r->form == RATE_NONE)
		return;
	html_term(h, "Rate");
	fprintf(h->out, "%s, %.1f kbit/s", rate_form_name[r->form], r->rate_bps / 1e3);
	if (r->form == RATE_POLICED && !r->bounded)
		fprintf(h->out, ", %" PRIu64 " bytes before the first loss", r->burst_bytes);
	else if (r->form == RATE_POLICED && r->burst_bytes != 0)
		fprintf(h->out, ", a bucket of at least %" PRIu64 " bytes", r->burst_bytes);
	if (r->form == RATE_BY_SIZE)
		fprintf(h->out, ", segments above %u bytes", r->size);
	if (r->n_lost + r->n_passed != 0)
		fprintf(h->out, "; %u of %u segments lost", r->n_lost, r->n_lost + r->n_passed);
	html_term_end(h);
}

static void compared(const struct html *h, const struct compare_note *n)
{
	if (n == NULL || n->n_packets == 0)
		return;
	html_table(h, "The packets in both captures",
		   "What became of it|#Frame at the client|#Frame "
		   "at the server|What changed");
	for (unsigned i = 0; i < n->n_packets && i < HTML_ROWS_MAX; i++) {
		const struct compare_packet *p = &n->packets[i];
		fprintf(h->out, "<tr><td>%s</td>", compare_fate_name[p->fate]);
		for (unsigned side = 0; side < SIDES; side++) {
			if (p->frame[side] != 0)
				fprintf(h->out, "<td class=\"number\">%" PRIu64 "</td>",
					p->frame[side]);
			else
				fputs("<td class=\"number\">none</td>", h->out);
		}
		fputs("<td>", h->out);
		bool any = false;
		for (unsigned k = 0; k < CHANGES; k++) {
			if ((p->changed >> k & 1) == 0)
				continue;
			fprintf(h->out, "%s%s", any ? ", " : "", compare_change_name[k]);
			any = true;
		}
		fputs("</td></tr>\n", h->out);
	}
	html_table_end(h);
	html_left_out(h, n->n_packets > HTML_ROWS_MAX ? n->n_packets - HTML_ROWS_MAX : 0,
		      "packets");
}

static void facts(const struct html *h, const struct finding *f)
{
	char proto[8];

	fputs("<dl class=\"facts\">\n", h->out);
	html_said(h, "What it is", f->summary);
	if (f->scope == SCOPE_FLOW) {
		html_term(h, "Connection");
		html_connection(h, f->flow);
		fprintf(h->out, " %s, flow %" PRIu64, facts_proto(f->flow->proto, proto),
			f->flow->id);
		for (unsigned i = 0; i < f->flow->n_tunnels && i < TUNNELS_MAX; i++)
			fprintf(h->out, "%s%s", i == 0 ? ", within " : "+",
				facts_tunnel(f->flow->tunnels[i]));
		html_term_end(h);
		carried(h, f->flow);
	} else {
		html_term(h, "Flows");
		numbers(h, f->flows, f->n_flows);
		html_term_end(h);
	}
	if (facts_several_files(h->analysis)) {
		const char *file = facts_filename(h->analysis, f->flow);
		html_term(h, "Capture");
		html_name(h, file, strlen(file));
		html_term_end(h);
	}
	place(h, "Client in", f->flow->client_at);
	place(h, "Server in", f->flow->server_at);
	trigger(h, f);
	dns(h, f->dns);
	page(h, f);
	rate(h, f->rate);
	html_said(h, "Stage", words_stage(f->stage));
	html_said(h, "Direction", words_direction(f));
	html_term(h, "Time");
	html_time(h, f->ts_ns);
	html_term_end(h);
	frames(h, f);
	fputs("</dl>\n", h->out);
}

static void packet_row(const struct html *h, const struct finding *f, const struct ladder_packet *p)
{
	bool tcp = f->flow->proto == 6 && !p->icmp, v6 = f->flow->ip_version == 6;
	char flags[WORDS_FLAGS_SIZE];
	double ms = p->ts_ns >= f->flow->first_ns ? (double)(p->ts_ns - f->flow->first_ns) / 1e6
						  : -(double)(f->flow->first_ns - p->ts_ns) / 1e6;

	fprintf(h->out,
		"<tr%s><td>%s</td><td class=\"number\">%" PRIu64 "</td>"
		"<td class=\"number\">%.3f</td><td>%s</td>",
		p->forged ? " class=\"forged\"" : "",
		p->forged		    ? "forged"
		: svg_ladder_trigger(f, p)  ? "trigger"
		: svg_ladder_decisive(f, p) ? "decisive"
					    : "",
		p->frame, ms, p->dir == DIR_C2S ? "to server" : "to client");
	fprintf(h->out, "<td>%s</td>", p->icmp ? "ICMP" : tcp ? words_flags(p->flags, flags) : "");
	if (tcp)
		fprintf(h->out,
			"<td class=\"number\">%" PRIu32 "</td><td class=\"number\">%" PRIu32
			"</td>",
			p->seq, p->ack);
	else
		fputs("<td></td><td></td>", h->out);
	fprintf(h->out, "<td class=\"number\">%" PRIu32 "</td><td class=\"number\">%u</td>", p->len,
		p->ttl);
	if (v6)
		fputs("<td></td>", h->out);
	else
		fprintf(h->out, "<td class=\"number\">%u</td>", p->ip_id);
	if (tcp)
		fprintf(h->out, "<td class=\"number\">%u</td>", p->window);
	else
		fputs("<td></td>", h->out);
	fprintf(h->out, "<td>%s%s</td><td>", p->df && !v6 ? "DF " : "", p->has_ts ? "TS" : "");
	if (p->note[0] != '\0')
		html_name(h, p->note, strlen(p->note));
	fputs("</td></tr>\n", h->out);
}

static void packets(const struct html *h, const struct finding *f)
{
	if (f->n_ladder == 0)
		return;
	fputs("<figure class=\"ladder\"><div class=\"wide\" role=\"region\" tabindex=\"0\" "
	      "aria-label=\"Packets of the connection\">",
	      h->out);
	svg_ladder(h->out, false, f);
	fputs("</div></figure>\n<details class=\"packets\"><summary>The same packets as a table"
	      "</summary>\n",
	      h->out);
	html_table(
		h, "Packets of the connection",
		"Mark|#Frame|#ms|Direction|Flags|#Seq|#Ack|#Len|#TTL|#IP-ID|#Window|Options|Note");
	for (unsigned i = 0; i < f->n_ladder; i++)
		packet_row(h, f, &f->ladder[i]);
	html_table_end(h);
	fputs("</details>\n", h->out);
}

void html_finding(const struct html *h, const struct finding *f)
{
	facts(h, f);
	if (f->scope == SCOPE_FLOW)
		packets(h, f);
	compared(h, f->compare);
	html_evidence(h, f);
}
