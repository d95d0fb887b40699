/* SPDX-License-Identifier: BSD-3-Clause */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "classifiers/app/tls.c"
#include "classifiers/classifier_tls.c"

/* What openssl s_client 3.0 sends with -servername blocked.example -alpn h2,http/1.1. */
static const uint8_t openssl_hello[] = {
	0x16, 0x03, 0x01, 0x01, 0x4e, 0x01, 0x00, 0x01, 0x4a, 0x03, 0x03, 0xac, 0xb0, 0x70,
	0xe4, 0x7f, 0x0b, 0x6c, 0xd2, 0xd8, 0x9f, 0xbc, 0xda, 0x24, 0x74, 0x7f, 0xb6, 0x1b,
	0xcb, 0x29, 0x31, 0x16, 0x5d, 0xd7, 0x60, 0x17, 0xb8, 0x7b, 0xcb, 0x65, 0x0d, 0x1e,
	0x77, 0x20, 0x9b, 0x94, 0x7f, 0xbc, 0x72, 0x0d, 0x1b, 0xa7, 0x20, 0xee, 0x0d, 0x56,
	0x81, 0x9d, 0x59, 0x52, 0xe9, 0x4f, 0xf9, 0xd4, 0xda, 0x6c, 0x67, 0x1a, 0xdf, 0x4f,
	0x5a, 0x06, 0x2f, 0xec, 0x1e, 0xe1, 0x00, 0x3e, 0x13, 0x02, 0x13, 0x03, 0x13, 0x01,
	0xc0, 0x2c, 0xc0, 0x30, 0x00, 0x9f, 0xcc, 0xa9, 0xcc, 0xa8, 0xcc, 0xaa, 0xc0, 0x2b,
	0xc0, 0x2f, 0x00, 0x9e, 0xc0, 0x24, 0xc0, 0x28, 0x00, 0x6b, 0xc0, 0x23, 0xc0, 0x27,
	0x00, 0x67, 0xc0, 0x0a, 0xc0, 0x14, 0x00, 0x39, 0xc0, 0x09, 0xc0, 0x13, 0x00, 0x33,
	0x00, 0x9d, 0x00, 0x9c, 0x00, 0x3d, 0x00, 0x3c, 0x00, 0x35, 0x00, 0x2f, 0x00, 0xff,
	0x01, 0x00, 0x00, 0xc3, 0x00, 0x00, 0x00, 0x14, 0x00, 0x12, 0x00, 0x00, 0x0f, 0x62,
	0x6c, 0x6f, 0x63, 0x6b, 0x65, 0x64, 0x2e, 0x65, 0x78, 0x61, 0x6d, 0x70, 0x6c, 0x65,
	0x00, 0x0b, 0x00, 0x04, 0x03, 0x00, 0x01, 0x02, 0x00, 0x0a, 0x00, 0x16, 0x00, 0x14,
	0x00, 0x1d, 0x00, 0x17, 0x00, 0x1e, 0x00, 0x19, 0x00, 0x18, 0x01, 0x00, 0x01, 0x01,
	0x01, 0x02, 0x01, 0x03, 0x01, 0x04, 0x00, 0x23, 0x00, 0x00, 0x00, 0x10, 0x00, 0x0e,
	0x00, 0x0c, 0x02, 0x68, 0x32, 0x08, 0x68, 0x74, 0x74, 0x70, 0x2f, 0x31, 0x2e, 0x31,
	0x00, 0x16, 0x00, 0x00, 0x00, 0x17, 0x00, 0x00, 0x00, 0x0d, 0x00, 0x2a, 0x00, 0x28,
	0x04, 0x03, 0x05, 0x03, 0x06, 0x03, 0x08, 0x07, 0x08, 0x08, 0x08, 0x09, 0x08, 0x0a,
	0x08, 0x0b, 0x08, 0x04, 0x08, 0x05, 0x08, 0x06, 0x04, 0x01, 0x05, 0x01, 0x06, 0x01,
	0x03, 0x03, 0x03, 0x01, 0x03, 0x02, 0x04, 0x02, 0x05, 0x02, 0x06, 0x02, 0x00, 0x2b,
	0x00, 0x09, 0x08, 0x03, 0x04, 0x03, 0x03, 0x03, 0x02, 0x03, 0x01, 0x00, 0x2d, 0x00,
	0x02, 0x01, 0x01, 0x00, 0x33, 0x00, 0x26, 0x00, 0x24, 0x00, 0x1d, 0x00, 0x20, 0x07,
	0x79, 0xf3, 0xd3, 0xae, 0x19, 0x2d, 0x59, 0xb6, 0x13, 0x0b, 0x48, 0xa8, 0x99, 0x0b,
	0x27, 0xee, 0x14, 0x1a, 0xbe, 0x97, 0xe7, 0x7c, 0x20, 0x6f, 0xbe, 0x6a, 0x28, 0x59,
	0x3b, 0x96, 0x33,
};

