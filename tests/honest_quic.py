#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Honest QUIC over bad networks accuses nobody: honest_quic.py WMSCOPE [SEED [CAPTURES]]

Clients that race TCP and give up, that shuffle and split their hellos, migrate, sleep and come back with another
address; servers that are down, overloaded, without HTTP/3 or turn it off, that want a Retry or another version,
and balancers that close for them. By catalogue section 10 an unanswered Initial is a D1, whoever did not answer,
and what ends a handshake from another distance is only told: at most inconclusive. Where a server answers some tries
and others not, that falls on one name at times, or on one hour (QUIC-SNI, QUIC-RES): an anomaly. Exit 77: no
cryptography.
"""
import hashlib
import hmac
import sys

import honest_world as world
from honest_world import Scene

try:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
except ImportError:
    AESGCM = None

V1, V2, GREASE = b"\0\0\0\1", b"\x6b\x33\x43\xcf", b"\x1a\x2a\x3a\x4a"
SALTS = {V1: bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"),      # RFC 9001, section 5.2
         V2: bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9")}      # RFC 9369, section 3.3.1
SALTS[GREASE] = SALTS[V1]
LABELS = {V1: b"quic ", V2: b"quicv2 ", GREASE: b"quic "}
INITIAL = {V1: 0, V2: 1, GREASE: 0}
RETRY = {V1: 3, V2: 0, GREASE: 3}
PADDED = 1200


def derive(secret, label, size):
    """HKDF-Expand-Label of RFC 8446, section 7.1; one block is enough here."""
    label = b"tls13 " + label
    info = size.to_bytes(2, "big") + bytes([len(label)]) + label + b"\0"
    return hmac.new(secret, info + b"\1", hashlib.sha256).digest()[:size]


def varint(n):
    return (0x4000 | n).to_bytes(2, "big")


def long_header(kind, version, dcid, scid):
    return bytes([0xc0 | kind << 4 | 1]) + version + bytes([len(dcid)]) + dcid + bytes([len(scid)]) + scid


def initial(version, keyed, ids, number, frames, server=False, token=b"", pad=PADDED):
    """A sealed Initial; keyed: the connection ID that the keys come from; ids: destination, source."""
    secret = hmac.new(SALTS[version], keyed, hashlib.sha256).digest()
    secret = derive(secret, b"server in" if server else b"client in", 32)
    label = LABELS[version]
    key, iv, hp = (derive(secret, label + what, size) for what, size in ((b"key", 16), (b"iv", 12), (b"hp", 16)))
    head = long_header(INITIAL[version], version, *ids)
    head += b"" if server else varint(len(token))
    head += b"\0" if server else token
    frames += bytes(max(0, pad - len(head) - 4 - 16 - len(frames)))
    head += varint(len(frames) + 2 + 16)
    at = len(head)
    pn = number.to_bytes(2, "big")
    nonce = (int.from_bytes(iv, "big") ^ number).to_bytes(12, "big")
    sealed = AESGCM(key).encrypt(nonce, frames, head + pn)
    out = bytearray(head + pn + sealed)
    mask = Cipher(algorithms.AES(hp), modes.ECB()).encryptor().update(bytes(out[at + 4:at + 20]))
    out[0] ^= mask[0] & 0x0f
    out[at] ^= mask[1]
    out[at + 1] ^= mask[2]
    return bytes(out)


def hello(name, rng, size):
    name = name.encode()
    sni = b"\0\0" + (len(name) + 5).to_bytes(2, "big") + (len(name) + 3).to_bytes(2, "big") + b"\0" + \
        len(name).to_bytes(2, "big") + name
    alpn = b"\0\x10\0\5\0\3\2h3"
    extensions = sni + alpn + b"\0\x15" + size.to_bytes(2, "big") + bytes(size)
    body = b"\3\3" + rng.randbytes(32) + b"\0\0\2\x13\1\1\0" + len(extensions).to_bytes(2, "big") + extensions
    return b"\1" + len(body).to_bytes(3, "big") + body


def crypto(offset, data):
    return b"\6" + varint(offset) + varint(len(data)) + data


class Server:
    def __init__(self, rng, address):
        self.address, self.port = address, 443
        self.stack, self.hops = world.Stack(rng), rng.randint(2, 18)
        self.delay = rng.choice((0.002, 0.02, 0.1))
        self.names = [f"n{rng.randrange(1000)}.shop.com" for _ in range(3)]


class Client:
    def __init__(self, rng, address, place, missing):
        self.rng, self.address, self.place, self.missing = rng, address, place, missing
        self.stack, self.hops = world.Stack(rng), rng.randint(0, 6)
        self.loss, self.twice = rng.choice((0, 0, 0.03, 0.2)), rng.choice((0, 0, 0.02, 0.2))
        self.jitter = rng.choice((0, 0.0003, 0.03))
        self.now, self.frames = rng.random() * 100, []
        self.port = rng.randrange(1024, 60000)
        self.shuffles = rng.random() < 0.5
        self.tries = rng.choice((1, 2, 3, 6))

    def carry(self, up, server, data, ours=None, stack=None, hops=0):
        """One datagram; whether it came. Captured as far as it went."""
        rng = self.rng
        before = self.place if up else 1 - self.place
        sender = stack or (self.stack if up else server.stack)
        ttl, ident, df = sender.stamp()
        away = self.hops * (self.place > 0) if up else (hops or server.hops) * (self.place < 1)
        ends, ports = (self.address, server.address), (ours or self.port, server.port)
        came = False
        for _ in range(2 if rng.random() < self.twice else 1):
            if rng.random() < self.loss * before:
                continue
            at = self.now + server.delay * before + rng.random() * self.jitter
            if rng.random() >= self.missing:
                self.frames.append(world.udp(at, ends if up else ends[::-1], ports if up else ports[::-1],
                                             (ttl - away, ident, df), data))
            came |= rng.random() >= self.loss * (1 - before)
        self.now += 0.00005
        return came

    def wait(self, seconds):
        self.now += seconds

    def flight(self, name, version, keyed, ids, token=b"", number=0):
        """The datagrams of a hello: one or two, its parts in any order."""
        rng = self.rng
        data = hello(name, rng, rng.choice((100, 1500)))
        cuts = sorted({0, len(data), *(rng.randrange(1, len(data)) for _ in range(3 * self.shuffles))})
        cuts = sorted({*cuts, *range(0, len(data), 900)})
        parts = [crypto(a, data[a:b]) for a, b in zip(cuts, cuts[1:])]
        if self.shuffles:
            rng.shuffle(parts)
        out, frames = [], b""
        for part in parts:
            if len(frames) + len(part) > 1100:
                out.append(frames)
                frames = b""
            frames += part + b"\1" * (rng.random() < 0.2)
        return [initial(version, keyed, ids, number + i, f, token=token) for i, f in enumerate([*out, frames])]

    def connect(self, server, name, version=V1, answers=True, extra=None):
        """Until answered or tired; extra(number of the try, client's ids) sends what comes instead of an answer."""
        rng = self.rng
        self.port = 1024 + (self.port + rng.randrange(1, 700)) % 60000
        dcid, scid, theirs = rng.randbytes(8), rng.randbytes(rng.choice((0, 8))), rng.randbytes(8)
        keyed, token = dcid, b""
        for number in range(self.tries if not answers and extra is None else 7):
            came = [self.carry(True, server, d) for d in self.flight(name, version, keyed, (dcid, scid), token, 2 * number)]
            if rng.random() < 0.1:
                self.carry(True, server, long_header(1, version, dcid, scid) + varint(300) + rng.randbytes(300))
            self.wait(2 * server.delay)
            if extra is not None:
                again = extra(number, (dcid, scid))
                if again == "stop":
                    return False
                if again is not None:
                    version, keyed, dcid, token = again
                    continue
            if answers and all(came) and self.carry(False, server, initial(
                    version, keyed, (scid, theirs), 0, b"\2\0\0\0\0" + crypto(0, rng.randbytes(90)), True)):
                for _ in range(3):
                    self.carry(False, server, long_header(2, version, scid, theirs) + varint(900) + rng.randbytes(900))
                self.talk(server, theirs, scid)
                return True
            self.wait(0.3 * 2**number * rng.choice((1, 1, 3)))
        return False

    def talk(self, server, theirs, mine, turns=4):
        for _ in range(turns):
            self.carry(True, server, bytes([0x40 | self.rng.randrange(64)]) + theirs + self.rng.randbytes(40))
            self.wait(2 * server.delay)
            self.carry(False, server, bytes([0x40 | self.rng.randrange(64)]) + mine + self.rng.randbytes(900))


def healthy(c, server):
    for _ in range(c.rng.choice((1, 8))):
        c.connect(server, c.rng.choice(server.names), c.rng.choice((V1, V1, V2)))
        c.wait(c.rng.choice((0.01, 5, 60)))


def raced_by_tcp(c, server):
    """The client gives up at once since TCP came first; a path that is a little slower for one name."""
    for _ in range(6):
        c.tries = 1
        c.connect(server, c.rng.choice(server.names), answers=c.rng.random() < 0.4)
        c.wait(c.rng.choice((1, 30)))


def without_http3(c, server):
    port = c.rng.choice((443, 8443))
    dead = Server(c.rng, server.address.rsplit(".", 1)[0] + ".250")
    dead.port = port
    for _ in range(8):
        c.connect(dead, c.rng.choice(dead.names), answers=False)
        c.wait(c.rng.choice((1, 20)))


def turned_off(c, server):
    """For a while it answered all names, and then none."""
    own = Server(c.rng, server.address.rsplit(".", 1)[0] + f".{c.rng.randrange(150, 240)}")
    for i in range(12):
        c.connect(own, own.names[i % 3], answers=i < 6)
        c.wait(c.rng.choice((1, 15)))


def overloaded(c, server):
    own = Server(c.rng, server.address.rsplit(".", 1)[0] + f".{c.rng.randrange(100, 150)}")
    for _ in range(15):
        c.connect(own, c.rng.choice(own.names), answers=c.rng.random() < 0.5)
        c.wait(c.rng.choice((1, 15)))


def udp_refused(c, server):
    """The client's own network lets no UDP out: nothing of it is answered."""
    for i in range(6):
        lost = Server(c.rng, f"23.1.{c.rng.randrange(250)}.{i + 1}")
        c.connect(lost, c.rng.choice(lost.names), answers=False)


def wants_retry(c, server):
    def extra(number, ids):
        if number:
            return None
        cid = c.rng.randbytes(8)
        token = c.rng.randbytes(40)
        if not c.carry(False, server, long_header(RETRY[V1], V1, ids[1], cid) + token + c.rng.randbytes(16)):
            return None
        return V1, cid, cid, token
    for _ in range(4):
        c.connect(server, c.rng.choice(server.names), extra=extra)


def wants_another_version(c, server):
    def extra(number, ids):
        if number:
            return None
        negotiation = bytes([0x80 | c.rng.randrange(128)]) + bytes(4) + bytes([len(ids[1])]) + ids[1] + \
            bytes([len(ids[0])]) + ids[0] + V1 + V2
        if not c.carry(False, server, negotiation):
            return None
        cid = c.rng.randbytes(8)
        return V1, cid, cid, b""
    for _ in range(4):
        c.connect(server, c.rng.choice(server.names), GREASE, extra=extra)


def closed_by_a_balancer(c, server):
    """CONNECTION_CLOSE of a machine that stands before the servers, for a name it does not know."""
    box, hops = world.Stack(c.rng), c.rng.randint(1, 18)

    def extra(number, ids):
        frames = b"\x1c\x41\x70\0\0"    # a TLS alert, unrecognized_name
        said = initial(V1, ids[0], (ids[1], b"\1" * 8), 0, frames, True)
        return "stop" if c.carry(False, server, said, stack=box, hops=hops) else None
    c.connect(server, c.rng.choice(server.names))
    for _ in range(4):
        c.connect(server, "unknown.shop.com", answers=False, extra=extra)
        c.connect(server, c.rng.choice(server.names))


def migrates(c, server):
    """The NAT or the client takes another port in the middle; and after a pause nobody knows the connection."""
    c.connect(server, c.rng.choice(server.names))
    mine, theirs = c.rng.randbytes(8), c.rng.randbytes(8)
    c.port = c.rng.randrange(1024, 60000)
    c.talk(server, theirs, mine)
    c.wait(c.rng.choice((5, 90)))
    for _ in range(6):
        c.carry(True, server, b"\x41" + theirs + c.rng.randbytes(30))
        c.wait(0.5)
    c.connect(server, c.rng.choice(server.names))


SCENES = (healthy, healthy, raced_by_tcp, without_http3, turned_off, overloaded, udp_refused, wants_retry,
          wants_another_version, closed_by_a_balancer, migrates)


def stage(rng):
    place, missing = rng.choice((0, 0, 0, 1, 0.5)), rng.choice((0, 0, 0.03, 0.3))
    servers = [Server(rng, f"151.101.{i}.1") for i in range(3)]
    frames, cast = [], {}
    for i in range(rng.choice((1, 4, 20))):
        client = Client(rng, f"192.168.{i}.7", place, missing)
        play = rng.choice(SCENES)
        play(client, rng.choice(servers))
        frames += client.frames
        now_and_then = play in (raced_by_tcp, overloaded, closed_by_a_balancer)
        most = "anomaly" if now_and_then else "inconclusive"
        if play == closed_by_a_balancer and missing > 0.1:
            most = "likely"     # a capture that lacks the answers to one name shows a silence
        cast[client.address] = Scene(play.__name__, most)
    return frames, cast


if __name__ == "__main__":
    if AESGCM is None:
        print("skipped: no python3-cryptography")
        sys.exit(77)
    sys.exit(world.main(stage))
