#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""README shows what the program prints: check_readme.py WMSCOPE ROOT

A block after `<!-- output: ARGUMENTS -->` is compared with `wmscope ARGUMENTS`, run in ROOT: each of
its lines is there, in that order and with nothing between, but where a line is only `…`. Folders in the
layout, commands and links have to exist too.
"""
import os
import re
import shlex
import subprocess
import sys

BLOCK = re.compile(r"<!-- output: (.*?) -->\n+```[a-z]*\n(.*?)```", re.DOTALL)
PATH = re.compile(r"`((?:\.ci|bpf|classifiers|dataplane|pcaps|tests|tools)/[\w./-]*)`")


def follows(wanted, lines):
    """None, or the first line of wanted that is not where it should be."""
    at, free = 0, True
    for text in wanted:
        if text.strip() == "…":
            free = True
            continue
        where = lines.index(text, at) if free and text in lines[at:] else at
        if where >= len(lines) or lines[where] != text:
            return text
        at, free = where + 1, False
    return None if free or at == len(lines) else "(there is more; end the block with …)"


def main():
    wmscope, root = os.path.abspath(sys.argv[1]), sys.argv[2]
    with open(os.path.join(root, "README.md"), encoding="utf-8") as f:
        readme = f.read()
    bad = 0
    blocks = BLOCK.findall(readme)
    for arguments, block in blocks:
        run = subprocess.run([wmscope, *shlex.split(arguments)], cwd=root, capture_output=True,
                             encoding="utf-8", env={**os.environ, "LC_ALL": "C.UTF-8"},
                             check=False)
        missing = follows(block.splitlines(), run.stdout.splitlines())
        if missing is not None:
            bad += 1
            print(f"`wmscope {arguments}` (exit {run.returncode}) does not print as README says:\n"
                  f"{missing}\n{run.stderr}")
    for path in PATH.findall(readme):
        if "NAME" not in path and not os.path.exists(os.path.join(root, path)):
            bad += 1
            print(f"README names {path}, which does not exist")
    print(f"{len(blocks)} blocks, {bad} wrong")
    return 1 if bad or not blocks else 0


if __name__ == "__main__":
    sys.exit(main())
