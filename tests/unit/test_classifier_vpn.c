/* SPDX-License-Identifier: BSD-3-Clause */

/* Datagrams and streams of one flow through the classifier: what it says of the whole. */

#include "classifiers/classifier_vpn.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct tunnel_room room;

/* One flow, and what is said at its end. */
struct talk {
	struct vpn_flow x;
	struct flow f;
	struct app_facts facts;
	struct label said;
	uint64_t now;
	bool wanted, streams[2];
};

static void start(struct talk *t, uint8_t proto, uint16_t server_port)
{
	*t = (struct talk){.now = 1000, .wanted = true, .streams = {true, true}};
	t->f.key = (struct flow_key){.ip_version = 4, .proto = proto, .lo_port = 40000,
				     .hi_port = server_port};
	t->f.client_is_lo = true;
	t->f.syn_seen[0] = t->f.syn_seen[1] = true;
}

static void tell(struct talk *t, enum dir dir, const uint8_t *p, size_t n)
{
	struct packet pkt = {.ts_ns = ++t->now};
	struct headers h = {.payload = p, .payload_caplen = (uint32_t)n, .payload_len = (uint32_t)n};
	if (t->wanted)
		t->wanted = packet(&room, &t->x, &t->f, dir, &pkt, &h, &t->facts, &t->said) ==
			    CLASSIFY_MORE;
}

/* The stream so far. */
static void say(struct talk *t, enum dir dir, const char *words)
{
	struct packet pkt = {.ts_ns = ++t->now};
	size_t n = strlen(words);
	const uint8_t *p = (const uint8_t *)words;
	struct headers h = {.payload = p, .payload_caplen = (uint32_t)n, .payload_len = (uint32_t)n};
	if (t->streams[dir])
		t->streams[dir] = stream(NULL, &t->x, &t->f, dir, &pkt, &h, p, n, &t->facts) ==
				  CLASSIFY_MORE;
}

static const struct vpn_facts *end(struct talk *t)
{
	flow_end(&room, &t->x, &t->f, &t->facts, &t->said);
	return t->facts.vpn;
}

static void done(struct talk *t)
{
	exchange_free(t->facts.done);
	free(t->facts.vpn);
	free(t->facts.tls);
}

static uint8_t *wireguard(uint8_t type, uint8_t sender, uint8_t receiver, uint8_t counter)
{
	static uint8_t p[256];
	for (size_t i = 0; i < sizeof(p); i++)
		p[i] = (uint8_t)(i * 41 + type * 7 + sender);
	memset(p, 0, type == 4 ? 16 : 12);
	p[0] = type;
	p[4] = type == 4 ? receiver : sender;
	p[8] = type == 4 ? counter : receiver;
	return p;
}

/* A capture that begins midway: both directions' data, and still no more than a guess. */
static void data_alone_stays_a_guess(void **state)
{
	(void)state;
	struct talk t;
	start(&t, IPPROTO_UDP, 51820);
	for (uint8_t i = 1; i <= 20; i++) {
		tell(&t, DIR_C2S, wireguard(4, 0, 9, i), 96);
		tell(&t, DIR_S2C, wireguard(4, 0, 5, i), 1424);
	}
	const struct vpn_facts *v = end(&t);
	assert_non_null(v);
	assert_int_equal(v->proto, VPN_WIREGUARD);
	assert_true(v->midway && !v->both && !v->complete);
	assert_null(t.facts.app_proto);
	/* All behind the third that fits. */
	assert_int_equal(v->data[DIR_C2S] + v->data[DIR_S2C], 35);
	done(&t);

	/* A handshake afterwards settles it, whichever side asks for it. */
	start(&t, IPPROTO_UDP, 51820);
	for (uint8_t i = 1; i <= 4; i++)
		tell(&t, DIR_C2S, wireguard(4, 0, 9, i), 96);
	tell(&t, DIR_S2C, wireguard(1, 77, 0, 0), 148);
	tell(&t, DIR_C2S, wireguard(2, 78, 77, 0), 92);
	tell(&t, DIR_S2C, wireguard(4, 0, 78, 0), 128);
	v = end(&t);
	assert_true(v->both && v->complete && !v->midway);
	assert_string_equal(t.facts.app_proto, "wireguard");
	assert_int_equal(v->keepalives[DIR_S2C], 0);
	done(&t);
}

static void one_side_is_a_guess(void **state)
{
	(void)state;
	struct talk t;
	start(&t, IPPROTO_UDP, 51820);
	tell(&t, DIR_C2S, wireguard(1, 77, 0, 0), 148);
	tell(&t, DIR_S2C, wireguard(2, 78, 76, 0), 92); /* another's */
	const struct vpn_facts *v = end(&t);
	assert_int_equal(v->proto, VPN_WIREGUARD);
	assert_true(!v->both && !v->midway);
	assert_null(t.facts.app_proto);
	done(&t);
}

static void other_flows_are_left_at_once(void **state)
{
	(void)state;
	struct talk t;
	uint8_t p[64] = {0x12, 0x34, 1};
	start(&t, IPPROTO_UDP, 53);
	tell(&t, DIR_C2S, p, 40);
	assert_false(t.wanted);
	assert_null(end(&t));
	/* STUN and nothing else, for ever. */
	memcpy(p, "\0\1\0\0\x21\x12\xa4\x42", 8);
	start(&t, IPPROTO_UDP, 3478);
	for (unsigned i = 0; i < 40; i++)
		tell(&t, (i & 1) != 0 ? DIR_S2C : DIR_C2S, p, 20);
	assert_false(t.wanted);
	assert_null(end(&t));
	start(&t, IPPROTO_TCP, 80);
	say(&t, DIR_C2S, "GET / HTTP/1.1\r\n");
	assert_false(t.streams[DIR_C2S]);
	say(&t, DIR_S2C, "HTTP/1.1 200 OK\r\n");
	assert_false(t.streams[DIR_S2C]);
	assert_null(end(&t));
}

