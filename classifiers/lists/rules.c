/* SPDX-License-Identifier: BSD-3-Clause */
#include "classifiers/lists/rules.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "classifiers/arena.h"
#include "classifiers/lists/loader.h"

#define DNS_KEY_MAX 256 /* a name's text is at most 253 (RFC 1035, section 2.3.4) */

const char *const rule_where_name[RULE_WHERE_N] = {
	[RULE_HEAD] = "head", [RULE_HEADER] = "header", [RULE_BODY] = "body", [RULE_PAGE] = "page",
	[RULE_STREAM_C2S] = "stream:c2s", [RULE_STREAM_S2C] = "stream:s2c",
	[RULE_DATAGRAM] = "datagram", [RULE_DNS] = "dns",
};

const char *const rule_how_name[RULE_HOW_N] = {
	[RULE_CONTAINS] = "contains", [RULE_PREFIX] = "prefix", [RULE_FULL] = "full",
	[RULE_REGEXP] = "regexp",
};

const char *const rule_scope_name[RULE_SCOPE_N] = {
	[RULE_FP] = "fp", [RULE_NAT] = "nat", [RULE_ISP] = "isp", [RULE_PROD] = "prod",
	[RULE_INST] = "inst", [RULE_VBW] = "vbw", [RULE_UNKNOWN] = "unknown",
	[RULE_PROTO] = "proto",
};

const char *const list_format_name[LIST_FORMAT_N] = {
	[LIST_BUILTIN] = "built-in", [LIST_OONI] = "ooni", [LIST_CENSORED_PLANET] = "censored-planet",
	[LIST_RULES] = "rules",
};

struct ruleset {
	struct arena arena;
	struct rule **rules;
	size_t n_rules, room_rules;
	struct list_info **lists;
	size_t n_lists, room_lists;
	struct rule_refusal *refusals;
	size_t n_refusals, room_refusals;
	struct list_info *current; /* the list that is being read */
	uint32_t *dns;             /* open addressing: index + 1 of a rule, 0 free */
	size_t dns_size;           /* a power of two, 0 without DNS rules */
	uint8_t hash[32];
	bool sealed;
};

static bool list_room(void **list, size_t *room, size_t need, size_t size)
{
	if (need <= *room)
		return true;
	size_t bigger = *room != 0 ? *room * 2 : 64;
	void *p = realloc(*list, bigger * size);
	if (p == NULL)
		return false;
	*list = p;
	*room = bigger;
	return true;
}

static char *keep_bytes(struct ruleset *s, const void *data, size_t len)
{
	char *copy = arena_alloc(&s->arena, len + 1);
	if (copy != NULL && len != 0)
		memcpy(copy, data, len);
	return copy;
}

static const char *keep_text(struct ruleset *s, struct text t)
{
	return t.len == 0 ? "" : keep_bytes(s, t.s, t.len < RULE_TEXT_MAX ? t.len : RULE_TEXT_MAX);
}

int ruleset_new(struct ruleset **out)
{
	*out = calloc(1, sizeof(**out));
	return *out != NULL ? 0 : -ENOMEM;
}

void ruleset_free(struct ruleset *s)
{
	if (s == NULL)
		return;
	arena_free(&s->arena);
	free(s->rules);
	free(s->lists);
	free(s->refusals);
	free(s->dns);
	free(s);
}

int ruleset_refuse(struct ruleset *s, uint32_t line, struct text id, const char *reason)
{
	if (!list_room((void **)&s->refusals, &s->room_refusals, s->n_refusals + 1,
		       sizeof(*s->refusals)))
		return -ENOMEM;
	struct rule_refusal r = {.list = s->current->name, .line = line, .id = keep_text(s, id),
				 .reason = keep_text(s, text_of(reason, strlen(reason)))};
	if (r.id == NULL || r.reason == NULL)
		return -ENOMEM;
	s->refusals[s->n_refusals++] = r;
	s->current->rows++;
	s->current->refused++;
	return 0;
}

