/* SPDX-License-Identifier: BSD-3-Clause */

#include "dataplane/pcapng_write.c"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "dataplane/source.h"
#include "tests/unit/temporary.h"

static struct temporary tmp;
static char path[96];
static uint8_t bytes[1500];

static int create(void)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	return fd;
}

static struct packet packet(uint64_t ts_ns, uint32_t caplen, uint32_t wirelen)
{
	return (struct packet){
		.data = bytes, .caplen = caplen, .wirelen = wirelen, .ts_ns = ts_ns};
}

static struct source *read_back(void)
{
	const char *files[] = {path};
	struct source_config cfg = {.files = files, .n_files = 1};
	struct source *src;
	char err[200];
	assert_int_equal(source_open(&src, NULL, &cfg, err, sizeof(err)), 0);
	return src;
}

static void comes_back(void **state)
{
	static const char *const comments[] = {"INJECTED RST", "finding 1"};
	const struct pcapng_section section = {
		.hardware = "a box", .os = "an os", .application = "wmscope", .comment = "odd"};
	const struct pcapng_extra extra = {.comments = comments, .n_comments = 2,
					   .direction = PCAPNG_INBOUND, .dropped = 3};
	struct pcapng_writer *w;
	struct packet pkts[4];
	struct source_stats st;
	(void)state;

	int fd = create();
	assert_int_equal(pcapng_writer_new(&w, fd, &section), 0);
	struct packet p = packet(UINT64_C(1700000000123456789), 61, 1000);
	assert_int_equal(pcapng_write_packet(w, 0, &p, NULL), -EINVAL);
	assert_int_equal(pcapng_write_interface(
				 w, &(struct pcapng_interface){.linktype = LINKTYPE_ETHERNET,
							       .name = "left", .filter = "tcp",
							       .snaplen = 96}),
			 0);
	assert_int_equal(pcapng_write_interface(w, &(struct pcapng_interface){
							   .linktype = LINKTYPE_RAW, .name = "right"}),
			 1);
	assert_int_equal(pcapng_write_packet(w, 0, &p, &extra), 0);
	p = packet(UINT64_C(1700000001000000001), 60, 60);
	assert_int_equal(pcapng_write_packet(w, 1, &p, NULL), 0);
	assert_int_equal(pcapng_write_statistics(w, 1, &(struct pcapng_statistics){
							      .start_ns = 1, .end_ns = 2,
							      .received = 1, .dropped = 7}),
			 0);
	uint64_t size = pcapng_writer_bytes(w);
	assert_int_equal(pcapng_writer_free(w), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), (off_t)size);
	close(fd);

	struct source *src = read_back();
	assert_int_equal(source_recv(src, 0, pkts, 4), 2);
	assert_int_equal(pkts[0].ts_ns, UINT64_C(1700000000123456789));
	assert_int_equal(pkts[0].caplen, 61);
	assert_int_equal(pkts[0].wirelen, 1000);
	assert_memory_equal(pkts[0].data, bytes, 61);
	assert_int_equal(pkts[1].linktype, LINKTYPE_RAW);
	assert_int_equal(pkts[1].iface, 1);
	source_release(src, 0, pkts, 2);
	assert_int_equal(source_recv(src, 0, pkts, 4), SOURCE_EOF);
	source_stats(src, &st);
	assert_int_equal(st.n_damage, 0);
	assert_int_equal(st.n_ifaces, 2);
	assert_string_equal(st.ifaces[0].name, "left");
	assert_int_equal(st.ifaces[1].dropped, 7);
	assert_int_equal(st.n_comment, 2);
	assert_string_equal(st.comment[0].text, comments[0]);
	assert_string_equal(st.comment[1].text, comments[1]);
	source_close(src);
}

/* A comment that does not fit ends between two characters. */
static void long_comment(void **state)
{
	char *text = malloc(OPTION_MAX + 10);
	struct pcapng_writer *w;
	struct packet pkts[2], p = packet(1, 60, 60);
	(void)state;

	assert_non_null(text);
	memset(text, 'a', OPTION_MAX - 1);
	strcpy(text + OPTION_MAX - 1, "\xc3\xa9" "b");
	int fd = create();
	assert_int_equal(pcapng_writer_new(&w, fd, &(struct pcapng_section){0}), 0);
	assert_int_equal(pcapng_write_interface(w, &(struct pcapng_interface){.linktype = 1}), 0);
	const struct pcapng_extra x = {.comments = (const char *const *)&text, .n_comments = 1};
	assert_int_equal(pcapng_write_packet(w, 0, &p, &x), 0);
	const uint8_t *block = w->buf + w->len;
	assert_int_equal(block[-4 - 4 - 2 - 1], 'a'); /* pad of two, end of options, length */
	assert_int_equal(block[-4 - 4 - 2], 0);
	assert_int_equal(pcapng_writer_free(w), 0);
	close(fd);
	struct source *src = read_back();
	assert_int_equal(source_recv(src, 0, pkts, 2), 1);
	source_close(src);
	free(text);
}

/* What a full disk leaves ends with a whole block. */
static void full_disk(void **state)
{
	struct rlimit was, small = {.rlim_cur = 300001};
	struct pcapng_writer *w;
	struct packet pkts[64];
	struct source_stats st;
	uint64_t n = 0;
	int err = 0, got;
	(void)state;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	small.rlim_max = was.rlim_max;
	int fd = create();
	assert_int_equal(pcapng_writer_new(&w, fd, &(struct pcapng_section){0}), 0);
	assert_int_equal(pcapng_write_interface(w, &(struct pcapng_interface){.linktype = 1}), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (unsigned i = 0; i < 1000 && err == 0; i++) {
		struct packet p = packet(i, 1400, 1400);
		err = pcapng_write_packet(w, 0, &p, NULL);
	}
	int end = pcapng_writer_free(w);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(err, -EFBIG);
	assert_int_equal(end, -EFBIG);
	off_t size = lseek(fd, 0, SEEK_END);
	assert_in_range(size, 300001 - 1500, 300001);
	close(fd);
	struct source *src = read_back();
	while ((got = source_recv(src, 0, pkts, 64)) >= 0) {
		n += (uint64_t)got;
		source_release(src, 0, pkts, (unsigned)got);
	}
	source_stats(src, &st);
	assert_int_equal(st.n_damage, 0);
	assert_int_equal(n, (uint64_t)size / 1432); /* 1400 bytes and 32 of the block */
	source_close(src);
}

static int setup(void **state)
{
	(void)state;
	tmp = temporary_new();
	snprintf(path, sizeof(path), "%s/a.pcapng", tmp.path);
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	temporary_free(&tmp);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back),
		cmocka_unit_test(long_comment),
		cmocka_unit_test(full_disk),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
