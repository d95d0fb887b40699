/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/audit/frames.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#include "dataplane/cursor.h"
#include "dataplane/decode.h"

#define ETHER 14u
#define IPV4  20u
#define TCP   20u
#define UDP   8u
#define MSS   1400u
#define ARP   28u

static void store_be32(uint8_t *p, uint32_t v)
{
	store_be16(p, (uint16_t)(v >> 16));
	store_be16(p + 2, (uint16_t)v);
}

/* RFC 1071. */
static uint32_t add(uint32_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		sum += load_be16(p + i);
	return n % 2 != 0 ? sum + (uint32_t)p[n - 1] * 256 : sum;
}

static uint16_t folded(uint32_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static size_t put_tcp(uint8_t *p, const struct frame_fields *f)
{
	bool syn = (f->flags & TCP_SYN) != 0;
	size_t n = TCP + (syn ? 4 : 0);

	memset(p, 0, n);
	store_be16(p, f->from->port);
	store_be16(p + 2, f->to->port);
	store_be32(p + 4, f->seq);
	store_be32(p + 8, f->ack);
	p[12] = (uint8_t)(n / 4 << 4);
	p[13] = (uint8_t)f->flags;
	store_be16(p + 14, 64240);
	if (syn) {
		p[20] = 2;
		p[21] = 4;
		store_be16(p + 22, MSS);
	}
	return n;
}

static size_t put_udp(uint8_t *p, const struct frame_fields *f)
{
	memset(p, 0, UDP);
	store_be16(p, f->from->port);
	store_be16(p + 2, f->to->port);
	store_be16(p + 4, (uint16_t)(UDP + f->len));
	return UDP;
}

size_t frame_make(uint8_t *out, size_t room, const struct frame_fields *f)
{
	bool tcp = f->proto == IPPROTO_TCP;
	uint8_t *ip = out + ETHER, *l4 = ip + IPV4;

	if (room < ETHER + IPV4 + TCP + 4 + f->len)
		return 0;
	memcpy(out, f->to->mac, 6);
	memcpy(out + 6, f->from->mac, 6);
	store_be16(out + 12, 0x0800);
	size_t head = tcp ? put_tcp(l4, f) : put_udp(l4, f), n = head + f->len;
	if (f->len > 0)
		memcpy(l4 + head, f->payload, f->len);
	memset(ip, 0, IPV4);
	ip[0] = 0x45;
	store_be16(ip + 2, (uint16_t)(IPV4 + n));
	store_be16(ip + 4, f->ip_id);
	store_be16(ip + 6, 0x4000); /* DF */
	ip[8] = f->ttl;
	ip[9] = f->proto;
	memcpy(ip + 12, f->from->ip, 4);
	memcpy(ip + 16, f->to->ip, 4);
	store_be16(ip + 10, folded(add(0, ip, IPV4)));
	uint16_t sum = folded(add(add((uint32_t)f->proto + (uint32_t)n, ip + 12, 8), l4, n));
	store_be16(l4 + (tcp ? 16 : 6), sum == 0 && !tcp ? 0xffff : sum);
	return ETHER + IPV4 + n;
}

size_t frame_arp_answer(uint8_t *out, size_t room, const uint8_t *in, size_t n,
			const uint8_t net[3], const uint8_t mac[6])
{
	static const uint8_t request[] = {0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1};
	const uint8_t *asked = in + ETHER + 24, *asking = in + ETHER + 8;

	if (n < ETHER + ARP || room < ETHER + ARP ||
	    memcmp(in + 12, request, sizeof(request)) != 0 || memcmp(asked, net, 3) != 0)
		return 0;
	/* Who asks for its own address looks whether it is taken; the last ones are the box's. */
	if (memcmp(asked, asking + 6, 4) == 0 || asked[3] >= 250)
		return 0;
	memcpy(out, in + 6, 6);
	memcpy(out + 6, mac, 6);
	memcpy(out + 12, request, sizeof(request));
	out[21] = 2;
	memcpy(out + 22, mac, 6);
	memcpy(out + 28, asked, 4);
	memcpy(out + 32, asking, 10);
	return ETHER + ARP;
}
