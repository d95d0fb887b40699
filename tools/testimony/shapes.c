/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/testimony/shapes.h"

#include "classifiers/app/first_words.h"
#include "classifiers/app/http.h"
#include "classifiers/app/http_response.h"
#include "classifiers/app/interceptor.h"
#include "classifiers/app/quic.h"
#include "classifiers/app/tls.h"
#include "classifiers/app/tls_server.h"
#include "classifiers/app/vpn.h"
#include "classifiers/lists/page.h"

/* A string of a finding, with NUL of that many bytes at most. */
#define SAID(T, f, room) STRING(T, f, .required = true, .most = (room) - 1)

/* Rows name their struct once. */
#define T struct tls_client_hello
static const struct wire_field hello_rows[] = {
	U(T, record_version), U(T, legacy_version), U(T, highest_version), FLAG(T, has_sni),
	FLAG(T, truncated), U(T, sni_len), SENT(T, sni), U(T, n_alpn, .most = TLS_ALPN_MAX),
	TEXTS(T, alpn), FLAG(T, ech), FLAG(T, esni), U(T, hello_end), U(T, sni_offset),
	U(T, sni_end), U(T, n_records), TEXT(T, ja3), TEXT(T, ja4),
};
#undef T
static const struct wire_shape shape_hello = {SHAPE(tls_client_hello, hello_rows)};

#define T struct tls_server
static const struct wire_field tls_server_rows[] = {
	U(T, version), U(T, cipher), FLAG(T, has_hello), FLAG(T, has_certificate), FLAG(T, retry),
	FLAG(T, has_alert), U(T, alert_level), U(T, alert), U(T, interceptor, .most = INTERCEPTORS_MAX),
	U(T, alert_offset), BYTES(T, spki), TEXT(T, ja3s), TEXT(T, issuer), TEXT(T, subject),
};
#undef T
static const struct wire_shape shape_tls_server = {SHAPE(tls_server, tls_server_rows)};

#define T struct http_request
static const struct wire_field request_rows[] = {
	SENT(T, method), SENT(T, path), SENT(T, host), TEXT(T, version), FLAG(T, has_host),
	FLAG(T, truncated), U(T, host_len), U(T, path_len), U(T, head_end), U(T, host_offset),
	U(T, host_end),
};
#undef T
static const struct wire_shape shape_request = {SHAPE(http_request, request_rows)};

#define T struct http_response
static const struct wire_field response_rows[] = {
	U(T, status), FLAG(T, truncated), FLAG(T, has_server), FLAG(T, has_date), FLAG(T, has_via),
	FLAG(T, has_location), FLAG(T, has_type), FLAG(T, is_text), FLAG(T, close), FLAG(T, chunked),
	FLAG(T, has_length), FLAG(T, bodyless), BELOW(T, coding, HTTP_CODING_OTHER + 1),
	U(T, location_len), U(T, server_len), U(T, head_start), U(T, head_end), U(T, length),
	SENT(T, location), SENT(T, server),
};
#undef T
static const struct wire_shape shape_response = {SHAPE(http_response, response_rows)};

#define T struct rule_hits
static const struct wire_field hits_rows[] = {
	RULES(T, hit), U(T, n, .most = RULE_HITS_MAX), U(T, more),
};
#undef T
static const struct wire_shape shape_hits = {SHAPE(rule_hits, hits_rows)};

#define T struct page_facts
static const struct wire_field page_rows[] = {
	STRUCT(T, hits, &shape_hits), RULE(T, rule), U(T, status), FLAG(T, framed_ir), FLAG(T, cut),
	U(T, body_len), SENT(T, title), SENT(T, frame),
};
#undef T
static const struct wire_shape shape_page = {SHAPE(page_facts, page_rows)};

#define T struct quic_cid
static const struct wire_field cid_rows[] = {U(T, len, .most = QUIC_CID_MAX), BYTES(T, b)};
#undef T
static const struct wire_shape shape_cid = {SHAPE(quic_cid, cid_rows)};

#define T struct quic_hello
static const struct wire_field quic_rows[] = {
	U(T, version), STRUCT(T, dcid, &shape_cid), STRUCT(T, scid, &shape_cid), FLAG(T, opened),
	FLAG(T, has_tls), STRUCT(T, tls, &shape_hello),
};
#undef T
static const struct wire_shape shape_quic = {SHAPE(quic_hello, quic_rows)};

