/* SPDX-License-Identifier: BSD-3-Clause */

/* HTTP/1: the first request, the first response, and whether lists know that response as a page. */

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "classifiers/app/http.h"
#include "classifiers/app/http_response.h"
#include "classifiers/classifier.h"
#include "classifiers/inspector.h"
#include "classifiers/lists/matcher.h"
#include "classifiers/lists/page.h"
#include "dataplane/reassembly.h"

/* Shared by the shards of one thread. */
struct http_shard {
	struct matcher *matcher;         /* NULL: no lists */
	struct matcher_scratch *scratch; /* NULL until the first response */
	struct http_decoder *decoder;    /* NULL until the first body */
};

/* Of a flow, while its response is read. */
struct http_flow {
	struct http_body_end end;
	bool body_wanted;
};

static int shard_open(void *shard, const struct analysis_config *cfg)
{
	struct http_shard *s = shard;
	s->matcher = cfg->matcher;
	return 0;
}

static void shard_close(void *shard)
{
	struct http_shard *s = shard;
	matcher_scratch_free(s->scratch);
	http_decoder_free(s->decoder);
}

static bool can_match(struct http_shard *s)
{
	if (s->matcher != NULL && s->scratch == NULL &&
	    matcher_scratch_new(&s->scratch, s->matcher) != 0)
		s->scratch = NULL;
	return s->scratch != NULL;
}

