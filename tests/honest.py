#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Connections between honest hosts over bad networks accuse nobody: honest.py WMSCOPE [SEED [CAPTURES]]

Two TCP ends, a path that loses, doubles, delays and swaps packets, and a capture anywhere on it that may lack
some or show all twice. The ends close, abort, crash, refuse what comes late, use their ports again and evade boxes
that are not there, each with the stamps of some operating system. No third party is there: nothing may reach
likely, and few connections an anomaly.
"""
import heapq
import random
import sys

import capture_forms as forms
import honest_world as world
from honest_world import ACK, FIN, PSH, RST, SYN, Scene, Stack

SERVER = 0xcb007100
MSS = 1448


class End:
    def __init__(self, net, who, stack, isn, timestamps):
        self.net, self.who, self.stack, self.ts = net, who, stack, timestamps
        self.isn, self.nxt, self.una, self.rcv = isn, isn, isn, None
        self.out = {}                 # seq: payload, of what was not acknowledged
        self.ahead = {}               # seq: length, of what came before its turn
        self.open = self.dead = self.fin = self.aborted = False
        self.then = []                # what to do on the next data of the other side
        self.tries = 0

    def send(self, flags, payload=b"", seq=None):
        seq = self.nxt if seq is None else seq
        bare = flags & RST and not flags & ACK
        self.net.put(self.who, self.stack, flags, seq, 0 if bare or not flags & ACK else self.rcv, payload,
                     self.ts and not flags & RST)

    def push(self, data):
        if self.dead:
            return
        for at in range(0, len(data), MSS):
            part = data[at:at + MSS]
            last = at + MSS >= len(data)
            self.out[self.nxt] = (PSH | ACK if last else ACK, part)
            self.send(PSH | ACK if last else ACK, part)
            self.nxt = (self.nxt + len(part)) & 0xffffffff
        self.net.later(self.net.rto, self.resend)

    def close(self):
        if self.dead or self.fin:
            return
        self.fin = True
        self.out[self.nxt] = (FIN | ACK, b"")
        self.send(FIN | ACK)
        self.nxt = (self.nxt + 1) & 0xffffffff
        self.net.later(self.net.rto, self.resend)

    def abort(self, bare=False):
        if not self.dead:
            self.send(RST if bare else RST | ACK)
            self.dead = self.aborted = True

    def resend(self):
        if self.dead or not self.out or self.tries > 5:
            return
        self.tries += 1
        seq = next(iter(self.out))
        flags, part = self.out[seq]
        self.send(flags, part, seq)
        self.net.later(self.net.rto * 2**self.tries, self.resend)

    def refuse(self, flags, seq, ack, size):
        if flags & RST:
            return
        if flags & ACK and not (self.stack.refusal_acks and self.aborted):
            self.net.put(self.who, self.stack, RST, ack, 0, b"", False)
        else:
            kept, self.rcv = self.rcv, (seq + size) & 0xffffffff
            self.send(RST | ACK, b"", ack if flags & ACK else 0)
            self.rcv = kept

    def receive(self, flags, seq, ack, size):
        length = size + bool(flags & SYN) + bool(flags & FIN)
        if self.dead:
            return self.refuse(flags, seq, ack, length)
        if flags & RST:
            self.dead = True
            return None
        if flags & SYN:
            return self.shake(flags, seq, ack)
        if flags & ACK:
            self.acked(ack)
        if length and self.rcv is not None:
            before = self.rcv
            self.take(seq, length)
            self.send(ACK)
            if size and self.rcv != before and self.then:
                self.then.pop(0)()
        return None

    def take(self, seq, length):
        self.ahead[seq] = length
        while any((self.rcv - s) & 0xffffffff < 1 << 31 for s in self.ahead):
            s = next(s for s in self.ahead if (self.rcv - s) & 0xffffffff < 1 << 31)
            end = (s + self.ahead.pop(s)) & 0xffffffff
            if (end - self.rcv) & 0xffffffff < 1 << 31:
                self.rcv = end

    def acked(self, ack):
        for seq in [s for s, (fl, p) in self.out.items()
                    if (ack - s - len(p) - bool(fl & (FIN | SYN))) & 0xffffffff < 1 << 31]:
            del self.out[seq]
            self.tries = 0

    def shake(self, flags, seq, ack):
        if self.rcv is None:    # what comes twice is only answered twice
            self.rcv = (seq + 1) & 0xffffffff
        if flags & ACK:
            self.acked(ack)
            self.send(ACK)
            if not self.open:
                self.open = True
                self.net.started()
        else:
            self.out[self.isn] = (SYN | ACK, b"")
            self.send(SYN | ACK, b"", self.isn)
            self.nxt = (self.isn + 1) & 0xffffffff
            self.net.later(self.net.rto, self.resend)


class Path:
    """Between both ends of one connection, with the capture on it."""

    def __init__(self, rng, port, place, missing, jitters=(0, 0, 0.0001, 0.003)):
        self.rng, self.place, self.missing = rng, place, missing
        self.delay = rng.choice((0.0005, 0.005, 0.02, 0.08))
        self.jitter = rng.choice(jitters)
        self.loss, self.twice = rng.choice((0, 0, 0.02, 0.1)), rng.choice((0, 0, 0, 0.03))
        self.rto = 0.2 + 3 * self.delay
        self.hops = (rng.randint(0, 12), rng.randint(1, 12))
        self.port, self.now, self.queue, self.n = port, rng.random() * 20, [], 0
        self.evades, self.sabotage, self.swallows = 0, None, False
        self.frames, self.ends, self.last = [], {}, {True: 0, False: 0}
        self.client = 0xc0000200 + rng.randrange(1, 200)
        self.server = SERVER + rng.randrange(1, 40)
        self.server_port = rng.choice((80, 443, 22))
        self.timestamps = rng.random() < 0.7
        self.stacks = {True: Stack(rng), False: Stack(random.Random(self.server))}
        self.hops = (self.hops[0], self.server % 12 + 1)

    def later(self, seconds, what, *args):
        self.n += 1
        heapq.heappush(self.queue, (self.now + seconds, self.n, what, args))

    def run(self):
        while self.queue:
            self.now, _, what, args = heapq.heappop(self.queue)
            what(*args)

    def put(self, client, stack, flags, seq, ack, payload, timestamps, dies=False):
        ttl, ident, df = stack.stamp(flags)
        stamp = (int(self.now * 1000) & 0xffffffff) if timestamps else None
        packet = (client, ttl, ident, df, flags, seq & 0xffffffff, (ack or 0) & 0xffffffff, payload,
                  stamp, 0 if flags & RST and stack.rst_window == 0 else 512, self.sabotage)
        before, rng = (self.place if client else 1 - self.place), self.rng
        for _ in range(2 if rng.random() < self.twice else 1):
            if rng.random() < self.loss * before:
                continue
            at = self.now + self.delay * before + rng.random() * self.jitter * before
            if rng.random() >= self.missing:
                self.capture(at, packet)
            if dies or (self.swallows and client and payload) or rng.random() < self.loss * (1 - before):
                continue
            there = at - self.now + self.delay * (1 - before) + rng.random() * self.jitter
            self.later(there, self.arrive, client, flags, seq & 0xffffffff, (ack or 0) & 0xffffffff, len(payload))

    def arrive(self, client, flags, seq, ack, size):
        self.ends[not client].receive(flags, seq, ack, size)

    def capture(self, at, packet):
        client, ttl, ident, df, flags, seq, ack, payload, stamp, window, sabotage = packet
        away = self.hops[0] * (self.place > 0) if client else self.hops[1] * (self.place < 1)
        options = b""
        if flags & SYN:
            options = b"\2\4\5\xb4"
            if stamp is not None:
                options += b"\x01\x01\x08\x0a" + stamp.to_bytes(4, "big") + bytes(4)
        elif stamp is not None:
            options = b"\x01\x01\x08\x0a" + stamp.to_bytes(4, "big") + b"\0\0\0\1"
        if sabotage == "signed":
            options = b"\x13\x12" + bytes(range(16)) + b"\1\1"
        ends = (self.client, self.server) if client else (self.server, self.client)
        ports = (self.port, self.server_port) if client else (self.server_port, self.port)
        frame = world.tcp(at, ends, ports, (ttl - away, ident, df), flags, (seq, ack), payload, options, window)
        if sabotage == "sum":
            wrong = bytes(b ^ 0x5a for b in frame.data[36:38])
            frame = frame._replace(data=frame.data[:36] + wrong + frame.data[38:])
        self.frames.append(frame)

    # --- what both ends do

    def connect(self):
        rng = self.rng
        stacks = self.stacks
        self.ends = {w: End(self, w, stacks[w], rng.randrange(1 << 32),
                            self.timestamps) for w in (True, False)}
        client = self.ends[True]
        client.out[client.isn] = (SYN, b"")
        client.send(SYN, b"", client.isn)
        client.nxt = (client.isn + 1) & 0xffffffff
        self.later(self.rto, client.resend)
        if rng.random() < 0.05:
            self.ends[False].dead = True

    def request(self):
        if self.server_port == 80:
            return b"GET / HTTP/1.1\r\nHost: plain.example\r\nCookie: " + b"x" * self.rng.choice((9, 3000)) + b"\r\n\r\n"
        if self.server_port == 22:
            return b"SSH-2.0-honest\r\n"
        name = b"plain.example"
        sni = b"\0\0" + (len(name) + 5).to_bytes(2, "big") + (len(name) + 3).to_bytes(2, "big") + b"\0" + \
            len(name).to_bytes(2, "big") + name
        pad = self.rng.choice((180, 1700))
        extensions = sni + b"\0\x15" + pad.to_bytes(2, "big") + bytes(pad)
        hello = b"\3\3" + bytes(32) + b"\0\0\2\x13\1\1\0" + len(extensions).to_bytes(2, "big") + extensions
        hello = b"\1" + len(hello).to_bytes(3, "big") + hello
        return b"\x16\3\1" + len(hello).to_bytes(2, "big") + hello

    def answer(self, size):
        head = b"HTTP/1.1 200 OK\r\nServer: x\r\nDate: now\r\n\r\n" if self.server_port == 80 else \
            b"\x16\3\3\0\x7a\2" if self.server_port == 443 else b"SSH-2.0-server\r\n"
        return head + bytes((i * 7 + size) & 0xff for i in range(size))

    def started(self):
        rng, client, server = self.rng, self.ends[True], self.ends[False]
        size = rng.choice((50, 500, 6000, 20000))
        if rng.random() < 0.08:     # a connection for later, and not needed
            self.later(rng.choice((0.1, 5, 30)), client.close if rng.random() < 0.5 else client.abort)
            return
        if self.server_port != 22 and rng.random() < self.evades:
            self.decoy()
        client.push(self.request())
        think = rng.choice((0, 0, 0.05, 1))
        end = rng.choice(("close", "close", "linger", "linger-half", "refuse", "client-abort", "client-bare",
                          "client-close", "crash", "both", "idle", "balancer", "client-closes-first"))

        def serve():
            if end == "refuse":
                server.abort(rng.random() < 0.3)
                return
            if end == "crash":
                server.dead = rng.random() < 0.5
                if not server.dead:
                    server.push(self.answer(size))
                    server.dead = True
                return
            server.push(self.answer(size))
            if end in ("close", "both", "client-closes-first"):
                server.close()
            if end == "linger":
                server.abort()
            if end == "linger-half":
                self.later(self.delay * rng.choice((0.5, 2, 4)), server.abort, rng.random() < 0.3)
            if end == "idle":
                self.later(rng.choice((5, 25, 300)), server.abort)
            if end == "balancer":
                self.later(rng.choice((0.1, 3, 60)), self.balancer)
        server.then.append(lambda: self.later(think, serve))
        if end == "client-closes-first":
            self.later(self.delay * rng.choice((0.1, 3)), client.close)
        if end == "both":
            self.later(2 * self.delay + think, client.close)
        after = {"client-abort": client.abort, "client-bare": lambda: client.abort(True),
                 "client-close": client.close, "close": client.close}.get(end)
        if after is not None:
            client.then.append(lambda: self.later(rng.choice((0, 0, self.delay, 0.5)), after))

    def decoy(self):
        """A reset that clears a box's memory, and that no server takes."""
        client, rng = self.ends[True], self.rng
        flags, kind = rng.choice((RST, RST | ACK)), rng.choice(("number", "numbers", "sum", "signed"))
        seq, ack = client.nxt - (10000 if kind.startswith("number") else 0), client.rcv
        if kind == "numbers":
            ack -= 66000
        self.sabotage = kind if kind in ("sum", "signed") else None
        self.put(True, self.stacks[True], flags, seq, ack if flags & ACK else 0, b"", False, dies=True)
        self.sabotage = None

    def balancer(self):
        """Of the server's own: it ends what it thinks is over, with stamps of its own, towards both."""
        client, server, rng = self.ends[True], self.ends[False], self.rng
        if server.dead or server.out:
            return
        stack = Stack(rng)
        self.put(False, stack, RST | ACK, server.nxt, server.rcv or 0, b"", False)
        server.dead = True
        if rng.random() < 0.5:
            client.dead = True


FLOWS = 300


def stage(rng):
    """One capture of many connections at one place."""
    place, missing = rng.choice((0, 0, 1, 0.5)), rng.choice((0, 0, 0.02, 0.1, 0.4))
    frames, cast = [], {}
    shaken, evades = rng.random() < 0.2, rng.choice((0, 0, 0.1))
    for i in range(FLOWS):
        path = Path(rng, 20000 + i, place, missing, *([(0.02, 0.04)] if shaken else []))
        path.evades = evades
        for _ in range(1 + (rng.random() < 0.15) * rng.randint(1, 2)):
            path.connect()
            path.run()
            path.now += rng.choice((0, 0.001, 2, 70))
        begin = rng.randint(1, 4) if rng.random() < 0.05 else 0 # captured from then on
        frames += sorted(path.frames, key=lambda f: f.ns)[begin:]
        cast[path.client] = Scene(f"captured at {place} of the way, {missing:.0%} missing" +
                                  (", out of order" if shaken else ""), "anomaly")
    if rng.random() < 0.15: # two taps, or all interfaces of a bridge
        frames = forms.doubled(frames, rng.choice((2000, 20000, 600000, 3000000)))
    return frames, cast


if __name__ == "__main__":
    sys.exit(world.main(stage))