#define T struct vpn_facts
static const struct wire_field vpn_rows[] = {
	BELOW(T, proto, VPN_N), FLAG(T, both), FLAG(T, midway), FLAG(T, complete), FLAG(T, cookie),
	FLAG(T, fet), U(T, payload), TEXT(T, variant), US(T, handshakes), US(T, data),
	US(T, keepalives), U(T, first_data_ns), US(T, last_data_ns),
};
#undef T
static const struct wire_shape shape_vpn = {SHAPE(vpn_facts, vpn_rows)};

#define T struct geo_place
static const struct wire_field place_rows[] = {U(T, asn), TEXT(T, org), TEXT(T, country)};
#undef T
static const struct wire_shape shape_place = {SHAPE(geo_place, place_rows)};

#define T struct label
static const struct wire_field label_rows[] = {
	STRING(T, by, .required = true), TEXT(T, app), TEXT(T, category), TEXT(T, confidence),
	U(T, risk), TEXT(T, risks), RULE(T, rule),
};
#undef T
static const struct wire_shape shape_label = {SHAPE(label, label_rows)};

#define T struct goodput
static const struct wire_field goodput_rows[] = {
	U(T, start_ns), U(T, bin_ns, .least = 1), BELOW(T, dir, 2), U(T, rtt_us), LEFT_OUT(T, n),
};
#undef T
static const struct wire_shape shape_goodput = {
	SHAPE(goodput, goodput_rows),
	.flex = sizeof(uint32_t),
	.flex_at = offsetof(struct goodput, bytes),
	.flex_count_at = offsetof(struct goodput, n),
};

#define T struct rate_facts
static const struct wire_field rate_rows[] = {
	BELOW(T, form, RATE_FORM_N), BELOW(T, dir, 2), FLAG(T, bounded), FLAG(T, gaps),
	REAL(T, rate_bps), U(T, burst_bytes), U(T, free_bytes), REAL(T, loss), U(T, n_lost), U(T, n_passed),
	REAL(T, rtt_ms), REAL(T, inflated_ms), U(T, size), U(T, frame),
};
#undef T
static const struct wire_shape shape_rate = {SHAPE(rate_facts, rate_rows)};

#define T struct flow_record
static const struct wire_field flow_rows[] = {
	U(T, id), LEFT_OUT(T, capture), U(T, first_frame), U(T, first_ns), U(T, last_ns),
	U(T, ip_version, .most = 6), U(T, proto), BYTES(T, client), BYTES(T, server),
	U(T, client_port), U(T, server_port), US(T, pkts), US(T, bytes),
	BELOW(T, state, FLOW_N_STATES), BELOW(T, end, FLOW_END_N), BELOW(T, stage, STAGE_N),
	BELOW(T, worst, VERDICT_N), U(T, n_tunnels, .most = TUNNELS_MAX), BYTES(T, tunnels),
	U(T, n_vlans, .most = 2), US(T, vlan), TEXT(T, history), STRING(T, app_proto, .required = true),
	U(T, n_labels), STRUCTS(T, labels, n_labels, &shape_label), POINTER(T, tls, &shape_hello),
	POINTER(T, tls_server, &shape_tls_server), POINTER(T, http, &shape_request),
	POINTER(T, response, &shape_response), POINTER(T, page, &shape_page),
	POINTER(T, quic, &shape_quic), POINTER(T, vpn, &shape_vpn),
	POINTER(T, client_at, &shape_place), POINTER(T, server_at, &shape_place),
	LEFT_OUT(T, rules), /* its labels say them */
	POINTER(T, goodput, &shape_goodput),
};
#undef T
static const struct wire_shape shape_flow = {SHAPE(flow_record, flow_rows)};

#define T struct evidence_row
static const struct wire_field evidence_rows[] = {
	STRING(T, kind, .required = true), U(T, grade, .least = GRADE_D1, .most = GRADE_D4),
	FLAG(T, counted), U(T, packet), U(T, packet_file),
	SAID(T, value, EVIDENCE_TEXT), SAID(T, expected, EVIDENCE_TEXT),
};
#undef T
static const struct wire_shape shape_evidence = {SHAPE(evidence_row, evidence_rows)};

#define T struct not_testable
static const struct wire_field untestable_rows[] = {
	STRING(T, kind, .required = true), STRING(T, why, .required = true),
};
#undef T
static const struct wire_shape shape_untestable = {SHAPE(not_testable, untestable_rows)};

#define T struct ladder_packet
static const struct wire_field ladder_rows[] = {
	U(T, frame), U(T, ts_ns), U(T, file), BELOW(T, dir, 2), U(T, ttl), FLAG(T, df),
	FLAG(T, has_ts), FLAG(T, icmp), FLAG(T, forged), FLAG(T, skipped_before), U(T, flags),
	U(T, window), U(T, ip_id), U(T, seq), U(T, ack), U(T, len), TEXT(T, note),
};
#undef T
static const struct wire_shape shape_ladder = {SHAPE(ladder_packet, ladder_rows)};

