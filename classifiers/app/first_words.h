/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What a TCP client's first payload begins like, to a box that lets a few protocols through and looks
 * at no more than their first bytes (Bock et al., Detecting and Evading Censorship-in-Depth: A Case
 * Study of Iran's Protocol Filter, FOCI 2020: DNS, HTTP and TLS, on ports 53, 80 and 443).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "classifiers/app/vpn.h"

enum first_words {
	WORDS_UNKNOWN,      /* none captured, or too few to tell */
	WORDS_COMMON,       /* DNS over TCP, HTTP or TLS */
	WORDS_ENCRYPTED,    /* fet_is() */
	WORDS_OTHER,
	WORDS_CUT_RESET,    /* OpenVPN's hard reset over TCP without its last byte, and nothing more */
	WORDS_VPN,          /* + enum vpn_proto: that protocol's first message */
	WORDS_N = WORDS_VPN + VPN_N
};

/* Of the payload's first bytes; WORDS_UNKNOWN, WORDS_COMMON or WORDS_OTHER. */
enum first_words first_words_of(const uint8_t *p, size_t len);
/* The whole of what a client said: WORDS_CUT_RESET. */
bool first_words_is_cut_reset(const uint8_t *p, size_t len);
/* "fet", "openvpn", …; never NULL. */
const char *first_words_name(enum first_words w);
