#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Replay engines beside tcpreplay on one veth pair: replay.py --wmscope W --count COUNT --pcaps DIR

Both ends are namespaces of its own; the far end counts in XDP and drops. All send the same capture,
and what counts is what arrived: frames, and the time from the first to the last of them. Engines take
turns, several rounds of them, and the median of each is told; beside it the processor time that the
sender and, on veth, the receiver with it took for a frame, which does not depend on who else is busy.
"""
import argparse
import json
import os
import resource
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile

TCPREPLAY = ("tcpreplay", "-q", "-K", "-i", "v0")
FRAMES = 20_000  # in a capture; more come by sending it again
RATES = (1_000, 10_000, 100_000, 1_000_000)


def run(*args, **kwargs):
    return subprocess.run(args, check=True, capture_output=True, text=True, **kwargs)


class Wire:
    """The pair, and the counting program at its far end."""

    cpu = 0

    def __init__(self, count):
        self.near, self.far = (f"wmb{os.getpid()}{side}" for side in "nf")
        for ns in (self.near, self.far):
            run("ip", "netns", "add", ns)
            run("ip", "netns", "exec", ns, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
                "net.ipv6.conf.default.disable_ipv6=1")
        run("ip", "link", "add", "v0", "netns", self.near, "numtxqueues", "2", "numrxqueues", "2",
            "type", "veth", "peer", "name", "v1", "netns", self.far, "numtxqueues", "2",
            "numrxqueues", "2")
        for ns, dev in ((self.near, "v0"), (self.far, "v1"), (self.near, "lo")):
            run("ip", "-n", ns, "link", "set", dev, "up")
        self.counter = subprocess.Popen(["nsenter", f"--net=/run/netns/{self.far}", count, "v1"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.counter.stdout.readline() != "ready\n":
            raise RuntimeError("the counting program cannot be attached")

    def counted(self, gap_ns=0):
        """What arrived since the last call; from now on gaps of gap_ns are expected."""
        self.counter.stdin.write(f"{gap_ns}\n")
        self.counter.stdin.flush()
        return json.loads(self.counter.stdout.readline())

    def send(self, command):
        """None, or why it failed; self.cpu: seconds of processor that it took."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(["nsenter", f"--net=/run/netns/{self.near}", *command],
                              capture_output=True, text=True, check=False, timeout=300)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return None if done.returncode == 0 else (done.stderr.strip() or "failed").split("\n")[0]

    def close(self):
        self.counter.stdin.close()
        self.counter.wait(timeout=10)
        for ns in (self.near, self.far):
            subprocess.run(["ip", "netns", "del", ns], check=False)


