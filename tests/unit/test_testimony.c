/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A model made by hand becomes bytes and comes back as it was; no member of what is kept was
 * forgotten; bytes of a stranger are read to their first fault and no further; a sealed file is
 * one that nobody changed.
 */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tools/privacy/seal.c"
#include "tools/testimony/shapes.c"
#include "tools/testimony/wire.c"

#include "tests/unit/report_model.h"

extern const struct report report_jsonl, report_text;

struct store {
	uint8_t bytes[WIRE_BLOCK];
	size_t n, at;
};

static int put(void *user, uint8_t *block, size_t *n)
{
	struct store *s = user;
	assert_true(*n <= sizeof(s->bytes) - s->n);
	memcpy(s->bytes + s->n, block, *n);
	s->n += *n;
	return 0;
}

/* In pieces, so that numbers and texts lie over two blocks. */
static int take(void *user, uint8_t *block, size_t *n)
{
	struct store *s = user;
	size_t some = s->n - s->at < 7 ? s->n - s->at : 7;
	memcpy(block, s->bytes + s->at, some);
	s->at += some;
	*n = some;
	return 0;
}

static struct wire *wire_new(bool reading, struct store *s, struct arena *a)
{
	struct wire *w = calloc(1, sizeof(*w));
	assert_non_null(w);
	w->reading = reading;
	w->turn = reading ? take : put;
	w->user = s;
	w->arena = a;
	w->left = s->n;
	return w;
}

static int wire_close(struct wire *w)
{
	int err = wire_end(w);
	wire_free(w);
	free(w);
	return err;
}

static void write_model(struct store *s, struct judged_capture *j)
{
	s->n = s->at = 0;
	struct wire *w = wire_new(false, s, NULL);
	wire_walk(w, &shape_judged_capture, j);
	assert_int_equal(wire_close(w), 0);
}

static int read_model(struct store *s, struct arena *a, struct judged_capture *j)
{
	s->at = 0;
	memset(j, 0, sizeof(*j));
	struct wire *w = wire_new(true, s, a);
	wire_walk(w, &shape_judged_capture, j);
	return wire_close(w);
}

static struct capture_digest digest = {.sha256 = "ab", .size = 7};
static struct goodput *bins;
static struct rate_facts rate = {.form = RATE_POLICED, .rate_bps = 1e6, .loss = 0.25};
static struct attempt attempts[2];
static struct injector box = {.mbx = "mbx1_x", .packets = frames_a, .n_packets = 3,
			      .packet_files = (uint32_t[]){0, 0, 1}};
static struct device_match device = {.id = "tsg-lineage", .grade = ATTRIBUTION_A3, .mbx = "", .hops = -1,
				     .packets = frames_a, .n_packets = 3,
				     .packet_files = (uint32_t[]){0, 0, 1}};

static struct judged_capture make_capture(void)
{
	bins = calloc(1, sizeof(*bins) + 3 * sizeof(uint32_t));
	assert_non_null(bins);
	bins->bin_ns = 1000000;
	bins->n = 3;
	bins->bytes[0] = 1;
	bins->bytes[2] = UINT32_MAX;
	flow_a.goodput = bins;
	flow_labels[1].by = "vpn";
	flow_a.page = NULL;
	rows_a[2].grade = GRADE_D1;
	finding_a.page = NULL;
	finding_a.rate = &rate;
	finding_a.injectors = &box;
	finding_a.n_injectors = 1;
	finding_a.devices = &device;
	finding_a.n_devices = 1;
	finding_b.summary = finding_b.refs = "";
	finding_b.conditional = "untested";
	finding_b.score = -0.5;
	finding_a.packet_files = box.packet_files;
	captures[0].digests = &digest;
	attempts[0] = (struct attempt){.flow_id = flow_a.id, .name = "name", .ja4 = "", .flow = &flow_a,
				       .finding = &finding_a, .goodput = bins, .first_len = 1428,
				       .words = WORDS_ENCRYPTED, .muted = true};
	attempts[1] = (struct attempt){.flow_id = flow_b.id, .name = "name", .ja4 = "x",
				       .tls_server = &tls_answer, .flow = &flow_b, .rate = &rate};
	return (struct judged_capture){.result = captures[0], .flows = flows, .n_flows = 3,
				       .findings = findings, .n_findings = 2,
				       .attempts = attempts, .n_attempts = 2};
}

