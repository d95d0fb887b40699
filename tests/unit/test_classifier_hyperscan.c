/* SPDX-License-Identifier: BSD-3-Clause */

/* The raw bytes of flows: openings in pieces, out of order, twice, cut, and without a beginning. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "classifiers/classifier_hyperscan.c"

static struct ruleset *set;
static struct shard shard;

struct run {
	struct flow f;
	struct progress p;
	struct app_facts facts;
	enum classify last;
};

static const uint32_t isn = 0xfffffffa; /* the openings cross 2^32 */

static void start(struct run *r)
{
	*r = (struct run){.f = {.syn_seen = {true, true}, .isn = {isn, isn}}};
}

static void segment(struct run *r, enum dir dir, uint32_t offset, const char *text, size_t len,
		    uint16_t flags)
{
	struct headers h = {.proto = IPPROTO_TCP, .seq = isn + 1 + offset, .flags = flags,
			    .payload = (const uint8_t *)text, .payload_len = (uint32_t)len,
			    .payload_caplen = (uint32_t)len};
	struct label none = {0};
	r->last = packet(&shard, &r->p, &r->f, dir, NULL, &h, &r->facts, &none);
}

static void datagram(struct run *r, enum dir dir, const char *text, size_t len, size_t caplen)
{
	struct headers h = {.proto = IPPROTO_UDP, .payload = (const uint8_t *)text,
			    .payload_len = (uint32_t)len, .payload_caplen = (uint32_t)caplen};
	struct label none = {0};
	r->last = packet(&shard, &r->p, &r->f, dir, NULL, &h, &r->facts, &none);
}

/* Ends the flow; the ids that it hit. */
static const char *hits(struct run *r)
{
	static char text[256];
	text[0] = '\0';
	for (unsigned i = 0; r->facts.rules != NULL && i < r->facts.rules->n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
			 i != 0 ? " " : "", r->facts.rules->hit[i]->id);
	struct label none = {0};
	flow_end(&shard, &r->p, &r->f, &r->facts, &none);
	free(r->facts.rules);
	r->facts.rules = NULL;
	return text;
}

#define S(text) text, sizeof(text) - 1

static void openings(void **state)
{
	(void)state;
	struct run r;
	start(&r);
	segment(&r, DIR_C2S, 0, S("SSH-2.0-x\r\n"), 0);
	segment(&r, DIR_S2C, 0, S("SSH-2.0-y\r\n"), 0);
	assert_int_equal(r.last, CLASSIFY_MORE);
	assert_string_equal(hits(&r), "ssh ssh-server");
	/* In pieces; again; with new bytes behind old ones; ahead of a hole and sent again. */
	start(&r);
	segment(&r, DIR_C2S, 0, S("SS"), 0);
	segment(&r, DIR_C2S, 0, S("SS"), 0);
	segment(&r, DIR_C2S, 4, S("2.0-x"), 0);
	segment(&r, DIR_C2S, 1, S("SH-"), 0);
	assert_string_equal(hits(&r), "");
	start(&r);
	segment(&r, DIR_C2S, 0, S("SS"), 0);
	segment(&r, DIR_C2S, 4, S("2.0-x"), 0);
	segment(&r, DIR_C2S, 1, S("SH-"), 0);
	segment(&r, DIR_C2S, 4, S("2.0-x"), 0);
	assert_string_equal(hits(&r), "ssh");
	/* With the SYN (TCP Fast Open); the SYN's own number comes first. */
	start(&r);
	segment(&r, DIR_C2S, (uint32_t)-1, S("SSH-2.0-x"), TCP_SYN);
	assert_string_equal(hits(&r), "ssh");
}

static void look_alikes(void **state)
{
	(void)state;
	struct run r;
	/* Not the first bytes; not captured from the first; a reset's text; the wrong direction. */
	start(&r);
	segment(&r, DIR_C2S, 0, S("GET / HTTP/1.1\r\n\r\n"), 0);
	segment(&r, DIR_C2S, 18, S("SSH-2.0-x"), 0);
	assert_string_equal(hits(&r), "");
	start(&r);
	r.f.syn_seen[DIR_C2S] = false;
	segment(&r, DIR_C2S, 0, S("SSH-2.0-x"), 0);
	assert_string_equal(hits(&r), "");
	start(&r);
	segment(&r, DIR_C2S, 0, S("SSH-2.0-x"), TCP_RST);
	assert_string_equal(hits(&r), "");
	start(&r);
	segment(&r, DIR_S2C, 0, S("\x13" "BitTorrent protocol"), 0);
	assert_string_equal(hits(&r), "");
	/* Cut by the capture: what follows is not what followed. */
	start(&r);
	struct headers h = {.proto = IPPROTO_TCP, .seq = isn + 1, .payload = (const uint8_t *)"SSH",
			    .payload_len = 100, .payload_caplen = 3};
	struct label none = {0};
	packet(&shard, &r.p, &r.f, DIR_C2S, NULL, &h, &r.facts, &none);
	segment(&r, DIR_C2S, 3, S("-2.0-x"), 0);
	segment(&r, DIR_C2S, 100, S("-2.0-x"), 0);
	assert_true(r.p.over[DIR_C2S]);
	assert_string_equal(hits(&r), "");
}

