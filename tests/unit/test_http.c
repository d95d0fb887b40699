/* SPDX-License-Identifier: BSD-3-Clause */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "classifiers/app/http.c"
#include "classifiers/classifier_http.c"

/* A copy of exactly len bytes, so that a sanitizer sees one byte too many. */
static enum classify read_exact(const char *text, size_t len, struct http_request *out)
{
	uint8_t *copy = malloc(len != 0 ? len : 1);
	assert_non_null(copy);
	memcpy(copy, text, len);
	enum classify answer = http_request_read(copy, len, out);
	free(copy);
	return answer;
}

static void plain_request(void **state)
{
	(void)state;
	static const char text[] =
		"GET /a?b HTTP/1.1\r\nAccept: */*\r\nHost: blocked.example:8080\r\n"
		"X: y\r\n\r\nbody";
	struct http_request out;
	size_t host = (size_t)(strstr(text, "blocked") - text), end = strlen(text) - 4;
	assert_int_equal(read_exact(text, strlen(text), &out), CLASSIFY_DONE);
	assert_string_equal(out.method, "GET");
	assert_string_equal(out.path, "/a?b");
	assert_int_equal(out.path_len, 4);
	assert_string_equal(out.version, "HTTP/1.1");
	assert_string_equal(out.host, "blocked.example");
	assert_int_equal(out.host_len, 15);
	assert_int_equal(out.host_offset, host);
	assert_int_equal(out.host_end, host + 15);
	assert_int_equal(out.head_end, end);
	assert_false(out.truncated);
	/* Every prefix: the host is there from the end of its line on, the end only at the end. */
	for (size_t n = 0; n < end; n++) {
		assert_int_equal(read_exact(text, n, &out), CLASSIFY_MORE);
		assert_true(out.truncated);
		assert_int_equal(out.head_end, 0);
		assert_int_equal(out.has_host, n > host + strlen("blocked.example:8080"));
		assert_int_equal(out.method[0] != '\0', n > strlen("GET "));
	}
	assert_int_equal(read_exact(text, end, &out), CLASSIFY_DONE);
}

