/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* The files html.css, html.js and figure.css, line by line, each list ended by NULL. */

extern const char *const html_figure_css[], *const html_page_css[], *const html_script_js[];
