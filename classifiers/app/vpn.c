/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/app/vpn.h"

#include <stdio.h>
#include <string.h>

#include "classifiers/app/dtls.h"
#include "classifiers/app/openvpn.h"
#include "dataplane/cursor.h"

const char *const vpn_proto_name[VPN_N] = {
	[VPN_OPENVPN] = "openvpn", [VPN_WIREGUARD] = "wireguard", [VPN_IKE] = "ike",
	[VPN_ESP] = "esp",         [VPN_L2TP] = "l2tp",           [VPN_DTLS] = "dtls",
	[VPN_PPTP] = "pptp",       [VPN_SSTP] = "sstp",           [VPN_SSH] = "ssh",
};

const char *const vpn_label_name[VPN_N] = {
	[VPN_OPENVPN] = "OpenVPN", [VPN_WIREGUARD] = "WireGuard", [VPN_IKE] = "IKE",
	[VPN_ESP] = "ESP",         [VPN_L2TP] = "L2TP",           [VPN_DTLS] = "DTLS",
	[VPN_PPTP] = "PPTP",       [VPN_SSTP] = "SSTP",           [VPN_SSH] = "SSH",
};

/* WireGuard (Donenfeld, NDSS 2017, section 5.4); TunnelBear adds 56 and 8 bytes. */
#define WG_INITIATION 148u
#define WG_EPHEMERAL 40u /* of it: type, index and key */
#define WG_RESPONSE 92u
#define WG_COOKIE 64u
#define WG_KEEPALIVE 32u /* data of no bytes, and the least of any */
/* Data is padded to 16 bytes, but never beyond the tunnel's MTU, and IPv6 asks for 1280 (RFC 8200). */
#define WG_FULL (WG_KEEPALIVE + 1280u)
#define BEAR_INITIATION 204u
#define BEAR_RESPONSE 100u

static bool wireguard_head(const uint8_t *p, size_t len, uint8_t type)
{
	return len >= 8 && p[0] == type && p[1] == 0 && p[2] == 0 && p[3] == 0;
}

/* caplen: what a short capture holds of it; its lengths and its first bytes are what few others have. */
static bool wireguard_first(const uint8_t *p, size_t caplen, size_t len, struct vpn_first *out)
{
	size_t random = caplen < WG_INITIATION - 16 ? caplen : WG_INITIATION - 16;
	if (!wireguard_head(p, caplen, 1) || caplen < WG_EPHEMERAL ||
	    (len != WG_INITIATION && len != BEAR_INITIATION))
		return false;
	/* An ephemeral key and ciphertexts: what has runs of one byte is another format. */
	for (size_t i = 8; i + 8 <= random; i++) {
		size_t n = 1;
		while (n < 8 && p[i + n] == p[i])
			n++;
		if (n == 8)
			return false;
	}
	out->proto = VPN_WIREGUARD;
	memcpy(out->id, p + 4, 4);
	snprintf(out->variant, sizeof(out->variant), "%s",
		 len == BEAR_INITIATION ? "tunnelbear" : "");
	return true;
}

static bool wireguard_answer(const uint8_t *p, size_t caplen, size_t len, const struct vpn_first *first)
{
	bool bear = first->variant[0] != '\0';
	if (wireguard_head(p, caplen, 3) && len == WG_COOKIE)
		return memcmp(p + 4, first->id, 4) == 0;
	return caplen >= 12 && wireguard_head(p, caplen, 2) &&
	       len == (bear ? BEAR_RESPONSE : WG_RESPONSE) && memcmp(p + 8, first->id, 4) == 0;
}

/* ISAKMP's header: RFC 2408 section 3.1, RFC 7296 section 3.1; the non-ESP marker: RFC 3948. */
#define ISAKMP_SIZE 28u
#define NATT_KEEPALIVE 0xff /* RFC 3948 section 2.3 */
#define ESP_LEAST 20u /* SPI, sequence number, and a tag of 12 */
#define IKE_RESPONSE 0x20 /* flag of version 2 */
static const uint8_t zero8[8];

static bool is_marked(const uint8_t *p, size_t len)
{
	return len >= 4 && memcmp(p, zero8, 4) == 0;
}

