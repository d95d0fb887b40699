-- SPDX-License-Identifier: BSD-3-Clause
--
-- wmscope.sqlite: what was read and what was found. Columns are called as the keys of events.jsonl
-- (tools/schema.json says more of each); times are ISO 8601 in UTC with nanoseconds, so that they
-- compare as text; truth is 0 or 1; lists are parted by blanks. Text from packets is made harmless:
-- a backslash is two, and what is not printable UTF-8 is \xNN or \u{NNNN}.
--
-- src_* is the client of a connection and dest_* its server. flow_id is the same in every table, and
-- finding is the number of a row in findings. Frames count from 1 in their file, as Wireshark's.

-- Single facts of the run: schema (of this file), version, clients (real or pseudonymous), min_verdict.
CREATE TABLE run (
	key TEXT PRIMARY KEY,
	value TEXT
);

-- A row a file. Several files with one number of capture are one timeline; counts are the capture's.
CREATE TABLE captures (
	capture INTEGER,
	file INTEGER,
	pcap_filename TEXT,
	packets INTEGER,
	bytes INTEGER,
	first TEXT,
	last TEXT,
	vantage TEXT,        -- client, server, middle, one-sided, unknown
	dropped INTEGER,     -- packets that the capturing system lost; null: not said
	partial INTEGER      -- damaged, cut short or interrupted
);

-- Connections. Only those with a finding where the run kept no others.
CREATE TABLE flows (
	timestamp TEXT,
	flow_id INTEGER,
	pcap_cnt INTEGER,    -- frame of the first packet
	pcap_filename TEXT,
	src_ip TEXT,
	src_port INTEGER,
	dest_ip TEXT,
	dest_port INTEGER,
	proto TEXT,
	vlan TEXT,
	tunnels TEXT,
	community_id TEXT,
	src_asn INTEGER,
	src_as_org TEXT,
	src_country TEXT,
	dest_asn INTEGER,
	dest_as_org TEXT,
	dest_country TEXT,
	app_proto TEXT,
	pkts_toserver INTEGER,
	pkts_toclient INTEGER,
	bytes_toserver INTEGER,  -- IP packets with their headers
	bytes_toclient INTEGER,
	start TEXT,
	"end" TEXT,
	state TEXT,
	reason TEXT,         -- why the flow ended for the analysis
	history TEXT,        -- Zeek's letters
	stage TEXT,          -- how far the connection came
	cloudflare_stage TEXT, -- Cloudflare Radar's word: post_syn … later_in_flow, no_match; TCP
	outcome TEXT,        -- of the one thing that was asked for; null where there were none or many
	failed_operation TEXT, -- OONI df-007: connect, tls_handshake, http_round_trip, resolve, …
	failure TEXT,        -- OONI df-007: connection_reset, generic_timeout_error, …; null: none
	worst TEXT,          -- worst verdict of its findings
	findings INTEGER,
	finding_id TEXT,     -- of the worst
	family TEXT,
	sni TEXT,
	alpn TEXT,
	ja3 TEXT,
	ja4 TEXT,
	ech INTEGER,
	method TEXT,
	host TEXT,
	path TEXT,
	status INTEGER,
	labels TEXT          -- classifier:label, parted by blanks
);

-- Findings in the order of events.jsonl. flow_id is null where scope is wider than one flow.
CREATE TABLE findings (
	finding INTEGER PRIMARY KEY,
	timestamp TEXT,
	flow_id INTEGER,
	pcap_cnt INTEGER,    -- the first decisive frame
	pcap_filename TEXT,
	src_ip TEXT,
	src_port INTEGER,
	dest_ip TEXT,
	dest_port INTEGER,
	proto TEXT,
	community_id TEXT,
	id TEXT,             -- of the strongest signature
	family TEXT,
	scope TEXT,          -- flow, name, pair, capture
	verdict TEXT,
	score REAL,
	stage TEXT,
	direction TEXT,
	packets TEXT,        -- forged or decisive frames; one a row in finding_packets
	trigger_kind TEXT,
	trigger_value TEXT,
	trigger_packet INTEGER,
	reaction_ms REAL,    -- from the trigger's packet to the first decisive one
	conditional TEXT,    -- whether the trigger made the difference: yes, no, untested
	filtered INTEGER,    -- says that its name is
	flows TEXT,
	controls TEXT,
	evidence TEXT,       -- kind and grade, parted by semicolons; one a row in evidence
	not_testable TEXT,
	benign TEXT,         -- other explanations that are open
	ruled_out TEXT,
	device TEXT,         -- what the packets look like; never the reason for the finding
	device_grade TEXT,
	hops INTEGER,
	mbx TEXT,            -- the injector's fingerprint
	qname TEXT,
	qtype TEXT,
	rcode TEXT,          -- of the accused answer
	answers TEXT,
	page_status INTEGER,
	page_title TEXT,
	page_rule TEXT,
	rate_form TEXT,
	rate_bps REAL,
	summary TEXT,
	sentence TEXT,
	refs TEXT
);

CREATE TABLE evidence (
	finding INTEGER REFERENCES findings,
	kind TEXT,
	grade TEXT,          -- D1 … D4
	counted INTEGER,     -- 0: restates a fact that counts elsewhere
	packet INTEGER,
	value TEXT,
	expected TEXT
);

-- role: injected (the finding is at least likely), suspect, unanswered, page, decisive, trigger.
CREATE TABLE finding_packets (
	finding INTEGER REFERENCES findings,
	packet INTEGER,
	pcap_filename TEXT,
	role TEXT
);

