# SPDX-License-Identifier: BSD-3-Clause
"""Just enough reading and writing of captures for the lab's ground truth: classic pcap in both
precisions, Ethernet and SLL2, IPv4 and IPv6 without fragments."""
import socket
import struct

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
ETHERNET, SLL2 = 1, 276
TCP, UDP, ICMP, ICMP6, GRE = 6, 17, 1, 58, 47


class Frame:
    """One frame. Fields that it does not have are 0, b"" or None."""
    number = ts = iface = ttl = ipid = proto = sport = dport = 0
    seq = ack = flags = window = paylen = 0
    src = dst = ""
    options = payload = quoted = b""
    fate = None             # set by truth.py: "forged", "dropped", "icmp"
    origin = None           # set by truth.py: the frame that left its sender
    flow = None             # set by tunneltruth.py: of GRE, the connection that controls it
    copy = False            # set by truth.py: seen before on another interface of the same capture

    @property
    def pair(self):
        return (self.src, self.sport), (self.dst, self.dport)

    @property
    def end(self):
        """the sequence number after this segment"""
        return self.seq + self.paylen + bool(self.flags & SYN) + bool(self.flags & FIN)

    def key(self):
        """What no router on the way changes: the same packet has the same key everywhere. (The
        options of a SYN are what routers do change.)"""
        return (self.src, self.dst, self.proto, self.sport, self.dport, self.ipid, self.seq,
                self.ack, self.flags, self.window, b"" if self.flags & SYN else self.options,
                self.paylen, self.payload)


def transport(frame, data, length):
    """data: what was captured after the IP header; length: how much there was"""
    frame.payload, frame.paylen = data, length
    if frame.proto == TCP and len(data) >= 20:
        (frame.sport, frame.dport, frame.seq, frame.ack, flags,
         frame.window) = struct.unpack_from("!HHIIHH", data)
        head = (flags >> 12) * 4
        frame.flags = flags & 0xfff
        frame.options, frame.payload = data[20:head], data[head:length]
        frame.paylen = length - head
    elif frame.proto == UDP and len(data) >= 8:
        frame.sport, frame.dport = struct.unpack_from("!HH", data)
        frame.payload = data[8:length]
    elif frame.proto == ICMP and len(data) >= 8 and data[0] in (3, 11):
        frame.quoted = data[8:]
    elif frame.proto == ICMP6 and len(data) >= 8 and data[0] in (1, 2, 3):
        frame.quoted = data[8:]


def network(frame, data):
    if not data:
        return
    if data[0] >> 4 == 4 and len(data) >= 20:
        head = (data[0] & 15) * 4
        total, frame.ipid = struct.unpack_from("!HH", data, 2)
        frame.ttl, frame.proto = data[8], data[9]
        frame.src, frame.dst = (socket.inet_ntop(socket.AF_INET, data[i:i + 4]) for i in (12, 16))
        transport(frame, data[head:total], total - head)
    elif data[0] >> 4 == 6 and len(data) >= 40:
        total, frame.proto, frame.ttl = struct.unpack_from("!HBB", data, 4)
        frame.src, frame.dst = (socket.inet_ntop(socket.AF_INET6, data[i:i + 16]) for i in (8, 24))
        transport(frame, data[40:40 + total], total)


def quoted_packet(frame):
    """the packet that an ICMP error quotes, as far as it does"""
    inner = Frame()
    network(inner, frame.quoted)
    if not inner.sport and len(frame.quoted) >= 28 and inner.proto == TCP:
        inner.sport, inner.dport = struct.unpack_from("!HH", frame.quoted, 20)
    return inner


def read(path):
    """→ (linktype, frames in the file's order, the raw header and records)"""
    with open(path, "rb") as file:
        data = file.read()
    magic = struct.unpack_from("<I", data)[0]
    unit = {0xa1b2c3d4: 1000, 0xa1b23c4d: 1}[magic]
    linktype = struct.unpack_from("<I", data, 20)[0]
    frames, records, at = [], [data[:24]], 24
    while at + 16 <= len(data):
        sec, frac, caplen, _ = struct.unpack_from("<IIII", data, at)
        body = data[at + 16:at + 16 + caplen]
        frame = Frame()
        frame.number, frame.ts = len(frames) + 1, sec * 10**9 + frac * unit
        if linktype == ETHERNET and body[12:14] in (b"\x08\x00", b"\x86\xdd"):
            network(frame, body[14:])
        elif linktype == SLL2 and body[:2] in (b"\x08\x00", b"\x86\xdd"):
            frame.iface = struct.unpack_from("!I", body, 4)[0]
            network(frame, body[20:])
        frames.append(frame)
        records.append(data[at:at + 16 + caplen])
        at += 16 + caplen
    return linktype, frames, records


def write(path, records, keep, snap=None):
    """records as read() gave them; keep: the frame numbers wanted; snap: bytes to keep of each"""
    with open(path, "wb") as file:
        head = records[0]
        file.write(head if snap is None else head[:16] + struct.pack("<I", snap) + head[20:])
        for number in keep:
            record = records[number]
            if snap is not None and len(record) > 16 + snap:
                sec, frac, _, length = struct.unpack_from("<IIII", record)
                record = struct.pack("<IIII", sec, frac, snap, length) + record[16:16 + snap]
            file.write(record)