static bool ike_header(const uint8_t *p, size_t caplen, size_t len)
{
	size_t marker = is_marked(p, caplen) ? 4 : 0;
	if (caplen < marker + ISAKMP_SIZE)
		return false;
	p += marker;
	bool v2 = p[17] == 0x20 && p[18] >= 34 && p[18] <= 37 && (p[19] & 0xc7) == 0 && p[16] >= 33;
	/* Identity protection, aggressive; quick mode and informational later. */
	bool v1 = p[17] == 0x10 && (p[18] == 2 || p[18] == 4 || p[18] == 5 || p[18] == 32) &&
		  (p[19] & 0xf8) == 0;
	return (v1 || v2) && memcmp(p, zero8, 8) != 0 && load_be32(p + 24) == len - marker;
}

static bool ike_first(const uint8_t *p, size_t caplen, size_t len, struct vpn_first *out)
{
	if (!ike_header(p, caplen, len))
		return false;
	p += is_marked(p, caplen) ? 4 : 0;
	if (p[17] == 0x20 && (p[19] & IKE_RESPONSE) != 0)
		return false;
	out->proto = VPN_IKE;
	memcpy(out->id, p, 8);
	snprintf(out->variant, sizeof(out->variant), "%s", p[17] == 0x20 ? "v2" : "v1");
	return true;
}

static bool ike_answer(const uint8_t *p, size_t caplen, size_t len, const struct vpn_first *first)
{
	if (!ike_header(p, caplen, len))
		return false;
	p += is_marked(p, caplen) ? 4 : 0;
	return memcmp(p, first->id, 8) == 0; /* a cookie request leaves the responder's SPI 0 */
}

/* L2TP control messages: RFC 2661 sections 3.1 and 4.1; the first AVP is the message type. */
static bool l2tp_message(const uint8_t *p, size_t caplen, size_t len, unsigned type)
{
	static const uint8_t avp[] = {0x80, 0x08, 0, 0, 0, 0};
	return caplen >= 20 && load_be16(p) == 0xc802 && load_be16(p + 2) == len &&
	       memcmp(p + 12, avp, sizeof(avp)) == 0 && load_be16(p + 18) == type;
}

bool vpn_first_datagram(const uint8_t *p, size_t caplen, size_t len, struct vpn_first *out)
{
	*out = (struct vpn_first){.proto = VPN_NONE};
	if (caplen == 0 || caplen > len)
		return false;
	if (l2tp_message(p, caplen, len, 1) && load_be32(p + 4) == 0) {
		out->proto = VPN_L2TP;
		return true;
	}
	if (ike_first(p, caplen, len, out) || dtls_first(p, caplen, len, out))
		return true;
	return (caplen == len && openvpn_first(p, len, out)) || wireguard_first(p, caplen, len, out);
}

bool vpn_answer_datagram(const uint8_t *p, size_t caplen, size_t len, const struct vpn_first *first)
{
	if (caplen == 0 || caplen > len)
		return false;
	switch (first->proto) {
	case VPN_OPENVPN:
		return caplen == len && openvpn_answer(p, len, first);
	case VPN_WIREGUARD:
		return wireguard_answer(p, caplen, len, first);
	case VPN_IKE:
		return ike_answer(p, caplen, len, first);
	case VPN_L2TP:
		return l2tp_message(p, caplen, len, 2);
	case VPN_DTLS:
		return dtls_answer(p, caplen, len);
	default:
		return false;
	}
}

static enum vpn_kind wireguard_kind(const uint8_t *p, size_t caplen, size_t len)
{
	if (caplen < 4 || p[1] != 0 || p[2] != 0 || p[3] != 0 || p[0] < 1 || p[0] > 4)
		return VPN_OTHER;
	if (p[0] != 4)
		return VPN_HANDSHAKE;
	return len == WG_KEEPALIVE ? VPN_KEEPALIVE : VPN_DATA;
}