/* Both reports of a capture: whatever is said of it is in one of them. */
static void report_of(const struct judged_capture *j, char *out[2])
{
	struct capture_result result = j->result;
	model = (struct analysis){.captures = &result, .n_captures = 1, .flows = j->flows,
				  .n_flows = (size_t)j->n_flows, .all_flows = true,
				  .findings = j->findings, .n_findings = (size_t)j->n_findings};
	for (unsigned i = 0; i < 3; i++)
		j->flows[i]->capture = 0;
	for (unsigned i = 0; i < 2; i++)
		j->findings[i]->number = i + 1;
	out[0] = written(&report_jsonl);
	out[1] = written(&report_text);
}

static void test_there_and_back(void **state)
{
	(void)state;
	struct judged_capture j = make_capture(), back;
	static struct store first, second;
	struct arena a = {.chunks = NULL};
	char *was[2], *is[2];

	write_model(&first, &j);
	assert_int_equal(read_model(&first, &a, &back), 0);
	report_of(&j, was);
	report_of(&back, is);
	for (unsigned i = 0; i < 2; i++) {
		assert_string_equal(was[i], is[i]);
		free(was[i]);
		free(is[i]);
	}
	write_model(&second, &back);
	assert_int_equal(first.n, second.n);
	assert_memory_equal(first.bytes, second.bytes, first.n);
	/* What was shared is. */
	assert_ptr_equal(back.findings[0]->flow, back.flows[0]);
	assert_ptr_equal(back.attempts[0].flow, back.flows[0]);
	assert_ptr_equal(back.attempts[0].finding, back.findings[0]);
	/* A bit-field would be none of its shape's members, and take no room that is missed. */
	assert_int_equal(back.attempts[0].words, WORDS_ENCRYPTED);
	assert_true(back.attempts[0].muted && !back.attempts[1].muted);
	assert_int_equal(back.attempts[0].first_len, 1428);
	assert_ptr_equal(back.attempts[0].goodput, back.flows[0]->goodput);
	assert_ptr_equal(back.attempts[0].name, back.attempts[1].name);
	assert_ptr_equal(back.attempts[1].rate, back.findings[0]->rate);
	assert_int_equal(back.flows[0]->goodput->n, 3);
	assert_int_equal(back.flows[0]->goodput->bytes[2], UINT32_MAX);
	assert_int_equal(back.findings[0]->devices[0].hops, -1);
	assert_true(back.findings[1]->score == -0.5 && back.findings[1]->devices == NULL);
	assert_memory_equal(back.flows[0]->tls->sni, hello.sni, sizeof(hello.sni));
	assert_memory_equal(back.flows[0]->tls_server, &tls_answer, sizeof(tls_answer));
	arena_free(&a);
	free(bins);
}

/* The flow that comes back owns nothing of the one that went, and nothing of its text's remains. */
static void test_rest_of_text_stays(void **state)
{
	(void)state;
	struct judged_capture j = make_capture();
	static struct store s;

	memcpy(tls_answer.issuer, "said\0secret of another flow", 28);
	write_model(&s, &j);
	assert_null(memmem(s.bytes, s.n, "secret", 6));
	assert_non_null(memmem(s.bytes, s.n, "said", 4));
	free(bins);
}

/* What a reader would not take is not written either. */
static void test_writer_is_as_strict(void **state)
{
	(void)state;
	struct judged_capture j = make_capture();
	static struct store s;

	finding_b.score = NAN;
	struct wire *w = wire_new(false, &s, NULL);
	wire_walk(w, &shape_judged_capture, &j);
	assert_int_equal(wire_close(w), -EBADMSG);
	finding_b.score = 0;
	finding_b.family = FAMILY_N;
	w = wire_new(false, &s, NULL);
	wire_walk(w, &shape_judged_capture, &j);
	assert_int_equal(wire_close(w), -EBADMSG);
	finding_b.family = FAMILY_SILENT_DROP;
	finding_b.conditional = NULL;
	w = wire_new(false, &s, NULL);
	wire_walk(w, &shape_judged_capture, &j);
	assert_int_equal(wire_close(w), -EBADMSG);
	free(bins);
}

