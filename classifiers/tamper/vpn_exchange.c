/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/tamper/vpn_exchange.h"

#include <stdlib.h>

#define RECORDED 12 /* a session's first packets; the last come from after[] */
#define DIALOGUE 10 /* packets either way: PPP's configuration takes about as many */
#define CUT_ASKED 3 /* three losses in a row at 1 % are one in a million */

struct vpn_exchange *vpn_exchange_new(bool ipv6)
{
	struct vpn_exchange *q = calloc(1, sizeof(*q));
	if (q != NULL)
		exchange_init(&q->x, EXCHANGE_VPN, ipv6);
	return q;
}

static uint16_t more(uint16_t n)
{
	return n != UINT16_MAX ? n + 1 : n;
}

static void count_initiation(struct vpn_exchange *q, uint64_t now)
{
	if (q->n_initiations == 0)
		q->first_ns = now;
	if (q->n_initiations == 0 || now >= q->last_ns + VPN_FLIGHT_NS)
		q->n_flights = more(q->n_flights);
	q->n_initiations = more(q->n_initiations);
	q->last_ns = now > q->last_ns ? now : q->last_ns;
	q->initiated = true;
	if (q->x.request_ns == 0)
		q->x.request_ns = now;
}

static void hear(struct vpn_exchange *q, const struct event *e, bool answers)
{
	q->heard = true;
	if (answers && !q->answered)
		q->x.end_ns = e->ts_ns;
	q->answered |= answers;
	q->heard_ns = e->ts_ns;
	q->last_heard = *e;
	q->data_heard = q->data;
	q->n_initiations = q->n_flights = q->n_after = 0;
	q->kept_after = 0;
}

void vpn_exchange_packet(struct vpn_exchange *q, enum dir dir, const struct packet *pkt,
			 const struct headers *h, struct vpn_said said)
{
	struct event e = evidence_event(0, dir, pkt, h);
	q->n_datagrams = more(q->n_datagrams);
	if (q->n_datagrams <= RECORDED)
		exchange_event(&q->x, &e);
	q->data += said.kind == VPN_DATA && q->data != UINT32_MAX;
	if (dir == DIR_S2C) {
		hear(q, &e, said.answers);
		return;
	}
	if (said.begins)
		count_initiation(q, pkt->ts_ns);
	if (!said.begins && (said.kind != VPN_DATA || h->payload_len < VPN_ASKS_MIN))
		return;
	q->n_after = more(q->n_after);
	q->after_ns = pkt->ts_ns;
	/* The first of them, and the last. */
	unsigned at = q->kept_after < VPN_AFTER ? q->kept_after++ : VPN_AFTER - 1u;
	q->after[at] = e;
}

/* An event that is not there yet, in order. */
static void append(struct exchange *x, const struct event *e)
{
	const struct event *last = x->n_events != 0 ? &x->events[x->n_events - 1] : NULL;
	if (last == NULL || last->file != e->file || last->frame < e->frame)
		exchange_event(x, e);
}

void vpn_exchange_finish(struct vpn_exchange *q, const struct vpn_facts *v,
			 struct app_facts *facts)
{
	if (q == NULL)
		return;
	/* Of a session from before the capture only its end can be judged. */
	bool judged = q->initiated || (v->midway && q->heard) || v->proto == VPN_PPTP;
	if (v->proto == VPN_NONE || !judged) {
		exchange_free(&q->x);
		return;
	}
	q->proto = v->proto;
	q->x.name = vpn_proto_name[v->proto];
	if (q->heard)
		append(&q->x, &q->last_heard);
	for (unsigned i = 0; i < q->kept_after; i++)
		append(&q->x, &q->after[i]);
	q->x.end = q->answered	    ? ATTEMPT_OK
		   : q->heard	    ? ATTEMPT_UNKNOWN
		   : q->x.n_icmp != 0 ? ATTEMPT_REFUSED
				    : ATTEMPT_SILENT;
	if (!q->answered)
		q->x.end_ns = q->last_ns;
	exchange_done(&q->x, facts);
}

/*
 * Whether what the client asked for since has an answer, if only an echo of the tunnel's own: keepalives of
 * OpenVPN and WireGuard; PPP's (RFC 1661, section 5.8) once it had spoken for a while. ESP has none, but
 * each request of IKE has (RFC 7296, section 2.1), and a client that hears nothing must ask (section 2.4).
 */
static bool has_answers(const struct vpn_exchange *q)
{
	bool ppp = q->proto == VPN_L2TP || q->proto == VPN_PPTP;
	bool ike = q->proto == VPN_IKE && q->n_flights >= CUT_ASKED;
	return q->proto == VPN_OPENVPN || q->proto == VPN_WIREGUARD ||
	       ((ppp || ike) && q->data_heard >= DIALOGUE);
}

bool vpn_exchange_is_cut(const struct vpn_exchange *q)
{
	return has_answers(q) && q->heard && (q->answered || !q->initiated || q->data_heard != 0) &&
	       q->n_after >= CUT_ASKED && q->after_ns >= q->heard_ns + VPN_SILENCE_NS;
}
