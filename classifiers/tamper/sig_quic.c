/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * QUIC Initials that nobody answered. One such silence is what a server
 * without HTTP/3, a packet filter, or a race that TCP won look like; what makes it more is what the
 * same server answered meanwhile. No forgery is known: answers that any host on the path could have
 * sent are only told.
 */

#include "classifiers/tamper/context_quic.h"
#include "classifiers/tamper/signature.h"

#define REF "Zohaib et al., USENIX Security 2025"
#define FLIGHTS 3                     /* three losses in a row at 1 % are one in a million */
#define SPAN_NS 3000000000ull
#define NAME_TRIES 3                  /* as study.h asks of a filtered name */
#define CONTROL_TRIES 2
#define VERSION_SIZE 1001             /* bytes: Russia's filter of 2022 let smaller ones pass */
#define TTL_OFF 6                     /* EV-TTL: honest hosts were seen to vary by 5 */

static bool mostly(unsigned part, unsigned rest)
{
	return part * 10 >= (part + rest) * 8;
}

/* What the capture says of the server's other attempts; none before it is complete. */
static struct quic_siblings siblings(const struct view *v)
{
	if (v->ctx == NULL)
		return (struct quic_siblings){.heard = 1};
	return quic_context_siblings(context_quic(v->ctx), v->flow, quic_exchange_of(v->ex));
}

/* Whether it is a silence at all, and one that the capture can vouch for. */
static bool unanswered(const struct view *v, const struct quic_siblings *s, struct testimony *t)
{
	const struct quic_exchange *q = quic_exchange_of(v->ex);
	if (v->ex->end != ATTEMPT_SILENT || quic_version_find(q->version) == NULL)
		return false;
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
	if (context_end_ns(v->ctx) < q->first_ns + QUIC_SILENCE_NS) {
		t->untestable = "the capture ends too soon after the Initial";
		return false;
	}
	return true;
}

static void suspect_initials(const struct view *v, struct testimony *t)
{
	for (unsigned i = 0; i < v->n; i++)
		if (event_dir(&v->e[i]) == DIR_C2S)
			testimony_suspect(t, i);
	t->frame = v->n != 0 ? v->e[0].frame : 0;
}

static double seconds(const struct view *v)
{
	const struct quic_exchange *q = quic_exchange_of(v->ex);
	return (double)(q->last_ns - q->first_ns) / 1e9;
}

/* QUIC-NOANS: param 0 the whole of it, param 1 what falls short of it. */
static bool match_silence(const struct view *v, const struct signature *self, struct testimony *t)
{
	const struct quic_exchange *q = quic_exchange_of(v->ex);
	struct quic_siblings s = siblings(v);
	bool full = q->n_flights >= FLIGHTS && q->last_ns - q->first_ns >= SPAN_NS;
	if (full != (self->param == 0) || !unanswered(v, &s, t))
		return false;
	t->grade = GRADE_D1;
	suspect_initials(v, t);
	testimony_says(t, "%u Initial%s in %.1f s, and no datagram came back", q->n_initials,
		       q->n_initials != 1 ? "s" : "", seconds(v));
	testimony_expects(t, "an Initial, a Retry, a Version Negotiation or an ICMP error");
	return true;
}

/* QUIC-SNI. Controls come from the same source-port stratum (QUIC-SPORT). */
static bool match_name(const struct view *v, const struct signature *self, struct testimony *t)
{
	(void)self;
	struct quic_siblings s = siblings(v);
	if (v->ctx == NULL || v->ex->name[0] == '\0' || !unanswered(v, &s, t))
		return false;
	if (s.silent < NAME_TRIES || !mostly(s.silent, s.ok))
		return false;
	if (s.others_ok + s.others_silent < CONTROL_TRIES) {
		t->untestable = "no other names were tried at this server";
		return false;
	}
	if (s.others_ok < CONTROL_TRIES || !mostly(s.others_ok, s.others_silent) || !s.others_after)
		return false;
	t->grade = GRADE_D3;
	suspect_initials(v, t);
	testimony_says(t, "%u of %u unanswered; other names at this server: %u of %u answered",
		       s.silent, s.silent + s.ok, s.others_ok, s.others_ok + s.others_silent);
	testimony_expects(t, "equal fate for all names at one address");
	return true;
}

/* QUIC-VER. */
static bool match_version(const struct view *v, const struct signature *self, struct testimony *t)
{
	(void)self;
	const struct quic_exchange *q = quic_exchange_of(v->ex);
	struct quic_siblings s = siblings(v);
	if (v->ctx == NULL || (q->version != QUIC_V1 && q->version != QUIC_V2) ||
	    q->size < VERSION_SIZE || s.v12_ok != 0 || s.other_versions == 0 ||
	    !unanswered(v, &s, t))
		return false;
	t->grade = GRADE_D2;
	suspect_initials(v, t);
	testimony_says(t, "version 0x%08x of %u bytes unanswered; %u of other versions answered",
		       q->version, q->size, s.other_versions);
	testimony_expects(t, "at least a Version Negotiation");
	return true;
}

