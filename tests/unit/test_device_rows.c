/* SPDX-License-Identifier: BSD-3-Clause */

/* Every device's packets, and beside each a packet one constant off. */

#include "classifiers/device/device.c"

#include "classifiers/tamper/signature.h"
#include "tests/unit/device_build.h"

struct forged {
	unsigned flags;
	uint16_t id, window;
	uint8_t ttl;
	bool df;
	const char *payload;
	uint16_t len;
	uint32_t ahead;  /* of the receiver's next */
	bool zero_seq, options;
};

struct device_case {
	const char *name, *id; /* id NULL: nothing may be attributed */
	enum attribution_grade grade;
	int hops;
	unsigned packets;
	struct forged f[4]; /* until flags are 0 */
	bool ipv6, to_server;
};

#define RST_AE_RE (TCP_RST | TCP_AE | TCP_RESERVED)
#define RA (TCP_RST | TCP_ACK)
#define FA (TCP_FIN | TCP_ACK)
static const char ten[] = "\1\2\3\4\5\6\7\10\11";
static const char zeros[24];
static const char page[] = "HTTP/1.1 307 Temporary Redirect\r\n\r\n";

static const struct device_case cases[] = {
	{.name = "one RST with AE and reserved bits", .id = "pk-rst", .grade = ATTRIBUTION_A2,
	 .hops = -1, .packets = 1, .f = {{RST_AE_RE, 0x5b59, 65535, 40}}},
	{.name = "with DF", .f = {{RST_AE_RE, 0x5b59, 65535, 40, true}}},
	{.name = "two of them", .f = {{RST_AE_RE, 1, 65535, 40}, {RST_AE_RE, 2, 65535, 40}}},
	{.name = "AE alone, with ACK", .f = {{RA | TCP_AE, 0x5b59, 65535, 40}}},
	{.name = "over IPv6", .ipv6 = true, .f = {{RST_AE_RE, 0, 65535, 40}}},
	{.name = "ten counted bytes", .id = "gfw-henan", .grade = ATTRIBUTION_A2, .hops = -1,
	 .packets = 1, .f = {{RA, 1, 0, 58, false, ten, 10}}},
	{.name = "nine", .f = {{RA, 1, 0, 58, false, ten, 9}}},
	{.name = "another IP-ID", .f = {{RA, 2, 0, 58, false, ten, 10}}},
	{.name = "ten, with DF", .f = {{RA, 1, 0, 58, true, ten, 10}}},
	{.name = "ten, without ACK", .f = {{TCP_RST, 1, 0, 58, false, ten, 10}}},
	{.name = "ten, to the server", .to_server = true, .f = {{RA, 1, 0, 58, false, ten, 10}}},
	{.name = "22 zero bytes", .id = "tajikistan", .grade = ATTRIBUTION_A2, .hops = -1,
	 .packets = 1, .f = {{RA, 5, 0, 58, true, zeros, 22}}},
	{.name = "23", .f = {{RA, 5, 0, 58, true, zeros, 23}}},
	{.name = "22, not all zero", .f = {{RA, 5, 0, 58, true, page, 22}}},
	{.name = "IP-ID 30000 and seq 0", .id = "turkmenistan", .grade = ATTRIBUTION_A2, .hops = 9,
	 .packets = 1, .f = {{TCP_RST, 30000, 0, 119, .zero_seq = true}}},
	{.name = "another seq", .f = {{TCP_RST, 30000, 0, 119}}},
	{.name = "IP-ID 30001", .f = {{TCP_RST, 30001, 0, 119, .zero_seq = true}}},
	{.name = "TTL from 64", .f = {{TCP_RST, 30000, 0, 60, .zero_seq = true}}},
	{.name = "a window", .f = {{TCP_RST, 30000, 1, 119, .zero_seq = true}}},
	{.name = "three identical", .id = "gfw-2", .grade = ATTRIBUTION_A1, .hops = -1, .packets = 3,
	 .f = {{RA, 0xcec8, 1044, 71, true}, {RA, 0xcec8, 1044, 71, true},
	       {RA, 0xcec8, 1044, 71, true}}},
	{.name = "two identical",
	 .f = {{RA, 0xcec8, 1044, 71, true}, {RA, 0xcec8, 1044, 71, true}}},
	{.name = "three without DF",
	 .f = {{RA, 0xcec8, 1044, 71}, {RA, 0xcec8, 1044, 71}, {RA, 0xcec8, 1044, 71}}},
	{.name = "12503 apart", .id = "sandvine-2008", .grade = ATTRIBUTION_A2, .hops = -1,
	 .packets = 2, .f = {{TCP_RST, 4, 10240, 21}, {TCP_RST, 6, 10240, 21, .ahead = 12503}}},
	{.name = "12502 apart",
	 .f = {{TCP_RST, 4, 10240, 21}, {TCP_RST, 6, 10240, 21, .ahead = 12502}}},
	{.name = "four constants on a page, and its ACK", .id = "sandvine-packetlogic",
	 .grade = ATTRIBUTION_A3, .hops = -1, .packets = 2,
	 .f = {{FA, 0x3412, 32120, 48, false, page, 35}, {TCP_ACK, 0x3412, 32120, 48}}},
	{.name = "four constants on a RST+ACK", .id = "sandvine-packetlogic",
	 .grade = ATTRIBUTION_A3, .hops = -1, .packets = 1, .f = {{RA, 0x3412, 32120, 234}}},
	{.name = "three: DF", .id = "sandvine-packetlogic", .grade = ATTRIBUTION_A2, .hops = -1,
	 .packets = 1, .f = {{RA, 0x3412, 32120, 48, true}}},
	{.name = "three: IP-ID", .id = "sandvine-packetlogic", .grade = ATTRIBUTION_A2, .hops = -1,
	 .packets = 1, .f = {{RA, 0x3413, 32120, 48}}},
	{.name = "three: window", .id = "sandvine-packetlogic", .grade = ATTRIBUTION_A2, .hops = -1,
	 .packets = 1, .f = {{RA, 0x3412, 32121, 48}}},
	{.name = "three: options", .id = "sandvine-packetlogic", .grade = ATTRIBUTION_A2,
	 .hops = -1, .packets = 1, .f = {{RA, 0x3412, 32120, 48, .options = true}}},
	{.name = "two", .f = {{RA, 0x3413, 32121, 48}}},
	{.name = "IP-ID alone", .f = {{RA, 0x3412, 0, 48, true}}},
	{.name = "TTL and window in step", .id = "ttl-window-lockstep", .grade = ATTRIBUTION_A2,
	 .hops = -1, .packets = 3,
	 .f = {{RA, 70, 1980, 70, true}, {RA, 900, 1987, 77, true}, {RA, 31, 1994, 84, true}}},
	{.name = "a step off",
	 .f = {{RA, 70, 1980, 70, true}, {RA, 900, 1987, 77, true}, {RA, 31, 1994, 85, true}}},
	{.name = "an honest reset", .f = {{RA, 0, 0, 48, true}}},
	{.name = "an honest bare reset", .f = {{TCP_RST, 0, 0, 48, true}}},
};

