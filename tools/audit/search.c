/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/audit/search.h"

#include <math.h>

void search_start(struct search *s, double from, double to)
{
	/* The highest first: if it passes there is nothing to look for. */
	*s = (struct search){.from = from, .to = to, .next = to};
}

void search_note(struct search *s, enum trial_end end)
{
	s->trials++;
	if (end == TRIAL_PASSED) {
		s->pass = s->next > s->pass ? s->next : s->pass;
	} else if (s->fail == 0 || s->next < s->fail) {
		s->fail = s->next;
		s->tester = end == TRIAL_TESTER;
	}
	s->next = 0;
	if (s->fail == 0 || s->trials == SEARCH_TRIALS_MAX)
		return;
	if (s->pass == 0)
		s->next = s->fail > s->from ? s->from : 0;
	else if (s->fail > s->pass * SEARCH_CLOSE)
		/* Ratios: between 1 and 100 kpps is 10. */
		s->next = sqrt(s->pass * s->fail);
}
