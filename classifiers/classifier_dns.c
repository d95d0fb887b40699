/* SPDX-License-Identifier: BSD-3-Clause */

#include <netinet/in.h>

#include "classifiers/classifier.h"
#include "classifiers/inspector.h"
#include "classifiers/tamper/dns_exchange.h"
#include "dataplane/reassembly.h"

#define PORT_MDNS 5353  /* RFC 6762: many may answer, and do */
#define PORT_LLMNR 5355 /* RFC 4795 */

/* Of a flow; most have no DNS. */
struct flow_dns {
	struct dns_gather *gather; /* NULL before the first message */
	size_t at[2];              /* TCP: behind the last message, by enum dir */
};

static int shard_open(void *shard, const struct analysis_config *cfg)
{
	struct dns_gatherer *s = shard;
	s->rules = cfg->rules;
	return 0;
}

static bool of_port(const struct flow *f, uint16_t port)
{
	return flow_port(f, DIR_S2C) == port;
}

static enum classify packet(void *shard, void *state, const struct flow *f, enum dir dir,
			    const struct packet *pkt, const struct headers *h,
			    struct app_facts *facts, struct label *out)
{
	struct flow_dns *d = state;
	(void)out;
	if (f->key.proto != IPPROTO_UDP)
		return CLASSIFY_NEVER;
	if (of_port(f, PORT_MDNS) || of_port(f, PORT_LLMNR)) {
		struct dns_message m;
		if (h->payload_caplen != 0 && dns_read(h->payload, h->payload_caplen, &m) &&
		    m.end == DNS_OK)
			facts->app_proto = of_port(f, PORT_MDNS) ? "mdns" : "llmnr";
		return CLASSIFY_NEVER;
	}
	if (!of_port(f, DNS_PORT))
		return CLASSIFY_NEVER;
	if (h->payload_caplen == 0)
		return CLASSIFY_MORE;
	const struct dns_packet p = {.flow = f, .dir = dir, .pkt = pkt, .h = h,
				     .cut = h->payload_caplen < h->payload_len};
	if (dns_gather_message(shard, &d->gather, &p, h->payload, h->payload_caplen, facts))
		facts->app_proto = "dns";
	else if (d->gather == NULL)
		return CLASSIFY_NEVER;
	return CLASSIFY_MORE;
}

static void icmp(void *shard, void *state, const struct flow *f, enum dir dir,
		 const struct packet *pkt, const struct headers *h, struct app_facts *facts)
{
	struct flow_dns *d = state;
	(void)shard, (void)pkt, (void)facts;
	if (dir == DIR_C2S)
		dns_gather_icmp(d->gather, f, h);
}

static enum classify stream(void *shard, void *state, const struct flow *f, enum dir dir,
			    const struct packet *pkt, const struct headers *h, const uint8_t *data,
			    size_t len, struct app_facts *facts)
{
	struct flow_dns *d = state;
	const struct dns_packet p = {.flow = f, .dir = dir, .pkt = pkt, .h = h, .tcp = true};
	const uint8_t *message;
	size_t n;
	if (!of_port(f, DNS_PORT))
		return CLASSIFY_NEVER;
	while (dns_read_prefix(data, len, &d->at[dir], &message, &n)) {
		if (!dns_gather_message(shard, &d->gather, &p, message, n, facts))
			return CLASSIFY_NEVER;
		facts->app_proto = "dns";
	}
	return CLASSIFY_MORE;
}

static void flow_end(void *shard, void *state, const struct flow *f, struct app_facts *facts,
		     struct label *out)
{
	struct flow_dns *d = state;
	(void)out;
	dns_gather_end(shard, d->gather, f, facts);
	d->gather = NULL;
}

const struct classifier classifier_dns = {
	.name = "dns",
	.doc = "reads DNS queries and everything that answers them, over UDP and TCP",
	.shard_size = sizeof(struct dns_gatherer),
	.flow_size = sizeof(struct flow_dns),
	.shard_open = shard_open,
	.packet_proto = IPPROTO_UDP,
	.packet = packet,
	.icmp = icmp,
	.stream = stream,
	.flow_end = flow_end,
};