/* Bounds that reports rely on. */
static void must_be_sound(const struct judged_capture *j)
{
	for (uint64_t i = 0; i < j->n_flows; i++) {
		const struct flow_record *f = j->flows[i];
		assert_true(f->stage < STAGE_N && f->worst < VERDICT_N && f->app_proto != NULL);
		assert_true(f->n_tunnels <= TUNNELS_MAX && f->n_vlans <= 2);
		assert_true(f->tls == NULL || (f->tls->n_alpn <= TLS_ALPN_MAX && f->tls->sni[255] == 0));
		assert_true(f->n_labels == 0 || f->labels != NULL);
	}
	for (uint64_t i = 0; i < j->n_findings; i++) {
		const struct finding *f = j->findings[i];
		assert_true(f->family < FAMILY_N && f->verdict < VERDICT_N && f->id != NULL);
		assert_true(isfinite(f->score) && isfinite(f->reaction_ms) && f->flow != NULL);
		assert_true(strlen(f->sentence) < FINDING_SENTENCE);
		assert_true(strlen(f->trigger_value) < FINDING_TRIGGER);
		assert_true(f->n_rows == 0 || f->rows != NULL);
		for (unsigned k = 0; k < f->n_rows; k++)
			assert_true(f->rows[k].grade >= GRADE_D1 && f->rows[k].grade <= GRADE_D4 &&
				    strlen(f->rows[k].value) < EVIDENCE_TEXT);
	}
	for (uint64_t i = 0; i < j->n_attempts; i++)
		assert_true(j->attempts[i].end < ATTEMPT_N && j->attempts[i].ja4 != NULL);
}

static void test_stranger(void **state)
{
	(void)state;
	struct judged_capture j = make_capture(), back;
	static struct store right, wrong;
	unsigned refused = 0;

	write_model(&right, &j);
	for (size_t at = 0; at < right.n; at++) {
		static const uint8_t changes[] = {0x01, 0x02, 0x80, 0xff, 0x7f};
		for (unsigned i = 0; i < sizeof(changes); i++) {
			struct arena a = {.chunks = NULL};
			wrong = right;
			wrong.bytes[at] ^= changes[i];
			int err = read_model(&wrong, &a, &back);
			assert_true(err == 0 || err == -EBADMSG || err == -ENOMEM);
			if (err == 0)
				must_be_sound(&back);
			refused += err != 0;
			arena_free(&a);
		}
		/* Cut short, and with something behind it. */
		struct arena a = {.chunks = NULL};
		wrong = right;
		wrong.n = at;
		assert_int_equal(read_model(&wrong, &a, &back), -EBADMSG);
		arena_free(&a);
	}
	assert_true(refused > right.n);
	struct arena a = {.chunks = NULL};
	wrong = right;
	wrong.n++;
	assert_int_equal(read_model(&wrong, &a, &back), -EBADMSG);
	arena_free(&a);
	free(bins);
}

/* A few bytes cannot ask for much memory, and what is wrong is said. */
static void test_greedy(void **state)
{
	(void)state;
	struct few {
		uint64_t n;
		uint64_t *list;
	} few;
	static const struct wire_field rows[] = {U(struct few, n), UINTS(struct few, list, n)};
	static const struct wire_shape shape = {SHAPE(few, rows)};
	static struct store s = {.bytes = {0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 1, 2, 3}, .n = 9};
	struct arena a = {.chunks = NULL};
	struct wire *w = wire_new(true, &s, &a);
	char why[160];

	wire_walk(w, &shape, &few);
	wire_why(w, why, sizeof(why));
	assert_string_equal(why, "offset 6: few.list: more than there can be");
	assert_int_equal(few.n, 0);
	assert_int_equal(wire_close(w), -EBADMSG);
	arena_free(&a);
}

static size_t up(size_t at, size_t align)
{
	return (at + align - 1) / align * align;
}

/* Every member has a row: between two there is no more than the next one's alignment asks for. */
static void must_be_whole(const struct wire_shape *s)
{
	size_t at = 0, align = 1;
	for (size_t end = 0;; at = end) {
		const struct wire_field *next = NULL;
		for (unsigned i = 0; i < s->n_fields; i++)
			if (s->fields[i].at >= at && (next == NULL || s->fields[i].at < next->at))
				next = &s->fields[i];
		if (next == NULL)
			break;
		if (next->at != up(at, next->align))
			fail_msg("%s: a member before %s has no row", s->name, next->name);
		end = next->at + next->room;
		align = next->align > align ? next->align : align;
		if (next->shape != NULL)
			must_be_whole(next->shape);
	}
	if (s->flex != 0)
		assert_int_equal(s->flex_at, at);
	else if (up(at, align) != s->size)
		fail_msg("%s: its last member has no row", s->name);
}

