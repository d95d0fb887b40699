#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What tests of `wmscope audit` share: a tester with two ports, and a box between them, in namespaces.

    tester c0 --- bc box bs --- s0 tester

The box is a bridge, or a router for two networks, with what a test tells its kernel to do.
"""
import heapq
import json
import os
import select
import shutil
import socket
import subprocess
import threading
import time

from capturing import end_by_exception, inside, skip, watch_over

try:
    import jsonschema
except ImportError:
    jsonschema = None

CLIENTS, SERVERS = "192.0.2.0/24", "203.0.113.0/24"


class Bench:
    def __init__(self, tag=""):
        self.tester, self.box = (f"wma{os.getpid()}{tag}{side}" for side in "tb")
        self.watch = None

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
        for tool in ("ip", "ethtool", "nsenter", "iptables", "nft"):
            if shutil.which(tool) is None:
                skip("netns", f"{tool} is not installed")
        self.watch = watch_over((self.tester, self.box))
        for name in self.tester, self.box:
            if subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode != 0:
                skip("netns", "network namespaces cannot be made here")
            self.run(name, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1",
                     "net.ipv6.conf.all.disable_ipv6=1", "net.ipv4.ip_forward=1",
                     "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0",
                     "net.ipv4.conf.all.send_redirects=0")
        for port, other in (("c0", "bc"), ("s0", "bs")):
            subprocess.run(["ip", "link", "add", port, "netns", self.tester, "type", "veth", "peer",
                            "name", other, "netns", self.box], check=True)
            for name, link in (self.tester, port), (self.box, other):
                self.run(name, "ethtool", "-K", link, "tx", "off", "rx", "off", "tso", "off",
                         "gso", "off", "gro", "off")
                self.run(name, "ip", "link", "set", link, "up")

    def __exit__(self, *_):
        if self.watch is not None:
            self.watch.communicate()

    def argv(self, name, *args):
        return ["nsenter", f"--net=/run/netns/{name}", *args]

    def run(self, name, *args):
        subprocess.run(self.argv(name, *args), check=True, stdout=subprocess.DEVNULL)

    def tell(self, *args):
        """A command in the box; what the kernel has not is a reason to skip."""
        done = subprocess.run(self.argv(self.box, *args), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            skip("netns", f"the box's kernel does not take: {' '.join(args)}: {done.stderr.strip()}")

    def mac(self, name, link):
        out = subprocess.run(["ip", "-n", name, "-j", "link", "show", link], check=True,
                             capture_output=True, text=True)
        return json.loads(out.stdout)[0]["address"]

    def bridge(self):
        self.tell("ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
        for link in "bc", "bs":
            self.tell("ip", "link", "set", link, "master", "br0")
        self.tell("ip", "link", "set", "br0", "up")

    def unbridge(self):
        self.tell("ip", "link", "del", "br0")

    def router(self, clients, servers):
        """Routes to single hosts, whose link addresses are the tester's ports. The options for audit."""
        for hosts, link, port in ((clients, "bc", "c0"), (servers, "bs", "s0")):
            mac = self.mac(self.tester, port)
            self.tell("ip", "addr", "add", "169.254.1.1/32", "dev", link)
            for host in hosts:
                self.tell("ip", "route", "replace", host, "dev", link)
                self.tell("ip", "neigh", "replace", host, "lladdr", mac, "dev", link)
        return ["--dst-mac", f"{self.mac(self.box, 'bc')},{self.mac(self.box, 'bs')}"]

    def clear(self):
        for table in "filter", "mangle", "nat":
            self.tell("iptables", "-t", table, "-F")

    def audit(self, wmscope, *args, **kwargs):
        """(exit status, events of --jsonl, text on stderr)"""
        done = subprocess.run(self.argv(self.tester, wmscope, "audit", *args), check=False, text=True,
                              capture_output=True, stdin=subprocess.DEVNULL, timeout=100, **kwargs)
        return done.returncode, done.stdout, done.stderr


class Forwarder:
    """A box in user space: edit(frame, to_server) gives [(seconds later, to_server, frame)...]."""

    def __init__(self, bench, edit):
        self.edit, self.late, self.stop = edit, [], False
        self.links = [inside(bench.box, lambda link=link: self.open(link)) for link in ("bc", "bs")]
        self.thread = threading.Thread(target=self.run)

    @staticmethod
    def open(link):
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        wire.setsockopt(263, 23, 1)  # SOL_PACKET, PACKET_IGNORE_OUTGOING
        wire.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
        wire.bind((link, 3))  # ETH_P_ALL
        return wire

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop = True
        self.thread.join()
        for link in self.links:
            link.close()

    def run(self):
        n = 0
        while not self.stop:
            ready, _, _ = select.select(self.links, [], [], 0.002)
            for link in ready:
                frame = link.recv(65536)
                up = link is self.links[0]
                for after, to_server, out in self.edit(frame, up):
                    n += 1
                    heapq.heappush(self.late, (time.monotonic() + after, n, to_server, out))
            while self.late and self.late[0][0] <= time.monotonic():
                _, _, to_server, out = heapq.heappop(self.late)
                self.links[to_server].send(out)


def lines(text, root):
    """The events, which are as tools/schema.json says, where somebody is here to tell."""
    events = [json.loads(line) for line in text.splitlines()]
    if jsonschema is not None:
        with open(root + "/tools/schema.json", encoding="utf-8") as f:
            validator = jsonschema.Draft202012Validator(json.load(f))
        for event in events:
            validator.validate(event)
    return events
