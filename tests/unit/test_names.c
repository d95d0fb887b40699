/* SPDX-License-Identifier: BSD-3-Clause */

/* Names under pseudonyms, and text that quotes them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "tools/privacy/names.c"
#include "tools/privacy/quotes.c"
#include "tools/privacy/text.h"

static const uint8_t report_key[NAMES_KEY] = {1, 2, 3};
static struct names_key key;

static int make_key(void **state)
{
	(void)state;
	return names_key_make(&key, report_key, sizeof(report_key));
}

static int forget_key(void **state)
{
	(void)state;
	names_key_forget(&key);
	return 0;
}

static const char *host(const char *name)
{
	static char out[32][PSEUDONYM_SIZE];
	static unsigned turn;
	char *to = out[turn++ % 32];
	size_t n = name_of_host(&key, name, strlen(name), to);
	assert_int_equal(n, strlen(to));
	return to;
}

/* By hand: HMAC-SHA256 of both steps and base32 by Python's hmac and base64. */
static void test_vectors(void **state)
{
	(void)state;
	char out[PSEUDONYM_SIZE];
	assert_string_equal(host("www.blocked.example"), "name-v7arnhze7p.name-o7x4nfgnkc.example");
	name_of_path(&key, "/a/page?q=1", 11, out);
	assert_string_equal(out, "/path-hi2gmaivhw");
	name_of_text(&key, "Access denied", 13, out);
	assert_string_equal(out, "text-n7m3rmwacm");
}

static void test_shapes(void **state)
{
	(void)state;
	const char *domain = host("blocked.example"), *www = host("www.blocked.example");
	assert_true(strstr(www, domain) == www + strlen(www) - strlen(domain));
	assert_string_equal(host("BLOCKED.Example"), domain);
	assert_string_not_equal(host("blocked.test"), domain);
	assert_true(strncmp(host("blocked.example."), domain, strlen(domain)) == 0);
	assert_string_equal(host("blocked.example.") + strlen(domain), ".");
	assert_string_equal(host("blocked.example:8080") + strlen(domain), ":8080");
	assert_null(strchr(host("localhost"), '.'));
	assert_string_equal(host(""), "");
	/* What is no name is kept: addresses are somebody else's business. */
	static const char *const kept[] = {"192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:443"};
	for (size_t i = 0; i < 4; i++)
		assert_string_equal(host(kept[i]), kept[i]);
	/* Not quite one of these. */
	assert_string_not_equal(host("192.0.2.256"), "192.0.2.256");
	assert_string_not_equal(host("1:2"), "1:2");
}

/* Any bytes, of any length, give a pseudonym that fits, and a pseudonym stays what it is. */
static void test_bounds(void **state)
{
	(void)state;
	char name[600], out[PSEUDONYM_SIZE], again[PSEUDONYM_SIZE];
	static const char fills[] = {'a', '.', ':', '/', '\0', (char)0xff, '7', '[', ']', '-'};
	size_t (*const fns[])(const struct names_key *, const char *, size_t, char *) = {
		name_of_host, name_of_path, name_of_url, name_of_text};
	for (size_t len = 0; len <= sizeof(name); len += len < 300 ? 1 : 75) {
		for (size_t f = 0; f < sizeof(fills); f++) {
			memset(name, fills[f], sizeof(name));
			for (size_t i = f; i < sizeof(name); i += f + 2)
				name[i] = '.';
			for (size_t k = 0; k < 4; k++) {
				size_t n = fns[k](&key, name, len, out);
				assert_true(n < sizeof(out) && out[n] == '\0');
				assert_int_equal(fns[k](&key, out, n, again), n);
				assert_memory_equal(out, again, n);
			}
		}
	}
}

static void test_many_labels(void **state)
{
	(void)state;
	const char *many = host("a.b.c.d.e.f.g.h.i.j.k.l.m.n.o");
	const char *other = host("z.b.c.d.e.f.g.h.i.j.k.l.m.n.o");
	unsigned dots = 0;
	for (const char *p = many; *p != '\0'; p++)
		dots += *p == '.';
	assert_int_equal(dots, NAMES_LABELS - 1);
	assert_string_not_equal(many, other);
	assert_string_equal(strchr(many, '.'), strchr(other, '.'));
}

