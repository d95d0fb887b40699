/* SPDX-License-Identifier: BSD-3-Clause */

/* TLS: the client's hello, and what its server says in the clear. */

#include <stdlib.h>

#include "classifiers/app/tls.h"
#include "classifiers/app/tls_server.h"
#include "classifiers/classifier.h"

/* Of a flow, while its server's records are read. */
struct tls_flow {
	uint32_t need; /* fewer bytes than these teach nothing new */
};

/* A flow that ends midway leaves what was read: truncated is set until the hello is whole. */
static enum classify read_client(const uint8_t *data, size_t len, struct app_facts *facts)
{
	struct tls_client_hello hello;
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

/*
 * Whether or not the client's hello was seen: captures of one direction have none. What looks like an
 * alert counts only in answer to one, since two of its bytes are little to go by.
 */
static enum classify read_server(struct tls_flow *x, const uint8_t *data, size_t len,
				 struct app_facts *facts)
{
	struct tls_server server;
	if (len < x->need)
		return CLASSIFY_MORE;
	enum classify answer = tls_server_read(data, len, &server, &x->need);
	if (answer == CLASSIFY_NEVER || facts->http != NULL)
		return CLASSIFY_NEVER;
	if (!server.has_hello && !server.retry && (!server.has_alert || facts->tls == NULL))
		return answer;
	if (facts->tls_server == NULL)
		facts->tls_server = malloc(sizeof(*facts->tls_server));
	if (facts->tls_server == NULL)
		return CLASSIFY_NEVER;
	*facts->tls_server = server;
	facts->app_proto = "tls";
	return answer;
}

static enum classify stream(void *shard, void *state, const struct flow *f, enum dir dir,
			    const struct packet *pkt, const struct headers *h, const uint8_t *data,
			    size_t len, struct app_facts *facts)
{
	(void)shard, (void)f, (void)pkt, (void)h;
	return dir == DIR_C2S ? read_client(data, len, facts)
			      : read_server(state, data, len, facts);
}

const struct classifier classifier_tls = {
	.name = "tls",
	.doc = "reads TLS handshakes: the client's hello, the server's, its certificate and alerts",
	.flow_size = sizeof(struct tls_flow),
	.stream = stream,
};
