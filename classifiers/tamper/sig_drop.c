/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Silence (and CF-01, -05, -10): packets that were sent again and again and never
 * answered. Absence proves little: a dead server, a lost route and a hole in the capture look the
 * same, so these stay at anomaly until a control says more.
 */

#include "classifiers/tamper/signature.h"
#include "dataplane/seq.h"

#define TSPU "Xue et al., TSPU, IMC 2022"
#define TSG "Ablove et al., USENIX Security 2026 (drops after n packets)"
#define CF_REF "Sundara Raman et al., SIGCOMM 2023, "
#define IDLE_NS 3000000000ull        /* T_idle */
#define AFTER_NS 10000000000ull      /* the capture goes on that long after the last packet */
#define SYN_WAIT_NS 7000000000ull
#define SLOW_NS 20000000000ull       /* an HTTP back end may think that long */
#define RESENT 3                     /* three losses in a row at 1 % are one in a million */
#define ALIKE_FLOWS 3                /* DROP-NPKT */
#define ALIKE_NETS 2
#define ALIKE_SPAN_NS 10000000000ull /* outages take less from the first connection to the last */
#define SMALL 600                    /* bytes: below any path MTU */

static bool rst_seen(const struct view *v)
{
	const struct half *c = &v->ev->half[DIR_C2S], *s = &v->ev->half[DIR_S2C];
	return c->n_rst + c->n_rstack + s->n_rst + s->n_rstack != 0;
}

/* Silence from the flow's last answer to its end is long enough to mean something. */
static bool ended(const struct view *v, struct testimony *t, uint64_t since)
{
	uint64_t last = v->flow->last_ns;
	if (last - since >= IDLE_NS)
		return true;
	if (v->ctx != NULL && context_end_ns(v->ctx) < last + IDLE_NS + AFTER_NS) {
		t->untestable = "the capture ends too soon after the last packet";
		return false;
	}
	return true;
}

/*
 * A first segment that a path MTU may lose, and more of the request behind it: what arrives of that draws
 * acknowledgements of nothing new, which say that the path works for smaller packets.
 */
static bool has_more_behind(const struct view *v)
{
	const struct half *c = &v->ev->half[DIR_C2S];
	return c->first_len > SMALL && seq_lt(c->first_seq + c->first_len, v->request_end);
}

/* Every packet of a direction with bytes that the other side never acknowledged. */
static void suspect_unacked(const struct view *v, struct testimony *t, enum dir d)
{
	const struct half *o = &v->ev->half[dir_other(d)];
	for (unsigned i = 0; i < v->n; i++) {
		const struct event *e = &v->e[i];
		if (event_dir(e) == d && event_seqlen(e) != 0 &&
		    (e->flags & (TCP_RST | TCP_SYN)) == 0 &&
		    (!o->acked || seq_lt(o->max_ack, e->seq + event_seqlen(e))))
			testimony_suspect(t, i);
	}
	t->frame = t->n_suspects != 0 ? v->e[t->suspects[0]].frame : 0;
}

static bool match_hello(const struct view *v, const struct signature *self, struct testimony *t)
{
	(void)self;
	const struct half *c = &v->ev->half[DIR_C2S], *s = &v->ev->half[DIR_S2C];
	const struct resent *r = evidence_resent(v->ev, DIR_C2S);
	if (!s->syn || c->n_data == 0 || r->first_retx < RESENT)
		return false;
	if (v->ev->n_probes != 0) {
		t->untestable = "TTL-limited probes: the client meant its data to be lost";
		return false;
	}
	if (s->acked && seq_lt(c->first_seq, s->max_ack))
		return false;
	t->grade = GRADE_D2;
	suspect_unacked(v, t, DIR_C2S);
	/* The server is there and still waits for the first byte. */
	uint64_t rtt = view_min_rtt(v, -1, true);
	for (unsigned i = 0; i < v->n && rtt != UINT64_MAX; i++) {
		const struct event *e = &v->e[i];
		bool bare = e->len == 0 && (e->flags & TCP_FIN) == 0;
		if (event_dir(e) == DIR_S2C && (e->flags & (TCP_SYN | TCP_RST | TCP_ACK)) == TCP_ACK &&
		    e->ack == c->first_seq && e->ts_ns >= c->first_data_ns + rtt &&
		    !(bare && has_more_behind(v))) {
			t->grade = GRADE_D3;
			t->frame = e->frame;
		}
	}
	testimony_says(t, "first payload sent %u times, nothing of it acknowledged",
		       r->first_retx + 1u);
	testimony_expects(t, "an acknowledgement within a round trip");
	return true;
}

