/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * mbx1: a fingerprint of the box that injected packets, from what it stamps on them and nothing
 * else, so that two studies can compare boxes that nobody has named. As JA4 does for TLS clients.
 *
 *   mbx1_<flags>x<count>_<ttl>_<ip-id>_<df>_<window>_<options>_<seq>_<payload>
 *   mbx1_014x3_255_+_1_+_0_a_0
 *
 * It is made of one cluster: the accused packets of one direction of one flow that agree in flags,
 * DF, options, payload length (content: payload or none), IP-ID zero or not, window zero or not.
 * SYNs are left out: of two SYN+ACKs nobody can say which is whose. An exact copy of an accused
 * reset within 20 ms belongs to it. Packets less than 20 ms apart are a burst.
 * The occasions of a cluster are its bursts, or its different sequence numbers where seq is `a` and
 * there are more of these. The trigger of a packet is the other side's last packet before it that
 * takes sequence space and is no RST.
 *
 *   flags    12 bits of the first packet, three hex digits
 *   count    most packets in a burst, of one sequence number where seq is `a`; 9: nine or more;
 *            ?: the capture shows frames twice
 *   ttl      (hop limit in IPv6)
 *            32 64 128 255   TTLs at most 6 apart: the highest, rounded up to a usual initial value
 *            tsg             the relation of tsg.h holds for every packet, the TTL included
 *            lock            three or more that keep step with the window (lockstep.h)
 *            rnd             three or more different ones, over 6 apart
 *            ?               two, over 6 apart
 *   ip-id    0               zero on all
 *            tsg             relation (a) of tsg.h holds for every packet
 *            mir             each is that of its trigger
 *            cXXXX           one value on two or more occasions; on one: below 16, or a value that
 *                            is known as some box's constant (00f2 0100 3412 7530)
 *            inc dec         each is 1 to 64 above (below) the one before, or equal to it: two
 *                            steps, or one within a burst
 *            rnd             three or more different ones, none of the above
 *            +               not zero, and too few to tell
 *            (IPv6: the flow label, 0: none, +: some)
 *   df       0 1, - in IPv6
 *   window   0               zero on all
 *            tsg lock        as above, where ip-id is tsg or ttl is lock
 *            mir             each is that of its trigger, and two differ or it is no usual value
 *            cN              one value on two or more occasions, or a usual one (mbx.c): decimal.
 *                            Not where it is also the trigger's every time: then +
 *            inc dec         as for ip-id
 *            rnd             three or more different ones
 *            +               not zero, and too few to tell
 *   options  0 none, ts timestamps on all, opt others, ? some
 *   seq      z               0
 *            a               the ack of an earlier packet of the other side; where the record of a
 *                            long flow has a hole, any number up to the highest such ack
 *            n               the sender's next
 *            f b             ahead of that; behind it
 *            ?               it differs between bursts, or one side was not seen before; alone
 *            then, for a RST without ACK, 0 or k: its ack field is zero, or is not; then the
 *            distances from the first within the longest burst, where not all are `a`, as many as
 *            fit into 20 characters (a+1460+4380)
 *   payload  0               none, or Ethernet padding
 *            zN              N zero bytes on a RST
 *            pN-HHHHHHHH     N bytes on a RST, the low 32 bits of XXH3-64 of the first 64
 *            httpNNN         the flow's first answer, with that status
 *            data            other content
 *
 * Forged DNS answers have fewer stamps and words instead. Their cluster is made of the accused
 * answers of one query that agree in flag word, number of answers, layout, DF and IP-ID zero or
 * not:
 *
 *   mbx1_dns<word>x<count>_<ttl>_<ip-id>_<df>_-_-_-_<answer>
 *   mbx1_dns8580x1_255_+_0_-_-_-_1p
 *
 *   word     the flag word of the DNS header whole, four hex digits
 *   count, ttl, ip-id, df   as above; the trigger is the query
 *   answer   records of the answer section (9: nine or more); then p where the first one's owner is
 *            a compression pointer, n where it is written out; then e with an EDNS record
 *
 * `?` matches any class, `+` any but 0. Fields are compared one by one (the count apart from the
 * flags). Boxes that stamp alike share a string. A change of any rule changes the number after mbx.
 */

#include <stdbool.h>

#include "classifiers/tamper/view.h"

#define MBX_SIZE 112
#define MBX_CLUSTERS 6
#define MBX_PACKETS 32

struct mbx_cluster {
	uint16_t event[MBX_PACKETS]; /* rising */
	uint8_t n;
};

/* The clusters among accused packets, by first packet; returns how many. */
unsigned mbx_clusters(const struct view *v, const uint16_t events[], unsigned n,
		      struct mbx_cluster out[MBX_CLUSTERS]);
/* The fingerprint of the first event's cluster among these; "" if there is none. */
void mbx_of(const struct view *v, const uint16_t events[], unsigned n, char out[MBX_SIZE]);
/* Whether one box could have both; false also for what is no mbx1. */
bool mbx_matches(const char *a, const char *b);
/* The same of one field, of na and nb bytes. */
bool mbx_field_matches(const char *a, size_t na, const char *b, size_t nb);