/* A message or a stream under construction. */
struct buf {
	uint8_t b[40000];
	size_t len;
};

static void put(struct buf *to, const void *bytes, size_t n)
{
	assert_true(to->len + n <= sizeof(to->b));
	memcpy(to->b + to->len, bytes, n);
	to->len += n;
}

static void put8(struct buf *to, unsigned v)
{
	uint8_t b = (uint8_t)v;
	put(to, &b, 1);
}

static void put16(struct buf *to, unsigned v)
{
	put8(to, v >> 8);
	put8(to, v);
}

static void put_zeros(struct buf *to, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put8(to, 0);
}

static void put_sni(struct buf *to, unsigned type, const char *name, size_t n)
{
	put16(to, EXT_SERVER_NAME);
	put16(to, (unsigned)n + 5);
	put16(to, (unsigned)n + 3);
	put8(to, type);
	put16(to, (unsigned)n);
	put(to, name, n);
}

/* A ClientHello message around ready-made extensions. */
static void put_hello(struct buf *to, const struct buf *extensions)
{
	size_t length = 2 + 32 + 1 + 2 + 4 + 2 + 2 + extensions->len;
	put8(to, MESSAGE_CLIENT_HELLO);
	put8(to, (unsigned)(length >> 16));
	put16(to, (unsigned)length);
	put16(to, 0x0303);
	put_zeros(to, 32 + 1);
	put16(to, 4);
	put16(to, 0x1301);
	put16(to, 0xc02f);
	put16(to, 0x0100);
	put16(to, (unsigned)extensions->len);
	put(to, extensions->b, extensions->len);
}

/* message cut into records of at most size bytes. */
static void put_records(struct buf *to, const uint8_t *message, size_t len, size_t size)
{
	for (size_t at = 0; at < len; at += size) {
		size_t n = len - at < size ? len - at : size;
		put8(to, RECORD_HANDSHAKE);
		put16(to, 0x0301);
		put16(to, (unsigned)n);
		put(to, message + at, n);
	}
}

/* A copy of exactly len bytes, so that a sanitizer sees one byte too many. */
static enum classify read_exact(const uint8_t *data, size_t len, struct tls_client_hello *out)
{
	uint8_t *copy = malloc(len != 0 ? len : 1);
	assert_non_null(copy);
	memcpy(copy, data, len);
	enum classify answer = tls_client_hello_read(copy, len, out);
	free(copy);
	return answer;
}

static size_t find(const struct buf *in, const char *name)
{
	const uint8_t *p = memmem(in->b, in->len, name, strlen(name));
	assert_non_null(p);
	return (size_t)(p - in->b);
}

/* Every prefix: MORE, with the name from sni_end on, and DONE only at the end. */
static void check_prefixes(const uint8_t *data, size_t len, const char *name, uint32_t sni_end)
{
	struct tls_client_hello out;
	for (size_t n = 0; n < len; n++) {
		assert_int_equal(read_exact(data, n, &out), CLASSIFY_MORE);
		assert_true(out.truncated);
		assert_int_equal(out.hello_end, 0);
		assert_string_equal(out.ja3, "");
		assert_int_equal(out.has_sni, n >= sni_end);
		if (out.has_sni)
			assert_string_equal(out.sni, name);
	}
	assert_int_equal(read_exact(data, len, &out), CLASSIFY_DONE);
	assert_false(out.truncated);
	assert_string_equal(out.sni, name);
	assert_int_equal(out.sni_end, sni_end);
	assert_int_equal(out.hello_end, len);
}

