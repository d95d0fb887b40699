/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A signature of a user's own: the last reset of the server's is a suspect. With BAD it says what
 * nobody may, with SILENT nothing.
 */

#include <string.h>

#include "classifiers/tamper/signature.h"
#include "dataplane/abi.h"
#include "dataplane/plugin.h"

#ifndef ID
#define ID "test-last-reset"
#endif
#ifndef ABI
#define ABI WMSCOPE_ABI
#endif
#ifdef SILENT
#define NEEDS 0
#else
#define NEEDS NEED_RESET
#endif
#ifndef KIND
#define KIND PLUGIN_SIGNATURES
#endif
#ifndef BENIGN
#define BENIGN "any server's own reset"
#endif

static bool match(const struct view *v, const struct signature *self, struct testimony *out)
{
	(void)self;
	if (v->n_rst == 0 || NEEDS == 0)
		return false;
	unsigned last = v->rst[v->n_rst - 1];
	out->grade = GRADE_D2;
	out->frame = v->e[last].frame;
	testimony_suspect(out, last);
	testimony_says(out, "TTL %u, %u hops away", v->e[last].ttl, view_hops(v->e[last].ttl));
	testimony_expects(out, "none");
#ifdef BAD
	out->n_suspects = 255;
	memset(out->suspects, 0xff, sizeof(out->suspects));
	out->suspects[1] = (uint16_t)last;
	memset(out->value, 'x', sizeof(out->value));
	memset(out->expected, 'y', sizeof(out->expected));
	out->grade = (enum grade)BAD;
#endif
	return true;
}

static const struct signature signatures[] = {
	{.id = ID,
	 .family = FAMILY_TCP_INJECTION,
	 .cause = CAUSE_RESET,
	 .fact = FACT_WINDOW,
	 .summary = "the last reset, whatever it is",
	 .benign = BENIGN,
	 .refs = "tests/plugins/signature.c",
	 .needs = NEEDS,
	 .match = match},
	{.id = NULL},
};

const struct plugin wmscope_plugin[] = {
	{.abi = ABI, .kind = (enum plugin_kind)KIND, .signatures = signatures},
	{.kind = PLUGIN_END},
};
