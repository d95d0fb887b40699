/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include "classifiers/app/openvpn.h"
#include "classifiers/app/vpn.h"
#include "dataplane/cursor.h"

/* RFC 2637 sections 2.1 and 2.2: control messages of 156 bytes. */
#define PPTP_SIZE 156u
#define PPTP_SEEN 10u /* bytes up to the control message's type */
enum { PPTP_START_REQUEST = 1, PPTP_START_REPLY = 2 };

#define OPENVPN_PREFIX 2u /* its packets' length, over TCP */

/* Each reader: 1 fits, 0 more bytes are wanted, -1 it is something else. */
static int starts_with(const uint8_t *p, size_t len, const char *word)
{
	size_t n = strlen(word);
	if (memcmp(p, word, len < n ? len : n) != 0)
		return -1;
	return len >= n;
}

/* RFC 4253 section 4.2; 1.99 says that an older client may stay. */
static int ssh_banner(const uint8_t *p, size_t len)
{
	static const char *const banner[] = {"SSH-2.0-", "SSH-1.99-", "SSH-1.5-"};
	int best = -1;
	for (size_t i = 0; i < sizeof(banner) / sizeof(banner[0]); i++) {
		int fits = starts_with(p, len, banner[i]);
		best = fits > best ? fits : best;
	}
	return best;
}

static int pptp_message(const uint8_t *p, size_t len, unsigned type)
{
	uint8_t head[PPTP_SEEN] = {0, PPTP_SIZE, 0, 1, 0x1a, 0x2b, 0x3c, 0x4d, 0, (uint8_t)type};
	if (memcmp(p, head, len < PPTP_SEEN ? len : PPTP_SEEN) != 0)
		return -1;
	return len >= PPTP_SEEN;
}

/* Key present, version 1, PPP; the bits that have to be 0 are. */
bool vpn_is_pptp_data(const uint8_t *p, size_t caplen)
{
	return caplen >= 8 && (p[0] & 0xef) == 0x20 && (p[1] & 0x7f) == 1 && load_be16(p + 2) == 0x880b;
}

/* A reset whole, with its length before it. */
static int openvpn_reset(const uint8_t *p, size_t len, struct vpn_first *out)
{
	if (len > OPENVPN_PREFIX && !openvpn_is_opening(p[OPENVPN_PREFIX]))
		return -1;
	if (len < OPENVPN_PREFIX)
		return p[0] <= OPENVPN_RESET_MOST >> 8 ? 0 : -1;
	size_t message = load_be16(p);
	if (message < OPENVPN_RESET_LEAST || message > OPENVPN_RESET_MOST)
		return -1;
	if (len < OPENVPN_PREFIX + message)
		return 0;
	return openvpn_first(p + OPENVPN_PREFIX, message, out) ? 1 : -1;
}

int vpn_first_stream(const uint8_t *p, size_t len, struct vpn_first *out)
{
	*out = (struct vpn_first){.proto = VPN_NONE};
	if (len == 0)
		return 0;
	int ssh = ssh_banner(p, len), pptp = pptp_message(p, len, PPTP_START_REQUEST);
	/* MS-SSTP section 2.2.2; in the clear only where something else ended its TLS. */
	int sstp = starts_with(p, len, "SSTP_DUPLEX_POST ");
	int openvpn = openvpn_reset(p, len, out);
	if (openvpn > 0)
		return 1;
	*out = (struct vpn_first){
		.proto = ssh > 0 ? VPN_SSH : pptp > 0 ? VPN_PPTP : sstp > 0 ? VPN_SSTP : VPN_NONE,
	};
	if (out->proto != VPN_NONE)
		return 1;
	return ssh == 0 || pptp == 0 || sstp == 0 || openvpn == 0 ? 0 : -1;
}

static int openvpn_reply(const uint8_t *p, size_t len, const struct vpn_first *first)
{
	if (len < OPENVPN_PREFIX)
		return 0;
	size_t message = load_be16(p);
	if (message < OPENVPN_RESET_LEAST || message > OPENVPN_RESET_MOST)
		return -1;
	if (len < OPENVPN_PREFIX + message)
		return 0;
	return openvpn_answer(p + OPENVPN_PREFIX, message, first) ? 1 : -1;
}

int vpn_answer_stream(const uint8_t *p, size_t len, const struct vpn_first *first)
{
	if (len == 0)
		return 0;
	switch (first->proto) {
	case VPN_SSH:
		return ssh_banner(p, len);
	case VPN_PPTP:
		return pptp_message(p, len, PPTP_START_REPLY);
	case VPN_SSTP:
		return starts_with(p, len, "HTTP/1.1 200");
	case VPN_OPENVPN:
		return openvpn_reply(p, len, first);
	default:
		return -1;
	}
}
