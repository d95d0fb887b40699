/* SPDX-License-Identifier: BSD-3-Clause */

/* Whose a connection is, what state it is in, and when its packets are another one's. */

#include "dataplane/flow.c"

#include "tests/unit/flow_build.h"

static void clients_are_decided(void **state)
{
	static const struct {
		uint8_t proto;
		uint16_t sport, dport, flags;
		bool sender_is_client, guessed;
	} rows[] = {
		{IPPROTO_TCP, 443, 40000, TCP_SYN, true, false},
		{IPPROTO_TCP, 40000, 443, TCP_SYN | TCP_ECE | TCP_CWR, true, false},
		{IPPROTO_TCP, 40000, 443, TCP_SYN | TCP_ACK, false, false},
		{IPPROTO_TCP, 443, 40000, TCP_SYN | TCP_ACK, false, false},
		{IPPROTO_TCP, 40000, 443, TCP_SYN | TCP_RST, true, true},
		{IPPROTO_TCP, 443, 40000, TCP_ACK, false, true},
		{IPPROTO_TCP, 40000, 443, TCP_ACK, true, true},
		{IPPROTO_TCP, 40000, 443, TCP_RST, true, true},
		{IPPROTO_TCP, 443, 40000, TCP_RST | TCP_ACK, false, true},
		{IPPROTO_TCP, 8080, 2000, TCP_ACK, false, true},
		{IPPROTO_TCP, 2000, 8080, TCP_ACK, true, true},
		{IPPROTO_TCP, 22, 80, TCP_ACK, false, true},
		{IPPROTO_TCP, 80, 22, TCP_ACK, true, true},
		{IPPROTO_TCP, 50000, 30000, 0, true, true},
		{IPPROTO_TCP, 30000, 50000, 0, false, true},
		{IPPROTO_TCP, 30000, 30000, TCP_ACK, true, true},
		{IPPROTO_UDP, 40000, 53, 0, true, true},
		{IPPROTO_UDP, 53, 40000, 0, false, true},
		{IPPROTO_UDP, 53, 53, 0, true, true},
		{IPPROTO_UDP, 123, 500, 0, true, true},
		{IPPROTO_UDP, 30000, 50000, 0, true, true},
		{IPPROTO_UDP, 50000, 30000, 0, true, true},
		{IPPROTO_ICMP, 8, 0, 0, true, true},
		{IPPROTO_GRE, 0, 0, 0, true, true},
	};
	(void)state;
	/* Either way round, since the key is unordered. */
	for (unsigned i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned r = i / 2;
		uint32_t a = i % 2 == 0 ? CLIENT : SERVER, b = i % 2 == 0 ? SERVER : CLIENT;
		struct flow_table *t = table((struct flow_table_config){.max_flows = 0});
		struct headers h = packet4(rows[r].proto, a, rows[r].sport, b, rows[r].dport);
		enum dir dir;
		h.flags = rows[r].flags;
		struct flow *f = give(t, &h, T0, &dir);
		assert_int_equal(dir, rows[r].sender_is_client ? DIR_C2S : DIR_S2C);
		assert_int_equal(f->client_guessed, rows[r].guessed);
		assert_memory_equal(flow_addr(f, dir), &h.src, sizeof(h.src));
		assert_memory_equal(flow_addr(f, dir_other(dir)), &h.dst, sizeof(h.dst));
		bool ports = h.proto == IPPROTO_TCP || h.proto == IPPROTO_UDP;
		assert_int_equal(flow_port(f, dir), ports ? h.sport : 0);
		assert_int_equal(flow_port(f, dir_other(dir)), ports ? h.dport : 0);
		/* The answer is the other direction of the same flow. */
		struct headers back = packet4(rows[r].proto, b, rows[r].dport, a, rows[r].sport);
		enum dir back_dir;
		assert_ptr_equal(give(t, &back, T0, &back_dir), f);
		assert_int_equal(back_dir, dir_other(dir));
		flow_table_free(t);
	}
}

