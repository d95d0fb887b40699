/* SPDX-License-Identifier: BSD-3-Clause */

/* The DNS reader by itself; dns_peer.py holds it against another library. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "classifiers/app/dns.c"

#ifdef DUMP_DNS
/* Hex of one message a line in, what was read of it a line out. */

static void dump_rdata(const struct dns_message *m, const struct dns_rr *r)
{
	char text[DNS_TEXT_SIZE];
	bool name = r->type == DNS_CNAME || r->type == DNS_NS || r->type == DNS_PTR ||
		    r->type == DNS_DNAME;
	if (name && dns_name_text(m, r->rdata, text)) {
		printf("%s", text);
		return;
	}
	for (unsigned i = 0; i < r->rdlen; i++)
		printf("%02x", m->data[r->rdata + i]);
}

static void dump(const struct dns_message *m)
{
	static const char *const ends[] = {"ok", "trailing", "cut", "bad"};
	char text[DNS_TEXT_SIZE];
	printf("%s\t%u\t%u\t%u\t%d", ends[m->end], m->txid, m->flags, m->rcode, m->has_opt);
	if (m->has_question && dns_name_text(m, m->qname, text))
		printf("\t%s %u %u", text, m->qclass, m->qtype);
	else
		printf("\t-");
	for (unsigned i = 0; i < m->n_rrs; i++) {
		const struct dns_rr *r = &m->rr[i];
		printf("\t%u %s %u %u %u ", r->section,
		       dns_name_text(m, r->name, text) ? text : "?", r->class, r->type, r->ttl);
		dump_rdata(m, r);
	}
	printf("\n");
}

int main(void)
{
	static char line[1 << 17];
	while (fgets(line, sizeof(line), stdin) != NULL) {
		struct dns_message m;
		size_t n = strspn(line, "0123456789abcdef") / 2;
		/* Of the exact size, so that a sanitizer sees one byte too many. */
		uint8_t *data = malloc(n != 0 ? n : 1);
		for (size_t i = 0; data != NULL && i < n; i++) {
			const char hex[3] = {line[2 * i], line[2 * i + 1], '\0'};
			data[i] = (uint8_t)strtoul(hex, NULL, 16);
		}
		if (data != NULL && dns_read(data, n, &m))
			dump(&m);
		else
			printf("none\n");
		free(data);
	}
	return 0;
}
#else

struct build {
	size_t n;
	uint8_t b[4096];
};

static void put(struct build *k, unsigned n, uint64_t v)
{
	assert_true(k->n + n <= sizeof(k->b));
	for (unsigned i = 0; i < n; i++)
		k->b[k->n++] = (uint8_t)(v >> 8 * (n - 1 - i));
}

static void put_text(struct build *k, const char *s, size_t len)
{
	put(k, 1, len);
	memcpy(k->b + k->n, s, len);
	k->n += len;
}

static void put_header(struct build *k, unsigned flags, unsigned q, unsigned an, unsigned ns,
		       unsigned ar)
{
	*k = (struct build){.n = 0};
	put(k, 2, 0x1234);
	put(k, 2, flags);
	put(k, 2, q);
	put(k, 2, an);
	put(k, 2, ns);
	put(k, 2, ar);
}

/* www.example at 12 */
static void put_question(struct build *k, unsigned type)
{
	put_text(k, "wWw", 3);
	put_text(k, "example", 7);
	put(k, 1, 0);
	put(k, 2, type);
	put(k, 2, 1);
}

static void put_rr(struct build *k, unsigned name, unsigned type, unsigned rdlen)
{
	put(k, 2, 0xc000 | name);
	put(k, 2, type);
	put(k, 2, 1);
	put(k, 4, 300);
	put(k, 2, rdlen);
}

/* From an allocation of the exact size. */
static uint8_t *backing;
static struct dns_message read_cut(const struct build *k, size_t len)
{
	struct dns_message m;
	free(backing);
	backing = malloc(len);
	assert_non_null(backing);
	memcpy(backing, k->b, len);
	memset(&m, 0xa5, sizeof(m));
	assert_true(dns_read(backing, len, &m));
	return m;
}

static struct dns_message read_all(const struct build *k)
{
	return read_cut(k, k->n);
}

