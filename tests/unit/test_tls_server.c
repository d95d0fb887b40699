/* SPDX-License-Identifier: BSD-3-Clause */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include "classifiers/app/tls_server.c"
#include "classifiers/app/x509.c"

/* A certificate as libcrypto writes it, with what it says by libcrypto's own reading. */
struct certificate {
	uint8_t *der;
	size_t len;
	uint8_t spki[32];
};

static void add_entry(X509_NAME *name, const char *field, int type, const char *value)
{
	if (value != NULL)
		assert_int_equal(X509_NAME_add_entry_by_txt(name, field, type,
							    (const unsigned char *)value,
							    type == V_ASN1_BMPSTRING ? 8 : -1, -1, 0),
				 1);
}

static void make_certificate(struct certificate *c, const char *issuer, const char *org,
			     const char *subject, int type)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	X509 *x = X509_new();
	X509_NAME *name = X509_NAME_new();
	assert_true(key != NULL && x != NULL && name != NULL);
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 4711);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_set_pubkey(x, key);
	add_entry(name, "C", MBSTRING_ASC, "XX");
	add_entry(name, "CN", type, issuer);
	add_entry(name, "O", type, org);
	X509_set_issuer_name(x, name);
	X509_NAME_free(name);
	name = X509_NAME_new();
	add_entry(name, "OU", MBSTRING_ASC, "a unit");
	add_entry(name, "CN", type, subject);
	X509_set_subject_name(x, name);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	c->der = NULL;
	c->len = (size_t)i2d_X509(x, &c->der);
	uint8_t *spki = NULL;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &spki);
	SHA256(spki, (size_t)n, c->spki);
	OPENSSL_free(spki);
	X509_NAME_free(name);
	X509_free(x);
	EVP_PKEY_free(key);
}

static void certificates(void **state)
{
	(void)state;
	static const struct {
		const char *issuer, *org, *subject;
		int type;
		const char *says, *common_name;
	} cases[] = {
		{"Qaznet Trust Network", NULL, "a.example", MBSTRING_UTF8, "CN=Qaznet Trust Network",
		 "a.example"},
		{"Root R1", "An Organization", "*.example.org", MBSTRING_UTF8,
		 "CN=Root R1, O=An Organization", "*.example.org"},
		{NULL, "Only an organization", NULL, MBSTRING_UTF8, "O=Only an organization", ""},
		{NULL, NULL, NULL, MBSTRING_UTF8, "", ""},
		{"\0w\0i\0d\0e", NULL, NULL, V_ASN1_BMPSTRING, "CN=wide", ""},
		{"a common name that goes on for as long as is allowed, or 64 B",
		 "and an organization that does the same, on and on, to the end",
		 "x", MBSTRING_UTF8,
		 "CN=a common name that goes on for as long as is al, O=and an organization that does the "
		 "same, ", "x"},
	};
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct certificate c;
		struct x509_facts f;
		uint8_t sum[32];
		make_certificate(&c, cases[i].issuer, cases[i].org, cases[i].subject, cases[i].type);
		assert_true(x509_read(c.der, c.len, &f));
		assert_string_equal(f.issuer, cases[i].says);
		assert_string_equal(f.subject, cases[i].common_name);
		assert_true(digest_sha256(f.spki, f.spki_len, sum));
		assert_memory_equal(sum, c.spki, 32);
		/* No prefix and nothing longer is a certificate, and no byte of it is read past its end. */
		for (size_t n = 0; n < c.len; n++) {
			uint8_t *part = malloc(n != 0 ? n : 1);
			memcpy(part, c.der, n);
			assert_false(x509_read(part, n, &f));
			assert_true(f.spki == NULL && f.issuer[0] == '\0' && f.subject[0] == '\0');
			free(part);
		}
		OPENSSL_free(c.der);
	}
}

/* Streams */

struct stream {
	uint8_t b[8192];
	size_t n;
};

static void put(struct stream *s, unsigned n, uint64_t v)
{
	for (unsigned i = 0; i < n; i++)
		s->b[s->n++] = (uint8_t)(v >> 8 * (n - 1 - i));
}

static void put_bytes(struct stream *s, const void *p, size_t n)
{
	assert_true(s->n + n <= sizeof(s->b));
	memcpy(s->b + s->n, p, n);
	s->n += n;
}