static void a_connection_is_followed(void **state)
{
	/* Shifts move both initial sequence numbers across 2^32. */
	static const uint32_t shifts[] = {0, 0U - 1000, 0U - 2001, 0x80000000U};
	(void)state;
	for (unsigned i = 0; i < sizeof(shifts) / sizeof(shifts[0]); i++) {
		struct flow_table *t = table((struct flow_table_config){.max_flows = 0});
		uint32_t c = 1000 + shifts[i], s = 2000 + shifts[i];
		struct flow *f = tcp(t, true, TCP_SYN, c, 0, T0);
		assert_int_equal(f->state, FLOW_SYN_SENT);
		tcp(t, false, TCP_SYN | TCP_ACK, s, 0, T0 + MS);
		assert_int_equal(f->state, FLOW_SYN_RECEIVED);
		tcp(t, true, TCP_ACK, c + 1, 0, T0 + 2 * MS);
		assert_int_equal(f->state, FLOW_ESTABLISHED);
		tcp(t, true, TCP_ACK | TCP_PSH, c + 1, 500, T0 + 3 * MS);
		tcp(t, false, TCP_ACK, s + 1, 0, T0 + 4 * MS);
		tcp(t, false, TCP_ACK | TCP_PSH, s + 1, 700, T0 + 5 * MS);
		tcp(t, true, TCP_ACK | TCP_FIN, c + 501, 0, T0 + 6 * MS);
		assert_int_equal(f->state, FLOW_CLOSING);
		tcp(t, false, TCP_ACK | TCP_FIN, s + 701, 0, T0 + 7 * MS);
		assert_int_equal(f->state, FLOW_CLOSED);
		assert_history(f, "ShADadFf");
		assert_true(f->syn_seen[0] && f->syn_seen[1] && f->fin_seen[0] && f->fin_seen[1]);
		assert_int_equal(f->isn[DIR_C2S], c);
		assert_int_equal(f->isn[DIR_S2C], s);
		assert_int_equal(f->pkts[DIR_C2S], 4);
		assert_int_equal(f->pkts[DIR_S2C], 4);
		assert_int_equal(f->bytes[DIR_C2S], 4 * 40 + 500);
		assert_int_equal(f->bytes[DIR_S2C], 4 * 40 + 700);
		assert_int_equal(flow_first_frame(f), 1);
		assert_int_equal(f->first_ns, T0);
		assert_int_equal(f->last_ns, T0 + 7 * MS);
		assert_false(f->client_guessed);
		tcp(t, false, TCP_RST, s + 701, 0, T0 + 8 * MS);
		assert_int_equal(f->state, FLOW_RESET);
		assert_history(f, "ShADadFfr");
		flow_table_free(t);
		assert_int_equal(n_ends, 1);
		assert_int_equal(ends[0].why, FLOW_END_EOF);
	}
}

static void a_reset_does_not_end_a_flow(void **state)
{
	(void)state;
	struct flow_table *t = table((struct flow_table_config){.max_flows = 0});
	struct flow *f = tcp(t, true, TCP_SYN, 1, 0, T0);
	tcp(t, false, TCP_SYN | TCP_ACK, 7, 0, T0);
	tcp(t, false, TCP_RST | TCP_ACK, 8, 0, T0 + SECOND_NS);
	assert_true(f->rst_seen[DIR_S2C]);
	/* Each packet afterwards makes it linger again. */
	assert_ptr_equal(tcp(t, true, TCP_ACK, 2, 100, T0 + 50 * SECOND_NS), f);
	flow_table_expire(t, T0 + 109 * SECOND_NS);
	assert_int_equal(n_ends, 0);
	assert_int_equal(f->state, FLOW_RESET);
	assert_history(f, "ShrAD");
	flow_table_expire(t, T0 + 110 * SECOND_NS);
	assert_int_equal(n_ends, 1);
	assert_int_equal(ends[0].why, FLOW_END_CLOSED);
	assert_int_equal(flow_table_stats(t)->ended[FLOW_END_CLOSED], 1);
	flow_table_free(t);
	assert_int_equal(n_ends, 1);
}

static void a_syn_may_begin_another_connection(void **state)
{
	enum before { SENT, RECEIVED, OPEN, RESET_, SHUT, MIDWAY, SYNACK_ONLY };
	static const struct {
		enum before before;
		bool from_client, same_isn;
		unsigned after_ms;
		bool anew;
	} rows[] = {
		{SENT, true, true, 100, false},       {SENT, true, true, 3000, false},
		{SENT, true, false, 100, false},      {SENT, true, false, 1000, false},
		{SENT, true, false, 1001, true},      {SENT, false, false, 3000, false},
		{RECEIVED, true, false, 100, false},  {RECEIVED, true, false, 1100, true},
		{RECEIVED, true, true, 5000, false},  {OPEN, true, false, 500, false},
		{OPEN, true, false, 1500, true},      {OPEN, false, false, 1500, true},
		{OPEN, true, true, 1500, false},      {RESET_, true, false, 1, true},
		{RESET_, false, false, 1, true},      {RESET_, true, true, 3000, false},
		{SHUT, true, false, 1, true},         {SHUT, true, true, 1, false},
		{MIDWAY, true, false, 1, true},       {MIDWAY, false, false, 1, true},
		{SYNACK_ONLY, true, false, 1, false}, {SYNACK_ONLY, true, false, 1001, true},
	};
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum before b = rows[i].before;
		uint32_t c = 0U - 5, s = 0U - 1;
		struct flow_table *t = table((struct flow_table_config){.max_flows = 0});
		if (b != MIDWAY && b != SYNACK_ONLY)
			tcp(t, true, TCP_SYN, c, 0, T0);
		if (b != MIDWAY && b != SENT)
			tcp(t, false, TCP_SYN | TCP_ACK, s, 0, T0);
		if (b == OPEN || b == RESET_ || b == SHUT || b == MIDWAY)
			tcp(t, true, TCP_ACK, c + 1, 10, T0);
		if (b == RESET_)
			tcp(t, false, TCP_RST, s + 1, 0, T0);
		if (b == SHUT)
			tcp(t, false, TCP_FIN | TCP_ACK, s + 1, 0, T0);
		if (b == SHUT)
			tcp(t, true, TCP_FIN | TCP_ACK, c + 11, 0, T0);
		uint64_t frame = next_frame;
		uint32_t isn = rows[i].from_client ? c : s;
		struct flow *f = tcp(t, rows[i].from_client, TCP_SYN,
				     rows[i].same_isn ? isn : isn + 12345, 0,
				     T0 + rows[i].after_ms * MS);
		if (n_ends != rows[i].anew)
			print_error("row %u\n", i);
		assert_int_equal(n_ends, rows[i].anew);
		assert_int_equal(flow_first_frame(f), rows[i].anew ? frame : 1);
		if (rows[i].anew) {
			assert_int_equal(ends[0].why, FLOW_END_PORT_REUSE);
			assert_int_equal(f->state, FLOW_SYN_SENT);
			assert_false(f->client_guessed);
			assert_int_equal(flow_port(f, DIR_C2S), rows[i].from_client ? 40000 : 443);
		} else if (!rows[i].same_isn && b != SYNACK_ONLY && rows[i].from_client) {
			assert_int_equal(f->isn[DIR_C2S], c);
		}
		flow_table_free(t);
	}
}

