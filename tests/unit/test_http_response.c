/* SPDX-License-Identifier: BSD-3-Clause */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "classifiers/app/http_body.c"
#include "classifiers/app/http_response.c"

static enum classify read_as(const char *text, size_t len, const char *method,
			     struct http_response *out)
{
	/* A copy of exactly len bytes, so that a sanitizer sees one byte too many. */
	uint8_t *copy = malloc(len != 0 ? len : 1);
	assert_non_null(copy);
	memcpy(copy, text, len);
	enum classify answer = http_response_read(copy, len, method, out);
	free(copy);
	return answer;
}

static void plain_response(void **state)
{
	(void)state;
	static const char text[] = "HTTP/1.1 302 Found\r\nserver:  nginx \r\nLOCATION: http://a.example/x\r\n"
				   "Date: now\r\nContent-Type: text/HTML; charset=x\r\n"
				   "Content-Length: 4\r\nConnection: TE, Close\r\n\r\nbody";
	struct http_response r;
	size_t end = strlen(text) - 4;
	assert_int_equal(read_as(text, strlen(text), "GET", &r), CLASSIFY_DONE);
	assert_int_equal(r.status, 302);
	assert_string_equal(r.location, "http://a.example/x");
	assert_int_equal(r.location_len, 18);
	assert_string_equal(r.server, "nginx");
	assert_true(r.has_server && r.has_date && r.has_location && r.has_type && r.is_text);
	assert_true(r.close && r.has_length && !r.chunked && !r.has_via && !r.truncated);
	assert_int_equal(r.length, 4);
	assert_int_equal(r.head_end, end);
	for (size_t n = 0; n < end; n++) {
		assert_int_equal(read_as(text, n, "GET", &r), CLASSIFY_MORE);
		assert_true(r.truncated && r.head_end == 0);
		assert_int_equal(r.status, n >= 12 ? 302 : 0);
	}
	assert_int_equal(read_as(text, end, "GET", &r), CLASSIFY_DONE);
}

static void header_lines(void **state)
{
	(void)state;
	static const char text[] = "HTTP/1.1 100 Continue\r\nX: no\r\n\r\nHTTP/1.0 200 OK\nA:1\n folded\n"
				   "no colon\nB: \t2 \n\nbody: 3\n";
	struct http_response r;
	struct http_header h;
	uint32_t at = 0;
	assert_int_equal(read_as(text, strlen(text), NULL, &r), CLASSIFY_DONE);
	assert_int_equal(r.status, 200);
	assert_true(r.close);
	assert_int_equal(r.head_start, (size_t)(strstr(text, "HTTP/1.0") - text));
	const uint8_t *data = (const uint8_t *)text;
	assert_true(http_header_next(&r, data, strlen(text), &at, &h));
	assert_memory_equal(h.name, "A", h.name_len);
	assert_memory_equal(h.value, "1", h.value_len);
	assert_true(http_header_next(&r, data, strlen(text), &at, &h));
	assert_int_equal(h.name_len, 1);
	assert_memory_equal(h.name, "B", 1);
	assert_int_equal(h.value_len, 1);
	assert_memory_equal(h.value, "2", 1);
	assert_false(http_header_next(&r, data, strlen(text), &at, &h));
}

static void odd_responses(void **state)
{
	(void)state;
	static const struct {
		const char *text, *method;
		enum classify answer;
		unsigned status;
		bool bodyless, chunked;
		int64_t length;
	} cases[] = {
		{"HTTP/1.1 200", NULL, CLASSIFY_MORE, 200, false, false, -1},
		{"HTTP/1.1 200\r\n\r\n", NULL, CLASSIFY_DONE, 200, false, false, -1},
		{"HTTP/1.1 204 x\r\n\r\n", NULL, CLASSIFY_DONE, 204, true, false, -1},
		{"HTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\n", NULL, CLASSIFY_DONE, 304, true, false, 9},
		{"HTTP/1.1 101 x\r\n\r\n", NULL, CLASSIFY_DONE, 101, true, false, -1},
		{"HTTP/1.1 200 x\r\n\r\n", "head", CLASSIFY_DONE, 200, true, false, -1},
		{"HTTP/1.1 200 x\r\n\r\n", "CONNECT", CLASSIFY_DONE, 200, true, false, -1},
		{"HTTP/1.1 403 x\r\n\r\n", "CONNECT", CLASSIFY_DONE, 403, false, false, -1},
		{"HTTP/1.1 103 x\r\n\r\n", NULL, CLASSIFY_MORE, 0, false, false, -1},
		{"HTTP/1.1 200 x\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n", NULL, CLASSIFY_DONE, 200,
		 false, true, -1},
		{"HTTP/1.1 200 x\r\nContent-Length: 12x\r\n\r\n", NULL, CLASSIFY_DONE, 200, false, false,
		 -1},
		{"HTTP/1.1 200 x\r\nContent-Length: 99999999999999999999\r\n\r\n", NULL, CLASSIFY_DONE,
		 200, false, false, -1},
		{"HTTP/1.1 200 x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", NULL,
		 CLASSIFY_DONE, 200, false, false, 3},
		{"", NULL, CLASSIFY_MORE, 0, false, false, -1},
		{"HT", NULL, CLASSIFY_MORE, 0, false, false, -1},
		{"http/1.1 200 OK\r\n\r\n", NULL, CLASSIFY_NEVER, 0, false, false, -1},
		{"HTTP/1.1 2x0 OK\r\n\r\n", NULL, CLASSIFY_NEVER, 0, false, false, -1},
		{"<html>", NULL, CLASSIFY_NEVER, 0, false, false, -1},
		{"ICY 200 OK\r\n\r\n", NULL, CLASSIFY_NEVER, 0, false, false, -1},
	};
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct http_response r;
		const char *t = cases[i].text;
		print_message("%s\n", t);
		assert_int_equal(read_as(t, strlen(t), cases[i].method, &r), cases[i].answer);
		assert_int_equal(r.status, cases[i].status);
		assert_int_equal(r.bodyless, cases[i].bodyless);
		assert_int_equal(r.chunked, cases[i].chunked);
		assert_int_equal(r.has_length, cases[i].length >= 0);
		if (r.has_length)
			assert_int_equal(r.length, cases[i].length);
	}
}

