/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Frames with pseudonyms in place of their clients: MAC addresses, ARP and neighbour discovery, IP
 * and its options, tunnels as the decoder knows them, packets quoted by ICMP, the relation of
 * the relation of tsg.h (relation.h), DNS records. Checksums that were right are right afterwards, those of
 * offload that cover the pseudo header alone still do, and a wrong one stays wrong by an amount
 * that says nothing of the address that it was made with. Bytes that nobody here understands are
 * cut.
 *
 * Of the payload only what connections are filtered by is kept: ClientHello (also over several
 * segments), QUIC Initials, the start line and Host of HTTP/1, DNS messages of port 53 without EDNS
 * options. The lengths in the headers stay, so the frame reads as one that was captured cut.
 *
 * With a key for names their pseudonyms take their places, cut to their lengths (name_fit_host()): SNI, Host,
 * paths, names in DNS. What else could say a name is zeros: unknown extensions of TLS, tickets, unknown
 * record data of DNS, header fields of HTTP. Cut from there on is what has a name in several pieces, and
 * QUIC, whose Initials would have to be encrypted again.
 */

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/packet.h"
#include "tools/privacy/names.h"
#include "tools/privacy/pseudonyms.h"

struct scrub_config {
	const struct pseudonyms *pseudonyms; /* settled; outlives the scrubber */
	bool keep_payload; /* all of it; addresses in it are still replaced where they are found */
	const struct names_key *names; /* outlives the scrubber, one thread at a time; NULL: names stay */
};

struct scrub;
int scrub_new(struct scrub **out, const struct scrub_config *cfg); /* 0 or -errno */
void scrub_free(struct scrub *s);				   /* NULL is fine */

/*
 * Packets in order of arrival. out: room for in->caplen bytes, not in->data. Returns how many of
 * them are to be kept, the others are zero; the wire length stays as it is.
 */
uint32_t scrub_packet(struct scrub *s, const struct packet *in, uint8_t *out);
