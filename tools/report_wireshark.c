/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A profile of Wireshark for annotated captures. Rules of colour cannot be in the capture itself. To be
 * copied to where Wireshark keeps profiles, and chosen with -C.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/folder.h"
#include "tools/report.h"

static const struct {
	const char *name, *text;
} files[] = {
	/* @name@filter@[background][foreground], 16 bits a channel; the first that matches holds. */
	{"colorfilters",
	 "@wmscope: injected@frame.comment contains \"INJECTED\"@[54741,24158,0][65535,65535,65535]\n"
	 "@wmscope: suspect@frame.comment contains \"SUSPECT\"@[61423,53713,28270][0,0,0]\n"
	 "@wmscope: page@frame.comment contains \"PAGE \"@[52428,31097,42919][0,0,0]\n"
	 "@wmscope: trigger@frame.comment contains \"TRIGGER\"@[22102,46260,59881][0,0,0]\n"
	 "@wmscope: unanswered@frame.comment contains \"UNANSWERED\"@[52428,52428,52428][0,0,0]\n"
	 "@wmscope: shows@frame.comment contains \"SHOWS \"@[61680,58596,16962][0,0,0]\n"},
	{"dfilter_buttons",
	 "\"TRUE\",\"Injected\",\"frame.comment contains \\x22INJECTED\\x22\",\"\"\n"
	 "\"TRUE\",\"Triggers\",\"frame.comment contains \\x22TRIGGER\\x22\",\"\"\n"
	 "\"TRUE\",\"Said of\",\"frame.comment\",\"\"\n"},
	{"preferences",
	 "gui.column.format: \"No.\", \"%m\", \"Time\", \"%t\", \"Source\", \"%s\", "
	 "\"Destination\", \"%d\", \"Protocol\", \"%p\", \"TTL\", "
	 "\"%Cus:ip.ttl || ipv6.hlim:0:R\", \"IP-ID\", \"%Cus:ip.id:0:R\", "
	 "\"Comment\", \"%Cus:frame.comment:1:R\", \"Info\", \"%i\"\n"},
	{"README",
	 "Colours, columns and buttons for annotated.pcapng. To use them:\n\n"
	 "  cp -r THIS_FOLDER ~/.config/wireshark/profiles/wmscope\n"
	 "  wireshark -C wmscope annotated.pcapng\n"},
};

static int wireshark_write(const struct analysis *a, const struct report_options *o,
			   const char *dir)
{
	char *profile;

	(void)a, (void)o;
	if (asprintf(&profile, "%s/wireshark", dir) < 0)
		return -ENOMEM;
	int err = folder_make(profile);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && err == 0; i++) {
		struct folder_file f;
		err = folder_file_open(&f, profile, files[i].name);
		if (err != 0)
			break;
		fputs(files[i].text, f.out);
		err = folder_file_close(&f, 0);
	}
	free(profile);
	return err;
}

extern const struct report report_wireshark;
const struct report report_wireshark = {
	.name = "wireshark",
	.doc = "a profile of Wireshark with colours for annotated captures, in a folder",
	.write_folder = wireshark_write,
};
