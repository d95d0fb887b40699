#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What tests of live captures share: a veth pair, frames into it, a running capture, files read back."""
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

DONE, FINDINGS, USAGE, INPUT, IO, PARTIAL = range(6)


def skip(what, why):
    if what in os.environ.get("WMSCOPE_REQUIRE", "").replace(" ", ",").split(","):
        sys.exit(f"FAIL: {what} is required, but {why}")
    print(f"SKIP: {why}")
    sys.exit(77)


def end_by_exception():
    """SIGTERM and SIGHUP unwind as SIGINT does, so that whatever was made is taken away again.

    Only a process's main thread may ask for that: where pairs are made in others, it does so before."""
    if threading.current_thread() is not threading.main_thread():
        return

    def leave(number, _):
        signal.signal(number, signal.SIG_IGN)
        sys.exit(128 + number)

    for number in signal.SIGTERM, signal.SIGHUP:
        signal.signal(number, leave)


def watch_over(names):
    """A process that takes these namespaces away however this one ends, by SIGKILL too; end its stdin."""
    script = 'cat >/dev/null; for name; do ip netns del "$name"; done'
    return subprocess.Popen(["sh", "-c", script, "sh", *names], stdin=subprocess.PIPE, start_new_session=True,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Pair:
    """Two namespaces, left0 in one, right0 in the other."""

    def __init__(self, tag="", queues=1):
        """tag: tells apart several of one process; queues: of each end."""
        self.names = [f"wmc{os.getpid()}{tag}{side}" for side in "lr"]
        self.started = []
        self.watch = None
        self.queues = ["numtxqueues", str(queues), "numrxqueues", str(queues)]

    def __enter__(self):
        end_by_exception()
        try:
            self.make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def make(self):
        if os.geteuid() != 0:
            skip("root", "not root")
        for tool in ("ip", "ethtool", "nsenter"):
            if shutil.which(tool) is None:
                skip("netns", f"{tool} is not installed")
        self.watch = watch_over(self.names)
        for name in self.names:
            if subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode != 0:
                skip("netns", "network namespaces cannot be made here")
            self.run(name, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1",
                     "net.ipv6.conf.all.disable_ipv6=1")
        subprocess.run(["ip", "link", "add", "left0", "netns", self.names[0], *self.queues, "type",
                        "veth", "peer", "name", "right0", "netns", self.names[1], *self.queues],
                       check=True)
        for name, link in zip(self.names, ("left0", "right0")):
            self.run(name, "ip", "link", "set", "lo", "up")
            self.run(name, "ip", "link", "set", link, "up")

    def __exit__(self, *_):
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.wait()
        if self.watch is not None:
            self.watch.communicate()

    def argv(self, name, *args):
        return ["nsenter", f"--net=/run/netns/{name}", *args]

    def run(self, name, *args):
        subprocess.run(self.argv(name, *args), check=True, stdout=subprocess.DEVNULL)

    def left(self, *args):
        self.run(self.names[0], *args)

    def right(self, *args):
        self.run(self.names[1], *args)


def packets(path):
    """(ns since the first, bytes) of a little-endian pcap file."""
    with open(path, "rb") as f:
        data = f.read()
    ns = 1 if struct.unpack_from("<I", data)[0] == 0xa1b23c4d else 1000
    at, out = 24, []
    while at < len(data):
        sec, part, caplen, _ = struct.unpack_from("<IIII", data, at)
        out.append((sec * 10**9 + part * ns, data[at + 16:at + 16 + caplen]))
        at += 16 + caplen
    return [(t - out[0][0], p) for t, p in out]


def inside(name, make):
    """What make() returns, called in that namespace. Sockets stay in the one that they were made in."""
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{name}", os.O_RDONLY)
    setns(there)
    try:
        return make()
    finally:
        setns(here)
        os.close(here)
        os.close(there)


class Wire:
    """Sends frames out of left0."""

    def __init__(self, pair):
        self.socket = inside(pair.names[0], self.open)

    @staticmethod
    def open():
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        wire.bind(("left0", 0))
        return wire

    def send(self, frames, gaps=False):
        started = time.monotonic_ns()
        for due, frame in frames:
            if gaps:
                late = started + due - time.monotonic_ns()
                if late > 0:
                    time.sleep(late / 1e9)
            self.socket.send(frame)


def setns(fd):
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, 0) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def said_into(path):
    """An empty file for what a process says. It shares our place in it, and so has to write to the end."""
    f = open(path, "a+b")
    f.truncate(0)
    return f


