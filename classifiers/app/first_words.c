/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/app/first_words.h"

#include <string.h>

#include "classifiers/app/openvpn.h"
#include "dataplane/cursor.h"

/* RFC 8446 section 5.1: handshake, legacy version, length; what filters look at of TLS. */
#define TLS_RECORD 5u
/* RFC 1035 sections 4.1.1 and 4.2.2: length, then a header. */
#define DNS_LEAST 14u

static bool is_tls(const uint8_t *p)
{
	return p[0] == 0x16 && p[1] == 3 && p[2] <= 4;
}

/* RFC 9110 section 9, and PATCH of RFC 5789. */
static bool is_http(const uint8_t *p, size_t len)
{
	static const char *const verbs[] = {"GET ",    "HEAD ",    "POST ",  "PUT ",  "DELETE ",
					    "CONNECT ", "OPTIONS ", "TRACE ", "PATCH "};
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (len >= strlen(verbs[i]) && memcmp(p, verbs[i], strlen(verbs[i])) == 0)
			return true;
	return false;
}

/* A query with one question. */
static bool is_dns(const uint8_t *p, size_t len)
{
	return len >= DNS_LEAST && load_be16(p) >= DNS_LEAST - 2 && (p[4] & 0xf8) == 0 &&
	       load_be16(p + 6) == 1 && load_be16(p + 8) == 0;
}

enum first_words first_words_of(const uint8_t *p, size_t len)
{
	if (len < TLS_RECORD)
		return WORDS_UNKNOWN;
	return is_tls(p) || is_http(p, len) || is_dns(p, len) ? WORDS_COMMON : WORDS_OTHER;
}

bool first_words_is_cut_reset(const uint8_t *p, size_t len)
{
	return len + 1 >= 2 + OPENVPN_RESET_LEAST && load_be16(p) + 2u == len + 1 &&
	       openvpn_is_opening(p[2]);
}

const char *first_words_name(enum first_words w)
{
	static const char *const name[WORDS_VPN] = {"unknown", "common", "fet", "other",
						    "openvpn-probe"};
	if (w < WORDS_VPN)
		return name[w];
	const char *vpn = w < WORDS_N ? vpn_proto_name[w - WORDS_VPN] : NULL;
	return vpn != NULL ? vpn : "other";
}
