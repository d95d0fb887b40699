/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/geo.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#if HAVE_MAXMINDDB
#include <maxminddb.h>
#endif

struct geo {
	char country[3];
#if HAVE_MAXMINDDB
	MMDB_s db[GEO_FILES];
#endif
	unsigned n;
};

static int take_country(struct geo *g, const char *country, char *why, size_t len)
{
	if (country == NULL)
		return 0;
	if (strlen(country) != 2 || !isalpha((unsigned char)country[0]) ||
	    !isalpha((unsigned char)country[1])) {
		snprintf(why, len, "a country is two letters (ISO 3166-1)");
		return -EINVAL;
	}
	g->country[0] = (char)toupper((unsigned char)country[0]);
	g->country[1] = (char)toupper((unsigned char)country[1]);
	return 0;
}

#if HAVE_MAXMINDDB

static int open_file(struct geo *g, const char *file, char *why, size_t len)
{
	int status = MMDB_open(file, MMDB_MODE_MMAP, &g->db[g->n]);
	if (status == MMDB_SUCCESS) {
		g->n++;
		return 0;
	}
	int err = status == MMDB_IO_ERROR && errno != 0 ? errno : 0;
	snprintf(why, len, "%s: %s", file, err != 0 ? strerror(err) : MMDB_strerror(status));
	return err != 0 ? -err : -EBADMSG;
}

static bool take_text(MMDB_entry_s *entry, const char *const *path, char *out, size_t len)
{
	MMDB_entry_data_s d;
	if (MMDB_aget_value(entry, &d, path) != MMDB_SUCCESS || !d.has_data ||
	    d.type != MMDB_DATA_TYPE_UTF8_STRING)
		return false;
	snprintf(out, len, "%.*s", (int)(d.data_size < len ? d.data_size : len - 1), d.utf8_string);
	return true;
}

static void take_number(MMDB_entry_s *entry, const char *const *path, uint32_t *out)
{
	MMDB_entry_data_s d;
	if (MMDB_aget_value(entry, &d, path) != MMDB_SUCCESS || !d.has_data)
		return;
	if (d.type == MMDB_DATA_TYPE_UINT32)
		*out = d.uint32;
	else if (d.type == MMDB_DATA_TYPE_UINT16)
		*out = d.uint16;
}

/* The field names of GeoLite2 and of DB-IP, and those of IPinfo. */
static void take_entry(MMDB_entry_s *e, struct geo_place *out)
{
	static const char *const asn[] = {"autonomous_system_number", NULL};
	static const char *const org[] = {"autonomous_system_organization", NULL};
	static const char *const country[] = {"country", "iso_code", NULL};
	static const char *const flat_country[] = {"country", NULL};
	static const char *const country_code[] = {"country_code", NULL};
	static const char *const flat_asn[] = {"asn", NULL};
	static const char *const flat_org[] = {"as_name", NULL};
	char text[16];

	take_number(e, asn, &out->asn);
	if (out->asn == 0 && take_text(e, flat_asn, text, sizeof(text)) &&
	    strncmp(text, "AS", 2) == 0)
		out->asn = (uint32_t)strtoul(text + 2, NULL, 10);
	if (out->org[0] == '\0' && !take_text(e, org, out->org, sizeof(out->org)))
		take_text(e, flat_org, out->org, sizeof(out->org));
	if (out->country[0] == '\0' &&
	    (take_text(e, country, text, sizeof(text)) ||
	     take_text(e, country_code, text, sizeof(text)) ||
	     take_text(e, flat_country, text, sizeof(text))) &&
	    strlen(text) == 2)
		memcpy(out->country, text, sizeof(out->country));
}

static void look_up(const struct geo *g, const struct ip_addr *a, unsigned ip_version,
		    struct geo_place *out)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	const void *sa = ip_version == 4 ? (const void *)&v4 : (const void *)&v6;

	memcpy(&v4.sin_addr, a->b + 12, sizeof(v4.sin_addr));
	memcpy(&v6.sin6_addr, a->b, sizeof(v6.sin6_addr));
	for (unsigned i = 0; i < g->n; i++) {
		int err = 0;
		MMDB_lookup_result_s r = MMDB_lookup_sockaddr(&g->db[i], sa, &err);
		if (err == MMDB_SUCCESS && r.found_entry)
			take_entry(&r.entry, out);
	}
}

static void close_files(struct geo *g)
{
	for (unsigned i = 0; i < g->n; i++)
		MMDB_close(&g->db[i]);
}

#else

static int open_file(struct geo *g, const char *file, char *why, size_t len)
{
	(void)g;
	snprintf(why, len, "%s: this wmscope was built without libmaxminddb", file);
	return -ENOTSUP;
}

static void look_up(const struct geo *g, const struct ip_addr *a, unsigned ip_version,
		    struct geo_place *out)
{
	(void)g, (void)a, (void)ip_version, (void)out;
}

static void close_files(struct geo *g)
{
	(void)g;
}

#endif

int geo_open(struct geo **out, const char *const *files, unsigned n, const char *country, char *why,
	     size_t len)
{
	struct geo *g = calloc(1, sizeof(*g));
	int err = g == NULL ? -ENOMEM : take_country(g, country, why, len);
	if (g == NULL)
		snprintf(why, len, "%s", strerror(ENOMEM));
	for (unsigned i = 0; i < n && err == 0; i++) {
		if (g->n == GEO_FILES) {
			snprintf(why, len, "%s: more than %d databases", files[i], GEO_FILES);
			err = -E2BIG;
		} else {
			err = open_file(g, files[i], why, len);
		}
	}
	if (err != 0) {
		geo_close(g);
		return err;
	}
	*out = g;
	return 0;
}

void geo_close(struct geo *g)
{
	if (g == NULL)
		return;
	close_files(g);
	free(g);
}

bool geo_find(const struct geo *g, const struct ip_addr *a, unsigned ip_version, bool client,
	      struct geo_place *out)
{
	*out = (struct geo_place){.asn = 0};
	if (g == NULL || (ip_version != 4 && ip_version != 6))
		return false;
	look_up(g, a, ip_version, out);
	if (client && g->country[0] != '\0')
		memcpy(out->country, g->country, sizeof(out->country));
	return out->asn != 0 || out->country[0] != '\0' || out->org[0] != '\0';
}
