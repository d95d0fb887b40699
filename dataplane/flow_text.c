/* SPDX-License-Identifier: BSD-3-Clause */

/* Flows in words, as reports carry them. */

#include "dataplane/flow.h"
#include "dataplane/flow_tcp.h"

const char *const flow_state_name[FLOW_N_STATES] = {
	[FLOW_NEW] = "new",
	[FLOW_SYN_SENT] = "syn_sent",
	[FLOW_SYN_RECEIVED] = "syn_received",
	[FLOW_ESTABLISHED] = "established",
	[FLOW_CLOSING] = "closing",
	[FLOW_CLOSED] = "closed",
	[FLOW_RESET] = "reset",
	[FLOW_MIDSTREAM] = "midstream",
};

const char *const flow_end_name[FLOW_END_N] = {
	[FLOW_END_CLOSED] = "closed",
	[FLOW_END_TIMEOUT] = "timeout",
	[FLOW_END_PORT_REUSE] = "port_reuse",
	[FLOW_END_EVICTED] = "evicted",
	[FLOW_END_EOF] = "eof",
};

void flow_history(const struct flow *f, char out[FLOW_HISTORY_MAX + 1])
{
	static const char letters[2][HISTORY_KINDS + 1] = {"SHADFR", "shadfr"}; /* by enum dir */
	unsigned n = 0;
	for (uint64_t rest = f->history & ((UINT64_C(1) << HISTORY_SEEN_SHIFT) - 1); rest != 0;
	     rest >>= 4) {
		unsigned code = (unsigned)(rest & 15) - 1;
		out[n++] = letters[code % 2][code / 2];
	}
	out[n] = '\0';
}
