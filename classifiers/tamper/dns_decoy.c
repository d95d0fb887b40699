/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/tamper/dns_decoy.h"

#include <ctype.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "classifiers/tamper/dns_address.h"

struct block {
	uint8_t prefix[4], bits;
	uint8_t owner; /* enum dns_owner */
};

/* ARIN's and RIPE's registrations; AS32934, AS13414, AS19679. */
static const struct block blocks[] = {
	{{31, 13, 24}, 21, OWNER_FACEBOOK},    {{31, 13, 64}, 18, OWNER_FACEBOOK},
	{{66, 220, 144}, 20, OWNER_FACEBOOK},  {{69, 63, 176}, 20, OWNER_FACEBOOK},
	{{69, 171, 224}, 19, OWNER_FACEBOOK},  {{157, 240}, 16, OWNER_FACEBOOK},
	{{173, 252, 64}, 18, OWNER_FACEBOOK},  {{104, 244, 40}, 21, OWNER_TWITTER},
	{{199, 16, 156}, 22, OWNER_TWITTER},   {{199, 59, 148}, 22, OWNER_TWITTER},
	{{199, 96, 56}, 21, OWNER_TWITTER},    {{108, 160, 160}, 20, OWNER_DROPBOX},
	{{162, 125}, 16, OWNER_DROPBOX},       {{199, 47, 216}, 22, OWNER_DROPBOX},
};

static const char *const facebooks[] = {
	"facebook.com", "facebook.net", "fbcdn.net", "fb.com", "fb.me", "fb.gg", "fb.watch", "fbsbx.com",
	"fbpigeon.com", "messenger.com", "m.me", "instagram.com", "instagr.am", "cdninstagram.com", "ig.me",
	"whatsapp.com", "whatsapp.net", "whatsapp.biz", "wa.me", "threads.net", "threads.com", "oculus.com",
	"oculuscdn.com", "meta.com", "meta.ai", "meta.net", "workplace.com", "internalfb.com", "tfbnw.net",
	"internet.org", "freebasics.com", "atdmt.com", "accountkit.com", "wit.ai", NULL,
};

static const char *const twitters[] = {
	"twitter.com", "x.com", "t.co", "twimg.com", "twttr.com", "twitter.jp", "twitterinc.com",
	"ads-twitter.com", "tweetdeck.com", "periscope.tv", "pscp.tv", "vine.co", "mopub.com", "digits.com",
	"fabric.io", "crashlytics.com", "gnip.com", "getrevue.co", NULL,
};

static const char *const dropboxes[] = {
	"dropbox.com", "dropbox-dns.com", "dropboxapi.com", "dropboxstatic.com", "dropboxusercontent.com",
	"dropboxforum.com", "dropboxbusiness.com", "dropboxmail.com", "getdropbox.com", "db.tt",
	"docsend.com", "hellosign.com", "hellofax.com", "dash.ai", NULL,
};

static bool in_block(const uint8_t *b, const struct block *k)
{
	uint32_t addr = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
	uint32_t net = (uint32_t)k->prefix[0] << 24 | (uint32_t)k->prefix[1] << 16 |
		       (uint32_t)k->prefix[2] << 8 | k->prefix[3];
	return (addr ^ net) >> (32 - k->bits) == 0;
}

enum dns_owner dns_address_owner(const struct ip_addr *addr, unsigned ip_version)
{
	for (size_t i = 0; ip_version == 4 && i < sizeof(blocks) / sizeof(*blocks); i++)
		if (in_block(addr->b + 12, &blocks[i]))
			return (enum dns_owner)blocks[i].owner;
	return OWNER_NONE;
}

bool dns_name_is_owners(const char *name, enum dns_owner owner)
{
	static const char *const *const domains[] = {
		[OWNER_FACEBOOK] = facebooks, [OWNER_TWITTER] = twitters, [OWNER_DROPBOX] = dropboxes,
	};
	for (const char *const *d = domains[owner]; d != NULL && *d != NULL; d++)
		if (dns_name_is_within(name, *d))
			return true;
	return false;
}

/* The last two labels in lower case, as one of 64. */
static uint64_t domain_bit(const char *name, enum dns_owner owner)
{
	char lower[64];
	size_t from = strlen(name), n = 0;
	for (unsigned dots = 0; from > 0; from--) {
		dots += name[from - 1] == '.';
		if (dots == 2)
			break;
	}
	for (; name[from + n] != '\0' && n < sizeof(lower); n++)
		lower[n] = (char)tolower((unsigned char)name[from + n]);
	return 1ull << (XXH3_64bits_withSeed(lower, n, owner) & 63);
}

uint64_t dns_decoy_bit(const char *name, const struct ip_addr *addr, unsigned ip_version, unsigned n_answers)
{
	enum dns_owner owner = n_answers == 1 ? dns_address_owner(addr, ip_version) : OWNER_NONE;
	if (owner == OWNER_NONE || !dns_name_is_public(name) || dns_name_is_owners(name, owner))
		return 0;
	return domain_bit(name, owner);
}