static void test_no_member_is_forgotten(void **state)
{
	(void)state;
	must_be_whole(&shape_judged_capture);
	/* Two rows for one member would be read and written alike, and be wrong alike. */
	assert_true(wire_layout(&shape_judged_capture) != wire_layout(&shape_finding));
}

static int seal_whole(FILE *f, const struct seal_key *key, uint8_t *data, size_t len)
{
	struct seal *s;
	assert_int_equal(seal_new(&s, f, key), 0);
	assert_int_equal(seal_write(s, data, &len), 0);
	int err = seal_finish(s);
	seal_free(s);
	return err;
}

/* Reads all of it; -errno or 0, and how much there was. */
static int unseal(uint8_t *file, size_t len, const struct seal_key *key, uint8_t *data, size_t *n)
{
	static uint8_t block[SEAL_BLOCK];
	FILE *f = fmemopen(file, len, "rb");
	struct seal *s = NULL;
	size_t some = 1;
	assert_non_null(f);
	int err = seal_open(&s, f, key);
	for (*n = 0; err == 0 && some != 0; *n += err == 0 ? some : 0) {
		err = seal_read(s, block, &some);
		if (err == 0)
			memcpy(data + *n, block, some);
	}
	seal_free(s);
	fclose(f);
	return err;
}

#define SEALED (2 * SEAL_BLOCK + 100)

static void test_seal(void **state)
{
	(void)state;
	static uint8_t data[SEALED], back[SEALED + SEAL_BLOCK];
	static const uint8_t key_bytes[32] = {1, 2, 3}, other_bytes[32] = {1, 2, 4};
	struct seal_key key, other;
	size_t n;

	assert_int_equal(seal_key_make(&key, key_bytes, sizeof(key_bytes)), 0);
	assert_int_equal(seal_key_make(&other, other_bytes, sizeof(other_bytes)), 0);
	assert_true(memcmp(key.check, key.seal, SEAL_CHECK) != 0);
	for (size_t i = 0; i < SEALED; i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	for (unsigned sealed = 0; sealed < 2; sealed++) {
		const struct seal_key *k = sealed != 0 ? &key : NULL;
		char *file = NULL;
		size_t len = 0;
		FILE *f = open_memstream(&file, &len);
		assert_int_equal(seal_whole(f, k, data, SEALED), 0);
		fclose(f);
		assert_int_equal(len, HEAD + 3 * (LENGTH + TAG) + SEALED);
		assert_int_equal(memmem(file, len, data + 50, 32) == NULL, sealed);
		assert_int_equal(unseal((uint8_t *)file, len, k, back, &n), 0);
		assert_int_equal(n, SEALED);
		assert_memory_equal(back, data, SEALED);
		assert_int_equal(unseal((uint8_t *)file, len, NULL, back, &n), sealed != 0 ? -ENOKEY : 0);
		assert_int_equal(unseal((uint8_t *)file, len, &other, back, &n),
				 sealed != 0 ? -EKEYREJECTED : 0);
		for (size_t at = 0; at < len; at += at < HEAD + 40 ? 1 : 1237) {
			bool random = sealed == 0 && at >= MAGIC + 2 && at < HEAD;
			file[at] ^= 4;
			assert_int_equal(unseal((uint8_t *)file, len, k, back, &n) == 0, random);
			file[at] ^= 4;
			assert_true(unseal((uint8_t *)file, at + 1, k, back, &n) != 0);
		}
		/* Two whole blocks change places. */
		size_t one = LENGTH + SEAL_BLOCK + TAG;
		uint8_t *turned = malloc(len);
		assert_non_null(turned);
		memcpy(turned, file, len);
		memcpy(turned + HEAD, file + HEAD + one, one);
		memcpy(turned + HEAD + one, file + HEAD, one);
		assert_int_equal(unseal(turned, len, k, back, &n), -EBADMSG);
		/* The one between is left out. */
		memcpy(turned, file, HEAD + one);
		memcpy(turned + HEAD + one, file + HEAD + 2 * one, len - HEAD - 2 * one);
		assert_int_equal(unseal(turned, len - one, k, back, &n), -EBADMSG);
		free(turned);
		free(file);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_there_and_back, setup),
		cmocka_unit_test_setup(test_rest_of_text_stays, setup),
		cmocka_unit_test_setup(test_writer_is_as_strict, setup),
		cmocka_unit_test_setup(test_stranger, setup),
		cmocka_unit_test(test_greedy),
		cmocka_unit_test(test_no_member_is_forgotten),
		cmocka_unit_test(test_seal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
