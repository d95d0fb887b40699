/* SPDX-License-Identifier: BSD-3-Clause */

/* What reaches the files, read back with the file source. */

#include "tools/recorder.c"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "dataplane/source.h"

#define T0 (1700000000 * UINT64_C(1000000000)) /* 2023-11-14T22:13:20Z */
#define FRAMES_MAX 4000

static char folder[] = "/tmp/wmscope-recorder-XXXXXX";
static char path[128], why[320];
static uint8_t bytes[2048];

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL;
}

/* The names in the folder, sorted; they are removed. */
static int names(char (*out)[NAME_SIZE], int max)
{
	struct dirent **list;
	int n = scandir(folder, &list, NULL, alphasort), kept = 0;

	for (int i = 0; i < n; i++) {
		if (list[i]->d_name[0] != '.' && kept < max)
			snprintf(out[kept++], NAME_SIZE, "%s", list[i]->d_name);
		free(list[i]);
	}
	free(list);
	return kept;
}

static int drop_folder(void **state)
{
	char found[16][NAME_SIZE];
	int dir = open(folder, O_RDONLY | O_DIRECTORY);

	(void)state;
	for (int i = 0, n = names(found, 16); i < n; i++)
		unlinkat(dir, found[i], 0);
	return close(dir);
}

static int remove_folder(void **state)
{
	drop_folder(state);
	return rmdir(folder);
}

static bool losses_known = true;

/* n packets of len bytes, gap_ns apart; frame i has the byte i throughout. As recorder_close(). */
static int record(struct recorder_config cfg, unsigned n, uint32_t len, uint64_t gap_ns)
{
	struct recorder *r;
	uint64_t received = losses_known ? n + 5 : UINT64_MAX, lost = losses_known ? 5 : UINT64_MAX;

	snprintf(path, sizeof(path), "%s/x.pcapng", folder);
	cfg.path = cfg.path != NULL ? cfg.path : path;
	cfg.iface = "wire0";
	cfg.linktype = LINKTYPE_ETHERNET;
	assert_int_equal(recorder_open(&r, &cfg, why, sizeof(why)), 0);
	assert_int_equal(recorder_start(r, why, sizeof(why)), 0);
	for (unsigned i = 0; i < n; i++) {
		memset(bytes, (int)i, len);
		struct packet pkt = {.data = bytes, .caplen = len, .wirelen = len + 1,
				     .ts_ns = T0 + i * gap_ns, .frame = i + 1,
				     .direction = PACKET_OUTBOUND};
		recorder_write(r, &pkt, 1);
		/* Three are lost while the first file is written, if there are several. */
		if (i == 50 && losses_known)
			recorder_tick(r, 53, 3);
	}
	recorder_tick(r, received, lost);
	return recorder_close(r);
}

/* How many packets the file has, beginning with frame first of the capture. */
static unsigned read_back(const char *name, unsigned first, uint32_t len, uint64_t gap_ns,
			  uint64_t *dropped)
{
	char full[512];
	const char *files[] = {full};
	struct source_config cfg = {.files = files, .n_files = 1};
	struct packet pkts[64];
	struct source_stats st;
	struct source *src;
	unsigned n = 0;

	snprintf(full, sizeof(full), "%s/%s", folder, name);
	assert_int_equal(source_open(&src, NULL, &cfg, why, sizeof(why)), 0);
	for (int got; (got = source_recv(src, 0, pkts, 64)) > 0;) {
		for (int i = 0; i < got; i++, n++) {
			assert_int_equal(pkts[i].caplen, len);
			assert_int_equal(pkts[i].wirelen, len + 1);
			assert_int_equal(pkts[i].ts_ns, T0 + (first - 1 + n) * gap_ns);
			assert_int_equal(pkts[i].data[0], (uint8_t)(first - 1 + n));
			assert_int_equal(pkts[i].data[len - 1], (uint8_t)(first - 1 + n));
		}
		source_release(src, 0, pkts, (unsigned)got);
	}
	source_stats(src, &st);
	assert_int_equal(st.n_damage, 0);
	assert_int_equal(st.n_ifaces, 1);
	assert_string_equal(st.ifaces[0].name, "wire0");
	*dropped = st.ifaces[0].dropped;
	source_close(src);
	return n;
}

