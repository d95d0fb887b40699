/* SPDX-License-Identifier: BSD-3-Clause */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "classifiers/classifier_ndpi.c"

/* An IPv4 packet of 10.0.0.1:40000 and 192.0.2.1:port, as the decoder describes it. */
struct wire {
	uint8_t bytes[600];
	struct packet pkt;
	struct headers h;
};

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void make(struct wire *w, uint8_t proto, bool to_server, uint16_t port, uint8_t flags,
		 const void *payload, size_t len)
{
	static const uint8_t client[] = {10, 0, 0, 1}, server[] = {192, 0, 2, 1};
	size_t l4 = proto == IPPROTO_TCP ? 20 : 8, total = 20 + l4 + len;
	assert_true(total <= sizeof(w->bytes));
	*w = (struct wire){.pkt = {.data = w->bytes, .ts_ns = 1700000000000000000u}};
	w->bytes[0] = 0x45;
	put16(w->bytes + 2, (unsigned)total);
	w->bytes[8] = 64;
	w->bytes[9] = proto;
	memcpy(w->bytes + 12, to_server ? client : server, 4);
	memcpy(w->bytes + 16, to_server ? server : client, 4);
	put16(w->bytes + 20, to_server ? 40000 : port);
	put16(w->bytes + 22, to_server ? port : 40000);
	if (proto == IPPROTO_TCP) {
		w->bytes[27] = 1; /* sequence numbers 1 and 1 */
		w->bytes[31] = 1;
		w->bytes[32] = 0x50;
		w->bytes[33] = flags;
	} else {
		put16(w->bytes + 24, (unsigned)(l4 + len));
	}
	memcpy(w->bytes + 20 + l4, payload, len);
	w->pkt.caplen = w->pkt.wirelen = (uint32_t)total;
	w->h = (struct headers){.proto = proto, .ip_version = 4, .l3 = w->bytes,
				.ip_len = (uint32_t)total, .l3_caplen = (uint32_t)total};
}

/* A hello with one extension, the name www.google.com. */
static size_t make_hello(uint8_t *out)
{
	static const char name[] = "www.google.com";
	size_t n = sizeof(name) - 1, ext = n + 9, body = 2 + 32 + 1 + 4 + 2 + 2 + ext;
	memset(out, 0, 9 + body);
	memcpy(out, "\x16\x03\x01", 3);
	put16(out + 3, (unsigned)(4 + body));
	out[5] = 1;
	put16(out + 7, (unsigned)body);
	memcpy(out + 9, "\x03\x03", 2);
	memcpy(out + 44, "\0\x02\x13\x01\x01\0", 6);
	put16(out + 50, (unsigned)ext);
	put16(out + 54, (unsigned)(n + 5));
	put16(out + 56, (unsigned)(n + 3));
	put16(out + 59, (unsigned)n);
	memcpy(out + 61, name, n);
	return 9 + body;
}

struct fixture {
	struct shard shard;
	struct progress progress;
	struct label label;
};

static struct fixture fixture_open(void)
{
	struct fixture x = {.label = {.by = NULL}};
	assert_int_equal(classifier_ndpi.shard_open(&x.shard, NULL), 0);
	return x;
}

static void fixture_close(struct fixture *x)
{
	classifier_ndpi.flow_end(&x->shard, &x->progress, NULL, NULL, &x->label);
	assert_null(x->progress.flow);
	classifier_ndpi.shard_close(&x->shard);
}

static enum classify give(struct fixture *x, struct wire *w)
{
	return classifier_ndpi.packet(&x->shard, &x->progress, NULL, DIR_C2S, &w->pkt, &w->h,
				      NULL, &x->label);
}

static void tls_is_labelled(void **state)
{
	(void)state;
	struct fixture x = fixture_open();
	struct wire w;
	uint8_t hello[200];
	size_t len = make_hello(hello);
	make(&w, IPPROTO_TCP, true, 443, TCP_SYN, "", 0);
	assert_int_equal(give(&x, &w), CLASSIFY_MORE);
	make(&w, IPPROTO_TCP, false, 443, TCP_SYN | TCP_ACK, "", 0);
	assert_int_equal(give(&x, &w), CLASSIFY_MORE);
	make(&w, IPPROTO_TCP, true, 443, TCP_ACK | TCP_PSH, hello, len);
	give(&x, &w);
	fixture_close(&x);
	assert_string_equal(x.label.by, "ndpi");
	assert_string_equal(x.label.app, "TLS.Google");
	assert_string_equal(x.label.category, "Web");
	assert_string_equal(x.label.confidence, "dpi");
}

static void dns_is_decided_and_freed(void **state)
{
	(void)state;
	static const uint8_t query[] = "\x12\x34\x01\0\0\x01\0\0\0\0\0\0"
				       "\x07" "example\x03org\0\0\x01\0\x01";
	static const uint8_t reply[] = "\x12\x34\x81\x80\0\x01\0\x01\0\0\0\0"
				       "\x07" "example\x03org\0\0\x01\0\x01"
				       "\xc0\x0c\0\x01\0\x01\0\0\x0e\x10\0\x04\xc0\0\x02\x07";
	struct fixture x = fixture_open();
	struct wire w;
	make(&w, IPPROTO_UDP, true, 53, 0, query, sizeof(query) - 1);
	give(&x, &w);
	make(&w, IPPROTO_UDP, false, 53, 0, reply, sizeof(reply) - 1);
	assert_int_equal(give(&x, &w), CLASSIFY_DONE);
	assert_null(x.progress.flow);
	assert_string_equal(x.label.app, "DNS");
	assert_string_equal(x.label.confidence, "dpi");
	/* Decided: later packets cost nothing, and the flow's end says nothing new. */
	assert_int_equal(give(&x, &w), CLASSIFY_DONE);
	x.label.by = NULL;
	fixture_close(&x);
	assert_null(x.label.by);
}

