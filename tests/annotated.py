#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Annotated captures against the lab's ground truth: annotated.py WMSCOPE FOLDER [FOLDER...]

One annotated capture is made of all captures that FOLDER/MANIFEST names, and read with tshark.
`frame.comment contains "INJECTED"` must select exactly frames that the truth calls forged: all those of
rows that demand `likely`, of weaker rows (whoever looks cannot be sure) those that wmscope is sure of;
SUSPECT has to have the rest of them. Nothing of innocent connections is INJECTED. The copy holds the same
bytes as the source, says its frame numbers, and survives editcap and mergecap. The profile's rules colour it.
Exit 77: no tshark.
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

import labels

# The manifest lists the segments of a page. Where the box leaves its connection open, its FIN comes when the
# client closes: as forged as the page, and not listed.
MORE = {"page-inpath-open/client.pcap": {23, 35, 56}}
TOOLS = ("tshark", "editcap", "mergecap")
FIELDS = ("frame.number", "frame.interface_description", "frame.comment", "frame.len", "frame.time_epoch",
          "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport")
GAP = "\x1f"


def tshark(path, *more, fields=FIELDS, env=None):
    args = ["tshark", "-n", "-r", path, "-T", "fields", "-E", f"aggregator={GAP}", *more]
    for field in fields:
        args += ["-e", field]
    run = subprocess.run(args, capture_output=True, check=True, env=env)
    return [line.split("\t") for line in run.stdout.decode("utf-8").splitlines()]


def annotate(wmscope, files, out, *more):
    args = [wmscope, "analyze", "-q", "--no-ndpi", "--show-clients", "--pcapng", out, *more, *files]
    run = subprocess.run(args, capture_output=True, timeout=600)
    assert run.returncode in (0, 1, 5), run.stderr.decode()


class Frame:
    def __init__(self, row):
        self.number, description, comments, self.length, self.time = row[:5]
        ends = [c.split(GAP)[-1] for c in row[5:]]
        addresses, ports = ends[0:2] if ends[0] else ends[2:4], ends[4:6] if ends[4] else ends[6:8]
        self.flow = ("TCP" if ends[4] else "UDP", frozenset(zip(addresses, ports)))
        found = re.match(r"interface \d+ of (.*)", description)
        self.file = found[1].replace("\\\\", "\\") if found else ""
        self.comments = comments.split(GAP) if comments else []
        self.words = [c.split()[0] for c in self.comments if not c.startswith("mbx:")]
        self.machine = [json.loads(c[4:]) for c in self.comments if c.startswith("mbx:")]
        assert len(self.words) == len(self.machine), self.comments
        for word, said in zip(self.words, self.machine):
            assert (word == "INJECTED") == (said["v"] == "injected"), self.comments
        self.source = self.machine[0]["frame"] if self.machine else None


def flow_of(row):
    if row["flow"].split()[0] not in ("tcp", "udp"):
        return None
    proto, ends = labels.endpoints(row["flow"])
    return proto, frozenset((address, str(port)) for address, port in ends)


def truth(folder):
    """File -> its rows, with the flow of each."""
    out = collections.defaultdict(list)
    with open(os.path.join(folder, "MANIFEST"), encoding="utf-8") as f:
        for row in csv.DictReader(f, delimiter="\t"):
            out[os.path.join(folder, row["file"])].append((flow_of(row), row))
    return out


def forged_of(rows):
    """Frames that have to be INJECTED, and those that may be, or SUSPECT."""
    sure, unsure = set(), set()
    for _, row in rows:
        absences = ("silent-drop", "quic-filtering", "throttling", "residual", "vpn-interference")
        if row["expect"] in ("none", "unscored") or row["expect"].split("|")[0] in absences:
            continue
        sure_of_it = labels.RANK.get(row["min_verdict"], 1) >= labels.RANK["likely"]
        (sure if sure_of_it else unsure).update(labels.frames_of(row))
    return sure - unsure, unsure


def check_truth(frames, wanted):
    by_file, counts, wrong = collections.defaultdict(list), collections.Counter(), []
    for frame in frames:
        by_file[frame.file].append(frame)
    for file, rows in wanted.items():
        sure, unsure = forged_of(rows)
        more = next((m for name, m in MORE.items() if file.endswith(name)), set())
        injected = {f.source: f for f in by_file[file] if "INJECTED" in f.words}
        suspect = {f.source for f in by_file[file] if "SUSPECT" in f.words}
        for number, frame in injected.items():
            said = {row["expect"] for flow, row in rows if flow in (None, frame.flow)}
            # What the manifest does not score it does not list either, but for innocence.
            if number not in sure | unsure | more and ("none" in said or said - {"unscored"}):
                wrong.append(f"{file}: frame {number} is not forged: {frame.comments[0]}")
        if sure - set(injected):
            wrong.append(f"{file}: missed {sorted(sure - set(injected))}")
        if unsure - set(injected) - suspect:
            wrong.append(f"{file}: not even suspect {sorted(unsure - set(injected) - suspect)}")
        counts.update(injected=len(injected), must=len(sure), may=len(unsure),
                      suspect=len(suspect & unsure))
    return counts, wrong


def check_filter(path, frames):
    """Wireshark's own filter, and not our reading of the comments, selects them."""
    rows = tshark(path, "-Y", 'frame.comment contains "INJECTED"', fields=("frame.number",))
    mine = [f.number for f in frames if "INJECTED" in f.words]
    assert [r[0] for r in rows] == mine, "the filter selects other frames"


def comments(frames):
    return sorted((f.file, f.time, tuple(f.comments)) for f in frames)