/* "" or codes parted by commas. */
static bool countries_valid(struct text t)
{
	if (t.len == 0)
		return true;
	for (size_t i = 0; i + 2 <= t.len; i += 3) {
		if (!country_known(t.s + i))
			return false;
		if (i + 2 == t.len)
			return true;
		if (t.s[i + 2] != ',')
			return false;
	}
	return false;
}

/* NULL, or why no format can have this row. */
static const char *draft_wrong(const struct draft *d)
{
	bool stream = d->where == RULE_STREAM_C2S || d->where == RULE_STREAM_S2C;
	if (d->id.len == 0)
		return "the row has no name";
	if (d->pattern.len == 0)
		return "the pattern is empty";
	if (d->pattern.len > RULE_PATTERN_MAX)
		return "the pattern is longer than 8192 bytes";
	if (d->where == RULE_HEADER && d->header.len == 0)
		return "no header is named";
	if (d->where == RULE_DNS && d->how != RULE_FULL)
		return "only whole DNS answers can be looked up";
	if (d->where == RULE_DNS && d->pattern.len >= DNS_KEY_MAX)
		return "longer than a DNS name can be";
	if (stream && d->how == RULE_FULL)
		return "a stream has no end to compare with";
	if (d->how == RULE_REGEXP && memchr(d->pattern.s, '\0', d->pattern.len) != NULL)
		return "a regular expression with a zero byte; write \\x00";
	if (!countries_valid(d->countries))
		return "a country that ISO 3166-1 does not have";
	return NULL;
}

int ruleset_add(struct ruleset *s, const struct draft *d)
{
	const char *wrong = draft_wrong(d);
	if (wrong != NULL)
		return ruleset_refuse(s, d->line, d->id, wrong);
	struct rule *r = arena_alloc(&s->arena, sizeof(*r));
	if (r == NULL || !list_room((void **)&s->rules, &s->room_rules, s->n_rules + 1,
				    sizeof(struct rule *)))
		return -ENOMEM;
	char *header = keep_bytes(s, d->header.s, d->where == RULE_HEADER ? d->header.len : 0);
	*r = (struct rule){
		.index = (uint32_t)s->n_rules,
		.line = d->line,
		.list = s->current->name,
		.id = keep_text(s, d->id),
		.source = keep_text(s, d->source),
		.name = keep_text(s, d->name),
		.countries = keep_text(s, d->countries),
		.header = header,
		.pattern = (const uint8_t *)keep_bytes(s, d->pattern.s, d->pattern.len),
		.len = (uint32_t)d->pattern.len,
		.where = d->where,
		.how = d->how,
		.scope = d->scope,
		.confidence = d->confidence,
		.nocase = d->nocase,
		.opt_in = d->opt_in,
	};
	if (r->id == NULL || r->source == NULL || r->name == NULL || r->countries == NULL ||
	    header == NULL || r->pattern == NULL)
		return -ENOMEM;
	for (char *c = header; *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
	s->rules[s->n_rules++] = r;
	s->current->rows++;
	s->current->rules++;
	return 0;
}

static void hex32(const uint8_t digest[32], char out[65])
{
	static const char digits[] = "0123456789abcdef";
	for (unsigned i = 0; i < 32; i++) {
		out[2 * i] = digits[digest[i] >> 4];
		out[2 * i + 1] = digits[digest[i] & 15];
	}
	out[64] = '\0';
}

static int list_begin(struct ruleset *s, const char *name, const char *path,
		      enum list_format format)
{
	if (s->sealed)
		return -EBUSY;
	if (!list_room((void **)&s->lists, &s->room_lists, s->n_lists + 1,
		       sizeof(struct list_info *)))
		return -ENOMEM;
	struct list_info *l = arena_alloc(&s->arena, sizeof(*l));
	if (l == NULL)
		return -ENOMEM;
	*l = (struct list_info){.name = keep_bytes(s, name, strlen(name)),
				.path = keep_bytes(s, path, strlen(path)),
				.imported = "", .format = format};
	if (l->name == NULL || l->path == NULL)
		return -ENOMEM;
	s->lists[s->n_lists++] = l;
	s->current = l;
	return 0;
}

static bool hash_bytes(EVP_MD_CTX *c, const void *data, size_t len)
{
	uint8_t n[4] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len};
	return EVP_DigestUpdate(c, n, sizeof(n)) == 1 && EVP_DigestUpdate(c, data, len) == 1;
}

