/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * OpenVPN's hard resets, the first control packet of either side (RFC draft
 * draft-sperling-openvpn-wire-protocol, section "Control channel"; OpenVPN's ssl_pkt.h). p is the
 * whole packet, over TCP without its length. Ports are never asked.
 */

#include "classifiers/app/vpn.h"

#define OPENVPN_RESET_LEAST 14u   /* opcode, session id, no acknowledgements, packet-id */
#define OPENVPN_RESET_MOST 1200u  /* a hard reset with its wrapping is shorter */

bool openvpn_first(const uint8_t *p, size_t len, struct vpn_first *out);
bool openvpn_answer(const uint8_t *p, size_t len, const struct vpn_first *first);
enum vpn_kind openvpn_kind(const uint8_t *p);
/* A byte that a client's reset may begin with. */
bool openvpn_is_opening(uint8_t byte);