static void ends(void **state)
{
	(void)state;
	static char block[MATCHER_STREAM_LIMIT];
	struct run r;
	start(&r);
	memset(block, 'x', sizeof(block));
	segment(&r, DIR_C2S, 0, block, sizeof(block), 0);
	assert_int_equal(r.last, CLASSIFY_MORE);
	assert_true(r.p.over[DIR_C2S]);
	assert_null(r.p.stream[DIR_C2S]);
	segment(&r, DIR_S2C, 0, block, sizeof(block) - 1, 0);
	assert_int_equal(r.last, CLASSIFY_MORE);
	segment(&r, DIR_S2C, sizeof(block) - 1, block, 1, 0);
	assert_int_equal(r.last, CLASSIFY_DONE);
	assert_string_equal(hits(&r), "");
	start(&r);
	for (unsigned i = 0; i < DATAGRAMS; i++) {
		datagram(&r, DIR_C2S, S("x"), 1);
		assert_int_equal(r.last, CLASSIFY_MORE);
		datagram(&r, DIR_S2C, S("x"), 1);
	}
	assert_int_equal(r.last, CLASSIFY_DONE);
	datagram(&r, DIR_C2S, S("d1:ad2:id20:"), 12);
	assert_string_equal(hits(&r), "");
}

/* The first byte ends the client's direction; the server's goes on unless others read the flow. */
static void ends_early(void **state)
{
	(void)state;
	struct run r;
	static const char spam[] = "220 hello\r\n550 Mail was identified as spam.\r\n";
	start(&r);
	segment(&r, DIR_C2S, 0, S("E"), 0);
	assert_true(r.p.over[DIR_C2S]);
	segment(&r, DIR_S2C, 0, spam, sizeof(spam) - 1, 0);
	assert_int_equal(r.last, CLASSIFY_MORE);
	assert_string_equal(hits(&r), "smtp-550-spam");
	/* Out of order: the byte ahead is not the first. */
	start(&r);
	segment(&r, DIR_C2S, 1, S("SH-2.0-x"), 0);
	assert_false(r.p.over[DIR_C2S]);
	segment(&r, DIR_C2S, 0, S("SSH-2.0-x and whatever follows"), 0);
	assert_true(r.p.over[DIR_C2S]);
	assert_string_equal(hits(&r), "ssh");
	/* Known to be TLS: nothing but openings is looked for. */
	start(&r);
	static char block;
	r.facts.tls = (void *)&block;
	segment(&r, DIR_C2S, 0, S("\x16\x03\x01"), 0);
	segment(&r, DIR_S2C, 0, spam, sizeof(spam) - 1, 0);
	assert_int_equal(r.last, CLASSIFY_DONE);
	assert_string_equal(hits(&r), "");
	start(&r);
	r.facts.tls = (void *)&block;
	segment(&r, DIR_S2C, 0, S("SSH-2.0-y\r\n"), 0);
	assert_true(r.p.over[DIR_S2C]);
	assert_string_equal(hits(&r), "ssh-server");
}

static void datagrams(void **state)
{
	(void)state;
	char wireguard[148] = {1}, response[92] = {2};
	struct run r;
	start(&r);
	datagram(&r, DIR_C2S, wireguard, 148, 148);
	datagram(&r, DIR_S2C, response, 92, 92);
	assert_string_equal(hits(&r), "wireguard-initiation wireguard-response");
	start(&r);
	datagram(&r, DIR_C2S, wireguard, 147, 147);
	datagram(&r, DIR_C2S, wireguard, 148, 92); /* cut: not the message */
	assert_string_equal(hits(&r), "");
	wireguard[1] = 1;
	start(&r);
	datagram(&r, DIR_C2S, wireguard, 148, 148);
	assert_string_equal(hits(&r), "");
}

static int setup(void **state)
{
	(void)state;
	static struct matcher *m;
	struct analysis_config cfg = {.no_ndpi = true};
	if (shard_open(&shard, &cfg) != -ENOENT || ruleset_new(&set) != 0 ||
	    ruleset_builtin(set) != 0 || ruleset_seal(set) != 0 ||
	    matcher_new(&m, set, &(struct matcher_config){.cache_dir = NULL}) != 0)
		return -1;
	cfg.matcher = m;
	return shard_open(&shard, &cfg);
}

static int teardown(void **state)
{
	(void)state;
	struct matcher *m = shard.m;
	shard_close(&shard);
	matcher_free(m);
	ruleset_free(set);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(openings), cmocka_unit_test(look_alikes),
		cmocka_unit_test(ends),	    cmocka_unit_test(ends_early),
		cmocka_unit_test(datagrams),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
