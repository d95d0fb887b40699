/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Captures written byte by byte for the reader's tests, in either byte order, right or wrong. */

#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct build {
	uint8_t *p;
	size_t len, room;
	bool be;
};

static inline void put(struct build *b, const void *data, size_t n)
{
	if (b->len + n > b->room) {
		b->room = 2 * (b->len + n) + 256;
		b->p = realloc(b->p, b->room);
		if (b->p == NULL)
			abort();
	}
	if (n != 0)
		memcpy(b->p + b->len, data, n);
	b->len += n;
}

static inline void put_uint(struct build *b, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++) {
		uint8_t octet = (uint8_t)(v >> 8 * (b->be ? bytes - 1 - i : i));
		put(b, &octet, 1);
	}
}

static inline void put16(struct build *b, uint16_t v)
{
	put_uint(b, v, 2);
}

static inline void put32(struct build *b, uint32_t v)
{
	put_uint(b, v, 4);
}

/* n octets that tell their place and their packet. */
static inline void put_data(struct build *b, uint8_t seed, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t octet = (uint8_t)(seed + i);
		put(b, &octet, 1);
	}
}

static inline void build_free(struct build *b)
{
	free(b->p);
	*b = (struct build){0};
}

static inline void put_pcap_header(struct build *b, uint32_t magic, uint32_t network)
{
	put32(b, magic);
	put16(b, 2);
	put16(b, 4);
	put32(b, 0);
	put32(b, 0);
	put32(b, 65535);
	put32(b, network);
}

static inline void put_pcap_record(struct build *b, uint32_t sec, uint32_t tick, uint32_t caplen,
				   uint32_t wirelen)
{
	put32(b, sec);
	put32(b, tick);
	put32(b, caplen);
	put32(b, wirelen);
}

/* A pcapng block: begin, put its body, end (which pads, and writes both lengths). */
static inline size_t ng_begin(struct build *b, uint32_t type)
{
	size_t at = b->len;
	put32(b, type);
	put32(b, 0);
	return at;
}

static inline void put_pad(struct build *b)
{
	while (b->len % 4 != 0)
		put(b, "", 1);
}

static inline void ng_end(struct build *b, size_t at)
{
	put_pad(b);
	uint32_t len = (uint32_t)(b->len - at + 4);
	put32(b, len);
	struct build head = {.be = b->be};
	put32(&head, len);
	memcpy(b->p + at + 4, head.p, 4);
	build_free(&head);
}

static inline void ng_option(struct build *b, uint16_t code, const void *value, uint16_t len)
{
	put16(b, code);
	put16(b, len);
	put(b, value, len);
	put_pad(b);
}

static inline void ng_section(struct build *b)
{
	size_t at = ng_begin(b, 0x0a0d0d0a);
	put32(b, 0x1a2b3c4d);
	put16(b, 1);
	put16(b, 0);
	put_uint(b, UINT64_MAX, 8);
	ng_end(b, at);
}

/* tsresol, tsoffset: negative and 0 leave the option out. */
static inline void ng_interface(struct build *b, uint16_t linktype, uint32_t snaplen, int tsresol,
				int64_t tsoffset)
{
	size_t at = ng_begin(b, 1);
	put16(b, linktype);
	put16(b, 0);
	put32(b, snaplen);
	ng_option(b, 2, "eth7", 4);
	if (tsresol >= 0) {
		uint8_t resol = (uint8_t)tsresol;
		ng_option(b, 9, &resol, 1);
	}
	if (tsoffset != 0) {
		put16(b, 14);
		put16(b, 8);
		put_uint(b, (uint64_t)tsoffset, 8);
	}
	put32(b, 0);
	ng_end(b, at);
}

static inline void ng_packet(struct build *b, uint32_t iface, uint64_t ts, uint8_t seed,
			     uint32_t caplen, uint32_t wirelen, const char *comment)
{
	size_t at = ng_begin(b, 6);
	put32(b, iface);
	put32(b, (uint32_t)(ts >> 32));
	put32(b, (uint32_t)ts);
	put32(b, caplen);
	put32(b, wirelen);
	put_data(b, seed, caplen);
	put_pad(b);
	if (comment != NULL) {
		ng_option(b, 1, comment, (uint16_t)strlen(comment));
		put32(b, 0);
	}
	ng_end(b, at);
}

static inline void ng_simple_packet(struct build *b, uint8_t seed, uint32_t caplen,
				    uint32_t wirelen)
{
	size_t at = ng_begin(b, 3);
	put32(b, wirelen);
	put_data(b, seed, caplen);
	ng_end(b, at);
}

/* A folder of the test's own, gone at the end. */
static char build_dir[64];

static inline const char *build_path(char *path, size_t len, const char *name)
{
	snprintf(path, len, "%s/%s", build_dir, name);
	return path;
}

static inline void build_write(const struct build *b, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, b->p, b->len) != (ssize_t)b->len || close(fd) != 0)
		abort();
}

static inline int build_setup(void **state)
{
	(void)state;
	const char *tmp = getenv("TMPDIR");
	snprintf(build_dir, sizeof(build_dir), "%.40s/wmscope-XXXXXX", tmp != NULL ? tmp : "/tmp");
	return mkdtemp(build_dir) != NULL ? 0 : -1;
}

static inline int build_teardown(void **state)
{
	(void)state;
	char path[64 + 32];
	static const char *const names[] = {"a", "b", "c", "d"};
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(build_path(path, sizeof(path), names[i]));
	return rmdir(build_dir);
}