/* What probes send to find out what a box looks at. */
static const struct {
	const char *text, *method, *path, *version, *host;
	enum classify answer;
} odd[] = {
	{"GeT / HTTP/1.1\r\nhOsT:x.org\r\n\r\n", "GeT", "/", "HTTP/1.1", "x.org",
	 CLASSIFY_DONE},
	{"GET   /  HTTP/1.1 \r\nHost: x.org\r\n\r\n", "GET", "/", "HTTP/1.1", "x.org",
	 CLASSIFY_DONE},
	{"GET\t/\tHTTP/1.0\nHost:\tx.org \t\n\n", "GET", "/", "HTTP/1.0", "x.org",
	 CLASSIFY_DONE},
	{"GET /\r\nHost: x.org\r\n\r\n", "GET", "/", "", "x.org", CLASSIFY_DONE},
	{"GET /\r\n", "GET", "/", "", NULL, CLASSIFY_MORE},
	{"GET / HTTP/9\r\nHost: x.org\r\n\r\n", "GET", "/", "HTTP/9", "x.org",
	 CLASSIFY_DONE},
	{"GET / XXXX/1.1\r\nHost: x.org\r\n\r\n", "GET", "/", "XXXX/1.1", "x.org",
	 CLASSIFY_DONE},
	{"GET /a b HTTP/1.1\r\n\r\n", "GET", "/a b", "HTTP/1.1", NULL, CLASSIFY_DONE},
	{"XXX / HTTP/1.1\r\nHost: x.org\r\n\r\n", "XXX", "/", "HTTP/1.1", "x.org",
	 CLASSIFY_DONE},
	{"M-SEARCH * HTTP/1.1\r\nHost: 239.255.255.250:1900\r\n\r\n", "M-SEARCH", "*",
	 "HTTP/1.1", "239.255.255.250", CLASSIFY_DONE},
	{"\r\n\n\r\nGET / HTTP/1.1\r\nHost: x.org\r\n\r\n", "GET", "/", "HTTP/1.1", "x.org",
	 CLASSIFY_DONE},
	{"GET / HTTP/1.1\r\nHost: x.org\r\nHost: y.org\r\n\r\n", "GET", "/", "HTTP/1.1",
	 "x.org", CLASSIFY_DONE},
	{"GET / HTTP/1.1\r\nHost:\r\nHost: y.org\r\n\r\n", "GET", "/", "HTTP/1.1", "y.org",
	 CLASSIFY_DONE},
	{"GET / HTTP/1.1\r\nHost:\r\n x.org\r\n\r\n", "GET", "/", "HTTP/1.1", "x.org",
	 CLASSIFY_DONE},
	{"GET / HTTP/1.1\r\nX: a\r\n Host: b\r\nHost : x.org\r\n\r\n", "GET", "/",
	 "HTTP/1.1",
	 "x.org", CLASSIFY_DONE},
	{"GET / HTTP/1.1\r\nXHost: a\r\nHost-X: b\r\nHost x.org\r\n\r\n", "GET", "/",
	 "HTTP/1.1", NULL, CLASSIFY_DONE},
	{"GET / HTTP/1.1\rHost: x.org\r\r", "GET", "/", "HTTP/1.1", "x.org", CLASSIFY_MORE},
	{"GET / HTTP/1.1\rHost: x.org\r\r\n", "GET", "/", "HTTP/1.1", "x.org",
	 CLASSIFY_DONE},
	{"GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", "GET", "/", "HTTP/1.1",
	 "[2001:db8::1]", CLASSIFY_DONE},
	{"GET / HTTP/1.1\r\nHost: 2001:db8::1\r\n\r\n", "GET", "/", "HTTP/1.1",
	 "2001:db8::1", CLASSIFY_DONE},
	{"GET / HTTP/1.1\r\nHost: x.org:\r\n\r\n", "GET", "/", "HTTP/1.1", "x.org",
	 CLASSIFY_DONE},
	{"GET http://x.org:81/p HTTP/1.1\r\nHost: y.org\r\n\r\n", "GET",
	 "http://x.org:81/p",
	 "HTTP/1.1", "x.org", CLASSIFY_DONE},
	{"GET HTTPS://u:p@[::1]?q HTTP/1.1\r\n\r\n", "GET", "HTTPS://u:p@[::1]?q",
	 "HTTP/1.1",
	 "[::1]", CLASSIFY_DONE},
	{"CONNECT x.org:443 HTTP/1.1\r\n\r\n", "CONNECT", "x.org:443", "HTTP/1.1", "x.org",
	 CLASSIFY_DONE},
	{"OPTIONS * HTTP/1.1\r\n\r\n", "OPTIONS", "*", "HTTP/1.1", NULL, CLASSIFY_DONE},
	{"GET httpx HTTP/1.1\r\n\r\n", "GET", "httpx", "HTTP/1.1", NULL, CLASSIFY_DONE},
};

static void odd_requests(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct http_request out;
		size_t len = strlen(odd[i].text);
		assert_int_equal(read_exact(odd[i].text, len, &out), odd[i].answer);
		assert_string_equal(out.method, odd[i].method);
		assert_string_equal(out.path, odd[i].path);
		assert_string_equal(out.version, odd[i].version);
		assert_int_equal(out.has_host, odd[i].host != NULL);
		if (odd[i].host == NULL)
			continue;
		assert_string_equal(out.host, odd[i].host);
		assert_int_equal(out.host_end - out.host_offset, out.host_len);
		assert_memory_equal(odd[i].text + out.host_offset, odd[i].host, out.host_len);
	}
}

