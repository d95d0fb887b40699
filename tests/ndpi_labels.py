#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Compares wmscope's nDPI labels with those of nDPI's own reader, flow by flow.

EXPECTED holds the reader's outputs (NAME.out), CAPTURES the captures (NAME). Flows are matched by
protocol and unordered endpoints, and agree when the application name is the same. They cannot all
agree: the reader has its own flow time-outs, opens tunnels that wmscope leaves closed, loads lists
of custom protocols, and has one cache where wmscope has eight, so that a result does not depend on
the number of workers. Every difference is printed, and with --one-cache PROGRAM (tests/one_cache.c)
whether one cache would have changed the label; the share of agreeing flows must reach the floor. Exits 77 where the captures, or nDPI in wmscope, are absent.
"""

import argparse
import collections
import ipaddress
import json
import pathlib
import re
import subprocess
import sys

LINE = re.compile(r"^\t\d+\t(\S+) (\S+):(\d+) <?-> (\S+):(\d+) .*?\[proto: [^/\]]*/([^\]]+)\]")
NUMBERS = {"1": "ICMP", "2": "IGMP", "6": "TCP", "17": "UDP", "58": "ICMPV6", "IPV6-ICMP": "ICMPV6"}


def address(text):
    """As the reader prints it, which writes :: for every :0: of an IPv6 address."""
    text = text.strip("[]")
    try:
        text = str(ipaddress.ip_address(text))
    except ValueError:
        pass
    return text.replace(":0:", "::")


def flow_key(proto, ends):
    proto = proto.upper()
    proto = NUMBERS.get(proto, proto)
    ports = proto in ("TCP", "UDP", "SCTP")
    return proto, frozenset((address(a), int(p) if ports else 0) for a, p in ends)


def expected_flows(path):
    """Key -> names, from the reader's output."""
    flows = collections.defaultdict(list)
    for line in path.read_text(errors="replace").splitlines():
        m = LINE.match(line)
        if m:
            proto, a, ap, b, bp, name = m.groups()
            flows[flow_key(proto, ((a, ap), (b, bp)))].append(name)
    return flows


def labelled_flows(wmscope, path, timeout):
    """Key -> (name, confidence, flow id), from wmscope; None when it failed."""
    run = subprocess.run([wmscope, "analyze", "--jsonl", "-", str(path)], capture_output=True,
                         timeout=timeout, check=False)
    if run.returncode not in (0, 1, 5):
        print(f"{path.name}: wmscope exits with {run.returncode}: "
              f"{run.stderr.decode(errors='replace').strip()[-300:]}")
        return None
    flows = collections.defaultdict(list)
    for line in run.stdout.splitlines():
        event = json.loads(line)
        if event["event_type"] != "flow":
            continue
        label = next((x for x in event.get("labels", ()) if x["by"] == "ndpi"), None)
        key = flow_key(str(event["proto"]), ((event["src_ip"], event.get("src_port", 0)),
                                             (event["dest_ip"], event.get("dest_port", 0))))
        flows[key].append((label["app"], label["confidence"], str(event["flow_id"]))
                          if label else None)
    return flows


def sharded_flows(program, path, timeout):
    """Flow id -> label with one cache for all, where that is another one."""
    run = subprocess.run([program, str(path)], capture_output=True, timeout=timeout, check=False)
    if run.returncode not in (0, 77):
        raise RuntimeError(f"{path.name}: {program} exits with {run.returncode}")
    lines = (line.split("\t") for line in run.stdout.decode().splitlines())
    return {flow: one for _, flow, _, one in lines}


def show(key):
    proto, ends = key
    return f"{proto} " + " ".join(f"{a}:{p}" for a, p in sorted(ends))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wmscope")
    parser.add_argument("captures", type=pathlib.Path)
    parser.add_argument("expected", type=pathlib.Path)
    parser.add_argument("--floor", type=float, default=0.99, help="share of flows that must agree")
    parser.add_argument("--only", help="captures whose name contains this")
    parser.add_argument("--one-cache", help="program that finds labels which sharding changes")
    parser.add_argument("--timeout", type=float, default=120, help="seconds a capture")
    args = parser.parse_args()
    if not args.captures.is_dir() or not args.expected.is_dir():
        print("skipped: nDPI's captures and expected labels are not here")
        return 77

    count = collections.Counter()
    kinds = collections.Counter()
    labels_seen = False
    for out in sorted(args.expected.glob("*.out")):
        capture = args.captures / out.name.removesuffix(".out")
        if not capture.exists() or (args.only and args.only not in capture.name):
            continue
        count["captures"] += 1
        expected = expected_flows(out)
        got = labelled_flows(args.wmscope, capture, args.timeout)
        if got is None:
            count["failed runs"] += 1
            got = {}
        labels_seen |= any(x is not None for names in got.values() for x in names)
        sharded = sharded_flows(args.one_cache, capture, args.timeout) if args.one_cache else {}
        count["changed by sharding"] += len(sharded)
        for key, names in expected.items():
            mine = [x for x in got.get(key, ()) if x is not None]
            for name in names:
                count["flows"] += 1
                if not mine:
                    word = "missing" if key not in got else "unlabelled"
                    count[word] += 1
                    kinds[f"{name} -> {word}"] += 1
                    print(f"{capture.name}: {show(key)}: {name}: {word}")
                elif any(app == name for app, _, _ in mine):
                    count["agree"] += 1
                else:
                    count["differ"] += 1
                    kinds[f"{name} -> {mine[0][0]}"] += 1
                    words = ", ".join(f"{app} ({confidence})" +
                                      (f", with one cache {sharded[flow]}" if flow in sharded
                                       else "") for app, confidence, flow in mine)
                    print(f"{capture.name}: {show(key)}: {name}: wmscope says {words}")
        count["only in wmscope"] += sum(key not in expected for key in got)

    if not labels_seen and count["failed runs"] == 0:
        print("skipped: wmscope gives no nDPI labels (built without nDPI?)")
        return 77
    print("\nmost frequent differences")
    for kind, n in kinds.most_common(15):
        print(f"{n:6} {kind}")
    share = count["agree"] / max(count["flows"], 1)
    print("\n" + ", ".join(f"{word} {n}" for word, n in count.items()))
    print(f"agreement {share:.4f}, floor {args.floor}")
    return 0 if share >= args.floor and count["failed runs"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
