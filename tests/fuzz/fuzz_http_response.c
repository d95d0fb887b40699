/* SPDX-License-Identifier: BSD-3-Clause */

/* What the rest relies on, whatever the bytes are. The first byte picks the method. */

#include <stdlib.h>
#include <string.h>

#include "classifiers/app/http_response.h"
#include "dataplane/reassembly.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool what)
{
	if (!what)
		abort();
}

static void check_head(const uint8_t *data, size_t size, const struct http_response *r,
		       enum classify answer)
{
	struct http_header h;
	uint32_t at = 0, before = 0;
	require(r->status < 1000 && r->head_end <= size);
	require(r->truncated == (r->head_end == 0));
	require(answer != CLASSIFY_NEVER || r->status == 0);
	require(answer != CLASSIFY_DONE || r->status != 0 || !r->truncated);
	require(answer != CLASSIFY_MORE || r->truncated);
	require(memchr(r->location, '\0', sizeof(r->location)) != NULL);
	require(memchr(r->server, '\0', sizeof(r->server)) != NULL);
	while (http_header_next(r, data, size, &at, &h)) {
		require(at > before && at <= r->head_end);
		require(h.name >= data && h.value + h.value_len <= data + r->head_end);
		require(h.name + h.name_len < h.value + h.value_len + 1);
		before = at;
	}
}

static void check_body(const uint8_t *data, size_t size, const struct http_response *r)
{
	static struct http_decoder *d;
	struct http_body_end once = {0}, grown = {0};
	char title[64], frame[64];
	const uint8_t *body;
	if (d == NULL)
		require(http_decoder_new(&d) == 0);
	size_t n = http_body_decode(d, r, data, size, &body);
	require(n <= HTTP_BODY_MAX && (n == 0 || (!r->truncated && !r->bodyless)));
	http_body_title(body, n, title, sizeof(title));
	http_body_frame(body, n, frame, sizeof(frame));
	require(memchr(title, '\0', sizeof(title)) != NULL);
	require(memchr(frame, '\0', sizeof(frame)) != NULL);
	/* Where a body ends does not depend on how it came. */
	bool ended = http_body_ended(r, data, size, &once), before = false;
	for (size_t len = r->head_end; len < size; len += 1 + size / 8) {
		require(!before || http_body_ended(r, data, len, &grown));
		before = http_body_ended(r, data, len, &grown);
	}
	require(http_body_ended(r, data, size, &grown) == ended);
	require(grown.whole == once.whole && grown.broken == once.broken);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const methods[] = {"GET", "HEAD", "CONNECT", NULL};
	struct http_response whole, part;
	if (size == 0)
		return 0;
	const char *method = methods[*data++ % 4];
	size--;
	enum classify answer = http_response_read(data, size, method, &whole);
	check_head(data, size, &whole, answer);
	check_body(data, size, &whole);
	for (size_t n = size / 2; n < size; n += 1 + size / 16) {
		enum classify before = http_response_read(data, n, method, &part);
		check_head(data, n, &part, before);
		require(before != CLASSIFY_NEVER || answer == CLASSIFY_NEVER);
		require(before != CLASSIFY_DONE || answer == CLASSIFY_DONE);
		if (before == CLASSIFY_DONE && n < REASSEMBLY_LIMIT)
			require(part.head_end == whole.head_end && part.status == whole.status);
	}
	return 0;
}
