/* SPDX-License-Identifier: BSD-3-Clause */

/* Where a box sits, towards whom it acts, and what it does. */

#include <stdio.h>
#include <string.h>

#include "tools/study/profile.h"

static enum vantage vantage_of(const struct writer *w, const struct finding *f)
{
	return w->r->a->captures[f->flow->capture].vantage;
}

static bool any_from(const struct writer *w, enum vantage v)
{
	for (size_t i = 0; i < w->box->n; i++)
		if (vantage_of(w, w->box->findings[i]) == v)
			return true;
	return false;
}

static bool has_row(const struct finding *f, const char *kind)
{
	for (unsigned i = 0; i < f->n_rows; i++)
		if (strcmp(f->rows[i].kind, kind) == 0)
			return true;
	return false;
}

/* Who puts in a page closes the connection too: that is no sign of the server. */
static bool is_of_forger(const struct ladder_packet *forged, const struct ladder_packet *p)
{
	return (forged->flags & TCP_RST) == 0 && p->ttl == forged->ttl &&
	       p->has_ts == forged->has_ts && p->df == forged->df;
}

/*
 * Behind the first forged packet the impersonated end shows that it got what drew the forgery: the server
 * by acknowledging it, the client by going on.
 */
static bool genuine_after(const struct finding *f)
{
	const struct ladder_packet *asked = NULL, *forged = NULL;
	for (unsigned i = 0; i < f->n_ladder; i++) {
		const struct ladder_packet *p = &f->ladder[i];
		if (p->forged)
			forged = p;
		else if (forged == NULL && p->dir != (uint8_t)f->direction && p->len != 0)
			asked = p;
		else if (forged != NULL && !p->icmp && p->dir == (uint8_t)f->direction &&
			 (p->flags & (TCP_RST | TCP_SYN)) == 0 &&
			 (f->dns != NULL || !is_of_forger(forged, p)) &&
			 (f->direction == DIR_C2S || asked == NULL ||
			  (int32_t)(p->ack - asked->seq - asked->len) >= 0))
			return true;
	}
	return false;
}

/* Answers of both, the box and the server, to one question. */
static bool both_answered(const struct finding *f)
{
	return has_row(f, "dns-race") || has_row(f, "bytes-differ") || has_row(f, "synack-and-rst");
}

static bool is_drop(const struct finding *f)
{
	return f->family == FAMILY_SILENT_DROP || f->family == FAMILY_QUIC_FILTERING ||
	       f->family == FAMILY_VPN_INTERFERENCE;
}

void profile_say_mode(struct writer *w)
{
	struct study_line *on = profile_line(w, "lets_packets_pass");
	struct study_line *in = profile_line(w, "takes_packets_out");
	unsigned alone = 0;
	for (size_t i = 0; i < w->box->n; i++) {
		const struct finding *f = w->box->findings[i];
		if (genuine_after(f) || both_answered(f)) {
			study_line_seen(on, f->flow->id);
		} else if (is_drop(f) || has_row(f, "request-dropped")) {
			study_line_seen(in, f->flow->id);
		} else if (f->direction == DIR_S2C &&
			   (vantage_of(w, f) == VANTAGE_CLIENT ||
			    (f->dns != NULL && vantage_of(w, f) == VANTAGE_UNKNOWN)) &&
			   /* An answer that the capture cut short may be the server's. */
			   (f->dns == NULL ||
			    w->r->a->captures[f->flow->capture].stats.source.truncated == 0)) {
			alone++;
			study_line_seen(in, f->flow->id);
		}
	}
	if (on == NULL || in == NULL)
		return;
	if (on->n == 0 && in->n == 0) {
		study_line_out_of_sight(on, "no capture on the far side of the box");
		study_line_out_of_sight(in, "no capture on the far side of the box");
	}
	on->why = on->n != 0 ? "what it answered for was answered by the server as well" : on->why;
	in->why = in->n == 0 ? in->why
		  : alone == in->n
			  ? "the server, which answers others, was never heard of again"
			  : "requests were sent again and again and never acknowledged";
	if (on->n != 0 && on->n >= in->n) {
		w->p->mode = STUDY_ON_PATH;
		w->p->mode_why = on->why;
	} else if (in->n != 0 && on->n == 0) {
		w->p->mode = STUDY_IN_PATH;
		w->p->mode_why = in->why;
	} else {
		w->p->mode = STUDY_MODE_UNKNOWN;
		w->p->mode_why = on->n != 0 ? "some packets passed it and some did not" : on->why;
	}
}