static void real_hello(void **state)
{
	(void)state;
	struct tls_client_hello out;
	assert_int_equal(read_exact(openssl_hello, sizeof(openssl_hello), &out), CLASSIFY_DONE);
	assert_int_equal(out.record_version, 0x0301);
	assert_int_equal(out.legacy_version, 0x0303);
	assert_int_equal(out.highest_version, 0x0304);
	assert_int_equal(out.n_records, 1);
	assert_int_equal(out.sni_len, 15);
	assert_memory_equal(openssl_hello + out.sni_offset, "blocked.example", 15);
	assert_int_equal(out.n_alpn, 2);
	assert_string_equal(out.alpn[0], "h2");
	assert_string_equal(out.alpn[1], "http/1.1");
	assert_false(out.ech || out.esni);
	assert_string_equal(out.ja3, "5a1edc7f170af1014fc65c994878e63c");
	assert_string_equal(out.ja4, "t13d3111h2_e8f1e7e78f70_1f22a2ca17c4");
	check_prefixes(openssl_hello, sizeof(openssl_hello), "blocked.example", out.sni_end);
}

/* The message cut in two records at every byte: the name may lie across both. */
static void every_split_over_two_records(void **state)
{
	(void)state;
	const uint8_t *message = openssl_hello + RECORD_HEADER;
	size_t len = sizeof(openssl_hello) - RECORD_HEADER;
	struct tls_client_hello whole, out;
	assert_int_equal(tls_client_hello_read(openssl_hello, sizeof(openssl_hello), &whole),
			 CLASSIFY_DONE);
	for (size_t cut = 1; cut < len; cut++) {
		struct buf s = {.len = 0};
		put_records(&s, message, cut, cut);
		put_records(&s, message + cut, len - cut, len - cut);
		assert_int_equal(read_exact(s.b, s.len, &out), CLASSIFY_DONE);
		assert_int_equal(out.n_records, 2);
		assert_string_equal(out.sni, "blocked.example");
		assert_string_equal(out.ja4, whole.ja4);
		assert_string_equal(out.ja3, whole.ja3);
		assert_int_equal(out.hello_end, s.len);
		bool first_later = cut + RECORD_HEADER <= whole.sni_offset;
		bool last_later = cut + RECORD_HEADER < whole.sni_end;
		assert_int_equal(out.sni_offset, whole.sni_offset + (first_later ? 5 : 0));
		assert_int_equal(out.sni_end, whole.sni_end + (last_later ? 5 : 0));
		assert_int_equal(s.b[out.sni_offset], 'b');
		assert_int_equal(s.b[out.sni_end - 1], 'e');
		/* One byte short of the name it is not there yet. */
		assert_int_equal(read_exact(s.b, out.sni_end - 1, &out), CLASSIFY_MORE);
		assert_false(out.has_sni);
	}
}

static void records_of_every_size(void **state)
{
	(void)state;
	const uint8_t *message = openssl_hello + RECORD_HEADER;
	size_t len = sizeof(openssl_hello) - RECORD_HEADER;
	for (size_t size = 1; size <= 40; size++) {
		struct buf s = {.len = 0};
		struct tls_client_hello out;
		put_records(&s, message, len, size);
		tls_client_hello_read(s.b, s.len, &out);
		size_t n = (len + size - 1) / size;
		assert_int_equal(out.n_records, n < 255 ? n : 255);
		check_prefixes(s.b, s.len, "blocked.example", out.sni_end);
	}
}

/* Post-quantum key shares make hellos of 1.7 KB and more; the limit is that of reassembly. */
static void large_hellos(void **state)
{
	(void)state;
	static const size_t sizes[] = {1216, 2048, 9000, 16000};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct buf ext = {.len = 0}, message = {.len = 0}, s = {.len = 0};
		struct tls_client_hello out;
		put16(&ext, 51);
		put16(&ext, (unsigned)sizes[i]);
		put_zeros(&ext, sizes[i]);
		put_sni(&ext, 0, "pq.example", 10);
		put_hello(&message, &ext);
		put_records(&s, message.b, message.len, 16384);
		assert_int_equal(read_exact(s.b, s.len, &out), CLASSIFY_DONE);
		assert_string_equal(out.sni, "pq.example");
		assert_int_equal(out.sni_end, s.len);
		assert_false(out.truncated);
		assert_int_equal(read_exact(s.b, s.len - 1, &out), CLASSIFY_MORE);
		assert_false(out.has_sni);
	}
}

