/* SPDX-License-Identifier: BSD-3-Clause */
#include "classifiers/plugins.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "classifiers/device/device.h"
#include "classifiers/shard.h"
#include "dataplane/plugin.h"

#define TABLE_MAX 64u        /* entries of one plug-in's table */
#define TOO_MANY "is one too many: an entry without id closes a table"
#define FLOW_SIZE_MAX 65536u /* bytes that a classifier may want of each flow */

static unsigned built_in(void)
{
	unsigned n = 0;
	while (classifier_table[n] != NULL)
		n++;
	return n;
}

const struct classifier *classifier_at(unsigned i)
{
	unsigned n = built_in();
	if (i < n)
		return classifier_table[i];
	const struct plugin *p = plugin_at(PLUGIN_CLASSIFIER, i - n);
	return p != NULL ? p->classifier : NULL;
}

bool classifier_is_foreign(unsigned i)
{
	return i >= built_in();
}

const struct signature *signatures_at(unsigned t)
{
	unsigned n = 0;
	while (signature_table[n] != NULL && n < t)
		n++;
	if (signature_table[n] != NULL)
		return signature_table[n];
	const struct plugin *p = plugin_at(PLUGIN_SIGNATURES, t - n);
	return p != NULL ? p->signatures : NULL;
}

const struct device *devices_at(unsigned t)
{
	unsigned n = 0;
	while (device_table[n] != NULL && n < t)
		n++;
	if (device_table[n] != NULL)
		return device_table[n];
	const struct plugin *p = plugin_at(PLUGIN_DEVICES, t - n);
	return p != NULL ? p->devices : NULL;
}

bool signature_is_foreign(const struct signature *sig)
{
	const struct plugin *p;
	for (unsigned i = 0; (p = plugin_at(PLUGIN_SIGNATURES, i)) != NULL; i++)
		for (const struct signature *s = p->signatures; s->id != NULL; s++)
			if (s == sig)
				return true;
	return false;
}

bool signatures_foreign(void)
{
	return plugin_at(PLUGIN_SIGNATURES, 0) != NULL;
}

static int say(char *err, size_t errlen, const char *kind, const char *id, const char *why)
{
	snprintf(err, errlen, "%s '%.*s' %s", kind, (int)PLUGIN_NAME, id, why);
	return -EINVAL;
}

static int taken(char *err, size_t errlen, const char *kind, const char *id)
{
	say(err, errlen, kind, id, "has a name that is taken");
	return -EEXIST;
}

static int fit_classifier(const struct classifier *c, char *err, size_t errlen)
{
	static const char kind[] = "classifier";
	unsigned n = 0;
	const char *why = !plugin_name_fits(c->name) ? "has no name of small letters, digits and dashes"
			  : c->doc == NULL	     ? "says nothing of itself"
			  : c->packet == NULL && c->stream == NULL
				  ? "looks at neither packets nor streams"
			  : c->flow_size > FLOW_SIZE_MAX ? "wants more than 64 KiB of each flow"
							 : NULL;
	if (why != NULL)
		return say(err, errlen, kind, c->name != NULL ? c->name : "", why);
	for (const struct classifier *other; (other = classifier_at(n)) != NULL; n++)
		if (strcmp(other->name, c->name) == 0)
			return taken(err, errlen, kind, c->name);
	return n < CLASSIFIERS_MAX ? 0 : say(err, errlen, kind, c->name, "is one too many");
}

/* NULL, or what the judge or a reader would miss. */
static const char *wrong_signature(const struct signature *s)
{
	return !plugin_name_fits(s->id) ? "has no id of small letters, digits and dashes"
	       : s->match == NULL || s->summary == NULL || s->refs == NULL
		       ? "lacks its summary, refs or match()"
	       : s->benign == NULL || s->benign[0] == '\0'
		       ? "does not say what innocent traffic looks the same (benign)"
	       : (unsigned)s->family >= FAMILY_N || (unsigned)s->cause >= CAUSE_N ||
			       (unsigned)s->fact >= FACT_N
		       ? "is of no known family, cause or fact"
	       : s->cause == CAUSE_RATE || s->fact == FACT_RATE || s->fact == FACT_RATE_VALUE
		       ? "is about a rate, which is measured and has no signature of others"
		       : NULL;
}

