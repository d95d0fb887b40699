#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Reports of parts merged are the report of the whole, byte for byte: merge.py WMSCOPE SCHEMA_CHECK SCHEMA CAPTURES

CAPTURES: a folder of captures, as pcaps/ is; or a file, whose connections are dealt out to three captures, so
that what is said of a name, a window or a box stands on connections of all three. Only two things may differ:
the command line that a report repeats, and testimony.bin, which never has the same random bytes twice.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import frames

DONE, FINDINGS, USAGE, INPUT, IO = 0, 1, 2, 3, 4
ENOUGH = 24 # captures of a folder: what more of them would show costs time


def run(*args, cwd=None):
    return subprocess.run(args, capture_output=True, timeout=300, cwd=cwd)


def ends_of(frame):
    """Addresses and ports of a TCP or UDP packet over IPv4 and Ethernet, whoever sent it; None."""
    if frame[12:14] != b"\x08\x00" or frame[23] not in (6, 17):
        return None
    at = 14 + (frame[14] & 15) * 4
    return frozenset(((frame[26:30], frame[at:at + 2]), (frame[30:34], frame[at + 2:at + 4])))


def deal(path, folder, n):
    """The connections of a capture by turns into n captures, none over two."""
    seen, parts = {}, [[] for _ in range(n)]
    for frame in frames.read(path):
        ends = ends_of(frame[1])
        turn = seen.setdefault(ends, len(seen) % n) if ends is not None else 0
        parts[turn].append(frame)
    paths = []
    for i, part in enumerate(parts):
        paths.append(os.path.join(folder, f"part-{i}.pcap"))
        frames.write(paths[-1], part)
    return paths


def captures_in(folder):
    found = []
    for at, dirs, names in sorted(os.walk(folder)):
        dirs.sort()
        found += [os.path.join(at, name) for name in sorted(names)
                  if re.search(r"\.(pcap|pcapng|cap)(\.gz)?$", name)]
    return found


def same_capture(paths):
    """No two captures with the same bytes: no run could be merged from them."""
    seen, out = set(), []
    for path in paths:
        with open(path, "rb") as f:
            data = f.read()
        if data not in seen:
            seen.add(data)
            out.append(path)
    return out


def contents(folder):
    """Every file of a report, without the command line."""
    out = {}
    for at, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(at, name)
            with open(path, "rb") as f:
                data = f.read()
            if name == "report.html":
                data, n = re.subn(rb"<dt>Called as</dt>.*", b"", data)
                assert n == 1, path
            elif name == "events.jsonl":
                data, n = re.subn(rb'"command":\[[^]]*\]', b"", data, count=1)
                assert n == 1, path
            elif name == "report.json":
                data = json.loads(data)
                del data["command"], data["files"]
            elif name == "testimony.bin":
                data = None
            out[os.path.relpath(path, folder)] = data
    return out


def dump(path):
    import sqlite3
    with sqlite3.connect(path) as db:
        return list(db.iterdump())


def same_report(whole, other):
    a, b = contents(whole), contents(other)
    assert a.keys() == b.keys(), a.keys() ^ b.keys()
    for name in a:
        if name == "wmscope.sqlite":
            assert dump(os.path.join(whole, name)) == dump(os.path.join(other, name)), name
        else:
            assert a[name] == b[name], f"{name} of {other} is another than {whole} has"


def same(whole, merged):
    same_report(whole, merged)
    for name in os.listdir(whole + ".zeek"):
        with open(os.path.join(whole + ".zeek", name), "rb") as x, \
             open(os.path.join(merged + ".zeek", name), "rb") as y:
            assert x.read() == y.read(), name


def findings(folder):
    with open(os.path.join(folder, "events.jsonl"), encoding="utf-8") as f:
        return [e["finding"] for e in map(json.loads, f) if e["event_type"] == "finding"]


def pooled(folder):
    return [(f["id"], f["verdict"], len(f["flows"])) for f in findings(folder) if f.get("scope", "flow") != "flow"]


class Bench:
    def __init__(self, wmscope, folder, how):
        self.wmscope, self.folder, self.how = wmscope, folder, how

    def at(self, name):
        return os.path.join(self.folder, name)

    def call(self, command, name, *what):
        return run(self.wmscope, command, "-q", *self.how, "-o", self.at(name), "--zeek", self.at(name + ".zeek"),
                   *what, cwd=self.folder)

    def report(self, command, name, *what):
        done = self.call(command, name, *what)
        assert done.returncode in (DONE, FINDINGS, 5), (command, what, done.returncode, done.stderr.decode())
        return done.returncode

    def merge_is_whole(self, groups, label):
        parts = [f"{label}-{i}" for i in range(len(groups))]
        for name, group in zip(parts, groups):
            self.report("analyze", name, *group)
        status = self.report("analyze", f"{label}-whole", *[c for g in groups for c in g])
        assert self.report("merge", f"{label}-merged", *map(self.at, parts)) == status, "exit status"
        same(self.at(f"{label}-whole"), self.at(f"{label}-merged"))
        return [self.at(p) for p in parts], self.at(f"{label}-whole"), self.at(f"{label}-merged")


