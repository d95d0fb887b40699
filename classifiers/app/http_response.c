/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/app/http_response.h"

#include "classifiers/app/http_text.h"
#include "dataplane/reassembly.h"

/* "HTTP/1.1 200", the part of a status line that must be there. */
#define STATUS_LINE_MIN 12

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* What every status line begins with, as far as it is here. */
static bool may_be_status_line(const uint8_t *p, size_t n)
{
	static const char shape[] = "HTTP/#.# ###";
	for (size_t i = 0; i < n && i < STATUS_LINE_MIN; i++)
		if (shape[i] == '#' ? !is_digit(p[i]) : p[i] != (uint8_t)shape[i])
			return false;
	return true;
}

static uint16_t read_status(const uint8_t *p)
{
	return (uint16_t)((p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0'));
}

/* RFC 9110 section 15.2. */
static bool is_interim(uint16_t status)
{
	return status >= 100 && status < 200 && status != 101;
}

/* RFC 9112 section 6.3, points 1 and 2. */
static bool is_bodyless(uint16_t status, const char *method)
{
	if (status == 204 || status == 304 || status == 101)
		return true;
	return method != NULL && (strcasecmp(method, "HEAD") == 0 ||
				  (strcasecmp(method, "CONNECT") == 0 && status / 100 == 2));
}

static bool has_word(struct slice list, const char *word)
{
	while (list.from < list.to) {
		struct slice item = list;
		for (item.to = item.from; item.to < list.to && list.data[item.to] != ',';)
			item.to++;
		list.from = item.to + 1;
		slice_trim(&item);
		if (slice_is(&item, word))
			return true;
	}
	return false;
}

static bool is_text_type(const struct slice *value)
{
	static const char *const types[] = {"text/html", "text/plain", "text/xml",
					    "application/xhtml+xml"};
	for (unsigned i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (slice_starts(value, types[i]))
			return true;
	return false;
}

static enum http_coding coding_of(const struct slice *value)
{
	if (slice_is(value, "identity") || slice_len(value) == 0)
		return HTTP_IDENTITY;
	if (slice_is(value, "gzip") || slice_is(value, "x-gzip"))
		return HTTP_GZIP;
	return slice_is(value, "deflate") ? HTTP_DEFLATE : HTTP_CODING_OTHER;
}

static void read_length(const struct slice *value, struct http_response *out)
{
	uint64_t length = 0;
	size_t i = value->from;
	for (; i < value->to && i - value->from < 18 && is_digit(value->data[i]); i++)
		length = length * 10 + (value->data[i] - '0');
	if (out->has_length || slice_len(value) == 0 || i != value->to)
		return;
	out->has_length = true;
	out->length = length;
}

static uint16_t short_len(const struct slice *s)
{
	return (uint16_t)slice_len(s); /* at most REASSEMBLY_LIMIT */
}

static void take_header(const struct slice *name, const struct slice *value,
			struct http_response *out)
{
	if (slice_is(name, "Location") && !out->has_location) {
		out->has_location = true;
		out->location_len = short_len(value);
		slice_copy(value, out->location, sizeof(out->location));
	} else if (slice_is(name, "Server") && !out->has_server) {
		out->has_server = true;
		out->server_len = short_len(value);
		slice_copy(value, out->server, sizeof(out->server));
	} else if (slice_is(name, "Content-Type")) {
		out->has_type = true;
		out->is_text = is_text_type(value);
	} else if (slice_is(name, "Content-Encoding")) {
		out->coding = (uint8_t)coding_of(value);
	} else if (slice_is(name, "Content-Length")) {
		read_length(value, out);
	} else if (slice_is(name, "Transfer-Encoding")) {
		out->chunked |= has_word(*value, "chunked");
	} else if (slice_is(name, "Connection")) {
		out->close = has_word(*value, "close") ||
			     (out->close && !has_word(*value, "keep-alive"));
	} else if (slice_is(name, "Date")) {
		out->has_date = true;
	} else if (slice_is(name, "Via")) {
		out->has_via = true;
	}
}

/* "name: value"; false without a colon. */
static bool split_header(const struct slice *line, struct slice *name, struct slice *value)
{
	*name = *value = *line;
	for (name->to = line->from; name->to < line->to && line->data[name->to] != ':';)
		name->to++;
	if (name->to == line->to)
		return false;
	value->from = name->to + 1;
	slice_trim(name);
	slice_trim(value);
	return true;
}

/* One response from its status line at *from on. DONE with *from behind the empty line, or MORE. */
static enum classify read_head(const uint8_t *data, size_t len, size_t *from,
			       struct http_response *out)
{
	struct slice line, name, value;
	size_t next;
	for (size_t at = *from; at < len; at = next) {
		bool ended = line_at(data, len, at, &line, &next);
		/* After a CR as the last byte the body begins here or one byte on. */
		if (!ended || next == 0)
			return CLASSIFY_MORE;
		if (slice_len(&line) == 0) {
			*from = next;
			return CLASSIFY_DONE;
		}
		if (at != *from && !is_blank(data[at]) && split_header(&line, &name, &value))
			take_header(&name, &value, out);
	}
	return CLASSIFY_MORE;
}

enum classify http_response_read(const uint8_t *data, size_t len, const char *method,
				 struct http_response *out)
{
	size_t at = 0;
	enum classify answer;

	*out = (struct http_response){.truncated = true};
	bool full = len >= REASSEMBLY_LIMIT;
	if (full)
		len = REASSEMBLY_LIMIT;
	do {
		*out = (struct http_response){.truncated = true};
		if (!may_be_status_line(data + at, len - at))
			return CLASSIFY_NEVER;
		answer = CLASSIFY_MORE;
		if (len - at < STATUS_LINE_MIN)
			break;
		out->status = read_status(data + at);
		out->head_start = (uint32_t)at;
		out->close = data[at + 5] == '1' && data[at + 7] == '0';
		answer = read_head(data, len, &at, out);
	} while (answer == CLASSIFY_DONE && is_interim(out->status));
	if (answer == CLASSIFY_DONE) {
		out->head_end = (uint32_t)at;
		out->truncated = false;
		out->bodyless = is_bodyless(out->status, method);
	} else if (full) {
		answer = out->status != 0 ? CLASSIFY_DONE : CLASSIFY_NEVER;
	}
	return answer;
}

bool http_header_next(const struct http_response *r, const uint8_t *data, size_t len, uint32_t *at,
		      struct http_header *out)
{
	struct slice line, name, value;
	size_t next;
	if (r->truncated || r->head_end > len || r->status == 0)
		return false;
	for (size_t from = *at != 0 ? *at : r->head_start; from < r->head_end; from = next) {
		if (!line_at(data, r->head_end, from, &line, &next) || next == 0)
			return false;
		bool first = from == r->head_start;
		*at = (uint32_t)next;
		if (first || is_blank(data[from]) || !split_header(&line, &name, &value))
			continue;
		*out = (struct http_header){.name = data + name.from, .name_len = slice_len(&name),
					    .value = data + value.from,
					    .value_len = slice_len(&value)};
		return true;
	}
	return false;
}
