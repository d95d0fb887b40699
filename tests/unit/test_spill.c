/* SPDX-License-Identifier: BSD-3-Clause */

/* Memory with a file behind it: what is written stays, little is mapped, and no file is no error. */

#include <errno.h>
#include <fcntl.h>

static unsigned interruptions;

/* As where a signal comes while the disk is asked. */
static int interrupted_fallocate(int fd, int mode, off_t at, off_t len)
{
	if (interruptions == 0)
		return fallocate(fd, mode, at, len);
	interruptions--;
	errno = EINTR;
	return -1;
}
#define fallocate interrupted_fallocate

#include "classifiers/spill.c"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "classifiers/arena.h"
#include "classifiers/slab.h"

static char dir[] = "spill-XXXXXX";

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir); /* fails if anything is in it */
}

static unsigned names_in_dir(void)
{
	unsigned n = 0;
	DIR *d = opendir(dir);
	assert_non_null(d);
	for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d))
		n += e->d_name[0] != '.' || strlen(e->d_name) > 2;
	closedir(d);
	return n;
}

static struct spill *open_spill(struct spill_config want)
{
	struct spill *s;
	want.dir = want.dir != NULL ? want.dir : dir;
	want.after = want.small = 1;
	want.leave = want.leave != 0 ? want.leave : 1;
	assert_int_equal(spill_new(&s, &want), 0);
	size_t size = 1;
	assert_null(spill_take(s, &size));
	return s;
}

static uint64_t word(size_t i)
{
	return i * 0x9e3779b97f4a7c15u;
}

static void assert_zero(const uint64_t *at, size_t n)
{
	uint64_t any = 0;
	for (size_t i = 0; i < n; i++)
		any |= at[i];
	assert_int_equal(any, 0);
}

static void write_words(uint64_t *at, size_t n, size_t from)
{
	for (size_t i = 0; i < n; i++)
		at[i] = word(from + i);
}

static void assert_words(const uint64_t *at, size_t n, size_t from)
{
	uint64_t other = 0;
	for (size_t i = 0; i < n; i++)
		other |= at[i] ^ word(from + i);
	assert_int_equal(other, 0);
}

#define WORDS (SPILL_UNIT / sizeof(uint64_t))

/* Nothing is there before much is asked for, and then whole units: zero, and apart from each other. */
static void test_units(void **state)
{
	enum { N = 300 }; /* more than a segment */
	static uint64_t *unit[N];
	const struct spill_config want = {.dir = dir, .after = 100, .small = 1, .leave = 1};
	struct spill *s;
	size_t size = 60;

	(void)state;
	interruptions = 2;
	assert_int_equal(spill_new(&s, &want), 0);
	assert_null(spill_take(s, &size));
	assert_null(spill_take(s, &size));
	assert_int_equal(size, 60);
	assert_int_equal(spill_bytes(s), 0);
	for (unsigned i = 0; i < N; i++) {
		size = 60;
		unit[i] = spill_take(s, &size);
		assert_non_null(unit[i]);
		assert_int_equal(size, SPILL_UNIT);
		assert_int_equal((uintptr_t)unit[i] % SPILL_UNIT, 0);
		assert_zero(unit[i], WORDS);
		write_words(unit[i], WORDS, i * WORDS);
	}
	assert_int_equal(spill_bytes(s), 2 * SEGMENT);
	unmap_pages(s);
	for (unsigned i = 0; i < N; i++)
		assert_words(unit[i], WORDS, i * WORDS);
	/* What went back comes again before the file grows, as if new. */
	for (unsigned i = 0; i < N; i++)
		spill_give(s, unit[i], SPILL_UNIT);
	for (unsigned i = 0; i < N; i++) {
		size = SPILL_UNIT;
		assert_zero(spill_take(s, &size), WORDS);
	}
	assert_int_equal(spill_bytes(s), 2 * SEGMENT);
	size = SEGMENT + 1; /* more than a segment in one piece */
	uint64_t *large = spill_take(s, &size);
	assert_non_null(large);
	assert_int_equal(size, SEGMENT + SPILL_UNIT);
	assert_zero(large, size / sizeof(*large));
	spill_free(s);
	spill_free(NULL);
	size = 1;
	assert_null(spill_take(NULL, &size));
}

/* A small process needs no file, however often it asks. */
static void test_small_process(void **state)
{
	const struct spill_config want = {.dir = dir, .after = 1, .small = SIZE_MAX, .leave = 1};
	struct spill *s;

	(void)state;
	assert_int_equal(spill_new(&s, &want), 0);
	bool known = s->statm >= 0;
	for (unsigned i = 0; i < 1000 && known; i++) {
		size_t size = SPILL_UNIT;
		assert_null(spill_take(s, &size));
	}
	assert_int_equal(spill_bytes(s), 0);
	spill_free(s);
	if (!known)
		skip(); /* no /proc */
}