static void test_urls(void **state)
{
	(void)state;
	char out[PSEUDONYM_SIZE], want[2 * PSEUDONYM_SIZE + 8], path[PSEUDONYM_SIZE];
	static const char url[] = "http://blocked.example:81/page?u=x";
	name_of_path(&key, "/page?u=x", 9, path);
	snprintf(want, sizeof(want), "http://%s%s", host("blocked.example:81"), path);
	name_of_url(&key, url, sizeof(url) - 1, out);
	assert_string_equal(out, want);
	name_of_url(&key, "http://10.10.34.34/", 19, out);
	assert_string_equal(out, "http://10.10.34.34/");
	name_of_url(&key, "//cdn.example/x", 15, out);
	assert_true(strncmp(out, "//name-", 7) == 0);
	name_of_url(&key, "secret-scheme://h.example", 25, out);
	assert_null(strstr(out, "secret"));
}

/* The text as it may be published where that name is a connection's. */
static void publish(const char *name, const char *text, char *buf, size_t size)
{
	static struct quotes q;
	q = (struct quotes){.names = &key};
	snprintf(buf, size, "%s", text);
	quotes_know_string(&q, name, name_of_host);
	quotes_hide(&q, buf, size);
}

static void text_is(const char *name, const char *text, const char *want)
{
	char buf[256];
	publish(name, text, buf, sizeof(buf));
	assert_string_equal(buf, want);
}

static void text_has_no(const char *name, const char *text, const char *secret)
{
	char buf[128];
	publish(name, text, buf, sizeof(buf));
	assert_null(strstr(buf, secret));
}

static void test_text(void **state)
{
	(void)state;
	char want[256], name[201];
	const char *as = host("blocked.example");
	snprintf(want, sizeof(want), "SNI %s, yet (%s) went", as, as);
	text_is("blocked.example", "SNI blocked.example, yet (Blocked.Example) went", want);
	/* Not known of the connection, and yet a name; with what is behind it. */
	snprintf(want, sizeof(want), "redirect to %s.", host("other.test"));
	text_is("blocked.example", "redirect to other.test.", want);
	text_has_no("blocked.example", "an iframe of http://other.test/secret?page", "secret");
	/* Numbers, addresses and words are none. */
	static const char *const plain[] = {"12.4 ms after frame 23, e.g. 40.6", "TTL 63; 192.0.2.1:443",
					    "mbx1_004x1_64_0_1_0_0_a0_0"};
	for (size_t i = 0; i < 3; i++)
		text_is("blocked.example", plain[i], plain[i]);
	/* Quotes that break off. */
	text_has_no("very-long-name.example", "ClientHello sni=very-long-na", "very");
	text_has_no("very-long-name.example", "SNI very-long-na... was reset", "very");
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	memset(want, 'x', 120);
	snprintf(want + 120, sizeof(want) - 120, " were reset");
	text_has_no(name, want, "xxx");
	/* Spelt out, without a dot, and bytes that end nothing. */
	text_has_no("a\x01" "b", "SNI a\\x01b was", "x01");
	text_has_no("intranet", "request host=intranet", "intranet");
	/* As certificates are quoted over connections, a mark for each byte that is not printable. */
	text_has_no("Fo\xc3\x96 Blocked", "showed certificates of Fo?? Blocked (3) and", "Blocked");
	text_is("Fo\xc3\x96 Blocked", "did Fo, Fo? or Blocked?", "did Fo, Fo? or Blocked?");
	/* Names that read as the words around them, or as their own beginning. */
	text_has_no("SNI ", "with SNI SNI\\x20, yet", "x20");
	text_has_no("name-\xe8-name-", "sni=name-\xe8-name-", "\xe8");
}

/* Whatever fits of what goes there and of what was behind it, in that order. */
static void test_room(void **state)
{
	(void)state;
	static const char *const as[] = {"", "x", "name-0", "longer than all"};
	for (size_t room = 7; room < 24; room++)
		for (unsigned i = 0; i < 4; i++) {
			char text[24] = "to a.b", want[48];
			snprintf(want, sizeof(want), "to %s%s", as[i], i % 2 == 0 ? "b" : ".b");
			want[room - 1] = '\0';
			text_replace(text, room, text + 3, i % 2 == 0 ? 2 : 1, as[i]);
			assert_string_equal(text, want);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors), cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_bounds),	cmocka_unit_test(test_many_labels),
		cmocka_unit_test(test_urls),	cmocka_unit_test(test_text),
		cmocka_unit_test(test_room),
	};
	return cmocka_run_group_tests(tests, make_key, forget_key);
}
