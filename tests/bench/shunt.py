#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What shunting is worth: shunt.py --wmscope W [--json FILE]

`wmscope capture --engine xdp --no-throttling` with and without --shunt on one veth pair in namespaces of
its own: long connections side by side, offered at rising rates until packets are lost. A rate holds if
replay achieved it within 5 % and every packet was read or counted. On a veth pair the sender's core also
does what the kernel does for a packet at the receiver, so it is mostly the sender that gives up first.
Beside it stands therefore what the capturing process took for each packet at the highest rate that held,
and how many it could so take in on its own core.
"""
import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

from capture import Pair, highest

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live"))
import long_flows  # noqa: E402


def cpu_seconds(process):
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def counted(path):
    """The last counters, and whether they stand still."""
    with open(path, encoding="utf-8") as f:
        lines = f.read().splitlines()
    stats = [json.loads(line)["stats"] for line in lines[-2:]]
    seen = [s["packets"] + s["shunted"] for s in stats]
    return stats[-1], len(seen) == 2 and seen[0] == seen[1] > 0


def sent_by(pair, args, capture, rate, folder):
    """Packets sent and rate achieved. Each loop's connections are others."""
    stats = folder + "/sent"
    subprocess.run(pair.argv(pair.near, [args.wmscope, "replay", "-q", "-i", "v0", "--engine", args.sender,
                                         "-r", f"{rate}pps", "--loop", str(args.loops), "--vary",
                                         "addresses", "--stats", stats, capture]),
                   check=True, stdout=subprocess.DEVNULL)
    with open(stats, encoding="utf-8") as f:
        event = json.load(f)["replay"]
    return event["packets"]["sent"], event["achieved"]["packets_per_s"]


def trial(pair, args, options, folder, capture, rate):
    stats, log = folder + "/stats", folder + "/log"
    command = [args.wmscope, "capture", "-v", "-i", "v1", "--engine", "xdp", "--no-lists", "--no-throttling",
               "--no-ndpi", "--stats", stats, "--text", folder + "/text", *options]
    if os.path.exists(stats):
        os.remove(stats)
    with open(log, "wb") as err:
        process = subprocess.Popen(pair.argv(pair.far, command), stdout=err, stderr=err)
        try:
            end = time.monotonic() + 20
            while "v1: capturing" not in open(log, encoding="utf-8").read():
                if process.poll() is not None or time.monotonic() > end:
                    with open(log, encoding="utf-8") as f:
                        raise RuntimeError(f.read().strip())
                time.sleep(0.05)
            before = cpu_seconds(process)
            sent, achieved = sent_by(pair, args, capture, rate, folder)
            cpu = cpu_seconds(process) - before
            end = time.monotonic() + 20
            while time.monotonic() < end and not counted(stats)[1]:
                time.sleep(0.5)
            process.send_signal(signal.SIGINT)
            process.wait(120)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    last, _ = counted(stats)
    return {"offered": rate, "achieved": achieved, "sent": sent, "cpu_ns": cpu / sent * 1e9,
            "received": last["packets"] + last["shunted"], "shunted": last["shunted"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wmscope", required=True, type=os.path.abspath)
    parser.add_argument("--flows", type=int, default=10)
    parser.add_argument("--segments", type=int, default=40_000)
    parser.add_argument("--loops", type=int, default=1)
    parser.add_argument("--sender", default="live", help="engine of replay")
    parser.add_argument("--start", type=int, default=20_000, help="packets/s offered first")
    parser.add_argument("--limit", type=int, default=5_000_000)
    parser.add_argument("--step", type=float, default=1.6)
    parser.add_argument("--first", action="store_true", help="before all else that the machine does")
    parser.add_argument("--json")
    args = parser.parse_args()
    if os.geteuid() != 0:
        print("SKIP: not root")
        return 77
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    pair, rows = Pair(args.first), []
    try:
        place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        with tempfile.TemporaryDirectory(dir=place) as folder:
            os.chmod(folder, 0o755)
            capture = folder + "/long.pcap"
            long_flows.plain(capture, args.flows, args.segments)
            print(f"{'':10} {'packets/s without loss':>22} {'CPU ns/packet':>14} {'M/s a core':>11} "
                  f"{'shunted':>8}  then")
            for name, options in (("all read", ()), ("--shunt", ("--shunt",))):
                trials, good = highest(args.step, args.start, args.limit, lambda rate, o=options: trial(
                    pair, args, o, folder, capture, rate))
                held = [t for t in trials if "end" not in t] or trials
                best = max(held, key=lambda t: t["offered"])
                ends = [t["end"] for t in trials if "end" in t]
                rows.append({"options": name, "lossless_pps": good, "trials": trials})
                print(f"{name:10} {good:22} {best['cpu_ns']:14.0f} "
                      f"{1e3 / max(best['cpu_ns'], 1e-3):11.1f} {best['shunted'] / best['sent']:8.1%}  "
                      f"{ends[-1] if ends else ''}", flush=True)
    finally:
        pair.close()
    if args.json:
        with open(args.json, "w", encoding="utf-8") as out:
            json.dump({"kernel": os.uname().release, "cpus": os.cpu_count(), "rows": rows}, out,
                      indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
