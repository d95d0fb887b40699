#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Who captures how much without loss: capture.py --wmscope W --pcaps DIR [--json FILE]

`wmscope capture` (packet, xdp, with analysis and writing) beside `tcpdump -w` on one veth pair in
namespaces of its own, all with 64 MiB of memory and files on a tmpfs. What is offered rises, by the
factor --step, until packets are lost; then the gap is halved. A rate holds if replay achieved it
within 5 % and every packet is in the file. The same sender serves all, so its core is not theirs.
"""
import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from replay import FRAMES, mixed, uniform

MIB = 64


class Pair:
    def __init__(self, first=False):
        """first: what runs here goes before whatever else the machine does."""
        self.first = first
        self.near, self.far = (f"wmk{os.getpid()}{side}" for side in "nf")
        for ns in (self.near, self.far):
            subprocess.run(["ip", "netns", "add", ns], check=True)
            subprocess.run(["ip", "netns", "exec", ns, "sysctl", "-qw",
                            "net.ipv6.conf.all.disable_ipv6=1",
                            "net.ipv6.conf.default.disable_ipv6=1"], check=True)
        subprocess.run(["ip", "link", "add", "v0", "netns", self.near, "type", "veth", "peer",
                        "name", "v1", "netns", self.far], check=True)
        for ns, dev in ((self.near, "v0"), (self.far, "v1")):
            subprocess.run(["ip", "-n", ns, "link", "set", dev, "up"], check=True)

    def argv(self, ns, command):
        """Who sends has a core, and with it what the kernel does for what it sends; who captures has others."""
        cores = sorted(os.sched_getaffinity(0))
        pin = cores[:1] if ns == self.near else cores[1:]
        taskset = ["taskset", "-c", ",".join(map(str, pin))] if len(cores) > 1 else []
        # Not the sender: the kernel's own threads have to have their turn beside it.
        first = ([] if not self.first else ["nice", "-n", "-20"] if ns == self.near
                 else ["chrt", "-f", "1"])
        return [*first, *taskset, "nsenter", f"--net=/run/netns/{ns}", *command]

    def close(self):
        for ns in (self.near, self.far):
            subprocess.run(["ip", "netns", "del", ns], check=False)


def receivers(wmscope, out):
    """Name, command, words of its readiness."""
    for engine in ("packet", "xdp"):
        yield engine, [wmscope, "capture", "-v", "-i", "v1", "--engine", engine, "-B", str(MIB),
                       "-w", out, "--text", out + ".text", "--no-lists"], "v1: capturing"
    if shutil.which("tcpdump"):
        yield "tcpdump", ["tcpdump", "-i", "v1", "-Q", "in", "-n", "-B", str(MIB * 1024), "-w", out,
                          "-Z", "root"], "listening on"


def sent_by(pair, wmscope, sender, capture, rate, loops, folder):
    """Packets sent and rate achieved."""
    stats = folder + "/sent"
    subprocess.run(pair.argv(pair.near, [wmscope, "replay", "-q", "-i", "v0", "--engine", sender,
                                         "-r", f"{rate}pps", "--loop", str(loops), "--stats", stats,
                                         capture]), check=True, stdout=subprocess.DEVNULL)
    with open(stats, encoding="utf-8") as f:
        event = json.load(f)["replay"]
    return event["packets"]["sent"], event["achieved"]["packets_per_s"]


def settled(path):
    """Waits until a file has not grown for a second."""
    size, since = -1, time.monotonic()
    while time.monotonic() - since < 1:
        now = os.path.getsize(path)
        if now != size:
            size, since = now, time.monotonic()
        time.sleep(0.1)


def got_by(wmscope, path):
    """Packets in a capture, as one reader counts them for all."""
    done = subprocess.run([wmscope, "replay", "--engine", "file", "-q", "-w", "/dev/null", "-r", "max",
                           "--stats", path + ".count", path], check=False, capture_output=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode())
    with open(path + ".count", encoding="utf-8") as f:
        return json.load(f)["replay"]["read"]


def trial(pair, wmscope, who, command, ready, load, rate):
    """What came of offering this rate."""
    capture, frames, seconds, sender, folder, path = load
    log = folder + "/log"
    with open(log, "wb") as err:
        process = subprocess.Popen(pair.argv(pair.far, command), stdout=err, stderr=err)
        try:
            end = time.monotonic() + 20
            while ready not in open(log, encoding="utf-8", errors="replace").read():
                if process.poll() is not None or time.monotonic() > end:
                    with open(log, encoding="utf-8") as f:
                        raise RuntimeError(f"{who}: {f.read().strip()}")
                time.sleep(0.05)
            loops = max(1, round(rate * seconds / frames))
            sent, achieved = sent_by(pair, wmscope, sender, capture, rate, loops, folder)
            settled(path)
            process.send_signal(signal.SIGINT)
            process.wait(120)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    return {"offered": rate, "achieved": achieved, "sent": sent, "received": got_by(wmscope, path)}


def highest(step, start, limit, attempt):
    """The trials, and the highest rate that held; 0: not even the first did."""
    trials, good, bad, rate = [], 0, None, start
    while bad is None or bad / good > 1.1:
        t = attempt(rate)
        trials.append(t)
        kept_up = t["achieved"] > 0.95 * t["offered"]
        if t["received"] >= t["sent"] and kept_up:
            good = rate
        else:
            bad = rate
            t["end"] = "loss" if kept_up else "the sender is no faster"
        if good == 0 or good >= limit:
            break
        rate = round(good * step) if bad is None else round((good + bad) / 2)
    return trials, good


def table(pair, args, folder):
    rows = []
    uniform(folder + "/60.pcap", 60, FRAMES)
    n = mixed(folder + "/mixed.pcap", args.pcaps)
    print(f"{'capture':8} {'receiver':9} {'packets/s without loss':>22}  then")
    for name, capture, frames in (("60 B", folder + "/60.pcap", FRAMES),
                                  ("mixed", folder + "/mixed.pcap", n)):
        load = (capture, frames, args.seconds, args.sender, folder, folder + "/out")
        for who, command, ready in receivers(args.wmscope, folder + "/out"):
            row = {"capture": name, "receiver": who}
            rows.append(row)
            try:
                row["trials"], row["lossless_pps"] = highest(
                    args.step, args.start, args.limit,
                    lambda rate: trial(pair, args.wmscope, who, command, ready, load, rate))
            except RuntimeError as e:
                row["error"] = str(e)
                print(f"{name:8} {who:9} {e}")
                continue
            ends = [t for t in row["trials"] if "end" in t]
            words = "the limit of this run"
            if ends:
                t = min(ends, key=lambda t: t["offered"])
                words = f"{t['end']} at {t['offered']}: {t['received']} of {t['sent']}"
            print(f"{name:8} {who:9} {row['lossless_pps']:22}  {words}", flush=True)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wmscope", required=True, type=os.path.abspath)
    parser.add_argument("--pcaps", required=True, type=os.path.abspath)
    parser.add_argument("--seconds", type=float, default=3, help="of each trial")
    parser.add_argument("--sender", default="xdp", help="engine of replay")
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
    pair = Pair(args.first)
    try:
        place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        with tempfile.TemporaryDirectory(dir=place) as folder:
            os.chmod(folder, 0o755)
            rows = table(pair, args, folder)
    finally:
        pair.close()
    if args.json:
        with open(args.json, "w", encoding="utf-8") as out:
            json.dump({"kernel": os.uname().release, "cpus": os.cpu_count(), "rows": rows}, out,
                      indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
