/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * pcap-filter expressions, compiled by libpcap for each link type when it is first met. A link type
 * that libpcap has no code for lets its packets through: dropping what cannot be judged would hide
 * evidence.
 */

#include <errno.h>
#include <linux/filter.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/capture.h"
#include "dataplane/log.h"

struct program {
	uint32_t linktype;
	bool usable;
	struct bpf_program code;
};

struct filter {
	char *expr;
	struct program *programs;
	unsigned n, last;
	bool warned;
};

/* libpcap compiles for DLT_ values, which differ from LINKTYPE_ only where systems disagree. */
static int dlt_of(uint32_t linktype)
{
	switch (linktype) {
	case LINKTYPE_RAW_BSD:
	case LINKTYPE_RAW_OPENBSD:
	case LINKTYPE_RAW:
		return DLT_RAW;
	case 100:
		return DLT_ATM_RFC1483;
	case 102:
		return DLT_SLIP_BSDOS;
	case 103:
		return DLT_PPP_BSDOS;
	case 106:
		return DLT_ATM_CLIP;
	default:
		return (int)linktype;
	}
}

static int compile(const char *expr, uint32_t linktype, uint32_t snaplen, struct bpf_program *code,
		   char *why, size_t whylen)
{
	pcap_t *dead = pcap_open_dead(dlt_of(linktype), (int)snaplen);
	if (dead == NULL)
		return -ENOMEM;
	int ret = pcap_compile(dead, code, expr, 1, PCAP_NETMASK_UNKNOWN);
	if (ret != 0 && why != NULL)
		snprintf(why, whylen, "%s", pcap_geterr(dead));
	pcap_close(dead);
	return ret != 0 ? -EDOM : 0;
}

static struct program *program_for(struct filter *f, uint32_t linktype)
{
	if (f->last < f->n && f->programs[f->last].linktype == linktype)
		return &f->programs[f->last];
	for (f->last = 0; f->last < f->n; f->last++)
		if (f->programs[f->last].linktype == linktype)
			return &f->programs[f->last];
	struct program *more = realloc(f->programs, (f->n + 1) * sizeof(*more));
	if (more == NULL)
		return NULL;
	f->programs = more;
	struct program *p = &more[f->n++];
	*p = (struct program){.linktype = linktype};
	char why[PCAP_ERRBUF_SIZE] = "";
	p->usable = compile(f->expr, linktype, CAPLEN_MAX, &p->code, why, sizeof(why)) == 0;
	if (!p->usable && !f->warned) {
		log_warn("filter", "'%s' cannot be applied to link type %u, whose packets pass: %s",
			 f->expr, linktype, why);
		f->warned = true;
	}
	return p;
}

int filter_new(struct filter **out, const char *expr, int64_t linktype, char *err, size_t errlen)
{
	int ret = -ENOMEM;
	char why[PCAP_ERRBUF_SIZE] = "";
	struct bpf_program code;
	*out = NULL;
	char name[64];
	struct filter *f = calloc(1, sizeof(*f));
	if (f == NULL || (f->expr = strdup(expr)) == NULL)
		goto out;
	if (filter_names_host(expr, name, sizeof(name))) {
		ret = -EDOM;
		snprintf(why, sizeof(why), "'%s' would be looked up on the network: give an address", name);
		goto out;
	}
	/* Is it an expression at all? Only the link type may be to blame if Ethernet takes it. */
	uint32_t first = linktype >= 0 ? (uint32_t)linktype : LINKTYPE_ETHERNET;
	ret = compile(expr, first, CAPLEN_MAX, &code, why, sizeof(why));
	if (ret == -EDOM && first != LINKTYPE_ETHERNET)
		ret = compile(expr, LINKTYPE_ETHERNET, CAPLEN_MAX, &code, NULL, 0);
	if (ret != 0)
		goto out;
	pcap_freecode(&code);
	if (linktype >= 0 && program_for(f, first) == NULL)
		ret = -ENOMEM;
out:
	if (ret == -EDOM)
		snprintf(err, errlen, "filter '%s': %s", expr, why);
	else if (ret != 0)
		snprintf(err, errlen, "filter: %s", strerror(-ret));
	if (ret != 0)
		filter_free(f);
	else
		*out = f;
	return ret;
}

enum filter_result filter_run(struct filter *f, const struct packet *pkt)
{
	const struct program *p = program_for(f, pkt->linktype);
	if (p == NULL || !p->usable)
		return FILTER_UNABLE;
	struct pcap_pkthdr hdr = {.caplen = pkt->caplen, .len = pkt->wirelen};
	return pcap_offline_filter(&p->code, &hdr, pkt->data) != 0 ? FILTER_KEEP : FILTER_DROP;
}

int filter_for_kernel(struct sock_filter **ops, unsigned *n, const char *expr, uint32_t linktype,
		      uint32_t snaplen)
{
	uint32_t keep = snaplen != 0 && snaplen < CAPLEN_MAX ? snaplen : CAPLEN_MAX;
	/* libpcap knows nothing of tags held apart when it compiles for no interface. */
	const struct sock_filter begin[] = {
		{.code = BPF_LD | BPF_B | BPF_ABS,
		 .k = (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT)},
		{.code = BPF_JMP | BPF_JEQ | BPF_K, .jt = 1, .jf = 0, .k = 0},
		{.code = BPF_RET | BPF_K, .k = keep},
	};
	const struct sock_filter all = {.code = BPF_RET | BPF_K, .k = keep};
	const unsigned n_begin = sizeof(begin) / sizeof(begin[0]);
	struct bpf_program code = {.bf_len = 0};

	*ops = NULL;
	int err = expr != NULL ? compile(expr, linktype, keep, &code, NULL, 0) : 0;
	if (err != 0)
		return err;
	*n = n_begin + (expr != NULL ? code.bf_len : 1);
	*ops = calloc(*n, sizeof(**ops));
	if (*ops != NULL) {
		memcpy(*ops, begin, sizeof(begin));
		(*ops)[n_begin] = all;
		for (unsigned i = 0; i < code.bf_len; i++) {
			const struct bpf_insn *op = &code.bf_insns[i];
			(*ops)[n_begin + i] = (struct sock_filter){
				.code = op->code, .jt = op->jt, .jf = op->jf, .k = op->k};
		}
	}
	if (expr != NULL)
		pcap_freecode(&code);
	return *ops != NULL ? 0 : -ENOMEM;
}

void filter_free(struct filter *f)
{
	if (f == NULL)
		return;
	for (unsigned i = 0; i < f->n; i++)
		if (f->programs[i].usable)
			pcap_freecode(&f->programs[i].code);
	free(f->programs);
	free(f->expr);
	free(f);
}