static void longer_than_the_limit_is_truncated(void **state)
{
	(void)state;
	struct buf ext = {.len = 0}, message = {.len = 0}, s = {.len = 0};
	struct tls_client_hello out;
	put_sni(&ext, 0, "early.example", 13);
	put16(&ext, 21);
	put16(&ext, 20000);
	put_zeros(&ext, 20000);
	put_hello(&message, &ext);
	put_records(&s, message.b, message.len, 16384);
	assert_int_equal(read_exact(s.b, REASSEMBLY_LIMIT - 1, &out), CLASSIFY_MORE);
	assert_int_equal(read_exact(s.b, REASSEMBLY_LIMIT, &out), CLASSIFY_DONE);
	assert_true(out.truncated && out.has_sni);
	assert_string_equal(out.sni, "early.example");
	assert_string_equal(out.ja4, "");
	assert_int_equal(read_exact(s.b, s.len, &out), CLASSIFY_DONE);
	assert_true(out.truncated);
}

static void refused(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t len, refused_at;
	} cases[] = {
		{"GET / HTTP/1.1\r\n", 16, 1},
		{"SSH-2.0-x\r\n", 11, 1},
		{"\x15\x03\x01\x00\x02\x02\x28", 7, 1}, /* alert */
		{"\x17\x03\x03\x00\x20", 5, 1},
		{"\x16\x02\x01\x00\x10", 5, 2},
		{"\x16\x03\x01\xff\xff", 5, 5},          /* a record longer than any */
		{"\x16\x03\x01\x00\x50\x02", 6, 6},      /* ServerHello */
		{"\x16\x03\x01\x00\x50\x01\x00\x00\x02", 9, 9}, /* too short for a hello */
		{"\x16\x03\x01\x00\x50\x01\x00\x00\x4c\x02\x03", 11, 10},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t n = 0; n <= cases[i].len; n++) {
			struct tls_client_hello out;
			enum classify answer = read_exact((const uint8_t *)cases[i].bytes, n, &out);
			assert_int_equal(answer, n < cases[i].refused_at ? CLASSIFY_MORE
									  : CLASSIFY_NEVER);
		}
}

static enum classify read_extensions_of(const struct buf *ext, struct tls_client_hello *out)
{
	struct buf message = {.len = 0}, s = {.len = 0};
	put_hello(&message, ext);
	put_records(&s, message.b, message.len, 16384);
	enum classify answer = read_exact(s.b, s.len, out);
	assert_int_equal(out->hello_end, s.len);
	return answer;
}

static void names(void **state)
{
	(void)state;
	struct tls_client_hello out;
	char longest[300];
	memset(longest, 'a', sizeof(longest));

	struct buf ext = {.len = 0}; /* only type 0 is a host name; the first extension counts */
	put_sni(&ext, 7, "not.a.host.name", 15);
	put_sni(&ext, 0, "first.example", 13);
	put_sni(&ext, 0, "second.example", 14);
	assert_int_equal(read_extensions_of(&ext, &out), CLASSIFY_DONE);
	assert_string_equal(out.sni, "first.example");
	assert_false(out.truncated);

	ext.len = 0;
	put_sni(&ext, 0, longest, sizeof(longest));
	assert_int_equal(read_extensions_of(&ext, &out), CLASSIFY_DONE);
	assert_int_equal(out.sni_len, 300);
	assert_int_equal(strlen(out.sni), 255);
	assert_int_equal(out.sni_end - out.sni_offset, 300);

	ext.len = 0;
	put_sni(&ext, 0, "a\0b\xff", 4);
	assert_int_equal(read_extensions_of(&ext, &out), CLASSIFY_DONE);
	assert_int_equal(out.sni_len, 4);
	assert_memory_equal(out.sni, "a\0b\xff", 5);

	ext.len = 0;
	put_sni(&ext, 0, "", 0);
	assert_int_equal(read_extensions_of(&ext, &out), CLASSIFY_DONE);
	assert_false(out.has_sni || out.truncated);

	ext.len = 0; /* no name, but the extension is there, which is what JA4 asks */
	put16(&ext, EXT_SERVER_NAME);
	put16(&ext, 0);
	assert_int_equal(read_extensions_of(&ext, &out), CLASSIFY_DONE);
	assert_false(out.has_sni || out.truncated);
	assert_memory_equal(out.ja4, "t12d0201", 8);
}

