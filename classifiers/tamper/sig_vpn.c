/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Tunnels over UDP that nobody answered, or that worked and then did not.
 * WireGuard and tls-crypt are silent to a wrong key, and a server that is off is to everybody: one
 * silence is told, and accuses nobody. What makes it more is that the same client was answered
 * before, that the same address still answers others, or that sessions end after one number of
 * packets.
 */

#include "classifiers/tamper/context_vpn.h"
#include "classifiers/tamper/signature.h"

#define WIREGUARD "Donenfeld, WireGuard, NDSS 2017, section 6"
#define TRIES 3                         /* three losses in a row at 1 % are one in a million */
#define SOME_NS 5000000000ull           /* the capture goes on that long, for the least of them */
#define STORM_TRIES 6
#define STORM_NS 180000000000ull        /* WireGuard's Reject-After-Time (NDSS 2017, section 6.1) */
#define GRE_PACKETS 10
#define PPTP_PORT 1723                  /* RFC 2637 section 3.1 */
#define CUT_SESSIONS 3
#define CUT_SPAN_NS 10000000000ull      /* an outage ends all sessions at one time */

static const struct vpn_exchange *of(const struct view *v)
{
	return vpn_exchange_of(v->ex);
}

/* None before the capture is complete. */
static struct vpn_siblings siblings(const struct view *v)
{
	if (v->ctx == NULL)
		return (struct vpn_siblings){.heard = 1, .known_before = true, .alive_after = true,
					     .cuts = CUT_SESSIONS, .cuts_span_ns = CUT_SPAN_NS};
	return vpn_context_siblings(context_vpn(v->ctx), v->flow, of(v));
}

/* A silence that the capture can vouch for: since is when it began. */
static bool vouched(const struct view *v, const struct vpn_siblings *s, uint64_t since,
		    uint64_t span, struct testimony *t)
{
	if (v->ctx == NULL)
		return true;
	if (s->scanner)
		return false;
	if (s->heard == 0 && context_one_sided(v->ctx)) {
		t->untestable = "the capture shows no answer of any server";
		return false;
	}
	if (context_vantage(v->ctx, NULL, 0) == VANTAGE_SERVER) {
		t->untestable = "captured at the server, which itself did not answer";
		return false;
	}
	if (context_end_ns(v->ctx) < since + span) {
		t->untestable = "the capture ends too soon after the last try";
		return false;
	}
	return true;
}

static void suspect_since(const struct view *v, struct testimony *t)
{
	bool heard = !of(v)->heard;
	for (unsigned i = 0; i < v->n; i++) {
		heard |= event_dir(&v->e[i]) == DIR_S2C && v->e[i].ts_ns >= of(v)->heard_ns;
		if (heard && event_dir(&v->e[i]) == DIR_C2S)
			testimony_suspect(t, i);
	}
	t->frame = t->n_suspects != 0 ? v->e[t->suspects[0]].frame : 0;
}

static bool never_answered(const struct view *v)
{
	return !of(v)->heard && v->ex->n_icmp == 0 && of(v)->n_initiations != 0;
}

/* The client tried as often as VPN-HS-NOANS wants. */
static bool tried_enough(const struct vpn_exchange *q)
{
	return q->n_flights >= TRIES;
}

static void say_tries(const struct view *v, struct testimony *t)
{
	const struct vpn_exchange *q = of(v);
	suspect_since(v, t);
	testimony_says(t, "%u initiation%s of %s in %.1f s, and no datagram came back",
		       q->n_initiations, q->n_initiations != 1 ? "s" : "",
		       vpn_label_name[q->proto], (double)(q->last_ns - q->first_ns) / 1e9);
	testimony_expects(t, "an answer of the server's, or an ICMP error");
}

/* VPN-HS-NOANS and VPN-IKE-NOANS (param: the protocol is IKE). */
static bool match_handshake(const struct view *v, const struct signature *self,
			    struct testimony *t)
{
	struct vpn_siblings s = siblings(v);
	bool ike = of(v)->proto == VPN_IKE;
	/* IKE's second exchange is the larger, and the one that fragments. */
	bool silent = never_answered(v) ||
		      (ike && v->ex->n_icmp == 0 && of(v)->n_initiations != 0);
	if (ike != (self->param != 0) || !silent || !tried_enough(of(v)) ||
	    !vouched(v, &s, of(v)->first_ns, VPN_SILENCE_NS, t))
		return false;
	t->grade = GRADE_D1;
	say_tries(v, t);
	return true;
}

