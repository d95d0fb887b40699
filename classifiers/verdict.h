/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What the analysis concludes, in the words of the reports: the boundary between classifiers and
 * tools. Everything here is owned by the struct analysis it came from and lives until
 * analysis_free(). Words follow OONI (verdicts) and Cloudflare Radar (stages).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "classifiers/app/http.h"
#include "classifiers/app/tls.h"
#include "classifiers/classifier.h"
#include "classifiers/geo.h"
#include "dataplane/flow.h"
#include "dataplane/pipeline.h"

enum family {
	FAMILY_TCP_INJECTION,
	FAMILY_SILENT_DROP,
	FAMILY_TLS_FILTERING,
	FAMILY_TLS_INTERCEPTION,
	FAMILY_HTTP_INJECTION,
	FAMILY_DNS_INJECTION,
	FAMILY_QUIC_FILTERING,
	FAMILY_VPN_INTERFERENCE,
	FAMILY_THROTTLING,
	FAMILY_RESIDUAL,
	FAMILY_PAYLOAD_TAMPERING,
	FAMILY_N
};
extern const char *const family_name[FAMILY_N]; /* "tcp-injection", … */

/* In rising order, so that they compare. */
enum verdict { VERDICT_NONE, VERDICT_INCONCLUSIVE, VERDICT_ANOMALY, VERDICT_LIKELY,
	       VERDICT_CONFIRMED, VERDICT_N };
extern const char *const verdict_name[VERDICT_N];

/* Detection grades; their points are in judge.h. */
enum grade { GRADE_D1 = 1, GRADE_D2, GRADE_D3, GRADE_D4 };

/* Attribution grades: compatible only; several published traits fit; a published relation holds. */
enum attribution_grade { ATTRIBUTION_A1 = 1, ATTRIBUTION_A2, ATTRIBUTION_A3, ATTRIBUTION_N };
extern const char *const attribution_name[ATTRIBUTION_N]; /* "A1", … */

/* How far the connection had come, Cloudflare Radar's glossary. */
enum stage { STAGE_PRE_SYNACK, STAGE_POST_SYN, STAGE_POST_ACK, STAGE_POST_PSH, STAGE_LATER,
	     STAGE_N };
extern const char *const stage_name[STAGE_N]; /* pre_synack is printed as post_syn */

enum trigger_kind { TRIGGER_NONE, TRIGGER_SNI, TRIGGER_HOST, TRIGGER_KEYWORD, TRIGGER_QNAME,
		    TRIGGER_QUIC_SNI, TRIGGER_PROTOCOL, TRIGGER_N };
extern const char *const trigger_name[TRIGGER_N];

enum vantage { VANTAGE_UNKNOWN, VANTAGE_CLIENT, VANTAGE_SERVER, VANTAGE_MIDDLE, VANTAGE_ONE_SIDED,
	       VANTAGE_N };
extern const char *const vantage_name[VANTAGE_N];

/* Bytes with NUL that a finding's texts have at most. */
#define EVIDENCE_TEXT    96
#define FINDING_SENTENCE 320
#define FINDING_TRIGGER  256

/* One piece of evidence. */
struct evidence_row {
	const char *kind;      /* stable kebab-case: "race-data-after-rst", "ttl", "sub-rtt" */
	uint64_t packet;       /* the frame that shows it, 0 none */
	uint32_t packet_file;  /* which of the capture's files that is in */
	const char *value, *expected; /* of up to EVIDENCE_TEXT; "" none */
	enum grade grade;
	bool counted;          /* false: restates a fact that another row already counts for */
};

struct not_testable {
	const char *kind, *why;
};

/* A packet as the ladder shows it. */
struct ladder_packet {
	uint64_t frame, ts_ns;
	const char *note;     /* "ClientHello sni=…", "ICMP 3/13 from …", ""; may hold hostile bytes */
	uint32_t file;        /* of the capture's files */
	uint32_t seq, ack;    /* relative to the initial sequence numbers where known */
	uint32_t len;         /* payload bytes */
	uint16_t flags, window, ip_id;
	uint8_t dir;          /* enum dir */
	uint8_t ttl;
	bool df, has_ts, icmp;
	bool forged;          /* one of finding.packets */
	bool skipped_before;  /* packets of the flow between the previous row and this one are left out */
};

/* What a DNS finding is about. Strings are presentation form (RFC 1035 5.1), printable ASCII. */
struct dns_facts {
	uint16_t txid, qtype;
	uint8_t rcode;         /* of the answer that is accused */
	const char *qname;
	const char **answers;  /* of that answer: addresses and names, in its order */
	unsigned n_answers;
	/* False: the packets are all answers that were given, one is genuine, nothing says which. */
	bool told_apart;
};

