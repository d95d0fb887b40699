/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Community ID version 1, seed 0: the same name for a flow as Zeek, Suricata and Wireshark give. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/decode.h"

#define COMMUNITY_ID_SIZE 31 /* "1:", 28 characters of base64, NUL */

struct community_tuple {
	struct ip_addr src, dst;
	uint16_t sport, dport; /* ICMP: type and code */
	uint8_t ip_version, proto;
};

/* False if the hash is not to be had; out is then "". */
bool community_id(const struct community_tuple *t, char out[COMMUNITY_ID_SIZE]);
