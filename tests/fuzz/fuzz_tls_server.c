/* SPDX-License-Identifier: BSD-3-Clause */

/* What the rest of the analysis relies on, whatever the bytes are. */

#include <stdlib.h>
#include <string.h>

#include "classifiers/app/tls_server.h"
#include "classifiers/app/x509.h"
#include "dataplane/reassembly.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool what)
{
	if (!what)
		abort();
}

static void check(const struct tls_server *s, size_t size, enum classify answer)
{
	require(memchr(s->issuer, '\0', sizeof(s->issuer)) != NULL);
	require(memchr(s->subject, '\0', sizeof(s->subject)) != NULL);
	require((s->ja3s[0] != '\0') == (s->has_hello || s->retry));
	require(s->ja3s[0] == '\0' || strlen(s->ja3s) == 32);
	require(s->has_certificate || (s->issuer[0] == '\0' && !s->interceptor));
	require(!s->has_alert || (answer == CLASSIFY_DONE && s->alert_offset + 7 <= size));
	require(!s->has_certificate || answer == CLASSIFY_DONE);
	require(answer != CLASSIFY_NEVER || !s->has_certificate);
}

static void check_certificate(const uint8_t *data, size_t size)
{
	struct x509_facts f;
	bool is = x509_read(data, size, &f);
	require(memchr(f.issuer, '\0', sizeof(f.issuer)) != NULL);
	require(memchr(f.subject, '\0', sizeof(f.subject)) != NULL);
	require(is == (f.spki != NULL));
	require(!is || (f.spki >= data && f.spki + f.spki_len <= data + size && f.spki_len >= 2));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tls_server whole, part;
	uint32_t all, need = 0;
	enum classify answer = tls_server_read(data, size, &whole, &all);
	check(&whole, size, answer);
	check_certificate(data, size);
	/* Reading only when enough is there ends as reading everything does. */
	enum classify before = CLASSIFY_MORE;
	for (size_t n = 0; n <= size && n < REASSEMBLY_LIMIT && before == CLASSIFY_MORE; n++) {
		if (n < need)
			continue;
		before = tls_server_read(data, n, &part, &need);
		check(&part, n, before);
		require(before != CLASSIFY_MORE || need > n);
	}
	/* That it is no TLS at all may be seen before there is enough. */
	if (size < REASSEMBLY_LIMIT && answer != CLASSIFY_NEVER)
		require(before == answer && memcmp(&part, &whole, sizeof(whole)) == 0);
	return 0;
}