/* Every field is of fixed length or comes with its length: no two sets give the same bytes. */
static bool hash_rule(EVP_MD_CTX *c, const struct rule *r)
{
	const char *const text[] = {r->header, r->id, r->name, r->countries, r->source, r->list};
	uint8_t head[] = {(uint8_t)r->where, (uint8_t)r->how, r->nocase, (uint8_t)r->scope,
			  r->confidence, r->opt_in};
	bool ok = EVP_DigestUpdate(c, head, sizeof(head)) == 1 && hash_bytes(c, r->pattern, r->len);
	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]) && ok; i++)
		ok = hash_bytes(c, text[i], strlen(text[i]));
	return ok;
}

/* Of the rules from this one on. */
static int hash_rules(const struct ruleset *s, size_t from, uint8_t out[32])
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool ok = c != NULL && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1;
	for (size_t i = from; i < s->n_rules && ok; i++)
		ok = hash_rule(c, s->rules[i]);
	ok = ok && EVP_DigestFinal_ex(c, out, NULL) == 1;
	EVP_MD_CTX_free(c);
	return ok ? 0 : -ENOMEM;
}

int ruleset_builtin(struct ruleset *s)
{
	size_t before = s->n_rules;
	uint8_t digest[32];

	int err = list_begin(s, "builtin", "", LIST_BUILTIN);
	if (err == 0)
		err = list_builtin_read(s);
	/* It has no bytes of a file: its rules are told from those of another version. */
	if (err == 0)
		err = hash_rules(s, before, digest);
	if (err == 0)
		hex32(digest, s->current->sha256);
	return err;
}

/* By how it begins: OONI's column names, an object, or else words. */
static enum list_format format_of(const char *data, size_t len)
{
	static const char columns[] = "name,scope,";
	size_t at = 0;
	if (len >= sizeof(columns) - 1 && memcmp(data, columns, sizeof(columns) - 1) == 0)
		return LIST_OONI;
	while (at < len && isspace((unsigned char)data[at]))
		at++;
	return at < len && data[at] == '{' ? LIST_CENSORED_PLANET : LIST_RULES;
}

int ruleset_load(struct ruleset *s, const char *name, const char *path, const void *data,
		 size_t len)
{
	static int (*const read_as[LIST_FORMAT_N])(struct ruleset *, const char *, size_t) = {
		[LIST_OONI] = list_ooni_read,
		[LIST_CENSORED_PLANET] = list_censored_planet_read,
		[LIST_RULES] = list_rules_read,
	};
	const char *text = data;
	uint8_t digest[32];

	if (len > LIST_SIZE_MAX)
		return -EINVAL;
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) { /* a byte order mark */
		text += 3;
		len -= 3;
	}
	enum list_format format = format_of(text, len);
	int err = list_begin(s, name, path, format);
	if (err != 0)
		return err;
	if (EVP_Digest(text, len, digest, NULL, EVP_sha256(), NULL) != 1)
		return -ENOMEM;
	hex32(digest, s->current->sha256);
	return read_as[format](s, text, len);
}

int list_file_read(const char *path, char **data, size_t *len)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = 0;

	*data = NULL;
	*len = 0;
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) != 0)
		err = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_size < 0 || st.st_size > (off_t)LIST_SIZE_MAX)
		err = -EINVAL;
	if (err == 0 && (*data = malloc((size_t)st.st_size + 1)) == NULL)
		err = -ENOMEM;
	while (err == 0 && *len < (size_t)st.st_size) {
		ssize_t n = read(fd, *data + *len, (size_t)st.st_size - *len);
		if (n < 0 && errno != EINTR)
			err = -errno;
		if (n == 0)
			break;
		*len += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	return err;
}

int ruleset_load_file(struct ruleset *s, const char *path, const char *imported)
{
	const char *slash = strrchr(path, '/');
	char *data;
	size_t len;
	int err = list_file_read(path, &data, &len);
	if (err == 0)
		err = ruleset_load(s, slash != NULL ? slash + 1 : path, path, data, len);
	if (err == 0 && imported != NULL) {
		s->current->imported = keep_text(s, text_of(imported, strlen(imported)));
		err = s->current->imported != NULL ? 0 : -ENOMEM;
	}
	free(data);
	return err;
}