static void head_without_end(void **state)
{
	(void)state;
	static char text[REASSEMBLY_LIMIT + 100];
	struct http_response r;
	memset(text, 'a', sizeof(text));
	memcpy(text, "HTTP/1.1 200 OK\r\nX: ", 20);
	assert_int_equal(read_as(text, REASSEMBLY_LIMIT - 1, NULL, &r), CLASSIFY_MORE);
	assert_int_equal(read_as(text, sizeof(text), NULL, &r), CLASSIFY_DONE);
	assert_true(r.truncated && r.status == 200);
}

/* Bodies */

struct body_case {
	const char *name, *head;
	const void *body;
	size_t len;
	const char *says;
	bool ended;
};

static void check_body(const struct body_case *c)
{
	struct http_decoder *d = NULL;
	struct http_response r;
	size_t head = strlen(c->head), len = head + c->len;
	uint8_t *data = malloc(len);
	assert_non_null(data);
	memcpy(data, c->head, head);
	memcpy(data + head, c->body, c->len);
	print_message("%s\n", c->name);
	assert_int_equal(http_response_read(data, len, "GET", &r), CLASSIFY_DONE);
	assert_int_equal(http_decoder_new(&d), 0);
	const uint8_t *out = NULL;
	size_t n = http_body_decode(d, &r, data, len, &out);
	assert_int_equal(n, strlen(c->says));
	assert_memory_equal(out, c->says, n);
	/* In one go and byte by byte. */
	struct http_body_end once = {0}, grown = {0};
	assert_int_equal(http_body_ended(&r, data, len, &once), c->ended);
	bool ended = false;
	for (size_t k = head; k <= len; k++)
		ended = http_body_ended(&r, data, k, &grown);
	assert_int_equal(ended, c->ended);
	assert_int_equal(grown.broken, once.broken);
	/* Cut anywhere it is a front of the whole. */
	for (size_t k = head; k < len; k++) {
		size_t part = http_body_decode(d, &r, data, k, &out);
		if (r.coding == HTTP_IDENTITY) {
			assert_true(part <= strlen(c->says));
			assert_memory_equal(out, c->says, part);
		}
	}
	http_decoder_free(d);
	free(data);
}

#define HEAD(headers) "HTTP/1.1 200 OK\r\n" headers "\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define PLAIN(head, text, what, end)                                                              \
	{text, head, text, sizeof(text) - 1, what, end}

static void plain_bodies(void **state)
{
	(void)state;
	static const struct body_case cases[] = {
		PLAIN(HEAD(""), "to the end", "to the end", false),
		PLAIN(HEAD("Content-Length: 4\r\n"), "body and more", "body", true),
		PLAIN(HEAD("Content-Length: 0\r\n"), "", "", true),
		PLAIN(HEAD("Content-Length: 40\r\n"), "less", "less", false),
		PLAIN(HEAD(CHUNKED), "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", "abcde", true),
		PLAIN(HEAD(CHUNKED), "3\nabc\n0\n\n", "abc", true),
		PLAIN(HEAD(CHUNKED), "A \r\n0123456789\r\n0\r\n", "0123456789", true),
		PLAIN(HEAD(CHUNKED), "5\r\nab", "ab", false),
		PLAIN(HEAD(CHUNKED), "5", "", false),
		PLAIN(HEAD(CHUNKED), "3\r\nabcX\r\n", "abc", true),
		PLAIN(HEAD(CHUNKED), "xyz\r\nabc", "", true),
		PLAIN(HEAD(CHUNKED), "fffffffff\r\nabc", "", true),
		PLAIN(HEAD(CHUNKED), "ffffffff\r\nabc", "abc", false),
		PLAIN(HEAD("Content-Encoding: br\r\nContent-Length: 3\r\n"), "abc", "", true),
		PLAIN(HEAD("Content-Encoding: gzip\r\nContent-Length: 5\r\n"), "plain", "plain", true),
	};
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		check_body(&cases[i]);
}

