# SPDX-License-Identifier: BSD-3-Clause
"""Captures in other forms, for tests: what another machine, card or tap would have written of the same packets.

A capture is a list of Frame. Each function takes one and gives another, and leaves the one alone.
"""
import collections
import random
import struct

Frame = collections.namedtuple("Frame", "ns data length link iface", defaults=(0,))

NULL, ETHERNET, RAW_OLD, RAW, LOOP, SLL, SLL2 = 0, 1, 12, 101, 108, 113, 276
MAGICS = {0xa1b2c3d4: 1000, 0xa1b23c4d: 1}
TAGS = (0x8100, 0x88a8)
TCP, UDP = 6, 17


# --- files

def read_pcap(data):
    order = "<" if struct.unpack("<I", data[:4])[0] in MAGICS else ">"
    unit = MAGICS[struct.unpack(order + "I", data[:4])[0]]
    link = struct.unpack(order + "I", data[20:24])[0] & 0xffff
    at, frames = 24, []
    while at + 16 <= len(data):
        seconds, part, caplen, length = struct.unpack(order + "IIII", data[at:at + 16])
        frames.append(Frame(seconds * 10**9 + part * unit, data[at + 16:at + 16 + caplen], length, link))
        at += 16 + caplen
    return frames


def resolution(options, order):
    at = 0
    while at + 4 <= len(options):
        code, size = struct.unpack(order + "HH", options[at:at + 4])
        if code == 9:
            value = options[at + 4]
            return 2**-(value & 0x7f) if value & 0x80 else 10.0**-value
        at += 4 + (size + 3) // 4 * 4
    return 1e-6