/* An address in binary behind its version, or a name in lower case without its last dot. */
static size_t dns_key(const char *text, size_t len, uint8_t key[DNS_KEY_MAX])
{
	char copy[DNS_KEY_MAX];
	if (len == 0 || len >= sizeof(copy))
		return 0;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (inet_pton(AF_INET, copy, key + 1) == 1) {
		key[0] = 4;
		return 5;
	}
	if (inet_pton(AF_INET6, copy, key + 1) == 1) {
		key[0] = 6;
		return 17;
	}
	if (len > 1 && copy[len - 1] == '.')
		len--;
	for (size_t i = 0; i < len; i++)
		key[i] = (uint8_t)tolower((unsigned char)copy[i]);
	return len;
}

static const struct rule *dns_find(const struct ruleset *s, const uint8_t *key, size_t len)
{
	const struct rule *best = NULL;
	if (s->dns_size == 0 || len == 0)
		return NULL;
	for (size_t at = XXH3_64bits(key, len);; at++) {
		uint32_t i = s->dns[at & (s->dns_size - 1)];
		if (i == 0)
			return best;
		const struct rule *r = s->rules[i - 1];
		uint8_t other[DNS_KEY_MAX];
		if (dns_key((const char *)r->pattern, r->len, other) == len &&
		    memcmp(key, other, len) == 0 && (best == NULL || rule_compare(r, best) < 0))
			best = r;
	}
}

const struct rule *ruleset_find_dns_addr(const struct ruleset *s, const struct ip_addr *addr,
					 unsigned ip_version)
{
	uint8_t key[17] = {ip_version == 6 ? 6 : 4};
	size_t len = ip_version == 6 ? 16 : 4;
	memcpy(key + 1, addr->b + 16 - len, len);
	return dns_find(s, key, len + 1);
}

const struct rule *ruleset_find_dns_name(const struct ruleset *s, const char *name, size_t len)
{
	uint8_t key[DNS_KEY_MAX];
	return dns_find(s, key, dns_key(name, len, key));
}

static int seal_dns(struct ruleset *s)
{
	size_t n = 0;
	for (size_t i = 0; i < s->n_rules; i++)
		n += s->rules[i]->where == RULE_DNS;
	if (n == 0)
		return 0;
	for (s->dns_size = 16; s->dns_size < 2 * n;)
		s->dns_size *= 2;
	s->dns = calloc(s->dns_size, sizeof(*s->dns));
	if (s->dns == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_rules; i++) {
		const struct rule *r = s->rules[i];
		uint8_t key[DNS_KEY_MAX];
		if (r->where != RULE_DNS)
			continue;
		size_t at = XXH3_64bits(key, dns_key((const char *)r->pattern, r->len, key));
		while (s->dns[at & (s->dns_size - 1)] != 0)
			at++;
		s->dns[at & (s->dns_size - 1)] = r->index + 1;
	}
	return 0;
}

int ruleset_seal(struct ruleset *s)
{
	if (s->sealed)
		return -EBUSY;
	int err = hash_rules(s, 0, s->hash);
	if (err != 0)
		return err;
	s->sealed = true;
	return seal_dns(s);
}

size_t ruleset_count(const struct ruleset *s)
{
	return s->n_rules;
}

const struct rule *ruleset_rule(const struct ruleset *s, size_t index)
{
	return s->rules[index];
}

size_t ruleset_lists(const struct ruleset *s)
{
	return s->n_lists;
}

const struct list_info *ruleset_list(const struct ruleset *s, size_t i)
{
	return s->lists[i];
}

size_t ruleset_refusals(const struct ruleset *s)
{
	return s->n_refusals;
}

const struct rule_refusal *ruleset_refusal(const struct ruleset *s, size_t i)
{
	return &s->refusals[i];
}

const uint8_t *ruleset_hash(const struct ruleset *s)
{
	return s->hash;
}
