/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdlib.h>

#include "classifiers/app/http.h"
#include "classifiers/classifier.h"

/* A flow that ends midway leaves what was read: truncated is set until the empty line. */
static enum classify stream(void *shard, void *state, const struct flow *f, enum dir dir,
			    const struct packet *pkt, const struct headers *h, const uint8_t *data,
			    size_t len, struct app_facts *facts)
{
	(void)shard, (void)state, (void)f, (void)pkt, (void)h;
	struct http_request request;
	if (dir != DIR_C2S)
		return CLASSIFY_NEVER;
	enum classify answer = http_request_read(data, len, &request);
	if (answer == CLASSIFY_NEVER || request.method[0] == '\0')
		return answer;
	if (facts->http == NULL)
		facts->http = malloc(sizeof(*facts->http));
	if (facts->http == NULL)
		return CLASSIFY_NEVER;
	*facts->http = request;
	facts->app_proto = "http";
	return answer;
}

const struct classifier classifier_http = {
	.name = "http",
	.doc = "reads HTTP/1 requests: method, target, Host",
	.stream = stream,
};