/* QUIC-SPORT. The other way round a server's own filter of low source ports looks like it. */
static bool match_ports(const struct view *v, const struct signature *self, struct testimony *t)
{
	(void)self;
	const struct quic_exchange *q = quic_exchange_of(v->ex);
	struct quic_siblings s = siblings(v);
	if (v->ctx == NULL || v->ex->name[0] == '\0' || !q->above || !unanswered(v, &s, t))
		return false;
	if (s.silent < NAME_TRIES || !mostly(s.silent, s.ok) || s.across_ok < CONTROL_TRIES ||
	    !mostly(s.across_ok, s.across_silent) || !s.across_after)
		return false;
	t->grade = GRADE_D2;
	suspect_initials(v, t);
	testimony_says(t, "from ports above %u: %u of %u unanswered; below: %u of %u answered",
		       v->flow->server_port, s.silent, s.silent + s.ok, s.across_ok,
		       s.across_ok + s.across_silent);
	testimony_expects(t, "equal fate whatever the source port");
	return true;
}

/* QUIC-INJ. */
static bool match_odd(const struct view *v, const struct signature *self, struct testimony *t)
{
	static const char *const what[] = {
		[QUIC_ODD_NEGOTIATION] = "Version Negotiation",
		[QUIC_ODD_RETRY] = "Retry",
		[QUIC_ODD_CLOSE] = "CONNECTION_CLOSE",
	};
	(void)self;
	const struct quic_exchange *q = quic_exchange_of(v->ex);
	for (unsigned i = 0; i < q->n_odd; i++) {
		unsigned at = q->odd[i].event;
		if (at >= v->n)
			continue;
		struct view rest = view_without(v, at);
		if (rest.base.n < 2 || rest.base.other_flows || !view_ttl_off(&rest, at, TTL_OFF))
			continue;
		t->grade = GRADE_D1;
		t->frame = v->e[at].frame;
		testimony_suspect(t, at);
		testimony_says(t, "%s with TTL %u", what[q->odd[i].what], v->e[at].ttl);
		testimony_expects(t, "%u to %u, as the server's other packets", rest.base.ttl_lo,
				  rest.base.ttl_hi);
		return true;
	}
	return false;
}

const struct signature sig_quic[] = {
	{.id = "quic-initials-unanswered", .family = FAMILY_SILENT_DROP, .cause = CAUSE_QUIC,
	 .fact = FACT_SILENCE, .names = true,
	 .summary = "QUIC Initials were sent again and again and never answered",
	 .benign = "a server without HTTP/3, or that is down; a firewall that lets no UDP pass",
	 .refs = "RFC 9002 section 6.2; " REF, .param = 0, .match = match_silence},
	{.id = "quic-unanswered", .family = FAMILY_SILENT_DROP, .cause = CAUSE_QUIC,
	 .fact = FACT_SILENCE, .names = true,
	 .summary = "a QUIC Initial or two that nobody answered",
	 .benign = "loss; a client that gave up since TCP was faster; a server without HTTP/3",
	 .refs = "RFC 9002 section 6.2; " REF, .param = 1, .match = match_silence},
	{.id = "quic-name-unanswered", .family = FAMILY_QUIC_FILTERING, .cause = CAUSE_QUIC,
	 .fact = FACT_SILENCE, .names = true,
	 .summary = "QUIC with this name is never answered, others at this address are",
	 .benign = "a server that ignores names which are not its own",
	 .refs = REF, .match = match_name},
	{.id = "quic-version-unanswered", .family = FAMILY_QUIC_FILTERING, .cause = CAUSE_QUIC,
	 .fact = FACT_SILENCE, .names = true,
	 .summary = "QUIC version 1 or 2 is never answered, other versions at this address are",
	 .benign = "a server that speaks drafts only and does not say so",
	 .refs = "Xue et al., TSPU, IMC 2022", .match = match_version},
	{.id = "quic-port-order", .family = FAMILY_QUIC_FILTERING, .cause = CAUSE_QUIC,
	 .fact = FACT_PORTS, .names = true,
	 .summary = "a name is answered only where the source port is below the destination port",
	 .benign = "a client whose network changed with its ports",
	 .refs = REF, .match = match_ports},
	{.id = "quic-odd-answer", .family = FAMILY_QUIC_FILTERING, .cause = CAUSE_QUIC,
	 .fact = FACT_HEADER, .names = true,
	 .summary = "a packet that ends or changes a QUIC handshake came from another distance",
	 .benign = "a load balancer that answers for its servers",
	 .refs = "this project's rule; RFC 9000 sections 6, 8.1 and 10.2",
	 .match = match_odd},
	{.id = NULL},
};
