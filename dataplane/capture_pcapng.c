/* SPDX-License-Identifier: BSD-3-Clause */

/* pcapng, draft-ietf-opsawg-pcapng: sections, blocks, packets. Options are in capture_options.c. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/capture.h"

#define ORDER_MAGIC 0x1a2b3c4d
#define HEAD_LEN    12 /* type, length, and of a section header its byte-order magic */
#define WINDOW_END  1  /* block_find(): needs more bytes than may be read now */

enum ng_block_type {
	NG_IDB = 1,
	NG_PB = 2,
	NG_SPB = 3,
	NG_NRB = 4,
	NG_ISB = 5,
	NG_EPB = 6,
	NG_JOURNAL = 9,
	NG_CB = 0xbad,
	NG_CB_NOCOPY = 0x40000bad,
	NG_SHB = 0x0a0d0d0a, /* the same in both byte orders, and broken by a text-mode copy */
};

static bool order_of(const uint8_t *p, bool *be)
{
	*be = get32(p, true) == ORDER_MAGIC;
	return *be || get32(p, false) == ORDER_MAGIC;
}

bool pcapng_probe(const uint8_t *head, size_t len)
{
	bool be;
	return len >= HEAD_LEN && get32(head, false) == NG_SHB && order_of(head + 8, &be);
}

/* As capture_want(), but the window may not move under packets that point into it. */
static int window_want(struct capture *c, size_t n, bool may_move)
{
	if (stream_left(&c->stream) >= n)
		return 0;
	return may_move ? capture_want(c, n) : WINDOW_END;
}

/* The whole block at the window's start, its type and its body; else as window_want(). */
static int block_find(struct capture *c, bool may_move, uint32_t *type, struct cursor *body)
{
	struct stream *s = &c->stream;
	struct ng_state *ng = &c->ng;
	int ret = window_want(c, HEAD_LEN, may_move);
	if (ret != 0)
		return ret;
	const uint8_t *p = s->blk->data + s->pos;
	*type = get32(p, ng->be);
	if (*type == NG_SHB && !order_of(p + 8, &ng->be)) {
		capture_damaged(c, stream_offset(s), "a section header without a byte-order magic");
		return c->ended;
	}
	uint32_t len = get32(p + 4, ng->be);
	if (len < HEAD_LEN || len % 4 != 0 || len > NG_BLOCK_MAX) {
		capture_damaged(c, stream_offset(s), "a block of type 0x%08x claims a length of %u",
				*type, len);
		return c->ended;
	}
	ret = window_want(c, len, may_move);
	if (ret != 0)
		return ret;
	p = s->blk->data + s->pos;
	uint32_t trailer = get32(p + len - 4, ng->be);
	if (trailer != len) {
		capture_damaged(c, stream_offset(s),
				"a block of type 0x%08x begins with length %u and ends with %u",
				*type, len, trailer);
		return c->ended;
	}
	*body = cursor_of(p + 8, len - HEAD_LEN);
	return 0;
}

static void section_header(struct capture *c, struct cursor *body)
{
	const uint8_t *p = cursor_bytes(body, 16);
	if (p == NULL) {
		capture_damaged(c, stream_offset(&c->stream), "a section header that is too short");
		return;
	}
	uint16_t major = get16(p + 4, c->ng.be), minor = get16(p + 6, c->ng.be);
	if (major != 1) {
		capture_damaged(c, stream_offset(&c->stream), "pcapng version %u.%u is not known",
				major, minor);
		return;
	}
	/* The section's length is a hint for skipping it: nothing to check, nothing to believe. */
	c->ng.iface_base += c->ng.n_ifaces;
	c->ng.n_ifaces = 0;
}