static void versions_ech_and_alpn(void **state)
{
	(void)state;
	struct tls_client_hello out;
	struct buf ext = {.len = 0};
	static const uint8_t versions[] = {0, 43, 0, 7, 6, 0xfa, 0xfa, 3, 3, 3, 4};
	put(&ext, versions, sizeof(versions));
	put16(&ext, EXT_ECH);
	put16(&ext, 0);
	put16(&ext, EXT_ALPN);
	put16(&ext, 2 + 10 * 20);
	put16(&ext, 10 * 20);
	for (unsigned i = 0; i < 10; i++) {
		put8(&ext, 19);
		put(&ext, "0123456789abcdefghi", 19);
	}
	assert_int_equal(read_extensions_of(&ext, &out), CLASSIFY_DONE);
	assert_false(out.truncated);
	assert_int_equal(out.highest_version, 0x0304);
	assert_true(out.ech);
	assert_false(out.esni);
	assert_int_equal(out.n_alpn, TLS_ALPN_MAX);
	assert_string_equal(out.alpn[7], "0123456789abcde");
	assert_memory_equal(out.ja4, "t13i02030i_", 11);

	ext.len = 0;
	put16(&ext, EXT_ESNI);
	put16(&ext, 0);
	read_extensions_of(&ext, &out);
	assert_true(out.esni && !out.ech);

	static const struct {
		uint16_t type;
		bool ech;
	} drafts[] = {{0xff02, true}, {0xff03, false}, {0xff04, false}, {0xff01, false}, {0xfe07, false},
		      {0xfe08, true}, {0xfe0a, true}, {0xfe0d, true}, {0xfe0e, false}};
	for (size_t i = 0; i < sizeof(drafts) / sizeof(*drafts); i++) {
		ext.len = 0;
		put16(&ext, drafts[i].type);
		put16(&ext, 0);
		read_extensions_of(&ext, &out);
		assert_int_equal(out.ech, drafts[i].ech);
		assert_false(out.esni);
	}
}

/* Each inner length one too large or too small: the end of the parse, not of the hello. */
static void contradicting_lengths(void **state)
{
	(void)state;
	static const uint8_t name[] = "\0\0\0\x0c\0\x0a\0\0\x07" "a.b.com";
	static const size_t lengths[] = {3, 5, 8};
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct tls_client_hello out;
		struct buf ext = {.len = 0};
		put_sni(&ext, 0, "a.b.com", 7);
		assert_memory_equal(ext.b, name, sizeof(name) - 1);
		ext.b[lengths[i]]++;
		assert_int_equal(read_extensions_of(&ext, &out), CLASSIFY_DONE);
		assert_true(out.truncated);
		assert_false(out.has_sni);
		assert_string_equal(out.ja3, "");
	}
	/* What came before the contradiction is kept. */
	struct tls_client_hello out;
	struct buf ext = {.len = 0};
	put_sni(&ext, 0, "a.b.com", 7);
	put16(&ext, EXT_GROUPS);
	put16(&ext, 4000);
	assert_int_equal(read_extensions_of(&ext, &out), CLASSIFY_DONE);
	assert_true(out.truncated && out.has_sni);

	/* Session id longer than 32, an odd list of ciphers, bytes behind the extensions. */
	static const size_t at[] = {RECORD_HEADER + 38, RECORD_HEADER + 40, RECORD_HEADER + 48};
	static const uint8_t value[] = {33, 3, 0};
	for (size_t i = 0; i < 3; i++) {
		struct buf message = {.len = 0}, s = {.len = 0};
		ext.len = 0;
		put_sni(&ext, 0, "a.b.com", 7);
		put_hello(&message, &ext);
		put_records(&s, message.b, message.len, 16384);
		s.b[at[i]] = value[i];
		assert_int_equal(read_exact(s.b, s.len, &out), CLASSIFY_DONE);
		assert_true(out.truncated);
		assert_int_equal(out.hello_end, s.len);
	}
}

