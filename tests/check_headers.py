#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Each header compiles alone, and twice in one file: check_headers.py ROOT BUILD CC..."""
import subprocess
import sys
import tempfile

import sources


def flags(header):
    """What a header of one library's user needs; None: that library is not here."""
    if "dpdk" not in header:
        return []
    found = subprocess.run(["pkg-config", "--cflags", "libdpdk"], capture_output=True, text=True,
                           check=False)
    return found.stdout.replace("-I", "-isystem ").split() if found.returncode == 0 else None


def main():
    root, build, compiler = sys.argv[1], sys.argv[2], sys.argv[3:]
    headers = [n for n in sources.c_files(root)
               if n.endswith(".h") and n.split("/")[0] in sources.LAYERS]
    bad = 0
    with tempfile.NamedTemporaryFile("w", suffix=".c") as source:
        for header in headers:
            more = flags(header)
            if more is None:
                continue
            source.seek(0)
            source.truncate()
            source.write(f'#include "{header}"\n#include "{header}"\n')
            source.flush()
            result = subprocess.run(
                [*compiler, "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror",
                 "-fsyntax-only", f"-I{root}", f"-I{build}", *more, source.name],
                capture_output=True, text=True, check=False)
            if result.returncode != 0:
                bad += 1
                print(f"{header} does not compile alone:\n{result.stderr}")
    print(f"{len(headers)} headers, {bad} do not compile alone")
    return 1 if bad or not headers else 0


if __name__ == "__main__":
    sys.exit(main())
