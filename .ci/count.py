#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Counts what `meson test` did: count.py TESTLOG, and prints why tests failed or were skipped.

Standard output gets one line, `PASSED FAILED SKIPPED`; words go to standard error.
"""
import json
import sys

GOOD = ("OK", "EXPECTEDFAIL")


def main():
    passed = failed = skipped = 0
    with open(sys.argv[1], encoding="utf-8") as log:
        for line in log:
            test = json.loads(line)
            words = (test.get("stdout") or "") + (test.get("stderr") or "")
            if test["result"] in GOOD:
                passed += 1
            elif test["result"] == "SKIP":
                skipped += 1
                why = words.strip().splitlines()
                print(f"skipped {test['name']}: {why[-1] if why else 'no reason'}", file=sys.stderr)
            else:
                failed += 1
                print(f"FAILED {test['name']}: {test['result']}\n{words[-6000:]}", file=sys.stderr)
    print(passed, failed, skipped)


main()
