/* SPDX-License-Identifier: BSD-3-Clause */

/* The query that a DNS finding is about. */

#include "classifiers/app/dns.h"
#include "tools/report_jsonl.h"

void jsonl_dns(struct json *j, const struct dns_facts *d)
{
	char buf[12];

	json_object(j, "dns");
	json_uint(j, "txid", d->txid);
	json_string(j, "qname", d->qname);
	json_string(j, "qtype", dns_type_text(d->qtype, buf));
	json_string(j, "rcode", dns_rcode_text(d->rcode, buf));
	jsonl_strings(j, "answers", d->answers, d->n_answers);
	json_bool(j, "told_apart", d->told_apart);
	json_end(j);
}
