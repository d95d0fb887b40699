#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The page as a browser has it: browser.py WMSCOPE PCAPS

Headless Chromium opens pages of lab captures: nothing is said on the console, the counts are those of the
JSON Lines, and the script did its work: tables can be sorted, findings filtered, plots enlarged. What it
adds is not in the page itself, all else is.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

CAPTURES = ("sni-rst-onpath/client.pcap", "dns-onpath/client.pcap", "page-onpath/client.pcap")
VERDICTS = ("confirmed", "likely", "anomaly", "inconclusive")


def browser():
    return shutil.which("chromium") or shutil.which("chromium-browser")


def dump(page, folder):
    """(the page's markup once its script ran, what the console said)"""
    done = subprocess.run(
        [browser(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
         "--no-first-run", "--host-resolver-rules=MAP * ~NOTFOUND",
         "--user-data-dir=" + os.path.join(folder, "profile"),
         "--enable-logging=stderr", "--v=0", "--dump-dom", "file://" + page],
        capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def check(markup, events, scripted):
    run = next(e["run"] for e in events if e["event_type"] == "run")
    for verdict in VERDICTS:
        shown = re.search(rf'<li data-count="{verdict}"><b>([0-9,]+)</b>', markup)
        assert int(shown[1].replace(",", "")) == run["flows"][verdict], (verdict, shown[0])
    findings = sum(e["event_type"] == "finding" for e in events)
    assert findings and f"{findings} finding" in markup, findings
    for made in ('class="tools"', 'class="zooms"', "<th scope=\"col\"><button"):
        assert (made in markup) == scripted, (made, scripted)
    assert markup.count("<article") >= 1 and "In short" in markup


def main():
    wmscope, pcaps = sys.argv[1:]
    if browser() is None:
        print("SKIP: chromium is not installed")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        for number, name in enumerate(CAPTURES):
            page, lines = os.path.join(folder, f"{number}.html"), os.path.join(folder, f"{number}.jsonl")
            subprocess.run([wmscope, "analyze", "-q", "--no-ndpi", "--html", page, "--jsonl", lines,
                            os.path.join(pcaps, name)], check=False)
            with open(lines, encoding="utf-8") as f:
                events = [json.loads(line) for line in f]
            markup, said = dump(page, folder)
            assert not said, said
            check(markup, events, True)
            if number == 0:
                with open(page, encoding="utf-8") as f:
                    text = f.read()
                check(text, events, False)
                # The console is heard.
                with open(page, "w", encoding="utf-8") as f:
                    f.write(text.replace('"use strict";', '"use strict"; noSuchThing();', 1))
                assert dump(page, folder)[1], "an error in the script (and one of its hash) goes unheard"
    print(f"{len(CAPTURES)} pages")


if __name__ == "__main__":
    main()
