# SPDX-License-Identifier: BSD-3-Clause
"""What a box does with raw sockets: watch an interface, and send packets in somebody else's name.

Only for the lab's own namespaces: the addresses are documentation addresses and leave no machine.
"""
import heapq
import ipaddress
import socket
import struct
import time

import capture
from capture import TCP, UDP

SOL_PACKET, PACKET_IGNORE_OUTGOING = 263, 23
DONT_FRAGMENT = 0x4000


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def datagram(sport, dport, payload):
    return struct.pack("!4H", sport, dport, 8 + len(payload), 0) + payload


def segment(sport, dport, seq, ack, flags, window=65535, options=b"", payload=b""):
    options += b"\x01" * (-len(options) % 4)
    offset = (20 + len(options)) // 4 << 12
    return struct.pack("!HHIIHHHH", sport, dport, seq % 2**32, ack % 2**32, offset | flags, window,
                       0, 0) + options + payload


def packet(src, dst, proto, body, ttl=64, ipid=0, df=True):
    """an IP packet whose TCP or UDP checksum is right; body: transport header and payload"""
    one, two = (ipaddress.ip_address(a).packed for a in (src, dst))
    total = checksum(one + two + struct.pack("!II", len(body), proto) + body)
    at = {TCP: 16, UDP: 6}.get(proto)
    if at is not None:
        body = body[:at] + struct.pack("!H", total or 0xffff) + body[at + 2:]
    if len(one) == 16:
        return struct.pack("!IHBB", 6 << 28, len(body), proto, ttl) + one + two + body
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), ipid, DONT_FRAGMENT if df else 0, ttl,
                       proto, 0) + one + two
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


class Sender:
    """Sends packets, now or a little later; they take the routes of this namespace."""

    def __init__(self):
        self.v4 = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.v6 = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.queue, self.order = [], 0

    def send(self, raw, wait=0.0):
        self.order += 1
        heapq.heappush(self.queue, (time.monotonic() + wait, self.order, raw))

    def flush(self):
        """sends what is due; → seconds until more is, None: nothing waits"""
        while self.queue:
            left = self.queue[0][0] - time.monotonic()
            if left > 0:
                return left
            raw = heapq.heappop(self.queue)[2]
            if raw[0] >> 4 == 4:
                self.v4.sendto(raw, (socket.inet_ntop(socket.AF_INET, raw[16:20]), 0))
            else:
                self.v6.sendto(raw, (socket.inet_ntop(socket.AF_INET6, raw[24:40]), 0))
        return None


def watch(iface, seen):
    """calls seen(frame, sender) for every IP packet that comes in there; never returns"""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    sock.bind((iface, 0))
    sender = Sender()
    print("ready", flush=True)
    while True:
        sock.settimeout(sender.flush())
        try:
            data = sock.recv(65536)
        except (socket.timeout, BlockingIOError):
            continue
        frame = capture.Frame()
        if data[12:14] in (b"\x08\x00", b"\x86\xdd"):
            capture.network(frame, data[14:])
            seen(frame, sender)
