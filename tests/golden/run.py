#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What wmscope says of captures, word for word: run.py WMSCOPE [--update] [--schema FILE] [NAME...]

Each line of CASES is a capture and options. Of every flow and finding a few keys are compared with
expected/NAME: what was found, when, in which frames, on what grounds. Flows and findings must also
be the same bytes for 1, 2 and 8 workers, and fit the schema. nDPI is off: its names change with its
version.
"""
import argparse
import difflib
import json
import pathlib
import shlex
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import schema_check  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
PCAPS = HERE.parent.parent / "pcaps"


def cases():
    for line in (HERE / "CASES").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, capture, *options = shlex.split(line)
            yield name, PCAPS / capture, options


def endpoints(event):
    return [event["proto"], event["src_ip"], event.get("src_port"), event["dest_ip"],
            event.get("dest_port")]


def brief(event):
    """The keys of an event that no later change may move unseen."""
    kind = event["event_type"]
    if kind == "run":
        capture = event["run"]["captures"][0]
        return {"run": {"exit": event["run"]["exit_status"], "packets": capture["packets"],
                        "vantage": capture["vantage"], "notes": capture["notes"],
                        "shown": event["run"]["findings"]["shown"],
                        "by_verdict": event["run"]["findings"]["by_verdict"]}}
    if kind == "flow":
        flow = event["flow"]
        return {"flow": {"ends": endpoints(event), "frame": event["pcap_cnt"],
                         **{k: flow[k] for k in ("start", "end", "state", "reason", "history",
                                                 "stage", "worst", "pkts_toserver",
                                                 "pkts_toclient")},
                         "app": event["app_proto"],
                         "name": event.get("tls", {}).get("sni") or
                         event.get("http", {}).get("host")}}
    if kind == "trigger":
        return {"trigger": {**event["trigger"], "server": event["dest_ip"]}}
    if kind == "profile":
        box = event["profile"]
        return {"profile": {**{k: box[k] for k in ("mbx", "device", "mode", "verdict", "findings",
                                                   "residual_s", "triggers")},
                            "lines": {k: [v["said"], v["n"]] for k, v in box["lines"].items()}}}
    finding = event["finding"]
    return {"finding": {"ends": endpoints(event), "frame": event["pcap_cnt"],
                        "time": event["timestamp"],
                        **{k: finding[k] for k in ("verdict", "id", "family", "score", "stage",
                                                   "direction", "packets", "trigger",
                                                   "conditional")},
                        "evidence": [[e["kind"], e["grade"], e["packet"], e["counted"]]
                                     for e in finding["evidence"]],
                        "not_testable": [n["kind"] for n in finding["not_testable"]]}}


def analyse(wmscope, capture, options, workers):
    run = subprocess.run([wmscope, "analyze", "-q", "--no-ndpi", "--jsonl", "-",
                          "--workers", str(workers), *options, str(capture)],
                         capture_output=True, timeout=60, check=False)
    assert run.returncode in (0, 1), f"exit {run.returncode}: {run.stderr.decode()}"
    return run.stdout


def check(case, args, validator):
    """None, or what is wrong."""
    name, capture, options = case
    output = analyse(args.wmscope, capture, options, 1)
    for workers in (2, 8):
        other = analyse(args.wmscope, capture, options, workers)
        # The first line is about the run and names its command.
        if other.split(b"\n")[1:] != output.split(b"\n")[1:]:
            return f"{workers} workers say something else than 1"
    if validator is not None:
        schema_check.check(name, output, validator)
    got = "".join(json.dumps(brief(json.loads(line)), ensure_ascii=False) + "\n"
                  for line in output.splitlines())
    path = HERE / "expected" / name
    if args.update:
        path.write_text(got, encoding="utf-8")
        return None
    want = path.read_text(encoding="utf-8") if path.exists() else ""
    diff = difflib.unified_diff(want.splitlines(), got.splitlines(), "expected", "now", "", "", 0)
    return "\n".join(diff) or None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wmscope")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--schema")
    args = parser.parse_args()
    validator = None
    if args.schema and schema_check.jsonschema is not None:
        with open(args.schema, encoding="utf-8") as f:
            validator = schema_check.jsonschema.Draft202012Validator(json.load(f))
    n = bad = 0
    for case in cases():
        if args.names and case[0] not in args.names:
            continue
        n += 1
        try:
            why = check(case, args, validator)
        except AssertionError as error:
            why = str(error)
        if why is not None:
            bad += 1
            print(f"{case[0]}: {why}")
    print(f"{n} cases, {bad} wrong" + ("" if validator else "; schema not checked"))
    return 1 if bad or n == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