static void interface_description(struct capture *c, struct cursor *body)
{
	struct ng_state *ng = &c->ng;
	const uint8_t *p = cursor_bytes(body, 8);
	if (p == NULL || ng->iface_base + ng->n_ifaces >= IFACES_MAX) {
		capture_damaged(c, stream_offset(&c->stream), "%s",
				p == NULL ? "an interface description that is too short"
					  : "too many interfaces");
		return;
	}
	if (ng->n_ifaces == ng->room_ifaces) {
		unsigned room = ng->room_ifaces != 0 ? 2 * ng->room_ifaces : 4;
		struct ng_iface *more = realloc(ng->ifaces, room * sizeof(*more));
		if (more == NULL) {
			c->ended = -ENOMEM;
			return;
		}
		ng->ifaces = more;
		ng->room_ifaces = room;
	}
	struct ng_iface *ifc = &ng->ifaces[ng->n_ifaces];
	*ifc = (struct ng_iface){.linktype = get16(p, ng->be), .snaplen = get32(p + 4, ng->be)};
	int ret = capture_add_iface(c, ng->iface_base + ng->n_ifaces, ifc->linktype, ifc->snaplen,
				    &ifc->slot);
	if (ret != 0) {
		c->ended = ret;
		return;
	}
	ng_iface_options(c, ifc, body);
	ng->n_ifaces++;
}

static void interface_statistics(struct capture *c, struct cursor *body)
{
	const uint8_t *p = cursor_bytes(body, 12);
	uint32_t id = p != NULL ? get32(p, c->ng.be) : UINT32_MAX;
	if (id >= c->ng.n_ifaces)
		c->common->ignored_blocks++;
	else
		ng_statistics_options(c, &c->ng.ifaces[id], body);
}

/* Captured bytes and what follows them up to the options; false: it ended the capture. */
static bool packet_fill(struct capture *c, struct packet *pkt, uint32_t id, uint32_t caplen,
			uint32_t wirelen, struct cursor *body)
{
	struct ng_state *ng = &c->ng;
	if (id >= ng->n_ifaces) {
		capture_damaged(c, stream_offset(&c->stream),
				"frame %llu is of interface %u, which was not described",
				(unsigned long long)c->frame + 1, id);
		return false;
	}
	const uint8_t *data = cursor_bytes(body, caplen);
	if (data == NULL) {
		capture_damaged(c, stream_offset(&c->stream),
				"frame %llu claims %u captured bytes, its block has fewer",
				(unsigned long long)c->frame + 1, caplen);
		return false;
	}
	const struct ng_iface *ifc = &ng->ifaces[id];
	c->common->ifaces[ifc->slot].packets++;
	*pkt = (struct packet){
		.data = data,
		.caplen = caplen,
		.wirelen = wirelen > caplen ? wirelen : caplen,
		.ts_ns = c->last_ns,
		.frame = ++c->frame,
		.linktype = ifc->linktype,
		.iface = ng->iface_base + id,
		.file = c->file,
		.cookie = (uintptr_t)c->stream.blk,
	};
	return true;
}

/* Enhanced and old packet blocks differ in their first field only. */
static bool packet_block(struct capture *c, struct packet *pkt, bool old, struct cursor *body)
{
	const bool be = c->ng.be;
	const uint8_t *p = cursor_bytes(body, 20);
	if (p == NULL) {
		capture_damaged(c, stream_offset(&c->stream), "a packet block that is too short");
		return false;
	}
	uint32_t id = old ? get16(p, be) : get32(p, be);
	uint32_t caplen = get32(p + 12, be);
	if (!packet_fill(c, pkt, id, caplen, get32(p + 16, be), body))
		return false;
	const struct ng_iface *ifc = &c->ng.ifaces[id];
	uint64_t units = (uint64_t)get32(p + 4, be) << 32 | get32(p + 8, be);
	pkt->ts_ns = units < ifc->fast_end ? units * ifc->mul : ng_time_ns(ifc, units);
	c->last_ns = pkt->ts_ns;
	if (cursor_left(body) > 3) {
		cursor_skip(body, -caplen & 3);
		ng_packet_options(c, body);
	}
	return true;
}