def read_pcapng(data):
    order, at, faces, frames = "<", 0, [], []
    while at + 12 <= len(data):
        kind = struct.unpack(order + "I", data[at:at + 4])[0]
        if kind == 0x0a0d0d0a:
            order = "<" if data[at + 8:at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            faces = []
        size = struct.unpack(order + "I", data[at + 4:at + 8])[0]
        body = data[at + 8:at + size - 4]
        if kind == 1:
            link, _, snap = struct.unpack(order + "HHI", body[:8])
            faces.append((link, resolution(body[8:], order)))
        elif kind == 6:
            face, high, low, caplen, length = struct.unpack(order + "IIIII", body[:20])
            link, unit = faces[face]
            frames.append(Frame(round((high << 32 | low) * unit * 10**9) if unit > 1e-9 else high << 32 | low,
                                body[20:20 + caplen], length, link, face))
        elif kind not in (0x0a0d0d0a, 4, 5, 10):
            return None
        at += size
    return frames


def read(path):
    """None: not a form that this reads."""
    with open(path, "rb") as f:
        data = f.read()
    if len(data) < 24:
        return None
    if data[:4] == b"\x0a\x0d\x0d\x0a":
        return read_pcapng(data)
    known = any(struct.unpack(o + "I", data[:4])[0] in MAGICS for o in "<>")
    return read_pcap(data) if known else None


def write(path, frames, order="<", unit=1):
    magic = {1: 0xa1b23c4d, 1000: 0xa1b2c3d4}[unit]
    out = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, frames[0].link if frames else 1)]
    for f in frames:
        out.append(struct.pack(order + "IIII", f.ns // 10**9, f.ns % 10**9 // unit, len(f.data), f.length))
        out.append(f.data)
    with open(path, "wb") as f:
        f.write(b"".join(out))


def write_pcapng(path, frames, order="<", faces=1):
    def block(kind, body):
        body += bytes(-len(body) % 4)
        size = struct.pack(order + "I", len(body) + 12)
        return struct.pack(order + "I", kind) + size + body + size

    out = [block(0x0a0d0d0a, struct.pack(order + "IHHq", 0x1a2b3c4d, 1, 0, -1))]
    links = sorted({f.link for f in frames}) or [1]
    for link in links * faces:
        out.append(block(1, struct.pack(order + "HHIHHBxxxHH", link, 0, 0, 9, 1, 9, 0, 0)))
    for i, f in enumerate(frames):
        face = links.index(f.link) + len(links) * (i % faces)
        out.append(block(6, struct.pack(order + "IIIII", face, f.ns >> 32, f.ns & 0xffffffff,
                                        len(f.data), f.length) + f.data))
    with open(path, "wb") as f:
        f.write(b"".join(out))


# --- packets

def ip_at(f):
    """Where the IP header begins; None without one."""
    d = f.data
    at = {RAW: 0, RAW_OLD: 0, NULL: 4, LOOP: 4, SLL: 16, SLL2: 20}.get(f.link)
    if f.link == ETHERNET:
        at = 12
        while len(d) >= at + 2 and struct.unpack(">H", d[at:at + 2])[0] in TAGS:
            at += 4
        if d[at:at + 2] not in (b"\x08\x00", b"\x86\xdd"):
            return None
        at += 2
    if at is None or len(d) < at + 20 or d[at] >> 4 not in (4, 6):
        return None
    return at if d[at] >> 4 == 4 or len(d) >= at + 40 else None


def transport(f):
    """(IP header at, protocol, transport header at), or None: no IP, or a fragment."""
    at = ip_at(f)
    if at is None:
        return None
    d = f.data
    if d[at] >> 4 == 6:
        return at, d[at + 6], at + 40
    if struct.unpack(">H", d[at + 6:at + 8])[0] & 0x3fff:
        return None
    return at, d[at + 9], at + (d[at] & 15) * 4


def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def whole(f):
    at = ip_at(f)
    if at is None:
        return False
    d = f.data
    size = struct.unpack(">H", d[at + 2:at + 4])[0] if d[at] >> 4 == 4 else \
        40 + struct.unpack(">H", d[at + 4:at + 6])[0]
    return len(d) >= at + size and f.length == len(d)


def summed(data, at, frame):
    """The checksums made right, the transport's only of a whole packet that had a right or no one."""
    d = bytearray(data)
    if d[at] >> 4 == 4:
        n = (d[at] & 15) * 4
        d[at + 10:at + 12] = b"\0\0"
        d[at + 10:at + 12] = struct.pack(">H", checksum(bytes(d[at:at + n])))
    return frame._replace(data=bytes(d))


def with_transport_sum(f):
    t = transport(f)
    if t is None or not whole(f) or t[1] not in (TCP, UDP):
        return f
    at, proto, head = t
    d = bytearray(f.data)
    v4 = d[at] >> 4 == 4
    end = at + (struct.unpack(">H", d[at + 2:at + 4])[0] if v4 else
                40 + struct.unpack(">H", d[at + 4:at + 6])[0])
    where = head + (16 if proto == TCP else 6)
    if end < where + 2 or (proto == UDP and d[where:where + 2] == b"\0\0"):
        return f
    d[where:where + 2] = b"\0\0"
    pseudo = bytes(d[at + 12:at + 20] if v4 else d[at + 8:at + 40]) + struct.pack(">II", end - head, proto)
    d[where:where + 2] = struct.pack(">H", checksum(pseudo + bytes(d[head:end])))
    return f._replace(data=bytes(d))


def ports(f):
    t = transport(f)
    if t is None or t[1] not in (TCP, UDP) or len(f.data) < t[2] + 4:
        return None
    return struct.unpack(">HH", f.data[t[2]:t[2] + 4])


def to_server(f):
    """By ports: the lower one is the server's."""
    p = ports(f)
    return p is not None and p[0] > p[1]


# --- what the machine writes down

def relinked(frames, link):
    """Of other link layers: raw IP, both BSD loopbacks, Linux' cooked ones, PPPoE, MPLS, two VLAN tags."""
    heads = {RAW: lambda v: b"", NULL: lambda v: struct.pack("<I", 2 if v == 4 else 30),
             LOOP: lambda v: struct.pack(">I", 2 if v == 4 else 30),
             SLL: lambda v: struct.pack(">HHH8sH", 0, 1, 6, b"\2\0\0\0\0\1", 0x800 if v == 4 else 0x86dd),
             SLL2: lambda v: struct.pack(">HHIHBB8s", 0x800 if v == 4 else 0x86dd, 0, 2, 1, 0, 6, b"\2\0\0\0\0\1"),
             ETHERNET: lambda v: b"\2\0\0\0\0\1\2\0\0\0\0\2" + (b"\x08\x00" if v == 4 else b"\x86\xdd"),
             "pppoe": lambda v: b"\2\0\0\0\0\1\2\0\0\0\0\2\x88\x64\x11\0\0\x07",
             "mpls": lambda v: b"\2\0\0\0\0\1\2\0\0\0\0\2\x88\x47\0\x01\x01\x40",
             "qinq": lambda v: b"\2\0\0\0\0\1\2\0\0\0\0\2\x88\xa8\0\x07\x81\0\0\x08" +
             (b"\x08\x00" if v == 4 else b"\x86\xdd")}
    out = []
    for f in frames:
        at = ip_at(f)
        if at is None or f.length > 65000:
            continue
        version, ip = f.data[at] >> 4, f.data[at:]
        head = heads[link](version)
        if link == "pppoe":
            head += struct.pack(">HH", f.length - at + 2, 0x21 if version == 4 else 0x57)
        out.append(f._replace(data=head + ip, length=f.length - at + len(head),
                              link=link if isinstance(link, int) else ETHERNET))
    return out


def tunnelled(frames, kind):
    """Inside IPv4 between two routers, of Ethernet."""
    out = []
    for f in frames:
        at = ip_at(f)
        if at is None or f.length > 65000:
            continue
        v4 = f.data[at] >> 4 == 4
        if kind == "gre":
            proto, inner = 47, b"\0\0\x08\0" if v4 else b"\0\0\x86\xdd"
        elif kind == "ip":
            proto, inner = 4 if v4 else 41, b""
        elif kind == "gtp":
            proto, teid = UDP, 1 + to_server(f)
            size = 8 + 8 + 8 + f.length - at
            inner = struct.pack(">HHHHBBHI", 2152, 2152, size, 0, 0x34, 255, size - 16, teid) + \
                b"\0\0\0\x85\1\0\x09\0"
        elif kind == "erspan":
            proto = 47
            inner = struct.pack(">HHIIQI", 0x1000, 0x22eb, 0, 0x20640005 + to_server(f), 0, 0)[:20] + \
                b"\2\0\0\0\0\1\2\0\0\0\0\2" + (b"\x08\x00" if v4 else b"\x86\xdd")
        elif kind == "geneve":
            proto = UDP
            size = 8 + 12 + f.length - at
            inner = struct.pack(">HHHHBBHII", 40000, 6081, size, 0, 1, 0, 0x800 if v4 else 0x86dd, 0x700,
                                0x01088100)
        else:
            proto = UDP
            size = 8 + 8 + 14 + f.length - at
            inner = struct.pack(">HHHHII", 40000, 4789, size, 0, 0x08000000, 0x700) + \
                b"\2\0\0\0\0\1\2\0\0\0\0\2" + (b"\x08\x00" if v4 else b"\x86\xdd")
        size = 20 + len(inner) + f.length - at
        ends = b"\xc6\x33\x64\x01\xc6\x33\x64\x02"
        ip = struct.pack(">BBHHHBBH", 0x45, 0, size, 0, 0, 64, proto, 0) + ends
        head = b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\x00" + ip
        data = head + inner + f.data[at:]
        out.append(summed(data, 14, f._replace(length=14 + size, link=ETHERNET)))
    return out


def snapped(frames, snap):
    return [f._replace(data=f.data[:snap]) for f in frames]


def coarse(frames, unit):
    return [f._replace(ns=f.ns // unit * unit) for f in frames]


def shifted(frames, ns):
    return [f._replace(ns=f.ns + ns) for f in frames]


def doubled(frames, after, change=lambda f: f):
    """Each frame once more, some time later."""
    both = [(f.ns, 0, f) for f in frames] + [(f.ns + after, 1, change(f)._replace(ns=f.ns + after)) for f in frames]
    return [f for _, _, f in sorted(both, key=lambda x: (x[0], x[1]))]


def lost(frames, share, seed):
    rng = random.Random(seed)
    return [f for f in frames if rng.random() >= share]


def lost_runs(frames, run, seed):
    """A reader that fell behind lacks runs of frames."""
    rng = random.Random(seed)
    out, at = [], 0
    while at < len(frames):
        keep = rng.randint(1, 4 * run)
        out += frames[at:at + keep]
        at += keep + run
    return out


def one_way(frames, server):
    return [f for f in frames if ports(f) is None or to_server(f) == server]


def queues(frames, wait):
    """Two receive queues, one read later than the other: frames in another order, with the times that they had."""
    keyed = [(f.ns + (0 if to_server(f) else wait), i, f) for i, f in enumerate(frames)]
    return [f for _, _, f in sorted(keyed, key=lambda x: x[:2])]


def swapped(frames, within, seed):
    """Neighbours in time change places, as packets of two queues that are stamped when they are read."""
    rng = random.Random(seed)
    out = list(frames)
    for i in range(len(out) - 1):
        if out[i + 1].ns - out[i].ns <= within and rng.random() < 0.5:
            a, b = out[i], out[i + 1]
            out[i], out[i + 1] = b._replace(ns=a.ns), a._replace(ns=b.ns)
    return out


def late(frames, wait):
    """What the server sends is stamped later, by a card that holds packets back (interrupt moderation)."""
    moved = [f._replace(ns=f.ns if to_server(f) else f.ns // wait * wait + wait) for f in frames]
    return sorted(moved, key=lambda f: f.ns)


# --- what other packets would have been there

def hops(frames, toward_server, toward_client):
    def nearer(f):
        at = ip_at(f)
        if at is None:
            return f
        n = toward_server if to_server(f) else toward_client
        d = bytearray(f.data)
        where = at + (8 if d[at] >> 4 == 4 else 7)
        if d[where] <= n:
            return f
        d[where] -= n
        return summed(bytes(d), at, f)
    return [nearer(f) for f in frames]


def unsummed(frames, value, which):
    """Checksums left to the card: whatever stands there, of TCP and UDP."""
    out = []
    for f in frames:
        t = transport(f)
        if t is not None and t[1] in (TCP, UDP) and which(f):
            where = t[2] + (16 if t[1] == TCP else 6)
            if len(f.data) >= where + 2:
                f = f._replace(data=f.data[:where] + value + f.data[where + 2:])
        out.append(f)
    return out


def readdressed(frames):
    """All addresses others, as behind a translator or after anonymisation."""
    out = []
    for f in frames:
        at = ip_at(f)
        if at is None:
            continue
        d = bytearray(f.data)
        for where in ((at + 13, at + 17) if d[at] >> 4 == 4 else (at + 11, at + 27)):
            d[where] ^= 1
        out.append(with_transport_sum(summed(bytes(d), at, f)))
    return out


def mergeable(a, b):
    """Whether a receiving card would make one frame of both: b goes on where a ends."""
    x, y = transport(a), transport(b)
    if x is None or y is None or x[1] != TCP or y[1] != TCP or not whole(a) or not whole(b):
        return None
    if a.data[x[0]] != 0x45 or b.data[y[0]] != 0x45 or b.ns - a.ns > 500000:
        return None
    da, db = a.data, b.data
    hx, hy = x[2], y[2]
    if da[x[0] + 12:hx + 4] != db[y[0] + 12:hy + 4] or da[hx + 8:hx + 12] != db[hy + 8:hy + 12]:
        return None
    flags = (da[hx + 13], db[hy + 13])
    ends = [at + struct.unpack(">H", d[at + 2:at + 4])[0] for d, at in ((da, x[0]), (db, y[0]))]
    heads = [h + (d[h + 12] >> 4) * 4 for d, h in ((da, hx), (db, hy))]
    sizes = [e - h for e, h in zip(ends, heads)]
    seqs = [struct.unpack(">I", d[h + 4:h + 8])[0] for d, h in ((da, hx), (db, hy))]
    plain = all(fl & ~0x18 == 0 and fl & 0x10 for fl in flags) and flags[0] & 8 == 0
    if not plain or min(sizes) <= 0 or sum(sizes) > 60000 or (seqs[0] + sizes[0]) & 0xffffffff != seqs[1]:
        return None
    return da[:ends[0]] + db[heads[1]:ends[1]], flags[1]


def merged(frames):
    """Segments joined by the card or not yet cut by it."""
    out = []
    for f in frames:
        made = mergeable(out[-1], f) if out else None
        if made is None:
            out.append(f)
            continue
        data, flags = made
        at, _, head = transport(out[-1])
        d = bytearray(data)
        d[at + 2:at + 4] = struct.pack(">H", len(d) - at)
        d[head + 13] |= flags
        f = out[-1]._replace(data=bytes(d), length=len(d))
        out[-1] = with_transport_sum(summed(bytes(d), at, f))
    return out


def without_handshake(frames):
    def shakes(f):
        t = transport(f)
        return t is not None and t[1] == TCP and len(f.data) > t[2] + 13 and f.data[t[2] + 13] & 2
    return [f for f in frames if not shakes(f)]
