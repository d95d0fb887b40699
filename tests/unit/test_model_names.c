/* SPDX-License-Identifier: BSD-3-Clause */

/* Names of connections that no finding is about, where their records share what they say with others. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tools/privacy/model_names.c"

static const struct tls_client_hello hello = {.has_sni = true, .sni = "shared.example", .sni_len = 14,
					      .ja4 = "t13d"};
static const struct http_request request = {.has_host = true, .host = "shared.example",
					    .host_len = 14, .path = "/secret", .path_len = 7};
static const struct http_response response = {.status = 302, .has_location = true,
					      .location = "http://shared.example/"};
static const struct tls_server server = {.has_certificate = true, .subject = "shared.example",
					 .ja3s = "e35d"};
static const struct quic_hello quic = {.has_tls = true,
				       .tls = {.has_sni = true, .sni = "shared.example"}};
static const struct label labels[] = {{.by = "ndpi", .app = "TLS.Shared"}};

static struct flow_record record(uint64_t id, enum verdict worst)
{
	return (struct flow_record){.id = id, .worst = worst, .tls = &hello, .http = &request,
				    .response = &response, .tls_server = &server, .quic = &quic,
				    .labels = labels, .n_labels = 1};
}

static void assert_named(const struct flow_record *r)
{
	assert_ptr_equal(r->tls, &hello);
	assert_ptr_equal(r->http, &request);
	assert_ptr_equal(r->response, &response);
	assert_ptr_equal(r->tls_server, &server);
	assert_ptr_equal(r->quic, &quic);
	assert_ptr_equal(r->labels, labels);
}

/* What shares with a finding's or with one that is cited keeps its names there, and has none itself. */
static void test_only_the_others_lose_theirs(void **state)
{
	struct flow_record found = record(1, VERDICT_LIKELY), control = record(2, VERDICT_NONE),
			   other = record(3, VERDICT_NONE), another = record(4, VERDICT_NONE);
	struct flow_record *flows[] = {&found, &control, &other, &another};
	uint64_t cited[] = {2};
	struct privacy p = {.cited = cited, .n_cited = 1};
	struct analysis a = {.flows = flows, .n_flows = 4};

	(void)state;
	privacy_hide_names(&p, &a);
	assert_named(&found);
	assert_named(&control);
	for (unsigned i = 2; i < 4; i++) {
		const struct flow_record *r = flows[i];
		assert_true(!r->tls->has_sni && r->tls->sni[0] == '\0' && r->tls->sni_len == 0);
		assert_string_equal(r->tls->ja4, "t13d");
		assert_true(!r->http->has_host && r->http->host[0] == '\0' && r->http->path[0] == '\0');
		assert_true(!r->response->has_location && r->response->location[0] == '\0');
		assert_int_equal(r->response->status, 302);
		assert_true(!r->tls_server->has_certificate && r->tls_server->subject[0] == '\0');
		assert_string_equal(r->tls_server->ja3s, "e35d");
		assert_true(!r->quic->tls.has_sni && r->quic->tls.sni[0] == '\0');
		assert_string_equal(r->labels[0].app, "TLS");
	}
	/* They say alike, and share that too. */
	assert_ptr_equal(other.tls, another.tls);
	assert_ptr_equal(other.labels, another.labels);
	assert_int_equal(a.names_withheld, 2);
	assert_false(p.no_memory);
	arena_free(&p.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_the_others_lose_theirs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
