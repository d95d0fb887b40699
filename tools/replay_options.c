/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/replay_options.h"

#include <string.h>

static bool parse(const char *text, uint8_t *first, uint8_t *second)
{
	char copy[64];

	if (strlen(text) >= sizeof(copy))
		return false;
	strcpy(copy, text);
	char *other = strchr(copy, ',');
	if (other != NULL)
		*other++ = '\0';
	return rewrite_mac_parse(copy, first) == 0 &&
	       rewrite_mac_parse(other != NULL ? other : copy, second) == 0;
}

bool replay_options_macs(const char *src, const char *dst, struct rewrite_macs out[REPLAY_PORTS])
{
	for (unsigned p = 0; p < REPLAY_PORTS; p++) {
		out[p].set_src = src != NULL;
		out[p].set_dst = dst != NULL;
	}
	return (src == NULL || parse(src, out[0].src, out[1].src)) &&
	       (dst == NULL || parse(dst, out[0].dst, out[1].dst));
}

const char *replay_options_clients(const struct option_strings *texts, struct prefix *into,
				   struct replay_config *cfg)
{
	for (unsigned i = 0; i < texts->n; i++) {
		const char *text = texts->v[i];
		if (prefix_parse(text, strlen(text), &into[i]) != 0)
			return text;
	}
	cfg->clients = into;
	cfg->n_clients = texts->n;
	return NULL;
}
