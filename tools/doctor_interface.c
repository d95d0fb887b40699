/* SPDX-License-Identifier: BSD-3-Clause */

/* One interface: what can be done with it, and what it does to packets. */

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <string.h>

#include "dataplane/interface.h"
#include "dataplane/offloads.h"
#include "dataplane/xdp_features.h"
#include "tools/doctor.h"

#define GROUP "interface"

static void place(struct doctor *d, const struct interface *i)
{
	struct doctor_row *r;

	doctor_add(d, GROUP, "driver", i->driver[0] != '\0' ? DOCTOR_GOOD : DOCTOR_UNKNOWN, "%s",
		   i->driver[0] != '\0' ? i->driver : "not told");
	r = doctor_add(d, GROUP, "up", i->up ? DOCTOR_GOOD : DOCTOR_BAD, "%s", i->up ? "yes" : "no");
	if (!i->up)
		doctor_advise(r, "ip link set %s up", i->name);
	if (i->linktype == UINT32_MAX)
		doctor_advise(doctor_add(d, GROUP, "frames", DOCTOR_BAD, "of a kind not understood"),
			      "nothing can be captured here");
	doctor_add(d, GROUP, "MTU", DOCTOR_GOOD, "%u", i->mtu);
	doctor_add(d, GROUP, "queues", DOCTOR_GOOD, "%u to receive, %u to send", i->rx_queues,
		   i->tx_queues);
	const char *use = interface_in_use(i);
	if (use == NULL)
		doctor_add(d, GROUP, "in use", DOCTOR_GOOD, "no");
	else
		doctor_advise(doctor_add(d, GROUP, "in use", DOCTOR_NOTE, "%s", use),
			      "capture --engine packet takes a copy; xdp and dpdk would take its "
			      "packets away, and refuse without --yes-this-interface");
}

static void xdp(struct doctor *d, const struct interface *i)
{
	uint64_t has;
	int err = xdp_features_get(i->index, &has);

	if (err != 0) {
		doctor_advise(doctor_add(d, GROUP, "XDP in the driver", DOCTOR_UNKNOWN, "%s",
					 err == -ENOENT ? "not told" : strerror(-err)),
			      "Linux 6.3 and newer say what drivers can do");
		return;
	}
	bool native = (has & XDP_FEATURE_BASIC) != 0 && (has & XDP_FEATURE_REDIRECT) != 0;
	bool zero_copy = (has & XDP_FEATURE_ZERO_COPY) != 0;
	bool transmits = (has & XDP_FEATURE_XMIT) != 0;
	struct doctor_row *r = doctor_add(d, GROUP, "XDP in the driver",
					  native ? DOCTOR_GOOD : DOCTOR_NOTE, "%s",
					  native ? "yes" : "no, the kernel's generic mode only");
	if (!native)
		doctor_advise(r, "generic mode copies each packet and is slow: --engine packet is "
				 "no worse");
	doctor_add(d, GROUP, "AF_XDP zero copy", zero_copy ? DOCTOR_GOOD : DOCTOR_NOTE, "%s",
		   zero_copy ? "yes" : "no, packets are copied once");
	r = doctor_add(d, GROUP, "live frames", transmits ? DOCTOR_GOOD : DOCTOR_NOTE, "%s",
		       transmits ? "can be sent" : "cannot be sent now");
	if (!transmits)
		doctor_advise(r, "replay --engine live needs a driver that sends what XDP redirects; "
				 "a veth sends while its peer has an XDP program or GRO");
}

static void offload(struct doctor *d, const struct interface *i, const char *name, const char *key,
		    enum offload state, enum doctor_state when_on, const char *harm)
{
	const enum doctor_state judged[] = {DOCTOR_UNKNOWN, DOCTOR_GOOD, when_on};
	static const char *const word[] = {"not told", "off", "on"};
	struct doctor_row *r = doctor_add(d, GROUP, name, judged[state], "%s", word[state]);

	if (state == OFFLOAD_ON)
		doctor_advise(r, "%s: ethtool -K %s %s off", harm, i->name, key);
}

static void card(struct doctor *d, const struct interface *i)
{
	static const char merged[] = "segments are merged before they are captured, and what each "
				     "one's header said is lost";
	static const char whole[] = "this machine's own segments are captured before they are cut";
	struct offloads o;

	if (offloads_get(i->name, &o) != 0)
		return;
	offload(d, i, "GRO", "gro", o.gro, DOCTOR_BAD, merged);
	offload(d, i, "LRO", "lro", o.lro, DOCTOR_BAD, merged);
	offload(d, i, "TSO", "tso", o.tso, DOCTOR_NOTE, whole);
	offload(d, i, "GSO", "gso", o.gso, DOCTOR_NOTE, whole);
	offload(d, i, "checksums on sending", "tx", o.tx_checksum, DOCTOR_NOTE,
		"this machine's own packets are captured before they are summed");
	if (o.rx_ring_max == 0)
		return;
	bool full = o.rx_ring >= o.rx_ring_max;
	struct doctor_row *r = doctor_add(d, GROUP, "receive ring", full ? DOCTOR_GOOD : DOCTOR_NOTE,
					  "%" PRIu32 " of at most %" PRIu32, o.rx_ring, o.rx_ring_max);
	if (!full)
		doctor_advise(r, "a longer one loses less in bursts: ethtool -G %s rx %" PRIu32, i->name,
			      o.rx_ring_max);
}

int doctor_interface(struct doctor *d, const char *iface)
{
	struct interface i;
	int err = interface_get(iface, &i);

	if (err != 0)
		return err;
	place(d, &i);
	xdp(d, &i);
	card(d, &i);
	return 0;
}
