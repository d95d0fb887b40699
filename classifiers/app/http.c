/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/app/http.h"

#include <string.h>

#include "classifiers/app/http_text.h"
#include "dataplane/reassembly.h"

/* Line ends before the request line that are stepped over; RFC 9112 section 2.2 asks for one. */
#define LEADING_BLANKS_MAX 64

/* RFC 9110 section 5.6.2. */
static bool is_token(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* Methods that are believed without a version behind the target. */
static bool is_known_method(const struct slice *s)
{
	static const char *const known[] = {
		"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH",
	};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (slice_is(s, known[i]))
			return true;
	return false;
}

/* origin-form or absolute-form; the other two forms are also those of RTSP, SIP and ICAP. */
static bool is_web_target(const struct slice *s)
{
	return slice_starts(s, "/") || slice_starts(s, "http://") || slice_starts(s, "https://");
}

/* "HTTP/1." and one digit. */
static bool is_http1(const struct slice *s)
{
	return slice_len(s) == 8 && slice_starts(s, "HTTP/1.") && s->data[s->to - 1] >= '0' &&
	       s->data[s->to - 1] <= '9';
}

/* The name in "name:port" and "[v6]:port"; a v6 address without brackets stays whole. */
static struct slice name_without_port(struct slice s)
{
	const uint8_t *from = s.data + s.from;
	const uint8_t *bracket = memchr(from, ']', slice_len(&s));
	const uint8_t *colon = memchr(from, ':', slice_len(&s));
	if (slice_len(&s) != 0 && *from == '[' && bracket != NULL) {
		s.to = (size_t)(bracket + 1 - s.data);
		return s;
	}
	if (colon == NULL)
		return s;
	size_t port = (size_t)(colon - s.data) + 1;
	size_t i = port;
	while (i < s.to && s.data[i] >= '0' && s.data[i] <= '9')
		i++;
	if (i == s.to)
		s.to = port - 1;
	return s;
}

static void take_host(struct http_request *out, struct slice name)
{
	if (out->has_host || slice_len(&name) == 0)
		return;
	out->has_host = true;
	out->host_len = (uint16_t)slice_len(&name);
	out->host_offset = (uint32_t)name.from;
	out->host_end = (uint32_t)name.to;
	slice_copy(&name, out->host, sizeof(out->host));
}

/* RFC 9112 section 3.2.2: the authority of an absolute target wins over Host. */
static void take_target_host(struct http_request *out, struct slice target, bool connect)
{
	if (slice_starts(&target, "http://"))
		target.from += strlen("http://");
	else if (slice_starts(&target, "https://"))
		target.from += strlen("https://");
	else if (!connect)
		return;
	size_t end = target.from;
	while (end < target.to && strchr("/?#", target.data[end]) == NULL)
		end++;
	target.to = end;
	for (size_t i = target.from; i < end; i++)
		if (target.data[i] == '@')
			target.from = i + 1;
	take_host(out, name_without_port(target));
}

/* The last word of a target that has more than one, else nothing. */
static struct slice last_word(struct slice target)
{
	struct slice word = target;
	for (word.from = word.to; word.from > target.from; word.from--)
		if (is_blank(word.data[word.from - 1]))
			return word;
	word.from = word.to;
	return word;
}

/* The request line, whole or (ended false) its front. NEVER, or MORE with *out filled. */
static enum classify read_request_line(struct slice line, bool ended, struct http_request *out)
{
	struct slice method = line, target;
	for (method.to = line.from; method.to < line.to && is_token(line.data[method.to]);)
		method.to++;
	if (slice_starts(&method, "SSH-") || slice_len(&method) >= sizeof(out->method))
		return CLASSIFY_NEVER;
	if (method.to == line.to)
		return ended ? CLASSIFY_NEVER : CLASSIFY_MORE;
	/* SSTP's one request (MS-SSTP, section 3.2.4.1): somebody may mind the protocol, not the name. */
	if (slice_len(&method) == 0 || !is_blank(line.data[method.to]) ||
	    slice_is(&method, "SSTP_DUPLEX_POST"))
		return CLASSIFY_NEVER;

	target = (struct slice){.data = line.data, .from = method.to, .to = line.to};
	slice_trim(&target);
	struct slice version = last_word(target);
	bool http1 = ended && is_http1(&version);
	if (!http1 && !(is_known_method(&method) && is_web_target(&target)))
		return ended ? CLASSIFY_NEVER : CLASSIFY_MORE;
	if (ended && (slice_starts(&version, "RTSP/") || slice_starts(&version, "SIP/")))
		return CLASSIFY_NEVER;

	slice_copy(&method, out->method, sizeof(out->method));
	if (ended && slice_len(&version) != 0) {
		slice_copy(&version, out->version, sizeof(out->version));
		target.to = version.from;
		slice_trim(&target);
	}
	slice_copy(&target, out->path, sizeof(out->path));
	out->path_len = (uint16_t)slice_len(&target);
	if (ended)
		take_target_host(out, target, slice_is(&method, "CONNECT"));
	return CLASSIFY_MORE;
}

/* One whole header line. *in_host: what came before it is a Host that has no value yet. */
static void read_header_line(struct slice line, bool *in_host, struct http_request *out)
{
	struct slice value = line;
	if (line.from < line.to && is_blank(line.data[line.from])) {
		if (!*in_host) /* goes on with another header (obs-fold) */
			return;
	} else {
		struct slice name = line;
		for (name.to = line.from; name.to < line.to && line.data[name.to] != ':';)
			name.to++;
		value.from = name.to + 1;
		bool colon = name.to < line.to;
		slice_trim(&name);
		*in_host = colon && slice_is(&name, "Host");
		if (!*in_host)
			return;
	}
	slice_trim(&value);
	if (slice_len(&value) != 0) {
		take_host(out, name_without_port(value));
		*in_host = false;
	}
}

/* Everything behind the request line. */
static enum classify read_headers(const uint8_t *data, size_t len, size_t at,
				  struct http_request *out)
{
	bool in_host = false;
	struct slice line;
	while (at != 0 && at < len) {
		size_t next;
		if (!line_at(data, len, at, &line, &next))
			return CLASSIFY_MORE;
		if (slice_len(&line) == 0 && next != 0) {
			out->head_end = (uint32_t)next;
			out->truncated = false;
			return CLASSIFY_DONE;
		}
		read_header_line(line, &in_host, out);
		at = next;
	}
	return CLASSIFY_MORE;
}

enum classify http_request_read(const uint8_t *data, size_t len, struct http_request *out)
{
	size_t start = 0, next = 0;
	struct slice line;

	*out = (struct http_request){.truncated = true};
	bool full = len >= REASSEMBLY_LIMIT;
	if (full)
		len = REASSEMBLY_LIMIT;
	while (start < len && is_eol(data[start]))
		start++;
	if (start > LEADING_BLANKS_MAX)
		return CLASSIFY_NEVER;
	bool ended = line_at(data, len, start, &line, &next);
	enum classify answer = read_request_line(line, ended, out);
	if (answer == CLASSIFY_MORE && ended)
		answer = read_headers(data, len, next, out);
	if (answer == CLASSIFY_MORE && full)
		answer = out->method[0] != '\0' ? CLASSIFY_DONE : CLASSIFY_NEVER;
	return answer;
}