/*
 * To the client a request that was lost and one whose answer was lost look alike; a capture of the
 * same connection beyond the box tells them apart.
 */
static bool answer_was_lost(const struct writer *w, const struct finding *f)
{
	const struct analysis *a = w->r->a;
	if (has_row(f, "answer-dropped"))
		return true;
	for (size_t i = 0; a->n_captures > 1 && i < a->n_findings; i++) {
		const struct finding *g = a->findings[i];
		const struct flow_record *x = f->flow, *y = g->flow;
		if (x->capture != y->capture && x->proto == y->proto &&
		    x->client_port == y->client_port && x->server_port == y->server_port &&
		    memcmp(&x->client, &y->client, sizeof(x->client)) == 0 &&
		    memcmp(&x->server, &y->server, sizeof(x->server)) == 0 &&
		    has_row(g, "answer-dropped"))
			return true;
	}
	return false;
}

/* Which end its packets went to. One capture shows what passes it, no more. */
void profile_say_directions(struct writer *w)
{
	struct study_line *c = profile_line(w, "acts_towards_client");
	struct study_line *s = profile_line(w, "acts_towards_server");
	bool silent = false;
	for (size_t i = 0; i < w->box->n; i++) {
		const struct finding *f = w->box->findings[i];
		bool to[2] = {false, false};
		for (unsigned k = 0; k < f->n_ladder; k++)
			to[f->ladder[k].dir & 1] |= f->ladder[k].forged;
		bool answer = is_drop(f) && answer_was_lost(w, f);
		/* A tunnel's datagrams are not acknowledged: either way may be the one that is lost. */
		bool either = f->family == FAMILY_VPN_INTERFERENCE;
		silent |= either;
		if (to[DIR_S2C] || answer)
			study_line_seen(c, f->flow->id);
		if (to[DIR_C2S] || (is_drop(f) && !either && f->direction == DIR_C2S && !answer))
			study_line_seen(s, f->flow->id);
	}
	if (silent) {
		study_line_out_of_sight(s, "datagrams are not acknowledged, whichever way is lost");
		study_line_out_of_sight(c, "datagrams are not acknowledged, whichever way is lost");
	}
	bool middle = any_from(w, VANTAGE_MIDDLE) || any_from(w, VANTAGE_ONE_SIDED);
	if (!middle && !any_from(w, VANTAGE_SERVER))
		study_line_out_of_sight(s, "captured at the client only");
	if (!middle && !any_from(w, VANTAGE_CLIENT))
		study_line_out_of_sight(c, "captured at the server only");
}

void profile_say_deeds(struct writer *w)
{
	static const struct {
		const char *what;
		enum family family;
	} deeds[] = {{"injects_resets", FAMILY_TCP_INJECTION},
		     {"injects_pages", FAMILY_HTTP_INJECTION},
		     {"injects_dns_answers", FAMILY_DNS_INJECTION},
		     {"injects_alerts", FAMILY_TLS_FILTERING},
		     {"drops", FAMILY_SILENT_DROP},
		     {"drops_quic", FAMILY_QUIC_FILTERING}};
	for (unsigned d = 0; d < sizeof(deeds) / sizeof(*deeds); d++) {
		struct study_line *l = profile_line(w, deeds[d].what);
		unsigned least = 0, most = 0;
		for (size_t i = 0; i < w->box->n; i++) {
			const struct finding *f = w->box->findings[i];
			unsigned forged = 0;
			enum family of = f->family == FAMILY_VPN_INTERFERENCE ? FAMILY_SILENT_DROP
									      : f->family;
			if (of != deeds[d].family)
				continue;
			study_line_seen(l, f->flow->id);
			for (unsigned k = 0; k < f->n_ladder; k++)
				forged += f->ladder[k].forged;
			least = least == 0 || forged < least ? forged : least;
			most = forged > most ? forged : most;
		}
		if (l != NULL && l->n != 0 && most != 0) {
			char value[64];
			if (least == most)
				snprintf(value, sizeof(value), "%u a connection", most);
			else
				snprintf(value, sizeof(value), "%u to %u a connection", least, most);
			l->value = profile_text(w, value);
		}
	}
}