-- role: flow (a wider finding stands on it) or control (it was compared with).
CREATE TABLE finding_flows (
	finding INTEGER REFERENCES findings,
	flow_id INTEGER,
	role TEXT
);

CREATE TABLE devices (
	finding INTEGER REFERENCES findings,
	id TEXT,
	grade TEXT,          -- A1 … A3
	mbx TEXT,
	hops INTEGER,
	packets TEXT,
	detail TEXT,
	source TEXT
);

-- DNS queries, what came back first, and what is said of it.
CREATE TABLE dns (
	timestamp TEXT,
	flow_id INTEGER,
	pcap_filename TEXT,
	src_ip TEXT,
	src_port INTEGER,
	dest_ip TEXT,
	dest_port INTEGER,
	proto TEXT,
	txid INTEGER,
	qname TEXT,          -- lower case
	qtype TEXT,
	rcode TEXT,          -- of the first reply
	replies INTEGER,
	reply_ms REAL,
	outcome TEXT,
	failure TEXT,
	verdict TEXT,
	finding_id TEXT,
	forged_rcode TEXT,
	forged_answers TEXT,
	told_apart INTEGER   -- 0: one of the answers is genuine, nothing says which
);

-- TLS and QUIC hellos, and what servers said in the clear.
CREATE TABLE tls (
	timestamp TEXT,
	flow_id INTEGER,
	pcap_filename TEXT,
	src_ip TEXT,
	src_port INTEGER,
	dest_ip TEXT,
	dest_port INTEGER,
	proto TEXT,
	sni TEXT,
	alpn TEXT,
	ja3 TEXT,
	ja4 TEXT,
	ech INTEGER,
	esni INTEGER,
	version INTEGER,     -- highest offered
	legacy_version INTEGER,
	record_version INTEGER,
	records INTEGER,
	truncated INTEGER,
	quic_version INTEGER,
	server_version INTEGER,
	cipher INTEGER,
	ja3s TEXT,
	issuer TEXT,
	subject TEXT,
	spki_sha256 TEXT,
	alert_level INTEGER,
	alert INTEGER,
	worst TEXT
);

-- A name at a server: how many independent tries passed and failed, and those of other names there.
CREATE TABLE names (
	kind TEXT,
	value TEXT,
	dest_ip TEXT,
	dest_port INTEGER,
	proto TEXT,
	passed INTEGER,
	failed INTEGER,
	dependent INTEGER,   -- failures left out: an earlier one may be their cause
	control_passed INTEGER,
	control_failed INTEGER,
	filtered INTEGER
);

-- Boxes: injections that are stamped alike, or drops with one behaviour.
CREATE TABLE profiles (
	number INTEGER PRIMARY KEY,
	mbx TEXT,
	device TEXT,
	device_grade TEXT,
	hops INTEGER,
	mode TEXT,           -- on_path, in_path, unknown
	mode_why TEXT,
	verdict TEXT,
	findings INTEGER,
	first TEXT,
	last TEXT,
	reactions INTEGER,
	reaction_ms_p5 REAL,
	reaction_ms_median REAL,
	reaction_ms_p95 REAL,
	residual_s_at_least REAL,
	residual_s_at_most REAL
);

-- The usual questions.

-- Which names were hit, how often, and were others at the same servers?
CREATE VIEW by_name AS
	SELECT kind, value AS name, count(*) AS servers, sum(passed) AS passed, sum(failed) AS failed,
		sum(control_passed) AS control_passed, sum(control_failed) AS control_failed,
		max(filtered) AS filtered
	FROM names GROUP BY kind, value ORDER BY filtered DESC, failed DESC, name;

-- Which servers have connections that were interfered with (likely or confirmed), of how many?
CREATE VIEW by_server AS
	SELECT dest_ip, dest_port, proto, dest_asn, dest_as_org, count(*) AS flows,
		sum(worst IN ('likely', 'confirmed')) AS touched,
		sum(worst IN ('anomaly', 'inconclusive')) AS unclear
	FROM flows GROUP BY dest_ip, dest_port, proto ORDER BY touched DESC, flows DESC;

-- Every forged packet, with the finding that says so.
CREATE VIEW forged_packets AS
	SELECT p.pcap_filename, p.packet, p.finding, f.id, f.verdict, f.direction, f.flow_id, f.mbx,
		f.trigger_kind, f.trigger_value
	FROM finding_packets p JOIN findings f USING (finding)
	WHERE p.role = 'injected' ORDER BY p.pcap_filename, p.packet;

-- Which boxes are there, and what do they act on?
CREATE VIEW boxes AS
	SELECT p.number, p.mbx, p.device, p.device_grade, p.mode, p.hops, p.verdict, p.findings,
		p.reaction_ms_median,
		(SELECT group_concat(DISTINCT f.trigger_value) FROM findings f WHERE f.mbx = p.mbx)
			AS triggers
	FROM profiles p ORDER BY p.number;

-- What findings over several connections stand on, and what they were compared with.
CREATE VIEW controls AS
	SELECT c.finding, f.id, f.trigger_value, c.role, c.flow_id, w.src_ip, w.dest_ip, w.dest_port,
		w.sni, w.host, w.outcome, w.worst
	FROM finding_flows c JOIN findings f USING (finding) LEFT JOIN flows w ON w.flow_id = c.flow_id
	ORDER BY c.finding, c.role, c.flow_id;
