/* SPDX-License-Identifier: BSD-3-Clause */

/* wmscope doctor: what this machine and card can do, and what would spoil a capture. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/log.h"
#include "tools/command.h"
#include "tools/doctor.h"
#include "tools/escape.h"
#include "tools/json.h"
#include "tools/options.h"
#include "tools/report_text.h"

#define ADVICE_COLUMN 8

extern const struct command command_doctor;

const char *const doctor_state_name[] = {"good", "note", "bad", "unknown"};

struct doctor_config {
	const char *iface, *json;
};

#define AT(field) .offset = offsetof(struct doctor_config, field)
static const struct option_row doctor_options[] = {
	{.name = "interface", .letter = 'i', .kind = OPTION_STRING, AT(iface), .argument = "IFACE",
	 .help = "look at this interface too"},
	{.name = "json", .kind = OPTION_STRING, AT(json), .argument = "FILE",
	 .help = "write what was found here, as one line of JSON; - is standard output"},
	{.name = NULL},
};

struct doctor_row *doctor_add(struct doctor *d, const char *group, const char *name,
			      enum doctor_state state, const char *fmt, ...)
{
	struct doctor_row *r = &d->rows[d->n < DOCTOR_ROWS_MAX ? d->n : DOCTOR_ROWS_MAX - 1];
	va_list args;

	d->n += d->n < DOCTOR_ROWS_MAX;
	*r = (struct doctor_row){.group = group, .name = name, .state = state};
	va_start(args, fmt);
	vsnprintf(r->value, sizeof(r->value), fmt, args);
	va_end(args);
	return r;
}

void doctor_advise(struct doctor_row *r, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(r->advice, sizeof(r->advice), fmt, args);
	va_end(args);
}

/* What is good is told in a word; what is not also says what to do. */
static void print_text(const struct doctor *d, FILE *out)
{
	static const char *const mark[] = {"ok", "note", "BAD", "?"};
	const struct text t = {.out = out};
	char advice[4 * sizeof(d->rows[0].advice) + 1];
	const char *group = "";

	for (unsigned i = 0; i < d->n; i++) {
		const struct doctor_row *r = &d->rows[i];
		if (strcmp(r->group, group) != 0)
			fprintf(out, "%s%s\n", i != 0 ? "\n" : "", r->group);
		group = r->group;
		fprintf(out, "  %-4s  %-21s ", mark[r->state], r->name);
		escape_write(out, r->value, strlen(r->value), 0);
		putc('\n', out);
		if (r->advice[0] == '\0')
			continue;
		escape_string(advice, sizeof(advice), r->advice, 0);
		fprintf(out, "%*s", ADVICE_COLUMN, "");
		text_wrap(&t, ADVICE_COLUMN, advice);
	}
}

static void print_json(const struct doctor *d, const char *iface, FILE *out)
{
	struct json j;

	json_start(&j, out);
	json_object(&j, NULL);
	json_uint(&j, "schema", 1);
	json_string(&j, "event_type", "doctor");
	json_object(&j, "doctor");
	if (iface != NULL)
		json_bytes(&j, "interface", iface, strlen(iface));
	json_array(&j, "checks");
	for (unsigned i = 0; i < d->n; i++) {
		const struct doctor_row *r = &d->rows[i];
		json_object(&j, NULL);
		json_string(&j, "group", r->group);
		json_string(&j, "name", r->name);
		json_string(&j, "state", doctor_state_name[r->state]);
		json_bytes(&j, "value", r->value, strlen(r->value));
		json_string(&j, "advice", r->advice[0] != '\0' ? r->advice : NULL);
		json_end(&j);
	}
	json_end(&j);
	json_end(&j);
	json_end(&j);
}

static int write_out(const struct doctor *d, const struct doctor_config *cfg)
{
	bool to_stdout = cfg->json == NULL || strcmp(cfg->json, "-") == 0;
	FILE *out = to_stdout ? stdout : fopen(cfg->json, "we");
	int err = 0;

	if (out == NULL) {
		log_error(NULL, "%s: %s", cfg->json, strerror(errno));
		return EXIT_IO;
	}
	if (cfg->json != NULL)
		print_json(d, cfg->iface, out);
	else
		print_text(d, out);
	err |= ferror(out);
	err |= to_stdout ? fflush(out) : fclose(out);
	if (err != 0)
		log_error(NULL, "%s: %s", to_stdout ? "standard output" : cfg->json, strerror(errno));
	return err != 0 ? EXIT_IO : EXIT_DONE;
}

static int doctor_run(void *config, int argc, char **argv)
{
	const struct doctor_config *cfg = config;
	static struct doctor d;

	if (argc != 0) {
		options_error(&command_doctor, "nothing else is expected here", argv[0]);
		return EXIT_USAGE;
	}
	doctor_system(&d);
	int err = cfg->iface != NULL ? doctor_interface(&d, cfg->iface) : 0;
	if (err != 0) {
		log_error(NULL, "%s: %s", cfg->iface, strerror(-err));
		return EXIT_IO;
	}
	return write_out(&d, cfg);
}

const struct command command_doctor = {
	.name = "doctor",
	.usage = "[-i IFACE]",
	.summary = "what this machine and a card can do, and what would spoil a capture",
	.details = "Looks and changes nothing: what is marked BAD or note says what to do about it, "
		   "and with which command. Some answers need root, which is said where it is so.",
	.options = doctor_options,
	.config_size = sizeof(struct doctor_config),
	.run = doctor_run,
};