class Live:
    """A running capture of right0."""

    def __init__(self, pair, wmscope, *args, folder, env=None, iface="right0"):
        self.iface = iface
        self.err = said_into(os.path.join(folder, "stderr"))
        self.out = open(os.path.join(folder, "stdout"), "w+b")
        self.process = subprocess.Popen(
            pair.argv(pair.names[1], wmscope, "capture", "-v", "-i", iface, "--no-lists", *args),
            stdout=self.out, stderr=self.err, stdin=subprocess.DEVNULL, cwd=folder, env=env)
        pair.started.append(self.process)

    def said(self):
        self.err.seek(0)
        return self.err.read().decode()

    def ready(self):
        self.wait_for(lambda: self.iface + ": capturing" in self.said(), "start")
        return self

    def wait_for(self, what, name, seconds=15):
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, f"{name}: {self.said()}"
            assert self.process.poll() is None, f"{name}: it ended: {self.said()}"
            time.sleep(0.02)

    def ended_without_xdp(self):
        """Some kernels and builds have none: tests/live/test_xdp.sh says whether that is a failure."""
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            return False
        print(f"xdp is not tested: {self.said().strip()}")
        return True

    def status(self, key):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            return next(line.split()[1:] for line in f if line.startswith(key + ":"))

    def end(self, sig=None, seconds=20):
        if sig is not None:
            self.process.send_signal(sig)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"it does not end: {self.said()}") from None

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def close(self):
        self.out.close()
        self.err.close()


def events(path, but=()):
    with open(path, encoding="utf-8") as f:
        lines = [json.loads(line) for line in f]
    return [e for e in lines if e["event_type"] not in but]


def analyze(wmscope, files, *args):
    out = subprocess.run([wmscope, "analyze", "-q", "--no-lists", "--jsonl", "-", *args, *files],
                         stdout=subprocess.PIPE, check=False)
    return out.returncode, [json.loads(line) for line in out.stdout.splitlines()]


def counted(path):
    """Packets, comments of the section, and what the statistics say, of a pcapng file that is whole."""
    with open(path, "rb") as f:
        data = f.read()
    at, n, stats, comment = 0, 0, None, ""
    while at < len(data):
        kind, length = struct.unpack_from("=II", data, at)
        assert length >= 12 and at + length <= len(data), f"{path}: cut in a block"
        assert struct.unpack_from("=I", data, at + length - 4)[0] == length, path
        n += kind == 6
        if kind in (5, 0x0A0D0D0A):
            options, o = {}, at + (20 if kind == 5 else 24)
            while o < at + length - 4:
                code, size = struct.unpack_from("=HH", data, o)
                options[code] = data[o + 4:o + 4 + size]
                o += 4 + (size + 3) // 4 * 4
            if kind == 5:
                stats = {k: struct.unpack("=Q", options[c])[0]
                         for k, c in (("received", 4), ("dropped", 5))}
            comment = options.get(1, b"").decode() if kind != 5 else comment
        at += length
    return n, stats, comment


def times(path):
    """Of the packets, ns."""
    with open(path, "rb") as f:
        data = f.read()
    at, out = 0, []
    while at < len(data):
        kind, length = struct.unpack_from("=II", data, at)
        if kind == 6:
            high, low = struct.unpack_from("=II", data, at + 12)
            out.append(high << 32 | low)
        at += length
    return out


def blocks(path):
    with open(path, "rb") as f:
        data = f.read()
    at, out = 0, []
    while at < len(data):
        kind, length = struct.unpack_from("=II", data, at)
        if kind == 6:
            caplen, wire = struct.unpack_from("=II", data, at + 20)
            out.append((data[at + 28:at + 28 + caplen], wire))
        at += length
    return out