/* A flow that ends midway leaves what was read: truncated is set until the empty line. */
static enum classify read_request(const uint8_t *data, size_t len, struct app_facts *facts)
{
	struct http_request request;
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

/* Values that no list looks at, and every response has. */
static bool is_everyday(const struct http_header *h)
{
	static const char *const names[] = {
		"Date",		 "Connection",	     "Cache-Control", "Content-Type",
		"Content-Length", "Content-Encoding", "ETag",	     "Expires",
		"Last-Modified", "Accept-Ranges",    "Vary",	     "Transfer-Encoding",
		"Keep-Alive",	 "Pragma",	     "Age",	     "P3P",
	};
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (h->name_len == strlen(names[i]) &&
		    strncasecmp((const char *)h->name, names[i], h->name_len) == 0)
			return true;
	return false;
}

static void match_head(struct http_shard *s, const struct http_response *r, const uint8_t *data,
		       size_t len, struct rule_hits *hits)
{
	char name[64], status[4];
	struct http_header h;
	uint32_t at = 0;
	if (r->status == 0)
		return;
	if (matcher_wants(s->matcher, RULE_HEAD))
		matcher_scan(s->matcher, s->scratch, RULE_HEAD, NULL, data + r->head_start,
			     r->head_end - r->head_start, matcher_collect, hits);
	if (!matcher_wants(s->matcher, RULE_HEADER))
		return;
	for (unsigned i = 0; i < 3; i++)
		status[i] = (char)data[r->head_start + 9 + i];
	matcher_scan(s->matcher, s->scratch, RULE_HEADER, ":status", status, 3, matcher_collect,
		     hits);
	while (http_header_next(r, data, len, &at, &h)) {
		if (h.name_len >= sizeof(name) || is_everyday(&h))
			continue;
		memcpy(name, h.name, h.name_len);
		name[h.name_len] = '\0';
		matcher_scan(s->matcher, s->scratch, RULE_HEADER, name, h.value, h.value_len,
			     matcher_collect, hits);
	}
}

/* "http://10.10.34.34" to 36, with nothing behind it that makes it another address. */
static bool is_iranian_frame(const char *source)
{
	static const char address[] = "http://10.10.34.3";
	size_t n = strlen(address);
	return strncasecmp(source, address, n) == 0 && source[n] >= '4' && source[n] <= '6' &&
	       !isdigit((unsigned char)source[n + 1]) && source[n + 1] != '.';
}

/* A body that ends with its connection is taken to be whole. */
static bool is_cut(const struct http_response *r, const struct http_flow *x, size_t len)
{
	if (r->chunked)
		return !x->end.whole;
	return r->has_length && len - r->head_end < r->length;
}

/* Once a response, when it is whole or nothing more of it will come. */
static void look_at_page(struct http_shard *s, const struct http_flow *x,
			 const struct http_response *r, const uint8_t *data, size_t len,
			 struct app_facts *facts)
{
	struct page_facts page = {.status = r->status};
	bool with_body = x->body_wanted;
	const uint8_t *body = data;
	if (r->truncated)
		return;
	if (can_match(s))
		match_head(s, r, data, len, &page.hits);
	if (with_body && s->decoder == NULL && http_decoder_new(&s->decoder) != 0)
		s->decoder = NULL;
	if (with_body && s->decoder != NULL)
		page.body_len = (uint32_t)http_body_decode(s->decoder, r, data, len, &body);
	if (page.body_len != 0 && s->scratch != NULL && matcher_wants(s->matcher, RULE_BODY))
		matcher_scan(s->matcher, s->scratch, RULE_BODY, NULL, body, page.body_len,
			     matcher_collect, &page.hits);
	if (r->status == 403 || page.hits.n != 0)
		http_body_frame(body, page.body_len, page.frame, sizeof(page.frame));
	page.cut = with_body && is_cut(r, x, len);
	page.framed_ir = r->status == 403 && is_iranian_frame(page.frame);
	if (page.hits.n == 0 && !page.framed_ir)
		return;
	http_body_title(body, page.body_len, page.title, sizeof(page.title));
	facts->page = malloc(sizeof(*facts->page));
	if (facts->page != NULL)
		*facts->page = page;
}

/*
 * Innocent responses are the many: their bodies are gathered only if a list could know them, or if
 * they forbid, which is where the built-in knowledge looks.
 */
static bool wants_body(const struct http_shard *s, const struct http_response *r)
{
	if (r->truncated || r->bodyless || r->coding == HTTP_CODING_OTHER ||
	    (r->has_type && !r->is_text))
		return false;
	return r->status == 403 || (s->matcher != NULL && matcher_wants(s->matcher, RULE_BODY));
}

/* An answer to a request that begins as a page does, without a status line. */
static bool is_bare_page(const uint8_t *data, size_t len)
{
	size_t i = 0;
	while (i < len && (data[i] == ' ' || data[i] == '\r' || data[i] == '\n' || data[i] == '\t'))
		i++;
	return i + 1 < len && data[i] == '<' && (data[i + 1] == '!' || isalpha(data[i + 1]));
}

/* The head, until it is whole. */
static enum classify read_head(const uint8_t *data, size_t len, struct app_facts *facts)
{
	struct http_response r;
	if (facts->tls != NULL)
		return CLASSIFY_NEVER;
	enum classify answer = http_response_read(
		data, len, facts->http != NULL ? facts->http->method : NULL, &r);
	if (answer == CLASSIFY_NEVER && facts->http != NULL && is_bare_page(data, len)) {
		r = (struct http_response){.close = true};
		answer = CLASSIFY_DONE;
	}
	if (answer == CLASSIFY_NEVER || (answer == CLASSIFY_MORE && r.status == 0))
		return answer;
	if (facts->response == NULL)
		facts->response = malloc(sizeof(*facts->response));
	if (facts->response == NULL)
		return CLASSIFY_NEVER;
	*facts->response = r;
	facts->app_proto = "http";
	return answer;
}

static enum classify read_response(struct http_shard *s, struct http_flow *x, const uint8_t *data,
				   size_t len, struct app_facts *facts)
{
	if (facts->response == NULL || facts->response->truncated) {
		enum classify answer = read_head(data, len, facts);
		if (answer != CLASSIFY_DONE)
			return answer;
		x->body_wanted = wants_body(s, facts->response);
	}
	const struct http_response *r = facts->response;
	if (x->body_wanted && !http_body_ended(r, data, len, &x->end) && len < REASSEMBLY_LIMIT)
		return CLASSIFY_MORE;
	look_at_page(s, x, r, data, len, facts);
	return CLASSIFY_DONE;
}

static enum classify stream(void *shard, void *state, const struct flow *f, enum dir dir,
			    const struct packet *pkt, const struct headers *h, const uint8_t *data,
			    size_t len, struct app_facts *facts)
{
	(void)f, (void)pkt, (void)h;
	return dir == DIR_C2S ? read_request(data, len, facts)
			      : read_response(shard, state, data, len, facts);
}

/* A body that ends with its connection, or was cut short. */
static void stream_end(void *shard, void *state, const struct flow *f, enum dir dir,
		       const uint8_t *data, size_t len, struct app_facts *facts)
{
	const struct http_flow *x = state;
	(void)f;
	if (dir == DIR_S2C && facts->response != NULL && facts->page == NULL)
		look_at_page(shard, x, facts->response, data, len, facts);
}

const struct classifier classifier_http = {
	.name = "http",
	.doc = "reads HTTP/1: the first request and the first response",
	.shard_size = sizeof(struct http_shard),
	.flow_size = sizeof(struct http_flow),
	.shard_open = shard_open,
	.shard_close = shard_close,
	.stream = stream,
	.stream_end = stream_end,
};
