#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Files stay small: check_sizes.py ROOT

More than 500 lines in a file, 60 in a function or 100 columns in a line of C (a tab counts eight) is
printed; more than 520, 80 or 110 is refused.
"""
import re
import sys

import sources

FILE, FUNCTION, COLUMNS = (500, 520), (60, 80), (100, 110)
TEXT = (".c", ".h", ".py", ".sh", ".build")
# Tables of vectors have lines that are better left whole.
WIDE = re.compile(r"[0-9a-fA-F]{40}|https?://")


def functions(lines):
    """(first line, length, head) of what starts with { and ends with } in the first column."""
    start, head, before = 0, "", ""
    for number, text in enumerate(lines, 1):
        if text.startswith("{"):
            start, head = number, before
        elif text.startswith("}") and start:
            yield start, number - start, head
            start = 0
        elif text and text[0] not in " \t#}/":
            before = text


def main():
    root = sys.argv[1]
    bad = 0

    def judge(what, n, limits):
        nonlocal bad
        if n > limits[0]:
            print(f"{what}: {n}" + (f", and {limits[1]} is the end" if n > limits[1] else ""))
            bad += n > limits[1]

    for name in sources.tracked(root):
        if not name.endswith(TEXT):
            continue
        lines = sources.lines(root, name)
        judge(f"{name}: lines", len(lines) - 1, FILE)
        if not name.endswith((".c", ".h")):
            continue
        for number, length, head in functions(lines):
            judge(f"{name}:{number}: lines of {head}", length, FUNCTION)
        for number, text in enumerate(lines, 1):
            if not WIDE.search(text):
                judge(f"{name}:{number}: columns", len(text.expandtabs(8)), COLUMNS)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
