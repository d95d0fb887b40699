/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/verdict.h"

const char *const family_name[FAMILY_N] = {
	[FAMILY_TCP_INJECTION] = "tcp-injection",
	[FAMILY_SILENT_DROP] = "silent-drop",
	[FAMILY_TLS_FILTERING] = "tls-filtering",
	[FAMILY_TLS_INTERCEPTION] = "tls-interception",
	[FAMILY_HTTP_INJECTION] = "http-injection",
	[FAMILY_DNS_INJECTION] = "dns-injection",
	[FAMILY_QUIC_FILTERING] = "quic-filtering",
	[FAMILY_VPN_INTERFERENCE] = "vpn-interference",
	[FAMILY_THROTTLING] = "throttling",
	[FAMILY_RESIDUAL] = "residual",
	[FAMILY_PAYLOAD_TAMPERING] = "payload-tampering",
};

const char *const verdict_name[VERDICT_N] = {
	[VERDICT_NONE] = "none",	 [VERDICT_INCONCLUSIVE] = "inconclusive",
	[VERDICT_ANOMALY] = "anomaly",	 [VERDICT_LIKELY] = "likely",
	[VERDICT_CONFIRMED] = "confirmed",
};

const char *const rate_form_name[RATE_FORM_N] = {
	[RATE_NONE] = "none",
	[RATE_POLICED] = "policed",
	[RATE_SHAPED] = "shaped",
	[RATE_BY_SIZE] = "by_size",
	[RATE_STEADY] = "steady",
};

const char *const stage_name[STAGE_N] = {
	[STAGE_PRE_SYNACK] = "post_syn", [STAGE_POST_SYN] = "post_syn",
	[STAGE_POST_ACK] = "post_ack",	 [STAGE_POST_PSH] = "post_psh",
	[STAGE_LATER] = "later",
};

const char *const trigger_name[TRIGGER_N] = {
	[TRIGGER_NONE] = "none",       [TRIGGER_SNI] = "sni",
	[TRIGGER_HOST] = "host",       [TRIGGER_KEYWORD] = "keyword",
	[TRIGGER_QNAME] = "qname",     [TRIGGER_QUIC_SNI] = "quic-sni",
	[TRIGGER_PROTOCOL] = "protocol",
};

const char *const vantage_name[VANTAGE_N] = {
	[VANTAGE_UNKNOWN] = "unknown", [VANTAGE_CLIENT] = "client",
	[VANTAGE_SERVER] = "server",   [VANTAGE_MIDDLE] = "middle",
	[VANTAGE_ONE_SIDED] = "one-sided",
};

const char *const scope_name[SCOPE_N] = {
	[SCOPE_FLOW] = "flow",
	[SCOPE_NAME] = "name",
	[SCOPE_PAIR] = "pair",
	[SCOPE_CAPTURE] = "capture",
};
