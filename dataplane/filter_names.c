/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * libpcap asks the resolver for every word of an expression that it takes for a host or network name.
 * On a censored network that question, for a name under study, is itself a danger: it is refused.
 */

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/capture.h"

/* The words of pcap-filter(7). */
static const char keywords[] =
	" dst src host net mask port portrange less greater proto protochain gateway type subtype "
	"direction dir link ether ppp slip fddi tr wlan ip ip6 arp rarp decnet tcp udp icmp icmp6 igmp "
	"igrp pim vrrp carp ah esp sctp atalk aarp lat moprc mopdl iso esis es-is isis is-is l1 l2 iih lsp "
	"snp csnp psnp clnp stp ipx netbeui vlan mpls pppoed pppoes geneve len broadcast multicast "
	"inbound outbound ifname on rnum rulenum reason rset ruleset srnr subrulenum action ifindex and or "
	"not addr1 addr2 addr3 addr4 ra ta data mgt mgmt ctl ack rts cts assoc-req nods tods fromds dstods "
	"vci vpi lane llc oam oamf4 oamf4e oamf4s oamf4sc oamf4ec connectmsg metaconnect bcc sc ilmic radio "
	"random pass block match nat rdr binat scrub sio opc dpc sls hopcount ";

/* "tcpflags", "tcp-syn", "icmp-echo", "icmptype": names of numbers. */
static bool is_number_name(const char *word)
{
	return strncmp(word, "tcp-", 4) == 0 || strncmp(word, "icmp", 4) == 0 ||
	       strcmp(word, "tcpflags") == 0;
}

static bool is_keyword(const char *word)
{
	char spaced[80];
	snprintf(spaced, sizeof(spaced), " %s ", word);
	return strstr(keywords, spaced) != NULL;
}

/* Letters that begin a word may still be an IPv6 or MAC address. */
static bool is_address(const char *word)
{
	return strchr(word, ':') != NULL || word[strspn(word, "0123456789abcdefABCDEFx./-")] == '\0';
}

static bool names_service(const char *type)
{
	return strcmp(type, "port") == 0 || strcmp(type, "portrange") == 0 ||
	       strcmp(type, "proto") == 0 || strcmp(type, "protochain") == 0 ||
	       strcmp(type, "type") == 0 || strcmp(type, "subtype") == 0 ||
	       strcmp(type, "ifname") == 0 || strcmp(type, "on") == 0;
}

bool filter_names_host(const char *expr, char *name, size_t len)
{
	char type[64] = "host", word[64];
	while (*expr != '\0') {
		size_t n = strcspn(expr, " \t\r\n()[]!&|<>=+*^%,");
		if (n == 0) {
			expr++;
			continue;
		}
		bool escaped = *expr == '\\';
		snprintf(word, sizeof(word), "%.*s", (int)n - escaped, expr + escaped);
		expr += n;
		if (isdigit((unsigned char)word[0]) && is_address(word))
			continue;
		if (is_keyword(word) && !escaped) {
			if (names_service(word) || strcmp(word, "host") == 0 ||
			    strcmp(word, "net") == 0 || strcmp(word, "gateway") == 0 ||
			    strcmp(word, "src") == 0 || strcmp(word, "dst") == 0)
				snprintf(type, sizeof(type), "%s", word);
			continue;
		}
		if (escaped || is_number_name(word) || names_service(type) || is_address(word))
			continue;
		snprintf(name, len, "%s", word);
		return true;
	}
	return false;
}
