#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Who captures how much without loss: capture.py --wmscope W --count COUNT --pcaps DIR [--json FILE]

`wmscope capture` by each engine, with and without writing, beside `tcpdump -w`, all with 64 MiB of
memory and files on a tmpfs; and on long connections with and without --shunt. One veth pair in
namespaces of its own; who sends is always `replay --engine live`, whose frames lie in the kernel. It
has the first core, and the receiver the others: the process, and the thread in which the kernel polls
the receiving end, which would else run on the sender's core and make that the limit.

On long connections --shunt spares the copy to the socket and all that the process does. Where a rate with
it was "lost at none", the sender could do no more, and CPU tells how much further it would go. What the
process alone is spared shows where it may have but SHARE percent of its core, and the kernel polls on
the sender's: rows "xdp SHARE%". nDPI and throttling are off with and without --shunt.

A burst as fast as it goes shows what gets through; then rates are halved in between until the highest
is known that replay kept to within 5 %, every packet received. Where even that burst loses nothing
the receiver holds the sender back, and its rate is the limit. CPU is that of the process and of the
kernel's thread together, for a packet of the highest rate that held. COUNT is the bench's program that
lets a veth take live frames where the receiver itself has no XDP program.
"""
import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from replay import FRAMES, mixed, uniform

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live"))
import long_flows  # noqa: E402

MIB = 64
TRIALS = 8
CLOSE = 1.1  # the lowest rate that lost, to the highest that did not
FIRST_BURST = 2_000_000  # packets
LOWEST = 50_000  # packets/s: who loses some of these has other troubles
PLAIN = ("--no-throttling", "--no-ndpi")  # what shunting asks for, and what ends early by itself
COUNTERS = (re.compile(r"(?P<packets>\d+) packets, .* (?P<dropped>\d+|unknown) dropped by the kernel,"
                       r".* (?P<shunted>\d+) shunted"),
            re.compile(r"(?P<packets>\d+) packets captured, .* (?P<dropped>\d+) packets dropped by kernel"))


class Pair:
    """v0 in the namespace near, which sends, and a device in far, which receives."""

    def __init__(self, first=False):
        """first: what runs here goes before whatever else the machine does."""
        self.first, self.polled = first, []
        self.near, self.far = (f"wmk{os.getpid()}{side}" for side in "nf")
        self.dev = f"r{os.getpid()}"  # of its own, since threads of the kernel are called so
        cores = sorted(os.sched_getaffinity(0))
        self.cores = {self.near: cores[:1], self.far: cores[1:] or cores}
        for ns in (self.near, self.far):
            subprocess.run(["ip", "netns", "add", ns], check=True)
            subprocess.run(["ip", "netns", "exec", ns, "sysctl", "-qw",
                            "net.ipv6.conf.all.disable_ipv6=1",
                            "net.ipv6.conf.default.disable_ipv6=1"], check=True)
        subprocess.run(["ip", "link", "add", "v0", "netns", self.near, "type", "veth", "peer",
                        "name", self.dev, "netns", self.far], check=True)
        for ns, dev in ((self.near, "v0"), (self.far, self.dev)):
            subprocess.run(["ip", "-n", ns, "link", "set", dev, "up"], check=True)

    def argv(self, ns, command):
        first = ["nice", "-n", "-20"] if self.first else []
        return [*first, "taskset", "-c", ",".join(map(str, self.cores[ns])), "nsenter",
                f"--net=/run/netns/{ns}", *command]

    def poll(self, apart):
        """Whether the receiving end is polled in a thread, beside who receives. There has to be a program."""
        subprocess.run(["ip", "netns", "exec", self.far, "sh", "-c",
                        f"echo {int(apart)} > /sys/class/net/{self.dev}/threaded"], check=True)
        self.polled = [pid for pid in filter(str.isdigit, os.listdir("/proc"))
                       if name_of(pid).startswith(f"napi/{self.dev}-")]
        for pid in self.polled:
            os.sched_setaffinity(int(pid), self.cores[self.far])
            if self.first:
                os.setpriority(os.PRIO_PROCESS, int(pid), -20)

    def cpu_seconds(self, process):
        return sum(map(cpu_seconds, [process.pid, *self.polled]))

    def close(self):
        for ns in (self.near, self.far):
            subprocess.run(["ip", "netns", "del", ns], check=False)


class Share:
    """A group of processes that has so many percent of a core, in periods that the rings can bridge."""

    PERIOD_US = 10_000

    def __init__(self, percent):
        self.percent = percent
        v1 = "/sys/fs/cgroup/cpu"
        self.path = f"{v1 if os.path.isdir(v1) else '/sys/fs/cgroup'}/wmbench{os.getpid()}"

    def __enter__(self):
        if self.percent:
            os.mkdir(self.path)
            quota = self.PERIOD_US * self.percent // 100
            if os.path.exists(self.path + "/cpu.max"):
                self.write("cpu.max", f"{quota} {self.PERIOD_US}")
            else:
                self.write("cpu.cfs_period_us", self.PERIOD_US)
                self.write("cpu.cfs_quota_us", quota)
        return self

    def write(self, name, what):
        with open(f"{self.path}/{name}", "w", encoding="ascii") as f:
            f.write(str(what))

    def take(self, process):
        if self.percent:
            self.write("cgroup.procs", process.pid)

    def __exit__(self, *_):
        if self.percent:
            os.rmdir(self.path)


def go_first(session):
    """A nice value counts within a session only where the kernel groups by them (autogroup)."""
    path = "/proc/self/autogroup"
    if os.path.exists(path):
        with open(path, "w", encoding="ascii") as f:
            f.write(str(session))


def name_of(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="ascii", errors="replace") as f:
            return f.read().strip()
    except OSError:
        return ""


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Receiver:
    """Name, command, words of its readiness, and whether it has an XDP program of its own."""

    def __init__(self, name, command, ready, own=False, path=None):
        self.name, self.command, self.ready, self.own, self.path = name, command, ready, own, path
        self.percent = None  # of a core, if it may not have a whole one


def capture(wmscope, folder, device, engine, *options, name=None):
    command = [wmscope, "capture", "-v", "-i", device, "--engine", engine, "-B", str(MIB), "--no-lists",
               "--text", folder + "/text", *options]
    path = options[options.index("-w") + 1] if "-w" in options else None
    return Receiver(name or engine + (" -w" if path else ""), command, device + ": capturing",
                    engine == "xdp", path)


def receivers(args, pair, folder, load):
    engines = {"packet": pair.dev, "xdp": pair.dev,
               "dpdk": f"net_af_packet0,iface={pair.dev},framecnt={(MIB << 20) // 2048}"}
    if load == "long":
        for percent in (None, args.share):
            for options in ((), ("--shunt",)):
                name = " ".join(("xdp", *options)) + (f" {percent}%" if percent else "")
                who = capture(args.wmscope, folder, pair.dev, "xdp", *PLAIN, *options, name=name)
                who.percent = percent
                yield who
        return
    out = folder + "/out"
    if shutil.which("tcpdump"):
        yield Receiver("tcpdump -w", ["tcpdump", "-i", pair.dev, "-Q", "in", "-n", "-B", str(MIB * 1024),
                                      "-w", out, "-Z", "root"], "listening on", path=out)
    if load == "mixed":  # has fragments, which come put together through net_af_packet
        del engines["dpdk"]
    for engine, device in engines.items():
        more = ("--eal", "--no-huge -m 256 --no-pci") if engine == "dpdk" else ()
        yield capture(args.wmscope, folder, device, engine, "-w", out, *more)
        if engine != "dpdk":
            yield capture(args.wmscope, folder, device, engine)


def text_of(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def counters(log):
    """What the receiver said last; None: nothing yet."""
    for line in reversed(text_of(log).splitlines()):
        for words in COUNTERS:
            found = words.search(line)
            if found:
                return {k: int(v) if v.isdigit() else 0 for k, v in found.groupdict().items()}
    return None


def settled(process, log, sent):
    """Waits until nothing more comes; the counters then."""
    last, same, end = None, 0, time.monotonic() + 60
    while same < 3 and time.monotonic() < end:
        process.send_signal(signal.SIGUSR1)
        time.sleep(0.2)
        now = counters(log)
        if now and sum(now.values()) == sent and not now["dropped"]:
            return now
        same = same + 1 if now is not None and now == last else 0
        last = now
    if last is None:
        raise RuntimeError("it tells no counters")
    return last


def got_by(wmscope, path):
    """Packets in a capture, as one reader counts them for all."""
    done = subprocess.run([wmscope, "replay", "--engine", "file", "-q", "-w", "/dev/null", "-r", "max",
                           "--stats", path + ".count", path], check=False, capture_output=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode())
    with open(path + ".count", encoding="utf-8") as f:
        return json.load(f)["replay"]["read"]


def send(args, pair, load, rate, packets, folder):
    """Packets sent, and their rate. rate 0: as fast as it goes."""
    stats = folder + "/sent"
    words = f"{rate}pps" if rate else "max"
    subprocess.run(pair.argv(pair.near, [
        args.wmscope, "replay", "-q", "-i", "v0", "--engine", "live", "-r", words, "--loop",
        str(max(2, round(packets / load["frames"]))), "--stats", stats, load["path"]]),
        check=True, stdout=subprocess.DEVNULL)
    with open(stats, encoding="utf-8") as f:
        event = json.load(f)["replay"]
    return event["packets"]["sent"], event["achieved"]["packets_per_s"]


def wait_until_ready(process, who, log):
    end = time.monotonic() + 20
    while who.ready not in text_of(log):
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(text_of(log).strip().split("\n")[-1])
        time.sleep(0.02)


def trial(args, pair, who, share, load, rate, packets, folder):
    """What came of offering this rate."""
    log = folder + "/log"
    with open(log, "wb") as err:
        process = subprocess.Popen(pair.argv(pair.far, who.command), stdout=err, stderr=err)
    try:
        wait_until_ready(process, who, log)
        pair.poll(apart=not who.percent)
        share.take(process)
        before = pair.cpu_seconds(process)
        sent, achieved = send(args, pair, load, rate, packets, folder)
        now = settled(process, log, sent)
        cpu = pair.cpu_seconds(process) - before
        process.send_signal(signal.SIGINT)
        process.wait(120)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    got = got_by(args.wmscope, who.path) if who.path else now["packets"] + now.get("shunted", 0)
    return {"offered": rate or None, "achieved": achieved, "sent": sent, "received": got,
            "shunted": now.get("shunted", 0), "cpu_ns": cpu / sent * 1e9}


def search(attempt, seconds):
    """The trials. Each says whether it held, and what it shows of the rate that does."""
    first = attempt(0, FIRST_BURST)
    first["held"] = first["received"] >= first["sent"]
    trials, good, bad = [first], 0, first["achieved"]
    if first["held"]:
        return trials
    # Where the kernel leaves the process no time at all, next to nothing of a burst gets through.
    rate = bad * max(first["received"] / first["sent"], 1 / 8)
    while len(trials) < TRIALS and (good == 0 or bad / good > CLOSE) and rate >= LOWEST:
        t = attempt(round(rate), rate * seconds)
        trials.append(t)
        kept_up = t["achieved"] > 0.95 * t["offered"]
        t["held"] = t["received"] >= t["sent"]
        if t["held"]:
            good = max(good, min(t["achieved"], rate))
        # What the sender cannot keep up with ends the search as what is lost does.
        if not t["held"] or not kept_up:
            bad = min(bad, rate)
        if good >= bad:
            break
        rate = bad * 0.6 if good == 0 else min((good * bad) ** 0.5, good * 2)
    return trials


class Program:
    """Beside a receiver without an XDP program, one that lets everything pass."""

    def __init__(self, args, pair, wanted):
        self.process = None
        if wanted:
            self.process = subprocess.Popen(pair.argv(pair.far, [args.count, pair.dev, "pass"]),
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        if self.process is not None and self.process.stdout.readline() != "ready\n":
            raise RuntimeError("no XDP program can be attached")

    def __exit__(self, *_):
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait()
            self.process.stdout.close()


def row_of(args, pair, who, load, folder):
    row = {"capture": load["name"], "receiver": who.name}
    try:
        with Program(args, pair, not who.own), Share(who.percent) as share:
            row["trials"] = search(lambda rate, packets: trial(args, pair, who, share, load, rate, packets,
                                                               folder), args.seconds)
    except (RuntimeError, OSError, subprocess.SubprocessError) as e:
        row["error"] = str(e)
        return row
    held = [t for t in row["trials"] if t["held"]]
    best = max(held, key=lambda t: t["achieved"]) if held else None
    lost = [t for t in row["trials"] if not t["held"]]
    row["lossless_pps"] = round(best["achieved"]) if best else 0
    row["cpu_ns"] = best["cpu_ns"] if best else None
    row["shunted"] = best["shunted"] / best["sent"] if best else 0
    row["lost_at_pps"] = round(min(t["achieved"] for t in lost)) if lost else None
    return row


def print_row(row):
    words = f"{row['capture']:7} {row['receiver']:17} "
    if "error" in row:
        print(words + row["error"], flush=True)
        return
    times = f"{row['times']:.1f}" if row["times"] is not None else "-"
    cpu = f"{row['cpu_ns']:.0f}" if row["cpu_ns"] is not None else "-"
    lost = row["lost_at_pps"] if row["lost_at_pps"] is not None else "none"
    print(words + f"{row['lossless_pps']:12} {times:>6} {cpu:>7} {row['shunted']:8.1%} {lost:>10}",
          flush=True)


def loads(args, folder):
    for name in args.loads:
        path = f"{folder}/{name}.pcap"
        if name == "60":
            uniform(path, 60, FRAMES)
            frames = FRAMES
        elif name == "mixed":
            frames = mixed(path, args.pcaps)
        else:
            frames = long_flows.plain(path, args.flows, args.segments)
        yield {"name": name, "path": path, "frames": frames}
        os.unlink(path)


def table(args, pair, folder):
    rows = []
    print(f"{'capture':7} {'receiver':17} {'lossless/s':>12} {'x':>6} {'CPU ns':>7} {'shunted':>8} "
          f"{'lost at':>10}")
    for load in loads(args, folder):
        base = {}  # of each capture and share the first receiver: tcpdump, or xdp that reads everything
        for who in receivers(args, pair, folder, load["name"]):
            if args.receivers and who.name not in args.receivers:
                continue
            rows.append(row_of(args, pair, who, load, folder))
            lossless = rows[-1].get("lossless_pps", 0)
            first = base.setdefault(who.percent, lossless)
            rows[-1]["times"] = lossless / first if first else None
            print_row(rows[-1])
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wmscope", required=True, type=os.path.abspath)
    parser.add_argument("--count", required=True, type=os.path.abspath)
    parser.add_argument("--pcaps", required=True, type=os.path.abspath)
    parser.add_argument("--seconds", type=float, default=2, help="of each trial")
    parser.add_argument("--loads", type=lambda s: s.split(","), default=["60", "mixed", "long"])
    parser.add_argument("--receivers", type=lambda s: s.split(","), help="only these, by their names")
    parser.add_argument("--flows", type=int, default=12, help="long connections side by side")
    parser.add_argument("--segments", type=int, default=10_000, help="in each of them")
    parser.add_argument("--share", type=int, default=10, help="percent of a core")
    parser.add_argument("--first", action="store_true", help="before all else that the machine does")
    parser.add_argument("--json")
    args = parser.parse_args()
    if os.geteuid() != 0:
        print("SKIP: not root")
        return 77
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    pair = Pair(args.first)
    try:
        if args.first:
            go_first(-20)
        place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        with tempfile.TemporaryDirectory(dir=place) as folder:
            os.chmod(folder, 0o755)
            rows = table(args, pair, folder)
    finally:
        pair.close()
        if args.first:
            go_first(0)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as out:
            json.dump({"kernel": os.uname().release, "cpus": os.cpu_count(), "rows": rows}, out,
                      indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
