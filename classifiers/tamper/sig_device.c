/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The traits of known generators that prove a forgery by themselves (D4). All others only
 * say whom the packets of a finding look like.
 */

#include "classifiers/tamper/lockstep.h"
#include "classifiers/tamper/packetlogic.h"
#include "classifiers/tamper/tsg.h"
#include "classifiers/tamper/signature.h"

static bool match_tsg(const struct view *v, const struct signature *self, struct testimony *t)
{
	struct tsg_result r;
	(void)self;
	/* One packet fits by chance once in 65,536: only several of them are proof. */
	if (!tsg_examine(v, v->rst, v->n_rst, &r) || r.rule < TSG_SERIES)
		return false;
	t->grade = GRADE_D4;
	t->frame = v->e[r.packets[0]].frame;
	for (unsigned i = 0; i < r.n_packets; i++)
		testimony_suspect(t, r.packets[i]);
	testimony_says(t, "IP-ID follows from window and addresses, seed %u, %u resets%s", r.seed,
		       r.n_packets + r.n_others,
		       r.n_others != 0 ? " (other connections' included)" : "");
	testimony_expects(t, "IP-IDs that know nothing of windows");
	return true;
}

static bool match_lockstep(const struct view *v, const struct signature *self, struct testimony *t)
{
	struct lockstep l;
	(void)self;
	if (!lockstep_examine(v, v->rst, v->n_rst, &l))
		return false;
	t->grade = GRADE_D4;
	t->frame = v->e[l.packets[0]].frame;
	for (unsigned i = 0; i < l.n_packets; i++)
		testimony_suspect(t, l.packets[i]);
	testimony_says(t, "window minus TTL is %d on %u different resets%s", l.offset, l.n_stamps,
		       l.n_others != 0 ? " (other connections' included)" : "");
	testimony_expects(t, "one TTL for all packets of a sender");
	return true;
}

/* All four, where the sender's own packets show neither this window nor a counter passing by. */
static bool is_packetlogic(const struct view *v, unsigned i)
{
	if (event_dir(&v->e[i]) != v->dir || packetlogic_traits(v, i) != PACKETLOGIC_TRAITS)
		return false;
	for (unsigned k = 0; k < v->n; k++) {
		const struct event *e = &v->e[k];
		uint16_t step = (uint16_t)(e->ip_id - PACKETLOGIC_IPID);
		if (event_dir(e) != v->dir || (e->flags & TCP_RST) != 0 ||
		    e->ip_id == PACKETLOGIC_IPID)
			continue;
		if (e->window == PACKETLOGIC_WINDOW || step <= 64 || step >= 0x10000 - 64)
			return false;
	}
	return true;
}

/*
 * A page comes on FIN+ACK without PSH, a refusal on RST+ACK without payload. The bare ACK of the
 * client's FIN goes with the page.
 */
static bool match_packetlogic(const struct view *v, const struct signature *self,
			      struct testimony *t)
{
	bool page = self->cause == CAUSE_CONTENT;
	unsigned shape = page ? TCP_FIN | TCP_ACK : TCP_RST | TCP_ACK;
	for (unsigned i = 0; i < v->n; i++) {
		const struct event *e = &v->e[i];
		unsigned flags = e->flags & 0xfff;
		bool empty = e->len == 0 || (e->bits & EVENT_PADDING) != 0;
		bool ack = page && t->n_suspects != 0 && flags == TCP_ACK && empty;
		if ((e->flags & EVENT_IGNORED) != 0 || !is_packetlogic(v, i) ||
		    !(ack || (flags == shape && page != empty)))
			continue;
		if (t->n_suspects == 0)
			t->frame = e->frame;
		testimony_suspect(t, i);
	}
	if (t->n_suspects == 0)
		return false;
	t->grade = GRADE_D4;
	testimony_says(t, "IP-ID 0x3412, window 32120, no DF, no options");
	testimony_expects(t, "the sender's own IP-ID and window");
	return true;
}

#define PACKETLOGIC_REF "Marczak et al., Bad Traffic, Citizen Lab 2018"

const struct signature sig_device[] = {
	{.id = "tsg-relation", .family = FAMILY_TCP_INJECTION, .cause = CAUSE_RESET,
	 .fact = FACT_HEADER, .names = true,
	 .summary = "IP-ID, window and addresses of the resets obey a known generator's formula",
	 .benign = "none known", .rules_out = "a TCP stack: none computes its IP-ID from its window",
	 .refs = "Ablove et al., USENIX Security 2026, listing 1", .match = match_tsg},
	{.id = "ttl-window-lockstep", .family = FAMILY_TCP_INJECTION, .cause = CAUSE_RESET,
	 .fact = FACT_HEADER, .names = true,
	 .summary = "TTL and window of three or more resets rise and fall together",
	 .benign = "none known",
	 .rules_out = "one host on one path: its TTL does not follow its window",
	 .refs = "Marczak et al., China's Great Cannon, Citizen Lab 2015", .match = match_lockstep},
	{.id = "packetlogic-constants", .family = FAMILY_HTTP_INJECTION, .cause = CAUSE_CONTENT,
	 .fact = FACT_HEADER, .names = true,
	 .summary = "an answer that closes, with the four header constants of a known injector",
	 .benign = "none known",
	 .rules_out = "the server: its own packets have another IP-ID series and window",
	 .refs = PACKETLOGIC_REF, .match = match_packetlogic},
	{.id = "packetlogic-constants-reset", .family = FAMILY_TCP_INJECTION, .cause = CAUSE_RESET,
	 .fact = FACT_HEADER, .names = true,
	 .summary = "a reset with the four header constants of a known injector",
	 .benign = "none known",
	 .rules_out = "the server: its own packets have another IP-ID series and window",
	 .refs = PACKETLOGIC_REF, .match = match_packetlogic},
	{.id = NULL},
};
