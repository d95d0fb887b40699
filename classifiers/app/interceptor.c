/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/app/interceptor.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

/*
 * Kazakhstan's of 2019 (Sundara Raman et al., IMC 2020) and of 2020 to 2024 (net4people/bbs 56 and 339;
 * OONI, Kazakhstan, 2024): both are roots, what the leaf says is an intermediate's name. The products:
 * Chromium's list of interception software (ssl_error_assistant.asciipb, version 6). Rows are only ever
 * added at the end.
 */
static const struct interceptor interceptors[] = {
	{"Qaznet Trust Network", "Qaznet Trust Network", NULL, "KZ"},
	{"Information Security Certification Authority", "Information Security Certification Authority", NULL,
	 "KZ"},
	{"Fortinet FortiGate", "FortiGate CA", NULL, ""},
	{"Fortinet", NULL, "Fortinet", ""},
	{"Zscaler", NULL, "Zscaler Inc", ""},
	{"Symantec Blue Coat", NULL, "Blue Coat", ""},
	{"Sophos", "Sophos SSL CA_", NULL, ""},
	{"Sophos", "Sophos_CA_", NULL, ""},
	{"Sophos UTM", "sophosutm Proxy CA", NULL, ""},
	{"Sophos Web Appliance", "Sophos Web Appliance", NULL, ""},
	{"Cisco Umbrella", "Cisco Umbrella ", "Cisco", ""},
	{"Forcepoint", "Forcepoint Cloud CA", NULL, ""},
	{"McAfee Web Gateway", "McAfee Web Gateway", NULL, ""},
	{"ContentKeeper", "ContentKeeper Appliance CA", NULL, ""},
	{"Cyberoam", NULL, "Cyberoam Certificate Authority", ""},
	{"Smoothwall", "Smoothwall-default-root-certificate-authority", NULL, ""},
	{"Trend Micro InterScan", "IWSS.TREND", NULL, ""},
	{"NetSpark", "www.netspark.com", NULL, ""},
	{"Kaspersky", "Kaspersky Anti-Virus Personal Root", NULL, ""},
	{"Avast", "avast! Web/Mail Shield Root", NULL, ""},
	{"Bitdefender", "Bitdefender Personal CA", NULL, ""},
};
#define N_INTERCEPTORS (sizeof(interceptors) / sizeof(*interceptors))
static_assert(N_INTERCEPTORS <= INTERCEPTORS_MAX, "a number stands in testimony");

static bool begins(const char *s, const char *with)
{
	return s != NULL && strncasecmp(s, with, strlen(with)) == 0;
}

uint8_t interceptor_find(const char *issuer)
{
	const char *common_name = begins(issuer, "CN=") ? issuer + 3 : NULL;
	const char *organization = begins(issuer, "O=") ? issuer + 2 : strstr(issuer, ", O=");
	if (organization != NULL && *organization == ',')
		organization += 4;
	for (size_t i = 0; i < N_INTERCEPTORS; i++) {
		const struct interceptor *k = &interceptors[i];
		if ((k->common_name == NULL || begins(common_name, k->common_name)) &&
		    (k->organization == NULL || begins(organization, k->organization)))
			return (uint8_t)(i + 1);
	}
	return 0;
}

const struct interceptor *interceptor_get(uint8_t number)
{
	return number != 0 && number <= N_INTERCEPTORS ? &interceptors[number - 1] : NULL;
}