#define T struct dns_facts
static const struct wire_field dns_rows[] = {
	U(T, txid), U(T, qtype), U(T, rcode), STRING(T, qname, .required = true), U(T, n_answers),
	STRINGS(T, answers, n_answers), FLAG(T, told_apart),
};
#undef T
static const struct wire_shape shape_dns = {SHAPE(dns_facts, dns_rows)};

#define T struct device_match
static const struct wire_field device_rows[] = {
	STRING(T, id, .required = true), STRING(T, source), U(T, grade, .least = ATTRIBUTION_A1,
	.most = ATTRIBUTION_N - 1), STRING(T, mbx, .required = true), S(T, hops), STRING(T, detail),
	U(T, n_packets), UINTS(T, packets, n_packets), UINTS(T, packet_files, n_packets),
};
#undef T
static const struct wire_shape shape_device = {SHAPE(device_match, device_rows)};

#define T struct injector
static const struct wire_field injector_rows[] = {
	STRING(T, mbx, .required = true), U(T, n_packets), UINTS(T, packets, n_packets),
	UINTS(T, packet_files, n_packets),
};
#undef T
static const struct wire_shape shape_injector = {SHAPE(injector, injector_rows)};

#define T struct finding
static const struct wire_field finding_rows[] = {
	STRING(T, id, .required = true), LEFT_OUT(T, number), STRING(T, summary, .required = true),
	STRING(T, refs, .required = true), BELOW(T, family, FAMILY_N), BELOW(T, verdict, VERDICT_N),
	REAL(T, score), BELOW(T, stage, STAGE_N), BELOW(T, direction, 2), U(T, ts_ns),
	POINTER(T, flow, &shape_flow, .required = true), BELOW(T, scope, SCOPE_N), U(T, n_flows),
	UINTS(T, flows, n_flows), POINTER(T, dns, &shape_dns), POINTER(T, page, &shape_page),
	POINTER(T, rate, &shape_rate), FLAG(T, injected), SAID(T, sentence, FINDING_SENTENCE),
	U(T, n_packets), UINTS(T, packets, n_packets), UINTS(T, packet_files, n_packets),
	BELOW(T, trigger, TRIGGER_N), SAID(T, trigger_value, FINDING_TRIGGER), U(T, trigger_packet),
	U(T, trigger_file), REAL(T, reaction_ms), U(T, n_rows), STRUCTS(T, rows, n_rows, &shape_evidence),
	U(T, n_untestable), STRUCTS(T, untestable, n_untestable, &shape_untestable),
	U(T, n_benign), STRINGS(T, benign, n_benign), U(T, n_ruled_out),
	STRINGS(T, ruled_out, n_ruled_out), STRING(T, conditional, .required = true),
	FLAG(T, filtered), FLAG(T, echo), U(T, n_controls), UINTS(T, controls, n_controls),
	U(T, n_ladder), STRUCTS(T, ladder, n_ladder, &shape_ladder), U(T, n_devices),
	STRUCTS(T, devices, n_devices, &shape_device), U(T, n_injectors),
	STRUCTS(T, injectors, n_injectors, &shape_injector),
	LEFT_OUT(T, compare), /* of two captures of one path, which nobody merges */
};
#undef T
static const struct wire_shape shape_finding = {SHAPE(finding, finding_rows)};

#define T struct attempt
static const struct wire_field attempt_rows[] = {
	U(T, flow_id), U(T, start_ns), U(T, request_ns), U(T, end_ns), BYTES(T, client),
	BYTES(T, server), U(T, client_port), U(T, server_port), U(T, ip_version, .most = 6),
	U(T, proto), BELOW(T, trigger, TRIGGER_N), BELOW(T, end, ATTEMPT_N), BELOW(T, stage, STAGE_N),
	U(T, bits), LEFT_OUT(T, capture), U(T, bytes_s2c), U(T, rtt_us), U(T, ttl),
	BELOW(T, words, WORDS_N), FLAG(T, muted), U(T, txid),
	U(T, qtype), U(T, rcode), U(T, n_answers), U(T, version), STRING(T, name), U(T, first_len),
	U(T, payload),
	POINTER(T, goodput, &shape_goodput), POINTER(T, rate, &shape_rate),
	POINTER(T, flow, &shape_flow), POINTER(T, finding, &shape_finding),
	STRING(T, ja4, .required = true), POINTER(T, tls_server, &shape_tls_server),
};
#undef T
static const struct wire_shape shape_attempt = {SHAPE(attempt, attempt_rows)};

