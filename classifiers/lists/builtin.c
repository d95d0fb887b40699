/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The project's own rules: few, each from a published description that the row names, so that the
 * best-known pages, products and openings are known without any list. A fact of section N of a
 * standard is cited as such. What a page merely mentions must not be enough for nat or isp: those
 * rows ask for the redirect or the frame itself.
 */

#include <string.h>

#include "classifiers/lists/loader.h"

struct own_rule {
	const char *id, *name, *source, *countries, *header, *pattern;
	enum rule_scope scope;
	enum rule_where where;
	enum rule_how how;
	uint8_t confidence;
	bool opt_in;
};

#define OONI "OONI blocking-fingerprints"

/* Farnan et al., section 5: nine addresses that no name of theirs has. */
#define CHINA_DNS(id_, address_)                                                                   \
	{.id = "cn-dns-" id_, .name = "China's forged answers",                                     \
	 .source = "Farnan et al., Poisoning the Well, WPES 2016", .countries = "CN",               \
	 .scope = RULE_NAT, .where = RULE_DNS, .how = RULE_FULL, .pattern = address_, .confidence = 9}

static const struct own_rule own_rules[] = {
	/* Pages and redirects of countries and operators. */
	{.id = "ir-iframe", .name = "Iran's block page", .source = "Aryan et al., FOCI 2013",
	 .countries = "IR", .scope = RULE_NAT, .where = RULE_PAGE, .how = RULE_REGEXP,
	 .pattern = "<iframe\\s[^>]{0,200}src=[\"']http://10\\.10\\.34\\.3[456]", .confidence = 10},
	{.id = "ir-iframe-raw", .name = "Iran's block page", .source = "Aryan et al., FOCI 2013",
	 .countries = "IR", .scope = RULE_NAT, .where = RULE_STREAM_S2C, .how = RULE_CONTAINS,
	 .pattern = "<iframe src=\"http://10.10.34.3", .confidence = 9},
	{.id = "ir-redirect", .name = "Iran's block page", .source = OONI, .countries = "IR",
	 .scope = RULE_NAT, .where = RULE_HEADER, .header = "location", .how = RULE_REGEXP,
	 .pattern = "^http://10\\.10\\.34\\.3[456](?:[:/?]|$)", .confidence = 10},
	{.id = "id-lamanlabuh", .name = "Indonesia's landing page",
	 .source = "net4people/bbs issue 316", .countries = "ID", .scope = RULE_NAT,
	 .where = RULE_HEADER, .header = "location", .how = RULE_PREFIX,
	 .pattern = "http://lamanlabuh.aduankonten.id/", .confidence = 10},
	{.id = "kr-warning", .name = "Korea's warning page", .source = OONI, .countries = "KR",
	 .scope = RULE_NAT, .where = RULE_HEADER, .header = "location", .how = RULE_REGEXP,
	 .pattern = "^https?://(?:www\\.)?warning\\.or\\.kr(?:[:/?]|$)", .confidence = 9},
	{.id = "kr-warning-script", .name = "Korea's warning page", .source = OONI,
	 .countries = "KR", .scope = RULE_NAT, .where = RULE_BODY, .how = RULE_REGEXP,
	 .pattern = "location\\.(?:href|replace)\\W{1,4}https?://(?:www\\.)?warning\\.or\\.kr",
	 .confidence = 8},
	{.id = "in-airtel-dot", .name = "Airtel's page by order of the DoT", .source = OONI,
	 .countries = "IN", .scope = RULE_ISP, .where = RULE_PAGE, .how = RULE_CONTAINS,
	 .pattern = "airtel.in/dot/?dpid=", .confidence = 9},
	{.id = "pk-jazz", .name = "Mobilink Jazz", .source = OONI, .countries = "PK",
	 .scope = RULE_ISP, .where = RULE_PAGE, .how = RULE_CONTAINS,
	 .pattern = "119.73.65.87:8080/redirect.html?accessurl=", .confidence = 9},
	{.id = "pk-witribe", .name = "Wi-Tribe", .source = OONI, .countries = "PK",
	 .scope = RULE_ISP, .where = RULE_HEADER, .header = "location", .how = RULE_CONTAINS,
	 .pattern = "redirect.wi-tribe.net.pk/alert/", .confidence = 9},
	{.id = "pk-wateen", .name = "Wateen", .source = OONI, .countries = "PK",
	 .scope = RULE_ISP, .where = RULE_HEADER, .header = "location", .how = RULE_REGEXP,
	 .pattern = "^http://restrictk?\\.wateen\\.net(?:[:/?]|$)", .confidence = 9},

	/* DNS answers. */
	{.id = "ir-dns-34", .name = "Iran's block page", .source = OONI, .countries = "IR",
	 .scope = RULE_NAT, .where = RULE_DNS, .how = RULE_FULL, .pattern = "10.10.34.34",
	 .confidence = 10},
	{.id = "ir-dns-35", .name = "Iran's block page", .source = OONI, .countries = "IR",
	 .scope = RULE_NAT, .where = RULE_DNS, .how = RULE_FULL, .pattern = "10.10.34.35",
	 .confidence = 10},
	{.id = "ir-dns-36", .name = "Iran's block page", .source = OONI, .countries = "IR",
	 .scope = RULE_NAT, .where = RULE_DNS, .how = RULE_FULL, .pattern = "10.10.34.36",
	 .confidence = 10},
	{.id = "pk-nayatel-83", .name = "Nayatel's filter", .source = OONI, .countries = "PK",
	 .scope = RULE_ISP, .where = RULE_DNS, .how = RULE_FULL, .pattern = "203.82.48.83",
	 .confidence = 5, .opt_in = true},
	{.id = "pk-nayatel-86", .name = "Nayatel's filter", .source = OONI, .countries = "PK",
	 .scope = RULE_ISP, .where = RULE_DNS, .how = RULE_FULL, .pattern = "203.82.48.86",
	 .confidence = 5, .opt_in = true},

	/* In forged answers for years, and in those of resolvers within; their hosts have no part in it. */
	CHINA_DNS("8", "8.7.198.45"),
	CHINA_DNS("37", "37.61.54.158"),
	CHINA_DNS("46", "46.82.174.68"),
	CHINA_DNS("59", "59.24.3.173"),
	CHINA_DNS("78", "78.16.49.15"),
	CHINA_DNS("93", "93.46.8.89"),
	CHINA_DNS("159", "159.106.121.75"),
	CHINA_DNS("203", "203.98.7.65"),
	CHINA_DNS("243", "243.185.187.39"),

	/* Products: often an enterprise's or a family's. The low confidence is the list's own. */
	{.id = "netsweeper-deny", .name = "Netsweeper", .source = OONI, .scope = RULE_PROD,
	 .where = RULE_PAGE, .how = RULE_CONTAINS, .pattern = "/webadmin/deny", .confidence = 6},
	{.id = "netsweeper-rule", .name = "Netsweeper", .source = OONI, .scope = RULE_PROD,
	 .where = RULE_PAGE, .how = RULE_CONTAINS, .pattern = "&dpruleid=", .confidence = 6},
	{.id = "netsweeper-powered", .name = "Netsweeper", .source = OONI, .scope = RULE_PROD,
	 .where = RULE_PAGE, .how = RULE_CONTAINS, .pattern = "poweredbynetsweeper.com",
	 .confidence = 8},
	{.id = "fortiguard-powered", .name = "Fortinet FortiGuard", .source = OONI,
	 .scope = RULE_PROD, .where = RULE_BODY, .how = RULE_CONTAINS,
	 .pattern = "Powered By FortiGuard", .confidence = 7},
	{.id = "fortiguard-web", .name = "Fortinet FortiGuard", .source = "Censored Planet",
	 .scope = RULE_PROD, .where = RULE_BODY, .how = RULE_CONTAINS,
	 .pattern = "FortiGuard Web Filtering", .confidence = 7},
	{.id = "opendns", .name = "Cisco OpenDNS", .source = OONI, .scope = RULE_PROD,
	 .where = RULE_HEADER, .header = "location", .how = RULE_CONTAINS,
	 .pattern = ".opendns.com/", .confidence = 5},
	{.id = "kerio", .name = "Kerio Control", .source = OONI, .scope = RULE_PROD,
	 .where = RULE_BODY, .how = RULE_CONTAINS,
	 .pattern = "This page has been blocked by Kerio Control", .confidence = 8},
	{.id = "bluecoat", .name = "Blue Coat", .source = OONI, .scope = RULE_PROD,
	 .where = RULE_PAGE, .how = RULE_CONTAINS, .pattern = "notify.bluecoat.com",
	 .confidence = 8},
	{.id = "zscaler", .name = "Zscaler", .source = OONI, .scope = RULE_PROD,
	 .where = RULE_PAGE, .how = RULE_CONTAINS, .pattern = "gateway.zscaler.net",
	 .confidence = 8},
	{.id = "checkpoint", .name = "Check Point UserCheck", .source = OONI, .scope = RULE_PROD,
	 .where = RULE_BODY, .how = RULE_CONTAINS, .pattern = "Check Point UserCheck",
	 .confidence = 7},
	{.id = "paloalto", .name = "Palo Alto Networks", .source = OONI, .scope = RULE_PROD,
	 .where = RULE_PAGE, .how = RULE_CONTAINS, .pattern = "/php/urlblock.php?args=",
	 .confidence = 8},
	{.id = "squidguard", .name = "squidGuard", .source = OONI, .scope = RULE_PROD,
	 .where = RULE_PAGE, .how = RULE_CONTAINS, .pattern = "squidGuard.cgi?clientaddr=",
	 .confidence = 8},

	/* What boxes write into other protocols; 551 is RFC 5321's own wording too, so it says little. */
	{.id = "smtp-550-spam", .name = "refusal as TSG writes it",
	 .source = "Ablove et al., USENIX Security 2026", .scope = RULE_UNKNOWN,
	 .where = RULE_STREAM_S2C, .how = RULE_CONTAINS, .pattern = "550 Mail was identified as spam.",
	 .confidence = 4},
	{.id = "smtp-551-forward", .name = "refusal as TSG writes it",
	 .source = "Ablove et al., USENIX Security 2026", .scope = RULE_UNKNOWN,
	 .where = RULE_STREAM_S2C, .how = RULE_CONTAINS,
	 .pattern = "551 User not local; please try <forward-path>.", .confidence = 1},

	/* Openings of protocols that are filtered by what they are. */
	{.id = "ssh", .name = "SSH", .source = "RFC 4253, section 4.2", .scope = RULE_PROTO,
	 .where = RULE_STREAM_C2S, .how = RULE_REGEXP, .pattern = "^SSH-(?:2\\.0|1\\.99)-"},
	{.id = "ssh-server", .name = "SSH", .source = "RFC 4253, section 4.2", .scope = RULE_PROTO,
	 .where = RULE_STREAM_S2C, .how = RULE_REGEXP, .pattern = "^SSH-(?:2\\.0|1\\.99)-"},
	{.id = "bittorrent", .name = "BitTorrent", .source = "BEP 3", .scope = RULE_PROTO,
	 .where = RULE_STREAM_C2S, .how = RULE_PREFIX, .pattern = "\x13" "BitTorrent protocol"},
	{.id = "bittorrent-dht", .name = "BitTorrent DHT", .source = "BEP 5", .scope = RULE_PROTO,
	 .where = RULE_DATAGRAM, .how = RULE_PREFIX, .pattern = "d1:ad2:id20:"},
	{.id = "pptp", .name = "PPTP", .source = "RFC 2637, section 2.1", .scope = RULE_PROTO,
	 .where = RULE_STREAM_C2S, .how = RULE_REGEXP,
	 .pattern = "^\\x00\\x9c\\x00\\x01\\x1a\\x2b\\x3c\\x4d\\x00\\x01"},
	{.id = "sstp", .name = "SSTP", .source = "MS-SSTP, section 3.2.4.1", .scope = RULE_PROTO,
	 .where = RULE_STREAM_C2S, .how = RULE_PREFIX, .pattern = "SSTP_DUPLEX_POST /"},
	{.id = "openvpn-reset", .name = "OpenVPN", .source = "OpenVPN wire protocol, section 4",
	 .scope = RULE_PROTO, .where = RULE_DATAGRAM, .how = RULE_REGEXP,
	 .pattern = "^\\x38.{8}\\x00{5}$"},
	{.id = "openvpn-reset-tcp", .name = "OpenVPN", .source = "OpenVPN wire protocol, section 4",
	 .scope = RULE_PROTO, .where = RULE_STREAM_C2S, .how = RULE_REGEXP,
	 .pattern = "^\\x00\\x0e\\x38.{8}\\x00{5}"},
	{.id = "wireguard-initiation", .name = "WireGuard",
	 .source = "Donenfeld, NDSS 2017, section 5.4.2", .scope = RULE_PROTO,
	 .where = RULE_DATAGRAM, .how = RULE_REGEXP, .pattern = "^\\x01\\x00{3}.{144}$"},
	{.id = "wireguard-response", .name = "WireGuard",
	 .source = "Donenfeld, NDSS 2017, section 5.4.3", .scope = RULE_PROTO,
	 .where = RULE_DATAGRAM, .how = RULE_REGEXP, .pattern = "^\\x02\\x00{3}.{88}$"},
	{.id = "ikev2-init", .name = "IKE", .source = "RFC 7296, section 3.1",
	 .scope = RULE_PROTO, .where = RULE_DATAGRAM, .how = RULE_REGEXP,
	 .pattern = "^(?:\\x00{4})?.{8}\\x00{8}.\\x20\\x22\\x08\\x00{4}"},
	{.id = "dtls-hello", .name = "DTLS", .source = "RFC 6347, section 4.1",
	 .scope = RULE_PROTO, .where = RULE_DATAGRAM, .how = RULE_REGEXP,
	 .pattern = "^\\x16\\xfe[\\xfd\\xff]\\x00\\x00.{8}\\x01"},
	{.id = "stun-binding", .name = "STUN", .source = "RFC 8489, section 5",
	 .scope = RULE_PROTO, .where = RULE_DATAGRAM, .how = RULE_REGEXP,
	 .pattern = "^\\x00\\x01..\\x21\\x12\\xa4\\x42"},
};

static struct text words(const char *s)
{
	return s != NULL ? text_of(s, strlen(s)) : text_of("", 0);
}

int list_builtin_read(struct ruleset *s)
{
	int err = 0;
	for (size_t i = 0; i < sizeof(own_rules) / sizeof(own_rules[0]) && err == 0; i++) {
		const struct own_rule *o = &own_rules[i];
		struct draft d = {.line = (uint32_t)i + 1, .id = words(o->id),
				  .name = words(o->name), .source = words(o->source),
				  .countries = words(o->countries), .header = words(o->header),
				  .pattern = words(o->pattern), .where = o->where, .how = o->how,
				  .scope = o->scope, .confidence = o->confidence,
				  .opt_in = o->opt_in};
		err = ruleset_add(s, &d);
	}
	return err;
}