/* What held a connection's data to a rate. */
enum rate_form {
	RATE_NONE,
	RATE_POLICED,   /* what exceeds a rate is dropped, as by a token bucket */
	RATE_SHAPED,    /* what exceeds a rate is queued: delay grows, and the rate stays the same */
	RATE_BY_SIZE,   /* packets above a size are dropped, at whatever rate */
	RATE_STEADY,    /* QUIC: it came at one rate throughout; what held it, if anything did, is not seen */
	RATE_FORM_N
};
extern const char *const rate_form_name[RATE_FORM_N]; /* "none", "policed", … */

struct rate_facts {
	enum rate_form form;
	uint8_t dir;            /* enum dir of the data */
	bool bounded;           /* policed by a bucket with a size, which the published test does not see */
	bool gaps;              /* losses are holes in what arrived: the capture is behind them */
	double rate_bps;        /* of TCP payload that got through */
	/* Before the first loss, or before the rate held; bounded: the bucket's size, 0 unknown. */
	uint64_t burst_bytes;
	uint64_t free_bytes;    /* of the connection, before anything held it */
	double loss;            /* share of the segments */
	unsigned n_lost, n_passed; /* segments from the first loss on */
	double rtt_ms;          /* median; 0 unknown */
	double inflated_ms;     /* shaped: the median beyond the smallest */
	unsigned size;          /* by size: the largest segment that passes unharmed, bytes */
	uint32_t frame;         /* that shows the first loss, or the plateau's beginning */
};

/* Payload that arrived, in bins of one width from start_ns on. */
struct goodput {
	uint64_t start_ns, bin_ns;
	uint8_t dir;            /* enum dir of the data */
	uint32_t rtt_us;        /* smallest; 0 unknown */
	unsigned n;
	uint32_t bytes[];
};

#define FLOW_LABELS_MAX 13 /* LABELS_SAID, a tunnel's, and those of RULE_HITS_MAX rules */

struct flow_record {
	uint64_t id;
	unsigned capture;     /* index into analysis.captures */
	uint64_t first_frame, first_ns, last_ns;
	uint8_t ip_version, proto;
	struct ip_addr client, server;
	uint16_t client_port, server_port;
	uint64_t pkts[2], bytes[2]; /* enum dir */
	uint8_t state;        /* enum flow_state */
	uint8_t end;          /* enum flow_end */
	enum stage stage;
	enum verdict worst;
	uint8_t n_tunnels, tunnels[TUNNELS_MAX];
	uint8_t n_vlans;
	uint16_t vlan[2];
	char history[FLOW_HISTORY_MAX + 1];
	const char *app_proto; /* never NULL: "unknown" */
	uint8_t n_labels;
	const struct label *labels; /* these and what follows may be shared by records that say the same */
	/* What the bytes said, see struct app_facts; NULL: not read. */
	const struct tls_client_hello *tls;
	const struct tls_server *tls_server;
	const struct http_request *http;
	const struct http_response *response;
	const struct page_facts *page;
	const struct quic_hello *quic;
	const struct vpn_facts *vpn;
	/* Where they are; NULL: not known, and before the flow's record is kept. */
	const struct geo_place *client_at, *server_at;
	const struct rule_hits *rules;
	const struct goodput *goodput; /* NULL: too little data for a log */
};

/* A known device that some of the packets look like; never the reason for a finding. */
struct device_match {
	const char *id;       /* of a lineage or a behaviour, never of an operator */
	const char *source;   /* where the device is described */
	enum attribution_grade grade;
	const char *mbx;      /* of these packets; "" none */
	int hops;             /* from the device to the capture; -1 unless its initial TTL is known */
	const char *detail;
	uint64_t *packets;    /* rising within each file */
	uint32_t *packet_files; /* which of the capture's files each is in */
	unsigned n_packets;
};

/* Packets that one box stamped, by its fingerprint (classifiers/device/mbx.h). */
struct injector {
	const char *mbx;
	uint64_t *packets;    /* rising within each file */
	uint32_t *packet_files; /* which of the capture's files each is in */
	unsigned n_packets;
};

/* What a finding speaks of. */
enum finding_scope { SCOPE_FLOW, SCOPE_NAME, SCOPE_PAIR, SCOPE_CAPTURE, SCOPE_N };
extern const char *const scope_name[SCOPE_N]; /* "flow", "name", "pair", "capture" */

struct compare_note; /* tools/compare/compare.h */