def check_pooling(bench, capture):
    """What no part could say, the whole says, and so does what is merged; also merged by steps."""
    groups = [[p] for p in deal(capture, bench.folder, 3)]
    parts, whole, merged = bench.merge_is_whole(groups, "dealt")
    found = pooled(whole)
    assert found, "nothing pools over the parts: the test shows nothing"
    assert all(found != pooled(p) for p in parts), (found, [pooled(p) for p in parts])
    bench.report("merge", "dealt-first", *parts[:2])
    bench.report("merge", "dealt-steps", bench.at("dealt-first"), parts[2])
    same(whole, bench.at("dealt-steps"))
    bench.report("merge", "dealt-turned", *reversed(parts))
    assert contents(bench.at("dealt-turned"))["flows.csv"] != contents(whole)["flows.csv"], "the order is kept"
    return parts, merged


def where(folder):
    """Of each flow and of each finding about one the files that it says its frames are in."""
    with open(os.path.join(folder, "events.jsonl"), encoding="utf-8") as f:
        events = [e for e in map(json.loads, f) if "flow_id" in e]
    return sorted((e["event_type"], e.get("src_port", 0), e.get("dest_port", 0), e["pcap_cnt"], e["pcap_filename"],
                   str(e.get("finding", {}).get("pcap_filename")),
                   str(e.get("finding", {}).get("packet_filenames"))) for e in events)


def check_rotated(bench, capture):
    """Captures of two files each: a connection is in a file of its own capture, whichever report that came from."""
    parts, said = [], []
    for i, path in enumerate(deal(capture, bench.folder, 2)):
        whole, halves = frames.read(path), []
        first = {ends_of(frame[1]): k for k, frame in reversed(list(enumerate(whole)))}
        cut = sorted(first.values())[1]  # where the second connection begins
        for k, half in enumerate((whole[:cut], whole[cut:])):
            halves.append(bench.at(f"half-{i}-{k}.pcap"))
            frames.write(halves[-1], half)
        parts.append(f"rotated-{i}")
        bench.report("analyze", parts[-1], "--rotated", *halves)
        said += where(bench.at(parts[-1]))
    bench.report("merge", "rotated-merged", *map(bench.at, parts))
    assert any(row[4] == halves[1] for row in said), "no connection begins in a second file: the test shows nothing"
    assert sorted(said) == where(bench.at("rotated-merged"))


def check_packets(bench, parts):
    """Without the captures all is the same, but that no packets are written."""
    away = bench.at("away")
    os.mkdir(away)
    for name in os.listdir(bench.folder):
        if name.startswith("part-"):
            os.rename(bench.at(name), os.path.join(away, name))
    bench.report("merge", "without", *parts)
    a, b = contents(bench.at("dealt-whole")), contents(bench.at("without"))
    assert a.keys() - b.keys() == {"annotated.pcapng"}, a.keys() ^ b.keys()
    assert all(a[name] == b[name] for name in b if name != "wmscope.sqlite")
    done = bench.call("merge", "asked", "--pcapng", bench.at("asked.pcapng"), *parts)
    assert done.returncode == INPUT and not os.path.exists(bench.at("asked.pcapng")), done
    for name in os.listdir(away):
        os.rename(os.path.join(away, name), bench.at(name))


def check_refused(bench, parts, key):
    def refused(status, what, *args):
        done = run(bench.wmscope, "merge", "-q", *args, "-o", bench.at("refused"))
        assert done.returncode == status and what in done.stderr.decode(), (args, done)
        assert not os.path.exists(bench.at("refused")), "something was written"

    refused(USAGE, "same capture", *bench.how, parts[0], parts[1], parts[0])
    refused(INPUT, "is not there", *bench.how, parts[0], bench.folder)
    refused(USAGE, "no report", *bench.how)
    done = run(bench.wmscope, "merge", "-q", *bench.how, "-o", parts[1], *parts)
    assert done.returncode == USAGE and "overwritten" in done.stderr.decode(), done
    bench.report("analyze", "vantage", "--vantage", "server", bench.at("part-1.pcap"))
    refused(USAGE, "--vantage=server", *bench.how, parts[0], bench.at("vantage"))
    bench.report("analyze", "controlled", "--control", bench.at("part-0.pcap"), bench.at("part-1.pcap"))
    refused(USAGE, "--control", *bench.how, bench.at("controlled"))
    if key is not None:
        other = bench.at("other.key")
        with open(other, "wb") as f:
            f.write(os.urandom(32))
        os.chmod(other, 0o600)
        refused(USAGE, "another key", "--key", other, *parts)
        refused(USAGE, "sealed", *parts)


