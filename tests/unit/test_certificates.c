/* SPDX-License-Identifier: BSD-3-Clause */

/* One key in the certificates of many names: a box's, or one owner's. */

#include <stdio.h>

#include "classifiers/app/tls_server.h"
#include "tests/unit/study_world.h"

#define MOST 4

struct shown {
	uint8_t key, client;
	const char *subject;
	uint8_t net; /* second byte of the server's IPv4 address */
};

static struct tls_server servers[MOST];

static void show(const struct shown *list)
{
	for (unsigned i = 0; i < MOST && list[i].subject != NULL; i++) {
		struct attempt *a = world_add(10.0 * i);
		servers[i] = (struct tls_server){.has_certificate = true, .spki = {list[i].key},
						 .issuer = "CN=box"};
		snprintf(servers[i].subject, sizeof(servers[i].subject), "%s", list[i].subject);
		a->trigger = TRIGGER_SNI;
		a->name = list[i].subject[0] != '\0' ? servers[i].subject : "none.example";
		a->tls_server = &servers[i];
		a->client.b[15] = list[i].client;
		a->server = (struct ip_addr){{[10] = 0xff, 0xff, 9, list[i].net, 1, 1}};
	}
}

static void one_owner_is_none(void **state)
{
	static const struct shown rows[][MOST] = {
		/* Each site its own key. */
		{{1, 1, "a.example", 1}, {2, 1, "b.example", 2}, {3, 1, "c.example", 3}},
		/* One network's, whatever its names. */
		{{1, 1, "a.example", 1}, {1, 1, "b.example", 1}, {1, 1, "c.example", 1}},
		/* One certificate everywhere. */
		{{1, 1, "a.example", 1}, {1, 1, "a.example", 2}, {1, 1, "a.example", 3}},
		/* Two sites. */
		{{1, 1, "a.example", 1}, {1, 1, "b.example", 2}, {2, 1, "c.example", 3}},
		/* No names. */
		{{1, 1, "", 1}, {1, 1, "", 2}, {1, 1, "", 3}},
		/* What other clients are shown. */
		{{1, 1, "a.example", 1}, {1, 1, "b.example", 2}, {1, 2, "c.example", 3}},
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		world_start(state);
		show(rows[i]);
		if (world_finds("one-key-for-names") != NULL)
			fail_msg("row %u", i);
		if (i + 1 < sizeof(rows) / sizeof(*rows))
			world_end(state);
	}
}

static void a_box_with_one_key_is_named(void **state)
{
	static const struct shown list[MOST] = {{1, 1, "a.example", 1}, {2, 1, "x.example", 9},
						{1, 1, "b.example", 2}, {1, 1, "c.example", 3}};
	(void)state;
	show(list);
	const struct finding *f = world_finds("one-key-for-names");
	assert_non_null(f);
	assert_int_equal(f->verdict, VERDICT_ANOMALY);
	assert_int_equal(f->family, FAMILY_TLS_INTERCEPTION);
	assert_int_equal(f->n_flows, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(one_owner_is_none),
		WORLD_TEST(a_box_with_one_key_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