static size_t compress_as(int window, const void *in, size_t len, uint8_t *out, size_t room)
{
	z_stream z = {0};
	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (z_const Bytef *)in;
	z.avail_in = (uInt)len;
	z.next_out = out;
	z.avail_out = (uInt)room;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	size_t n = room - z.avail_out;
	deflateEnd(&z);
	return n;
}

static void compressed_bodies(void **state)
{
	(void)state;
	static const char page[] = "<html><title>Access denied</title><p>This page is not for you.</p>";
	static const struct {
		const char *name, *head;
		int window;
	} how[] = {
		{"gzip", HEAD("Content-Encoding: gzip\r\n"), 15 + 16},
		{"zlib", HEAD("Content-Encoding: deflate\r\n"), 15},
		{"bare deflate", HEAD("Content-Encoding: deflate\r\n"), -15},
	};
	for (unsigned i = 0; i < sizeof(how) / sizeof(*how); i++) {
		uint8_t packed[256], chunks[512];
		size_t n = compress_as(how[i].window, page, strlen(page), packed, sizeof(packed));
		check_body(&(struct body_case){how[i].name, how[i].head, packed, n, page, false});
		/* In chunks of 10 as well. */
		char head[128];
		snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\n" CHUNKED "%s",
			 strchr(how[i].head, '\n') + 1);
		size_t k = 0;
		for (size_t at = 0; at < n; at += 10) {
			size_t some = n - at < 10 ? n - at : 10;
			k += (size_t)sprintf((char *)chunks + k, "%zx\r\n", some);
			memcpy(chunks + k, packed + at, some);
			k += some;
			k += (size_t)sprintf((char *)chunks + k, "\r\n");
		}
		k += (size_t)sprintf((char *)chunks + k, "0\r\n\r\n");
		check_body(&(struct body_case){"chunks", head, chunks, k, page, true});
	}
}

/* 16 KiB that would be 16 MiB. */
static void bomb(void **state)
{
	(void)state;
	size_t len = 16u << 20;
	uint8_t *zeros = calloc(1, len), *data = malloc(32768);
	assert_true(zeros != NULL && data != NULL);
	static const char head[] = HEAD("Content-Encoding: gzip\r\n");
	memcpy(data, head, strlen(head));
	size_t n = compress_as(31, zeros, len, data + strlen(head), 32768 - strlen(head));
	struct http_response r;
	struct http_decoder *d = NULL;
	const uint8_t *out;
	n += strlen(head);
	assert_int_equal(http_response_read(data, n, NULL, &r), CLASSIFY_DONE);
	assert_int_equal(http_decoder_new(&d), 0);
	assert_int_equal(http_body_decode(d, &r, data, n, &out), HTTP_BODY_MAX);
	assert_memory_equal(out, zeros, HTTP_BODY_MAX);
	http_decoder_free(d);
	free(zeros);
	free(data);
}

static void titles_and_frames(void **state)
{
	(void)state;
	static const struct {
		const char *body, *title, *frame;
	} cases[] = {
		{"<html><head><TITLE>\n Blocked </title></head>", "Blocked", ""},
		{"<titles>no</titles><title lang=en>Yes", "Yes", ""},
		{"<title", "", ""},
		{"<iframe width=3 src=\"http://10.10.34.36?type=x y\" style=a></iframe>", "",
		 "http://10.10.34.36?type=x y"},
		{"<IFRAME SRC='http://a/'>", "", "http://a/"},
		{"<iframe src=http://a/b>x", "", "http://a/b"},
		{"<iframe datasrc=\"no\"><p src=\"no\">", "", ""},
		{"&lt;iframe src=\"no\"&gt;", "", ""},
		{"<iframe src=", "", ""},
		{"", "", ""},
	};
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char title[64], frame[64];
		size_t len = strlen(cases[i].body);
		uint8_t *copy = malloc(len + 1);
		assert_non_null(copy);
		memcpy(copy, cases[i].body, len);
		uint8_t *exact = realloc(copy, len != 0 ? len : 1);
		http_body_title(exact, len, title, sizeof(title));
		http_body_frame(exact, len, frame, sizeof(frame));
		assert_string_equal(title, cases[i].title);
		assert_string_equal(frame, cases[i].frame);
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_response),  cmocka_unit_test(header_lines),
		cmocka_unit_test(odd_responses),   cmocka_unit_test(head_without_end),
		cmocka_unit_test(plain_bodies),	   cmocka_unit_test(compressed_bodies),
		cmocka_unit_test(bomb),		   cmocka_unit_test(titles_and_frames),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
