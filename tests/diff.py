#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Two reports compared: diff.py WMSCOPE PCAPS SCHEMA"""
import json
import os
import subprocess
import sys
import tempfile

import jsonschema

BLOCKED = ("name", "sni blocked.example")


def trigger(value, failed, passed, filtered):
    return {"schema": 1, "event_type": "trigger",
            "trigger": {"kind": "sni", "value": value, "failed": failed, "passed": passed,
                        "filtered": filtered}}


def main():
    wmscope, pcaps, schema = sys.argv[1:]
    validator = jsonschema.Draft202012Validator(json.load(open(schema, encoding="utf-8")))
    bad = []

    with tempfile.TemporaryDirectory() as tmp:
        def path(name):
            return os.path.join(tmp, name)

        def analyze(name, scenario):
            subprocess.run([wmscope, "analyze", "-q", "--fail-on", "never", "--no-lists",
                            "--jsonl", path(name),
                            os.path.join(pcaps, scenario, "client.pcap")], check=True)

        def write(name, *events):
            with open(path(name), "w", encoding="utf-8") as out:
                out.writelines(json.dumps(e) + "\n" for e in events)

        def diff(a, b):
            """The exit status, and the change of each item."""
            ran = subprocess.run([wmscope, "diff", "--all", "--jsonl", "-", path(a), path(b)],
                                 capture_output=True, text=True, check=False)
            items = {}
            for line in ran.stdout.splitlines():
                event = json.loads(line)
                bad.extend(e.message for e in validator.iter_errors(event))
                items[event["diff"]["kind"], event["diff"]["key"]] = event["diff"]
            text = subprocess.run([wmscope, "diff", path(a), path(b)], capture_output=True,
                                  text=True, check=False)
            if text.returncode != ran.returncode:
                bad.append(f"{a} {b}: text exits with {text.returncode}, JSON {ran.returncode}")
            return ran.returncode, items

        def expect(what, got, want):
            if got != want:
                bad.append(f"{what}: {got}, expected {want}")

        analyze("onpath", "sni-rst-onpath")
        analyze("inpath", "sni-rst-inpath")
        analyze("benign", "fetch-dns")
        status, items = diff("onpath", "onpath")
        expect("one report with itself", status, 0)
        expect("its changes", {i["change"] for i in items.values()}, {"same"})
        expect("its kinds", {kind for kind, _ in items}, {"name", "finding", "box"})

        status, items = diff("onpath", "inpath")
        expect("two boxes", status, 1)
        expect("the name at both", items[BLOCKED]["change"], "same")
        change = items["finding", "tcp-injection TCP of sni blocked.example"]
        expect("surer at one", change["change"], "changed")
        expect("why", change["why"], "verdict: confirmed, then likely; as: data-after-rst, then "
               "rst-sub-rtt")
        expect("boxes", sorted(i["change"] for (k, _), i in items.items() if k == "box"),
               ["gone", "new"])

        # What the other network never tried is no change; what it tried and let pass is.
        status, items = diff("onpath", "benign")
        expect("never tried", items[BLOCKED]["change"], "untested")
        write("passed", trigger("blocked.example", 0, 4, False))
        status, items = diff("onpath", "passed")
        expect("tried and let pass", (status, items[BLOCKED]["change"]), (1, "gone"))
        write("few", trigger("blocked.example", 2, 0, False))
        status, items = diff("onpath", "few")
        expect("failed, and too rarely", items[BLOCKED]["change"], "untested")
        _, items = diff("passed", "onpath")
        expect("the other way", items[BLOCKED]["change"], "new")

        write("hostile", trigger("\x1b[2J\u202ea", 1, 0, True))
        text = subprocess.run([wmscope, "diff", path("hostile"), path("passed")],
                              capture_output=True, text=True, check=False).stdout
        if "\x1b" in text or "\u202e" in text:
            bad.append("a name reaches the terminal as it is")

        for name, content, why in (("empty", "", "is empty"),
                                   ("other", "{}\n", "line 1: is no event"),
                                   ("broken", '{"schema":1,"event_', "line 1: "),
                                   ("newer", '{"schema":2,"event_type":"run"}\n',
                                    "line 1: is of another version")):
            with open(path(name), "w", encoding="utf-8") as out:
                out.write(content)
            ran = subprocess.run([wmscope, "diff", path("onpath"), path(name)],
                                 capture_output=True, text=True, check=False)
            expect(name, (ran.returncode, f"{path(name)}: {why}" in ran.stderr), (3, True))

    print("\n".join(bad) if bad else "reports compare as they should")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