static void an_answer(void **state)
{
	struct build k;
	char text[DNS_TEXT_SIZE];
	uint8_t wire[DNS_NAME_MAX];
	(void)state;
	put_header(&k, 0x8583, 1, 2, 0, 1);
	put_question(&k, DNS_A);
	put_rr(&k, 12, DNS_CNAME, 4);
	size_t target = k.n;
	put_text(&k, "x", 1);
	put(&k, 2, 0xc000 | 16);
	put_rr(&k, (unsigned)target, DNS_A, 4);
	put(&k, 4, 0xc0000201);
	put(&k, 1, 0);
	put(&k, 2, DNS_OPT);
	put(&k, 2, 1232);
	put(&k, 4, 0x01008000);
	put(&k, 2, 0);
	struct dns_message m = read_all(&k);
	assert_int_equal(m.end, DNS_OK);
	assert_int_equal(m.txid, 0x1234);
	assert_int_equal(m.flags, 0x8583);
	assert_int_equal(m.rcode, 0x13); /* four bits of the header, eight of EDNS */
	assert_true(m.has_question && m.has_opt);
	assert_int_equal(m.qtype, DNS_A);
	assert_int_equal(m.n_rrs, 2);
	assert_true(dns_name_text(&m, m.qname, text));
	assert_string_equal(text, "wWw.example");
	assert_int_equal(dns_name_wire(&m, m.qname, true, wire), 13);
	assert_memory_equal(wire, "\3www\7example", 13);
	assert_int_equal(dns_name_wire(&m, m.qname, false, wire), 13);
	assert_memory_equal(wire, "\3wWw\7example", 13);
	assert_true(dns_name_text(&m, m.rr[0].rdata, text));
	assert_string_equal(text, "x.example");
	assert_true(dns_name_text(&m, m.rr[1].name, text));
	assert_string_equal(text, "x.example");
	assert_true(dns_name_is_pointer(&m, m.rr[1].name));
	assert_false(dns_name_is_pointer(&m, m.qname));
	assert_int_equal(m.rr[1].ttl, 300);
	assert_int_equal(load_be32(m.data + m.rr[1].rdata), 0xc0000201);

	/* Every cut of it says so and keeps what came before. */
	for (size_t n = DNS_HEADER_SIZE; n < k.n; n++) {
		m = read_cut(&k, n);
		assert_int_equal(m.end, DNS_CUT);
		assert_int_equal(m.has_question, n >= 29);
		assert_int_equal(m.n_rrs, n >= target + 20 ? 2 : n >= target + 4 ? 1 : 0);
	}
	put(&k, 1, 7);
	m = read_all(&k);
	assert_int_equal(m.end, DNS_TRAILING);
	assert_int_equal(m.end_offset, k.n - 1);
	assert_false(dns_read(k.b, DNS_HEADER_SIZE - 1, &m));
}

static enum dns_end question_of(const void *name, size_t len)
{
	struct build k;
	put_header(&k, 0x0100, 1, 0, 0, 0);
	memcpy(k.b + k.n, name, len);
	k.n += len;
	put(&k, 4, 0x00010001);
	return (enum dns_end)read_all(&k).end;
}

static void names_that_are_none(void **state)
{
	uint8_t name[400];
	(void)state;
	assert_int_equal(question_of("\0", 1), DNS_OK);
	assert_int_equal(question_of("\xc0\x0c", 2), DNS_BAD);    /* itself */
	assert_int_equal(question_of("\1a\xc0\x0c", 4), DNS_BAD); /* its own beginning */
	assert_int_equal(question_of("\1a\xc0\x0e", 4), DNS_BAD);
	assert_int_equal(question_of("\xc0\x40", 2), DNS_BAD);    /* ahead */
	assert_int_equal(question_of("\x40" "aaa\0", 5), DNS_BAD);  /* label types of RFC 2671 */
	assert_int_equal(question_of("\x80" "aaa\0", 5), DNS_BAD);
	/* Into the header is odd and backwards. */
	assert_int_equal(question_of("\xc0\x06", 2), DNS_OK);

	/* 255 octets with the root's are a name, 256 are not. */
	memset(name, 'a', sizeof(name));
	for (unsigned i = 0; i < 4; i++)
		name[64 * i] = i < 3 ? 63 : 61;
	name[254] = 0;
	assert_int_equal(question_of(name, 255), DNS_OK);
	name[192] = 62;
	name[255] = 0;
	assert_int_equal(question_of(name, 256), DNS_BAD);
}

static void loops_and_bombs(void **state)
{
	struct build k;
	(void)state;
	/* Pointers that lead to pointers, each backwards: bounded though no octet is added. */
	put_header(&k, 0x8180, 1, 1, 0, 0);
	put_question(&k, DNS_A);
	size_t from = k.n + 12;
	put_rr(&k, 12, 65280, 2 * (DNS_JUMPS_MAX + 1));
	for (unsigned i = 0; i <= DNS_JUMPS_MAX; i++)
		put(&k, 2, 0xc000 | (i == 0 ? 12 : (unsigned)from + 2 * (i - 1)));
	size_t end;
	assert_int_equal(dns_name_length(k.b, k.n, from + 2 * (DNS_JUMPS_MAX - 1), &end), 13);
	assert_int_equal(end, from + 2 * DNS_JUMPS_MAX);
	assert_int_equal(dns_name_length(k.b, k.n, from + 2 * DNS_JUMPS_MAX, &end), 0);
	/* Labels behind which a pointer returns to their beginning. */
	const uint8_t loop[] = {1, 'a', 1, 'b', 0xc0, 0};
	assert_int_equal(dns_name_length(loop, sizeof(loop), 0, &end), 0);
	assert_int_equal(dns_name_length(loop, sizeof(loop), 2, &end), 0);
}