/* However much is written, little of it is mapped a moment later; all of it is there. */
static void test_little_is_mapped(void **state)
{
	enum { UNITS = 128 };
	struct spill *s = open_spill((struct spill_config){.resident = 1 << 20});
	const struct timespec moment = {.tv_nsec = 10000000};
	size_t size = UNITS * (size_t)SPILL_UNIT, tries = 0;
	struct memory now;

	(void)state;
	uint64_t *at = spill_take(s, &size);
	assert_non_null(at);
	if (!s->kept) {
		spill_free(s);
		skip(); /* no /proc */
	}
	write_words(at, UNITS * WORDS, 0);
	do {
		nanosleep(&moment, NULL);
		assert_true(measure(s, &now));
	} while (now.mapped - s->mapped_by_others > pages(1 << 20) && ++tries < 1000);
	assert_in_range(tries, 0, 999);
	assert_words(at, UNITS * WORDS, 0);
	spill_free(s);
}

static size_t told(FILE *err, char *out, size_t len)
{
	rewind(err);
	size_t n = fread(out, 1, len - 1, err);
	out[n] = '\0';
	return n;
}

/* What an arena and slabs hold is the same with a file, with half a file and without one. */
static void fill(struct spill *s)
{
	enum { N = 400000 };
	static const uint32_t *kept[N];
	static uint32_t *block[N];
	struct arena a = {.spill = s};
	struct slab_set blocks = {.spill = s};

	for (uint32_t i = 0; i < N; i++) {
		uint32_t *p = i % 2 != 0 ? arena_alloc(&a, 100) : arena_alloc_often(&a, 300);
		assert_non_null(p);
		assert_int_equal(p[0], 0);
		p[0] = i;
		kept[i] = p;
		block[i] = slab_set_alloc(&blocks, 300);
		assert_non_null(block[i]);
		block[i][70] = i;
	}
	for (uint32_t i = 0; i < N; i++) {
		assert_int_equal(kept[i][0], i);
		assert_int_equal(block[i][70], i);
		slab_set_free(&blocks, block[i], 300);
	}
	slab_set_close(&blocks);
	arena_free(&a);
	assert_ptr_equal(a.spill, s);
}

static void no_file(struct spill_config want, size_t bytes, const char *why)
{
	char text[1024];
	FILE *err = tmpfile();
	assert_non_null(err);
	int before = dup(STDERR_FILENO);
	struct spill *s = open_spill(want);

	fflush(stderr);
	dup2(fileno(err), STDERR_FILENO);
	fill(s);
	fflush(stderr);
	dup2(before, STDERR_FILENO);
	close(before);
	told(err, text, sizeof(text));
	assert_int_equal(spill_bytes(s), bytes);
	if (why == NULL) {
		assert_string_equal(text, "");
	} else {
		assert_non_null(strstr(text, why));
		assert_ptr_equal(strchr(text, '\n'), strrchr(text, '\n')); /* once */
	}
	fclose(err);
	spill_free(s);
}

static void test_no_file(void **state)
{
	struct rlimit most, less;

	(void)state;
	no_file((struct spill_config){.dir = "not-there"}, 0, "not-there: what is found stays in memory: no "
								"file for it: No such file");
	no_file((struct spill_config){.leave = SIZE_MAX / 4}, 0, "No space left on device");
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &most), 0);
	less = (struct rlimit){.rlim_cur = SEGMENT + SEGMENT / 2, .rlim_max = most.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &less), 0);
	no_file((struct spill_config){.dir = NULL}, SEGMENT, "no larger file for it: File too large");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &most), 0);
	assert_int_equal(names_in_dir(), 0);
}

static void test_arena_and_slabs(void **state)
{
	struct spill *s = open_spill((struct spill_config){.resident = 1 << 20});

	(void)state;
	fill(s);
	size_t size = spill_bytes(s);
	assert_in_range(size, 2 * SEGMENT, 8 * SEGMENT);
	/* All that was taken came back. */
	fill(s);
	assert_int_equal(spill_bytes(s), size);
	spill_free(s);
}

static void test_file_is_gone(void **state)
{
	int (*const ways[])(const char *) = {open_unnamed, open_and_unlink};
	struct stat st;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		int fd = ways[i](dir);
		assert_true(fd >= 0);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		assert_int_equal(st.st_nlink, 0);
		assert_int_equal(names_in_dir(), 0);
		close(fd);
		assert_int_equal(ways[i]("not-there"), -ENOENT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_small_process),
		cmocka_unit_test(test_file_is_gone),
		cmocka_unit_test(test_little_is_mapped),
		cmocka_unit_test(test_arena_and_slabs),
		cmocka_unit_test(test_no_file),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