static bool match_swallow(const struct view *v, const struct signature *self, struct testimony *t)
{
	(void)self;
	const struct half *c = &v->ev->half[DIR_C2S], *s = &v->ev->half[DIR_S2C];
	const struct resent *r = evidence_resent(v->ev, DIR_C2S);
	if (!s->syn || r->stuck < RESENT || v->ev->n_probes != 0 || !s->acked ||
	    !seq_lt(c->first_seq, s->max_ack) || seq_lt(r->stuck_seq, c->first_seq) ||
	    !seq_lt(r->stuck_seq, v->request_end))
		return false;
	bool ends_request = seq_leq(v->request_end, r->stuck_seq + r->stuck_len);
	bool larger = false;
	for (unsigned i = 0; i < v->n; i++)
		larger |= event_dir(&v->e[i]) == DIR_C2S && v->e[i].len > r->stuck_len &&
			  (v->e[i].flags & TCP_RST) == 0 &&
			  seq_leq(v->e[i].seq + v->e[i].len, s->max_ack);
	t->grade = ends_request || (r->stuck_len <= SMALL && larger) ? GRADE_D3 : GRADE_D2;
	suspect_unacked(v, t, DIR_C2S);
	testimony_says(t, "%u bytes%s sent %u times and never acknowledged, while earlier ones were",
		       r->stuck_len, ends_request ? " that end the request" : "", r->stuck + 1u);
	testimony_expects(t, "equal fate for all segments of the request");
	return true;
}

/*
 * A host whose program only thinks still acknowledges keep-alives and FINs: here nothing at all came back
 * after the request's acknowledgement.
 */
static bool is_deaf(const struct view *v)
{
	const struct half *c = &v->ev->half[DIR_C2S], *s = &v->ev->half[DIR_S2C];
	unsigned alive = 0;
	for (unsigned i = 0; i < v->n; i++)
		alive += event_dir(&v->e[i]) == DIR_C2S && v->e[i].ts_ns > s->last_ns &&
			 v->e[i].len <= 1 && (v->e[i].flags & TCP_SYN) == 0 &&
			 v->e[i].seq == c->next - (c->n_fin != 0) - 1;
	return (alive >= RESENT || c->n_fin > RESENT) && s->last_ns < c->first_data_ns + IDLE_NS &&
	       c->last_ns >= s->last_ns + 2 * IDLE_NS;
}

static bool match_muted(const struct view *v, const struct signature *self, struct testimony *t)
{
	(void)self;
	const struct half *c = &v->ev->half[DIR_C2S], *s = &v->ev->half[DIR_S2C];
	const struct resent *r = evidence_resent(v->ev, DIR_C2S);
	bool tls = v->flow->tls != NULL, http = v->flow->http != NULL;
	if (!s->syn || c->n_data == 0 || s->n_data != 0 || !s->acked || (!tls && !http) ||
	    v->ev->n_probes != 0 || rst_seen(v) || s->n_fin != 0 ||
	    !seq_leq(v->request_end, s->max_ack))
		return false;
	uint64_t rtt = view_min_rtt(v, -1, true), need = IDLE_NS;
	if (rtt != UINT64_MAX && 10 * rtt > need)
		need = 10 * rtt;
	uint64_t waited = c->last_ns > c->first_data_ns ? c->last_ns - c->first_data_ns : 0;
	if (waited < need || c->last_ns < s->last_ns)
		return false;
	/* A web server may hold a request back until it has news; but then the client does not ask again. */
	bool again = r->again != 0 && r->again_seq == c->first_seq;
	t->grade = tls && is_deaf(v)			 ? GRADE_D3
		   : tls || (again && waited >= SLOW_NS) ? GRADE_D2
							 : GRADE_D1;
	t->frame = v->first_c2s >= 0 ? v->e[v->first_c2s].frame : 0;
	if (v->first_c2s >= 0)
		testimony_suspect(t, (unsigned)v->first_c2s);
	testimony_says(t, "request acknowledged, then no byte for %.1f s", (double)waited / 1e9);
	testimony_expects(t, "an answer");
	return true;
}

