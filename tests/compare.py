#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""wmscope compare against the lab's own comparison: compare.py WMSCOPE PCAPS LAB [SCENARIO...] [-v]

For each scenario with a capture of the client and one of the server, tools/lab/truth.py says which
packets were forged and which dropped; the two captures share one clock there, and here nothing is told
of clocks. Every forged packet must be named at its frame and none else, every dropped one named or, where the
other capture had ended, left open, and none else. What MANIFEST says is benign must not reach `likely`; the
trigger that it gives must be the one that a finding of its flow names; and what a box with a rule dropped must
reach it.
"""
import collections
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

JUDGED = (6, 17, 47)    # TCP, UDP, GRE
TAIL = 3 * 10**8        # as in the comparison: sent so late it may be under way


def scenarios(pcaps):
    for name in sorted(os.listdir(pcaps)):
        files = [[p for p in (os.path.join(pcaps, name, view + end) for end in (".pcap", ".pcapng"))
                  if os.path.exists(p)] for view in ("client", "server")]
        if all(files):
            yield name, files[0][0], files[1][0]


def readable(path, folder):
    """the lab reads classic pcap only; None without Wireshark's editcap"""
    if path.endswith(".pcap"):
        return path
    if shutil.which("editcap") is None:
        return None
    out = os.path.join(folder, "classic.pcap")
    subprocess.run(["editcap", "-F", "nsecpcap", path, out], check=True)
    return out


def truth_of(lab, client, server, args):
    """→ the client's and the server's frames with their fates; None where they cannot be read"""
    views, copies = {}, {}
    for view, path in (("client", client), ("server", server)):
        classic = readable(path, args.folder)
        if classic is None:
            return None
        linktype, frames, _ = lab.capture.read(classic)
        args.raw[view] = frames
        views[view], copies[view] = lab.originals(linktype, frames)
    views["box"] = []
    if args.nat:
        lab.undo_nat(views["server"], *args.nat)
    args.client = {f.src for f in views["client"] if f.src.startswith(("192.0.2.", "2001:db8:1:"))}
    args.server = {f.dst for f in views["client"] if f.dst.startswith(("203.0.113.", "2001:db8:3:", "198.18."))}
    lab.compare(views, args)
    for view, table in copies.items():
        for frame in args.raw[view]:
            if frame.number in table:
                frame.fate = table[frame.number].fate
    return args.raw


def run(wmscope, client, server, args):
    ends = [x for a in sorted(args.client) for x in ("--client", a)][:32]
    ends += [x for a in sorted(args.server) for x in ("--server", a)][:32]
    got = subprocess.run([wmscope, "compare", "-q", "--jsonl", "-", *ends, client, server],
                         stdout=subprocess.PIPE, check=False, timeout=120)
    events = [json.loads(line) for line in got.stdout.splitlines()]
    assert events and got.returncode in (0, 1), f"{client}: exit {got.returncode}"
    return events


def named(events):
    """(view, frame) → fate; the worst verdict"""
    out, verdicts = {}, []
    for event in events:
        if event["event_type"] != "finding":
            continue
        finding = event["finding"]
        verdicts.append(finding["verdict"])
        view = os.path.basename(finding["pcap_filename"]).split(".")[0]
        for p in finding["compare"]["packets"]:
            out[view, p[view]] = p["fate"]
    return out, verdicts


def counted_once(events):
    """None, or how the run counts connections, and those that something was found of, if not each one once"""
    # By ports, as addresses may be translated; what has none by its addresses.
    halves = {(e["proto"], frozenset(e.get(f"{end}_port", e[f"{end}_ip"]) for end in ("src", "dest")))
              for e in events if e["event_type"] == "finding"}
    run = next(e for e in events if e["event_type"] == "run")["run"]
    flows = run["flows"]
    told = sum(n for verdict, n in flows.items() if verdict != "total")
    total = sum(run["compare"]["conversations"].values())
    return None if told == len(halves) <= flows["total"] == total else f"{len(halves)} of {total}: {flows}"


def listed(events):
    """what findings and the list of connections say differently of each other"""
    order = ("none", "inconclusive", "anomaly", "likely", "confirmed")
    flows = {e["flow_id"]: e["flow"]["worst"] for e in events if e["event_type"] == "flow"}
    worst = dict.fromkeys(flows, "none")
    bad = []
    for event in events:
        if event["event_type"] != "finding":
            continue
        finding = event["finding"]
        bad += [f"{finding['id']}: {i} is in no list" for i in finding["controls"] if i not in flows]
        if "scope" not in finding:
            at = event["flow_id"]
            worst[at] = max(worst.get(at, "none"), finding["verdict"], key=order.index)
    return bad + [f"{i} is {flows.get(i)} in the list, {worst[i]} in findings" for i in worst
                  if flows.get(i) != worst[i]]