static bool has_signature(const char *id, const struct signature *table, const struct signature *before)
{
	for (; table->id != NULL && table != before; table++)
		if (strcmp(table->id, id) == 0)
			return true;
	return false;
}

static int fit_signatures(const struct signature *table, char *err, size_t errlen)
{
	static const char kind[] = "signature";
	for (const struct signature *s = table; s->id != NULL; s++) {
		const char *why = s - table == TABLE_MAX ? TOO_MANY : wrong_signature(s);
		if (why != NULL)
			return say(err, errlen, kind, s->id, why);
		bool is = has_signature(s->id, table, s);
		for (unsigned t = 0; signatures_at(t) != NULL && !is; t++)
			is = has_signature(s->id, signatures_at(t), NULL);
		if (is)
			return taken(err, errlen, kind, s->id);
	}
	return 0;
}

static const char *wrong_device(const struct device *d)
{
	return !plugin_name_fits(d->id) ? "has no id of small letters, digits and dashes"
	       : d->doc == NULL || d->source == NULL ? "lacks its doc or source"
	       : d->grade < ATTRIBUTION_A1 || d->grade >= ATTRIBUTION_N ? "has no grade from A1 to A3"
	       : d->attributed && d->match == NULL ? "is attributed and lacks match()"
						   : NULL;
}

static bool has_device(const char *id, const struct device *table, const struct device *before)
{
	for (; table->id != NULL && table != before; table++)
		if (strcmp(table->id, id) == 0)
			return true;
	return false;
}

static int fit_devices(const struct device *table, char *err, size_t errlen)
{
	static const char kind[] = "device";
	for (const struct device *d = table; d->id != NULL; d++) {
		const char *why = d - table == TABLE_MAX ? TOO_MANY : wrong_device(d);
		if (why != NULL)
			return say(err, errlen, kind, d->id, why);
		bool is = has_device(d->id, table, d);
		for (unsigned t = 0; devices_at(t) != NULL && !is; t++)
			is = has_device(d->id, devices_at(t), NULL);
		if (is)
			return taken(err, errlen, kind, d->id);
	}
	return 0;
}

/* The module of that name is looked for when it is asked for, and would not be found any more. */
static int fit_engine(const char *name, char *err, size_t errlen)
{
	return name != NULL && strcmp(name, "dpdk") == 0 ? taken(err, errlen, "engine", name) : 0;
}

static int fit(const struct plugin *p, char *err, size_t errlen)
{
	switch (p->kind) {
	case PLUGIN_SOURCE:
		return fit_engine(p->source->name, err, errlen);
	case PLUGIN_SINK:
		return fit_engine(p->sink->name, err, errlen);
	case PLUGIN_CLASSIFIER:
		return fit_classifier(p->classifier, err, errlen);
	case PLUGIN_SIGNATURES:
		return fit_signatures(p->signatures, err, errlen);
	case PLUGIN_DEVICES:
		return fit_devices(p->devices, err, errlen);
	case PLUGIN_END:
	case PLUGIN_KINDS:
		break;
	}
	return -EINVAL;
}

int plugins_load(const char *path, const struct plugin **table, char *err, size_t errlen)
{
	char real[PLUGIN_PATH];
	int ret = plugin_trust(path, real, err, errlen);
	if (ret == 0)
		ret = plugin_open(real, table, err, errlen);
	for (const struct plugin *p = ret == 0 ? *table : NULL; ret == 0 && p->kind != PLUGIN_END; p++) {
		ret = fit(p, err, errlen);
		if (ret == 0)
			ret = plugin_add(p, err, errlen);
	}
	return ret;
}