static void one_file_has_all(void **state)
{
	uint64_t dropped;

	(void)state;
	/* More than the chunks hold, so that the writer is waited for. */
	assert_int_equal(record((struct recorder_config){.max_bytes = 0}, FRAMES_MAX, 2000, 7), 0);
	assert_int_equal(read_back("x.pcapng", 1, 2000, 7, &dropped), FRAMES_MAX);
	assert_int_equal(dropped, 5);
	/* Again: what was there is replaced, and without a packet it is still a capture. */
	assert_int_equal(record((struct recorder_config){.max_bytes = 0}, 0, 1, 0), 0);
	assert_int_equal(read_back("x.pcapng", 1, 1, 0, &dropped), 0);
	/* Not knowing is not losing nothing. */
	losses_known = false;
	assert_int_equal(record((struct recorder_config){.max_bytes = 0}, 10, 60, 7), 0);
	losses_known = true;
	assert_int_equal(read_back("x.pcapng", 1, 60, 7, &dropped), 10);
	assert_true(dropped == UINT64_MAX);
}

static void files_follow_each_other(void **state)
{
	static const struct {
		struct recorder_config cfg;
		unsigned n_files, first, each; /* of the first file kept; each: packets of a full one */
		const char *begin[3];
	} cases[] = {
		{.cfg = {.max_bytes = 100000}, .n_files = 3, .first = 1, .each = 95,
		 .begin = {"x_00001_20231114T221320Z", "x_00002_20231114T221455Z",
			   "x_00003_20231114T221630Z"}},
		{.cfg = {.max_bytes = 100000, .keep = 2}, .n_files = 2, .first = 96, .each = 95,
		 .begin = {"x_00002_", "x_00003_"}},
		{.cfg = {.every_ns = 80 * UINT64_C(1000000000)}, .n_files = 3, .first = 1, .each = 80,
		 .begin = {"x_00001_20231114T221320Z", "x_00002_20231114T221440Z",
			   "x_00003_20231114T221600Z"}},
		{.cfg = {.every_ns = 80 * UINT64_C(1000000000), .keep = 1}, .n_files = 1, .first = 161,
		 .each = 80, .begin = {"x_00003_"}},
	};
	char found[16][NAME_SIZE];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned first = cases[i].first;
		uint64_t dropped, sum = 0;
		assert_int_equal(record(cases[i].cfg, 200, 1000, 1000000000), 0);
		assert_int_equal(names(found, 16), cases[i].n_files);
		for (unsigned k = 0; k < cases[i].n_files; k++) {
			const char *begin = cases[i].begin[k];
			assert_memory_equal(found[k], begin, strlen(begin));
			assert_string_equal(found[k] + strlen(found[k]) - 8, "Z.pcapng");
			unsigned n = read_back(found[k], first, 1000, 1000000000, &dropped);
			assert_int_equal(n, first + cases[i].each <= 201 ? cases[i].each : 201 - first);
			first += n;
			sum += dropped;
			if (k == 0 && cases[i].first == 1)
				assert_int_equal(dropped, 3);
		}
		assert_int_equal(first, 201);
		assert_int_equal(sum, cases[i].first == 1 ? 5 : 2);
		drop_folder(state);
	}
}

static void what_cannot_be_written_is_told(void **state)
{
	struct recorder_config nowhere = {.path = "/no/such/folder/x.pcapng"};
	struct recorder_config dir = {.path = "/tmp/"};
	struct recorder *r;

	(void)state;
	assert_int_equal(recorder_open(&r, &nowhere, why, sizeof(why)), -ENOENT);
	assert_string_equal(why, "/no/such/folder/x.pcapng: No such file or directory");
	assert_null(r);
	assert_int_equal(recorder_open(&r, &dir, why, sizeof(why)), -EISDIR);
	/* The reader goes on, and is not held up by what nobody takes. */
	assert_int_equal(record((struct recorder_config){.path = "/dev/full"}, FRAMES_MAX, 2000, 1),
			 -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_file_has_all, NULL, drop_folder),
		cmocka_unit_test_setup_teardown(files_follow_each_other, NULL, drop_folder),
		cmocka_unit_test(what_cannot_be_written_is_told),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