static void build_case(struct build *b, const struct device_case *c, uint32_t isn_c, uint32_t isn_s)
{
	start(b, c->ipv6, isn_c, isn_s);
	for (unsigned i = 0; i < 4 && c->f[i].flags != 0; i++) {
		const struct forged *f = &c->f[i];
		struct event *e = forge(b, f->flags, f->id, f->window, f->ttl, f->df);
		e->ts_ns += i * 200000;
		e->seq = f->zero_seq ? 0 : e->seq + f->ahead;
		if (f->len != 0)
			payload(e, f->payload, f->len);
		if (f->options)
			e->bits |= EVENT_OPTIONS;
		if (c->to_server)
			e->bits &= (uint8_t)~EVENT_S2C;
	}
}

static void each_case(void **state)
{
	static const uint32_t isns[][2] = {{ISN_C, ISN_S}, {0xffffffff, 0xffffff00}};
	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (unsigned k = 0; k < 2; k++) {
			const struct device_case *c = &cases[i];
			struct build b;
			struct view v;
			uint16_t events[EVENTS_MAX];
			struct arena a = {NULL};
			struct finding f = {.verdict = VERDICT_LIKELY};
			build_case(&b, c, isns[k][0], isns[k][1]);
			struct suspects s =
				accuse(&b, &v, events, c->to_server ? DIR_C2S : DIR_S2C);
			assert_int_equal(attribute(&a, &v, &s, &f), 0);
			if (c->id == NULL && f.n_devices != 0)
				fail_msg("%s: %s", c->name, f.devices[0].id);
			if (c->id != NULL && (f.n_devices != 1 || strcmp(f.devices[0].id, c->id) != 0))
				fail_msg("%s: not %s", c->name, c->id);
			if (c->id != NULL) {
				assert_int_equal(f.devices[0].grade, c->grade);
				assert_int_equal(f.devices[0].hops, c->hops);
				assert_int_equal(f.devices[0].n_packets, c->packets);
				assert_int_equal(f.devices[0].packets[0], 5);
				assert_true(f.devices[0].mbx[0] != '\0');
			}
			assert_true(f.n_injectors != 0);
			arena_free(&a);
		}
	}
}

