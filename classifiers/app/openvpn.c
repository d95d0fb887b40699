/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/app/openvpn.h"

#include <stdio.h>
#include <string.h>

#include "dataplane/cursor.h"

/* OpenVPN's wire protocol: opcodes, session ids and the sizes of control packets (ssl_pkt.h). */
enum {
	RESET_CLIENT_V1 = 1, RESET_SERVER_V1 = 2, DATA_V1 = 6, DATA_V2 = 9,
	RESET_CLIENT_V2 = 7, RESET_SERVER_V2 = 8, RESET_CLIENT_V3 = 10, CONTROL_WKC = 11,
};
#define SID 8u
#define REPLAY 8u          /* packet-id and time, with tls-auth and tls-crypt */
#define CRYPT_TAG 32u      /* HMAC-SHA256 of tls-crypt */
#define RESET_TAIL 5u      /* no acknowledgements, message packet-id */
#define ANSWER_TAIL 17u    /* one acknowledgement with its session id, message packet-id */
#define EARLY_TLVS 16u     /* most that early negotiation adds to an answer */
#define EARLY_NEG 0x0f000000u /* packet-ids of clients that can negotiate early begin there */
#define RETRIES_MOST 64u
#define WKC_LEAST 290u     /* a wrapped client key: 256 of key, a tag of 32, its length */

static bool replay_is_early(uint32_t id)
{
	uint32_t n = id >= EARLY_NEG ? id - EARLY_NEG : id;
	return n >= 1 && n <= RETRIES_MOST;
}

/* The bytes of HMAC, packet-id and time in front of an unencrypted reset; -1: no such size. */
static int openvpn_trailer(const uint8_t *p, size_t len)
{
	/* MD5, SHA1, SHA224, SHA256, SHA384, SHA512 */
	static const uint8_t hmac[] = {16, 20, 28, 32, 48, 64};
	size_t plain = 1 + SID + RESET_TAIL;
	if (len == plain)
		return 0;
	for (size_t i = 0; i < sizeof(hmac); i++)
		if (len == plain + hmac[i] + REPLAY &&
		    replay_is_early(load_be32(p + 1 + SID + hmac[i])))
			return (int)(hmac[i] + REPLAY);
	return -1;
}

static bool openvpn_crypt(const uint8_t *p, size_t len, bool v3, struct vpn_first *out)
{
	size_t least = 1 + SID + REPLAY + CRYPT_TAG + RESET_TAIL;
	if (len < least || !replay_is_early(load_be32(p + 1 + SID)))
		return false;
	if (v3 && (len < least + WKC_LEAST || load_be16(p + len - 2) != len - least))
		return false;
	if (!v3 && len != least)
		return false;
	snprintf(out->variant, sizeof(out->variant), "%s", v3 ? "tls-crypt-v2" : "tls-crypt");
	return true;
}

bool openvpn_is_opening(uint8_t byte)
{
	unsigned op = byte >> 3;
	return (byte & 7) == 0 &&
	       (op == RESET_CLIENT_V1 || op == RESET_CLIENT_V2 || op == RESET_CLIENT_V3);
}

bool openvpn_first(const uint8_t *p, size_t len, struct vpn_first *out)
{
	static const uint8_t none[SID];
	uint8_t op = len != 0 ? p[0] >> 3 : 0;
	if (len < OPENVPN_RESET_LEAST || len > OPENVPN_RESET_MOST || (p[0] & 7) != 0 ||
	    memcmp(p + 1, none, SID) == 0)
		return false;
	if (!openvpn_is_opening(p[0]))
		return false;
	out->proto = VPN_OPENVPN;
	memcpy(out->id, p + 1, SID);
	int trailer = op != RESET_CLIENT_V3 ? openvpn_trailer(p, len) : -1;
	static const uint8_t tail[RESET_TAIL]; /* nothing acknowledged, message 0 */
	if (trailer >= 0 && memcmp(p + len - RESET_TAIL, tail, RESET_TAIL) == 0) {
		out->trailer = (uint8_t)trailer;
		snprintf(out->variant, sizeof(out->variant), "%s",
			 trailer != 0 ? "tls-auth" : "plain");
		return true;
	}
	return openvpn_crypt(p, len, op == RESET_CLIENT_V3, out);
}

bool openvpn_answer(const uint8_t *p, size_t len, const struct vpn_first *first)
{
	uint8_t op = len != 0 ? p[0] >> 3 : 0;
	if (len < 1 + SID || (p[0] & 7) != 0 || (op != RESET_SERVER_V1 && op != RESET_SERVER_V2) ||
	    memcmp(p + 1, first->id, SID) == 0)
		return false;
	if (strncmp(first->variant, "tls-crypt", 9) == 0) {
		size_t least = 1 + SID + REPLAY + CRYPT_TAG + ANSWER_TAIL;
		return len >= least && len <= least + EARLY_TLVS &&
		       replay_is_early(load_be32(p + 1 + SID));
	}
	size_t at = 1 + SID + first->trailer;
	return len == at + ANSWER_TAIL && p[at] == 1 && memcmp(p + at + 5, first->id, SID) == 0;
}

enum vpn_kind openvpn_kind(const uint8_t *p)
{
	unsigned op = p[0] >> 3;
	if (op == DATA_V1 || op == DATA_V2)
		return VPN_DATA;
	return op >= RESET_CLIENT_V1 && op <= CONTROL_WKC ? VPN_HANDSHAKE : VPN_OTHER;
}