/* What falls short of it. */
static bool match_few(const struct view *v, const struct signature *self, struct testimony *t)
{
	(void)self;
	struct vpn_siblings s = siblings(v);
	if (!never_answered(v) || tried_enough(of(v)) || of(v)->proto == VPN_DTLS ||
	    !vouched(v, &s, of(v)->last_ns, SOME_NS, t))
		return false;
	t->grade = GRADE_D1;
	say_tries(v, t);
	return true;
}

/* A tunnel of WireGuard that had worked asks for new keys, past the age at which it would have had them. */
static bool is_storm(const struct view *v)
{
	const struct vpn_exchange *q = of(v);
	return q->proto == VPN_WIREGUARD && q->heard && q->n_flights >= STORM_TRIES &&
	       q->last_ns >= q->heard_ns + STORM_NS && v->ex->n_icmp == 0;
}

/*
 * VPN-PORTBLOCK. That the client was answered before says that its key and the server are right; WireGuard
 * keeps its source port, so that it is mostly the same session that was.
 */
static bool match_port(const struct view *v, const struct signature *self, struct testimony *t)
{
	(void)self;
	const struct vpn_exchange *q = of(v);
	struct vpn_siblings s = siblings(v);
	bool storm = is_storm(v);
	if (!storm && (!never_answered(v) || !tried_enough(q)))
		return false;
	if (!vouched(v, &s, storm ? q->heard_ns : q->first_ns, storm ? STORM_NS : VPN_SILENCE_NS, t))
		return false;
	if (!s.known_before && !(storm && q->answered)) {
		t->untestable = "this client was not answered there before: its key may be wrong";
		return false;
	}
	if (!s.alive_after || s.port_after)
		return false;
	t->grade = GRADE_D2;
	suspect_since(v, t);
	testimony_says(t, "UDP port %u is silent to a client that it had answered",
		       v->flow->server_port);
	testimony_expects(t, "an answer, as the server's address gives to others");
	return true;
}

/* One tunnel that stopped. */
static bool match_stopped(const struct view *v, const struct signature *self, struct testimony *t)
{
	(void)self;
	const struct vpn_exchange *q = of(v);
	struct vpn_siblings s = siblings(v);
	if (!vpn_exchange_is_cut(q) || v->ex->n_icmp != 0 ||
	    !vouched(v, &s, q->heard_ns, VPN_SILENCE_NS, t))
		return false;
	t->grade = GRADE_D1;
	suspect_since(v, t);
	testimony_says(t, "the server's last datagram came %.1f s before the client's last, after %u "
		       "of data", (double)(q->after_ns - q->heard_ns) / 1e9, q->data_heard);
	testimony_expects(t, "an answer to one of %u datagrams", q->n_after);
	return true;
}

/* VPN-DATA-CUT: D3 where the server still answers others. */
static bool match_cut(const struct view *v, const struct signature *self, struct testimony *t)
{
	(void)self;
	const struct vpn_exchange *q = of(v);
	struct vpn_siblings s = siblings(v);
	if (!vpn_exchange_is_cut(q) || v->ex->n_icmp != 0 ||
	    !vouched(v, &s, q->heard_ns, VPN_SILENCE_NS, t))
		return false;
	if (s.cuts < CUT_SESSIONS) {
		t->untestable = "fewer than three sessions stopped after as much data";
		return false;
	}
	if (s.cuts_span_ns < CUT_SPAN_NS || s.longer != 0)
		return false;
	t->grade = v->ctx != NULL && s.alive_after ? GRADE_D3 : GRADE_D2;
	suspect_since(v, t);
	testimony_says(t, "%u sessions of %s stopped after %u data packets, give or take 2", s.cuts,
		       vpn_label_name[q->proto], q->data_heard);
	testimony_expects(t, "sessions that end whenever their users end them");
	return true;
}

/* VPN-PPTP-GRE: the control connection, over TCP, is another flow of the same hosts. */
static bool match_gre(const struct view *v, const struct signature *self, struct testimony *t)
{
	(void)self;
	const struct vpn_exchange *q = of(v);
	struct vpn_siblings s = siblings(v);
	if (q->proto != VPN_PPTP || q->heard || q->data < GRE_PACKETS || v->ex->n_icmp != 0 ||
	    !vouched(v, &s, v->flow->first_ns, VPN_SILENCE_NS, t))
		return false;
	const struct server_habits *control =
		v->ctx == NULL ? NULL
			       : context_server(v->ctx, &v->flow->server, PPTP_PORT,
						v->flow->ip_version);
	if (v->ctx != NULL && (control == NULL || control->answered == 0)) {
		t->untestable = "no control connection of this server's was answered";
		return false;
	}
	t->grade = GRADE_D1;
	suspect_since(v, t);
	testimony_says(t, "%u packets of GRE to the server, none from it", q->data);
	testimony_expects(t, "GRE both ways, as TCP port %u answers", PPTP_PORT);
	return true;
}

