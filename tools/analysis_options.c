/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/analysis_options.h"

#include <errno.h>

#include "classifiers/geo.h"
#include "dataplane/log.h"
#include "tools/options.h"

/* The first value is the default. */
const char *const analysis_vantages[] = {"auto", "client", "server", "middle", "one-sided", NULL};

static const enum vantage vantage_of[] = {VANTAGE_UNKNOWN, VANTAGE_CLIENT, VANTAGE_SERVER,
					  VANTAGE_MIDDLE, VANTAGE_ONE_SIDED};

const char *analysis_options_wrong(const struct analysis_options *o)
{
	return o->lists.dir != NULL && o->lists.no_lists
		       ? "--lists and --no-lists contradict each other"
		       : NULL;
}

/* What the user has on where addresses are. */
static bool places_open(struct analysis_setup *setup, const struct analysis_options *o,
			const struct command *c, struct session *s)
{
	char why[320];

	if (o->country == NULL && o->asn_db.n == 0)
		return true;
	int err = geo_open(&setup->geo, o->asn_db.v, o->asn_db.n, o->country, why, sizeof(why));
	if (err == -EINVAL)
		options_error(c, why, o->country);
	else if (err != 0)
		log_error(NULL, "%s", why);
	if (err != 0)
		session_happened(s, err == -EINVAL || err == -ENOTSUP ? EXIT_USAGE
				    : err == -EBADMSG		      ? EXIT_INPUT
								      : EXIT_IO);
	return err == 0;
}

bool analysis_setup_open(struct analysis_setup *setup, const struct analysis_options *o,
			 const struct command *c, struct session *s)
{
	enum exit_status status = lists_open(&setup->lists, &o->lists);

	if (status != EXIT_DONE) {
		session_happened(s, status);
		return false;
	}
	return places_open(setup, o, c, s);
}

struct analysis_config analysis_setup_config(const struct analysis_setup *setup,
					     const struct analysis_options *o,
					     const struct session *s)
{
	return (struct analysis_config){
		.geo = setup->geo,
		.no_ndpi = o->no_ndpi,
		.no_throttling = o->no_throttling,
		.all_flows = outputs_has(&s->outputs, "jsonl") ||
			     outputs_has(&s->outputs, "zeek") || s->expected != NULL,
		.vantage = vantage_of[o->vantage],
		.rules = setup->lists.rules,
		.matcher = setup->lists.matcher,
		.spill = s->spill,
	};
}

void analysis_setup_close(struct analysis_setup *setup)
{
	lists_close(&setup->lists);
	geo_close(setup->geo);
	*setup = (struct analysis_setup){.geo = NULL};
}
