/* SPDX-License-Identifier: BSD-3-Clause */

/* Resets that Nourin et al. measured in Tajikistan and Turkmenistan. */

#include "classifiers/device/device.h"
#include "classifiers/tamper/dns_compare.h"

#define TM_IPID 30000
#define TM_TTL 128
#define TJ_ZEROS 22

/* The same generator's answers: 127.0.0.1 for 300 seconds. */
static bool match_tm_dns(const struct view *v, const struct suspects *s, struct attribution *out)
{
	const struct dns_exchange *x = dns_exchange_of(v->ex);
	for (unsigned i = 0; i < x->n_replies; i++)
		for (unsigned k = 0; k < s->n; k++)
			if (s->event[k] == x->reply[i].event &&
			    dns_is_turkmenistan(v, &x->reply[i])) {
				int hops = TM_TTL - v->e[s->event[k]].ttl;
				out->hops = out->n_packets == 0 || out->hops == hops ? hops : -1;
				attribution_packet(out, s->event[k]);
			}
	out->grade = ATTRIBUTION_A2;
	attribution_says(out, "127.0.0.1, TTL 300, IP-ID 30000, no DF, TTL from 128");
	return out->n_packets != 0;
}

static bool match_tm(const struct view *v, const struct suspects *s, struct attribution *out)
{
	if (v->ex != NULL)
		return match_tm_dns(v, s, out);
	for (unsigned i = 0; i < s->n; i++) {
		const struct event *e = &v->e[s->event[i]];
		const struct half *h = &v->ev->half[event_dir(e)];
		/* "seq=0": as read off a printer of relative numbers, or as written. */
		bool seq = e->seq == 0 || (h->syn && e->seq == h->isn);
		if (!device_is_reset(v, s->event[i]) || v->flow->ip_version != 4 ||
		    (e->flags & 0xfff) != TCP_RST || !seq || e->window != 0 ||
		    e->ip_id != TM_IPID || (e->bits & (EVENT_DF | EVENT_OPTIONS)) != 0 ||
		    e->ttl > TM_TTL || e->ttl <= TM_TTL / 2)
			continue;
		int hops = TM_TTL - e->ttl;
		out->hops = out->n_packets == 0 || out->hops == hops ? hops : -1;
		attribution_packet(out, s->event[i]);
	}
	out->grade = ATTRIBUTION_A2;
	attribution_says(out, "bare RST, seq 0, window 0, IP-ID 30000, no DF, TTL from 128");
	return out->n_packets != 0;
}

static bool match_tj(const struct view *v, const struct suspects *s, struct attribution *out)
{
	static const uint8_t zeros[TJ_ZEROS];
	uint32_t hash = evidence_payload_hash(zeros, sizeof(zeros));
	for (unsigned i = 0; i < s->n; i++) {
		const struct event *e = &v->e[s->event[i]];
		if (!device_is_reset(v, s->event[i]) || (e->flags & 0xfff) != (TCP_RST | TCP_ACK) ||
		    e->len != TJ_ZEROS || e->payhash != hash || (e->bits & EVENT_PADDING) != 0)
			continue;
		attribution_packet(out, s->event[i]);
	}
	out->grade = ATTRIBUTION_A2;
	attribution_says(out, "RST+ACK with 22 zero bytes of payload");
	return out->n_packets != 0;
}

const struct device dev_central_asia[] = {
	{.id = "turkmenistan",
	 .doc = "bare RST with sequence number 0, DNS answer 127.0.0.1, both with IP-ID 30000",
	 .source = "Nourin et al., Measuring and Evading Turkmenistan's Internet Censorship, WWW 2023",
	 .valid_from = "2022", .grade = ATTRIBUTION_A2, .dns = true, .attributed = true,
	 .match = match_tm},
	{.id = "tajikistan", .doc = "RST+ACK that carries 22 zero bytes",
	 .source = "Nourin et al., FOCI 2023", .valid_from = "2022", .grade = ATTRIBUTION_A2,
	 .attributed = true, .match = match_tj},
	{.id = NULL},
};