static void another_record_cuts_it_short(void **state)
{
	(void)state;
	struct buf s = {.len = 0};
	struct tls_client_hello out;
	size_t half = sizeof(openssl_hello) - RECORD_HEADER - 60;
	put_records(&s, openssl_hello + RECORD_HEADER, half, half);
	put(&s, "\x15\x03\x01\x00\x02\x02\x28", 7);
	assert_int_equal(read_exact(s.b, s.len, &out), CLASSIFY_DONE);
	assert_true(out.truncated && out.has_sni);
	assert_string_equal(out.sni, "blocked.example");
}

/* Early data may follow, and a hello need not fill its record. */
static void bytes_behind_the_hello(void **state)
{
	(void)state;
	struct buf s = {.len = 0};
	struct tls_client_hello out;
	put(&s, openssl_hello, sizeof(openssl_hello));
	put(&s, "\x14\x03\x03\x00\x01\x01", 6);
	assert_int_equal(read_exact(s.b, s.len, &out), CLASSIFY_DONE);
	assert_false(out.truncated);
	assert_int_equal(out.hello_end, sizeof(openssl_hello));

	struct buf message = {.len = 0};
	put(&message, openssl_hello + RECORD_HEADER, sizeof(openssl_hello) - RECORD_HEADER);
	put_zeros(&message, 9);
	s.len = 0;
	put_records(&s, message.b, message.len, 16384);
	assert_int_equal(read_exact(s.b, s.len, &out), CLASSIFY_DONE);
	assert_int_equal(out.hello_end, s.len);
	assert_int_equal(read_exact(s.b, s.len - 9, &out), CLASSIFY_DONE);
	assert_int_equal(out.hello_end, s.len);
	assert_int_equal(find(&s, "blocked.example"), out.sni_offset);
}

static void as_a_classifier(void **state)
{
	(void)state;
	struct app_facts facts = {.app_proto = NULL};
	struct tls_flow x = {.need = 0};
	const uint8_t *d = openssl_hello;
	enum classify answer =
		stream(NULL, &x, NULL, DIR_S2C, NULL, NULL, d, sizeof(openssl_hello), &facts);
	assert_int_equal(answer, CLASSIFY_NEVER);
	answer = stream(NULL, &x, NULL, DIR_C2S, NULL, NULL, d, 5, &facts);
	assert_int_equal(answer, CLASSIFY_MORE);
	assert_null(facts.tls);
	assert_null(facts.app_proto);
	answer = stream(NULL, &x, NULL, DIR_C2S, NULL, NULL, d, 6, &facts);
	assert_int_equal(answer, CLASSIFY_MORE);
	assert_non_null(facts.tls);
	assert_string_equal(facts.app_proto, "tls");
	assert_true(facts.tls->truncated);
	struct tls_client_hello *first = facts.tls;
	answer = stream(NULL, &x, NULL, DIR_C2S, NULL, NULL, d, sizeof(openssl_hello), &facts);
	assert_int_equal(answer, CLASSIFY_DONE);
	assert_ptr_equal(facts.tls, first);
	assert_false(facts.tls->truncated);
	free(facts.tls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_hello),
		cmocka_unit_test(every_split_over_two_records),
		cmocka_unit_test(records_of_every_size),
		cmocka_unit_test(large_hellos),
		cmocka_unit_test(longer_than_the_limit_is_truncated),
		cmocka_unit_test(refused),
		cmocka_unit_test(names),
		cmocka_unit_test(versions_ech_and_alpn),
		cmocka_unit_test(contradicting_lengths),
		cmocka_unit_test(another_record_cuts_it_short),
		cmocka_unit_test(bytes_behind_the_hello),
		cmocka_unit_test(as_a_classifier),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