def check_damage(bench, parts):
    """A folder of a stranger: no byte can be changed, none be missing, and none be too many."""
    strange = bench.at("strange")
    shutil.copytree(parts[0], strange)
    path = os.path.join(strange, "testimony.bin")
    with open(path, "rb") as f:
        data = f.read()
    for at in list(range(0, 56, 4)) + list(range(56, len(data), len(data) // 16)) + [len(data) - 1]:
        damaged = bytearray(data)
        damaged[at] ^= 0x10
        for bytes_ in (damaged, data[:at]):
            with open(path, "wb") as f:
                f.write(bytes_)
            done = run(bench.wmscope, "merge", "-q", *bench.how, "--text", "-", strange, parts[1])
            random = 20 <= at < 44 # of a clear file these decide nothing
            assert done.returncode in ((INPUT, USAGE) + ((DONE, FINDINGS) if random else ())), (at, done)
            assert done.returncode in (DONE, FINDINGS) or b"testimony.bin: " in done.stderr, (at, done)
    with open(path, "wb") as f:
        f.write(data + b"\0")
    done = run(bench.wmscope, "merge", "-q", *bench.how, strange)
    assert done.returncode == INPUT, done


def check_leaks(parts, real):
    """Nothing of a client is in a sealed file, and what keys share may be seen."""
    checks = set()
    for part in parts:
        with open(os.path.join(part, "testimony.bin"), "rb") as f:
            data = f.read()
        assert real
        for address in real:
            assert address.encode() not in data and bytes(map(int, address.split("."))) not in data, part
        with open(os.path.join(part, "report.json"), encoding="utf-8") as f:
            checks.add(json.load(f)["key_check"])
    assert len(checks) == 1, checks


def clients(folder):
    with open(os.path.join(folder, "events.jsonl"), encoding="utf-8") as f:
        return {e["src_ip"] for e in map(json.loads, f) if e["event_type"] == "flow" and "." in e["src_ip"]}


def check_stale(bench, capture):
    """A folder that is written again without a key keeps no testimony of before."""
    bench.report("analyze", "again", capture)
    assert os.path.exists(bench.at("again/testimony.bin"))
    done = run(bench.wmscope, "analyze", "-q", "-o", bench.at("again"), capture)
    assert done.returncode in (DONE, FINDINGS) and not os.path.exists(bench.at("again/testimony.bin")), done


def check_schema(checker, schema, merged):
    done = run(sys.executable, checker, schema, os.path.join(merged, "events.jsonl"))
    assert done.returncode in (0, 77), done.stdout.decode() + done.stderr.decode()


def one_file(wmscope, checker, schema, capture):
    real = set()
    for mode in ("clear", "sealed"):
        with tempfile.TemporaryDirectory() as folder:
            key = os.path.join(folder, "key")
            with open(key, "wb") as f:
                f.write(bytes(range(32)))
            os.chmod(key, 0o600)
            sealed = mode == "sealed"
            bench = Bench(wmscope, folder, ("--key", key) if sealed else ("--show-clients",))
            parts, merged = check_pooling(bench, capture)
            check_schema(checker, schema, merged)
            check_packets(bench, parts)
            check_refused(bench, parts, key if sealed else None)
            check_damage(bench, parts)
            check_stale(bench, capture)
            if sealed:
                check_leaks(parts, real)
            else:
                check_rotated(bench, capture) # without clients files have no names of their own
                real = clients(merged)


def whole_folder(wmscope, captures):
    """In three groups, most kinds of captures that there are."""
    paths = same_capture(captures_in(captures))
    paths = paths[::max(1, len(paths) // ENOUGH)]
    third = (len(paths) + 2) // 3
    with tempfile.TemporaryDirectory() as folder:
        key = os.path.join(folder, "key")
        with open(key, "w", encoding="ascii") as f:
            f.write("5a" * 32 + "\n")
        os.chmod(key, 0o600)
        bench = Bench(wmscope, folder, ("--key", key))
        groups = [paths[:third], paths[third:2 * third], paths[2 * third:]]
        # A file that is no capture counts among the inputs, and its error goes with it.
        groups[1] = [os.path.abspath(__file__), *groups[1]]
        for name, group in zip("xyz", groups):
            done = bench.call("analyze", name, *group)
            assert done.returncode in (DONE, FINDINGS, INPUT, 5), done
        bench.call("analyze", "whole", *[c for g in groups for c in g])
        done = bench.call("merge", "merged", *map(bench.at, "xyz"))
        assert done.returncode in (FINDINGS, INPUT, 5), done
        same(bench.at("whole"), bench.at("merged"))
        print(f"{len(paths)} captures, {len(findings(bench.at('merged')))} findings,"
              f" {len(pooled(bench.at('merged')))} of them over several connections")


def main():
    wmscope, *rest = map(os.path.abspath, sys.argv[1:])
    if not os.path.exists(rest[-1]):
        print(f"{rest[-1]} is not here")
        sys.exit(77)
    if os.path.isdir(rest[-1]):
        whole_folder(wmscope, rest[-1])
    else:
        one_file(wmscope, *rest)


if __name__ == "__main__":
    main()
