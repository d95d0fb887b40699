/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/packed.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct facts_room *room;

static int start(void **state)
{
	(void)state;
	return facts_room_new(&room, NULL);
}

static int stop(void **state)
{
	(void)state;
	facts_room_free(room);
	return 0;
}

/* One run of bytes there and back; returns its packed size. */
static size_t back_and_forth(const uint8_t *bytes, size_t size)
{
	uint8_t *to = malloc(packed_most(size)), *back = malloc(size);
	assert_true(to != NULL && back != NULL);
	memset(back, 0xa5, size);
	size_t n = (size_t)(pack(to, bytes, size) - to);
	assert_true(n <= packed_most(size));
	assert_ptr_equal(unpack(back, size, to), to + n);
	assert_memory_equal(back, bytes, size);
	free(to);
	free(back);
	return n;
}

static void any_bytes_come_back(void **state)
{
	uint8_t bytes[1500];
	uint32_t x = 1;
	(void)state;
	/* From all zeros to none, in runs of all lengths around the limits. */
	for (unsigned round = 0; round < 4000; round++) {
		size_t size = 1 + round % sizeof(bytes), at = 0;
		while (at < size) {
			x = x * 1664525U + 1013904223U;
			size_t run = (x >> 9) % (round % 3 == 0 ? 6 : round % 3 == 1 ? 300 : 800);
			for (size_t i = 0; i <= run && at < size; i++)
				bytes[at++] = (x >> 31) != 0 ? 0 : (uint8_t)(1 + i % 255);
		}
		back_and_forth(bytes, size);
	}
}

static void the_worst_bytes_fit(void **state)
{
	uint8_t bytes[1024];
	(void)state;
	memset(bytes, 7, sizeof(bytes));
	assert_int_equal(back_and_forth(bytes, sizeof(bytes)), sizeof(bytes) + 10);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(back_and_forth(bytes, sizeof(bytes)), 10);
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = i % 4 == 0;
	assert_int_equal(back_and_forth(bytes, sizeof(bytes)), sizeof(bytes) / 4 * 3 + 2);
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = i % 3 == 0;
	assert_true(back_and_forth(bytes, sizeof(bytes)) <= sizeof(bytes) + 10);
}

static struct labels *labels_of(unsigned n, const struct label *const of[])
{
	struct labels *l = malloc(sizeof(*l) + n * sizeof(l->of[0]));
	assert_non_null(l);
	l->n = n;
	for (unsigned i = 0; i < n; i++)
		l->of[i] = *of[i];
	return l;
}

static void facts_come_back_small(void **state)
{
	(void)state;
	struct tls_client_hello tls = {.record_version = 0x301, .legacy_version = 0x303,
				       .highest_version = 0x304, .has_sni = true, .sni_len = 12,
				       .sni = "host.example", .n_alpn = 2, .alpn = {"h2", "http/1.1"},
				       .hello_end = 517, .sni_offset = 127, .sni_end = 139,
				       .n_records = 1, .ja3 = "0123456789abcdef0123456789abcdef",
				       .ja4 = "t13d1516h2_8daaf6152771_e5627efa2ab1"};
	struct http_request http = {.method = "GET", .path = "/", .host = "host.example",
				    .version = "HTTP/1.1", .has_host = true, .host_len = 12,
				    .path_len = 1, .head_end = 80};
	const struct label first = {.by = "ndpi", .app = "TLS", .category = "Web", .confidence = "dpi",
				    .risk = 1ull << 40, .risks = "known_proto_on_non_std_port"};
	const struct label second = {.by = "mine", .app = "Something"};
	struct labels *labels = labels_of(2, (const struct label *[]){&first, &second});
	struct app_facts facts = {.app_proto = "tls", .tls = &tls, .http = &http}, out;
	const struct labels *labels_out;
	struct packed *p = facts_pack(room, &facts, labels);
	assert_non_null(p);
	facts_unpack(room, p, &out, &labels_out);
	assert_ptr_equal(out.app_proto, facts.app_proto);
	assert_memory_equal(out.tls, &tls, sizeof(tls));
	assert_memory_equal(out.http, &http, sizeof(http));
	assert_int_equal(labels_out->n, 2);
	assert_memory_equal(&labels_out->of[0], &first, sizeof(first));
	assert_memory_equal(&labels_out->of[1], &second, sizeof(second));
	free(labels);
	assert_true(out.page == NULL && out.done == NULL);
	packed_free(room, p);

	/* What the header promises. */
	facts = (struct app_facts){.app_proto = "tls", .tls = &tls};
	uint8_t bytes[sizeof(tls) + sizeof(http)];
	assert_true(pack(bytes, &tls, sizeof(tls)) - bytes < 150);
	assert_true(pack(bytes, &http, sizeof(http)) - bytes < 80);
}