#define T struct source_damage
static const struct wire_field damage_rows[] = {U(T, file), U(T, offset), TEXT(T, reason)};
#undef T
static const struct wire_shape shape_damage = {SHAPE(source_damage, damage_rows)};

#define T struct source_iface
static const struct wire_field iface_rows[] = {
	U(T, file), U(T, iface), U(T, linktype), U(T, snaplen), U(T, packets), U(T, dropped),
	TEXT(T, name),
};
#undef T
static const struct wire_shape shape_iface = {SHAPE(source_iface, iface_rows)};

#define T struct source_stats
static const struct wire_field source_rows[] = {
	U(T, received), U(T, bytes), U(T, truncated), U(T, filtered), U(T, unfiltered),
	U(T, ignored_blocks), U(T, comments), TEXT(T, mode), U(T, file_bytes), U(T, read_bytes),
	U(T, shunted), U(T, shunts), U(T, shunts_refused), U(T, stalls), U(T, n_damage),
	STRUCTS(T, damage, n_damage, &shape_damage), U(T, n_ifaces),
	STRUCTS(T, ifaces, n_ifaces, &shape_iface),
	LEFT_OUT(T, comment), LEFT_OUT(T, n_comment), /* the source's own, gone with it */
};
#undef T
static const struct wire_shape shape_source = {SHAPE(source_stats, source_rows)};

#define T struct decoder_stats
static const struct wire_field decoder_rows[] = {
	US(T, ends), U(T, fragments), U(T, reassembled), U(T, fragments_timeout),
	U(T, fragments_evicted), U(T, fragments_overlap), U(T, fragments_bad), US(T, anomalies),
	U(T, tunnelled), U(T, tunnel_closed),
};
#undef T
static const struct wire_shape shape_decoder = {SHAPE(decoder_stats, decoder_rows)};

#define T struct flow_table_stats
static const struct wire_field table_rows[] = {
	U(T, created), US(T, ended), U(T, peak), U(T, midstream), U(T, icmp_unmatched),
};
#undef T
static const struct wire_shape shape_table = {SHAPE(flow_table_stats, table_rows)};

#define T struct pipeline_stats
static const struct wire_field pipeline_rows[] = {
	STRUCT(T, source, &shape_source), STRUCT(T, decoder, &shape_decoder),
	STRUCT(T, flows, &shape_table), U(T, no_memory), U(T, time_backwards), U(T, time_jump),
	U(T, first_ns), U(T, last_ns), FLAG(T, interrupted),
};
#undef T
static const struct wire_shape shape_pipeline = {SHAPE(pipeline_stats, pipeline_rows)};

#define T struct inspector_stats
static const struct wire_field inspector_rows[] = {
	U(T, duplicate_frames), U(T, tso_segments), U(T, gaps), U(T, events_dropped),
	U(T, reassembly_refused), U(T, rate_logs), U(T, rate_refused), U(T, rate_pool_bytes),
	U(T, ttl_probes), US(T, flows), U(T, scanners), U(T, attempts_dropped), U(T, hosts_refused),
	U(T, not_kept), U(T, not_judged), U(T, not_listed), U(T, no_memory),
};
#undef T
static const struct wire_shape shape_inspector = {SHAPE(inspector_stats, inspector_rows)};

#define T struct capture_digest
static const struct wire_field digest_rows[] = {TEXT(T, sha256), U(T, size)};
#undef T
static const struct wire_shape shape_digest = {SHAPE(capture_digest, digest_rows)};

#define T struct capture_result
static const struct wire_field result_rows[] = {
	U(T, n_files, .least = 1), U(T, first_input), STRINGS(T, files, n_files), LEFT_OUT(T, paths),
	STRUCTS(T, digests, n_files, &shape_digest), STRUCT(T, stats, &shape_pipeline),
	STRUCT(T, inspector, &shape_inspector), BELOW(T, vantage, VANTAGE_N), FLAG(T, vantage_given),
	FLAG(T, no_throttling), FLAG(T, control),
	TEXT(T, vantage_why), FLAG(T, partial), TEXT(T, partial_why),
};
#undef T
static const struct wire_shape shape_result = {SHAPE(capture_result, result_rows)};

#define T struct judged_capture
static const struct wire_field judged_rows[] = {
	STRUCT(T, result, &shape_result), U(T, n_flows),
	POINTERS(T, flows, n_flows, &shape_flow), U(T, n_findings),
	POINTERS(T, findings, n_findings, &shape_finding), U(T, n_attempts),
	STRUCTS(T, attempts, n_attempts, &shape_attempt),
};
#undef T
const struct wire_shape shape_judged_capture = {SHAPE(judged_capture, judged_rows)};