static void put_hello(struct stream *s, uint16_t version, bool retry)
{
	struct stream h = {.n = 0};
	put(&h, 2, version < 0x0304 ? version : 0x0303);
	for (unsigned i = 0; i < 32; i++)
		put(&h, 1, retry ? retry_random[i] : i * 7);
	put(&h, 1, 2);
	put(&h, 2, 0xabcd);
	put(&h, 2, 0x1301);
	put(&h, 1, 0);
	put(&h, 2, version < 0x0304 ? 5 : 12);
	if (version >= 0x0304) {
		put(&h, 4, 43u << 16 | 2);
		put(&h, 2, version);
		put(&h, 6, 51ull << 32 | 2ull << 16 | 29);
	} else {
		put(&h, 5, 0xff01000100);
	}
	put(s, 1, 2);
	put(s, 3, h.n);
	put_bytes(s, h.b, h.n);
}

static void put_certificates(struct stream *s, const struct certificate *list, unsigned n)
{
	size_t all = 0;
	for (unsigned i = 0; i < n; i++)
		all += 3 + list[i].len;
	put(s, 1, 11);
	put(s, 3, all + 3);
	put(s, 3, all);
	for (unsigned i = 0; i < n; i++) {
		put(s, 3, list[i].len);
		put_bytes(s, list[i].der, list[i].len);
	}
}

static void put_chain(struct stream *s, const struct certificate *c)
{
	put_certificates(s, c, 1);
}

/* Handshake bytes in records of at most `most` bytes. */
static void put_records(struct stream *s, const struct stream *messages, size_t most)
{
	for (size_t at = 0; at < messages->n; at += most) {
		size_t n = messages->n - at < most ? messages->n - at : most;
		put(s, 3, 0x160303);
		put(s, 2, n);
		put_bytes(s, messages->b + at, n);
	}
}

static enum classify read_exact(const struct stream *s, size_t n, struct tls_server *out,
				uint32_t *need)
{
	uint8_t *copy = malloc(n != 0 ? n : 1);
	assert_non_null(copy);
	memcpy(copy, s->b, n);
	enum classify answer = tls_server_read(copy, n, out, need);
	free(copy);
	return answer;
}

/* Reads it whole and every front of it; what is asked for by *need teaches no less than all bytes. */
static enum classify read_all(const struct stream *s, struct tls_server *out)
{
	struct tls_server part;
	uint32_t need = 0, all;
	enum classify before = CLASSIFY_MORE, answer = read_exact(s, s->n, out, &all);
	for (size_t n = 0; n <= s->n && before == CLASSIFY_MORE; n++)
		if (n >= need)
			before = read_exact(s, n, &part, &need);
	assert_int_equal(before, answer);
	assert_memory_equal(&part, out, sizeof(part));
	return answer;
}

static void tls12(void **state)
{
	(void)state;
	struct certificate c;
	struct tls_server out;
	make_certificate(&c, "Qaznet Trust Network", NULL, "a.example", MBSTRING_UTF8);
	for (size_t most = 1; most < 2000; most = most * 3 + 4) {
		struct stream messages = {.n = 0}, s = {.n = 0};
		put_hello(&messages, 0x0303, false);
		put_chain(&messages, &c);
		put(&messages, 4, 0x0e000000);
		put_records(&s, &messages, most);
		assert_int_equal(read_all(&s, &out), CLASSIFY_DONE);
		assert_int_equal(out.version, 0x0303);
		assert_int_equal(out.cipher, 0x1301);
		assert_true(out.has_hello && out.has_certificate && !out.has_alert && !out.retry);
		assert_string_equal(out.issuer, "CN=Qaznet Trust Network");
		assert_string_equal(out.subject, "a.example");
		assert_memory_equal(out.spki, c.spki, 32);
		assert_int_equal(out.interceptor, 1);
		/* MD5 of "771,4865,65281" */
		assert_string_equal(out.ja3s, "9e36d0263f2c16df7144edfdcdd47374");
	}
	OPENSSL_free(c.der);
}

/* Leaves are signed by intermediates; what is known is the root's name. */
static void chains(void **state)
{
	static const struct {
		const char *issuers[3];
		const char *name;
	} rows[] = {
		{{"Security Certificate", "Qaznet Trust Network", NULL}, "Qaznet Trust Network"},
		{{"Security Certificate", "Another", "Information Security Certification Authority"},
		 "Information Security Certification Authority"},
		{{"FortiGate CA", NULL, NULL}, "Fortinet FortiGate"},
		{{"R11", "ISRG Root X1", NULL}, NULL},
		{{"Not Qaznet Trust Network", "FortiGate", NULL}, NULL},
	};
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct certificate c[3];
		struct stream messages = {.n = 0}, s = {.n = 0};
		struct tls_server out;
		unsigned n = 0;
		for (; n < 3 && rows[i].issuers[n] != NULL; n++)
			make_certificate(&c[n], rows[i].issuers[n], NULL, "a.example", MBSTRING_UTF8);
		put_hello(&messages, 0x0303, false);
		put_certificates(&messages, c, n);
		put_records(&s, &messages, 4000);
		assert_int_equal(read_all(&s, &out), CLASSIFY_DONE);
		const struct interceptor *k = interceptor_get(out.interceptor);
		assert_int_equal(k != NULL, rows[i].name != NULL);
		if (k != NULL)
			assert_string_equal(k->name, rows[i].name);
		assert_int_equal(strncmp(out.issuer + 3, rows[i].issuers[0], strlen(rows[i].issuers[0])), 0);
		while (n > 0)
			OPENSSL_free(c[--n].der);
	}
}