static const char *device_of_page(const char *text, size_t len, enum attribution_grade *grade)
{
	static struct finding f;
	struct build b;
	struct view v;
	uint16_t events[EVENTS_MAX];
	struct arena a = {NULL};
	struct page *p = malloc(sizeof(*p) + len);
	assert_non_null(p);
	memcpy(p->bytes, text, len);
	p->len = (uint16_t)len;
	p->frame = 5;
	start(&b, false, ISN_C, ISN_S);
	b.ev.more = &b.more;
	b.more.page = p;
	forge(&b, FA, 0x4c57, 16384, 83, false)->len = (uint16_t)len;
	struct suspects s = accuse(&b, &v, events, DIR_S2C);
	f = (struct finding){.verdict = VERDICT_ANOMALY};
	assert_int_equal(attribute(&a, &v, &s, &f), 0);
	const char *id = f.n_devices != 0 ? f.devices[0].id : "";
	*grade = f.n_devices != 0 ? f.devices[0].grade : 0;
	arena_free(&a);
	free(p);
	return id;
}

static void pages(void **state)
{
	static const struct {
		const char *text, *id;
		enum attribution_grade grade;
	} rows[] = {
		{"<iframe src=\"http://10.10.34.34?type=x\">", "iran-http", ATTRIBUTION_A2},
		{"<iframe src=\"http://10.10.34.36\"", "iran-http", ATTRIBUTION_A2},
		{"Location: http://10.10.34.35/\r\n", "iran-http", ATTRIBUTION_A1},
		{"http://10.10.34.34", "iran-http", ATTRIBUTION_A1},
		{"<iframe src=\"http://10.10.34.37/\">", "", 0},
		{"<iframe src=\"http://10.10.34.345/\">", "", 0},
		{"<iframe src=\"http://110.10.34.34/\">", "", 0},
		{"<iframe src=\"http://10.10.35.34/\">", "", 0},
		{"http://10.10.34.3", "", 0},
		{"content prohibited for viewership from within Pakistan.", "pk-page", ATTRIBUTION_A2},
		{"prohibited for viewership from within Pakista", "", 0},
		{"", "", 0},
	};
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		enum attribution_grade grade;
		const char *id = device_of_page(rows[i].text, strlen(rows[i].text), &grade);
		assert_string_equal(id, rows[i].id);
		assert_int_equal(grade, rows[i].grade);
	}
}