def check_tools(path, folder, frames):
    for name, args in (("edited", ["editcap", path]), ("merged", ["mergecap", "-a", "-w"])):
        out = os.path.join(folder, name + ".pcapng")
        args = [*args, out] if name == "edited" else [*args, out, path]
        run = subprocess.run(args, capture_output=True)
        assert run.returncode == 0 and not run.stderr, f"{args[0]}: {run.stderr.decode()}"
        again = [Frame(r) for r in tshark(out)]
        assert comments(again) == comments(frames), f"{args[0]} lost something"


def check_copy(wmscope, source, folder):
    """--all-packets is the capture, packet by packet."""
    out = os.path.join(folder, "all.pcapng")
    annotate(wmscope, [source], out, "--all-packets")
    fields = ("frame.number", "frame.len", "frame.cap_len", "frame.time_epoch", "ip.id", "tcp.checksum",
              "frame.interface_name", "udp.checksum", "data.data")
    mine, theirs = tshark(out, fields=fields), tshark(source, fields=fields)
    # Wireshark shows something where there is no name.
    mine, theirs = ([r[:6] + [""] + r[7:] if theirs[0][6] in ("", "unknown") else r for r in rows]
                    for rows in (mine, theirs))
    assert mine == theirs, f"{source}: the copy differs"
    numbers = [Frame(r) for r in tshark(out)]
    assert all(int(f.number) == f.source for f in numbers if f.machine)
    assert not any("of the capture" in c and "trigger in" not in c for f in numbers for c in f.comments)


def with_names(source, out):
    """Two interfaces, with names."""
    merge = [out + ".a", out + ".b"]
    for path, name in zip(merge, ("rx0", "tx\xe9")):
        subprocess.run(["tshark", "-n", "-r", source, "-w", path], check=True, capture_output=True)
        with open(path, "rb") as f:
            data = f.read()
        at, = [m.start() for m in re.finditer(rb"\x01\x00\x00\x00(?=.{4}\x01\x00\x00\x00)", data, re.S)][:1]
        size = int.from_bytes(data[at + 4:at + 8], "little")
        text = name.encode("utf-8")
        option = (2).to_bytes(2, "little") + len(text).to_bytes(2, "little") + text + b"\0" * (-len(text) % 4)
        size_after = (size + len(option)).to_bytes(4, "little")
        body = data[at + 8:at + 16] + option + data[at + 16:at + size - 4]
        with open(path, "wb") as f:
            f.write(data[:at] + data[at:at + 4] + size_after + body + size_after + data[at + size:])
    subprocess.run(["mergecap", "-w", out, *merge], check=True)


def check_part(wmscope, source, folder):
    """The copy has its connections whole, and says the numbers that frames had."""
    out = os.path.join(folder, "part.pcapng")
    annotate(wmscope, [source], out)
    streams = ("frame.time_epoch", "ip.src", "tcp.srcport", "tcp.dstport", "frame.number")
    mine, theirs = tshark(out, fields=streams), tshark(source, fields=streams)
    ends = {frozenset(r[2:4]) for r in mine}
    assert [r[:4] for r in mine] == [r[:4] for r in theirs if frozenset(r[2:4]) in ends], "not whole"
    assert 0 < len(mine) < len(theirs)
    numbers = {r[0]: r[4] for r in theirs}
    for frame in (Frame(r) for r in tshark(out)):
        if frame.machine:
            assert str(frame.source) == numbers[frame.time]
            assert int(frame.number) == frame.source or \
                f"frame {frame.source} of the capture" in frame.comments[0]


def check_colours(wmscope, source, folder):
    report, home = os.path.join(folder, "report"), os.path.join(folder, "home")
    subprocess.run([wmscope, "analyze", "-q", "--no-ndpi", "-o", report, source], capture_output=True)
    shutil.copytree(os.path.join(report, "wireshark"), os.path.join(home, "profiles", "wmscope"))
    rows = tshark(os.path.join(report, "annotated.pcapng"), "-C", "wmscope", "--color",
                  fields=("frame.number", "frame.comment", "frame.coloring_rule.name"),
                  env={**os.environ, "WIRESHARK_CONFIG_DIR": home, "TERM": "xterm-256color",
                       "COLORTERM": "truecolor"})
    rules = collections.Counter()
    for row in rows:
        number, comment, rule = (re.sub(r"\x1b\[[0-9;]*m", "", c) for c in row)
        if comment:
            assert rule == "wmscope: " + comment.split()[0].lower(), f"frame {number}: {rule}: {comment}"
            rules[rule] += 1
    assert rules["wmscope: injected"] and rules["wmscope: trigger"], rules


def main():
    wmscope = os.path.abspath(sys.argv[1])
    if not all(map(shutil.which, TOOLS)):
        print("skipped: needs " + ", ".join(TOOLS))
        return 77
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        for source in sys.argv[2:]:
            wanted = truth(source)
            out = os.path.join(folder, "lab.pcapng")
            annotate(wmscope, list(wanted), out)
            frames = [Frame(r) for r in tshark(out)]
            counts, wrong = check_truth(frames, wanted)
            print(f"{source}: {len(wanted)} captures, {dict(counts)}, {len(wrong)} wrong", *wrong, sep="\n")
            bad += len(wrong)
            check_filter(out, frames)
            check_tools(out, folder, frames)
        one = os.path.join(sys.argv[2], "sni-rst-onpath", "client.pcap")
        check_part(wmscope, one, folder)
        check_copy(wmscope, one, folder)
        check_copy(wmscope, os.path.join(sys.argv[2], "host-rst-onpath", "client.pcapng"), folder)
        named = os.path.join(folder, "named.pcapng")
        with_names(one, named)
        check_copy(wmscope, named, folder)
        check_colours(wmscope, one, folder)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