static void a_hello_behind_stun(void **state)
{
	(void)state;
	struct talk t;
	uint8_t stun[20] = {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42};
	uint8_t hello[25 + 41] = {22, 0xfe, 0xff, [12] = 12 + 41, [13] = 1, [16] = 41, [24] = 41,
				  [25] = 0xfe, [26] = 0xfd, [62] = 2, [65] = 0};
	start(&t, IPPROTO_UDP, 40001);
	tell(&t, DIR_C2S, stun, sizeof(stun));
	tell(&t, DIR_S2C, stun, sizeof(stun));
	tell(&t, DIR_S2C, hello, sizeof(hello)); /* WebRTC: either side may be DTLS's client */
	hello[13] = 2;
	tell(&t, DIR_C2S, hello, sizeof(hello));
	const struct vpn_facts *v = end(&t);
	assert_int_equal(v->proto, VPN_DTLS);
	assert_true(v->both);
	assert_non_null(t.facts.tls);
	assert_string_equal(t.facts.app_proto, "dtls");
	done(&t);
}

static void a_keepalive_before_ike(void **state)
{
	(void)state;
	struct talk t;
	uint8_t p[4 + 28] = {[4] = 7, [20] = 33, [21] = 0x20, [22] = 35, [23] = 8, [31] = 28};
	uint8_t alive = 0xff, esp[64] = {0xc0, 1, 2, 3, 0, 0, 0, 1};
	start(&t, IPPROTO_UDP, 4500);
	tell(&t, DIR_C2S, &alive, 1);
	tell(&t, DIR_C2S, p, sizeof(p));
	p[23] = 0x20;
	tell(&t, DIR_S2C, p, sizeof(p));
	tell(&t, DIR_C2S, esp, sizeof(esp));
	tell(&t, DIR_C2S, &alive, 1);
	const struct vpn_facts *v = end(&t);
	assert_int_equal(v->proto, VPN_IKE);
	assert_true(v->both && v->complete);
	assert_int_equal(v->data[DIR_C2S], 1);
	assert_int_equal(v->keepalives[DIR_C2S], 1);
	done(&t);
}

static void streams_of_both_sides(void **state)
{
	(void)state;
	static const struct {
		const char *first, *answer, *app;
		bool server_speaks_first;
	} talks[] = {
		{"SSH-2.0-a\r\n", "SSH-2.0-b\r\n", "ssh", false},
		{"SSTP_DUPLEX_POST /sra_/ HTTP/1.1\r\n", "HTTP/1.1 200\r\n", "sstp", false},
		{"SSH-2.0-a\r\n", "SSH-2.0-b\r\n", "ssh", true},
	};
	for (size_t i = 0; i < sizeof(talks) / sizeof(talks[0]); i++) {
		struct talk t;
		start(&t, IPPROTO_TCP, 443);
		if (talks[i].server_speaks_first)
			say(&t, DIR_S2C, talks[i].answer);
		say(&t, DIR_C2S, talks[i].first);
		if (talks[i].server_speaks_first)
			stream_end(NULL, &t.x, &t.f, DIR_S2C, (const uint8_t *)talks[i].answer,
				   strlen(talks[i].answer), &t.facts);
		else
			say(&t, DIR_S2C, talks[i].answer);
		assert_true(end(&t)->both);
		assert_string_equal(t.facts.app_proto, talks[i].app);
		done(&t);
	}
}

/* A label of the bytes, not a protocol; and only of what surely is the first payload. */
static void fully_encrypted_is_only_a_label(void **state)
{
	(void)state;
	char words[201];
	memset(words, 0x1e, 200);
	words[200] = '\0';
	for (unsigned seen = 0; seen < 2; seen++) {
		struct talk t;
		start(&t, IPPROTO_TCP, 8388);
		t.f.syn_seen[DIR_C2S] = seen != 0;
		say(&t, DIR_C2S, words);
		const struct vpn_facts *v = end(&t);
		assert_int_equal(v != NULL, seen);
		assert_true(v == NULL || (v->fet && v->proto == VPN_NONE));
		assert_null(t.facts.app_proto);
		done(&t);
	}
}

static void round_trips(void **state)
{
	struct vpn_exchange x = {.answered = true, .x = {.request_ns = 5000000, .end_ns = 45000000}};
	(void)state;
	assert_true(round_trip_us(&x) == 40000);
	x.x.end_ns = 4000000; /* a clock that was set back */
	assert_true(round_trip_us(&x) == 0);
	x.x.end_ns = 45000000;
	x.answered = false;
	assert_true(round_trip_us(&x) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_alone_stays_a_guess),
		cmocka_unit_test(one_side_is_a_guess),
		cmocka_unit_test(other_flows_are_left_at_once),
		cmocka_unit_test(a_hello_behind_stun),
		cmocka_unit_test(a_keepalive_before_ike),
		cmocka_unit_test(streams_of_both_sides),
		cmocka_unit_test(fully_encrypted_is_only_a_label),
		cmocka_unit_test(round_trips),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