static enum vpn_kind ike_kind(const uint8_t *p, size_t caplen, size_t len,
			      const struct vpn_first *first)
{
	if (len == 1)
		return p[0] == NATT_KEEPALIVE ? VPN_KEEPALIVE : VPN_OTHER;
	bool ours = caplen >= 8 && memcmp(p, first->id, 8) == 0;
	return ours || is_marked(p, caplen) ? VPN_HANDSHAKE : len >= ESP_LEAST ? VPN_DATA : VPN_OTHER;
}

enum vpn_kind vpn_datagram_kind(const uint8_t *p, size_t caplen, size_t len,
				const struct vpn_first *first)
{
	if (caplen == 0)
		return VPN_OTHER;
	switch (first->proto) {
	case VPN_OPENVPN:
		return openvpn_kind(p);
	case VPN_WIREGUARD:
		return wireguard_kind(p, caplen, len);
	case VPN_IKE:
	case VPN_ESP:
		return ike_kind(p, caplen, len, first);
	case VPN_L2TP:
		return (p[0] & 0x80) != 0 ? VPN_HANDSHAKE : VPN_DATA;
	case VPN_DTLS:
		return dtls_kind(p);
	default:
		return VPN_OTHER;
	}
}

/* Counters rise; packets lost or late in between make steps of this much at most. */
#define MIDWAY_STEP 1024u
#define MIDWAY_FIT 3u /* packets of one direction */

static uint32_t load_le32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* What identifies the session and counts in a data packet; VPN_NONE: it is none. */
static enum vpn_proto midway_read(const uint8_t *p, size_t caplen, size_t len, bool natt,
				  uint32_t *id, uint64_t *count)
{
	bool padded = len % 16 == 0 || len >= WG_FULL;
	if (caplen >= 16 && wireguard_head(p, caplen, 4) && len >= WG_KEEPALIVE && padded) {
		*id = load_le32(p + 4);
		*count = load_le32(p + 8) | (uint64_t)load_le32(p + 12) << 32;
		return VPN_WIREGUARD;
	}
	/* RFC 4303 sections 2.1 and 2.4: SPIs up to 255 are reserved, the whole is padded to 4. */
	if (natt && caplen >= 8 && len >= ESP_LEAST && len % 4 == 0 && load_be32(p) > 255) {
		*id = load_be32(p);
		*count = load_be32(p + 4);
		return VPN_ESP;
	}
	return VPN_NONE;
}

bool vpn_data_number(enum vpn_proto proto, const uint8_t *p, size_t caplen, size_t len,
		     uint32_t *session, uint64_t *number)
{
	/* OpenVPN's ssl_pkt.h: opcode and key, the peer's id, then the packet's. */
	enum { OPENVPN_DATA_V2 = 9, OPENVPN_LEAST = 24 };
	if (proto == VPN_OPENVPN) {
		if (caplen < 8 || len < OPENVPN_LEAST || p[0] >> 3 != OPENVPN_DATA_V2)
			return false;
		*session = load_be32(p);
		*number = load_be32(p + 4);
		return true;
	}
	bool esp = proto == VPN_IKE || proto == VPN_ESP;
	return (esp || proto == VPN_WIREGUARD) &&
	       midway_read(p, caplen, len, esp, session, number) ==
		       (esp ? VPN_ESP : VPN_WIREGUARD);
}

int vpn_midway_next(struct vpn_midway *m, unsigned dir, const uint8_t *p, size_t caplen, size_t len,
		    bool natt)
{
	uint32_t id = 0;
	uint64_t count = 0;
	if (caplen == 0 || caplen > len)
		return -1;
	if (natt && len == 1 && p[0] == NATT_KEEPALIVE)
		return 0;
	enum vpn_proto proto = midway_read(p, caplen, len, natt, &id, &count);
	if (proto == VPN_NONE || (m->proto != VPN_NONE && m->proto != proto))
		return -1;
	m->proto = (uint8_t)proto;
	if (m->side[dir].n != 0) {
		uint64_t last = m->side[dir].last;
		uint64_t step = count > last ? count - last : last - count;
		if (id != m->side[dir].id || step == 0 || step > MIDWAY_STEP)
			return -1;
	}
	m->side[dir].id = id;
	m->side[dir].last = count > m->side[dir].last ? count : m->side[dir].last;
	m->side[dir].n++;
	return m->side[dir].n >= MIDWAY_FIT;
}