/* THR-POLICE of a tunnel, by the numbers of its datagrams. */
static bool match_rate(const struct view *v, const struct signature *self, struct testimony *t)
{
	(void)self;
	const struct rate_facts *r = &of(v)->rate;
	if (r->form != RATE_POLICED)
		return false;
	t->grade = GRADE_D1;
	t->frame = r->frame;
	testimony_says(t, "%.0f kbit/s, %.1f %% of %u datagrams missing on arrival", r->rate_bps / 1e3,
		       100 * r->loss, r->n_lost + r->n_passed);
	testimony_expects(t, "losses apart from a bucket's level");
	return true;
}

/* VPN-REHS-STORM. */
static bool match_storm(const struct view *v, const struct signature *self, struct testimony *t)
{
	(void)self;
	const struct vpn_exchange *q = of(v);
	struct vpn_siblings s = siblings(v);
	if (!is_storm(v) || !vouched(v, &s, q->heard_ns, STORM_NS, t))
		return false;
	t->grade = GRADE_D1;
	suspect_since(v, t);
	testimony_says(t, "%u initiations since the server's last datagram, %.0f s before",
		       q->n_initiations, (double)(q->last_ns - q->heard_ns) / 1e9);
	testimony_expects(t, "a response to the first");
	return true;
}

#define ROW .family = FAMILY_VPN_INTERFERENCE, .cause = CAUSE_VPN, .fact = FACT_SILENCE, .names = true
#define WRONG_KEY "a server that is down; a wrong key, to which WireGuard and tls-crypt are silent; "

const struct signature sig_vpn[] = {
	{.id = "vpn-data-cut", ROW,
	 .summary = "tunnels that had been set up went silent after the same number of data packets",
	 .benign = "a server or its network with a fault of its own",
	 .refs = "net4people/bbs 274", .match = match_cut},
	{.id = "vpn-port-unanswered", ROW,
	 .summary = "one UDP port of a server went silent to a client that it knows, others did not",
	 .benign = "the VPN's program was stopped while its host went on",
	 .refs = "net4people/bbs 117", .match = match_port},
	{.id = "vpn-handshake-unanswered", ROW,
	 .summary = "a tunnel's first message was sent again and again and never answered",
	 .benign = WRONG_KEY "a firewall of the server's own",
	 .refs = WIREGUARD, .param = 0, .match = match_handshake},
	{.id = "ike-unanswered", ROW,
	 .summary = "an IKE request was sent again and again and never answered",
	 .benign = "a gateway that is down or does not know the client; lost IP fragments of large "
		   "messages",
	 .refs = "RFC 7296 section 2.1", .param = 1, .match = match_handshake},
	{.id = "vpn-unanswered", ROW,
	 .summary = "a tunnel's first message or two that nobody answered",
	 .benign = WRONG_KEY "loss; a client that gave up",
	 .refs = WIREGUARD, .match = match_few},
	{.id = "vpn-rekey-unanswered", ROW,
	 .summary = "a tunnel that had worked asks for new keys again and again, and nobody answers",
	 .benign = "a client that moved to another network or slept; a server that is down",
	 .refs = WIREGUARD, .match = match_storm},
	{.id = "pptp-gre-unanswered", ROW,
	 .summary = "PPTP's control connection works, and its data over GRE is never answered",
	 .benign = "a translator without a helper for PPTP; a firewall that lets only TCP and UDP out",
	 .refs = "RFC 2637 section 4", .match = match_gre},
	{.id = "vpn-rate-policed", .family = FAMILY_THROTTLING, .cause = CAUSE_VPN,
	 .fact = FACT_RATE, .names = true,
	 .summary = "what exceeded a rate of a tunnel's datagrams was dropped, as a token bucket does",
	 .benign = "a limit of the client's plan or access link, for all of its traffic alike",
	 .refs = "Flach et al., An Internet-Wide Analysis of Traffic Policing, SIGCOMM 2016",
	 .match = match_rate},
	{.id = "vpn-data-stopped", ROW,
	 .summary = "a tunnel that had been set up went silent while its client went on asking",
	 .benign = "a server that is down; a client that moved to another network; a wrong cipher or "
		   "route behind the tunnel",
	 .refs = "net4people/bbs 274 (of several sessions)", .match = match_stopped},
	{.id = NULL},
};
