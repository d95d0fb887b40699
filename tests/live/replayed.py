#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Captures sent by `wmscope replay` into `wmscope capture`: replayed.py [options] WMSCOPE COUNT CAPTURE...

Each capture goes with its own gaps over a veth pair, by every engine of replay into every engine of
capture. What arrives is the capture, byte for byte and in order; what capture finds in it is what
analyze finds in the file: the same findings, verdicts, triggers and frames, and the same flows. Times
are those of the wire, so a run in which replay itself says that a frame was late is done again, at
last alone.
COUNT is tests/bench's program, whose XDP program lets a veth take live frames.
"""
import argparse
import collections
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import frames  # noqa: E402
from capturing import Live, Pair, analyze, blocks, events, skip  # noqa: E402

SENDERS = ("packet", "xdp", "live", "dpdk")
TAKERS = ("packet", "xdp", "dpdk")
LATE_NS = 1_000_000  # above it the times of a capture may say something else
TRIES = 3
LONGEST = 1514  # what a link with an MTU of 1500 takes
NO_ENGINE = ("was built without", "there is no module", "has no AF_XDP", "live frames (Linux")

Task = collections.namedtuple("Task", "capture sender taker")


class Skipped(Exception):
    """This cannot be tried here, and why."""


class Late(Exception):
    """The machine was too busy to keep the gaps."""


def replayable(path):
    """None, or why the capture cannot be sent as it is."""
    with open(path, "rb") as f:
        head = f.read(24)
    if len(head) < 24 or head[:4] not in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") or head[20] != 1:
        return "no Ethernet"
    sent = frames.read(path)
    if not sent or any(len(data) != length for _, data, length in sent):
        return "cut off, or empty"
    if any(not 14 <= length <= LONGEST for _, _, length in sent):
        return "longer than the wire takes"
    return None


def seconds(path):
    sent = frames.read(path)
    return (sent[-1][0] - sent[0][0]) / 1e9


def told(found):
    """What must not depend on when: findings and flows, each as text."""
    out = []
    for e in found:
        who = [e.get(k) for k in ("flow_id", "pcap_cnt", "src_ip", "src_port", "dest_ip", "dest_port")]
        if e["event_type"] == "finding":
            f = e["finding"]
            what = [f.get(k) for k in ("id", "family", "verdict", "stage", "direction", "packets",
                                       "trigger", "scope", "flows", "controls", "conditional",
                                       "device", "mbx")]
        elif e["event_type"] == "flow":
            f = e["flow"]
            what = [e["app_proto"], *(f.get(k) for k in ("pkts_toserver", "pkts_toclient",
                                                        "history", "state", "worst"))]
        else:
            continue
        out.append(json.dumps([e["event_type"], *who, *what]))
    return sorted(out)


def difference(want, got):
    return "; ".join([f"only offline: {e}" for e in want if e not in got] +
                     [f"only live: {e}" for e in got if e not in want])


def ethertype(frame):
    """And where what it carries begins."""
    at = 12
    while frame[at:at + 2] in (b"\x81\x00", b"\x88\xa8"):
        at += 4
    return frame[at:at + 2], at + 2


def altered(frame):
    """
    What DPDK's net_af_packet asks the kernel to put together (PACKET_FANOUT_FLAG_DEFRAG), or tags again
    as it does every frame whose tag the kernel took off (rte_vlan_insert()).
    """
    kind, at = ethertype(frame)
    fragment = kind == b"\x08\x00" and (frame[at + 6] << 8 | frame[at + 7]) & 0x3fff
    return fragment or frame[12:14] == b"\x88\xa8"


def overtaken(frame):
    """
    Nobody's but a packet socket's: that gets it only when the kernel has gone through all of the batch
    that it came with, what is of IP at once (Linux __netif_receive_skb_list_core()).
    """
    return ethertype(frame)[0] not in (b"\x08\x00", b"\x86\xdd", b"\x08\x06")


def same_frames(task, sent, got):
    """Asserts it, but for what the kernel or a driver does to frames before anybody has them."""
    wrong = frames.same(sent, got)
    if wrong is not None and task.taker == "dpdk" and any(map(altered, sent)):
        raise Skipped("net_af_packet: fragments come put together, and outer tags of 88a8 as 8100")
    moved = wrong is not None and sorted(sent) == sorted(got)
    if moved and task.taker != "xdp" and any(map(overtaken, sent)):
        raise Skipped("packet sockets: what is not of IP came after what followed it")
    assert wrong is None, wrong


class Taps:
    """Lets right0 take live frames while capture has no XDP program there itself."""

    def __init__(self, pair, count, wanted):
        self.process = None
        if wanted:
            self.process = subprocess.Popen(pair.argv(pair.names[1], count, "right0", "pass"),
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        if self.process is not None and self.process.stdout.readline() != "ready\n":
            raise Skipped("XDP: no program can be attached")

    def __exit__(self, *_):
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait()
            self.process.stdout.close()


def replay(pair, wmscope, task, folder):
    """Sends it; the statistics of that."""
    device = "left0" if task.sender != "dpdk" else "net_af_packet0,iface=left0"
    stats = os.path.join(folder, "sent")
    done = subprocess.run(
        pair.argv(pair.names[0], wmscope, "replay", "-q", "--engine", task.sender, "-i", device,
                  "--stats", stats, task.capture),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if any(words in done.stderr for words in NO_ENGINE):
        raise Skipped(f"{task.sender}: {done.stderr.strip()}")
    assert done.returncode == 0, f"replay: exit {done.returncode}: {done.stderr}"
    with open(stats, encoding="utf-8") as f:
        return json.load(f)["replay"]


def once(pair, wmscope, count, task, folder):
    sent = [data for _, data, _ in frames.read(task.capture)]
    limit = int(seconds(task.capture)) + 30  # a frame that is lost must not hold it for ever
    path, live = folder + "/live.pcapng", folder + "/live.jsonl"
    device = "right0" if task.taker != "dpdk" else "net_af_packet0,iface=right0"
    run = Live(pair, wmscope, "--engine", task.taker, "-w", path, "--jsonl", live, "-c",
               str(len(sent)), "--duration", str(limit), folder=folder, iface=device)
    try:
        try:
            run.ready()
        except AssertionError:
            if any(words in run.said() for words in NO_ENGINE):
                raise Skipped(f"{task.taker}: {run.said().strip()}") from None
            raise
        with Taps(pair, count, task.sender == "live" and task.taker != "xdp"):
            stats = replay(pair, wmscope, task, folder)
            code = run.end(seconds=limit + 10)
    finally:
        run.kill()
        run.close()
    same_frames(task, sent, [data for data, _ in blocks(path)])
    lost = events(live)[0]["run"]["captures"][0]["dropped"]
    assert lost == (None if task.taker == "dpdk" else 0), f"{lost} lost; nobody counts for net_af_packet"
    status, offline = analyze(wmscope, [task.capture])
    want, got = told(offline), told(events(live))
    if want == got and code == status:
        return
    late = stats["off_by"]["max_ns"]
    if late > LATE_NS:
        raise Late(f"a frame was {late / 1e6:.1f} ms off: {difference(want, got)}")
    assert want == got, difference(want, got)
    assert code == status, f"exit {code} live, {status} offline"


def attempt(pair, wmscope, count, task):
    """A verdict of one word, and words."""
    for left in reversed(range(TRIES)):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            try:
                once(pair, wmscope, count, task, folder)
                return "same", ""
            except Skipped as e:
                return "skipped", str(e)
            except Late as e:
                if left == 0:
                    return "late", str(e)
            except (AssertionError, OSError) as e:
                return "DIFFERS", str(e)
    raise AssertionError("not reached")


class Run:
    def __init__(self, args):
        self.args = args
        self.tasks, self.lock = queue.SimpleQueue(), threading.Lock()
        self.late = []  # to be tried again when nothing else runs
        self.ends = collections.Counter()
        self.reasons = collections.Counter()

    def work(self, number):
        with Pair(chr(ord("a") + number)) as pair:
            while True:
                try:
                    task = self.tasks.get_nowait()
                except queue.Empty:
                    return
                self.note(task, *attempt(pair, self.args.wmscope, self.args.count, task))

    def note(self, task, end, why):
        with self.lock:
            if end == "late" and self.late is not None:
                self.late.append(task)
                return
            self.ends[task.sender, task.taker, end] += 1
            if end == "skipped":
                self.reasons[why] += 1
            if end in ("DIFFERS", "late") or self.args.verbose:
                name = "/".join(task.capture.split("/")[-2:])
                print(f"{end}: {name}, {task.sender} to {task.taker} {why}", flush=True)

    def all(self):
        n = 0
        for path in self.args.captures:
            why = replayable(path)
            if why is None and self.args.longest and seconds(path) > self.args.longest:
                why = f"longer than {self.args.longest} s"
            if why is not None:
                self.reasons["a capture that is " + why] += 1
                continue
            n += 1
            for sender in self.args.senders:
                for taker in self.args.takers:
                    self.tasks.put(Task(path, sender, taker))
        self.work_side_by_side(self.args.jobs)
        again, self.late = self.late, None
        for task in again:
            self.tasks.put(task)
        self.work_side_by_side(1)
        return n

    def work_side_by_side(self, jobs):
        threads = [threading.Thread(target=self.work, args=(i,)) for i in range(jobs)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()

    def report(self, n):
        print(f"{n} captures" + "".join(f"; skipped {k} x {why}" for why, k in self.reasons.items()))
        for sender in self.args.senders:
            for taker in self.args.takers:
                ends = {e: k for (s, t, e), k in self.ends.items() if (s, t) == (sender, taker)}
                print(f"{sender:7} to {taker:7}" +
                      "".join(f"  {e} {k}" for e, k in sorted(ends.items())))

    def total(self, n):
        """How many ended in each way, the last line says it."""
        ends = collections.Counter()
        for (_, _, end), k in self.ends.items():
            ends[end] += k
        print(f"{ends['same']} of {n * len(self.args.senders) * len(self.args.takers)} the same" +
              "".join(f", {k} {end}" for end, k in sorted(ends.items()) if end != "same"))
        return ends


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wmscope", type=os.path.abspath)
    parser.add_argument("count", type=os.path.abspath)
    parser.add_argument("captures", nargs="+", type=os.path.abspath)
    parser.add_argument("--senders", type=lambda s: s.split(","), default=SENDERS)
    parser.add_argument("--takers", type=lambda s: s.split(","), default=TAKERS)
    parser.add_argument("--jobs", type=int, default=4, help="captures at once, on a pair each")
    parser.add_argument("--longest", type=float, help="leave out captures longer than so many s")
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    with Pair():  # skips here rather than in a thread
        pass
    run = Run(args)
    n = run.all()
    run.report(n)
    ends = run.total(n)
    wanted = n * len(args.senders) * len(args.takers)
    if ends["DIFFERS"] or ends.total() != wanted:
        return 1
    if not ends["same"]:
        skip("xdp", "nothing could be tried, or kept its gaps")
    required = os.environ.get("WMSCOPE_REQUIRE", "")
    if "xdp" in required and any("xdp" in why for why in run.reasons):
        skip("xdp", "an engine could not be tried")
    return 0


if __name__ == "__main__":
    sys.exit(main())
