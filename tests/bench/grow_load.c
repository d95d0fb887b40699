/* SPDX-License-Identifier: BSD-3-Clause */

/* A capture as a template: its whole TCP and UDP packets, without VLAN tags, and who spoke. */

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/cursor.h"
#include "dataplane/source.h"
#include "tests/bench/grow.h"

static int room_for(void **list, size_t *room, size_t want, size_t size)
{
	size_t more = *room != 0 ? *room : 64;

	while (more < want)
		more *= 2;
	if (more == *room)
		return 0;
	void *bigger = realloc(*list, more * size);
	if (bigger == NULL)
		return -ENOMEM;
	*list = bigger;
	*room = more;
	return 0;
}

static enum address_class class_of(const struct ip_addr *a, unsigned ip_version)
{
	const uint8_t *b = a->b + 12;

	if (ip_version == 6)
		return ADDRESS_V6;
	if (b[0] == 10 || (b[0] == 172 && b[1] >> 4 == 1) || (b[0] == 192 && b[1] == 168) ||
	    (b[0] == 100 && b[1] >> 6 == 1) || (b[0] == 169 && b[1] == 254))
		return ADDRESS_PRIVATE;
	return ADDRESS_PUBLIC;
}

/* Place of an address in the template's list; it is added if need be. */
static int address_place(struct template *t, const struct ip_addr *a, unsigned ip_version,
			 uint32_t *place)
{
	/* The last ones met are the likely ones. */
	for (uint32_t i = t->n_addresses; i > 0; i--) {
		if (memcmp(&t->addresses[i - 1].was, a, sizeof(*a)) == 0) {
			*place = i - 1;
			return 0;
		}
	}
	size_t room = t->room_addresses;
	void *list = t->addresses;
	if (room_for(&list, &room, t->n_addresses + 1, sizeof(*t->addresses)) != 0)
		return -ENOMEM;
	t->addresses = list;
	t->room_addresses = (uint32_t)room;
	enum address_class class = class_of(a, ip_version);
	t->addresses[t->n_addresses] = (struct address){
		.was = *a, .class = class, .ordinal = t->n_class[class]++};
	*place = t->n_addresses++;
	return 0;
}

/* Cut short by the capture: not only this packet, the whole connection would be of no use. */
static bool is_cut(const struct packet *pkt, const struct headers *h)
{
	return h->end == DECODE_CUT_IP || h->end == DECODE_CUT_TRANSPORT ||
	       (h->ip_version != 0 && pkt->caplen < pkt->wirelen && h->l3_caplen < h->ip_len);
}

static bool is_useful(const struct headers *h)
{
	if (h->end != DECODE_OK || h->n_tunnels != 0 || h->l3_caplen < h->ip_len ||
	    h->ip_len > UINT16_MAX || h->mf || h->frag_offset != 0)
		return false;
	if ((h->anomalies & (ANOMALY_IP_HLEN | ANOMALY_IP_LEN | ANOMALY_IP_VERSION |
			     ANOMALY_IP6_EXT | ANOMALY_ETH_PADDING)) != 0)
		return false;
	uint32_t said = h->ip_version == 4 ? load_be16(h->l3 + 2) : load_be16(h->l3 + 4) + 40u;
	if (said != h->ip_len)
		return false;
	/* A routing header would put another address in the checksum (RFC 8200 section 8.1). */
	if (h->ip_version == 6 && h->ip_hlen != 40)
		return false;
	if (h->proto == IPPROTO_TCP)
		return tcp_is_whole(h);
	return h->proto == IPPROTO_UDP && h->ip_len >= h->ip_hlen + 8u &&
	       load_be16(h->l3 + h->ip_hlen + 4) == h->ip_len - h->ip_hlen;
}

static int sample_add(struct template *t, const struct headers *h, uint64_t offset_us)
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	struct sample s = {.offset_us = offset_us, .at = t->n_bytes, .ip_len = h->ip_len,
			   .ip_hlen = h->ip_hlen, .proto = h->proto, .ip_version = h->ip_version};
	size_t len = ETHERNET_HLEN + (size_t)h->ip_len;
	void *samples = t->samples, *bytes = t->bytes;

	if (room_for(&samples, &t->room_samples, t->n_samples + 1, sizeof(s)) != 0)
		return -ENOMEM;
	t->samples = samples;
	if (room_for(&bytes, &t->room_bytes, t->n_bytes + len, 1) != 0)
		return -ENOMEM;
	t->bytes = bytes;
	if (address_place(t, &h->src, h->ip_version, &s.src) != 0 ||
	    address_place(t, &h->dst, h->ip_version, &s.dst) != 0)
		return -ENOMEM;
	uint8_t *p = t->bytes + t->n_bytes;
	memcpy(p, h->has_mac ? h->dst_mac : macs, 6);
	memcpy(p + 6, h->has_mac ? h->src_mac : macs + 6, 6);
	store_be16(p + 12, h->ip_version == 4 ? 0x0800 : 0x86dd);
	memcpy(p + ETHERNET_HLEN, h->l3, h->ip_len);
	t->n_bytes += len;
	t->samples[t->n_samples++] = s;
	return 0;
}

struct load {
	struct template *t;
	uint64_t gap_us, offset_us, last_us, left_out;
	bool started, cut;
};

static int packet_load(struct load *l, const struct packet *pkt)
{
	uint64_t now_us = pkt->ts_ns / 1000;
	struct headers h;

	packet_decode(pkt, &h);
	if (is_cut(pkt, &h))
		l->cut = true;
	if (!is_useful(&h)) {
		l->left_out++;
		return 0;
	}
	uint64_t gap = l->started && now_us > l->last_us ? now_us - l->last_us : 0;
	l->offset_us += gap < l->gap_us ? gap : l->gap_us;
	l->started = true;
	l->last_us = now_us;
	return sample_add(l->t, &h, l->offset_us);
}

int template_load(struct template *t, const char *path, uint64_t gap_us, struct left_out *out)
{
	struct source_config cfg = {.files = &path, .n_files = 1};
	struct load l = {.t = t, .gap_us = gap_us};
	struct source *src;
	struct packet pkts[64];
	char why[320];
	int n, err = 0;

	*t = (struct template){.n_samples = 0};
	if (source_open(&src, NULL, &cfg, why, sizeof(why)) != 0) {
		out->captures++;
		return 0;
	}
	while (err == 0 && (n = source_recv(src, 0, pkts, 64)) >= 0) {
		for (int i = 0; i < n && err == 0; i++)
			err = packet_load(&l, &pkts[i]);
		source_release(src, 0, pkts, (unsigned)n);
	}
	source_close(src);
	if (err != 0 || l.cut || t->n_samples == 0) {
		template_free(t);
		out->captures++;
	} else {
		out->packets += l.left_out;
	}
	return err;
}

void template_free(struct template *t)
{
	free(t->samples);
	free(t->bytes);
	free(t->addresses);
	*t = (struct template){.n_samples = 0};
}