def uniform(path, length, frames):
    """UDP of 256 clients to one server, every frame of one length."""
    with open(path, "wb") as out:
        out.write(struct.pack("=IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, 65535, 1))
        for i in range(frames):
            ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, length - 14, i & 0xffff, 0, 64, 17, 0,
                             bytes((198, 18, 0, i & 0xff)), bytes((198, 18, 1, 1)))
            udp = struct.pack(">HHHH", 1024 + (i & 0xff), 9, length - 34, 0)
            data = bytes.fromhex("0200000000020200000000010800") + ip + udp
            data += bytes(length - len(data))
            out.write(struct.pack("=IIII", i // 10**6, i % 10**6 * 1000, length, length) + data)


def mixed(path, folder):
    """All Ethernet captures of the folder after one another, none longer than 1514 bytes."""
    frames = 0
    with open(path, "wb") as out:
        out.write(struct.pack("=IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, 65535, 1))
        for where, _, names in sorted(os.walk(folder)):
            for name in sorted(n for n in names if n.endswith(".pcap")):
                with open(os.path.join(where, name), "rb") as f:
                    data = f.read()
                if data[:4] not in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") or \
                        struct.unpack_from("<I", data, 20)[0] & 0xffff != 1:
                    continue
                at = 24
                while at + 16 <= len(data):
                    caplen, wirelen = struct.unpack_from("<II", data, at + 8)
                    body = data[at + 16:at + 16 + caplen]
                    at += 16 + caplen
                    if len(body) == caplen == wirelen and 14 <= caplen <= 1514:
                        out.write(struct.pack("=IIII", frames // 10**6, frames % 10**6 * 1000,
                                              caplen, caplen) + body)
                        frames += 1
    return frames


def commands(wmscope, capture, loops, rate):
    """Name and command of each; rate None: as fast as it goes."""
    base = [wmscope, "replay", "-q", "-i", "v0", "--loop", str(loops),
            "--rate", "max" if rate is None else f"{rate}pps"]
    for engine in ("live", "xdp", "packet"):
        yield engine, [*base, "--engine", engine, capture]
    if rate is None and os.cpu_count() > 1:
        for engine in ("live", "xdp", "packet"):
            yield f"{engine} x 2", [*base, "--engine", engine, "--queues", "2", capture]
    dpdk = [word if word != "v0" else "net_af_packet0,iface=v0" for word in base]
    yield "dpdk", [*dpdk, "--engine", "dpdk", "--eal", "--no-huge -m 256 --no-pci", capture]
    speed = ["-t"] if rate is None else ["-p", str(rate)]
    yield "tcpreplay", [*TCPREPLAY, *speed, "--loop", str(loops), capture]


def rate_rounds(wire, wmscope, path, frames, loops, rounds):
    """By engine: why it failed, or None, and what was counted in each round."""
    found = {}
    for _ in range(rounds):
        for engine, command in commands(wmscope, path, loops, None):
            row = found.setdefault(engine, {"error": None, "runs": []})
            if not shutil.which(command[0]) or row["error"]:
                continue
            wire.counted()
            row["error"] = wire.send(command)
            got = wire.counted()
            row["runs"].append({"received": got["frames"], "cpu_ns": wire.cpu / frames * 1e9,
                                "pps": got["timed"] / max(got["ns"], 1) * 1e9,
                                "length": got["bytes"] / max(got["frames"], 1)})
    return {engine: row for engine, row in found.items() if row["runs"]}


def rate_table(wire, wmscope, captures, rounds):
    rows = []
    print(f"{'capture':8} {'engine':10} {'sent':>9} {'received':>9} {'Mpps':>7} {'Gb/s':>7} "
          f"{'x tcpreplay':>11} {'CPU ns':>7}")
    for name, path, frames, loops in captures:
        found = rate_rounds(wire, wmscope, path, frames * loops, loops, rounds)
        theirs = None
        for engine, row in sorted(found.items(), key=lambda item: item[0] != "tcpreplay"):
            if row["error"]:
                print(f"{name:8} {engine:10} {row['error']}")
                rows.append({"capture": name, "engine": engine, "error": row["error"]})
                continue
            pps, cpu = (statistics.median(r[key] for r in row["runs"]) for key in ("pps", "cpu_ns"))
            theirs = pps if engine == "tcpreplay" else theirs
            out = {"capture": name, "engine": engine, "error": None, "sent": frames * loops,
                   "received": min(r["received"] for r in row["runs"]), "pps": pps,
                   "bps": pps * row["runs"][0]["length"] * 8, "cpu_ns": cpu,
                   "times": pps / theirs if theirs else None, "runs": row["runs"]}
            times = f"{out['times']:.1f}" if theirs else "-"
            print(f"{name:8} {engine:10} {out['sent']:9} {out['received']:9} {pps / 1e6:7.2f} "
                  f"{out['bps'] / 1e9:7.2f} {times:>11} {cpu:7.0f}", flush=True)
            rows.append(out)
    return rows


def pace_table(wire, wmscope, seconds):
    with tempfile.TemporaryDirectory() as folder:
        rows = []
        print(f"\n{'asked/s':>9} {'engine':10} {'achieved':>10} {'gap error p50':>14} {'p99':>9} "
              f"{'max us':>9}")
        for rate in RATES:
            frames = min(rate * seconds, FRAMES)
            path = os.path.join(folder, f"{rate}.pcap")
            uniform(path, 60, frames)
            rows += pace_rows(wire, wmscope, path, rate, max(1, rate * seconds // frames))
        return rows


def pace_rows(wire, wmscope, capture, rate, loops):
    rows = []
    for engine, command in commands(wmscope, capture, loops, rate):
        if not shutil.which(command[0]):
            continue
        wire.counted(10**9 // rate)
        why = wire.send(command)
        got = wire.counted()
        errors = got["gap_error_ns"]
        rows.append({"asked": rate, "engine": engine, "error": why, "received": got["frames"],
                     "achieved": (got["frames"] - 1) / max(got["ns"], 1) * 1e9, **errors})
        if why:
            print(f"{rate:9} {engine:10} {why}")
        else:
            print(f"{rate:9} {engine:10} {rows[-1]['achieved']:10.0f} "
                  f"{errors['p50'] / 1e3:14.2f} {errors['p99'] / 1e3:9.2f} "
                  f"{errors['max'] / 1e3:9.1f}", flush=True)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wmscope", required=True)
    parser.add_argument("--count", required=True)
    parser.add_argument("--pcaps", required=True)
    parser.add_argument("--frames", type=int, default=2_000_000, help="sent in each run, about")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2, help="of each paced run")
    parser.add_argument("--tables", type=lambda s: s.split(","), default=["rates", "pacing"])
    parser.add_argument("--json")
    args = parser.parse_args()
    if os.geteuid() != 0:
        print("SKIP: not root")
        return 77
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    wire = Wire(args.count)
    try:
        with tempfile.TemporaryDirectory() as folder:
            captures = []
            for length in (60, 512, 1500):
                path = os.path.join(folder, f"{length}.pcap")
                uniform(path, length, FRAMES)
                captures.append((f"{length} B", path, FRAMES, max(1, args.frames // FRAMES)))
            path = os.path.join(folder, "mixed.pcap")
            frames = mixed(path, args.pcaps)
            captures.append(("mixed", path, frames, max(1, args.frames // frames)))
            result = {"kernel": os.uname().release, "cpus": os.cpu_count(),
                      "rates": rate_table(wire, args.wmscope, captures, args.rounds)
                      if "rates" in args.tables else [],
                      "pacing": pace_table(wire, args.wmscope, args.seconds)
                      if "pacing" in args.tables else []}
    finally:
        wire.close()
    if args.json:
        with open(args.json, "w", encoding="utf-8") as out:
            json.dump(result, out, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
