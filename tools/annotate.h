/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What findings say of single packets, as comments that Wireshark shows:
 *
 *   INJECTED RST to the client; finding 1 data-after-rst, confirmed, 12; trigger frame 24; …
 *   TRIGGER sni blocked.example; finding 1 data-after-rst, confirmed; frame 24 of the capture
 *   mbx:{"v":"injected","finding":1,…}
 *
 * The first word is in capitals, and in no other comment: INJECTED (by somebody else: the finding is
 * at least likely), SUSPECT, UNANSWERED, PAGE, SHOWS (decisive in another way), TRIGGER. Findings are
 * numbered as in findings.csv. The second comment is the same for machines.
 */

#include <stdint.h>

#include "dataplane/packet.h"
#include "tools/facts.h"

struct annotations;

int annotations_new(struct annotations **out, const struct analysis *a,
		    const struct report_options *o); /* 0 or -ENOMEM */
void annotations_free(struct annotations *n); /* NULL is fine */

/* One call for each packet of the capture that is annotated. A call's error ends it. */
int annotations_each(const struct annotations *n, unsigned capture,
		     int (*fn)(void *user, uint32_t file, uint64_t frame), void *user);

#define ANNOTATION_COMMENTS 8 /* at most of one packet */
struct annotation {
	const char *comments[ANNOTATION_COMMENTS]; /* until the next call */
	unsigned n;
};
/* Comments on pkt, which is frame number `written` of the copy. 0 or -ENOMEM; none is n == 0. */
int annotations_of(struct annotations *n, unsigned capture, const struct packet *pkt,
		   uint64_t written, struct annotation *out);