/* Several devices on one flow: the best first, each with its own packets. */
static void two_devices(void **state)
{
	struct build b;
	struct view v;
	uint16_t events[EVENTS_MAX];
	struct arena a = {NULL};
	struct finding f = {.verdict = VERDICT_CONFIRMED};
	(void)state;
	start(&b, false, ISN_C, ISN_S);
	for (unsigned i = 0; i < 3; i++)
		forge(&b, RA, 0xcec8, 1044, 71, true);
	forge(&b, RA, 0x3412, 32120, 50, false);
	struct suspects s = accuse(&b, &v, events, DIR_S2C);
	assert_int_equal(attribute(&a, &v, &s, &f), 0);
	assert_int_equal(f.n_devices, 2);
	assert_string_equal(f.devices[0].id, "sandvine-packetlogic");
	assert_int_equal(f.devices[0].n_packets, 1);
	assert_int_equal(f.devices[0].packets[0], 8);
	assert_string_equal(f.devices[1].id, "gfw-2");
	assert_int_equal(f.devices[1].n_packets, 3);
	assert_int_equal(f.n_injectors, 2);
	arena_free(&a);
	/* What is only mentioned is not called injected. */
	f = (struct finding){.verdict = VERDICT_INCONCLUSIVE};
	assert_int_equal(attribute(&a, &v, &s, &f), 0);
	assert_int_equal(f.n_injectors, 0);
	arena_free(&a);
}

static void table_is_whole(void **state)
{
	static const char *const ids[] = {"tsg-lineage", "sandvine-packetlogic", "pk-rst",
					  "gfw-henan", "tajikistan", "turkmenistan",
					  "sandvine-2008", "ttl-window-lockstep", "iran-http",
					  "pk-page", "gfw-2", "iran-dns"};
	unsigned attributed = 0, found = 0;
	(void)state;
	for (unsigned t = 0; device_table[t] != NULL; t++)
		for (const struct device *d = device_table[t]; d->id != NULL; d++) {
			assert_non_null(d->doc);
			assert_non_null(d->source);
			assert_in_range(d->grade, ATTRIBUTION_A1, ATTRIBUTION_A3);
			assert_int_equal(d->attributed, d->match != NULL);
			attributed += d->attributed;
			for (unsigned i = 0; i < sizeof(ids) / sizeof(*ids); i++)
				found += d->attributed && strcmp(d->id, ids[i]) == 0;
		}
	assert_int_equal(attributed, sizeof(ids) / sizeof(*ids));
	assert_int_equal(found, attributed);
}

/* Only what is graded D4 is testimony, and an honest counter passing by is not. */
enum honest { HONEST_OTHER, HONEST_COUNTER, HONEST_WINDOW };

static unsigned heard(const struct device_case *c, enum honest server)
{
	extern const struct signature sig_device[];
	struct build b;
	struct view v;
	uint16_t events[EVENTS_MAX];
	unsigned n = 0;
	build_case(&b, c, ISN_C, ISN_S);
	if (server == HONEST_COUNTER)
		b.e[1].ip_id = 0x3411;
	if (server == HONEST_WINDOW)
		b.e[1].window = 32120;
	accuse(&b, &v, events, DIR_S2C);
	for (const struct signature *sig = sig_device; sig->id != NULL; sig++) {
		struct testimony t = {0};
		bool said = sig->match(&v, sig, &t);
		assert_true(!said || (t.grade == GRADE_D4 && t.n_suspects != 0));
		n += said;
	}
	return n;
}

static void testimony(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct device_case *c = &cases[i];
		if (c->to_server)
			continue;
		bool all_four = c->id != NULL && c->grade == ATTRIBUTION_A3;
		bool step = c->id != NULL && strcmp(c->id, "ttl-window-lockstep") == 0;
		if (heard(c, HONEST_OTHER) != (unsigned)(all_four + step))
			fail_msg("%s: testimony", c->name);
		assert_int_equal(heard(c, HONEST_COUNTER), step);
		assert_int_equal(heard(c, HONEST_WINDOW), step);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_case),	cmocka_unit_test(pages),
		cmocka_unit_test(two_devices),	cmocka_unit_test(table_is_whole),
		cmocka_unit_test(testimony),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
