/* SPDX-License-Identifier: BSD-3-Clause */

#include "dataplane/filter_names.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void refuses_names(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"host blocked.example", "tcp and dst blocked.example", "blocked.example",
		"src net corp", "host 192.0.2.1 or blocked.example",
		"port 80 and host blocked.example",
		"(host blocked)", "gateway router", "ether host printer", "not host beef.example",
	};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char name[64] = "";
		assert_true(filter_names_host(bad[i], name, sizeof(name)));
		assert_true(name[0] != '\0');
	}
}

static void takes_addresses(void **state)
{
	(void)state;
	static const char *const good[] = {
		"", "tcp", "tcp port 443", "host 192.0.2.1 or host 2001:db8::1", "net 192.0.2.0/24",
		"tcp[tcpflags] & (tcp-syn|tcp-rst) != 0", "port http or port domain",
		"ip6 and not arp",
		"ether host 02:00:00:00:00:01", "src or dst port 53", "src host fe80::1",
		"ip proto \\icmp",
		"icmp[icmptype] = icmp-echo", "portrange 80-443", "len > 100", "vlan 7 and udp",
		"ip[8] = 0x40 and dst 198.51.100.7", "less 60", "tcp[13] == 4",
		"host 10.0.0.1 and port ssh",
	};
	for (unsigned i = 0; i < sizeof(good) / sizeof(*good); i++) {
		char name[64] = "";
		if (filter_names_host(good[i], name, sizeof(name)))
			fail_msg("'%s': %s", good[i], name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_names),
		cmocka_unit_test(takes_addresses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