static void tls13(void **state)
{
	(void)state;
	struct tls_server out;
	struct stream hello = {.n = 0}, retry = {.n = 0}, s = {.n = 0};
	put_hello(&hello, 0x0304, false);
	put_hello(&retry, 0x0304, true);
	put_records(&s, &hello, 100);
	assert_int_equal(read_all(&s, &out), CLASSIFY_DONE);
	assert_true(out.has_hello && !out.has_certificate && !out.retry && out.version == 0x0304);

	s.n = 0;
	put_records(&s, &retry, 100);
	assert_int_equal(read_all(&s, &out), CLASSIFY_MORE);
	assert_true(out.retry && !out.has_hello);
	put(&s, 6, 0x140303000101);
	assert_int_equal(read_all(&s, &out), CLASSIFY_MORE);
	put_records(&s, &hello, 100);
	assert_int_equal(read_all(&s, &out), CLASSIFY_DONE);
	assert_true(out.retry && out.has_hello);
}

static void alerts(void **state)
{
	(void)state;
	struct tls_server out;
	struct stream hello = {.n = 0}, s = {.n = 0};
	put(&s, 7, 0x15030300020270);
	assert_int_equal(read_all(&s, &out), CLASSIFY_DONE);
	assert_true(out.has_alert && !out.has_hello);
	assert_int_equal(out.alert_level, 2);
	assert_int_equal(out.alert, 112);
	assert_int_equal(out.alert_offset, 0);
	assert_string_equal(tls_alert_name(out.alert), "unrecognized_name");
	assert_string_equal(tls_alert_name(255), "unknown");

	s.n = 0;
	put_hello(&hello, 0x0303, false);
	put_records(&s, &hello, 100);
	size_t at = s.n;
	put(&s, 7, 0x15030300020228);
	assert_int_equal(read_all(&s, &out), CLASSIFY_DONE);
	assert_true(out.has_alert && out.has_hello && out.alert == 40);
	assert_int_equal(out.alert_offset, at);
}

static void others(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t len;
		enum classify answer;
	} cases[] = {
		{"", 0, CLASSIFY_MORE},
		{"\x16", 1, CLASSIFY_MORE},
		{"\x16\x03\x03\x00\x04\x01", 6, CLASSIFY_MORE},
		{"\x16\x03\x03\x00\x04\x01\x00\x00\x00", 9, CLASSIFY_NEVER}, /* a client's */
		{"\x16\x02", 2, CLASSIFY_NEVER},
		{"\x17\x03\x03\x00\x04", 5, CLASSIFY_NEVER},
		{"\x16\x03\x03\xff\xff", 5, CLASSIFY_NEVER},
		{"\x16\x03\x03\x00\x00", 5, CLASSIFY_NEVER},
		{"\x15\x03\x03\x00\x03", 5, CLASSIFY_NEVER},
		{"\x15\x03\x03\x00\x02\x03", 6, CLASSIFY_NEVER},
		{"HTTP/1.1", 8, CLASSIFY_NEVER},
		/* A hello whose lengths contradict each other is read no further. */
		{"\x16\x03\x03\x00\x06\x02\x00\x00\x02\x03\x03", 11, CLASSIFY_DONE},
		/* Nothing of a handshake follows encryption. */
		{"\x16\x03\x03\x00\x04\x00\x00\x00\x00\x14\x03\x03\x00\x01\x01", 15, CLASSIFY_DONE},
	};
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct stream s = {.n = 0};
		struct tls_server out;
		uint32_t need;
		put_bytes(&s, cases[i].bytes, cases[i].len);
		print_message("case %u\n", i);
		assert_int_equal(read_exact(&s, s.n, &out, &need), cases[i].answer);
		assert_false(out.has_hello || out.has_alert || out.has_certificate);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificates), cmocka_unit_test(tls12), cmocka_unit_test(tls13),
		cmocka_unit_test(chains),	cmocka_unit_test(alerts), cmocka_unit_test(others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