/* Its captured length is not written down: what the snapshot length lets through. */
static bool simple_packet_block(struct capture *c, struct packet *pkt, struct cursor *body)
{
	const uint8_t *p = cursor_bytes(body, 4);
	if (p == NULL) {
		capture_damaged(c, stream_offset(&c->stream), "a packet block that is too short");
		return false;
	}
	uint32_t wirelen = get32(p, c->ng.be), caplen = wirelen;
	if (c->ng.n_ifaces != 0 && c->ng.ifaces[0].snaplen != 0 && caplen > c->ng.ifaces[0].snaplen)
		caplen = c->ng.ifaces[0].snaplen;
	return packet_fill(c, pkt, 0, caplen, wirelen, body);
}

/* One block. True: it was a packet. Not consumed when it ended the capture. */
static bool block_read(struct capture *c, uint32_t type, struct cursor *body, struct packet *pkt)
{
	switch (type) {
	case NG_EPB:
		return packet_block(c, pkt, false, body);
	case NG_PB:
		return packet_block(c, pkt, true, body);
	case NG_SPB:
		return simple_packet_block(c, pkt, body);
	case NG_SHB:
		section_header(c, body);
		break;
	case NG_IDB:
		interface_description(c, body);
		break;
	case NG_ISB:
		interface_statistics(c, body);
		break;
	case NG_NRB:
		break;
	case NG_CB:
	case NG_CB_NOCOPY:
	case NG_JOURNAL:
		/* Wireshark shows them as frames, so they take a number. */
		c->frame++;
		c->common->ignored_blocks++;
		break;
	default:
		c->common->ignored_blocks++;
		break;
	}
	return false;
}

static int pcapng_next(struct capture *c, struct packet pkts[], unsigned max)
{
	struct stream *s = &c->stream;
	unsigned n = 0;
	int ret = 0;
	while (n < max && c->ended == 0) {
		uint32_t type;
		struct cursor body;
		ret = block_find(c, n == 0, &type, &body);
		if (ret != 0)
			break;
		size_t len = body.len + HEAD_LEN;
		if (block_read(c, type, &body, &pkts[n]))
			n++;
		if (c->ended == 0)
			s->pos += len;
	}
	s->blk->refs += n;
	if (n != 0)
		return (int)n;
	ret = ret != 0 ? ret : c->ended;
	return ret == -EINTR ? 0 : ret;
}

/* One block that is no packet: 0, WINDOW_END before a packet, or what next() returns. */
static int pcapng_prelude(struct capture *c)
{
	uint32_t type;
	struct cursor body;
	int ret = block_find(c, true, &type, &body);
	if (ret != 0)
		return ret;
	if (type == NG_EPB || type == NG_PB || type == NG_SPB)
		return WINDOW_END;
	size_t len = body.len + HEAD_LEN;
	(void)block_read(c, type, &body, NULL);
	if (c->ended == 0)
		c->stream.pos += len;
	return c->ended;
}

int pcapng_start(struct capture *c, struct source_damage *why)
{
	c->ng = (struct ng_state){0};
	c->is_ng = true;
	c->next = pcapng_next;
	unsigned n_damage = c->common->n_damage;
	int ret = pcapng_prelude(c);
	if (ret == SOURCE_EOF && c->common->n_damage > n_damage) {
		/* Not even the section header: the file is not a capture, rather than damaged. */
		*why = c->common->damage[--c->common->n_damage];
		return -EINVAL;
	}
	/* Up to the first interface, so that a filter knows the link type before any packet. */
	while (ret == 0 && c->ng.n_ifaces == 0)
		ret = pcapng_prelude(c);
	return ret == SOURCE_EOF || ret == WINDOW_END ? 0 : ret;
}

void pcapng_stop(struct capture *c)
{
	free(c->ng.ifaces);
}