struct finding {
	const char *id;       /* the strongest signature's */
	unsigned number;      /* among all of a report, shown or not, from 1; 0 before there is one */
	const char *summary;  /* that signature's one sentence on what it is */
	const char *refs;
	enum family family;
	enum verdict verdict;
	double score;
	enum stage stage;
	enum dir direction;   /* towards whom the forged packets went: DIR_S2C is "to_client" */
	uint64_t ts_ns;       /* of the first decisive packet */
	const struct flow_record *flow; /* of a wider scope: the first of flows */
	enum finding_scope scope;
	uint64_t *flows;       /* flow ids it stands on; none in SCOPE_FLOW */
	unsigned n_flows;
	const struct dns_facts *dns;    /* NULL: no DNS finding */
	const struct page_facts *page;  /* NULL: no page */
	const struct rate_facts *rate;  /* NULL: not about a rate */
	bool injected;         /* packets show that the page did not come from the server */
	/* The observation, one sentence of up to FINDING_SENTENCE; names in it are escaped already. */
	const char *sentence;
	uint64_t *packets;    /* every forged or decisive frame, rising within each file */
	uint32_t *packet_files; /* which of the capture's files each is in */
	unsigned n_packets;
	enum trigger_kind trigger;
	const char *trigger_value; /* raw, may be hostile, of up to FINDING_TRIGGER; "" none */
	uint64_t trigger_packet; /* 0 none */
	uint32_t trigger_file;   /* which of the capture's files that is in */
	double reaction_ms;      /* trigger packet to first decisive packet; negative: unknown */
	struct evidence_row *rows;
	unsigned n_rows;
	struct not_testable *untestable;
	unsigned n_untestable;
	const char **benign;     /* explanations left open */
	unsigned n_benign;
	const char **ruled_out;  /* explanations that the packets contradict */
	unsigned n_ruled_out;
	const char *conditional; /* "yes", "no", "untested" */
	bool filtered;           /* a finding over several flows says that its name is */
	bool echo;               /* what another capture of the same connection explains */
	uint64_t *controls;      /* flow ids */
	unsigned n_controls;
	struct ladder_packet *ladder;
	unsigned n_ladder;
	struct device_match *devices; /* best grade first */
	unsigned n_devices;
	struct injector *injectors;   /* by first packet; none where nothing was injected */
	unsigned n_injectors;
	const struct compare_note *compare; /* found by two captures of one path; else NULL */
};

/* Counters of the evidence stage, over one capture. */
struct inspector_stats {
	uint64_t duplicate_frames;  /* identical frames within 1 ms: a SPAN port's second copy */
	uint64_t tso_segments;      /* payload above the negotiated MSS: offload super-segments */
	uint64_t gaps;              /* acknowledged bytes that the capture does not hold */
	uint64_t events_dropped;    /* packets left out of long flows' records */
	uint64_t reassembly_refused;
	uint64_t rate_logs;         /* flows whose segments were logged, for their rate */
	uint64_t rate_refused;      /* those without one, or without all, for want of room */
	uint64_t rate_pool_bytes;   /* what all logs of a capture may take */
	uint64_t ttl_probes;        /* TTL-limited probes of CenTrace and like tools */
	uint64_t flows[5];          /* by verdict VERDICT_NONE…CONFIRMED */
	uint64_t scanners;          /* sources left out as scanners */
	uint64_t attempts_dropped;  /* flows left out of the comparison of names, for memory */
	uint64_t hosts_refused;     /* times that a host, pair or network was not remembered, for memory */
	uint64_t not_kept;          /* flows not judged, for memory: only others could have accused them */
	uint64_t not_judged;        /* flows or exchanges that had a finding by themselves; the same */
	uint64_t not_listed;        /* flows without a finding that the list of all flows lacks; the same */
	uint64_t no_memory;
};

/* Of a file, as it was when it was read. */
struct capture_digest {
	char sha256[65]; /* hexadecimal; "": it could not be read twice */
	uint64_t size;   /* bytes */
};

/* One capture: a file, or several that are one timeline. */
struct capture_result {
	const char *const *files; /* what reports call them */
	const char *const *paths; /* to read them again; NULL: files */
	const struct capture_digest *digests; /* n_files; NULL: nobody has worked them out */
	unsigned n_files;
	unsigned first_input; /* place of the first of them among all files of the run */
	struct pipeline_stats stats;
	struct inspector_stats inspector;
	enum vantage vantage;
	bool vantage_given;   /* the user said so */
	bool control;         /* what the rates of the others are compared with: the user said so */
	bool no_throttling;   /* rates were not looked at, as the user wished */
	char vantage_why[160];
	bool partial;         /* damaged, cut or interrupted */
	char partial_why[320]; /* file, offset, reason */
};

struct attempt; /* classifiers/attempt.h */

/* The model that every report is written from. */
struct analysis {
	struct capture_result *captures;
	unsigned n_captures;
	struct flow_record **flows; /* order (end time, id) within (capture); all, or the touched ones */
	size_t n_flows;
	bool all_flows;
	struct finding **findings;  /* same order, those of a scope wider than a flow last */
	size_t n_findings;
	struct attempt *attempts;   /* of all captures: (capture, start time, flow id) */
	size_t n_attempts;
	size_t names_withheld;      /* flows whose name a shared report does not list */
	struct spill *spill;        /* classifiers/spill.h, for what is added to it; NULL: memory */
};
