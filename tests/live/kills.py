#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What breaks a capture or a replay, again and again: kills.py [--rounds N] [--seed N] WMSCOPE CAPTURE

CAPTURE is sent without end over a veth pair and captured at the other end, and then one of these
happens: SIGKILL of the one or the other, the link going down, a full disk, somebody else wanting the
same queue. After each of them no XDP program is left, the file has every block but perhaps the last
whole and analyze reads it, whoever was not touched went on, and the next capture starts at once.
"""
import argparse
import itertools
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import time

from capturing import IO, PARTIAL, Live, Pair, analyze, said_into, skip

NO_ENGINE = ("was built without", "there is no module", "has no AF_XDP", "live frames (Linux")
PACE = "20kpps"


class Sender:
    """A replay out of left0 that does not end by itself."""

    def __init__(self, pair, wmscope, capture, engine, folder):
        device = "left0" if engine != "dpdk" else "net_af_packet0,iface=left0"
        self.err = said_into(os.path.join(folder, "sender"))
        self.process = subprocess.Popen(
            pair.argv(pair.names[0], wmscope, "replay", "-q", "--engine", engine, "-i", device,
                      "-r", PACE, "--loop", "forever", capture),
            stdin=subprocess.DEVNULL, stdout=self.err, stderr=self.err)

    def said(self):
        self.err.seek(0)
        return self.err.read().decode()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.err.close()


def programs(pair):
    """Links of the pair that have an XDP program."""
    out = []
    for name in pair.names:
        done = subprocess.run(["ip", "-n", name, "-j", "link", "show"], capture_output=True, check=True)
        out += [link["ifname"] for link in json.loads(done.stdout) if "xdp" in link]
    return out


def within(seconds, what, words):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, words()
        time.sleep(0.02)


def whole_blocks(path):
    """Packets of a pcapng file up to its last whole block, and how many bytes come after that."""
    with open(path, "rb") as f:
        data = f.read()
    at, n = 0, 0
    while at + 12 <= len(data):
        kind, length = struct.unpack_from("=II", data, at)
        assert length >= 12 and length % 4 == 0, f"{path}: a block of {length} bytes at {at}"
        if at + length > len(data):
            break
        assert struct.unpack_from("=I", data, at + length - 4)[0] == length, f"{path}: ends at {at}"
        n += kind == 6
        at += length
    return n, len(data) - at


class Round:
    """One capture and one replay, running."""

    def __init__(self, pair, args, sender, taker, folder, place=None):
        self.pair, self.args, self.taker, self.folder = pair, args, taker, folder
        self.path = os.path.join(place or folder, "out.pcapng")
        self.live = Live(pair, args.wmscope, "--engine", taker, "-w", self.path, "--text",
                         folder + "/text", folder=folder)
        self.sender = None
        try:
            self.live.ready()
            self.sender = Sender(pair, args.wmscope, args.capture, sender, folder)
            self.flowing()
        except BaseException:
            self.close()
            raise

    def grown(self, more=0):
        size = os.path.getsize(self.path) if os.path.exists(self.path) else 0
        return size > 4096 + more and size

    def flowing(self):
        """Packets come, and some more."""
        within(15, self.grown, lambda: f"nothing comes: {self.live.said()} {self.sender.said()}")

    def still_flowing(self):
        size = os.path.getsize(self.path)
        within(10, lambda: os.path.getsize(self.path) > size, self.live.said)

    def readable(self, whole):
        n, rest = whole_blocks(self.path)
        assert n > 0, "no packet is in the file"
        assert not whole or rest == 0, f"{rest} bytes of a block that ends too soon"
        status, found = analyze(self.args.wmscope, [self.path])
        got = found[0]["run"]["captures"][0]["packets"]
        assert got == n, f"{n} packets are in the file, analyze reads {got}"
        assert (status == PARTIAL) == (rest != 0), f"analyze: exit {status} with {rest} bytes over"
        return n

    def cleaned(self):
        within(10, lambda: not programs(self.pair), lambda: f"a program is left: {programs(self.pair)}")

    def close(self):
        if self.sender is not None:
            self.sender.kill()
        self.live.kill()
        self.live.close()


def capture_killed(r):
    r.live.process.kill()
    r.live.process.wait()
    r.cleaned()
    return f"{r.readable(whole=False)} packets"


def replay_killed(r):
    """The capture does not mind, and hears the next replay."""
    r.sender.kill()
    r.sender = Sender(r.pair, r.args.wmscope, r.args.capture, "packet", r.folder)
    r.still_flowing()
    code = r.live.end(2)
    assert code in (0, 1), f"exit {code}: {r.live.said()}"
    r.cleaned()
    return f"{r.readable(whole=True)} packets"


def link_down(r):
    r.pair.right("ip", "link", "set", "right0", "down")
    try:
        code = r.live.end()
        assert code == IO and "went down" in r.live.said(), f"exit {code}: {r.live.said()}"
        assert os.path.getsize(r.folder + "/text") > 0, "no report"
        r.cleaned()
        return f"{r.readable(whole=True)} packets"
    finally:
        r.pair.right("ip", "link", "set", "right0", "up")


def disk_full(r):
    code = r.live.end()
    assert code == IO and "No space left" in r.live.said(), f"exit {code}: {r.live.said()}"
    assert os.path.getsize(r.folder + "/text") > 0, "no report"
    r.cleaned()
    return f"{r.readable(whole=True)} packets"


def queue_taken(r):
    """The second is refused, the first goes on; when that is killed, another has the queue at once."""
    second = Live(r.pair, r.args.wmscope, "--engine", "xdp", folder=r.folder)
    try:
        code = second.end()
        assert code == IO, f"a queue was taken twice: exit {code}: {second.said()}"
    finally:
        second.kill()
        second.close()
    r.still_flowing()
    r.live.process.kill()
    third = Live(r.pair, r.args.wmscope, "--engine", "xdp", folder=r.folder)
    try:
        third.ready()
        assert third.end(15) in (0, 1), third.said()
    finally:
        third.kill()
        third.close()
    r.live.process.wait()
    r.cleaned()
    return f"{r.readable(whole=False)} packets"


# Live frames need a program at the other end, which only the engine xdp has.
KINDS = ((capture_killed, "live", "xdp"), (link_down, "packet", "xdp"), (disk_full, "xdp", "packet"),
         (queue_taken, "packet", "xdp"), (replay_killed, "live", "xdp"),
         (capture_killed, "dpdk", "packet"), (replay_killed, "xdp", "packet"),
         (link_down, "xdp", "packet"), (disk_full, "packet", "xdp"), (replay_killed, "dpdk", "xdp"))


def one(pair, args, kind, sender, taker, rng):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        place = None
        if kind is disk_full:
            place = folder + "/small"
            os.mkdir(place)
            if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", place],
                              capture_output=True, check=False).returncode != 0:
                return "not tried: no tmpfs can be mounted here"
        try:
            r = Round(pair, args, sender, taker, folder, place)
            try:
                time.sleep(rng.uniform(0, 0.3))
                return kind(r)
            finally:
                r.close()
        finally:
            if place is not None:
                subprocess.run(["umount", place], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wmscope", type=os.path.abspath)
    parser.add_argument("capture", type=os.path.abspath)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    failed = 0
    with Pair() as pair:
        for i, (kind, sender, taker) in zip(range(args.rounds), itertools.cycle(KINDS)):
            words = f"{i + 1}: {kind.__name__}, {sender} to {taker}: "
            try:
                print(words + one(pair, args, kind, sender, taker, rng), flush=True)
            except AssertionError as e:
                if not failed and any(lack in str(e) for lack in NO_ENGINE):
                    skip("xdp", str(e))
                failed += 1
                print(f"FAIL: {words}{e}", flush=True)
    print(f"{args.rounds} rounds, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
