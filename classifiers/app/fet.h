/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Traffic without any plaintext, as obfs4, Shadowsocks and VMess send it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Whether no exemption of the GFW's detector of fully encrypted traffic holds for the first payload
 * of a TCP client (Wu et al., USENIX Security 2023, Algorithm 1; verbs as in OpenGFW's fet.go). It
 * is a property of the bytes, which other encrypted protocols share: a label, nothing more.
 */
bool fet_is(const uint8_t *p, size_t len);
