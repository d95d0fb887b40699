/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/device/device.h"
#include "classifiers/tamper/dns_compare.h"

#include <string.h>

#define PAGE_HOST "10.10.34.3" /* and 4, 5 or 6 */

/* The address with nothing behind it that makes it another; *iframe: as the page has it. */
static bool page_address(const struct page *p, bool *iframe)
{
	static const char frame[] = "iframe src=\"http://";
	const size_t n = sizeof(PAGE_HOST) - 1, lead = sizeof(frame) - 1;
	bool any = false;
	*iframe = false;
	for (size_t i = 0; i + n < p->len; i++) {
		if (memcmp(p->bytes + i, PAGE_HOST, n) != 0 || p->bytes[i + n] < '4' ||
		    p->bytes[i + n] > '6')
			continue;
		uint8_t after = i + n + 1 < p->len ? p->bytes[i + n + 1] : 0;
		uint8_t before = i > 0 ? p->bytes[i - 1] : 0;
		if ((after >= '0' && after <= '9') || (before >= '0' && before <= '9') || before == '.')
			continue;
		any = true;
		*iframe |= i >= lead && memcmp(p->bytes + i - lead, frame, lead) == 0;
	}
	return any;
}

static bool match_page(const struct view *v, const struct suspects *s, struct attribution *out)
{
	int event;
	bool iframe;
	(void)s;
	if (!device_page_has(v, PAGE_HOST, &event) || event < 0 ||
	    !page_address(v->ev->more->page, &iframe))
		return false;
	attribution_packet(out, (unsigned)event);
	out->grade = iframe ? ATTRIBUTION_A2 : ATTRIBUTION_A1;
	attribution_says(out, iframe ? "the page frames 10.10.34.34, 35 or 36"
				     : "the answer names 10.10.34.34, 35 or 36");
	return true;
}

static bool match_dns(const struct view *v, const struct suspects *s, struct attribution *out)
{
	const struct dns_exchange *x = dns_exchange_of(v->ex);
	for (unsigned i = 0; x != NULL && i < x->n_replies; i++)
		for (unsigned k = 0; k < s->n; k++)
			if (s->event[k] == x->reply[i].event && dns_is_iran(&x->reply[i]))
				attribution_packet(out, s->event[k]);
	/* Who has its own such network may answer so too. */
	out->grade = dns_resolver_is_inside(v) ? ATTRIBUTION_A1 : ATTRIBUTION_A2;
	attribution_says(out, "the answer is 10.10.34.34, 35 or 36");
	return out->n_packets != 0;
}

const struct device dev_iran[] = {
	{.id = "iran-dns", .doc = "DNS answer 10.10.34.34, 35 or 36",
	 .source = "Aryan, Aryan, Halderman, FOCI 2013; OONI blocking-fingerprints",
	 .valid_from = "2013", .grade = ATTRIBUTION_A2, .dns = true, .attributed = true,
	 .match = match_dns},
	{.id = "iran-http", .doc = "page that frames or names 10.10.34.34, 35 or 36",
	 .source = "Aryan, Aryan, Halderman, FOCI 2013; OONI, Iran's national block page",
	 .valid_from = "2013", .grade = ATTRIBUTION_A2, .attributed = true, .match = match_page},
	{.id = "ir-https", .doc = "single RST+ACK on TLS: fits many honest resets",
	 .source = "IRBlock, USENIX Security 2025", .grade = ATTRIBUTION_A1},
	{.id = NULL},
};
