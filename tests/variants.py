#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The same capture written otherwise must not accuse anybody else: variants.py WMSCOPE [--only NAME] [--all] FOLDER...

Each capture of the folders is written in every form of capture_forms that another machine, card, tap or
place would have given it. A form that loses nothing must give every verdict that the original gave; any other
may lose some. None may raise a flow that nobody touched to likely. What was touched a MANIFEST or LABELS.tsv
in the folder says; without one nothing was. Exit 77: no folder. --all: anomalies that are new, too.
"""
import concurrent.futures
import csv
import ipaddress
import json
import os
import subprocess
import sys
import tempfile

import capture_forms as forms
import labels

MS, US, YEAR = 10**6, 1000, 365 * 86400 * 10**9
EXACT, WEAKER = True, False


def all_sums(f):
    return True


def ttl_less(f):
    return forms.hops([f], 1, 1)[0]


def tagged(f):
    at = forms.ip_at(f)
    if f.link != forms.ETHERNET or at is None:
        return f
    return f._replace(data=f.data[:12] + b"\x81\0\0\x64" + f.data[12:], length=f.length + 4)


# name: (whether it loses nothing, what it does)
FRAMES = {
    "copy": (EXACT, lambda fs: fs),
    "raw": (EXACT, lambda fs: forms.relinked(fs, forms.RAW)),
    "null": (EXACT, lambda fs: forms.relinked(fs, forms.NULL)),
    "loop": (EXACT, lambda fs: forms.relinked(fs, forms.LOOP)),
    "sll": (EXACT, lambda fs: forms.relinked(fs, forms.SLL)),
    "sll2": (EXACT, lambda fs: forms.relinked(fs, forms.SLL2)),
    "one-mac": (EXACT, lambda fs: forms.relinked(fs, forms.ETHERNET)),
    "pppoe": (EXACT, lambda fs: forms.relinked(fs, "pppoe")),
    "mpls": (EXACT, lambda fs: forms.relinked(fs, "mpls")),
    "qinq": (EXACT, lambda fs: forms.relinked(fs, "qinq")),
    "gre": (EXACT, lambda fs: forms.tunnelled(fs, "gre")),
    "ip-in-ip": (EXACT, lambda fs: forms.tunnelled(fs, "ip")),
    "vxlan": (EXACT, lambda fs: forms.tunnelled(fs, "vxlan")),
    "gtp": (EXACT, lambda fs: forms.tunnelled(fs, "gtp")),
    "geneve": (EXACT, lambda fs: forms.tunnelled(fs, "geneve")),
    "erspan": (EXACT, lambda fs: forms.tunnelled(fs, "erspan")),
    "snap-68": (WEAKER, lambda fs: forms.snapped(fs, 68)),
    "snap-96": (WEAKER, lambda fs: forms.snapped(fs, 96)),
    "snap-128": (WEAKER, lambda fs: forms.snapped(fs, 128)),
    "later": (EXACT, lambda fs: forms.shifted(fs, 30 * YEAR)),
    "1ms": (WEAKER, lambda fs: forms.coarse(fs, MS)),
    "10ms": (WEAKER, lambda fs: forms.coarse(fs, 10 * MS)),
    "1s": (WEAKER, lambda fs: forms.coarse(fs, 1000 * MS)),
    "twice": (WEAKER, lambda fs: forms.doubled(fs, 2 * US)),
    "twice-at-once": (WEAKER, lambda fs: forms.doubled(fs, 0)),
    "twice-400us": (WEAKER, lambda fs: forms.doubled(fs, 400 * US)),
    "twice-3ms": (WEAKER, lambda fs: forms.doubled(fs, 3 * MS)),
    "twice-vlan": (WEAKER, lambda fs: forms.doubled(fs, 4 * US, tagged)),
    "twice-hop": (WEAKER, lambda fs: forms.doubled(fs, 30 * US, ttl_less)),
    "twice-hop-2ms": (WEAKER, lambda fs: forms.doubled(fs, 2 * MS, ttl_less)),
    "to-server": (WEAKER, lambda fs: forms.one_way(fs, True)),
    "to-client": (WEAKER, lambda fs: forms.one_way(fs, False)),
    "no-handshake": (WEAKER, forms.without_handshake),
    "from-4": (WEAKER, lambda fs: fs[4:]),
    "from-10": (WEAKER, lambda fs: fs[10:]),
    "second-half": (WEAKER, lambda fs: fs[len(fs) // 2:]),
    "first-half": (WEAKER, lambda fs: fs[:len(fs) // 2]),
    "to-8": (WEAKER, lambda fs: fs[:8]),
    "to-15": (WEAKER, lambda fs: fs[:15]),
    "lost-20th-a": (WEAKER, lambda fs: forms.lost(fs, 0.05, 1)),
    "lost-20th-b": (WEAKER, lambda fs: forms.lost(fs, 0.05, 2)),
    "lost-5th": (WEAKER, lambda fs: forms.lost(fs, 0.2, 3)),
    "lost-5th-b": (WEAKER, lambda fs: forms.lost(fs, 0.2, 13)),
    "lost-half": (WEAKER, lambda fs: forms.lost(fs, 0.5, 4)),
    "lost-half-b": (WEAKER, lambda fs: forms.lost(fs, 0.5, 14)),
    "lost-runs": (WEAKER, lambda fs: forms.lost_runs(fs, 3, 5)),
    "lost-runs-8": (WEAKER, lambda fs: forms.lost_runs(fs, 8, 15)),
    "queues": (EXACT, lambda fs: forms.queues(fs, 50 * US)),
    "queues-1ms": (WEAKER, lambda fs: forms.queues(fs, MS)),
    "queues-5ms": (WEAKER, lambda fs: forms.queues(fs, 5 * MS)),
    "swapped": (WEAKER, lambda fs: forms.swapped(fs, 50 * US, 6)),
    "swapped-1ms": (WEAKER, lambda fs: forms.swapped(fs, MS, 7)),
    "held-250us": (WEAKER, lambda fs: forms.late(fs, 250 * US)),
    "held-4ms": (WEAKER, lambda fs: forms.late(fs, 4 * MS)),
    "merged": (EXACT, forms.merged),
    "sums-0": (WEAKER, lambda fs: forms.unsummed(fs, b"\0\0", all_sums)),
    "sums-out": (WEAKER, lambda fs: forms.unsummed(fs, b"\x12\x34", forms.to_server)),
    "sums-in": (WEAKER, lambda fs: forms.unsummed(fs, b"\x12\x34", lambda f: not forms.to_server(f))),
    "other-addresses": (WEAKER, forms.readdressed),
    "farther": (WEAKER, lambda fs: forms.hops(fs, 3, 5)),
    "near-server": (WEAKER, lambda fs: forms.hops(fs, 10, 0)),
}

# name: how the file is written
FILES = {
    "microseconds": lambda p, fs: forms.write(p, fs, "<", 1000),
    "big-endian": lambda p, fs: forms.write(p, fs, ">", 1),
    "pcapng": lambda p, fs: forms.write_pcapng(p, fs),
    "pcapng-big": lambda p, fs: forms.write_pcapng(p, fs, ">"),
    "interfaces": lambda p, fs: forms.write_pcapng(p, fs, "<", 3),
}


def findings(wmscope, path):
    run = subprocess.run([wmscope, "analyze", "-q", "--no-ndpi", "--workers", "1", "--jsonl", "-", path],
                         capture_output=True, timeout=300, check=False)
    if run.returncode not in (0, 1, 5):
        return f"exit {run.returncode}: {run.stderr.decode(errors='replace')[:200]}"
    events = [json.loads(line) for line in run.stdout.splitlines()]
    return [e for e in events if e["event_type"] == "finding"]


def ends_of(e):
    return frozenset((e.get(f"{s}_ip"), e.get(f"{s}_port")) for s in ("src", "dest"))


def key_of(e):
    """One for a flow and, in DNS, a transaction; for what is said of several flows its id and name."""
    f = e["finding"]
    if "flow_id" not in e:
        return ("several", f["id"], str((f.get("trigger") or {}).get("value")))
    return (e["proto"], ends_of(e), f.get("dns", {}).get("txid"))


def verdicts(events):
    out = {}
    for e in events:
        rank = labels.RANK[e["finding"]["verdict"]]
        if rank > out.get(key_of(e), (0, None))[0]:
            out[key_of(e)] = (rank, e)
    return out


def other(key):
    """A key after forms.readdressed."""
    if key[0] == "several":
        return key
    def flip(a):
        if ":" in a:
            bytes16 = bytearray(ipaddress.ip_address(a).packed)
            bytes16[3] ^= 1
            return str(ipaddress.ip_address(bytes(bytes16)))
        parts = a.split(".")
        parts[1] = str(int(parts[1]) ^ 1)
        return ".".join(parts)
    return (key[0], frozenset((flip(a), p) for a, p in key[1]), key[2])


def show(e):
    f = e["finding"]
    rows = ", ".join(f"{r['kind']} {r['grade']}" for r in f["evidence"])
    where = f"{e.get('src_ip')}:{e.get('src_port')}>{e.get('dest_ip')}:{e.get('dest_port')}"
    return f"{f['verdict']} {f['id']} {f['score']} {where} frames {f['packets'][:6]}: {rows}"


def touched_of(folder):
    """{file: {(proto, ends)…} or None for all}; and whether the folder has a manifest at all"""
    for name in ("MANIFEST", "LABELS.tsv"):
        path = os.path.join(folder, name)
        if os.path.exists(path):
            break
    else:
        return {}
    out = {}
    with open(path, newline="", encoding="utf-8") as f:
        for row in csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row["expect"] == "none":
                continue
            marks = out.setdefault(row["file"], set())
            if row["flow"] == "*" or row["flow"].startswith(labels.NAMES):
                marks.add("several")
                if row.get("origin") != "lab":
                    marks.add("*")
            else:
                proto, ends = labels.endpoints(row["flow"])
                marks.add((proto, frozenset(ends)))
    return out


def is_touched(marks, key):
    return "*" in marks or key[0] in marks or key[:2] in marks


def captures(folder):
    for where, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            if ".pcap" in name or name.endswith(".cap"):
                yield os.path.relpath(os.path.join(where, name), folder)


def compare(name, exact, before, after, marks, strict):
    """Lines on what is wrong."""
    if name == "other-addresses":
        # Inside a tunnel they stay as they were.
        before = before | {other(k): v for k, v in before.items()}
        marks = marks | {m if isinstance(m, str) else other((*m, None))[:2] for m in marks}
    least = labels.RANK["anomaly" if strict else "likely"]
    for key, (rank, e) in after.items():
        if rank >= least and rank > before.get(key, (0, None))[0] and not is_touched(marks, key):
            yield f"accuses: {show(e)}"
    for key, (rank, e) in before.items():
        if exact and after.get(key, (0, None))[0] < rank and rank >= labels.RANK["anomaly"]:
            now = show(after[key][1]) if key in after else "nothing"
            yield f"loses: {show(e)}; now {now}"


def one(job):
    wmscope, folder, path, marks, names, strict = job
    frames = forms.read(os.path.join(folder, path))
    if not frames:
        return path, 0, []
    found = findings(wmscope, os.path.join(folder, path))
    if isinstance(found, str):
        # What is no capture for it (exit 3) has no findings to compare; anything else is a failure.
        return path, 0, [] if found.startswith("exit 3:") else [f"{path}: {found}"]
    before, wrong, n = verdicts(found), [], 0
    single = len({f.link for f in frames}) == 1
    with tempfile.TemporaryDirectory() as scratch:
        out = os.path.join(scratch, "variant.pcap")
        for name in names:
            if name in FRAMES:
                exact, change = FRAMES[name]
                made = change(frames)
                if not made:
                    continue
                (forms.write if single else forms.write_pcapng)(out, made)
            else:
                exact, change = name != "microseconds", None
                if not single and not name.startswith(("pcapng", "interfaces")):
                    continue
                FILES[name](out, frames)
            found = findings(wmscope, out)
            n += 1
            if isinstance(found, str):
                wrong.append(f"{path}: {name}: {found}")
                continue
            wrong += [f"{path}: {name}: {line}"
                      for line in compare(name, exact, before, verdicts(found), marks, strict)]
    return path, n, wrong


def main():
    args = sys.argv[1:]
    strict = "--all" in args
    args = [a for a in args if a != "--all"]
    names = [*FRAMES, *FILES]
    if "--only" in args:
        at = args.index("--only")
        names = args[at + 1].split(",")
        del args[at:at + 2]
    wmscope, folders = args[0], [f for f in args[1:] if os.path.isdir(f)]
    if not folders:
        print(f"skipped: {' '.join(args[1:])} is not there")
        return 77
    jobs = []
    for folder in folders:
        touched = touched_of(folder)
        jobs += [(wmscope, folder, path, touched.get(path, set()), names, strict) for path in captures(folder)]
    runs = seen = 0
    bad = []
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        for _, n, wrong in pool.map(one, jobs, chunksize=4):
            seen += n != 0
            runs += n
            bad += wrong
            for line in wrong:
                print(line, flush=True)
    print(f"{seen} captures in {len(names)} forms, {runs} runs, {len(bad)} wrong")
    return 1 if bad or runs == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
