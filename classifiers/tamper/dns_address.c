/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/tamper/dns_address.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

struct net {
	uint8_t prefix[16];
	uint8_t bits;
	uint8_t class; /* enum dns_address */
};

/* IANA special-purpose registries; the first that holds it. */
static const struct net nets4[] = {
	{{0, 0, 0, 0}, 32, ADDRESS_UNSPECIFIED},    {{0}, 8, ADDRESS_RESERVED},
	{{10}, 8, ADDRESS_PRIVATE},		    {{100, 64}, 10, ADDRESS_PRIVATE},
	{{127, 0, 0, 1}, 32, ADDRESS_LOOPBACK},	    {{127}, 8, ADDRESS_LISTED},
	{{169, 254}, 16, ADDRESS_PRIVATE},	    {{172, 16}, 12, ADDRESS_PRIVATE},
	{{192, 0, 0}, 24, ADDRESS_RESERVED},	    {{192, 0, 2}, 24, ADDRESS_DOCUMENTATION},
	{{192, 168}, 16, ADDRESS_PRIVATE},	    {{198, 51, 100}, 24, ADDRESS_DOCUMENTATION},
	{{203, 0, 113}, 24, ADDRESS_DOCUMENTATION}, {{224}, 4, ADDRESS_RESERVED},
	{{240}, 4, ADDRESS_RESERVED},
};

static const struct net nets6[] = {
	{{0}, 128, ADDRESS_UNSPECIFIED},
	{{[15] = 1}, 128, ADDRESS_LOOPBACK},
	{{[10] = 0xff, 0xff}, 96, ADDRESS_RESERVED},
	{{0x20, 0x01, 0, 0, 0, 0, 0, 0}, 64, ADDRESS_TEREDO},
	{{0x20, 0x01, 0x0d, 0xb8}, 32, ADDRESS_DOCUMENTATION},
	{{0xfc}, 7, ADDRESS_PRIVATE},
	{{0xfe, 0x80}, 10, ADDRESS_PRIVATE},
	{{0xff}, 8, ADDRESS_RESERVED},
};

static bool in_net(const uint8_t *addr, const struct net *n)
{
	unsigned whole = n->bits / 8, rest = n->bits % 8;
	if (memcmp(addr, n->prefix, whole) != 0)
		return false;
	return rest == 0 || (addr[whole] ^ n->prefix[whole]) >> (8 - rest) == 0;
}

enum dns_address dns_address_class(const struct ip_addr *addr, unsigned ip_version)
{
	static const uint8_t facebook[] = {0xfa, 0xce, 0xb0, 0x0c, 0, 0, 0x25, 0xde};
	static const struct net facebook_net = {{0x2a, 0x03, 0x28, 0x80}, 29, ADDRESS_FACEBOOK};
	bool v4 = ip_version == 4;
	const struct net *nets = v4 ? nets4 : nets6;
	unsigned n = v4 ? sizeof(nets4) / sizeof(*nets4) : sizeof(nets6) / sizeof(*nets6);
	for (unsigned i = 0; i < n; i++)
		if (in_net(addr->b + (v4 ? 12 : 0), &nets[i]))
			return (enum dns_address)nets[i].class;
	if (!v4 && in_net(addr->b, &facebook_net) && memcmp(addr->b + 8, facebook, 8) == 0)
		return ADDRESS_FACEBOOK;
	return ADDRESS_PUBLIC;
}

const char *dns_address_text(enum dns_address class)
{
	static const char *const text[] = {
		[ADDRESS_NONE] = "no address",
		[ADDRESS_PUBLIC] = "a public address",
		[ADDRESS_DOCUMENTATION] = "an address of documentation",
		[ADDRESS_LISTED] = "a loopback address such as DNS lists answer",
		[ADDRESS_UNSPECIFIED] = "the unspecified address",
		[ADDRESS_PRIVATE] = "an address of private networks",
		[ADDRESS_LOOPBACK] = "the loopback address",
		[ADDRESS_RESERVED] = "a reserved address",
		[ADDRESS_FACEBOOK] = "an address of another company that forgers use",
		[ADDRESS_TEREDO] = "a Teredo address that no client can have",
	};
	return text[class];
}

bool dns_address_is_inside(const struct ip_addr *addr, unsigned ip_version)
{
	enum dns_address class = dns_address_class(addr, ip_version);
	return class == ADDRESS_PRIVATE || class == ADDRESS_LOOPBACK || class == ADDRESS_LISTED;
}

bool dns_name_is_within(const char *name, const char *domain)
{
	size_t n = strlen(name), d = strlen(domain);
	if (n > 0 && name[n - 1] == '.' && n > 1)
		n--;
	return n >= d && strncasecmp(name + n - d, domain, d) == 0 &&
	       (n == d || name[n - d - 1] == '.');
}

static bool within_any(const char *name, const char *const *domains)
{
	for (; *domains != NULL; domains++)
		if (dns_name_is_within(name, *domains))
			return true;
	return false;
}

bool dns_name_is_public(const char *name)
{
	static const char *const inside[] = {
		"local", "localhost", "test", "invalid", "onion", "alt", "arpa", "internal", "lan",
		"home", "corp", "localdomain", "intranet", "private", "mail", "domain", "workgroup",
		"belkin", "fritz.box", NULL,
	};
	return strchr(name, '.') != NULL && strcmp(name, ".") != 0 && !within_any(name, inside);
}

/* RFC 5782: an address reversed, or hash and domain, before the list's name. */
bool dns_name_is_listing(const char *name)
{
	static const char *const lists[] = {
		"spamhaus.org", "spamhaus.net", "surbl.org", "uribl.com", "spamcop.net",
		"sorbs.net", "barracudacentral.org", "mcafee.com", "trustedsource.org",
		"sophosxl.net", "senderbase.org", "abuseat.org", "dnswl.org", "njabl.org",
		"cymru.com", NULL,
	};
	unsigned numbers = 0;
	const char *p = name;
	while (isdigit((unsigned char)*p) != 0) {
		p += strspn(p, "0123456789");
		if (*p != '.')
			break;
		numbers++;
		p++;
	}
	return numbers >= 4 || within_any(name, lists);
}

/* As published by Apple, Google, Microsoft, Mozilla, GNOME, Canonical and Debian for network owners. */
bool dns_name_is_probe(const char *name)
{
	static const char *const probes[] = {
		"captive.apple.com", "connectivitycheck.gstatic.com",
		"connectivitycheck.android.com", "clients3.google.com", "msftconnecttest.com",
		"msftncsi.com", "detectportal.firefox.com", "nmcheck.gnome.org",
		"connectivity-check.ubuntu.com", "network-test.debian.org", NULL,
	};
	return within_any(name, probes);
}