static void refused(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t refused_at;
	} cases[] = {
		{"\x16\x03\x01\x02", 1},
		{"SSH-2.0-OpenSSH_9.2p1 Debian\r\n", 4},
		{"HTTP/1.1 200 OK\r\n", 5},
		{"PRI * HTTP/2.0\r\n\r\nSM", 15},
		{"EHLO mail.example\r\n", 18},
		{"USER anonymous\r\n", 15},
		{"get key\r\n", 8},
		{"OPTIONS * RTSP/1.0\r\n", 19},
		{"DESCRIBE rtsp://h/ RTSP/1.0\r\n", 28},
		{"OPTIONS sip:a@b SIP/2.0\r\n", 24},
		{"QUIT\r\n", 5},
		{" GET / HTTP/1.1\r\n", 1},
		{"GET/ HTTP/1.1\r\n", 4},
		{"A_METHOD_OF_24_CHARACTER / HTTP/1.1\r\n", 24},
		{"SSTP_DUPLEX_POST /sra_/ HTTP/1.1\r\n", 17},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t n = 0; n <= strlen(cases[i].text); n++) {
			struct http_request out;
			enum classify answer = read_exact(cases[i].text, n, &out);
			assert_int_equal(answer, n < cases[i].refused_at ? CLASSIFY_MORE
									  : CLASSIFY_NEVER);
		}
}

static void long_requests(void **state)
{
	(void)state;
	static char text[40000];
	struct http_request out;
	/* A long target, and Host behind many headers. */
	size_t n = (size_t)sprintf(text, "POST /%01000d HTTP/1.1\r\n", 0);
	for (unsigned i = 0; i < 500; i++)
		n += (size_t)sprintf(text + n, "X-Header-%u: v\r\n", i);
	size_t host = n + strlen("Host: ");
	n += (size_t)sprintf(text + n, "Host: %0300d\r\n\r\n", 0);
	assert_int_equal(read_exact(text, n, &out), CLASSIFY_DONE);
	assert_int_equal(out.path_len, 1001);
	assert_int_equal(strlen(out.path), 511);
	assert_int_equal(out.host_len, 300);
	assert_int_equal(strlen(out.host), 255);
	assert_int_equal(out.host_offset, host);
	assert_false(out.truncated);
	/* No end within what is ever read. */
	memset(text + n - 4, 'a', sizeof(text) - n + 4);
	assert_int_equal(read_exact(text, REASSEMBLY_LIMIT - 1, &out), CLASSIFY_MORE);
	assert_int_equal(read_exact(text, REASSEMBLY_LIMIT, &out), CLASSIFY_DONE);
	assert_true(out.truncated);
	assert_false(out.has_host);
	assert_int_equal(read_exact(text, sizeof(text), &out), CLASSIFY_DONE);
	memcpy(text, "AAAA ", 5);
	memset(text + 5, 'x', 2000);
	assert_int_equal(read_exact(text, sizeof(text), &out), CLASSIFY_NEVER);
	memset(text, '\n', 100);
	assert_int_equal(read_exact(text, 64, &out), CLASSIFY_MORE);
	assert_int_equal(read_exact(text, 65, &out), CLASSIFY_NEVER);
}

static void as_a_classifier(void **state)
{
	(void)state;
	static const uint8_t text[] = "GET / HTTP/1.1\r\nHost: x.org\r\n\r\n";
	struct app_facts facts = {.app_proto = NULL};
	enum classify answer =
		stream(NULL, NULL, NULL, DIR_S2C, NULL, NULL, text, sizeof(text) - 1, &facts);
	assert_int_equal(answer, CLASSIFY_NEVER);
	answer = stream(NULL, NULL, NULL, DIR_C2S, NULL, NULL, text, 4, &facts);
	assert_int_equal(answer, CLASSIFY_MORE);
	assert_null(facts.http);
	answer = stream(NULL, NULL, NULL, DIR_C2S, NULL, NULL, text, 20, &facts);
	assert_int_equal(answer, CLASSIFY_MORE);
	assert_non_null(facts.http);
	assert_string_equal(facts.app_proto, "http");
	assert_true(facts.http->truncated);
	answer = stream(NULL, NULL, NULL, DIR_C2S, NULL, NULL, text, sizeof(text) - 1, &facts);
	assert_int_equal(answer, CLASSIFY_DONE);
	assert_string_equal(facts.http->host, "x.org");
	assert_false(facts.http->truncated);
	free(facts.http);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_request),
		cmocka_unit_test(odd_requests),
		cmocka_unit_test(refused),
		cmocka_unit_test(long_requests),
		cmocka_unit_test(as_a_classifier),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
