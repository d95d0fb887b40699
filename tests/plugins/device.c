/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A device of a user's own: every packet that is accused looks like it. It claims more than its
 * grade.
 */

#include "classifiers/device/device.h"
#include "dataplane/abi.h"
#include "dataplane/plugin.h"

static bool match(const struct view *v, const struct suspects *s, struct attribution *out)
{
	(void)v;
	out->grade = ATTRIBUTION_A3;
	for (unsigned i = 0; i < s->n; i++)
		attribution_packet(out, s->event[i]);
	attribution_packet(out, 60000);
	attribution_says(out, "%u packets", s->n);
	out->hops = 7;
	return true;
}

static const struct device devices[] = {
	{.id = "test-box", .doc = "whatever is accused", .source = "tests/plugins/device.c",
	 .grade = ATTRIBUTION_A1, .attributed = true, .match = match},
	{.id = NULL},
};

const struct plugin wmscope_plugin[] = {
	{.abi = WMSCOPE_ABI, .kind = PLUGIN_DEVICES, .devices = devices},
	{.kind = PLUGIN_END},
};