static void records_that_cannot_be(void **state)
{
	struct build k;
	(void)state;
	static const struct {
		unsigned type, rdlen, end;
	} cases[] = {
		{DNS_A, 4, DNS_OK}, {DNS_A, 3, DNS_BAD}, {DNS_A, 5, DNS_BAD}, {DNS_A, 0, DNS_BAD},
		{DNS_AAAA, 16, DNS_OK}, {DNS_AAAA, 4, DNS_BAD}, {DNS_CNAME, 1, DNS_OK},
		{DNS_CNAME, 2, DNS_BAD}, {DNS_CNAME, 0, DNS_BAD}, {DNS_MX, 3, DNS_OK},
		{DNS_MX, 2, DNS_BAD}, {DNS_OPT, 0, DNS_BAD}, {DNS_TXT, 7, DNS_OK},
	};
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		put_header(&k, 0x8180, 1, 1, 0, 0);
		put_question(&k, cases[i].type);
		put_rr(&k, 12, cases[i].type, cases[i].rdlen);
		for (unsigned n = 0; n < cases[i].rdlen; n++)
			put(&k, 1, 0);
		struct dns_message m = read_all(&k);
		assert_int_equal(m.end, cases[i].end);
		assert_true(m.has_question);
		assert_int_equal(m.n_rrs, cases[i].end == DNS_OK);
	}
	/* Counts are only promises. */
	put_header(&k, 0x8180, 1, 0xffff, 0xffff, 0xffff);
	put_question(&k, DNS_A);
	for (unsigned i = 0; i < DNS_RRS_MAX + 5; i++) {
		put_rr(&k, 12, DNS_A, 4);
		put(&k, 4, i);
	}
	struct dns_message m = read_all(&k);
	assert_int_equal(m.end, DNS_CUT);
	assert_int_equal(m.n_rrs, DNS_RRS_MAX);
	assert_int_equal(m.more_rrs, 5);
}

static void presentation_form(void **state)
{
	static const uint8_t odd[] = {5, 'a', '.', '\\', '"', ' ', 4, 0, 0x7f, 0xff, '$', 0};
	struct dns_message m = {.data = odd, .len = sizeof(odd)};
	char text[DNS_TEXT_SIZE];
	(void)state;
	assert_true(dns_name_text(&m, 0, text));
	assert_string_equal(text, "a\\.\\\\\\\"\\032.\\000\\127\\255\\$");
	assert_true(dns_name_text(&m, sizeof(odd) - 1, text));
	assert_string_equal(text, ".");
	assert_false(dns_name_text(&m, sizeof(odd), text));
	assert_string_equal(text, "");
	/* The longest there is. */
	uint8_t name[DNS_NAME_MAX] = {[0] = 63, [64] = 63, [128] = 63, [192] = 61};
	m = (struct dns_message){.data = name, .len = sizeof(name)};
	assert_true(dns_name_text(&m, 0, text));
	assert_int_equal(strlen(text), 4 * 250 + 3);
	char buf[12];
	assert_string_equal(dns_type_text(DNS_AAAA, buf), "AAAA");
	assert_string_equal(dns_type_text(65280, buf), "TYPE65280");
	assert_string_equal(dns_rcode_text(DNS_NXDOMAIN, buf), "NXDOMAIN");
	assert_string_equal(dns_rcode_text(4095, buf), "RCODE4095");
}

static void length_prefix(void **state)
{
	static const uint8_t stream[] = {0, 3, 'a', 'b', 'c', 0, 1, 'd', 0, 2, 'e', 0, 0};
	const uint8_t *message;
	size_t at = 0, n = 0;
	(void)state;
	assert_true(dns_read_prefix(stream, sizeof(stream), &at, &message, &n));
	assert_true(n == 3 && message == stream + 2 && at == 5);
	assert_false(dns_read_prefix(stream, 7, &at, &message, &n));
	assert_int_equal(at, 5);
	assert_true(dns_read_prefix(stream, 8, &at, &message, &n));
	assert_true(n == 1 && at == 8);
	assert_true(dns_read_prefix(stream, sizeof(stream), &at, &message, &n) && at == 12);
	assert_false(dns_read_prefix(stream, sizeof(stream), &at, &message, &n));
	at = sizeof(stream) + 1;
	assert_false(dns_read_prefix(stream, sizeof(stream), &at, &message, &n));
	const uint8_t nothing[] = {0, 0};
	at = 0;
	assert_false(dns_read_prefix(nothing, 2, &at, &message, &n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer),
		cmocka_unit_test(names_that_are_none),
		cmocka_unit_test(loops_and_bombs),
		cmocka_unit_test(records_that_cannot_be),
		cmocka_unit_test(presentation_form),
		cmocka_unit_test(length_prefix),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(backing);
	return failed;
}
#endif
