/* SPDX-License-Identifier: BSD-3-Clause */

/* What the rest of the analysis relies on, whatever the bytes are. */

#include <stdlib.h>
#include <string.h>

#include "classifiers/app/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool what)
{
	if (!what)
		abort();
}

static void check(const uint8_t *data, size_t size, const struct http_request *r,
		  enum classify answer)
{
	require(memchr(r->method, '\0', sizeof(r->method)) != NULL);
	require(memchr(r->version, '\0', sizeof(r->version)) != NULL);
	require(memchr(r->path, '\0', sizeof(r->path)) != NULL);
	require(r->has_host == (r->host_len != 0) && r->has_host == (r->host_end != 0));
	if (r->has_host) {
		size_t shown = r->host_len < sizeof(r->host) ? r->host_len : sizeof(r->host) - 1;
		require(r->host_end <= size && r->host_end - r->host_offset == r->host_len);
		require(memcmp(data + r->host_offset, r->host, shown) == 0);
	}
	require(r->head_end <= size && r->truncated == (r->head_end == 0));
	require(answer != CLASSIFY_MORE || r->truncated);
	require(answer != CLASSIFY_DONE || r->method[0] != '\0');
	require(answer != CLASSIFY_NEVER || r->method[0] == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_request whole, part;
	enum classify answer = http_request_read(data, size, &whole);
	check(data, size, &whole, answer);
	/* A shorter prefix never says more, and never refuses what a longer one takes. */
	for (size_t n = size / 2; n < size; n += 1 + size / 16) {
		enum classify before = http_request_read(data, n, &part);
		check(data, n, &part, before);
		require(before != CLASSIFY_NEVER || answer == CLASSIFY_NEVER);
		require(before != CLASSIFY_DONE || answer == CLASSIFY_DONE);
		require(!part.has_host || (whole.has_host && part.host_end == whole.host_end));
	}
	return 0;
}