/* The server's copies of one segment, at time-outs that grow; 0 where they are something else. */
static unsigned growing_copies(const struct view *v, uint32_t seq)
{
	uint64_t last = 0, gap = 0;
	unsigned copies = 0;
	for (unsigned i = 0; i < v->n; i++) {
		const struct event *e = &v->e[i];
		if (event_dir(e) != DIR_S2C || e->len == 0 || e->seq != seq)
			continue;
		if (last != 0 && e->ts_ns - last < gap)
			return 0;
		gap = last != 0 ? e->ts_ns - last : 0;
		last = e->ts_ns;
		copies++;
	}
	return copies;
}

static bool match_one_way(const struct view *v, const struct signature *self, struct testimony *t)
{
	(void)self;
	const struct resent *r = evidence_resent(v->ev, DIR_S2C);
	if (r->again < RESENT || (v->ctx != NULL && context_vantage(v->ctx, NULL, 0) == VANTAGE_SERVER))
		return false;
	unsigned copies = growing_copies(v, r->again_seq);
	if (copies < RESENT + 1)
		return false;
	/* What the client sent after the segment's first copy did not get through. */
	bool from = false;
	for (unsigned i = 0; i < v->n; i++) {
		from |= event_dir(&v->e[i]) == DIR_S2C && v->e[i].len != 0 &&
			v->e[i].seq == r->again_seq;
		if (from && event_dir(&v->e[i]) == DIR_C2S)
			testimony_suspect(t, i);
	}
	t->grade = GRADE_D2;
	t->frame = t->n_suspects != 0 ? v->e[t->suspects[0]].frame : 0;
	testimony_says(t, "the server sent one segment %u times although the client acknowledged it",
		       copies);
	testimony_expects(t, "the acknowledgement to arrive");
	return true;
}

/* The server answers, the client asks again: both are there, the answer does not pass. */
static bool match_answer_dropped(const struct view *v, const struct signature *self,
				 struct testimony *t)
{
	(void)self;
	const struct half *c = &v->ev->half[DIR_C2S], *s = &v->ev->half[DIR_S2C];
	const struct resent *asked = evidence_resent(v->ev, DIR_C2S);
	const struct resent *answered = evidence_resent(v->ev, DIR_S2C);
	if (!s->syn || answered->stuck < RESENT || answered->stuck_seq != s->first_seq ||
	    asked->first_retx == 0 || rst_seen(v))
		return false;
	bool again = false;
	for (unsigned i = 0; i < v->n; i++)
		again |= event_dir(&v->e[i]) == DIR_C2S && v->e[i].seq == c->first_seq &&
			 v->e[i].len != 0 && v->e[i].ts_ns > s->first_data_ns;
	if (!again)
		return false;
	t->grade = GRADE_D2;
	suspect_unacked(v, t, DIR_S2C);
	testimony_says(t, "the answer was sent %u times, while the client asked again",
		       answered->stuck + 1u);
	testimony_expects(t, "an acknowledgement, as the client is there");
	return true;
}

/* A connection that carried data and then died in mid-air, without FIN or RST getting through. */
static bool match_frozen(const struct view *v, const struct signature *self, struct testimony *t)
{
	(void)self;
	enum dir d;
	if (!freezes_is_frozen(v->ev, &d))
		return false;
	t->grade = GRADE_D1;
	suspect_unacked(v, t, d);
	const struct resent *r = evidence_resent(v->ev, d);
	testimony_says(t, "frozen after %llu packets and %llu bytes from the server: a %s sent %u "
		       "times, unanswered", (unsigned long long)v->flow->pkts[DIR_S2C],
		       (unsigned long long)v->flow->bytes[DIR_S2C],
		       r->stuck != 0 ? "segment" : "FIN",
		       r->stuck != 0 ? r->stuck + 1u : v->ev->half[d].n_fin);
	testimony_expects(t, "an acknowledgement, a FIN or a RST");
	return true;
}

/*
 * Frozen at one index, whoever the server is. A client that loses its network freezes all its
 * connections at one time, and at no index.
 */
static bool match_frozen_alike(const struct view *v, const struct signature *self,
			       struct testimony *t)
{
	(void)self;
	enum dir d;
	if (v->ctx == NULL || !freezes_is_frozen(v->ev, &d))
		return false;
	uint32_t packets = v->ev->half[DIR_S2C].n_data;
	struct freeze_peers p = context_freezes_like(v->ctx, v->flow->id, packets);
	if (p.flows < ALIKE_FLOWS || p.nets < ALIKE_NETS || p.span_ns < ALIKE_SPAN_NS)
		return false;
	t->grade = GRADE_D2;
	suspect_unacked(v, t, d);
	testimony_says(t, "frozen after %u packets of the server, as %u connections to %u networks",
		       packets, p.flows, p.nets);
	testimony_expects(t, "connections that freeze at one time, not after as many packets");
	return true;
}

