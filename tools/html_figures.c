/* SPDX-License-Identifier: BSD-3-Clause */

/* The figures within the page. */

#include "tools/figures.h"
#include "tools/html.h"

static int embed(const struct html *h, const struct figure *f, bool *any)
{
	void *data = NULL;
	char rest[160];
	int err = f->gather(h->analysis, h->options, &data);

	if (err != 0 || data == NULL)
		return err;
	fprintf(h->out,
		"<figure class=\"plot\" id=\"figure-%s\">\n<h3>%s</h3>\n<div class=\"wide\" "
		"role=\"region\" tabindex=\"0\" aria-label=\"%s\">\n",
		f->name, f->title, f->title);
	f->draw(data, h->out, false);
	fprintf(h->out, "</div>\n<figcaption>%s", f->caption);
	const char *said = f->left_out != NULL ? f->left_out(data, rest, sizeof(rest)) : NULL;
	if (said != NULL && said[0] != '\0') {
		fputs(" ", h->out);
		html_text(h, said);
	}
	fputs("</figcaption>\n</figure>\n", h->out);
	f->free(data);
	*any = true;
	return 0;
}

int html_figures(const struct html *h, bool timeline)
{
	bool any = false;
	int err = 0;

	for (unsigned i = 0; figure_table[i] != NULL && err == 0; i++) {
		if ((i == 0) == timeline)
			err = embed(h, figure_table[i], &any);
	}
	if (!any && err == 0)
		fputs(timeline ? "<p>There is no finding about a single connection.</p>\n"
			       : "<p>No finding has what the plots are drawn from.</p>\n",
		      h->out);
	return err;
}
