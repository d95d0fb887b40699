/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/libraries.h"

#include <openssl/crypto.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>
#include <zlib.h>

#include "classifiers/lists/matcher.h"
#include "config.h"
#if HAVE_SQLITE
#include <sqlite3.h>
#endif
#if HAVE_ZSTD
#include <zstd.h>
#endif

/* nDPI's headers stay in its classifier: the build says which version was found. */
#if !HAVE_NDPI
#define NDPI_FOUND ""
#elif !defined(NDPI_FOUND)
#define NDPI_FOUND "unknown"
#endif

/* "libpcap version 1.10.3 (with TPACKET_V3)" and "OpenSSL 3.0.1 …": the first word with a digit. */
static void first_number(char *out, size_t room, const char *text)
{
	size_t at = strcspn(text, "0123456789");
	size_t n = strcspn(text + at, " ,");

	snprintf(out, room, "%.*s", (int)n, text + at);
}

void libraries(struct library out[LIBRARIES_N])
{
	unsigned xxh = XXH_versionNumber();

	memset(out, 0, LIBRARIES_N * sizeof(*out));
	out[0].name = "libpcap";
	first_number(out[0].version, sizeof(out[0].version), pcap_lib_version());
	out[1].name = "libcrypto";
	first_number(out[1].version, sizeof(out[1].version), OpenSSL_version(OPENSSL_VERSION));
	out[2].name = "zlib";
	snprintf(out[2].version, sizeof(out[2].version), "%s", zlibVersion());
	out[3].name = "xxhash";
	snprintf(out[3].version, sizeof(out[3].version), "%u.%u.%u", xxh / 10000, xxh / 100 % 100,
		 xxh % 100);
	out[4].name = "zstd";
#if HAVE_ZSTD
	snprintf(out[4].version, sizeof(out[4].version), "%s", ZSTD_versionString());
#endif
	out[5].name = "ndpi";
	snprintf(out[5].version, sizeof(out[5].version), "%s", NDPI_FOUND);
	out[6].name = "hyperscan";
	first_number(out[6].version, sizeof(out[6].version), matcher_library());
	out[7].name = "sqlite";
#if HAVE_SQLITE
	snprintf(out[7].version, sizeof(out[7].version), "%s", sqlite3_libversion());
#endif
}