static bool match_syn(const struct view *v, const struct signature *self, struct testimony *t)
{
	(void)self;
	const struct half *c = &v->ev->half[DIR_C2S], *s = &v->ev->half[DIR_S2C];
	if (!c->syn || s->seen || s->syn || rst_seen(v) || v->ev->n_icmp != 0 || c->n_data != 0)
		return false;
	if (c->n_syn < RESENT && v->flow->last_ns - v->flow->first_ns < SYN_WAIT_NS)
		return false;
	/* The control: the way there and back was open, for the host beside it. */
	bool beside = v->ctx != NULL &&
		      context_neighbour_answered(v->ctx, &v->flow->server, v->flow->ip_version,
						 v->flow->first_ns);
	t->grade = beside && c->n_syn >= RESENT ? GRADE_D2 : GRADE_D1;
	for (unsigned i = 0; i < v->n; i++)
		testimony_suspect(t, i);
	t->frame = v->n != 0 ? v->e[0].frame : 0;
	testimony_says(t, "%u SYNs in %.1f s without an answer%s", c->n_syn,
		       (double)(v->flow->last_ns - v->flow->first_ns) / 1e9,
		       beside ? ", while another host of its network answered" : "");
	testimony_expects(t, "SYN+ACK, RST or an ICMP error");
	return true;
}

static bool match_synack(const struct view *v, const struct signature *self, struct testimony *t)
{
	(void)self;
	const struct half *c = &v->ev->half[DIR_C2S], *s = &v->ev->half[DIR_S2C];
	if (!c->syn || s->n_syn < RESENT || c->n_acks != 0 || c->n_data != 0 || rst_seen(v))
		return false;
	t->grade = GRADE_D1;
	t->frame = v->synack >= 0 ? v->e[v->synack].frame : 0;
	for (unsigned i = 0; i < v->n; i++)
		if (event_dir(&v->e[i]) == DIR_S2C)
			testimony_suspect(t, i);
	testimony_says(t, "%u SYN+ACKs without an acknowledgement", s->n_syn);
	testimony_expects(t, "the client's ACK");
	return true;
}

/* CF-01, CF-05, CF-10: which stage the silence began in. */
static bool match_timeout(const struct view *v, const struct signature *self, struct testimony *t)
{
	const struct half *c = &v->ev->half[DIR_C2S], *s = &v->ev->half[DIR_S2C];
	if (!c->syn || rst_seen(v) || c->n_fin + s->n_fin != 0 || s->n_data != 0 ||
	    v->ev->n_probes != 0)
		return false;
	unsigned stage = c->n_data != 0 ? 10 : c->n_acks != 0 ? 5 : 1;
	if (stage != self->param || !ended(v, t, s->seen ? s->last_ns : v->flow->first_ns))
		return false;
	/* A lone request at the very end may just not be answered yet. */
	if (stage == 10 && (!s->syn || (s->acked && seq_leq(v->request_end, s->max_ack) &&
					 v->flow->tls == NULL)))
		return false;
	t->grade = GRADE_D1;
	t->frame = v->n != 0 ? v->e[v->n - 1].frame : 0;
	if (v->first_c2s >= 0)
		testimony_suspect(t, (unsigned)v->first_c2s);
	testimony_says(t, "silence after %s", stage == 10 ? "the first request"
					      : stage == 5 ? "the handshake"
							   : "the SYN");
	return true;
}