/* As classifiers left them, in blocks that they may write to and that are freed with the facts. */
static void facts_revive_as_they_were(void **state)
{
	(void)state;
	struct app_facts facts = {.app_proto = "http"}, back = {.app_proto = NULL}, none = back;
	facts.http = calloc(1, sizeof(*facts.http));
	facts.response = malloc(sizeof(*facts.response));
	assert_non_null(facts.http);
	assert_non_null(facts.response);
	strcpy(facts.http->host, "blocked.example");
	memset(facts.response, 0xa5, sizeof(*facts.response));
	struct packed *p = facts_pack(room, &facts, NULL);
	assert_non_null(p);
	assert_true(facts_revive(p, &back));
	assert_string_equal(back.app_proto, "http");
	assert_memory_equal(back.http, facts.http, sizeof(*facts.http));
	assert_memory_equal(back.response, facts.response, sizeof(*facts.response));
	assert_null(back.tls);
	assert_null(back.page);
	/* A row that is not one of facts, as of the label: nothing is half there. */
	packed_free(room, p);
	struct labels *labels = labels_of(1, (const struct label *[]){&(struct label){.by = "ndpi"}});
	p = facts_pack(room, &facts, labels);
	assert_non_null(p);
	assert_false(facts_revive(p, &none));
	assert_null(none.http);
	packed_free(room, p);
	free(labels);
	facts_free(&facts);
	facts_free(&back);
}

static void little_comes_back_too(void **state)
{
	struct app_facts facts = {.app_proto = "ssh"}, out;
	const struct labels *labels;
	(void)state;
	struct packed *p = facts_pack(room, &facts, NULL);
	assert_non_null(p);
	facts_unpack(room, p, &out, &labels);
	assert_string_equal(out.app_proto, "ssh");
	assert_true(labels == NULL && out.tls == NULL && out.http == NULL);
	packed_free(room, p);
}

static void nothing_is_lost(void **state)
{
	(void)state;
	struct labels labels = {.n = 0};
	struct app_facts facts = {.app_proto = NULL};
	assert_true(facts_are_empty(&facts, NULL));
	assert_false(facts_are_empty(&facts, &labels));
	facts.app_proto = "tls";
	assert_false(facts_are_empty(&facts, NULL));

	/* Facts without a row, and exchanges that nobody took, stay where they are. */
	int something = 0;
	for (size_t i = 0; i < N_ROWS; i++) {
		facts = (struct app_facts){.app_proto = "tls"};
		pointer_set(&facts, rows[i].at, &something);
		assert_false(facts_are_empty(&facts, NULL));
		if (rows[i].size == 0)
			assert_null(facts_pack(room, &facts, NULL));
	}
	facts = (struct app_facts){.done = (struct exchange *)(void *)&something};
	assert_null(facts_pack(room, &facts, NULL));
}

/* Every kind of facts: packed and back, and into a record that outlives them. */
static void each_kind_reaches_the_record(void **state)
{
	(void)state;
	struct app_facts facts = {.app_proto = "x"}, back;
	const struct labels *labels;
	struct flow_record r = {.id = 7};
	struct arena arena = {.chunks = NULL};
	for (size_t i = 0; i < N_ROWS; i++) {
		uint8_t *block = malloc(rows[i].size);
		assert_non_null(block);
		memset(block, (int)i + 1, rows[i].size);
		pointer_set(&facts, rows[i].at, block);
	}
	struct packed *p = facts_pack(room, &facts, NULL);
	assert_non_null(p);
	facts_free(&facts);
	facts_unpack(room, p, &back, &labels);
	facts_show(&back, &r);
	facts_keep(&arena, &r);
	for (size_t i = 0; i < N_ROWS; i++)
		memset(room->block[i], 0xee, rows[i].size); /* the next flow's */
	assert_string_equal(r.app_proto, "x");
	assert_int_equal(r.id, 7);
	const void *const kept[] = {r.tls, r.tls_server, r.http, r.response,
				    r.page, r.quic, r.vpn, r.rules};
	assert_int_equal(sizeof(kept) / sizeof(kept[0]), N_ROWS);
	for (size_t i = 0; i < N_ROWS; i++) {
		const uint8_t *bytes = kept[i];
		assert_non_null(bytes);
		for (size_t k = 0; k < rows[i].size; k++)
			assert_int_equal(bytes[k], i + 1);
	}
	arena_free(&arena);
	packed_free(room, p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_bytes_come_back),
		cmocka_unit_test(the_worst_bytes_fit),
		cmocka_unit_test(facts_come_back_small),
		cmocka_unit_test(facts_revive_as_they_were),
		cmocka_unit_test(little_comes_back_too),
		cmocka_unit_test(nothing_is_lost),
		cmocka_unit_test(each_kind_reaches_the_record),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
