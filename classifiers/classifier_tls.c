/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdlib.h>

#include "classifiers/app/tls.h"
#include "classifiers/classifier.h"

/* A flow that ends midway leaves what was read: truncated is set until the hello is whole. */
static enum classify stream(void *shard, void *state, const struct flow *f, enum dir dir,
			    const struct packet *pkt, const struct headers *h, const uint8_t *data,
			    size_t len, struct app_facts *facts)
{
	(void)shard, (void)state, (void)f, (void)pkt, (void)h;
	struct tls_client_hello hello;
	if (dir != DIR_C2S)
		return CLASSIFY_NEVER;
	enum classify answer = tls_client_hello_read(data, len, &hello);
	if (answer == CLASSIFY_NEVER || hello.n_records == 0)
		return answer;
	if (facts->tls == NULL)
		facts->tls = malloc(sizeof(*facts->tls));
	if (facts->tls == NULL)
		return CLASSIFY_NEVER;
	*facts->tls = hello;
	facts->app_proto = "tls";
	return answer;
}

const struct classifier classifier_tls = {
	.name = "tls",
	.doc = "reads the client's TLS hello: server name, ALPN, ECH, JA3 and JA4",
	.stream = stream,
};