const struct signature sig_drop[] = {
	{.id = "request-dropped", .family = FAMILY_SILENT_DROP, .cause = CAUSE_SILENCE,
	 .fact = FACT_SILENCE, .names = true,
	 .needs = NEED_BOTH_DIRECTIONS | NEED_NO_GAP,
	 .summary = "the first request was sent again and again and never acknowledged",
	 .benign = "a server that died after the handshake; a path that loses large packets (MTU)",
	 .refs = TSPU, .match = match_hello},
	{.id = "request-part-dropped", .family = FAMILY_SILENT_DROP, .cause = CAUSE_SILENCE,
	 .fact = FACT_SILENCE, .names = true,
	 .needs = NEED_BOTH_DIRECTIONS | NEED_NO_GAP,
	 .summary = "one part of the request never arrived, while the rest did",
	 .benign = "a path that loses large packets (MTU); a damaged checksum",
	 .refs = "this project's rule; " TSPU, .match = match_swallow},
	{.id = "answer-missing", .family = FAMILY_SILENT_DROP, .cause = CAUSE_SILENCE,
	 .fact = FACT_SILENCE, .names = true,
	 .needs = NEED_BOTH_DIRECTIONS | NEED_NO_GAP,
	 .summary = "the request was acknowledged and never answered",
	 .benign = "a slow or hung server; a web server that answers when it has news (long polling)",
	 .refs = TSPU, .match = match_muted},
	{.id = "acks-dropped", .family = FAMILY_SILENT_DROP, .cause = CAUSE_SILENCE,
	 .fact = FACT_SILENCE, .names = true, .needs = NEED_BOTH_DIRECTIONS | NEED_NO_GAP,
	 .summary = "the server did not receive the client's acknowledgements",
	 .benign = "loss in one direction",
	 .refs = "Bock et al., A Case Study of Iran's Protocol Whitelister, FOCI 2020",
	 .match = match_one_way},
	{.id = "answer-dropped", .family = FAMILY_SILENT_DROP, .cause = CAUSE_SILENCE,
	 .fact = FACT_SILENCE, .names = true, .needs = NEED_BOTH_DIRECTIONS | NEED_NO_GAP,
	 .summary = "the server's answer never arrived, although client and server were there",
	 .benign = "a path that loses large packets (MTU)", .refs = "this project's rule",
	 .match = match_answer_dropped},
	{.id = "connection-frozen", .family = FAMILY_SILENT_DROP, .cause = CAUSE_SILENCE,
	 .fact = FACT_SILENCE, .names = true, .needs = NEED_BOTH_DIRECTIONS | NEED_NO_GAP,
	 .summary = "a working connection died in silence",
	 .benign = "a client or server that lost its network", .refs = TSG,
	 .match = match_frozen},
	{.id = "frozen-alike", .family = FAMILY_SILENT_DROP, .cause = CAUSE_SILENCE,
	 .fact = FACT_SILENCE, .names = true, .needs = NEED_BOTH_DIRECTIONS | NEED_NO_GAP,
	 .summary = "connections to several networks died in silence after the same number of packets",
	 .benign = "a path that loses large packets (MTU); a proxy or content network with a fault",
	 .refs = TSG, .match = match_frozen_alike},
	{.id = "syn-unanswered", .family = FAMILY_SILENT_DROP, .cause = CAUSE_SILENCE,
	 .fact = FACT_SILENCE, .names = true, .needs = NEED_BOTH_DIRECTIONS,
	 .summary = "SYNs that nobody answered", .benign = "host down; a firewall of the host's own",
	 .refs = "this project's rule; RFC 6298", .match = match_syn},
	{.id = "synack-unanswered", .family = FAMILY_SILENT_DROP, .cause = CAUSE_SILENCE,
	 .fact = FACT_SILENCE, .names = true, .needs = NEED_BOTH_DIRECTIONS,
	 .summary = "SYN+ACKs that the client never acknowledged",
	 .benign = "spoofed SYNs; asymmetric routing", .refs = "Ensafi et al., PAM 2014",
	 .match = match_synack},
	{.id = "syn-timeout", .family = FAMILY_SILENT_DROP, .cause = CAUSE_SILENCE,
	 .fact = FACT_SILENCE, .needs = NEED_BOTH_DIRECTIONS,
	 .summary = "SYN, then silence", .benign = "SYN floods, spoofing, backscatter, loss",
	 .refs = CF_REF "CF-01", .param = 1, .match = match_timeout},
	{.id = "ack-timeout", .family = FAMILY_SILENT_DROP, .cause = CAUSE_SILENCE,
	 .fact = FACT_SILENCE, .needs = NEED_BOTH_DIRECTIONS,
	 .summary = "handshake, then silence", .benign = "speculative connections never used",
	 .refs = CF_REF "CF-05", .param = 5, .match = match_timeout},
	{.id = "psh-timeout", .family = FAMILY_SILENT_DROP, .cause = CAUSE_SILENCE,
	 .fact = FACT_SILENCE, .names = true, .needs = NEED_BOTH_DIRECTIONS | NEED_NO_GAP,
	 .summary = "first request, then silence", .benign = "a client that moved to another network",
	 .refs = CF_REF "CF-10", .param = 10, .match = match_timeout},
	{.id = NULL},
};
