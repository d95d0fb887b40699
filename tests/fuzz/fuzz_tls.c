/* SPDX-License-Identifier: BSD-3-Clause */

/* What the rest of the analysis relies on, whatever the bytes are. */

#include <stdlib.h>
#include <string.h>

#include "classifiers/app/tls.h"
#include "dataplane/reassembly.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool what)
{
	if (!what)
		abort();
}

static void check(const uint8_t *data, size_t size, const struct tls_client_hello *h,
		  enum classify answer)
{
	require(h->n_alpn <= TLS_ALPN_MAX);
	require(h->has_sni || (h->sni_len == 0 && h->sni_offset == 0 && h->sni_end == 0));
	if (h->has_sni) {
		size_t shown = h->sni_len < sizeof(h->sni) ? h->sni_len : sizeof(h->sni) - 1;
		require(h->sni_len > 0 && h->sni_offset < h->sni_end && h->sni_end <= size);
		require(h->sni_end - h->sni_offset >= h->sni_len);
		require(h->sni[shown] == '\0' && h->n_records > 0);
		require(data[h->sni_offset] == (uint8_t)h->sni[0]);
		require(shown < h->sni_len || data[h->sni_end - 1] == (uint8_t)h->sni[shown - 1]);
	}
	require(answer != CLASSIFY_MORE || (h->truncated && h->hello_end == 0));
	require(h->truncated == (h->ja4[0] == '\0'));
	require(h->truncated || (answer == CLASSIFY_DONE && h->hello_end > 0));
	require(h->truncated || (strlen(h->ja4) == 36 && strlen(h->ja3) == 32));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tls_client_hello whole, part;
	enum classify answer = tls_client_hello_read(data, size, &whole);
	check(data, size, &whole, answer);
	/* A shorter prefix never says more, and never refuses what a longer one takes. */
	for (size_t n = size / 2; n < size; n += 1 + size / 16) {
		enum classify before = tls_client_hello_read(data, n, &part);
		check(data, n, &part, before);
		require(before != CLASSIFY_NEVER || answer == CLASSIFY_NEVER);
		require(before != CLASSIFY_DONE || answer == CLASSIFY_DONE);
		require(!part.has_sni || (whole.has_sni && part.sni_end == whole.sni_end));
		if (before == CLASSIFY_DONE && n < REASSEMBLY_LIMIT)
			require(part.hello_end == whole.hello_end);
	}
	return 0;
}