static void guess_says_that_it_is_one(void **state)
{
	(void)state;
	struct fixture x = fixture_open();
	struct wire w;
	make(&w, IPPROTO_TCP, true, 443, TCP_SYN, "", 0);
	assert_int_equal(give(&x, &w), CLASSIFY_MORE);
	fixture_close(&x);
	assert_string_equal(x.label.app, "TLS");
	assert_string_equal(x.label.confidence, "port");
}

static void gives_up(void **state)
{
	(void)state;
	for (unsigned tcp = 0; tcp < 2; tcp++) {
		struct fixture x = fixture_open();
		struct wire w;
		unsigned n = 0;
		enum classify answer = CLASSIFY_MORE;
		while (answer == CLASSIFY_MORE && n++ < 200) {
			uint8_t noise[64];
			for (unsigned i = 0; i < sizeof(noise); i++)
				noise[i] = (uint8_t)(0x80 | (i * 37 + n * 11));
			make(&w, tcp ? IPPROTO_TCP : IPPROTO_UDP, n % 2, 44444, TCP_ACK, noise, 64);
			answer = give(&x, &w);
		}
		assert_int_equal(answer, CLASSIFY_DONE);
		assert_true(n <= (tcp ? PACKETS_TCP : PACKETS_OTHER) + 1u);
		assert_string_equal(x.label.app, "Unknown");
		assert_string_equal(x.label.confidence, "unknown");
		fixture_close(&x);
	}
}

static void time_never_goes_back(void **state)
{
	(void)state;
	struct fixture x = fixture_open();
	struct wire w;
	make(&w, IPPROTO_TCP, true, 443, TCP_SYN, "", 0);
	give(&x, &w);
	assert_int_equal(x.shard.last_ms, 1700000000000u);
	w.pkt.ts_ns -= 5000000000u;
	give(&x, &w);
	assert_int_equal(x.shard.last_ms, 1700000000000u);
	fixture_close(&x);
}

static void not_fed(void **state)
{
	(void)state;
	struct fixture x = fixture_open();
	struct wire w;
	make(&w, IPPROTO_UDP, true, 53, 0, "x", 1);
	w.h.frag_offset = 8;
	assert_int_equal(give(&x, &w), CLASSIFY_MORE);
	w.h.frag_offset = 0;
	w.h.l3 = NULL;
	assert_int_equal(give(&x, &w), CLASSIFY_MORE);
	assert_null(x.progress.flow);
	fixture_close(&x);
	assert_null(x.label.by);
}

/* Captures cut packets short; headers lie about lengths. */
static void cut_packets(void **state)
{
	(void)state;
	uint8_t hello[200];
	size_t len = make_hello(hello);
	struct fixture x = fixture_open();
	for (uint32_t n = 0; n <= 40 + len; n++) {
		struct wire w;
		make(&w, IPPROTO_TCP, true, 443, TCP_ACK | TCP_PSH, hello, len);
		uint8_t *exact = malloc(n != 0 ? n : 1);
		assert_non_null(exact);
		memcpy(exact, w.bytes, n);
		w.h.l3 = exact;
		w.h.l3_caplen = n;
		w.h.ip_len = n % 2 ? UINT32_MAX : w.h.ip_len;
		give(&x, &w);
		free(exact);
		classifier_ndpi.flow_end(&x.shard, &x.progress, NULL, NULL, &x.label);
		x.progress = (struct progress){.flow = NULL};
	}
	fixture_close(&x);
}

static void risks_are_named_whole(void **state)
{
	(void)state;
	char names[128], none[4] = "x";
	risk_names((uint64_t)1 << NDPI_TLS_OBSOLETE_VERSION | (uint64_t)1 << NDPI_TLS_WEAK_CIPHER,
		   names, sizeof(names));
	assert_non_null(strstr(names, ndpi_risk2str(NDPI_TLS_OBSOLETE_VERSION)));
	assert_non_null(strstr(names, ", "));
	assert_non_null(strstr(names, ndpi_risk2str(NDPI_TLS_WEAK_CIPHER)));
	risk_names(UINT64_MAX, names, sizeof(names));
	assert_true(strlen(names) < sizeof(names));
	assert_int_not_equal(names[strlen(names) - 1], ' ');
	risk_names(UINT64_MAX, none, sizeof(none));
	assert_string_equal(none, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tls_is_labelled),
		cmocka_unit_test(dns_is_decided_and_freed),
		cmocka_unit_test(guess_says_that_it_is_one),
		cmocka_unit_test(gives_up),
		cmocka_unit_test(time_never_goes_back),
		cmocka_unit_test(not_fed),
		cmocka_unit_test(cut_packets),
		cmocka_unit_test(risks_are_named_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
