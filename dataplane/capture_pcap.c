/* SPDX-License-Identifier: BSD-3-Clause */

/* pcap: draft-ietf-opsawg-pcap, and its relatives that only a magic number tells apart. */

#include <errno.h>
#include <stdio.h>

#include "dataplane/capture.h"

#define FILE_HEADER_LEN 24

struct pcap_magic {
	uint32_t value;
	uint32_t ns_per_tick;
	uint32_t extra;	     /* bytes after the file's header */
	uint32_t record_len; /* of a record's header */
};

static const struct pcap_magic magics[] = {
	{.value = 0xa1b2c3d4, .ns_per_tick = 1000, .record_len = 16},
	{.value = 0xa1b23c4d, .ns_per_tick = 1, .record_len = 16},
	/* A. Kuznetzov's patch: interface, protocol and packet type follow the lengths. */
	{.value = 0xa1b2cd34, .ns_per_tick = 1000, .record_len = 24},
	/* IXIA lcap, hardware and software: the size of all records follows the file's header. */
	{.value = 0x1c0001ac, .ns_per_tick = 1, .extra = 4, .record_len = 16},
	{.value = 0x1c0001ab, .ns_per_tick = 1000, .extra = 4, .record_len = 16},
};

static const struct pcap_magic *magic_find(const uint8_t *head, size_t len, bool *be)
{
	if (len < 4)
		return NULL;
	for (unsigned i = 0; i < sizeof(magics) / sizeof(magics[0]); i++) {
		for (unsigned order = 0; order < 2; order++) {
			*be = order != 0;
			if (get32(head, *be) == magics[i].value)
				return &magics[i];
		}
	}
	return NULL;
}

bool pcap_probe(const uint8_t *head, size_t len)
{
	bool be;
	return magic_find(head, len, &be) != NULL;
}

/* All records that lie whole in the window, max at most; sets need, or ends the capture. */
static unsigned pcap_window(struct capture *c, struct packet pkts[], unsigned max)
{
	struct pcap_state *p = &c->pcap;
	struct stream *s = &c->stream;
	const uint8_t *at = s->blk->data + s->pos;
	size_t left = stream_left(s);
	const uint64_t cookie = (uintptr_t)s->blk;
	const uint32_t record_len = p->record_len;
	const bool be = p->be;
	unsigned n = 0;
	for (; n < max; n++) {
		p->need = record_len;
		if (left < record_len)
			break;
		uint32_t caplen = get32(at + 8, be), wirelen = get32(at + 12, be);
		/* Before version 2.3 the lengths stood the other way round, and some 2.3 lie. */
		if (p->lengths_swapped || (p->lengths_maybe_swapped && caplen > wirelen)) {
			uint32_t swap = caplen;
			caplen = wirelen;
			wirelen = swap;
		}
		if (caplen > p->max_caplen) {
			s->pos = s->end - left;
			capture_damaged(c, stream_offset(s),
					"frame %llu claims %u captured bytes, which no packet has",
					(unsigned long long)c->frame + n + 1, caplen);
			return n;
		}
		p->need = (size_t)record_len + caplen;
		if (left < p->need)
			break;
		pkts[n] = (struct packet){
			.data = at + record_len,
			.caplen = caplen,
			.wirelen = wirelen > caplen ? wirelen : caplen,
			.ts_ns = get32(at, be) * UINT64_C(1000000000) +
				 (uint64_t)get32(at + 4, be) * p->ns_per_tick,
			.frame = c->frame + n + 1,
			.linktype = p->linktype,
			.file = c->file,
			.cookie = cookie,
		};
		at += p->need;
		left -= p->need;
	}
	s->pos = s->end - left;
	return n;
}

static int pcap_next(struct capture *c, struct packet pkts[], unsigned max)
{
	for (;;) {
		unsigned n = pcap_window(c, pkts, max);
		if (n != 0) {
			c->frame += n;
			c->last_ns = pkts[n - 1].ts_ns;
			c->stream.blk->refs += n;
			c->common->ifaces[c->pcap.slot].packets += n;
			return (int)n;
		}
		int ret = c->ended != 0 ? c->ended : capture_want(c, c->pcap.need);
		if (ret != 0)
			return ret == -EINTR ? 0 : ret;
	}
}

int pcap_start(struct capture *c, struct source_damage *why)
{
	struct stream *s = &c->stream;
	struct pcap_state *p = &c->pcap;
	*p = (struct pcap_state){0};
	const struct pcap_magic *m = magic_find(s->blk->data + s->pos, stream_left(s), &p->be);
	int ret = stream_want(s, FILE_HEADER_LEN + m->extra);
	if (ret == STREAM_END) {
		why->offset = s->base + s->end;
		snprintf(why->reason, sizeof(why->reason), "%s",
			 s->broken != NULL ? s->broken : "the pcap file header is cut short");
		return -EINVAL;
	}
	if (ret != 0)
		return ret;
	const uint8_t *h = s->blk->data + s->pos;
	uint16_t major = get16(h + 4, p->be), minor = get16(h + 6, p->be);
	uint32_t snaplen = get32(h + 16, p->be);
	p->lengths_swapped = major == 2 && minor < 3;
	/* 543.0 is DG/UX. */
	p->lengths_maybe_swapped = (major == 2 && minor == 3) || major == 543;
	p->ns_per_tick = m->ns_per_tick;
	p->record_len = m->record_len;
	/* The upper half holds the length of the FCS, and once held an address family. */
	p->linktype = get32(h + 20, p->be) & 0xffff;
	p->max_caplen = CAPLEN_MAX;
	if (snaplen > CAPLEN_MAX && snaplen <= NG_BLOCK_MAX)
		p->max_caplen = snaplen;
	s->pos += FILE_HEADER_LEN + m->extra;
	c->next = pcap_next;
	return capture_add_iface(c, 0, p->linktype, snaplen, &p->slot);
}