/* After hours of silence the capture clock stands still at first; the packets know better. */
static void a_late_syn_is_no_forgery(void **state)
{
	(void)state;
	for (unsigned hours = 0; hours < 3; hours += 2) {
		struct flow_table *t = table((struct flow_table_config){.max_flows = 0});
		struct headers h = packet4(IPPROTO_TCP, CLIENT, 40000, SERVER, 443);
		struct packet pkt = {.ts_ns = T0 + hours * 3600 * SECOND_NS, .frame = 9};
		enum dir dir;
		tcp(t, true, TCP_SYN, 1, 0, T0);
		h.flags = TCP_SYN;
		h.seq = 5000;
		struct flow *f = flow_table_update(t, &pkt, &h, T0, &dir);
		assert_int_equal(n_ends, hours != 0);
		assert_int_equal(flow_first_frame(f), hours != 0 ? 9 : 1);
		flow_table_free(t);
	}
}

static void an_icmp_error_finds_its_flow(void **state)
{
	(void)state;
	struct flow_table *t = table((struct flow_table_config){.max_flows = 0});
	struct flow *f = tcp(t, true, TCP_SYN, 1, 0, T0);
	struct headers h = packet4(IPPROTO_ICMP, 0x08080808, 3, CLIENT, 13);
	enum dir dir = DIR_S2C;
	h.is_icmp_error = h.quoted_ok = true;
	h.quoted_proto = IPPROTO_TCP;
	h.quoted_src = addr4(CLIENT);
	h.quoted_dst = addr4(SERVER);
	h.quoted_sport = 40000;
	h.quoted_dport = 443;
	assert_ptr_equal(flow_table_find_quoted(t, &h, &dir), f);
	assert_int_equal(dir, DIR_C2S);
	h.quoted_src = addr4(SERVER);
	h.quoted_dst = addr4(CLIENT);
	h.quoted_sport = 443;
	h.quoted_dport = 40000;
	assert_ptr_equal(flow_table_find_quoted(t, &h, &dir), f);
	assert_int_equal(dir, DIR_S2C);
	h.quoted_dport = 40001;
	assert_null(flow_table_find_quoted(t, &h, &dir));
	h.quoted_dport = 40000;
	h.quoted_ok = false;
	assert_null(flow_table_find_quoted(t, &h, &dir));
	assert_int_equal(flow_table_stats(t)->icmp_unmatched, 2);
	flow_table_free(t);
}

/* GRE has no ports: whose it is, the pair's PPTP control connection says, whoever speaks first. */
static void gre_has_the_client_of_its_control_connection(void **state)
{
	struct flow_table *t = table((struct flow_table_config){0});
	enum dir dir;
	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		struct headers open = packet4(IPPROTO_TCP, CLIENT + i, 40000, SERVER, 1723);
		struct headers gre = packet4(IPPROTO_GRE, SERVER, 0, CLIENT + i, 0);
		open.flags = TCP_SYN;
		if (i != 1)
			assert_non_null(give(t, &open, T0, &dir));
		assert_non_null(give(t, &gre, T0 + MS, &dir));
		assert_int_equal(dir, i != 1 ? DIR_S2C : DIR_C2S);
		gre.tunnel_id = 7; /* another network's addresses */
		assert_non_null(give(t, &gre, T0 + MS, &dir));
		assert_int_equal(dir, DIR_C2S);
	}
	/* A router's own GRE, towards the server, and back. */
	struct headers gre = packet4(IPPROTO_GRE, CLIENT + 9, 0, SERVER, 0);
	assert_non_null(give(t, &gre, T0, &dir));
	assert_int_equal(dir, DIR_C2S);
	flow_table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_are_decided),
		cmocka_unit_test(a_connection_is_followed),
		cmocka_unit_test(a_reset_does_not_end_a_flow),
		cmocka_unit_test(a_syn_may_begin_another_connection),
		cmocka_unit_test(a_late_syn_is_no_forgery),
		cmocka_unit_test(an_icmp_error_finds_its_flow),
		cmocka_unit_test(gre_has_the_client_of_its_control_connection),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