def triggers(name, rows, events):
    """what findings name in another way than the manifest"""
    want, bad = {}, []
    for row in rows:
        if row["file"].split("/")[0] != name or row["trigger"] in ("", "-") or ">" not in row["flow"]:
            continue
        if row["trigger"].startswith("keyword="):
            continue    # nothing reads those
        want.setdefault(row["flow"].split()[1], set()).add(row["trigger"].split()[0])
    for event in events:
        if event["event_type"] != "finding" or event["finding"]["verdict"] == "inconclusive":
            continue
        if "src_port" not in event:     # GRE
            continue
        ends = "{src_ip}:{src_port}>{dest_ip}:{dest_port}".format(**event)
        trigger = event["finding"].get("trigger") or {}
        got = f"{trigger.get('kind')}={trigger.get('value')}"
        if ends in want and got not in want[ends]:
            bad.append(f"{ends}: trigger {got}, not {sorted(want[ends])}")
    return bad


def outside(frame, ends, other):
    """the other capture did not surely run when it should show the frame"""
    if other not in ends:
        return True
    return not ends[other][0] + TAIL < frame.ts < ends[other][1] - 2 * TAIL


def alike(frames):
    """frame → the frames that no field tells from it: which of them is the lost one is nobody's to say"""
    table = collections.defaultdict(list)
    for frame in frames:
        table[frame.key()].append(frame)
    return table


def judge(raw, said):
    """the complaints about one scenario, what was left open, and what was found"""
    bad, left, count = [], 0, collections.Counter()
    times = {view: [f.ts for f in frames if f.proto in JUDGED] for view, frames in raw.items()}
    ends = {view: (min(ts), max(ts)) for view, ts in times.items() if ts}
    for view, frames in raw.items():
        other = "server" if view == "client" else "client"
        for frames in alike(frames).values():
            frames = [f for f in frames if f.proto in JUDGED]
            got = collections.Counter(said.pop((view, f.number), None) for f in frames)
            want = collections.Counter(f.fate for f in frames)
            found = {"forged": got["injected"] + got["modified"], "dropped": got["dropped"]}
            for fate, n in found.items():
                count[fate] += n
                lacks = want[fate] - n
                if lacks > 0 and any(outside(f, ends, other) for f in frames if f.fate == fate):
                    left += lacks
                elif lacks > 0 and fate == "forged" and got[None] and want[None]:
                    left += lacks       # the same once more: doubled, which nobody forged
                elif lacks:
                    bad.append(f"{view} frames {[f.number for f in frames]}: {dict(got)}, truth {dict(want)}")
    bad += [f"{view} frame {number}: {fate}" for (view, number), fate in said.items()]
    return bad, left, count


def held_to(events):
    """complaints: a box that drops by name or version, and a flow that it is profiled from says less"""
    found = {e["flow_id"]: e["finding"] for e in events
             if e["event_type"] == "finding" and e["finding"]["family"] == "silent-drop"}
    for e in events:
        box = e["profile"] if e["event_type"] == "profile" else {"verdict": "", "lines": {}}
        lines = box["lines"] if box["verdict"] in ("likely", "confirmed") else {}
        for rule in ("acts_on_name", "acts_on_quic_version"):
            if lines.get(rule, {}).get("said") != "observed" or lines["drops"]["said"] != "observed":
                continue
            for flow in lines[rule]["flows"]:
                f = found.get(flow)
                if f and f["trigger"]["kind"] != "qname" and f["verdict"] not in ("likely", "confirmed"):
                    yield f"flow {flow}: {f['verdict']}, and its box {rule}"


class Args:
    """what truth.py would be called with"""
    nat = None
    until = 1 << 63     # both captures' last packets are all that is known of their ends


def main():
    wmscope, pcaps, labdir = sys.argv[1:4]
    only = [a for a in sys.argv[4:] if a != "-v"]
    sys.path.insert(0, labdir)
    import truth as lab    # noqa: E402  (the lab is not a package)
    with open(os.path.join(pcaps, "MANIFEST"), encoding="utf-8") as f:
        rows = list(csv.DictReader(f, delimiter="\t"))
    benign = {n for n in {r["file"].split("/")[0] for r in rows}
              if all(r["expect"] == "none" for r in rows if r["file"].split("/")[0] == n)}
    total, left, wrong, done = collections.Counter(), 0, 0, 0
    for name, client, server in scenarios(pcaps):
        if only and name not in only:
            continue
        args = Args()
        args.raw, args.folder = {}, tempfile.mkdtemp()
        args.nat = ("198.51.100.1", "192.0.2.10") if name.startswith("nat-") else None
        try:
            raw = truth_of(lab, client, server, args)
        finally:
            shutil.rmtree(args.folder)
        if raw is None:
            print(f"{name}: skipped, editcap is not installed")
            continue
        events = run(wmscope, client, server, args)
        said, verdicts = named(events)
        bad, open_, count = judge(raw, said)
        bad += filter(None, [counted_once(events)])
        bad += triggers(name, rows, events)
        bad += listed(events)
        bad += held_to(events)
        if name in benign and any(v in ("likely", "confirmed") for v in verdicts):
            bad.append(f"benign, and says {sorted(set(verdicts))}")
        for line in bad[:None if "-v" in sys.argv else 6]:
            print(f"{name}: {line}")
        wrong, left, done = wrong + len(bad), left + open_, done + 1
        total += count
    print(f"{done} scenarios: {total['forged']} forged and {total['dropped']} dropped packets at their "
          f"frames, {left} dropped beyond the other capture's end; {wrong} wrong")
    return wrong != 0 or done == 0


if __name__ == "__main__":
    sys.exit(main())
